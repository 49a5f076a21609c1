//! The most that a directory may send. `docs/limits.md` lists each.

/// Bounds of what comes over one line. They are looked at before anything is decoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WireBounds {
    /// Elements inside each other. LDAP needs seven.
    pub depth: usize,
    /// Bytes of a message, also of one that is merely announced.
    pub message_bytes: u64,
    /// Elements of a message.
    pub message_elements: usize,
    /// Elements of one list: values of an attribute, attributes of an entry, addresses of a reference.
    pub list: usize,
    /// Bytes of everything that is read over the line.
    pub bytes: u64,
    /// Elements of everything that is read over the line.
    pub elements: u64,
}

/// The bounds of every line to a directory.
pub const WIRE: WireBounds = WireBounds {
    depth: 16,
    message_bytes: 32 * 1024 * 1024,
    message_elements: 1_000_000,
    list: 500_000,
    bytes: 1024 * 1024 * 1024,
    elements: 50_000_000,
};

/// Bounds of one read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// What comes over its line.
    pub wire: WireBounds,
    /// Users, or groups.
    pub entries: usize,
    /// Pages of users, or of groups.
    pub pages: u64,
    /// Bytes of the word by which a server recognises where the next page begins.
    pub cookie_bytes: usize,
    /// References to other servers.
    pub references: usize,
    /// Values of an attribute that comes in parts.
    pub values: usize,
    /// Parts of such an attribute.
    pub parts: usize,
}

/// The bounds of every read.
pub const BOUNDS: Bounds = Bounds {
    wire: WIRE,
    entries: 1_000_000,
    pages: 200_000,
    cookie_bytes: 64 * 1024,
    references: 10_000,
    values: 1_000_000,
    parts: 10_000,
};
