//! Signing in: OpenID Connect as a relying party, one-time links, sessions.
pub mod address;
pub mod attempt;
pub mod authorize;
pub mod callback;
pub mod claims;
pub mod discovery;
pub mod exchange;
pub mod fetch;
pub mod keys;
pub mod provider;
pub mod refusal;
pub mod verify;
