//! User groups, roles, and users who come from no directory.
use std::collections::{BTreeSet, HashSet};

use super::error::Spot;
use super::{ApplyError, Run};
use crate::admin::declaration::{GroupDecl, RoleDecl, UserDecl};
use crate::admin::record;
use crate::domain::capability::CapabilityId;
use crate::domain::group::UserGroup;
use crate::domain::id::{RoleId, UserId};
use crate::domain::role::Role;
use crate::domain::text::fold;
use crate::domain::user::UserProfile;
use crate::provision::event::{Event, Kind};
use crate::store::extent::PartnerExtent;
use crate::store::{Tx, roles as stored, user_groups, users};

pub(super) async fn groups(tx: &mut Tx, run: &mut Run<'_>, decls: &[GroupDecl]) -> Result<(), ApplyError> {
    for (number, decl) in decls.iter().enumerate() {
        let spot = decl.spot(number);
        if !run.twice.contains(spot.at()) {
            let done = group(tx, run, &spot, decl).await;
            run.done("user group", &decl.name, done)?;
        }
    }
    Ok(())
}

async fn group(tx: &mut Tx, run: &mut Run<'_>, place: &Spot, decl: &GroupDecl) -> Result<(), ApplyError> {
    let at = run.partner(tx, &place.part("partner"), &decl.partner).await?;
    let name = super::name(place, "name", &decl.name)?;
    let known = match run.known.group(at.partner(), &name) {
        Some(known) => Some(known.clone()),
        None => user_groups::by_name(tx, &at, &name).await?,
    };
    if let Some(known) = known {
        if known.is_primary != decl.primary {
            return Err(place.part("primary").wrong("whether a group is a primary group cannot be changed"));
        }
        // The same but for capitals.
        if known.name != name {
            user_groups::rename(tx, &at, known.id, &name).await?;
            record(tx, run.ctx, at.partner(), Event::of(Kind::UserGroupUpdated, known.id)).await?;
            run.plan.changed(format!("{place}: name “{}” → “{name}”", known.name));
        }
        return Ok(());
    }
    let is_primary = decl.primary;
    let new = UserGroup { id: run.ctx.id(), partner: at.partner(), name, is_primary, is_default: false };
    user_groups::insert(tx, &at, &new, run.ctx.now()).await?;
    record(tx, run.ctx, at.partner(), Event::of(Kind::UserGroupCreated, new.id)).await?;
    run.known.add_group(new);
    run.plan.created(format!("{place}, {}", if is_primary { "primary" } else { "additional" }));
    Ok(())
}

pub(super) async fn roles(tx: &mut Tx, run: &mut Run<'_>, decls: &[RoleDecl]) -> Result<(), ApplyError> {
    for (number, decl) in decls.iter().enumerate() {
        let spot = decl.spot(number);
        if !run.twice.contains(spot.at()) {
            let done = declared(tx, run, &spot, decl).await;
            run.done("role", &decl.name, done)?;
        }
    }
    Ok(())
}

async fn declared(tx: &mut Tx, run: &mut Run<'_>, place: &Spot, decl: &RoleDecl) -> Result<(), ApplyError> {
    let (mut capabilities, mut whole) = (BTreeSet::new(), true);
    for (number, name) in decl.capabilities.iter().enumerate() {
        let found = run.catalog.capabilities.iter().find(|one| one.name == *name).map(|one| one.id);
        let spot = place.part(format_args!("capabilities/{number}"));
        match run.note(found.ok_or_else(|| spot.unknown("capability", name)))? {
            Some(capability) => drop(capabilities.insert(capability)),
            None => whole = false,
        }
    }
    let at = run.partner(tx, &place.part("partner"), &decl.partner).await?;
    let parent = match &decl.parent {
        Some(name) => Some(run.role(tx, &place.part("parent"), &at, name).await?.id),
        None => None,
    };
    let name = super::name(place, "name", &decl.name)?;
    if let Some(known) = own(tx, run, &at, &name).await? {
        if known.catalog_key.is_some() {
            return Err(place.part("name").wrong("the catalog has a role of this name; choose another"));
        }
        if known.parent != parent {
            return Err(place.part("parent").wrong("its parent cannot be changed"));
        }
        if known.name != name {
            return Err(place.part("name").wrong(format!("it is written `{}` and is not renamed", known.name)));
        }
    }
    if !whole {
        return Err(ApplyError::follows());
    }
    role(tx, run, &at, &name, parent, &capabilities, None).await
}

async fn own(tx: &mut Tx, run: &Run<'_>, at: &PartnerExtent, name: &str) -> Result<Option<Role>, ApplyError> {
    match run.known.own_role(at.partner(), name) {
        Some(known) => Ok(Some(known.clone())),
        None => Ok(stored::by_name(tx, at, name).await?),
    }
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
    if let Some(known) = own(tx, run, at, name).await? {
        let before = match run.known.capabilities_of(known.id) {
            Some(known) => known.clone(),
            None => stored::own_capabilities(tx, at, known.id).await?,
        };
        if before != *capabilities {
            stored::set_capabilities(tx, at, known.id, capabilities).await?;
            record(tx, run.ctx, at.partner(), Event::of(Kind::RoleUpdated, known.id)).await?;
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
    run.known.add_role(new, capabilities.clone());
    run.plan.created(place);
    Ok(())
}

fn capability(run: &Run<'_>, id: CapabilityId) -> String {
    let found = run.catalog.capabilities.iter().find(|one| one.id == id);
    found.map_or_else(|| id.0.to_string(), |one| one.name.clone())
}

/// Sign-in names that are declared, each with the partner's key.
type Logins<'a> = HashSet<(&'a str, String)>;

pub(super) async fn users(tx: &mut Tx, run: &mut Run<'_>, decls: &[UserDecl]) -> Result<(), ApplyError> {
    let logins = decls.iter().map(|decl| (decl.partner.as_str(), fold(&decl.login_name))).collect();
    for (number, decl) in decls.iter().enumerate() {
        let spot = decl.spot(number);
        if !run.twice.contains(spot.at()) {
            let done = user(tx, run, &spot, &logins, decl).await;
            run.done("user", &decl.login_name, done)?;
        }
    }
    Ok(run.written(tx).await?)
}

async fn user(
    tx: &mut Tx,
    run: &mut Run<'_>,
    place: &Spot,
    logins: &Logins<'_>,
    decl: &UserDecl,
) -> Result<(), ApplyError> {
    let at = run.partner(tx, &place.part("partner"), &decl.partner).await?;
    let profile = UserProfile {
        display_name: super::name(place, "name", &decl.display_name)?,
        email: decl.email.as_deref().map(|email| super::name(place, "email", email)).transpose()?,
        login_name: Some(super::name(place, "login_name", &decl.login_name)?),
        ..UserProfile::default()
    };
    if let Some(known) = run.known.user(at.partner(), &decl.login_name) {
        let (id, known) = (known.id, known.profile.clone());
        return change(tx, run, place, &at, (id, known, false), profile).await;
    }
    let there = match run.known.namesakes(&decl.login_name) {
        Some(all) => all.iter().find(|one| one.home == at.partner()).map(|one| one.id),
        None => users::by_login(tx, &at, &decl.login_name).await?,
    };
    if let Some(id) = there {
        let Some(known) = users::get(tx, &at, id).await? else { return Ok(()) };
        let has_source = users::has_source(tx, &at, id).await?;
        return change(tx, run, place, &at, (id, known.profile, has_source), profile).await;
    }
    nowhere_else(tx, run, place, logins, &decl.login_name).await?;
    let id: UserId = run.ctx.id();
    run.plan.created(format!("{place}, “{}”", profile.display_name));
    run.known.made_user(at.partner(), &decl.login_name, id);
    Ok(run.make_user(tx, at.partner(), id, profile).await?)
}

/// Gives a user what the declaration says; what it leaves out stays.
async fn change(
    tx: &mut Tx,
    run: &mut Run<'_>,
    place: &Spot,
    at: &PartnerExtent,
    (id, known, has_source): (UserId, UserProfile, bool),
    said: UserProfile,
) -> Result<(), ApplyError> {
    let wanted = UserProfile {
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
    if has_source {
        let why = format!("a directory says who this is, so this cannot be changed here: {}", lines.join(", "));
        return Err(place.wrong(why));
    }
    users::set_at(tx, at, id, &wanted, run.ctx.now()).await?;
    let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
    record(tx, run.ctx, at.partner(), Event::of(Kind::UserUpdated, id).names("attributes", &names)).await?;
    run.plan.changed(format!("{place}: {}", lines.join(", ")));
    Ok(())
}

/// Users are not moved: a login that is declared at another partner than it is stored at would make a second user.
async fn nowhere_else(
    tx: &mut Tx,
    run: &mut Run<'_>,
    place: &Spot,
    logins: &Logins<'_>,
    login: &str,
) -> Result<(), ApplyError> {
    let homes = match run.known.namesakes(login) {
        Some(all) => all.iter().filter(|one| one.own).map(|one| one.home).collect(),
        None => users::homes_of_login(tx, &run.by, login).await?,
    };
    for home in homes {
        let home = run.key(tx, home).await?;
        if !logins.contains(&(home.as_str(), fold(login))) {
            let why = format!(
                "someone of this login is at home in {home}, and users cannot be moved; if these are two users, \
                 declare the one of {home} too"
            );
            return Err(place.part("login_name").wrong(why));
        }
    }
    Ok(())
}
