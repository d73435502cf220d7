-- The newest finished run of every system by one look each.
CREATE INDEX outlines_of_state ON outlines (system, state, number);
