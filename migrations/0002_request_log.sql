-- Requests of SCIM connections. On SQLite the rows are in a file of their own (log.db, which has this table alone), so that
-- they never wait for the write path nor it for them. A line is written for every request: the table has one index.
CREATE TABLE request_log_entries (
    connection_id UUID NOT NULL,
    at BIGINT NOT NULL,
    id UUID NOT NULL,
    entry TEXT NOT NULL,
    PRIMARY KEY (connection_id, at, id)
);
