//! `/.well-known/authzen-configuration`: where decisions are to be had (AuthZEN 1.0 §9).
use actix_web::{HttpResponse, web};
use serde_json::json;

use crate::web::App;

/// Shows the endpoints.
pub(super) async fn show(app: web::Data<App>) -> HttpResponse {
    HttpResponse::Ok().json(json!({
        "policy_decision_point": app.public_url.as_str(),
        "access_evaluation_endpoint": app.public_url.join("/access/v1/evaluation"),
        "access_evaluations_endpoint": app.public_url.join("/access/v1/evaluations"),
    }))
}
