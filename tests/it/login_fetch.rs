//! Requests to providers over TLS.
use rolecall::login::address_policy::Policy;
use rolecall::login::fetch::{Fetch, FetchError};
use serde_json::Value;
use url::Url;

use crate::app::App;
use crate::support::database::Database;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_is_believed_by_its_certificate_only() {
    let db = Database::sqlite().await;
    let folder = db.folder().join("tls");
    std::fs::create_dir_all(&folder).unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("crt.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let app = App::start_with(&db, |config| {
        config.server.tls.certificate = Some(folder.join("crt.pem"));
        config.server.tls.key = Some(folder.join("key.pem"));
    })
    .await;
    let port = app.running.address().port();
    let at = |host: &str| Url::parse(&format!("https://{host}:{port}/.well-known/authzen-configuration")).unwrap();
    let local = || Policy { loopback: true, ..Policy::default() };

    let trusting = Fetch::new(local(), made.cert.pem().as_bytes()).unwrap();
    let document: Value = trusting.get(&at("localhost"), 10_000, None).await.unwrap();
    assert!(document["access_evaluation_endpoint"].is_string());
    let other_name = trusting.get::<Value>(&at("127.0.0.1"), 10_000, None).await;
    assert!(matches!(other_name, Err(FetchError::Connection(_))), "{other_name:?}");

    let strict = Fetch::new(local(), b"").unwrap().get::<Value>(&at("localhost"), 10_000, None).await;
    assert!(matches!(&strict, Err(FetchError::Connection(why)) if why.contains("certificate")), "{strict:?}");
    let guarded = Fetch::new(Policy::default(), made.cert.pem().as_bytes()).unwrap();
    let guarded = guarded.get::<Value>(&at("localhost"), 10_000, None).await;
    assert!(matches!(guarded, Err(FetchError::Address(_))), "{guarded:?}");
    assert!(Fetch::new(local(), b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").is_err());
    app.stop().await;
    db.remove().await;
}
