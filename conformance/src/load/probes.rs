//! `cargo xtask bench probes [--users N]`: what is looked up costs the same in a small store and in a large one.
//!
//! Both stores of a database are measured in turns within one run: the small one has 1,000 users and 1,000 groups, the
//! large one N users and as many groups, 100,000 at most. Times are those of single requests, to both stores in turns, and
//! of all the first quartile; processor time is that of the server and the database together. Ratios are told with their targets.

use super::connection::Connection;
use super::cpu::{self, Meter};
use super::run::{Load, Request, median};
use super::table::Table;
use super::table::Target::{AtMost, Told};
use super::{MANY, prepare_groups, seed};
use crate::args::Args;
use crate::report::Report;
use crate::server::{Door, Server, Start};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Instant;

/// Users and groups of the small store.
const SMALL: usize = 1_000;
/// Groups of the large one, at most.
const GROUPS: usize = 100_000;
/// Requests of a probe or page, to each store.
const ASKED: usize = 160;
/// Members of the large groups, and how many such groups there are.
const MEMBERS: usize = 10_000;
const CROWDS: usize = 10;
/// Users of one bulk request.
const BULK: usize = 1_000;
/// Filters that differ in shape.
const SHAPES: usize = 8_000;
/// People of a partner's own.
const LOCALS: usize = 100;
/// A group whose members are given a role by a rule of the demo, and how many it has.
const OPERATORS: &str = "Backup Operators";
/// Questions of a batch, which the operators are asked about.
const QUESTIONS: usize = 200;

/// Runs every measure on one database.
///
/// # Errors
/// When the server does not start or an answer is wrong.
pub async fn bench_probes(args: &Args, report: &mut Report) -> Result<()> {
    report.note(&format!("{}: load average {} before", args.kind(), cpu::busy()));
    let mut table = Table::new(args.kind());
    let small = store(args, "small", SMALL, SMALL, 0).await?;
    let groups = args.users.clamp(SMALL, GROUPS);
    let large = store(args, "large", args.users, groups, if args.users >= MEMBERS { CROWDS } else { 0 }).await?;
    let [little, much] = [Side::open(&small, SMALL, SMALL).await?, Side::open(&large, args.users, groups).await?];
    probes(&little, &much, &mut table, report).await?;
    pages(&little, &much, &mut table).await?;
    partner(&little, &much, &mut table).await?;
    little.server.stop().await?;
    if args.users >= MEMBERS {
        crowds(&much, &large, &mut table).await?;
    }
    lists(&much, &mut table).await?;
    decisions(&much, &mut table).await?;
    shapes(&much, &mut table).await?;
    bulk(&much, &mut table).await?;
    much.server.stop().await?;
    table.print(report);
    report.note(&format!("load average {} after", cpu::busy()));
    report.pass("every answer was a success");
    Ok(())
}

/// A store with so many users and groups, of which some groups are crowds; its server is stopped.
async fn store(args: &Args, name: &str, users: usize, groups: usize, crowds: usize) -> Result<Filled> {
    let mut args = args.clone();
    if args.database != "sqlite" && name == "small" {
        args.database = format!("{}_small", args.database);
    }
    let start = Start::new(&args, &format!("probes-{name}"))?;
    let named = (0..crowds).map(|crowd| format!("crowd-{crowd}")).chain([OPERATORS.to_owned()]);
    prepare_groups(&start, named).await?;
    let server = Server::start(&start).await?;
    let partners = partners(&server).await?;
    server.stop().await?;
    seed::copies(&args, &start.keep, 1, users).await?;
    seed::groups(&args, &start.keep, groups).await?;
    for crowd in 0..crowds {
        // Of the last users: those of the first pages are in as few groups as those of the small store.
        let last = (users.saturating_sub(MEMBERS) + 1, users);
        seed::members(&args, &start.keep, &format!("crowd-{crowd}"), last).await?;
    }
    seed::members(&args, &start.keep, OPERATORS, (1, QUESTIONS)).await?;
    seed::locals(&args, &start.keep, LOCALS).await?;
    Ok(Filled { args, start, partners })
}

/// A store that has been filled.
struct Filled {
    args: Args,
    start: Start,
    /// The id of each partner by its name.
    partners: BTreeMap<String, String>,
}

/// A server on one of the stores.
struct Side {
    server: Server,
    meter: Meter,
    users: usize,
    groups: usize,
    partners: BTreeMap<String, String>,
}

impl Side {
    async fn open(filled: &Filled, users: usize, groups: usize) -> Result<Self> {
        let server = Server::start(&filled.start).await?;
        let meter = Meter::new(server.pid()?, &filled.args.database);
        Ok(Self { server, meter, users, groups, partners: filled.partners.clone() })
    }

    fn door(&self) -> &Door {
        &self.server.ready.scim
    }

    /// A number of one of its users, another one at each turn.
    fn user(&self, turn: usize) -> usize {
        1 + turn * 7_919 % self.users
    }

    fn group(&self, turn: usize) -> usize {
        1 + turn * 7_919 % self.groups
    }
}

/// A filter, of the number that it is to name.
type Make = fn(usize) -> String;

const USERS: [(&str, Make); 5] = [
    ("id", |at| format!("id eq \"{}\"", seed::id(at))),
    ("userName", |at| format!("userName eq \"{}\"", seed::name(at))),
    ("externalId", |at| format!("externalId eq \"seed-{at}\"")),
    ("emails.value", |at| format!("emails.value eq \"{}\"", seed::name(at))),
    ("emails[]", |at| format!("emails[type eq \"work\" and value eq \"{}\"]", seed::name(at))),
];

const OF_GROUPS: [(&str, Make); 3] = [
    ("id", |at| format!("id eq \"{}\"", seed::group_id(at))),
    ("displayName", |at| format!("displayName eq \"{}\"", seed::group_name(at))),
    ("externalId", |at| format!("externalId eq \"{}\"", seed::group_name(at))),
];

/// What is asked of a store: a name, the path of the request for number `at`, and whether it finds something.
struct Probe {
    name: String,
    path: Box<dyn Fn(usize) -> String>,
    groups: bool,
    hit: bool,
}

/// Makes the filter of a numbered resource.
type Filter = Box<dyn Fn(usize) -> String>;

/// Every identifier alone, each two of them with `and` and with `or`, and with `active`; groups with and without their
/// members; each found and not, ordered and not.
fn all_probes() -> Vec<Probe> {
    let mut filters: Vec<(String, bool, Filter)> = Vec::new();
    for (groups, kinds) in [(false, &USERS[..]), (true, &OF_GROUPS[..])] {
        for (number, (name, make)) in kinds.iter().enumerate() {
            let (name, make) = (*name, *make);
            filters.push((name.to_owned(), groups, Box::new(make)));
            if !groups {
                let with_active = move |at| format!("{} and active eq true", make(at));
                filters.push((format!("{name} and active"), groups, Box::new(with_active)));
            }
            for (other, also) in kinds.iter().skip(number + 1) {
                let also = *also;
                for word in ["and", "or"] {
                    let both = move |at| format!("{} {word} {}", make(at), also(at));
                    filters.push((format!("{name} {word} {other}"), groups, Box::new(both)));
                }
            }
        }
    }
    let mut probes = Vec::new();
    for (name, groups, filter) in filters {
        let filter = std::rc::Rc::new(filter);
        let (list, order) = if groups { ("/Groups", "displayName") } else { ("/Users", "userName") };
        let without: &[&str] = if groups { &["", "&excludedAttributes=members"] } else { &[""] };
        for (hit, extra, sorted) in [true, false]
            .into_iter()
            .flat_map(|hit| without.iter().flat_map(move |extra| [true, false].map(|sorted| (hit, *extra, sorted))))
        {
            let sort = if sorted { format!("&sortBy={order}") } else { String::new() };
            let filter = filter.clone();
            let path = move |at: usize| {
                // Nobody has a number so high.
                let asked = filter(if hit { at } else { at + 500_000_000 });
                format!("{list}?filter={}{extra}{sort}", encoded(&asked))
            };
            let told = [if hit { "" } else { ", miss" }, if sorted { ", sorted" } else { "" }];
            let bare = if extra.is_empty() { "" } else { ", without members" };
            let name = format!("{} {name}{bare}{}", &list[1..], told.concat());
            probes.push(Probe { name, path: Box::new(path), groups, hit });
        }
    }
    probes
}

fn encoded(filter: &str) -> String {
    filter.replace(' ', "%20").replace('"', "%22").replace('[', "%5B").replace(']', "%5D")
}

async fn probes(little: &Side, much: &Side, table: &mut Table, report: &Report) -> Result<()> {
    let mut small = Connection::open(little.door()).await?;
    let mut large = Connection::open(much.door()).await?;
    let (mut ratios, mut lines) = (Vec::new(), Vec::new());
    let all = all_probes();
    for probe in &all {
        let (mut here, mut there) = (Vec::new(), Vec::new());
        for turn in 0..ASKED {
            // One here, one there: what else the machine does meanwhile meets both.
            for (side, connection, times) in [(little, &mut small, &mut here), (much, &mut large, &mut there)] {
                let at = if probe.groups { side.group(turn) } else { side.user(turn) };
                times.push(timed(connection, &(probe.path)(at)).await?);
                let body: Value = serde_json::from_slice(connection.body()).context("no JSON")?;
                ensure!(body["totalResults"] == u64::from(probe.hit), "{}: {body}", probe.name);
            }
        }
        let (here, there) = (quartile(&mut here), quartile(&mut there));
        ratios.push(there / here);
        lines.push((there / here, format!("| {} | {here:.3} | {there:.3} | {:.2} |", probe.name, there / here)));
    }
    lines.sort_by(|one, other| other.0.total_cmp(&one.0));
    report.note(&format!("| probe | ms with {SMALL} | ms with {} | ratio |", much.users));
    report.note("| --- | --- | --- | --- |");
    lines.iter().for_each(|(_, line)| report.note(line));
    let missed = ratios.iter().filter(|ratio| **ratio > 1.3).count();
    let against = format!("{} against {SMALL}", much.users);
    let worst = ratios.iter().copied().fold(0.0, f64::max);
    table.add(&format!("{} probes by identifier, {against}, median", all.len()), median(&mut ratios), "×", AtMost(1.3));
    table.add("the worst of them", worst, "×", AtMost(1.3));
    table.say("probes above 1.3 ×", &missed.to_string(), "none", missed == 0);
    Ok(())
}

/// The first quartile: what other processes take away from a request makes it longer and never shorter.
fn quartile(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 4).copied().unwrap_or_default()
}

/// Milliseconds of one GET.
async fn timed(connection: &mut Connection, path: &str) -> Result<f64> {
    let begun = Instant::now();
    let status = connection.send("GET", path, "").await?;
    let took = begun.elapsed().as_secs_f64() * 1e3;
    ensure!(status == 200, "{path}: {status} {}", String::from_utf8_lossy(connection.body()));
    Ok(took)
}

/// Pages of everyone: the first by position with its total, and each kind of page by cursor.
async fn pages(little: &Side, much: &Side, table: &mut Table) -> Result<()> {
    for list in ["/Users", "/Groups"] {
        for (name, query, walked) in [
            ("first page with its total", "startIndex=1&count=100", 0),
            ("first cursor page", "cursor=&count=100", 0),
            ("fourth cursor page", "cursor=&count=100", 3),
        ] {
            let mut doors = Vec::new();
            for side in [little, much] {
                let mut connection = Connection::open(side.door()).await?;
                let mut path = format!("{list}?{query}&excludedAttributes=members");
                for _ in 0..walked {
                    timed(&mut connection, &path).await?;
                    let body: Value = serde_json::from_slice(connection.body()).context("no JSON")?;
                    let next = body["nextCursor"].as_str().context("no further page")?;
                    path = format!("{list}?cursor={next}&count=100&excludedAttributes=members");
                }
                doors.push((connection, path, Vec::new()));
            }
            let [here, there] = in_turns(&mut doors).await?;
            let name = format!("{list}, {name}, {} against {SMALL} ({here:.3} and {there:.3} ms)", much.users);
            table.add(&name, there / here, "×", AtMost(1.5));
        }
    }
    Ok(())
}

/// Asks one here and one there; the milliseconds of each.
async fn in_turns(doors: &mut [(Connection, String, Vec<f64>)]) -> Result<[f64; 2]> {
    for _ in 0..ASKED {
        for (connection, path, times) in doors.iter_mut() {
            times.push(timed(connection, path).await?);
            ensure!(connection.body().len() > 200, "{path}: {}", String::from_utf8_lossy(connection.body()));
        }
    }
    let figures: Vec<f64> = doors.iter_mut().map(|(_, _, times)| quartile(times)).collect();
    figures.try_into().map_err(|_| anyhow::anyhow!("two doors"))
}

/// Groups of many members, against reading the same rows through the same driver.
async fn crowds(much: &Side, Filled { args, start, .. }: &Filled, table: &mut Table) -> Result<()> {
    let mut connection = Connection::open(much.door()).await?;
    timed(&mut connection, &format!("/Groups?filter={}", encoded("displayName eq \"crowd-0\""))).await?;
    let body: Value = serde_json::from_slice(connection.body()).context("no JSON")?;
    let id = body["Resources"][0]["id"].as_str().context("no crowd")?.to_owned();
    for (name, path, groups) in [
        (format!("GET /Groups/{{id}} of {MEMBERS}"), format!("/Groups/{id}"), 1),
        (
            format!("GET /Groups, {CROWDS} of {MEMBERS}"),
            format!("/Groups?filter={}", encoded("displayName sw \"crowd-\"")),
            CROWDS,
        ),
    ] {
        timed(&mut connection, &path).await?;
        let times = 200 / groups;
        let (before, spent) = (much.meter.resident()?, much.meter.seconds());
        much.meter.forget_peak()?;
        for _ in 0..times {
            timed(&mut connection, &path).await?;
        }
        let (cost, grown) = (much.meter.seconds() - spent, much.meter.peak()? - before);
        let rows = connection.body().windows(9).filter(|nine| nine == b"\"value\":\"").count();
        ensure!(rows == groups * MEMBERS, "{rows} members");
        let floor = seed::read_members(args, &start.keep, groups, times).await?;
        table.add(&format!("{name}, processor time"), cost * 1e3 / times as f64, "ms", Told);
        table.add(&format!("{name}, against reading the rows"), cost / floor, "×", AtMost(2.0));
        table.add(&format!("{name}, memory"), grown, "MiB", AtMost(16.0));
    }
    Ok(())
}

/// A list of 100: the figure that the two databases are compared by.
async fn lists(much: &Side, table: &mut Table) -> Result<()> {
    let load = Load { connections: MANY, requests: 600 };
    let page =
        |at: usize| -> Request { ("GET", format!("/Users?startIndex={}&count=100", 1 + at % 800), String::new()) };
    load.run(much.door(), &much.meter, page).await?;
    let figures = load.run(much.door(), &much.meter, page).await?;
    table.add("list of 100, server and database", figures.cpu, "ms", Told);
    Ok(())
}

/// Filters of many shapes, each asked twice: what they leave behind.
async fn shapes(much: &Side, table: &mut Table) -> Result<()> {
    let mut connection = Connection::open(much.door()).await?;
    let names =
        ["title", "nickName", "displayName", "locale", "timezone", "userType", "name.givenName", "name.familyName"];
    let words = ["eq", "sw", "co", "ne"];
    let before = much.meter.everyone()?;
    for number in 0..SHAPES {
        // Four comparisons, each of another attribute or with another word; none is a look-up, so that one is added.
        let one = |at: usize| {
            let digit = number / 10_usize.pow(at as u32) % 10;
            format!("{} {} \"x\"", names[(digit + at) % names.len()], words[(number + digit) % words.len()])
        };
        let rest: Vec<String> = (0..4).map(one).collect();
        let filter =
            format!("userName eq \"{}\" and externalId eq \"none\" and ({})", seed::name(1), rest.join(" or "));
        for _ in 0..2 {
            timed(&mut connection, &format!("/Users?filter={}&count={}", encoded(&filter), 1 + number % 3)).await?;
        }
    }
    let grown = much.meter.everyone()? - before;
    table.add(&format!("{SHAPES} filters of different shape, memory, server and database"), grown, "MiB", AtMost(64.0));
    Ok(())
}

/// The id of each partner by its name.
async fn partners(server: &Server) -> Result<BTreeMap<String, String>> {
    let mut connection = administration(server).await?;
    timed(&mut connection, "/partners").await?;
    let body: Value = serde_json::from_slice(connection.body()).context("no JSON")?;
    let items = body["items"].as_array().context("no partners")?.iter();
    let named = |one: &Value| Some((one["name"].as_str()?.to_owned(), one["id"].as_str()?.to_owned()));
    Ok(items.filter_map(named).collect())
}

/// A door of the administration interface.
async fn administration(server: &Server) -> Result<Connection> {
    Ok(Connection::open(&server.ready.api).await?.plain("/api/v1"))
}

/// People of one partner, and a search among them, with few and with many people elsewhere.
async fn partner(little: &Side, much: &Side, table: &mut Table) -> Result<()> {
    for (name, query) in [("people of one partner", String::new()), ("q= in it", format!("&q={}", seed::local(7)))] {
        let mut doors = Vec::new();
        for side in [little, much] {
            let connection = administration(&side.server).await?;
            let id = side.partners.get("Lighthouse Dental").context("no such partner")?;
            doors.push((connection, format!("/partners/{id}/users?limit=50{query}"), Vec::new()));
        }
        let [here, there] = in_turns(&mut doors).await?;
        let name = format!("{name}, {} against {SMALL} elsewhere ({here:.3} and {there:.3} ms)", much.users);
        table.add(&name, there / here, "×", AtMost(1.3));
    }
    Ok(())
}

/// A batch of decisions about people of whom a rule makes operators, over partners some of which are exceptions.
async fn decisions(much: &Side, table: &mut Table) -> Result<()> {
    let mut connection = administration(&much.server).await?.plain("/access/v1");
    let there: Vec<&String> = much.partners.values().collect();
    let actions = ["core.user.view", "core.partner.view", "core.partner.delete"];
    let question = |at: usize| {
        json!({
            "subject": {"type": "user", "id": seed::person_id(at + 1)},
            "action": {"name": actions[at % actions.len()]},
            "resource": {"type": "mailbox", "id": "m", "properties": {"partner": there[at / 3 % there.len()]}},
        })
    };
    let body = json!({"evaluations": (0..QUESTIONS).map(question).collect::<Vec<Value>>()}).to_string();
    let (mut times, mut spent) = (Vec::new(), 0.0);
    // What a connection does for the first time is prepared then.
    for turn in 0..35 {
        let before = much.meter.seconds();
        let begun = Instant::now();
        let status = connection.send("POST", "/evaluations", &body).await?;
        if turn >= 5 {
            times.push(begun.elapsed().as_secs_f64() * 1e3);
            spent += much.meter.seconds() - before;
        }
        ensure!(status == 200, "{status}: {}", String::from_utf8_lossy(connection.body()));
    }
    let answer: Value = serde_json::from_slice(connection.body()).context("no JSON")?;
    let answers = answer["evaluations"].as_array().context("no answers")?;
    let allowed = answers.iter().filter(|one| one["decision"] == true).count();
    ensure!(answers.len() == QUESTIONS && allowed > 10 && allowed < QUESTIONS - 10, "{allowed} are allowed");
    let runs = times.len() as f64;
    let name = format!("batch of {QUESTIONS} decisions ({allowed} allowed)");
    table.add(&format!("{name}, processor time, server and database"), spent * 1e3 / runs, "ms", AtMost(50.0));
    table.add(&format!("{name}, median wait"), median(&mut times), "ms", Told);
    Ok(())
}

/// A thousand creates in one bulk request against as many single ones on many connections.
async fn bulk(much: &Side, table: &mut Table) -> Result<()> {
    let (mut alone, mut together) = (Vec::new(), Vec::new());
    for turn in 0..3 {
        let body = move |kind: &str, at: usize| super::user(&format!("bulk-{kind}-{turn}-{at}"));
        let load = Load { connections: MANY, requests: BULK };
        let begun = Instant::now();
        load.run(much.door(), &much.meter, move |at| ("POST", "/Users".to_owned(), body("single", at))).await?;
        alone.push(begun.elapsed().as_secs_f64());
        let operation = |at: usize| -> Result<Value> {
            let data: Value = serde_json::from_str(&body("whole", at))?;
            Ok(json!({"method": "POST", "path": "/Users", "bulkId": format!("b{at}"), "data": data}))
        };
        let operations = (0..BULK).map(operation).collect::<Result<Vec<Value>>>()?;
        let schemas = ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"];
        let request = json!({"schemas": schemas, "Operations": operations}).to_string();
        let mut connection = Connection::open(much.door()).await?;
        let begun = Instant::now();
        let status = connection.send("POST", "/Bulk", &request).await?;
        together.push(begun.elapsed().as_secs_f64());
        let answer: Value = serde_json::from_slice(connection.body()).context("no JSON")?;
        let made = answer["Operations"].as_array().into_iter().flatten().filter(|one| one["status"] == "201").count();
        ensure!(status == 200 && made == BULK, "{status}: {made} were created");
    }
    let rate = BULK as f64 / median(&mut alone);
    table.add(&format!("creates over {MANY} connections"), rate, "/s", Told);
    let ratio = median(&mut together) / median(&mut alone);
    table.add(&format!("bulk of {BULK} creates, time against as many single ones"), ratio, "×", AtMost(1.0));
    Ok(())
}
