//! Claims as a JSON object whose names are each said once.
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// A JSON object in which no object, at any depth, repeats a name. Of a repeated name some readers take
/// the first and some the last, so two of them would see different users. A claim that is `null` is not said
/// (OpenID Connect Core 1.0 §5.3.2).
#[derive(Clone, PartialEq, Debug)]
pub struct Claims(Map<String, Value>);

impl Claims {
    /// The value of a claim.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The text of a claim; `None` when absent or not a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    /// A claim in seconds since 1970, fractions dropped.
    pub fn seconds(&self, name: &str) -> Option<i64> {
        let value = self.get(name)?;
        #[allow(
            clippy::cast_possible_truncation,
            reason = "a cast of a float saturates, and the far ends fail every check"
        )]
        value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64))
    }

    /// The text of a claim that is not blank; else of the same claim in some language (`name#ja`, OpenID Connect Core
    /// 1.0 §5.2).
    pub fn words(&self, name: &str) -> Option<&str> {
        let spoken = |text: &&str| !text.trim().is_empty();
        self.text(name).filter(spoken).or_else(|| {
            let tagged =
                self.0.iter().filter(|(key, _)| key.strip_prefix(name).is_some_and(|rest| rest.starts_with('#')));
            tagged.filter_map(|(_, value)| value.as_str()).find(spoken)
        })
    }

    /// Whether the provider says in so many words that it has verified what `name` holds. Whatever is not `true` is no.
    pub fn is_proven(&self, name: &str) -> bool {
        let proof = PROVEN_BY.iter().find(|(proven, _)| *proven == name).map(|(_, proof)| *proof);
        proof.is_some_and(|proof| self.get(proof) == Some(&Value::Bool(true)))
    }

    /// Takes from `more` what is not said here. What proves a value is never taken for another value.
    pub fn complete(&mut self, mut more: Self) {
        for (name, proof) in PROVEN_BY {
            match (self.0.get(name), more.0.get(name)) {
                (None, Some(_)) => drop(self.0.remove(proof)),
                (Some(here), Some(there)) if here == there => {}
                _ => drop(more.0.remove(proof)),
            }
        }
        for (name, value) in more.0 {
            self.0.entry(name).or_insert(value);
        }
    }

    /// All of them.
    pub fn into_value(self) -> Value {
        Value::Object(self.0)
    }
}

impl<'de> Deserialize<'de> for Claims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_any(Once)? {
            Value::Object(mut map) => {
                map.retain(|_, value| !value.is_null());
                Ok(Self(map))
            }
            _ => Err(D::Error::custom("not an object")),
        }
    }
}

/// Claims that users may enter themselves, each with the one that says that the provider has verified it (OpenID Connect
/// Core 1.0 §5.1).
const PROVEN_BY: [(&str, &str); 2] = [("email", "email_verified"), ("phone_number", "phone_number_verified")];

/// Reads any JSON and refuses repeated names.
struct Once;

impl<'de> serde::de::DeserializeSeed<'de> for Once {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Once {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without repeated names")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Once)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if map.contains_key(&name) {
                return Err(A::Error::custom("a name is repeated"));
            }
            let value = members.next_value_seed(Once)?;
            map.insert(name, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_name_is_refused_at_any_depth() {
        for bad in [r#"{"a":1,"a":1}"#, r#"{"a":{"b":1,"b":2}}"#, r#"{"a":[{"b":1,"\u0062":2}]}"#, "[]", "1"] {
            assert!(serde_json::from_str::<Claims>(bad).is_err(), "{bad}");
        }
        let claims: Claims =
            serde_json::from_str(r#"{"a":{"b":1},"c":{"b":[null,true,-1,1.5,"x"]},"iat":12.9}"#).unwrap();
        assert_eq!(claims.get("c"), Some(&serde_json::json!({"b": [null, true, -1, 1.5, "x"]})));
        assert_eq!(claims.seconds("iat"), Some(12));
    }

    #[test]
    fn completing_never_replaces() {
        let mut claims: Claims = serde_json::from_str(r#"{"sub":"a"}"#).unwrap();
        claims.complete(serde_json::from_str(r#"{"sub":"b","email":"x@y"}"#).unwrap());
        assert_eq!((claims.text("sub"), claims.text("email")), (Some("a"), Some("x@y")));
    }

    #[test]
    fn what_proves_a_value_stays_with_it() {
        let read = |text: &str| serde_json::from_str::<Claims>(text).unwrap();
        for (here, more, address, proven) in [
            (r#"{"email":"a@x"}"#, r#"{"email":"a@x","email_verified":true}"#, "a@x", true),
            (r#"{"email":"a@x"}"#, r#"{"email":"b@x","email_verified":true}"#, "a@x", false),
            (r#"{"email":"a@x"}"#, r#"{"email_verified":true}"#, "a@x", false),
            (r#"{"email_verified":true}"#, r#"{"email":"b@x"}"#, "b@x", false),
            (r#"{"email_verified":true}"#, r#"{"email":"b@x","email_verified":false}"#, "b@x", false),
            (r#"{"email":null,"email_verified":true}"#, r#"{"email":"b@x","email_verified":true}"#, "b@x", true),
            (r#"{"email":"a@x","email_verified":false}"#, r#"{"email":"a@x","email_verified":true}"#, "a@x", false),
            (r#"{"email":"a@x","email_verified":"true"}"#, r#"{}"#, "a@x", false),
        ] {
            let mut claims = read(here);
            claims.complete(read(more));
            assert_eq!((claims.text("email"), claims.is_proven("email")), (Some(address), proven), "{here} + {more}");
        }
    }

    #[test]
    fn words_are_found_in_any_language() {
        let claims: Claims =
            serde_json::from_str(r#"{"name":" ","name#ja":"アダ","names":"x","family_name":null}"#).unwrap();
        assert_eq!((claims.words("name"), claims.words("family_name")), (Some("アダ"), None));
    }
}
