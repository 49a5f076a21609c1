//! The addresses of external users, for finding a user by any of them. An address that is the user name as well is not
//! written here: most users have only that one, and the name has an index of its own.
use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use super::extent::ConnectionExtent;
use super::{StoreError, Tx};
use crate::domain::bounds::INDEXED_TEXT_BYTES;
use crate::domain::id::ExternalUserId;
use crate::domain::text::fold;
use crate::{binds, statements};

statements! {
    ADD: insert[Uuid, Bytes, Uuid] = "INSERT INTO external_user_emails (connection_id, email_key, external_user_id) VALUES ($1, $2, $3) \
        ON CONFLICT DO NOTHING";
    CLEAR = "DELETE FROM external_user_emails WHERE external_user_id = $1";
}

/// Longer addresses come from a time before there was a bound; they are not indexed.
const LONGEST: usize = INDEXED_TEXT_BYTES;

/// Whether the index knows addresses of this length.
pub(super) fn knows(folded: &str) -> bool {
    folded.len() <= LONGEST
}

/// The users, by id, who may have one of the addresses that the parameters `keys` hold, folded: all who have it are
/// among them.
pub(super) fn candidates(keys: &str) -> [String; 2] {
    [
        format!("SELECT id FROM external_users WHERE connection_id = $1 AND user_name_key IN ({keys})"),
        format!("SELECT external_user_id FROM external_user_emails WHERE connection_id = $1 AND email_key IN ({keys})"),
    ]
}

/// The addresses of a document that are to be written, folded.
pub(super) fn others(doc: &Map<String, Json>, user_name: &str) -> BTreeSet<String> {
    let emails = doc.get("emails").and_then(Json::as_array).into_iter().flatten();
    let folded = emails.filter_map(|email| email.get("value").and_then(Json::as_str)).map(fold);
    let name = fold(user_name);
    folded.filter(|address| address.len() <= LONGEST && *address != name).collect()
}

/// Makes the rows of a user `now`, where they were `before`.
pub(super) async fn keep(
    tx: &mut Tx,
    at: &ConnectionExtent,
    member: ExternalUserId,
    before: &BTreeSet<String>,
    now: BTreeSet<String>,
) -> Result<(), StoreError> {
    if *before == now {
        return Ok(());
    }
    if !before.is_empty() {
        clear(tx, member).await?;
    }
    let rows = now.into_iter().map(|address| binds![at.connection(), address.into_bytes(), member]);
    tx.later(&ADD, rows).await
}

/// Takes all rows of a user out.
pub(super) async fn clear(tx: &mut Tx, member: ExternalUserId) -> Result<(), StoreError> {
    tx.execute(&CLEAR, binds![member]).await.map(drop)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_addresses_the_name_does_not_find_are_written() {
        let doc = json!({"emails": [{"value": "Ida@Example.com"}, {"value": "i.berg@example.com"}, {"type": "work"},
            {"value": "x".repeat(LONGEST + 1)}]});
        let found = others(doc.as_object().unwrap(), "ida@example.com");
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["i.berg@example.com"]);
    }
}
