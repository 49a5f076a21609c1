//! Reading a real directory: whole, or a failure that says why.
use std::time::Duration;

use rolecall::connection::ldap::ResolvedLdapSettings;
use rolecall::ldap::client::{Client, Guard, LdapFailure};
use rolecall::ldap::read::{self, BranchRead, BranchSpec, ReadEvidence};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::support::slapd::{BASE, Certificate, PASSWORD, READER, Slapd, Tree, Wire};

fn settings(url: &str, extra: Value) -> ResolvedLdapSettings {
    let mut config = json!({
        "urls": [url],
        "security": "none",
        "bind_dn": READER,
        "users": {"bases": [format!("ou=people,{BASE}")]},
        "groups": {"bases": [format!("ou=groups,{BASE}")]},
        "page_size": 100,
    });
    config.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    ResolvedLdapSettings::from_json("openldap", &config).unwrap()
}

fn anywhere() -> Guard {
    Guard::new(|_| true)
}

fn password(text: &str) -> Option<SecretString> {
    Some(SecretString::from(text.to_owned()))
}

async fn read_users(
    client: &mut Client,
    settings: &ResolvedLdapSettings,
) -> Result<ReadEvidence<BranchRead>, LdapFailure> {
    let attributes = settings.user_attributes(None);
    let filter = &settings.user_filter;
    let branch = &settings.config.users;
    read::branch(
        client,
        settings,
        BranchSpec { what: "Reading users", branch, filter, attributes: &attributes, long: None },
    )
    .await
}

async fn users(settings: &ResolvedLdapSettings) -> Result<BranchRead, LdapFailure> {
    let mut client = Client::connect(settings, password(PASSWORD).as_ref(), &anywhere()).await?;
    match read_users(&mut client, settings).await? {
        ReadEvidence::Whole(reading) => Ok(reading.into_inner()),
        ReadEvidence::Partial(_) => panic!("the read was partial"),
    }
}

#[tokio::test]
async fn every_page_is_read_with_the_named_attributes_only() {
    let mut tree = Tree::new();
    tree.users(251);
    let slapd = Slapd::start(&tree).await;
    let reading = users(&settings(&format!("ldap://{}", slapd.address), json!({}))).await.unwrap();
    assert_eq!((reading.entries.len(), reading.pages), (251, 3));
    let first = &reading.entries[0];
    assert!(first.text("entryUUID").is_some());
    assert!(first.values("objectClass").is_empty());
}

/// The line is cut at many places, in and between pages; not one of them may pass for a whole read.
#[tokio::test]
async fn a_cut_line_is_never_a_whole_read() {
    let mut tree = Tree::new();
    tree.users(251);
    let slapd = Slapd::start(&tree).await;
    let wire = Wire::to(&slapd.address).await;
    let settings = settings(&format!("ldap://{}", wire.address), json!({}));
    assert_eq!(users(&settings).await.unwrap().entries.len(), 251);
    let mut cut = 0;
    for limit in (10..80_000).step_by(1_900) {
        wire.cut_after(limit);
        match users(&settings).await {
            Ok(reading) => assert_eq!(reading.entries.len(), 251),
            Err(failure) => {
                cut += 1;
                assert!(matches!(failure, LdapFailure::Lost { .. }), "{failure}");
            }
        }
    }
    assert!(cut > 20, "only {cut} of the cuts hit");
}

/// The server stops in the middle: the sentence says so within the time limit.
#[tokio::test]
async fn a_server_that_falls_silent_is_given_up() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = settings(&format!("ldap://{}", silent.local_addr().unwrap()), json!({"timeouts": {"answer": 1}}));
    let failure = tokio::time::timeout(Duration::from_secs(10), users(&settings)).await.unwrap().unwrap_err();
    assert_eq!(failure, LdapFailure::TimedOut { what: "Signing in at the server".into(), seconds: 1 });
}

#[tokio::test]
async fn a_size_limit_of_the_server_is_a_failure_and_not_an_end() {
    let mut tree = Tree::new();
    tree.users(650);
    let mut slapd = Slapd::start(&tree).await;
    slapd.stop();
    let file = slapd.folder.join("slapd.conf");
    let limited = std::fs::read_to_string(&file).unwrap().replace("size.prtotal=unlimited", "size.prtotal=500");
    std::fs::write(&file, limited).unwrap();
    slapd.resume().await;
    let failure = users(&settings(&format!("ldap://{}", slapd.address), json!({}))).await.unwrap_err();
    assert!(matches!(&failure, LdapFailure::Incomplete { why, .. } if why.contains("size limit")), "{failure}");
}

#[tokio::test]
async fn what_is_wrong_is_said_in_words() {
    let slapd = Slapd::start(&Tree::new()).await;
    let url = format!("ldap://{}", slapd.address);
    let good = settings(&url, json!({}));
    let refused = Client::connect(&good, password("wrong").as_ref(), &anywhere()).await.err().unwrap().to_string();
    assert!(
        refused.contains("refused to sign in as \"cn=reader,dc=example,dc=org\": the name or the password is wrong"),
        "{refused}"
    );
    let none = Client::connect(&good, None, &anywhere()).await.err().unwrap();
    assert_eq!(none, LdapFailure::NoPassword);
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let dead = users(&settings(&format!("ldap://{closed}"), json!({}))).await.unwrap_err().to_string();
    assert!(dead.starts_with(&format!("No directory server could be reached. ldap://{closed}: ")), "{dead}");
    let nowhere = users(&settings(&url, json!({"users": {"bases": ["ou=nowhere,dc=example,dc=org"]}})))
        .await
        .unwrap_err()
        .to_string();
    assert!(nowhere.contains("there is no such entry"), "{nowhere}");
}

#[tokio::test]
async fn the_next_address_is_tried_when_one_is_dead() {
    let mut tree = Tree::new();
    tree.users(1);
    let slapd = Slapd::start(&tree).await;
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let both = json!({"urls": [format!("ldap://{closed}"), format!("ldap://{}", slapd.address)]});
    assert_eq!(users(&settings("ldap://unused", both)).await.unwrap().entries.len(), 1);
}

#[tokio::test]
async fn tls_with_our_own_authority_works_and_with_another_does_not() {
    let certificate = Certificate::fresh();
    let mut tree = Tree::new();
    tree.users(3);
    let slapd = Slapd::start_with(&tree, Some(&certificate)).await;
    let url = format!("ldap://{}", slapd.address);
    let with = |ca: &str| settings(&url, json!({"security": "starttls", "ca": ca}));
    assert_eq!(users(&with(&certificate.authority)).await.unwrap().entries.len(), 3);
    let stranger = users(&with(&Certificate::fresh().authority)).await.unwrap_err().to_string();
    assert!(stranger.to_lowercase().contains("certificate"), "{stranger}");
    let nonsense = users(&with("no certificate")).await.unwrap_err().to_string();
    assert_eq!(nonsense, "The certificates of the connection cannot be used: no certificate is in the text.");
}

#[tokio::test]
async fn a_part_on_another_server_makes_the_read_partial_unless_nobody_is_there() {
    let mut tree = Tree::new();
    tree.users(2);
    let elsewhere = format!("ou=elsewhere,ou=people,{BASE}");
    tree.entry(
        &elsewhere,
        &[
            ("objectClass", "referral"),
            ("objectClass", "extensibleObject"),
            ("ou", "elsewhere"),
            ("ref", "ldap://other.example/ou=people,dc=other"),
        ],
    );
    let slapd = Slapd::start(&tree).await;
    let url = format!("ldap://{}", slapd.address);
    let read = async |settings: &ResolvedLdapSettings| {
        let mut client = Client::connect(settings, password(PASSWORD).as_ref(), &anywhere()).await.unwrap();
        read_users(&mut client, settings).await.unwrap()
    };
    let ReadEvidence::Partial(reading) = read(&settings(&url, json!({}))).await else { panic!("not partial") };
    assert_eq!((reading.entries.len(), reading.references.len()), (2, 1));
    let ReadEvidence::Whole(reading) = read(&settings(&url, json!({"references": "hide_nobody"}))).await else {
        panic!("not whole")
    };
    assert_eq!(reading.get().entries.len(), 2);
}

/// Only addresses that the operator permits are connected to, whatever the name says.
#[tokio::test]
async fn the_neighbourhood_is_reached_only_when_the_operator_allows_it() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = settings(&format!("ldap://localhost:{}", listener.local_addr().unwrap().port()), json!({}));
    let guard = Guard::new(|address| !address.is_loopback());
    let refused = Client::connect(&settings, password(PASSWORD).as_ref(), &guard).await.err().unwrap().to_string();
    assert!(refused.contains("is private or reserved and not in `outbound.allowed_networks`"), "{refused}");
    let nobody = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
    assert!(nobody.is_err(), "nobody was connected to");
}
