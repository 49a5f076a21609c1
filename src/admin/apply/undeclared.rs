//! What is in the store at declared partners and not in the declaration. Grants are told by `grants`.
use std::collections::{BTreeSet, HashSet};

use super::{ApplyError, Run};
use crate::admin::declaration::{Declaration, DirectoryDecl};
use crate::domain::directory::Directory;
use crate::domain::id::PartnerId;
use crate::domain::text::fold;
use crate::store::Tx;

pub(super) async fn tell(tx: &mut Tx, run: &mut Run<'_>, declaration: &Declaration) -> Result<(), ApplyError> {
    let mut declared = Vec::new();
    for (number, decl) in declaration.partners.iter().enumerate() {
        declared.push((run.partner(tx, &decl.spot(number), &decl.key).await?.partner(), decl.key.as_str()));
    }
    let named = Named::of(declaration);
    let mut told = Vec::new();
    everything(run, &declared, &named, declaration, &mut |kind, what| told.push((kind, what)));
    for (kind, what) in told {
        run.plan.beside(kind, what);
    }
    Ok(())
}

type Tell<'a> = &'a mut dyn FnMut(&'static str, String);

fn everything(run: &Run<'_>, declared: &[(PartnerId, &str)], named: &Named, declaration: &Declaration, tell: Tell<'_>) {
    let ids: HashSet<PartnerId> = declared.iter().map(|(id, _)| *id).collect();
    let (groups, roles) = (run.known.groups_by_owner(), run.known.roles_by_owner());
    let users = run.known.users_by_home();
    for (id, key) in declared {
        for child in run.known.children(*id).filter(|child| !ids.contains(&child.id)) {
            let name = child.external_id.clone().unwrap_or_else(|| child.id.to_string());
            tell("partners", format!("partner {name} “{}” below {key}", child.name));
        }
        for group in groups.get(id).into_iter().flatten() {
            if !group.is_default && !named.has("group", key, &group.name) {
                tell("user groups", format!("group {} of {key}", group.name));
            }
        }
        for role in roles.get(id).into_iter().flatten() {
            if role.catalog_key.is_none() && !named.has("role", key, &role.name) {
                tell("roles", format!("role {} of {key}", role.name));
            }
        }
        for user in users.get(id).into_iter().flatten() {
            let login = user.profile.login_name.as_deref();
            if !login.is_some_and(|login| named.has("user", key, login)) {
                let name = login.unwrap_or(&user.profile.display_name);
                tell("users", format!("user {name} of {key}"));
            }
        }
        for directory in run.known.directories_of(*id) {
            let same = |one: &&DirectoryDecl| one.partner == **key && fold(&one.name) == fold(&directory.name);
            of_directory(run, key, directory, declaration.directories.iter().find(same), tell);
        }
    }
}

/// What a declaration names, by the key of the partner.
struct Named(BTreeSet<(&'static str, String, String)>);

impl Named {
    fn of(declaration: &Declaration) -> Self {
        let mut all = BTreeSet::new();
        all.extend(declaration.groups.iter().map(|one| ("group", one.partner.clone(), fold(&one.name))));
        all.extend(declaration.roles.iter().map(|one| ("role", one.partner.clone(), fold(&one.name))));
        all.extend(declaration.users.iter().map(|one| ("user", one.partner.clone(), fold(&one.login_name))));
        Self(all)
    }

    fn has(&self, kind: &'static str, partner: &str, name: &str) -> bool {
        self.0.contains(&(kind, partner.to_owned(), fold(name)))
    }
}

fn of_directory(run: &Run<'_>, key: &str, directory: &Directory, declared: Option<&DirectoryDecl>, tell: Tell<'_>) {
    let place = format!("directory {} of {key}", directory.name);
    if declared.is_none() {
        let rules = run.known.rules_of(directory.id).len();
        let rules = if rules == 1 { "1 rule".to_owned() } else { format!("{rules} rules") };
        tell("directories", format!("{place}, with {rules}"));
    }
    for connection in run.known.connections_of(directory.id) {
        let slug = &connection.connection.slug;
        if !declared.is_some_and(|decl| decl.connections.iter().any(|connection| connection.slug == *slug)) {
            tell("connections", format!("connection {slug} of {place}"));
        }
    }
}
