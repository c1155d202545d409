-- Whose certificates let an account in: of this authority, profile and subject, so that a renewed one does, too.
CREATE TABLE account_certificate (
    authority TEXT NOT NULL,
    profile TEXT NOT NULL,
    subject TEXT NOT NULL,
    account BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    added BIGINT NOT NULL,
    PRIMARY KEY (authority, profile, subject)
);
CREATE INDEX account_certificate_account ON account_certificate (account);
