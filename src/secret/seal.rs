//! The sealed envelope: AES-256-GCM under a named key, bound to what the value is for.
//!
//! Layout: one byte version (1), four bytes key id, twelve bytes nonce, then ciphertext and tag.
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::sha256;
use crate::domain::ctx::Ctx;
use crate::domain::directory::{Connection, ConnectionKind};
use crate::domain::id::{AttemptId, ConnectionId, SessionId, UserId};

const VERSION: u8 = 1;
const ID_LEN: usize = 4;

/// What a sealed value is for. It is authenticated, so a value moved to another row does not open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SealPurpose {
    /// The secret of a connection: a client secret, a bind password. With the SHA-256 of the destination that it was
    /// given for; see [`SealPurpose::secret_of`].
    Connection(ConnectionId, [u8; 32]),
    /// The PKCE verifier of an attempt to sign in.
    Attempt(AttemptId),
    /// A place in a list that a client of this connection pages through.
    Cursor(ConnectionId),
    /// Something that a session is shown once, on the page a form leads to.
    Once(SessionId),
    /// The one-time link of the installation's first owner, until it is used.
    SetUpLink(UserId),
    /// What tells whether a server has the keys of the installation.
    Mark,
}

impl SealPurpose {
    /// That of the secret of a connection as it is now. A secret that was sealed for another address, another name or
    /// another protection of the line does not open for it.
    pub fn secret_of(connection: &Connection) -> Self {
        Self::secret(connection.id, connection.kind, &connection.settings)
    }

    /// That of the secret of a connection of this kind with these settings.
    pub fn secret(id: ConnectionId, kind: ConnectionKind, config: &serde_json::Value) -> Self {
        Self::Connection(id, sha256(kind.destination(config).as_bytes()))
    }

    fn bound(self) -> String {
        match self {
            Self::Connection(id, destination) => {
                format!("rolecall/1/connection/{id}/{}", URL_SAFE_NO_PAD.encode(destination))
            }
            Self::Attempt(id) => format!("rolecall/1/attempt/{id}"),
            Self::Cursor(id) => format!("rolecall/1/cursor/{id}"),
            Self::Once(id) => format!("rolecall/1/once/{id}"),
            Self::SetUpLink(id) => format!("rolecall/1/set-up-link/{id}"),
            Self::Mark => "rolecall/1/mark".to_owned(),
        }
    }
}

/// Why a sealed value does not open.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SealFault {
    /// Not an envelope this version knows.
    #[error("the sealed value is not in a form this version knows")]
    Form,
    /// Sealed under a key that is not in the key file.
    #[error("the sealed value needs a key that is not in the key file")]
    UnknownKey,
    /// Damaged, or sealed for something else.
    #[error("the sealed value is damaged or belongs elsewhere")]
    Damaged,
}

/// One key.
pub(super) struct SealKey {
    id: [u8; ID_LEN],
    aead: LessSafeKey,
}

impl SealKey {
    /// From its 32 bytes; the id is derived from them, so that a key file needs no bookkeeping.
    pub(super) fn new(bytes: &[u8; 32]) -> Option<Self> {
        let mut named = Zeroizing::new(b"rolecall/1/key-id".to_vec());
        named.extend_from_slice(bytes);
        let mut id = [0; ID_LEN];
        id.copy_from_slice(sha256(&named).get(..ID_LEN)?);
        Some(Self { id, aead: LessSafeKey::new(UnboundKey::new(&AES_256_GCM, bytes).ok()?) })
    }

    pub(super) fn id(&self) -> [u8; ID_LEN] {
        self.id
    }

    pub(super) fn seal(&self, ctx: &Ctx, purpose: SealPurpose, plain: &[u8]) -> Result<Vec<u8>, SealFault> {
        let nonce = ctx.random::<NONCE_LEN>();
        let mut body = plain.to_vec();
        self.aead
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(purpose.bound()), &mut body)
            .map_err(|_| SealFault::Damaged)?;
        let mut sealed = Vec::with_capacity(1 + ID_LEN + NONCE_LEN + body.len());
        sealed.push(VERSION);
        sealed.extend_from_slice(&self.id);
        sealed.extend_from_slice(&nonce);
        sealed.append(&mut body);
        Ok(sealed)
    }

    pub(super) fn open(&self, purpose: SealPurpose, envelope: &Envelope<'_>) -> Result<Zeroizing<Vec<u8>>, SealFault> {
        let mut body = Zeroizing::new(envelope.body.to_vec());
        let length = self
            .aead
            .open_in_place(Nonce::assume_unique_for_key(envelope.nonce), Aad::from(purpose.bound()), &mut body)
            .map_err(|_| SealFault::Damaged)?
            .len();
        body.truncate(length);
        Ok(body)
    }
}

/// The parts of a sealed value.
pub(super) struct Envelope<'a> {
    pub(super) key: [u8; ID_LEN],
    nonce: [u8; NONCE_LEN],
    body: &'a [u8],
}

impl<'a> Envelope<'a> {
    pub(super) fn read(sealed: &'a [u8]) -> Result<Self, SealFault> {
        let (version, rest) = sealed.split_first().ok_or(SealFault::Form)?;
        let (key, rest) = rest.split_first_chunk().ok_or(SealFault::Form)?;
        let (nonce, body) = rest.split_first_chunk().ok_or(SealFault::Form)?;
        if *version != VERSION {
            return Err(SealFault::Form);
        }
        Ok(Self { key: *key, nonce: *nonce, body })
    }
}
