/* The table of probes. Each says when it is wanted, what it offers, and what its answer tells; the engine asks the
 * first that is wanted until none is. So what is asked next depends on nothing but what is known. */
#include "survey/engine.h"

/* The ladder: hellos to get one ServerHello from whoever is there, each tried once at most. */
typedef enum {
    RUNG_USUAL,  /* what a client says, with TLS 1.2 as its highest: the certificate comes in clear */
    RUNG_MODERN, /* TLS 1.3 alone */
    RUNG_WIDE,   /* every suite there is */
    RUNG_SMALL,  /* at most 255 octets */
    RUNG_OLD,    /* TLS 1.0 without extensions */
    RUNG_SSL3,
    RUNG_SSL2,
    RUNG_PLAIN,  /* not a hello: who is it that says nothing? */
    RUNG_PLAIN2, /* and a second question */
} Rung;

static const uint16_t secp256r1 = 23;

#define VERSION(v) ((uint8_t)(1u << (v)))

static bool gentle(const Endpoint *endpoint) {
    return endpoint->record.target.gentle;
}

static bool full(const Endpoint *endpoint) {
    return endpoint->record.depth == VIGIE_DEPTH_FULL;
}

/* ---- What every answer tells -------------------------------------------------------------------------------- */
static void take_chain(Endpoint *endpoint, const VigieTlsResult *result) {
    VigieRecord *record = &endpoint->record;
    if (record->chain || result->certificate_count == 0)
        return;
    g_autoptr(GError) error = NULL;
    record->chain = x509_chain_cache_get(endpoint->engine->chains, result->certificates,
                                         result->certificate_count, &error);
    record->version = result->version;
    record->suite = result->suite;
    if (!record->chain)
        engine_outcome(endpoint, VIGIE_OUTCOME_MALFORMED, error->message);
}

static void take_sample(Endpoint *endpoint, const VigieTlsResult *result) {
    if (result->has_time && endpoint->known.sample_count < CLOCK_SAMPLES)
        endpoint->known.samples[endpoint->known.sample_count++] =
            (VigieClockSample){.server = result->time, .local = endpoint->answered_at};
}

static void take_hello(Endpoint *endpoint, const VigieTlsResult *result) {
    VigieRecord *record = &endpoint->record;
    endpoint->known.seen = true;
    record->versions_offered |= VERSION(result->version);
    record->versions_tested |= VERSION(result->version);
    take_sample(endpoint, result);
    take_chain(endpoint, result);
    if (result->complete && record->client_certificate != VIGIE_YES)
        record->client_certificate = result->certificate_request ? VIGIE_YES : VIGIE_NO;
    if (result->server_group_count > 0)
        groups_told(endpoint, result);
    if (result->version == VIGIE_SSL2 && record->suites[VIGIE_SSL2].count == 0) {
        size_t count = result->ssl2_suites.size / 3;
        uint32_t *ids = record->suites[VIGIE_SSL2].ids = g_new(uint32_t, MAX(1, count));
        VigieReader reader = vigie_reader(result->ssl2_suites);
        for (size_t i = 0; i < count; i++)
            ids[i] = vigie_read_u24(&reader);
        record->suites[VIGIE_SSL2].count = count;
    }
}

/* A ServerHello, whatever came after it? */
static bool has_hello(const Answer *answer) {
    return answer->result && answer->result->version < VIGIE_VERSIONS &&
           (answer->outcome == VIGIE_OUTCOME_OK || answer->result->suite != 0);
}

static bool is_unmade(VigieOutcome outcome) {
    return outcome == VIGIE_OUTCOME_REFUSED || outcome == VIGIE_OUTCOME_UNREACHABLE ||
           outcome == VIGIE_OUTCOME_TIMEOUT_CONNECT;
}

/* Common to all hellos. True: there is a ServerHello. */
static bool take(Endpoint *endpoint, const Answer *answer) {
    endpoint->known.last = answer->outcome;
    endpoint->known.alert = answer->result ? answer->result->alert_code : 0;
    endpoint->known.silent = answer->outcome == VIGIE_OUTCOME_TIMEOUT_HANDSHAKE;
    if (is_unmade(answer->outcome))
        endpoint->known.gone = true;
    bool seen = has_hello(answer);
    if (seen)
        take_hello(endpoint, answer->result);
    return seen;
}

/* ---- Offers ------------------------------------------------------------------------------------------------- */
static void plan_versions(Endpoint *endpoint, uint8_t versions, VigieHelloForm form, VigieTlsUntil until) {
    endpoint->plan = tls_hello_plan(versions);
    endpoint->plan.form = form;
    endpoint->plan.server_name = endpoint->known.nameless ? NULL : endpoint->name;
    endpoint->until = until;
}

static void offer_all_suites(Endpoint *endpoint, VigieVersion version) {
    endpoint->plan.suite_count = tls_suites_of(version, &endpoint->plan.suites);
}

/* For a certificate of TLS 1.3: with secp256r1 as the only share OpenSSL tells all its groups besides, since that
 * is not the group it prefers (RFC 8446 4.2.7). */
static void plan_tls13(Endpoint *endpoint) {
    plan_versions(endpoint, VERSION(VIGIE_TLS13), VIGIE_HELLO_NORMAL, VIGIE_UNTIL_CERTIFICATE);
    if (!full(endpoint))
        return;
    endpoint->plan.shares = &secp256r1;
    endpoint->plan.share_count = 1;
    offer_all_suites(endpoint, VIGIE_TLS13);
}

/* ---- The ladder --------------------------------------------------------------------------------------------- */
static bool tried(const Endpoint *endpoint, Rung rung) {
    return endpoint->known.tried & 1u << rung;
}

static bool is_alert(const Endpoint *endpoint, uint8_t code) {
    return endpoint->known.last == VIGIE_OUTCOME_ALERT && endpoint->known.alert == code;
}

/* Did the last hello fail in a way that another hello may mend? */
static bool may_mend(const Endpoint *endpoint) {
    if (endpoint->known.seen || !endpoint->known.tried)
        return false;
    switch (endpoint->known.last) {
    case VIGIE_OUTCOME_ALERT:
    case VIGIE_OUTCOME_RESET_AFTER_HELLO:
    case VIGIE_OUTCOME_CLOSED_AFTER_HELLO:
    case VIGIE_OUTCOME_TIMEOUT_HANDSHAKE:
    case VIGIE_OUTCOME_MALFORMED:
        return true;
    case VIGIE_OUTCOME_NOT_TLS:
        return endpoint->record.outcome == VIGIE_OUTCOME_NOT_TLS &&
               strcmp(endpoint->record.detail, "unknown") == 0;
    default:
        return false;
    }
}

enum { ALERT_HANDSHAKE_FAILURE = 40, ALERT_INSUFFICIENT_SECURITY = 71, ALERT_UNRECOGNIZED_NAME = 112 };

static bool ladder_wants(const Endpoint *endpoint, Rung rung) {
    if (tried(endpoint, rung) || !may_mend(endpoint))
        return false;
    switch (rung) {
    case RUNG_MODERN:
        return !gentle(endpoint) && endpoint->known.last != VIGIE_OUTCOME_TIMEOUT_HANDSHAKE;
    case RUNG_WIDE:
        return !gentle(endpoint) && !full(endpoint) &&
               (is_alert(endpoint, ALERT_HANDSHAKE_FAILURE) ||
                is_alert(endpoint, ALERT_INSUFFICIENT_SECURITY));
    case RUNG_SMALL:
    case RUNG_OLD:
        return true;
    case RUNG_SSL3:
    case RUNG_SSL2:
        return !gentle(endpoint);
    default:
        return false;
    }
}

static void learn_rung(Endpoint *endpoint, const Answer *answer) {
    take(endpoint, answer);
    if (is_alert(endpoint, ALERT_UNRECOGNIZED_NAME) && !endpoint->known.nameless) {
        endpoint->known.nameless = true; /* once more without */
        endpoint->known.tried = 0;
    }
    engine_outcome(endpoint, answer->outcome, answer->detail);
}

static bool wants_usual(const Endpoint *endpoint) {
    return !tried(endpoint, RUNG_USUAL);
}

/* To a gentle target, what any client says. To others TLS 1.2 at the highest: the certificate then comes in clear,
 * without cryptography on either side; and at depth full all suites, which is the first step of their elimination. */
static void plan_usual(Endpoint *endpoint) {
    endpoint->known.tried |= 1u << RUNG_USUAL;
    uint8_t versions = VERSION(VIGIE_TLS12) | (gentle(endpoint) ? VERSION(VIGIE_TLS13) : 0);
    plan_versions(endpoint, versions, VIGIE_HELLO_NORMAL, VIGIE_UNTIL_CERTIFICATE);
    if (full(endpoint) && !gentle(endpoint))
        offer_all_suites(endpoint, VIGIE_TLS12);
}

/* All between the answer and what was offered was passed over by the server: RFC 5246 E.1. */
static void mark_passed_over(Endpoint *endpoint, VigieVersion highest, VigieVersion answered) {
    for (VigieVersion version = answered; version <= highest; version++)
        endpoint->record.versions_tested |= VERSION(version);
}

static void learn_usual(Endpoint *endpoint, const Answer *answer) {
    learn_rung(endpoint, answer);
    if (!has_hello(answer))
        return;
    mark_passed_over(endpoint, gentle(endpoint) ? VIGIE_TLS13 : VIGIE_TLS12, answer->result->version);
    if (full(endpoint) && !gentle(endpoint))
        suites_first(endpoint, answer->result);
}

static bool wants_modern(const Endpoint *endpoint) {
    return ladder_wants(endpoint, RUNG_MODERN);
}

static void plan_modern(Endpoint *endpoint) {
    endpoint->known.tried |= 1u << RUNG_MODERN;
    plan_tls13(endpoint);
}

static void learn_modern(Endpoint *endpoint, const Answer *answer) {
    learn_rung(endpoint, answer);
    if (has_hello(answer) && full(endpoint))
        suites_first(endpoint, answer->result);
}

static bool wants_wide(const Endpoint *endpoint) {
    return ladder_wants(endpoint, RUNG_WIDE);
}

static void plan_wide(Endpoint *endpoint) {
    endpoint->known.tried |= 1u << RUNG_WIDE;
    plan_versions(endpoint, VERSION(VIGIE_TLS12), VIGIE_HELLO_NORMAL, VIGIE_UNTIL_CERTIFICATE);
    offer_all_suites(endpoint, VIGIE_TLS12);
}

static bool wants_small(const Endpoint *endpoint) {
    return ladder_wants(endpoint, RUNG_SMALL);
}

static void plan_small(Endpoint *endpoint) {
    endpoint->known.tried |= 1u << RUNG_SMALL;
    plan_versions(endpoint, VERSION(VIGIE_TLS12), VIGIE_HELLO_SMALL, VIGIE_UNTIL_CERTIFICATE);
}

static bool wants_old(const Endpoint *endpoint) {
    return ladder_wants(endpoint, RUNG_OLD);
}

static void plan_old(Endpoint *endpoint) {
    endpoint->known.tried |= 1u << RUNG_OLD;
    plan_versions(endpoint, VERSION(VIGIE_TLS10), VIGIE_HELLO_BARE, VIGIE_UNTIL_CERTIFICATE);
}

static bool wants_ssl3(const Endpoint *endpoint) {
    return ladder_wants(endpoint, RUNG_SSL3);
}

static void plan_ssl3(Endpoint *endpoint) {
    endpoint->known.tried |= 1u << RUNG_SSL3;
    plan_versions(endpoint, VERSION(VIGIE_SSL3), VIGIE_HELLO_BARE, VIGIE_UNTIL_CERTIFICATE);
}

static bool wants_ssl2(const Endpoint *endpoint) {
    return ladder_wants(endpoint, RUNG_SSL2);
}

static void plan_ssl2(Endpoint *endpoint) {
    endpoint->known.tried |= 1u << RUNG_SSL2;
    plan_versions(endpoint, VERSION(VIGIE_SSL2), VIGIE_HELLO_BARE, VIGIE_UNTIL_CERTIFICATE);
}

/* ---- Versions ----------------------------------------------------------------------------------------------- */
/* The highest not yet tried; VIGIE_VERSIONS: none. */
static VigieVersion next_version(const Endpoint *endpoint) {
    uint8_t done = endpoint->record.versions_tested | endpoint->known.attempted;
    for (VigieVersion version = VIGIE_TLS13; version >= VIGIE_SSL3; version--)
        if (!(done & VERSION(version)))
            return version;
    bool ssl2 = !gentle(endpoint) && !(done & VERSION(VIGIE_SSL2)) && !tried(endpoint, RUNG_SSL2);
    return ssl2 ? VIGIE_SSL2 : VIGIE_VERSIONS;
}

static bool wants_version(const Endpoint *endpoint) {
    return endpoint->record.depth >= VIGIE_DEPTH_PROTOCOLS && endpoint->known.seen &&
           next_version(endpoint) != VIGIE_VERSIONS;
}

static void plan_version(Endpoint *endpoint) {
    VigieVersion version = next_version(endpoint);
    endpoint->known.attempted |= VERSION(version);
    if (version == VIGIE_TLS13 && full(endpoint)) {
        plan_tls13(endpoint);
        return;
    }
    plan_versions(endpoint, VERSION(version), version <= VIGIE_SSL3 ? VIGIE_HELLO_BARE : VIGIE_HELLO_NORMAL,
                  VIGIE_UNTIL_HELLO);
    if (version == VIGIE_TLS13)
        endpoint->plan.share_count = 0; /* a HelloRetryRequest says enough */
    if (version == VIGIE_SSL2)
        endpoint->until = VIGIE_UNTIL_CERTIFICATE; /* its hello holds all */
    if (full(endpoint) && !gentle(endpoint) && version > VIGIE_SSL2)
        offer_all_suites(endpoint, version);
}

enum { ALERT_PROTOCOL_VERSION = 70 };

static void learn_version(Endpoint *endpoint, const Answer *answer) {
    VigieVersion highest = VIGIE_SSL2;
    for (VigieVersion version = VIGIE_SSL2; version < VIGIE_VERSIONS; version++)
        if (endpoint->plan.versions & VERSION(version))
            highest = version;
    if (take(endpoint, answer)) {
        mark_passed_over(endpoint, highest, answer->result->version);
        bool all_offered = full(endpoint) && (!gentle(endpoint) || highest == VIGIE_TLS13);
        if (all_offered && answer->result->version > VIGIE_SSL2)
            suites_first(endpoint, answer->result);
        return;
    }
    switch (answer->outcome) {
    case VIGIE_OUTCOME_ALERT:
    case VIGIE_OUTCOME_RESET_AFTER_HELLO:
    case VIGIE_OUTCOME_CLOSED_AFTER_HELLO:
    case VIGIE_OUTCOME_MALFORMED:
    case VIGIE_OUTCOME_NOT_TLS:
        endpoint->record.versions_tested |= VERSION(highest);
        break;
    case VIGIE_OUTCOME_TIMEOUT_HANDSHAKE: /* how many answer SSLv2 */
        if (highest == VIGIE_SSL2)
            endpoint->record.versions_tested |= VERSION(highest);
        break;
    default:
        break;
    }
    /* A server that negotiates would have taken a lower one, had it any: RFC 5246 E.1, RFC 6101 5.6.1.2. */
    if (is_alert(endpoint, ALERT_PROTOCOL_VERSION) && highest < VIGIE_TLS12)
        mark_passed_over(endpoint, highest, VIGIE_SSL3);
}

/* ---- The clock ---------------------------------------------------------------------------------------------- */
static bool wants_clock(const Endpoint *endpoint) {
    int64_t offset;
    return !endpoint->known.clock_asked && !endpoint->record.clock_known && endpoint->known.seen &&
           tls_clock_judge(endpoint->known.samples, endpoint->known.sample_count, &offset) ==
               VIGIE_CLOCK_LIKELY;
}

static void plan_clock(Endpoint *endpoint) {
    endpoint->known.clock_asked = true;
    plan_versions(endpoint, VERSION(VIGIE_TLS12), VIGIE_HELLO_NORMAL, VIGIE_UNTIL_HELLO);
}

static void learn_clock(Endpoint *endpoint, const Answer *answer) {
    take(endpoint, answer);
}

/* ---- Who says nothing --------------------------------------------------------------------------------------- */
/* The next question in clear that this target may be asked; empty: none. */
static VigieBytes next_question(const Endpoint *endpoint) {
    return tried(endpoint, RUNG_PLAIN2)
               ? (VigieBytes){0}
               : plain_question(endpoint->record.target.protocol, tried(endpoint, RUNG_PLAIN));
}

static bool wants_plain(const Endpoint *endpoint) {
    bool mute = endpoint->known.last == VIGIE_OUTCOME_TIMEOUT_HANDSHAKE ||
                endpoint->known.last == VIGIE_OUTCOME_CLOSED_AFTER_HELLO ||
                endpoint->known.last == VIGIE_OUTCOME_RESET_AFTER_HELLO;
    return mute && !gentle(endpoint) && !endpoint->known.seen && endpoint->known.connected &&
           endpoint->record.timings.bytes_received == 0 && next_question(endpoint).size > 0;
}

static void plan_plain(Endpoint *endpoint) {
    plan_versions(endpoint, VERSION(VIGIE_TLS12), VIGIE_HELLO_NORMAL, VIGIE_UNTIL_HELLO);
    endpoint->plain = next_question(endpoint);
    endpoint->known.tried |= 1u << (tried(endpoint, RUNG_PLAIN) ? RUNG_PLAIN2 : RUNG_PLAIN);
}

static void learn_plain(Endpoint *endpoint, const Answer *answer) {
    if (answer->outcome == VIGIE_OUTCOME_NOT_TLS)
        engine_outcome(endpoint, answer->outcome, answer->detail);
}

/* ---- The date over HTTPS ------------------------------------------------------------------------------------ */
static bool wants_date(const Endpoint *endpoint) {
    switch (endpoint->record.target.protocol) {
    case VIGIE_PROTOCOL_HTTPS:
    case VIGIE_PROTOCOL_FHIR:
    case VIGIE_PROTOCOL_DICOMWEB:
        return endpoint->record.depth >= VIGIE_DEPTH_PROTOCOLS && endpoint->known.seen &&
               !endpoint->known.date_asked && endpoint->record.versions_offered >= VERSION(VIGIE_TLS10);
    default:
        return false;
    }
}

/* ---- The table ---------------------------------------------------------------------------------------------- */
static const Probe probes[] = {
    {PROBE_HELLO, 0, wants_usual, plan_usual, learn_usual},
    {PROBE_HELLO, 0, wants_modern, plan_modern, learn_modern},
    {PROBE_HELLO, 0, wants_wide, plan_wide, learn_rung},
    {PROBE_HELLO, 0, wants_small, plan_small, learn_rung},
    {PROBE_HELLO, 0, wants_old, plan_old, learn_rung},
    {PROBE_HELLO, 0, wants_ssl3, plan_ssl3, learn_rung},
    {PROBE_HELLO, 0, wants_ssl2, plan_ssl2, learn_rung},
    {PROBE_PLAIN, 0, wants_plain, plan_plain, learn_plain},
    {PROBE_HELLO, 0, wants_version, plan_version, learn_version},
    {PROBE_HELLO, 0, suites_wanted, suites_plan, suites_learn},
    {PROBE_HELLO, 0, groups_wanted, groups_plan, groups_learn},
    {PROBE_HELLO, 0, preference_wanted, preference_plan, preference_learn},
    {PROBE_SESSION, 0, wants_date, session_plan, session_learn},
    {PROBE_HELLO, 1100, wants_clock, plan_clock, learn_clock},
};

const Probe *probe_next(const Endpoint *endpoint) {
    for (size_t i = 0; i < G_N_ELEMENTS(probes); i++)
        if (probes[i].wanted(endpoint))
            return &probes[i];
    return NULL;
}
