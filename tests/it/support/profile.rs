//! How the client of the first connection is treated.
use rolecall::store::{StoreError, Tx};
use rolecall::{binds, statements};
use serde_json::Value;

use super::database::Database;
use super::world::World;

statements! {
    SET = "UPDATE connections SET profile = $2, settings = $3, version = version + 1 WHERE id = $1";
}

/// Gives the world's first connection a profile and settings.
pub async fn set(db: &Database, world: &World, profile: &str, config: Value) {
    let id = world.connections[0].connection();
    let work = async |tx: &mut Tx| -> Result<(), StoreError> {
        tx.execute(&SET, binds![id, profile, config.to_string()]).await.map(drop)
    };
    db.store.write(work).await.unwrap();
}
