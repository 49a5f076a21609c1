//! User groups, roles, and people who come from no directory.
use std::collections::BTreeSet;

use super::{ApplyError, Run};
use crate::admin::declaration::{Declaration, GroupDecl, RoleDecl, UserDecl};
use crate::admin::record;
use crate::domain::capability::CapabilityId;
use crate::domain::group::UserGroup;
use crate::domain::id::{RoleId, UserId};
use crate::domain::role::Role;
use crate::domain::text::fold;
use crate::domain::user::Profile;
use crate::provision::event::{Event, Kind};
use crate::store::extent::PartnerExtent;
use crate::store::{Tx, people, roles as stored, user_groups};

pub(super) async fn groups(tx: &mut Tx, run: &mut Run<'_>, decls: &[GroupDecl]) -> Result<(), ApplyError> {
    for decl in decls {
        let place = format!("group {} of {}", decl.name, decl.partner);
        let at = run.partner(tx, &place, &decl.partner).await?;
        let name = super::name(&place, "name", &decl.name)?;
        if let Some(known) = user_groups::by_name(tx, &at, &name).await? {
            if known.exclusive != decl.exclusive {
                return Err(ApplyError::wrong(place, "whether a group is exclusive cannot be changed"));
            }
            // The same but for capitals.
            if known.name != name {
                user_groups::rename(tx, &at, known.id, &name).await?;
                record(tx, run.ctx, at.partner(), Event::of(Kind::UserGroupChanged, known.id)).await?;
                run.plan.changed(format!("{place}: name “{}” → “{name}”", known.name));
            }
            continue;
        }
        let exclusive = decl.exclusive;
        let new = UserGroup { id: run.ctx.id(), partner: at.partner(), name, exclusive, is_default: false };
        user_groups::insert(tx, &at, &new, run.ctx.now()).await?;
        record(tx, run.ctx, at.partner(), Event::of(Kind::UserGroupCreated, new.id)).await?;
        run.plan.created(format!("{place}, {}", if exclusive { "exclusive" } else { "a label" }));
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
        let name = super::name(&place, "name", &decl.name)?;
        if let Some(known) = stored::by_name(tx, &at, &name).await? {
            if known.catalog_key.is_some() {
                return Err(ApplyError::wrong(place, "the catalog has a role of this name; choose another"));
            }
            if known.parent != parent {
                return Err(ApplyError::wrong(place, "its parent cannot be changed"));
            }
            if known.name != name {
                return Err(ApplyError::wrong(place, format!("it is written `{}` and is not renamed", known.name)));
            }
        }
        role(tx, run, &at, &name, parent, &capabilities, None).await?;
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
    let place = format!("role {name} of {}", run.key(tx, at.partner()).await?);
    if let Some(known) = stored::by_name(tx, at, name).await? {
        let before = stored::own_capabilities(tx, at, known.id).await?;
        if before != *capabilities {
            stored::set_capabilities(tx, at, known.id, capabilities).await?;
            record(tx, run.ctx, at.partner(), Event::of(Kind::RoleChanged, known.id)).await?;
            let more = capabilities.difference(&before).map(|id| format!("+{}", capability(run, *id)));
            let less = before.difference(capabilities).map(|id| format!("-{}", capability(run, *id)));
            let differs: Vec<_> = more.chain(less).collect();
            run.plan.changed(format!("{place}: {}", differs.join(", ")));
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
    run.plan.created(place);
    Ok(())
}

fn capability(run: &Run<'_>, id: CapabilityId) -> String {
    let found = run.catalog.capabilities.iter().find(|one| one.id == id);
    found.map_or_else(|| id.0.to_string(), |one| one.name.clone())
}

pub(super) async fn users(tx: &mut Tx, run: &mut Run<'_>, declaration: &Declaration) -> Result<(), ApplyError> {
    for decl in &declaration.users {
        let place = format!("user {} of {}", decl.login, decl.partner);
        let at = run.partner(tx, &place, &decl.partner).await?;
        let profile = Profile {
            display_name: super::name(&place, "name", &decl.name)?,
            email: decl.email.as_deref().map(|email| super::name(&place, "email", email)).transpose()?,
            login_name: Some(super::name(&place, "login", &decl.login)?),
            ..Profile::default()
        };
        match people::by_login(tx, &at, &decl.login).await? {
            Some(id) => change(tx, run, &place, &at, id, profile).await?,
            None => {
                nowhere_else(tx, run, &place, declaration, &decl.login).await?;
                let id: UserId = run.ctx.id();
                people::insert_at(tx, &at, id, &profile, run.ctx.now()).await?;
                people::confirm(tx, &at, id, None, run.ctx.now()).await?;
                record(tx, run.ctx, at.partner(), Event::of(Kind::UserCreated, id)).await?;
                run.plan.created(format!("{place}, “{}”", profile.display_name));
            }
        }
    }
    Ok(())
}

/// Gives a person what the declaration says; what it leaves out stays.
async fn change(
    tx: &mut Tx,
    run: &mut Run<'_>,
    place: &str,
    at: &PartnerExtent,
    id: UserId,
    said: Profile,
) -> Result<(), ApplyError> {
    let Some(known) = people::get(tx, at, id).await?.map(|user| user.profile) else { return Ok(()) };
    let wanted = Profile {
        display_name: said.display_name,
        email: said.email.or_else(|| known.email.clone()),
        login_name: said.login_name,
        ..known.clone()
    };
    let quoted = |text: &Option<String>| text.as_ref().map_or("none".to_owned(), |text| format!("“{text}”"));
    let mut differs = Vec::new();
    if wanted.display_name != known.display_name {
        differs.push(("name", format!("name “{}” → “{}”", known.display_name, wanted.display_name)));
    }
    if wanted.email != known.email {
        differs.push(("email", format!("email {} → {}", quoted(&known.email), quoted(&wanted.email))));
    }
    if wanted.login_name != known.login_name {
        differs.push(("login", format!("login {} → {}", quoted(&known.login_name), quoted(&wanted.login_name))));
    }
    if differs.is_empty() {
        return Ok(());
    }
    let (names, lines): (Vec<_>, Vec<_>) = differs.into_iter().unzip();
    if people::has_source(tx, at, id).await? {
        let why = format!("a directory says who this is, so this cannot be changed here: {}", lines.join(", "));
        return Err(ApplyError::wrong(place, why));
    }
    people::set_at(tx, at, id, &wanted, run.ctx.now()).await?;
    let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
    record(tx, run.ctx, at.partner(), Event::of(Kind::UserChanged, id).names("attributes", &names)).await?;
    run.plan.changed(format!("{place}: {}", lines.join(", ")));
    Ok(())
}

/// People are not moved: a login that is declared at another partner than it is stored at would make a second person.
async fn nowhere_else(
    tx: &mut Tx,
    run: &mut Run<'_>,
    place: &str,
    declaration: &Declaration,
    login: &str,
) -> Result<(), ApplyError> {
    for home in people::homes_of_login(tx, &run.by, login).await? {
        let home = run.key(tx, home).await?;
        let declared = |user: &UserDecl| user.partner == home && fold(&user.login) == fold(login);
        if !declaration.users.iter().any(declared) {
            let why = format!(
                "someone of this login is at home in {home}, and people cannot be moved; if these are two people, \
                 declare the one of {home} too"
            );
            return Err(ApplyError::wrong(place, why));
        }
    }
    Ok(())
}
