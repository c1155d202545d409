-- csirt: cases, from what comes in to what was mended.
--
-- Times are seconds UTC, 0 is "not yet". Enumerations are their names, as src/csirt/csirt.h lists them. JSON columns hold
-- one object or array. What a list filters or sorts by is a column; the rest of what is known of a case is in `facts`.

-- Numbers of references. A row's id is taken without waiting for others who take one: on PostgreSQL, cases that are opened at the same
-- time are committed together. What a year's numbers begin after stands in csirt_year.
CREATE TABLE csirt_number (
    id @ID@,
    year BIGINT NOT NULL
);
CREATE TABLE csirt_year (
    year BIGINT PRIMARY KEY,
    base BIGINT NOT NULL
);

CREATE TABLE csirt_case (
    id @ID@,
    reference TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    active BIGINT NOT NULL DEFAULT 1,          -- neither closed, rejected nor merged
    channel TEXT NOT NULL,                     -- form mail phone api survey partner
    title TEXT NOT NULL,
    organisation_id BIGINT NOT NULL DEFAULT 0, -- of the fleet; 0: not known there, or not yet matched
    organisation_name TEXT NOT NULL DEFAULT '',
    category TEXT NOT NULL DEFAULT '',         -- RSIT, "intrusions/account-compromise"
    likelihood TEXT NOT NULL DEFAULT '',       -- of an incident: certain likely uncertain
    verified BIGINT NOT NULL DEFAULT 0,        -- when a vulnerability was proven
    tlp TEXT NOT NULL,
    pap TEXT NOT NULL,
    restricted BIGINT NOT NULL DEFAULT 0,      -- read by those of csirt_access alone
    source TEXT NOT NULL,                      -- open protected anonymous
    urgent BIGINT NOT NULL DEFAULT 0,
    band BIGINT NOT NULL DEFAULT 4,            -- 1 to 4, what the queue goes by: the override's, or the rules'
    score BIGINT NOT NULL DEFAULT 0,
    reasons TEXT NOT NULL DEFAULT '[]',
    override TEXT NOT NULL DEFAULT '',         -- JSON: band, reason, by, time
    facts TEXT NOT NULL DEFAULT '{}',
    events TEXT NOT NULL DEFAULT '{}',         -- by name, when: what stops the clocks of the law
    expected TEXT NOT NULL DEFAULT 'feedback', -- of who was notified: feedback acknowledgement
    assignee TEXT NOT NULL DEFAULT '',
    due BIGINT NOT NULL DEFAULT 0,             -- the nearest promise not yet kept
    received BIGINT NOT NULL,
    answered BIGINT NOT NULL DEFAULT 0,        -- first answer by a person
    closed BIGINT NOT NULL DEFAULT 0,
    updated BIGINT NOT NULL,
    merged_into BIGINT NOT NULL DEFAULT 0,
    receipt TEXT NOT NULL DEFAULT '',          -- SHA-256 of the declarant's secret code
    entries BIGINT NOT NULL DEFAULT 0,         -- of the timeline: how many, and the hash of the last
    head TEXT NOT NULL DEFAULT '',
    indexed BIGINT NOT NULL DEFAULT 0,         -- its words are in csirt_word
    unique_key TEXT UNIQUE                     -- what was accepted once is not opened twice
);
-- The queue's order, alone and behind each thing that it is filtered by (queue.c).
CREATE INDEX csirt_case_queue ON csirt_case (active DESC, band, urgent DESC, score DESC, received, id);
CREATE INDEX csirt_case_state ON csirt_case (state, active DESC, band, urgent DESC, score DESC, received, id);
CREATE INDEX csirt_case_kind ON csirt_case (kind, active DESC, band, urgent DESC, score DESC, received, id);
CREATE INDEX csirt_case_tlp ON csirt_case (tlp, active DESC, band, urgent DESC, score DESC, received, id);
CREATE INDEX csirt_case_assignee ON csirt_case (assignee, active DESC, band, urgent DESC, score DESC, received, id);
CREATE INDEX csirt_case_organisation
    ON csirt_case (organisation_id, active DESC, band, urgent DESC, score DESC, received, id);
CREATE INDEX csirt_case_due ON csirt_case (due, id) WHERE due > 0; -- what is due is active
CREATE INDEX csirt_case_unindexed ON csirt_case (id) WHERE indexed = 0;
CREATE INDEX csirt_case_restricted ON csirt_case (id) WHERE restricted = 1;
CREATE INDEX csirt_case_received ON csirt_case (received, id);

-- What happened, in order; never changed. hash = SHA-256 of the one before and of this line.
CREATE TABLE csirt_entry (
    id @ID@,
    case_id BIGINT NOT NULL REFERENCES csirt_case (id),
    seq BIGINT NOT NULL,
    time BIGINT NOT NULL,
    author TEXT NOT NULL, -- an account, or "" for the program
    kind TEXT NOT NULL,
    details TEXT NOT NULL,
    hash TEXT NOT NULL,
    UNIQUE (case_id, seq)
);

-- Who takes part, each in a thread of its own, with its own part of the case.
CREATE TABLE csirt_party (
    id @ID@,
    case_id BIGINT NOT NULL REFERENCES csirt_case (id),
    role TEXT NOT NULL, -- declarant organisation isp csirt authority supplier other
    name TEXT NOT NULL,
    mail TEXT NOT NULL DEFAULT '',
    phone TEXT NOT NULL DEFAULT '',
    language TEXT NOT NULL DEFAULT '',
    fingerprint TEXT NOT NULL DEFAULT '', -- the OpenPGP key it is written to with
    partner TEXT NOT NULL DEFAULT '',     -- an escalation partner of the team's file
    sees TEXT NOT NULL DEFAULT '[]',      -- members of the case it may be told
    code TEXT NOT NULL DEFAULT '',        -- SHA-256 of the code that its messages carry
    origin BIGINT NOT NULL DEFAULT 0,     -- the case it came with, where that was merged into this one
    created BIGINT NOT NULL
);
CREATE INDEX csirt_party_case ON csirt_party (case_id, id);

CREATE TABLE csirt_message (
    id @ID@,
    case_id BIGINT NOT NULL REFERENCES csirt_case (id),
    party_id BIGINT NOT NULL DEFAULT 0,
    direction TEXT NOT NULL, -- in out
    channel TEXT NOT NULL,   -- form mail phone private
    time BIGINT NOT NULL,
    author TEXT NOT NULL,    -- an account; what comes in: ""
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    protection TEXT NOT NULL DEFAULT '{}', -- encrypted, signed: how, by whom, how well
    mail_id BIGINT NOT NULL DEFAULT 0,     -- out: the row of `mail`; in: of the mailbox
    message_id TEXT NOT NULL DEFAULT '',
    origin BIGINT NOT NULL DEFAULT 0,      -- the case it came with, where that was merged into this one
    unique_key TEXT UNIQUE
);
CREATE INDEX csirt_message_case ON csirt_message (case_id, id);
CREATE INDEX csirt_message_mail ON csirt_message (message_id) WHERE message_id <> '';

CREATE TABLE csirt_artefact (
    id @ID@,
    case_id BIGINT NOT NULL REFERENCES csirt_case (id),
    message_id BIGINT NOT NULL DEFAULT 0,
    name TEXT NOT NULL,
    note TEXT NOT NULL DEFAULT '',
    size BIGINT NOT NULL,
    sha256 TEXT NOT NULL,
    added BIGINT NOT NULL,
    author TEXT NOT NULL,
    sealed @BLOB@ NOT NULL
);
CREATE INDEX csirt_artefact_case ON csirt_artefact (case_id, id);
CREATE INDEX csirt_artefact_hash ON csirt_artefact (sha256);

CREATE TABLE csirt_task (
    id @ID@,
    case_id BIGINT NOT NULL REFERENCES csirt_case (id),
    kind TEXT NOT NULL,     -- todo call private-message verify escalate review read-mail key
    title TEXT NOT NULL,
    details TEXT NOT NULL DEFAULT '{}',
    assignee TEXT NOT NULL DEFAULT '',
    due BIGINT NOT NULL DEFAULT 0,
    created BIGINT NOT NULL,
    author TEXT NOT NULL,
    done BIGINT NOT NULL DEFAULT 0,
    done_by TEXT NOT NULL DEFAULT '',
    outcome TEXT NOT NULL DEFAULT ''
);
CREATE INDEX csirt_task_case ON csirt_task (case_id, id);
CREATE INDEX csirt_task_open ON csirt_task (due, id) WHERE done = 0;

-- To devices, endpoints and findings of the fleet, and to other cases.
CREATE TABLE csirt_link (
    case_id BIGINT NOT NULL REFERENCES csirt_case (id),
    kind TEXT NOT NULL, -- device endpoint finding case
    ref BIGINT NOT NULL,
    note TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (case_id, kind, ref)
);
CREATE INDEX csirt_link_ref ON csirt_link (kind, ref);

-- Who reported, sealed to the head of CSIRT's key: no process of ours can read it.
CREATE TABLE csirt_source (
    case_id BIGINT PRIMARY KEY REFERENCES csirt_case (id),
    sealed @BLOB@ NOT NULL
);

-- The owner's word that something may go further than its label says.
CREATE TABLE csirt_consent (
    id @ID@,
    case_id BIGINT NOT NULL REFERENCES csirt_case (id),
    owner TEXT NOT NULL,
    scope TEXT NOT NULL, -- JSON: audiences, members
    evidence TEXT NOT NULL,
    given BIGINT NOT NULL,
    ends BIGINT NOT NULL,
    author TEXT NOT NULL,
    withdrawn BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX csirt_consent_case ON csirt_consent (case_id, id);

CREATE TABLE csirt_access (
    case_id BIGINT NOT NULL REFERENCES csirt_case (id),
    account TEXT NOT NULL,
    author TEXT NOT NULL,
    time BIGINT NOT NULL,
    PRIMARY KEY (case_id, account)
);

-- Each look at a case marked TLP:RED.
CREATE TABLE csirt_reading (
    id @ID@,
    case_id BIGINT NOT NULL,
    account TEXT NOT NULL,
    time BIGINT NOT NULL,
    what TEXT NOT NULL
);
CREATE INDEX csirt_reading_case ON csirt_reading (case_id, id);

CREATE TABLE csirt_escalation (
    id @ID@,
    case_id BIGINT NOT NULL REFERENCES csirt_case (id),
    partner TEXT NOT NULL,
    rule TEXT NOT NULL,
    state TEXT NOT NULL, -- proposed confirmed declined
    reason TEXT NOT NULL DEFAULT '',
    decided_by TEXT NOT NULL DEFAULT '',
    decided BIGINT NOT NULL DEFAULT 0,
    message_id BIGINT NOT NULL DEFAULT 0,
    created BIGINT NOT NULL,
    UNIQUE (case_id, partner)
);

CREATE TABLE csirt_word (
    word @BLOB@ NOT NULL,
    case_id BIGINT NOT NULL,
    PRIMARY KEY (word, case_id)
);
CREATE INDEX csirt_word_case ON csirt_word (case_id, word);
