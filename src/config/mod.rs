//! What an operator sets: typed sections, read from one file and the environment.
//!
//! Every key is explained in `config/rolecall.toml`; a test keeps the two together.
mod load;
mod values;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::domain::ctx::Ctx;
use crate::secret::{self, KeyFault, Keyring};

pub use crate::domain::net::Network;
pub use load::{ConfigError, load, over};
pub use values::{PublicUrl, Secret};

/// Everything an operator can set.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The HTTP server.
    pub server: ServerConfig,
    /// Where state is kept.
    pub store: StoreConfig,
    /// The keys that seal secrets at rest.
    pub secrets: SecretKey,
    /// Requests to providers.
    pub outbound: OutboundConfig,
    /// The program's own log.
    pub log: LogConfig,
    /// What one connection may ask for.
    pub scim: ScimConfig,
    /// What one user may ask of the API.
    pub api: ApiConfig,
    /// When much taken away at once is an alarm.
    pub removal_alerts: RemovalAlertConfig,
    /// How long records are kept.
    pub retention: RetentionConfig,
    /// Figures for a monitoring system.
    pub metrics: MetricsConfig,
    /// What an empty store begins with.
    pub setup: SetupConfig,
}

/// The HTTP server.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// Address and port to listen on; port 0 takes any free one.
    pub listen: SocketAddr,
    /// The address users and providers reach us by; derived from `listen` when absent.
    pub public_url: Option<PublicUrl>,
    /// Networks whose `Forwarded` and `X-Forwarded-*` headers are believed.
    pub trusted_proxies: Vec<Network>,
    /// Threads that serve requests; 0 takes one a core.
    pub workers: usize,
    /// Seconds that running requests get when the server stops.
    pub shutdown_timeout_seconds: u64,
    /// Certificate and key, when the server itself speaks TLS.
    pub tls: TlsConfig,
    /// Limits on what comes in.
    pub limits: LimitsConfig,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            public_url: None,
            trusted_proxies: Vec::new(),
            workers: 0,
            shutdown_timeout_seconds: 30,
            tls: TlsConfig::default(),
            limits: LimitsConfig::default(),
        }
    }
}

/// Certificate and key of the server, both PEM. Read again when they change.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsConfig {
    /// The certificate, then its intermediates.
    pub certificate: Option<PathBuf>,
    /// The private key.
    pub key: Option<PathBuf>,
}

impl TlsConfig {
    /// The two files; `None` when TLS is off.
    pub fn files(&self) -> Option<(&Path, &Path)> {
        self.certificate.as_deref().zip(self.key.as_deref())
    }
}

/// Limits on what comes in.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Largest request body, in bytes.
    pub max_body_bytes: usize,
    /// Largest body of a request to a SCIM group or `/Bulk`, in bytes.
    pub max_bulk_body_bytes: usize,
    /// All header names and values of one request together, in bytes.
    pub max_header_bytes: usize,
    /// Seconds a client may take to send the head of a request.
    pub header_timeout_seconds: u64,
    /// Seconds a client may take to send the body.
    pub body_timeout_seconds: u64,
    /// Seconds from the head of a request until its answer begins; then it is given up.
    pub request_timeout_seconds: u64,
    /// Seconds a client may read nothing of what is sent to it.
    pub write_timeout_seconds: u64,
    /// Seconds a connection without a request stays open.
    pub keep_alive_seconds: u64,
    /// Connections open at the same time, for each worker.
    pub max_connections_per_worker: usize,
    /// Connections open at the same time from one address; 0 sets no limit.
    pub max_connections_per_address: usize,
    /// Requests a second that one address may keep up where no connection or user is counted; 0 sets no limit.
    pub requests_per_second: u32,
    /// Requests one address may send at once before that rate counts.
    pub burst: u32,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            max_body_bytes: 1 << 20,
            max_bulk_body_bytes: 16 << 20,
            max_header_bytes: 32 << 10,
            header_timeout_seconds: 10,
            body_timeout_seconds: 30,
            request_timeout_seconds: 60,
            write_timeout_seconds: 30,
            keep_alive_seconds: 75,
            max_connections_per_worker: 10_000,
            max_connections_per_address: 256,
            requests_per_second: 100,
            burst: 500,
        }
    }
}

/// Where state is kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// The folder of this installation.
    pub data_dir: PathBuf,
    /// A PostgreSQL address; without it SQLite in `data_dir`.
    pub database_url: Option<Secret>,
    /// Most connections to PostgreSQL.
    pub max_write_connections: u32,
    /// Seconds after which PostgreSQL ends a transaction whose server says nothing any more.
    pub idle_transaction_timeout_seconds: u32,
    /// Seconds a write waits for rows that another holds.
    pub lock_timeout_seconds: u32,
    /// Most users that one connection may say.
    pub max_users_per_connection: u32,
    /// Most groups.
    pub max_groups_per_connection: u32,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("data"),
            database_url: None,
            max_write_connections: 16,
            idle_transaction_timeout_seconds: 5,
            lock_timeout_seconds: 10,
            max_users_per_connection: 2_000_000,
            max_groups_per_connection: 1_000_000,
        }
    }
}

impl StoreConfig {
    /// Whether the database is a file, which belongs to one process.
    pub fn is_a_file(&self) -> bool {
        self.database_url.as_ref().is_none_or(|url| url.expose().starts_with("sqlite:"))
    }

    /// The database address, SQLite in the data folder unless set.
    pub fn url(&self) -> String {
        match &self.database_url {
            Some(url) => url.expose().to_owned(),
            None => format!("sqlite:{}", self.data_dir.join("rolecall.db").display()),
        }
    }
}

/// The keys that seal secrets at rest; see [`crate::secret::Keyring`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SecretKey {
    /// The keys, one a line.
    pub encryption_keys: Option<Secret>,
    /// A file that holds them; `secret.key` in the data folder unless set.
    pub encryption_key_file: Option<PathBuf>,
}

/// Requests to OpenID providers: https, and never into private networks unless it says so here.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OutboundConfig {
    /// Private networks that providers may live in.
    pub allowed_networks: Vec<Network>,
    /// Whether providers may run on this machine, without TLS: for trying out.
    pub allow_loopback: bool,
    /// A file of further certificate authorities to trust, PEM.
    pub ca_file: Option<PathBuf>,
}

/// The program's own log, on standard error.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// Lines for users or JSON for machines.
    pub format: LogFormat,
    /// What is logged: a level, or levels by module.
    pub filter: String,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: "info".into() }
    }
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For users.
    Text,
    /// One JSON object a line.
    Json,
}

/// What one user may ask of the API.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApiConfig {
    /// Requests a second that one user may keep up; 0 sets no limit.
    pub requests_per_second: u32,
    /// Requests one user may send at once.
    pub burst: u32,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self { requests_per_second: 200, burst: 1_000 }
    }
}

/// What one SCIM connection may ask for.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScimConfig {
    /// Requests a second that one connection may keep up; 0 sets no limit.
    pub requests_per_second: u32,
    /// Requests one connection may send at once before the rate counts.
    pub burst: u32,
    /// Resources on a page when the client does not say.
    pub default_page_size: u32,
    /// Most resources on a page.
    pub max_page_size: u32,
    /// Most operations in one bulk request.
    pub max_bulk_operations: usize,
    /// Seconds until a cursor ends.
    pub cursor_lifetime_seconds: u32,
    /// Milliseconds that finding one page may take where no index leads to it, 1 to 1000.
    pub search_timeout_ms: u64,
    /// Milliseconds that counting every match of a list may take, 0 to 1000; 0 counts none.
    pub count_timeout_ms: u64,
    /// Seconds an access token from the token endpoint lives, 300 to 86400.
    pub access_token_lifetime_seconds: u32,
    /// Whether ServiceProviderConfig, ResourceTypes and Schemas answer without a token.
    pub public_discovery: bool,
}

impl Default for ScimConfig {
    fn default() -> Self {
        Self {
            requests_per_second: 50,
            burst: 200,
            default_page_size: 100,
            max_page_size: 1_000,
            max_bulk_operations: 1_000,
            cursor_lifetime_seconds: 3_600,
            search_timeout_ms: 1_000,
            count_timeout_ms: 250,
            access_token_lifetime_seconds: 3_600,
            public_discovery: false,
        }
    }
}

/// What an empty store begins with; read only once.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SetupConfig {
    /// The catalog of levels, capabilities and roles.
    pub catalog: String,
    /// The name of the company at the top of the partner tree.
    pub root_partner_name: String,
    /// The sign-in name of the first owner.
    pub owner_login_name: String,
}

impl Default for SetupConfig {
    fn default() -> Self {
        Self { catalog: "cove".into(), root_partner_name: "Our company".into(), owner_login_name: "owner".into() }
    }
}

/// When it is an alarm that one connection takes much away. The removals themselves are never delayed.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RemovalAlertConfig {
    /// From so many users on within the window; 0: their number raises no alarm.
    pub min_users: u32,
    /// From this share of the connection's users on, in percent, once it is at least five of them; 0: no share does.
    pub min_users_percent: u32,
    /// The window, in minutes.
    pub window_minutes: u32,
}

impl Default for RemovalAlertConfig {
    fn default() -> Self {
        Self { min_users: 20, min_users_percent: 20, window_minutes: 10 }
    }
}

/// How long records are kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetentionConfig {
    /// Days that the log of SCIM requests keeps a request; 0 writes none and deletes what was kept.
    pub request_log_days: u32,
    /// Days that a deleted external user or group is kept, so that its deletion can be undone; 0 keeps none.
    pub deleted_records_days: u32,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        Self { request_log_days: 30, deleted_records_days: 30 }
    }
}

/// Figures in the Prometheus text format at `/metrics`; off until one of the two is set.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsConfig {
    /// An address of its own, without a token.
    pub listen: Option<SocketAddr>,
    /// The bearer token for `/metrics` on the main address.
    pub token: Option<Secret>,
}

impl Config {
    /// The address users and providers reach us by, given the port really bound.
    pub fn public_url(&self, bound: SocketAddr) -> PublicUrl {
        self.server.public_url.clone().unwrap_or_else(|| PublicUrl::of(bound, self.server.tls.files().is_some()))
    }

    /// The keys that seal secrets. Without any set, those of `secret.key` in the data folder, made when there is none
    /// and nothing was sealed yet.
    ///
    /// # Errors
    /// The keys cannot be read or made.
    pub fn keyring(&self, ctx: &Ctx, secrets_exist: bool) -> Result<Keyring, KeyFault> {
        if let Some(keys) = &self.secrets.encryption_keys {
            return Keyring::parse(keys.expose(), "`secrets.encryption_keys`");
        }
        match &self.secrets.encryption_key_file {
            Some(path) => secret::load(path),
            None => secret::load_or_create(&self.store.data_dir.join("secret.key"), secrets_exist, ctx),
        }
    }

    /// What no single key can tell: keys that need each other. The key at fault and a sentence.
    fn contradiction(&self) -> Option<(&'static str, &'static str)> {
        let tls = &self.server.tls;
        if tls.certificate.is_some() != tls.key.is_some() {
            return Some(("server.tls", "needs both `certificate` and `key`"));
        }
        if self.secrets.encryption_keys.is_some() && self.secrets.encryption_key_file.is_some() {
            return Some(("secrets", "takes `encryption_keys` or `encryption_key_file`, not both"));
        }
        if self.store.max_write_connections == 0 {
            return Some(("store.max_write_connections", "must be at least 1"));
        }
        if self.scim.max_page_size == 0 || self.scim.default_page_size > self.scim.max_page_size {
            return Some(("scim.default_page_size", "must not be above `max_page_size`, and `max_page_size` not be 0"));
        }
        if !(1..=1_000).contains(&self.scim.search_timeout_ms) {
            return Some(("scim.search_timeout_ms", "must be 1 to 1000"));
        }
        if self.scim.count_timeout_ms > 1_000 {
            return Some(("scim.count_timeout_ms", "must be 0 to 1000"));
        }
        if !(300..=86_400).contains(&self.scim.access_token_lifetime_seconds) {
            return Some(("scim.access_token_lifetime_seconds", "must be 300 to 86400"));
        }
        if self.scim.requests_per_second > 0 && self.scim.burst == 0 {
            return Some(("scim.burst", "must be at least 1 when there is a rate"));
        }
        if self.removal_alerts.min_users_percent > 100 {
            return Some(("removal_alerts.min_users_percent", "must be 0 to 100"));
        }
        if !(1..=1_440).contains(&self.removal_alerts.window_minutes) {
            return Some(("removal_alerts.window_minutes", "must be 1 to 1440"));
        }
        self.server.limits.contradiction().or_else(|| self.store.contradiction())
    }
}

impl LimitsConfig {
    fn contradiction(&self) -> Option<(&'static str, &'static str)> {
        if self.header_timeout_seconds == 0 || self.body_timeout_seconds == 0 || self.write_timeout_seconds == 0 {
            return Some((
                "server.limits",
                "`header_timeout_seconds`, `body_timeout_seconds` and `write_timeout_seconds` must be at least 1",
            ));
        }
        if self.request_timeout_seconds <= self.body_timeout_seconds {
            return Some((
                "server.limits.request_timeout_seconds",
                "must be above `body_timeout_seconds`: the body comes within it",
            ));
        }
        if self.keep_alive_seconds == 0 || self.max_connections_per_worker == 0 {
            return Some(("server.limits", "`keep_alive_seconds` and `max_connections_per_worker` must be at least 1"));
        }
        if self.requests_per_second > 0 && self.burst == 0 {
            return Some(("server.limits.burst", "must be at least 1 when there is a rate"));
        }
        None
    }
}

impl StoreConfig {
    fn contradiction(&self) -> Option<(&'static str, &'static str)> {
        if self.idle_transaction_timeout_seconds == 0
            || self.lock_timeout_seconds <= self.idle_transaction_timeout_seconds
        {
            return Some((
                "store.lock_timeout_seconds",
                "must be above `idle_transaction_timeout_seconds`, and that at least 1: who waits sees a hung server ended",
            ));
        }
        None
    }
}
