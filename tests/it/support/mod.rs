//! What the integration tests share.
pub mod api;
pub mod browser;
pub mod console;
pub mod creations;
pub mod database;
pub mod house;
pub mod peer;
pub mod profile;
pub mod provider;
pub mod script;
pub mod sign_in;
pub mod slapd;
pub mod stage;
pub mod wire;
/// The world the room is tested in.
pub mod world;
