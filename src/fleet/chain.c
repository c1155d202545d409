/* Certificates seen at an endpoint: kept once each, and told apart when they change: renewed as was due, or
 * not. */
#include "fleet/observe.h"

#include <string.h>

static json_t *names_of(const VigieCertificate *certificate) {
    static const char *const types[] = {"DNS:", "IP:", "email:", "URI:", "other:"};
    json_t *names = json_array();
    for (size_t i = 0; i < certificate->name_count; i++) {
        g_autofree char *name =
            g_strconcat(types[certificate->names[i].type], certificate->names[i].text, NULL);
        json_array_append_new(names, json_string(name));
    }
    return names;
}

static bool find(VigieStore *store, const VigieCertificate *certificate, int64_t *ret_id, GError **error) {
    VigieBytes sha256 = vigie_bytes(certificate->sha256, 32);
    g_autoptr(VigieRows) rows =
        store_query(store, error, "SELECT id FROM certificate WHERE sha256 = $1", "b", &sha256);
    GError *failure = NULL;
    if (!rows)
        return false;
    *ret_id = rows_next(rows, &failure) ? rows_int(rows, 0) : 0;
    if (failure)
        g_propagate_error(error, failure);
    return !failure;
}

static bool insert(VigieStore *store, const VigieCertificate *c, VigieTime now, GError **error) {
    g_autoptr(json_t) names = names_of(c);
    g_autofree char *names_text = vigie_json_text(names);
    VigieBytes sha256 = vigie_bytes(c->sha256, 32), spki = vigie_bytes(c->spki_sha256, 32);
    return store_exec(store, error,
                      "INSERT INTO certificate (sha256, der, subject, issuer, common_name, serial, "
                      "not_before, not_after, key_type, "
                      "key_bits, curve, signature_algorithm, signature_weak, self_issued, is_ca, "
                      "spki_sha256, names, malformed, "
                      "first_seen) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, "
                      "$16, $17, $18, $19) ON "
                      "CONFLICT DO NOTHING",
                      "bbttttiitittiiibtti", &sha256, &c->der, c->subject, c->issuer,
                      c->common_name ? c->common_name : "", c->serial, c->not_before, c->not_after,
                      x509_key_name(c->key), (int64_t)c->key_bits, c->curve ? c->curve : "",
                      c->signature_algorithm, (int64_t)c->signature_weak, (int64_t)c->self_issued,
                      (int64_t)c->is_ca, &spki, names_text, c->malformed ? c->malformed : "", now);
}

/* The words by which it is found: subject, issuer, serial number, names, fingerprint. */
static bool set_words(VigieStore *store, int64_t id, const VigieCertificate *c, GError **error) {
    g_autoptr(GPtrArray) words = g_ptr_array_new();
    g_autofree char *fingerprint = vigie_hex_text((VigieBytes){c->sha256, sizeof c->sha256});
    g_ptr_array_add(words, c->subject);
    g_ptr_array_add(words, c->serial);
    g_ptr_array_add(words, fingerprint);
    for (size_t i = 0; i < c->name_count && i < 20; i++)
        g_ptr_array_add(words, c->names[i].text);
    g_ptr_array_add(words, c->issuer);
    g_ptr_array_add(words, NULL);
    return words_set(store, WORDS_CERTIFICATE, id, NULL, (const char *const *)words->pdata, error);
}

static bool keep(VigieStore *store, const VigieCertificate *certificate, VigieTime now, int64_t *ret_id,
                 GError **error) {
    if (!find(store, certificate, ret_id, error))
        return false;
    if (*ret_id)
        return true;
    return insert(store, certificate, now, error) && find(store, certificate, ret_id, error) &&
           set_words(store, *ret_id, certificate, error);
}

/* ---- Renewed or changed ------------------------------------------------------------------------------ */
typedef struct {
    char *subject, *issuer;
    guint8 spki[32];
    VigieTime not_before, not_after;
} Former;

static void former_clear(Former *former) {
    g_free(former->subject);
    g_free(former->issuer);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Former, former_clear)

static bool load_former(VigieStore *store, int64_t id, Former *former, GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        store, error,
        "SELECT subject, issuer, spki_sha256, not_before, not_after FROM certificate WHERE id = $1", "i", id);
    if (!rows_first(rows, error, "certificate %" G_GINT64_FORMAT ": there is none", id))
        return false;
    former->subject = g_strdup(rows_text(rows, 0));
    former->issuer = g_strdup(rows_text(rows, 1));
    VigieBytes spki = rows_blob(rows, 2);
    memcpy(former->spki, spki.data, MIN(spki.size, sizeof former->spki));
    former->not_before = rows_int(rows, 3);
    former->not_after = rows_int(rows, 4);
    return true;
}

/* A renewal was due once the first threshold had passed, or half of a short life. */
static bool was_due(const Former *former, const VigieFleetPolicy *policy, VigieTime now) {
    VigieTime window = (policy->day_count ? policy->days[0] : 90) * (VigieTime)FLEET_DAY;
    VigieTime half = (former->not_after - former->not_before) / 2;
    return former->not_after - now <= MIN(window, half);
}

static bool tell_change(VigieStore *store, Observed *at, int64_t leaf, GError **error) {
    const VigieCertificate *c = at->record->chain->certificates[0];
    g_auto(Former) former = {0};
    if (!load_former(store, at->certificate, &former, error))
        return false;
    bool same_owner = strcmp(former.subject, c->subject) == 0,
         same_issuer = strcmp(former.issuer, c->issuer) == 0;
    bool same_key = memcmp(former.spki, c->spki_sha256, 32) == 0;
    bool due = was_due(&former, at->policy, at->now), later = c->not_after > former.not_after;
    bool expected = due && later && (same_key || (same_owner && same_issuer));
    Event event = observed_event(at, expected ? "certificate-renewed" : "certificate-changed", !expected);
    event.certificate = leaf;
    event.details = json_pack(
        "{s:I, s:b, s:b, s:b, s:b, s:I, s:s, s:s, s:o, s:o}", "before", (json_int_t)at->certificate,
        "same_key", same_key, "same_subject", same_owner, "same_issuer", same_issuer, "due", due, "days_left",
        (json_int_t)days_left(former.not_after, at->now), "issuer_before", former.issuer, "issuer", c->issuer,
        "not_after_before", json_time(former.not_after), "not_after", json_time(c->not_after));
    int64_t id = 0;
    return event_add(store, event, at->now, &id, error) &&
           (expected || alarm_raise(store, at->policy, "certificate-changed", at->endpoint, at->organisation,
                                    leaf, 0, id, true, at->now, error));
}

static bool tell(VigieStore *store, Observed *at, int64_t leaf, GError **error) {
    if (leaf == at->certificate)
        return true;
    if (at->certificate)
        return tell_change(store, at, leaf, error);
    Event event = observed_event(at, "certificate-first-seen", false);
    event.certificate = leaf;
    return event_add(store, event, at->now, NULL, error);
}

/* ---- What the endpoint serves now -------------------------------------------------------------------- */
/* The first CHAIN_KEPT certificates are kept; nobody has more but to do harm. */
enum { CHAIN_KEPT = 16 };

static bool serve(VigieStore *store, const Observed *at, const int64_t *ids, size_t count, GError **error) {
    static const char served[] =
        "(SELECT certificate_id FROM endpoint_certificate WHERE endpoint_id = $1 AND current = 1)";
    g_autofree char *less =
        g_strconcat("UPDATE certificate SET endpoints = endpoints - 1 WHERE id IN ", served, NULL);
    g_autofree char *more =
        g_strconcat("UPDATE certificate SET endpoints = endpoints + 1 WHERE id IN ", served, NULL);
    if (!store_exec(store, error, less, "i", at->endpoint) ||
        !store_exec(store, error,
                    "UPDATE endpoint_certificate SET current = 0, last_seen = $1 WHERE endpoint_id = $2 AND "
                    "current = 1",
                    "ii", at->chain_seen, at->endpoint))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!store_exec(
                store, error,
                "INSERT INTO endpoint_certificate (endpoint_id, certificate_id, position, organisation_id, "
                "first_seen, last_seen, current) VALUES ($1, $2, $3, $4, $5, $6, 1) ON CONFLICT "
                "(endpoint_id, "
                "certificate_id, position) DO UPDATE SET current = 1",
                "iiiiii", at->endpoint, ids[i], (int64_t)i, at->organisation, at->record->time,
                at->record->time))
            return false;
    return store_exec(store, error, more, "i", at->endpoint);
}

/* A chain is good until its first end. Roots do not count (a client has its own), nor, in a chain with more
 * than is needed, anything but the leaf: which path a client takes there is not known. */
static void find_end(Observed *at, const int64_t *ids, size_t count) {
    const VigieChain *chain = at->record->chain;
    at->ending = ids[0];
    at->not_after = chain->certificates[0]->not_after;
    for (size_t i = 1; i < count && !at->record->trust.superfluous; i++) {
        const VigieCertificate *c = chain->certificates[i];
        if (c->self_issued || c->not_after >= at->not_after)
            continue;
        at->ending = ids[i];
        at->not_after = c->not_after;
    }
    /* 99991231235959Z, RFC 5280 4.1.2.5: has no well-defined end. */
    at->not_after = MIN(at->not_after, FLEET_NEVER);
}

bool observed_chain(VigieStore *store, Observed *at, GError **error) {
    const VigieChain *chain = at->record->chain;
    if (!chain || chain->count == 0)
        return true;
    int64_t ids[CHAIN_KEPT];
    size_t count = MIN(chain->count, CHAIN_KEPT);
    if (!at->same) {
        for (size_t i = 0; i < count; i++)
            if (!keep(store, chain->certificates[i], at->record->time, &ids[i], error))
                return false;
        if (!serve(store, at, ids, count, error) || !tell(store, at, ids[0], error))
            return false;
        at->certificate = ids[0];
        find_end(at, ids, count);
    }
    at->chain_seen = at->record->time;
    return true;
}
