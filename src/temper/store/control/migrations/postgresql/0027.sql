-- Roles have no order: a person has one by its name.
ALTER TABLE person ADD COLUMN held TEXT NOT NULL DEFAULT 'viewer';
UPDATE person SET held = CASE role WHEN 1 THEN 'analyst' WHEN 2 THEN 'approver' WHEN 3 THEN 'admin' ELSE 'viewer' END;
ALTER TABLE person DROP COLUMN role;
ALTER TABLE person RENAME COLUMN held TO role;

-- Whose programs a key is for; NULL for a client of the gateway.
ALTER TABLE access_key ADD COLUMN person TEXT REFERENCES person (name);
