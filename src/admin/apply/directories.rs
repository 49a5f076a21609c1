//! Directories, their ceilings and their connections.
use secrecy::ExposeSecret;

use super::{ApplyError, Run, rules};
use crate::admin::declaration::{ConnectionDecl, DirectoryDecl};
use crate::admin::record;
use crate::domain::directory::{Ceiling, Connection, ConnectionKind, ConnectionState, Directory, Mode};
use crate::domain::id::{ConnectionId, DirectoryId};
use crate::provision::event::{Event, Kind};
use crate::provision::place;
use crate::secret::Purpose;
use crate::store::connections::Extra;
use crate::store::extent::PartnerExtent;
use crate::store::{Tx, connections, directories, tokens};

pub(super) async fn all(tx: &mut Tx, run: &mut Run<'_>, decls: &[DirectoryDecl]) -> Result<(), ApplyError> {
    for decl in decls {
        let place = format!("directory {} of {}", decl.name, decl.partner);
        let at = run.partner(tx, &place, &decl.partner).await?;
        let id = directory(tx, run, &place, &at, decl).await?;
        ceilings(tx, run, &place, &at, id, decl).await?;
        for door in &decl.connections {
            connection(tx, run, &at, id, door).await?;
        }
        rules::all(tx, run, &place, &at, id, &decl.rules).await?;
    }
    Ok(())
}

async fn directory(
    tx: &mut Tx,
    run: &mut Run<'_>,
    place: &str,
    at: &PartnerExtent,
    decl: &DirectoryDecl,
) -> Result<DirectoryId, ApplyError> {
    let mode = Mode::parse(&decl.mode).ok_or_else(|| ApplyError::unknown(place, "mode", &decl.mode))?;
    if let Some(known) = directories::by_name(tx, at, &decl.name).await? {
        let wanted = Directory { mode, authority: decl.authority, ..known.clone() };
        if wanted != known {
            directories::update(tx, at, &wanted).await?;
            // Whether its rules count, and before whose, decides who is placed where.
            place::everyone(tx, run.ctx, at, known.id).await?;
            record(tx, run.ctx, at.partner(), Event::of(Kind::DirectoryChanged, known.id)).await?;
            run.changed(format!("{place}: {}", mode.as_str()));
        }
        return Ok(known.id);
    }
    let new = Directory {
        id: run.ctx.id(),
        partner: at.partner(),
        name: decl.name.clone(),
        mode,
        rule_version: 0,
        authority: decl.authority,
        version: 1,
    };
    directories::insert(tx, at, &new, run.ctx.now()).await?;
    record(tx, run.ctx, at.partner(), Event::of(Kind::DirectoryCreated, new.id)).await?;
    run.created(place.to_owned());
    Ok(new.id)
}

async fn ceilings(
    tx: &mut Tx,
    run: &mut Run<'_>,
    place: &str,
    at: &PartnerExtent,
    id: DirectoryId,
    decl: &DirectoryDecl,
) -> Result<(), ApplyError> {
    let known = directories::ceilings(tx, at, id).await?;
    let mut wanted = Vec::new();
    for row in &decl.ceilings {
        let role = run.role(tx, place, at, &row.role).await?.id;
        wanted.push(Ceiling { role, scope: run.scope(tx, place, &row.scope).await? });
    }
    if wanted.len() == known.len() && wanted.iter().all(|row| known.contains(row)) {
        return Ok(());
    }
    directories::set_ceilings(tx, at, id, &wanted, run.ctx).await?;
    record(tx, run.ctx, at.partner(), Event::of(Kind::DirectoryChanged, id)).await?;
    let roles: Vec<_> = decl.ceilings.iter().map(|row| row.role.as_str()).collect();
    run.changed(format!("{place}: its ceiling is {}", roles.join(", ")));
    Ok(())
}

async fn connection(
    tx: &mut Tx,
    run: &mut Run<'_>,
    at: &PartnerExtent,
    directory: DirectoryId,
    decl: &ConnectionDecl,
) -> Result<(), ApplyError> {
    let place = format!("connection {}", decl.slug);
    let kind = ConnectionKind::parse(&decl.kind)
        .ok_or_else(|| ApplyError::unknown(&place, "kind of connection", &decl.kind))?;
    let config = serde_json::to_value(&decl.settings)
        .map_err(|error| ApplyError::wrong(&place, format!("its settings cannot be kept: {error}")))?;
    let state = if decl.paused { ConnectionState::Paused } else { ConnectionState::Active };
    let id = match connections::by_slug(tx, at, &decl.slug).await? {
        Some(door) => {
            let known = door.connection;
            if known.kind != kind || known.directory != directory {
                return Err(ApplyError::wrong(place, "its kind and its directory cannot be changed"));
            }
            let wanted = Connection { profile: decl.profile.clone(), state, config, ..known.clone() };
            if wanted != known || door.join_attribute != decl.join {
                connections::update(tx, at, &wanted, decl.join.clone(), run.ctx.now()).await?;
                record(tx, run.ctx, at.partner(), Event::of(Kind::ConnectionChanged, known.id)).await?;
                run.changed(place.clone());
            }
            let secret = seal(run, &place, known.id, &decl.slug)?;
            if secret.is_some() {
                connections::seal(tx, at, known.id, secret, run.ctx.now()).await?;
            }
            known.id
        }
        None => {
            super::super::slug::check(&decl.slug).map_err(|why| ApplyError::wrong(&place, why))?;
            let new = Connection {
                id: run.ctx.id(),
                directory,
                kind,
                slug: decl.slug.clone(),
                profile: decl.profile.clone(),
                state,
                config,
                version: 1,
                created_at: run.ctx.now(),
            };
            let secret = seal(run, &place, new.id, &decl.slug)?;
            let extra = Extra { join_attribute: decl.join.clone(), secret };
            connections::insert(tx, at, &new, extra, run.ctx.now()).await?;
            record(tx, run.ctx, at.partner(), Event::of(Kind::ConnectionCreated, new.id)).await?;
            run.created(place.clone());
            new.id
        }
    };
    token(tx, run, at, id, decl).await
}

/// The connection's secret as it is stored; a changed one is written anew each time, since sealed ones cannot be told
/// apart.
fn seal(run: &Run<'_>, place: &str, id: ConnectionId, slug: &str) -> Result<Option<Vec<u8>>, ApplyError> {
    let Some(plain) = run.secrets.connections.get(slug) else { return Ok(None) };
    let sealed = run.secrets.keyring.seal(run.ctx, Purpose::Connection(id), plain.expose_secret().as_bytes());
    sealed.map(Some).map_err(|fault| ApplyError::wrong(place, fault.to_string()))
}

async fn token(
    tx: &mut Tx,
    run: &mut Run<'_>,
    at: &PartnerExtent,
    id: ConnectionId,
    decl: &ConnectionDecl,
) -> Result<(), ApplyError> {
    let Some(text) = run.secrets.tokens.get(&decl.slug) else { return Ok(()) };
    let adopted = tokens::adopt(tx, at, run.ctx, id, "declared", text.expose_secret()).await?;
    let why = "its token must be `rcs_` and 43 letters, digits, - or _";
    if adopted.ok_or_else(|| ApplyError::wrong(format!("connection {}", decl.slug), why))? {
        record(tx, run.ctx, at.partner(), Event::of(Kind::TokenCreated, id)).await?;
        run.created(format!("token of connection {}", decl.slug));
    }
    Ok(())
}
