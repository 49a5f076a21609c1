//! What a store has noticed about its database while it worked: readiness and `doctor` tell it.
use std::sync::atomic::{AtomicBool, Ordering};

use crate::StoreError;

/// What was noticed since the store was opened.
#[derive(Debug, Default)]
pub(crate) struct State {
    damaged: AtomicBool,
    refuses_writes: AtomicBool,
}

impl State {
    /// Takes note of what an error says about the database; most say nothing.
    pub(crate) fn noticed(&self, error: Option<&StoreError>) {
        match error {
            Some(StoreError::Damaged) => self.damaged.store(true, Ordering::Relaxed),
            Some(StoreError::Full | StoreError::ReadOnly | StoreError::Lost) => {
                self.refuses_writes.store(true, Ordering::Relaxed);
            }
            Some(_) | None => {}
        }
    }

    /// A write that needed room has become durable. A small one says nothing: it may fit where the next does not.
    pub(crate) fn has_room(&self) {
        self.refuses_writes.store(false, Ordering::Relaxed);
    }

    /// Whether damage was met. It stays: what a damaged file answers elsewhere says nothing about it.
    pub(crate) fn damaged(&self) -> bool {
        self.damaged.load(Ordering::Relaxed)
    }

    /// Whether the database itself has refused a write, and since then none that needs room has gone well.
    pub(crate) fn refuses_writes(&self) -> bool {
        self.refuses_writes.load(Ordering::Relaxed)
    }
}
