-- What those who run the authorities were told: that this `kind` of thing, of this name, is wanted by `at`, so many days before.
CREATE TABLE pki_deadline (
    kind TEXT NOT NULL, -- generation end responder registrar list cross
    name TEXT NOT NULL,
    at BIGINT NOT NULL,
    days BIGINT NOT NULL,
    told BIGINT NOT NULL,
    PRIMARY KEY (kind, name, at, days)
);
