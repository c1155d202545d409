-- What somebody said about the columns of a file: { field: number from 1 }, "": nothing; and the digest of its headers, by which
-- the next file of the same shape is known.
ALTER TABLE import_file ADD COLUMN columns TEXT NOT NULL DEFAULT '';
ALTER TABLE import_file ADD COLUMN headers TEXT NOT NULL DEFAULT '';
