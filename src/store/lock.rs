//! One process owns a SQLite file: an advisory lock on `<file>.lock`, given back by the kernel when the process ends.
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::Path;

use super::OpenError;

/// Holds the lock until dropped.
#[derive(Debug)]
pub(super) struct OwnerLock(#[allow(dead_code, reason = "open as long as the store is")] File);

impl OwnerLock {
    pub(super) fn take(database: &Path) -> Result<Self, OpenError> {
        let mut path = database.as_os_str().to_owned();
        path.push(".lock");
        let failed = |error| OpenError(format!("cannot open the lock file {}: {error}", path.display()));
        let mut file =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {
                file.set_len(0).and_then(|()| write!(file, "{}", std::process::id())).map_err(failed)?;
                Ok(Self(file))
            }
            Err(TryLockError::WouldBlock) => {
                let mut owner = String::new();
                let _ = file.read_to_string(&mut owner);
                Err(OpenError(format!(
                    "the database {} is in use by another process (number {}); stop it first, or work through it",
                    database.display(),
                    if owner.is_empty() { "unknown" } else { owner.trim() },
                )))
            }
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}
