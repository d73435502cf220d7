-- Drills as they run: what happened when, and how many were answered by whom in each short time.
CREATE TABLE drill (
    id BIGINT PRIMARY KEY,
    name TEXT NOT NULL,
    fault TEXT NOT NULL,
    author TEXT NOT NULL,
    started DOUBLE PRECISION NOT NULL,
    seconds DOUBLE PRECISION NOT NULL,
    rate DOUBLE PRECISION NOT NULL,
    width DOUBLE PRECISION NOT NULL,
    ended DOUBLE PRECISION,
    held INTEGER CHECK (held IN (0, 1)),
    figures TEXT NOT NULL DEFAULT '{}',
    CHECK ((ended IS NULL) = (held IS NULL))
);

CREATE TABLE drill_turn (
    drill BIGINT NOT NULL REFERENCES drill (id),
    turn TEXT NOT NULL CHECK (turn IN ('fault', 'other', 'open', 'back', 'closed', 'full')),
    at DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (drill, turn)
);

CREATE TABLE drill_slot (
    drill BIGINT NOT NULL REFERENCES drill (id),
    slot INTEGER NOT NULL,
    answered INTEGER NOT NULL,
    other INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    PRIMARY KEY (drill, slot)
);

-- What a drill showed stays as it was.
CREATE TRIGGER drill_stays BEFORE UPDATE ON drill FOR EACH ROW WHEN (OLD.ended IS NOT NULL) EXECUTE FUNCTION stays();
CREATE TRIGGER drill_remains BEFORE DELETE ON drill FOR EACH ROW EXECUTE FUNCTION stays();
CREATE TRIGGER drill_turn_stays BEFORE UPDATE OR DELETE ON drill_turn FOR EACH ROW EXECUTE FUNCTION stays();
CREATE TRIGGER drill_slot_stays BEFORE UPDATE OR DELETE ON drill_slot FOR EACH ROW EXECUTE FUNCTION stays();
