//! `POST /connections/{slug}/test`.
use std::sync::Arc;

use secrecy::SecretString;
use serde::Serialize;
use utoipa::ToSchema;

use super::connection;
use crate::connection::ldap::ResolvedLdapSettings;
use crate::domain::capability::CoreCapability;
use crate::domain::directory::ConnectionKind;
use crate::ldap::{run, snapshot};
use crate::store::connections::{self, ConnectionContext};
use crate::web::api::error::Fault;
use crate::web::api::request::{ApiRequest, ApiResult, ok};
use crate::web::sync::env;

/// What came of a test.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TestResult)]
pub(in crate::web::api) struct Tested {
    /// Whether everything worked.
    passed: bool,
    /// Step by step, up to the first that failed.
    steps: Vec<Step>,
}

/// One step of a test.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TestStep)]
struct Step {
    /// What was tried.
    name: String,
    /// Whether it worked.
    passed: bool,
    /// What came of it.
    message: String,
}

/// Tries a connection with its stored settings and changes nothing: reads one page over LDAP, asks an OpenID provider
/// for its description, or looks whether a SCIM provider has a token that opens the connection. Needs `core.connection.run`
/// over its partner.
#[utoipa::path(post, path = "/api/v1/connections/{slug}/test", tag = "Connections", operation_id = "testConnection",
    params(("slug" = String, Path, description = "the connection's name in addresses")),
    responses((status = 200, description = "what came of it", body = Tested)))]
pub(in crate::web::api) async fn test(call: ApiRequest) -> ApiResult {
    let connection = connection(&call, CoreCapability::ConnectionRun).await?;
    let steps = match connection.connection.kind {
        ConnectionKind::Ldap => ldap(&call, &connection).await?,
        ConnectionKind::Oidc => vec![oidc(&call, &connection).await],
        ConnectionKind::Scim => vec![scim(&call, &connection).await?],
    };
    ok(&Tested { passed: steps.iter().all(|step| step.passed), steps })
}

fn step(title: &str, outcome: Result<String, String>) -> Step {
    let passed = outcome.is_ok();
    Step { name: title.to_owned(), passed, message: outcome.unwrap_or_else(|why| why) }
}

async fn ldap(call: &ApiRequest, connection: &ConnectionContext) -> Result<Vec<Step>, Fault> {
    let settings =
        match ResolvedLdapSettings::from_json(&connection.connection.profile, &connection.connection.settings) {
            Ok(settings) => Arc::new(settings),
            Err(wrong) => return Ok(vec![step("Check the settings", Err(wrong.to_string()))]),
        };
    let password: Option<SecretString> =
        match call.read(async |reader| Ok(connections::secret(reader, &connection.extent).await?)).await? {
            None => None,
            Some(sealed) => match run::opened(&call.app.keyring, connection, &sealed) {
                Some(password) => Some(password),
                None => {
                    let why = "The bind password cannot be opened with the keys of this server; set it again.";
                    return Ok(vec![step("Check the settings", Err(why.to_owned()))]);
                }
            },
        };
    let steps = snapshot::test_connection(settings, password, env(&call.app).guard).await;
    Ok(steps.into_iter().map(|one| Step { name: one.title, passed: one.passed, message: one.says }).collect())
}

async fn oidc(call: &ApiRequest, connection: &ConnectionContext) -> Step {
    step("Ask the provider", call.app.desk.login.probe(connection).await)
}

async fn scim(call: &ApiRequest, connection: &ConnectionContext) -> Result<Step, Fault> {
    let newest = call.app.request_log.page(&connection.extent, "", None, 1).await;
    let newest = newest.ok().and_then(|(entries, _)| entries.into_iter().next());
    Ok(step(
        "Look for the provider",
        match newest {
            Some(entry) => Ok(format!("Its last request came at {} and got {}.", entry.at, entry.status)),
            None => {
                Err("No request of the provider has come yet; let it test the connection from its side.".to_owned())
            }
        },
    ))
}
