-- For pages: how columns lay in a window that alarmed, and what became of its predictions as far as is known by now.
CREATE TABLE shape (
    feed TEXT NOT NULL,
    reference TEXT NOT NULL,
    start REAL NOT NULL,
    ends REAL NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (feed, reference, start, ends)
) STRICT;
CREATE TABLE outcome (
    feed TEXT NOT NULL,
    labels TEXT NOT NULL,
    reference TEXT NOT NULL,
    start REAL NOT NULL,
    ends REAL NOT NULL CHECK (ends > start),
    document TEXT NOT NULL,
    looked REAL NOT NULL,
    PRIMARY KEY (feed, labels, reference, start, ends)
) STRICT;
CREATE INDEX watched_newest ON watched (feed, judged);
