//! Lines for the log of a connection's requests: of visits, and of requests that were shut out. Those never became a
//! visit, but whoever looks after the connection wants to know why its provider stands outside.
use actix_web::HttpRequest;
use actix_web::http::StatusCode;

use crate::domain::ctx::Actor;
use crate::domain::id::{ConnectionId, EventId, Id as _, TokenId};
use crate::domain::time::Timestamp;
use crate::login::error::LoginError;
use crate::store::request_log::{LoggedBody, RequestLogEntry};
use crate::store::resources;
use crate::web::App;
use crate::web::extract::ClientInfo;

/// A request that was shut out.
pub struct RejectedRequest<'a> {
    /// The connection it meant.
    pub connection: ConnectionId,
    /// The token it carried, when it is one of the connection's.
    pub token: Option<TokenId>,
    /// The path to show.
    pub path: &'a str,
    /// The status of the answer.
    pub status: u16,
    /// Why; not for the caller.
    pub why: String,
    /// When it came.
    pub began: Timestamp,
}

/// A line that says only where `request` came from, what it asked, and how long it has taken since `began`;
/// with what it changed.
pub(super) fn line<E>(app: &App, request: &HttpRequest, began: Timestamp, effect: E) -> RequestLogEntry<E> {
    let client = ClientInfo::of(request);
    RequestLogEntry {
        request_id: client.as_ref().map(|client| client.request_id.clone()).unwrap_or_default(),
        at: began,
        token: None,
        client_address: client.map(|client| client.ip.to_string()).unwrap_or_default(),
        method: request.method().as_str().to_owned(),
        path: String::new(),
        request: None,
        normalizations: Vec::new(),
        effect,
        dry_run: false,
        status: 0,
        error: None,
        duration_us: app.clock.now().micros().saturating_sub(began.micros()),
    }
}

/// Writes it into the log of the connection: one a second of each, because whoever is shut out may knock for ever. What
/// was sent is left out.
pub fn write_down(app: &App, request: &HttpRequest, shut: RejectedRequest<'_>) {
    if !app.request_log.is_on() || app.refusals_told.admit(shut.connection).is_err() {
        return;
    }
    let entry = RequestLogEntry {
        token: shut.token,
        path: shut.path.to_owned(),
        status: shut.status,
        error: Some(shut.why),
        ..line(app, request, shut.began, ())
    };
    app.request_log.record(shut.connection, app.ctx(Actor::System).id::<EventId>().uuid(), &entry);
}

/// Writes a request of somebody who proved nothing into the log of the connection whose address it came to, if there is
/// one: one a second of each, apart from those of whom the connection knows something.
pub async fn stranger(app: &App, request: &HttpRequest, slug: &str, path: &str, status: StatusCode, why: String) {
    if !app.request_log.is_on() {
        return;
    }
    let found = match app.store.reader().await {
        Ok(mut reader) => resources::of_connection(&mut reader, slug).await,
        Err(error) => Err(error),
    };
    // One that cannot be looked up now is told of by the server's own log.
    let Ok(Some((connection, _))) = found else { return };
    if app.strangers_told.admit(connection).is_ok() {
        let began = app.clock.now();
        let entry = RequestLogEntry {
            path: path.to_owned(),
            status: status.as_u16(),
            error: Some(why),
            ..line(app, request, began, ())
        };
        app.request_log.record(connection, app.ctx(Actor::System).id::<EventId>().uuid(), &entry);
    }
}

/// Writes a refused sign-in into the log of its connection, with who it was as far as the provider said: one a second of
/// each connection for those who came from the provider, and one for those who may be anybody.
pub fn refused_sign_in(app: &App, request: &HttpRequest, status: u16, refusal: &LoginError) {
    let Some(connection) = refusal.connection.filter(|_| app.request_log.is_on()) else { return };
    let told = if refusal.who.is_some() { &app.refusals_told } else { &app.strangers_told };
    if told.admit(connection).is_err() {
        return;
    }
    let entry = RequestLogEntry {
        // Without the query: it holds the code.
        path: request.path().to_owned(),
        request: refusal.who.as_ref().and_then(LoggedBody::of),
        status,
        error: Some(refusal.to_string()),
        ..line(app, request, app.clock.now(), ())
    };
    app.request_log.record(connection, app.ctx(Actor::System).id::<EventId>().uuid(), &entry);
}
