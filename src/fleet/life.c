/* The life of findings: open, acknowledged, mended, reopened.
 *
 * A finding is mended by an observation that could have seen it and did not; what that takes is said, for
 * each, in knowledge/fleet-mending.json: needs   resolved connected answered tls handshake: how far the
 * examination has to have come; depth: a handshake, at no less depth than that at which it was seen; chain
 * trust name clock client: that this was examined; reach   true: it says only that the endpoint was not
 * reached, not that something is wrong with it; worse   the finding that takes its place when nobody acts:
 * then it was not mended. */
#include "fleet/observe.h"

#include <string.h>

/* ---- What it takes ----------------------------------------------------------------------------------- */
static bool resolved(const VigieRecord *r) {
    return r->outcome != VIGIE_OUTCOME_NAME_NOT_FOUND && r->outcome != VIGIE_OUTCOME_NAME_FAILED;
}

static bool connected(const VigieRecord *r) {
    return resolved(r) && r->outcome != VIGIE_OUTCOME_REFUSED && r->outcome != VIGIE_OUTCOME_UNREACHABLE &&
           r->outcome != VIGIE_OUTCOME_TIMEOUT_CONNECT;
}

static bool answered(const VigieRecord *r) {
    return connected(r) && r->outcome != VIGIE_OUTCOME_TIMEOUT_HANDSHAKE &&
           r->outcome != VIGIE_OUTCOME_RESET_AFTER_HELLO && r->outcome != VIGIE_OUTCOME_CLOSED_AFTER_HELLO;
}

static bool tls(const VigieRecord *r) {
    return r->outcome == VIGIE_OUTCOME_OK || r->outcome == VIGIE_OUTCOME_ALERT;
}

static bool handshake(const VigieRecord *r) {
    return r->outcome == VIGIE_OUTCOME_OK;
}

static bool chain(const VigieRecord *r) {
    return r->chain != NULL;
}

static bool trust(const VigieRecord *r) {
    return r->trust.verdict != VIGIE_TRUST_UNJUDGED;
}

static bool name(const VigieRecord *r) {
    return r->name_match != VIGIE_UNKNOWN;
}

static bool clock_read(const VigieRecord *r) {
    return r->clock_known;
}

static bool client(const VigieRecord *r) {
    return r->client_certificate != VIGIE_UNKNOWN;
}

static const struct {
    const char *name;
    bool (*met)(const VigieRecord *record);
} needs[] = {
    {"resolved", resolved},   {"connected", connected}, {"answered", answered}, {"tls", tls},
    {"handshake", handshake}, {"depth", handshake},     {"chain", chain},       {"trust", trust},
    {"name", name},           {"clock", clock_read},    {"client", client},
};

static const json_t *rules(GError **error) {
    static GMutex lock;
    static json_t *loaded;
    g_mutex_lock(&lock);
    if (!loaded)
        loaded = vigie_knowledge_json("fleet-mending.json", error);
    const json_t *all = loaded;
    g_mutex_unlock(&lock);
    return all;
}

/* A kind that is not in the table takes a handshake as deep as the one that showed it. */
static bool could_see(const json_t *rule, const VigieRecord *record, int64_t depth) {
    const char *need = json_string_value(json_object_get(rule, "needs"));
    if (!need || strcmp(need, "depth") == 0)
        return handshake(record) && (int64_t)record->depth >= depth;
    for (size_t i = 0; i < G_N_ELEMENTS(needs); i++)
        if (strcmp(needs[i].name, need) == 0)
            return needs[i].met(record);
    return false;
}

static bool only_reach(const char *kind) {
    return json_is_true(json_object_get(json_object_get(rules(NULL), kind), "reach"));
}

/* ---- One finding ------------------------------------------------------------------------------------- */
typedef struct {
    int64_t id, severity, state, depth; /* id 0: not known yet */
    char *kind, *certificate;           /* the SHA-256 that its evidence names, or NULL */
    const VigieFinding *seen;           /* now */
} Known;

static void known_free(void *data) {
    Known *known = data;
    g_free(known->kind);
    g_free(known->certificate);
    g_free(known);
}

static char *certificate_of(const json_t *evidence) {
    return g_strdup(json_string_value(json_object_get(evidence, "sha256")));
}

static GPtrArray *load(VigieStore *store, int64_t endpoint, GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        store, error, "SELECT id, kind, severity, state, depth, evidence FROM finding WHERE endpoint_id = $1",
        "i", endpoint);
    if (!rows)
        return NULL;
    g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(known_free);
    GError *failure = NULL;
    while (rows_next(rows, &failure)) {
        Known *known = g_new0(Known, 1);
        g_autoptr(json_t) evidence = json_loads(rows_text(rows, 5), 0, NULL);
        *known = (Known){.id = rows_int(rows, 0),
                         .kind = g_strdup(rows_text(rows, 1)),
                         .severity = rows_int(rows, 2),
                         .state = rows_int(rows, 3),
                         .depth = rows_int(rows, 4),
                         .certificate = certificate_of(evidence)};
        g_ptr_array_add(all, known);
    }
    if (failure) {
        g_propagate_error(error, failure);
        return NULL;
    }
    return g_steal_pointer(&all);
}

static Known *find(const GPtrArray *all, const char *kind) {
    for (guint i = 0; i < all->len; i++)
        if (strcmp(((Known *)all->pdata[i])->kind, kind) == 0)
            return all->pdata[i];
    return NULL;
}

/* Joins what is seen to what is known. Of two of one kind in a record, the more severe speaks for both. */
static void join(GPtrArray *all, const VigieRecord *record) {
    for (size_t i = 0; i < record->finding_count; i++) {
        const VigieFinding *seen = &record->findings[i];
        Known *known = find(all, seen->id);
        if (!known) {
            known = g_new0(Known, 1);
            known->kind = g_strdup(seen->id);
            g_ptr_array_add(all, known);
        }
        if (!known->seen || seen->severity > known->seen->severity)
            known->seen = seen;
    }
}

static bool tell(VigieStore *store, const Observed *at, const Known *known, const char *kind, json_t *details,
                 GError **error) {
    Event event = observed_event(at, kind, false);
    event.finding = known->id;
    event.details = details;
    json_object_set_new(details, "finding", json_string(known->kind));
    json_object_set_new(details, "severity",
                        json_string(vigie_severity_name((VigieSeverity)known->severity)));
    return event_add(store, event, at->now, NULL, error);
}

static bool insert(VigieStore *store, const Observed *at, Known *known, const char *evidence,
                   GError **error) {
    known->severity = known->seen->severity;
    known->state = LIFE_OPEN;
    return store_get_int(
               store, &known->id, error,
               "INSERT INTO finding (endpoint_id, device_id, organisation_id, class, owner, criticality, "
               "live, "
               "active, kind, severity, state, evidence, depth, first_seen, last_seen) VALUES ($1, $2, $3, "
               "$4, $5, $6, $7, $8, $9, $10, 0, $11, $12, $13, $14) RETURNING id",
               "iiittiiititiii", at->endpoint, at->device, at->organisation, at->class_, at->owner,
               at->criticality, at->live, at->live, known->kind, known->severity, evidence,
               (int64_t)at->record->depth, at->record->time, at->record->time) &&
           tell(store, at, known, "finding-opened", json_object(), error);
}

/* Seen again: evidence anew. What was mended is reopened, or, where it is about another certificate, a new
 * case; what was acknowledged when it was less severe is open again. */
static bool renew(VigieStore *store, const Observed *at, Known *known, const char *evidence, GError **error) {
    g_autofree char *certificate = certificate_of(known->seen->evidence);
    bool was_mended = known->state == LIFE_MENDED;
    bool other =
        was_mended && certificate && known->certificate && strcmp(certificate, known->certificate) != 0;
    bool worse = !was_mended && known->seen->severity > known->severity;
    int64_t reopened = was_mended && !other;
    known->severity = known->seen->severity;
    known->state = other                                        ? LIFE_OPEN
                   : reopened                                   ? LIFE_REOPENED
                   : worse && known->state == LIFE_ACKNOWLEDGED ? LIFE_OPEN
                                                                : known->state;
    bool forget = was_mended || known->state != LIFE_ACKNOWLEDGED;
    if (!store_exec(
            store, error,
            "UPDATE finding SET severity = $1, state = $2, evidence = $3, last_seen = $4, depth = CASE WHEN "
            "depth "
            "< $5 THEN depth ELSE $6 END, active = live, mended = 0, reopened = CASE WHEN $7 = 1 THEN $8 "
            "ELSE "
            "reopened END, reopenings = reopenings + $9, first_seen = CASE WHEN $10 = 1 THEN $11 ELSE "
            "first_seen END, acknowledged = CASE WHEN $12 = 1 THEN 0 ELSE acknowledged END WHERE id = $13",
            "iitiiiiiiiiii", known->severity, known->state, evidence, at->record->time,
            (int64_t)at->record->depth, (int64_t)at->record->depth, reopened, at->record->time, reopened,
            (int64_t)other, at->record->time, (int64_t)forget, known->id))
        return false;
    const char *kind = other      ? "finding-opened"
                       : reopened ? "finding-reopened"
                       : worse    ? "finding-worsened"
                                  : NULL;
    return !kind || tell(store, at, known, kind, json_object(), error);
}

static bool mend(VigieStore *store, const Observed *at, Known *known, const GPtrArray *all, GError **error) {
    const json_t *rule = json_object_get(rules(NULL), known->kind);
    const char *worse = json_string_value(json_object_get(rule, "worse"));
    const Known *successor = worse ? find(all, worse) : NULL;
    bool followed = successor && successor->seen;
    known->state = LIFE_MENDED;
    json_t *details = followed ? json_pack("{s:s}", "followed_by", worse) : json_object();
    return store_exec(store, error, "UPDATE finding SET state = 3, active = 0, mended = $1 WHERE id = $2",
                      "ii", at->record->time, known->id) &&
           tell(store, at, known, followed ? "finding-worsened" : "finding-mended", details, error);
}

static bool follow(VigieStore *store, const Observed *at, Known *known, const GPtrArray *all,
                   GError **error) {
    if (known->seen) {
        g_autofree char *evidence = vigie_json_text(known->seen->evidence);
        return known->id ? renew(store, at, known, evidence ? evidence : "{}", error)
                         : insert(store, at, known, evidence ? evidence : "{}", error);
    }
    const json_t *rule = json_object_get(rules(NULL), known->kind);
    return known->state == LIFE_MENDED || !could_see(rule, at->record, known->depth) ||
           mend(store, at, known, all, error);
}

bool observed_findings(VigieStore *store, Observed *at, GError **error) {
    if (!rules(error))
        return false;
    g_autoptr(GPtrArray) all = load(store, at->endpoint, error);
    if (!all)
        return false;
    join(all, at->record);
    at->severity = at->trouble = SEVERITY_NONE;
    at->active_findings = 0;
    for (guint i = 0; i < all->len; i++) {
        Known *known = all->pdata[i];
        if (!follow(store, at, known, all, error))
            return false;
        if (known->state == LIFE_MENDED)
            continue;
        at->active_findings++;
        at->severity = MAX(at->severity, known->severity);
        if (!only_reach(known->kind))
            at->trouble = MAX(at->trouble, known->severity);
    }
    return true;
}
