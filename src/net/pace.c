/* Pacing: whose turn it is. A turn first waits for room at its address, then for the common rate. */
#include "net/net.h"

enum { IDLE, AT_HOST, AT_RATE, RUNNING };

typedef struct {
    VigieTurn *first, *last;
} Queue;

/* An address that is busy, waited for, or resting after a gentle turn; it lives no longer than that. */
typedef struct VigieHost {
    VigieAddress address;
    VigiePacer *pacer;
    unsigned active;
    bool gentle; /* one turn at it was */
    int64_t rest_until;
    Queue waiting;
    VigieTimer rest;
} VigieHost;

struct VigiePacer {
    VigieReactor *reactor;
    VigiePace pace;
    GHashTable *hosts; /* address → VigieHost, owned */
    Queue waiting;     /* with room at their address, for the rate */
    double tokens, burst;
    int64_t counted; /* when tokens were last added */
    VigieTimer refill;
};

static void push(Queue *queue, VigieTurn *turn) {
    turn->next = NULL;
    if (queue->last)
        queue->last->next = turn;
    else
        queue->first = turn;
    queue->last = turn;
}

static VigieTurn *pop(Queue *queue) {
    VigieTurn *turn = queue->first;
    if (turn) {
        queue->first = turn->next;
        if (!queue->first)
            queue->last = NULL;
    }
    return turn;
}

static void drop(Queue *queue, const VigieTurn *turn) {
    VigieTurn *before = NULL;
    for (VigieTurn *each = queue->first; each; before = each, each = each->next) {
        if (each != turn)
            continue;
        *(before ? &before->next : &queue->first) = each->next;
        if (queue->last == each)
            queue->last = before;
        return;
    }
}

static guint address_hash(gconstpointer key) {
    const VigieAddress *address = key;
    uint64_t halves[2];
    memcpy(halves, address->octets, sizeof halves);
    uint64_t hash = (halves[0] ^ (halves[1] * 0x9e3779b97f4a7c15)) * 0xff51afd7ed558ccd;
    return (guint)(hash >> 32);
}

static gboolean address_equal(gconstpointer a, gconstpointer b) {
    return memcmp(a, b, sizeof(VigieAddress)) == 0;
}

static void host_free(gpointer data) {
    VigieHost *host = data;
    net_timer_cancel(host->pacer->reactor, &host->rest);
    g_free(host);
}

VigiePacer *net_pacer_new(VigieReactor *reactor, const VigiePace *pace) {
    VigiePacer *pacer = g_new0(VigiePacer, 1);
    pacer->reactor = reactor;
    pacer->pace = *pace;
    pacer->pace.per_host = MAX(1, pace->per_host);
    pacer->hosts = g_hash_table_new_full(address_hash, address_equal, NULL, host_free);
    /* A burst of 50 ms' worth: timers are no finer than a millisecond, a high rate comes in small batches. */
    pacer->burst = MAX(1, pace->rate / 20);
    pacer->tokens = 1;
    pacer->counted = net_now();
    return pacer;
}

void net_pacer_free(VigiePacer *pacer) {
    if (!pacer)
        return;
    net_timer_cancel(pacer->reactor, &pacer->refill);
    g_hash_table_unref(pacer->hosts);
    g_free(pacer);
}

/* ---- The rate ---------------------------------------------------------------------------------------- */
static bool take_token(VigiePacer *pacer) {
    if (pacer->pace.rate <= 0)
        return true;
    int64_t now = net_now();
    pacer->tokens += (double)(now - pacer->counted) / (double)NET_SECOND * pacer->pace.rate;
    pacer->tokens = MIN(pacer->tokens, pacer->burst);
    pacer->counted = now;
    if (pacer->tokens < 1)
        return false;
    pacer->tokens -= 1;
    return true;
}

static void await_token(VigiePacer *pacer) {
    double missing = (1 - pacer->tokens) / pacer->pace.rate;
    net_timer_set(pacer->reactor, &pacer->refill,
                  pacer->counted + (int64_t)(missing * (double)NET_SECOND) + 1);
}

static void refilled(VigieTimer *timer) {
    VigiePacer *pacer = (VigiePacer *)((char *)timer - offsetof(VigiePacer, refill));
    while (pacer->waiting.first && take_token(pacer)) {
        VigieTurn *turn = pop(&pacer->waiting);
        turn->state = RUNNING;
        turn->granted(turn);
    }
    if (pacer->waiting.first)
        await_token(pacer);
}

/* There is room at its address. */
static bool ask_rate(VigiePacer *pacer, VigieTurn *turn) {
    if (!pacer->waiting.first && take_token(pacer)) {
        turn->state = RUNNING;
        return true;
    }
    turn->state = AT_RATE;
    push(&pacer->waiting, turn);
    if (!pacer->refill.place) {
        pacer->refill.expired = refilled;
        await_token(pacer);
    }
    return false;
}

/* ---- Addresses --------------------------------------------------------------------------------------- */
static bool has_room(const VigieHost *host) {
    unsigned most = host->gentle ? 1 : host->pacer->pace.per_host;
    return host->active < most && host->rest_until <= net_reactor_now(host->pacer->reactor);
}

/* Lets in whom there is room for, and forgets the address when nobody needs it any more. */
static void serve(VigieHost *host) {
    VigiePacer *pacer = host->pacer;
    while (host->waiting.first && has_room(host)) {
        VigieTurn *turn = pop(&host->waiting);
        host->active++;
        if (ask_rate(pacer, turn)) {
            host->active++; /* keeps the host while its callback may release the turn */
            turn->granted(turn);
            host->active--;
        }
    }
    if (host->active > 0)
        return;
    if (host->rest_until > net_reactor_now(pacer->reactor))
        net_timer_set(pacer->reactor, &host->rest, host->rest_until);
    else if (!host->waiting.first)
        g_hash_table_remove(pacer->hosts, &host->address);
}

static void rested(VigieTimer *timer) {
    serve((VigieHost *)((char *)timer - offsetof(VigieHost, rest)));
}

static VigieHost *host_of(VigiePacer *pacer, const VigieAddress *address) {
    VigieHost *host = g_hash_table_lookup(pacer->hosts, address);
    if (!host) {
        host = g_new0(VigieHost, 1);
        host->address = *address;
        host->pacer = pacer;
        host->rest.expired = rested;
        g_hash_table_insert(pacer->hosts, &host->address, host);
    }
    return host;
}

bool net_pacer_ask(VigiePacer *pacer, VigieTurn *turn) {
    VigieHost *host = host_of(pacer, &turn->address);
    turn->host = host;
    host->gentle = host->gentle || turn->gentle;
    if (!host->waiting.first && has_room(host)) {
        host->active++;
        return ask_rate(pacer, turn);
    }
    turn->state = AT_HOST;
    push(&host->waiting, turn);
    return false;
}

void net_pacer_release(VigiePacer *pacer, VigieTurn *turn) {
    VigieHost *host = turn->host;
    if (!host)
        return;
    turn->host = NULL;
    if (turn->state == AT_HOST) {
        drop(&host->waiting, turn);
    } else {
        if (turn->state == AT_RATE)
            drop(&pacer->waiting, turn);
        else if (host->gentle)
            host->rest_until = net_now() + pacer->pace.gentle_pause;
        host->active--;
    }
    turn->state = IDLE;
    serve(host);
}
