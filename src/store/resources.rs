//! Where a thing belongs, for a question about it. What is found here is only ever told as part of a decision.
use super::{Reader, StoreError};
use crate::domain::grant::Resource;
use crate::domain::id::{UserGroupId, UserId};
use crate::{binds, statements};

statements! {
    OF_USER = "SELECT partner FROM live_person WHERE id = $1";
    OF_GROUP = "SELECT partner FROM user_group WHERE id = $1";
}

/// A person as the thing that is acted on.
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
