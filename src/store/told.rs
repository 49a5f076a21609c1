//! What somebody is told of grounds: each name only as far as they may see what it names. Whoever prints what stands behind
//! an answer asks here first, whatever the door; what is hidden is counted, and never named.
use std::collections::BTreeMap;

use uuid::Uuid;

use super::effective::{self, RankedProof};
use super::effective_lists::{GrantOfPerson, GroupOfPerson};
use super::effective_tree::StoredTree;
use super::exceptions::{self, Exception};
use super::extent::PartnerExtent;
use super::holds::{self, Hold};
use super::{Reader, StoreError, activity, resources, roles};
use crate::access::decide::{Decision, Nearest, Question, Rank, near_miss};
use crate::access::explain::{GroundLine, Miss, Named, Proof, Reason, RuleLine, Support, Through};
use crate::access::scope::Tree as _;
use crate::domain::capability::Core;
use crate::domain::grant::{Reach, Resource, Scope};
use crate::domain::id::{ConnectionId, DirectoryId, Id, PartnerId, UserGroupId, UserId};
use crate::domain::time::Timestamp;
use crate::domain::user::SuspensionSource;

/// What one person may see, asked once for each thing.
#[derive(Debug)]
pub struct Sight {
    asker: UserId,
    now: Timestamp,
    known: BTreeMap<(i64, Uuid), bool>,
    /// A product, which asks about partners and people that it knows by id, and is told no person's name.
    product: bool,
}

impl Sight {
    /// The sight of `asker`.
    pub fn of(asker: UserId, now: Timestamp) -> Self {
        Self { asker, now, known: BTreeMap::new(), product: false }
    }

    /// The sight of whoever asks for decisions as a product does: what they may ask about, they may read the reasons of.
    /// That they may ask about `resource` and its owner has been seen.
    pub fn of_product(asker: UserId, resource: &Resource, now: Timestamp) -> Self {
        let mut sight = Self { product: true, ..Self::of(asker, now) };
        sight.known.insert((Core::AccessAsk.id().0, resource.partner.uuid()), true);
        sight
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
        if self.product && self.may(reader, Core::AccessAsk, id.uuid(), Some(resource)).await? {
            return Ok(true);
        }
        self.may(reader, Core::PartnerView, id.uuid(), Some(resource)).await
    }

    /// Whether the asker may see a person; everybody sees themselves.
    ///
    /// # Errors
    /// Only those of the store.
    pub async fn person(&mut self, reader: &mut Reader, id: UserId) -> Result<bool, StoreError> {
        if id == self.asker || self.product {
            return Ok(id == self.asker);
        }
        let resource = resources::of_user(reader, id).await?;
        self.may(reader, Core::UserView, id.uuid(), resource).await
    }

    /// Whether the asker may see what a person holds; everybody sees what they hold themselves.
    async fn roles_of(&mut self, reader: &mut Reader, id: UserId) -> Result<bool, StoreError> {
        if id == self.asker || self.product {
            return Ok(true);
        }
        let resource = resources::of_user(reader, id).await?;
        self.may(reader, Core::RoleView, id.uuid(), resource).await
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

/// An answer as one asker is told of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Told {
    /// Yes or no.
    pub allowed: bool,
    /// Why, in a sentence.
    pub sentence: String,
    /// Why, with nothing in it that the asker may not see; none when all that stands behind a yes is hidden.
    pub reason: Option<Reason>,
    /// The exception of the nearest grant that is in the way, when it is one and the asker may see it.
    pub exception: Option<Exception>,
    /// The capability that nothing carries.
    pub missing: Option<String>,
}

/// What `sight` is told of the answer to a question about `capability`.
///
/// # Errors
/// Only those of the store.
pub async fn decision(
    reader: &mut Reader,
    sight: &mut Sight,
    question: &Question,
    capability: &str,
    decision: Decision,
) -> Result<Told, StoreError> {
    let allowed = decision.allowed;
    let told = |sentence, reason| Told { allowed, sentence, reason, exception: None, missing: None };
    match decision.reason {
        Reason::Granted(first) => {
            let shown = match proof(reader, sight, question.principal, *first).await? {
                Some(proof) => Some(proof),
                None => nearest(reader, sight, question, true).await?.0.map(|nearest| nearest.proof),
            };
            let Some(proof) = shown else {
                return Ok(told("Allowed. A ground you may not see stands behind it.".to_owned(), None));
            };
            let reason = Reason::Granted(Box::new(proof));
            Ok(told(reason.to_string(), Some(reason)))
        }
        Reason::Refused { misses } => {
            let (mut shown, mut exception) = (Vec::with_capacity(misses.len()), None);
            for one in misses {
                let one = miss(reader, sight, question, one).await?;
                if let Miss::OutOfScope { nearest } = &one {
                    exception = seen_exception(reader, sight, nearest, &question.resource).await?;
                }
                shown.push(one);
            }
            let sentence = match (shown.first(), &exception) {
                (Some(Miss::NoGrant), _) => format!("No grant of the person carries the capability {capability}."),
                (Some(first @ Miss::OutOfScope { .. }), Some(exception)) => {
                    let first = first.to_string();
                    format!("{}; {} is an exception of it.", first.trim_end_matches('.'), exception.name())
                }
                _ => Reason::Refused { misses: shown.clone() }.to_string(),
            };
            let missing = shown.contains(&Miss::NoGrant).then(|| capability.to_owned());
            Ok(Told { allowed, sentence, reason: Some(Reason::Refused { misses: shown }), exception, missing })
        }
    }
}

impl Exception {
    fn name(&self) -> String {
        match self {
            Self::Partner(partner) => partner.name.clone(),
            Self::Group(group) => format!("the user group {}", group.name),
        }
    }
}

async fn seen_exception(
    reader: &mut Reader,
    sight: &mut Sight,
    nearest: &Proof,
    resource: &Resource,
) -> Result<Option<Exception>, StoreError> {
    let Some(found) = exceptions::hit(reader, nearest, resource).await? else { return Ok(None) };
    let seen = match &found {
        Exception::Partner(partner) => sight.partner(reader, partner.id).await?,
        Exception::Group(group) => sight.group(reader, group.id).await?,
    };
    Ok(Some(found).filter(|_| seen))
}

/// The grant that gets furthest of those that are shown, and how many are not. With `allowing`, only one that allows.
async fn nearest(
    reader: &mut Reader,
    sight: &mut Sight,
    question: &Question,
    allowing: bool,
) -> Result<(Option<Nearest>, usize), StoreError> {
    let (mut found, mut hidden) = (None, 0_usize);
    for line in effective::explain(reader, question).await?.grants {
        let RankedProof { rank, proof: whole, asleep } = line;
        match proof(reader, sight, question.principal, whole).await? {
            None => hidden = hidden.saturating_add(1),
            Some(_) if found.is_some() || (allowing && rank != Rank::Allows) => {}
            Some(proof) => found = Some(Nearest { rank, proof, dormant: asleep }),
        }
    }
    Ok((found, hidden))
}

async fn miss(reader: &mut Reader, sight: &mut Sight, question: &Question, miss: Miss) -> Result<Miss, StoreError> {
    let whole = match miss {
        Miss::HomeSuspended { partner, source } => {
            let partner = partner_or_hidden(reader, sight, partner).await?;
            return Ok(Miss::HomeSuspended { partner, source });
        }
        Miss::PartnerSuspended { partner, source } => {
            let partner = partner_or_hidden(reader, sight, partner).await?;
            return Ok(Miss::PartnerSuspended { partner, source });
        }
        Miss::NotNow { nearest, cause } => Nearest { rank: Rank::Dormant, proof: *nearest, dormant: Some(cause) },
        Miss::OutOfScope { nearest } => Nearest { rank: Rank::OutOfScope, proof: *nearest, dormant: None },
        Miss::Clipped { nearest, .. } | Miss::Unconfirmed { nearest } => {
            Nearest { rank: Rank::Clipped, proof: *nearest, dormant: None }
        }
        other => return Ok(other),
    };
    if let Some(proof) = proof(reader, sight, question.principal, whole.proof.clone()).await?
        && let Some(miss) = near_miss(Nearest { proof, ..whole })
    {
        return Ok(miss);
    }
    let (shown, hidden) = nearest(reader, sight, question, false).await?;
    Ok(shown.and_then(near_miss).unwrap_or_else(|| Miss::Hidden { hidden_grounds: counted(hidden) }))
}

async fn partner_or_hidden(
    reader: &mut Reader,
    sight: &mut Sight,
    partner: Named<PartnerId>,
) -> Result<Named<PartnerId>, StoreError> {
    Ok(if sight.partner(reader, partner.id).await? { partner } else { Named::hidden() })
}

/// How many grounds are hidden: exact to 9, then `10+`.
pub fn counted(hidden: usize) -> String {
    if hidden > 9 { "10+".to_owned() } else { hidden.to_string() }
}

/// What a person holds as one asker is told of it, and how many lines are hidden.
///
/// # Errors
/// Only those of the store.
pub async fn grants(
    reader: &mut Reader,
    sight: &mut Sight,
    holder: UserId,
    all: Vec<GrantOfPerson>,
) -> Result<(Vec<GrantOfPerson>, usize), StoreError> {
    let (mut shown, mut hidden) = (Vec::with_capacity(all.len()), 0_usize);
    for line in all {
        match proof(reader, sight, holder, line.proof).await? {
            Some(proof) => shown.push(GrantOfPerson { proof, scope: scope(reader, sight, line.scope).await?, ..line }),
            None => hidden = hidden.saturating_add(1),
        }
    }
    Ok((shown, hidden))
}

/// The user groups a person is in as one asker is told of them.
///
/// # Errors
/// Only those of the store.
pub async fn groups(
    reader: &mut Reader,
    sight: &mut Sight,
    person: UserId,
    all: Vec<GroupOfPerson>,
) -> Result<Vec<GroupOfPerson>, StoreError> {
    let mut told = Vec::with_capacity(all.len());
    for line in all {
        told.push(GroupOfPerson { ground: ground(reader, sight, person, line.ground).await?, ..line });
    }
    Ok(told)
}

/// A scope without what the asker may not see; it says nothing of how much that is.
///
/// # Errors
/// Only those of the store.
pub async fn scope(reader: &mut Reader, sight: &mut Sight, whole: Scope) -> Result<Scope, StoreError> {
    let mut scope = Scope { without_partners: Default::default(), without_groups: Default::default(), ..whole.clone() };
    for partner in whole.without_partners {
        if sight.partner(reader, partner).await? {
            scope.without_partners.insert(partner);
        }
    }
    for group in whole.without_groups {
        if sight.group(reader, group).await? {
            scope.without_groups.insert(group);
        }
    }
    if let Reach::Groups { groups, .. } = &mut scope.reach {
        for group in groups.clone() {
            if !sight.group(reader, group).await? {
                groups.remove(&group);
            }
        }
    }
    Ok(scope)
}

/// A scope as [`scope`] has it, hanging on no partner when the asker may not see that one.
///
/// # Errors
/// Only those of the store.
pub async fn scope_of_directory(reader: &mut Reader, sight: &mut Sight, whole: Scope) -> Result<Scope, StoreError> {
    let mut scope = scope(reader, sight, whole).await?;
    if !sight.partner(reader, scope.partner()).await? {
        let partner = PartnerId::from_uuid(Uuid::nil());
        scope.reach = match scope.reach {
            Reach::Own { .. } => Reach::Own { partner },
            Reach::Partner { .. } => Reach::Partner { partner },
            Reach::Subtree { .. } => Reach::Subtree { partner },
            Reach::Groups { .. } => Reach::Groups { partner, groups: Default::default() },
        };
    }
    Ok(scope)
}

/// A ground with nothing in it that the asker may not see; none when all of it is hidden.
async fn proof(
    reader: &mut Reader,
    sight: &mut Sight,
    holder: UserId,
    whole: Proof,
) -> Result<Option<Proof>, StoreError> {
    let own = holder == sight.asker;
    let seen = own || (sight.partner(reader, whole.scope.partner.id).await? && sight.roles_of(reader, holder).await?);
    if !seen {
        return Ok(None);
    }
    let Proof { role, scope, support } = whole;
    let role = if own || usable(reader, sight, &role, scope.partner.id).await? { role } else { Named::hidden() };
    let support = match support {
        Support::Rule(line) => Support::Rule(rule(reader, sight, own, line).await?),
        Support::Manual { grant, granted_by, at, through } => {
            let granted_by = match granted_by {
                Some(by) if !sight.person(reader, by.id).await? => Some(Named::hidden()),
                seen => seen,
            };
            let through = match through {
                None => None,
                Some(Through { group, ground: whole }) => {
                    let seen = own || sight.product || sight.group(reader, group.id).await?;
                    let group = if seen { group } else { Named::hidden() };
                    Some(Through { group, ground: ground(reader, sight, holder, whole).await? })
                }
            };
            Support::Manual { grant, granted_by, at, through }
        }
    };
    Ok(Some(Proof { role, scope, support }))
}

/// Whether the asker may know a role that is held over a partner they see: its owner is one they see, or above one.
async fn usable<T>(reader: &mut Reader, sight: &mut Sight, role: &Named<T>, over: PartnerId) -> Result<bool, StoreError>
where
    T: Id,
{
    let Some(owner) = roles::owner(reader, crate::domain::id::RoleId::from_uuid(role.id.uuid())).await? else {
        return Ok(true);
    };
    if owner == over {
        return Ok(true);
    }
    let tree = StoredTree::load(reader, &[Scope::of(Reach::Partner { partner: over })]).await?;
    Ok(tree.within(over, owner) || sight.partner(reader, owner).await?)
}

async fn ground(
    reader: &mut Reader,
    sight: &mut Sight,
    person: UserId,
    whole: GroundLine,
) -> Result<GroundLine, StoreError> {
    Ok(match whole {
        GroundLine::Rule(line) => GroundLine::Rule(rule(reader, sight, person == sight.asker, line).await?),
        GroundLine::Resting { directory: Some(directory) } => {
            let seen = sight.directory(reader, directory.id).await?;
            GroundLine::Resting { directory: Some(if seen { directory } else { Named::hidden() }) }
        }
        plain => plain,
    })
}

async fn rule(reader: &mut Reader, sight: &mut Sight, own: bool, line: RuleLine) -> Result<RuleLine, StoreError> {
    if sight.directory(reader, line.directory.id).await? {
        return Ok(line);
    }
    let witnesses = if own { line.witnesses } else { Vec::new() };
    Ok(RuleLine { rule: Named::hidden(), directory: Named::hidden(), witnesses })
}

/// The names of things as one asker may read them; what they may not see has none.
///
/// # Errors
/// Only those of the store.
pub async fn names(reader: &mut Reader, sight: &mut Sight, ids: &[Uuid]) -> Result<Vec<(Uuid, String)>, StoreError> {
    let mut seen = Vec::new();
    for (kind, id, name) in activity::kinds(reader, ids).await? {
        let may = match kind {
            activity::Thing::Person => sight.person(reader, UserId::from_uuid(id)).await?,
            activity::Thing::Partner => sight.partner(reader, PartnerId::from_uuid(id)).await?,
            activity::Thing::Directory => sight.directory(reader, DirectoryId::from_uuid(id)).await?,
            activity::Thing::UserGroup => sight.group(reader, UserGroupId::from_uuid(id)).await?,
            activity::Thing::Other => true,
        };
        if may {
            seen.push((id, name));
        }
    }
    Ok(seen)
}

/// A suspension as one asker is told of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ToldHold {
    /// `partner`, `billing`, `security`, `end` or `directory`.
    pub kind: &'static str,
    /// The partner in whose name it was decided, when the asker may see it.
    pub standing: Option<Named<PartnerId>>,
    /// The connection that says so.
    pub connection: Option<ConnectionId>,
    /// By whom, in words.
    pub words: String,
    /// Why, when the asker may see in whose name; else what those below are told, when anything is said to them.
    pub cause: Option<String>,
    /// When it was decided.
    pub since: Timestamp,
    /// From when on it holds; none: since it was decided.
    pub from: Option<Timestamp>,
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
                told.push(ToldHold {
                    kind,
                    standing: None,
                    connection: Some(connection),
                    words,
                    cause,
                    since,
                    from: None,
                });
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
        told.push(ToldHold { kind, standing, connection: None, words, cause, since: hold.since, from: hold.from });
    }
    Ok(told)
}
