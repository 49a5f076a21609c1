//! Directories and their doors, set up by an administrator in the console or over the API.
//!
//! A directory is a delegate: whoever changes its doors could speak with its voice. So all of this needs, besides the
//! capability, that the actor could give everything in the directory's ceiling. A new directory has an empty ceiling:
//! making it confers nothing on anybody.
use super::refused::Refused;
use super::{record, slug};
use crate::domain::capability::Core;
use crate::domain::ctx::Ctx;
use crate::domain::directory::{Connection, ConnectionKind, ConnectionState, Directory, Mode};
use crate::domain::grant::Resource;
use crate::domain::id::{DirectoryId, PartnerId, TokenId, UserId};
use crate::domain::time::Window;
use crate::provision::event::{Event, Kind};
use crate::secret::{Keyring, Purpose, Token};
use crate::store::connections::{Door, Extra};
use crate::store::extent::PartnerExtent;
use crate::store::{Store, Tx, connections, directories, effective, effective_lists, resources, tokens};

/// The longest name, in characters.
const LONGEST_NAME: usize = 120;

/// A door about to be made.
#[derive(Clone, Debug)]
pub struct NewDoor {
    /// Which door.
    pub kind: ConnectionKind,
    /// Its name in addresses.
    pub slug: String,
    /// The client profile or product.
    pub profile: String,
    /// The attribute that names the same person at every door of the directory.
    pub join: Option<String>,
}

/// Makes a directory of a partner with its first door. SCIM doors are open at once (nobody has a token yet); the others
/// wait for their settings.
///
/// # Errors
/// [`Refused`]: the actor may not, a name is taken or will not do.
pub async fn connect(
    store: &Store,
    ctx: &Ctx,
    actor: UserId,
    partner: PartnerId,
    name: &str,
    door: &NewDoor,
) -> Result<(), Refused> {
    let name = checked_name(name, "The directory")?;
    checked(door)?;
    store
        .write_serializable(async |tx: &mut Tx| {
            let about = Resource { partner, group: None, owner: None };
            let at = effective::authorize(tx, actor, Core::ConnectionWrite, about, ctx.now()).await?;
            let directory = Directory {
                id: ctx.id(),
                partner,
                name: name.to_owned(),
                mode: Mode::Authoritative,
                rule_version: 0,
                authority: 0,
                version: 1,
            };
            directories::insert(tx, &at, &directory, ctx.now()).await?;
            record(tx, ctx, partner, Event::of(Kind::DirectoryCreated, directory.id)).await?;
            insert(tx, ctx, &at, directory.id, door).await
        })
        .await
}

/// Adds a door to a directory.
///
/// # Errors
/// As [`connect`], and when the actor holds less than the directory's ceiling.
pub async fn add(
    store: &Store,
    ctx: &Ctx,
    actor: UserId,
    directory: DirectoryId,
    door: &NewDoor,
) -> Result<(), Refused> {
    checked(door)?;
    store
        .write_serializable(async |tx: &mut Tx| {
            let about = resources::of_directory(tx, directory).await?.ok_or(Refused::NotFound)?;
            let at = effective::authorize(tx, actor, Core::ConnectionWrite, about, ctx.now()).await?;
            covers(tx, ctx, actor, &at, directory).await?;
            insert(tx, ctx, &at, directory, door).await
        })
        .await
}

/// Opens or pauses a connection.
///
/// # Errors
/// [`Refused`].
pub async fn set_state(
    store: &Store,
    ctx: &Ctx,
    actor: UserId,
    slug: &str,
    state: ConnectionState,
) -> Result<(), Refused> {
    store
        .write_serializable(async |tx: &mut Tx| {
            let (at, door) = guarded(tx, ctx, actor, slug).await?;
            if door.connection.state == state {
                return Ok(());
            }
            let changed = Connection { state, ..door.connection };
            connections::update(tx, &at, &changed, door.join_attribute, ctx.now()).await?;
            let line = Event::of(Kind::ConnectionChanged, changed.id).word("state", state.as_str());
            Ok(record(tx, ctx, at.partner(), line).await?)
        })
        .await
}

/// Other settings for a connection; with `secret`, another one too. What the settings mean is for the caller to have
/// checked.
///
/// # Errors
/// [`Refused`].
pub async fn set_settings(
    store: &Store,
    ctx: &Ctx,
    actor: UserId,
    slug: &str,
    (config, secret): (&serde_json::Value, Option<&str>),
    keys: &Keyring,
) -> Result<(), Refused> {
    store
        .write_serializable(async |tx: &mut Tx| {
            let (at, door) = guarded(tx, ctx, actor, slug).await?;
            let changed = Connection { config: config.clone(), ..door.connection };
            connections::update(tx, &at, &changed, door.join_attribute, ctx.now()).await?;
            if let Some(plain) = secret {
                let sealed = keys.seal(ctx, Purpose::Connection(changed.id), plain.as_bytes());
                let sealed = sealed.map_err(|fault| Refused::Invalid(fault.to_string()))?;
                connections::seal(tx, &at, changed.id, Some(sealed), ctx.now()).await?;
            }
            Ok(record(tx, ctx, at.partner(), Event::of(Kind::ConnectionChanged, changed.id)).await?)
        })
        .await
}

/// Makes a bearer token for a SCIM connection; the only time it is told.
///
/// # Errors
/// [`Refused`].
pub async fn make_token(store: &Store, ctx: &Ctx, actor: UserId, slug: &str, name: &str) -> Result<Token, Refused> {
    let name = checked_name(name, "The token")?;
    store
        .write_serializable(async |tx: &mut Tx| {
            let (at, door) = guarded(tx, ctx, actor, slug).await?;
            let (id, text) = tokens::create(tx, &at, ctx, door.connection.id, name, None).await?;
            let line = Event::of(Kind::TokenCreated, door.connection.id).id("token", id);
            record(tx, ctx, at.partner(), line).await?;
            Ok(text)
        })
        .await
}

/// Ends a token: the next request with it is refused.
///
/// # Errors
/// [`Refused`].
pub async fn end_token(store: &Store, ctx: &Ctx, actor: UserId, slug: &str, token: TokenId) -> Result<(), Refused> {
    store
        .write_serializable(async |tx: &mut Tx| {
            let (at, door) = guarded(tx, ctx, actor, slug).await?;
            let known = tokens::list(tx, &at, door.connection.id).await?;
            if !known.iter().any(|one| one.id == token) {
                return Err(Refused::NotFound);
            }
            tokens::revoke(tx, &at, token, ctx.now()).await?;
            let line = Event::of(Kind::TokenRevoked, door.connection.id).id("token", token);
            Ok(record(tx, ctx, at.partner(), line).await?)
        })
        .await
}

/// The connection, when the actor may change it.
async fn guarded(tx: &mut Tx, ctx: &Ctx, actor: UserId, slug: &str) -> Result<(PartnerExtent, Door), Refused> {
    let (_, about) = resources::of_connection(tx, slug).await?.ok_or(Refused::NotFound)?;
    let at = effective::authorize(tx, actor, Core::ConnectionWrite, about, ctx.now()).await?;
    let door = connections::by_slug(tx, &at, slug).await?.ok_or(Refused::NotFound)?;
    covers(tx, ctx, actor, &at, door.connection.directory).await?;
    Ok((at, door))
}

/// Whether the actor could give everything that the directory may confer.
async fn covers(
    tx: &mut Tx,
    ctx: &Ctx,
    actor: UserId,
    at: &PartnerExtent,
    directory: DirectoryId,
) -> Result<(), Refused> {
    for row in directories::ceilings(tx, at, directory).await? {
        let gift = (row.role, &row.scope, Window::default());
        if !effective_lists::may_give(tx, actor, gift, ctx.now()).await? {
            let why = "This directory may confer a role that you could not give yourself, so you may not change how \
                it is reached.";
            return Err(Refused::Forbidden(why.to_owned()));
        }
    }
    Ok(())
}

async fn insert(
    tx: &mut Tx,
    ctx: &Ctx,
    at: &PartnerExtent,
    directory: DirectoryId,
    door: &NewDoor,
) -> Result<(), Refused> {
    let state = if door.kind == ConnectionKind::Scim { ConnectionState::Active } else { ConnectionState::Paused };
    let new = Connection {
        id: ctx.id(),
        directory,
        kind: door.kind,
        slug: door.slug.clone(),
        profile: door.profile.clone(),
        state,
        config: serde_json::json!({}),
        version: 1,
        created_at: ctx.now(),
    };
    let extra = Extra { join_attribute: door.join.clone(), secret: None };
    connections::insert(tx, at, &new, extra, ctx.now()).await?;
    Ok(record(tx, ctx, at.partner(), Event::of(Kind::ConnectionCreated, new.id)).await?)
}

fn checked(door: &NewDoor) -> Result<(), Refused> {
    slug::check(&door.slug).map_err(|why| Refused::Invalid(format!("The name in addresses will not do: {why}.")))
}

fn checked_name<'a>(name: &'a str, what: &str) -> Result<&'a str, Refused> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(Refused::Invalid(format!("{what} needs a name of at most {LONGEST_NAME} characters.")));
    }
    Ok(name)
}
