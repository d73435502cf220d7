-- What a finished task found, by its cache key; `arrays` maps names to the SHA-256 of their blobs.
CREATE TABLE tasks (
    key TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    created TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    document TEXT NOT NULL,
    arrays TEXT NOT NULL
) STRICT;
