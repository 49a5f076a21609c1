//! The one place that decides whether an ID token is to be believed (OpenID Connect Core 1.0 §3.1.3.7), and a signed
//! answer of userinfo (§5.3.2).
//!
//! Only what is checked may refuse, each check with a code of its own; claims that nobody uses are not looked at, whatever
//! they hold. The client secret is never a key here, so that a token signed with it never passes.
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;
use serde_json::Value;

pub use super::jws::VerifyError;

use super::claims::Claims;
use super::error::LoginError;
use super::jwks::Keys;
use super::jws::{Jws, Profile};
use crate::domain::time::Timestamp;

/// The largest ID token or signed answer, in bytes.
const MOST_BYTES: usize = 64 * 1024;
/// OpenID Connect Core 1.0 §2: `sub` has at most 255 characters.
const LONGEST_SUBJECT: usize = 255;

static ID_TOKEN: Profile = Profile {
    most: MOST_BYTES,
    size: "id_token.size",
    form: "id_token.form",
    critical: "id_token.crit",
    algorithm: "id_token.algorithm",
    key: "id_token.key",
    signature: "id_token.signature",
    one_key: true,
};

static USERINFO: Profile = Profile {
    most: MOST_BYTES,
    size: "userinfo.size",
    form: "userinfo.form",
    critical: "userinfo.crit",
    algorithm: "userinfo.algorithm",
    key: "userinfo.key",
    signature: "userinfo.signature",
    one_key: true,
};

/// What the token must say.
pub struct Expected<'a> {
    /// The issuer of the connection, exactly.
    pub issuer: &'a str,
    /// Our client id there.
    pub client: &'a str,
    /// Who else the token may be meant for, by the connection's settings.
    pub audiences: &'a [String],
    /// The nonce of the attempt.
    pub nonce: &'a str,
    /// The access token that came with it.
    pub access_token: &'a str,
    /// The algorithms both sides accept.
    pub algorithms: &'a [&'static str],
    /// The present.
    pub now: Timestamp,
    /// When the attempt began: a token issued before it was not made for it.
    pub since: Timestamp,
    /// How far the clocks may differ, in seconds.
    pub skew: i64,
    /// The longest time since the user proved who they are, in seconds, if we asked.
    pub max_age: Option<i64>,
    /// The authentication contexts that will do, if we asked.
    pub contexts: &'a [String],
}

/// The claims of `token`, if every check holds.
///
/// # Errors
/// [`VerifyError`].
pub fn id_token(token: &str, keys: &Keys, expected: &Expected<'_>) -> Result<Claims, VerifyError> {
    let token = Jws::read(token, &ID_TOKEN)?;
    kind(&token)?;
    let algorithm = token.signed_by(keys, expected.algorithms)?;
    let claims = token.into_claims();
    issuer(&claims, expected)?;
    subject(&claims)?;
    audience(&claims, expected)?;
    moments(&claims, expected)?;
    nonce(&claims, expected)?;
    access_token(&claims, algorithm, expected)?;
    authentication(&claims, expected)?;
    Ok(claims)
}

/// The claims of a signed answer of userinfo: from our provider and for us, where it says from and for whom it is.
///
/// # Errors
/// [`VerifyError`].
pub fn userinfo(text: &str, keys: &Keys, expected: &Expected<'_>) -> Result<Claims, VerifyError> {
    let token = Jws::read(text, &USERINFO)?;
    token.signed_by(keys, expected.algorithms)?;
    let claims = token.into_claims();
    if claims.get("iss").is_some_and(|issuer| issuer != expected.issuer) {
        return Err(LoginError::untrusted("userinfo.iss", "another provider says it").into());
    }
    let ours = |one: &Value| one == expected.client;
    if claims.get("aud").is_some_and(|aud| !ours(aud) && !aud.as_array().is_some_and(|all| all.iter().any(ours))) {
        return Err(LoginError::untrusted("userinfo.aud", "it is meant for somebody else").into());
    }
    Ok(claims)
}

/// A token that says it is of another kind is none (RFC 8725 §3.11): an access token or a notice of a logout is signed by
/// the same keys.
fn kind(token: &Jws<'_>) -> Result<(), LoginError> {
    let plain = |text: &str| {
        let text = text.to_ascii_lowercase();
        text.strip_prefix("application/").unwrap_or(&text) == "jwt"
    };
    if token.header("typ").is_some_and(|typ| !typ.as_str().is_some_and(plain)) {
        return Err(LoginError::untrusted("id_token.typ", "`typ` says that it is a token of another kind"));
    }
    if token.header("cty").is_some_and(|cty| cty.as_str().is_none_or(plain)) {
        return Err(LoginError::untrusted("id_token.cty", "`cty` says that there is another token inside"));
    }
    Ok(())
}

fn issuer(claims: &Claims, expected: &Expected<'_>) -> Result<(), LoginError> {
    match claims.text("iss") {
        Some(issuer) if issuer == expected.issuer => Ok(()),
        Some(_) => Err(LoginError::untrusted("id_token.iss", "another provider issued it")),
        None => Err(LoginError::untrusted("id_token.iss", "missing, or not a text")),
    }
}

fn subject(claims: &Claims) -> Result<(), LoginError> {
    let subject = claims.text("sub").unwrap_or_default();
    if subject.trim().is_empty() || subject.len() > LONGEST_SUBJECT || subject.chars().any(char::is_control) {
        let detail = "missing, empty, longer than 255 characters, or not plain text";
        return Err(LoginError::untrusted("id_token.sub", detail));
    }
    Ok(())
}

/// §3.1.3.7, steps 3 to 5: it is meant for us, for nobody beside us whom the settings do not name, and then it says that
/// it was made for us.
fn audience(claims: &Claims, expected: &Expected<'_>) -> Result<(), LoginError> {
    let wrong = |detail: &str| Err(LoginError::untrusted("id_token.aud", detail));
    let one;
    let all: &[Value] = match claims.get("aud") {
        Some(Value::Array(all)) => all,
        Some(text @ Value::String(_)) => {
            one = [text.clone()];
            &one
        }
        _ => return wrong("missing, or neither a text nor a list"),
    };
    if !all.iter().any(|audience| audience == expected.client) {
        return wrong("it does not name our client id");
    }
    let allowed = |audience: &Value| expected.audiences.iter().any(|known| audience == known.as_str());
    let mut others = all.iter().filter(|audience| *audience != expected.client).peekable();
    let several = others.peek().is_some();
    if let Some(other) = others.find(|audience| !allowed(audience)) {
        let name = other.as_str().unwrap_or("something that is not a text");
        return wrong(&format!("it is meant for {name:?} too; `audiences` in the settings may name it"));
    }
    match claims.get("azp") {
        Some(party) if party != expected.client => {
            Err(LoginError::untrusted("id_token.azp", "it was made for another client"))
        }
        None if several => {
            let detail = "it is meant for several and does not say which of them it was made for";
            Err(LoginError::untrusted("id_token.azp", detail))
        }
        _ => Ok(()),
    }
}

fn moments(claims: &Claims, expected: &Expected<'_>) -> Result<(), LoginError> {
    let soon = expected.now.seconds().saturating_add(expected.skew);
    let late = expected.now.seconds().saturating_sub(expected.skew);
    let missing = |code| LoginError::untrusted(code, "missing, or not a number of seconds");
    let end = claims.seconds("exp").ok_or_else(|| missing("id_token.exp"))?;
    if end <= late {
        return Err(LoginError::untrusted("id_token.exp", "it has ended; is the provider's clock right?"));
    }
    let issued = claims.seconds("iat").ok_or_else(|| missing("id_token.iat"))?;
    if issued > soon {
        return Err(LoginError::untrusted("id_token.iat", "issued in the future; is the provider's clock right?"));
    }
    if issued < expected.since.seconds().saturating_sub(expected.skew) {
        return Err(LoginError::untrusted(
            "id_token.iat",
            "issued before this sign-in began; is the provider's clock right?",
        ));
    }
    match (claims.get("nbf"), claims.seconds("nbf")) {
        (None, _) => Ok(()),
        (Some(_), Some(begin)) if begin <= soon => Ok(()),
        _ => Err(LoginError::untrusted("id_token.nbf", "not valid yet, or not a number of seconds")),
    }
}

fn nonce(claims: &Claims, expected: &Expected<'_>) -> Result<(), LoginError> {
    match claims.text("nonce") {
        Some(nonce) if nonce == expected.nonce => Ok(()),
        _ => Err(LoginError::untrusted("id_token.nonce", "missing, or not that of this sign-in")),
    }
}

/// The hash of the access token that came with it, where it is told (§3.1.3.6).
fn access_token(claims: &Claims, algorithm: &str, expected: &Expected<'_>) -> Result<(), LoginError> {
    let Some(said) = claims.get("at_hash") else { return Ok(()) };
    let by = match algorithm {
        "ES384" => &digest::SHA384,
        // Ed25519 hashes with SHA-512 itself (RFC 8032 §5.1).
        "EdDSA" => &digest::SHA512,
        _ => &digest::SHA256,
    };
    let whole = digest::digest(by, expected.access_token.as_bytes());
    let half = whole.as_ref().get(..whole.as_ref().len() / 2).unwrap_or_default();
    if *said == URL_SAFE_NO_PAD.encode(half) {
        return Ok(());
    }
    Err(LoginError::untrusted("id_token.at_hash", "not the hash of the access token it came with"))
}

fn authentication(claims: &Claims, expected: &Expected<'_>) -> Result<(), LoginError> {
    if let Some(most) = expected.max_age {
        let proved = claims
            .seconds("auth_time")
            .ok_or_else(|| LoginError::untrusted("id_token.auth_time", "asked for, and missing or not a number"))?;
        let age = expected.now.seconds().saturating_sub(proved);
        if age > most.saturating_add(expected.skew) || age < expected.skew.saturating_neg() {
            return Err(LoginError::untrusted("id_token.auth_time", format!("{age} seconds ago, {most} asked for")));
        }
    }
    if !expected.contexts.is_empty() {
        let context = claims.text("acr").unwrap_or_default();
        if !expected.contexts.iter().any(|enough| enough == context) {
            return Err(LoginError::untrusted("id_token.acr", "the asked authentication context was not reached"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_800_000_000;
    const ISSUER: &str = "https://id.example";

    struct Provider {
        pair: EcdsaKeyPair,
        random: SystemRandom,
    }

    impl Provider {
        fn new() -> Self {
            let random = SystemRandom::new();
            let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
            let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
            Self { pair, random }
        }

        fn outcome(&self, claims: &Value, expected: &Expected<'_>) -> String {
            let (x, y) = self.pair.public_key().as_ref()[1..].split_at(32);
            let encode = |part: &[u8]| URL_SAFE_NO_PAD.encode(part);
            let key = json!({"kty": "EC", "crv": "P-256", "kid": "k", "x": encode(x), "y": encode(y)});
            let header = json!({"alg": "ES256", "kid": "k"});
            let signed = format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()));
            let signature = self.pair.sign(&self.random, signed.as_bytes()).unwrap();
            let token = format!("{signed}.{}", encode(signature.as_ref()));
            match id_token(&token, &Keys::inline(&json!({"keys": [key]})).unwrap(), expected) {
                Ok(_) => "believed".to_owned(),
                Err(VerifyError::UnknownKey) => "unknown key".to_owned(),
                Err(VerifyError::Refused(refusal)) => refusal.code.to_owned(),
            }
        }
    }

    fn expected(audiences: &[String]) -> Expected<'_> {
        Expected {
            issuer: ISSUER,
            client: "rp",
            audiences,
            nonce: "n",
            access_token: "access",
            algorithms: &["ES256"],
            now: Timestamp::from_micros(NOW * 1_000_000),
            since: Timestamp::from_micros(NOW * 1_000_000),
            skew: 60,
            max_age: None,
            contexts: &[],
        }
    }

    fn claims(name: &str, value: Value) -> Value {
        let mut claims = json!({"iss": ISSUER, "sub": "s", "aud": "rp", "nonce": "n", "iat": NOW, "exp": NOW + 300});
        claims[name] = value;
        claims
    }

    /// One value of each type of JSON, and some that a type is often mistaken for.
    fn of_each_type() -> Vec<Value> {
        vec![
            json!(null),
            json!(true),
            json!(false),
            json!(7),
            json!(-1.5),
            json!("2026-11-30T16:00:00.000Z"),
            json!(""),
            json!([]),
            json!(["a", 1, null]),
            json!({}),
            json!({"a": {"b": [1]}}),
        ]
    }

    #[test]
    fn a_claim_that_is_not_used_refuses_nobody() {
        let provider = Provider::new();
        for name in [
            "name",
            "given_name",
            "family_name",
            "middle_name",
            "nickname",
            "preferred_username",
            "profile",
            "picture",
            "website",
            "email",
            "email_verified",
            "gender",
            "birthdate",
            "zoneinfo",
            "locale",
            "phone_number",
            "phone_number_verified",
            "address",
            "updated_at",
            "auth_time",
            "acr",
            "amr",
            "c_hash",
            "s_hash",
            "jti",
            "sid",
            "sub_jwk",
            "_claim_names",
            "_claim_sources",
            "groups",
            "roles",
            "oid",
            "tid",
            "ver",
            "typ",
            "cnf",
            "events",
            "name#ja",
            "https://a.example/x",
        ] {
            for value in of_each_type() {
                assert_eq!(
                    provider.outcome(&claims(name, value.clone()), &expected(&[])),
                    "believed",
                    "{name}: {value}"
                );
            }
        }
    }

    #[test]
    fn each_claim_that_is_checked_refuses_under_its_own_name() {
        let provider = Provider::new();
        for value in of_each_type() {
            for (name, code) in [
                ("iss", "id_token.iss"),
                ("aud", "id_token.aud"),
                ("exp", "id_token.exp"),
                ("iat", "id_token.iat"),
                ("nonce", "id_token.nonce"),
            ] {
                assert_eq!(provider.outcome(&claims(name, value.clone()), &expected(&[])), code, "{name}: {value}");
            }
            let subject = if value.as_str().is_some_and(|text| !text.is_empty()) { "believed" } else { "id_token.sub" };
            assert_eq!(provider.outcome(&claims("sub", value.clone()), &expected(&[])), subject, "{value}");
            for (name, code) in [("azp", "id_token.azp"), ("at_hash", "id_token.at_hash")] {
                // What is null is not said.
                let code = if value.is_null() { "believed" } else { code };
                assert_eq!(provider.outcome(&claims(name, value.clone()), &expected(&[])), code, "{name}: {value}");
            }
            let begun = if value.is_null() || value.is_number() { "believed" } else { "id_token.nbf" };
            assert_eq!(provider.outcome(&claims("nbf", value.clone()), &expected(&[])), begun, "{value}");
            let asked = Expected { max_age: Some(60), ..expected(&[]) };
            assert_eq!(provider.outcome(&claims("auth_time", value.clone()), &asked), "id_token.auth_time", "{value}");
            let gold = ["gold".to_owned()];
            let asked = Expected { contexts: &gold, ..expected(&[]) };
            assert_eq!(provider.outcome(&claims("acr", value.clone()), &asked), "id_token.acr", "{value}");
        }
        let at_hash = URL_SAFE_NO_PAD.encode(&digest::digest(&digest::SHA256, b"access").as_ref()[..16]);
        assert_eq!(provider.outcome(&claims("at_hash", json!(at_hash)), &expected(&[])), "believed");
        assert_eq!(provider.outcome(&claims("exp", json!(NOW as f64 + 0.5)), &expected(&[])), "believed");
    }

    #[test]
    fn further_audiences_are_for_the_settings_to_allow() {
        let provider = Provider::new();
        let allowed = ["p-1".to_owned(), "p-2".to_owned()];
        let absent = Value::Null;
        for (aud, azp, without, with) in [
            (json!("rp"), absent.clone(), "believed", "believed"),
            (json!(["rp"]), absent.clone(), "believed", "believed"),
            (json!(["rp", "rp"]), absent.clone(), "believed", "believed"),
            (json!("rp"), json!("rp"), "believed", "believed"),
            (json!("rp"), json!("p-1"), "id_token.azp", "id_token.azp"),
            (json!(["rp", "p-1"]), json!("rp"), "id_token.aud", "believed"),
            (json!(["p-2", "rp", "p-1"]), json!("rp"), "id_token.aud", "believed"),
            (json!(["rp", "p-1"]), absent.clone(), "id_token.aud", "id_token.azp"),
            (json!(["rp", "p-1"]), json!("p-1"), "id_token.aud", "id_token.azp"),
            (json!(["rp", "p-1"]), json!(["rp"]), "id_token.aud", "id_token.azp"),
            (json!(["rp", "p-3"]), json!("rp"), "id_token.aud", "id_token.aud"),
            (json!(["rp", "P-1"]), json!("rp"), "id_token.aud", "id_token.aud"),
            (json!(["rp", 1]), json!("rp"), "id_token.aud", "id_token.aud"),
            (json!(["rp", null]), json!("rp"), "id_token.aud", "id_token.aud"),
            (json!(["p-1"]), json!("rp"), "id_token.aud", "id_token.aud"),
            (json!("p-1"), json!("rp"), "id_token.aud", "id_token.aud"),
            (json!([]), json!("rp"), "id_token.aud", "id_token.aud"),
            (json!(["RP"]), absent, "id_token.aud", "id_token.aud"),
        ] {
            let mut said = claims("aud", aud);
            said["azp"] = azp;
            assert_eq!(provider.outcome(&said, &expected(&[])), without, "{said}");
            assert_eq!(provider.outcome(&said, &expected(&allowed)), with, "{said}");
        }
    }
}
