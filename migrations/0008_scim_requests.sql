-- The log of requests, with the one index it is read by: a line is written for every request, so each index it does not
-- have counts. What was said so far is kept. `request_log` goes two versions on.

CREATE TABLE scim_request (
    connection UUID NOT NULL,
    at BIGINT NOT NULL,
    id UUID NOT NULL,
    entry TEXT NOT NULL,
    PRIMARY KEY (connection, at, id)
);
INSERT INTO scim_request (connection, at, id, entry) SELECT connection, at, id, entry FROM request_log;
