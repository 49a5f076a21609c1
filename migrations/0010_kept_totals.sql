-- How many users and groups a connection has is kept: whoever adds or takes away writes a row of how many, a job adds the
-- rows up. The number is the sum of the rows.

CREATE TABLE external_total (
    -- No reference: it would be checked at every row, and the user or group of the same transaction has one.
    connection UUID NOT NULL,
    what TEXT NOT NULL CHECK (what IN ('users', 'groups')),
    -- One of those who came or left, so that writers do not meet.
    id UUID NOT NULL,
    number BIGINT NOT NULL,
    PRIMARY KEY (connection, what, id)
);
INSERT INTO external_total (connection, what, id, number)
SELECT u.connection, 'users', u.connection, COUNT(*) FROM external_user u GROUP BY u.connection;
INSERT INTO external_total (connection, what, id, number)
SELECT g.connection, 'groups', g.connection, COUNT(*) FROM external_group g WHERE NOT g.gone GROUP BY g.connection;

-- Only of those who have a name to sign in with: as it was, it answered for all living people of a partner, too, and was
-- taken for that.
DROP INDEX person_login;
CREATE UNIQUE INDEX person_login ON person (partner, login_key) WHERE state = 'live' AND login_key IS NOT NULL;

-- The join keys of a directory, where there are any: it answered for all of its users, too, and was taken for that. Those
-- of a directory who wait to be linked.
DROP INDEX external_user_join;
CREATE INDEX external_user_join ON external_user (directory, join_key) WHERE join_key IS NOT NULL;
CREATE INDEX external_user_unlinked ON external_user (directory, id) WHERE person IS NULL;
