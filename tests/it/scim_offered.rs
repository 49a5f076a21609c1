//! `/Roles` and `/Entitlements`: a client that looks for what it could assign sees what rules may give to its users,
//! and nothing else; and what it assigns gives nothing but through a rule, below the ceiling.

use rolecall::access::decide::Question;
use rolecall::admin::apply::{self, ApplyContext};
use rolecall::admin::declaration::Declaration;
use rolecall::clock::Clock;
use rolecall::domain::ctx::Actor;
use rolecall::domain::grant::Resource;
use rolecall::domain::id::PartnerId;
use rolecall::secret::Keyring;
use rolecall::store::extent::OperatorExtent;
use rolecall::store::{Store, Tx, catalog, connections, effective, partners, tokens, users};
use rolecall::{binds, statements};
use serde_json::{Value, json};

use crate::app::{Answer, App, Scim};
use crate::support::database::{Database, on_both};

statements! {
    PROFILE = "UPDATE connections SET profile = $2, settings = $3, version = version + 1 WHERE slug = $1";
}

const ROLE: &str = "urn:okta:scim:schemas:core:1.0:Role";
const ENTITLEMENT: &str = "urn:okta:scim:schemas:core:1.0:Entitlement";
const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const SEARCH: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

/// Harbor's directory may confer Operator over Harbor's customers, Fjordnet's may confer Manager.
const WORLD: &str = r#"
catalog = "cove"

[[partner]]
key = "meridian"
name = "Meridian"
level = "distributor"

[[partner]]
key = "harbor"
name = "Harbor"
parent = "meridian"
level = "reseller"

[[partner]]
key = "fjordnet"
name = "Fjordnet"
parent = "meridian"
level = "reseller"

[[role]]
partner = "harbor"
name = "Night desk"
parent = "Operator"
capabilities = ["core.partner.view", "cove.device.view"]

[[role]]
partner = "harbor"
name = "Installer"
parent = "Manager"
capabilities = ["core.partner.view", "cove.device.add"]

[[role]]
partner = "fjordnet"
name = "Fjord desk"
parent = "Operator"
capabilities = ["core.partner.view", "cove.device.view"]

[[directory]]
partner = "harbor"
name = "Harbor Okta"

[[directory.ceiling]]
role = "Operator"
scope = { subtree = "harbor" }

[[directory.connection]]
kind = "scim"
slug = "harbor-okta"
profile = "okta"
matching_attribute = "externalId"

RULES
[[directory]]
partner = "fjordnet"
name = "Fjordnet Okta"

[[directory.ceiling]]
role = "Manager"
scope = { subtree = "fjordnet" }

[[directory.connection]]
kind = "scim"
slug = "fjordnet-okta"
profile = "okta"
matching_attribute = "externalId"
"#;

/// What Operator allows in the catalog.
const ALLOWED: [&str; 11] = [
    "core.group.view",
    "core.partner.view",
    "core.user.view",
    "cove.chart.history",
    "cove.device.view",
    "cove.m365.view",
    "cove.recover.console",
    "cove.recover.device",
    "cove.remote.command",
    "cove.statistics.export",
    "cove.view.use",
];

async fn lay(store: &Store, rules: &str) {
    let declaration = Declaration::parse(&WORLD.replace("RULES\n", rules)).unwrap();
    let keyring = Keyring::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "the test").unwrap();
    let means = ApplyContext::new(&keyring);
    let ctx = Clock.ctx(Actor::Operator);
    apply::apply(store, &ctx, OperatorExtent::assume(), &declaration, &means).await.unwrap();
}

async fn partner(store: &Store, name: &str) -> PartnerId {
    let by = OperatorExtent::assume();
    let mut reader = store.reader().await.unwrap();
    let root = partners::root(&mut reader, &by).await.unwrap().unwrap();
    let tree = partners::subtree(&mut reader, &by.at(root.id)).await.unwrap();
    tree.iter().find(|node| node.partner.name == name).unwrap().partner.id
}

async fn client(db: &Database, app: &App, partner: PartnerId, slug: &str) -> Scim {
    let at = OperatorExtent::assume().at(partner);
    let mut reader = db.store.reader().await.unwrap();
    let connection = connections::by_slug(&mut reader, &at, slug).await.unwrap().unwrap().connection.id;
    drop(reader);
    let ctx = Clock.ctx(Actor::Operator);
    let make = async |tx: &mut Tx| tokens::create(tx, &at, &ctx, connection, "test", None).await;
    let (_, token) = db.store.write(make).await.unwrap();
    let base = format!("{}/scim/{slug}/v2", app.base);
    Scim { base, token: token.reveal().to_owned(), client: app.client.clone() }
}

async fn profile(db: &Database, profile: &str, config: Value) {
    let set = async |tx: &mut Tx| tx.execute(&PROFILE, binds!["harbor-okta", profile, config.to_string()]).await;
    db.store.write(set).await.unwrap();
}

fn values(list: &Answer, name: &str) -> Vec<String> {
    let found = list.body["Resources"].as_array().unwrap_or_else(|| panic!("{list:?}"));
    found.iter().map(|one| one[name].as_str().unwrap().to_owned()).collect()
}

fn sorted(mut list: Vec<String>) -> Vec<String> {
    list.sort_unstable();
    list
}

on_both! {
    async fn fx_o16_a_client_sees_what_rules_may_give_to_its_users(db: &Database) {
        lay(&db.store, "").await;
        let app = App::start(db).await;
        let (harbor, fjordnet) = (partner(&db.store, "Harbor").await, partner(&db.store, "Fjordnet").await);
        let scim = client(db, &app, harbor, "harbor-okta").await;
        let other = client(db, &app, fjordnet, "fjordnet-okta").await;

        let types = scim.get("/ResourceTypes").await;
        assert_eq!(values(&types, "name"), ["User", "Group", "Role", "Entitlement"]);
        assert_eq!(types.body["Resources"][2]["schema"], ROLE);
        assert_eq!(types.body["Resources"][3]["schema"], ENTITLEMENT);
        assert_eq!(scim.get("/ResourceTypes/Role").await.body["endpoint"], "/Roles");
        let schema = scim.get(&format!("/Schemas/{ENTITLEMENT}")).await.body;
        assert!(schema["attributes"].as_array().unwrap().iter().all(|one| one["mutability"] == "readOnly"), "{schema}");

        // The roles below the ceiling that can be used at the partner, with their own; nobody else's.
        let roles = scim.get("/Roles?sortBy=displayName").await;
        assert_eq!(values(&roles, "displayName"), ["Night desk", "Operator", "Supporter"]);
        assert_eq!((&roles.body["totalResults"], &roles.body["startIndex"], &roles.body["itemsPerPage"]), (&json!(3), &json!(1), &json!(3)));
        let one = &roles.body["Resources"][0];
        assert_eq!((&one["schemas"], &one["meta"]["resourceType"]), (&json!([ROLE]), &json!("Role")));
        let id = one["id"].as_str().unwrap();
        assert_eq!(one["meta"]["location"], format!("{}/Roles/{id}", scim.base));
        assert_eq!(&scim.get(&format!("/Roles/{id}")).await.body, one);
        let theirs = other.get("/Roles?sortBy=displayName").await;
        assert_eq!(values(&theirs, "displayName"), ["Fjord desk", "Manager", "Operator", "Supporter"]);
        for id in values(&theirs, "id").iter().take(2) {
            scim.get(&format!("/Roles/{id}")).await.refused(404, "");
        }

        let entitlements = scim.get("/Entitlements").await;
        assert_eq!(sorted(values(&entitlements, "id")), ALLOWED);
        let one = scim.get("/Entitlements/cove.recover.device").await.body;
        assert_eq!((&one["displayName"], &one["type"]), (&json!("Recover in the backup manager"), &json!("Recovery")));
        assert_eq!((&one["schemas"], &one["id"]), (&json!([ENTITLEMENT]), &json!("cove.recover.device")));
        scim.get("/Entitlements/cove.device.add").await.refused(404, "");
        assert!(values(&other.get("/Entitlements").await, "id").contains(&"cove.device.add".to_owned()));

        // The base address lists every type.
        let whole = scim.get("?filter=meta.resourceType+eq+%22Role%22+or+id+eq+%22cove.view.use%22").await;
        assert_eq!(whole.body["totalResults"], 4, "{whole:?}");
        app.stop().await;
    }

    async fn fx_o16_those_lists_are_paged_filtered_and_cut_like_others(db: &Database) {
        lay(&db.store, "").await;
        let app = App::start(db).await;
        let scim = client(db, &app, partner(&db.store, "Harbor").await, "harbor-okta").await;
        let mut seen = Vec::new();
        for start in [1, 5, 9, 13] {
            let page = scim.get(&format!("/Entitlements?startIndex={start}&count=4")).await;
            assert_eq!((&page.body["totalResults"], &page.body["startIndex"]), (&json!(11), &json!(start)));
            seen.extend(values(&page, "id"));
        }
        assert_eq!(sorted(seen), ALLOWED);
        let (mut seen, mut page) = (Vec::new(), scim.get("/Entitlements?cursor=&count=4&sortBy=displayName").await);
        let first = page.body["nextCursor"].as_str().unwrap().to_owned();
        loop {
            seen.extend(values(&page, "id"));
            let Some(next) = page.body["nextCursor"].as_str() else { break };
            page = scim.get(&format!("/Entitlements?cursor={next}&count=4&sortBy=displayName")).await;
        }
        assert_eq!(sorted(seen), ALLOWED);
        scim.get(&format!("/Roles?cursor={first}&count=4&sortBy=displayName")).await.refused(400, "invalidCursor");

        let found = scim.get("/Entitlements?filter=type+eq+%22RECOVERY%22&sortBy=id").await;
        assert_eq!(values(&found, "id"), ["cove.recover.console", "cove.recover.device"]);
        let body = json!({"schemas": [SEARCH], "filter": "displayName sw \"night\"", "attributes": ["displayName"]});
        let posted = scim.post("/Roles/.search", body).await;
        assert_eq!(values(&posted, "displayName"), ["Night desk"]);
        assert!(posted.body["Resources"][0].get("meta").is_none() && posted.body["Resources"][0]["id"].is_string());
        scim.get("/Roles?filter=userName+pr").await.refused(400, "invalidFilter");
        assert_eq!(scim.get("/Entitlements?count=0").await.body["totalResults"], 11);
        scim.get("/Roles/01890a5d-ac96-774b-bcce-b302099a8057").await.refused(404, "");

        // They are read here and made elsewhere.
        scim.post("/Roles", json!({"schemas": [ROLE], "displayName": "Everything"})).await.refused(501, "");
        scim.patch("/Entitlements/cove.view.use", json!([{"op": "replace", "path": "displayName", "value": "x"}])).await.refused(501, "");
        scim.delete("/Entitlements/cove.view.use").await.refused(501, "");
        let bulk = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
            "Operations": [{"method": "DELETE", "path": "/Entitlements/cove.view.use"}]});
        let answer = scim.post("/Bulk", bulk).await;
        assert_eq!(answer.body["Operations"][0]["status"], "404", "{answer:?}");
        assert_eq!(scim.get("/Roles").await.body["totalResults"], 3);
        app.stop().await;
    }

    async fn fx_o16_only_a_connection_that_asks_for_it_shows_them(db: &Database) {
        lay(&db.store, "").await;
        let app = App::start(db).await;
        let scim = client(db, &app, partner(&db.store, "Harbor").await, "harbor-okta").await;
        assert_eq!(scim.get("/Roles").await.status, 200);
        let off = json!({"switches": {"resource_types_enabled": false}});
        for (name, config) in [("generic", json!({})), ("strict", json!({})), ("entra", json!({})), ("okta", off)] {
            profile(db, name, config).await;
            assert_eq!(values(&scim.get("/ResourceTypes").await, "name"), ["User", "Group"], "{name}");
            assert!(!scim.get("/Schemas").await.body.to_string().contains("urn:okta"), "{name}");
            for path in ["/Roles", "/Roles/x", "/Entitlements", "/Entitlements/cove.view.use", "/ResourceTypes/Role"] {
                scim.get(path).await.refused(404, "");
            }
            scim.post("/Roles", json!({})).await.refused(404, "");
            scim.post("/Roles/.search", json!({"schemas": [SEARCH]})).await.refused(404, "");
        }
        profile(db, "generic", json!({"switches": {"resource_types_enabled": true}})).await;
        assert_eq!(scim.get("/Roles").await.body["totalResults"], 3);
        app.stop().await;
    }

    async fn what_a_client_assigns_counts_only_through_a_rule_and_below_the_ceiling(db: &Database) {
        lay(&db.store, "").await;
        let app = App::start(db).await;
        let harbor = partner(&db.store, "Harbor").await;
        let scim = client(db, &app, harbor, "harbor-okta").await;
        let id = |list: &Answer, name: &str| {
            let found = list.body["Resources"].as_array().unwrap().iter().find(|one| one["displayName"] == name);
            found.unwrap()["id"].as_str().unwrap().to_owned()
        };
        let role = id(&scim.get("/Roles").await, "Operator");
        let body = json!({"schemas": [USER], "userName": "ida@harbor.example", "externalId": "00u1",
            "roles": [{"value": role, "display": "Operator"}], "entitlements": [{"value": "cove.device.add", "type": "Devices"}]});
        let ida = scim.post("/Users", body).await;
        assert_eq!((&ida.body["roles"][0]["value"], &ida.body["entitlements"][0]["value"]), (&json!(role), &json!("cove.device.add")));
        let found = scim.get(&format!("/Users?filter=roles.value+eq+%22{role}%22")).await;
        assert_eq!(values(&found, "userName"), ["ida@harbor.example"]);
        assert_eq!(may(db, harbor, "cove.recover.device").await, (false, false), "a value alone gives nothing");

        let rules = format!("
[[directory.rule]]
name = \"Operators as Okta says\"
when = 'roles.value eq \"{role}\"'
grant_role = \"Operator\"
scope = {{ subtree = \"harbor\" }}

[[directory.rule]]
name = \"Whoever may add devices\"
when = 'entitlements[value eq \"cove.device.add\" and type eq \"Devices\"]'
grant_role = \"Installer\"
scope = {{ subtree = \"harbor\" }}

");
        lay(&db.store, &rules).await;
        assert_eq!(may(db, harbor, "cove.recover.device").await, (true, false), "by the rule, and only below the ceiling");
        assert_eq!(may(db, harbor, "cove.device.add").await, (false, false), "the ceiling is Operator, which adds none");

        // Okta takes the role away.
        let path = format!("/Users/{}", ida.id());
        let gone = scim.patch(&path, json!([{"op": "remove", "path": format!("roles[value eq \"{role}\"]")}])).await;
        assert_eq!((gone.status, gone.body.get("roles")), (200, None), "{gone:?}");
        assert_eq!(may(db, harbor, "cove.recover.device").await, (false, false));
        app.stop().await;
    }
}

/// Whether Ida may do this at Harbor, and whether at the company above.
async fn may(db: &Database, harbor: PartnerId, capability: &str) -> (bool, bool) {
    let by = OperatorExtent::assume();
    let mut reader = db.store.reader().await.unwrap();
    let principal = users::by_login(&mut reader, &by.at(harbor), "ida@harbor.example").await.unwrap().unwrap();
    let capability = catalog::capability(&mut reader, capability).await.unwrap().unwrap();
    let above = partners::root(&mut reader, &by).await.unwrap().unwrap().id;
    let now = Clock.ctx(Actor::System).now();
    let mut answers = Vec::new();
    for partner in [harbor, above] {
        let question =
            Question { principal, capability, resource: Resource { partner, group: None, owner: None }, now };
        answers.push(effective::permits(&mut reader, &question).await.unwrap());
    }
    (answers[0], answers[1])
}
