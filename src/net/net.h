/* net: sockets without waiting. The epoll reactor with its timers, name resolution, dialling, pacing.
 *
 * One thread drives one reactor. Watches, timers, turns and queries are embedded in the caller's own
 * structures: nothing is allocated for a connection. Callbacks come from net_reactor_run() alone, never from
 * within the call that asked, but for net_pacer_ask() (see there). Times are nanoseconds of the monotonic
 * clock. */
#pragma once

#include "base/bytes.h"

#include <glib.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define NET_SECOND ((int64_t)1000000000)
#define NET_MILLISECOND ((int64_t)1000000)

int64_t net_now(void);

/* ---- Addresses --------------------------------------------------------------------------------------- */
typedef struct {
    uint8_t octets[16]; /* network order; an IPv4 address fills the first four, the rest is zero */
    bool v6;
} VigieAddress;

enum { NET_ADDRESS_TEXT = 46 };

/* "10.1.2.3", "2001:db8::1"; without brackets, port or zone. */
bool net_address_parse(const char *text, VigieAddress *ret_address);
void net_address_text(const VigieAddress *address, char text[NET_ADDRESS_TEXT]);
/* The address `offset` after this one; wraps at the end of the family. */
VigieAddress net_address_plus(const VigieAddress *address, uint64_t offset);

/* ---- Names ------------------------------------------------------------------------------------------- */
enum { NET_NAME_MAX = 254 }; /* octets with the NUL: RFC 1035 3.1 */

/* A host name in UTF-8 as A-labels in lower case (IDNA 2008, UTS 46 non-transitional), checked: labels of 1
 * to 63 letters, digits, hyphens and underscores, 253 octets in all; a final dot is dropped. False:
 * `*ret_problem` says what is wrong with it, in English; static. */
bool net_name_ascii(const char *name, char ret_ascii[NET_NAME_MAX], const char **ret_problem);

/* ---- The reactor ------------------------------------------------------------------------------------- */
typedef struct VigieReactor VigieReactor;
VigieReactor *net_reactor_new(void); /* NULL: errno says why */
void net_reactor_free(VigieReactor *reactor);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VigieReactor, net_reactor_free)

typedef struct VigieWatch {
    int fd;
    void (*ready)(struct VigieWatch *watch, uint32_t events); /* EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP */
} VigieWatch;

/* Edge-triggered by EPOLLET in `events`. False: errno. */
bool net_watch_start(VigieReactor *reactor, VigieWatch *watch, uint32_t events);
/* No callback comes after this; the descriptor is closed (which takes it out of epoll) by the caller. */
void net_watch_end(VigieReactor *reactor, VigieWatch *watch);
/* The same for a descriptor that stays open. */
void net_watch_change(VigieReactor *reactor, VigieWatch *watch, uint32_t events);

/* Zeroed, a timer is not set. */
typedef struct VigieTimer {
    int64_t due;
    void (*expired)(struct VigieTimer *timer);
    size_t place; /* in the heap, from 1; 0: not set */
} VigieTimer;

/* Sets it, or sets it anew. */
void net_timer_set(VigieReactor *reactor, VigieTimer *timer, int64_t due);
void net_timer_cancel(VigieReactor *reactor, VigieTimer *timer);

/* Waits for events or timers, `max_wait` nanoseconds at most (less than 0: no limit), and runs their
 * callbacks once. */
void net_reactor_run(VigieReactor *reactor, int64_t max_wait);
/* The clock as it was when the callbacks of this round began. */
int64_t net_reactor_now(const VigieReactor *reactor);

/* ---- Dialling ---------------------------------------------------------------------------------------- */
/* Begins to connect; the descriptor, or -errno. Writable: connected, or failed: see net_dial_error(). */
int net_dial(const VigieAddress *address, uint16_t port);
/* 0, or the errno with which the connection failed. */
int net_dial_error(int fd);
/* Closes. `abrupt`: by RST, so that neither side keeps a TIME_WAIT for a connection that is of no more use. */
void net_hang_up(int fd, bool abrupt);
/* Lets this process have `count` descriptors besides those it needs anyway, as far as it may; how many it
 * has. */
size_t net_descriptors(size_t count);

/* ---- Pacing ---------------------------------------------------------------------------------------------
 * Every connection asks for its turn. A turn is granted when there is room at its address and the rate
 * allows. */
typedef struct {
    double rate;          /* turns a second, all together; 0: no limit */
    unsigned per_host;    /* to one address at once, at least 1 */
    int64_t gentle_pause; /* between the end of a gentle turn and the beginning of the next at that address */
} VigiePace;

typedef struct VigiePacer VigiePacer;
VigiePacer *net_pacer_new(VigieReactor *reactor, const VigiePace *pace);
void net_pacer_free(VigiePacer *pacer); /* turns still waiting are forgotten */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VigiePacer, net_pacer_free)

/* Zeroed before its first use. `gentle`: alone at its address, and with pauses. */
typedef struct VigieTurn {
    VigieAddress address;
    bool gentle;
    void (*granted)(struct VigieTurn *turn);
    /* the pacer's own */
    struct VigieHost *host;
    struct VigieTurn *next;
    uint8_t state;
} VigieTurn;

/* True: granted at once, without a callback; false: granted() will be called. */
bool net_pacer_ask(VigiePacer *pacer, VigieTurn *turn);
/* The connection is over, or the turn no longer wanted; does nothing where none was asked for. */
void net_pacer_release(VigiePacer *pacer, VigieTurn *turn);

/* ---- Name resolution ------------------------------------------------------------------------------------
 * /etc/hosts and DNS as the system's resolver is set up (c-ares), A and AAAA. Answers are kept for five
 * minutes at most, 4,096 at most; names asked for twice at once are asked once. */
enum { NET_RESOLVE_ADDRESSES = 6 };

typedef enum { NET_RESOLVED, NET_RESOLVE_NOT_FOUND, NET_RESOLVE_FAILED } VigieResolveOutcome;

typedef struct VigieResolver VigieResolver;
VigieResolver *net_resolver_new(VigieReactor *reactor, int timeout_ms); /* NULL: c-ares did not start */
void net_resolver_free(VigieResolver *resolver);                        /* queries still open are forgotten */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VigieResolver, net_resolver_free)

typedef struct VigieQuery {
    /* The addresses, best first (RFC 6724), borrowed for the call. */
    void (*answered)(struct VigieQuery *query, VigieResolveOutcome outcome, const VigieAddress *addresses,
                     size_t count);
    /* the resolver's own */
    struct VigieQuery *next;
    struct VigieNameEntry *entry;
} VigieQuery;

/* `name`: A-labels. The callback comes from net_reactor_run(), even where the answer is known already. */
void net_resolve(VigieResolver *resolver, VigieQuery *query, const char *name);
void net_resolve_cancel(VigieResolver *resolver, VigieQuery *query);

/* ---- Asking strangers -----------------------------------------------------------------------------------
 * One question, held short in time and size (libcurl). http and https alone, no proxy, no cookies, no address with a user in
 * it; redirections are followed a few times, never from HTTPS to HTTP. Blocks, without a reactor. */
typedef enum {
    VIGIE_REACH_PUBLIC, /* those of the public Internet */
    VIGIE_REACH_SITE,   /* private ones, too; not this machine itself, its link, nor what is no host's */
    VIGIE_REACH_ALL
} VigieReach;
/* An IPv6 address in which an IPv4 address is embedded counts as this one. */
bool net_reach_allows(VigieReach reach, const VigieAddress *address);

typedef struct {
    long timeout_ms;        /* of one request */
    int64_t until;          /* of it and all redirections, µs of the monotonic clock; 0: no other limit */
    VigieReach reach;       /* which addresses a name may have, also behind a redirection */
    const char *reach_hint; /* said where one is refused (", and KEY does not allow it"), or NULL */
    bool unproven;          /* a server's certificate is not looked at: what is fetched proves itself */
    GBytes *roots;          /* PEM, or NULL */
    bool system_roots;
    unsigned redirections; /* how many are followed; 0: three */
    /* where else a redirection may not lead: DENIED; NULL: nowhere */
    bool (*may_follow)(void *data, GUri *from, GUri *to, const char *url, GError **error);
    /* the address of a name, as text, free with g_free; NULL: the system resolves names */
    char *(*resolve)(void *data, const char *name, GError **error);
    void *data;               /* for both */
    const volatile int *stop; /* not 0 ends it; may be NULL */
} VigieHttp;

typedef struct {
    VigieBytes body;
    const char *type; /* Content-Type */
} VigiePost;

typedef struct {
    long status;
    char *url;  /* that answered */
    char *type; /* Content-Type, may be NULL */
    GByteArray *body;
} VigieFetched;
void net_fetched_clear(VigieFetched *fetched);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(VigieFetched, net_fetched_clear)

/* A GET, or a POST where `post` is not NULL; more than `size_max` octets is LIMIT. Whatever the server answers is an answer, also
 * "404"; UNAVAILABLE where there is none, DENIED where its address or its redirection is not to be followed; or what `resolve` says. */
bool net_http_ask(const VigieHttp *http, const char *url, const VigiePost *post, size_t size_max,
                  VigieFetched *ret_fetched, GError **error);
/* What is said where an address is not to be reached: DENIED. */
void net_reach_refuse(const VigieHttp *http, const char *url, GError **error);
/* Sends a line to "host[:43]" and reads until the server is done (whois, RFC 3912). */
bool net_line_ask(const VigieHttp *http, const char *server, const char *query, size_t size_max,
                  GByteArray **ret_text, GError **error);
/* The values of one entry of a directory (LDAP), GBytes each, as an address names it (RFC 4516): ldap alone, the scope base, attributes
 * of RFC 4523 with ;binary, nothing else asked. No login, no referral followed; more than `size_max` octets is LIMIT. UNAVAILABLE where
 * there is no answer or nothing of what was asked for, DENIED where the address is not to be asked. Of `http` time and
 * reach count. Blocks. */
bool net_ldap_ask(const VigieHttp *http, const char *url, size_t size_max, GPtrArray **ret_values,
                  GError **error);
