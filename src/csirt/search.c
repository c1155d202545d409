/* Where a contact is looked for, in the order in which one is to be believed. Every question asked, and what came of it, is a step of
 * the answer: whoever writes to somebody has to know why to them. */
#include "csirt/fetch.h"
#include "csirt/lookup.h"

#include <arpa/inet.h>
#include <string.h>

enum {
    TEXT_MAX = 64 * 1024, /* more than is read of security.txt, so that it is seen to be too large */
    PAGE_MAX = 1024 * 1024,
    RDAP_MAX = 512 * 1024,
    WHOIS_MAX = 256 * 1024,
    KEY_MAX = 256 * 1024,
    KEYS_MAX = 4,
    FOREIGN = 25 /* an address at another domain than the site's: often whoever built or hosts it */
};

typedef struct {
    const VigieLookup *lookup;
    const json_t *rules;
    VigieTime now;
    char *host, *root; /* in A-labels; root: the registrable domain above it, or the host itself */
    char *site;        /* host with brackets and port, as in an URL */
    bool address;
    json_t *steps, *contacts, *keys, *security_txt;
} Search;

static void search_clear(Search *search) {
    g_free(search->host);
    g_free(search->root);
    g_free(search->site);
    json_decref(search->steps);
    json_decref(search->contacts);
    json_decref(search->keys);
    json_decref(search->security_txt);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Search, search_clear)

static bool stopped(const Search *search) {
    return search->lookup->stop && *search->lookup->stop;
}

/* ---- What came of it ---- */
static void step(Search *search, const char *source, const char *url, const char *outcome, const char *why,
                 size_t found) {
    json_array_append_new(search->steps, json_pack("{s:s, s:s, s:s, s:s?, s:i}", "source", source, "url", url,
                                                   "outcome", outcome, "why", why, "found", (int)found));
}

static void step_failed(Search *search, const char *source, const char *url, const GError *failure) {
    bool refused = failure->code == VIGIE_ERROR_DENIED || failure->code == VIGIE_ERROR_LIMIT;
    step(search, source, url, refused ? "refused" : "unreachable", failure->message, 0);
}

/* A page, or false with its step written. */
static bool get(Search *search, const char *source, const char *url, size_t most, VigieFetched *ret_fetched) {
    g_autoptr(GError) failure = NULL;
    if (!fetch_get(search->lookup, url, most, ret_fetched, &failure)) {
        step_failed(search, source, url, failure);
        return false;
    }
    if (ret_fetched->status == 200)
        return true;
    g_autofree char *why = g_strdup_printf("the server answers %ld", ret_fetched->status);
    step(search, source, url, "nothing", why, 0);
    return false;
}

static int64_t confidence_of(const Search *search, const char *key) {
    return json_integer_value(json_object_get(json_object_get(search->rules, "confidence"), key));
}

static void keep(Search *search, const char *source, const char *place, int64_t confidence,
                 const json_t *contact) {
    json_t *details = json_copy((json_t *)contact);
    json_object_del(details, "kind");
    json_object_del(details, "value");
    json_object_del(details, "name");
    lookup_add(search->contacts,
               json_pack("{s:s, s:s, s:s?, s:s, s:s, s:I, s:o}", "kind", vigie_member_text(contact, "kind"),
                         "value", vigie_member_text(contact, "value"), "name",
                         json_string_value(json_object_get(contact, "name")), "source", source, "place",
                         place, "confidence", (json_int_t)CLAMP(confidence, 0, 100), "details", details));
}

/* ---- security.txt ---- */
static void fetch_key(Search *search, const char *uri) {
    g_auto(VigieFetched) answer = {0};
    g_autofree char *data = NULL;
    if (g_ascii_strncasecmp(uri, "https:", 6) == 0 && get(search, "key", uri, KEY_MAX, &answer)) {
        data = g_base64_encode(answer.body->data, answer.body->len);
        step(search, "key", uri, "found", NULL, 1);
    }
    json_array_append_new(search->keys, json_pack("{s:s, s:s?}", "uri", uri, "data", data));
}

static void take_security_txt(Search *search, json_t *answer, const char *place) {
    bool usable = json_is_true(json_object_get(answer, "usable"));
    const json_t *contacts = json_object_get(answer, "contacts"),
                 *keys = json_object_get(answer, "encryption");
    int64_t confidence = confidence_of(search, usable ? "security-txt" : "security-txt-unsure");
    for (size_t i = 0; i < json_array_size(contacts); i++)
        keep(search, "security-txt", place, confidence - (int64_t)MIN(i, 9), json_array_get(contacts, i));
    for (size_t i = 0; i < MIN(json_array_size(keys), KEYS_MAX) && !stopped(search); i++)
        fetch_key(search, json_string_value(json_array_get(keys, i)));
    json_decref(search->security_txt);
    search->security_txt = answer;
    json_object_set_new(answer, "place", json_string(place));
}

/* True: there is a file, whatever it is worth. A site that answers any address with a page of its own has none. */
static bool ask_security_txt(Search *search, const char *url) {
    g_auto(VigieFetched) answer = {0};
    if (!get(search, "security-txt", url, TEXT_MAX, &answer))
        return false;
    VigieTextSource source = {.asked = url, .url = answer.url, .type = answer.type};
    json_t *parsed =
        csirt_security_txt_parse(vigie_bytes(answer.body->data, answer.body->len), &source, search->now);
    size_t contacts = json_array_size(json_object_get(parsed, "contacts"));
    if (contacts == 0 && json_is_null(json_object_get(parsed, "expires"))) {
        step(search, "security-txt", url, "nothing", "what is there is no security.txt", 0);
        json_decref(parsed);
        return false;
    }
    step(search, "security-txt", url, "found", NULL, contacts);
    if (json_is_true(json_object_get(parsed, "signed"))) {
        g_autofree char *data = g_base64_encode(answer.body->data, answer.body->len);
        json_object_set_new(parsed, "data", json_string(data));
    }
    take_security_txt(search, parsed, answer.url);
    return true;
}

static bool unreachable(const Search *search) {
    const json_t *last = json_array_get(search->steps, json_array_size(search->steps) - 1);
    return strcmp(vigie_member_text(last, "outcome"), "unreachable") == 0;
}

/* RFC 9116 3: over HTTPS, below /.well-known/; the old place, and plain HTTP where nothing answers on HTTPS, are told as faults. */
static bool ask_site_security_txt(Search *search, const char *site) {
    g_autofree char *known = g_strdup_printf("https://%s/.well-known/security.txt", site);
    g_autofree char *old = g_strdup_printf("https://%s/security.txt", site);
    g_autofree char *plain = g_strdup_printf("http://%s/.well-known/security.txt", site);
    if (ask_security_txt(search, known))
        return true;
    return ask_security_txt(search, unreachable(search) ? plain : old);
}

/* ---- Pages ---- */
static bool foreign(const Search *search, const json_t *contact) {
    const char *at = strchr(vigie_member_text(contact, "value"), '@');
    g_autofree char *root = at ? fetch_registrable(at + 1) : NULL;
    return root && strcmp(root, search->root) != 0;
}

static size_t take_page(Search *search, const char *source, const VigieFetched *page, json_t **ret_links) {
    g_autoptr(json_t) parsed =
        csirt_page_parse(vigie_bytes(page->body->data, page->body->len), page->url, NULL);
    const json_t *contacts = json_object_get(parsed, "contacts");
    g_autofree char *secure = g_strconcat(source, "-security", NULL);
    for (size_t i = 0; i < json_array_size(contacts); i++) {
        json_t *contact = json_array_get(contacts, i);
        bool security = json_is_true(json_object_get(contact, "security")), other = foreign(search, contact);
        json_object_set_new(contact, "foreign", json_boolean(other));
        keep(search, source, page->url,
             confidence_of(search, security ? secure : source) - (other ? FOREIGN : 0), contact);
    }
    if (ret_links)
        *ret_links = json_incref(json_object_get(parsed, "links"));
    return json_array_size(contacts);
}

static bool link_fits(const Search *search, const json_t *link, const json_t *words) {
    g_autoptr(GUri) uri = g_uri_parse(vigie_member_text(link, "url"), G_URI_FLAGS_ENCODED, NULL);
    g_autofree char *root = uri && g_uri_get_host(uri) ? fetch_registrable(g_uri_get_host(uri)) : NULL;
    if (!root || strcmp(root, search->root) != 0)
        return false;
    g_autofree char *text = vigie_text_fold(vigie_member_text(link, "text")),
                    *path = vigie_text_fold(g_uri_get_path(uri));
    for (size_t i = 0; i < json_array_size(words); i++) {
        const char *word = json_string_value(json_array_get(words, i));
        if (strstr(text, word) || strstr(path, word))
            return true;
    }
    return false;
}

static bool asked_already(const Search *search, const char *url) {
    for (size_t i = 0; i < json_array_size(search->steps); i++)
        if (strcmp(vigie_member_text(json_array_get(search->steps, i), "url"), url) == 0)
            return true;
    return false;
}

static void ask_page(Search *search, const char *source, const char *url, size_t *left) {
    g_auto(VigieFetched) page = {0};
    if (*left == 0 || stopped(search) || asked_already(search, url))
        return;
    (*left)--;
    if (!get(search, source, url, PAGE_MAX, &page))
        return;
    size_t found = take_page(search, source, &page, NULL);
    step(search, source, url, found ? "found" : "nothing", NULL, found);
}

/* The pages of one kind: those that the front page links to by such words, or the usual one. */
static void ask_pages(Search *search, const json_t *kind, const json_t *links, const char *site,
                      size_t *left) {
    const json_t *words = json_object_get(kind, "words");
    const char *source = vigie_member_text(kind, "source");
    bool linked = false;
    for (size_t i = 0; i < json_array_size(links); i++) {
        const json_t *link = json_array_get(links, i);
        if (!link_fits(search, link, words))
            continue;
        linked = true;
        ask_page(search, source, vigie_member_text(link, "url"), left);
    }
    g_autofree char *usual = g_strdup_printf("https://%s%s", site, vigie_member_text(kind, "path"));
    if (!linked)
        ask_page(search, source, usual, left);
}

static bool ask_site_pages(Search *search, const char *site) {
    g_autofree char *front = g_strdup_printf("https://%s/", site),
                    *plain = g_strdup_printf("http://%s/", site);
    g_auto(VigieFetched) page = {0};
    g_autoptr(json_t) links = NULL;
    if (!get(search, "contact-page", front, PAGE_MAX, &page) &&
        (!unreachable(search) || !get(search, "contact-page", plain, PAGE_MAX, &page)))
        return false;
    size_t found = take_page(search, "contact-page", &page, &links);
    step(search, "contact-page", page.url, found ? "found" : "nothing", NULL, found);
    const json_t *kinds = json_object_get(search->rules, "pages");
    size_t left = (size_t)json_integer_value(json_object_get(search->rules, "pages_max"));
    for (size_t i = 0; i < json_array_size(kinds); i++)
        ask_pages(search, json_array_get(kinds, i), links, site, &left);
    return true;
}

/* ---- Registries ---- */
static bool has_role(const json_t *list, const char *role) {
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(json_string_value(json_array_get(list, i)), role) == 0)
            return true;
    return false;
}

/* Whom a registry names: the best of its roles counts, and the registrar is not the one we look for. */
static size_t take_registered(Search *search, const char *source, const char *place, const json_t *answer) {
    const json_t *contacts = json_object_get(answer, "contacts"),
                 *weights = json_object_get(search->rules, "roles");
    size_t found = 0;
    for (size_t i = 0; i < json_array_size(contacts); i++) {
        const json_t *contact = json_array_get(contacts, i), *roles = json_object_get(contact, "roles");
        bool registrar =
            has_role(roles, "registrar") || has_role(json_object_get(contact, "of"), "registrar");
        int64_t best = 0;
        for (size_t r = 0; r < json_array_size(roles); r++)
            best = MAX(best, json_integer_value(
                                 json_object_get(weights, json_string_value(json_array_get(roles, r)))));
        keep(search, source, place,
             registrar ? confidence_of(search, "registrar") : confidence_of(search, source) + best, contact);
        found += registrar ? 0 : 1;
    }
    return found;
}

static size_t ask_rdap_at(Search *search, const char *url, char **ret_related) {
    g_auto(VigieFetched) page = {0};
    g_autoptr(GError) failure = NULL;
    if (!get(search, "rdap", url, RDAP_MAX, &page))
        return 0;
    g_autoptr(json_t) answer = csirt_rdap_parse(vigie_bytes(page.body->data, page.body->len), &failure);
    if (!answer) {
        step(search, "rdap", url, "nothing", failure->message, 0);
        return 0;
    }
    size_t found = take_registered(search, "rdap", page.url, answer);
    step(search, "rdap", url, found ? "found" : "nothing", NULL, found);
    if (ret_related)
        *ret_related = g_strdup(json_string_value(json_object_get(answer, "related")));
    return found;
}

/* The registry, and where it knows of nobody the registrar that it names. */
static size_t ask_rdap(Search *search) {
    g_autofree char *base =
        lookup_rdap_base(search->lookup->rdap, search->rules, search->root, search->address);
    if (!base) {
        step(search, "rdap", search->root, "nothing", "no RDAP server is known for it", 0);
        return 0;
    }
    g_autofree char *url = g_strdup_printf("%s%s%s/%s", base, g_str_has_suffix(base, "/") ? "" : "/",
                                           search->address ? "ip" : "domain", search->root);
    g_autofree char *related = NULL;
    size_t found = ask_rdap_at(search, url, &related);
    if (found == 0 && related && !stopped(search) && !asked_already(search, related))
        found = ask_rdap_at(search, related, NULL);
    return found;
}

static char *ask_whois_at(Search *search, const char *server, size_t *ret_found) {
    g_autoptr(GByteArray) text = NULL;
    g_autoptr(GError) failure = NULL;
    g_autofree char *url = g_strconcat("whois://", server, "/", search->root, NULL);
    if (!fetch_whois(search->lookup, server, search->root, WHOIS_MAX, &text, &failure)) {
        step_failed(search, "whois", url, failure);
        return NULL;
    }
    g_autoptr(json_t) answer = csirt_whois_parse(vigie_bytes(text->data, text->len));
    *ret_found = take_registered(search, "whois", url, answer);
    step(search, "whois", url, *ret_found ? "found" : "nothing", NULL, *ret_found);
    return g_strdup(json_string_value(json_object_get(answer, "refer")));
}

/* From the server that knows all servers on to the one that it names: two steps. */
static void ask_whois(Search *search) {
    const json_t *servers = json_object_get(search->rules, "whois");
    const char *first = search->lookup->whois;
    g_autofree char *server =
        g_strdup(*first ? first : vigie_member_text(servers, search->address ? "addresses" : "domains"));
    for (int i = 0; i < 3 && server && !stopped(search); i++) {
        size_t found = 0;
        g_autofree char *next = ask_whois_at(search, server, &found);
        if (found || g_strcmp0(next, server) == 0)
            return;
        g_free(server);
        server = g_steal_pointer(&next);
    }
}

/* ---- The whole ---- */
/* A name in A-labels or an address; port 0: none is named. */
static char *read_host(const char *text, int *ret_port, GError **error) {
    g_autofree char *url = g_strconcat("https://", text, "/", NULL);
    g_autoptr(GUri) uri = g_uri_parse(url, G_URI_FLAGS_NONE, NULL);
    const char *host = uri ? g_uri_get_host(uri) : NULL;
    g_autofree char *ascii = host && *host ? g_hostname_to_ascii(host) : NULL;
    bool plain = ascii && strlen(ascii) < 254 &&
                 strspn(ascii, "abcdefghijklmnopqrstuvwxyz0123456789-.:") == strlen(ascii);
    if (!plain || g_uri_get_userinfo(uri) || strcmp(g_uri_get_path(uri), "/") != 0 || g_uri_get_query(uri)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "“%s” is no domain: a name or an address is wanted, as in chu.example or 192.0.2.1",
                    text);
        return NULL;
    }
    *ret_port = g_uri_get_port(uri);
    return g_steal_pointer(&ascii);
}

static char *site_of(const char *host, int port) {
    g_autofree char *bare = strchr(host, ':') ? g_strdup_printf("[%s]", host) : g_strdup(host);
    return port > 0 ? g_strdup_printf("%s:%d", bare, port) : g_steal_pointer(&bare);
}

char *csirt_domain_check(const char *text, GError **error) {
    int port = 0;
    g_autofree char *host = read_host(text, &port, error);
    return host ? site_of(host, port) : NULL;
}

static bool read_domain(Search *search, const char *text, GError **error) {
    int port = 0;
    search->host = read_host(text, &port, error);
    if (!search->host)
        return false;
    search->address = g_hostname_is_ip_address(search->host);
    search->root = search->address ? g_strdup(search->host) : fetch_registrable(search->host);
    search->site = site_of(search->host, port);
    return true;
}

static int by_confidence(const void *a, const void *b) {
    json_int_t one = json_integer_value(json_object_get(*(json_t *const *)a, "confidence"));
    json_int_t other = json_integer_value(json_object_get(*(json_t *const *)b, "confidence"));
    return one < other ? 1 : one > other ? -1 : 0;
}

static json_t *best_first(json_t *contacts) {
    g_autoptr(GPtrArray) order = g_ptr_array_new();
    for (size_t i = 0; i < json_array_size(contacts); i++)
        g_ptr_array_add(order, json_array_get(contacts, i));
    g_ptr_array_sort(order, by_confidence); /* a merge sort: what is equal keeps its order */
    json_t *sorted = json_array();
    for (guint i = 0; i < order->len; i++)
        json_array_append(sorted, order->pdata[i]);
    return sorted;
}

/* The name itself first; a device's name rarely answers for the establishment, the domain above it does. */
static void ask_sites(Search *search) {
    bool above = !search->address && strcmp(search->root, search->host) != 0;
    g_autofree char *www = g_strconcat("www.", search->root, NULL);
    if (!ask_site_security_txt(search, search->site) && above && !stopped(search))
        ask_site_security_txt(search, search->root);
    if (!stopped(search) && !ask_site_pages(search, search->site) && !search->address && !stopped(search) &&
        strcmp(www, search->host) != 0)
        ask_site_pages(search, www);
}

json_t *csirt_lookup_domain(VigieLookup *lookup, const char *domain, VigieTime now, const volatile int *stop,
                            GError **error) {
    const json_t *rules = lookup_rules(error);
    g_auto(Search) search = {.lookup = lookup,
                             .rules = rules,
                             .now = now,
                             .steps = json_array(),
                             .contacts = json_array(),
                             .keys = json_array(),
                             .security_txt = json_null()};
    lookup->stop = stop;
    if (!rules || !read_domain(&search, domain, error))
        return NULL;
    ask_sites(&search);
    if (!stopped(&search) && ask_rdap(&search) == 0 && !stopped(&search))
        ask_whois(&search);
    return json_pack("{s:s, s:O, s:O, s:o, s:O}", "domain", search.site, "steps", search.steps,
                     "security_txt", search.security_txt, "contacts", best_first(search.contacts), "keys",
                     search.keys);
}
