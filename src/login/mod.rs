//! Signing in: OpenID Connect as a relying party, one-time links, sessions.
//!
//! | file | what |
//! | --- | --- |
//! | `begin`, `finish` | one sign-in, from the first redirect to the session |
//! | `attempt`, `authorize`, `callback` | what goes out with the browser and what comes back |
//! | `exchange`, `verify`, `keys`, `discovery`, `provider`, `claims` | from a code to claims that can be believed |
//! | `jws`, `kept` | signed tokens in their parts; what was fetched, kept for a while |
//! | `admit`, `joins`, `document` | from claims to a user, by the matching attribute |
//! | `client`, `assertion` | tokens for the OAuth 2.0 clients of SCIM connections |
//! | `fetch`, `address` | the one guarded way to a provider |
//! | `session`, `bearer`, `links` | what is held afterwards; the way in without a provider |
//! | `refusal` | why not, for the user, the log and the code |
pub mod address_policy;
mod admit;
pub mod assertion;
pub mod attempt;
pub mod authorize;
mod bearer;
pub mod begin;
pub mod callback;
pub mod claims;
pub mod client;
pub mod complete;
pub mod discovery;
mod document;
pub mod error;
pub mod exchange;
pub mod fetch;
mod fetch_cache;
pub mod joins;
pub mod jwks;
mod jws;
pub mod one_time_links;
pub mod provider;
mod service;
pub mod session;
mod test_connection;
pub mod verify;

pub use service::LoginService;
