-- What lists and rules ask of runs, so that neither has to read the document of every run. Made from the documents by
-- the view, for runs that are there and for those that come.
CREATE TABLE outlines (
    number INTEGER PRIMARY KEY,
    run TEXT NOT NULL UNIQUE REFERENCES runs (id) ON DELETE CASCADE,
    system TEXT NOT NULL,
    suite TEXT NOT NULL,
    started TEXT NOT NULL,
    seconds REAL NOT NULL,
    state TEXT NOT NULL,
    verdict TEXT NOT NULL,
    simulated INTEGER NOT NULL,
    judged INTEGER NOT NULL,
    figures INTEGER NOT NULL,
    findings INTEGER NOT NULL,
    model TEXT NOT NULL,
    data TEXT NOT NULL,
    reference TEXT NOT NULL,
    attacks TEXT NOT NULL,
    families TEXT NOT NULL
) STRICT;

CREATE INDEX outlines_of_system ON outlines (system, number);
CREATE INDEX outlines_of_data ON outlines (system, data, number);

-- Which finished run measured a family of plugins: the newest of each is the evidence there is.
CREATE TABLE measured (
    system TEXT NOT NULL,
    family TEXT NOT NULL,
    model TEXT NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (system, family, model, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX measured_newest ON measured (system, family, number);

CREATE VIEW outlined AS
SELECT
    id AS run,
    json_extract(document, '$.system') AS system,
    json_extract(document, '$.suite') AS suite,
    started,
    CAST(json_extract(document, '$.seconds') AS REAL) AS seconds,
    json_extract(document, '$.state') AS state,
    json_extract(document, '$.verdict') AS verdict,
    coalesce(json_extract(document, '$.simulated'), 0) AS simulated,
    json_array_length(document, '$.judgements') AS judged,
    json_array_length(document, '$.measurements') AS figures,
    json_array_length(document, '$.findings') AS findings,
    coalesce((
        SELECT json_extract(value, '$[1]') FROM json_each(document, '$.digests')
        WHERE json_extract(value, '$[0]') = 'model'
    ), '') AS model,
    coalesce((
        SELECT json_extract(value, '$[1]') FROM json_each(document, '$.digests')
        WHERE json_extract(value, '$[0]') = 'held-out data'
    ), id) AS data,
    coalesce((
        SELECT json_extract(value, '$[1]') FROM json_each(document, '$.digests')
        WHERE json_extract(value, '$[0]') = 'monitoring reference'
    ), '') AS reference,
    coalesce((
        SELECT json_extract(value, '$[1]') FROM json_each(document, '$.digests')
        WHERE json_extract(value, '$[0]') = 'attacks'
    ), '') AS attacks,
    (
        SELECT json_group_array(family) FROM (
            SELECT DISTINCT substr(plugin, 1, instr(plugin || '.', '.') - 1) AS family FROM (
                SELECT json_extract(value, '$.plugin') AS plugin FROM json_each(document, '$.measurements')
                WHERE json_extract(value, '$.status') IN ('ok', 'inconclusive')
            )
        )
    ) AS families
FROM runs WHERE json_valid(document);

INSERT INTO outlines SELECT NULL, outlined.* FROM outlined JOIN runs ON runs.id = outlined.run ORDER BY runs.rowid;
INSERT INTO measured
SELECT system, family.value, model, number FROM outlines, json_each(families) AS family WHERE state = 'finished';

CREATE TRIGGER runs_outline AFTER INSERT ON runs
BEGIN
    INSERT INTO outlines SELECT NULL, outlined.* FROM outlined WHERE run = NEW.id;
    INSERT INTO measured
    SELECT system, family.value, model, number FROM outlines, json_each(families) AS family
    WHERE run = NEW.id AND state = 'finished';
END;
