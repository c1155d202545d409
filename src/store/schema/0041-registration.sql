-- Which account may do what over which organisation; 0: over all. `account` is folded, as the portal tells accounts apart.
CREATE TABLE pki_grant (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    organisation BIGINT NOT NULL DEFAULT 0,
    since BIGINT NOT NULL,
    given_by TEXT NOT NULL,
    PRIMARY KEY (account, role, organisation)
);

-- Validations given in advance, to machines. `secret` is as it was given: MACs are made with it. `names` is a JSON array of
-- what may be asked for, or NULL; `ended` 0: not yet.
CREATE TABLE pki_enrolment (
    id @ID@,
    name TEXT NOT NULL UNIQUE,
    secret TEXT NOT NULL,
    label TEXT NOT NULL,
    authority BIGINT NOT NULL REFERENCES pki_authority (id),
    profile TEXT NOT NULL,
    fields TEXT NOT NULL,
    names TEXT,
    challenge BIGINT NOT NULL,
    open BIGINT NOT NULL,
    uses BIGINT NOT NULL,
    used BIGINT NOT NULL DEFAULT 0,
    ends BIGINT NOT NULL,
    device BIGINT NOT NULL,
    organisation BIGINT NOT NULL,
    account TEXT NOT NULL,
    made BIGINT NOT NULL,
    ended BIGINT NOT NULL DEFAULT 0
);

-- What was asked of the authorities. `csr` is a request, or with `bare` 1 a key whose possession a protocol proved.
-- `certificate` is the one to renew or revoke, `issued` what came of it. `validators` are the roles that decide, each
-- between two '|'. Times are 0 where it has not come to that. `sealed_key` is a PKCS#8 key sealed with a password that
-- is kept nowhere.
CREATE TABLE pki_request (
    id @ID@,
    kind TEXT NOT NULL CHECK (kind IN ('issue', 'renew', 'revoke')),
    state TEXT NOT NULL CHECK (state IN ('requested', 'validated', 'issued', 'refused')),
    profile TEXT NOT NULL,
    authority BIGINT NOT NULL REFERENCES pki_authority (id),
    csr @BLOB@,
    bare BIGINT NOT NULL DEFAULT 0,
    key_hash TEXT,
    key_name TEXT,
    fields TEXT NOT NULL,
    names TEXT NOT NULL,
    days BIGINT NOT NULL,
    certificate BIGINT REFERENCES pki_certificate (id),
    reason TEXT,
    device BIGINT NOT NULL,
    organisation BIGINT NOT NULL,
    requester TEXT NOT NULL,
    requester_fold TEXT NOT NULL,
    mail TEXT,
    protocol TEXT NOT NULL,
    address TEXT,
    proof TEXT NOT NULL CHECK (proof IN ('none', 'enrolment', 'certificate')),
    enrolment BIGINT REFERENCES pki_enrolment (id),
    proven TEXT NOT NULL,
    validators TEXT NOT NULL,
    validator TEXT,
    requested BIGINT NOT NULL,
    validated BIGINT NOT NULL DEFAULT 0,
    ended BIGINT NOT NULL DEFAULT 0,
    issued BIGINT REFERENCES pki_certificate (id),
    refusal TEXT,
    sealed_key @BLOB@
);
CREATE INDEX pki_request_open ON pki_request (state, id) WHERE state IN ('requested', 'validated');
CREATE UNIQUE INDEX pki_request_key ON pki_request (key_hash, profile) WHERE state IN ('requested', 'validated');
CREATE INDEX pki_request_issued ON pki_request (issued) WHERE issued IS NOT NULL;
CREATE INDEX pki_request_device ON pki_request (device, id) WHERE device <> 0;
CREATE INDEX pki_request_requester ON pki_request (requester_fold, id);

-- Papers that prove an identity or a right.
CREATE TABLE pki_evidence (
    id @ID@,
    request BIGINT NOT NULL REFERENCES pki_request (id),
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    added_by TEXT NOT NULL,
    at BIGINT NOT NULL,
    size BIGINT NOT NULL,
    content @BLOB@ NOT NULL
);
CREATE INDEX pki_evidence_request ON pki_evidence (request, id);

-- Reminders that were sent, by how many days before the end.
CREATE TABLE pki_reminder (
    certificate BIGINT NOT NULL REFERENCES pki_certificate (id),
    days BIGINT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (certificate, days)
);
