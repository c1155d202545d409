/* Does a certificate name a host? RFC 9525 for DNS names and addresses; RFC 6125 6.4.4, the common name, only
 * where there is no subjectAltName at all, and then flagged. The presented names come escaped from
 * certificate.c: a NUL or any other unprintable octet in one is "\x00" in text, which no host name contains,
 * so it can match nothing. */
#include "x509/x509.h"

#include <arpa/inet.h>
#include <idn2.h>
#include <string.h>

typedef struct {
    int family; /* AF_INET, AF_INET6; 0: none */
    uint8_t octets[16];
} Address;

static bool parse_address(const char *text, Address *ret_address) {
    Address address = {0};
    if (inet_pton(AF_INET, text, address.octets) == 1)
        address.family = AF_INET;
    else if (inet_pton(AF_INET6, text, address.octets) == 1)
        address.family = AF_INET6;
    else
        return false;
    *ret_address = address;
    return true;
}

/* Letters, digits, hyphens and underscores in labels of 1 to 63, 253 in all (RFC 1123 2.1; underscores are
 * out there and do no harm). `text` is in A-labels. */
static bool is_host_name(const char *text) {
    size_t size = strlen(text), label = 0;
    if (size == 0 || size > 253)
        return false;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '.') {
            if (label == 0)
                return false;
            label = 0;
        } else if (!(g_ascii_isalnum(text[i]) || text[i] == '-' || text[i] == '_') || ++label > 63) {
            return false;
        }
    }
    return label > 0;
}

/* The name in A-labels, lower case, without the root's dot; NULL where it is no host name. */
static char *to_a_labels(const char *name) {
    g_autofree char *bare = g_strdup(name);
    size_t size = strlen(bare);
    if (size > 1 && bare[size - 1] == '.')
        bare[size - 1] = '\0';
    g_autofree char *result = NULL;
    char *converted = NULL;
    if (g_str_is_ascii(bare))
        result = g_ascii_strdown(bare, -1);
    else if (idn2_to_ascii_8z(bare, &converted, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) == IDN2_OK)
        result = g_strdup(converted);
    idn2_free(converted);
    return result && is_host_name(result) ? g_steal_pointer(&result) : NULL;
}

/* RFC 9525 6.3: "*" stands for exactly one whole label, the left-most. A rest of one label ("*.fr",
 * "*.local") would speak for everybody, so it speaks for nobody. */
static bool dns_matches(const char *presented, const char *host) {
    if (g_ascii_strcasecmp(presented, host) == 0)
        return true;
    if (presented[0] != '*' || presented[1] != '.' || !is_host_name(presented + 2))
        return false;
    const char *rest = strchr(host, '.');
    return rest && strchr(rest + 1, '.') && g_ascii_strcasecmp(presented + 1, rest) == 0;
}

static bool names_address(const VigieCertificate *certificate, const Address *wanted) {
    for (size_t i = 0; i < certificate->name_count; i++) {
        Address presented;
        if (certificate->names[i].type == VIGIE_NAME_IP &&
            parse_address(certificate->names[i].text, &presented) && presented.family == wanted->family &&
            memcmp(presented.octets, wanted->octets, 16) == 0)
            return true;
    }
    return false;
}

bool x509_certificate_names(const VigieCertificate *certificate, const char *name, bool *ret_by_common_name) {
    if (ret_by_common_name)
        *ret_by_common_name = false;
    Address address;
    if (parse_address(name, &address))
        return names_address(certificate, &address);
    g_autofree char *host = to_a_labels(name);
    if (host == NULL)
        return false;
    for (size_t i = 0; i < certificate->name_count; i++)
        if (certificate->names[i].type == VIGIE_NAME_DNS && dns_matches(certificate->names[i].text, host))
            return true;
    if (certificate->name_count > 0 || certificate->common_name == NULL)
        return false;
    bool matches = dns_matches(certificate->common_name, host);
    if (ret_by_common_name)
        *ret_by_common_name = matches;
    return matches;
}
