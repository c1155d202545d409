/* Which RDAP server answers for a domain or an address: RFC 9224's bootstrap files, or the servers that knowledge names. */
#include "csirt/lookup.h"

#include <arpa/inet.h>
#include <string.h>

enum { BOOTSTRAP_MAX = 16 << 20 };

/* The longest entry that fits: labels of a domain, or bits of a network; 0: it does not fit. */
static size_t fit_domain(const char *entry, const char *name) {
    size_t size = strlen(entry), whole = strlen(name);
    bool fits = size > 0 && size <= whole && g_ascii_strcasecmp(name + whole - size, entry) == 0 &&
                (size == whole || name[whole - size - 1] == '.');
    return fits ? size : 0;
}

static bool same_bits(const uint8_t *one, const uint8_t *other, int bits) {
    int whole = bits / 8, rest = bits % 8;
    return memcmp(one, other, (size_t)whole) == 0 &&
           (rest == 0 || (one[whole] ^ other[whole]) >> (8 - rest) == 0);
}

static size_t fit_network(const char *entry, const char *name) {
    uint8_t network[16], address[16];
    int family = strchr(name, ':') ? AF_INET6 : AF_INET;
    const char *slash = strchr(entry, '/');
    g_autofree char *start = slash ? g_strndup(entry, (size_t)(slash - entry)) : NULL;
    if (!start || inet_pton(family, start, network) != 1 || inet_pton(family, name, address) != 1)
        return 0;
    int64_t bits = g_ascii_strtoll(slash + 1, NULL, 10);
    bool fits = bits >= 0 && bits <= (family == AF_INET ? 32 : 128) && same_bits(network, address, (int)bits);
    return fits ? (size_t)bits + 1 : 0;
}

/* RFC 9224 4: { "services": [ [ [ entries ], [ addresses ] ] ] } */
static char *best_service(const json_t *services, const char *name, bool address) {
    size_t best = 0;
    const char *found = NULL;
    for (size_t i = 0; i < json_array_size(services); i++) {
        const json_t *entries = json_array_get(json_array_get(services, i), 0);
        const json_t *urls = json_array_get(json_array_get(services, i), 1);
        for (size_t e = 0; e < json_array_size(entries); e++) {
            const char *entry = json_string_value(json_array_get(entries, e));
            size_t fit = !entry ? 0 : address ? fit_network(entry, name) : fit_domain(entry, name);
            for (size_t u = 0; fit > best && u < json_array_size(urls); u++) {
                const char *url = json_string_value(json_array_get(urls, u));
                if (!url || g_ascii_strncasecmp(url, "https://", 8) != 0)
                    continue;
                best = fit;
                found = url;
            }
        }
    }
    return g_strdup(found);
}

static char *from_bootstrap(const char *folder, const char *name, bool address) {
    const char *file = !address ? "dns.json" : strchr(name, ':') ? "ipv6.json" : "ipv4.json";
    g_autofree char *path = g_build_filename(folder, file, NULL), *text = NULL;
    gsize size = 0;
    if (!g_file_get_contents(path, &text, &size, NULL) || size > BOOTSTRAP_MAX)
        return NULL;
    g_autoptr(json_t) bootstrap = json_loadb(text, size, 0, NULL);
    return best_service(json_object_get(bootstrap, "services"), name, address);
}

char *lookup_rdap_base(const char *configured, const json_t *rules, const char *name, bool address) {
    if (*configured == '/')
        return from_bootstrap(configured, name, address);
    if (*configured)
        return g_strdup(configured);
    const json_t *known = json_object_get(rules, "rdap");
    const char *end = strrchr(name, '.');
    const json_t *url = address ? json_object_get(known, "addresses")
                                : json_object_get(json_object_get(known, "domains"), end ? end + 1 : "");
    return g_strdup(json_string_value(url));
}
