//! What is in the store at declared partners and not in the declaration. Grants are told by `grants`.
use std::collections::BTreeSet;

use super::{ApplyError, Run};
use crate::admin::declaration::{Declaration, DirectoryDecl};
use crate::domain::directory::Directory;
use crate::domain::id::PartnerId;
use crate::domain::text::fold;
use crate::store::extent::PartnerExtent;
use crate::store::{Tx, connections, directories, partners, people, roles, rules, user_groups};

pub(super) async fn tell(tx: &mut Tx, run: &mut Run<'_>, declaration: &Declaration) -> Result<(), ApplyError> {
    let mut declared = BTreeSet::new();
    for decl in &declaration.partners {
        declared.insert(run.partner(tx, "partner", &decl.key).await?.partner());
    }
    let named = Named::of(declaration);
    for decl in &declaration.partners {
        let at = run.partner(tx, "partner", &decl.key).await?;
        below(tx, run, &at, &decl.key, &declared).await?;
        at_partner(tx, run, &at, &decl.key, &named).await?;
        for directory in directories::of_partner(tx, &at).await? {
            let same = |one: &&DirectoryDecl| one.partner == decl.key && fold(&one.name) == fold(&directory.name);
            let found = declaration.directories.iter().find(same);
            of_directory(tx, run, &at, &decl.key, &directory, found).await?;
        }
    }
    Ok(())
}

/// What a declaration names, by the key of the partner.
struct Named(BTreeSet<(&'static str, String, String)>);

impl Named {
    fn of(declaration: &Declaration) -> Self {
        let mut all = BTreeSet::new();
        all.extend(declaration.groups.iter().map(|one| ("group", one.partner.clone(), fold(&one.name))));
        all.extend(declaration.roles.iter().map(|one| ("role", one.partner.clone(), fold(&one.name))));
        all.extend(declaration.users.iter().map(|one| ("user", one.partner.clone(), fold(&one.login))));
        Self(all)
    }

    fn has(&self, kind: &'static str, partner: &str, name: &str) -> bool {
        self.0.contains(&(kind, partner.to_owned(), fold(name)))
    }
}

async fn below(
    tx: &mut Tx,
    run: &mut Run<'_>,
    at: &PartnerExtent,
    key: &str,
    declared: &BTreeSet<PartnerId>,
) -> Result<(), ApplyError> {
    for child in partners::children(tx, at).await? {
        if !declared.contains(&child.id) {
            let name = child.external_id.unwrap_or_else(|| child.id.to_string());
            run.plan.beside("partners", format!("partner {name} “{}” below {key}", child.name));
        }
    }
    Ok(())
}

async fn at_partner(
    tx: &mut Tx,
    run: &mut Run<'_>,
    at: &PartnerExtent,
    key: &str,
    named: &Named,
) -> Result<(), ApplyError> {
    for (group, _) in user_groups::of_partner(tx, at).await? {
        if !group.is_default && !named.has("group", key, &group.name) {
            run.plan.beside("user groups", format!("group {} of {key}", group.name));
        }
    }
    for role in roles::usable(tx, at).await? {
        if role.partner == at.partner() && role.catalog_key.is_none() && !named.has("role", key, &role.name) {
            run.plan.beside("roles", format!("role {} of {key}", role.name));
        }
    }
    for person in people::without_source(tx, at).await? {
        let login = person.profile.login_name.as_deref();
        if !login.is_some_and(|login| named.has("user", key, login)) {
            let name = login.unwrap_or(&person.profile.display_name);
            run.plan.beside("people", format!("user {name} of {key}"));
        }
    }
    Ok(())
}

async fn of_directory(
    tx: &mut Tx,
    run: &mut Run<'_>,
    at: &PartnerExtent,
    key: &str,
    directory: &Directory,
    declared: Option<&DirectoryDecl>,
) -> Result<(), ApplyError> {
    let place = format!("directory {} of {key}", directory.name);
    let doors = connections::of_directory(tx, at, directory.id).await?;
    let mut left = doors.into_iter().map(|door| door.connection.slug).collect::<Vec<_>>();
    if let Some(decl) = declared {
        left.retain(|slug| decl.connections.iter().all(|door| door.slug != *slug));
    } else {
        let rules = rules::in_force(tx, at, directory.id).await?.len();
        let rules = if rules == 1 { "1 rule".to_owned() } else { format!("{rules} rules") };
        run.plan.beside("directories", format!("{place}, with {rules}"));
    }
    for slug in left {
        run.plan.beside("connections", format!("connection {slug} of {place}"));
    }
    Ok(())
}
