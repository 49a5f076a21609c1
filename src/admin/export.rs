//! The declaration that would make what is stored; secrets and what directories said are left out.
use super::declaration::{
    CeilingDecl, ConnectionDecl, Declaration, DirectoryDecl, GrantDecl, GroupDecl, PartnerDecl, RoleDecl, RuleDecl,
    ScopeDecl, UserDecl,
};
use super::partners::DEFAULT_GROUP;
use crate::domain::directory::{Ceiling, ConnectionState, Directory};
use crate::domain::grant::{Holder, Reach, Scope};
use crate::domain::id::{PartnerId, RoleId, UserGroupId};
use crate::domain::partner::PartnerKind;
use crate::domain::rule::Effect;
use crate::store::extent::{OperatorExtent, PartnerExtent};
use crate::store::partners::TreeNode;
use crate::store::{
    Reader, StoreError, catalog, connections, directories, grants, partners, people, roles, rules, user_groups,
};

/// People are read in pages of this size.
const PAGE: u32 = 500;

/// Everything declared, in the form `apply` takes. Applying it to the same store changes nothing.
///
/// # Errors
/// Only those of the store.
pub async fn export(reader: &mut Reader, by: &OperatorExtent) -> Result<Declaration, StoreError> {
    let mut out = Declaration { catalog: catalog::installed(reader).await?, ..Declaration::default() };
    let Some(root) = partners::root(reader, by).await? else { return Ok(out) };
    let mut book = Book::open(reader, by, root.id).await?;
    let tree = std::mem::take(&mut book.tree);
    for node in &tree {
        out.partners.push(book.partner(node));
    }
    for node in &tree {
        let at = by.at(node.partner.id);
        groups(reader, &book, &at, &mut out).await?;
        own_roles(reader, &book, &at, &mut out).await?;
        users(reader, &book, &at, &mut out).await?;
        for directory in directories::of_partner(reader, &at).await? {
            out.directories.push(one_directory(reader, &book, &at, directory).await?);
        }
    }
    // By name, so that the same store is always exported alike.
    out.grants.sort_by(|a, b| (&a.partner, &a.user, &a.group, &a.role).cmp(&(&b.partner, &b.user, &b.group, &b.role)));
    Ok(out)
}

/// The names behind ids.
struct Book {
    tree: Vec<TreeNode>,
    keys: std::collections::BTreeMap<PartnerId, String>,
    levels: std::collections::BTreeMap<i64, String>,
    capabilities: std::collections::BTreeMap<i64, String>,
    groups: std::collections::BTreeMap<UserGroupId, String>,
    roles: std::collections::BTreeMap<RoleId, String>,
}

impl Book {
    async fn open(reader: &mut Reader, by: &OperatorExtent, root: PartnerId) -> Result<Self, StoreError> {
        let tree = parents_first(partners::subtree(reader, &by.at(root)).await?, root);
        let key = |node: &TreeNode| node.partner.external_id.clone().unwrap_or_else(|| node.partner.id.to_string());
        let keys = tree.iter().map(|node| (node.partner.id, key(node))).collect();
        let levels = catalog::levels(reader).await?.into_iter().map(|level| (level.id.0, level.name)).collect();
        let named = catalog::capabilities(reader).await?.into_iter().map(|one| (one.id.0, one.name)).collect();
        let mut book =
            Self { tree, keys, levels, capabilities: named, groups: Default::default(), roles: Default::default() };
        for id in book.keys.keys().copied().collect::<Vec<_>>() {
            let at = by.at(id);
            for (group, _) in user_groups::of_partner(reader, &at).await? {
                book.groups.insert(group.id, group.name);
            }
            for role in roles::usable(reader, &at).await? {
                book.roles.insert(role.id, role.name);
            }
        }
        Ok(book)
    }

    fn key(&self, id: PartnerId) -> String {
        self.keys.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }

    fn group(&self, id: UserGroupId) -> String {
        self.groups.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }

    fn role(&self, id: RoleId) -> String {
        self.roles.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }

    fn partner(&self, node: &TreeNode) -> PartnerDecl {
        let partner = &node.partner;
        PartnerDecl {
            key: self.key(partner.id),
            name: partner.name.clone(),
            parent: partner.parent.map(|parent| self.key(parent)),
            level: self.levels.get(&partner.level.0).cloned().unwrap_or_default(),
            department: partner.kind == PartnerKind::Department,
        }
    }

    fn scope(&self, scope: &Scope) -> ScopeDecl {
        let mut decl = ScopeDecl {
            without: scope.without_partners.iter().map(|id| self.key(*id)).collect(),
            ..ScopeDecl::default()
        };
        match &scope.reach {
            Reach::Own { partner } => decl.own = Some(self.key(*partner)),
            Reach::Partner { partner } => decl.partner = Some(self.key(*partner)),
            Reach::Subtree { partner } => decl.subtree = Some(self.key(*partner)),
            Reach::Groups { partner, groups } => {
                decl.groups_of = Some(self.key(*partner));
                decl.groups = groups.iter().map(|id| self.group(*id)).collect();
            }
        }
        decl
    }
}

/// The tree with every parent before its children.
fn parents_first(nodes: Vec<TreeNode>, root: PartnerId) -> Vec<TreeNode> {
    let mut children: std::collections::BTreeMap<Option<PartnerId>, Vec<TreeNode>> = Default::default();
    for node in nodes {
        let above = node.partner.parent.filter(|_| node.partner.id != root);
        children.entry(above).or_default().push(node);
    }
    let mut ordered = Vec::new();
    let mut waiting = children.remove(&None).unwrap_or_default();
    while !waiting.is_empty() {
        let below = waiting.iter().filter_map(|node| children.remove(&Some(node.partner.id))).flatten().collect();
        ordered.append(&mut waiting);
        waiting = below;
    }
    ordered
}

async fn groups(reader: &mut Reader, book: &Book, at: &PartnerExtent, out: &mut Declaration) -> Result<(), StoreError> {
    for (group, _) in user_groups::of_partner(reader, at).await? {
        for grant in grants::of_holder(reader, at, Holder::Group(group.id)).await? {
            out.grants.push(GrantDecl {
                role: book.role(grant.role),
                partner: book.key(at.partner()),
                user: None,
                group: Some(group.name.clone()),
                scope: book.scope(&grant.scope),
                reason: grant.reason,
            });
        }
        if group.name != DEFAULT_GROUP || !group.is_default {
            let partner = book.key(at.partner());
            out.groups.push(GroupDecl { partner, name: group.name, exclusive: group.exclusive });
        }
    }
    Ok(())
}

async fn own_roles(
    reader: &mut Reader,
    book: &Book,
    at: &PartnerExtent,
    out: &mut Declaration,
) -> Result<(), StoreError> {
    for role in roles::usable(reader, at).await? {
        if role.partner != at.partner() || role.catalog_key.is_some() {
            continue;
        }
        let held = roles::own_capabilities(reader, at, role.id).await?;
        out.roles.push(RoleDecl {
            partner: book.key(at.partner()),
            parent: role.parent.map(|parent| book.role(parent)),
            capabilities: held.iter().filter_map(|one| book.capabilities.get(&one.0).cloned()).collect(),
            name: role.name,
        });
    }
    Ok(())
}

/// People without a directory, and the manual grants of everyone who can be named.
async fn users(reader: &mut Reader, book: &Book, at: &PartnerExtent, out: &mut Declaration) -> Result<(), StoreError> {
    let here = at.alone();
    let mut after: Option<(Vec<u8>, crate::domain::id::UserId)> = None;
    loop {
        let from = after.as_ref().map(|(key, id)| (key.as_slice(), *id));
        let page = people::list(reader, &here, from, None, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some((people::sort_key(last), last.id));
        for user in page {
            let Some(login) = user.profile.login_name else { continue };
            for grant in grants::of_holder(reader, at, Holder::User(user.id)).await? {
                out.grants.push(GrantDecl {
                    role: book.role(grant.role),
                    partner: book.key(at.partner()),
                    user: Some(login.clone()),
                    group: None,
                    scope: book.scope(&grant.scope),
                    reason: grant.reason,
                });
            }
            if !people::has_source(reader, &here, user.id).await? {
                let (name, email) = (user.profile.display_name, user.profile.email);
                out.users.push(UserDecl { partner: book.key(at.partner()), login, name, email });
            }
        }
    }
}

async fn one_directory(
    reader: &mut Reader,
    book: &Book,
    at: &PartnerExtent,
    directory: Directory,
) -> Result<DirectoryDecl, StoreError> {
    let ceilings = directories::ceilings(reader, at, directory.id).await?;
    let named = |row: &Ceiling| CeilingDecl { role: book.role(row.role), scope: book.scope(&row.scope) };
    let mut ceilings: Vec<_> = ceilings.iter().map(named).collect();
    ceilings.sort_by(|a, b| a.role.cmp(&b.role));
    let doors = connections::of_directory(reader, at, directory.id).await?;
    let connections = doors.into_iter().map(|door| ConnectionDecl {
        kind: door.connection.kind.as_str().to_owned(),
        slug: door.connection.slug,
        profile: door.connection.profile,
        join: door.join_attribute,
        paused: door.connection.state == ConnectionState::Paused,
        settings: serde_json::from_value(door.connection.config).unwrap_or_default(),
        secret: None,
        token: None,
    });
    let written = rules::in_force(reader, at, directory.id).await?;
    let rules = written.into_iter().map(|one| {
        let (mut place, mut join, mut grant, mut scope) = (None, None, None, None);
        match &one.rule.effect {
            Effect::Place { group } => place = Some(book.group(*group)),
            Effect::Join { group } => join = Some(book.group(*group)),
            Effect::Grant { role, scope: over } => {
                grant = Some(book.role(*role));
                scope = Some(book.scope(over));
            }
        }
        RuleDecl { name: one.rule.name, when: one.when, place, join, grant, scope }
    });
    Ok(DirectoryDecl {
        partner: book.key(at.partner()),
        name: directory.name,
        mode: directory.mode.as_str().to_owned(),
        authority: directory.authority,
        ceilings,
        connections: connections.collect(),
        rules: rules.collect(),
    })
}
