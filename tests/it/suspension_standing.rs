//! What was switched off from above is not switched on from below: each row stands in a partner's name, and goes only by
//! whoever may do the same there, or by whoever set it.
use std::collections::{BTreeMap, BTreeSet};

use rolecall::admin::error::AdminError;
use rolecall::admin::suspensions::SuspensionOrder;
use rolecall::admin::{partners, users};
use rolecall::clock::Clock;
use rolecall::domain::capability::CoreCapability;
use rolecall::domain::ctx::{Actor, Ctx};
use rolecall::domain::id::{DirectoryId, GrantId, PartnerId, RoleId, RuleId, ScopeId, SessionId, UserGroupId, UserId};
use rolecall::domain::time::Timestamp;
use rolecall::domain::user::{HoldKind, SuspensionSource};
use rolecall::store::extent::OperatorExtent;
use rolecall::store::suspensions::{self, Hold};
use rolecall::store::{SqlValue, Statement, StoreError, Tx, sessions};
use rolecall::{binds, statements};
use serde_json::{Value as Json, json};

use crate::access_properties::generate::Dice;
use crate::app::App;
use crate::support::api::{Api, problem};
use crate::support::database::{Database, on_both};
use crate::support::house::{House, ctx};

statements! {
    USER = "INSERT INTO users (id, partner_id, display_name, sort_key, primary_group_id, state, version, created_at, updated_at) \
        SELECT $1, $2, $3, $4, g.id, 'live', 1, 0, 0 FROM user_groups g WHERE g.partner_id = $2 AND g.is_default";
    GROUP_OF = "SELECT id FROM user_groups WHERE partner_id = $1 AND is_default";
    ROLE = "INSERT INTO roles (id, partner_id, name, name_key, version, created_at) VALUES ($1, $2, $3, $4, 1, 0)";
    ROLE_SELF = "INSERT INTO role_ancestors (role_id, ancestor_id) VALUES ($1, $1)";
    ROLE_CAPABILITY = "INSERT INTO role_capabilities (role_id, capability_id) VALUES ($1, $2)";
    SCOPE = "INSERT INTO scopes (id, kind, partner_id) VALUES ($1, $2, $3)";
    GRANT_TO_GROUP = "INSERT INTO grants (id, role_id, user_group_id, scope_id, created_at) VALUES ($1, $2, $3, $4, 0)";
    DIRECTORY = "INSERT INTO directories (id, partner_id, name, name_key, mode, rule_set_version, priority, version, created_at) \
        VALUES ($1, $2, 'Dock AD', $3, 'authoritative', 1, 1, 1, 0)";
    CEILING = "INSERT INTO directory_ceilings (directory_id, role_id, scope_id) VALUES ($1, $2, $3)";
    RULE = "INSERT INTO mapping_rules (id, directory_id, rule_set_version, ordinal, name, effect, role_id, scope_id, created_at) \
        VALUES ($1, $2, 1, 1, 'all', 'grant_role', $3, $4, 0)";
    NO_RULE = "DELETE FROM mapping_rules WHERE directory_id = $1";
    NO_GRANT = "DELETE FROM grants WHERE user_group_id = $1";
    SESSION = "INSERT INTO sessions (id, hash, user_id, user_version, created_at, last_seen_at, expires_at, partner_id) \
        SELECT $1, $2, p.id, 1, $4, $4, $5, p.partner_id FROM users p WHERE p.id = $3";
    OLD_ROW = "INSERT INTO partner_suspensions (partner_id, source, reason, suspended_at) VALUES ($1, 'admin', 'long ago', 0)";
}

/// A distributor, a reseller below it, a customer (Dock) below that, and another reseller (Quay) beside.
struct Tree {
    house: House,
    dock: PartnerId,
    quay: PartnerId,
    /// Everybody who may try, by name, with the top of what they hold everything over.
    actors: BTreeMap<&'static str, (UserId, PartnerId)>,
    /// Their API tokens.
    tokens: BTreeMap<&'static str, String>,
}

impl Tree {
    async fn grow(db: &Database, app: &App) -> Self {
        let house = House::build(&db.store, "https://login.example.com").await;
        let owner = Api::owner(app, &house).await;
        let make = async |parent: PartnerId, name: &str| -> PartnerId {
            let body = json!({"parent": parent, "name": name, "level": "reseller", "kind": "department"});
            owner.post("/partners", body).await.id().parse().unwrap()
        };
        let dock = make(house.reseller, "Dock").await;
        let quay = make(house.top, "Quay").await;
        let mut tree = Self { house, dock, quay, actors: BTreeMap::new(), tokens: BTreeMap::new() };
        let (top, reseller) = (tree.house.top, tree.house.reseller);
        tree.admit("Olga of the distributor", tree.house.owner, (top, top)).await;
        // Two at each place, so that a colleague is not the one who set it.
        for (name, home, reach, over) in [
            ("Ole of the distributor", top, "subtree", top),
            ("Mina of the distributor, for the reseller", top, "subtree", reseller),
            ("Rita of the reseller", reseller, "subtree", reseller),
            ("Rolf of the reseller", reseller, "subtree", reseller),
            ("Gus of Quay, a guest at Dock", quay, "subtree", dock),
            ("Nora of Quay", quay, "subtree", quay),
        ] {
            let user = tree.user(home, name).await;
            tree.house.grant(user, CoreCapability::ALL, reach, over).await;
            tree.admit(name, user, (home, over)).await;
        }
        tree
    }

    async fn admit(&mut self, name: &'static str, user: UserId, (home, over): (PartnerId, PartnerId)) {
        self.actors.insert(name, (user, over));
        self.tokens.insert(name, self.house.api_token(user, home).await.1);
    }

    fn api<'a>(&self, app: &'a App, name: &str) -> Api<'a> {
        Api::with(app, &self.tokens[name])
    }

    async fn write(&self, rows: Vec<(&'static Statement, Vec<SqlValue>)>) {
        let work = async |tx: &mut Tx| -> Result<(), StoreError> {
            for (statement, values) in &rows {
                tx.execute(*statement, values.clone()).await?;
            }
            Ok(())
        };
        self.house.store.write(work).await.unwrap();
    }

    async fn user(&self, home: PartnerId, name: &str) -> UserId {
        let id: UserId = ctx().id();
        self.write(vec![(&USER, binds![id, home, name, name.to_lowercase().into_bytes()])]).await;
        id
    }

    async fn role(&self, capabilities: &[CoreCapability]) -> RoleId {
        let id: RoleId = ctx().id();
        let name = id.to_string();
        let mut rows: Vec<(&'static Statement, Vec<SqlValue>)> =
            vec![(&ROLE, binds![id, self.house.top, &name, name.as_bytes()]), (&ROLE_SELF, binds![id])];
        rows.extend(capabilities.iter().map(|core| (&ROLE_CAPABILITY as _, binds![id, core.id().0])));
        self.write(rows).await;
        id
    }

    fn contains(&self, top: PartnerId, partner: PartnerId) -> bool {
        let parent = |at: &PartnerId| match *at {
            at if at == self.dock => Some(self.house.reseller),
            at if at == self.house.reseller || at == self.quay => Some(self.house.top),
            _ => None,
        };
        std::iter::successors(Some(partner), parent).any(|at| at == top)
    }

    /// In whose name somebody decides about Dock: their home when it is above, else where their grant begins.
    fn standing(&self, name: &str) -> PartnerId {
        let (_, over) = self.actors[name];
        if name.contains("of the distributor") { self.house.top } else { over }
    }

    /// By the words of the rule: a grant that reaches the target and the partner in whose name the row stands, or one's own.
    fn lifts(&self, setter: &str, lifter: &str) -> bool {
        let over = self.actors[lifter].1;
        let reaches = |partner| self.contains(over, partner);
        setter == lifter || (reaches(self.dock) && reaches(self.standing(setter)))
    }

    fn setters(&self) -> Vec<&'static str> {
        self.actors.keys().copied().filter(|name| !name.starts_with("Nora")).collect()
    }
}

async fn rows(house: &House, partner: PartnerId) -> Vec<Hold> {
    let at = OperatorExtent::assume().at(partner);
    suspensions::of_partner(&mut house.store.reader().await.unwrap(), &at).await.unwrap()
}

fn moment(now: Timestamp) -> Ctx {
    Ctx::new(now, Actor::Operator, std::sync::Arc::new(crate::support::house::Machine))
}

/// Who set what in whose name, and when.
type Rows<'a> = BTreeMap<(HoldKind, PartnerId), (&'a str, Timestamp)>;

on_both! {
    async fn a_partner_is_switched_on_by_whoever_may_where_it_was_decided(db: &Database) {
        let app = App::start(db).await;
        let tree = Tree::grow(db, &app).await;
        let path = format!("/partners/{}", tree.dock);
        for setter in tree.setters() {
            for lifter in tree.actors.keys().copied() {
                let setting = tree.api(&app, setter);
                let off = setting.post(&format!("{path}/suspend"), json!({"reason": "a secret"})).await;
                assert_eq!((off.status, &off.body["changed"]), (200, &json!(true)), "{setter}: {off:?}");
                let again = setting.post(&format!("{path}/suspend"), json!({"reason": "another"})).await;
                assert_eq!(again.body["changed"], false, "{setter}");
                let row = rows(&tree.house, tree.dock).await.remove(0);
                assert_eq!(row.source, SuspensionSource::Decided(HoldKind::Partner, tree.standing(setter)), "{setter}");
                let lifting = tree.api(&app, lifter);
                let on = lifting.post(&format!("{path}/reactivate"), json!({})).await;
                if tree.lifts(setter, lifter) {
                    assert_eq!(on.body, json!({"changed": true, "remaining": 0}), "{setter} then {lifter}: {on:?}");
                } else if lifter.starts_with("Nora") {
                    problem(&on, 404, "");
                } else {
                    problem(&on, 403, "in the name of a partner above");
                }
                for row in rows(&tree.house, tree.dock).await {
                    assert!(!tree.lifts(setter, lifter), "{setter} then {lifter}");
                    let at = OperatorExtent::assume().at(tree.dock);
                    let gone: Result<bool, StoreError> =
                        tree.house.store.write(async |tx| suspensions::lift_partner(tx, &at, row.source).await).await;
                    assert!(gone.unwrap());
                }
            }
        }
        app.stop().await;
    }

    async fn rows_of_several_names_and_kinds_are_counted(db: &Database) {
        let app = App::start(db).await;
        let tree = Tree::grow(db, &app).await;
        let path = format!("/partners/{}", tree.dock);
        let of = |name: &str| tree.api(&app, name);
        let (olga, rita) = (of("Olga of the distributor"), of("Rita of the reseller"));
        let (ole, gus) = (of("Ole of the distributor"), of("Gus of Quay, a guest at Dock"));
        let suspend = format!("{path}/suspend");
        let kind = |kind: &str| json!({"reason": "a secret", "kind": kind, "notice": format!("because of {kind}")});
        for (api, body) in
            [(&olga, kind("partner")), (&rita, kind("partner")), (&olga, kind("billing")), (&olga, kind("security"))]
        {
            assert_eq!(api.post(&suspend, body).await.body["changed"], true);
        }
        problem(&gus.post(&suspend, kind("billing")).await, 403, "begins above");
        // Rita sees her own row whole, and of those above the kind and what is meant for her.
        let seen = rita.get(&path).await;
        let told: Vec<&Json> = seen.body["suspensions"].as_array().unwrap().iter().collect();
        assert_eq!(told.len(), 4, "{seen:?}");
        let text = seen.body.to_string();
        assert_eq!(text.matches("a secret").count(), 1, "{text}");
        assert!(!text.contains(&tree.house.top.to_string()) || seen.body["parent"] == json!(tree.house.top), "{text}");
        assert!(!text.contains("Meridian") && text.contains("a partner above"), "{text}");
        let own = told.iter().find(|row| !row["standing"].is_null()).unwrap();
        assert_eq!((&own["standing"]["name"], &own["reason"]), (&json!("Harbor"), &json!("a secret")));
        assert!(told.iter().any(|row| row["kind"] == "billing" && row["reason"] == "because of billing"), "{text}");
        let all = olga.get(&path).await.body["suspensions"].to_string();
        assert_eq!((all.matches("a secret").count(), all.matches("Meridian").count()), (4, 6), "{all}");

        problem(&rita.post(&format!("{path}/reactivate"), json!({"kind": "billing"})).await, 403, "not yours");
        assert_eq!(rita.post(&format!("{path}/reactivate"), json!({})).await.body, json!({"changed": true, "remaining": 3}));
        assert_eq!(rita.get(&path).await.body["suspended"], true);
        // Whoever held it for safety waits, or asks a colleague.
        assert_eq!(olga.post(&format!("{path}/reactivate"), json!({})).await.body, json!({"changed": true, "remaining": 1}));
        problem(&olga.post(&format!("{path}/reactivate"), json!({})).await, 403, "not yours");
        assert_eq!(ole.post(&format!("{path}/reactivate"), json!({})).await.body, json!({"changed": true, "remaining": 0}));
        assert_eq!(ole.post(&format!("{path}/reactivate"), json!({})).await.body, json!({"changed": false, "remaining": 0}));
        assert_eq!(rita.get(&path).await.body["suspended"], false);

        // In a lower name than one's own, so that those there may lift it; never in a higher one.
        let lower = json!({"reason": "unpaid", "standing": tree.house.reseller});
        assert_eq!(olga.post(&suspend, lower).await.body["changed"], true);
        assert_eq!(rita.post(&format!("{path}/reactivate"), json!({})).await.body["changed"], true);
        for wrong in [tree.house.top, tree.quay] {
            problem(&rita.post(&suspend, json!({"reason": "x", "standing": wrong})).await, 400, "`standing`");
        }
        problem(&rita.post(&suspend, json!({"reason": "x", "notice": "n".repeat(201)})).await, 400, "notice");
        problem(&rita.post(&suspend, json!({"reason": "x", "kind": "whim"})).await, 400, "");
        // Of before names were kept: only from the top.
        tree.write(vec![(&OLD_ROW, binds![tree.dock])]).await;
        problem(&rita.post(&format!("{path}/reactivate"), json!({})).await, 403, "not yours");
        assert_eq!(ole.post(&format!("{path}/reactivate"), json!({})).await.body["changed"], true);
        app.stop().await;
    }

    async fn users_are_switched_on_by_whoever_may_where_it_was_decided(db: &Database) {
        let app = App::start(db).await;
        let mut tree = Tree::grow(db, &app).await;
        let dora = tree.user(tree.dock, "Dora").await;
        for name in ["Dirk of Dock", "Dina of Dock"] {
            let colleague = tree.user(tree.dock, name).await;
            tree.house.grant(colleague, CoreCapability::ALL, "partner", tree.dock).await;
            tree.admit(name, colleague, (tree.dock, tree.dock)).await;
        }
        let path = format!("/users/{dora}");
        let at = OperatorExtent::assume().at(tree.dock);
        for setter in tree.setters() {
            for lifter in tree.actors.keys().copied() {
                let setting = tree.api(&app, setter);
                assert_eq!(setting.post(&format!("{path}/suspend"), json!({"reason": "left"})).await.body["changed"], true);
                let lifting = tree.api(&app, lifter);
                let on = lifting.post(&format!("{path}/reactivate"), json!({})).await;
                let expected = if tree.lifts(setter, lifter) { 200 } else if lifter.starts_with("Nora") { 404 } else { 403 };
                assert_eq!(on.status, expected, "{setter} then {lifter}: {on:?}");
                let left = suspensions::of_user(&mut db.store.reader().await.unwrap(), &at, dora).await.unwrap();
                assert_eq!(left.is_empty(), expected == 200);
                for row in left {
                    let gone: Result<bool, StoreError> =
                        db.store.write(async |tx| suspensions::lift_user(tx, &at, dora, row.source).await).await;
                    assert!(gone.unwrap());
                }
            }
        }
        app.stop().await;
    }

    async fn switching_a_partner_off_asks_what_switching_its_users_off_asks(db: &Database) {
        let app = App::start(db).await;
        let tree = Tree::grow(db, &app).await;
        let clerk = tree.user(tree.house.top, "Claus Clerk").await;
        let few = [CoreCapability::PartnerView, CoreCapability::PartnerSuspend, CoreCapability::BillingHold, CoreCapability::UserView, CoreCapability::UserWrite];
        tree.house.grant(clerk, &few, "subtree", tree.house.reseller).await;
        let clerks = Api::of(&app, &tree.house, clerk, tree.house.top).await;
        let (suspend, reactivate) = (format!("/partners/{}/suspend", tree.dock), format!("/partners/{}/reactivate", tree.dock));
        let cause = json!({"reason": "unpaid"});
        let goes = async |why: &str| {
            assert_eq!(clerks.post(&suspend, cause.clone()).await.body["changed"], true, "{why}");
            assert_eq!(clerks.post(&reactivate, json!({})).await.body["changed"], true, "{why}");
        };
        goes("nobody is there").await;
        // By hand, in a partner below.
        let dora = tree.user(tree.dock, "Dora").await;
        tree.house.grant(dora, &few, "partner", tree.dock).await;
        goes("Dora holds no more").await;
        let strong = tree.role(&[CoreCapability::RoleAssign]).await;
        let (inside, outside): (ScopeId, ScopeId) = (ctx().id(), ctx().id());
        let mut reader = db.store.reader().await.unwrap();
        let everyone: UserGroupId = reader.one(&GROUP_OF, binds![tree.dock], |row| row.get(0)).await.unwrap();
        drop(reader);
        tree.write(vec![
            (&SCOPE, binds![inside, "partner", tree.dock]),
            (&SCOPE, binds![outside, "partner", tree.quay]),
            (&GRANT_TO_GROUP, binds![ctx().id::<GrantId>(), strong, everyone, inside]),
        ])
        .await;
        problem(&clerks.post(&suspend, cause.clone()).await, 403, "do not hold yourself");
        // A bill gives nobody anything: who may hold for it asks nobody.
        let bill = json!({"reason": "unpaid", "kind": "billing"});
        assert_eq!(clerks.post(&suspend, bill).await.body["changed"], true);
        assert_eq!(clerks.post(&reactivate, json!({})).await.body["changed"], true);
        tree.write(vec![(&NO_GRANT, binds![everyone])]).await;
        goes("the group holds nothing any more").await;
        // Beyond the partner: the same capability somewhere else.
        let weak = tree.role(&[CoreCapability::PartnerView]).await;
        tree.write(vec![(&GRANT_TO_GROUP, binds![ctx().id::<GrantId>(), weak, everyone, outside])]).await;
        problem(&clerks.post(&suspend, cause.clone()).await, 403, "do not hold yourself");
        tree.write(vec![(&NO_GRANT, binds![everyone])]).await;
        // By a rule, as far as its directory may go.
        let (directory, rule): (DirectoryId, RuleId) = (ctx().id(), ctx().id());
        tree.write(vec![
            (&DIRECTORY, binds![directory, tree.dock, b"dock ad"]),
            (&CEILING, binds![directory, weak, inside]),
            (&RULE, binds![rule, directory, strong, inside]),
        ])
        .await;
        goes("the ceiling lets nothing of it through").await;
        tree.write(vec![(&CEILING, binds![directory, strong, inside])]).await;
        problem(&clerks.post(&suspend, cause.clone()).await, 403, "do not hold yourself");
        tree.write(vec![(&NO_RULE, binds![directory])]).await;
        goes("the rule is gone").await;
        app.stop().await;
    }

    async fn sessions_live_again_unless_it_was_for_safety(db: &Database) {
        let app = App::start(db).await;
        let tree = Tree::grow(db, &app).await;
        let dora = tree.user(tree.dock, "Dora").await;
        let now = Clock.ctx(Actor::Operator).now();
        let later = Timestamp::from_micros(now.micros() + 3_600_000_000);
        tree.write(vec![(&SESSION, binds![ctx().id::<SessionId>(), b"hash".repeat(8), dora, now, later])]).await;
        let lives = async || {
            let mut hash = [0; 32];
            hash.copy_from_slice(&b"hash".repeat(8));
            let idle = Timestamp::from_micros(0);
            sessions::authenticate(&mut db.store.reader().await.unwrap(), hash, now, idle).await.unwrap().is_some()
        };
        assert!(lives().await);
        let olga = Api::owner(&app, &tree.house).await;
        let ole = tree.api(&app, "Ole of the distributor");
        let path = format!("/partners/{}", tree.house.reseller);
        for (kind, after) in [("partner", true), ("billing", true), ("security", false)] {
            let body = json!({"reason": "x", "kind": kind});
            assert_eq!(olga.post(&format!("{path}/suspend"), body).await.body["changed"], true);
            assert!(!lives().await, "{kind}");
            assert_eq!(ole.post(&format!("{path}/reactivate"), json!({})).await.body["remaining"], 0);
            assert_eq!(lives().await, after, "{kind}");
        }
        app.stop().await;
    }

    async fn whatever_the_order_a_row_goes_only_by_its_rule(db: &Database) {
        let app = App::start(db).await;
        let tree = Tree::grow(db, &app).await;
        app.stop().await;
        let dora = tree.user(tree.dock, "Dora").await;
        let names: Vec<&'static str> = tree.actors.keys().copied().collect();
        let store = &db.store;
        for seed in 0..4 {
            let mut dice = Dice::new(seed ^ 0x29);
            let mut now = Clock.ctx(Actor::Operator).now();
            // What should be there: for the partner and the user, who set which kind in whose name.
            let mut model: [Rows; 2] = Default::default();
            for step in 0..60 {
                now = Timestamp::from_micros(now.micros() + i64::try_from(dice.below(10)).unwrap() * 3_600_000_000);
                // Nobody's things are changed at a partner that is off, so the two are tried apart.
                let (name, kind, about) = (*dice.pick(&names), *dice.pick(&[HoldKind::Partner, HoldKind::Billing, HoldKind::Security]), usize::from(seed % 2 == 1));
                let ((actor, over), ctx) = (tree.actors[name], moment(now));
                let standing = tree.standing(name);
                if dice.percent(55) {
                    let order = SuspensionOrder { kind, cause: "x", ..SuspensionOrder::default() };
                    let done = match about {
                        0 => partners::suspend(store, &ctx, actor, tree.dock, &order).await,
                        _ => users::suspend(store, &ctx, actor, dora, &order).await,
                    };
                    let above = about == 1 || kind == HoldKind::Partner || standing != tree.dock;
                    if !tree.contains(over, tree.dock) {
                        assert!(matches!(done, Err(AdminError::NotFound)), "{seed}.{step} {name}: {done:?}");
                    } else if !above {
                        assert!(matches!(done, Err(AdminError::Forbidden(_))), "{seed}.{step} {name}: {done:?}");
                    } else {
                        let fresh = !model[about].contains_key(&(kind, standing));
                        assert_eq!(done.unwrap(), fresh, "{seed}.{step} {name}");
                        model[about].entry((kind, standing)).or_insert((name, now));
                    }
                } else {
                    let done = match about {
                        0 => partners::reactivate(store, &ctx, actor, tree.dock, Some(kind)).await,
                        _ => users::reactivate(store, &ctx, actor, dora, Some(kind)).await,
                    };
                    if !tree.contains(over, tree.dock) {
                        assert!(matches!(done, Err(AdminError::NotFound)), "{seed}.{step} {name}: {done:?}");
                        continue;
                    }
                    let asked = model[about].keys().filter(|(of, _)| *of == kind).count();
                    let before = model[about].len();
                    let day = 24 * 3_600_000_000;
                    model[about].retain(|(of, standing), (setter, since)| {
                        let own = *setter == name;
                        let waits = kind == HoldKind::Security && own && now.micros() - since.micros() < day;
                        let may = own || tree.contains(over, *standing);
                        *of != kind || waits || !may
                    });
                    let gone = before - model[about].len();
                    match done {
                        Ok(lifted) => {
                            assert!(asked == 0 || gone > 0, "{seed}.{step} {name}: {lifted:?}");
                            assert_eq!((lifted.changed, lifted.still), (gone > 0, model[about].len()), "{seed}.{step}");
                        }
                        Err(why) => {
                            assert!(matches!(why, AdminError::Forbidden(_)), "{why:?}");
                            assert!(asked > 0 && gone == 0, "{seed}.{step} {name}");
                        }
                    }
                }
                let at = OperatorExtent::assume().at(tree.dock);
                let mut reader = store.reader().await.unwrap();
                let there = match about {
                    0 => suspensions::of_partner(&mut reader, &at).await.unwrap(),
                    _ => suspensions::of_user(&mut reader, &at, dora).await.unwrap(),
                };
                let there: BTreeSet<String> = there.iter().map(|row| row.source.to_string()).collect();
                let expected = model[about].keys().map(|(kind, standing)| format!("{}:{standing}", kind.as_str()));
                assert_eq!(there, expected.collect(), "{seed}.{step}");
            }
            for (source, about) in model.iter().enumerate().flat_map(|(about, rows)| {
                rows.keys().map(move |(kind, standing)| (SuspensionSource::Decided(*kind, *standing), about))
            }) {
                let at = OperatorExtent::assume().at(tree.dock);
                let gone: Result<bool, StoreError> = store
                    .write(async |tx| match about {
                        0 => suspensions::lift_partner(tx, &at, source).await,
                        _ => suspensions::lift_user(tx, &at, dora, source).await,
                    })
                    .await;
                assert!(gone.unwrap());
            }
        }
    }
}
