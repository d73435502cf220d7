-- Cases that only measure reviewers: one that comes again (`origin`), or one planted with a known answer (`truth`) and a
-- score that leans to `lean`. Nothing of them is a label or a client's answer.
CREATE TABLE exercise (
    review BIGINT PRIMARY KEY REFERENCES review (id),
    origin BIGINT UNIQUE REFERENCES review (id),
    truth TEXT CHECK (truth IN ('allow', 'block')),
    lean TEXT CHECK (lean IN ('allow', 'block')),
    author TEXT NOT NULL,
    at DOUBLE PRECISION NOT NULL,
    CHECK ((origin IS NULL) = (truth IS NOT NULL)),
    CHECK ((truth IS NULL) = (lean IS NULL))
);

CREATE TRIGGER exercise_stays BEFORE UPDATE OR DELETE ON exercise FOR EACH ROW EXECUTE FUNCTION stays();
CREATE TRIGGER exercise_remains BEFORE TRUNCATE ON exercise FOR EACH STATEMENT EXECUTE FUNCTION stays();
