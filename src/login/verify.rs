//! The one place that decides whether an ID token is to be believed (OpenID Connect Core 1.0 §3.1.3.7).
//!
//! openidconnect checks signature, issuer, audience, expiry and nonce. It is always told it is a public
//! client, so that a token signed with the client secret never passes. What it leaves to the application
//! is checked here.
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::{CoreIdToken, CoreIdTokenVerifier, CoreJsonWebKeySet, CoreJwsSigningAlgorithm};
use openidconnect::{
    AccessToken, AccessTokenHash, ClaimsVerificationError, ClientId, IssuerUrl, Nonce, SignatureVerificationError,
};

use super::claims::Claims;
use super::keys::Keys;
use super::refusal::Refusal;
use crate::domain::time::Timestamp;

/// More than any ID token needs.
const MOST_BYTES: usize = 64 * 1024;
/// OpenID Connect Core 1.0 §2: `sub` has at most 255 characters.
const LONGEST_SUBJECT: usize = 255;

/// What the token must say.
pub struct Expected<'a> {
    /// The issuer of the connection, exactly.
    pub issuer: &'a str,
    /// Our client id there.
    pub client: &'a str,
    /// The nonce of the attempt.
    pub nonce: &'a str,
    /// The access token that came with it.
    pub access_token: &'a str,
    /// The algorithms both sides accept.
    pub algorithms: &'a [&'a str],
    /// The present.
    pub now: Timestamp,
    /// When the attempt began: a token issued before it was not made for it.
    pub since: Timestamp,
    /// How far the clocks may differ, in seconds.
    pub skew: i64,
    /// The longest time since the person proved who they are, in seconds, if we asked.
    pub max_age: Option<i64>,
    /// The authentication contexts that will do, if we asked.
    pub contexts: &'a [String],
}

/// Why a token is not believed.
#[derive(Debug)]
pub enum Doubt {
    /// No key matches: they may have been turned over since they were fetched.
    UnknownKey,
    /// Not to be believed.
    Refused(Refusal),
}

impl From<Refusal> for Doubt {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// The claims of `token`, if every check holds.
///
/// # Errors
/// [`Doubt`].
pub fn id_token(token: &str, keys: &Keys, expected: &Expected<'_>) -> Result<Claims, Doubt> {
    if token.len() > MOST_BYTES {
        return Err(Refusal::untrusted("id_token.size", format!("{} bytes", token.len())).into());
    }
    let claims = read_claims(token)?;
    signature_and_registered_claims(token, keys, expected)?;
    subject(&claims)?;
    authorized_party(&claims, expected)?;
    moments(&claims, expected)?;
    authentication(&claims, expected)?;
    Ok(claims)
}

/// Reads header and payload as objects without repeated names. Not believed yet.
fn read_claims(token: &str) -> Result<Claims, Refusal> {
    let form = |detail: &str| Refusal::untrusted("id_token.form", detail);
    let mut parts = token.split('.');
    let (Some(header), Some(payload), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err(form("not three parts"));
    };
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| form("not base64url"));
    serde_json::from_slice::<Claims>(&decode(header)?)
        .map_err(|_| form("the header is no object, or repeats a name"))?;
    serde_json::from_slice(&decode(payload)?).map_err(|_| form("the claims are no object, or repeat a name"))
}

fn signature_and_registered_claims(token: &str, keys: &Keys, expected: &Expected<'_>) -> Result<(), Doubt> {
    let token: CoreIdToken =
        token.parse().map_err(|_| Refusal::untrusted("id_token.form", "a registered claim is missing or ill-typed"))?;
    let issuer = IssuerUrl::new(expected.issuer.to_owned())
        .map_err(|_| Refusal::setup("discovery.issuer", "the issuer is not a URL"))?;
    let late = expected.now.plus_seconds(-expected.skew).seconds();
    let moment = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(late).unwrap_or(0));
    let client = ClientId::new(expected.client.to_owned());
    let verifier = CoreIdTokenVerifier::new_public_client(client, issuer, CoreJsonWebKeySet::new(keys.0.clone()))
        .set_allowed_algs(expected.algorithms.iter().filter_map(|name| algorithm(name)))
        .set_time_fn(move || moment.into());
    let claims = token.claims(&verifier, &Nonce::new(expected.nonce.to_owned())).map_err(doubt)?;
    if let Some(said) = claims.access_token_hash() {
        let algorithm =
            token.signing_alg().map_err(|error| doubt(ClaimsVerificationError::SignatureVerification(error)))?;
        let key = token
            .signing_key(&verifier)
            .map_err(|error| doubt(ClaimsVerificationError::SignatureVerification(error)))?;
        let access_token = AccessToken::new(expected.access_token.to_owned());
        let computed = AccessTokenHash::from_token(&access_token, algorithm, key);
        if computed.as_ref().ok() != Some(said) {
            return Err(Refusal::untrusted("id_token.at_hash", "not the hash of the access token it came with").into());
        }
    }
    Ok(())
}

/// An algorithm by its name (RFC 7518 §3.1), if it is one of ours.
pub(super) fn algorithm(name: &str) -> Option<CoreJwsSigningAlgorithm> {
    match name {
        "RS256" => Some(CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256),
        "PS256" => Some(CoreJwsSigningAlgorithm::RsaSsaPssSha256),
        "ES256" => Some(CoreJwsSigningAlgorithm::EcdsaP256Sha256),
        "ES384" => Some(CoreJwsSigningAlgorithm::EcdsaP384Sha384),
        "EdDSA" => Some(CoreJwsSigningAlgorithm::EdDsa),
        _ => None,
    }
}

fn doubt(error: ClaimsVerificationError) -> Doubt {
    use ClaimsVerificationError as Claim;
    use SignatureVerificationError as Signature;
    let code = match &error {
        Claim::SignatureVerification(Signature::NoMatchingKey) => return Doubt::UnknownKey,
        Claim::SignatureVerification(
            Signature::DisallowedAlg(_) | Signature::UnsupportedAlg(_) | Signature::NoSignature,
        ) => "id_token.algorithm",
        Claim::SignatureVerification(Signature::AmbiguousKeyId(_) | Signature::InvalidKey(_)) => "id_token.key",
        Claim::SignatureVerification(_) => "id_token.signature",
        Claim::Expired(_) => "id_token.exp",
        Claim::InvalidAudience(_) => "id_token.aud",
        Claim::InvalidIssuer(_) => "id_token.iss",
        Claim::InvalidNonce(_) => "id_token.nonce",
        Claim::InvalidSubject(_) => "id_token.sub",
        _ => "id_token.form",
    };
    // The cause of a failed signature names no value of the token; that of a failed claim at most the claim.
    let detail = match &error {
        Claim::SignatureVerification(cause) => cause.to_string(),
        other => other.to_string(),
    };
    Doubt::Refused(Refusal::untrusted(code, detail))
}

fn subject(claims: &Claims) -> Result<(), Refusal> {
    let subject = claims.text("sub").unwrap_or_default();
    if subject.trim().is_empty() || subject.len() > LONGEST_SUBJECT || subject.chars().any(char::is_control) {
        return Err(Refusal::untrusted("id_token.sub", "empty, longer than 255 characters, or not plain text"));
    }
    Ok(())
}

fn authorized_party(claims: &Claims, expected: &Expected<'_>) -> Result<(), Refusal> {
    match claims.get("azp") {
        Some(party) if party != expected.client => {
            Err(Refusal::untrusted("id_token.azp", "the token was made for another client"))
        }
        _ => Ok(()),
    }
}

fn moments(claims: &Claims, expected: &Expected<'_>) -> Result<(), Refusal> {
    let soon = expected.now.seconds().saturating_add(expected.skew);
    let issued = claims.seconds("iat").ok_or_else(|| Refusal::untrusted("id_token.iat", "missing"))?;
    if issued > soon {
        return Err(Refusal::untrusted("id_token.iat", "issued in the future; is the provider's clock right?"));
    }
    if issued < expected.since.seconds().saturating_sub(expected.skew) {
        return Err(Refusal::untrusted(
            "id_token.iat",
            "issued before this sign-in began; is the provider's clock right?",
        ));
    }
    match (claims.get("nbf"), claims.seconds("nbf")) {
        (None, _) => Ok(()),
        (Some(_), Some(begin)) if begin <= soon => Ok(()),
        _ => Err(Refusal::untrusted("id_token.nbf", "not valid yet")),
    }
}

fn authentication(claims: &Claims, expected: &Expected<'_>) -> Result<(), Refusal> {
    if let Some(most) = expected.max_age {
        let proved = claims
            .seconds("auth_time")
            .ok_or_else(|| Refusal::untrusted("id_token.auth_time", "asked for and missing"))?;
        let age = expected.now.seconds().saturating_sub(proved);
        if age > most.saturating_add(expected.skew) || age < expected.skew.saturating_neg() {
            return Err(Refusal::untrusted("id_token.auth_time", format!("{age} seconds ago, {most} asked for")));
        }
    }
    if !expected.contexts.is_empty() {
        let context = claims.text("acr").unwrap_or_default();
        if !expected.contexts.iter().any(|enough| enough == context) {
            return Err(Refusal::untrusted("id_token.acr", "the asked authentication context was not reached"));
        }
    }
    Ok(())
}
