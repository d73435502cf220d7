-- What leaves the store as a label: one row for each case of a client that people closed, in the transaction that closed
-- it. Writers hold the store's one lock, so a reader that has seen a number has seen all before it.
CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY,
    review INTEGER NOT NULL UNIQUE REFERENCES review (id)
) STRICT;

INSERT INTO outbox (seq, review)
SELECT row_number() OVER (ORDER BY closed, id), id FROM review
WHERE state = 'closed' AND id NOT IN (SELECT review FROM exercise);

CREATE TRIGGER review_leaves AFTER UPDATE OF state ON review
WHEN NEW.state = 'closed' AND OLD.state <> 'closed' AND NEW.id NOT IN (SELECT review FROM exercise)
BEGIN INSERT INTO outbox (seq, review) VALUES ((SELECT coalesce(max(seq), 0) + 1 FROM outbox), NEW.id); END;

CREATE TRIGGER outbox_stays BEFORE UPDATE ON outbox BEGIN SELECT RAISE(ABORT, 'the outbox stays'); END;
CREATE TRIGGER outbox_remains BEFORE DELETE ON outbox BEGIN SELECT RAISE(ABORT, 'the outbox stays'); END;
CREATE TRIGGER outbox_is_new BEFORE INSERT ON outbox
WHEN EXISTS (SELECT 1 FROM outbox WHERE seq = NEW.seq OR review = NEW.review)
BEGIN SELECT RAISE(ABORT, 'the outbox stays'); END;

-- How far each receiver has got.
CREATE TABLE receiver (
    name TEXT PRIMARY KEY,
    seq INTEGER NOT NULL,
    at REAL NOT NULL
) STRICT;
