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
    parameters: Vec<Line>,
    body: Option<String>,
    answers: Vec<Line>,
}

/// A parameter, an answer or a member: its name, its type and what it means.
struct Line {
    name: String,
    kind: String,
    says: String,
}

struct Schema {
    name: String,
    says: String,
    members: Vec<Line>,
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
    for (path, item) in members(&description["paths"]) {
        for (method, operation) in members(item) {
            let title = text(&operation["tags"][0]);
            let read = read(path, method, operation);
            match groups.iter_mut().find(|group| group.title == title) {
                Some(group) => group.operations.push(read),
                None => groups.push(Group { title, operations: vec![read] }),
            }
        }
    }
    let schemas = members(&description["components"]["schemas"]);
    Page {
        about: text(&description["info"]["description"]),
        groups,
        schemas: schemas.map(|(name, schema)| described(name, schema)).collect(),
    }
}

fn read(path: &str, method: &str, operation: &Value) -> Operation {
    let summary = text(&operation["summary"]);
    let more = text(&operation["description"]);
    let says = if more.starts_with(summary.trim_end_matches('.')) { more } else { format!("{summary} {more}") };
    let parameters = operation["parameters"].as_array().into_iter().flatten().map(|parameter| Line {
        name: text(&parameter["name"]),
        kind: text(&parameter["in"]),
        says: text(&parameter["description"]),
    });
    let answers = members(&operation["responses"]).map(|(status, answer)| Line {
        name: status.to_owned(),
        kind: content(answer).unwrap_or_default(),
        says: text(&answer["description"]),
    });
    Operation {
        id: text(&operation["operationId"]),
        method: method.to_uppercase(),
        path: path.to_owned(),
        says,
        parameters: parameters.collect(),
        body: content(&operation["requestBody"]),
        answers: answers.collect(),
    }
}

/// The type of a body.
fn content(of: &Value) -> Option<String> {
    let (_, content) = members(&of["content"]).next()?;
    Some(kind(&content["schema"]))
}

fn described(name: &str, schema: &Value) -> Schema {
    let mut lines = Vec::new();
    let parts = schema["allOf"].as_array().into_iter().flatten();
    for part in std::iter::once(schema).chain(parts) {
        if let Some(whole) = part["$ref"].as_str() {
            let says = format!("All members of {}.", last(whole));
            lines.push(Line { name: "…".to_owned(), kind: String::new(), says });
        }
        lines.extend(members(&part["properties"]).map(|(name, member)| Line {
            name: name.to_owned(),
            kind: kind(member),
            says: text(&member["description"]),
        }));
        lines.extend(part["enum"].as_array().into_iter().flatten().map(|word| Line {
            name: text(word),
            kind: String::new(),
            says: String::new(),
        }));
    }
    Schema { name: name.to_owned(), says: text(&schema["description"]), members: lines }
}

/// A type in a few words.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str() {
        return last(name).to_owned();
    }
    if let Some(items) = schema.get("items") {
        return format!("list of {}", kind(items));
    }
    for several in ["oneOf", "anyOf", "allOf"] {
        if let Some(parts) = schema[several].as_array() {
            return parts.iter().map(kind).collect::<Vec<_>>().join(" or ");
        }
    }
    let word = match &schema["type"] {
        Value::Array(words) => words.iter().map(text).collect::<Vec<_>>().join(" or "),
        word => text(word),
    };
    match schema["format"].as_str() {
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

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
