//! Leases: jobs that only one process does at a time.
//!
//! Leases belong to the installation and to no tenant. A lease runs out unless it is renewed. Its fence rises with every new holder; whoever writes under a lease renews it
//! in the same transaction, so that a holder who was taken for dead writes nothing more.
use uuid::Uuid;

use super::{StoreError, Tx, first};
use crate::domain::time::Timestamp;
use crate::{binds, statements};

statements! {
    ACQUIRE = "INSERT INTO lease (name, holder, fence, until_at) VALUES ($1, $2, 1, $3) \
        ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, fence = lease.fence + 1, \
        until_at = excluded.until_at WHERE lease.until_at <= $4 RETURNING fence";
    RENEW = "UPDATE lease SET until_at = $4 WHERE name = $1 AND holder = $2 AND fence = $3";
}

/// Proof that this process held a job when it took the lease.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lease {
    name: String,
    holder: Uuid,
    fence: i64,
}

/// Takes a lease until `until`, unless somebody else holds it at `now`.
///
/// # Errors
/// Only those of the store.
pub async fn acquire(
    tx: &mut Tx,
    name: &str,
    holder: Uuid,
    now: Timestamp,
    until: Timestamp,
) -> Result<Option<Lease>, StoreError> {
    let fence = tx.optional(&ACQUIRE, binds![name, holder, until, now], first).await?;
    Ok(fence.map(|fence| Lease { name: name.to_owned(), holder, fence }))
}

/// Renews a lease; false when somebody else has it now. The row stays locked until the transaction ends, so a true
/// answer holds for everything else the transaction writes.
///
/// # Errors
/// Only those of the store.
pub async fn renew(tx: &mut Tx, lease: &Lease, until: Timestamp) -> Result<bool, StoreError> {
    Ok(tx.execute(&RENEW, binds![&lease.name, lease.holder, lease.fence, until]).await? == 1)
}

/// Gives a lease back at once.
///
/// # Errors
/// Only those of the store.
pub async fn release(tx: &mut Tx, lease: &Lease) -> Result<(), StoreError> {
    renew(tx, lease, Timestamp::from_micros(0)).await.map(drop)
}
