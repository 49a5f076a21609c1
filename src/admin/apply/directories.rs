//! Directories, with what belongs to them.
use super::{ApplyError, Run, ceilings, connections, rules};
use crate::admin::declaration::DirectoryDecl;
use crate::admin::record;
use crate::domain::directory::{Directory, Mode};
use crate::domain::id::DirectoryId;
use crate::provision::event::{Event, Kind};
use crate::provision::place;
use crate::store::extent::PartnerExtent;
use crate::store::{Tx, directories};

pub(super) async fn all(tx: &mut Tx, run: &mut Run<'_>, decls: &[DirectoryDecl]) -> Result<(), ApplyError> {
    for decl in decls {
        let place = format!("directory {} of {}", decl.name, decl.partner);
        let at = run.partner(tx, &place, &decl.partner).await?;
        let id = directory(tx, run, &place, &at, decl).await?;
        let most = ceilings::set(tx, run, &place, &at, id, decl).await?;
        for door in &decl.connections {
            connections::one(tx, run, &place, &at, id, door).await?;
        }
        let set = rules::Set { place: &place, at: &at, directory: id, ceilings: &most };
        rules::all(tx, run, &set, &decl.rules).await?;
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
    let name = super::name(place, "name", &decl.name)?;
    let Some(known) = directories::by_name(tx, at, &name).await? else {
        let new = Directory {
            id: run.ctx.id(),
            partner: at.partner(),
            name,
            mode,
            rule_version: 0,
            authority: decl.authority,
            version: 1,
        };
        directories::insert(tx, at, &new, run.ctx.now()).await?;
        record(tx, run.ctx, at.partner(), Event::of(Kind::DirectoryCreated, new.id)).await?;
        run.plan.created(format!("{place}, {}", mode.as_str()));
        return Ok(new.id);
    };
    let wanted = Directory { name, mode, authority: decl.authority, ..known.clone() };
    if wanted != known {
        directories::update(tx, at, &wanted).await?;
        // Whether its rules count, and before whose, decides who is placed where.
        place::everyone(tx, run.ctx, at, known.id).await?;
        run.loose.places.insert(known.id, *at);
        record(tx, run.ctx, at.partner(), Event::of(Kind::DirectoryChanged, known.id)).await?;
        run.plan.changed(format!("{place}: {}", differences(&known, &wanted).join(", ")));
    }
    Ok(known.id)
}

fn differences(known: &Directory, wanted: &Directory) -> Vec<String> {
    let mut differs = Vec::new();
    if known.name != wanted.name {
        differs.push(format!("name “{}” → “{}”", known.name, wanted.name));
    }
    if known.mode != wanted.mode {
        differs.push(format!("mode {} → {}", known.mode.as_str(), wanted.mode.as_str()));
    }
    if known.authority != wanted.authority {
        differs.push(format!("authority {} → {}", known.authority, wanted.authority));
    }
    differs
}
