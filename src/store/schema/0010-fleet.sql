-- fleet: who and what is watched, what was seen there, what follows from it.
--
-- Times are seconds UTC; 0 is "not yet", 253402300800 (the year 10000) is "has no end", so that both databases sort
-- them alike. `fold` columns hold vigie_text_fold of their neighbour. Ranks: criticality 0 not known, 1 minor to 4
-- vital; state 0 well, 1 unknown, 2 soon, 3 broken; severity -1 none, 0 info to 4 critical; finding.state 0 open,
-- 1 acknowledged, 2 reopened, 3 mended. What a list filters by is repeated in its table (organisation, class, owner,
-- criticality of the device), so that no list needs a join to find its rows. The indexes that counts go through repeat
-- the column of their condition, without which SQLite would read every row to see it.

CREATE TABLE organisation (
    id @ID@,
    name TEXT NOT NULL,
    fold TEXT NOT NULL,
    finess TEXT NOT NULL DEFAULT '',
    note TEXT NOT NULL DEFAULT '',
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL
);
CREATE UNIQUE INDEX organisation_fold ON organisation (fold);

CREATE TABLE device (
    id @ID@,
    organisation_id BIGINT NOT NULL REFERENCES organisation (id),
    name TEXT NOT NULL,
    fold TEXT NOT NULL,
    gmao TEXT NOT NULL DEFAULT '',
    class TEXT NOT NULL DEFAULT '',
    manufacturer TEXT NOT NULL DEFAULT '',
    model TEXT NOT NULL DEFAULT '',
    serial TEXT NOT NULL DEFAULT '',
    firmware TEXT NOT NULL DEFAULT '',
    location TEXT NOT NULL DEFAULT '',
    fqdn TEXT NOT NULL DEFAULT '',
    ip TEXT NOT NULL DEFAULT '',
    owner TEXT NOT NULL DEFAULT 'biomed',
    criticality BIGINT NOT NULL DEFAULT 0,
    note TEXT NOT NULL DEFAULT '',
    retired BIGINT NOT NULL DEFAULT 0,
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    -- Worked out from its endpoints whenever one of them changes.
    state BIGINT NOT NULL DEFAULT 1,
    severity BIGINT NOT NULL DEFAULT -1,
    active_findings BIGINT NOT NULL DEFAULT 0,
    endpoint_count BIGINT NOT NULL DEFAULT 0,
    not_after BIGINT NOT NULL DEFAULT 253402300800,
    checked BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX device_gmao ON device (organisation_id, gmao) WHERE gmao <> '';
CREATE INDEX device_serial ON device (organisation_id, serial) WHERE serial <> '';
CREATE INDEX device_counts ON device (organisation_id, class, state, not_after, owner, criticality, retired)
    WHERE retired = 0;
CREATE INDEX device_by_state ON device (state DESC, not_after, id, retired) WHERE retired = 0;
CREATE INDEX device_org_state ON device (organisation_id, state DESC, not_after, id, retired) WHERE retired = 0;
CREATE INDEX device_class_state ON device (class, state DESC, not_after, id) WHERE retired = 0;
CREATE INDEX device_by_name ON device (fold, id) WHERE retired = 0;
CREATE INDEX device_org_name ON device (organisation_id, fold, id) WHERE retired = 0;
CREATE INDEX device_by_end ON device (not_after, id) WHERE retired = 0;
CREATE INDEX device_by_checked ON device (checked, id) WHERE retired = 0;
CREATE INDEX device_by_gmao ON device (gmao, id) WHERE retired = 0;
CREATE INDEX device_by_manufacturer ON device (manufacturer, model, id) WHERE retired = 0;
CREATE INDEX device_by_model ON device (model, id) WHERE retired = 0;
CREATE INDEX device_by_location ON device (location, id) WHERE retired = 0;
CREATE INDEX device_by_owner ON device (owner, id) WHERE retired = 0;
CREATE INDEX device_by_criticality ON device (criticality DESC, id) WHERE retired = 0;

CREATE TABLE contact (
    id @ID@,
    organisation_id BIGINT NOT NULL REFERENCES organisation (id),
    device_id BIGINT REFERENCES device (id),
    role TEXT NOT NULL,
    name TEXT NOT NULL,
    mail TEXT NOT NULL,
    language TEXT NOT NULL DEFAULT 'fr',
    manufacturer TEXT NOT NULL DEFAULT '',
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL
);
CREATE INDEX contact_organisation ON contact (organisation_id);
CREATE INDEX contact_device ON contact (device_id);

CREATE TABLE certificate (
    id @ID@,
    sha256 @BLOB@ NOT NULL,
    der @BLOB@ NOT NULL,
    subject TEXT NOT NULL,
    issuer TEXT NOT NULL,
    common_name TEXT NOT NULL,
    serial TEXT NOT NULL,
    not_before BIGINT NOT NULL,
    not_after BIGINT NOT NULL,
    key_type TEXT NOT NULL,
    key_bits BIGINT NOT NULL,
    curve TEXT NOT NULL,
    signature_algorithm TEXT NOT NULL,
    signature_weak BIGINT NOT NULL,
    self_issued BIGINT NOT NULL,
    is_ca BIGINT NOT NULL,
    spki_sha256 @BLOB@ NOT NULL,
    names TEXT NOT NULL,
    malformed TEXT NOT NULL,
    first_seen BIGINT NOT NULL,
    endpoints BIGINT NOT NULL DEFAULT 0 -- that serve it now
);
CREATE UNIQUE INDEX certificate_sha256 ON certificate (sha256);
CREATE INDEX certificate_by_end ON certificate (not_after, id) WHERE endpoints > 0;
CREATE INDEX certificate_by_subject ON certificate (subject, id) WHERE endpoints > 0;
CREATE INDEX certificate_by_issuer ON certificate (issuer, id) WHERE endpoints > 0;
CREATE INDEX certificate_by_first ON certificate (first_seen, id) WHERE endpoints > 0;
CREATE INDEX certificate_by_use ON certificate (endpoints DESC, id) WHERE endpoints > 0;

CREATE TABLE endpoint (
    id @ID@,
    device_id BIGINT NOT NULL REFERENCES device (id),
    organisation_id BIGINT NOT NULL,
    class TEXT NOT NULL,
    owner TEXT NOT NULL,
    criticality BIGINT NOT NULL,
    live BIGINT NOT NULL DEFAULT 1, -- watched: not removed, its device not retired
    removed BIGINT NOT NULL DEFAULT 0,
    host TEXT NOT NULL,
    port BIGINT NOT NULL,
    protocol TEXT NOT NULL,
    connect TEXT NOT NULL DEFAULT '',
    name TEXT NOT NULL DEFAULT '',
    target TEXT NOT NULL,
    gentle BIGINT NOT NULL,
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    -- What was seen last.
    state BIGINT NOT NULL DEFAULT 1,
    outcome TEXT NOT NULL DEFAULT '',
    checked BIGINT NOT NULL DEFAULT 0,
    seen BIGINT NOT NULL DEFAULT 0,
    chain_seen BIGINT NOT NULL DEFAULT 0,
    failures BIGINT NOT NULL DEFAULT 0,
    silent_since BIGINT NOT NULL DEFAULT 0,
    versions BIGINT NOT NULL DEFAULT -1,
    certificate_id BIGINT REFERENCES certificate (id),
    ending_id BIGINT REFERENCES certificate (id), -- the one of its chain that ends first, at not_after
    not_after BIGINT NOT NULL DEFAULT 253402300800,
    severity BIGINT NOT NULL DEFAULT -1,
    active_findings BIGINT NOT NULL DEFAULT 0,
    content_id BIGINT NOT NULL DEFAULT 0, -- the observation that holds the last record's JSON
    content_hash @BLOB@
);
CREATE UNIQUE INDEX endpoint_place ON endpoint (device_id, host, port);
CREATE INDEX endpoint_counts ON endpoint (organisation_id, class, state, not_after, owner, criticality, live)
    WHERE live = 1;
CREATE INDEX endpoint_by_state ON endpoint (state DESC, not_after, id, live) WHERE live = 1;
CREATE INDEX endpoint_org_state ON endpoint (organisation_id, state DESC, not_after, id, live) WHERE live = 1;
CREATE INDEX endpoint_by_end ON endpoint (not_after, id, live) WHERE live = 1;
CREATE INDEX endpoint_org_end ON endpoint (organisation_id, not_after, id, live) WHERE live = 1;
CREATE INDEX endpoint_by_checked ON endpoint (checked, id) WHERE live = 1;
CREATE INDEX endpoint_by_target ON endpoint (target, id) WHERE live = 1;
CREATE INDEX endpoint_by_outcome ON endpoint (outcome, id, live) WHERE live = 1;
CREATE INDEX endpoint_silent ON endpoint (silent_since, id) WHERE live = 1 AND silent_since > 0;
CREATE INDEX endpoint_certificate_now ON endpoint (certificate_id);

CREATE TABLE endpoint_certificate (
    endpoint_id BIGINT NOT NULL REFERENCES endpoint (id),
    certificate_id BIGINT NOT NULL REFERENCES certificate (id),
    position BIGINT NOT NULL,
    organisation_id BIGINT NOT NULL,
    first_seen BIGINT NOT NULL,
    last_seen BIGINT NOT NULL, -- of a current one: the endpoint's chain_seen
    current BIGINT NOT NULL,
    PRIMARY KEY (endpoint_id, certificate_id, position)
);
CREATE INDEX endpoint_certificate_users ON endpoint_certificate (certificate_id, current, endpoint_id);
CREATE INDEX endpoint_certificate_org ON endpoint_certificate (organisation_id, certificate_id) WHERE current = 1;

CREATE TABLE survey_run (
    id @ID@,
    state TEXT NOT NULL, -- waiting running finished failed
    scope TEXT NOT NULL,
    organisation_id BIGINT NOT NULL DEFAULT 0, -- the scope's, 0: all
    depth BIGINT NOT NULL,
    requested_by TEXT NOT NULL,
    requested BIGINT NOT NULL,
    started BIGINT NOT NULL DEFAULT 0,
    finished BIGINT NOT NULL DEFAULT 0,
    targets BIGINT NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    result TEXT NOT NULL DEFAULT '' -- its counts, once it is finished
);
CREATE UNIQUE INDEX survey_run_once ON survey_run (scope, depth) WHERE finished = 0;
CREATE INDEX survey_run_finished ON survey_run (finished);

CREATE TABLE observation (
    id @ID@,
    endpoint_id BIGINT NOT NULL REFERENCES endpoint (id),
    run_id BIGINT REFERENCES survey_run (id),
    time BIGINT NOT NULL,
    outcome TEXT NOT NULL,
    clock_offset BIGINT,
    total_ms DOUBLE PRECISION NOT NULL,
    same_as BIGINT, -- the observation whose record says the same
    record TEXT     -- or the record itself
);
CREATE UNIQUE INDEX observation_run ON observation (run_id, endpoint_id) WHERE run_id IS NOT NULL;
CREATE INDEX observation_outcome ON observation (run_id, outcome) WHERE run_id IS NOT NULL;
CREATE INDEX observation_endpoint ON observation (endpoint_id, id);

CREATE TABLE finding (
    id @ID@,
    endpoint_id BIGINT NOT NULL REFERENCES endpoint (id),
    device_id BIGINT NOT NULL REFERENCES device (id),
    organisation_id BIGINT NOT NULL,
    class TEXT NOT NULL,
    owner TEXT NOT NULL,
    criticality BIGINT NOT NULL,
    live BIGINT NOT NULL DEFAULT 1,
    active BIGINT NOT NULL DEFAULT 1, -- live and not mended
    kind TEXT NOT NULL,
    severity BIGINT NOT NULL,
    state BIGINT NOT NULL,
    evidence TEXT NOT NULL,
    depth BIGINT NOT NULL,
    first_seen BIGINT NOT NULL,
    last_seen BIGINT NOT NULL,
    mended BIGINT NOT NULL DEFAULT 0,
    reopened BIGINT NOT NULL DEFAULT 0,
    reopenings BIGINT NOT NULL DEFAULT 0,
    acknowledged BIGINT NOT NULL DEFAULT 0,
    acknowledged_by TEXT NOT NULL DEFAULT '',
    acknowledged_note TEXT NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX finding_place ON finding (endpoint_id, kind);
CREATE INDEX finding_device ON finding (device_id);
CREATE INDEX finding_by_severity ON finding (severity DESC, last_seen DESC, id DESC, live, active) WHERE active = 1;
CREATE INDEX finding_org_severity ON finding (organisation_id, severity DESC, last_seen DESC, id DESC, live, active)
    WHERE active = 1;
CREATE INDEX finding_class_severity ON finding (class, severity DESC, last_seen DESC, id DESC, live, active)
    WHERE active = 1;
CREATE INDEX finding_kind_severity ON finding (kind, severity DESC, last_seen DESC, id DESC, live, active)
    WHERE active = 1;
CREATE INDEX finding_all_severity ON finding (severity DESC, last_seen DESC, id DESC, live) WHERE live = 1;
CREATE INDEX finding_by_last ON finding (last_seen, id) WHERE live = 1;
CREATE INDEX finding_by_first ON finding (first_seen, id) WHERE live = 1;
CREATE INDEX finding_by_kind ON finding (kind, id) WHERE live = 1;
CREATE INDEX finding_by_life ON finding (state, severity DESC, last_seen DESC, id DESC, live) WHERE live = 1;

CREATE TABLE event (
    id @ID@,
    time BIGINT NOT NULL,
    kind TEXT NOT NULL,
    notable BIGINT NOT NULL DEFAULT 0,
    organisation_id BIGINT NOT NULL,
    device_id BIGINT NOT NULL DEFAULT 0,
    endpoint_id BIGINT NOT NULL DEFAULT 0,
    certificate_id BIGINT NOT NULL DEFAULT 0,
    finding_id BIGINT NOT NULL DEFAULT 0,
    run_id BIGINT,
    author TEXT NOT NULL DEFAULT '',
    details TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX event_device ON event (device_id, id);
CREATE INDEX event_endpoint ON event (endpoint_id, id);
CREATE INDEX event_organisation ON event (organisation_id, id);
CREATE INDEX event_kind ON event (kind, id);
CREATE INDEX event_notable ON event (id) WHERE notable = 1;
CREATE INDEX event_run ON event (run_id, kind) WHERE run_id IS NOT NULL;

CREATE TABLE notice (
    id @ID@,
    mail TEXT NOT NULL,
    name TEXT NOT NULL,
    language TEXT NOT NULL,
    role TEXT NOT NULL,
    created BIGINT NOT NULL,
    sent BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX notice_waiting ON notice (id) WHERE sent = 0;

CREATE TABLE alarm (
    id @ID@,
    kind TEXT NOT NULL, -- expiry certificate-changed endpoint-silent
    endpoint_id BIGINT NOT NULL REFERENCES endpoint (id),
    organisation_id BIGINT NOT NULL,
    certificate_id BIGINT NOT NULL DEFAULT 0,
    threshold BIGINT NOT NULL DEFAULT -1, -- days
    occasion BIGINT NOT NULL DEFAULT 0,   -- what makes it another one: each silence is
    event_id BIGINT NOT NULL DEFAULT 0,   -- its details
    urgent BIGINT NOT NULL,
    due BIGINT NOT NULL,
    addressed BIGINT NOT NULL DEFAULT 0, -- who is to be told is written down
    created BIGINT NOT NULL
);
CREATE UNIQUE INDEX alarm_once ON alarm (endpoint_id, kind, certificate_id, threshold, occasion);
CREATE INDEX alarm_unaddressed ON alarm (id) WHERE addressed = 0;
CREATE INDEX alarm_organisation ON alarm (organisation_id, id);

-- Who is told of an alarm. notice_id 0: waits for its hour; -1: was over before.
CREATE TABLE alarm_recipient (
    alarm_id BIGINT NOT NULL REFERENCES alarm (id),
    mail TEXT NOT NULL,
    name TEXT NOT NULL,
    language TEXT NOT NULL,
    role TEXT NOT NULL,
    due BIGINT NOT NULL,
    notice_id BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (alarm_id, mail)
);
CREATE INDEX alarm_recipient_waiting ON alarm_recipient (due) WHERE notice_id = 0;
CREATE INDEX alarm_recipient_notice ON alarm_recipient (notice_id);

-- The beginnings of words people search by, folded; bytes, because text sorts by locale. kind: 1 device,
-- 2 endpoint, 3 certificate.
CREATE TABLE search_word (
    word @BLOB@ NOT NULL,
    kind BIGINT NOT NULL,
    ref BIGINT NOT NULL,
    PRIMARY KEY (kind, word, ref)
);
