//! References between the resources of one connection, as URLs (RFC 7643 §2.3.7, §2.4; A16).
//!
//! Before anything else reads a request, [`localise`] makes the connection's own URLs relative; whatever is still
//! absolute after that is another server's, and names nothing here.

use super::filter::{FilterAst, Literal};
use super::json::get;
use super::member_list;
use super::path::{AttrPath, PatchPath};
use serde_json::Value;

/// Makes the connection's own URLs relative wherever a request refers to a resource: in every `$ref`, and in the paths of
/// PATCH operations. `base` is the base address of the connection, without a slash at the end.
pub fn localise(body: &mut Value, base: &str) {
    match body {
        Value::Array(items) => items.iter_mut().for_each(|item| localise(item, base)),
        Value::Object(map) => {
            let path = get(map, "path").and_then(Value::as_str);
            let to_reference = path.is_some_and(|path| path.to_ascii_lowercase().ends_with(".$ref"));
            for (key, value) in map {
                match value {
                    Value::String(text) if key.eq_ignore_ascii_case("$ref") => shorten(text, base),
                    Value::String(text) if to_reference && key.eq_ignore_ascii_case("value") => shorten(text, base),
                    Value::String(text) if key.eq_ignore_ascii_case("path") && text.contains('[') => {
                        in_path(text, base);
                    }
                    other => localise(other, base),
                }
            }
        }
        Value::String(_) => member_list::change_references(body, |url| shorten(url, base)),
        _ => {}
    }
}

/// Makes the connection's own URLs relative in a filter.
pub fn localise_filter(filter: &mut FilterAst, base: &str) {
    filter.comparisons_mut(&mut |_, path, value| {
        if let (true, Literal::Text(text)) = (is_reference(path), value) {
            shorten(text, base);
        }
    });
}

fn in_path(text: &mut String, base: &str) {
    let Ok(mut path) = PatchPath::parse(text) else { return };
    let Some(filter) = &mut path.filter else { return };
    let before = filter.clone();
    localise_filter(filter, base);
    if *filter != before {
        *text = path.to_string();
    }
}

fn is_reference(path: &AttrPath) -> bool {
    let last = path.sub.as_ref().unwrap_or(&path.name);
    last == "$ref" || (path.name.eq_ignore_ascii_case("meta") && last.eq_ignore_ascii_case("location"))
}

/// Cuts the base address, with or without its version, off the front of a URL below it.
fn shorten(url: &mut String, base: &str) {
    let unversioned = base.strip_suffix("/v2").unwrap_or(base);
    for front in [base, unversioned] {
        let below = url.get(..front.len()).is_some_and(|head| head.eq_ignore_ascii_case(front));
        let rest = url.get(front.len()..).unwrap_or_default();
        if below && rest.starts_with('/') && rest.matches('/').count() == 2 {
            url.replace_range(..front.len(), "");
            return;
        }
    }
}

/// The collection, if it is named, and the id that a relative reference ends in; none for an absolute one.
#[must_use]
pub fn target(url: &str) -> Option<(Option<&str>, &str)> {
    let scheme = url.split(['/', '?', '#']).next().is_some_and(|head| head.contains(':'));
    if scheme || url.starts_with("//") {
        return None;
    }
    let mut segments = url.rsplit('/');
    let id = segments.next().filter(|id| !id.is_empty())?;
    Some((segments.next().filter(|name| !name.is_empty() && !name.starts_with('.')), id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const BASE: &str = "https://rolecall.example/scim/harbor/v2";

    #[test]
    fn a16_own_urls_become_relative() {
        let mut body = json!({"members": [{"$ref": format!("{BASE}/Users/1")}, {"$REF": "https://Rolecall.example/scim/harbor/Users/2"}],
            "photos": [{"value": format!("{BASE}/Users/1")}],
            "Operations": [{"path": "urn:x:User:manager.$ref", "value": format!("{BASE}/Users/3")},
                {"path": format!("members[$ref eq \"{BASE}/Users/4\"]")}, {"path": "title", "value": format!("{BASE}/x")}]});
        localise(&mut body, BASE);
        assert_eq!(body["members"], json!([{"$ref": "/Users/1"}, {"$REF": "/Users/2"}]));
        assert_eq!(body["photos"][0]["value"], format!("{BASE}/Users/1"));
        assert_eq!(body["Operations"][0]["value"], "/Users/3");
        assert_eq!(body["Operations"][1]["path"], "members[$ref eq \"/Users/4\"]");
        assert_eq!(body["Operations"][2]["value"], format!("{BASE}/x"));
    }

    #[test]
    fn only_relative_references_name_something() {
        assert_eq!(target("../Users/1"), Some((Some("Users"), "1")));
        assert_eq!(target("/Groups/1"), Some((Some("Groups"), "1")));
        assert_eq!(target("1"), Some((None, "1")));
        assert_eq!(target("../1"), Some((None, "1")));
        for foreign in ["https://evil.example/Users/1", "//evil.example/Users/1", "urn:x:1", "", "/Users/"] {
            assert_eq!(target(foreign), None, "{foreign}");
        }
        let mut near = format!("{BASE}x/Users/1");
        shorten(&mut near, BASE);
        assert_eq!(target(&near), None);
    }
}
