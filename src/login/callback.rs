//! What the browser brings back (RFC 6749 §4.1.2, RFC 9207).
use super::discovery::Metadata;
use super::error::{LoginError, LoginErrorKind};

/// The longest code taken; nothing longer is sent on.
const LONGEST_CODE: usize = 4_096;

/// The provider's answer, as it came.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthorizationResponse {
    /// The `state` it carries.
    pub state: String,
    /// Code or error.
    pub outcome: CallbackResult,
    /// Who says it answers (RFC 9207).
    pub issuer: Option<String>,
}

/// Code or error, never both.
#[derive(Clone, PartialEq, Eq)]
pub enum CallbackResult {
    /// An authorization code.
    Code(String),
    /// An error code, if it keeps to the characters such a code has.
    Error(Option<String>),
}

/// Reads the query of a callback.
///
/// # Errors
/// [`LoginErrorKind::Stale`] without a `state`, [`LoginErrorKind::Untrusted`] when a parameter is repeated or code and error come
/// together.
pub fn read(query: &str) -> Result<AuthorizationResponse, LoginError> {
    let mut state = None;
    let mut code = None;
    let mut error = None;
    let mut issuer = None;
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let slot = match &*name {
            "state" => &mut state,
            "code" => &mut code,
            "error" => &mut error,
            "iss" => &mut issuer,
            _ => continue,
        };
        if slot.replace(value.into_owned()).is_some() {
            return Err(LoginError::untrusted("callback.repeated", format!("{name} came twice")));
        }
    }
    let state = state.ok_or_else(|| LoginError::new(LoginErrorKind::Stale, "callback.state", "no state"))?;
    let outcome = match (code, error) {
        (Some(_), Some(_)) => return Err(LoginError::untrusted("callback.both", "both a code and an error")),
        (None, None) => return Err(LoginError::untrusted("callback.neither", "neither a code nor an error")),
        (Some(code), None) if code.is_empty() || code.len() > LONGEST_CODE => {
            return Err(LoginError::untrusted("callback.code", format!("a code of {} bytes", code.len())));
        }
        (Some(code), None) => CallbackResult::Code(code),
        (None, Some(error)) => {
            let plain = error.len() <= 64 && error.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            CallbackResult::Error(plain.then_some(error))
        }
    };
    Ok(AuthorizationResponse { state, outcome, issuer })
}

impl AuthorizationResponse {
    /// The code, if the answer comes from the provider it should come from and is not an error.
    ///
    /// # Errors
    /// [`LoginErrorKind::Untrusted`] for another issuer, [`LoginErrorKind::Declined`] for an error.
    pub fn code(self, metadata: &Metadata) -> Result<String, LoginError> {
        match &self.issuer {
            Some(issuer) if *issuer != metadata.issuer => {
                return Err(LoginError::untrusted("callback.iss", "the answer names another provider"));
            }
            None if metadata.authorization_response_iss_parameter_supported => {
                return Err(LoginError::untrusted(
                    "callback.iss",
                    "the provider names itself in its answers, but not in this one",
                ));
            }
            _ => {}
        }
        match self.outcome {
            CallbackResult::Code(code) => Ok(code),
            CallbackResult::Error(error) => Err(LoginError::new(
                LoginErrorKind::Declined,
                "provider.denied",
                error.unwrap_or_else(|| "unnamed error".to_owned()),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(query: &str) -> &'static str {
        read(query).map_or_else(|refusal| refusal.code, |_| "ok")
    }

    #[test]
    fn an_answer_is_read_strictly() {
        assert_eq!(code("state=s&code=c"), "ok");
        assert_eq!(code("state=s&code=c&iss=i&session_state=x&session_state=y"), "ok");
        assert_eq!(code("state=s&error=access_denied"), "ok");
        assert_eq!(code("code=c"), "callback.state");
        assert_eq!(code("state=s"), "callback.neither");
        assert_eq!(code("state=s&code="), "callback.code");
        assert_eq!(code(&format!("state=s&code={}", "c".repeat(4_097))), "callback.code");
        assert_eq!(code("state=s&code=c&error=access_denied"), "callback.both");
        assert_eq!(code("state=s&code=c&code=d"), "callback.repeated");
        assert_eq!(code("state=s&state=t&code=c"), "callback.repeated");
    }

    #[test]
    fn an_error_is_kept_only_as_a_code() {
        let outcome = |query| read(query).ok().map(|callback| callback.outcome);
        assert!(
            outcome("state=s&error=login_required") == Some(CallbackResult::Error(Some("login_required".to_owned())))
        );
        assert!(outcome("state=s&error=%3Cscript%3E") == Some(CallbackResult::Error(None)));
    }
}
