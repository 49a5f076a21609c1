//! Takes secrets out of what the log of requests keeps.
use serde_json::{Map, Value};

/// Longest body that is kept.
const LONGEST: usize = 16 * 1024;

const HIDDEN: &str = "[hidden]";

/// A body without secrets; a long one only by its size.
pub fn body(value: &Value, bytes: usize) -> String {
    if bytes > LONGEST {
        return format!("[{bytes} bytes]");
    }
    without_secrets(value).to_string()
}

/// A path with its query; a filter or value that speaks of a secret is hidden.
pub fn path(path: &str) -> String {
    match path.split_once('?') {
        Some((path, query)) if speaks_of_secret(query) => format!("{path}?{HIDDEN}"),
        _ => path.chars().take(2_048).collect(),
    }
}

fn without_secrets(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            // The value of a PATCH operation is as secret as what its path names.
            let secret_path = map
                .iter()
                .any(|(key, value)| key.eq_ignore_ascii_case("path") && value.as_str().is_some_and(speaks_of_secret));
            let hide = |key: &str| is_secret(key) || (secret_path && key.eq_ignore_ascii_case("value"));
            let shown = map.iter().map(|(key, value)| {
                let value = if hide(key) && !value.is_null() { HIDDEN.into() } else { without_secrets(value) };
                (key.clone(), value)
            });
            Value::Object(shown.collect::<Map<_, _>>())
        }
        Value::Array(list) => Value::Array(list.iter().map(without_secrets).collect()),
        other => other.clone(),
    }
}

/// Whether a key, perhaps with its schema's URN before it, names a secret.
fn is_secret(key: &str) -> bool {
    let name = key.rsplit(':').next().unwrap_or(key);
    ["password", "secret", "token"].iter().any(|secret| name.eq_ignore_ascii_case(secret))
}

fn speaks_of_secret(text: &str) -> bool {
    text.to_ascii_lowercase().contains("password")
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
            {"op": "add", "path": "title", "value": "seen"}]});
        let kept = body(&sent, 100);
        for secret in ["s1", "s2", "s3", "s4"] {
            assert!(!kept.contains(secret), "{kept}");
        }
        assert!(kept.contains("ida") && kept.contains("kept") && kept.contains("seen"));
        assert_eq!(body(&sent, 1 << 20), "[1048576 bytes]");
        assert_eq!(path("/Users?filter=password%20eq%20%22x%22"), "/Users?[hidden]");
        assert_eq!(path("/Users?count=1"), "/Users?count=1");
    }
}
