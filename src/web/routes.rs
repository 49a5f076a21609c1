//! The one table of every route: who may call it, and what an id of somebody else answers.
//!
//! The server mounts what stands here and nothing else, and `tests/it/edge_routes.rs` drives
//! every entry without a token, with a wrong one and with another tenant's; a new entry without
//! a case there fails the build.
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, Route, guard, web};

use super::problem::{Refusal, sentence};
use super::{api, assets, authzen, console, health, login, metrics, oauth, scim};

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anyone; it tells nothing that belongs to a tenant.
    Open,
    /// The bearer token of the SCIM connection that the path names.
    Connection,
    /// The bearer token of the API; what it may do is decided by the capabilities of its person.
    Token,
    /// A signed-in person; what they may do is decided by their capabilities.
    Session,
    /// The token of the metrics page.
    Metrics,
}

/// What keeps tenants apart on a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// It reads and writes nothing of any tenant.
    NoTenant,
    /// Everything is reached through the connection that the token opens; an id of another
    /// connection answers as one that does not exist.
    Connection,
    /// Everything is reached through the partners where the caller holds the capability; an id
    /// outside answers as one that does not exist.
    Partner,
    /// It shows and changes only what belongs to the caller.
    Own,
}

/// Makes the handler of one method.
pub type Handler = Option<fn() -> Route>;

/// One path with its methods.
#[derive(Clone, Copy)]
pub struct Entry {
    /// The pattern, as actix writes them: `/scim/{slug}/v2/Users/{id}`.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
    /// What keeps tenants apart.
    pub isolation: Isolation,
    /// GET, and HEAD with it.
    pub get: Handler,
    /// POST.
    pub post: Handler,
    /// PUT.
    pub put: Handler,
    /// PATCH.
    pub patch: Handler,
    /// DELETE.
    pub delete: Handler,
    /// Every other method; without it they are answered with 405.
    pub other: Handler,
}

impl Entry {
    /// No method at all: the rest of a struct literal.
    pub const NONE: Self = Self {
        path: "",
        access: Access::Open,
        isolation: Isolation::NoTenant,
        get: None,
        post: None,
        put: None,
        patch: None,
        delete: None,
        other: None,
    };

    /// The methods it answers to.
    pub fn methods(&self) -> Vec<&'static str> {
        let named =
            [("GET", self.get), ("POST", self.post), ("PUT", self.put), ("PATCH", self.patch), ("DELETE", self.delete)];
        named.into_iter().filter(|(_, handler)| handler.is_some()).map(|(name, _)| name).collect()
    }

    fn mount(&self, config: &mut web::ServiceConfig) {
        let mut resource = web::resource(self.path);
        if let Some(handler) = self.get {
            resource = resource.route(handler().guard(guard::Any(guard::Get()).or(guard::Head())));
        }
        if let Some(handler) = self.post {
            resource = resource.route(handler().guard(guard::Post()));
        }
        if let Some(handler) = self.put {
            resource = resource.route(handler().guard(guard::Put()));
        }
        if let Some(handler) = self.patch {
            resource = resource.route(handler().guard(guard::Patch()));
        }
        if let Some(handler) = self.delete {
            resource = resource.route(handler().guard(guard::Delete()));
        }
        config.service(match self.other {
            Some(handler) => resource.default_service(handler()),
            None => {
                let allow = self.methods().join(", ");
                resource.default_service(web::to(move |request: HttpRequest| {
                    let status = StatusCode::METHOD_NOT_ALLOWED;
                    let refusal = Refusal::at(&request, status, sentence(status)).with(header::ALLOW, &allow);
                    async move { Err::<actix_web::HttpResponse, _>(refusal) }
                }))
            }
        });
    }
}

/// Every route of the server, in the order they are tried.
pub fn all() -> impl Iterator<Item = &'static Entry> {
    let areas = [
        api::ROUTES,
        assets::ROUTES,
        authzen::ROUTES,
        console::ROUTES,
        health::ROUTES,
        login::ROUTES,
        metrics::ROUTES,
        oauth::ROUTES,
        scim::ROUTES,
    ];
    areas.into_iter().flatten()
}

/// Mounts every route, and an answer for every other path.
pub fn mount(config: &mut web::ServiceConfig) {
    for entry in all() {
        entry.mount(config);
    }
    config.default_service(web::to(async |request: HttpRequest| {
        Err::<actix_web::HttpResponse, _>(Refusal::at(&request, StatusCode::NOT_FOUND, sentence(StatusCode::NOT_FOUND)))
    }));
}
