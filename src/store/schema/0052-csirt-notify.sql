-- csirt: whom to tell, what was proven, what was told, and whether it is mended.

-- A contact is held for an organisation of the fleet, or a domain, for all cases.
CREATE TABLE csirt_contact (
    id @ID@,
    organisation_id BIGINT NOT NULL DEFAULT 0,
    domain TEXT NOT NULL DEFAULT '',
    kind TEXT NOT NULL,      -- mail phone page private
    value TEXT NOT NULL,
    name TEXT NOT NULL DEFAULT '',
    language TEXT NOT NULL DEFAULT '',
    source TEXT NOT NULL,    -- person fleet security-txt contact-page legal-page rdap whois
    place TEXT NOT NULL DEFAULT '',
    confidence BIGINT NOT NULL,
    details TEXT NOT NULL DEFAULT '{}',
    found BIGINT NOT NULL,
    seen BIGINT NOT NULL,    -- found again
    confirmed BIGINT NOT NULL DEFAULT 0,
    confirmed_by TEXT NOT NULL DEFAULT '',
    rejected BIGINT NOT NULL DEFAULT 0,
    bounces BIGINT NOT NULL DEFAULT 0,
    bounced BIGINT NOT NULL DEFAULT 0,
    fingerprint TEXT NOT NULL DEFAULT '',
    UNIQUE (organisation_id, domain, kind, value)
);
CREATE INDEX csirt_contact_domain ON csirt_contact (domain);

-- A search made for a case: each question asked, and what came of it.
CREATE TABLE csirt_lookup (
    id @ID@,
    case_id BIGINT NOT NULL REFERENCES csirt_case (id),
    domain TEXT NOT NULL,
    author TEXT NOT NULL,
    requested BIGINT NOT NULL,
    finished BIGINT NOT NULL DEFAULT 0,
    steps TEXT NOT NULL DEFAULT '[]',
    security_txt TEXT NOT NULL DEFAULT '' -- JSON
);
CREATE INDEX csirt_lookup_case ON csirt_lookup (case_id, id);
CREATE INDEX csirt_lookup_domain ON csirt_lookup (domain);

-- A key that a domain says is its own.
CREATE TABLE csirt_key (
    id @ID@,
    domain TEXT NOT NULL,
    uri TEXT NOT NULL,
    fingerprint TEXT NOT NULL DEFAULT '', -- '': not to be had
    state TEXT NOT NULL,                  -- well soon broken missing
    problems TEXT NOT NULL DEFAULT '[]',
    expires BIGINT NOT NULL DEFAULT 0,
    checked BIGINT NOT NULL,
    UNIQUE (domain, uri)
);
CREATE INDEX csirt_key_checked ON csirt_key (checked, id);

CREATE TABLE csirt_verification (
    id @ID@,
    case_id BIGINT NOT NULL REFERENCES csirt_case (id),
    kind TEXT NOT NULL,    -- finding check
    ref BIGINT NOT NULL DEFAULT 0,
    outcome TEXT NOT NULL, -- present absent undecided
    method TEXT NOT NULL,
    target TEXT NOT NULL DEFAULT '',
    evidence TEXT NOT NULL DEFAULT '{}',
    author TEXT NOT NULL,
    time BIGINT NOT NULL
);
CREATE INDEX csirt_verification_case ON csirt_verification (case_id, id);

-- One matter told to one recipient, and where it stands on its ladder.
CREATE TABLE csirt_notice (
    id @ID@,
    case_id BIGINT NOT NULL REFERENCES csirt_case (id),
    party_id BIGINT NOT NULL,
    kind TEXT NOT NULL,  -- notice escalation feedback
    state TEXT NOT NULL, -- draft ready waiting answered silent blocked withdrawn
    audience TEXT NOT NULL,
    partner TEXT NOT NULL DEFAULT '', -- an escalation's
    language TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    sees TEXT NOT NULL,  -- JSON: the members of the case that it is about
    expected TEXT NOT NULL,
    answer_by BIGINT NOT NULL DEFAULT 0,
    ladder TEXT NOT NULL, -- JSON: [ { rung, contact, value, tries } ]
    step BIGINT NOT NULL DEFAULT 0,
    next BIGINT NOT NULL DEFAULT 0,
    protection TEXT NOT NULL DEFAULT '', -- JSON
    why TEXT NOT NULL DEFAULT '',        -- JSON: what blocks it
    code TEXT NOT NULL DEFAULT '',       -- by which its messages are checked; as secret as they are
    link TEXT NOT NULL DEFAULT '',       -- SHA-256 of what the link to its content holds
    link_code TEXT NOT NULL DEFAULT '',  -- SHA-256 of the code told by phone
    link_tries BIGINT NOT NULL DEFAULT 0,
    created BIGINT NOT NULL,
    author TEXT NOT NULL,
    confirmed BIGINT NOT NULL DEFAULT 0,
    confirmed_by TEXT NOT NULL DEFAULT '',
    overridden TEXT NOT NULL DEFAULT '', -- why it was sent in spite of what stood in the way
    sent BIGINT NOT NULL DEFAULT 0,
    answered BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX csirt_notice_case ON csirt_notice (case_id, id);
CREATE INDEX csirt_notice_next ON csirt_notice (next, id) WHERE state = 'waiting' AND next > 0;
CREATE INDEX csirt_notice_link ON csirt_notice (link) WHERE link <> '';

-- Each message of a notice, by which answers and bounces find it.
CREATE TABLE csirt_notice_mail (
    message_id TEXT PRIMARY KEY,
    notice_id BIGINT NOT NULL REFERENCES csirt_notice (id),
    contact_id BIGINT NOT NULL,
    step BIGINT NOT NULL,
    sent BIGINT NOT NULL,
    bounced BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE csirt_follow (
    case_id BIGINT PRIMARY KEY REFERENCES csirt_case (id),
    days BIGINT NOT NULL, -- between two examinations; 0: none
    next BIGINT NOT NULL,
    checked BIGINT NOT NULL DEFAULT 0, -- asked for
    looked BIGINT NOT NULL DEFAULT 0,  -- at what came of it
    state TEXT NOT NULL DEFAULT 'unknown' -- present gone returned unknown
);
CREATE INDEX csirt_follow_next ON csirt_follow (next, case_id) WHERE days > 0;
CREATE INDEX csirt_follow_looked ON csirt_follow (looked, case_id) WHERE days > 0;
