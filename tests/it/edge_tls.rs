//! TLS: the server's own certificate, and a new one without a restart.
use std::path::Path;
use std::sync::Arc;

use reqwest::Client;

use crate::app::App;
use crate::support::database::on_both;

on_both! {
    async fn a_new_certificate_is_taken_without_a_restart(db: &Database) {
        let folder = db.folder().join("tls");
        std::fs::create_dir_all(&folder).unwrap();
        let (certificate, key) = (folder.join("crt.pem"), folder.join("key.pem"));
        let first = write_pair(&certificate, &key);
        let app = App::start_with(db, |config| {
            config.server.tls.certificate = Some(certificate.clone());
            config.server.tls.key = Some(key.clone());
        })
        .await;
        let url = format!("https://localhost:{}/livez", app.running.address().port());
        let answer = trusting(&first).get(&url).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(answer.headers().contains_key("strict-transport-security"));

        std::fs::write(&key, "broken").unwrap();
        let held = app.running.certificate().unwrap();
        assert!(held.reload(true).is_err());
        assert_eq!(trusting(&first).get(&url).send().await.unwrap().status(), 200);

        let second = write_pair(&certificate, &key);
        assert!(held.reload(false).unwrap());
        assert_eq!(trusting(&second).get(&url).send().await.unwrap().status(), 200);
        assert!(trusting(&first).get(&url).send().await.is_err());
        app.stop().await;
    }
}

fn write_pair(certificate: &Path, key: &Path) -> String {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(certificate, made.cert.pem()).unwrap();
    std::fs::write(key, made.signing_key.serialize_pem()).unwrap();
    made.cert.pem()
}

fn trusting(pem: &str) -> Client {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    let der = rustls::pki_types::pem::PemObject::from_pem_slice(pem.as_bytes()).unwrap();
    roots.add(der).unwrap();
    let settings = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Client::builder().tls_backend_preconfigured(settings).no_proxy().build().unwrap()
}
