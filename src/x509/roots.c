#include "x509/roots.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

enum { FILE_MAX = 16 << 20 };

static guint digest_hash(const void *digest) {
    guint hash;
    memcpy(&hash, digest, sizeof hash);
    return hash;
}

static gboolean digest_equal(const void *a, const void *b) {
    return memcmp(a, b, 32) == 0;
}

GHashTable *digest_table_new(GDestroyNotify free_value) {
    return g_hash_table_new_full(digest_hash, digest_equal, g_free, free_value);
}

char *name_attribute(const X509_NAME *name, int nid) {
    int last = -1;
    for (int at = -1; (at = X509_NAME_get_index_by_NID(name, nid, at)) >= 0;)
        last = at;
    if (last < 0)
        return NULL;
    unsigned char *utf8 = NULL;
    int size = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, last)));
    if (size < 0)
        return NULL;
    char *text = g_utf8_make_valid((const char *)utf8, size);
    OPENSSL_free(utf8);
    return text;
}

static void free_x509(void *certificate) {
    X509_free(certificate);
}

VigieRoots *x509_roots_new(void) {
    VigieRoots *roots = g_new0(VigieRoots, 1);
    roots->store = X509_STORE_new();
    roots->labels = digest_table_new(NULL);
    roots->organisations = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    roots->dates = g_array_new(FALSE, FALSE, sizeof(VigieTime));
    roots->judged = digest_table_new(g_free);
    roots->authorities = digest_table_new(free_x509);
    return roots;
}

void x509_roots_free(VigieRoots *roots) {
    if (roots == NULL)
        return;
    X509_STORE_free(roots->store);
    g_hash_table_unref(roots->labels);
    g_hash_table_unref(roots->organisations);
    g_array_unref(roots->dates);
    g_hash_table_unref(roots->judged);
    g_hash_table_unref(roots->authorities);
    g_free(roots);
}

static void note_date(VigieRoots *roots, const ASN1_TIME *date) {
    struct tm parts;
    if (ASN1_TIME_to_tm(date, &parts) != 1)
        return;
    VigieTime time = timegm(&parts);
    g_array_append_val(roots->dates, time);
}

/* "AC Équipements CHU": the name people know a root by. */
static const char *root_label(const X509 *root, const char *label) {
    const X509_NAME *subject = X509_get_subject_name(root);
    g_autofree char *name = label ? g_strdup(label) : name_attribute(subject, NID_commonName);
    if (name == NULL)
        name = name_attribute(subject, NID_organizationalUnitName);
    if (name == NULL)
        name = name_attribute(subject, NID_organizationName);
    return g_intern_string(name ? name : "?");
}

static bool add(VigieRoots *roots, X509 *root, const char *label) {
    uint8_t digest[32];
    if (X509_digest(root, EVP_sha256(), digest, NULL) != 1 || X509_STORE_add_cert(roots->store, root) != 1)
        return false;
    /* A root of the system that the hospital names too goes by the hospital's name. */
    if (label || !g_hash_table_contains(roots->labels, digest))
        g_hash_table_replace(roots->labels, g_memdup2(digest, 32), (void *)root_label(root, label));
    char *organisation = name_attribute(X509_get_subject_name(root), NID_organizationName);
    if (organisation) {
        g_hash_table_add(roots->organisations, vigie_text_fold(organisation));
        g_free(organisation);
    }
    note_date(roots, X509_get0_notBefore(root));
    note_date(roots, X509_get0_notAfter(root));
    roots->count++;
    return true;
}

/* Every PEM block, or the one DER. */
static size_t add_all(VigieRoots *roots, const char *bytes, size_t size, const char *label) {
    size_t count = 0;
    BIO *bio = BIO_new_mem_buf(bytes, (int)size);
    X509 *root = NULL;
    while (bio && (root = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        count += add(roots, root, label);
        X509_free(root);
    }
    BIO_free(bio);
    const unsigned char *der = (const unsigned char *)bytes;
    if (count == 0 && (root = d2i_X509(NULL, &der, (long)size)) != NULL) {
        count += add(roots, root, label);
        X509_free(root);
    }
    ERR_clear_error();
    return count;
}

static bool add_file(VigieRoots *roots, const char *path, const char *label, size_t *ret_count,
                     GError **error) {
    g_autofree char *bytes = NULL;
    gsize size = 0;
    g_autoptr(GError) reason = NULL;
    if (!g_file_get_contents(path, &bytes, &size, &reason)) {
        bool missing = g_error_matches(reason, G_FILE_ERROR, G_FILE_ERROR_NOENT);
        g_set_error(error, VIGIE_ERROR, missing ? VIGIE_ERROR_NOT_FOUND : VIGIE_ERROR_UNAVAILABLE,
                    "roots: %s; name a readable PEM or DER file", reason->message);
        return false;
    }
    if (size > FILE_MAX) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_LIMIT, "roots: %s is larger than 16 MiB", path);
        return false;
    }
    size_t count = add_all(roots, bytes, size, label);
    if (count == 0) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "roots: %s holds no certificate; it should hold -----BEGIN CERTIFICATE-----, or be DER",
                    path);
        return false;
    }
    /* What was judged by fewer roots may be judged otherwise now. */
    g_hash_table_remove_all(roots->judged);
    if (ret_count)
        *ret_count = count;
    return true;
}

bool x509_roots_add_system(VigieRoots *roots, GError **error) {
    const char *path = g_getenv("SSL_CERT_FILE");
    g_autoptr(GError) reason = NULL;
    if (add_file(roots, path ? path : "/etc/ssl/certs/ca-certificates.crt", NULL, NULL, &reason))
        return true;
    g_set_error(error, VIGIE_ERROR, (int)reason->code,
                "the system's roots, of Debian's package ca-certificates: %s", reason->message);
    return false;
}

bool x509_roots_add_file(VigieRoots *roots, const char *path, const char *label, size_t *ret_count,
                         GError **error) {
    if (!add_file(roots, path, label, ret_count, error))
        return false;
    roots->own = true;
    return true;
}
