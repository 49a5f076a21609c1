//! Which texts that are put together at run time a connection keeps prepared. Clients decide how many of them there are,
//! and a prepared one takes about twenty times its length, on SQLite as in a server process of PostgreSQL. So one is kept
//! when it comes a second time, and when as much is kept as may be, all are forgotten and those that come again are kept.
use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher as _, RandomState};

/// The most bytes of texts that a connection which reads keeps.
pub(crate) const MOST_READING: usize = 64 * 1024;

/// The most bytes of texts that SQLite's writer keeps: the same creations come again and again.
pub(crate) const MOST_WRITING: usize = 512 * 1024;

/// How many texts that came once are remembered, by a number each.
const MOST_SEEN: usize = 256;

/// What is to be done about a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Keep {
    /// It is prepared for this once.
    No,
    /// It is kept.
    Yes,
    /// It is kept, after everything that the connection keeps was forgotten.
    Anew,
}

/// What one connection keeps.
#[derive(Debug)]
pub(crate) struct StatementCache {
    most: usize,
    bytes: usize,
    texts: HashSet<u64>,
    seen: VecDeque<u64>,
    numbers: RandomState,
}

impl StatementCache {
    pub(crate) fn new(most: usize) -> Self {
        let numbers = RandomState::new();
        Self { most, bytes: 0, texts: HashSet::new(), seen: VecDeque::new(), numbers }
    }

    /// What is to be done about `text`, which is about to be prepared.
    pub(crate) fn keep(&mut self, text: &str) -> Keep {
        let number = self.numbers.hash_one(text);
        if self.texts.contains(&number) {
            return Keep::Yes;
        }
        if text.len() > self.most / 4 {
            return Keep::No;
        }
        let Some(at) = self.seen.iter().position(|seen| *seen == number) else {
            self.seen.push_back(number);
            if self.seen.len() > MOST_SEEN {
                self.seen.pop_front();
            }
            return Keep::No;
        };
        self.seen.remove(at);
        let full = self.bytes + text.len() > self.most;
        if full {
            self.texts.clear();
            self.bytes = 0;
        }
        self.texts.insert(number);
        self.bytes += text.len();
        if full { Keep::Anew } else { Keep::Yes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_once_is_not_kept() {
        let mut kept = StatementCache::new(1_000);
        assert_eq!(
            ["a", "b", "a", "a", "b"].map(|text| kept.keep(text)),
            [Keep::No, Keep::No, Keep::Yes, Keep::Yes, Keep::Yes]
        );
        let long = "x".repeat(251);
        assert_eq!([kept.keep(&long), kept.keep(&long)], [Keep::No, Keep::No]);
    }

    #[test]
    fn never_more_is_kept_than_may_be() {
        let mut kept = StatementCache::new(1_000);
        let (mut bytes, mut anew) = (0, 0);
        for number in 0..5_000 {
            let text = format!("{number:0>200}");
            assert_eq!(kept.keep(&text), Keep::No);
            match kept.keep(&text) {
                Keep::No => panic!("it came twice"),
                Keep::Yes => bytes += text.len(),
                Keep::Anew => (bytes, anew) = (text.len(), anew + 1),
            }
            assert!(bytes <= 1_000 && kept.bytes == bytes && kept.texts.len() * 200 == bytes);
            assert!(kept.seen.len() <= MOST_SEEN);
        }
        assert_eq!(anew, 999);
    }

    #[test]
    fn who_came_long_ago_comes_for_the_first_time() {
        let mut kept = StatementCache::new(1_000_000);
        for number in 0..=MOST_SEEN {
            kept.keep(&number.to_string());
        }
        assert_eq!(kept.keep("0"), Keep::No);
        assert_eq!(kept.keep(&MOST_SEEN.to_string()), Keep::Yes);
    }
}
