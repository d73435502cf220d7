-- A case that had no due time gets one: a day, or it would wait for ever where nobody may take it.
UPDATE review SET due = CAST(strftime('%s', 'now') AS REAL) + 86400 WHERE due > 1e300 AND state NOT IN ('closed', 'expired');
