//! The bearer tokens of a SCIM connection.
use actix_web::{HttpRequest, HttpResponse, web};

use super::super::error::PageError;
use super::super::layout::{id, see_other, submitted};
use super::super::one_time_secret;
use crate::admin;
use crate::web::App;

/// Makes a token; the page it leads to shows it once.
pub(in crate::web::console) async fn make(
    request: HttpRequest,
    app: web::Data<App>,
    payload: web::Payload,
    slug: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let (session_user, form) = submitted(&request, &app, payload).await?;
    let (ctx, me) = (session_user.ctx(&app), session_user.user());
    let token = admin::connections::make_token(&app.store, &ctx, me, &slug, form.field("name")).await?;
    Ok(one_time_secret::see_other(&app, &session_user, &format!("/connections/{slug}"), (None, &token)))
}

/// Ends a token.
pub(in crate::web::console) async fn end(
    request: HttpRequest,
    app: web::Data<App>,
    payload: web::Payload,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, PageError> {
    let (session_user, _) = submitted(&request, &app, payload).await?;
    let (slug, token) = path.into_inner();
    admin::connections::end_token(&app.store, &session_user.ctx(&app), session_user.user(), &slug, id(&token)?).await?;
    Ok(see_other(&format!("/connections/{slug}?done=revoked")))
}
