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
static bool identify_by_label(Identified *found, const Where *where) {
    static const struct {
        const char *label, *kind, *private;
    } labels[] = {
        {"OPENSSH PRIVATE KEY", "openssh-private-key", "possible"}, /* cut before its cipher is named */
        {"PGP PRIVATE KEY BLOCK", "openpgp", "possible"},
        {"PGP PUBLIC KEY BLOCK", "openpgp", "unknown"},
        {"PGP MESSAGE", "openpgp", "possible"},
        {"PGP SIGNATURE", "openpgp", "unknown"},
        {"EC PARAMETERS", "ec-parameters", NULL},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(labels); i++) {
        if (strcmp(labels[i].label, where->label) != 0)
            continue;
        json_t *object = identified_add(found, where, labels[i].kind);
        if (object && labels[i].private)
            json_object_set_new(object, "private", json_string(labels[i].private));
        return true;
    }
    return false;
}

/* openssh-key-v1 (PROTOCOL.key) names its cipher after the magic of 15 octets; "none" is in clear. */
static bool identify_openssh(Identified *found, const Where *where, VigieBytes content) {
    static const char clear[] = "openssh-key-v1\0\0\0\0\4none";
    if (content.size < sizeof clear - 1 || memcmp(content.data, clear, 15) != 0)
        return false;
    json_t *object = identified_add(found, where, "openssh-private-key");
    bool open = memcmp(content.data, clear, sizeof clear - 1) == 0;
    if (object)
        json_object_set_new(object, "private", json_string(open ? "clear" : "encrypted"));
    return true;
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
    } else if (!identify_sequence(found, where, content) && !identify_openssh(found, where, content) &&
               !(strstr(where->label, "PGP") && identify_openpgp(found, where, content)) &&
               !identify_by_label(found, where)) {
        identified_unreadable(found, where, "unreadable");
    }
    identify_traces(found, content, TRACES_WITHIN);
}

/* The base64 of a body: what editors, mail and programs put before, after and between its lines is no part of it. */
static char *base64_of(const char *body, const char *end, bool *ret_broken) {
    GString *base64 = g_string_sized_new((gsize)(end - body));
    *ret_broken = false;
    for (const char *c = body; c < end; c++) {
        if (in_base64(*c))
            g_string_append_c(base64, *c);
        else if (*c == '\\' && c + 1 < end && strchr("nrt", c[1])) /* "\n" of JSON and of C */
            c++;
        else
            *ret_broken = *ret_broken || !g_ascii_isspace(*c);
    }
    return g_string_free(base64, FALSE);
}

/* Where an OpenPGP block's checksum begins (RFC 9580 6.1): "=" at the head of a line. */
static const char *before_checksum(const char *body, const char *end, const char *label) {
    const char *sum = strstr(label, "PGP") ? memmem(body, (size_t)(end - body), "\n=", 2) : NULL;
    return sum ? sum : end;
}

static void identify_block(Identified *found, const PemBlock *block) {
    g_autofree char *label = g_utf8_make_valid((const char *)block->label.data, (gssize)block->label.size);
    Where where = {.encoding = "pem", .label = label, .line = block->line};
    const char *end = (const char *)block->body.data + block->body.size;
    const char *body = skip_headers((const char *)block->body.data, end, &where.pem_encrypted);
    bool broken = false;
    g_autofree char *base64 = base64_of(body, before_checksum(body, end, label), &broken);
    if (broken)
        identified_damage(found, "base64-broken");
    if (!block->closed)
        identified_damage(found, "pem-cut");
    gsize size = 0;
    guchar *octets = g_base64_decode(base64, &size);
    identify_content(found, &where, block, vigie_bytes(octets, size));
    OPENSSL_cleanse(octets, size);
    g_free(octets);
    OPENSSL_cleanse(base64, strlen(base64));
    /* Known now; its headers, which may be anything, are not. */
    memset((char *)(uintptr_t)body, '\n', (size_t)(end - body));
    char *opening = (char *)(uintptr_t)block->whole.data;
    memset(opening, '\n', (size_t)((const char *)block->body.data - opening));
}

bool identify_pem(Identified *found, char *text, size_t size) {
    PemScan scan = pem_scan(vigie_bytes(text, size));
    bool any = false;
    for (PemBlock block; !found->too_many && pem_next(&scan, &block); any = true)
        identify_block(found, &block);
    return any;
}
