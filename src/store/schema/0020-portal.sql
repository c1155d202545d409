-- Who may look and act, and what they did. `folded` is the name as it is told apart: without case and accents.
CREATE TABLE account (
    id @ID@,
    name TEXT NOT NULL,
    folded TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL CHECK (role IN ('reader', 'biomed', 'analyst', 'head', 'admin')),
    organisation BIGINT,
    password TEXT NOT NULL,
    language TEXT,
    disabled BIGINT NOT NULL DEFAULT 0,
    created BIGINT NOT NULL,
    last_login BIGINT
);

-- A session's cookie and a token's secret are random; only their SHA-256 is here.
CREATE TABLE session (
    hash TEXT PRIMARY KEY,
    account BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    created BIGINT NOT NULL,
    used BIGINT NOT NULL,
    address TEXT NOT NULL
);
CREATE INDEX session_account ON session (account);

CREATE TABLE api_token (
    id @ID@,
    hash TEXT NOT NULL UNIQUE,
    account BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    scope TEXT NOT NULL CHECK (scope IN ('read', 'act', 'case', 'metrics', 'calendar')),
    created BIGINT NOT NULL,
    ends BIGINT NOT NULL,
    used BIGINT
);
CREATE INDEX api_token_account ON api_token (account);

-- Failed logins by subject, "account:…" or "address:…": after a few, the next try has to wait until `open_at`.
CREATE TABLE login_guard (
    subject TEXT PRIMARY KEY,
    failures BIGINT NOT NULL,
    last BIGINT NOT NULL,
    open_at BIGINT NOT NULL
);

CREATE TABLE audit (
    id @ID@,
    time BIGINT NOT NULL,
    who TEXT,
    address TEXT,
    action TEXT NOT NULL,
    object TEXT,
    details TEXT
);
CREATE INDEX audit_time ON audit (time);
