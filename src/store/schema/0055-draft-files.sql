-- csirt: files that are kept with a draft, sealed with its key; they go when it goes.

CREATE TABLE csirt_draft_file (
    hash TEXT NOT NULL, -- of the draft
    seq BIGINT NOT NULL,
    size BIGINT NOT NULL,
    sealed @BLOB@ NOT NULL, -- its name, NUL, its content
    PRIMARY KEY (hash, seq)
);
