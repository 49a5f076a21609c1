//! What a decision costs, on a store full of people.
//!
//! `cargo bench --bench decision -- [--people 100000] [--questions 5000] [--database URL]`
//!
//! Without a URL: SQLite in a passing folder. Each figure stands beside that of a `SELECT 1` over the same connection in
//! the same run; medians are reported, never asserted. Under `cargo test` it runs once over few people.
mod world;

use std::time::{Duration, Instant};

use rolecall::access::decide::Question;
use rolecall::domain::grant::Resource;
use rolecall::domain::time::Timestamp;
use rolecall::store::extent::OperatorExtent;
use rolecall::store::{Options, Reader, Store, StoreError, effective, effective_lists as lists, first};
use rolecall::{binds, statements};

use world::{Dice, World, capability, fill};

statements! {
    NOTHING = "SELECT 1";
}

struct Arguments {
    people: usize,
    questions: usize,
    database: String,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = arguments()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(run(&arguments))
}

fn arguments() -> Result<Arguments, String> {
    let mut given: Vec<String> = std::env::args().skip(1).collect();
    let measuring = given.iter().position(|word| word == "--bench").map(|at| given.remove(at)).is_some();
    let (people, questions) = if measuring { (100_000, 5_000) } else { (1_000, 50) };
    let mut arguments = Arguments { people, questions, database: "sqlite::memory:".to_owned() };
    let mut words = given.into_iter();
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
        let number = || value.parse().map_err(|_| format!("{word} {value}: not a number"));
        match word.as_str() {
            "--people" => arguments.people = number()?,
            "--questions" => arguments.questions = number()?,
            "--database" => arguments.database = value,
            _ => return Err(format!("unknown argument {word}")),
        }
    }
    Ok(arguments)
}

async fn run(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let store = Store::open(&arguments.database, &Options::default()).await?;
    let begun = Instant::now();
    let world = fill(&store, arguments.people).await?;
    let dialect = store.dialect().name();
    println!("{} people on {dialect}, filled in {:.1} s", arguments.people, begun.elapsed().as_secs_f64());
    println!("{:<40} {:>10} {:>10}", "", "median µs", "p99 µs");
    let mut reader = store.reader().await?;
    measure(&mut reader, &world, arguments.questions).await?;
    drop(reader);
    store.close().await;
    Ok(())
}

async fn measure(reader: &mut Reader, world: &World, questions: usize) -> Result<(), StoreError> {
    let mut dice = Dice(11);
    let now = Timestamp::from_micros(1);
    let mut asked = Vec::new();
    for _ in 0..questions {
        let resource = Resource { partner: dice.pick(&world.partners), group: None, owner: None };
        asked.push(Question { principal: dice.pick(&world.people), capability: capability(&mut dice), resource, now });
    }
    let mut times = Times::default();
    for _ in &asked {
        times.take(reader.one(&NOTHING, binds![], first::<i64>)).await?;
    }
    times.print("SELECT 1");
    let mut allowed = 0;
    for question in &asked {
        allowed += usize::from(times.take(effective::decide(reader, question)).await?.allowed);
    }
    times.print(&format!("decide ({allowed} of {questions} allowed)"));
    for question in &asked {
        times.take(effective::explain(reader, question)).await?;
    }
    times.print("explain");
    let root = world.partners.first().copied().ok_or(StoreError::NotFound)?;
    let at = OperatorExtent::assume().at(root);
    let few = asked.iter().take(questions.div_ceil(50));
    for question in few.clone() {
        times.take(lists::grants_of(reader, &at, question.principal, now)).await?;
    }
    times.print("everything a person holds");
    for question in few {
        let page = (None, 100);
        times.take(lists::who_can(reader, &at, question.capability, question.resource, now, page)).await?;
    }
    times.print("the first 100 who can");
    for people in world.people.chunks(500).take(10) {
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
