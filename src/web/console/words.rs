//! Event kinds in words, and how they are coloured.

/// The words for a kind of event, and the class of its tag: `good` came, `bad` went or was refused, `warn` waits.
pub fn event(kind: &str) -> (&'static str, &'static str) {
    WORDS
        .iter()
        .find(|(known, ..)| *known == kind)
        .map_or(("Something happened", ""), |(_, title, class)| (*title, *class))
}

const WORDS: &[(&str, &str, &str)] = &[
    ("user.created", "Person created", "good"),
    ("user.changed", "Person changed", ""),
    ("user.suspended", "Person switched off", "bad"),
    ("user.resumed", "Person switched on", "good"),
    ("user.revived", "Person came back", "good"),
    ("user.placed", "Person placed", ""),
    ("user.confirmed", "Person confirmed", "warn"),
    ("user.unconfirmed", "Confirmation taken back", "bad"),
    ("user.deleted", "Person deleted", "bad"),
    ("external_user.created", "Directory says a person", ""),
    ("external_user.changed", "Directory changed a person", ""),
    ("external_user.deleted", "Directory removed a person", "bad"),
    ("external_user.restored", "Deleted entry put back", "good"),
    ("external_user.linked", "Linked to a person", ""),
    ("external_user.unlinked", "Unlinked", "warn"),
    ("link.review", "Link waits for review", "warn"),
    ("login.collision", "Sign-in name taken", "warn"),
    ("external_group.created", "Directory says a group", ""),
    ("external_group.renamed", "Directory renamed a group", ""),
    ("external_group.changed", "Directory changed a group", ""),
    ("external_group.deleted", "Directory removed a group", "bad"),
    ("external_group.restored", "Deleted group put back", "good"),
    ("member.added", "Group gained members", ""),
    ("member.removed", "Group lost members", "bad"),
    ("member.unknown", "Unknown members named", "warn"),
    ("partner.created", "Partner created", "good"),
    ("partner.changed", "Partner changed", ""),
    ("partner.suspended", "Partner switched off", "bad"),
    ("partner.resumed", "Partner switched on", "good"),
    ("partner.deleted", "Partner deleted", "bad"),
    ("user_group.created", "User group created", ""),
    ("user_group.changed", "User group changed", ""),
    ("user_group.deleted", "User group deleted", "bad"),
    ("user_group_member.added", "Added to a user group", ""),
    ("user_group_member.removed", "Taken out of a user group", "bad"),
    ("role.created", "Role created", ""),
    ("role.changed", "Role changed", "warn"),
    ("role.deleted", "Role deleted", "bad"),
    ("grant.created", "Role granted", "warn"),
    ("grant.changed", "Grant's reason changed", ""),
    ("grant.suspended", "Grant put aside", "bad"),
    ("grant.resumed", "Grant returned", "warn"),
    ("grant.deleted", "Grant taken back", "bad"),
    ("directory.created", "Directory created", ""),
    ("directory.changed", "Directory changed", "warn"),
    ("directory.deleted", "Directory deleted", "bad"),
    ("connection.created", "Connection created", ""),
    ("connection.changed", "Connection changed", ""),
    ("connection.deleted", "Connection deleted", "bad"),
    ("token.created", "Token made", "warn"),
    ("token.revoked", "Token ended", ""),
    ("client.created", "OAuth client made", "warn"),
    ("client.revoked", "OAuth client ended", "bad"),
    ("rules.activated", "Rules put in force", "warn"),
    ("rules.bound", "Rules found their group, or more than one", "warn"),
    ("condition.created", "Condition created", ""),
    ("run.started", "Synchronisation began", ""),
    ("run.finished", "Synchronisation ended", ""),
    ("run.held", "Removals wait for approval", "warn"),
    ("storm.raised", "Much taken away at once", "bad"),
    ("storm.dismissed", "Storm notice put away", ""),
    ("removals.undone", "Removals undone", "good"),
    ("session.started", "Signed in", ""),
    ("session.ended", "Signed out", ""),
    ("match.confirmed", "Recognised by an administrator", "good"),
    ("match.refused", "Recognition refused", "warn"),
    ("external_user.subject_changed", "Known by another subject", ""),
    ("sign_in.refused", "Sign-in refused", "bad"),
    ("link.issued", "One-time link issued", "warn"),
    ("link.used", "One-time link used", ""),
    ("installation.changed", "Installation changed", "warn"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provision::event::Kind;

    #[test]
    fn every_kind_has_words() {
        for kind in Kind::ALL {
            assert_ne!(event(kind.as_str()).0, "Something happened", "{}", kind.as_str());
        }
        assert_eq!(WORDS.len(), Kind::ALL.len());
    }
}
