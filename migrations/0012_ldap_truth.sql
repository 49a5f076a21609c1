-- What waits for approval: removals, and with them people to be switched on or off, attributes that many would lose at
-- once, and whole reads. Takes the place of sync_stage, whose kinds were removals only.
CREATE TABLE sync_held (
    run UUID NOT NULL REFERENCES sync_run (id),
    ordinal BIGINT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    outer_group TEXT,
    title TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (run, ordinal)
);
INSERT INTO sync_held (run, ordinal, kind, subject, outer_group, title, reason)
    SELECT run, ordinal, kind, subject, outer_group, title, reason FROM sync_stage;

-- What runs removed without anybody's approval; a slow leak is seen by adding up those of some hours. The subject is
-- the stable id of a group that a rule names, and empty for all memberships or groups.
CREATE TABLE sync_taken (
    run UUID NOT NULL REFERENCES sync_run (id),
    connection UUID NOT NULL REFERENCES connection (id),
    at BIGINT NOT NULL,
    what TEXT NOT NULL CHECK (what IN ('memberships', 'groups', 'mapped')),
    subject TEXT NOT NULL,
    lost BIGINT NOT NULL,
    PRIMARY KEY (run, what, subject)
);
CREATE INDEX sync_taken_connection ON sync_taken (connection, at);

-- The group that an awaited name was bound to, and when: another one of that name soon after takes the binding back.
ALTER TABLE awaited_group ADD COLUMN bound UUID;
ALTER TABLE awaited_group ADD COLUMN bound_at BIGINT;
CREATE INDEX awaited_group_bound ON awaited_group (bound);

-- Who comes back is found by the source's own key, or by the client's own id.
CREATE INDEX deleted_user_key ON deleted_user (connection, stable_key);
CREATE INDEX deleted_group_key ON deleted_group (connection, stable_key);
CREATE INDEX deleted_group_external_id ON deleted_group (connection, external_id);
