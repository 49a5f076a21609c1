//! A server that syncs from the generated directory: what it shows before, holds after, and leaves
//! alone when a read is not whole.

use super::slapd::Slapd;
use super::state::State;
use super::tree::{Oracle, Tree};
use super::{BASE, Cut, Proxy, READER, READER_PASSWORD};
use crate::args::Args;
use crate::http::Client;
use crate::report::Report;
use crate::server::{Server, Start};
use crate::setup;
use anyhow::Result;
use serde_json::{Value, json};
use std::path::Path;

/// The demo's LDAP connection.
pub const SLUG: &str = "fjordnet-ldap";
/// In the middle of a page of people.
const CUT: usize = 1_500_000;

/// A server, the wire it reads through, and what it was told to read.
struct Lab<'a> {
    args: &'a Args,
    program: &'a Path,
    server: Server,
    api: Client,
    wire: Proxy,
    slapd: Slapd,
    tree: Tree,
}

/// The whole life of a synchronised directory.
///
/// # Errors
/// When a program does not start or the interface answers in another shape.
pub async fn run(args: &Args, program: &Path, slapd: Slapd, tree: Tree, report: &mut Report) -> Result<()> {
    let server = Server::start(&Start::new(args, "server")?).await?;
    let api = Client::api(&server.ready.api)?;
    let wire = Proxy::start(&slapd.address).await?;
    setup::open(&server, SLUG, settings(&wire.address, "none", None), READER_PASSWORD).await?;
    let mut lab = Lab { args, program, server, api, wire, slapd, tree };
    lab.first_read(report).await?;
    lab.reads_that_are_not_whole(report).await?;
    lab.a_week_later(report).await?;
    lab.too_many_leave(report).await?;
    lab.protected_lines(report).await?;
    let status = lab.server.stop().await?;
    report.check("the server stops when asked", status.success(), || status.to_string());
    Ok(())
}

/// Ways to switch off of three products in one directory.
fn settings(address: &str, security: &str, authority: Option<&str>) -> Value {
    let scheme = if security == "ldaps" { "ldaps" } else { "ldap" };
    let mut settings = json!({
        "urls": [format!("{scheme}://{address}")],
        "security": security,
        "bind_dn": READER,
        "users": {"bases": [format!("ou=people,{BASE}")]},
        "groups": {"bases": [format!("ou=groups,{BASE}")]},
        "disabled": [
            {"attribute": "pwdAccountLockedTime", "equals": "000001010000Z"},
            {"attribute": "nsAccountLock", "equals": "TRUE"},
            {"attribute": "userAccountControl", "bits": 2},
        ],
        "timeouts": {"connect": 2, "answer": 2, "read": 120},
    });
    if let Some(authority) = authority {
        settings["ca"] = authority.into();
    }
    settings
}

/// The same, for a directory that takes its time.
pub fn lasting(address: &str) -> Value {
    let mut settings = settings(address, "none", None);
    settings["page_size"] = 1_000.into();
    settings["timeouts"] = json!({"connect": 5, "answer": 60, "read": 600});
    settings
}

impl Lab<'_> {
    async fn sync(&self, dry: bool) -> Result<Value> {
        setup::sync(&self.server, SLUG, dry).await
    }

    async fn state(&self) -> Result<State> {
        State::read(&self.api, SLUG).await
    }

    async fn first_read(&mut self, report: &mut Report) -> Result<()> {
        let oracle = self.tree.oracle();
        let dry = self.sync(true).await?;
        report.equal("a dry run shows every user", created(&dry), oracle.users.len() as u64);
        report.equal("a dry run changes nothing", self.state().await?.users(), 0);
        let real = self.sync(false).await?;
        ended(report, "the first run", &real, "done");
        report.equal("it does what the dry run showed", created(&real), created(&dry));
        let aside: Vec<&str> =
            real["skipped"].as_array().into_iter().flatten().filter_map(|line| line["id"].as_str()).collect();
        let told = || format!("{aside:?}, wanted {:?}", oracle.skipped);
        let all = oracle.skipped.iter().all(|id| aside.contains(&id.as_str())) && aside.len() == oracle.skipped.len();
        report.check("people without a login are set aside by name, and only they", all, told);
        self.state().await?.compare(report, "after the first run", &oracle);
        times(report, "first run", &real);
        let again = self.sync(false).await?;
        report.check("a second run finds nothing to do", !did_something(&again), || again["users"].to_string());
        times(report, "run without change", &again);
        Ok(())
    }

    /// Cut, stalled and dead: the run fails in a sentence and nothing has changed.
    async fn reads_that_are_not_whole(&mut self, report: &mut Report) -> Result<()> {
        // People who left and must stay nevertheless: the read never gets to prove they did.
        let before = self.state().await?;
        let oracle = self.tree.oracle();
        for (case, cut) in [
            ("a line cut in the middle of a page", Cut::After(CUT)),
            ("a line cut after the bind", Cut::After(100)),
            ("a line that goes silent in the middle of a page", Cut::Stall(CUT)),
            ("a server that never answers", Cut::Stall(0)),
        ] {
            self.wire.set(cut);
            let run = self.sync(false).await?;
            ended(report, case, &run, "failed");
            report
                .check(&format!("{case}: the reason is a sentence"), is_sentence(&run["failure"]), || run.to_string());
            let now = self.state().await?;
            report.check(&format!("{case}: nothing has changed"), now == before, || "something has".into());
        }
        self.wire.set(Cut::Never);
        self.wire.lead_to("127.0.0.1:9");
        let run = self.sync(false).await?;
        ended(report, "a dead server", &run, "failed");
        self.wire.lead_to(&self.slapd.address);
        let run = self.sync(false).await?;
        ended(report, "the line mended", &run, "done");
        self.state().await?.compare(report, "after the line is mended", &oracle);
        Ok(())
    }

    async fn reload(&mut self, name: &str) -> Result<Oracle> {
        self.slapd = Slapd::start(self.program, &self.args.folder(name)?, &self.tree.ldif()).await?;
        self.wire.lead_to(&self.slapd.address);
        Ok(self.tree.oracle())
    }

    async fn a_week_later(&mut self, report: &mut Report) -> Result<()> {
        self.tree.a_week_later();
        let oracle = self.reload("slapd-week").await?;
        let run = self.sync(false).await?;
        ended(report, "a week later", &run, "done");
        self.state().await?.compare(report, "a week later", &oracle);
        times(report, "run after a week", &run);
        Ok(())
    }

    /// More than the brake lets pass: they stay until somebody approves.
    async fn too_many_leave(&mut self, report: &mut Report) -> Result<()> {
        let before = self.state().await?.users();
        self.tree.leave(700);
        self.reload("slapd-leavers").await?;
        let run = self.sync(false).await?;
        ended(report, "700 of 10,000 gone at once", &run, "held");
        report.equal("700 removals wait", run["users"]["held"].as_u64(), Some(700));
        report.equal("nobody was removed", self.state().await?.users(), before);
        let everyone = usize::MAX;
        self.tree.leave(everyone);
        self.reload("slapd-empty").await?;
        let run = self.sync(false).await?;
        ended(report, "nearly all gone at once", &run, "held");
        report.equal("still nobody was removed", self.state().await?.users(), before);
        Ok(())
    }

    async fn protected_lines(&mut self, report: &mut Report) -> Result<()> {
        let authority = self.slapd.authority.clone();
        let stranger = super::authority::certify()?.authority;
        for (case, security, ca, wanted) in [
            ("StartTLS with the right authority", "starttls", &authority, "held"),
            ("LDAPS with the right authority", "ldaps", &authority, "held"),
            ("LDAPS with another authority", "ldaps", &stranger, "failed"),
        ] {
            let address = if security == "ldaps" { &self.slapd.tls_address } else { &self.slapd.address };
            let settings = settings(address, security, Some(ca));
            setup::open(&self.server, SLUG, settings, READER_PASSWORD).await?;
            let run = self.sync(true).await?;
            ended(report, case, &run, wanted);
        }
        Ok(())
    }
}

fn created(run: &Value) -> u64 {
    run["users"]["created"].as_u64().unwrap_or_default()
}

fn ended(report: &mut Report, case: &str, run: &Value, wanted: &str) {
    let told = || format!("{}: {}", run["status"], run["failure"]);
    report.check(&format!("{case}: {wanted}"), run["status"] == wanted, told);
}

fn is_sentence(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.len() > 20 && text.contains(' '))
}

fn did_something(run: &Value) -> bool {
    let counts = [
        ("users", "created"),
        ("users", "changed"),
        ("users", "removed"),
        ("groups", "created"),
        ("groups", "changed"),
        ("groups", "removed"),
        ("members", "added"),
        ("members", "removed"),
        ("nested", "added"),
        ("nested", "removed"),
    ];
    counts.iter().any(|(what, how)| run[what][how].as_u64() != Some(0))
}

fn times(report: &mut Report, what: &str, run: &Value) {
    report.note(&format!("{what}, milliseconds: {}", run["milliseconds"]));
}
