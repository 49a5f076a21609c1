//! The declaration that would make what is stored; secrets and what directories said are left out.
//!
//! It is written in parts, each read by itself and given away before the next: an installation of any size costs the
//! memory of one part and of the names in it, and no read lasts.
use std::collections::{BTreeMap, HashMap, HashSet};

use super::declaration::{
    CeilingDecl, ConnectionDecl, Declaration, DirectoryDecl, GrantDecl, GroupDecl, GroupRef, PartnerDecl, RoleDecl,
    RuleDecl, ScopeDecl, UserDecl,
};
use super::partners::DEFAULT_GROUP;
use super::rule_filter_text;
use crate::domain::directory::{CeilingEntry, ConnectionState, Directory};
use crate::domain::grant::{Holder, ManualGrant, Scope, ScopeBase};
use crate::domain::group::UserGroup;
use crate::domain::id::{DirectoryId, ExternalGroupId, PartnerId, RoleId, UserGroupId, UserId};
use crate::domain::partner::{Partner, PartnerKind};
use crate::domain::role::Role;
use crate::domain::rule::RuleEffect;
use crate::domain::text::fold;
use crate::store::connections::ConnectionContext;
use crate::store::extent::OperatorExtent;
use crate::store::rules::StoredRule;
use crate::store::{Store, StoreError, catalog, declared, partners, users};

/// Users are read in pages of this size.
const PAGE: u32 = 500;

/// Partners whose groups, roles and directories are read together.
const TOGETHER: usize = 256;

/// Everything declared, in the form `apply` takes. Applying it to the same store changes nothing.
///
/// # Errors
/// Only those of the store.
pub async fn whole(store: &Store, by: &OperatorExtent) -> Result<Declaration, StoreError> {
    let mut all = Declaration::default();
    let mut export = RunningExport::begin(store, by).await?;
    while let Some(part) = export.next().await? {
        all.append(part);
    }
    Ok(all)
}

/// An export that is going on.
pub struct RunningExport {
    store: Store,
    by: OperatorExtent,
    book: Book,
    tree: Vec<Partner>,
    catalog: Option<String>,
    step: Step,
}

/// What is written next; the number is that of a partner in the tree.
#[derive(Clone)]
enum Step {
    Partners,
    Groups(usize),
    Users(usize, Option<(Vec<u8>, UserId)>),
    Directories(usize),
    Done,
}

impl RunningExport {
    /// Reads the tree and the names.
    ///
    /// # Errors
    /// Only those of the store.
    pub async fn begin(store: &Store, by: &OperatorExtent) -> Result<Self, StoreError> {
        let mut reader = store.reader().await?;
        let catalog = catalog::installed(&mut reader).await?;
        let mut tree = Vec::new();
        let mut above: Vec<Partner> = partners::root(&mut reader, by).await?.into_iter().collect();
        while !above.is_empty() {
            let ids: Vec<PartnerId> = above.iter().map(|partner| partner.id).collect();
            tree.append(&mut above);
            above = declared::below(&mut reader, by, &ids).await?;
            above.sort_by_cached_key(|partner| (fold(&partner.name), partner.id));
        }
        let mut book = Book::of(&tree);
        book.levels = catalog::levels(&mut reader).await?.into_iter().map(|level| (level.id.0, level.name)).collect();
        let capabilities = catalog::capabilities(&mut reader).await?;
        book.capabilities = capabilities.into_iter().map(|one| (one.id.0, one.name)).collect();
        for some in tree.chunks(TOGETHER) {
            let ids: Vec<PartnerId> = some.iter().map(|partner| partner.id).collect();
            for group in declared::groups(&mut reader, by, &ids).await? {
                book.groups.insert(group.id, (group.partner, group.name));
            }
            for role in declared::roles(&mut reader, by, &ids).await? {
                book.role_names.insert((role.partner, fold(&role.name)), role.id);
                book.roles.insert(role.id, role.name);
            }
        }
        Ok(Self { store: store.clone(), by: *by, book, tree, catalog, step: Step::Partners })
    }

    /// The next part; none when all of it is told.
    ///
    /// # Errors
    /// Only those of the store.
    pub async fn next(&mut self) -> Result<Option<Declaration>, StoreError> {
        let mut out = Declaration::default();
        self.step = match self.step.clone() {
            Step::Partners => {
                out.catalog = self.catalog.take();
                out.partners = self.tree.iter().map(|partner| self.book.partner(partner)).collect();
                Step::Groups(0)
            }
            Step::Groups(at) => match self.some(at) {
                Some(some) => {
                    self.groups(&some, &mut out).await?;
                    Step::Groups(at + some.len())
                }
                None => Step::Users(0, None),
            },
            Step::Users(at, after) => match self.tree.get(at).map(|partner| partner.id) {
                Some(partner) => match self.users(partner, after, &mut out).await? {
                    Some(last) => Step::Users(at, Some(last)),
                    None => Step::Users(at + 1, None),
                },
                None => Step::Directories(0),
            },
            Step::Directories(at) => match self.some(at) {
                Some(some) => {
                    self.directories(&some, &mut out).await?;
                    Step::Directories(at + some.len())
                }
                None => Step::Done,
            },
            Step::Done => return Ok(None),
        };
        Ok(Some(out))
    }

    fn some(&self, at: usize) -> Option<Vec<PartnerId>> {
        let some = self.tree.get(at..)?.iter().take(TOGETHER).map(|partner| partner.id);
        Some(some.collect::<Vec<_>>()).filter(|some| !some.is_empty())
    }

    /// User groups with what they hold, and roles that the partners own.
    async fn groups(&self, of: &[PartnerId], out: &mut Declaration) -> Result<(), StoreError> {
        let (by, mut reader) = (&self.by, self.store.reader().await?);
        let mut held: HashMap<Holder, Vec<ManualGrant>> = HashMap::new();
        for grant in declared::held_by_groups(&mut reader, by, of).await? {
            held.entry(grant.holder).or_default().push(grant);
        }
        let mut groups: HashMap<PartnerId, Vec<UserGroup>> = HashMap::new();
        for group in declared::groups(&mut reader, by, of).await? {
            groups.entry(group.partner).or_default().push(group);
        }
        let roles = declared::roles(&mut reader, by, of).await?;
        let ids: Vec<RoleId> = roles.iter().map(|role| role.id).collect();
        let mut capabilities: HashMap<RoleId, Vec<i64>> = HashMap::new();
        for (role, capability) in declared::capabilities(&mut reader, by, &ids).await? {
            capabilities.entry(role).or_default().push(capability.0);
        }
        let mut owned: HashMap<PartnerId, Vec<Role>> = HashMap::new();
        for role in roles.into_iter().filter(|role| role.catalog_key.is_none()) {
            owned.entry(role.partner).or_default().push(role);
        }
        for partner in of {
            let mut groups = groups.remove(partner).unwrap_or_default();
            groups.sort_by_cached_key(|group| (fold(&group.name), group.id));
            for group in groups {
                let grants = held.remove(&Holder::Group(group.id)).unwrap_or_default();
                out.grants.extend(self.book.grants(*partner, (None, Some(&group.name)), grants));
                if group.name != DEFAULT_GROUP || !group.is_default {
                    let partner = self.book.key(*partner);
                    out.groups.push(GroupDecl { partner, name: group.name, primary: group.is_primary });
                }
            }
            // A role stands behind its parent.
            let mut roles = owned.remove(partner).unwrap_or_default();
            roles.sort_by_key(|role| role.id);
            for role in roles {
                let mut held = capabilities.remove(&role.id).unwrap_or_default();
                held.sort_unstable();
                out.roles.push(RoleDecl {
                    partner: self.book.key(*partner),
                    parent: role.parent.map(|parent| self.book.role(*partner, parent)),
                    capabilities: held.iter().filter_map(|one| self.book.capabilities.get(one).cloned()).collect(),
                    name: role.name,
                });
            }
        }
        Ok(())
    }

    /// A page of a partner's users: those of whom no directory speaks, and the manual grants of everyone who can be named.
    async fn users(
        &self,
        partner: PartnerId,
        after: Option<(Vec<u8>, UserId)>,
        out: &mut Declaration,
    ) -> Result<Option<(Vec<u8>, UserId)>, StoreError> {
        let (by, mut reader) = (&self.by, self.store.reader().await?);
        let page = declared::page(&mut reader, by, partner, after, PAGE).await?;
        let last = page.last().map(|(user, _)| (users::sort_key(user), user.id));
        let more = page.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX);
        let ids: Vec<UserId> = page.iter().map(|(user, _)| user.id).collect();
        let mut held: HashMap<Holder, Vec<ManualGrant>> = HashMap::new();
        for grant in declared::held_by(&mut reader, by, &ids).await? {
            held.entry(grant.holder).or_default().push(grant);
        }
        for (user, of_no_directory) in page {
            let Some(login) = user.profile.login_name else { continue };
            let grants = held.remove(&Holder::User(user.id)).unwrap_or_default();
            out.grants.extend(self.book.grants(partner, (Some(&login), None), grants));
            if of_no_directory {
                let (name, email) = (user.profile.display_name, user.profile.email);
                out.users.push(UserDecl {
                    partner: self.book.key(partner),
                    login_name: login,
                    display_name: name,
                    email,
                });
            }
        }
        Ok(last.filter(|_| more))
    }

    async fn directories(&self, of: &[PartnerId], out: &mut Declaration) -> Result<(), StoreError> {
        let (by, mut reader) = (&self.by, self.store.reader().await?);
        let found = declared::directories(&mut reader, by, of).await?;
        let ids: Vec<DirectoryId> = found.iter().map(|directory| directory.id).collect();
        let mut ceilings = declared::ceilings(&mut reader, by, &ids).await?;
        let mut connections: HashMap<DirectoryId, Vec<ConnectionContext>> = HashMap::new();
        for connection in declared::connections(&mut reader, by, &ids).await? {
            connections.entry(connection.connection.directory).or_default().push(connection);
        }
        let mut rules = declared::rules(&mut reader, by, &ids).await?;
        let named: HashSet<ExternalGroupId> =
            rules.values().flatten().flat_map(|rule| rule.names.iter().map(|(_, id)| *id)).collect();
        let named: Vec<ExternalGroupId> = named.into_iter().collect();
        let called = declared::external_groups(&mut reader, by, &named).await?;
        let mut owned: HashMap<PartnerId, Vec<Directory>> = HashMap::new();
        for directory in found {
            owned.entry(directory.partner).or_default().push(directory);
        }
        for directory in of.iter().flat_map(|partner| owned.remove(partner).unwrap_or_default()) {
            let id = directory.id;
            out.directories.push(DirectoryDecl {
                partner: self.book.key(directory.partner),
                ceilings: self.book.ceilings(directory.partner, ceilings.remove(&id).unwrap_or_default()),
                connections: connections.remove(&id).unwrap_or_default().into_iter().map(connection).collect(),
                rules: rules
                    .remove(&id)
                    .unwrap_or_default()
                    .into_iter()
                    .map(|rule| self.book.rule(directory.partner, rule, &called))
                    .collect(),
                name: directory.name,
                mode: directory.mode.as_str().to_owned(),
                priority: directory.priority,
            });
        }
        Ok(())
    }
}

fn connection(connection: ConnectionContext) -> ConnectionDecl {
    ConnectionDecl {
        kind: connection.connection.kind.as_str().to_owned(),
        slug: connection.connection.slug,
        profile: connection.connection.profile,
        matching_attribute: connection.matching_attribute,
        paused: connection.connection.state == ConnectionState::Paused,
        settings: settings(connection.connection.settings),
        secret: None,
        token: None,
    }
}

/// Settings as TOML has them: what is not set is left out.
fn settings(config: serde_json::Value) -> BTreeMap<String, toml::Value> {
    match config {
        serde_json::Value::Object(all) => {
            all.into_iter().filter_map(|(key, value)| Some((key, value_of(value)?))).collect()
        }
        _ => BTreeMap::new(),
    }
}

fn value_of(value: serde_json::Value) -> Option<toml::Value> {
    Some(match value {
        serde_json::Value::Null => return None,
        serde_json::Value::Bool(truth) => toml::Value::Boolean(truth),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(whole) => toml::Value::Integer(whole),
            None => toml::Value::Float(number.as_f64()?),
        },
        serde_json::Value::String(text) => toml::Value::String(text),
        serde_json::Value::Array(items) => toml::Value::Array(items.into_iter().filter_map(value_of).collect()),
        serde_json::Value::Object(_) => toml::Value::Table(settings(value).into_iter().collect()),
    })
}

/// The names behind ids.
#[derive(Default)]
struct Book {
    keys: HashMap<PartnerId, String>,
    parents: HashMap<PartnerId, PartnerId>,
    levels: BTreeMap<i64, String>,
    capabilities: BTreeMap<i64, String>,
    groups: HashMap<UserGroupId, (PartnerId, String)>,
    roles: HashMap<RoleId, String>,
    role_names: HashMap<(PartnerId, String), RoleId>,
}

impl Book {
    /// A partner goes by its external id where that tells it from all others, else by its id.
    fn of(tree: &[Partner]) -> Self {
        let mut bearers: HashMap<&str, usize> = HashMap::new();
        for key in tree.iter().filter_map(|partner| partner.external_id.as_deref()) {
            *bearers.entry(key).or_default() += 1;
        }
        let key = |partner: &Partner| match &partner.external_id {
            Some(key) if bearers.get(key.as_str()) == Some(&1) => key.clone(),
            _ => partner.id.to_string(),
        };
        let keys = tree.iter().map(|partner| (partner.id, key(partner))).collect();
        let parents = tree.iter().filter_map(|partner| Some((partner.id, partner.parent?))).collect();
        Self { keys, parents, ..Self::default() }
    }

    fn key(&self, id: PartnerId) -> String {
        self.keys.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }

    fn group(&self, id: UserGroupId) -> String {
        self.groups.get(&id).map_or_else(|| id.to_string(), |(_, name)| name.clone())
    }

    /// What a role is called at a partner: its name, unless another one of that name is nearer.
    fn role(&self, at: PartnerId, id: RoleId) -> String {
        let Some(name) = self.roles.get(&id) else { return id.to_string() };
        let (key, mut next) = (fold(name), Some(at));
        while let Some(partner) = next {
            match self.role_names.get(&(partner, key.clone())) {
                Some(found) if *found == id => return name.clone(),
                Some(_) => break,
                None => next = self.parents.get(&partner).copied(),
            }
        }
        id.to_string()
    }

    fn partner(&self, partner: &Partner) -> PartnerDecl {
        PartnerDecl {
            key: self.key(partner.id),
            name: partner.name.clone(),
            parent: partner.parent.map(|parent| self.key(parent)),
            level: self.levels.get(&partner.level.0).cloned().unwrap_or_default(),
            department: partner.kind == PartnerKind::Department,
        }
    }

    fn scope(&self, scope: &Scope) -> ScopeDecl {
        let left_out = scope.excluded_user_groups.iter().map(|id| GroupRef {
            partner: self.groups.get(id).map_or_else(String::new, |(partner, _)| self.key(*partner)),
            user_group: self.group(*id),
        });
        let mut decl = ScopeDecl {
            exclude: scope.excluded_partners.iter().map(|id| self.key(*id)).collect(),
            exclude_user_groups: left_out.collect(),
            ..ScopeDecl::default()
        };
        match &scope.base {
            ScopeBase::Own { partner } => decl.own = Some(self.key(*partner)),
            ScopeBase::Partner { partner } => decl.partner = Some(self.key(*partner)),
            ScopeBase::Subtree { partner } => decl.subtree = Some(self.key(*partner)),
            ScopeBase::UserGroups { partner, user_groups: groups } => {
                decl.user_groups_of = Some(self.key(*partner));
                decl.user_groups = groups.iter().map(|id| self.group(*id)).collect();
            }
        }
        decl
    }

    /// Grants of one holder, by role and then by age, so that the same store is always exported alike.
    fn grants(
        &self,
        partner: PartnerId,
        (user, group): (Option<&str>, Option<&str>),
        held: Vec<ManualGrant>,
    ) -> Vec<GrantDecl> {
        let mut decls: Vec<GrantDecl> = held
            .into_iter()
            .map(|grant| GrantDecl {
                role: self.role(partner, grant.role),
                partner: self.key(partner),
                user: user.map(str::to_owned),
                user_group: group.map(str::to_owned),
                scope: self.scope(&grant.scope),
                reason: grant.reason,
            })
            .collect();
        decls.sort_by(|one, two| one.role.cmp(&two.role));
        decls
    }

    fn ceilings(&self, at: PartnerId, rows: Vec<CeilingEntry>) -> Vec<CeilingDecl> {
        let named = |row: CeilingEntry| CeilingDecl { role: self.role(at, row.role), scope: self.scope(&row.scope) };
        let mut ceilings: Vec<_> = rows.into_iter().map(named).collect();
        ceilings.sort_by(|one, two| one.role.cmp(&two.role));
        ceilings
    }

    fn rule(&self, at: PartnerId, one: StoredRule, called: &HashMap<ExternalGroupId, String>) -> RuleDecl {
        let when = rule_filter_text::as_called(&one, called);
        let (mut place, mut join, mut grant, mut scope) = (None, None, None, None);
        match &one.rule.effect {
            RuleEffect::SetPrimaryGroup { user_group: group } => place = Some(self.group(*group)),
            RuleEffect::AddToGroup { user_group: group } => join = Some(self.group(*group)),
            RuleEffect::GrantRole { role, scope: over } => {
                grant = Some(self.role(at, *role));
                scope = Some(self.scope(over));
            }
        }
        RuleDecl { name: one.rule.name, when, primary_group: place, add_to_group: join, grant_role: grant, scope }
    }
}
