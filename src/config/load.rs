//! Reads the file, lays the environment over it, and says what is wrong where.
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::{Table, Value};

use super::Config;

/// Variables start with this; the rest is the key in capitals: `server.public_url` is
/// `ROLECALL_SERVER_PUBLIC_URL`.
const PREFIX: &str = "ROLECALL_";

/// Variables with our prefix that are no keys: the file itself, and what tests are told.
const OTHERS: [&str; 2] = ["CONFIG", "TEST_"];

/// How a variable's text becomes a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    /// Also readable from the file that `…_FILE` names.
    Secret,
    Number,
    Flag,
    /// Separated by commas.
    List,
}

/// Every key that can be set.
const KEYS: &[(&str, Kind)] = &[
    ("server.listen", Kind::Text),
    ("server.public_url", Kind::Text),
    ("server.trusted_proxies", Kind::List),
    ("server.workers", Kind::Number),
    ("server.shutdown_timeout_seconds", Kind::Number),
    ("server.tls.certificate", Kind::Text),
    ("server.tls.key", Kind::Text),
    ("server.limits.max_body_bytes", Kind::Number),
    ("server.limits.max_bulk_body_bytes", Kind::Number),
    ("server.limits.max_header_bytes", Kind::Number),
    ("server.limits.header_timeout_seconds", Kind::Number),
    ("server.limits.body_timeout_seconds", Kind::Number),
    ("server.limits.request_timeout_seconds", Kind::Number),
    ("server.limits.write_timeout_seconds", Kind::Number),
    ("server.limits.keep_alive_seconds", Kind::Number),
    ("server.limits.max_connections_per_worker", Kind::Number),
    ("server.limits.max_connections_per_address", Kind::Number),
    ("server.limits.requests_per_second", Kind::Number),
    ("server.limits.burst", Kind::Number),
    ("store.data_dir", Kind::Text),
    ("store.database_url", Kind::Secret),
    ("store.max_write_connections", Kind::Number),
    ("store.idle_transaction_timeout_seconds", Kind::Number),
    ("store.lock_timeout_seconds", Kind::Number),
    ("store.max_users_per_connection", Kind::Number),
    ("store.max_groups_per_connection", Kind::Number),
    ("secrets.encryption_keys", Kind::Secret),
    ("secrets.encryption_key_file", Kind::Text),
    ("outbound.allowed_networks", Kind::List),
    ("outbound.allow_loopback", Kind::Flag),
    ("outbound.ca_file", Kind::Text),
    ("log.format", Kind::Text),
    ("log.filter", Kind::Text),
    ("scim.requests_per_second", Kind::Number),
    ("scim.burst", Kind::Number),
    ("scim.default_page_size", Kind::Number),
    ("scim.max_page_size", Kind::Number),
    ("scim.max_bulk_operations", Kind::Number),
    ("scim.cursor_lifetime_seconds", Kind::Number),
    ("scim.search_timeout_ms", Kind::Number),
    ("scim.count_timeout_ms", Kind::Number),
    ("scim.access_token_lifetime_seconds", Kind::Number),
    ("scim.public_discovery", Kind::Flag),
    ("api.requests_per_second", Kind::Number),
    ("api.burst", Kind::Number),
    ("removal_alerts.min_users", Kind::Number),
    ("removal_alerts.min_users_percent", Kind::Number),
    ("removal_alerts.window_minutes", Kind::Number),
    ("retention.request_log_days", Kind::Number),
    ("retention.deleted_records_days", Kind::Number),
    ("metrics.listen", Kind::Text),
    ("metrics.token", Kind::Secret),
    ("setup.catalog", Kind::Text),
    ("setup.root_partner_name", Kind::Text),
    ("setup.owner_login_name", Kind::Text),
];

/// What is wrong with a configuration, and where.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// File and line, or the variable.
    pub place: String,
    /// The key, as far as it is known.
    pub key: Option<String>,
    /// What is wrong.
    pub problem: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(f, "{}: `{key}`: {}", self.place, self.problem),
            None => write!(f, "{}: {}", self.place, self.problem),
        }
    }
}

impl std::error::Error for ConfigError {}

/// Reads `file` (none: defaults alone), then lays `environment` over it.
///
/// # Errors
/// The first thing that is wrong, with file, line and key, or with the variable.
pub fn load(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Config, ConfigError> {
    match file {
        Some(path) => laid_over(read_file(path)?, path.display().to_string(), environment),
        None => over(Table::new(), environment),
    }
}

/// Lays `environment` over `defaults` that stand in the place of a file.
///
/// # Errors
/// As [`load`].
pub fn over(
    defaults: Table,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Config, ConfigError> {
    laid_over(defaults, "configuration".to_owned(), environment)
}

fn laid_over(
    mut table: Table,
    place: String,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Config, ConfigError> {
    for (name, value) in environment {
        if let Some(setting) = Setting::of(&name, &value)? {
            setting.lay_over(&mut table)?;
        }
    }
    let config = Config::deserialize(table).map_err(|error| ConfigError {
        place: place.clone(),
        key: None,
        problem: error.message().to_owned(),
    })?;
    match config.contradiction() {
        None => Ok(config),
        Some((key, problem)) => Err(ConfigError { place, key: Some(key.into()), problem: problem.into() }),
    }
}

fn read_file(path: &Path) -> Result<Table, ConfigError> {
    let place = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| ConfigError {
        place: place.clone(),
        key: None,
        problem: format!("cannot be read: {error}"),
    })?;
    let at = |error: toml::de::Error| {
        let start = error.span().map_or(0, |span| span.start);
        let (line, key) = locate(&text, start);
        ConfigError { place: format!("{place}:{line}"), key, problem: error.message().to_owned() }
    };
    // Read as `Config` for the sake of the error: it knows the line, a table does not.
    toml::from_str::<Config>(&text).map_err(at)?;
    toml::from_str::<Table>(&text).map_err(at)
}

/// The line of a byte, and the key written there.
fn locate(text: &str, start: usize) -> (usize, Option<String>) {
    let before = text.get(..start).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let header = |line: &str| Some(line.trim().strip_prefix('[')?.split_once(']')?.0.trim().to_owned());
    let section = text.lines().take(line).filter_map(header).last();
    let here = text.lines().nth(line - 1).and_then(|line| line.split_once('=')).map(|(key, _)| key.trim().to_owned());
    let key = match (section, here) {
        (Some(section), Some(key)) => Some(format!("{section}.{key}")),
        (section, key) => key.or(section),
    };
    (line, key)
}

/// One variable that sets a key.
struct Setting {
    variable: String,
    key: &'static str,
    value: Value,
}

impl Setting {
    /// What a variable sets; `None` when it is not one of ours.
    fn of(name: &OsString, value: &OsString) -> Result<Option<Self>, ConfigError> {
        let Some(variable) = name.to_str() else { return Ok(None) };
        let Some(rest) = variable.strip_prefix(PREFIX) else { return Ok(None) };
        if OTHERS.iter().any(|other| rest == *other || (other.ends_with('_') && rest.starts_with(other))) {
            return Ok(None);
        }
        let wrong = |problem: String| ConfigError { place: variable.to_owned(), key: None, problem };
        let text = value.to_str().ok_or_else(|| wrong("is not UTF-8".into()))?;
        let named = |(key, _): &&(&str, Kind)| key.to_uppercase().replace('.', "_") == rest;
        if let Some((key, kind)) = KEYS.iter().find(named) {
            let value = kind.read(text).map_err(wrong)?;
            return Ok(Some(Self { variable: variable.to_owned(), key, value }));
        }
        let from_file = |(key, kind): &&(&str, Kind)| {
            *kind == Kind::Secret && rest.strip_suffix("_FILE") == Some(&key.to_uppercase().replace('.', "_"))
        };
        let Some((key, _)) = KEYS.iter().find(from_file) else {
            return Err(wrong("names no key; see config/rolecall.toml for all of them".into()));
        };
        let secret = std::fs::read_to_string(PathBuf::from(text))
            .map_err(|error| wrong(format!("the file {text} cannot be read: {error}")))?;
        let value = Value::String(secret.trim_end_matches(['\r', '\n']).to_owned());
        Ok(Some(Self { variable: variable.to_owned(), key, value }))
    }

    fn lay_over(self, table: &mut Table) -> Result<(), ConfigError> {
        let mut whole = table.clone();
        put(&mut whole, self.key, self.value);
        // Tried alone, so that a wrong value is told by the name of its variable.
        Config::deserialize(whole.clone()).map_err(|error| ConfigError {
            place: self.variable,
            key: Some(self.key.to_owned()),
            problem: error.message().to_owned(),
        })?;
        *table = whole;
        Ok(())
    }
}

fn put(table: &mut Table, key: &str, value: Value) {
    let Some((section, rest)) = key.split_once('.') else {
        table.insert(key.to_owned(), value);
        return;
    };
    let inner = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
    if let Value::Table(inner) = inner {
        put(inner, rest, value);
    }
}

impl Kind {
    fn read(self, text: &str) -> Result<Value, String> {
        match self {
            Self::Text | Self::Secret => Ok(Value::String(text.to_owned())),
            Self::Number => text.parse().map(Value::Integer).map_err(|_| "must be a whole number".into()),
            Self::Flag => text.parse().map(Value::Boolean).map_err(|_| "must be true or false".into()),
            Self::List => {
                let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
                Ok(Value::Array(parts.map(|part| Value::String(part.to_owned())).collect()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIPPED: &str = include_str!("../../config/rolecall.toml");

    fn from(name: &str, text: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(format!("{name}.toml"));
        std::fs::write(&path, text).unwrap();
        let environment = environment.iter().map(|(name, value)| (name.into(), value.into()));
        load(Some(&path), environment)
    }

    fn refused(name: &str, text: &str, environment: &[(&str, &str)]) -> String {
        from(name, text, environment).unwrap_err().to_string()
    }

    #[test]
    fn the_shipped_file_loads_and_explains_every_key() {
        let config = from("shipped", SHIPPED, &[]).unwrap();
        assert_eq!(format!("{config:?}"), format!("{:?}", Config::default()), "the file shows the defaults");
        let mut section = String::new();
        let mut explained = Vec::new();
        for line in SHIPPED.lines() {
            let line = line.strip_prefix('#').unwrap_or(line);
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                section = name.to_owned();
            } else if let Some((key, _)) = line.split_once(" = ").filter(|(key, _)| !key.contains(' ')) {
                explained.push(format!("{section}.{key}"));
            }
        }
        let keys: Vec<_> = KEYS.iter().map(|(key, _)| (*key).to_owned()).collect();
        assert_eq!(explained, keys);
    }

    #[test]
    fn what_is_wrong_in_the_file_is_told_with_line_and_key() {
        let text = "[server]\nlisten = \"127.0.0.1:0\"\nlissten = 1\n";
        let told = refused("unknown", text, &[]);
        assert!(told.contains(".toml:3: `server.lissten`: unknown field"), "{told}");
        let told = refused("type", "[scim]\n\nburst = \"many\"\n", &[]);
        assert!(told.contains(".toml:3: `scim.burst`: invalid type"), "{told}");
        let told = refused("syntax", "[server\n", &[]);
        assert!(told.contains(".toml:1"), "{told}");
        let told = refused("url", "[server]\npublic_url = \"example\"\n", &[]);
        assert!(told.contains(":2: `server.public_url`: must be scheme, host"), "{told}");
        let told = refused("half", "[server.tls]\nkey = \"k\"\n", &[]);
        assert!(told.contains("`server.tls`: needs both"), "{told}");
        let told = load(Some(Path::new("/nonexistent/x.toml")), []).unwrap_err().to_string();
        assert!(told.contains("cannot be read"), "{told}");
    }

    #[test]
    fn the_environment_lies_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret");
        std::fs::write(&secret, "postgres://db/rolecall\n").unwrap();
        let config = from(
            "environment",
            "[server]\nlisten = \"127.0.0.1:1\"\nworkers = 3\n",
            &[
                ("ROLECALL_SERVER_LISTEN", "127.0.0.1:2"),
                ("ROLECALL_SERVER_TRUSTED_PROXIES", "10.0.0.0/8, ::1"),
                ("ROLECALL_SCIM_PUBLIC_DISCOVERY", "true"),
                ("ROLECALL_STORE_DATABASE_URL_FILE", secret.to_str().unwrap()),
                ("ROLECALL_TEST_ANYTHING", "1"),
                ("PATH", "/bin"),
            ],
        );
        let config = config.unwrap();
        assert_eq!(config.server.listen.port(), 2);
        assert_eq!(config.server.workers, 3);
        assert_eq!(config.server.trusted_proxies.len(), 2);
        assert!(config.scim.public_discovery);
        assert_eq!(config.store.url(), "postgres://db/rolecall");
    }

    #[test]
    fn what_is_wrong_in_the_environment_is_told_by_variable() {
        let told = refused("variable", "", &[("ROLECALL_SERVER_LISTENN", "x")]);
        assert!(told.starts_with("ROLECALL_SERVER_LISTENN: names no key"), "{told}");
        let told = refused("value", "", &[("ROLECALL_SERVER_LISTEN", "here")]);
        assert!(told.starts_with("ROLECALL_SERVER_LISTEN: `server.listen`:"), "{told}");
        let told = refused("number", "", &[("ROLECALL_SCIM_BURST", "many")]);
        assert!(told.starts_with("ROLECALL_SCIM_BURST: must be a whole number"), "{told}");
    }
}
