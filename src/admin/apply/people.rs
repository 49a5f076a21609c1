//! User groups, roles, people who come from no directory, and manual grants.
use std::collections::BTreeSet;

use super::{ApplyError, Run};
use crate::admin::declaration::{GrantDecl, GroupDecl, RoleDecl, UserDecl};
use crate::admin::record;
use crate::domain::capability::CapabilityId;
use crate::domain::grant::{Holder, ManualGrant};
use crate::domain::group::UserGroup;
use crate::domain::id::{RoleId, UserId};
use crate::domain::role::Role;
use crate::domain::time::Window;
use crate::domain::user::Profile;
use crate::provision::event::{Event, Kind};
use crate::store::extent::PartnerExtent;
use crate::store::{Tx, grants as granted, people, roles as stored, user_groups};

pub(super) async fn groups(tx: &mut Tx, run: &mut Run<'_>, decls: &[GroupDecl]) -> Result<(), ApplyError> {
    for decl in decls {
        let place = format!("group {} of {}", decl.name, decl.partner);
        let at = run.partner(tx, &place, &decl.partner).await?;
        if let Some(known) = user_groups::by_name(tx, &at, &decl.name).await? {
            if known.exclusive != decl.exclusive {
                return Err(ApplyError::wrong(place, "whether a group is exclusive cannot be changed"));
            }
            continue;
        }
        let new = UserGroup {
            id: run.ctx.id(),
            partner: at.partner(),
            name: decl.name.clone(),
            exclusive: decl.exclusive,
            is_default: false,
        };
        user_groups::insert(tx, &at, &new, run.ctx.now()).await?;
        record(tx, run.ctx, at.partner(), Event::of(Kind::UserGroupCreated, new.id)).await?;
        run.created(place);
    }
    Ok(())
}

pub(super) async fn roles(tx: &mut Tx, run: &mut Run<'_>, decls: &[RoleDecl]) -> Result<(), ApplyError> {
    for decl in decls {
        let place = format!("role {} of {}", decl.name, decl.partner);
        let at = run.partner(tx, &place, &decl.partner).await?;
        let mut capabilities = BTreeSet::new();
        for name in &decl.capabilities {
            let found = run.catalog.capabilities.iter().find(|one| one.name == *name).map(|one| one.id);
            capabilities.insert(found.ok_or_else(|| ApplyError::unknown(&place, "capability", name))?);
        }
        let parent = match &decl.parent {
            Some(name) => Some(run.role(tx, &place, &at, name).await?.id),
            None => None,
        };
        role(tx, run, &at, &decl.name, parent, &capabilities, None).await?;
    }
    Ok(())
}

/// Makes a role, or gives the one of that name these capabilities.
pub(super) async fn role(
    tx: &mut Tx,
    run: &mut Run<'_>,
    at: &PartnerExtent,
    name: &str,
    parent: Option<RoleId>,
    capabilities: &BTreeSet<CapabilityId>,
    catalog_key: Option<&str>,
) -> Result<(), ApplyError> {
    if let Some(known) = stored::by_name(tx, at, name).await? {
        if stored::own_capabilities(tx, at, known.id).await? != *capabilities {
            stored::set_capabilities(tx, at, known.id, capabilities).await?;
            record(tx, run.ctx, at.partner(), Event::of(Kind::RoleChanged, known.id)).await?;
            run.changed(format!("role {name}: other capabilities"));
        }
        return Ok(());
    }
    let new = Role {
        id: run.ctx.id(),
        partner: at.partner(),
        name: name.to_owned(),
        parent,
        catalog_key: catalog_key.map(str::to_owned),
        version: 1,
    };
    stored::insert(tx, at, &new, capabilities, run.ctx.now()).await?;
    record(tx, run.ctx, at.partner(), Event::of(Kind::RoleCreated, new.id)).await?;
    run.created(format!("role {name}"));
    Ok(())
}

pub(super) async fn users(tx: &mut Tx, run: &mut Run<'_>, decls: &[UserDecl]) -> Result<(), ApplyError> {
    for decl in decls {
        let place = format!("user {}", decl.login);
        let at = run.partner(tx, &place, &decl.partner).await?;
        if people::by_login(tx, &at, &decl.login).await?.is_some() {
            continue;
        }
        let id: UserId = run.ctx.id();
        let profile = Profile {
            display_name: decl.name.clone(),
            email: decl.email.clone(),
            login_name: Some(decl.login.clone()),
            ..Profile::default()
        };
        people::insert_at(tx, &at, id, &profile, run.ctx.now()).await?;
        record(tx, run.ctx, at.partner(), Event::of(Kind::UserCreated, id)).await?;
        run.created(place);
    }
    Ok(())
}

pub(super) async fn grants(tx: &mut Tx, run: &mut Run<'_>, decls: &[GrantDecl]) -> Result<(), ApplyError> {
    for decl in decls {
        let who = decl.user.as_deref().or(decl.group.as_deref()).unwrap_or_default();
        let place = format!("grant of {} to {who}", decl.role);
        let at = run.partner(tx, &place, &decl.partner).await?;
        let role = run.role(tx, &place, &at, &decl.role).await?;
        let holder = match (&decl.user, &decl.group) {
            (Some(login), None) => Holder::User(run.user(tx, &place, &at, login).await?),
            (None, Some(group)) => Holder::Group(run.group(tx, &place, &at, group).await?.id),
            _ => return Err(ApplyError::wrong(place, "name either `user` or `group`")),
        };
        let scope = run.scope(tx, &place, &decl.scope).await?;
        let held = granted::of_holder(tx, &at, holder).await?;
        if held.iter().any(|grant| grant.role == role.id && grant.scope == scope) {
            continue;
        }
        let new = ManualGrant {
            id: run.ctx.id(),
            role: role.id,
            holder,
            scope,
            window: Window::default(),
            granted_by: None,
            reason: decl.reason.clone(),
            created_at: run.ctx.now(),
        };
        granted::insert(tx, &at, &new, run.ctx.id()).await?;
        let event = Event::of(Kind::GrantCreated, new.id).id("role", role.id);
        let event = match holder {
            Holder::User(id) => event.id("user", id),
            Holder::Group(id) => event.id("user_group", id),
        };
        record(tx, run.ctx, at.partner(), event).await?;
        run.created(place);
    }
    Ok(())
}
