-- Outgoing mail, see mail/mail.h for the states.
CREATE TABLE mail (
    id @ID@,
    unique_key TEXT UNIQUE,
    message_id TEXT NOT NULL,
    sender TEXT NOT NULL,
    recipient TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    lang TEXT,
    state TEXT NOT NULL,
    created BIGINT NOT NULL,
    tries BIGINT NOT NULL DEFAULT 0,
    changed BIGINT NOT NULL,
    answer TEXT
);
CREATE INDEX mail_state ON mail (state, created);

-- What is done at set times: the last time that was taken care of, so that one worker alone does it, once.
CREATE TABLE schedule (
    name TEXT PRIMARY KEY,
    last BIGINT NOT NULL
);
