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
    let (visitor, form) = submitted(&request, &app, payload).await?;
    let (ctx, me) = (visitor.ctx(&app), visitor.person());
    let token = admin::connections::make_token(&app.store, &ctx, me, &slug, form.field("name")).await?;
    Ok(one_time_secret::see_other(&app, &visitor, &format!("/connections/{slug}"), (None, &token)))
}

/// Ends a token.
pub(in crate::web::console) async fn end(
    request: HttpRequest,
    app: web::Data<App>,
    payload: web::Payload,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, PageError> {
    let (visitor, _) = submitted(&request, &app, payload).await?;
    let (slug, token) = path.into_inner();
    admin::connections::end_token(&app.store, &visitor.ctx(&app), visitor.person(), &slug, id(&token)?).await?;
    Ok(see_other(&format!("/connections/{slug}?done=revoked")))
}
