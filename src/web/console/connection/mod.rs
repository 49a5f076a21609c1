//! `/connections/{slug}`: one door of a directory, with what to paste at the other side.
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
use super::layout::{Layout, ok, parameter, see_other, submitted, visitor};
use super::one_time_secret;
use super::partner_header::{self, PartnerHeader, place};
use super::products;
use super::removal_alerts::{self, RemovalAlertNotice};
use crate::admin;
use crate::domain::capability::CoreCapability;
use crate::domain::directory::{Connection, ConnectionKind, ConnectionState};
use crate::scim::profile::{ClientProfile, Switch};
use crate::store::connections::{self, ConnectionContext};
use crate::store::extent::PartnerExtent;
use crate::store::{self, Reader, directories, effective, resources};
use crate::web::App;
use crate::web::connection_settings;
use crate::web::login::SessionUser;
use crate::web::scim::options::ScimOptions;

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
    may_write: bool,
    may_run: bool,
    directory: String,
    directory_name: String,
    directory_mode: &'static str,
    join: Option<String>,
    join_note: Option<&'static str>,
    values: Vec<CopyValue>,
    steps: Vec<String>,
    guide: Option<&'static Guide>,
    switches: Vec<SwitchRow>,
    fresh: Option<one_time_secret::OneTimeSecret>,
    storms: Vec<RemovalAlertNotice>,
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
    pub(super) door: ConnectionContext,
}

/// The connection, when the visitor may do this with it.
pub(super) async fn seen(
    reader: &mut Reader,
    app: &App,
    visitor: &SessionUser,
    slug: &str,
    capability: CoreCapability,
) -> Result<ConnectionPageContext, PageError> {
    let (_, about) = resources::of_connection(reader, slug).await?.ok_or(PageError::NotFound)?;
    let at = effective::authorize(reader, visitor.person(), capability, about, app.clock.now()).await?;
    let door = connections::by_slug(reader, &at, slug).await?.ok_or(PageError::NotFound)?;
    Ok(ConnectionPageContext { at, door })
}

/// Shows the connection.
pub(super) async fn show(
    request: HttpRequest,
    app: web::Data<App>,
    slug: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let visitor = visitor(&request, &app).await?;
    let mut page = page(&request, &app, &visitor, &slug).await?;
    page.fresh = one_time_secret::take(&request, &app, &visitor);
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
    visitor: &SessionUser,
    slug: &str,
) -> Result<Page, PageError> {
    let (me, now) = (visitor.person(), app.clock.now());
    let frame = Layout::of(visitor, request, "partners");
    let query = parameter(request, "q").trim().to_owned();
    let (mut page, extent) = app
        .store
        .snapshot(async |reader: &mut Reader| {
            let ConnectionPageContext { at, door } =
                seen(reader, app, visitor, slug, CoreCapability::ConnectionView).await?;
            let about = partner_header::partner(at.partner());
            let directory = directories::get(reader, &at, door.connection.directory).await?;
            let has_secret = connections::secret(reader, &door.extent).await?.is_some();
            let tokens = match door.connection.kind {
                ConnectionKind::Scim => token_rows(store::tokens::list(reader, &at, door.connection.id).await?, now),
                _ => Vec::new(),
            };
            let clients = match door.connection.kind {
                ConnectionKind::Scim => clients::rows(reader, &at, door.connection.id).await?,
                _ => Vec::new(),
            };
            let runs = match door.connection.kind {
                ConnectionKind::Ldap => runs::rows(reader, &door.extent).await?,
                _ => Vec::new(),
            };
            let mut storms = removal_alerts::notices(reader, &at, now).await?;
            storms.retain(|storm| storm.slug == slug);
            let page = Page {
                storms,
                frame,
                values: guide::values(&door.connection, &app.public_url),
                steps: guide::steps(&door.connection),
                slug: door.connection.slug.clone(),
                kind: door.connection.kind.as_str(),
                kind_title: kind_name(door.connection.kind),
                product: products::title(door.connection.kind, &door.connection.profile),
                paused: door.connection.state == ConnectionState::Paused,
                may_write: partner_header::may(reader, me, CoreCapability::ConnectionWrite, about, now).await?,
                may_run: partner_header::may(reader, me, CoreCapability::ConnectionRun, about, now).await?,
                directory: directory.id.to_string(),
                directory_mode: mode_name(directory.mode),
                directory_name: directory.name,
                fields: settings::fields(&door.connection, has_secret),
                ready: settings::check(door.connection.kind, &door.connection.profile, &door.connection.config).is_ok(),
                join_note: connection_settings::join_note(&door),
                join: door.join_attribute,
                at: place(reader, me, &at, now).await?,
                guide: connect::guide(&door.connection.profile)
                    .filter(|_| door.connection.kind == ConnectionKind::Scim),
                switches: switches(app, &door.connection),
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
            Ok::<_, PageError>((page, door.extent))
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
    let (visitor, form) = submitted(&request, &app, payload).await?;
    let unknown = || PageError::Invalid("A connection is either active or paused.".to_owned());
    let state = ConnectionState::parse(form.field("state")).ok_or_else(unknown)?;
    admin::connections::set_state(&app.store, &visitor.ctx(&app), visitor.person(), &slug, state).await?;
    let done = if state == ConnectionState::Paused { "paused" } else { "opened" };
    Ok(see_other(&format!("/connections/{slug}?done={done}")))
}
