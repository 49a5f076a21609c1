//! DELETE: remove a user or a group, at once (RFC 7644 §3.6).
use super::request::ScimRequest;
use super::resource::refused;
use super::response::ScimResponse;
use crate::provision::{groups, users};
use crate::scim::error::ScimError;

/// `DELETE /Users/{id}`.
pub async fn user(visit: &mut ScimRequest) -> Result<ScimResponse, ScimError> {
    visit.writing()?;
    let (offer, id, condition) = (visit.offer.clone(), visit.id()?, visit.version_named()?);
    let source = visit.source(&offer);
    let deleted = users::delete(&visit.app.store, &visit.ctx, &source, id, condition.as_ref(), visit.mode()).await;
    Ok(visit.answer(204, &deleted.map_err(refused)?, None))
}

/// `DELETE /Groups/{id}`.
pub async fn group(visit: &mut ScimRequest) -> Result<ScimResponse, ScimError> {
    visit.writing()?;
    let (offer, id, condition) = (visit.offer.clone(), visit.id()?, visit.version_named()?);
    let source = visit.source(&offer);
    let deleted = groups::delete(&visit.app.store, &visit.ctx, &source, id, condition.as_ref(), visit.mode()).await;
    Ok(visit.answer(204, &deleted.map_err(refused)?, None))
}
