//! A law of undoing, under random acts at two connections and by an administrator: afterwards everything is as it was just
//! before the undo, and besides there is exactly what the connection took away within the time as its last word.
//!
//! What is due is told from pictures of the store before and after each act, not from the event log.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rolecall::domain::ctx::{Actor, Ctx};
use rolecall::domain::id::{ExternalGroupId, ExternalUserId, Id as _};
use rolecall::domain::time::Timestamp;
use rolecall::provision::groups::{self, GroupInput, NewExternalGroup};
use rolecall::provision::undo::{self, TimeRange, UndoEntry};
use rolecall::provision::users::{self, NewExternalUser};
use rolecall::provision::{Execution, ProvisionError, ProvisionSource, events};
use rolecall::scim::patch::{MemberOp, MemberSelector};
use rolecall::scim::resource::{Document, MemberRef};
use rolecall::store::{Store, Tx, tuple};
use rolecall::{binds, statements};
use serde_json::json;
use uuid::Uuid;

use crate::support::database::on_both;
use crate::support::house::Machine;
use crate::support::world::World;

statements! {
    USERS = "SELECT id, active, user_name FROM external_users WHERE connection_id = $1";
    GROUPS = "SELECT id, display_name FROM external_groups WHERE connection_id = $1";
    MEMBERS = "SELECT m.external_group_id, m.external_user_id FROM external_group_members m JOIN external_groups g ON g.id = m.external_group_id WHERE g.connection_id = $1";
    NESTED = "SELECT s.parent_id, s.child_id FROM external_subgroups s JOIN external_groups g ON g.id = s.parent_id WHERE g.connection_id = $1";
}

/// Worlds on each database.
const WORLDS: u64 = 16;
/// Acts in each world; the time begins after the first third and ends before the last.
const ACTS: i64 = 150;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Fact {
    User(Uuid),
    Group(Uuid),
    Member(Uuid, Uuid),
    Active(Uuid),
}

/// What holds at the connections of a world, and the names: of users and of groups, and of which connection.
#[derive(Clone, PartialEq, Debug, Default)]
struct Picture {
    facts: BTreeSet<Fact>,
    names: BTreeMap<Uuid, String>,
}

async fn picture(store: &Store, world: &World) -> Picture {
    let mut reader = store.reader().await.unwrap();
    let mut picture = Picture::default();
    for connection in [world.connections[0], world.stranger].map(|connection| connection.connection()) {
        for (id, active, name) in reader.all(&USERS, binds![connection], tuple::<(Uuid, bool, String)>).await.unwrap() {
            picture.facts.insert(Fact::User(id));
            picture.facts.extend(active.then_some(Fact::Active(id)));
            picture.names.insert(id, format!("user {name} of {connection}"));
        }
        for (id, name) in reader.all(&GROUPS, binds![connection], tuple::<(Uuid, String)>).await.unwrap() {
            picture.facts.insert(Fact::Group(id));
            picture.names.insert(id, format!("group {name} of {connection}"));
        }
        for statement in [&MEMBERS, &NESTED] {
            let pairs = reader.all(statement, binds![connection], tuple::<(Uuid, Uuid)>).await.unwrap();
            picture.facts.extend(pairs.into_iter().map(|(group, member)| Fact::Member(group, member)));
        }
    }
    picture
}

/// The entries there ever were: their names, when they came, and when they went.
#[derive(Default)]
struct Lives {
    names: BTreeMap<Uuid, String>,
    came: BTreeMap<Uuid, i64>,
    went: BTreeMap<Uuid, i64>,
    /// Those who were active when they went.
    active: BTreeSet<Uuid>,
}

impl Lives {
    fn note(&mut self, second: i64, before: &Picture, after: &Picture) {
        for (id, name) in &after.names {
            self.came.entry(*id).or_insert(second);
            self.names.insert(*id, name.clone());
        }
        for id in before.names.keys().filter(|id| !after.names.contains_key(id)) {
            self.went.insert(*id, second);
            self.active.extend(before.facts.contains(&Fact::Active(*id)).then_some(*id));
        }
    }

    /// Whether another entry of this name came after it went.
    fn is_followed(&self, id: Uuid) -> bool {
        let (name, went) = (&self.names[&id], self.went[&id]);
        self.names.iter().any(|(other, named)| *other != id && named == name && self.came[other] > went)
    }
}

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

#[derive(Default)]
struct Known {
    users: Vec<ExternalUserId>,
    groups: Vec<ExternalGroupId>,
}

/// One random act; what was there may be gone, and then nothing happens.
async fn act(
    store: &Store,
    ctx: &Ctx,
    source: &ProvisionSource<'_>,
    world: &World,
    known: &mut Known,
    dice: &mut Dice,
) {
    let (user, group) = (dice.of(&known.users), dice.of(&known.groups));
    let someone = |dice: &mut Dice, known: &Known| -> Vec<MemberRef> {
        let user = dice.of(&known.users).map(|id| id.to_string());
        let group = if dice.below(4) == 0 { dice.of(&known.groups).map(|id| id.to_string()) } else { None };
        group.or(user).into_iter().map(|value| MemberRef::named(&value, None)).collect()
    };
    let change = async |group, ops: Vec<MemberOp>| {
        let change = |doc: &Document| Ok(GroupInput { document: doc.clone(), members: ops.clone(), row_hash: None });
        groups::update(store, ctx, source, group, None, &change, Execution::Real).await.map(drop)
    };
    let done: Result<(), ProvisionError> = match (dice.below(12), user, group) {
        (0 | 1, ..) | (_, None, _) => {
            // Few names, so that a deleted one comes again as a new user now and then.
            let name = format!("u{}", dice.below(14));
            let document = world.user(json!({"userName": name, "externalId": name}));
            let new = NewExternalUser { stable_key: None, said: document.into() };
            let made = users::create(store, ctx, source, new, Execution::Real).await;
            made.map(|done| known.users.push(done.value.id))
        }
        (2, ..) | (_, _, None) => {
            let members = (0..dice.below(4)).flat_map(|_| someone(dice, known)).collect();
            let document = world.group(&format!("g{}", dice.below(6)));
            let new = NewExternalGroup { stable_key: None, document, members, row_hash: None };
            let made = groups::create(store, ctx, source, &new, Execution::Real).await;
            made.map(|done| known.groups.push(done.value.id))
        }
        (3 | 4, Some(user), _) => {
            users::set_active(store, ctx, source, user, dice.below(3) == 0, Execution::Real).await.map(drop)
        }
        (5, Some(user), _) => users::delete(store, ctx, source, user, None, Execution::Real).await.map(drop),
        (6, _, Some(group)) if dice.below(2) == 0 => {
            groups::delete(store, ctx, source, group, None, Execution::Real).await.map(drop)
        }
        (6..=8, _, Some(group)) => change(group, vec![MemberOp::Add(someone(dice, known))]).await,
        (9, _, Some(group)) if dice.below(3) == 0 => change(group, vec![MemberOp::Clear]).await,
        (10, _, Some(group)) if dice.below(2) == 0 => {
            change(group, vec![MemberOp::ReplaceAll(someone(dice, known))]).await
        }
        (_, _, Some(group)) => {
            let ids = someone(dice, known).into_iter().map(|member| member.value()).collect();
            change(group, vec![MemberOp::Remove(MemberSelector::Ids(ids))]).await
        }
    };
    match done {
        // A whole list of which nothing is known is refused.
        Ok(())
        | Err(
            ProvisionError::NotFound
            | ProvisionError::Uniqueness { .. }
            | ProvisionError::Scim(_)
            | ProvisionError::UnknownMembers { .. },
        ) => {}
        Err(error) => panic!("{error:?}"),
    }
}

/// The last word on each fact: whether it was lost to the first connection within the time.
type Words = BTreeMap<Fact, bool>;

fn note(words: &mut Words, before: &Picture, after: &Picture, counts: bool) {
    for fact in before.facts.difference(&after.facts) {
        // Whether a deleted user was active lies in what is kept of it: it went with the user.
        let goes_along = matches!(fact, Fact::Active(user) if !after.facts.contains(&Fact::User(*user)));
        if !goes_along {
            words.insert(*fact, counts);
        }
    }
    for fact in after.facts.difference(&before.facts) {
        words.insert(*fact, false);
    }
}

/// What must hold after the undo.
fn expected(words: &Words, now: &Picture, lives: &Lives) -> BTreeSet<Fact> {
    let mut facts = now.facts.clone();
    let due: Vec<Fact> = words.iter().filter(|(_, due)| **due).map(|(fact, _)| *fact).collect();
    for fact in &due {
        if let Fact::User(id) | Fact::Group(id) = *fact
            && !lives.is_followed(id)
        {
            facts.insert(*fact);
            facts.extend(lives.active.contains(&id).then_some(Fact::Active(id)));
        }
    }
    let there = |facts: &BTreeSet<Fact>, id| facts.contains(&Fact::User(id)) || facts.contains(&Fact::Group(id));
    for fact in due {
        let back = match fact {
            Fact::Member(group, member) => there(&facts, group) && there(&facts, member),
            Fact::Active(user) => there(&facts, user),
            Fact::User(_) | Fact::Group(_) => false,
        };
        facts.extend(back.then_some(fact));
    }
    facts
}

on_both! {
    async fn what_is_said_after_the_plan_was_read_wins_over_it(db: &Database) {
        let (store, world) = (&db.store, World::new(&db.store).await);
        let source = world.source();
        let at = |second: i64| {
            let moment = Timestamp::from_micros((1_000_000 + second) * 1_000_000);
            Ctx::new(moment, Actor::Connection { connection: source.extent.connection(), run: None }, Arc::new(Machine))
        };
        let mut ids = Vec::new();
        for name in ["ann", "bea", "cid"] {
            let document = world.user(json!({"userName": name, "externalId": name}));
            let new = NewExternalUser { stable_key: None, said: document.into() };
            ids.push(users::create(store, &at(0), &source, new, Execution::Real).await.unwrap().value.id);
        }
        let set = async |second, id, active| {
            users::set_active(store, &at(second), &source, id, active, Execution::Real).await.unwrap();
        };
        for id in &ids {
            set(10, *id, false).await;
        }
        let span = TimeRange { from: at(10).now(), to: at(11).now() };
        let plan = undo::look(&mut store.reader().await.unwrap(), &source.extent, span).await.unwrap();
        assert_eq!(plan.restorable().count(), 3);
        // Meanwhile Ann comes back and goes again, and Bea is deleted; of Cid nothing is said but what the plan knows.
        set(20, ids[0], true).await;
        set(21, ids[0], false).await;
        users::delete(store, &at(22), &source, ids[1], None, Execution::Real).await.unwrap();
        while events::seal(store).await.unwrap() > 0 {}
        let part: Vec<UndoEntry> = plan.restorable().copied().collect();
        let carry = async |tx: &mut Tx| undo::carry_in(tx, &at(30), &source, &plan, &part).await;
        let carried = store.write(carry).await.unwrap();
        assert_eq!((carried.restored, carried.passed), (1, 2));
        let active: Vec<Uuid> = picture(store, &world).await.facts.into_iter().filter_map(|fact| match fact {
            Fact::Active(user) => Some(user),
            _ => None,
        }).collect();
        assert_eq!(active, [ids[2].uuid()]);
    }

    async fn exactly_the_last_words_of_the_time_are_taken_back(db: &Database) {
        let (store, mut restored, mut lost) = (&db.store, 0, 0);
        for seed in 0..WORLDS {
            // Worlds lie beside each other in one database: each has a partner, and so a log, of its own.
            let world = World::new(store).await;
            let mut dice = Dice(seed * 7_919 + 17);
            let (mine, other) = (world.at(world.connections[0]), world.at(world.stranger));
            let mut known = [Known::default(), Known::default()];
            let moment = |second: i64| Timestamp::from_micros((1_000_000 + second) * 1_000_000);
            let span = TimeRange { from: moment(ACTS / 3), to: moment(ACTS * 2 / 3) };
            let ctx_of = |second: i64, actor| Ctx::new(moment(second), actor, Arc::new(Machine));
            let (mut words, mut lives, mut before) = (Words::new(), Lives::default(), Picture::default());
            for second in 0..ACTS {
                let which = usize::from(dice.below(5) == 0);
                let source = if which == 0 { &mine } else { &other };
                let connection = Actor::Connection { connection: source.extent.connection(), run: None };
                // An administrator works on what the first connection said, now and then.
                let by_hand = which == 0 && dice.below(8) == 0;
                let ctx = ctx_of(second, if by_hand { Actor::Operator } else { connection });
                act(store, &ctx, source, &world, &mut known[which], &mut dice).await;
                if dice.below(10) == 0 {
                    while events::seal(store).await.unwrap() > 0 {}
                }
                let after = picture(store, &world).await;
                note(&mut words, &before, &after, which == 0 && !by_hand && span.contains(moment(second)));
                lives.note(second, &before, &after);
                // Most acts are on what is there.
                if dice.below(4) > 0 {
                    for known in &mut known {
                        known.users.retain(|user| after.names.contains_key(&user.uuid()));
                        known.groups.retain(|group| after.names.contains_key(&group.uuid()));
                    }
                }
                before = after;
            }
            let now = picture(store, &world).await;
            let due = expected(&words, &now, &lives);
            let plan = undo::look(&mut store.reader().await.unwrap(), &mine.extent, span).await.unwrap();
            assert_eq!(picture(store, &world).await, now, "a look changes nothing");
            let part: Vec<UndoEntry> = plan.restorable().copied().collect();
            lost += plan.entries.len() - part.len();
            let ctx = ctx_of(ACTS + 1, Actor::Operator);
            // In small parts, as a large plan is carried out.
            for part in part.chunks(1 + dice.below(5)) {
                let carry = async |tx: &mut Tx| undo::carry_in(tx, &ctx, &mine, &plan, part).await;
                let carried = store.write(carry).await.unwrap();
                assert_eq!((carried.restored, carried.passed), (part.len(), 0), "world {seed}: {part:?}");
                restored += carried.restored;
            }
            let after = picture(store, &world).await;
            let missing: Vec<_> = due.difference(&after.facts).collect();
            let surplus: Vec<_> = after.facts.difference(&due).collect();
            assert!(missing.is_empty() && surplus.is_empty(), "world {seed}: missing {missing:?}, too much {surplus:?}");
            let again = undo::look(&mut store.reader().await.unwrap(), &mine.extent, span).await.unwrap();
            assert_eq!(again.restorable().count(), 0, "world {seed}");
        }
        assert!(restored > 60 && lost > 100, "the dice fell too kindly: {restored} restored, {lost} not");
    }
}
