//! The one place that decides whether a client's assertion is to be believed (RFC 7523 §3, `private_key_jwt`).
use super::error::LoginError;
use super::jwks::{ALGORITHMS, Keys};
use super::jws::{Jws, Profile, VerifyError};
use crate::domain::time::Timestamp;
use crate::secret::sha256;

static ASSERTION: Profile = Profile {
    // More than any assertion needs.
    most: 16 * 1024,
    size: "assertion.form",
    form: "assertion.form",
    critical: "assertion.crit",
    algorithm: "assertion.algorithm",
    key: "assertion.key",
    signature: "assertion.signature",
    // Clients may leave `kid` out: each key they gave is tried.
    one_key: false,
};
/// The furthest an assertion may end ahead of now, in seconds.
pub const LONGEST_LIFE: i64 = 600;
/// How far the clocks may differ, in seconds.
const SKEW: i64 = 60;
/// The longest `jti`, in bytes.
const LONGEST_JTI: usize = 255;

/// An assertion in its parts. Nothing of it is believed yet.
pub struct Assertion<'a>(Jws<'a>);

/// What remains of a believed assertion: what must not come again, and until when it could.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Used {
    /// SHA-256 of its `jti`.
    pub jti: [u8; 32],
    /// From when on its expiry refuses it anyway.
    pub until: Timestamp,
}

impl<'a> Assertion<'a> {
    /// Takes a compact JWS apart.
    ///
    /// # Errors
    /// When it is none, or repeats a name.
    pub fn read(text: &'a str) -> Result<Self, LoginError> {
        Jws::read(text, &ASSERTION).map(Self)
    }

    /// Who it says it is about; decides whose keys it is checked with.
    pub fn client(&self) -> Option<&str> {
        self.0.claims().text("sub")
    }

    /// What it would leave behind if it were signed: it is of `client`, for one of `audiences`, and fresh. Asked before
    /// any key is fetched, so that whoever does not even know what to write causes no request.
    ///
    /// # Errors
    /// A [`LoginError`].
    pub fn claimed(&self, client: &str, audiences: &[&str], now: Timestamp) -> Result<Used, LoginError> {
        let claims = self.0.claims();
        let wrong = |code, detail: &str| Err(LoginError::untrusted(code, detail));
        if claims.text("iss") != Some(client) || claims.text("sub") != Some(client) {
            return wrong("assertion.client", "iss and sub must both be the client id");
        }
        let meant = |audience: &serde_json::Value| audience.as_str().is_some_and(|one| audiences.contains(&one));
        if !claims.get("aud").is_some_and(|aud| meant(aud) || aud.as_array().is_some_and(|all| all.iter().any(meant))) {
            return wrong("assertion.aud", "aud names neither the token endpoint nor the issuer");
        }
        let Some(end) = claims.seconds("exp") else { return wrong("assertion.exp", "missing") };
        let present = now.seconds();
        if end.saturating_add(SKEW) <= present {
            return wrong("assertion.exp", "it has ended; is the client's clock right?");
        }
        if end > present.saturating_add(LONGEST_LIFE + SKEW) {
            return wrong("assertion.exp", "it ends more than 10 minutes ahead");
        }
        for name in ["nbf", "iat"] {
            let early = claims.seconds(name).is_none_or(|moment| moment > present.saturating_add(SKEW));
            if claims.get(name).is_some() && early {
                return wrong("assertion.early", "nbf or iat lies in the future; is the client's clock right?");
            }
        }
        match claims.text("jti") {
            Some(jti) if !jti.is_empty() && jti.len() <= LONGEST_JTI => {
                let until = now.plus_seconds(end.saturating_sub(present).saturating_add(SKEW));
                Ok(Used { jti: sha256(jti.as_bytes()), until })
            }
            _ => wrong("assertion.jti", "missing, empty or longer than 255 bytes"),
        }
    }

    /// Believes it, if it is signed by `client` for one of `audiences`, and fresh.
    ///
    /// # Errors
    /// [`VerifyError`]; an unknown key only when no key could be meant.
    pub fn verify(&self, keys: &Keys, client: &str, audiences: &[&str], now: Timestamp) -> Result<Used, VerifyError> {
        self.0.signed_by(keys, &ALGORITHMS)?;
        Ok(self.claimed(client, audiences, now)?)
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
    use serde_json::{Value, json};

    use super::*;

    const HERE: [&str; 2] = ["https://house/oauth/a/token", "https://house/oauth/a"];
    const NOW: i64 = 1_800_000_000;

    struct Client {
        pair: EcdsaKeyPair,
        random: SystemRandom,
    }

    impl Client {
        fn new() -> Self {
            let random = SystemRandom::new();
            let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
            let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
            Self { pair, random }
        }

        fn keys(&self) -> Keys {
            let (x, y) = self.pair.public_key().as_ref()[1..].split_at(32);
            let encode = |part: &[u8]| URL_SAFE_NO_PAD.encode(part);
            Keys::inline(&json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": "k", "x": encode(x), "y": encode(y)}]}))
                .unwrap()
        }

        fn sign(&self, header: &Value, claims: &Value) -> String {
            let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
            let signed = format!("{}.{}", encode(header), encode(claims));
            let signature = self.pair.sign(&self.random, signed.as_bytes()).unwrap();
            format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
        }
    }

    fn claims() -> Value {
        json!({"iss": "me", "sub": "me", "aud": HERE[0], "exp": NOW + 300, "iat": NOW, "jti": "one"})
    }

    fn outcome(client: &Client, header: &Value, claims: &Value) -> String {
        let text = client.sign(header, claims);
        let assertion = Assertion::read(&text).unwrap();
        match assertion.verify(&client.keys(), "me", &HERE, Timestamp::from_micros(NOW * 1_000_000)) {
            Ok(_) => "believed".to_owned(),
            Err(VerifyError::UnknownKey) => "unknown key".to_owned(),
            Err(VerifyError::Refused(refusal)) => refusal.code.to_owned(),
        }
    }

    #[test]
    fn what_is_right_is_believed_and_each_wrong_part_refuses() {
        let client = Client::new();
        let header = json!({"alg": "ES256", "kid": "k", "typ": "JWT"});
        assert_eq!(outcome(&client, &header, &claims()), "believed");
        assert_eq!(outcome(&client, &json!({"alg": "ES256"}), &claims()), "believed");
        let with = |name: &str, value: Value| {
            let mut claims = claims();
            claims[name] = value;
            claims
        };
        for (name, value, expected) in [
            ("aud", json!(["https://elsewhere", HERE[1]]), "believed"),
            ("aud", json!("https://elsewhere"), "assertion.aud"),
            ("aud", json!([]), "assertion.aud"),
            ("aud", json!(null), "assertion.aud"),
            ("iss", json!("you"), "assertion.client"),
            ("sub", json!("you"), "assertion.client"),
            ("exp", json!(NOW - 61), "assertion.exp"),
            ("exp", json!(NOW - 30), "believed"),
            ("exp", json!(NOW + 600), "believed"),
            ("exp", json!(NOW + 661), "assertion.exp"),
            ("exp", json!("soon"), "assertion.exp"),
            ("nbf", json!(NOW + 61), "assertion.early"),
            ("iat", json!(NOW + 61), "assertion.early"),
            ("iat", json!("now"), "assertion.early"),
            ("jti", json!(""), "assertion.jti"),
            ("jti", json!(1), "assertion.jti"),
            ("jti", json!("j".repeat(256)), "assertion.jti"),
        ] {
            assert_eq!(outcome(&client, &header, &with(name, value.clone())), expected, "{name} {value}");
        }
        for (header, expected) in [
            (json!({"alg": "none"}), "assertion.algorithm"),
            (json!({"alg": "HS256"}), "assertion.algorithm"),
            (json!({"alg": "RS256", "kid": "k"}), "assertion.signature"),
            (json!({"alg": "ES256", "kid": "other"}), "unknown key"),
            (json!({"alg": "ES256", "kid": 1}), "assertion.form"),
            (json!({"alg": "ES256", "crit": ["b64"], "b64": false}), "assertion.crit"),
            (json!({}), "assertion.algorithm"),
        ] {
            assert_eq!(outcome(&client, &header, &claims()), expected, "{header}");
        }
    }

    #[test]
    fn another_key_and_a_changed_claim_are_noticed() {
        let (client, other) = (Client::new(), Client::new());
        let text = other.sign(&json!({"alg": "ES256", "kid": "k"}), &claims());
        let now = Timestamp::from_micros(NOW * 1_000_000);
        let doubt = Assertion::read(&text).unwrap().verify(&client.keys(), "me", &HERE, now);
        assert!(matches!(doubt, Err(VerifyError::Refused(refusal)) if refusal.code == "assertion.signature"));
        for bad in ["", "a.b", "a.b.c", "e30.e30", "e30.W10.", "e30.eyJhIjoxLCJhIjoxfQ.", "....", &"a".repeat(20_000)] {
            assert!(Assertion::read(bad).is_err(), "{bad}");
        }
    }
}
