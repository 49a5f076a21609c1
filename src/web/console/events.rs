//! `/activity`: the sealed log of the partners the visitor may audit, newest first.
use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::error::PageError;
use super::event_labels;
use super::layout::{Layout, link, ok, parameter, second, session_user};
use crate::domain::capability::CoreCapability;
use crate::domain::ctx::Actor;
use crate::domain::id::Id as _;
use crate::store::recent_events::{self, ActivityEntry};
use crate::store::visible_reasons::{self, Sight};
use crate::store::{Reader, reach};
use crate::web::App;

/// Lines on a page.
const PAGE: u32 = 60;
/// Ids of one line that are shown by name.
const MOST_NAMES: usize = 5;

#[derive(Template)]
#[template(path = "console/activity.html")]
struct Page {
    frame: Layout,
    allowed: bool,
    events: Vec<EventRow>,
    next: Option<String>,
    first: bool,
}

struct EventRow {
    seq: i64,
    when: String,
    title: &'static str,
    kind: String,
    class: &'static str,
    subject: String,
    partner: String,
    actor: String,
    detail: String,
}

/// Shows a page of the log.
pub(super) async fn show(request: HttpRequest, app: web::Data<App>) -> Result<HttpResponse, PageError> {
    let session_user = session_user(&request, &app).await?;
    let now = app.clock.now();
    let before = parameter(&request, "before").parse().unwrap_or(i64::MAX);
    let frame = Layout::of(&session_user, &request, "activity");
    let page = app
        .store
        .snapshot(async |reader: &mut Reader| {
            let regions = reach::regions(reader, &session_user.signed.extent, CoreCapability::AuditView, now).await?;
            let mut entries: BTreeMap<i64, ActivityEntry> = BTreeMap::new();
            for region in &regions {
                let found = recent_events::newest(reader, region, before, PAGE + 1).await?;
                entries.extend(found.into_iter().map(|entry| (entry.seq, entry)));
            }
            let more = entries.len() > PAGE as usize;
            let entries: Vec<ActivityEntry> = entries.into_values().rev().take(PAGE as usize).collect();
            let ids: Vec<Uuid> = entries.iter().flat_map(mentioned).collect();
            let mut sight = Sight::of(session_user.user(), now);
            let names = visible_reasons::names(reader, &mut sight, &ids).await?.into_iter().collect();
            let last = entries.last().filter(|_| more);
            Ok::<_, PageError>(Page {
                frame,
                allowed: !regions.is_empty(),
                next: last.map(|last| link("/activity", &[("before", &last.seq.to_string())])),
                first: before == i64::MAX,
                events: entries.iter().map(|entry| line(entry, &names)).collect(),
            })
        })
        .await?;
    Ok(ok(&page))
}

fn details(entry: &ActivityEntry) -> Map<String, Json> {
    serde_json::from_str(&entry.line.data).unwrap_or_default()
}

fn ids_of(value: &Json) -> Vec<Uuid> {
    let parse = |value: &Json| value.as_str().and_then(|text| text.parse().ok());
    match value {
        Json::Array(list) => list.iter().filter_map(parse).collect(),
        value => parse(value).into_iter().collect(),
    }
}

/// The ids whose names a line is shown with.
fn mentioned(entry: &ActivityEntry) -> Vec<Uuid> {
    let mut ids: Vec<Uuid> = entry.line.subject.into_iter().collect();
    for value in details(entry).values() {
        ids.extend(ids_of(value).into_iter().take(MOST_NAMES));
    }
    match serde_json::from_str(&entry.line.actor) {
        Ok(Actor::User { user }) => ids.push(user.uuid()),
        Ok(Actor::Connection { connection, .. }) => ids.push(connection.uuid()),
        _ => {}
    }
    ids
}

fn line(entry: &ActivityEntry, names: &BTreeMap<Uuid, String>) -> EventRow {
    let name = |id: Uuid| names.get(&id).cloned();
    let actor = match serde_json::from_str(&entry.line.actor) {
        Ok(Actor::User { user }) => name(user.uuid()).unwrap_or_else(|| "an administrator".to_owned()),
        Ok(Actor::Connection { connection, run }) => {
            let slug = name(connection.uuid()).unwrap_or_else(|| "a connection that has gone".to_owned());
            if run.is_some() { format!("{slug}, in a run") } else { slug }
        }
        Ok(Actor::Operator) => "the operator".to_owned(),
        Ok(Actor::System) | Err(_) => "the server".to_owned(),
    };
    let (title, class) = event_labels::event(&entry.line.kind);
    EventRow {
        seq: entry.seq,
        when: second(entry.line.at),
        title,
        kind: entry.line.kind.clone(),
        class,
        subject: entry.line.subject.and_then(name).unwrap_or_default(),
        partner: entry.partner.clone(),
        actor,
        detail: detail(&details(entry), names),
    }
}

/// The details in words: names where there are any, else how many.
fn detail(details: &Map<String, Json>, names: &BTreeMap<Uuid, String>) -> String {
    let mut parts = Vec::new();
    // Who did it stands in a column of its own.
    for (key, value) in details.iter().filter(|(key, _)| *key != "connection") {
        let key = key.replace('_', " ");
        let ids = ids_of(value);
        let known: Vec<&str> = ids.iter().take(MOST_NAMES).filter_map(|id| names.get(id)).map(String::as_str).collect();
        let text = if !known.is_empty() {
            let more = ids.len().saturating_sub(known.len());
            if more > 0 { format!("{} and {more} more", known.join(", ")) } else { known.join(", ") }
        } else if !ids.is_empty() {
            continue;
        } else {
            match value {
                Json::String(text) => text.clone(),
                Json::Array(list) => list.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(", "),
                Json::Null => continue,
                other => other.to_string(),
            }
        };
        parts.push(format!("{key}: {text}"));
    }
    parts.join(" · ")
}
