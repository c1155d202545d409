/* The engine's inside: endpoints, their connections, and the table of probes.
 *
 * engine.c      takes targets in, finishes records
 * connection.c  one connection: turn, dial, STARTTLS, hello, answer
 * probes.c      the table: which connection next, and what its answer tells
 * suites.c      suites and groups by elimination
 * session.c     a whole session with libssl, to ask an HTTP server for its date */
#pragma once

#include "net/net.h"
#include "survey/starttls.h"
#include "survey/survey.h"

#include <openssl/types.h>

typedef struct Engine Engine;
typedef struct Endpoint Endpoint;

/* What a connection came to. */
typedef struct {
    VigieOutcome outcome;
    const char *detail;           /* borrowed; NULL where the outcome says all */
    const VigieTlsResult *result; /* what the server said; NULL before the hello */
} Answer;

typedef enum {
    PROBE_HELLO,   /* a ClientHello, read until endpoint->until */
    PROBE_PLAIN,   /* octets in clear, to recognise what speaks: endpoint->plain */
    PROBE_SESSION, /* a whole session, session.c */
} ProbeKind;

/* The probes are tried in the order of their table; the first that is wanted is next, until none is. */
typedef struct {
    ProbeKind kind;
    int pause_ms; /* before it, besides the pace */
    bool (*wanted)(const Endpoint *endpoint);
    void (*plan)(Endpoint *endpoint); /* fills endpoint->plan and ->until, or ->plain */
    void (*learn)(Endpoint *endpoint, const Answer *answer);
} Probe;

/* NULL: nothing more to ask. */
const Probe *probe_next(const Endpoint *endpoint);

/* ---- Elimination: suites.c ---------------------------------------------------------------------------------- */
enum { SUITES_LEFT_MAX = 512, GROUPS_LEFT_MAX = 64 };

/* Only at depth full. What was offered and taken is struck out, and the rest offered again, until nothing is taken. */
typedef struct {
    VigieVersion version; /* under way; VIGIE_VERSIONS: none */
    uint8_t done;         /* versions whose end was seen */
    uint8_t failed;       /* versions given up: no end was seen */
    size_t chunk;         /* so many in one hello; 0: all. Smaller where the server does not take that many */
    size_t passed;        /* chunks of which no more was taken */
    size_t found_first;   /* suites found in the first of them */
    bool ordering; /* several chunks had answers: once more, with those that were taken, for their order */
    unsigned failures;              /* in a row, that say nothing about suites */
    uint16_t left[SUITES_LEFT_MAX]; /* not yet struck out, in our order */
    size_t left_count, offered;     /* the first `offered` of them are in the hello */
    bool folding;                   /* each hello leaves out the groups already seen, to see the next */
    bool groups_reduced;            /* the hello under way does */
    bool repeating;                 /* the hello under way is the last once more, with all groups */
    bool groups_done;               /* all groups are known */
    uint16_t groups_left[GROUPS_LEFT_MAX];
    size_t groups_left_count;
    bool preference_asked;
    uint16_t pair[2]; /* offered to see who decides on the order */
} Elimination;

bool suites_wanted(const Endpoint *endpoint);
void suites_plan(Endpoint *endpoint);
void suites_learn(Endpoint *endpoint, const Answer *answer);
bool groups_wanted(const Endpoint *endpoint);
void groups_plan(Endpoint *endpoint);
void groups_learn(Endpoint *endpoint, const Answer *answer);
bool preference_wanted(const Endpoint *endpoint);
void preference_plan(Endpoint *endpoint);
void preference_learn(Endpoint *endpoint, const Answer *answer);
/* A hello of another probe offered all suites of the version the server chose: the first step is done. */
void suites_first(Endpoint *endpoint, const VigieTlsResult *result);
/* A list whose end was not seen would pass for a whole one: it is dropped. */
void suites_close(Endpoint *endpoint);
/* All groups that TLS 1.3's EncryptedExtensions told. */
void groups_told(Endpoint *endpoint, const VigieTlsResult *result);

/* ---- One endpoint ------------------------------------------------------------------------------------------- */
typedef enum {
    STAGE_IDLE,
    STAGE_RESOLVING,
    STAGE_WAITING,
    STAGE_CONNECTING,
    STAGE_DIALOGUE,
    STAGE_ANSWER
} Stage;

enum { CLOCK_SAMPLES = 8 };

struct Endpoint {
    VigieWatch watch;
    VigieTimer timer;
    VigieTurn turn;
    VigieQuery query;
    Engine *engine;
    Endpoint *next, *previous; /* under way, or free */
    VigieRecord record;
    char *name; /* A-labels for SNI and dialogues; NULL: an address */

    VigieAddress addresses[NET_RESOLVE_ADDRESSES];
    size_t address_count, address;

    /* the connection under way */
    Stage stage;
    const Probe *probe;
    bool paused;  /* the probe's pause is over */
    bool planned; /* the same once more: the plan stands */
    VigieHello plan;
    VigieTlsUntil until;
    VigieBytes plain;
    uint8_t *hello;
    size_t hello_size;
    VigieTlsReader reader;
    Dialogue *dialogue;
    bool has_session;
    SSL *ssl;
    GString *http;
    int64_t begun, dialled, greeted; /* the endpoint; this connection; its hello */
    size_t held;                     /* octets that its reader may hold */
    VigieTime answered_at;

    /* what is known */
    struct {
        uint32_t tried;       /* probes of the ladder, 1 << Rung */
        bool connected, seen; /* a connection was made; a ServerHello was seen */
        bool gone;            /* it no longer takes connections: nothing more is asked */
        bool nameless;        /* it refuses our server_name */
        bool silent;          /* it said nothing to the last hello */
        VigieOutcome last;    /* of the last hello */
        uint8_t alert;        /* with VIGIE_OUTCOME_ALERT */
        uint8_t attempted;    /* versions */
        VigieClockSample samples[CLOCK_SAMPLES];
        size_t sample_count;
        bool clock_asked, date_asked;
        unsigned retries;
        int64_t spent; /* in connections, ns */
    } known;
    Elimination *elimination;
};

/* What was judged this second: endpoints that serve the same chain come in crowds. */
typedef struct {
    VigieChain *chain; /* a reference, or NULL */
    VigieTime now;
    VigieTrust trust;
} Judgement;

enum { JUDGEMENTS = 64 };

struct Engine {
    VigieSurveyOptions options;
    VigieReactor *reactor;
    VigieResolver *resolver;
    VigiePacer *pacer;
    VigieTlsContext *tls;
    VigieChainCache *chains;
    Judgement judgements[JUDGEMENTS]; /* by the chain's place in memory */
    SSL_CTX *sessions;                /* made at first use */
    size_t session_count;
    VigieRecordSink sink;
    void *sink_data;
    bool stopped; /* by the sink */
    Endpoint *active, *free;
    size_t active_count;
    VigieSurveyProgress progress;
    size_t held;                      /* by all readers */
    uint8_t buffer[32768];            /* what is being received */
    uint8_t scratch[VIGIE_HELLO_MAX]; /* what is being written */
};

/* engine.c */
VigieTime engine_clock(const Engine *engine);
void engine_next(Endpoint *endpoint); /* the next probe, or the end */
/* Keeps the outcome that tells most. */
void engine_outcome(Endpoint *endpoint, VigieOutcome outcome, const char *detail);
void engine_clock_sample(Endpoint *endpoint, VigieTime server, VigieTime here, const char *source);

/* connection.c */
void connection_begin(Endpoint *endpoint); /* asks for a turn; ends in probe->learn and engine_next */
void connection_cancel(Endpoint *endpoint);
void connection_end(Endpoint *endpoint, VigieOutcome outcome, const char *detail);
/* Sends all of it, or ends the connection and says false. */
bool connection_send(Endpoint *endpoint, VigieBytes bytes);

/* session.c. A place among the sessions, of which there are few; false: none is free now. */
bool session_reserve(Endpoint *endpoint);
/* False: the connection has ended. */
bool session_begin(Endpoint *endpoint);
bool session_continue(Endpoint *endpoint);
void session_end(Endpoint *endpoint);
void session_plan(Endpoint *endpoint);
void session_learn(Endpoint *endpoint, const Answer *answer);

/* plain.c: what to ask in clear of a port that says nothing to a hello, first and second; empty: nothing. */
VigieBytes plain_question(VigieProtocol protocol, bool second);

/* date.c: the first date of RFC 5322 3.3 or RFC 9110 5.6.7 form with a zone in the text. */
bool date_find(const char *text, size_t size, VigieTime *ret_time);
