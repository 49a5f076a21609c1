//! What the store has of all that a declaration names, read in a few statements before anything is compared: with
//! nothing to do, an application asks the store as often for thousands of partners as for one.
use std::collections::{BTreeSet, HashMap, HashSet};

use crate::admin::declaration::{Declaration, ScopeDecl, UserDecl};
use crate::domain::capability::CapabilityId;
use crate::domain::directory::{CeilingEntry, Directory};
use crate::domain::grant::{Holder, ManualGrant};
use crate::domain::group::UserGroup;
use crate::domain::id::{DirectoryId, ExternalGroupId, PartnerId, RoleId, UserGroupId, UserId};
use crate::domain::partner::Partner;
use crate::domain::role::Role;
use crate::domain::rule::ExternalSet;
use crate::domain::text::fold;
use crate::domain::user::User;
use crate::store::connections::ConnectionContext;
use crate::store::declared::{Called, Namesake};
use crate::store::extent::OperatorExtent;
use crate::store::rules::StoredRule;
use crate::store::{StoreError, Tx, declared};

/// Most newcomers whose namesakes are looked for one by one.
const FEW: usize = 32;

/// What was there when the application began, and what it has made since. Whoever does not find a thing here asks the
/// store, unless it is said to be complete.
#[derive(Default)]
pub(super) struct ExistingObjects {
    /// Partners that are named, and those above and directly below them.
    pub(super) partners: HashMap<PartnerId, Partner>,
    by_key: HashMap<String, Vec<PartnerId>>,
    /// Partners at which something is declared: of these it is complete.
    places: HashSet<PartnerId>,
    children: HashMap<PartnerId, Vec<PartnerId>>,
    groups: HashMap<UserGroupId, UserGroup>,
    group_names: HashMap<(PartnerId, String), UserGroupId>,
    roles: HashMap<RoleId, Role>,
    role_names: HashMap<(PartnerId, String), RoleId>,
    capabilities: HashMap<RoleId, BTreeSet<CapabilityId>>,
    users: HashMap<UserId, User>,
    logins: HashMap<(PartnerId, String), UserId>,
    grants: HashMap<Holder, Vec<ManualGrant>>,
    homes: HashMap<PartnerId, Vec<Holder>>,
    /// Holders of whom a directory speaks.
    names: HashMap<UserId, Called>,
    /// Their sign-in names, and those of users whom this application made.
    others: HashMap<(PartnerId, String), UserId>,
    /// Who signs in by the names of those who are new, when they are many.
    namesakes: HashMap<Vec<u8>, Vec<Namesake>>,
    directories: HashMap<PartnerId, Vec<Directory>>,
    ceilings: HashMap<DirectoryId, Vec<CeilingEntry>>,
    connections: HashMap<DirectoryId, Vec<ConnectionContext>>,
    rules: HashMap<DirectoryId, Vec<StoredRule>>,
    external: HashMap<ExternalGroupId, String>,
}

impl ExistingObjects {
    pub(super) async fn load(tx: &mut Tx, by: &OperatorExtent, declaration: &Declaration) -> Result<Self, StoreError> {
        let (mut known, named) = (Self::default(), Named::of(declaration));
        let keys: Vec<&str> = named.all.iter().copied().collect();
        let mut found = declared::by_key(tx, by, &keys).await?;
        let ids: Vec<PartnerId> = keys.iter().filter_map(|key| key.parse().ok()).collect();
        found.extend(declared::by_id(tx, by, &ids).await?);
        let ids: Vec<PartnerId> = found.iter().map(|partner| partner.id).collect();
        for partner in found {
            let goes_by = partner.external_id.clone().unwrap_or_else(|| partner.id.to_string());
            if named.places.contains(goes_by.as_str()) || named.places.contains(partner.id.to_string().as_str()) {
                known.places.insert(partner.id);
            }
            known.add_partner(partner);
        }
        for partner in declared::above(tx, by, &ids).await? {
            known.add_partner(partner);
        }
        let places: Vec<PartnerId> = known.places.iter().copied().collect();
        let line: Vec<PartnerId> = known.partners.keys().copied().collect();
        known.tree(tx, by, &places, &ids, &line).await?;
        known.users(tx, by, &places).await?;
        known.newcomers(tx, by, declaration).await?;
        known.directories(tx, by, &places).await?;
        Ok(known)
    }

    async fn tree(
        &mut self,
        tx: &mut Tx,
        by: &OperatorExtent,
        places: &[PartnerId],
        named: &[PartnerId],
        line: &[PartnerId],
    ) -> Result<(), StoreError> {
        let mut below = declared::below(tx, by, places).await?;
        below.sort_by_cached_key(|child| (fold(&child.name), child.id));
        for child in below {
            if let Some(parent) = child.parent {
                self.children.entry(parent).or_default().push(child.id);
            }
            self.add_partner(child);
        }
        for group in declared::groups(tx, by, named).await? {
            self.add_group(group);
        }
        let roles = declared::roles(tx, by, line).await?;
        let ids: Vec<RoleId> = roles.iter().map(|role| role.id).collect();
        for role in roles {
            self.add_role(role, BTreeSet::new());
        }
        for (role, capability) in declared::capabilities(tx, by, &ids).await? {
            self.capabilities.entry(role).or_default().insert(capability);
        }
        Ok(())
    }

    async fn users(&mut self, tx: &mut Tx, by: &OperatorExtent, places: &[PartnerId]) -> Result<(), StoreError> {
        for user in declared::users(tx, by, places).await? {
            self.add_user(user);
        }
        let held = declared::held(tx, by, places).await?;
        let strangers: HashSet<UserId> = held
            .iter()
            .filter_map(|grant| match grant.holder {
                Holder::User(id) if !self.users.contains_key(&id) => Some(id),
                _ => None,
            })
            .collect();
        let strangers: Vec<UserId> = strangers.into_iter().collect();
        self.names = declared::names(tx, by, &strangers).await?;
        let logins = self.names.iter().filter_map(|(id, one)| Some(((one.home, fold(one.login_name.as_ref()?)), *id)));
        self.others = logins.collect();
        for grant in held {
            let home = match grant.holder {
                Holder::User(id) => self.home(id),
                Holder::Group(id) => self.groups.get(&id).map(|group| group.partner),
            };
            let grants = self.grants.entry(grant.holder).or_default();
            if let Some(home) = home.filter(|_| grants.is_empty()) {
                self.homes.entry(home).or_default().push(grant.holder);
            }
            grants.push(grant);
        }
        Ok(())
    }

    /// Looks for namesakes of many newcomers at once; of few, each is looked for.
    async fn newcomers(
        &mut self,
        tx: &mut Tx,
        by: &OperatorExtent,
        declaration: &Declaration,
    ) -> Result<(), StoreError> {
        let new = |user: &&UserDecl| match self.keyed(&user.partner) {
            [one] => !self.logins.contains_key(&(*one, fold(&user.login_name))),
            _ => true,
        };
        let fresh: HashSet<Vec<u8>> =
            declaration.users.iter().filter(new).map(|user| fold(&user.login_name).into_bytes()).collect();
        if fresh.len() > FEW {
            self.namesakes = declared::namesakes(tx, by, fresh).await?;
        }
        Ok(())
    }

    /// Who signed in by this name when the application began; none when it was not looked for.
    pub(super) fn namesakes(&self, login: &str) -> Option<&[Namesake]> {
        self.namesakes.get(fold(login).as_bytes()).map(Vec::as_slice)
    }

    async fn directories(&mut self, tx: &mut Tx, by: &OperatorExtent, places: &[PartnerId]) -> Result<(), StoreError> {
        let directories = declared::directories(tx, by, places).await?;
        let ids: Vec<DirectoryId> = directories.iter().map(|directory| directory.id).collect();
        for directory in directories {
            self.directories.entry(directory.partner).or_default().push(directory);
        }
        self.ceilings = declared::ceilings(tx, by, &ids).await?;
        for connection in declared::connections(tx, by, &ids).await? {
            self.connections.entry(connection.connection.directory).or_default().push(connection);
        }
        self.rules = declared::rules(tx, by, &ids).await?;
        let asked: HashSet<ExternalGroupId> = self.rules.values().flatten().flat_map(asked_for).collect();
        let asked: Vec<ExternalGroupId> = asked.into_iter().collect();
        self.external = declared::external_groups(tx, by, &asked).await?;
        Ok(())
    }

    /// Whether everything about the partner was read.
    pub(super) fn is_complete(&self, partner: PartnerId) -> bool {
        self.places.contains(&partner)
    }

    /// The partners of an external id.
    pub(super) fn keyed(&self, key: &str) -> &[PartnerId] {
        self.by_key.get(key).map_or(&[], Vec::as_slice)
    }

    /// A partner that was just made: nobody and nothing is there but what this application puts there.
    pub(super) fn made_partner(&mut self, partner: Partner) {
        self.places.insert(partner.id);
        self.add_partner(partner);
    }

    pub(super) fn add_partner(&mut self, partner: Partner) {
        let (id, key) = (partner.id, partner.external_id.clone());
        let before = self.partners.insert(id, partner).and_then(|before| before.external_id);
        if before != key {
            if let Some(others) = before.and_then(|before| self.by_key.get_mut(&before)) {
                others.retain(|other| *other != id);
            }
            if let Some(key) = key {
                self.by_key.entry(key).or_default().push(id);
            }
        }
    }

    /// The partners directly below one at which something is declared, by name.
    pub(super) fn children(&self, of: PartnerId) -> impl Iterator<Item = &Partner> {
        let ids = self.children.get(&of).into_iter().flatten();
        ids.filter_map(|id| self.partners.get(id))
    }

    /// The user group of a name.
    pub(super) fn group(&self, partner: PartnerId, name: &str) -> Option<&UserGroup> {
        self.group_names.get(&(partner, fold(name))).and_then(|id| self.groups.get(id))
    }

    pub(super) fn group_name(&self, id: UserGroupId) -> Option<&str> {
        self.groups.get(&id).map(|group| group.name.as_str())
    }

    /// The user groups of each partner, by name.
    pub(super) fn groups_by_owner(&self) -> HashMap<PartnerId, Vec<&UserGroup>> {
        by(self.groups.values(), |group| group.partner, |group| fold(&group.name))
    }

    pub(super) fn add_group(&mut self, group: UserGroup) {
        self.group_names.insert((group.partner, fold(&group.name)), group.id);
        self.groups.insert(group.id, group);
    }

    /// The role of a name that the partner owns.
    pub(super) fn own_role(&self, partner: PartnerId, name: &str) -> Option<&Role> {
        self.role_names.get(&(partner, fold(name))).and_then(|id| self.roles.get(id))
    }

    /// The role of a name that can be used at the partner: its own, or that of the nearest partner above.
    pub(super) fn usable_role(&self, partner: PartnerId, name: &str) -> Option<&Role> {
        let mut next = Some(partner);
        while let Some(at) = next {
            if let Some(role) = self.own_role(at, name) {
                return Some(role);
            }
            next = self.partners.get(&at).and_then(|partner| partner.parent);
        }
        None
    }

    pub(super) fn role_name(&self, id: RoleId) -> Option<&str> {
        self.roles.get(&id).map(|role| role.name.as_str())
    }

    /// The roles of each partner, by name.
    pub(super) fn roles_by_owner(&self) -> HashMap<PartnerId, Vec<&Role>> {
        by(self.roles.values(), |role| role.partner, |role| fold(&role.name))
    }

    pub(super) fn capabilities_of(&self, role: RoleId) -> Option<&BTreeSet<CapabilityId>> {
        self.capabilities.get(&role)
    }

    pub(super) fn add_role(&mut self, role: Role, capabilities: BTreeSet<CapabilityId>) {
        self.role_names.insert((role.partner, fold(&role.name)), role.id);
        self.capabilities.insert(role.id, capabilities);
        self.roles.insert(role.id, role);
    }

    /// The user who signs in by a name, when no directory speaks of them.
    pub(super) fn user(&self, partner: PartnerId, login: &str) -> Option<&User> {
        self.logins.get(&(partner, fold(login))).and_then(|id| self.users.get(id))
    }

    /// What a user is called.
    pub(super) fn user_name(&self, id: UserId) -> Option<&str> {
        let profile = self.users.get(&id).map(|user| &user.profile);
        let own = profile.map(|profile| (&profile.login_name, &profile.display_name));
        let of_a_directory = || self.names.get(&id).map(|one| (&one.login_name, &one.display_name));
        own.or_else(of_a_directory).map(|(login, display)| login.as_ref().unwrap_or(display).as_str())
    }

    /// The holder of a name of whom a directory speaks, or someone whom this application made.
    pub(super) fn other_user(&self, partner: PartnerId, login: &str) -> Option<UserId> {
        self.others.get(&(partner, fold(login))).copied()
    }

    pub(super) fn made_user(&mut self, partner: PartnerId, login: &str, id: UserId) {
        self.others.insert((partner, fold(login)), id);
    }

    fn home(&self, id: UserId) -> Option<PartnerId> {
        let of_a_directory = self.names.get(&id).map(|one| one.home);
        self.users.get(&id).map(|user| user.partner).or(of_a_directory)
    }

    /// Those at home in each partner of whom no directory speaks, by name.
    pub(super) fn users_by_home(&self) -> HashMap<PartnerId, Vec<&User>> {
        by(self.users.values(), |user| user.partner, |user| (fold(&user.profile.display_name), user.id))
    }

    pub(super) fn add_user(&mut self, user: User) {
        if let Some(login) = &user.profile.login_name {
            self.logins.insert((user.partner, fold(login)), user.id);
        }
        self.users.insert(user.id, user);
    }

    /// The manual grants of a holder.
    pub(super) fn grants_of(&self, holder: Holder) -> &[ManualGrant] {
        self.grants.get(&holder).map_or(&[], Vec::as_slice)
    }

    /// The manual grants that users and groups of a partner held when the application began, the oldest first.
    pub(super) fn held_at(&self, partner: PartnerId) -> Vec<ManualGrant> {
        let holders = self.homes.get(&partner).into_iter().flatten();
        let mut found: Vec<_> = holders.flat_map(|holder| self.grants_of(*holder)).cloned().collect();
        found.sort_by_key(|grant| grant.id);
        found
    }

    /// The directory of a name.
    pub(super) fn directory(&self, partner: PartnerId, name: &str) -> Option<&Directory> {
        let key = fold(name);
        self.directories.get(&partner)?.iter().find(|directory| fold(&directory.name) == key)
    }

    /// The directories of a partner, by name.
    pub(super) fn directories_of(&self, partner: PartnerId) -> &[Directory] {
        self.directories.get(&partner).map_or(&[], Vec::as_slice)
    }

    pub(super) fn ceilings_of(&self, directory: DirectoryId) -> &[CeilingEntry] {
        self.ceilings.get(&directory).map_or(&[], Vec::as_slice)
    }

    pub(super) fn connections_of(&self, directory: DirectoryId) -> &[ConnectionContext] {
        self.connections.get(&directory).map_or(&[], Vec::as_slice)
    }

    /// The connection of a name in addresses, when it is one of the partner's.
    pub(super) fn connection(&self, partner: PartnerId, slug: &str) -> Option<&ConnectionContext> {
        let directories = self.directories_of(partner).iter();
        directories
            .flat_map(|directory| self.connections_of(directory.id))
            .find(|connection| connection.connection.slug == slug)
    }

    pub(super) fn rules_of(&self, directory: DirectoryId) -> &[StoredRule] {
        self.rules.get(&directory).map_or(&[], Vec::as_slice)
    }

    /// What an external group that a rule asks for is called now; none when it is gone, or was never said.
    pub(super) fn called(&self, group: ExternalGroupId) -> Option<&str> {
        self.external.get(&group).map(String::as_str)
    }
}

/// Things by the partner they belong to, each list in order.
fn by<T, K: Ord>(
    all: impl Iterator<Item = T>,
    owner: impl Fn(&T) -> PartnerId,
    key: impl Fn(&T) -> K,
) -> HashMap<PartnerId, Vec<T>> {
    let mut owners: HashMap<PartnerId, Vec<T>> = HashMap::new();
    for one in all {
        owners.entry(owner(&one)).or_default().push(one);
    }
    for list in owners.values_mut() {
        list.sort_by_cached_key(&key);
    }
    owners
}

/// The external groups that a rule asks for.
pub(super) fn asked_for(of: &StoredRule) -> impl Iterator<Item = ExternalGroupId> {
    let atoms = of.rule.when.terms.iter().flat_map(|term| &term.criteria);
    atoms.filter_map(|atom| match atom.set {
        ExternalSet::Group(id) => Some(id),
        ExternalSet::Condition(_) => None,
    })
}

/// The keys of partners in a declaration.
struct Named<'a> {
    /// All of them.
    all: HashSet<&'a str>,
    /// Those at which something is declared.
    places: HashSet<&'a str>,
}

impl<'a> Named<'a> {
    fn of(declaration: &'a Declaration) -> Self {
        let mut places: HashSet<&str> = declaration.partners.iter().map(|one| one.key.as_str()).collect();
        places.extend(declaration.groups.iter().map(|one| one.partner.as_str()));
        places.extend(declaration.roles.iter().map(|one| one.partner.as_str()));
        places.extend(declaration.users.iter().map(|one| one.partner.as_str()));
        places.extend(declaration.grants.iter().map(|one| one.partner.as_str()));
        places.extend(declaration.directories.iter().map(|one| one.partner.as_str()));
        let mut all = places.clone();
        all.extend(declaration.partners.iter().filter_map(|one| one.parent.as_deref()));
        let of_directories = declaration.directories.iter().flat_map(|directory| {
            let rules = directory.rules.iter().filter_map(|rule| rule.scope.as_ref());
            directory.ceilings.iter().map(|row| &row.scope).chain(rules)
        });
        for scope in declaration.grants.iter().map(|grant| &grant.scope).chain(of_directories) {
            all.extend(keys(scope));
        }
        Self { all, places }
    }
}

fn keys(scope: &ScopeDecl) -> impl Iterator<Item = &str> {
    let one = [&scope.subtree, &scope.partner, &scope.user_groups_of, &scope.own];
    let groups = scope.exclude_user_groups.iter().map(|group| group.partner.as_str());
    one.into_iter().flatten().chain(&scope.exclude).map(String::as_str).chain(groups)
}
