-- What clients have used of their limits, and what workers hold of them: off the limit until told of, or until it ends.
CREATE TABLE quota (
    client TEXT PRIMARY KEY,
    due REAL NOT NULL,
    day REAL NOT NULL,
    spent INTEGER NOT NULL
) STRICT;

CREATE TABLE share (
    client TEXT NOT NULL REFERENCES quota (client) ON DELETE CASCADE,
    holder TEXT NOT NULL,
    queries INTEGER NOT NULL CHECK (queries > 0),
    day REAL NOT NULL,
    until REAL NOT NULL,
    PRIMARY KEY (client, holder)
) STRICT;

-- What each worker has told last: the same again counts once.
CREATE TABLE trade (
    holder TEXT PRIMARY KEY,
    number INTEGER NOT NULL,
    at REAL NOT NULL
) STRICT;
