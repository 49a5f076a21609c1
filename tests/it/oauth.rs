//! OAuth 2.0 clients of SCIM connections, at the real token endpoint.
use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Method, RequestBuilder};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use rolecall::admin::clients::{self, Credential};
use rolecall::admin::error::AdminError;
use rolecall::clock::Clock;
use rolecall::domain::capability::CoreCapability;
use rolecall::domain::ctx::Actor;
use rolecall::domain::directory::ConnectionState;
use rolecall::login::client::check_keys;
use rolecall::store::extent::OperatorExtent;
use rolecall::store::tokens;
use rolecall::{admin, binds, statements};
use serde_json::{Value, json};

use crate::app::{Answer, App, Scim};
use crate::support::api::{Api, problem};
use crate::support::console::Console;
use crate::support::database::on_both;
use crate::support::house::{House, ctx};

statements! {
    END = "UPDATE connection_tokens SET expires_at = $2 WHERE oauth_client_id = $1";
}

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The token endpoint of a connection.
struct Endpoint<'a> {
    app: &'a App,
    slug: &'a str,
}

impl Endpoint<'_> {
    fn url(&self) -> String {
        format!("{}/oauth/{}/token", self.app.base, self.slug)
    }

    fn request(&self, form: &[(&str, &str)]) -> RequestBuilder {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = self.app.request(Method::POST, &format!("/oauth/{}/token", self.slug));
        request.header("content-type", "application/x-www-form-urlencoded").body(body)
    }

    async fn post(&self, form: &[(&str, &str)]) -> Answer {
        read(self.request(form)).await
    }

    /// With client id and secret in the form.
    async fn secret(&self, client: &str, secret: &str) -> Answer {
        self.post(&[("grant_type", "client_credentials"), ("client_id", client), ("client_secret", secret)]).await
    }

    async fn assertion(&self, assertion: &str) -> Answer {
        let form =
            [("grant_type", "client_credentials"), ("client_assertion_type", TYPE), ("client_assertion", assertion)];
        self.post(&form).await
    }
}

async fn read(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer { status, headers, body: response.json().await.unwrap() }
}

#[track_caller]
fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.body["error"].as_str()), (status, Some(code)), "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("www-authenticate").starts_with("Basic"), status == 401, "{answer:?}");
}

/// The SCIM connection with what the token endpoint answered.
#[track_caller]
fn opened(app: &App, slug: &str, answer: &Answer) -> Scim {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!((answer.header("cache-control"), answer.header("pragma")), ("no-store", "no-cache"));
    assert_eq!(answer.body["token_type"], "Bearer");
    assert_eq!((&answer.body["expires_in"], &answer.body["scope"]), (&json!(3600), &json!("scim")));
    let token = answer.body["access_token"].as_str().unwrap().to_owned();
    Scim { base: format!("{}/scim/{slug}/v2", app.base), token, client: app.client.clone() }
}

async fn with_secret(house: &House, slug: &str) -> (String, String) {
    let made = clients::create(&house.store, &ctx(), house.owner, slug, "Our Okta", &Credential::Secret).await;
    let (id, secret) = made.unwrap();
    (id.to_string(), secret.unwrap().reveal().to_owned())
}

/// A client with a key of its own.
struct Keyed {
    pair: EcdsaKeyPair,
    random: SystemRandom,
}

impl Keyed {
    fn new() -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
        Self { pair, random }
    }

    fn jwks(&self, kid: &str) -> Value {
        let (x, y) = self.pair.public_key().as_ref()[1..].split_at(32);
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": kid, "x": x, "y": y}]})
    }

    fn sign(&self, claims: &Value) -> String {
        self.sign_as("k", claims)
    }

    /// Signs under a name of a key.
    fn sign_as(&self, kid: &str, claims: &Value) -> String {
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", encode(&json!({"alg": "ES256", "kid": kid})), encode(claims));
        let signature = self.pair.sign(&self.random, signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

fn claims(client: &str, audience: &str, jti: &str) -> Value {
    let now = Clock.ctx(Actor::System).now().seconds();
    json!({"iss": client, "sub": client, "aud": audience, "iat": now, "exp": now + 300, "jti": jti})
}

on_both! {
    async fn a_client_with_a_secret_gets_a_token_that_opens_its_connection(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let (client, secret) = with_secret(&house, "acme").await;
        let endpoint = Endpoint { app: &app, slug: "acme" };

        let posted = opened(&app, "acme", &endpoint.secret(&client, &secret).await);
        posted.user("ida@harbor.example").await;
        let grant = [("grant_type", "client_credentials"), ("scope", "anything"), ("resource", "")];
        let basic = read(endpoint.request(&grant).basic_auth(&client, Some(&secret))).await;
        let basic = opened(&app, "acme", &basic);
        assert_eq!(basic.get("/Users").await.body["totalResults"], 1);
        assert_ne!(posted.token, basic.token);
        let config = basic.get("/ServiceProviderConfig").await;
        let schemes: Vec<_> =
            config.body["authenticationSchemes"].as_array().unwrap().iter().map(|scheme| &scheme["type"]).collect();
        assert_eq!(schemes, ["oauthbearertoken", "oauth2"]);

        // The list of tokens is of those that users made.
        let at = OperatorExtent::assume().at(house.reseller);
        let listed = tokens::list(&mut db.store.reader().await.unwrap(), &at, house.scim).await.unwrap();
        assert!(listed.is_empty());

        // Ended tokens open nothing; the client fetches another.
        let past = ctx().now().plus_seconds(-1);
        let end = async |tx: &mut rolecall::store::Tx| {
            tx.execute(&END, binds![client.parse::<rolecall::domain::id::OauthClientId>().unwrap(), past]).await
        };
        db.store.write(end).await.unwrap();
        posted.get("/Users").await.refused(401, "");
        let again = opened(&app, "acme", &endpoint.secret(&client, &secret).await);
        assert_eq!(again.get("/Users").await.status, 200);

        // A withdrawn client takes its tokens with it.
        clients::end(&db.store, &ctx(), house.owner, "acme", client.parse().unwrap()).await.unwrap();
        again.get("/Users").await.refused(401, "");
        refused(&endpoint.secret(&client, &secret).await, 401, "invalid_client");
        let twice = clients::end(&db.store, &ctx(), house.owner, "acme", client.parse().unwrap()).await;
        assert!(matches!(twice, Err(AdminError::NotFound)));
        assert_eq!((house.events("oauth_client.created").await, house.events("oauth_client.revoked").await), (1, 1));
        app.stop().await;
    }
}

on_both! {
    async fn a_wrong_client_learns_nothing_and_a_wrong_request_what_is_wrong(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let (client, secret) = with_secret(&house, "acme").await;
        let here = Endpoint { app: &app, slug: "acme" };
        let grant = ("grant_type", "client_credentials");
        let mut answers = BTreeSet::new();
        for answer in [
            here.secret(&client, "rco_wrong").await,
            here.secret(&house.scim.to_string(), &secret).await,
            here.secret("nobody", &secret).await,
            here.post(&[grant, ("client_id", &client)]).await,
            here.post(&[grant]).await,
            Endpoint { app: &app, slug: "no-such" }.secret(&client, &secret).await,
            Endpoint { app: &app, slug: "acme-sso" }.secret(&client, &secret).await,
            here.assertion("e30.e30.").await,
            here.assertion(&Keyed::new().sign(&claims(&client, &here.url(), "x"))).await,
            read(here.request(&[grant]).bearer_auth("x")).await,
        ] {
            refused(&answer, 401, "invalid_client");
            answers.insert(answer.body.to_string());
        }
        assert_eq!(answers.len(), 1, "every cause is answered alike: {answers:?}");

        let whole = [grant, ("client_id", &*client), ("client_secret", &*secret)];
        refused(&here.post(&whole[1..]).await, 400, "invalid_request");
        let other = [("grant_type", "password"), whole[1], whole[2]];
        refused(&here.post(&other).await, 400, "unsupported_grant_type");
        refused(&here.post(&[whole[0], whole[0], whole[1], whole[2]]).await, 400, "invalid_request");
        refused(&read(here.request(&whole).basic_auth(&client, Some(&secret))).await, 400, "invalid_request");
        let json = app.request(Method::POST, "/oauth/acme/token").json(&json!({"grant_type": "client_credentials"}));
        refused(&read(json).await, 400, "invalid_request");
        let large = "x".repeat(70_000);
        refused(&here.post(&[grant, ("client_secret", &large)]).await, 413, "invalid_request");
        assert_eq!(app.get("/oauth/acme/token").await.status(), 405);

        // Who proves itself at a paused connection hears that it is paused; who does not hears nothing.
        let pause = ConnectionState::Paused;
        admin::connections::set_state(&db.store, &ctx(), house.owner, "acme", pause).await.unwrap();
        let waits = here.secret(&client, &secret).await;
        refused(&waits, 503, "temporarily_unavailable");
        assert!(waits.header("retry-after").parse::<u64>().unwrap() >= 1);
        refused(&here.secret(&client, "rco_guessed").await, 401, "invalid_client");

        // Good requests are never too many; failures from one place are slowed, in the form of this connection.
        admin::connections::set_state(&db.store, &ctx(), house.owner, "acme", ConnectionState::Active).await.unwrap();
        for _ in 0..70 {
            assert_eq!(here.secret(&client, &secret).await.status, 200);
        }
        let mut last = here.secret(&client, &secret).await;
        for _ in 0..100 {
            last = here.secret(&client, "x").await;
            if last.status == 429 {
                break;
            }
        }
        refused(&last, 429, "temporarily_unavailable");
        assert!(last.header("retry-after").parse::<u64>().unwrap() >= 1);
        app.stop().await;
    }
}

on_both! {
    async fn refused_requests_of_a_known_client_are_in_the_log_of_its_connection(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let (client, secret) = with_secret(&house, "acme").await;
        let here = Endpoint { app: &app, slug: "acme" };
        refused(&here.secret("nobody", &secret).await, 401, "invalid_client");
        refused(&here.secret(&client, "rco_guessed").await, 401, "invalid_client");
        let scim = opened(&app, "acme", &here.secret(&client, &secret).await);
        assert_eq!(scim.get("/Users").await.status, 200);

        let mut reader = db.store.reader().await.unwrap();
        let connection = OperatorExtent::assume().connection(&mut reader, house.scim).await.unwrap().unwrap();
        drop(reader);
        let log = &app.running.app().request_log;
        let mut lines = Vec::new();
        for _ in 0..100 {
            lines = log.page(&connection, "", None, 100).await.unwrap().0;
            if lines.len() >= 3 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        // Who named no client of the connection is told of too, and does not hide the others.
        let [push, guess, stranger] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!((stranger.status, stranger.path.as_str()), (401, "/oauth/acme/token"));
        assert!(stranger.error.as_deref().unwrap().contains("no such client"), "{stranger:?}");
        assert_eq!((push.method.as_str(), push.path.as_str(), push.token.is_some()), ("GET", "/Users", true));
        assert_eq!((guess.method.as_str(), guess.path.as_str(), guess.status), ("POST", "/oauth/acme/token", 401));
        assert!(guess.token.is_none() && guess.error.as_deref().unwrap().starts_with("invalid_client"), "{guess:?}");
        assert!(!guess.request_id.is_empty() && !guess.client_address.is_empty());
        let whole = serde_json::to_string(&lines).unwrap();
        assert!(!whole.contains("rco_guessed") && !whole.contains(&secret));

        // A request that cannot be understood is told too, as far as it says whose it is; one a second.
        let password = [("grant_type", "password"), ("client_id", &*client), ("client_secret", &*secret)];
        let mut said = None;
        for _ in 0..60 {
            refused(&here.post(&password).await, 400, "unsupported_grant_type");
            said = log.page(&connection, "unsupported_grant_type", None, 10).await.unwrap().0.pop();
            if said.is_some() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        let said = said.unwrap();
        assert_eq!((said.status, said.path.as_str(), said.request), (400, "/oauth/acme/token", None));
        app.stop().await;
    }
}

on_both! {
    async fn a_signed_assertion_counts_once_and_only_here(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let keyed = Keyed::new();
        let keys = keyed.jwks("k");
        check_keys(&keys).unwrap();
        let given = Credential::Keys(keys.to_string());
        let made = clients::create(&db.store, &ctx(), house.owner, "acme", "Ours", &given).await;
        let (id, none) = made.unwrap();
        assert!(none.is_none(), "a client with a key has no secret");
        let client = id.to_string();
        let here = Endpoint { app: &app, slug: "acme" };

        let first = keyed.sign(&claims(&client, &here.url(), "one"));
        let scim = opened(&app, "acme", &here.assertion(&first).await);
        assert_eq!(scim.get("/Users").await.status, 200);
        refused(&here.assertion(&first).await, 401, "invalid_client");
        let issuer = format!("{}/oauth/acme", app.base);
        opened(&app, "acme", &here.assertion(&keyed.sign(&claims(&client, &issuer, "two"))).await);
        // Two nodes, one assertion: one token.
        let raced = keyed.sign(&claims(&client, &issuer, "three"));
        let answers = futures_util::future::join_all((0..8).map(|_| here.assertion(&raced))).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);

        for (name, value) in [
            ("aud", json!(format!("{}/oauth/other/token", app.base))),
            ("iss", json!("someone")),
            ("exp", json!(claims("", "", "")["iat"].as_i64().unwrap() + 3_600)),
            ("jti", json!(null)),
        ] {
            let mut wrong = claims(&client, &here.url(), &format!("wrong {name}"));
            wrong[name] = value;
            refused(&here.assertion(&keyed.sign(&wrong)).await, 401, "invalid_client");
        }
        let forged = Keyed::new().sign(&claims(&client, &here.url(), "four"));
        refused(&here.assertion(&forged).await, 401, "invalid_client");
        let form = [("grant_type", "client_credentials"), ("client_assertion", "a.b.c")];
        refused(&here.post(&form).await, 400, "invalid_request");
        refused(&here.secret(&client, "").await, 401, "invalid_client");
        app.stop().await;
    }
}

on_both! {
    async fn published_keys_are_fetched_and_fetched_again_when_they_turn_over(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start_with(db, |config| config.outbound.allow_loopback = true).await;
        let (keyed, place) = (Keyed::new(), Published::start().await);
        let at = format!("{}/keys", place.base);
        let made = clients::create(&db.store, &ctx(), house.owner, "acme", "Ours", &Credential::KeysAt(at)).await;
        let client = made.unwrap().0.to_string();
        let here = Endpoint { app: &app, slug: "acme" };
        *place.keys.lock().unwrap() = Keyed::new().jwks("older");
        refused(&here.assertion(&keyed.sign(&claims(&client, &here.url(), "0"))).await, 401, "invalid_client");
        assert_eq!(place.asked(), 1, "just fetched");
        *place.keys.lock().unwrap() = keyed.jwks("k");
        opened(&app, "acme", &here.assertion(&keyed.sign(&claims(&client, &here.url(), "1"))).await);
        assert_eq!(place.asked(), 2, "turned over: asked at once");
        for jti in ["a", "b", "c"] {
            let stranger = Keyed::new().sign_as("stranger", &claims(&client, &here.url(), jti));
            refused(&here.assertion(&stranger).await, 401, "invalid_client");
        }
        assert_eq!(place.asked(), 2, "and then seldom, whoever sends what");

        let at = format!("{}/keys?2", place.base);
        let made = clients::create(&db.store, &ctx(), house.owner, "acme", "Ours", &Credential::KeysAt(at)).await;
        let client = made.unwrap().0.to_string();
        for (name, value) in [("aud", json!("https://elsewhere")), ("exp", json!(1)), ("jti", json!(""))] {
            let mut wrong = claims(&client, &here.url(), "wrong");
            wrong[name] = value;
            refused(&here.assertion(&keyed.sign(&wrong)).await, 401, "invalid_client");
        }
        assert_eq!(place.asked(), 2, "nothing is fetched for what could not be believed anyway");
        for jti in ["2", "3"] {
            let answer = here.assertion(&keyed.sign(&claims(&client, &here.url(), jti))).await;
            opened(&app, "acme", &answer);
        }
        assert_eq!(place.asked(), 3, "kept between requests");
        app.stop().await;
        place.handle.stop(false).await;
    }
}

on_both! {
    async fn the_endpoint_is_described_and_tells_nothing_about_who_exists(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let described = |slug: &'static str| {
            let path = format!("/.well-known/oauth-authorization-server/oauth/{slug}");
            read(app.request(Method::GET, &path))
        };
        let body = described("acme").await.body;
        assert_eq!(body["issuer"], format!("{}/oauth/acme", app.base));
        assert_eq!(body["token_endpoint"], format!("{}/oauth/acme/token", app.base));
        assert_eq!(body["grant_types_supported"], json!(["client_credentials"]));
        let methods = json!(["client_secret_basic", "client_secret_post", "private_key_jwt"]);
        assert_eq!(body["token_endpoint_auth_methods_supported"], methods);
        let nobody = described("no-such").await.body.to_string();
        assert_eq!(body.to_string().replace("acme", "no-such"), nobody);

        // Making and ending clients needs the right to change the connection.
        let viewer = house.user("Vera").await;
        house.grant(viewer, &[CoreCapability::PartnerView], "subtree", house.top).await;
        let stranger = house.user("Sven").await;
        for (actor, hidden) in [(viewer, false), (stranger, true)] {
            let refused = clients::create(&db.store, &ctx(), actor, "acme", "Mine", &Credential::Secret).await;
            match refused {
                Err(AdminError::Forbidden(_)) => assert!(!hidden),
                Err(AdminError::NotFound) => assert!(hidden),
                other => panic!("{other:?}"),
            }
        }
        let sso = clients::create(&db.store, &ctx(), house.owner, "acme-sso", "Mine", &Credential::Secret).await;
        assert!(matches!(sso, Err(AdminError::Conflict(_))));
        app.stop().await;
    }
}

on_both! {
    async fn clients_are_made_and_ended_over_the_api_and_in_the_console(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let owner = Api::owner(&app, &house).await;
        let list = "/connections/acme/oauth-clients";
        let made = owner.post(list, json!({"name": "Ping"})).await;
        assert_eq!(made.status, 201, "{made:?}");
        let text = |name: &str| made.body[name].as_str().unwrap().to_owned();
        let (client, secret) = (text("client_id"), text("client_secret"));
        assert_eq!(text("token_endpoint"), format!("{}/oauth/acme/token", app.base));
        let here = Endpoint { app: &app, slug: "acme" };
        opened(&app, "acme", &here.secret(&client, &secret).await);
        let keyed = owner.post(list, json!({"name": "Ours", "jwks": Keyed::new().jwks("k")})).await;
        assert_eq!((keyed.status, &keyed.body["client_secret"]), (201, &Value::Null), "{keyed:?}");
        for (wrong, part) in [
            (json!({"name": "x", "jwks": {"keys": []}}), "`jwks`"),
            (json!({"name": "x", "jwks": {"keys": [{"kty": "EC", "crv": "P-256", "d": "AA"}]}}), "private"),
            (json!({"name": "x", "jwks_uri": "http://example.com/keys"}), "https"),
            (json!({"name": "x", "jwks_uri": "https://10.0.0.1/keys"}), "`jwks_uri`"),
            (json!({"name": "x", "jwks": {}, "jwks_uri": "https://example.com/keys"}), "`jwks_uri`"),
            (json!({"name": ""}), "`name`"),
        ] {
            problem(&owner.post(list, wrong).await, 400, part);
        }
        let listed = owner.get(list).await.body;
        assert_eq!(listed["items"].as_array().unwrap().len(), 2, "{listed}");
        assert_eq!(listed["items"][0]["name"], "Ping");
        assert!(!listed.to_string().contains(&secret), "its secret is shown once");
        assert!(!listed["items"][0]["last_used_at"].is_null());
        assert_eq!(owner.delete(&format!("{list}/{client}")).await.status, 204);
        problem(&owner.delete(&format!("{list}/{client}")).await, 404, "");
        refused(&here.secret(&client, &secret).await, 401, "invalid_client");
        app.stop().await;
    }

    async fn the_console_shows_a_client_secret_once(db: &Database) {
        let console = Console::open(db).await;
        let mut henrik = console.sign_in("harbor", "henrik@harbor.example").await;
        let page = "/connections/harbor-entra";
        let made = henrik.submit(page, &format!("{page}/oauth-clients"), &[("name", "Our Entra")]).await;
        assert_eq!(made.status, 303);
        let shown = henrik.get(page).await.text;
        let after = |mark: &str| shown.split_once(mark).unwrap().1.split(['<', '"']).next().unwrap().to_owned();
        let secret = format!("rco_{}", after("<code>rco_"));
        let client = after("Client id</span><div class=\"copy\"><code>");
        assert!(!henrik.get(page).await.text.contains(&secret), "it is shown once");
        let endpoint = Endpoint { app: &console.app, slug: "harbor-entra" };
        let scim = opened(&console.app, "harbor-entra", &endpoint.secret(&client, &secret).await);
        assert_eq!(scim.get("/Users?count=0").await.status, 200);
        let ended = henrik.submit(page, &format!("{page}/oauth-clients/{client}/revoke"), &[]).await;
        assert_eq!(ended.status, 303);
        scim.get("/Users").await.refused(401, "");
        assert!(shown.contains("Nested groups stay behind") && shown.contains("40 minutes"), "the traps of Entra");
        console.app.stop().await;
    }
}

/// A page of keys.
struct Published {
    base: String,
    keys: std::sync::Arc<std::sync::Mutex<Value>>,
    count: std::sync::Arc<std::sync::atomic::AtomicUsize>,
    handle: actix_web::dev::ServerHandle,
}

impl Published {
    async fn start() -> Self {
        use actix_web::{HttpResponse, HttpServer, web};
        let keys = std::sync::Arc::new(std::sync::Mutex::new(Value::Null));
        let count = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let (shown, asked) = (keys.clone(), count.clone());
        let server = HttpServer::new(move || {
            let (shown, asked) = (shown.clone(), asked.clone());
            let show = move || {
                asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let body = shown.lock().unwrap().clone();
                async move { HttpResponse::Ok().json(body) }
            };
            actix_web::App::new().route("/keys", web::get().to(show))
        })
        .workers(1)
        .disable_signals()
        .bind(("127.0.0.1", 0))
        .unwrap();
        let base = format!("http://{}", server.addrs()[0]);
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { base, keys, count, handle }
    }

    fn asked(&self) -> usize {
        self.count.load(std::sync::atomic::Ordering::Relaxed)
    }
}
