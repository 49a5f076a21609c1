//! Which part of a list is wanted, and in which order.

use super::filter::{FieldType, FilterField};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::cmp::Ordering;
use uuid::Uuid;

/// Which page of a list is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageRequest {
    /// By position: the classic, which misses rows when others delete.
    Index {
        /// Position of the first row wanted, from 1.
        start: u64,
        /// At most so many rows; 0 asks for the total alone.
        count: u32,
    },
    /// By key: every row that exists throughout a walk is seen once.
    Cursor {
        /// The row after which the page starts; none for the first page.
        after: Option<Position>,
        /// At most so many rows; 0 asks for the total alone.
        count: u32,
    },
    /// By key, backwards: the rows right before one that was seen, in the same order.
    Back {
        /// The row before which the page ends.
        before: Position,
        /// At most so many rows.
        count: u32,
    },
}

impl PageRequest {
    /// At most so many rows are wanted.
    #[must_use]
    pub fn count(&self) -> u32 {
        match self {
            PageRequest::Index { count, .. } | PageRequest::Cursor { count, .. } | PageRequest::Back { count, .. } => {
                *count
            }
        }
    }
}

/// The place of a row in an ordered list: its sort key, then its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Sort key of the row; none when it has no value for the sort field, or
    /// when the list is ordered by id alone.
    pub key: Option<SortKey>,
    /// Id of the row, which breaks ties.
    pub id: Uuid,
}

/// A sort key as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SortKey {
    /// Folded (or exact) text, ordered by its bytes.
    Text(String),
    /// Whole number, truth value (0 or 1), or time in microseconds.
    Integer(i64),
}

/// Where the pages beside a cursor page are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AdjacentPages {
    /// The row after which the next page starts; none after the last page.
    pub next: Option<Position>,
    /// The row before which the page before ends; none on the first page.
    pub previous: Option<Position>,
}

impl AdjacentPages {
    /// What is beside `page`, which holds the rows from `first` to `last`. `more` says whether there are rows beyond it,
    /// in the direction it was asked for.
    #[must_use]
    pub fn of(page: &PageRequest, first: Option<Position>, last: Option<Position>, more: bool) -> Self {
        match page {
            PageRequest::Index { .. } => Self::default(),
            PageRequest::Cursor { after, .. } => {
                Self { next: last.filter(|_| more), previous: first.filter(|_| after.is_some()) }
            }
            PageRequest::Back { .. } => Self { next: last, previous: first.filter(|_| more) },
        }
    }
}

/// The order of a list. Ties are always broken by id, ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sort {
    /// The list the field lies in, when the sorted attribute has many values:
    /// the element marked `primary` counts, else the first.
    pub list: Option<FilterField>,
    /// The field sorted by; inside `list` its path starts at the element.
    pub field: FilterField,
    /// Rows without a value come last ascending and first descending.
    pub descending: bool,
}

impl Sort {
    /// The key by which a document is sorted, read from its comparable twin;
    /// none when it has no value there.
    #[must_use]
    pub fn key(&self, keys: &Value) -> Option<SortKey> {
        let from = match &self.list {
            None => keys,
            Some(list) => {
                let items = list.find(keys)?.as_array()?;
                let primary = items.iter().find(|item| item.get("primary") == Some(&Value::Bool(true)));
                primary.or_else(|| items.first())?
            }
        };
        let value = self.field.find(from)?;
        match self.field.kind {
            FieldType::Text { .. } => value.as_str().map(|text| SortKey::Text(text.to_owned())),
            FieldType::Bool => value.as_bool().map(|truth| SortKey::Integer(i64::from(truth))),
            FieldType::Integer | FieldType::Time => value.as_i64().map(SortKey::Integer),
            FieldType::Decimal | FieldType::Binary | FieldType::Object => None,
        }
    }

    /// How two rows stand to each other: by key, then by id.
    #[must_use]
    pub fn compare(&self, a: &Position, b: &Position) -> Ordering {
        let by_key = match (&a.key, &b.key) {
            (Some(a), Some(b)) => a.cmp(b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        };
        let by_key = if self.descending { by_key.reverse() } else { by_key };
        by_key.then_with(|| a.id.cmp(&b.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn order(descending: bool, documents: &[Value]) -> Vec<u128> {
        let text = |path: &str| FilterField { path: vec![path.to_owned()], kind: FieldType::Text { exact: false } };
        let sort = Sort {
            list: Some(FilterField { path: vec!["emails".into()], kind: FieldType::Object }),
            field: text("value"),
            descending,
        };
        let mut rows: Vec<Position> =
            (1..).zip(documents).map(|(id, keys)| Position { key: sort.key(keys), id: Uuid::from_u128(id) }).collect();
        rows.sort_by(|a, b| sort.compare(a, b));
        rows.iter().map(|row| row.id.as_u128()).collect()
    }

    #[test]
    fn k01_k03_primary_else_first_missing_last_ties_by_id() {
        let documents = [
            json!({}),
            json!({"emails": [{"value": "z"}, {"value": "b", "primary": true}]}),
            json!({"emails": [{"value": "a"}, {"value": "y"}]}),
            json!({"emails": [{"value": "b"}]}),
            json!({"emails": [{"type": "work"}]}),
        ];
        assert_eq!(order(false, &documents), [3, 2, 4, 1, 5]);
        assert_eq!(order(true, &documents), [1, 5, 2, 4, 3]);
    }
}
