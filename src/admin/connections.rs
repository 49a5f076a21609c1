//! The connections of directories, set up by an administrator in the console or over the API.
//!
//! A directory is a delegate: whoever changes its connections could speak with its voice. So all of this needs, besides the
//! capability, that the actor could give everything in the directory's ceiling. A new directory has an empty ceiling:
//! making it confers nothing on anybody.
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::directories::{self, NewDirectory};
use super::error::AdminError;
use super::{authority, most, record, slug, validate};
use crate::domain::capability::CoreCapability;
use crate::domain::ctx::Ctx;
use crate::domain::directory::{Connection, ConnectionKind, ConnectionState, DirectoryMode};
use crate::domain::id::{DirectoryId, PartnerId, TokenId, UserId};
use crate::domain::time::Timestamp;
use crate::provision::event::{Event, Kind};
use crate::secret::{Keyring, PlainToken, SealPurpose};
use crate::store::connections::{ConnectionContext, ConnectionSecrets};
use crate::store::extent::PartnerExtent;
use crate::store::{Reader, Store, Tx, connections, tokens};

/// Longest secret, in bytes.
const LONGEST_SECRET: usize = 4_096;

/// A connection about to be made, to be filled in later.
#[derive(Clone, Debug)]
pub struct NewConnection {
    /// Which connection.
    pub kind: ConnectionKind,
    /// Its name in addresses.
    pub slug: String,
    /// The client profile or product.
    pub profile: String,
    /// The attribute that names the same user at every connection of the directory.
    pub matching_attribute: Option<String>,
}

/// What a connection begins with.
#[derive(Clone, Debug)]
pub struct ConnectionInit {
    /// Settings of its kind.
    pub settings: Value,
    /// Whether it is open.
    pub state: ConnectionState,
    /// The bind password or client secret.
    pub secret: Option<SecretString>,
}

/// What becomes different; what is none stays.
#[derive(Clone, Debug, Default)]
pub struct ConnectionPatch {
    /// Another profile.
    pub profile: Option<String>,
    /// Another join, or none any more.
    pub join: Option<Option<String>>,
    /// Other settings, whole.
    pub settings: Option<Value>,
    /// Open or closed.
    pub state: Option<ConnectionState>,
    /// Another secret, or none any more.
    pub secret: Option<Option<SecretString>>,
}

impl ConnectionInit {
    /// Nothing yet. SCIM connections are open at once (nobody has a token); the others wait for their settings.
    fn none(kind: ConnectionKind) -> Self {
        let state = if kind == ConnectionKind::Scim { ConnectionState::Active } else { ConnectionState::Paused };
        Self { settings: serde_json::json!({}), state, secret: None }
    }
}

/// Makes a directory of a partner with its first connection.
///
/// # Errors
/// [`AdminError`]: the actor may not, a name is taken or will not do.
pub async fn connect(
    store: &Store,
    ctx: &Ctx,
    actor: UserId,
    partner: PartnerId,
    name: &str,
    connection: &NewConnection,
) -> Result<(), AdminError> {
    let new = NewDirectory { name: name.to_owned(), mode: DirectoryMode::Authoritative, authority: None };
    let connection = &drafted(ctx, connection, &ConnectionInit::none(connection.kind))?;
    store
        .write_serializable(async |tx: &mut Tx| {
            let at = authority::at_partner(tx, actor, CoreCapability::ConnectionWrite, partner, ctx.now()).await?;
            let directory = directories::insert(tx, ctx, &at, &new).await?;
            insert(tx, ctx, &at, directory.id, connection.clone(), None).await.map(drop)
        })
        .await
}

/// Adds an empty connection to a directory.
///
/// # Errors
/// As [`connect`], and when the actor holds less than the directory's ceiling.
pub async fn add(
    store: &Store,
    ctx: &Ctx,
    actor: UserId,
    directory: DirectoryId,
    connection: &NewConnection,
) -> Result<(), AdminError> {
    let connection = drafted(ctx, connection, &ConnectionInit::none(connection.kind))?;
    added(store, ctx, actor, directory, (connection, None)).await.map(drop)
}

/// Adds a connection with its settings to a directory.
///
/// # Errors
/// As [`add`], and when the settings are wrong.
pub async fn create(
    store: &Store,
    ctx: &Ctx,
    actor: UserId,
    directory: DirectoryId,
    (connection, filling): (&NewConnection, &ConnectionInit),
    keyring: &Keyring,
) -> Result<ConnectionContext, AdminError> {
    let draft = drafted(ctx, connection, filling)?;
    fit(&draft.0)?;
    joins(&draft.0, draft.1.as_deref())?;
    let secret = sealed(ctx, keyring, &draft.0, filling.secret.as_ref())?;
    added(store, ctx, actor, directory, (draft, secret)).await
}

/// A connection that is not of any directory yet, with its join.
pub(super) type Draft = (Connection, Option<String>);

async fn added(
    store: &Store,
    ctx: &Ctx,
    actor: UserId,
    directory: DirectoryId,
    (draft, secret): (Draft, Option<Vec<u8>>),
) -> Result<ConnectionContext, AdminError> {
    let (draft, secret) = (&draft, &secret);
    store
        .write_serializable(async |tx: &mut Tx| {
            let at = authority::at_directory(tx, actor, CoreCapability::ConnectionWrite, directory, ctx.now()).await?;
            authority::covers(tx, actor, &at, directory, ctx.now()).await?;
            insert(tx, ctx, &at, directory, draft.clone(), secret.clone()).await
        })
        .await
}

/// A connection of these parts, checked as far as it can be without its settings.
pub(super) fn drafted(ctx: &Ctx, connection: &NewConnection, filling: &ConnectionInit) -> Result<Draft, AdminError> {
    slug::check(&connection.slug)
        .map_err(|why| AdminError::Invalid(format!("The field `slug` will not do: {why}.")))?;
    let record = Connection {
        id: ctx.id(),
        directory: ctx.id(),
        kind: connection.kind,
        slug: connection.slug.clone(),
        profile: validate::name("profile", &connection.profile)?,
        state: filling.state,
        settings: filling.settings.clone(),
        version: 1,
        created_at: ctx.now(),
    };
    Ok((record, validate::optional("matching_attribute", connection.matching_attribute.as_deref())?))
}

async fn insert(
    tx: &mut Tx,
    ctx: &Ctx,
    at: &PartnerExtent,
    directory: DirectoryId,
    (connection, matching_attribute): Draft,
    secret: Option<Vec<u8>>,
) -> Result<ConnectionContext, AdminError> {
    let known = connections::of_directory(tx, at, directory).await?.len();
    most::another("connections of this directory", known, most::CONNECTIONS)?;
    let new = Connection { directory, ..connection };
    connections::insert(tx, at, &new, ConnectionSecrets { matching_attribute, secret }, ctx.now()).await?;
    let line = Event::of(Kind::ConnectionCreated, new.id).id("directory", directory);
    record(tx, ctx, at.partner(), line).await?;
    Ok(connections::get(tx, at, new.id).await?)
}

/// Changes a connection; with `expected`, only when it still has that version. An open one must have settings that work.
///
/// # Errors
/// [`AdminError`].
pub async fn change(
    store: &Store,
    ctx: &Ctx,
    actor: UserId,
    (slug, expected): (&str, Option<i64>),
    change: &ConnectionPatch,
    keyring: &Keyring,
) -> Result<ConnectionContext, AdminError> {
    store
        .write_serializable(async |tx: &mut Tx| {
            let (at, connection) = guarded(tx, ctx, actor, slug).await?;
            if expected.is_some_and(|version| version != connection.connection.version) {
                return Err(AdminError::Stale);
            }
            let (wanted, join, mut changed) = wanted(&connection, change)?;
            if !changed.is_empty() {
                fit(&wanted)?;
                if join != connection.matching_attribute {
                    joins(&wanted, join.as_deref())?;
                }
                if change.secret.is_none() {
                    keeps_secret(tx, &connection, &wanted).await?;
                }
                connections::update(tx, &at, &connection, &wanted, join, ctx.now()).await?;
            }
            if let Some(secret) = &change.secret {
                let secret = sealed(ctx, keyring, &wanted, secret.as_ref())?;
                connections::seal(tx, &at, wanted.id, secret, ctx.now()).await?;
                changed.push("secret".to_owned());
            }
            if !changed.is_empty() {
                let line = Event::of(Kind::ConnectionUpdated, wanted.id).names("attributes", &changed);
                record(tx, ctx, at.partner(), line).await?;
            }
            Ok(connections::get(tx, &at, wanted.id).await?)
        })
        .await
}

/// What a connection becomes: itself, its join, and the names of what differs.
pub(super) fn wanted(
    connection: &ConnectionContext,
    change: &ConnectionPatch,
) -> Result<(Connection, Option<String>, Vec<String>), AdminError> {
    let known = &connection.connection;
    let profile = change.profile.as_deref().map(|profile| validate::name("profile", profile)).transpose()?;
    let wanted = Connection {
        profile: profile.unwrap_or_else(|| known.profile.clone()),
        settings: change.settings.clone().unwrap_or_else(|| known.settings.clone()),
        state: change.state.unwrap_or(known.state),
        ..known.clone()
    };
    let join = match &change.join {
        None => connection.matching_attribute.clone(),
        Some(join) => validate::optional("matching_attribute", join.as_deref())?,
    };
    let differs = [
        ("profile", wanted.profile != known.profile),
        ("settings", wanted.settings != known.settings),
        ("state", wanted.state != known.state),
        ("matching_attribute", join != connection.matching_attribute),
    ];
    let changed = differs.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name.to_owned()).collect();
    Ok((wanted, join, changed))
}

/// An open connection must have settings that work; one that is set up step by step may have none yet.
pub(super) fn fit(connection: &Connection) -> Result<(), AdminError> {
    let empty = connection.settings.as_object().is_some_and(serde_json::Map::is_empty);
    if empty && connection.state == ConnectionState::Paused {
        return Ok(());
    }
    crate::connection::check(connection.kind, &connection.profile, &connection.settings)
        .map_err(|why| AdminError::Invalid(format!("Invalid `settings`: {why}")))
}

/// Refuses a join attribute that the connection cannot have.
pub(super) fn joins(connection: &Connection, join: Option<&str>) -> Result<(), AdminError> {
    let Some(join) = join else { return Ok(()) };
    crate::connection::check_matching(connection.kind, &connection.profile, &connection.settings, join)
        .map_err(|why| AdminError::Invalid(format!("Invalid `matching_attribute`: {why}")))
}

/// Refuses a change that would show the stored secret to somebody else than it was given for, under another name, or on
/// a line that is protected otherwise.
pub(super) async fn keeps_secret(
    reader: &mut Reader,
    connection: &ConnectionContext,
    wanted: &Connection,
) -> Result<(), AdminError> {
    if wanted.destination() == connection.connection.destination() {
        return Ok(());
    }
    match connections::secret(reader, &connection.extent).await? {
        None => Ok(()),
        Some(_) => Err(AdminError::Invalid(format!(
            "The stored secret belongs to the address, the name and the protection that it was given for. Give the \
             secret again together with the new settings ({}), or take the stored one away.",
            connection.connection.kind.destination_settings().join(", ")
        ))),
    }
}

/// The secret as it is stored; SCIM connections have none.
pub(super) fn sealed(
    ctx: &Ctx,
    keys: &Keyring,
    connection: &Connection,
    secret: Option<&SecretString>,
) -> Result<Option<Vec<u8>>, AdminError> {
    let Some(secret) = secret else { return Ok(None) };
    if connection.kind == ConnectionKind::Scim {
        return Err(AdminError::Invalid("A SCIM connection has no `secret` but tokens: make one.".to_owned()));
    }
    let plain = secret.expose_secret();
    if plain.is_empty() || plain.len() > LONGEST_SECRET {
        return Err(AdminError::Invalid(format!("The `secret` needs 1 to {LONGEST_SECRET} bytes.")));
    }
    let sealed = keys.seal(ctx, SealPurpose::secret_of(connection), plain.as_bytes());
    sealed.map(Some).map_err(|fault| AdminError::Invalid(fault.to_string()))
}

/// Opens or pauses a connection.
///
/// # Errors
/// [`AdminError`].
pub async fn set_state(
    store: &Store,
    ctx: &Ctx,
    actor: UserId,
    slug: &str,
    state: ConnectionState,
) -> Result<(), AdminError> {
    store
        .write_serializable(async |tx: &mut Tx| {
            let (at, connection) = guarded(tx, ctx, actor, slug).await?;
            if connection.connection.state == state {
                return Ok(());
            }
            let changed = Connection { state, ..connection.connection.clone() };
            connections::update(tx, &at, &connection, &changed, connection.matching_attribute.clone(), ctx.now())
                .await?;
            let line = Event::of(Kind::ConnectionUpdated, changed.id).word("state", state.as_str());
            Ok(record(tx, ctx, at.partner(), line).await?)
        })
        .await
}

/// Other settings for a connection; with `secret`, another one too. What the settings mean is for the caller to have
/// checked.
///
/// # Errors
/// [`AdminError`].
pub async fn set_settings(
    store: &Store,
    ctx: &Ctx,
    actor: UserId,
    slug: &str,
    (config, secret): (&Value, Option<&str>),
    keys: &Keyring,
) -> Result<(), AdminError> {
    let secret = secret.map(|secret| Some(SecretString::from(secret.to_owned())));
    let wanted = ConnectionPatch { settings: Some(config.clone()), secret, ..ConnectionPatch::default() };
    change(store, ctx, actor, (slug, None), &wanted, keys).await.map(drop)
}

/// Makes a bearer token for a SCIM connection; the only time it is told.
///
/// # Errors
/// [`AdminError`].
pub async fn make_token(
    store: &Store,
    ctx: &Ctx,
    actor: UserId,
    slug: &str,
    name: &str,
) -> Result<PlainToken, AdminError> {
    issue_token(store, ctx, actor, slug, (name, None)).await.map(|(_, token)| token)
}

/// Like [`make_token`], for a token that ends by itself.
///
/// # Errors
/// [`AdminError`].
pub async fn issue_token(
    store: &Store,
    ctx: &Ctx,
    actor: UserId,
    slug: &str,
    (name, expires_at): (&str, Option<Timestamp>),
) -> Result<(TokenId, PlainToken), AdminError> {
    let name = &validate::name("name", name)?;
    if expires_at.is_some_and(|end| end <= ctx.now()) {
        return Err(AdminError::Invalid("The moment in `expires_at` lies in the past.".to_owned()));
    }
    store
        .write_serializable(async |tx: &mut Tx| {
            let (at, connection) = guarded(tx, ctx, actor, slug).await?;
            if connection.connection.kind != ConnectionKind::Scim {
                return Err(AdminError::Conflict("Only SCIM connections have tokens.".to_owned()));
            }
            let known = tokens::list(tx, &at, connection.connection.id).await?;
            let living = known.iter().filter(|one| one.lives(ctx.now())).count();
            most::another("tokens of this connection", living, most::CONNECTION_TOKENS)?;
            tokens::forget_ended(tx, &at, connection.connection.id, ctx.now(), most::ENDED_TOKENS).await?;
            let (id, text) = tokens::create(tx, &at, ctx, connection.connection.id, name, expires_at).await?;
            let line = Event::of(Kind::ConnectionTokenCreated, connection.connection.id).id("token", id);
            record(tx, ctx, at.partner(), line).await?;
            Ok((id, text))
        })
        .await
}

/// Ends a token: the next request with it is refused.
///
/// # Errors
/// [`AdminError`].
pub async fn end_token(store: &Store, ctx: &Ctx, actor: UserId, slug: &str, token: TokenId) -> Result<(), AdminError> {
    store
        .write_serializable(async |tx: &mut Tx| {
            let (at, connection) = guarded(tx, ctx, actor, slug).await?;
            let known = tokens::list(tx, &at, connection.connection.id).await?;
            if !known.iter().any(|one| one.id == token) {
                return Err(AdminError::NotFound);
            }
            tokens::revoke(tx, &at, token, ctx.now()).await?;
            let line = Event::of(Kind::ConnectionTokenRevoked, connection.connection.id).id("token", token);
            Ok(record(tx, ctx, at.partner(), line).await?)
        })
        .await
}

/// The connection, when the actor may change it.
pub(super) async fn guarded(
    reader: &mut Reader,
    ctx: &Ctx,
    actor: UserId,
    slug: &str,
) -> Result<(PartnerExtent, ConnectionContext), AdminError> {
    let (at, connection) =
        authority::at_connection(reader, actor, CoreCapability::ConnectionWrite, slug, ctx.now()).await?;
    authority::covers(reader, actor, &at, connection.connection.directory, ctx.now()).await?;
    Ok((at, connection))
}
