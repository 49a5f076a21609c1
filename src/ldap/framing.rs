//! What comes over the line, looked at before anything decodes it.
//!
//! The crate that decodes messages calls itself for every level of a message and waits for whatever length is
//! announced. So a message reaches it only when it is whole, within the [`bounds`](super::bounds), and made of elements
//! that fit into each other. Nothing here recurses, and nothing is kept but the message itself.
use super::bounds::WireBounds;

/// What a server sent that is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Breach {
    /// Not a message of RFC 4511 §4.1.1 in the encoding of §5.1.
    #[error("the server sent something that is not LDAP")]
    Malformed,
    /// Too deep.
    #[error("the server sent a message with more than {0} levels")]
    Depth(usize),
    /// Too long, or announced to be.
    #[error("the server announced a message of {announced} bytes; {most} are taken at most")]
    MessageBytes {
        /// What it announced.
        announced: u64,
        /// The bound.
        most: u64,
    },
    /// Too many elements.
    #[error("the server sent a message of more than {0} parts")]
    MessageElements(usize),
    /// Too many values of an attribute, or too long a list of something else.
    #[error("the server sent a list of more than {0} values")]
    List(usize),
    /// Too much in all.
    #[error("the server sent more than {0} bytes")]
    Bytes(u64),
    /// Too much in all.
    #[error("the server sent more than {0} parts of messages")]
    Elements(u64),
}

/// Looks at the messages of one line.
#[derive(Debug)]
pub struct Inspector {
    bounds: WireBounds,
    bytes: u64,
    elements: u64,
}

impl Inspector {
    /// Nothing has come yet.
    pub fn new(bounds: WireBounds) -> Self {
        Self { bounds, bytes: 0, elements: 0 }
    }

    /// The length of the message at the beginning of `bytes`; `None` while it is not whole. Each message is to be shown
    /// once when it is whole.
    ///
    /// # Errors
    /// [`Breach`], as soon as it is known: a length that is too large is refused when it is announced.
    pub fn message(&mut self, bytes: &[u8]) -> Result<Option<usize>, Breach> {
        let Some(header) = Header::read(bytes)? else { return Ok(None) };
        if header.tag != SEQUENCE {
            return Err(Breach::Malformed);
        }
        if header.length > self.bounds.message_bytes {
            return Err(Breach::MessageBytes { announced: header.length, most: self.bounds.message_bytes });
        }
        let whole = header.length.saturating_add(header.bytes as u64);
        if self.bytes.saturating_add(whole) > self.bounds.bytes {
            return Err(Breach::Bytes(self.bounds.bytes));
        }
        let whole = usize::try_from(whole).map_err(|_| Breach::Malformed)?;
        let Some(content) = bytes.get(header.bytes..whole) else { return Ok(None) };
        self.elements += self.elements_of(content)? as u64;
        if self.elements > self.bounds.elements {
            return Err(Breach::Elements(self.bounds.elements));
        }
        self.bytes += whole as u64;
        Ok(Some(whole))
    }

    /// How many elements the content of a message has.
    fn elements_of(&self, content: &[u8]) -> Result<usize, Breach> {
        // The lists that are open: where each ends, and how many elements it has so far.
        let mut open = Vec::with_capacity(self.bounds.depth);
        open.push((content.len(), 0));
        let (mut at, mut elements) = (0, 1);
        loop {
            let level = open.len();
            let Some((end, seen)) = open.last_mut() else { break };
            if at == *end {
                if level == 1 && *seen < 2 {
                    return Err(Breach::Malformed);
                }
                open.pop();
                continue;
            }
            *seen += 1;
            elements += 1;
            if *seen > self.bounds.list {
                return Err(Breach::List(self.bounds.list));
            }
            if elements > self.bounds.message_elements {
                return Err(Breach::MessageElements(self.bounds.message_elements));
            }
            let header = content.get(at..*end).map(Header::read).transpose()?.flatten().ok_or(Breach::Malformed)?;
            if level == 1 && !header.stands_in_a_message(*seen) {
                return Err(Breach::Malformed);
            }
            at += header.bytes;
            let length = usize::try_from(header.length).map_err(|_| Breach::Malformed)?;
            let after = at.checked_add(length).filter(|after| after <= end).ok_or(Breach::Malformed)?;
            if header.is_list() {
                if level == self.bounds.depth {
                    return Err(Breach::Depth(self.bounds.depth));
                }
                open.push((after, 0));
            } else {
                at = after;
            }
        }
        Ok(elements)
    }
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;

/// The beginning of an element.
struct Header {
    tag: u8,
    /// Of the header itself.
    bytes: usize,
    /// Of what follows it.
    length: u64,
}

impl Header {
    /// Reads it; `None` when there is not enough. LDAP has no tags of several bytes and no lengths that are left open
    /// (RFC 4511 §5.1); leading zeros of a length are common.
    fn read(bytes: &[u8]) -> Result<Option<Self>, Breach> {
        const SEVERAL_BYTES: u8 = 0x1f;
        let Some((tag, rest)) = bytes.split_first() else { return Ok(None) };
        if tag & SEVERAL_BYTES == SEVERAL_BYTES {
            return Err(Breach::Malformed);
        }
        let Some((first, rest)) = rest.split_first() else { return Ok(None) };
        match first {
            0..=0x7f => Ok(Some(Self { tag: *tag, bytes: 2, length: u64::from(*first) })),
            0x81..=0x88 => {
                let count = usize::from(first & 0x7f);
                let Some(digits) = rest.get(..count) else { return Ok(None) };
                let length = digits.iter().fold(0, |length, digit| length << 8 | u64::from(*digit));
                Ok(Some(Self { tag: *tag, bytes: 2 + count, length }))
            }
            _ => Err(Breach::Malformed),
        }
    }

    fn is_list(&self) -> bool {
        self.tag & 0x20 != 0
    }

    /// Whether it can be this one of the elements of a message: its number, what a server answers, and controls. Active
    /// Directory puts the name of a notice of disconnection where controls belong.
    fn stands_in_a_message(&self, nth: usize) -> bool {
        // Of a bind, an entry, the end of a search, a comparison, a reference, an extended and an intermediate answer.
        const ANSWERS: [u8; 7] = [0x61, 0x64, 0x65, 0x6f, 0x73, 0x78, 0x79];
        match nth {
            1 => self.tag == INTEGER && (1..=4).contains(&self.length),
            2 => ANSWERS.contains(&self.tag),
            3 => matches!(self.tag, 0xa0 | 0x8a),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ldap::bounds::WIRE;
    use proptest::prelude::*;

    /// An element with a length of as many bytes as it needs.
    fn element(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = content.len() as u64;
        let mut bytes = vec![tag];
        if length < 128 {
            bytes.push(length as u8);
        } else {
            bytes.push(0x88);
            bytes.extend(length.to_be_bytes());
        }
        bytes.extend(content);
        bytes
    }

    fn message(answer: &[u8]) -> Vec<u8> {
        element(SEQUENCE, &[&[INTEGER, 1, 1], answer].concat())
    }

    /// Lists inside each other, `levels` of them.
    fn nested(levels: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        for _ in 0..levels {
            bytes = element(SEQUENCE, &bytes);
        }
        bytes
    }

    fn see(bytes: &[u8]) -> Result<Option<usize>, Breach> {
        Inspector::new(WIRE).message(bytes)
    }

    #[test]
    fn a_message_is_shown_when_it_is_whole() {
        let whole = message(&element(0x65, &[0x0a, 1, 0, 4, 0, 4, 0]));
        for end in 0..whole.len() {
            assert_eq!(see(&whole[..end]), Ok(None), "{end}");
        }
        assert_eq!(see(&whole), Ok(Some(whole.len())));
        assert_eq!(see(&[whole.as_slice(), &whole].concat()), Ok(Some(whole.len())));
        // The long form that Active Directory always uses.
        assert_eq!(see(&[0x30, 0x84, 0, 0, 0, 7, 2, 1, 1, 0x65, 0x82, 0, 0]), Ok(Some(13)));
    }

    /// Every message that a client can be sent, at the bound and one beyond it, and far beyond it.
    #[test]
    fn depth_is_bounded_in_every_message() {
        for answer in [0x61, 0x64, 0x65, 0x73, 0x78, 0x79] {
            let deep = |levels| message(&element(answer, &nested(levels)));
            assert!(see(&deep(WIRE.depth - 2)).is_ok(), "{answer:x}");
            assert_eq!(see(&deep(WIRE.depth - 1)), Err(Breach::Depth(WIRE.depth)), "{answer:x}");
            assert_eq!(see(&deep(20_000)), Err(Breach::Depth(WIRE.depth)), "{answer:x}");
        }
        let done = element(0x65, &[0x0a, 1, 0, 4, 0, 4, 0]);
        let controls = [done, element(0xa0, &nested(20_000))].concat();
        assert_eq!(see(&message(&controls)), Err(Breach::Depth(WIRE.depth)));
    }

    #[test]
    fn a_length_is_refused_when_it_is_announced() {
        let announced = WIRE.message_bytes + 1;
        let [.., a, b, c, d] = announced.to_be_bytes();
        let most = WIRE.message_bytes;
        assert_eq!(see(&[0x30, 0x84, a, b, c, d]), Err(Breach::MessageBytes { announced, most }));
        assert_eq!(
            see(&[&[0x30, 0x88][..], &[0xff; 8]].concat()),
            Err(Breach::MessageBytes { announced: u64::MAX, most })
        );
        let [.., a, b, c, d] = WIRE.message_bytes.to_be_bytes();
        assert_eq!(see(&[0x30, 0x84, a, b, c, d]), Ok(None));
    }

    #[test]
    fn each_other_bound_holds() {
        let small =
            WireBounds { depth: 8, message_bytes: 200, message_elements: 12, list: 8, bytes: 300, elements: 30 };
        let entry = |values: usize| message(&element(0x64, &vec![[4, 0]; values].concat()));
        let see = |bytes: &[u8]| Inspector::new(small).message(bytes);
        assert!(see(&entry(8)).is_ok());
        assert_eq!(see(&entry(9)), Err(Breach::List(8)));
        let lists = message(&element(0x64, &[[0x30, 2, 4, 0]; 5].concat()));
        assert_eq!(see(&lists), Err(Breach::MessageElements(12)));

        let mut line = Inspector::new(small);
        let wide = message(&element(0x64, &element(4, &[0; 100])));
        assert_eq!((line.message(&wide), line.message(&wide)), (Ok(Some(wide.len())), Ok(Some(wide.len()))));
        assert_eq!(line.message(&wide), Err(Breach::Bytes(300)));
        let mut line = Inspector::new(small);
        let narrow = entry(8);
        assert_eq!((line.message(&narrow), line.message(&narrow)), (Ok(Some(narrow.len())), Ok(Some(narrow.len()))));
        assert_eq!(line.message(&narrow), Err(Breach::Elements(30)));
    }

    #[test]
    fn what_is_not_ldap_is_refused() {
        let done = element(0x65, &[0x0a, 1, 0, 4, 0, 4, 0]);
        for bytes in [
            b"HTTP/1.1 400 Bad Request\r\n".to_vec(),
            element(0x31, &[2, 1, 1, 0x65, 0]),
            element(SEQUENCE, &[]),
            element(SEQUENCE, &[2, 1, 1]),
            element(SEQUENCE, &[4, 1, 1, 0x65, 0]),
            element(SEQUENCE, &[2, 5, 1, 1, 1, 1, 1, 0x65, 0]),
            element(SEQUENCE, &[2, 1, 1, 0x63, 0]),
            element(SEQUENCE, &[2, 1, 1, 4, 0]),
            message(&[done.as_slice(), &[4, 0]].concat()),
            message(&element(0x65, &[4, 9])),
            message(&element(0x65, &[0x1f, 1, 0])),
            message(&element(0x65, &[0x30, 0x80, 0, 0])),
            vec![0x30, 0x80, 2, 1, 1],
        ] {
            assert_eq!(see(&bytes), Err(Breach::Malformed), "{bytes:x?}");
        }
    }

    proptest! {
        #[test]
        fn noise_never_panics(noise in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = see(&noise);
            let _ = see(&message(&noise));
            let _ = see(&message(&element(0x64, &noise)));
        }
    }
}
