-- One text for SQLite and PostgreSQL.
-- Ids are UUID (a 16-byte blob in SQLite); times BIGINT microseconds; documents TEXT holding canonical JSON;
-- keys that are compared or ordered by are BYTEA computed in Rust, so that both databases agree.

CREATE TABLE installation (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    epoch UUID NOT NULL,
    catalog TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    -- Something sealed: who cannot open it does not have the keys of this installation.
    key_mark BYTEA
);

-- The catalog, as loaded from its files.

CREATE TABLE level (
    id BIGINT PRIMARY KEY,
    ordinal BIGINT NOT NULL,
    name TEXT NOT NULL,
    title TEXT NOT NULL
);

CREATE TABLE capability (
    id BIGINT PRIMARY KEY,
    name TEXT NOT NULL,
    title TEXT NOT NULL,
    category TEXT NOT NULL,
    risk BIGINT NOT NULL,
    on_suspended BOOLEAN NOT NULL
);
CREATE UNIQUE INDEX capability_name ON capability (name);

-- What a partner of a level may ever have done to it: the level's ceiling.
CREATE TABLE level_capability (
    level BIGINT NOT NULL REFERENCES level (id),
    capability BIGINT NOT NULL REFERENCES capability (id),
    PRIMARY KEY (level, capability)
);

-- The partner tree.

CREATE TABLE partner (
    id UUID PRIMARY KEY,
    parent UUID REFERENCES partner (id),
    external_id TEXT,
    name TEXT NOT NULL,
    sort_key BYTEA NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('company', 'department')),
    level BIGINT NOT NULL REFERENCES level (id),
    state TEXT NOT NULL CHECK (state IN ('live', 'deleted')),
    version BIGINT NOT NULL,
    authority_version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX partner_external_id ON partner (external_id) WHERE state = 'live';
CREATE INDEX partner_children ON partner (parent, sort_key, id);

CREATE VIEW live_partner AS
SELECT id, parent, external_id, name, sort_key, kind, level, version, authority_version, created_at, changed_at
FROM partner
WHERE state = 'live';

-- Every partner with each of its ancestors, itself (depth 0) among them.
CREATE TABLE partner_ancestor (
    partner UUID NOT NULL REFERENCES partner (id),
    ancestor UUID NOT NULL REFERENCES partner (id),
    depth BIGINT NOT NULL,
    PRIMARY KEY (partner, ancestor)
);
CREATE INDEX partner_descendant ON partner_ancestor (ancestor, partner);

CREATE TABLE partner_suspension (
    partner UUID NOT NULL REFERENCES partner (id),
    source TEXT NOT NULL,
    cause TEXT NOT NULL,
    since BIGINT NOT NULL,
    PRIMARY KEY (partner, source)
);

-- User groups and people.

CREATE TABLE user_group (
    id UUID PRIMARY KEY,
    partner UUID NOT NULL REFERENCES partner (id),
    name TEXT NOT NULL,
    name_key BYTEA NOT NULL,
    exclusive BOOLEAN NOT NULL,
    is_default BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX user_group_name ON user_group (partner, name_key);
CREATE UNIQUE INDEX user_group_default ON user_group (partner) WHERE is_default;

-- A user; USER is a reserved word.
CREATE TABLE person (
    id UUID PRIMARY KEY,
    partner UUID NOT NULL REFERENCES partner (id),
    display_name TEXT NOT NULL,
    given_name TEXT,
    family_name TEXT,
    email TEXT,
    email_key BYTEA,
    login_name TEXT,
    login_key BYTEA,
    sort_key BYTEA NOT NULL,
    placement UUID NOT NULL REFERENCES user_group (id),
    placement_pin UUID REFERENCES user_group (id),
    state TEXT NOT NULL CHECK (state IN ('live', 'deleted')),
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX person_login ON person (partner, login_key) WHERE state = 'live';
CREATE INDEX person_list ON person (partner, sort_key, id);
CREATE INDEX person_email ON person (email_key);
CREATE INDEX person_placement ON person (placement, sort_key, id);

CREATE VIEW live_person AS
SELECT id, partner, display_name, given_name, family_name, email, email_key, login_name, login_key, sort_key, placement,
    placement_pin, version, created_at, changed_at
FROM person
WHERE state = 'live';

-- Each source switches off and on again only by its own row.
CREATE TABLE person_suspension (
    person UUID NOT NULL REFERENCES person (id),
    source TEXT NOT NULL,
    cause TEXT NOT NULL,
    since BIGINT NOT NULL,
    PRIMARY KEY (person, source)
);

-- Labels given by an administrator; those given by rules are derived.
CREATE TABLE user_group_member (
    user_group UUID NOT NULL REFERENCES user_group (id),
    person UUID NOT NULL REFERENCES person (id),
    added_by UUID,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (user_group, person)
);
CREATE INDEX user_group_member_person ON user_group_member (person, user_group);

-- Roles, scopes, manual grants.

CREATE TABLE role (
    id UUID PRIMARY KEY,
    partner UUID NOT NULL REFERENCES partner (id),
    name TEXT NOT NULL,
    name_key BYTEA NOT NULL,
    parent UUID REFERENCES role (id),
    catalog_key TEXT,
    slot_rank BIGINT,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX role_name ON role (partner, name_key);

CREATE TABLE role_capability (
    role UUID NOT NULL REFERENCES role (id),
    capability BIGINT NOT NULL REFERENCES capability (id),
    PRIMARY KEY (role, capability)
);

-- Every role with each role above it, itself among them. A capability counts only if all of them have it.
CREATE TABLE role_ancestor (
    role UUID NOT NULL REFERENCES role (id),
    ancestor UUID NOT NULL REFERENCES role (id),
    PRIMARY KEY (role, ancestor)
);
CREATE INDEX role_descendant ON role_ancestor (ancestor, role);

CREATE TABLE scope (
    id UUID PRIMARY KEY,
    reach TEXT NOT NULL CHECK (reach IN ('own', 'partner', 'subtree', 'groups')),
    partner UUID NOT NULL REFERENCES partner (id)
);

CREATE INDEX scope_partner ON scope (partner);

CREATE TABLE scope_group (
    scope UUID NOT NULL REFERENCES scope (id),
    user_group UUID NOT NULL REFERENCES user_group (id),
    PRIMARY KEY (scope, user_group)
);

CREATE TABLE scope_without_partner (
    scope UUID NOT NULL REFERENCES scope (id),
    partner UUID NOT NULL REFERENCES partner (id),
    PRIMARY KEY (scope, partner)
);

CREATE TABLE scope_without_group (
    scope UUID NOT NULL REFERENCES scope (id),
    user_group UUID NOT NULL REFERENCES user_group (id),
    PRIMARY KEY (scope, user_group)
);

CREATE TABLE role_grant (
    id UUID PRIMARY KEY,
    role UUID NOT NULL REFERENCES role (id),
    holder_person UUID REFERENCES person (id),
    holder_group UUID REFERENCES user_group (id),
    scope UUID NOT NULL REFERENCES scope (id),
    valid_from BIGINT,
    valid_until BIGINT,
    suspended_at BIGINT,
    granted_by UUID,
    reason TEXT,
    created_at BIGINT NOT NULL,
    CHECK ((holder_person IS NULL) <> (holder_group IS NULL))
);
CREATE INDEX role_grant_person ON role_grant (holder_person);
CREATE INDEX role_grant_group ON role_grant (holder_group);
CREATE INDEX role_grant_role ON role_grant (role);
CREATE INDEX role_grant_scope ON role_grant (scope);

-- Directories and their doors.

CREATE TABLE directory (
    id UUID PRIMARY KEY,
    partner UUID NOT NULL REFERENCES partner (id),
    name TEXT NOT NULL,
    name_key BYTEA NOT NULL,
    mode TEXT NOT NULL CHECK (mode IN ('observe', 'additive', 'authoritative', 'paused')),
    rule_version BIGINT NOT NULL,
    authority BIGINT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX directory_name ON directory (partner, name_key);

CREATE TABLE directory_ceiling (
    directory UUID NOT NULL REFERENCES directory (id),
    role UUID NOT NULL REFERENCES role (id),
    scope UUID NOT NULL REFERENCES scope (id),
    PRIMARY KEY (directory, role, scope)
);

CREATE TABLE connection (
    id UUID PRIMARY KEY,
    directory UUID NOT NULL REFERENCES directory (id),
    kind TEXT NOT NULL CHECK (kind IN ('scim', 'oidc', 'ldap')),
    slug TEXT NOT NULL,
    profile TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('active', 'paused')),
    config TEXT NOT NULL,
    secret BYTEA,
    join_attribute TEXT,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX connection_slug ON connection (slug);
CREATE INDEX connection_directory ON connection (directory, kind);

CREATE TABLE connection_token (
    id UUID PRIMARY KEY,
    connection UUID NOT NULL REFERENCES connection (id),
    name TEXT NOT NULL,
    prefix TEXT NOT NULL,
    hash BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT,
    last_used_at BIGINT
);
CREATE UNIQUE INDEX connection_token_hash ON connection_token (hash);
CREATE INDEX connection_token_connection ON connection_token (connection, created_at);

-- The accepted external state.

CREATE TABLE external_user (
    id UUID PRIMARY KEY,
    connection UUID NOT NULL REFERENCES connection (id),
    directory UUID NOT NULL REFERENCES directory (id),
    stable_key TEXT NOT NULL,
    join_key BYTEA,
    external_id TEXT,
    user_name TEXT NOT NULL,
    user_name_key BYTEA NOT NULL,
    active BOOLEAN NOT NULL,
    doc TEXT NOT NULL,
    keys TEXT NOT NULL,
    row_hash BYTEA,
    person UUID REFERENCES person (id),
    link TEXT CHECK (link IN ('created', 'joined', 'reviewed')),
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX external_user_stable_key ON external_user (connection, stable_key);
CREATE UNIQUE INDEX external_user_name ON external_user (connection, user_name_key);
CREATE INDEX external_user_list ON external_user (connection, id);
CREATE INDEX external_user_external_id ON external_user (connection, external_id);
CREATE INDEX external_user_join ON external_user (directory, join_key);
CREATE INDEX external_user_person ON external_user (person);

-- The addresses of external users, folded; without the one that is the user name.
CREATE TABLE external_email (
    connection UUID NOT NULL REFERENCES connection (id),
    address_key BYTEA NOT NULL,
    member UUID NOT NULL REFERENCES external_user (id),
    PRIMARY KEY (connection, address_key, member)
);
CREATE INDEX external_email_member ON external_email (member);

-- Whom a join key names in a directory: the first door to say it decides. The row outlives the external user, so that
-- a lasting key finds the same person again; a name or address, which may be given to somebody else, is forgotten.
CREATE TABLE identity (
    directory UUID NOT NULL REFERENCES directory (id),
    join_key BYTEA NOT NULL,
    person UUID NOT NULL REFERENCES person (id),
    lasting BOOLEAN NOT NULL,
    since BIGINT NOT NULL,
    PRIMARY KEY (directory, join_key)
);
CREATE INDEX identity_person ON identity (person);

CREATE TABLE external_group (
    id UUID PRIMARY KEY,
    connection UUID NOT NULL REFERENCES connection (id),
    directory UUID NOT NULL REFERENCES directory (id),
    stable_key TEXT NOT NULL,
    external_id TEXT,
    display_name TEXT NOT NULL,
    display_key BYTEA NOT NULL,
    doc TEXT NOT NULL,
    keys TEXT NOT NULL,
    row_hash BYTEA,
    gone BOOLEAN NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX external_group_stable_key ON external_group (connection, stable_key);
CREATE INDEX external_group_list ON external_group (connection, id);
CREATE INDEX external_group_name ON external_group (connection, display_key);
CREATE INDEX external_group_external_id ON external_group (connection, external_id);

-- Direct members: people.
CREATE TABLE external_member (
    grp UUID NOT NULL REFERENCES external_group (id),
    member UUID NOT NULL REFERENCES external_user (id),
    PRIMARY KEY (grp, member)
);
CREATE INDEX external_member_member ON external_member (member, grp);

-- Direct members: groups.
CREATE TABLE external_subgroup (
    grp UUID NOT NULL REFERENCES external_group (id),
    child UUID NOT NULL REFERENCES external_group (id),
    PRIMARY KEY (grp, child)
);
CREATE INDEX external_subgroup_child ON external_subgroup (child, grp);

-- Every group with each group nested in it, itself among them. Kept when external_subgroup changes.
CREATE TABLE group_closure (
    ancestor UUID NOT NULL REFERENCES external_group (id),
    descendant UUID NOT NULL REFERENCES external_group (id),
    PRIMARY KEY (ancestor, descendant)
);
CREATE INDEX group_closure_up ON group_closure (descendant, ancestor);

-- Attribute conditions and for whom they hold; kept by whoever writes the external user.
CREATE TABLE condition (
    id UUID PRIMARY KEY,
    directory UUID NOT NULL REFERENCES directory (id),
    expression TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX condition_directory ON condition (directory);

CREATE TABLE condition_member (
    condition UUID NOT NULL REFERENCES condition (id),
    external_user UUID NOT NULL REFERENCES external_user (id),
    PRIMARY KEY (condition, external_user)
);
CREATE INDEX condition_member_user ON condition_member (external_user, condition);

-- Mapping rules, by rule-set version.

CREATE TABLE mapping_rule (
    id UUID PRIMARY KEY,
    directory UUID NOT NULL REFERENCES directory (id),
    rule_version BIGINT NOT NULL,
    ordinal BIGINT NOT NULL,
    name TEXT NOT NULL,
    effect TEXT NOT NULL CHECK (effect IN ('place', 'join', 'grant')),
    user_group UUID REFERENCES user_group (id),
    role UUID REFERENCES role (id),
    scope UUID REFERENCES scope (id),
    -- Whom it matches, as its author wrote it; the atoms below are what counts.
    when_text TEXT NOT NULL DEFAULT '',
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX mapping_rule_order ON mapping_rule (directory, rule_version, ordinal);
CREATE INDEX mapping_rule_scope ON mapping_rule (scope);
CREATE INDEX mapping_rule_group ON mapping_rule (user_group);

CREATE TABLE rule_term (
    rule UUID NOT NULL REFERENCES mapping_rule (id),
    term BIGINT NOT NULL,
    positives BIGINT NOT NULL,
    PRIMARY KEY (rule, term)
);

-- An atom names an external group or a condition by id, without a foreign key: a rule outlives the group it
-- names and is then shown with its source gone.
CREATE TABLE rule_atom (
    rule UUID NOT NULL REFERENCES mapping_rule (id),
    term BIGINT NOT NULL,
    people UUID NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('group', 'condition')),
    negated BOOLEAN NOT NULL,
    PRIMARY KEY (rule, term, people)
);
CREATE INDEX rule_atom_people ON rule_atom (people, rule);

-- A group that a rule names and the directory has not said yet: the first group of that name takes this id.
CREATE TABLE awaited_group (
    directory UUID NOT NULL REFERENCES directory (id),
    name_key BYTEA NOT NULL,
    id UUID NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (directory, name_key)
);
CREATE UNIQUE INDEX awaited_group_id ON awaited_group (id);

-- Signing in.

CREATE TABLE login_link (
    hash BYTEA PRIMARY KEY,
    person UUID NOT NULL REFERENCES person (id),
    purpose TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT
);

CREATE TABLE login_attempt (
    id UUID PRIMARY KEY,
    connection UUID NOT NULL REFERENCES connection (id),
    browser_hash BYTEA NOT NULL,
    state_hash BYTEA NOT NULL,
    nonce TEXT NOT NULL,
    verifier BYTEA NOT NULL,
    return_to TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX login_attempt_expiry ON login_attempt (expires_at);

CREATE TABLE session (
    id UUID PRIMARY KEY,
    hash BYTEA NOT NULL,
    person UUID NOT NULL REFERENCES person (id),
    connection UUID REFERENCES connection (id),
    person_version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX session_hash ON session (hash);
CREATE INDEX session_person ON session (person);

-- Bearer tokens of the API; one acts with the authority of its person.
CREATE TABLE api_token (
    id UUID PRIMARY KEY,
    person UUID NOT NULL REFERENCES person (id),
    name TEXT NOT NULL,
    prefix TEXT NOT NULL,
    hash BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT,
    last_used_at BIGINT
);
CREATE UNIQUE INDEX api_token_hash ON api_token (hash);

-- The event log. Rows are written unsealed; one sealer numbers and chains them, readers see sealed ones.

CREATE TABLE event (
    id UUID PRIMARY KEY,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    partner UUID NOT NULL,
    subject UUID,
    actor TEXT NOT NULL,
    data TEXT NOT NULL,
    seq BIGINT,
    hash BYTEA
);
CREATE UNIQUE INDEX event_seq ON event (seq);
CREATE INDEX event_unsealed ON event (id) WHERE seq IS NULL;
CREATE INDEX event_subject ON event (subject, seq);
CREATE INDEX event_partner ON event (partner, seq);

-- Who may do a job that only one process does at a time; the fence rises with each new holder.
CREATE TABLE lease (
    name TEXT PRIMARY KEY,
    holder UUID NOT NULL,
    fence BIGINT NOT NULL,
    until_at BIGINT NOT NULL
);

-- LDAP synchronisation.

CREATE TABLE sync_run (
    id UUID PRIMARY KEY,
    connection UUID NOT NULL REFERENCES connection (id),
    dry BOOLEAN NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('running', 'done', 'held', 'failed')),
    started_at BIGINT NOT NULL,
    finished_at BIGINT,
    report TEXT NOT NULL
);
CREATE INDEX sync_run_connection ON sync_run (connection, started_at);
