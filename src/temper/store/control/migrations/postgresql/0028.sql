-- Who a provider of identities says somebody is; a person with a subject has no password here.
ALTER TABLE person ADD COLUMN issuer TEXT NOT NULL DEFAULT '';
ALTER TABLE person ADD COLUMN subject TEXT NOT NULL DEFAULT '';
CREATE UNIQUE INDEX person_of_subject ON person (issuer, subject) WHERE subject <> '';

-- What a provider answered opens one session: the words it was asked with are kept while its answers hold.
CREATE TABLE answered_once (
    nonce TEXT PRIMARY KEY,
    at DOUBLE PRECISION NOT NULL
);
