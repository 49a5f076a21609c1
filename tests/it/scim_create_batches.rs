//! Users that are created at the same moment: each gets what is its own, as if they had come one after another.
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;
use rolecall::domain::id::{Id as _, UserId};
use rolecall::domain::text::fold;
use rolecall::store::extent::ConnectionExtent;
use rolecall::store::{self, Options, Statement, Store, connections, effective_lists, first};
use rolecall::{binds, statements};
use serde_json::{Value as Json, json};
use tokio::io::AsyncWriteExt as _;
use uuid::Uuid;

use crate::access_properties::generate::Dice;
use crate::app::App;
use crate::support::creations::{Seen, Sent, assert_chained, assert_logged, bare, mail};
use crate::support::database::{Database, on_both};
use crate::support::profile;
use crate::support::stage::Stage;
use crate::support::world::World;

statements! {
    JOIN = "UPDATE connections SET matching_attribute = 'externalId', version = version + 1 WHERE id = $1";
    HOLDS = "SELECT m.external_user_id FROM attribute_condition_members m JOIN attribute_conditions c ON c.id = m.condition_id \
        WHERE c.expression LIKE '%department%'";
    HOLDS_NOT = "SELECT m.external_user_id FROM attribute_condition_members m JOIN attribute_conditions c ON c.id = m.condition_id \
        WHERE c.expression LIKE 'not (title%'";
    TECHNICIANS = "SELECT id FROM user_groups WHERE name = 'Technicians'";
}

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const DRY_RUN: &str = "urn:rolecall:params:scim:api:messages:1.0:DryRun";

async fn ids(store: &Store, statement: &'static Statement) -> BTreeSet<Uuid> {
    let read: Vec<Uuid> = store.reader().await.unwrap().all(statement, binds![], first).await.unwrap();
    read.into_iter().collect()
}

/// A world whose connections join by `externalId`.
async fn joined_world(db: &Database) -> World {
    let world = World::new(&db.store).await;
    for connection in [world.connections[0], world.connections[1], world.stranger] {
        db.execute(&JOIN, binds![connection.connection()]).await;
    }
    world
}

/// Somebody with everything, told from others in all of it.
fn somebody(name: &str) -> Json {
    json!({"schemas": [USER], "userName": name, "externalId": format!("E {name}"), "displayName": format!("Display {name}"),
        "name": {"givenName": format!("Given {name}"), "familyName": format!("Family {name}")}, "title": format!("Title {name}"),
        "emails": [{"value": format!("{name}@mail.example"), "type": "work", "primary": true}]})
}

on_both! {
    async fn each_of_many_gets_its_own(db: &Database) {
        let world = joined_world(db).await;
        let (app, connection) = (App::start(db).await, world.connections[0]);
        let scim = app.scim(db, &world, connection).await;
        let mut all = Vec::new();
        for round in 0..3 {
            all.extend(Sent::all(&scim, (0..48).map(|number| {
                let mut body = somebody(&format!("User{round}-{number}"));
                // No two neighbours need the same inserts.
                match number % 6 {
                    0 => body["active"] = json!(false),
                    1 => drop(body.as_object_mut().unwrap().remove("externalId")),
                    2 => body["emails"].as_array_mut().unwrap().push(json!({"value": format!("{round}-{number}@home.example")})),
                    3 => drop(body.as_object_mut().unwrap().remove("emails")),
                    4 => body["userName"] = json!(format!("User{round}-{number}@login.example")),
                    _ => drop(body.as_object_mut().unwrap().remove("displayName")),
                }
                body
            })).await);
        }
        for sent in &all {
            sent.assert_kept(&scim).await;
            let said = |path: &str| sent.body.pointer(path).and_then(Json::as_str);
            let parts = [("userName", said("/userName")), ("title", said("/title")), ("externalId", said("/externalId")),
                ("emails.value", said("/emails/0/value")), ("emails.value", said("/emails/1/value"))];
            for (name, value) in parts.into_iter().filter_map(|(name, value)| Some((name, value?))) {
                let filter = format!("{name} eq \"{value}\"").replace(' ', "%20").replace('"', "%22");
                let found = scim.get(&format!("/Users?filter={filter}")).await;
                assert_eq!((&found.body["totalResults"], &found.body["Resources"][0]), (&json!(1), &sent.answer.body), "{filter}");
            }
        }
        let seen = Seen::of(&db.store).await;
        seen.assert_whole(&world.connections, None);
        let ids: BTreeSet<Uuid> = all.iter().map(Sent::id).collect();
        assert!(ids.len() == all.len() && ids.iter().eq(seen.external_users.keys()));
        assert!(seen.external_users.values().all(|user| user.link.as_deref() == Some("created")));
        assert!(seen.users.values().all(|user| user.primary_group == world.default_group.uuid()));
        app.stop().await;
        assert_logged(db, &connection, &seen, &all).await;
        assert_chained(&db.store).await;
    }
}

/// What somebody is told apart by.
#[derive(Debug)]
struct Marks {
    login: String,
    mail: Option<String>,
    key: Option<String>,
}

impl Marks {
    fn of(doc: &Json) -> Self {
        let key = doc["externalId"].as_str().map(str::to_owned);
        Self { login: fold(doc["userName"].as_str().unwrap()), mail: mail(doc).map(fold), key }
    }

    /// Whether the two cannot both become users.
    fn meets(&self, other: &Self) -> bool {
        let same = |this: &Option<String>, that: &Option<String>| this.is_some() && this == that;
        self.login == other.login || same(&self.key, &other.key) || same(&self.mail, &other.mail)
    }
}

/// Whom the crowd found, and what became of it.
struct Model {
    /// The names taken at the connection.
    names: BTreeSet<String>,
    /// The users of the partner.
    users: BTreeMap<Uuid, Marks>,
    /// Those of them whom the other connection said and somebody at this one joined.
    joined: BTreeSet<Uuid>,
    /// How many wait for review.
    waiting: usize,
}

impl Model {
    /// Takes those who came at once. In whatever order they did, those who got a user must have been first, then those
    /// who resemble one: if any order explains the links, this one does.
    fn take(&mut self, seen: &Seen, connection: &ConnectionExtent, made: &[Sent]) {
        let known: BTreeSet<Uuid> = self.users.keys().copied().collect();
        let mut waiting = Vec::new();
        for sent in made {
            let (external_user, marks) = (&seen.external_users[&sent.id()], Marks::of(&sent.body));
            assert!(self.names.insert(marks.login.clone()), "twice {}", marks.login);
            match (external_user.user, external_user.link.as_deref()) {
                (Some(user), Some("created")) => {
                    let meets = |other: &Marks| marks.meets(other);
                    assert!(!self.users.values().any(meets), "{marks:?} is somebody already: {:#?}", self.users);
                    self.users.insert(user, marks);
                }
                (Some(user), _) => {
                    let named = known.contains(&user) && self.users[&user].key == marks.key;
                    assert!(named && !seen.made_at(user, connection), "{marks:?} joined {:?}", self.users[&user]);
                    assert!(self.joined.insert(user), "{marks:?} is the second at this connection to join {user}");
                }
                (None, _) => waiting.push((marks, seen.resembled(sent.id()))),
            }
        }
        self.waiting += waiting.len();
        for (marks, whom) in waiting {
            assert!(self.users[&whom].meets(&marks), "{marks:?} waits for {:?}", self.users[&whom]);
            // Whoever has the key of somebody known waits for nobody else, and only because that one is linked here.
            if let Some(named) = known.iter().find(|id| marks.key.is_some() && self.users[id].key == marks.key) {
                assert_eq!(*named, whom, "{marks:?}");
                assert!(self.joined.contains(named) || seen.made_at(*named, connection), "{marks:?} could have joined");
            }
        }
    }
}

/// Somebody out of few names, fewer addresses and few keys, or nonsense; and whether it is to be tried only.
fn draw(dice: &mut Dice, round: usize, serial: usize) -> (Json, bool) {
    let one_of = |dice: &mut Dice, sides: usize, text: fn(usize) -> String| {
        let text = text(round * 32 + dice.below(sides));
        if dice.percent(50) { text.to_uppercase() } else { text }
    };
    let address = |number: usize| format!("n{number}@x.example");
    let name =
        one_of(dice, 56, |number| if number % 2 == 0 { format!("n{number}") } else { format!("n{number}@x.example") });
    let mut body = json!({"schemas": [USER], "userName": name, "displayName": format!("Display {serial}")});
    if dice.percent(40) {
        body["emails"] = json!([{"value": one_of(dice, 10, address)}]);
    }
    if dice.percent(60) {
        body["externalId"] = json!(one_of(dice, 16, |number| format!("e{number}")));
    }
    for (name, value) in [("active", json!(false)), ("password", json!("Zx9!placeholder")), ("shoeSize", json!(42))] {
        if dice.percent(12) {
            body[name] = value;
        }
    }
    if dice.percent(10) {
        let (name, value) = dice
            .pick(&[("userName", json!("")), ("emails", json!("x@y")), ("active", json!({})), ("title", json!(7))])
            .clone();
        body[name] = value;
    }
    (body, dice.percent(12))
}

/// Whether the schema takes it.
fn is_sound(body: &Json, strict: bool) -> bool {
    body["userName"] != ""
        && body["emails"] != "x@y"
        && body["active"] != json!({})
        && body["title"] != 7
        && !(strict && body.get("shoeSize").is_some())
}

on_both! {
    async fn those_who_collide_end_as_if_one_after_another(db: &Database) {
        let world = joined_world(db).await;
        let (app, [connection, beside]) = (App::start(db).await, world.connections);
        let (scim, other) = (app.scim(db, &world, connection).await, app.scim(db, &world, beside).await);
        let (names, users, joined) = (BTreeSet::new(), BTreeMap::new(), BTreeSet::new());
        let mut model = Model { names, users, joined, waiting: 0 };
        let (mut dice, mut all) = (Dice::new(20_261_122), Vec::<Sent>::new());
        for round in 0..6 {
            // Users whom the other connection said, and whom some of the crowd will join.
            let known = Sent::all(&other, (0..6).map(|number| {
                let (name, key) = (format!("known{round}-{number}@x.example"), format!("{}{}", ["e", "E"][number % 2], round * 32 + number));
                json!({"schemas": [USER], "userName": name, "displayName": "Known", "externalId": key})
            })).await;
            let seen = Seen::of(&db.store).await;
            model.users.extend(known.iter().map(|sent| (seen.external_users[&sent.id()].user.unwrap(), Marks::of(&sent.body))));

            let strict = round % 2 == 1;
            profile::set(db, &world, if strict { "strict" } else { "generic" }, json!({})).await;
            let crowd = (0..48).map(|number| draw(&mut dice, round, round * 48 + number));
            let crowd = join_all(crowd.map(|(body, dry)| Sent::post(&scim, body, dry))).await;
            let (sound, nonsense): (Vec<Sent>, Vec<Sent>) = crowd.into_iter().partition(|sent| is_sound(&sent.body, strict));
            nonsense.iter().for_each(|sent| assert_eq!(sent.answer.status, 400, "{:?}", sent.answer));
            let (tried, done): (Vec<Sent>, Vec<Sent>) = sound.into_iter().partition(|sent| sent.dry);
            let (made, late): (Vec<Sent>, Vec<Sent>) = done.into_iter().partition(Sent::made);

            let (seen, before) = (Seen::of(&db.store).await, model.names.clone());
            seen.assert_whole(&world.connections, None);
            model.take(&seen, &connection, &made);
            for sent in &made {
                sent.assert_kept(&scim).await;
            }
            let here = seen.external_users.values().filter(|user| user.connection == connection.connection().uuid());
            assert_eq!(here.count(), model.names.len(), "the users are those of whom 201 was said");
            for sent in &late {
                sent.answer.refused(409, "uniqueness");
                assert!(model.names.contains(&sent.name()), "refused, and nobody has this name: {:?}", sent.answer);
            }
            for sent in &tried {
                // A name that came in the same crowd may be taken already or not yet.
                if sent.answer.status == 200 && !before.contains(&sent.name()) {
                    let told = &sent.answer.body;
                    assert_eq!((&told["schemas"][0], bare(&told["resource"])), (&json!(DRY_RUN), sent.wanted()));
                } else {
                    sent.answer.refused(409, "uniqueness");
                    assert!(model.names.contains(&sent.name()), "refused, and nobody has this name: {:?}", sent.answer);
                }
            }
            all.extend(nonsense.into_iter().chain(made).chain(late).chain(tried));
        }
        let many = |status: u16| all.iter().filter(|sent| sent.answer.status == status).count();
        assert!([200, 201, 400, 409].iter().all(|status| many(*status) > 5) && model.joined.len() > 3 && model.waiting > 10);
        app.stop().await;
        assert_logged(db, &connection, &Seen::of(&db.store).await, &all).await;
        assert_chained(&db.store).await;
    }

    async fn no_connection_gets_what_another_was_told(db: &Database) {
        let (world, foreign) = (joined_world(db).await, joined_world(db).await);
        let app = App::start(db).await;
        let connections = [world.connections[0], world.connections[1], world.stranger, foreign.connections[0]];
        let mut clients = Vec::new();
        for (world, connection) in [&world, &world, &world, &foreign].into_iter().zip(connections) {
            clients.push(app.scim(db, world, connection).await);
        }
        // The same name and key at every connection, and one that only this connection has; each says who said it.
        let said = |number: usize, at: usize| {
            let mut both = [somebody(&format!("same{number}")), somebody(&format!("own{number}-{at}"))];
            both[0].as_object_mut().unwrap().remove("emails");
            both[0]["displayName"] = json!(format!("Same {number} at {at}"));
            both
        };
        let (posts, clients) = ((0..12).flat_map(|number| (0..4).map(move |at| (number, at))), &clients);
        let posts = posts.flat_map(|(number, at)| said(number, at).map(|body| async move { Sent::post(&clients[at], body, false).await }));
        let mut sent: Vec<Vec<Sent>> = (0..4).map(|_| Vec::new()).collect();
        for (place, one) in join_all(posts).await.into_iter().enumerate() {
            sent[place / 2 % 4].push(one);
        }

        let seen = Seen::of(&db.store).await;
        seen.assert_whole(&connections, None);
        assert_eq!(seen.external_users.len(), sent.iter().flatten().count());
        let mut found = BTreeMap::<String, Vec<(usize, Option<Uuid>)>>::new();
        for (at, sent) in sent.iter().enumerate().flat_map(|(at, sent)| sent.iter().map(move |sent| (at, sent))) {
            sent.assert_kept(&clients[at]).await;
            let external_user = &seen.external_users[&sent.id()];
            assert_eq!(external_user.connection, connections[at].connection().uuid());
            clients[(at + 1) % 4].get(&format!("/Users/{}", sent.id())).await.refused(404, "");
            found.entry(sent.name()).or_default().push((at, external_user.user));
        }
        for (name, mut found) in found {
            found.sort_unstable();
            let linked = |at: usize| found.iter().find(|(connection, _)| *connection == at).and_then(|(_, user)| *user);
            if name.starts_with("own") {
                assert!(found.len() == 1 && found[0].1.is_some(), "{name}: {found:?}");
                continue;
            }
            assert!(linked(3).is_some(), "{name}: nobody at the other partner matters: {found:?}");
            // Two connections of one directory join; whoever of the partner comes later through the other one waits.
            match linked(2) {
                None => assert!(linked(0).is_some() && linked(0) == linked(1), "{name}: {found:?}"),
                Some(_) => assert_eq!((linked(0), linked(1)), (None, None), "{name}"),
            }
        }
        app.stop().await;
        for (connection, sent) in connections.iter().zip(&sent) {
            assert_logged(db, connection, &seen, sent).await;
        }
        assert_chained(&db.store).await;
    }

    async fn a_rule_places_those_for_whom_its_condition_holds(db: &Database) {
        let stage = Stage::open(db).await;
        let at = stage.console.partner("harbor").await;
        let mut reader = db.store.reader().await.unwrap();
        let connection = connections::by_slug(&mut reader, &at, "harbor-entra").await.unwrap().unwrap().extent;
        drop(reader);
        let place = ids(&db.store, &TECHNICIANS).await.pop_first().unwrap();
        let (before, mut sent) = (Seen::of(&db.store).await, Vec::new());
        let (mut technicians, mut trained) = (BTreeSet::new(), BTreeSet::new());
        for round in 0..2 {
            let departments = ["IT", "Sales", "it", "IT support"];
            sent.extend(Sent::all(&stage.scim, (0..48).map(|number| {
                let mut body = somebody(&format!("user{round}-{number}"));
                if number % 3 == 0 {
                    body["title"] = json!("Trainee");
                }
                if let Some(department) = departments.get(number % 5) {
                    body["schemas"].as_array_mut().unwrap().push(json!(ENTERPRISE));
                    body[ENTERPRISE] = json!({"department": department});
                }
                body
            })).await);
        }
        let seen = Seen::of(&db.store).await.since(&before);
        for sent in &sent {
            sent.assert_kept(&stage.scim).await;
            let in_it = ["IT", "it"].contains(&sent.body[ENTERPRISE]["department"].as_str().unwrap_or_default());
            let user = seen.external_users[&sent.id()].user.unwrap();
            assert_eq!(seen.users[&user].primary_group == place, in_it, "{:?}", sent.body);
            technicians.extend(in_it.then(|| sent.id()));
            trained.extend((sent.body["title"] != "Trainee").then(|| sent.id()));
            let shown = stage.get(&format!("/api/v1/users/{user}")).await;
            let group = shown["groups"].as_array().unwrap().iter().find(|group| group["is_primary"] == true).unwrap();
            let name = if in_it { "Technicians" } else { "Everyone" };
            assert_eq!((&group["group"]["name"], &shown["primary_group"]), (&json!(name), &group["group"]["id"]));
        }
        assert_eq!((ids(&db.store, &HOLDS).await, ids(&db.store, &HOLDS_NOT).await), (technicians, trained));
        let users: Vec<UserId> = seen.users.keys().copied().map(UserId::from_uuid).collect();
        assert_eq!(effective_lists::misplaced(&mut db.store.reader().await.unwrap(), &users).await.unwrap(), []);
        stage.console.app.stop().await;
        seen.assert_whole(&[connection], Some(place));
        assert_logged(db, &connection, &seen, &sent).await;
        assert_chained(&db.store).await;
    }

    async fn who_hangs_up_takes_nobody_along_and_leaves_nothing_half(db: &Database) {
        let world = joined_world(db).await;
        let (app, connection) = (App::start(db).await, world.connections[0]);
        let scim = app.scim(db, &world, connection).await;
        let address = app.base.strip_prefix("http://").unwrap();
        let leavers = (0..8).map(|leaver: usize| {
            let token = &scim.token;
            async move {
                let mut dice = Dice::new(leaver as u64);
                for number in 0..12 {
                    let body = somebody(&format!("leaver{leaver}-{number}")).to_string();
                    let request = format!(
                        "POST /scim/{}/v2/Users HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\
                        content-type: application/scim+json\r\ncontent-length: {}\r\n\r\n{body}",
                        connection.connection(), body.len()
                    );
                    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
                    if dice.percent(70) {
                        // The line is cut, not closed: the server notices at once.
                        stream.set_zero_linger().unwrap();
                    }
                    stream.write_all(request.as_bytes()).await.unwrap();
                    // At any stage of what the server makes of it.
                    tokio::time::sleep(Duration::from_micros(50 << dice.below(11))).await;
                }
            }
        });
        let stayers = (0..12).map(|stayer| {
            let scim = &scim;
            async move {
                let mut sent = Vec::new();
                for number in 0..8 {
                    sent.push(Sent::post(scim, somebody(&format!("stayer{stayer}-{number}")), false).await);
                }
                sent
            }
        });
        let (_, stayed) = futures_util::join!(join_all(leavers), join_all(stayers));
        let stayed: Vec<Sent> = stayed.into_iter().flatten().collect();
        for sent in &stayed {
            sent.assert_kept(&scim).await;
        }
        app.stop().await;
        let seen = Seen::of(&db.store).await;
        seen.assert_whole(&[connection], None);
        assert_logged(db, &connection, &seen, &stayed).await;

        // What is there of those who left is what they sent, and whoever is not there can come.
        let app = App::start(db).await;
        let scim = app.scim(db, &world, connection).await;
        let there: BTreeMap<&str, &Json> =
            seen.external_users.values().map(|user| (user.doc["userName"].as_str().unwrap(), &user.doc)).collect();
        let left: Vec<String> = (0..8).flat_map(|leaver| (0..12).map(move |number| format!("leaver{leaver}-{number}"))).collect();
        let again = Sent::all(&scim, left.iter().map(|name| somebody(name))).await;
        for sent in again {
            match there.get(&*sent.name()) {
                Some(doc) => {
                    assert_eq!(**doc, sent.wanted());
                    sent.answer.refused(409, "uniqueness");
                }
                None => sent.assert_kept(&scim).await,
            }
        }
        let seen = Seen::of(&db.store).await;
        assert_eq!(seen.external_users.len(), stayed.len() + left.len());
        seen.assert_whole(&[connection], None);
        app.stop().await;
        assert_chained(&db.store).await;
    }
}

/// Two servers are told the same users at once: each comes to be at one of them, and the other one is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_make_nobody_twice() {
    let db = Database::postgres().await;
    let world = joined_world(&db).await;
    let first = App::start(&db).await;
    let (second, store) = App::second(&db).await;
    let here = first.scim(&db, &world, world.connections[0]).await;
    let there = here.at(&second);
    for round in 0..3 {
        let bodies = || (0..32).map(|number| somebody(&format!("user{round}-{number}")));
        let (mut one, mut two) = futures_util::join!(Sent::all(&here, bodies()), Sent::all(&there, bodies().rev()));
        two.reverse();
        for (one, two) in one.drain(..).zip(two) {
            let (scim, made, refused) = if one.made() { (&here, one, two) } else { (&there, two, one) };
            made.assert_kept(scim).await;
            refused.answer.refused(409, "uniqueness");
        }
        let seen = Seen::of(&db.store).await;
        assert_eq!((seen.external_users.len(), seen.users.len()), ((round + 1) * 32, (round + 1) * 32));
        seen.assert_whole(&world.connections, None);
    }
    first.stop().await;
    second.stop().await;
    store.close().await;
    assert_chained(&db.store).await;
    db.remove().await;
}

/// The connections to the database break under a crowd: each is wholly there or was refused, and nobody waits for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_the_database_leaves_in_the_lurch_is_told() {
    let db = Database::postgres().await;
    let world = joined_world(&db).await;
    let app = App::start(&db).await;
    let scim = app.scim(&db, &world, world.connections[0]).await;
    let mut refused = 0;
    for round in 0..6 {
        let bodies = || (0..48).map(|number| somebody(&format!("user{round}-{number}")));
        // Few cuts may all fall between two requests. In every second round they go on until the last answer.
        let cuts = if round % 2 == 0 { round + 1 } else { usize::MAX };
        let cutting = async {
            for _ in 0..cuts {
                db.cut_off().await;
            }
            std::future::pending().await
        };
        let crowd = tokio::select! {
            crowd = Sent::all(&scim, bodies()) => crowd,
            () = cutting => unreachable!("it only waits"),
        };
        for sent in crowd.iter().filter(|sent| !sent.made()) {
            sent.answer.refused(503, "");
            refused += 1;
        }
        // One whose commit was under way when the connection broke may be there: it is told so, and is there once.
        for (said, again) in crowd.iter().zip(Sent::all(&scim, bodies()).await) {
            match said.made() {
                true => again.answer.refused(409, "uniqueness"),
                false => assert!([201, 409].contains(&again.answer.status), "{:?}", again.answer),
            }
        }
        let looking = store::open(&db.url, &Options::default()).await.unwrap();
        let seen = Seen::of(&looking).await;
        assert_eq!((seen.external_users.len(), seen.users.len()), ((round + 1) * 48, (round + 1) * 48));
        seen.assert_whole(&world.connections, None);
        looking.close().await;
    }
    assert!(refused > 0, "no connection broke while a crowd was on its way");
    db.lock_out(true).await;
    let away = Sent::all(&scim, (0..24).map(|number| somebody(&format!("away{number}")))).await;
    away.iter().for_each(|sent| sent.answer.refused(503, ""));
    db.lock_out(false).await;
    for sent in Sent::all(&scim, away.into_iter().map(|sent| sent.body)).await {
        sent.assert_kept(&scim).await;
    }
    app.stop().await;
    db.remove().await;
}
