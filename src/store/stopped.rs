//! Who and what is stopped when a partner is switched off: counted, and told by partner and by directory.
use super::connections::TAKES;
use super::extent::PartnerExtent;
use super::totals::{self, Counted};
use super::{FromRow as _, Reader, StoreError, first};
use crate::access::explain::NamedRef;
use crate::domain::id::{DirectoryId, PartnerId};
use crate::domain::time::Timestamp;
use crate::{binds, from_row, statements};

/// A session of a user that has not ended by `$2`.
const SIGNED_IN: &str = "s.expires_at > $2 AND p.id = s.user_id AND p.version = s.user_version";

/// An API token of a user that has not ended by `$2`.
const TOKEN: &str = "t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > $2) AND p.id = t.user_id";

/// The connections that take something now.
const OPEN: &str = "FROM partner_ancestors a CROSS JOIN live_partners q CROSS JOIN directories d CROSS JOIN connections c \
    WHERE a.ancestor_id = $1 AND q.id = a.partner_id AND d.partner_id = q.id";

statements! {
    PARTNERS = "SELECT COUNT(*) FROM partner_ancestors a CROSS JOIN live_partners q WHERE a.ancestor_id = $1 AND q.id = a.partner_id";
    USERS = totals::at_home_below();
    USERS_SIGNED_IN = format!("SELECT COUNT(DISTINCT p.id) FROM partner_ancestors a CROSS JOIN sessions s CROSS JOIN live_users p \
        WHERE a.ancestor_id = $1 AND s.partner_id = a.partner_id AND {SIGNED_IN}");
    TOKENS = format!("SELECT COUNT(*) FROM partner_ancestors a CROSS JOIN api_tokens t CROSS JOIN live_users p \
        WHERE a.ancestor_id = $1 AND t.partner_id = a.partner_id AND {TOKEN}");
    CONNECTIONS_OPEN = format!("SELECT COUNT(*) {OPEN} AND {TAKES}");
    DIRECTORIES = format!("SELECT COUNT(DISTINCT d.id) {OPEN} AND {TAKES} AND c.kind <> 'oidc'");
    BY_DIRECTORY = format!("SELECT d.id, d.name, q.id AS partner_id, q.name AS partner_name, COUNT(*) AS connections \
        {OPEN} AND {TAKES} GROUP BY d.id, d.name, q.id, q.name, d.name_key, a.depth, q.sort_key \
        ORDER BY a.depth, q.sort_key, q.id, d.name_key, d.id LIMIT $2");
    BY_PARTNER = format!("SELECT q.id, q.name, \
            ({}) AS users, \
            (SELECT COUNT(DISTINCT p.id) FROM sessions s CROSS JOIN live_users p WHERE s.partner_id = q.id AND {SIGNED_IN}) \
                AS signed_in \
        FROM partner_ancestors a CROSS JOIN live_partners q WHERE a.ancestor_id = $1 AND q.id = a.partner_id \
        ORDER BY a.depth, q.sort_key, q.id LIMIT $3", totals::kept(Counted::Users, "q.id"));
}

/// How many there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StoppedCounts {
    /// Partners: this one and all below.
    pub partners: i64,
    /// Users at home in them.
    pub users: i64,
    /// Those of them who are signed in.
    pub signed_in: i64,
    /// Their API tokens that have not ended.
    pub tokens: i64,
    /// Connections that are open: SCIM, LDAP and sign-in.
    pub connections: i64,
    /// Directories with one that pushes or is synchronised.
    pub directories: i64,
}

/// One of the partners.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Of {
    /// Which.
    pub partner: NamedRef<PartnerId>,
    /// How many users are at home there.
    pub users: i64,
    /// How many of them are signed in.
    pub signed_in: i64,
}

/// A directory whose connections are stopped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OfDirectory {
    /// Which.
    pub directory: NamedRef<DirectoryId>,
    /// Whose it is.
    pub partner: NamedRef<PartnerId>,
    /// How many of its connections are open.
    pub connections: i64,
}

struct DirectoryRow {
    id: DirectoryId,
    name: String,
    partner_id: PartnerId,
    partner_name: String,
    connections: i64,
}

from_row!(DirectoryRow { id, name, partner_id, partner_name, connections });

struct StoppedRow {
    id: PartnerId,
    name: String,
    users: i64,
    signed_in: i64,
}

from_row!(StoppedRow { id, name, users, signed_in });

/// How many are stopped with the extent's partner, whatever the extent reaches.
///
/// # Errors
/// Only those of the store.
pub async fn counts(reader: &mut Reader, at: &PartnerExtent, now: Timestamp) -> Result<StoppedCounts, StoreError> {
    let top = at.partner();
    Ok(StoppedCounts {
        partners: reader.one(&PARTNERS, binds![top], first).await?,
        users: reader.one(&USERS, binds![top], first).await?,
        signed_in: reader.one(&USERS_SIGNED_IN, binds![top, now], first).await?,
        tokens: reader.one(&TOKENS, binds![top, now], first).await?,
        connections: reader.one(&CONNECTIONS_OPEN, binds![top], first).await?,
        directories: reader.one(&DIRECTORIES, binds![top], first).await?,
    })
}

/// The extent's partner and those below it, the nearest first; at most `limit`.
///
/// # Errors
/// Only those of the store.
pub async fn by_partner(
    reader: &mut Reader,
    at: &PartnerExtent,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<Of>, StoreError> {
    let lines = reader.all(&BY_PARTNER, binds![at.partner(), now, limit], StoppedRow::from_row).await?;
    let of = |line: StoppedRow| Of {
        partner: NamedRef::new(line.id, line.name),
        users: line.users,
        signed_in: line.signed_in,
    };
    Ok(lines.into_iter().map(of).collect())
}

/// The directories of the extent's partner and those below it that have open connections, the nearest first; at most
/// `limit`.
///
/// # Errors
/// Only those of the store.
pub async fn by_directory(reader: &mut Reader, at: &PartnerExtent, limit: u32) -> Result<Vec<OfDirectory>, StoreError> {
    let lines = reader.all(&BY_DIRECTORY, binds![at.partner(), limit], DirectoryRow::from_row).await?;
    let of = |line: DirectoryRow| OfDirectory {
        directory: NamedRef::new(line.id, line.name),
        partner: NamedRef::new(line.partner_id, line.partner_name),
        connections: line.connections,
    };
    Ok(lines.into_iter().map(of).collect())
}
