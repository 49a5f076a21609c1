//! The connections of a directory, held to what administrators are held to.
use secrecy::ExposeSecret;

use super::error::Spot;
use super::{ApplyError, Run, settings};
use crate::admin::connections::{
    ConnectionInit, ConnectionPatch, Draft, NewConnection, drafted, fit, joins, keeps_secret, sealed, wanted,
};
use crate::admin::declaration::ConnectionDecl;
use crate::admin::error::AdminError;
use crate::admin::record;
use crate::domain::directory::{Connection, ConnectionKind, ConnectionState};
use crate::domain::id::{ConnectionId, DirectoryId};
use crate::provision::event::{Event, Kind};
use crate::secret::{SealPurpose, same};
use crate::store::connections::{self, ConnectionContext, ConnectionSecrets};
use crate::store::extent::PartnerExtent;
use crate::store::{Tx, resources, tokens};

pub(super) async fn one(
    tx: &mut Tx,
    run: &mut Run<'_>,
    place: &Spot,
    at: &PartnerExtent,
    directory: DirectoryId,
    decl: &ConnectionDecl,
) -> Result<(), ApplyError> {
    let kind = ConnectionKind::parse(&decl.kind)
        .ok_or_else(|| place.part("kind").unknown("kind of connection", &decl.kind))?;
    let settings = serde_json::to_value(&decl.settings)
        .map_err(|error| place.part("settings").wrong(format!("its settings cannot be kept: {error}")))?;
    let state = if decl.paused { ConnectionState::Paused } else { ConnectionState::Active };
    let filling = ConnectionInit { settings, state, secret: None };
    let known = match run.known.connection(at.partner(), &decl.slug) {
        Some(connection) => Some(connection.clone()),
        None => connections::by_slug(tx, at, &decl.slug).await?,
    };
    let id = match known {
        Some(connection) if connection.connection.kind != kind || connection.connection.directory != directory => {
            return Err(place.wrong("its kind and its directory cannot be changed"));
        }
        Some(connection) => change(tx, run, place, at, &connection, (decl, filling)).await?,
        None => create(tx, run, place, at, directory, (kind, decl, filling)).await?,
    };
    token(tx, run, place, at, (id, kind), decl).await
}

/// The value that a refusal speaks of.
fn blamed(place: &Spot, refused: &AdminError) -> Spot {
    let told = refused.to_string();
    let values = [
        ("`slug`", "slug"),
        ("profile", "profile"),
        ("`matching_attribute`", "matching_attribute"),
        ("`secret`", "secret"),
    ];
    let found = values.into_iter().find(|(word, _)| told.contains(word));
    place.part(found.map_or("settings", |(_, value)| value))
}

async fn create(
    tx: &mut Tx,
    run: &mut Run<'_>,
    place: &Spot,
    at: &PartnerExtent,
    directory: DirectoryId,
    (kind, decl, filling): (ConnectionKind, &ConnectionDecl, ConnectionInit),
) -> Result<ConnectionId, ApplyError> {
    if resources::of_connection(tx, &decl.slug).await?.is_some() {
        return Err(place.part("slug").wrong("another partner has a connection of this slug; choose another"));
    }
    let refused = |refused: AdminError| blamed(place, &refused).refused(refused);
    let (slug, profile, join) = (decl.slug.clone(), decl.profile.clone(), decl.matching_attribute.clone());
    let (draft, matching_attribute): Draft =
        drafted(run.ctx, &NewConnection { kind, slug, profile, matching_attribute: join }, &filling)
            .map_err(refused)?;
    fit(&draft).map_err(refused)?;
    joins(&draft, matching_attribute.as_deref()).map_err(refused)?;
    let secret = run.means.connections.get(&decl.slug);
    let secret = sealed(run.ctx, run.means.keyring, &draft, secret).map_err(refused)?;
    let mut parts = vec![kind.as_str().to_owned(), format!("profile {}", draft.profile)];
    parts.extend(matching_attribute.as_ref().map(|join| format!("matching attribute {join}")));
    if draft.state == ConnectionState::Paused {
        parts.push("paused".to_owned());
    }
    parts.extend(settings::differences(&serde_json::json!({}), &draft.settings));
    if secret.is_some() {
        parts.push("with a secret".to_owned());
    }
    let new = Connection { directory, ..draft };
    connections::insert(tx, at, &new, ConnectionSecrets { matching_attribute, secret }, run.ctx.now()).await?;
    let event = Event::of(Kind::ConnectionCreated, new.id).id("directory", directory);
    record(tx, run.ctx, at.partner(), event).await?;
    run.plan.created(format!("{place}: {}", parts.join(", ")));
    Ok(new.id)
}

async fn change(
    tx: &mut Tx,
    run: &mut Run<'_>,
    place: &Spot,
    at: &PartnerExtent,
    connection: &ConnectionContext,
    (decl, filling): (&ConnectionDecl, ConnectionInit),
) -> Result<ConnectionId, ApplyError> {
    let refused = |refused: AdminError| blamed(place, &refused).refused(refused);
    let known = &connection.connection;
    let change = ConnectionPatch {
        profile: Some(decl.profile.clone()),
        join: Some(decl.matching_attribute.clone()),
        settings: Some(filling.settings),
        state: Some(filling.state),
        secret: None,
    };
    let (wanted, join, mut changed) = wanted(connection, &change).map_err(refused)?;
    fit(&wanted).map_err(refused)?;
    if join != connection.matching_attribute {
        joins(&wanted, join.as_deref()).map_err(refused)?;
    }
    let mut parts = Vec::new();
    if wanted.profile != known.profile {
        parts.push(format!("profile {} → {}", known.profile, wanted.profile));
    }
    if join != connection.matching_attribute {
        let said = |join: &Option<String>| join.clone().unwrap_or_else(|| "none".to_owned());
        parts.push(format!("matching attribute {} → {}", said(&connection.matching_attribute), said(&join)));
    }
    if wanted.state != known.state {
        parts.push(format!("{} → {}", known.state.as_str(), wanted.state.as_str()));
    }
    parts.extend(settings::differences(&known.settings, &wanted.settings));
    if !changed.is_empty() {
        if !run.means.connections.contains_key(&decl.slug) {
            keeps_secret(tx, connection, &wanted).await.map_err(refused)?;
        }
        connections::update(tx, at, connection, &wanted, join, run.ctx.now()).await?;
    }
    if let Some(secret) = run.means.connections.get(&decl.slug) {
        // Also refuses one that this kind of connection does not have.
        let sealed = sealed(run.ctx, run.means.keyring, &wanted, Some(secret)).map_err(refused)?;
        let stored = connections::secret(tx, &connection.extent).await?;
        let opened = stored.and_then(|stored| run.means.keyring.open(SealPurpose::secret_of(&wanted), &stored).ok());
        if !opened.is_some_and(|opened| same(&opened, secret.expose_secret().as_bytes())) {
            connections::seal(tx, at, known.id, sealed, run.ctx.now()).await?;
            changed.push("secret".to_owned());
            parts.push("secret changed".to_owned());
        }
    }
    if !changed.is_empty() {
        let event = Event::of(Kind::ConnectionUpdated, known.id).names("attributes", &changed);
        record(tx, run.ctx, at.partner(), event).await?;
        run.plan.changed(format!("{place}: {}", parts.join(", ")));
    }
    Ok(known.id)
}

async fn token(
    tx: &mut Tx,
    run: &mut Run<'_>,
    place: &Spot,
    at: &PartnerExtent,
    (id, kind): (ConnectionId, ConnectionKind),
    decl: &ConnectionDecl,
) -> Result<(), ApplyError> {
    let Some(text) = run.means.tokens.get(&decl.slug) else { return Ok(()) };
    if kind != ConnectionKind::Scim {
        return Err(place.part("token").wrong("only SCIM connections have tokens"));
    }
    let adopted = tokens::adopt(tx, at, run.ctx, id, "declared", text.expose_secret()).await?;
    let why = "its token must be `rcs_` and 43 letters, digits, - or _";
    if adopted.ok_or_else(|| place.part("token").wrong(why))? {
        record(tx, run.ctx, at.partner(), Event::of(Kind::ConnectionTokenCreated, id)).await?;
        run.plan.created(format!("token of {place}"));
    }
    Ok(())
}
