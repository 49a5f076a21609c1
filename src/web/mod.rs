//! The web edge: one HTTP server for SCIM, the API, the console and the health checks.
//!
//! The only layer that knows HTTP. A request passes `middleware`, meets its entry of the route
//! table in `routes`, is authenticated there and becomes a call of one use case.
pub mod api;
pub mod assets;
pub mod authzen;
mod connection_limit;
pub mod console;
pub mod error;
pub mod extract;
mod frames;
pub mod health;
mod listen;
pub mod login;
pub mod metrics;
pub mod middleware;
pub mod oauth;
mod operate;
pub mod operator_token;
pub mod rate_limit;
mod request_head;
pub mod routes;
pub mod scim;
pub mod server;
mod socket;
mod stalled_body;
pub mod state;
pub mod sync;
mod time_format;
pub mod tls;

pub use state::App;
