//! Putting a directory in force that was only observed: shown first, user by user, and done by the hash of what was shown.
use std::collections::BTreeMap;
use std::time::Duration;

use uuid::Uuid;

use super::authority;
use super::error::AdminError;
use crate::domain::capability::CoreCapability;
use crate::domain::ctx::Ctx;
use crate::domain::directory::{Directory, DirectoryMode};
use crate::domain::grant::Scope;
use crate::domain::id::{DirectoryId, ExternalUserId, Id as _, UserId};
use crate::provision::ProvisionError;
use crate::provision::introduce::{self, Introduced, Introduction, IntroductionEntry, IntroductionOutcome};
use crate::store::effective_items::EffectiveItem;
use crate::store::extent::PartnerExtent;
use crate::store::visible_reasons::{self, Sight};
use crate::store::{Reader, Store, StoreError, Tx, directories};

/// How long working it out may take. Others write only when it is done, or given up.
const LONGEST: Duration = Duration::from_secs(20);

/// What is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IntroductionRequest {
    /// Who asks.
    pub actor: UserId,
    /// The directory.
    pub directory: DirectoryId,
    /// In which mode it would be; not `observe`.
    pub mode: DirectoryMode,
}

/// Why a directory was not put in force.
#[derive(Debug)]
pub enum NotIntroduced {
    /// It is refused.
    Refused(AdminError),
    /// It would by now do something else than what was shown: this.
    Changed(Box<Introduction>),
}

impl<T: Into<AdminError>> From<T> for NotIntroduced {
    fn from(why: T) -> Self {
        Self::Refused(why.into())
    }
}

impl From<ProvisionError> for AdminError {
    fn from(error: ProvisionError) -> Self {
        match error {
            ProvisionError::NotFound => Self::NotFound,
            ProvisionError::Store(error) => error.into(),
            ProvisionError::Raced => Self::Store(StoreError::Conflict),
            other => Self::Conflict(other.to_string()),
        }
    }
}

/// What putting a directory in force would do with those who wait behind `after`; changes nothing.
///
/// # Errors
/// [`AdminError`]: the actor may not change the directory, it is in force, or it took too long.
pub async fn plan(
    store: &Store,
    ctx: &Ctx,
    wanted: IntroductionRequest,
    after: Option<ExternalUserId>,
) -> Result<Introduction, AdminError> {
    let whole = store.write(async |tx: &mut Tx| {
        let (at, directory) = may(tx, ctx, wanted).await?;
        Ok::<_, AdminError>(introduce::preview(tx, ctx, &at, &directory, after).await?)
    });
    let whole = tokio::time::timeout(LONGEST, whole).await.map_err(|_| AdminError::Store(StoreError::TooLong))??;
    Ok(seen(&mut store.reader().await?, ctx, wanted.actor, whole).await?)
}

/// Puts the directory in force, when that still does what was shown to whoever agreed; and introduces those who waited. Of
/// very many that goes on afterwards: then there is no count yet.
///
/// # Errors
/// [`NotIntroduced`]: as [`plan`], or it would do something else by now.
pub async fn carry_out(
    store: &Store,
    ctx: &Ctx,
    wanted: IntroductionRequest,
    agreed: &str,
) -> Result<(Introduction, Option<Introduced>), NotIntroduced> {
    let whole = store.write_serializable(async |tx: &mut Tx| {
        let (at, directory) = may(tx, ctx, wanted).await?;
        let shown = introduce::preview(tx, ctx, &at, &directory, None).await?;
        if shown.hash != agreed {
            return Err(NotIntroduced::Changed(Box::new(shown)));
        }
        introduce::change_directory(tx, ctx, &at, &directory).await?;
        Ok((at, shown))
    });
    let whole = tokio::time::timeout(LONGEST, whole).await;
    let (at, shown) = match whole.map_err(|_| AdminError::Store(StoreError::TooLong))? {
        Ok(done) => done,
        Err(NotIntroduced::Changed(shown)) => {
            let shown = seen(&mut store.reader().await?, ctx, wanted.actor, *shown).await?;
            return Err(NotIntroduced::Changed(Box::new(shown)));
        }
        Err(refused) => return Err(refused),
    };
    let mut done = None;
    if shown.next.is_none() {
        match introduce::directory(store, ctx, &at, wanted.directory).await {
            Ok(came) => done = Some(came),
            Err(error) => tracing::warn!(%error, "not everybody who waited was looked at; the server goes on with it"),
        }
    }
    Ok((seen(&mut store.reader().await?, ctx, wanted.actor, shown).await?, done))
}

/// The directory as it is wanted, when the actor may change it: by holding what it may confer, because its word counts
/// from then on.
async fn may(
    reader: &mut Reader,
    ctx: &Ctx,
    wanted: IntroductionRequest,
) -> Result<(PartnerExtent, Directory), AdminError> {
    let IntroductionRequest { actor, directory, mode } = wanted;
    let at = authority::at_directory(reader, actor, CoreCapability::ConnectionWrite, directory, ctx.now()).await?;
    authority::covers(reader, actor, &at, directory, ctx.now()).await?;
    let known = directories::get(reader, &at, directory).await?;
    if mode == DirectoryMode::Observe {
        return Err(AdminError::Invalid("Choose `authoritative`, `additive` or `paused`.".to_owned()));
    }
    if known.mode != DirectoryMode::Observe {
        let why = format!("The directory is not only observed any more; its mode is `{}`.", known.mode.as_str());
        return Err(AdminError::Conflict(why));
    }
    Ok((at, Directory { mode, ..known }))
}

/// Without what the asker may not see.
async fn seen(
    reader: &mut Reader,
    ctx: &Ctx,
    asker: UserId,
    mut whole: Introduction,
) -> Result<Introduction, StoreError> {
    let mut sight = Sight::of(asker, ctx.now());
    let there = whole.lines.iter_mut().flat_map(met).filter(|met| met.created_for.is_none());
    let ids: Vec<Uuid> = there.map(|met| met.user.uuid()).collect();
    let names: BTreeMap<Uuid, String> = visible_reasons::names(reader, &mut sight, &ids).await?.into_iter().collect();
    let mut scopes: Vec<(Scope, Scope)> = Vec::new();
    for line in &mut whole.lines {
        for met in met(line) {
            if met.created_for.is_none() && !names.contains_key(&met.user.uuid()) {
                "somebody you may not see".clone_into(&mut met.name);
            }
        }
        for item in line.gains.iter_mut().chain(&mut line.losses) {
            let EffectiveItem::Grant { scope, .. } = item else { continue };
            if let Some((_, cut)) = scopes.iter().find(|(known, _)| known == scope) {
                *scope = cut.clone();
                continue;
            }
            let cut = visible_reasons::scope_of_directory(reader, &mut sight, scope.clone()).await?;
            scopes.push((scope.clone(), cut.clone()));
            *scope = cut;
        }
    }
    Ok(whole)
}

/// The users whom a line speaks of besides its own.
fn met(line: &mut IntroductionEntry) -> &mut [introduce::MetUser] {
    match &mut line.outcome {
        IntroductionOutcome::Matched { user, .. } => std::slice::from_mut(user),
        IntroductionOutcome::MatchProposed { candidates } => candidates,
        IntroductionOutcome::Created { .. } | IntroductionOutcome::Refused(_) => &mut [],
    }
}
