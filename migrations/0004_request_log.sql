-- Requests of SCIM connections, as the console shows them. On SQLite the rows are in a file of their own (log.db, made
-- from this same text), so that they never wait for the write path nor it for them.

CREATE TABLE request_log (
    id UUID PRIMARY KEY,
    connection UUID NOT NULL,
    at BIGINT NOT NULL,
    status BIGINT NOT NULL,
    search TEXT NOT NULL,
    entry TEXT NOT NULL
);
CREATE INDEX request_log_connection ON request_log (connection, at, id);
CREATE INDEX request_log_at ON request_log (at);
