//! Who switched a partner or a user off, in whose name, and why. Rows are counted, never merged: a thing is off while
//! any row is there.
use super::extent::PartnerExtent;
use super::{FromRow, Reader, Row, StoreError, Tx, first};
use crate::domain::id::{PartnerId, UserId};
use crate::domain::time::Timestamp;
use crate::domain::user::SuspensionSource;
use crate::{binds, statements};

/// The user is at home in the extent's partner, or below it when the extent reaches below: `$1` and `$2`.
const AT_HOME: &str = "(p.partner_id = $1 OR ($2 AND EXISTS \
    (SELECT 1 FROM partner_ancestors a WHERE a.partner_id = p.partner_id AND a.ancestor_id = $1)))";

statements! {
    OF_PARTNER = "SELECT source, reason, notice, set_by, suspended_at, CAST(NULL AS BIGINT) AS from_at FROM partner_suspensions WHERE partner_id = $1 \
        ORDER BY suspended_at, source";
    OF_USER = format!("SELECT s.source, s.reason, s.notice, s.set_by, s.suspended_at, s.from_at FROM user_suspensions s \
        JOIN live_users p ON p.id = s.user_id WHERE p.id = $3 AND {AT_HOME} ORDER BY s.suspended_at, s.source");
    SUSPEND_PARTNER = "INSERT INTO partner_suspensions (partner_id, source, reason, notice, set_by, suspended_at) \
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (partner_id, source) DO NOTHING";
    SUSPEND_USER = format!("INSERT INTO user_suspensions (user_id, source, reason, notice, set_by, suspended_at) \
        SELECT p.id, $4, $5, $6, $7, $8 FROM live_users p WHERE p.id = $3 AND {AT_HOME} \
        ON CONFLICT (user_id, source) DO NOTHING");
    // The day may be moved; who says the same again changes nothing.
    END_USER = format!("INSERT INTO user_suspensions (user_id, source, reason, notice, set_by, suspended_at, from_at) \
        SELECT p.id, $4, $5, $6, $7, $8, $9 FROM live_users p WHERE p.id = $3 AND {AT_HOME} \
        ON CONFLICT (user_id, source) DO UPDATE SET reason = excluded.reason, notice = excluded.notice, \
        set_by = excluded.set_by, suspended_at = excluded.suspended_at, from_at = excluded.from_at \
        WHERE user_suspensions.from_at <> excluded.from_at");
    LIFT_PARTNER = "DELETE FROM partner_suspensions WHERE partner_id = $1 AND source = $2";
    LIFT_USER = format!("DELETE FROM user_suspensions WHERE source = $4 AND user_id IN \
        (SELECT p.id FROM live_users p WHERE p.id = $3 AND {AT_HOME})");
    END_SESSIONS_OF_USER = format!("UPDATE users SET version = version + 1, updated_at = $4 WHERE id IN \
        (SELECT p.id FROM live_users p WHERE p.id = $3 AND {AT_HOME})");
    END_SESSIONS_BELOW = "UPDATE partners SET sessions_after = $2 WHERE id = $1";
    ABOVE = "SELECT ancestor_id FROM partner_ancestors WHERE partner_id = $1 ORDER BY depth";
}

/// A row: who, why, and since when.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hold {
    /// Who, in whose name.
    pub source: SuspensionSource,
    /// Why, for those who may see in whose name.
    pub cause: String,
    /// Why, in the words meant for those below; none when nothing is said to them.
    pub notice: Option<String>,
    /// The user who did it; none for a directory.
    pub by: Option<UserId>,
    /// When it was decided.
    pub since: Timestamp,
    /// From when on it holds; none: since it was decided.
    pub from: Option<Timestamp>,
}

impl Hold {
    /// Whether it keeps anything off at `now`.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= now)
    }
}

impl FromRow for Hold {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let source = SuspensionSource::parse(&row.get::<String>("source")?);
        Ok(Self {
            source: source.ok_or_else(|| StoreError::Decode("source".to_owned()))?,
            cause: row.get("reason")?,
            notice: row.get("notice")?,
            by: row.get("set_by")?,
            since: row.get("suspended_at")?,
            from: row.get("from_at")?,
        })
    }
}

/// The rows of the extent's partner itself, the oldest first.
///
/// # Errors
/// Only those of the store.
pub async fn of_partner(reader: &mut Reader, at: &PartnerExtent) -> Result<Vec<Hold>, StoreError> {
    reader.all(&OF_PARTNER, binds![at.partner()], Hold::from_row).await
}

/// The rows of a user within the extent, the oldest first; empty when nobody suspends them.
///
/// # Errors
/// Only those of the store.
pub async fn of_user(reader: &mut Reader, at: &PartnerExtent, id: UserId) -> Result<Vec<Hold>, StoreError> {
    reader.all(&OF_USER, binds![at.partner(), at.subtree(), id], Hold::from_row).await
}

/// Switches the extent's partner and everything below it off; false, and the first cause stays, when that was done in the
/// same name already.
///
/// # Errors
/// Only those of the store.
pub async fn suspend_partner(tx: &mut Tx, at: &PartnerExtent, hold: &Hold) -> Result<bool, StoreError> {
    let values = binds![at.partner(), hold.source.to_string(), &hold.cause, &hold.notice, hold.by, hold.since];
    Ok(tx.execute(&SUSPEND_PARTNER, values).await? > 0)
}

/// Switches a user within the extent off, and ends the sessions of before; false when that was done in the same name
/// already. One that holds from a moment on is moved to it, and sessions go on until then.
///
/// # Errors
/// Only those of the store.
pub async fn suspend_user(tx: &mut Tx, at: &PartnerExtent, id: UserId, hold: &Hold) -> Result<bool, StoreError> {
    let mut values = binds![at.partner(), at.subtree(), id, hold.source.to_string(), &hold.cause];
    values.extend(binds![&hold.notice, hold.by, hold.since]);
    if let Some(from) = hold.from {
        values.extend(binds![from]);
        return Ok(tx.execute(&END_USER, values).await? > 0);
    }
    let suspended = tx.execute(&SUSPEND_USER, values).await? > 0;
    if suspended {
        tx.execute(&END_SESSIONS_OF_USER, binds![at.partner(), at.subtree(), id, hold.since]).await?;
    }
    Ok(suspended)
}

/// Ends the sessions that a user within the extent has.
///
/// # Errors
/// Only those of the store.
pub async fn end_sessions(tx: &mut Tx, at: &PartnerExtent, id: UserId, now: Timestamp) -> Result<(), StoreError> {
    tx.execute(&END_SESSIONS_OF_USER, binds![at.partner(), at.subtree(), id, now]).await.map(drop)
}

/// Takes a row of the extent's partner away; false when there was none.
///
/// # Errors
/// Only those of the store.
pub async fn lift_partner(tx: &mut Tx, at: &PartnerExtent, source: SuspensionSource) -> Result<bool, StoreError> {
    Ok(tx.execute(&LIFT_PARTNER, binds![at.partner(), source.to_string()]).await? > 0)
}

/// Takes a row of a user within the extent away; false when there was none.
///
/// # Errors
/// Only those of the store.
pub async fn lift_user(
    tx: &mut Tx,
    at: &PartnerExtent,
    id: UserId,
    source: SuspensionSource,
) -> Result<bool, StoreError> {
    Ok(tx.execute(&LIFT_USER, binds![at.partner(), at.subtree(), id, source.to_string()]).await? > 0)
}

/// Ends for good the sessions of everyone at home in the extent's partner or below that began by `now`.
///
/// # Errors
/// Only those of the store.
pub async fn end_sessions_below(tx: &mut Tx, at: &PartnerExtent, now: Timestamp) -> Result<(), StoreError> {
    tx.execute(&END_SESSIONS_BELOW, binds![at.partner(), now]).await.map(drop)
}

/// A partner of the extent and those above it, nearest first: in whose names something may be held there.
///
/// # Errors
/// Only those of the store.
pub async fn names(reader: &mut Reader, _at: &PartnerExtent, partner: PartnerId) -> Result<Vec<PartnerId>, StoreError> {
    reader.all(&ABOVE, binds![partner], first).await
}
