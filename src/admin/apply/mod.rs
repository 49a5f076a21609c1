//! Bringing the store to what a declaration says, and showing it first.
//!
//! All of it is one transaction; `loose` looks at what others wrote beside it. A rehearsal is the same work inside a
//! savepoint that is rolled back, so what is shown is what is done. What the declaration says is so afterwards, or it is
//! refused; what it does not mention is left alone, and told. Three things are declared whole: the ceiling, the rules and the settings of what they belong to.
mod ceilings;
mod change_labels;
mod connections;
mod directories;
mod duplicates;
mod error;
mod existing;
mod fresh;
mod grants;
mod names;
mod plan;
mod recompute;
mod rules;
mod settings;
mod spots;
mod tree;
mod undeclared;
mod users;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use error::Spot;
pub use error::{ApplyError, DeclarationError, Faults};
use existing::ExistingObjects;
use fresh::Fresh;
use names::Names;
pub use plan::{ApplyAction, ApplyChange, ApplyPlan, Undeclared};
use recompute::DeferredRecompute;
use secrecy::SecretString;

use super::declaration::Declaration;
use super::{catalog, validate};
use crate::domain::catalog::Catalog;
use crate::domain::ctx::Ctx;
use crate::domain::id::GrantId;
use crate::scim::schema::SchemaSet;
use crate::secret::Keyring;
use crate::store::extent::OperatorExtent;
use crate::store::{Store, Tx};

/// What a declaration is applied with.
pub struct ApplyContext<'a> {
    /// Seals the secrets of connections.
    pub keyring: &'a Keyring,
    /// Bind passwords and client secrets, looked up before: by the connection's slug.
    pub connections: BTreeMap<String, SecretString>,
    /// SCIM tokens by the connection's slug; only their hashes are kept.
    pub tokens: BTreeMap<String, SecretString>,
    /// Whether grants that the declaration does not name are taken back, at the partners that it names.
    pub prune: bool,
}

impl<'a> ApplyContext<'a> {
    /// Without any secrets, and taking nothing back.
    pub fn new(keyring: &'a Keyring) -> Self {
        Self { keyring, connections: BTreeMap::new(), tokens: BTreeMap::new(), prune: false }
    }
}

/// What an application needs on its way down.
struct Run<'a> {
    ctx: &'a Ctx,
    by: OperatorExtent,
    catalog: Catalog,
    schemas: SchemaSet,
    means: &'a ApplyContext<'a>,
    plan: ApplyPlan,
    known: ExistingObjects,
    names: Names,
    /// The grants that the declaration names.
    named: BTreeSet<GrantId>,
    /// Grants that another one has taken the place of.
    replaced: BTreeSet<GrantId>,
    /// What is made and not written yet.
    fresh: Fresh,
    loose: DeferredRecompute,
    /// What is declared a second time, by its place in the file.
    twice: HashSet<String>,
    /// What is wrong with the declaration.
    faults: Faults,
}

/// What applying the declaration would change; changes nothing.
///
/// # Errors
/// As [`apply`].
pub async fn rehearse(
    store: &Store,
    ctx: &Ctx,
    by: OperatorExtent,
    declaration: &Declaration,
    means: &ApplyContext<'_>,
) -> Result<ApplyPlan, ApplyError> {
    let work = async |tx: &mut Tx| tx.attempt(true, async |tx| all(tx, ctx, by, declaration, means).await).await;
    store.write_serializable(work).await.map(|(plan, _)| plan)
}

/// Brings the store to what the declaration says; nothing to do is no error.
///
/// # Errors
/// `ApplyError`, for the operator to read; nothing of the declaration is kept then.
pub async fn apply(
    store: &Store,
    ctx: &Ctx,
    by: OperatorExtent,
    declaration: &Declaration,
    means: &ApplyContext<'_>,
) -> Result<ApplyPlan, ApplyError> {
    carry_out(store, ctx, by, (declaration, None), means).await
}

/// Like [`apply`], for someone who was shown what changes and agreed: refused when it would by now change anything else.
///
/// # Errors
/// As [`apply`].
pub async fn apply_shown(
    store: &Store,
    ctx: &Ctx,
    by: OperatorExtent,
    (declaration, shown): (&Declaration, &ApplyPlan),
    means: &ApplyContext<'_>,
) -> Result<ApplyPlan, ApplyError> {
    apply_agreed(store, ctx, by, (declaration, &shown.hash()), means).await
}

/// Like [`apply_shown`], for someone of whom only the hash of the plan is known.
///
/// # Errors
/// As [`apply`].
pub async fn apply_agreed(
    store: &Store,
    ctx: &Ctx,
    by: OperatorExtent,
    (declaration, agreed): (&Declaration, &str),
    means: &ApplyContext<'_>,
) -> Result<ApplyPlan, ApplyError> {
    carry_out(store, ctx, by, (declaration, Some(agreed)), means).await
}

async fn carry_out(
    store: &Store,
    ctx: &Ctx,
    by: OperatorExtent,
    (declaration, agreed): (&Declaration, Option<&str>),
    means: &ApplyContext<'_>,
) -> Result<ApplyPlan, ApplyError> {
    let work = async |tx: &mut Tx| {
        let (plan, loose) = all(tx, ctx, by, declaration, means).await?;
        if agreed.is_some_and(|agreed| plan.hash() != agreed) {
            let why = "the store has changed meanwhile, so this would not do what was shown; look at it again";
            return Err(ApplyError::wrong("nothing was changed", why));
        }
        Ok((plan, loose))
    };
    let (plan, loose) = store.write_serializable(work).await?;
    loose.tie(store, ctx).await;
    Ok(plan)
}

/// Does it, in the caller's transaction. Only for what no other server's writes can concern: there are no rules in it.
pub(super) async fn within(
    tx: &mut Tx,
    ctx: &Ctx,
    by: OperatorExtent,
    declaration: &Declaration,
    means: &ApplyContext<'_>,
) -> Result<ApplyPlan, ApplyError> {
    all(tx, ctx, by, declaration, means).await.map(|(plan, _)| plan)
}

/// Does it, in the caller's transaction; what others wrote beside it is to be looked at afterwards.
async fn all(
    tx: &mut Tx,
    ctx: &Ctx,
    by: OperatorExtent,
    declaration: &Declaration,
    means: &ApplyContext<'_>,
) -> Result<(ApplyPlan, DeferredRecompute), ApplyError> {
    tx.by_index().await?;
    let installed = crate::store::catalog::installed(tx).await?;
    let name = installed.clone().or_else(|| declaration.catalog.clone()).unwrap_or_else(|| "cove".to_owned());
    if installed.is_some() && declaration.catalog.as_ref().is_some_and(|wanted| *wanted != name) {
        return Err(ApplyError::wrong("catalog", format!("this installation was set up with `{name}`")));
    }
    let catalog = catalog::shipped(&name).ok_or_else(|| ApplyError::unknown("catalog", "catalog", &name))??;
    let mut run = Run {
        ctx,
        by,
        catalog,
        schemas: SchemaSet::base(),
        means,
        plan: ApplyPlan::default(),
        known: ExistingObjects::load(tx, &by, declaration).await?,
        names: Names::default(),
        named: BTreeSet::new(),
        replaced: BTreeSet::new(),
        fresh: Fresh::default(),
        loose: DeferredRecompute::default(),
        twice: HashSet::new(),
        faults: Faults::default(),
    };
    duplicates::check(&mut run, declaration)?;
    if installed.is_none() {
        tree::set_up(tx, &mut run).await?;
    }
    tree::partners(tx, &mut run, &declaration.partners).await?;
    tree::catalog_roles(tx, &mut run).await?;
    users::groups(tx, &mut run, &declaration.groups).await?;
    users::roles(tx, &mut run, &declaration.roles).await?;
    users::users(tx, &mut run, &declaration.users).await?;
    grants::all(tx, &mut run, &declaration.grants).await?;
    directories::all(tx, &mut run, &declaration.directories).await?;
    if run.faults.0.is_empty() {
        undeclared::tell(tx, &mut run, declaration).await?;
        grants::others(tx, &mut run, &declaration.partners).await?;
    }
    if !run.faults.0.is_empty() {
        return Err(ApplyError::Refused(run.faults));
    }
    run.plan.beside.sort_by(|one, two| one.kind.cmp(&two.kind));
    Ok((run.plan, run.loose))
}

/// A name of one line that is not too long, as administrators may write it.
fn name(spot: &Spot, field: &str, text: &str) -> Result<String, ApplyError> {
    validate::name(field, text).map_err(|refused| spot.part(field).refused(refused))
}

/// Refuses a text that is too long to be kept.
fn long(spot: &Spot, field: &str, text: &str) -> Result<(), ApplyError> {
    validate::long(field, text).map_err(|refused| spot.part(field).refused(refused))
}
