-- acme: automatic certificate management (RFC 8555). What was issued, and why, is in pki_request: here is only what the
-- protocol remembers between its messages.

-- One row: what our nonces are made with.
CREATE TABLE acme_key (
    id BIGINT PRIMARY KEY,
    secret @BLOB@ NOT NULL
);

-- Nonces that were used, until they would have ended.
CREATE TABLE acme_nonce (
    nonce TEXT PRIMARY KEY,
    ends BIGINT NOT NULL
);

CREATE TABLE acme_account (
    id @ID@,
    thumbprint TEXT NOT NULL UNIQUE, -- RFC 7638, of its key
    jwk TEXT NOT NULL,
    contact TEXT NOT NULL,
    enrolment BIGINT NOT NULL REFERENCES pki_enrolment (id),
    state TEXT NOT NULL, -- valid deactivated
    made BIGINT NOT NULL
);

-- `request` 0: not finalized. The order's state follows from its authorizations and its request.
CREATE TABLE acme_order (
    id @ID@,
    account BIGINT NOT NULL REFERENCES acme_account (id),
    names TEXT NOT NULL,
    request BIGINT NOT NULL DEFAULT 0,
    made BIGINT NOT NULL,
    ends BIGINT NOT NULL
);
CREATE INDEX acme_order_account ON acme_order (account, id);

-- `method` is the challenge that the client chose; `error` what came of it, as a problem document (RFC 9457).
CREATE TABLE acme_authorization (
    id @ID@,
    order_id BIGINT NOT NULL REFERENCES acme_order (id),
    account BIGINT NOT NULL,
    name TEXT NOT NULL,
    wildcard BIGINT NOT NULL,
    state TEXT NOT NULL, -- pending valid invalid deactivated
    token TEXT NOT NULL,
    method TEXT NOT NULL DEFAULT '',
    error TEXT,
    checked BIGINT NOT NULL DEFAULT 0,
    ends BIGINT NOT NULL
);
CREATE INDEX acme_authorization_order ON acme_authorization (order_id, id);
