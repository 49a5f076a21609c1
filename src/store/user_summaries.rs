//! What lists and pages say of users beside their own columns.
use super::extent::PartnerExtent;
use super::{Reader, Row, StoreError, first, tuple};
use crate::domain::id::{ExternalUserId, UserGroupId, UserId};
use crate::domain::time::Timestamp;
use crate::{binds, statements};

/// The user is at home in the extent's partner, or below it when the extent reaches below: `$1` and `$2`.
const AT_HOME: &str = "EXISTS (SELECT 1 FROM partner_ancestors a \
    WHERE a.partner_id = p.partner_id AND a.ancestor_id = $1 AND ($2 OR a.depth = 0))";

statements! {
    CONNECTIONS = format!("SELECT u.id, u.user_name, u.active, u.link_origin, u.updated_at, c.slug, c.kind, d.name \
        FROM external_users u JOIN live_users p ON p.id = u.user_id JOIN connections c ON c.id = u.connection_id \
        JOIN directories d ON d.id = u.directory_id WHERE p.id = $3 AND {AT_HOME} ORDER BY d.priority, d.name_key, c.slug");
    GROUPS = "SELECT g.display_name FROM external_group_members m JOIN external_groups g ON g.id = m.external_group_id \
        WHERE m.external_user_id = $1 ORDER BY g.display_name_key, g.id LIMIT 50";
    SUSPENDED: set = format!("SELECT DISTINCT s.user_id FROM user_suspensions s JOIN live_users p ON p.id = s.user_id \
        WHERE {AT_HOME} AND COALESCE(s.from_at, $3) <= $3 AND s.user_id IN ($4)");
    SAID_BY: set = format!("SELECT DISTINCT u.user_id, d.name FROM external_users u JOIN live_users p ON p.id = u.user_id \
        JOIN directories d ON d.id = u.directory_id WHERE {AT_HOME} AND u.user_id IN ($3) ORDER BY d.name");
    GROUP_NAME = "SELECT g.name FROM user_groups g WHERE g.id = $1 \
        AND EXISTS (SELECT 1 FROM partner_ancestors a WHERE a.partner_id = g.partner_id AND a.ancestor_id = $2)";
}

/// What one connection says of a user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinkedAccount {
    /// The external user.
    pub id: ExternalUserId,
    /// Its unique name there.
    pub user_name: String,
    /// Whether the directory lets the user in.
    pub active: bool,
    /// `created`, `joined` or `reviewed`.
    pub link: Option<String>,
    /// When it last changed.
    pub changed_at: Timestamp,
    /// The connection's name in addresses.
    pub slug: String,
    /// `scim`, `ldap` or `oidc`.
    pub kind: String,
    /// The directory's name.
    pub directory: String,
    /// The groups it is directly in, by name; at most 50.
    pub groups: Vec<String>,
}

/// What directories say of a user within the extent, by the directories' authority.
///
/// # Errors
/// Only those of the store.
pub async fn connections(
    reader: &mut Reader,
    at: &PartnerExtent,
    user: UserId,
) -> Result<Vec<LinkedAccount>, StoreError> {
    let read = |row: &Row| {
        Ok(LinkedAccount {
            id: row.get(0)?,
            user_name: row.get(1)?,
            active: row.get(2)?,
            link: row.get(3)?,
            changed_at: row.get(4)?,
            slug: row.get(5)?,
            kind: row.get(6)?,
            directory: row.get(7)?,
            groups: Vec::new(),
        })
    };
    let mut connections = reader.all(&CONNECTIONS, binds![at.partner(), at.subtree(), user], read).await?;
    for connection in &mut connections {
        connection.groups = reader.all(&GROUPS, binds![connection.id], first).await?;
    }
    Ok(connections)
}

/// Those of `users` within the extent whom anybody suspends at `now`.
///
/// # Errors
/// Only those of the store.
pub async fn suspended(
    reader: &mut Reader,
    at: &PartnerExtent,
    users: &[UserId],
    now: Timestamp,
) -> Result<Vec<UserId>, StoreError> {
    reader.all_in(&SUSPENDED, binds![at.partner(), at.subtree(), now], users.iter().copied(), first).await
}

/// The names of the directories that speak of each of `users` within the extent.
///
/// # Errors
/// Only those of the store.
pub async fn said_by(
    reader: &mut Reader,
    at: &PartnerExtent,
    users: &[UserId],
) -> Result<Vec<(UserId, String)>, StoreError> {
    reader.all_in(&SAID_BY, binds![at.partner(), at.subtree()], users.iter().copied(), tuple).await
}

/// The name of a user group within the extent or below it.
///
/// # Errors
/// Only those of the store.
pub async fn group_name(
    reader: &mut Reader,
    at: &PartnerExtent,
    group: UserGroupId,
) -> Result<Option<String>, StoreError> {
    reader.optional(&GROUP_NAME, binds![group, at.partner()], first).await
}
