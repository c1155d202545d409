/* Suites and groups by elimination.
 *
 * A server names one suite per connection: the one it likes best among those offered. Struck out and offered again
 * without it, it names the next, until it refuses: k suites take k + 1 connections, fewer are not possible without
 * guessing. All suites of a version go in one hello, so the order is the server's own. The same connections tell
 * the groups: each hello leaves out those already seen. A TLS 1.3 server is asked without a key share, and answers
 * with a HelloRetryRequest: suite and group without any cryptography. */
#include "survey/engine.h"

enum { CHUNK_USUAL = 100, CHUNK_SMALL = 30, FAILURES_MAX = 2 };

#define VERSION(v) ((uint8_t)(1u << (v)))

static Elimination *elimination_of(Endpoint *endpoint) {
    if (!endpoint->elimination) {
        endpoint->elimination = g_new0(Elimination, 1);
        endpoint->elimination->version = VIGIE_VERSIONS;
        endpoint->elimination->folding = true;
        const uint16_t *groups;
        size_t count = tls_groups_of(VIGIE_TLS12, &groups);
        Elimination *elimination = endpoint->elimination;
        elimination->groups_left_count = MIN(count, GROUPS_LEFT_MAX);
        memcpy(elimination->groups_left, groups, elimination->groups_left_count * sizeof *groups);
    }
    return endpoint->elimination;
}

static bool gentle(const Endpoint *endpoint) {
    return endpoint->record.target.gentle;
}

/* ---- Lists -------------------------------------------------------------------------------------------------- */
static bool remove_value(uint16_t *values, size_t *count, uint16_t value) {
    for (size_t i = 0; i < *count; i++) {
        if (values[i] != value)
            continue;
        memmove(values + i, values + i + 1, (*count - i - 1) * sizeof *values);
        --*count;
        return true;
    }
    return false;
}

static bool has_suite(const VigieRecord *record, VigieVersion version, uint32_t suite) {
    for (size_t i = 0; i < record->suites[version].count; i++)
        if (record->suites[version].ids[i] == suite)
            return true;
    return false;
}

static void append_suite(VigieRecord *record, VigieVersion version, uint32_t suite) {
    size_t count = record->suites[version].count++;
    record->suites[version].ids = g_renew(uint32_t, record->suites[version].ids, count + 1);
    record->suites[version].ids[count] = suite;
}

static void append_group(VigieRecord *record, uint16_t group) {
    record->groups = g_renew(uint16_t, record->groups, record->group_count + 1);
    record->groups[record->group_count++] = group;
}

/* ---- Groups ------------------------------------------------------------------------------------------------- */
void groups_told(Endpoint *endpoint, const VigieTlsResult *result) {
    if (endpoint->record.depth != VIGIE_DEPTH_FULL)
        return;
    elimination_of(endpoint)->groups_done = true;
    endpoint->record.group_count = 0;
    for (size_t i = 0; i < result->server_group_count; i++)
        if (!tls_is_grease(result->server_groups[i]))
            append_group(&endpoint->record, result->server_groups[i]);
}

/* An ECDSA certificate is of use only with its own curve on offer (RFC 8422 5.1): that stays, at the end. */
static bool is_leaf_curve(const Endpoint *endpoint, uint16_t group) {
    const VigieChain *chain = endpoint->record.chain;
    const char *curve = chain && chain->count > 0 ? chain->certificates[0]->curve : NULL;
    return curve && g_strcmp0(curve, tls_group_name(group)) == 0;
}

static bool offers_leaf_curve(const Endpoint *endpoint) {
    for (size_t i = 0; i < endpoint->elimination->groups_left_count; i++)
        if (is_leaf_curve(endpoint, endpoint->elimination->groups_left[i]))
            return true;
    return false;
}

static void note_group(Endpoint *endpoint, uint16_t group) {
    Elimination *elimination = endpoint->elimination;
    if (elimination->groups_done || group == 0)
        return;
    for (size_t i = 0; i < endpoint->record.group_count; i++)
        if (endpoint->record.groups[i] == group)
            elimination->groups_done = true; /* the leaf's curve again: no other is liked better */
    if (elimination->groups_done ||
        !remove_value(elimination->groups_left, &elimination->groups_left_count, group))
        return;
    append_group(&endpoint->record, group);
    if (is_leaf_curve(endpoint, group))
        elimination->groups_left[elimination->groups_left_count++] = group;
    if (elimination->groups_left_count == 0)
        elimination->groups_done = true;
}

static void offer_groups(Endpoint *endpoint) {
    Elimination *elimination = endpoint->elimination;
    elimination->groups_reduced =
        elimination->folding && !elimination->groups_done && endpoint->record.group_count > 0;
    if (elimination->groups_reduced) {
        endpoint->plan.groups = elimination->groups_left;
        endpoint->plan.group_count = elimination->groups_left_count;
    } else {
        endpoint->plan.group_count = tls_groups_of(VIGIE_TLS12, &endpoint->plan.groups);
    }
}

/* ---- One version -------------------------------------------------------------------------------------------- */
static void plan_hello(Endpoint *endpoint, VigieVersion version) {
    endpoint->plan = tls_hello_plan(VERSION(version));
    endpoint->plan.form = version == VIGIE_SSL3 ? VIGIE_HELLO_BARE : VIGIE_HELLO_NORMAL;
    endpoint->plan.server_name = endpoint->known.nameless ? NULL : endpoint->name;
    endpoint->plan.share_count = 0;
    /* Up to TLS 1.2 the group is in the ServerKeyExchange, after the certificate. */
    endpoint->until = version == VIGIE_TLS13 || version == VIGIE_SSL3 || endpoint->elimination->groups_done
                          ? VIGIE_UNTIL_HELLO
                          : VIGIE_UNTIL_CERTIFICATE;
}

static VigieVersion next_version(const Endpoint *endpoint) {
    const Elimination *elimination = endpoint->elimination;
    uint8_t finished = elimination ? elimination->done | elimination->failed : 0;
    for (VigieVersion version = VIGIE_TLS13; version >= VIGIE_SSL3; version--)
        if (endpoint->record.versions_offered & VERSION(version) & ~finished)
            return version;
    return VIGIE_VERSIONS;
}

static void begin_version(Endpoint *endpoint, VigieVersion version) {
    Elimination *elimination = endpoint->elimination;
    const uint16_t *suites;
    size_t count = tls_suites_of(version, &suites);
    elimination->version = version;
    elimination->chunk = gentle(endpoint) && version != VIGIE_TLS13 ? CHUNK_USUAL : 0;
    elimination->ordering = false;
    elimination->passed = 0;
    elimination->failures = 0;
    elimination->left_count = 0;
    for (size_t i = 0; i < count && elimination->left_count < SUITES_LEFT_MAX; i++)
        if (!has_suite(&endpoint->record, version, suites[i]))
            elimination->left[elimination->left_count++] = suites[i];
}

static size_t place_of(VigieVersion version, uint32_t suite) {
    const uint16_t *suites;
    size_t count = tls_suites_of(version, &suites), i = 0;
    while (i < count && suites[i] != suite)
        i++;
    return i;
}

/* Taken in another order than ours: it is the server's, and need not be asked. */
static void compare_orders(Endpoint *endpoint, VigieVersion version) {
    const VigieRecord *record = &endpoint->record;
    for (size_t i = 1; i < record->suites[version].count; i++) {
        if (place_of(version, record->suites[version].ids[i]) >
            place_of(version, record->suites[version].ids[i - 1]))
            continue;
        endpoint->record.server_preference = VIGIE_YES;
        endpoint->elimination->preference_asked = true;
        return;
    }
}

static void end_version(Endpoint *endpoint, bool seen_end) {
    Elimination *elimination = endpoint->elimination;
    *(seen_end ? &elimination->done : &elimination->failed) |= VERSION(elimination->version);
    if (seen_end)
        compare_orders(endpoint, elimination->version);
    elimination->version = VIGIE_VERSIONS;
}

void suites_close(Endpoint *endpoint) {
    const Elimination *elimination = endpoint->elimination;
    for (VigieVersion version = VIGIE_SSL3; elimination && version < VIGIE_VERSIONS; version++) {
        if (elimination->done & VERSION(version))
            continue;
        endpoint->record.suites[version].count = 0;
        g_clear_pointer(&endpoint->record.suites[version].ids, g_free);
    }
}

void suites_first(Endpoint *endpoint, const VigieTlsResult *result) {
    elimination_of(endpoint);
    if (endpoint->record.suites[result->version].count == 0 && result->version > VIGIE_SSL2)
        append_suite(&endpoint->record, result->version, result->suite);
    if (result->version <= VIGIE_TLS12)
        note_group(endpoint, result->group);
}

bool suites_wanted(const Endpoint *endpoint) {
    return endpoint->record.depth == VIGIE_DEPTH_FULL && endpoint->known.seen &&
           next_version(endpoint) != VIGIE_VERSIONS;
}

void suites_plan(Endpoint *endpoint) {
    Elimination *elimination = elimination_of(endpoint);
    if (elimination->version == VIGIE_VERSIONS)
        begin_version(endpoint, next_version(endpoint));
    plan_hello(endpoint, elimination->version);
    elimination->offered = elimination->left_count;
    if (elimination->chunk > 0)
        elimination->offered = MIN(elimination->left_count, elimination->chunk);
    if (elimination->chunk == CHUNK_SMALL && endpoint->plan.form == VIGIE_HELLO_NORMAL)
        endpoint->plan.form = VIGIE_HELLO_SMALL;
    endpoint->plan.suites = elimination->left;
    endpoint->plan.suite_count = elimination->offered;
    offer_groups(endpoint);
}

/* Nothing with a group was taken from a hello with the groups left: for want of a group, or of a suite that uses one?
 * The same again, with all groups, tells: see note_repeated(). */
static void repeat_with_all_groups(Elimination *elimination) {
    elimination->folding = false;
    elimination->repeating = true;
}

static void note_repeated(Elimination *elimination, uint16_t group) {
    if (elimination->repeating && group != 0)
        elimination->groups_done = true; /* it was for want of a group: there is none besides those seen */
    elimination->repeating = false;
}

/* True: the answer is a step of the elimination. */
static bool strike_out(Endpoint *endpoint, const VigieTlsResult *result) {
    Elimination *elimination = endpoint->elimination;
    if (result->version != elimination->version || result->suite > UINT16_MAX)
        return false;
    if (elimination->groups_reduced && result->group == 0) {
        repeat_with_all_groups(elimination);
        return true;
    }
    note_repeated(elimination, result->group);
    size_t offered = elimination->offered;
    if (!remove_value(elimination->left, &offered, (uint16_t)result->suite))
        return false;
    memmove(elimination->left + offered, elimination->left + offered + 1,
            (elimination->left_count - offered - 1) * sizeof *elimination->left);
    elimination->left_count--;
    elimination->failures = 0;
    append_suite(&endpoint->record, elimination->version, result->suite);
    if (elimination->folding)
        note_group(endpoint, result->group);
    return true;
}

/* Several chunks had answers: which of theirs the server likes best only one hello with all of them can tell. */
static void begin_ordering(Endpoint *endpoint) {
    Elimination *elimination = endpoint->elimination;
    VigieRecord *record = &endpoint->record;
    VigieVersion version = elimination->version;
    elimination->ordering = true;
    elimination->chunk = 0;
    elimination->passed = 0;
    elimination->left_count = MIN(record->suites[version].count, SUITES_LEFT_MAX);
    for (size_t i = 0; i < elimination->left_count; i++)
        elimination->left[i] = (uint16_t)record->suites[version].ids[i];
    record->suites[version].count = 0;
}

static void keep_unordered(Endpoint *endpoint) {
    Elimination *elimination = endpoint->elimination;
    for (size_t i = 0; elimination->ordering && i < elimination->left_count; i++)
        append_suite(&endpoint->record, elimination->version, elimination->left[i]);
    elimination->left_count = 0;
}

/* It speaks this version, and takes nothing of it: so the hello was too much for it. */
static bool make_smaller(Elimination *elimination) {
    if (elimination->chunk == CHUNK_SMALL)
        return false;
    elimination->chunk = elimination->chunk == 0 ? CHUNK_USUAL : CHUNK_SMALL;
    return true;
}

/* The server takes none of those offered. */
static void none_taken(Endpoint *endpoint) {
    Elimination *elimination = endpoint->elimination;
    size_t found = endpoint->record.suites[elimination->version].count;
    bool first = elimination->passed == 0 && !elimination->ordering && found == 0;
    if (first && make_smaller(elimination))
        return;
    if (elimination->chunk > 0 && elimination->left_count > elimination->offered) {
        if (elimination->passed++ == 0)
            elimination->found_first = found;
        elimination->left_count -= elimination->offered;
        memmove(elimination->left, elimination->left + elimination->offered,
                elimination->left_count * sizeof *elimination->left);
        return;
    }
    if (elimination->passed > 0 && found > elimination->found_first) {
        begin_ordering(endpoint);
        return;
    }
    keep_unordered(endpoint);
    end_version(endpoint, true);
}

static void take_failure(Endpoint *endpoint, const Answer *answer) {
    Elimination *elimination = endpoint->elimination;
    bool is_decision = answer->outcome == VIGIE_OUTCOME_ALERT || answer->outcome == VIGIE_OUTCOME_OK;
    /* With the curve of its own certificate on offer, a server lacks no group. */
    if (elimination->groups_reduced && !(is_decision && offers_leaf_curve(endpoint))) {
        repeat_with_all_groups(elimination);
        return;
    }
    note_repeated(elimination, 0);
    if (is_decision) {
        none_taken(endpoint);
        return;
    }
    elimination->failures++;
    bool is_closed = answer->outcome == VIGIE_OUTCOME_CLOSED_AFTER_HELLO ||
                     answer->outcome == VIGIE_OUTCOME_RESET_AFTER_HELLO;
    if (is_closed && elimination->failures >= FAILURES_MAX) {
        elimination->failures = 0;
        none_taken(endpoint);
    } else if (elimination->failures > FAILURES_MAX) {
        end_version(endpoint, false);
    }
}

void suites_learn(Endpoint *endpoint, const Answer *answer) {
    Elimination *elimination = endpoint->elimination;
    const VigieTlsResult *result = answer->result;
    if (!result || !result->suite || !strike_out(endpoint, result)) {
        take_failure(endpoint, answer);
        return;
    }
    if (elimination->left_count == 0)
        none_taken(endpoint);
}

/* ---- The groups that are left ------------------------------------------------------------------------------- */
/* The highest version whose suites all use a group, or some of whose do. */
static VigieVersion version_with_groups(const Endpoint *endpoint) {
    const VigieRecord *record = &endpoint->record;
    for (VigieVersion version = VIGIE_TLS13; version >= VIGIE_TLS10; version--)
        if (record->suites[version].count > 0 && (version == VIGIE_TLS13 || record->group_count > 0))
            return version;
    return VIGIE_VERSIONS;
}

bool groups_wanted(const Endpoint *endpoint) {
    return endpoint->elimination && !endpoint->elimination->groups_done &&
           version_with_groups(endpoint) != VIGIE_VERSIONS;
}

static bool uses_group(uint32_t suite) {
    const VigieSuite *known = tls_suite(suite);
    return known && (known->versions & VERSION(VIGIE_TLS13) || strncmp(known->key_exchange, "ECDHE", 5) == 0);
}

void groups_plan(Endpoint *endpoint) {
    Elimination *elimination = endpoint->elimination;
    VigieVersion version = version_with_groups(endpoint);
    plan_hello(endpoint, version);
    elimination->folding = true;
    offer_groups(endpoint);
    elimination->left_count = 0;
    for (size_t i = 0; i < endpoint->record.suites[version].count; i++)
        if (uses_group(endpoint->record.suites[version].ids[i]) && elimination->left_count < SUITES_LEFT_MAX)
            elimination->left[elimination->left_count++] = (uint16_t)endpoint->record.suites[version].ids[i];
    endpoint->plan.suites = elimination->left;
    endpoint->plan.suite_count = elimination->left_count;
}

void groups_learn(Endpoint *endpoint, const Answer *answer) {
    size_t before = endpoint->record.group_count;
    if (answer->result && answer->result->suite)
        note_group(endpoint, answer->result->group);
    if (endpoint->record.group_count == before)
        endpoint->elimination->groups_done = true;
}

/* ---- Who decides on the order ------------------------------------------------------------------------------- */
/* TLS 1.2 and older first: in TLS 1.3 the choice is a small one. */
static VigieVersion version_to_compare(const Endpoint *endpoint) {
    static const VigieVersion order[] = {VIGIE_TLS12, VIGIE_TLS11, VIGIE_TLS10, VIGIE_TLS13, VIGIE_SSL3};
    for (size_t i = 0; i < G_N_ELEMENTS(order); i++)
        if (endpoint->record.suites[order[i]].count > 1)
            return order[i];
    return VIGIE_VERSIONS;
}

bool preference_wanted(const Endpoint *endpoint) {
    return endpoint->elimination && !endpoint->elimination->preference_asked &&
           version_to_compare(endpoint) != VIGIE_VERSIONS;
}

/* A server that follows the client's order would have taken them in our order; two of them turned round ask it. */
void preference_plan(Endpoint *endpoint) {
    VigieVersion version = version_to_compare(endpoint);
    Elimination *elimination = endpoint->elimination;
    elimination->preference_asked = true;
    elimination->groups_done = true;
    plan_hello(endpoint, version);
    endpoint->plan.group_count = tls_groups_of(VIGIE_TLS12, &endpoint->plan.groups);
    elimination->pair[0] = (uint16_t)endpoint->record.suites[version].ids[1];
    elimination->pair[1] = (uint16_t)endpoint->record.suites[version].ids[0];
    endpoint->plan.suites = elimination->pair;
    endpoint->plan.suite_count = 2;
}

void preference_learn(Endpoint *endpoint, const Answer *answer) {
    const Elimination *elimination = endpoint->elimination;
    if (!answer->result || answer->result->suite == 0)
        return;
    if (answer->result->suite == elimination->pair[1])
        endpoint->record.server_preference = VIGIE_YES;
    else if (answer->result->suite == elimination->pair[0])
        endpoint->record.server_preference = VIGIE_NO;
}
