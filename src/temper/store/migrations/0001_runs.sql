-- Numbers handed out to runs; a number is never given twice, so two processes never write the same run.
CREATE TABLE numbers (
    number INTEGER PRIMARY KEY
) STRICT;

-- One assessment. "open" exists only inside the transaction that writes it.
CREATE TABLE runs (
    id TEXT NOT NULL UNIQUE,
    started TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'finished', 'stopped', 'failed')),
    document TEXT NOT NULL
) STRICT;

CREATE TABLE findings (
    id TEXT NOT NULL,
    run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    task TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (id, run)
) STRICT;

CREATE INDEX findings_of_run ON findings (run);

-- A finished run is evidence: it is never changed, replaced or deleted, and neither are its findings.
CREATE TRIGGER runs_keep_on_update BEFORE UPDATE ON runs WHEN OLD.state = 'finished'
BEGIN
    SELECT RAISE(ABORT, 'a finished run cannot be changed');
END;

CREATE TRIGGER runs_keep_on_delete BEFORE DELETE ON runs WHEN OLD.state = 'finished'
BEGIN
    SELECT RAISE(ABORT, 'a finished run cannot be deleted');
END;

-- INSERT OR REPLACE deletes without firing the trigger above.
CREATE TRIGGER runs_keep_on_insert BEFORE INSERT ON runs
WHEN EXISTS (SELECT 1 FROM runs WHERE id = NEW.id AND state = 'finished')
BEGIN
    SELECT RAISE(ABORT, 'a finished run cannot be replaced');
END;

CREATE TRIGGER findings_keep_on_update BEFORE UPDATE ON findings
WHEN EXISTS (SELECT 1 FROM runs WHERE id IN (OLD.run, NEW.run) AND state = 'finished')
BEGIN
    SELECT RAISE(ABORT, 'a finding of a finished run cannot be changed');
END;

CREATE TRIGGER findings_keep_on_delete BEFORE DELETE ON findings
WHEN EXISTS (SELECT 1 FROM runs WHERE id = OLD.run AND state = 'finished')
BEGIN
    SELECT RAISE(ABORT, 'a finding of a finished run cannot be deleted');
END;

CREATE TRIGGER findings_keep_on_insert BEFORE INSERT ON findings
WHEN EXISTS (SELECT 1 FROM runs WHERE id = NEW.run AND state = 'finished')
BEGIN
    SELECT RAISE(ABORT, 'a finished run cannot get another finding');
END;
