//! `/operator/…`: what commands on the server's machine ask of it, because a SQLite file belongs to one process. Only the
//! token in the data folder opens it.
use actix_web::dev::Payload;
use actix_web::http::{StatusCode, header};
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use futures_util::future::LocalBoxFuture;
use futures_util::stream;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::error::{ErrorFormat, HttpError};
use super::operator_token::Operator;
use super::routes::{RouteAccess, RouteSpec, TenantIsolation};
use super::{App, extract};
use crate::admin::apply::ApplyError;
use crate::admin::declaration::MOST_BYTES;
use crate::admin::operator::{self, Link, ResolvedDeclaration};
use crate::admin::setup::SetUp;
use crate::domain::ctx::Actor;
use crate::jobs::doctor;
use crate::store;

/// Most bytes of an order: a declaration as JSON is hardly longer than its file.
const MOST_OF_ORDER: usize = 2 * MOST_BYTES;
/// Most bytes of any other body.
const MOST_OF_BODY: usize = 64 << 10;
/// How long the body may take, which comes from this machine.
const TIME: std::time::Duration = std::time::Duration::from_secs(60);

/// The routes of this module.
pub const ROUTES: &[RouteSpec] = &[
    RouteSpec { get: Some(|| web::to(server)), ..at("/operator/server") },
    RouteSpec { post: Some(|| web::to(apply)), ..at("/operator/apply") },
    RouteSpec { get: Some(|| web::to(export)), ..at("/operator/export") },
    RouteSpec { get: Some(|| web::to(examine)), ..at("/operator/doctor") },
    RouteSpec { post: Some(|| web::to(link)), ..at("/operator/link") },
];

const fn at(path: &'static str) -> RouteSpec {
    RouteSpec { path, access: RouteAccess::Operator, isolation: TenantIsolation::Installation, ..RouteSpec::NONE }
}

/// A request of the operator.
struct Asked {
    app: web::Data<App>,
    request: HttpRequest,
    payload: Option<web::Payload>,
}

impl FromRequest for Asked {
    type Error = HttpError;
    type Future = LocalBoxFuture<'static, Result<Self, HttpError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let operator = request.app_data::<web::Data<Operator>>();
        let operated = operator.is_some_and(|own| extract::bearer(request).is_some_and(|token| own.is(token)));
        let (app, request) = (request.app_data::<web::Data<App>>().cloned(), request.clone());
        let payload = web::Payload::from_request(&request, payload).into_inner().ok();
        Box::pin(async move {
            match app.filter(|_| operated) {
                Some(app) => Ok(Self { app, request, payload }),
                None => Err(refusal(StatusCode::UNAUTHORIZED, "Only the operator's token opens this.")
                    .with(header::WWW_AUTHENTICATE, "Bearer realm=\"operator\"")),
            }
        })
    }
}

impl Asked {
    async fn body<T: DeserializeOwned + Send + 'static>(&mut self, most: usize) -> Result<T, HttpError> {
        let Some(payload) = self.payload.take() else { return Err(unreadable("there is no body")) };
        let bytes = extract::body(&self.request, payload, most, TIME).await?;
        // Large ones take a moment that others on this thread would wait for.
        let read = web::block(move || serde_json::from_slice(&bytes)).await;
        read.map_err(|_| unreadable("the server is stopping"))?.map_err(|error| unreadable(&error.to_string()))
    }
}

fn refusal(status: StatusCode, detail: impl Into<std::borrow::Cow<'static, str>>) -> HttpError {
    HttpError::new(ErrorFormat::Problem, status, detail)
}

fn unreadable(why: &str) -> HttpError {
    refusal(StatusCode::BAD_REQUEST, format!("What the command sent cannot be read: {why}"))
}

fn failed(error: &dyn std::fmt::Display) -> HttpError {
    tracing::error!(%error, "a command of the operator failed");
    refusal(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
}

fn answer(body: &Value) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(body)
}

/// What server this is.
async fn server(_asked: Asked) -> HttpResponse {
    answer(&json!({"version": env!("CARGO_PKG_VERSION"), "schema": store::newest()}))
}

/// Plans an order or carries it out. What is wrong with the declaration is an answer like any other.
async fn apply(mut asked: Asked) -> Result<HttpResponse, HttpError> {
    let order: ResolvedDeclaration = asked.body(MOST_OF_ORDER).await?;
    let ctx = asked.app.ctx(Actor::Operator);
    match operator::apply(&asked.app.store, &ctx, &asked.app.keyring, &order).await {
        Ok(plan) => Ok(answer(&json!({"hash": plan.hash(), "plan": plan}))),
        Err(ApplyError::Refused(faults)) => Ok(answer(&json!({"faults": faults}))),
        Err(error) => Err(failed(&error)),
    }
}

/// The export, part by part.
async fn export(asked: Asked) -> Result<HttpResponse, HttpError> {
    let export = operator::export(&asked.app.store).await.map_err(|error| failed(&error))?;
    let parts = stream::try_unfold(export, |mut export| async move {
        let part = export.next().await.map_err(|error| failed(&error))?;
        let Some(part) = part else { return Ok::<_, actix_web::Error>(None) };
        let text = toml::to_string_pretty(&part).map_err(|error| failed(&error))?;
        Ok(Some((web::Bytes::from(text + "\n"), export)))
    });
    Ok(HttpResponse::Ok().content_type("application/toml; charset=utf-8").streaming(parts))
}

/// What is wrong with the store.
async fn examine(asked: Asked) -> Result<HttpResponse, HttpError> {
    let told = doctor::told(&asked.app.store, &asked.app.config.store.data_dir, Some(&asked.app.keyring))
        .await
        .map_err(|error| failed(&format!("{error:#}")))?;
    Ok(answer(&json!(told)))
}

/// A one-time link.
async fn link(mut asked: Asked) -> Result<HttpResponse, HttpError> {
    let wanted: Link = asked.body(MOST_OF_BODY).await?;
    let (app, setup) = (&asked.app, &asked.app.config.setup);
    let first = SetUp { catalog: &setup.catalog, company: &setup.root_partner_name, owner: &setup.owner_login_name };
    let ctx = app.ctx(Actor::Operator);
    match operator::link(&app.store, &ctx, (&app.keyring, &first), &wanted).await {
        Ok(token) => {
            let address = token.map(|token| operator::address(app.public_url.as_str(), &token));
            Ok(answer(&json!({"address": address})))
        }
        Err(ApplyError::Refused(faults)) => Err(refusal(StatusCode::CONFLICT, faults.to_string())),
        Err(error) => Err(failed(&error)),
    }
}
