//! The view in SQL: constants that put together say what `access::derive` and `access::decide` say.
//!
//! Every statement of the view is put together from these, so there is one text of the law. It is driven from one or
//! two users by indexes; nothing in it reads a table whole. `CROSS JOIN` keeps SQLite to the order written (it takes
//! the passing tables of a WITH for large ones), and PostgreSQL too, beyond its `join_collapse_limit`.
//!
//! What costs is not the rows, which are few: in SQLite each passing table, in PostgreSQL each step of the plan that is
//! made ready. So tests are correlated ones by index, only what is read twice is `MATERIALIZED`, and the commonest
//! answer, allowed by a grant in the user's own name, has the short statement [`direct`].
//!
//! The parameters of a decision:
//!
//! | parameter | meaning |
//! | --- | --- |
//! | `$1` | the user who asks |
//! | `$2` | the owner of the resource, or NULL |
//! | `$3` | the capability |
//! | `$4` | the partner of the resource |
//! | `$5` | now |
//! | `$6` | the user group of the resource, or NULL |
//! | `$7` | how many grants to tell of |

/// Whom the view is about: the user `$1`.
const ONE: &str = "\
subject (user_id, home, pin, confirmed) AS MATERIALIZED (
    SELECT p.id, p.partner_id, p.pinned_group_id, p.confirmed_at IS NOT NULL FROM live_users p WHERE p.id = $1
)";

/// Whom the view is about: the user `$1` who asks and the owner `$2` of the resource.
const TWO: &str = "\
subject (user_id, home, pin, confirmed) AS MATERIALIZED (
    SELECT p.id, p.partner_id, p.pinned_group_id, p.confirmed_at IS NOT NULL FROM live_users p WHERE p.id = $1
    UNION
    SELECT p.id, p.partner_id, p.pinned_group_id, p.confirmed_at IS NOT NULL FROM live_users p WHERE p.id = $2
)";

/// The rule-set version of a directory `d` that counts: the one in force.
const IN_FORCE: &str = "d.rule_set_version";

/// The version in force, or in directory `$2` the one that is tried out, `$3`.
const TRIED: &str = "CASE WHEN d.id = $2 THEN $3 ELSE d.rule_set_version END";

/// The sets a subject is in, by what each directory that counts says of any active external user of it. `version` is
/// the rule-set version that counts for directory `d`. A set may come up more than once.
fn said(version: &str) -> String {
    format!(
        "\
said (user_id, directory_id, rule_set_version, set_id) AS (
    SELECT s.user_id, d.id, {version}, c.ancestor_id
    FROM subject s CROSS JOIN external_users e CROSS JOIN directories d
        CROSS JOIN external_group_members m CROSS JOIN external_group_ancestors c
    WHERE e.user_id = s.user_id AND e.active AND d.id = e.directory_id AND d.mode <> 'observe'
        AND m.external_user_id = e.id AND c.external_group_id = m.external_group_id
    UNION ALL
    SELECT s.user_id, d.id, {version}, k.condition_id
    FROM subject s CROSS JOIN external_users e CROSS JOIN directories d CROSS JOIN attribute_condition_members k
    WHERE e.user_id = s.user_id AND e.active AND d.id = e.directory_id AND d.mode <> 'observe'
        AND k.external_user_id = e.id
)"
    )
}

/// The terms of rules that match: from a positive atom whose set the subject is in, when of the term's other atoms
/// none stands against it. A term comes up once for each of its positive atoms.
const MATCHING: &str = "\
matching (user_id, rule_id, term, effect, user_group_id, role_id, scope_id, directory_id, ordinal) AS (
    SELECT h.user_id, r.id, a.term, r.effect, r.user_group_id, r.role_id, r.scope_id, r.directory_id, r.ordinal
    FROM said h CROSS JOIN rule_criteria a CROSS JOIN mapping_rules r
    WHERE a.set_id = h.set_id AND NOT a.negated
        AND r.id = a.rule_id AND r.directory_id = h.directory_id AND r.rule_set_version = h.rule_set_version
        AND NOT EXISTS (
            SELECT 1 FROM rule_criteria o
            WHERE o.rule_id = a.rule_id AND o.term = a.term AND o.set_id <> a.set_id AND o.negated = (
                EXISTS (
                    SELECT 1 FROM external_users e CROSS JOIN external_group_members m CROSS JOIN external_group_ancestors c
                    WHERE e.user_id = h.user_id AND e.directory_id = h.directory_id AND e.active
                        AND m.external_user_id = e.id AND c.external_group_id = m.external_group_id AND c.ancestor_id = o.set_id)
                OR EXISTS (
                    SELECT 1 FROM external_users e CROSS JOIN attribute_condition_members k
                    WHERE e.user_id = h.user_id AND e.directory_id = h.directory_id AND e.active
                        AND k.external_user_id = e.id AND k.condition_id = o.set_id)))
)";

/// The rules that match and do what `only` says.
fn matched(only: &str) -> String {
    format!(
        "\
matched (user_id, rule_id, effect, user_group_id, role_id, scope_id, directory_id, ordinal) AS MATERIALIZED (
    SELECT DISTINCT m.user_id, m.rule_id, m.effect, m.user_group_id, m.role_id, m.scope_id, m.directory_id, m.ordinal
    FROM matching m WHERE {only}
)"
    )
}

/// The directories that vouch for a subject whom nobody has confirmed: those that count and say that an active external
/// user of theirs is them.
const VOUCH: &str = "\
vouch (user_id, directory_id) AS MATERIALIZED (
    SELECT DISTINCT s.user_id, d.id
    FROM subject s CROSS JOIN external_users e CROSS JOIN directories d
    WHERE NOT s.confirmed AND e.user_id = s.user_id AND e.active AND d.id = e.directory_id AND d.mode <> 'observe'
)";

/// Each subject with the rule that places it unless it is pinned: the first that matches, by authority of its
/// directory.
const PLACED: &str = "\
placed (user_id, home, pin, confirmed, rule_id) AS MATERIALIZED (
    SELECT s.user_id, s.home, s.pin, s.confirmed, (
        SELECT m.rule_id
        FROM matched m CROSS JOIN user_groups g CROSS JOIN directories d
        WHERE m.user_id = s.user_id AND m.effect = 'set_primary_group'
            AND g.id = m.user_group_id AND g.partner_id = s.home AND g.is_primary AND d.id = m.directory_id
        ORDER BY d.priority, d.id, m.ordinal
        LIMIT 1
    )
    FROM subject s
)";

/// The user groups a subject is in and why. Grounds: 0 added, 1 pinned, 2 default, 3 by a rule. What is `bounded` is
/// clipped to the ceiling of `directory`, and to nothing without one: a place or label by a rule, and the default group of
/// somebody whom nobody has confirmed, once for each directory that vouches.
const BELONGS: &str = "\
belongs (user_id, user_group_id, ground, rule_id, directory_id, bounded) AS (
    SELECT p.user_id, COALESCE(p.pin, r.user_group_id, g.id),
        CASE WHEN p.pin IS NOT NULL THEN 1 WHEN r.id IS NOT NULL THEN 3 ELSE 2 END, r.id,
        COALESCE(r.directory_id, v.directory_id), p.pin IS NULL AND (r.id IS NOT NULL OR NOT p.confirmed)
    FROM placed p
    LEFT JOIN mapping_rules r ON r.id = p.rule_id AND p.pin IS NULL
    LEFT JOIN user_groups g ON g.partner_id = p.home AND g.is_default
    LEFT JOIN vouch v ON v.user_id = p.user_id AND p.pin IS NULL AND p.rule_id IS NULL
    UNION ALL
    SELECT m.user_id, m.user_group_id, 3, m.rule_id, m.directory_id, TRUE
    FROM matched m CROSS JOIN user_groups g CROSS JOIN subject s
    WHERE m.effect = 'add_to_group' AND g.id = m.user_group_id AND NOT g.is_primary
        AND s.user_id = m.user_id AND s.home = g.partner_id
    UNION ALL
    SELECT s.user_id, u.user_group_id, 0, NULL, NULL, FALSE
    FROM subject s CROSS JOIN user_group_members u
    WHERE u.user_id = s.user_id
)";

/// Every grant that bears on the user who asks, live or not, clipped or not. Kinds: 0 manual, 1 manual through a
/// user group, 2 by a rule. `bounded` and `directory` as in [`BELONGS`].
const HELD: &str = "\
held (kind, source, role_id, scope_id, valid_from, valid_until, suspended_at, user_group_id, ground, rule_id, directory_id, bounded) AS (
    SELECT 1, g.id, g.role_id, g.scope_id, g.valid_from, g.valid_until, g.suspended_at, b.user_group_id, b.ground, b.rule_id,
        b.directory_id, b.bounded
    FROM belongs b CROSS JOIN grants g
    WHERE b.user_id = $1 AND g.user_group_id = b.user_group_id
    UNION ALL
    SELECT 0, g.id, g.role_id, g.scope_id, g.valid_from, g.valid_until, g.suspended_at, NULL, NULL, NULL, NULL, FALSE
    FROM subject s CROSS JOIN grants g
    WHERE s.user_id = $1 AND g.user_id = s.user_id
    UNION ALL
    SELECT 2, m.rule_id, m.role_id, m.scope_id, NULL, NULL, NULL, NULL, NULL, m.rule_id, m.directory_id, TRUE
    FROM matched m
    WHERE m.user_id = $1 AND m.effect = 'grant_role'
)";

/// What every statement about grants and user groups begins with.
fn view(subject: &str, version: &str) -> String {
    let (said, matched) = (said(version), matched("TRUE"));
    format!("WITH {subject},\n{said},\n{MATCHING},\n{matched},\n{PLACED},\n{VOUCH},\n{BELONGS},\n{HELD}")
}

/// Whether the role in `role` confers the capability `$3`: it has it, and so has every role above.
fn confers(role: &str) -> String {
    format!(
        "EXISTS (SELECT 1 FROM role_capabilities c WHERE c.role_id = {role} AND c.capability_id = $3) \
         AND NOT EXISTS (SELECT 1 FROM role_ancestors a WHERE a.role_id = {role} AND NOT EXISTS (\
             SELECT 1 FROM role_capabilities c WHERE c.role_id = a.ancestor_id AND c.capability_id = $3))"
    )
}

/// Whether the scope row `s` reaches the resource: partner `$4`, of the user groups in `target_group`, of owner `$2`.
fn reaches(s: &str) -> String {
    format!(
        "CASE {s}.kind
            WHEN 'self' THEN {s}.partner_id = $4 AND $1 = $2
            WHEN 'partner' THEN {s}.partner_id = $4
            WHEN 'subtree' THEN EXISTS (
                SELECT 1 FROM partner_ancestors a WHERE a.partner_id = $4 AND a.ancestor_id = {s}.partner_id)
            ELSE {s}.partner_id = $4 AND EXISTS (
                SELECT 1 FROM target_group t CROSS JOIN scope_user_groups i
                WHERE i.scope_id = {s}.id AND i.user_group_id = t.user_group_id)
        END
        AND NOT EXISTS (
            SELECT 1 FROM scope_excluded_partners w CROSS JOIN partner_ancestors a
            WHERE w.scope_id = {s}.id AND a.partner_id = $4 AND a.ancestor_id = w.partner_id)
        AND NOT EXISTS (
            SELECT 1 FROM scope_excluded_user_groups w CROSS JOIN target_group t
            WHERE w.scope_id = {s}.id AND t.user_group_id = w.user_group_id)"
    )
}

/// The user group of the resource's partner that the resource states.
const STATED_GROUP: &str = "SELECT g.id FROM user_groups g WHERE g.id = $6 AND g.partner_id = $4";

/// The user groups of the resource's partner that its owner is in.
const OWNER_GROUPS: &str = "\
SELECT b.user_group_id
    FROM belongs b CROSS JOIN user_groups g
    WHERE b.user_id = $2 AND g.id = b.user_group_id AND g.partner_id = $4";

/// The grants that carry capability `$3`, each with how far it gets at `$5`:
/// 0 allows, 1 clipped by its directory's ceiling, 2 does not reach, 3 asleep.
fn ranked() -> String {
    let confers = confers("h.role_id");
    let reached = reaches("s");
    let (let_through, under_ceiling) = (self::confers("k.role_id"), reaches("z"));
    format!(
        "\
ranked (distance, kind, source, role_id, scope_id, user_group_id, ground, rule_id, directory_id, bounded, dormant) AS (
    SELECT CASE
            WHEN h.suspended_at IS NOT NULL OR h.valid_from > $5 OR h.valid_until <= $5 THEN 3
            WHEN NOT COALESCE({reached}, FALSE) THEN 2
            WHEN h.bounded AND NOT EXISTS (
                SELECT 1 FROM directory_ceilings k CROSS JOIN scopes z
                WHERE k.directory_id = h.directory_id AND z.id = k.scope_id AND {let_through} AND {under_ceiling}) THEN 1
            ELSE 0
        END,
        h.kind, h.source, h.role_id, h.scope_id, h.user_group_id, h.ground, h.rule_id, h.directory_id, h.bounded,
        CASE WHEN h.suspended_at IS NOT NULL THEN 2 WHEN h.valid_from > $5 THEN 0 ELSE 1 END
    FROM held h CROSS JOIN scopes s
    WHERE s.id = h.scope_id AND {confers}
)"
    )
}

/// The nearest partner at or above `partner` that is suspended.
fn suspended_above(partner: &str) -> String {
    format!(
        "SELECT x.partner_id FROM partner_ancestors a CROSS JOIN partner_suspensions x \
         WHERE a.partner_id = {partner} AND x.partner_id = a.ancestor_id ORDER BY a.depth LIMIT 1"
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
             (SELECT x.source FROM partner_suspensions x WHERE x.partner_id = standing.{partner} \
                 ORDER BY x.suspended_at LIMIT 1) AS {partner}_by, \
             (SELECT p.name FROM live_partners p WHERE p.id = standing.{partner}) AS {partner}_name"
        )
    };
    let (home_cause, side_cause) = (cause("home_off"), cause("side_off"));
    format!(
        "{view},
target_group (user_group_id) AS MATERIALIZED (
    {target}
),
{ranked},
best (distance, kind, source, role_id, scope_id, user_group_id, ground, rule_id, directory_id, bounded, dormant) AS MATERIALIZED (
    SELECT distance, kind, source, role_id, scope_id, user_group_id, ground, rule_id, directory_id, bounded, dormant FROM ranked
    ORDER BY distance, kind, source, ground, rule_id, directory_id LIMIT $7
),
standing (user_id, person_off, home_off, side_off, level_id, on_suspended, in_level) AS MATERIALIZED (
    SELECT subject.user_id,
        (SELECT x.source FROM user_suspensions x WHERE x.user_id = $1 AND COALESCE(x.from_at, $5) <= $5
            ORDER BY x.suspended_at, x.source LIMIT 1),
        ({home_off}),
        ({side_off}),
        target.level_id,
        (SELECT c.on_suspended FROM capabilities c WHERE c.id = $3),
        EXISTS (SELECT 1 FROM level_capabilities k WHERE k.level_id = target.level_id AND k.capability_id = $3)
    FROM (SELECT 1 AS row_of_its_own) always
    LEFT JOIN subject ON subject.user_id = $1
    LEFT JOIN live_partners target ON target.id = $4
)
SELECT standing.user_id, standing.person_off, {home_cause}, {side_cause},
    standing.level_id, (SELECT l.title FROM levels l WHERE l.id = standing.level_id) AS level_name,
    standing.on_suspended, standing.in_level,
    {GRANT_COLUMNS},
    {GRANT_WORDS},
    {whole_below} AS whole_below
FROM standing
LEFT JOIN best h ON TRUE
{GRANT_NAMES}"
    )
}

/// The first grant in the user's own name that allows, everything counted but user groups: none, or one that may be
/// held up by those, is not `certain`, and the whole decision must be asked for. The parameters are those of
/// [`decision`] up to `$5`.
pub(super) fn direct() -> String {
    let confers = confers("g.role_id");
    let home_off = suspended_above("p.partner_id");
    let side_off = suspended_above("$4");
    format!(
        "SELECT g.id AS source, g.role_id, r.name AS role_name, s.kind AS scope_kind, s.partner_id AS scope_partner,
    top.name AS scope_name, g.granted_by, g.created_at,
    (SELECT o.display_name FROM live_users o WHERE o.id = g.granted_by) AS granted_by_name,
    EXISTS (SELECT 1 FROM scope_excluded_partners w WHERE w.scope_id = s.id) AS exclusions,
    s.kind <> 'user_groups' AND NOT EXISTS (SELECT 1 FROM scope_excluded_user_groups w WHERE w.scope_id = s.id) AS certain
FROM live_users p CROSS JOIN grants g CROSS JOIN scopes s CROSS JOIN live_partners target
    CROSS JOIN level_capabilities k CROSS JOIN roles r CROSS JOIN live_partners top
WHERE p.id = $1 AND g.user_id = p.id AND g.suspended_at IS NULL
    AND (g.valid_from IS NULL OR g.valid_from <= $5) AND (g.valid_until IS NULL OR g.valid_until > $5)
    AND {confers}
    AND s.id = g.scope_id
    AND CASE s.kind
        WHEN 'self' THEN s.partner_id = $4 AND p.id = $2
        WHEN 'subtree' THEN EXISTS (
            SELECT 1 FROM partner_ancestors a WHERE a.partner_id = $4 AND a.ancestor_id = s.partner_id)
        ELSE s.partner_id = $4
    END
    AND NOT EXISTS (
        SELECT 1 FROM scope_excluded_partners w CROSS JOIN partner_ancestors a
        WHERE w.scope_id = s.id AND a.partner_id = $4 AND a.ancestor_id = w.partner_id)
    AND target.id = $4 AND k.level_id = target.level_id AND k.capability_id = $3
    AND NOT EXISTS (SELECT 1 FROM user_suspensions x WHERE x.user_id = p.id AND COALESCE(x.from_at, $5) <= $5)
    AND NOT EXISTS ({home_off})
    AND (NOT EXISTS ({side_off}) OR EXISTS (SELECT 1 FROM capabilities c WHERE c.id = $3 AND c.on_suspended))
    AND r.id = g.role_id AND top.id = s.partner_id
ORDER BY g.id LIMIT 1"
    )
}

/// What a row of the decision says of one grant.
const GRANT_COLUMNS: &str = "h.distance, h.kind, h.source, h.role_id, h.ground, h.rule_id, h.directory_id, h.bounded, h.user_group_id, h.dormant";

/// Names and particulars of a grant row `h`.
const GRANT_WORDS: &str =
    "roles.name AS role_name, scopes.kind AS scope_kind, scopes.partner_id AS scope_partner, scope_top.name AS scope_name,
    (EXISTS (SELECT 1 FROM scope_excluded_partners w WHERE w.scope_id = scopes.id)
        OR EXISTS (SELECT 1 FROM scope_excluded_user_groups w WHERE w.scope_id = scopes.id)) AS exclusions,
    grants.granted_by, grants.created_at, grantor.name AS granted_by_name, user_groups.name AS group_name,
    mapping_rules.name AS rule_name, directories.name AS directory_name";

/// Whether grant `h` reaches the resource's partner and everything below it, without exceptions, with capability `$3`.
fn whole_below() -> String {
    let plain = |s: &str| {
        format!(
            "{s}.kind = 'subtree' \
             AND NOT EXISTS (SELECT 1 FROM scope_excluded_partners w WHERE w.scope_id = {s}.id) \
             AND NOT EXISTS (SELECT 1 FROM scope_excluded_user_groups w WHERE w.scope_id = {s}.id)"
        )
    };
    let (own, ceiling, let_through) = (plain("scopes"), plain("z"), confers("k.role_id"));
    format!(
        "({own} AND (NOT h.bounded OR EXISTS (
        SELECT 1 FROM directory_ceilings k CROSS JOIN scopes z CROSS JOIN partner_ancestors a
        WHERE k.directory_id = h.directory_id AND z.id = k.scope_id AND a.partner_id = $4 AND a.ancestor_id = z.partner_id
            AND {let_through} AND {ceiling})))"
    )
}

/// Where the names of a grant row `h` come from.
const GRANT_NAMES: &str = "\
LEFT JOIN roles ON roles.id = h.role_id
LEFT JOIN scopes ON scopes.id = h.scope_id
LEFT JOIN live_partners scope_top ON scope_top.id = scopes.partner_id
LEFT JOIN grants ON grants.id = h.source
LEFT JOIN (SELECT id, display_name AS name FROM live_users) grantor ON grantor.id = grants.granted_by
LEFT JOIN user_groups ON user_groups.id = h.user_group_id
LEFT JOIN mapping_rules ON mapping_rules.id = h.rule_id
LEFT JOIN directories ON directories.id = h.directory_id";

/// The positive atoms of the first term with which rule `$2` matches the user `$1`.
pub(super) fn witnesses() -> String {
    let said = said(IN_FORCE);
    format!(
        "WITH {ONE},
{said},
{MATCHING}
SELECT a.set_kind, a.set_id, COALESCE(g.display_name, c.expression) AS name
FROM rule_criteria a
LEFT JOIN external_groups g ON g.id = a.set_id
LEFT JOIN attribute_conditions c ON c.id = a.set_id
WHERE a.rule_id = $2 AND a.term = (SELECT MIN(m.term) FROM matching m WHERE m.rule_id = $2) AND NOT a.negated
ORDER BY a.set_id"
    )
}

/// The users of the set `$1` whose stored placement is not what the view says, with what it says.
pub(super) fn misplaced() -> String {
    let (said, matched) = (said(IN_FORCE), matched("m.effect = 'set_primary_group'"));
    format!(
        "WITH subject (user_id, home, pin, confirmed) AS MATERIALIZED (
    SELECT p.id, p.partner_id, p.pinned_group_id, TRUE FROM live_users p WHERE p.id IN ($1)
),
{said},
{MATCHING},
{matched},
{PLACED},
place (user_id, user_group_id) AS (
    SELECT s.user_id, COALESCE(s.pin, r.user_group_id, g.id)
    FROM placed s
    LEFT JOIN mapping_rules r ON r.id = s.rule_id
    LEFT JOIN user_groups g ON g.partner_id = s.home AND g.is_default
)
SELECT w.user_id, p.primary_group_id, w.user_group_id
FROM place w CROSS JOIN live_users p
WHERE p.id = w.user_id AND p.primary_group_id <> w.user_group_id"
    )
}

/// Everything the user holds, whatever it carries and reaches.
pub(super) fn holdings() -> String {
    let view = view(ONE, TRIED);
    format!(
        "{view}
SELECT h.kind, h.source, h.role_id, h.scope_id, h.valid_from, h.valid_until, h.suspended_at,
    h.user_group_id, h.ground, h.rule_id, h.directory_id, h.bounded, {GRANT_WORDS}
FROM held h
{GRANT_NAMES}
ORDER BY h.kind, h.source, h.ground, h.rule_id, h.directory_id"
    )
}

/// The user groups the user is in and why.
pub(super) fn memberships() -> String {
    let view = view(ONE, TRIED);
    format!(
        "{view}
SELECT DISTINCT b.user_group_id, b.ground, b.rule_id, g.name AS group_name, g.is_primary,
    r.name AS rule_name, d.id AS directory_id, d.name AS directory_name
FROM belongs b CROSS JOIN user_groups g
LEFT JOIN mapping_rules r ON r.id = b.rule_id
LEFT JOIN directories d ON d.id = r.directory_id
WHERE b.user_id = $1 AND g.id = b.user_group_id
ORDER BY g.is_primary DESC, b.user_group_id, b.ground, b.rule_id"
    )
}

/// The sets of each directory that the user is in, with their names.
pub(super) fn sets() -> String {
    let said = said(TRIED);
    format!(
        "WITH {ONE},
{said}
SELECT DISTINCT h.directory_id, d.name AS directory_name, h.set_id, g.display_name AS group_name, c.expression
FROM said h CROSS JOIN directories d
LEFT JOIN external_groups g ON g.id = h.set_id
LEFT JOIN attribute_conditions c ON c.id = h.set_id
WHERE h.user_id = $1 AND d.id = h.directory_id
ORDER BY h.directory_id, h.set_id"
    )
}

/// Users after `$2` who might be allowed capability `$3` on partner `$1`, in id order, at most `$4`; each is to be
/// asked about one by one. Nobody who is allowed is missing.
///
/// A scope that reaches the partner hangs on it or on one above. From there: who holds a grant with such a scope, by
/// hand, through a user group, or by a rule that names a set they are in.
pub(super) fn candidates() -> String {
    let carries = "EXISTS (SELECT 1 FROM role_capabilities c WHERE c.role_id = {role} AND c.capability_id = $3)";
    let by_grant = carries.replace("{role}", "g.role_id");
    let by_rule = carries.replace("{role}", "r.role_id");
    format!(
        "WITH near (scope_id) AS MATERIALIZED (
    SELECT s.id FROM partner_ancestors a CROSS JOIN scopes s WHERE a.partner_id = $1 AND s.partner_id = a.ancestor_id
),
holding (user_id, user_group_id) AS MATERIALIZED (
    SELECT g.user_id, g.user_group_id
    FROM near n CROSS JOIN grants g
    WHERE g.scope_id = n.scope_id AND {by_grant}
),
naming (rule_id) AS MATERIALIZED (
    SELECT r.id FROM near n CROSS JOIN mapping_rules r
    WHERE r.scope_id = n.scope_id AND r.effect = 'grant_role' AND {by_rule}
    UNION
    SELECT r.id FROM holding h CROSS JOIN mapping_rules r
    WHERE r.user_group_id = h.user_group_id
),
naming_set (set_id) AS MATERIALIZED (
    SELECT DISTINCT a.set_id FROM naming n CROSS JOIN rule_criteria a WHERE a.rule_id = n.rule_id AND NOT a.negated
)
SELECT candidate.user_id FROM (
    SELECT h.user_id FROM holding h WHERE h.user_id > $2
    UNION
    SELECT m.user_id FROM holding h CROSS JOIN user_group_members m WHERE m.user_group_id = h.user_group_id AND m.user_id > $2
    UNION
    SELECT p.id FROM holding h CROSS JOIN live_users p WHERE p.primary_group_id = h.user_group_id AND p.id > $2
    UNION
    SELECT e.user_id
    FROM naming_set n CROSS JOIN external_group_ancestors c CROSS JOIN external_group_members m CROSS JOIN external_users e
    WHERE c.ancestor_id = n.set_id AND m.external_group_id = c.external_group_id AND e.id = m.external_user_id AND e.active AND e.user_id > $2
    UNION
    SELECT e.user_id
    FROM naming_set n CROSS JOIN attribute_condition_members k CROSS JOIN external_users e
    WHERE k.condition_id = n.set_id AND e.id = k.external_user_id AND e.active AND e.user_id > $2
) candidate
ORDER BY candidate.user_id LIMIT $4"
    )
}
