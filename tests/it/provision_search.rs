//! Filters and orders as SQL give the same answer as the law of `domain::filter`, on random documents and filters.
use std::collections::BTreeMap;
use std::time::Duration;

use rolecall::domain::filter::{FieldType, Filter, FilterField, FilterOp, FilterValue};
use rolecall::domain::id::{ExternalGroupId, ExternalUserId, Id as _};
use rolecall::domain::page::{PageRequest, Sort};
use rolecall::domain::text::fold;
use rolecall::provision::groups::{self, NewExternalGroup};
use rolecall::provision::listing::ListQuery;
use rolecall::provision::users::{self, NewExternalUser};
use rolecall::provision::{Execution, ProvisionSource};
use rolecall::scim::resource::{self, MemberRef};
use rolecall::store::{Store, members, search};
use serde_json::{Map, Value as Json, json};

use crate::support::database::on_both;
use crate::support::world::{World, ctx};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const EXTRA: &str = "urn:example:extra";

/// A die that falls the same way in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }

    fn of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }

    fn often(&mut self) -> bool {
        self.below(3) > 0
    }
}

/// Words that are alike but for case, width, wildcards, quotes and letters of several bytes.
const WORDS: [&str; 14] = [
    "ada",
    "Ada",
    "ADA b",
    "äpfel",
    "Äpfel",
    "Zebra",
    "100%",
    "a_b",
    "o'brien",
    "say \"hi\"",
    "back\\slash",
    "[]",
    "日本",
    "straße",
];

fn extended(world: &mut World) {
    let attribute = |name: &str, kind: &str| {
        json!({"name": name, "type": kind, "multiValued": false, "required": false, "caseExact": true,
            "mutability": "readWrite", "returned": "default", "uniqueness": "none", "description": "x"})
    };
    let schema = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"], "id": EXTRA, "name": "Extra", "description": "x",
        "attributes": [attribute("badge", "integer"), attribute("score", "decimal"), attribute("since", "dateTime"),
            attribute("remote", "boolean"), attribute("code", "string")],
    });
    world.schemas.extend("User", &schema, false).unwrap();
}

fn document(dice: &mut Dice, n: usize) -> Json {
    let mut doc = json!({"userName": format!("{}{n}", dice.of(&WORDS))});
    for name in ["displayName", "title", "externalId"] {
        if dice.often() {
            doc[name] = json!(dice.of(&WORDS));
        }
    }
    if dice.often() {
        doc["name"] = json!({"familyName": dice.of(&WORDS)});
    }
    if dice.often() {
        doc["active"] = json!(dice.often());
    }
    let mails: Vec<Json> = (0..dice.below(4))
        .map(|at| {
            let mut mail = json!({"value": format!("{}@x{}.example", dice.of(&WORDS), dice.below(3))});
            if dice.often() {
                mail["type"] = json!(dice.of(&["work", "home"]));
            }
            if at == 1 {
                mail["primary"] = json!(true);
            }
            mail
        })
        .collect();
    if !mails.is_empty() {
        doc["emails"] = json!(mails);
    }
    if dice.often() {
        doc[ENTERPRISE] = json!({"department": dice.of(&WORDS)});
    }
    if dice.often() {
        let days = format!("2026-01-0{}T08:00:00{}", 1 + dice.below(5), dice.of(&["Z", "+02:00"]));
        doc[EXTRA] =
            json!({"badge": dice.below(5), "score": dice.below(7) as f64 / 2.0, "since": days, "remote": dice.often()});
        if dice.often() {
            doc[EXTRA]["code"] = json!(dice.of(&WORDS));
        }
    }
    doc
}

fn field(path: &[&str], kind: FieldType) -> FilterField {
    FilterField { path: path.iter().map(|step| (*step).to_owned()).collect(), kind }
}

const TEXT: FieldType = FieldType::Text { exact: false };
const EXACT: FieldType = FieldType::Text { exact: true };

fn text_op(dice: &mut Dice) -> FilterOp {
    *dice.of(&[
        FilterOp::Eq,
        FilterOp::Ne,
        FilterOp::Co,
        FilterOp::Sw,
        FilterOp::Ew,
        FilterOp::Gt,
        FilterOp::Ge,
        FilterOp::Lt,
        FilterOp::Le,
    ])
}

fn number_op(dice: &mut Dice) -> FilterOp {
    *dice.of(&[FilterOp::Eq, FilterOp::Ne, FilterOp::Gt, FilterOp::Ge, FilterOp::Lt, FilterOp::Le])
}

/// A word, or a part of one, folded when case does not count.
fn word(dice: &mut Dice, kind: FieldType) -> FilterValue {
    let word = if dice.below(12) == 0 { "" } else { *dice.of(&WORDS) };
    let part: String = word.chars().skip(dice.below(2)).take(1 + dice.below(6)).collect();
    FilterValue::Text(if kind == EXACT { part } else { fold(&part) })
}

fn compare(path: &[&str], kind: FieldType, op: FilterOp, value: FilterValue) -> Filter {
    Filter::Compare { field: field(path, kind), op, value }
}

fn each(list: &[&str], inner: Filter) -> Filter {
    Filter::Each { list: field(list, FieldType::Object), inner: Box::new(inner) }
}

fn leaf(dice: &mut Dice, ids: &[String], groups: &[String]) -> Filter {
    let texts: [(&[&str], FieldType); 7] = [
        (&["userName"], TEXT),
        (&["externalId"], EXACT),
        (&["title"], TEXT),
        (&["displayName"], TEXT),
        (&["name", "familyName"], TEXT),
        (&[ENTERPRISE, "department"], TEXT),
        (&[EXTRA, "code"], EXACT),
    ];
    match dice.below(18) {
        0..=5 => {
            let (path, kind) = *dice.of(&texts);
            let op = text_op(dice);
            compare(path, kind, op, word(dice, kind))
        }
        6 => {
            let (path, kind) = *dice.of(&texts);
            Filter::Present(field(path, kind))
        }
        7 => {
            let op = *dice.of(&[FilterOp::Eq, FilterOp::Ne]);
            let paths: [&[&str]; 2] = [&["active"], &[EXTRA, "remote"]];
            compare(paths[dice.below(paths.len())], FieldType::Bool, op, FilterValue::Bool(dice.often()))
        }
        8 => {
            let op = text_op(dice);
            let id = dice.of(ids).clone();
            let id = match dice.below(4) {
                0 => id.to_uppercase(),
                1 => id[..8].to_owned(),
                _ => id,
            };
            compare(&["id"], EXACT, op, FilterValue::Text(id))
        }
        9 => {
            let path = *dice.of(&["created", "lastModified"]);
            compare(
                &["meta", path],
                FieldType::Time,
                number_op(dice),
                FilterValue::Time(dice.below(40) as i64 * 1_000_000),
            )
        }
        10 => {
            compare(&[EXTRA, "badge"], FieldType::Integer, number_op(dice), FilterValue::Integer(dice.below(5) as i64))
        }
        11 => compare(
            &[EXTRA, "score"],
            FieldType::Decimal,
            number_op(dice),
            FilterValue::Decimal(dice.below(7) as f64 / 2.0),
        ),
        12 => {
            let at = 1_767_225_600_000_000 + dice.below(5) as i64 * 86_400_000_000 + 28_800_000_000;
            compare(&[EXTRA, "since"], FieldType::Time, number_op(dice), FilterValue::Time(at))
        }
        13 => {
            let kind =
                compare(&["type"], TEXT, *dice.of(&[FilterOp::Eq, FilterOp::Ne]), FilterValue::Text("work".into()));
            let value = match dice.often() {
                true => {
                    let address = fold(&format!("{}@x{}.example", dice.of(&WORDS), dice.below(3)));
                    compare(&["value"], TEXT, *dice.of(&[FilterOp::Eq, FilterOp::Ne]), FilterValue::Text(address))
                }
                false => {
                    let op = text_op(dice);
                    compare(&["value"], TEXT, op, word(dice, TEXT))
                }
            };
            let inner = match dice.below(4) {
                0 => kind,
                1 => value,
                2 => Filter::And(vec![kind, value]),
                _ => {
                    Filter::Or(vec![Filter::Not(Box::new(kind)), Filter::Present(field(&["primary"], FieldType::Bool))])
                }
            };
            each(&["emails"], inner)
        }
        14 => {
            let paths: [&[&str]; 5] = [&["emails"], &["name"], &[ENTERPRISE], &["groups"], &["meta"]];
            Filter::Present(field(paths[dice.below(paths.len())], FieldType::Object))
        }
        15 => each(
            &["groups"],
            compare(
                &["value"],
                EXACT,
                *dice.of(&[FilterOp::Eq, FilterOp::Ne]),
                FilterValue::Text(dice.of(groups).clone()),
            ),
        ),
        16 => {
            let direct = FilterValue::Text((*dice.of(&["direct", "indirect"])).into());
            let kind = compare(&["type"], TEXT, FilterOp::Eq, direct);
            let op = text_op(dice);
            let name = compare(&["display"], TEXT, op, word(dice, TEXT));
            each(&["groups"], if dice.often() { Filter::And(vec![kind, name]) } else { name })
        }
        _ => {
            let urn = FilterValue::Text(if dice.often() { ENTERPRISE } else { EXTRA }.to_owned());
            each(&["schemas"], compare(&[], EXACT, FilterOp::Eq, urn))
        }
    }
}

fn filter(dice: &mut Dice, depth: usize, ids: &[String], groups: &[String]) -> Filter {
    if depth == 0 {
        return leaf(dice, ids, groups);
    }
    match dice.below(5) {
        0 => Filter::And((0..2).map(|_| filter(dice, depth - 1, ids, groups)).collect()),
        1 => Filter::Or((0..2).map(|_| filter(dice, depth - 1, ids, groups)).collect()),
        2 => Filter::Not(Box::new(filter(dice, depth - 1, ids, groups))),
        3 => Filter::And(vec![Filter::Constant(dice.often()), filter(dice, depth - 1, ids, groups)]),
        _ => leaf(dice, ids, groups),
    }
}

/// What is in the database, and what the law looks at.
struct Population {
    twins: BTreeMap<ExternalUserId, Json>,
    groups: Vec<String>,
}

async fn populate(store: &Store, world: &World, source: &ProvisionSource<'_>, dice: &mut Dice) -> Population {
    let mut twins = BTreeMap::new();
    for n in 0..40 {
        let said = world.user(document(dice, n));
        let keys = resource::keys(world.schemas.users(), &said);
        let new = NewExternalUser { stable_key: None, said: said.into() };
        let user = users::create(store, &ctx(n as i64), source, new, Execution::Real).await.unwrap().value;
        let mut twin: Map<String, Json> = keys.as_object().unwrap().clone();
        let at = user.created_at.micros();
        twin.insert("id".into(), user.id.to_string().into());
        twin.insert("meta".into(), json!({"created": at, "lastModified": at}));
        twins.insert(user.id, Json::Object(twin));
    }
    let all: Vec<ExternalUserId> = twins.keys().copied().collect();
    let mut groups = Vec::new();
    let mut inner: Option<MemberRef> = None;
    for n in 0..5_i64 {
        let name = format!("{} {n}", dice.of(&WORDS));
        let mut members: Vec<MemberRef> = Vec::new();
        let mut lists: Vec<ExternalUserId> = all.iter().copied().filter(|_| dice.below(4) == 0).collect();
        members.extend(lists.iter().map(|id| MemberRef::of(id.uuid(), None)));
        members.extend(inner.take());
        let new = NewExternalGroup { stable_key: None, document: world.group(&name), members, row_hash: None };
        let made = groups::create(store, &ctx(100 + n), source, &new, Execution::Real).await.unwrap().value;
        groups.push(made.id.to_string());
        if n % 2 == 0 {
            inner = Some(MemberRef::of(made.id.uuid(), None));
        }
        lists.clear();
    }
    for (id, twin) in &mut twins {
        let view = users::get(store, source, *id, true).await.unwrap().unwrap();
        let list: Vec<Json> = view
            .groups
            .unwrap()
            .into_iter()
            .map(|row| {
                json!({"value": row.group, "display": fold(&row.display_name),
                    "type": if row.direct { "direct" } else { "indirect" }})
            })
            .collect();
        if !list.is_empty() {
            twin["groups"] = json!(list);
        }
    }
    Population { twins, groups }
}

const ALL: PageRequest = PageRequest::Index { start: 1, count: 1_000 };

on_both! {
    async fn j02_filters_as_sql_agree_with_the_law(db: &Database) {
        let mut world = World::new(&db.store).await;
        extended(&mut world);
        let source = world.source();
        let mut dice = Dice(20_261_122);
        let population = populate(&db.store, &world, &source, &mut dice).await;
        let ids: Vec<String> = population.twins.keys().map(ToString::to_string).collect();
        let mut reader = db.store.reader().await.unwrap();
        let mut telling = 0;
        for round in 0..900 {
            let filter = filter(&mut dice, round % 4, &ids, &population.groups);
            let wanted: Vec<ExternalUserId> = population.twins.iter()
                .filter(|(_, twin)| filter.matches(twin)).map(|(id, _)| *id).collect();
            let found = search::users(&mut reader, &source.extent, Some(&filter), None, &ALL).await;
            let found: Vec<ExternalUserId> = found.unwrap_or_else(|error| panic!("{error}: {filter:?}"))
                .rows.iter().map(|user| user.id).collect();
            assert_eq!(found, wanted, "{filter:?}");
            let total = search::count_users(&mut reader, &source.extent, Some(&filter)).await.unwrap();
            assert_eq!(total as usize, wanted.len());
            telling += usize::from(!wanted.is_empty() && wanted.len() < population.twins.len());
        }
        assert!(telling > 400, "only {telling} of 900 filters told anybody apart");
        let other = world.at(world.connections[1]).extent;
        let nobody = search::users(&mut reader, &other, Some(&Filter::Constant(true)), None, &ALL).await.unwrap();
        assert!(nobody.rows.is_empty());
    }

    async fn k01_orders_and_pages_agree_with_the_law(db: &Database) {
        let mut world = World::new(&db.store).await;
        extended(&mut world);
        let source = world.source();
        let mut dice = Dice(7);
        let population = populate(&db.store, &world, &source, &mut dice).await;
        let mails = field(&["emails"], FieldType::Object);
        let sorts: Vec<(Option<FilterField>, FilterField)> = vec![
            (None, field(&["userName"], TEXT)),
            (None, field(&["title"], TEXT)),
            (None, field(&["externalId"], EXACT)),
            (None, field(&["name", "familyName"], TEXT)),
            (None, field(&["active"], FieldType::Bool)),
            (None, field(&["meta", "created"], FieldType::Time)),
            (None, field(&[EXTRA, "badge"], FieldType::Integer)),
            (None, field(&[EXTRA, "since"], FieldType::Time)),
            (None, field(&[EXTRA, "remote"], FieldType::Bool)),
            (Some(mails.clone()), field(&["value"], TEXT)),
            (Some(mails), field(&["type"], TEXT)),
        ];
        for (list, by) in sorts {
            for descending in [false, true] {
                let sort = Sort { list: list.clone(), field: by.clone(), descending };
                let wanted = ordered(&population, &sort);
                let mut walked = Vec::new();
                let mut after = None;
                let mut before = loop {
                    let page = PageRequest::Cursor { after, count: 7 };
                    let wanted = ListQuery { filter: None, sort: Some(&sort), page: &page, searching: Duration::from_secs(1), counting: Duration::from_millis(250) };
                    let listed = users::list(&db.store, &source, wanted, false).await.unwrap();
                    walked.extend(listed.rows.iter().map(|row| row.user.id));
                    assert_eq!(listed.beside.previous.is_some(), walked.len() > 7);
                    match listed.beside.next {
                        Some(next) => after = Some(next),
                        None => break listed.beside.previous,
                    }
                };
                assert_eq!(walked, wanted, "{sort:?}");
                walked.truncate(35);
                while let Some(position) = before {
                    let page = PageRequest::Back { before: position, count: 7 };
                    let wanted = ListQuery { filter: None, sort: Some(&sort), page: &page, searching: Duration::from_secs(1), counting: Duration::ZERO };
                    let listed = users::list(&db.store, &source, wanted, false).await.unwrap();
                    let found: Vec<_> = listed.rows.iter().map(|row| row.user.id).collect();
                    assert_eq!(found, walked.split_off(walked.len() - 7), "{sort:?}");
                    assert!(listed.beside.next.is_some());
                    before = listed.beside.previous;
                }
                assert!(walked.is_empty(), "{sort:?}");
                let page = PageRequest::Index { start: 11, count: 5 };
                let part = ListQuery { filter: None, sort: Some(&sort), page: &page, searching: Duration::from_secs(1), counting: Duration::from_millis(250) };
                let listed = users::list(&db.store, &source, part, true).await.unwrap();
                let found: Vec<_> = listed.rows.iter().map(|row| row.user.id).collect();
                assert_eq!(found, wanted[10..15]);
                assert_eq!(listed.total, Some(40));
            }
        }
    }

    async fn groups_are_found_by_their_members(db: &Database) {
        let mut world = World::new(&db.store).await;
        extended(&mut world);
        let source = world.source();
        let mut dice = Dice(3);
        let population = populate(&db.store, &world, &source, &mut dice).await;
        let mut reader = db.store.reader().await.unwrap();
        for (id, twin) in &population.twins {
            let direct: Vec<&str> = twin.get("groups").and_then(Json::as_array).into_iter().flatten()
                .filter(|group| group["type"] == "direct").map(|group| group["value"].as_str().unwrap()).collect();
            let by_id = each(&["members"], compare(&["value"], EXACT, FilterOp::Eq, FilterValue::Text(id.to_string())));
            let by_both = each(&["members"], Filter::And(vec![
                compare(&["value"], EXACT, FilterOp::Eq, FilterValue::Text(id.to_string())),
                compare(&["type"], TEXT, FilterOp::Eq, FilterValue::Text("user".into())),
            ]));
            for filter in [by_id, by_both] {
                let found = search::groups(&mut reader, &source.extent, Some(&filter), None, &ALL).await.unwrap();
                let mut found: Vec<String> = found.rows.iter().map(|group| group.id.to_string()).collect();
                found.sort();
                let mut wanted = direct.clone();
                wanted.sort_unstable();
                assert_eq!(found, wanted);
            }
        }
        let nested = each(&["members"], compare(&["type"], TEXT, FilterOp::Eq, FilterValue::Text("group".into())));
        let found = search::groups(&mut reader, &source.extent, Some(&nested), None, &ALL).await.unwrap();
        assert!(!found.rows.is_empty());
        let sort = Sort { list: None, field: field(&["displayName"], TEXT), descending: true };
        let page = ListQuery { filter: None, sort: Some(&sort), page: &ALL, searching: Duration::from_secs(1), counting: Duration::from_millis(250) };
        drop(reader);
        let listed = groups::list(&db.store, &source, page).await.unwrap();
        assert_eq!(listed.total, Some(5));
        let names: Vec<String> = listed.rows.iter().map(|group| fold(&group.display_name)).collect();
        assert!(names.is_sorted_by(|a, b| a.as_bytes() >= b.as_bytes()));
        let ids: Vec<ExternalGroupId> = listed.rows.iter().map(|group| group.id).collect();
        let mut reader = db.store.reader().await.unwrap();
        let mut sizes = members::sizes(&mut reader, &source.extent, &ids).await.unwrap();
        sizes.sort_unstable();
        let mut counted = Vec::new();
        for id in ids {
            counted.push((id, members::page(&mut reader, &source.extent, id, None, 1_000).await.unwrap().len()));
        }
        counted.sort_unstable();
        assert_eq!(sizes, counted);
        assert!(sizes.iter().any(|(_, size)| *size > 0));
    }
}

/// The order as RFC 7644 §3.4.2.3 has it: missing last ascending and first descending, ties by id.
fn ordered(population: &Population, sort: &Sort) -> Vec<ExternalUserId> {
    let key = |twin: &Json| -> Option<(Vec<u8>, i64)> {
        let root = match &sort.list {
            None => Some(twin),
            Some(list) => list
                .find(twin)
                .and_then(Json::as_array)
                .and_then(|items| items.iter().find(|item| item["primary"] == true).or_else(|| items.first())),
        };
        match sort.field.find(root?)? {
            Json::String(text) => Some((text.clone().into_bytes(), 0)),
            Json::Bool(truth) => Some((Vec::new(), i64::from(*truth))),
            number => Some((Vec::new(), number.as_i64()?)),
        }
    };
    let mut rows: Vec<_> = population.twins.iter().map(|(id, twin)| (key(twin), *id)).collect();
    rows.sort_by(|(a, a_id), (b, b_id)| {
        let by_key = match (a, b) {
            (None, None) => std::cmp::Ordering::Equal,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(_), None) => std::cmp::Ordering::Less,
            (Some(a), Some(b)) => a.cmp(b),
        };
        let by_key = if sort.descending { by_key.reverse() } else { by_key };
        by_key.then(a_id.uuid().cmp(&b_id.uuid()))
    });
    rows.into_iter().map(|(_, id)| id).collect()
}
