//! Runs of an LDAP connection: start one, look at them, try the settings.
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::domain::capability::Core;
use crate::domain::directory::ConnectionKind;
use crate::domain::grant::Resource;
use crate::domain::id::RunId;
use crate::domain::time::Timestamp;
use crate::ldap::client::Guard;
use crate::ldap::run::{self, Env, NotStarted, Order};
use crate::ldap::settings::Settings;
use crate::ldap::source::test_connection;
use crate::store::connections::{self, Door};
use crate::store::runs::{self, Run};
use crate::store::{StoreError, effective};
use crate::web::App;
use crate::web::extract;
use crate::web::login::{Caller, policy};
use crate::web::operator::Operator;
use crate::web::problem::Refusal;
use crate::web::routes::{Access, Entry, Isolation};

const ENTRY: Entry = Entry { access: Access::Token, isolation: Isolation::Partner, ..Entry::NONE };

/// The routes of runs. The operator's token opens them too.
pub const ROUTES: &[Entry] = &[
    Entry {
        path: "/api/v1/connections/{slug}/runs",
        get: Some(|| web::to(list)),
        post: Some(|| web::to(start)),
        ..ENTRY
    },
    Entry { path: "/api/v1/connections/{slug}/runs/{run}", get: Some(|| web::to(show)), ..ENTRY },
    Entry { path: "/api/v1/connections/{slug}/test", post: Some(|| web::to(test)), ..ENTRY },
];

/// The largest request, in bytes.
const MOST_BYTES: usize = 4 << 10;
/// Runs a list shows.
const MOST_RUNS: u32 = 50;

/// What a start asks for; everything may be left out.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Start {
    /// Only look.
    dry_run: bool,
    /// Make the removals that this run held.
    approve: Option<RunId>,
    /// Answer when the run has ended, with its report; else at once, with its id.
    wait: bool,
}

/// `POST …/runs`
async fn start(
    request: HttpRequest,
    app: web::Data<App>,
    operator: web::Data<Operator>,
    slug: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Refusal> {
    door(&request, &app, &operator, &slug, Core::ConnectionRun).await?;
    let Start { dry_run, approve, wait } = body(&request, &app, payload).await?;
    let env = env(&app);
    let prepared = run::prepare(&env, &slug, Order { dry: dry_run, approve }).await;
    let prepared = prepared.map_err(|refused| not_started(&request, &refused))?;
    let id = prepared.id();
    // On its own: a caller who goes away does not end it.
    let running = actix_web::rt::spawn(prepared.run_apart());
    if !wait {
        return Ok(HttpResponse::Accepted().json(json!({"run": id})));
    }
    match running.await {
        Ok(report) => Ok(HttpResponse::Ok().json(report)),
        Err(_) => Err(down(&request)),
    }
}

/// `GET …/runs`: the newest first.
async fn list(
    request: HttpRequest,
    app: web::Data<App>,
    operator: web::Data<Operator>,
    slug: web::Path<String>,
) -> Result<HttpResponse, Refusal> {
    let door = door(&request, &app, &operator, &slug, Core::ConnectionView).await?;
    let read = async {
        let mut reader = app.store.reader().await?;
        runs::newest(&mut reader, &door.extent, Timestamp::from_micros(i64::MAX), MOST_RUNS).await
    };
    let found = read.await.map_err(|error| failed(&request, &error))?;
    let items: Vec<Value> = found.iter().map(|run| told(run, false)).collect();
    Ok(HttpResponse::Ok().json(json!({"items": items})))
}

/// `GET …/runs/{run}`: one, with its report.
async fn show(
    request: HttpRequest,
    app: web::Data<App>,
    operator: web::Data<Operator>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Refusal> {
    let (slug, run) = path.into_inner();
    let door = door(&request, &app, &operator, &slug, Core::ConnectionView).await?;
    let Ok(run) = run.parse::<RunId>() else { return Err(unknown(&request)) };
    let read = async { runs::get(&mut app.store.reader().await?, &door.extent, run).await };
    let found = read.await.map_err(|error| failed(&request, &error))?;
    let found = found.ok_or_else(|| unknown(&request))?;
    Ok(HttpResponse::Ok().json(told(&found, true)))
}

/// `POST …/test`: tries the stored settings step by step.
async fn test(
    request: HttpRequest,
    app: web::Data<App>,
    operator: web::Data<Operator>,
    slug: web::Path<String>,
) -> Result<HttpResponse, Refusal> {
    let door = door(&request, &app, &operator, &slug, Core::ConnectionRun).await?;
    let settings = match Settings::from_json(&door.connection.profile, &door.connection.config) {
        Ok(settings) => settings,
        Err(wrong) => {
            let steps = wrong.0.iter().map(|says| json!({"title": "Settings", "passed": false, "says": says}));
            return Ok(HttpResponse::Ok().json(json!({"steps": steps.collect::<Vec<_>>()})));
        }
    };
    let read = async { connections::secret(&mut app.store.reader().await?, &door.extent).await };
    let sealed = read.await.map_err(|error| failed(&request, &error))?;
    let password = match sealed {
        None => None,
        Some(sealed) => {
            let opened = run::opened(&app.keyring, &door, &sealed);
            Some(opened.ok_or_else(|| not_started(&request, &NotStarted::Secret(slug.clone())))?)
        }
    };
    let steps = test_connection(Arc::new(settings), password, env(&app).guard).await;
    Ok(HttpResponse::Ok().json(json!({"steps": steps})))
}

/// What runs work with on this server.
pub fn env(app: &web::Data<App>) -> Env {
    let watched = app.clone();
    // Read when the server started, which refuses one that cannot be read.
    let policy = policy(&app.config).unwrap_or_default();
    Env {
        guard: Guard::new(move |address| policy.permits(address)),
        store: app.store.clone(),
        keys: Arc::clone(&app.keyring),
        clock: app.clock,
        stop: Arc::new(move || watched.is_stopping()),
    }
}

/// The connection, when the caller may do this with it. One of another partner answers as one that does not exist.
async fn door(
    request: &HttpRequest,
    app: &App,
    operator: &Operator,
    slug: &str,
    capability: Core,
) -> Result<Door, Refusal> {
    let is_operator = extract::bearer(request).is_some_and(|token| operator.is(token));
    let caller = if is_operator { None } else { Some(Caller::of(request, app).await?) };
    let store = |error: StoreError| failed(request, &error);
    let mut reader = app.store.reader().await.map_err(store)?;
    let door = connections::open_door_named(&mut reader, slug, ConnectionKind::Ldap).await.map_err(store)?;
    let door = door.ok_or_else(|| unknown(request))?;
    let Some(caller) = caller else { return Ok(door) };
    let resource = Resource { partner: door.extent.partner(), group: None, owner: None };
    match effective::authorize(&mut reader, caller.person(), capability, resource, app.clock.now()).await {
        Ok(_) => Ok(door),
        Err(effective::Refusal::Hidden) => Err(unknown(request)),
        Err(effective::Refusal::Forbidden(decision)) => {
            Err(Refusal::at(request, StatusCode::FORBIDDEN, decision.reason.to_string()))
        }
        Err(effective::Refusal::Store(error)) => Err(failed(request, &error)),
    }
}

async fn body(request: &HttpRequest, app: &App, payload: web::Payload) -> Result<Start, Refusal> {
    let time = Duration::from_secs(app.config.server.limits.body_seconds);
    let bytes = extract::body(request, payload, MOST_BYTES, time).await?;
    if bytes.is_empty() {
        return Ok(Start::default());
    }
    serde_json::from_slice(&bytes).map_err(|error| {
        let detail = format!("The body is not {{\"dry_run\", \"approve\", \"wait\"}}: {error}.");
        Refusal::at(request, StatusCode::BAD_REQUEST, detail)
    })
}

fn told(run: &Run, whole: bool) -> Value {
    let report: Value = serde_json::from_str(&run.report).unwrap_or_default();
    let failure = report.get("failure");
    let mut told = json!({
        "run": run.id,
        "dry": run.dry,
        "status": run.status,
        "started_at": run.started_at.to_string(),
        "finished_at": run.finished_at.map(|at| at.to_string()),
        "failure": failure,
    });
    if let (true, Some(fields)) = (whole, told.as_object_mut()) {
        fields.insert("report".to_owned(), report);
    }
    told
}

fn not_started(request: &HttpRequest, refused: &NotStarted) -> Refusal {
    let status = match refused {
        NotStarted::Unknown(_) => return unknown(request),
        NotStarted::Store(error) => return failed(request, error),
        NotStarted::Busy(_) | NotStarted::Paused(_) | NotStarted::DirectoryPaused(_) => StatusCode::CONFLICT,
        NotStarted::Settings(_) | NotStarted::Secret(_) | NotStarted::NothingHeld(_) => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
    };
    Refusal::at(request, status, refused.to_string())
}

fn unknown(request: &HttpRequest) -> Refusal {
    Refusal::at(request, StatusCode::NOT_FOUND, "There is no such thing, or you may not see it.")
}

fn failed(request: &HttpRequest, error: &StoreError) -> Refusal {
    tracing::error!(%error, "a run could not be looked at");
    down(request)
}

fn down(request: &HttpRequest) -> Refusal {
    let detail = "The server cannot do this at the moment; try again shortly.";
    Refusal::at(request, StatusCode::SERVICE_UNAVAILABLE, detail)
}
