-- Cases that only measure reviewers: one that comes again (`origin`), or one planted with a known answer (`truth`) and a
-- score that leans to `lean`. Nothing of them is a label or a client's answer.
CREATE TABLE exercise (
    review INTEGER PRIMARY KEY REFERENCES review (id),
    origin INTEGER UNIQUE REFERENCES review (id),
    truth TEXT CHECK (truth IN ('allow', 'block')),
    lean TEXT CHECK (lean IN ('allow', 'block')),
    author TEXT NOT NULL,
    at REAL NOT NULL,
    CHECK ((origin IS NULL) = (truth IS NOT NULL)),
    CHECK ((truth IS NULL) = (lean IS NULL))
) STRICT;

CREATE TRIGGER exercise_stays BEFORE UPDATE ON exercise BEGIN SELECT RAISE(ABORT, 'an exercise stays'); END;
CREATE TRIGGER exercise_remains BEFORE DELETE ON exercise BEGIN SELECT RAISE(ABORT, 'an exercise stays'); END;
CREATE TRIGGER exercise_is_new BEFORE INSERT ON exercise
WHEN EXISTS (SELECT 1 FROM exercise WHERE review = NEW.review OR origin = NEW.origin)
BEGIN SELECT RAISE(ABORT, 'an exercise stays'); END;
