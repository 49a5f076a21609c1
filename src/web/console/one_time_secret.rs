//! What a page shows once: a new token or client secret, on the page that the form leads to. It travels there in a
//! cookie, sealed for this session, so that any server can show it and none keeps it.
use actix_web::cookie::{Cookie, SameSite, time::Duration};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::layout;
use crate::domain::id::OauthClientId;
use crate::secret::{PlainToken, SealPurpose};
use crate::web::App;
use crate::web::login::SessionUser;
use crate::web::routes::only_looks;

/// How long the page has to be opened.
const LIFE: i64 = 120;

fn name(app: &App) -> &'static str {
    if app.desk.login.secure() { "__Host-rolecall-once" } else { "rolecall-once" }
}

fn cookie(app: &App, value: String) -> Cookie<'static> {
    Cookie::build(name(app), value)
        .path("/")
        .http_only(true)
        .secure(app.desk.login.secure())
        .same_site(SameSite::Strict)
        .max_age(Duration::seconds(LIFE))
        .finish()
}

/// Leads on to the page at `place`, which shows a new token; with a client, as the secret of that client.
pub fn see_other(
    app: &App,
    session_user: &SessionUser,
    place: &str,
    (client, token): (Option<OauthClientId>, &PlainToken),
) -> HttpResponse {
    let mut response = layout::see_other(place);
    let client = client.map(|client| client.to_string()).unwrap_or_default();
    let plain = Zeroizing::new(format!("{place}\n{client}\n{}", token.reveal()));
    let purpose = SealPurpose::Once(session_user.signed.session);
    match app.keyring.seal(&session_user.ctx(app), purpose, plain.as_bytes()) {
        // An answer that cannot carry it leaves a token that nobody has seen; it can be ended and made again.
        Ok(sealed) => drop(response.add_cookie(&cookie(app, URL_SAFE_NO_PAD.encode(sealed)))),
        Err(fault) => tracing::error!(%fault, "a new token could not be shown"),
    }
    response
}

/// What a page may show once.
pub struct OneTimeSecret {
    /// The client whose secret it is, if it is one's.
    pub client: Option<String>,
    /// The token or secret.
    pub text: String,
}

/// What this request may show on the page at its address.
pub fn take(request: &HttpRequest, app: &App, session_user: &SessionUser) -> Option<OneTimeSecret> {
    if only_looks(request) {
        return None;
    }
    let sealed = URL_SAFE_NO_PAD.decode(request.cookie(name(app))?.value()).ok()?;
    let plain = app.keyring.open(SealPurpose::Once(session_user.signed.session), &sealed).ok()?;
    let text = std::str::from_utf8(&plain).ok()?;
    let mut lines = text.split('\n').map(str::to_owned);
    let (place, client, text) = (lines.next()?, lines.next()?, lines.next()?);
    (place == request.path()).then(|| OneTimeSecret { client: Some(client).filter(|client| !client.is_empty()), text })
}

/// Makes the browser forget it.
pub fn forget(response: &mut HttpResponse, app: &App) {
    let mut gone = cookie(app, String::new());
    gone.make_removal();
    // A browser that does not forget shows the token again for at most two minutes.
    drop(response.add_cookie(&gone));
}
