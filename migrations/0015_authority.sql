-- Who says so, and how far that goes.

-- Whom only a directory says to exist rests on it: what comes to them without a human act about them is clipped to its
-- ceiling, until somebody confirms them. Whoever was made here, or whom no directory ever made, is confirmed.
ALTER TABLE person ADD COLUMN confirmed_at BIGINT;
ALTER TABLE person ADD COLUMN confirmed_by UUID;
UPDATE person SET confirmed_at = created_at
WHERE NOT EXISTS (SELECT 1 FROM external_user e WHERE e.person = person.id AND e.link = 'created')
    AND NOT EXISTS (SELECT 1 FROM deleted_user d WHERE d.person = person.id AND d.link = 'created')
    AND NOT EXISTS (SELECT 1 FROM identity i WHERE i.person = person.id);

DROP VIEW live_person;
CREATE VIEW live_person AS
SELECT id, partner, display_name, given_name, family_name, email, email_key, login_name, login_key, sort_key, placement,
    placement_pin, version, created_at, changed_at, confirmed_at, confirmed_by
FROM person
WHERE state = 'live';

-- `source` names the kind of a suspension and the partner in whose name it was decided (`partner:ID`, `billing:ID`,
-- `security:ID`), or the connection; `admin` is of before names were kept. `notice` is what those below are told.
ALTER TABLE partner_suspension ADD COLUMN notice TEXT;
ALTER TABLE partner_suspension ADD COLUMN set_by UUID;
ALTER TABLE person_suspension ADD COLUMN notice TEXT;
ALTER TABLE person_suspension ADD COLUMN set_by UUID;

-- Sessions of people at home here or below that began by then have ended for good.
ALTER TABLE partner ADD COLUMN sessions_after BIGINT;
DROP VIEW live_partner;
CREATE VIEW live_partner AS
SELECT id, parent, external_id, name, sort_key, kind, level, version, authority_version, created_at, changed_at,
    sessions_after
FROM partner
WHERE state = 'live';

-- A partner's own key is unique among those directly below one parent: who may make partners in one place takes no key
-- away from another, and learns nothing of it.
DROP INDEX partner_external_id;
CREATE UNIQUE INDEX partner_external_id ON partner (parent, external_id) WHERE state = 'live';
CREATE INDEX partner_key ON partner (external_id);

-- Tokens are counted by whose they are.
CREATE INDEX api_token_person ON api_token (person, created_at);
