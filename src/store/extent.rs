//! Witnesses of what a caller may touch. Every function of the store that reads or writes a tenant's rows takes one,
//! and binds it into its statement; so a query without its tenant does not compile.
//!
//! Only the store makes them, and only where it has just proved them:
//! a [`ConnectionExtent`] where a bearer token is checked (`tokens`) or a connection is opened (`connections`),
//! a [`PartnerExtent`] and a [`SelfExtent`] where a decision is read (`effective`), an [`OperatorExtent`] for the command
//! line and background jobs.
use super::{Reader, StoreError};
use crate::domain::id::{ConnectionId, DirectoryId, PartnerId, UserId};
use crate::domain::user::SuspensionSource;
use crate::{binds, statements};

statements! {
    CONNECTION = "SELECT d.id, d.partner_id FROM connections c JOIN directories d ON d.id = c.directory_id WHERE c.id = $1";
}

/// One connection: its external users and groups, and the users linked to them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConnectionExtent {
    connection: ConnectionId,
    directory: DirectoryId,
    partner: PartnerId,
}

impl ConnectionExtent {
    /// For whoever has just proved that the caller is this connection.
    pub(in crate::store) fn new(connection: ConnectionId, directory: DirectoryId, partner: PartnerId) -> Self {
        Self { connection, directory, partner }
    }

    /// The connection.
    pub fn connection(&self) -> ConnectionId {
        self.connection
    }

    /// The directory it is a connection of.
    pub fn directory(&self) -> DirectoryId {
        self.directory
    }

    /// The partner the directory serves; its new users are at home here.
    pub fn partner(&self) -> PartnerId {
        self.partner
    }

    /// The name under which this connection suspends users.
    pub fn source(&self) -> SuspensionSource {
        SuspensionSource::Connection(self.connection)
    }
}

/// A partner, with everything below it when the authority reaches that far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PartnerExtent {
    partner: PartnerId,
    subtree: bool,
    actor: Option<UserId>,
}

impl PartnerExtent {
    /// For whoever has just decided that `actor` may act on `partner`.
    pub(in crate::store) fn new(partner: PartnerId, subtree: bool, actor: UserId) -> Self {
        Self { partner, subtree, actor: Some(actor) }
    }

    /// For whoever has just made `partner` below this one.
    pub(in crate::store) fn within(&self, partner: PartnerId) -> Self {
        Self { partner, ..*self }
    }

    /// The partner, or the top of the subtree.
    pub fn partner(&self) -> PartnerId {
        self.partner
    }

    /// Whether the partners below are included.
    pub fn subtree(&self) -> bool {
        self.subtree
    }

    /// The partner alone, without those below.
    pub fn alone(&self) -> Self {
        Self { subtree: false, ..*self }
    }

    /// Who acts; none is the operator.
    pub fn actor(&self) -> Option<UserId> {
        self.actor
    }
}

/// A user's own things: the profile, the sessions, the tokens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SelfExtent {
    user: UserId,
}

impl SelfExtent {
    /// For whoever has just authenticated this user.
    pub(in crate::store) fn new(user: UserId) -> Self {
        Self { user }
    }

    /// The user.
    pub fn user(&self) -> UserId {
        self.user
    }
}

/// The whole installation: the command line and background jobs. A test keeps its making out of every other layer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OperatorExtent(());

impl OperatorExtent {
    /// For `cli`, `jobs` and setting up: whoever can start the program owns its data.
    pub fn assume() -> Self {
        Self(())
    }

    /// The operator's view of a partner and everything below it.
    pub fn at(&self, partner: PartnerId) -> PartnerExtent {
        PartnerExtent { partner, subtree: true, actor: None }
    }

    /// The operator's view of a connection, if there is one of this id.
    ///
    /// # Errors
    /// Only those of the store.
    pub async fn connection(
        &self,
        reader: &mut Reader,
        connection: ConnectionId,
    ) -> Result<Option<ConnectionExtent>, StoreError> {
        let read = |row: &super::Row| Ok(ConnectionExtent::new(connection, row.get(0)?, row.get(1)?));
        reader.optional(&CONNECTION, binds![connection], read).await
    }
}
