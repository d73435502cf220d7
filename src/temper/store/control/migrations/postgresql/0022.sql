-- For pages: how columns lay in a window that alarmed.
CREATE TABLE shape (
    feed TEXT NOT NULL,
    reference TEXT NOT NULL,
    start DOUBLE PRECISION NOT NULL,
    ends DOUBLE PRECISION NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (feed, reference, start, ends)
);
CREATE INDEX watched_newest ON watched (feed, judged);
