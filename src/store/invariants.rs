//! The cheap laws of the stored state: what is kept beside its source must equal what follows from it.
use super::extent::OperatorExtent;
use super::statement::Statement;
use super::totals::{self, What};
use super::{Reader, StoreError, effective_lists, first};
use crate::domain::id::{Id as _, UserId};
use crate::{binds, statements};

statements! {
    ANCESTORS_MISSING = format!("{UP} SELECT COUNT(*) FROM (SELECT partner, ancestor, depth FROM up \
        EXCEPT SELECT partner, ancestor, depth FROM partner_ancestor) found");
    ANCESTORS_SURPLUS = format!("{UP} SELECT COUNT(*) FROM (SELECT a.partner, a.ancestor, a.depth \
        FROM partner_ancestor a JOIN live_partner p ON p.id = a.partner \
        EXCEPT SELECT partner, ancestor, depth FROM up) found");
    NESTING_MISSING = format!("{INSIDE} SELECT COUNT(*) FROM (SELECT ancestor, descendant FROM inside \
        EXCEPT SELECT ancestor, descendant FROM group_closure) found");
    NESTING_SURPLUS = format!("{INSIDE} SELECT COUNT(*) FROM (SELECT ancestor, descendant FROM group_closure \
        EXCEPT SELECT ancestor, descendant FROM inside) found");
    ROLES_MISSING = format!("{ABOVE} SELECT COUNT(*) FROM (SELECT role, ancestor FROM above \
        EXCEPT SELECT role, ancestor FROM role_ancestor) found");
    ROLES_SURPLUS = format!("{ABOVE} SELECT COUNT(*) FROM (SELECT role, ancestor FROM role_ancestor \
        EXCEPT SELECT role, ancestor FROM above) found");
    PLACED_ELSEWHERE = "SELECT COUNT(*) FROM live_person p JOIN user_group g ON g.id = p.placement \
        WHERE g.partner <> p.partner OR NOT g.exclusive";
    WITHOUT_DEFAULT = "SELECT COUNT(*) FROM live_partner p WHERE NOT EXISTS \
        (SELECT 1 FROM user_group g WHERE g.partner = p.id AND g.is_default)";
    MEMBERS_ACROSS = "SELECT COUNT(*) FROM external_member m JOIN external_group g ON g.id = m.grp \
        JOIN external_user u ON u.id = m.member WHERE g.connection <> u.connection";
    USERS_IN_NO_TIME = "SELECT COUNT(*) FROM external_user WHERE version < 1 OR changed_at < created_at";
    GROUPS_IN_NO_TIME = "SELECT COUNT(*) FROM external_group WHERE version < 1 OR changed_at < created_at";
    COUNTED_WRONG = "SELECT COUNT(*) FROM connection c WHERE \
        (SELECT COUNT(*) FROM external_user u WHERE u.connection = c.id) \
            <> (SELECT CAST(COALESCE(SUM(t.number), 0) AS BIGINT) FROM external_total t \
                WHERE t.connection = c.id AND t.what = 'users') \
        OR (SELECT COUNT(*) FROM external_group g WHERE g.connection = c.id AND NOT g.gone) \
            <> (SELECT CAST(COALESCE(SUM(t.number), 0) AS BIGINT) FROM external_total t \
                WHERE t.connection = c.id AND t.what = 'groups')";
    PARTNERS_COUNTED_WRONG = format!("SELECT COUNT(*) FROM live_partner q WHERE \
        (SELECT COUNT(*) FROM live_person p WHERE p.partner = q.id) <> ({})", totals::kept(What::AtHome, "q.id"));
    GROUPS_COUNTED_WRONG = format!("SELECT COUNT(*) FROM user_group g WHERE CASE WHEN g.exclusive \
        THEN (SELECT COUNT(*) FROM live_person p WHERE p.placement = g.id) \
        ELSE (SELECT COUNT(*) FROM user_group_member m WHERE m.user_group = g.id) END <> {}", totals::members());
    PEOPLE_AFTER = "SELECT id FROM live_person WHERE id > $1 ORDER BY id LIMIT 256";
}

/// Every living partner with each partner above it, from the parents alone.
const UP: &str = "WITH RECURSIVE up(partner, ancestor, depth) AS (\
    SELECT id, id, CAST(0 AS BIGINT) FROM live_partner UNION ALL \
    SELECT up.partner, p.parent, up.depth + 1 FROM up JOIN live_partner p ON p.id = up.ancestor \
    WHERE p.parent IS NOT NULL AND up.depth < 200)";

/// Every external group with each group nested in it, from the direct nestings alone.
const INSIDE: &str = "WITH RECURSIVE inside(ancestor, descendant) AS (\
    SELECT id, id FROM external_group UNION \
    SELECT inside.ancestor, s.child FROM inside JOIN external_subgroup s ON s.grp = inside.descendant)";

/// Every role with each role above it, from the parents alone.
const ABOVE: &str = "WITH RECURSIVE above(role, ancestor) AS (\
    SELECT id, id FROM role UNION \
    SELECT above.role, r.parent FROM above JOIN role r ON r.id = above.ancestor WHERE r.parent IS NOT NULL)";

/// A law, and how to say that it is broken so many times.
static LAWS: &[(&Statement, &str)] = &[
    (&ANCESTORS_MISSING, "pairs of a partner and one above it are missing"),
    (&ANCESTORS_SURPLUS, "pairs of a partner and one above it do not follow from the tree"),
    (&NESTING_MISSING, "pairs of nested external groups are missing"),
    (&NESTING_SURPLUS, "pairs of nested external groups do not follow from what the directories say"),
    (&ROLES_MISSING, "pairs of a role and one above it are missing"),
    (&ROLES_SURPLUS, "pairs of a role and one above it do not follow from the roles"),
    (&PLACED_ELSEWHERE, "people are placed in a group of another partner, or in one that is not exclusive"),
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
        found.push((misplaced, "people are not in the group that the rules place them in"));
    }
    Ok(found)
}

/// How many people's stored placement is not the one the view gives.
async fn misplaced(reader: &mut Reader) -> Result<i64, StoreError> {
    let mut last = UserId::from_uuid(uuid::Uuid::nil());
    let mut count = 0;
    loop {
        let people: Vec<UserId> = reader.all(&PEOPLE_AFTER, binds![last], first).await?;
        let Some(end) = people.last() else { return Ok(count) };
        last = *end;
        count += i64::try_from(effective_lists::misplaced(reader, &people).await?.len()).unwrap_or(i64::MAX);
    }
}
