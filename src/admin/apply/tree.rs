//! The installation, the partner tree and the catalog's roles.
use std::collections::HashMap;

use super::error::Spot;
use super::{ApplyError, Run};
use crate::admin::declaration::PartnerDecl;
use crate::admin::partners as use_case;
use crate::admin::{record, setup};
use crate::domain::partner::{LevelId, Partner, PartnerKind};
use crate::provision::event::{Event, Kind};
use crate::store::{Tx, catalog, partners};

/// The first act of an installation: its epoch, levels and capabilities.
pub(super) async fn set_up(tx: &mut Tx, run: &mut Run<'_>) -> Result<(), ApplyError> {
    let epoch = uuid::Uuid::from_bytes(run.ctx.random());
    catalog::install(tx, &run.by, epoch, &run.catalog.name, run.ctx.now()).await?;
    catalog::load(tx, &run.by, &run.catalog.levels, &run.catalog.capabilities).await?;
    run.plan.created(format!("catalog {}", run.catalog.name));
    Ok(())
}

pub(super) async fn partners(tx: &mut Tx, run: &mut Run<'_>, decls: &[PartnerDecl]) -> Result<(), ApplyError> {
    let mut tops = decls.iter().filter(|decl| decl.parent.is_none());
    // Of two that name no parent, which is the root would be a guess.
    let top = tops.next().filter(|_| tops.next().is_none()).map(|decl| decl.key.as_str());
    let order: HashMap<&str, usize> =
        decls.iter().enumerate().rev().map(|(at, decl)| (decl.key.as_str(), at)).collect();
    for (number, decl) in decls.iter().enumerate() {
        let spot = decl.spot(number);
        if run.twice.contains(spot.at()) {
            continue;
        }
        let names_root = order.contains_key(setup::ROOT);
        let adopts = top == Some(decl.key.as_str()) && !names_root;
        let later = decl.parent.as_deref().and_then(|parent| order.get(parent)).is_some_and(|at| *at >= number);
        let done = one(tx, run, &spot, decl, Standing { adopts, later }).await;
        run.done("partner", &decl.key, done)?;
    }
    Ok(())
}

/// How a partner stands in its file.
#[derive(Clone, Copy)]
struct Standing {
    /// It is the one without a parent, and the file does not name the root that setting up made.
    adopts: bool,
    /// Its parent stands further down.
    later: bool,
}

async fn one(
    tx: &mut Tx,
    run: &mut Run<'_>,
    spot: &Spot,
    decl: &PartnerDecl,
    standing: Standing,
) -> Result<(), ApplyError> {
    if let Some(known) = run.declared(tx, spot, decl).await? {
        let at = run.by.at(known.id);
        keep(tx, run, spot, decl, known).await?;
        run.names.partners.insert(decl.key.clone(), at);
        return Ok(());
    }
    if let Some(parent) = decl.parent.as_deref().filter(|_| standing.later) {
        let spot = spot.part("parent");
        if run.stored(tx, &spot, parent).await?.is_none() {
            return Err(spot.wrong("its parent stands further down; write parents before children"));
        }
    }
    create(tx, run, spot, decl, standing.adopts).await
}

/// A partner that is there: its name may change, its place in the tree and what it is do not.
async fn keep(
    tx: &mut Tx,
    run: &mut Run<'_>,
    place: &Spot,
    decl: &PartnerDecl,
    known: Partner,
) -> Result<(), ApplyError> {
    if known.level != level(run, place, decl)? {
        return Err(place.part("level").wrong("its level cannot be changed here"));
    }
    if known.kind != kind(decl) {
        return Err(place.part("department").wrong("whether it is a department cannot be changed"));
    }
    let parent = match &decl.parent {
        Some(key) => Some(run.partner(tx, &place.part("parent"), key).await?.partner()),
        None => None,
    };
    if parent != known.parent {
        let why = match known.parent {
            Some(above) => format!("it stands below {} and cannot be moved", run.key(tx, above).await?),
            None => "it is the root of the tree and cannot be moved".to_owned(),
        };
        return Err(place.part("parent").wrong(why));
    }
    let name = super::name(place, "name", &decl.name)?;
    if known.name != name {
        partners::rename(tx, &run.by.at(known.id), &name, run.ctx.now()).await?;
        record(tx, run.ctx, known.id, Event::of(Kind::PartnerUpdated, known.id)).await?;
        run.plan.changed(format!("{place}: name “{}” → “{name}”", known.name));
    }
    Ok(())
}

async fn create(
    tx: &mut Tx,
    run: &mut Run<'_>,
    place: &Spot,
    decl: &PartnerDecl,
    adopts: bool,
) -> Result<(), ApplyError> {
    let level = level(run, place, decl);
    let level = run.note(level)?;
    let kind = kind(decl);
    let name = super::name(place, "name", &decl.name)?;
    if super::name(place, "key", &decl.key)? != decl.key {
        return Err(place.part("key").wrong("its `key` begins or ends with a space"));
    }
    let Some(key) = &decl.parent else {
        let level = level.ok_or_else(ApplyError::follows)?;
        if let Some(root) = partners::root(tx, &run.by).await? {
            let made = root.external_id.as_deref() == Some(setup::ROOT);
            if adopts && made && kind == root.kind {
                return adopt(tx, run, place, root, (&decl.key, name, level)).await;
            }
            let root = root.external_id.unwrap_or_else(|| root.id.to_string());
            return Err(place.wrong(format!("the tree has a root already, `{root}`; name a parent")));
        }
        let new = use_case::NewPartner { external_id: Some(decl.key.clone()), name, kind, level };
        let root = use_case::create_root(tx, run.ctx, &run.by, new).await?;
        run.names.partners.insert(decl.key.clone(), run.by.at(root.id));
        run.known.made_partner(root);
        run.plan.created(format!("{place} “{}”, the root, {}", decl.name, decl.level));
        return Ok(());
    };
    let parent = run.partner(tx, &place.part("parent"), key).await?;
    let level = level.ok_or_else(ApplyError::follows)?;
    let new = use_case::NewPartner { external_id: Some(decl.key.clone()), name, kind, level };
    let above = match run.known.partners.get(&parent.partner()) {
        Some(above) => above.clone(),
        None => partners::get(tx, &parent).await?,
    };
    if !use_case::fits(kind, level, above.level) {
        let why = "the level of a company stands below that of its parent; a department has its parent's";
        return Err(place.part("level").wrong(why));
    }
    let partner = use_case::create_below(tx, run.ctx, &parent, new).await?;
    run.names.partners.insert(decl.key.clone(), run.by.at(partner.id));
    run.known.made_partner(partner);
    let what = if decl.department { "department" } else { decl.level.as_str() };
    run.plan.created(format!("{place} “{}” below {key}, {what}", decl.name));
    Ok(())
}

/// The root that setting up made becomes the one that is declared: nobody has named it yet, and there is one root.
async fn adopt(
    tx: &mut Tx,
    run: &mut Run<'_>,
    place: &Spot,
    root: Partner,
    (key, name, level): (&str, String, LevelId),
) -> Result<(), ApplyError> {
    let at = run.by.at(root.id);
    if level != root.level && !partners::children(tx, &at).await?.is_empty() {
        let why = "the root of the tree has another level, and partners below it, so its level cannot be changed";
        return Err(place.part("level").wrong(why));
    }
    let before = format!("“{}” with the key {}", root.name, setup::ROOT);
    let now = Partner { external_id: Some(key.to_owned()), name, level, ..root };
    partners::adopt(tx, &at, &now, run.ctx.now()).await?;
    record(tx, run.ctx, now.id, Event::of(Kind::PartnerUpdated, now.id)).await?;
    run.plan.changed(format!("{place}: the root of the tree, {before} so far, is “{}” with the key {key}", now.name));
    run.known.add_partner(now);
    Ok(())
}

fn level(run: &Run<'_>, place: &Spot, decl: &PartnerDecl) -> Result<LevelId, ApplyError> {
    let level = run.catalog.level(&decl.level).map(|level| level.id);
    level.ok_or_else(|| place.part("level").unknown("level", &decl.level))
}

fn kind(decl: &PartnerDecl) -> PartnerKind {
    if decl.department { PartnerKind::Department } else { PartnerKind::Company }
}

/// The catalog's roles belong to the root and are made as soon as there is one.
pub(super) async fn catalog_roles(tx: &mut Tx, run: &mut Run<'_>) -> Result<(), ApplyError> {
    let Some(root) = partners::root(tx, &run.by).await? else { return Ok(()) };
    let at = run.by.at(root.id);
    for template in run.catalog.roles.clone() {
        let parent = match &template.parent {
            Some(key) => {
                let name = run.catalog.roles.iter().find(|role| role.key == *key).map(|role| role.name.clone());
                Some(run.role(tx, &Spot::new("catalog", "catalog"), &at, &name.unwrap_or_default()).await?.id)
            }
            None => None,
        };
        super::users::role(tx, run, &at, &template.name, parent, &template.capabilities, Some(&template.key)).await?;
    }
    Ok(())
}
