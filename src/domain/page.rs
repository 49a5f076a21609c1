//! Which part of a list is wanted, and in which order.

use super::filter::Field;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Which page of a list is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
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
}

impl Page {
    /// At most so many rows are wanted.
    #[must_use]
    pub fn count(&self) -> u32 {
        match self {
            Page::Index { count, .. } | Page::Cursor { count, .. } => *count,
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

/// The order of a list. Ties are always broken by id, ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sort {
    /// The list the field lies in, when the sorted attribute has many values:
    /// the element marked `primary` counts, else the first.
    pub list: Option<Field>,
    /// The field sorted by; inside `list` its path starts at the element.
    pub field: Field,
    /// Rows without a value come last ascending and first descending.
    pub descending: bool,
}
