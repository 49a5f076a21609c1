//! A user's own columns, kept as the law of merging has them.
use super::attributes::columns;
use super::{Effect, ProvisionError, ProvisionSource, UserChangeKind, nameless};
use crate::access::profile_merge::{Columns, ProfileSource, merge};
use crate::domain::ctx::Ctx;
use crate::domain::id::{ExternalUserId, UserId};
use crate::domain::user::UserProfile;
use crate::provision::event::{Event, Kind};
use crate::store::{StoreError, Tx, constraint, external_users, users};

/// The columns of a user of whom only one document speaks.
pub(super) fn alone(
    source: &ProvisionSource<'_>,
    by: ExternalUserId,
    user_name: &str,
    columns: &Columns,
) -> UserProfile {
    let said = ProfileSource { authority: 0, directory: source.extent.directory(), by, columns: columns.clone() };
    called(merge(&Columns::default(), &[said]), [user_name])
}

/// Somebody of whom nobody says a name is shown by what a source calls them.
fn called<'a>(profile: UserProfile, user_names: impl IntoIterator<Item = &'a str>) -> UserProfile {
    if !profile.display_name.is_empty() {
        return profile;
    }
    let display_name = user_names.into_iter().find_map(nameless::spare).unwrap_or_default().to_owned();
    UserProfile { display_name, ..profile }
}

/// Merges a linked user anew from what every connection says, leaving `without` out, who is about to go. The last one to go
/// leaves the columns as they were.
pub(super) async fn refresh(
    tx: &mut Tx,
    ctx: &Ctx,
    source: &ProvisionSource<'_>,
    user: UserId,
    without: Option<ExternalUserId>,
    effect: &mut Effect,
) -> Result<(), ProvisionError> {
    let at = &source.extent;
    let Some(current) = users::lock(tx, at, user).await? else { return Ok(()) };
    let documents: Vec<_> =
        external_users::said_of(tx, at, user).await?.into_iter().filter(|said| Some(said.id) != without).collect();
    let said: Vec<ProfileSource> = documents
        .iter()
        .map(|said| ProfileSource {
            authority: said.authority,
            directory: said.directory,
            by: said.id,
            columns: columns(&said.doc, &said.user_name),
        })
        .collect();
    if said.is_empty() {
        return Ok(());
    }
    let merged = called(merge(&Columns::default(), &said), documents.iter().map(|said| said.user_name.as_str()));
    let unnamed = |profile: &UserProfile| UserProfile { login_name: None, ..profile.clone() };
    let mut changed = unnamed(&merged) != unnamed(&current.profile);
    if changed {
        users::set_profile(tx, at, user, &merged, ctx.now()).await?;
    }
    if merged.login_name != current.profile.login_name {
        changed |= rename(tx, ctx, source, user, &current.profile.login_name, &merged.login_name, effect).await?;
    }
    if changed {
        effect.user(at.connection(), user, UserChangeKind::Updated);
    }
    Ok(())
}

/// Gives the user another sign-in name, or none when somebody of the partner has it; true when it changed.
async fn rename(
    tx: &mut Tx,
    ctx: &Ctx,
    source: &ProvisionSource<'_>,
    user: UserId,
    before: &Option<String>,
    wanted: &Option<String>,
    effect: &mut Effect,
) -> Result<bool, ProvisionError> {
    let at = &source.extent;
    let renamed = tx.attempt(false, async |tx: &mut Tx| users::set_login(tx, at, user, wanted, ctx.now()).await);
    match renamed.await {
        Ok(()) => Ok(true),
        Err(StoreError::Unique(constraint::USER_LOGIN_NAME)) => {
            if before.is_none() {
                return Ok(false);
            }
            users::set_login(tx, at, user, &None, ctx.now()).await?;
            effect.event(Event::of(Kind::UserLoginConflict, user).id("connection", at.connection()));
            Ok(true)
        }
        Err(error) => Err(error.into()),
    }
}
