//! `POST /connections/{slug}/sync-runs`.
use actix_web::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::connection;
use crate::domain::capability::CoreCapability;
use crate::domain::directory::ConnectionKind;
use crate::domain::id::{Id as _, RunId};
use crate::ldap::run::{self, SyncOptions, SyncStartError};
use crate::store::connections as stored;
use crate::web::api::error::Fault;
use crate::web::api::request::{ApiOrOperatorRequest, ApiResult, json, ok};
use crate::web::error::sentence;
use crate::web::sync::env;

/// How to run.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::web::api) struct NewSyncRunBody {
    /// Only look: everything up to the safeguard, and change nothing.
    dry_run: bool,
    /// The run whose held removals are approved by this one, as far as they still stand. Needs `core.plan.approve` too.
    #[schema(value_type = Option<Uuid>)]
    approve_run: Option<RunId>,
    /// False: answer at once with the run's id; it is then looked at under `runs`.
    wait: Option<bool>,
}

/// A run that goes on.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RunBegun)]
pub(in crate::web::api) struct StartedSyncRun {
    /// Its id.
    id: Uuid,
}

/// Reads an LDAP directory whole, compares it with what is known, and applies the difference. Answers the run's report
/// when it has ended; a client that goes away does not end the run. Needs `core.connection.run` over the connection's
/// partner.
#[utoipa::path(post, path = "/api/v1/connections/{slug}/sync-runs", tag = "Runs", operation_id = "startSyncRun",
    params(("slug" = String, Path, description = "the connection's name in addresses")),
    request_body = Option<NewSyncRunBody>,
    responses((status = 200, description = "the report; `status` is `done`, `held` or `failed`", body = Object),
        (status = 202, description = "it goes on", body = StartedSyncRun),
        (status = 409, description = "it is paused, its partner is suspended, or a run is going on")))]
pub(in crate::web::api) async fn sync(mut asked: ApiOrOperatorRequest) -> ApiResult {
    let body: NewSyncRunBody = asked.body_or_default().await?;
    let slug = asked.slug()?;
    let found = match &asked {
        ApiOrOperatorRequest::Operator(sent) => {
            let mut reader = sent.app.store.reader().await?;
            stored::open_connection_named(&mut reader, slug, ConnectionKind::Ldap).await?.ok_or_else(Fault::hidden)?
        }
        ApiOrOperatorRequest::User(call) => {
            if body.approve_run.is_some() {
                connection(call, CoreCapability::PlanApprove).await?;
            }
            connection(call, CoreCapability::ConnectionRun).await?
        }
    };
    if found.connection.kind != ConnectionKind::Ldap {
        return Err(Fault::new(StatusCode::CONFLICT, "Only LDAP connections are synchronised; others are told."));
    }
    let order = SyncOptions { dry: body.dry_run, approve: body.approve_run };
    let prepared = run::prepare(&env(&asked.app), &found.connection.slug, order).await.map_err(refused)?;
    let id = prepared.id();
    // On its own: a caller who goes away does not end it.
    let going = actix_web::rt::spawn(prepared.run_apart());
    if body.wait == Some(false) {
        return json(StatusCode::ACCEPTED, &StartedSyncRun { id: id.uuid() });
    }
    let report = going.await.map_err(|error| {
        tracing::error!(%error, "a run ended badly");
        Fault::new(StatusCode::INTERNAL_SERVER_ERROR, sentence(StatusCode::INTERNAL_SERVER_ERROR))
    })?;
    ok(&serde_json::to_value(&report).unwrap_or(Value::Null))
}

fn refused(why: SyncStartError) -> Fault {
    let status = match &why {
        SyncStartError::Store(_) => {
            tracing::error!(error = %why, "a run could not begin");
            return Fault::new(StatusCode::SERVICE_UNAVAILABLE, sentence(StatusCode::SERVICE_UNAVAILABLE));
        }
        SyncStartError::Unknown(_) => return Fault::hidden(),
        SyncStartError::NothingHeld(_) => StatusCode::BAD_REQUEST,
        SyncStartError::Paused(_)
        | SyncStartError::DirectoryPaused(_)
        | SyncStartError::Suspended(_)
        | SyncStartError::Busy(_)
        | SyncStartError::Settings(_)
        | SyncStartError::Secret(_) => StatusCode::CONFLICT,
    };
    Fault::new(status, why.to_string())
}
