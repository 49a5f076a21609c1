//! What is known while questions are answered. Of a batch, everything that its answers may need is asked at once before,
//! so that it costs a trip or two however many questions it holds; what is not known then is asked by itself.
use std::collections::HashMap;

use super::ask::{named, partner, product, questions};
use super::model::{Asked, Entity};
use crate::access::decide::{Decision, Question};
use crate::domain::capability::CapabilityId;
use crate::domain::grant::Resource;
use crate::domain::id::{Id as _, UserGroupId, UserId};
use crate::domain::time::Timestamp;
use crate::store::effective_many::{self, Found, Key, key_of};
use crate::store::{Reader, StoreError, catalog, effective, resources};

/// Answers from what is known, and asks for the rest.
pub(super) struct Board<'r> {
    reader: &'r mut Reader,
    found: Option<Found>,
    decided: HashMap<Key, Decision>,
}

impl<'r> Board<'r> {
    /// Nothing is known yet.
    pub fn new(reader: &'r mut Reader) -> Self {
        Self { reader, found: None, decided: HashMap::new() }
    }

    /// Everything that answers to these may need, when that is better asked at once.
    pub async fn of(
        reader: &'r mut Reader,
        asker: UserId,
        items: &[&Asked],
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let mut board = Self::new(reader);
        if items.len() < 2 || !effective_many::is_worth_it(board.reader) {
            return Ok(board);
        }
        let (mut ids, mut names) = (Vec::new(), Vec::new());
        for asked in items {
            let (some, name) = named(asked);
            ids.extend(some);
            names.push(name);
        }
        ids.sort_unstable();
        ids.dedup();
        names.sort_unstable();
        names.dedup();
        board.found = Some(effective_many::find(board.reader, &ids, &names).await?);
        let mut all: HashMap<Key, Question> = HashMap::new();
        for asked in items {
            all.extend(questions(asker, asked, &board, now).into_iter().map(|question| (key_of(&question), question)));
        }
        let (keys, all): (Vec<Key>, Vec<Question>) = all.into_iter().unzip();
        let decisions = effective_many::decide(board.reader, &all).await?;
        board.decided = keys.into_iter().zip(decisions).collect();
        Ok(board)
    }

    /// The store, for what is told of one answer.
    pub fn reader(&mut self) -> &mut Reader {
        self.reader
    }

    /// The decision, with the external groups and conditions behind a rule that allows.
    pub async fn decide(&mut self, question: &Question) -> Result<Decision, StoreError> {
        match self.decided.get(&key_of(question)) {
            Some(decision) => Ok(decision.clone()),
            None => effective::decide_with_witnesses(self.reader, question).await,
        }
    }

    /// Whether it is allowed.
    pub async fn permits(&mut self, question: &Question) -> Result<bool, StoreError> {
        match self.decided.get(&key_of(question)) {
            Some(decision) => Ok(decision.allowed),
            None => effective::permits(self.reader, question).await,
        }
    }

    /// The capability of a name.
    pub async fn capability(&mut self, name: &str) -> Result<Option<CapabilityId>, StoreError> {
        match &self.found {
            Some(_) => Ok(self.known_capability(name)),
            None => catalog::capability(self.reader, name).await,
        }
    }

    /// A person as a resource.
    pub async fn person(&mut self, user: UserId) -> Result<Option<Resource>, StoreError> {
        match &self.found {
            Some(_) => Ok(self.known_person(user)),
            None => resources::of_user(self.reader, user).await,
        }
    }

    /// A user group as a resource.
    pub async fn group(&mut self, group: UserGroupId) -> Result<Option<Resource>, StoreError> {
        match &self.found {
            Some(_) => Ok(self.known_group(group)),
            None => resources::of_group(self.reader, group).await,
        }
    }

    /// The same, of what has been looked up.
    pub fn known_capability(&self, name: &str) -> Option<CapabilityId> {
        self.found.as_ref()?.capabilities.get(name).copied()
    }

    /// The same, of what has been looked up.
    pub fn known_person(&self, user: UserId) -> Option<Resource> {
        let partner = *self.found.as_ref()?.people.get(&user.uuid())?;
        Some(Resource { partner, group: None, owner: Some(user) })
    }

    fn known_group(&self, group: UserGroupId) -> Option<Resource> {
        let partner = *self.found.as_ref()?.groups.get(&group.uuid())?;
        Some(Resource { partner, group: Some(group), owner: None })
    }

    /// What a resource is, of what has been looked up.
    pub fn known_resource(&self, entity: &Entity) -> Option<Resource> {
        match entity.kind.as_str() {
            "partner" => partner(entity),
            "user" => self.known_person(entity.id.parse().ok()?),
            "user_group" => self.known_group(entity.id.parse().ok()?),
            _ => product(entity),
        }
    }
}
