-- csirt: where the chains of the cases' timelines were, day by day, so that one digest kept elsewhere covers them all.

ALTER TABLE csirt_case ADD COLUMN anchored BIGINT NOT NULL DEFAULT 0; -- lines that an anchor covers

CREATE TABLE csirt_anchor (
    number BIGINT PRIMARY KEY, -- 1, 2, 3 …: each digest covers the one before
    time BIGINT NOT NULL,
    cases BIGINT NOT NULL,
    digest TEXT NOT NULL
);

-- The heads that an anchor adds: of each case that has new lines since the one before.
CREATE TABLE csirt_anchor_head (
    anchor BIGINT NOT NULL REFERENCES csirt_anchor (number),
    case_id BIGINT NOT NULL,
    reference TEXT NOT NULL,
    seq BIGINT NOT NULL,
    hash TEXT NOT NULL,
    PRIMARY KEY (anchor, case_id)
);
