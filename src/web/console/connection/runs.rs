//! Synchronisation runs of an LDAP connection: test, dry run, run, report, approval.
use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::super::error::PageError;
use super::super::layout::{Layout, id, ok, second, see_other, session_user, submitted};
use super::super::partner_header::{self, PartnerHeader, place};
use super::seen;
use crate::connection::ldap::ResolvedLdapSettings;
use crate::domain::capability::CoreCapability;
use crate::domain::directory::ConnectionKind;
use crate::domain::id::RunId;
use crate::domain::time::Timestamp;
use crate::ldap::report::Report;
use crate::ldap::run::{self, SyncOptions, SyncStartError};
use crate::ldap::snapshot::{TestStep, test_connection};
use crate::store::extent::ConnectionExtent;
use crate::store::runs::{self, SyncRunRow};
use crate::store::{Reader, StoreError, connections};
use crate::web::{App, sync};

/// Runs on the connection's page.
const SHOWN: u32 = 10;
/// Lines of each list in a report.
const LINES: usize = 200;

/// A run in a list.
pub(in crate::web::console) struct RunRow {
    pub(super) id: String,
    pub(super) when: String,
    pub(super) status: &'static str,
    pub(super) class: &'static str,
    pub(super) dry: bool,
    pub(super) summary: String,
}

#[derive(Template)]
#[template(path = "console/run.html")]
struct Page {
    frame: Layout,
    at: PartnerHeader,
    slug: String,
    run: RunRow,
    report: Option<Report>,
    may_approve: bool,
}

/// The newest runs.
pub(super) async fn rows(reader: &mut Reader, at: &ConnectionExtent) -> Result<Vec<RunRow>, StoreError> {
    let found = runs::newest(reader, at, Timestamp::from_micros(i64::MAX), SHOWN).await?;
    Ok(found.iter().map(row).collect())
}

fn report(run: &SyncRunRow) -> Option<Report> {
    serde_json::from_str(&run.report).ok()
}

fn row(run: &SyncRunRow) -> RunRow {
    let (status, class) = match run.status.as_str() {
        "running" => ("running", "accent"),
        "done" => ("done", "good"),
        "held" => ("waits for approval", "warn"),
        _ => ("failed", "bad"),
    };
    let summary = match report(run) {
        Some(report) => report.failure.clone().unwrap_or_else(|| summary(&report)),
        None if run.status == "running" => "Reading the directory.".to_owned(),
        None => failure(run).unwrap_or_else(|| "It left no report.".to_owned()),
    };
    RunRow { id: run.id.to_string(), when: second(run.started_at), status, class, dry: run.dry_run, summary }
}

/// The failure of a run whose process ended before it could report.
fn failure(run: &SyncRunRow) -> Option<String> {
    let report: serde_json::Value = serde_json::from_str(&run.report).ok()?;
    report.get("failure").and_then(serde_json::Value::as_str).map(str::to_owned)
}

fn summary(report: &Report) -> String {
    let mut parts = vec![format!("{} users and {} groups read", report.read.users, report.read.groups)];
    let mut part = |number: u64, what: &str| {
        if number > 0 {
            parts.push(format!("{number} {what}"));
        }
    };
    part(report.users.created, "users new");
    part(report.users.changed, "users changed");
    part(report.users.removed, "users gone");
    part(report.groups.created, "groups new");
    part(report.groups.changed, "groups changed");
    part(report.groups.removed, "groups gone");
    part(report.members.added, "memberships more");
    part(report.members.removed, "memberships fewer");
    part(report.users.held + report.groups.held + report.members.held + report.nested.held, "changes wait");
    part(report.users.skipped + report.groups.skipped, "entries set aside");
    let waiting =
        if report.observed { "users wait, because the directory is only observed" } else { "users wait for a match" };
    part(report.users.for_review, waiting);
    part(report.users.not_removed + report.groups.not_removed, "removals refused");
    part(report.members.refused + report.nested.refused, "changes of memberships refused");
    let whole = report.held.iter().find(|line| line.kind == "read");
    parts.extend(whole.map(|line| format!("nothing is taken because {}", line.says)));
    parts.extend(report.read.doubt.as_ref().map(|doubt| format!("nothing counts as gone because {doubt}")));
    if parts.len() == 1 {
        parts.push("nothing changes".to_owned());
    }
    format!("{}.", parts.join(", "))
}

/// Shows the report of a run.
pub(in crate::web::console) async fn show(
    request: HttpRequest,
    app: web::Data<App>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, PageError> {
    let session_user = session_user(&request, &app).await?;
    let (slug, run) = path.into_inner();
    let (run, me, now) = (id::<RunId>(&run)?, session_user.user(), app.clock.now());
    let frame = Layout::of(&session_user, &request, "partners");
    let page = app
        .store
        .snapshot(async |reader: &mut Reader| {
            let seen = seen(reader, &app, &session_user, &slug, CoreCapability::ConnectionView).await?;
            let found = runs::get(reader, &seen.connection.extent, run).await?.ok_or(PageError::NotFound)?;
            let about = partner_header::partner(seen.at.partner());
            Ok::<_, PageError>(Page {
                frame,
                may_approve: partner_header::may(reader, me, CoreCapability::PlanApprove, about, now).await?,
                at: place(reader, me, &seen.at, now).await?,
                slug,
                run: row(&found),
                report: report(&found).map(shortened),
            })
        })
        .await?;
    Ok(ok(&page))
}

fn shortened(mut report: Report) -> Report {
    report.cut_off |= [report.held.len(), report.skipped.len(), report.changes.len()].iter().any(|&all| all > LINES);
    report.held.truncate(LINES);
    report.skipped.truncate(LINES);
    report.changes.truncate(LINES);
    report
}

/// Begins a run, dry or real.
pub(in crate::web::console) async fn start(
    request: HttpRequest,
    app: web::Data<App>,
    payload: web::Payload,
    slug: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let (session_user, form) = submitted(&request, &app, payload).await?;
    ldap(&app, &session_user, &slug, CoreCapability::ConnectionRun).await?;
    begin(&app, &slug, SyncOptions { dry: form.field("dry") == "yes", approve: None }).await
}

/// Makes the removals that a run held.
pub(in crate::web::console) async fn approve(
    request: HttpRequest,
    app: web::Data<App>,
    payload: web::Payload,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, PageError> {
    let (session_user, _) = submitted(&request, &app, payload).await?;
    let (slug, run) = path.into_inner();
    ldap(&app, &session_user, &slug, CoreCapability::ConnectionRun).await?;
    ldap(&app, &session_user, &slug, CoreCapability::PlanApprove).await?;
    begin(&app, &slug, SyncOptions { dry: false, approve: Some(id(&run)?) }).await
}

async fn begin(app: &web::Data<App>, slug: &str, order: SyncOptions) -> Result<HttpResponse, PageError> {
    let prepared = run::prepare(&sync::env(app), slug, order).await.map_err(not_started)?;
    // On its own: a browser that goes away does not end it.
    drop(actix_web::rt::spawn(prepared.run_apart()));
    Ok(see_other(&format!("/connections/{slug}?done=started#runs")))
}

fn not_started(refused: SyncStartError) -> PageError {
    match refused {
        SyncStartError::Unknown(_) => PageError::NotFound,
        SyncStartError::Store(error) => error.into(),
        other => PageError::Invalid(other.to_string()),
    }
}

/// Tries the stored settings step by step, and shows what came of it on the connection's page. It changes nothing, so
/// the answer comes at once: asking again is harmless.
pub(in crate::web::console) async fn test(
    request: HttpRequest,
    app: web::Data<App>,
    payload: web::Payload,
    slug: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let (session_user, _) = submitted(&request, &app, payload).await?;
    let connection = ldap(&app, &session_user, &slug, CoreCapability::ConnectionRun).await?;
    let record = &connection.connection;
    let steps = match ResolvedLdapSettings::from_json(&record.profile, &record.settings) {
        Err(wrong) => {
            wrong.0.into_iter().map(|says| TestStep { title: "Settings".to_owned(), passed: false, says }).collect()
        }
        Ok(settings) => {
            let mut reader = app.store.reader().await?;
            let sealed = connections::secret(&mut reader, &connection.extent).await?;
            drop(reader);
            let opened = sealed.map(|sealed| run::opened(&app.keyring, &connection, &sealed));
            let password = match opened {
                Some(None) => return Err(not_started(SyncStartError::Secret(slug.to_string()))),
                Some(password) => password,
                None => None,
            };
            test_connection(Arc::new(settings), password, sync::env(&app).guard).await
        }
    };
    Ok(ok(&super::page(&request, &app, &session_user, &slug).await?.with_test(steps)))
}

/// The LDAP connection, when the visitor may do this with it.
async fn ldap(
    app: &App,
    session_user: &crate::web::login::SessionUser,
    slug: &str,
    capability: CoreCapability,
) -> Result<connections::ConnectionContext, PageError> {
    let mut reader = app.store.reader().await?;
    let connection = seen(&mut reader, app, session_user, slug, capability).await?.connection;
    if connection.connection.kind == ConnectionKind::Ldap { Ok(connection) } else { Err(PageError::NotFound) }
}
