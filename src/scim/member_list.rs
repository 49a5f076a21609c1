//! Long lists of members, kept small.
//!
//! A tree of JSON takes some 700 bytes for one `{"value": "…"}`, so that a group of 100,000 would take 70 MB before
//! anything is done with it. [`json::read_group`](super::json::read_group) therefore keeps a list of more than [`LONG`]
//! plain members as one text, a *roll*, in the place of the list. It begins with U+0000, which no text from outside may
//! hold: nobody can send one.

use super::resource::MAX_ELEMENTS;
use serde_json::{Map, Value};

/// Lists up to this length stay lists. No attribute but a group's members may hold more.
pub const LONG: usize = MAX_ELEMENTS;

const END: char = '\0';

/// A member in a roll, as it was sent. What was not sent is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'r> {
    /// The `value`; never empty.
    pub value: &'r str,
    /// The `type`: in any case, the name of a kind of member.
    pub kind: &'r str,
    /// The `$ref`, where no `type` is.
    pub reference: &'r str,
}

impl<'r> Entry<'r> {
    /// A member that is nothing but texts a group's members may have, so that no switch has anything to do with it; the
    /// server shows `display` itself and does not read it.
    fn plain(item: &'r Value) -> Option<Self> {
        let mut entry = Self { value: "", kind: "", reference: "" };
        for (key, value) in item.as_object()? {
            let text = value.as_str()?;
            match key.as_str() {
                "value" => entry.value = text,
                "type" if text.eq_ignore_ascii_case("user") || text.eq_ignore_ascii_case("group") => entry.kind = text,
                "$ref" if !text.is_empty() => entry.reference = text,
                "display" => {}
                _ => return None,
            }
        }
        if !entry.kind.is_empty() {
            entry.reference = "";
        }
        (!entry.value.is_empty()).then_some(entry)
    }

    fn write(self, text: &mut String) {
        for part in [self.value, self.kind, self.reference] {
            text.push_str(part);
            text.push(END);
        }
    }

    fn to_json(self) -> Value {
        let parts = [("value", self.value), ("type", self.kind), ("$ref", self.reference)];
        let said = parts.into_iter().filter(|(_, text)| !text.is_empty());
        Value::Object(said.map(|(key, text)| (key.to_owned(), text.into())).collect::<Map<_, _>>())
    }
}

/// A list while it is read.
#[derive(Debug)]
pub(super) enum Growing {
    /// Of few members, or of some that are not plain.
    List(Vec<Value>),
    /// Of many that are all plain.
    Roll(String),
}

impl Growing {
    pub fn new() -> Self {
        Self::List(Vec::new())
    }

    pub fn push(&mut self, item: Value) {
        match self {
            Self::List(list) => {
                list.push(item);
                if list.len() == LONG + 1
                    && let Some(entries) = list.iter().map(Entry::plain).collect::<Option<Vec<_>>>()
                {
                    *self = Self::Roll(written(entries));
                }
            }
            Self::Roll(text) => match Entry::plain(&item) {
                Some(entry) => entry.write(text),
                None => {
                    let mut list: Vec<Value> = read(text).map(Entry::to_json).collect();
                    list.push(item);
                    *self = Self::List(list);
                }
            },
        }
    }

    pub fn finish(self) -> Value {
        match self {
            Self::List(list) => Value::Array(list),
            Self::Roll(text) => Value::String(text),
        }
    }
}

fn written<'e>(entries: impl IntoIterator<Item = Entry<'e>>) -> String {
    let mut text = String::from(END);
    entries.into_iter().for_each(|entry| entry.write(&mut text));
    text
}

fn read(text: &str) -> impl Iterator<Item = Entry<'_>> {
    let mut parts = text.strip_prefix(END).unwrap_or_default().split(END);
    std::iter::from_fn(move || {
        let value = parts.next().filter(|value| !value.is_empty())?;
        Some(Entry { value, kind: parts.next()?, reference: parts.next()? })
    })
}

/// The members in a roll, in order; none when `value` is no roll.
pub fn entries(value: &Value) -> Option<impl Iterator<Item = Entry<'_>>> {
    value.as_str().filter(|text| text.starts_with(END)).map(read)
}

/// The list that a roll stands for; anything else as it is.
#[must_use]
pub fn unrolled(value: Value) -> Value {
    let list = entries(&value).map(|entries| entries.map(Entry::to_json).collect());
    list.unwrap_or(value)
}

/// Changes every `$ref` in a roll; anything else is left alone.
pub(super) fn change_references(value: &mut Value, change: impl Fn(&mut String)) {
    if !entries(value).is_some_and(|mut entries| entries.any(|entry| !entry.reference.is_empty())) {
        return;
    }
    let mut text = String::from(END);
    for entry in entries(value).into_iter().flatten() {
        let mut reference = entry.reference.to_owned();
        change(&mut reference);
        Entry { reference: &reference, ..entry }.write(&mut text);
    }
    *value = Value::String(text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn grown(items: impl IntoIterator<Item = Value>) -> Value {
        let mut growing = Growing::new();
        items.into_iter().for_each(|item| growing.push(item));
        growing.finish()
    }

    fn many(count: usize) -> impl Iterator<Item = Value> {
        (0..count).map(|at| match at % 4 {
            0 => json!({"value": format!("id-{at}")}),
            1 => json!({"value": format!("id-{at}"), "type": "user"}),
            2 => json!({"value": format!("id-{at}"), "$ref": format!("https://a.example/Users/id-{at}")}),
            _ => json!({"value": format!("id-{at}"), "type": "Group"}),
        })
    }

    #[test]
    fn only_long_lists_are_rolled_and_both_say_the_same() {
        assert!(grown(many(LONG)).is_array());
        let roll = grown(many(LONG + 1));
        assert!(roll.is_string());
        assert_eq!(unrolled(roll), many(LONG + 1).collect::<Value>());
        assert_eq!(unrolled(json!(["a"])), json!(["a"]));
        assert_eq!(unrolled(json!("a")), json!("a"));
        assert!(entries(&json!("a")).is_none() && entries(&json!([])).is_none());
    }

    #[test]
    fn a_member_that_is_not_plain_keeps_the_list_a_list() {
        let odd = [
            json!({"value": "x", "type": ""}),
            json!({"value": "x", "$ref": ""}),
            json!({"value": ""}),
            json!({"display": "x"}),
            json!({"VALUE": "x"}),
            json!({"value": "x", "more": "y"}),
            json!({"value": "x", "type": "Device"}),
            json!({"value": 1}),
            json!("x"),
            json!(null),
        ];
        for odd in odd {
            for at in [0, LONG, LONG + 5, LONG + 9] {
                let items = || {
                    let mut items: Vec<Value> = many(LONG + 9).collect();
                    items.insert(at, odd.clone());
                    items
                };
                assert_eq!(grown(items()), Value::Array(items()), "{odd} at {at}");
            }
        }
    }

    #[test]
    fn what_is_not_read_is_not_kept() {
        let long = (0..=LONG).map(|_| json!({"value": "x", "type": "User", "$ref": "y", "display": ""}));
        assert_eq!(entries(&grown(long)).unwrap().next(), Some(Entry { value: "x", kind: "User", reference: "" }));
    }

    #[test]
    fn references_are_changed_where_they_are() {
        let mut roll = grown(many(LONG + 1));
        change_references(&mut roll, |url| *url = url.replace("https://a.example", ""));
        let references: Vec<&str> = entries(&roll).unwrap().map(|entry| entry.reference).take(3).collect();
        assert_eq!(references, ["", "", "/Users/id-2"]);
        let mut other = json!("https://a.example");
        change_references(&mut other, |_| panic!("no roll"));
        assert_eq!(other, "https://a.example");
    }
}
