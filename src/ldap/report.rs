//! What a run found and did, for people and for programs.
use serde::{Deserialize, Serialize};

use crate::domain::id::{Id as _, RunId};
use crate::domain::time::Timestamp;

use super::brake::{Reason, Removal};
use super::plan::{Accepted, ChangeKind, Plan};
use super::said::Said;

/// The report of one run. Its JSON form only ever grows.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Report {
    /// The run.
    pub run: RunId,
    /// The connection, by its name in addresses.
    pub connection: String,
    /// Only looked.
    pub dry: bool,
    /// How it ended.
    pub status: Status,
    /// Why it failed, as a sentence.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failure: Option<String>,
    /// The server that answered.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub server: Option<String>,
    /// When it began, in microseconds since 1970.
    pub started_at: Timestamp,
    /// What was read.
    pub read: ReadCounts,
    /// What became of people.
    pub users: Counts,
    /// What became of groups.
    pub groups: Counts,
    /// What became of memberships of people.
    pub members: PairCounts,
    /// What became of memberships of groups.
    pub nested: PairCounts,
    /// Removals that wait for approval.
    pub held: Vec<HeldLine>,
    /// Entries that could not be taken.
    pub set_aside: Vec<AsideLine>,
    /// What changed, one line an object.
    pub changes: Vec<ChangeLine>,
    /// True when the lists above are cut off; the counts are not.
    pub cut_off: bool,
    /// Milliseconds of each phase.
    pub milliseconds: Milliseconds,
}

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Everything is as the directory says.
    Done,
    /// All but the removals that wait for approval.
    Held,
    /// It ended early. What it had changed until then is true and stays; the next run goes on.
    Failed,
}

impl Status {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Held => "held",
            Self::Failed => "failed",
        }
    }
}

/// What was read.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ReadCounts {
    /// Entries of people.
    pub users: u64,
    /// Entries of groups.
    pub groups: u64,
    /// Pages.
    pub pages: u64,
    /// References to other servers; none is followed.
    pub references: u64,
    /// Members that name nobody who was read.
    pub strangers: u64,
    /// Whether it is proven that nothing is left out.
    pub whole: bool,
}

/// What became of people or groups.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Counts {
    pub created: u64,
    pub changed: u64,
    /// Of the changed.
    pub renamed: u64,
    /// Of the changed.
    pub switched_off: u64,
    /// Of the changed.
    pub switched_on: u64,
    pub removed: u64,
    pub held: u64,
    pub unchanged: u64,
    pub set_aside: u64,
}

/// What became of memberships.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct PairCounts {
    pub added: u64,
    pub removed: u64,
    pub held: u64,
}

/// A removal that waits.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HeldLine {
    /// `user`, `group`, `member` or `nested`.
    pub kind: String,
    /// Stable id of what would be removed.
    pub subject: String,
    /// Stable id of the group it would be removed from.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub outer_group: Option<String>,
    /// What it is, for people.
    pub title: String,
    /// Why it waits.
    pub reason: Reason,
    /// The same as a sentence.
    pub says: String,
}

/// An entry that could not be taken.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AsideLine {
    /// Its name.
    pub dn: String,
    /// Its stable id, if it has one.
    pub id: Option<String>,
    /// Why.
    pub why: String,
}

/// Something that changed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChangeLine {
    /// `user` or `group`.
    pub kind: String,
    /// `created`, `changed`, `renamed`, `switched_off`, `switched_on`, `removed` or `members`.
    pub change: String,
    /// Stable id.
    pub id: String,
    /// What it is, for people.
    pub title: String,
}

/// Milliseconds of each phase.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Milliseconds {
    pub read: u64,
    pub compare: u64,
    pub apply: u64,
    pub total: u64,
}

/// Lines of each list that are stored.
const STORED: usize = 1_000;

impl Report {
    /// The report of a run that begins.
    pub fn begin(run: RunId, connection: &str, dry: bool, started_at: Timestamp) -> Self {
        Self {
            run,
            connection: connection.to_owned(),
            dry,
            status: Status::Failed,
            failure: None,
            server: None,
            started_at,
            read: ReadCounts::default(),
            users: Counts::default(),
            groups: Counts::default(),
            members: PairCounts::default(),
            nested: PairCounts::default(),
            held: Vec::new(),
            set_aside: Vec::new(),
            changes: Vec::new(),
            cut_off: false,
            milliseconds: Milliseconds::default(),
        }
    }

    /// The form that is stored: long lists cut off.
    pub fn stored(&self) -> String {
        let mut short = self.clone();
        short.cut_off |= [short.held.len(), short.set_aside.len(), short.changes.len()].iter().any(|len| *len > STORED);
        short.held.truncate(STORED);
        short.set_aside.truncate(STORED);
        short.changes.truncate(STORED);
        serde_json::to_string(&short).unwrap_or_default()
    }

    /// Whether anything was changed or, in a dry run, would be.
    pub fn changes_something(&self) -> bool {
        let of = |counts: &Counts| counts.created + counts.changed + counts.removed;
        let pairs = |counts: &PairCounts| counts.added + counts.removed;
        of(&self.users) + of(&self.groups) + pairs(&self.members) + pairs(&self.nested) > 0
    }

    pub(super) fn line(&mut self, kind: &str, change: &str, id: &str, title: &str) {
        self.changes.push(ChangeLine {
            kind: kind.to_owned(),
            change: change.to_owned(),
            id: id.to_owned(),
            title: title.to_owned(),
        });
    }

    /// Notes what was set aside before anything is applied.
    pub(super) fn asides(&mut self, said: &Said) {
        self.users.set_aside = said.present_users.len() as u64;
        self.groups.set_aside = said.present_groups.len() as u64;
        self.set_aside = said
            .set_aside
            .iter()
            .map(|aside| AsideLine { dn: aside.dn.clone(), id: aside.key.clone(), why: aside.why.to_string() })
            .collect();
    }

    /// Notes what waits.
    pub(super) fn hold(&mut self, held: &[(Removal, Reason)], accepted: &Accepted) {
        for (removal, reason) in held {
            let (kind, subject, outer_group, title) = named(*removal, accepted);
            match removal {
                Removal::User(_) => self.users.held += 1,
                Removal::Group(_) => self.groups.held += 1,
                Removal::Member(..) => self.members.held += 1,
                Removal::Nested(..) => self.nested.held += 1,
            }
            let (kind, says) = (kind.to_owned(), reason.to_string());
            self.held.push(HeldLine { kind, subject, outer_group, title, reason: reason.clone(), says });
        }
    }

    /// The lines of a plan.
    pub(super) fn plan(&mut self, plan: &Plan, said: &Said) {
        for user in plan.create_users.iter().filter_map(|at| said.users.get(*at as usize)) {
            self.line("user", "created", &user.key, &user.user_name);
        }
        for change in &plan.change_users {
            if let Some(user) = said.users.get(change.said as usize) {
                self.line("user", change.kind.word(), &user.key, &user.user_name);
            }
        }
        for group in plan.create_groups.iter().filter_map(|at| said.groups.get(*at as usize)) {
            self.line("group", "created", &group.key, &group.name);
        }
        for change in &plan.change_groups {
            if let Some(group) = said.groups.get(change.said as usize) {
                self.line("group", change.kind.word(), &group.key, &group.name);
            }
        }
    }
}

impl ChangeKind {
    /// The word in a report.
    pub fn word(self) -> &'static str {
        match self {
            Self::Attributes => "changed",
            Self::Renamed => "renamed",
            Self::SwitchedOff => "switched_off",
            Self::SwitchedOn => "switched_on",
        }
    }
}

/// A removal by stable ids: kind, subject, the group it is removed from, and a title.
pub(super) fn named(removal: Removal, accepted: &Accepted) -> (&'static str, String, Option<String>, String) {
    let user = |at: u32| accepted.users.get(at as usize).map(|user| (user.key.clone(), user.user_name.clone()));
    let group = |at: u32| accepted.groups.get(at as usize).map(|group| (group.key.clone(), group.name.clone()));
    let (kind, subject, outer) = match removal {
        Removal::User(at) => ("user", user(at), None),
        Removal::Group(at) => ("group", group(at), None),
        Removal::Member(outer, at) => ("member", user(at), group(outer)),
        Removal::Nested(outer, at) => ("nested", group(at), group(outer)),
    };
    let (key, name) = subject.unwrap_or_default();
    match outer {
        None => (kind, key, None, name),
        Some((outer_key, outer_name)) => (kind, key, Some(outer_key), format!("{name} in {outer_name}")),
    }
}

/// The report in a few lines, for a terminal.
impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let verb = if self.dry { "would be" } else { "were" };
        writeln!(
            f,
            "Run {} of {}: {}{}",
            self.run.uuid(),
            self.connection,
            self.status.as_str(),
            if self.dry { " (dry run)" } else { "" }
        )?;
        if let Some(failure) = &self.failure {
            writeln!(f, "  {failure}")?;
        }
        let ReadCounts { users, groups, pages, references, strangers, whole } = &self.read;
        let proof = if *whole { "proven whole" } else { "not proven whole, so nothing counts as removed" };
        if let Some(server) = &self.server {
            writeln!(f, "  read {users} people and {groups} groups in {pages} pages from {server}; {proof}")?;
        }
        for (what, counts) in [("people", &self.users), ("groups", &self.groups)] {
            let Counts { created, changed, renamed, switched_off, switched_on, removed, held, unchanged, set_aside } =
                counts;
            writeln!(
                f,
                "  {what}: {created} {verb} created, {changed} changed ({renamed} renamed, {switched_off} switched off, \
                 {switched_on} on), {removed} removed, {unchanged} unchanged, {held} held, {set_aside} set aside"
            )?;
        }
        for (what, PairCounts { added, removed, held }) in
            [("memberships", &self.members), ("groups in groups", &self.nested)]
        {
            writeln!(f, "  {what}: {added} {verb} added, {removed} removed, {held} held")?;
        }
        if *strangers + *references > 0 {
            writeln!(f, "  {strangers} members name nobody who was read; {references} references were not followed")?;
        }
        for line in self.held.iter().take(10) {
            writeln!(f, "  held: {} {}: {}", line.kind, line.title, line.says)?;
        }
        for line in self.set_aside.iter().take(10) {
            writeln!(f, "  set aside: {}: {}", line.dn, line.why)?;
        }
        let Milliseconds { read, compare, apply, total } = &self.milliseconds;
        write!(f, "  {total} ms: read {read}, compare {compare}, apply {apply}")
    }
}
