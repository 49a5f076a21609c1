//! What an application leaves to be looked at once more, where others write at the same moment (PostgreSQL).
//!
//! A transaction that was open while a condition or a rule set came into force saw nothing of it, and its users were not
//! seen: somebody for whom the condition holds would be missing from its members, and somebody would stay where an
//! older rule had put them, for as long as nobody speaks of them again. So when the application is durable, those
//! transactions are waited for, and its conditions and placements are worked out again.
use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::ctx::Ctx;
use crate::domain::id::{ConditionId, DirectoryId};
use crate::provision::{ProvisionError, conditions, introduce, primary_group};
use crate::scim::schema::SchemaSet;
use crate::store::extent::PartnerExtent;
use crate::store::{Dialect, Store, Tx, open_transactions};

/// The longest wait for whoever was writing. What takes longer is no request.
const LONGEST: Duration = Duration::from_secs(60);

/// What came into force.
#[derive(Default)]
pub(super) struct DeferredRecompute {
    /// New conditions, with their expressions.
    pub(super) conditions: Vec<(PartnerExtent, DirectoryId, ConditionId, String)>,
    /// Directories whose users may belong elsewhere.
    pub(super) places: BTreeMap<DirectoryId, PartnerExtent>,
    /// Directories that have left the mode `observe`: who waited there is looked at.
    pub(super) observed: BTreeMap<DirectoryId, PartnerExtent>,
}

impl DeferredRecompute {
    /// Looks at it once more. The declaration is in force: what goes wrong here is told in the log and is no refusal.
    pub(super) async fn tie(&self, store: &Store, ctx: &Ctx) {
        if let Err(error) = self.look_again(store, ctx).await {
            tracing::error!(%error, "what was written beside this application was not looked at; see `rolecall doctor`");
        }
        for (directory, at) in &self.observed {
            match introduce::directory(store, ctx, at, *directory).await {
                Ok(done) => {
                    tracing::info!(%directory, ?done, "those who waited at an observed directory were looked at")
                }
                Err(error) => {
                    tracing::error!(%error, "not everybody who waited was looked at; the server goes on with it")
                }
            }
        }
    }

    async fn look_again(&self, store: &Store, ctx: &Ctx) -> Result<(), ProvisionError> {
        let nothing = self.conditions.is_empty() && self.places.is_empty();
        if nothing || store.dialect() == Dialect::Sqlite {
            return Ok(());
        }
        if !open_transactions::done(store, LONGEST).await? {
            tracing::warn!("a transaction was open for a minute beside this application; see `rolecall doctor`");
        }
        let schemas = SchemaSet::base();
        for (at, directory, condition, expression) in &self.conditions {
            let condition = (*condition, expression.as_str());
            pages(store, async |tx, after| conditions::refill(tx, at, &schemas, *directory, condition, after).await)
                .await?;
        }
        for (directory, at) in &self.places {
            pages(store, async |tx, after| primary_group::page_again(tx, ctx, at, *directory, after).await).await?;
        }
        Ok(())
    }
}

/// Runs `page` in a transaction of its own from the beginning, and then behind the last it told of, until there is none.
async fn pages<T: Copy>(
    store: &Store,
    page: impl AsyncFn(&mut Tx, Option<T>) -> Result<Option<T>, ProvisionError>,
) -> Result<(), ProvisionError> {
    let mut after = None;
    loop {
        after = store.write(async |tx: &mut Tx| page(tx, after).await).await?;
        if after.is_none() {
            return Ok(());
        }
    }
}
