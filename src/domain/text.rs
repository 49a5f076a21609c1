//! Comparing text without regard to case, one way everywhere.

use caseless::Caseless;
use unicode_normalization::UnicodeNormalization;

/// The comparable form of a text: NFKC, full Unicode case folding, NFKC again.
///
/// Two texts are "the same without regard to case" exactly when their folds
/// are equal. Stored keys and the values they are compared with must both go
/// through this one function; folded texts are ordered by their UTF-8 bytes.
/// Folding is idempotent.
#[must_use]
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    fold_once(&fold_once(text))
}

fn fold_once(text: &str) -> String {
    text.nfkc().default_case_fold().nfkc().collect()
}

#[cfg(test)]
mod tests {
    use super::fold;
    use proptest::prelude::*;

    #[test]
    fn a13_k02_folds_case_width_and_composition() {
        assert_eq!(fold("ADA"), "ada");
        assert_eq!(fold("Straße"), fold("STRASSE"));
        assert_eq!(fold("A\u{308}pfel"), fold("äPFEL"));
        assert_eq!(fold("ＡＢ"), "ab");
        assert_eq!(fold("ΣΊΣΥΦΟΣ"), fold("σίσυφος"));
    }

    proptest! {
        #[test]
        fn fold_is_idempotent(text in any::<String>()) {
            let once = fold(&text);
            prop_assert_eq!(fold(&once), once);
        }
    }
}
