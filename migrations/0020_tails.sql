-- Whether those who waited while a directory was only observed are still to be looked at: it has left that mode.
ALTER TABLE directory ADD COLUMN introducing BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX directory_introducing ON directory (id) WHERE introducing;

-- From when on a person is off: set by a dated end (`end:ID`); of every other suspension none, it holds at once.
ALTER TABLE person_suspension ADD COLUMN from_at BIGINT;

-- Attempts to sign in are counted by their connection.
CREATE INDEX login_attempt_connection ON login_attempt (connection, created_at);
