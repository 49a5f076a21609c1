//! Requests that were shut out: they never became a visit, but the connection they meant has a log, and whoever looks
//! after it wants to know why its provider stands outside.
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

/// Writes it into the log of the connection: one a second of each, because whoever is shut out may knock for ever. What
/// was sent is left out.
pub fn write_down(app: &App, request: &HttpRequest, shut: ShutOut<'_>) {
    if !app.request_log.is_on() || app.told_to_wait.admit(shut.connection).is_err() {
        return;
    }
    let client = Client::of(request);
    let entry = Entry {
        request_id: client.as_ref().map(|client| client.request_id.clone()).unwrap_or_default(),
        at: shut.began,
        connection: shut.connection,
        token: shut.token,
        client: client.map(|client| client.ip.to_string()).unwrap_or_default(),
        method: request.method().as_str().to_owned(),
        path: shut.path.to_owned(),
        request: None,
        translation: Vec::new(),
        effect: serde_json::Value::Null,
        dry: false,
        status: shut.status,
        refusal: Some(shut.why),
        micros: app.clock.now().micros().saturating_sub(shut.began.micros()),
    };
    app.request_log.record(app.ctx(Actor::System).id::<EventId>().uuid(), entry);
}
