//! A PostgreSQL cluster of our own: new at each run, on a free loopback port, gone at the end.

use crate::install::is_root;
use crate::needs::{postgres_bin, succeeds};
use anyhow::{Context, Result, bail};
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A running cluster, or one that the caller named.
pub struct Postgres {
    url: String,
    psql: PathBuf,
    own: Option<Own>,
}

struct Own {
    server: Child,
    data: PathBuf,
}

impl Postgres {
    /// Starts a cluster, unless `ROLECALL_TEST_POSTGRES` names one to use.
    ///
    /// # Errors
    /// When the programs are missing or the server does not answer within 30 s.
    pub fn start(lab: &Path) -> Result<Postgres> {
        let bin = postgres_bin().context("PostgreSQL's programs are not here")?;
        let psql = bin.join("psql");
        if let Ok(url) = std::env::var("ROLECALL_TEST_POSTGRES") {
            return Ok(Postgres { url, psql, own: None });
        }
        let account = account();
        let data = data_folder(lab, account)?;
        initdb(&bin, &data, account)?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let log = lab.join("logs/postgres.log");
        let mut own = Own { server: spawn(&bin, &data, account, port, &log)?, data };
        own.wait(&bin, port).with_context(|| format!("see {}", log.display()))?;
        let url = format!("postgres://rolecall@127.0.0.1:{port}/postgres");
        Ok(Postgres { url, psql, own: Some(own) })
    }

    /// Makes an empty database and answers its address.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn database(&self, name: &str) -> Result<String> {
        let name = format!("rolecall_lab_{}", name.replace('-', "_"));
        for sql in [format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"), format!("CREATE DATABASE {name}")] {
            let output = Command::new(&self.psql)
                .args(["--quiet", "--no-psqlrc", "--dbname", &self.url, "--command", &sql])
                .env("PGOPTIONS", "--client-min-messages=warning")
                .output()
                .context("psql")?;
            if !output.status.success() {
                bail!("{sql}: {}", String::from_utf8_lossy(&output.stderr).trim());
            }
        }
        Ok(with_database(&self.url, &name))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(own) = &mut self.own {
            // SIGINT is the server's fast stop; std can only kill.
            succeeds("kill", &["-INT", &own.server.id().to_string()]);
            if !own.ended_within(Duration::from_secs(20)) {
                own.server.kill().ok();
                own.server.wait().ok();
            }
            fs::remove_dir_all(&own.data).ok();
        }
    }
}

impl Own {
    fn wait(&mut self, bin: &Path, port: u16) -> Result<()> {
        let ready = bin.join("pg_isready").to_string_lossy().into_owned();
        let started = Instant::now();
        while !succeeds(&ready, &["-q", "-h", "127.0.0.1", "-p", &port.to_string()]) {
            if let Some(status) = self.server.try_wait()? {
                bail!("PostgreSQL ended at once: {status}");
            }
            if started.elapsed() > Duration::from_secs(30) {
                bail!("PostgreSQL does not answer");
            }
            sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn ended_within(&mut self, limit: Duration) -> bool {
        let started = Instant::now();
        while started.elapsed() < limit {
            if !matches!(self.server.try_wait(), Ok(None)) {
                return true;
            }
            sleep(Duration::from_millis(50));
        }
        false
    }
}

/// PostgreSQL refuses to run as root, so root hands it to an account without rights.
fn account() -> Option<&'static str> {
    let known = |name: &&&str| succeeds("id", &["-u", name]);
    is_root().then(|| ["postgres", "nobody"].iter().find(known).copied()).flatten()
}

/// An empty folder that the account can reach: under the lab, or the system's temporary folder
/// when the repository lies where only its owner may look.
fn data_folder(lab: &Path, account: Option<&str>) -> Result<PathBuf> {
    let places = [lab.to_path_buf(), std::env::temp_dir()];
    for place in places {
        let data = place.join(format!("postgres-{}", std::process::id()));
        remove_stale(&place);
        fs::create_dir_all(&data).with_context(|| format!("making {}", data.display()))?;
        let Some(account) = account else {
            return Ok(data);
        };
        let path = data.to_string_lossy().into_owned();
        let owned = succeeds("chown", &[account, &path]);
        if owned && as_account(account).args(["test", "-w", &path]).status().is_ok_and(|status| status.success()) {
            return Ok(data);
        }
        fs::remove_dir_all(&data).ok();
    }
    bail!("no folder that the account {account:?} can write")
}

/// Clusters of runs that were killed before they could clean up.
fn remove_stale(place: &Path) {
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.strip_prefix("postgres-")) else {
            continue;
        };
        if pid.parse::<u32>().is_ok() && !Path::new("/proc").join(pid).exists() {
            fs::remove_dir_all(entry.path()).ok();
        }
    }
}

fn as_account(account: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid", account, "--regid", &group(account), "--init-groups"]);
    command
}

fn group(account: &str) -> String {
    let output = Command::new("id").args(["-g", account]).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

fn initdb(bin: &Path, data: &Path, account: Option<&str>) -> Result<()> {
    let program = bin.join("initdb");
    let mut command = match account {
        Some(account) => {
            let mut command = as_account(account);
            command.arg(program);
            command
        }
        None => Command::new(program),
    };
    let output = command
        .args(["--username", "rolecall", "--auth", "trust", "--encoding", "UTF8", "--locale", "C.UTF-8"])
        .arg("--pgdata")
        .arg(data)
        .current_dir("/")
        .output()
        .context("initdb")?;
    if !output.status.success() {
        bail!("initdb: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

fn spawn(bin: &Path, data: &Path, account: Option<&str>, port: u16, log: &Path) -> Result<Child> {
    let mut command = match account {
        Some(account) => as_account(account),
        None => Command::new("setpriv"),
    };
    // If xtask is killed the kernel asks the server for its fast stop.
    command.args(["--pdeathsig", "INT"]).arg(bin.join("postgres"));
    command.arg("-D").arg(data).args(["-p", &port.to_string()]);
    for setting in [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "shared_buffers=64MB",
        "max_connections=200",
        "max_wal_size=512MB",
    ] {
        command.args(["-c", setting]);
    }
    let log = File::create(log).context("making the log")?;
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).current_dir("/");
    command.spawn().context("starting PostgreSQL")
}

/// The same address with another database.
fn with_database(url: &str, name: &str) -> String {
    let (address, query) = url.split_once('?').map_or((url, None), |(address, query)| (address, Some(query)));
    let authority = address.find("://").map_or(0, |at| at + 3);
    let end = address[authority..].find('/').map_or(address.len(), |at| authority + at);
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{}/{name}{query}", &address[..end])
}

#[cfg(test)]
mod tests {
    use super::with_database;

    #[test]
    fn the_database_of_an_address_is_replaced() {
        assert_eq!(with_database("postgres://a@b:1/postgres", "x"), "postgres://a@b:1/x");
        assert_eq!(with_database("postgres://a@b:1", "x"), "postgres://a@b:1/x");
        assert_eq!(with_database("postgres://b/c?sslmode=disable", "x"), "postgres://b/x?sslmode=disable");
    }
}
