/* S/MIME (RFC 8551) with OpenSSL's CMS, within a child of a cell. */
#include "mail/work.h"

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(BIO, BIO_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CMS_ContentInfo, CMS_ContentInfo_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509_STORE, X509_STORE_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509_STORE_CTX, X509_STORE_CTX_free)

enum { SIGNERS_MAX = 20 };

/* ---- What OpenSSL says ---- */
static const char *reason(void) {
    unsigned long code = ERR_peek_last_error();
    const char *text = code ? ERR_reason_error_string(code) : NULL;
    return text ? text : "it is broken";
}

static GBytes *bytes_of(BIO *bio) {
    char *data = NULL;
    long size = bio ? BIO_get_mem_data(bio, &data) : 0;
    return g_bytes_new(data, (gsize)MAX(size, 0));
}

static CMS_ContentInfo *parse(const void *data, size_t size) {
    g_autoptr(BIO) bio = BIO_new_mem_buf(data, (int)MIN(size, G_MAXINT));
    return d2i_CMS_bio(bio, NULL);
}

/* ---- Our keys ---- */
static STACK_OF(X509_INFO) * load_keys(const char *path) {
    g_autoptr(BIO) file = path && *path ? BIO_new_file(path, "r") : NULL;
    return file ? PEM_X509_INFO_read_bio(file, NULL, NULL, (void *)"") : NULL;
}

/* Every key with its certificate, the current and older ones, until one fits. */
static BIO *decrypt(const Means *means, CMS_ContentInfo *cms) {
    STACK_OF(X509_INFO) *held = load_keys(means->smime_file);
    BIO *inside = NULL;
    for (int k = 0; k < sk_X509_INFO_num(held) && !inside; k++) {
        const X509_PKEY *key = sk_X509_INFO_value(held, k)->x_pkey;
        for (int c = 0; key && c < sk_X509_INFO_num(held) && !inside; c++) {
            X509 *certificate = sk_X509_INFO_value(held, c)->x509;
            if (!certificate || X509_check_private_key(certificate, key->dec_pkey) != 1)
                continue;
            ERR_clear_error();
            inside = BIO_new(BIO_s_mem());
            if (CMS_decrypt(cms, key->dec_pkey, certificate, NULL, inside, CMS_BINARY) != 1)
                g_clear_pointer(&inside, BIO_free);
        }
    }
    sk_X509_INFO_pop_free(held, X509_INFO_free);
    return inside;
}

/* The certificates it is encrypted to, by serial number. */
static json_t *recipient_keys(CMS_ContentInfo *cms) {
    json_t *keys = json_array();
    STACK_OF(CMS_RecipientInfo) *recipients = CMS_get0_RecipientInfos(cms);
    for (int i = 0; i < sk_CMS_RecipientInfo_num(recipients) && i < 100; i++) {
        CMS_RecipientInfo *one = sk_CMS_RecipientInfo_value(recipients, i);
        ASN1_INTEGER *serial = NULL;
        if (CMS_RecipientInfo_type(one) != CMS_RECIPINFO_TRANS ||
            CMS_RecipientInfo_ktri_get0_signer_id(one, NULL, NULL, &serial) != 1 || !serial)
            continue;
        g_autofree char *hex =
            vigie_hex_text(vigie_bytes(ASN1_STRING_get0_data(serial), (size_t)ASN1_STRING_length(serial)));
        json_array_append_new(keys, json_string(hex));
    }
    return keys;
}

/* ---- Signatures ---- */
static X509_STORE *trusted(const Means *means) {
    X509_STORE *store = X509_STORE_new();
    if (means->system_roots)
        X509_STORE_set_default_paths(store);
    for (size_t i = 0; means->roots && means->roots[i]; i++)
        X509_STORE_load_file(store, means->roots[i]);
    ERR_clear_error();
    return store;
}

static const char *chain_state(X509_STORE *store, X509 *signer, STACK_OF(X509) * others) {
    g_autoptr(X509_STORE_CTX) context = X509_STORE_CTX_new();
    if (!signer || X509_STORE_CTX_init(context, store, signer, others) != 1)
        return "error";
    X509_STORE_CTX_set_default(context, "smime_sign");
    if (X509_verify_cert(context) == 1)
        return "good";
    int code = X509_STORE_CTX_get_error(context);
    return code == X509_V_ERR_CERT_HAS_EXPIRED ? "expired"
           : code == X509_V_ERR_CERT_REVOKED   ? "revoked"
                                               : "untrusted";
}

static bool weak_digest(CMS_SignerInfo *info) {
    X509_ALGOR *digest = NULL;
    CMS_SignerInfo_get0_algs(info, NULL, NULL, &digest, NULL);
    int nid = digest ? OBJ_obj2nid(digest->algorithm) : NID_undef;
    return nid == NID_sha1 || nid == NID_md5;
}

static json_t *signing_time(CMS_SignerInfo *info) {
    int at = CMS_signed_get_attr_by_NID(info, NID_pkcs9_signingTime, -1);
    X509_ATTRIBUTE *attribute = at >= 0 ? CMS_signed_get_attr(info, at) : NULL;
    const ASN1_TYPE *value = attribute ? X509_ATTRIBUTE_get0_type(attribute, 0) : NULL;
    struct tm broken_down = {0};
    bool time = value && (value->type == V_ASN1_UTCTIME || value->type == V_ASN1_GENERALIZEDTIME);
    if (!time || ASN1_TIME_to_tm((const ASN1_TIME *)value->value.asn1_string, &broken_down) != 1)
        return json_null();
    return json_integer((json_int_t)timegm(&broken_down));
}

static char *signer_name(X509 *certificate) {
    STACK_OF(OPENSSL_STRING) *mails = certificate ? X509_get1_email(certificate) : NULL;
    char *name = NULL;
    if (sk_OPENSSL_STRING_num(mails) > 0) {
        name = g_utf8_make_valid(sk_OPENSSL_STRING_value(mails, 0), -1);
    } else if (certificate) {
        char *line = X509_NAME_oneline(X509_get_subject_name(certificate), NULL, 0);
        name = g_utf8_make_valid(line ? line : "", -1);
        OPENSSL_free(line);
    }
    X509_email_free(mails);
    return name ? name : g_strdup("");
}

static char *certificate_print(const X509 *certificate) {
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (!certificate || X509_digest(certificate, EVP_sha256(), digest, &size) != 1)
        return g_strdup("");
    return vigie_hex_text(vigie_bytes(digest, size));
}

/* `verified`: the mathematics were right for all of them. */
static json_t *signatures_json(const Means *means, CMS_ContentInfo *cms, bool verified) {
    json_t *list = json_array();
    STACK_OF(CMS_SignerInfo) *infos = CMS_get0_SignerInfos(cms);
    STACK_OF(X509) *others = CMS_get1_certs(cms);
    g_autoptr(X509_STORE) store = trusted(means);
    for (int i = 0; i < sk_CMS_SignerInfo_num(infos) && i < SIGNERS_MAX; i++) {
        CMS_SignerInfo *info = sk_CMS_SignerInfo_value(infos, i);
        X509 *signer = NULL;
        CMS_SignerInfo_get0_algs(info, NULL, &signer, NULL, NULL);
        const char *state = !signer             ? "unknown-key"
                            : !verified         ? "bad"
                            : weak_digest(info) ? "error"
                                                : chain_state(store, signer, others);
        g_autofree char *print = certificate_print(signer), *name = signer_name(signer);
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:o, s:b}", "kind", "smime", "state",
                                              state, "fingerprint", print, "signer", name, "time",
                                              signing_time(info), "whole", 1));
    }
    sk_X509_pop_free(others, X509_free);
    return list;
}

static bool verify(CMS_ContentInfo *cms, BIO *data, BIO *out) {
    return CMS_verify(cms, NULL, NULL, data, out, CMS_NO_SIGNER_CERT_VERIFY | CMS_BINARY) == 1;
}

static void set_opened(Parcel *answer, bool opened, bool encrypted, json_t *keys, const char *error,
                       json_t *signatures) {
    json_object_update_new(answer->about,
                           json_pack("{s:b, s:b, s:o, s:s?, s:o}", "opened", opened, "encrypted", encrypted,
                                     "keys", keys, "error", error, "signatures", signatures));
}

/* ---- Operations ---- */
static void open_signed(const Means *means, CMS_ContentInfo *cms, Parcel *answer) {
    g_autoptr(BIO) inside = BIO_new(BIO_s_mem());
    bool verified = verify(cms, NULL, inside);
    json_t *signatures = signatures_json(means, cms, verified);
    ASN1_OCTET_STRING **content = CMS_get0_content(cms);
    g_clear_pointer(&answer->bytes, g_bytes_unref);
    if (content && *content) /* readable even where the signature is not right */
        answer->bytes = g_bytes_new(ASN1_STRING_get0_data(*content), (gsize)ASN1_STRING_length(*content));
    set_opened(answer, answer->bytes != NULL, false, json_array(),
               answer->bytes ? NULL : "there is nothing in it", signatures);
}

static void open_enveloped(const Means *means, CMS_ContentInfo *cms, Parcel *answer) {
    json_t *keys = recipient_keys(cms);
    g_autoptr(BIO) inside = decrypt(means, cms);
    const char *why =
        *means->smime_file ? "it is encrypted to none of our certificates" : "no S/MIME key is configured";
    answer->bytes = bytes_of(inside);
    set_opened(answer, inside != NULL, true, keys, inside ? NULL : why, json_array());
    /* CBC: whoever caught it can move its blocks, and put some of his own before them. */
    bool sealed = OBJ_obj2nid(CMS_get0_type(cms)) == NID_id_smime_ct_authEnvelopedData;
    json_object_set_new(answer->about, "malleable", json_boolean(!sealed));
}

bool work_open_cms(const Means *means, const Parcel *request, Parcel *answer, GError **error) {
    (void)error;
    gsize size = 0;
    const void *data = g_bytes_get_data(request->bytes, &size);
    g_autoptr(CMS_ContentInfo) cms = parse(data, size);
    int kind = cms ? OBJ_obj2nid(CMS_get0_type(cms)) : NID_undef;
    if (kind == NID_pkcs7_signed)
        open_signed(means, cms, answer);
    else if (kind == NID_pkcs7_enveloped || kind == NID_id_smime_ct_authEnvelopedData)
        open_enveloped(means, cms, answer);
    else
        set_opened(answer, false, true, json_array(), cms ? "its kind of S/MIME is not known here" : reason(),
                   json_array());
    return true;
}

bool work_verify_cms(const Means *means, const Parcel *request, Parcel *answer, GError **error) {
    (void)error;
    gsize size = 0;
    const char *data = g_bytes_get_data(request->bytes, &size);
    json_int_t split = json_integer_value(json_object_get(request->about, "split"));
    gsize at = split >= 0 && (gsize)split <= size ? (gsize)split : 0;
    g_autoptr(CMS_ContentInfo) cms = parse(data + at, size - at);
    g_autoptr(BIO) covered = BIO_new_mem_buf(data, (int)at);
    json_t *signatures = NULL;
    if (cms && OBJ_obj2nid(CMS_get0_type(cms)) == NID_pkcs7_signed) {
        bool verified = verify(cms, covered, NULL);
        signatures = signatures_json(means, cms, verified);
    } else {
        signatures = json_pack("[{s:s, s:s, s:s, s:s, s:n, s:b}]", "kind", "smime", "state", "error",
                               "fingerprint", "", "signer", "", "time", "whole", 1);
    }
    json_object_set_new(answer->about, "signatures", signatures);
    return true;
}
