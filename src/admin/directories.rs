//! Directories, as administrators set them up.
use super::error::AdminError;
use super::{authority, most, record, validate};
use crate::domain::capability::CoreCapability;
use crate::domain::ctx::Ctx;
use crate::domain::directory::{Directory, DirectoryMode};
use crate::domain::id::{PartnerId, UserId};
use crate::provision::event::{Event, Kind};
use crate::store::extent::PartnerExtent;
use crate::store::{Store, Tx, directories};

/// What a new directory is made of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewDirectory {
    /// The name, unique in the partner.
    pub name: String,
    /// Whether and how its word counts.
    pub mode: DirectoryMode,
    /// Lower wins; none puts it after those that are there.
    pub authority: Option<i64>,
}

/// Makes a directory of a partner. Its ceiling is empty: it confers nothing until somebody who holds as much sets one.
///
/// # Errors
/// [`AdminError`]: also when the partner has one of that name.
pub async fn create(
    store: &Store,
    ctx: &Ctx,
    actor: UserId,
    partner: PartnerId,
    new: &NewDirectory,
) -> Result<Directory, AdminError> {
    store
        .write_serializable(async |tx: &mut Tx| {
            let at = authority::at_partner(tx, actor, CoreCapability::ConnectionWrite, partner, ctx.now()).await?;
            insert(tx, ctx, &at, new).await
        })
        .await
}

/// Writes a directory of the extent's partner.
pub(super) async fn insert(
    tx: &mut Tx,
    ctx: &Ctx,
    at: &PartnerExtent,
    new: &NewDirectory,
) -> Result<Directory, AdminError> {
    let known = directories::of_partner(tx, at).await?;
    most::another("directories of this partner", known.len(), most::DIRECTORIES)?;
    let last = known.iter().map(|known| known.priority).max();
    let directory = Directory {
        id: ctx.id(),
        partner: at.partner(),
        name: validate::name("name", &new.name)?,
        mode: new.mode,
        rule_set_version: 0,
        priority: new.authority.unwrap_or_else(|| last.map_or(0, |last| last.saturating_add(1))),
        version: 1,
    };
    directories::insert(tx, at, &directory, ctx.now()).await?;
    record(tx, ctx, at.partner(), Event::of(Kind::DirectoryCreated, directory.id)).await?;
    Ok(directory)
}
