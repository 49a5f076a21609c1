-- What a connection's runs remember of its server: which one it was, so that another one is noticed.
CREATE TABLE sync_state (
    connection UUID PRIMARY KEY REFERENCES connection (id),
    server BYTEA NOT NULL,
    run UUID NOT NULL REFERENCES sync_run (id),
    changed_at BIGINT NOT NULL
);

-- Removals that a run found and did not make: they wait for approval. Stable ids, because a later run
-- finds what they name again by them.
CREATE TABLE sync_stage (
    run UUID NOT NULL REFERENCES sync_run (id),
    ordinal BIGINT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('user', 'group', 'member', 'nested')),
    subject TEXT NOT NULL,
    outer_group TEXT,
    title TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (run, ordinal)
);

-- A first synchronisation asks for every person whether the partner has somebody of that address.
CREATE INDEX person_partner_email ON person (partner, email_key);
