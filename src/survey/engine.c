/* The engine: takes targets in, lets the probes run, finishes records. */
#include "survey/engine.h"

#include <openssl/ssl.h>

enum {
    CHAINS_KEPT = 1024,
    SPENT_TIMEOUTS = 40, /* time in connections that an endpoint may take, in timeouts: hostile ones drip */
    TICK_MS = 200,
};

VigieSurveyOptions survey_options_default(void) {
    return (VigieSurveyOptions){.depth = VIGIE_DEPTH_CERTIFICATE,
                                .parallel = 500,
                                .per_host = 4,
                                .timeout_ms = 5000,
                                .gentle_pause_ms = 500};
}

VigieTime engine_clock(const Engine *engine) {
    return engine->options.clock ? engine->options.clock() : vigie_time_now();
}

/* ---- Outcomes ----------------------------------------------------------------------------------------------- */
/* Of several connections, the outcome that tells most is the record's: the lower, the more it tells. */
static int rank(VigieOutcome outcome, const char *detail) {
    static const uint8_t ranks[VIGIE_OUTCOMES] = {
        [VIGIE_OUTCOME_OK] = 0,
        [VIGIE_OUTCOME_NOT_TLS] = 1,
        [VIGIE_OUTCOME_STARTTLS_REFUSED] = 2,
        [VIGIE_OUTCOME_ALERT] = 3,
        [VIGIE_OUTCOME_LIMIT] = 5,
        [VIGIE_OUTCOME_MALFORMED] = 5,
        [VIGIE_OUTCOME_RESET_AFTER_HELLO] = 7,
        [VIGIE_OUTCOME_CLOSED_AFTER_HELLO] = 8,
        [VIGIE_OUTCOME_TIMEOUT_HANDSHAKE] = 9,
        [VIGIE_OUTCOME_REFUSED] = 10,
        [VIGIE_OUTCOME_UNREACHABLE] = 10,
        [VIGIE_OUTCOME_TIMEOUT_CONNECT] = 10,
        [VIGIE_OUTCOME_NAME_NOT_FOUND] = 10,
        [VIGIE_OUTCOME_NAME_FAILED] = 10,
        [VIGIE_OUTCOME_INTERRUPTED] = 11,
    };
    if (outcome == VIGIE_OUTCOME_ALERT && g_strcmp0(detail, "protocol_version") == 0)
        return 4;
    if (outcome == VIGIE_OUTCOME_NOT_TLS && g_strcmp0(detail, "unknown") == 0)
        return 6;
    return ranks[outcome];
}

void engine_outcome(Endpoint *endpoint, VigieOutcome outcome, const char *detail) {
    VigieRecord *record = &endpoint->record;
    bool first = record->outcome == VIGIE_OUTCOMES;
    if (!first && rank(outcome, detail) >= rank(record->outcome, record->detail))
        return;
    record->outcome = outcome;
    size_t i = 0;
    for (; detail && detail[i] && i + 1 < sizeof record->detail; i++)
        record->detail[i] = detail[i] >= 0x20 && detail[i] < 0x7f ? detail[i] : '?';
    record->detail[i] = '\0';
}

void engine_clock_sample(Endpoint *endpoint, VigieTime server, VigieTime here, const char *source) {
    VigieRecord *record = &endpoint->record;
    record->clock_known = true;
    record->clock_offset = server - here;
    record->clock_source = source;
}

/* ---- Finishing ---------------------------------------------------------------------------------------------- */
static VigieTrust judge_chain(Engine *engine, VigieChain *chain, VigieTime now) {
    Judgement *known = &engine->judgements[(uintptr_t)chain / sizeof *chain % JUDGEMENTS];
    if (known->chain == chain && known->now == now)
        return known->trust;
    VigieTrust trust = x509_chain_judge(engine->options.roots, chain, now);
    x509_chain_unref(known->chain);
    *known = (Judgement){x509_chain_ref(chain), now, trust};
    return trust;
}

static void judge(Endpoint *endpoint) {
    const VigieSurveyOptions *options = &endpoint->engine->options;
    VigieRecord *record = &endpoint->record;
    if (record->chain && options->roots)
        record->trust = judge_chain(endpoint->engine, record->chain, record->time);
    if (record->chain && record->chain->count > 0) {
        const char *name = record->target.name ? record->target.name : record->target.host;
        record->name_match =
            x509_certificate_names(record->chain->certificates[0], name, NULL) ? VIGIE_YES : VIGIE_NO;
    }
    int64_t offset;
    if (!record->clock_known &&
        tls_clock_judge(endpoint->known.samples, endpoint->known.sample_count, &offset) == VIGIE_CLOCK_SURE) {
        record->clock_known = true;
        record->clock_offset = offset;
        record->clock_source = "tls-random";
    }
    if (options->rules)
        record_rules_apply(options->rules, record, record->time);
}

static void unlink_active(Endpoint *endpoint) {
    Engine *engine = endpoint->engine;
    *(endpoint->previous ? &endpoint->previous->next : &engine->active) = endpoint->next;
    if (endpoint->next)
        endpoint->next->previous = endpoint->previous;
    engine->active_count--;
}

static void recycle(Endpoint *endpoint) {
    Engine *engine = endpoint->engine;
    vigie_record_clear(&endpoint->record);
    g_clear_pointer(&endpoint->name, g_free);
    g_clear_pointer(&endpoint->elimination, g_free);
    endpoint->next = engine->free;
    engine->free = endpoint;
}

static void finish(Endpoint *endpoint) {
    Engine *engine = endpoint->engine;
    if (endpoint->record.outcome == VIGIE_OUTCOMES)
        endpoint->record.outcome = VIGIE_OUTCOME_INTERRUPTED;
    suites_close(endpoint);
    judge(endpoint);
    endpoint->record.timings.total_ms = (double)(net_now() - endpoint->begun) / 1e6;
    unlink_active(endpoint);
    engine->progress.ended++;
    if (!engine->stopped && !engine->sink(&endpoint->record, engine->sink_data))
        engine->stopped = true;
    recycle(endpoint);
}

void engine_next(Endpoint *endpoint) {
    const Engine *engine = endpoint->engine;
    bool spent = endpoint->known.spent > SPENT_TIMEOUTS * engine->options.timeout_ms * NET_MILLISECOND;
    endpoint->probe = engine->stopped || spent || endpoint->known.gone ? NULL : probe_next(endpoint);
    endpoint->paused = false;
    if (!endpoint->probe)
        finish(endpoint);
    else
        connection_begin(endpoint);
}

/* ---- Taking in ---------------------------------------------------------------------------------------------- */
static void fail_name(Endpoint *endpoint, VigieOutcome outcome) {
    engine_outcome(endpoint, outcome, NULL);
    finish(endpoint);
}

static void resolved(VigieQuery *query, VigieResolveOutcome outcome, const VigieAddress *addresses,
                     size_t count) {
    Endpoint *endpoint = (Endpoint *)((char *)query - offsetof(Endpoint, query));
    endpoint->record.timings.resolve_ms = (double)(net_now() - endpoint->begun) / 1e6;
    if (outcome != NET_RESOLVED) {
        fail_name(endpoint, outcome == NET_RESOLVE_NOT_FOUND ? VIGIE_OUTCOME_NAME_NOT_FOUND
                                                             : VIGIE_OUTCOME_NAME_FAILED);
        return;
    }
    memcpy(endpoint->addresses, addresses, count * sizeof *addresses);
    endpoint->address_count = count;
    engine_next(endpoint);
}

/* The name for SNI, in A-labels; none for an address. */
static bool take_name(Endpoint *endpoint) {
    const VigieTarget *target = &endpoint->record.target;
    const char *name = target->name ? target->name : target->host;
    VigieAddress address;
    char ascii[NET_NAME_MAX];
    const char *problem;
    if (net_address_parse(name, &address))
        return true;
    if (!net_name_ascii(name, ascii, &problem))
        return false;
    endpoint->name = g_strdup(ascii);
    return true;
}

static void start_endpoint(Endpoint *endpoint) {
    const VigieTarget *target = &endpoint->record.target;
    const char *host = target->connect ? target->connect : target->host;
    char ascii[NET_NAME_MAX];
    const char *problem;
    if (!take_name(endpoint)) {
        fail_name(endpoint, VIGIE_OUTCOME_NAME_NOT_FOUND);
    } else if (net_address_parse(host, &endpoint->addresses[0])) {
        endpoint->address_count = 1;
        engine_next(endpoint);
    } else if (net_name_ascii(host, ascii, &problem)) {
        endpoint->stage = STAGE_RESOLVING;
        endpoint->query.answered = resolved;
        net_resolve(endpoint->engine->resolver, &endpoint->query, ascii);
    } else {
        fail_name(endpoint, VIGIE_OUTCOME_NAME_NOT_FOUND);
    }
}

static Endpoint *new_endpoint(Engine *engine) {
    Endpoint *endpoint = engine->free;
    if (endpoint)
        engine->free = endpoint->next;
    else
        endpoint = g_new(Endpoint, 1);
    *endpoint = (Endpoint){.engine = engine, .watch.fd = -1, .begun = net_now(), .next = engine->active};
    if (engine->active)
        engine->active->previous = endpoint;
    engine->active = endpoint;
    engine->active_count++;
    return endpoint;
}

static void take_in(Engine *engine, VigieTarget *target) {
    Endpoint *endpoint = new_endpoint(engine);
    VigieRecord *record = &endpoint->record;
    record->target = *target;
    *target = (VigieTarget){0};
    record->target.gentle = record->target.gentle || engine->options.gentle;
    record->depth = engine->options.depth;
    record->time = engine_clock(engine);
    record->outcome = VIGIE_OUTCOMES;
    record->version = VIGIE_VERSIONS;
    record->server_preference = record->name_match = record->client_certificate = VIGIE_UNKNOWN;
    record->timings.resolve_ms = record->timings.connect_ms = record->timings.handshake_ms =
        record->timings.total_ms = -1;
    engine->progress.targets++;
    start_endpoint(endpoint);
}

/* ---- Running ------------------------------------------------------------------------------------------------ */
static void engine_free(Engine *engine) {
    while (engine->active) {
        Endpoint *endpoint = engine->active;
        connection_cancel(endpoint);
        unlink_active(endpoint);
        recycle(endpoint);
    }
    while (engine->free) {
        Endpoint *endpoint = engine->free;
        engine->free = endpoint->next;
        g_free(endpoint);
    }
    for (size_t i = 0; i < JUDGEMENTS; i++)
        x509_chain_unref(engine->judgements[i].chain);
    SSL_CTX_free(engine->sessions);
    x509_chain_cache_free(engine->chains);
    net_pacer_free(engine->pacer);
    net_resolver_free(engine->resolver);
    tls_context_free(engine->tls);
    net_reactor_free(engine->reactor);
    g_free(engine);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Engine, engine_free)

static Engine *engine_new(const VigieSurveyOptions *options, GError **error) {
    g_autoptr(Engine) engine = g_new0(Engine, 1);
    engine->options = *options;
    engine->options.parallel = (unsigned)net_descriptors(MAX(1, options->parallel));
    engine->reactor = net_reactor_new();
    engine->resolver =
        engine->reactor ? net_resolver_new(engine->reactor, MIN(options->timeout_ms, 3000)) : NULL;
    engine->tls = tls_context_new();
    if (!engine->reactor || !engine->resolver || !engine->tls) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL, "survey: %s did not start",
                    !engine->reactor    ? "epoll"
                    : !engine->resolver ? "name resolution (c-ares)"
                                        : "libcrypto");
        return NULL;
    }
    const VigiePace pace = {.rate = options->rate,
                            .per_host = options->per_host,
                            .gentle_pause = options->gentle_pause_ms * NET_MILLISECOND};
    engine->pacer = net_pacer_new(engine->reactor, &pace);
    engine->chains = x509_chain_cache_new(CHAINS_KEPT);
    return g_steal_pointer(&engine);
}

static void tick(Engine *engine, int64_t begun, int64_t *told) {
    int64_t now = net_reactor_now(engine->reactor);
    if (!engine->options.tick || now - *told < TICK_MS * NET_MILLISECOND)
        return;
    *told = now;
    engine->progress.seconds = (double)(now - begun) / (double)NET_SECOND;
    engine->options.tick(&engine->progress, engine->options.tick_data);
}

/* Those under way end as they are: with what they saw, or as interrupted. */
static void interrupt(Engine *engine) {
    while (engine->active) {
        Endpoint *endpoint = engine->active;
        connection_cancel(endpoint);
        if (endpoint->record.outcome != VIGIE_OUTCOME_OK) {
            endpoint->record.outcome = VIGIE_OUTCOME_INTERRUPTED;
            endpoint->record.detail[0] = '\0';
        }
        finish(endpoint);
    }
}

bool survey_run(const VigieSurveyOptions *options, VigieTargetSource source, void *source_data,
                VigieRecordSink sink, void *sink_data, const volatile int *stop,
                VigieSurveyProgress *ret_progress, GError **error) {
    g_autoptr(Engine) engine = engine_new(options, error);
    if (!engine)
        return false;
    engine->sink = sink;
    engine->sink_data = sink_data;
    int64_t begun = net_now(), told = begun;
    bool more = true;
    while ((more || engine->active) && !engine->stopped && !(stop && *stop)) {
        VigieTarget target = {0};
        while (more && engine->active_count < engine->options.parallel && !engine->stopped &&
               (more = source(&target, source_data)))
            take_in(engine, &target);
        if (engine->active)
            net_reactor_run(engine->reactor, TICK_MS * NET_MILLISECOND);
        tick(engine, begun, &told);
    }
    interrupt(engine);
    engine->progress.seconds = (double)(net_now() - begun) / (double)NET_SECOND;
    if (ret_progress)
        *ret_progress = engine->progress;
    return true;
}
