//! The doctor finds what is broken and nothing else.
use rolecall::cli::doctor::examine;
use rolecall::store::{Statement, StoreError, Tx};
use rolecall::{binds, statements};

use crate::app::App;
use crate::support::database::on_both;
use crate::support::world::World;

statements! {
    NO_ANCESTOR = "DELETE FROM partner_ancestor";
    NO_CLOSURE = "DELETE FROM group_closure";
    NO_DEFAULT = "UPDATE user_group SET is_default = FALSE";
    NO_VERSION = "UPDATE external_user SET version = 0";
    FORGED = "UPDATE event SET data = '{}' WHERE seq = 1";
}

on_both! {
    async fn a_sound_store_is_sound_and_each_wound_is_named(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.doors[0]).await;
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
        assert_eq!(found.len(), wounds.len(), "{found:?}");
    }
}
