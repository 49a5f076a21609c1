//! Running a use case for real or only for a look, and again when it met another one.
use super::outcome::AccessChanges;
use super::{Execution, Outcome, ProvisionError};
use crate::domain::id::UserId;
use crate::store::effective_lists::{AccessChange, AccessItem, outcomes_of};
use crate::store::extent::ConnectionExtent;
use crate::store::{Store, StoreError, Tx};

/// How often a use case is begun again because what it rests on was deleted meanwhile.
const MOST_TRIES: usize = 5;

/// The most users whose access is compared before and after; a bigger question is a plan.
const MOST_COMPARED: usize = 500;

/// Runs `work` in a transaction of its own.
pub(super) async fn run<T>(
    store: &Store,
    at: &ConnectionExtent,
    mode: Execution,
    work: impl AsyncFnOnce(&mut Tx) -> Result<Outcome<T>, ProvisionError> + Clone,
) -> Result<Outcome<T>, ProvisionError> {
    let mut tries = 1;
    loop {
        let work = work.clone();
        let whole = async move |tx: &mut Tx| match mode {
            Execution::Real => work(tx).await,
            Execution::Dry => tried(tx, at, work).await,
            Execution::Told => {
                let access = tried(tx, at, work.clone()).await?.effect.access;
                let mut done = work(tx).await?;
                done.effect.access = access;
                Ok(done)
            }
        };
        match store.write(whole).await {
            Err(ProvisionError::Raced) if tries < MOST_TRIES => tries += 1,
            result => return result,
        }
    }
}

/// Does `work`, looks at what the users it touched then hold, undoes it, and compares with what they hold now.
async fn tried<T>(
    tx: &mut Tx,
    at: &ConnectionExtent,
    work: impl AsyncFnOnce(&mut Tx) -> Result<Outcome<T>, ProvisionError>,
) -> Result<Outcome<T>, ProvisionError> {
    let (mut done, after) = tx
        .attempt(true, async |tx: &mut Tx| {
            let done = work(tx).await?;
            let after = held(tx, at, &done.effect.touched).await?;
            Ok::<_, ProvisionError>((done, after))
        })
        .await?;
    let before = held(tx, at, &done.effect.touched).await?;
    done.effect.access = match (before, after) {
        (Some(before), Some(after)) => AccessChanges::Changes(compared(&done.effect.touched, before, after)),
        _ => AccessChanges::TooMany,
    };
    Ok(done)
}

/// What each of the users holds; none when they are too many.
async fn held(
    tx: &mut Tx,
    at: &ConnectionExtent,
    users: &[UserId],
) -> Result<Option<Vec<Vec<AccessItem>>>, StoreError> {
    if users.len() > MOST_COMPARED {
        return Ok(None);
    }
    let mut all = Vec::with_capacity(users.len());
    for user in users {
        all.push(outcomes_of(tx, at, *user).await?);
    }
    Ok(Some(all))
}

fn compared(users: &[UserId], before: Vec<Vec<AccessItem>>, after: Vec<Vec<AccessItem>>) -> Vec<AccessChange> {
    let only = |these: &[AccessItem], those: &[AccessItem]| -> Vec<AccessItem> {
        these.iter().filter(|outcome| !those.contains(outcome)).cloned().collect()
    };
    let changes = users.iter().zip(before.iter().zip(&after)).map(|(user, (before, after))| AccessChange {
        user: *user,
        gained: only(after, before),
        lost: only(before, after),
    });
    changes.filter(|change| !(change.gained.is_empty() && change.lost.is_empty())).collect()
}
