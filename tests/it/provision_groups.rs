//! Groups: members as sets, nesting, names.
use std::collections::{BTreeMap, BTreeSet};

use rolecall::domain::filter::{FieldType as FieldKind, Filter, FilterField, FilterOp, FilterValue};
use rolecall::domain::id::{ExternalGroupId, ExternalUserId, Id as _};
use rolecall::provision::event::Kind;
use rolecall::provision::groups::{self, GroupInput, NewExternalGroup};
use rolecall::provision::users::{self, NewExternalUser};
use rolecall::provision::{Effect, Execution, Outcome, ProvisionError, ProvisionSource, UnknownMembers};
use rolecall::scim::patch::{MemberOp, MemberSelector};
use rolecall::scim::resource::{Document, MemberKind, MemberRef};
use rolecall::store::external_groups::ExternalGroup;
use rolecall::store::members::{self, MemberId};
use rolecall::store::{Store, Tx, first, tuple};
use rolecall::{binds, statements};
use serde_json::json;
use uuid::Uuid;

use crate::support::database::on_both;
use crate::support::world::{World, ctx};

statements! {
    CLOSURE = "SELECT ancestor_id, external_group_id FROM external_group_ancestors";
    EVENTS = "SELECT COUNT(*) FROM events";
}

async fn user(store: &Store, world: &World, source: &ProvisionSource<'_>, name: &str) -> ExternalUserId {
    let new =
        NewExternalUser { stable_key: None, said: world.user(json!({"userName": name, "externalId": name})).into() };
    users::create(store, &fresh(), source, new, Execution::Real).await.unwrap().value.id
}

/// Circumstances whose ids are not those of any other.
fn fresh() -> rolecall::domain::ctx::Ctx {
    use std::sync::atomic::{AtomicI64, Ordering};
    static SECOND: AtomicI64 = AtomicI64::new(1_000);
    ctx(SECOND.fetch_add(1, Ordering::Relaxed))
}

fn member(id: ExternalUserId) -> MemberRef {
    MemberRef::of(id.uuid(), None)
}

fn nested(id: ExternalGroupId) -> MemberRef {
    MemberRef::of(id.uuid(), Some(MemberKind::Group))
}

async fn group(
    store: &Store,
    world: &World,
    source: &ProvisionSource<'_>,
    name: &str,
    members: Vec<MemberRef>,
) -> Outcome<ExternalGroup> {
    let new = NewExternalGroup { stable_key: None, document: world.group(name), members, row_hash: None };
    groups::create(store, &fresh(), source, &new, Execution::Real).await.unwrap()
}

async fn change(
    store: &Store,
    source: &ProvisionSource<'_>,
    id: ExternalGroupId,
    ops: Vec<MemberOp>,
) -> Result<Outcome<ExternalGroup>, ProvisionError> {
    let change = |doc: &Document| Ok(GroupInput { document: doc.clone(), members: ops.clone(), row_hash: None });
    groups::update(store, &fresh(), source, id, None, &change, Execution::Real).await
}

async fn who(store: &Store, source: &ProvisionSource<'_>, id: ExternalGroupId) -> BTreeSet<Uuid> {
    let mut reader = store.reader().await.unwrap();
    let (mut all, mut after) = (BTreeSet::new(), None);
    loop {
        let page = members::page(&mut reader, &source.extent, id, after, 2).await.unwrap();
        let Some(last) = page.last() else { return all };
        after = Some(last.who);
        for member in page {
            assert!(all.insert(member.who.uuid()), "paging repeats nobody");
        }
    }
}

fn ids(users: &[ExternalUserId]) -> BTreeSet<Uuid> {
    users.iter().map(|id| id.uuid()).collect()
}

fn kinds(effect: &Effect) -> Vec<Kind> {
    effect.events.iter().map(|event| event.kind).collect()
}

/// The closure as a naive walk over the edges finds it.
fn walked(edges: &BTreeSet<(Uuid, Uuid)>, groups: &[ExternalGroupId]) -> BTreeSet<(Uuid, Uuid)> {
    let mut pairs = BTreeSet::new();
    for start in groups.iter().map(|group| group.uuid()) {
        let mut open = vec![start];
        while let Some(at) = open.pop() {
            if pairs.insert((start, at)) {
                open.extend(edges.iter().filter(|(outer, _)| *outer == at).map(|(_, inner)| *inner));
            }
        }
    }
    pairs
}

on_both! {
    async fn members_come_and_go_as_sets(db: &Database) {
        let (store, world) = (&db.store, World::new(&db.store).await);
        let source = world.source();
        let mut users = Vec::new();
        for name in ["a", "b", "c", "d"] {
            users.push(user(store, &world, &source, name).await);
        }
        let [a, b, c, d] = users[..] else { unreachable!() };
        let made = group(store, &world, &source, "Ops", vec![member(a), member(b)]).await;
        let id = made.value.id;
        assert_eq!(made.effect.members_added, 2);
        assert_eq!(kinds(&made.effect), [Kind::ExternalGroupCreated, Kind::ExternalGroupMemberAdded]);

        let added = change(store, &source, id, vec![MemberOp::Add(vec![member(b), member(c)])]).await.unwrap();
        assert_eq!((added.changed, added.effect.members_added, added.value.version), (true, 1, 2));
        assert_eq!(who(store, &source, id).await, ids(&[a, b, c]));

        // P09, P14: nothing new, nothing changed.
        let same = change(store, &source, id, vec![
            MemberOp::Add(vec![member(a)]), MemberOp::Remove(MemberSelector::Ids(vec![d.to_string(), "nobody".into()])),
        ]).await.unwrap();
        let told = Effect { unknown_members: vec!["nobody".into()], ..Effect::default() };
        assert!(!same.changed && same.effect == told, "only whom nobody knows is told");
        assert_eq!(same.value, added.value);

        let replaced = change(store, &source, id, vec![MemberOp::ReplaceAll(vec![member(d), member(a)])]).await.unwrap();
        assert_eq!((replaced.effect.members_added, replaced.effect.members_removed), (1, 2));
        assert_eq!(who(store, &source, id).await, ids(&[a, d]));

        let cleared = change(store, &source, id, vec![MemberOp::Clear]).await.unwrap();
        assert_eq!(cleared.effect.members_removed, 2);
        assert!(who(store, &source, id).await.is_empty());

        // Who comes and leaves in one request does neither.
        let both = change(store, &source, id, vec![
            MemberOp::Add(vec![member(a)]), MemberOp::Remove(MemberSelector::Ids(vec![a.to_string()])),
        ]).await.unwrap();
        assert_eq!((both.effect.members_added, both.effect.members_removed), (0, 0));
    }

    async fn d05_unknown_members_are_skipped_or_refused_and_never_wipe(db: &Database) {
        let (store, world) = (&db.store, World::new(&db.store).await);
        let source = world.source();
        let a = user(store, &world, &source, "a").await;
        let stranger = user(store, &world, &world.at(world.stranger), "b").await;
        let id = group(store, &world, &source, "Ops", vec![member(a)]).await.value.id;
        let unknown = |value: &str| MemberRef::named(value, None);
        let wanted = vec![MemberOp::ReplaceAll(vec![unknown("nobody"), member(stranger), unknown(&a.to_string().to_uppercase())])];

        let strict = ProvisionSource { unknown_members: UnknownMembers::Reject, ..source };
        let refused = change(store, &strict, id, wanted.clone()).await.unwrap_err();
        assert!(matches!(refused, ProvisionError::UnknownMembers { ref ids } if ids.len() == 3));
        assert_eq!(who(store, &source, id).await, ids(&[a]));

        let added = change(store, &source, id, vec![MemberOp::Add(vec![unknown("nobody"), member(a)])]).await.unwrap();
        assert_eq!((added.changed, &added.effect.unknown_members[..]), (false, &["nobody".to_owned()][..]));
        assert!(added.effect.events.is_empty());
    }

    async fn a_rename_leaves_members_and_tells_only_names(db: &Database) {
        let (store, world) = (&db.store, World::new(&db.store).await);
        let source = world.source();
        let made = group(store, &world, &source, "Ops", vec![]).await.value;
        let rename = |_: &Document| Ok(GroupInput { document: world.group("Crew"), members: vec![], row_hash: None });
        let done = groups::update(store, &fresh(), &source, made.id, None, &rename, Execution::Real).await.unwrap();
        assert_eq!((done.value.version, done.value.display_name.as_str()), (2, "Crew"));
        assert_eq!(kinds(&done.effect), [Kind::ExternalGroupRenamed]);
        let again = groups::update(store, &fresh(), &source, made.id, None, &rename, Execution::Real).await.unwrap();
        assert!(!again.changed);
        let read = groups::get(&mut store.reader().await.unwrap(), &source, made.id).await.unwrap().unwrap();
        assert_eq!(read, done.value);
        assert!(groups::get(&mut store.reader().await.unwrap(), &world.at(world.connections[1]), made.id).await.unwrap().is_none());
    }

    async fn d04_a_deleted_user_leaves_its_groups(db: &Database) {
        let (store, world) = (&db.store, World::new(&db.store).await);
        let source = world.source();
        let (a, b) = (user(store, &world, &source, "a").await, user(store, &world, &source, "b").await);
        let id = group(store, &world, &source, "Ops", vec![member(a), member(b)]).await.value.id;
        let gone = users::delete(store, &fresh(), &source, a, None, Execution::Real).await.unwrap();
        assert!(kinds(&gone.effect).contains(&Kind::ExternalGroupMemberRemoved));
        assert_eq!(who(store, &source, id).await, ids(&[b]));
        let read = groups::get(&mut store.reader().await.unwrap(), &source, id).await.unwrap().unwrap();
        assert_eq!(read.version, 2);
    }

    async fn d03_groups_in_groups_survive_cycles(db: &Database) {
        let (store, world) = (&db.store, World::new(&db.store).await);
        let source = world.source();
        let user = user(store, &world, &source, "a").await;
        let outer = group(store, &world, &source, "Outer", vec![]).await.value.id;
        let inner = group(store, &world, &source, "Inner", vec![member(user), nested(outer)]).await.value.id;
        change(store, &source, outer, vec![MemberOp::Add(vec![nested(inner)])]).await.unwrap();
        let seen = users::get(store, &source, user, true).await.unwrap().unwrap().groups.unwrap();
        let seen: BTreeMap<&str, bool> = seen.iter().map(|row| (row.display_name.as_str(), row.direct)).collect();
        assert_eq!(seen, BTreeMap::from([("Inner", true), ("Outer", false)]));
        assert_eq!(who(store, &source, inner).await, BTreeSet::from([user.uuid(), outer.uuid()]));

        let gone = groups::delete(store, &fresh(), &source, inner, None, Execution::Real).await.unwrap();
        assert_eq!(gone.effect.members_removed, 2, "a user and a group");
        assert!(who(store, &source, outer).await.is_empty());
        let read = groups::get(&mut store.reader().await.unwrap(), &source, outer).await.unwrap().unwrap();
        assert_eq!(read.version, 3);
    }

    async fn the_closure_is_what_a_walk_over_the_edges_finds(db: &Database) {
        let (store, world) = (&db.store, World::new(&db.store).await);
        let source = world.source();
        let mut all = Vec::new();
        for name in ["a", "b", "c", "d", "e", "f"] {
            all.push(group(store, &world, &source, name, vec![]).await.value.id);
        }
        let mut edges = BTreeSet::new();
        // A small linear congruential generator: the same sequence every time.
        let mut seed = 12_345_u64;
        let mut draw = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % below
        };
        for _ in 0..60 {
            let (outer, inner) = (all[draw(all.len())], all[draw(all.len())]);
            if outer == inner {
                continue;
            }
            let pair = (outer.uuid(), inner.uuid());
            let op = if draw(5) < 3 {
                edges.insert(pair);
                MemberOp::Add(vec![nested(inner)])
            } else {
                edges.remove(&pair);
                MemberOp::Remove(MemberSelector::Ids(vec![inner.to_string()]))
            };
            change(store, &source, outer, vec![op]).await.unwrap();
            let stored: Vec<(Uuid, Uuid)> =
                store.reader().await.unwrap().all(&CLOSURE, binds![], tuple).await.unwrap();
            assert_eq!(stored.into_iter().collect::<BTreeSet<_>>(), walked(&edges, &all));
        }
        let gone = all.pop().unwrap();
        groups::delete(store, &fresh(), &source, gone, None, Execution::Real).await.unwrap();
        edges.retain(|(outer, inner)| *outer != gone.uuid() && *inner != gone.uuid());
        let stored: Vec<(Uuid, Uuid)> = store.reader().await.unwrap().all(&CLOSURE, binds![], tuple).await.unwrap();
        assert_eq!(stored.into_iter().collect::<BTreeSet<_>>(), walked(&edges, &all));
    }

    async fn members_are_removed_by_a_filter_over_one_member(db: &Database) {
        let (store, world) = (&db.store, World::new(&db.store).await);
        let source = world.source();
        let a = user(store, &world, &source, "a").await;
        let inner = group(store, &world, &source, "Inner", vec![]).await.value.id;
        let id = group(store, &world, &source, "Ops", vec![member(a), nested(inner)]).await.value.id;
        let filter = Filter::Compare {
            field: FilterField { path: vec!["type".into()], kind: FieldKind::Text { exact: false } },
            op: FilterOp::Eq,
            value: FilterValue::Text("group".into()),
        };
        change(store, &source, id, vec![MemberOp::Remove(MemberSelector::Matching(filter))]).await.unwrap();
        assert_eq!(who(store, &source, id).await, ids(&[a]));
    }

    async fn a_dry_run_of_members_tells_the_same_and_leaves_nothing(db: &Database) {
        let (store, world) = (&db.store, World::new(&db.store).await);
        let source = world.source();
        let (a, b) = (user(store, &world, &source, "a").await, user(store, &world, &source, "b").await);
        let id = group(store, &world, &source, "Ops", vec![member(a)]).await.value.id;
        let events: i64 = store.reader().await.unwrap().one(&EVENTS, binds![], first).await.unwrap();
        let change = |_: &Document| Ok(GroupInput {
            document: world.group("Crew"), members: vec![MemberOp::ReplaceAll(vec![member(b)])], row_hash: None,
        });
        let at = ctx(99);
        let dry = groups::update(store, &at, &source, id, None, &change, Execution::Dry).await.unwrap();
        assert_eq!(who(store, &source, id).await, ids(&[a]));
        assert_eq!(store.reader().await.unwrap().one(&EVENTS, binds![], first::<i64>).await.unwrap(), events);
        let real = groups::update(store, &ctx(99), &source, id, None, &change, Execution::Real).await.unwrap();
        assert_eq!((dry.value, dry.effect.events), (real.value, real.effect.events));
    }

    async fn thousands_of_members_are_one_request(db: &Database) {
        let (store, world) = (&db.store, World::new(&db.store).await);
        let source = world.source();
        let mut users = Vec::new();
        for part in 0..4 {
            let at = fresh();
            let (source, world) = (&source, &world);
            let made = store.write(async |tx: &mut Tx| {
                let mut made = Vec::new();
                for n in 0..300 {
                    let said = world.user(json!({"userName": format!("p{part}-{n}")})).into();
                    made.push(users::create_in(tx, &at, source, NewExternalUser { stable_key: None, said }).await?.value.id);
                }
                Ok::<_, ProvisionError>(made)
            }).await.unwrap();
            users.extend(made);
        }
        let all: Vec<MemberRef> = users.iter().copied().map(member).collect();
        let id = group(store, &world, &source, "Everyone", all.clone()).await.value.id;
        let half = change(store, &source, id, vec![MemberOp::ReplaceAll(all[..600].to_vec())]).await.unwrap();
        assert_eq!(half.effect.members_removed, 600);
        let back = change(store, &source, id, vec![MemberOp::ReplaceAll(all)]).await.unwrap();
        assert_eq!(back.effect.members_added, 600);
        assert_eq!(back.effect.touched.len(), 600);
        let mut reader = store.reader().await.unwrap();
        assert_eq!(members::count(&mut reader, &source.extent, id).await.unwrap(), 1_200);
        let page = members::page(&mut reader, &source.extent, id, None, 5).await.unwrap();
        assert!(matches!(page[0].who, MemberId::User(_)));
    }
}
