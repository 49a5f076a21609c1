//! What somebody is told of grounds: each name only as far as they may see what it names. Whoever prints what stands behind
//! an answer asks here first, whatever the door; what is hidden is counted, and never named.
use std::collections::BTreeMap;

use uuid::Uuid;

use crate::access::decide::Question;
use crate::access::explain::Named;
use crate::domain::capability::Core;
use crate::domain::grant::Resource;
use crate::domain::id::{ConnectionId, DirectoryId, Id, PartnerId, UserGroupId, UserId};
use crate::domain::time::Timestamp;
use crate::domain::user::SuspensionSource;
use crate::store::extent::PartnerExtent;
use crate::store::holds::{self, Hold};
use crate::store::{Reader, StoreError, activity, effective, resources};

/// What one person may see, asked once for each thing.
#[derive(Debug)]
pub struct Sight {
    asker: UserId,
    now: Timestamp,
    known: BTreeMap<(i64, Uuid), bool>,
}

impl Sight {
    /// The sight of `asker`.
    pub fn of(asker: UserId, now: Timestamp) -> Self {
        Self { asker, now, known: BTreeMap::new() }
    }

    /// Who looks.
    pub fn asker(&self) -> UserId {
        self.asker
    }

    async fn may(
        &mut self,
        reader: &mut Reader,
        needs: Core,
        of: Uuid,
        resource: Option<Resource>,
    ) -> Result<bool, StoreError> {
        let key = (needs.id().0, of);
        if let Some(known) = self.known.get(&key) {
            return Ok(*known);
        }
        let seen = match resource {
            None => false,
            Some(resource) => {
                let question = Question { principal: self.asker, capability: needs.id(), resource, now: self.now };
                effective::permits(reader, &question).await?
            }
        };
        self.known.insert(key, seen);
        Ok(seen)
    }

    /// Whether the asker may see a partner.
    ///
    /// # Errors
    /// Only those of the store.
    pub async fn partner(&mut self, reader: &mut Reader, id: PartnerId) -> Result<bool, StoreError> {
        let resource = Resource { partner: id, group: None, owner: None };
        self.may(reader, Core::PartnerView, id.uuid(), Some(resource)).await
    }

    /// Whether the asker may see a person; everybody sees themselves.
    ///
    /// # Errors
    /// Only those of the store.
    pub async fn person(&mut self, reader: &mut Reader, id: UserId) -> Result<bool, StoreError> {
        if id == self.asker {
            return Ok(true);
        }
        let resource = resources::of_user(reader, id).await?;
        self.may(reader, Core::UserView, id.uuid(), resource).await
    }

    /// Whether the asker may see a user group.
    ///
    /// # Errors
    /// Only those of the store.
    pub async fn group(&mut self, reader: &mut Reader, id: UserGroupId) -> Result<bool, StoreError> {
        let resource = resources::of_group(reader, id).await?;
        self.may(reader, Core::GroupView, id.uuid(), resource).await
    }

    /// Whether the asker may see a directory.
    ///
    /// # Errors
    /// Only those of the store.
    pub async fn directory(&mut self, reader: &mut Reader, id: DirectoryId) -> Result<bool, StoreError> {
        let resource = resources::of_directory(reader, id).await?;
        self.may(reader, Core::ConnectionView, id.uuid(), resource).await
    }
}

/// A suspension as one asker is told of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ToldHold {
    /// `partner`, `billing`, `security` or `directory`.
    pub kind: &'static str,
    /// The partner in whose name it was decided, when the asker may see it.
    pub standing: Option<Named<PartnerId>>,
    /// The connection that says so.
    pub connection: Option<ConnectionId>,
    /// By whom, in words.
    pub words: String,
    /// Why, when the asker may see in whose name; else what those below are told, when anything is said to them.
    pub cause: Option<String>,
    /// Since when.
    pub since: Timestamp,
}

/// Suspensions of a partner, or of a person at home there, as one asker is told of them.
///
/// # Errors
/// Only those of the store.
pub async fn holds(
    reader: &mut Reader,
    sight: &mut Sight,
    at: &PartnerExtent,
    home: PartnerId,
    found: Vec<Hold>,
) -> Result<Vec<ToldHold>, StoreError> {
    let mut told = Vec::with_capacity(found.len());
    for hold in found {
        let kind = hold.source.kind();
        let standing = match hold.source {
            SuspensionSource::Decided(_, standing) => Some(standing),
            SuspensionSource::Admin => holds::names(reader, at, home).await?.last().copied(),
            SuspensionSource::Connection(connection) => {
                let words = "its directory".to_owned();
                let (cause, since) = (Some(hold.cause), hold.since);
                told.push(ToldHold { kind, standing: None, connection: Some(connection), words, cause, since });
                continue;
            }
        };
        let seen = match standing {
            Some(partner) => sight.partner(reader, partner).await?,
            None => false,
        };
        let standing = match standing.filter(|_| seen) {
            Some(partner) => {
                let names = activity::names(reader, &[partner.uuid()]).await?;
                names.into_iter().next().map(|(_, name)| Named::new(partner, name))
            }
            None => None,
        };
        let words = match &standing {
            Some(partner) => format!("an administrator, in the name of {}", partner.name),
            None => "a partner above".to_owned(),
        };
        let cause = if standing.is_some() { Some(hold.cause) } else { hold.notice };
        told.push(ToldHold { kind, standing, connection: None, words, cause, since: hold.since });
    }
    Ok(told)
}
