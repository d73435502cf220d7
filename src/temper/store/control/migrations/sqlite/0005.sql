-- Drills as they run: what happened when, and how many were answered by whom in each short time.
CREATE TABLE drill (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    fault TEXT NOT NULL,
    author TEXT NOT NULL,
    started REAL NOT NULL,
    seconds REAL NOT NULL,
    rate REAL NOT NULL,
    width REAL NOT NULL,
    ended REAL,
    held INTEGER CHECK (held IN (0, 1)),
    figures TEXT NOT NULL DEFAULT '{}',
    CHECK ((ended IS NULL) = (held IS NULL))
) STRICT;

CREATE TABLE drill_turn (
    drill INTEGER NOT NULL REFERENCES drill (id),
    turn TEXT NOT NULL CHECK (turn IN ('fault', 'other', 'open', 'back', 'closed', 'full')),
    at REAL NOT NULL,
    PRIMARY KEY (drill, turn)
) STRICT;

CREATE TABLE drill_slot (
    drill INTEGER NOT NULL REFERENCES drill (id),
    slot INTEGER NOT NULL,
    answered INTEGER NOT NULL,
    other INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    PRIMARY KEY (drill, slot)
) STRICT;

-- What a drill showed stays as it was.
CREATE TRIGGER drill_stays BEFORE UPDATE ON drill WHEN OLD.ended IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a drill that has ended stays'); END;
CREATE TRIGGER drill_remains BEFORE DELETE ON drill BEGIN SELECT RAISE(ABORT, 'a drill stays'); END;
CREATE TRIGGER drill_turn_stays BEFORE UPDATE ON drill_turn BEGIN SELECT RAISE(ABORT, 'a drill stays'); END;
CREATE TRIGGER drill_turn_remains BEFORE DELETE ON drill_turn BEGIN SELECT RAISE(ABORT, 'a drill stays'); END;
CREATE TRIGGER drill_slot_stays BEFORE UPDATE ON drill_slot BEGIN SELECT RAISE(ABORT, 'a drill stays'); END;
CREATE TRIGGER drill_slot_remains BEFORE DELETE ON drill_slot BEGIN SELECT RAISE(ABORT, 'a drill stays'); END;
