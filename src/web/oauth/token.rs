//! `POST /oauth/{slug}/token`: a short-lived token for a client that proves itself.
use std::time::Duration;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use super::fault::Fault;
use super::request::{Basic, Parameters, proof};
use super::{SCOPE, endpoint};
use crate::domain::ctx::{Actor, Ctx};
use crate::domain::id::{ConnectionId, EventId, Id as _};
use crate::login::client::Denied;
use crate::login::refusal::{Kind, Refusal as Refused};
use crate::store::provisioning_log::Entry;
use crate::web::extract::{self, Client};
use crate::web::problem::Refusal;
use crate::web::{App, metrics};

/// The largest form, in bytes.
const MOST: usize = 64 * 1024;

/// Answers a token request (RFC 6749 §4.4.2).
pub(super) async fn token(
    request: HttpRequest,
    app: web::Data<App>,
    slug: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Fault> {
    if !Client::of(&request).is_none_or(|client| app.desk.admits_client(client.ip)) {
        return Err(Fault::later(StatusCode::TOO_MANY_REQUESTS, "Too many token requests; wait a minute."));
    }
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Fault::request("Send the parameters as application/x-www-form-urlencoded."));
    }
    let time = Duration::from_secs(app.config.server.limits.body_seconds);
    let body = extract::body(&request, payload, MOST, time).await.map_err(|refusal| unreadable(&refusal))?;
    let parameters = Parameters::read(&body)?;
    let basic = Basic::read(request.headers().get(header::AUTHORIZATION).map(header::HeaderValue::as_bytes))?;
    match parameters.get("grant_type") {
        Some("client_credentials") => {}
        Some(_) => {
            let why = "Only the grant type client_credentials is offered here.";
            return Err(Fault::new(StatusCode::BAD_REQUEST, "unsupported_grant_type", why));
        }
        None => return Err(Fault::request("grant_type is missing; send client_credentials.")),
    }
    let proof = proof(&parameters, basic.as_ref())?;
    let (ctx, life) = (app.ctx(Actor::System), app.config.scim.access_token_seconds);
    let issued = app.desk.login.issue(&ctx, &slug, &endpoint(&app, &slug), proof, life).await;
    let token = issued.map_err(|Denied { refusal, connection }| match refusal.kind {
        Kind::Down => Fault::later(StatusCode::SERVICE_UNAVAILABLE, "The server cannot answer at the moment."),
        _ => {
            metrics::refused_tokens();
            tracing::warn!(connection = %*slug, code = refusal.code, detail = refusal.detail, "no token for a client");
            if let Some(connection) = connection {
                write_down(&app, &request, &ctx, connection, &refusal);
            }
            Fault::client()
        }
    })?;
    let body = json!({
        "access_token": token.reveal(), "token_type": "Bearer", "expires_in": life, "scope": SCOPE,
    });
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CACHE_CONTROL, "no-store")).insert_header((header::PRAGMA, "no-cache"));
    Ok(response.json(body))
}

/// Tells the connection's log of requests about a client of its own that got no token. What was sent is left out: it
/// held a secret, if a wrong one.
fn write_down(app: &App, request: &HttpRequest, ctx: &Ctx, connection: ConnectionId, refusal: &Refused) {
    if !app.request_log.is_on() {
        return;
    }
    let client = Client::of(request);
    let entry = Entry {
        request_id: client.as_ref().map(|client| client.request_id.clone()).unwrap_or_default(),
        at: ctx.now(),
        connection,
        token: None,
        client: client.map(|client| client.ip.to_string()).unwrap_or_default(),
        method: request.method().as_str().to_owned(),
        path: request.path().to_owned(),
        request: None,
        translation: Vec::new(),
        effect: serde_json::Value::Null,
        dry: false,
        status: StatusCode::UNAUTHORIZED.as_u16(),
        refusal: Some(format!("invalid_client: {}", refusal.detail)),
        micros: app.clock.now().micros().saturating_sub(ctx.now().micros()),
    };
    app.request_log.record(ctx.id::<EventId>().uuid(), entry);
}

/// A body that cannot be read, in the form of this door.
fn unreadable(refusal: &Refusal) -> Fault {
    let error = refusal.error();
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
    Fault::new(status, "invalid_request", error.detail.to_string())
}
