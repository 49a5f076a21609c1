//! Lists short enough to be held in memory: filtered, ordered and paged as the store does it with long ones.

use super::query::Resolved;
use super::resource::{Document, keys};
use super::schema::ResourceSchema;
use crate::domain::page::{AdjacentPages, PageRequest, Position};
use uuid::Uuid;

/// A resource, whole.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredResource {
    /// What breaks ties; the same for the same resource at any time.
    pub place: Uuid,
    /// The resource, with what the server adds.
    pub document: Document,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct ResourcePage {
    /// The resources, in order.
    pub rows: Vec<Document>,
    /// How many there are in all.
    pub total: u64,
    /// Where the pages beside it are, when it is a cursor page.
    pub beside: AdjacentPages,
}

/// The page of `items` that is asked for.
#[must_use]
pub fn part(
    kind: ResourceSchema<'_>,
    items: Vec<StoredResource>,
    wanted: &Resolved,
    page: &PageRequest,
) -> ResourcePage {
    let mut found: Vec<(Position, Document)> = Vec::new();
    for StoredResource { place, document } in items {
        let twin = keys(kind, &document);
        if wanted.filter.as_ref().is_none_or(|filter| filter.matches(&twin)) {
            let key = wanted.sort.as_ref().and_then(|sort| sort.key(&twin));
            found.push((Position { key, id: place }, document));
        }
    }
    let order = |a: &Position, b: &Position| match &wanted.sort {
        Some(sort) => sort.compare(a, b),
        None => a.id.cmp(&b.id),
    };
    found.sort_by(|(a, _), (b, _)| order(a, b));
    let total = found.len() as u64;
    let count = page.count() as usize;
    let (start, end) = match page {
        PageRequest::Index { start, .. } => (usize::try_from(start.saturating_sub(1)).unwrap_or(usize::MAX), None),
        PageRequest::Cursor { after: None, .. } => (0, None),
        PageRequest::Cursor { after: Some(last), .. } => {
            (found.partition_point(|(place, _)| order(place, last).is_le()), None)
        }
        PageRequest::Back { before, .. } => {
            let end = found.partition_point(|(place, _)| order(place, before).is_lt());
            (end.saturating_sub(count), Some(end))
        }
    };
    let end = end.unwrap_or_else(|| start.saturating_add(count)).min(found.len());
    let more = if matches!(page, PageRequest::Back { .. }) { start > 0 } else { end < found.len() };
    let rows: Vec<(Position, Document)> = found.into_iter().take(end).skip(start).collect();
    let place = |row: &(Position, Document)| row.0.clone();
    let beside = AdjacentPages::of(page, rows.first().map(place), rows.last().map(place), more);
    ResourcePage { rows: rows.into_iter().map(|(_, document)| document).collect(), total, beside }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::query::{PageLimits, Params, Query};
    use crate::scim::schema::SchemaSet;
    use serde_json::json;

    fn shelf() -> (SchemaSet, Vec<StoredResource>) {
        let mut set = SchemaSet::base();
        set.offer_roles();
        let item = |(number, name): (u128, &str)| {
            let document = json!({"schemas": ["x"], "id": name.to_lowercase(), "displayName": name});
            StoredResource { place: Uuid::from_u128(number), document: document.as_object().unwrap().clone() }
        };
        let items = [(3, "Auditor"), (1, "zookeeper"), (2, "Boatman"), (4, "boatman")].map(item).into();
        (set, items)
    }

    fn ask(text: &str, after: Option<Position>) -> (Vec<String>, u64, AdjacentPages) {
        asked(text, |count| PageRequest::Cursor { after, count })
    }

    fn asked(text: &str, at: impl FnOnce(u32) -> PageRequest) -> (Vec<String>, u64, AdjacentPages) {
        let (set, items) = shelf();
        let kind = set.resource("Role").unwrap();
        let limits = PageLimits { default_count: 10, max_count: 10, cursor_lifetime: None };
        let query = Query::parse(&Params::from_query(text).unwrap(), limits).unwrap();
        let page = match query.page("/Roles", 0, |_| None).unwrap() {
            PageRequest::Cursor { count, .. } => at(count),
            page => page,
        };
        let part = part(kind, items, &query.resolve(kind).unwrap(), &page);
        let name = |row: &Document| row["displayName"].as_str().unwrap().to_owned();
        (part.rows.iter().map(name).collect(), part.total, part.beside)
    }

    #[test]
    fn filters_order_and_positions() {
        assert_eq!(ask("", None).0, ["zookeeper", "Boatman", "Auditor", "boatman"]);
        assert_eq!(ask("sortBy=displayName", None).0, ["Auditor", "Boatman", "boatman", "zookeeper"]);
        let down = ask("sortBy=displayName&sortOrder=descending&startIndex=2&count=2", None);
        assert_eq!(down, (vec!["Boatman".to_owned(), "boatman".to_owned()], 4, down.2.clone()));
        assert_eq!(ask("filter=displayName+eq+%22BOATMAN%22", None).1, 2);
        assert_eq!(ask("filter=id+eq+%22auditor%22", None).0, ["Auditor"]);
        assert_eq!((ask("count=0", None).0.len(), ask("count=0", None).1), (0, 4));
        assert_eq!(ask("startIndex=9", None), (vec![], 4, AdjacentPages::default()));
    }

    #[test]
    fn a_walk_sees_each_once() {
        for query in ["cursor&count=1", "cursor&count=3&sortBy=displayName&sortOrder=descending"] {
            let (mut pages, mut seen, mut after) = (Vec::new(), Vec::new(), None);
            let mut back = loop {
                let (rows, _, beside) = ask(query, after);
                assert_eq!(beside.previous.is_some(), !seen.is_empty(), "none on the first page");
                pages.push(rows.clone());
                seen.extend(rows);
                after = beside.next;
                if after.is_none() {
                    break beside.previous;
                }
            };
            pages.pop();
            while let Some(before) = back {
                let (rows, _, beside) = asked(query, |count| PageRequest::Back { before, count });
                assert!(beside.next.is_some());
                assert_eq!(Some(rows), pages.pop(), "the same pages on the way back");
                back = beside.previous;
            }
            assert!(pages.is_empty());
            seen.sort_unstable();
            assert_eq!(seen, ["Auditor", "Boatman", "boatman", "zookeeper"]);
        }
    }
}
