//! The operator's way into a running server: a token in its data folder, where only who runs the server can read it.
//! Commands use it because a SQLite file belongs to one process.
use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::config::{self, PublicUrl};
use crate::domain::ctx::Ctx;
use crate::secret::{same, sha256};

/// The file's name in the data folder.
const FILE: &str = "server.json";

/// What the file says. It is written when a server starts and removed when it stops.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ServerNotice {
    /// Where the server listens.
    pub listens: SocketAddr,
    /// The address it answers to.
    pub url: String,
    /// Opens what the operator may do; another one at every start.
    pub token: String,
    /// Which database it works with, so that a command that means another one does not ask it; see [`database`].
    #[serde(default)]
    pub database: String,
    /// SHA-256 of the certificate it shows, when it speaks TLS itself: nobody else on this machine can show that one, and
    /// who issued it does not matter.
    #[serde(default)]
    pub certificate: Option<String>,
}

/// What tells the database of a configuration from others: nothing that gives an address or a password away.
pub fn database(store: &config::StoreConfig) -> String {
    match &store.database_url {
        Some(url) => hex(&sha256(url.expose().as_bytes())),
        None => "in the data folder".to_owned(),
    }
}

/// A hash as text.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl ServerNotice {
    /// The notice of the server that runs on a data folder; `None` when there is none.
    pub fn read(folder: &Path) -> Option<Self> {
        let text = fs::read_to_string(folder.join(FILE)).ok()?;
        serde_json::from_str(&text).ok()
    }
}

/// The token of this run of the server. Dropping it removes the file.
pub struct Operator {
    hash: [u8; 32],
    path: PathBuf,
    notice: ServerNotice,
}

impl Operator {
    /// Draws a token and writes the notice.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn announce(
        store: &config::StoreConfig,
        (listens, url): (SocketAddr, &PublicUrl),
        certificate: Option<[u8; 32]>,
        ctx: &Ctx,
    ) -> std::io::Result<Self> {
        let token = format!("rco_{}", URL_SAFE_NO_PAD.encode(ctx.random::<32>()));
        let hash = sha256(token.as_bytes());
        let certificate = certificate.map(|digest| hex(&digest));
        let notice = ServerNotice { listens, url: url.to_string(), token, database: database(store), certificate };
        let own = Self { hash, path: store.data_dir.join(FILE), notice };
        own.write(&own.notice)?;
        Ok(own)
    }

    fn write(&self, notice: &ServerNotice) -> std::io::Result<()> {
        let draft = self.path.with_extension("json.new");
        let _stale = fs::remove_file(&draft);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        serde_json::to_writer(&mut file, notice)?;
        file.flush()?;
        fs::rename(&draft, &self.path)
    }

    /// Writes the notice again: the server shows another certificate from now on.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn certified(&self, certificate: [u8; 32]) -> std::io::Result<()> {
        self.write(&ServerNotice { certificate: Some(hex(&certificate)), ..self.notice.clone() })
    }

    /// Removes the notice, unless it is another server's by now.
    pub fn withdraw(&self) {
        let ours = self.path.parent().and_then(ServerNotice::read);
        if ours.is_some_and(|notice| self.is(&notice.token)) {
            let _gone = fs::remove_file(&self.path);
        }
    }

    /// Whether this is the operator's token.
    pub fn is(&self, presented: &str) -> bool {
        same(&self.hash, &sha256(presented.as_bytes()))
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.withdraw();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::domain::ctx::Actor;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn only_the_owner_reads_the_notice_and_it_goes_with_the_server() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().to_owned();
        let url = PublicUrl::try_from("http://127.0.0.1:8080".to_owned()).unwrap();
        let listens = SocketAddr::from(([127, 0, 0, 1], 8080));
        let store = config::StoreConfig { data_dir: folder.clone(), ..config::StoreConfig::default() };
        let announce = || Operator::announce(&store, (listens, &url), None, &Clock.ctx(Actor::System)).unwrap();
        let first = announce();
        let notice = ServerNotice::read(&folder).unwrap();
        assert!(first.is(&notice.token) && !first.is("rco_") && !first.is(""));
        assert_eq!(fs::metadata(folder.join(FILE)).unwrap().permissions().mode() & 0o777, 0o600);
        let second = announce();
        second.certified([7; 32]).unwrap();
        assert_eq!(ServerNotice::read(&folder).unwrap().certificate, Some("07".repeat(32)));
        drop(first);
        assert!(second.is(&ServerNotice::read(&folder).unwrap().token), "the notice of another server stays");
        drop(second);
        assert_eq!(ServerNotice::read(&folder), None);
    }
}
