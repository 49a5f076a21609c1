//! The requests of a SCIM connection, newest first.
use serde_json::Value as Json;

use super::super::error::PageError;
use super::super::event_labels;
use super::super::layout::{link, second};
use crate::store::extent::ConnectionExtent;
use crate::store::request_log::{LogPosition, RequestLogEntry};
use crate::web::App;

/// Requests on a page.
const PAGE: usize = 30;

/// One request.
pub(super) struct Request {
    pub(super) when: String,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) status: u16,
    pub(super) class: &'static str,
    pub(super) effect: String,
    pub(super) translated: Vec<String>,
    pub(super) refusal: String,
    pub(super) body: String,
    pub(super) took: String,
    pub(super) id: String,
}

/// A page of the log.
pub(super) struct Listed {
    pub(super) requests: Vec<Request>,
    pub(super) older: Option<String>,
    pub(super) newest: bool,
}

/// Reads a page: what contains `search`, before the place in `before`.
pub(super) async fn read(
    app: &App,
    extent: &ConnectionExtent,
    slug: &str,
    search: &str,
    before: &str,
) -> Result<Listed, PageError> {
    let place: Option<LogPosition> = serde_json::from_str(before).ok();
    let newest = place.is_none();
    let (entries, next) = app.request_log.page(extent, search, place, PAGE).await.map_err(|error| {
        tracing::error!(%error, "the log of requests could not be read");
        PageError::Down
    })?;
    let here = format!("/connections/{slug}");
    let older = next.and_then(|place| serde_json::to_string(&place).ok());
    let older = older.map(|place| format!("{}#log", link(&here, &[("q", search), ("before", &place)])));
    Ok(Listed { requests: entries.into_iter().map(request).collect(), older, newest })
}

fn request(entry: RequestLogEntry) -> Request {
    Request {
        when: second(entry.at),
        class: match entry.status {
            200..300 => "good",
            300..400 => "",
            400..500 => "warn",
            _ => "bad",
        },
        effect: effect(&entry.effect, entry.dry_run),
        took: format!(
            "{:.1} ms",
            std::time::Duration::from_micros(entry.duration_us.unsigned_abs()).as_secs_f64() * 1000.0
        ),
        body: entry.request.map(|body| pretty(&body.text())).unwrap_or_default(),
        refusal: entry.error.unwrap_or_default(),
        translated: entry.normalizations,
        method: entry.method,
        path: entry.path,
        status: entry.status,
        id: entry.request_id,
    }
}

/// What happened, in words: each kind of event once, with how often; of a bulk request, that of all its operations.
fn effect(effect: &Json, dry: bool) -> String {
    let operations = effect.as_array().map_or(&[][..], Vec::as_slice);
    let effects = operations.iter().filter_map(|operation| operation.get("effect")).chain([effect]);
    let events = effects.filter_map(|effect| effect.get("events")?.as_array()).flatten();
    let mut titles: Vec<(&str, usize)> = Vec::new();
    for kind in events.filter_map(|event| event.get("kind").and_then(Json::as_str)) {
        let title = event_labels::event(kind).0;
        match titles.iter_mut().find(|(known, _)| *known == title) {
            Some((_, times)) => *times += 1,
            None => titles.push((title, 1)),
        }
    }
    let refused = operations.iter().filter(|operation| operation.get("refused").is_some()).count();
    if refused > 0 {
        titles.push(("Operation refused", refused));
    }
    let told = |(title, times): (&str, usize)| if times > 1 { format!("{title} ×{times}") } else { title.to_owned() };
    let text = titles.into_iter().map(told).collect::<Vec<_>>().join(", ");
    if dry { format!("Dry run. {text}") } else { text }
}

fn pretty(body: &str) -> String {
    let parsed: Result<Json, _> = serde_json::from_str(body);
    parsed.ok().and_then(|json| serde_json::to_string_pretty(&json).ok()).unwrap_or_else(|| body.to_owned())
}
