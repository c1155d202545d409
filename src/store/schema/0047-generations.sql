-- Generations of an authority: `succeeds` is the one before it, which issues no more. `destroyed`: when its key was, 0: it was
-- not. `threshold`: how many of those who share its passphrase open its key; 0: it is not shared.
ALTER TABLE pki_authority ADD COLUMN succeeds BIGINT REFERENCES pki_authority (id);
ALTER TABLE pki_authority ADD COLUMN destroyed BIGINT NOT NULL DEFAULT 0;
ALTER TABLE pki_authority ADD COLUMN threshold BIGINT NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX pki_authority_succeeds ON pki_authority (succeeds) WHERE succeeds IS NOT NULL;

-- Certificates of authorities beside the tree: of one generation of a root by another, and of authorities that are not ours,
-- whose `subject` is NULL. `name` is how it is published; the newest of a name counts.
CREATE TABLE pki_link (
    certificate BIGINT PRIMARY KEY REFERENCES pki_certificate (id),
    name TEXT NOT NULL,
    issuer BIGINT NOT NULL REFERENCES pki_authority (id),
    subject BIGINT REFERENCES pki_authority (id)
);
CREATE INDEX pki_link_name ON pki_link (name, certificate);

-- Who was given which share of a passphrase. The shares themselves are nowhere but with them.
CREATE TABLE pki_share (
    authority BIGINT NOT NULL REFERENCES pki_authority (id),
    number BIGINT NOT NULL,
    holder TEXT NOT NULL,
    PRIMARY KEY (authority, number)
);
