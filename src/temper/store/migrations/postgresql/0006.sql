-- The risk of a run in short, so that who looks at hundreds of systems reads no document of a run. Of runs that are
-- there already it is not known in short: their text may hold escapes that PostgreSQL cannot read as JSON.
ALTER TABLE outlines ADD COLUMN unit TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE outlines ADD COLUMN annual DOUBLE PRECISION;
ALTER TABLE outlines ADD COLUMN p90 DOUBLE PRECISION;
ALTER TABLE outlines ADD COLUMN rating TEXT COLLATE "C" NOT NULL DEFAULT '';

-- How far the audit of each control store, which its first row tells from others, was told to the ledger: written in the
-- transaction of the entries, so that machines that follow one audit tell each row once.
CREATE TABLE audit_told (
    store TEXT COLLATE "C" PRIMARY KEY,
    seq BIGINT NOT NULL
);
