//! The settings of LDAP and OpenID Connect connections, as a form. Secrets go in and never come out.
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Map, Value as Json, json};

use super::super::error::PageError;
use super::super::layout::{see_other, submitted};
use super::seen;
use crate::admin;
use crate::connection::ldap::ResolvedLdapSettings;
use crate::connection::oidc::OidcSettings;
use crate::domain::capability::CoreCapability;
use crate::domain::directory::{Connection, ConnectionKind};
use crate::web::App;
use crate::web::login::Form;

/// The longest value, in characters.
const LONGEST: usize = 4_000;

/// A field of the form.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) hint: &'static str,
    pub(super) value: String,
    /// The words to choose from; empty for free text.
    pub(super) choices: &'static [(&'static str, &'static str)],
    pub(super) secret: bool,
    pub(super) required: bool,
}

const SECURITY: &[(&str, &str)] = &[
    ("", "TLS as the address says"),
    ("ldaps", "TLS from the first byte"),
    ("starttls", "TLS on request (StartTLS)"),
    ("none", "none: passwords travel in clear"),
];

const CLIENT_AUTH: &[(&str, &str)] =
    &[("", "in the Authorization header"), ("post", "in the form"), ("none", "not at all: a public client")];

/// The fields of the connection's settings, filled in.
pub(super) fn fields(connection: &Connection, has_secret: bool) -> Vec<Field> {
    let config = &connection.settings;
    let text = |value: Option<&Json>| match value {
        Some(Json::String(text)) => text.clone(),
        Some(Json::Array(list)) => list.iter().filter_map(Json::as_str).collect::<Vec<_>>().join("\n"),
        Some(Json::Null) | None => String::new(),
        Some(other) => other.to_string(),
    };
    let field =
        |name, title, hint, value, required| Field { name, title, hint, value, required, choices: &[], secret: false };
    let kept = if has_secret { "One is stored; leave empty to keep it." } else { "None is stored." };
    let secret = |title| Field { secret: true, ..field("secret", title, kept, String::new(), false) };
    let bases = |branch: &str| text(config.pointer(&format!("/{branch}/bases")));
    match connection.kind {
        ConnectionKind::Scim => Vec::new(),
        ConnectionKind::Oidc => vec![
            field("issuer", "Issuer", "Exactly as the provider writes it.", text(config.get("issuer")), true),
            field("client_id", "Client id", "", text(config.get("client_id")), true),
            secret("Client secret"),
            Field {
                choices: CLIENT_AUTH,
                ..field(
                    "token_endpoint_auth_method",
                    "The secret is shown",
                    "",
                    text(config.get("token_endpoint_auth_method")),
                    false,
                )
            },
        ],
        ConnectionKind::Ldap => vec![
            field(
                "urls",
                "Server",
                "ldaps://host:636 or ldap://host:389; several, one a line.",
                text(config.get("urls")),
                true,
            ),
            Field { choices: SECURITY, ..field("security", "Protection", "", text(config.get("security")), false) },
            field(
                "bind_dn",
                "Sign in as",
                "The distinguished name of the reading account.",
                text(config.get("bind_dn")),
                false,
            ),
            secret("Password"),
            field("users", "Users are below", "cn=users,dc=example,dc=com; several, one a line.", bases("users"), true),
            field("groups", "Groups are below", "Empty: no groups are read.", bases("groups"), false),
            field("every_minutes", "Every … minutes", "Empty: only by hand.", text(config.get("every_minutes")), false),
        ],
    }
}

/// Whether a connection can work with these settings.
pub(super) fn check(kind: ConnectionKind, profile: &str, config: &Json) -> Result<(), String> {
    match kind {
        ConnectionKind::Scim => Ok(()),
        ConnectionKind::Oidc => OidcSettings::read(config).map(drop).map_err(|why| format!("{why}.")),
        ConnectionKind::Ldap => {
            ResolvedLdapSettings::from_json(profile, config).map(drop).map_err(|wrong| wrong.to_string())
        }
    }
}

/// Saves the settings.
pub(in crate::web::console) async fn save(
    request: HttpRequest,
    app: web::Data<App>,
    payload: web::Payload,
    slug: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let (session_user, form) = submitted(&request, &app, payload).await?;
    let mut reader = app.store.reader().await?;
    let connection = seen(&mut reader, &app, &session_user, &slug, CoreCapability::ConnectionWrite).await?.connection;
    drop(reader);
    let connection = &connection.connection;
    let config = filled(connection, &form)?;
    check(connection.kind, &connection.profile, &config).map_err(PageError::Invalid)?;
    let secret = Some(form.field("secret")).filter(|secret| !secret.is_empty());
    let (ctx, me) = (session_user.ctx(&app), session_user.user());
    admin::connections::set_settings(&app.store, &ctx, me, &slug, (&config, secret), &app.keyring).await?;
    Ok(see_other(&format!("/connections/{slug}?done=saved")))
}

/// The stored settings with what the form says over them.
fn filled(connection: &Connection, form: &Form) -> Result<Json, PageError> {
    let mut config = connection.settings.as_object().cloned().unwrap_or_default();
    let lines = |name: &str| -> Vec<Json> {
        form.field(name).lines().map(str::trim).filter(|line| !line.is_empty()).map(Json::from).collect()
    };
    for name in ["urls", "users", "groups", "issuer", "bind_dn", "client_id"] {
        if form.field(name).chars().count() > LONGEST {
            return Err(PageError::Invalid(format!("At most {LONGEST} characters fit into {name}.")));
        }
    }
    match connection.kind {
        ConnectionKind::Scim => {
            return Err(PageError::Invalid("A SCIM connection has no settings of this kind.".to_owned()));
        }
        ConnectionKind::Oidc => {
            for name in ["issuer", "client_id", "token_endpoint_auth_method"] {
                set(&mut config, name, form.field(name).trim());
            }
        }
        ConnectionKind::Ldap => {
            config.insert("urls".to_owned(), lines("urls").into());
            for name in ["security", "bind_dn"] {
                set(&mut config, name, form.field(name).trim());
            }
            branch(&mut config, "users", lines("users"));
            branch(&mut config, "groups", lines("groups"));
            match form.field("every_minutes").trim() {
                "" => drop(config.remove("every_minutes")),
                minutes => {
                    let number = minutes.parse::<u32>().ok().filter(|minutes| *minutes > 0);
                    let wrong =
                        || PageError::Invalid("Write the minutes between two runs as a whole number.".to_owned());
                    config.insert("every_minutes".to_owned(), number.ok_or_else(wrong)?.into());
                }
            }
        }
    }
    Ok(config.into())
}

fn set(config: &mut Map<String, Json>, name: &str, value: &str) {
    if value.is_empty() {
        config.remove(name);
    } else {
        config.insert(name.to_owned(), value.into());
    }
}

/// Sets the bases of a branch; its filter and depth stay.
fn branch(config: &mut Map<String, Json>, name: &str, bases: Vec<Json>) {
    if bases.is_empty() {
        config.remove(name);
        return;
    }
    let branch = config.entry(name).or_insert_with(|| json!({}));
    if !branch.is_object() {
        *branch = json!({});
    }
    if let Some(branch) = branch.as_object_mut() {
        branch.insert("bases".to_owned(), bases.into());
    }
}
