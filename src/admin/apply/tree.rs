//! The installation, the partner tree and the catalog's roles.
use super::{ApplyError, Run};
use crate::admin::declaration::PartnerDecl;
use crate::admin::partners as use_case;
use crate::admin::record;
use crate::domain::partner::PartnerKind;
use crate::provision::event::{Event, Kind};
use crate::store::{Tx, catalog, partners};

/// The first act of an installation: its epoch, levels and capabilities.
pub(super) async fn set_up(tx: &mut Tx, run: &mut Run<'_>) -> Result<(), ApplyError> {
    let epoch = uuid::Uuid::from_bytes(run.ctx.random());
    catalog::install(tx, &run.by, epoch, &run.catalog.name, run.ctx.now()).await?;
    catalog::load(tx, &run.by, &run.catalog.levels, &run.catalog.capabilities).await?;
    run.created(format!("catalog {}", run.catalog.name));
    Ok(())
}

pub(super) async fn partners(tx: &mut Tx, run: &mut Run<'_>, decls: &[PartnerDecl]) -> Result<(), ApplyError> {
    for decl in decls {
        one(tx, run, decl).await?;
    }
    Ok(())
}

async fn one(tx: &mut Tx, run: &mut Run<'_>, decl: &PartnerDecl) -> Result<(), ApplyError> {
    let place = format!("partner {}", decl.key);
    let level = run.catalog.level(&decl.level).map(|level| level.id);
    let level = level.ok_or_else(|| ApplyError::unknown(&place, "level", &decl.level))?;
    if let Some(known) = partners::by_key(tx, &run.by, &decl.key).await? {
        if known.level != level {
            return Err(ApplyError::wrong(place, "its level cannot be changed here"));
        }
        if known.name != decl.name {
            let at = run.by.at(known.id);
            partners::rename(tx, &at, &decl.name, run.ctx.now()).await?;
            record(tx, run.ctx, known.id, Event::of(Kind::PartnerChanged, known.id)).await?;
            run.changed(format!("{place}: now called {}", decl.name));
        }
        return Ok(());
    }
    let kind = if decl.department { PartnerKind::Department } else { PartnerKind::Company };
    let new = use_case::NewPartner { external_id: Some(decl.key.clone()), name: decl.name.clone(), kind, level };
    match &decl.parent {
        None => {
            if partners::root(tx, &run.by).await?.is_some() {
                return Err(ApplyError::wrong(place, "the tree has a root already; name a parent"));
            }
            use_case::create_root(tx, run.ctx, &run.by, new).await?;
        }
        Some(parent) => {
            let parent = run.partner(tx, &place, parent).await?;
            let above = partners::get(tx, &parent).await?;
            let fits = if decl.department { above.level <= level } else { above.level < level };
            if !fits {
                return Err(ApplyError::wrong(place, format!("its level must stand below that of {}", above.name)));
            }
            use_case::create_below(tx, run.ctx, &parent, new).await?;
        }
    }
    run.created(place);
    Ok(())
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
