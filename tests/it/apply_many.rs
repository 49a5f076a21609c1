//! `rolecall apply` of very many users and grants: they are written together, and are what each alone would be.
use std::sync::LazyLock;

use rolecall::admin::apply::{self, ApplyContext, ApplyError, ApplyPlan};
use rolecall::admin::declaration::Declaration;
use rolecall::admin::export;
use rolecall::clock::Clock;
use rolecall::domain::ctx::Actor;
use rolecall::domain::grant::Holder;
use rolecall::provision::events;
use rolecall::provision::users::{self, NewExternalUser};
use rolecall::provision::{Execution, ProvisionSource, UnknownMembers};
use rolecall::scim::resource::{self, Rules};
use rolecall::scim::schema::SchemaSet;
use rolecall::secret::Keyring;
use rolecall::store::extent::OperatorExtent;
use rolecall::store::{Store, connections, declared, events as log, grants};

use crate::support::database::on_both;

const DEMO: &str = include_str!("../../config/demo.toml");

static KEYS: LazyLock<Keyring> =
    LazyLock::new(|| Keyring::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "the test").unwrap());

async fn apply(store: &Store, text: &str) -> Result<ApplyPlan, ApplyError> {
    let declaration = Declaration::parse(text).unwrap();
    let means = ApplyContext::new(&KEYS);
    apply::apply(store, &Clock.ctx(Actor::Operator), OperatorExtent::assume(), &declaration, &means).await
}

fn user_decl(partner: &str, login: &str) -> String {
    format!(
        "[[user]]\npartner = \"{partner}\"\nlogin_name = \"{login}\"\ndisplay_name = \"Of {login}\"\nemail = \"{login}@x.example\"\n"
    )
}

fn grant(partner: &str, login: &str, scope: &str) -> String {
    format!("[[grant]]\nrole = \"Supporter\"\npartner = \"{partner}\"\nuser = \"{login}\"\nscope = {{ {scope} }}\n")
}

fn partner(key: &str) -> String {
    format!("[[partner]]\nkey = \"{key}\"\nname = \"The {key}\"\nparent = \"harbor\"\nlevel = \"end-customer\"\n")
}

/// The demo's world with `each` users at each of these partners, new ones and old ones; every second of them holds
/// something.
fn world(new: &[&str], each: usize) -> String {
    let mut text = format!("{DEMO}\n");
    new.iter().for_each(|key| text.push_str(&partner(key)));
    for key in new.iter().chain(&["quayside", "saltmarsh"]) {
        for number in 0..each {
            let login = format!("p{number}.{key}");
            text.push_str(&user_decl(key, &login));
            let scope = match number % 6 {
                0 => "subtree = \"@\"",
                2 => "partner = \"@\"",
                4 => "user_groups_of = \"harbor\", user_groups = [\"Technicians\", \"On call\"]",
                _ => continue,
            };
            text.push_str(&grant(key, &login, &scope.replace('@', key)));
        }
    }
    text
}

/// The kinds of all events, each with how often it happened.
async fn told(store: &Store) -> Vec<(String, usize)> {
    while events::seal(store).await.unwrap() > 0 {}
    let (by, mut reader) = (OperatorExtent::assume(), store.reader().await.unwrap());
    let mut told = std::collections::BTreeMap::new();
    let mut seq = 0;
    loop {
        let page = log::after(&mut reader, &by, seq, 500).await.unwrap();
        let Some(last) = page.last() else { break };
        seq = last.seq;
        for one in &page {
            assert_eq!(one.line.actor, r#"{"kind":"operator"}"#);
            *told.entry(one.line.kind.clone()).or_insert(0) += 1;
        }
    }
    told.into_iter().collect()
}

on_both! {
    async fn many_together_are_what_each_alone_is(db: &Database) {
        let whole = world(&["one", "two", "three"], 200);
        let first = apply(&db.store, &whole).await.unwrap();
        let made = first.changes.iter().filter(|change| change.what.starts_with("user p")).count();
        assert_eq!(made, 1_000);
        assert_eq!(apply(&db.store, &whole).await.unwrap(), ApplyPlan::default());
        let by = OperatorExtent::assume();
        let mut reader = db.store.reader().await.unwrap();
        let found = declared::by_key(&mut reader, &by, &["one", "quayside"]).await.unwrap();
        for partner in found {
            let at = by.at(partner.id);
            let all = rolecall::store::users::without_source(&mut reader, &at).await.unwrap();
            let one = all.iter().find(|user| user.profile.login_name.as_deref().is_some_and(|name| name.starts_with("p4."))).unwrap();
            assert!(one.confirmed_at.is_some(), "a user made here is confirmed");
            assert_eq!(one.profile.email.as_ref().unwrap(), &format!("{}@x.example", one.profile.login_name.as_ref().unwrap()));
            let held = grants::of_holder(&mut reader, &at, Holder::User(one.id)).await.unwrap();
            assert_eq!(held.len(), 1);
        }
        drop(reader);
        let together = (told(&db.store).await, toml::to_string(&export::whole(&db.store, &by).await.unwrap()).unwrap());
        assert_eq!(apply(&db.store, &together.1).await.unwrap(), ApplyPlan::default());
        let events: usize = together.0.iter().filter(|(kind, _)| kind == "user.created" || kind == "grant.created").map(|(_, count)| count).sum();
        let changes = first.changes.iter().filter(|change| change.what.starts_with("user ") || change.what.starts_with("grant ")).count();
        assert_eq!(events, changes, "one event a change: {:?}", together.0);
    }

    async fn what_is_wrong_among_many_is_told_and_nothing_is_kept(db: &Database) {
        apply(&db.store, DEMO).await.unwrap();
        let before = told(&db.store).await;
        let mut text = world(&["one"], 300);
        text.push_str(&user_decl("one", "P7.ONE"));
        text.push_str(&user_decl("nowhere", "lost"));
        text.push_str(&grant("one", "nobody", "partner = \"one\""));
        let error = apply(&db.store, &text).await.unwrap_err().to_string();
        assert_eq!(error.lines().count(), 3, "{error}");
        for part in ["declares it twice", "no partner `nowhere`", "no user `nobody`"] {
            assert!(error.contains(part), "{error}");
        }
        assert_eq!(told(&db.store).await, before);
    }

    async fn somebody_of_a_directory_is_met_among_many(db: &Database) {
        apply(&db.store, DEMO).await.unwrap();
        of_a_directory(&db.store).await;
        let many: String = (0..40).map(|number| user_decl("harbor", &format!("n{number}"))).collect();
        // The same login is somebody of the directory there: nobody is made, and what a file may not say is refused.
        let said = many.clone() + &user_decl("harbor", "ada@harbor.example");
        let error = apply(&db.store, &said).await.unwrap_err().to_string();
        assert!(error.contains("a directory says who this is") && error.lines().count() == 1, "{error}");
        // Elsewhere it is somebody else: of those whom a directory says, the file knows nothing.
        let elsewhere = many.clone() + &user_decl("quayside", "ada@harbor.example");
        assert_eq!(apply(&db.store, &elsewhere).await.unwrap().changes.len(), 41);
        // And holders of whom a directory speaks are found.
        let held = grant("harbor", "Ada@Harbor.example", "subtree = \"harbor\"");
        assert_eq!(apply(&db.store, &held).await.unwrap().changes.len(), 1);
        assert_eq!(apply(&db.store, &held).await.unwrap().changes, []);
    }

    async fn a_grant_in_the_place_of_another_is_seen_before_that_goes(db: &Database) {
        apply(&db.store, DEMO).await.unwrap();
        // Who holds the whole tree may be another one, as long as there is one at every moment.
        let owner = "role = \"Security Officer\"\npartner = \"meridian\"\nuser = \"olga@meridian.example\"\n";
        assert!(DEMO.contains(owner));
        let mut more = format!("{DEMO}\n{}", world(&["one"], 100).split_off(DEMO.len()));
        more.push_str(&user_decl("meridian", "otto@meridian.example"));
        let too = format!("[[grant]]\n{}scope = {{ subtree = \"meridian\" }}\n\n[[grant]]\n{owner}", owner.replace("olga", "otto"));
        let more = more.replacen(&format!("[[grant]]\n{owner}"), &too, 1);
        let narrowed = more.replacen(&format!("{owner}scope = {{ subtree"), &format!("{owner}scope = {{ partner"), 1);
        assert_ne!(more, narrowed);
        let shown = apply(&db.store, &narrowed).await.map(|plan| plan.changes.len());
        assert!(shown.as_ref().is_ok_and(|lines| *lines > 100), "{shown:?}");
        assert_eq!(apply(&db.store, &narrowed).await.unwrap(), ApplyPlan::default());
    }
}

/// Somebody whom harbor's directory says, with a sign-in name of their own.
async fn of_a_directory(store: &Store) {
    let mut reader = store.reader().await.unwrap();
    let kind = rolecall::domain::directory::ConnectionKind::Scim;
    let connection = connections::open_connection_named(&mut reader, "harbor-entra", kind).await.unwrap().unwrap();
    drop(reader);
    let schemas = SchemaSet::base();
    let source = ProvisionSource {
        extent: connection.extent,
        schemas: &schemas,
        matching_attribute: None,
        unknown_members: UnknownMembers::Skip,
    };
    let body = serde_json::json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ada@harbor.example",
        "displayName": "Ada", "active": true,
    });
    let document = resource::create(schemas.users(), body, Rules::STRICT).unwrap().document;
    let new = NewExternalUser { stable_key: None, said: document.into() };
    users::create(store, &Clock.ctx(Actor::System), &source, new, Execution::Real).await.unwrap();
}
