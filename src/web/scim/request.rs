//! The way into every SCIM address: who calls, how often, and what is written about it.
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::log::{self, RejectedRequest};
use super::redact;
use super::response::ScimResponse;
use crate::connection::scim::ScimOptions;
use crate::domain::ctx::{Actor, Ctx};
use crate::domain::id::{EventId, Id, TokenId, exact};
use crate::domain::time::Timestamp;
use crate::scim::error::{ScimError, ScimType};
use crate::scim::etag::Precondition;
use crate::scim::json;
use crate::scim::profile::{AppliedSwitch, Switch};
use crate::scim::schema::{GROUP_URN, ResourceSchema};
use crate::store::StoreError;
use crate::store::connections::{ConnectionContext, Standstill};
use crate::store::request_log::{LoggedBody, RequestLogEntry};
use crate::store::tokens::{self, TokenStatus};
use crate::web::error::{DAMAGED, ErrorFormat, HttpError, LATE, sentence};
use crate::web::extract::{self, ClientInfo};
use crate::web::{App, metrics};

/// The header that asks for a dry run, and marks the answer of one.
pub const DRY_RUN: &str = "rolecall-dry-run";

/// One authenticated request.
pub struct ScimRequest {
    /// The state of the server.
    pub app: web::Data<App>,
    /// The request.
    pub request: HttpRequest,
    /// The connection that the token opened.
    pub connection: Arc<ConnectionContext>,
    /// What it offers.
    pub offer: Arc<ScimOptions>,
    /// The base address of the connection, without a slash at the end.
    pub base: String,
    /// The circumstances of the act.
    pub ctx: Ctx,
    /// Whether the request is only to be tried.
    pub dry: bool,
    payload: Option<web::Payload>,
    token: TokenId,
    note: RequestLogDraft,
}

/// What the log of requests will say.
#[derive(Default)]
struct RequestLogDraft {
    request: Option<LoggedBody>,
    translation: Vec<String>,
    effect: Option<Box<RawValue>>,
}

/// Authenticates a request, lets `work` answer it, and writes both into the log of requests.
///
/// # Errors
/// Every refusal, as a SCIM error.
pub async fn visit(
    request: HttpRequest,
    app: web::Data<App>,
    payload: web::Payload,
    work: impl AsyncFn(&mut ScimRequest) -> Result<ScimResponse, ScimError>,
) -> Result<HttpResponse, HttpError> {
    let began = app.clock.now();
    if let Some(answered) = ahead(&request, &app, &work, began).await {
        return answered;
    }
    let (connection, token) = authenticate(&request, &app, began).await?;
    let mut visit = ScimRequest::new(request, app, Some(payload), connection, token)?;
    let outcome = visit.outcome(&work).await;
    visit.finish(outcome, began)
}

/// Answers a read while the store is asked whether the token still opens the connection that it opened before, where the store
/// must be asked. None, and nothing of it is told, when it no longer does.
async fn ahead(
    request: &HttpRequest,
    app: &web::Data<App>,
    work: &impl AsyncFn(&mut ScimRequest) -> Result<ScimResponse, ScimError>,
    began: Timestamp,
) -> Option<Result<HttpResponse, HttpError>> {
    if request.method() != Method::GET {
        return None;
    }
    let slug = request.match_info().get("slug").unwrap_or_default();
    let known = app.opened.before(&app.store, slug, extract::bearer(request)?, began)?;
    let mut visit = ScimRequest::new(request.clone(), app.clone(), None, known.connection.clone(), known.token).ok()?;
    let still = tokens::still_opens(&app.store, &app.opened, &known);
    let (still, outcome) = futures_util::join!(still, visit.outcome(work));
    match still {
        Ok(true) => Some(visit.finish(outcome, began)),
        Ok(false) => None,
        Err(error) => Some(Err(unavailable(error))),
    }
}

/// The connection that the request's token opens.
///
/// # Errors
/// 503 for a good token of a paused connection, or of a suspended partner: told that it is a bad one, a provider would ask its administrator for
/// another or give the connection up. Else 401, the same for every reason, so that nobody learns which connections exist.
pub async fn authenticate(
    request: &HttpRequest,
    app: &App,
    now: Timestamp,
) -> Result<(Arc<ConnectionContext>, TokenId), HttpError> {
    let slug = request.match_info().get("slug").unwrap_or_default();
    let token = extract::bearer(request);
    let found = match token {
        Some(token) => tokens::authenticate(&app.store, &app.opened, slug, token, now).await.map_err(unavailable)?,
        None => TokenStatus::Unknown,
    };
    match found {
        TokenStatus::Opens(connection, token) => return Ok((connection, token)),
        TokenStatus::Shut { connection, token, why } => {
            let path = redact::path(below(request));
            let (token, why) = (Some(token), why.to_owned());
            log::write_down(
                app,
                request,
                RejectedRequest { connection, token, path: &path, status: 401, why, began: now },
            );
        }
        TokenStatus::AtRest { connection, token, why: still } => {
            let path = redact::path(below(request));
            let why = match still {
                Standstill::Connection => "the connection is paused",
                Standstill::Directory => "the directory is paused",
                Standstill::Partner => "the partner of the connection, or one above it, is suspended",
            };
            let (token, why) = (Some(token), why.to_owned());
            log::write_down(
                app,
                request,
                RejectedRequest { connection, token, path: &path, status: 503, why, began: now },
            );
            return Err(HttpError::scim(ErrorFormat::Scim, at_rest(still)));
        }
        TokenStatus::Unknown => {
            let why = match token {
                Some(_) => "the token is none of this connection",
                None => "no bearer token was sent",
            };
            log::stranger(app, request, slug, &redact::path(below(request)), StatusCode::UNAUTHORIZED, why.to_owned())
                .await;
        }
    }
    metrics::refused_tokens();
    let challenge = match token {
        Some(_) => "Bearer realm=\"scim\", error=\"invalid_token\"",
        None => "Bearer realm=\"scim\"",
    };
    let detail = "Send a valid bearer token of the connection that this address names.";
    Err(HttpError::scim(ErrorFormat::Scim, ScimError::plain(401, detail)).with(header::WWW_AUTHENTICATE, challenge))
}

/// The part of the address below the base address `/scim/{slug}/v2`, with the query.
fn below(request: &HttpRequest) -> &str {
    let path = request.uri().path_and_query().map_or("", |path| path.as_str());
    path.match_indices('/').nth(3).and_then(|(at, _)| path.get(at..)).unwrap_or(path)
}

fn unavailable(error: StoreError) -> HttpError {
    HttpError::scim(ErrorFormat::Scim, of_store(&error))
}

/// Seconds after which a client of something paused or suspended may ask again: about as often as providers come by themselves.
pub const PAUSED_SECONDS: u32 = 300;

/// Seconds after which a client may ask a store again that cannot answer.
const STORE_SECONDS: u32 = 5;

/// What takes nothing for now will again, so it is no refusal for good.
fn at_rest(why: Standstill) -> ScimError {
    let text = match why {
        Standstill::Connection => {
            "This connection is paused: nothing is taken from it until its administrator resumes it."
        }
        Standstill::Directory => {
            "This directory is paused: nothing is taken from it until its administrator resumes it."
        }
        Standstill::Partner => {
            "The partner of this connection is suspended: nothing is taken from it until it is switched on again."
        }
    };
    ScimError::plain(503, text).wait(PAUSED_SECONDS)
}

/// A failure of the store as clients may know it; the store has logged its cause.
pub fn of_store(error: &StoreError) -> ScimError {
    match error {
        StoreError::NotFound => ScimError::not_found(),
        StoreError::TooLong => {
            let text = "The query takes too long; narrow the filter, or page with a cursor.";
            ScimError::new(ScimType::TooMany, text)
        }
        StoreError::Damaged => ScimError::plain(500, DAMAGED),
        passing if passing.may_pass() => {
            ScimError::plain(503, "The store cannot take the request at the moment; repeat it shortly.")
                .wait(STORE_SECONDS)
        }
        other => {
            tracing::error!(error = %other, "a request failed in the store");
            let text = sentence(StatusCode::INTERNAL_SERVER_ERROR);
            ScimError::plain(500, text)
        }
    }
}

impl ScimRequest {
    fn new(
        request: HttpRequest,
        app: web::Data<App>,
        payload: Option<web::Payload>,
        connection: Arc<ConnectionContext>,
        token: TokenId,
    ) -> Result<Self, HttpError> {
        let offer = app.offers.of(&connection.connection).map_err(|problem| {
            tracing::error!(connection = %connection.connection.id, problem, "a connection's settings cannot be used");
            let text = "The settings of this connection cannot be used; its administrator finds the reason in the log.";
            HttpError::scim(ErrorFormat::Scim, ScimError::plain(500, text))
        })?;
        let dry = dry_run(&request).map_err(|error| HttpError::scim(ErrorFormat::Scim, error))?;
        let base = app.public_url.join(&format!("/scim/{}/v2", connection.connection.slug));
        let ctx = app.ctx(Actor::Connection { connection: connection.connection.id, run: None });
        Ok(Self { app, request, connection, offer, base, ctx, dry, payload, token, note: RequestLogDraft::default() })
    }

    /// What `work` makes of the request, unless the connection has asked too often.
    async fn outcome(
        &mut self,
        work: &impl AsyncFn(&mut ScimRequest) -> Result<ScimResponse, ScimError>,
    ) -> Result<Result<ScimResponse, ScimError>, Duration> {
        self.app.fairness.admit(self.connection.connection.id)?;
        // A little before the edge gives the request up, so that the log of requests has a line of it.
        let left = ClientInfo::of(&self.request).map(|client| client.left()).unwrap_or(Duration::MAX);
        match tokio::time::timeout(left, work(self)).await {
            Ok(outcome) => Ok(outcome),
            Err(_) => Ok(Err(ScimError::plain(503, LATE))),
        }
    }

    /// Answers with the outcome, and writes it down.
    fn finish(
        mut self,
        outcome: Result<Result<ScimResponse, ScimError>, Duration>,
        began: Timestamp,
    ) -> Result<HttpResponse, HttpError> {
        self.app.uses.note(self.token, began);
        let result = outcome.map_err(|wait| self.too_many(wait, began))?;
        let status = result.as_ref().map_or_else(|error| error.status, |answer| answer.status);
        self.write_down(status, result.as_ref().err(), began);
        match result {
            Ok(answer) => Ok(answer.respond(&self)),
            Err(error) => Err(HttpError::scim(ErrorFormat::Scim, error)),
        }
    }

    fn too_many(&mut self, wait: Duration, began: Timestamp) -> HttpError {
        let seconds = wait.as_millis().div_ceil(1_000).max(1);
        let error = ScimError::plain(429, format!("Too many requests; wait {seconds} s."));
        if self.app.refusals_told.admit(self.connection.connection.id).is_ok() {
            self.write_down(429, Some(&error), began);
        }
        HttpError::scim(ErrorFormat::Scim, error).with(header::RETRY_AFTER, &seconds.to_string())
    }

    /// The part of the path that `name` stands for.
    pub fn segment(&self, name: &str) -> &str {
        self.request.match_info().get(name).unwrap_or_default()
    }

    /// A path segment that is an id; nothing else exists.
    ///
    /// # Errors
    /// 404 when it is none.
    pub fn id<T: Id>(&self) -> Result<T, ScimError> {
        exact(self.segment("id")).map(T::from_uuid).ok_or_else(ScimError::not_found)
    }

    /// Refuses to change anything while the directory is paused.
    ///
    /// # Errors
    /// 503 with the reason.
    pub fn writing(&self) -> Result<(), ScimError> {
        writable(&self.connection)
    }

    /// Refuses to go on with a long request whose caller may no longer write.
    ///
    /// # Errors
    /// 401 when the token no longer opens the connection, 503 while the connection or its directory is paused, or its
    /// partner suspended.
    pub async fn still_writing(&self) -> Result<(), ScimError> {
        let now = self.app.clock.now();
        let (connection, _) =
            authenticate(&self.request, &self.app, now).await.map_err(|refusal| refusal.error().clone())?;
        writable(&connection)
    }

    /// Reads the body as JSON.
    ///
    /// # Errors
    /// 400 `invalidSyntax`, 408, 413 or 415.
    pub async fn json(&mut self, most: usize) -> Result<Value, ScimError> {
        self.read(most, json::read).await
    }

    /// Reads the body of a request about a resource of this type as JSON.
    ///
    /// # Errors
    /// As [`Self::json`].
    pub async fn json_of(&mut self, kind: ResourceSchema<'_>, most: usize) -> Result<Value, ScimError> {
        self.read(most, if kind.core.id == GROUP_URN { json::read_group } else { json::read }).await
    }

    async fn read(
        &mut self,
        most: usize,
        read: fn(&[u8], json::JsonLimits) -> Result<Value, ScimError>,
    ) -> Result<Value, ScimError> {
        let kind = self.request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if !kind.is_none_or(is_json) {
            let text = "Send the body as application/scim+json or application/json, in UTF-8.";
            return Err(ScimError::plain(415, text));
        }
        let payload = self.payload.take().ok_or_else(|| ScimError::plain(400, "The body was read already."))?;
        let time = Duration::from_secs(self.app.config.server.limits.body_timeout_seconds);
        let bytes =
            extract::body(&self.request, payload, most, time).await.map_err(|refusal| refusal.error().clone())?;
        let value = read(&bytes, json::JsonLimits::default());
        if self.app.request_log.is_on() {
            self.note.request = match &value {
                Ok(value) => redact::body(value, bytes.len()),
                Err(_) => LoggedBody::of(&format!("[{} bytes that are not taken as JSON]", bytes.len())),
            };
        }
        value
    }

    /// The If-Match or If-None-Match header.
    ///
    /// # Errors
    /// 400 when it is no list of entity tags.
    pub fn condition(&self, name: header::HeaderName) -> Result<Option<Precondition>, ScimError> {
        // A list may come in several lines (RFC 9110 §5.3).
        let lines = self.request.headers().get_all(name).map(|value| value.to_str().unwrap_or_default());
        let lines: Vec<&str> = lines.collect();
        if lines.is_empty() { Ok(None) } else { Precondition::parse(&lines.join(", ")).map(Some) }
    }

    /// What a write asks of the version, by If-Match and If-None-Match; none when it may be any.
    ///
    /// # Errors
    /// 400 when a header is no list of entity tags; 428 when the connection requires If-Match (T04).
    pub fn version_named(&self) -> Result<Option<Precondition>, ScimError> {
        let condition = self.condition(header::IF_MATCH)?;
        if condition.is_none() && self.offer.switches.is_on(Switch::RequireIfMatch) {
            return Err(ScimError::version_needed());
        }
        Ok(Precondition::of_write(condition, self.condition(header::IF_NONE_MATCH)?))
    }

    /// Notes which switches turned the request into its strict form.
    pub fn translated(&mut self, acts: &[AppliedSwitch]) {
        self.note.translation.extend(acts.iter().map(|act| format!("{} at {}", act.switch.as_str(), act.at)));
    }

    /// Notes what was left out of the request.
    pub fn ignored(&mut self, paths: &[String]) {
        self.note.translation.extend(paths.iter().map(|path| format!("left out: {path}")));
    }

    /// Notes what the request changed.
    pub fn changed(&mut self, effect: &impl Serialize) {
        if self.app.request_log.is_on() {
            self.note.effect = serde_json::value::to_raw_value(effect).ok();
        }
    }

    fn write_down(&mut self, status: u16, refusal: Option<&ScimError>, began: Timestamp) {
        if !self.app.request_log.is_on() {
            return;
        }
        let note = std::mem::take(&mut self.note);
        let entry = RequestLogEntry {
            token: Some(self.token),
            path: redact::path(below(&self.request)),
            request: note.request,
            normalizations: note.translation,
            dry_run: self.dry && self.request.method() != Method::GET,
            status,
            error: refusal.map(|error| error.to_string()),
            ..log::line(&self.app, &self.request, began, note.effect)
        };
        self.app.request_log.record(self.connection.connection.id, self.ctx.id::<EventId>().uuid(), &entry);
    }
}

/// Refuses to write at a connection that takes nothing for now.
fn writable(connection: &ConnectionContext) -> Result<(), ScimError> {
    connection.standstill().map_or(Ok(()), |why| Err(at_rest(why)))
}

/// Whether nothing is to be kept. A word that is not understood must not turn into a write.
fn dry_run(request: &HttpRequest) -> Result<bool, ScimError> {
    let mut asked = false;
    for value in request.headers().get_all(DRY_RUN) {
        match value.as_bytes() {
            word if word.eq_ignore_ascii_case(b"true") => asked = true,
            word if word.eq_ignore_ascii_case(b"false") => {}
            _ => return Err(ScimError::plain(400, "The header Rolecall-Dry-Run is \"true\" or \"false\".")),
        }
    }
    Ok(asked)
}

fn is_json(kind: &str) -> bool {
    let essence = kind.split(';').next().unwrap_or_default().trim();
    let utf8 = kind.to_ascii_lowercase().split_once("charset=").is_none_or(|(_, set)| {
        set.trim().trim_matches('"').starts_with("utf-8") || set.trim().trim_matches('"').starts_with("utf8")
    });
    ["application/scim+json", "application/json"].iter().any(|known| essence.eq_ignore_ascii_case(known)) && utf8
}
