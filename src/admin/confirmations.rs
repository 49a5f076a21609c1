//! Confirming many users of one partner at once: shown first, each with what would come to them, and carried out by the
//! hash of what was shown. There is no "everybody of a directory": whoever trusts one that far raises its ceiling.
use std::collections::BTreeSet;

use super::authority;
use super::error::AdminError;
use super::most::CONFIRMED_AT_ONCE;
use crate::access::explain::{GrantOrigin, MembershipSummary};
use crate::domain::capability::CoreCapability;
use crate::domain::ctx::Ctx;
use crate::domain::id::{GrantId, PartnerId, UserId};
use crate::domain::user::User;
use crate::provision::event::{Event, Kind};
use crate::provision::events;
use crate::secret::sha256;
use crate::store::effective_lists::{CeilingEffect, UserGrant};
use crate::store::extent::PartnerExtent;
use crate::store::visible_reasons::{self, Sight};
use crate::store::{Reader, Store, StoreError, Tx, delegated_access, effective_lists, users};

/// Who is meant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Whom {
    /// These.
    These(Vec<UserId>),
    /// Everybody at home in the partner whom nobody has confirmed, and whose name, address or sign-in name contains this.
    Found(String),
}

/// What would become of somebody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fate {
    /// They would be confirmed.
    Confirmable,
    /// Somebody has confirmed them before.
    Confirmed,
    /// They would not be; why, in a sentence.
    Refused(String),
}

/// One of those who are meant.
#[derive(Clone, Debug)]
pub struct UserToConfirm {
    /// The user.
    pub user: User,
    /// What would become of them.
    pub fate: Fate,
    /// What would come to them, as far as whoever asks may see it.
    pub gains: Vec<UserGrant>,
    /// How much would come to them besides.
    pub hidden: usize,
    /// What the hash is about: the grants that would reach them further, whoever looks.
    gained: BTreeSet<(GrantId, &'static str)>,
}

/// What confirming would do.
#[derive(Clone, Debug)]
pub struct Plan {
    partner: PartnerId,
    /// Those who are meant, by name where they were searched for, else as they were named.
    pub lines: Vec<UserToConfirm>,
}

impl Plan {
    /// How many would be confirmed.
    pub fn confirmable(&self) -> usize {
        self.lines.iter().filter(|line| line.fate == Fate::Confirmable).count()
    }

    /// Names exactly who would be confirmed and what would come to each: two plans that would do the same have the same
    /// hash.
    pub fn hash(&self) -> String {
        let mut parts: Vec<String> = Vec::new();
        for line in self.lines.iter().filter(|line| line.fate == Fate::Confirmable) {
            let gained = line.gained.iter().map(|(grant, clip)| format!(" {grant} {clip}"));
            parts.push(format!("{}{}\n", line.user.id, gained.collect::<String>()));
        }
        parts.sort_unstable();
        let text = format!("confirm {}\n{}", self.partner, parts.concat());
        sha256(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Why nobody was confirmed.
#[derive(Debug)]
pub enum NotConfirmed {
    /// It is refused.
    Refused(AdminError),
    /// It would by now do something else than what was shown: this.
    Changed(Box<Plan>),
}

impl<T: Into<AdminError>> From<T> for NotConfirmed {
    fn from(why: T) -> Self {
        Self::Refused(why.into())
    }
}

/// What confirming would do; changes nothing.
///
/// # Errors
/// [`AdminError`]: the actor may not, somebody who is named is not at home there, or they are too many.
pub async fn plan(
    reader: &mut Reader,
    ctx: &Ctx,
    (actor, partner): (UserId, PartnerId),
    whom: &Whom,
) -> Result<Plan, AdminError> {
    look(reader, ctx, (actor, partner), whom).await.map(|(_, plan)| plan)
}

/// Confirms those who were shown to be confirmable, when that is still what would be done; how many.
///
/// # Errors
/// [`NotConfirmed`]: as [`plan`], or the plan has another hash by now.
pub async fn carry_out(
    store: &Store,
    ctx: &Ctx,
    (actor, partner): (UserId, PartnerId),
    whom: &Whom,
    agreed: &str,
) -> Result<(Plan, usize), NotConfirmed> {
    store
        .write_serializable(async |tx: &mut Tx| {
            let (at, plan) = look(tx, ctx, (actor, partner), whom).await?;
            if plan.hash() != agreed {
                return Err(NotConfirmed::Changed(Box::new(plan)));
            }
            let mut confirmed = 0;
            for line in plan.lines.iter().filter(|line| line.fate == Fate::Confirmable) {
                let id = line.user.id;
                if users::confirm(tx, &at, id, Some(actor), ctx.now()).await? {
                    events::append(tx, ctx, at.partner(), &[Event::of(Kind::UserConfirmed, id)]).await?;
                    confirmed += 1;
                }
            }
            Ok((plan, confirmed))
        })
        .await
}

async fn look(
    reader: &mut Reader,
    ctx: &Ctx,
    (actor, partner): (UserId, PartnerId),
    whom: &Whom,
) -> Result<(PartnerExtent, Plan), AdminError> {
    let at = authority::at_partner(reader, actor, CoreCapability::UserWrite, partner, ctx.now()).await?.alone();
    let meant = meant(reader, &at, whom).await?;
    let may_give = match meant.first() {
        Some(first) => gives(reader, ctx, actor, &at, first.id).await?,
        None => true,
    };
    let mut sight = Sight::of(actor, ctx.now());
    let mut lines = Vec::with_capacity(meant.len());
    for user in meant {
        let fate = fate(reader, ctx, actor, &user, may_give).await?;
        let all = effective_lists::grants_of(reader, &at, user.id, ctx.now()).await?;
        let gaining = if fate == Fate::Confirmed { Vec::new() } else { further(all) };
        let gained = gaining.iter().filter_map(|line| Some((line.grant?, word(line.ceiling_effect)))).collect();
        let (gains, hidden) = visible_reasons::grants(reader, &mut sight, user.id, gaining).await?;
        lines.push(UserToConfirm { user, fate, gains, hidden, gained });
    }
    Ok((at, Plan { partner, lines }))
}

async fn meant(reader: &mut Reader, at: &PartnerExtent, whom: &Whom) -> Result<Vec<User>, AdminError> {
    let too_many = || {
        let why =
            format!("More than {CONFIRMED_AT_ONCE} users are meant: confirm them in parts, by `users` or by `q`.");
        AdminError::Invalid(why)
    };
    match whom {
        Whom::These(ids) if ids.len() > CONFIRMED_AT_ONCE => Err(too_many()),
        Whom::These(ids) => {
            let (mut found, mut seen) = (Vec::with_capacity(ids.len()), BTreeSet::new());
            for id in ids.iter().filter(|id| seen.insert(**id)) {
                found.push(users::get(reader, at, *id).await?.ok_or(AdminError::NotFound)?);
            }
            Ok(found)
        }
        Whom::Found(text) => {
            let most = u32::try_from(CONFIRMED_AT_ONCE).unwrap_or(u32::MAX);
            let found = users::unconfirmed(reader, at, text, most.saturating_add(1)).await?;
            if found.len() > CONFIRMED_AT_ONCE { Err(too_many()) } else { Ok(found) }
        }
    }
}

/// Whether the actor could give what comes to users of the partner by existing (guard G4): it is the same for all of them.
async fn gives(
    reader: &mut Reader,
    ctx: &Ctx,
    actor: UserId,
    at: &PartnerExtent,
    one: UserId,
) -> Result<bool, StoreError> {
    let gained = delegated_access::by_existing(reader, at, one, ctx.now()).await?;
    let mine = effective_lists::authority(reader, actor, ctx.now()).await?;
    effective_lists::holds_all(reader, &mine, &gained, Some(CoreCapability::RoleAssign)).await
}

async fn fate(reader: &mut Reader, ctx: &Ctx, actor: UserId, user: &User, may_give: bool) -> Result<Fate, AdminError> {
    if user.confirmed_at.is_some() {
        return Ok(Fate::Confirmed);
    }
    if user.id == actor {
        return Ok(Fate::Refused("Nobody confirms themselves; ask another administrator.".to_owned()));
    }
    if !may_give {
        let why = "The default group holds something that you could not give yourself.";
        return Ok(Fate::Refused(why.to_owned()));
    }
    match authority::at_user(reader, actor, CoreCapability::UserWrite, user.id, ctx.now()).await {
        Ok(_) => Ok(Fate::Confirmable),
        Err(AdminError::Forbidden(why)) => Ok(Fate::Refused(why)),
        Err(AdminError::NotFound) => Ok(Fate::Refused("You may not change this user.".to_owned())),
        Err(other) => Err(other),
    }
}

/// Of what somebody holds, what reaches them no further than a ceiling because they exist by a directory's word alone. What
/// one directory lets through whole comes to them already.
fn further(all: Vec<UserGrant>) -> Vec<UserGrant> {
    let by_existing = |line: &UserGrant| match &line.proof.origin {
        GrantOrigin::Manual { via_group: Some(through), .. } => {
            matches!(through.membership, MembershipSummary::Resting { .. })
        }
        _ => false,
    };
    let whole: BTreeSet<Option<GrantId>> =
        all.iter().filter(|line| line.ceiling_effect == CeilingEffect::None).map(|line| line.grant).collect();
    let mut seen = BTreeSet::new();
    let further = |line: &UserGrant| by_existing(line) && !whole.contains(&line.grant) && seen.insert(line.grant);
    let mut gained = all;
    let mut keep = further;
    gained.retain(|line| keep(line));
    gained
}

fn word(clip: CeilingEffect) -> &'static str {
    match clip {
        CeilingEffect::None => "none",
        CeilingEffect::Partial => "partial",
        CeilingEffect::Blocked => "blocked",
    }
}
