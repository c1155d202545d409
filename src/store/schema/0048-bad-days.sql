-- When an authority's own certificate was revoked; 0: it was not.
ALTER TABLE pki_authority ADD COLUMN revoked BIGINT NOT NULL DEFAULT 0;

-- Which certificate took the place of which, when it was renewed.
CREATE TABLE pki_renewal (
    old BIGINT PRIMARY KEY REFERENCES pki_certificate (id),
    certificate BIGINT NOT NULL REFERENCES pki_certificate (id)
);
