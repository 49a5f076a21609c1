-- What administrators decided of external users that waited for it: whether one is this person, or not. What is proposed
-- follows from the other tables. A decision goes with the external user it is about.
CREATE TABLE matches (
    external_user UUID NOT NULL REFERENCES external_user (id) ON DELETE CASCADE,
    person UUID NOT NULL REFERENCES person (id),
    state TEXT NOT NULL CHECK (state IN ('confirmed', 'refused')),
    -- None: the operator.
    decided_by UUID REFERENCES person (id),
    decided_at BIGINT NOT NULL,
    PRIMARY KEY (external_user, person)
);
CREATE INDEX matches_person ON matches (person);

-- Those who wait, of one connection.
CREATE INDEX external_user_waiting ON external_user (connection, id) WHERE person IS NULL;
