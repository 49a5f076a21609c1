//! API tokens that users make for programs of theirs. A token acts with the authority its user has at that moment,
//! so making one gives nothing away.
use super::error::AdminError;
use super::most;
use super::record;
use super::validate;
use crate::domain::ctx::Ctx;
use crate::domain::id::{PartnerId, TokenId};
use crate::provision::event::{Event, Kind};
use crate::secret::PlainToken;
use crate::store::extent::SelfExtent;
use crate::store::{Store, Tx, api_tokens};

/// The longest life of a token that ends by itself, in days.
const MOST_DAYS: u32 = 3_660;

/// Makes a token for the user, at home at `home`, that ends after so many days; 0 lets it last.
///
/// # Errors
/// [`AdminError::Invalid`] for a name or life that will not do; [`AdminError::Conflict`] when the user has as many as there may
/// be.
pub async fn make(
    store: &Store,
    ctx: &Ctx,
    (of, home): (&SelfExtent, PartnerId),
    name: &str,
    days: u32,
) -> Result<PlainToken, AdminError> {
    let name = &validate::name("name", name)?;
    if days > MOST_DAYS {
        return Err(AdminError::Invalid(format!("A token ends after {MOST_DAYS} days at most, or lasts.")));
    }
    let expires_at = (days > 0).then(|| ctx.now().plus_seconds(i64::from(days) * 86_400));
    store
        .write_serializable(async |tx: &mut Tx| {
            let known = api_tokens::list(tx, of).await?;
            most::another(
                "API tokens of yours",
                known.iter().filter(|one| one.lives(ctx.now())).count(),
                most::API_TOKENS,
            )?;
            api_tokens::forget_ended(tx, of, ctx.now(), most::ENDED_TOKENS).await?;
            let (id, token) = api_tokens::create_own(tx, of, home, ctx, name, expires_at).await?;
            record(tx, ctx, home, Event::of(Kind::ApiTokenCreated, of.user()).id("token", id)).await?;
            Ok(token)
        })
        .await
}

/// Ends one of the user's own tokens.
///
/// # Errors
/// [`AdminError::NotFound`] when it is not theirs, or has ended.
pub async fn end(
    store: &Store,
    ctx: &Ctx,
    (of, home): (&SelfExtent, PartnerId),
    token: TokenId,
) -> Result<(), AdminError> {
    store
        .write_serializable(async |tx: &mut Tx| {
            api_tokens::revoke(tx, of, token, ctx.now()).await?;
            let line = Event::of(Kind::ApiTokenRevoked, of.user()).id("token", token);
            Ok(record(tx, ctx, home, line).await?)
        })
        .await
}
