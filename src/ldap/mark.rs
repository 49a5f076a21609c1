//! By what a run knows that nothing about a user changed: most entries of most runs are neither translated nor held.
use crate::secret::sha256;

use super::decode::LdapEntry;
use super::entry::Mapping;

/// Which stored form a mapping makes; raised when `entry` changes it, so that every row is written anew.
const MAPPING: u8 = 1;

type Hash = [u8; 32];

/// What the accepted state keeps of what was said last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mark {
    /// Of the document. Equal ones mean that nothing changed.
    document: Hash,
    /// Of the entry it was made of; none where the document is not what the entry alone makes.
    entry: Option<Hash>,
}

impl Mark {
    /// Of a document that was not made of an entry alone.
    pub(super) fn of(document: Hash) -> Self {
        Self { document, entry: None }
    }

    pub(super) fn of_entry(document: Hash, entry: Hash) -> Self {
        Self { document, entry: Some(entry) }
    }

    /// Of what is stored; none when it is no mark.
    pub fn read(stored: &[u8]) -> Option<Self> {
        let (document, rest) = stored.split_first_chunk()?;
        match rest {
            [] => Some(Self::of(*document)),
            rest => Some(Self::of_entry(*document, rest.try_into().ok()?)),
        }
    }

    /// What is stored.
    pub fn stored(&self) -> Vec<u8> {
        self.document.iter().chain(self.entry.iter().flatten()).copied().collect()
    }

    /// Whether it was made of an entry like this.
    pub(super) fn is_of(&self, entry: &Hash) -> bool {
        self.entry.as_ref() == Some(entry)
    }

    /// Whether the documents are the same.
    pub(super) fn same(&self, other: &Self) -> bool {
        self.document == other.document
    }
}

/// Makes the marks of entries.
pub(super) struct Marker {
    /// Of how entries become documents: when that changes, no entry is like before.
    way: Hash,
    /// The attributes that matter.
    asked: Vec<String>,
}

impl Marker {
    pub(super) fn new(mapping: Mapping<'_>) -> Self {
        let Mapping { settings, join, .. } = mapping;
        let way = (MAPPING, &settings.attributes, &settings.disabled, settings.always, &settings.id, join);
        Self { way: sha256(format!("{way:?}").as_bytes()), asked: settings.user_attributes(join) }
    }

    /// The hash of an entry and of what is taken from before where it shows nothing.
    pub(super) fn entry(&self, entry: &LdapEntry, active: bool, match_key: Option<&[u8]>) -> Hash {
        let mut bytes = Vec::with_capacity(512);
        bytes.extend_from_slice(&self.way);
        bytes.push(u8::from(active));
        put(&mut bytes, match_key);
        for name in &self.asked {
            put(&mut bytes, entry.values(name).iter().map(Vec::as_slice));
        }
        sha256(&bytes)
    }
}

/// Adds values so that no others make the same bytes.
fn put<'a>(bytes: &mut Vec<u8>, values: impl IntoIterator<Item = &'a [u8]>) {
    for value in values {
        bytes.push(1);
        bytes.extend_from_slice(&value.len().to_be_bytes());
        bytes.extend_from_slice(value);
    }
    bytes.push(0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_stored_and_read() {
        for mark in [Mark::of([1; 32]), Mark::of_entry([1; 32], [2; 32])] {
            assert_eq!(Mark::read(&mark.stored()), Some(mark));
        }
        for stored in [&[][..], &[1; 31], &[1; 33], &[1; 65]] {
            assert_eq!(Mark::read(stored), None);
        }
    }

    #[test]
    fn values_do_not_run_into_each_other() {
        let bytes = |values: &[&str]| {
            let mut bytes = Vec::new();
            put(&mut bytes, values.iter().map(|value| value.as_bytes()));
            bytes
        };
        assert_ne!(bytes(&["ab", "c"]), bytes(&["a", "bc"]));
        assert_ne!(bytes(&["", ""]), bytes(&[""]));
        assert_ne!(bytes(&[""]), bytes(&[]));
    }
}
