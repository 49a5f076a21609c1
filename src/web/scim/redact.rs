//! Takes secrets out of what the log of requests keeps.
use std::borrow::Cow;

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::Value;
use url::form_urlencoded;

use crate::store::request_log::LoggedBody;

/// Longest body that is kept.
const LONGEST: usize = 16 * 1024;

const HIDDEN: &str = "[hidden]";

/// A body without secrets; a long one only by its size.
pub fn body(value: &Value, bytes: usize) -> Option<LoggedBody> {
    if bytes > LONGEST { LoggedBody::of(&format!("[{bytes} bytes]")) } else { LoggedBody::of(&Shown(value)) }
}

/// A path with its query as users read it; a query that speaks of a secret is hidden.
pub fn path(path: &str) -> String {
    let Some((path, query)) = path.split_once('?') else { return shown(path) };
    let pair = |(name, value): (Cow<'_, str>, Cow<'_, str>)| format!("{name}={value}");
    let query = form_urlencoded::parse(query.as_bytes()).map(pair).collect::<Vec<_>>().join("&");
    if speaks_of_secret(&query) { shown(&format!("{path}?{HIDDEN}")) } else { shown(&format!("{path}?{query}")) }
}

fn shown(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).take(2_048).collect()
}

/// A document, written without its secrets.
struct Shown<'a>(&'a Value);

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let map = match self.0 {
            Value::Object(map) => map,
            Value::Array(list) => return serializer.collect_seq(list.iter().map(Shown)),
            other => return other.serialize(serializer),
        };
        // The value of a PATCH operation is as secret as what its path names.
        let secret_path = map
            .iter()
            .any(|(key, value)| key.eq_ignore_ascii_case("path") && value.as_str().is_some_and(speaks_of_secret));
        let hidden = |key: &str, value: &Value| {
            let asked = key.eq_ignore_ascii_case("filter") && value.as_str().is_some_and(speaks_of_secret);
            !value.is_null() && (is_secret(key) || asked || (secret_path && key.eq_ignore_ascii_case("value")))
        };
        let mut shown = serializer.serialize_map(Some(map.len()))?;
        for (key, value) in map {
            match hidden(key, value) {
                true => shown.serialize_entry(key, HIDDEN)?,
                false => shown.serialize_entry(key, &Shown(value))?,
            }
        }
        shown.end()
    }
}

/// Whether a key, perhaps with its schema's URN before it, names a secret.
fn is_secret(key: &str) -> bool {
    speaks_of_secret(key.rsplit(':').next().unwrap_or(key))
}

fn speaks_of_secret(text: &str) -> bool {
    const SECRETS: [&[u8]; 4] = [b"password", b"passwd", b"secret", b"token"];
    let begins =
        |from: &[u8], secret: &[u8]| from.get(..secret.len()).is_some_and(|word| word.eq_ignore_ascii_case(secret));
    let bytes = text.as_bytes();
    let mut places = (0..bytes.len()).filter_map(|at| bytes.get(at..));
    places.any(|from| {
        matches!(from.first(), Some(b'p' | b'P' | b's' | b'S' | b't' | b'T'))
            && SECRETS.iter().any(|secret| begins(from, secret))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_are_hidden_wherever_they_stand() {
        let sent = json!({"userName": "ida", "PassWord": "s1", "urn:x:User:password": "s2", "Operations": [
            {"op": "replace", "path": "password", "value": "s3"},
            {"op": "replace", "value": {"password": "s4", "title": "kept"}},
            {"op": "add", "path": "title", "value": "seen"}], "password": null, "a": [1, {"xTOKENx": ["s7"]}]});
        let body = |value, bytes| body(value, bytes).unwrap().text().into_owned();
        let kept = body(&sent, 100);
        for secret in ["s1", "s2", "s3", "s4", "s7"] {
            assert!(!kept.contains(secret), "{kept}");
        }
        assert!(kept.contains("ida") && kept.contains("kept") && kept.contains("seen"));
        assert_eq!(body(&sent, 1 << 20), "[1048576 bytes]");
        let search = json!({"filter": "password eq \"s5\"", "apiToken": "s6"});
        assert_eq!(body(&search, 100), r#"{"apiToken":"[hidden]","filter":"[hidden]"}"#);
        assert_eq!(body(&json!({"filter": "userName eq \"ida\""}), 100), r#"{"filter":"userName eq \"ida\""}"#);
        assert_eq!(path("/Users?filter=pass%77ord%20eq%20%22x%22"), "/Users?[hidden]");
        assert_eq!(path("/Users?access_token=x"), "/Users?[hidden]");
        assert_eq!(path("/Users?filter=userName+eq%20%22ida@x%22%0a"), "/Users?filter=userName eq \"ida@x\" ");
        assert_eq!(path("/Users?count=1"), "/Users?count=1");
    }
}
