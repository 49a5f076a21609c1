//! Bringing the store to what a declaration says, and showing it first.
//!
//! All of it is one transaction. A rehearsal is the same work inside a savepoint that is rolled back, so what is shown
//! is what is done. What the declaration does not mention is left alone.
mod directories;
mod names;
mod people;
mod rules;
mod tree;

use std::collections::BTreeMap;
use std::fmt;

use names::Names;
use secrecy::SecretString;

use super::catalog;
use super::declaration::Declaration;
use crate::access::matcher::MatcherError;
use crate::admin::when::WhenError;
use crate::domain::catalog::{Catalog, CatalogError};
use crate::domain::ctx::Ctx;
use crate::provision::ProvisionError;
use crate::scim::schema::SchemaSet;
use crate::secret::Keyring;
use crate::store::extent::OperatorExtent;
use crate::store::{Store, StoreError, Tx};

/// One thing that changes, in a line a person can read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// What happens to it.
    pub verb: Verb,
    /// What it is: `partner harbor`, `rule "Service desk" of directory …`.
    pub what: String,
}

/// What happens to a declared thing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verb {
    /// It comes to be.
    Create,
    /// It is there and becomes different.
    Change,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.verb {
            Verb::Create => '+',
            Verb::Change => '~',
        };
        write!(f, "{sign} {}", self.what)
    }
}

/// Why a declaration cannot be applied. Nothing of it is kept.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// A name that is neither declared nor stored.
    #[error("{place}: there is no {kind} `{name}`")]
    Unknown {
        /// Where it is named.
        place: String,
        /// What kind of thing.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// A declaration that contradicts itself or the store.
    #[error("{place}: {why}")]
    Wrong {
        /// Where.
        place: String,
        /// What is wrong and what to write instead.
        why: String,
    },
    /// A rule's condition.
    #[error("{place}: {why}")]
    When {
        /// The rule.
        place: String,
        /// What is wrong.
        #[source]
        why: WhenError,
    },
    /// A rule's condition that cannot be kept.
    #[error("{place}: {why}")]
    Matcher {
        /// The rule.
        place: String,
        /// What is wrong.
        #[source]
        why: MatcherError,
    },
    /// A catalog that does not load.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The provisioning core.
    #[error(transparent)]
    Provision(#[from] ProvisionError),
}

impl ApplyError {
    fn unknown(place: impl Into<String>, kind: &'static str, name: &str) -> Self {
        Self::Unknown { place: place.into(), kind, name: name.to_owned() }
    }

    fn wrong(place: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Wrong { place: place.into(), why: why.into() }
    }
}

/// Secrets of a declaration, looked up before: by the connection's slug.
pub struct Secrets<'a> {
    /// What seals them.
    pub keyring: &'a Keyring,
    /// Bind passwords and client secrets.
    pub connections: BTreeMap<String, SecretString>,
    /// SCIM tokens; only their hashes are kept.
    pub tokens: BTreeMap<String, SecretString>,
}

/// What an application needs on its way down.
struct Run<'a> {
    ctx: &'a Ctx,
    by: OperatorExtent,
    catalog: Catalog,
    schemas: SchemaSet,
    secrets: &'a Secrets<'a>,
    changes: Vec<Change>,
    names: Names,
}

impl Run<'_> {
    fn created(&mut self, what: String) {
        self.changes.push(Change { verb: Verb::Create, what });
    }

    fn changed(&mut self, what: String) {
        self.changes.push(Change { verb: Verb::Change, what });
    }
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
    secrets: &Secrets<'_>,
) -> Result<Vec<Change>, ApplyError> {
    store
        .write_serializable(async |tx| tx.attempt(true, async |tx| all(tx, ctx, by, declaration, secrets).await).await)
        .await
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
    secrets: &Secrets<'_>,
) -> Result<Vec<Change>, ApplyError> {
    store.write_serializable(async |tx| all(tx, ctx, by, declaration, secrets).await).await
}

async fn all(
    tx: &mut Tx,
    ctx: &Ctx,
    by: OperatorExtent,
    declaration: &Declaration,
    secrets: &Secrets<'_>,
) -> Result<Vec<Change>, ApplyError> {
    let installed = crate::store::catalog::installed(tx).await?;
    let name = installed.clone().or_else(|| declaration.catalog.clone()).unwrap_or_else(|| "cove".to_owned());
    if installed.is_some() && declaration.catalog.as_ref().is_some_and(|wanted| *wanted != name) {
        return Err(ApplyError::wrong("catalog", format!("this installation was set up with `{name}`")));
    }
    let catalog = catalog::shipped(&name).ok_or_else(|| ApplyError::unknown("catalog", "catalog", &name))??;
    let names = Names::default();
    let mut run = Run { ctx, by, catalog, schemas: SchemaSet::base(), secrets, changes: Vec::new(), names };
    if installed.is_none() {
        tree::set_up(tx, &mut run).await?;
    }
    tree::partners(tx, &mut run, &declaration.partners).await?;
    tree::catalog_roles(tx, &mut run).await?;
    people::groups(tx, &mut run, &declaration.groups).await?;
    people::roles(tx, &mut run, &declaration.roles).await?;
    people::users(tx, &mut run, &declaration.users).await?;
    people::grants(tx, &mut run, &declaration.grants).await?;
    directories::all(tx, &mut run, &declaration.directories).await?;
    Ok(run.changes)
}
