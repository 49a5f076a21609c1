//! Directories, with what belongs to them.
use super::error::Spot;
use super::{ApplyError, Run, ceilings, connections, rules};
use crate::admin::declaration::DirectoryDecl;
use crate::admin::record;
use crate::domain::directory::{Directory, DirectoryMode};
use crate::domain::id::DirectoryId;
use crate::provision::event::{Event, Kind};
use crate::provision::primary_group;
use crate::store::extent::PartnerExtent;
use crate::store::{Tx, directories, directory_summaries};

pub(super) async fn all(tx: &mut Tx, run: &mut Run<'_>, decls: &[DirectoryDecl]) -> Result<(), ApplyError> {
    for (number, decl) in decls.iter().enumerate() {
        let spot = decl.spot(number);
        if run.twice.contains(spot.at()) {
            continue;
        }
        let done = whole(tx, run, &spot, decl).await;
        run.note(done)?;
    }
    Ok(())
}

async fn whole(tx: &mut Tx, run: &mut Run<'_>, spot: &Spot, decl: &DirectoryDecl) -> Result<(), ApplyError> {
    let at = run.partner(tx, &spot.part("partner"), &decl.partner).await?;
    let id = directory(tx, run, spot, &at, decl).await?;
    let most = ceilings::set(tx, run, spot, &at, id, decl).await;
    let most = run.note(most)?;
    for (number, connection) in decl.connections.iter().enumerate() {
        let place = connection.spot(spot, number);
        if !run.twice.contains(place.at()) {
            let done = connections::one(tx, run, &place, &at, id, connection).await;
            run.note(done)?;
        }
    }
    let set = rules::RuleSet { place: spot, at: &at, directory: id, ceilings: &most.unwrap_or_default() };
    rules::all(tx, run, &set, &decl.rules).await
}

async fn directory(
    tx: &mut Tx,
    run: &mut Run<'_>,
    place: &Spot,
    at: &PartnerExtent,
    decl: &DirectoryDecl,
) -> Result<DirectoryId, ApplyError> {
    let mode = DirectoryMode::parse(&decl.mode).ok_or_else(|| place.part("mode").unknown("mode", &decl.mode))?;
    let name = super::name(place, "name", &decl.name)?;
    let known = match run.known.directory(at.partner(), &name) {
        Some(known) => Some(known.clone()),
        None => directories::by_name(tx, at, &name).await?,
    };
    let Some(known) = known else {
        let new = Directory {
            id: run.ctx.id(),
            partner: at.partner(),
            name,
            mode,
            rule_set_version: 0,
            priority: decl.priority,
            version: 1,
        };
        directories::insert(tx, at, &new, run.ctx.now()).await?;
        record(tx, run.ctx, at.partner(), Event::of(Kind::DirectoryCreated, new.id)).await?;
        run.plan.created(format!("{place}, {}", mode.as_str()));
        return Ok(new.id);
    };
    let wanted = Directory { name, mode, priority: decl.priority, ..known.clone() };
    if wanted != known {
        let (into, out) = (mode == DirectoryMode::Observe, known.mode == DirectoryMode::Observe);
        if into && !out && directories::speaks(tx, at, known.id).await? {
            let why = "people are linked to this directory, and whoever leaves it would stay in unseen: use `paused`";
            return Err(place.part("mode").wrong(why));
        }
        directories::update(tx, at, &wanted).await?;
        // Whether its rules count, and before whose, decides who is placed where.
        primary_group::everyone(tx, run.ctx, at, known.id).await?;
        run.loose.places.insert(known.id, *at);
        let mut differs = differences(&known, &wanted);
        if out && !into {
            run.loose.observed.insert(known.id, *at);
            let waiting = directory_summaries::unlinked(tx, at, known.id).await?;
            differs.push(format!("{waiting} who wait are linked to people, made people, or wait for a match"));
        }
        record(tx, run.ctx, at.partner(), Event::of(Kind::DirectoryUpdated, known.id)).await?;
        run.plan.changed(format!("{place}: {}", differs.join(", ")));
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
    if known.priority != wanted.priority {
        differs.push(format!("authority {} → {}", known.priority, wanted.priority));
    }
    differs
}
