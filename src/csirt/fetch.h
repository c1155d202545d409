/* Fetching from strangers without being led astray. */
#pragma once

#include "csirt/notify.h"
#include "net/net.h"

/* How we may ask. */
struct VigieLookup {
    VigieReach reach;
    long timeout_ms; /* of one request */
    GBytes *roots;   /* PEM of trust.roots, or NULL */
    bool system_roots;
    char *rdap;  /* the base address of an RDAP server, a bootstrap folder, or "" */
    char *whois; /* "host[:port]", or "" */
    const volatile int *stop;
};

/* One GET, redirections followed as csirt/notify.h says, at most `size_max` octets: more is LIMIT. Whatever the server answers is an answer,
 * also "404"; UNAVAILABLE where there is none, DENIED where its address or its redirection is not to be followed. */
bool fetch_get(const VigieLookup *lookup, const char *url, size_t size_max, VigieFetched *ret_fetched,
               GError **error);
/* RFC 3912: sends `query` and reads until the server is done. */
bool fetch_whois(const VigieLookup *lookup, const char *server, const char *query, size_t size_max,
                 GByteArray **ret_text, GError **error);
/* "www.chu.test" → "chu.test"; the name itself where there is nothing above it. Free with g_free. */
char *fetch_registrable(const char *host);
