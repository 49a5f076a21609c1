//! Which claim may name a user at every connection of a directory, and when it is believed. A claim that users may choose or
//! change themselves is no proof of who they are, whoever signs it.
use serde_json::Value as Json;

use super::claims::Claims;
use crate::connection::matching_claim;
use crate::domain::bounds::{INDEXED_TEXT_BYTES, fits_index};
use crate::provision::match_key::MatchKey;

/// Why a claim names nobody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Unnamed {
    /// A stable code.
    pub(super) code: &'static str,
    /// For administrators.
    pub(super) why: String,
}

/// The key that the claims of a sign-in prove, or why they prove none.
pub(super) fn key(claims: &Claims, claim: &str) -> Result<MatchKey, Unnamed> {
    let unnamed = |code, why| Err(Unnamed { code, why });
    let value = match claims.get(claim) {
        Some(Json::String(value)) if !value.trim().is_empty() => value,
        None | Some(Json::String(_)) => {
            let why = format!("the provider does not say the claim {claim:?}, which names the user");
            return unnamed("user.not_linked", why);
        }
        Some(_) => {
            return unnamed("matching.claim", format!("the claim {claim:?}, which names the user, is not a text"));
        }
    };
    if !fits_index(value) {
        let why = format!("the claim {claim:?}, which names the user, is longer than {INDEXED_TEXT_BYTES} bytes");
        return unnamed("matching.claim", why);
    }
    // The subject is the provider's own name for the user: unique there, and never given to anybody else (§2).
    if claim != "sub" {
        if let Err(why) = matching_claim::check(claim) {
            return unnamed("matching.unproven", why);
        }
        let address = claims.text("email").filter(|_| claims.is_proven("email"));
        let proven = match claim {
            "email" | "phone_number" => claims.is_proven(claim),
            // Whatever the claim is called, an address is believed where the provider vouches for it.
            _ => !value.contains('@') || address.is_some_and(|address| address.eq_ignore_ascii_case(value)),
        };
        if !proven {
            let why = format!(
                "the claim {claim:?}, which names the user, is an address or a number that the provider does not say it \
                 has verified"
            );
            return unnamed("matching.unproven", why);
        }
    }
    Ok(MatchKey::new(claim, value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn outcome(claim: &str, claims: Json) -> String {
        let claims: Claims = serde_json::from_value(claims).unwrap();
        key(&claims, claim)
            .map_or_else(|unnamed| unnamed.code.to_owned(), |key| String::from_utf8(key.bytes().to_vec()).unwrap())
    }

    #[test]
    fn only_what_is_proven_names_somebody() {
        assert_eq!(outcome("sub", json!({"sub": "Alice@a.example"})), "alice@a.example");
        assert_eq!(outcome("oid", json!({"oid": "O-1"})), "O-1");
        assert_eq!(outcome("employee_id", json!({"employee_id": "E-1"})), "E-1");
        for absent in [json!({}), json!({"oid": null}), json!({"oid": ""}), json!({"oid": "  "})] {
            assert_eq!(outcome("oid", absent), "user.not_linked");
        }
        for odd in [json!(7), json!(true), json!(["O-1"]), json!({"id": "O-1"}), json!("o".repeat(1_025))] {
            assert_eq!(outcome("oid", json!({"oid": odd})), "matching.claim");
        }
        let mail = |proof: Json| outcome("email", json!({"email": "A@a.example", "email_verified": proof}));
        assert_eq!(mail(json!(true)), "a@a.example");
        for no in
            [json!(false), json!(null), json!("true"), json!("false"), json!(1), json!([true]), json!({"a": true})]
        {
            assert_eq!(mail(no.clone()), "matching.unproven", "{no}");
        }
        assert_eq!(outcome("email", json!({"email": "a@a.example"})), "matching.unproven");
        assert_eq!(outcome("phone_number", json!({"phone_number": "+1", "email_verified": true})), "matching.unproven");
        assert_eq!(outcome("phone_number", json!({"phone_number": "+1", "phone_number_verified": true})), "+1");
        // An address under another name.
        let custom = |claims| outcome("https://a.example/mail", claims);
        assert_eq!(custom(json!({"https://a.example/mail": "a@a.example"})), "matching.unproven");
        let other = json!({"https://a.example/mail": "a@a.example", "email": "b@a.example", "email_verified": true});
        assert_eq!(custom(other), "matching.unproven");
        let same = json!({"https://a.example/mail": "A@a.example", "email": "a@a.example", "email_verified": true});
        assert_eq!(custom(same), "a@a.example");
        for claim in matching_claim::refused() {
            let claims = json!({claim: "alice", "email": "alice", "email_verified": true});
            if claim != "email_verified" {
                assert_eq!(outcome(claim, claims), "matching.unproven", "{claim}");
            }
        }
    }
}
