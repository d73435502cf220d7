-- What is closed stays closed, but for what the client sent, which can be erased and nothing else.
DROP TRIGGER review_stays;
CREATE TRIGGER review_stays BEFORE UPDATE ON review
WHEN OLD.state IN ('closed', 'expired') AND NOT (
    NEW.payload = '{"erased":true}' AND
    (OLD.id, OLD.request, OLD.state, OLD.priority, OLD.due, OLD.eyes, OLD.round, OLD.level, OLD.owner,
     OLD.lease, OLD.version, OLD.created, OLD.outcome, OLD.closed, OLD.overdue)
    IS
    (NEW.id, NEW.request, NEW.state, NEW.priority, NEW.due, NEW.eyes, NEW.round, NEW.level, NEW.owner,
     NEW.lease, NEW.version, NEW.created, NEW.outcome, NEW.closed, NEW.overdue)
)
BEGIN SELECT RAISE(ABORT, 'a closed case stays closed'); END;
