//! `POST /access/v1/evaluation`: one question.
use actix_web::{HttpRequest, HttpResponse, web};

use super::ask::{answer, bad, body, down};
use super::model::{Object, asked};
use crate::store::fact_cache::FactCache;
use crate::web::App;
use crate::web::error::HttpError;
use crate::web::login::ApiCaller;

/// Answers one question.
pub(super) async fn evaluate(
    request: HttpRequest,
    app: web::Data<App>,
    payload: web::Payload,
) -> Result<HttpResponse, HttpError> {
    let caller = ApiCaller::admitted(&request, &app).await?;
    let object = body(&request, &app, payload).await?;
    single(&request, &app, &caller, &object).await
}

/// The answer to a body that holds one question.
pub(super) async fn single(
    request: &HttpRequest,
    app: &App,
    caller: &ApiCaller,
    object: &Object,
) -> Result<HttpResponse, HttpError> {
    let asked = asked(object).map_err(|wrong| bad(request, wrong))?;
    let decided = async {
        let mut reader = app.store.reader().await?;
        let (asker, now) = (caller.user(), app.clock.now());
        FactCache::default().settle(&mut reader, |known| answer(known, asker, &asked, now)).await
    };
    let answer = decided.await.map_err(|error| down(request, &error))?;
    Ok(echoed(request, HttpResponse::Ok().json(answer)))
}

/// The id the caller gave the request comes back with the answer (AuthZEN 1.0 §10.1.1).
pub(super) fn echoed(request: &HttpRequest, mut response: HttpResponse) -> HttpResponse {
    use crate::web::middleware::REQUEST_ID;
    if let Some(id) = request.headers().get(REQUEST_ID) {
        response.headers_mut().insert(REQUEST_ID, id.clone());
    }
    response
}
