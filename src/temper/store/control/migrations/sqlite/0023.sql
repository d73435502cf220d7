-- What gateways of a feed answered in each minute, and what is promised of it.
CREATE TABLE served (
    feed TEXT NOT NULL,
    start REAL NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (feed, start)
) STRICT;
CREATE TABLE promised (
    feed TEXT PRIMARY KEY,
    document TEXT NOT NULL
) STRICT;
