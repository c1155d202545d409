/* identify-pem: what is in each PEM block of a text, damaged or not. */
#include "x509/identify.h"
#include "x509/pem.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <string.h>

/* Skips "Proc-Type: …" headers, which end at an empty line; tells whether they say that the content is encrypted. */
static const char *skip_headers(const char *body, const char *end, bool *ret_encrypted) {
    const char *colon = memchr(body, ':', (size_t)(end - body));
    if (!colon)
        return body;
    *ret_encrypted = memmem(body, (size_t)(end - body), "ENCRYPTED", 9) != NULL;
    const char *blank = memmem(body, (size_t)(end - body), "\n\n", 2);
    const char *blank_crlf = memmem(body, (size_t)(end - body), "\r\n\r\n", 4);
    if (blank_crlf && (!blank || blank_crlf < blank))
        return blank_crlf;
    return blank ? blank : end;
}

static bool in_base64(char c) {
    return g_ascii_isalnum(c) || c == '+' || c == '/' || c == '=';
}

/* What libcrypto's own encodings have a label for, but DER cannot tell. */
static bool identify_by_label(Identified *found, const Where *where, VigieBytes content) {
    static const struct {
        const char *label, *kind, *private;
    } labels[] = {
        {"OPENSSH PRIVATE KEY", "openssh-private-key", "encrypted"},
        {"PGP PRIVATE KEY BLOCK", "openpgp", "possible"},
        {"PGP PUBLIC KEY BLOCK", "openpgp", NULL},
        {"PGP MESSAGE", "openpgp", NULL},
        {"PGP SIGNATURE", "openpgp", NULL},
        {"EC PARAMETERS", "ec-parameters", NULL},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(labels); i++) {
        if (strcmp(labels[i].label, where->label) != 0)
            continue;
        json_t *object = identified_add(found, where, labels[i].kind);
        /* openssh-key-v1 names its cipher after the magic of 15 octets; "none" is in clear. */
        bool clear = content.size > 23 && memcmp(content.data, "openssh-key-v1", 15) == 0 &&
                     memcmp(content.data + 15, "\0\0\0\4none", 8) == 0;
        if (object && labels[i].private)
            json_object_set_new(object, "private", json_string(clear ? "clear" : labels[i].private));
        return true;
    }
    return false;
}

/* A key sealed the way of RFC 1421, whose derivation is one round, so it costs nothing. What a PKCS#8 within it would
 * cost nobody has counted: libcrypto is not let open that, too. */
static bool open_sealed_block(Identified *found, json_t *object, const PemBlock *block) {
    if (!found->password || !block->closed)
        return false;
    BIO *bio = BIO_new_mem_buf(block->whole.data, (int)block->whole.size);
    char *name = NULL, *header = NULL;
    unsigned char *der = NULL;
    long size = 0;
    EVP_CIPHER_INFO cipher;
    bool opened = PEM_read_bio(bio, &name, &header, &der, &size) &&
                  PEM_get_EVP_CIPHER_INFO(header, &cipher) &&
                  PEM_do_header(&cipher, der, &size, NULL, (void *)found->password);
    const unsigned char *at = der;
    EVP_PKEY *key = opened ? d2i_AutoPrivateKey(NULL, &at, size) : NULL;
    if (key) {
        identify_pkey_facts(object, key);
        identified_keep(found, "private-key", vigie_bytes(der, (size_t)size));
    }
    opened = key != NULL;
    EVP_PKEY_free(key);
    OPENSSL_clear_free(der, size > 0 ? (size_t)size : 0);
    OPENSSL_free(header);
    OPENSSL_free(name);
    BIO_free(bio);
    ERR_clear_error();
    return opened;
}

static void identify_content(Identified *found, const Where *where, const PemBlock *block,
                             VigieBytes content) {
    bool key_label = g_str_has_suffix(where->label, "PRIVATE KEY");
    if (where->pem_encrypted && key_label) {
        json_t *object = identified_add(found, where, "private-key");
        if (object)
            json_object_update_new(object,
                                   json_pack("{s:s,s:s,s:b}", "format", "RFC 1421", "private", "encrypted",
                                             "opened", open_sealed_block(found, object, block)));
    } else if (!identify_sequence(found, where, content) && !identify_by_label(found, where, content)) {
        identified_unreadable(found, where, "unreadable");
    }
}

static void identify_block(Identified *found, const PemBlock *block) {
    g_autofree char *label = g_utf8_make_valid((const char *)block->label.data, (gssize)block->label.size);
    Where where = {.encoding = "pem", .label = label, .line = block->line};
    const char *end = (const char *)block->body.data + block->body.size;
    const char *body = skip_headers((const char *)block->body.data, end, &where.pem_encrypted);
    bool broken = false;
    for (const char *c = body; c < end; c++)
        broken = broken || (!in_base64(*c) && !g_ascii_isspace(*c));
    if (broken)
        identified_damage(found, "base64-broken");
    if (!block->closed)
        identified_damage(found, "pem-cut");
    g_autofree char *base64 = g_strndup(body, (gsize)(end - body));
    gsize size = 0;
    g_autofree guchar *octets = g_base64_decode(base64, &size);
    identify_content(found, &where, block, vigie_bytes(octets, size));
    OPENSSL_cleanse(octets, size);
    OPENSSL_cleanse(base64, strlen(base64));
}

bool identify_pem(Identified *found, const char *text, size_t size) {
    PemScan scan = pem_scan(vigie_bytes(text, size));
    bool any = false;
    for (PemBlock block; !found->too_many && pem_next(&scan, &block); any = true)
        identify_block(found, &block);
    return any;
}
