//! What a page shows once: a new token, on the page that the form leads to. It travels there in a cookie, sealed for
//! this session, so that any server can show it and none keeps it.
use actix_web::cookie::{Cookie, SameSite, time::Duration};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::secret::{Purpose, Token};
use crate::web::App;
use crate::web::login::Visitor;

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

/// Lets the next page of this session show the token of this connection.
pub fn keep(response: &mut HttpResponse, app: &App, visitor: &Visitor, slug: &str, token: &Token) {
    let plain = format!("{slug}\n{}", token.reveal());
    let purpose = Purpose::Once(visitor.signed.session);
    match app.keyring.seal(&visitor.ctx(app), purpose, plain.as_bytes()) {
        // An answer that cannot carry it leaves a token that nobody has seen; it can be ended and made again.
        Ok(sealed) => drop(response.add_cookie(&cookie(app, URL_SAFE_NO_PAD.encode(sealed)))),
        Err(fault) => tracing::error!(%fault, "a new token could not be shown"),
    }
}

/// The connection and the token that this request may show.
pub fn take(request: &HttpRequest, app: &App, visitor: &Visitor) -> Option<(String, String)> {
    let sealed = URL_SAFE_NO_PAD.decode(request.cookie(name(app))?.value()).ok()?;
    let plain = app.keyring.open(Purpose::Once(visitor.signed.session), &sealed).ok()?;
    let text = std::str::from_utf8(&plain).ok()?;
    text.split_once('\n').map(|(slug, token)| (slug.to_owned(), token.to_owned()))
}

/// Makes the browser forget it.
pub fn forget(response: &mut HttpResponse, app: &App) {
    let mut gone = cookie(app, String::new());
    gone.make_removal();
    // A browser that does not forget shows the token again for at most two minutes.
    drop(response.add_cookie(&gone));
}
