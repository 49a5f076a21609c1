-- Lines of the event log are found by their number, their subject or their partner only once they are sealed: until then
-- the indexes leave them out, so that writing a line costs two entries instead of five, and sealing one takes none away.

DROP INDEX event_seq;
CREATE UNIQUE INDEX event_seq ON event (seq) WHERE seq IS NOT NULL;
DROP INDEX event_subject;
CREATE INDEX event_subject ON event (subject, seq) WHERE seq IS NOT NULL;
DROP INDEX event_partner;
CREATE INDEX event_partner ON event (partner, seq) WHERE seq IS NOT NULL;
