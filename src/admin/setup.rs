//! The first owner: how an empty store becomes an installation, and the way back in when every owner is locked out.
use super::apply::{self, ApplyContext, ApplyError};
use super::declaration::{Declaration, GrantDecl, PartnerDecl, ScopeDecl, UserDecl};
use super::{catalog, links, validate};
use crate::domain::catalog::Catalog;
use crate::domain::ctx::Ctx;
use crate::domain::id::{PartnerId, UserId};
use crate::domain::partner::Partner;
use crate::secret::{Keyring, PlainToken};
use crate::store::extent::OperatorExtent;
use crate::store::one_time_links::{self as stored_links, OneTimeLinkPurpose};
use crate::store::{Reader, Store, StoreError, Tx, catalog as stored, declared, grants, partners, users};

/// The external id of the root that setting up makes. A declaration with a root of its own takes that one over.
pub(super) const ROOT: &str = "root";

/// How often setting up is tried again when another server does the same at the same moment.
const MOST_TRIES: usize = 4;

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

/// What is wrong with the settings of a new installation: the key, and why.
pub fn faults(wanted: &SetUp<'_>) -> Vec<(&'static str, String)> {
    let mut faults = Vec::new();
    match catalog::shipped(wanted.catalog) {
        None => faults.push(("setup.catalog", format!("there is no catalog `{}`", wanted.catalog))),
        Some(Err(error)) => faults.push(("setup.catalog", error.to_string())),
        Some(Ok(_)) => {}
    }
    for (key, field, value) in
        [("setup.root_partner_name", "company", wanted.company), ("setup.owner_login_name", "owner", wanted.owner)]
    {
        faults.extend(validate::name(field, value).err().map(|refused| (key, refused.to_string())));
    }
    faults
}

/// When the first owner's link is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// At the start of a server: on a store without anybody who holds it, and again as long as nobody has used it.
    AtStart,
    /// When the operator asks: also for a holder whom a declaration has named.
    Asked,
}

/// Makes a store without an owner an installation that has one: the catalog, the root partner, and its first owner, who
/// holds every role of the catalog that stands under no other, over the whole tree. The one-time link that lets the first
/// owner in; the same one until it is used, whichever server is asked. `None` when it was used, or was never needed.
///
/// # Errors
/// `ApplyError`; nothing is kept then.
pub async fn set_up(
    store: &Store,
    ctx: &Ctx,
    by: OperatorExtent,
    keyring: &Keyring,
    (wanted, when): (&SetUp<'_>, When),
) -> Result<Option<PlainToken>, ApplyError> {
    let mut tries = 1;
    loop {
        let work = async |tx: &mut Tx| first_owner(tx, ctx, by, keyring, (wanted, when)).await;
        match store.write_serializable(work).await {
            // Another server was faster: what it made is there now.
            Err(ApplyError::Store(StoreError::Unique(_))) if tries < MOST_TRIES => tries += 1,
            result => return result,
        }
    }
}

async fn first_owner(
    tx: &mut Tx,
    ctx: &Ctx,
    by: OperatorExtent,
    keyring: &Keyring,
    (wanted, when): (&SetUp<'_>, When),
) -> Result<Option<PlainToken>, ApplyError> {
    let issued = stored_links::last(tx, &by, OneTimeLinkPurpose::SetUp).await?;
    if issued.as_ref().is_some_and(|link| link.used) {
        return Ok(None);
    }
    let root = partners::root(tx, &by).await?;
    let known = match &root {
        Some(root) => owner_of(tx, &by, root, issued.as_ref().map(|link| link.user)).await?,
        None => None,
    };
    if known.is_some() && issued.is_none() && when == When::AtStart {
        return Ok(None);
    }
    let owner = match known {
        Some(owner) => owner,
        None => make_owner(tx, ctx, by, keyring, (wanted, root)).await?,
    };
    let root = partners::root(tx, &by).await?.ok_or(StoreError::NotFound)?;
    Ok(Some(links::of_first_owner(tx, ctx, &by.at(root.id).alone(), owner, keyring).await?))
}

/// Whom the first link was made for, if that user is still there; else whoever holds most over the whole tree.
async fn owner_of(
    reader: &mut Reader,
    by: &OperatorExtent,
    root: &Partner,
    issued: Option<UserId>,
) -> Result<Option<UserId>, StoreError> {
    let at = by.at(root.id).alone();
    if let Some(user) = issued
        && users::get(reader, &at, user).await?.is_some()
    {
        return Ok(Some(user));
    }
    let holders = grants::holders_at(reader, &at, 1).await?;
    Ok(holders.first().filter(|(_, top)| *top).map(|(user, _)| *user))
}

/// Whether nobody holds a role of the catalog that stands under no other over the whole tree: then nobody could ever give
/// anything to anyone.
///
/// # Errors
/// Only those of the store.
pub async fn is_without_owner(reader: &mut Reader, by: &OperatorExtent) -> Result<bool, StoreError> {
    // What was never set up will be, when a server starts on it.
    if stored::installed(reader).await?.is_none() {
        return Ok(false);
    }
    let Some(root) = partners::root(reader, by).await? else { return Ok(false) };
    Ok(owner_of(reader, by, &root, None).await?.is_none())
}

async fn make_owner(
    tx: &mut Tx,
    ctx: &Ctx,
    by: OperatorExtent,
    keyring: &Keyring,
    (wanted, root): (&SetUp<'_>, Option<Partner>),
) -> Result<UserId, ApplyError> {
    let name = stored::installed(tx).await?.unwrap_or_else(|| wanted.catalog.to_owned());
    let catalog = catalog::shipped(&name).ok_or_else(|| ApplyError::unknown("setup", "catalog", &name))??;
    let key = match &root {
        Some(root) => root.external_id.clone().unwrap_or_else(|| root.id.to_string()),
        None => ROOT.to_owned(),
    };
    let declaration = declaration(&catalog, wanted, (&key, root.is_none()));
    // It declares no connection, so there are no settings to check.
    let means = ApplyContext::new(keyring);
    apply::within(tx, ctx, by, &declaration, &means).await?;
    let root = partners::root(tx, &by).await?.ok_or(StoreError::NotFound)?;
    let owner = users::by_login(tx, &by.at(root.id).alone(), wanted.owner).await?;
    owner.ok_or_else(|| ApplyError::unknown(&root.name, "user", wanted.owner))
}

fn declaration(catalog: &Catalog, wanted: &SetUp<'_>, (key, fresh): (&str, bool)) -> Declaration {
    let top = catalog.levels.first().map(|level| level.name.clone()).unwrap_or_default();
    let root = PartnerDecl {
        key: key.to_owned(),
        name: wanted.company.to_owned(),
        parent: None,
        level: top,
        department: false,
    };
    let roles = catalog.roles.iter().filter(|role| role.parent.is_none());
    Declaration {
        catalog: Some(catalog.name.clone()),
        partners: fresh.then_some(root).into_iter().collect(),
        users: vec![UserDecl {
            partner: key.to_owned(),
            login_name: wanted.owner.to_owned(),
            display_name: wanted.owner.to_owned(),
            email: wanted.owner.contains('@').then(|| wanted.owner.to_owned()),
        }],
        grants: roles.map(|role| first_grant(&role.name, wanted.owner, key)).collect(),
        ..Declaration::default()
    }
}

fn first_grant(role: &str, owner: &str, key: &str) -> GrantDecl {
    GrantDecl {
        role: role.to_owned(),
        partner: key.to_owned(),
        user: Some(owner.to_owned()),
        user_group: None,
        scope: ScopeDecl { subtree: Some(key.to_owned()), ..ScopeDecl::default() },
        reason: Some("First owner".to_owned()),
    }
}

/// Who is to be let in again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LockedOut<'a> {
    /// The partner, by its external id or its id; the root when none is named.
    pub partner: Option<&'a str>,
    /// The user, by sign-in name or id; without one, who holds most over all of the partner.
    pub user: Option<&'a str>,
}

/// A one-time sign-in link for a user at home in a partner. It grants nothing: the user must still hold what is to be
/// done.
///
/// # Errors
/// `ApplyError::Refused` when there is no such partner or user.
pub async fn recover(
    store: &Store,
    ctx: &Ctx,
    by: OperatorExtent,
    who: LockedOut<'_>,
) -> Result<PlainToken, ApplyError> {
    store
        .write_serializable(async |tx: &mut Tx| {
            let partner = match who.partner {
                Some(key) => named(tx, &by, key).await?,
                None => partners::root(tx, &by).await?.ok_or(StoreError::NotFound)?,
            };
            let at = by.at(partner.id).alone();
            let user = match who.user {
                Some(name) => match (users::by_login(tx, &at, name).await?, name.parse()) {
                    (None, Ok(id)) => users::get(tx, &at, id).await?.map(|user| user.id),
                    (found, _) => found,
                },
                None => grants::holders_at(tx, &at, 1).await?.first().map(|(user, _)| *user),
            };
            let user = user.ok_or_else(|| match who.user {
                Some(name) => ApplyError::unknown(&partner.name, "user", name),
                None => ApplyError::wrong(
                    &partner.name,
                    "nobody at home here holds a role over all of it by a grant of their own; say with `--login` who is \
                     to be let in",
                ),
            })?;
            Ok(links::create(tx, ctx, &at, user, OneTimeLinkPurpose::Recover).await?)
        })
        .await
}

async fn named(tx: &mut Tx, by: &OperatorExtent, key: &str) -> Result<Partner, ApplyError> {
    let mut found = declared::by_key(tx, by, &[key]).await?;
    if let (true, Ok(id)) = (found.is_empty(), key.parse::<PartnerId>()) {
        found = declared::by_id(tx, by, &[id]).await?;
    }
    match (found.pop(), found.is_empty()) {
        (Some(one), true) => Ok(one),
        (Some(_), false) => {
            Err(ApplyError::wrong("partner", format!("more than one has the key `{key}`; write the id instead")))
        }
        (None, _) => Err(ApplyError::unknown("partner", "partner", key)),
    }
}
