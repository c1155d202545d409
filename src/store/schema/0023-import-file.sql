-- Files of a GMAO sent by page: what they would change is shown (previewed) before somebody confirms it.
CREATE TABLE import_file (
    id @ID@,
    account BIGINT REFERENCES account (id) ON DELETE SET NULL,
    author TEXT NOT NULL,
    only_organisation BIGINT NOT NULL DEFAULT 0, -- to which its sender is confined
    name TEXT NOT NULL,
    organisation TEXT NOT NULL DEFAULT '', -- of the rows that name none
    state TEXT NOT NULL CHECK (state IN ('previewed', 'running', 'imported')),
    created BIGINT NOT NULL,
    done BIGINT NOT NULL DEFAULT 0,
    content @BLOB@, -- until it is imported, or a day old
    report TEXT NOT NULL,
    refused TEXT NOT NULL
);
CREATE INDEX import_file_created ON import_file (created);
