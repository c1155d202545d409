-- csirt: declarations put aside before they are sent.

-- Sealed with a key made from a code that only its owner holds; hash: of that code, so that it is found again.
CREATE TABLE csirt_draft (
    hash TEXT PRIMARY KEY,
    sealed @BLOB@ NOT NULL,
    ends BIGINT NOT NULL
);
CREATE INDEX csirt_draft_ends ON csirt_draft (ends);
