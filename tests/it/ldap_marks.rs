//! By what a run knows who is as before: written once, and anew when another way of reading says the same.
use rolecall::store::first;
use rolecall::{binds, statements};
use serde_json::json;

use crate::ldap_sync::{Lab, config};
use crate::support::database::on_both;
use crate::support::slapd::{Slapd, Tree, user_dn};

statements! {
    HASHES = "SELECT content_hash FROM external_users WHERE connection_id = $1 ORDER BY user_name";
    VERSIONS = "SELECT CAST(SUM(version) AS BIGINT) FROM external_users WHERE connection_id = $1";
    FORGET = "UPDATE external_users SET content_hash = substr(content_hash, 1, 32) WHERE connection_id = $1";
}

async fn hashes(lab: &Lab) -> Vec<Vec<u8>> {
    lab.store.reader().await.unwrap().all(&HASHES, binds![lab.connection], first).await.unwrap()
}

async fn versions(lab: &Lab) -> i64 {
    lab.store.reader().await.unwrap().one(&VERSIONS, binds![lab.connection], first).await.unwrap()
}

on_both! {
    async fn who_is_as_before_is_known_by_the_entry_alone(db: &Database) {
        let mut tree = Tree::new();
        tree.users(30);
        tree.group("everyone", &[user_dn("u001"), user_dn("u002")]);
        let slapd = Slapd::start(&tree).await;
        let lab = Lab::new(&db.store, &slapd.address).await;
        assert_eq!(lab.run().await.users.created, 30);
        let (made, at_first) = (hashes(&lab).await, versions(&lab).await);
        assert!(made.iter().all(|hash| hash.len() == 64));
        assert_eq!(lab.run().await.users.unchanged, 30);
        assert_eq!(hashes(&lab).await, made);

        // Another way of reading that says the same changes nobody, and is remembered.
        let mut otherwise = config(&slapd.address);
        otherwise["attributes"] = json!({"cost_center": ["roomNumber"]});
        lab.configure(otherwise).await;
        let dry = lab.dry().await;
        assert_eq!((dry.users.unchanged, dry.users.changed), (30, 0));
        assert_eq!(hashes(&lab).await, made, "looking writes nothing");
        let report = lab.run().await;
        assert_eq!((report.users.unchanged, report.users.changed), (30, 0));
        let now = hashes(&lab).await;
        assert!(made.iter().zip(&now).all(|(before, now)| before != now && before[..32] == now[..32]));
        assert_eq!(versions(&lab).await, at_first, "nobody's version moved");
        assert_eq!(lab.run().await.users.unchanged, 30);
        assert_eq!(hashes(&lab).await, now);

        // A hash of documents alone is completed.
        lab.store.write(async |tx| tx.execute(&FORGET, binds![lab.connection]).await).await.unwrap();
        assert_eq!(lab.run().await.users.unchanged, 30);
        assert_eq!(hashes(&lab).await, now);

        slapd.set(&user_dn("u007"), "mail", &["other@example.com"]).await;
        let report = lab.run().await;
        assert_eq!((report.users.unchanged, report.users.changed), (29, 1));
        assert_eq!(hashes(&lab).await.iter().zip(&now).filter(|(one, two)| one != two).count(), 1);
    }
}
