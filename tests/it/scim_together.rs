//! Users that are created at the same moment: each gets what is its own, as if they had come one after another.
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use rolecall::domain::id::{Id as _, UserId};
use rolecall::domain::text::fold;
use rolecall::provision::events;
use rolecall::store::extent::{ConnectionExtent, OperatorExtent};
use rolecall::store::provisioning_log::{self, Entry};
use rolecall::store::{Dialect, Row, Statement, Store, connections, effective_lists, first, tuple};
use rolecall::{binds, statements};
use serde_json::{Value as Json, json};
use tokio::io::AsyncWriteExt as _;
use uuid::Uuid;

use crate::app::{Answer, App, Scim};
use crate::support::database::{Database, on_both};
use crate::support::profile;
use crate::support::stage::Stage;
use crate::support::world::World;
use crate::worlds::generate::Dice;

statements! {
    JOIN = "UPDATE connection SET join_attribute = 'externalId', version = version + 1 WHERE id = $1";
    USERS = "SELECT id, connection, doc, active, person, link FROM external_user";
    PEOPLE = "SELECT id, partner, display_name, email, login_name, placement FROM live_person";
    LINES = "SELECT id, partner, actor, kind, subject, data FROM event ORDER BY id";
    KEYS = "SELECT person, directory, join_key FROM identity";
    OFF = "SELECT person, source FROM person_suspension";
    HOLDS = "SELECT m.external_user FROM condition_member m JOIN condition c ON c.id = m.condition \
        WHERE c.expression LIKE '%department%'";
    HOLDS_NOT = "SELECT m.external_user FROM condition_member m JOIN condition c ON c.id = m.condition \
        WHERE c.expression LIKE 'not (title%'";
    TECHNICIANS = "SELECT id FROM user_group WHERE name = 'Technicians'";
}

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const DRY_RUN: &str = "urn:rolecall:params:scim:api:messages:1.0:DryRun";

/// What is stored of a user.
#[derive(Clone, Debug)]
struct User {
    door: Uuid,
    doc: Json,
    active: bool,
    person: Option<Uuid>,
    link: Option<String>,
}

/// What is stored of a person: partner, name, mail address, sign-in name, place.
type Person = (Uuid, String, Option<String>, Option<String>, Uuid);

/// A line of the event log; `told` is what the log of requests shows of it, too.
#[derive(Clone, PartialEq, Debug)]
struct Line {
    id: Uuid,
    partner: Uuid,
    actor: Json,
    told: Json,
}

/// Everything that creations write.
struct Seen {
    users: BTreeMap<Uuid, User>,
    people: BTreeMap<Uuid, Person>,
    lines: Vec<Line>,
    keys: BTreeSet<(Uuid, Uuid, String)>,
    off: BTreeSet<(Uuid, String)>,
}

impl Seen {
    async fn of(store: &Store) -> Self {
        let user = |row: &Row| {
            let (door, doc, active) = (row.get(1)?, row.json(2)?, row.get(3)?);
            Ok((row.get(0)?, User { door, doc, active, person: row.get(4)?, link: row.get(5)? }))
        };
        let person = |row: &Row| {
            Ok((row.get(0)?, (row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?)))
        };
        let line = |row: &Row| {
            let (kind, subject): (String, Option<Uuid>) = (row.get(3)?, row.get(4)?);
            let told = json!({"kind": kind, "subject": subject, "data": row.json::<Json>(5)?});
            Ok(Line { id: row.get(0)?, partner: row.get(1)?, actor: row.json(2)?, told })
        };
        let key = |row: &Row| Ok((row.get(0)?, row.get(1)?, String::from_utf8(row.get(2)?).unwrap()));
        let mut reader = store.reader().await.unwrap();
        Self {
            users: reader.all(&USERS, binds![], user).await.unwrap().into_iter().collect(),
            people: reader.all(&PEOPLE, binds![], person).await.unwrap().into_iter().collect(),
            lines: reader.all(&LINES, binds![], line).await.unwrap(),
            keys: reader.all(&KEYS, binds![], key).await.unwrap().into_iter().collect(),
            off: reader.all(&OFF, binds![], tuple).await.unwrap().into_iter().collect(),
        }
    }

    /// Leaves out what was there before.
    fn since(mut self, before: &Self) -> Self {
        self.people.retain(|id, _| !before.people.contains_key(id));
        self.lines.retain(|line| !before.lines.contains(line));
        self
    }

    /// The lines that belong to a user: about itself, and what its door says of its person.
    fn story(&self, id: Uuid) -> Vec<&Line> {
        let user = &self.users[&id];
        let own = |line: &&Line| {
            let (subject, door) = (&line.told["subject"], &line.told["data"]["connection"]);
            *subject == json!(id) || (user.person.is_some() && *subject == json!(user.person) && *door == json!(user.door))
        };
        self.lines.iter().filter(own).collect()
    }

    /// Whom a user that waits for review resembles.
    fn resembled(&self, id: Uuid) -> Uuid {
        self.story(id)[1].told["data"]["resembles"].as_str().unwrap().parse().unwrap()
    }

    /// Fails unless each user stands there whole, with its person, its key and its lines in their order, all of its own
    /// door's; and unless that is all there is. People are in their default group, those apart who are in `place`.
    fn assert_whole(&self, doors: &[ConnectionExtent], place: Option<Uuid>) {
        let (mut linked, mut keys, mut off) = (BTreeMap::<Uuid, Vec<Uuid>>::new(), BTreeSet::new(), BTreeSet::new());
        for (id, user) in &self.users {
            let Some(person) = user.person else { continue };
            linked.entry(person).or_default().push(*id);
            let door = door_of(doors, user);
            if let (Some("created"), Some(key)) = (user.link.as_deref(), user.doc["externalId"].as_str()) {
                keys.insert((person, door.directory().uuid(), key.to_owned()));
            }
            if !user.active {
                off.insert((person, door.source().to_string()));
            }
        }
        assert_eq!((&self.keys, &self.off), (&keys, &off));
        assert!(self.people.keys().eq(linked.keys()), "a person for whom nobody came, or the other way round");
        for (person, users) in &linked {
            let made: Vec<&Uuid> = users.iter().filter(|id| self.users[id].link.as_deref() == Some("created")).collect();
            let partner = door_of(doors, &self.users[made[0]]).partner().uuid();
            // In the order of ids the doors of a directory have their say.
            let says = |what: fn(&Json) -> Option<&str>| users.iter().find_map(|id| what(&self.users[id].doc)).map(str::to_owned);
            let (name, mail, login) = (says(|doc| doc["displayName"].as_str()), says(mail), says(|doc| doc["userName"].as_str()));
            let (home, shown, email, signs_in, _) = self.people[person].clone();
            assert_eq!((made.len(), home, Some(shown), email, signs_in), (1, partner, name, mail, login), "{users:?}");
        }

        let mut told = 0;
        for (id, user) in &self.users {
            let (door, story) = (door_of(doors, user), self.story(*id));
            told += story.len();
            let actor = json!({"kind": "connection", "connection": user.door});
            assert!(story.iter().all(|line| line.partner == door.partner().uuid() && line.actor == actor), "{story:?}");
            let line = |kind: &str, subject, data: Json| json!({"kind": kind, "subject": subject, "data": data});
            let here = json!({"connection": user.door});
            let mut wanted = vec![line("external_user.created", *id, here.clone())];
            match (user.person, user.link.as_deref()) {
                (Some(person), Some(link)) => {
                    let linked_as = line("external_user.linked", *id, json!({"user": person, "link": link}));
                    if link == "created" {
                        wanted.extend([line("user.created", person, here.clone()), linked_as]);
                    } else {
                        wanted.push(linked_as);
                        wanted.extend((linked[&person][0] == *id).then(|| line("user.changed", person, here.clone())));
                    }
                    wanted.extend((!user.active).then(|| line("user.suspended", person, here)));
                    if Some(self.people[&person].4) == place {
                        wanted.push(line("user.placed", person, json!({"connection": user.door, "group": place})));
                    }
                }
                (None, None) => {
                    let resembled = self.resembled(*id);
                    let data = json!({"connection": user.door, "resembles": resembled});
                    wanted.push(line("link.review", *id, data));
                }
                other => panic!("half linked: {other:?}"),
            }
            assert!(story.iter().map(|line| &line.told).eq(&wanted), "{story:#?}\n{wanted:#?}");
        }
        assert_eq!(told, self.lines.len(), "lines that belong to nobody: {:?}", self.lines);
    }
}

fn door_of<'d>(doors: &'d [ConnectionExtent], user: &User) -> &'d ConnectionExtent {
    doors.iter().find(|door| door.connection().uuid() == user.door).unwrap()
}

/// The mail address that a document gives its person.
fn mail(doc: &Json) -> Option<&str> {
    let name = doc["userName"].as_str().filter(|name| name.contains('@'));
    doc["emails"][0]["value"].as_str().or(name)
}

/// A POST and its answer.
struct Sent {
    body: Json,
    dry: bool,
    answer: Answer,
}

impl Sent {
    /// What is kept of the body, and `active`, which is always said.
    fn wanted(&self) -> Json {
        let mut body = self.body.clone();
        body["active"] = json!(body["active"] != false);
        body.as_object_mut().unwrap().retain(|name, _| !["password", "shoeSize"].contains(&name.as_str()));
        body
    }

    fn name(&self) -> String {
        fold(self.body["userName"].as_str().unwrap())
    }

    fn id(&self) -> Uuid {
        self.answer.id().parse().unwrap()
    }

    /// Whether it was done, not only tried.
    fn made(&self) -> bool {
        self.answer.status == 201
    }
}

async fn post(scim: &Scim, body: Json, dry: bool) -> Sent {
    let mut request = scim.request(Method::POST, "/Users").header("content-type", "application/scim+json");
    if dry {
        request = request.header("rolecall-dry-run", "true");
    }
    Sent { answer: scim.send(request.body(body.to_string())).await, body, dry }
}

async fn post_all(scim: &Scim, bodies: impl IntoIterator<Item = Json>) -> Vec<Sent> {
    join_all(bodies.into_iter().map(|body| post(scim, body, false))).await
}

/// A resource without what the server adds.
fn bare(resource: &Json) -> Json {
    let mut resource = resource.clone();
    resource.as_object_mut().unwrap().retain(|name, _| name != "id" && name != "meta");
    resource
}

/// Fails unless a creation was answered with what was sent, and a GET says the same.
async fn assert_kept(scim: &Scim, sent: &Sent) {
    let answer = &sent.answer;
    assert_eq!((answer.status, bare(&answer.body)), (201, sent.wanted()), "{answer:?}");
    let (address, meta) = (format!("{}/Users/{}", scim.base, answer.id()), &answer.body["meta"]);
    assert_eq!((answer.header("location"), meta["location"].as_str()), (&*address, Some(&*address)));
    assert_eq!((answer.header("etag"), &meta["lastModified"]), (meta["version"].as_str().unwrap(), &meta["created"]));
    let read = scim.get(&format!("/Users/{}", answer.id())).await;
    assert_eq!((read.status, read.header("etag"), &read.body), (200, answer.header("etag"), &answer.body));
}

/// Fails unless the log of requests has one line for each, with what that one did and nothing of its neighbours. The
/// server has stopped.
async fn assert_logged(db: &Database, door: &ConnectionExtent, seen: &Seen, all: &[Sent]) {
    let (log, _) = provisioning_log::open(&db.url, &db.folder(), 1).await.unwrap();
    let mut entries = BTreeMap::<String, Vec<Entry>>::new();
    for entry in log.page(door, "", None, 10_000).await.unwrap().0 {
        entries.entry(entry.request_id.clone()).or_default().push(entry);
    }
    for sent in all {
        let [entry] = &*entries[sent.answer.header("x-request-id")] else { panic!("not one line: {entries:?}") };
        assert_eq!((entry.status, entry.dry, &*entry.path), (sent.answer.status, sent.dry, "/Users"));
        let mut body = sent.body.clone();
        body.get_mut("password").into_iter().for_each(|secret| *secret = json!("[hidden]"));
        assert_eq!(serde_json::from_str::<Json>(entry.request.as_ref().unwrap()).unwrap(), body);
        assert_eq!(entry.refusal.is_some(), sent.answer.status >= 400, "{entry:?}");
        let effect = &entry.effect;
        match sent.answer.status {
            201 => {
                let story: Vec<&Json> = seen.story(sent.id()).iter().map(|line| &line.told).collect();
                assert_eq!(effect["events"], json!(story));
                let whom = seen.users[&sent.id()].person.unwrap_or_else(|| seen.resembled(sent.id()));
                assert!(effect["people"].as_array().unwrap().iter().all(|change| change["user"] == json!(whom)), "{effect}");
                assert!(!effect["people"].as_array().unwrap().is_empty());
                let (told, wanted) = (effect["attributes"].as_array().unwrap(), sent.wanted());
                let names: BTreeSet<&String> = wanted.as_object().unwrap().keys().filter(|name| *name != "schemas").collect();
                assert_eq!(told.iter().filter_map(Json::as_str).collect::<BTreeSet<_>>(), names.iter().map(|name| &***name).collect());
            }
            200 => assert_eq!(effect["events"][0]["kind"], "external_user.created"),
            _ => assert_eq!(effect, &Json::Null),
        }
    }
}

/// Numbers and chains the lines that wait, and checks the chain. No server is there to do it.
async fn assert_chained(store: &Store) {
    while events::seal(store).await.unwrap() > 0 {}
    let lines = Seen::of(store).await.lines.len();
    let chain = events::verify(&mut store.reader().await.unwrap(), &OperatorExtent::assume()).await.unwrap();
    assert_eq!(chain, Ok(i64::try_from(lines).unwrap()));
}

async fn ids(store: &Store, statement: &'static Statement) -> BTreeSet<Uuid> {
    let read: Vec<Uuid> = store.reader().await.unwrap().all(statement, binds![], first).await.unwrap();
    read.into_iter().collect()
}

/// A world whose doors join by `externalId`.
async fn joined_world(db: &Database) -> World {
    let world = World::new(&db.store).await;
    for door in [world.doors[0], world.doors[1], world.stranger] {
        db.execute(&JOIN, binds![door.connection()]).await;
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
        let (app, door) = (App::start(db).await, world.doors[0]);
        let scim = app.scim(db, &world, door).await;
        let mut all = Vec::new();
        for round in 0..3 {
            all.extend(post_all(&scim, (0..48).map(|number| {
                let mut body = somebody(&format!("User{round}-{number}"));
                // No two neighbours need the same inserts.
                match number % 6 {
                    0 => body["active"] = json!(false),
                    1 => drop(body.as_object_mut().unwrap().remove("externalId")),
                    2 => body["emails"].as_array_mut().unwrap().push(json!({"value": format!("{round}-{number}@home.example")})),
                    3 => drop(body.as_object_mut().unwrap().remove("emails")),
                    4 => body["userName"] = json!(format!("User{round}-{number}@login.example")),
                    _ => body[ENTERPRISE] = json!({"employeeNumber": format!("{round}-{number}")}),
                }
                if number % 6 == 5 {
                    body["schemas"].as_array_mut().unwrap().push(json!(ENTERPRISE));
                }
                body
            })).await);
        }
        for sent in &all {
            assert_kept(&scim, sent).await;
            let mut parts = vec![("userName", sent.body["userName"].as_str()), ("title", sent.body["title"].as_str())];
            parts.extend([("externalId", sent.body["externalId"].as_str()), ("emails.value", sent.body["emails"][1]["value"].as_str())]);
            for (name, value) in parts.into_iter().filter_map(|(name, value)| Some((name, value?))) {
                let filter = format!("{name} eq \"{value}\"").replace(' ', "%20").replace('"', "%22");
                let found = scim.get(&format!("/Users?filter={filter}")).await;
                assert_eq!((&found.body["totalResults"], &found.body["Resources"][0]), (&json!(1), &sent.answer.body), "{filter}");
            }
        }
        let seen = Seen::of(&db.store).await;
        seen.assert_whole(&world.doors, None);
        let ids: BTreeSet<Uuid> = all.iter().map(Sent::id).collect();
        assert!(ids.len() == all.len() && ids.iter().eq(seen.users.keys()));
        assert!(seen.users.values().all(|user| user.link.as_deref() == Some("created")));
        assert!(seen.people.values().all(|person| person.4 == world.default_group.uuid()));
        app.stop().await;
        assert_logged(db, &door, &seen, &all).await;
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

    /// Whether the two cannot both become people.
    fn meet(&self, other: &Self) -> bool {
        self.meet_firmly(other) || (self.mail.is_some() && self.mail == other.mail)
    }

    /// Whether the database itself refuses that the two become people.
    fn meet_firmly(&self, other: &Self) -> bool {
        self.login == other.login || (self.key.is_some() && self.key == other.key)
    }
}

/// Somebody out of few names, fewer addresses and few keys, or nonsense; and whether it is to be tried only.
fn draw(dice: &mut Dice, round: usize, serial: usize) -> (Json, bool) {
    let one_of = |dice: &mut Dice, sides: usize, text: fn(usize) -> String| {
        let text = text(round * 32 + dice.below(sides));
        if dice.percent(50) { text.to_uppercase() } else { text }
    };
    let address = |number: usize| format!("n{number}@x.example");
    let name = one_of(dice, 56, |number| if number % 2 == 0 { format!("n{number}") } else { format!("n{number}@x.example") });
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
        let (name, value) = dice.pick(&[("userName", json!("")), ("emails", json!("x@y")), ("active", json!({})), ("title", json!(7))]).clone();
        body[name] = value;
    }
    (body, dice.percent(12))
}

/// Whether the schema takes it.
fn is_sound(body: &Json, strict: bool) -> bool {
    body["userName"] != "" && body["emails"] != "x@y" && body["active"] != json!({}) && body["title"] != 7
        && !(strict && body.get("shoeSize").is_some())
}

on_both! {
    /// In whatever order they were taken, those who became people must have come first, then those who resemble them,
    /// then those whose name was taken: if any order explains the answers, this one does.
    async fn those_who_collide_end_as_if_one_after_another(db: &Database) {
        let world = joined_world(db).await;
        let (app, door) = (App::start(db).await, world.doors[0]);
        let scim = app.scim(db, &world, door).await;
        let mut dice = Dice::new(20_261_122);
        let (mut names, mut people, mut all) = (BTreeSet::new(), Vec::<(Uuid, Marks)>::new(), Vec::<Sent>::new());
        for round in 0..6 {
            let strict = round % 2 == 1;
            profile::set(db, &world, if strict { "strict" } else { "generic" }, json!({})).await;
            let crowd: Vec<(Json, bool)> = (0..48).map(|number| draw(&mut dice, round, round * 48 + number)).collect();
            let crowd = join_all(crowd.into_iter().map(|(body, dry)| post(&scim, body, dry))).await;
            let (sound, nonsense): (Vec<Sent>, Vec<Sent>) = crowd.into_iter().partition(|sent| is_sound(&sent.body, strict));
            nonsense.iter().for_each(|sent| assert_eq!(sent.answer.status, 400, "{:?}", sent.answer));
            let (tried, done): (Vec<Sent>, Vec<Sent>) = sound.into_iter().partition(|sent| sent.dry);
            let (made, late): (Vec<Sent>, Vec<Sent>) = done.into_iter().partition(Sent::made);

            let seen = Seen::of(&db.store).await;
            seen.assert_whole(&world.doors, None);
            let before = names.clone();
            for sent in &made {
                assert_kept(&scim, sent).await;
                assert!(names.insert(sent.name()), "twice {}", sent.name());
            }
            assert_eq!(seen.users.len(), names.len(), "the users are those of whom 201 was said");
            for sent in &late {
                sent.answer.refused(409, "uniqueness");
                assert!(names.contains(&sent.name()), "refused, and nobody has this name: {:?}", sent.answer);
            }
            for sent in &tried {
                let told = &sent.answer.body;
                match sent.answer.status {
                    200 => assert_eq!((&told["schemas"][0], bare(&told["resource"])), (&json!(DRY_RUN), sent.wanted())),
                    _ => sent.answer.refused(409, "uniqueness"),
                }
                assert!(!before.contains(&sent.name()) || sent.answer.status == 409);
                assert!(names.contains(&sent.name()) || sent.answer.status == 200);
            }

            let (new, waiting): (Vec<&Sent>, Vec<&Sent>) = made.iter().partition(|sent| seen.users[&sent.id()].person.is_some());
            let known = people.len();
            for sent in new {
                let marks = Marks::of(&sent.body);
                for (at, (_, other)) in people.iter().enumerate() {
                    // PostgreSQL takes writers side by side: two addresses that come at once do not see each other.
                    let blind = at >= known && db.store.dialect() == Dialect::Postgres;
                    let meet = if blind { marks.meet_firmly(other) } else { marks.meet(other) };
                    if marks.meet(other) { eprintln!("BLIND {marks:?} {other:?}"); }
                    assert!(!meet, "both are people: {marks:?} {other:?}");
                }
                people.push((seen.users[&sent.id()].person.unwrap(), marks));
            }
            for sent in waiting {
                let (marks, whom) = (Marks::of(&sent.body), seen.resembled(sent.id()));
                let met = people.iter().any(|(person, other)| *person == whom && marks.meet(other));
                assert!(met, "{marks:?} waits for {whom}: {people:?}");
            }
            all.extend(nonsense.into_iter().chain(made).chain(late).chain(tried));
        }
        let many = |status: u16| all.iter().filter(|sent| sent.answer.status == status).count();
        eprintln!("COUNTS {:?} names {} people {}", [200, 201, 400, 409].map(many), names.len(), people.len());
        assert!([200, 201, 400, 409].iter().all(|status| many(*status) > 10) && names.len() - people.len() > 10);
        app.stop().await;
        assert_logged(db, &door, &Seen::of(&db.store).await, &all).await;
        assert_chained(&db.store).await;
    }

    async fn no_door_gets_what_another_was_told(db: &Database) {
        let (world, foreign) = (joined_world(db).await, joined_world(db).await);
        let app = App::start(db).await;
        let doors = [world.doors[0], world.doors[1], world.stranger, foreign.doors[0]];
        let mut clients = Vec::new();
        for (world, door) in [&world, &world, &world, &foreign].into_iter().zip(doors) {
            clients.push(app.scim(db, world, door).await);
        }
        // The same name and key at every door, and one that only this door has; each says who said it.
        let said = |number: usize, at: usize| {
            let mut both = [somebody(&format!("same{number}")), somebody(&format!("own{number}-{at}"))];
            both[0].as_object_mut().unwrap().remove("emails");
            both[0]["displayName"] = json!(format!("Same {number} at {at}"));
            both
        };
        let (posts, clients) = ((0..12).flat_map(|number| (0..4).map(move |at| (number, at))), &clients);
        let posts = posts.flat_map(|(number, at)| said(number, at).map(|body| async move { post(&clients[at], body, false).await }));
        let mut sent: Vec<Vec<Sent>> = (0..4).map(|_| Vec::new()).collect();
        for (place, one) in join_all(posts).await.into_iter().enumerate() {
            sent[place / 2 % 4].push(one);
        }

        let seen = Seen::of(&db.store).await;
        seen.assert_whole(&doors, None);
        assert_eq!(seen.users.len(), sent.iter().flatten().count());
        let mut found = BTreeMap::<String, Vec<(usize, Option<Uuid>)>>::new();
        for (at, sent) in sent.iter().enumerate().flat_map(|(at, sent)| sent.iter().map(move |sent| (at, sent))) {
            assert_kept(&clients[at], sent).await;
            let user = &seen.users[&sent.id()];
            assert_eq!(user.door, doors[at].connection().uuid());
            clients[(at + 1) % 4].get(&format!("/Users/{}", sent.id())).await.refused(404, "");
            found.entry(sent.name()).or_default().push((at, user.person));
        }
        for (name, mut found) in found {
            found.sort_unstable();
            let linked = |at: usize| found.iter().find(|(door, _)| *door == at).and_then(|(_, person)| *person);
            if name.starts_with("own") {
                assert!(found.len() == 1 && found[0].1.is_some(), "{name}: {found:?}");
                continue;
            }
            assert!(linked(3).is_some(), "{name}: nobody at the other partner matters: {found:?}");
            // Two doors of one directory join; whoever of the partner comes later through the other one waits.
            match linked(2) {
                None => assert!(linked(0).is_some() && linked(0) == linked(1), "{name}: {found:?}"),
                Some(_) => assert_eq!((linked(0), linked(1)), (None, None), "{name}"),
            }
        }
        app.stop().await;
        for (door, sent) in doors.iter().zip(&sent) {
            assert_logged(db, door, &seen, sent).await;
        }
        assert_chained(&db.store).await;
    }

    async fn a_rule_places_those_for_whom_its_condition_holds(db: &Database) {
        let stage = Stage::open(db).await;
        let at = stage.console.partner("harbor").await;
        let mut reader = db.store.reader().await.unwrap();
        let door = connections::by_slug(&mut reader, &at, "harbor-entra").await.unwrap().unwrap().extent;
        drop(reader);
        let place = ids(&db.store, &TECHNICIANS).await.pop_first().unwrap();
        let (before, mut sent) = (Seen::of(&db.store).await, Vec::new());
        let (mut technicians, mut trained) = (BTreeSet::new(), BTreeSet::new());
        for round in 0..2 {
            let departments = ["IT", "Sales", "it", "IT support", "IT"];
            sent.extend(post_all(&stage.scim, (0..48).map(|number| {
                let mut body = somebody(&format!("user{round}-{number}"));
                body["schemas"].as_array_mut().unwrap().push(json!(ENTERPRISE));
                body[ENTERPRISE] = json!({"department": departments[number % 5]});
                if number % 3 == 0 {
                    body["title"] = json!("Trainee");
                }
                if number % 5 == 4 {
                    body.as_object_mut().unwrap().remove(ENTERPRISE);
                    body["schemas"].as_array_mut().unwrap().pop();
                }
                body
            })).await);
        }
        let seen = Seen::of(&db.store).await.since(&before);
        for sent in &sent {
            assert_kept(&stage.scim, sent).await;
            let in_it = ["IT", "it"].contains(&sent.body[ENTERPRISE]["department"].as_str().unwrap_or_default());
            let person = seen.users[&sent.id()].person.unwrap();
            assert_eq!(seen.people[&person].4 == place, in_it, "{:?}", sent.body);
            technicians.extend(in_it.then(|| sent.id()));
            trained.extend((sent.body["title"] != "Trainee").then(|| sent.id()));
            let shown = stage.get(&format!("/api/v1/people/{person}")).await;
            let group = shown["groups"].as_array().unwrap().iter().find(|group| group["exclusive"] == true).unwrap();
            let name = if in_it { "Technicians" } else { "Everyone" };
            assert_eq!((&group["group"]["name"], &shown["placement"]), (&json!(name), &group["group"]["id"]));
        }
        assert_eq!((ids(&db.store, &HOLDS).await, ids(&db.store, &HOLDS_NOT).await), (technicians, trained));
        let people: Vec<UserId> = seen.people.keys().copied().map(UserId::from_uuid).collect();
        assert_eq!(effective_lists::misplaced(&mut db.store.reader().await.unwrap(), &people).await.unwrap(), []);
        stage.console.app.stop().await;
        seen.assert_whole(&[door], Some(place));
        assert_logged(db, &door, &seen, &sent).await;
        assert_chained(&db.store).await;
    }

    async fn who_hangs_up_takes_nobody_along_and_leaves_nothing_half(db: &Database) {
        let world = joined_world(db).await;
        let (app, door) = (App::start(db).await, world.doors[0]);
        let scim = app.scim(db, &world, door).await;
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
                        door.connection(), body.len()
                    );
                    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
                    stream.write_all(request.as_bytes()).await.unwrap();
                    if dice.percent(80) {
                        tokio::time::sleep(Duration::from_micros(dice.next() % 20_000)).await;
                    }
                }
            }
        });
        let stayers = (0..12).map(|stayer| {
            let scim = &scim;
            async move {
                let mut sent = Vec::new();
                for number in 0..8 {
                    sent.push(post(scim, somebody(&format!("stayer{stayer}-{number}")), false).await);
                }
                sent
            }
        });
        let (_, stayed) = futures_util::join!(join_all(leavers), join_all(stayers));
        let stayed: Vec<Sent> = stayed.into_iter().flatten().collect();
        for sent in &stayed {
            assert_kept(&scim, sent).await;
        }
        app.stop().await;
        let seen = Seen::of(&db.store).await;
        seen.assert_whole(&[door], None);
        assert_logged(db, &door, &seen, &stayed).await;

        // What is there of those who left is what they sent, and whoever is not there can come.
        let app = App::start(db).await;
        let scim = app.scim(db, &world, door).await;
        let there: BTreeMap<&str, &Json> =
            seen.users.values().map(|user| (user.doc["userName"].as_str().unwrap(), &user.doc)).collect();
        let left: Vec<String> = (0..8).flat_map(|leaver| (0..12).map(move |number| format!("leaver{leaver}-{number}"))).collect();
        let again = post_all(&scim, left.iter().map(|name| somebody(name))).await;
        for sent in again {
            match there.get(&*sent.name()) {
                Some(doc) => {
                    assert_eq!(**doc, sent.wanted());
                    sent.answer.refused(409, "uniqueness");
                }
                None => assert_kept(&scim, &sent).await,
            }
        }
        let seen = Seen::of(&db.store).await;
        assert_eq!(seen.users.len(), stayed.len() + left.len());
        seen.assert_whole(&[door], None);
        app.stop().await;
        assert_chained(&db.store).await;
    }
}

/// Two servers are told the same people at once: each comes to be at one of them, and the other one is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_make_nobody_twice() {
    let db = Database::postgres().await;
    let world = joined_world(&db).await;
    let first = App::start(&db).await;
    let (second, store) = App::second(&db).await;
    let here = first.scim(&db, &world, world.doors[0]).await;
    let there = here.at(&second);
    for round in 0..3 {
        let bodies = || (0..32).map(|number| somebody(&format!("user{round}-{number}")));
        let (mut one, mut two) = futures_util::join!(post_all(&here, bodies()), post_all(&there, bodies().rev()));
        two.reverse();
        for (one, two) in one.drain(..).zip(two) {
            let (scim, made, refused) = if one.made() { (&here, one, two) } else { (&there, two, one) };
            assert_kept(scim, &made).await;
            refused.answer.refused(409, "uniqueness");
        }
        let seen = Seen::of(&db.store).await;
        assert_eq!((seen.users.len(), seen.people.len()), ((round + 1) * 32, (round + 1) * 32));
        seen.assert_whole(&world.doors, None);
    }
    first.stop().await;
    second.stop().await;
    store.close().await;
    assert_chained(&db.store).await;
    db.remove().await;
}
