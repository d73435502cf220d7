-- Where the stream of a feed stands: its state after the last window that went into it.
CREATE TABLE stream (
    feed TEXT NOT NULL,
    reference TEXT NOT NULL,
    width REAL NOT NULL,
    options TEXT NOT NULL,
    upto REAL NOT NULL,
    state BLOB NOT NULL,
    PRIMARY KEY (feed, reference, width, options)
) STRICT;
-- What labels say of a window of predictions: again and again until it is decided, and then it stays.
CREATE TABLE outcome (
    feed TEXT NOT NULL,
    reference TEXT NOT NULL,
    start REAL NOT NULL,
    ends REAL NOT NULL CHECK (ends > start),
    seen TEXT NOT NULL CHECK (seen IN ('pass', 'fail', 'inconclusive')),
    document TEXT NOT NULL,
    looked REAL NOT NULL,
    PRIMARY KEY (feed, reference, start, ends)
) STRICT;
CREATE TRIGGER outcome_stays BEFORE UPDATE ON outcome WHEN OLD.seen IN ('pass', 'fail')
BEGIN SELECT RAISE(ABORT, 'what labels decided stays'); END;
