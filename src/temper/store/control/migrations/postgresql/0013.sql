-- What leaves the store as a label: one row for each case of a client that people closed, in the transaction that closed
-- it. Writers hold the store's one lock, so a reader that has seen a number has seen all before it.
CREATE TABLE outbox (
    seq BIGINT PRIMARY KEY,
    review BIGINT NOT NULL UNIQUE REFERENCES review (id)
);

INSERT INTO outbox (seq, review)
SELECT row_number() OVER (ORDER BY closed, id), id FROM review
WHERE state = 'closed' AND id NOT IN (SELECT review FROM exercise);

CREATE FUNCTION leaves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO outbox (seq, review)
    SELECT (SELECT coalesce(max(seq), 0) + 1 FROM outbox), NEW.id
    WHERE NEW.id NOT IN (SELECT review FROM exercise);
    RETURN NULL;
END $$;

CREATE TRIGGER review_leaves AFTER UPDATE OF state ON review FOR EACH ROW
WHEN (NEW.state = 'closed' AND OLD.state <> 'closed') EXECUTE FUNCTION leaves();

CREATE TRIGGER outbox_stays BEFORE UPDATE OR DELETE ON outbox FOR EACH ROW EXECUTE FUNCTION stays();
CREATE TRIGGER outbox_remains BEFORE TRUNCATE ON outbox FOR EACH STATEMENT EXECUTE FUNCTION stays();

-- How far each receiver has got.
CREATE TABLE receiver (
    name TEXT PRIMARY KEY,
    seq BIGINT NOT NULL,
    at DOUBLE PRECISION NOT NULL
);
