-- Assessments that wait for a worker, are at one, or are over. Of a job that runs `due` is the end of its lease.
CREATE TABLE job (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    document TEXT NOT NULL,
    author TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'running', 'done', 'failed')),
    attempts INTEGER NOT NULL DEFAULT 0,
    due REAL NOT NULL,
    worker TEXT NOT NULL DEFAULT '',
    progress TEXT NOT NULL DEFAULT '',
    made REAL NOT NULL,
    begun REAL,
    ended REAL,
    code INTEGER,
    result TEXT NOT NULL DEFAULT '{}',
    log TEXT NOT NULL DEFAULT '',
    CHECK ((ended IS NULL) = (state IN ('waiting', 'running')))
) STRICT;
CREATE INDEX job_due ON job (due) WHERE state IN ('waiting', 'running');
