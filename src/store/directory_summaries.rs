//! What pages say of directories beside their own columns: how many people and groups, how many a rule matches.
use super::extent::PartnerExtent;
use super::totals::{self, What};
use super::{Reader, StoreError, first, tuple};
use crate::domain::id::{ConnectionId, DirectoryId, RuleId};
use crate::{binds, statements};

statements! {
    PEOPLE = totals::of_partner(What::Users);
    GROUPS = totals::of_partner(What::Groups);
    UNLINKED = "SELECT COUNT(*) FROM external_user u JOIN directory d ON d.id = u.directory \
        WHERE d.id = $1 AND d.partner = $2 AND u.person IS NULL";
    // The people for whom some term holds: in as many of its sets as it has positive ones, and in no negated one.
    MATCHES = "SELECT hit.rule, COUNT(DISTINCT hit.person) FROM ( \
            SELECT said.rule, said.term, said.person FROM ( \
                SELECT a.rule, a.term, a.people, a.negated, e.person \
                FROM directory d JOIN mapping_rule r ON r.directory = d.id AND r.rule_version = d.rule_version \
                JOIN rule_atom a ON a.rule = r.id JOIN group_closure c ON c.ancestor = a.people \
                JOIN external_member m ON m.grp = c.descendant JOIN external_user e ON e.id = m.member \
                WHERE d.id = $1 AND d.partner = $2 AND e.directory = d.id AND e.active AND e.person IS NOT NULL \
                UNION \
                SELECT a.rule, a.term, a.people, a.negated, e.person \
                FROM directory d JOIN mapping_rule r ON r.directory = d.id AND r.rule_version = d.rule_version \
                JOIN rule_atom a ON a.rule = r.id JOIN condition_member k ON k.condition = a.people \
                JOIN external_user e ON e.id = k.external_user \
                WHERE d.id = $1 AND d.partner = $2 AND e.directory = d.id AND e.active AND e.person IS NOT NULL \
            ) said JOIN rule_term t ON t.rule = said.rule AND t.term = said.term \
            GROUP BY said.rule, said.term, said.person, t.positives \
            HAVING COUNT(*) = t.positives AND MAX(CASE WHEN said.negated THEN 1 ELSE 0 END) = 0 \
        ) hit GROUP BY hit.rule";
}

/// How many external users each connection of the extent's partner has.
///
/// # Errors
/// Only those of the store.
pub async fn people(reader: &mut Reader, at: &PartnerExtent) -> Result<Vec<(ConnectionId, i64)>, StoreError> {
    reader.all(&PEOPLE, binds![at.partner()], tuple).await
}

/// How many external groups each connection of the extent's partner has.
///
/// # Errors
/// Only those of the store.
pub async fn groups(reader: &mut Reader, at: &PartnerExtent) -> Result<Vec<(ConnectionId, i64)>, StoreError> {
    reader.all(&GROUPS, binds![at.partner()], tuple).await
}

/// How many external users of a directory of the extent's partner are linked to nobody.
///
/// # Errors
/// Only those of the store.
pub async fn unlinked(reader: &mut Reader, at: &PartnerExtent, directory: DirectoryId) -> Result<i64, StoreError> {
    reader.one(&UNLINKED, binds![directory, at.partner()], first).await
}

/// How many people each rule in force matches; a rule that matches nobody is left out.
///
/// # Errors
/// Only those of the store.
pub async fn matches(
    reader: &mut Reader,
    at: &PartnerExtent,
    directory: DirectoryId,
) -> Result<Vec<(RuleId, i64)>, StoreError> {
    reader.all(&MATCHES, binds![directory, at.partner()], tuple).await
}
