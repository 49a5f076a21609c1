//! `GET /api/v1/docs`: the reference page, rendered from the description.
use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, HttpResponseBuilder};
use askama::Template;
use serde_json::Value;

use super::openapi::document;

#[derive(Template)]
#[template(path = "api/reference.html")]
struct Page {
    about: String,
    groups: Vec<Group>,
    schemas: Vec<Schema>,
}

/// The operations under one heading.
struct Group {
    title: String,
    operations: Vec<Operation>,
}

struct Operation {
    id: String,
    method: String,
    path: String,
    says: String,
    parameters: Vec<ReferenceRow>,
    body: Option<String>,
    answers: Vec<ReferenceRow>,
}

/// A parameter, an answer or a member: its name, its type and what it means.
struct ReferenceRow {
    name: String,
    kind: String,
    says: String,
}

struct Schema {
    name: String,
    says: String,
    members: Vec<ReferenceRow>,
}

/// This reference as a page.
#[utoipa::path(get, path = "/api/v1/docs", tag = "Description", operation_id = "getReference",
    responses((status = 200, description = "a page for people", body = String, content_type = "text/html")))]
pub(super) async fn show() -> HttpResponse {
    let description = serde_json::to_value(document()).unwrap_or_default();
    match page(&description).render() {
        Ok(text) => HttpResponse::Ok()
            .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
            .insert_header((header::CACHE_CONTROL, "no-cache"))
            .body(text),
        Err(error) => {
            tracing::error!(%error, "the reference page could not be rendered");
            HttpResponseBuilder::new(StatusCode::INTERNAL_SERVER_ERROR).finish()
        }
    }
}

fn page(description: &Value) -> Page {
    let mut groups: Vec<Group> = Vec::new();
    for (path, item) in members(at(description, "/paths")) {
        for (method, operation) in members(item) {
            let title = text(at(operation, "/tags/0"));
            let read = read(path, method, operation);
            match groups.iter_mut().find(|group| group.title == title) {
                Some(group) => group.operations.push(read),
                None => groups.push(Group { title, operations: vec![read] }),
            }
        }
    }
    let schemas = members(at(description, "/components/schemas"));
    Page {
        about: text(at(description, "/info/description")),
        groups,
        schemas: schemas.map(|(name, schema)| described(name, schema)).collect(),
    }
}

fn read(path: &str, method: &str, operation: &Value) -> Operation {
    let summary = text(at(operation, "/summary"));
    let more = text(at(operation, "/description"));
    let says = if more.starts_with(summary.trim_end_matches('.')) { more } else { format!("{summary} {more}") };
    let parameters = at(operation, "/parameters").as_array().into_iter().flatten().map(|parameter| ReferenceRow {
        name: text(at(parameter, "/name")),
        kind: text(at(parameter, "/in")),
        says: text(at(parameter, "/description")),
    });
    let answers = members(at(operation, "/responses")).map(|(status, answer)| ReferenceRow {
        name: status.to_owned(),
        kind: content(answer).unwrap_or_default(),
        says: text(at(answer, "/description")),
    });
    Operation {
        id: text(at(operation, "/operationId")),
        method: method.to_uppercase(),
        path: path.to_owned(),
        says,
        parameters: parameters.collect(),
        body: content(at(operation, "/requestBody")),
        answers: answers.collect(),
    }
}

/// The type of a body.
fn content(of: &Value) -> Option<String> {
    let (_, content) = members(at(of, "/content")).next()?;
    Some(kind(at(content, "/schema")))
}

fn described(name: &str, schema: &Value) -> Schema {
    let mut lines = Vec::new();
    let parts = at(schema, "/allOf").as_array().into_iter().flatten();
    for part in std::iter::once(schema).chain(parts) {
        if let Some(whole) = at(part, "/$ref").as_str() {
            let says = format!("All members of {}.", last(whole));
            lines.push(ReferenceRow { name: "…".to_owned(), kind: String::new(), says });
        }
        lines.extend(members(at(part, "/properties")).map(|(name, member)| ReferenceRow {
            name: name.to_owned(),
            kind: kind(member),
            says: text(at(member, "/description")),
        }));
        lines.extend(part["enum"].as_array().into_iter().flatten().map(|word| ReferenceRow {
            name: text(word),
            kind: String::new(),
            says: String::new(),
        }));
    }
    Schema { name: name.to_owned(), says: text(at(schema, "/description")), members: lines }
}

/// A type in a few words.
fn kind(schema: &Value) -> String {
    if let Some(name) = at(schema, "/$ref").as_str() {
        return last(name).to_owned();
    }
    if let Some(items) = schema.get("items") {
        return format!("list of {}", kind(items));
    }
    for several in ["oneOf", "anyOf", "allOf"] {
        if let Some(parts) = schema.get(several).and_then(Value::as_array) {
            return parts.iter().map(kind).collect::<Vec<_>>().join(" or ");
        }
    }
    let word = match at(schema, "/type") {
        Value::Array(words) => words.iter().map(text).collect::<Vec<_>>().join(" or "),
        word => text(word),
    };
    match at(schema, "/format").as_str() {
        Some(format) => format!("{word} ({format})"),
        None => word,
    }
}

fn last(reference: &str) -> &str {
    reference.rsplit('/').next().unwrap_or(reference)
}

fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

/// The value behind a JSON pointer; null when there is none.
fn at<'v>(value: &'v Value, pointer: &str) -> &'v Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
