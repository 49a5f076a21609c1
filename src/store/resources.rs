//! Where a thing belongs, for a question about it. What is found here is only ever told as part of a decision.
use super::{Reader, Row, StoreError};
use crate::domain::grant::Resource;
use crate::domain::id::{ConnectionId, DirectoryId, UserGroupId, UserId};
use crate::{binds, statements};

statements! {
    OF_USER = "SELECT partner_id FROM live_users WHERE id = $1";
    OF_GROUP = "SELECT partner_id FROM user_groups WHERE id = $1";
    OF_DIRECTORY = "SELECT partner_id FROM directories WHERE id = $1";
    OF_CONNECTION = "SELECT c.id, d.partner_id FROM connections c JOIN directories d ON d.id = c.directory_id WHERE c.slug = $1";
}

/// A user as the thing that is acted on.
///
/// # Errors
/// Only those of the store.
pub async fn of_user(reader: &mut Reader, user: UserId) -> Result<Option<Resource>, StoreError> {
    let partner = reader.optional(&OF_USER, binds![user], |row| row.get(0)).await?;
    Ok(partner.map(|partner| Resource { partner, group: None, owner: Some(user) }))
}

/// A user group as the thing that is acted on.
///
/// # Errors
/// Only those of the store.
pub async fn of_group(reader: &mut Reader, group: UserGroupId) -> Result<Option<Resource>, StoreError> {
    let partner = reader.optional(&OF_GROUP, binds![group], |row| row.get(0)).await?;
    Ok(partner.map(|partner| Resource { partner, group: Some(group), owner: None }))
}

/// The partner of a directory.
///
/// # Errors
/// Only those of the store.
pub async fn of_directory(reader: &mut Reader, directory: DirectoryId) -> Result<Option<Resource>, StoreError> {
    let partner = reader.optional(&OF_DIRECTORY, binds![directory], |row| row.get(0)).await?;
    Ok(partner.map(|partner| Resource { partner, group: None, owner: None }))
}

/// The partner of a connection, by its name in addresses, with the connection's id.
///
/// # Errors
/// Only those of the store.
pub async fn of_connection(reader: &mut Reader, slug: &str) -> Result<Option<(ConnectionId, Resource)>, StoreError> {
    let read = |row: &Row| Ok((row.get(0)?, Resource { partner: row.get(1)?, group: None, owner: None }));
    reader.optional(&OF_CONNECTION, binds![slug], read).await
}
