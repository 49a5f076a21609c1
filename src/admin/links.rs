//! One-time sign-in links: made here, used up in `login::links`.
use zeroize::Zeroizing;

use crate::domain::ctx::Ctx;
use crate::domain::id::UserId;
use crate::provision::event::{Event, Kind};
use crate::provision::events;
use crate::secret::{Token, TokenKind};
use crate::store::extent::PartnerExtent;
use crate::store::links::{self, Purpose};
use crate::store::{StoreError, Tx};

/// Seconds until an unused link ends.
pub const LIFE: i64 = 24 * 60 * 60;

/// The address of a link, to hand over.
pub fn address(public_url: &str, token: &Token) -> Zeroizing<String> {
    Zeroizing::new(format!("{}/link?token={}", public_url.trim_end_matches('/'), token.reveal()))
}

/// Makes a link for a person of the extent's partner, in the caller's transaction. Earlier links of the person that
/// were not used are withdrawn.
///
/// # Errors
/// `StoreError::NotFound` when the person is not at home there.
pub async fn create(
    tx: &mut Tx,
    ctx: &Ctx,
    at: &PartnerExtent,
    person: UserId,
    purpose: Purpose,
) -> Result<Token, StoreError> {
    let token = Token::generate(TokenKind::Link, ctx);
    links::withdraw(tx, at, person).await?;
    links::insert(tx, at, person, token.hash(), purpose, ctx.now(), ctx.now().plus_seconds(LIFE)).await?;
    let line = Event::of(Kind::LinkIssued, person).word("purpose", purpose.as_str());
    events::append(tx, ctx, at.partner(), &[line]).await?;
    Ok(token)
}
