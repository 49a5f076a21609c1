//! `cargo xtask bench apply [--users N]`: a world of N people in N/20 partners is declared, declared again, changed and
//! exported, by the command alone and beside a running server.

use super::cpu::{self, Meter};
use super::table::Target::{AtMost, Told};
use super::table::{Table, Target};
use crate::args::Args;
use crate::random::Random;
use crate::report::Report;
use anyhow::{Context, Result, ensure};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::Command;

/// People at home in one partner, on average.
const IN_ONE: usize = 20;
/// Rules of the directory.
const RULES: usize = 100;
/// One of so many people holds something.
const HOLDS: usize = 25;

/// Runs every measure on one database.
///
/// # Errors
/// When a command fails or says something else than expected.
pub async fn bench_apply(args: &Args, report: &mut Report) -> Result<()> {
    let fsync = cpu::fsync_seconds(&args.folder("fsync")?)? * 1000.0;
    report.note(&format!("{}: raw fsync {fsync:.2} ms, load average {} before", args.kind(), cpu::busy()));
    let mut bench = Bench { args, folder: args.folder("installation")?, table: Table::new(args.kind()) };
    let declared = bench.write("world.toml", &world(args, ""))?;
    let partners = args.users / IN_ONE + 1;
    let of = format!("{partners} partners, {} users, {} grants, {RULES} rules", args.users, args.users / HOLDS);

    let first = bench.run("apply, the first time", &["apply", &declared, "--yes"], Told).await?;
    ensure!(first.said.contains("Applied: "), "the first application: {}", first.end());
    for turn in 1..=3 {
        let again = bench.run(&format!("apply, nothing to do ({turn})"), &["apply", &declared], AtMost(2.0)).await?;
        ensure!(again.said.starts_with("Nothing to do: the store says"), "the second application: {}", again.end());
    }
    for (turn, word) in ["Trainee", "Guest"].into_iter().enumerate() {
        let changed = bench.write("changed.toml", &world(args, word))?;
        let name = format!("apply, {RULES} rules changed ({})", turn + 1);
        let changed = bench.run(&name, &["apply", &changed, "--yes"], AtMost(5.0)).await?;
        ensure!(changed.said.contains(&format!("Applied: {RULES} changes")), "changed rules: {}", changed.end());
    }
    bench.export("export").await?;

    let mut server = bench.serve().await?;
    let meter = Meter::new(server.id().context("the server has ended")?, &args.database);
    let idle = meter.resident()?;
    bench.table.add("server, memory before", idle, "MiB", Told);
    let exported = bench.folder.join("export.toml").display().to_string();
    for turn in 1..=2 {
        meter.forget_peak()?;
        let name = format!("apply of the export beside a server, nothing to do ({turn})");
        let again = bench.run(&name, &["apply", &exported], AtMost(2.0)).await?;
        ensure!(again.said.starts_with("Nothing to do"), "beside a server: {}", again.end());
        bench.table.add("server, memory it took", meter.peak()? - idle, "MiB", Told);
    }
    let changed = bench.write("changed.toml", &world(args, "Temporary"))?;
    let name = format!("apply beside a server, {RULES} rules changed");
    bench.run(&name, &["apply", &changed, "--yes"], AtMost(5.0)).await?;
    meter.forget_peak()?;
    bench.export("export beside a server").await?;
    bench.table.add("server, memory it took", meter.peak()? - idle, "MiB", Told);
    server.start_kill().context("stopping the server")?;
    server.wait().await.context("the server's end")?;

    report.note(&of);
    bench.table.print(report);
    report.note(&format!("load average {} after", cpu::busy()));
    report.pass("every command said what it should");
    Ok(())
}

struct Bench<'a> {
    args: &'a Args,
    folder: PathBuf,
    table: Table,
}

/// What a command came to.
struct Ran {
    seconds: f64,
    processor: f64,
    /// MiB at most.
    memory: f64,
    said: String,
    wrong: String,
}

impl Ran {
    /// The last lines of what it said.
    fn end(&self) -> String {
        let last = |text: &str| text.lines().rev().take(3).collect::<Vec<_>>().join(" / ");
        format!("{} {}", last(&self.said), last(&self.wrong))
    }
}

impl Bench<'_> {
    fn write(&self, name: &str, text: &str) -> Result<String> {
        let path = self.folder.join(name);
        std::fs::write(&path, text).context("writing a declaration")?;
        Ok(path.display().to_string())
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.args.server);
        command.args(words).env("ROLECALL_STORE_DATA_DIR", self.folder.join("data"));
        command.env("ROLECALL_LOG_FILTER", "error").env("ROLECALL_SERVER_LISTEN", "127.0.0.1:0");
        if self.args.database != "sqlite" {
            command.env("ROLECALL_STORE_DATABASE_URL", &self.args.database);
        }
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Runs a command to its end and tells what it cost; only the wall clock has a target.
    async fn run(&mut self, name: &str, words: &[&str], target: Target) -> Result<Ran> {
        let (out, wrong) = (self.folder.join("out"), self.folder.join("wrong"));
        let ran = self.timed(words, &out, &wrong).await?;
        ensure!(ran.wrong.is_empty(), "{name}: {}", ran.end());
        self.table.add(name, ran.seconds, "s", target);
        self.table.add("— processor time of the command", ran.processor, "s", Told);
        self.table.add("— memory of the command", ran.memory, "MiB", Told);
        Ok(ran)
    }

    async fn export(&mut self, name: &str) -> Result<()> {
        for turn in 1..=2 {
            let ran = self.run(&format!("{name} ({turn})"), &["export"], AtMost(10.0)).await?;
            let users = ran.said.matches("[[user]]").count();
            // Where a server has run, the owner whom it set up is one more.
            ensure!((self.args.users..=self.args.users + 1).contains(&users), "{users} users were exported");
            std::fs::write(self.folder.join("export.toml"), ran.said).context("keeping the export")?;
        }
        Ok(())
    }

    async fn timed(&self, words: &[&str], out: &Path, wrong: &Path) -> Result<Ran> {
        let file = |path: &Path| std::fs::File::create(path).context("a file for what is said");
        let mut command = self.command(words);
        command.stdout(file(out)?).stderr(file(wrong)?);
        let begun = Instant::now();
        let mut child = command.spawn().context("starting a command")?;
        let meter = Meter::new(child.id().context("it has ended")?, "");
        let (mut processor, mut memory) = (0.0_f64, 0.0_f64);
        let status = loop {
            if let Ok(status) = tokio::time::timeout(Duration::from_millis(10), child.wait()).await {
                break status.context("waiting for a command")?;
            }
            processor = processor.max(meter.seconds());
            memory = memory.max(meter.peak().unwrap_or_default());
        };
        let seconds = begun.elapsed().as_secs_f64();
        let text = |path: &Path| std::fs::read_to_string(path).context("what was said");
        let ran = Ran { seconds, processor, memory, said: text(out)?, wrong: text(wrong)? };
        ensure!(status.success(), "{words:?}: {status}: {}", ran.end());
        Ok(ran)
    }

    /// A server on the store; it is ready when it has left its notice.
    async fn serve(&self) -> Result<tokio::process::Child> {
        let log = std::fs::File::create(self.folder.join("server.log")).context("a log")?;
        let mut command = self.command(&["serve"]);
        command.stdout(Stdio::null()).stderr(log);
        let server = command.spawn().context("starting the server")?;
        let notice = self.folder.join("data/server.json");
        let ready = async {
            while !notice.exists() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), ready).await.context("the server did not get ready")?;
        Ok(server)
    }
}

/// A declaration. All its rules ask for a title that has `word` in it.
fn world(args: &Args, word: &str) -> String {
    let mut random = Random::new(args.seed);
    let mut text = String::from("catalog = \"cove\"\n\n");
    partner(&mut text, "top", "distributor", None);
    let partners = args.users / IN_ONE;
    let resellers = (partners / 100).max(1);
    for number in 0..partners {
        if number < resellers {
            partner(&mut text, &key(number), "reseller", Some("top"));
        } else {
            partner(&mut text, &key(number), "end-customer", Some(&key(random.below(resellers))));
        }
    }
    for number in 0..resellers {
        write_to(&mut text, format_args!("[[user_group]]\npartner = \"{}\"\nname = \"On call\"\n\n", key(number)));
    }
    let mut grants = String::new();
    for number in 0..args.users {
        let home = key(random.below(partners));
        let login = format!("u{number}@{home}.example");
        write_to(
            &mut text,
            format_args!(
                "[[user]]\npartner = \"{home}\"\nlogin_name = \"{login}\"\ndisplay_name = \"Person {number}\"\nemail = \"{login}\"\n\n"
            ),
        );
        if number % HOLDS == 0 {
            let role = random.pick(&["Supporter", "Operator", "Manager"]);
            let scope = random.pick(&["partner", "subtree"]);
            write_to(
                &mut grants,
                format_args!(
                    "[[grant]]\nrole = \"{role}\"\npartner = \"{home}\"\nuser = \"{login}\"\nscope = {{ {scope} = \"{home}\" }}\n\n"
                ),
            );
        }
    }
    text.push_str(&grants);
    directory(&mut text, word);
    text
}

fn key(number: usize) -> String {
    format!("partner-{number}")
}

fn partner(text: &mut String, key: &str, level: &str, parent: Option<&str>) {
    let parent = parent.map(|parent| format!("parent = \"{parent}\"\n")).unwrap_or_default();
    write_to(text, format_args!("[[partner]]\nkey = \"{key}\"\nname = \"The {key}\"\nlevel = \"{level}\"\n{parent}\n"));
}

/// A directory of the first partner.
fn directory(text: &mut String, word: &str) {
    text.push_str(
        "[[directory]]\npartner = \"partner-0\"\nname = \"Entra\"\n\n\
         [[directory.ceiling]]\nrole = \"Operator\"\nscope = { subtree = \"partner-0\" }\n\n\
         [[directory.connection]]\nkind = \"scim\"\nslug = \"bench-entra\"\nprofile = \"entra\"\nmatching_attribute = \"externalId\"\n\n",
    );
    for number in 0..RULES {
        let does = match number % 3 {
            0 => "add_to_group = \"On call\"",
            _ => "grant_role = \"Operator\"\nscope = { subtree = \"partner-0\" }",
        };
        let title = if word.is_empty() { String::new() } else { format!(" and not (title co \"{word} {number}\")") };
        write_to(
            text,
            format_args!(
                "[[directory.rule]]\nname = \"Rule {number}\"\nwhen = 'memberOf eq \"Group {number}\"{title}'\n{does}\n\n"
            ),
        );
    }
}

fn write_to(text: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a text cannot fail.
    let _written = text.write_fmt(what);
}
