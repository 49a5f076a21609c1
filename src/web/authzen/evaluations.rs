//! `POST /access/v1/evaluations`: several questions, one moment.
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::ask::{answer, bad, body, down};
use super::board::Board;
use super::evaluation::{echoed, single};
use super::model::{Asked, Semantic, batch};
use crate::store::{Reader, StoreError};
use crate::web::App;
use crate::web::login::Caller;
use crate::web::problem::Refusal;

/// Answers several questions, in their order. A question that is wrong is a no of its own.
pub(super) async fn evaluate(
    request: HttpRequest,
    app: web::Data<App>,
    payload: web::Payload,
) -> Result<HttpResponse, Refusal> {
    let caller = Caller::admitted(&request, &app).await?;
    let object = body(&request, &app, payload).await?;
    let Some(batch) = batch(&object).map_err(|wrong| bad(&request, wrong))? else {
        return single(&request, &app, &caller, &object).await;
    };
    let now = app.clock.now();
    let answers: Result<Vec<Value>, StoreError> = app
        .store
        .snapshot(async |reader: &mut Reader| {
            let good: Vec<&Asked> = batch.items.iter().flatten().collect();
            let mut board = Board::of(reader, caller.person(), &good, now).await?;
            let mut answers = Vec::new();
            for item in &batch.items {
                let one = match item {
                    Ok(asked) => answer(&mut board, caller.person(), asked, now).await?,
                    Err(wrong) => json!({"decision": false, "context": {"error": {"status": 400, "message": wrong}}}),
                };
                let decision = one.get("decision") == Some(&Value::Bool(true));
                answers.push(one);
                let last = match batch.semantic {
                    Semantic::ExecuteAll => false,
                    Semantic::DenyOnFirstDeny => !decision,
                    Semantic::PermitOnFirstPermit => decision,
                };
                if last {
                    break;
                }
            }
            Ok(answers)
        })
        .await;
    let answers = answers.map_err(|error| down(&request, &error))?;
    Ok(echoed(&request, HttpResponse::Ok().json(json!({"evaluations": answers}))))
}
