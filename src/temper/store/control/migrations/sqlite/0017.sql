-- What was said of a window of predictions, compared with a reference.
CREATE TABLE watched (
    feed TEXT NOT NULL,
    reference TEXT NOT NULL,
    start REAL NOT NULL,
    ends REAL NOT NULL CHECK (ends > start),
    seen TEXT NOT NULL CHECK (seen IN ('pass', 'fail', 'inconclusive', 'no data')),
    document TEXT NOT NULL,
    judged REAL NOT NULL,
    PRIMARY KEY (feed, reference, start, ends)
) STRICT;
CREATE TRIGGER watched_stays BEFORE UPDATE ON watched BEGIN SELECT RAISE(ABORT, 'what was said of a window stays'); END;
