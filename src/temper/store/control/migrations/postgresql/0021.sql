-- Where the stream of a feed stands: its state after the last window that went into it.
CREATE TABLE stream (
    feed TEXT NOT NULL,
    reference TEXT NOT NULL,
    width DOUBLE PRECISION NOT NULL,
    options TEXT NOT NULL,
    upto DOUBLE PRECISION NOT NULL,
    state BYTEA NOT NULL,
    PRIMARY KEY (feed, reference, width, options)
);
-- What labels say of a window of predictions: again and again until it is decided, and then it stays.
CREATE TABLE outcome (
    feed TEXT NOT NULL,
    reference TEXT NOT NULL,
    start DOUBLE PRECISION NOT NULL,
    ends DOUBLE PRECISION NOT NULL CHECK (ends > start),
    seen TEXT NOT NULL CHECK (seen IN ('pass', 'fail', 'inconclusive')),
    document TEXT NOT NULL,
    looked DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (feed, reference, start, ends)
);
CREATE TRIGGER outcome_stays BEFORE UPDATE ON outcome FOR EACH ROW WHEN (OLD.seen IN ('pass', 'fail'))
EXECUTE FUNCTION stays();
