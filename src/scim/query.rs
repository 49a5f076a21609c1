//! Queries: parameters and SearchRequest bodies into one typed value
//! (RFC 7644 §3.4.2, §3.4.3; RFC 9865 §2, §3).

use super::cursor::{Cursor, CursorPosition};
use super::error::{Result, ScimError, ScimType, invalid_filter, invalid_value};
use super::filter::{FilterAst, Foreign};
use super::json::take;
use super::message::{SEARCH_URN, envelope};
use super::path::AttrPath;
use super::projection::Projection;
use super::schema::{Located, ResourceSchema, SchemaSet, kind_of};
use crate::domain::filter as neutral;
use crate::domain::page::{PageRequest, Sort};
use serde_json::Value;

/// Parameters as sent, before they are checked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Params {
    /// `filter`
    pub filter: Option<String>,
    /// `sortBy`
    pub sort_by: Option<String>,
    /// `sortOrder`
    pub sort_order: Option<String>,
    /// `startIndex`
    pub start_index: Option<String>,
    /// `count`
    pub count: Option<String>,
    /// `cursor`; empty asks for the first page.
    pub cursor: Option<String>,
    /// `attributes`
    pub attributes: Vec<String>,
    /// `excludedAttributes`
    pub excluded: Vec<String>,
}

impl Params {
    /// From the query part of a URL; unknown parameters and empty ones between
    /// `&` are ignored (I03, F06).
    ///
    /// # Errors
    /// 400 `invalidValue` when a parameter is given twice.
    pub fn from_query(query: &str) -> Result<Self> {
        let mut params = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            params.set(&name, value.into_owned())?;
        }
        Ok(params)
    }

    /// From a SearchRequest body (N01, V07).
    ///
    /// # Errors
    /// 400 `invalidSyntax` when it is none, `invalidValue` for wrong types.
    pub fn from_search(body: Value) -> Result<Self> {
        let mut map = envelope(body, SEARCH_URN)?;
        let mut params = Self::default();
        for name in ["filter", "sortBy", "sortOrder", "startIndex", "count", "cursor"] {
            let text = match take(&mut map, name) {
                None | Some(Value::Null) => continue,
                Some(Value::String(text)) => text,
                Some(Value::Number(number)) if matches!(name, "startIndex" | "count") => number.to_string(),
                Some(_) => return Err(invalid_value(format!("\"{name}\" has the wrong type."))),
            };
            params.set(name, text)?;
        }
        for name in ["attributes", "excludedAttributes"] {
            let items = match take(&mut map, name) {
                None | Some(Value::Null) => continue,
                Some(Value::Array(items)) => items,
                Some(text @ Value::String(_)) => vec![text],
                Some(_) => return Err(invalid_value(format!("\"{name}\" must be an array of strings."))),
            };
            let names: Option<Vec<String>> = items.into_iter().map(|item| item.as_str().map(str::to_owned)).collect();
            let names = names.ok_or_else(|| invalid_value(format!("\"{name}\" must hold strings.")))?;
            match name {
                "attributes" => params.attributes = names,
                _ => params.excluded = names,
            }
        }
        Ok(params)
    }

    fn set(&mut self, name: &str, value: String) -> Result<()> {
        let slot = match name.to_ascii_lowercase().as_str() {
            "filter" => &mut self.filter,
            "sortby" => &mut self.sort_by,
            "sortorder" => &mut self.sort_order,
            "startindex" => &mut self.start_index,
            "count" => &mut self.count,
            "cursor" => &mut self.cursor,
            "attributes" => {
                self.attributes.push(value);
                return Ok(());
            }
            "excludedattributes" => {
                self.excluded.push(value);
                return Ok(());
            }
            _ => return Ok(()),
        };
        match slot.replace(value) {
            None => Ok(()),
            Some(_) => Err(invalid_value(format!("\"{name}\" is given twice."))),
        }
    }

    /// What the answer shows; for requests that are no queries.
    ///
    /// # Errors
    /// As [`Projection::new`].
    pub fn projection(&self) -> Result<Projection> {
        Projection::new(&self.attributes, &self.excluded)
    }
}

/// Page sizes of the service (V05).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageLimits {
    /// When the client names none.
    pub default_count: u32,
    /// Most in one page.
    pub max_count: u32,
    /// Microseconds a cursor lives; none for ever.
    pub cursor_lifetime: Option<i64>,
}

/// A query, checked in itself but not yet against a resource type.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// Which resources.
    pub filter: Option<FilterAst>,
    /// In which order: path, and whether descending.
    pub sort: Option<(AttrPath, bool)>,
    /// Which page.
    pub paging: Paging,
    /// What of them.
    pub projection: Projection,
    limits: PageLimits,
}

/// The page a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Paging {
    /// By position (RFC 7644 §3.4.2.4).
    Index {
        /// From 1.
        start: u64,
        /// 0 asks for the total alone.
        count: u32,
    },
    /// By cursor (RFC 9865).
    Cursor {
        /// The sealed cursor; none for the first page.
        token: Option<String>,
        /// 0 asks for the total alone.
        count: u32,
    },
}

/// A query of one resource type.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// Which resources.
    pub filter: Option<neutral::Filter>,
    /// In which order.
    pub sort: Option<Sort>,
}

impl Query {
    /// Checks the parameters.
    ///
    /// # Errors
    /// 400 `invalidFilter`, `invalidValue` or `invalidCount`.
    pub fn parse(params: &Params, limits: PageLimits) -> Result<Self> {
        let filter = match params.filter.as_deref().map(str::trim) {
            None => None,
            Some("") => return Err(invalid_filter("The filter is empty.")),
            Some(text) => Some(FilterAst::parse(text)?),
        };
        Ok(Self {
            filter,
            sort: sort(params)?,
            paging: paging(params, limits)?,
            projection: params.projection()?,
            limits,
        })
    }

    /// Filter and order in the terms of one resource type.
    ///
    /// # Errors
    /// 400 `invalidFilter` or `invalidValue` for what the type does not have.
    pub fn resolve(&self, resource: ResourceSchema<'_>) -> Result<Resolved> {
        self.resolve_as(resource, Foreign::Refuse)
    }

    /// Filter and order for every resource type, for a query at the base URL
    /// (I04): an attribute that a type does not have counts as no value there.
    ///
    /// # Errors
    /// As [`Query::resolve`], for an attribute that no type has.
    pub fn resolve_all<'s>(&self, set: &'s SchemaSet) -> Result<Vec<(ResourceSchema<'s>, Resolved)>> {
        let known = |path: &AttrPath| set.resources().any(|r| r.locate(path).is_some());
        if let Some(path) = self.filter.as_ref().and_then(|f| f.find_path(&|p| !known(p))) {
            return Err(invalid_filter(format!("There is no attribute \"{path}\" here.")));
        }
        set.resources().map(|resource| Ok((resource, self.resolve_as(resource, Foreign::NoValue)?))).collect()
    }

    fn resolve_as(&self, resource: ResourceSchema<'_>, foreign: Foreign) -> Result<Resolved> {
        let filter = self.filter.as_ref().map(|f| f.resolve(resource, foreign)).transpose()?;
        let sort = match &self.sort {
            None => None,
            Some((path, descending)) => match resolve_sort(resource, path, *descending) {
                Err(_) if foreign == Foreign::NoValue => None,
                found => Some(found?),
            },
        };
        Ok(Resolved { filter, sort })
    }

    /// The page, once the cursor is opened. `endpoint` is the path queried;
    /// `open` unseals a cursor, and gives none when it is not one of ours.
    ///
    /// # Errors
    /// 400 `invalidCursor`, `expiredCursor` or `invalidCount` (V03, V04).
    pub fn page(&self, endpoint: &str, now: i64, open: impl FnOnce(&str) -> Option<Cursor>) -> Result<PageRequest> {
        Ok(match &self.paging {
            Paging::Index { start, count } => PageRequest::Index { start: *start, count: *count },
            Paging::Cursor { count, .. } => match self.place(endpoint, now, open)? {
                CursorPosition { at: Some(before), back: true, .. } => PageRequest::Back { before, count: *count },
                CursorPosition { at: after, .. } => PageRequest::Cursor { after, count: *count },
            },
        })
    }

    /// The place that the cursor names, once it is opened; the beginning when
    /// there is none. As [`Query::page`].
    ///
    /// # Errors
    /// As [`Query::page`].
    pub fn place(&self, endpoint: &str, now: i64, open: impl FnOnce(&str) -> Option<Cursor>) -> Result<CursorPosition> {
        let Paging::Cursor { token: Some(token), count } = &self.paging else { return Ok(CursorPosition::default()) };
        let cursor = open(token).ok_or_else(Cursor::invalid)?;
        cursor.check(self.fingerprint(endpoint), *count, now, self.limits.cursor_lifetime)
    }

    /// The cursor of a place in this list, to be sealed.
    #[must_use]
    pub fn cursor(&self, endpoint: &str, place: CursorPosition, now: i64) -> Cursor {
        let count = match &self.paging {
            Paging::Index { count, .. } | Paging::Cursor { count, .. } => *count,
        };
        Cursor::new(self.fingerprint(endpoint), count, place, now)
    }

    /// A number that is the same for the same endpoint and parameters (V03).
    #[must_use]
    pub fn fingerprint(&self, endpoint: &str) -> u64 {
        let filter = self.filter.as_ref().map(ToString::to_string).unwrap_or_default();
        let sort = match &self.sort {
            Some((path, descending)) => format!("{path} {descending}"),
            None => String::new(),
        };
        let (mode, paths) = match &self.projection {
            Projection::Default => ("", &[][..]),
            Projection::Only(paths) => ("only", &paths[..]),
            Projection::Except(paths) => ("except", &paths[..]),
        };
        let shown: Vec<String> = paths.iter().map(ToString::to_string).collect();
        super::cursor::fingerprint(&[endpoint, &filter, &sort, mode, &shown.join(",")])
    }
}

fn sort(params: &Params) -> Result<Option<(AttrPath, bool)>> {
    let Some(by) = params.sort_by.as_deref().map(str::trim).filter(|by| !by.is_empty()) else {
        return Ok(None);
    };
    let order = params.sort_order.as_deref().map(str::trim).unwrap_or_default();
    let descending = match order.to_ascii_lowercase().as_str() {
        "" | "ascending" => false,
        "descending" => true,
        _ => return Err(invalid_value("\"sortOrder\" must be \"ascending\" or \"descending\".")),
    };
    let path = AttrPath::parse(by).ok_or_else(|| invalid_value("\"sortBy\" is not an attribute path."))?;
    Ok(Some((path, descending)))
}

/// K01: a multi-valued attribute sorts by its primary value, else its first.
fn resolve_sort(resource: ResourceSchema<'_>, path: &AttrPath, descending: bool) -> Result<Sort> {
    let bad = |why: &str| invalid_value(format!("\"sortBy\": \"{path}\" {why}."));
    let Some(Located::Attribute(target)) = resource.locate(path) else {
        return Err(bad("is not an attribute here"));
    };
    let attr = target.attr;
    let sub = match target.sub {
        None if attr.multi_valued && !attr.sub_attributes.is_empty() => attr.sub("value"),
        sub => sub,
    };
    let leaf = sub.unwrap_or(attr);
    let kind = kind_of(leaf);
    if leaf.is_secret() || attr.is_secret() {
        return Err(bad("cannot be sorted by"));
    }
    if matches!(kind, neutral::FieldType::Object | neutral::FieldType::Binary | neutral::FieldType::Decimal) {
        return Err(bad(
            "cannot be sorted by; name an attribute or part that is text, a whole number, a boolean or a time",
        ));
    }
    let (list, mut keys) = match attr.multi_valued {
        true => (Some(target.field()), Vec::new()),
        false => (None, target.keys()),
    };
    keys.extend(sub.map(|s| s.name.clone()));
    let field = neutral::FilterField { path: keys, kind };
    Ok(Sort { list, field, descending })
}

fn paging(params: &Params, limits: PageLimits) -> Result<Paging> {
    let cursor = params.cursor.as_deref().map(str::trim);
    let Some(token) = cursor else {
        let start = number(params.start_index.as_deref(), "startIndex", ScimType::InvalidValue)?;
        let count = number(params.count.as_deref(), "count", ScimType::InvalidValue)?;
        // L01: out of range is moved into it.
        let count = count.map_or(limits.default_count, saturating).min(limits.max_count);
        let start = start.map_or(1, |start| u64::try_from(start).unwrap_or(1).max(1));
        return Ok(Paging::Index { start, count });
    };
    if params.start_index.is_some() {
        return Err(invalid_value("Give either \"startIndex\" or \"cursor\", not both."));
    }
    let count = number(params.count.as_deref(), "count", ScimType::InvalidCount)?;
    let count = count.map_or(limits.default_count, saturating);
    if count > limits.max_count {
        let text = format!("\"count\" must not be above {}.", limits.max_count);
        return Err(ScimError::new(ScimType::InvalidCount, text));
    }
    // V02: our cursors hold unreserved characters only.
    let unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    if !token.bytes().all(unreserved) {
        return Err(Cursor::invalid());
    }
    let token = (!token.is_empty()).then(|| token.to_owned());
    Ok(Paging::Cursor { token, count })
}

fn saturating(count: i64) -> u32 {
    u32::try_from(count.max(0)).unwrap_or(u32::MAX)
}

fn number(text: Option<&str>, name: &str, kind: ScimType) -> Result<Option<i64>> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(ScimError::new(kind, format!("\"{name}\" must be a whole number.")));
    }
    let limit = if text.starts_with('-') { i64::MIN } else { i64::MAX };
    Ok(Some(text.parse().unwrap_or(limit)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::page::{Position, SortKey};
    use crate::scim::schema::ENTERPRISE_URN;
    use serde_json::json;
    use uuid::Uuid;

    const LIMITS: PageLimits = PageLimits { default_count: 100, max_count: 500, cursor_lifetime: Some(1_000) };

    fn query(text: &str) -> Result<Query> {
        Query::parse(&Params::from_query(text)?, LIMITS)
    }

    fn index(text: &str) -> (u64, u32) {
        match query(text).unwrap().paging {
            Paging::Index { start, count } => (start, count),
            Paging::Cursor { .. } => panic!("not index paging"),
        }
    }

    #[test]
    fn l01_l03_index_paging_is_clamped() {
        assert_eq!(index(""), (1, 100));
        assert_eq!(index("startIndex=0&count=-3"), (1, 0));
        assert_eq!(index("startIndex=-9&count=0"), (1, 0));
        assert_eq!(index("startIndex=7&count=100"), (7, 100));
        assert_eq!(index("count=99999999999999999999"), (1, 500));
        assert_eq!(index("startIndex=%2B7&count=+8"), (7, 8));
        for bad in ["count=ten", "startIndex=1.5", "count=-", "startIndex=5-"] {
            assert!(query(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn f06_i03_odd_query_strings_are_tolerated() {
        let odd = query("filter=userName+eq+%22ida%40harbor.example%22&").unwrap();
        assert_eq!(odd.filter.unwrap().to_string(), r#"userName eq "ida@harbor.example""#);
        assert!(query("&&foo=1&").unwrap().filter.is_none());
        assert!(query("filter=a+pr&filter=b+pr").is_err());
        assert!(query("filter=").is_err());
    }

    #[test]
    fn v03_v04_cursors_belong_to_their_query() {
        let first = query("cursor&count=10&filter=userName+sw+%22J%22").unwrap();
        assert!(matches!(first.page("/Users", 0, |_| None).unwrap(), PageRequest::Cursor { after: None, count: 10 }));
        let position = Position { key: Some(SortKey::Text("j".into())), id: Uuid::nil() };
        let place = CursorPosition { at: Some(position.clone()), ..CursorPosition::default() };
        let cursor = first.cursor("/Users", place.clone(), 50);
        let sealed = serde_json::to_string(&cursor).unwrap();
        let kind = |text: &str, endpoint: &str, now: i64| {
            let open = |_: &str| serde_json::from_str(&sealed).ok();
            query(text).and_then(|q| q.page(endpoint, now, open)).map_err(|e| e.kind.unwrap())
        };
        let same = "cursor=tok&count=10&filter=userName+sw+%22J%22";
        assert_eq!(kind(same, "/Users", 60), Ok(PageRequest::Cursor { after: Some(position), count: 10 }));
        let back = first.cursor("/Users", CursorPosition { back: true, ..place }, 50);
        let back = query(same).unwrap().page("/Users", 60, |_| Some(back)).unwrap();
        assert!(matches!(back, PageRequest::Back { before, count: 10 } if before.id.is_nil()));
        assert_eq!(kind(same, "/Groups", 60), Err(ScimType::InvalidCursor));
        assert_eq!(kind("cursor=tok&count=10", "/Users", 60), Err(ScimType::InvalidCursor));
        assert_eq!(kind("cursor=tok&count=11&filter=userName+sw+%22J%22", "/Users", 60), Err(ScimType::InvalidCount));
        assert_eq!(kind(same, "/Users", 2_000), Err(ScimType::ExpiredCursor));
        assert_eq!(kind("cursor=t%20k", "/Users", 60), Err(ScimType::InvalidCursor));
        assert_eq!(kind("cursor&count=501", "/Users", 60), Err(ScimType::InvalidCount));
        assert_eq!(kind("cursor&count=500", "/Users", 60), Ok(PageRequest::Cursor { after: None, count: 500 }));
        assert!(matches!(query("cursor&count=-5").unwrap().paging, Paging::Cursor { count: 0, .. }));
        let forged = query(same).unwrap().page("/Users", 60, |_| None).unwrap_err();
        assert_eq!(forged.kind, Some(ScimType::InvalidCursor));
    }

    #[test]
    fn k01_sorting() {
        let set = SchemaSet::base();
        let sort = |text: &str| query(text).unwrap().resolve(set.users()).map(|r| r.sort.unwrap());
        let emails = sort("sortBy=emails&sortOrder=Descending").unwrap();
        assert!(emails.descending && emails.list.unwrap().path == ["emails"]);
        assert_eq!(emails.field.path, ["value"]);
        assert_eq!(sort("sortBy=name.familyName").unwrap().field.path, ["name", "familyName"]);
        let manager = format!("{ENTERPRISE_URN}:manager");
        for bad in ["name", "password", "foo", "x509Certificates", "addresses", &manager] {
            assert!(sort(&format!("sortBy={bad}")).is_err(), "{bad}");
        }
        assert_eq!(sort(&format!("sortBy={manager}.value")).unwrap().field.path, [ENTERPRISE_URN, "manager", "value"]);
        assert!(query("sortBy=&sortOrder=up").unwrap().sort.is_none());
        assert!(query("sortBy=userName&sortOrder=up").is_err());
    }

    #[test]
    fn k01_what_is_never_shown_is_not_sorted_by_nor_are_its_parts() {
        let mut set = SchemaSet::base();
        let card = json!({"id": "urn:example:x", "attributes": [{"name": "card", "type": "complex", "returned": "never",
            "subAttributes": [{"name": "number"}]}]});
        set.extend("User", &card, false).unwrap();
        let hidden = query("sortBy=urn:example:x:card.number").unwrap().resolve(set.users());
        assert_eq!(hidden.unwrap_err().kind, Some(ScimType::InvalidValue));
    }

    #[test]
    fn n01_v07_search_request() {
        let body = json!({"schemas": [SEARCH_URN], "attributes": ["userName"], "filter": "userName pr",
            "startIndex": 3, "COUNT": 5, "sortBy": null});
        let params = Params::from_search(body).unwrap();
        let same = Params::from_query("attributes=userName&filter=userName%20pr&startIndex=3&count=5").unwrap();
        assert_eq!(params, same);
        assert!(Params::from_search(json!({"filter": "userName pr"})).is_err());
        for wrong in
            [json!({"count": true}), json!({"filter": 5}), json!({"attributes": 5}), json!({"attributes": [5]})]
        {
            let mut body = wrong.clone();
            body["schemas"] = json!([SEARCH_URN]);
            assert_eq!(Params::from_search(body).unwrap_err().kind, Some(ScimType::InvalidValue), "{wrong}");
        }
        let body =
            json!({"schemas": [SEARCH_URN], "excludedAttributes": "title", "sortOrder": "descending", "cursor": ""});
        let same = Params::from_query("excludedAttributes=title&sortOrder=descending&cursor=").unwrap();
        assert_eq!(Params::from_search(body).unwrap(), same);
        assert!(Params::from_query("attributes=title").unwrap().projection().unwrap().is_only());
        assert!(!same.projection().unwrap().is_only());
    }

    #[test]
    fn i04_at_the_base_a_foreign_attribute_has_no_value() {
        let set = SchemaSet::base();
        let all = query("filter=userName+eq+%22a%22").unwrap().resolve_all(&set).unwrap();
        let groups = all.into_iter().find(|(r, _)| r.kind.name == "Group").unwrap().1;
        assert_eq!(groups.filter, Some(neutral::Filter::Constant(false)));
        assert!(query("filter=foo+pr").unwrap().resolve_all(&set).is_err());
        let sorted = query("sortBy=userName").unwrap().resolve_all(&set).unwrap();
        let kinds: Vec<_> = sorted.iter().map(|(r, found)| (r.kind.name.as_str(), found.sort.is_some())).collect();
        assert_eq!(kinds, [("User", true), ("Group", false)], "groups have no such attribute to be sorted by");
    }

    proptest::proptest! {
        #[test]
        fn i03_any_query_string_is_answered(text in r"(?:[ -~é]{0,8}|filter=|sortBy=|count=|startIndex=|cursor=|&|%22|%00|\+|userName eq|emails\[){0,10}") {
            if let Ok(query) = query(&text) {
                let set = SchemaSet::base();
                let _ = query.resolve(set.users());
                let _ = query.resolve_all(&set);
                let _ = query.page("/Users", 0, |_| None);
                proptest::prop_assert_eq!(query.fingerprint("/Users"), query.clone().fingerprint("/Users"));
            }
        }
    }
}
