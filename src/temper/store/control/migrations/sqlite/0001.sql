CREATE TABLE person (
    name TEXT PRIMARY KEY,
    role INTEGER NOT NULL CHECK (role BETWEEN 0 AND 3),
    secret TEXT NOT NULL,
    disabled INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
    created REAL NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0,
    waits REAL NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE session (
    token TEXT PRIMARY KEY,
    person TEXT NOT NULL REFERENCES person (name),
    opened REAL NOT NULL,
    seen REAL NOT NULL
) STRICT;

CREATE TABLE access_key (
    kid TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    team TEXT NOT NULL,
    scopes TEXT NOT NULL,
    digest TEXT NOT NULL,
    created REAL NOT NULL,
    expires REAL,
    revoked REAL
) STRICT;

-- What changes is counted, so that a worker learns by one small read whether to load it again.
CREATE TABLE setting (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE record (
    seq INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    author TEXT NOT NULL,
    reason TEXT NOT NULL,
    at REAL NOT NULL
) STRICT;

CREATE INDEX record_of_kind ON record (kind, seq);

-- `due` is infinite where nothing is due; `lease` 0 where nobody holds the case.
CREATE TABLE review (
    id INTEGER PRIMARY KEY,
    request TEXT NOT NULL UNIQUE,
    payload TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'claimed', 'second', 'escalated', 'closed', 'expired')),
    priority INTEGER NOT NULL,
    due REAL NOT NULL,
    eyes INTEGER NOT NULL CHECK (eyes IN (1, 2)),
    round INTEGER NOT NULL DEFAULT 1 CHECK (round BETWEEN 1 AND 3),
    level INTEGER NOT NULL DEFAULT 1,
    owner TEXT REFERENCES person (name),
    lease REAL NOT NULL DEFAULT 0,
    version INTEGER NOT NULL DEFAULT 1,
    created REAL NOT NULL,
    outcome TEXT CHECK (outcome IN ('allow', 'block')),
    closed REAL,
    CHECK ((outcome IS NULL) = (state NOT IN ('closed', 'expired')))
) STRICT;

CREATE INDEX review_waiting ON review (priority DESC, due, id) WHERE state NOT IN ('closed', 'expired');
CREATE INDEX review_of_state ON review (state, id);

CREATE TABLE decision (
    seq INTEGER PRIMARY KEY,
    review INTEGER NOT NULL REFERENCES review (id),
    round INTEGER NOT NULL,
    reviewer TEXT NOT NULL REFERENCES person (name),
    verdict TEXT NOT NULL CHECK (verdict IN ('allow', 'block')),
    reason TEXT NOT NULL,
    token TEXT NOT NULL UNIQUE,
    at REAL NOT NULL,
    UNIQUE (review, reviewer),
    UNIQUE (review, round)
) STRICT;

CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    who TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL,
    previous TEXT NOT NULL,
    digest TEXT NOT NULL UNIQUE
) STRICT;

-- Decisions, records and the audit are added to and never changed.
CREATE TRIGGER decision_stays BEFORE UPDATE ON decision BEGIN SELECT RAISE(ABORT, 'a decision stays'); END;
CREATE TRIGGER decision_remains BEFORE DELETE ON decision BEGIN SELECT RAISE(ABORT, 'a decision stays'); END;
CREATE TRIGGER record_stays BEFORE UPDATE ON record BEGIN SELECT RAISE(ABORT, 'a record stays'); END;
CREATE TRIGGER record_remains BEFORE DELETE ON record BEGIN SELECT RAISE(ABORT, 'a record stays'); END;
CREATE TRIGGER audit_stays BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit stays'); END;
CREATE TRIGGER audit_remains BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit stays'); END;

-- INSERT OR REPLACE deletes without firing the triggers above.
CREATE TRIGGER decision_is_new BEFORE INSERT ON decision
WHEN EXISTS (
    SELECT 1 FROM decision WHERE seq = NEW.seq OR token = NEW.token
    OR (review = NEW.review AND (reviewer = NEW.reviewer OR round = NEW.round))
)
BEGIN SELECT RAISE(ABORT, 'a decision stays'); END;

CREATE TRIGGER record_is_new BEFORE INSERT ON record WHEN EXISTS (SELECT 1 FROM record WHERE seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'a record stays'); END;

CREATE TRIGGER audit_is_new BEFORE INSERT ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE seq = NEW.seq OR digest = NEW.digest)
BEGIN SELECT RAISE(ABORT, 'the audit stays'); END;

-- What is closed stays closed.
CREATE TRIGGER review_stays BEFORE UPDATE ON review WHEN OLD.state IN ('closed', 'expired')
BEGIN SELECT RAISE(ABORT, 'a closed case stays closed'); END;

CREATE TRIGGER review_remains BEFORE DELETE ON review BEGIN SELECT RAISE(ABORT, 'a case stays'); END;
