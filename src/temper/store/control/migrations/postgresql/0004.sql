-- What happened, opened by a person or by a gateway; of one source one is open at a time.
CREATE TABLE incident (
    id BIGINT PRIMARY KEY,
    title TEXT NOT NULL,
    severity TEXT NOT NULL CHECK (severity IN ('minor', 'major', 'critical')),
    source TEXT NOT NULL,
    opened DOUBLE PRECISION NOT NULL,
    author TEXT NOT NULL,
    closed DOUBLE PRECISION
);

CREATE UNIQUE INDEX incident_of_source ON incident (source) WHERE closed IS NULL AND source <> '';

CREATE TABLE incident_entry (
    seq BIGINT PRIMARY KEY,
    incident BIGINT NOT NULL REFERENCES incident (id),
    at DOUBLE PRECISION NOT NULL,
    who TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('opened', 'signal', 'note', 'severity', 'part', 'playbook', 'closed')),
    text TEXT NOT NULL,
    detail TEXT NOT NULL
);

CREATE INDEX incident_entry_of_incident ON incident_entry (incident, seq);

-- A timeline is added to and never changed; what is closed stays closed.
CREATE TRIGGER incident_entry_stays BEFORE UPDATE OR DELETE ON incident_entry
FOR EACH ROW EXECUTE FUNCTION stays();
CREATE TRIGGER incident_entry_remains BEFORE TRUNCATE ON incident_entry FOR EACH STATEMENT EXECUTE FUNCTION stays();
CREATE TRIGGER incident_stays BEFORE UPDATE ON incident FOR EACH ROW WHEN (OLD.closed IS NOT NULL)
EXECUTE FUNCTION stays();
CREATE TRIGGER incident_remains BEFORE DELETE ON incident FOR EACH ROW EXECUTE FUNCTION stays();
