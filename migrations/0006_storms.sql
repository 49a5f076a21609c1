-- Storms: one connection takes away much in a short time; and what is kept so that it can be given back.

CREATE TABLE storm (
    id UUID PRIMARY KEY,
    connection UUID NOT NULL REFERENCES connection (id),
    -- The first and the last removal, and how much was taken between them.
    since BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    people BIGINT NOT NULL,
    deactivated BIGINT NOT NULL,
    deleted BIGINT NOT NULL,
    memberships BIGINT NOT NULL,
    groups_deleted BIGINT NOT NULL,
    raised_at BIGINT NOT NULL,
    dismissed_at BIGINT,
    dismissed_by UUID
);
CREATE INDEX storm_connection ON storm (connection, since);
CREATE INDEX storm_last ON storm (last_at);

-- How far the event log has been watched for storms.
CREATE TABLE storm_watch (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    seq BIGINT NOT NULL,
    at BIGINT NOT NULL
);

-- Deleted external users and groups as they were, kept for as long as the configuration says.
CREATE TABLE deleted_user (
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
    link TEXT,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    deleted_at BIGINT NOT NULL
);
CREATE INDEX deleted_user_age ON deleted_user (deleted_at);
CREATE INDEX deleted_user_name ON deleted_user (connection, user_name_key);
CREATE INDEX deleted_user_person ON deleted_user (person);

CREATE TABLE deleted_group (
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
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    deleted_at BIGINT NOT NULL
);
CREATE INDEX deleted_group_age ON deleted_group (deleted_at);
CREATE INDEX deleted_group_name ON deleted_group (connection, display_key);
