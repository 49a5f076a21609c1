//! The view in SQL: constants that put together say what `access::derive` and `access::decide` say.
//!
//! Every statement of the view begins with [`view`], so there is one text of the law. It is driven from one or two
//! people by indexes; nothing in it reads a table whole. `CROSS JOIN` keeps SQLite to the order written: it takes the
//! passing tables of a WITH for large ones. PostgreSQL reads it as any other join.
//!
//! | parameter | meaning |
//! | --- | --- |
//! | `$1` | the person who asks |
//! | `$2` | the owner of the resource, or NULL |
//! | `$3` | a directory whose rule set is tried out, or NULL |
//! | `$4` | the rule-set version to try there, or NULL |

/// Whom the view is about: the person who asks and the owner of the resource.
const SUBJECT: &str = "\
subject (person, home, pin) AS MATERIALIZED (
    SELECT p.id, p.partner, p.placement_pin FROM live_person p WHERE p.id = $1
    UNION
    SELECT p.id, p.partner, p.placement_pin FROM live_person p WHERE p.id = $2
)";

/// The sets a subject is in, by what each directory that counts says of any active external user of it. `version` is
/// the rule-set version that counts for directory `d`.
fn said(version: &str) -> String {
    format!(
        "\
voice (person, directory, external_user, rule_version) AS MATERIALIZED (
    SELECT s.person, e.directory, e.id, {version}
    FROM subject s CROSS JOIN external_user e CROSS JOIN directory d
    WHERE e.person = s.person AND e.active AND d.id = e.directory AND d.mode <> 'observe'
),
said (person, directory, rule_version, people) AS MATERIALIZED (
    SELECT v.person, v.directory, v.rule_version, c.ancestor
    FROM voice v CROSS JOIN external_member m CROSS JOIN group_closure c
    WHERE m.member = v.external_user AND c.descendant = m.grp
    UNION
    SELECT v.person, v.directory, v.rule_version, k.condition
    FROM voice v CROSS JOIN condition_member k
    WHERE k.external_user = v.external_user
)"
    )
}

/// The rules that match, each with its first matching term: in every positive set and in no negated one.
const MATCHED: &str = "\
matching_term (person, rule, term) AS (
    SELECT h.person, a.rule, a.term
    FROM said h CROSS JOIN rule_atom a CROSS JOIN mapping_rule r CROSS JOIN rule_term t
    WHERE a.people = h.people AND r.id = a.rule AND r.directory = h.directory AND r.rule_version = h.rule_version
        AND t.rule = a.rule AND t.term = a.term
    GROUP BY h.person, a.rule, a.term, t.positives
    HAVING COUNT(*) = t.positives AND MAX(CASE WHEN a.negated THEN 1 ELSE 0 END) = 0
),
matched (person, rule, term) AS MATERIALIZED (
    SELECT person, rule, MIN(term) FROM matching_term GROUP BY person, rule
)";

/// The rule that places a subject without a pin: the first that matches, by authority of its directory.
const PLACED: &str = "\
placed (person, home, rule) AS MATERIALIZED (
    SELECT s.person, s.home, (
        SELECT m.rule
        FROM matched m CROSS JOIN mapping_rule r CROSS JOIN user_group g CROSS JOIN directory d
        WHERE m.person = s.person AND r.id = m.rule AND r.effect = 'place'
            AND g.id = r.user_group AND g.partner = s.home AND g.exclusive AND d.id = r.directory
        ORDER BY d.authority, d.id, r.ordinal
        LIMIT 1
    )
    FROM subject s WHERE s.pin IS NULL
)";

/// The user groups a subject is in and why. Grounds: 0 added, 1 pinned, 2 default, 3 by a rule.
const BELONGS: &str = "\
belongs (person, user_group, ground, rule, directory) AS MATERIALIZED (
    SELECT p.person, r.user_group, 3, r.id, r.directory
    FROM placed p CROSS JOIN mapping_rule r
    WHERE r.id = p.rule
    UNION ALL
    SELECT m.person, r.user_group, 3, r.id, r.directory
    FROM matched m CROSS JOIN mapping_rule r CROSS JOIN user_group g CROSS JOIN subject s
    WHERE r.id = m.rule AND r.effect = 'join' AND g.id = r.user_group AND NOT g.exclusive
        AND s.person = m.person AND s.home = g.partner
    UNION ALL
    SELECT s.person, s.pin, 1, NULL, NULL FROM subject s WHERE s.pin IS NOT NULL
    UNION ALL
    SELECT p.person, g.id, 2, NULL, NULL
    FROM placed p CROSS JOIN user_group g
    WHERE p.rule IS NULL AND g.partner = p.home AND g.is_default
    UNION ALL
    SELECT s.person, u.user_group, 0, NULL, NULL
    FROM subject s CROSS JOIN user_group_member u
    WHERE u.person = s.person
)";

/// Every grant that bears on the person who asks, live or not, clipped or not. Kinds: 0 manual, 1 manual through a
/// user group, 2 by a rule. `directory` is the one whose ceiling clips it.
const HELD: &str = "\
held (kind, source, role, scope, valid_from, valid_until, suspended_at, user_group, ground, rule, directory) AS (
    SELECT 1, g.id, g.role, g.scope, g.valid_from, g.valid_until, g.suspended_at, b.user_group, b.ground, b.rule,
        b.directory
    FROM belongs b CROSS JOIN role_grant g
    WHERE b.person = $1 AND g.holder_group = b.user_group
    UNION ALL
    SELECT 0, g.id, g.role, g.scope, g.valid_from, g.valid_until, g.suspended_at, NULL, NULL, NULL, NULL
    FROM subject s CROSS JOIN role_grant g
    WHERE s.person = $1 AND g.holder_person = s.person
    UNION ALL
    SELECT 2, r.id, r.role, r.scope, NULL, NULL, NULL, NULL, NULL, r.id, r.directory
    FROM matched m CROSS JOIN mapping_rule r
    WHERE m.person = $1 AND r.id = m.rule AND r.effect = 'grant'
)";

/// The version in force, or the one that is tried out.
const TRIED: &str = "CASE WHEN d.id = $3 THEN $4 ELSE d.rule_version END";

/// The subjects with the sets they are in and the rules that match them.
fn matching() -> String {
    format!("WITH {SUBJECT},\n{},\n{MATCHED}", said(TRIED))
}

/// What every statement of the view begins with.
fn view() -> String {
    format!("{},\n{PLACED},\n{BELONGS},\n{HELD}", matching())
}

/// Whether the role in `role` confers the capability `$5`: it has it, and so has every role above.
fn confers(role: &str) -> String {
    format!(
        "EXISTS (SELECT 1 FROM role_capability c WHERE c.role = {role} AND c.capability = $5) \
         AND NOT EXISTS (SELECT 1 FROM role_ancestor a WHERE a.role = {role} AND NOT EXISTS (\
             SELECT 1 FROM role_capability c WHERE c.role = a.ancestor AND c.capability = $5))"
    )
}

/// Whether the scope row `s` reaches the resource: partner `$6`, of the user groups in `target_group`, of owner `$2`.
fn reaches(s: &str) -> String {
    format!(
        "CASE {s}.reach
            WHEN 'own' THEN {s}.partner = $6 AND $1 = $2
            WHEN 'partner' THEN {s}.partner = $6
            WHEN 'subtree' THEN EXISTS (
                SELECT 1 FROM partner_ancestor a WHERE a.partner = $6 AND a.ancestor = {s}.partner)
            ELSE {s}.partner = $6 AND EXISTS (
                SELECT 1 FROM target_group t CROSS JOIN scope_group i
                WHERE i.scope = {s}.id AND i.user_group = t.user_group)
        END
        AND NOT EXISTS (
            SELECT 1 FROM scope_without_partner w CROSS JOIN partner_ancestor a
            WHERE w.scope = {s}.id AND a.partner = $6 AND a.ancestor = w.partner)
        AND NOT EXISTS (
            SELECT 1 FROM scope_without_group w CROSS JOIN target_group t
            WHERE w.scope = {s}.id AND t.user_group = w.user_group)"
    )
}

/// The user groups of the resource's partner that it belongs to: the stated one (`$7`) and its owner's.
const TARGET_GROUP: &str = "\
target_group (user_group) AS MATERIALIZED (
    SELECT g.id FROM user_group g WHERE g.id = $7 AND g.partner = $6
    UNION
    SELECT b.user_group
    FROM belongs b CROSS JOIN user_group g
    WHERE b.person = $2 AND g.id = b.user_group AND g.partner = $6
)";

/// The grants that carry capability `$5`, each with how far it gets at `$8`:
/// 0 allows, 1 clipped by its directory's ceiling, 2 does not reach, 3 asleep.
fn ranked() -> String {
    let confers = confers("h.role");
    let reached = reaches("s");
    let under_ceiling = reaches("z");
    format!(
        "{TARGET_GROUP},
ranked (distance, kind, source, role, scope, user_group, ground, rule, directory, dormant) AS (
    SELECT CASE
            WHEN h.suspended_at IS NOT NULL OR h.valid_from > $8 OR h.valid_until <= $8 THEN 3
            WHEN NOT COALESCE({reached}, FALSE) THEN 2
            WHEN h.directory IS NOT NULL AND NOT EXISTS (
                SELECT 1 FROM directory_ceiling k CROSS JOIN role_ancestor l CROSS JOIN scope z
                WHERE k.directory = h.directory AND l.role = h.role AND l.ancestor = k.role AND z.id = k.scope
                    AND {under_ceiling}) THEN 1
            ELSE 0
        END,
        h.kind, h.source, h.role, h.scope, h.user_group, h.ground, h.rule, h.directory,
        CASE WHEN h.suspended_at IS NOT NULL THEN 2 WHEN h.valid_from > $8 THEN 0 ELSE 1 END
    FROM held h CROSS JOIN scope s
    WHERE s.id = h.scope AND {confers}
)"
    )
}

/// The decision: one row for each of the `$9` grants that get furthest, each with the standing of both sides; one row
/// with an empty grant when nothing carries the capability.
pub(super) fn decision() -> String {
    let view = view();
    let ranked = ranked();
    let whole_below = whole_below();
    let first = "ORDER BY a.depth, x.since LIMIT 1";
    format!(
        "{view},
{ranked},
best (distance, kind, source, role, scope, user_group, ground, rule, directory, dormant) AS MATERIALIZED (
    SELECT distance, kind, source, role, scope, user_group, ground, rule, directory, dormant FROM ranked
    ORDER BY distance, kind, source, ground, rule LIMIT $9
),
home_off (partner, source, name) AS MATERIALIZED (
    SELECT x.partner, x.source, (SELECT p.name FROM live_partner p WHERE p.id = x.partner)
    FROM subject s CROSS JOIN partner_ancestor a CROSS JOIN partner_suspension x
    WHERE s.person = $1 AND a.partner = s.home AND x.partner = a.ancestor {first}
),
side_off (partner, source, name) AS MATERIALIZED (
    SELECT x.partner, x.source, (SELECT p.name FROM live_partner p WHERE p.id = x.partner)
    FROM partner_ancestor a CROSS JOIN partner_suspension x
    WHERE a.partner = $6 AND x.partner = a.ancestor {first}
)
SELECT (SELECT s.person FROM subject s WHERE s.person = $1) AS person,
    (SELECT x.source FROM person_suspension x WHERE x.person = $1 ORDER BY x.since LIMIT 1) AS person_off,
    home_off.partner AS home_off, home_off.source AS home_off_by, home_off.name AS home_off_name,
    side_off.partner AS side_off, side_off.source AS side_off_by, side_off.name AS side_off_name,
    target.level, (SELECT l.title FROM level l WHERE l.id = target.level) AS level_name,
    (SELECT c.on_suspended FROM capability c WHERE c.id = $5) AS on_suspended,
    EXISTS (SELECT 1 FROM level_capability k WHERE k.level = target.level AND k.capability = $5) AS in_level,
    {GRANT_COLUMNS},
    {GRANT_WORDS},
    {whole_below} AS whole_below
FROM (SELECT 1 AS row_of_its_own) always
LEFT JOIN live_partner target ON target.id = $6
LEFT JOIN home_off ON TRUE
LEFT JOIN side_off ON TRUE
LEFT JOIN best h ON TRUE
{GRANT_NAMES}
ORDER BY h.distance, h.kind, h.source, h.ground, h.rule"
    )
}

/// What a row of the decision says of one grant.
const GRANT_COLUMNS: &str =
    "h.distance, h.kind, h.source, h.role, h.ground, h.rule, h.directory, h.user_group, h.dormant";

/// Names and particulars of a grant row `h`.
const GRANT_WORDS: &str =
    "role.name AS role_name, scope.reach, scope.partner AS scope_partner, scope_top.name AS scope_name,
    (EXISTS (SELECT 1 FROM scope_without_partner w WHERE w.scope = scope.id)
        OR EXISTS (SELECT 1 FROM scope_without_group w WHERE w.scope = scope.id)) AS exclusions,
    role_grant.granted_by, role_grant.created_at, grantor.name AS granted_by_name, user_group.name AS group_name,
    mapping_rule.name AS rule_name, directory.name AS directory_name";

/// Whether grant `h` reaches the resource's partner and everything below it, without exceptions.
fn whole_below() -> String {
    let plain = |s: &str| {
        format!(
            "{s}.reach = 'subtree' \
             AND NOT EXISTS (SELECT 1 FROM scope_without_partner w WHERE w.scope = {s}.id) \
             AND NOT EXISTS (SELECT 1 FROM scope_without_group w WHERE w.scope = {s}.id)"
        )
    };
    let (own, ceiling) = (plain("scope"), plain("z"));
    format!(
        "({own} AND (h.directory IS NULL OR EXISTS (
        SELECT 1 FROM directory_ceiling k CROSS JOIN role_ancestor l CROSS JOIN scope z CROSS JOIN partner_ancestor a
        WHERE k.directory = h.directory AND l.role = h.role AND l.ancestor = k.role AND z.id = k.scope
            AND a.partner = $6 AND a.ancestor = z.partner AND {ceiling})))"
    )
}

/// Where the names of a grant row `h` come from.
const GRANT_NAMES: &str = "\
LEFT JOIN role ON role.id = h.role
LEFT JOIN scope ON scope.id = h.scope
LEFT JOIN live_partner scope_top ON scope_top.id = scope.partner
LEFT JOIN role_grant ON role_grant.id = h.source
LEFT JOIN (SELECT id, display_name AS name FROM live_person) grantor ON grantor.id = role_grant.granted_by
LEFT JOIN user_group ON user_group.id = h.user_group
LEFT JOIN mapping_rule ON mapping_rule.id = h.rule
LEFT JOIN directory ON directory.id = h.directory";

/// The positive atoms of the first term with which rule `$5` matches the person.
pub(super) fn witnesses() -> String {
    let matching = matching();
    format!(
        "{matching}
SELECT a.kind, a.people, COALESCE(g.display_name, c.expression) AS name
FROM matched m CROSS JOIN rule_atom a
LEFT JOIN external_group g ON g.id = a.people
LEFT JOIN condition c ON c.id = a.people
WHERE m.person = $1 AND m.rule = $5 AND a.rule = m.rule AND a.term = m.term AND NOT a.negated
ORDER BY a.people"
    )
}

/// The people of the set `$1` whose stored placement is not what the view says, with what it says.
pub(super) fn misplaced() -> String {
    let said = said("d.rule_version");
    format!(
        "WITH subject (person, home, pin) AS MATERIALIZED (
    SELECT p.id, p.partner, p.placement_pin FROM live_person p WHERE p.id IN ($1)
),
{said},
{MATCHED},
{PLACED},
place (person, user_group) AS (
    SELECT s.person, COALESCE(s.pin, r.user_group, g.id)
    FROM subject s
    LEFT JOIN placed p ON p.person = s.person
    LEFT JOIN mapping_rule r ON r.id = p.rule
    LEFT JOIN user_group g ON g.partner = s.home AND g.is_default
)
SELECT w.person, w.user_group
FROM place w CROSS JOIN live_person p
WHERE p.id = w.person AND p.placement <> w.user_group"
    )
}

/// Everything the person holds, whatever it carries and reaches.
pub(super) fn holdings() -> String {
    let view = view();
    format!(
        "{view}
SELECT h.kind, h.source, h.role, h.scope, h.valid_from, h.valid_until, h.suspended_at,
    h.user_group, h.ground, h.rule, h.directory, {GRANT_WORDS}
FROM held h
{GRANT_NAMES}
ORDER BY h.kind, h.source, h.ground, h.rule"
    )
}

/// The user groups the person is in and why.
pub(super) fn memberships() -> String {
    let view = view();
    format!(
        "{view}
SELECT b.user_group, b.ground, b.rule, b.directory, g.name AS group_name, g.exclusive,
    r.name AS rule_name, d.name AS directory_name
FROM belongs b CROSS JOIN user_group g
LEFT JOIN mapping_rule r ON r.id = b.rule
LEFT JOIN directory d ON d.id = b.directory
WHERE b.person = $1 AND g.id = b.user_group
ORDER BY g.exclusive DESC, b.user_group, b.ground, b.rule"
    )
}

/// The sets of each directory that the person is in, with their names.
pub(super) fn sets() -> String {
    let (subject, said) = (SUBJECT, said(TRIED));
    format!(
        "WITH {subject},
{said}
SELECT h.directory, d.name AS directory_name, h.people, g.display_name AS group_name, c.expression
FROM said h CROSS JOIN directory d
LEFT JOIN external_group g ON g.id = h.people
LEFT JOIN condition c ON c.id = h.people
WHERE h.person = $1 AND d.id = h.directory
ORDER BY h.directory, h.people"
    )
}

/// People after `$2` who might be allowed capability `$3` on partner `$1`, in id order, at most `$4`; each is to be
/// asked about one by one. Nobody who is allowed is missing.
///
/// A scope that reaches the partner hangs on it or on one above. From there: who holds a grant with such a scope, by
/// hand, through a user group, or by a rule that names a set they are in.
pub(super) fn candidates() -> String {
    let carries = "EXISTS (SELECT 1 FROM role_capability c WHERE c.role = {role} AND c.capability = $3)";
    let by_grant = carries.replace("{role}", "g.role");
    let by_rule = carries.replace("{role}", "r.role");
    format!(
        "WITH near (scope) AS MATERIALIZED (
    SELECT s.id FROM partner_ancestor a CROSS JOIN scope s WHERE a.partner = $1 AND s.partner = a.ancestor
),
holding (person, user_group) AS MATERIALIZED (
    SELECT g.holder_person, g.holder_group
    FROM near n CROSS JOIN role_grant g
    WHERE g.scope = n.scope AND {by_grant}
),
naming (rule) AS MATERIALIZED (
    SELECT r.id FROM near n CROSS JOIN mapping_rule r
    WHERE r.scope = n.scope AND r.effect = 'grant' AND {by_rule}
    UNION
    SELECT r.id FROM holding h CROSS JOIN mapping_rule r
    WHERE r.user_group = h.user_group
),
naming_set (people) AS MATERIALIZED (
    SELECT DISTINCT a.people FROM naming n CROSS JOIN rule_atom a WHERE a.rule = n.rule AND NOT a.negated
)
SELECT candidate.person FROM (
    SELECT h.person FROM holding h WHERE h.person > $2
    UNION
    SELECT m.person FROM holding h CROSS JOIN user_group_member m WHERE m.user_group = h.user_group AND m.person > $2
    UNION
    SELECT p.id FROM holding h CROSS JOIN live_person p WHERE p.placement = h.user_group AND p.id > $2
    UNION
    SELECT e.person
    FROM naming_set n CROSS JOIN group_closure c CROSS JOIN external_member m CROSS JOIN external_user e
    WHERE c.ancestor = n.people AND m.grp = c.descendant AND e.id = m.member AND e.active AND e.person > $2
    UNION
    SELECT e.person
    FROM naming_set n CROSS JOIN condition_member k CROSS JOIN external_user e
    WHERE k.condition = n.people AND e.id = k.external_user AND e.active AND e.person > $2
) candidate
ORDER BY candidate.person LIMIT $4"
    )
}
