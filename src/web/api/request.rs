//! One request of the API: who calls, and what they send.
use std::ops::{Deref, DerefMut};
use std::str::FromStr;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::{StatusCode, header};
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use futures_util::future::LocalBoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::Fault;
use crate::domain::ctx::Ctx;
use crate::domain::id::UserId;
use crate::domain::time::Timestamp;
use crate::store::Reader;
use crate::store::extent::SelfExtent;
use crate::web::error::sentence;
use crate::web::login::ApiCaller;
use crate::web::operator_token::Operator;
use crate::web::{App, extract};

/// What a handler answers.
pub(super) type ApiResult = Result<HttpResponse, Fault>;

/// A request before it is known who sends it.
pub(super) struct RawRequest {
    /// The state of the server.
    pub app: web::Data<App>,
    /// The request.
    pub request: HttpRequest,
    payload: Option<web::Payload>,
}

/// A request of a user whose rate admits it.
pub(super) struct ApiRequest {
    sent: RawRequest,
    caller: ApiCaller,
}

/// A request of a user, or of a command on the machine of the server.
pub(super) enum ApiOrOperatorRequest {
    /// By an API token.
    User(ApiRequest),
    /// By the token in the data folder.
    Operator(RawRequest),
}

impl Deref for ApiRequest {
    type Target = RawRequest;

    fn deref(&self) -> &RawRequest {
        &self.sent
    }
}

impl DerefMut for ApiRequest {
    fn deref_mut(&mut self) -> &mut RawRequest {
        &mut self.sent
    }
}

impl Deref for ApiOrOperatorRequest {
    type Target = RawRequest;

    fn deref(&self) -> &RawRequest {
        match self {
            Self::User(call) => &call.sent,
            Self::Operator(sent) => sent,
        }
    }
}

impl DerefMut for ApiOrOperatorRequest {
    fn deref_mut(&mut self) -> &mut RawRequest {
        match self {
            Self::User(call) => &mut call.sent,
            Self::Operator(sent) => sent,
        }
    }
}

impl FromRequest for ApiRequest {
    type Error = Fault;
    type Future = LocalBoxFuture<'static, Result<Self, Fault>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let sent = RawRequest::of(request, payload);
        Box::pin(async move { Self::admitted(sent?).await })
    }
}

impl FromRequest for ApiOrOperatorRequest {
    type Error = Fault;
    type Future = LocalBoxFuture<'static, Result<Self, Fault>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let sent = RawRequest::of(request, payload);
        let operator = request.app_data::<web::Data<Operator>>();
        let operated = operator.is_some_and(|own| extract::bearer(request).is_some_and(|token| own.is(token)));
        Box::pin(async move {
            let sent = sent?;
            if operated { Ok(Self::Operator(sent)) } else { ApiRequest::admitted(sent).await.map(Self::User) }
        })
    }
}

impl ApiRequest {
    async fn admitted(sent: RawRequest) -> Result<Self, Fault> {
        let caller = ApiCaller::admitted(&sent.request, &sent.app).await?;
        Ok(Self { sent, caller })
    }

    /// The witness of who calls.
    pub(super) fn by(&self) -> &SelfExtent {
        &self.caller.bearer.extent
    }

    /// Who calls.
    pub(super) fn user(&self) -> UserId {
        self.caller.user()
    }

    /// The circumstances of an act of the caller.
    pub(super) fn ctx(&self) -> Ctx {
        self.caller.ctx(&self.app)
    }
}

impl RawRequest {
    fn of(request: &HttpRequest, payload: &mut Payload) -> Result<Self, Fault> {
        let failed = || Fault::new(StatusCode::INTERNAL_SERVER_ERROR, sentence(StatusCode::INTERNAL_SERVER_ERROR));
        let app = request.app_data::<web::Data<App>>().cloned().ok_or_else(failed)?;
        let payload = web::Payload::from_request(request, payload).into_inner().ok();
        Ok(Self { app, request: request.clone(), payload })
    }

    /// The moment.
    pub(super) fn now(&self) -> Timestamp {
        self.app.clock.now()
    }

    /// Reads from the store, all at one moment.
    pub(super) async fn read<T>(&self, work: impl AsyncFnOnce(&mut Reader) -> Result<T, Fault>) -> Result<T, Fault> {
        self.app.store.snapshot(work).await
    }

    /// The id in the path; anything that is none does not exist.
    pub(super) fn id<T: FromStr>(&self, name: &str) -> Result<T, Fault> {
        self.segment(name).parse().map_err(|_| Fault::hidden())
    }

    /// A connection's name in the path.
    pub(super) fn slug(&self) -> Result<&str, Fault> {
        let slug = self.segment("slug");
        let plain = slug.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if plain { Ok(slug) } else { Err(Fault::hidden()) }
    }

    /// A part of the path.
    pub(super) fn segment(&self, name: &str) -> &str {
        self.request.match_info().get(name).unwrap_or_default()
    }

    /// The body, read strictly: what is not known is refused.
    pub(super) async fn body<T: DeserializeOwned>(&mut self) -> Result<T, Fault> {
        let bytes = self.bytes().await?;
        if bytes.is_empty() {
            return Err(Fault::bad("The body is empty; send a JSON object."));
        }
        strict(&bytes)
    }

    /// The body, or what no body means.
    pub(super) async fn body_or_default<T: DeserializeOwned + Default>(&mut self) -> Result<T, Fault> {
        let bytes = self.bytes().await?;
        if bytes.is_empty() { Ok(T::default()) } else { strict(&bytes) }
    }

    async fn bytes(&mut self) -> Result<web::Bytes, Fault> {
        let limits = &self.app.config.server.limits;
        let time = Duration::from_secs(limits.body_timeout_seconds);
        let Some(payload) = self.payload.take() else { return Ok(web::Bytes::new()) };
        let bytes = extract::body(&self.request, payload, limits.max_body_bytes, time).await?;
        let kind = self.request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !bytes.is_empty() && !kind.eq_ignore_ascii_case("application/json") {
            return Err(Fault::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Send the body as application/json, in UTF-8."));
        }
        Ok(bytes)
    }

    /// The version in `If-Match`, when the caller names one.
    pub(super) fn if_match(&self) -> Result<Option<i64>, Fault> {
        let Some(value) = self.request.headers().get(header::IF_MATCH) else { return Ok(None) };
        let text = value.to_str().unwrap_or_default().trim();
        if text == "*" {
            return Ok(None);
        }
        let version = text.trim_matches('"').parse();
        version.map(Some).map_err(|_| Fault::bad("`If-Match` must be the ETag of an answer, such as \"3\"."))
    }
}

/// An answer as JSON. It belongs to the caller alone and is never kept by others.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> ApiResult {
    Ok(HttpResponse::build(status).insert_header((header::CACHE_CONTROL, "no-store")).json(body))
}

/// 200 with JSON.
pub(super) fn ok(body: &impl Serialize) -> ApiResult {
    json(StatusCode::OK, body)
}

/// 201 with JSON and the address of what came to be.
pub(super) fn created(location: &str, body: &impl Serialize) -> ApiResult {
    Ok(HttpResponse::Created()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::LOCATION, location))
        .json(body))
}

fn strict<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let place = error.path().to_string();
        let inner = error.into_inner();
        let at = format!("line {}, column {}", inner.line(), inner.column());
        if !inner.is_data() {
            return Fault::bad(format!("The body is not JSON ({at})."));
        }
        let text = inner.to_string();
        let what = text.split(" at line ").next().unwrap_or_default();
        if place == "." {
            Fault::bad(format!("The body: {what} ({at})."))
        } else {
            Fault::bad(format!("`{place}`: {what} ({at})."))
        }
    })?;
    reader.end().map_err(|_| Fault::bad("The body goes on after the JSON value."))?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[serde(rename = "inner")]
        _inner: Inner,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[serde(rename = "count")]
        _count: u8,
    }

    #[test]
    fn what_is_wrong_is_named() {
        let says = |text: &str| strict::<Outer>(text.as_bytes()).unwrap_err().to_string();
        assert!(strict::<Outer>(br#"{"inner": {"count": 1}}"#).is_ok());
        assert!(says(r#"{"inner": {"count": "x"}}"#).contains("`inner.count`: invalid type"));
        assert!(says(r#"{"inner": {"count": 1}, "more": 2}"#).contains("unknown field `more`"));
        assert!(says(r#"{"inner": {"count": 1, "deep": 2}}"#).contains("unknown field `deep`"));
        assert!(says(r#"{"inner": {}}"#).contains("missing field `count`"));
        assert!(says("{").contains("not JSON"));
        assert!(says(r#"{"inner": {"count": 1}} x"#).contains("goes on"));
        assert!(says("[]").contains("The body"));
    }
}
