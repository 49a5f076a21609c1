//! Distinguished names: RFC 4514 text, compared the way directory servers compare it.
//!
//! A name is parsed once and kept as a key, so that two spellings of one name (case, blanks, escapes,
//! the order inside a multi-valued RDN) are equal as bytes.
use std::fmt;

use unicode_normalization::UnicodeNormalization;

use super::bounds::DN_BYTES;

/// A distinguished name in comparable form: the keys of its RDNs, leaf first, each closed by a separator.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Dn(String);

/// Why a text is not a distinguished name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DnError {
    /// Longer than any name of a directory.
    #[error("it is longer than {DN_BYTES} bytes")]
    Long,
    /// An attribute type is missing or has other characters than RFC 4514 §3 allows.
    #[error("an attribute type is missing or malformed")]
    Type,
    /// A backslash is followed by neither a special character nor two hexadecimal digits.
    #[error("a backslash is not followed by a character that can be escaped")]
    Escape,
    /// `#` is not followed by pairs of hexadecimal digits.
    #[error("a value in hexadecimal form is malformed")]
    Hex,
    /// A character that has to be escaped stands bare.
    #[error("a character that must be escaped is not")]
    Bare,
}

/// Closes the key of an RDN. This and the next two are removed from every value by preparation.
const COMMA: char = '\u{4}';
/// Separates the parts of an RDN's key.
const PLUS: char = '\u{1}';
const EQUALS: char = '\u{2}';
/// Begins the key of a value that is not text.
const BINARY: char = '\u{3}';

impl Dn {
    /// Reads RFC 4514 text. The empty text is the root, above every entry.
    pub fn parse(text: &str) -> Result<Self, DnError> {
        if text.len() > DN_BYTES {
            return Err(DnError::Long);
        }
        let mut key = String::with_capacity(text.len() + 4);
        let mut rest = text.trim_start_matches(' ');
        if rest.is_empty() {
            return Ok(Self(key));
        }
        loop {
            let (mut pairs, after) = parse_rdn(rest)?;
            pairs.sort_unstable();
            pairs.dedup();
            for (at, pair) in pairs.iter().enumerate() {
                if at > 0 {
                    key.push(PLUS);
                }
                key.push_str(pair);
            }
            key.push(COMMA);
            match after {
                Some(next) => rest = next,
                None => return Ok(Self(key)),
            }
        }
    }

    /// Whether this name is `base` or lies below it.
    pub fn is_within(&self, base: &Self) -> bool {
        let above = self.0.strip_suffix(&base.0);
        above.is_some_and(|above| above.is_empty() || above.ends_with(COMMA))
    }

    /// The number of RDNs.
    pub fn depth(&self) -> usize {
        self.0.matches(COMMA).count()
    }
}

impl fmt::Debug for Dn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let readable = self.0.replace(PLUS, "+").replace(EQUALS, "=").replace(BINARY, "#").replace(COMMA, ",");
        write!(f, "Dn({})", readable.trim_end_matches(','))
    }
}

/// One RDN as keys of its pairs, and what follows the comma.
fn parse_rdn(text: &str) -> Result<(Vec<String>, Option<&str>), DnError> {
    let mut pairs = Vec::new();
    let mut rest = text;
    loop {
        let (kind, after) = rest.split_once('=').ok_or(DnError::Type)?;
        let kind = attribute_type(kind)?;
        let (value, end, after) = parse_value(after.trim_start_matches(' '))?;
        pairs.push(format!("{kind}{EQUALS}{value}"));
        match end {
            Some('+') => rest = after,
            Some(_) => return Ok((pairs, Some(after))),
            None => return Ok((pairs, None)),
        }
    }
}

/// The short name of an attribute type: lower case, and the names and numbers of RFC 4519 as one.
fn attribute_type(text: &str) -> Result<String, DnError> {
    let name = text.trim_matches(' ').to_ascii_lowercase();
    let name = name.strip_prefix("oid.").unwrap_or(&name);
    let valid = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.');
    if !valid || !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Err(DnError::Type);
    }
    Ok(match name {
        "commonname" | "2.5.4.3" => "cn",
        "surname" | "2.5.4.4" => "sn",
        "countryname" | "2.5.4.6" => "c",
        "localityname" | "2.5.4.7" => "l",
        "stateorprovincename" | "2.5.4.8" => "st",
        "streetaddress" | "2.5.4.9" => "street",
        "organizationname" | "2.5.4.10" => "o",
        "organizationalunitname" | "2.5.4.11" => "ou",
        "userid" | "0.9.2342.19200300.100.1.1" => "uid",
        "domaincomponent" | "0.9.2342.19200300.100.1.25" => "dc",
        other => other,
    }
    .to_owned())
}

/// A value's key, the separator that ended it, and the rest.
fn parse_value(text: &str) -> Result<(String, Option<char>, &str), DnError> {
    if let Some(hex) = text.strip_prefix('#') {
        let end = hex.find([',', '+']).unwrap_or(hex.len());
        let (digits, rest) = hex.split_at(end);
        let bytes = hex_bytes(digits.trim_end_matches(' ')).filter(|b| !b.is_empty()).ok_or(DnError::Hex)?;
        let (separator, rest) = split_first(rest);
        return Ok((ber_value(&bytes), separator, rest));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            ',' | '+' => return Ok((key_of(&bytes), Some(c), text.get(at + 1..).unwrap_or(""))),
            '\\' => {
                let (_, escaped) = chars.next().ok_or(DnError::Escape)?;
                match escaped {
                    ' ' | '"' | '#' | '+' | ',' | ';' | '<' | '=' | '>' | '\\' => bytes.push(escaped as u8),
                    high => {
                        let (_, low) = chars.next().ok_or(DnError::Escape)?;
                        let pair = high.to_digit(16).zip(low.to_digit(16)).ok_or(DnError::Escape)?;
                        bytes.push((pair.0 * 16 + pair.1) as u8);
                    }
                }
            }
            '"' | ';' | '<' | '>' | '\0' => return Err(DnError::Bare),
            other => bytes.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Ok((key_of(&bytes), None, ""))
}

fn split_first(text: &str) -> (Option<char>, &str) {
    let mut chars = text.chars();
    (chars.next(), chars.as_str())
}

fn hex_bytes(digits: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> = digits.chars().map(|c| c.to_digit(16)).collect::<Option<_>>()?;
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    Some(digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte * 16 + digit) as u8).collect())
}

/// A value in hexadecimal form is a BER encoding; a short string in it equals the same string in text.
fn ber_value(bytes: &[u8]) -> String {
    match bytes {
        [4 | 12 | 19 | 22, length, value @ ..] if usize::from(*length) == value.len() && *length < 128 => key_of(value),
        other => binary_key(other),
    }
}

fn key_of(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => prepare(text),
        Err(_) => binary_key(bytes),
    }
}

fn binary_key(bytes: &[u8]) -> String {
    let mut key = String::with_capacity(1 + 2 * bytes.len());
    key.push(BINARY);
    key.extend(bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(|d| char::from_digit(d.into(), 16)));
    key
}

/// Prepares a value as caseIgnoreMatch does (RFC 4518): compatibility form, folded case, invisible
/// characters removed, runs of blanks as one, none at the ends.
fn prepare(text: &str) -> String {
    let folded = if text.is_ascii() { text.to_ascii_lowercase() } else { fold(text) };
    let mut prepared = String::with_capacity(folded.len());
    let mut blank = false;
    for c in folded.chars() {
        if c.is_whitespace() {
            blank = !prepared.is_empty();
        } else if !c.is_control() {
            if blank {
                prepared.push(' ');
                blank = false;
            }
            prepared.push(c);
        }
    }
    prepared
}

fn fold(text: &str) -> String {
    let visible = |c: &char| {
        let removed = ['\u{ad}', '\u{34f}', '\u{2060}', '\u{feff}', '\u{fffc}'];
        !removed.contains(c) && !('\u{200b}'..='\u{200f}').contains(c) && !('\u{fe00}'..='\u{fe0f}').contains(c)
    };
    let normal: String = text.nfkc().filter(visible).collect();
    caseless::default_case_fold_str(&normal).nfkc().collect()
}

/// A value escaped so that it can stand in a distinguished name (RFC 4514 §2.4).
pub fn escape(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 8);
    let last = value.chars().count().saturating_sub(1);
    for (at, c) in value.chars().enumerate() {
        match c {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' | '=' => out.extend(['\\', c]),
            '#' if at == 0 => out.push_str("\\#"),
            ' ' if at == 0 || at == last => out.push_str("\\ "),
            '\0' => out.push_str("\\00"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn dn(text: &str) -> Dn {
        Dn::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn spellings_of_one_name_are_equal() {
        for (left, right) in [
            ("CN=Ann,DC=Example,DC=com", "cn=ann,dc=example,dc=COM"),
            ("cn=Ann, ou=People , dc=x", "cn=Ann,ou=People,dc=x"),
            ("cn=Lee\\, Ann,dc=x", "cn=Lee\\2C Ann,dc=x"),
            ("cn=Lee\\, Ann,dc=x", "cn=LEE\\2c  ANN,dc=x"),
            ("cn=\\E5\\B1\\B1,dc=x", "cn=山,dc=x"),
            ("cn=Andr\u{e9},dc=x", "cn=Andre\u{301},dc=x"),
            ("cn=Stra\u{df}e,dc=x", "cn=STRASSE,dc=x"),
            ("cn=a+uid=b,dc=x", "uid=b+cn=a,dc=x"),
            ("2.5.4.3=a,dc=x", "commonName=a,dc=x"),
            ("cn=#0403616263,dc=x", "cn=abc,dc=x"),
            ("cn=a\\20,dc=x", "cn=a,dc=x"),
            ("cn=\\#1,dc=x", "cn=\\231,dc=x"),
        ] {
            assert_eq!(dn(left), dn(right), "{left} | {right}");
        }
    }

    #[test]
    fn different_names_differ() {
        for (left, right) in [
            ("cn=a,dc=x", "cn=a,dc=y"),
            ("cn=a,dc=x", "uid=a,dc=x"),
            ("cn=a+uid=b,dc=x", "cn=a,uid=b,dc=x"),
            ("cn=a\\,dc=x", "cn=a,dc=x"),
            ("cn=a\\+uid\\=b,dc=x", "cn=a+uid=b,dc=x"),
            ("cn=\\#0403616263,dc=x", "cn=#0403616263,dc=x"),
            ("cn=\\ff,dc=x", "cn=ff,dc=x"),
            ("cn=ab,dc=x", "cn=a b,dc=x"),
        ] {
            assert_ne!(dn(left), dn(right), "{left} | {right}");
        }
    }

    #[test]
    fn malformed_names_are_refused() {
        for text in ["cn", "=a", "cn=a,,dc=x", "cn=a\\", "cn=a\\zz", "cn=#1", "cn=#", "cn=\"a\"", "c n=a", "cn=a;dc=x"]
        {
            assert!(Dn::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_long_name_is_refused_before_it_is_read() {
        let long = |bytes: usize| format!("cn={}", "\\ff".repeat(bytes / 3 - 1));
        assert_eq!(dn(&long(DN_BYTES)).depth(), 1);
        assert_eq!(Dn::parse(&long(DN_BYTES + 6)), Err(DnError::Long));
        assert_eq!(Dn::parse(&"ou=a,".repeat(1_000_000)), Err(DnError::Long));
    }

    #[test]
    fn below_is_by_whole_rdns() {
        let base = dn("ou=People,dc=example");
        assert!(dn("cn=a,OU=people,dc=EXAMPLE").is_within(&base));
        assert!(base.is_within(&base));
        assert!(!dn("cn=a,ou=more people,dc=example").is_within(&base));
        assert!(!dn("dc=example").is_within(&base));
        assert!(base.is_within(&dn("")));
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,40}") {
            let _ = Dn::parse(&text);
        }

        #[test]
        fn an_escaped_value_comes_back(value in "\\PC{1,20}", base in "[a-z]{1,8}") {
            let name = dn(&format!("cn={},dc={base}", escape(&value)));
            prop_assert_eq!(name.depth(), 2);
            let plain: String = value.bytes().map(|byte| format!("\\{byte:02x}")).collect();
            prop_assert_eq!(name, dn(&format!("CN={plain}, DC={base}")));
        }

        #[test]
        fn pairs_of_an_rdn_have_no_order(a in "\\PC{1,9}", b in "\\PC{1,9}") {
            let (a, b) = (escape(&a), escape(&b));
            prop_assert_eq!(dn(&format!("cn={a}+uid={b},o=x")), dn(&format!("uid={b}+cn={a},o=x")));
        }

        #[test]
        fn ascii_case_never_matters(value in "[ -~]{1,20}") {
            let name = |value: &str| dn(&format!("cn={}", escape(value)));
            prop_assert_eq!(name(&value.to_ascii_uppercase()), name(&value.to_ascii_lowercase()));
        }
    }
}
