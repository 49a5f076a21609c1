//! `/Roles` and `/Entitlements`: what rules may give to the users of the directory, for clients that look for it before
//! they assign it. Nothing is given by naming it here: a user's `roles` and `entitlements` are attributes that rules may
//! ask for, and a rule gives no more than the directory's ceiling.
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::request::{ScimRequest, of_store};
use super::response::ScimResponse;
use super::{list, not_found};
use crate::domain::id::Id as _;
use crate::scim::error::ScimError;
use crate::scim::in_memory::StoredResource;
use crate::scim::resource::render;
use crate::scim::schema::ResourceSchema;
use crate::scim::schema::offered::{ENTITLEMENT_URN, ROLE_URN};
use crate::store::grantable_roles::{self, GrantableCapability, GrantableRole};

/// `GET /Roles`.
pub async fn roles(visit: &mut ScimRequest) -> Result<ScimResponse, ScimError> {
    list::offered(visit, "Role").await
}

/// `GET /Entitlements`.
pub async fn entitlements(visit: &mut ScimRequest) -> Result<ScimResponse, ScimError> {
    list::offered(visit, "Entitlement").await
}

/// `POST /Roles/.search`.
pub async fn search_roles(visit: &mut ScimRequest) -> Result<ScimResponse, ScimError> {
    list::search_offered(visit, "Role").await
}

/// `POST /Entitlements/.search`.
pub async fn search_entitlements(visit: &mut ScimRequest) -> Result<ScimResponse, ScimError> {
    list::search_offered(visit, "Entitlement").await
}

/// `GET /Roles/{id}`.
pub async fn role(visit: &mut ScimRequest) -> Result<ScimResponse, ScimError> {
    one(visit, "Role").await
}

/// `GET /Entitlements/{id}`.
pub async fn entitlement(visit: &mut ScimRequest) -> Result<ScimResponse, ScimError> {
    one(visit, "Entitlement").await
}

/// Every other method there.
pub async fn unchangeable(visit: &mut ScimRequest) -> Result<ScimResponse, ScimError> {
    if visit.offer.set.resource("Role").is_none() {
        return not_found::nothing(visit).await;
    }
    Err(ScimError::plain(501, "Roles and entitlements are made at Rolecall; here they can be read."))
}

async fn one(visit: &mut ScimRequest, name: &str) -> Result<ScimResponse, ScimError> {
    let offer = visit.offer.clone();
    let Some(kind) = offer.set.resource(name) else { return not_found::nothing(visit).await };
    let view = visit.params()?.projection()?.view(kind);
    let id = visit.segment("id");
    let items = items(visit, kind).await?.unwrap_or_default();
    let found = items.into_iter().find(|item| item.document.get("id").is_some_and(|known| known == id));
    let document = found.ok_or_else(ScimError::not_found)?.document;
    let location = render::location(kind, id, &visit.base);
    Ok(ScimResponse::new(200, view.apply(document, None).into()).with_location(location))
}

/// Everything of a type that lives here; none when the type is another.
///
/// # Errors
/// Those of the store.
pub async fn items(visit: &ScimRequest, kind: ResourceSchema<'_>) -> Result<Option<Vec<StoredResource>>, ScimError> {
    if ![ROLE_URN, ENTITLEMENT_URN].contains(&kind.kind.schema.as_str()) {
        return Ok(None);
    }
    let failed = |error| of_store(&error);
    let at = visit.connection.extent;
    let item = |place: Uuid, id: &str, mut document: Map<String, Value>| {
        let location = render::location(kind, id, &visit.base);
        document.insert("schemas".to_owned(), json!([kind.kind.schema]));
        document.insert("id".to_owned(), json!(id));
        document.insert("meta".to_owned(), json!({"resourceType": kind.kind.name, "location": location}));
        StoredResource { place, document }
    };
    let attributes = |of: &[(&str, String)]| of.iter().map(|(name, text)| ((*name).to_owned(), json!(text))).collect();
    let mut reader = visit.app.store.reader().await.map_err(failed)?;
    if kind.kind.schema == ROLE_URN {
        let roles = grantable_roles::roles(&mut reader, &at).await.map_err(failed)?;
        let show =
            |role: GrantableRole| item(role.id.uuid(), &role.id.to_string(), attributes(&[("displayName", role.name)]));
        return Ok(Some(roles.into_iter().map(show).collect()));
    }
    let capabilities = grantable_roles::capabilities(&mut reader, &at).await.map_err(failed)?;
    let show = |one: GrantableCapability| {
        let place = Uuid::from_u128(u128::try_from(one.id.0).unwrap_or_default());
        item(place, &one.name, attributes(&[("displayName", one.title), ("type", one.category)]))
    };
    Ok(Some(capabilities.into_iter().map(show).collect()))
}
