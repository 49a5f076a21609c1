//! What is written down of an act. Data holds ids, attribute names and counts, never a personal value: names and
//! addresses lie beside the log, so that erasing a user leaves it whole.
use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use crate::domain::id::Id;
use crate::domain::time::Timestamp;

pub use crate::domain::event_kind::EventKind as Kind;

/// One line of the log, before it is written.
#[derive(Clone, PartialEq, Debug)]
pub struct Event {
    /// What happened.
    pub kind: Kind,
    /// To what.
    pub subject: Option<Uuid>,
    /// The details.
    data: Map<String, Json>,
    /// The detail that is a list of ids, by its name; thousands of them, so they are kept as what they are.
    listed: Option<(&'static str, Vec<Uuid>)>,
}

/// The details of an event.
pub struct Details<'e> {
    event: &'e Event,
    /// The most ids of its list.
    most: usize,
}

impl Serialize for Details<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Event { data, listed, .. } = self.event;
        let mut map = to.serialize_map(None)?;
        for (name, value) in data {
            map.serialize_entry(name, value)?;
        }
        if let Some((name, ids)) = listed {
            map.serialize_entry(name, ids.get(..self.most).unwrap_or(ids))?;
            if ids.len() > self.most {
                map.serialize_entry("count", &ids.len())?;
            }
        }
        map.end()
    }
}

/// An event as it is shown.
#[derive(Serialize)]
pub struct EventPreview<'e> {
    kind: &'static str,
    subject: Option<Uuid>,
    data: Details<'e>,
}

impl Event {
    /// Something happened to `subject`.
    pub fn of(kind: Kind, subject: impl Id) -> Self {
        Self { kind, subject: Some(subject.uuid()), data: Map::new(), listed: None }
    }

    /// Something happened to nothing that has an id.
    pub fn general(kind: Kind) -> Self {
        Self { kind, subject: None, data: Map::new(), listed: None }
    }

    /// Adds an id.
    pub fn id(mut self, name: &'static str, id: impl Id) -> Self {
        self.data.insert(name.to_owned(), id.uuid().to_string().into());
        self
    }

    /// The details, as they are written.
    pub fn details(&self) -> Details<'_> {
        Details { event: self, most: usize::MAX }
    }

    /// How many ids it lists.
    pub(super) fn ids_listed(&self) -> usize {
        self.listed.as_ref().map_or(0, |(_, ids)| ids.len())
    }

    /// The event as it is shown, at most `most` ids of its list; of more it says how many there are.
    pub(super) fn shown(&self, most: usize) -> EventPreview<'_> {
        EventPreview { kind: self.kind.as_str(), subject: self.subject, data: Details { event: self, most } }
    }

    /// Adds the names of attributes, roles' catalog keys and the like; never values.
    pub fn names(mut self, name: &'static str, names: &[String]) -> Self {
        self.data.insert(name.to_owned(), names.into());
        self
    }

    /// Adds a fixed word of ours: an outcome, a cause.
    pub fn word(mut self, name: &'static str, word: &'static str) -> Self {
        self.data.insert(name.to_owned(), word.into());
        self
    }

    /// Adds a yes or no.
    pub fn flag(mut self, name: &'static str, flag: bool) -> Self {
        self.data.insert(name.to_owned(), flag.into());
        self
    }

    /// Adds a moment.
    pub fn moment(mut self, name: &'static str, at: Timestamp) -> Self {
        self.data.insert(name.to_owned(), at.to_string().into());
        self
    }

    /// Adds a number.
    pub fn count(mut self, name: &'static str, count: usize) -> Self {
        self.data.insert(name.to_owned(), count.into());
        self
    }
}

/// The most ids one line lists; more take further lines.
pub(super) const MOST_IDS: usize = 1_000;

/// As many events of `kind` about `subject` as it takes to list all `ids`.
pub(super) fn listing<T: Id>(kind: Kind, subject: impl Id, name: &'static str, ids: &[T]) -> Vec<Event> {
    let listed = |part: &[T]| Some((name, part.iter().map(|id| id.uuid()).collect()));
    ids.chunks(MOST_IDS).map(|part| Event { listed: listed(part), ..Event::of(kind, subject) }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::id::{ExternalGroupId, ExternalUserId};

    #[test]
    fn long_lists_take_several_lines() {
        let ids: Vec<ExternalUserId> = (0..2_500).map(|n| ExternalUserId::from_uuid(Uuid::from_u128(n))).collect();
        let group = ExternalGroupId::from_uuid(Uuid::from_u128(1));
        let events = listing(Kind::ExternalGroupMemberAdded, group, "members", &ids);
        let written = |event: &Event| json!(event.details());
        let lengths: Vec<usize> =
            events.iter().map(|event| written(event)["members"].as_array().unwrap().len()).collect();
        assert_eq!(lengths, [1_000, 1_000, 500]);
        assert_eq!(json!(events[2].shown(500))["data"], written(&events[2]));
        let shown = json!(events[2].shown(2));
        assert_eq!(shown["data"], json!({"members": [ids[2_000], ids[2_001]], "count": 500}));
    }
}
