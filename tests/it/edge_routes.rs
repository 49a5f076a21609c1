//! Every route of the table: who may call it, and that an id of somebody else answers as one that does not exist.
//!
//! A new route fails `every_route_has_its_isolation_case` until it is listed here with the test that proves it.
use std::collections::BTreeSet;
use std::path::Path;

use reqwest::Method;
use rolecall::web::routes::{self, RouteAccess, RouteSpec, TenantIsolation};
use serde_json::{Value, json};

use crate::app::{Answer, App, Scim, header};
use crate::support::database::on_both;
use crate::support::world::World;

/// Routes that reach something of a tenant, each with the test that drives it with somebody else's ids: file, then
/// function.
const ISOLATED: &[(&str, &str)] = &[
    ("/access/v1/evaluation", "authzen_evaluation::what_the_asker_may_not_ask_about_answers_like_what_is_not_there"),
    ("/access/v1/evaluations", "authzen_evaluation::what_the_asker_may_not_ask_about_answers_like_what_is_not_there"),
    ("/account", "login_flow::signing_out_everywhere_ends_the_other_sessions_too"),
    ("/account/tokens", "console_pages::a_user_makes_tokens_of_their_own_and_ends_only_those"),
    ("/account/tokens/{token}/revoke", "console_pages::a_user_makes_tokens_of_their_own_and_ends_only_those"),
    ("/activity", "console_pages::the_pages_of_another_partner_do_not_exist"),
    ("/connections/{slug}", "console_connections::connections_of_another_partner_do_not_exist"),
    ("/connections/{slug}/oauth-clients", "console_connections::connections_of_another_partner_do_not_exist"),
    (
        "/connections/{slug}/oauth-clients/{client}/revoke",
        "console_connections::connections_of_another_partner_do_not_exist",
    ),
    ("/connections/{slug}/sync-runs/{run}", "console_connections::connections_of_another_partner_do_not_exist"),
    ("/connections/{slug}/sync-runs/{run}/approve", "console_connections::connections_of_another_partner_do_not_exist"),
    ("/connections/{slug}/settings", "console_connections::connections_of_another_partner_do_not_exist"),
    ("/connections/{slug}/state", "console_connections::connections_of_another_partner_do_not_exist"),
    (
        "/connections/{slug}/removal-alerts/{removal_alert}/dismiss",
        "console_connections::connections_of_another_partner_do_not_exist",
    ),
    ("/connections/{slug}/sync-runs", "console_connections::connections_of_another_partner_do_not_exist"),
    ("/connections/{slug}/test", "console_connections::connections_of_another_partner_do_not_exist"),
    ("/connections/{slug}/tokens", "console_connections::connections_of_another_partner_do_not_exist"),
    ("/connections/{slug}/tokens/{token}/revoke", "console_connections::connections_of_another_partner_do_not_exist"),
    ("/connections/{slug}/undo", "console_connections::connections_of_another_partner_do_not_exist"),
    ("/directories/{id}/introduction", "console_pages::the_pages_of_another_partner_do_not_exist"),
    ("/directories/{id}", "console_pages::the_pages_of_another_partner_do_not_exist"),
    ("/api/v1/connections/{slug}", "api_routes::what_belongs_to_others_answers_like_what_is_not_there"),
    ("/api/v1/connections/{slug}/oauth-clients", "api_routes::what_belongs_to_others_answers_like_what_is_not_there"),
    (
        "/api/v1/connections/{slug}/oauth-clients/{id}",
        "api_routes::what_belongs_to_others_answers_like_what_is_not_there",
    ),
    ("/api/v1/connections/{slug}/external-groups", "api_routes::what_belongs_to_others_answers_like_what_is_not_there"),
    (
        "/api/v1/connections/{slug}/external-groups/{stable_id}/effective-members",
        "api_routes::what_belongs_to_others_answers_like_what_is_not_there",
    ),
    (
        "/api/v1/connections/{slug}/external-groups/{stable_id}/members",
        "api_routes::what_belongs_to_others_answers_like_what_is_not_there",
    ),
    ("/api/v1/connections/{slug}/external-users", "api_routes::what_belongs_to_others_answers_like_what_is_not_there"),
    ("/api/v1/connections/{slug}/request-log", "api_routes::what_belongs_to_others_answers_like_what_is_not_there"),
    ("/api/v1/connections/{slug}/matches", "api_routes::what_belongs_to_others_answers_like_what_is_not_there"),
    (
        "/api/v1/connections/{slug}/matches/{id}/confirm",
        "api_routes::what_belongs_to_others_answers_like_what_is_not_there",
    ),
    (
        "/api/v1/connections/{slug}/matches/{id}/refuse",
        "api_routes::what_belongs_to_others_answers_like_what_is_not_there",
    ),
    ("/api/v1/connections/{slug}/sync-runs", "api_routes::what_belongs_to_others_answers_like_what_is_not_there"),
    ("/api/v1/connections/{slug}/sync-runs/{id}", "api_routes::what_belongs_to_others_answers_like_what_is_not_there"),
    ("/api/v1/connections/{slug}/removal-alerts", "api_routes::what_belongs_to_others_answers_like_what_is_not_there"),
    (
        "/api/v1/connections/{slug}/removal-alerts/{id}/dismiss",
        "api_routes::what_belongs_to_others_answers_like_what_is_not_there",
    ),
    ("/api/v1/connections/{slug}/test", "api_routes::what_belongs_to_others_answers_like_what_is_not_there"),
    ("/api/v1/connections/{slug}/tokens", "api_routes::what_belongs_to_others_answers_like_what_is_not_there"),
    ("/api/v1/connections/{slug}/tokens/{id}", "api_routes::what_belongs_to_others_answers_like_what_is_not_there"),
    ("/api/v1/connections/{slug}/undo", "api_routes::what_belongs_to_others_answers_like_what_is_not_there"),
    ("/api/v1/directories/{id}", "api_routes::what_belongs_to_others_answers_like_what_is_not_there"),
    ("/api/v1/directories/{id}/introduction", "api_routes::what_belongs_to_others_answers_like_what_is_not_there"),
    ("/api/v1/directories/{id}/connections", "api_routes::what_belongs_to_others_answers_like_what_is_not_there"),
    ("/api/v1/events", "api_partners::the_feed_tells_each_line_once_to_whom_it_concerns"),
    ("/api/v1/partners", "api_routes::what_belongs_to_others_answers_like_what_is_not_there"),
    ("/api/v1/partners/{id}", "api_routes::what_belongs_to_others_answers_like_what_is_not_there"),
    ("/api/v1/partners/{id}/confirmations", "api_routes::what_belongs_to_others_answers_like_what_is_not_there"),
    ("/api/v1/partners/{id}/directories", "api_routes::what_belongs_to_others_answers_like_what_is_not_there"),
    ("/api/v1/partners/{id}/user-groups", "api_routes::what_belongs_to_others_answers_like_what_is_not_there"),
    ("/api/v1/partners/{id}/matches", "api_routes::what_belongs_to_others_answers_like_what_is_not_there"),
    ("/api/v1/partners/{id}/users", "api_routes::what_belongs_to_others_answers_like_what_is_not_there"),
    ("/api/v1/partners/{id}/reactivate", "api_routes::what_belongs_to_others_answers_like_what_is_not_there"),
    ("/api/v1/partners/{id}/roles", "api_routes::what_belongs_to_others_answers_like_what_is_not_there"),
    ("/api/v1/partners/{id}/suspend", "api_routes::what_belongs_to_others_answers_like_what_is_not_there"),
    ("/api/v1/users/{id}", "api_routes::what_belongs_to_others_answers_like_what_is_not_there"),
    ("/api/v1/users/{id}/access", "api_routes::what_belongs_to_others_answers_like_what_is_not_there"),
    ("/api/v1/users/{id}/confirm", "api_routes::what_belongs_to_others_answers_like_what_is_not_there"),
    ("/api/v1/users/{id}/reactivate", "api_routes::what_belongs_to_others_answers_like_what_is_not_there"),
    ("/api/v1/users/{id}/suspend", "api_routes::what_belongs_to_others_answers_like_what_is_not_there"),
    ("/logout", "login_flow::signing_out_needs_a_form_of_our_own"),
    ("/operator/apply", "operator::only_the_token_in_the_data_folder_opens_what_the_operator_may"),
    ("/operator/doctor", "operator::only_the_token_in_the_data_folder_opens_what_the_operator_may"),
    ("/operator/export", "operator::only_the_token_in_the_data_folder_opens_what_the_operator_may"),
    ("/operator/link", "operator::only_the_token_in_the_data_folder_opens_what_the_operator_may"),
    ("/operator/server", "operator::only_the_token_in_the_data_folder_opens_what_the_operator_may"),
    ("/partners", "console_pages::the_tree_is_what_one_may_see"),
    ("/partners/{id}", "console_pages::the_pages_of_another_partner_do_not_exist"),
    ("/partners/{id}/directories", "console_pages::the_pages_of_another_partner_do_not_exist"),
    ("/partners/{id}/reactivate", "console_pages::the_pages_of_another_partner_do_not_exist"),
    ("/partners/{id}/suspend", "console_pages::the_pages_of_another_partner_do_not_exist"),
    ("/partners/{id}/users", "console_pages::the_pages_of_another_partner_do_not_exist"),
    ("/users/{id}", "console_pages::the_pages_of_another_partner_do_not_exist"),
    ("/users/{id}/confirm", "console_pages::the_pages_of_another_partner_do_not_exist"),
    ("/users/{id}/reactivate", "console_pages::the_pages_of_another_partner_do_not_exist"),
    ("/users/{id}/suspend", "console_pages::the_pages_of_another_partner_do_not_exist"),
    ("/users/{id}/unconfirm", "console_pages::the_pages_of_another_partner_do_not_exist"),
    ("/scim/{slug}", "edge_routes::a_token_opens_its_own_connection_only"),
    ("/scim/{slug}/v2", "edge_routes::foreign_resources_are_not_found"),
    ("/scim/{slug}/v2/.search", "edge_routes::foreign_resources_are_not_found"),
    ("/scim/{slug}/v2/Bulk", "edge_routes::foreign_ids_answer_like_none"),
    ("/scim/{slug}/v2/Entitlements", "scim_offered::fx_o16_a_client_sees_what_rules_may_give_to_its_users"),
    ("/scim/{slug}/v2/Entitlements/.search", "scim_offered::fx_o16_a_client_sees_what_rules_may_give_to_its_users"),
    ("/scim/{slug}/v2/Entitlements/{id}", "scim_offered::fx_o16_a_client_sees_what_rules_may_give_to_its_users"),
    ("/scim/{slug}/v2/Groups", "edge_routes::foreign_resources_are_not_found"),
    ("/scim/{slug}/v2/Groups/.search", "edge_routes::foreign_resources_are_not_found"),
    ("/scim/{slug}/v2/Groups/{id}", "edge_routes::foreign_ids_answer_like_none"),
    ("/scim/{slug}/v2/Me", "edge_routes::a_token_opens_its_own_connection_only"),
    ("/scim/{slug}/v2/ResourceTypes", "edge_routes::a_token_opens_its_own_connection_only"),
    ("/scim/{slug}/v2/ResourceTypes/{id}", "edge_routes::a_token_opens_its_own_connection_only"),
    ("/scim/{slug}/v2/Roles", "scim_offered::fx_o16_a_client_sees_what_rules_may_give_to_its_users"),
    ("/scim/{slug}/v2/Roles/.search", "scim_offered::fx_o16_a_client_sees_what_rules_may_give_to_its_users"),
    ("/scim/{slug}/v2/Roles/{id}", "scim_offered::fx_o16_a_client_sees_what_rules_may_give_to_its_users"),
    ("/scim/{slug}/v2/Schemas", "edge_routes::a_token_opens_its_own_connection_only"),
    ("/scim/{slug}/v2/Schemas/{id}", "edge_routes::a_token_opens_its_own_connection_only"),
    ("/scim/{slug}/v2/ServiceProviderConfig", "edge_routes::a_token_opens_its_own_connection_only"),
    ("/scim/{slug}/v2/Users", "edge_routes::foreign_resources_are_not_found"),
    ("/scim/{slug}/v2/Users/.search", "edge_routes::foreign_resources_are_not_found"),
    ("/scim/{slug}/v2/Users/{id}", "edge_routes::foreign_ids_answer_like_none"),
    ("/scim/{slug}/{version}", "edge_routes::a_token_opens_its_own_connection_only"),
    ("/scim/{slug}/{version}/{tail:.*}", "edge_routes::a_token_opens_its_own_connection_only"),
];

#[test]
fn every_route_has_its_isolation_case() {
    let of_tenants = routes::all().filter(|entry| entry.isolation != TenantIsolation::NoTenant);
    let routes: BTreeSet<&str> = of_tenants.map(|entry| entry.path).collect();
    let cases: BTreeSet<&str> = ISOLATED.iter().map(|(path, _)| *path).collect();
    let missing: Vec<_> = routes.difference(&cases).collect();
    assert!(missing.is_empty(), "add these routes, with the test that isolates them, to ISOLATED: {missing:?}");
    let stale: Vec<_> = cases.difference(&routes).collect();
    assert!(stale.is_empty(), "there are no such routes any more: {stale:?}");
    for (path, case) in ISOLATED {
        let (file, function) = case.split_once("::").unwrap();
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/{file}.rs"));
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(text.contains(&format!("fn {function}(")), "{path}: there is no test {case}");
    }
}

#[test]
fn only_open_routes_are_without_a_tenant() {
    for entry in routes::all() {
        let open = matches!(entry.access, RouteAccess::Open | RouteAccess::Metrics);
        assert_eq!(open, entry.isolation == TenantIsolation::NoTenant, "{}", entry.path);
    }
}

on_both! {
    async fn no_route_opens_without_its_credential(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let slug = world.connections[0].connection().to_string();
        let stranger = app.scim(db, &world, world.stranger).await;
        let unknown = format!("rcs_{}", "A".repeat(43));
        for entry in routes::all() {
            for method in methods(entry) {
                let path = concrete(entry.path, &slug);
                for token in [None, Some("x"), Some(unknown.as_str()), Some(stranger.token.as_str())] {
                    let mut request = app.request(method.clone(), &path).body("{}");
                    if let Some(token) = token {
                        request = request.bearer_auth(token);
                    }
                    let answer = request.send().await.unwrap();
                    let status = answer.status().as_u16();
                    let case = format!("{method} {path} with {token:?} gave {status}");
                    match entry.access {
                        RouteAccess::Open => assert!(status < 500, "{case}"),
                        RouteAccess::Metrics => assert_eq!(status, 404, "{case}"),
                        RouteAccess::Session => assert!([303, 401, 403].contains(&status), "{case}"),
                        RouteAccess::Connection | RouteAccess::Token | RouteAccess::Operator => {
                            assert_eq!(status, 401, "{case}");
                            assert!(header(&answer, "www-authenticate").starts_with("Bearer"), "{case}");
                            let scim = entry.access == RouteAccess::Connection;
                            let form = if scim { "application/scim+json" } else { "application/problem+json" };
                            assert_eq!(header(&answer, "content-type"), form, "{case}");
                        }
                    }
                }
            }
        }
        app.stop().await;
    }
}

on_both! {
    async fn a_token_opens_its_own_connection_only(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let own = app.scim(db, &world, world.connections[0]).await;
        for entry in routes::all().filter(|entry| entry.access == RouteAccess::Connection) {
            for method in methods(entry) {
                let theirs = concrete(entry.path, &world.stranger.connection().to_string());
                let nobody = concrete(entry.path, "no-such-connection");
                let theirs = refusal(&app, &own.token, method.clone(), &theirs).await;
                assert_eq!(theirs.0, 401, "{}", entry.path);
                assert_eq!(theirs, refusal(&app, &own.token, method, &nobody).await, "{}", entry.path);
            }
        }
        app.stop().await;
    }
}

on_both! {
    async fn foreign_ids_answer_like_none(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let owner = app.scim(db, &world, world.connections[0]).await;
        let user = owner.user("ida@harbor.example").await.id();
        let group = owner.group("Operators", &[&user]).await.id();
        let none = "01a200c3-0111-753b-8f53-ae56b6e37edf";
        // The same partner's other directory, and the other connection of the same directory: neither sees it.
        for connection in [world.stranger, world.connections[1]] {
            let other = app.scim(db, &world, connection).await;
            for (endpoint, id) in [("Users", &user), ("Groups", &group)] {
                for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE] {
                    let theirs = attempt(&other, &method, endpoint, id).await;
                    let nobodys = attempt(&other, &method, endpoint, none).await;
                    assert_eq!(theirs.status, 404, "{method} {endpoint}: {theirs:?}");
                    assert_eq!(theirs.body, nobodys.body);
                }
                let bulk = other.post("/Bulk", json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
                    "Operations": [{"method": "DELETE", "path": format!("/{endpoint}/{id}")}]})).await;
                assert_eq!(bulk.body["Operations"][0]["status"], "404", "{bulk:?}");
            }
        }
        assert_eq!(owner.get(&format!("/Groups/{group}")).await.body["members"][0]["value"], user);
        app.stop().await;
    }
}

on_both! {
    async fn foreign_resources_are_not_found(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let owner = app.scim(db, &world, world.connections[0]).await;
        let user = owner.user("ida@harbor.example").await.id();
        owner.group("Operators", &[&user]).await;
        let other = app.scim(db, &world, world.connections[1]).await;
        let search = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"]});
        for path in ["/Users", "/Groups", ""] {
            assert_eq!(other.get(path).await.body["totalResults"], 0, "{path}");
            assert_eq!(other.post(&format!("{path}/.search"), search.clone()).await.body["totalResults"], 0, "{path}");
        }
        let by_id = format!("/Users?filter=id%20eq%20%22{user}%22");
        assert_eq!(other.get(&by_id).await.body["totalResults"], 0);
        let group = other.group("Thieves", &[&user]).await;
        assert!(group.body.get("members").is_none(), "{group:?}");
        assert_eq!(other.user("ida@harbor.example").await.status, 201, "names are each connection's own");
        app.stop().await;
    }
}

/// The methods to try on a route; one that answers to all is tried with GET and POST.
fn methods(entry: &RouteSpec) -> Vec<Method> {
    let mut methods: Vec<Method> = entry.methods().into_iter().map(|name| name.parse().unwrap()).collect();
    if entry.other.is_some() {
        methods.extend([Method::GET, Method::POST]);
    }
    methods
}

fn concrete(pattern: &str, slug: &str) -> String {
    let path = pattern.replace("{slug}", slug).replace("{version}", "v3").replace("{tail:.*}", "Nothing");
    match path.find('{') {
        Some(_) => {
            let parts = path
                .split('/')
                .map(|part| if part.starts_with('{') { "01a200c3-0111-753b-8f53-ae56b6e37edf" } else { part });
            parts.collect::<Vec<_>>().join("/")
        }
        None => path,
    }
}

async fn refusal(app: &App, token: &str, method: Method, path: &str) -> (u16, Option<String>, Value) {
    let answer = app.request(method, path).bearer_auth(token).body("{}").send().await.unwrap();
    let challenge = answer.headers().get("www-authenticate").map(|value| value.to_str().unwrap().to_owned());
    (answer.status().as_u16(), challenge, answer.json().await.unwrap())
}

async fn attempt(scim: &Scim, method: &Method, endpoint: &str, id: &str) -> Answer {
    let path = format!("/{endpoint}/{id}");
    match *method {
        Method::PUT if endpoint == "Users" => {
            scim.put(&path, json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "x"})).await
        }
        Method::PUT => {
            scim.put(&path, json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "x"}))
                .await
        }
        Method::PATCH => scim.patch(&path, json!([{"op": "replace", "path": "externalId", "value": "x"}])).await,
        Method::DELETE => scim.delete(&path).await,
        _ => scim.get(&path).await,
    }
}
