//! The demo's world: applied from its declaration, then the keys a visitor needs.
use anyhow::{Context, anyhow};

use crate::admin::apply::{self, ApplyContext};
use crate::admin::declaration::Declaration;
use crate::admin::links;
use crate::clock::Clock;
use crate::domain::ctx::Actor;
use crate::secret::{Keyring, PlainToken};
use crate::store::extent::OperatorExtent;
use crate::store::one_time_links::OneTimeLinkPurpose;
use crate::store::{Store, api_tokens, connections, declared, tokens, users};

/// The connection that the demo pushes to.
pub(super) const SCIM_SLUG: &str = "harbor-entra";
const OWNER: &str = "olga@meridian.example";
const ROOT: &str = "meridian";
const RESELLER: &str = "harbor";

/// What opens the demo's connections.
pub(super) struct Handles {
    /// Signs in the owner, once.
    pub link: PlainToken,
    /// Pushes to [`SCIM_SLUG`].
    pub scim_token: PlainToken,
    /// Acts as the owner over the API.
    pub api_token: PlainToken,
}

/// Makes the world where there is none yet, and fresh keys each time.
pub(super) async fn prepare(store: &Store, keyring: &Keyring) -> anyhow::Result<Handles> {
    let declaration = Declaration::parse(include_str!("../../../config/demo.toml")).context("config/demo.toml")?;
    let ctx = Clock.ctx(Actor::Operator);
    let by = OperatorExtent::assume();
    let means = ApplyContext::new(keyring);
    if crate::store::catalog::installed(&mut store.reader().await?).await?.is_none() {
        apply::apply(store, &ctx, by, &declaration, &means).await.context("config/demo.toml")?;
    }
    let missing = |what: &str| anyhow!("this store is not a demo's: it has no {what}");
    store
        .write_serializable(async |tx| -> anyhow::Result<Handles> {
            let root = declared::by_key(tx, &by, &[ROOT]).await?.pop().ok_or_else(|| missing(ROOT))?;
            let reseller = declared::by_key(tx, &by, &[RESELLER]).await?.pop().ok_or_else(|| missing(RESELLER))?;
            let (top, at) = (by.at(root.id), by.at(reseller.id));
            let owner = users::by_login(tx, &top, OWNER).await?.ok_or_else(|| missing(OWNER))?;
            let connection = connections::by_slug(tx, &at, SCIM_SLUG).await?.ok_or_else(|| missing(SCIM_SLUG))?;
            let link = links::create(tx, &ctx, &top, owner, OneTimeLinkPurpose::SetUp).await?;
            let (_, scim_token) = tokens::create(tx, &at, &ctx, connection.connection.id, "demo", None).await?;
            let (_, api_token) = api_tokens::create(tx, &top, &ctx, owner, "demo", None).await?;
            Ok(Handles { link, scim_token, api_token })
        })
        .await
}
