/* path-maker SPECS FOLDER: makes the certificates and revocation lists of the cases that test_path.py describes (JSON, by the case's
 * name), right or wrong as they say, and writes each as FOLDER/CASE/ID.pem,
 * keys as ID-key.pem.
 *
 * { "conf": sections for extensions, as in openssl.cnf,
 *   "certificates": [ { "id", "name": [ [ "CN", "x" ] … ], "issuer": id or null, "issuer_name": where it is to differ,
 *                       "key": id of a key ("rsa:…" RSA of 1,024 bits, "rsa2048:…", else P-256), "signed": id of the key that signs,
 *                       "digest", "claims": another digest named inside, "version", "from", "until": days from now,
 *                       "ext": [ [ name, value ] … ], "aki": id whose key identifier to name } ],
 *   "crls": [ { "id", "issuer", "signed", "number", "base", "digest", "from", "until", "ext",
 *               "filler": how many more entries, "revoked": [ { "id", "reason", "of": issuer's id, "odd": with an unknown critical extension } ] } ] } */
#include "base/base.h"

#include <glib/gstdio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <string.h>

static GHashTable *keys, *certificates, *signers; /* by id; the key of each certificate */
static CONF *conf;
static time_t now;

static const char *text(const json_t *object, const char *name, const char *otherwise) {
    const char *value = json_string_value(json_object_get(object, name));
    return value ? value : otherwise;
}

static int number(const json_t *object, const char *name, int otherwise) {
    const json_t *value = json_object_get(object, name);
    return value && json_is_integer(value) ? (int)json_integer_value(value) : otherwise;
}

static EVP_PKEY *key_of(const char *id) {
    EVP_PKEY *key = g_hash_table_lookup(keys, id);
    if (!key) {
        key = g_str_has_prefix(id, "rsa:")       ? EVP_RSA_gen(1024)
              : g_str_has_prefix(id, "rsa2048:") ? EVP_RSA_gen(2048)
                                                 : EVP_EC_gen("P-256");
        g_hash_table_insert(keys, g_strdup(id), key);
    }
    return key;
}

static X509 *certificate_of(const char *id) {
    X509 *found = id ? g_hash_table_lookup(certificates, id) : NULL;
    if (!found)
        g_error("no certificate %s", id);
    return found;
}

static X509_NAME *name_of(const json_t *parts) {
    X509_NAME *name = X509_NAME_new();
    size_t i = 0;
    const json_t *part = NULL;
    json_array_foreach(parts, i, part) g_assert_true(X509_NAME_add_entry_by_txt(
        name, json_string_value(json_array_get(part, 0)), MBSTRING_UTF8,
        (const unsigned char *)json_string_value(json_array_get(part, 1)), -1, -1, 0));
    return name;
}

static X509_EXTENSION *extension_of(X509V3_CTX *context, const json_t *pair) {
    const char *name = json_string_value(json_array_get(pair, 0)),
               *value = json_string_value(json_array_get(pair, 1));
    X509V3_set_nconf(context, conf);
    X509_EXTENSION *extension = X509V3_EXT_nconf(conf, context, name, value);
    if (!extension)
        g_error("extension %s = %s", name, value);
    return extension;
}

static void set_time(ASN1_TIME *at, int days) {
    ASN1_TIME_adj(at, now, days, 0);
}

/* ---- Certificates ---- */
static void name_key_identifier(X509 *made, const char *of) {
    AUTHORITY_KEYID *identifier = AUTHORITY_KEYID_new();
    identifier->keyid = ASN1_OCTET_STRING_dup(X509_get0_subject_key_id(certificate_of(of)));
    X509_add1_ext_i2d(made, NID_authority_key_identifier, identifier, 0, X509V3_ADD_REPLACE);
    AUTHORITY_KEYID_free(identifier);
}

/* Signed with one digest, with the name of another within what is signed. */
static void sign_confused(X509 *made, EVP_PKEY *key, const EVP_MD *digest, const EVP_MD *claimed) {
    X509_sign(made, key, digest);
    const X509_ALGOR *outer = NULL;
    const ASN1_BIT_STRING *signature = NULL;
    X509_get0_signature(&signature, &outer, made);
    X509_ALGOR *kept = X509_ALGOR_dup(outer);
    X509_sign(made, key, claimed);
    unsigned char *tbs = NULL, made_signature[1024];
    size_t size = sizeof made_signature;
    int tbs_size = i2d_re_X509_tbs(made, &tbs);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    g_assert_true(EVP_DigestSignInit(context, NULL, digest, NULL, key) &&
                  EVP_DigestSign(context, made_signature, &size, tbs, (size_t)tbs_size));
    EVP_MD_CTX_free(context);
    OPENSSL_free(tbs);
    X509_get0_signature(&signature, &outer, made);
    ASN1_STRING_set((ASN1_BIT_STRING *)signature, made_signature, (int)size);
    X509_ALGOR_copy((X509_ALGOR *)outer, kept);
    X509_ALGOR_free(kept);
}

static X509 *make_certificate(const json_t *wish) {
    static long serial = 4096;
    const char *id = text(wish, "id", NULL), *issuer_id = text(wish, "issuer", NULL),
               *signer = text(wish, "signed", NULL);
    X509 *made = X509_new(), *issuer = issuer_id ? certificate_of(issuer_id) : made;
    X509_NAME *name = name_of(json_object_get(wish, "name"));
    X509_set_version(made, number(wish, "version", 3) - 1);
    ASN1_INTEGER_set(X509_get_serialNumber(made), serial++);
    set_time(X509_getm_notBefore(made), number(wish, "from", -10));
    set_time(X509_getm_notAfter(made), number(wish, "until", 365));
    X509_set_subject_name(made, name);
    X509_set_pubkey(made, key_of(text(wish, "key", id)));
    X509_NAME_free(name);
    const json_t *other = json_object_get(wish, "issuer_name");
    name = other ? name_of(other) : X509_NAME_dup(X509_get_subject_name(issuer));
    X509_set_issuer_name(made, name);
    X509_NAME_free(name);
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, made, NULL, NULL, 0);
    size_t i = 0;
    const json_t *pair = NULL;
    json_array_foreach(json_object_get(wish, "ext"), i, pair) {
        if (strcmp(json_string_value(json_array_get(pair, 0)), "authorityKeyIdentifier") == 0 &&
            !X509_get0_subject_key_id(issuer))
            continue; /* there is none to name */
        X509_EXTENSION *extension = extension_of(&context, pair);
        X509_add_ext(made, extension, -1);
        X509_EXTENSION_free(extension);
    }
    if (text(wish, "aki", NULL))
        name_key_identifier(made, text(wish, "aki", NULL));
    EVP_PKEY *key = signer      ? key_of(signer)
                    : issuer_id ? g_hash_table_lookup(signers, issuer_id)
                                : key_of(text(wish, "key", id));
    const EVP_MD *digest = EVP_get_digestbyname(text(wish, "digest", "sha256"));
    const char *claims = text(wish, "claims", NULL);
    if (claims)
        sign_confused(made, key, digest, EVP_get_digestbyname(claims));
    else
        X509_sign(made, key, digest);
    return made;
}

/* ---- Lists ---- */
static void add_reason(X509_REVOKED *entry, int reason) {
    ASN1_ENUMERATED *value = ASN1_ENUMERATED_new();
    ASN1_ENUMERATED_set(value, reason);
    X509_REVOKED_add1_ext_i2d(entry, NID_crl_reason, value, 0, 0);
    ASN1_ENUMERATED_free(value);
}

static void add_issuer(X509_REVOKED *entry, const X509 *issuer) {
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    GENERAL_NAME *name = GENERAL_NAME_new();
    GENERAL_NAME_set0_value(name, GEN_DIRNAME, X509_NAME_dup(X509_get_subject_name(issuer)));
    sk_GENERAL_NAME_push(names, name);
    X509_REVOKED_add1_ext_i2d(entry, NID_certificate_issuer, names, 1, 0);
    GENERAL_NAMES_free(names);
}

static void add_odd(X509_REVOKED *entry) {
    const json_t *pair = json_pack("[s,s]", "1.2.250.1.999.9", "critical,ASN1:NULL");
    X509V3_CTX context;
    X509V3_set_ctx(&context, NULL, NULL, NULL, NULL, 0);
    X509_EXTENSION *extension = extension_of(&context, pair);
    X509_REVOKED_add_ext(entry, extension, -1);
    X509_EXTENSION_free(extension);
    json_decref((json_t *)pair);
}

static void add_entry(X509_CRL *crl, const json_t *wish) {
    X509_REVOKED *entry = X509_REVOKED_new();
    X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(certificate_of(text(wish, "id", NULL))));
    ASN1_TIME *at = ASN1_TIME_new();
    set_time(at, -2);
    X509_REVOKED_set_revocationDate(entry, at);
    ASN1_TIME_free(at);
    if (number(wish, "reason", -1) >= 0)
        add_reason(entry, number(wish, "reason", -1));
    if (text(wish, "of", NULL))
        add_issuer(entry, certificate_of(text(wish, "of", NULL)));
    if (json_is_true(json_object_get(wish, "odd")))
        add_odd(entry);
    X509_CRL_add0_revoked(crl, entry);
}

static void add_number(X509_CRL *crl, int nid, int value) {
    ASN1_INTEGER *encoded = ASN1_INTEGER_new();
    ASN1_INTEGER_set(encoded, value);
    X509_CRL_add1_ext_i2d(crl, nid, encoded, nid == NID_delta_crl, 0);
    ASN1_INTEGER_free(encoded);
}

/* One of the many who left, long ago. */
static void add_filler(X509_CRL *crl, int count) {
    X509_REVOKED *entry = X509_REVOKED_new();
    ASN1_INTEGER *serial = ASN1_INTEGER_new();
    ASN1_TIME *at = ASN1_TIME_new();
    ASN1_INTEGER_set_uint64(serial, UINT64_C(0x4000000000000000) + (uint64_t)count);
    set_time(at, -2);
    X509_REVOKED_set_serialNumber(entry, serial);
    X509_REVOKED_set_revocationDate(entry, at);
    X509_CRL_add0_revoked(crl, entry);
    ASN1_TIME_free(at);
    ASN1_INTEGER_free(serial);
}

static X509_CRL *make_crl(const json_t *wish) {
    const char *issuer = text(wish, "issuer", NULL), *signer = text(wish, "signed", NULL);
    X509_CRL *crl = X509_CRL_new();
    X509_CRL_set_version(crl, 1);
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(certificate_of(issuer)));
    ASN1_TIME *at = ASN1_TIME_new();
    set_time(at, number(wish, "from", -1));
    X509_CRL_set1_lastUpdate(crl, at);
    set_time(at, number(wish, "until", 7));
    if (!json_is_null(json_object_get(wish, "until")))
        X509_CRL_set1_nextUpdate(crl, at);
    ASN1_TIME_free(at);
    add_number(crl, NID_crl_number, number(wish, "number", 5));
    if (number(wish, "base", -1) >= 0)
        add_number(crl, NID_delta_crl, number(wish, "base", -1));
    X509V3_CTX context;
    X509V3_set_ctx(&context, certificate_of(issuer), NULL, NULL, crl, 0);
    size_t i = 0;
    const json_t *item = NULL;
    json_array_foreach(json_object_get(wish, "ext"), i, item) {
        X509_EXTENSION *extension = extension_of(&context, item);
        X509_CRL_add_ext(crl, extension, -1);
        X509_EXTENSION_free(extension);
    }
    json_array_foreach(json_object_get(wish, "revoked"), i, item) add_entry(crl, item);
    for (int filler = number(wish, "filler", 0); filler > 0; filler--)
        add_filler(crl, filler);
    X509_CRL_sort(crl);
    X509_CRL_sign(crl, signer ? key_of(signer) : g_hash_table_lookup(signers, issuer),
                  EVP_get_digestbyname(text(wish, "digest", "sha256")));
    return crl;
}

/* ---- Files ---- */
static FILE *create(const char *folder, const char *id) {
    g_autofree char *name = g_strconcat(id, ".pem", NULL), *path = g_build_filename(folder, name, NULL);
    FILE *out = fopen(path, "w");
    if (!out)
        g_error("%s cannot be written", path);
    return out;
}

static void make(const json_t *spec, const char *folder) {
    size_t i = 0;
    const json_t *wish = NULL;
    json_array_foreach(json_object_get(spec, "certificates"), i, wish) {
        const char *id = text(wish, "id", NULL);
        X509 *made = make_certificate(wish);
        g_hash_table_insert(certificates, g_strdup(id), made);
        g_hash_table_insert(signers, g_strdup(id), key_of(text(wish, "key", id)));
        FILE *out = create(folder, id);
        PEM_write_X509(out, made);
        fclose(out);
        g_autofree char *key = g_strconcat(id, "-key", NULL);
        out = create(folder, key);
        PEM_write_PrivateKey(out, key_of(text(wish, "key", id)), NULL, NULL, 0, NULL, NULL);
        fclose(out);
    }
    json_array_foreach(json_object_get(spec, "crls"), i, wish) {
        X509_CRL *crl = make_crl(wish);
        FILE *out = create(folder, text(wish, "id", NULL));
        PEM_write_X509_CRL(out, crl);
        fclose(out);
        X509_CRL_free(crl);
    }
}

static void free_key(void *key) {
    EVP_PKEY_free(key);
}

static void free_certificate(void *certificate) {
    X509_free(certificate);
}

int main(int argc, char **argv) {
    if (argc != 3)
        return 2;
    g_autoptr(json_t) specs = json_load_file(argv[1], 0, NULL);
    now = time(NULL);
    const char *id = NULL;
    json_t *spec = NULL;
    json_object_foreach(specs, id, spec) {
        keys = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_key);
        certificates = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_certificate);
        signers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        conf = NCONF_new(NULL);
        const char *sections = text(spec, "conf", "");
        BIO *bio = BIO_new_mem_buf(sections, -1);
        long line = 0;
        if (!NCONF_load_bio(conf, bio, &line))
            g_error("%s: conf, line %ld", id, line);
        BIO_free(bio);
        g_autofree char *folder = g_build_filename(argv[2], id, NULL);
        g_mkdir(folder, 0755);
        make(spec, folder);
        NCONF_free(conf);
        g_hash_table_unref(signers);
        g_hash_table_unref(certificates);
        g_hash_table_unref(keys);
    }
    return specs ? 0 : 2;
}
