-- What clients have used of their limits, and what workers hold of them: off the limit until told of, or until it ends.
CREATE TABLE quota (
    client TEXT PRIMARY KEY,
    due DOUBLE PRECISION NOT NULL,
    day DOUBLE PRECISION NOT NULL,
    spent BIGINT NOT NULL
);

CREATE TABLE share (
    client TEXT NOT NULL REFERENCES quota (client) ON DELETE CASCADE,
    holder TEXT NOT NULL,
    queries BIGINT NOT NULL CHECK (queries > 0),
    day DOUBLE PRECISION NOT NULL,
    until DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (client, holder)
);

-- What each worker has told last: the same again counts once.
CREATE TABLE trade (
    holder TEXT PRIMARY KEY,
    number BIGINT NOT NULL,
    at DOUBLE PRECISION NOT NULL
);
