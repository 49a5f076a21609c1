//! PATCH: change a user or a group operation by operation (RFC 7644 §3.5.2).
use std::sync::Mutex;

use super::replace::note;
use super::request::ScimRequest;
use super::resource::refused;
use super::response::ScimResponse;
use crate::domain::id::{ExternalGroupId, ExternalUserId, Id};
use crate::provision::groups::{self, GroupInput};
use crate::provision::users::{self, UserInput};
use crate::scim::error::ScimError;
use crate::scim::patch::{self, Operation};
use crate::scim::profile::GroupPatchAnswer;
use crate::scim::reference;
use crate::scim::resource::Document;
use crate::scim::schema::ResourceSchema;

/// Groups of at most so many members are shown after a PATCH when the connection leaves it open.
const SHOWN: usize = 100;

/// `PATCH /Users/{id}`.
pub async fn user(visit: &mut ScimRequest) -> Result<ScimResponse, ScimError> {
    let offer = visit.offer.clone();
    let kind = offer.set.users();
    let id: ExternalUserId = visit.id()?;
    let view = visit.params()?.projection()?.view(kind);
    let condition = visit.version_named()?;
    let most = visit.app.config.server.limits.max_body_bytes;
    let operations = read(visit, kind, &id.uuid().to_string(), most).await?;
    let (ignored, written) = (Mutex::new(Vec::new()), Mutex::new(Document::new()));
    let change = |before: &Document| {
        let patched = patch::apply(kind, before, &operations, offer.switches.rules())?;
        note(&ignored, patched.ignored);
        note(&written, patched.written);
        Ok(UserInput::from(patched.document))
    };
    let source = visit.source(&offer);
    let updated = users::update(&visit.app.store, &visit.ctx, &source, id, condition.as_ref(), &change, visit.mode());
    let done = updated.await.map_err(refused)?;
    visit.ignored(&ignored.into_inner().unwrap_or_default());
    let groups = visit.groups_of(&offer, id, view.needs_groups()).await?;
    let beside = visit.beside(&offer, &done.value.doc, groups).await?;
    let written = written.into_inner().unwrap_or_default();
    let shown = visit.show_user(&view, kind, done.value.clone(), beside, Some(&written));
    Ok(visit.answer(200, &done, Some(shown)))
}

/// `PATCH /Groups/{id}`. Answered with the group or with 204, as the connection's switch says (P07).
pub async fn group(visit: &mut ScimRequest) -> Result<ScimResponse, ScimError> {
    let offer = visit.offer.clone();
    let kind = offer.set.groups();
    let id: ExternalGroupId = visit.id()?;
    let projection = visit.params()?.projection()?;
    let condition = visit.version_named()?;
    let most = visit.app.config.server.limits.max_bulk_body_bytes;
    let operations = read(visit, kind, &id.uuid().to_string(), most).await?;
    let (ignored, written) = (Mutex::new(Vec::new()), Mutex::new(Document::new()));
    let change = |before: &Document| {
        let patched = patch::apply(kind, before, &operations, offer.switches.rules())?;
        note(&ignored, patched.ignored);
        note(&written, patched.written);
        Ok(GroupInput { document: patched.document, members: patched.members, row_hash: None })
    };
    let source = visit.source(&offer);
    let updated = groups::update(&visit.app.store, &visit.ctx, &source, id, condition.as_ref(), &change, visit.mode());
    let done = updated.await.map_err(refused)?;
    visit.ignored(&ignored.into_inner().unwrap_or_default());
    let written = written.into_inner().unwrap_or_default();

    let view = projection.view(kind);
    let empty = match offer.switches.group_patch {
        _ if projection.is_only() => false,
        GroupPatchAnswer::Full => false,
        GroupPatchAnswer::Empty => true,
        GroupPatchAnswer::Auto => view.needs_members() && visit.has_more_members(id, SHOWN).await?,
    };
    if !empty {
        return visit.group_answer(200, &offer, &view, &done, Some(&written)).await;
    }
    let shown = visit.show_group(&view, kind, done.value.clone(), Some(&written));
    Ok(visit.answer(204, &done, Some(shown)))
}

/// Reads the body and brings it into its strict form.
async fn read(
    visit: &mut ScimRequest,
    kind: ResourceSchema<'_>,
    id: &str,
    most: usize,
) -> Result<Vec<Operation>, ScimError> {
    visit.writing()?;
    let mut body = visit.json_of(kind, most).await?;
    reference::localise(&mut body, &visit.base);
    let offer = visit.offer.clone();
    let translated = offer.switches.translate_patch(kind, id, body)?;
    visit.translated(&translated.acts);
    patch::parse(translated.request)
}
