//! What claims say of a user, as a user document that the schema has accepted. What it does not take is left out: a
//! claim that nobody needs refuses nobody. A word that users may choose themselves is never their address or sign-in
//! name.
use serde_json::{Map, Value as Json, json};

use super::claims::Claims;
use crate::provision::{fit, nameless};
use crate::scim::resource::{self, Document, Rules};
use crate::scim::schema::{SchemaSet, USER_URN};

/// What a sign-in says of its subject.
pub(super) struct Described {
    /// The document.
    pub(super) document: Document,
    /// The same without a name to sign in with, for when another subject of the provider has it.
    pub(super) nameless: Document,
}

/// Reads what the claims say of `subject` of `issuer`.
pub(super) fn describe(schemas: &SchemaSet, claims: &Claims, issuer: &str, subject: &str) -> Described {
    let text = |name: &str| claims.words(name).map(|text| text.trim().to_owned());
    let address = claims.text("email").map(str::trim).filter(|_| claims.is_proven("email")).unwrap_or_default();
    let offered = [
        ("displayName", text("name").map(Json::from)),
        // What they call themselves.
        ("nickName", text("preferred_username").or_else(|| text("nickname")).map(Json::from)),
        ("name", text("given_name").map(|name| json!({"givenName": name}))),
        ("name", text("family_name").map(|name| json!({"familyName": name}))),
        ("emails", Some(json!([{"value": address, "type": "work", "primary": true}])).filter(|_| !address.is_empty())),
    ];
    let user_name = Json::from(nameless::user_name(issuer, subject));
    let mut taken = Map::new();
    for (name, value) in offered.into_iter().filter_map(|(name, value)| Some((name, value?))) {
        let Some(Json::Object(accepted)) = accept(schemas, &user_name, [(name, value)]).map(Json::Object) else {
            continue;
        };
        let Some(value) = accepted.get(name).cloned() else { continue };
        match (taken.get_mut(name), value) {
            (Some(Json::Object(before)), Json::Object(more)) => before.extend(more),
            (_, value) => drop(taken.insert(name.to_owned(), value)),
        }
    }
    let whole =
        |user_name: &Json| accept(schemas, user_name, taken.iter().map(|(name, value)| (name.as_str(), value.clone())));
    let bare = || accept(schemas, &user_name, []).unwrap_or_default();
    let nameless = whole(&user_name).unwrap_or_else(bare);
    let named = taken.contains_key("emails").then(|| whole(&Json::from(address))).flatten();
    Described { document: named.unwrap_or_else(|| nameless.clone()), nameless }
}

/// The document of these attributes, if the schema takes them.
fn accept<'a>(
    schemas: &SchemaSet,
    user_name: &Json,
    attributes: impl IntoIterator<Item = (&'a str, Json)>,
) -> Option<Document> {
    let mut body = json!({"schemas": [USER_URN], "userName": user_name, "active": true});
    for (name, value) in attributes {
        body.as_object_mut()?.insert(name.to_owned(), value);
    }
    let document = resource::create(schemas.users(), body, Rules::LENIENT).ok()?.document;
    fit::user(&document, None, None).ok()?;
    Some(document)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://id.example";

    fn described(claims: Json) -> Described {
        let claims: Claims = serde_json::from_value(claims).unwrap();
        describe(&SchemaSet::base(), &claims, ISSUER, "s-1")
    }

    #[test]
    fn only_a_proven_address_is_an_address_and_a_name() {
        let nobody = nameless::user_name(ISSUER, "s-1");
        for claims in [
            json!({"preferred_username": "bob@a.example"}),
            json!({"preferred_username": "bob"}),
            json!({"nickname": "bob@a.example"}),
            json!({"upn": "bob@a.example", "unique_name": "bob"}),
            json!({"email": "bob@a.example"}),
            json!({"email": "bob@a.example", "email_verified": false}),
            json!({"email": "bob@a.example", "email_verified": "true"}),
            json!({"email": "bob@a.example", "email_verified": 1}),
            json!({"email": ["bob@a.example"], "email_verified": true}),
        ] {
            let document = described(claims.clone()).document;
            assert_eq!(document["userName"], nobody, "{claims}");
            assert!(!document.contains_key("emails"), "{claims}");
        }
        let proven = described(json!({"email": "bob@a.example", "email_verified": true, "name": "Bob"}));
        assert_eq!(proven.document["userName"], "bob@a.example");
        assert_eq!(proven.document["emails"][0]["value"], "bob@a.example");
        assert_eq!((&proven.nameless["userName"], &proven.nameless["displayName"]), (&json!(nobody), &json!("Bob")));
    }

    #[test]
    fn what_the_schema_does_not_take_is_left_out_and_nothing_else() {
        let long = "x".repeat(1 << 20);
        for bad in [
            json!("a\u{0}b"),
            json!(7),
            json!(true),
            json!(null),
            json!([]),
            json!(["a"]),
            json!({"a": 1}),
            json!("  "),
        ] {
            for claim in ["name", "given_name", "family_name", "email", "preferred_username", "nickname"] {
                let mut claims = json!({"name": "Ada K", "given_name": "Ada", "family_name": "King",
                    "email": "ada@a.example", "email_verified": true});
                claims[claim] = bad.clone();
                let document = described(claims).document;
                let kept = [
                    ("name", document.get("displayName") == Some(&json!("Ada K"))),
                    ("given_name", document.get("name").is_some_and(|name| name["givenName"] == "Ada")),
                    ("family_name", document.get("name").is_some_and(|name| name["familyName"] == "King")),
                    ("email", document["userName"] == "ada@a.example"),
                ];
                for (other, kept) in kept {
                    assert_eq!(kept, other != claim, "{claim} is {bad}: {other}");
                }
                assert!(!Json::Object(document).to_string().contains("\\u0000"), "{claim} is {bad}");
            }
        }
        assert!(
            resource::create(
                SchemaSet::base().users(),
                Json::Object(described(json!({"name": long})).document),
                Rules::STRICT
            )
            .is_ok()
        );
    }
}
