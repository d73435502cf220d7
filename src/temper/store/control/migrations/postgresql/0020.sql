-- Up to where incidents follow from the windows of a feed.
CREATE TABLE followed (
    feed TEXT PRIMARY KEY,
    until DOUBLE PRECISION NOT NULL
);
