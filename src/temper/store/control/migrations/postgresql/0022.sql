-- For pages: how columns lay in a window that alarmed, and what became of its predictions as far as is known by now.
CREATE TABLE shape (
    feed TEXT NOT NULL,
    reference TEXT NOT NULL,
    start DOUBLE PRECISION NOT NULL,
    ends DOUBLE PRECISION NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (feed, reference, start, ends)
);
CREATE TABLE outcome (
    feed TEXT NOT NULL,
    labels TEXT NOT NULL,
    reference TEXT NOT NULL,
    start DOUBLE PRECISION NOT NULL,
    ends DOUBLE PRECISION NOT NULL CHECK (ends > start),
    document TEXT NOT NULL,
    looked DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (feed, labels, reference, start, ends)
);
CREATE INDEX watched_newest ON watched (feed, judged);
