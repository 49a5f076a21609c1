-- What a session rests on besides its person: the connection that it was opened through, as it was then. The version
-- rises when that connection is paused, is pointed at another provider or gets another join, and when its directory is
-- no longer listened to. A session of an older version stays refused, also when the connection is opened again.
ALTER TABLE connection ADD COLUMN trust_version BIGINT NOT NULL DEFAULT 1;
ALTER TABLE session ADD COLUMN connection_version BIGINT;
