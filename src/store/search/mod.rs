//! Searching the resources of a connection: the only SQL that is composed at run time.
//!
//! A neutral filter becomes a WHERE clause ([`clause`]), an order becomes a key ([`order`]). Indexed columns answer for
//! the attributes that have one; every other attribute is read from `keys`, the comparable twin of the document, so
//! that both databases compare exactly as [`Filter::matches`] does. What was asked goes into binds, never into text.
mod clause;
mod order;

use super::extent::ConnectionExtent;
use super::external_groups::{self, ExternalGroup};
use super::external_users::{self, ExternalUser};
use super::{Dialect, FromRow, Reader, Row, Sql, Store, StoreError, Value, first};
use crate::domain::filter::{self, Filter, Op};
use crate::domain::id::Id as _;
use crate::domain::page::{Beside, Page, Position, Sort, SortKey};
use order::Order;

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
            Self::Users => "external_user",
            Self::Groups => "external_group",
        }
    }

    /// The name of the table in the texts.
    fn table(self) -> &'static str {
        match self {
            Self::Users => "u",
            Self::Groups => "g",
        }
    }

    fn from(self) -> &'static str {
        match self {
            Self::Users => "external_user u WHERE u.connection = $1",
            Self::Groups => "external_group g WHERE g.connection = $1 AND NOT g.gone",
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
pub struct Found<T> {
    /// The rows, in order.
    pub rows: Vec<T>,
    /// Where the pages beside it are, when it is a cursor page.
    pub beside: Beside,
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
    page: &Page,
) -> Result<Found<ExternalUser>, StoreError> {
    let wanted = Wanted { filter, sort, page, total: false };
    rows(reader, at, Of::Users, wanted, |user: &ExternalUser| user.id.uuid()).await
}

/// A page of the connection's users by id, with the number of all as of the same moment.
///
/// # Errors
/// Only those of the store.
pub async fn users_and_total(
    reader: &mut Reader,
    at: &ConnectionExtent,
    filter: Option<&Filter>,
    page: &Page,
) -> Result<Found<ExternalUser>, StoreError> {
    let wanted = Wanted { filter, sort: None, page, total: true };
    rows(reader, at, Of::Users, wanted, |user: &ExternalUser| user.id.uuid()).await
}

/// The page of the one user that `userName eq` finds, asked together with others; none when anything else is asked.
///
/// # Errors
/// Only those of the store.
pub async fn user_named(
    store: &Store,
    at: &ConnectionExtent,
    filter: Option<&Filter>,
    page: &Page,
) -> Result<Option<Found<ExternalUser>>, StoreError> {
    let first = matches!(page, Page::Index { start: 0 | 1, .. } | Page::Cursor { after: None, .. });
    match filter {
        Some(Filter::Compare { field, op: Op::Eq, value: filter::Value::Text(name) })
            if field.path == ["userName"] && first && page.count() > 0 =>
        {
            let found = external_users::find_named(store, at, name).await?;
            let total = Some(u64::from(found.is_some()));
            Ok(Some(Found { rows: found.into_iter().collect(), beside: Beside::default(), more: false, total }))
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
    page: &Page,
) -> Result<Found<ExternalGroup>, StoreError> {
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
    values: Vec<Value>,
    aliases: usize,
}

impl Composer {
    fn new(dialect: Dialect, of: Of, at: &ConnectionExtent) -> Self {
        Self { dialect, of, values: vec![at.connection().into()], aliases: 0 }
    }

    /// The parameter that stands for `value`.
    fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    /// A fresh name for a row source.
    fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("e{}", self.aliases)
    }

    /// ` AND …`, or nothing.
    fn restrict(&mut self, filter: Option<&Filter>) -> String {
        filter.map_or_else(String::new, |filter| format!(" AND {}", self.clause(filter)))
    }
}

/// What is asked of a list.
#[derive(Clone, Copy)]
struct Wanted<'q> {
    filter: Option<&'q Filter>,
    sort: Option<&'q Sort>,
    page: &'q Page,
    /// Also how many match in all; only of an order by id.
    total: bool,
}

async fn rows<T: FromRow>(
    reader: &mut Reader,
    at: &ConnectionExtent,
    of: Of,
    Wanted { filter, sort, page, total }: Wanted<'_>,
    id: fn(&T) -> uuid::Uuid,
) -> Result<Found<T>, StoreError> {
    let wanted = i64::from(page.count());
    if wanted == 0 {
        return Ok(Found { rows: Vec::new(), beside: Beside::default(), more: false, total: None });
    }
    let mut composer = Composer::new(reader.dialect(), of, at);
    let restriction = composer.restrict(filter);
    let backwards = matches!(page, Page::Back { .. });
    let order = Order::new(&mut composer, sort, backwards);
    let after = match page {
        Page::Cursor { after: Some(position), .. } | Page::Back { before: position, .. } => {
            format!(" AND {}", order.after(&mut composer, position))
        }
        _ => String::new(),
    };
    let limit = match page {
        Page::Cursor { .. } | Page::Back { .. } => format!("LIMIT {}", composer.bind(wanted + 1)),
        Page::Index { start, .. } => {
            let skipped = i64::try_from(start.saturating_sub(1)).unwrap_or(i64::MAX);
            let limit = composer.bind(wanted);
            format!("LIMIT {limit} OFFSET {}", composer.bind(skipped))
        }
    };
    let (columns, key, from, by) = (of.columns(), order.selected(), of.from(), order.clause());
    let passed = match page {
        Page::Index { start, .. } => start.saturating_sub(1),
        Page::Cursor { .. } | Page::Back { .. } => 0,
    };
    let text = if passed > 0 {
        // Rows that are passed over are passed over by an index, when there is one, and not read; and not counted again.
        let (alias, table) = (of.table(), of.whole());
        let beyond = format!("{alias}.id > (SELECT page.id FROM page ORDER BY page.id DESC LIMIT 1)");
        let told = if total {
            format!(", (SELECT COUNT(*) FROM {from}{restriction} AND {beyond}) AS told")
        } else {
            String::new()
        };
        format!(
            "WITH page AS MATERIALIZED (SELECT {alias}.id FROM {from}{restriction} {by} {limit}) \
             SELECT {columns}, {key} AS sort_key{told} FROM page JOIN {table} {alias} ON {alias}.id = page.id {by}"
        )
    } else {
        let told = if total { format!(", (SELECT COUNT(*) FROM {from}{restriction}) AS told") } else { String::new() };
        format!("SELECT {columns}, {key} AS sort_key{told} FROM {from}{restriction}{after} {by} {limit}")
    };
    let read = |row: &Row| {
        let told: Option<u64> = if total { row.get("told")? } else { None };
        Ok((T::from_row(row)?, order.key(row)?, told))
    };
    let mut found = reader.all(Sql::composed("search", text), composer.values, read).await?;
    let more = !matches!(page, Page::Index { .. }) && found.len() > page.count() as usize;
    found.truncate(page.count() as usize);
    if backwards {
        found.reverse();
    }
    let place = |(row, key, _): &(T, Option<SortKey>, _)| Position { key: key.clone(), id: id(row) };
    let beside = Beside::of(page, found.first().map(place), found.last().map(place), more);
    let told = found.first().and_then(|(_, _, told)| *told);
    let held = if passed > 0 { passed + found.len() as u64 } else { 0 };
    let total = told.map(|told| told + held);
    Ok(Found { rows: found.into_iter().map(|(row, _, _)| row).collect(), beside, more, total })
}

async fn count(reader: &mut Reader, at: &ConnectionExtent, of: Of, filter: Option<&Filter>) -> Result<u64, StoreError> {
    let mut composer = Composer::new(reader.dialect(), of, at);
    let restriction = composer.restrict(filter);
    let text = format!("SELECT COUNT(*) FROM {}{restriction}", of.from());
    reader.one(Sql::composed("search count", text), composer.values, first).await
}
