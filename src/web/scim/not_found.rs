//! Addresses below a connection where there is nothing.
use super::request::ScimRequest;
use super::response::ScimResponse;
use crate::scim::error::ScimError;
use crate::scim::etag::check_protocol;

/// `/Me`: a connection's token stands for no user (RFC 7644 §3.11).
pub async fn me(_: &mut ScimRequest) -> Result<ScimResponse, ScimError> {
    Err(ScimError::plain(501, "The token stands for a connection, not for a user, so there is no /Me."))
}

/// Everything else: another protocol version (F05), or no such address. Told only to who may come in.
pub async fn nothing(visit: &mut ScimRequest) -> Result<ScimResponse, ScimError> {
    let version = visit.segment("version");
    if version.strip_prefix(['v', 'V']).is_some_and(|digits| digits.parse::<u32>().is_ok()) {
        check_protocol(version)?;
    }
    Err(ScimError::plain(404, "There is no such endpoint; the base address ends with /v2."))
}
