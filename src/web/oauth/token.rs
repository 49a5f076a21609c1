//! `POST /oauth/{slug}/token`: a short-lived token for a client that proves itself.
use std::time::Duration;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, ResponseError as _, web};
use serde_json::json;

use super::fault::Fault;
use super::request::{Basic, Parameters, proof};
use super::{SCOPE, endpoint};
use crate::domain::ctx::Actor;
use crate::login::client::Denied;
use crate::login::refusal::Kind;
use crate::web::extract::{self, Client};
use crate::web::problem::Refusal;
use crate::web::scim::PAUSED_SECONDS;
use crate::web::scim::log::{self, ShutOut};
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
        return Err(Fault::later(StatusCode::TOO_MANY_REQUESTS, "Too many token requests; wait a minute.", 60));
    }
    let ctx = app.ctx(Actor::System);
    let parameters = form(&request, &app, payload).await;
    let basic = Basic::read(request.headers().get(header::AUTHORIZATION).map(header::HeaderValue::as_bytes));
    let proof = match (&parameters, &basic) {
        (Ok(parameters), Ok(basic)) => granted(parameters).and_then(|()| proof(parameters, basic.as_ref())),
        (Err(fault), _) | (_, Err(fault)) => Err(fault.clone()),
    };
    let tell = |connection, fault: &Fault, why: String| {
        let (path, status) = (request.path(), fault.status_code().as_u16());
        let shut = ShutOut { connection, token: None, path, status, why, began: ctx.now() };
        log::write_down(&app, &request, shut);
    };
    let proof = match proof {
        Ok(proof) => proof,
        Err(fault) => {
            let named = basic.as_ref().ok().and_then(|basic| basic.as_ref().map(Basic::id));
            let named = named.or_else(|| parameters.as_ref().ok()?.get("client_id"));
            if let Some(client) = named
                && let Ok(Some(connection)) = app.desk.login.connection_of(&slug, client).await
            {
                tell(connection, &fault, fault.to_string());
            }
            return Err(fault);
        }
    };
    let life = app.config.scim.access_token_seconds;
    let issued = app.desk.login.issue(&ctx, &slug, &endpoint(&app, &slug), proof, life).await;
    let token = issued.map_err(|Denied { refusal, connection, paused }| match refusal.kind {
        Kind::Down => Fault::later(StatusCode::SERVICE_UNAVAILABLE, "The server cannot answer at the moment.", 60),
        // Who has proved itself is told: a provider that hears of a wrong secret asks for another.
        _ if paused => {
            let why = "This connection is paused: no tokens are given until its administrator resumes it.";
            let fault = Fault::later(StatusCode::SERVICE_UNAVAILABLE, why, PAUSED_SECONDS);
            if let Some(connection) = connection {
                tell(connection, &fault, refusal.detail);
            }
            fault
        }
        _ => {
            metrics::refused_tokens();
            tracing::warn!(connection = %*slug, code = refusal.code, detail = refusal.detail, "no token for a client");
            let fault = Fault::client();
            if let Some(connection) = connection {
                tell(connection, &fault, format!("invalid_client: {}", refusal.detail));
            }
            fault
        }
    })?;
    let body = json!({
        "access_token": token.reveal(), "token_type": "Bearer", "expires_in": life, "scope": SCOPE,
    });
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CACHE_CONTROL, "no-store")).insert_header((header::PRAGMA, "no-cache"));
    Ok(response.json(body))
}

/// The form that was sent.
async fn form(request: &HttpRequest, app: &App, payload: web::Payload) -> Result<Parameters, Fault> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Fault::request("Send the parameters as application/x-www-form-urlencoded."));
    }
    let time = Duration::from_secs(app.config.server.limits.body_seconds);
    let body = extract::body(request, payload, MOST, time).await.map_err(|refusal| unreadable(&refusal))?;
    Parameters::read(&body)
}

/// Whether the grant that is asked for is offered.
fn granted(parameters: &Parameters) -> Result<(), Fault> {
    match parameters.get("grant_type") {
        Some("client_credentials") => Ok(()),
        Some(_) => {
            let why = "Only the grant type client_credentials is offered here.";
            Err(Fault::new(StatusCode::BAD_REQUEST, "unsupported_grant_type", why))
        }
        None => Err(Fault::request("grant_type is missing; send client_credentials.")),
    }
}

/// A body that cannot be read, in the form of this door.
fn unreadable(refusal: &Refusal) -> Fault {
    let error = refusal.error();
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
    Fault::new(status, "invalid_request", error.detail.to_string())
}
