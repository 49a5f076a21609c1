//! The one table of every route: who may call it, and what an id of somebody else answers.
//!
//! The server mounts what stands here and nothing else, and `tests/it/edge_routes.rs` drives
//! every entry without a token, with a wrong one and with another tenant's; a new entry without
//! a case there fails the build.
use std::collections::HashSet;
use std::sync::LazyLock;

use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, Resource, Route, guard, web};

use super::error::{HttpError, sentence};
use super::{api, assets, authzen, console, health, login, metrics, oauth, operate, scim};

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteAccess {
    /// Anyone; it tells nothing that belongs to a tenant.
    Open,
    /// The bearer token of the SCIM connection that the path names.
    Connection,
    /// The bearer token of the API; what it may do is decided by the capabilities of its user.
    Token,
    /// A signed-in user; what they may do is decided by their capabilities.
    Session,
    /// The token of the metrics page.
    Metrics,
    /// The operator's token, which stands in the data folder.
    Operator,
}

/// What keeps tenants apart on a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TenantIsolation {
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
    /// It reaches the whole installation, and so does its only caller.
    Installation,
}

/// Makes the handler of one method.
pub type Handler = Option<fn() -> Route>;

/// One path with its methods.
#[derive(Clone, Copy)]
pub struct RouteSpec {
    /// The pattern, as actix writes them: `/scim/{slug}/v2/Users/{id}`.
    pub path: &'static str,
    /// Who may call it.
    pub access: RouteAccess,
    /// What keeps tenants apart.
    pub isolation: TenantIsolation,
    /// GET, and HEAD with it.
    pub get: Handler,
    /// Whether GET does something, such as ending a sign-in: HEAD and browsers that only fetch ahead do not.
    pub acts: bool,
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
    /// Whether it waits for others (a directory, a long plan), and so may take longer than a request otherwise may.
    pub lasting: bool,
}

impl RouteSpec {
    /// No method at all: the rest of a struct literal.
    pub const NONE: Self = Self {
        path: "",
        access: RouteAccess::Open,
        isolation: TenantIsolation::NoTenant,
        get: None,
        acts: false,
        post: None,
        put: None,
        patch: None,
        delete: None,
        other: None,
        lasting: false,
    };

    /// The methods it answers to.
    pub fn methods(&self) -> Vec<&'static str> {
        let named =
            [("GET", self.get), ("POST", self.post), ("PUT", self.put), ("PATCH", self.patch), ("DELETE", self.delete)];
        named.into_iter().filter(|(_, handler)| handler.is_some()).map(|(name, _)| name).collect()
    }

    /// The methods that work here, as an Allow header names them: HEAD wherever GET does.
    pub fn allow(&self) -> String {
        let named = self.methods().into_iter().flat_map(|name| match name {
            "GET" => vec!["GET", "HEAD"],
            other => vec![other],
        });
        named.collect::<Vec<_>>().join(", ")
    }

    /// What answers at this path, mounted below `prefix`.
    fn resource(&self, prefix: &str) -> Resource {
        let mut resource = web::resource(self.path.strip_prefix(prefix).unwrap_or(self.path));
        if let Some(handler) = self.get {
            if self.acts {
                let looks = guard::fn_guard(|ask| looks(&ask.head().method, ask.head().headers()));
                resource = resource.route(web::route().guard(looks).to(looked));
            }
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
        match self.other {
            Some(handler) => resource.default_service(handler()),
            None => {
                let allow = self.allow();
                resource.default_service(web::to(move |request: HttpRequest| {
                    let status = StatusCode::METHOD_NOT_ALLOWED;
                    let refusal = HttpError::at(&request, status, sentence(status)).with(header::ALLOW, &allow);
                    async move { Err::<HttpResponse, _>(refusal) }
                }))
            }
        }
    }

    /// The first segment of its path.
    fn area(&self) -> &'static str {
        self.path.split('/').nth(1).unwrap_or_default()
    }
}

/// Whether a request only looks: HEAD, or a browser that fetches ahead what its user may never open.
pub fn only_looks(request: &HttpRequest) -> bool {
    looks(request.method(), request.headers())
}

fn looks(method: &Method, headers: &header::HeaderMap) -> bool {
    let ahead = ["sec-purpose", "purpose", "x-purpose", "x-moz"].iter().any(|name| {
        let value = headers.get(*name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        value.split([';', ',']).any(|word| matches!(word.trim(), "prefetch" | "prerender" | "preview"))
    });
    *method == Method::HEAD || *method == Method::GET && ahead
}

/// The answer to a look at an address where GET does something. What is fetched ahead fails, so that it is asked for when
/// it is opened.
async fn looked(request: HttpRequest) -> HttpResponse {
    let status = if request.method() == Method::HEAD { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    HttpResponse::build(status).insert_header((header::CACHE_CONTROL, "no-store")).finish()
}

/// Every route of the server, in the order they are tried.
pub fn all() -> impl Iterator<Item = &'static RouteSpec> {
    let areas = [
        api::ROUTES,
        assets::ROUTES,
        authzen::ROUTES,
        console::ROUTES,
        health::ROUTES,
        login::ROUTES,
        metrics::ROUTES,
        oauth::ROUTES,
        operate::ROUTES,
        scim::ROUTES,
    ];
    areas.into_iter().flatten()
}

/// Whether the route of this pattern may take as long as it takes.
pub fn is_lasting(pattern: &str) -> bool {
    static LASTING: LazyLock<HashSet<&'static str>> =
        LazyLock::new(|| all().filter(|entry| entry.lasting).map(|entry| entry.path).collect());
    LASTING.contains(pattern)
}

/// Whether whoever is let in at the route of this pattern is counted there: as a SCIM connection, or as a user.
pub fn counts_callers(pattern: &str) -> bool {
    static COUNTING: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
        let counting = all().filter(|entry| matches!(entry.access, RouteAccess::Connection | RouteAccess::Token));
        counting.map(|entry| entry.path).collect()
    });
    COUNTING.contains(pattern)
}

/// Mounts every route, and an answer for every other path. Paths are tried one after another, so those that begin
/// alike stand together behind what they share: a request meets the patterns of its own area only.
pub fn mount(config: &mut web::ServiceConfig) {
    let mut areas: Vec<(&str, Vec<&RouteSpec>)> = Vec::new();
    for entry in all() {
        match areas.iter_mut().find(|(name, _)| *name == entry.area()) {
            Some((_, entries)) => entries.push(entry),
            None => areas.push((entry.area(), vec![entry])),
        }
    }
    for (_, entries) in areas {
        let prefix = shared(&entries);
        if prefix.is_empty() {
            for entry in entries {
                config.service(entry.resource(prefix));
            }
        } else {
            let scope = web::scope(prefix);
            config.service(entries.into_iter().fold(scope, |scope, entry| scope.service(entry.resource(prefix))));
        }
    }
    config.default_service(web::to(async |request: HttpRequest| {
        Err::<HttpResponse, _>(HttpError::at(&request, StatusCode::NOT_FOUND, sentence(StatusCode::NOT_FOUND)))
    }));
}

/// The segments that several paths begin with; empty for one path alone.
fn shared(entries: &[&RouteSpec]) -> &'static str {
    let (Some((first, others)), true) = (entries.split_first(), entries.len() > 1) else { return "" };
    let ends = first.path.match_indices('/').map(|(at, _)| at).skip(1).chain([first.path.len()]);
    let begins =
        |path: &str, with: &str| path.strip_prefix(with).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let common = ends.filter_map(|end| first.path.get(..end));
    common.take_while(|prefix| others.iter().all(|entry| begins(entry.path, prefix))).last().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_share_whole_segments() {
        let prefix = |paths: &[&'static str]| {
            let entries: Vec<RouteSpec> = paths.iter().map(|path| RouteSpec { path, ..RouteSpec::NONE }).collect();
            shared(&entries.iter().collect::<Vec<_>>())
        };
        assert_eq!(prefix(&["/a/{b}/c", "/a/{b}/d", "/a/{b}"]), "/a/{b}");
        assert_eq!(prefix(&["/a/{b}", "/a/{b}/c"]), "/a/{b}");
        assert_eq!(prefix(&["/login", "/login/{slug}"]), "/login");
        assert_eq!(prefix(&["/a/b", "/a/bc"]), "/a");
        assert_eq!(prefix(&["/a/b"]), "");
    }
}
