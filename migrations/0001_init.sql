-- One text for SQLite and PostgreSQL.
-- Ids are UUID (a 16-byte blob in SQLite); times BIGINT microseconds; documents TEXT holding canonical JSON;
-- keys that are compared or ordered by are BYTEA computed in Rust, so that both databases agree.

CREATE TABLE installation (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    epoch UUID NOT NULL,
    catalog TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    -- A sealed value: a server that cannot open it does not have the keys of this installation.
    key_check BYTEA
);

-- The catalog, as loaded from its files.

CREATE TABLE levels (
    id BIGINT PRIMARY KEY,
    ordinal BIGINT NOT NULL,
    name TEXT NOT NULL,
    title TEXT NOT NULL
);

CREATE TABLE capabilities (
    id BIGINT PRIMARY KEY,
    name TEXT NOT NULL,
    title TEXT NOT NULL,
    category TEXT NOT NULL,
    risk BIGINT NOT NULL,
    on_suspended BOOLEAN NOT NULL
);
CREATE UNIQUE INDEX capabilities_name ON capabilities (name);

-- The capabilities that may be used on a partner of a level.
CREATE TABLE level_capabilities (
    level_id BIGINT NOT NULL REFERENCES levels (id),
    capability_id BIGINT NOT NULL REFERENCES capabilities (id),
    PRIMARY KEY (level_id, capability_id)
);

-- The partner tree.

CREATE TABLE partners (
    id UUID PRIMARY KEY,
    parent_id UUID REFERENCES partners (id),
    external_id TEXT,
    name TEXT NOT NULL,
    sort_key BYTEA NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('company', 'department')),
    level_id BIGINT NOT NULL REFERENCES levels (id),
    state TEXT NOT NULL CHECK (state IN ('live', 'deleted')),
    version BIGINT NOT NULL,
    authority_version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    -- Sessions of users of this partner or of one below that began at this time or earlier have ended for good.
    sessions_after BIGINT
);
CREATE UNIQUE INDEX partners_external_id ON partners (parent_id, external_id) WHERE state = 'live';
CREATE INDEX partners_children ON partners (parent_id, sort_key, id);
CREATE INDEX partners_external_key ON partners (external_id);

CREATE VIEW live_partners AS
SELECT id, parent_id, external_id, name, sort_key, kind, level_id, version, authority_version, created_at, updated_at,
    sessions_after
FROM partners
WHERE state = 'live';

-- Every partner with each of its ancestors, itself (depth 0) among them.
CREATE TABLE partner_ancestors (
    partner_id UUID NOT NULL REFERENCES partners (id),
    ancestor_id UUID NOT NULL REFERENCES partners (id),
    depth BIGINT NOT NULL,
    PRIMARY KEY (partner_id, ancestor_id)
);
CREATE INDEX partner_ancestors_descendant ON partner_ancestors (ancestor_id, partner_id);

CREATE TABLE partner_suspensions (
    partner_id UUID NOT NULL REFERENCES partners (id),
    source TEXT NOT NULL,
    reason TEXT NOT NULL,
    suspended_at BIGINT NOT NULL,
    -- `source` is the kind of the suspension and the partner in whose name it was decided (`partner:ID`, `billing:ID`,
    -- `security:ID`), or the connection. `notice` is shown to users of this partner and of those below.
    notice TEXT,
    set_by UUID,
    PRIMARY KEY (partner_id, source)
);

-- User groups and users.

CREATE TABLE user_groups (
    id UUID PRIMARY KEY,
    partner_id UUID NOT NULL REFERENCES partners (id),
    name TEXT NOT NULL,
    name_key BYTEA NOT NULL,
    is_primary BOOLEAN NOT NULL,
    is_default BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX user_groups_name ON user_groups (partner_id, name_key);
CREATE UNIQUE INDEX user_groups_default ON user_groups (partner_id) WHERE is_default;

-- A user. The plural is used everywhere, because USER is a reserved word.
CREATE TABLE users (
    id UUID PRIMARY KEY,
    partner_id UUID NOT NULL REFERENCES partners (id),
    display_name TEXT NOT NULL,
    given_name TEXT,
    family_name TEXT,
    email TEXT,
    email_key BYTEA,
    login_name TEXT,
    login_key BYTEA,
    sort_key BYTEA NOT NULL,
    primary_group_id UUID NOT NULL REFERENCES user_groups (id),
    pinned_group_id UUID REFERENCES user_groups (id),
    state TEXT NOT NULL CHECK (state IN ('live', 'deleted')),
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    -- NULL for a user whom a directory made and no administrator has confirmed: what the user gets without an act of an
    -- administrator is limited to the ceiling of the directory. A user made here is confirmed.
    confirmed_at BIGINT,
    confirmed_by UUID
);
CREATE UNIQUE INDEX users_login_name ON users (partner_id, login_key) WHERE state = 'live' AND login_key IS NOT NULL;
CREATE INDEX users_list ON users (partner_id, sort_key, id);
CREATE INDEX users_email ON users (email_key);
CREATE INDEX users_primary_group ON users (primary_group_id, sort_key, id);

-- A first synchronisation looks for a user with the mail address of each entry.
CREATE INDEX users_partner_email ON users (partner_id, email_key);

CREATE VIEW live_users AS
SELECT id, partner_id, display_name, given_name, family_name, email, email_key, login_name, login_key, sort_key, primary_group_id,
    pinned_group_id, version, created_at, updated_at, confirmed_at, confirmed_by
FROM users
WHERE state = 'live';

-- Each source suspends and reactivates with a row of its own.
CREATE TABLE user_suspensions (
    user_id UUID NOT NULL REFERENCES users (id),
    source TEXT NOT NULL,
    reason TEXT NOT NULL,
    suspended_at BIGINT NOT NULL,
    notice TEXT,
    set_by UUID,
    -- When the suspension begins. Only a dated end (`end:ID`) has one; every other suspension holds at once.
    from_at BIGINT,
    PRIMARY KEY (user_id, source)
);

-- Members of additional groups that an administrator added; those of rules are derived.
CREATE TABLE user_group_members (
    user_group_id UUID NOT NULL REFERENCES user_groups (id),
    user_id UUID NOT NULL REFERENCES users (id),
    added_by UUID,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (user_group_id, user_id)
);
CREATE INDEX user_group_members_user ON user_group_members (user_id, user_group_id);

-- Roles, scopes, manual grants.

CREATE TABLE roles (
    id UUID PRIMARY KEY,
    partner_id UUID NOT NULL REFERENCES partners (id),
    name TEXT NOT NULL,
    name_key BYTEA NOT NULL,
    parent_id UUID REFERENCES roles (id),
    catalog_key TEXT,
    slot_rank BIGINT,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX roles_name ON roles (partner_id, name_key);

CREATE TABLE role_capabilities (
    role_id UUID NOT NULL REFERENCES roles (id),
    capability_id BIGINT NOT NULL REFERENCES capabilities (id),
    PRIMARY KEY (role_id, capability_id)
);

-- Every role with each role above it and with itself. A capability counts only if all of them have it.
CREATE TABLE role_ancestors (
    role_id UUID NOT NULL REFERENCES roles (id),
    ancestor_id UUID NOT NULL REFERENCES roles (id),
    PRIMARY KEY (role_id, ancestor_id)
);
CREATE INDEX role_ancestors_descendant ON role_ancestors (ancestor_id, role_id);

CREATE TABLE scopes (
    id UUID PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('self', 'partner', 'subtree', 'user_groups')),
    partner_id UUID NOT NULL REFERENCES partners (id)
);
CREATE INDEX scopes_partner ON scopes (partner_id);

CREATE TABLE scope_user_groups (
    scope_id UUID NOT NULL REFERENCES scopes (id),
    user_group_id UUID NOT NULL REFERENCES user_groups (id),
    PRIMARY KEY (scope_id, user_group_id)
);

CREATE TABLE scope_excluded_partners (
    scope_id UUID NOT NULL REFERENCES scopes (id),
    partner_id UUID NOT NULL REFERENCES partners (id),
    PRIMARY KEY (scope_id, partner_id)
);

CREATE TABLE scope_excluded_user_groups (
    scope_id UUID NOT NULL REFERENCES scopes (id),
    user_group_id UUID NOT NULL REFERENCES user_groups (id),
    PRIMARY KEY (scope_id, user_group_id)
);

CREATE TABLE grants (
    id UUID PRIMARY KEY,
    role_id UUID NOT NULL REFERENCES roles (id),
    user_id UUID REFERENCES users (id),
    user_group_id UUID REFERENCES user_groups (id),
    scope_id UUID NOT NULL REFERENCES scopes (id),
    valid_from BIGINT,
    valid_until BIGINT,
    suspended_at BIGINT,
    granted_by UUID,
    reason TEXT,
    created_at BIGINT NOT NULL,
    CHECK ((user_id IS NULL) <> (user_group_id IS NULL))
);
CREATE INDEX grants_user ON grants (user_id);
CREATE INDEX grants_group ON grants (user_group_id);
CREATE INDEX grants_role ON grants (role_id);
CREATE INDEX grants_scope ON grants (scope_id);

-- Directories and their connections.

CREATE TABLE directories (
    id UUID PRIMARY KEY,
    partner_id UUID NOT NULL REFERENCES partners (id),
    name TEXT NOT NULL,
    name_key BYTEA NOT NULL,
    mode TEXT NOT NULL CHECK (mode IN ('observe', 'additive', 'authoritative', 'paused')),
    rule_set_version BIGINT NOT NULL,
    priority BIGINT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    -- TRUE when the directory has left the mode `observe` and external users of that time are still to be linked.
    introducing BOOLEAN NOT NULL DEFAULT FALSE
);
CREATE UNIQUE INDEX directories_name ON directories (partner_id, name_key);
CREATE INDEX directories_introducing ON directories (id) WHERE introducing;

CREATE TABLE directory_ceilings (
    directory_id UUID NOT NULL REFERENCES directories (id),
    role_id UUID NOT NULL REFERENCES roles (id),
    scope_id UUID NOT NULL REFERENCES scopes (id),
    PRIMARY KEY (directory_id, role_id, scope_id)
);

CREATE TABLE connections (
    id UUID PRIMARY KEY,
    directory_id UUID NOT NULL REFERENCES directories (id),
    kind TEXT NOT NULL CHECK (kind IN ('scim', 'oidc', 'ldap')),
    slug TEXT NOT NULL,
    profile TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('active', 'paused')),
    settings TEXT NOT NULL,
    secret BYTEA,
    matching_attribute TEXT,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    -- Rises when the connection is paused, gets another provider or another matching attribute, and when its directory is
    -- paused. A session keeps the version at its start and is refused for good when the connection has a later one.
    trust_version BIGINT NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX connections_slug ON connections (slug);
CREATE INDEX connections_directory ON connections (directory_id, kind);

CREATE TABLE oauth_clients (
    id UUID PRIMARY KEY,
    connection_id UUID NOT NULL REFERENCES connections (id),
    name TEXT NOT NULL,
    prefix TEXT,
    secret_hash BYTEA,
    jwks TEXT,
    jwks_uri TEXT,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT,
    last_used_at BIGINT,
    CHECK ((CASE WHEN secret_hash IS NULL THEN 0 ELSE 1 END) + (CASE WHEN jwks IS NULL THEN 0 ELSE 1 END)
        + (CASE WHEN jwks_uri IS NULL THEN 0 ELSE 1 END) = 1)
);
CREATE INDEX oauth_clients_connection ON oauth_clients (connection_id, created_at);

CREATE TABLE connection_tokens (
    id UUID PRIMARY KEY,
    connection_id UUID NOT NULL REFERENCES connections (id),
    name TEXT NOT NULL,
    prefix TEXT NOT NULL,
    hash BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT,
    last_used_at BIGINT,
    -- The client that got the token at the token endpoint; NULL for a token that an administrator made.
    oauth_client_id UUID REFERENCES oauth_clients (id)
);
CREATE UNIQUE INDEX connection_tokens_hash ON connection_tokens (hash);
CREATE INDEX connection_tokens_connection ON connection_tokens (connection_id, created_at);
CREATE INDEX connection_tokens_oauth_client ON connection_tokens (oauth_client_id, expires_at) WHERE oauth_client_id IS NOT NULL;

-- The accepted external state.

CREATE TABLE external_users (
    id UUID PRIMARY KEY,
    connection_id UUID NOT NULL REFERENCES connections (id),
    directory_id UUID NOT NULL REFERENCES directories (id),
    stable_id TEXT NOT NULL,
    match_key BYTEA,
    external_id TEXT,
    user_name TEXT NOT NULL,
    user_name_key BYTEA NOT NULL,
    active BOOLEAN NOT NULL,
    document TEXT NOT NULL,
    search_keys TEXT NOT NULL,
    content_hash BYTEA,
    user_id UUID REFERENCES users (id),
    link_origin TEXT CHECK (link_origin IN ('created', 'joined', 'reviewed')),
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX external_users_stable_id ON external_users (connection_id, stable_id);
CREATE UNIQUE INDEX external_users_name ON external_users (connection_id, user_name_key);
CREATE INDEX external_users_list ON external_users (connection_id, id);
CREATE INDEX external_users_external_id ON external_users (connection_id, external_id);
CREATE INDEX external_users_match_key ON external_users (directory_id, match_key) WHERE match_key IS NOT NULL;
CREATE INDEX external_users_user ON external_users (user_id);
CREATE INDEX external_users_unlinked ON external_users (directory_id, id) WHERE user_id IS NULL;

-- Users of one connection that are not linked.
CREATE INDEX external_users_waiting ON external_users (connection_id, id) WHERE user_id IS NULL;

-- The mail addresses of external users, folded, except an address that is the user name.
CREATE TABLE external_user_emails (
    connection_id UUID NOT NULL REFERENCES connections (id),
    email_key BYTEA NOT NULL,
    external_user_id UUID NOT NULL REFERENCES external_users (id),
    PRIMARY KEY (connection_id, email_key, external_user_id)
);
CREATE INDEX external_user_emails_user ON external_user_emails (external_user_id);

-- The user that a match key names in a directory; the first connection that reports the key decides. The row outlives the
-- external user, so that an immutable key finds the same user again. A name or address can be given to another user and is
-- deleted with the external user.
CREATE TABLE match_keys (
    directory_id UUID NOT NULL REFERENCES directories (id),
    match_key BYTEA NOT NULL,
    user_id UUID NOT NULL REFERENCES users (id),
    is_immutable BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (directory_id, match_key)
);
CREATE INDEX match_keys_user ON match_keys (user_id);

CREATE TABLE external_groups (
    id UUID PRIMARY KEY,
    connection_id UUID NOT NULL REFERENCES connections (id),
    directory_id UUID NOT NULL REFERENCES directories (id),
    stable_id TEXT NOT NULL,
    external_id TEXT,
    display_name TEXT NOT NULL,
    display_name_key BYTEA NOT NULL,
    document TEXT NOT NULL,
    search_keys TEXT NOT NULL,
    content_hash BYTEA,
    is_removed BOOLEAN NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX external_groups_stable_id ON external_groups (connection_id, stable_id);
CREATE INDEX external_groups_list ON external_groups (connection_id, id);
CREATE INDEX external_groups_name ON external_groups (connection_id, display_name_key);
CREATE UNIQUE INDEX external_groups_external_id ON external_groups (connection_id, external_id) WHERE NOT is_removed;

-- Direct members that are users.
CREATE TABLE external_group_members (
    external_group_id UUID NOT NULL REFERENCES external_groups (id),
    external_user_id UUID NOT NULL REFERENCES external_users (id),
    PRIMARY KEY (external_group_id, external_user_id)
);
CREATE INDEX external_group_members_user ON external_group_members (external_user_id, external_group_id);

-- Direct members that are groups.
CREATE TABLE external_subgroups (
    parent_id UUID NOT NULL REFERENCES external_groups (id),
    child_id UUID NOT NULL REFERENCES external_groups (id),
    PRIMARY KEY (parent_id, child_id)
);
CREATE INDEX external_subgroups_child ON external_subgroups (child_id, parent_id);

-- Every group with each group nested in it and with itself. Written when external_subgroups changes.
CREATE TABLE external_group_ancestors (
    ancestor_id UUID NOT NULL REFERENCES external_groups (id),
    external_group_id UUID NOT NULL REFERENCES external_groups (id),
    PRIMARY KEY (ancestor_id, external_group_id)
);
CREATE INDEX external_group_ancestors_up ON external_group_ancestors (external_group_id, ancestor_id);

-- Attribute conditions, and the external users for whom they hold. Written with the external user.
CREATE TABLE attribute_conditions (
    id UUID PRIMARY KEY,
    directory_id UUID NOT NULL REFERENCES directories (id),
    expression TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX attribute_conditions_directory ON attribute_conditions (directory_id);

CREATE TABLE attribute_condition_members (
    condition_id UUID NOT NULL REFERENCES attribute_conditions (id),
    external_user_id UUID NOT NULL REFERENCES external_users (id),
    PRIMARY KEY (condition_id, external_user_id)
);
CREATE INDEX attribute_condition_members_user ON attribute_condition_members (external_user_id, condition_id);

-- Mapping rules, by rule-set version.

CREATE TABLE mapping_rules (
    id UUID PRIMARY KEY,
    directory_id UUID NOT NULL REFERENCES directories (id),
    rule_set_version BIGINT NOT NULL,
    ordinal BIGINT NOT NULL,
    name TEXT NOT NULL,
    effect TEXT NOT NULL CHECK (effect IN ('set_primary_group', 'add_to_group', 'grant_role')),
    user_group_id UUID REFERENCES user_groups (id),
    role_id UUID REFERENCES roles (id),
    scope_id UUID REFERENCES scopes (id),
    -- The filter as its author wrote it. The criteria are what counts.
    when_text TEXT NOT NULL DEFAULT '',
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX mapping_rules_order ON mapping_rules (directory_id, rule_set_version, ordinal);
CREATE INDEX mapping_rules_scope ON mapping_rules (scope_id);
CREATE INDEX mapping_rules_group ON mapping_rules (user_group_id);

CREATE TABLE rule_terms (
    rule_id UUID NOT NULL REFERENCES mapping_rules (id),
    term BIGINT NOT NULL,
    positive_count BIGINT NOT NULL,
    PRIMARY KEY (rule_id, term)
);

-- A criterion names an external group or an attribute condition by id, without a foreign key: a rule outlives the group
-- that it names, and is then shown as a rule without its group.
CREATE TABLE rule_criteria (
    rule_id UUID NOT NULL REFERENCES mapping_rules (id),
    term BIGINT NOT NULL,
    set_id UUID NOT NULL,
    set_kind TEXT NOT NULL CHECK (set_kind IN ('group', 'condition')),
    negated BOOLEAN NOT NULL,
    PRIMARY KEY (rule_id, term, set_id)
);
CREATE INDEX rule_criteria_set ON rule_criteria (set_id, rule_id);

-- A group that a rule names and the directory does not have yet. The first group of that name takes this id.
CREATE TABLE reserved_external_groups (
    directory_id UUID NOT NULL REFERENCES directories (id),
    name_key BYTEA NOT NULL,
    id UUID NOT NULL,
    name TEXT NOT NULL,
    -- The group that the name was bound to, and when. A second group of that name within a day takes the binding back.
    bound UUID,
    bound_at BIGINT,
    PRIMARY KEY (directory_id, name_key)
);
CREATE UNIQUE INDEX reserved_external_groups_id ON reserved_external_groups (id);
CREATE INDEX reserved_external_groups_bound ON reserved_external_groups (bound);

-- Signing in.

CREATE TABLE one_time_links (
    hash BYTEA PRIMARY KEY,
    user_id UUID NOT NULL REFERENCES users (id),
    purpose TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT,
    -- The sealed token of the first owner's link: every server of the installation shows the same link until it is used.
    sealed BYTEA
);

CREATE TABLE login_attempts (
    id UUID PRIMARY KEY,
    connection_id UUID NOT NULL REFERENCES connections (id),
    browser_hash BYTEA NOT NULL,
    state_hash BYTEA NOT NULL,
    nonce TEXT NOT NULL,
    pkce_verifier BYTEA NOT NULL,
    return_to TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX login_attempts_expiry ON login_attempts (expires_at);

-- Attempts to sign in are counted by connection.
CREATE INDEX login_attempts_connection ON login_attempts (connection_id, created_at);

CREATE TABLE sessions (
    id UUID PRIMARY KEY,
    hash BYTEA NOT NULL,
    user_id UUID NOT NULL REFERENCES users (id),
    connection_id UUID REFERENCES connections (id),
    user_version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    connection_version BIGINT,
    -- The partner of the user, who never moves to another: the preview of suspending a partner reads its sessions and tokens
    -- instead of all of its users.
    partner_id UUID
);
CREATE UNIQUE INDEX sessions_hash ON sessions (hash);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_partner ON sessions (partner_id, expires_at);

-- Bearer tokens of the API. A token acts with the rights of its user.
CREATE TABLE api_tokens (
    id UUID PRIMARY KEY,
    user_id UUID NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    prefix TEXT NOT NULL,
    hash BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT,
    last_used_at BIGINT,
    partner_id UUID
);
CREATE UNIQUE INDEX api_tokens_hash ON api_tokens (hash);

-- Tokens are counted by user.
CREATE INDEX api_tokens_user ON api_tokens (user_id, created_at);
CREATE INDEX api_tokens_partner ON api_tokens (partner_id) WHERE revoked_at IS NULL;

-- The event log. Rows are written unsealed. One sealer numbers and chains them; readers see only sealed rows.

CREATE TABLE events (
    id UUID PRIMARY KEY,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    partner_id UUID NOT NULL,
    subject UUID,
    actor TEXT NOT NULL,
    data TEXT NOT NULL,
    seq BIGINT,
    hash BYTEA
);
CREATE UNIQUE INDEX events_seq ON events (seq) WHERE seq IS NOT NULL;
CREATE INDEX events_unsealed ON events (id) WHERE seq IS NULL;
CREATE INDEX events_subject ON events (subject, seq) WHERE seq IS NOT NULL;
CREATE INDEX events_partner ON events (partner_id, seq) WHERE seq IS NOT NULL;

-- The process that may do a job which only one process does at a time. The fencing token rises with each new holder.
CREATE TABLE leases (
    name TEXT PRIMARY KEY,
    holder UUID NOT NULL,
    fencing_token BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

-- LDAP synchronisation.

CREATE TABLE sync_runs (
    id UUID PRIMARY KEY,
    connection_id UUID NOT NULL REFERENCES connections (id),
    dry_run BOOLEAN NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('running', 'done', 'held', 'failed')),
    started_at BIGINT NOT NULL,
    finished_at BIGINT,
    report TEXT NOT NULL
);
CREATE INDEX sync_runs_connection ON sync_runs (connection_id, started_at);

-- The fingerprint of the server that the last runs of a connection read, so that another server is noticed.
CREATE TABLE sync_states (
    connection_id UUID PRIMARY KEY REFERENCES connections (id),
    server_fingerprint BYTEA NOT NULL,
    sync_run_id UUID NOT NULL REFERENCES sync_runs (id),
    updated_at BIGINT NOT NULL
);

CREATE TABLE oauth_assertions (
    oauth_client_id UUID NOT NULL REFERENCES oauth_clients (id),
    jti BYTEA NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (oauth_client_id, jti)
);

CREATE TABLE removal_alerts (
    id UUID PRIMARY KEY,
    connection_id UUID NOT NULL REFERENCES connections (id),
    -- The first and the last removal, and what was removed between them.
    first_removal_at BIGINT NOT NULL,
    last_removal_at BIGINT NOT NULL,
    user_count BIGINT NOT NULL,
    users_deactivated BIGINT NOT NULL,
    users_deleted BIGINT NOT NULL,
    memberships_removed BIGINT NOT NULL,
    groups_deleted BIGINT NOT NULL,
    raised_at BIGINT NOT NULL,
    dismissed_at BIGINT,
    dismissed_by UUID
);
CREATE INDEX removal_alerts_connection ON removal_alerts (connection_id, first_removal_at);
CREATE INDEX removal_alerts_last_removal ON removal_alerts (last_removal_at);

-- The event up to which the log has been searched for unusual removals.
CREATE TABLE removal_alert_cursor (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    seq BIGINT NOT NULL,
    at BIGINT NOT NULL
);

-- Deleted external users and groups with their last content, kept for `retention.deleted_days`.
CREATE TABLE deleted_external_users (
    id UUID PRIMARY KEY,
    connection_id UUID NOT NULL REFERENCES connections (id),
    directory_id UUID NOT NULL REFERENCES directories (id),
    stable_id TEXT NOT NULL,
    match_key BYTEA,
    external_id TEXT,
    user_name TEXT NOT NULL,
    user_name_key BYTEA NOT NULL,
    active BOOLEAN NOT NULL,
    document TEXT NOT NULL,
    search_keys TEXT NOT NULL,
    content_hash BYTEA,
    user_id UUID REFERENCES users (id),
    link_origin TEXT,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    deleted_at BIGINT NOT NULL
);
CREATE INDEX deleted_external_users_age ON deleted_external_users (deleted_at);
CREATE INDEX deleted_external_users_name ON deleted_external_users (connection_id, user_name_key);
CREATE INDEX deleted_external_users_user ON deleted_external_users (user_id);

-- A user or group that returns is found by its stable id, or by the client's own id.
CREATE INDEX deleted_external_users_stable_id ON deleted_external_users (connection_id, stable_id);

CREATE TABLE deleted_external_groups (
    id UUID PRIMARY KEY,
    connection_id UUID NOT NULL REFERENCES connections (id),
    directory_id UUID NOT NULL REFERENCES directories (id),
    stable_id TEXT NOT NULL,
    external_id TEXT,
    display_name TEXT NOT NULL,
    display_name_key BYTEA NOT NULL,
    document TEXT NOT NULL,
    search_keys TEXT NOT NULL,
    content_hash BYTEA,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    deleted_at BIGINT NOT NULL
);
CREATE INDEX deleted_external_groups_age ON deleted_external_groups (deleted_at);
CREATE INDEX deleted_external_groups_name ON deleted_external_groups (connection_id, display_name_key);
CREATE INDEX deleted_external_groups_stable_id ON deleted_external_groups (connection_id, stable_id);
CREATE INDEX deleted_external_groups_external_id ON deleted_external_groups (connection_id, external_id);

-- Numbers of users, groups and members, kept as rows that add up: each change writes a row of its own, so that writers do
-- not wait for each other, and a job adds the rows up.
CREATE TABLE kept_totals (
    -- The connection, partner or user group. Without a reference, which would be checked at every row.
    owner_id UUID NOT NULL,
    -- A default group has the users of its partner in addition: new users are placed there, and only moves are written.
    kind TEXT NOT NULL CHECK (kind IN ('external_users', 'external_groups', 'users', 'members')),
    -- A user or group that came or left; two writers never write the same one.
    id UUID NOT NULL,
    number BIGINT NOT NULL,
    PRIMARY KEY (owner_id, kind, id)
);

-- Changes that wait for approval: removals, users to be suspended or reactivated, attributes that many users would lose at
-- once, and whole reads.
CREATE TABLE pending_changes (
    sync_run_id UUID NOT NULL REFERENCES sync_runs (id),
    ordinal BIGINT NOT NULL,
    kind TEXT NOT NULL,
    stable_id TEXT NOT NULL,
    group_stable_id TEXT,
    name TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (sync_run_id, ordinal)
);

-- What runs removed without approval. The safeguard adds up the rows of some hours, so that many small removals count
-- together. The subject is the stable id of a group that a rule names; it is empty for all memberships or groups.
CREATE TABLE sync_removals (
    sync_run_id UUID NOT NULL REFERENCES sync_runs (id),
    connection_id UUID NOT NULL REFERENCES connections (id),
    at BIGINT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('memberships', 'groups', 'mapped')),
    subject TEXT NOT NULL,
    lost BIGINT NOT NULL,
    PRIMARY KEY (sync_run_id, kind, subject)
);
CREATE INDEX sync_removals_connection ON sync_removals (connection_id, at);

-- Decisions of administrators whether an external user is this user. Proposed matches follow from the other tables and are
-- not stored. A decision is deleted with its external user.
CREATE TABLE matches (
    external_user_id UUID NOT NULL REFERENCES external_users (id) ON DELETE CASCADE,
    user_id UUID NOT NULL REFERENCES users (id),
    state TEXT NOT NULL CHECK (state IN ('confirmed', 'refused')),
    -- NULL: the operator.
    decided_by UUID REFERENCES users (id),
    decided_at BIGINT NOT NULL,
    PRIMARY KEY (external_user_id, user_id)
);
CREATE INDEX matches_user ON matches (user_id);

-- The names by which a rule names external groups. A name is bound to the id of a group when the rule is saved, and keeps
-- meaning that group when the group is renamed. A renamed group can have several rows.
CREATE TABLE rule_group_names (
    rule_id UUID NOT NULL REFERENCES mapping_rules (id),
    ordinal BIGINT NOT NULL,
    name TEXT NOT NULL,
    external_group_id UUID NOT NULL,
    PRIMARY KEY (rule_id, ordinal)
);
