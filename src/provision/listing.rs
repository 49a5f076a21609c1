//! Lists of users or groups: what is asked for, and how they are counted.
use std::time::Duration;

use crate::domain::filter::Filter;
use crate::domain::page::{AdjacentPages, PageRequest, Sort};
use crate::store::StoreError;

/// What a list asks for.
#[derive(Clone, Copy, Debug)]
pub struct ListQuery<'q> {
    /// Which.
    pub filter: Option<&'q Filter>,
    /// In which order.
    pub sort: Option<&'q Sort>,
    /// Which page.
    pub page: &'q PageRequest,
    /// The longest that may be spent on finding the page when no index leads to it; never more than a second.
    pub searching: Duration,
    /// The longest that may be spent on counting them all; zero when nobody asks.
    pub counting: Duration,
}

impl ListQuery<'_> {
    /// Whether a page of everything is asked for, in the order of ids, with the number of all.
    pub(super) fn is_everything(&self) -> bool {
        self.filter.is_none() && self.sort.is_none() && self.page.count() > 0
    }
}

/// A page of a list.
#[derive(Clone, PartialEq, Debug)]
pub struct ListResult<T> {
    /// The rows, in order.
    pub rows: Vec<T>,
    /// How many there are in all; none when counting took too long.
    pub total: Option<u64>,
    /// Where the pages beside it are, when it is a cursor page.
    pub beside: AdjacentPages,
}

/// The total, when the page itself tells: it holds the first rows and there are no more.
pub(super) fn counted(page: &PageRequest, rows: usize, more: bool) -> Option<u64> {
    let wanted = page.count() as usize;
    let rows = u64::try_from(rows).ok()?;
    match page {
        PageRequest::Index { start, .. } if rows > 0 && (rows as usize) < wanted => {
            Some(start.saturating_sub(1) + rows)
        }
        PageRequest::Index { start: 0 | 1, .. } if rows == 0 && wanted > 0 => Some(0),
        PageRequest::Cursor { after: None, .. } if wanted > 0 && !more => Some(rows),
        _ => None,
    }
}

/// None instead of an error when the time ran out.
pub(super) fn in_time(count: Result<u64, StoreError>) -> Result<Option<u64>, StoreError> {
    match count {
        Ok(total) => Ok(Some(total)),
        Err(StoreError::TooLong) => Ok(None),
        Err(error) => Err(error),
    }
}
