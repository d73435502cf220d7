-- What workers have answered to requests with an id, for the others, for some minutes.
CREATE TABLE answered (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    holder TEXT NOT NULL,
    client TEXT NOT NULL,
    request TEXT NOT NULL,
    digest TEXT NOT NULL,
    at REAL NOT NULL,
    answer TEXT NOT NULL,
    UNIQUE (client, request)
) STRICT;

CREATE INDEX answered_at ON answered (at);
