//! Where and when runs go on: on threads of their own, few at a time, and no longer than the process.
use std::sync::LazyLock;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::ldap::apply::AbortReason;

/// Ends with what it beats for.
pub(super) struct Beat(pub(super) JoinHandle<()>);

impl Drop for Beat {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Runs of a process that compare and apply at the same time: that takes processor time and memory, where a read mostly
/// waits.
pub const TURNS_AT_ONCE: usize = 4;

pub(super) static TURNS: Semaphore = Semaphore::const_new(TURNS_AT_ONCE);

/// Where runs go on: whoever serves requests has other threads, and no run takes one while it waits.
pub(super) fn threads() -> Handle {
    static THREADS: LazyLock<Option<Runtime>> = LazyLock::new(|| {
        let mut threads = Builder::new_multi_thread();
        threads.worker_threads(2).thread_name("ldap").enable_all().build().ok()
    });
    THREADS.as_ref().map_or_else(Handle::current, |threads| threads.handle().clone())
}

/// What comes of `work`, unless the process is stopping before.
pub(super) async fn until<T>(
    stop: &(dyn Fn() -> bool + Send + Sync),
    work: impl Future<Output = T>,
) -> Result<T, AbortReason> {
    const LOOK: Duration = Duration::from_millis(100);
    let stopped = async {
        while !stop() {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::select! {
        done = work => Ok(done),
        () = stopped => Err(AbortReason::Stopped),
    }
}
