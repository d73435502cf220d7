-- Every worker of a gateway holds a lease on its name. `installation` is that of the folder with its ledger, `token` that
-- of the process; `until` 0 where it left in peace.
CREATE TABLE worker (
    name TEXT PRIMARY KEY,
    installation TEXT NOT NULL,
    token TEXT NOT NULL,
    until REAL NOT NULL
) STRICT;
