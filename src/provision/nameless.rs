//! User names of users whose source tells no name to sign in with. A subject of OpenID Connect is an identifier, and what
//! it calls itself proves nothing; but an external user has a user name that is unique in its connection. So it gets one
//! that is nobody's sign-in name and no address, and therefore resembles nobody.
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::secret::sha256;

/// What such names begin with.
const PREFIX: &str = "openid:";
/// The longest subject that can be read in its name, in bytes.
const LONGEST: usize = 128;
/// Characters that tell issuers apart.
const ISSUER: usize = 16;

/// The user name of `subject` of `issuer`.
pub fn user_name(issuer: &str, subject: &str) -> String {
    let hash = |text: &str| URL_SAFE_NO_PAD.encode(sha256(text.as_bytes()));
    let plain = subject.len() <= LONGEST && subject.bytes().all(|byte| byte.is_ascii_graphic());
    let readable = if plain { subject.to_owned() } else { hash(subject) };
    let issuer: String = hash(issuer).chars().take(ISSUER).collect();
    format!("{PREFIX}{issuer}:{readable}")
}

/// Whether a user name is one of these.
pub(super) fn is(user_name: &str) -> bool {
    user_name.starts_with(PREFIX)
}

/// What a user of such a name is shown by when nobody says how they are called: the subject.
pub(super) fn spare(user_name: &str) -> Option<&str> {
    user_name.strip_prefix(PREFIX)?.split_once(':').map(|(_, subject)| subject)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_subject_has_one_of_its_own() {
        let one = user_name("https://a.example", "auth0|1:2@x");
        assert_eq!(spare(&one), Some("auth0|1:2@x"));
        assert!(is(&one) && !is("ada@a.example"));
        assert_ne!(one, user_name("https://b.example", "auth0|1:2@x"));
        let long = "s".repeat(255);
        assert_ne!(user_name("i", &long), user_name("i", &format!("{long}t")));
        assert!(user_name("i", &long).len() < 100 && user_name("i", "a b").is_ascii());
        assert_eq!(spare("ada"), None);
    }
}
