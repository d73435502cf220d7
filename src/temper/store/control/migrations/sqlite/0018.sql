-- Alerts of monitoring, what of them is on its way to whom, and what nobody is told of for a while.
CREATE TABLE alert (
    id TEXT PRIMARY KEY,
    feed TEXT NOT NULL,
    key TEXT NOT NULL,
    starts REAL NOT NULL,
    ends REAL,
    document TEXT NOT NULL,
    known REAL NOT NULL,
    taken REAL,
    taker TEXT,
    escalated REAL,
    CHECK ((taken IS NULL) = (taker IS NULL))
) STRICT;
CREATE UNIQUE INDEX alert_lasts ON alert (key) WHERE ends IS NULL;
CREATE INDEX alert_of_feed ON alert (feed, starts);
CREATE TABLE delivery (
    seq INTEGER PRIMARY KEY,
    alert TEXT NOT NULL REFERENCES alert,
    receiver TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('begins', 'worse', 'over')),
    document TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due REAL NOT NULL,
    sent REAL,
    fault TEXT NOT NULL DEFAULT '',
    UNIQUE (alert, receiver, state)
) STRICT;
CREATE INDEX delivery_waits ON delivery (receiver, seq) WHERE sent IS NULL;
CREATE TABLE silence (
    seq INTEGER PRIMARY KEY,
    label TEXT NOT NULL CHECK (label IN ('key', 'feed', 'rule', 'column')),
    value TEXT NOT NULL,
    until REAL NOT NULL,
    who TEXT NOT NULL,
    why TEXT NOT NULL,
    at REAL NOT NULL
) STRICT;
CREATE TABLE alerted (
    feed TEXT PRIMARY KEY,
    until REAL NOT NULL
) STRICT;
