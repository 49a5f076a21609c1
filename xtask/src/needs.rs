//! What a part may need, how to tell whether it is there, and which Debian packages bring it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Something a part cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// The server and the conformance binary, built.
    Binaries,
    /// PostgreSQL's server programs; the cluster itself is ours (see `postgres`).
    Postgres,
    /// OpenLDAP's slapd.
    Slapd,
    /// The Python conformance suites in an environment of their own.
    Python,
    /// Node and the OpenID provider package.
    OidcProvider,
    /// Node, the browser driver package and Chromium.
    Browser,
    /// The cargo-deny program.
    CargoDeny,
    /// The cargo-mutants program.
    CargoMutants,
}

/// A Debian package, and how to tell that it is not needed.
type Check = (&'static str, fn() -> bool);

impl Need {
    /// What it is called in a list.
    pub fn about(self) -> &'static str {
        match self {
            Need::Binaries => "the built server",
            Need::Postgres => "PostgreSQL",
            Need::Slapd => "slapd",
            Need::Python => "Python with venv",
            Need::OidcProvider => "Python with venv (it brings Node.js)",
            Need::Browser => "Python with venv (it brings Node.js), Chromium",
            Need::CargoDeny => "cargo-deny",
            Need::CargoMutants => "cargo-mutants",
        }
    }

    /// The Debian packages that are missing for it; empty when all is there.
    pub fn missing_packages(self) -> Vec<&'static str> {
        let checks: &[Check] = match self {
            Need::Binaries | Need::CargoDeny | Need::CargoMutants => &[],
            Need::Postgres => &[("postgresql", has_postgres)],
            Need::Slapd => &[("slapd", || runs(find("slapd"), &["-VV"]))],
            Need::Python | Need::OidcProvider => &[("python3-venv", has_venv)],
            Need::Browser => &[
                ("python3-venv", has_venv),
                ("chromium", || runs(chromium(), &["--version"])),
                ("fonts-dejavu-core", || Path::new("/usr/share/fonts/truetype").exists()),
            ],
        };
        checks.iter().filter(|(_, there)| !there()).map(|(package, _)| *package).collect()
    }
}

/// The folder of PostgreSQL's server programs, the newest version first.
pub fn postgres_bin() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, bin)| bin.join("initdb").exists())
        .collect();
    versions.sort();
    let newest = versions.pop().map(|(_, bin)| bin);
    newest.or_else(|| find("initdb").and_then(|path| path.parent().map(Path::to_path_buf)))
}

/// The browser's program.
pub fn chromium() -> Option<PathBuf> {
    ["chromium", "chromium-browser", "google-chrome"].iter().find_map(|name| find(name))
}

/// Finds a program on the path, or where Debian keeps the ones for administrators.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.extend(["/usr/sbin".into(), "/sbin".into()]);
    folders.into_iter().map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Whether a command can be run and says yes.
pub fn succeeds(program: &str, args: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn runs(program: Option<PathBuf>, args: &[&str]) -> bool {
    program.is_some_and(|program| succeeds(&program.to_string_lossy(), args))
}

fn has_postgres() -> bool {
    runs(postgres_bin().map(|bin| bin.join("postgres")), &["--version"])
}

fn has_venv() -> bool {
    succeeds("python3", &["-c", "import venv, ensurepip"])
}
