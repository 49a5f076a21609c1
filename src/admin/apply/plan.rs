//! What applying a declaration does, in lines a person can read.
use std::fmt;

/// What a declaration does to the store, and what the store has besides.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Plan {
    /// What changes, in the order in which it is done.
    pub changes: Vec<Change>,
    /// What is in the store at the partners that the declaration names, and not in the declaration, by
    /// kind. It stays.
    pub beside: Vec<Beside>,
}

/// One thing that changes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// What happens to it.
    pub verb: Verb,
    /// What it is and, where it becomes different, what was and what will be: `partner harbor: “A” → “B”`.
    pub what: String,
}

/// What happens to a thing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verb {
    /// It comes to be.
    Create,
    /// It is there and becomes different.
    Change,
    /// It goes.
    Remove,
}

/// One thing that the declaration does not name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Beside {
    /// What kind of thing, in the plural: `grants`.
    pub kind: &'static str,
    /// What it is.
    pub what: String,
}

impl Plan {
    pub(super) fn created(&mut self, what: String) {
        self.changes.push(Change { verb: Verb::Create, what });
    }

    pub(super) fn changed(&mut self, what: String) {
        self.changes.push(Change { verb: Verb::Change, what });
    }

    pub(super) fn removed(&mut self, what: String) {
        self.changes.push(Change { verb: Verb::Remove, what });
    }

    pub(super) fn beside(&mut self, kind: &'static str, what: String) {
        self.beside.push(Beside { kind, what });
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.verb {
            Verb::Create => '+',
            Verb::Change => '~',
            Verb::Remove => '-',
        };
        write!(f, "{sign} {}", self.what)
    }
}
