//! External users that wait for an administrator: whom each of them may be, by what, and what was decided of it.
use super::extent::{ConnectionExtent, PartnerExtent};
use super::{Reader, Row, StoreError, Tx, first};
use crate::domain::directory::DirectoryMode;
use crate::domain::id::{ConnectionId, DirectoryId, ExternalUserId, UserId};
use crate::domain::time::Timestamp;
use crate::{binds, statements};

/// Columns of one who waits.
const WAITING: &str = "SELECT u.id, u.connection_id, c.slug, u.stable_id, u.user_name, u.active, u.document, u.updated_at, \
    (SELECT o.mode FROM directories o WHERE o.id = u.directory_id) FROM external_users u JOIN connections c ON c.id = u.connection_id";

/// Whom a waiting external user `u` may be: living users of its directory's partner. An administrator who refused one
/// is not asked again.
const USER: &str = "JOIN directories d ON d.id = u.directory_id JOIN live_users p ON p.partner_id = d.partner_id";
// Users are looked up by their ids: the index of all who wait is kept out of the plan.
const OPEN: &str = "COALESCE(u.user_id IS NULL, FALSE) AND NOT EXISTS (SELECT 1 FROM matches r WHERE r.external_user_id = u.id \
    AND r.user_id = p.id AND r.state = 'refused')";

statements! {
    OF_CONNECTION = format!("{WAITING} WHERE u.connection_id = $1 AND u.user_id IS NULL AND u.id > $2 ORDER BY u.id LIMIT $3");
    OF_PARTNER = format!("{WAITING} JOIN directories d ON d.id = u.directory_id \
        WHERE d.partner_id = $1 AND u.user_id IS NULL AND u.id > $2 ORDER BY u.id LIMIT $3");
    OF_DIRECTORY = format!("{WAITING} JOIN directories d ON d.id = u.directory_id \
        WHERE u.directory_id = $1 AND d.partner_id = $2 AND u.user_id IS NULL AND u.id > $3 ORDER BY u.id LIMIT $4");
    OF_THESE: set = format!("{WAITING} JOIN directories d ON d.id = u.directory_id \
        WHERE u.directory_id = $1 AND d.partner_id = $2 AND COALESCE(u.user_id IS NULL, FALSE) AND u.id IN ($3)");
    BY_KEY: set = format!("SELECT u.id, p.id, p.display_name FROM external_users u {USER} \
        JOIN match_keys i ON i.directory_id = u.directory_id AND i.match_key = u.match_key AND i.user_id = p.id \
        WHERE {OPEN} AND u.id IN ($1)");
    BY_LOGIN: set = format!("SELECT u.id, p.id, p.display_name FROM external_users u {USER} \
        AND p.login_key = u.user_name_key WHERE {OPEN} AND u.id IN ($1)");
    BY_NAME_AS_EMAIL: set = format!("SELECT u.id, p.id, p.display_name FROM external_users u {USER} \
        AND p.email_key = u.user_name_key WHERE {OPEN} AND u.id IN ($1)");
    BY_EMAIL: set = format!("SELECT u.id, p.id, p.display_name FROM external_users u \
        CROSS JOIN external_user_emails m CROSS JOIN directories d CROSS JOIN live_users p \
        WHERE m.external_user_id = u.id AND d.id = u.directory_id AND p.partner_id = d.partner_id \
        AND p.email_key = m.email_key AND {OPEN} AND u.id IN ($1)");
    DECIDE = "INSERT INTO matches (external_user_id, user_id, state, decided_by, decided_at) VALUES ($1, $2, $3, $4, $5) \
        ON CONFLICT (external_user_id, user_id) DO UPDATE SET state = excluded.state, decided_by = excluded.decided_by, \
        decided_at = excluded.decided_at";
    OF_USER = "SELECT u.id FROM external_users u WHERE u.user_id = $1 \
        AND COALESCE(u.connection_id = $2, FALSE) ORDER BY u.created_at, u.id LIMIT 1";
}

/// One who waits.
#[derive(Clone, PartialEq, Debug)]
pub struct Waiting {
    /// The external user.
    pub id: ExternalUserId,
    /// Its connection.
    pub connection: ConnectionId,
    /// The connection's name in addresses.
    pub slug: String,
    /// The source's own key.
    pub stable_key: String,
    /// The unique name.
    pub user_name: String,
    /// Whether the directory lets it in.
    pub active: bool,
    /// All that is said.
    pub doc: serde_json::Map<String, serde_json::Value>,
    /// When it last changed.
    pub changed_at: Timestamp,
    /// Whether its directory is only observed: until that ends nobody decides.
    pub observed: bool,
    /// Whom it may be.
    pub candidates: Vec<Candidate>,
}

/// Somebody whom a waiting external user may be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Candidate {
    /// The user.
    pub user: UserId,
    /// The name users see.
    pub display_name: String,
    /// Why, the strongest first.
    pub evidence: Vec<MatchEvidence>,
}

/// What speaks for it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum MatchEvidence {
    /// The value of the attribute that joins.
    Key,
    /// The sign-in name.
    Login,
    /// A mail address.
    Email,
}

/// What an administrator decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It is this user.
    Confirmed,
    /// It is not.
    Refused,
}

fn waiting(row: &Row) -> Result<Waiting, StoreError> {
    Ok(Waiting {
        id: row.get(0)?,
        connection: row.get(1)?,
        slug: row.get(2)?,
        stable_key: row.get(3)?,
        user_name: row.get(4)?,
        active: row.get(5)?,
        doc: row.json(6)?,
        changed_at: row.get(7)?,
        observed: row.get::<String>(8)? == DirectoryMode::Observe.as_str(),
        candidates: Vec::new(),
    })
}

/// Those who wait at a connection, by id, after `after`; at most `limit`.
///
/// # Errors
/// Only those of the store.
pub async fn of_connection(
    reader: &mut Reader,
    at: &ConnectionExtent,
    after: ExternalUserId,
    limit: u32,
) -> Result<Vec<Waiting>, StoreError> {
    let rows = reader.all(&OF_CONNECTION, binds![at.connection(), after, limit], waiting).await?;
    with_candidates(reader, rows).await
}

/// Those who wait at the connections of the extent's partner, by id, after `after`; at most `limit`.
///
/// # Errors
/// Only those of the store.
pub async fn of_partner(
    reader: &mut Reader,
    at: &PartnerExtent,
    after: ExternalUserId,
    limit: u32,
) -> Result<Vec<Waiting>, StoreError> {
    let rows = reader.all(&OF_PARTNER, binds![at.partner(), after, limit], waiting).await?;
    with_candidates(reader, rows).await
}

/// Those who wait at the connections of a directory of the extent's partner, by id, after `after`; at most `limit`.
/// Whom they may be is not looked up.
///
/// # Errors
/// Only those of the store.
pub async fn of_directory(
    reader: &mut Reader,
    at: &PartnerExtent,
    directory: DirectoryId,
    after: ExternalUserId,
    limit: u32,
) -> Result<Vec<Waiting>, StoreError> {
    reader.all(&OF_DIRECTORY, binds![directory, at.partner(), after, limit], waiting).await
}

/// Of these external users those who wait in a directory of the extent's partner, by id, with whom each may be.
///
/// # Errors
/// Only those of the store.
pub async fn of_these(
    reader: &mut Reader,
    at: &PartnerExtent,
    directory: DirectoryId,
    ids: &[ExternalUserId],
) -> Result<Vec<Waiting>, StoreError> {
    let mut rows: Vec<Waiting> =
        reader.all_in(&OF_THESE, binds![directory, at.partner()], ids.iter().copied(), waiting).await?;
    rows.sort_by_key(|row| row.id);
    with_candidates(reader, rows).await
}

async fn with_candidates(reader: &mut Reader, mut rows: Vec<Waiting>) -> Result<Vec<Waiting>, StoreError> {
    let ids: Vec<ExternalUserId> = rows.iter().map(|row| row.id).collect();
    let read = |row: &Row| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    for (statement, evidence) in [
        (&BY_KEY, MatchEvidence::Key),
        (&BY_LOGIN, MatchEvidence::Login),
        (&BY_NAME_AS_EMAIL, MatchEvidence::Email),
        (&BY_EMAIL, MatchEvidence::Email),
    ] {
        let found: Vec<(ExternalUserId, UserId, String)> =
            reader.all_in(statement, binds![], ids.iter().copied(), read).await?;
        for (id, user, display_name) in found {
            let Some(row) = rows.iter_mut().find(|row| row.id == id) else { continue };
            match row.candidates.iter_mut().find(|candidate| candidate.user == user) {
                Some(known) if known.evidence.contains(&evidence) => {}
                Some(known) => known.evidence.push(evidence),
                None => row.candidates.push(Candidate { user, display_name, evidence: vec![evidence] }),
            }
        }
    }
    for row in &mut rows {
        row.candidates.sort_by_key(|candidate| (candidate.evidence.first().copied(), candidate.user));
    }
    Ok(rows)
}

/// Writes down what was decided, over what was before.
///
/// # Errors
/// Only those of the store.
pub async fn decide(
    tx: &mut Tx,
    _at: &ConnectionExtent,
    (external, user): (ExternalUserId, UserId),
    verdict: Verdict,
    by: Option<UserId>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let word = match verdict {
        Verdict::Confirmed => "confirmed",
        Verdict::Refused => "refused",
    };
    tx.execute(&DECIDE, binds![external, user, word, by, now]).await.map(drop)
}

/// The external user of the connection that is linked to the user.
///
/// # Errors
/// Only those of the store.
pub async fn linked_here(
    reader: &mut Reader,
    at: &ConnectionExtent,
    user: UserId,
) -> Result<Option<ExternalUserId>, StoreError> {
    reader.optional(&OF_USER, binds![user, at.connection()], first).await
}
