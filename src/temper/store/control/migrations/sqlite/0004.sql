-- What happened, opened by a person or by a gateway; of one source one is open at a time.
CREATE TABLE incident (
    id INTEGER PRIMARY KEY,
    title TEXT NOT NULL,
    severity TEXT NOT NULL CHECK (severity IN ('minor', 'major', 'critical')),
    source TEXT NOT NULL,
    opened REAL NOT NULL,
    author TEXT NOT NULL,
    closed REAL
) STRICT;

CREATE UNIQUE INDEX incident_of_source ON incident (source) WHERE closed IS NULL AND source <> '';

CREATE TABLE incident_entry (
    seq INTEGER PRIMARY KEY,
    incident INTEGER NOT NULL REFERENCES incident (id),
    at REAL NOT NULL,
    who TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('opened', 'signal', 'note', 'severity', 'part', 'playbook', 'closed')),
    text TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;

CREATE INDEX incident_entry_of_incident ON incident_entry (incident, seq);

-- A timeline is added to and never changed; what is closed stays closed.
CREATE TRIGGER incident_entry_stays BEFORE UPDATE ON incident_entry
BEGIN SELECT RAISE(ABORT, 'a timeline stays'); END;

CREATE TRIGGER incident_entry_remains BEFORE DELETE ON incident_entry
BEGIN SELECT RAISE(ABORT, 'a timeline stays'); END;

CREATE TRIGGER incident_entry_is_new BEFORE INSERT ON incident_entry
WHEN EXISTS (SELECT 1 FROM incident_entry WHERE seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'a timeline stays'); END;

CREATE TRIGGER incident_stays BEFORE UPDATE ON incident WHEN OLD.closed IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a closed incident stays closed'); END;

CREATE TRIGGER incident_remains BEFORE DELETE ON incident BEGIN SELECT RAISE(ABORT, 'an incident stays'); END;

CREATE TRIGGER incident_is_new BEFORE INSERT ON incident WHEN EXISTS (SELECT 1 FROM incident WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'an incident stays'); END;
