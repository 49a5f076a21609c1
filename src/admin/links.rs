//! One-time sign-in links: made here, used up in `login::links`.
use zeroize::Zeroizing;

use crate::domain::ctx::Ctx;
use crate::domain::id::UserId;
use crate::provision::event::{Event, Kind};
use crate::provision::events;
use crate::secret::{Keyring, PlainToken, SealPurpose as Sealed, TokenKind};
use crate::store::extent::{OperatorExtent, PartnerExtent};
use crate::store::one_time_links::{self, OneTimeLinkPurpose};
use crate::store::{StoreError, Tx};

/// Seconds until an unused link ends.
pub const LIFE: i64 = 24 * 60 * 60;

/// The address of a link, to hand over.
pub fn address(public_url: &str, token: &PlainToken) -> Zeroizing<String> {
    Zeroizing::new(format!("{}/link?token={}", public_url.trim_end_matches('/'), token.reveal()))
}

/// Makes a link for a user of the extent's partner, in the caller's transaction. Earlier links of the user that
/// were not used are withdrawn.
///
/// # Errors
/// `StoreError::NotFound` when the user is not at home there.
pub async fn create(
    tx: &mut Tx,
    ctx: &Ctx,
    at: &PartnerExtent,
    user: UserId,
    purpose: OneTimeLinkPurpose,
) -> Result<PlainToken, StoreError> {
    let token = PlainToken::generate(TokenKind::Link, ctx);
    one_time_links::withdraw(tx, at, user).await?;
    one_time_links::insert(tx, at, user, token.hash(), purpose, ctx.now(), ctx.now().plus_seconds(LIFE)).await?;
    let line = Event::of(Kind::OneTimeLinkIssued, user).word("purpose", purpose.as_str());
    events::append(tx, ctx, at.partner(), &[line]).await?;
    Ok(token)
}

/// The link of the installation's first owner: the one that was made and stands, else a new one, which is kept so that it
/// can be shown again.
///
/// # Errors
/// As [`create`].
pub async fn of_first_owner(
    tx: &mut Tx,
    ctx: &Ctx,
    at: &PartnerExtent,
    user: UserId,
    keyring: &Keyring,
) -> Result<PlainToken, StoreError> {
    let (purpose, seal) = (OneTimeLinkPurpose::SetUp, Sealed::SetUpLink(user));
    let made = one_time_links::last(tx, &OperatorExtent::assume(), purpose).await?;
    let stands = made.filter(|link| link.user == user && !link.used && link.expires_at > ctx.now());
    let opened = stands.and_then(|link| keyring.open(seal, &link.sealed?).ok());
    let token = opened.and_then(|text| PlainToken::parse(TokenKind::Link, std::str::from_utf8(&text).ok()?));
    if let Some(token) = token {
        return Ok(token);
    }
    let token = create(tx, ctx, at, user, purpose).await?;
    // One that cannot be kept is made anew the next time.
    if let Ok(sealed) = keyring.seal(ctx, seal, token.reveal().as_bytes()) {
        one_time_links::seal(tx, at, user, token.hash(), sealed).await?;
    }
    Ok(token)
}
