//! Raises an alarm when one connection takes much away in a short time: an event, a line of the log, a figure, and a
//! notice in the console. It reads the sealed log, so no removal waits for it.
mod window;

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::watch;

use self::window::{ActiveAlert, AlertThresholds, RemovalRecord, RemovalWindow};
use super::leader::LeaderLease;
use crate::clock::Clock;
use crate::config::RemovalAlertConfig;
use crate::domain::ctx::Actor;
use crate::domain::id::ConnectionId;
use crate::domain::time::Timestamp;
use crate::provision::event::{Event, Kind};
use crate::provision::events;
use crate::provision::undo::taker;
use crate::store::extent::{ConnectionExtent, OperatorExtent};
use crate::store::removal_alerts::{self, RemovalAlert};
use crate::store::{Store, StoreError, Tx, connections, removal_events};

/// How soon the log is looked at again.
const INTERVAL: Duration = Duration::from_secs(1);

/// Numbers of lines that are looked at in one go.
const STEP: i64 = 1_000;

/// A line may be sealed after a later one; what is read again begins this much earlier, in seconds.
const SLACK: i64 = 60;

/// Whether anything raises an alarm.
pub fn watches(settings: &RemovalAlertConfig) -> bool {
    settings.min_users > 0 || settings.min_users_percent > 0
}

/// Watches until `told` turns true.
pub async fn run(store: Store, clock: Clock, settings: RemovalAlertConfig, mut told: watch::Receiver<bool>) {
    if !watches(&settings) {
        return;
    }
    let mut watch = Watch::new(store, clock, settings);
    while tokio::time::timeout(INTERVAL, told.wait_for(|stop| *stop)).await.is_err() {
        if let Err(error) = watch.turn().await {
            watch.forget();
            tracing::warn!(%error, "the log could not be watched for unusual removals; it is read on from where that was");
        }
    }
    watch.duty.end(&watch.store).await;
}

struct Watch {
    store: Store,
    clock: Clock,
    limits: AlertThresholds,
    duty: LeaderLease,
    /// The last line looked at; none before the first turn.
    cursor: Option<(i64, Timestamp)>,
    /// The last line whose number is stored.
    stored: i64,
    seen: HashMap<ConnectionId, Seen>,
}

/// A connection that took something away lately.
struct Seen {
    at: ConnectionExtent,
    sight: RemovalWindow,
}

impl Watch {
    fn new(store: Store, clock: Clock, settings: RemovalAlertConfig) -> Self {
        let limits = AlertThresholds {
            users: settings.min_users as usize,
            percent: settings.min_users_percent as usize,
            window: i64::from(settings.window_minutes) * 60,
        };
        let duty = LeaderLease::new("removal_alerts", clock);
        Self { store, clock, limits, duty, cursor: None, stored: 0, seen: HashMap::new() }
    }

    /// Begin again from what is stored.
    fn forget(&mut self) {
        self.duty.lose();
        self.cursor = None;
        self.seen.clear();
    }

    /// Reads what was sealed since the last turn. Writes nothing when nothing was taken away.
    async fn turn(&mut self) -> Result<(), StoreError> {
        let by = OperatorExtent::assume();
        let Some(head) = removal_events::last(&mut self.store.reader().await?, &by).await? else { return Ok(()) };
        if self.cursor.is_some_and(|(seq, _)| seq >= head.0) {
            return Ok(());
        }
        if !self.duty.hold(&self.store).await? {
            self.forget();
            return Ok(());
        }
        let mut at = match self.cursor {
            Some(cursor) => cursor,
            None => self.resume(&by, head).await?,
        };
        while at.0 < head.0 {
            let to = head.0.min(at.0 + STEP);
            let lines = removal_events::removals(&mut self.store.reader().await?, &by, (at.0, to)).await?;
            at = (to, lines.last().map_or(at.1, |line| line.at.max(at.1)));
            if to == head.0 {
                at.1 = at.1.max(head.1);
            }
            for line in &lines {
                if let (Some(connection), Some(removal)) = (taker(line), RemovalRecord::of(line))
                    && let Some(seen) = self.seen(&by, connection).await?
                {
                    seen.sight.note(removal);
                }
            }
            self.compare_shares().await?;
            if !self.write_down(&by, at).await? {
                self.forget();
                return Ok(());
            }
            self.cursor = Some(at);
        }
        self.seen.retain(|_, seen| seen.sight.is_awake(at.1));
        Ok(())
    }

    /// Where to read on: far enough back that a removal alert which may still go on is seen whole.
    async fn resume(&mut self, by: &OperatorExtent, head: (i64, Timestamp)) -> Result<(i64, Timestamp), StoreError> {
        let mut reader = self.store.reader().await?;
        let (seq, moment) = match removal_alerts::cursor(&mut reader, by).await? {
            Some(cursor) => cursor,
            None => (head.0, self.clock.now()),
        };
        let back = moment.plus_seconds(-self.limits.window);
        let going = removal_alerts::oldest_going(&mut reader, by, back).await?;
        let from = going.map_or(back, |since| since.min(back)).plus_seconds(-SLACK);
        self.stored = seq;
        Ok((removal_events::last_before(&mut reader, by, seq, from).await?, from))
    }

    /// What is known of a connection; none when there is no such connection any more.
    async fn seen(&mut self, by: &OperatorExtent, connection: ConnectionId) -> Result<Option<&mut Seen>, StoreError> {
        if !self.seen.contains_key(&connection) {
            let mut reader = self.store.reader().await?;
            let Some(at) = by.connection(&mut reader, connection).await? else { return Ok(None) };
            let sight = RemovalWindow::new(self.limits, removal_alerts::latest(&mut reader, &at).await?);
            self.seen.insert(connection, Seen { at, sight });
        }
        Ok(self.seen.get_mut(&connection))
    }

    /// Measures those who took something from several users, though not from many, against what the connection has.
    async fn compare_shares(&mut self) -> Result<(), StoreError> {
        for seen in self.seen.values_mut() {
            let Some(most) = seen.sight.most_users() else { continue };
            let left = removal_alerts::users_up_to(&mut self.store.reader().await?, &seen.at, most + 1).await?;
            if left <= most {
                seen.sight.begin();
            }
        }
        Ok(())
    }

    /// Stores removal alerts that began and went on, and how far the log was read; false when another process has taken over.
    async fn write_down(&mut self, by: &OperatorExtent, cursor: (i64, Timestamp)) -> Result<bool, StoreError> {
        let ctx = self.clock.ctx(Actor::System);
        let mut fresh = Vec::new();
        let mut grown = Vec::new();
        for seen in self.seen.values_mut() {
            for going in seen.sight.news() {
                let removal_alert = going.stored(seen.at.connection(), going.id.unwrap_or_else(|| ctx.id()), ctx.now());
                let list = if going.id.is_none() { &mut fresh } else { &mut grown };
                list.push((seen.at, removal_alert));
            }
        }
        let took = self.seen.values_mut().any(|seen| std::mem::take(&mut seen.sight.took));
        if fresh.is_empty() && grown.is_empty() && !took && cursor.0 < self.stored + STEP {
            return Ok(true);
        }
        let (duty, minutes) = (&self.duty, usize::try_from(self.limits.window / 60).unwrap_or(0));
        let ours = self.store.write(async |tx: &mut Tx| {
            if !duty.confirm(tx).await? {
                return Ok::<_, StoreError>(false);
            }
            for (at, removal_alert) in &fresh {
                removal_alerts::insert(tx, at, removal_alert).await?;
                let event = Event::of(Kind::RemovalAlertRaised, removal_alert.connection_id)
                    .id("removal_alert", removal_alert.id);
                let event = event
                    .moment("first_removal_at", removal_alert.first_removal_at)
                    .moment("last_removal_at", removal_alert.last_removal_at);
                let event = event.count("user_count", number(removal_alert.user_count)).count("minutes", minutes);
                events::append(tx, &ctx, at.partner(), &[event]).await?;
            }
            for (at, removal_alert) in &grown {
                removal_alerts::grow(tx, at, removal_alert).await?;
            }
            // What was read again on resuming is read already.
            if cursor.0 > self.stored {
                removal_alerts::set_cursor(tx, by, cursor).await?;
            }
            Ok(true)
        });
        if !ours.await? {
            return Ok(false);
        }
        self.stored = self.stored.max(cursor.0);
        for (at, removal_alert) in fresh {
            if let Some(seen) = self.seen.get_mut(&removal_alert.connection_id) {
                seen.sight.name(removal_alert.id);
            }
            metrics::counter!("rolecall_removal_alerts_total").increment(1);
            self.warn(by, &at, &removal_alert).await;
        }
        Ok(true)
    }

    async fn warn(&self, by: &OperatorExtent, at: &ConnectionExtent, removal_alert: &RemovalAlert) {
        let slug = match self.store.reader().await {
            Ok(mut reader) => connections::get(&mut reader, &by.at(at.partner()), at.connection()).await,
            Err(error) => Err(error),
        };
        let connection =
            slug.map_or_else(|_| removal_alert.connection_id.to_string(), |connection| connection.connection.slug);
        tracing::warn!(
            connection, users = removal_alert.user_count, deactivated = removal_alert.users_deactivated, deleted = removal_alert.users_deleted,
            memberships = removal_alert.memberships_removed, groups = removal_alert.groups_deleted, since = %removal_alert.first_removal_at,
            "removal alert: this connection takes much away in a short time; `rolecall undo` shows what, and gives it back"
        );
    }
}

impl ActiveAlert {
    fn stored(&self, connection: ConnectionId, id: crate::domain::id::RemovalAlertId, now: Timestamp) -> RemovalAlert {
        RemovalAlert {
            id,
            connection_id: connection,
            first_removal_at: self.since,
            last_removal_at: self.last,
            user_count: i64::try_from(self.users.len()).unwrap_or(i64::MAX),
            users_deactivated: self.tally.deactivated,
            users_deleted: self.tally.deleted,
            memberships_removed: self.tally.memberships,
            groups_deleted: self.tally.groups,
            raised_at: now,
            dismissed_at: None,
        }
    }
}

fn number(count: i64) -> usize {
    usize::try_from(count).unwrap_or(0)
}
