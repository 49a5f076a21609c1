//! Bulk requests (RFC 7644 §3.7): reading them, the order to run them in,
//! and the answer.
//!
//! The caller drives: [`BulkExecution::next_call`] hands out one call after another
//! with every `bulkId:` reference replaced, the caller carries it out and
//! reports with [`BulkExecution::succeeded`] or [`BulkExecution::failed`], and
//! [`BulkExecution::finish`] is the BulkResponse.

mod dependencies;
mod execution;
mod references;

#[cfg(test)]
mod tests;

pub use execution::{BulkExecution, PendingOperation, Success};

use super::error::{Result, ScimError, invalid_syntax, invalid_value};
use super::etag::Precondition;
use super::json::take;
use super::message::{BULK_REQUEST_URN, envelope};
use super::schema::discovery::BulkLimits;
use serde_json::{Map, Value};
use std::collections::HashSet;

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Creates.
    Post,
    /// Replaces.
    Put,
    /// Changes.
    Patch,
    /// Deletes.
    Delete,
}

impl Method {
    /// The word in the message.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        let all = [Method::Post, Method::Put, Method::Patch, Method::Delete];
        all.into_iter().find(|method| method.as_str().eq_ignore_ascii_case(word))
    }
}

/// One operation, as a request of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkOperation {
    /// What it does.
    pub method: Method,
    /// The endpoint, such as `/Users`.
    pub endpoint: String,
    /// The resource; none for POST.
    pub id: Option<String>,
    /// The version it must have (R08).
    pub condition: Option<Precondition>,
    /// The body; null for DELETE.
    pub data: Value,
}

/// One entry of a BulkRequest: usable or not, it gets an answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct BulkItem {
    method: Option<Method>,
    word: String,
    bulk_id: Option<String>,
    /// Endpoint and id of `path`, as far as it has them.
    endpoint: String,
    target: Option<String>,
    call: Result<BulkOperation>,
}

/// A BulkRequest.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkRequest {
    entries: Vec<BulkItem>,
    fail_on_errors: Option<usize>,
}

/// Refuses a body that is too large (R06); to be asked while it arrives.
///
/// # Errors
/// 413 naming the limit.
pub fn check_size(bytes: usize, limits: BulkLimits) -> Result<()> {
    if bytes <= limits.bytes {
        return Ok(());
    }
    Err(ScimError::too_large(format!("The bulk request is larger than maxPayloadSize ({} bytes).", limits.bytes)))
}

/// Reads a BulkRequest (R01). An entry that is no proper operation is answered
/// in its place; only the envelope can fail as a whole.
///
/// # Errors
/// 400 `invalidSyntax` when it is no BulkRequest, 413 beyond `maxOperations`.
pub fn parse(body: Value, limits: BulkLimits) -> Result<BulkRequest> {
    let mut map = envelope(body, BULK_REQUEST_URN)?;
    let Some(Value::Array(list)) = take(&mut map, "Operations") else {
        return Err(invalid_syntax("\"Operations\" must be a list."));
    };
    if list.len() > limits.operations {
        let text = format!("The bulk request has more than maxOperations ({}) operations.", limits.operations);
        return Err(ScimError::too_large(text));
    }
    let fail_on_errors = match take(&mut map, "failOnErrors") {
        None | Some(Value::Null) => None,
        Some(Value::Number(number)) if number.as_u64().is_some() => {
            // Accepting no error at all is to stop at the first.
            number.as_u64().map(|n| usize::try_from(n).unwrap_or(usize::MAX).max(1))
        }
        Some(_) => return Err(invalid_syntax("\"failOnErrors\" must be a whole number.")),
    };
    let mut seen = HashSet::new();
    let entries = list.into_iter().map(|entry| read(entry, &mut seen)).collect();
    Ok(BulkRequest { entries, fail_on_errors })
}

fn read(entry: Value, seen: &mut HashSet<String>) -> BulkItem {
    let Value::Object(mut map) = entry else {
        return BulkItem {
            method: None,
            word: String::new(),
            bulk_id: None,
            endpoint: String::new(),
            target: None,
            call: Err(invalid_syntax("Every operation must be an object.")),
        };
    };
    let word = text(&mut map, "method").unwrap_or_default();
    let bulk_id = text(&mut map, "bulkId");
    let method = Method::parse(&word);
    let path = text(&mut map, "path").unwrap_or_default();
    let mut segments = path.trim_matches('/').splitn(2, '/');
    let endpoint = segments.next().map(|name| format!("/{name}")).unwrap_or_default();
    let target = segments.next().map(str::to_owned);
    let call = match method {
        None => Err(invalid_syntax("\"method\" must be POST, PUT, PATCH or DELETE.")),
        Some(method) => check_path(method, &endpoint, target.as_deref())
            .and_then(|()| call(method, bulk_id.as_deref(), map, seen))
            .map(|call| BulkOperation { endpoint: endpoint.clone(), id: target.clone(), ..call }),
    };
    BulkItem { method, word, bulk_id, endpoint, target, call }
}

fn check_path(method: Method, endpoint: &str, id: Option<&str>) -> Result<()> {
    if endpoint == "/" {
        return Err(invalid_syntax("\"path\" must name an endpoint, such as \"/Users\"."));
    }
    match (method, id) {
        (Method::Post, None) => Ok(()),
        (Method::Post, Some(_)) => Err(invalid_syntax("The \"path\" of a POST names no resource.")),
        (_, None) => Err(invalid_syntax("The \"path\" must name a resource, such as \"/Users/{id}\".")),
        (_, Some(id)) if id.contains('/') => Err(invalid_syntax("The \"path\" goes too deep.")),
        (_, Some(_)) => Ok(()),
    }
}

fn call(
    method: Method,
    bulk_id: Option<&str>,
    mut map: Map<String, Value>,
    seen: &mut HashSet<String>,
) -> Result<BulkOperation> {
    if method == Method::Post {
        let Some(bulk_id) = bulk_id.filter(|id| !id.is_empty()) else {
            return Err(invalid_syntax("A POST operation needs a \"bulkId\"."));
        };
        if !seen.insert(bulk_id.to_owned()) {
            return Err(invalid_value("The \"bulkId\" is used by an operation before."));
        }
    }
    let condition = match take(&mut map, "version") {
        None | Some(Value::Null) => None,
        Some(Value::String(version)) if version.trim().is_empty() => None,
        Some(Value::String(version)) => Some(Precondition::parse(&version)?),
        Some(_) => return Err(invalid_syntax("\"version\" must be a string, as in \"meta.version\".")),
    };
    let data = match (method, take(&mut map, "data")) {
        (Method::Delete, _) => Value::Null,
        (_, Some(data @ Value::Object(_))) => data,
        _ => return Err(invalid_syntax("\"data\" must be the body of the operation.")),
    };
    Ok(BulkOperation { method, endpoint: String::new(), id: None, condition, data })
}

fn text(map: &mut Map<String, Value>, name: &str) -> Option<String> {
    match take(map, name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}
