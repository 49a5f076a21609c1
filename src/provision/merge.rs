//! A person's own columns, kept as the law of merging has them.
use super::facts::columns;
use super::{Effect, ProvisionError, Source, What};
use crate::access::merge::{Columns, Said, merge};
use crate::domain::ctx::Ctx;
use crate::domain::id::{ExternalUserId, UserId};
use crate::domain::user::Profile;
use crate::provision::event::{Event, Kind};
use crate::store::{Constraint, StoreError, Tx, external_users, people};

/// The columns of a person of whom only one document speaks.
pub(super) fn alone(source: &Source<'_>, by: ExternalUserId, columns: &Columns) -> Profile {
    let said = Said { authority: 0, directory: source.extent.directory(), by, columns: columns.clone() };
    merge(&Columns::default(), &[said])
}

/// Merges a linked person anew from what every door says, leaving `without` out, who is about to go. The last one to go
/// leaves the columns as they were.
pub(super) async fn refresh(
    tx: &mut Tx,
    ctx: &Ctx,
    source: &Source<'_>,
    person: UserId,
    without: Option<ExternalUserId>,
    effect: &mut Effect,
) -> Result<(), ProvisionError> {
    let at = &source.extent;
    let Some(user) = people::lock(tx, at, person).await? else { return Ok(()) };
    let said: Vec<Said> = external_users::said_of(tx, at, person)
        .await?
        .into_iter()
        .filter(|said| Some(said.id) != without)
        .map(|said| Said {
            authority: said.authority,
            directory: said.directory,
            by: said.id,
            columns: columns(&said.doc, &said.user_name),
        })
        .collect();
    if said.is_empty() {
        return Ok(());
    }
    let merged = merge(&Columns::default(), &said);
    let unnamed = |profile: &Profile| Profile { login_name: None, ..profile.clone() };
    let mut changed = unnamed(&merged) != unnamed(&user.profile);
    if changed {
        people::set_profile(tx, at, person, &merged, ctx.now()).await?;
    }
    if merged.login_name != user.profile.login_name {
        changed |= rename(tx, ctx, source, person, &user.profile.login_name, &merged.login_name, effect).await?;
    }
    if changed {
        effect.person(at.connection(), person, What::Changed);
    }
    Ok(())
}

/// Gives the person another sign-in name, or none when somebody of the partner has it; true when it changed.
async fn rename(
    tx: &mut Tx,
    ctx: &Ctx,
    source: &Source<'_>,
    person: UserId,
    before: &Option<String>,
    wanted: &Option<String>,
    effect: &mut Effect,
) -> Result<bool, ProvisionError> {
    let at = &source.extent;
    let renamed = tx.attempt(false, async |tx: &mut Tx| people::set_login(tx, at, person, wanted, ctx.now()).await);
    match renamed.await {
        Ok(()) => Ok(true),
        Err(StoreError::Unique(Constraint::PersonLogin)) => {
            if before.is_none() {
                return Ok(false);
            }
            people::set_login(tx, at, person, &None, ctx.now()).await?;
            effect.event(Event::of(Kind::LoginCollision, person).id("connection", at.connection()));
            Ok(true)
        }
        Err(error) => Err(error.into()),
    }
}
