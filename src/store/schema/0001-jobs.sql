-- What has to be done later or by another process. `due_at` is when it may be taken: the time asked for, the end of
-- the back-off after a failure or, while it runs, the end of its worker's lease.
CREATE TABLE job (
    id @ID@,
    kind TEXT NOT NULL,
    payload TEXT NOT NULL,
    unique_key TEXT,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'dead')),
    due_at BIGINT NOT NULL,
    tries BIGINT NOT NULL DEFAULT 0,
    worker TEXT,
    reason TEXT
);
CREATE INDEX job_due ON job (due_at, id) WHERE state <> 'dead';
CREATE UNIQUE INDEX job_unique ON job (unique_key) WHERE state <> 'dead';
