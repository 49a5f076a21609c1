//! The event feed.
pub(super) mod list;
