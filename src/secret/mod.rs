//! Secrets: tokens that are only ever stored hashed, and values that are stored sealed.
mod keyring;
mod seal;
mod token;

pub use keyring::{KeyFault, KeyId, Keyring, SealedUnder, load, load_or_create};
pub use seal::{SealFault, SealPurpose};
pub use token::{PlainToken, TokenKind, presented_hash};

use subtle::ConstantTimeEq;

/// Whether two secrets are equal, in a time that does not tell where they differ.
pub fn same(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

/// SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    let mut hash = [0; 32];
    hash.copy_from_slice(digest.as_ref());
    hash
}
