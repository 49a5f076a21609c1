//! The web edge: one HTTP server for SCIM, the API, the console and the health checks.
//!
//! The only layer that knows HTTP. A request passes `middleware`, meets its entry of the route
//! table in `routes`, is authenticated there and becomes a call of one use case.
pub mod api;
pub mod assets;
pub mod authzen;
pub mod connection_settings;
pub mod console;
mod doors;
pub mod extract;
pub mod fairness;
mod frames;
pub mod health;
mod listen;
pub mod login;
pub mod metrics;
pub mod middleware;
mod moment;
pub mod oauth;
mod operate;
pub mod operator;
mod paced;
pub mod problem;
pub mod routes;
pub mod scim;
pub mod server;
mod socket;
pub mod state;
pub mod sync;
pub mod tls;

pub use state::App;
