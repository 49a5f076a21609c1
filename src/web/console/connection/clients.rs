//! The OAuth clients of a SCIM connection.
use actix_web::{HttpRequest, HttpResponse, web};

use super::super::error::PageError;
use super::super::layout::{id, minute, see_other, submitted};
use super::super::one_time_secret;
use crate::admin::clients::{self, Credential};
use crate::domain::id::ConnectionId;
use crate::store::extent::PartnerExtent;
use crate::store::{Reader, StoreError, oauth_clients};
use crate::web::App;

/// A client in the list.
pub(super) struct ClientRow {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) proof: &'static str,
    pub(super) made: String,
    pub(super) used: String,
    pub(super) live: bool,
}

/// The clients, the newest first, those that have ended last.
pub(super) async fn rows(
    reader: &mut Reader,
    at: &PartnerExtent,
    connection: ConnectionId,
) -> Result<Vec<ClientRow>, StoreError> {
    let row = |client: oauth_clients::OauthClient| ClientRow {
        live: client.revoked_at.is_none(),
        id: client.id.to_string(),
        proof: if client.prefix.is_some() { "a secret" } else { "its own key" },
        made: minute(client.created_at),
        used: client.last_used_at.map_or_else(|| "no token yet".to_owned(), |at| format!("last token {}", minute(at))),
        name: client.name,
    };
    let listed = oauth_clients::list(reader, at, connection).await?;
    let mut rows: Vec<ClientRow> = listed.into_iter().rev().map(row).collect();
    rows.sort_by_key(|row| !row.live);
    Ok(rows)
}

/// Makes a client with a secret; the page it leads to shows it once.
pub(in crate::web::console) async fn make(
    request: HttpRequest,
    app: web::Data<App>,
    payload: web::Payload,
    slug: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let (session_user, form) = submitted(&request, &app, payload).await?;
    let (ctx, me) = (session_user.ctx(&app), session_user.user());
    let (client, secret) =
        clients::create(&app.store, &ctx, me, &slug, form.field("name"), &Credential::Secret).await?;
    let place = format!("/connections/{slug}");
    Ok(match secret {
        Some(secret) => one_time_secret::see_other(&app, &session_user, &place, (Some(client), &secret)),
        None => see_other(&place),
    })
}

/// Ends a client.
pub(in crate::web::console) async fn end(
    request: HttpRequest,
    app: web::Data<App>,
    payload: web::Payload,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, PageError> {
    let (session_user, _) = submitted(&request, &app, payload).await?;
    let (slug, client) = path.into_inner();
    clients::end(&app.store, &session_user.ctx(&app), session_user.user(), &slug, id(&client)?).await?;
    Ok(see_other(&format!("/connections/{slug}?done=revoked")))
}
