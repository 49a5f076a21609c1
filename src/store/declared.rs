//! What declarations speak of, read for many partners in one statement: `apply` and `export` go through thousands of
//! them, and a trip for each would cost more than everything else.
use std::collections::{HashMap, HashSet};

use super::connections::{self, ConnectionContext};
use super::extent::OperatorExtent;
use super::rules::{self, StoredRule};
use super::{FromRow, Reader, Row, StoreError, grants, roles, scopes, tuple, users};
use crate::domain::capability::CapabilityId;
use crate::domain::directory::{CeilingEntry, Directory};
use crate::domain::grant::{ManualGrant, Scope, ScopeKind};
use crate::domain::group::UserGroup;
use crate::domain::id::{DirectoryId, ExternalGroupId, PartnerId, RoleId, ScopeId, UserGroupId, UserId};
use crate::domain::partner::Partner;
use crate::domain::role::Role;
use crate::domain::user::User;
use crate::{binds, statements};

const PARTNER: &str = "p.id, p.parent_id, p.external_id, p.name, p.kind, p.level_id, p.version, p.created_at";

/// No directory speaks of the user. The offset keeps PostgreSQL from reading every external user for it.
const OF_NO_DIRECTORY: &str = "NOT EXISTS (SELECT 1 FROM external_users u WHERE u.user_id = p.id LIMIT 1 OFFSET 0)";

statements! {
    BY_KEY: set = format!("SELECT {PARTNER} FROM live_partners p WHERE p.external_id IN ($1)");
    BY_ID: set = format!("SELECT {PARTNER} FROM live_partners p WHERE p.id IN ($1)");
    ABOVE: set = format!("SELECT {PARTNER} FROM live_partners p WHERE p.id IN \
        (SELECT a.ancestor_id FROM partner_ancestors a WHERE a.partner_id IN ($1))");
    BELOW: set = format!("SELECT {PARTNER} FROM live_partners p WHERE p.parent_id IN ($1)");
    GROUPS: set = "SELECT g.id, g.partner_id, g.name, g.is_primary, g.is_default FROM user_groups g WHERE g.partner_id IN ($1)";
    ROLES: set = format!("SELECT {} FROM roles r WHERE r.partner_id IN ($1)", roles::COLUMNS);
    CAPABILITIES: set = "SELECT c.role_id, c.capability_id FROM role_capabilities c WHERE c.role_id IN ($1)";
    USERS: set = format!("SELECT {} FROM live_users p WHERE p.partner_id IN ($1) AND {OF_NO_DIRECTORY}",
        users::COLUMNS);
    PAGE = format!("SELECT {}, {OF_NO_DIRECTORY} FROM live_users p WHERE p.partner_id = $1 \
        AND (p.sort_key > $2 OR (p.sort_key = $2 AND p.id > $3)) ORDER BY p.sort_key, p.id LIMIT $4", users::COLUMNS);
    NAMES: set = "SELECT p.id, p.partner_id, p.display_name, p.login_name FROM live_users p WHERE p.id IN ($1)";
    LOGINS = format!("SELECT p.login_key, p.partner_id, p.id, {OF_NO_DIRECTORY} FROM live_users p \
        WHERE p.login_key IS NOT NULL");
    HELD_BY_USERS: set = format!("SELECT {} FROM live_users p JOIN grants g ON g.user_id = p.id \
        WHERE p.partner_id IN ($1)", grants::COLUMNS);
    HELD_BY_GROUPS: set = format!("SELECT {} FROM user_groups u JOIN grants g ON g.user_group_id = u.id \
        WHERE u.partner_id IN ($1)", grants::COLUMNS);
    HELD_BY: set = format!("SELECT {} FROM grants g WHERE g.user_id IN ($1)", grants::COLUMNS);
    DIRECTORIES: set = "SELECT d.id, d.partner_id, d.name, d.mode, d.rule_set_version, d.priority, d.version \
        FROM directories d WHERE d.partner_id IN ($1)";
    CEILINGS: set = "SELECT c.directory_id, c.role_id, c.scope_id FROM directory_ceilings c WHERE c.directory_id IN ($1)";
    CONNECTIONS: set = format!("{} WHERE c.directory_id IN ($1)", connections::columns());
    RULES: set = format!("SELECT {} FROM directories d JOIN mapping_rules r ON r.directory_id = d.id \
        AND r.rule_set_version = d.rule_set_version WHERE d.id IN ($1)", rules::COLUMNS);
    ATOMS: set = "SELECT a.rule_id, a.term, a.set_id, a.set_kind, a.negated FROM rule_criteria a WHERE a.rule_id IN ($1)";
    BOUND: set = "SELECT n.rule_id, n.ordinal, n.name, n.external_group_id FROM rule_group_names n WHERE n.rule_id IN ($1)";
    EXTERNAL_GROUPS: set = "SELECT g.id, g.display_name FROM external_groups g WHERE NOT g.is_removed AND g.id IN ($1)";
    SCOPES: set = "SELECT s.id, s.kind, s.partner_id FROM scopes s WHERE s.id IN ($1)";
    IN_GROUPS: set = "SELECT s.scope_id, s.user_group_id FROM scope_user_groups s WHERE s.scope_id IN ($1)";
    WITHOUT_PARTNERS: set = "SELECT s.scope_id, s.partner_id FROM scope_excluded_partners s WHERE s.scope_id IN ($1)";
    WITHOUT_GROUPS: set = "SELECT s.scope_id, s.user_group_id FROM scope_excluded_user_groups s WHERE s.scope_id IN ($1)";
}

/// Living partners with these external ids.
///
/// # Errors
/// Only those of the store, here and below.
pub async fn by_key(reader: &mut Reader, _by: &OperatorExtent, keys: &[&str]) -> Result<Vec<Partner>, StoreError> {
    reader.all_in(&BY_KEY, binds![], keys.iter().copied(), Partner::from_row).await
}

/// Living partners of these ids.
///
/// # Errors
/// Only those of the store.
pub async fn by_id(reader: &mut Reader, _by: &OperatorExtent, ids: &[PartnerId]) -> Result<Vec<Partner>, StoreError> {
    reader.all_in(&BY_ID, binds![], ids.iter().copied(), Partner::from_row).await
}

/// These partners and those above them; one may come several times.
///
/// # Errors
/// Only those of the store.
pub async fn above(reader: &mut Reader, _by: &OperatorExtent, ids: &[PartnerId]) -> Result<Vec<Partner>, StoreError> {
    reader.all_in(&ABOVE, binds![], ids.iter().copied(), Partner::from_row).await
}

/// The partners directly below these.
///
/// # Errors
/// Only those of the store.
pub async fn below(reader: &mut Reader, _by: &OperatorExtent, ids: &[PartnerId]) -> Result<Vec<Partner>, StoreError> {
    reader.all_in(&BELOW, binds![], ids.iter().copied(), Partner::from_row).await
}

/// The user groups of these partners.
///
/// # Errors
/// Only those of the store.
pub async fn groups(
    reader: &mut Reader,
    _by: &OperatorExtent,
    partners: &[PartnerId],
) -> Result<Vec<UserGroup>, StoreError> {
    reader.all_in(&GROUPS, binds![], partners.iter().copied(), UserGroup::from_row).await
}

/// The roles that these partners own.
///
/// # Errors
/// Only those of the store.
pub async fn roles(reader: &mut Reader, _by: &OperatorExtent, partners: &[PartnerId]) -> Result<Vec<Role>, StoreError> {
    reader.all_in(&ROLES, binds![], partners.iter().copied(), Role::from_row).await
}

/// What is written on these roles, before those above cut them down.
///
/// # Errors
/// Only those of the store.
pub async fn capabilities(
    reader: &mut Reader,
    _by: &OperatorExtent,
    roles: &[RoleId],
) -> Result<Vec<(RoleId, CapabilityId)>, StoreError> {
    let read = |row: &Row| Ok((row.get(0)?, CapabilityId(row.get(1)?)));
    reader.all_in(&CAPABILITIES, binds![], roles.iter().copied(), read).await
}

/// Those at home in these partners of whom no directory speaks.
///
/// # Errors
/// Only those of the store.
pub async fn users(reader: &mut Reader, _by: &OperatorExtent, partners: &[PartnerId]) -> Result<Vec<User>, StoreError> {
    reader.all_in(&USERS, binds![], partners.iter().copied(), User::from_row).await
}

/// A page of those at home in one partner, by name, each with whether no directory speaks of them.
///
/// # Errors
/// Only those of the store.
pub async fn page(
    reader: &mut Reader,
    _by: &OperatorExtent,
    partner: PartnerId,
    after: Option<(Vec<u8>, UserId)>,
    limit: u32,
) -> Result<Vec<(User, bool)>, StoreError> {
    let (key, id) = match after {
        Some((key, id)) => (key, super::SqlValue::from(id)),
        None => (Vec::new(), super::SqlValue::Uuid(uuid::Uuid::nil())),
    };
    let mut values = binds![partner, key];
    values.extend([id, limit.into()]);
    reader.all(&PAGE, values, |row| Ok((User::from_row(row)?, row.get(users::WIDTH)?))).await
}

/// What a user is called, and where they are at home.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Called {
    /// The partner.
    pub home: PartnerId,
    /// The name that users see.
    pub display_name: String,
    /// The name they sign in with.
    pub login_name: Option<String>,
}

/// What these users are called.
///
/// # Errors
/// Only those of the store.
pub async fn names(
    reader: &mut Reader,
    _by: &OperatorExtent,
    ids: &[UserId],
) -> Result<HashMap<UserId, Called>, StoreError> {
    let read =
        |row: &Row| Ok((row.get(0)?, Called { home: row.get(1)?, display_name: row.get(2)?, login_name: row.get(3)? }));
    Ok(reader.all_in(&NAMES, binds![], ids.iter().copied(), read).await?.into_iter().collect())
}

/// Somebody who signs in by a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Namesake {
    /// Where they are at home.
    pub home: PartnerId,
    /// Who they are.
    pub id: UserId,
    /// No directory speaks of them.
    pub own: bool,
}

/// Everyone who signs in by one of these names, which are folded. For many names: it goes through everybody once. Each
/// name has an entry.
///
/// # Errors
/// Only those of the store.
pub async fn namesakes(
    reader: &mut Reader,
    _by: &OperatorExtent,
    names: HashSet<Vec<u8>>,
) -> Result<HashMap<Vec<u8>, Vec<Namesake>>, StoreError> {
    let mut found: HashMap<Vec<u8>, Vec<Namesake>> = names.into_iter().map(|name| (name, Vec::new())).collect();
    reader
        .each(&LOGINS, binds![], |row| {
            if let Some(at) = found.get_mut(&row.get::<Vec<u8>>(0)?) {
                at.push(Namesake { home: row.get(1)?, id: row.get(2)?, own: row.get(3)? });
            }
            Ok(())
        })
        .await?;
    Ok(found)
}

/// The manual grants of everyone at home in these partners and of their user groups, the oldest first.
///
/// # Errors
/// Only those of the store.
pub async fn held(
    reader: &mut Reader,
    by: &OperatorExtent,
    partners: &[PartnerId],
) -> Result<Vec<ManualGrant>, StoreError> {
    let mut rows = reader.all_in(&HELD_BY_USERS, binds![], partners.iter().copied(), grants::found).await?;
    rows.extend(reader.all_in(&HELD_BY_GROUPS, binds![], partners.iter().copied(), grants::found).await?);
    with_scopes(reader, by, rows).await
}

/// The manual grants of these partners' user groups, the oldest first.
///
/// # Errors
/// Only those of the store.
pub async fn held_by_groups(
    reader: &mut Reader,
    by: &OperatorExtent,
    partners: &[PartnerId],
) -> Result<Vec<ManualGrant>, StoreError> {
    let rows = reader.all_in(&HELD_BY_GROUPS, binds![], partners.iter().copied(), grants::found).await?;
    with_scopes(reader, by, rows).await
}

/// The manual grants of these users, the oldest first.
///
/// # Errors
/// Only those of the store.
pub async fn held_by(
    reader: &mut Reader,
    by: &OperatorExtent,
    users: &[UserId],
) -> Result<Vec<ManualGrant>, StoreError> {
    let rows = reader.all_in(&HELD_BY, binds![], users.iter().copied(), grants::found).await?;
    with_scopes(reader, by, rows).await
}

async fn with_scopes(
    reader: &mut Reader,
    by: &OperatorExtent,
    mut rows: Vec<grants::GrantRow>,
) -> Result<Vec<ManualGrant>, StoreError> {
    rows.sort_by_key(|row| row.id);
    let ids: Vec<ScopeId> = rows.iter().map(|row| row.scope).collect();
    let mut scopes = scopes_of(reader, by, &ids).await?;
    rows.into_iter()
        .map(|row| {
            let scope = scopes.remove(&row.scope).ok_or(StoreError::NotFound)?;
            Ok(row.with(scope))
        })
        .collect()
}

/// The directories of these partners.
///
/// # Errors
/// Only those of the store.
pub async fn directories(
    reader: &mut Reader,
    _by: &OperatorExtent,
    partners: &[PartnerId],
) -> Result<Vec<Directory>, StoreError> {
    let mut found = reader.all_in(&DIRECTORIES, binds![], partners.iter().copied(), Directory::from_row).await?;
    found.sort_by_cached_key(|one| (crate::domain::text::fold(&one.name), one.id));
    Ok(found)
}

/// What these directories may confer at most.
///
/// # Errors
/// Only those of the store.
pub async fn ceilings(
    reader: &mut Reader,
    by: &OperatorExtent,
    directories: &[DirectoryId],
) -> Result<HashMap<DirectoryId, Vec<CeilingEntry>>, StoreError> {
    let mut rows: Vec<(DirectoryId, RoleId, ScopeId)> =
        reader.all_in(&CEILINGS, binds![], directories.iter().copied(), tuple).await?;
    rows.sort_by_key(|row| row.2);
    let ids: Vec<ScopeId> = rows.iter().map(|row| row.2).collect();
    let mut scopes = scopes_of(reader, by, &ids).await?;
    let mut all: HashMap<DirectoryId, Vec<CeilingEntry>> = HashMap::new();
    for (directory, role, scope) in rows {
        let scope = scopes.remove(&scope).ok_or(StoreError::NotFound)?;
        all.entry(directory).or_default().push(CeilingEntry { role, scope });
    }
    Ok(all)
}

/// The connections of these directories.
///
/// # Errors
/// Only those of the store.
pub async fn connections(
    reader: &mut Reader,
    _by: &OperatorExtent,
    directories: &[DirectoryId],
) -> Result<Vec<ConnectionContext>, StoreError> {
    let mut found =
        reader.all_in(&CONNECTIONS, binds![], directories.iter().copied(), ConnectionContext::from_row).await?;
    found.sort_by_key(|connection| {
        let one = &connection.connection;
        (one.directory, one.kind.as_str(), one.created_at, one.id)
    });
    Ok(found)
}

/// The rules in force of these directories, in their order.
///
/// # Errors
/// Only those of the store.
pub async fn rules(
    reader: &mut Reader,
    by: &OperatorExtent,
    directories: &[DirectoryId],
) -> Result<HashMap<DirectoryId, Vec<StoredRule>>, StoreError> {
    let mut rows = reader.all_in(&RULES, binds![], directories.iter().copied(), rules::found).await?;
    rows.sort_by_key(|row| (row.directory, row.ordinal));
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    let atoms = reader.all_in(&ATOMS, binds![], ids.iter().copied(), rules::atom).await?;
    let mut matchers = rules::matchers(atoms);
    let bound = reader.all_in(&BOUND, binds![], ids, rules::bound).await?;
    let mut names = rules::names(bound);
    let ids: Vec<ScopeId> = rows.iter().filter_map(|row| row.scope).collect();
    let scopes = scopes_of(reader, by, &ids).await?;
    let mut all: HashMap<DirectoryId, Vec<StoredRule>> = HashMap::new();
    for row in rows {
        let scope = row.scope.and_then(|scope| scopes.get(&scope).cloned());
        let (when, names) = (matchers.remove(&row.id), names.remove(&row.id));
        let written = row.with(scope, when.unwrap_or_default(), names.unwrap_or_default())?;
        all.entry(written.rule.directory).or_default().push(written);
    }
    Ok(all)
}

/// The names that these external groups have now; one that is gone has none.
///
/// # Errors
/// Only those of the store.
pub async fn external_groups(
    reader: &mut Reader,
    _by: &OperatorExtent,
    ids: &[ExternalGroupId],
) -> Result<HashMap<ExternalGroupId, String>, StoreError> {
    Ok(reader.all_in(&EXTERNAL_GROUPS, binds![], ids.iter().copied(), tuple).await?.into_iter().collect())
}

async fn scopes_of(
    reader: &mut Reader,
    _by: &OperatorExtent,
    ids: &[ScopeId],
) -> Result<HashMap<ScopeId, Scope>, StoreError> {
    let heads: Vec<(ScopeId, String, PartnerId)> = reader.all_in(&SCOPES, binds![], ids.iter().copied(), tuple).await?;
    let mut groups: HashMap<ScopeId, Vec<UserGroupId>> = HashMap::new();
    // Most scopes name no groups and leave nothing out, and those that do are few.
    let wide =
        heads.iter().filter(|(_, word, _)| ScopeKind::parse(word) == Some(ScopeKind::UserGroups)).map(|(id, ..)| *id);
    for (scope, group) in reader.all_in(&IN_GROUPS, binds![], wide, tuple::<(ScopeId, UserGroupId)>).await? {
        groups.entry(scope).or_default().push(group);
    }
    let mut partners: HashMap<ScopeId, Vec<PartnerId>> = HashMap::new();
    let cut = reader.all_in(&WITHOUT_PARTNERS, binds![], ids.iter().copied(), tuple::<(ScopeId, PartnerId)>).await?;
    for (scope, partner) in cut {
        partners.entry(scope).or_default().push(partner);
    }
    let mut left_out: HashMap<ScopeId, Vec<UserGroupId>> = HashMap::new();
    let cut = reader.all_in(&WITHOUT_GROUPS, binds![], ids.iter().copied(), tuple::<(ScopeId, UserGroupId)>).await?;
    for (scope, group) in cut {
        left_out.entry(scope).or_default().push(group);
    }
    heads
        .into_iter()
        .map(|(id, word, partner)| {
            let base = scopes::base(&word, partner, groups.remove(&id).unwrap_or_default())?;
            let mut scope = Scope::of(base);
            scope.excluded_partners = partners.remove(&id).unwrap_or_default().into_iter().collect();
            scope.excluded_user_groups = left_out.remove(&id).unwrap_or_default().into_iter().collect();
            Ok((id, scope))
        })
        .collect()
}
