//! SQLite: one connection writes for everybody, some read, and one process owns the file.
pub(crate) mod lock;
pub(crate) mod readers;
pub(crate) mod writer;
