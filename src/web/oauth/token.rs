//! `POST /oauth/{slug}/token`: a short-lived token for a client that proves itself.
use std::time::Duration;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, ResponseError as _, web};
use serde_json::json;

use super::fault::OauthError;
use super::request::{Basic, Parameters, proof};
use super::{SCOPE, endpoint};
use crate::domain::ctx::Actor;
use crate::domain::id::ConnectionId;
use crate::domain::time::Timestamp;
use crate::login;
use crate::login::client::TokenError;
use crate::login::error::LoginErrorKind;
use crate::store::connections::Standstill;
use crate::web::error::HttpError;
use crate::web::extract::{self, ClientInfo};
use crate::web::scim::PAUSED_SECONDS;
use crate::web::scim::log::{self, RejectedRequest};
use crate::web::{App, metrics};

/// The largest form, in bytes.
const MOST: usize = 64 * 1024;

/// Answers a token request (RFC 6749 §4.4.2).
pub(super) async fn token(
    request: HttpRequest,
    app: web::Data<App>,
    slug: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, OauthError> {
    let client = ClientInfo::of(&request).map(|client| client.ip);
    if !client.is_none_or(|client| app.desk.admits_client(client, app.clock.now())) {
        let why = "Too many token requests from here have failed; wait a minute.";
        return Err(OauthError::later(StatusCode::TOO_MANY_REQUESTS, why, 60));
    }
    let answer = issued(&request, &app, &slug, payload).await;
    if let (Err(fault), Some(client)) = (&answer, client)
        && fault.status_code().is_client_error()
    {
        app.desk.count_client(client, app.clock.now());
    }
    answer
}

async fn issued(
    request: &HttpRequest,
    app: &web::Data<App>,
    slug: &str,
    payload: web::Payload,
) -> Result<HttpResponse, OauthError> {
    let ctx = app.ctx(Actor::System);
    let parameters = form(request, app, payload).await;
    let basic = Basic::read(request.headers().get(header::AUTHORIZATION).map(header::HeaderValue::as_bytes));
    let proof = match (&parameters, &basic) {
        (Ok(parameters), Ok(basic)) => granted(parameters).and_then(|()| proof(parameters, basic.as_ref())),
        (Err(fault), _) | (_, Err(fault)) => Err(fault.clone()),
    };
    let tell = |connection, fault: &OauthError, why: String| {
        let (path, status) = (request.path(), fault.status_code().as_u16());
        let shut = RejectedRequest { connection, token: None, path, status, why, began: ctx.now() };
        log::write_down(app, request, shut);
    };
    let proof = match proof {
        Ok(proof) => proof,
        Err(fault) => {
            let named = basic.as_ref().ok().and_then(|basic| basic.as_ref().map(Basic::id));
            let named = named.or_else(|| parameters.as_ref().ok()?.get("client_id"));
            let connection = match named {
                Some(client) => app.desk.login.connection_of(slug, client).await.ok().flatten(),
                None => None,
            };
            match connection {
                Some(connection) => tell(connection, &fault, fault.to_string()),
                None => log::stranger(app, request, slug, request.path(), fault.status_code(), fault.to_string()).await,
            }
            return Err(fault);
        }
    };
    let life = app.config.scim.access_token_lifetime_seconds;
    let issued = app.desk.login.issue(&ctx, slug, &endpoint(app, slug), proof, life).await;
    let token = match issued {
        Ok(token) => token,
        // Who has proved itself is told: a provider that hears of a wrong secret asks for another.
        Err(TokenError { refusal, connection, still: Some(why) }) => {
            let why = match why {
                Standstill::Connection | Standstill::Directory => {
                    "This connection is paused: no tokens are given until its administrator resumes it."
                }
                Standstill::Partner => {
                    "The partner of this connection is suspended: no tokens are given until it is switched on again."
                }
            };
            let fault = OauthError::later(StatusCode::SERVICE_UNAVAILABLE, why, PAUSED_SECONDS);
            if let Some(connection) = connection {
                tell(connection, &fault, refusal.detail);
            }
            return Err(fault);
        }
        Err(TokenError { refusal, connection, .. }) => {
            return Err(denied(app, request, slug, refusal, connection, ctx.now()).await);
        }
    };
    let body = json!({
        "access_token": token.reveal(), "token_type": "Bearer", "expires_in": life, "scope": SCOPE,
    });
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CACHE_CONTROL, "no-store")).insert_header((header::PRAGMA, "no-cache"));
    Ok(response.json(body))
}

/// A token that was not given; for the client the same whatever the cause.
async fn denied(
    app: &App,
    request: &HttpRequest,
    slug: &str,
    refusal: login::error::LoginError,
    connection: Option<ConnectionId>,
    began: Timestamp,
) -> OauthError {
    if refusal.kind == LoginErrorKind::Down {
        return OauthError::later(StatusCode::SERVICE_UNAVAILABLE, "The server cannot answer at the moment.", 60);
    }
    metrics::refused_tokens();
    tracing::warn!(connection = %slug, code = refusal.code, detail = refusal.detail, "no token for a client");
    let (fault, path) = (OauthError::client(), request.path());
    let why = format!("invalid_client: {}", refusal.detail);
    match connection {
        Some(connection) => {
            let status = fault.status_code().as_u16();
            log::write_down(app, request, RejectedRequest { connection, token: None, path, status, why, began });
        }
        None => log::stranger(app, request, slug, path, fault.status_code(), why).await,
    }
    fault
}

/// The form that was sent.
async fn form(request: &HttpRequest, app: &App, payload: web::Payload) -> Result<Parameters, OauthError> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(OauthError::request("Send the parameters as application/x-www-form-urlencoded."));
    }
    let time = Duration::from_secs(app.config.server.limits.body_timeout_seconds);
    let body = extract::body(request, payload, MOST, time).await.map_err(|refusal| unreadable(&refusal))?;
    Parameters::read(&body)
}

/// Whether the grant that is asked for is offered.
fn granted(parameters: &Parameters) -> Result<(), OauthError> {
    match parameters.get("grant_type") {
        Some("client_credentials") => Ok(()),
        Some(_) => {
            let why = "Only the grant type client_credentials is offered here.";
            Err(OauthError::new(StatusCode::BAD_REQUEST, "unsupported_grant_type", why))
        }
        None => Err(OauthError::request("grant_type is missing; send client_credentials.")),
    }
}

/// A body that cannot be read, in the form of this connection.
fn unreadable(refusal: &HttpError) -> OauthError {
    let error = refusal.error();
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
    OauthError::new(status, "invalid_request", error.detail.to_string())
}
