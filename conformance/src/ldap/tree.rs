//! The whole generated directory: its LDIF and the oracle of what a sync must arrive at.

use super::groups::{self, Group, Member};
use super::ldif::Entry;
use super::people::{self, Off, Person};
use super::{BASE, READER, READER_PASSWORD};
use crate::random::Random;
use serde::Serialize;
use std::collections::BTreeSet;

/// People and groups of one seed.
pub struct Tree {
    seed: u64,
    people: Vec<Person>,
    groups: Vec<Group>,
}

/// What must be there after a sync, worked out without looking at the server.
#[derive(Serialize)]
pub struct Oracle {
    /// Everyone who can become a user.
    pub users: Vec<OracleUser>,
    /// entryUUIDs of people who cannot: they have no login.
    pub skipped: Vec<String>,
    /// Every group.
    pub groups: Vec<OracleGroup>,
}

/// One expected user.
#[derive(Serialize, Clone, Debug, PartialEq)]
pub struct OracleUser {
    /// entryUUID.
    pub id: String,
    /// The name in the directory.
    pub dn: String,
    /// uid.
    pub login: String,
    /// givenName.
    pub given: String,
    /// sn.
    pub family: String,
    /// displayName, else cn.
    pub display: String,
    /// Every mail, sorted.
    pub mails: Vec<String>,
    /// Whether the account is off.
    pub disabled: bool,
    /// Why this one is odd.
    pub odd: Option<&'static str>,
}

/// One expected group.
#[derive(Serialize, Clone, Debug, PartialEq)]
pub struct OracleGroup {
    /// entryUUID.
    pub id: String,
    /// cn.
    pub name: String,
    /// entryUUIDs of direct members that are users.
    pub users: BTreeSet<String>,
    /// entryUUIDs of direct members that are groups.
    pub groups: BTreeSet<String>,
    /// Members that name nobody in scope.
    pub strangers: usize,
    /// entryUUIDs of all users through any number of groups.
    pub effective: BTreeSet<String>,
    /// Why this one is odd.
    pub odd: Option<&'static str>,
}

impl Tree {
    /// Draws a directory.
    pub fn draw(seed: u64, user_count: usize, groups: usize) -> Tree {
        let mut random = Random::new(seed);
        let people = people::draw(user_count, &mut random);
        let groups = groups::draw(groups, &people, &mut random);
        Tree { seed, people, groups }
    }

    /// A week later: some have left, moved, married, been switched off or on; a group is renamed,
    /// one is deleted, one lost half its members. Ids stay.
    pub fn a_week_later(&mut self) {
        let other = people::PARENTS[1];
        for person in self.people.iter_mut().skip(5).step_by(400) {
            person.gone = true;
        }
        for person in self.people.iter_mut().skip(6).step_by(400) {
            person.parent = other.to_owned();
        }
        for person in self.people.iter_mut().skip(7).step_by(400) {
            person.family = format!("{}-Married", person.family);
            person.display = format!("{} {}", person.given, person.family);
        }
        for person in self.people.iter_mut().skip(8).step_by(400) {
            person.off = Off::PolicyLock;
        }
        for person in self.people.iter_mut().skip(2).step_by(400) {
            person.off = Off::Not;
        }
        let [.., renamed, deleted, halved] = self.groups.as_mut_slice() else { return };
        renamed.name = "renamed since".to_owned();
        deleted.gone = true;
        halved.members.truncate(halved.members.len() / 2);
    }

    /// So many more people leave, the first of the ordinary ones.
    pub fn leave(&mut self, count: usize) {
        for person in self.people.iter_mut().filter(|person| person.odd.is_none() && !person.gone).take(count) {
            person.gone = true;
        }
    }

    /// The last so many groups come into others that no group was in.
    pub fn nest(&mut self, count: usize) {
        let Some(inner) = self.groups.len().checked_sub(count) else { return };
        let outer = inner.saturating_sub(count);
        for at in 0..count {
            self.groups[outer + at].members.push(Member::Group(inner + at));
        }
    }

    /// The text to load.
    pub fn ldif(&self) -> String {
        let mut entries = head();
        entries.extend(people::folders());
        entries.extend(self.people.iter().filter(|person| !person.gone).map(Person::entry));
        let groups = self.groups.iter().filter(|group| !group.gone);
        entries.extend(groups.map(|group| group.entry(&self.people, &self.groups)));
        // Every id from the seed: the same directory, loaded again, is the same directory.
        let mut random = Random::new(self.seed.wrapping_add(1));
        entries.iter_mut().for_each(|entry| entry.add_if_none("entryUUID", &random.uuid()));
        entries.iter().map(Entry::text).collect()
    }

    /// The expected end state.
    pub fn oracle(&self) -> Oracle {
        let here = self.people.iter().filter(|person| !person.gone);
        let (can, cannot): (Vec<_>, Vec<_>) = here.partition(|person| person.login.is_some());
        Oracle {
            users: can.into_iter().map(expected_user).collect(),
            skipped: cannot.into_iter().map(|person| person.uuid.clone()).collect(),
            groups: (0..self.groups.len())
                .filter(|at| !self.groups[*at].gone)
                .map(|at| self.expected_group(at))
                .collect(),
        }
    }

    fn expected_group(&self, at: usize) -> OracleGroup {
        let group = &self.groups[at];
        let mut reached = BTreeSet::from([at]);
        let mut open = vec![at];
        while let Some(next) = open.pop() {
            open.extend(self.inner_groups(next).into_iter().filter(|inner| reached.insert(*inner)));
        }
        let strangers = group.members.iter().filter(|member| matches!(member, Member::Stranger(_))).count();
        OracleGroup {
            id: group.uuid.clone(),
            name: group.name.clone(),
            users: self.user_ids([at].into()),
            groups: self.inner_groups(at).into_iter().map(|inner| self.groups[inner].uuid.clone()).collect(),
            strangers,
            effective: self.user_ids(reached),
            odd: group.odd,
        }
    }

    /// The groups directly in a group. That it names itself says nothing.
    fn inner_groups(&self, at: usize) -> BTreeSet<usize> {
        let inner = |member: &Member| match member {
            Member::Group(inner) if *inner != at && !self.groups[*inner].gone => Some(*inner),
            _ => None,
        };
        self.groups[at].members.iter().filter_map(inner).collect()
    }

    /// entryUUIDs of the users who stand directly in any of the groups.
    fn user_ids(&self, groups: BTreeSet<usize>) -> BTreeSet<String> {
        let members = groups.into_iter().flat_map(|at| &self.groups[at].members);
        let as_user = |member: &Member| match member {
            Member::Person(at) | Member::PersonOtherwise(at) => Some(&self.people[*at]),
            Member::Group(_) | Member::Stranger(_) => None,
        };
        let users = members.filter_map(as_user).filter(|person| person.login.is_some() && !person.gone);
        users.map(|person| person.uuid.clone()).collect()
    }
}

fn expected_user(person: &Person) -> OracleUser {
    let mut mails = person.mails.clone();
    mails.sort();
    OracleUser {
        id: person.uuid.clone(),
        dn: person.dn(),
        login: person.login.clone().unwrap_or_default(),
        given: person.given.clone(),
        family: person.family.clone(),
        display: person.display.clone(),
        mails,
        disabled: person.off != Off::Not,
        odd: person.odd,
    }
}

/// The root, the account that reads, and the folders of groups.
fn head() -> Vec<Entry> {
    let mut root = Entry::new(BASE);
    for (name, value) in [("objectClass", "organization"), ("objectClass", "dcObject"), ("o", "Lab"), ("dc", "lab")] {
        root.add(name, value);
    }
    let mut reader = Entry::new(READER);
    for class in ["organizationalRole", "simpleSecurityObject"] {
        reader.add("objectClass", class);
    }
    reader.add("cn", "reader");
    reader.add("userPassword", READER_PASSWORD);
    let groups = format!("ou=groups,{BASE}");
    let more = format!("ou=more,{groups}");
    vec![root, reader, Entry::folder(&groups), Entry::folder(&more)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_writes_the_same_directory() {
        assert_eq!(Tree::draw(3, 400, 90).ldif(), Tree::draw(3, 400, 90).ldif());
        assert_ne!(Tree::draw(3, 400, 90).ldif(), Tree::draw(4, 400, 90).ldif());
    }

    #[test]
    fn ids_and_names_are_unique() {
        let oracle = Tree::draw(1, 10_000, 500).oracle();
        let names: BTreeSet<String> = oracle.users.iter().map(|user| user.dn.to_lowercase()).collect();
        assert_eq!(names.len(), oracle.users.len());
        assert_eq!(oracle.users.len() + oracle.skipped.len(), 10_000);
        assert_eq!(oracle.groups.len(), 500);
        let logins: BTreeSet<String> = oracle.users.iter().map(|user| user.login.to_lowercase()).collect();
        assert_eq!(logins.len(), oracle.users.len());
    }

    #[test]
    fn closures_pass_through_chains_and_cycles() {
        let oracle = Tree::draw(1, 2000, 120).oracle();
        let group = |name: &str| oracle.groups.iter().find(|group| group.name == name).unwrap();
        let chain: BTreeSet<String> =
            (1..=6).flat_map(|depth| group(&format!("chain-{depth}")).users.clone()).collect();
        assert_eq!(group("chain-1").effective, chain);
        assert_eq!(group("cycle-a").effective, group("cycle-c").effective);
        assert_eq!(group("self-member").effective, group("self-member").users);
        assert!(group("shell").effective.is_empty());
        assert_eq!(group("everyone").effective.len(), oracle.users.len());
    }
}
