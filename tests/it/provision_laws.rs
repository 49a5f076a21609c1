//! Laws of the room, under random acts at two connections of one directory: a dry run tells what the real run does (L2), and
//! whatever is kept for the view (placements, condition members) stays what the view says (L1).
use std::collections::{BTreeMap, BTreeSet};

use rolecall::domain::id::{ExternalGroupId, ExternalUserId, Id as _, UserId};
use rolecall::provision::groups::{self, GroupInput, NewExternalGroup};
use rolecall::provision::users::{self, NewExternalUser, UserInput};
use rolecall::provision::{AccessChanges, Effect, Execution, Outcome, ProvisionError, ProvisionSource};
use rolecall::scim::patch::{MemberOp, MemberSelector};
use rolecall::scim::resource::{Document, MemberRef};
use rolecall::store::effective_lists::{AccessItem, misplaced, outcomes_of};
use rolecall::store::{Store, StoreError, Tx, first, tuple};
use rolecall::{binds, statements};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::support::database::on_both;
use crate::support::world::{World, ctx, fresh_id};

statements! {
    USER_GROUP = "INSERT INTO user_groups (id, partner_id, name, name_key, is_primary, is_default, created_at) \
        VALUES ($1, $2, $3, $4, $5, FALSE, 0)";
    ROLE = "INSERT INTO roles (id, partner_id, name, name_key, version, created_at) VALUES ($1, $2, 'Help', $3, 1, 0)";
    ROLE_LINE = "INSERT INTO role_ancestors (role_id, ancestor_id) VALUES ($1, $1)";
    SCOPE = "INSERT INTO scopes (id, kind, partner_id) VALUES ($1, 'partner', $2)";
    RULE = "INSERT INTO mapping_rules (id, directory_id, rule_set_version, ordinal, name, effect, user_group_id, role_id, scope_id, \
        created_at, when_text) VALUES ($1, $2, 1, $3, 'rule', $4, $5, $6, $7, 0, '')";
    TERM = "INSERT INTO rule_terms (rule_id, term, positive_count) VALUES ($1, 0, 1)";
    ATOM = "INSERT INTO rule_criteria (rule_id, term, set_id, set_kind, negated) VALUES ($1, 0, $2, $3, FALSE)";
    CONDITION = "INSERT INTO attribute_conditions (id, directory_id, expression, created_at) VALUES ($1, $2, 'title eq \"Boss\"', 0)";
    USERS = "SELECT id FROM live_users ORDER BY id";
    HOLDS = "SELECT external_user_id FROM attribute_condition_members ORDER BY external_user_id";
    TITLES = "SELECT id, document FROM external_users ORDER BY id";
    AWAITED = "INSERT INTO reserved_external_groups (directory_id, name_key, id, name) VALUES ($1, $2, $3, $4)";
    STATE = "SELECT (SELECT COUNT(*) FROM events), (SELECT COUNT(*) FROM external_users), \
        (SELECT COUNT(*) FROM external_group_members), (SELECT COUNT(*) FROM user_suspensions), \
        (SELECT COALESCE(CAST(SUM(version) AS BIGINT), 0) FROM external_groups), \
        (SELECT COALESCE(CAST(SUM(version) AS BIGINT), 0) FROM users)";
}

/// A die that falls the same way in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }

    fn of<T: Copy>(&mut self, list: &[T]) -> Option<T> {
        if list.is_empty() { None } else { Some(list[self.below(list.len())]) }
    }
}

/// Three rules: a group places, another grants, a condition joins; or the condition places and the group joins. The
/// groups are named before anybody says them.
async fn lay_rules(store: &Store, world: &World, by_condition: bool) {
    let ids: Vec<Uuid> = (0..10).map(|_| fresh_id()).collect();
    let (place, label, role, scope, condition) = (ids[0], ids[1], ids[2], ids[3], ids[4]);
    let (first_group, second_group) = (ids[5], ids[6]);
    let work = async |tx: &mut Tx| -> Result<(), StoreError> {
        tx.execute(&USER_GROUP, binds![place, world.partner, "Sales", b"sales", true]).await?;
        tx.execute(&USER_GROUP, binds![label, world.partner, "Bosses", b"bosses", false]).await?;
        tx.execute(&ROLE, binds![role, world.partner, b"help"]).await?;
        tx.execute(&ROLE_LINE, binds![role]).await?;
        tx.execute(&SCOPE, binds![scope, world.partner]).await?;
        tx.execute(&CONDITION, binds![condition, world.directory]).await?;
        tx.execute(&AWAITED, binds![world.directory, b"group 0", first_group, "Group 0"]).await?;
        tx.execute(&AWAITED, binds![world.directory, b"group 1", second_group, "Group 1"]).await?;
        let none = None::<Uuid>;
        let (group, title) = ((first_group, "group"), (condition, "condition"));
        let (places, joins) = if by_condition { (title, group) } else { (group, title) };
        let rules = [
            (ids[7], "set_primary_group", Some(place), none, none, places.0, places.1),
            (ids[8], "grant_role", none, Some(role), Some(scope), second_group, "group"),
            (ids[9], "add_to_group", Some(label), none, none, joins.0, joins.1),
        ];
        for (ordinal, (rule, effect, group, role, scope, users, kind)) in (1..).zip(rules) {
            tx.execute(&RULE, binds![rule, world.directory, ordinal, effect, group, role, scope]).await?;
            tx.execute(&TERM, binds![rule]).await?;
            tx.execute(&ATOM, binds![rule, users, kind]).await?;
        }
        Ok(())
    };
    store.write(work).await.unwrap();
}

/// One act, ready to be run twice.
#[derive(Debug, Clone)]
enum Act {
    Create(Json),
    Set(ExternalUserId, &'static str, Json),
    Active(ExternalUserId, bool),
    Delete(ExternalUserId),
    NewGroup(String, Vec<MemberRef>),
    Change(ExternalGroupId, Option<String>, Vec<MemberOp>),
    DeleteGroup(ExternalGroupId),
}

/// What there is to act on, at each connection.
#[derive(Default)]
struct Known {
    users: Vec<ExternalUserId>,
    groups: Vec<ExternalGroupId>,
}

fn draw(dice: &mut Dice, known: &Known) -> Act {
    let titles = ["Boss", "boss", "Clerk"];
    let user = dice.of(&known.users);
    let group = dice.of(&known.groups);
    let members = |dice: &mut Dice| -> Vec<MemberRef> {
        let mut list = Vec::new();
        for _ in 0..dice.below(4) {
            let id = if dice.below(4) == 0 {
                dice.of(&known.groups).map(|id| id.to_string())
            } else {
                dice.of(&known.users).map(|id| id.to_string())
            };
            list.extend(id.map(|value| MemberRef::named(&value, None)));
        }
        list.dedup();
        list
    };
    match (dice.below(14), user, group) {
        (3, Some(user), _) => Act::Set(user, "title", json!(titles[dice.below(3)])),
        (4, Some(user), _) => Act::Set(user, "externalId", json!(format!("E{}", dice.below(60)))),
        (5, Some(user), _) => Act::Set(user, "userName", json!(format!("u{}@x.example", dice.below(90)))),
        (6, Some(user), _) => Act::Active(user, dice.below(2) == 0),
        (7, Some(user), _) => Act::Delete(user),
        (8, _, _) if known.groups.len() < 3 => Act::NewGroup(format!("Group {}", dice.below(3)), members(dice)),
        (0..=2 | 9..=12, Some(_), Some(group)) if known.users.len() > 5 => {
            let list = members(dice);
            let ids = list.iter().map(|member| member.value()).collect();
            let op = match dice.below(5) {
                0 => MemberOp::Remove(MemberSelector::Ids(ids)),
                1 => MemberOp::ReplaceAll(list),
                2 => MemberOp::Clear,
                _ => MemberOp::Add(list),
            };
            let name = (dice.below(4) == 0).then(|| format!("Group {}", dice.below(3)));
            Act::Change(group, name, vec![op])
        }
        (13, _, Some(group)) if dice.below(8) == 0 => Act::DeleteGroup(group),
        _ => Act::Create(json!({"userName": format!("u{}@x.example", dice.below(90)), "title": titles[dice.below(3)],
            "externalId": format!("E{}", dice.below(60)), "active": dice.below(5) > 0})),
    }
}

/// What an act returns, whatever it is on.
type Told = Result<(Effect, bool, Option<Uuid>, i64), ProvisionError>;

fn told<T>(done: Result<Outcome<T>, ProvisionError>, of: impl FnOnce(T) -> (Option<Uuid>, i64)) -> Told {
    done.map(|done| {
        let (id, version) = of(done.value);
        (done.effect, done.changed, id, version)
    })
}

async fn run(
    store: &Store,
    second: i64,
    world: &World,
    source: &ProvisionSource<'_>,
    act: &Act,
    mode: Execution,
) -> Told {
    let at = ctx(second);
    match act {
        Act::Create(body) => {
            let new = NewExternalUser { stable_key: None, said: world.user(body.clone()).into() };
            told(users::create(store, &at, source, new, mode).await, |user| (Some(user.id.uuid()), user.version))
        }
        Act::Set(id, name, value) => {
            let change = |doc: &Document| {
                let mut doc = doc.clone();
                doc.insert((*name).to_owned(), value.clone());
                Ok(UserInput::from(doc))
            };
            told(users::update(store, &at, source, *id, None, &change, mode).await, |user| (None, user.version))
        }
        Act::Active(id, active) => {
            told(users::set_active(store, &at, source, *id, *active, mode).await, |user| (None, user.version))
        }
        Act::Delete(id) => told(users::delete(store, &at, source, *id, None, mode).await, |()| (None, 0)),
        Act::NewGroup(name, members) => {
            let (document, members) = (world.group(name), members.clone());
            let new = NewExternalGroup { stable_key: None, document, members, row_hash: None };
            told(groups::create(store, &at, source, &new, mode).await, |group| (Some(group.id.uuid()), group.version))
        }
        Act::Change(id, name, members) => {
            let change = |doc: &Document| {
                let document = name.as_deref().map_or_else(|| doc.clone(), |name| world.group(name));
                Ok(GroupInput { document, members: members.clone(), row_hash: None })
            };
            told(groups::update(store, &at, source, *id, None, &change, mode).await, |group| (None, group.version))
        }
        Act::DeleteGroup(id) => told(groups::delete(store, &at, source, *id, None, mode).await, |()| (None, 0)),
    }
}

async fn held(store: &Store, source: &ProvisionSource<'_>) -> BTreeMap<UserId, Vec<AccessItem>> {
    let mut reader = store.reader().await.unwrap();
    let users: Vec<UserId> = reader.all(&USERS, binds![], first).await.unwrap();
    let mut all = BTreeMap::new();
    for user in users {
        all.insert(user, outcomes_of(&mut reader, &source.extent, user).await.unwrap());
    }
    all
}

/// What users call it.
fn name(outcome: &AccessItem) -> String {
    match outcome {
        AccessItem::Group { group } => group.name.clone(),
        AccessItem::Grant { role, .. } => role.name.clone(),
    }
}

type State = (i64, i64, i64, i64, i64, i64);

async fn state(store: &Store) -> State {
    store.reader().await.unwrap().one(&STATE, binds![], tuple).await.unwrap()
}

/// The stored placements and condition members are what the view and the documents say.
async fn check_kept(store: &Store, act: &Act) {
    let mut reader = store.reader().await.unwrap();
    let users: Vec<UserId> = reader.all(&USERS, binds![], first).await.unwrap();
    assert_eq!(misplaced(&mut reader, &users).await.unwrap(), [], "after {act:?}");
    let holds: BTreeSet<Uuid> = reader.all(&HOLDS, binds![], first).await.unwrap().into_iter().collect();
    let read = |row: &rolecall::store::Row| Ok((row.get::<Uuid>(0)?, row.json::<Json>(1)?));
    let documents: Vec<(Uuid, Json)> = reader.all(&TITLES, binds![], read).await.unwrap();
    let wanted: BTreeSet<Uuid> = documents
        .into_iter()
        .filter(|(_, doc)| doc["title"].as_str().is_some_and(|title| title.eq_ignore_ascii_case("boss")))
        .map(|(id, _)| id)
        .collect();
    assert_eq!(holds, wanted, "after {act:?}");
}

on_both! {
    async fn l02_a_dry_run_tells_what_the_real_run_does(db: &Database) {
        random_acts(&db.store, false).await;
    }

    async fn l02_where_a_condition_places_users(db: &Database) {
        random_acts(&db.store, true).await;
    }
}

async fn random_acts(store: &Store, by_condition: bool) {
    let world = World::new(store).await;
    lay_rules(store, &world, by_condition).await;
    let connections = [world.at(world.connections[0]), world.at(world.connections[1])];
    let mut known = [Known::default(), Known::default()];
    for (second, name) in [(1_000, "Group 0"), (1_001, "Group 1")] {
        let act = Act::NewGroup(name.into(), Vec::new());
        let made = run(store, second, &world, &connections[0], &act, Execution::Real).await.unwrap().2.unwrap();
        known[0].groups.push(ExternalGroupId::from_uuid(made));
    }
    let mut dice = Dice(42);
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for second in 0..170 {
        let connection = dice.below(2);
        let (source, known) = (&connections[connection], &mut known[connection]);
        let act = draw(&mut dice, known);
        let (before, stored) = (held(store, source).await, state(store).await);
        let dry = run(store, second, &world, source, &act, Execution::Dry).await;
        assert_eq!(state(store).await, stored, "a dry run leaves nothing: {act:?}");
        let real = run(store, second, &world, source, &act, Execution::Real).await;
        let (dry, real) = match (dry, real) {
            (Err(dry), Err(real)) => {
                assert_eq!(dry, real, "{act:?}");
                assert_eq!(state(store).await, stored, "a refusal leaves nothing: {act:?}");
                continue;
            }
            (dry, real) => (dry.unwrap(), real.unwrap()),
        };
        let AccessChanges::Changes(changes) = dry.0.access.clone() else { panic!("access is compared") };
        let silent = Effect { access: AccessChanges::NotCompared, ..dry.0 };
        assert_eq!((silent, dry.1, dry.2, dry.3), (real.0.clone(), real.1, real.2, real.3), "{act:?}");
        if !real.1 {
            assert_eq!(state(store).await, stored, "no change leaves everything alone: {act:?}");
        }

        // The users told of are those for whom anything changed, and nobody else.
        let after = held(store, source).await;
        for (user, now) in &after {
            let nothing = Vec::new();
            let then = before.get(user).unwrap_or(&nothing);
            let mut gained: Vec<&AccessItem> = now.iter().filter(|outcome| !then.contains(outcome)).collect();
            let mut lost: Vec<&AccessItem> = then.iter().filter(|outcome| !now.contains(outcome)).collect();
            if let Some(change) = changes.iter().find(|change| change.user == *user) {
                gained.retain(|outcome| !change.gained.contains(outcome));
                lost.retain(|outcome| !change.lost.contains(outcome));
                for outcome in change.gained.iter().chain(&change.lost) {
                    *seen.entry(name(outcome)).or_default() += 1;
                }
            }
            assert!(gained.is_empty() && lost.is_empty(), "{act:?} changed {user} untold: {gained:?} {lost:?}");
        }
        check_kept(store, &act).await;

        match (&act, real.2) {
            (Act::Create(_), Some(id)) => known.users.push(ExternalUserId::from_uuid(id)),
            (Act::NewGroup(..), Some(id)) => known.groups.push(ExternalGroupId::from_uuid(id)),
            (Act::Delete(gone), _) => known.users.retain(|id| id != gone),
            (Act::DeleteGroup(gone), _) => known.groups.retain(|id| id != gone),
            _ => {}
        }
    }
    // Every rule mattered.
    for outcome in ["Default", "Sales", "Bosses", "Help"] {
        assert!(seen.get(outcome).is_some_and(|times| *times > 3), "{seen:?}");
    }
}
