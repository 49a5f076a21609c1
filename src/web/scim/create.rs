//! POST: create a user or a group (RFC 7644 §3.3).
use std::time::Duration;

use super::request::{ScimRequest, of_store};
use super::resource::refused;
use super::response::ScimResponse;
use crate::connection::scim::ScimOptions;
use crate::domain::page::PageRequest;
use crate::provision::groups::{self, NewExternalGroup};
use crate::provision::listing::ListQuery;
use crate::provision::users::{self, NewExternalUser, UserInput};
use crate::provision::{Execution, Outcome, ProvisionError};
use crate::scim::error::ScimError;
use crate::scim::filter::{FilterAst, Foreign};
use crate::scim::profile::{AppliedSwitch, BodyPurpose, Switch};
use crate::scim::reference;
use crate::scim::resource::{self, Accepted, Document};
use crate::scim::schema::ResourceSchema;
use crate::store::external_users::ExternalUser;

/// `POST /Users`.
pub async fn user(visit: &mut ScimRequest) -> Result<ScimResponse, ScimError> {
    let offer = visit.offer.clone();
    let kind = offer.set.users();
    let view = visit.params()?.projection()?.view(kind);
    let accepted = accept(visit, kind, visit.app.config.server.limits.max_body_bytes).await?;
    let written = accepted.written;
    let again = offer.switches.is_on(Switch::ReprovisionInactive).then(|| accepted.document.clone());
    let new = NewExternalUser { stable_key: None, said: accepted.document.into() };
    let (app, source) = (&visit.app, visit.source(&offer));
    let created = match visit.mode() {
        Execution::Real => app.pending_users.create(&visit.ctx, &source, &offer.set, new).await,
        tried => users::create(&app.store, &visit.ctx, &source, new, tried).await,
    };
    let done = match (created, again) {
        (Err(error @ ProvisionError::Uniqueness { .. }), Some(document)) => {
            revive(visit, &offer, &document).await?.ok_or_else(|| refused(error))?
        }
        (created, _) => created.map_err(refused)?,
    };
    let beside = visit.beside(&offer, &done.value.doc, None).await?;
    let shown = visit.show_user(&view, kind, done.value.clone(), beside, Some(&written));
    Ok(visit.answer(201, &done, Some(shown)))
}

/// Takes a POST for an inactive user of the same name as its return; `None` when the one there is active.
async fn revive(
    visit: &mut ScimRequest,
    offer: &ScimOptions,
    document: &Document,
) -> Result<Option<Outcome<ExternalUser>>, ScimError> {
    let name = document.get("userName").cloned().unwrap_or_default();
    let filter = FilterAst::parse(&format!("userName eq {name}"))?.resolve(offer.set.users(), Foreign::Refuse)?;
    let (page, store) = (PageRequest::Index { start: 1, count: 1 }, &visit.app.store);
    let wanted = ListQuery {
        filter: Some(&filter),
        sort: None,
        page: &page,
        searching: visit.searching(),
        counting: Duration::ZERO,
    };
    let source = visit.source(offer);
    let found = users::list(store, &source, wanted, false).await.map_err(|error| of_store(&error))?;
    let Some(user) = found.rows.into_iter().map(|row| row.user).find(|user| !user.active) else { return Ok(None) };
    let change = |_: &Document| Ok(UserInput::from(document.clone()));
    let revived = users::update(store, &visit.ctx, &source, user.id, None, &change, visit.mode()).await;
    let done = revived.map_err(refused)?;
    let at = "userName".to_owned();
    visit.translated(&[AppliedSwitch { switch: Switch::ReprovisionInactive, at }]);
    Ok(Some(done))
}

/// `POST /Groups`.
pub async fn group(visit: &mut ScimRequest) -> Result<ScimResponse, ScimError> {
    let offer = visit.offer.clone();
    let kind = offer.set.groups();
    let view = visit.params()?.projection()?.view(kind);
    let accepted = accept(visit, kind, visit.app.config.server.limits.max_bulk_body_bytes).await?;
    let written = accepted.written;
    let new = NewExternalGroup {
        stable_key: None,
        document: accepted.document,
        members: accepted.members.unwrap_or_default(),
        row_hash: None,
    };
    let source = visit.source(&offer);
    let done = groups::create(&visit.app.store, &visit.ctx, &source, &new, visit.mode()).await.map_err(refused)?;
    visit.group_answer(201, &offer, &view, &done, Some(&written)).await
}

/// Reads the body and brings it into its strict form.
async fn accept(visit: &mut ScimRequest, kind: ResourceSchema<'_>, most: usize) -> Result<Accepted, ScimError> {
    visit.writing()?;
    let mut body = visit.json_of(kind, most).await?;
    reference::localise(&mut body, &visit.base);
    let offer = visit.offer.clone();
    let translated = offer.switches.translate_body(kind, BodyPurpose::Create, body);
    visit.translated(&translated.acts);
    let accepted = resource::create(kind, translated.request, offer.switches.rules())?;
    visit.ignored(&accepted.ignored);
    Ok(accepted)
}
