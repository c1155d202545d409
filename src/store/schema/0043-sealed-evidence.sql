-- Which key sealed `content`: its id; '' what lies in clear from before, NULL what was erased (its name and type, too).
ALTER TABLE pki_evidence ADD COLUMN seal_key TEXT DEFAULT '';
CREATE INDEX pki_evidence_seal ON pki_evidence (seal_key, id);

-- Of which certificate each renewal and revocation is.
CREATE INDEX pki_request_certificate ON pki_request (certificate) WHERE certificate IS NOT NULL;
