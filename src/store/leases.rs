//! Leases: jobs that only one process does at a time.
//!
//! Leases belong to the installation and to no tenant. A lease runs out unless it is renewed, by the database's clock: no
//! node's own decides for another. Its fence rises with every new holder; whoever writes under a lease renews it in the
//! same transaction, so that a holder who was taken for dead writes nothing more.
use std::time::Duration;

use uuid::Uuid;

use super::{StoreError, Tx, first};
use crate::{binds, statements};

statements! {
    // One that ends later than it could was given by a clock that was wrong.
    ACQUIRE(d) = format!("INSERT INTO leases (name, holder, fencing_token, expires_at) VALUES ($1, $2, 1, {now} + $3) \
        ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, fencing_token = leases.fencing_token + 1, \
        expires_at = excluded.expires_at WHERE leases.expires_at <= {now} OR leases.expires_at > {now} + $3 RETURNING fencing_token",
        now = d.now());
    RENEW(d) = format!(
        "UPDATE leases SET expires_at = {} + $4 WHERE name = $1 AND holder = $2 AND fencing_token = $3", d.now());
    RELEASE = "UPDATE leases SET expires_at = 0 WHERE name = $1 AND holder = $2 AND fencing_token = $3";
}

/// Proof that this process held a job when it took the lease.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lease {
    name: String,
    holder: Uuid,
    fence: i64,
}

/// Takes a lease for so long, unless somebody else holds it. A job's leases are all of one length.
///
/// # Errors
/// Only those of the store.
pub async fn acquire(tx: &mut Tx, name: &str, holder: Uuid, length: Duration) -> Result<Option<Lease>, StoreError> {
    let fence = tx.optional(&ACQUIRE, binds![name, holder, micros(length)], first).await?;
    Ok(fence.map(|fence| Lease { name: name.to_owned(), holder, fence }))
}

/// Renews a lease, from now on for so long; false when somebody else has it now. The row stays locked until the
/// transaction ends, so a true answer holds for everything else the transaction writes.
///
/// # Errors
/// Only those of the store.
pub async fn renew(tx: &mut Tx, lease: &Lease, length: Duration) -> Result<bool, StoreError> {
    Ok(tx.execute(&RENEW, binds![&lease.name, lease.holder, lease.fence, micros(length)]).await? == 1)
}

/// Gives a lease back at once.
///
/// # Errors
/// Only those of the store.
pub async fn release(tx: &mut Tx, lease: &Lease) -> Result<(), StoreError> {
    tx.execute(&RELEASE, binds![&lease.name, lease.holder, lease.fence]).await.map(drop)
}

fn micros(length: Duration) -> i64 {
    i64::try_from(length.as_micros()).unwrap_or(i64::MAX)
}
