//! What an application makes in large numbers: users and grants are written many at a time, with their events.
use super::Run;
use crate::domain::grant::ManualGrant;
use crate::domain::id::{PartnerId, ScopeId, UserId};
use crate::domain::user::UserProfile;
use crate::provision::event::{Event, Kind};
use crate::provision::events;
use crate::store::{StoreError, Tx, grants, users};

/// So many wait at most: as many as one statement takes.
const MOST: usize = 256;

/// What was made and is not written yet.
#[derive(Default)]
pub(super) struct Fresh {
    users: Vec<(PartnerId, UserId, UserProfile)>,
    grants: Vec<(ScopeId, ManualGrant)>,
    events: Vec<(PartnerId, Event)>,
}

impl Run<'_> {
    /// Makes a user of whom no directory speaks.
    pub(super) async fn make_user(
        &mut self,
        tx: &mut Tx,
        home: PartnerId,
        id: UserId,
        profile: UserProfile,
    ) -> Result<(), StoreError> {
        self.fresh.users.push((home, id, profile));
        self.fresh.events.push((home, Event::of(Kind::UserCreated, id)));
        self.written_if_many(tx).await
    }

    /// Gives a grant.
    pub(super) async fn make_grant(
        &mut self,
        tx: &mut Tx,
        home: PartnerId,
        new: ManualGrant,
        event: Event,
    ) -> Result<(), StoreError> {
        self.fresh.grants.push((self.ctx.id(), new));
        self.fresh.events.push((home, event));
        self.written_if_many(tx).await
    }

    async fn written_if_many(&mut self, tx: &mut Tx) -> Result<(), StoreError> {
        if self.fresh.events.len() < MOST { Ok(()) } else { self.written(tx).await }
    }

    /// Writes what waits.
    pub(super) async fn written(&mut self, tx: &mut Tx) -> Result<(), StoreError> {
        let Fresh { users, grants, events } = std::mem::take(&mut self.fresh);
        users::insert_confirmed(tx, &self.by, &users, self.ctx.now()).await?;
        grants::insert(tx, &self.by, &grants).await?;
        events::append_each(tx, self.ctx, &events).await
    }
}
