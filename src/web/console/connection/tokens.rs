//! The bearer tokens of a SCIM connection.
use actix_web::{HttpRequest, HttpResponse, web};

use super::super::halt::Halt;
use super::super::page::{id, minute, see_other, submitted};
use super::once;
use crate::admin;
use crate::domain::id::ConnectionId;
use crate::domain::time::Timestamp;
use crate::store::extent::PartnerExtent;
use crate::store::{Reader, StoreError, tokens};
use crate::web::App;

/// A token in the list.
pub(super) struct TokenRow {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) prefix: String,
    pub(super) made: String,
    pub(super) used: String,
    pub(super) live: bool,
}

/// The tokens, the newest first, those that have ended last.
pub(super) async fn rows(
    reader: &mut Reader,
    at: &PartnerExtent,
    connection: ConnectionId,
    now: Timestamp,
) -> Result<Vec<TokenRow>, StoreError> {
    let row = |token: tokens::Token| TokenRow {
        live: token.revoked_at.is_none() && token.expires_at.is_none_or(|end| now < end),
        id: token.id.to_string(),
        made: minute(token.created_at),
        used: token.last_used_at.map_or_else(|| "not used yet".to_owned(), |at| format!("last used {}", minute(at))),
        name: token.name,
        prefix: token.prefix,
    };
    let mut rows: Vec<TokenRow> = tokens::list(reader, at, connection).await?.into_iter().rev().map(row).collect();
    rows.sort_by_key(|row| !row.live);
    Ok(rows)
}

/// Makes a token; the page it leads to shows it once.
pub(in crate::web::console) async fn make(
    request: HttpRequest,
    app: web::Data<App>,
    payload: web::Payload,
    slug: web::Path<String>,
) -> Result<HttpResponse, Halt> {
    let (visitor, form) = submitted(&request, &app, payload).await?;
    let (ctx, me) = (visitor.ctx(&app), visitor.person());
    let token = admin::connections::make_token(&app.store, &ctx, me, &slug, form.field("name")).await?;
    let mut response = see_other(&format!("/connections/{slug}"));
    once::keep(&mut response, &app, &visitor, &slug, (None, &token));
    Ok(response)
}

/// Ends a token.
pub(in crate::web::console) async fn end(
    request: HttpRequest,
    app: web::Data<App>,
    payload: web::Payload,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Halt> {
    let (visitor, _) = submitted(&request, &app, payload).await?;
    let (slug, token) = path.into_inner();
    admin::connections::end_token(&app.store, &visitor.ctx(&app), visitor.person(), &slug, id(&token)?).await?;
    Ok(see_other(&format!("/connections/{slug}?done=revoked")))
}
