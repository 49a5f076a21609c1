//! Tokens: 256 random bits behind a prefix that says what they are for. Only their SHA-256 is stored.
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::sha256;
use crate::domain::ctx::Ctx;

/// What a token is for; shows in its prefix, so a scanner recognises one that leaked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TokenKind {
    /// A SCIM connection's bearer token.
    Scim,
    /// An API bearer token.
    Api,
    /// A one-time link.
    Link,
    /// A browser session.
    Session,
    /// The secret of an OAuth 2.0 client of a SCIM connection.
    Client,
}

impl TokenKind {
    /// The first characters of every token of this kind.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Scim => "rcs_",
            Self::Api => "rca_",
            Self::Link => "rcl_",
            Self::Session => "rcb_",
            Self::Client => "rco_",
        }
    }
}

/// Characters after the prefix: 32 bytes in base64url without padding.
const BODY: usize = 43;

/// A token in the clear: shown once to whom it belongs, then forgotten.
pub struct PlainToken {
    text: Zeroizing<String>,
}

impl PlainToken {
    /// A new one.
    pub fn generate(kind: TokenKind, ctx: &Ctx) -> Self {
        let random = Zeroizing::new(ctx.random::<32>());
        let mut text = Zeroizing::new(String::with_capacity(kind.prefix().len() + BODY));
        text.push_str(kind.prefix());
        URL_SAFE_NO_PAD.encode_string(random.as_slice(), &mut text);
        Self { text }
    }

    /// One that was made before and kept, sealed, to be shown again; `None` when it is none of this kind.
    pub fn parse(kind: TokenKind, text: &str) -> Option<Self> {
        presented_hash(kind, text)?;
        Some(Self { text: Zeroizing::new(text.to_owned()) })
    }

    /// The text to hand over.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// What is stored and looked up.
    pub fn hash(&self) -> [u8; 32] {
        sha256(self.text.as_bytes())
    }

    /// The part that may be shown again later, to tell tokens apart.
    pub fn hint(&self) -> String {
        self.text.chars().take(8).collect()
    }
}

impl fmt::Debug for PlainToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// The hash to look a presented token up by; `None` when it cannot be one of this kind at all.
///
/// A lookup by hash needs no constant-time comparison: nobody can steer the hash of a token towards
/// that of another.
pub fn presented_hash(kind: TokenKind, presented: &str) -> Option<[u8; 32]> {
    let body = presented.strip_prefix(kind.prefix())?;
    let shaped = body.len() == BODY && body.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    shaped.then(|| sha256(presented.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::domain::ctx::Actor;

    #[test]
    fn a_token_is_found_by_its_hash_and_only_as_its_kind() {
        let token = PlainToken::generate(TokenKind::Api, &Clock.ctx(Actor::System));
        assert_eq!(presented_hash(TokenKind::Api, token.reveal()), Some(token.hash()));
        assert_eq!(presented_hash(TokenKind::Scim, token.reveal()), None);
        assert_eq!(presented_hash(TokenKind::Api, &token.reveal().replace("rca_", "rcs_")), None);
        assert_eq!(presented_hash(TokenKind::Api, &format!("{}=", token.reveal())), None);
        assert_eq!(presented_hash(TokenKind::Api, ""), None);
    }

    #[test]
    fn tokens_differ_and_do_not_print() {
        let ctx = Clock.ctx(Actor::System);
        let (one, two) = (PlainToken::generate(TokenKind::Link, &ctx), PlainToken::generate(TokenKind::Link, &ctx));
        assert_ne!(one.reveal(), two.reveal());
        assert_eq!(one.reveal().len(), 47);
        assert_eq!(format!("{one:?}"), "Token(..)");
    }
}
