//! `cargo xtask bench scim [--users N]`: every measure is printed with its target; only wrong answers fail.
//!
//! A small store has 10,000 users, the large one N. What is compared is measured in turns within one run. The large
//! store is filled by copying what the server itself wrote for one user.

pub mod apply;
mod connection;
pub mod cpu;
mod disk;
pub mod floor;
mod groups;
pub mod inserts;
pub mod probes;
mod reads;
mod run;
mod seed;
pub mod table;
mod walk;
mod writes;

pub use connection::Connection;

use crate::args::Args;
use crate::report::Report;
use crate::server::{Server, Start};
use anyhow::{Context, Result};
use serde_json::json;
use std::path::{Path, PathBuf};
use table::Table;

/// Users of the small store.
const SMALL: usize = 10_000;
/// Connections wherever many ask at once.
const MANY: usize = 16;

/// Runs every measure on one database.
///
/// # Errors
/// When the server does not start or an answer is wrong.
pub async fn bench_scim(args: &Args, report: &mut Report) -> Result<()> {
    let fsync = cpu::fsync_seconds(&args.folder("fsync")?)? * 1000.0;
    report.note(&format!("{}: raw fsync {fsync:.2} ms, load average {} before", args.kind(), cpu::busy()));
    let mut table = Table::new(args.kind());
    let small = SMALL.min(args.users);
    let start = Start::new(args, "server")?;
    prepare(&start).await?;
    seed::copies(args, &start.keep, 1, small).await?;

    let mut bench = Bench { args, start, table: &mut table, users: small };
    let ten = reads::small(&mut bench).await?;
    writes::cost(&mut bench).await?;
    writes::durable(&mut bench).await?;
    writes::log(&mut bench).await?;

    seed::copies(args, &bench.start.keep, small + 1, args.users).await?;
    bench.users = args.users;
    reads::large(&mut bench, &ten).await?;
    groups::run(&mut bench).await?;
    walk::run(&mut bench).await?;
    table.print(report);
    report.note(&format!("load average {} after", cpu::busy()));
    report.pass("every answer was a success");
    Ok(())
}

/// What every part needs.
struct Bench<'a> {
    args: &'a Args,
    start: Start,
    table: &'a mut Table,
    /// Copies in the store.
    users: usize,
}

impl Bench<'_> {
    /// The server, started on the store as it is.
    async fn serve(&self) -> Result<(Server, cpu::Meter)> {
        let server = Server::start(&self.start).await?;
        let meter = cpu::Meter::new(server.pid()?, &self.args.database);
        Ok((server, meter))
    }
}

/// Makes the store and in it the user who is copied.
async fn prepare(start: &Start) -> Result<()> {
    let server = Server::start(start).await?;
    let mut connection = Connection::open(&server.ready.scim).await?;
    let status = connection.send("POST", "/Users", &user(seed::TEMPLATE)).await?;
    anyhow::ensure!(status == 201, "the template: {status} {}", String::from_utf8_lossy(connection.body()));
    server.stop().await?;
    Ok(())
}

/// The same with the group that is copied, and groups that are filled afterwards.
async fn prepare_groups(start: &Start, named: impl Iterator<Item = String>) -> Result<()> {
    prepare(start).await?;
    let server = Server::start(start).await?;
    let mut connection = Connection::open(&server.ready.scim).await?;
    for name in named.chain([seed::TEMPLATE_GROUP.to_owned()]) {
        let schemas = ["urn:ietf:params:scim:schemas:core:2.0:Group"];
        let group = json!({"schemas": schemas, "displayName": name, "externalId": name}).to_string();
        let status = connection.send("POST", "/Groups", &group).await?;
        anyhow::ensure!(status == 201, "a group: {status} {}", String::from_utf8_lossy(connection.body()));
    }
    server.stop().await?;
    Ok(())
}

/// A user as providers send them.
fn user(name: &str) -> String {
    let address = format!("{name}@example.com");
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": address, "externalId": name, "active": true,
        "name": {"givenName": format!("Given {name}"), "familyName": "Load"},
        "displayName": format!("Given {name} Load"),
        "emails": [{"value": address, "type": "work", "primary": true}],
    })
    .to_string()
}

/// The file of a SQLite store.
fn file_of(keep: &Path) -> PathBuf {
    keep.join("rolecall.db")
}

/// Starts one of our own programs that says when it is ready.
async fn ours(args: &Args, name: &str) -> Result<Server> {
    let mut command = tokio::process::Command::new(std::env::current_exe().context("where am I")?);
    command.arg(name).args(["--database", &args.database, "--lab"]).arg(&args.lab);
    let log = args.lab.join("logs").join(format!("{name}.log"));
    command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::piped());
    command.stderr(std::fs::File::create(&log).context("a log")?).kill_on_drop(true);
    Server::launch(command, &log, std::time::Duration::from_secs(20)).await
}
