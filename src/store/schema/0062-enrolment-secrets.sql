-- No secret of an enrolment lies in clear: `sha256` is its digest, by which EST and SCEP know it; `sealed` it is itself, for the MACs of
-- ACME and CMP, under the key `seal_key` of a file ('': not yet, NULL: never). `secret` is what earlier versions wrote; vigie serve seals it
-- as it starts and leaves ''.
ALTER TABLE pki_enrolment ADD COLUMN sha256 TEXT NOT NULL DEFAULT '';
ALTER TABLE pki_enrolment ADD COLUMN sealed @BLOB@;
ALTER TABLE pki_enrolment ADD COLUMN seal_key TEXT DEFAULT '';
CREATE INDEX pki_enrolment_seal ON pki_enrolment (seal_key, id);
