//! One law of length for both databases: at the bound a text is taken, beyond it refused in a sentence, at every connection.
use rolecall::admin::apply::{self, ApplyContext};
use rolecall::admin::declaration::Declaration;
use rolecall::clock::Clock;
use rolecall::domain::bounds::{INDEXED_TEXT_BYTES, TEXT_BYTES};
use rolecall::domain::ctx::Actor;
use rolecall::provision::groups::{self, NewExternalGroup};
use rolecall::provision::match_key::MatchKey;
use rolecall::provision::users::{self, MatchKeySource, NewExternalUser, UserInput};
use rolecall::provision::{Execution, ProvisionError, ProvisionSource};
use rolecall::scim::error::ScimType;
use rolecall::secret::Keyring;
use rolecall::store::extent::OperatorExtent;
use serde_json::{Value, json};

use crate::app::{Answer, App, Scim};
use crate::support::api::{Api, problem};
use crate::support::database::on_both;
use crate::support::house::House;
use crate::support::world::{World, ctx, fresh_id};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const BULK: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";

/// A text that no database can press together, another one each time.
fn noise(length: usize) -> String {
    let mut text = String::new();
    while text.len() < length {
        let id = fresh_id().as_u128();
        // Odd multiples scatter the ids, which are alike at the beginning.
        text.push_str(&format!("{:032X}", id.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)));
    }
    text.truncate(length);
    text
}

/// Short as it is written, long as it is compared: each character stands for eighteen.
fn ligatures() -> String {
    "\u{fdfa}".repeat(40)
}

/// A user or a group with `text` in one place.
fn with(path: &str, text: &str) -> Value {
    let name = noise(16);
    let mut body = json!({"schemas": [USER], "userName": name});
    match path {
        "emails.value" => {
            body["emails"] = json!([{"value": "a@x.example", "type": "home"}, {"value": text, "type": "work"}])
        }
        "name.givenName" => body["name"] = json!({"givenName": text}),
        "name.familyName" => body["name"] = json!({"familyName": text}),
        "name.formatted" => body["name"] = json!({"formatted": text}),
        "name" => body["name"] = json!({"givenName": text, "familyName": text}),
        "department" => body[ENTERPRISE] = json!({"department": text}),
        "group.displayName" => body = json!({"schemas": [GROUP], "displayName": text}),
        "group.externalId" => body = json!({"schemas": [GROUP], "displayName": name, "externalId": text}),
        other => body[other] = json!(text),
    }
    body
}

/// Says it by POST, PUT, PATCH and in a bulk request.
async fn every_way(scim: &Scim, path: &str, text: &str) -> Vec<Answer> {
    let kind = if path.starts_with("group.") { "/Groups" } else { "/Users" };
    let first = with(if kind == "/Groups" { "group.displayName" } else { "title" }, "x");
    let there = format!("{kind}/{}", scim.post(kind, first).await.id());
    let mut said = with(path, text);
    let mut patch = said.clone();
    patch.as_object_mut().unwrap().remove("schemas");
    let posted = scim.post(kind, said.clone()).await;
    if posted.status < 300 {
        assert_eq!(scim.delete(&format!("{kind}/{}", posted.id())).await.status, 204);
    }
    let put = scim.put(&there, said.clone()).await;
    if put.status < 300 {
        // What is there already is found by it.
        let again = scim.put(&there, said.clone()).await;
        assert_eq!((again.status, &again.body["meta"]), (200, &put.body["meta"]));
        assert_eq!(scim.delete(&there).await.status, 204);
    }
    let other = format!(
        "{kind}/{}",
        scim.post(kind, with(if kind == "/Groups" { "group.displayName" } else { "title" }, "x")).await.id()
    );
    let patched = scim.patch(&other, json!([{"op": "replace", "value": patch}])).await;
    assert_eq!(scim.delete(&other).await.status, 204);
    if kind == "/Users" && path != "userName" {
        said["userName"] = json!(noise(16));
    }
    let bulk =
        json!({"schemas": [BULK], "Operations": [{"method": "POST", "path": kind, "bulkId": "a", "data": said}]});
    let bulk = scim.post("/Bulk", bulk).await;
    let operation = &bulk.body["Operations"][0];
    let status = operation["status"].as_str().unwrap().parse().unwrap();
    let in_bulk = Answer { status, headers: bulk.headers, body: operation["response"].clone() };
    if status == 201 {
        let location = operation["location"].as_str().unwrap();
        assert_eq!(scim.delete(location.strip_prefix(&scim.base).unwrap()).await.status, 204);
    }
    vec![posted, put, patched, in_bulk]
}

on_both! {
    async fn what_a_provider_pushes_is_taken_at_the_bound_and_refused_beyond(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let indexed = ["userName", "externalId", "displayName", "name.givenName", "name.familyName", "name.formatted", "name",
            "emails.value", "group.displayName", "group.externalId"];
        for path in indexed {
            for answer in every_way(&scim, path, &noise(INDEXED_TEXT_BYTES)).await {
                assert!(answer.status < 300, "{path} at the bound: {answer:?}");
            }
            for long in [noise(INDEXED_TEXT_BYTES + 1), noise(4_500), noise(400_000), ligatures()] {
                for answer in every_way(&scim, path, &long).await {
                    assert_eq!((answer.status, &answer.body["scimType"]), (400, &json!("invalidValue")), "{path}, {} bytes", long.len());
                }
            }
        }
        for path in ["title", "department"] {
            for answer in every_way(&scim, path, &noise(TEXT_BYTES)).await {
                assert!(answer.status < 300, "{path} at the bound: {}", answer.status);
            }
            for answer in every_way(&scim, path, &noise(TEXT_BYTES + 1)).await {
                assert_eq!((answer.status, &answer.body["scimType"]), (400, &json!("invalidValue")), "{path}");
            }
        }
        for path in ["/Users", "/Groups"] {
            let left = scim.get(path).await.body["Resources"].as_array().map_or(0, Vec::len);
            assert!(left <= 70, "what was refused left nothing behind: {left}");
        }
        app.stop().await;
    }

    async fn connections_without_a_schema_are_held_to_it_too(db: &Database) {
        let world = World::new(&db.store).await;
        let number = format!("{ENTERPRISE}:employeeNumber");
        let source = ProvisionSource { matching_attribute: Some(&number), ..world.source() };
        let refused = |result: Result<(), ProvisionError>, what: &str| match result {
            Err(ProvisionError::Scim(error)) => assert_eq!(error.kind, Some(ScimType::InvalidValue), "{what}"),
            other => panic!("{what}: {other:?}"),
        };
        // Ids are made from the moment.
        let moment = std::sync::atomic::AtomicI64::new(1);
        let now = || ctx(moment.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        let create = async |document: Value, stable_key: Option<String>, join: MatchKeySource| {
            let said = UserInput { document: world.user(document), join, row_hash: None };
            users::create(&db.store, &now(), &source, NewExternalUser { stable_key, said }, Execution::Real).await.map(drop)
        };
        let (at, beyond) = (noise(INDEXED_TEXT_BYTES), noise(INDEXED_TEXT_BYTES + 1));
        for (text, taken) in [(&at, true), (&beyond, false), (&noise(100_000), false)] {
            let body = |name: &str| json!({"userName": format!("{name}{}", text.len())});
            let mut numbered = body("n");
            numbered[ENTERPRISE] = json!({"employeeNumber": text});
            for (what, result) in [
                ("stable id", create(body("s"), Some(text.clone()), MatchKeySource::Key(None)).await),
                ("join key of the connection", create(body("k"), None, MatchKeySource::Key(Some(MatchKey::new("sub", text)))).await),
                ("join key of the document", create(numbered, None, MatchKeySource::OfDocument).await),
            ] {
                match taken {
                    true => result.unwrap_or_else(|error| panic!("{what}: {error}")),
                    false => refused(result, what),
                }
            }
            let group = NewExternalGroup { stable_key: Some(text.clone()), document: world.group("G"), members: Vec::new(), row_hash: None };
            let made = groups::create(&db.store, &now(), &source, &group, Execution::Real).await.map(drop);
            if taken { made.unwrap() } else { refused(made, "stable id of a group") }
        }
    }

    async fn what_administrators_type_is_held_to_it_too(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let owner = Api::owner(&app, &house).await;
        // Two hundred characters are allowed, and these are more than an index takes.
        let wide = "\u{fdfa}".repeat(150);
        let partner = |name: &str, key: &str| json!({"parent": house.reseller, "name": name, "level": "reseller", "kind": "department", "external_id": key});
        problem(&owner.post("/partners", partner(&wide, "a")).await, 400, "`name`");
        problem(&owner.post("/partners", partner("A", &wide)).await, 400, "`external_id`");
        problem(&owner.post("/partners", partner("A", &noise(100_000))).await, 400, "`external_id`");
        problem(&owner.post(&format!("/partners/{}/directories", house.reseller), json!({"name": wide})).await, 400, "`name`");
        let long = json!({"settings": {"schemas": [{"resource": "User", "schema": {"id": noise(TEXT_BYTES + 1)}}]}});
        problem(&owner.patch("/connections/acme", long).await, 400, "65536");
        let at = noise(200);
        let made = owner.post("/partners", partner(&at, &at)).await;
        assert_eq!(made.status, 201, "{made:?}");
        app.stop().await;
    }

    async fn what_a_file_declares_is_held_to_it_too(db: &Database) {
        let keys = Keyring::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "the test").unwrap();
        let means = ApplyContext::new(&keys);
        let applied = async |text: &str| {
            let declaration = Declaration::parse(text).unwrap();
            apply::apply(&db.store, &Clock.ctx(Actor::Operator), OperatorExtent::assume(), &declaration, &means).await.map(drop)
        };
        let root = "[[partner]]\nkey = \"root\"\nname = \"Root\"\nlevel = \"distributor\"\n";
        applied(root).await.unwrap();
        let (wide, long) = ("\u{fdfa}".repeat(150), noise(TEXT_BYTES + 1));
        let rule = |name: &str, when: &str| format!("[[directory]]\npartner = \"root\"\nname = \"D\"\n[[directory.rule]]\nname = \"{name}\"\nwhen = '{when}'\nadd_to_group = \"L\"\n");
        let group = "[[user_group]]\npartner = \"root\"\nname = \"L\"\n";
        for (text, part) in [
            (format!("[[user_group]]\npartner = \"root\"\nname = \"{wide}\"\n"), "name"),
            (format!("[[role]]\npartner = \"root\"\nname = \"{wide}\"\ncapabilities = []\n"), "name"),
            (format!("[[user]]\npartner = \"root\"\nlogin_name = \"{wide}\"\ndisplay_name = \"A\"\n"), "login_name"),
            (format!("[[user]]\npartner = \"root\"\nlogin_name = \"a\"\ndisplay_name = \"A\"\nemail = \"{wide}\"\n"), "email"),
            (format!("[[partner]]\nkey = \"{wide}\"\nname = \"A\"\nparent = \"root\"\nlevel = \"reseller\"\n"), "key"),
            (format!("[[directory]]\npartner = \"root\"\nname = \"{wide}\"\n"), "name"),
            (format!("{group}{}", rule(&wide, "memberOf eq \"G\"")), "name"),
            (format!("{group}{}", rule("R", &format!("memberOf eq \"{wide}\""))), "the name of a group"),
            (format!("{group}{}", rule("R", &format!("memberOf eq \"{}\"", noise(INDEXED_TEXT_BYTES + 1)))), "the name of a group"),
            (format!("{group}{}", rule("R", &format!("title eq \"{long}\""))), "when"),
        ] {
            let why = applied(&text).await.expect_err(part).to_string();
            assert!(why.contains(part) && why.len() < 300_000, "{part}: {why}");
        }
        let name = noise(INDEXED_TEXT_BYTES);
        applied(&format!("{group}{}", rule("R", &format!("memberOf eq \"{name}\"")))).await.unwrap();
    }
}
