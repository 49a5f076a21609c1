//! The kinds of events. Whoever writes, reads or shows one takes it from here.

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $word:literal;)*) => {
        /// The published catalogue of event kinds. It only ever grows.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum EventKind {
            $($(#[$doc])* $variant,)*
        }

        impl EventKind {
            /// Every kind, in the order of the catalogue.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stored and published word.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }

            /// The kind of a stored word; none when it is not in the catalogue.
            pub fn parse(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

kinds! {
    /// A user came to be.
    UserCreated = "user.created";
    /// A user's own columns changed; `attributes` names them.
    UserUpdated = "user.updated";
    /// A source switched a user off.
    UserSuspended = "user.suspended";
    /// A source lifted its suspension; the user may still be suspended by another.
    UserReactivated = "user.reactivated";
    /// A user who had left came back; manual grants wait for an administrator.
    UserReturned = "user.returned";
    /// A user's primary user group changed.
    UserPrimaryGroupChanged = "user.primary_group_changed";
    /// Somebody said that a user whom a directory made belongs here: its ceiling bounds them no longer.
    UserConfirmed = "user.confirmed";
    /// That was taken back.
    UserUnconfirmed = "user.unconfirmed";
    /// A directory said a user for the first time.
    ExternalUserCreated = "external_user.created";
    /// What a directory says of a user changed; `attributes` names what, and `active` says whether it lets the user
    /// in, when that is among it.
    ExternalUserUpdated = "external_user.updated";
    /// A directory no longer knows a user.
    ExternalUserDeleted = "external_user.deleted";
    /// A deleted external user was put back, by an administrator or because its directory said it again.
    ExternalUserRestored = "external_user.restored";
    /// An external user was linked to a user.
    ExternalUserLinked = "external_user.linked";
    /// An external user was separated from its user.
    ExternalUserUnlinked = "external_user.unlinked";
    /// An external user resembles someone who is here already; an administrator decides.
    MatchProposed = "match.proposed";
    /// A sign-in name is taken by another user of the partner, so this user has none.
    UserLoginConflict = "user.login_conflict";
    /// A directory said a group for the first time.
    ExternalGroupCreated = "external_group.created";
    /// A directory renamed a group.
    ExternalGroupRenamed = "external_group.renamed";
    /// What a directory says of a group changed, not its name.
    ExternalGroupUpdated = "external_group.updated";
    /// A directory no longer knows a group.
    ExternalGroupDeleted = "external_group.deleted";
    /// A deleted group was put back, by an administrator or because its directory said it again.
    ExternalGroupRestored = "external_group.restored";
    /// Users or groups came into an external group; `members` lists them.
    ExternalGroupMemberAdded = "external_group_member.added";
    /// Users or groups left an external group; `members` lists them.
    ExternalGroupMemberRemoved = "external_group_member.removed";
    /// Ids were named as members that the connection does not know; `count` says how many.
    ExternalGroupMemberUnresolved = "external_group_member.unresolved";
    /// A partner came to be.
    PartnerCreated = "partner.created";
    /// A partner's columns changed.
    PartnerUpdated = "partner.updated";
    /// A partner was switched off.
    PartnerSuspended = "partner.suspended";
    /// A partner was switched on again.
    PartnerReactivated = "partner.reactivated";
    /// A user group came to be.
    UserGroupCreated = "user_group.created";
    /// A user group changed.
    UserGroupUpdated = "user_group.updated";
    /// A role came to be.
    RoleCreated = "role.created";
    /// A role's capabilities or parent changed.
    RoleUpdated = "role.updated";
    /// A role was granted.
    GrantCreated = "grant.created";
    /// What is written of a grant changed, not what it confers; `attributes` names it.
    GrantUpdated = "grant.updated";
    /// A grant was taken back.
    GrantDeleted = "grant.deleted";
    /// A directory came to be.
    DirectoryCreated = "directory.created";
    /// A directory's mode, ceiling or name changed.
    DirectoryUpdated = "directory.updated";
    /// A connection came to be.
    ConnectionCreated = "connection.created";
    /// A connection's settings changed.
    ConnectionUpdated = "connection.updated";
    /// A bearer token of a SCIM connection was issued.
    ConnectionTokenCreated = "connection_token.created";
    /// A bearer token of a SCIM connection was revoked.
    ConnectionTokenRevoked = "connection_token.revoked";
    /// An API token of a user was issued.
    ApiTokenCreated = "api_token.created";
    /// An API token of a user was revoked.
    ApiTokenRevoked = "api_token.revoked";
    /// An OAuth 2.0 client of a SCIM connection came to be.
    OauthClientCreated = "oauth_client.created";
    /// An OAuth 2.0 client was withdrawn, with every token it had.
    OauthClientRevoked = "oauth_client.revoked";
    /// A rule set came into force.
    RuleSetActivated = "rule_set.activated";
    /// The name that a rule gave to a group was bound to the `group` that has it, or (`outcome` is `several`) no longer,
    /// because more than one has it.
    RuleSetBound = "rule_set.bound";
    /// A synchronisation run began.
    SyncRunStarted = "sync_run.started";
    /// A synchronisation run ended; `outcome` says how.
    SyncRunFinished = "sync_run.finished";
    /// A synchronisation run waits for approval.
    SyncRunApprovalRequested = "sync_run.approval_requested";
    /// An administrator said that an external user is a user; `user` says whom.
    MatchConfirmed = "match.confirmed";
    /// An administrator said that an external user is not a user whom it resembles.
    MatchRefused = "match.refused";
    /// A provider knows a linked user by another subject; the one of before is of no use any more.
    SubjectChanged = "external_user.subject_changed";
    /// Someone signed in.
    SessionStarted = "session.started";
    /// A session was ended.
    SessionEnded = "session.ended";
    /// An attempt to sign in was refused; `reason` says why.
    LoginFailed = "login.failed";
    /// A one-time link was issued.
    OneTimeLinkIssued = "one_time_link.issued";
    /// A one-time link was used.
    OneTimeLinkUsed = "one_time_link.used";
    /// A connection takes away much in a short time; `users` says from how many so far.
    RemovalAlertRaised = "removal_alert.raised";
    /// An administrator has seen a removal alert and put its notice away.
    RemovalAlertDismissed = "removal_alert.dismissed";
    /// An administrator gave back what a connection had taken away between two moments.
    RemovalsUndone = "removals.undone";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_dotted_unique_and_read_back() {
        let words: std::collections::BTreeSet<_> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(words.len(), EventKind::ALL.len());
        assert!(words.iter().all(|word| word.split('.').count() == 2));
        assert!(EventKind::ALL.iter().all(|kind| EventKind::parse(kind.as_str()) == Some(*kind)));
        assert_eq!(EventKind::parse("user.unknown"), None);
    }
}
