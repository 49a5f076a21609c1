//! Whether a configuration can be used: the one look that `config check` and `serve` share, at every key whose value
//! only shows whether it is good when it is used.
use anyhow::bail;

use crate::admin::setup::{self, SetUp};
use crate::config::Config;
use crate::secret::{self, Keyring};
use crate::store::Store;
use crate::telemetry;
use crate::web::{login, tls};

/// Refuses a configuration that a server could not run with. Makes nothing and connects to nothing.
///
/// # Errors
/// Everything that is wrong, a line each, with its key.
pub(super) fn usable(config: &Config) -> anyhow::Result<()> {
    let mut wrong = Vec::new();
    let mut note = |key: &str, why: Option<String>| wrong.extend(why.map(|why| format!("`{key}`: {why}")));
    let (server, secrets) = (&config.server, &config.secrets);
    note("log.filter", telemetry::check(&config.log).err().map(|error| error.to_string()));
    note("store.database_url", Store::check_url(&config.store.url()).err().map(|error| error.to_string()));
    if let Some((certificate, key)) = server.tls.files() {
        note("server.tls", tls::Certificate::open(certificate, key).err().map(|error| error.to_string()));
    }
    if let Some(keys) = &secrets.encryption_keys {
        note(
            "secrets.encryption_keys",
            Keyring::parse(keys.expose(), "`secrets.encryption_keys`").err().map(|error| error.to_string()),
        );
    }
    if let Some(path) = &secrets.encryption_key_file {
        note("secrets.encryption_key_file", secret::load(path).err().map(|error| error.to_string()));
    }
    note("outbound.ca_file", login::fetch(config).err());
    let first = SetUp {
        catalog: &config.setup.catalog,
        company: &config.setup.root_partner_name,
        owner: &config.setup.owner_login_name,
    };
    for (key, why) in setup::faults(&first) {
        note(key, Some(why));
    }
    let twice = config.metrics.listen.is_some_and(|figures| figures == server.listen && figures.port() != 0);
    note("metrics.listen", twice.then(|| "is the address of `server.listen` too".to_owned()));
    match wrong.as_slice() {
        [] => Ok(()),
        [one] => bail!("{one}"),
        many => bail!("the configuration cannot be used:\n{}", many.join("\n")),
    }
}
