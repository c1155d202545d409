-- The authorities, each with the settings it was declared with. Keys are not here: `key_file` says where.
CREATE TABLE pki_authority (
    id @ID@,
    name TEXT NOT NULL UNIQUE,
    parent BIGINT REFERENCES pki_authority (id),
    title TEXT NOT NULL,
    certificate @BLOB@ NOT NULL,
    key_file TEXT NOT NULL,
    settings TEXT NOT NULL,
    made BIGINT NOT NULL,
    crl_number BIGINT NOT NULL DEFAULT 0
);

-- Every certificate that was ever signed, before anyone is given it. `entry` is its line of the log.
CREATE TABLE pki_certificate (
    id @ID@,
    authority BIGINT NOT NULL REFERENCES pki_authority (id),
    serial @BLOB@ NOT NULL,
    entry BIGINT NOT NULL UNIQUE,
    profile TEXT NOT NULL,
    subject TEXT NOT NULL,
    not_before BIGINT NOT NULL,
    not_after BIGINT NOT NULL,
    shard BIGINT NOT NULL,
    device BIGINT NOT NULL DEFAULT 0,
    der @BLOB@ NOT NULL,
    UNIQUE (authority, serial)
);
CREATE INDEX pki_certificate_end ON pki_certificate (not_after);
CREATE INDEX pki_certificate_device ON pki_certificate (device, id) WHERE device <> 0;

-- What is revoked or held now, or was held since the last full list. `entry` is the line of the log that made it so: delta
-- lists tell what changed after a list's own line. Narrow, for it is read whole for each full list.
CREATE TABLE pki_revocation (
    certificate BIGINT PRIMARY KEY REFERENCES pki_certificate (id),
    authority BIGINT NOT NULL,
    shard BIGINT NOT NULL,
    serial @BLOB@ NOT NULL,
    entry BIGINT NOT NULL,
    at BIGINT NOT NULL,
    reason BIGINT NOT NULL,
    not_after BIGINT NOT NULL
);
CREATE INDEX pki_revocation_entry ON pki_revocation (authority, shard, entry);

-- Keys that were told to be compromised, as SHA-256 of their SubjectPublicKeyInfo: none of them is certified again.
CREATE TABLE pki_bad_key (
    hash @BLOB@ PRIMARY KEY
);

-- The lists now published: one full and one delta for each shard.
CREATE TABLE pki_crl (
    authority BIGINT NOT NULL REFERENCES pki_authority (id),
    shard BIGINT NOT NULL,
    delta BIGINT NOT NULL,
    number BIGINT NOT NULL,
    entry BIGINT NOT NULL,
    entries BIGINT NOT NULL,
    this_update BIGINT NOT NULL,
    next_update BIGINT NOT NULL,
    der @BLOB@ NOT NULL,
    PRIMARY KEY (authority, shard, delta)
);

-- Who answers OCSP requests for an authority, with a certificate of that authority.
CREATE TABLE pki_responder (
    authority BIGINT PRIMARY KEY REFERENCES pki_authority (id),
    certificate BIGINT NOT NULL REFERENCES pki_certificate (id),
    key_file TEXT NOT NULL
);

-- Answers signed beforehand, given out until `next_update`. A change of the status takes them away.
CREATE TABLE pki_answer (
    certificate BIGINT PRIMARY KEY REFERENCES pki_certificate (id),
    this_update BIGINT NOT NULL,
    next_update BIGINT NOT NULL,
    der @BLOB@ NOT NULL
);
CREATE INDEX pki_answer_end ON pki_answer (next_update);

-- What was done, in one chain: `hash` is SHA-256 over the hash before and this line. Nothing here is changed.
CREATE TABLE pki_log (
    seq BIGINT PRIMARY KEY,
    time BIGINT NOT NULL,
    kind TEXT NOT NULL,
    who TEXT NOT NULL,
    object TEXT NOT NULL,
    details TEXT NOT NULL,
    hash @BLOB@ NOT NULL
);

-- Its last line; who holds this row writes.
CREATE TABLE pki_log_head (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    seq BIGINT NOT NULL,
    hash @BLOB@ NOT NULL
);
INSERT INTO pki_log_head (id, seq, hash) VALUES (1, 0, '');

-- The chain's end as an authority signed it.
CREATE TABLE pki_checkpoint (
    seq BIGINT PRIMARY KEY,
    time BIGINT NOT NULL,
    hash @BLOB@ NOT NULL,
    authority BIGINT NOT NULL REFERENCES pki_authority (id),
    signature @BLOB@ NOT NULL
);
