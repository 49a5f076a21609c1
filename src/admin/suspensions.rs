//! Switching off and on: in whose name, and who may lift it (guard G16). What was decided above is not undone from below.
use super::authority;
use super::error::AdminError;
use super::validate;
use crate::access::decide::Question;
use crate::access::delegation::Authority;
use crate::access::scope::contains;
use crate::domain::capability::CoreCapability;
use crate::domain::ctx::Ctx;
use crate::domain::grant::{Resource, Scope, ScopeBase};
use crate::domain::id::{Id, PartnerId, UserId};
use crate::domain::time::Timestamp;
use crate::domain::user::{HoldKind, SuspensionSource};
use crate::provision::event::{Event, Kind};
use crate::store::effective_tree::StoredTree;
use crate::store::extent::PartnerExtent;
use crate::store::suspensions::{self, Hold};
use crate::store::{Reader, effective, effective_lists, resources};

/// How long whoever held something for security waits before lifting it alone, in microseconds: a day.
const COOLING: i64 = 24 * 60 * 60 * 1_000_000;

/// What is to be switched off, and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SuspensionOrder<'a> {
    /// For what.
    pub kind: HoldKind,
    /// Why, for those who may see in whose name.
    pub cause: &'a str,
    /// Why, for those below.
    pub notice: Option<&'a str>,
    /// In whose name; none: as high as the actor stands.
    pub standing: Option<PartnerId>,
    /// From when on: of [`HoldKind::End`], and of nothing else.
    pub at: Option<Timestamp>,
}

/// What came of lifting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lifted {
    /// Whether anything was lifted.
    pub changed: bool,
    /// How many rows are left: while there is one, the thing stays off.
    pub still: usize,
}

/// The thing that is switched off or on, and who acts.
pub(super) struct Case {
    pub(super) actor: UserId,
    pub(super) at: PartnerExtent,
    /// The partner, or the user with their home.
    pub(super) target: Resource,
    pub(super) now: Timestamp,
}

/// What somebody must be allowed to do to hold a partner, or a user when `of_user`.
pub(super) fn needs(kind: HoldKind, of_user: bool) -> CoreCapability {
    match (kind, of_user) {
        (HoldKind::Partner, false) => CoreCapability::PartnerSuspend,
        (HoldKind::Partner, true) | (HoldKind::End, _) => CoreCapability::UserWrite,
        (HoldKind::Billing, _) => CoreCapability::BillingHold,
        (HoldKind::Security, _) => CoreCapability::SecurityHold,
    }
}

/// The extent over the target in which the actor may lift holds of this kind, or of any.
pub(super) async fn extent_to_lift(
    reader: &mut Reader,
    actor: UserId,
    target: Resource,
    kind: Option<HoldKind>,
    now: Timestamp,
) -> Result<PartnerExtent, AdminError> {
    let mut refused = None;
    for kind in HoldKind::ALL.iter().filter(|one| kind.is_none_or(|kind| kind == **one)) {
        match authority::at(reader, actor, needs(*kind, target.owner.is_some()), target, now).await {
            Ok(at) => return Ok(at),
            Err(why @ (AdminError::Forbidden(_) | AdminError::NotFound)) => refused = refused.or(Some(why)),
            Err(other) => return Err(other),
        }
    }
    Err(refused.unwrap_or(AdminError::NotFound))
}

impl Case {
    fn of_user(&self) -> bool {
        self.target.owner.is_some()
    }

    fn home(&self) -> PartnerId {
        self.target.partner
    }

    /// The row that an order makes.
    pub(super) async fn hold(
        &self,
        reader: &mut Reader,
        ctx: &Ctx,
        order: &SuspensionOrder<'_>,
    ) -> Result<Hold, AdminError> {
        let invalid = |why: &str| Err(AdminError::Invalid(why.to_owned()));
        let standing = match (order.kind, order.at) {
            (HoldKind::End, _) if !self.of_user() => return invalid("Only users have an end: leave `kind` out."),
            (HoldKind::End, None) => {
                return invalid("The kind `end` needs `effective_at`: the moment from which they are off.");
            }
            // Whoever may change the user so far may move the day: it stands in no other name than their home's.
            (HoldKind::End, Some(_)) if order.standing.is_some_and(|asked| asked != self.home()) => {
                return invalid("An end stands in the name of the user's home: leave `standing` out.");
            }
            (HoldKind::End, Some(_)) => self.home(),
            (_, Some(_)) => {
                return invalid("Only the kind `end` has a moment; others hold at once: leave `effective_at` out.");
            }
            (_, None) => self.standing(reader, order).await?,
        };
        Ok(Hold {
            source: SuspensionSource::Decided(order.kind, standing),
            cause: validate::name("reason", order.cause)?,
            notice: validate::optional("notice", order.notice)?,
            by: Some(self.actor),
            since: ctx.now(),
            from: order.at,
        })
    }

    /// In whose name: the actor's home when it is the target or above it, else where the grant that allows it begins, of
    /// several the lowest; or lower, when the actor asks for it.
    async fn standing(&self, reader: &mut Reader, order: &SuspensionOrder<'_>) -> Result<PartnerId, AdminError> {
        let names = suspensions::names(reader, &self.at, self.home()).await?;
        // An act of the institution is in the name of a partner above the one it stops.
        let strictly = order.kind != HoldKind::Partner && !self.of_user();
        let fit: &[PartnerId] = if strictly { names.get(1..).unwrap_or_default() } else { &names };
        let home = resources::of_user(reader, self.actor).await?.map(|home| home.partner);
        let highest = match fit.iter().position(|name| Some(*name) == home) {
            Some(own) => Some(own),
            None => self.lowest_top(reader, needs(order.kind, self.of_user()), fit).await?,
        };
        let highest = match (highest, strictly) {
            (Some(at), _) => at,
            (None, false) => 0,
            (None, true) => {
                let why =
                    "This is held in the name of a partner above, and nothing you hold begins above this partner.";
                return Err(AdminError::Forbidden(why.to_owned()));
            }
        };
        let wanted = match order.standing {
            None => highest,
            Some(asked) => fit.iter().position(|name| *name == asked).filter(|at| *at <= highest).ok_or_else(|| {
                let why = "`standing` names a partner between the one that is switched off and the one you stand for.";
                AdminError::Invalid(why.to_owned())
            })?,
        };
        fit.get(wanted).copied().ok_or(AdminError::NotFound)
    }

    /// Where the actor's grants that carry `needs` and reach the target begin: the lowest of `names`, by its place there.
    async fn lowest_top(
        &self,
        reader: &mut Reader,
        needs: CoreCapability,
        names: &[PartnerId],
    ) -> Result<Option<usize>, AdminError> {
        let mine = effective_lists::authority(reader, self.actor, self.now).await?;
        let mut lowest = None;
        for within in self.reaching(reader, &mine, needs, &[self.home()]).await? {
            // What lies in all of the scopes begins at the lowest of them.
            let tops = within.iter().filter_map(|scope| names.iter().position(|name| *name == scope.partner()));
            let top = if tops.clone().count() == within.len() { tops.min() } else { None };
            lowest = match (lowest, top) {
                (Some(one), Some(two)) => Some(std::cmp::min::<usize>(one, two)),
                (one, two) => one.or(two),
            };
        }
        Ok(lowest)
    }

    /// The scopes of each holding that carries a capability and reaches all of these partners as such.
    async fn reaching<'a>(
        &self,
        reader: &mut Reader,
        mine: &'a Authority,
        needs: CoreCapability,
        partners: &[PartnerId],
    ) -> Result<Vec<&'a [Scope]>, AdminError> {
        let wanted: Vec<Scope> = partners.iter().map(|one| Scope::of(ScopeBase::Partner { partner: *one })).collect();
        let held = mine.holdings.iter().filter(|holding| holding.capabilities.contains(&needs.id()));
        let held: Vec<&[Scope]> = held.map(|holding| holding.within.as_slice()).collect();
        let scopes = held.iter().flat_map(|within| within.iter()).chain(&wanted);
        let tree = StoredTree::load(reader, scopes).await?;
        let reaches = |within: &&[Scope]| within.iter().all(|over| wanted.iter().all(|one| contains(over, one, &tree)));
        Ok(held.into_iter().filter(reaches).collect())
    }

    /// Whether the actor may lift a row: by a grant that reaches the target and the partner in whose name it stands, or
    /// because it is their own and they might still set it. What is held for security is lifted by somebody else, or after
    /// a day.
    pub(super) async fn may_lift(
        &self,
        reader: &mut Reader,
        hold: &Hold,
        guard: impl AsyncFnOnce(&mut Reader) -> Result<bool, AdminError>,
    ) -> Result<bool, AdminError> {
        let (kind, standing) = match hold.source {
            SuspensionSource::Decided(kind, standing) => (kind, Some(standing)),
            // Of before names were kept: nobody below the top knows who decided it.
            SuspensionSource::Admin => {
                (HoldKind::Partner, suspensions::names(reader, &self.at, self.home()).await?.last().copied())
            }
            SuspensionSource::Connection(_) => return Ok(false),
        };
        let (needs, own) = (needs(kind, self.of_user()), hold.by == Some(self.actor));
        let question = Question { principal: self.actor, capability: needs.id(), resource: self.target, now: self.now };
        if !effective::permits(reader, &question).await? {
            return Ok(false);
        }
        let cooled = self.now.micros().saturating_sub(hold.since.micros()) >= COOLING;
        if kind == HoldKind::Security && own && !cooled {
            return Ok(false);
        }
        if kind == HoldKind::End {
            return guard(reader).await;
        }
        let mine = effective_lists::authority(reader, self.actor, self.now).await?;
        let both: Vec<PartnerId> = standing.into_iter().chain([self.home()]).collect();
        if !self.reaching(reader, &mine, needs, &both).await?.is_empty() {
            return Ok(true);
        }
        // A bill and safety ask nothing of those below, to set or to lift.
        Ok(own && (kind != HoldKind::Partner || guard(reader).await?))
    }
}

/// The line of the log about a row that came or went, with how many are there now.
pub(super) fn line(what: Kind, subject: impl Id, hold: &Hold, still: usize) -> Event {
    let mut line = Event::of(what, subject).word("kind", hold.source.kind()).count("still", still);
    if let Some(from) = hold.from {
        line = line.moment("from", from);
    }
    match hold.source {
        SuspensionSource::Decided(_, standing) => line.id("standing", standing),
        SuspensionSource::Admin | SuspensionSource::Connection(_) => line,
    }
}

/// What a refused lifting says.
pub(super) fn not_yours() -> AdminError {
    let why = "This was switched off in the name of a partner above, or for a reason that is not yours to lift: whoever \
        may do the same there lifts it.";
    AdminError::Forbidden(why.to_owned())
}
