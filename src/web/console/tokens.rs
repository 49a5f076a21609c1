//! `/account/tokens`: the API tokens of the user who is signed in.
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::credentials::{TokenRow, token_rows};
use super::error::PageError;
use super::layout::{Layout, id, ok, see_other, session_user, submitted};
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
    let session_user = session_user(&request, &app).await?;
    let found = api_tokens::list(&mut app.store.reader().await?, &session_user.signed.extent).await?;
    let page = Page {
        frame: Layout::of(&session_user, &request, "account"),
        fresh: one_time_secret::take(&request, &app, &session_user),
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
    let (session_user, form) = submitted(&request, &app, payload).await?;
    let days =
        form.field("days").parse().map_err(|_| PageError::Invalid("Choose how long the token lasts.".to_owned()))?;
    let me = (&session_user.signed.extent, session_user.signed.partner);
    let token = admin::api_tokens::make(&app.store, &session_user.ctx(&app), me, form.field("name"), days).await?;
    Ok(one_time_secret::see_other(&app, &session_user, "/account/tokens", (None, &token)))
}

/// Ends a token.
pub(super) async fn end(
    request: HttpRequest,
    app: web::Data<App>,
    payload: web::Payload,
    token: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let (session_user, _) = submitted(&request, &app, payload).await?;
    let me = (&session_user.signed.extent, session_user.signed.partner);
    admin::api_tokens::end(&app.store, &session_user.ctx(&app), me, id(&token)?).await?;
    Ok(see_other("/account/tokens?done=revoked"))
}
