-- The note at the change of shift: what no list says, the moment as it was, and who took over.
CREATE TABLE csirt_handover (
    id @ID@,
    author TEXT NOT NULL,
    time BIGINT NOT NULL,
    text TEXT NOT NULL,
    picture TEXT NOT NULL -- JSON, as csirt_handover_draft gives it
);

CREATE TABLE csirt_handover_reading (
    handover_id BIGINT NOT NULL REFERENCES csirt_handover (id),
    account TEXT NOT NULL,
    time BIGINT NOT NULL,
    PRIMARY KEY (handover_id, account)
);
