//! Which claim of an OpenID provider may name a user at every connection of a directory. A claim that users may choose or
//! change themselves does not prove who they are, whoever signs it.

/// Claims that users choose or change themselves, or that are given to somebody else later (OpenID Connect Core 1.0 §5.1
/// and §5.7, and what the large providers send beside them).
const CHOSEN: [&str; 29] = [
    "preferred_username",
    "nickname",
    "name",
    "given_name",
    "family_name",
    "middle_name",
    "profile",
    "picture",
    "website",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "address",
    "updated_at",
    "upn",
    "unique_name",
    "username",
    "user_name",
    "login",
    "login_name",
    "login_hint",
    "displayname",
    "display_name",
    "screen_name",
    "alias",
    "verified_primary_email",
    "verified_secondary_email",
    "userprincipalname",
];

/// Claims about the token or about many users.
const OF_MANY: [&str; 25] = [
    "iss",
    "aud",
    "azp",
    "appid",
    "nonce",
    "exp",
    "iat",
    "nbf",
    "jti",
    "typ",
    "acr",
    "amr",
    "auth_time",
    "at_hash",
    "c_hash",
    "s_hash",
    "sid",
    "tid",
    "hd",
    "idp",
    "org_id",
    "groups",
    "roles",
    "email_verified",
    "phone_number_verified",
];

/// Checks the claim that is to name the same user at every connection.
///
/// # Errors
/// What is wrong with it, in a sentence.
pub fn check(claim: &str) -> Result<(), String> {
    const USE: &str = "use sub, oid, or another identifier that the provider never gives to anybody else";
    if is_among(&CHOSEN, claim) {
        return Err(format!("users can choose or change what the claim \"{claim}\" holds, so it proves nobody; {USE}"));
    }
    if is_among(&OF_MANY, claim) {
        return Err(format!("the claim \"{claim}\" does not tell one user from another; {USE}"));
    }
    let odd =
        ["sub", "email", "phone_number"].into_iter().find(|name| claim != *name && claim.eq_ignore_ascii_case(name));
    match odd {
        Some(name) => Err(format!("write the claim as the standard does: \"{name}\"")),
        None => Ok(()),
    }
}

/// What is to be known of a claim that joins only under a condition.
pub fn note(claim: &str) -> Option<&'static str> {
    match claim {
        "email" => Some(
            "Counts only in sign-ins in which the provider says email_verified: true. Anybody else is recognised by the \
             subject alone, or not at all.",
        ),
        "phone_number" => Some("Counts only in sign-ins in which the provider says phone_number_verified: true."),
        _ => None,
    }
}

fn is_among(names: &[&str], claim: &str) -> bool {
    names.iter().any(|name| name.eq_ignore_ascii_case(claim))
}

/// The claims that are refused.
#[cfg(test)]
pub(crate) fn refused() -> impl Iterator<Item = &'static str> {
    CHOSEN.into_iter().chain(OF_MANY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_that_proves_nobody_is_refused_when_it_is_saved() {
        for claim in ["sub", "oid", "email", "phone_number", "employee_id", "https://a.example/number", "amr_id"] {
            assert_eq!(check(claim), Ok(()), "{claim}");
        }
        for claim in CHOSEN.iter().chain(&OF_MANY) {
            for written in [(*claim).to_owned(), claim.to_uppercase()] {
                assert!(check(&written).is_err_and(|why| why.contains(&written)), "{written}");
            }
        }
        for odd in ["Sub", "EMAIL", "Phone_Number"] {
            assert!(check(odd).is_err_and(|why| why.contains("as the standard does")), "{odd}");
        }
        assert!(note("email").is_some() && note("sub").is_none());
    }
}
