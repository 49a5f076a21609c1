//! The installation, the partner tree and the catalog's roles.
use super::{ApplyError, Run};
use crate::admin::declaration::PartnerDecl;
use crate::admin::partners as use_case;
use crate::admin::record;
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
    for (at, decl) in decls.iter().enumerate() {
        let place = format!("partner {}", decl.key);
        if let Some(known) = run.stored(tx, &decl.key).await? {
            keep(tx, run, &place, decl, known).await?;
            continue;
        }
        let later = |key: &String| decls.iter().skip(at).any(|other| other.key == *key);
        if decl.parent.as_ref().is_some_and(later)
            && run.stored(tx, decl.parent.as_deref().unwrap_or("")).await?.is_none()
        {
            return Err(ApplyError::wrong(place, "its parent stands further down; write parents before children"));
        }
        create(tx, run, place, decl).await?;
    }
    Ok(())
}

/// A partner that is there: its name may change, its place in the tree and what it is do not.
async fn keep(
    tx: &mut Tx,
    run: &mut Run<'_>,
    place: &str,
    decl: &PartnerDecl,
    known: Partner,
) -> Result<(), ApplyError> {
    if known.level != level(run, place, decl)? {
        return Err(ApplyError::wrong(place, "its level cannot be changed here"));
    }
    if known.kind != kind(decl) {
        return Err(ApplyError::wrong(place, "whether it is a department cannot be changed"));
    }
    let parent = match &decl.parent {
        Some(key) => Some(run.partner(tx, place, key).await?.partner()),
        None => None,
    };
    if parent != known.parent {
        let why = match known.parent {
            Some(above) => format!("it stands below {} and cannot be moved", run.key(tx, above).await?),
            None => "it is the root of the tree and cannot be moved".to_owned(),
        };
        return Err(ApplyError::wrong(place, why));
    }
    let name = super::name(place, "name", &decl.name)?;
    if known.name != name {
        partners::rename(tx, &run.by.at(known.id), &name, run.ctx.now()).await?;
        record(tx, run.ctx, known.id, Event::of(Kind::PartnerChanged, known.id)).await?;
        run.plan.changed(format!("{place}: name “{}” → “{name}”", known.name));
    }
    Ok(())
}

async fn create(tx: &mut Tx, run: &mut Run<'_>, place: String, decl: &PartnerDecl) -> Result<(), ApplyError> {
    let (level, kind) = (level(run, &place, decl)?, kind(decl));
    let name = super::name(&place, "name", &decl.name)?;
    if super::name(&place, "key", &decl.key)? != decl.key {
        return Err(ApplyError::wrong(place, "its `key` begins or ends with a space"));
    }
    let new = use_case::NewPartner { external_id: Some(decl.key.clone()), name, kind, level };
    let Some(key) = &decl.parent else {
        if partners::root(tx, &run.by).await?.is_some() {
            return Err(ApplyError::wrong(place, "the tree has a root already; name a parent"));
        }
        use_case::create_root(tx, run.ctx, &run.by, new).await?;
        run.plan.created(format!("{place} “{}”, the root, {}", decl.name, decl.level));
        return Ok(());
    };
    let parent = run.partner(tx, &place, key).await?;
    let above = partners::get(tx, &parent).await?;
    if !use_case::fits(kind, level, above.level) {
        let why = "the level of a company stands below that of its parent; a department has its parent's";
        return Err(ApplyError::wrong(place, why));
    }
    use_case::create_below(tx, run.ctx, &parent, new).await?;
    let what = if decl.department { "department" } else { decl.level.as_str() };
    run.plan.created(format!("{place} “{}” below {key}, {what}", decl.name));
    Ok(())
}

fn level(run: &Run<'_>, place: &str, decl: &PartnerDecl) -> Result<LevelId, ApplyError> {
    let level = run.catalog.level(&decl.level).map(|level| level.id);
    level.ok_or_else(|| ApplyError::unknown(place, "level", &decl.level))
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
                Some(run.role(tx, "catalog", &at, &name.unwrap_or_default()).await?.id)
            }
            None => None,
        };
        super::people::role(tx, run, &at, &template.name, parent, &template.capabilities, Some(&template.key)).await?;
    }
    Ok(())
}
