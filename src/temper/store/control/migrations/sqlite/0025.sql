-- The public keys of people: what they sign is known by them. A key that has ended still verifies what it signed before.
CREATE TABLE signer (
    key TEXT PRIMARY KEY,
    person TEXT NOT NULL REFERENCES person (name),
    added REAL NOT NULL,
    ended REAL
) STRICT;

-- A run that somebody puts up for approval; `maker` had it made, and neither of the two may approve it.
CREATE TABLE approval (
    id INTEGER PRIMARY KEY,
    run TEXT NOT NULL,
    system TEXT NOT NULL,
    digest TEXT NOT NULL,
    model TEXT NOT NULL,
    verdict TEXT NOT NULL,
    maker TEXT NOT NULL,
    author TEXT NOT NULL REFERENCES person (name),
    reason TEXT NOT NULL,
    needs INTEGER NOT NULL CHECK (needs > 0),
    created REAL NOT NULL,
    state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'approved', 'rejected', 'withdrawn')),
    version INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX approval_of_model ON approval (model, state);

-- What people decided about it, each once; `envelope` is what they signed, with their signature.
CREATE TABLE approval_vote (
    seq INTEGER PRIMARY KEY,
    approval INTEGER NOT NULL REFERENCES approval (id),
    person TEXT NOT NULL REFERENCES person (name),
    maker TEXT NOT NULL,
    author TEXT NOT NULL,
    decision TEXT NOT NULL CHECK (decision IN ('approve', 'reject', 'withdraw')),
    reason TEXT NOT NULL,
    envelope TEXT NOT NULL,
    at REAL NOT NULL,
    UNIQUE (approval, person, decision),
    CHECK (decision <> 'approve' OR (person <> maker AND person <> author AND envelope <> ''))
) STRICT;

CREATE TRIGGER approval_stays BEFORE UPDATE ON approval
WHEN (OLD.id, OLD.run, OLD.system, OLD.digest, OLD.model, OLD.verdict, OLD.maker, OLD.author, OLD.reason, OLD.needs,
    OLD.created) IS NOT (NEW.id, NEW.run, NEW.system, NEW.digest, NEW.model, NEW.verdict, NEW.maker, NEW.author,
    NEW.reason, NEW.needs, NEW.created)
OR OLD.state IN ('rejected', 'withdrawn') OR (OLD.state = 'approved' AND NEW.state <> 'withdrawn')
BEGIN SELECT RAISE(ABORT, 'an approval stays'); END;
CREATE TRIGGER approval_remains BEFORE DELETE ON approval BEGIN SELECT RAISE(ABORT, 'an approval stays'); END;
CREATE TRIGGER approval_is_new BEFORE INSERT ON approval WHEN EXISTS (SELECT 1 FROM approval WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'an approval stays'); END;
CREATE TRIGGER approval_vote_stays BEFORE UPDATE ON approval_vote BEGIN SELECT RAISE(ABORT, 'a vote stays'); END;
CREATE TRIGGER approval_vote_remains BEFORE DELETE ON approval_vote BEGIN SELECT RAISE(ABORT, 'a vote stays'); END;
CREATE TRIGGER approval_vote_is_new BEFORE INSERT ON approval_vote
WHEN EXISTS (SELECT 1 FROM approval_vote WHERE seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'a vote stays'); END;
