//! The cheap laws of the stored state: what is kept beside its source must equal what follows from it.
use super::Statement;
use super::extent::OperatorExtent;
use super::totals::{self, Counted};
use super::{Reader, StoreError, effective_lists, first};
use crate::domain::id::{Id as _, UserId};
use crate::{binds, statements};

statements! {
    ANCESTORS_MISSING = format!("{UP} SELECT COUNT(*) FROM (SELECT partner_id, ancestor_id, depth FROM up \
        EXCEPT SELECT partner_id, ancestor_id, depth FROM partner_ancestors) found");
    ANCESTORS_SURPLUS = format!("{UP} SELECT COUNT(*) FROM (SELECT a.partner_id, a.ancestor_id, a.depth \
        FROM partner_ancestors a JOIN live_partners p ON p.id = a.partner_id \
        EXCEPT SELECT partner_id, ancestor_id, depth FROM up) found");
    NESTING_MISSING = format!("{INSIDE} SELECT COUNT(*) FROM (SELECT ancestor_id, external_group_id FROM inside \
        EXCEPT SELECT ancestor_id, external_group_id FROM external_group_ancestors) found");
    NESTING_SURPLUS = format!("{INSIDE} SELECT COUNT(*) FROM (SELECT ancestor_id, external_group_id FROM external_group_ancestors \
        EXCEPT SELECT ancestor_id, external_group_id FROM inside) found");
    ROLES_MISSING = format!("{ABOVE} SELECT COUNT(*) FROM (SELECT role_id, ancestor_id FROM above \
        EXCEPT SELECT role_id, ancestor_id FROM role_ancestors) found");
    ROLES_SURPLUS = format!("{ABOVE} SELECT COUNT(*) FROM (SELECT role_id, ancestor_id FROM role_ancestors \
        EXCEPT SELECT role_id, ancestor_id FROM above) found");
    PLACED_ELSEWHERE = "SELECT COUNT(*) FROM live_users p JOIN user_groups g ON g.id = p.primary_group_id \
        WHERE g.partner_id <> p.partner_id OR NOT g.is_primary";
    WITHOUT_DEFAULT = "SELECT COUNT(*) FROM live_partners p WHERE NOT EXISTS \
        (SELECT 1 FROM user_groups g WHERE g.partner_id = p.id AND g.is_default)";
    MEMBERS_ACROSS = "SELECT COUNT(*) FROM external_group_members m JOIN external_groups g ON g.id = m.external_group_id \
        JOIN external_users u ON u.id = m.external_user_id WHERE g.connection_id <> u.connection_id";
    USERS_IN_NO_TIME = "SELECT COUNT(*) FROM external_users WHERE version < 1 OR updated_at < created_at";
    GROUPS_IN_NO_TIME = "SELECT COUNT(*) FROM external_groups WHERE version < 1 OR updated_at < created_at";
    COUNTED_WRONG = format!("SELECT COUNT(*) FROM connections c WHERE \
        (SELECT COUNT(*) FROM external_users u WHERE u.connection_id = c.id) <> ({}) \
        OR (SELECT COUNT(*) FROM external_groups g WHERE g.connection_id = c.id AND NOT g.is_removed) <> ({})",
        totals::kept(Counted::ExternalUsers, "c.id"), totals::kept(Counted::ExternalGroups, "c.id"));
    PARTNERS_COUNTED_WRONG = format!("SELECT COUNT(*) FROM live_partners q WHERE \
        (SELECT COUNT(*) FROM live_users p WHERE p.partner_id = q.id) <> ({})", totals::kept(Counted::Users, "q.id"));
    GROUPS_COUNTED_WRONG = format!("SELECT COUNT(*) FROM user_groups g WHERE CASE WHEN g.is_primary \
        THEN (SELECT COUNT(*) FROM live_users p WHERE p.primary_group_id = g.id) \
        ELSE (SELECT COUNT(*) FROM user_group_members m WHERE m.user_group_id = g.id) END <> {}", totals::members());
    USERS_AFTER = "SELECT id FROM live_users WHERE id > $1 ORDER BY id LIMIT 256";
}

/// Every living partner with each partner above it, from the parents alone.
const UP: &str = "WITH RECURSIVE up(partner_id, ancestor_id, depth) AS (\
    SELECT id, id, CAST(0 AS BIGINT) FROM live_partners UNION ALL \
    SELECT up.partner_id, p.parent_id, up.depth + 1 FROM up JOIN live_partners p ON p.id = up.ancestor_id \
    WHERE p.parent_id IS NOT NULL AND up.depth < 200)";

/// Every external group with each group nested in it, from the direct nestings alone.
const INSIDE: &str = "WITH RECURSIVE inside(ancestor_id, external_group_id) AS (\
    SELECT id, id FROM external_groups UNION \
    SELECT inside.ancestor_id, s.child_id FROM inside JOIN external_subgroups s ON s.parent_id = inside.external_group_id)";

/// Every role with each role above it, from the parents alone.
const ABOVE: &str = "WITH RECURSIVE above(role_id, ancestor_id) AS (\
    SELECT id, id FROM roles UNION \
    SELECT above.role_id, r.parent_id FROM above JOIN roles r ON r.id = above.ancestor_id WHERE r.parent_id IS NOT NULL)";

/// A law, and how to say that it is broken so many times.
static LAWS: &[(&Statement, &str)] = &[
    (&ANCESTORS_MISSING, "pairs of a partner and one above it are missing"),
    (&ANCESTORS_SURPLUS, "pairs of a partner and one above it do not follow from the tree"),
    (&NESTING_MISSING, "pairs of nested external groups are missing"),
    (&NESTING_SURPLUS, "pairs of nested external groups do not follow from what the directories say"),
    (&ROLES_MISSING, "pairs of a role and one above it are missing"),
    (&ROLES_SURPLUS, "pairs of a role and one above it do not follow from the roles"),
    (&PLACED_ELSEWHERE, "users are placed in a group of another partner, or in one that is not primary"),
    (&WITHOUT_DEFAULT, "partners have no default group"),
    (&MEMBERS_ACROSS, "external groups have members of another connection"),
    (&USERS_IN_NO_TIME, "external users have a version or time that cannot be"),
    (&GROUPS_IN_NO_TIME, "external groups have a version or time that cannot be"),
    (&COUNTED_WRONG, "connections have another number of users or groups than the one that is kept"),
    (&PARTNERS_COUNTED_WRONG, "partners have another number of users than the one that is kept"),
    (&GROUPS_COUNTED_WRONG, "user groups have another number of members than the one that is kept"),
];

/// What is broken, each with how often.
///
/// # Errors
/// Only those of the store.
pub async fn broken(reader: &mut Reader, _by: &OperatorExtent) -> Result<Vec<(i64, &'static str)>, StoreError> {
    let mut found = Vec::new();
    for (law, sentence) in LAWS {
        let count: i64 = reader.one(*law, binds![], first).await?;
        if count > 0 {
            found.push((count, *sentence));
        }
    }
    let misplaced = misplaced(reader).await?;
    if misplaced > 0 {
        found.push((misplaced, "users are not in the group that the rules place them in"));
    }
    Ok(found)
}

/// How many users's stored placement is not the one the view gives.
async fn misplaced(reader: &mut Reader) -> Result<i64, StoreError> {
    let mut last = UserId::from_uuid(uuid::Uuid::nil());
    let mut count = 0;
    loop {
        let users: Vec<UserId> = reader.all(&USERS_AFTER, binds![last], first).await?;
        let Some(end) = users.last() else { return Ok(count) };
        last = *end;
        count += i64::try_from(effective_lists::misplaced(reader, &users).await?.len()).unwrap_or(i64::MAX);
    }
}
