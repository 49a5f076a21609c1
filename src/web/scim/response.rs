//! What a SCIM request is answered with.
use std::pin::Pin;

use actix_web::http::{StatusCode, header};
use actix_web::web::Bytes;
use actix_web::{Error, HttpResponse, HttpResponseBuilder};
use futures_util::Stream;
use serde_json::Value;

use super::request::{DRY_RUN, ScimRequest};
use crate::web::error::SCIM_JSON;

/// An answer before it becomes HTTP.
pub struct ScimResponse {
    /// The status.
    pub status: u16,
    body: Body,
    etag: Option<String>,
    location: Option<String>,
    content_location: Option<String>,
}

enum Body {
    None,
    Whole(Value),
    Text(Vec<u8>),
    Parts(Pin<Box<dyn Stream<Item = Result<Bytes, Error>>>>),
}

impl ScimResponse {
    /// A status with a message.
    pub fn new(status: u16, body: Value) -> Self {
        Self { status, body: Body::Whole(body), etag: None, location: None, content_location: None }
    }

    /// A status with a message that is JSON already.
    pub fn text(status: u16, text: Vec<u8>) -> Self {
        Self { body: Body::Text(text), ..Self::new(status, Value::Null) }
    }

    /// A status with a message that is sent while it is made.
    pub fn stream(status: u16, parts: impl Stream<Item = Result<Bytes, Error>> + 'static) -> Self {
        Self { status, body: Body::Parts(Box::pin(parts)), etag: None, location: None, content_location: None }
    }

    /// 204.
    pub fn empty() -> Self {
        Self { status: 204, body: Body::None, etag: None, location: None, content_location: None }
    }

    /// 304: the client has it already.
    pub fn not_modified() -> Self {
        Self { status: 304, ..Self::empty() }
    }

    /// With the version of the resource.
    #[must_use]
    pub fn with_etag(mut self, etag: String) -> Self {
        self.etag = Some(etag);
        self
    }

    /// With the address of the resource; when the resource itself is sent, it is that of what is sent too (RFC 7643 §3.1).
    #[must_use]
    pub fn with_location(mut self, location: String) -> Self {
        if !matches!(self.body, Body::None) {
            self = self.at(&location);
        }
        self.location = Some(location);
        self
    }

    /// With the address of what is sent, or would be.
    #[must_use]
    pub fn at(mut self, location: &str) -> Self {
        self.content_location = Some(location.to_owned());
        self
    }

    /// The response, in the media type that the client prefers (RFC 7644 §3.8).
    pub fn respond(self, visit: &ScimRequest) -> HttpResponse {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = HttpResponseBuilder::new(status);
        if let Some(etag) = self.etag {
            response.insert_header((header::ETAG, etag));
        }
        if let Some(location) = self.location {
            response.insert_header((header::LOCATION, location));
        }
        if let Some(location) = self.content_location {
            response.insert_header((header::CONTENT_LOCATION, location));
        }
        if visit.dry && status != StatusCode::NOT_MODIFIED {
            response.insert_header((DRY_RUN, "true"));
        }
        match self.body {
            Body::None => response.finish(),
            Body::Whole(body) => {
                response.insert_header((header::CONTENT_TYPE, media_type(visit))).body(body.to_string())
            }
            Body::Text(text) => response.insert_header((header::CONTENT_TYPE, media_type(visit))).body(text),
            Body::Parts(parts) => response.insert_header((header::CONTENT_TYPE, media_type(visit))).streaming(parts),
        }
    }
}

fn media_type(visit: &ScimRequest) -> &'static str {
    let accept = visit.request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let wants = |kind: &str| accept.to_ascii_lowercase().contains(kind);
    if wants("application/json") && !wants("scim+json") && !wants("*/*") { "application/json" } else { SCIM_JSON }
}
