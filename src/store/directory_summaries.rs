//! What pages say of directories beside their own columns: how many users and groups, how many a rule matches.
use super::extent::PartnerExtent;
use super::totals::{self, Counted};
use super::{Reader, StoreError, first, tuple};
use crate::domain::id::{ConnectionId, DirectoryId, RuleId};
use crate::{binds, statements};

statements! {
    USERS = totals::of_partner(Counted::ExternalUsers);
    GROUPS = totals::of_partner(Counted::ExternalGroups);
    UNLINKED = "SELECT COUNT(*) FROM external_users u JOIN directories d ON d.id = u.directory_id \
        WHERE d.id = $1 AND d.partner_id = $2 AND u.user_id IS NULL";
    // The users for whom some term holds: in as many of its sets as it has positive ones, and in no negated one.
    MATCHES = "SELECT hit.rule_id, COUNT(DISTINCT hit.user_id) FROM ( \
            SELECT said.rule_id, said.term, said.user_id FROM ( \
                SELECT a.rule_id, a.term, a.set_id, a.negated, e.user_id \
                FROM directories d JOIN mapping_rules r ON r.directory_id = d.id AND r.rule_set_version = d.rule_set_version \
                JOIN rule_criteria a ON a.rule_id = r.id JOIN external_group_ancestors c ON c.ancestor_id = a.set_id \
                JOIN external_group_members m ON m.external_group_id = c.external_group_id JOIN external_users e ON e.id = m.external_user_id \
                WHERE d.id = $1 AND d.partner_id = $2 AND e.directory_id = d.id AND e.active AND e.user_id IS NOT NULL \
                UNION \
                SELECT a.rule_id, a.term, a.set_id, a.negated, e.user_id \
                FROM directories d JOIN mapping_rules r ON r.directory_id = d.id AND r.rule_set_version = d.rule_set_version \
                JOIN rule_criteria a ON a.rule_id = r.id JOIN attribute_condition_members k ON k.condition_id = a.set_id \
                JOIN external_users e ON e.id = k.external_user_id \
                WHERE d.id = $1 AND d.partner_id = $2 AND e.directory_id = d.id AND e.active AND e.user_id IS NOT NULL \
            ) said JOIN rule_terms t ON t.rule_id = said.rule_id AND t.term = said.term \
            GROUP BY said.rule_id, said.term, said.user_id, t.positive_count \
            HAVING COUNT(*) = t.positive_count AND MAX(CASE WHEN said.negated THEN 1 ELSE 0 END) = 0 \
        ) hit GROUP BY hit.rule_id";
}

/// How many external users each connection of the extent's partner has.
///
/// # Errors
/// Only those of the store.
pub async fn users(reader: &mut Reader, at: &PartnerExtent) -> Result<Vec<(ConnectionId, i64)>, StoreError> {
    reader.all(&USERS, binds![at.partner()], tuple).await
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

/// How many users each rule in force matches; a rule that matches nobody is left out.
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
