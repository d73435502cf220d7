-- What analysts tried by hand, to the letter, and the technique it stands for.
CREATE TABLE probe (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    system TEXT NOT NULL,
    technique TEXT NOT NULL,
    document TEXT NOT NULL,
    author TEXT NOT NULL REFERENCES person (name),
    made REAL NOT NULL
) STRICT;
CREATE INDEX probe_of_system ON probe (system, id);

-- How bad others find a probe: one word each, never the author's own.
CREATE TABLE rating (
    probe INTEGER NOT NULL REFERENCES probe (id),
    who TEXT NOT NULL REFERENCES person (name),
    severity TEXT NOT NULL CHECK (severity IN ('none', 'minor', 'major', 'critical')),
    reason TEXT NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (probe, who)
) STRICT;

-- What a system is believed to hold to, and whoever has challenged that.
CREATE TABLE assumption (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    system TEXT NOT NULL,
    text TEXT NOT NULL,
    author TEXT NOT NULL REFERENCES person (name),
    made REAL NOT NULL
) STRICT;
CREATE INDEX assumption_of_system ON assumption (system, id);
CREATE TABLE challenge (
    seq INTEGER PRIMARY KEY,
    assumption INTEGER NOT NULL REFERENCES assumption (id),
    who TEXT NOT NULL REFERENCES person (name),
    standing TEXT NOT NULL CHECK (standing IN ('stands', 'fallen')),
    reason TEXT NOT NULL,
    probe INTEGER REFERENCES probe (id),
    at REAL NOT NULL
) STRICT;
CREATE INDEX challenge_of_assumption ON challenge (assumption, seq);

CREATE TRIGGER probe_stays BEFORE UPDATE ON probe BEGIN SELECT RAISE(ABORT, 'a probe stays'); END;
CREATE TRIGGER probe_remains BEFORE DELETE ON probe BEGIN SELECT RAISE(ABORT, 'a probe stays'); END;
CREATE TRIGGER probe_is_new BEFORE INSERT ON probe
WHEN EXISTS (SELECT 1 FROM probe WHERE id = NEW.id OR key = NEW.key)
BEGIN SELECT RAISE(ABORT, 'a probe stays'); END;
CREATE TRIGGER rating_stays BEFORE UPDATE ON rating BEGIN SELECT RAISE(ABORT, 'a rating stays'); END;
CREATE TRIGGER rating_remains BEFORE DELETE ON rating BEGIN SELECT RAISE(ABORT, 'a rating stays'); END;
CREATE TRIGGER rating_is_new BEFORE INSERT ON rating
WHEN EXISTS (SELECT 1 FROM rating WHERE probe = NEW.probe AND who = NEW.who)
OR EXISTS (SELECT 1 FROM probe WHERE id = NEW.probe AND author = NEW.who)
BEGIN SELECT RAISE(ABORT, 'a rating is given once, and not by the author'); END;
CREATE TRIGGER assumption_stays BEFORE UPDATE ON assumption BEGIN SELECT RAISE(ABORT, 'an assumption stays'); END;
CREATE TRIGGER assumption_remains BEFORE DELETE ON assumption BEGIN SELECT RAISE(ABORT, 'an assumption stays'); END;
CREATE TRIGGER assumption_is_new BEFORE INSERT ON assumption
WHEN EXISTS (SELECT 1 FROM assumption WHERE id = NEW.id OR key = NEW.key)
BEGIN SELECT RAISE(ABORT, 'an assumption stays'); END;
CREATE TRIGGER challenge_stays BEFORE UPDATE ON challenge BEGIN SELECT RAISE(ABORT, 'a challenge stays'); END;
CREATE TRIGGER challenge_remains BEFORE DELETE ON challenge BEGIN SELECT RAISE(ABORT, 'a challenge stays'); END;
CREATE TRIGGER challenge_is_new BEFORE INSERT ON challenge
WHEN EXISTS (SELECT 1 FROM challenge WHERE seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'a challenge stays'); END;
