//! POST: create a user or a group (RFC 7644 §3.3).
use super::answer::Answer;
use super::door::Visit;
use super::resource::refused;
use crate::provision::groups::{self, NewGroup};
use crate::provision::users::{self, NewUser};
use crate::scim::error::ScimError;
use crate::scim::profile::Purpose;
use crate::scim::resource::{self, Accepted};
use crate::scim::schema::Resource;

/// `POST /Users`.
pub async fn user(visit: &mut Visit) -> Result<Answer, ScimError> {
    let offer = visit.offer.clone();
    let kind = offer.set.users();
    let view = visit.params()?.projection()?.view(kind);
    let accepted = accept(visit, kind, visit.app.config.server.limits.body_bytes).await?;
    let written = accepted.document.clone();
    let new = NewUser { stable_key: None, said: accepted.document.into() };
    let created = users::create(&visit.app.store, &visit.ctx, &visit.source(&offer), &new, visit.mode()).await;
    let mut done = created.map_err(refused)?;
    let shown = visit.show_user(&view, kind, done.value.clone(), None, Some(&written));
    done.changed = true;
    Ok(visit.answer(201, &done, Some(shown)))
}

/// `POST /Groups`.
pub async fn group(visit: &mut Visit) -> Result<Answer, ScimError> {
    let offer = visit.offer.clone();
    let kind = offer.set.groups();
    let view = visit.params()?.projection()?.view(kind);
    let accepted = accept(visit, kind, visit.app.config.server.limits.bulk_body_bytes).await?;
    let written = accepted.document.clone();
    let new = NewGroup {
        stable_key: None,
        document: accepted.document,
        members: accepted.members.unwrap_or_default(),
        row_hash: None,
    };
    let source = visit.source(&offer);
    let done = groups::create(&visit.app.store, &visit.ctx, &source, &new, visit.mode()).await.map_err(refused)?;
    let members = visit.few_members(&offer, done.value.id, view.needs_members()).await?;
    let shown = visit.show_group(&view, kind, done.value.clone(), members, Some(&written));
    Ok(visit.answer(201, &done, Some(shown)))
}

/// Reads the body and brings it into its strict form.
async fn accept(visit: &mut Visit, kind: Resource<'_>, most: usize) -> Result<Accepted, ScimError> {
    visit.writing()?;
    let body = visit.json(most).await?;
    let offer = visit.offer.clone();
    let translated = offer.switches.translate_body(kind, Purpose::Create, body);
    visit.translated(&translated.acts);
    let accepted = resource::create(kind, translated.request, offer.switches.rules())?;
    visit.ignored(&accepted.ignored);
    Ok(accepted)
}
