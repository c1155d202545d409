-- A token may keep the fleet, for what connects a GMAO.
CREATE TABLE api_token_scoped (
    id @ID@,
    hash TEXT NOT NULL UNIQUE,
    account BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    scope TEXT NOT NULL CHECK (scope IN ('read', 'act', 'fleet', 'case', 'metrics', 'calendar')),
    created BIGINT NOT NULL,
    ends BIGINT NOT NULL,
    used BIGINT
);
INSERT INTO api_token_scoped (hash, account, name, scope, created, ends, used)
    SELECT hash, account, name, scope, created, ends, used FROM api_token ORDER BY id;
DROP TABLE api_token;
ALTER TABLE api_token_scoped RENAME TO api_token;
CREATE INDEX api_token_account ON api_token (account);
