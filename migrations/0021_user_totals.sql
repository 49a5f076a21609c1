-- How many users a partner has, and how many members a user group, is kept as the numbers of a connection are: whoever
-- makes, moves, adds or takes away writes a row of how many, a job adds the rows up. The number is the sum of the rows.

CREATE TABLE user_total (
    -- The partner or the user group. No reference: it would be checked at every row, and the user has one.
    owner UUID NOT NULL,
    -- A default group has the users of its partner besides: whoever is made is placed there, and only moves are written.
    what TEXT NOT NULL CHECK (what IN ('users', 'members')),
    -- One of those who came or left, so that writers do not meet.
    id UUID NOT NULL,
    number BIGINT NOT NULL,
    PRIMARY KEY (owner, what, id)
);
INSERT INTO user_total (owner, what, id, number)
SELECT p.partner, 'users', p.partner, COUNT(*) FROM live_person p GROUP BY p.partner;
INSERT INTO user_total (owner, what, id, number)
SELECT p.placement, 'members', p.placement, COUNT(*)
FROM live_person p JOIN user_group g ON g.id = p.placement WHERE NOT g.is_default GROUP BY p.placement;
INSERT INTO user_total (owner, what, id, number)
SELECT g.id, 'members', g.id, -COUNT(*)
FROM user_group g JOIN live_person p ON p.partner = g.partner AND p.placement <> g.id WHERE g.is_default GROUP BY g.id;
INSERT INTO user_total (owner, what, id, number)
SELECT m.user_group, 'members', m.user_group, COUNT(*) FROM user_group_member m
JOIN user_group g ON g.id = m.user_group WHERE NOT g.exclusive GROUP BY m.user_group;

-- Whose sessions and API tokens these are by partner, too: who would be stopped with a partner is found among those who are
-- signed in, and not among all who are at home there. A user does not move between partners.
ALTER TABLE session ADD COLUMN partner UUID;
UPDATE session SET partner = (SELECT p.partner FROM person p WHERE p.id = session.person);
CREATE INDEX session_partner ON session (partner, expires_at);
ALTER TABLE api_token ADD COLUMN partner UUID;
UPDATE api_token SET partner = (SELECT p.partner FROM person p WHERE p.id = api_token.person);
CREATE INDEX api_token_partner ON api_token (partner) WHERE revoked_at IS NULL;
