//! The event log. Mutations write unsealed lines; one sealer numbers and chains them; readers see sealed ones only.
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::extent::{OperatorExtent, PartnerExtent};
use super::external_users::text;
use super::{FromRow, Reader, Row, StoreError, Tx, first, tuple};
use crate::domain::id::{EventId, PartnerId};
use crate::domain::time::Timestamp;
use crate::{binds, statements};

const COLUMNS: &str = "e.seq, e.id, e.at, e.kind, e.partner_id, e.subject, e.actor, e.data, e.hash";

statements! {
    APPEND: insert[Uuid, I64, Text, Uuid, Uuid, Text, Text] = "INSERT INTO events (id, at, kind, partner_id, subject, actor, data, seq, hash) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, NULL, NULL)";
    UNSEALED = "SELECT id, at, kind, partner_id, subject, actor, data FROM events WHERE seq IS NULL ORDER BY id LIMIT $1";
    OLDEST = "SELECT id, at FROM events WHERE seq IS NULL ORDER BY id LIMIT 1";
    NEWEST = "SELECT at FROM events WHERE seq IS NOT NULL ORDER BY seq DESC LIMIT 1";
    AHEAD = "SELECT COUNT(*), MIN(seq) FROM events WHERE at > $1";
    LAST = "SELECT seq, hash FROM events WHERE seq IS NOT NULL ORDER BY seq DESC LIMIT 1";
    SEAL: rows (d) = format!("UPDATE events SET seq = sealed.column2, hash = sealed.column3 \
        FROM (VALUES ({}, {}, {})) AS sealed WHERE events.id = sealed.column1 AND events.seq IS NULL",
        d.typed("$1", "uuid"), d.typed("$2", "bigint"), d.typed("$3", "bytea"));
    AFTER = format!("SELECT {COLUMNS} FROM events e WHERE e.seq > $1 ORDER BY e.seq LIMIT $2");
    AFTER_AT = format!("SELECT {COLUMNS} FROM events e WHERE e.seq > $3 AND (e.partner_id = $1 OR ($2 AND EXISTS \
        (SELECT 1 FROM partner_ancestors a WHERE a.partner_id = e.partner_id AND a.ancestor_id = $1))) ORDER BY e.seq LIMIT $4");
    ABOUT_AT = format!("SELECT {COLUMNS} FROM events e WHERE e.subject = $4 AND e.seq < $3 \
        AND (e.partner_id = $1 OR ($2 AND EXISTS \
        (SELECT 1 FROM partner_ancestors a WHERE a.partner_id = e.partner_id AND a.ancestor_id = $1))) \
        ORDER BY e.seq DESC LIMIT $5");
}

/// A line that is not sealed yet.
#[derive(Clone, PartialEq, Debug)]
pub struct UnsealedEvent {
    /// Its identity, in the order of time.
    pub id: EventId,
    /// When it happened.
    pub at: Timestamp,
    /// What happened: a dotted word of the published catalogue.
    pub kind: String,
    /// The partner it belongs to.
    pub partner: PartnerId,
    /// To what it happened.
    pub subject: Option<Uuid>,
    /// Who did it, as JSON.
    pub actor: String,
    /// The details, as JSON: ids, names of attributes, counts.
    pub data: String,
}

/// A sealed line.
#[derive(Clone, PartialEq, Debug)]
pub struct SealedEvent {
    /// Its number: dense, from 1.
    pub seq: i64,
    /// The hash over the line before and this one.
    pub hash: [u8; 32],
    /// The line.
    pub line: UnsealedEvent,
}

impl FromRow for UnsealedEvent {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        line(row, 0)
    }
}

impl FromRow for SealedEvent {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { seq: row.get(0)?, line: line(row, 1)?, hash: row.get(8)? })
    }
}

fn line(row: &Row, at: usize) -> Result<UnsealedEvent, StoreError> {
    Ok(UnsealedEvent {
        id: row.get(at)?,
        at: row.get(at + 1)?,
        kind: row.get(at + 2)?,
        partner: row.get(at + 3)?,
        subject: row.get(at + 4)?,
        actor: row.get(at + 5)?,
        data: row.get(at + 6)?,
    })
}

impl SealedEvent {
    /// The details as an object.
    pub fn data(&self) -> Map<String, Json> {
        serde_json::from_str(&self.line.data).unwrap_or_default()
    }
}

/// The stored form of an actor or of details.
pub fn stored(json: &impl serde::Serialize) -> String {
    text(json)
}

/// Writes lines, unsealed.
///
/// # Errors
/// Only those of the store.
pub async fn append(tx: &mut Tx, lines: Vec<UnsealedEvent>) -> Result<(), StoreError> {
    let rows = lines
        .into_iter()
        .map(|line| binds![line.id, line.at, line.kind, line.partner, line.subject, line.actor, line.data]);
    tx.later(&APPEND, rows).await
}

/// The oldest unsealed lines, at most `limit`.
///
/// # Errors
/// Only those of the store.
pub async fn unsealed(tx: &mut Tx, limit: u32) -> Result<Vec<UnsealedEvent>, StoreError> {
    tx.all(&UNSEALED, binds![limit], UnsealedEvent::from_row).await
}

/// The oldest line that has no number yet, and when it happened.
///
/// # Errors
/// Only those of the store.
pub async fn oldest_unsealed(
    reader: &mut Reader,
    _by: &OperatorExtent,
) -> Result<Option<(EventId, Timestamp)>, StoreError> {
    reader.optional(&OLDEST, binds![], tuple::<(EventId, Timestamp)>).await
}

/// When the last sealed line happened.
///
/// # Errors
/// Only those of the store.
pub async fn newest(reader: &mut Reader, _by: &OperatorExtent) -> Result<Option<Timestamp>, StoreError> {
    reader.optional(&NEWEST, binds![], first).await
}

/// How many lines happened after a moment, and the lowest number among them. Reads the whole log.
///
/// # Errors
/// Only those of the store.
pub async fn after_moment(
    reader: &mut Reader,
    _by: &OperatorExtent,
    moment: Timestamp,
) -> Result<(i64, Option<i64>), StoreError> {
    reader.one(&AHEAD, binds![moment], tuple::<(i64, Option<i64>)>).await
}

/// Number and hash of the last sealed line.
///
/// # Errors
/// Only those of the store.
pub async fn last(reader: &mut Reader) -> Result<Option<(i64, [u8; 32])>, StoreError> {
    reader.optional(&LAST, binds![], |row| Ok((row.get(0)?, row.get(1)?))).await
}

/// Gives lines their numbers and hashes.
///
/// # Errors
/// `StoreError::Unique` when another sealer gave a number away; `StoreError::NotFound` when a line is sealed.
pub async fn seal(tx: &mut Tx, lines: &[(EventId, i64, [u8; 32])]) -> Result<(), StoreError> {
    let rows: Vec<_> = lines.iter().map(|(id, seq, hash)| binds![*id, *seq, *hash]).collect();
    let sealed = tx.execute_rows(&SEAL, rows).await?;
    if sealed == lines.len() as u64 { Ok(()) } else { Err(StoreError::NotFound) }
}

/// Sealed lines of the whole installation after number `seq`, in order.
///
/// # Errors
/// Only those of the store.
pub async fn after(
    reader: &mut Reader,
    _by: &OperatorExtent,
    seq: i64,
    limit: u32,
) -> Result<Vec<SealedEvent>, StoreError> {
    reader.all(&AFTER, binds![seq, limit], SealedEvent::from_row).await
}

/// Sealed lines within the extent after number `seq`, in order.
///
/// # Errors
/// Only those of the store.
pub async fn after_at(
    reader: &mut Reader,
    at: &PartnerExtent,
    seq: i64,
    limit: u32,
) -> Result<Vec<SealedEvent>, StoreError> {
    reader.all(&AFTER_AT, binds![at.partner(), at.subtree(), seq, limit], SealedEvent::from_row).await
}

/// Sealed lines within the extent about one thing, before number `seq`, the newest first.
///
/// # Errors
/// Only those of the store.
pub async fn about(
    reader: &mut Reader,
    at: &PartnerExtent,
    subject: Uuid,
    before: i64,
    limit: u32,
) -> Result<Vec<SealedEvent>, StoreError> {
    let values = binds![at.partner(), at.subtree(), before, subject, limit];
    reader.all(&ABOUT_AT, values, SealedEvent::from_row).await
}

/// How many lines wait to be sealed is read by [`unsealed`]; whether any does, by this.
///
/// # Errors
/// Only those of the store.
pub async fn any_unsealed(reader: &mut Reader) -> Result<bool, StoreError> {
    Ok(reader.optional(&UNSEALED, binds![1_u32], first::<EventId>).await?.is_some())
}
