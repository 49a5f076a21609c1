//! PUT: replace a user or a group (RFC 7644 §3.5.1).
use std::sync::Mutex;

use serde_json::Value;

use super::request::ScimRequest;
use super::resource::refused;
use super::response::ScimResponse;
use crate::domain::id::{ExternalGroupId, ExternalUserId};
use crate::provision::groups::{self, GroupInput};
use crate::provision::users::{self, UserInput};
use crate::scim::error::ScimError;
use crate::scim::patch::MemberOp;
use crate::scim::profile::{BodyPurpose, MissingMembers};
use crate::scim::reference;
use crate::scim::resource::{self, Document, MemberRef};
use crate::scim::schema::ResourceSchema;

/// `PUT /Users/{id}`.
pub async fn user(visit: &mut ScimRequest) -> Result<ScimResponse, ScimError> {
    let offer = visit.offer.clone();
    let kind = offer.set.users();
    let id: ExternalUserId = visit.id()?;
    let view = visit.params()?.projection()?.view(kind);
    let condition = visit.version_named()?;
    let body = read(visit, kind, visit.app.config.server.limits.max_body_bytes).await?;
    let (ignored, written) = (Mutex::new(Vec::new()), Mutex::new(Document::new()));
    let change = |before: &Document| {
        let accepted = resource::replace(kind, before, body.clone(), offer.switches.rules())?;
        note(&ignored, accepted.ignored);
        note(&written, accepted.written);
        Ok(UserInput::from(accepted.document))
    };
    let source = visit.source(&offer);
    let updated = users::update(&visit.app.store, &visit.ctx, &source, id, condition.as_ref(), &change, visit.mode());
    let done = updated.await.map_err(refused)?;
    visit.ignored(&ignored.into_inner().unwrap_or_default());
    let groups = visit.groups_of(&offer, id, view.needs_groups()).await?;
    let written = written.into_inner().unwrap_or_default();
    let beside = visit.beside(&offer, &done.value.doc, groups).await?;
    let shown = visit.show_user(&view, kind, done.value.clone(), beside, Some(&written));
    Ok(visit.answer(200, &done, Some(shown)))
}

/// `PUT /Groups/{id}`. Members that are not spoken of stay or go, as the connection's switch says (O05).
pub async fn group(visit: &mut ScimRequest) -> Result<ScimResponse, ScimError> {
    let offer = visit.offer.clone();
    let kind = offer.set.groups();
    let id: ExternalGroupId = visit.id()?;
    let view = visit.params()?.projection()?.view(kind);
    let condition = visit.version_named()?;
    let mut body = read(visit, kind, visit.app.config.server.limits.max_bulk_body_bytes).await?;
    let said = resource::take_members(&mut body)?;
    let (ignored, written) = (Mutex::new(Vec::new()), Mutex::new(Document::new()));
    let change = |before: &Document| {
        let accepted = resource::replace(kind, before, body.clone(), offer.switches.rules())?;
        note(&ignored, accepted.ignored);
        note(&written, accepted.written);
        let members = members(said.clone().or(accepted.members), offer.switches.missing_members);
        Ok(GroupInput { document: accepted.document, members, row_hash: None })
    };
    let source = visit.source(&offer);
    let updated = groups::update(&visit.app.store, &visit.ctx, &source, id, condition.as_ref(), &change, visit.mode());
    let done = updated.await.map_err(refused)?;
    visit.ignored(&ignored.into_inner().unwrap_or_default());
    let written = written.into_inner().unwrap_or_default();
    visit.group_answer(200, &offer, &view, &done, Some(&written)).await
}

/// What a PUT makes of a group's members.
pub fn members(said: Option<Vec<MemberRef>>, missing: MissingMembers) -> Vec<MemberOp> {
    match (said, missing) {
        (Some(list), _) if list.is_empty() => vec![MemberOp::Clear],
        (Some(list), _) => vec![MemberOp::ReplaceAll(list)],
        (None, MissingMembers::Keep) => Vec::new(),
        (None, MissingMembers::Clear) => vec![MemberOp::Clear],
    }
}

/// Reads the body and brings it into its strict form.
async fn read(visit: &mut ScimRequest, kind: ResourceSchema<'_>, most: usize) -> Result<Value, ScimError> {
    visit.writing()?;
    let mut body = visit.json_of(kind, most).await?;
    reference::localise(&mut body, &visit.base);
    let offer = visit.offer.clone();
    let translated = offer.switches.translate_body(kind, BodyPurpose::Replace, body);
    visit.translated(&translated.acts);
    Ok(translated.request)
}

/// Keeps what the last run of a change told; the change may run more than once.
pub fn note<T>(kept: &Mutex<T>, told: T) {
    if let Ok(mut kept) = kept.lock() {
        *kept = told;
    }
}
