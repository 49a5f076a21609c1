//! Draws groups: ordinary ones, and every shape that trips a nested closure.

use super::BASE;
use super::dn::{below, below_written_otherwise};
use super::ldif::Entry;
use super::odd::NAMES;
use super::people::Person;
use crate::random::Random;
use std::collections::BTreeSet;

/// A group as the directory holds it.
pub struct Group {
    /// entryUUID.
    pub uuid: String,
    /// cn.
    pub name: String,
    /// Why this one is odd, if it is.
    pub odd: Option<&'static str>,
    /// Who is in it, in the order written.
    pub members: Vec<Member>,
    /// Whether it has been deleted since.
    pub gone: bool,
    parent: String,
}

/// One value of `member`.
#[derive(Clone, PartialEq)]
pub enum Member {
    /// A person, by position.
    Person(usize),
    /// A person whose name is written in another way than the entry's.
    PersonOtherwise(usize),
    /// A group, by position.
    Group(usize),
    /// A name of nobody in scope.
    Stranger(String),
}

/// Draws `count` groups over the people; the shapes take the first places.
pub fn draw(count: usize, people: &[Person], random: &mut Random) -> Vec<Group> {
    let mut drawn = Drawn { groups: Vec::new(), people, random };
    drawn.shapes();
    drawn.written_otherwise();
    for odd in NAMES {
        let name = odd.value.replace("{}", "group");
        let at = drawn.new_group(&name, Some(odd.kind), 8);
        debug_assert!(at > 0, "shapes come first");
    }
    let ordinary = drawn.groups.len();
    while drawn.groups.len() < count {
        let size = 5 + drawn.random.below(115);
        let number = drawn.groups.len();
        drawn.new_group(&format!("team-{number:03}"), None, size);
    }
    let umbrella = 0;
    for at in ordinary..count.min(ordinary + 40) {
        drawn.nest(umbrella, at);
    }
    drawn.groups
}

struct Drawn<'a> {
    groups: Vec<Group>,
    people: &'a [Person],
    random: &'a mut Random,
}

impl Drawn<'_> {
    fn new_group(&mut self, name: &str, odd: Option<&'static str>, members: usize) -> usize {
        let parent = format!("ou=groups,{BASE}");
        self.new_group_below(&parent, name, odd, members)
    }

    fn new_group_below(&mut self, parent: &str, name: &str, odd: Option<&'static str>, members: usize) -> usize {
        let mut group = Group {
            uuid: self.random.uuid(),
            name: name.to_owned(),
            odd,
            members: Vec::new(),
            gone: false,
            parent: parent.to_owned(),
        };
        let mut drawn = BTreeSet::new();
        while drawn.len() < members.min(self.people.len()) {
            drawn.insert(self.random.below(self.people.len()));
        }
        group.members.extend(drawn.into_iter().map(Member::Person));
        self.groups.push(group);
        self.groups.len() - 1
    }

    fn add(&mut self, group: usize, member: Member) {
        self.groups[group].members.push(member);
    }

    fn nest(&mut self, outer: usize, inner: usize) {
        self.add(outer, Member::Group(inner));
    }

    fn stranger(&mut self, group: usize, dn: &str) {
        self.add(group, Member::Stranger(dn.to_owned()));
    }

    fn shapes(&mut self) {
        self.new_group("umbrella", Some("holds forty groups"), 0);
        let everyone = self.new_group("everyone", Some("everyone"), 0);
        for at in 0..self.people.len() {
            self.add(everyone, Member::Person(at));
        }
        self.chain();
        let [top, left, right, bottom] = ["top", "left", "right", "bottom"]
            .map(|name| self.new_group(&format!("diamond-{name}"), Some("diamond"), 3));
        for (outer, inner) in [(top, left), (top, right), (left, bottom), (right, bottom)] {
            self.nest(outer, inner);
        }
        let [a, b, c] = ["a", "b", "c"].map(|name| self.new_group(&format!("cycle-{name}"), Some("cycle"), 3));
        for (outer, inner) in [(a, b), (b, c), (c, a)] {
            self.nest(outer, inner);
        }
        let own = self.new_group("self-member", Some("member of itself"), 4);
        self.nest(own, own);
        for name in ["empty-1", "empty-2", "empty-3"] {
            self.new_group(name, Some("empty"), 0);
        }
        let empty = self.groups.len() - 1;
        let shell = self.new_group("shell", Some("holds only an empty group"), 0);
        self.nest(shell, empty);
        self.strangers();
        let (here, there) = (format!("ou=groups,{BASE}"), format!("ou=more,ou=groups,{BASE}"));
        for (parent, name) in [(&here, "Same Name"), (&there, "Same Name"), (&here, "case twin"), (&there, "Case Twin")]
        {
            self.new_group_below(parent, name, Some("a name that another group has"), 5);
        }
    }

    fn chain(&mut self) {
        let links: Vec<usize> =
            (1..=6).map(|depth| self.new_group(&format!("chain-{depth}"), Some("chain of six"), 2)).collect();
        for pair in links.windows(2) {
            self.nest(pair[0], pair[1]);
        }
    }

    fn strangers(&mut self) {
        let some = self.new_group("dangling-some", Some("some members dangle"), 6);
        let all = self.new_group("dangling-all", Some("all members dangle"), 0);
        for group in [some, all] {
            self.stranger(group, &format!("uid=left-long-ago,ou=people,{BASE}"));
            self.stranger(group, &format!("cn=Gone\\, Too,ou=groups,{BASE}"));
        }
        let folder = self.new_group("holds-a-folder", Some("a member that is no person"), 3);
        self.stranger(folder, &format!("ou=people,{BASE}"));
        self.stranger(folder, "uid=guest,dc=another,dc=example");
    }

    /// Members named by the same name in another writing.
    fn written_otherwise(&mut self) {
        let group = self.new_group("written-otherwise", Some("members written otherwise"), 0);
        let odd = (0..self.people.len()).filter(|at| self.people[*at].odd.is_some()).take(60);
        let odd: Vec<usize> = odd.collect();
        for at in odd {
            self.add(group, Member::PersonOtherwise(at));
        }
    }
}

impl Group {
    /// The whole name.
    pub fn dn(&self) -> String {
        below(&vec![("cn", self.name.clone())], &self.parent)
    }

    /// The entry to load. A group without members breaks the schema of most servers, not of all:
    /// the lab loads without schema checks.
    pub fn entry(&self, people: &[Person], groups: &[Group]) -> Entry {
        let mut entry = Entry::new(&self.dn());
        entry.add("objectClass", "groupOfNames");
        entry.add("entryUUID", &self.uuid);
        entry.add("cn", &self.name);
        for member in &self.members {
            // A careful server takes those who left out of its groups.
            match member {
                Member::Person(at) | Member::PersonOtherwise(at) if people[*at].gone => {}
                Member::Person(at) => entry.add("member", &people[*at].dn()),
                Member::PersonOtherwise(at) => {
                    let person = &people[*at];
                    entry.add("member", &below_written_otherwise(&person.rdn, &person.parent));
                }
                Member::Group(at) if groups[*at].gone => {}
                Member::Group(at) => entry.add("member", &groups[*at].dn()),
                Member::Stranger(dn) => entry.add("member", dn),
            }
        }
        entry
    }
}
