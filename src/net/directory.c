/* directory: libldap, held short. The connection is ours and never blocks, so that neither a name nor a silent server holds us up
 * for longer than was given; a message that is too large is not read. */
#include "net/directory.h"
#include "base/base.h"

#define LDAP_DEPRECATED 0
#include <errno.h>
#include <ldap.h>
#include <openldap.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum {
    MESSAGES = 8, /* that may come before the entry */
    VALUES = 64,
    FRAME = 64 << 10, /* octets of an answer besides its values */
};

/* RFC 4523 2: what is transferred as it was signed is asked for so. */
static const char *const attributes[] = {"userCertificate;binary",         "cACertificate;binary",
                                         "crossCertificatePair;binary",    "certificateRevocationList;binary",
                                         "authorityRevocationList;binary", "deltaRevocationList;binary"};

static bool refuse(const char *url, const char *why, GError **error) {
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED, "%s: %s", url, why);
    return false;
}

static bool unreached(const char *url, const char *cause, GError **error) {
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE, "%s: it cannot be reached (%s)", url, cause);
    return false;
}

static bool away(const char *url, const char *why, GError **error) {
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE, "%s: %s", url, why);
    return false;
}

static int64_t left_us(int64_t until) {
    return MAX(until - g_get_monotonic_time(), 0);
}

/* ---- What the address asks for ---- */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LDAPURLDesc, ldap_free_urldesc)

/* Options aside ("certificateRevocationList;binary"), letters alike. */
static bool same_type(const char *text, size_t size, const char *attribute) {
    const char *option = memchr(text, ';', size);
    size_t length = option ? (size_t)(option - text) : size;
    return length == strcspn(attribute, ";") && g_ascii_strncasecmp(text, attribute, length) == 0;
}

/* Those of ours that it names, NULL-terminated; how many. */
static size_t choose(const LDAPURLDesc *asked, const char *ret_chosen[G_N_ELEMENTS(attributes) + 1]) {
    size_t count = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(attributes); i++) {
        bool named = false;
        for (char **name = asked->lud_attrs; name && *name && !named; name++)
            named = same_type(*name, strlen(*name), attributes[i]);
        if (named)
            ret_chosen[count++] = attributes[i];
    }
    ret_chosen[count] = NULL;
    return count;
}

static LDAPURLDesc *read_url(const char *url, GError **error) {
    g_autoptr(LDAPURLDesc) asked = NULL;
    const char *chosen[G_N_ELEMENTS(attributes) + 1], *why = NULL;
    if (g_ascii_strncasecmp(url, "ldaps:", strlen("ldaps:")) == 0)
        why = "RFC 5280 8: ldaps is not asked: fetch it with another program, and give the file";
    else if (g_ascii_strncasecmp(url, "ldap://", strlen("ldap://")) != 0 ||
             ldap_url_parse(url, &asked) != LDAP_URL_SUCCESS)
        why =
            "RFC 4516 2: this is no address of a directory, as ldap://chu.example/cn=AC?cACertificate;binary";
    else if (!asked->lud_host || !*asked->lud_host)
        why = "RFC 5280 4.2.1.13: it names no server: whoever is in that domain asks its own; fetch it "
              "there, and "
              "give the file";
    else if (!asked->lud_dn || !*asked->lud_dn || asked->lud_scope != LDAP_SCOPE_BASE)
        why = "RFC 5280 4.2.1.13: one entry of a directory is read, and this does not name one";
    else if (choose(asked, chosen) == 0)
        why = "RFC 4523 2: it names no attribute of certificates or revocation lists";
    else if (asked->lud_crit_exts)
        why = "RFC 4516 2: it demands an extension that is not known";
    if (why)
        refuse(url, why, error);
    return why ? NULL : g_steal_pointer(&asked);
}

/* ---- The connection ---- */
typedef struct {
    VigieQuery query;
    VigieAddress addresses[NET_RESOLVE_ADDRESSES];
    size_t count;
    bool answered;
} Lookup;

static void take_answer(VigieQuery *query, VigieResolveOutcome outcome, const VigieAddress *addresses,
                        size_t count) {
    Lookup *lookup = (Lookup *)query;
    (void)outcome;
    lookup->answered = true;
    lookup->count = MIN(count, NET_RESOLVE_ADDRESSES);
    if (lookup->count)
        memcpy(lookup->addresses, addresses, lookup->count * sizeof *addresses);
}

static void look_up(const char *host, int64_t until, Lookup *lookup) {
    char name[NET_NAME_MAX];
    const char *problem = NULL;
    if (net_address_parse(host, &lookup->addresses[0])) {
        lookup->count = 1;
        return;
    }
    if (!net_name_ascii(host, name, &problem))
        return;
    g_autoptr(VigieReactor) reactor = net_reactor_new();
    g_autoptr(VigieResolver) resolver =
        reactor ? net_resolver_new(reactor, (int)CLAMP(left_us(until) / 3000, 1, 5000)) : NULL;
    lookup->query.answered = take_answer;
    if (resolver)
        net_resolve(resolver, &lookup->query, name);
    while (resolver && !lookup->answered && left_us(until) > 0)
        net_reactor_run(reactor, left_us(until) * 1000);
    if (resolver && !lookup->answered)
        net_resolve_cancel(resolver, &lookup->query);
}

/* The descriptor, or -errno. */
static int connect_to(const VigieAddress *address, uint16_t port, int64_t until) {
    int fd = net_dial(address, port);
    struct pollfd wanted = {.fd = fd, .events = POLLOUT};
    if (fd < 0)
        return fd;
    int ready = poll(&wanted, 1, (int)MIN(left_us(until) / 1000, INT_MAX));
    int code = ready > 0 ? net_dial_error(fd) : ready == 0 ? ETIMEDOUT : errno;
    if (code == 0)
        return fd;
    close(fd);
    return -code;
}

/* Whichever of its addresses answers; the first has half of the time. */
static int reach(const VigieHttp *http, const LDAPURLDesc *asked, const char *url, int64_t until,
                 GError **error) {
    Lookup lookup = {0};
    int fd = -ETIMEDOUT;
    look_up(asked->lud_host, until, &lookup);
    if (lookup.count == 0) {
        away(url, "no address is known of this name", error);
        return -1;
    }
    for (size_t i = 0; i < lookup.count && fd < 0; i++) {
        if (!net_reach_allows(http->reach, &lookup.addresses[i])) {
            fd = -EACCES;
            continue;
        }
        int64_t share = left_us(until) / (i + 1 < lookup.count ? 2 : 1);
        fd = connect_to(&lookup.addresses[i], (uint16_t)asked->lud_port, g_get_monotonic_time() + share);
    }
    if (fd == -EACCES)
        net_reach_refuse(http, url, error);
    else if (fd < 0)
        unreached(url, g_strerror(-fd), error);
    return fd;
}

/* ---- The entry ---- */
/* What is known of the machine's own libldap (ldap.conf, its variables) is for its users' directory, not for this one. */
static LDAP *take_connection(int fd, size_t size_max) {
    LDAP *ldap = NULL;
    Sockbuf *socket = NULL;
    const int version = LDAP_VERSION3, never = LDAP_DEREF_NEVER;
    ber_len_t limit = (ber_len_t)size_max + FRAME;
    if (ldap_init_fd(fd, LDAP_PROTO_TCP, NULL, &ldap) != LDAP_SUCCESS) {
        close(fd);
        return NULL;
    }
    if (ldap_set_option(ldap, LDAP_OPT_PROTOCOL_VERSION, &version) == LDAP_SUCCESS &&
        ldap_set_option(ldap, LDAP_OPT_REFERRALS, LDAP_OPT_OFF) == LDAP_SUCCESS &&
        ldap_set_option(ldap, LDAP_OPT_DEREF, &never) == LDAP_SUCCESS &&
        ldap_get_option(ldap, LDAP_OPT_SOCKBUF, &socket) == LDAP_SUCCESS && socket &&
        ber_sockbuf_ctrl(socket, LBER_SB_OPT_SET_MAX_INCOMING, &limit) == 1)
        return ldap;
    ldap_unbind_ext(ldap, NULL, NULL);
    return NULL;
}

static void free_bytes(void *bytes) {
    g_bytes_unref(bytes);
}

/* Of one attribute; libldap's own would allocate for each of a million empty values. */
static void take_values(BerElement *ber, size_t size_max, size_t *total, GPtrArray *values) {
    char *end = NULL;
    ber_len_t size = 0;
    struct berval value;
    for (ber_tag_t tag = ber_first_element(ber, &size, &end); tag != LBER_DEFAULT;
         tag = ber_next_element(ber, &size, end)) {
        if (ber_scanf(ber, "m", &value) == LBER_ERROR)
            return;
        *total += value.bv_len;
        if (*total > size_max)
            return;
        if (value.bv_len && values && values->len < VALUES)
            g_ptr_array_add(values, g_bytes_new(value.bv_val, value.bv_len));
    }
}

static bool take_entry(LDAP *ldap, LDAPMessage *entry, const char *url, const char *const *chosen,
                       size_t size_max, GPtrArray **ret_values, GError **error) {
    g_autoptr(GPtrArray) values = g_ptr_array_new_with_free_func(free_bytes);
    BerElement *ber = NULL;
    struct berval name, type;
    size_t total = 0;
    bool readable = ldap_get_dn_ber(ldap, entry, &ber, &name) == LDAP_SUCCESS;
    while (readable && total <= size_max && ber_scanf(ber, "{m", &type) != LBER_ERROR) {
        bool wanted = false;
        for (const char *const *one = chosen; *one && !wanted; one++)
            wanted = same_type(type.bv_val, type.bv_len, *one);
        take_values(ber, size_max, &total, wanted ? values : NULL);
    }
    ber_free(ber, 0);
    if (total > size_max) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_LIMIT, "%s: more than %zu octets", url, size_max);
        return false;
    }
    if (values->len == 0)
        return away(url, "the entry has nothing of what the address asks for", error);
    *ret_values = g_steal_pointer(&values);
    return true;
}

/* The search is over, and there was no entry. */
static bool explain(LDAP *ldap, LDAPMessage *message, const char *url, GError **error) {
    int code = LDAP_DECODING_ERROR;
    if (ldap_parse_result(ldap, message, &code, NULL, NULL, NULL, NULL, 0) != LDAP_SUCCESS)
        code = LDAP_DECODING_ERROR;
    if (code == LDAP_SUCCESS || code == LDAP_NO_SUCH_OBJECT)
        return away(url, "the directory has no such entry", error);
    if (code == LDAP_REFERRAL)
        return refuse(url, "the directory sends elsewhere, which is not followed", error);
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE, "%s: the directory answers: %s", url,
                ldap_err2string(code));
    return false;
}

static bool wait_for_entry(LDAP *ldap, int id, const char *url, const char *const *chosen, int64_t until,
                           size_t size_max, GPtrArray **ret_values, GError **error) {
    for (int i = 0; i < MESSAGES; i++) {
        LDAPMessage *message = NULL;
        int64_t left = left_us(until);
        struct timeval limit = {.tv_sec = left / G_USEC_PER_SEC, .tv_usec = left % G_USEC_PER_SEC};
        errno = 0;
        int kind = left > 0 ? ldap_result(ldap, id, LDAP_MSG_ONE, &limit, &message) : 0;
        bool large = kind < 0 && errno == ERANGE, known = true, well = false;
        if (large)
            g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_LIMIT, "%s: more than %zu octets", url, size_max);
        else if (kind <= 0)
            unreached(url, ldap_err2string(kind == 0 ? LDAP_TIMEOUT : LDAP_SERVER_DOWN), error);
        else if (kind == LDAP_RES_SEARCH_ENTRY)
            well = take_entry(ldap, message, url, chosen, size_max, ret_values, error);
        else if (kind == LDAP_RES_SEARCH_RESULT)
            explain(ldap, message, url, error);
        else
            known = false; /* a reference, or what is not asked for */
        ldap_msgfree(message);
        if (known)
            return well;
    }
    return refuse(url, "the directory sends elsewhere, which is not followed", error);
}

bool net_entry_read(int fd, const char *url, int64_t until, size_t size_max, GPtrArray **ret_values,
                    GError **error) {
    g_autoptr(LDAPURLDesc) asked = read_url(url, error);
    const char *chosen[G_N_ELEMENTS(attributes) + 1];
    if (!asked) {
        close(fd);
        return false;
    }
    choose(asked, chosen);
    LDAP *ldap = take_connection(fd, size_max);
    if (!ldap)
        return unreached(url, ldap_err2string(LDAP_NO_MEMORY), error);
    int id = -1, code = ldap_search_ext(ldap, asked->lud_dn, LDAP_SCOPE_BASE, asked->lud_filter,
                                        (char **)(uintptr_t)chosen, 0, NULL, NULL, NULL, 1, &id);
    bool well = code == LDAP_SUCCESS
                    ? wait_for_entry(ldap, id, url, chosen, until, size_max, ret_values, error)
                    : unreached(url, ldap_err2string(code), error);
    ldap_unbind_ext(ldap, NULL, NULL);
    return well;
}

bool net_ldap_ask(const VigieHttp *http, const char *url, size_t size_max, GPtrArray **ret_values,
                  GError **error) {
    int64_t until = g_get_monotonic_time() + http->timeout_ms * 1000;
    g_autoptr(LDAPURLDesc) asked = read_url(url, error);
    int fd = asked ? reach(http, asked, url, until, error) : -1;
    return fd >= 0 && net_entry_read(fd, url, until, size_max, ret_values, error);
}
