//! The partner a page belongs to: its path, its level, which of its pages the visitor may open.
use crate::access::decide::Question;
use crate::domain::capability::CoreCapability;
use crate::domain::grant::Resource;
use crate::domain::id::{PartnerId, UserId};
use crate::domain::time::Timestamp;
use crate::store::extent::PartnerExtent;
use crate::store::{Reader, StoreError, catalog, effective, partners, reach};

/// A partner at the head of a page.
pub struct PartnerHeader {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The name of its level.
    pub level: String,
    /// Whether it, or a partner above, is switched off.
    pub suspended: bool,
    /// The partners above that the visitor sees, the top first.
    pub path: Vec<Breadcrumb>,
    /// Whether the visitor may see its users.
    pub users: bool,
    /// Whether the visitor may see its directories.
    pub directories: bool,
}

/// A partner on the way down.
pub struct Breadcrumb {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// The thing that questions about a partner as such are about.
pub fn partner(partner: PartnerId) -> Resource {
    Resource { partner, group: None, owner: None }
}

/// Whether the user may do this.
///
/// # Errors
/// Only those of the store.
pub async fn may(
    reader: &mut Reader,
    principal: UserId,
    capability: CoreCapability,
    resource: Resource,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let question = Question { principal, capability: capability.id(), resource, now };
    Ok(effective::decide(reader, &question).await?.allowed)
}

/// Reads the head of a page of the extent's partner.
///
/// # Errors
/// Only those of the store.
pub async fn place(
    reader: &mut Reader,
    session_user: UserId,
    at: &PartnerExtent,
    now: Timestamp,
) -> Result<PartnerHeader, StoreError> {
    let mut above = partners::path(reader, at).await?;
    let here = above.pop().ok_or(StoreError::NotFound)?;
    let levels = catalog::levels(reader).await?;
    let level = levels.into_iter().find(|level| level.id == here.level).map(|level| level.title);
    let mut path = Vec::new();
    for one in above {
        if may(reader, session_user, CoreCapability::PartnerView, partner(one.id), now).await? {
            path.push(Breadcrumb { id: one.id.to_string(), name: one.name });
        }
    }
    Ok(PartnerHeader {
        suspended: reach::is_suspended(reader, at).await?,
        users: may(reader, session_user, CoreCapability::UserView, partner(here.id), now).await?,
        directories: may(reader, session_user, CoreCapability::ConnectionView, partner(here.id), now).await?,
        level: level.unwrap_or_default(),
        id: here.id.to_string(),
        name: here.name,
        path,
    })
}
