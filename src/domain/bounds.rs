//! How long a text from outside may be. One law for both databases, kept where texts come in: PostgreSQL refuses an
//! entry of an index beyond some 2,700 bytes, SQLite takes any; what one refuses and the other keeps would make a
//! provider repeat for ever at the one, and find two kinds of truth at both.
use super::text::fold;

/// Bytes of a text that ends in an index: names, addresses, identifiers. As it is written, and as it is compared (with
/// capitals folded and composed characters taken apart, which may make it longer).
pub const INDEXED_TEXT_BYTES: usize = 1_024;

/// Bytes of any other text that is stored.
pub const TEXT_BYTES: usize = 65_536;

/// Whether a text may end in an index.
#[must_use]
pub fn fits_index(text: &str) -> bool {
    text.len() <= INDEXED_TEXT_BYTES && (text.is_ascii() || fold(text).len() <= INDEXED_TEXT_BYTES)
}

/// Whether a text may be stored where no index holds it.
#[must_use]
pub fn fits(text: &str) -> bool {
    text.len() <= TEXT_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_is_the_longer_of_both_forms() {
        assert!(fits_index(&"a".repeat(INDEXED_TEXT_BYTES)) && !fits_index(&"a".repeat(INDEXED_TEXT_BYTES + 1)));
        assert!(
            fits_index(&"ä".repeat(INDEXED_TEXT_BYTES / 2)) && !fits_index(&"ä".repeat(INDEXED_TEXT_BYTES / 2 + 1))
        );
        // A ligature of 3 bytes that stands for 18 characters.
        let ligature = "\u{fdfa}".repeat(40);
        assert!(ligature.len() < INDEXED_TEXT_BYTES && !fits_index(&ligature));
        assert!(fits(&"a".repeat(TEXT_BYTES)) && !fits(&"a".repeat(TEXT_BYTES + 1)));
    }
}
