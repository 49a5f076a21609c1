//! The doctor finds what is broken and nothing else.
use rolecall::cli::doctor::examine;
use rolecall::store::{Statement, Store, StoreError, Tx};
use rolecall::{binds, statements};
use serde_json::json;

use crate::app::App;
use crate::support::database::on_both;
use crate::support::stage::Stage;
use crate::support::world::World;

statements! {
    NO_ANCESTOR = "DELETE FROM partner_ancestors";
    NO_CLOSURE = "DELETE FROM external_group_ancestors";
    FORGOTTEN = "DELETE FROM attribute_condition_members WHERE condition_id IN \
        (SELECT id FROM attribute_conditions WHERE expression LIKE '%department%')";
    ALL_NOTED = "INSERT INTO attribute_condition_members (condition_id, external_user_id) SELECT c.id, u.id FROM attribute_conditions c \
        JOIN external_users u ON u.directory_id = c.directory_id WHERE c.expression LIKE '%department%'";
    NO_DEFAULT = "UPDATE user_groups SET is_default = FALSE";
    NO_VERSION = "UPDATE external_users SET version = 0";
    FORGED = "UPDATE events SET data = '{}' WHERE seq = 1";
}

on_both! {
    async fn a_sound_store_is_sound_and_each_wound_is_named(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let user = scim.user("ida@harbor.example").await.id();
        let inner = scim.group("Inner", &[&user]).await.id();
        scim.group("Outer", &[&inner]).await;
        app.stop().await;
        while rolecall::provision::events::seal(&db.store).await.unwrap() > 0 {}
        assert_eq!(examine(&db.store).await.unwrap(), Vec::<String>::new());

        let wounds: [(&'static Statement, &str); 5] = [
            (&NO_ANCESTOR, "1 pairs of a partner and one above it are missing."),
            (&NO_CLOSURE, "3 pairs of nested external groups are missing."),
            (&NO_DEFAULT, "1 partners have no default group."),
            (&NO_VERSION, "1 external users have a version or time that cannot be."),
            (&FORGED, "The log of events is broken at line 1: a line was changed, or taken out."),
        ];
        for (wound, _) in wounds {
            let make = async |tx: &mut Tx| tx.execute(wound, binds![]).await.map(drop);
            db.store.write::<(), StoreError>(make).await.unwrap();
        }
        let found = examine(&db.store).await.unwrap();
        for (_, sentence) in wounds {
            assert!(found.iter().any(|finding| finding == sentence), "{sentence}: {found:?}");
        }
        // The group that is no default any more has another number of members than is told.
        let told = "1 user groups have another number of members than the one that is kept.";
        assert!(found.iter().any(|finding| finding == told), "{found:?}");
        assert_eq!(found.len(), wounds.len() + 1, "{found:?}");
    }

    async fn a_condition_that_is_noted_wrongly_is_found(db: &Database) {
        let stage = Stage::open(db).await;
        let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
        for (name, department) in [("ida", "IT"), ("bo", "it"), ("eva", "Sales")] {
            let body = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", enterprise],
                "userName": name, enterprise: {"department": department}});
            assert_eq!(stage.scim.post("/Users", body).await.status, 201);
        }
        stage.console.app.stop().await;
        assert_eq!(conditions(&db.store).await, None);
        db.execute(&FORGOTTEN, binds![]).await;
        assert_eq!(conditions(&db.store).await.as_deref(), Some("2"));
        db.execute(&ALL_NOTED, binds![]).await;
        assert_eq!(conditions(&db.store).await.as_deref(), Some("1"));
    }
}

/// Of how many users the doctor says that a condition is noted wrongly.
async fn conditions(store: &Store) -> Option<String> {
    let found = examine(store).await.unwrap();
    let said =
        found.iter().find_map(|finding| finding.strip_suffix(" that does not hold for them, or lack one that does."));
    said.and_then(|said| said.strip_suffix(" users have a condition noted")).map(str::to_owned)
}
