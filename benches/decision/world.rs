//! A world that does not flatter: a tenth of the partners suspended, one person in twenty with two sources, groups
//! nested four deep, one group of everyone in each directory, attribute and negated rules, ceilings that clip.
use rolecall::domain::capability::{CapabilityId, CoreCapability};
use rolecall::domain::id::{Id, PartnerId, UserId};
use rolecall::store::{SqlValue, Store, StoreError, Tx};
use rolecall::{binds, statements};
use uuid::Uuid;

statements! {
    LEVEL = "INSERT INTO levels (id, ordinal, name, title) VALUES (1, 1, 'any', 'Any')";
    CAPABILITY: rows = "INSERT INTO capabilities (id, name, title, category, risk, on_suspended) \
        VALUES ($1, $2, $2, $2, 0, FALSE)";
    LEVEL_CAPABILITY: rows = "INSERT INTO level_capabilities (level_id, capability_id) VALUES (1, $1)";
    PARTNER: rows = "INSERT INTO partners (id, parent_id, name, sort_key, kind, level_id, state, version, \
        authority_version, created_at, updated_at) VALUES ($1, $2, 'Partner', $3, 'company', 1, 'live', 1, 1, 0, 0)";
    ANCESTOR: rows = "INSERT INTO partner_ancestors (partner_id, ancestor_id, depth) VALUES ($1, $2, $3)";
    SUSPENDED: rows = "INSERT INTO partner_suspensions (partner_id, source, reason, suspended_at) VALUES ($1, 'admin', '', 0)";
    GROUP: rows = "INSERT INTO user_groups (id, partner_id, name, name_key, is_primary, is_default, created_at) \
        VALUES ($1, $2, 'Group', $3, $4, $4, 0)";
    ROLE: rows = "INSERT INTO roles (id, partner_id, name, name_key, parent_id, version, created_at) \
        VALUES ($1, $2, 'Role', $3, $4, 1, 0)";
    ROLE_CAPABILITY: rows = "INSERT INTO role_capabilities (role_id, capability_id) VALUES ($1, $2)";
    ROLE_ANCESTOR: rows = "INSERT INTO role_ancestors (role_id, ancestor_id) VALUES ($1, $2)";
    SCOPE: rows = "INSERT INTO scopes (id, kind, partner_id) VALUES ($1, $2, $3)";
    DIRECTORY: rows = "INSERT INTO directories (id, partner_id, name, name_key, mode, rule_set_version, priority, version, \
        created_at) VALUES ($1, $2, 'Directory', $3, 'authoritative', 1, 0, 1, 0)";
    CEILING: rows = "INSERT INTO directory_ceilings (directory_id, role_id, scope_id) VALUES ($1, $2, $3)";
    CONNECTION: rows = "INSERT INTO connections (id, directory_id, kind, slug, profile, state, settings, version, \
        created_at, updated_at) VALUES ($1, $1, 'scim', $2, 'generic', 'active', '{}', 1, 0, 0)";
    EXTERNAL_GROUP: rows = "INSERT INTO external_groups (id, connection_id, directory_id, stable_id, display_name, \
        display_name_key, document, search_keys, is_removed, version, created_at, updated_at) \
        VALUES ($1, $2, $2, $3, 'Group', $4, '{}', '[]', FALSE, 1, 0, 0)";
    CLOSURE: rows = "INSERT INTO external_group_ancestors (ancestor_id, external_group_id) VALUES ($1, $2)";
    CONDITION: rows = "INSERT INTO attribute_conditions (id, directory_id, expression, created_at) VALUES ($1, $2, 'title pr', 0)";
    RULE: rows = "INSERT INTO mapping_rules (id, directory_id, rule_set_version, ordinal, name, effect, user_group_id, role_id, \
        scope_id, created_at) VALUES ($1, $2, 1, $3, 'Rule', $4, $5, $6, $7, 0)";
    TERM: rows = "INSERT INTO rule_terms (rule_id, term, positive_count) VALUES ($1, 0, $2)";
    ATOM: rows = "INSERT INTO rule_criteria (rule_id, term, set_id, set_kind, negated) VALUES ($1, 0, $2, $3, $4)";
    PERSON: rows = "INSERT INTO users (id, partner_id, display_name, sort_key, primary_group_id, state, version, created_at, \
        updated_at) VALUES ($1, $2, 'Person', $3, $4, 'live', 1, 0, 0)";
    EXTERNAL_USER: rows = "INSERT INTO external_users (id, connection_id, directory_id, stable_id, user_name, \
        user_name_key, active, document, search_keys, user_id, link_origin, version, created_at, updated_at) \
        VALUES ($1, $2, $2, $3, $3, $4, TRUE, '{}', '[]', $5, 'created', 1, 0, 0)";
    MEMBER: rows = "INSERT INTO external_group_members (external_group_id, external_user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    CONDITION_MEMBER: rows = "INSERT INTO attribute_condition_members (condition_id, external_user_id) VALUES ($1, $2)";
    GRANT: rows = "INSERT INTO grants (id, role_id, user_id, scope_id, created_at) VALUES ($1, $2, $3, $4, 0)";
}

/// How many capabilities there are.
pub const CAPABILITIES: i64 = 60;

/// People of one transaction.
const BATCH: usize = 500;

/// A generator that gives the same world for ever.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).unwrap_or(1)).unwrap_or(0)
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn id(&mut self) -> Uuid {
        Uuid::from_u64_pair(self.next(), self.next())
    }
}

/// What is asked about.
pub struct World {
    pub people: Vec<Person>,
    pub partners: Vec<PartnerId>,
    /// Holds a grant over everything, as a product's account does, to ask about others.
    pub asker: UserId,
}

/// A person, and where they may be expected to be allowed something.
#[derive(Clone, Copy)]
pub struct Person {
    pub id: UserId,
    pub home: PartnerId,
    /// Over which they hold a grant in their own name.
    pub granted: Option<PartnerId>,
}

/// A directory while it is filled.
#[derive(Clone, Copy)]
struct Source {
    id: Uuid,
    home: usize,
    first_group: usize,
    condition: Uuid,
}

/// External groups of one directory; the first is everyone, the next four are nested in each other.
const GROUPS: usize = 40;

/// Fills an empty store with so many people.
pub async fn fill(store: &Store, count: usize) -> Result<World, StoreError> {
    let mut dice = Dice(7);
    let partners: Vec<Uuid> = (0..(count / 10).max(20)).map(|_| dice.id()).collect();
    let parents: Vec<Option<usize>> = (0..partners.len()).map(|at| (at > 0).then(|| dice.below(at.min(200)))).collect();
    let roles: Vec<Uuid> = (0..100).map(|_| dice.id()).collect();
    let homes: Vec<Uuid> = partners.iter().map(|_| dice.id()).collect();
    let seed = dice.id().as_u128();
    let (partners_ref, parents_ref, roles_ref, homes_ref) = (&partners, &parents, &roles, &homes);
    store.write(async |tx: &mut Tx| frame(tx, seed, partners_ref, parents_ref, roles_ref, homes_ref).await).await?;
    let mut groups = Vec::new();
    let mut sources = Vec::new();
    for _ in 0..(count / 200).max(2) {
        let source = Source {
            id: dice.id(),
            home: dice.below(200.min(partners.len())),
            first_group: groups.len(),
            condition: dice.id(),
        };
        groups.extend((0..GROUPS).map(|_| dice.id()));
        sources.push(source);
        let (seed, own) = (dice.id().as_u128(), &groups[source.first_group..]);
        store.write(async |tx: &mut Tx| directory(tx, seed, source, own, partners_ref, roles_ref).await).await?;
    }
    let ids: Vec<Uuid> = (0..count).map(|_| dice.id()).collect();
    let mut people = Vec::new();
    let (sources_ref, groups_ref) = (&sources, &groups);
    for batch in ids.chunks(BATCH) {
        let seed = dice.id().as_u128();
        let said = store
            .write(async |tx: &mut Tx| {
                said(tx, seed, batch, sources_ref, groups_ref, (partners_ref, homes_ref, roles_ref)).await
            })
            .await?;
        people.extend(said);
    }
    let asker = dice.id();
    let own = [dice.id(), dice.id(), dice.id()];
    store.write(async |tx: &mut Tx| product(tx, asker, own, partners_ref, homes_ref).await).await?;
    let partners = partners.into_iter().map(PartnerId::from_uuid).collect();
    Ok(World { people, partners, asker: UserId::from_uuid(asker) })
}

fn dice(seed: u128) -> Dice {
    Dice(u64::try_from(seed & u128::from(u64::MAX)).unwrap_or(1))
}

fn key(id: Uuid) -> Vec<u8> {
    id.as_bytes().to_vec()
}

async fn frame(
    tx: &mut Tx,
    seed: u128,
    partners: &[Uuid],
    parents: &[Option<usize>],
    roles: &[Uuid],
    homes: &[Uuid],
) -> Result<(), StoreError> {
    let mut dice = dice(seed);
    tx.execute(&LEVEL, binds![]).await?;
    let ask = CoreCapability::AccessAsk;
    let products = (1..=CAPABILITIES).map(|id| (id, product_capability(id)));
    let capabilities: Vec<_> = products.chain([(ask.id().0, ask.name().to_owned())]).collect();
    tx.execute_rows(&CAPABILITY, capabilities.iter().map(|(id, name)| binds![*id, name.clone()])).await?;
    tx.execute_rows(&LEVEL_CAPABILITY, capabilities.iter().map(|(id, _)| binds![*id])).await?;
    let parent = |at: usize| parents[at].map(|up| partners[up]);
    tx.execute_rows(&PARTNER, (0..partners.len()).map(|at| binds![partners[at], parent(at), key(partners[at])]))
        .await?;
    let above = |at: usize| std::iter::successors(Some(at), |at| parents[*at]);
    let pairs = (0..partners.len()).flat_map(|at| {
        above(at).zip(0i64..).map(move |(up, depth)| binds![partners[at], partners[up], depth]).collect::<Vec<_>>()
    });
    tx.execute_rows(&ANCESTOR, pairs).await?;
    let suspended: Vec<_> = partners.iter().skip(200).filter(|_| dice.below(10) == 0).collect();
    tx.execute_rows(&SUSPENDED, suspended.into_iter().map(|id| binds![*id])).await?;
    let groups = partners.iter().zip(homes);
    tx.execute_rows(&GROUP, groups.map(|(partner, home)| binds![*home, *partner, key(*home), true])).await?;
    for (at, role) in roles.iter().enumerate() {
        let parent = (at % 2 == 1).then(|| roles[at - 1]);
        tx.execute_rows(&ROLE, [binds![*role, partners[0], key(*role), parent]]).await?;
        let capabilities = (1..=CAPABILITIES).filter(|_| dice.below(3) > 0);
        tx.execute_rows(&ROLE_CAPABILITY, capabilities.map(|id| binds![*role, id])).await?;
        tx.execute_rows(&ROLE_ANCESTOR, [Some(*role), parent].into_iter().flatten().map(|up| binds![*role, up]))
            .await?;
    }
    Ok(())
}

/// The account of a product: it may ask about everybody.
async fn product(
    tx: &mut Tx,
    asker: Uuid,
    [role, scope, grant]: [Uuid; 3],
    partners: &[Uuid],
    homes: &[Uuid],
) -> Result<(), StoreError> {
    tx.execute_rows(&PERSON, [binds![asker, partners[0], key(asker), homes[0]]]).await?;
    tx.execute_rows(&ROLE, [binds![role, partners[0], key(role), None::<Uuid>]]).await?;
    tx.execute_rows(&ROLE_ANCESTOR, [binds![role, role]]).await?;
    tx.execute_rows(&ROLE_CAPABILITY, [binds![role, CoreCapability::AccessAsk.id().0]]).await?;
    tx.execute_rows(&SCOPE, [binds![scope, "subtree", partners[0]]]).await?;
    tx.execute_rows(&GRANT, [binds![grant, role, asker, scope]]).await?;
    Ok(())
}

async fn directory(
    tx: &mut Tx,
    seed: u128,
    source: Source,
    groups: &[Uuid],
    partners: &[Uuid],
    roles: &[Uuid],
) -> Result<(), StoreError> {
    let mut dice = dice(seed);
    let (id, home) = (source.id, partners[source.home]);
    tx.execute_rows(&DIRECTORY, [binds![id, home, key(id)]]).await?;
    tx.execute_rows(&CONNECTION, [binds![id, id.to_string()]]).await?;
    tx.execute_rows(&EXTERNAL_GROUP, groups.iter().map(|g| binds![*g, id, g.to_string(), key(*g)])).await?;
    let nested = (1..5).flat_map(|outer| (outer + 1..5).map(move |inner| (outer, inner)));
    let closure = (0..groups.len()).map(|at| (at, at)).chain(nested);
    tx.execute_rows(&CLOSURE, closure.map(|(outer, inner)| binds![groups[outer], groups[inner]])).await?;
    tx.execute_rows(&CONDITION, [binds![source.condition, id]]).await?;
    let label = dice.id();
    tx.execute_rows(&GROUP, [binds![label, home, key(label), false]]).await?;
    for ordinal in 0..6_i64 {
        let role = dice.pick(roles);
        let scopes = [dice.id(), dice.id()];
        for scope in scopes {
            let reach = if dice.below(3) == 0 { "partner" } else { "subtree" };
            tx.execute_rows(&SCOPE, [binds![scope, reach, home]]).await?;
        }
        // Every third rule has no ceiling that allows it.
        if ordinal % 3 > 0 {
            tx.execute_rows(&CEILING, [binds![id, role, scopes[0]]]).await?;
        }
        let rule = dice.id();
        let row = match ordinal {
            5 => binds![rule, id, ordinal, "add_to_group", Some(label), None::<Uuid>, None::<Uuid>],
            _ => binds![rule, id, ordinal, "grant_role", None::<Uuid>, Some(role), Some(scopes[1])],
        };
        tx.execute_rows(&RULE, [row]).await?;
        let group = |dice: &mut Dice| groups[1 + dice.below(groups.len() - 1)];
        let mut atoms: Vec<(Uuid, &str, bool)> = vec![(group(&mut dice), "group", false)];
        match ordinal {
            0 => atoms = vec![(groups[0], "group", false), (group(&mut dice), "group", true)],
            1 => atoms = vec![(source.condition, "condition", false)],
            2 => atoms = vec![(groups[1], "group", false)],
            _ => {}
        }
        let positives = atoms.iter().filter(|atom| !atom.2).count();
        tx.execute_rows(&TERM, [binds![rule, i64::try_from(positives).unwrap_or(1)]]).await?;
        tx.execute_rows(&ATOM, atoms.into_iter().map(|(set, kind, negated)| binds![rule, set, kind, negated])).await?;
    }
    Ok(())
}

async fn said(
    tx: &mut Tx,
    seed: u128,
    people: &[Uuid],
    sources: &[Source],
    groups: &[Uuid],
    (partners, homes, roles): (&[Uuid], &[Uuid], &[Uuid]),
) -> Result<Vec<Person>, StoreError> {
    let mut dice = dice(seed);
    let mut told = Vec::new();
    let (mut persons, mut external_users, mut members, mut holding): (Vec<Vec<SqlValue>>, Vec<_>, Vec<_>, Vec<_>) =
        Default::default();
    let (mut scopes, mut grants): (Vec<Vec<SqlValue>>, Vec<Vec<SqlValue>>) = Default::default();
    for person in people {
        let source = dice.pick(sources);
        persons.push(binds![*person, partners[source.home], key(*person), homes[source.home]]);
        let second = (dice.below(20) == 0).then(|| dice.pick(sources)).filter(|other| other.id != source.id);
        for source in [Some(source), second].into_iter().flatten() {
            let external_user = dice.id();
            external_users.push(binds![
                external_user,
                source.id,
                external_user.to_string(),
                key(external_user),
                *person
            ]);
            members.push(binds![groups[source.first_group], external_user]);
            for _ in 0..5 {
                members.push(binds![groups[source.first_group + 1 + dice.below(GROUPS - 1)], external_user]);
            }
            if dice.below(3) == 0 {
                holding.push(binds![source.condition, external_user]);
            }
        }
        let granted = (dice.below(10) < 7).then(|| dice.pick(partners));
        if let Some(partner) = granted {
            let scope = dice.id();
            let reach = if dice.below(2) == 0 { "partner" } else { "subtree" };
            scopes.push(binds![scope, reach, partner]);
            grants.push(binds![dice.id(), dice.pick(roles), *person, scope]);
        }
        let home = PartnerId::from_uuid(partners[source.home]);
        told.push(Person { id: UserId::from_uuid(*person), home, granted: granted.map(PartnerId::from_uuid) });
    }
    tx.execute_rows(&PERSON, persons).await?;
    tx.execute_rows(&EXTERNAL_USER, external_users).await?;
    tx.execute_rows(&MEMBER, members).await?;
    tx.execute_rows(&CONDITION_MEMBER, holding).await?;
    tx.execute_rows(&SCOPE, scopes).await?;
    tx.execute_rows(&GRANT, grants).await?;
    Ok(told)
}

/// The name of a product's capability.
pub fn product_capability(number: i64) -> String {
    format!("product.{number}")
}

/// A capability by chance.
pub fn capability(dice: &mut Dice) -> CapabilityId {
    CapabilityId(1 + i64::try_from(dice.below(60)).unwrap_or(0))
}
