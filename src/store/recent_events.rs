//! The sealed log as users read it: the newest line first, with the names of things.
use super::events::UnsealedEvent;
use super::extent::PartnerExtent;
use super::{FromRow as _, Reader, Row, StoreError, tuple};
use crate::domain::capability::CoreCapability;
use crate::{binds, statements};
use uuid::Uuid;

statements! {
    NEWEST = format!("SELECT e.id, e.at, e.kind, e.partner_id, e.subject, e.actor, e.data, e.seq, p.name \
        FROM events e JOIN live_partners p ON p.id = e.partner_id JOIN partner_ancestors a ON a.partner_id = e.partner_id \
        WHERE a.ancestor_id = $1 AND ($2 OR a.depth = 0) AND e.seq < $3 \
        AND EXISTS (SELECT 1 FROM level_capabilities k WHERE k.level_id = p.level_id AND k.capability_id = {}) \
        ORDER BY e.seq DESC LIMIT $4", CoreCapability::AuditView.id().0);
    USERS: set = "SELECT id, display_name FROM live_users WHERE id IN ($1)";
    EXTERNAL_USERS: set = "SELECT id, user_name FROM external_users WHERE id IN ($1)";
    EXTERNAL_GROUPS: set = "SELECT id, display_name FROM external_groups WHERE id IN ($1)";
    CONNECTIONS: set = "SELECT id, slug FROM connections WHERE id IN ($1)";
    DIRECTORIES: set = "SELECT id, name FROM directories WHERE id IN ($1)";
    USER_GROUPS: set = "SELECT id, name FROM user_groups WHERE id IN ($1)";
    ROLES: set = "SELECT id, name FROM roles WHERE id IN ($1)";
    PARTNERS: set = "SELECT id, name FROM live_partners WHERE id IN ($1)";
}

/// A sealed line and where it belongs.
#[derive(Clone, PartialEq, Debug)]
pub struct ActivityEntry {
    /// Its number.
    pub seq: i64,
    /// The line.
    pub line: UnsealedEvent,
    /// The name of its partner.
    pub partner: String,
}

/// The newest lines within the extent below number `before`, at most `limit`.
///
/// # Errors
/// Only those of the store.
pub async fn newest(
    reader: &mut Reader,
    at: &PartnerExtent,
    before: i64,
    limit: u32,
) -> Result<Vec<ActivityEntry>, StoreError> {
    let read =
        |row: &Row| Ok(ActivityEntry { line: UnsealedEvent::from_row(row)?, seq: row.get(7)?, partner: row.get(8)? });
    reader.all(&NEWEST, binds![at.partner(), at.subtree(), before, limit], read).await
}

/// What kind of thing an id names, as far as it decides who may read its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Thing {
    /// A user.
    User,
    /// A partner.
    Partner,
    /// A directory.
    Directory,
    /// A user group.
    UserGroup,
    /// What belongs to the line that speaks of it.
    Other,
}

/// The names of the things that lines speak of, for whoever may read the lines. What has gone has none.
///
/// # Errors
/// Only those of the store.
pub async fn names(reader: &mut Reader, ids: &[Uuid]) -> Result<Vec<(Uuid, String)>, StoreError> {
    Ok(kinds(reader, ids).await?.into_iter().map(|(_, id, name)| (id, name)).collect())
}

/// Like [`names`], each with what kind of thing it is.
///
/// # Errors
/// Only those of the store.
pub async fn kinds(reader: &mut Reader, ids: &[Uuid]) -> Result<Vec<(Thing, Uuid, String)>, StoreError> {
    let mut names = Vec::new();
    for (thing, statement) in [
        (Thing::User, &USERS),
        (Thing::Other, &EXTERNAL_USERS),
        (Thing::Other, &EXTERNAL_GROUPS),
        (Thing::Other, &CONNECTIONS),
        (Thing::Directory, &DIRECTORIES),
        (Thing::UserGroup, &USER_GROUPS),
        (Thing::Other, &ROLES),
        (Thing::Partner, &PARTNERS),
    ] {
        let found = reader.all_in(statement, binds![], ids.iter().copied(), tuple::<(Uuid, String)>).await?;
        names.extend(found.into_iter().map(|(id, name)| (thing, id, name)));
    }
    Ok(names)
}
