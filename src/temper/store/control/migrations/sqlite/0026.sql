-- A request for approval says whether each approval has to be signed with a key of whoever gives it.
ALTER TABLE approval ADD COLUMN signed INTEGER NOT NULL DEFAULT 1 CHECK (signed IN (0, 1));

DROP TRIGGER approval_stays;
CREATE TRIGGER approval_stays BEFORE UPDATE ON approval
WHEN (OLD.id, OLD.run, OLD.system, OLD.digest, OLD.model, OLD.verdict, OLD.maker, OLD.author, OLD.reason, OLD.needs,
    OLD.created, OLD.signed)
IS NOT (NEW.id, NEW.run, NEW.system, NEW.digest, NEW.model, NEW.verdict, NEW.maker, NEW.author, NEW.reason, NEW.needs,
    NEW.created, NEW.signed)
OR OLD.state IN ('rejected', 'withdrawn') OR (OLD.state = 'approved' AND NEW.state <> 'withdrawn')
BEGIN SELECT RAISE(ABORT, 'an approval stays'); END;

-- A requirement of a run that somebody asks to be accepted although it is not met, until a day; `rule` is the requirement
-- to the letter, `maker` had the run made, and neither they nor whoever proposed it approves it.
CREATE TABLE waiver (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    system TEXT NOT NULL,
    requirement TEXT NOT NULL,
    rule TEXT NOT NULL,
    run TEXT NOT NULL,
    maker TEXT NOT NULL,
    owner TEXT NOT NULL,
    reason TEXT NOT NULL,
    until TEXT NOT NULL,
    author TEXT NOT NULL REFERENCES person (name),
    created REAL NOT NULL,
    state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'approved', 'rejected', 'ended')),
    judge TEXT REFERENCES person (name),
    note TEXT,
    decided REAL,
    ender TEXT REFERENCES person (name),
    why TEXT,
    ended REAL,
    CHECK ((state = 'open') = (decided IS NULL)),
    CHECK ((state = 'ended') = (ended IS NOT NULL)),
    CHECK (state NOT IN ('approved', 'ended') OR (judge <> author AND judge <> maker))
) STRICT;

CREATE INDEX waiver_of_system ON waiver (system, state);

CREATE TRIGGER waiver_stays BEFORE UPDATE ON waiver
WHEN (OLD.id, OLD.key, OLD.system, OLD.requirement, OLD.rule, OLD.run, OLD.maker, OLD.owner, OLD.reason, OLD.until,
    OLD.author, OLD.created)
IS NOT (NEW.id, NEW.key, NEW.system, NEW.requirement, NEW.rule, NEW.run, NEW.maker, NEW.owner, NEW.reason, NEW.until,
    NEW.author, NEW.created)
OR OLD.state IN ('rejected', 'ended')
OR (OLD.state = 'approved' AND (NEW.state <> 'ended' OR (OLD.judge, OLD.note, OLD.decided) IS NOT (NEW.judge, NEW.note,
    NEW.decided)))
BEGIN SELECT RAISE(ABORT, 'a waiver stays'); END;
CREATE TRIGGER waiver_remains BEFORE DELETE ON waiver BEGIN SELECT RAISE(ABORT, 'a waiver stays'); END;
CREATE TRIGGER waiver_is_new BEFORE INSERT ON waiver
WHEN EXISTS (SELECT 1 FROM waiver WHERE id = NEW.id OR key = NEW.key)
BEGIN SELECT RAISE(ABORT, 'a waiver stays'); END;

-- When somebody last held the evidence against its ledger: asked for by every page that says so.
CREATE INDEX audit_verified ON audit (seq) WHERE action = 'evidence.verify';
