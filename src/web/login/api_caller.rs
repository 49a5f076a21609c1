//! Whoever calls the API with a token.
use actix_web::HttpRequest;
use actix_web::http::{StatusCode, header};

use crate::domain::ctx::{Actor, Ctx};
use crate::domain::id::UserId;
use crate::store::api_tokens::TokenOwner;
use crate::web::App;
use crate::web::error::HttpError;
use crate::web::extract;

/// The caller of an API request, with the authority of the token's user.
pub struct ApiCaller {
    /// The token and its user.
    pub bearer: TokenOwner,
}

impl ApiCaller {
    /// The caller of this request.
    ///
    /// # Errors
    /// 401 without a token that counts (RFC 6750 §3), 503 when the store does not answer.
    pub async fn of(request: &HttpRequest, app: &App) -> Result<Self, HttpError> {
        let Some(presented) = extract::bearer(request) else {
            let detail = "Send an API token: Authorization: Bearer rca_…";
            return Err(
                HttpError::at(request, StatusCode::UNAUTHORIZED, detail).with(header::WWW_AUTHENTICATE, "Bearer")
            );
        };
        match app.desk.login.bearer(presented, app.clock.now()).await {
            Ok(Some(bearer)) => Ok(Self { bearer }),
            Ok(None) => {
                let detail = "This API token is unknown, has ended, or its user may not act.";
                let challenge = "Bearer error=\"invalid_token\"";
                Err(HttpError::at(request, StatusCode::UNAUTHORIZED, detail).with(header::WWW_AUTHENTICATE, challenge))
            }
            Err(error) => {
                tracing::error!(%error, "a token could not be checked");
                let detail = "The server cannot check the token at the moment; try again shortly.";
                Err(HttpError::at(request, StatusCode::SERVICE_UNAVAILABLE, detail))
            }
        }
    }

    /// The caller of this request, whose rate admits it.
    ///
    /// # Errors
    /// As [`Self::of`]; 429 beyond the rate of the user.
    pub async fn admitted(request: &HttpRequest, app: &App) -> Result<Self, HttpError> {
        let caller = Self::of(request, app).await?;
        app.api_fairness.admit(caller.user()).map_err(|wait| {
            let seconds = wait.as_secs().saturating_add(1).to_string();
            let detail = "You send more requests than one user may; wait as long as Retry-After says.";
            HttpError::at(request, StatusCode::TOO_MANY_REQUESTS, detail).with(header::RETRY_AFTER, &seconds)
        })?;
        Ok(caller)
    }

    /// The user.
    pub fn user(&self) -> UserId {
        self.bearer.user()
    }

    /// The circumstances of an act of this user.
    pub fn ctx(&self, app: &App) -> Ctx {
        app.ctx(Actor::User { user: self.user() })
    }
}
