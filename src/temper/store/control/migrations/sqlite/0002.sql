-- A policy that somebody proposes and somebody else approves; `base` is the record of the policy that held before it.
CREATE TABLE policy (
    id INTEGER PRIMARY KEY,
    value TEXT NOT NULL,
    before TEXT NOT NULL,
    base INTEGER NOT NULL,
    digest TEXT NOT NULL,
    author TEXT NOT NULL REFERENCES person (name),
    reason TEXT NOT NULL,
    created REAL NOT NULL,
    state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'approved', 'rejected', 'retired')),
    judge TEXT REFERENCES person (name),
    note TEXT,
    decided REAL,
    record INTEGER,
    CHECK ((state = 'open') = (judge IS NULL)),
    CHECK ((state IN ('approved', 'retired')) = (record IS NOT NULL)),
    CHECK (record IS NULL OR judge <> author)
) STRICT;

CREATE INDEX policy_of_state ON policy (state, record);

-- What was proposed stays as it was, and so does what became of it, but that an approved policy can be retired.
CREATE TRIGGER policy_stays BEFORE UPDATE ON policy
WHEN (OLD.id, OLD.value, OLD.before, OLD.base, OLD.digest, OLD.author, OLD.reason, OLD.created)
    IS NOT (NEW.id, NEW.value, NEW.before, NEW.base, NEW.digest, NEW.author, NEW.reason, NEW.created)
OR NOT (OLD.state = 'open' OR (
    OLD.state = 'approved' AND NEW.state = 'retired'
    AND (OLD.judge, OLD.note, OLD.decided, OLD.record) IS (NEW.judge, NEW.note, NEW.decided, NEW.record)
))
BEGIN SELECT RAISE(ABORT, 'a policy stays'); END;

CREATE TRIGGER policy_remains BEFORE DELETE ON policy BEGIN SELECT RAISE(ABORT, 'a policy stays'); END;

CREATE TRIGGER policy_is_new BEFORE INSERT ON policy WHEN EXISTS (SELECT 1 FROM policy WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'a policy stays'); END;
