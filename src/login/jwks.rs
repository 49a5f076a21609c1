//! The provider's signing keys, and which of them count.
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::CoreJsonWebKey;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::discovery::failed;
use super::error::LoginError;
use super::fetch::{ANSWER_LIMIT, Fetch};

/// The algorithms an ID token may be signed with: asymmetric ones only, whatever the provider offers.
pub const ALGORITHMS: [&str; 5] = ["RS256", "PS256", "ES256", "ES384", "EdDSA"];

/// More keys than any provider has.
const MOST_KEYS: usize = 100;

/// The usable keys of a provider.
#[derive(Clone, Debug, Default)]
pub struct Keys(pub(super) Vec<CoreJsonWebKey>);

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

/// Fetches the keys.
///
/// # Errors
/// When the document cannot be had or holds no usable key.
pub async fn fetch_keys(fetch: &Fetch, place: &Url) -> Result<Keys, LoginError> {
    let document = fetch.get::<Document>(place, ANSWER_LIMIT, None).await.map_err(failed)?;
    among(&document)
}

impl Keys {
    /// Keys that were handed over as a JWK set (RFC 7517 §5).
    ///
    /// # Errors
    /// When it is none, holds no usable key, or holds a private one.
    pub fn inline(set: &Value) -> Result<Self, LoginError> {
        let document = Document::deserialize(set)
            .map_err(|_| LoginError::setup("jwks.json", "must be an object with a list `keys`"))?;
        if document.keys.iter().any(|key| key.get("d").is_some() || key.get("k").is_some()) {
            return Err(LoginError::setup("jwks.private", "holds a private key; give the public one only"));
        }
        among(&document)
    }
}

fn among(document: &Document) -> Result<Keys, LoginError> {
    if document.keys.len() > MOST_KEYS {
        return Err(LoginError::setup("jwks.many", format!("{} keys", document.keys.len())));
    }
    let keys: Vec<_> = document.keys.iter().filter(|key| usable(key)).filter_map(read).collect();
    if keys.is_empty() {
        return Err(LoginError::setup("jwks.none", "no signing key of 2048 bits or more, P-256, P-384 or Ed25519"));
    }
    Ok(Keys(keys))
}

fn read(key: &Value) -> Option<CoreJsonWebKey> {
    CoreJsonWebKey::deserialize(key).ok()
}

/// Whether a key is public, for signatures, of a kind we take and strong enough. Symmetric keys have no
/// business in a public document.
fn usable(key: &Value) -> bool {
    let text = |name: &str| key.get(name).and_then(Value::as_str);
    let for_signing = key.get("use").is_none_or(|word| word == "sig");
    let verifies =
        key.get("key_ops").is_none_or(|ops| ops.as_array().is_some_and(|ops| ops.iter().any(|word| word == "verify")));
    let strong = match text("kty") {
        Some("RSA") => text("n").is_some_and(modulus_is_strong) && text("e").is_some_and(exponent_is_sound),
        Some("EC") => matches!(text("crv"), Some("P-256" | "P-384")),
        Some("OKP") => text("crv") == Some("Ed25519"),
        _ => false,
    };
    for_signing && verifies && strong
}

fn modulus_is_strong(encoded: &str) -> bool {
    let Ok(bytes) = URL_SAFE_NO_PAD.decode(encoded) else { return false };
    let significant: Vec<_> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
    let bits = significant.len() * 8 - significant.first().map_or(0, |first| first.leading_zeros() as usize);
    (2048..=8192).contains(&bits)
}

fn exponent_is_sound(encoded: &str) -> bool {
    let Ok(bytes) = URL_SAFE_NO_PAD.decode(encoded) else { return false };
    let mut value = 0_u64;
    for byte in bytes.iter().skip_while(|byte| **byte == 0) {
        if value > u64::from(u32::MAX) {
            return false;
        }
        value = value << 8 | u64::from(*byte);
    }
    value > 2 && value % 2 == 1
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rsa(bytes: usize, e: &str) -> Value {
        let mut n = vec![0xff; bytes];
        n.insert(0, 0);
        json!({"kty": "RSA", "n": URL_SAFE_NO_PAD.encode(n), "e": e, "kid": "k"})
    }

    fn with(mut key: Value, name: &str, value: Value) -> Value {
        key[name] = value;
        key
    }

    #[test]
    fn weak_and_foreign_keys_do_not_count() {
        assert!(usable(&rsa(256, "AQAB")));
        assert!(usable(&rsa(256, "Aw")));
        assert!(usable(&with(rsa(256, "AQAB"), "use", json!("sig"))));
        assert!(usable(&with(rsa(256, "AQAB"), "key_ops", json!(["verify"]))));
        assert!(usable(&json!({"kty": "EC", "crv": "P-256", "x": "", "y": ""})));
        for bad in [
            rsa(128, "AQAB"),
            rsa(255, "AQAB"),
            rsa(1025, "AQAB"),
            rsa(256, "AQ"),
            rsa(256, "Ag"),
            rsa(256, "AQAA"),
            rsa(256, "////////////"),
            with(rsa(256, "AQAB"), "use", json!("enc")),
            with(rsa(256, "AQAB"), "use", json!(1)),
            with(rsa(256, "AQAB"), "key_ops", json!(["sign"])),
            json!({"kty": "oct", "k": "AAAA"}),
            json!({"kty": "EC", "crv": "P-521"}),
            json!({"kty": "OKP", "crv": "X25519"}),
            json!({"n": "x"}),
            json!(1),
        ] {
            assert!(!usable(&bad), "{bad}");
        }
    }
}
