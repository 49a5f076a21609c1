//! Signed tokens (RFC 7515) in their parts, and whether a key of a set signed one. ID tokens, answers of userinfo and
//! assertions of clients are all read here, so there is no second, laxer way.
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::{CoreJsonWebKey, CoreJwsSigningAlgorithm};
use openidconnect::{JsonWebKey, JsonWebKeyAlgorithm, JwsSigningAlgorithm};
use serde_json::Value;

use super::claims::Claims;
use super::error::LoginError;
use super::jwks::{ALGORITHMS, Keys};

/// Why a token is not believed.
#[derive(Debug)]
pub enum VerifyError {
    /// No key matches: they may have been turned over since they were fetched.
    UnknownKey,
    /// Not to be believed.
    Refused(LoginError),
}

impl From<LoginError> for VerifyError {
    fn from(refusal: LoginError) -> Self {
        Self::Refused(refusal)
    }
}

/// What a kind of token is called in refusals, and how much of it is taken.
pub(super) struct Profile {
    /// The most bytes.
    pub(super) most: usize,
    /// It is longer.
    pub(super) size: &'static str,
    /// It has no three parts, or they are no objects.
    pub(super) form: &'static str,
    /// It needs an extension (RFC 7515 §4.1.11).
    pub(super) critical: &'static str,
    /// Its algorithm is not among those that are taken.
    pub(super) algorithm: &'static str,
    /// It is not told which key is meant.
    pub(super) key: &'static str,
    /// Another key signed it, or another text.
    pub(super) signature: &'static str,
    /// Whether one key must be meant: without a `kid` there is one (OpenID Connect Core 1.0 §10.1).
    pub(super) one_key: bool,
}

/// A token in its parts. Nothing of it is believed yet.
pub(super) struct Jws<'a> {
    profile: &'static Profile,
    header: Claims,
    claims: Claims,
    signed: &'a str,
    signature: Vec<u8>,
}

impl<'a> Jws<'a> {
    /// Takes a compact token apart. Header and payload are objects in which no name is repeated.
    ///
    /// # Errors
    /// When it is too long, or none.
    pub(super) fn read(text: &'a str, profile: &'static Profile) -> Result<Self, LoginError> {
        let form = |detail: &str| LoginError::untrusted(profile.form, detail);
        if text.len() > profile.most {
            let detail = format!("{} bytes, {} are taken", text.len(), profile.most);
            return Err(LoginError::untrusted(profile.size, detail));
        }
        let (signed, signature) = text.rsplit_once('.').ok_or_else(|| form("not three parts"))?;
        let (header, claims) = signed.split_once('.').ok_or_else(|| form("not three parts"))?;
        if claims.contains('.') {
            return Err(form("not three parts"));
        }
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| form("not base64url"));
        let object = |part: &str| {
            serde_json::from_slice::<Claims>(&decode(part)?).map_err(|_| form("a part is no object, or repeats a name"))
        };
        Ok(Self { profile, header: object(header)?, claims: object(claims)?, signed, signature: decode(signature)? })
    }

    /// A member of the header.
    pub(super) fn header(&self, name: &str) -> Option<&Value> {
        self.header.get(name)
    }

    /// What it says.
    pub(super) fn claims(&self) -> &Claims {
        &self.claims
    }

    /// What it says, for whoever has checked it.
    pub(super) fn into_claims(self) -> Claims {
        self.claims
    }

    /// Checks the signature; the name of its algorithm.
    ///
    /// # Errors
    /// [`VerifyError`]; an unknown key only when no key could be meant, or when the key has no name to tell it by.
    pub(super) fn signed_by(&self, keys: &Keys, allowed: &[&'static str]) -> Result<&'static str, VerifyError> {
        let refused = |code, detail: &str| Err(LoginError::untrusted(code, detail).into());
        if self.header.get("crit").is_some() {
            return refused(self.profile.critical, "critical extensions are not understood");
        }
        let named = self.header.text("alg");
        let known = ALGORITHMS.into_iter().find(|name| named == Some(name) && allowed.contains(name));
        let Some((name, algorithm)) = known.and_then(|name| Some((name, algorithm(name)?))) else {
            let taken = allowed.join(", ");
            return refused(self.profile.algorithm, &format!("the algorithm is not one of {taken}"));
        };
        let kid = match self.header.get("kid") {
            None => None,
            Some(Value::String(kid)) => Some(kid.as_str()),
            Some(_) => return refused(self.profile.form, "kid is not a text"),
        };
        let mut meant = keys.0.iter().filter(|key| fits(key, &algorithm, kid)).peekable();
        if meant.peek().is_none() {
            return Err(VerifyError::UnknownKey);
        }
        let meant: Vec<_> = meant.collect();
        if self.profile.one_key && meant.len() > 1 {
            return refused(self.profile.key, "several keys of the provider may be meant");
        }
        let signs =
            |key: &&CoreJsonWebKey| key.verify_signature(&algorithm, self.signed.as_bytes(), &self.signature).is_ok();
        match meant.iter().any(signs) {
            true => Ok(name),
            // A key without a name may have been turned over unseen.
            false if kid.is_none() => Err(VerifyError::UnknownKey),
            false => refused(self.profile.signature, "the signature is wrong"),
        }
    }
}

/// Whether a key may have made a signature of this algorithm under this name.
fn fits(key: &CoreJsonWebKey, algorithm: &CoreJwsSigningAlgorithm, kid: Option<&str>) -> bool {
    let bound = match key.signing_alg() {
        JsonWebKeyAlgorithm::Algorithm(only) => only == algorithm,
        JsonWebKeyAlgorithm::Unspecified => true,
        JsonWebKeyAlgorithm::Unsupported => false,
    };
    let kind = || algorithm.key_type().is_some_and(|kind| *key.key_type() == kind);
    bound && kid.map_or_else(kind, |kid| key.key_id().is_some_and(|id| id.as_str() == kid))
}

/// An algorithm by its name (RFC 7518 §3.1), if it is one of ours.
fn algorithm(name: &str) -> Option<CoreJwsSigningAlgorithm> {
    match name {
        "RS256" => Some(CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256),
        "PS256" => Some(CoreJwsSigningAlgorithm::RsaSsaPssSha256),
        "ES256" => Some(CoreJwsSigningAlgorithm::EcdsaP256Sha256),
        "ES384" => Some(CoreJwsSigningAlgorithm::EcdsaP384Sha384),
        "EdDSA" => Some(CoreJwsSigningAlgorithm::EdDsa),
        _ => None,
    }
}
