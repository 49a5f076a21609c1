//! `/account/tokens`: the API tokens of the person who is signed in.
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::credentials::{TokenRow, token_rows};
use super::error::PageError;
use super::layout::{Layout, id, ok, see_other, submitted, visitor};
use super::one_time_secret;
use crate::admin;
use crate::store::api_tokens;
use crate::web::App;

#[derive(Template)]
#[template(path = "console/tokens.html")]
struct Page {
    frame: Layout,
    fresh: Option<one_time_secret::OneTimeSecret>,
    tokens: Vec<TokenRow>,
    example: String,
}

/// Shows the tokens, the newest first, those that have ended last.
pub(super) async fn show(request: HttpRequest, app: web::Data<App>) -> Result<HttpResponse, PageError> {
    let visitor = visitor(&request, &app).await?;
    let found = api_tokens::list(&mut app.store.reader().await?, &visitor.signed.extent).await?;
    let page = Page {
        frame: Layout::of(&visitor, &request, "account"),
        fresh: one_time_secret::take(&request, &app, &visitor),
        tokens: token_rows(found, app.clock.now()),
        example: app.public_url.join("/api/v1/partners"),
    };
    let mut response = ok(&page);
    if page.fresh.is_some() {
        one_time_secret::forget(&mut response, &app);
    }
    Ok(response)
}

/// Makes a token; the page shows it once.
pub(super) async fn make(
    request: HttpRequest,
    app: web::Data<App>,
    payload: web::Payload,
) -> Result<HttpResponse, PageError> {
    let (visitor, form) = submitted(&request, &app, payload).await?;
    let days =
        form.field("days").parse().map_err(|_| PageError::Invalid("Choose how long the token lasts.".to_owned()))?;
    let me = (&visitor.signed.extent, visitor.signed.partner);
    let token = admin::api_tokens::make(&app.store, &visitor.ctx(&app), me, form.field("name"), days).await?;
    Ok(one_time_secret::see_other(&app, &visitor, "/account/tokens", (None, &token)))
}

/// Ends a token.
pub(super) async fn end(
    request: HttpRequest,
    app: web::Data<App>,
    payload: web::Payload,
    token: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let (visitor, _) = submitted(&request, &app, payload).await?;
    let me = (&visitor.signed.extent, visitor.signed.partner);
    admin::api_tokens::end(&app.store, &visitor.ctx(&app), me, id(&token)?).await?;
    Ok(see_other("/account/tokens?done=revoked"))
}
