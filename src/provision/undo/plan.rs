//! What of a ledger can be restored, and what cannot and why. Pure: what is there is brought along.
use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::ledger::{LastChange, Ledger, TimeRange};
use super::removal::RemovedItem;
use crate::domain::id::{ConnectionId, EventId, ExternalGroupId, ExternalUserId};
use crate::domain::time::Timestamp;
use crate::secret::sha256;
use crate::store::deleted::DeletedItem;
use crate::store::members::MemberId;
use crate::store::removal_events::CurrentUser;

/// What would become of a thing that was taken away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Restorability {
    /// It would be restored.
    Restored {
        /// Its presence stays unsaid, as it was.
        was_implicit: bool,
    },
    /// It is back already; how, as a sentence.
    Back(&'static str),
    /// It cannot be restored, or must not; why, as a sentence.
    Lost(&'static str),
}

impl Restorability {
    /// The word that is shown.
    pub fn word(self) -> &'static str {
        match self {
            Self::Restored { .. } => "restorable",
            Self::Back(_) => "already_restored",
            Self::Lost(_) => "not_restorable",
        }
    }

    /// Why, when it is not to be restored.
    pub fn why(self) -> Option<&'static str> {
        match self {
            Self::Restored { .. } => None,
            Self::Back(why) | Self::Lost(why) => Some(why),
        }
    }
}

/// One thing that was taken away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UndoEntry {
    /// What.
    pub item: RemovedItem,
    /// When.
    pub at: Timestamp,
    /// What would become of it.
    pub fate: Restorability,
    /// Its user stays out although the directory lets it in again: an administrator or another connection keeps it out.
    pub kept_out: bool,
}

/// Everything that a connection took away within a time, and what undoing it would do.
#[derive(Clone, Debug)]
pub struct UndoPlan {
    /// Whose removals.
    pub connection: ConnectionId,
    /// When.
    pub span: TimeRange,
    /// What was taken away, in the order in which it is given back.
    pub entries: Vec<UndoEntry>,
    /// Names of users, as the directory said them.
    pub users: BTreeMap<ExternalUserId, String>,
    /// Names of groups.
    pub groups: BTreeMap<ExternalGroupId, String>,
    /// The log was read up to this number, ...
    pub(super) head: i64,
    /// ... and these lines beyond it.
    pub(super) beyond: HashSet<EventId>,
}

impl UndoPlan {
    /// What would be restored.
    pub fn restorable(&self) -> impl Iterator<Item = &UndoEntry> {
        self.entries.iter().filter(|entry| matches!(entry.fate, Restorability::Restored { .. }))
    }

    /// How many users it would give something back to, each counted once.
    pub fn users(&self) -> usize {
        let users: BTreeSet<ExternalUserId> = self.restorable().filter_map(|entry| entry.item.user()).collect();
        users.len()
    }

    /// Names exactly these effects: two plans that would do the same have the same hash.
    pub fn hash(&self) -> String {
        let mut text = format!("{}\n", self.connection);
        for entry in self.restorable() {
            let was_implicit = matches!(entry.fate, Restorability::Restored { was_implicit: true });
            text.push_str(&match entry.item {
                RemovedItem::User(user) => format!("user {user}\n"),
                RemovedItem::Group(group) => format!("group {group}\n"),
                RemovedItem::Member(group, who) => format!("member {group} {}\n", who.uuid()),
                RemovedItem::Active(user) => format!("active {user} {was_implicit}\n"),
            });
        }
        sha256(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// What is there now of what a ledger names.
#[derive(Clone, Debug, Default)]
pub(super) struct CurrentState {
    pub users: BTreeMap<ExternalUserId, CurrentUser>,
    pub gone_users: BTreeMap<ExternalUserId, DeletedItem<ExternalUserId>>,
    pub groups: BTreeMap<ExternalGroupId, String>,
    pub gone_groups: BTreeMap<ExternalGroupId, DeletedItem<ExternalGroupId>>,
    pub members: HashSet<(ExternalGroupId, MemberId)>,
    pub kept_out: HashSet<ExternalUserId>,
}

const GIVEN_BACK: &str = "It was given back since.";
const TAKEN_AGAIN: &str = "It was given back and taken away again since, after this time or by somebody else.";
const NOT_KEPT: &str = "It was deleted, and is no longer kept as it was.";
const SAID_AGAIN: &str = "The directory has said it again, as a new entry.";
const DELETED_AGAIN: &str = "The directory said it again later, as a new entry, and deleted that one too.";
const NO_LINKED_USER: &str = "Its user has been deleted.";
const NO_GROUP: &str = "Its group is gone and does not come back.";
const NO_MEMBER: &str = "The member is gone and does not come back.";
const NO_USER: &str = "Its user is gone and does not come back.";

impl CurrentState {
    /// What becomes of everything in the ledger, in its order: users and groups first, which the rest needs.
    pub fn decide(&self, ledger: &Ledger) -> Vec<UndoEntry> {
        let mut coming: HashSet<RemovedItem> = HashSet::new();
        let mut entries = Vec::with_capacity(ledger.len());
        for (item, last) in ledger.items() {
            let (at, fate) = match last {
                LastChange::GivenBack { at } => (at, Restorability::Back(GIVEN_BACK)),
                LastChange::TakenAgain { at } => (at, Restorability::Lost(TAKEN_AGAIN)),
                LastChange::Taken { at, was_implicit } => (at, self.fate(item, was_implicit, &coming)),
            };
            let restored = matches!(fate, Restorability::Restored { .. });
            if restored {
                coming.insert(item);
            }
            let lets_in = matches!(item, RemovedItem::User(_) | RemovedItem::Active(_));
            let kept_out = restored && lets_in && item.user().is_some_and(|user| self.kept_out.contains(&user));
            entries.push(UndoEntry { item, at, fate, kept_out });
        }
        entries
    }

    fn fate(&self, item: RemovedItem, was_implicit: bool, coming: &HashSet<RemovedItem>) -> Restorability {
        let restored = Restorability::Restored { was_implicit };
        let user_comes = |user| self.users.contains_key(&user) || coming.contains(&RemovedItem::User(user));
        let group_comes = |group| self.groups.contains_key(&group) || coming.contains(&RemovedItem::Group(group));
        match item {
            RemovedItem::User(user) if self.users.contains_key(&user) => Restorability::Back(GIVEN_BACK),
            RemovedItem::User(user) => match self.gone_users.get(&user) {
                None => Restorability::Lost(NOT_KEPT),
                Some(gone) if gone.replaced => Restorability::Back(SAID_AGAIN),
                Some(gone) if gone.superseded => Restorability::Lost(DELETED_AGAIN),
                Some(gone) if !gone.has_user => Restorability::Lost(NO_LINKED_USER),
                Some(_) => restored,
            },
            RemovedItem::Group(group) if self.groups.contains_key(&group) => Restorability::Back(GIVEN_BACK),
            RemovedItem::Group(group) => match self.gone_groups.get(&group) {
                None => Restorability::Lost(NOT_KEPT),
                Some(gone) if gone.replaced => Restorability::Back(SAID_AGAIN),
                Some(gone) if gone.superseded => Restorability::Lost(DELETED_AGAIN),
                Some(_) => restored,
            },
            RemovedItem::Member(group, who) if self.members.contains(&(group, who)) => Restorability::Back(GIVEN_BACK),
            RemovedItem::Member(group, _) if !group_comes(group) => Restorability::Lost(NO_GROUP),
            RemovedItem::Member(_, MemberId::User(user)) if !user_comes(user) => Restorability::Lost(NO_MEMBER),
            RemovedItem::Member(_, MemberId::Group(child)) if !group_comes(child) => Restorability::Lost(NO_MEMBER),
            RemovedItem::Member(..) => restored,
            RemovedItem::Active(user) => match self.users.get(&user) {
                Some(there) if there.active => Restorability::Back(GIVEN_BACK),
                None if !user_comes(user) => Restorability::Lost(NO_USER),
                _ => restored,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::id::Id as _;
    use crate::provision::undo::removal::ItemChange;

    fn user(n: u128) -> ExternalUserId {
        ExternalUserId::from_uuid(Uuid::from_u128(n))
    }

    fn group(n: u128) -> ExternalGroupId {
        ExternalGroupId::from_uuid(Uuid::from_u128(n))
    }

    fn ledger(items: &[RemovedItem]) -> Ledger {
        let at = Timestamp::from_micros(5);
        let mut ledger = Ledger::new(TimeRange { from: at, to: Timestamp::from_micros(6) });
        for item in items {
            ledger.note(at, true, *item, ItemChange::Taken { was_implicit: false });
        }
        ledger
    }

    fn gone(n: u128, replaced: bool) -> (ExternalUserId, DeletedItem<ExternalUserId>) {
        (user(n), DeletedItem { id: user(n), name: "x".to_owned(), replaced, superseded: false, has_user: true })
    }

    #[test]
    fn a_member_comes_back_with_its_user_and_group_or_not_at_all() {
        let member = |n| RemovedItem::Member(group(9), MemberId::User(user(n)));
        let taken = ledger(&[
            RemovedItem::User(user(1)),
            RemovedItem::User(user(2)),
            member(1),
            member(2),
            RemovedItem::Group(group(9)),
        ]);
        let mut present =
            CurrentState { gone_users: [gone(1, false), gone(2, true)].into(), ..CurrentState::default() };
        present.gone_groups.insert(
            group(9),
            DeletedItem { id: group(9), name: "g".into(), replaced: false, superseded: false, has_user: true },
        );
        let fates = |present: &CurrentState| -> Vec<(RemovedItem, &'static str)> {
            present.decide(&taken).into_iter().map(|entry| (entry.item, entry.fate.word())).collect()
        };
        let expected = [
            (RemovedItem::User(user(1)), "restorable"),
            (RemovedItem::User(user(2)), "already_restored"),
            (RemovedItem::Group(group(9)), "restorable"),
            (member(1), "restorable"),
            (member(2), "not_restorable"),
        ];
        assert_eq!(fates(&present), expected);
        present.gone_groups.clear();
        assert!(fates(&present).iter().skip(2).all(|(_, word)| *word == "not_restorable"));
    }

    #[test]
    fn the_hash_names_the_effects_alone() {
        let at = Timestamp::from_micros(5);
        let plan = |items: &[RemovedItem]| {
            let there = |n| CurrentUser { id: user(n), name: "x".to_owned(), active: false, user: None };
            let present =
                CurrentState { users: (1..4).map(|n| (user(n), there(n))).collect(), ..CurrentState::default() };
            UndoPlan {
                connection: ConnectionId::from_uuid(Uuid::from_u128(7)),
                span: TimeRange { from: at, to: at },
                entries: present.decide(&ledger(items)),
                users: BTreeMap::new(),
                groups: BTreeMap::new(),
                head: 0,
                beyond: HashSet::new(),
            }
        };
        let one = plan(&[RemovedItem::Active(user(1))]);
        let lost = plan(&[RemovedItem::Active(user(1)), RemovedItem::User(user(8))]);
        assert_eq!(lost.entries.len(), 2);
        assert_eq!(one.hash(), lost.hash(), "what is not restored is no effect");
        assert_ne!(one.hash(), plan(&[RemovedItem::Active(user(2))]).hash());
        assert_ne!(one.hash(), plan(&[RemovedItem::Active(user(1)), RemovedItem::Active(user(2))]).hash());
    }
}
