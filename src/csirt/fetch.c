/* How strangers are asked on behalf of a case: by net's HTTP, and where a redirection may lead. */
#include "csirt/fetch.h"

#include <libpsl.h>
#include <string.h>

enum { PEM_MAX = 4 << 20 };

char *fetch_registrable(const char *host) {
    g_autofree char *low = g_ascii_strdown(host, -1);
    const char *found = psl_registrable_domain(psl_builtin(), low);
    return g_strdup(found ? found : low);
}

/* ---- Redirections ---- */
static int port_of(GUri *uri) {
    int port = g_uri_get_port(uri);
    return port > 0 ? port : g_ascii_strcasecmp(g_uri_get_scheme(uri), "https") == 0 ? 443 : 80;
}

static bool refuse(const char *url, const char *why, GError **error) {
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED, "%s: %s", url, why);
    return false;
}

static bool may_follow(void *data, GUri *from, GUri *to, const char *url, GError **error) {
    (void)data;
    g_autofree char *one = fetch_registrable(g_uri_get_host(from)),
                    *other = fetch_registrable(g_uri_get_host(to));
    if (strcmp(one, other) != 0)
        return refuse(url, "a redirection to another domain is not followed: look at it yourself", error);
    int port = port_of(to);
    return port == 443 || port == 80 || port == port_of(from) ||
           refuse(url, "a redirection to another port is not followed", error);
}

static VigieHttp http_of(const VigieLookup *lookup) {
    return (VigieHttp){.timeout_ms = lookup->timeout_ms,
                       .reach = lookup->reach,
                       .reach_hint = lookup->reach == VIGIE_REACH_PUBLIC
                                         ? ", and csirt.lookup_private does not allow it"
                                         : ", and process.reach_itself does not allow it",
                       .roots = lookup->roots,
                       .system_roots = lookup->system_roots,
                       .may_follow = may_follow,
                       .stop = lookup->stop};
}

bool fetch_get(const VigieLookup *lookup, const char *url, size_t size_max, VigieFetched *ret_fetched,
               GError **error) {
    const VigieHttp http = http_of(lookup);
    return net_http_ask(&http, url, NULL, size_max, ret_fetched, error);
}

bool fetch_whois(const VigieLookup *lookup, const char *server, const char *query, size_t size_max,
                 GByteArray **ret_text, GError **error) {
    const VigieHttp http = http_of(lookup);
    return net_line_ask(&http, server, query, size_max, ret_text, error);
}

/* ---- How we may ask ---- */
static bool read_roots(VigieLookup *lookup, const char *const *paths, GError **error) {
    g_autoptr(GByteArray) all = g_byte_array_new();
    for (size_t i = 0; paths[i]; i++) {
        g_autofree char *pem = NULL;
        gsize size = 0;
        g_autoptr(GError) failure = NULL;
        if (!g_file_get_contents(paths[i], &pem, &size, &failure) || all->len + size > PEM_MAX) {
            g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "[trust] roots = %s: %s", paths[i],
                        failure ? failure->message : "the files are larger than 4 MiB together");
            return false;
        }
        g_byte_array_append(all, (const guint8 *)pem, (guint)size);
        g_byte_array_append(all, (const guint8 *)"\n", 1);
    }
    if (all->len > 0)
        lookup->roots = g_byte_array_free_to_bytes(g_steal_pointer(&all));
    return true;
}

VigieLookup *csirt_lookup_new(const VigieConfig *config, GError **error) {
    g_autoptr(VigieLookup) lookup = g_new0(VigieLookup, 1);
    lookup->reach = !vigie_config_bool(config, "csirt.lookup_private")  ? VIGIE_REACH_PUBLIC
                    : vigie_config_bool(config, "process.reach_itself") ? VIGIE_REACH_ALL
                                                                        : VIGIE_REACH_SITE;
    lookup->timeout_ms = (long)vigie_config_seconds(config, "csirt.lookup_timeout") * 1000;
    lookup->system_roots = vigie_config_bool(config, "trust.system");
    lookup->rdap = g_strdup(vigie_config_text(config, "csirt.rdap"));
    lookup->whois = g_strdup(vigie_config_text(config, "csirt.whois"));
    if (lookup->timeout_ms < 1000 || lookup->timeout_ms > 600000) {
        g_set_error_literal(
            error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
            "[csirt] lookup_timeout: one second to ten minutes, as in: lookup_timeout = 15 s");
        return NULL;
    }
    return read_roots(lookup, vigie_config_list(config, "trust.roots"), error) ? g_steal_pointer(&lookup)
                                                                               : NULL;
}

void csirt_lookup_free(VigieLookup *lookup) {
    if (!lookup)
        return;
    g_clear_pointer(&lookup->roots, g_bytes_unref);
    g_free(lookup->rdap);
    g_free(lookup->whois);
    g_free(lookup);
}
