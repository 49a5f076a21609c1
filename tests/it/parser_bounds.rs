//! Whatever reads a text from outside, our own or a library, has an end to its depth and length: on a small stack, with
//! texts that are deep, long, and both.
use std::thread;
use std::time::{Duration, Instant};

use reqwest::Method;
use rolecall::admin::declaration::{Declaration, MOST_BYTES};
use rolecall::admin::rule_filter_text::NamedRuleFilter;
use rolecall::connection::ldap::ResolvedLdapSettings;
use rolecall::connection::ldap::dn::Dn;
use rolecall::connection::oidc::OidcSettings;
use rolecall::domain::id::ConnectionId;
use rolecall::login::assertion::Assertion;
use rolecall::login::claims::Claims;
use rolecall::login::jwks::Keys;
use rolecall::scim::filter::FilterAst;
use rolecall::scim::json::{self as scim_json, JsonLimits};
use rolecall::scim::path::{AttrPath, PatchPath};
use rolecall::scim::schema::SchemaSet;
use rolecall::store::Tx;
use rolecall::{binds, statements};
use serde_json::{Value as Json, json};

use crate::app::App;
use crate::support::database::on_both;
use crate::support::house::{House, ctx};

statements! {
    CONNECTION = "INSERT INTO connections (id, directory_id, kind, slug, profile, state, settings, version, created_at, \
        updated_at) VALUES ($1, $2, 'ldap', 'acme-ldap', 'openldap', 'active', $3, 1, 0, 0)";
}

const DEEP: usize = 100_000;

fn deep(open: &str, inner: &str, close: &str) -> String {
    format!("{}{inner}{}", open.repeat(DEEP), close.repeat(DEEP))
}

/// Reads each text on a small stack, and says which were taken.
fn taken(title: &str, texts: Vec<String>, read: impl Fn(&str) -> bool + Send + 'static) -> Vec<bool> {
    let named = title.to_owned();
    let work = move || {
        let one = |text: &String| {
            let began = Instant::now();
            let taken = read(text);
            assert!(began.elapsed() < Duration::from_secs(20), "{named} took {:?}", began.elapsed());
            taken
        };
        texts.iter().map(one).collect()
    };
    thread::Builder::new().stack_size(512 * 1024).spawn(work).unwrap().join().unwrap_or_else(|_| panic!("{title}"))
}

fn none(title: &str, texts: Vec<String>, read: impl Fn(&str) -> bool + Send + 'static) {
    let taken = taken(title, texts, read);
    assert!(taken.iter().all(|taken| !taken), "{title} takes {taken:?}");
}

#[test]
fn json_of_every_connection() {
    let texts = || {
        vec![
            deep("[", "", "]"),
            deep("{\"a\":", "1", "}"),
            deep("[{\"a\":", "1", "}]"),
            "[".repeat(DEEP),
            "{\"a\":".repeat(DEEP),
        ]
    };
    none("a SCIM body", texts(), |text| scim_json::read(text.as_bytes(), JsonLimits::default()).is_ok());
    none("a SCIM body of a group", texts(), |text| {
        scim_json::read_group(text.as_bytes(), JsonLimits::default()).is_ok()
    });
    none("any body", texts(), |text| serde_json::from_str::<Json>(text).is_ok());
    none("claims", texts(), |text| serde_json::from_str::<Claims>(text).is_ok());
    let long = vec![format!("[{}1]", "1,".repeat(1_000_000))];
    none("a long SCIM body", long, |text| scim_json::read(text.as_bytes(), JsonLimits::default()).is_ok());
    let coded = |text: &str| {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
    };
    none("an assertion", texts(), move |text| {
        let long = format!("{0}.{0}.{0}", coded(text));
        let short = format!("{0}.{0}.{0}", coded(text.get(..3_000).unwrap_or(text)));
        Assertion::read(&long).is_ok() || Assertion::read(&short).is_ok()
    });
    let keys = json!({"keys": vec![json!({"kty": "oct", "k": "AA"}); 101]}).to_string();
    none("keys", vec![keys], |text| Keys::inline(&serde_json::from_str(text).unwrap()).is_ok());
}

#[test]
fn filters_paths_and_conditions() {
    let term = "userName eq \"a\"";
    let texts = || {
        vec![
            deep("(", term, ")"),
            deep("not (", term, ")"),
            deep("emails[", term, "]"),
            format!("{}{term}", format!("{term} and ").repeat(DEEP)),
            format!("{}{term}", format!("{term} or (").repeat(DEEP)),
            format!("userName eq \"{}\"", "a".repeat(100_000)),
            "(".repeat(8_000),
            "not(".repeat(2_000),
            "emails[".repeat(1_000),
        ]
    };
    none("a SCIM filter", texts(), |text| FilterAst::parse(text).is_ok());
    none("a path of PATCH", texts(), |text| PatchPath::parse(&format!("emails[{text}].value")).is_ok());
    let schemas = SchemaSet::base();
    none("a rule's condition", texts(), move |text| NamedRuleFilter::parse(text, &schemas).is_ok());
    // A path without a filter nests nothing: it only has to be read in time.
    taken("a path", vec!["a.".repeat(500_000), "a:".repeat(500_000)], |text| AttrPath::parse(text).is_some());
    let filters =
        vec![deep("(!", "(a=b)", ")"), deep("(&", "(a=b)", ")"), deep("(|", "(a=b)", ")"), "(".repeat(16_000)];
    none("an LDAP filter", filters, |text| {
        let config = json!({"urls": ["ldap://h"], "users": {"bases": ["dc=x"], "filter": text}});
        ResolvedLdapSettings::from_json("openldap", &config).is_ok()
    });
}

#[test]
fn names_addresses_and_certificates() {
    let names = vec![
        "ou=a,".repeat(DEEP),
        format!("cn={}", "\\ff".repeat(DEEP)),
        format!("cn=#{}", "ff".repeat(DEEP)),
        "a=b+".repeat(DEEP),
    ];
    none("a distinguished name", names, |text| Dn::parse(text).is_ok());
    let addresses = vec![format!("ldap://{}", "a.".repeat(DEEP)), format!("ldap://h/{}", "../".repeat(DEEP))];
    none("an address of a directory", addresses, |text| {
        ResolvedLdapSettings::from_json("openldap", &json!({"urls": [text], "users": {"bases": ["dc=x"]}})).is_ok()
    });
    let issuers = vec![format!("https://{}/", "ä.".repeat(DEEP)), format!("https://h/?{}", "a&".repeat(DEEP))];
    taken("an issuer", issuers, |text| OidcSettings::read(&json!({"issuer": text, "client_id": "c"})).is_ok());
    let certificates = vec!["-----BEGIN CERTIFICATE-----\n".repeat(DEEP), "A".repeat(5_000_000)];
    none("certificates", certificates, |text| {
        let config = json!({"urls": ["ldaps://h"], "ca": text, "users": {"bases": ["dc=x"]}});
        ResolvedLdapSettings::from_json("openldap", &config).is_ok()
    });
}

#[test]
fn declarations() {
    let texts = vec![
        format!("a={}", deep("[", "", "]")),
        format!("a={}", deep("{a=", "1", "}")),
        format!("{}a=1", "a.".repeat(DEEP)),
        format!("[{}a]\nb=1", "a.".repeat(DEEP)),
        format!("a={}", "[".repeat(DEEP)),
        format!("#{}", "a".repeat(MOST_BYTES)),
    ];
    none("a declaration", texts, |text| Declaration::parse(text).is_ok());
}

on_both! {
    /// The same through the server, which goes on.
    async fn a_deep_or_long_text_is_a_4xx_at_every_connection(db: &Database) {
        let house = House::build(&db.store, "http://127.0.0.1:1").await;
        let connection: ConnectionId = ctx().id();
        let config = json!({"urls": ["ldap://127.0.0.1:1"], "security": "none", "users": {"bases": ["dc=x"]}});
        let values = binds![connection, house.directory, config.to_string()];
        db.store.write(async |tx: &mut Tx| tx.execute(&CONNECTION, values.clone()).await).await.unwrap();
        let (_, owner) = house.api_token(house.owner, house.top).await;
        let app = App::start(db).await;
        let filter = format!("{}(uid=a){}", "(!".repeat(17_000), ")".repeat(17_000));
        let mut settings = config.clone();
        settings["users"]["filter"] = json!(filter);
        let patch = app.request(Method::PATCH, "/api/v1/connections/acme-ldap").bearer_auth(&owner);
        let answer = patch.json(&json!({"settings": settings})).send().await.unwrap();
        let (status, body) = (answer.status().as_u16(), answer.text().await.unwrap());
        assert_eq!(status, 400, "{body}");
        assert!(body.contains("16384 bytes") && body.len() < 2_000, "{body}");
        settings["users"]["filter"] = json!(format!("{}(uid=a){}", "(!".repeat(40), ")".repeat(40)));
        let patch = app.request(Method::PATCH, "/api/v1/connections/acme-ldap").bearer_auth(&owner);
        let answer = patch.json(&json!({"settings": settings})).send().await.unwrap();
        let (status, body) = (answer.status().as_u16(), answer.text().await.unwrap());
        assert!(status == 400 && body.contains("more than 32 terms inside each other"), "{status} {body}");

        let nested = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
        let object = format!("{}1{}", "{\"settings\":".repeat(20_000), "}".repeat(20_000));
        for (method, path) in [
            (Method::PATCH, "/api/v1/connections/acme-ldap"),
            (Method::POST, "/api/v1/connections/acme-ldap/sync-runs"),
            (Method::POST, "/access/v1/evaluation"),
            (Method::POST, "/access/v1/evaluations"),
        ] {
            for body in [&nested, &object] {
                let request = app.request(method.clone(), path).bearer_auth(&owner);
                let answer = request.header("content-type", "application/json").body(body.clone()).send().await.unwrap();
                assert!(answer.status().is_client_error(), "{method} {path}: {}", answer.status());
            }
        }
        let form = |fields: usize| "a=&".repeat(fields);
        let typed = "application/x-www-form-urlencoded";
        for (path, body) in [("/oauth/acme/token", form(20_000)), ("/login", form(20_000)), ("/login", "a".repeat(70_000))] {
            let request = app.request(Method::POST, path).header("content-type", typed);
            let answer = request.header("sec-fetch-site", "same-origin").body(body).send().await.unwrap();
            assert!(answer.status().is_client_error(), "{path}: {}", answer.status());
        }
        let cookie = "a=b; ".repeat(20_000);
        let answer = app.request(Method::GET, "/console").header("cookie", cookie).send().await.unwrap();
        assert!(answer.status().is_client_error(), "{}", answer.status());
        let alive = app.get("/livez").await;
        assert_eq!(alive.status(), 200);
        app.stop().await;
    }
}
