//! What the room itself reads from a document: the name that is unique, whether it is active, and the columns a user
//! is merged from.
use serde_json::Value as Json;

use super::match_key::first_of;
use super::nameless;
use crate::access::profile_merge::Columns;
use crate::scim::resource::Document;

/// A user document with what was read from it.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct UserAttributes {
    /// The name as said.
    pub user_name: String,
    /// The client's own id.
    pub external_id: Option<String>,
    /// Whether the directory lets this user in; absent means it does.
    pub active: bool,
    /// What it says of the user.
    pub columns: Columns,
}

impl UserAttributes {
    /// Reads a document that the schema has accepted.
    pub fn of(doc: &Document) -> Self {
        let user_name = text(doc, &["userName"]).unwrap_or_default();
        Self {
            external_id: text(doc, &["externalId"]),
            active: doc.get("active").and_then(Json::as_bool).unwrap_or(true),
            columns: columns(doc, &user_name),
            user_name,
        }
    }
}

/// A group document with what was read from it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct GroupAttributes {
    /// The name as said.
    pub display_name: String,
    /// The client's own id.
    pub external_id: Option<String>,
}

impl GroupAttributes {
    /// Reads a document that the schema has accepted.
    pub fn of(doc: &Document) -> Self {
        Self { display_name: text(doc, &["displayName"]).unwrap_or_default(), external_id: text(doc, &["externalId"]) }
    }
}

/// What a document says of the user.
pub(super) fn columns(doc: &Document, user_name: &str) -> Columns {
    let emails = doc.get("emails").and_then(Json::as_array);
    let email = emails.and_then(|list| first_of(list)?.get("value")?.as_str().map(str::to_owned));
    let user_name = if nameless::is(user_name) { "" } else { user_name };
    Columns {
        display_name: text(doc, &["displayName"]).or_else(|| text(doc, &["name", "formatted"])),
        given_name: text(doc, &["name", "givenName"]),
        family_name: text(doc, &["name", "familyName"]),
        email: email.or_else(|| user_name.contains('@').then(|| user_name.to_owned())),
        login_name: (!user_name.is_empty()).then(|| user_name.to_owned()),
    }
}

/// The names of the attributes in which two documents differ; those of an extension behind its URN.
pub(super) fn differences(old: &Document, new: &Document) -> Vec<String> {
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort();
    names.dedup();
    let mut changed = Vec::new();
    for name in names.into_iter().filter(|name| old.get(*name) != new.get(*name)) {
        let part = |doc: &Document| doc.get(name).and_then(Json::as_object).cloned().unwrap_or_default();
        if name.starts_with("urn:") {
            let inner = differences(&part(old), &part(new));
            changed.extend(inner.into_iter().map(|attribute| format!("{name}:{attribute}")));
        } else {
            changed.push(name.clone());
        }
    }
    changed
}

fn text(doc: &Document, path: &[&str]) -> Option<String> {
    let (first, rest) = path.split_first()?;
    let found = rest.iter().try_fold(doc.get(*first)?, |at, name| at.get(name))?;
    found.as_str().filter(|text| !text.trim().is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn doc(json: Json) -> Document {
        json.as_object().unwrap().clone()
    }

    #[test]
    fn a_bare_document_still_names_the_user() {
        let facts = UserAttributes::of(&doc(json!({"userName": "ada@cove.example"})));
        assert!(facts.active);
        assert_eq!(facts.columns.email.as_deref(), Some("ada@cove.example"));
        assert_eq!(facts.columns.login_name.as_deref(), Some("ada@cove.example"));
    }

    #[test]
    fn the_primary_address_counts() {
        let facts = UserAttributes::of(&doc(json!({"userName": "ada", "name": {"givenName": "Ada"}, "active": false,
            "emails": [{"value": "a@x.example"}, {"value": "b@x.example", "primary": true}]})));
        assert!(!facts.active);
        assert_eq!(facts.columns.given_name.as_deref(), Some("Ada"));
        assert_eq!(facts.columns.email.as_deref(), Some("b@x.example"));
    }

    #[test]
    fn differences_name_attributes_and_never_values() {
        let old = doc(json!({"userName": "ada", "title": "x", "urn:a:B": {"c": 1, "d": 2}}));
        let new = doc(json!({"userName": "ada", "active": true, "urn:a:B": {"c": 1, "d": 3}}));
        assert_eq!(differences(&old, &new), ["active", "title", "urn:a:B:d"]);
    }
}
