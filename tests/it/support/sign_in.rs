//! A whole sign-in at the hostile provider, as the server does it.
use rolecall::clock::{Clock, Running};
use rolecall::connection::oidc::{ClientAuthMethod, OidcSettings};
use rolecall::domain::ctx::{Actor, Ctx};
use rolecall::domain::id::ConnectionId;
use rolecall::login::address_policy::Policy;
use rolecall::login::attempt::{self, id_of};
use rolecall::login::authorize::{authorization_url, redirect_uri};
use rolecall::login::callback;
use rolecall::login::claims::Claims;
use rolecall::login::error::LoginError;
use rolecall::login::exchange::Exchange;
use rolecall::login::fetch::Fetch;
use rolecall::login::provider::Providers;
use serde_json::{Value, json};
use url::Url;

use super::provider::{CLIENT, HostileProvider, SECRET};

/// A whole sign-in at one mode, as the server does it.
pub struct SignIn<'a> {
    pub provider: &'a HostileProvider,
    pub providers: Providers,
    pub browser: reqwest::Client,
    pub connection: ConnectionId,
    /// Settings over those that the mode has.
    pub settings: Value,
    /// The claim that joins.
    pub join: Option<&'static str>,
}

impl<'a> SignIn<'a> {
    pub fn at(provider: &'a HostileProvider) -> Self {
        let policy = Policy { loopback: true, ..Policy::default() };
        let browser = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .tls_backend_preconfigured(tls())
            .build()
            .unwrap();
        Self {
            provider,
            providers: Providers::new(Fetch::new(policy, b"").unwrap()),
            browser,
            connection: Clock.ctx(Actor::System).id(),
            settings: json!({}),
            join: None,
        }
    }

    fn config(&self, mode: &str) -> OidcSettings {
        let mut config = json!({"issuer": self.provider.issuer(mode), "client_id": CLIENT});
        if mode.starts_with("auth_time_") {
            config["max_age_seconds"] = json!(60);
        }
        if mode.starts_with("acr_") {
            config["acr_values"] = json!(["gold", "platinum"]);
        }
        if mode.starts_with("script") {
            config["token_endpoint_auth_method"] = json!("none");
        }
        config.as_object_mut().unwrap().extend(self.settings.as_object().unwrap().clone());
        match mode {
            "ok_post" => config["token_endpoint_auth_method"] = json!("client_secret_post"),
            "ok_public" => config["token_endpoint_auth_method"] = json!("none"),
            "ok_asked" => {
                config["max_age_seconds"] = json!(60);
                config["acr_values"] = json!(["gold"]);
            }
            _ => {}
        }
        OidcSettings::read(&config).unwrap()
    }

    /// The claims that are believed.
    pub async fn run(&self, mode: &str, ctx: &Ctx) -> Result<Claims, LoginError> {
        let config = self.config(mode);
        let time = Running::from(ctx.now());
        let provider = self.providers.of(self.connection, &config.issuer);
        let metadata = provider.metadata(self.providers.fetch(), &time).await?;
        let redirect_uri = redirect_uri(&Url::parse("https://rolecall.example").unwrap(), "acme");
        let fresh = attempt::begin(ctx, self.connection, "/");
        let there = authorization_url(&metadata, &config, &redirect_uri, &fresh);
        let answer = self.browser.get(there).send().await.unwrap();
        assert_eq!(answer.status(), 302, "{mode}: the provider took the request");
        let back = Url::parse(answer.headers()["location"].to_str().unwrap()).unwrap();
        assert!(back.as_str().starts_with(&redirect_uri));
        let callback = callback::read(back.query().unwrap())?;
        let known = id_of(&callback.state) == Some(fresh.attempt.id);
        if !known {
            let kind = rolecall::login::error::LoginErrorKind::Stale;
            return Err(LoginError::new(kind, "login_attempt.state", "no such attempt"));
        }
        fresh.attempt.holds(&callback.state, self.connection, Some(&fresh.browser), ctx.now())?;
        let join = if mode.starts_with("ui_") || mode == "ok_userinfo" { "employee_id" } else { "sub" };
        let exchange = Exchange {
            fetch: self.providers.fetch(),
            provider: &provider,
            config: &config,
            secret: Some(SECRET).filter(|_| config.token_endpoint_auth_method != ClientAuthMethod::None),
            redirect_uri: &redirect_uri,
            matching_claim: Some(self.join.unwrap_or(join)),
            time,
        };
        exchange.claims(callback, &fresh.attempt).await
    }
}

fn tls() -> rustls::ClientConfig {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}
