#include "record/facts.h"

#include <arpa/inet.h>
#include <string.h>

enum { DAY = 86400, NAMES_SHOWN = 20 };
enum { OBSOLETE = 1 << VIGIE_SSL2 | 1 << VIGIE_SSL3 | 1 << VIGIE_TLS10 | 1 << VIGIE_TLS11 };

/* ---- The view ---------------------------------------------------------------------------------------- */
/* 112 bits of security: RSA, DSA and DH of 2,048 bits, curves of 224. */
static bool key_is_weak(const VigieCertificate *certificate) {
    switch (certificate->key) {
    case VIGIE_KEY_RSA:
    case VIGIE_KEY_RSA_PSS:
    case VIGIE_KEY_DSA:
        return certificate->key_bits < 2048;
    case VIGIE_KEY_EC:
        return certificate->key_bits < 224;
    default:
        return false;
    }
}

/* Dates of what stands behind the leaf count only where it is on the path: what is superfluous harms nobody,
 * and a root is trusted for being known, not for its dates. */
static bool is_counted(const VigieRecord *record, size_t at) {
    const VigieTrust *trust = &record->trust;
    if (at == 0)
        return true;
    return !record->chain->certificates[at]->self_issued && !trust->superfluous &&
           (trust->verdict == VIGIE_TRUST_TRUSTED || trust->verdict == VIGIE_TRUST_WEAK || trust->at == at);
}

static void look_at(FactView *view, size_t at) {
    const VigieCertificate *certificate = view->record->chain->certificates[at];
    if (is_counted(view->record, at)) {
        if (view->expired == NULL && certificate->not_after < view->now)
            view->expired = certificate;
        if (view->early == NULL && certificate->not_before > view->now)
            view->early = certificate;
        if (certificate->not_after >= view->now &&
            (view->ending == NULL || certificate->not_after < view->ending->not_after))
            view->ending = certificate;
    }
    if (view->weak_key == NULL && key_is_weak(certificate))
        view->weak_key = certificate;
    /* Nobody verifies the signature of a root on itself. */
    if (view->weak_digest == NULL && certificate->signature_weak && (at == 0 || !certificate->self_issued))
        view->weak_digest = certificate;
}

FactView fact_view(const VigieRecord *record, VigieTime now) {
    FactView view = {.record = record, .now = now};
    const VigieChain *chain = record->chain;
    if (chain == NULL || chain->count == 0)
        return view;
    view.leaf = chain->certificates[0];
    if (record->trust.verdict != VIGIE_TRUST_UNJUDGED)
        view.judged = chain->certificates[MIN(record->trust.at, chain->count - 1)];
    for (size_t at = 0; at < chain->count; at++)
        look_at(&view, at);
    return view;
}

/* ---- Values ------------------------------------------------------------------------------------------ */
static bool text(FactValue *ret_value, const char *value) {
    if (value == NULL || *value == '\0')
        return false;
    ret_value->text = value;
    return true;
}

static bool number(FactValue *ret_value, int64_t value) {
    ret_value->number = value;
    return true;
}

static bool yes(FactValue *ret_value, bool value) {
    ret_value->yes = value;
    return true;
}

static bool versions(FactValue *ret_value, unsigned mask) {
    ret_value->versions = mask;
    return true;
}

static bool digest(FactValue *ret_value, const uint8_t *octets) {
    ret_value->digest = octets;
    return true;
}

#define FACT(name) static bool name(const FactView *view, FactValue *ret_value)
#define OF(certificate, value) return view->certificate && (value)

FACT(outcome) {
    return text(ret_value, vigie_outcome_name(view->record->outcome));
}
FACT(detail) {
    return text(ret_value, view->record->detail);
}
FACT(target_host) {
    return text(ret_value, view->record->target.host);
}
FACT(target_port) {
    return number(ret_value, view->record->target.port);
}
FACT(target_protocol) {
    return text(ret_value, vigie_protocol_name(view->record->target.protocol));
}
FACT(target_starttls) {
    return yes(ret_value, vigie_protocol_starttls(view->record->target.protocol));
}
FACT(target_address) {
    return text(ret_value, view->record->address);
}
FACT(name_wanted) {
    const VigieTarget *target = &view->record->target;
    return text(ret_value, target->name ? target->name : target->host);
}
FACT(name_is_address) {
    uint8_t octets[16];
    FactValue name;
    return name_wanted(view, &name) && yes(ret_value, inet_pton(AF_INET, name.text, octets) == 1 ||
                                                          inet_pton(AF_INET6, name.text, octets) == 1);
}
FACT(name_matches) {
    return view->record->name_match != VIGIE_UNKNOWN && yes(ret_value, view->record->name_match == VIGIE_YES);
}
FACT(name_by_common_name) {
    OF(leaf, view->record->name_match == VIGIE_YES &&
                 yes(ret_value, view->leaf->name_count == 0 && view->leaf->common_name != NULL));
}

FACT(clock_offset) {
    return view->record->clock_known && number(ret_value, view->record->clock_offset);
}
FACT(clock_drift) {
    int64_t offset = view->record->clock_offset;
    return view->record->clock_known && number(ret_value, offset < 0 ? -offset : offset);
}
FACT(clock_direction) {
    return view->record->clock_known && text(ret_value, view->record->clock_offset < 0 ? "behind" : "ahead");
}
FACT(clock_source) {
    return view->record->clock_known && text(ret_value, view->record->clock_source);
}
FACT(clock_here) {
    return number(ret_value, view->record->time);
}
FACT(clock_there) {
    return view->record->clock_known && number(ret_value, view->record->time + view->record->clock_offset);
}
static bool dates_at(const VigieCertificate *certificate, VigieTime time, FactValue *ret_value) {
    return text(ret_value, time > certificate->not_after    ? "expired"
                           : time < certificate->not_before ? "not-yet-valid"
                                                            : "valid");
}
/* How the leaf's dates look to the device, by its own clock. */
FACT(clock_own_view) {
    OF(leaf, view->record->clock_known &&
                 dates_at(view->leaf, view->record->time + view->record->clock_offset, ret_value));
}
FACT(leaf_view) {
    OF(leaf, dates_at(view->leaf, view->now, ret_value));
}

FACT(versions_offered) {
    return view->record->versions_tested && versions(ret_value, view->record->versions_offered);
}
FACT(versions_obsolete) {
    return view->record->versions_tested && versions(ret_value, view->record->versions_offered & OBSOLETE);
}
FACT(versions_ssl) {
    return view->record->versions_tested &&
           versions(ret_value, view->record->versions_offered & (1 << VIGIE_SSL2 | 1 << VIGIE_SSL3));
}
FACT(versions_current) {
    return view->record->versions_tested &&
           versions(ret_value, view->record->versions_offered & ~(unsigned)OBSOLETE);
}
FACT(versions_refused) {
    return view->record->versions_tested &&
           versions(ret_value, view->record->versions_tested & ~(unsigned)view->record->versions_offered);
}
/* Of the handshake in which the chain was read. */
FACT(handshake_version) {
    return text(ret_value,
                view->record->version < VIGIE_VERSIONS ? tls_version_name(view->record->version) : "none");
}
FACT(versions_only_newest) {
    return view->record->versions_tested & 1 << VIGIE_TLS12 &&
           yes(ret_value, view->record->versions_offered == 1 << VIGIE_TLS13);
}
FACT(versions_newest) {
    for (int version = VIGIE_TLS13; version >= 0; version--)
        if (view->record->versions_offered & 1 << version)
            return text(ret_value, tls_version_name((VigieVersion)version));
    return false;
}

static size_t suites_of_verdict(const VigieRecord *record, bool insecure, json_t *names) {
    size_t count = 0;
    for (size_t version = 0; version < VIGIE_VERSIONS; version++) {
        for (size_t i = 0; i < record->suites[version].count; i++) {
            const VigieSuite *suite = tls_suite(record->suites[version].ids[i]);
            if (suite == NULL || insecure != (suite->verdict == VIGIE_SUITE_INSECURE))
                continue;
            if (names && json_array_size(names) < NAMES_SHOWN)
                json_array_append_new(names, json_string(suite->name));
            count++;
        }
    }
    return count;
}
static bool has_suites(const VigieRecord *record) {
    for (size_t version = 0; version < VIGIE_VERSIONS; version++)
        if (record->suites[version].count > 0)
            return true;
    return false;
}
FACT(suites_insecure) {
    return has_suites(view->record) &&
           number(ret_value, (int64_t)suites_of_verdict(view->record, true, NULL));
}
/* What no current client offers any more: 3DES went too (RFC 9325 4.1, Sweet32). */
static bool suite_is_broken(uint32_t id) {
    const VigieSuite *suite = tls_suite(id);
    return suite && (suite->verdict == VIGIE_SUITE_INSECURE || strstr(suite->cipher, "3DES"));
}
FACT(suites_usable) {
    int64_t count = 0;
    for (size_t version = 0; version < VIGIE_VERSIONS; version++)
        for (size_t i = 0; i < view->record->suites[version].count; i++)
            count += !suite_is_broken(view->record->suites[version].ids[i]);
    return has_suites(view->record) && number(ret_value, count);
}
/* Of all that was offered in the handshake, sound and broken, the server chose a broken one. */
FACT(handshake_broken) {
    return view->record->suite != 0 && yes(ret_value, suite_is_broken(view->record->suite));
}
FACT(handshake_suite) {
    return tls_suite_name(view->record->suite) != NULL && number(ret_value, 1);
}
static json_t *handshake_suite_names(const FactView *view) {
    return json_pack("[s]", tls_suite_name(view->record->suite));
}
static json_t *suites_insecure_names(const FactView *view) {
    json_t *names = json_array();
    suites_of_verdict(view->record, true, names);
    return names;
}

FACT(client_demanded) {
    return view->record->client_certificate != VIGIE_UNKNOWN &&
           yes(ret_value, view->record->client_certificate == VIGIE_YES);
}

FACT(trust_verdict) {
    return view->record->trust.verdict != VIGIE_TRUST_UNJUDGED &&
           text(ret_value, x509_trust_name(view->record->trust.verdict));
}
FACT(trust_detail) {
    return text(ret_value, view->record->trust.detail);
}
FACT(trust_anchor) {
    return text(ret_value, view->record->trust.anchor);
}
FACT(trust_order_wrong) {
    return view->record->trust.verdict != VIGIE_TRUST_UNJUDGED &&
           yes(ret_value, view->record->trust.order_wrong);
}
FACT(trust_subject) {
    OF(judged, text(ret_value, view->judged->subject));
}
FACT(trust_issuer) {
    OF(judged, text(ret_value, view->judged->issuer));
}

FACT(leaf_subject) {
    OF(leaf, text(ret_value, view->leaf->subject));
}
FACT(leaf_issuer) {
    OF(leaf, text(ret_value, view->leaf->issuer));
}
FACT(leaf_not_before) {
    OF(leaf, number(ret_value, view->leaf->not_before));
}
FACT(leaf_not_after) {
    OF(leaf, number(ret_value, view->leaf->not_after));
}
FACT(leaf_lifetime) {
    OF(leaf, number(ret_value, (view->leaf->not_after - view->leaf->not_before + DAY / 2) / DAY));
}
FACT(leaf_malformed) {
    OF(leaf, text(ret_value, view->leaf->malformed));
}
FACT(leaf_names) {
    OF(leaf, number(ret_value, (int64_t)view->leaf->name_count));
}
static json_t *leaf_names_list(const FactView *view) {
    json_t *names = json_array();
    for (size_t i = 0; i < MIN(view->leaf->name_count, (size_t)NAMES_SHOWN); i++)
        json_array_append_new(names, json_string(view->leaf->names[i].text));
    if (view->leaf->name_count == 0 && view->leaf->common_name)
        json_array_append_new(names, json_string(view->leaf->common_name));
    return names;
}
static json_t *chain_subjects_list(const FactView *view) {
    json_t *subjects = json_array();
    for (size_t i = 0; i < MIN(view->record->chain->count, (size_t)NAMES_SHOWN); i++)
        json_array_append_new(subjects, json_string(view->record->chain->certificates[i]->subject));
    return subjects;
}
FACT(chain_subjects) {
    OF(leaf, number(ret_value, (int64_t)view->record->chain->count));
}

/* The same questions about several certificates. */
#define DATED(which)                                                                                         \
    FACT(which##_subject) {                                                                                  \
        OF(which, text(ret_value, view->which->subject));                                                    \
    }                                                                                                        \
    FACT(which##_issuer) {                                                                                   \
        OF(which, text(ret_value, view->which->issuer));                                                     \
    }                                                                                                        \
    FACT(which##_not_before) {                                                                               \
        OF(which, number(ret_value, view->which->not_before));                                               \
    }                                                                                                        \
    FACT(which##_not_after) {                                                                                \
        OF(which, number(ret_value, view->which->not_after));                                                \
    }                                                                                                        \
    FACT(which##_sha256) {                                                                                   \
        OF(which, digest(ret_value, view->which->sha256));                                                   \
    }                                                                                                        \
    FACT(which##_rank) {                                                                                     \
        OF(which, text(ret_value, view->which == view->leaf ? "leaf" : "authority"));                        \
    }
DATED(expired)
DATED(early)
DATED(ending)

FACT(expired_found) {
    return yes(ret_value, view->expired != NULL);
}
FACT(expired_days) {
    OF(expired, number(ret_value, (view->now - view->expired->not_after) / DAY));
}
FACT(early_seconds) {
    OF(early, number(ret_value, view->early->not_before - view->now));
}
FACT(ending_days) {
    OF(ending, number(ret_value, (view->ending->not_after - view->now) / DAY));
}
FACT(ending_seconds) {
    OF(ending, number(ret_value, view->ending->not_after - view->now));
}
FACT(weak_key_subject) {
    OF(weak_key, text(ret_value, view->weak_key->subject));
}
FACT(weak_key_type) {
    OF(weak_key, text(ret_value, x509_key_name(view->weak_key->key)));
}
FACT(weak_key_bits) {
    OF(weak_key, number(ret_value, view->weak_key->key_bits));
}
FACT(weak_digest_subject) {
    OF(weak_digest, text(ret_value, view->weak_digest->subject));
}
FACT(weak_digest_algorithm) {
    OF(weak_digest, text(ret_value, view->weak_digest->signature_algorithm));
}

static const Fact facts[] = {
    {"outcome", FACT_TEXT, outcome, NULL},
    {"detail", FACT_TEXT, detail, NULL},
    {"target.host", FACT_TEXT, target_host, NULL},
    {"target.port", FACT_INT, target_port, NULL},
    {"target.protocol", FACT_TEXT, target_protocol, NULL},
    {"target.starttls", FACT_BOOL, target_starttls, NULL},
    {"target.address", FACT_TEXT, target_address, NULL},
    {"name.wanted", FACT_TEXT, name_wanted, NULL},
    {"name.is_address", FACT_BOOL, name_is_address, NULL},
    {"name.matches", FACT_BOOL, name_matches, NULL},
    {"name.by_common_name", FACT_BOOL, name_by_common_name, NULL},
    {"clock.offset_seconds", FACT_INT, clock_offset, NULL},
    {"clock.drift_seconds", FACT_INT, clock_drift, NULL},
    {"clock.direction", FACT_TEXT, clock_direction, NULL},
    {"clock.source", FACT_TEXT, clock_source, NULL},
    {"clock.here", FACT_TIME, clock_here, NULL},
    {"clock.there", FACT_TIME, clock_there, NULL},
    {"clock.own_view", FACT_TEXT, clock_own_view, NULL},
    {"versions.offered", FACT_VERSIONS, versions_offered, NULL},
    {"versions.obsolete", FACT_VERSIONS, versions_obsolete, NULL},
    {"versions.ssl", FACT_VERSIONS, versions_ssl, NULL},
    {"versions.current", FACT_VERSIONS, versions_current, NULL},
    {"versions.refused", FACT_VERSIONS, versions_refused, NULL},
    {"handshake.version", FACT_TEXT, handshake_version, NULL},
    {"versions.only_newest", FACT_BOOL, versions_only_newest, NULL},
    {"versions.newest", FACT_TEXT, versions_newest, NULL},
    {"suites.insecure", FACT_NAMES, suites_insecure, suites_insecure_names},
    {"handshake.broken", FACT_BOOL, handshake_broken, NULL},
    {"handshake.suite", FACT_NAMES, handshake_suite, handshake_suite_names},
    {"suites.usable", FACT_INT, suites_usable, NULL},
    {"client.demanded", FACT_BOOL, client_demanded, NULL},
    {"trust.verdict", FACT_TEXT, trust_verdict, NULL},
    {"trust.detail", FACT_TEXT, trust_detail, NULL},
    {"trust.anchor", FACT_TEXT, trust_anchor, NULL},
    {"trust.order_wrong", FACT_BOOL, trust_order_wrong, NULL},
    {"trust.subject", FACT_TEXT, trust_subject, NULL},
    {"trust.issuer", FACT_TEXT, trust_issuer, NULL},
    {"chain.subjects", FACT_NAMES, chain_subjects, chain_subjects_list},
    {"leaf.view", FACT_TEXT, leaf_view, NULL},
    {"leaf.subject", FACT_TEXT, leaf_subject, NULL},
    {"leaf.issuer", FACT_TEXT, leaf_issuer, NULL},
    {"leaf.not_before", FACT_TIME, leaf_not_before, NULL},
    {"leaf.not_after", FACT_TIME, leaf_not_after, NULL},
    {"leaf.lifetime_days", FACT_INT, leaf_lifetime, NULL},
    {"leaf.malformed", FACT_TEXT, leaf_malformed, NULL},
    {"leaf.names", FACT_NAMES, leaf_names, leaf_names_list},
    {"expired.subject", FACT_TEXT, expired_subject, NULL},
    {"expired.issuer", FACT_TEXT, expired_issuer, NULL},
    {"expired.not_before", FACT_TIME, expired_not_before, NULL},
    {"expired.not_after", FACT_TIME, expired_not_after, NULL},
    {"expired.sha256", FACT_DIGEST, expired_sha256, NULL},
    {"expired.rank", FACT_TEXT, expired_rank, NULL},
    {"expired.found", FACT_BOOL, expired_found, NULL},
    {"expired.days", FACT_INT, expired_days, NULL},
    {"early.subject", FACT_TEXT, early_subject, NULL},
    {"early.issuer", FACT_TEXT, early_issuer, NULL},
    {"early.not_before", FACT_TIME, early_not_before, NULL},
    {"early.not_after", FACT_TIME, early_not_after, NULL},
    {"early.sha256", FACT_DIGEST, early_sha256, NULL},
    {"early.rank", FACT_TEXT, early_rank, NULL},
    {"early.seconds", FACT_INT, early_seconds, NULL},
    {"ending.subject", FACT_TEXT, ending_subject, NULL},
    {"ending.issuer", FACT_TEXT, ending_issuer, NULL},
    {"ending.not_before", FACT_TIME, ending_not_before, NULL},
    {"ending.not_after", FACT_TIME, ending_not_after, NULL},
    {"ending.sha256", FACT_DIGEST, ending_sha256, NULL},
    {"ending.rank", FACT_TEXT, ending_rank, NULL},
    {"ending.days", FACT_INT, ending_days, NULL},
    {"ending.seconds", FACT_INT, ending_seconds, NULL},
    {"weak_key.subject", FACT_TEXT, weak_key_subject, NULL},
    {"weak_key.type", FACT_TEXT, weak_key_type, NULL},
    {"weak_key.bits", FACT_INT, weak_key_bits, NULL},
    {"weak_signature.subject", FACT_TEXT, weak_digest_subject, NULL},
    {"weak_signature.algorithm", FACT_TEXT, weak_digest_algorithm, NULL},
};

const Fact *fact_find(const char *name) {
    for (size_t i = 0; i < G_N_ELEMENTS(facts); i++)
        if (strcmp(facts[i].name, name) == 0)
            return &facts[i];
    return NULL;
}

static json_t *version_names(unsigned mask) {
    json_t *names = json_array();
    for (unsigned version = 0; version < VIGIE_VERSIONS; version++)
        if (mask & 1u << version)
            json_array_append_new(names, json_string(tls_version_name((VigieVersion)version)));
    return names;
}

static json_t *time_json(VigieTime time) {
    g_autofree char *rfc3339 = vigie_time_rfc3339(time);
    return json_string(rfc3339);
}

static json_t *digest_json(const uint8_t *digest) {
    g_autofree char *hex = vigie_hex_text((VigieBytes){digest, 32});
    return json_string(hex);
}

json_t *fact_json(const Fact *fact, const FactView *view) {
    FactValue value;
    if (!fact->get(view, &value))
        return NULL;
    switch (fact->kind) {
    case FACT_BOOL:
        return json_boolean(value.yes);
    case FACT_INT:
        return json_integer(value.number);
    case FACT_TEXT:
        return json_string(value.text);
    case FACT_TIME:
        return time_json(value.number);
    case FACT_VERSIONS:
        return version_names(value.versions);
    case FACT_DIGEST:
        return digest_json(value.digest);
    case FACT_NAMES:
        return fact->names(view);
    }
    return NULL;
}
