//! Which settings differ, in words that are short and give no secret away.
use serde_json::Value;

/// Most characters of a value that are shown.
const SHOWN: usize = 80;

/// Names of settings whose values are not shown, should somebody have put a secret where none belongs.
const HIDDEN: [&str; 4] = ["secret", "password", "token", "key"];

/// One line for each setting that is not the same: `issuer "a" → "b"`.
pub(super) fn differences(before: &Value, after: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare("", Some(before), Some(after), &mut found);
    found
}

fn compare(name: &str, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<String>) {
    let (old, new) = (before.and_then(Value::as_object), after.and_then(Value::as_object));
    match (old, new) {
        _ if before == after => {}
        (Some(old), Some(new)) => {
            let added = new.keys().filter(|key| !old.contains_key(*key));
            for key in old.keys().chain(added) {
                let path = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                compare(&path, old.get(key), new.get(key), found);
            }
        }
        _ if HIDDEN.iter().any(|word| name.to_lowercase().contains(word)) => found.push(format!("{name} changed")),
        _ => found.push(match (before, after) {
            (None, Some(after)) => format!("{name} = {}", shown(after)),
            (Some(before), None) => format!("{name} {} → not set", shown(before)),
            (before, after) => {
                format!("{name} {} → {}", before.map_or_else(String::new, shown), after.map_or_else(String::new, shown))
            }
        }),
    }
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= SHOWN { text } else { text.chars().take(SHOWN).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_differs_is_told() {
        let before = json!({"urls": ["a"], "users": {"bases": ["x"], "scope": "one"}, "page_size": 5});
        let after = json!({"urls": ["b"], "users": {"bases": ["x"]}, "bind_dn": "cn=r", "page_size": 5});
        let told = differences(&before, &after);
        assert_eq!(told, [r#"urls ["a"] → ["b"]"#, r#"users.scope "one" → not set"#, r#"bind_dn = "cn=r""#]);
    }

    #[test]
    fn misplaced_secrets_and_long_values_are_not_shown_in_full() {
        let after = json!({"bind_password": "hunter2", "ca": "x".repeat(500)});
        let told = differences(&json!({}), &after).join("; ");
        assert!(told.contains("bind_password changed") && !told.contains("hunter2") && told.len() < 200, "{told}");
    }
}
