//! What a client sends to the token endpoint: its form, and what it proves itself with (RFC 6749 §2.3, RFC 7523 §2.2).
use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::fault::OauthError;
use crate::login::client::PresentedCredential;
use crate::web::extract::form;

/// RFC 7523 §2.2.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The most parameters of a request.
const MOST: usize = 100;

/// The parameters of the form, those without a value left out (§3.2).
#[derive(Debug)]
pub(super) struct Parameters(HashMap<String, String>);

impl Parameters {
    /// Reads a form.
    ///
    /// # Errors
    /// `invalid_request` when a parameter comes twice or holds bytes that are no text, or there are too many.
    pub(super) fn read(body: &[u8]) -> Result<Self, OauthError> {
        if url::form_urlencoded::parse(body).nth(MOST).is_some() {
            return Err(OauthError::request("There are too many parameters."));
        }
        let mut known = HashMap::new();
        let pairs = form(body).ok_or_else(|| OauthError::request("The form holds bytes that are no UTF-8 text."))?;
        for (name, value) in pairs.into_iter().filter(|(_, value)| !value.is_empty()) {
            if known.insert(name, value).is_some() {
                return Err(OauthError::request("A parameter is sent twice."));
            }
        }
        Ok(Self(known))
    }

    /// A parameter.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// Client id and secret of an `Authorization: Basic` header.
pub(super) struct Basic {
    id: String,
    secret: Zeroizing<String>,
}

impl Basic {
    /// The client id.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Reads the header; `None` when there is none.
    ///
    /// # Errors
    /// `invalid_client` when it is another scheme or not of the form.
    pub(super) fn read(header: Option<&[u8]>) -> Result<Option<Self>, OauthError> {
        let Some(header) = header else { return Ok(None) };
        let read = || {
            let (scheme, coded) = std::str::from_utf8(header).ok()?.split_once(' ')?;
            let plain = Zeroizing::new(STANDARD.decode(coded.trim()).ok()?);
            let (id, secret) = std::str::from_utf8(&plain).ok()?.split_once(':')?;
            let basic = Self { id: form_decoded(id), secret: Zeroizing::new(form_decoded(secret)) };
            scheme.eq_ignore_ascii_case("basic").then_some(basic)
        };
        read().map(Some).ok_or_else(OauthError::client)
    }
}

/// Both parts are form-encoded before they are joined (§2.3.1).
fn form_decoded(text: &str) -> String {
    let whole = format!("={text}");
    url::form_urlencoded::parse(whole.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// The one way in which the client proves itself.
///
/// # Errors
/// `invalid_request` when it is more than one, `invalid_client` when it is none.
pub(super) fn proof<'a>(
    parameters: &'a Parameters,
    basic: Option<&'a Basic>,
) -> Result<PresentedCredential<'a>, OauthError> {
    let (client, secret) = (parameters.get("client_id"), parameters.get("client_secret"));
    let assertion = parameters.get("client_assertion");
    match (basic, secret, assertion) {
        (Some(basic), None, None) => {
            if client.is_some_and(|client| client != basic.id) {
                return Err(OauthError::request("client_id and the Authorization header name two clients."));
            }
            Ok(PresentedCredential::Secret { client: &basic.id, secret: &basic.secret })
        }
        (None, Some(secret), None) => {
            let client = client.ok_or_else(|| OauthError::request("client_secret needs client_id beside it."))?;
            Ok(PresentedCredential::Secret { client, secret })
        }
        (None, None, Some(assertion)) => {
            if parameters.get("client_assertion_type") != Some(ASSERTION_TYPE) {
                return Err(OauthError::request(format!("client_assertion_type must be {ASSERTION_TYPE}.")));
            }
            Ok(PresentedCredential::Assertion { client, assertion })
        }
        (None, None, None) => Err(OauthError::client()),
        _ => Err(OauthError::request("The client proves itself in more than one way; send one.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal<T>(result: Result<T, OauthError>) -> String {
        result.err().map(|fault| fault.to_string()).unwrap_or_default()
    }

    #[test]
    fn exactly_one_way_of_proof_is_taken() {
        let read = |body: &str| Parameters::read(body.as_bytes()).unwrap();
        let header = format!("Basic {}", STANDARD.encode("a%3Ab:p+w%2F"));
        let basic = Basic::read(Some(header.as_bytes())).unwrap().unwrap();
        assert_eq!((basic.id.as_str(), basic.secret.as_str()), ("a:b", "p w/"));
        assert!(proof(&read(""), Some(&basic)).is_ok());
        assert!(proof(&read("client_id=a:b&client_secret="), Some(&basic)).is_ok());
        assert!(proof(&read("client_id=a&client_secret=b"), None).is_ok());
        assert!(refusal(proof(&read("client_id=c"), Some(&basic))).starts_with("invalid_request"));
        assert!(refusal(proof(&read("client_id=a:b&client_secret=s"), Some(&basic))).starts_with("invalid_request"));
        assert!(refusal(proof(&read("client_secret=s"), None)).starts_with("invalid_request"));
        assert!(refusal(proof(&read("client_assertion=a.b.c"), None)).starts_with("invalid_request"));
        assert!(refusal(proof(&read("client_id=a"), None)).starts_with("invalid_client"));
        assert!(refusal(Parameters::read(b"scope=a&scope=b")).starts_with("invalid_request"));
        for bad in ["Bearer x", "Basic", "Basic !", "Basic YQ=="] {
            assert!(refusal(Basic::read(Some(bad.as_bytes()))).starts_with("invalid_client"), "{bad}");
        }
    }
}
