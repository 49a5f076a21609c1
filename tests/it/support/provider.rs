//! An OpenID provider that misbehaves on purpose: one issuer per mode, `http://127.0.0.1:port/{mode}`. It keeps
//! account of every request, so that a test can tell which ones did not come.
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use openidconnect::PrivateSigningKey;
use openidconnect::core::{CoreJwsSigningAlgorithm, CoreRsaPrivateSigningKey};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaKeyPair,
};
use serde_json::{Map, Value, json};

pub use super::script::Script;

/// What the provider was set up to know.
pub const CLIENT: &str = "rolecall";
pub const SECRET: &str = "s3cret/with+odd characters";
pub const SUBJECT: &str = "subject-1";

const RSA_2048: &[u8] = include_bytes!("keys/rsa_2048.p8.der");
const RSA_1024: &str = include_str!("keys/rsa_1024.pem");

/// The running provider.
pub struct HostileProvider {
    pub base: String,
    house: Arc<House>,
    handle: actix_web::dev::ServerHandle,
}

struct House {
    base: Mutex<String>,
    p256: EcdsaKeyPair,
    p256_next: EcdsaKeyPair,
    p256_foreign: EcdsaKeyPair,
    p384: EcdsaKeyPair,
    ed: Ed25519KeyPair,
    rsa: RsaKeyPair,
    codes: Mutex<HashMap<String, Grant>>,
    asked: Mutex<HashMap<(String, &'static str), usize>>,
    rotated: Mutex<bool>,
    scripts: Mutex<HashMap<String, Script>>,
}

/// What a code was given for.
#[derive(Clone)]
struct Grant {
    nonce: String,
    challenge: String,
    redirect_uri: String,
}

impl HostileProvider {
    /// Starts one on a free port.
    pub async fn start() -> Self {
        let random = SystemRandom::new();
        let p256 = || {
            let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap()
        };
        let p384 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &random).unwrap();
        let house = Arc::new(House {
            base: Mutex::default(),
            p256: p256(),
            p256_next: p256(),
            p256_foreign: p256(),
            p384: EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, p384.as_ref(), &random).unwrap(),
            ed: Ed25519KeyPair::from_pkcs8(Ed25519KeyPair::generate_pkcs8(&random).unwrap().as_ref()).unwrap(),
            rsa: RsaKeyPair::from_pkcs8(RSA_2048).unwrap(),
            codes: Mutex::default(),
            asked: Mutex::default(),
            rotated: Mutex::new(false),
            scripts: Mutex::default(),
        });
        let data = web::Data::from(Arc::clone(&house));
        let server = HttpServer::new(move || {
            App::new()
                .app_data(data.clone())
                .route("/{mode}/.well-known/openid-configuration", web::get().to(discovery))
                .route("/{mode}/authorize", web::get().to(authorize))
                .route("/{mode}/token", web::post().to(token))
                .route("/{mode}/keys", web::get().to(keys))
                .route("/{mode}/userinfo", web::get().to(userinfo))
                .route("/{mode}/trap", web::to(trap))
        })
        .workers(1)
        .disable_signals()
        .bind(("127.0.0.1", 0))
        .unwrap();
        let base = format!("http://{}", server.addrs()[0]);
        base.clone_into(&mut house.base.lock().unwrap());
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { base, house, handle }
    }

    /// The issuer of a mode.
    pub fn issuer(&self, mode: &str) -> String {
        format!("{}/{mode}", self.base)
    }

    /// How often an endpoint of a mode was asked.
    pub fn asked(&self, mode: &str, endpoint: &'static str) -> usize {
        self.house.asked.lock().unwrap().get(&(mode.to_owned(), endpoint)).copied().unwrap_or(0)
    }

    /// From now on the mode follows this script.
    pub fn follow(&self, mode: &str, script: Script) {
        self.house.scripts.lock().unwrap().insert(mode.to_owned(), script);
    }

    /// Replaces the signing key of the mode `rotate`.
    pub fn rotate(&self) {
        *self.house.rotated.lock().unwrap() = true;
    }

    /// Ends it.
    pub async fn stop(&self) {
        self.handle.stop(false).await;
    }
}

impl House {
    fn note(&self, mode: &str, endpoint: &'static str) {
        *self.asked.lock().unwrap().entry((mode.to_owned(), endpoint)).or_default() += 1;
    }

    fn issuer(&self, mode: &str) -> String {
        format!("{}/{mode}", self.base.lock().unwrap())
    }

    fn script(&self, mode: &str) -> Script {
        self.scripts.lock().unwrap().get(mode).cloned().unwrap_or_default()
    }

    /// Waits as long as the script has the endpoint wait; whether the endpoint then fails.
    async fn act(&self, mode: &str, endpoint: &'static str) -> bool {
        let script = self.script(mode);
        for (slow, time) in script.slow {
            if slow == endpoint {
                tokio::time::sleep(time).await;
            }
        }
        script.broken.contains(&endpoint)
    }

    fn current(&self) -> (&EcdsaKeyPair, &'static str) {
        if *self.rotated.lock().unwrap() { (&self.p256_next, "two") } else { (&self.p256, "one") }
    }
}

type Modes = web::Path<String>;

async fn discovery(house: web::Data<House>, mode: Modes) -> HttpResponse {
    house.note(&mode, "discovery");
    if house.act(&mode, "discovery").await {
        return HttpResponse::InternalServerError().finish();
    }
    let issuer = house.issuer(&mode);
    let mut document = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize?kept=yes"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"),
        "userinfo_endpoint": format!("{issuer}/userinfo"),
        "response_types_supported": ["code", "code id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "PS256", "ES256", "ES384", "EdDSA", "HS256", "none"],
    });
    let mut set = |name: &str, value: Value| document[name] = value;
    match mode.as_str() {
        "disc_iss_mismatch" => set("issuer", json!("http://127.0.0.1/other")),
        "disc_iss_slash" => set("issuer", json!(format!("{issuer}/"))),
        "disc_no_code" => set("response_types_supported", json!(["id_token"])),
        "disc_only_hs256" => set("id_token_signing_alg_values_supported", json!(["HS256", "none"])),
        "disc_plain_http" => set("token_endpoint", json!("http://login.example.com/token")),
        "disc_ssrf_keys" => set("jwks_uri", json!("https://169.254.169.254/latest/meta-data")),
        "disc_ssrf_token" => set("token_endpoint", json!("https://[fd00::1]/token")),
        "disc_ssrf_userinfo" => set("userinfo_endpoint", json!("https://10.0.0.1/userinfo")),
        "disc_file" => set("jwks_uri", json!("file:///etc/passwd")),
        "disc_huge" => set("padding", json!("x".repeat(300 * 1024))),
        "disc_no_keys" => set("jwks_uri", Value::Null),
        "resp_iss_ok" | "resp_iss_missing" | "resp_iss_wrong" => {
            set("authorization_response_iss_parameter_supported", json!(true));
        }
        "disc_redirect" => {
            return HttpResponse::Found().insert_header(("Location", format!("{issuer}/trap"))).finish();
        }
        "disc_500" => return HttpResponse::InternalServerError().body("no"),
        "disc_html" => return HttpResponse::Ok().content_type("text/html").body("<html>"),
        "disc_twice" => {
            let text = document.to_string().replacen('{', r#"{"issuer":"http://127.0.0.1/first","#, 1);
            return HttpResponse::Ok().content_type("application/json").body(text);
        }
        "disc_hang" => tokio::time::sleep(Duration::from_secs(20)).await,
        "disc_drip" => return drip(),
        _ => {}
    }
    HttpResponse::Ok().json(document)
}

/// One byte a second, for ever.
fn drip() -> HttpResponse {
    let bytes = futures_util::stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Some((Ok::<_, actix_web::Error>(web::Bytes::from_static(b" ")), ()))
    });
    HttpResponse::Ok().content_type("application/json").streaming(Box::pin(bytes))
}

async fn authorize(house: web::Data<House>, mode: Modes, request: HttpRequest) -> HttpResponse {
    house.note(&mode, "authorize");
    let query: HashMap<String, String> =
        url::form_urlencoded::parse(request.query_string().as_bytes()).into_owned().collect();
    let ask = |name: &str| query.get(name).cloned().unwrap_or_default();
    let shaped = ask("response_type") == "code"
        && ask("client_id") == CLIENT
        && ask("code_challenge_method") == "S256"
        && ask("code_challenge").len() == 43
        && ask("nonce").len() >= 22
        && ask("kept") == "yes"
        && ask("scope").split(' ').any(|scope| scope == "openid");
    if !shaped {
        return HttpResponse::BadRequest().body("the request is not what it should be");
    }
    let code = URL_SAFE_NO_PAD.encode(ring::rand::generate::<[u8; 24]>(&SystemRandom::new()).unwrap().expose());
    let grant = Grant { nonce: ask("nonce"), challenge: ask("code_challenge"), redirect_uri: ask("redirect_uri") };
    house.codes.lock().unwrap().insert(code.clone(), grant);
    let state = ask("state");
    let issuer = house.issuer(&mode);
    let answer: Vec<(&str, &str)> = match mode.as_str() {
        "state_wrong" => vec![("code", &code), ("state", "AAAA")],
        "state_missing" => vec![("code", &code)],
        "resp_iss_ok" => vec![("code", &code), ("state", &state), ("iss", &issuer)],
        "resp_iss_wrong" | "resp_iss_unadvertised_wrong" => {
            vec![("code", &code), ("state", &state), ("iss", "https://honest.example")]
        }
        "error_and_code" => vec![("code", &code), ("state", &state), ("error", "access_denied")],
        "error" => vec![("error", "access_denied"), ("error_description", "<b>no</b>"), ("state", &state)],
        "code_twice" => vec![("code", &code), ("code", "other"), ("state", &state)],
        "code_empty" => vec![("code", ""), ("state", &state)],
        "code_huge" => {
            let huge = "c".repeat(10_000);
            return redirect(&ask("redirect_uri"), &[("code", &huge), ("state", &state)]);
        }
        _ => vec![("code", &code), ("state", &state)],
    };
    redirect(&ask("redirect_uri"), &answer)
}

fn redirect(to: &str, query: &[(&str, &str)]) -> HttpResponse {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    HttpResponse::Found().insert_header(("Location", format!("{to}?{query}"))).finish()
}

async fn trap(house: web::Data<House>, mode: Modes) -> HttpResponse {
    house.note(&mode, "trap");
    HttpResponse::Ok().json(json!({}))
}

async fn token(house: web::Data<House>, mode: Modes, request: HttpRequest, body: String) -> HttpResponse {
    house.note(&mode, "token");
    if house.act(&mode, "token").await {
        return HttpResponse::InternalServerError().finish();
    }
    let form: HashMap<String, String> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    if let Err(error) = authenticate(&request, &form, mode.as_str()) {
        return HttpResponse::Unauthorized().json(json!({"error": "invalid_client", "error_description": error}));
    }
    let Some(grant) = form.get("code").and_then(|code| house.codes.lock().unwrap().remove(code)) else {
        return HttpResponse::BadRequest().json(json!({"error": "invalid_grant"}));
    };
    let verifier = form.get("code_verifier").map(String::as_str).unwrap_or_default();
    let digest = ring::digest::digest(&ring::digest::SHA256, verifier.as_bytes());
    let proven = URL_SAFE_NO_PAD.encode(digest) == grant.challenge
        && form.get("redirect_uri") == Some(&grant.redirect_uri)
        && form.get("grant_type").map(String::as_str) == Some("authorization_code");
    if !proven {
        return HttpResponse::BadRequest().json(json!({"error": "invalid_grant"}));
    }
    let id_token = mint(&house, &mode, &grant.nonce);
    let mut answer = json!({
        "access_token": "access-1", "token_type": "Bearer", "expires_in": 60, "id_token": id_token,
        "scope": "openid", "unknown": {"member": 1},
    });
    match mode.as_str() {
        "ok_token_type_case" => answer["token_type"] = json!("bEARER"),
        "token_type_mac" => answer["token_type"] = json!("mac"),
        "token_no_id_token" => drop(answer.as_object_mut().unwrap().remove("id_token")),
        "token_huge" => answer["padding"] = json!("x".repeat(600 * 1024)),
        "token_html" => return HttpResponse::Ok().content_type("text/html").body("<html>"),
        "token_500" => return HttpResponse::InternalServerError().body("access-1"),
        "token_invalid_client" => return HttpResponse::Unauthorized().json(json!({"error": "invalid_client"})),
        "token_invalid_grant" => return HttpResponse::BadRequest().json(json!({"error": "invalid_grant"})),
        "token_redirect" => {
            let place = format!("{}/trap", house.issuer(&mode));
            return HttpResponse::TemporaryRedirect().insert_header(("Location", place)).finish();
        }
        "token_hang" => tokio::time::sleep(Duration::from_secs(20)).await,
        "token_twice" => {
            let text = answer.to_string().replacen('{', &format!(r#"{{"id_token":"{id_token}","#), 1);
            return HttpResponse::Ok().content_type("application/json").body(text);
        }
        _ => {}
    }
    HttpResponse::Ok().json(answer)
}

/// Basic with form-encoded parts; in mode `ok_post` in the form, in `ok_public` PKCE alone.
fn authenticate(request: &HttpRequest, form: &HashMap<String, String>, mode: &str) -> Result<(), &'static str> {
    let header = request.headers().get("Authorization").and_then(|value| value.to_str().ok());
    let id = form.get("client_id").map(String::as_str);
    let secret = form.get("client_secret").map(String::as_str);
    let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let basic = format!("Basic {}", STANDARD.encode(format!("{}:{}", encode(CLIENT), encode(SECRET))));
    let right = match mode {
        "ok_post" => header.is_none() && id == Some(CLIENT) && secret == Some(SECRET),
        mode if mode == "ok_public" || mode.starts_with("script") => {
            header.is_none() && id == Some(CLIENT) && secret.is_none()
        }
        _ => header == Some(basic.as_str()) && secret.is_none(),
    };
    if right { Ok(()) } else { Err("not this client") }
}

async fn userinfo(house: web::Data<House>, mode: Modes, request: HttpRequest) -> HttpResponse {
    house.note(&mode, "userinfo");
    if house.act(&mode, "userinfo").await {
        return HttpResponse::InternalServerError().finish();
    }
    if request.headers().get("Authorization").is_none_or(|value| value != "Bearer access-1") {
        return HttpResponse::Unauthorized().finish();
    }
    let mut answer = json!({"sub": SUBJECT, "employee_id": "E-1", "iss": "https://evil.example"});
    match mode.as_str() {
        "ui_sub_mismatch" => answer["sub"] = json!("subject-2"),
        "ui_sub_missing" => drop(answer.as_object_mut().unwrap().remove("sub")),
        "ui_html" => return HttpResponse::Ok().content_type("text/html").body("<html>"),
        "ui_hang" => tokio::time::sleep(Duration::from_secs(20)).await,
        "ui_redirect" => {
            let place = format!("{}/trap", house.issuer(&mode));
            return HttpResponse::Found().insert_header(("Location", place)).finish();
        }
        _ => {}
    }
    if mode.starts_with("script") {
        let script = house.script(&mode);
        let subject = script.claims.get("sub").cloned().unwrap_or_else(|| json!(SUBJECT));
        let mut said = json!({"sub": subject});
        said.as_object_mut().unwrap().extend(script.userinfo);
        if script.signed {
            let text = sign(&house, "ok", &said.to_string());
            return HttpResponse::Ok().content_type("application/jwt").body(text);
        }
        return HttpResponse::Ok().json(said);
    }
    HttpResponse::Ok().json(answer)
}

async fn keys(house: web::Data<House>, mode: Modes) -> HttpResponse {
    house.note(&mode, "keys");
    if house.act(&mode, "keys").await {
        return HttpResponse::InternalServerError().finish();
    }
    let p256 = ec_jwk(&house.p256, "P-256", 32, "one");
    let other = ec_jwk(&house.p256_next, "P-256", 32, "two");
    let keys = match mode.as_str() {
        "rotate" => {
            let (key, kid) = house.current();
            vec![ec_jwk(key, "P-256", 32, kid)]
        }
        "ok_rs256" | "ok_ps256" | "sig_bad_rs256" | "hs256_public_key" => vec![rsa_jwk(&house.rsa, "rsa")],
        "ok_es384" => vec![ec_jwk(&house.p384, "P-384", 48, "p384")],
        "ok_eddsa" => {
            let x = URL_SAFE_NO_PAD.encode(house.ed.public_key());
            vec![json!({"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": x})]
        }
        "ok_odd_keys" => vec![json!({"kty": "future", "x": 1}), json!(7), json!({"kty": "RSA"}), p256],
        "kid_absent_multi" => vec![p256, other],
        "kid_twice" => vec![p256.clone(), with(other, "kid", json!("one"))],
        "use_enc" => vec![with(p256, "use", json!("enc"))],
        "key_for_other_alg" => vec![with(p256, "alg", json!("ES384"))],
        "rsa_1024" => vec![serde_json::to_value(small_rsa().as_verification_key()).unwrap()],
        "rsa_e_1" => vec![with(rsa_jwk(&house.rsa, "rsa"), "e", json!("AQ"))],
        "symmetric_key" => {
            vec![json!({"kty": "oct", "kid": "sym", "k": URL_SAFE_NO_PAD.encode("symmetric")}), p256]
        }
        "keys_none" => vec![],
        "keys_many" => vec![p256; 101],
        "keys_huge" => vec![p256, json!({"kty": "future", "padding": "x".repeat(600 * 1024)})],
        "keys_hang" => {
            tokio::time::sleep(Duration::from_secs(20)).await;
            vec![p256]
        }
        "keys_html" => return HttpResponse::Ok().body("<html>"),
        _ => vec![p256],
    };
    HttpResponse::Ok().json(json!({"keys": keys}))
}

fn with(mut value: Value, name: &str, set: Value) -> Value {
    value[name] = set;
    value
}

fn ec_jwk(key: &EcdsaKeyPair, curve: &str, width: usize, kid: &str) -> Value {
    let point = key.public_key().as_ref();
    let (x, y) = point[1..].split_at(width);
    json!({"kty": "EC", "crv": curve, "kid": kid, "use": "sig", "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y)})
}

fn rsa_jwk(key: &RsaKeyPair, kid: &str) -> Value {
    let public = ring::rsa::PublicKeyComponents::<Vec<u8>>::from(key.public());
    json!({"kty": "RSA", "kid": kid, "n": URL_SAFE_NO_PAD.encode(public.n), "e": URL_SAFE_NO_PAD.encode(public.e)})
}

fn small_rsa() -> CoreRsaPrivateSigningKey {
    CoreRsaPrivateSigningKey::from_pem(RSA_1024, Some(openidconnect::JsonWebKeyId::new("small".to_owned()))).unwrap()
}

/// The ID token of a mode.
fn mint(house: &House, mode: &str, nonce: &str) -> String {
    let now = jiff_seconds();
    let mut claims = json!({
        "iss": house.issuer(mode), "sub": SUBJECT, "aud": CLIENT, "nonce": nonce,
        "iat": now, "exp": now + 300, "auth_time": now - 10, "acr": "gold",
        "at_hash": at_hash("access-1"), "email": "ada@example.com", "email_verified": true, "name": "Ada",
        "given_name": "Ada", "family_name": "King",
    });
    let mut set = |name: &str, value: Value| claims[name] = value;
    match mode {
        "iss_wrong" => set("iss", json!("https://honest.example")),
        "iss_slash" => set("iss", json!(format!("{}/", house.issuer(mode)))),
        "aud_wrong" => set("aud", json!("someone-else")),
        "aud_empty" => set("aud", json!([])),
        "aud_extra" => set("aud", json!([CLIENT, "someone-else"])),
        "ok_aud_list" => set("aud", json!([CLIENT])),
        "azp_other" => set("azp", json!("someone-else")),
        "azp_odd" => set("azp", json!(7)),
        "ok_azp" => set("azp", json!(CLIENT)),
        "sub_empty" => set("sub", json!("")),
        "sub_blank" => set("sub", json!("  ")),
        "sub_long" => set("sub", json!("s".repeat(256))),
        "sub_number" => set("sub", json!(1)),
        "sub_control" => set("sub", json!("a\u{0}b")),
        "exp_past" => set("exp", json!(now - 61)),
        "ok_skew_expired_20s" => set("exp", json!(now - 20)),
        "exp_text" => set("exp", json!("tomorrow")),
        "iat_future" => set("iat", json!(now + 120)),
        "iat_old" => set("iat", json!(now - 3_600)),
        "nbf_future" => set("nbf", json!(now + 120)),
        "nbf_text" => set("nbf", json!("now")),
        "ok_nbf" => set("nbf", json!(now)),
        "nonce_wrong" => set("nonce", json!("another")),
        "at_hash_wrong" => set("at_hash", json!(at_hash("access-2"))),
        "auth_time_old" => set("auth_time", json!(now - 3_600)),
        "auth_time_future" => set("auth_time", json!(now + 3_600)),
        "acr_low" => set("acr", json!("bronze")),
        "email_number" => set("email", json!(7)),
        _ => {}
    }
    let gone = match mode {
        "iss_missing" => "iss",
        "aud_missing" => "aud",
        "sub_missing" => "sub",
        "exp_missing" => "exp",
        "iat_missing" => "iat",
        "nonce_missing" => "nonce",
        "auth_time_missing" => "auth_time",
        "acr_missing" => "acr",
        "ok_at_hash_absent" => "at_hash",
        _ => "",
    };
    claims.as_object_mut().unwrap().remove(gone);
    if mode.starts_with("script") {
        let script = house.script(mode);
        let all = claims.as_object_mut().unwrap();
        all.retain(|name, _| !script.without.contains(&name.as_str()));
        all.extend(script.claims);
    }
    let payload = match mode {
        "groups_twice" => claims.to_string().replacen('{', r#"{"groups":["everyone"],"groups":["root"],"#, 1),
        "sub_twice" => claims.to_string().replacen('{', r#"{"sub":"subject-2","#, 1),
        "payload_list" => "[]".to_owned(),
        _ => claims.to_string(),
    };
    sign(house, mode, &payload)
}

#[allow(clippy::disallowed_methods, reason = "a provider has a clock of its own")]
fn jiff_seconds() -> i64 {
    jiff::Timestamp::now().as_second()
}

fn at_hash(access_token: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, access_token.as_bytes());
    URL_SAFE_NO_PAD.encode(&digest.as_ref()[..16])
}

/// Signs as the mode does it.
fn sign(house: &House, mode: &str, payload: &str) -> String {
    let random = SystemRandom::new();
    let ec = |key: &EcdsaKeyPair, text: &str| key.sign(&random, text.as_bytes()).unwrap().as_ref().to_vec();
    let p256 = |text: &str| ec(&house.p256, text);
    let hmac = |secret: &[u8], text: &str| {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
        ring::hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
    };
    let header = |alg: &str, kid: &str| json!({"alg": alg, "kid": kid, "typ": "JWT"});
    let plain = header("ES256", "one");
    let rsa = |padding: &'static dyn ring::signature::RsaEncoding, text: &str| {
        let mut signature = vec![0; house.rsa.public().modulus_len()];
        house.rsa.sign(padding, &random, text.as_bytes(), &mut signature).unwrap();
        signature
    };
    match mode {
        "rotate" => {
            let (key, kid) = house.current();
            jws(&header("ES256", kid), payload, |text| ec(key, text))
        }
        "alg_none" => jws(&json!({"alg": "none"}), payload, |_| Vec::new()),
        "alg_none_odd" => jws(&json!({"alg": "nOnE", "kid": "one"}), payload, |_| Vec::new()),
        "alg_none_signed" => jws(&json!({"alg": "none", "kid": "one"}), payload, p256),
        "alg_unknown" => jws(&header("XX999", "one"), payload, p256),
        "hs256_secret_advertised" => jws(&json!({"alg": "HS256"}), payload, |text| hmac(SECRET.as_bytes(), text)),
        "hs256_public_key" => {
            let public = house.rsa.public().as_ref().to_vec();
            jws(&header("HS256", "rsa"), payload, |text| hmac(&public, text))
        }
        "symmetric_key" => jws(&header("HS256", "sym"), payload, |text| hmac(b"symmetric", text)),
        "sig_bad_es256" => jws(&plain, payload, |text| {
            let mut signature = p256(text);
            signature[10] ^= 1;
            signature
        }),
        "sig_empty" => jws(&plain, payload, |_| Vec::new()),
        "sig_foreign" => jws(&plain, payload, |text| ec(&house.p256_foreign, text)),
        "sig_key_in_header" => {
            let mut own = plain;
            own["jwk"] = ec_jwk(&house.p256_foreign, "P-256", 32, "one");
            jws(&own, payload, |text| ec(&house.p256_foreign, text))
        }
        "sig_key_url_in_header" => {
            let mut own = header("ES256", "three");
            own["jku"] = json!(format!("{}/trap", house.issuer(mode)));
            jws(&own, payload, |text| ec(&house.p256_foreign, text))
        }
        "kid_unknown" => jws(&header("ES256", "nobody"), payload, p256),
        "kid_absent_multi" | "ok_kid_absent_single" => jws(&json!({"alg": "ES256"}), payload, p256),
        "crit" => jws(&json!({"alg": "ES256", "kid": "one", "crit": ["exp"]}), payload, p256),
        "typ_at_jwt" => jws(&json!({"alg": "ES256", "kid": "one", "typ": "at+jwt"}), payload, p256),
        "cty_jwt" => jws(&json!({"alg": "ES256", "kid": "one", "cty": "JWT"}), payload, p256),
        "header_twice" => {
            let text = r#"{"alg":"none","alg":"ES256","kid":"one"}"#;
            compact(text, payload, p256)
        }
        "ok_rs256" => jws(&header("RS256", "rsa"), payload, |text| rsa(&RSA_PKCS1_SHA256, text)),
        "ok_ps256" => jws(&header("PS256", "rsa"), payload, |text| rsa(&RSA_PSS_SHA256, text)),
        "sig_bad_rs256" => jws(&header("RS256", "rsa"), payload, |text| rsa(&RSA_PKCS1_SHA256, &format!("{text}x"))),
        "rsa_1024" => jws(&header("RS256", "small"), payload, |text| {
            small_rsa().sign(&CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256, text.as_bytes()).unwrap()
        }),
        "ok_es384" => jws(&header("ES384", "p384"), &without_at_hash(payload), |text| ec(&house.p384, text)),
        "ok_eddsa" => jws(&header("EdDSA", "ed"), &without_at_hash(payload), |text| {
            house.ed.sign(text.as_bytes()).as_ref().to_vec()
        }),
        "not_a_jwt" => "not.a.jwt".to_owned(),
        "five_parts" => format!("{}..", jws(&plain, payload, p256)),
        "token_long" => jws(&with(plain, "padding", json!("x".repeat(70_000))), payload, p256),
        _ => jws(&plain, payload, p256),
    }
}

fn without_at_hash(payload: &str) -> String {
    let mut claims: Map<String, Value> = serde_json::from_str(payload).unwrap();
    claims.remove("at_hash");
    Value::Object(claims).to_string()
}

fn jws(header: &Value, payload: &str, sign: impl FnOnce(&str) -> Vec<u8>) -> String {
    compact(&header.to_string(), payload, sign)
}

fn compact(header: &str, payload: &str, sign: impl FnOnce(&str) -> Vec<u8>) -> String {
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = URL_SAFE_NO_PAD.encode(sign(&text));
    format!("{text}.{signature}")
}
