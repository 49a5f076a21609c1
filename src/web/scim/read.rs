//! GET: one user or one group (RFC 7644 §3.4.1).
use actix_web::http::header;

use super::request::{ScimRequest, of_store};
use super::resource::{RenderedResource, UserReferences};
use super::response::ScimResponse;
use crate::connection::scim::ScimOptions;
use crate::domain::id::{ExternalGroupId, ExternalUserId};
use crate::provision::{Outcome, groups, users};
use crate::scim::error::ScimError;
use crate::scim::etag::{check_match, not_modified};
use crate::scim::projection::ResourceView;
use crate::scim::resource::Document;
use crate::store::external_groups::{ExternalGroup, GroupOf};
use crate::store::members;

/// `GET /Users/{id}`.
pub async fn user(visit: &mut ScimRequest) -> Result<ScimResponse, ScimError> {
    let offer = visit.offer.clone();
    let kind = offer.set.users();
    let id: ExternalUserId = visit.id()?;
    let view = visit.params()?.projection()?.view(kind);
    let found = users::get(&visit.app.store, &visit.source(&offer), id, view.needs_groups()).await;
    let found = found.map_err(|error| of_store(&error))?.ok_or_else(ScimError::not_found)?;
    let beside = UserReferences { groups: found.groups, named: found.named };
    let shown = visit.show_user(&view, kind, found.user, beside, None);
    fresh(visit, shown)
}

/// `GET /Groups/{id}`. Its members are sent while they are read.
pub async fn group(visit: &mut ScimRequest) -> Result<ScimResponse, ScimError> {
    let offer = visit.offer.clone();
    let kind = offer.set.groups();
    let id: ExternalGroupId = visit.id()?;
    let view = visit.params()?.projection()?.view(kind);
    let found = {
        let mut reader = visit.app.store.reader().await.map_err(|error| of_store(&error))?;
        groups::get(&mut reader, &visit.source(&offer), id).await
    };
    let found = found.map_err(|error| of_store(&error))?.ok_or_else(ScimError::not_found)?;
    let bare = visit.show_group(&view, kind, found, None);
    check_match(visit.condition(header::IF_MATCH)?.as_ref(), bare.version)?;
    if not_modified(visit.condition(header::IF_NONE_MATCH)?.as_ref(), bare.version) {
        return Ok(ScimResponse::not_modified().with_etag(bare.version.to_string()).at(&bare.location));
    }
    if !view.needs_members() {
        return fresh(visit, bare);
    }
    let etag = bare.version.to_string();
    Ok(visit.send_group(200, bare.body, id, &view).await?.with_etag(etag).with_location(bare.location))
}

/// 200, or 304 when the client has this version (T02), or 412 when it asked for another (RFC 9110 §13.1.1).
fn fresh(visit: &ScimRequest, shown: RenderedResource) -> Result<ScimResponse, ScimError> {
    let etag = shown.version.to_string();
    check_match(visit.condition(header::IF_MATCH)?.as_ref(), shown.version)?;
    if not_modified(visit.condition(header::IF_NONE_MATCH)?.as_ref(), shown.version) {
        return Ok(ScimResponse::not_modified().with_etag(etag).at(&shown.location));
    }
    Ok(ScimResponse::new(200, shown.body).with_etag(etag).with_location(shown.location))
}

impl ScimRequest {
    /// The groups of a user, when they are shown.
    pub async fn groups_of(
        &self,
        offer: &ScimOptions,
        id: ExternalUserId,
        wanted: bool,
    ) -> Result<Option<Vec<GroupOf>>, ScimError> {
        if !wanted {
            return Ok(None);
        }
        let found = users::get(&self.app.store, &self.source(offer), id, true).await;
        let found = found.map_err(|error| of_store(&error))?;
        Ok(found.and_then(|found| found.groups))
    }

    /// What is shown beside a document that was just written: its groups, and links to the users it names.
    pub async fn beside(
        &self,
        offer: &ScimOptions,
        document: &Document,
        groups: Option<Vec<GroupOf>>,
    ) -> Result<UserReferences, ScimError> {
        let failed = |error| of_store(&error);
        let named = if users::names_somebody(&self.source(offer), document) {
            let mut reader = self.app.store.reader().await.map_err(failed)?;
            users::named(&mut reader, &self.source(offer), &[document]).await.map_err(failed)?
        } else {
            Vec::new()
        };
        Ok(UserReferences { groups, named })
    }

    /// Whether a group has more than `most` members.
    pub async fn has_more_members(&self, id: ExternalGroupId, most: usize) -> Result<bool, ScimError> {
        let failed = |error| of_store(&error);
        let mut reader = self.app.store.reader().await.map_err(failed)?;
        let page = members::page(&mut reader, &self.connection.extent, id, None, most + 1).await;
        Ok(page.map_err(failed)?.len() > most)
    }

    /// Answers a write of a group with the group and all of its members.
    pub async fn group_answer(
        &mut self,
        status: u16,
        offer: &ScimOptions,
        view: &ResourceView<'_>,
        done: &Outcome<ExternalGroup>,
        written: Option<&Document>,
    ) -> Result<ScimResponse, ScimError> {
        let shown = self.show_group(view, offer.set.groups(), done.value.clone(), written);
        if self.dry || !view.needs_members() {
            return Ok(self.answer(status, done, Some(shown)));
        }
        self.changed(&done.effect.note());
        let etag = shown.version.to_string();
        let answer = self.send_group(status, shown.body, done.value.id, view).await?;
        Ok(answer.with_etag(etag).with_location(shown.location))
    }
}
