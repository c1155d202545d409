/* pem: the blocks of a text (RFC 7468, and what people make of it): text around them, CRLF, indentation, a last line
 * cut short, RFC 1421 headers. */
#include "x509/identify.h"

#include <openssl/crypto.h>

#include <string.h>

typedef struct {
    const char *label;
    size_t label_size, line;
    const char *body, *end; /* between the two boundaries */
    bool closed;
} Block;

static const char opening[] = "-----BEGIN ", closing[] = "-----END ";

/* The next block from `*at`, which moves past it, and `*line` with it. */
static bool next_block(const char **at, const char *end, size_t *line, Block *ret_block) {
    const char *begin, *label, *dashes = NULL;
    do {
        begin = memmem(*at, (size_t)(end - *at), opening, strlen(opening));
        if (!begin)
            return false;
        for (const char *c = *at; c < begin; c++)
            *line += *c == '\n';
        *at = label = begin + strlen(opening);
        dashes = memmem(label, MIN((size_t)(end - label), 80), "-----", 5);
    } while (!dashes);
    Block block = {.label = label, .label_size = (size_t)(dashes - label), .line = *line, .body = dashes + 5};
    block.end = memmem(block.body, (size_t)(end - block.body), "-----", 5);
    block.closed = block.end && (size_t)(end - block.end) >= strlen(closing) &&
                   memcmp(block.end, closing, strlen(closing)) == 0;
    if (!block.end)
        block.end = end;
    for (const char *c = begin; c < block.end; c++)
        *line += *c == '\n';
    *at = block.closed ? block.end + strlen(closing) : block.end;
    *ret_block = block;
    return true;
}

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

static void identify_content(Identified *found, const Where *where, VigieBytes content) {
    bool key_label = g_str_has_suffix(where->label, "PRIVATE KEY");
    if (where->pem_encrypted && key_label) {
        json_t *object = identified_add(found, where, "private-key");
        if (object)
            json_object_update_new(object,
                                   json_pack("{s:s,s:s}", "format", "RFC 1421", "private", "encrypted"));
    } else if (!identify_by_label(found, where, content) && !identify_der(found, where, content)) {
        identified_unreadable(found, where, "unreadable");
    }
}

static void identify_block(Identified *found, const Block *block) {
    g_autofree char *label = g_strndup(block->label, block->label_size);
    Where where = {.encoding = "pem", .label = label, .line = block->line};
    const char *body = skip_headers(block->body, block->end, &where.pem_encrypted);
    bool broken = false;
    for (const char *c = body; c < block->end; c++)
        broken = broken || (!in_base64(*c) && !g_ascii_isspace(*c));
    if (broken)
        identified_damage(found, "base64-broken");
    if (!block->closed)
        identified_damage(found, "pem-cut");
    g_autofree char *base64 = g_strndup(body, (gsize)(block->end - body));
    gsize size = 0;
    g_autofree guchar *octets = g_base64_decode(base64, &size);
    identify_content(found, &where, vigie_bytes(octets, size));
    OPENSSL_cleanse(octets, size);
    OPENSSL_cleanse(base64, strlen(base64));
}

bool identify_pem(Identified *found, const char *text, size_t size) {
    const char *at = text, *end = text + size;
    size_t line = 1;
    bool any = false;
    for (Block block; !found->too_many && next_block(&at, end, &line, &block); any = true)
        identify_block(found, &block);
    return any;
}
