//! How long the texts of what a directory says may be: at every connection, because all of them come through this room.
use serde_json::Value as Json;

use super::ProvisionError;
use super::match_key::MatchKey;
use crate::domain::bounds::{INDEXED_TEXT_BYTES, TEXT_BYTES, fits, fits_index};
use crate::scim::error::{ScimError, ScimType};
use crate::scim::resource::Document;

/// Attributes of a user that end in an index: of the external user, or of the user it is merged into.
const OF_USERS: [&str; 7] =
    ["userName", "externalId", "displayName", "name.formatted", "name.givenName", "name.familyName", "emails.value"];

/// Attributes of a group that end in an index.
const OF_GROUPS: [&str; 2] = ["displayName", "externalId"];

/// Refuses a user some text of whom is too long. What is as it was `before` is left alone: somebody must always be able to
/// be switched off.
///
/// # Errors
/// 400 `invalidValue`, which names the attribute.
pub fn user(document: &Document, before: Option<&Document>, join: Option<&MatchKey>) -> Result<(), ScimError> {
    document_fits(document, before, &OF_USERS)?;
    match join {
        Some(key) if key.bytes().len() > INDEXED_TEXT_BYTES => {
            Err(too_long("what names the user at every connection of the directory", INDEXED_TEXT_BYTES))
        }
        _ => Ok(()),
    }
}

/// Refuses a group some text of which is too long.
///
/// # Errors
/// As [`user`].
pub fn group(document: &Document, before: Option<&Document>) -> Result<(), ScimError> {
    document_fits(document, before, &OF_GROUPS)
}

/// Refuses a stable id that is too long.
///
/// # Errors
/// As [`user`].
pub(super) fn stable_key(key: &str) -> Result<(), ScimError> {
    if fits_index(key) { Ok(()) } else { Err(too_long("the stable id", INDEXED_TEXT_BYTES)) }
}

fn document_fits(document: &Document, before: Option<&Document>, indexed: &[&str]) -> Result<(), ScimError> {
    let changed = document.iter().filter(|(name, value)| before.and_then(|before| before.get(*name)) != Some(*value));
    let mut path = Vec::new();
    for (name, value) in changed {
        path.push(name.as_str());
        if let Some((place, most)) = longest(&mut path, value, indexed) {
            return Err(too_long(&format!("\"{place}\""), most));
        }
        path.pop();
    }
    Ok(())
}

/// The first text that is too long, with what it may be.
fn longest<'d>(path: &mut Vec<&'d str>, value: &'d Json, indexed: &[&str]) -> Option<(String, usize)> {
    match value {
        Json::String(text) if !ends_in_index(path, indexed) => (!fits(text)).then(|| (written(path), TEXT_BYTES)),
        Json::String(text) => (!fits_index(text)).then(|| (written(path), INDEXED_TEXT_BYTES)),
        Json::Array(items) => items.iter().find_map(|item| longest(path, item, indexed)),
        Json::Object(map) => map.iter().find_map(|(name, value)| {
            path.push(name);
            let found = longest(path, value, indexed);
            path.pop();
            found
        }),
        _ => None,
    }
}

fn ends_in_index(path: &[&str], indexed: &[&str]) -> bool {
    indexed.iter().any(|name| name.split('.').eq(path.iter().copied()))
}

fn written(path: &[&str]) -> String {
    match path {
        [urn, rest @ ..] if urn.starts_with("urn:") => format!("{urn}:{}", rest.join(".")),
        path => path.join("."),
    }
}

fn too_long(what: &str, most: usize) -> ScimError {
    let mut what = what.to_owned();
    if let Some(first) = what.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    let folded = if most == INDEXED_TEXT_BYTES { ", as it is written or as it is compared" } else { "" };
    ScimError::new(ScimType::InvalidValue, format!("{what} is longer than {most} bytes{folded}. Nothing was changed."))
}

/// The refusal of one more user or group than a connection may have.
pub(super) fn full(what: &str, most: i64) -> ProvisionError {
    let text = format!(
        "This connection has {most} {what} already, which is the most: delete some, or ask whoever runs the server for \
         more. Nothing was changed."
    );
    ScimError::plain(403, text).into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn doc(json: Json) -> Document {
        json.as_object().unwrap().clone()
    }

    #[test]
    fn the_attribute_is_named_and_what_was_there_stays() {
        let long = "x".repeat(INDEXED_TEXT_BYTES + 1);
        for (name, value) in [
            ("userName", json!({"userName": long})),
            ("name.givenName", json!({"userName": "a", "name": {"givenName": long}})),
            ("emails.value", json!({"userName": "a", "emails": [{"value": "b"}, {"value": long}]})),
        ] {
            let document = doc(value);
            let error = user(&document, None, None).unwrap_err();
            assert!(error.detail.contains(&format!("\"{name}\"")), "{error}");
            assert_eq!(user(&document, Some(&document), None), Ok(()));
        }
        let title = |length| doc(json!({"title": "x".repeat(length), "urn:a:B": {"c": ["y".repeat(length)]}}));
        assert_eq!(user(&title(TEXT_BYTES), None, None), Ok(()));
        assert!(user(&title(TEXT_BYTES + 1), None, None).is_err());
        let inner = doc(json!({"urn:a:B": {"c": ["y".repeat(TEXT_BYTES + 1)]}}));
        assert!(user(&inner, None, None).unwrap_err().detail.contains("\"urn:a:B:c\""));
        assert!(group(&doc(json!({"displayName": "\u{fdfa}".repeat(40)})), None).is_err());
        assert!(user(&Document::new(), None, Some(&MatchKey::new("externalId", &long))).is_err());
        assert!(stable_key(&long).is_err());
    }
}
