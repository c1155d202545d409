-- A role may hold for one profession or department alone; '': for all.
CREATE TABLE pki_grant_scoped (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    organisation BIGINT NOT NULL DEFAULT 0,
    profession TEXT NOT NULL DEFAULT '',
    department TEXT NOT NULL DEFAULT '',
    since BIGINT NOT NULL,
    given_by TEXT NOT NULL,
    PRIMARY KEY (account, role, organisation, profession, department)
);
INSERT INTO pki_grant_scoped (account, name, role, organisation, since, given_by)
    SELECT account, name, role, organisation, since, given_by FROM pki_grant;
DROP TABLE pki_grant;
ALTER TABLE pki_grant_scoped RENAME TO pki_grant;

-- By which lists find what lies in such a scope; decisions look at the fields.
ALTER TABLE pki_request ADD COLUMN profession TEXT NOT NULL DEFAULT '';
ALTER TABLE pki_request ADD COLUMN department TEXT NOT NULL DEFAULT '';
