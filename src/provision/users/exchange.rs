//! Users who take each other's names: none of them can be changed first.
use super::{UserInput, update_in};
use crate::domain::ctx::Ctx;
use crate::domain::id::ExternalUserId;
use crate::provision::event::{Event, Kind};
use crate::provision::{ProvisionError, ProvisionSource, events};
use crate::scim::resource::Document;
use crate::store::{Tx, external_users, users};

/// Changes users of the connection all at once, in an open transaction: what each of them was called is free for any
/// other. All are changed or, when one is refused, none should be kept.
///
/// # Errors
/// As [`super::update`].
pub async fn exchange_in(
    tx: &mut Tx,
    ctx: &Ctx,
    source: &ProvisionSource<'_>,
    external_users: &[(ExternalUserId, UserInput)],
) -> Result<(), ProvisionError> {
    let at = &source.extent;
    let mut ordered: Vec<ExternalUserId> = external_users.iter().map(|(id, _)| *id).collect();
    ordered.sort_unstable();
    let mut named = Vec::new();
    for id in ordered {
        let external_user = external_users::lock(tx, at, id).await?.ok_or(ProvisionError::NotFound)?;
        external_users::set_name_free(tx, at, id).await?;
        let Some(user) = external_user.user else { continue };
        if users::lock(tx, at, user).await?.is_some_and(|user| user.profile.login_name.is_some()) {
            users::set_login(tx, at, user, &None, ctx.now()).await?;
            named.push(user);
        }
    }
    for (id, said) in external_users {
        let change = |_: &Document| Ok(said.clone());
        update_in(tx, ctx, source, *id, None, &change).await?;
    }
    for user in named {
        if users::lock(tx, at, user).await?.is_some_and(|user| user.profile.login_name.is_none()) {
            let event = Event::of(Kind::UserLoginConflict, user).id("connection", at.connection());
            events::append(tx, ctx, at.partner(), &[event]).await?;
        }
    }
    Ok(())
}
