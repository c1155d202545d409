-- Exchanges of CMP that go on. `message` asked for a certificate: it is not decided yet, or with `issued` 1 it waits for the client's
-- confirmation. `certificate`: with which the client signs; NULL: it has a secret. `nonce` is of our last answer.
CREATE TABLE cmp_exchange (
    transaction_id @BLOB@ PRIMARY KEY,
    requester TEXT NOT NULL,
    certificate @BLOB@,
    message @BLOB@ NOT NULL,
    issued BIGINT NOT NULL,
    nonce @BLOB@ NOT NULL,
    began BIGINT NOT NULL
);
CREATE INDEX cmp_exchange_began ON cmp_exchange (began);
