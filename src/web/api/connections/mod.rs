//! Connections: the connections of directories.
pub(super) mod change;
pub(super) mod create;
pub(super) mod external;
pub(super) mod matches;
pub(super) mod oauth_clients;
pub(super) mod removal_alerts;
pub(super) mod request_log;
pub(super) mod show;
pub(super) mod sync;
pub(super) mod sync_runs;
pub(super) mod test;
pub(super) mod tokens;
pub(super) mod undo;

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::error::Fault;
use super::model::{ApiTimestamp, ConnectionKindView, ConnectionStateView};
use super::request::{ApiRequest, ApiResult};
use crate::admin::authority;
use crate::domain::capability::CoreCapability;
use crate::domain::directory::ConnectionKind;
use crate::domain::id::Id;
use crate::store::connections::ConnectionContext;

/// A connection: one connection of a directory.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Connection)]
pub(super) struct ConnectionView {
    /// Its id.
    pub id: Uuid,
    /// Its directory.
    pub directory: Uuid,
    /// Which connection; never changes.
    pub kind: ConnectionKindView,
    /// Its name in addresses; never changes.
    pub slug: String,
    /// The client profile (SCIM) or product (LDAP, OIDC).
    pub profile: String,
    /// Whether it is open.
    pub state: ConnectionStateView,
    /// Whether its partner, or one above it, is suspended: then nothing is taken, whatever `state` says. Pushes are
    /// answered with 503, and no synchronisation begins.
    pub suspended: bool,
    /// The attribute or claim that names the same user at every connection of the directory.
    pub matching_attribute: Option<String>,
    /// What is to be known of `matching_attribute`, when it counts only under a condition.
    pub matching_note: Option<&'static str>,
    /// Settings of its kind. Secrets are never among them.
    #[schema(value_type = Object)]
    pub settings: Value,
    /// What to enter at the other side: the SCIM base address, or the redirect address of the sign-in.
    pub address: Option<String>,
    /// Raised at every change; the ETag of the answer.
    pub version: i64,
    /// When it came to be.
    pub created_at: ApiTimestamp,
}

/// A connection as it is shown.
pub(super) fn view(connection: ConnectionContext, public_url: &str) -> ConnectionView {
    let base = public_url.trim_end_matches('/');
    let matching_note =
        crate::connection::matching_note(connection.connection.kind, connection.matching_attribute.as_deref());
    let record = connection.connection;
    let address = match record.kind {
        ConnectionKind::Scim => Some(format!("{base}/scim/{}/v2", record.slug)),
        ConnectionKind::Oidc => Some(format!("{base}/sso/{}/callback", record.slug)),
        ConnectionKind::Ldap => None,
    };
    ConnectionView {
        id: record.id.uuid(),
        directory: record.directory.uuid(),
        kind: record.kind.into(),
        slug: record.slug,
        profile: record.profile,
        state: record.state.into(),
        suspended: connection.suspended,
        matching_attribute: connection.matching_attribute,
        matching_note,
        settings: record.settings,
        address,
        version: record.version,
        created_at: ApiTimestamp(record.created_at),
    }
}

/// The connection in the path, when the caller may do `needs` to it.
async fn connection(call: &ApiRequest, needs: CoreCapability) -> Result<ConnectionContext, Fault> {
    let slug = call.slug()?;
    let found = call
        .read(async |reader| Ok(authority::at_connection(reader, call.user(), needs, slug, call.now()).await?))
        .await?;
    Ok(found.1)
}

/// A connection with its version as ETag.
fn tagged(call: &ApiRequest, status: StatusCode, connection: ConnectionContext) -> ApiResult {
    let tag = format!("\"{}\"", connection.connection.version);
    let view = view(connection, call.app.public_url.as_str());
    let mut response = HttpResponse::build(status);
    response.insert_header((header::CACHE_CONTROL, "no-store")).insert_header((header::ETAG, tag));
    if status == StatusCode::CREATED {
        response.insert_header((header::LOCATION, format!("/api/v1/connections/{}", view.slug)));
    }
    Ok(response.json(view))
}
