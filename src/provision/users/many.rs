//! Users that one connection brings all at once, in a transaction that is open: the first run of a directory.
use super::create::{PendingUser, create_all};
use super::create_batcher::{apart, concerns_all};
use super::{NewExternalUser, TRIES};
use crate::domain::ctx::Ctx;
use crate::provision::{Outcome, ProvisionError, ProvisionSource};
use crate::store::external_users::ExternalUser;
use crate::store::{StoreError, Tx};

/// The most users that are written together.
pub const MOST_TOGETHER: usize = 128;

/// Creates users as [`super::create_in`] does, each on its own, but as many at a time as have nothing in common; who
/// shares a name, a mail address or a key with somebody before meets them. What is refused hurts nobody else.
///
/// # Errors
/// Only those of the store, which are about all of them.
pub async fn create_many_in(
    tx: &mut Tx,
    ctx: &Ctx,
    source: &ProvisionSource<'_>,
    new: Vec<NewExternalUser>,
) -> Result<Vec<Result<Outcome<ExternalUser>, ProvisionError>>, StoreError> {
    let mut line = Vec::with_capacity(new.len());
    let mut answers = Vec::with_capacity(new.len());
    for (at, new) in new.into_iter().enumerate() {
        match PendingUser::read(ctx, source, new) {
            Ok(pending_user) => line.push((at, pending_user)),
            Err(error) => answers.push((at, Err(error))),
        }
    }
    while !line.is_empty() {
        let company = apart(&mut line, |(_, pending_user)| pending_user.marks(), MOST_TOGETHER);
        let pending_users: Vec<&PendingUser> = company.iter().map(|(_, pending_user)| pending_user).collect();
        let together = tx.attempt(false, async |tx: &mut Tx| create_all(tx, source, &pending_users).await).await;
        match together {
            Ok(done) => answers.extend(company.iter().map(|(at, _)| *at).zip(done)),
            Err(ProvisionError::Store(error)) if concerns_all(&ProvisionError::Store(error.clone())) => {
                return Err(error);
            }
            // Somebody is refused, and it is not known who.
            Err(_) => {
                for (at, pending_user) in &company {
                    answers.push((*at, alone(tx, source, pending_user).await?));
                }
            }
        }
    }
    answers.sort_by_key(|(at, _)| *at);
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
}

async fn alone(
    tx: &mut Tx,
    source: &ProvisionSource<'_>,
    pending_user: &PendingUser,
) -> Result<Result<Outcome<ExternalUser>, ProvisionError>, StoreError> {
    let mut tries = 1;
    loop {
        match tx.attempt(false, async |tx: &mut Tx| pending_user.alone(tx, source).await).await {
            Err(ProvisionError::Raced) if tries < TRIES => tries += 1,
            Err(ProvisionError::Store(error)) => return Err(error),
            answer => return Ok(answer),
        }
    }
}
