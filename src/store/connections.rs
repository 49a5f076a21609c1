//! Connections: the connections of directories.
use super::extent::{ConnectionExtent, OperatorExtent, PartnerExtent};
use super::{FromRow, Reader, Row, SqlValue, StoreError, Tx, login_attempts};
use crate::domain::directory::{Connection, ConnectionKind, ConnectionState, DirectoryMode};
use crate::domain::id::{ConnectionId, DirectoryId};
use crate::domain::time::Timestamp;
use crate::{binds, from_row, statements};

statements! {
    INSERT = "INSERT INTO connections (id, directory_id, kind, slug, profile, state, settings, secret, matching_attribute, \
        version, created_at, updated_at) \
        SELECT $1, id, $4, $5, $6, $7, $8, $9, $10, 1, $11, $11 FROM directories WHERE id = $2 AND partner_id = $3";
    UPDATE = "UPDATE connections SET profile = $3, state = $4, settings = $5, matching_attribute = $6, updated_at = $7, \
        version = version + 1, trust_version = trust_version + $8 \
        WHERE id = $1 AND directory_id IN (SELECT id FROM directories WHERE partner_id = $2)";
    SEAL = "UPDATE connections SET secret = $3, updated_at = $4, version = version + 1 \
        WHERE id = $1 AND directory_id IN (SELECT id FROM directories WHERE partner_id = $2)";
    BY_ID = format!("{} WHERE c.id = $1 AND d.partner_id = $2", columns());
    BY_SLUG = format!("{} WHERE c.slug = $1 AND d.partner_id = $2", columns());
    OF_DIRECTORY = format!("{} WHERE c.directory_id = $1 AND d.partner_id = $2 ORDER BY c.kind, c.created_at, c.id", columns());
    OF_PARTNER = format!("{} WHERE d.partner_id = $1 ORDER BY d.name_key, c.kind, c.created_at, c.id", columns());
    OPEN = format!("{} JOIN live_partners p ON p.id = d.partner_id WHERE c.id = $1 AND c.kind = $2", columns());
    OPEN_SLUG = format!("{} JOIN live_partners p ON p.id = d.partner_id WHERE c.slug = $1 AND c.kind = $2", columns());
    ACTIVE_LDAP = format!("{} JOIN live_partners p ON p.id = d.partner_id WHERE c.kind = 'ldap' \
        AND c.state = 'active' AND d.mode <> 'paused' AND NOT {SUSPENDED} ORDER BY c.slug", columns());
    STANDSTILL = format!("SELECT c.state, d.mode, {SUSPENDED} AS suspended FROM connections c \
        JOIN directories d ON d.id = c.directory_id WHERE c.id = $1 AND c.directory_id = $2");
    SILENCED = format!("SELECT p.name AS partner, d.name AS directory, c.slug FROM partner_suspensions x \
        CROSS JOIN partner_ancestors a CROSS JOIN live_partners p CROSS JOIN directories d CROSS JOIN connections c \
        WHERE a.ancestor_id = x.partner_id AND p.id = a.partner_id AND d.partner_id = p.id AND {TAKES} \
        GROUP BY p.name, d.name, c.slug ORDER BY c.slug LIMIT $1");
    SECRET = "SELECT secret FROM connections WHERE id = $1 AND directory_id = $2";
}

/// The columns of a [`ConnectionContext`] but the last: `c` is the connection, `d` its directory.
const COLUMNS: &str = "c.id, c.directory_id, c.kind, c.slug, c.profile, c.state, c.settings, c.matching_attribute, \
    c.version, c.created_at, d.partner_id, d.mode";

/// Whether the partner of the directory `d`, or one above it, is suspended.
pub(super) const SUSPENDED: &str = "EXISTS (SELECT 1 FROM partner_ancestors above CROSS JOIN partner_suspensions held \
    WHERE above.partner_id = d.partner_id AND held.partner_id = above.ancestor_id)";

/// The connection `c` of the directory `d` would take something, were it not for its partner.
pub(super) const TAKES: &str = "c.directory_id = d.id AND c.state = 'active' AND d.mode <> 'paused'";

/// The columns of a [`ConnectionContext`].
pub(super) fn context() -> String {
    format!("{COLUMNS}, {SUSPENDED} AS suspended")
}

/// The columns of a [`ConnectionContext`], with where they come from.
pub(super) fn columns() -> String {
    format!("SELECT {} FROM connections c JOIN directories d ON d.id = c.directory_id", context())
}

/// A connection with what its directory decides for it.
#[derive(Clone, Debug)]
pub struct ConnectionContext {
    /// The witness that the caller is this connection.
    pub extent: ConnectionExtent,
    /// The connection.
    pub connection: Connection,
    /// The attribute whose value names the same user at every connection of the directory.
    pub matching_attribute: Option<String>,
    /// Whether and how the directory's word counts.
    pub mode: DirectoryMode,
    /// Whether its partner, or one above it, is suspended.
    pub suspended: bool,
}

/// Why a connection takes nothing for now, though whoever speaks through it may.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standstill {
    /// It is paused.
    Connection,
    /// Its directory is paused.
    Directory,
    /// Its partner, or one above it, is suspended.
    Partner,
}

impl Standstill {
    fn of(state: ConnectionState, mode: DirectoryMode, suspended: bool) -> Option<Self> {
        match (state, mode) {
            (ConnectionState::Paused, _) => Some(Self::Connection),
            _ if suspended => Some(Self::Partner),
            (_, DirectoryMode::Paused) => Some(Self::Directory),
            _ => None,
        }
    }
}

/// What a new connection is made of, besides the connection itself.
#[derive(Clone, Debug, Default)]
pub struct ConnectionSecrets {
    /// The attribute that joins it with the other connections of its directory.
    pub matching_attribute: Option<String>,
    /// The sealed secret that it signs in with at the other side.
    pub secret: Option<Vec<u8>>,
}

impl FromRow for Connection {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let unknown = |column: &str| StoreError::Decode(column.to_owned());
        Ok(Self {
            id: row.get("id")?,
            directory: row.get("directory_id")?,
            kind: ConnectionKind::parse(&row.get::<String>("kind")?).ok_or_else(|| unknown("kind"))?,
            slug: row.get("slug")?,
            profile: row.get("profile")?,
            state: ConnectionState::parse(&row.get::<String>("state")?).ok_or_else(|| unknown("state"))?,
            settings: row.json("settings")?,
            version: row.get("version")?,
            created_at: row.get("created_at")?,
        })
    }
}

impl ConnectionContext {
    /// Why it takes nothing for now; none when it does.
    pub fn standstill(&self) -> Option<Standstill> {
        Standstill::of(self.connection.state, self.mode, self.suspended)
    }

    /// Reads the columns of [`context`]; only for queries that have proved who the caller is.
    pub(super) fn from_row(row: &Row) -> Result<Self, StoreError> {
        let connection = Connection::from_row(row)?;
        let mode =
            DirectoryMode::parse(&row.get::<String>("mode")?).ok_or_else(|| StoreError::Decode("mode".to_owned()))?;
        Ok(Self {
            extent: ConnectionExtent::new(connection.id, connection.directory, row.get("partner_id")?),
            matching_attribute: row.get("matching_attribute")?,
            suspended: row.get("suspended")?,
            connection,
            mode,
        })
    }
}

/// Writes a connection of a directory of the extent's partner.
///
/// # Errors
/// `StoreError::Unique` when the slug is taken, `StoreError::NotFound` when the directory is not the extent's.
pub async fn insert(
    tx: &mut Tx,
    at: &PartnerExtent,
    new: &Connection,
    extra: ConnectionSecrets,
    now: Timestamp,
) -> Result<(), StoreError> {
    let values = binds![
        new.id,
        new.directory,
        at.partner(),
        new.kind.as_str(),
        &new.slug,
        &new.profile,
        new.state.as_str(),
        new.settings.to_string(),
        extra.secret,
        extra.matching_attribute,
        now
    ];
    found(tx.execute(&INSERT, values).await?)
}

/// Changes profile, state, settings and join; slug, kind and directory never change. When the state, the join, or whom
/// the connection speaks to becomes another, sessions and sign-ins that began through it end for good.
///
/// # Errors
/// `StoreError::NotFound` when it is not the extent's.
pub async fn update(
    tx: &mut Tx,
    at: &PartnerExtent,
    known: &ConnectionContext,
    changed: &Connection,
    matching_attribute: Option<String>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let renewed = changed.state != known.connection.state
        || matching_attribute != known.matching_attribute
        || changed.destination() != known.connection.destination();
    let values = binds![
        changed.id,
        at.partner(),
        &changed.profile,
        changed.state.as_str(),
        changed.settings.to_string(),
        matching_attribute,
        now,
        i64::from(renewed)
    ];
    found(tx.execute(&UPDATE, values).await?)?;
    if renewed { login_attempts::end_at(tx, changed.id).await } else { Ok(()) }
}

/// Stores another sealed secret.
///
/// # Errors
/// `StoreError::NotFound` when the connection is not the extent's.
pub async fn seal(
    tx: &mut Tx,
    at: &PartnerExtent,
    connection: ConnectionId,
    secret: Option<Vec<u8>>,
    now: Timestamp,
) -> Result<(), StoreError> {
    found(tx.execute(&SEAL, binds![connection, at.partner(), secret, now]).await?)
}

/// A connection of the extent's partner, with its join.
///
/// # Errors
/// `StoreError::NotFound` when it is not the extent's.
pub async fn get(reader: &mut Reader, at: &PartnerExtent, id: ConnectionId) -> Result<ConnectionContext, StoreError> {
    reader.one(&BY_ID, binds![id, at.partner()], ConnectionContext::from_row).await
}

/// A connection of the extent's partner, by its name in addresses.
///
/// # Errors
/// `StoreError`.
pub async fn by_slug(
    reader: &mut Reader,
    at: &PartnerExtent,
    slug: &str,
) -> Result<Option<ConnectionContext>, StoreError> {
    reader.optional(&BY_SLUG, binds![slug, at.partner()], ConnectionContext::from_row).await
}

/// The connections of a directory of the extent's partner.
///
/// # Errors
/// `StoreError`.
pub async fn of_directory(
    reader: &mut Reader,
    at: &PartnerExtent,
    directory: DirectoryId,
) -> Result<Vec<ConnectionContext>, StoreError> {
    reader.all(&OF_DIRECTORY, binds![directory, at.partner()], ConnectionContext::from_row).await
}

/// Every connection of the extent's partner, by directory.
///
/// # Errors
/// `StoreError`.
pub async fn of_partner(reader: &mut Reader, at: &PartnerExtent) -> Result<Vec<ConnectionContext>, StoreError> {
    reader.all(&OF_PARTNER, binds![at.partner()], ConnectionContext::from_row).await
}

/// Opens a connection that we go through ourselves: LDAP reads, OIDC sign-ins. `None` when there is no such connection of
/// this kind; whether it is paused is told by its state.
///
/// # Errors
/// `StoreError`.
pub async fn open_connection(
    reader: &mut Reader,
    id: ConnectionId,
    kind: ConnectionKind,
) -> Result<Option<ConnectionContext>, StoreError> {
    reader.optional(&OPEN, binds![id, kind.as_str()], ConnectionContext::from_row).await
}

/// Like [`open_connection`], by the name in addresses.
///
/// # Errors
/// `StoreError`.
pub async fn open_connection_named(
    reader: &mut Reader,
    slug: &str,
    kind: ConnectionKind,
) -> Result<Option<ConnectionContext>, StoreError> {
    reader.optional(&OPEN_SLUG, binds![slug, kind.as_str()], ConnectionContext::from_row).await
}

/// Every LDAP connection that is open, for the schedule.
///
/// # Errors
/// `StoreError`.
pub async fn active_ldap(reader: &mut Reader, _by: &OperatorExtent) -> Result<Vec<ConnectionContext>, StoreError> {
    reader.all(&ACTIVE_LDAP, binds![], ConnectionContext::from_row).await
}

/// Why a connection takes nothing for now, as it is at this moment; none when it does.
///
/// # Errors
/// `StoreError::NotFound` when it was deleted.
pub async fn standstill(reader: &mut Reader, at: &ConnectionExtent) -> Result<Option<Standstill>, StoreError> {
    let read = |row: &Row| {
        let unknown = |column: &str| StoreError::Decode(column.to_owned());
        let state = ConnectionState::parse(&row.get::<String>("state")?).ok_or_else(|| unknown("state"))?;
        let mode = DirectoryMode::parse(&row.get::<String>("mode")?).ok_or_else(|| unknown("mode"))?;
        Ok(Standstill::of(state, mode, row.get("suspended")?))
    };
    reader.one(&STANDSTILL, binds![at.connection(), at.directory()], read).await
}

/// A connection that would take something, were its partner or one above not suspended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Silenced {
    /// What its partner is called.
    pub partner: String,
    /// What its directory is called.
    pub directory: String,
    /// Its name in addresses.
    pub slug: String,
}

from_row!(Silenced { partner, directory, slug });

/// Connections of suspended partners that would take something else; at most `limit`.
///
/// # Errors
/// Only those of the store.
pub async fn silenced(reader: &mut Reader, _by: &OperatorExtent, limit: u32) -> Result<Vec<Silenced>, StoreError> {
    reader.all(&SILENCED, binds![limit], Silenced::from_row).await
}

/// The sealed secret of a connection.
///
/// # Errors
/// `StoreError`.
pub async fn secret(reader: &mut Reader, extent: &ConnectionExtent) -> Result<Option<Vec<u8>>, StoreError> {
    let values: Vec<SqlValue> = binds![extent.connection(), extent.directory()];
    reader.one(&SECRET, values, |row| row.get("secret")).await
}

fn found(rows: u64) -> Result<(), StoreError> {
    if rows == 0 { Err(StoreError::NotFound) } else { Ok(()) }
}
