//! Lines for the log of a connection's requests: of visits, and of requests that were shut out. Those never became a
//! visit, but whoever looks after the connection wants to know why its provider stands outside.
use actix_web::HttpRequest;

use crate::domain::ctx::Actor;
use crate::domain::id::{ConnectionId, EventId, Id as _, TokenId};
use crate::domain::time::Timestamp;
use crate::store::provisioning_log::Entry;
use crate::web::App;
use crate::web::extract::Client;

/// A request that was shut out.
pub struct ShutOut<'a> {
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
pub(super) fn line<E>(app: &App, request: &HttpRequest, began: Timestamp, effect: E) -> Entry<E> {
    let client = Client::of(request);
    Entry {
        request_id: client.as_ref().map(|client| client.request_id.clone()).unwrap_or_default(),
        at: began,
        token: None,
        client: client.map(|client| client.ip.to_string()).unwrap_or_default(),
        method: request.method().as_str().to_owned(),
        path: String::new(),
        request: None,
        translation: Vec::new(),
        effect,
        dry: false,
        status: 0,
        refusal: None,
        micros: app.clock.now().micros().saturating_sub(began.micros()),
    }
}

/// Writes it into the log of the connection: one a second of each, because whoever is shut out may knock for ever. What
/// was sent is left out.
pub fn write_down(app: &App, request: &HttpRequest, shut: ShutOut<'_>) {
    if !app.request_log.is_on() || app.refusals_told.admit(shut.connection).is_err() {
        return;
    }
    let entry = Entry {
        token: shut.token,
        path: shut.path.to_owned(),
        status: shut.status,
        refusal: Some(shut.why),
        ..line(app, request, shut.began, ())
    };
    app.request_log.record(shut.connection, app.ctx(Actor::System).id::<EventId>().uuid(), &entry);
}
