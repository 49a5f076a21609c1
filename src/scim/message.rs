//! Envelopes: ListResponse and reading message bodies.

use super::error::{Result, invalid_syntax};
use super::json::{get, refuse_twins};
use serde_json::{Map, Value, json};

/// Schema of ListResponse.
pub const LIST_URN: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
/// Schema of SearchRequest.
pub const SEARCH_URN: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";
/// Schema of PatchOp.
pub const PATCH_URN: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
/// Schema of BulkRequest.
pub const BULK_REQUEST_URN: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
/// Schema of BulkResponse.
pub const BULK_RESPONSE_URN: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";

/// A whole list in one answer.
#[must_use]
pub fn list(resources: Vec<Value>) -> Value {
    ListPage {
        total: Some(resources.len() as u64),
        start: Some(1),
        resources,
        next_cursor: None,
        previous_cursor: None,
    }
    .into_json()
}

/// One page of a list (RFC 7644 §3.4.2, RFC 9865 §2).
#[derive(Debug, Clone, PartialEq)]
pub struct ListPage {
    /// Matches in all, when known.
    pub total: Option<u64>,
    /// Position of the first, for index paging.
    pub start: Option<u64>,
    /// The resources of this page, rendered and projected.
    pub resources: Vec<Value>,
    /// Where the next page begins; none on the last.
    pub next_cursor: Option<String>,
    /// Where the page before begins; none on the first.
    pub previous_cursor: Option<String>,
}

impl ListPage {
    /// The ListResponse (I01, L04, V01) around resources that are written apart, `count` of them: what stands before
    /// them, and what behind.
    #[must_use]
    pub fn around(self, count: usize) -> (Vec<u8>, Vec<u8>) {
        let mut body = self.members(count);
        body.remove("Resources");
        let mut head = Value::Object(body).to_string().into_bytes();
        head.pop();
        head.extend_from_slice(b",\"Resources\":[");
        (head, b"]}".to_vec())
    }

    /// The ListResponse (I01, L04, V01).
    #[must_use]
    pub fn into_json(self) -> Value {
        let count = self.resources.len();
        Value::Object(self.members(count))
    }

    fn members(self, count: usize) -> Map<String, Value> {
        let mut body = Map::new();
        body.insert("schemas".into(), json!([LIST_URN]));
        body.extend(self.total.map(|total| ("totalResults".to_owned(), total.into())));
        body.extend(self.start.map(|start| ("startIndex".to_owned(), start.into())));
        body.insert("itemsPerPage".into(), count.into());
        body.extend(self.next_cursor.map(|c| ("nextCursor".to_owned(), c.into())));
        body.extend(self.previous_cursor.map(|c| ("previousCursor".to_owned(), c.into())));
        body.insert("Resources".into(), Value::Array(self.resources));
        body
    }
}

/// The object of a message that must carry the schema `urn`.
///
/// # Errors
/// 400 `invalidSyntax` when the body is no object or lacks the schema.
pub(crate) fn envelope(body: Value, urn: &str) -> Result<Map<String, Value>> {
    let Value::Object(map) = body else {
        return Err(invalid_syntax("The body must be a JSON object."));
    };
    refuse_twins(&map)?;
    let names = |value: &Value| value.as_str().is_some_and(|s| s.eq_ignore_ascii_case(urn));
    let schemas = get(&map, "schemas").and_then(Value::as_array);
    match schemas {
        Some(list) if list.iter().any(names) => Ok(map),
        _ => Err(invalid_syntax(format!("\"schemas\" must contain {urn}."))),
    }
}
