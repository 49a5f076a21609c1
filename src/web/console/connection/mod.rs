//! `/connections/{slug}`: one connection of a directory, with what to paste at the other side.
pub(super) mod clients;
mod guide;
mod log;
pub(super) mod runs;
pub(super) mod settings;
pub(super) mod tokens;
pub(super) mod undo;

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use self::clients::ClientRow;
use self::guide::CopyValue;
use self::log::Request;
use self::settings::Field;
use super::connect::{self, Guide};
use super::credentials::{TokenRow, token_rows};
use super::directories::{kind_name, mode_name};
use super::error::PageError;
use super::layout::{Layout, ok, parameter, see_other, session_user, submitted};
use super::one_time_secret;
use super::partner_header::{self, PartnerHeader, place};
use super::products;
use super::removal_alerts::{self, RemovalAlertNotice};
use crate::admin;
use crate::connection::scim::ScimOptions;
use crate::domain::capability::CoreCapability;
use crate::domain::directory::{Connection, ConnectionKind, ConnectionState};
use crate::scim::profile::{ClientProfile, Switch};
use crate::store::connections::{self, ConnectionContext};
use crate::store::extent::PartnerExtent;
use crate::store::{self, Reader, directories, effective, resources};
use crate::web::App;
use crate::web::login::SessionUser;

#[derive(Template)]
#[template(path = "console/connection.html")]
pub(super) struct Page {
    frame: Layout,
    at: PartnerHeader,
    slug: String,
    kind: &'static str,
    kind_title: &'static str,
    product: String,
    paused: bool,
    suspended: bool,
    may_write: bool,
    may_run: bool,
    directory: String,
    directory_name: String,
    directory_mode: &'static str,
    join: Option<String>,
    matching_note: Option<&'static str>,
    values: Vec<CopyValue>,
    steps: Vec<String>,
    guide: Option<&'static Guide>,
    switches: Vec<SwitchRow>,
    fresh: Option<one_time_secret::OneTimeSecret>,
    removal_alerts: Vec<RemovalAlertNotice>,
    tokens: Vec<TokenRow>,
    clients: Vec<ClientRow>,
    fields: Vec<Field>,
    ready: bool,
    tried: Option<Vec<crate::ldap::snapshot::TestStep>>,
    runs: Vec<runs::RunRow>,
    log: Vec<Request>,
    log_older: Option<String>,
    log_newest: bool,
    log_on: bool,
    query: String,
}

/// One switch of a SCIM connection.
struct SwitchRow {
    name: &'static str,
    value: &'static str,
    /// Whether the profile sets it otherwise.
    own: bool,
    /// What it does, in parts; whether each is to be read letter by letter.
    says: Vec<(bool, &'static str)>,
}

/// How a SCIM connection reads requests, in the order the switches are documented.
fn switches(app: &App, connection: &Connection) -> Vec<SwitchRow> {
    let offer = app.offers.of(connection).ok().filter(|_| connection.kind == ConnectionKind::Scim);
    let profile = connection.profile.parse::<ClientProfile>().unwrap_or_default().switches();
    let row = |switch: &Switch, value: &'static str| SwitchRow {
        name: switch.as_str(),
        value,
        own: value != profile.value(*switch),
        says: switch.says().split('`').enumerate().map(|(at, part)| (at % 2 == 1, part)).collect(),
    };
    let rows =
        |offer: Arc<ScimOptions>| Switch::ALL.iter().map(|switch| row(switch, offer.switches.value(*switch))).collect();
    offer.map(rows).unwrap_or_default()
}

/// A connection as the visitor may see it.
pub(super) struct ConnectionPageContext {
    pub(super) at: PartnerExtent,
    pub(super) connection: ConnectionContext,
}

/// The connection, when the visitor may do this with it.
pub(super) async fn seen(
    reader: &mut Reader,
    app: &App,
    session_user: &SessionUser,
    slug: &str,
    capability: CoreCapability,
) -> Result<ConnectionPageContext, PageError> {
    let (_, about) = resources::of_connection(reader, slug).await?.ok_or(PageError::NotFound)?;
    let at = effective::authorize(reader, session_user.user(), capability, about, app.clock.now()).await?;
    let connection = connections::by_slug(reader, &at, slug).await?.ok_or(PageError::NotFound)?;
    Ok(ConnectionPageContext { at, connection })
}

/// Shows the connection.
pub(super) async fn show(
    request: HttpRequest,
    app: web::Data<App>,
    slug: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let session_user = session_user(&request, &app).await?;
    let mut page = page(&request, &app, &session_user, &slug).await?;
    page.fresh = one_time_secret::take(&request, &app, &session_user);
    let mut response = ok(&page);
    if page.fresh.is_some() {
        one_time_secret::forget(&mut response, &app);
    }
    Ok(response)
}

/// Everything on the page.
pub(super) async fn page(
    request: &HttpRequest,
    app: &App,
    session_user: &SessionUser,
    slug: &str,
) -> Result<Page, PageError> {
    let (me, now) = (session_user.user(), app.clock.now());
    let frame = Layout::of(session_user, request, "partners");
    let query = parameter(request, "q").trim().to_owned();
    let (mut page, extent) = app
        .store
        .snapshot(async |reader: &mut Reader| {
            let ConnectionPageContext { at, connection } =
                seen(reader, app, session_user, slug, CoreCapability::ConnectionView).await?;
            let about = partner_header::partner(at.partner());
            let directory = directories::get(reader, &at, connection.connection.directory).await?;
            let has_secret = connections::secret(reader, &connection.extent).await?.is_some();
            let tokens = match connection.connection.kind {
                ConnectionKind::Scim => {
                    token_rows(store::tokens::list(reader, &at, connection.connection.id).await?, now)
                }
                _ => Vec::new(),
            };
            let clients = match connection.connection.kind {
                ConnectionKind::Scim => clients::rows(reader, &at, connection.connection.id).await?,
                _ => Vec::new(),
            };
            let runs = match connection.connection.kind {
                ConnectionKind::Ldap => runs::rows(reader, &connection.extent).await?,
                _ => Vec::new(),
            };
            let mut removal_alerts = removal_alerts::notices(reader, &at, now).await?;
            removal_alerts.retain(|removal_alert| removal_alert.slug == slug);
            let page = Page {
                removal_alerts,
                frame,
                values: guide::values(&connection.connection, &app.public_url),
                steps: guide::steps(&connection.connection),
                slug: connection.connection.slug.clone(),
                kind: connection.connection.kind.as_str(),
                kind_title: kind_name(connection.connection.kind),
                product: products::title(connection.connection.kind, &connection.connection.profile),
                paused: connection.connection.state == ConnectionState::Paused,
                suspended: connection.suspended,
                may_write: partner_header::may(reader, me, CoreCapability::ConnectionWrite, about, now).await?,
                may_run: partner_header::may(reader, me, CoreCapability::ConnectionRun, about, now).await?,
                directory: directory.id.to_string(),
                directory_mode: mode_name(directory.mode),
                directory_name: directory.name,
                fields: settings::fields(&connection.connection, has_secret),
                ready: settings::check(
                    connection.connection.kind,
                    &connection.connection.profile,
                    &connection.connection.settings,
                )
                .is_ok(),
                matching_note: crate::connection::matching_note(
                    connection.connection.kind,
                    connection.matching_attribute.as_deref(),
                ),
                join: connection.matching_attribute,
                at: place(reader, me, &at, now).await?,
                guide: connect::guide(&connection.connection.profile)
                    .filter(|_| connection.connection.kind == ConnectionKind::Scim),
                switches: switches(app, &connection.connection),
                fresh: None,
                tried: None,
                tokens,
                clients,
                runs,
                log: Vec::new(),
                log_older: None,
                log_newest: true,
                log_on: app.request_log.is_on(),
                query,
            };
            Ok::<_, PageError>((page, connection.extent))
        })
        .await?;
    if page.kind != "ldap" {
        let listed = log::read(app, &extent, &page.slug, &page.query, &parameter(request, "before")).await?;
        (page.log, page.log_older, page.log_newest) = (listed.requests, listed.older, listed.newest);
    }
    Ok(page)
}

impl Page {
    /// The same page with what a test of the settings came to.
    pub(super) fn with_test(mut self, steps: Vec<crate::ldap::snapshot::TestStep>) -> Self {
        self.tried = Some(steps);
        self
    }
}

/// Opens or pauses the connection.
pub(super) async fn set_state(
    request: HttpRequest,
    app: web::Data<App>,
    payload: web::Payload,
    slug: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let (session_user, form) = submitted(&request, &app, payload).await?;
    let unknown = || PageError::Invalid("A connection is either active or paused.".to_owned());
    let state = ConnectionState::parse(form.field("state")).ok_or_else(unknown)?;
    admin::connections::set_state(&app.store, &session_user.ctx(&app), session_user.user(), &slug, state).await?;
    let done = if state == ConnectionState::Paused { "paused" } else { "opened" };
    Ok(see_other(&format!("/connections/{slug}?done={done}")))
}
