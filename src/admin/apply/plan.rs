//! What applying a declaration does, in lines a user can read.
use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::secret::sha256;

/// What a declaration does to the store, and what the store has besides.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ApplyPlan {
    /// What changes, in the order in which it is done.
    pub changes: Vec<ApplyChange>,
    /// What is in the store at the partners that the declaration names, and not in the declaration, by
    /// kind. It stays.
    pub beside: Vec<Undeclared>,
    /// Whether the declaration calls something by a name that it does not yet go by here. Noting that changes nothing
    /// anybody could ask for: it keeps the name meaning the same thing.
    #[serde(default)]
    pub names: bool,
}

/// One thing that changes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ApplyChange {
    /// What happens to it.
    pub verb: ApplyAction,
    /// What it is and, where it becomes different, what was and what will be: `partner harbor: “A” → “B”`.
    pub what: String,
}

/// What happens to a thing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApplyAction {
    /// It comes to be.
    Create,
    /// It is there and becomes different.
    Change,
    /// It goes.
    Remove,
}

/// One thing that the declaration does not name.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Undeclared {
    /// What kind of thing, in the plural: `grants`.
    pub kind: Cow<'static, str>,
    /// What it is.
    pub what: String,
}

impl ApplyPlan {
    /// Tells whether another plan changes the same.
    pub fn hash(&self) -> String {
        let lines: Vec<String> = self.changes.iter().map(ApplyChange::to_string).collect();
        sha256(lines.join("\n").as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(super) fn created(&mut self, what: String) {
        self.changes.push(ApplyChange { verb: ApplyAction::Create, what });
    }

    pub(super) fn changed(&mut self, what: String) {
        self.changes.push(ApplyChange { verb: ApplyAction::Change, what });
    }

    pub(super) fn removed(&mut self, what: String) {
        self.changes.push(ApplyChange { verb: ApplyAction::Remove, what });
    }

    pub(super) fn beside(&mut self, kind: &'static str, what: String) {
        self.beside.push(Undeclared { kind: kind.into(), what });
    }
}

impl fmt::Display for ApplyChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.verb {
            ApplyAction::Create => '+',
            ApplyAction::Change => '~',
            ApplyAction::Remove => '-',
        };
        write!(f, "{sign} {}", self.what)
    }
}
