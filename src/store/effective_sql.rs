//! The view in SQL: constants that put together say what `access::derive` and `access::decide` say.
//!
//! Every statement of the view is put together from these, so there is one text of the law. It is driven from one or
//! two people by indexes; nothing in it reads a table whole. `CROSS JOIN` keeps SQLite to the order written (it takes
//! the passing tables of a WITH for large ones), and PostgreSQL too, beyond its `join_collapse_limit`.
//!
//! What costs is not the rows, which are few: in SQLite each passing table, in PostgreSQL each step of the plan that is
//! made ready. So tests are correlated ones by index, only what is read twice is `MATERIALIZED`, and the commonest
//! answer, allowed by a grant in the person's own name, has the short statement [`direct`].
//!
//! The parameters of a decision:
//!
//! | parameter | meaning |
//! | --- | --- |
//! | `$1` | the person who asks |
//! | `$2` | the owner of the resource, or NULL |
//! | `$3` | the capability |
//! | `$4` | the partner of the resource |
//! | `$5` | now |
//! | `$6` | the user group of the resource, or NULL |
//! | `$7` | how many grants to tell of |

/// Whom the view is about: the person `$1`.
const ONE: &str = "\
subject (person, home, pin, confirmed) AS MATERIALIZED (
    SELECT p.id, p.partner, p.placement_pin, p.confirmed_at IS NOT NULL FROM live_person p WHERE p.id = $1
)";

/// Whom the view is about: the person `$1` who asks and the owner `$2` of the resource.
const TWO: &str = "\
subject (person, home, pin, confirmed) AS MATERIALIZED (
    SELECT p.id, p.partner, p.placement_pin, p.confirmed_at IS NOT NULL FROM live_person p WHERE p.id = $1
    UNION
    SELECT p.id, p.partner, p.placement_pin, p.confirmed_at IS NOT NULL FROM live_person p WHERE p.id = $2
)";

/// The rule-set version of a directory `d` that counts: the one in force.
const IN_FORCE: &str = "d.rule_version";

/// The version in force, or in directory `$2` the one that is tried out, `$3`.
const TRIED: &str = "CASE WHEN d.id = $2 THEN $3 ELSE d.rule_version END";

/// The sets a subject is in, by what each directory that counts says of any active external user of it. `version` is
/// the rule-set version that counts for directory `d`. A set may come up more than once.
fn said(version: &str) -> String {
    format!(
        "\
said (person, directory, rule_version, people) AS (
    SELECT s.person, d.id, {version}, c.ancestor
    FROM subject s CROSS JOIN external_user e CROSS JOIN directory d
        CROSS JOIN external_member m CROSS JOIN group_closure c
    WHERE e.person = s.person AND e.active AND d.id = e.directory AND d.mode <> 'observe'
        AND m.member = e.id AND c.descendant = m.grp
    UNION ALL
    SELECT s.person, d.id, {version}, k.condition
    FROM subject s CROSS JOIN external_user e CROSS JOIN directory d CROSS JOIN condition_member k
    WHERE e.person = s.person AND e.active AND d.id = e.directory AND d.mode <> 'observe'
        AND k.external_user = e.id
)"
    )
}

/// The terms of rules that match: from a positive atom whose set the subject is in, when of the term's other atoms
/// none stands against it. A term comes up once for each of its positive atoms.
const MATCHING: &str = "\
matching (person, rule, term, effect, user_group, role, scope, directory, ordinal) AS (
    SELECT h.person, r.id, a.term, r.effect, r.user_group, r.role, r.scope, r.directory, r.ordinal
    FROM said h CROSS JOIN rule_atom a CROSS JOIN mapping_rule r
    WHERE a.people = h.people AND NOT a.negated
        AND r.id = a.rule AND r.directory = h.directory AND r.rule_version = h.rule_version
        AND NOT EXISTS (
            SELECT 1 FROM rule_atom o
            WHERE o.rule = a.rule AND o.term = a.term AND o.people <> a.people AND o.negated = (
                EXISTS (
                    SELECT 1 FROM external_user e CROSS JOIN external_member m CROSS JOIN group_closure c
                    WHERE e.person = h.person AND e.directory = h.directory AND e.active
                        AND m.member = e.id AND c.descendant = m.grp AND c.ancestor = o.people)
                OR EXISTS (
                    SELECT 1 FROM external_user e CROSS JOIN condition_member k
                    WHERE e.person = h.person AND e.directory = h.directory AND e.active
                        AND k.external_user = e.id AND k.condition = o.people)))
)";

/// The rules that match and do what `only` says.
fn matched(only: &str) -> String {
    format!(
        "\
matched (person, rule, effect, user_group, role, scope, directory, ordinal) AS MATERIALIZED (
    SELECT DISTINCT m.person, m.rule, m.effect, m.user_group, m.role, m.scope, m.directory, m.ordinal
    FROM matching m WHERE {only}
)"
    )
}

/// The directories that vouch for a subject whom nobody has confirmed: those that count and say that an active external
/// user of theirs is them.
const VOUCH: &str = "\
vouch (person, directory) AS MATERIALIZED (
    SELECT DISTINCT s.person, d.id
    FROM subject s CROSS JOIN external_user e CROSS JOIN directory d
    WHERE NOT s.confirmed AND e.person = s.person AND e.active AND d.id = e.directory AND d.mode <> 'observe'
)";

/// Each subject with the rule that places it unless it is pinned: the first that matches, by authority of its
/// directory.
const PLACED: &str = "\
placed (person, home, pin, confirmed, rule) AS MATERIALIZED (
    SELECT s.person, s.home, s.pin, s.confirmed, (
        SELECT m.rule
        FROM matched m CROSS JOIN user_group g CROSS JOIN directory d
        WHERE m.person = s.person AND m.effect = 'place'
            AND g.id = m.user_group AND g.partner = s.home AND g.exclusive AND d.id = m.directory
        ORDER BY d.authority, d.id, m.ordinal
        LIMIT 1
    )
    FROM subject s
)";

/// The user groups a subject is in and why. Grounds: 0 added, 1 pinned, 2 default, 3 by a rule. What is `bounded` is
/// clipped to the ceiling of `directory`, and to nothing without one: a place or label by a rule, and the default group of
/// somebody whom nobody has confirmed, once for each directory that vouches.
const BELONGS: &str = "\
belongs (person, user_group, ground, rule, directory, bounded) AS (
    SELECT p.person, COALESCE(p.pin, r.user_group, g.id),
        CASE WHEN p.pin IS NOT NULL THEN 1 WHEN r.id IS NOT NULL THEN 3 ELSE 2 END, r.id,
        COALESCE(r.directory, v.directory), p.pin IS NULL AND (r.id IS NOT NULL OR NOT p.confirmed)
    FROM placed p
    LEFT JOIN mapping_rule r ON r.id = p.rule AND p.pin IS NULL
    LEFT JOIN user_group g ON g.partner = p.home AND g.is_default
    LEFT JOIN vouch v ON v.person = p.person AND p.pin IS NULL AND p.rule IS NULL
    UNION ALL
    SELECT m.person, m.user_group, 3, m.rule, m.directory, TRUE
    FROM matched m CROSS JOIN user_group g CROSS JOIN subject s
    WHERE m.effect = 'join' AND g.id = m.user_group AND NOT g.exclusive
        AND s.person = m.person AND s.home = g.partner
    UNION ALL
    SELECT s.person, u.user_group, 0, NULL, NULL, FALSE
    FROM subject s CROSS JOIN user_group_member u
    WHERE u.person = s.person
)";

/// Every grant that bears on the person who asks, live or not, clipped or not. Kinds: 0 manual, 1 manual through a
/// user group, 2 by a rule. `bounded` and `directory` as in [`BELONGS`].
const HELD: &str = "\
held (kind, source, role, scope, valid_from, valid_until, suspended_at, user_group, ground, rule, directory, bounded) AS (
    SELECT 1, g.id, g.role, g.scope, g.valid_from, g.valid_until, g.suspended_at, b.user_group, b.ground, b.rule,
        b.directory, b.bounded
    FROM belongs b CROSS JOIN role_grant g
    WHERE b.person = $1 AND g.holder_group = b.user_group
    UNION ALL
    SELECT 0, g.id, g.role, g.scope, g.valid_from, g.valid_until, g.suspended_at, NULL, NULL, NULL, NULL, FALSE
    FROM subject s CROSS JOIN role_grant g
    WHERE s.person = $1 AND g.holder_person = s.person
    UNION ALL
    SELECT 2, m.rule, m.role, m.scope, NULL, NULL, NULL, NULL, NULL, m.rule, m.directory, TRUE
    FROM matched m
    WHERE m.person = $1 AND m.effect = 'grant'
)";

/// What every statement about grants and user groups begins with.
fn view(subject: &str, version: &str) -> String {
    let (said, matched) = (said(version), matched("TRUE"));
    format!("WITH {subject},\n{said},\n{MATCHING},\n{matched},\n{PLACED},\n{VOUCH},\n{BELONGS},\n{HELD}")
}

/// Whether the role in `role` confers the capability `$3`: it has it, and so has every role above.
fn confers(role: &str) -> String {
    format!(
        "EXISTS (SELECT 1 FROM role_capability c WHERE c.role = {role} AND c.capability = $3) \
         AND NOT EXISTS (SELECT 1 FROM role_ancestor a WHERE a.role = {role} AND NOT EXISTS (\
             SELECT 1 FROM role_capability c WHERE c.role = a.ancestor AND c.capability = $3))"
    )
}

/// Whether the scope row `s` reaches the resource: partner `$4`, of the user groups in `target_group`, of owner `$2`.
fn reaches(s: &str) -> String {
    format!(
        "CASE {s}.reach
            WHEN 'own' THEN {s}.partner = $4 AND $1 = $2
            WHEN 'partner' THEN {s}.partner = $4
            WHEN 'subtree' THEN EXISTS (
                SELECT 1 FROM partner_ancestor a WHERE a.partner = $4 AND a.ancestor = {s}.partner)
            ELSE {s}.partner = $4 AND EXISTS (
                SELECT 1 FROM target_group t CROSS JOIN scope_group i
                WHERE i.scope = {s}.id AND i.user_group = t.user_group)
        END
        AND NOT EXISTS (
            SELECT 1 FROM scope_without_partner w CROSS JOIN partner_ancestor a
            WHERE w.scope = {s}.id AND a.partner = $4 AND a.ancestor = w.partner)
        AND NOT EXISTS (
            SELECT 1 FROM scope_without_group w CROSS JOIN target_group t
            WHERE w.scope = {s}.id AND t.user_group = w.user_group)"
    )
}

/// The user group of the resource's partner that the resource states.
const STATED_GROUP: &str = "SELECT g.id FROM user_group g WHERE g.id = $6 AND g.partner = $4";

/// The user groups of the resource's partner that its owner is in.
const OWNER_GROUPS: &str = "\
SELECT b.user_group
    FROM belongs b CROSS JOIN user_group g
    WHERE b.person = $2 AND g.id = b.user_group AND g.partner = $4";

/// The grants that carry capability `$3`, each with how far it gets at `$5`:
/// 0 allows, 1 clipped by its directory's ceiling, 2 does not reach, 3 asleep.
fn ranked() -> String {
    let confers = confers("h.role");
    let reached = reaches("s");
    let (let_through, under_ceiling) = (self::confers("k.role"), reaches("z"));
    format!(
        "\
ranked (distance, kind, source, role, scope, user_group, ground, rule, directory, bounded, dormant) AS (
    SELECT CASE
            WHEN h.suspended_at IS NOT NULL OR h.valid_from > $5 OR h.valid_until <= $5 THEN 3
            WHEN NOT COALESCE({reached}, FALSE) THEN 2
            WHEN h.bounded AND NOT EXISTS (
                SELECT 1 FROM directory_ceiling k CROSS JOIN scope z
                WHERE k.directory = h.directory AND z.id = k.scope AND {let_through} AND {under_ceiling}) THEN 1
            ELSE 0
        END,
        h.kind, h.source, h.role, h.scope, h.user_group, h.ground, h.rule, h.directory, h.bounded,
        CASE WHEN h.suspended_at IS NOT NULL THEN 2 WHEN h.valid_from > $5 THEN 0 ELSE 1 END
    FROM held h CROSS JOIN scope s
    WHERE s.id = h.scope AND {confers}
)"
    )
}

/// The nearest partner at or above `partner` that is suspended.
fn suspended_above(partner: &str) -> String {
    format!(
        "SELECT x.partner FROM partner_ancestor a CROSS JOIN partner_suspension x \
         WHERE a.partner = {partner} AND x.partner = a.ancestor ORDER BY a.depth LIMIT 1"
    )
}

/// The decision: one row for each of the `$7` grants that get furthest, in no order, each with the standing of both
/// sides; one row with an empty grant when nothing carries the capability. Who owns the resource counts when `owned`.
pub(super) fn decision(owned: bool) -> String {
    let (subject, target) = match owned {
        true => (TWO, format!("{STATED_GROUP}\n    UNION\n    {OWNER_GROUPS}")),
        false => (ONE, STATED_GROUP.to_owned()),
    };
    let view = view(subject, IN_FORCE);
    let ranked = ranked();
    let whole_below = whole_below();
    let home_off = suspended_above("subject.home");
    let side_off = suspended_above("$4");
    let cause = |partner: &str| {
        format!(
            "standing.{partner}, \
             (SELECT x.source FROM partner_suspension x WHERE x.partner = standing.{partner} \
                 ORDER BY x.since LIMIT 1) AS {partner}_by, \
             (SELECT p.name FROM live_partner p WHERE p.id = standing.{partner}) AS {partner}_name"
        )
    };
    let (home_cause, side_cause) = (cause("home_off"), cause("side_off"));
    format!(
        "{view},
target_group (user_group) AS MATERIALIZED (
    {target}
),
{ranked},
best (distance, kind, source, role, scope, user_group, ground, rule, directory, bounded, dormant) AS MATERIALIZED (
    SELECT distance, kind, source, role, scope, user_group, ground, rule, directory, bounded, dormant FROM ranked
    ORDER BY distance, kind, source, ground, rule, directory LIMIT $7
),
standing (person, person_off, home_off, side_off, level, on_suspended, in_level) AS MATERIALIZED (
    SELECT subject.person,
        (SELECT x.source FROM person_suspension x WHERE x.person = $1 AND COALESCE(x.from_at, $5) <= $5
            ORDER BY x.since, x.source LIMIT 1),
        ({home_off}),
        ({side_off}),
        target.level,
        (SELECT c.on_suspended FROM capability c WHERE c.id = $3),
        EXISTS (SELECT 1 FROM level_capability k WHERE k.level = target.level AND k.capability = $3)
    FROM (SELECT 1 AS row_of_its_own) always
    LEFT JOIN subject ON subject.person = $1
    LEFT JOIN live_partner target ON target.id = $4
)
SELECT standing.person, standing.person_off, {home_cause}, {side_cause},
    standing.level, (SELECT l.title FROM level l WHERE l.id = standing.level) AS level_name,
    standing.on_suspended, standing.in_level,
    {GRANT_COLUMNS},
    {GRANT_WORDS},
    {whole_below} AS whole_below
FROM standing
LEFT JOIN best h ON TRUE
{GRANT_NAMES}"
    )
}

/// The first grant in the person's own name that allows, everything counted but user groups: none, or one that may be
/// held up by those, is not `certain`, and the whole decision must be asked for. The parameters are those of
/// [`decision`] up to `$5`.
pub(super) fn direct() -> String {
    let confers = confers("g.role");
    let home_off = suspended_above("p.partner");
    let side_off = suspended_above("$4");
    format!(
        "SELECT g.id AS source, g.role, r.name AS role_name, s.reach, s.partner AS scope_partner,
    top.name AS scope_name, g.granted_by, g.created_at,
    (SELECT o.display_name FROM live_person o WHERE o.id = g.granted_by) AS granted_by_name,
    EXISTS (SELECT 1 FROM scope_without_partner w WHERE w.scope = s.id) AS exclusions,
    s.reach <> 'groups' AND NOT EXISTS (SELECT 1 FROM scope_without_group w WHERE w.scope = s.id) AS certain
FROM live_person p CROSS JOIN role_grant g CROSS JOIN scope s CROSS JOIN live_partner target
    CROSS JOIN level_capability k CROSS JOIN role r CROSS JOIN live_partner top
WHERE p.id = $1 AND g.holder_person = p.id AND g.suspended_at IS NULL
    AND (g.valid_from IS NULL OR g.valid_from <= $5) AND (g.valid_until IS NULL OR g.valid_until > $5)
    AND {confers}
    AND s.id = g.scope
    AND CASE s.reach
        WHEN 'own' THEN s.partner = $4 AND p.id = $2
        WHEN 'subtree' THEN EXISTS (
            SELECT 1 FROM partner_ancestor a WHERE a.partner = $4 AND a.ancestor = s.partner)
        ELSE s.partner = $4
    END
    AND NOT EXISTS (
        SELECT 1 FROM scope_without_partner w CROSS JOIN partner_ancestor a
        WHERE w.scope = s.id AND a.partner = $4 AND a.ancestor = w.partner)
    AND target.id = $4 AND k.level = target.level AND k.capability = $3
    AND NOT EXISTS (SELECT 1 FROM person_suspension x WHERE x.person = p.id AND COALESCE(x.from_at, $5) <= $5)
    AND NOT EXISTS ({home_off})
    AND (NOT EXISTS ({side_off}) OR EXISTS (SELECT 1 FROM capability c WHERE c.id = $3 AND c.on_suspended))
    AND r.id = g.role AND top.id = s.partner
ORDER BY g.id LIMIT 1"
    )
}

/// What a row of the decision says of one grant.
const GRANT_COLUMNS: &str =
    "h.distance, h.kind, h.source, h.role, h.ground, h.rule, h.directory, h.bounded, h.user_group, h.dormant";

/// Names and particulars of a grant row `h`.
const GRANT_WORDS: &str =
    "role.name AS role_name, scope.reach, scope.partner AS scope_partner, scope_top.name AS scope_name,
    (EXISTS (SELECT 1 FROM scope_without_partner w WHERE w.scope = scope.id)
        OR EXISTS (SELECT 1 FROM scope_without_group w WHERE w.scope = scope.id)) AS exclusions,
    role_grant.granted_by, role_grant.created_at, grantor.name AS granted_by_name, user_group.name AS group_name,
    mapping_rule.name AS rule_name, directory.name AS directory_name";

/// Whether grant `h` reaches the resource's partner and everything below it, without exceptions, with capability `$3`.
fn whole_below() -> String {
    let plain = |s: &str| {
        format!(
            "{s}.reach = 'subtree' \
             AND NOT EXISTS (SELECT 1 FROM scope_without_partner w WHERE w.scope = {s}.id) \
             AND NOT EXISTS (SELECT 1 FROM scope_without_group w WHERE w.scope = {s}.id)"
        )
    };
    let (own, ceiling, let_through) = (plain("scope"), plain("z"), confers("k.role"));
    format!(
        "({own} AND (NOT h.bounded OR EXISTS (
        SELECT 1 FROM directory_ceiling k CROSS JOIN scope z CROSS JOIN partner_ancestor a
        WHERE k.directory = h.directory AND z.id = k.scope AND a.partner = $4 AND a.ancestor = z.partner
            AND {let_through} AND {ceiling})))"
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

/// The positive atoms of the first term with which rule `$2` matches the person `$1`.
pub(super) fn witnesses() -> String {
    let said = said(IN_FORCE);
    format!(
        "WITH {ONE},
{said},
{MATCHING}
SELECT a.kind, a.people, COALESCE(g.display_name, c.expression) AS name
FROM rule_atom a
LEFT JOIN external_group g ON g.id = a.people
LEFT JOIN condition c ON c.id = a.people
WHERE a.rule = $2 AND a.term = (SELECT MIN(m.term) FROM matching m WHERE m.rule = $2) AND NOT a.negated
ORDER BY a.people"
    )
}

/// The people of the set `$1` whose stored placement is not what the view says, with what it says.
pub(super) fn misplaced() -> String {
    let (said, matched) = (said(IN_FORCE), matched("m.effect = 'place'"));
    format!(
        "WITH subject (person, home, pin, confirmed) AS MATERIALIZED (
    SELECT p.id, p.partner, p.placement_pin, TRUE FROM live_person p WHERE p.id IN ($1)
),
{said},
{MATCHING},
{matched},
{PLACED},
place (person, user_group) AS (
    SELECT s.person, COALESCE(s.pin, r.user_group, g.id)
    FROM placed s
    LEFT JOIN mapping_rule r ON r.id = s.rule
    LEFT JOIN user_group g ON g.partner = s.home AND g.is_default
)
SELECT w.person, p.placement, w.user_group
FROM place w CROSS JOIN live_person p
WHERE p.id = w.person AND p.placement <> w.user_group"
    )
}

/// Everything the person holds, whatever it carries and reaches.
pub(super) fn holdings() -> String {
    let view = view(ONE, TRIED);
    format!(
        "{view}
SELECT h.kind, h.source, h.role, h.scope, h.valid_from, h.valid_until, h.suspended_at,
    h.user_group, h.ground, h.rule, h.directory, h.bounded, {GRANT_WORDS}
FROM held h
{GRANT_NAMES}
ORDER BY h.kind, h.source, h.ground, h.rule, h.directory"
    )
}

/// The user groups the person is in and why.
pub(super) fn memberships() -> String {
    let view = view(ONE, TRIED);
    format!(
        "{view}
SELECT DISTINCT b.user_group, b.ground, b.rule, g.name AS group_name, g.exclusive,
    r.name AS rule_name, d.id AS directory, d.name AS directory_name
FROM belongs b CROSS JOIN user_group g
LEFT JOIN mapping_rule r ON r.id = b.rule
LEFT JOIN directory d ON d.id = r.directory
WHERE b.person = $1 AND g.id = b.user_group
ORDER BY g.exclusive DESC, b.user_group, b.ground, b.rule"
    )
}

/// The sets of each directory that the person is in, with their names.
pub(super) fn sets() -> String {
    let said = said(TRIED);
    format!(
        "WITH {ONE},
{said}
SELECT DISTINCT h.directory, d.name AS directory_name, h.people, g.display_name AS group_name, c.expression
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
