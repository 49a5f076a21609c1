//! `/logout`: ends the session.
use actix_web::cookie::Cookie;
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use super::session_user::see_other;
use super::{Form, SessionUser};
use crate::login::session;
use crate::web::App;
use crate::web::error::HttpError;

/// Ends this session, or all of the user's.
pub(super) async fn sign_out(
    request: HttpRequest,
    app: web::Data<App>,
    payload: web::Payload,
) -> Result<HttpResponse, HttpError> {
    let form = Form::read(&request, &app, payload).await?;
    let session_user = match SessionUser::of(&request, &app).await {
        Ok(session_user) => session_user,
        Err(answer) => return Ok(answer),
    };
    session_user.check(&request, &form)?;
    let everywhere = form.field("everywhere") == "yes";
    let login = &app.desk.login;
    login.sign_out(&session_user.ctx(&app), &session_user.signed, everywhere).await.map_err(|error| {
        tracing::error!(%error, "a session could not be ended");
        let detail = "The server cannot end your session at the moment; try again shortly.";
        HttpError::at(&request, StatusCode::SERVICE_UNAVAILABLE, detail)
    })?;
    let mut gone = Cookie::build(session::cookie_name(login.secure()), "").path("/").secure(login.secure()).finish();
    gone.make_removal();
    Ok(see_other("/login").cookie(gone).finish())
}
