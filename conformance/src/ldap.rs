//! A real slapd with a generated directory of every odd case, and a server that syncs from it.

mod authority;
pub mod bench;
mod dn;
mod groups;
mod ldif;
mod odd;
mod people;
mod proxy;
mod read;
mod scenario;
mod slapd;
mod state;
mod tree;

use crate::args::Args;
use crate::report::Report;
use anyhow::{Context, Result};
use proxy::{Cut, Proxy};
use slapd::Slapd;
use std::time::{Duration, Instant};
use tokio::time::timeout;
use tree::Tree;

/// The root of the generated directory.
pub const BASE: &str = "dc=lab,dc=example";
/// The account that may read it.
pub const READER: &str = "cn=reader,dc=lab,dc=example";
/// Its password; the server listens on loopback for the length of a test.
pub const READER_PASSWORD: &str = "reads-only";

const USERS: usize = 10_000;
const GROUPS: usize = 500;
/// In the middle of a page of people.
const CUT: usize = 200_000;

/// Generates, loads, and proves the lab itself: what slapd holds is what the oracle says.
///
/// # Errors
/// When slapd cannot be started.
pub async fn run(args: &Args, report: &mut Report) -> Result<()> {
    let tree = Tree::draw(args.seed, USERS, GROUPS);
    let oracle = tree.oracle();
    let folder = args.folder("slapd")?;
    let written = serde_json::to_vec(&oracle).context("writing the oracle")?;
    std::fs::write(folder.join("oracle.json"), written).context("writing the oracle")?;
    let program = args.slapd.clone().unwrap_or_else(|| "/usr/sbin/slapd".into());
    let since = Instant::now();
    let slapd = Slapd::start(&program, &folder, &tree.ldif()).await?;
    report.note(&format!("slapd with {USERS} users and {GROUPS} groups in {:.1} s", since.elapsed().as_secs_f64()));
    lab_holds_the_oracle(report, &slapd, &oracle).await?;
    scenario::run(args, &program, slapd, tree, report).await
}

async fn lab_holds_the_oracle(report: &mut Report, slapd: &Slapd, oracle: &tree::Oracle) -> Result<()> {
    let people = read::all(&slapd.address, None, "(objectClass=inetOrgPerson)", "uid").await?;
    let groups = read::all(&slapd.address, None, "(objectClass=groupOfNames)", "cn").await?;
    report.equal("slapd holds every person", people.len(), oracle.users.len() + oracle.skipped.len());
    report.equal("slapd holds every group", groups.len(), oracle.groups.len());
    let wrong = oracle.users.iter().find(|user| people.get(&user.id) != Some(&user.login));
    report.check("every person has the generated id", wrong.is_none(), || format!("not {wrong:?}"));
    let secure = read::all(&slapd.tls_address, Some(&slapd.authority), "(cn=everyone)", "cn").await?;
    report.equal("slapd speaks TLS", secure.len(), 1);
    let proxy = Proxy::start(&slapd.address).await?;
    proxy.set(Cut::After(CUT));
    let half = read::all(&proxy.address, None, "(objectClass=inetOrgPerson)", "uid").await;
    report.check("a cut connection does not look complete", half.is_err(), || "it did".into());
    report.check("the wire passed what it was told to", proxy.passed() == CUT as u64, || proxy.passed().to_string());
    proxy.set(Cut::Stall(CUT));
    let read = read::all(&proxy.address, None, "(objectClass=inetOrgPerson)", "uid");
    let stalled = timeout(Duration::from_secs(2), read).await;
    report.check("a stalled connection says nothing", stalled.is_err(), || "it did".into());
    Ok(())
}
