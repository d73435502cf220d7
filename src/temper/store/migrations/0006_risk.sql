-- The risk of a run in short, so that who looks at hundreds of systems reads no document of a run.
ALTER TABLE outlines ADD COLUMN unit TEXT NOT NULL DEFAULT '';
ALTER TABLE outlines ADD COLUMN annual REAL;
ALTER TABLE outlines ADD COLUMN p90 REAL;
ALTER TABLE outlines ADD COLUMN rating TEXT NOT NULL DEFAULT '';

UPDATE outlines SET
    unit = coalesce(json_extract(document, '$.risk.unit'), ''),
    annual = CAST(json_extract(document, '$.risk.total.middle') AS REAL),
    p90 = CAST(json_extract(document, '$.risk.total.p90') AS REAL),
    rating = coalesce((
        SELECT json_extract(value, '$.rating') FROM json_each(document, '$.risk.risks')
        WHERE coalesce(json_extract(value, '$.accepted'), '') = ''
        ORDER BY instr('critical, high, medium, low, very low', json_extract(value, '$.rating')) LIMIT 1
    ), '')
FROM runs WHERE runs.id = outlines.run AND json_valid(document) AND json_extract(document, '$.risk') IS NOT NULL;
