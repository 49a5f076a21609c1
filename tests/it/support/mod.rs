//! What the integration tests share.
pub mod database;
pub mod provider;
pub mod slapd;
/// The world the room is tested in.
pub mod world;
