//! What one user may see.
use super::fact_cache::{FactCache, FactResult};
use super::{Reader, StoreError};
use crate::access::decide::Question;
use crate::domain::capability::CoreCapability;
use crate::domain::grant::Resource;
use crate::domain::id::{DirectoryId, PartnerId, UserGroupId, UserId};
use crate::domain::time::Timestamp;

/// Who looks, and as what.
#[derive(Clone, Copy, Debug)]
pub struct Viewer {
    pub(super) asker: UserId,
    now: Timestamp,
    /// A product, which asks about partners and users that it knows by id, and is told no user's name. That it may ask
    /// about this partner has been seen.
    product: Option<PartnerId>,
}

impl Viewer {
    /// Of `asker`.
    pub fn of(asker: UserId, now: Timestamp) -> Self {
        Self { asker, now, product: None }
    }

    /// Of whoever asks for decisions as a product does: what they may ask about, they may read the reasons of. That they
    /// may ask about `resource` and its owner has been seen.
    pub fn of_product(asker: UserId, resource: &Resource, now: Timestamp) -> Self {
        Self { asker, now, product: Some(resource.partner) }
    }

    fn may(&self, known: &mut FactCache, needs: CoreCapability, resource: Option<Resource>) -> FactResult<bool> {
        let Some(resource) = resource else { return Ok(false) };
        known.permits(Question { principal: self.asker, capability: needs.id(), resource, now: self.now })
    }

    pub(super) fn partner(&self, known: &mut FactCache, id: PartnerId) -> FactResult<bool> {
        let resource = Some(Resource { partner: id, group: None, owner: None });
        let asks = match self.product {
            None => false,
            Some(over) => over == id || self.may(known, CoreCapability::AccessAsk, resource)?,
        };
        Ok(asks || self.may(known, CoreCapability::PartnerView, resource)?)
    }

    pub(super) fn user(&self, known: &mut FactCache, id: UserId) -> FactResult<bool> {
        if id == self.asker || self.product.is_some() {
            return Ok(id == self.asker);
        }
        let resource = known.user(id)?;
        self.may(known, CoreCapability::UserView, resource)
    }

    /// Whether the asker may see what a user holds; everybody sees what they hold themselves.
    pub(super) fn roles_of(&self, known: &mut FactCache, id: UserId) -> FactResult<bool> {
        if id == self.asker || self.product.is_some() {
            return Ok(true);
        }
        let resource = known.user(id)?;
        self.may(known, CoreCapability::RoleView, resource)
    }

    pub(super) fn group(&self, known: &mut FactCache, id: UserGroupId) -> FactResult<bool> {
        let resource = known.group(id)?;
        self.may(known, CoreCapability::GroupView, resource)
    }

    /// Whether the asker may see a user group that somebody is in.
    pub(super) fn group_of(&self, known: &mut FactCache, user: UserId, id: UserGroupId) -> FactResult<bool> {
        Ok(user == self.asker || self.product.is_some() || self.group(known, id)?)
    }

    pub(super) fn directory(&self, known: &mut FactCache, id: DirectoryId) -> FactResult<bool> {
        let resource = known.directory(id)?;
        self.may(known, CoreCapability::ConnectionView, resource)
    }
}

/// What one user may see, each thing asked once.
#[derive(Debug)]
pub struct Sight {
    pub(super) eyes: Viewer,
    pub(super) known: FactCache,
}

impl Sight {
    /// The sight of `asker`.
    pub fn of(asker: UserId, now: Timestamp) -> Self {
        Self { eyes: Viewer::of(asker, now), known: FactCache::default() }
    }

    /// Who looks.
    pub fn asker(&self) -> UserId {
        self.eyes.asker
    }

    /// What `work` comes to, when everything it needs is known.
    pub(super) async fn settle<T>(
        &mut self,
        reader: &mut Reader,
        mut work: impl FnMut(&mut FactCache, &Viewer) -> FactResult<T>,
    ) -> Result<T, StoreError> {
        let eyes = self.eyes;
        self.known.settle(reader, |known| work(known, &eyes)).await
    }

    /// Whether the asker may see a partner.
    ///
    /// # Errors
    /// Only those of the store.
    pub async fn partner(&mut self, reader: &mut Reader, id: PartnerId) -> Result<bool, StoreError> {
        self.settle(reader, |known, eyes| eyes.partner(known, id)).await
    }

    /// Whether the asker may see a user; everybody sees themselves.
    ///
    /// # Errors
    /// Only those of the store.
    pub async fn user(&mut self, reader: &mut Reader, id: UserId) -> Result<bool, StoreError> {
        self.settle(reader, |known, eyes| eyes.user(known, id)).await
    }

    /// Whether the asker may see a user group.
    ///
    /// # Errors
    /// Only those of the store.
    pub async fn group(&mut self, reader: &mut Reader, id: UserGroupId) -> Result<bool, StoreError> {
        self.settle(reader, |known, eyes| eyes.group(known, id)).await
    }

    /// Whether the asker may see a directory.
    ///
    /// # Errors
    /// Only those of the store.
    pub async fn directory(&mut self, reader: &mut Reader, id: DirectoryId) -> Result<bool, StoreError> {
        self.settle(reader, |known, eyes| eyes.directory(known, id)).await
    }
}
