//! User groups: the named sets of a partner's users, and who was put there by an administrator.
use super::extent::PartnerExtent;
use super::{FromRow, Reader, Row, StoreError, Tx, totals};
use crate::domain::group::UserGroup;
use crate::domain::id::{UserGroupId, UserId};
use crate::domain::text::fold;
use crate::domain::time::Timestamp;
use crate::{binds, statements};

statements! {
    INSERT = "INSERT INTO user_groups (id, partner_id, name, name_key, is_primary, is_default, created_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    RENAME = "UPDATE user_groups SET name = $3, name_key = $4 WHERE id = $1 AND partner_id = $2";
    BY_ID = "SELECT id, partner_id, name, is_primary, is_default FROM user_groups WHERE id = $1 AND partner_id = $2";
    BY_NAME = "SELECT id, partner_id, name, is_primary, is_default FROM user_groups WHERE partner_id = $1 AND name_key = $2";
    DEFAULT = "SELECT id, partner_id, name, is_primary, is_default FROM user_groups WHERE partner_id = $1 AND is_default";
    OF_PARTNER = format!("SELECT g.id, g.partner_id, g.name, g.is_primary, g.is_default, {} AS users \
        FROM user_groups g WHERE g.partner_id = $1 ORDER BY g.name_key, g.id", totals::members());
    ADD = "INSERT INTO user_group_members (user_group_id, user_id, added_by, created_at) \
        SELECT g.id, p.id, $3, $4 FROM user_groups g JOIN live_users p ON p.partner_id = g.partner_id \
        WHERE g.id = $1 AND p.id = $2 AND g.partner_id = $5 AND NOT g.is_primary ON CONFLICT DO NOTHING";
    REMOVE = "DELETE FROM user_group_members WHERE user_group_id = $1 AND user_id = $2 \
        AND EXISTS (SELECT 1 FROM user_groups g WHERE g.id = $1 AND g.partner_id = $3)";
}

impl FromRow for UserGroup {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get(0)?,
            partner: row.get(1)?,
            name: row.get(2)?,
            is_primary: row.get(3)?,
            is_default: row.get(4)?,
        })
    }
}

/// Writes a user group of the extent's partner.
///
/// # Errors
/// `StoreError::Unique` when the partner has one of this name, or a default group already.
pub async fn insert(tx: &mut Tx, at: &PartnerExtent, new: &UserGroup, now: Timestamp) -> Result<(), StoreError> {
    let name_key = fold(&new.name).into_bytes();
    let values = binds![new.id, at.partner(), &new.name, name_key, new.is_primary, new.is_default, now];
    tx.execute(&INSERT, values).await.map(drop)
}

/// Gives a user group another name.
///
/// # Errors
/// `StoreError::Unique` when the partner has one of this name; `StoreError::NotFound`.
pub async fn rename(tx: &mut Tx, at: &PartnerExtent, id: UserGroupId, name: &str) -> Result<(), StoreError> {
    match tx.execute(&RENAME, binds![id, at.partner(), name, fold(name).into_bytes()]).await? {
        0 => Err(StoreError::NotFound),
        _ => Ok(()),
    }
}

/// A user group of the extent's partner.
///
/// # Errors
/// Only those of the store.
pub async fn get(reader: &mut Reader, at: &PartnerExtent, id: UserGroupId) -> Result<Option<UserGroup>, StoreError> {
    reader.optional(&BY_ID, binds![id, at.partner()], UserGroup::from_row).await
}

/// A user group of the extent's partner by name; case does not count.
///
/// # Errors
/// Only those of the store.
pub async fn by_name(reader: &mut Reader, at: &PartnerExtent, name: &str) -> Result<Option<UserGroup>, StoreError> {
    reader.optional(&BY_NAME, binds![at.partner(), fold(name).into_bytes()], UserGroup::from_row).await
}

/// The place of those whom no rule places.
///
/// # Errors
/// `StoreError::NotFound` when the partner has none yet.
pub async fn default_of(reader: &mut Reader, at: &PartnerExtent) -> Result<UserGroup, StoreError> {
    reader.one(&DEFAULT, binds![at.partner()], UserGroup::from_row).await
}

/// The user groups of the extent's partner by name, with how many users are in each: those placed there, or those
/// an administrator added (rules add further ones).
///
/// # Errors
/// Only those of the store.
pub async fn of_partner(reader: &mut Reader, at: &PartnerExtent) -> Result<Vec<(UserGroup, u64)>, StoreError> {
    let read = |row: &Row| Ok((UserGroup::from_row(row)?, row.get(5)?));
    reader.all(&OF_PARTNER, binds![at.partner()], read).await
}

/// Puts a user of the same partner in a group that is not primary; true when the user was not in it.
///
/// # Errors
/// Only those of the store.
pub async fn add(
    tx: &mut Tx,
    at: &PartnerExtent,
    id: UserGroupId,
    user: UserId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let added = tx.execute(&ADD, binds![id, user, at.actor(), now, at.partner()]).await? > 0;
    if added {
        totals::moved(tx, user, None, Some(id)).await?;
    }
    Ok(added)
}

/// Takes a user out of a group; true when an administrator had put the user there.
///
/// # Errors
/// Only those of the store.
pub async fn remove(tx: &mut Tx, at: &PartnerExtent, id: UserGroupId, user: UserId) -> Result<bool, StoreError> {
    let removed = tx.execute(&REMOVE, binds![id, user, at.partner()]).await? > 0;
    if removed {
        totals::moved(tx, user, Some(id), None).await?;
    }
    Ok(removed)
}
