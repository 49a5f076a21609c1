//! What this service can do, and what its resources look like (RFC 7643 §5–§7, RFC 7644 §4).
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::Value;

use super::request::{ScimRequest, visit};
use super::response::ScimResponse;
use crate::scim::error::ScimError;
use crate::scim::query::Params;
use crate::scim::schema::SchemaSet;
use crate::scim::schema::discovery::{AuthScheme, BulkLimits, ServiceProvider};
use crate::web::error::{ErrorFormat, HttpError, SCIM_JSON};
use crate::web::{App, extract};

/// `GET /ServiceProviderConfig`.
pub async fn config(
    request: HttpRequest,
    app: web::Data<App>,
    payload: web::Payload,
) -> Result<HttpResponse, HttpError> {
    let provider = provider(&app);
    show(request, app, payload, move |_, base, _| Some(provider.to_json(base))).await
}

/// `GET /ResourceTypes`.
pub async fn types(
    request: HttpRequest,
    app: web::Data<App>,
    payload: web::Payload,
) -> Result<HttpResponse, HttpError> {
    show(request, app, payload, |set, base, _| Some(set.types_json(base))).await
}

/// `GET /ResourceTypes/{name}`.
pub async fn one_type(
    request: HttpRequest,
    app: web::Data<App>,
    payload: web::Payload,
) -> Result<HttpResponse, HttpError> {
    show(request, app, payload, |set, base, name| set.type_json(name, base)).await
}

/// `GET /Schemas`.
pub async fn schemas(
    request: HttpRequest,
    app: web::Data<App>,
    payload: web::Payload,
) -> Result<HttpResponse, HttpError> {
    show(request, app, payload, |set, base, _| Some(set.schemas_json(base))).await
}

/// `GET /Schemas/{urn}`.
pub async fn schema(
    request: HttpRequest,
    app: web::Data<App>,
    payload: web::Payload,
) -> Result<HttpResponse, HttpError> {
    show(request, app, payload, |set, base, urn| set.schema_json(urn, base)).await
}

/// Shows a document of the connection's schemas. Where discovery is open, a caller without a token sees the standard
/// ones, whether there is such a connection or not (E02, U03).
async fn show(
    request: HttpRequest,
    app: web::Data<App>,
    payload: web::Payload,
    document: impl Fn(&SchemaSet, &str, &str) -> Option<Value>,
) -> Result<HttpResponse, HttpError> {
    let name = request.match_info().get("id").unwrap_or_default().to_owned();
    if app.config.scim.public_discovery && extract::bearer(&request).is_none() {
        let slug = request.match_info().get("slug").unwrap_or_default();
        let base = app.public_url.join(&format!("/scim/{slug}/v2"));
        let refused = |error| HttpError::scim(ErrorFormat::Scim, error);
        unfiltered(request.query_string()).map_err(refused)?;
        let body = document(&SchemaSet::base(), &base, &name).ok_or_else(|| refused(ScimError::not_found()))?;
        return Ok(HttpResponse::Ok().insert_header((header::CONTENT_TYPE, SCIM_JSON)).body(body.to_string()));
    }
    visit(request, app, payload, async move |visit: &mut ScimRequest| {
        unfiltered(visit.request.query_string())?;
        let body = document(&visit.offer.set, &visit.base, &name);
        body.map(|body| ScimResponse::new(200, body)).ok_or_else(ScimError::not_found)
    })
    .await
}

/// Parameters are ignored, but a filter is refused (E04).
fn unfiltered(query: &str) -> Result<(), ScimError> {
    match Params::from_query(query)?.filter {
        None => Ok(()),
        Some(_) => Err(ScimError::plain(403, "Discovery resources cannot be filtered.")),
    }
}

/// What the service says about itself: the limits it really keeps.
fn provider(app: &App) -> ServiceProvider {
    let settings = &app.config.scim;
    let bytes = app.config.server.limits.max_bulk_body_bytes;
    ServiceProvider {
        documentation: None,
        bulk: Some(BulkLimits { operations: settings.max_bulk_operations, bytes }),
        max_results: settings.max_page_size,
        change_password: false,
        default_page_size: settings.default_page_size,
        cursor_timeout: Some(settings.cursor_lifetime_seconds),
        schemes: vec![AuthScheme::Bearer, AuthScheme::OAuth2],
    }
}
