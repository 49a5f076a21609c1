//! Why something waits for a user's approval, for users and for programs.
use serde::{Deserialize, Serialize};

/// Why a removal, a change or a whole read waits.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum PendingReason {
    /// The read found no users at all, or no groups at all.
    EmptyRead {
        /// `users` or `groups`.
        what: String,
    },
    /// The server is not the one of the runs before.
    OtherServer,
    /// The server no longer shows by what it was recognised.
    ServerHidden,
    /// The settings say to read something else than the runs before did, or to recognise it by something else.
    ReadChanged {
        /// What was changed.
        what: String,
    },
    /// The settings say to read less, or something else, of the same directory.
    Narrowed {
        /// What was changed.
        what: String,
    },
    /// Few of the users known are found again, and more others are there.
    Strangers {
        /// Found again.
        found: u64,
        /// Of how many.
        of: u64,
        /// Who are not known.
        new: u64,
    },
    /// The server does not find by its id what it has just shown, so that nothing can be looked up once more.
    NotLookedUp,
    /// Too many users at once.
    ManyUsers {
        /// How many are missing.
        missing: u64,
        /// Of how many.
        of: u64,
        /// The limit in per cent.
        limit: u32,
    },
    /// Too many users switched on at once, or off for want of a sign.
    ManySwitched {
        /// On, or off.
        on: bool,
        /// How many.
        count: u64,
        /// Of how many.
        of: u64,
        /// The limit in per cent.
        limit: u32,
    },
    /// Too many users lose one of their attributes at once.
    PartVanishes {
        /// The attribute.
        part: String,
        /// How many lose it.
        lost: u64,
        /// Of how many users.
        of: u64,
        /// The limit in per cent.
        limit: u32,
    },
    /// A group that a rule names would lose too many members at once, or within some hours.
    GroupShrinks {
        /// The group's name.
        group: String,
        /// How many it would lose.
        lost: u64,
        /// Of how many.
        of: u64,
        /// The limit in per cent.
        limit: u32,
    },
    /// Too many of all groups within some hours.
    ManyGroups {
        /// How many.
        lost: u64,
        /// Of how many.
        of: u64,
        /// The limit in per cent.
        limit: u32,
        /// The hours.
        hours: i64,
    },
    /// Too many of all memberships within some hours.
    ManyMemberships {
        /// How many.
        lost: u64,
        /// Of how many.
        of: u64,
        /// The limit in per cent.
        limit: u32,
        /// The hours.
        hours: i64,
    },
    /// It touches an owner or someone who may change what others may do.
    Privileged,
}

impl std::fmt::Display for PendingReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::EmptyRead { what } => write!(f, "the read found no {what} at all"),
            Self::OtherServer => f.write_str("the server is not the one of the runs before"),
            Self::ServerHidden => f.write_str(
                "the server no longer shows the ids of its bases, so whether it is the one of the runs before cannot be told",
            ),
            Self::ReadChanged { what } | Self::Narrowed { what } => {
                write!(f, "the settings were changed since the runs before: {what}")
            }
            Self::Strangers { found, of, new } => write!(
                f,
                "only {found} of {of} users are found again by their ids and {new} others are there, as in another directory"
            ),
            Self::NotLookedUp => f.write_str(
                "the server does not find entries by their ids, so that who is missing cannot be looked up once more",
            ),
            Self::ManyUsers { missing, of, limit } => {
                write!(f, "{missing} of {of} users are missing, more than {limit} %")
            }
            Self::ManySwitched { on: true, count, of, limit } => {
                write!(f, "{count} of {of} users would be switched on at once, more than {limit} %")
            }
            Self::ManySwitched { on: false, count, of, limit } => {
                write!(f, "{count} of {of} users would be switched off for want of a sign, more than {limit} %")
            }
            Self::PartVanishes { part, lost, of, limit } => {
                write!(f, "{lost} of {of} users would lose their {part} at once, more than {limit} %")
            }
            Self::GroupShrinks { group, lost, of, limit } => {
                write!(f, "the group \"{group}\" would lose {lost} of {of} members, more than {limit} %")
            }
            Self::ManyGroups { lost, of, limit, hours } => {
                write!(f, "{lost} of {of} groups would be gone within {hours} hours, more than {limit} %")
            }
            Self::ManyMemberships { lost, of, limit, hours } => {
                write!(f, "{lost} of {of} memberships would be gone within {hours} hours, more than {limit} %")
            }
            Self::Privileged => f.write_str("it touches an owner or someone who decides over others"),
        }
    }
}
