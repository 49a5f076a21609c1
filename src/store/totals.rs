//! How many users and groups a connection has, users a partner, and members a user group, without counting them. Whoever
//! adds or takes away writes how many, as a row of its own: writers never wait for each other's row, and the number is
//! exact at every moment. A job adds rows up ([`fold`]), so that few are ever read.
//!
//! Users are placed in the default group of their partner when they are made, so that group has as many members as the
//! partner has users, and what moves wrote of it besides.
use std::collections::BTreeMap;

use uuid::Uuid;

use super::extent::{ConnectionExtent, OperatorExtent};
use super::{Reader, StoreError, Tx, first, tuple};
use crate::domain::id::{Id, PartnerId, UserGroupId, UserId};
use crate::{binds, statements};

statements! {
    ADD: insert[Uuid, Text, Uuid, I64] = "INSERT INTO kept_totals (owner_id, kind, id, number) VALUES ($1, $2, $3, $4) \
        ON CONFLICT (owner_id, kind, id) DO UPDATE SET number = kept_totals.number + excluded.number";
    LONG = "SELECT owner_id, kind FROM kept_totals GROUP BY owner_id, kind HAVING COUNT(*) > $1";
    TAKE = "DELETE FROM kept_totals WHERE owner_id = $1 AND kind = $2 RETURNING number";
}

/// What is counted, and of what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Counted {
    /// External users of a connection.
    ExternalUsers,
    /// External groups of a connection that are not removed.
    ExternalGroups,
    /// Living users who are at home in a partner.
    Users,
    /// What was written of the members of a user group; [`members`] is how many there are.
    Members,
}

impl Counted {
    fn as_str(self) -> &'static str {
        match self {
            Self::ExternalUsers => "external_users",
            Self::ExternalGroups => "external_groups",
            Self::Users => "users",
            Self::Members => "members",
        }
    }
}

/// A SELECT of the number that the connection, partner or user group in `owner` has.
pub(super) fn kept(counted: Counted, owner: &str) -> String {
    format!(
        "SELECT CAST(COALESCE(SUM(t.number), 0) AS BIGINT) FROM kept_totals t WHERE t.owner_id = {owner} AND t.kind = '{}'",
        counted.as_str()
    )
}

/// How many members a user group has, of the table called `g`: those placed there, or those an administrator added.
pub(super) fn members() -> String {
    format!(
        "(({}) + CASE WHEN g.is_default THEN ({}) ELSE 0 END)",
        kept(Counted::Members, "g.id"),
        kept(Counted::Users, "g.partner_id")
    )
}

/// A SELECT of the number of those at home in partner `$1` and in all below.
pub(super) fn at_home_below() -> String {
    "SELECT CAST(COALESCE(SUM(t.number), 0) AS BIGINT) FROM partner_ancestors a CROSS JOIN kept_totals t \
     WHERE a.ancestor_id = $1 AND t.owner_id = a.partner_id AND t.kind = 'users'"
        .to_owned()
}

/// A SELECT of about the number of those of the connection in `connection`: exact while few rows are beside the sum, and less
/// what came since a job last added them up otherwise. It reads few rows, however many writers there are.
pub(super) fn about(counted: Counted, connection: &str) -> String {
    format!(
        "SELECT CAST(COALESCE(SUM(f.number), 0) AS BIGINT) FROM (SELECT t.number FROM kept_totals t \
         WHERE t.owner_id = {connection} AND t.kind = '{}' ORDER BY t.id LIMIT 66) f",
        counted.as_str()
    )
}

/// A SELECT of the number of those of each connection of partner `$1` that has any.
pub(super) fn of_partner(counted: Counted) -> String {
    format!(
        "SELECT c.id, CAST(SUM(t.number) AS BIGINT) FROM directories d CROSS JOIN connections c CROSS JOIN kept_totals t \
         WHERE d.partner_id = $1 AND c.directory_id = d.id AND t.owner_id = c.id AND t.kind = '{}' \
         GROUP BY c.id HAVING SUM(t.number) > 0",
        counted.as_str()
    )
}

/// Notes that so many came, or left when it is negative. `one` is one of them, whose row no other transaction writes.
pub(super) async fn add(
    tx: &mut Tx,
    at: &ConnectionExtent,
    counted: Counted,
    one: impl Id,
    number: i64,
) -> Result<(), StoreError> {
    tx.later(&ADD, [binds![at.connection(), counted.as_str(), one.uuid(), number]]).await
}

/// Notes that these users were made, each at home in a partner and placed in its default group.
pub(super) async fn made(tx: &mut Tx, users: &[(PartnerId, UserId)]) -> Result<(), StoreError> {
    let mut homes: BTreeMap<PartnerId, (UserId, i64)> = BTreeMap::new();
    for (partner, user) in users {
        homes.entry(*partner).or_insert((*user, 0)).1 += 1;
    }
    let row = |(partner, (one, number))| binds![partner, Counted::Users.as_str(), one, number];
    let rows: Vec<_> = homes.into_iter().map(row).collect();
    tx.later(&ADD, rows).await
}

/// Notes that a user, whose row this transaction has, came into a group, and left another.
pub(super) async fn moved(
    tx: &mut Tx,
    user: UserId,
    from: Option<UserGroupId>,
    to: Option<UserGroupId>,
) -> Result<(), StoreError> {
    let moves = [(from, -1), (to, 1)].into_iter().filter_map(|(group, number)| Some((group?, number)));
    let rows: Vec<_> = moves.map(|(group, number)| binds![group, Counted::Members.as_str(), user, number]).collect();
    tx.later(&ADD, rows).await
}

/// What is written in more than `most` rows: whose it is, and what.
///
/// # Errors
/// Only those of the store.
pub async fn long(reader: &mut Reader, _at: &OperatorExtent, most: u32) -> Result<Vec<(Uuid, String)>, StoreError> {
    reader.all(&LONG, binds![most], tuple).await
}

/// Adds up what is written in more than `most` rows. What comes meanwhile stays beside the sum.
///
/// # Errors
/// Only those of the store.
pub async fn fold(tx: &mut Tx, at: &OperatorExtent, most: u32) -> Result<(), StoreError> {
    for (owner, kind) in long(tx, at, most).await? {
        let taken: Vec<i64> = tx.all(&TAKE, binds![owner, &kind], first).await?;
        let sum: i64 = taken.iter().sum();
        tx.later(&ADD, [binds![owner, &kind, Uuid::nil(), sum]]).await?;
    }
    Ok(())
}
