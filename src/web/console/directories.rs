//! `/partners/{id}/directories`: where a partner's users come from, and connecting another source.
use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::error::PageError;
use super::layout::{Layout, id, ok, see_other, session_user, submitted};
use super::partner_header::{self, PartnerHeader, place};
use super::products::{self, ProductGroup};
use super::removal_alerts::{self, RemovalAlertNotice};
use crate::admin;
use crate::admin::connections::NewConnection;
use crate::domain::capability::CoreCapability;
use crate::domain::directory::{ConnectionKind, ConnectionState, DirectoryMode};
use crate::domain::id::{ConnectionId, DirectoryId, PartnerId};
use crate::store::connections::ConnectionContext;
use crate::store::{Reader, connections, directories, directory_summaries, effective};
use crate::web::App;
use crate::web::login::Form;

#[derive(Template)]
#[template(path = "console/directories.html")]
struct Page {
    frame: Layout,
    at: PartnerHeader,
    may_write: bool,
    directories: Vec<Directory>,
    products: Vec<ProductGroup>,
    removal_alerts: Vec<RemovalAlertNotice>,
}

struct Directory {
    id: String,
    name: String,
    mode: &'static str,
    connections: Vec<ConnectionListRow>,
}

/// A connection in a list.
pub(super) struct ConnectionListRow {
    pub(super) slug: String,
    pub(super) kind: &'static str,
    pub(super) product: String,
    pub(super) users: i64,
    pub(super) groups: i64,
    pub(super) paused: bool,
    pub(super) suspended: bool,
}

/// How many users and groups each connection has.
pub(super) struct ConnectionCounts {
    users: BTreeMap<ConnectionId, i64>,
    groups: BTreeMap<ConnectionId, i64>,
}

impl ConnectionCounts {
    pub(super) async fn of(
        reader: &mut Reader,
        at: &crate::store::extent::PartnerExtent,
    ) -> Result<Self, crate::store::StoreError> {
        let users = directory_summaries::users(reader, at).await?.into_iter().collect();
        let groups = directory_summaries::groups(reader, at).await?.into_iter().collect();
        Ok(Self { users, groups })
    }

    pub(super) fn row(&self, connection: &ConnectionContext) -> ConnectionListRow {
        let suspended = connection.suspended;
        let connection = &connection.connection;
        ConnectionListRow {
            suspended,
            kind: kind_name(connection.kind),
            product: products::title(connection.kind, &connection.profile),
            users: self.users.get(&connection.id).copied().unwrap_or_default(),
            groups: self.groups.get(&connection.id).copied().unwrap_or_default(),
            paused: connection.state == ConnectionState::Paused,
            slug: connection.slug.clone(),
        }
    }
}

/// What users call the connection.
pub(super) fn kind_name(kind: ConnectionKind) -> &'static str {
    match kind {
        ConnectionKind::Scim => "SCIM",
        ConnectionKind::Oidc => "OpenID Connect",
        ConnectionKind::Ldap => "LDAP",
    }
}

/// What users call the mode.
pub(super) fn mode_name(mode: DirectoryMode) -> &'static str {
    match mode {
        DirectoryMode::Observe => "observed only",
        DirectoryMode::Additive => "only adds",
        DirectoryMode::Authoritative => "in force",
        DirectoryMode::Paused => "frozen",
    }
}

/// Shows the directories.
pub(super) async fn show(
    request: HttpRequest,
    app: web::Data<App>,
    path: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let session_user = session_user(&request, &app).await?;
    let (me, now, asked) = (session_user.user(), app.clock.now(), partner_header::partner(id(&path)?));
    let frame = Layout::of(&session_user, &request, "partners");
    let page = app
        .store
        .snapshot(async |reader: &mut Reader| {
            let at = effective::authorize(reader, me, CoreCapability::ConnectionView, asked, now).await?;
            let counts = ConnectionCounts::of(reader, &at).await?;
            let removal_alerts = removal_alerts::notices(reader, &at, now).await?;
            let mut connections: BTreeMap<DirectoryId, Vec<ConnectionListRow>> = BTreeMap::new();
            for connection in connections::of_partner(reader, &at).await? {
                connections.entry(connection.connection.directory).or_default().push(counts.row(&connection));
            }
            let row = |directory: crate::domain::directory::Directory| Directory {
                id: directory.id.to_string(),
                mode: mode_name(directory.mode),
                connections: connections.remove(&directory.id).unwrap_or_default(),
                name: directory.name,
            };
            Ok::<_, PageError>(Page {
                frame,
                directories: directories::of_partner(reader, &at).await?.into_iter().map(row).collect(),
                at: place(reader, me, &at, now).await?,
                may_write: partner_header::may(reader, me, CoreCapability::ConnectionWrite, asked, now).await?,
                products: products::all(),
                removal_alerts,
            })
        })
        .await?;
    Ok(ok(&page))
}

/// Makes a directory with its first connection.
pub(super) async fn connect(
    request: HttpRequest,
    app: web::Data<App>,
    payload: web::Payload,
    path: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let (session_user, form) = submitted(&request, &app, payload).await?;
    let partner: PartnerId = id(&path)?;
    let connection = connection(&form)?;
    let name = form.field("name");
    admin::connections::connect(&app.store, &session_user.ctx(&app), session_user.user(), partner, name, &connection)
        .await?;
    Ok(see_other(&format!("/connections/{}?done=connected", connection.slug)))
}

/// The connection a form asks for.
pub(super) fn connection(form: &Form) -> Result<NewConnection, PageError> {
    let unknown = || PageError::Invalid("Choose a product from the list.".to_owned());
    let (kind, profile) = form.field("product").split_once(':').ok_or_else(unknown)?;
    let kind = ConnectionKind::parse(kind).ok_or_else(unknown)?;
    let product = products::find(kind, profile).ok_or_else(unknown)?;
    Ok(NewConnection {
        kind,
        slug: form.field("slug").trim().to_owned(),
        profile: product.profile.to_owned(),
        matching_attribute: Some(product.join.to_owned()),
    })
}
