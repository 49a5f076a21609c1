//! The lists of the view say what the law says, user by user.
use std::collections::BTreeSet;

use rolecall::access::decide::{Question, decide};
use rolecall::access::delegation;
use rolecall::access::derive::{AccessView, DerivedGrant, MembershipReason, derive};
use rolecall::access::explain::{GrantOrigin, MembershipSummary};
use rolecall::domain::grant::{Resource, Scope};
use rolecall::domain::id::{RoleId, UserGroupId, UserId};
use rolecall::domain::time::Timestamp;
use rolecall::store::extent::OperatorExtent;
use rolecall::store::{Reader, Store, Tx, effective, effective_lists as lists};
use rolecall::{binds, statements};

use super::agree::{question, words};
use super::generate::{CAPABILITIES, model, questions};
use super::load::load;
use super::model::Model;
use crate::support::database::on_both;

statements! {
    PLACE = "UPDATE users SET primary_group_id = $2 WHERE id = $1";
    FORGET_MEMBERS = "DELETE FROM external_group_members WHERE external_user_id IN (SELECT id FROM external_users WHERE directory_id = $1)";
    FORGET_CONDITIONS = "DELETE FROM attribute_condition_members \
        WHERE external_user_id IN (SELECT id FROM external_users WHERE directory_id = $1)";
    FORGET_USERS = "DELETE FROM external_users WHERE directory_id = $1";
}

/// Worlds that are listed whole; few, because each is asked about everyone and everything.
const WORLDS: u64 = 6;

const NOW: Timestamp = Timestamp::from_micros(50);

/// Loads a world and writes the placements the view asks for.
async fn loaded(store: &Store, m: &Model, seed: u64) {
    load(store, m, seed).await;
    let users: Vec<UserId> = m.users.iter().map(|user| user.id).collect();
    store
        .write(async |tx: &mut Tx| {
            for (user, _, group) in lists::misplaced(tx, &users).await? {
                tx.execute(&PLACE, binds![user, group]).await?;
            }
            Ok::<_, rolecall::store::StoreError>(())
        })
        .await
        .unwrap();
}

fn placements(view: &AccessView<'_>) -> BTreeSet<(UserId, UserGroupId)> {
    view.users().filter_map(|(id, derived)| Some((id, derived.primary_group?.group))).collect()
}

on_both! {
    async fn placements_are_found_and_settle(db: &Database) {
        for seed in 0..WORLDS {
            let m = model(seed);
            load(&db.store, &m, seed).await;
            let world = m.world();
            let users: Vec<UserId> = m.users.iter().map(|user| user.id).collect();
            let mut reader = db.store.reader().await.unwrap();
            let wrong = lists::misplaced(&mut reader, &users).await.unwrap();
            // The loader puts everyone in the default group.
            let default = |user: &UserId| {
                let home = m.users.iter().find(|p| p.id == *user).unwrap().partner;
                m.groups.iter().find(|group| group.partner == home && group.is_default).unwrap().id
            };
            assert!(wrong.iter().all(|(user, now, _)| default(user) == *now), "world {seed}");
            let wrong: BTreeSet<_> = wrong.into_iter().map(|(user, _, group)| (user, group)).collect();
            let law = placements(&derive(&world));
            let expected: BTreeSet<_> = law.into_iter().filter(|(user, group)| default(user) != *group).collect();
            assert_eq!(wrong, expected, "world {seed}");
        }
        for seed in WORLDS..WORLDS + 2 {
            let m = model(seed);
            loaded(&db.store, &m, seed).await;
            let users: Vec<UserId> = m.users.iter().map(|user| user.id).collect();
            let mut reader = db.store.reader().await.unwrap();
            assert_eq!(lists::misplaced(&mut reader, &users).await.unwrap(), []);
        }
    }

    async fn a_source_that_falls_silent_takes_back_its_own_and_no_more(db: &Database) {
        for seed in 0..WORLDS {
            let mut m = model(seed);
            loaded(&db.store, &m, seed).await;
            let gone = m.directories[0].id;
            db.store
                .write(async |tx: &mut Tx| {
                    for text in [&FORGET_MEMBERS, &FORGET_CONDITIONS, &FORGET_USERS] {
                        tx.execute(text, binds![gone]).await?;
                    }
                    Ok::<_, rolecall::store::StoreError>(())
                })
                .await
                .unwrap();
            m.external_users.retain(|user| user.directory != gone);
            let world = m.world();
            let view = derive(&world);
            let mut reader = db.store.reader().await.unwrap();
            for asked in questions(&m, seed, 60) {
                let question = question(&asked);
                let sql = effective::decide(&mut reader, &question).await.unwrap();
                assert_eq!(words(&sql), words(&decide(&view, &question)), "world {seed}: {asked:?}");
            }
        }
    }

    async fn who_can_and_where_agree_with_decide(db: &Database) {
        for seed in 0..WORLDS {
            let m = model(seed);
            loaded(&db.store, &m, seed).await;
            let world = m.world();
            let view = derive(&world);
            let at = OperatorExtent::assume().at(m.partners[0].id);
            let mut reader = db.store.reader().await.unwrap();
            let may = |principal, capability, partner| {
                let resource = Resource { partner, group: None, owner: None };
                decide(&view, &Question { principal, capability, resource, now: NOW }).allowed
            };
            for partner in m.partners.iter().map(|partner| partner.id) {
                let capability = CAPABILITIES[usize::try_from(seed).unwrap() % CAPABILITIES.len()];
                let resource = Resource { partner, group: None, owner: None };
                let mut law: Vec<_> = m.users.iter().map(|p| p.id).filter(|id| may(*id, capability, partner)).collect();
                law.sort();
                let all = lists::who_can(&mut reader, &at, capability, resource, NOW, (None, 100)).await.unwrap();
                assert_eq!(all, law, "world {seed}");
                if let [first, second, ..] = all[..] {
                    let page = (Some(first), 1);
                    let next = lists::who_can(&mut reader, &at, capability, resource, NOW, page).await.unwrap();
                    assert_eq!(next, [second], "pages go on where they ended");
                }
            }
            for user in m.users.iter().map(|user| user.id).take(4) {
                let capability = CAPABILITIES[0];
                let mut law: Vec<_> =
                    m.partners.iter().map(|p| p.id).filter(|partner| may(user, capability, *partner)).collect();
                law.sort();
                let page = (None, 100);
                let all = lists::partners_where(&mut reader, &at, user, capability, NOW, page).await.unwrap();
                assert_eq!(all, law, "world {seed}");
            }
        }
    }

    async fn grants_groups_and_authority_agree_with_the_law(db: &Database) {
        for seed in 0..WORLDS {
            let m = model(seed);
            loaded(&db.store, &m, seed).await;
            let world = m.world();
            let view = derive(&world);
            let at = OperatorExtent::assume().at(m.partners[0].id);
            let mut reader = db.store.reader().await.unwrap();
            for user in m.users.iter().map(|user| user.id) {
                let derived = view.user(user).unwrap();
                let grants = lists::grants_of(&mut reader, &at, user, NOW).await.unwrap();
                let said: BTreeSet<_> = grants.iter().map(|grant| held_words(&grant.proof.origin)).collect();
                let law: BTreeSet<_> = derived.holds.iter().map(|held| law_words(*held)).collect();
                assert_eq!(said, law, "world {seed}");
                let groups = lists::groups_of(&mut reader, &at, user).await.unwrap();
                let said: BTreeSet<_> = groups.iter().map(|line| (line.group.id, ground_words(&line.membership))).collect();
                let law: BTreeSet<_> =
                    derived.primary_group.iter().chain(&derived.labels).map(|at| (at.group, law_ground(at.ground))).collect();
                assert_eq!(said, law, "world {seed}");
                same_authority(&mut reader, &view, user).await;
            }
        }
    }

    async fn a_preview_is_what_happens(db: &Database) {
        for seed in 0..WORLDS {
            let m = model(seed);
            loaded(&db.store, &m, seed).await;
            for (at, directory) in m.directories.iter().enumerate() {
                let version = 3 - directory.rule_version;
                let mut then = m.clone();
                then.directories[at].rule_version = version;
                let (now, then) = (m.world(), then.world());
                let (now, then) = (derive(&now), derive(&then));
                let extent = OperatorExtent::assume().at(directory.partner);
                let mut reader = db.store.reader().await.unwrap();
                let page = (None, 100);
                let (changes, _) =
                    lists::preview(&mut reader, &extent, (directory.id, version), page).await.unwrap();
                for user in m.users.iter().map(|user| user.id) {
                    let change = changes.iter().find(|change| change.user == user);
                    let (before, after) = (yields(&now, user), yields(&then, user));
                    let gained = change.map_or(0, |change| change.gained.len());
                    let lost = change.map_or(0, |change| change.lost.len());
                    let missing = |one: &[Yield], two: &[Yield]| one.iter().filter(|it| !two.contains(it)).count();
                    assert_eq!((gained, lost), (missing(&after, &before), missing(&before, &after)), "world {seed}");
                }
            }
        }
    }
}

/// What identifies a held grant: the grant or rule, and the way it comes.
fn held_words(support: &GrantOrigin) -> String {
    match support {
        GrantOrigin::Manual { grant, via_group: None, .. } => format!("{grant:?}"),
        GrantOrigin::Manual { grant, via_group: Some(through), .. } => {
            format!("{grant:?} {}", ground_words(&through.membership))
        }
        GrantOrigin::Rule(line) => format!("{:?}", line.rule.id),
    }
}

fn ground_words(ground: &MembershipSummary) -> String {
    match ground {
        MembershipSummary::Added => "added".into(),
        MembershipSummary::Pinned => "pinned".into(),
        MembershipSummary::Default => "default".into(),
        MembershipSummary::Resting { directory } => {
            format!("by the word of {:?}", directory.as_ref().map(|one| one.id))
        }
        MembershipSummary::Rule(line) => format!("{:?} of {:?}", line.rule.id, line.directory.id),
    }
}

fn law_words(held: DerivedGrant) -> String {
    match held {
        DerivedGrant::Manual(grant) => format!("{grant:?}"),
        DerivedGrant::ThroughGroup(grant, at) => format!("{grant:?} {}", law_ground(at.ground)),
        DerivedGrant::Rule(rule, _) => format!("{rule:?}"),
    }
}

fn law_ground(ground: MembershipReason) -> String {
    match ground {
        MembershipReason::Added => "added".into(),
        MembershipReason::Pinned => "pinned".into(),
        MembershipReason::Default => "default".into(),
        MembershipReason::Resting(directory) => format!("by the word of {directory:?}"),
        MembershipReason::Rule(rule, directory) => format!("{rule:?} of {directory:?}"),
    }
}

/// The authority read from the tables covers exactly what the law's does.
async fn same_authority(reader: &mut Reader, view: &AccessView<'_>, user: UserId) {
    let words = |authority: &delegation::Authority| {
        let line = |h: &delegation::EffectiveGrant| {
            let mut within: Vec<_> = h.within.iter().skip(1).map(|scope| format!("{scope:?}")).collect();
            within.sort();
            format!("{:?} {:?} {:?} {within:?}", h.capabilities, h.window, h.within.first())
        };
        let mut lines: Vec<_> = authority.holdings.iter().map(line).collect();
        lines.sort();
        lines
    };
    let stored = lists::authority(reader, user, NOW).await.unwrap();
    assert_eq!(words(&stored), words(&delegation::authority(view, user, NOW)));
}

/// One thing a user gets, as a preview counts it.
#[derive(PartialEq)]
enum Yield {
    Group(UserGroupId),
    Grant(RoleId, Scope),
}

fn yields(view: &AccessView<'_>, user: UserId) -> Vec<Yield> {
    let derived = view.user(user).unwrap();
    let groups = derived.primary_group.iter().chain(&derived.labels).map(|at| Yield::Group(at.group));
    let grants = derived.holds.iter().filter_map(|held| view.substance(*held));
    let mut all = Vec::new();
    for one in groups.chain(grants.map(|(role, scope)| Yield::Grant(role, scope.clone()))) {
        if !all.contains(&one) {
            all.push(one);
        }
    }
    all
}
