//! One process owns a SQLite file: an advisory lock on the file itself, given back by the kernel when the process ends.
//! Whatever is removed beside it, a second process meets the lock; whoever removes the file itself removes what it guards.
//!
//! The lock is one of the open file (flock), not one of the process (fcntl), which SQLite itself takes: the two do not
//! meet. But closing any handle of a file drops the process's own locks of the second kind, so a file that this process
//! has open already is refused before it is opened again.
use std::collections::HashSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::OpenError;

/// Device and number of a file.
type Identity = (u64, u64);

/// The files that this process owns.
static OWNED: Mutex<Option<HashSet<Identity>>> = Mutex::new(None);

/// Holds the lock until dropped.
#[derive(Debug)]
pub(crate) struct OwnerLock {
    // Dropped, and with it unlocked, after the file is no longer ours.
    file: File,
    identity: Identity,
}

impl OwnerLock {
    /// Takes the lock of a database, which is made when there is none, for its owner's eyes only.
    pub(crate) fn take(database: &Path) -> Result<Self, OpenError> {
        let failed = |error| OpenError(format!("cannot open {}: {error}", database.display()));
        let mut owned = owned();
        let known = std::fs::metadata(database).ok().map(|file| (file.dev(), file.ino()));
        if known.is_some_and(|known| owned.as_ref().is_some_and(|owned| owned.contains(&known))) {
            return Err(in_use(database, Some(std::process::id().to_string())));
        }
        let mut open = OpenOptions::new();
        let file =
            open.create(true).truncate(false).read(true).write(true).mode(0o600).open(database).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(in_use(database, std::fs::read_to_string(note(database)).ok()));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let now = file.metadata().map_err(failed)?;
        let identity = (now.dev(), now.ino());
        owned.get_or_insert_default().insert(identity);
        // Only for the sentence that refuses others.
        let _unknown = std::fs::write(note(database), std::process::id().to_string());
        Ok(Self { file, identity })
    }
}

impl Drop for OwnerLock {
    fn drop(&mut self) {
        let mut owned = owned();
        if let Some(owned) = owned.as_mut() {
            owned.remove(&self.identity);
        }
        let _closing = self.file.unlock();
    }
}

fn owned() -> MutexGuard<'static, Option<HashSet<Identity>>> {
    OWNED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where the owner's number stands.
fn note(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(".lock");
    path.into()
}

fn in_use(database: &Path, owner: Option<String>) -> OpenError {
    let owner = owner.filter(|owner| !owner.trim().is_empty()).unwrap_or_else(|| "unknown".to_owned());
    OpenError(format!(
        "the database {} is in use by another process (number {}); stop it first, or work through it",
        database.display(),
        owner.trim()
    ))
}
