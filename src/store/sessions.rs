//! Console sessions. A session is a row that counts only as long as the user does: every request reads session,
//! user and suspensions in one statement, so what takes the right to be here away ends the session with its commit.
use super::extent::{ConnectionExtent, SelfExtent};
use super::{FromRow, Reader, Row, StoreError, Tx, first};
use crate::domain::id::{ConnectionId, ExternalUserId, PartnerId, SessionId, UserId};
use crate::domain::time::Timestamp;
use crate::{binds, statements};

/// Whether a user `p` may act at all at `now`: at home in a living partner, switched off by nobody, and neither is the
/// partner or one above it.
pub(super) fn in_good_standing(now: &str) -> String {
    format!(
        "EXISTS (SELECT 1 FROM live_partners h WHERE h.id = p.partner_id) \
        AND NOT EXISTS (SELECT 1 FROM user_suspensions s1 WHERE s1.user_id = p.id \
            AND COALESCE(s1.from_at, {now}) <= {now}) \
        AND NOT EXISTS (SELECT 1 FROM partner_ancestors a JOIN partner_suspensions s2 ON s2.partner_id = a.ancestor_id \
            WHERE a.partner_id = p.partner_id)"
    )
}

statements! {
    START = format!("INSERT INTO sessions (id, hash, user_id, connection_id, user_version, connection_version, created_at, \
        last_seen_at, expires_at, partner_id) \
        SELECT $1, $2, p.id, $4, p.version, (SELECT c.trust_version FROM connections c WHERE c.id = $4), $5, $5, $6, p.partner_id \
        FROM live_users p WHERE p.id = $3 AND {}", in_good_standing("$5"));
    BY_HASH = format!("SELECT s.id, s.connection_id, s.created_at, s.last_seen_at, s.expires_at, p.id AS user_id, p.partner_id, \
        p.display_name \
        FROM sessions s JOIN live_users p ON p.id = s.user_id AND p.version = s.user_version \
        WHERE s.hash = $1 AND s.expires_at > $2 AND s.last_seen_at > $3 AND {} \
        AND NOT EXISTS (SELECT 1 FROM partner_ancestors u JOIN live_partners q ON q.id = u.ancestor_id \
            WHERE u.partner_id = p.partner_id AND q.sessions_after >= s.created_at) \
        AND (s.connection_id IS NULL OR EXISTS \
            (SELECT 1 FROM connections c JOIN directories d ON d.id = c.directory_id WHERE c.id = s.connection_id \
            AND c.state = 'active' AND c.trust_version = s.connection_version AND d.mode <> 'observe'))", in_good_standing("$2"));
    // What those below are told, the newest first: of the user, of the partner and of those above it.
    NOTICES = "SELECT x.notice, x.suspended_at FROM user_suspensions x WHERE x.user_id = $1 AND x.notice IS NOT NULL \
            AND COALESCE(x.from_at, $2) <= $2 \
        UNION ALL SELECT y.notice, y.suspended_at FROM live_users p CROSS JOIN partner_ancestors a CROSS JOIN partner_suspensions y \
            WHERE p.id = $1 AND a.partner_id = p.partner_id AND y.partner_id = a.ancestor_id AND y.notice IS NOT NULL \
        ORDER BY 2 DESC, 1 LIMIT 3";
    TOUCH = "UPDATE sessions SET last_seen_at = $2 WHERE id = $1 AND last_seen_at < $2";
    BOUND = "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE user_id = $1 \
        ORDER BY created_at DESC, id DESC LIMIT 1000 OFFSET $2)";
    END = "DELETE FROM sessions WHERE id = $1 AND user_id = $2";
    END_ALL = "DELETE FROM sessions WHERE user_id = $1";
    EXPIRED = "DELETE FROM sessions WHERE expires_at <= $1 OR last_seen_at <= $2";
    ARRIVED = "SELECT u.id, u.user_id FROM external_users u \
        WHERE u.connection_id = $1 AND u.directory_id = $2 AND u.stable_id = $3";
    ANY = "SELECT id FROM sessions LIMIT 1";
    HOME = "SELECT p.partner_id FROM live_users p WHERE p.id = $1";
}

/// Whether anybody has a session.
///
/// # Errors
/// Only those of the store.
pub async fn any(reader: &mut Reader) -> Result<bool, StoreError> {
    Ok(reader.optional(&ANY, binds![], |_: &Row| Ok(())).await?.is_some())
}

/// A new session, before it is written.
pub struct NewSession {
    /// Its identity; not secret.
    pub id: SessionId,
    /// SHA-256 of what the browser holds.
    pub hash: [u8; 32],
    /// The connection the user came through; none for a one-time link.
    pub connection: Option<ConnectionId>,
    /// When it begins.
    pub now: Timestamp,
    /// When it ends, however busy it is.
    pub expires_at: Timestamp,
}

/// Somebody who is signed in, as of the request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Session {
    /// The witness that the request comes from this user.
    pub extent: SelfExtent,
    /// The session.
    pub session: SessionId,
    /// The connection the user came through.
    pub connection: Option<ConnectionId>,
    /// The home partner.
    pub partner: PartnerId,
    /// The name users see.
    pub display_name: String,
    /// When the session began.
    pub created_at: Timestamp,
    /// When it was last used, as far as that is written.
    pub seen_at: Timestamp,
    /// When it ends, however busy it is.
    pub expires_at: Timestamp,
}

impl Session {
    /// The user.
    pub fn user(&self) -> UserId {
        self.extent.user()
    }
}

impl FromRow for Session {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            extent: SelfExtent::new(row.get("user_id")?),
            session: row.get("id")?,
            connection: row.get("connection_id")?,
            partner: row.get("partner_id")?,
            display_name: row.get("display_name")?,
            created_at: row.get("created_at")?,
            seen_at: row.get("last_seen_at")?,
            expires_at: row.get("expires_at")?,
        })
    }
}

/// Begins a session of a user who has just proved who they are. False, and nothing written, when the user is
/// switched off or gone.
///
/// # Errors
/// Only those of the store.
pub async fn start(tx: &mut Tx, of: &SelfExtent, new: &NewSession) -> Result<bool, StoreError> {
    let values = binds![new.id, new.hash, of.user(), new.connection, new.now, new.expires_at];
    Ok(tx.execute(&START, values).await? == 1)
}

/// What somebody who is switched off is told of it by those who did it, the newest first; a few at most.
///
/// # Errors
/// Only those of the store.
pub async fn notices(reader: &mut Reader, of: &SelfExtent, now: Timestamp) -> Result<Vec<String>, StoreError> {
    reader.all(&NOTICES, binds![of.user(), now], first).await
}

/// Ends the oldest sessions of a user beyond the last `most`.
///
/// # Errors
/// Only those of the store.
pub async fn bound(tx: &mut Tx, of: &SelfExtent, most: i64) -> Result<(), StoreError> {
    tx.execute(&BOUND, binds![of.user(), most]).await.map(drop)
}

/// Who holds the session with this hash, used after `idle_since` and not ended by `now`. `None` also when the user or
/// a partner above was suspended or deleted, the user's version rose, or what the connection rests on was taken away
/// since then: it was paused, say, even if it is open again.
///
/// # Errors
/// Only those of the store.
pub async fn authenticate(
    reader: &mut Reader,
    hash: [u8; 32],
    now: Timestamp,
    idle_since: Timestamp,
) -> Result<Option<Session>, StoreError> {
    reader.optional(&BY_HASH, binds![hash, now, idle_since], Session::from_row).await
}

/// Notes when sessions were last used. Called apart from requests, with what many of them collected.
///
/// # Errors
/// Only those of the store.
pub async fn seen(tx: &mut Tx, uses: &[(SessionId, Timestamp)]) -> Result<(), StoreError> {
    for (session, at) in uses {
        tx.execute(&TOUCH, binds![*session, *at]).await?;
    }
    Ok(())
}

/// Ends one session of the user.
///
/// # Errors
/// Only those of the store.
pub async fn end(tx: &mut Tx, of: &SelfExtent, session: SessionId) -> Result<(), StoreError> {
    tx.execute(&END, binds![session, of.user()]).await.map(drop)
}

/// Ends every session of the user; how many.
///
/// # Errors
/// Only those of the store.
pub async fn end_all(tx: &mut Tx, of: &SelfExtent) -> Result<u64, StoreError> {
    tx.execute(&END_ALL, binds![of.user()]).await
}

/// Forgets sessions that ended by `now` or were last used by `idle_since`; how many.
///
/// # Errors
/// Only those of the store.
pub async fn purge(tx: &mut Tx, now: Timestamp, idle_since: Timestamp) -> Result<u64, StoreError> {
    tx.execute(&EXPIRED, binds![now, idle_since]).await
}

/// The external user of the connection that has just proved to be `stable_key`, with its user if it is linked.
///
/// # Errors
/// Only those of the store.
pub async fn arrived(
    reader: &mut Reader,
    at: &ConnectionExtent,
    stable_key: &str,
) -> Result<Option<(ExternalUserId, Option<SelfExtent>)>, StoreError> {
    let values = binds![at.connection(), at.directory(), stable_key];
    let read = |row: &Row| Ok((row.get("id")?, row.get::<Option<UserId>>("user_id")?.map(SelfExtent::new)));
    reader.optional(&ARRIVED, values, read).await
}

/// The partner the user is at home in.
///
/// # Errors
/// `StoreError::NotFound` when the user was deleted.
pub async fn home(reader: &mut Reader, of: &SelfExtent) -> Result<PartnerId, StoreError> {
    reader.one(&HOME, binds![of.user()], |row| row.get(0)).await
}
