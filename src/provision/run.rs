//! Running a use case for real or only for a look, and again when it met another one.
use super::{Done, Mode, ProvisionError};
use crate::store::{Store, Tx};

/// How often a use case is begun again because what it rests on was deleted meanwhile.
const MOST_TRIES: usize = 5;

/// Runs `work` in a transaction of its own.
pub(super) async fn run<T>(
    store: &Store,
    mode: Mode,
    work: impl AsyncFnOnce(&mut Tx) -> Result<Done<T>, ProvisionError> + Clone,
) -> Result<Done<T>, ProvisionError> {
    let undo = mode == Mode::Dry;
    let mut tries = 1;
    loop {
        let work = work.clone();
        let whole = async move |tx: &mut Tx| if undo { tx.attempt(true, work).await } else { work(tx).await };
        match store.write(whole).await {
            Err(ProvisionError::Raced) if tries < MOST_TRIES => tries += 1,
            result => return result,
        }
    }
}
