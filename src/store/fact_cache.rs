//! What is known of the tables while answers are worked out.
//!
//! An answer is worked out from what is known alone. What it finds wanting is noted, all of it is looked up together, and
//! the answer is worked out again. So two hundred answers take as many trips to the database as the deepest of them alone:
//! what counts is how often one thing must be known before another can be asked for, and not how much is asked for.
use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use uuid::Uuid;

use super::effective::RankedGrant;
use super::effective_many::{self, Depth, of_each};
use super::exceptions::{self, Exception, Exemption};
use super::{Reader, Row, SqlValue, StoreError};
use crate::access::decide::{Decision, Question};
use crate::domain::capability::CapabilityId;
use crate::domain::grant::Resource;
use crate::domain::id::{DirectoryId, Id as _, PartnerId, RoleId, UserGroupId, UserId};
use crate::{binds, statements};

statements! {
    // Each part is for one kind of fact; the others are not run.
    FACT: question (d) [I64, Uuid, Uuid, Text] = format!(
        "SELECT p.partner_id, {number} AS number FROM live_users p WHERE $1 = 0 AND p.id = $2 \
        UNION ALL SELECT g.partner_id, {number} FROM user_groups g WHERE $1 = 1 AND g.id = $2 \
        UNION ALL SELECT d.partner_id, {number} FROM directories d WHERE $1 = 2 AND d.id = $2 \
        UNION ALL SELECT r.partner_id, {number} FROM roles r WHERE $1 = 3 AND r.id = $2 \
        UNION ALL SELECT a.ancestor_id, {number} FROM partner_ancestors a \
            WHERE $1 = 4 AND a.partner_id = $2 AND a.ancestor_id = $3 \
        UNION ALL SELECT {partner}, c.id FROM capabilities c WHERE $1 = 5 AND c.name = $4",
        number = d.typed("NULL", "bigint"), partner = d.typed("NULL", "uuid"));
}

/// Something had to be known first; it is noted, and will be looked up. Only a look at what is known makes one, so there
/// is always something to look up, and [`FactCache::settle`] comes to its end.
#[derive(Clone, Copy, Debug)]
pub struct MissingFact(());

/// What is worked out from what is known.
pub type FactResult<T> = Result<T, MissingFact>;

/// Each of them, when all are known. What several find wanting is noted together.
pub fn every<T>(all: impl Iterator<Item = FactResult<T>>) -> FactResult<Vec<T>> {
    let all: Vec<FactResult<T>> = all.collect();
    all.into_iter().collect()
}

/// Answers of one kind, and the questions that wait for one.
#[derive(Debug)]
struct FactTable<K, T> {
    known: HashMap<K, T>,
    wanted: HashSet<K>,
}

impl<K, T> Default for FactTable<K, T> {
    fn default() -> Self {
        Self { known: HashMap::new(), wanted: HashSet::new() }
    }
}

impl<K: Eq + Hash, T: Clone> FactTable<K, T> {
    fn get(&mut self, key: K) -> FactResult<T> {
        match self.known.get(&key) {
            Some(known) => Ok(known.clone()),
            None => {
                self.wanted.insert(key);
                Err(MissingFact(()))
            }
        }
    }

    fn taken(&mut self) -> Vec<K> {
        self.wanted.drain().collect()
    }
}

/// Something small, found by its key.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Fact {
    User(Uuid),
    Group(Uuid),
    Directory(Uuid),
    Role(Uuid),
    Within(Uuid, Uuid),
    Capability(String),
}

impl Fact {
    fn key(&self) -> Vec<SqlValue> {
        let nobody = Uuid::nil();
        match self {
            Self::User(id) => binds![0, *id, nobody, ""],
            Self::Group(id) => binds![1, *id, nobody, ""],
            Self::Directory(id) => binds![2, *id, nobody, ""],
            Self::Role(id) => binds![3, *id, nobody, ""],
            Self::Within(partner, top) => binds![4, *partner, *top, ""],
            Self::Capability(name) => binds![5, nobody, nobody, name],
        }
    }
}

/// A fact's partner or number.
type Found = (Option<PartnerId>, Option<i64>);

/// What is known so far, and what is wanting.
#[derive(Debug, Default)]
pub struct FactCache {
    facts: FactTable<Fact, Option<Found>>,
    permitted: FactTable<Question, bool>,
    decisions: FactTable<Question, Decision>,
    grants: FactTable<Question, Vec<RankedGrant>>,
    exceptions: FactTable<Exemption, Option<Exception>>,
}

impl FactCache {
    /// What `work` comes to, when everything it needs is known.
    ///
    /// # Errors
    /// Only those of the store.
    pub async fn settle<T>(
        &mut self,
        reader: &mut Reader,
        mut work: impl FnMut(&mut Self) -> FactResult<T>,
    ) -> Result<T, StoreError> {
        loop {
            match work(self) {
                Ok(done) => return Ok(done),
                Err(MissingFact(())) => self.look_up(reader).await?,
            }
        }
    }

    /// Looks everything up that is wanting: a trip for each kind at most, but decisions take up to three.
    async fn look_up(&mut self, reader: &mut Reader) -> Result<(), StoreError> {
        let facts = self.facts.taken();
        let found = |row: &Row| Ok((row.get("partner_id")?, row.get("number")?));
        let rows = of_each(reader, &FACT, facts.iter().map(Fact::key).collect(), found).await?;
        self.facts.known.extend(facts.into_iter().zip(rows.into_iter().map(|rows| rows.into_iter().next())));
        self.decide(reader).await?;
        let exceptions = self.exceptions.taken();
        let hits = exceptions::hits(reader, &exceptions).await?;
        self.exceptions.known.extend(exceptions.into_iter().zip(hits));
        Ok(())
    }

    async fn decide(&mut self, reader: &mut Reader) -> Result<(), StoreError> {
        let (decisions, grants) = (self.decisions.taken(), self.grants.taken());
        let mut permitted = self.permitted.taken();
        // Whoever wants the whole decision learns whether it is allowed, too.
        permitted.retain(|question| !decisions.contains(question));
        let asked = |questions: &[Question], depth| questions.iter().map(|one| (*one, depth)).collect::<Vec<_>>();
        let all =
            [asked(&decisions, Depth::Decided), asked(&permitted, Depth::Allowed), asked(&grants, Depth::Explained)]
                .concat();
        let answers = effective_many::answer(reader, &all).await?;
        for ((question, depth), answer) in all.into_iter().zip(answers) {
            match depth {
                Depth::Allowed => drop(self.permitted.known.insert(question, answer.decision.allowed)),
                Depth::Decided => {
                    self.permitted.known.insert(question, answer.decision.allowed);
                    self.decisions.known.insert(question, answer.decision);
                }
                Depth::Explained => drop(self.grants.known.insert(question, answer.grants)),
            }
        }
        Ok(())
    }

    /// Whether it is allowed.
    pub fn permits(&mut self, question: Question) -> FactResult<bool> {
        self.permitted.get(question)
    }

    /// The decision, with the external groups and conditions behind a rule that allows.
    pub fn decision(&mut self, question: Question) -> FactResult<Decision> {
        self.decisions.get(question)
    }

    /// Every grant that bears on a question, the one that gets furthest first.
    pub(super) fn grants(&mut self, question: Question) -> FactResult<Vec<RankedGrant>> {
        self.grants.get(question)
    }

    /// A user as the thing that is acted on.
    pub fn user(&mut self, user: UserId) -> FactResult<Option<Resource>> {
        let partner = self.partner_of(Fact::User(user.uuid()))?;
        Ok(partner.map(|partner| Resource { partner, group: None, owner: Some(user) }))
    }

    /// A user group as the thing that is acted on.
    pub fn group(&mut self, group: UserGroupId) -> FactResult<Option<Resource>> {
        let partner = self.partner_of(Fact::Group(group.uuid()))?;
        Ok(partner.map(|partner| Resource { partner, group: Some(group), owner: None }))
    }

    /// The partner of a directory.
    pub(super) fn directory(&mut self, directory: DirectoryId) -> FactResult<Option<Resource>> {
        let partner = self.partner_of(Fact::Directory(directory.uuid()))?;
        Ok(partner.map(|partner| Resource { partner, group: None, owner: None }))
    }

    /// The partner that owns a role.
    pub(super) fn owner(&mut self, role: RoleId) -> FactResult<Option<PartnerId>> {
        self.partner_of(Fact::Role(role.uuid()))
    }

    /// Whether a partner is `top` or below it.
    pub(super) fn within(&mut self, partner: PartnerId, top: PartnerId) -> FactResult<bool> {
        Ok(self.partner_of(Fact::Within(partner.uuid(), top.uuid()))?.is_some())
    }

    /// The capability of a name.
    pub fn capability(&mut self, name: &str) -> FactResult<Option<CapabilityId>> {
        let found = self.facts.get(Fact::Capability(name.to_owned()))?;
        Ok(found.and_then(|(_, number)| number).map(CapabilityId))
    }

    /// The exception that keeps a resource out of a scope.
    pub(super) fn exception(&mut self, of: Exemption) -> FactResult<Option<Exception>> {
        self.exceptions.get(of)
    }

    fn partner_of(&mut self, fact: Fact) -> FactResult<Option<PartnerId>> {
        Ok(self.facts.get(fact)?.and_then(|(partner, _)| partner))
    }
}
