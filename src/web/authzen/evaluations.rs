//! `POST /access/v1/evaluations`: several questions, one moment.
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::ask::{answer, bad, body, down};
use super::evaluation::{echoed, single};
use super::model::{EvaluationBatch, EvaluationsSemantic, batch};
use crate::domain::id::UserId;
use crate::domain::time::Timestamp;
use crate::store::fact_cache::{FactCache, every};
use crate::store::{Reader, StoreError};
use crate::web::App;
use crate::web::error::HttpError;
use crate::web::login::ApiCaller;

/// Answers several questions, in their order. A question that is wrong is a no of its own.
pub(super) async fn evaluate(
    request: HttpRequest,
    app: web::Data<App>,
    payload: web::Payload,
) -> Result<HttpResponse, HttpError> {
    let caller = ApiCaller::admitted(&request, &app).await?;
    let object = body(&request, &app, payload).await?;
    let Some(batch) = batch(&object).map_err(|wrong| bad(&request, wrong))? else {
        return single(&request, &app, &caller, &object).await;
    };
    let (asker, now) = (caller.user(), app.clock.now());
    let answers = app.store.snapshot(async |reader: &mut Reader| answers(reader, asker, &batch, now).await).await;
    let answers = answers.map_err(|error| down(&request, &error))?;
    Ok(echoed(&request, HttpResponse::Ok().json(json!({"evaluations": answers}))))
}

/// The answers to a batch, in its order. They take as many trips to the database as the deepest of them alone.
///
/// # Errors
/// Only those of the store: treat them as a refusal of all.
pub async fn answers(
    reader: &mut Reader,
    asker: UserId,
    batch: &EvaluationBatch,
    now: Timestamp,
) -> Result<Vec<Value>, StoreError> {
    let wrong = |wrong: &String| json!({"decision": false, "context": {"error": {"status": 400, "message": wrong}}});
    let mut answers: Vec<Option<Value>> = batch.items.iter().map(|item| item.as_ref().err().map(wrong)).collect();
    let work = |known: &mut FactCache| {
        every(batch.items.iter().zip(&mut answers).map(|(item, answered)| {
            if let (Ok(asked), None) = (item, &*answered) {
                *answered = Some(answer(known, asker, asked, now)?);
            }
            Ok(())
        }))
        .map(drop)
    };
    FactCache::default().settle(reader, work).await?;
    let mut shown = Vec::with_capacity(answers.len());
    for one in answers.into_iter().flatten() {
        let decision = one.get("decision") == Some(&Value::Bool(true));
        shown.push(one);
        let last = match batch.semantic {
            EvaluationsSemantic::ExecuteAll => false,
            EvaluationsSemantic::DenyOnFirstDeny => !decision,
            EvaluationsSemantic::PermitOnFirstPermit => decision,
        };
        if last {
            break;
        }
    }
    Ok(shown)
}
