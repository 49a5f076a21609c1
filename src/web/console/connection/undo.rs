//! `/connections/{slug}/undo`: what the connection took away between two moments, and giving it back. Also putting the
//! notice of a removal alert away.
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::super::error::PageError;
use super::super::layout::{self, Layout, html, id, link, ok, parameter, second, see_other, session_user, submitted};
use super::super::partner_header::{self, PartnerHeader, place};
use super::seen;
use crate::admin::removal_alerts::{self, UndoError, UndoRequest};
use crate::domain::capability::CoreCapability;
use crate::domain::id::RemovalAlertId;
use crate::domain::time::Timestamp;
use crate::provision::undo::{RemovedItem, Restorability, TimeRange, UndoEntry, UndoPlan};
use crate::store::Reader;
use crate::store::members::MemberId;
use crate::web::App;
use crate::web::login::SessionUser;

/// Lines of each table.
const LINES: usize = 200;

/// How far back the page looks unless it is told, in seconds.
const BACK: i64 = 3_600;

#[derive(Template)]
#[template(path = "console/undo.html")]
struct Page {
    frame: Layout,
    at: PartnerHeader,
    slug: String,
    span: Written,
    may_write: bool,
    /// The plan that was to be carried out is another one by now.
    changed: bool,
    hash: String,
    tables: Vec<Table>,
    /// How many things would be restored.
    restorable: usize,
    /// `34 removals`.
    sum: String,
    /// `30 people`.
    users: String,
    nothing: bool,
}

/// A time as the form has it: `2026-11-22T01:30:00`, in UTC.
struct Written {
    from: String,
    to: String,
}

/// Entries of one fate.
struct Table {
    title: &'static str,
    about: &'static str,
    count: usize,
    lines: Vec<UndoRow>,
    reasons: bool,
}

struct UndoRow {
    who: String,
    what: String,
    /// `group` for what is no user.
    tag: &'static str,
    when: String,
    note: &'static str,
}

/// Shows the plan.
pub(in crate::web::console) async fn show(
    request: HttpRequest,
    app: web::Data<App>,
    slug: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let session_user = session_user(&request, &app).await?;
    let now = app.clock.now();
    let moment = |name: &str, unless: Timestamp| match parameter(&request, name) {
        text if text.is_empty() => Ok(unless),
        text => read(&text),
    };
    let span = TimeRange { from: moment("from", now.plus_seconds(-BACK))?, to: moment("to", now.plus_seconds(1))? };
    let undo = UndoRequest { actor: Some(session_user.user()), slug: &slug, span };
    let plan = removal_alerts::plan(&app.store, &session_user.ctx(&app), undo).await?;
    Ok(ok(&page(&request, &app, &session_user, &slug, &plan, false).await?))
}

/// Carries the plan out that the page showed, or shows the new one.
pub(in crate::web::console) async fn carry_out(
    request: HttpRequest,
    app: web::Data<App>,
    payload: web::Payload,
    slug: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let (session_user, form) = submitted(&request, &app, payload).await?;
    let span = TimeRange { from: read(form.field("from"))?, to: read(form.field("to"))? };
    let undo = UndoRequest { actor: Some(session_user.user()), slug: &slug, span };
    let (ctx, hash) = (session_user.ctx(&app), form.field("plan"));
    match removal_alerts::carry_out(&app.store, &ctx, undo, hash).await {
        Ok(_) => {
            let (from, to) = (span.from.to_string(), span.to.to_string());
            let there = format!("/connections/{slug}/undo");
            Ok(see_other(&link(&there, &[("from", &from), ("to", &to), ("done", "undone")])))
        }
        Err(UndoError::Changed(plan)) => {
            let page = page(&request, &app, &session_user, &slug, &plan, true).await?;
            Ok(html(StatusCode::CONFLICT, &page))
        }
        Err(UndoError::Refused(why)) => Err(why.into()),
    }
}

/// Puts the notice of a removal alert away.
pub(in crate::web::console) async fn dismiss(
    request: HttpRequest,
    app: web::Data<App>,
    payload: web::Payload,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, PageError> {
    let (session_user, _) = submitted(&request, &app, payload).await?;
    let (slug, removal_alert) = path.into_inner();
    removal_alerts::dismiss(
        &app.store,
        &session_user.ctx(&app),
        session_user.user(),
        &slug,
        id::<RemovalAlertId>(&removal_alert)?,
    )
    .await?;
    Ok(see_other(&format!("/connections/{slug}?done=dismissed")))
}

/// A moment as a form or a link writes it; without an offset it is in UTC.
fn read(text: &str) -> Result<Timestamp, PageError> {
    let whole = if text.len() == "2026-11-22T01:30".len() { format!("{text}:00") } else { text.to_owned() };
    let moment = Timestamp::parse_rfc3339(&whole).or_else(|| Timestamp::parse_rfc3339(&format!("{whole}Z")));
    moment.ok_or_else(|| PageError::Invalid("Write moments like 2026-11-22T01:30:00, in UTC.".to_owned()))
}

async fn page(
    request: &HttpRequest,
    app: &App,
    session_user: &SessionUser,
    slug: &str,
    plan: &UndoPlan,
    changed: bool,
) -> Result<Page, PageError> {
    let (me, now) = (session_user.user(), app.clock.now());
    let frame = Layout::of(session_user, request, "partners");
    let (at, may_write) = app
        .store
        .snapshot(async |reader: &mut Reader| {
            let seen = seen(reader, app, session_user, slug, CoreCapability::ConnectionView).await?;
            let about = partner_header::partner(seen.at.partner());
            let may_write = partner_header::may(reader, me, CoreCapability::ConnectionWrite, about, now).await?;
            Ok::<_, PageError>((place(reader, me, &seen.at, now).await?, may_write))
        })
        .await?;
    let restorable = plan.restorable().count();
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    Ok(Page {
        frame,
        at,
        may_write,
        changed,
        restorable,
        slug: slug.to_owned(),
        span: Written { from: written(plan.span.from), to: written(plan.span.to) },
        hash: plan.hash(),
        tables: tables(plan),
        sum: layout::count(number(restorable), "removal", "removals"),
        users: layout::count(number(plan.users()), "user", "users"),
        nothing: plan.entries.is_empty(),
    })
}

/// The form's way of writing a moment.
fn written(moment: Timestamp) -> String {
    moment.to_string().trim_end_matches('Z').to_owned()
}

fn tables(plan: &UndoPlan) -> Vec<Table> {
    let table = |title, about, reasons, wanted: fn(&Restorability) -> bool| {
        let entries: Vec<&UndoEntry> = plan.entries.iter().filter(|entry| wanted(&entry.fate)).collect();
        let mut lines: Vec<UndoRow> = entries.iter().take(LINES).map(|entry| line(plan, entry)).collect();
        lines.sort_by_cached_key(|line| (line.who.to_lowercase(), line.what.clone()));
        Table { title, about, count: entries.len(), lines, reasons }
    };
    let all = [
        table("Would be restored", "Exactly this, and nothing else.", false, |fate| {
            matches!(fate, Restorability::Restored { .. })
        }),
        table("Is back already", "Nothing is done about it.", true, |fate| matches!(fate, Restorability::Back(_))),
        table("Stays as it is", "It cannot be restored from here, or must not be.", true, |fate| {
            matches!(fate, Restorability::Lost(_))
        }),
    ];
    all.into_iter().filter(|table| table.count > 0).collect()
}

fn line(plan: &UndoPlan, entry: &UndoEntry) -> UndoRow {
    let user = |id| plan.users.get(&id).cloned().unwrap_or_else(|| format!("user {id}"));
    let group = |id| plan.groups.get(&id).cloned().unwrap_or_else(|| format!("group {id}"));
    let (who, what, tag) = match entry.item {
        RemovedItem::User(id) => (user(id), "was deleted".to_owned(), ""),
        RemovedItem::Active(id) => (user(id), "was switched off".to_owned(), ""),
        RemovedItem::Group(id) => (group(id), "was deleted".to_owned(), "group"),
        RemovedItem::Member(of, MemberId::User(id)) => (user(id), format!("left {}", group(of)), ""),
        RemovedItem::Member(of, MemberId::Group(id)) => (group(id), format!("left {}", group(of)), "group"),
    };
    let note = match entry.fate.why() {
        Some(why) => why,
        None if entry.kept_out => "Somebody else keeps this user out too, and that stays.",
        None => "",
    };
    UndoRow { who, what, tag, when: second(entry.at), note }
}
