//! Draws people.

use super::BASE;
use super::dn::{Rdn, below};
use super::ldif::Entry;
use super::odd::{FAMILY, GIVEN, NAMES};
use crate::random::Random;

/// How a directory says that an account is off.
#[derive(Clone, Copy, PartialEq)]
pub enum Off {
    /// It is not off.
    Not,
    /// OpenLDAP's password policy: locked for good.
    PolicyLock,
    /// 389 Directory Server and FreeIPA: `nsAccountLock: TRUE`.
    AccountLock,
    /// Active Directory: bit 2 of `userAccountControl`.
    ControlBit,
}

/// A person as the directory holds them.
pub struct Person {
    /// entryUUID.
    pub uuid: String,
    /// The name below the parent.
    pub rdn: Rdn,
    /// The parent's name.
    pub parent: String,
    /// uid; a few have none and cannot become users.
    pub login: Option<String>,
    /// givenName.
    pub given: String,
    /// sn.
    pub family: String,
    /// displayName, or cn where there is none.
    pub display: String,
    /// mail, in the order written.
    pub mails: Vec<String>,
    /// Whether and how the account is off.
    pub off: Off,
    /// Why this one is odd, if it is.
    pub odd: Option<&'static str>,
    /// Whether they have left since.
    pub gone: bool,
    explicit_display: bool,
    decoy: Option<(&'static str, &'static str)>,
}

/// Where people live.
pub const PARENTS: &[&str] = &[
    "ou=people,dc=lab,dc=example",
    "ou=Berlin\\, Mitte,ou=people,dc=lab,dc=example",
    "ou=M\u{fc}nchen,ou=people,dc=lab,dc=example",
    "ou=deep,ou=deeper,ou=people,dc=lab,dc=example",
];

/// Signs of a state that is not "off", which a careless reader takes for it.
const DECOYS: &[(&str, &str)] =
    &[("userAccountControl", "512"), ("userAccountControl", "66048"), ("nsAccountLock", "FALSE")];

/// Every twentieth person is odd by name, others by mail, by login or by being off.
pub fn draw(count: usize, random: &mut Random) -> Vec<Person> {
    (0..count).map(|number| person(number, random)).collect()
}

fn person(number: usize, random: &mut Random) -> Person {
    let (given, family) = (*random.pick(GIVEN), *random.pick(FAMILY));
    let login = format!("u{number:05}");
    let mut person = Person {
        uuid: random.uuid(),
        rdn: vec![("uid", login.clone())],
        parent: PARENTS[if number.is_multiple_of(10) { random.below(PARENTS.len()) } else { 0 }].to_owned(),
        login: Some(login),
        given: given.to_owned(),
        family: family.to_owned(),
        display: format!("{given} {family}"),
        mails: vec![format!("{given}.{family}.{number}@example.com").to_lowercase()],
        off: Off::Not,
        odd: None,
        gone: false,
        explicit_display: true,
        decoy: None,
    };
    match number % 20 {
        0 => odd_name(&mut person, number),
        1 => odd_mail(&mut person, number),
        2 => odd_state(&mut person, number),
        3 => odd_shape(&mut person, number),
        _ => {}
    }
    person
}

fn odd_name(person: &mut Person, number: usize) {
    let odd = &NAMES[number / 20 % NAMES.len()];
    let value = odd.value.replace("{}", &number.to_string());
    person.odd = Some(odd.kind);
    person.rdn = vec![("cn", value.clone())];
    person.given = value.clone();
    person.family = value.clone();
    person.display = value;
}

fn odd_mail(person: &mut Person, number: usize) {
    let shared = number / 200;
    (person.odd, person.mails) = match number / 20 % 5 {
        0 => (Some("no mail"), vec![]),
        1 => (Some("duplicate mail"), vec![format!("shared{shared}@example.com")]),
        2 => (Some("mail of other case"), vec![format!("Shared{shared}@Example.COM")]),
        3 => (Some("three mails"), (0..3).map(|at| format!("m{at}.{number}@example.com")).collect()),
        _ => (Some("mail of odd letters"), vec![format!("o'neil+{number}@example.com")]),
    };
}

fn odd_state(person: &mut Person, number: usize) {
    let choice = number / 20 % 6;
    person.off = [Off::PolicyLock, Off::AccountLock, Off::ControlBit].get(choice).copied().unwrap_or(Off::Not);
    person.decoy = choice.checked_sub(3).map(|decoy| DECOYS[decoy]);
    person.odd = Some(if person.off == Off::Not { "looks off" } else { "off" });
}

fn odd_shape(person: &mut Person, number: usize) {
    let login = format!("u{number:05}");
    match number / 20 % 8 {
        0 => {
            person.odd = Some("multi-valued RDN");
            person.rdn = vec![("cn", person.display.clone()), ("uid", login)];
        }
        1 => {
            person.odd = Some("multi-valued RDN with a plus");
            person.rdn = vec![("cn", format!("{} + Co, Ltd", person.family)), ("uid", login)];
        }
        2 => (person.odd, person.explicit_display) = (Some("no displayName"), false),
        3 => (person.odd, person.login) = (Some("login of upper case"), Some(login.to_uppercase())),
        4 => (person.odd, person.login) = (Some("login with an accent"), Some(format!("jos\u{e9}.{number}"))),
        5 => (person.odd, person.login) = (Some("login like an address"), Some(format!("{login}@lab.example"))),
        // Few: each is set aside and reported.
        6 if number % 1600 == 123 => {
            person.odd = Some("no login");
            person.login = None;
            person.rdn = vec![("cn", format!("Without Login {number}"))];
        }
        _ => person.odd = Some("description of many lines"),
    }
    if let (Some(login), [("uid", value)]) = (&person.login, person.rdn.as_mut_slice()) {
        value.clone_from(login);
    }
}

impl Person {
    /// The whole name.
    pub fn dn(&self) -> String {
        below(&self.rdn, &self.parent)
    }

    /// The entry to load.
    pub fn entry(&self) -> Entry {
        let mut entry = Entry::new(&self.dn());
        for class in ["inetOrgPerson", "labAccount"] {
            entry.add("objectClass", class);
        }
        entry.add("entryUUID", &self.uuid);
        entry.add("sn", &self.family);
        entry.add("givenName", &self.given);
        entry.add("cn", &self.display);
        if self.explicit_display {
            entry.add("displayName", &self.display);
        }
        if let Some(login) = &self.login {
            entry.add("uid", login);
        }
        for mail in &self.mails {
            entry.add("mail", mail);
        }
        for (name, value) in &self.rdn {
            entry.add_once(name, value);
        }
        if self.odd == Some("description of many lines") {
            entry.add("description", "first line\nsecond line\r\n\tthird: line");
        }
        match self.off {
            Off::Not => {}
            Off::PolicyLock => entry.add("pwdAccountLockedTime", "000001010000Z"),
            Off::AccountLock => entry.add("nsAccountLock", "TRUE"),
            Off::ControlBit => entry.add("userAccountControl", "514"),
        }
        if let Some((name, value)) = self.decoy {
            entry.add(name, value);
        }
        entry
    }
}

/// The folders above all people.
pub fn folders() -> Vec<Entry> {
    let mut names = vec![format!("ou=people,{BASE}"), format!("ou=deeper,ou=people,{BASE}")];
    names.extend(PARENTS.iter().skip(1).map(|&name| name.to_owned()));
    names.iter().map(|name| Entry::folder(name)).collect()
}
