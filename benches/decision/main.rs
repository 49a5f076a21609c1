//! What a decision costs, on a store full of people.
//!
//! `cargo bench --bench decision -- [--people 20000] [--questions 1000] [--seconds 8] [--database URL]`
//!
//! Without a URL: SQLite in a passing folder. Each figure stands beside that of a `SELECT 1` in the same run, over the
//! same connection or by the same kind of server; they are reported, never asserted. Questions are of three kinds,
//! about as common: allowed by a grant of one's own, allowed by what a directory says, and refused. Under `cargo test`
//! it runs once over few people.
mod http;
mod world;

use std::time::{Duration, Instant};

use rolecall::access::decide::Question;
use rolecall::access::explain::{DecisionReason, GrantOrigin};
use rolecall::domain::grant::Resource;
use rolecall::domain::id::UserId;
use rolecall::domain::time::Timestamp;
use rolecall::store::extent::OperatorExtent;
use rolecall::store::{self, Dialect, Options, Reader, StoreError, Tx, effective, effective_lists as lists, first};
use rolecall::{binds, statements};

use world::{Dice, World, capability, fill};

statements! {
    NOTHING = "SELECT 1";
    ANALYZE = "ANALYZE";
}

struct Arguments {
    people: usize,
    questions: usize,
    seconds: u64,
    database: String,
}

fn main() -> anyhow::Result<()> {
    let arguments = arguments().map_err(anyhow::Error::msg)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(run(&arguments))
}

fn arguments() -> Result<Arguments, String> {
    let mut given: Vec<String> = std::env::args().skip(1).collect();
    let measuring = given.iter().position(|word| word == "--bench").map(|at| given.remove(at)).is_some();
    let (people, questions, seconds) = if measuring { (20_000, 1_000, 8) } else { (1_000, 20, 1) };
    let mut arguments = Arguments { people, questions, seconds, database: "sqlite::memory:".to_owned() };
    let mut words = given.into_iter();
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
        let number = || value.parse().map_err(|_| format!("{word} {value}: not a number"));
        match word.as_str() {
            "--people" => arguments.people = number()?,
            "--questions" => arguments.questions = number()?,
            "--seconds" => arguments.seconds = value.parse().map_err(|_| format!("{word} {value}: not a number"))?,
            "--database" => arguments.database = value,
            _ => return Err(format!("unknown argument {word}")),
        }
    }
    Ok(arguments)
}

async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let store = store::open(&arguments.database, &Options::default()).await?;
    let begun = Instant::now();
    let world = fill(&store, arguments.people).await?;
    let dialect = store.dialect().name();
    println!("{} people on {dialect}, filled in {:.1} s", arguments.people, begun.elapsed().as_secs_f64());
    println!("{:<40} {:>10} {:>10}", "", "median µs", "p99 µs");
    if store.dialect() == Dialect::Postgres {
        // The server would do this by itself a minute later, and plan anew in the middle of measuring.
        store.write(async |tx: &mut Tx| tx.execute(&ANALYZE, binds![]).await).await?;
    }
    let mut reader = store.reader().await?;
    let kinds = ask(&mut reader, &world, arguments.questions).await?;
    measure(&mut reader, &world, &kinds).await?;
    drop(reader);
    let time = Duration::from_secs(arguments.seconds);
    http::compare(&store, &arguments.database, &world, &kinds, time).await?;
    store.close().await;
    Ok(())
}

/// Questions by what becomes of them: up to a third of `count` each, then all together.
async fn ask(
    reader: &mut Reader,
    world: &World,
    count: usize,
) -> Result<[(&'static str, Vec<Question>); 4], StoreError> {
    let mut dice = Dice(11);
    let now = Timestamp::from_micros(1);
    let (mut own, mut said, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    let most = count.div_ceil(3);
    for turn in 0..count * 20 {
        let person = dice.pick(&world.people);
        let partner = match turn % 3 {
            0 => dice.pick(&world.partners),
            1 => person.home,
            _ => person.granted.unwrap_or(person.home),
        };
        let resource = Resource { partner, group: None, owner: None };
        let question = Question { principal: person.id, capability: capability(&mut dice), resource, now };
        let kind = match effective::decide(reader, &question).await?.reason {
            DecisionReason::Allowed(proof) if matches!(proof.origin, GrantOrigin::Manual { via_group: None, .. }) => {
                &mut own
            }
            DecisionReason::Allowed(_) => &mut said,
            DecisionReason::Denied { .. } => &mut refused,
        };
        if kind.len() < most {
            kind.push(question);
        }
    }
    // One of each kind in turn, as far as they go.
    let all = (0..most).flat_map(|at| [&own, &said, &refused].map(|kind| kind.get(at).copied()));
    let all = all.flatten().collect();
    Ok([("allowed by one's own grant", own), ("allowed by a directory", said), ("refused", refused), ("all", all)])
}

async fn measure(reader: &mut Reader, world: &World, kinds: &[(&str, Vec<Question>)]) -> Result<(), StoreError> {
    let now = Timestamp::from_micros(1);
    let asked = kinds.last().map(|(_, all)| all.clone()).unwrap_or_default();
    let mut times = Times::default();
    for _ in &asked {
        times.take(reader.one(&NOTHING, binds![], first::<i64>)).await?;
    }
    times.print("SELECT 1");
    for (kind, questions) in kinds {
        for question in questions {
            times.take(effective::decide(reader, question)).await?;
        }
        times.print(&format!("decide: {kind} ({})", questions.len()));
    }
    for question in &asked {
        times.take(effective::explain(reader, question)).await?;
    }
    times.print("explain");
    let root = world.partners.first().copied().ok_or(StoreError::NotFound)?;
    let at = OperatorExtent::assume().at(root);
    let few = asked.iter().take(asked.len().div_ceil(50));
    for question in few.clone() {
        times.take(lists::grants_of(reader, &at, question.principal, now)).await?;
    }
    times.print("everything a person holds");
    for question in few {
        let page = (None, 100);
        times.take(lists::who_can(reader, &at, question.capability, question.resource, now, page)).await?;
    }
    times.print("the first 100 who can");
    let people: Vec<UserId> = world.people.iter().map(|person| person.id).collect();
    for people in people.chunks(500).take(10) {
        times.take(lists::misplaced(reader, people)).await?;
    }
    times.print("placements of 500 people");
    Ok(())
}

/// Times of one thing done again and again.
#[derive(Default)]
struct Times(Vec<Duration>);

impl Times {
    async fn take<T>(&mut self, work: impl Future<Output = T>) -> T {
        let begun = Instant::now();
        let value = work.await;
        self.0.push(begun.elapsed());
        value
    }

    /// Prints the figures and begins anew.
    fn print(&mut self, name: &str) {
        self.0.sort_unstable();
        let part = |percent: usize| {
            let at = self.0.len().saturating_sub(1) * percent / 100;
            self.0.get(at).copied().unwrap_or_default().as_secs_f64() * 1e6
        };
        println!("{name:<40} {:>10.1} {:>10.1}", part(50), part(99));
        self.0.clear();
    }
}
