//! Which attributes an answer shows (RFC 7644 §3.4.2.5, §3.9; RFC 7643 §7).

use super::error::{Result, invalid_value};
use super::path::AttrPath;
use super::resource::Document;
use super::schema::{Attribute, Located, ResourceSchema, Returned, Schema, find};
use serde_json::{Map, Value};

/// What the client asked to see.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Projection {
    /// Nothing said.
    #[default]
    Default,
    /// `attributes`.
    Only(Vec<AttrPath>),
    /// `excludedAttributes`.
    Except(Vec<AttrPath>),
}

impl Projection {
    /// From the two parameters, each a list of names, which may themselves be
    /// comma-separated (M02). Malformed names are like unknown ones: they name
    /// nothing.
    ///
    /// # Errors
    /// 400 `invalidValue` when both are given (M01).
    pub fn new<S: AsRef<str>>(attributes: &[S], excluded: &[S]) -> Result<Self> {
        let paths = |list: &[S]| -> Vec<AttrPath> {
            list.iter()
                .flat_map(|names| names.as_ref().split(','))
                .filter_map(|name| AttrPath::parse(name.trim()))
                .collect()
        };
        let said = |list: &[S]| list.iter().any(|names| !names.as_ref().trim().is_empty());
        match (said(attributes), said(excluded)) {
            (true, true) => Err(invalid_value("Give either \"attributes\" or \"excludedAttributes\", not both.")),
            (true, false) => Ok(Projection::Only(paths(attributes))),
            (false, true) => Ok(Projection::Except(paths(excluded))),
            (false, false) => Ok(Projection::Default),
        }
    }

    /// Whether `attributes` was given, which makes PATCH answer 200 (P07).
    #[must_use]
    pub fn is_only(&self) -> bool {
        matches!(self, Projection::Only(_))
    }

    /// The projection of one resource type; made once for a whole list.
    #[must_use]
    pub fn view<'s>(&self, resource: ResourceSchema<'s>) -> ResourceView<'s> {
        let (mode, paths) = match self {
            Projection::Default => (Mode::Default, &[][..]),
            Projection::Only(paths) => (Mode::Only, &paths[..]),
            Projection::Except(paths) => (Mode::Except, &paths[..]),
        };
        let picks = paths.iter().filter_map(|path| resource.locate(path)).collect();
        ResourceView { resource, mode, picks }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Default,
    Only,
    Except,
}

/// A projection, found in the schema of one resource type.
#[derive(Debug, Clone)]
pub struct ResourceView<'s> {
    resource: ResourceSchema<'s>,
    mode: Mode,
    picks: Vec<Located<'s>>,
}

/// How the client named an attribute.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Named {
    No,
    Whole,
    Parts,
}

impl ResourceView<'_> {
    /// Whether the answer shows a group's members; if not, the store need not
    /// read one (M04).
    #[must_use]
    pub fn needs_members(&self) -> bool {
        self.needs("members")
    }

    /// Whether the answer shows a user's groups.
    #[must_use]
    pub fn needs_groups(&self) -> bool {
        self.needs("groups")
    }

    /// One element of a group's members as this client sees it; none when it
    /// sees nothing of it. For groups too large to be one document.
    #[must_use]
    pub fn member(&self, element: Value) -> Option<Value> {
        let attr = find(&self.resource.core.attributes, "members")?;
        self.project(None, attr, element, None)
    }

    fn needs(&self, name: &str) -> bool {
        let found = find(&self.resource.core.attributes, name);
        found.is_some_and(|attr| self.shows(None, attr, false))
    }

    /// The document as this client sees it. `written` is what the request being
    /// answered set, when it was a write: that is shown even if it is
    /// `returned: request` (A12), and of a complex value only the parts it named.
    #[must_use]
    pub fn apply(&self, mut document: Document, written: Option<&Document>) -> Document {
        document.retain(|key, value| {
            let set = written.and_then(|document| document.get(key));
            if let Some(attr) = self.resource.attribute(key) {
                return self.keep(None, attr, value, set);
            }
            match (self.resource.extension(key), value) {
                (Some(schema), Value::Object(map)) => {
                    self.extension(schema, map, set.and_then(Value::as_object));
                    !map.is_empty()
                }
                _ => false,
            }
        });
        document
    }

    fn extension(&self, schema: &Schema, map: &mut Map<String, Value>, written: Option<&Document>) {
        map.retain(|key, value| {
            let set = written.and_then(|document| document.get(key));
            find(&schema.attributes, key).is_some_and(|attr| self.keep(Some(schema), attr, value, set))
        });
    }

    /// Leaves of a value what is shown; whether that is anything.
    fn keep(&self, extension: Option<&Schema>, attr: &Attribute, value: &mut Value, written: Option<&Value>) -> bool {
        let shown = self.project(extension, attr, value.take(), written);
        let any = shown.is_some();
        *value = shown.unwrap_or_default();
        any
    }

    fn named(&self, extension: Option<&Schema>, attr: &Attribute) -> Named {
        let mut named = Named::No;
        for pick in &self.picks {
            match pick {
                Located::Extension(schema) => {
                    if extension.is_some_and(|e| e.id == schema.id) {
                        return Named::Whole;
                    }
                }
                Located::Attribute(target) => {
                    let same = std::ptr::eq(target.attr, attr);
                    match (same, target.sub) {
                        (true, None) => return Named::Whole,
                        (true, Some(_)) => named = Named::Parts,
                        (false, _) => {}
                    }
                }
            }
        }
        named
    }

    fn shows(&self, extension: Option<&Schema>, attr: &Attribute, written: bool) -> bool {
        if attr.is_secret() {
            return false;
        }
        if attr.returned == Returned::Always {
            return true;
        }
        let named = self.named(extension, attr);
        match self.mode {
            Mode::Only => named != Named::No,
            Mode::Except if named == Named::Whole => false,
            Mode::Default | Mode::Except => attr.returned == Returned::Default || written,
        }
    }

    fn project(
        &self,
        extension: Option<&Schema>,
        attr: &Attribute,
        value: Value,
        written: Option<&Value>,
    ) -> Option<Value> {
        if !self.shows(extension, attr, written.is_some()) {
            return None;
        }
        let plain = attr.sub_attributes.iter().all(|sub| sub.returned == Returned::Default);
        let parts = self.named(extension, attr) == Named::Parts;
        if plain && !parts {
            return Some(value);
        }
        match value {
            Value::Array(items) => {
                let shown: Vec<Value> =
                    items.into_iter().filter_map(|item| self.parts(attr, item, parts, written)).collect();
                (!shown.is_empty()).then_some(Value::Array(shown))
            }
            value => self.parts(attr, value, parts, written),
        }
    }

    /// A complex value with the sub-attributes this view shows.
    fn parts(&self, attr: &Attribute, value: Value, parts: bool, written: Option<&Value>) -> Option<Value> {
        let Value::Object(map) = value else {
            return Some(value);
        };
        let shown: Map<String, Value> = map
            .into_iter()
            .filter(|(key, _)| {
                let Some(sub) = attr.sub(key) else {
                    return false;
                };
                let picked = parts && self.picks_sub(sub);
                match sub.returned {
                    _ if sub.is_secret() => false,
                    Returned::Always => true,
                    Returned::Request if self.mode == Mode::Only => picked,
                    Returned::Request => !picked && written.is_some_and(|written| names(written, sub)),
                    _ if !parts => true,
                    _ => picked == (self.mode == Mode::Only),
                }
            })
            .collect();
        (!shown.is_empty()).then_some(Value::Object(shown))
    }

    fn picks_sub(&self, sub: &Attribute) -> bool {
        self.picks.iter().any(|pick| match pick {
            Located::Attribute(target) => target.sub.is_some_and(|s| std::ptr::eq(s, sub)),
            Located::Extension(_) => false,
        })
    }
}

/// Whether what was written of an attribute, one value or several, says anything of this part.
fn names(written: &Value, sub: &Attribute) -> bool {
    match written {
        Value::Object(map) => map.keys().any(|key| key.eq_ignore_ascii_case(&sub.name)),
        Value::Array(items) => items.iter().any(|item| names(item, sub)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::schema::{ENTERPRISE_URN, SchemaSet, USER_URN};
    use serde_json::json;

    fn shown(attributes: &str, excluded: &str) -> Vec<String> {
        let set = SchemaSet::base();
        let Value::Object(document) = json!({
            "schemas": [USER_URN], "id": "1", "userName": "ada", "password": "x",
            "name": {"givenName": "Ada", "familyName": "L"},
            "emails": [{"value": "a@x.example", "type": "work"}],
            "groups": [{"value": "g"}],
            ENTERPRISE_URN: {"department": "D", "costCenter": "C"},
        }) else {
            panic!()
        };
        let projection = Projection::new(&[attributes], &[excluded]).unwrap();
        let shown = projection.view(set.users()).apply(document, None);
        let mut keys = Vec::new();
        for (key, value) in shown {
            match value {
                Value::Object(map) => keys.extend(map.keys().map(|sub| format!("{key}.{sub}"))),
                Value::Array(items) if items[0].is_object() => {
                    keys.extend(items[0].as_object().unwrap().keys().map(|s| format!("{key}.{s}")));
                }
                _ => keys.push(key),
            }
        }
        keys.retain(|key| key != "schemas");
        keys.sort();
        keys
    }

    #[test]
    fn a10_a11_m02_m03_projection_table() {
        assert!(!shown("", "").contains(&"password".to_owned()));
        assert_eq!(shown("userName", ""), ["id", "userName"]);
        assert_eq!(shown("USERNAME,password", ""), ["id", "userName"]);
        assert_eq!(shown("name.givenName", ""), ["id", "name.givenName"]);
        assert_eq!(shown("emails.value, name", ""), ["emails.value", "id", "name.familyName", "name.givenName"]);
        let department = format!("{ENTERPRISE_URN}.department");
        assert_eq!(
            shown(&format!("{ENTERPRISE_URN}:department"), ""),
            [department.clone(), "id".to_owned()]
                .map(|mut k| {
                    if k.starts_with("urn") {
                        k = department.clone()
                    }
                    k
                })
                .into_iter()
                .rev()
                .collect::<Vec<_>>()
        );
        assert_eq!(shown(ENTERPRISE_URN, "").len(), 3);
        assert_eq!(shown(&format!("{USER_URN}:userName"), ""), ["id", "userName"]);
        assert_eq!(shown("nothing", ""), ["id"]);
        let without = shown("", "id,userName,emails.type,name");
        assert!(without.contains(&"id".to_owned()) && !without.contains(&"userName".to_owned()));
        assert!(without.contains(&"emails.value".to_owned()) && !without.contains(&"emails.type".to_owned()));
        assert!(Projection::new(&["a"], &["b"]).is_err());
        let only = |attributes: &str, excluded: &str| Projection::new(&[attributes], &[excluded]).unwrap().is_only();
        assert!(only("title", "") && !only("", "title") && !only(" ", ""));
    }

    #[test]
    fn m04_members_and_groups_are_read_only_when_shown() {
        let set = SchemaSet::base();
        let members = |a: &str, e: &str| Projection::new(&[a], &[e]).unwrap().view(set.groups()).needs_members();
        assert!(members("", "") && members("members.value", "") && members("members", ""));
        assert!(!members("displayName", "") && !members("", "MEMBERS"));
        assert!(members("", "members.display"));
        assert!(!Projection::Default.view(set.users()).needs_members());
        assert!(Projection::Default.view(set.users()).needs_groups());
        assert!(!Projection::new(&["title"], &[]).unwrap().view(set.users()).needs_groups());
    }

    #[test]
    fn m02_one_member_at_a_time() {
        let set = SchemaSet::base();
        let element = json!({"value": "1", "type": "User", "$ref": "x"});
        let seen = |a: &str, e: &str| Projection::new(&[a], &[e]).unwrap().view(set.groups()).member(element.clone());
        assert_eq!(seen("", ""), Some(element.clone()));
        assert_eq!(seen("members.value", ""), Some(json!({"value": "1"})));
        assert_eq!(seen("", "members.$ref"), Some(json!({"value": "1", "type": "User"})));
        assert_eq!(seen("displayName", ""), None);
    }

    #[test]
    fn a10_a11_a12_parts_are_shown_as_the_schema_says() {
        let mut set = SchemaSet::base();
        let part = |name: &str, returned: &str| json!({"name": name, "returned": returned});
        let card = json!({"name": "card", "type": "complex", "subAttributes": [part("number", "never"),
            part("kind", "always"), part("note", "request"), part("name", "default")]});
        let safe = json!({"name": "safe", "type": "complex", "subAttributes": [part("code", "never")]});
        let cards = json!({"name": "cards", "type": "complex", "multiValued": true, "subAttributes": [part("number", "never"),
            part("name", "default")]});
        set.extend("User", &json!({"id": "urn:example:x", "attributes": [card, safe, cards]}), false).unwrap();
        let document = json!({"urn:example:x": {"safe": {"code": "1"}, "cards": [{"number": "1"}, {"number": "2", "name": "N"}],
            "card": {"number": "1", "kind": "K", "note": "O", "name": "N"}}});
        let document = document.as_object().unwrap();
        let card = |attributes: &str, excluded: &str, written: bool| {
            let view = Projection::new(&[attributes], &[excluded]).unwrap().view(set.users());
            let shown = view.apply(document.clone(), written.then_some(document));
            shown["urn:example:x"]["card"].as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ")
        };
        let path = |part: &str| format!("urn:example:x:card.{part}");
        assert_eq!(card("", "", false), "kind name");
        assert_eq!(card("", "", true), "kind name note");
        assert_eq!(card("urn:example:x:card", "", false), "kind name");
        assert_eq!(card(&path("note"), "", false), "kind note");
        assert_eq!(card(&path("name"), "", true), "kind name");
        assert_eq!(card(&path("number"), "", true), "kind");
        assert_eq!(card("", &path("name"), false), "kind");
        assert_eq!(card("", &path("name"), true), "kind note");
        assert_eq!(card("", &path("note"), true), "kind name");
        assert_eq!(card("", &path("kind"), false), "kind name");
        let whole = Projection::Default.view(set.users()).apply(document.clone(), None);
        let shown = whole["urn:example:x"].as_object().unwrap();
        assert!(!shown.contains_key("safe"), "nothing of it is ever shown");
        assert_eq!(shown["cards"], json!([{"name": "N"}]));
    }

    #[test]
    fn a12_request_attributes_appear_when_asked_for_or_written() {
        let mut set = SchemaSet::base();
        let extension = json!({"id": "urn:example:x", "attributes": [{"name": "shy", "returned": "request"}]});
        set.extend("User", &extension, false).unwrap();
        let document = json!({"id": "1", "urn:example:x": {"shy": "v"}});
        let document = document.as_object().unwrap();
        let has = |projection: Projection, written: Option<&Document>| {
            projection.view(set.users()).apply(document.clone(), written).contains_key("urn:example:x")
        };
        assert!(!has(Projection::Default, None));
        assert!(has(Projection::Default, Some(document)));
        assert!(has(Projection::new(&["urn:example:x:shy"], &[]).unwrap(), None));
    }
}
