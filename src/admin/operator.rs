//! What the operator asks of an installation: the same, whether a command opens the store itself or a running server does
//! it for the command.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::apply::{self, ApplyContext, ApplyError, ApplyPlan};
use super::declaration::Declaration;
use super::export::RunningExport;
use super::links;
use super::setup::{self, LockedOut, SetUp, When};
use crate::domain::ctx::Ctx;
use crate::secret::{Keyring, PlainToken};
use crate::store::extent::OperatorExtent;
use crate::store::{Store, StoreError};

/// A declaration with what it points to, looked up where the command runs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResolvedDeclaration {
    /// The declaration.
    pub declaration: Declaration,
    /// Bind passwords and client secrets by the connection's slug.
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
    /// SCIM tokens by the connection's slug.
    #[serde(default)]
    pub tokens: BTreeMap<String, String>,
    /// Whether grants that the declaration does not name are taken back.
    #[serde(default)]
    pub prune: bool,
    /// The hash of the plan that was shown and agreed to; without one, the plan is only made.
    #[serde(default)]
    pub agreed: Option<String>,
}

/// Plans an order, or carries out what was agreed to.
///
/// # Errors
/// As [`apply::apply`].
pub async fn apply(
    store: &Store,
    ctx: &Ctx,
    keyring: &Keyring,
    order: &ResolvedDeclaration,
) -> Result<ApplyPlan, ApplyError> {
    let mut means = ApplyContext::new(keyring);
    let secrets =
        |of: &BTreeMap<String, String>| of.iter().map(|(slug, secret)| (slug.clone(), secret.clone().into())).collect();
    means.connections = secrets(&order.secrets);
    means.tokens = secrets(&order.tokens);
    means.prune = order.prune;
    let by = OperatorExtent::assume();
    match &order.agreed {
        None => apply::rehearse(store, ctx, by, &order.declaration, &means).await,
        Some(agreed) => apply::apply_agreed(store, ctx, by, (&order.declaration, agreed), &means).await,
    }
}

/// Begins an export.
///
/// # Errors
/// Only those of the store.
pub async fn export(store: &Store) -> Result<RunningExport, StoreError> {
    RunningExport::begin(store, &OperatorExtent::assume()).await
}

/// A link that the operator asks for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Link {
    /// The first owner's, as long as nobody has used it.
    SetUp,
    /// For someone who is locked out.
    Recover {
        /// The partner, by its external id or its id; the root when none is named.
        partner: Option<String>,
        /// The user, by sign-in name or id.
        user: Option<String>,
    },
}

/// A link, or none because setting up is over.
///
/// # Errors
/// As [`setup::set_up`] and [`setup::recover`].
pub async fn link(
    store: &Store,
    ctx: &Ctx,
    (keyring, wanted): (&Keyring, &SetUp<'_>),
    link: &Link,
) -> Result<Option<PlainToken>, ApplyError> {
    let by = OperatorExtent::assume();
    match link {
        Link::SetUp => setup::set_up(store, ctx, by, keyring, (wanted, When::Asked)).await,
        Link::Recover { partner, user } => {
            let who = LockedOut { partner: partner.as_deref(), user: user.as_deref() };
            setup::recover(store, ctx, by, who).await.map(Some)
        }
    }
}

/// The address of a link, to hand over.
pub fn address(public_url: &str, token: &PlainToken) -> String {
    links::address(public_url, token).to_string()
}
