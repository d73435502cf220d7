-- The SHA-256 of the case as its reviewer saw it; empty where nothing was shown, as on the command line.
ALTER TABLE decision ADD COLUMN seen TEXT NOT NULL DEFAULT '';
