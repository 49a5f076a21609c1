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

use crate::config::PublicUrl;
use crate::domain::ctx::Ctx;
use crate::secret::{same, sha256};

/// The file's name in the data folder.
const FILE: &str = "server.json";

/// What the file says. It is written when a server starts and removed when it stops.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Notice {
    /// Where the server listens.
    pub listens: SocketAddr,
    /// The address it answers to.
    pub url: String,
    /// Opens what the operator may do; another one at every start.
    pub token: String,
}

impl Notice {
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
}

impl Operator {
    /// Draws a token and writes the notice.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn announce(folder: &Path, listens: SocketAddr, url: &PublicUrl, ctx: &Ctx) -> std::io::Result<Self> {
        let token = format!("rco_{}", URL_SAFE_NO_PAD.encode(ctx.random::<32>()));
        let hash = sha256(token.as_bytes());
        let notice = Notice { listens, url: url.to_string(), token };
        let (path, draft) = (folder.join(FILE), folder.join("server.json.new"));
        let _stale = fs::remove_file(&draft);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        serde_json::to_writer(&mut file, &notice)?;
        file.flush()?;
        fs::rename(&draft, &path)?;
        Ok(Self { hash, path })
    }

    /// Removes the notice, unless it is another server's by now.
    pub fn withdraw(&self) {
        let ours = self.path.parent().and_then(Notice::read);
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
        let folder = std::env::temp_dir().join(format!("rolecall-notice-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let url = PublicUrl::try_from("http://127.0.0.1:8080".to_owned()).unwrap();
        let listens = SocketAddr::from(([127, 0, 0, 1], 8080));
        let first = Operator::announce(&folder, listens, &url, &Clock.ctx(Actor::System)).unwrap();
        let notice = Notice::read(&folder).unwrap();
        assert!(first.is(&notice.token) && !first.is("rco_") && !first.is(""));
        assert_eq!(fs::metadata(folder.join(FILE)).unwrap().permissions().mode() & 0o777, 0o600);
        let second = Operator::announce(&folder, listens, &url, &Clock.ctx(Actor::System)).unwrap();
        drop(first);
        assert!(second.is(&Notice::read(&folder).unwrap().token), "the notice of another server stays");
        drop(second);
        assert_eq!(Notice::read(&folder), None);
        fs::remove_dir_all(folder).unwrap();
    }
}
