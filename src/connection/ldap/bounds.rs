//! The most that the settings of an LDAP connection may hold. `docs/limits.md` lists each.

/// Bytes of a distinguished name.
pub const DN_BYTES: usize = 8 * 1024;
/// Bytes of a search filter.
pub const FILTER_BYTES: usize = 16 * 1024;
/// Terms of a search filter inside each other.
pub const FILTER_DEPTH: usize = 32;
/// Bytes of an address.
pub const ADDRESS_BYTES: usize = 2_048;
/// Bytes of the certificates of an authority.
pub const CERTIFICATES_BYTES: usize = 256 * 1024;
/// Bytes of a text to which an attribute is compared.
pub const TEXT_BYTES: usize = 1_024;
/// Addresses, bases, names for one of our attributes, signs that a user is switched off.
pub const LIST: usize = 64;
