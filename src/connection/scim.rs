//! The settings of a SCIM connection, and what they offer its client: schemas and tolerances.
use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use crate::scim::profile::{ClientProfile, Switch, Switches};
use crate::scim::schema::SchemaSet;

/// Schemas and tolerances of one connection.
#[derive(Debug)]
pub struct ScimOptions {
    /// Its schemas.
    pub set: Arc<SchemaSet>,
    /// How it treats its client.
    pub switches: Switches,
}

/// The settings of a SCIM connection.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// Switches that differ from the profile's.
    switches: HashMap<String, Value>,
    /// Schemas beside the standard ones.
    schemas: Vec<Extension>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Extension {
    /// The resource type it extends: `User` or `Group`.
    resource: String,
    /// Whether every resource must carry it.
    #[serde(default)]
    required: bool,
    /// The Schema resource (RFC 7643 §7).
    schema: Value,
}

impl ScimOptions {
    /// Builds the offer of a profile and the settings of a connection.
    ///
    /// # Errors
    /// A sentence about what in the settings cannot be used.
    pub fn build(profile: &str, settings: &Value) -> Result<Self, String> {
        let settings: Settings = match settings {
            Value::Null => Settings::default(),
            given => Settings::deserialize(given).map_err(|error| error.to_string())?,
        };
        let profile: ClientProfile = profile.parse().map_err(|problem| format!("{problem}"))?;
        let mut switches = profile.switches();
        for (name, value) in &settings.switches {
            let word = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            switches.set(name, &word).map_err(|problem| problem.to_string())?;
        }
        let mut set = SchemaSet::base();
        if switches.is_on(Switch::ResourceTypesEnabled) {
            set.offer_roles();
        }
        for extension in &settings.schemas {
            set.extend(&extension.resource, &extension.schema, extension.required)
                .map_err(|problem| problem.to_string())?;
        }
        Ok(Self { set: Arc::new(set), switches })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn settings_change_the_profile_and_are_checked() {
        let changed =
            ScimOptions::build("generic", &json!({"switches": {"op_case": false, "unknown_member": "reject"}}));
        let plain = ScimOptions::build("generic", &json!({})).unwrap();
        assert_ne!(changed.unwrap().switches, plain.switches);
        assert!(ScimOptions::build("nobody", &json!({})).unwrap_err().contains("nobody"));
        assert!(ScimOptions::build("generic", &json!({"switches": {"no": true}})).unwrap_err().contains("no"));
        assert!(ScimOptions::build("generic", &json!({"other": 1})).is_err());
        let schema = json!({"id": "urn:example:x:User", "name": "X", "attributes": [
            {"name": "region", "type": "string", "multiValued": false}]});
        let offer =
            ScimOptions::build("strict", &json!({"schemas": [{"resource": "User", "schema": schema}]})).unwrap();
        assert!(offer.set.schema("urn:example:x:User").is_some());
    }
}
