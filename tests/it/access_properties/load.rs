//! A world into the tables, in any order of rows that foreign keys allow.
use rolecall::domain::grant::{Holder, Scope, ScopeBase};
use rolecall::domain::id::{Id, PartnerId, RoleId, ScopeId};
use rolecall::domain::rule::{ExternalSet, RuleEffect};
use rolecall::store::{SqlValue, Store, StoreError, Tx};
use rolecall::{binds, statements};

use super::generate::Dice;
use super::model::{Model, name};

statements! {
    LEVELS: rows = "INSERT INTO levels (id, ordinal, name, title) VALUES ($1, $1, $2, $2)";
    CAPABILITIES: rows = "INSERT INTO capabilities (id, name, title, category, risk, on_suspended) \
        VALUES ($1, $2, $2, $2, $3, $4) ON CONFLICT DO NOTHING";
    LEVEL_CAPABILITIES: rows = "INSERT INTO level_capabilities (level_id, capability_id) VALUES ($1, $2)";
    PARTNERS: rows = "INSERT INTO partners (id, parent_id, name, sort_key, kind, level_id, state, version, \
        authority_version, created_at, updated_at) VALUES ($1, $2, $3, $4, 'company', $5, 'live', $6, $6, $6, $6)";
    PARTNER_ANCESTORS: rows = "INSERT INTO partner_ancestors (partner_id, ancestor_id, depth) VALUES ($1, $2, $3)";
    PARTNER_SUSPENSIONS: rows = "INSERT INTO partner_suspensions (partner_id, source, reason, suspended_at) \
        VALUES ($1, 'admin', $2, $3)";
    GROUPS: rows = "INSERT INTO user_groups (id, partner_id, name, name_key, is_primary, is_default, created_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    USERS: rows = "INSERT INTO users (id, partner_id, display_name, sort_key, primary_group_id, pinned_group_id, state, version, \
        created_at, updated_at, confirmed_at) VALUES ($1, $2, $3, $4, $5, $6, 'live', $7, $7, $7, $8)";
    USER_SUSPENSIONS: rows = "INSERT INTO user_suspensions (user_id, source, reason, suspended_at) VALUES ($1, $2, $3, $4)";
    ENDS: rows = "INSERT INTO user_suspensions (user_id, source, reason, suspended_at, from_at) VALUES ($1, $2, $3, $4, $5)";
    MEMBERS: rows = "INSERT INTO user_group_members (user_group_id, user_id, created_at) VALUES ($1, $2, $3)";
    ROLES: rows = "INSERT INTO roles (id, partner_id, name, name_key, parent_id, version, created_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $6)";
    ROLE_CAPABILITIES: rows = "INSERT INTO role_capabilities (role_id, capability_id) VALUES ($1, $2)";
    ROLE_ANCESTORS: rows = "INSERT INTO role_ancestors (role_id, ancestor_id) VALUES ($1, $2)";
    SCOPES: rows = "INSERT INTO scopes (id, kind, partner_id) VALUES ($1, $2, $3)";
    SCOPE_GROUPS: rows = "INSERT INTO scope_user_groups (scope_id, user_group_id) VALUES ($1, $2)";
    SCOPE_WITHOUT_PARTNERS: rows = "INSERT INTO scope_excluded_partners (scope_id, partner_id) VALUES ($1, $2)";
    SCOPE_WITHOUT_GROUPS: rows = "INSERT INTO scope_excluded_user_groups (scope_id, user_group_id) VALUES ($1, $2)";
    GRANTS: rows = "INSERT INTO grants (id, role_id, user_id, user_group_id, scope_id, valid_from, valid_until, \
        suspended_at, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    DIRECTORIES: rows = "INSERT INTO directories (id, partner_id, name, name_key, mode, rule_set_version, priority, version, \
        created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)";
    CEILINGS: rows = "INSERT INTO directory_ceilings (directory_id, role_id, scope_id) VALUES ($1, $2, $3)";
    CONNECTIONS: rows = "INSERT INTO connections (id, directory_id, kind, slug, profile, state, settings, version, \
        created_at, updated_at) VALUES ($1, $2, 'scim', $3, 'generic', 'active', '{}', $4, $4, $4)";
    EXTERNAL_USERS: rows = "INSERT INTO external_users (id, connection_id, directory_id, stable_id, user_name, \
        user_name_key, active, document, search_keys, user_id, link_origin, version, created_at, updated_at) \
        VALUES ($1, $2, $3, $4, $4, $5, $6, '{}', '[]', $7, $8, $9, $9, $9)";
    EXTERNAL_GROUPS: rows = "INSERT INTO external_groups (id, connection_id, directory_id, stable_id, display_name, \
        display_name_key, document, search_keys, is_removed, version, created_at, updated_at) \
        VALUES ($1, $2, $3, $4, $4, $5, '{}', '[]', $6, $7, $7, $7)";
    EXTERNAL_MEMBERS: rows = "INSERT INTO external_group_members (external_group_id, external_user_id) VALUES ($1, $2)";
    SUBGROUPS: rows = "INSERT INTO external_subgroups (parent_id, child_id) VALUES ($1, $2)";
    CLOSURE: rows = "INSERT INTO external_group_ancestors (ancestor_id, external_group_id) VALUES ($1, $2)";
    CONDITIONS: rows = "INSERT INTO attribute_conditions (id, directory_id, expression, created_at) VALUES ($1, $2, $3, $4)";
    CONDITION_MEMBERS: rows = "INSERT INTO attribute_condition_members (condition_id, external_user_id) VALUES ($1, $2)";
    RULES: rows = "INSERT INTO mapping_rules (id, directory_id, rule_set_version, ordinal, name, effect, user_group_id, role_id, \
        scope_id, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    TERMS: rows = "INSERT INTO rule_terms (rule_id, term, positive_count) VALUES ($1, $2, $3)";
    ATOMS: rows = "INSERT INTO rule_criteria (rule_id, term, set_id, set_kind, negated) VALUES ($1, $2, $3, $4, $5)";
}

/// Writes a world. `seed` decides the order of rows.
pub async fn load(store: &Store, m: &Model, seed: u64) {
    store.write(async |tx: &mut Tx| write(tx, m, seed).await).await.unwrap();
}

fn key(id: impl Id) -> Vec<u8> {
    id.uuid().as_bytes().to_vec()
}

async fn write(tx: &mut Tx, m: &Model, seed: u64) -> Result<(), StoreError> {
    let mut dice = Dice::new(seed);
    let mut shuffled = |mut rows: Vec<Vec<SqlValue>>| {
        dice.shuffle(&mut rows);
        rows
    };
    let levels = m.levels.iter().map(|(id, _)| binds![id.0, name(id.0)]).collect();
    tx.execute_rows(&LEVELS, shuffled(levels)).await?;
    let capabilities = m.capabilities.iter().map(|(id, on)| binds![id.0, name(id.0), 0, *on]).collect();
    tx.execute_rows(&CAPABILITIES, shuffled(capabilities)).await?;
    let ceilings = m.levels.iter().flat_map(|(id, all)| all.iter().map(|c| binds![id.0, c.0])).collect();
    tx.execute_rows(&LEVEL_CAPABILITIES, shuffled(ceilings)).await?;

    let partners = m.partners.iter().map(|p| binds![p.id, p.parent, name(p.id), key(p.id), p.level.0, 1]);
    tx.execute_rows(&PARTNERS, partners).await?;
    let above = m.partners.iter().flat_map(|p| {
        above(m, p.id).into_iter().enumerate().map(|(depth, up)| binds![p.id, up, i64::try_from(depth).unwrap()])
    });
    tx.execute_rows(&PARTNER_ANCESTORS, shuffled(above.collect())).await?;
    let off = m.partners.iter().filter(|p| p.suspended).map(|p| binds![p.id, "test", 1]).collect();
    tx.execute_rows(&PARTNER_SUSPENSIONS, shuffled(off)).await?;

    let groups = m.groups.iter().map(|g| binds![g.id, g.partner, name(g.id), key(g.id), g.is_primary, g.is_default, 1]);
    tx.execute_rows(&GROUPS, shuffled(groups.collect())).await?;
    let default = |partner| m.groups.iter().find(|g| g.partner == partner && g.is_default).unwrap().id;
    let users = m.users.iter().map(|p| {
        let confirmed = p.confirmed.then_some(1);
        binds![p.id, p.partner, name(p.id), key(p.id), default(p.partner), p.pin, 1, confirmed]
    });
    tx.execute_rows(&USERS, shuffled(users.collect())).await?;
    let off = m.users.iter().filter_map(|p| Some(binds![p.id, p.suspended?.to_string(), "test", 1])).collect();
    tx.execute_rows(&USER_SUSPENSIONS, shuffled(off)).await?;
    let ends =
        m.users.iter().filter_map(|p| Some(binds![p.id, format!("end:{}", p.partner), "test", 1, p.ends?])).collect();
    tx.execute_rows(&ENDS, shuffled(ends)).await?;
    let members = m.members.iter().map(|(group, user)| binds![*group, *user, 1]).collect();
    tx.execute_rows(&MEMBERS, shuffled(members)).await?;

    let root = m.partners[0].id;
    tx.execute_rows(&ROLES, m.roles.iter().map(|r| binds![r.id, root, name(r.id), key(r.id), r.parent, 1])).await?;
    let capabilities = m.roles.iter().flat_map(|r| r.capabilities.iter().map(|c| binds![r.id, c.0])).collect();
    tx.execute_rows(&ROLE_CAPABILITIES, shuffled(capabilities)).await?;
    let lines = m.roles.iter().flat_map(|r| role_line(m, r.id).into_iter().map(|up| binds![r.id, up])).collect();
    tx.execute_rows(&ROLE_ANCESTORS, shuffled(lines)).await?;
    let mut ids = Dice::new(seed ^ 0x5c09e);
    for g in &m.grants {
        let scope = scope(tx, &g.scope, ids.id()).await?;
        let (user, group) = match g.holder {
            Holder::User(user) => (Some(user), None),
            Holder::Group(group) => (None, Some(group)),
        };
        let aside = g.suspended.then_some(1);
        let row = binds![g.id, g.role, user, group, scope, g.window.from, g.window.until, aside, 0];
        tx.execute_rows(&GRANTS, [row]).await?;
    }
    directories(tx, m, &mut ids).await?;
    said(tx, m, &mut shuffled).await
}

async fn directories(tx: &mut Tx, m: &Model, ids: &mut Dice) -> Result<(), StoreError> {
    for d in &m.directories {
        let row = binds![d.id, d.partner, name(d.id), key(d.id), d.mode.as_str(), d.rule_version, d.authority, 1];
        tx.execute_rows(&DIRECTORIES, [row]).await?;
        tx.execute_rows(&CONNECTIONS, [binds![d.connection, d.id, name(d.connection), 1]]).await?;
        for ceiling in &d.ceilings {
            let scope = scope(tx, &ceiling.scope, ids.id()).await?;
            tx.execute_rows(&CEILINGS, [binds![d.id, ceiling.role, scope]]).await?;
        }
    }
    for rule in &m.rules {
        let (mut group, mut role, mut over) = (None, None, None);
        match &rule.effect {
            RuleEffect::SetPrimaryGroup { user_group: into } | RuleEffect::AddToGroup { user_group: into } => {
                group = Some(*into)
            }
            RuleEffect::GrantRole { role: given, scope: covered } => {
                role = Some(*given);
                over = Some(scope(tx, covered, ids.id()).await?);
            }
        }
        let word = rule.effect.word();
        let (id, directory) = (rule.id, rule.directory);
        let row = binds![id, directory, rule.version, rule.ordinal, &rule.name, word, group, role, over, 0];
        tx.execute_rows(&RULES, [row]).await?;
        for (at, term) in rule.when.terms.iter().enumerate() {
            let at = i64::try_from(at).unwrap();
            let positives = term.criteria.iter().filter(|atom| !atom.negated).count();
            tx.execute_rows(&TERMS, [binds![id, at, i64::try_from(positives).unwrap()]]).await?;
            let atoms = term.criteria.iter().map(|atom| match atom.set {
                ExternalSet::Group(group) => binds![id, at, group, "group", atom.negated],
                ExternalSet::Condition(condition) => binds![id, at, condition, "condition", atom.negated],
            });
            tx.execute_rows(&ATOMS, atoms).await?;
        }
    }
    Ok(())
}

/// What the directories say.
async fn said(
    tx: &mut Tx,
    m: &Model,
    shuffled: &mut impl FnMut(Vec<Vec<SqlValue>>) -> Vec<Vec<SqlValue>>,
) -> Result<(), StoreError> {
    let connection = |id| m.directories.iter().find(|d| d.id == id).unwrap().connection;
    let users = m.external_users.iter().map(|e| {
        let link = e.user.map(|_| "joined");
        binds![e.id, connection(e.directory), e.directory, name(e.id), key(e.id), e.active, e.user, link, 1]
    });
    tx.execute_rows(&EXTERNAL_USERS, shuffled(users.collect())).await?;
    let groups = m.external_groups.iter().map(|(id, d)| binds![*id, connection(*d), *d, name(*id), key(*id), false, 1]);
    tx.execute_rows(&EXTERNAL_GROUPS, shuffled(groups.collect())).await?;
    let members = m.external_members.iter().map(|(group, user)| binds![*group, *user]).collect();
    tx.execute_rows(&EXTERNAL_MEMBERS, shuffled(members)).await?;
    let nested = m.subgroups.iter().map(|(outer, inner)| binds![*outer, *inner]).collect();
    tx.execute_rows(&SUBGROUPS, shuffled(nested)).await?;
    let closure = m
        .external_groups
        .iter()
        .flat_map(|(top, _)| super::naive::inner_groups(m, *top).into_iter().map(move |inner| binds![*top, inner]));
    tx.execute_rows(&CLOSURE, shuffled(closure.collect())).await?;
    let conditions = m.conditions.iter().map(|(id, d)| binds![*id, *d, name(*id), 1]).collect();
    tx.execute_rows(&CONDITIONS, shuffled(conditions)).await?;
    let members = m.condition_members.iter().map(|(condition, user)| binds![*condition, *user]).collect();
    tx.execute_rows(&CONDITION_MEMBERS, shuffled(members)).await?;
    Ok(())
}

async fn scope(tx: &mut Tx, scope: &Scope, id: ScopeId) -> Result<ScopeId, StoreError> {
    tx.execute_rows(&SCOPES, [binds![id, scope.base.kind().as_str(), scope.partner()]]).await?;
    if let ScopeBase::UserGroups { user_groups, .. } = &scope.base {
        tx.execute_rows(&SCOPE_GROUPS, user_groups.iter().map(|group| binds![id, *group])).await?;
    }
    tx.execute_rows(&SCOPE_WITHOUT_PARTNERS, scope.excluded_partners.iter().map(|cut| binds![id, *cut])).await?;
    tx.execute_rows(&SCOPE_WITHOUT_GROUPS, scope.excluded_user_groups.iter().map(|cut| binds![id, *cut])).await?;
    Ok(id)
}

fn above(m: &Model, partner: PartnerId) -> Vec<PartnerId> {
    let parent = |id| m.partners.iter().find(|p| p.id == id).and_then(|p| p.parent);
    std::iter::successors(Some(partner), |at| parent(*at)).collect()
}

fn role_line(m: &Model, role: RoleId) -> Vec<RoleId> {
    let parent = |id| m.roles.iter().find(|r| r.id == id).and_then(|r| r.parent);
    std::iter::successors(Some(role), |at| parent(*at)).collect()
}
