-- A provider that repeats a create after a time-out must find one group, not two: an externalId names one living group of
-- its connection. Where a store has two already, the first keeps it.

UPDATE external_group SET external_id = NULL WHERE NOT gone AND external_id IS NOT NULL AND EXISTS (
    SELECT 1 FROM external_group o WHERE o.connection = external_group.connection AND NOT o.gone
        AND o.external_id = external_group.external_id AND o.id < external_group.id);
DROP INDEX external_group_external_id;
CREATE UNIQUE INDEX external_group_external_id ON external_group (connection, external_id) WHERE NOT gone;
