-- A message stored as it will travel, where it has attachments, other fields or a seal: subject and body are then not in
-- clear beside it.
ALTER TABLE mail ADD COLUMN message @BLOB@;
CREATE INDEX mail_message_id ON mail (message_id);

-- How far each mailbox was read, and how the last look at it went; see mail/inbound.h.
CREATE TABLE mailbox (
    name TEXT PRIMARY KEY,
    uidvalidity BIGINT NOT NULL DEFAULT 0,
    last_uid BIGINT NOT NULL DEFAULT 0,
    last_poll BIGINT,
    last_good BIGINT,
    failures BIGINT NOT NULL DEFAULT 0,
    error TEXT,
    next_poll BIGINT NOT NULL DEFAULT 0
);

-- What came in, as the server had it. `size` is larger than what is kept where the message was too large. `moved`: the
-- server knows that we have it.
CREATE TABLE mail_inbound (
    id @ID@,
    mailbox TEXT NOT NULL,
    uidvalidity BIGINT,
    uid BIGINT,
    received BIGINT NOT NULL,
    raw @BLOB@,
    size BIGINT NOT NULL,
    sha256 TEXT NOT NULL,
    moved BIGINT NOT NULL DEFAULT 0,
    next_try BIGINT,
    tries BIGINT NOT NULL DEFAULT 0,
    handled BIGINT,
    outcome TEXT,
    UNIQUE (mailbox, uidvalidity, uid)
);
CREATE INDEX mail_inbound_waiting ON mail_inbound (id) WHERE handled IS NULL;
CREATE INDEX mail_inbound_known ON mail_inbound (mailbox, sha256);
CREATE INDEX mail_inbound_unmoved ON mail_inbound (mailbox, id) WHERE moved = 0;
CREATE INDEX mail_inbound_handled ON mail_inbound (handled) WHERE handled IS NOT NULL;
