//! From a question to its answer.
use actix_web::HttpRequest;
use actix_web::http::{StatusCode, header};
use actix_web::web::{Bytes, Payload};
use serde_json::{Value, json};

use super::model::{Entity, Evaluation, Object};
use crate::access::decide::{Decision, Question};
use crate::access::explain::{Absent, DecisionReason, DenialReason};
use crate::domain::capability::{CapabilityId, CoreCapability};
use crate::domain::grant::Resource;
use crate::domain::id::UserId;
use crate::domain::time::Timestamp;
use crate::store::StoreError;
use crate::store::exceptions::Exception;
use crate::store::fact_cache::{FactCache, FactResult};
use crate::store::visible_reasons::{self, Viewer, VisibleDecision};
use crate::web::App;
use crate::web::error::{DAMAGED, HttpError};
use crate::web::extract;

/// The largest request, in bytes.
const MOST_BYTES: usize = 256 * 1024;

/// Reads a request as one JSON object.
pub(super) async fn body(request: &HttpRequest, app: &App, payload: Payload) -> Result<Object, HttpError> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        return Err(bad(request, "Send the request as application/json.".to_owned()));
    }
    let time = std::time::Duration::from_secs(app.config.server.limits.body_timeout_seconds);
    let bytes: Bytes = extract::body(request, payload, MOST_BYTES, time).await?;
    super::model::object(&bytes).map_err(|wrong| bad(request, wrong))
}

/// 400 with a sentence (AuthZEN 1.0 §10.1.2).
pub(super) fn bad(request: &HttpRequest, wrong: String) -> HttpError {
    HttpError::at(request, StatusCode::BAD_REQUEST, wrong)
}

/// 503: no decision is never a yes.
pub(super) fn down(request: &HttpRequest, error: &StoreError) -> HttpError {
    tracing::error!(%error, "a decision could not be made");
    if *error == StoreError::Damaged {
        return HttpError::at(request, StatusCode::INTERNAL_SERVER_ERROR, DAMAGED);
    }
    let detail = "The server cannot decide at the moment; treat it as a refusal and ask again shortly.";
    HttpError::at(request, StatusCode::SERVICE_UNAVAILABLE, detail)
}

/// Answers `asked` as `asker` may know it. What is needed soon is asked for early: several answers are worked out from one
/// [`FactCache`], and each further step is a trip to the database for all of them.
pub(super) fn answer(known: &mut FactCache, asker: UserId, asked: &Evaluation, now: Timestamp) -> FactResult<Value> {
    let subject = user(&asked.subject);
    let about_self = subject == Some(asker);
    let home = match subject {
        Some(subject) if !about_self => known.user(subject),
        _ => Ok(None),
    };
    let (resource, capability) = (resource(known, &asked.resource), known.capability(&asked.action));
    let (Some(resource), capability, home) = (resource?, capability?, home?) else { return Ok(hidden(now)) };
    let ask = |principal, capability, resource| Question { principal, capability, resource, now };
    let asks = |known: &mut FactCache, over| known.permits(ask(asker, CoreCapability::AccessAsk.id(), over));
    let may_ask = if about_self { Ok(true) } else { asks(known, resource) };
    let decision = match (subject, capability) {
        (Some(principal), Some(capability)) => known.decision(ask(principal, capability, resource)).map(Some),
        (None, _) => Ok(None),
        (_, None) => Ok(Some(absent(Absent::Capability))),
    };
    let may_know = match home {
        _ if about_self => Ok(true),
        // Of a user of the resource's own partner, and of whomever else they may ask about, the asker may learn why.
        // Others are known to a product by their id alone, and so is nobody.
        None => Ok(false),
        Some(home) if home.partner == resource.partner && resource.group.is_none() && resource.owner.is_none() => {
            Ok(true)
        }
        Some(home) => asks(known, home),
    };
    if !may_ask? {
        return Ok(hidden(now));
    }
    let Some(decision) = decision? else { return Ok(veiled(false, now)) };
    // Whoever asks about themselves learns of a partner only what they may see of it.
    if !decision.allowed && about_self {
        let sees = known.permits(ask(asker, CoreCapability::PartnerView.id(), resource));
        if !sees? && !asks(known, resource)? {
            return Ok(hidden(now));
        }
    }
    if !may_know? {
        return Ok(veiled(decision.allowed, now));
    }
    let question = ask(subject.unwrap_or(asker), capability.unwrap_or(NONE), resource);
    let eyes = match about_self {
        true => Viewer::of(asker, now),
        false => Viewer::of_product(asker, &resource, now),
    };
    Ok(told(&visible_reasons::answer(known, &eyes, &question, &asked.action, &decision)?, now))
}

/// The capability of a question about none.
const NONE: CapabilityId = CapabilityId(0);

fn absent(what: Absent) -> Decision {
    Decision::because(DecisionReason::Denied { denials: vec![DenialReason::from(what)] })
}

/// The user a subject names; none when it names nobody of ours.
fn user(subject: &Entity) -> Option<UserId> {
    if subject.kind == "user" { subject.id.parse().ok() } else { None }
}

/// What a resource is, for a decision; none when there is no such thing.
fn resource(known: &mut FactCache, entity: &Entity) -> FactResult<Option<Resource>> {
    match entity.kind.as_str() {
        "partner" => Ok(partner(entity)),
        "user" => match entity.id.parse() {
            Ok(user) => known.user(user),
            Err(_) => Ok(None),
        },
        "user_group" => match entity.id.parse() {
            Ok(group) => known.group(group),
            Err(_) => Ok(None),
        },
        _ => Ok(product(entity)),
    }
}

/// A partner as a resource.
fn partner(entity: &Entity) -> Option<Resource> {
    entity.id.parse().ok().map(|partner| Resource { partner, group: None, owner: None })
}

/// A product's own thing: it says where it belongs. One that says it wrongly belongs nowhere.
fn product(entity: &Entity) -> Option<Resource> {
    let text = |name: &str| match entity.properties.get(name) {
        None | Some(Value::Null) => Some(None),
        Some(Value::String(text)) => Some(Some(text.as_str())),
        Some(_) => None,
    };
    let partner = text("partner")??.parse().ok()?;
    let group = match text("group")? {
        Some(group) => Some(group.parse().ok()?),
        None => None,
    };
    let owner = match text("owner")? {
        Some(owner) => Some(owner.parse().ok()?),
        None => None,
    };
    Some(Resource { partner, group, owner })
}

fn told(told: &VisibleDecision, now: Timestamp) -> Value {
    let mut detail = match &told.reason {
        Some(reason) => serde_json::to_value(reason).unwrap_or_default(),
        None => json!({"result": "allowed", "hidden": true}),
    };
    if let Some(members) = detail.as_object_mut() {
        if let Some(missing) = &told.missing {
            members.insert("capability".to_owned(), json!(missing));
        }
        if let Some(exception) = &told.exception {
            let exception = match exception {
                Exception::Partner(partner) => json!({"partner": partner}),
                Exception::Group(group) => json!({"user_group": group}),
            };
            members.insert("exception".to_owned(), exception);
        }
    }
    json!({
        "decision": told.allowed,
        "context": {
            "reason": told.sentence,
            "detail": detail,
            "at": now.to_string(),
            "revision": now.micros().to_string(),
        },
    })
}

/// The answer about somebody of whom the asker may learn no more, or who is not there.
fn veiled(allowed: bool, now: Timestamp) -> Value {
    let reason = match allowed {
        true => "Allowed. The user is not one whose access you may see.",
        false => "Not allowed. There is no such user, or not one whose access you may see.",
    };
    json!({
        "decision": allowed,
        "context": { "reason": reason, "at": now.to_string(), "revision": now.micros().to_string() },
    })
}

/// The same for a resource that is not there and one the asker may not ask about.
fn hidden(now: Timestamp) -> Value {
    json!({
        "decision": false,
        "context": {
            "reason": "There is no such resource, or you may not ask about it.",
            "at": now.to_string(),
            "revision": now.micros().to_string(),
        },
    })
}
