//! `rolecall apply` and `export`: a declaration is shown, applied, found again, and refused whole.
use std::collections::BTreeMap;
use std::sync::LazyLock;

use rolecall::admin::apply::{self, ApplyError, Change, Secrets};
use rolecall::admin::declaration::Declaration;
use rolecall::admin::export;
use rolecall::clock::Clock;
use rolecall::domain::ctx::Actor;
use rolecall::provision::users::{self, NewUser};
use rolecall::provision::{Mode, Source, UnknownMembers};
use rolecall::scim::resource::{self, Rules};
use rolecall::scim::schema::SchemaSet;
use rolecall::secret::Keyring;
use rolecall::store::extent::OperatorExtent;
use rolecall::store::{Store, connections, partners, people, user_groups};

use crate::support::database::{Database, on_both};

const DEMO: &str = include_str!("../../config/demo.toml");

static KEYS: LazyLock<Keyring> =
    LazyLock::new(|| Keyring::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "the test").unwrap());

fn secrets() -> Secrets<'static> {
    Secrets { keyring: &KEYS, connections: BTreeMap::new(), tokens: BTreeMap::new() }
}

async fn apply(store: &Store, text: &str) -> Result<Vec<Change>, ApplyError> {
    let declaration = Declaration::parse(text).unwrap();
    let ctx = Clock.ctx(Actor::Operator);
    apply::apply(store, &ctx, OperatorExtent::assume(), &declaration, &secrets()).await
}

async fn rehearse(store: &Store, text: &str) -> Result<Vec<Change>, ApplyError> {
    let declaration = Declaration::parse(text).unwrap();
    let ctx = Clock.ctx(Actor::Operator);
    apply::rehearse(store, &ctx, OperatorExtent::assume(), &declaration, &secrets()).await
}

async fn exported(store: &Store) -> Declaration {
    store.snapshot(async |reader| export::export(reader, &OperatorExtent::assume()).await).await.unwrap()
}

async fn partners(store: &Store) -> i64 {
    partners::count(&mut store.reader().await.unwrap(), &OperatorExtent::assume()).await.unwrap()
}

on_both! {
    async fn what_is_shown_is_what_is_done(db: &Database) {
        let shown = rehearse(&db.store, DEMO).await.unwrap();
        assert_eq!(partners(&db.store).await, 0, "a rehearsal changes nothing");
        assert_eq!(apply(&db.store, DEMO).await.unwrap(), shown);
        assert_eq!(partners(&db.store).await, 9);
        assert!(shown.iter().any(|change| change.to_string() == "+ partner lighthouse"));
    }

    async fn applying_again_changes_nothing(db: &Database) {
        apply(&db.store, DEMO).await.unwrap();
        assert_eq!(apply(&db.store, DEMO).await.unwrap(), []);
    }

    async fn an_export_is_the_same_declaration(db: &Database) {
        apply(&db.store, DEMO).await.unwrap();
        let first = exported(&db.store).await;
        let text = toml::to_string(&first).unwrap();
        assert_eq!(apply(&db.store, &text).await.unwrap(), [], "{text}");
        let elsewhere = Database::sqlite().await;
        apply(&elsewhere.store, &text).await.unwrap();
        assert_eq!(exported(&elsewhere.store).await, first);
        elsewhere.remove().await;
    }

    async fn a_changed_rule_set_is_one_change(db: &Database) {
        apply(&db.store, DEMO).await.unwrap();
        let changed = DEMO.replace(r#"title co "Trainee""#, r#"title co "Intern""#);
        let shown = apply(&db.store, &changed).await.unwrap();
        assert!(shown.iter().all(|change| change.what.starts_with("rule ")), "{shown:?}");
        assert_eq!(apply(&db.store, &changed).await.unwrap(), []);
    }

    async fn a_new_rule_set_places_those_who_are_here_already(db: &Database) {
        apply(&db.store, DEMO).await.unwrap();
        let schemas = SchemaSet::base();
        let by = OperatorExtent::assume();
        let mut reader = db.store.reader().await.unwrap();
        let root = partners::root(&mut reader, &by).await.unwrap().unwrap();
        let tree = partners::subtree(&mut reader, &by.at(root.id)).await.unwrap();
        let harbor = tree.iter().find(|node| node.partner.name == "Harbor IT Services").unwrap().partner.id;
        let at = by.at(harbor);
        let door = connections::by_slug(&mut reader, &at, "harbor-entra").await.unwrap().unwrap();
        let source = Source {
            extent: door.extent,
            schemas: &schemas,
            join_attribute: Some("externalId"),
            unknown_members: UnknownMembers::Skip,
        };
        let body = serde_json::json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "userName": "tove@harbor.example",
            "title": "Trainee",
        });
        let document = resource::create(schemas.users(), body, Rules::STRICT).unwrap().document;
        let new = NewUser { stable_key: None, said: document.into() };
        let ctx = Clock.ctx(Actor::System);
        users::create(&db.store, &ctx, &source, &new, Mode::Real).await.unwrap();
        let place = async || {
            let mut reader = db.store.reader().await.unwrap();
            let id = people::by_login(&mut reader, &at, "tove@harbor.example").await.unwrap().unwrap();
            let user = people::get(&mut reader, &at, id).await.unwrap().unwrap();
            user_groups::get(&mut reader, &at, user.placement).await.unwrap().unwrap().name
        };
        assert_eq!(place().await, "Everyone");
        let everyone_who_trains = DEMO.replace(
            r#"when = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "IT"'"#,
            r#"when = 'title eq "trainee"'"#,
        );
        apply(&db.store, &everyone_who_trains).await.unwrap();
        assert_eq!(place().await, "Technicians");
        apply(&db.store, DEMO).await.unwrap();
        assert_eq!(place().await, "Everyone");
    }

    async fn a_wrong_declaration_is_refused_whole(db: &Database) {
        for (broken, named) in [
            (DEMO.replace("role = \"Operator\"", "role = \"Opperator\""), "Opperator"),
            (DEMO.replace("memberOf eq \"engineers\"", "memberOf co \"engineers\""), "memberOf eq"),
            (DEMO.replace("title co", "shoeSize co"), "shoeSize"),
            (DEMO.replace("level = \"reseller\"", "level = \"shop\""), "shop"),
            (DEMO.replace("place = \"Technicians\"", "place = \"On call\""), "label"),
            (DEMO.replace("slug = \"harbor-entra\"", "slug = \"harbor_entra\""), "a-z"),
        ] {
            let error = apply(&db.store, &broken).await.unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
            assert_eq!(partners(&db.store).await, 0, "nothing of it is kept");
        }
    }
}

#[test]
fn unknown_keys_are_named_with_their_line() {
    let error =
        Declaration::parse("[[partner]]\nkey = \"a\"\nname = \"A\"\nlevel = \"x\"\ncolour = \"red\"\n").unwrap_err();
    assert!(error.to_string().contains("colour") && error.to_string().contains("line 5"), "{error}");
}
