//! What an application leaves to be looked at once more, where others write at the same moment (PostgreSQL).
//!
//! A transaction that was open while a condition or a rule set came into force saw nothing of it, and its users were not
//! seen: somebody for whom the condition holds would be missing from its members, and somebody would stay where an
//! older rule had put them, for as long as nobody speaks of them again. So when the application is durable, those
//! transactions are waited for, and its conditions and placements are worked out again.
use std::collections::BTreeMap;
use std::time::Duration;

use super::ApplyError;
use crate::domain::ctx::Ctx;
use crate::domain::id::{ConditionId, DirectoryId};
use crate::provision::{ProvisionError, conditions, place};
use crate::scim::schema::SchemaSet;
use crate::store::extent::PartnerExtent;
use crate::store::{Dialect, Store, Tx, others};

/// The longest wait for whoever was writing. What takes longer is no request.
const LONGEST: Duration = Duration::from_secs(60);

/// What came into force.
#[derive(Default)]
pub(super) struct Loose {
    /// New conditions, with their expressions.
    pub(super) conditions: Vec<(PartnerExtent, DirectoryId, ConditionId, String)>,
    /// Directories whose people may belong elsewhere.
    pub(super) places: BTreeMap<DirectoryId, PartnerExtent>,
}

impl Loose {
    /// Looks at it once more.
    ///
    /// # Errors
    /// Those of the store. The declaration is in force all the same.
    pub(super) async fn tie(&self, store: &Store, ctx: &Ctx) -> Result<(), ApplyError> {
        let nothing = self.conditions.is_empty() && self.places.is_empty();
        if nothing || store.dialect() == Dialect::Sqlite {
            return Ok(());
        }
        if !others::done(store, LONGEST).await? {
            tracing::warn!(
                "a transaction was open for a minute beside this application; `doctor` tells who is misplaced"
            );
        }
        let schemas = SchemaSet::base();
        for (at, directory, condition, expression) in &self.conditions {
            let mut after = None;
            loop {
                let page = async |tx: &mut Tx| {
                    conditions::refill(tx, at, &schemas, *directory, (*condition, expression), after).await
                };
                match store.write::<_, ProvisionError>(page).await? {
                    Some(last) => after = Some(last),
                    None => break,
                }
            }
        }
        for (directory, at) in &self.places {
            let mut after = None;
            loop {
                let page = async |tx: &mut Tx| place::page_again(tx, ctx, at, *directory, after).await;
                match store.write::<_, ProvisionError>(page).await? {
                    Some(last) => after = Some(last),
                    None => break,
                }
            }
        }
        Ok(())
    }
}
