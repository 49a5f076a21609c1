//! Join keys: which identifier of a directory names the same user at each of its connections.
use serde_json::Value as Json;

use crate::domain::text::fold;
use crate::scim::resource::Document;

/// The value of a directory's join attribute, ready to compare.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MatchKey {
    bytes: Vec<u8>,
    lasting: bool,
}

impl MatchKey {
    /// The key that `value` of `attribute` makes. Names and addresses are compared without regard to case and may be
    /// given to another user later; every other identifier is taken byte by byte and belongs to one user for good.
    pub fn new(attribute: &str, value: &str) -> Self {
        let reusable = value.contains('@') || REUSABLE.iter().any(|name| name.eq_ignore_ascii_case(leaf(attribute)));
        let text = if reusable { fold(value) } else { value.to_owned() };
        Self { bytes: text.into_bytes(), lasting: !reusable }
    }

    /// The key of a document, when it has a value for `attribute`: a SCIM attribute path such as `externalId`,
    /// `userName`, `emails.value` (the primary one, else the first) or an extension's URN, a colon and a name.
    pub fn of_document(attribute: &str, doc: &Document) -> Option<Self> {
        let (object, path) = match attribute.rsplit_once(':') {
            Some((urn, path)) => (doc.get(urn)?.as_object()?, path),
            None => (doc, attribute),
        };
        let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
        let found = match (object.get(first)?, rest) {
            (found, None) => found,
            (Json::Array(items), Some(name)) => first_of(items)?.get(name)?,
            (found, Some(name)) => found.get(name)?,
        };
        let value = match found {
            Json::Array(items) => first_of(items)?.get("value")?.as_str()?,
            single => single.as_str()?,
        };
        (!value.is_empty()).then(|| Self::new(attribute, value))
    }

    /// A key as it was stored, for a document whose key stays. Whether it belongs to one user for good is not known: it
    /// is rather forgotten than found again with somebody else.
    pub(super) fn stored(bytes: Vec<u8>) -> Self {
        Self { bytes, lasting: false }
    }

    /// The stored key of a user whose connection does not show `attribute` at the moment.
    pub fn kept(attribute: &str, bytes: Vec<u8>) -> Self {
        let lasting = std::str::from_utf8(&bytes).is_ok_and(|value| Self::new(attribute, value).lasting);
        Self { bytes, lasting }
    }

    /// The bytes that are stored and compared.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether the key stays with one user after the account is gone.
    pub fn lasting(&self) -> bool {
        self.lasting
    }
}

/// Attributes that hold names or addresses, in the words of the three connections.
const REUSABLE: [&str; 10] = [
    "userName",
    "mail",
    "email",
    "emails",
    "preferred_username",
    "upn",
    "userPrincipalName",
    "uid",
    "sAMAccountName",
    "cn",
];

fn leaf(attribute: &str) -> &str {
    let name = attribute.rsplit(':').next().unwrap_or(attribute);
    name.split('.').next().unwrap_or(name)
}

/// The element that counts of a list of many: the primary one, else the first.
pub(super) fn first_of(items: &[Json]) -> Option<&Json> {
    items.iter().find(|item| item.get("primary") == Some(&Json::Bool(true))).or_else(|| items.first())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn doc(json: Json) -> Document {
        json.as_object().unwrap().clone()
    }

    #[test]
    fn identifiers_keep_their_case_and_names_do_not() {
        let doc = doc(json!({"externalId": "00uA", "userName": "Ada", "emails": [
            {"value": "a@x.example"}, {"value": "Ada@X.example", "primary": true}]}));
        let key = |attribute| MatchKey::of_document(attribute, &doc).unwrap();
        assert_eq!((key("externalId").bytes(), key("externalId").lasting()), (&b"00uA"[..], true));
        assert_eq!((key("userName").bytes(), key("userName").lasting()), (&b"ada"[..], false));
        assert_eq!(key("emails.value").bytes(), b"ada@x.example");
        assert_eq!(key("emails").bytes(), b"ada@x.example");
        assert_eq!(MatchKey::of_document("title", &doc), None);
    }

    #[test]
    fn an_extension_attribute_is_found_behind_its_urn() {
        let urn = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
        let doc = doc(json!({urn: {"employeeNumber": "701984"}}));
        let key = MatchKey::of_document(&format!("{urn}:employeeNumber"), &doc).unwrap();
        assert_eq!((key.bytes(), key.lasting()), (&b"701984"[..], true));
    }
}
