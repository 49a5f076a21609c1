//! The first owner: how an empty store becomes an installation, and the way back in when every owner is locked out.
use super::apply::{self, ApplyError, Means};
use super::catalog;
use super::declaration::{Declaration, GrantDecl, PartnerDecl, ScopeDecl, UserDecl};
use crate::admin::links;
use crate::domain::ctx::Ctx;
use crate::domain::id::UserId;
use crate::secret::{Keyring, Token};
use crate::store::extent::OperatorExtent;
use crate::store::links::Purpose;
use crate::store::{Store, StoreError, catalog as stored, partners, people};

/// The external id of the root that setting up makes.
const ROOT: &str = "root";

/// What an operator decides about a new installation.
#[derive(Clone, Debug)]
pub struct SetUp<'a> {
    /// The catalog to begin with.
    pub catalog: &'a str,
    /// The name of the company at the top of the tree.
    pub company: &'a str,
    /// The sign-in name of the first owner.
    pub owner: &'a str,
}

/// Makes an empty store an installation: the catalog, the root partner, and its first owner, who holds every role of the
/// catalog that stands under no other, over the whole tree. `None` when the store is one already.
///
/// # Errors
/// `ApplyError`; nothing is kept then.
pub async fn set_up(
    store: &Store,
    ctx: &Ctx,
    by: OperatorExtent,
    keyring: &Keyring,
    wanted: &SetUp<'_>,
) -> Result<Option<Token>, ApplyError> {
    if stored::installed(&mut store.reader().await?).await?.is_some() {
        return Ok(None);
    }
    let catalog = catalog::shipped(wanted.catalog).ok_or_else(|| ApplyError::Unknown {
        place: "setup".to_owned(),
        kind: "catalog",
        name: wanted.catalog.to_owned(),
    })??;
    let top = catalog.levels.first().map(|level| level.name.clone()).unwrap_or_default();
    let roles = catalog.roles.iter().filter(|role| role.parent.is_none());
    let declaration = Declaration {
        catalog: Some(wanted.catalog.to_owned()),
        partners: vec![PartnerDecl {
            key: ROOT.to_owned(),
            name: wanted.company.to_owned(),
            parent: None,
            level: top,
            department: false,
        }],
        users: vec![UserDecl {
            partner: ROOT.to_owned(),
            login: wanted.owner.to_owned(),
            name: wanted.owner.to_owned(),
            email: wanted.owner.contains('@').then(|| wanted.owner.to_owned()),
        }],
        grants: roles.map(|role| first_grant(&role.name, wanted.owner)).collect(),
        ..Declaration::default()
    };
    // It declares no connection, so there are no settings to check.
    let means = Means::new(keyring, |_, _, _| Ok(()), |_, _, _, _| Ok(()));
    apply::apply(store, ctx, by, &declaration, &means).await?;
    Ok(Some(link(store, ctx, by, Some(wanted.owner), Purpose::SetUp).await?))
}

fn first_grant(role: &str, owner: &str) -> GrantDecl {
    GrantDecl {
        role: role.to_owned(),
        partner: ROOT.to_owned(),
        user: Some(owner.to_owned()),
        group: None,
        scope: ScopeDecl { subtree: Some(ROOT.to_owned()), ..ScopeDecl::default() },
        reason: Some("First owner".to_owned()),
    }
}

/// A one-time sign-in link for a person of the root partner who is called `login`, or for the first by name when none is
/// named. It grants nothing: the person must still hold what is to be done.
///
/// # Errors
/// `ApplyError::Unknown` when there is no such person.
pub async fn recover(store: &Store, ctx: &Ctx, by: OperatorExtent, login: Option<&str>) -> Result<Token, ApplyError> {
    link(store, ctx, by, login, Purpose::Recover).await
}

async fn link(
    store: &Store,
    ctx: &Ctx,
    by: OperatorExtent,
    login: Option<&str>,
    purpose: Purpose,
) -> Result<Token, ApplyError> {
    store
        .write_serializable(async |tx| {
            let root = partners::root(tx, &by).await?.ok_or(StoreError::NotFound)?;
            let at = by.at(root.id).alone();
            let person: Option<UserId> = match login {
                Some(login) => people::by_login(tx, &at, login).await?,
                None => people::list(tx, &at, None, None, 1).await?.first().map(|user| user.id),
            };
            let person = person.ok_or_else(|| ApplyError::Unknown {
                place: root.name.clone(),
                kind: "user",
                name: login.unwrap_or("anyone").to_owned(),
            })?;
            Ok(links::create(tx, ctx, &at, person, purpose).await?)
        })
        .await
}
