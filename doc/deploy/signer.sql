-- What the signer may do in PostgreSQL under a role of its own: [store] signer_url in vigie.conf. As the store's owner, after
-- the first start of vigie serve, and again after an upgrade (what is granted already stays so):
--     psql vigie -f signer.sql
-- The role logs in by the name of its account, without a password, over the Unix socket (peer, in pg_hba.conf):
--     CREATE ROLE "vigie-signer" LOGIN;
--     GRANT vigie_signer TO "vigie-signer";
-- It reads what it decides by, and writes certificates, lists, answers and the log. It changes no certificate, no line of the
-- log, no request but its end, and sees no password, session, case or mail.

DO $$ BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'vigie_signer') THEN
        CREATE ROLE vigie_signer NOLOGIN;
    END IF;
END $$;

GRANT SELECT ON schema_migration, organisation, device, pki_authority, pki_link, pki_certificate, pki_revocation, pki_bad_key,
    pki_renewal, pki_crl, pki_responder, pki_answer, pki_log, pki_log_head, pki_checkpoint, pki_grant, pki_request TO vigie_signer;
-- Not by what an enrolment's clients prove themselves; earlier versions granted the whole table.
REVOKE SELECT ON pki_enrolment FROM vigie_signer;
GRANT SELECT (id, name, label, authority, profile, fields, names, challenge, open, uses, used, ends, device, organisation, account,
    made, ended) ON pki_enrolment TO vigie_signer;
GRANT SELECT (id, request, name, type, size, sha256, added_by, at) ON pki_evidence TO vigie_signer;
GRANT INSERT ON pki_certificate, pki_revocation, pki_bad_key, pki_renewal, pki_crl, pki_responder, pki_answer, pki_log,
    pki_checkpoint TO vigie_signer;
GRANT UPDATE ON pki_log_head, pki_crl, pki_answer, pki_responder TO vigie_signer;
GRANT UPDATE (state, ended, issued, refusal, sealed_key) ON pki_request TO vigie_signer;
GRANT UPDATE (entry, at, reason) ON pki_revocation TO vigie_signer;
GRANT UPDATE (revoked, crl_number) ON pki_authority TO vigie_signer;
GRANT UPDATE (certificate) ON pki_renewal TO vigie_signer;
GRANT UPDATE (used) ON pki_enrolment TO vigie_signer;
GRANT DELETE ON pki_crl, pki_answer TO vigie_signer;
