/* request: certificate requests, made and judged. */
#include "x509/der-write.h"
#include "x509/x509.h"

#include <arpa/inet.h>
#include <idn2.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <string.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_PKEY, EVP_PKEY_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509_REQ, X509_REQ_free)

static EVP_PKEY *make_key(VigieNewKey key) {
    const VigieKeyKind *kind = x509_key_kind(key);
    return kind->curve ? EVP_PKEY_Q_keygen(NULL, NULL, kind->family, kind->curve)
                       : EVP_PKEY_Q_keygen(NULL, NULL, kind->family, (size_t)kind->bits);
}

/* ---- Names ---------------------------------------------------------------------------------------------- */

/* A host name of letters, digits and hyphens (RFC 1123 2.1); a wildcard as the first label alone. Its last label is no number: what
 * looks like an address and is none is an address with a mistake in it. */
static bool is_host_name(const char *name) {
    size_t size = strlen(name), label = 0;
    const char *at = g_str_has_prefix(name, "*.") ? name + 2 : name, *last = strrchr(name, '.');
    last = last ? last + 1 : name;
    if (last[strspn(last, "0123456789")] == '\0')
        return false;
    if (size == 0 || size > 253)
        return false;
    for (; *at; at++) {
        bool dot = *at == '.';
        if (!dot && !g_ascii_isalnum(*at) && (*at != '-' || label == 0 || at[1] == '.' || at[1] == '\0'))
            return false;
        label = dot ? 0 : label + 1;
        if ((dot && (at == name || at[-1] == '.')) || label > 63)
            return false;
    }
    return label > 0;
}

/* "DNS:xn--…" or "IP:…" for a name as people write it; NULL where it is neither. Free with g_free. */
static char *general_name(const char *name) {
    uint8_t address[16];
    if (inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1)
        return g_strconcat("IP:", name, NULL);
    char *ascii = NULL;
    if (idn2_to_ascii_8z(name, &ascii, IDN2_NONTRANSITIONAL) != IDN2_OK && !g_str_is_ascii(name))
        return NULL;
    char *made = is_host_name(ascii ? ascii : name) ? g_strconcat("DNS:", ascii ? ascii : name, NULL) : NULL;
    idn2_free(ascii);
    return made;
}

/* The subjectAltName's value as libcrypto takes it, each name once. */
static char *alternative_names(const char *const *names, GError **error) {
    g_autoptr(GPtrArray) made = g_ptr_array_new_with_free_func(g_free);
    for (size_t i = 0; names[i]; i++) {
        char *name = general_name(names[i]);
        if (!name) {
            g_set_error(
                error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                "\"%s\" cannot be in a certificate: a host name of letters, digits and hyphens, as in "
                "echo-04.chu.example, or an IP address",
                names[i]);
            return NULL;
        }
        if (g_ptr_array_find_with_equal_func(made, name, g_str_equal, NULL))
            g_free(name);
        else
            g_ptr_array_add(made, name);
    }
    g_ptr_array_add(made, NULL);
    return g_strjoinv(",", (char **)made->pdata);
}

/* ---- Making one ----------------------------------------------------------------------------------------- */

static bool set_subject(X509_REQ *made, const VigieRequest *request) {
    const struct {
        const char *attribute, *value;
    } parts[] = {{"C", request->country},
                 {"O", request->organisation},
                 {"OU", request->unit},
                 {"CN", request->common_name ? request->common_name : request->names[0]}};
    X509_NAME *subject = X509_NAME_new();
    bool set = true;
    for (size_t i = 0; i < G_N_ELEMENTS(parts); i++)
        /* RFC 5280 A.1: 64 characters at most; a longer name is in subjectAltName alone. */
        if (parts[i].value && g_utf8_strlen(parts[i].value, -1) <= 64)
            set = set && X509_NAME_add_entry_by_txt(subject, parts[i].attribute, MBSTRING_UTF8,
                                                    (const unsigned char *)parts[i].value, -1, -1, 0);
    set = set && X509_REQ_set_subject_name(made, subject);
    X509_NAME_free(subject);
    return set;
}

static bool set_names(X509_REQ *made, const char *names) {
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
    STACK_OF(X509_EXTENSION) *extensions = sk_X509_EXTENSION_new_null();
    bool set = extension && sk_X509_EXTENSION_push(extensions, extension) &&
               X509_REQ_add_extensions(made, extensions);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    return set;
}

static void add_der(GPtrArray *objects, const char *kind, unsigned char *der, int size) {
    if (size > 0) {
        VigieFileObject *object = g_new(VigieFileObject, 1);
        *object = (VigieFileObject){.kind = kind, .der = g_memdup2(der, (gsize)size), .size = (size_t)size};
        g_ptr_array_add(objects, object);
    }
    OPENSSL_clear_free(der, size > 0 ? (size_t)size : 0);
}

/* All but the signature. */
static X509_REQ *compose(const VigieRequest *request, EVP_PKEY *key, GError **error) {
    g_autofree char *names = alternative_names(request->names, error);
    if (!names)
        return NULL;
    g_autoptr(X509_REQ) made = X509_REQ_new();
    bool done = key && *names && X509_REQ_set_version(made, 0) && set_subject(made, request) &&
                set_names(made, names) && X509_REQ_set_pubkey(made, key);
    ERR_clear_error();
    if (!done)
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                            *names
                                ? "the request could not be made with this key or these names"
                                : "a request wants at least one name: the device's FQDN or its IP address");
    return done ? g_steal_pointer(&made) : NULL;
}

GPtrArray *x509_request_new(const VigieRequest *request, const VigieFileObject *existing, GError **error) {
    const unsigned char *at = existing ? existing->der : NULL;
    g_autoptr(EVP_PKEY) key =
        existing ? d2i_AutoPrivateKey(NULL, &at, (long)existing->size) : make_key(request->key);
    g_autoptr(X509_REQ) made = compose(request, key, error);
    if (!made)
        return NULL;
    if (X509_REQ_sign(made, key, EVP_sha256()) <= 0) {
        ERR_clear_error();
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "this key does not sign a request");
        return NULL;
    }
    g_autoptr(GPtrArray) objects = x509_file_objects((VigieBytes){0}, NULL);
    unsigned char *key_der = NULL, *request_der = NULL;
    int key_size = i2d_PrivateKey(key, &key_der), request_size = i2d_X509_REQ(made, &request_der);
    add_der(objects, "private-key", key_der, key_size);
    add_der(objects, "certificate-request", request_der, request_size);
    return g_steal_pointer(&objects);
}

GPtrArray *x509_request_for(const VigieRequest *request, const VigieForeignKey *key, GError **error) {
    const unsigned char *at = key->spki.data;
    g_autoptr(EVP_PKEY) public = d2i_PUBKEY(NULL, &at, (long)key->spki.size);
    g_autoptr(X509_REQ) made = compose(request, public, error);
    g_autoptr(GByteArray) der = g_byte_array_new(), signature = g_byte_array_new();
    unsigned char *info = NULL;
    int size = made ? i2d_re_X509_REQ_tbs(made, &info) : 0;
    bool done = size > 0 && key->sign(key->key, vigie_bytes(info, (size_t)size), signature, error);
    if (done) {
        size_t whole = der_open(der, DER_SEQUENCE);
        der_put_whole(der, vigie_bytes(info, (size_t)size));
        der_put_whole(der, key->algorithm);
        der_put_bits(der, der_bytes(signature));
        der_close(der, whole);
    }
    OPENSSL_free(info);
    if (!done)
        return NULL;
    g_autoptr(GPtrArray) objects = x509_file_objects(der_bytes(der), NULL);
    return g_steal_pointer(&objects);
}

/* ---- Judging one ---------------------------------------------------------------------------------------- */

static void add_problem(json_t *answer, const char *id, json_t *evidence) {
    json_array_append_new(json_object_get(answer, "problems"),
                          json_pack("{s:s,s:o}", "id", id, "evidence", evidence));
}

static void check_key(json_t *answer, X509_REQ *request) {
    EVP_PKEY *key = X509_REQ_get0_pubkey(request);
    if (!key || X509_REQ_verify(request, key) != 1)
        add_problem(answer, "not-signed-by-its-key", json_object());
    const json_t *facts = json_object_get(answer, "key");
    const char *type = json_string_value(json_object_get(facts, "type"));
    json_int_t bits = json_integer_value(json_object_get(facts, "bits"));
    bool rsa = type && g_str_has_prefix(type, "RSA"), ec = type && strcmp(type, "EC") == 0;
    if ((rsa && bits < 2048) || (ec && bits < 256) || (type && strcmp(type, "DSA") == 0))
        add_problem(answer, "weak-key", json_pack("{s:s,s:I}", "type", type, "bits", bits));
    int digest = NID_undef;
    OBJ_find_sigid_algs(X509_REQ_get_signature_nid(request), &digest, NULL);
    const char *algorithm = OBJ_nid2ln(X509_REQ_get_signature_nid(request));
    json_object_set_new(answer, "signature_algorithm", json_string(algorithm ? algorithm : ""));
    if (digest == NID_sha1 || digest == NID_md5 || digest == NID_md4 || digest == NID_md2)
        add_problem(answer, "weak-signature", json_pack("{s:s}", "algorithm", algorithm));
}

/* One subjectAltName into "names"; what cannot be a name of a device is a problem. */
static void check_name(json_t *answer, const GENERAL_NAME *name) {
    g_autofree char *text = NULL;
    bool good = true;
    if (name->type == GEN_DNS) {
        const char *data = (const char *)ASN1_STRING_get0_data(name->d.dNSName);
        size_t size = (size_t)ASN1_STRING_length(name->d.dNSName);
        g_autofree char *host = g_strndup(data, MIN(size, 300));
        uint8_t address[4];
        good = strlen(host) == size && is_host_name(host) && inet_pton(AF_INET, host, address) != 1;
        g_autofree char *shown = g_strescape(host, NULL);
        text = g_strconcat("DNS:", shown, NULL);
    } else if (name->type == GEN_IPADD) {
        int size = ASN1_STRING_length(name->d.iPAddress);
        char address[INET6_ADDRSTRLEN] = "";
        good = (size == 4 || size == 16) &&
               inet_ntop(size == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(name->d.iPAddress), address,
                         sizeof address);
        text = g_strconcat("IP:", address, NULL);
    } else {
        text = g_strdup_printf("[%d]", name->type);
    }
    json_array_append_new(json_object_get(answer, "names"), json_string(text));
    if (!good)
        add_problem(answer, "bad-name", json_pack("{s:s}", "name", text));
}

static void check_names(json_t *answer, X509_REQ *request) {
    STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(request);
    GENERAL_NAMES *names = X509V3_get_d2i(extensions, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && i < 1000; i++)
        check_name(answer, sk_GENERAL_NAME_value(names, i));
    if (sk_GENERAL_NAME_num(names) <= 0)
        add_problem(answer, "no-names", json_object());
    GENERAL_NAMES_free(names);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    char common_name[300] = "";
    X509_NAME_get_text_by_NID(X509_REQ_get_subject_name(request), NID_commonName, common_name,
                              sizeof common_name);
    size_t i = 0;
    const json_t *name = NULL;
    bool found = !is_host_name(common_name) || !strchr(common_name, '.');
    json_array_foreach(json_object_get(answer, "names"), i, name) found =
        found || g_ascii_strcasecmp(strchr(json_string_value(name), ':') + 1, common_name) == 0;
    if (!found && json_array_size(json_object_get(answer, "names")) > 0)
        add_problem(answer, "common-name-not-in-names", json_pack("{s:s}", "name", common_name));
}

json_t *x509_request_check(VigieBytes der, GError **error) {
    const unsigned char *at = der.data;
    g_autoptr(X509_REQ) request = d2i_X509_REQ(NULL, &at, (long)der.size);
    ERR_clear_error();
    if (!request) {
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                            "this is not a certificate request; vigie identify tells what it is");
        return NULL;
    }
    g_autoptr(json_t) seen = x509_identify(der, NULL);
    const json_t *facts = json_array_get(json_object_get(seen, "objects"), 0);
    json_t *answer = json_pack("{s:O?,s:[],s:O?,s:[]}", "subject", json_object_get(facts, "subject"), "names",
                               "key", json_object_get(facts, "key"), "problems");
    check_key(answer, request);
    check_names(answer, request);
    if (X509_REQ_get_attr_by_NID(request, NID_pkcs9_challengePassword, -1) >= 0)
        add_problem(answer, "challenge-password", json_object());
    ERR_clear_error();
    return answer;
}
