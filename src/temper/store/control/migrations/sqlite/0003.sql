-- The key that one replaces, and when each was last used: written every minute or so, and no part of the audit.
ALTER TABLE access_key ADD COLUMN follows TEXT REFERENCES access_key (kid);
CREATE UNIQUE INDEX access_key_follows ON access_key (follows);

CREATE TABLE key_use (
    kid TEXT PRIMARY KEY REFERENCES access_key (kid),
    at REAL NOT NULL
) STRICT;
