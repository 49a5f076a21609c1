//! How much a user or a connection may make that stays. What is beyond is refused; something has to go first.
use super::error::AdminError;

/// API tokens of one user that have not ended.
pub const API_TOKENS: usize = 100;
/// Bearer tokens of one SCIM connection that have not ended, besides those its OAuth clients fetch.
pub const CONNECTION_TOKENS: usize = 50;
/// OAuth clients of one SCIM connection that have not ended.
pub const CLIENTS: usize = 50;
/// Directories of one partner.
pub const DIRECTORIES: usize = 50;
/// Connections of one directory.
pub const CONNECTIONS: usize = 20;
/// Mapping rules of one directory.
pub const RULES: usize = 1_000;
/// Partners directly below one.
pub const PARTNERS_BELOW: usize = 10_000;
/// Users who are confirmed at once.
pub const CONFIRMED_AT_ONCE: usize = 200;
/// Names of tokens that have ended, kept of one user or connection; the oldest are forgotten.
pub const ENDED_TOKENS: i64 = 100;

/// Refuses one more of `what` when `there` are as many as there may be.
pub(super) fn another(what: &str, there: usize, most: usize) -> Result<(), AdminError> {
    if there < most {
        return Ok(());
    }
    Err(AdminError::Conflict(format!(
        "There are {there} {what} already, and {most} are the most. End or remove one first."
    )))
}
