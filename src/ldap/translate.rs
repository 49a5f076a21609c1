//! What a directory says as a whole: its users, its groups, and who is in what.
use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use crate::domain::text::fold;

use super::decode::LdapEntry;
use super::entry::{self, Before, LdapGroup, LdapUser, Mapping, SkipReason};
use super::mark::Marker;
use super::read::BranchRead;
use crate::connection::ldap::ResolvedLdapSettings;
use crate::connection::ldap::dn::Dn;

/// The accepted part and the set-aside part of one read. Members are named by position.
#[derive(Clone, Debug, Default)]
pub struct DirectorySnapshot {
    /// Users.
    pub users: Vec<LdapUser>,
    /// Groups.
    pub groups: Vec<LdapGroup>,
    /// Direct members: position in `groups`, position in `users`. Sorted, each once.
    pub members: Vec<(u32, u32)>,
    /// Groups in groups: outer, inner. Sorted, each once.
    pub nested: Vec<(u32, u32)>,
    /// Entries that could not be taken.
    pub skipped: Vec<SkippedEntry>,
    /// Stable ids of users who were set aside: they are there, so they are not missing.
    pub present_users: HashSet<String>,
    /// The same of groups.
    pub present_groups: HashSet<String>,
    /// How many entries of users could not be taken.
    pub users_aside: u64,
    /// The same of groups.
    pub groups_aside: u64,
    /// What was read contradicts itself or cannot be recognised, as a sentence: then nobody is proven missing.
    pub doubt: Option<String>,
    /// Groups, by position, of whose members some cannot be read: of theirs none is missing.
    pub unclear: HashSet<u32>,
    /// Members that name nobody who was read.
    pub strangers: u64,
}

/// An entry that could not be taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SkippedEntry {
    /// Its name.
    pub dn: String,
    /// Its stable id, if it has one.
    pub key: Option<String>,
    /// Why.
    pub why: SkipReason,
}

/// What is known of users already, by stable id. Where two claim one login name or join key, its holder keeps it.
#[derive(Clone, Debug, Default)]
pub struct ExistingKeys<'a> {
    /// What stays where an entry does not show it.
    pub before: HashMap<&'a str, Before<'a>>,
    /// Folded login name to stable id.
    pub logins: HashMap<String, &'a str>,
    /// Join key to stable id.
    pub joins: HashMap<&'a [u8], &'a str>,
}

/// Translates a read. Of users who are as before it keeps what tells them apart, and of every entry of a user the name.
pub fn translate(
    user_branch: BranchRead,
    groups: BranchRead,
    mapping: Mapping<'_>,
    holders: &ExistingKeys<'_>,
) -> DirectorySnapshot {
    let (settings, marker) = (mapping.settings, Marker::new(mapping));
    let mut said = DirectorySnapshot::default();
    let mut users = Vec::with_capacity(user_branch.entries.len());
    for entry in user_branch.entries {
        match entry::user(&entry, mapping, &marker, &|key| holders.before.get(key).copied()) {
            Ok(user) => users.push((entry.dn, user)),
            Err(why) => said.user_aside(&entry.dn, entry::stable_key(&entry, &settings.id), why),
        }
    }
    let users = said.unique(users, |user| user.key.clone(), |_, _| false, |_| SkipReason::SameId);
    let users = said.unique(
        users,
        |user| fold(&user.user_name),
        |name, key| holders.logins.get(name).is_some_and(|holder| *holder == key),
        |user| SkipReason::SameLogin(user.user_name.clone()),
    );
    let joined_by = mapping.join.unwrap_or_default().to_owned();
    let (joined, loose): (Vec<_>, Vec<_>) = users.into_iter().partition(|(_, user)| user.match_key.is_some());
    let joined = said.unique(
        joined,
        |user| user.match_key.as_ref().map(|key| key.bytes().to_vec()).unwrap_or_default(),
        |join, key| holders.joins.get(join.as_slice()).is_some_and(|holder| *holder == key),
        |_| SkipReason::SameMatchingAttribute(joined_by.clone()),
    );
    let mut users: Vec<_> = joined.into_iter().chain(loose).collect();
    users.sort_by(|(_, a), (_, b)| a.key.cmp(&b.key));

    let mut group_entries = Vec::with_capacity(groups.entries.len());
    for entry in groups.entries {
        match entry::group(&entry, mapping) {
            Ok(group) => group_entries.push((entry, group)),
            Err(why) => said.group_aside(&entry.dn, entry::stable_key(&entry, &settings.id), why),
        }
    }
    let mut seen = HashMap::new();
    for (_, group) in &group_entries {
        *seen.entry(group.key.clone()).or_insert(0) += 1;
    }
    group_entries.retain(|(entry, group)| {
        let once = seen.get(&group.key) == Some(&1);
        if !once {
            said.group_aside(&entry.dn, Some(group.key.clone()), SkipReason::SameId);
        }
        once
    });
    group_entries.sort_by(|(_, a), (_, b)| a.key.cmp(&b.key));

    said.resolve_members(&users, &group_entries, settings);
    said.users = users.into_iter().map(|(_, user)| user).collect();
    said.groups = group_entries.into_iter().map(|(_, group)| group).collect();
    said
}

/// Where a member name leads.
#[derive(Clone, Copy, PartialEq)]
enum Target {
    User(u32),
    Group(u32),
    /// Two entries read alike.
    Ambiguous,
}

impl DirectorySnapshot {
    fn user_aside(&mut self, dn: &str, key: Option<String>, why: SkipReason) {
        self.users_aside += 1;
        self.present_users.extend(key.clone());
        self.aside(dn, key, why);
    }

    fn group_aside(&mut self, dn: &str, key: Option<String>, why: SkipReason) {
        self.groups_aside += 1;
        self.present_groups.extend(key.clone());
        self.aside(dn, key, why);
    }

    fn aside(&mut self, dn: &str, key: Option<String>, why: SkipReason) {
        match &key {
            // It may be anybody.
            None => self.doubt(|| format!("\"{dn}\": {why}")),
            Some(key) if why == SkipReason::SameId => self.doubt(|| format!("two entries have the id {key}")),
            Some(_) => {}
        }
        self.skipped.push(SkippedEntry { dn: dn.to_owned(), key, why });
    }

    /// The first contradiction is told; one is enough.
    fn doubt(&mut self, says: impl FnOnce() -> String) {
        self.doubt.get_or_insert_with(says);
    }

    /// Of users who claim the same, the one who holds it already keeps it; with no holder among them nobody
    /// gets it, because which of them it was meant for cannot be known.
    fn unique<K: Hash + Eq>(
        &mut self,
        users: Vec<(String, LdapUser)>,
        claim: impl Fn(&LdapUser) -> K,
        holds: impl Fn(&K, &str) -> bool,
        why: impl Fn(&LdapUser) -> SkipReason,
    ) -> Vec<(String, LdapUser)> {
        let mut claims: HashMap<K, u32> = HashMap::with_capacity(users.len());
        for (_, user) in &users {
            *claims.entry(claim(user)).or_default() += 1;
        }
        let mut kept = Vec::with_capacity(users.len());
        for (dn, user) in users {
            let claimed = claim(&user);
            let alone = claims.get(&claimed) == Some(&1);
            if alone || holds(&claimed, &user.key) {
                kept.push((dn, user));
            } else {
                let why = why(&user);
                self.user_aside(&dn, Some(user.key), why);
            }
        }
        kept
    }

    fn resolve_members(
        &mut self,
        users: &[(String, LdapUser)],
        groups: &[(LdapEntry, LdapGroup)],
        settings: &ResolvedLdapSettings,
    ) {
        let by_login = settings.members_by_login();
        let user_name = |dn: &str, user: &LdapUser| match by_login {
            true => Some(Name::Login(user.user_name.clone())),
            false => Dn::parse(dn).ok().map(Name::Dn),
        };
        let user_names = (0..).zip(users).map(|(at, (dn, user))| (user_name(dn, user), dn, Target::User(at)));
        let inner = (0..)
            .zip(groups)
            .map(|(at, (entry, _))| (Dn::parse(&entry.dn).ok().map(Name::Dn), &entry.dn, Target::Group(at)));
        let inner = inner.filter(|_| !by_login);
        let mut names: HashMap<Name, Target> = HashMap::with_capacity(users.len() + groups.len());
        // Servers mostly write a member as they write the entry: that is found without parsing.
        let mut verbatim: HashMap<&str, Target> = HashMap::with_capacity(names.capacity());
        for (name, dn, target) in user_names.chain(inner) {
            let Some(name) = name else {
                self.doubt(|| format!("\"{dn}\" is no distinguished name"));
                continue;
            };
            // One entry may be read as a user and as a group; two of one kind cannot have one name.
            let same = |known: &mut Target| {
                let alike = matches!(
                    (*known, target),
                    (Target::User(_), Target::User(_)) | (Target::Group(_), Target::Group(_))
                );
                if alike && !by_login {
                    self.doubt.get_or_insert_with(|| format!("two entries are called \"{dn}\""));
                }
                *known = Target::Ambiguous;
            };
            names.entry(name).and_modify(same).or_insert(target);
            if !by_login {
                verbatim.entry(dn).and_modify(|known| *known = Target::Ambiguous).or_insert(target);
            }
        }
        for (at, (entry, _)) in (0..).zip(groups) {
            let mut read = 0;
            for member in entry.texts(&settings.member) {
                read += 1;
                let known = verbatim.get(member).copied();
                let name = || match by_login {
                    true => Some(Name::Login(member.trim().to_owned())),
                    false => Dn::parse(member).ok().map(Name::Dn),
                };
                let target = known.or_else(|| {
                    let Some(name) = name() else {
                        self.unclear.insert(at);
                        return None;
                    };
                    names.get(&name).copied()
                });
                if target == Some(Target::Ambiguous) {
                    self.unclear.insert(at);
                }
                match target {
                    Some(Target::User(user)) => self.members.push((at, user)),
                    // A group that must have a member has itself when it has no other.
                    Some(Target::Group(inner)) if inner == at => {}
                    Some(Target::Group(inner)) => self.nested.push((at, inner)),
                    Some(Target::Ambiguous) | None => self.strangers += 1,
                }
            }
            if read < entry.values(&settings.member).len() {
                self.unclear.insert(at);
            }
        }
        for pairs in [&mut self.members, &mut self.nested] {
            pairs.sort_unstable();
            pairs.dedup();
        }
    }
}

#[derive(PartialEq, Eq, Hash)]
enum Name {
    Dn(Dn),
    Login(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn settings(member: &str) -> ResolvedLdapSettings {
        ResolvedLdapSettings::from_json(
            "openldap",
            &json!({
                "urls": ["ldap://d.example"], "security": "none", "member": member,
                "users": {"bases": ["ou=p,dc=x"]}, "groups": {"bases": ["ou=g,dc=x"]},
            }),
        )
        .unwrap()
    }

    fn entry(dn: &str, attributes: &[(&str, &[&str])]) -> LdapEntry {
        let values = |values: &[&str]| values.iter().map(|value| value.as_bytes().to_vec()).collect();
        LdapEntry::new(dn, attributes.iter().map(|(name, list)| ((*name).to_owned(), values(list))).collect())
    }

    fn read(
        users: &BranchRead,
        groups: &BranchRead,
        settings: &ResolvedLdapSettings,
        join: Option<&str>,
        holders: &ExistingKeys,
    ) -> DirectorySnapshot {
        translate(
            users.clone(),
            groups.clone(),
            Mapping { settings, schemas: &crate::scim::schema::SchemaSet::base(), join },
            holders,
        )
    }

    fn reading(entries: Vec<LdapEntry>) -> BranchRead {
        BranchRead { entries, ..BranchRead::default() }
    }

    fn user(dn: &str, id: &str, uid: &str, mail: &str) -> LdapEntry {
        entry(dn, &[("entryUUID", &[id]), ("uid", &[uid]), ("mail", &[mail])])
    }

    #[test]
    fn members_are_found_by_name_in_any_writing_and_strangers_counted() {
        let users = reading(vec![
            user("cn=Lee\\, Ann,ou=p,dc=x", "a", "ann", "ann@x"),
            user("uid=bob,ou=p,dc=x", "b", "bob", "bob@x"),
        ]);
        let groups = reading(vec![
            entry(
                "cn=all,ou=g,dc=x",
                &[
                    ("entryUUID", &["g1"]),
                    ("cn", &["all"]),
                    (
                        "member",
                        &[
                            "CN=lee\\2c ann, OU=P,DC=X",
                            "cn=Lee\\, Ann,ou=p,dc=x",
                            "uid=bob,ou=p,dc=x",
                            "cn=some,ou=g,dc=x",
                            "uid=gone,ou=p,dc=x",
                            "nonsense",
                        ],
                    ),
                ],
            ),
            entry("cn=some,ou=g,dc=x", &[("entryUUID", &["g2"]), ("cn", &["some"]), ("member", &["cn=all,ou=g,dc=x"])]),
        ]);
        let said = read(&users, &groups, &settings("member"), None, &ExistingKeys::default());
        assert_eq!(said.members, [(0, 0), (0, 1)]);
        assert_eq!(said.nested, [(0, 1), (1, 0)]);
        assert_eq!(said.strangers, 2);
        assert!(said.skipped.is_empty());
    }

    #[test]
    fn posix_members_are_found_by_login() {
        let users =
            reading(vec![user("uid=a,ou=p,dc=x", "a", "ann", "a@x"), user("uid=b,ou=p,dc=x", "b", "bob", "b@x")]);
        let groups = reading(vec![entry(
            "cn=g,ou=g,dc=x",
            &[("entryUUID", &["g"]), ("cn", &["g"]), ("memberUid", &["bob", "eve"])],
        )]);
        let said = read(&users, &groups, &settings("memberUid"), None, &ExistingKeys::default());
        assert_eq!(said.members, [(0, 1)]);
        assert_eq!(said.strangers, 1);
    }

    #[test]
    fn the_holder_of_a_login_keeps_it_and_without_one_nobody_gets_it() {
        let users = reading(vec![
            user("uid=1,ou=p,dc=x", "a", "Same", "1@x"),
            user("uid=2,ou=p,dc=x", "b", "same", "2@x"),
            user("uid=3,ou=p,dc=x", "c", "other", "3@x"),
        ]);
        let none = reading(vec![]);
        let said = read(&users, &none, &settings("member"), None, &ExistingKeys::default());
        assert_eq!(said.users.iter().map(|user| user.key.as_str()).collect::<Vec<_>>(), ["c"]);
        assert_eq!(said.present_users, HashSet::from(["a".to_owned(), "b".to_owned()]));
        let holders = ExistingKeys { logins: HashMap::from([("same".to_owned(), "b")]), ..ExistingKeys::default() };
        let said = read(&users, &none, &settings("member"), None, &holders);
        assert_eq!(said.users.iter().map(|user| user.key.as_str()).collect::<Vec<_>>(), ["b", "c"]);
        assert_eq!(said.skipped.len(), 1);
    }

    #[test]
    fn a_shared_address_is_skipped_only_where_it_joins() {
        let users =
            reading(vec![user("uid=1,ou=p,dc=x", "a", "ann", "Team@x"), user("uid=2,ou=p,dc=x", "b", "bob", "team@X")]);
        let none = reading(vec![]);
        assert_eq!(
            read(&users, &none, &settings("member"), Some("entryUUID"), &ExistingKeys::default()).users.len(),
            2
        );
        let said = read(&users, &none, &settings("member"), Some("mail"), &ExistingKeys::default());
        assert_eq!(said.users.len(), 0);
        assert_eq!(said.skipped[0].why, SkipReason::SameMatchingAttribute("mail".into()));
    }

    #[test]
    fn an_entry_without_id_may_be_anybody() {
        let users = reading(vec![entry("uid=1,ou=p,dc=x", &[("uid", &["ann"])])]);
        let said = read(&users, &reading(vec![]), &settings("member"), None, &ExistingKeys::default());
        assert_eq!(said.doubt.as_deref(), Some("\"uid=1,ou=p,dc=x\": it has no entryUUID that can be read"));
        assert_eq!((said.skipped.len(), said.users_aside), (1, 1));
    }

    #[test]
    fn what_is_double_or_malformed_is_a_doubt_or_makes_a_group_unclear() {
        let settings = settings("member");
        let none = || reading(vec![]);
        let ann = || user("uid=ann,ou=p,dc=x", "a", "ann", "ann@x");
        let users =
            |other: LdapEntry| read(&reading(vec![ann(), other]), &none(), &settings, None, &ExistingKeys::default());
        let doubts = [
            ("two entries have the id a", user("uid=bob,ou=p,dc=x", "A", "bob", "b@x")),
            ("it has no entryUUID", entry("uid=bob,ou=p,dc=x", &[("entryUUID", &["b", "c"]), ("uid", &["bob"])])),
            ("it has no entryUUID", user("uid=bob,ou=p,dc=x", "b\u{7}", "bob", "b@x")),
            ("it has no entryUUID", user("uid=bob,ou=p,dc=x", &"b".repeat(201), "bob", "b@x")),
            ("is no distinguished name", user("uid=bob\\,ou=p+,dc=x", "b", "bob", "b@x")),
            ("two entries are called", user("UID=Ann,ou=p,dc=x", "b", "bob", "b@x")),
        ];
        for (part, other) in doubts {
            let said = users(other.clone());
            assert!(said.doubt.as_ref().is_some_and(|says| says.contains(part)), "{other:?}: {:?}", said.doubt);
        }
        assert_eq!(users(user("uid=bob,ou=p,dc=x", "b", "bob", "b@x")).doubt, None);

        let group = |member: &str| {
            let values: &[&str] = &[member, "uid=ann,ou=p,dc=x"];
            let groups = vec![entry("cn=g,ou=g,dc=x", &[("entryUUID", &["g"]), ("cn", &["g"]), ("member", values)])];
            let said = read(&reading(vec![ann()]), &reading(groups), &settings, None, &ExistingKeys::default());
            (said.members.len(), said.unclear.len(), said.doubt)
        };
        assert_eq!(group("uid=left,ou=p,dc=x"), (1, 0, None), "a stranger is clear");
        assert_eq!(group("uid=ann\\,ou=p+,dc=x"), (1, 1, None));
        assert_eq!(group("uid=a\0,ou=p,dc=x"), (1, 1, None), "no text");
    }

    #[test]
    fn what_an_entry_does_not_show_stays_as_it_was() {
        let ad = |user: Option<&str>, before: Option<bool>| {
            let settings = ResolvedLdapSettings::from_json(
                "active_directory",
                &json!({"urls": ["ldap://d.example"], "security": "none", "id": "entryUUID", "users": {"bases": ["dc=x"]},
                    "attributes": {"user_name": ["uid"]}}),
            )
            .unwrap();
            let mut attributes: Vec<(&str, &[&str])> = vec![("entryUUID", &["a"]), ("uid", &["ann"])];
            let values = [user.unwrap_or_default()];
            if user.is_some() {
                attributes.push(("userAccountControl", &values));
            }
            let before = before.map(|active| ("a", Before { active, match_key: Some(b"key"), mark: None }));
            let holders = ExistingKeys { before: before.into_iter().collect(), ..ExistingKeys::default() };
            let users = reading(vec![entry("uid=ann,dc=x", &attributes)]);
            let said = read(&users, &reading(vec![]), &settings, Some("employeeNumber"), &holders);
            said.users.first().map(|user| (user.active, user.match_key.as_ref().map(|key| key.bytes().to_vec())))
        };
        let key = || Some(b"key".to_vec());
        for unreadable in [None, Some("many"), Some("")] {
            assert_eq!(ad(unreadable, Some(false)), Some((false, key())), "{unreadable:?}");
            assert_eq!(ad(unreadable, Some(true)), Some((true, key())), "{unreadable:?}");
            assert_eq!(ad(unreadable, None), None, "nobody is let in of whom nothing is known: {unreadable:?}");
        }
        assert_eq!(ad(Some("512"), Some(false)), Some((true, key())));
        assert_eq!(ad(Some("514"), None), Some((false, None)));
    }
}
