//! Signing in: OpenID Connect as a relying party, one-time links, sessions.
pub mod address;
pub mod claims;
pub mod discovery;
pub mod fetch;
pub mod keys;
pub mod provider;
pub mod refusal;
pub mod verify;
