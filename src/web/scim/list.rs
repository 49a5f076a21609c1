//! Lists: GET with parameters, and POST to `/.search` (RFC 7644 §3.4.2, §3.4.3; RFC 9865).
use std::time::Duration;

use super::members::ResponseItem;
use super::not_found;
use super::request::{ScimRequest, of_store};
use super::resource::UserReferences;
use super::response::ScimResponse;
use super::roles::items;
use crate::domain::page::{AdjacentPages, PageRequest, Position};
use crate::provision::listing::ListQuery;
use crate::provision::{groups, users};
use crate::scim::cursor::CursorPosition;
use crate::scim::error::{ScimError, ScimType};
use crate::scim::in_memory;
use crate::scim::message::ListPage;
use crate::scim::query::{PageLimits, Paging, Params, Query, Resolved};
use crate::scim::reference::localise_filter;
use crate::scim::schema::ResourceSchema;
use crate::store::external_groups::ExternalGroup;

/// `GET /Users`.
pub async fn users(visit: &mut ScimRequest) -> Result<ScimResponse, ScimError> {
    let params = visit.params()?;
    visit.offer.switches.check_address(&params)?;
    of_type(visit, "User", params).await
}

/// `GET /Groups`.
pub async fn groups(visit: &mut ScimRequest) -> Result<ScimResponse, ScimError> {
    let params = visit.params()?;
    visit.offer.switches.check_address(&params)?;
    of_type(visit, "Group", params).await
}

/// `POST /Users/.search`.
pub async fn search_users(visit: &mut ScimRequest) -> Result<ScimResponse, ScimError> {
    let params = search(visit).await?;
    of_type(visit, "User", params).await
}

/// `POST /Groups/.search`.
pub async fn search_groups(visit: &mut ScimRequest) -> Result<ScimResponse, ScimError> {
    let params = search(visit).await?;
    of_type(visit, "Group", params).await
}

/// `GET /Roles` or `/Entitlements`, where the connection offers them. Nothing there is about users.
pub async fn offered(visit: &mut ScimRequest, name: &str) -> Result<ScimResponse, ScimError> {
    let params = visit.params()?;
    of_offered(visit, name, params).await
}

/// `POST /Roles/.search` or `/Entitlements/.search`.
pub async fn search_offered(visit: &mut ScimRequest, name: &str) -> Result<ScimResponse, ScimError> {
    let params = search(visit).await?;
    of_offered(visit, name, params).await
}

async fn of_offered(visit: &mut ScimRequest, name: &str, params: Params) -> Result<ScimResponse, ScimError> {
    if visit.offer.set.resource(name).is_none() {
        return not_found::nothing(visit).await;
    }
    of_type(visit, name, params).await
}

/// `GET` at the base address: every type (I04).
pub async fn everything(visit: &mut ScimRequest) -> Result<ScimResponse, ScimError> {
    let params = visit.params()?;
    visit.offer.switches.check_address(&params)?;
    of_all(visit, params).await
}

/// `POST /.search`.
pub async fn search_everything(visit: &mut ScimRequest) -> Result<ScimResponse, ScimError> {
    let params = search(visit).await?;
    of_all(visit, params).await
}

async fn search(visit: &mut ScimRequest) -> Result<Params, ScimError> {
    let body = visit.json(visit.app.config.server.limits.max_body_bytes).await?;
    Params::from_search(body)
}

impl ScimRequest {
    /// The longest that may be spent on finding a page.
    pub fn searching(&self) -> Duration {
        Duration::from_millis(self.app.config.scim.search_timeout_ms)
    }

    /// The longest that may be spent on counting all matches.
    fn counting(&self) -> Duration {
        Duration::from_millis(self.app.config.scim.count_timeout_ms)
    }
}

/// The query in its strict form.
fn query(visit: &mut ScimRequest, kind: Option<ResourceSchema<'_>>, params: Params) -> Result<Query, ScimError> {
    let offer = visit.offer.clone();
    let translated = offer.switches.translate_query(kind, params);
    visit.translated(&translated.acts);
    let settings = &visit.app.config.scim;
    let limits = PageLimits {
        default_count: settings.default_page_size,
        max_count: settings.max_page_size,
        cursor_lifetime: Some(i64::from(settings.cursor_lifetime_seconds) * 1_000_000),
    };
    let mut query = Query::parse(&translated.request, limits)?;
    if let Some(filter) = &mut query.filter {
        localise_filter(filter, &visit.base);
    }
    Ok(query)
}

/// One part of a list, rendered but for the members of groups.
struct Part {
    rows: Vec<ResponseItem>,
    total: Option<u64>,
    beside: AdjacentPages,
}

async fn of_type(visit: &mut ScimRequest, name: &str, params: Params) -> Result<ScimResponse, ScimError> {
    let offer = visit.offer.clone();
    let kind = offer.set.resource(name).ok_or_else(ScimError::not_found)?;
    let query = query(visit, Some(kind), params)?;
    let resolved = query.resolve(kind)?;
    let endpoint = kind.kind.endpoint.as_str();
    let now = visit.ctx.now().micros();
    let page = query.page(endpoint, now, |text| visit.unseal(text))?;
    let part = read(visit, kind, (&query, &resolved), &page, visit.counting()).await?;
    let sealed = |at: Option<Position>, back| {
        at.map(|at| visit.seal(&query.cursor(endpoint, CursorPosition { part: 0, at: Some(at), back }, now)))
            .transpose()
    };
    let (next_cursor, previous_cursor) = (sealed(part.beside.next, false)?, sealed(part.beside.previous, true)?);
    let start = match query.paging {
        Paging::Index { start, .. } => Some(start),
        Paging::Cursor { .. } => None,
    };
    if part.total.is_none() && start.is_some() {
        let text = "Too many resources to count; narrow the filter, or page with a cursor.";
        return Err(ScimError::new(ScimType::TooMany, text));
    }
    let page = ListPage { total: part.total, start, resources: Vec::new(), next_cursor, previous_cursor };
    send(visit, &query, page, part.rows).await
}

/// Users, then groups, then what else the connection offers, as one list.
async fn of_all(visit: &mut ScimRequest, params: Params) -> Result<ScimResponse, ScimError> {
    let offer = visit.offer.clone();
    let query = query(visit, None, params)?;
    let (start, count, by_position) = match query.paging {
        Paging::Index { start, count } => (start, count, true),
        // The total alone.
        Paging::Cursor { count: 0, .. } => (1, 0, false),
        Paging::Cursor { count, .. } => return walk_all(visit, &query, count).await,
    };
    let (mut total, mut rows) = (0, Vec::new());
    for (kind, resolved) in query.resolve_all(&offer.set)? {
        let left = count.saturating_sub(u32::try_from(rows.len()).unwrap_or(u32::MAX));
        let page = PageRequest::Index { start: start.saturating_sub(total).max(1), count: left };
        let part = read(visit, kind, (&query, &resolved), &page, visit.counting()).await?;
        let Some(of_kind) = part.total else {
            let text = "Too many resources to count; narrow the filter.";
            return Err(ScimError::new(ScimType::TooMany, text));
        };
        total += of_kind;
        rows.extend(part.rows);
    }
    let page = ListPage {
        total: Some(total),
        start: by_position.then_some(start),
        resources: Vec::new(),
        next_cursor: None,
        previous_cursor: None,
    };
    send(visit, &query, page, rows).await
}

/// A page by cursor of all types, one type after another. Its total is not told: each type would have to be counted.
async fn walk_all(visit: &mut ScimRequest, query: &Query, count: u32) -> Result<ScimResponse, ScimError> {
    let (offer, now) = (visit.offer.clone(), visit.ctx.now().micros());
    let CursorPosition { part: first, at: mut after, .. } = query.place("/", now, |text| visit.unseal(text))?;
    let (mut rows, mut next) = (Vec::new(), None);
    for (number, (kind, resolved)) in query.resolve_all(&offer.set)?.into_iter().enumerate().skip(first) {
        let left = count.saturating_sub(u32::try_from(rows.len()).unwrap_or(u32::MAX));
        if left == 0 {
            next = Some(CursorPosition { part: number, ..CursorPosition::default() });
            break;
        }
        let page = PageRequest::Cursor { after: after.take(), count: left };
        let part = read(visit, kind, (query, &resolved), &page, Duration::ZERO).await?;
        rows.extend(part.rows);
        if part.beside.next.is_some() {
            next = Some(CursorPosition { part: number, at: part.beside.next, back: false });
            break;
        }
    }
    let next_cursor = next.map(|place| visit.seal(&query.cursor("/", place, now))).transpose()?;
    let page = ListPage { total: None, start: None, resources: Vec::new(), next_cursor, previous_cursor: None };
    send(visit, query, page, rows).await
}

/// Answers with a page and its resources.
async fn send(
    visit: &ScimRequest,
    query: &Query,
    page: ListPage,
    rows: Vec<ResponseItem>,
) -> Result<ScimResponse, ScimError> {
    let view = query.projection.view(visit.offer.set.groups());
    let (head, tail) = page.around(rows.len());
    visit.send(200, &view, head, rows, tail).await
}

async fn read(
    visit: &ScimRequest,
    kind: ResourceSchema<'_>,
    (query, resolved): (&Query, &Resolved),
    page: &PageRequest,
    counting: Duration,
) -> Result<Part, ScimError> {
    let offer = visit.offer.clone();
    let source = visit.source(&offer);
    let view = query.projection.view(kind);
    let wanted = ListQuery {
        filter: resolved.filter.as_ref(),
        sort: resolved.sort.as_ref(),
        page,
        searching: visit.searching(),
        counting,
    };
    let failed = |error| of_store(&error);
    if let Some(items) = items(visit, kind).await? {
        let found = in_memory::part(kind, items, resolved, page);
        let show = |document| ResponseItem::Whole(view.apply(document, None).into());
        let rows = found.rows.into_iter().map(show).collect();
        return Ok(Part { rows, total: Some(found.total), beside: found.beside });
    }
    if kind.kind.name == "User" {
        let found = users::list(&visit.app.store, &source, wanted, view.needs_groups()).await.map_err(failed)?;
        let show = |row: users::UserWithGroups| {
            let beside = UserReferences { groups: row.groups, named: row.named };
            ResponseItem::Whole(visit.show_user(&view, kind, row.user, beside, None).body)
        };
        return Ok(Part { rows: found.rows.into_iter().map(show).collect(), total: found.total, beside: found.beside });
    }
    let found = groups::list(&visit.app.store, &source, wanted).await.map_err(failed)?;
    let show = |group: ExternalGroup| {
        let id = group.id;
        let bare = visit.show_group(&view, kind, group, None).body;
        if view.needs_members() { ResponseItem::Group(bare, id) } else { ResponseItem::Whole(bare) }
    };
    Ok(Part { rows: found.rows.into_iter().map(show).collect(), total: found.total, beside: found.beside })
}
