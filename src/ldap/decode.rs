//! What a server answers, decoded without trusting it: a malformed answer is an error, never a panic.
use std::collections::HashSet;
use std::sync::Arc;

use ldap3::ResultEntry;
use ldap3::asn1::{PL, StructureTag};

/// One entry with the attributes that were asked for. Names keep the server's spelling.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LdapEntry {
    /// The distinguished name as the server writes it.
    pub dn: String,
    attributes: Vec<(Arc<str>, Vec<Vec<u8>>)>,
}

/// Names of attributes that entries share: all of them have the same ones.
#[derive(Default)]
pub(super) struct AttributeNames(HashSet<Arc<str>>);

/// Different names that are shared at most. Servers send those that were asked for.
const MOST_SHARED: usize = 256;

impl LdapEntry {
    /// An entry with these attributes.
    pub fn new(dn: impl Into<String>, attributes: Vec<(String, Vec<Vec<u8>>)>) -> Self {
        let attributes = attributes.into_iter().map(|(name, values)| (name.into(), values)).collect();
        Self { dn: dn.into(), attributes }
    }

    /// Takes no more memory than it needs from here on: a whole directory is held until it is compared.
    pub(super) fn settle(&mut self, names: &mut AttributeNames) {
        self.dn.shrink_to_fit();
        self.attributes.shrink_to_fit();
        for (name, values) in &mut self.attributes {
            values.shrink_to_fit();
            match names.0.get(name) {
                Some(known) => *name = Arc::clone(known),
                None if names.0.len() < MOST_SHARED => drop(names.0.insert(Arc::clone(name))),
                None => {}
            }
        }
    }

    /// All values of an attribute; its name is compared without case. Empty when it is absent.
    pub fn values(&self, name: &str) -> &[Vec<u8>] {
        self.attributes
            .iter()
            .find(|(attribute, values)| attribute.eq_ignore_ascii_case(name) && !values.is_empty())
            .map_or(&[], |(_, values)| values.as_slice())
    }

    /// The first value that is text and not blank, as it is.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.texts(name).next()
    }

    /// Every value that is text and not blank, as it is. Text with U+0000 in it is no text.
    pub fn texts<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        let values = self.values(name).iter().filter_map(|value| std::str::from_utf8(value).ok());
        values.filter(|text| !text.trim().is_empty() && !text.contains('\0'))
    }

    /// Whether a part of a long attribute came under its name with a range (MS-ADTS 3.1.1.3.1.3.3).
    pub(super) fn has_range(&self, name: &str) -> bool {
        self.ranges(name).next().is_some()
    }

    /// Of the only part of an attribute that came with a range and begins at `from`: the first index that is still
    /// missing, or that the rest is here. `None` when the range cannot be read, begins elsewhere, is one of several or
    /// does not have as many values as it says.
    pub(super) fn range_from(&self, name: &str, from: u64) -> Option<Option<u64>> {
        let mut ranges = self.ranges(name);
        let ((range, values), None) = (ranges.next()?, ranges.next()) else { return None };
        let (first, last) = range.split_once('-')?;
        if first.parse::<u64>().ok()? != from {
            return None;
        }
        if last == "*" {
            return Some(None);
        }
        let next = last.parse::<u64>().ok()?.checked_add(1)?;
        (next.checked_sub(from)? == values.len() as u64 && next > from).then_some(Some(next))
    }

    /// The ranges in which an attribute came, each with its values.
    fn ranges<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, &'a [Vec<u8>])> {
        self.attributes.iter().filter_map(move |(attribute, values)| {
            let (base, range) = attribute.split_once(';')?;
            let range = strip_prefix_ignore_case(range, "range=")?;
            base.eq_ignore_ascii_case(name).then_some((range, values.as_slice()))
        })
    }

    /// Takes the values of an attribute out, in whatever ranges they came.
    pub(super) fn take_ranged(&mut self, name: &str) -> Vec<Vec<u8>> {
        let mut taken = Vec::new();
        self.attributes.retain_mut(|(attribute, values)| {
            let base = attribute.split_once(';').map_or(&**attribute, |(base, _)| base);
            let ours = base.eq_ignore_ascii_case(name);
            if ours {
                taken.append(values);
            }
            !ours
        });
        taken
    }

    /// Adds an attribute.
    pub(super) fn put(&mut self, name: &str, values: Vec<Vec<u8>>) {
        self.attributes.push((name.into(), values));
    }
}

fn strip_prefix_ignore_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| text.get(prefix.len()..)).flatten()
}

/// One message of a search before its end.
pub enum SearchMessage {
    /// An entry.
    Entry(LdapEntry),
    /// A part of the tree is kept elsewhere (RFC 4511 §4.5.3); the addresses.
    Reference(Vec<String>),
    /// Something else, without entries.
    Other,
}

/// The server sent something that is not LDAP.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the server sent a malformed answer")]
pub struct Malformed;

const ENTRY: u64 = 4;
const REFERENCE: u64 = 19;

/// Decodes one message of a search.
pub fn decode(message: ResultEntry) -> Result<SearchMessage, Malformed> {
    match message.0.id {
        ENTRY => entry(message.0).map(SearchMessage::Entry),
        REFERENCE => {
            let urls = constructed(message.0)?.into_iter().map(text).collect::<Result<_, _>>()?;
            Ok(SearchMessage::Reference(urls))
        }
        _ => Ok(SearchMessage::Other),
    }
}

fn entry(tag: StructureTag) -> Result<LdapEntry, Malformed> {
    let mut parts = constructed(tag)?.into_iter();
    let dn = text(parts.next().ok_or(Malformed)?)?;
    let list = constructed(parts.next().ok_or(Malformed)?)?;
    let mut attributes = Vec::with_capacity(list.len());
    for attribute in list {
        let mut parts = constructed(attribute)?.into_iter();
        let name = text(parts.next().ok_or(Malformed)?)?;
        let values = constructed(parts.next().ok_or(Malformed)?)?;
        attributes.push((name.into(), values.into_iter().map(primitive).collect::<Result<_, _>>()?));
    }
    Ok(LdapEntry { dn, attributes })
}

fn constructed(tag: StructureTag) -> Result<Vec<StructureTag>, Malformed> {
    match tag.payload {
        PL::C(parts) => Ok(parts),
        // An empty sequence has no content by which to tell.
        PL::P(bytes) if bytes.is_empty() => Ok(Vec::new()),
        PL::P(_) => Err(Malformed),
    }
}

fn primitive(tag: StructureTag) -> Result<Vec<u8>, Malformed> {
    match tag.payload {
        PL::P(bytes) => Ok(bytes),
        PL::C(_) => Err(Malformed),
    }
}

fn text(tag: StructureTag) -> Result<String, Malformed> {
    String::from_utf8(primitive(tag)?).map_err(|_| Malformed)
}

/// The cookie of a paged-results answer (RFC 2696 §2): `SEQUENCE { INTEGER, OCTET STRING }`.
pub fn paging_cookie(control: &[u8]) -> Result<Vec<u8>, Malformed> {
    let (sequence, _) = element(control, 0x30)?;
    let (_, rest) = element(sequence, 0x02)?;
    let (cookie, _) = element(rest, 0x04)?;
    Ok(cookie.to_vec())
}

/// The code and the text of an extended result (RFC 4511 §4.12), from a whole message.
pub fn extended_result(message: &[u8]) -> Result<(u32, String), Malformed> {
    let (message, _) = element(message, 0x30)?;
    let (_, rest) = element(message, 0x02)?;
    let (result, _) = element(rest, 0x78)?;
    let (code, rest) = element(result, 0x0a)?;
    let (_, rest) = element(rest, 0x04)?;
    let (text, _) = element(rest, 0x04)?;
    if code.len() > 4 {
        return Err(Malformed);
    }
    let code = code.iter().fold(0, |code, byte| code << 8 | u32::from(*byte));
    Ok((code, String::from_utf8_lossy(text).into_owned()))
}

/// The content of one BER element of the expected type, and what follows it.
fn element(bytes: &[u8], expected: u8) -> Result<(&[u8], &[u8]), Malformed> {
    let [tag, length, rest @ ..] = bytes else { return Err(Malformed) };
    if *tag != expected {
        return Err(Malformed);
    }
    let (length, rest) = match *length {
        short @ 0..=0x7f => (usize::from(short), rest),
        long @ 0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(long & 0x7f)).ok_or(Malformed)?;
            (digits.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return Err(Malformed),
    };
    rest.split_at_checked(length).ok_or(Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ldap3::asn1::TagClass;
    use proptest::prelude::*;

    fn tag(id: u64, payload: PL) -> StructureTag {
        StructureTag { class: TagClass::Universal, id, payload }
    }

    fn bytes(value: &[u8]) -> StructureTag {
        tag(4, PL::P(value.to_vec()))
    }

    #[test]
    fn binary_and_text_values_are_both_bytes() {
        let attribute =
            tag(16, PL::C(vec![bytes(b"objectGUID"), tag(17, PL::C(vec![bytes(&[0xff, 0]), bytes(b"abc")]))]));
        let raw = tag(ENTRY, PL::C(vec![bytes(b"cn=a"), tag(16, PL::C(vec![attribute]))]));
        let Ok(entry) = entry(raw) else { panic!("an entry") };
        assert_eq!(entry.values("objectguid"), [vec![0xff, 0], b"abc".to_vec()]);
        assert_eq!(entry.text("objectGUID"), Some("abc"));
        assert_eq!(entry.values("cn"), Vec::<Vec<u8>>::new().as_slice());
    }

    #[test]
    fn a_malformed_entry_is_an_error() {
        for raw in [
            tag(ENTRY, PL::P(b"x".to_vec())),
            tag(ENTRY, PL::C(vec![])),
            tag(ENTRY, PL::C(vec![bytes(&[0xff])])),
            tag(ENTRY, PL::C(vec![bytes(b"cn=a"), tag(16, PL::C(vec![bytes(b"x")]))])),
        ] {
            assert_eq!(entry(raw), Err(Malformed));
        }
    }

    #[test]
    fn ranges_are_seen_and_collected() {
        let values = |range: std::ops::Range<u8>| range.map(|n| vec![n]).collect::<Vec<_>>();
        let mut entry =
            LdapEntry::new("cn=g", vec![("member".into(), vec![]), ("member;range=0-2".into(), values(0..3))]);
        assert_eq!((entry.has_range("Member"), entry.range_from("Member", 0)), (true, Some(Some(3))));
        assert_eq!(entry.range_from("member", 3), None, "it begins elsewhere");
        assert_eq!(entry.take_ranged("member"), values(0..3));
        let last = LdapEntry::new("cn=g", vec![("member;Range=3-*".into(), values(3..5))]);
        assert_eq!(last.range_from("member", 3), Some(None));
        assert!(!LdapEntry::new("cn=g", vec![("member".into(), values(0..1))]).has_range("member"));
        for broken in ["0-", "-1", "0-x", "x-*", "0", "0-1", "0-3", "1-0", "0-18446744073709551615", "00x-*"] {
            let entry = LdapEntry::new("cn=g", vec![(format!("member;range={broken}"), values(0..3))]);
            assert!(entry.has_range("member"));
            assert_eq!(entry.range_from("member", 0), None, "{broken}");
        }
        let twice = vec![("member;range=0-2".to_owned(), values(0..3)), ("member;range=0-*".to_owned(), values(0..3))];
        assert_eq!(LdapEntry::new("cn=g", twice).range_from("member", 0), None);
    }

    #[test]
    fn cookies_are_read() {
        assert_eq!(paging_cookie(&[0x30, 5, 2, 1, 0, 4, 0]), Ok(vec![]));
        assert_eq!(paging_cookie(&[0x30, 8, 2, 1, 0, 4, 3, 1, 2, 3]), Ok(vec![1, 2, 3]));
        assert_eq!(paging_cookie(&[0x30, 0x81, 8, 2, 1, 0, 4, 3, 1, 2, 3]), Ok(vec![1, 2, 3]));
    }

    #[test]
    fn extended_results_are_read() {
        let refused = b"\x30\x10\x02\x01\x01\x78\x0b\x0a\x01\x34\x04\x00\x04\x04full";
        assert_eq!(extended_result(refused), Ok((52, "full".to_owned())));
        assert_eq!(extended_result(&refused[..12]), Err(Malformed));
    }

    proptest! {
        #[test]
        fn a_cookie_of_noise_never_panics(noise in proptest::collection::vec(any::<u8>(), 0..24)) {
            let _ = paging_cookie(&noise);
            let _ = extended_result(&noise);
        }
    }
}
