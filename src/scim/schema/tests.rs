//! The schema table: what extensions may say, how attributes are found, and what discovery publishes.

use super::discovery::{AuthScheme, BulkLimits, ServiceProvider};
use super::service::{CONFIG_URN, RESOURCE_TYPE_URN, SCHEMA_URN};
use super::*;
use crate::scim::path::AttrPath;
use serde_json::json;

/// An extension of users with these attributes.
fn with(attributes: Value) -> Result<SchemaSet, String> {
    let mut set = SchemaSet::base();
    let document = json!({"id": "urn:example:x", "attributes": attributes});
    set.extend("User", &document, false).map_err(|problem| problem.to_string())?;
    Ok(set)
}

#[test]
fn an_attribute_is_secret_when_it_is_never_shown_or_only_written() {
    let secret = |returned: Returned, mutability: Mutability| {
        build::string("pin", "").returned(returned).mutability(mutability).is_secret()
    };
    assert!(secret(Returned::Never, Mutability::ReadWrite));
    assert!(secret(Returned::Default, Mutability::WriteOnly));
    assert!(!secret(Returned::Request, Mutability::Immutable));
}

#[test]
fn a19_an_extension_is_taken_with_all_it_says() {
    let card = json!({"name": "card", "type": "complex", "multiValued": true, "description": "Cards.",
        "required": true, "mutability": "immutable", "returned": "request", "uniqueness": "none", "caseExact": false,
        "subAttributes": [
            {"name": "kind", "type": "string", "caseExact": true, "canonicalValues": ["red", "blue"]},
            {"name": "page", "type": "reference", "referenceTypes": ["external"]}]});
    let set = with(json!([card, {"name": "plain", "subAttributes": []}])).unwrap();
    let schema = set.schema("URN:EXAMPLE:X").unwrap();
    assert_eq!((schema.name.as_str(), schema.description.as_str()), ("urn:example:x", ""));
    let shown = schema.to_json("https://a.example");
    let card = &shown["attributes"][0];
    assert_eq!(
        card,
        &json!({"name": "card", "type": "complex", "multiValued": true, "description": "Cards.", "required": true,
            "caseExact": false, "mutability": "immutable", "returned": "request", "uniqueness": "none",
            "subAttributes": [
                {"name": "kind", "type": "string", "multiValued": false, "description": "", "required": false,
                    "caseExact": true, "mutability": "readWrite", "returned": "default", "uniqueness": "none",
                    "canonicalValues": ["red", "blue"]},
                {"name": "page", "type": "reference", "multiValued": false, "description": "", "required": false,
                    "caseExact": true, "mutability": "readWrite", "returned": "default", "uniqueness": "none",
                    "referenceTypes": ["external"]}]})
    );
    let mut named = SchemaSet::base();
    let document =
        json!({"id": "urn:x-y_z:1.0/a%20", "name": "Site", "description": "Where.", "attributes": [{"name": "a"}]});
    named.extend("Group", &document, true).unwrap();
    let site = named.schema("urn:x-y_z:1.0/a%20").unwrap();
    assert_eq!((site.name.as_str(), site.description.as_str()), ("Site", "Where."));
    let extensions: Vec<_> = named.groups().extensions().map(|(schema, required)| (&*schema.id, required)).collect();
    assert_eq!(extensions, [("urn:x-y_z:1.0/a%20", true)]);
}

#[test]
fn a19_what_an_extension_may_not_say_is_explained() {
    let part = |sub: Value| json!([{"name": "c", "type": "complex", "subAttributes": [sub]}]);
    for (attributes, says) in [
        (json!([5]), "must be a JSON object"),
        (json!([{"type": "string"}]), "has no \"name\""),
        (json!([{"name": "a", "required": "yes"}]), "\"required\" must be true or false"),
        (json!([{"name": "a", "mutability": "often"}]), "\"mutability\" has an unknown value"),
        (json!([{"name": "a", "returned": 5}]), "\"returned\" has an unknown value"),
        (json!([{"name": "a", "uniqueness": "server"}]), "is not enforced"),
        (json!([{"name": "a", "canonicalValues": "x"}]), "\"canonicalValues\" must be a list of strings"),
        (json!([{"name": "a", "referenceTypes": [5]}]), "\"referenceTypes\" must be a list of strings"),
        (json!([{"name": "a", "subAttributes": [{"name": "b"}]}]), "only a complex attribute"),
        (json!([{"name": "a", "type": "complex", "subAttributes": []}]), "needs \"subAttributes\""),
        (part(json!({"name": "b", "multiValued": true})), "cannot be multi-valued"),
        (part(json!({"name": "b", "type": "complex", "subAttributes": [{"name": "d"}]})), "cannot be complex"),
        (json!([{"name": "a", "type": "complex", "subAttributes": [{"name": "b"}, {"name": "B"}]}]), "listed twice"),
        (json!([{"name": "a b"}]), "begin with a letter"),
    ] {
        let problem = with(attributes.clone()).unwrap_err();
        assert!(problem.contains(says), "{attributes}: {problem}");
    }
    for id in ["nocolon", "urn:ex ample", "urn:é"] {
        let problem = SchemaSet::base().extend("User", &json!({"id": id, "attributes": [{"name": "a"}]}), false);
        assert!(problem.unwrap_err().to_string().contains("must be a URN"), "{id}");
    }
    assert!(SchemaSet::base().extend("User", &json!([]), false).is_err());
}

#[test]
fn a19_an_extension_is_registered_once_for_each_type() {
    let document = json!({"id": "urn:example:x", "attributes": [{"name": "a"}]});
    let mut set = SchemaSet::base();
    let known = set.schemas().len();
    set.extend("User", &document, false).unwrap();
    set.extend("Group", &document, false).unwrap();
    assert_eq!(set.schemas().len(), known + 1, "one schema, used twice");
    assert!(set.extend("User", &document, false).unwrap_err().to_string().contains("registered twice"));
    assert!(set.extend("Robot", &document, false).unwrap_err().to_string().contains("no resource type \"Robot\""));
    let other = json!({"id": "URN:EXAMPLE:X", "attributes": [{"name": "b"}]});
    assert!(set.extend("User", &other, false).unwrap_err().to_string().contains("already taken"));
    let names: Vec<_> = set.resources().map(|resource| resource.kind.name.as_str()).collect();
    assert_eq!(names, ["User", "Group"]);
    assert_eq!(set.resource("Group").unwrap().kind.endpoint, "/Groups");
    assert!(set.resource("Robot").is_none());
}

#[test]
fn a15_a_path_finds_what_it_names() {
    let set = SchemaSet::base();
    let found = |path: &str| {
        let path = AttrPath::parse(path).unwrap();
        set.users().locate(&path).map(|found| match found {
            Located::Extension(schema) => vec![schema.id.clone()],
            Located::Attribute(target) => {
                let mut keys = target.keys();
                keys.extend(target.sub.map(|sub| sub.name.clone()));
                keys
            }
        })
    };
    let keys = |list: &[&str]| Some(list.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>());
    assert_eq!(found("NAME.givenname"), keys(&["name", "givenName"]));
    assert_eq!(found("meta.created"), keys(&["meta", "created"]));
    assert_eq!(found(&format!("{USER_URN}:title")), keys(&["title"]));
    assert_eq!(found(ENTERPRISE_URN), keys(&[ENTERPRISE_URN]));
    let manager = format!("{ENTERPRISE_URN}:manager.value");
    assert_eq!(found(&manager), keys(&[ENTERPRISE_URN, "manager", "value"]));
    for nothing in ["nothing", "name.nothing", "urn:nobody:title", GROUP_URN, USER_URN] {
        assert_eq!(found(nothing), None, "{nothing}");
    }
    assert_eq!(found(&format!("{ENTERPRISE_URN}.x")), None);
}

#[test]
fn e01_e02_the_service_says_what_it_offers() {
    let mut service = ServiceProvider {
        documentation: None,
        bulk: None,
        max_results: 500,
        change_password: false,
        default_page_size: 100,
        cursor_timeout: None,
        schemes: vec![AuthScheme::Bearer, AuthScheme::OAuth2, AuthScheme::Basic],
    };
    let shown = service.to_json("https://a.example");
    assert_eq!(shown["bulk"], json!({"supported": false, "maxOperations": 0, "maxPayloadSize": 0}));
    assert_eq!((&shown["pagination"]["cursor"], shown["pagination"].get("cursorTimeout")), (&json!(false), None));
    assert_eq!(shown["pagination"]["maxPageSize"], 500);
    assert!(shown.get("documentationUri").is_none());
    let schemes = shown["authenticationSchemes"].as_array().unwrap();
    let kinds: Vec<_> = schemes.iter().map(|scheme| (scheme["type"].as_str().unwrap(), &scheme["primary"])).collect();
    let [yes, no] = [json!(true), json!(false)];
    assert_eq!(kinds, [("oauthbearertoken", &yes), ("oauth2", &no), ("httpbasic", &no)]);
    service.bulk = Some(BulkLimits { operations: 10, bytes: 20 });
    service.cursor_timeout = Some(60);
    service.documentation = Some("https://a.example/help".to_owned());
    let shown = service.to_json("https://a.example");
    assert_eq!(shown["bulk"], json!({"supported": true, "maxOperations": 10, "maxPayloadSize": 20}));
    assert_eq!((&shown["pagination"]["cursor"], &shown["pagination"]["cursorTimeout"]), (&json!(true), &json!(60)));
    assert_eq!(shown["documentationUri"], "https://a.example/help");
    assert_eq!(shown["meta"]["location"], "https://a.example/ServiceProviderConfig");
}

#[test]
fn e03_types_and_schemas_are_published_by_name() {
    let set = SchemaSet::base();
    let user = set.type_json("User", "https://a.example").unwrap();
    assert_eq!((&user["id"], &user["endpoint"], &user["schema"]), (&json!("User"), &json!("/Users"), &json!(USER_URN)));
    assert_eq!(user["schemaExtensions"], json!([{"schema": ENTERPRISE_URN, "required": false}]));
    assert_eq!(user["meta"]["location"], "https://a.example/ResourceTypes/User");
    let group = set.type_json("Group", "").unwrap();
    assert_eq!((&group["name"], group.get("schemaExtensions")), (&json!("Group"), None));
    assert!(set.type_json("Robot", "").is_none());
    // A word for every characteristic, and back.
    let words = [AttrType::String, AttrType::Binary, AttrType::DateTime].map(|kind| AttrType::parse(kind.as_str()));
    assert_eq!(words, [AttrType::String, AttrType::Binary, AttrType::DateTime].map(Some));
    let shown = set.schema_json(USER_URN, "").unwrap();
    let of = |name: &str| {
        let listed = shown["attributes"].as_array().unwrap();
        listed.iter().find(|attribute| attribute["name"] == name).unwrap().clone()
    };
    assert_eq!(of("userName")["uniqueness"], "server");
    assert_eq!((&of("password")["returned"], &of("password")["mutability"]), (&json!("never"), &json!("writeOnly")));
    assert_eq!(of("emails")["subAttributes"].as_array().unwrap().len(), 4);
    assert_eq!(of("emails")["subAttributes"][2]["canonicalValues"], json!(["work", "home", "other"]));
    assert_eq!(of("profileUrl")["referenceTypes"], json!(["external"]));
    for (attribute, key) in
        [("userName", "canonicalValues"), ("userName", "referenceTypes"), ("userName", "subAttributes")]
    {
        assert!(of(attribute).get(key).is_none(), "{attribute} {key}");
    }
}

/// What is said is in the schema, and what the schema requires is said.
fn described(attributes: &[Attribute], said: &Value, at: &str) {
    match said {
        Value::Array(items) => items.iter().for_each(|item| described(attributes, item, at)),
        Value::Object(map) => {
            // Parts of parts are described one level deep, as in the RFC.
            let deeper = |key: &str| key == "subAttributes" && at == "subAttributes";
            for (key, value) in
                map.iter().filter(|(key, _)| !["schemas", "meta"].contains(&key.as_str()) && !deeper(key))
            {
                let attribute = find(attributes, key).unwrap_or_else(|| panic!("{at}: {key} is in no schema"));
                described(&attribute.sub_attributes, value, key);
            }
            let missing = attributes.iter().find(|attribute| attribute.required && !map.contains_key(&attribute.name));
            assert_eq!(missing.map(|attribute| &attribute.name), None, "{at}");
        }
        _ => assert!(attributes.is_empty(), "{at} has parts"),
    }
}

#[test]
fn e04_what_discovery_says_of_itself_is_what_it_publishes() {
    let set = SchemaSet::base();
    let attributes = |urn: &str| &set.schema(urn).unwrap().attributes[..];
    let service = ServiceProvider {
        documentation: Some("https://a.example/help".to_owned()),
        bulk: Some(BulkLimits { operations: 10, bytes: 20 }),
        max_results: 500,
        change_password: true,
        default_page_size: 100,
        cursor_timeout: Some(60),
        schemes: vec![AuthScheme::Bearer],
    };
    described(attributes(CONFIG_URN), &service.to_json("https://a.example"), "ServiceProviderConfig");
    for kind in set.types() {
        described(attributes(RESOURCE_TYPE_URN), &kind.to_json("https://a.example"), &kind.name);
    }
    for schema in set.schemas() {
        described(attributes(SCHEMA_URN), &schema.to_json("https://a.example"), &schema.name);
    }
    let config = set.schema_json(CONFIG_URN, "").unwrap();
    assert!(config["attributes"].as_array().unwrap().iter().all(|attribute| attribute["mutability"] == "readOnly"));
}
