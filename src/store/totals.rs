//! How many users and groups a connection has, without counting them. Whoever adds or takes away writes how many, as a
//! row of its own: writers never wait for each other's row, and the number is exact at every moment. A job adds rows up
//! ([`fold`]), so that few are ever read.
use uuid::Uuid;

use super::extent::{ConnectionExtent, OperatorExtent};
use super::{Reader, StoreError, Tx, first, tuple};
use crate::domain::id::{ConnectionId, Id};
use crate::{binds, statements};

statements! {
    ADD: insert[Uuid, Text, Uuid, I64] = "INSERT INTO external_total (connection, what, id, number) \
        VALUES ($1, $2, $3, $4) \
        ON CONFLICT (connection, what, id) DO UPDATE SET number = external_total.number + excluded.number";
    LONG = "SELECT connection, what FROM external_total GROUP BY connection, what HAVING COUNT(*) > $1";
    TAKE = "DELETE FROM external_total WHERE connection = $1 AND what = $2 RETURNING number";
}

/// What is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum What {
    Users,
    /// Groups that are not gone.
    Groups,
}

impl What {
    fn as_str(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Groups => "groups",
        }
    }
}

/// A SELECT of the number of those of connection `$1`.
pub(super) fn kept(what: What) -> String {
    format!(
        "SELECT CAST(COALESCE(SUM(t.number), 0) AS BIGINT) FROM external_total t WHERE t.connection = $1 AND t.what = '{}'",
        what.as_str()
    )
}

/// A SELECT of about the number of those of the connection in `place`: exact while few rows are beside the sum, and less
/// what came since a job last added them up otherwise. It reads few rows, however many writers there are.
pub(super) fn about(what: What, place: &str) -> String {
    format!(
        "SELECT CAST(COALESCE(SUM(f.number), 0) AS BIGINT) FROM (SELECT t.number FROM external_total t \
         WHERE t.connection = {place} AND t.what = '{}' ORDER BY t.id LIMIT 66) f",
        what.as_str()
    )
}

/// A SELECT of the number of those of each connection of partner `$1` that has any.
pub(super) fn of_partner(what: What) -> String {
    format!(
        "SELECT c.id, CAST(SUM(t.number) AS BIGINT) FROM directory d CROSS JOIN connection c CROSS JOIN external_total t \
         WHERE d.partner = $1 AND c.directory = d.id AND t.connection = c.id AND t.what = '{}' \
         GROUP BY c.id HAVING SUM(t.number) > 0",
        what.as_str()
    )
}

/// Notes that so many came, or left when it is negative. `one` is one of them, whose row no other transaction writes.
pub(super) async fn add(
    tx: &mut Tx,
    at: &ConnectionExtent,
    what: What,
    one: impl Id,
    number: i64,
) -> Result<(), StoreError> {
    tx.later(&ADD, [binds![at.connection(), what.as_str(), one.uuid(), number]]).await
}

/// What is written in more than `most` rows: the connection, and what of it.
///
/// # Errors
/// Only those of the store.
pub async fn long(
    reader: &mut Reader,
    _at: &OperatorExtent,
    most: u32,
) -> Result<Vec<(ConnectionId, String)>, StoreError> {
    reader.all(&LONG, binds![most], tuple).await
}

/// Adds up what is written in more than `most` rows. What comes meanwhile stays beside the sum.
///
/// # Errors
/// Only those of the store.
pub async fn fold(tx: &mut Tx, at: &OperatorExtent, most: u32) -> Result<(), StoreError> {
    for (connection, what) in long(tx, at, most).await? {
        let taken: Vec<i64> = tx.all(&TAKE, binds![connection, &what], first).await?;
        let sum: i64 = taken.iter().sum();
        tx.later(&ADD, [binds![connection, &what, Uuid::nil(), sum]]).await?;
    }
    Ok(())
}
