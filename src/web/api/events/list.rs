//! `GET /events`.
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::capability::CoreCapability;
use crate::domain::id::{Id as _, PartnerId, UserId};
use crate::store::events::SealedEvent;
use crate::store::visible_reasons::Sight;
use crate::store::{Reader, StoreError, feed, reach};
use crate::web::api::error::Fault;
use crate::web::api::model::ApiTimestamp;
use crate::web::api::request::{ApiRequest, ApiResult, ok};

/// Lines when the caller does not say how many.
const USUAL: usize = 100;
/// Most lines in one answer.
const MOST: usize = 500;

/// One line of the log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Event)]
pub(in crate::web::api) struct EventView {
    /// Its number: it only rises, and a line never changes.
    seq: i64,
    /// Its id.
    id: Uuid,
    /// When it happened.
    at: ApiTimestamp,
    /// What happened: a dotted word of the catalogue.
    kind: String,
    /// The partner it belongs to.
    partner: Uuid,
    /// To what it happened.
    subject: Option<Uuid>,
    /// Who did it; a user that the caller may not see has no id here.
    #[schema(value_type = Object)]
    actor: Value,
    /// Ids, names of attributes and counts; never personal values.
    #[schema(value_type = Object)]
    data: Value,
}

/// Lines of the log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Events)]
pub(in crate::web::api) struct EventPage {
    /// The lines, in order.
    items: Vec<EventView>,
    /// Send this as `after` to go on, also when there is nothing yet.
    next: i64,
}

/// The sealed event log in order, within the partners where the caller may see it (`core.audit.view`). Asking again
/// with `next` neither misses a line nor repeats one.
#[utoipa::path(get, path = "/api/v1/events", tag = "Events", operation_id = "listEvents",
    params(("after" = Option<i64>, Query, description = "the number of the last line seen; 0 for the beginning"),
        ("limit" = Option<u32>, Query, description = "1 to 500 lines; 100 unless said")),
    responses((status = 200, description = "the lines after it", body = EventPage)))]
pub(in crate::web::api) async fn list(call: ApiRequest) -> ApiResult {
    let (mut after, mut limit) = (0_i64, USUAL);
    for (name, value) in url::form_urlencoded::parse(call.request.query_string().as_bytes()) {
        match name.as_ref() {
            "after" => {
                let number = value.parse().ok().filter(|number| *number >= 0);
                after = number.ok_or_else(|| Fault::bad("`after` must be the number of a line, or 0."))?;
            }
            "limit" => {
                let number = value.parse().ok().filter(|number| (1..=MOST).contains(number));
                limit = number.ok_or_else(|| Fault::bad(format!("`limit` must be 1 to {MOST}.")))?;
            }
            _ => return Err(Fault::bad("This list has the parameters `after` and `limit` only.")),
        }
    }
    let lines = call
        .read(async |reader| {
            let regions = reach::regions(reader, call.by(), CoreCapability::AuditView, call.now()).await?;
            let mut sight = Sight::of(call.user(), call.now());
            let mut lines = Vec::new();
            for line in feed::after(reader, &regions, after, limit).await? {
                let mut line = view(line);
                line.hide(reader, &mut sight).await?;
                lines.push(line);
            }
            Ok(lines)
        })
        .await?;
    let next = lines.last().map_or(after, |line| line.seq);
    ok(&EventPage { items: lines, next })
}

impl EventView {
    /// Leaves out who did it and in whose name, where the caller may not see them.
    async fn hide(&mut self, reader: &mut Reader, sight: &mut Sight) -> Result<(), StoreError> {
        let id = |value: &Value| value.as_str().and_then(|text| Uuid::try_parse(text).ok());
        if let Some(user) = self.actor.get("user").and_then(id)
            && !sight.user(reader, UserId::from_uuid(user)).await?
        {
            blank(&mut self.actor, "user");
        }
        if let Some(standing) = self.data.get("standing").and_then(id)
            && !sight.partner(reader, PartnerId::from_uuid(standing)).await?
        {
            blank(&mut self.data, "standing");
        }
        Ok(())
    }
}

/// Leaves a member of an object without its value.
fn blank(object: &mut Value, name: &str) {
    if let Some(value) = object.get_mut(name) {
        *value = Value::Null;
    }
}

fn view(sealed: SealedEvent) -> EventView {
    EventView {
        seq: sealed.seq,
        id: sealed.line.id.uuid(),
        at: ApiTimestamp(sealed.line.at),
        data: Value::Object(sealed.data()),
        kind: sealed.line.kind,
        partner: sealed.line.partner.uuid(),
        subject: sealed.line.subject,
        actor: serde_json::from_str(&sealed.line.actor).unwrap_or_default(),
    }
}
