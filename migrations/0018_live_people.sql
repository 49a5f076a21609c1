-- Of living people alone: a partner's are counted without looking at any of them, so that a list of partners does not take
-- the longer the more people they have, up to being given up.
DROP INDEX person_list;
CREATE INDEX person_list ON person (partner, sort_key, id) WHERE state = 'live';
