-- Browsers from which somebody came in with a password: what others get wrong from elsewhere does not keep them waiting.
-- As of a session, only the SHA-256 of the cookie's secret is here.
CREATE TABLE known_browser (
    hash TEXT PRIMARY KEY,
    account BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    used BIGINT NOT NULL
);
CREATE INDEX known_browser_account ON known_browser (account, used);
