//! What is seen of one connection: what it took away lately, and the removal alert that goes on. Pure; time is that of the lines.
use std::collections::{HashMap, HashSet, VecDeque};

use crate::domain::id::{ExternalUserId, RemovalAlertId};
use crate::domain::time::Timestamp;
use crate::provision::undo::{RemovedItem, turns};
use crate::store::removal_alerts::RemovalAlert;
use crate::store::removal_events::RemovalEvent;

/// Below so many users a share of a connection's users says nothing.
const FEWEST: usize = 5;

/// From when on it is a removal alert.
#[derive(Clone, Copy, Debug)]
pub(super) struct AlertThresholds {
    /// From so many users on; 0: never by their number.
    pub users: usize,
    /// From this share of the connection's users on, in percent; 0: never by their share.
    pub percent: usize,
    /// Within so many seconds.
    pub window: i64,
}

/// How much was taken away, by kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Tally {
    pub deactivated: i64,
    pub deleted: i64,
    pub memberships: i64,
    pub groups: i64,
}

impl Tally {
    fn add(&mut self, more: Self) {
        self.deactivated += more.deactivated;
        self.deleted += more.deleted;
        self.memberships += more.memberships;
        self.groups += more.groups;
    }
}

/// What one line took away.
#[derive(Clone, Debug)]
pub(super) struct RemovalRecord {
    at: Timestamp,
    users: Vec<ExternalUserId>,
    tally: Tally,
}

impl RemovalRecord {
    /// What a line took away; none when it took nothing.
    pub fn of(line: &RemovalEvent) -> Option<Self> {
        let (mut users, mut tally) = (Vec::new(), Tally::default());
        for (item, _) in turns(line).into_iter().filter(|(_, turn)| turn.is_taken()) {
            users.extend(item.user());
            *match item {
                RemovedItem::User(_) => &mut tally.deleted,
                RemovedItem::Group(_) => &mut tally.groups,
                RemovedItem::Member(..) => &mut tally.memberships,
                RemovedItem::Active(_) => &mut tally.deactivated,
            } += 1;
        }
        (tally != Tally::default()).then_some(Self { at: line.at, users, tally })
    }
}

/// A removal alert that goes on.
#[derive(Clone, Debug)]
pub(super) struct ActiveAlert {
    /// None until it is stored.
    pub id: Option<RemovalAlertId>,
    /// Its first removal.
    pub since: Timestamp,
    /// Its last one so far.
    pub last: Timestamp,
    /// From whom something was taken.
    pub users: HashSet<ExternalUserId>,
    /// How much, by kind.
    pub tally: Tally,
    news: bool,
}

impl ActiveAlert {
    fn take_up(&mut self, removal: RemovalRecord) {
        self.last = self.last.max(removal.at);
        self.users.extend(removal.users);
        self.tally.add(removal.tally);
        self.news = true;
    }
}

/// What is seen of one connection.
#[derive(Debug)]
pub(super) struct RemovalWindow {
    limits: AlertThresholds,
    recent: VecDeque<RemovalRecord>,
    /// In how many of the recent removals each user is.
    users: HashMap<ExternalUserId, usize>,
    removal_alert: Option<ActiveAlert>,
    /// A removal alert that ended and of which not everything is stored.
    ended: Option<ActiveAlert>,
    /// What is not later than this belongs to a removal alert that has ended.
    spent: Option<Timestamp>,
    /// Whether anything was taken away since this was last asked.
    pub took: bool,
}

impl RemovalWindow {
    /// Of a connection whose newest removal alert so far is `known`.
    pub fn new(limits: AlertThresholds, known: Option<RemovalAlert>) -> Self {
        let removal_alert = known.map(|removal_alert| ActiveAlert {
            id: Some(removal_alert.id),
            since: removal_alert.first_removal_at,
            last: removal_alert.last_removal_at,
            users: HashSet::new(),
            tally: Tally::default(),
            news: false,
        });
        let (recent, users) = (VecDeque::new(), HashMap::new());
        Self { limits, recent, users, removal_alert, ended: None, spent: None, took: false }
    }

    /// Takes up the next removal. A removal alert lasts until nothing was taken away for a whole window; what comes then counts
    /// anew.
    pub fn note(&mut self, removal: RemovalRecord) {
        self.took = true;
        if let Some(removal_alert) = &mut self.removal_alert {
            if removal.at < removal_alert.since {
                return;
            }
            if removal.at <= removal_alert.last.plus_seconds(self.limits.window) {
                removal_alert.take_up(removal);
                return;
            }
            self.spent = Some(removal_alert.last);
            self.ended = self.removal_alert.take().filter(|removal_alert| removal_alert.news);
        }
        if self.spent.is_some_and(|spent| removal.at <= spent) {
            return;
        }
        let oldest = removal.at.plus_seconds(-self.limits.window);
        while self.recent.front().is_some_and(|first| first.at < oldest) {
            self.drop_first();
        }
        for user in &removal.users {
            *self.users.entry(*user).or_default() += 1;
        }
        self.recent.push_back(removal);
        if self.limits.users > 0 && self.users.len() >= self.limits.users {
            self.begin();
        }
    }

    fn drop_first(&mut self) {
        let Some(first) = self.recent.pop_front() else { return };
        for user in first.users {
            if let Some(times) = self.users.get_mut(&user) {
                *times -= 1;
                if *times == 0 {
                    self.users.remove(&user);
                }
            }
        }
    }

    /// The most users the connection may still have for the share to be reached; none when it is not in question.
    pub fn most_users(&self) -> Option<i64> {
        let users = self.users.len();
        if self.removal_alert.is_some() || self.limits.percent == 0 || users < FEWEST {
            return None;
        }
        let deleted: i64 = self.recent.iter().map(|removal| removal.tally.deleted).sum();
        let all = i64::try_from(users * 100 / self.limits.percent).unwrap_or(i64::MAX);
        Some(all.saturating_sub(deleted).max(0))
    }

    /// It is a removal alert.
    pub fn begin(&mut self) {
        let Some(first) = self.recent.front() else { return };
        let (users, tally) = (HashSet::new(), Tally::default());
        let mut removal_alert = ActiveAlert { id: None, since: first.at, last: first.at, users, tally, news: true };
        for removal in self.recent.drain(..) {
            removal_alert.since = removal_alert.since.min(removal.at);
            removal_alert.take_up(removal);
        }
        self.users.clear();
        self.removal_alert = Some(removal_alert);
    }

    /// Removal alerts that began or went on since this was last asked.
    pub fn news(&mut self) -> Vec<ActiveAlert> {
        let going = self.removal_alert.as_mut().filter(|removal_alert| removal_alert.news).map(|removal_alert| {
            removal_alert.news = false;
            removal_alert.clone()
        });
        self.ended.take().into_iter().chain(going).collect()
    }

    /// The removal alert that goes on is stored under this id.
    pub fn name(&mut self, id: RemovalAlertId) {
        if let Some(removal_alert) = self.removal_alert.as_mut().filter(|removal_alert| removal_alert.id.is_none()) {
            removal_alert.id = Some(id);
        }
    }

    /// Whether anything was taken away within the window before `now`.
    pub fn is_awake(&self, now: Timestamp) -> bool {
        let oldest = now.plus_seconds(-self.limits.window);
        let last = self
            .removal_alert
            .as_ref()
            .map(|removal_alert| removal_alert.last)
            .or_else(|| self.recent.back().map(|last| last.at));
        last.is_some_and(|last| last >= oldest)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::id::Id as _;

    const LIMITS: AlertThresholds = AlertThresholds { users: 20, percent: 20, window: 600 };

    fn moment(second: i64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000)
    }

    fn off(second: i64, user: u128) -> RemovalRecord {
        let users = vec![ExternalUserId::from_uuid(Uuid::from_u128(user))];
        RemovalRecord { at: moment(second), users, tally: Tally { deactivated: 1, ..Tally::default() } }
    }

    fn seen(removals: impl IntoIterator<Item = (i64, u128)>) -> (RemovalWindow, usize) {
        let (mut sight, mut raised) = (RemovalWindow::new(LIMITS, None), 0);
        for (second, user) in removals {
            sight.note(off(second, user));
            for going in sight.news() {
                if going.id.is_none() {
                    raised += 1;
                    sight.name(RemovalAlertId::from_uuid(Uuid::from_u128(raised as u128)));
                }
            }
        }
        (sight, raised)
    }

    #[test]
    fn a_removal_alert_is_raised_once_and_counts_each_user_once() {
        assert_eq!(seen((0..19).map(|n| (n, n as u128))).1, 0);
        assert_eq!(seen((0..40).map(|n| (n, 1))).1, 0, "one user over and over");
        let (sight, raised) = seen((0..60).map(|n| (n, n as u128)));
        assert_eq!(raised, 1);
        let removal_alert = sight.removal_alert.unwrap();
        assert_eq!(
            (removal_alert.users.len(), removal_alert.tally.deactivated, removal_alert.since),
            (60, 60, moment(0))
        );
    }

    #[test]
    fn the_window_slides() {
        assert_eq!(seen((0..100).map(|n| (n * 32, n as u128))).1, 0, "twenty are never within ten minutes");
        assert_eq!(seen((0..100).map(|n| (n * 31, n as u128))).1, 1, "twenty are");
    }

    #[test]
    fn a_removal_alert_ends_after_a_quiet_window_and_the_next_counts_anew() {
        let first = (0..30).map(|n| (n, n as u128));
        let few = (0..19).map(|n| (2_000 + n, n as u128));
        assert_eq!(seen(first.clone().chain(few)).1, 1);
        let many = (0..20).map(|n| (2_000 + n, n as u128));
        assert_eq!(seen(first.chain(many)).1, 2);
    }

    #[test]
    fn a_watcher_that_begins_again_does_not_raise_it_again() {
        let (before, _) = seen((0..30).map(|n| (n, n as u128)));
        let going = before.removal_alert.unwrap();
        let stored = RemovalAlert {
            id: going.id.unwrap(),
            connection_id: crate::domain::id::ConnectionId::from_uuid(Uuid::from_u128(1)),
            first_removal_at: going.since,
            last_removal_at: going.last,
            user_count: 30,
            users_deactivated: 30,
            users_deleted: 0,
            memberships_removed: 0,
            groups_deleted: 0,
            raised_at: moment(30),
            dismissed_at: None,
        };
        let mut sight = RemovalWindow::new(LIMITS, Some(stored));
        for n in -5..35 {
            sight.note(off(n, n.unsigned_abs().into()));
        }
        let news = sight.news();
        assert_eq!(news.len(), 1);
        assert_eq!((news[0].id, news[0].users.len(), news[0].last), (going.id, 35, moment(34)));
        // Long after, lines of the old removal alert are read once more.
        sight.note(off(3_000, 1));
        for n in 0..30 {
            sight.note(off(n, n as u128));
        }
        assert!(sight.news().iter().all(|going| going.id.is_some()));
    }

    #[test]
    fn a_share_is_in_question_from_five_users_on() {
        let (sight, _) = seen((0..4).map(|n| (n, n as u128)));
        assert_eq!(sight.most_users(), None);
        let (mut sight, _) = seen((0..5).map(|n| (n, n as u128)));
        assert_eq!(sight.most_users(), Some(25), "five are a fifth of twenty-five");
        let deleted = RemovalRecord { tally: Tally { deleted: 1, ..Tally::default() }, ..off(6, 7) };
        sight.note(deleted);
        assert_eq!(sight.most_users(), Some(29), "who is deleted is not among those who are left");
        sight.begin();
        assert_eq!(sight.most_users(), None);
        assert_eq!(sight.news().len(), 1);
    }
}
