//! The keys that seal: from a file or the environment, never from the database.
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::seal::{Envelope, SealFault, SealKey, SealPurpose};
use crate::domain::ctx::Ctx;

/// The sealing keys: the first one seals, all of them open. A key is turned over by putting a new
/// line on top of the file; the old line may go once a server has started with the new one, because a start seals
/// everything stored anew.
pub struct Keyring {
    keys: Vec<SealKey>,
}

/// Why the keys could not be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyFault {
    /// Secrets are stored but the key to them is missing.
    #[error(
        "the store holds sealed secrets but there is no key file at {0}: put back the key file of this installation \
         (it is not part of a database backup)"
    )]
    Missing(PathBuf),
    /// The file cannot be read or written.
    #[error("key file {path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A line is not a key.
    #[error("{origin}, line {line}: not a key; a key is 32 random bytes in base64url, 43 characters")]
    NotAKey {
        /// File or variable.
        origin: String,
        /// Line number, from 1.
        line: usize,
    },
    /// No key at all.
    #[error("{0}: holds no key")]
    Empty(String),
    /// Others may read it.
    #[error("key file {0}: others may read it; make it private with chmod 600")]
    Exposed(PathBuf),
}

impl Keyring {
    /// Reads keys from text: one per line, blank lines and lines that begin with `#` left out.
    ///
    /// # Errors
    /// When a line is not a key or there is none; `origin` names the source in the message.
    pub fn parse(text: &str, origin: &str) -> Result<Self, KeyFault> {
        let mut keys = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let fault = || KeyFault::NotAKey { origin: origin.to_owned(), line: at + 1 };
            let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(line).map_err(|_| fault())?);
            let bytes: &[u8; 32] = bytes.as_slice().try_into().map_err(|_| fault())?;
            keys.push(SealKey::new(bytes).ok_or_else(fault)?);
        }
        if keys.is_empty() {
            return Err(KeyFault::Empty(origin.to_owned()));
        }
        Ok(Self { keys })
    }

    /// Seals `plain` for `purpose` under the first key.
    ///
    /// # Errors
    /// When the value is too long to seal.
    pub fn seal(&self, ctx: &Ctx, purpose: SealPurpose, plain: &[u8]) -> Result<Vec<u8>, SealFault> {
        self.keys.first().ok_or(SealFault::UnknownKey)?.seal(ctx, purpose, plain)
    }

    /// Opens what was sealed for `purpose`.
    ///
    /// # Errors
    /// When the key is unknown, or the value damaged or sealed for something else.
    pub fn open(&self, purpose: SealPurpose, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealFault> {
        let envelope = Envelope::read(sealed)?;
        let key = self.keys.iter().find(|key| key.id() == envelope.key).ok_or(SealFault::UnknownKey)?;
        key.open(purpose, &envelope)
    }
}

/// Under which of the keys a value is sealed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SealedUnder {
    /// The first one, which seals.
    First,
    /// A further one, which only opens.
    Older(KeyId),
    /// One that is not here.
    Unknown(KeyId),
    /// It is not a sealed value.
    Nothing,
}

impl Keyring {
    /// Under which key a value is sealed; whether it opens is another question.
    pub fn under(&self, sealed: &[u8]) -> SealedUnder {
        let Ok(Envelope { key, .. }) = Envelope::read(sealed) else { return SealedUnder::Nothing };
        match self.keys.iter().position(|known| known.id() == key) {
            Some(0) => SealedUnder::First,
            Some(_) => SealedUnder::Older(KeyId(key)),
            None => SealedUnder::Unknown(KeyId(key)),
        }
    }
}

/// What a key is called: the first eight hexadecimal digits of a hash of it. Not secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct KeyId([u8; 4]);

impl std::fmt::Display for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keyring({} keys)", self.keys.len())
    }
}

/// Reads the keys from `path`.
///
/// # Errors
/// When the file is absent, readable by others, or holds no key.
pub fn load(path: &Path) -> Result<Keyring, KeyFault> {
    let fault = |source| KeyFault::File { path: path.to_owned(), source };
    private(path).map_err(fault)?.then_some(()).ok_or_else(|| KeyFault::Exposed(path.to_owned()))?;
    let text = Zeroizing::new(fs::read_to_string(path).map_err(fault)?);
    Keyring::parse(&text, &format!("key file {}", path.display()))
}

/// Reads the keys from `path`; makes the file with one fresh key when there is none and nothing was
/// ever sealed (`secrets_exist` false).
///
/// # Errors
/// As [`load`]; and when the file is absent although secrets exist, or cannot be made.
pub fn load_or_create(path: &Path, secrets_exist: bool, ctx: &Ctx) -> Result<Keyring, KeyFault> {
    if path.try_exists().map_err(|source| KeyFault::File { path: path.to_owned(), source })? {
        return load(path);
    }
    if secrets_exist {
        return Err(KeyFault::Missing(path.to_owned()));
    }
    create(path, ctx).map_err(|source| KeyFault::File { path: path.to_owned(), source })?;
    load(path)
}

fn create(path: &Path, ctx: &Ctx) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let bytes = Zeroizing::new(ctx.random::<32>());
    let line = Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice()));
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    writeln!(file, "# Seals the secrets in the database. Keep it apart from database backups; lost, they are lost.")?;
    writeln!(file, "{}", line.as_str())?;
    // The first sealed secret must not outlive its key.
    file.sync_all()
}

#[cfg(unix)]
fn private(path: &Path) -> std::io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;
    Ok(fs::metadata(path)?.permissions().mode() & 0o007 == 0)
}

#[cfg(not(unix))]
fn private(path: &Path) -> std::io::Result<bool> {
    fs::metadata(path).map(|_| true)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::clock::Clock;
    use crate::domain::ctx::Actor;
    use crate::domain::id::{ConnectionId, Id};

    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
    const OTHER: &str = "Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA";

    fn purpose(low: u128) -> SealPurpose {
        SealPurpose::Connection(ConnectionId::from_uuid(Uuid::from_u128(low)), [0; 32])
    }

    #[test]
    fn what_is_sealed_opens_for_its_purpose_only() {
        let ring = Keyring::parse(KEY, "test").unwrap();
        let ctx = Clock.ctx(Actor::System);
        let sealed = ring.seal(&ctx, purpose(1), b"hunter2").unwrap();
        assert_eq!(ring.open(purpose(1), &sealed).unwrap().as_slice(), b"hunter2");
        assert_eq!(ring.open(purpose(2), &sealed).unwrap_err(), SealFault::Damaged);
        assert!(!sealed.windows(7).any(|window| window == b"hunter2"));
        for at in 0..sealed.len() {
            let mut bent = sealed.clone();
            bent[at] ^= 1;
            assert!(ring.open(purpose(1), &bent).is_err(), "byte {at}");
        }
        for length in 0..sealed.len() {
            assert!(ring.open(purpose(1), &sealed[..length]).is_err());
        }
    }

    #[test]
    fn a_new_key_on_top_still_opens_what_the_old_one_sealed() {
        let ctx = Clock.ctx(Actor::System);
        let sealed = Keyring::parse(KEY, "test").unwrap().seal(&ctx, purpose(1), b"x").unwrap();
        let turned = Keyring::parse(&format!("# new\n{OTHER}\n\n{KEY}\n"), "test").unwrap();
        assert_eq!(turned.open(purpose(1), &sealed).unwrap().as_slice(), b"x");
        let without = Keyring::parse(OTHER, "test").unwrap();
        assert_eq!(without.open(purpose(1), &sealed).unwrap_err(), SealFault::UnknownKey);
    }

    #[test]
    fn a_bad_line_is_named() {
        let fault = Keyring::parse(&format!("{KEY}\nshort\n"), "key file k").unwrap_err();
        assert!(fault.to_string().starts_with("key file k, line 2:"), "{fault}");
        assert!(matches!(Keyring::parse("# nothing\n", "k"), Err(KeyFault::Empty(_))));
    }

    #[test]
    fn the_key_file_is_made_once_private_and_never_anew_over_secrets() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seal.key");
        let ctx = Clock.ctx(Actor::System);
        assert!(matches!(load_or_create(&path, true, &ctx), Err(KeyFault::Missing(_))));
        let sealed = load_or_create(&path, false, &ctx).unwrap().seal(&ctx, purpose(1), b"x").unwrap();
        let again = load_or_create(&path, true, &ctx).unwrap();
        assert_eq!(again.open(purpose(1), &sealed).unwrap().as_slice(), b"x");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
            assert!(matches!(load(&path), Err(KeyFault::Exposed(_))));
        }
    }
}
