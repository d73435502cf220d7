-- Past cases are looked for from the newest backwards.
CREATE INDEX review_closed ON review (closed, id) WHERE state = 'closed';
