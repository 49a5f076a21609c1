//! `GET /api/v1/openapi.json`: the description of the API, collected from the handlers.
use actix_web::http::header;
use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{
    ContentBuilder, OpenApi as Document, RefOr, Response, ResponseBuilder, SecurityRequirement, Server,
};
use utoipa::{OpenApi, ToSchema};

use super::{bounds, connections, directories, events, partners, reference, users};
use crate::web::App;
use crate::web::error::PROBLEM_JSON;

/// A refusal (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
struct Problem {
    /// Always `about:blank`: the status says what kind it is.
    r#type: String,
    /// The status in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What is wrong and what to do.
    detail: String,
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Rolecall admin API",
        version = "1",
        description = "Partners, users, directories and their connections. Every request carries an API token \
            (`Authorization: Bearer rca_…`) and acts with the authority its user has at that moment. What the user \
            may not see answers 404, exactly like what does not exist; what they see but may not do answers 403 with \
            the reason. Refusals are problem details (RFC 9457). Bodies are read strictly: an unknown field is refused. \
            Lists come in pages: send `next` as `after` until it is null."
    ),
    paths(
        show,
        reference::show,
        partners::list::list,
        partners::create::create,
        partners::show::show,
        partners::stopped::show,
        partners::suspend::suspend,
        partners::reactivate::reactivate,
        partners::users::users,
        partners::confirmations::confirm,
        partners::groups::groups,
        partners::matches::list,
        partners::roles::roles,
        users::show::show,
        users::access::access,
        users::confirm::confirm,
        users::confirm::unconfirm,
        users::suspend::suspend,
        users::reactivate::reactivate,
        directories::list::list,
        directories::create::create,
        directories::show::show,
        directories::introduction::show,
        directories::introduction::carry_out,
        connections::create::create,
        connections::show::show,
        connections::change::change,
        connections::oauth_clients::list,
        connections::oauth_clients::create,
        connections::oauth_clients::revoke,
        connections::tokens::list,
        connections::tokens::create,
        connections::tokens::revoke,
        connections::request_log::log,
        connections::matches::list,
        connections::matches::confirm,
        connections::matches::refuse,
        connections::sync::sync,
        connections::sync_runs::list,
        connections::sync_runs::show,
        connections::test::test,
        connections::removal_alerts::list,
        connections::removal_alerts::dismiss,
        connections::undo::undo,
        connections::external::users,
        connections::external::groups,
        connections::external::members,
        connections::external::effective_members,
        events::list::list,
    ),
    components(schemas(Problem))
)]
struct Collected;

/// The description of the API (OpenAPI 3.1).
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "Description", operation_id = "getDescription",
    responses((status = 200, description = "this document", body = Object)))]
pub(super) async fn show(app: web::Data<App>) -> HttpResponse {
    let mut document = document();
    document.servers = Some(vec![Server::new(app.public_url.as_str().trim_end_matches('/'))]);
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-cache")).json(document)
}

/// The description, without the address of an installation.
pub fn document() -> Document {
    let mut document = Collected::openapi();
    let components = document.components.get_or_insert_with(Default::default);
    let token = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    components.security_schemes.insert("token".to_owned(), RefOr::T(token));
    for (path, item) in &mut document.paths.paths {
        let open = path.ends_with("/openapi.json") || path.ends_with("/docs");
        let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
        for operation in operations.into_iter().flatten().filter(|_| !open) {
            guarded(path, operation);
        }
    }
    bounds::declare(document)
}

/// Every operation needs a token and may be refused.
fn guarded(path: &str, operation: &mut Operation) {
    operation.security = Some(vec![SecurityRequirement::new("token", Vec::<String>::new())]);
    let mut refusals =
        vec![("401", "no token, or one that does not count"), ("429", "too many requests; see Retry-After")];
    if path.contains('{') || operation.request_body.is_some() {
        refusals.push(("403", "the caller sees it, but may not do this; the reason is in `detail`"));
        refusals.push(("404", "no such thing, or one the caller may not see"));
    }
    if operation.request_body.is_some() {
        refusals.push(("413", "the body is too large"));
        refusals.push(("415", "the body is not application/json"));
    }
    if operation.request_body.is_some() || operation.parameters.is_some() {
        refusals.push(("400", "the request is wrong; `detail` names the field"));
    }
    for (status, why) in refusals {
        let known = operation.responses.responses.entry(status.to_owned());
        known.or_insert_with(|| RefOr::T(problem(why)));
    }
    for (status, response) in &mut operation.responses.responses {
        if let (true, RefOr::T(response)) = (status.starts_with('4'), response)
            && response.content.is_empty()
        {
            *response = problem(&response.description);
        }
    }
}

fn problem(why: &str) -> Response {
    let schema = utoipa::openapi::Ref::from_schema_name("Problem");
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new().description(why).content(PROBLEM_JSON, content).build()
}
