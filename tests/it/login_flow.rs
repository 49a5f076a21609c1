//! Signing in over HTTP, at the real server, at a provider in this process.
use reqwest::Method;
use rolecall::clock::Clock;
use rolecall::login::session;
use rolecall::store::{self, Options};
use serde_json::json;
use url::Url;

use crate::app::App;
use crate::support::browser::{Browser, Page};
use crate::support::database::{Database, on_both};
use crate::support::house::{House, ctx};
use crate::support::provider::{HostileProvider, SECRET, SUBJECT};

/// A server on a small house, and a provider.
struct Place {
    app: App,
    house: House,
    provider: HostileProvider,
}

impl Place {
    async fn open(db: &Database) -> Self {
        let provider = HostileProvider::start().await;
        let house = House::build(&db.store, &provider.issuer("ok_public")).await;
        let app = App::start_with(db, |config| config.outbound.allow_loopback = true).await;
        Self { app, house, provider }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.app.base)
    }

    async fn close(self) {
        self.app.stop().await;
        self.provider.stop().await;
    }

    /// From the first click to the provider's answer, which is not taken yet.
    async fn leave(&self, browser: &mut Browser, path: &str) -> Url {
        let begun = browser.get(self.url(path)).await;
        assert_eq!(begun.status, 303, "{}", begun.text);
        let there = begun.location.unwrap();
        assert!(there.as_str().starts_with(&self.provider.base));
        let answer = browser.get(&there).await;
        assert_eq!(answer.status, 302, "{}", answer.text);
        answer.location.unwrap()
    }

    async fn sign_in(&self, browser: &mut Browser) -> Page {
        let back = self.leave(browser, "/login/acme-sso").await;
        browser.get(back).await
    }

    async fn account(&self, browser: &mut Browser) -> Page {
        browser.get(self.url("/account")).await
    }
}

fn assert_in(page: &Page, name: &str) {
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(page.text.contains(name), "{}", page.text);
}

fn assert_out(page: &Page) {
    assert_eq!(page.status, 303);
    assert_eq!(page.location.as_ref().unwrap().path(), "/login");
}

fn assert_refused(page: &Page, status: u16, code: &str) {
    assert_eq!(page.status, status, "{}", page.text);
    assert!(page.text.contains(code), "{code} in {}", page.text);
    assert!(!page.set_cookies.iter().any(|line| line.starts_with("rolecall=")), "no session is begun");
}

on_both! {
    async fn a_pushed_user_signs_in_and_switching_off_ends_the_session(db: &Database) {
        let place = Place::open(db).await;
        let (user, _) = place.house.push("ada", SUBJECT).await;
        let mut browser = Browser::new();
        assert_out(&place.account(&mut browser).await);

        let landed = place.sign_in(&mut browser).await;
        assert_eq!(landed.status, 303, "{}", landed.text);
        assert_eq!(landed.location.unwrap().path(), "/partners");
        assert_in(&place.account(&mut browser).await, "Ada");
        assert_eq!(place.house.external_users(place.house.oidc).await, 1);
        assert_eq!(place.house.attempts().await, 0);
        assert_eq!(place.house.events("session.started").await, 1);

        place.house.set_active(&db.store, user, false).await;
        assert_out(&place.account(&mut browser).await);
        assert_refused(&place.sign_in(&mut Browser::new()).await, 403, "user.suspended");
        assert_eq!(place.house.events("login.failed").await, 1);

        place.house.set_active(&db.store, user, true).await;
        assert_out(&place.account(&mut browser).await);
        let mut again = Browser::new();
        assert_eq!(place.sign_in(&mut again).await.status, 303);
        assert_in(&place.account(&mut again).await, "Ada");

        place.house.delete(user).await;
        assert_out(&place.account(&mut again).await);
        place.close().await;
    }

    async fn whatever_takes_the_right_away_ends_the_session_at_once(db: &Database) {
        let place = Place::open(db).await;
        let (_, user) = place.house.push("ada", SUBJECT).await;
        let mut browser = Browser::new();
        place.sign_in(&mut browser).await;
        assert_in(&place.account(&mut browser).await, "Ada");

        place.house.set_connection_state(place.house.oidc, "paused").await;
        assert_out(&place.account(&mut browser).await);
        assert_refused(&browser.get(place.url("/login/acme-sso")).await, 404, "connection.unknown");
        place.house.set_connection_state(place.house.oidc, "active").await;
        assert_in(&place.account(&mut browser).await, "Ada");

        let mut other = Browser::new();
        place.sign_in(&mut other).await;
        place.house.suspend_user(user).await;
        assert_out(&place.account(&mut browser).await);
        assert_out(&place.account(&mut other).await);
        place.close().await;
    }

    async fn a_suspended_partner_above_ends_sessions_below(db: &Database) {
        let place = Place::open(db).await;
        place.house.push("ada", SUBJECT).await;
        let mut browser = Browser::new();
        place.sign_in(&mut browser).await;
        assert_in(&place.account(&mut browser).await, "Ada");
        place.house.suspend_partner(place.house.top).await;
        assert_out(&place.account(&mut browser).await);
        assert_refused(&place.sign_in(&mut Browser::new()).await, 403, "user.suspended");
        place.close().await;
    }

    async fn nobody_is_made_up(db: &Database) {
        let place = Place::open(db).await;
        let refused = place.sign_in(&mut Browser::new()).await;
        assert_refused(&refused, 403, "user.not_linked");
        assert!(refused.text.contains("Ask your administrator"));
        assert_eq!(place.house.external_users(place.house.oidc).await, 0);

        // A user of the same proven address, but not of the same key, may be another user: nobody is let in.
        place.house.push("ada@example.com", "another-subject").await;
        assert_refused(&place.sign_in(&mut Browser::new()).await, 403, "match.pending");
        assert_eq!(place.house.external_users(place.house.oidc).await, 1);
        assert_eq!(place.house.events("user.created").await, 1);
        place.close().await;
    }

    async fn a_connection_may_make_users_but_never_takes_over_a_lookalike(db: &Database) {
        let place = Place::open(db).await;
        let config = json!({"issuer": place.provider.issuer("ok_public"), "client_id": "rolecall", "token_endpoint_auth_method": "none", "jit_provisioning": true});
        let connection = place.house.oidc_connection("jit", config, None, "sub").await;
        place.house.push("ada@example.com", "another-subject").await;
        let mut browser = Browser::new();
        let back = place.leave(&mut browser, "/login/jit").await;
        assert_refused(&browser.get(back).await, 403, "match.pending");
        assert_eq!(place.house.external_users(connection).await, 1, "it waits where an administrator finds it");
        let back = place.leave(&mut browser, "/login/jit").await;
        assert_refused(&browser.get(back).await, 403, "match.pending");
        assert_eq!(place.house.external_users(connection).await, 1);
        place.close().await;
    }

    async fn a_connection_that_makes_users_lets_them_in(db: &Database) {
        let place = Place::open(db).await;
        let config = json!({"issuer": place.provider.issuer("ok_public"), "client_id": "rolecall", "token_endpoint_auth_method": "none", "jit_provisioning": true});
        place.house.oidc_connection("jit", config, None, "sub").await;
        for _ in 0..2 {
            let mut browser = Browser::new();
            let back = place.leave(&mut browser, "/login/jit").await;
            assert_eq!(browser.get(back).await.status, 303);
            assert_in(&place.account(&mut browser).await, "Ada");
        }
        assert_eq!(place.house.events("user.created").await, 1);
        place.close().await;
    }

    async fn a_paused_directory_lets_in_whom_it_knows_and_nobody_new(db: &Database) {
        let place = Place::open(db).await;
        place.house.push("ada", SUBJECT).await;
        place.house.set_directory_mode("paused").await;
        assert_refused(&place.sign_in(&mut Browser::new()).await, 403, "user.not_linked");
        place.house.set_directory_mode("authoritative").await;
        assert_eq!(place.sign_in(&mut Browser::new()).await.status, 303);
        place.house.set_directory_mode("paused").await;
        assert_eq!(place.sign_in(&mut Browser::new()).await.status, 303);
        place.close().await;
    }

    async fn an_answer_counts_once_and_in_the_browser_that_asked(db: &Database) {
        let place = Place::open(db).await;
        place.house.push("ada", SUBJECT).await;
        let mut browser = Browser::new();
        let back = place.leave(&mut browser, "/login/acme-sso").await;
        let mut stranger = Browser::new();
        for _ in 0..3 {
            assert_refused(&stranger.get(&back).await, 400, "login_attempt.browser");
        }
        // A scanner in the same network, a browser that fetches ahead, a look at the head.
        for purpose in ["prefetch", "prefetch;prerender", "preview"] {
            let ahead = browser.send(Method::GET, back.as_str(), None, &[("sec-purpose", purpose)]).await;
            assert_eq!((ahead.status, ahead.set_cookies.len()), (503, 0), "{purpose}");
        }
        let head = browser.send(Method::HEAD, back.as_str(), None, &[]).await;
        assert_eq!((head.status, head.set_cookies.len()), (200, 0));
        let mixed = back.as_str().replace("/sso/acme-sso/", "/sso/nobody/");
        assert_refused(&browser.get(&mixed).await, 404, "connection.unknown");
        let forged = back.as_str().replace("state=", "state=A");
        assert_refused(&browser.get(&forged).await, 400, "login_attempt.unknown");
        assert_eq!(place.provider.asked("ok_public", "token"), 0);
        assert_eq!(place.house.attempts().await, 1);
        assert_eq!(browser.get(&back).await.status, 303, "nobody else has ended it");
        assert_in(&place.account(&mut browser).await, "Ada");
        assert_refused(&browser.get(&back).await, 400, "login_attempt.unknown");

        let back = place.leave(&mut browser, "/login/acme-sso").await;
        let mut twin = browser.twin();
        assert_eq!(browser.get(&back).await.status, 303);
        assert_refused(&twin.get(&back).await, 400, "login_attempt.unknown");
        assert_eq!(place.provider.asked("ok_public", "token"), 2);
        place.close().await;
    }

    async fn many_tabs_do_not_disturb_each_other(db: &Database) {
        let place = Place::open(db).await;
        place.house.push("ada", SUBJECT).await;
        let mut browser = Browser::new();
        let first = place.leave(&mut browser, "/login/acme-sso?to=/first").await;
        let second = place.leave(&mut browser, "/login/acme-sso?to=/second").await;
        assert_eq!(browser.get(first).await.location.unwrap().path(), "/first");
        assert_eq!(browser.get(second).await.location.unwrap().path(), "/second");
        for _ in 0..10 {
            place.leave(&mut browser, "/login/acme-sso").await;
        }
        let begun = browser.get(place.url("/login/acme-sso")).await;
        let gone = begun.set_cookies.iter().filter(|line| line.contains("Max-Age=0")).count();
        assert_eq!(gone, 1, "the oldest attempt goes when another begins");
        place.close().await;
    }

    async fn an_answer_at_another_connections_address_is_not_redeemed(db: &Database) {
        let place = Place::open(db).await;
        place.house.push("ada", SUBJECT).await;
        let config = json!({"issuer": place.provider.issuer("ok"), "client_id": "rolecall", "token_endpoint_auth_method": "none"});
        place.house.oidc_connection("evil", config, None, "sub").await;
        let mut browser = Browser::new();
        let back = place.leave(&mut browser, "/login/acme-sso").await;
        let mixed = back.as_str().replace("/sso/acme-sso/", "/sso/evil/");
        assert_refused(&browser.get(mixed).await, 400, "login_attempt.connection");
        assert_eq!(place.house.attempts().await, 1, "it was not for that one to end it");
        assert_eq!(place.provider.asked("ok", "token") + place.provider.asked("ok_public", "token"), 0);
        place.close().await;
    }

    async fn a_sealed_client_secret_is_opened_for_its_connection_only(db: &Database) {
        let place = Place::open(db).await;
        place.house.push("ada", SUBJECT).await;
        let keys = place.app.running.app().keyring.clone();
        let config = json!({"issuer": place.provider.issuer("ok"), "client_id": "rolecall"});
        place.house.oidc_connection("secret", config.clone(), Some((&keys, SECRET)), "sub").await;
        let mut browser = Browser::new();
        let back = place.leave(&mut browser, "/login/secret").await;
        assert_eq!(browser.get(back).await.status, 303);

        place.house.oidc_connection("wrong", config.clone(), Some((&keys, "not it")), "sub").await;
        let back = place.leave(&mut browser, "/login/wrong").await;
        assert_refused(&browser.get(back).await, 502, "token.client");
        place.house.oidc_connection("none", config, None, "sub").await;
        let back = place.leave(&mut browser, "/login/none").await;
        assert_refused(&browser.get(back).await, 502, "connection.secret");
        place.close().await;
    }

    async fn a_dead_provider_is_a_plain_page_and_the_server_goes_on(db: &Database) {
        let place = Place::open(db).await;
        let config = json!({"issuer": "http://127.0.0.1:1", "client_id": "rolecall", "token_endpoint_auth_method": "none"});
        place.house.oidc_connection("dead", config, None, "sub").await;
        let config = json!({"issuer": "https://10.0.0.1", "client_id": "rolecall", "token_endpoint_auth_method": "none"});
        place.house.oidc_connection("inside", config, None, "sub").await;
        let mut browser = Browser::new();
        assert_refused(&browser.get(place.url("/login/dead")).await, 502, "provider.unreachable");
        assert_refused(&browser.get(place.url("/login/inside")).await, 502, "provider.address");
        assert_refused(&browser.get(place.url("/login/nobody")).await, 404, "connection.unknown");
        assert_refused(&browser.get(place.url("/login/acme")).await, 404, "connection.unknown");
        assert_eq!(place.app.get("/livez").await.status(), 200);
        place.close().await;
    }

    async fn signing_out_needs_a_form_of_our_own(db: &Database) {
        let place = Place::open(db).await;
        place.house.push("ada", SUBJECT).await;
        let mut browser = Browser::new();
        place.sign_in(&mut browser).await;
        let csrf = session::form_token(browser.cookie(&place.app.base, "rolecall").unwrap());
        let logout = place.url("/logout");
        assert!(place.account(&mut browser).await.text.contains(&csrf));
        assert_eq!(browser.post(&logout, &[]).await.status, 403);
        assert_eq!(browser.post(&logout, &[("csrf", "x")]).await.status, 403);
        let form: &[(&str, &str)] = &[("csrf", &csrf)];
        for headers in [&[("sec-fetch-site", "cross-site")][..], &[("origin", "https://evil.example")], &[]] {
            assert_eq!(browser.send(Method::POST, &logout, Some(form), headers).await.status, 403);
        }
        assert_in(&place.account(&mut browser).await, "Ada");
        let mut twin = browser.twin();
        let origin = place.app.base.clone();
        let page = browser.send(Method::POST, &logout, Some(form), &[("origin", &origin)]).await;
        assert_eq!((page.status, page.location.unwrap().path()), (303, "/login"));
        assert!(browser.cookie(&place.app.base, "rolecall").is_none());
        assert_out(&place.account(&mut twin).await);
        assert_eq!(place.house.events("session.ended").await, 1);
        place.close().await;
    }

    async fn signing_out_everywhere_ends_the_other_sessions_too(db: &Database) {
        let place = Place::open(db).await;
        place.house.push("ada", SUBJECT).await;
        let (mut here, mut there) = (Browser::new(), Browser::new());
        place.sign_in(&mut here).await;
        place.sign_in(&mut there).await;
        let csrf = session::form_token(here.cookie(&place.app.base, "rolecall").unwrap());
        here.post(place.url("/logout"), &[("csrf", &csrf), ("everywhere", "yes")]).await;
        assert_out(&place.account(&mut there).await);
        place.close().await;
    }

    async fn a_session_ends_by_rest_and_by_age(db: &Database) {
        let place = Place::open(db).await;
        place.house.push("ada", SUBJECT).await;
        let mut browser = Browser::new();
        place.sign_in(&mut browser).await;
        let cookie = browser.cookie(&place.app.base, "rolecall").unwrap().to_owned();
        let login = &place.app.running.app().desk.login;
        let begin = ctx().now();
        let at = |seconds: i64| begin.plus_seconds(seconds);
        let counts = async |seconds: i64| login.authenticate(&cookie, at(seconds)).await.unwrap().is_some();
        assert!(counts(session::IDLE - 60).await);
        assert!(!counts(session::IDLE + 60).await);
        // Used all the time, it still ends.
        let mut used = 0;
        while used < session::LIFE - 60 {
            assert!(counts(used).await, "after {used} seconds");
            login.flush_uses().await.unwrap();
            used += session::IDLE - 60;
        }
        assert!(!counts(session::LIFE + 60).await);
        assert_eq!(login.purge(at(0)).await.unwrap(), 0);
        assert_eq!(login.purge(at(session::LIFE + 60)).await.unwrap(), 1);
        assert!(login.authenticate("rcb_", begin).await.unwrap().is_none());
        assert!(login.authenticate(&cookie.replace("rcb_", "rca_"), begin).await.unwrap().is_none());
        place.close().await;
    }

    async fn the_way_back_stays_here(db: &Database) {
        let place = Place::open(db).await;
        place.house.push("ada", SUBJECT).await;
        for (to, path) in [("%2Faccount", "/account"), ("https%3A%2F%2Fevil.example", "/partners"), ("%2F%2Fevil.example", "/partners")] {
            let mut browser = Browser::new();
            let back = place.leave(&mut browser, &format!("/login/acme-sso?to={to}")).await;
            let landed = browser.get(back).await.location.unwrap();
            assert_eq!((landed.host_str(), landed.path()), (Some("127.0.0.1"), path));
        }
        let out = place.account(&mut Browser::new()).await.location.unwrap();
        assert_eq!(out.query(), Some("to=%2Faccount"));
        place.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn switching_off_at_one_server_ends_the_session_at_the_other() {
    let db = Database::postgres().await;
    let place = Place::open(&db).await;
    let (user, _) = place.house.push("ada", SUBJECT).await;
    let elsewhere = store::open(&db.url, &Options::default()).await.unwrap();
    let mut browser = Browser::new();
    place.sign_in(&mut browser).await;
    for _ in 0..3 {
        assert_in(&place.account(&mut browser).await, "Ada");
    }
    place.house.set_active(&elsewhere, user, false).await;
    assert_out(&place.account(&mut browser).await);
    elsewhere.close().await;
    place.close().await;
    db.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cookies_are_bound_to_the_host_behind_tls() {
    let db = Database::sqlite().await;
    let provider = HostileProvider::start().await;
    let house = House::build(&db.store, &provider.issuer("ok_public")).await;
    let app = App::start_with(&db, |config| {
        config.outbound.allow_loopback = true;
        config.server.public_url = Some("https://id.example.com".to_owned().try_into().unwrap());
    })
    .await;
    house.push("ada", SUBJECT).await;
    let mut browser = Browser::new();
    let begun = browser.get(format!("{}/login/acme-sso", app.base)).await;
    let answer = browser.get(begun.location.unwrap()).await.location.unwrap();
    assert!(answer.as_str().starts_with("https://id.example.com/sso/acme-sso/callback?"));
    let landed = browser.get(format!("{}{}?{}", app.base, answer.path(), answer.query().unwrap())).await;
    let begun = begun.set_cookies.first().unwrap();
    let session = landed.set_cookies.iter().find(|line| line.starts_with("__Host-rolecall=rcb_")).unwrap();
    assert!(begun.starts_with("__Host-rolecall-try-"), "{begun}");
    for line in [begun, session] {
        for part in ["; HttpOnly", "; Secure", "; SameSite=Lax", "; Path=/"] {
            assert!(line.contains(part), "{part} in {line}");
        }
        assert!(!line.contains("Domain"), "{line}");
    }
    assert_eq!(landed.headers["cache-control"], "no-store");
    assert_eq!(landed.headers["referrer-policy"], "same-origin");
    assert_eq!(landed.headers["strict-transport-security"], "max-age=31536000");
    app.stop().await;
    provider.stop().await;
    db.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_tries_too_often_is_slowed() {
    let db = Database::sqlite().await;
    let app = App::start(&db).await;
    let mut browser = Browser::new();
    let mut slowed = 0;
    for _ in 0..80 {
        let page = browser.get(format!("{}/login/nobody", app.base)).await;
        if page.status == 429 {
            slowed += 1;
            assert!(page.headers.contains_key("retry-after"));
        }
    }
    assert!((10..=20).contains(&slowed), "{slowed} of 80");
    assert_eq!(app.get("/login").await.status(), 200, "the page itself is still there");
    app.stop().await;
    db.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sign_in_page_takes_a_name_and_nothing_else() {
    let db = Database::sqlite().await;
    let app = App::start(&db).await;
    let mut browser = Browser::new();
    let login = format!("{}/login", app.base);
    let page = browser.get(format!("{login}?to=%2F%2Fevil.example")).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("value=\"/partners\""), "{}", page.text);
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("frame-ancestors 'none'") && policy.contains("form-action 'self' https:"), "{policy}");
    let chosen = browser.post(&login, &[("name", " Acme-SSO "), ("to", "/account")]).await;
    assert_eq!(chosen.location.unwrap().as_str(), format!("{login}/acme-sso?to=%2Faccount"));
    for name in ["", "<script>", "a/b", "../x", "a b"] {
        let page = browser.post(&login, &[("name", name)]).await;
        assert_eq!(page.status, 422, "{name}");
        assert!(!page.text.contains("<script>"));
    }
    assert_eq!(browser.send(Method::POST, &login, Some(&[("name", "acme")]), &[]).await.status, 403);
    app.stop().await;
    db.remove().await;
}

#[tokio::test]
async fn a_server_does_not_start_without_the_keys_to_its_secrets() {
    let db = Database::sqlite().await;
    let house = House::build(&db.store, "https://login.example.com").await;
    let app = App::start(&db).await;
    let keys = app.running.app().keyring.clone();
    let config = json!({"issuer": "https://login.example.com", "client_id": "rolecall"});
    house.oidc_connection("sealed", config, Some((&keys, "s")), "sub").await;
    app.stop().await;
    std::fs::remove_file(db.folder().join("secret.key")).unwrap();
    let mut config = rolecall::config::Config::default();
    config.server.listen.set_port(0);
    config.store.data_dir = db.folder();
    let refused = rolecall::web::server::start(config, db.store.clone(), Clock).await.err().unwrap().to_string();
    assert!(refused.contains("put back the key file"), "{refused}");
    assert!(!db.folder().join("secret.key").exists());
    db.remove().await;
}
