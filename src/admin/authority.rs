//! Whether an administrator may do what they ask for, decided in the transaction that does it.
use super::error::AdminError;
use crate::domain::capability::CoreCapability;
use crate::domain::grant::Resource;
use crate::domain::id::{DirectoryId, PartnerId, UserId};
use crate::domain::time::{Timestamp, Window};
use crate::store::connections::{self, ConnectionContext};
use crate::store::extent::PartnerExtent;
use crate::store::{Reader, delegated_access, directories, effective, effective_lists, resources};

/// The extent over a partner in which `actor` may do `needs`.
///
/// # Errors
/// [`AdminError::NotFound`], [`AdminError::Forbidden`] with the reason, or the store's.
pub async fn at_partner(
    reader: &mut Reader,
    actor: UserId,
    needs: CoreCapability,
    partner: PartnerId,
    now: Timestamp,
) -> Result<PartnerExtent, AdminError> {
    at(reader, actor, needs, Resource { partner, group: None, owner: None }, now).await
}

/// The extent over a user's home in which `actor` may do `needs` to that user.
///
/// # Errors
/// As [`at_partner`].
pub async fn at_user(
    reader: &mut Reader,
    actor: UserId,
    needs: CoreCapability,
    user: UserId,
    now: Timestamp,
) -> Result<PartnerExtent, AdminError> {
    let resource = resources::of_user(reader, user).await?.ok_or(AdminError::NotFound)?;
    at(reader, actor, needs, resource, now).await
}

/// The extent over a directory's partner in which `actor` may do `needs`.
///
/// # Errors
/// As [`at_partner`].
pub async fn at_directory(
    reader: &mut Reader,
    actor: UserId,
    needs: CoreCapability,
    directory: DirectoryId,
    now: Timestamp,
) -> Result<PartnerExtent, AdminError> {
    let resource = resources::of_directory(reader, directory).await?.ok_or(AdminError::NotFound)?;
    at(reader, actor, needs, resource, now).await
}

/// The connection of this name in addresses, when `actor` may do `needs` to it.
///
/// # Errors
/// As [`at_partner`].
pub async fn at_connection(
    reader: &mut Reader,
    actor: UserId,
    needs: CoreCapability,
    slug: &str,
    now: Timestamp,
) -> Result<(PartnerExtent, ConnectionContext), AdminError> {
    let (id, resource) = resources::of_connection(reader, slug).await?.ok_or(AdminError::NotFound)?;
    let extent = at(reader, actor, needs, resource, now).await?;
    Ok((extent, connections::get(reader, &extent, id).await?))
}

pub(super) async fn at(
    reader: &mut Reader,
    actor: UserId,
    needs: CoreCapability,
    resource: Resource,
    now: Timestamp,
) -> Result<PartnerExtent, AdminError> {
    match effective::authorize(reader, actor, needs, resource, now).await {
        Err(effective::AuthzError::Forbidden(told)) => {
            let why = format!("This needs the capability {}. {}", needs.name(), told.sentence);
            Err(AdminError::Forbidden(why))
        }
        other => Ok(other?),
    }
}

/// Whether the actor could give everything that the directory may confer, and holds everything that the users it
/// speaks for hold (guard G6): whoever changes how a directory is reached could speak with its voice, and appear as
/// any of them.
pub(super) async fn covers(
    reader: &mut Reader,
    actor: UserId,
    at: &PartnerExtent,
    directory: DirectoryId,
    now: Timestamp,
) -> Result<(), AdminError> {
    let mine = effective_lists::authority(reader, actor, now).await?;
    let ceilings = directories::ceilings(reader, at, directory).await?;
    let most: Vec<_> = ceilings.into_iter().map(|row| (row.role, row.scope, Window::default())).collect();
    if !effective_lists::holds_all(reader, &mine, &most, Some(CoreCapability::RoleAssign)).await? {
        let why = "This directory may confer a role that you could not give yourself, so you may not change how it is \
            reached.";
        return Err(AdminError::Forbidden(why.to_owned()));
    }
    let held = delegated_access::held_otherwise(reader, at, directory, now).await?;
    if !effective_lists::holds_all(reader, &mine, &held, None).await? {
        let why = "This directory speaks for someone who may do more than you, so you may not change how it is \
            reached.";
        return Err(AdminError::Forbidden(why.to_owned()));
    }
    Ok(())
}
