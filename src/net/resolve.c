/* Name resolution: c-ares on the reactor, before it a bounded cache that asks each name once at a time. */
#include "net/net.h"

#include <ares.h>
#include <netdb.h>
#include <sys/epoll.h>

enum { CACHE_MAX = 4096, KEEP_SECONDS = 300, KEEP_FAILED_SECONDS = 10, SOCKETS_MAX = 32 };

/* A name asked for: waiting for its answer, or with it. The resolver owns it, in `entries` and in `order`. */
typedef struct VigieNameEntry {
    char *name;
    VigieResolver *resolver;
    bool known;
    VigieResolveOutcome outcome;
    VigieAddress addresses[NET_RESOLVE_ADDRESSES];
    size_t count;
    int64_t expires;
    VigieQuery *waiting;
    GList link; /* in `order` */
    struct VigieNameEntry *next_due;
    bool is_due;
} VigieNameEntry;

typedef struct {
    VigieWatch watch; /* fd -1: free */
    VigieResolver *resolver;
} Socket;

struct VigieResolver {
    VigieReactor *reactor;
    ares_channel channel;
    GHashTable *entries; /* name → VigieNameEntry */
    GQueue order;        /* oldest first */
    VigieNameEntry *due; /* known, with queries to be told in the next round */
    VigieTimer timeouts, tell;
    Socket sockets[SOCKETS_MAX];
    bool closing;
};

/* ---- c-ares on the reactor --------------------------------------------------------------------------- */
static void rearm(VigieResolver *resolver) {
    struct timeval wait;
    if (!ares_timeout(resolver->channel, NULL, &wait))
        net_timer_cancel(resolver->reactor, &resolver->timeouts);
    else
        net_timer_set(resolver->reactor, &resolver->timeouts,
                      net_now() + wait.tv_sec * NET_SECOND + wait.tv_usec * 1000 + NET_MILLISECOND);
}

static void timed_out(VigieTimer *timer) {
    VigieResolver *resolver = (VigieResolver *)((char *)timer - offsetof(VigieResolver, timeouts));
    ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    rearm(resolver);
}

static void socket_ready(VigieWatch *watch, uint32_t events) {
    VigieResolver *resolver = ((Socket *)watch)->resolver;
    bool readable = events & (EPOLLIN | EPOLLERR | EPOLLHUP);
    ares_process_fd(resolver->channel, readable ? watch->fd : ARES_SOCKET_BAD,
                    events & EPOLLOUT ? watch->fd : ARES_SOCKET_BAD);
    rearm(resolver);
}

static void socket_changed(void *data, ares_socket_t fd, int readable, int writable) {
    VigieResolver *resolver = data;
    Socket *place = NULL;
    for (size_t i = 0; i < SOCKETS_MAX; i++) {
        Socket *each = &resolver->sockets[i];
        if (each->watch.fd == fd) {
            place = each;
            break;
        }
        if (each->watch.fd < 0 && !place)
            place = each;
    }
    if (!place) /* never seen; the query runs into its timeout */
        return;
    uint32_t events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u);
    bool known = place->watch.fd == fd;
    if (!events) {
        if (known)
            net_watch_end(resolver->reactor, &place->watch);
        place->watch.fd = -1;
    } else if (known) {
        net_watch_change(resolver->reactor, &place->watch, events);
    } else {
        place->watch = (VigieWatch){.fd = fd, .ready = socket_ready};
        place->resolver = resolver;
        net_watch_start(resolver->reactor, &place->watch, events);
    }
}

/* ---- Entries ----------------------------------------------------------------------------------------- */
static void entry_free(gpointer data) {
    VigieNameEntry *entry = data;
    g_queue_unlink(&entry->resolver->order, &entry->link);
    g_free(entry->name);
    g_free(entry);
}

static void tell_entry(VigieNameEntry *entry) {
    while (entry->waiting) {
        VigieQuery *query = entry->waiting;
        entry->waiting = query->next;
        query->entry = NULL;
        query->answered(query, entry->outcome, entry->addresses, entry->count);
    }
}

static void tell(VigieTimer *timer) {
    VigieResolver *resolver = (VigieResolver *)((char *)timer - offsetof(VigieResolver, tell));
    VigieNameEntry *due = resolver->due;
    resolver->due = NULL;
    while (due) {
        VigieNameEntry *entry = due;
        due = entry->next_due;
        entry->is_due = false;
        tell_entry(entry);
    }
}

/* Told from the reactor and never from here: c-ares may answer before ares_getaddrinfo() returns. */
static void make_due(VigieNameEntry *entry) {
    VigieResolver *resolver = entry->resolver;
    if (entry->is_due)
        return;
    entry->is_due = true;
    entry->next_due = resolver->due;
    resolver->due = entry;
    net_timer_set(resolver->reactor, &resolver->tell, 0);
}

/* The oldest whose answer nobody waits for leave. */
static void make_room(VigieResolver *resolver) {
    GList *link = resolver->order.head;
    while (link && g_hash_table_size(resolver->entries) >= CACHE_MAX) {
        VigieNameEntry *entry = link->data;
        link = link->next;
        if (entry->known && !entry->waiting && !entry->is_due)
            g_hash_table_remove(resolver->entries, entry->name);
    }
}

static void take_addresses(VigieNameEntry *entry, const struct ares_addrinfo *info) {
    for (const struct ares_addrinfo_node *node = info->nodes; node && entry->count < NET_RESOLVE_ADDRESSES;
         node = node->ai_next) {
        VigieAddress *address = &entry->addresses[entry->count];
        *address = (VigieAddress){0};
        if (node->ai_family == AF_INET && node->ai_addrlen >= sizeof(struct sockaddr_in)) {
            memcpy(address->octets, &((const struct sockaddr_in *)(const void *)node->ai_addr)->sin_addr, 4);
        } else if (node->ai_family == AF_INET6 && node->ai_addrlen >= sizeof(struct sockaddr_in6)) {
            address->v6 = true;
            memcpy(address->octets, &((const struct sockaddr_in6 *)(const void *)node->ai_addr)->sin6_addr,
                   16);
        } else {
            continue;
        }
        entry->count++;
    }
}

static void answered(void *data, int status, int timeouts, struct ares_addrinfo *info) {
    (void)timeouts;
    VigieNameEntry *entry = data;
    if (status == ARES_EDESTRUCTION || entry->resolver->closing) {
        ares_freeaddrinfo(info);
        return;
    }
    entry->known = true;
    if (info)
        take_addresses(entry, info);
    ares_freeaddrinfo(info);
    if (entry->count > 0)
        entry->outcome = NET_RESOLVED;
    else if (status == ARES_SUCCESS || status == ARES_ENOTFOUND || status == ARES_ENODATA ||
             status == ARES_EBADNAME)
        entry->outcome = NET_RESOLVE_NOT_FOUND;
    else
        entry->outcome = NET_RESOLVE_FAILED;
    entry->expires = net_now() + (entry->count ? KEEP_SECONDS : KEEP_FAILED_SECONDS) * NET_SECOND;
    make_due(entry);
}

static void ask(VigieNameEntry *entry) {
    const struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    entry->known = false;
    entry->count = 0;
    ares_getaddrinfo(entry->resolver->channel, entry->name, NULL, &hints, answered, entry);
    rearm(entry->resolver);
}

/* ---- The public face --------------------------------------------------------------------------------- */
VigieResolver *net_resolver_new(VigieReactor *reactor, int timeout_ms) {
    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
        return NULL;
    VigieResolver *resolver = g_new0(VigieResolver, 1);
    struct ares_options options = {
        .timeout = timeout_ms, .tries = 2, .sock_state_cb = socket_changed, .sock_state_cb_data = resolver};
    for (size_t i = 0; i < SOCKETS_MAX; i++)
        resolver->sockets[i].watch.fd = -1;
    if (ares_init_options(&resolver->channel, &options,
                          ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB) != ARES_SUCCESS) {
        g_free(resolver);
        ares_library_cleanup();
        return NULL;
    }
    resolver->reactor = reactor;
    resolver->entries = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, entry_free);
    g_queue_init(&resolver->order);
    resolver->timeouts.expired = timed_out;
    resolver->tell.expired = tell;
    return resolver;
}

void net_resolver_free(VigieResolver *resolver) {
    if (!resolver)
        return;
    resolver->closing = true;
    ares_destroy(resolver->channel);
    ares_library_cleanup();
    net_timer_cancel(resolver->reactor, &resolver->timeouts);
    net_timer_cancel(resolver->reactor, &resolver->tell);
    g_hash_table_unref(resolver->entries);
    g_free(resolver);
}

void net_resolve(VigieResolver *resolver, VigieQuery *query, const char *name) {
    VigieNameEntry *entry = g_hash_table_lookup(resolver->entries, name);
    bool fresh = !entry;
    if (fresh) {
        make_room(resolver);
        entry = g_new0(VigieNameEntry, 1);
        entry->name = g_strdup(name);
        entry->resolver = resolver;
        entry->link.data = entry;
        g_queue_push_tail_link(&resolver->order, &entry->link);
        g_hash_table_insert(resolver->entries, entry->name, entry);
    }
    bool first = !entry->waiting;
    query->entry = entry;
    query->next = entry->waiting;
    entry->waiting = query;
    if (fresh || (first && entry->known && entry->expires <= net_reactor_now(resolver->reactor)))
        ask(entry);
    else if (first && entry->known)
        make_due(entry);
}

void net_resolve_cancel(VigieResolver *resolver, VigieQuery *query) {
    (void)resolver;
    VigieNameEntry *entry = query->entry;
    if (!entry)
        return;
    for (VigieQuery **each = &entry->waiting; *each; each = &(*each)->next) {
        if (*each != query)
            continue;
        *each = query->next;
        break;
    }
    query->entry = NULL;
}
