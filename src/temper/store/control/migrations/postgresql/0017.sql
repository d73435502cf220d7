-- What was said of a window of predictions, compared with a reference.
CREATE TABLE watched (
    feed TEXT NOT NULL,
    reference TEXT NOT NULL,
    start DOUBLE PRECISION NOT NULL,
    ends DOUBLE PRECISION NOT NULL CHECK (ends > start),
    seen TEXT NOT NULL CHECK (seen IN ('pass', 'fail', 'inconclusive', 'no data')),
    document TEXT NOT NULL,
    judged DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (feed, reference, start, ends)
);
CREATE TRIGGER watched_stays BEFORE UPDATE ON watched FOR EACH ROW EXECUTE FUNCTION stays();
