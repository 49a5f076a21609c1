//! What creations over SCIM write and answer, and that it is whole: nothing is missing, nothing is a neighbour's.
use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use reqwest::Method;
use rolecall::domain::id::Id as _;
use rolecall::domain::text::fold;
use rolecall::provision::events;
use rolecall::store::extent::{ConnectionExtent, OperatorExtent};
use rolecall::store::request_log::{self, RequestLogEntry};
use rolecall::store::{Row, Store, tuple};
use rolecall::{binds, statements};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::database::Database;
use crate::app::{Answer, Scim};

statements! {
    EXTERNAL_USERS = "SELECT id, connection_id, document, active, user_id, link_origin FROM external_users";
    USERS = "SELECT id, partner_id, display_name, given_name, family_name, email, login_name, primary_group_id FROM live_users";
    LINES = "SELECT id, partner_id, actor, kind, subject, data FROM events ORDER BY id";
    KEYS = "SELECT user_id, directory_id, match_key FROM match_keys";
    OFF = "SELECT user_id, source FROM user_suspensions";
}

/// What is stored of a user.
#[derive(Debug)]
pub struct ExternalUserSeen {
    /// The connection.
    pub connection: Uuid,
    pub doc: Json,
    pub user: Option<Uuid>,
    pub link: Option<String>,
    active: bool,
}

/// What is stored of a user.
#[derive(PartialEq, Debug)]
pub struct User {
    partner: Uuid,
    name: Option<String>,
    given: Option<String>,
    family: Option<String>,
    mail: Option<String>,
    login: Option<String>,
    pub primary_group: Uuid,
}

/// A line of the event log; `told` is what the log of requests shows of it, too.
#[derive(PartialEq, Debug)]
struct Line {
    id: Uuid,
    partner: Uuid,
    actor: Json,
    told: Json,
}

/// Everything that creations write.
pub struct Seen {
    pub external_users: BTreeMap<Uuid, ExternalUserSeen>,
    pub users: BTreeMap<Uuid, User>,
    lines: Vec<Line>,
    keys: BTreeSet<(Uuid, Uuid, String)>,
    off: BTreeSet<(Uuid, String)>,
}

impl Seen {
    /// What is stored now.
    pub async fn of(store: &Store) -> Self {
        let external_user = |row: &Row| {
            let (connection, doc, active) = (row.get(1)?, row.json(2)?, row.get(3)?);
            Ok((row.get(0)?, ExternalUserSeen { connection, doc, user: row.get(4)?, link: row.get(5)?, active }))
        };
        let user = |row: &Row| {
            let (partner, name, given, family) = (row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?);
            let (mail, login, primary_group) = (row.get(5)?, row.get(6)?, row.get(7)?);
            Ok((row.get(0)?, User { partner, name, given, family, mail, login, primary_group }))
        };
        let line = |row: &Row| {
            let told = told(&row.get::<String>(3)?, row.get(4)?, row.json(5)?);
            Ok(Line { id: row.get(0)?, partner: row.get(1)?, actor: row.json(2)?, told })
        };
        let key = |row: &Row| Ok((row.get(0)?, row.get(1)?, String::from_utf8(row.get(2)?).unwrap()));
        let mut reader = store.reader().await.unwrap();
        Self {
            external_users: reader.all(&EXTERNAL_USERS, binds![], external_user).await.unwrap().into_iter().collect(),
            users: reader.all(&USERS, binds![], user).await.unwrap().into_iter().collect(),
            lines: reader.all(&LINES, binds![], line).await.unwrap(),
            keys: reader.all(&KEYS, binds![], key).await.unwrap().into_iter().collect(),
            off: reader.all(&OFF, binds![], tuple).await.unwrap().into_iter().collect(),
        }
    }

    /// Leaves out the users and lines that were there before.
    pub fn since(mut self, before: &Self) -> Self {
        self.users.retain(|id, _| !before.users.contains_key(id));
        self.lines.retain(|line| !before.lines.contains(line));
        self
    }

    /// The lines that belong to a user: about itself, and what its connection says of its user.
    fn story(&self, id: Uuid) -> Vec<&Line> {
        let user = &self.external_users[&id];
        let own = |line: &&Line| {
            let (subject, connection) = (&line.told["subject"], &line.told["data"]["connection"]);
            let of_user =
                || user.user.is_some() && *subject == json!(user.user) && *connection == json!(user.connection);
            *subject == json!(id) || of_user()
        };
        self.lines.iter().filter(own).collect()
    }

    /// Whom a user that waits for review resembles.
    pub fn resembled(&self, id: Uuid) -> Uuid {
        self.story(id)[1].told["data"]["candidate"].as_str().unwrap().parse().unwrap()
    }

    /// Whether a source keeps the user out.
    pub fn is_off(&self, user: Uuid) -> bool {
        self.off.iter().any(|(off, _)| *off == user)
    }

    /// Whether the user was made for a user of this connection.
    pub fn made_at(&self, user: Uuid, connection: &ConnectionExtent) -> bool {
        let here = |external_user: &ExternalUserSeen| {
            external_user.connection == connection.connection().uuid()
                && external_user.link.as_deref() == Some("created")
        };
        self.external_users.values().any(|external_user| external_user.user == Some(user) && here(external_user))
    }

    /// The users linked to each user, in the order of their ids.
    fn linked(&self) -> BTreeMap<Uuid, Vec<Uuid>> {
        let mut linked = BTreeMap::<Uuid, Vec<Uuid>>::new();
        for (id, external_user) in &self.external_users {
            external_user.user.into_iter().for_each(|user| linked.entry(user).or_default().push(*id));
        }
        linked
    }

    /// Fails unless each user stands there whole, with its user, its key and its lines in their order, all of its own
    /// connection's; and unless that is all there is. The connections join by `externalId`. Whoever is placed in `place` was placed
    /// there by a rule.
    pub fn assert_whole(&self, connections: &[ConnectionExtent], place: Option<Uuid>) {
        let connection_of = |external_user: &ExternalUserSeen| {
            *connections.iter().find(|connection| connection.connection().uuid() == external_user.connection).unwrap()
        };
        let linked = self.linked();
        assert!(self.users.keys().eq(linked.keys()), "a user for whom nobody came, or the other way round");
        let (mut keys, mut off) = (BTreeSet::new(), BTreeSet::new());
        for (user, ids) in &linked {
            let external_users: Vec<&ExternalUserSeen> = ids.iter().map(|id| &self.external_users[id]).collect();
            let made: Vec<_> = external_users
                .iter()
                .filter(|external_user| external_user.link.as_deref() == Some("created"))
                .collect();
            let [first] = *made else { panic!("made for one: {external_users:?}") };
            let key = first.doc["externalId"].as_str().map(str::to_owned);
            keys.extend(key.map(|key| (*user, connection_of(first).directory().uuid(), key)));
            let silent = external_users.iter().filter(|external_user| !external_user.active);
            off.extend(silent.map(|external_user| (*user, connection_of(external_user).source().to_string())));
            // The connections of a directory have their say in the order of ids.
            let said = |what: fn(&Json) -> Option<&str>| {
                external_users.iter().find_map(|external_user| what(&external_user.doc)).map(str::to_owned)
            };
            let (given, family) =
                (said(|doc| doc["name"]["givenName"].as_str()), said(|doc| doc["name"]["familyName"].as_str()));
            let both = || Some(format!("{} {}", given.as_ref()?, family.as_ref()?));
            let wanted = User {
                partner: connection_of(first).partner().uuid(),
                name: said(|doc| doc["displayName"].as_str()).or_else(both),
                given: given.clone(),
                family: family.clone(),
                mail: said(mail),
                login: said(|doc| doc["userName"].as_str()),
                primary_group: self.users[user].primary_group,
            };
            assert_eq!(self.users[user], wanted);
        }
        assert_eq!((&self.keys, &self.off), (&keys, &off));

        let mut lines = 0;
        for (id, external_user) in &self.external_users {
            assert_eq!(external_user.active, external_user.doc["active"] != false);
            let (story, partner) = (self.story(*id), connection_of(external_user).partner().uuid());
            let actor = json!({"kind": "connection", "connection": external_user.connection});
            assert!(story.iter().all(|line| line.partner == partner && line.actor == actor), "{story:#?}");
            let before_others = external_user.user.is_some_and(|user| linked[&user][0] == *id);
            let wanted = self.expected(*id, before_others, place);
            assert!(story.iter().map(|line| &line.told).eq(&wanted), "{story:#?}\nwanted: {wanted:#?}");
            lines += story.len();
        }
        assert_eq!(lines, self.lines.len(), "lines that belong to nobody: {:#?}", self.lines);
    }

    /// The lines that a user should have.
    fn expected(&self, id: Uuid, before_others: bool, place: Option<Uuid>) -> Vec<Json> {
        let external_user = &self.external_users[&id];
        let here = json!({"connection": external_user.connection});
        let mut lines = vec![told("external_user.created", Some(id), here.clone())];
        let Some(user) = external_user.user else {
            let data = json!({"connection": external_user.connection, "candidate": self.resembled(id)});
            lines.push(told("match.proposed", Some(id), data));
            return lines;
        };
        let created = external_user.link.as_deref() == Some("created");
        lines.extend(created.then(|| told("user.created", Some(user), here.clone())));
        lines.push(told("external_user.linked", Some(id), json!({"user": user, "link_origin": external_user.link})));
        // Whoever joins changes what is said of the user only by being heard first.
        lines.extend((!created && before_others).then(|| told("user.updated", Some(user), here.clone())));
        lines.extend((!external_user.active).then(|| told("user.suspended", Some(user), here)));
        if Some(self.users[&user].primary_group) == place {
            lines.push(told(
                "user.primary_group_changed",
                Some(user),
                json!({"connection": external_user.connection, "group": place}),
            ));
        }
        lines
    }
}

fn told(kind: &str, subject: Option<Uuid>, data: Json) -> Json {
    json!({"kind": kind, "subject": subject, "data": data})
}

/// The mail address that a document gives its user.
pub fn mail(doc: &Json) -> Option<&str> {
    let name = doc["userName"].as_str().filter(|name| name.contains('@'));
    doc["emails"][0]["value"].as_str().or(name)
}

/// A POST to `/Users` and its answer.
pub struct Sent {
    pub body: Json,
    pub dry: bool,
    pub answer: Answer,
}

impl Sent {
    /// Sends it; `dry`: only to be tried.
    pub async fn post(scim: &Scim, body: Json, dry: bool) -> Self {
        let request = scim.request(Method::POST, "/Users").header("content-type", "application/scim+json");
        let request = request.header("rolecall-dry-run", dry.to_string());
        Self { answer: scim.send(request.body(body.to_string())).await, body, dry }
    }

    /// Sends them all at once.
    pub async fn all(scim: &Scim, bodies: impl IntoIterator<Item = Json>) -> Vec<Self> {
        join_all(bodies.into_iter().map(|body| Self::post(scim, body, false))).await
    }

    /// What is kept of the body, and `active`, which is always said.
    pub fn wanted(&self) -> Json {
        let mut body = self.body.clone();
        body["active"] = json!(body["active"] != false);
        body.as_object_mut().unwrap().retain(|name, _| !["password", "shoeSize"].contains(&name.as_str()));
        body
    }

    /// The user's name, as names are compared.
    pub fn name(&self) -> String {
        fold(self.body["userName"].as_str().unwrap())
    }

    /// The user's id.
    pub fn id(&self) -> Uuid {
        self.answer.id().parse().unwrap()
    }

    /// Whether a user was created.
    pub fn made(&self) -> bool {
        self.answer.status == 201
    }

    /// Fails unless a creation was answered with what was sent, and a GET says the same.
    pub async fn assert_kept(&self, scim: &Scim) {
        let answer = &self.answer;
        assert_eq!((answer.status, bare(&answer.body)), (201, self.wanted()), "{answer:?}");
        let (address, meta) = (format!("{}/Users/{}", scim.base, answer.id()), &answer.body["meta"]);
        assert_eq!((answer.header("location"), meta["location"].as_str()), (&*address, Some(&*address)));
        assert_eq!(
            (answer.header("etag"), &meta["lastModified"]),
            (meta["version"].as_str().unwrap(), &meta["created"])
        );
        let read = scim.get(&format!("/Users/{}", answer.id())).await;
        assert_eq!((read.status, read.header("etag"), &read.body), (200, answer.header("etag"), &answer.body));
    }

    /// Fails unless this is the line of the request: what it was, and what it did.
    fn assert_noted(&self, entry: &RequestLogEntry, seen: &Seen) {
        assert_eq!((entry.status, entry.dry_run, &*entry.path), (self.answer.status, self.dry, "/Users"));
        let mut body = self.body.clone();
        body.get_mut("password").into_iter().for_each(|secret| *secret = json!("[hidden]"));
        assert_eq!(serde_json::from_str::<Json>(&entry.request.as_ref().unwrap().text()).unwrap(), body);
        assert_eq!(entry.error.is_some(), self.answer.status >= 400, "{entry:?}");
        let effect = &entry.effect;
        if self.answer.status >= 400 {
            return assert_eq!(effect, &Json::Null);
        }
        let mut wanted = self.wanted();
        wanted.as_object_mut().unwrap().remove("schemas");
        let names: BTreeSet<String> = serde_json::from_value(effect["attributes"].clone()).unwrap();
        assert!(names.iter().eq(wanted.as_object().unwrap().keys()), "{effect:#}\n{wanted:#}");
        if self.dry {
            // The log leaves out what did not happen; that nobody's access changes is said.
            let mut told = self.answer.body["effect"].clone();
            let empty =
                |name: &str, value: &Json| value.is_null() || name != "access" && [json!(0), json!([])].contains(value);
            told.as_object_mut().unwrap().retain(|name, value| !empty(name, value));
            return assert_eq!(*effect, told);
        }
        let story: Vec<&Json> = seen.story(self.id()).into_iter().map(|line| &line.told).collect();
        assert_eq!(effect["events"], json!(story));
        let whom = seen.external_users[&self.id()].user.unwrap_or_else(|| seen.resembled(self.id()));
        let users = effect["users"].as_array().unwrap();
        assert!(!users.is_empty() && users.iter().all(|change| change["user"] == json!(whom)), "{effect:#}");
    }
}

/// A resource without what the server adds.
pub fn bare(resource: &Json) -> Json {
    let mut resource = resource.clone();
    resource.as_object_mut().unwrap().retain(|name, _| name != "id" && name != "meta");
    resource
}

/// Fails unless the log of requests has one line for each, with what that one did. The server has stopped.
pub async fn assert_logged<'s>(
    db: &Database,
    connection: &ConnectionExtent,
    seen: &Seen,
    sent: impl IntoIterator<Item = &'s Sent>,
) {
    let (log, _) = request_log::open(&db.url, &db.folder(), 1).await.unwrap();
    let mut entries = BTreeMap::<String, Vec<RequestLogEntry>>::new();
    for entry in log.page(connection, "", None, 100_000).await.unwrap().0 {
        entries.entry(entry.request_id.clone()).or_default().push(entry);
    }
    for sent in sent {
        let [entry] = &*entries[sent.answer.header("x-request-id")] else { panic!("not one line: {:?}", sent.body) };
        sent.assert_noted(entry, seen);
    }
}

/// Numbers and chains the lines that wait, and checks the chain. No server is there to do it.
pub async fn assert_chained(store: &Store) {
    while events::seal(store).await.unwrap() > 0 {}
    let lines = Seen::of(store).await.lines.len();
    let chain = events::verify(&mut store.reader().await.unwrap(), &OperatorExtent::assume()).await.unwrap();
    assert_eq!(chain, Ok(i64::try_from(lines).unwrap()));
}
