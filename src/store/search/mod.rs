//! Searching the resources of a connection: the only SQL that is composed at run time.
//!
//! A neutral filter becomes a WHERE clause ([`clause`]), an order becomes a key ([`order`]). Indexed columns answer for
//! the attributes that have one; every other attribute is read from `keys`, the comparable twin of the document, so
//! that both databases compare exactly as [`Filter::matches`] does. What was asked goes into binds, never into text.
//!
//! What a filter names its rows by is looked up first ([`lead`]); the number of all of a connection is kept
//! ([`totals`]).
mod clause;
mod lead;
mod order;

use super::extent::ConnectionExtent;
use super::external_groups::{self, ExternalGroup};
use super::external_users::{self, ExternalUser};
use super::{Dialect, FromRow, Reader, Row, Sql, SqlValue, Store, StoreError, first, totals};
use crate::domain::filter::{self, Filter, FilterOp};
use crate::domain::id::{ConnectionId, Id as _};
use crate::domain::page::{AdjacentPages, PageRequest, Position, Sort, SortKey};
use order::SqlOrder;

/// What is searched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Of {
    Users,
    Groups,
}

impl Of {
    /// The table.
    fn whole(self) -> &'static str {
        match self {
            Self::Users => "external_users",
            Self::Groups => "external_groups",
        }
    }

    /// The name of the table in the texts.
    fn table(self) -> &'static str {
        match self {
            Self::Users => "u",
            Self::Groups => "g",
        }
    }

    /// The rows of the connection `$1`, as far as any are there for others to see.
    fn all(self) -> &'static str {
        match self {
            Self::Users => "u.connection_id = $1",
            Self::Groups => "g.connection_id = $1 AND NOT g.is_removed",
        }
    }

    /// The same of rows that are known by their ids: written so that no index can begin at the connection.
    fn among_found(self) -> &'static str {
        match self {
            Self::Users => "COALESCE(u.connection_id = $1, FALSE)",
            Self::Groups => "COALESCE(g.connection_id = $1, FALSE) AND NOT g.is_removed",
        }
    }

    fn counted(self) -> totals::Counted {
        match self {
            Self::Users => totals::Counted::ExternalUsers,
            Self::Groups => totals::Counted::ExternalGroups,
        }
    }

    fn columns(self) -> &'static str {
        match self {
            Self::Users => external_users::COLUMNS,
            Self::Groups => external_groups::COLUMNS,
        }
    }
}

/// A page of what was found.
#[derive(Clone, PartialEq, Debug)]
pub struct SearchResult<T> {
    /// The rows, in order.
    pub rows: Vec<T>,
    /// Where the pages beside it are, when it is a cursor page.
    pub beside: AdjacentPages,
    /// Whether there are rows beyond it, in the direction it was asked for. Known for cursor pages only.
    pub more: bool,
    /// How many match in all, when that was asked for and there is a row that says it.
    pub total: Option<u64>,
}

/// A page of the connection's users.
///
/// # Errors
/// Only those of the store.
pub async fn users(
    reader: &mut Reader,
    at: &ConnectionExtent,
    filter: Option<&Filter>,
    sort: Option<&Sort>,
    page: &PageRequest,
) -> Result<SearchResult<ExternalUser>, StoreError> {
    let wanted = Wanted { filter, sort, page, total: false };
    rows(reader, at, Of::Users, wanted, |user: &ExternalUser| user.id.uuid()).await
}

/// A page of all users of the connection by id, with their number as of the same moment.
///
/// # Errors
/// Only those of the store.
pub async fn all_users(
    reader: &mut Reader,
    at: &ConnectionExtent,
    page: &PageRequest,
) -> Result<SearchResult<ExternalUser>, StoreError> {
    let wanted = Wanted { filter: None, sort: None, page, total: true };
    rows(reader, at, Of::Users, wanted, |user: &ExternalUser| user.id.uuid()).await
}

/// A page of all groups of the connection by id, with their number as of the same moment.
///
/// # Errors
/// Only those of the store.
pub async fn all_groups(
    reader: &mut Reader,
    at: &ConnectionExtent,
    page: &PageRequest,
) -> Result<SearchResult<ExternalGroup>, StoreError> {
    let wanted = Wanted { filter: None, sort: None, page, total: true };
    rows(reader, at, Of::Groups, wanted, |group: &ExternalGroup| group.id.uuid()).await
}

/// Whether an index leads to all users that a filter can find.
pub fn leads_to_users(filter: &Filter) -> bool {
    lead::is_led(Of::Users, filter)
}

/// Whether an index leads to all groups that a filter can find.
pub fn leads_to_groups(filter: &Filter) -> bool {
    lead::is_led(Of::Groups, filter)
}

/// The page of the one user that `userName eq` finds, asked together with others; none when anything else is asked.
///
/// # Errors
/// Only those of the store.
pub async fn user_named(
    store: &Store,
    at: &ConnectionExtent,
    filter: Option<&Filter>,
    page: &PageRequest,
) -> Result<Option<SearchResult<ExternalUser>>, StoreError> {
    let first = matches!(page, PageRequest::Index { start: 0 | 1, .. } | PageRequest::Cursor { after: None, .. });
    match filter {
        Some(Filter::Compare { field, op: FilterOp::Eq, value: filter::FilterValue::Text(name) })
            if field.path == ["userName"] && first && page.count() > 0 =>
        {
            let found = external_users::find_named(store, at, name).await?;
            let total = Some(u64::from(found.is_some()));
            Ok(Some(SearchResult {
                rows: found.into_iter().collect(),
                beside: AdjacentPages::default(),
                more: false,
                total,
            }))
        }
        _ => Ok(None),
    }
}

/// A page of the connection's groups.
///
/// # Errors
/// Only those of the store.
pub async fn groups(
    reader: &mut Reader,
    at: &ConnectionExtent,
    filter: Option<&Filter>,
    sort: Option<&Sort>,
    page: &PageRequest,
) -> Result<SearchResult<ExternalGroup>, StoreError> {
    let wanted = Wanted { filter, sort, page, total: false };
    rows(reader, at, Of::Groups, wanted, |group: &ExternalGroup| group.id.uuid()).await
}

/// How many of the connection's users match.
///
/// # Errors
/// Only those of the store.
pub async fn count_users(
    reader: &mut Reader,
    at: &ConnectionExtent,
    filter: Option<&Filter>,
) -> Result<u64, StoreError> {
    count(reader, at, Of::Users, filter).await
}

/// How many of the connection's groups match.
///
/// # Errors
/// Only those of the store.
pub async fn count_groups(
    reader: &mut Reader,
    at: &ConnectionExtent,
    filter: Option<&Filter>,
) -> Result<u64, StoreError> {
    count(reader, at, Of::Groups, filter).await
}

/// A text on its way, with the values that belong into it.
struct Composer {
    dialect: Dialect,
    of: Of,
    values: Vec<SqlValue>,
    aliases: usize,
}

impl Composer {
    fn new(dialect: Dialect, of: Of, at: ConnectionId) -> Self {
        Self { dialect, of, values: vec![at.into()], aliases: 0 }
    }

    /// The parameter that stands for `value`.
    fn bind(&mut self, value: impl Into<SqlValue>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    /// A fresh name for a row source.
    fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("e{}", self.aliases)
    }

    /// The rows that satisfy a filter.
    fn found(&mut self, filter: Option<&Filter>) -> Rows {
        let (table, alias, all, among) = (self.of.whole(), self.of.table(), self.of.all(), self.of.among_found());
        let led = self.led(filter);
        let restriction = filter.map_or_else(String::new, |filter| format!(" AND {}", self.clause(filter)));
        match led {
            // CROSS JOIN: SQLite begins with the left side then.
            Some(led) => Rows {
                with: format!("hit (id) AS MATERIALIZED ({led})"),
                from: format!("hit CROSS JOIN {table} {alias} WHERE {alias}.id = hit.id AND {among}{restriction}"),
            },
            None => Rows { with: String::new(), from: format!("{table} {alias} WHERE {all}{restriction}") },
        }
    }
}

/// A source of rows, as text.
struct Rows {
    /// What stands in WITH, if anything.
    with: String,
    /// What stands behind FROM, to which further conditions may be added.
    from: String,
}

impl Rows {
    /// `WITH …` of this and what else is given, or nothing.
    fn with(&self, more: Option<String>) -> String {
        let with = [Some(self.with.clone()).filter(|with| !with.is_empty()), more];
        let with: Vec<String> = with.into_iter().flatten().collect();
        if with.is_empty() { String::new() } else { format!("WITH {} ", with.join(", ")) }
    }
}

/// What is asked of a list.
#[derive(Clone, Copy)]
struct Wanted<'q> {
    filter: Option<&'q Filter>,
    sort: Option<&'q Sort>,
    page: &'q PageRequest,
    /// Also how many there are in all; only without a filter.
    total: bool,
}

async fn rows<T: FromRow>(
    reader: &mut Reader,
    at: &ConnectionExtent,
    of: Of,
    Wanted { filter, sort, page, total }: Wanted<'_>,
    id: fn(&T) -> uuid::Uuid,
) -> Result<SearchResult<T>, StoreError> {
    let wanted = i64::from(page.count());
    if wanted == 0 {
        return Ok(SearchResult { rows: Vec::new(), beside: AdjacentPages::default(), more: false, total: None });
    }
    let backwards = matches!(page, PageRequest::Back { .. });
    let (order, text, values) = page_text(reader.dialect(), of, at.connection(), Wanted { filter, sort, page, total });
    let read = |row: &Row| {
        let told: Option<u64> = if total { row.get("told")? } else { None };
        Ok((T::from_row(row)?, order.key(row)?, told))
    };
    let mut found = reader.all(Sql::composed("search", text), values, read).await?;
    let more = !matches!(page, PageRequest::Index { .. }) && found.len() > page.count() as usize;
    found.truncate(page.count() as usize);
    if backwards {
        found.reverse();
    }
    let place = |(row, key, _): &(T, Option<SortKey>, _)| Position { key: key.clone(), id: id(row) };
    let beside = AdjacentPages::of(page, found.first().map(place), found.last().map(place), more);
    let total = found.first().and_then(|(_, _, told)| *told);
    Ok(SearchResult { rows: found.into_iter().map(|(row, _, _)| row).collect(), beside, more, total })
}

/// How many rows a page passes over.
fn passed(page: &PageRequest) -> u64 {
    match page {
        PageRequest::Index { start, .. } => start.saturating_sub(1),
        PageRequest::Cursor { .. } | PageRequest::Back { .. } => 0,
    }
}

/// What asks for a page.
fn page_text(
    dialect: Dialect,
    of: Of,
    at: ConnectionId,
    Wanted { filter, sort, page, total }: Wanted<'_>,
) -> (SqlOrder, String, Vec<SqlValue>) {
    let wanted = i64::from(page.count());
    let mut composer = Composer::new(dialect, of, at);
    let found = composer.found(filter);
    let order = SqlOrder::new(&mut composer, sort, matches!(page, PageRequest::Back { .. }));
    let after = match page {
        PageRequest::Cursor { after: Some(position), .. } | PageRequest::Back { before: position, .. } => {
            format!(" AND {}", order.after(&mut composer, position))
        }
        _ => String::new(),
    };
    let limit = match page {
        PageRequest::Cursor { .. } | PageRequest::Back { .. } => format!("LIMIT {}", composer.bind(wanted + 1)),
        PageRequest::Index { .. } => {
            let limit = composer.bind(wanted);
            format!("LIMIT {limit} OFFSET {}", composer.bind(i64::try_from(passed(page)).unwrap_or(i64::MAX)))
        }
    };
    let told = if total { format!(", ({}) AS told", totals::kept(of.counted(), "$1")) } else { String::new() };
    let (alias, table) = (of.table(), of.whole());
    let (columns, key, from, by) = (of.columns(), order.selected(), &found.from, order.clause());
    // Rows that are passed over are passed over by an index, when there is one, and not read. Nor are other tenants' rows:
    // PostgreSQL walks everybody's in order of id when few connections have most of them, unless an index has it all.
    let by_index = passed(page) > 0 || (dialect == Dialect::Postgres && found.with.is_empty());
    let text = if by_index {
        let one = format!("page (id) AS MATERIALIZED (SELECT {alias}.id FROM {from}{after} {by} {limit})");
        format!(
            "{}SELECT {columns}, {key} AS sort_key{told} FROM page JOIN {table} {alias} ON {alias}.id = page.id {by}",
            found.with(Some(one))
        )
    } else {
        format!("{}SELECT {columns}, {key} AS sort_key{told} FROM {from}{after} {by} {limit}", found.with(None))
    };
    (order, text, composer.values)
}

/// What asks for the number of those that satisfy a filter.
fn count_text(dialect: Dialect, of: Of, at: ConnectionId, filter: Option<&Filter>) -> (String, Vec<SqlValue>) {
    let mut composer = Composer::new(dialect, of, at);
    if filter.is_none() {
        return (totals::kept(of.counted(), "$1"), composer.values);
    }
    let found = composer.found(filter);
    (format!("{}SELECT COUNT(*) FROM {}", found.with(None), found.from), composer.values)
}

/// The texts of a search for users, or for groups, as a database gets them: the page, and the number of all. For those
/// who look at plans.
pub fn texts(
    dialect: Dialect,
    groups: bool,
    filter: Option<&Filter>,
    sort: Option<&Sort>,
    page: &PageRequest,
) -> [(String, Vec<SqlValue>); 2] {
    let (of, nowhere) = (if groups { Of::Groups } else { Of::Users }, ConnectionId::from_uuid(uuid::Uuid::nil()));
    let total = filter.is_none() && sort.is_none();
    let (_, text, values) = page_text(dialect, of, nowhere, Wanted { filter, sort, page, total });
    [(text, values), count_text(dialect, of, nowhere, filter)]
        .map(|(text, values)| (dialect.steady(text.into()).into_owned(), values))
}

async fn count(reader: &mut Reader, at: &ConnectionExtent, of: Of, filter: Option<&Filter>) -> Result<u64, StoreError> {
    let (text, values) = count_text(reader.dialect(), of, at.connection(), filter);
    reader.one(Sql::composed("search count", text), values, first).await
}
