-- What becomes of a case that no person decided in time, by the policy of the gateway that brought it.
ALTER TABLE review ADD COLUMN overdue TEXT NOT NULL DEFAULT 'block' CHECK (overdue IN ('allow', 'block'));
