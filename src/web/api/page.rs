//! Pages of lists: `limit`, `after` and `next`.
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use super::error::Fault;
use super::request::ApiRequest;
use crate::domain::id::Id;

/// Entries on a page when the caller does not say how many.
pub(super) const USUAL: usize = 100;
/// Most entries on a page.
pub(super) const MOST: usize = 500;
/// Most bytes of what is searched for.
pub(super) const MOST_SEARCHED: usize = 500;

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ApiPage<T> {
    /// The entries.
    pub items: Vec<T>,
    /// Where the next page begins: send it as `after`. Null on the last page.
    pub next: Option<String>,
}

/// Which page is asked for.
#[derive(Debug)]
pub(super) struct PageParams<C> {
    /// At most so many entries.
    pub limit: usize,
    /// The place after which it begins.
    pub after: Option<C>,
    /// What entries must contain; empty for all.
    pub search: String,
}

impl<C: Serialize + DeserializeOwned> PageParams<C> {
    /// Reads `limit` and `after`.
    pub(super) fn of(call: &ApiRequest) -> Result<Self, Fault> {
        Self::read(call.request.query_string(), false)
    }

    /// Reads `limit`, `after` and `q`.
    pub(super) fn searching(call: &ApiRequest) -> Result<Self, Fault> {
        Self::read(call.request.query_string(), true)
    }

    fn read(query: &str, searchable: bool) -> Result<Self, Fault> {
        let mut wanted = Self { limit: USUAL, after: None, search: String::new() };
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "limit" => {
                    let limit = value.parse().ok().filter(|limit| (1..=MOST).contains(limit));
                    wanted.limit = limit.ok_or_else(|| Fault::bad(format!("`limit` must be 1 to {MOST}.")))?;
                }
                "after" => wanted.after = Some(opened(&value)?),
                "q" if searchable => {
                    if value.chars().any(char::is_control) || value.len() > MOST_SEARCHED {
                        let why = format!("`q` must be at most {MOST_SEARCHED} bytes without control characters.");
                        return Err(Fault::bad(why));
                    }
                    wanted.search = value.trim().to_owned();
                }
                other => {
                    let other: String = other.chars().filter(|char| !char.is_control()).take(50).collect();
                    return Err(Fault::bad(format!("`{other}` is not a parameter of this list.")));
                }
            }
        }
        Ok(wanted)
    }

    /// One more than a page: whether there is more is seen by that.
    pub(super) fn rows(&self) -> u32 {
        u32::try_from(self.limit.saturating_add(1)).unwrap_or(u32::MAX)
    }

    /// The page of `rows`, of which at most [`PageParams::rows`] were read, each rendered; `place` is where a row stands.
    pub(super) fn page<R, T>(&self, mut rows: Vec<R>, place: impl Fn(&R) -> C, render: impl Fn(R) -> T) -> ApiPage<T> {
        let more = rows.len() > self.limit;
        rows.truncate(self.limit);
        let next = rows.last().filter(|_| more).map(|row| sealed(&place(row)));
        ApiPage { items: rows.into_iter().map(render).collect(), next }
    }
}

impl<I: Id + Serialize + DeserializeOwned> PageParams<I> {
    /// The id behind which a page of rows in the order of their ids begins.
    pub(super) fn from(&self) -> I {
        self.after.unwrap_or(I::from_uuid(uuid::Uuid::nil()))
    }
}

/// A place as callers see it. It says only where to go on: what may be read there is decided anew.
pub(super) fn sealed(place: &impl Serialize) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(place).unwrap_or_default())
}

/// The place that a caller sent back.
pub(super) fn opened<C: DeserializeOwned>(text: &str) -> Result<C, Fault> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok();
    let place = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    place.ok_or_else(|| Fault::bad("`after` must be the `next` of the page before."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<PageParams<(i64, String)>, Fault> {
        PageParams::read(query, true)
    }

    #[test]
    fn a_walk_ends_where_the_rows_do() {
        let wanted = read("limit=2").unwrap();
        let place = |row: &i64| (*row, "x".to_owned());
        let first = wanted.page(vec![1, 2, 3], place, |row| row);
        assert_eq!(first.items, [1, 2]);
        let query = format!("limit=2&after={}", first.next.unwrap());
        assert_eq!(read(&query).unwrap().after, Some((2, "x".to_owned())));
        assert!(wanted.page(vec![3, 4], place, |row| row).next.is_none());
    }

    #[test]
    fn wrong_parameters_are_named() {
        for (query, part) in
            [("limit=0", "limit"), ("limit=x", "limit"), ("limit=501", "500"), ("after=%00", "after"), ("x=1", "`x`")]
        {
            assert!(read(query).unwrap_err().to_string().contains(part), "{query}");
        }
        assert!(PageParams::<i64>::read("q=a", false).is_err());
        assert!(read("q=%00").is_err());
    }
}
