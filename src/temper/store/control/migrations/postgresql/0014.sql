-- Whether another worker was refused for want of what this one holds.
ALTER TABLE share ADD COLUMN wanted BIGINT NOT NULL DEFAULT 0 CHECK (wanted IN (0, 1));
