//! What each door makes of the settings of a connection.
use serde_json::Value;

use crate::domain::directory::ConnectionKind;
use crate::ldap::settings::Settings;
use crate::login::provider::OidcConfig;
use crate::scim::schema::SchemaSet;
use crate::store::connections::Door;
use crate::web::scim::offer::Offer;

/// Checks the settings of a connection.
///
/// # Errors
/// What is wrong with them, in sentences.
pub fn check(kind: ConnectionKind, profile: &str, settings: &Value) -> Result<(), String> {
    if holds_nul(settings) {
        return Err("must not contain the character U+0000".to_owned());
    }
    match kind {
        ConnectionKind::Scim => Offer::build(profile, settings).map(drop),
        ConnectionKind::Ldap => Settings::from_json(profile, settings).map(drop).map_err(|wrong| wrong.to_string()),
        ConnectionKind::Oidc => OidcConfig::read(settings).map(drop),
    }
}

/// What the documents of a connection may hold.
///
/// # Errors
/// What is wrong with its settings, in a sentence.
pub fn schemas(door: &Door) -> Result<SchemaSet, String> {
    let connection = &door.connection;
    match connection.kind {
        ConnectionKind::Scim => Offer::build(&connection.profile, &connection.config).map(|offer| offer.set),
        ConnectionKind::Ldap | ConnectionKind::Oidc => Ok(SchemaSet::base()),
    }
}

/// PostgreSQL cannot keep it.
fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(members) => members.iter().any(|(name, value)| name.contains('\0') || holds_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_kind_is_checked_by_its_door() {
        assert!(check(ConnectionKind::Scim, "generic", &json!({})).is_ok());
        assert!(check(ConnectionKind::Scim, "nobody", &json!({})).is_err());
        assert!(check(ConnectionKind::Ldap, "openldap", &json!({})).is_err());
        assert!(check(ConnectionKind::Oidc, "generic", &json!({})).is_err());
        let oidc = json!({"issuer": "https://id.example", "client_id": "rolecall"});
        assert_eq!(check(ConnectionKind::Oidc, "generic", &oidc), Ok(()));
        assert!(check(ConnectionKind::Scim, "generic", &json!({"switches": {"a\0": "b"}})).is_err());
    }
}
