//! What a run found and did, for users and for programs.
use serde::{Deserialize, Serialize};

use crate::domain::id::{Id as _, RunId};
use crate::domain::time::Timestamp;

use super::entry::AttributePart;
use super::plan::{Baseline, ChangeKind, SyncPlan};
use super::reason::PendingReason;
use super::safeguard::{Removal, SafeguardDecision};
use super::translate::DirectorySnapshot;

/// The report of one run. Its JSON form only ever grows.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Report {
    /// The run.
    pub run: RunId,
    /// The connection, by its name in addresses.
    pub connection: String,
    /// Only looked.
    pub dry: bool,
    /// The directory was only observed: nobody is made or linked.
    #[serde(default)]
    pub observed: bool,
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
    /// What became of users.
    pub users: RecordCounts,
    /// What became of groups.
    pub groups: RecordCounts,
    /// What became of memberships of users.
    pub members: PairCounts,
    /// What became of memberships of groups.
    pub nested: PairCounts,
    /// What waits for approval.
    pub held: Vec<PendingRemovalEntry>,
    /// Entries that could not be taken.
    pub skipped: Vec<SkippedEntryReport>,
    /// What changed, one line an object.
    pub changes: Vec<ChangedEntryReport>,
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
    /// All but what waits for approval.
    Held,
    /// It ended early, or nobody who was read can be taken. What it had changed until then is true and stays; the next run goes on.
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
#[serde(default)]
pub struct ReadCounts {
    /// Entries of users.
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
    /// Why it is not, where what was read contradicts itself or cannot be recognised again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doubt: Option<String>,
    /// Users and groups that seemed to be missing and were found when they were looked up once more.
    pub found_again: u64,
}

/// What became of users or groups. Everything that was read is in exactly one of `created`, `changed`, `unchanged`,
/// `waiting` and `skipped`; `removed` and `held` speak of what was not read, or of what waits.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct RecordCounts {
    pub created: u64,
    pub changed: u64,
    /// Of the changed.
    pub renamed: u64,
    /// Of the changed.
    pub switched_off: u64,
    /// Of the changed.
    pub switched_on: u64,
    pub removed: u64,
    /// Removals that were refused; they are tried again.
    pub not_removed: u64,
    /// Lines of `held` that speak of them.
    pub held: u64,
    pub unchanged: u64,
    /// Read, and nothing was done: what would be done waits for approval, or the run ended before.
    pub waiting: u64,
    pub skipped: u64,
    /// Of all users of the connection after the run: linked to nobody until somebody decides who they are.
    pub for_review: u64,
}

impl RecordCounts {
    /// How many of what was read it speaks of.
    pub fn read(&self) -> u64 {
        self.created + self.changed + self.unchanged + self.waiting + self.skipped
    }
}

/// What became of memberships.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct PairCounts {
    pub added: u64,
    pub removed: u64,
    pub held: u64,
    /// Additions and removals that were refused; they are tried again.
    pub refused: u64,
}

/// Something that waits.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PendingRemovalEntry {
    /// `user`, `group`, `member` or `nested`: a removal. `switch_on`, `switch_off`, `part` (an attribute that many would
    /// lose) or `read` (everything that was read).
    pub kind: String,
    /// Stable id of what would be removed or switched; the name of the attribute; what names the read.
    pub subject: String,
    /// Stable id of the group it would be removed from.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub outer_group: Option<String>,
    /// What it is, for users.
    pub title: String,
    /// Why it waits.
    pub reason: PendingReason,
    /// The same as a sentence.
    pub says: String,
}

/// An entry that could not be taken.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SkippedEntryReport {
    /// Its name.
    pub dn: String,
    /// Its stable id, if it has one.
    pub id: Option<String>,
    /// Why.
    pub why: String,
}

/// Something that changed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChangedEntryReport {
    /// `user` or `group`.
    pub kind: String,
    /// `created`, `changed`, `renamed`, `switched_off`, `switched_on`, `removed` or `members`.
    pub change: String,
    /// Stable id.
    pub id: String,
    /// What it is, for users.
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
            observed: false,
            status: Status::Failed,
            failure: None,
            server: None,
            started_at,
            read: ReadCounts::default(),
            users: RecordCounts::default(),
            groups: RecordCounts::default(),
            members: PairCounts::default(),
            nested: PairCounts::default(),
            held: Vec::new(),
            skipped: Vec::new(),
            changes: Vec::new(),
            cut_off: false,
            milliseconds: Milliseconds::default(),
        }
    }

    /// The form that is stored: long lists cut off.
    pub fn stored(&self) -> String {
        let mut short = self.clone();
        short.cut_off |= [short.held.len(), short.skipped.len(), short.changes.len()].iter().any(|len| *len > STORED);
        short.held.truncate(STORED);
        short.skipped.truncate(STORED);
        short.changes.truncate(STORED);
        serde_json::to_string(&short).unwrap_or_default()
    }

    /// Whether anything was changed or, in a dry run, would be.
    pub fn changes_something(&self) -> bool {
        let of = |counts: &RecordCounts| counts.created + counts.changed + counts.removed;
        let pairs = |counts: &PairCounts| counts.added + counts.removed;
        of(&self.users) + of(&self.groups) + pairs(&self.members) + pairs(&self.nested) > 0
    }

    pub(super) fn line(&mut self, kind: &str, change: &str, id: &str, title: &str) {
        self.changes.push(ChangedEntryReport {
            kind: kind.to_owned(),
            change: change.to_owned(),
            id: id.to_owned(),
            title: title.to_owned(),
        });
    }

    /// Notes what was set aside before anything is applied.
    pub(super) fn asides(&mut self, said: &DirectorySnapshot) {
        self.users.skipped = said.users_aside;
        self.groups.skipped = said.groups_aside;
        self.read.doubt.clone_from(&said.doubt);
        self.skipped = said
            .skipped
            .iter()
            .map(|aside| SkippedEntryReport { dn: aside.dn.clone(), id: aside.key.clone(), why: aside.why.to_string() })
            .collect();
    }

    /// Notes what waits: the whole read, parts of what users are, then removals and switches.
    pub(super) fn hold(
        &mut self,
        verdict: &SafeguardDecision,
        parts: &[(AttributePart, PendingReason)],
        accepted: &Baseline,
        read: &str,
    ) {
        if let Some(reason) = &verdict.whole {
            self.waits("read", read.to_owned(), None, "everything that was read".to_owned(), reason);
        }
        for (part, reason) in parts {
            self.users.held += 1;
            self.waits("part", part.name().to_owned(), None, format!("{} of many users", part.name()), reason);
        }
        for (removal, reason) in &verdict.held {
            let (kind, subject, outer_group, title) = named(*removal, accepted);
            match removal {
                Removal::User(_) | Removal::SwitchOn(_) | Removal::SwitchOff(_) => self.users.held += 1,
                Removal::Group(_) => self.groups.held += 1,
                Removal::Member(..) => self.members.held += 1,
                Removal::Nested(..) => self.nested.held += 1,
            }
            self.waits(kind, subject, outer_group, title, reason);
        }
    }

    fn waits(
        &mut self,
        kind: &str,
        subject: String,
        outer_group: Option<String>,
        title: String,
        reason: &PendingReason,
    ) {
        let (kind, says) = (kind.to_owned(), reason.to_string());
        self.held.push(PendingRemovalEntry { kind, subject, outer_group, title, reason: reason.clone(), says });
    }

    /// Whatever was read and not reached waits.
    pub(super) fn settle(&mut self) {
        self.users.waiting += self.read.users.saturating_sub(self.users.read());
        self.groups.waiting += self.read.groups.saturating_sub(self.groups.read());
    }

    /// Notes something that was refused while it was carried out.
    pub(super) fn refused(&mut self, dn: String, id: Option<String>, why: String) {
        self.skipped.push(SkippedEntryReport { dn, id, why });
    }

    /// The lines of a plan.
    pub(super) fn plan(&mut self, plan: &SyncPlan, said: &DirectorySnapshot) {
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
pub(super) fn named(removal: Removal, accepted: &Baseline) -> (&'static str, String, Option<String>, String) {
    let user = |at: u32| accepted.users.get(at as usize).map(|user| (user.key.clone(), user.user_name.clone()));
    let group = |at: u32| accepted.groups.get(at as usize).map(|group| (group.key.clone(), group.name.clone()));
    let (kind, subject, outer) = match removal {
        Removal::User(at) => ("user", user(at), None),
        Removal::Group(at) => ("group", group(at), None),
        Removal::Member(outer, at) => ("member", user(at), group(outer)),
        Removal::Nested(outer, at) => ("nested", group(at), group(outer)),
        Removal::SwitchOn(at) => ("switch_on", user(at), None),
        Removal::SwitchOff(at) => ("switch_off", user(at), None),
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
        let ReadCounts { users, groups, pages, references, strangers, whole, doubt, found_again } = &self.read;
        let proof = match (whole, doubt) {
            (true, _) => "proven whole".to_owned(),
            (false, None) => "not proven whole, so nothing counts as removed".to_owned(),
            (false, Some(doubt)) => format!("nothing counts as removed, because {doubt}"),
        };
        if let Some(server) = &self.server {
            writeln!(f, "  read {users} users and {groups} groups in {pages} pages from {server}; {proof}")?;
        }
        for (what, counts) in [("users", &self.users), ("groups", &self.groups)] {
            let RecordCounts { created, changed, renamed, switched_off, switched_on, removed, not_removed, .. } =
                counts;
            let RecordCounts { held, unchanged, waiting, skipped, for_review, .. } = counts;
            writeln!(
                f,
                "  {what}: {created} {verb} created, {changed} changed ({renamed} renamed, {switched_off} switched off, \
                 {switched_on} on), {removed} removed, {unchanged} unchanged, {waiting} waiting, {skipped} set aside; \
                 {held} held"
            )?;
            if *not_removed > 0 {
                writeln!(f, "  {what}: {not_removed} removals were refused")?;
            }
            if *for_review > 0 {
                let until = if self.observed {
                    "the directory is no longer only observed"
                } else {
                    "somebody decides who they are"
                };
                writeln!(f, "  {what}: {for_review} wait until {until}")?;
            }
        }
        for (what, PairCounts { added, removed, held, refused }) in
            [("memberships", &self.members), ("groups in groups", &self.nested)]
        {
            writeln!(f, "  {what}: {added} {verb} added, {removed} removed, {held} held")?;
            if *refused > 0 {
                writeln!(f, "  {what}: {refused} changes were refused")?;
            }
        }
        if *strangers + *references > 0 {
            writeln!(f, "  {strangers} members name nobody who was read; {references} references were not followed")?;
        }
        if *found_again > 0 {
            writeln!(f, "  {found_again} that seemed to be missing were found when they were looked up once more")?;
        }
        for line in self.held.iter().take(10) {
            writeln!(f, "  held: {} {}: {}", line.kind, line.title, line.says)?;
        }
        for line in self.skipped.iter().take(10) {
            writeln!(f, "  set aside: {}: {}", line.dn, line.why)?;
        }
        let Milliseconds { read, compare, apply, total } = &self.milliseconds;
        write!(f, "  {total} ms: read {read}, compare {compare}, apply {apply}")
    }
}
