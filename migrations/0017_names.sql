-- What a rule calls the external groups it asks for: a name is bound to the group's id when the rule is saved, and goes
-- on meaning that group whatever becomes of the name. One row a name; a group that was renamed may have several.
CREATE TABLE rule_name (
    rule UUID NOT NULL REFERENCES mapping_rule (id),
    ordinal BIGINT NOT NULL,
    name TEXT NOT NULL,
    external_group UUID NOT NULL,
    PRIMARY KEY (rule, ordinal)
);

-- The token of the first owner's link, sealed, so that every server of the installation shows the same one until it is
-- used.
ALTER TABLE login_link ADD COLUMN sealed BYTEA;
