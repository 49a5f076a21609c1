//! The settings of connections: what each kind takes, what is wrong with them, what they mean. Pure.
pub mod ldap;
pub mod matching_claim;
pub mod oidc;
pub mod scim;

use std::sync::Arc;

use serde_json::Value;

use self::ldap::ResolvedLdapSettings;
use self::oidc::OidcSettings;
use self::scim::ScimOptions;
use crate::domain::bounds::{TEXT_BYTES, fits};
use crate::domain::directory::{Connection, ConnectionKind};
use crate::scim::path::AttrPath;
use crate::scim::schema::SchemaSet;
use crate::scim::schema::{AttrType, Located, Mutability};

/// Checks the settings of a connection.
///
/// # Errors
/// What is wrong with them, in sentences.
pub fn check(kind: ConnectionKind, profile: &str, settings: &Value) -> Result<(), String> {
    if holds_nul(settings) {
        return Err("must not contain the character U+0000".to_owned());
    }
    if holds_long(settings) {
        return Err(format!("hold a text longer than {TEXT_BYTES} bytes"));
    }
    match kind {
        ConnectionKind::Scim => ScimOptions::build(profile, settings).map(drop),
        ConnectionKind::Ldap => {
            ResolvedLdapSettings::from_json(profile, settings).map(drop).map_err(|wrong| wrong.to_string())
        }
        ConnectionKind::Oidc => OidcSettings::read(settings).map(drop),
    }
}

/// What the documents of a connection may hold.
///
/// # Errors
/// What is wrong with its settings, in a sentence.
pub fn schemas(connection: &Connection) -> Result<Arc<SchemaSet>, String> {
    match connection.kind {
        ConnectionKind::Scim => ScimOptions::build(&connection.profile, &connection.settings).map(|offer| offer.set),
        ConnectionKind::Ldap | ConnectionKind::Oidc => Ok(Arc::new(SchemaSet::base())),
    }
}

/// Checks the attribute that names the same user at every connection. That of a SCIM connection must be one of its users',
/// that of an OpenID connection a claim that can prove who somebody is; which ones an LDAP server or an OpenID provider
/// has is not known here.
///
/// # Errors
/// What is wrong with it, in a sentence.
pub fn check_matching(kind: ConnectionKind, profile: &str, settings: &Value, join: &str) -> Result<(), String> {
    match kind {
        ConnectionKind::Scim => {}
        ConnectionKind::Oidc => return matching_claim::check(join),
        ConnectionKind::Ldap => return Ok(()),
    }
    let offer = ScimOptions::build(profile, settings)?;
    let found = AttrPath::parse(join).and_then(|path| offer.set.users().locate(&path));
    let Some(Located::Attribute(target)) = found else {
        return Err(format!("there is no attribute \"{join}\" of users here; {JOINS}"));
    };
    let leaf = match target.sub {
        None if target.attr.multi_valued => target.attr.sub("value").unwrap_or(target.attr),
        _ => target.leaf(),
    };
    let text = matches!(leaf.kind, AttrType::String | AttrType::Reference);
    if !text || target.attr.mutability != Mutability::ReadWrite || leaf.mutability != Mutability::ReadWrite {
        return Err(format!("\"{join}\" holds no text that a directory sends; {JOINS}"));
    }
    let name = target.sub.map_or_else(|| target.attr.name.clone(), |sub| format!("{}.{}", target.attr.name, sub.name));
    let written = target.extension.map_or_else(|| name.clone(), |schema| format!("{}:{name}", schema.id));
    match written == join {
        true => Ok(()),
        false => Err(format!("write it as the schema does: \"{written}\"")),
    }
}

/// The condition under which the matching attribute of a connection counts, when there is one.
pub fn matching_note(kind: ConnectionKind, attribute: Option<&str>) -> Option<&'static str> {
    attribute.filter(|_| kind == ConnectionKind::Oidc).and_then(matching_claim::note)
}

const JOINS: &str = "use externalId, userName, emails.value, or an extension's URN, a colon and a name";

fn holds_long(value: &Value) -> bool {
    match value {
        Value::String(text) => !fits(text),
        Value::Array(items) => items.iter().any(holds_long),
        Value::Object(members) => members.iter().any(|(name, value)| !fits(name) || holds_long(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
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
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    #[test]
    fn users_are_joined_by_an_attribute_that_exists() {
        let check = |kind, join| check_matching(kind, "generic", &json!({}), join);
        let number = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber";
        for join in ["externalId", "userName", "emails", "emails.value", "name.formatted", number] {
            assert_eq!(check(ConnectionKind::Scim, join), Ok(()), "{join}");
        }
        for (join, part) in [
            ("nope", "no attribute"),
            ("", "no attribute"),
            ("name", "no text"),
            ("active", "no text"),
            ("password", "no text"),
            ("id", "no text"),
            ("groups", "no text"),
            ("EXTERNALID", "\"externalId\""),
        ] {
            let why = check(ConnectionKind::Scim, join).unwrap_err();
            assert!(why.contains(part), "{join}: {why}");
        }
        assert_eq!(check(ConnectionKind::Ldap, "entryUUID"), Ok(()));
        assert_eq!(check(ConnectionKind::Oidc, "oid"), Ok(()));
        assert!(check(ConnectionKind::Oidc, "preferred_username").unwrap_err().contains("proves nobody"));
    }

    /// A new setting has to be put on one side: it decides to whom, as whom or how protected the secret is shown, or it
    /// does not.
    #[test]
    fn each_setting_is_known_to_bind_the_secret_or_not() {
        let full = json!({"urls": [], "security": "none", "ca": "", "bind_dn": "", "users": {"bases": []},
            "groups": {"bases": []}, "member": "", "id": "", "attributes": {"title": []}, "disabled": [],
            "every_minutes": 5});
        let ldap: ldap::LdapSettings = serde_json::from_value(full).unwrap();
        let full = json!({"issuer": "https://id.example", "client_id": "x", "max_age_seconds": 5, "acr_values": ["x"]});
        let oidc = OidcSettings::read(&full).unwrap();
        let free = [
            (ConnectionKind::Ldap, serde_json::to_value(&ldap).unwrap(), LDAP_FREE),
            (ConnectionKind::Oidc, serde_json::to_value(&oidc).unwrap(), OIDC_FREE),
        ];
        for (kind, settings, free) in free {
            let names: BTreeSet<&str> = settings.as_object().unwrap().keys().map(String::as_str).collect();
            let known: BTreeSet<&str> = kind.destination_settings().iter().chain(free).copied().collect();
            assert_eq!(names, known, "{}", kind.as_str());
        }
    }

    const LDAP_FREE: &[&str] = &[
        "users",
        "groups",
        "member",
        "id",
        "attributes",
        "disabled",
        "page_size",
        "timeouts",
        "safeguard",
        "references",
        "every_minutes",
    ];
    const OIDC_FREE: &[&str] = &["scopes", "jit_provisioning", "max_age_seconds", "acr_values", "clock_skew_seconds"];

    #[test]
    fn each_kind_is_checked_by_its_connection() {
        assert!(check(ConnectionKind::Scim, "generic", &json!({})).is_ok());
        assert!(check(ConnectionKind::Scim, "nobody", &json!({})).is_err());
        assert!(check(ConnectionKind::Ldap, "openldap", &json!({})).is_err());
        assert!(check(ConnectionKind::Oidc, "generic", &json!({})).is_err());
        let oidc = json!({"issuer": "https://id.example", "client_id": "rolecall"});
        assert_eq!(check(ConnectionKind::Oidc, "generic", &oidc), Ok(()));
        assert!(check(ConnectionKind::Scim, "generic", &json!({"switches": {"a\0": "b"}})).is_err());
        let long = check(ConnectionKind::Scim, "generic", &json!({"schemas": [{"x": "y".repeat(TEXT_BYTES + 1)}]}));
        assert!(long.unwrap_err().contains("65536"));
    }
}
