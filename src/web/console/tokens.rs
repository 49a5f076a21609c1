//! `/account/tokens`: the API tokens of the person who is signed in.
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::connection::once;
use super::halt::Halt;
use super::page::{Frame, id, minute, ok, see_other, submitted, visitor};
use crate::admin;
use crate::store::api_tokens;
use crate::web::App;

/// Where the page is; also what tells its new token from those of connections, whose names have no slash.
const HERE: &str = "/account/tokens";

#[derive(Template)]
#[template(path = "console/tokens.html")]
struct Page {
    frame: Frame,
    fresh: Option<String>,
    tokens: Vec<Row>,
    example: String,
}

struct Row {
    id: String,
    name: String,
    prefix: String,
    made: String,
    used: String,
    ends: Option<String>,
    live: bool,
}

/// Shows the tokens, the newest first, those that have ended last.
pub(super) async fn show(request: HttpRequest, app: web::Data<App>) -> Result<HttpResponse, Halt> {
    let visitor = visitor(&request, &app).await?;
    let now = app.clock.now();
    let row = |token: api_tokens::Token| Row {
        live: token.revoked_at.is_none() && token.expires_at.is_none_or(|end| now < end),
        id: token.id.to_string(),
        made: minute(token.created_at),
        used: token.last_used_at.map_or_else(|| "not used yet".to_owned(), |at| format!("last used {}", minute(at))),
        ends: token.expires_at.map(minute),
        name: token.name,
        prefix: token.prefix,
    };
    let found = api_tokens::list(&mut app.store.reader().await?, &visitor.signed.extent).await?;
    let mut tokens: Vec<Row> = found.into_iter().rev().map(row).collect();
    tokens.sort_by_key(|row| !row.live);
    let shown = once::take(&request, &app, &visitor).filter(|shown| shown.slug == HERE);
    let fresh = shown.map(|shown| shown.text);
    let taken = fresh.is_some();
    let example = app.public_url.join("/api/v1/partners");
    let mut response = ok(&Page { frame: Frame::of(&visitor, &request, "account"), fresh, tokens, example });
    if taken {
        once::forget(&mut response, &app);
    }
    Ok(response)
}

/// Makes a token; the page shows it once.
pub(super) async fn make(
    request: HttpRequest,
    app: web::Data<App>,
    payload: web::Payload,
) -> Result<HttpResponse, Halt> {
    let (visitor, form) = submitted(&request, &app, payload).await?;
    let days = form.field("days").parse().map_err(|_| Halt::Invalid("Choose how long the token lasts.".to_owned()))?;
    let me = (&visitor.signed.extent, visitor.signed.partner);
    let token = admin::api_tokens::make(&app.store, &visitor.ctx(&app), me, form.field("name"), days).await?;
    let mut response = see_other(HERE);
    once::keep(&mut response, &app, &visitor, HERE, (None, &token));
    Ok(response)
}

/// Ends a token.
pub(super) async fn end(
    request: HttpRequest,
    app: web::Data<App>,
    payload: web::Payload,
    token: web::Path<String>,
) -> Result<HttpResponse, Halt> {
    let (visitor, _) = submitted(&request, &app, payload).await?;
    let me = (&visitor.signed.extent, visitor.signed.partner);
    admin::api_tokens::end(&app.store, &visitor.ctx(&app), me, id(&token)?).await?;
    Ok(see_other("/account/tokens?done=revoked"))
}
