//! Reading JSON from outside, within limits.
//!
//! Stricter than the JSON grammar: a key given twice, U+0000 anywhere, nesting
//! or size beyond the limits are refused while reading, before memory is spent.

use super::error::{Result, invalid_syntax};
use super::member_list::Growing;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

/// What one body may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonLimits {
    /// Deepest nesting of arrays and objects.
    pub depth: usize,
    /// Most values (scalars, arrays and objects) in all.
    pub values: usize,
}

impl Default for JsonLimits {
    fn default() -> Self {
        Self { depth: 24, values: 1_000_000 }
    }
}

/// Reads one JSON document.
///
/// # Errors
/// 400 `invalidSyntax` for anything that is not JSON in UTF-8, or is beyond
/// the limits.
pub fn read(bytes: &[u8], limits: JsonLimits) -> Result<Value> {
    read_from(bytes, limits, JsonPosition::Elsewhere)
}

/// Reads the body of a request about a group: a long list of its members becomes a [roll](super::roll).
///
/// # Errors
/// As [`read`].
pub fn read_group(bytes: &[u8], limits: JsonLimits) -> Result<Value> {
    read_from(bytes, limits, JsonPosition::Group)
}

fn read_from(bytes: &[u8], limits: JsonLimits, place: JsonPosition) -> Result<Value> {
    let budget = Cell::new(limits.values);
    let mut source = serde_json::Deserializer::from_slice(bytes);
    let seed = Guard { depth: limits.depth, budget: &budget, place };
    let value = seed.deserialize(&mut source).map_err(refuse)?;
    source.end().map_err(refuse)?;
    Ok(value)
}

fn refuse(error: serde_json::Error) -> super::error::ScimError {
    invalid_syntax(format!("The body is not usable JSON: {error}."))
}

/// What stands where a value is read, as far as members may be in it.
#[derive(Clone, Copy, PartialEq)]
enum JsonPosition {
    /// Anything without members.
    Elsewhere,
    /// A group, a PATCH of one, or the value of an operation that has no path.
    Group,
    /// The operations of a PATCH.
    Operations,
    /// One of them.
    Operation,
    /// The members.
    Members,
}

impl JsonPosition {
    /// The place of the elements of a list that stands here.
    fn element(self) -> Self {
        if self == Self::Operations { Self::Operation } else { Self::Elsewhere }
    }

    /// The place of the value of `key` of an object that stands here; `before` are the keys read so far. Where members
    /// go by other names the list is not shortened, and that is all.
    fn part(self, key: &str, before: &Map<String, Value>) -> Self {
        match (self, key) {
            (Self::Group, "members") => Self::Members,
            (Self::Group, "Operations") => Self::Operations,
            (Self::Operation, "value") => match before.get("path").and_then(Value::as_str) {
                Some("members") => Self::Members,
                Some(_) => Self::Elsewhere,
                None => Self::Group,
            },
            _ => Self::Elsewhere,
        }
    }
}

#[derive(Clone, Copy)]
struct Guard<'b> {
    depth: usize,
    budget: &'b Cell<usize>,
    place: JsonPosition,
}

impl Guard<'_> {
    fn at(self, place: JsonPosition) -> Self {
        Self { place, ..self }
    }

    fn deeper<E: serde::de::Error>(self) -> std::result::Result<Self, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Self { depth, ..self }),
            None => Err(E::custom("nested too deeply")),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Guard<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> std::result::Result<Value, D::Error> {
        match self.budget.get().checked_sub(1) {
            Some(left) => self.budget.set(left),
            None => return Err(D::Error::custom("too many values")),
        }
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Guard<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> std::result::Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> std::result::Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> std::result::Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> std::result::Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> std::result::Result<Value, E> {
        self.visit_string(value.to_owned())
    }

    fn visit_string<E: serde::de::Error>(self, value: String) -> std::result::Result<Value, E> {
        if value.contains('\0') {
            return Err(E::custom("the character U+0000 is not allowed"));
        }
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> std::result::Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> std::result::Result<Value, A::Error> {
        let inner = self.deeper()?.at(self.place.element());
        if self.place == JsonPosition::Members {
            let mut members = Growing::new();
            while let Some(member) = items.next_element_seed(inner)? {
                members.push(member);
            }
            return Ok(members.finish());
        }
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> std::result::Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if key.contains('\0') {
                return Err(A::Error::custom("the character U+0000 is not allowed"));
            }
            if map.contains_key(&key) {
                return Err(A::Error::custom(format!("the key \"{key}\" is given twice")));
            }
            let value = entries.next_value_seed(inner.at(self.place.part(&key, &map)))?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

/// The member of `map` called `name`, whatever its case (A01).
#[must_use]
pub fn get<'a>(map: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    map.get(name).or_else(|| map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

/// Takes the member of `map` called `name`, whatever its case (A01).
pub fn take(map: &mut Map<String, Value>, name: &str) -> Option<Value> {
    if let Some(value) = map.remove(name) {
        return Some(value);
    }
    let key = map.keys().find(|key| key.eq_ignore_ascii_case(name))?;
    let key = key.clone();
    map.remove(&key)
}

/// Refuses a map in which one name is given twice in different cases (A01): which of the two counts would be chance.
///
/// # Errors
/// 400 `invalidSyntax`.
pub fn refuse_twins(map: &Map<String, Value>) -> Result<()> {
    let mut seen = HashSet::with_capacity(map.len());
    match map.keys().find(|key| !seen.insert(key.to_ascii_lowercase())) {
        None => Ok(()),
        Some(key) => Err(invalid_syntax(format!("\"{key}\" is given twice, in different cases."))),
    }
}

/// The name of a value's JSON type, for error texts.
#[must_use]
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::member_list::LONG;
    use proptest::prelude::*;
    use serde_json::json;

    fn refused(text: &str) -> String {
        let error = read(text.as_bytes(), JsonLimits::default()).unwrap_err();
        assert_eq!(error.status, 400);
        error.detail.into_owned()
    }

    #[test]
    fn hostile_bodies_are_refused_cleanly() {
        assert!(refused(&"[".repeat(10_000)).contains("deeply"));
        assert!(refused(&"{\"a\":".repeat(10_000)).contains("deeply"));
        assert!(refused(r#"{"a":1,"a":2}"#).contains("twice"));
        assert!(refused(r#"{"a":"x\u0000y"}"#).contains("U+0000"));
        assert!(refused(r#"{"\u0000":1}"#).contains("U+0000"));
        assert!(refused("{} {}").contains("trailing"));
        let flood = format!("[{}1]", "1,".repeat(50));
        let limits = JsonLimits { depth: 4, values: 20 };
        assert!(read(flood.as_bytes(), limits).is_err());
        assert!(read(b"\"\xff\"", JsonLimits::default()).is_err());
        assert!(read(b"", JsonLimits::default()).is_err());
    }

    #[test]
    fn limits_are_reached_before_they_are_exceeded() {
        let limits = JsonLimits { depth: 2, values: 5 };
        let accepted = |text: &str| read(text.as_bytes(), limits).is_ok();
        assert!(accepted(r#"[{"a":1},[]]"#) && accepted("[1,2,3,4]"));
        assert!(!accepted(r#"[{"a":[]}]"#) && !accepted("[[[]]]") && !accepted("[1,2,3,4,5]"));
    }

    #[test]
    fn long_lists_of_members_are_rolled_only_where_members_stand() {
        let list = |count: usize| vec![json!({"value": "x"}); count];
        let long = json!(list(LONG + 1));
        let read = |body: &Value| read_group(body.to_string().as_bytes(), JsonLimits::default()).unwrap();
        let rolled =
            |value: &Value| crate::scim::member_list::entries(value).is_some_and(|entries| entries.count() == LONG + 1);
        assert!(rolled(&read(&json!({"members": long}))["members"]));
        let patch = json!({"Operations": [
            {"op": "add", "path": "members", "value": long},
            {"op": "add", "value": {"members": long}},
            {"op": "add", "path": "emails", "value": long},
            {"op": "add", "path": "x", "value": {"members": long}},
            {"op": "add", "value": long}]});
        let kept = read(&patch);
        assert!(rolled(&kept["Operations"][0]["value"]) && rolled(&kept["Operations"][1]["value"]["members"]));
        for at in 2..5 {
            assert_eq!(kept["Operations"][at], patch["Operations"][at]);
        }
        for same in [json!({"members": list(LONG)}), json!({"other": long}), json!({"x": {"members": long}}), long] {
            assert_eq!(read(&same), same);
            assert_eq!(super::read(same.to_string().as_bytes(), JsonLimits::default()).unwrap(), same);
        }
        let few = JsonLimits { depth: 3, values: LONG };
        assert!(read_group(json!({"members": list(LONG + 1)}).to_string().as_bytes(), few).is_err());
    }

    #[test]
    fn members_are_found_and_taken_whatever_their_case() {
        let map = || json!({"Ab": 1, "c": 2}).as_object().cloned().unwrap();
        assert_eq!(get(&map(), "aB"), Some(&json!(1)));
        assert_eq!(get(&map(), "d"), None);
        let mut rest = map();
        assert_eq!(take(&mut rest, "AB"), Some(json!(1)));
        assert_eq!(take(&mut rest, "ab"), None);
        assert_eq!(Value::Object(rest), json!({"c": 2}));
    }

    #[test]
    fn a_type_has_a_name_users_know() {
        let values = [json!(null), json!(true), json!(1), json!("x"), json!([]), json!({})];
        let names = values.each_ref().map(type_name);
        assert_eq!(names, ["null", "a boolean", "a number", "a string", "an array", "an object"]);
    }

    fn documents() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-1e9..1e9f64).prop_map(Value::from),
            "[^\u{0}]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z]{0,3}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_read_as_it_was_written(document in documents()) {
            let text = document.to_string();
            prop_assert_eq!(read(text.as_bytes(), JsonLimits::default()).unwrap(), serde_json::from_str::<Value>(&text).unwrap());
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&bytes, JsonLimits::default());
        }
    }
}
