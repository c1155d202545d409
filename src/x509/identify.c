/* identify: what a file is, by its content. The damage that mail and editors do is undone first and told. */
#include "x509/identify.h"

#include <openssl/crypto.h>

#include <string.h>

json_t *identified_add(Identified *found, const Where *where, const char *kind) {
    if (json_array_size(found->objects) >= IDENTIFY_OBJECTS_MAX) {
        found->too_many = true;
        return NULL;
    }
    json_t *object =
        json_pack("{s:s,s:s,s:s?,s:o}", "kind", kind, "encoding", where->encoding, "label", where->label,
                  "line", where->line ? json_integer((json_int_t)where->line) : json_null());
    json_array_append_new(found->objects, object);
    return object;
}

void identified_unreadable(Identified *found, const Where *where, const char *kind) {
    json_t *object = identified_add(found, where, kind);
    /* A damaged key is a key. */
    bool key_label = where->label && g_str_has_suffix(where->label, "PRIVATE KEY");
    if (object)
        json_object_set_new(object, "private", json_string(key_label ? "possible" : "unknown"));
}

void identified_damage(Identified *found, const char *what) {
    for (size_t i = 0; i < json_array_size(found->damage); i++)
        if (strcmp(json_string_value(json_array_get(found->damage, i)), what) == 0)
            return;
    json_array_append_new(found->damage, json_string(what));
}

static void file_object_free(void *data) {
    VigieFileObject *object = data;
    OPENSSL_cleanse(object->der, object->size);
    g_free(object->der);
    g_free(object);
}

void identified_keep(Identified *found, const char *kind, VigieBytes der) {
    if (!found->kept || found->kept->len >= IDENTIFY_OBJECTS_MAX)
        return;
    VigieFileObject *object = g_new(VigieFileObject, 1);
    *object = (VigieFileObject){.kind = kind, .der = g_memdup2(der.data, der.size), .size = der.size};
    g_ptr_array_add(found->kept, object);
}

/* ---- Files that are told by their first octets ---------------------------------------------------------- */
static const struct {
    size_t at, size;
    const char *magic;
    const char *kind;
    const char *private; /* or NULL: none */
} magics[] = {
    {0, 4, "\xfe\xed\xfe\xed", "jks", "possible"},
    {0, 4, "\xce\xce\xce\xce", "jceks", "possible"},
    {0, 4, "PK\3\4", "zip", "possible"},
    {0, 2, "\x1f\x8b", "gzip", "possible"},
    {0, 6, "7z\xbc\xaf\x27\x1c", "7z", "possible"},
    {0, 5, "%PDF-", "pdf", NULL},
    {0, 20, "PuTTY-User-Key-File-", "putty-private-key", "encrypted"},
    {0, 31, "---- BEGIN SSH2 PUBLIC KEY ----", "openssh-public-key", NULL},
    {0, 8, "ssh-rsa ", "openssh-public-key", NULL},
    {0, 12, "ssh-ed25519 ", "openssh-public-key", NULL},
    {0, 11, "ecdsa-sha2-", "openssh-public-key", NULL},
};

static bool contains(VigieBytes file, const char *text) {
    return memmem(file.data, file.size, text, strlen(text)) != NULL;
}

static bool identify_magic(Identified *found, VigieBytes file) {
    const Where where = {.encoding = "raw"};
    for (size_t i = 0; i < G_N_ELEMENTS(magics); i++) {
        if (file.size < magics[i].at + magics[i].size ||
            memcmp(file.data + magics[i].at, magics[i].magic, magics[i].size) != 0)
            continue;
        json_t *object = identified_add(found, &where, magics[i].kind);
        const char *private = magics[i].private;
        if (g_str_has_prefix(magics[i].kind, "putty") && contains(file, "\nEncryption: none"))
        private = "clear";
        if (object && private)
            json_object_set_new(object, "private", json_string(private));
        return true;
    }
    return false;
}

/* An OpenPGP packet (RFC 9580 4.2) of a key: old or new format, tag 5 secret, 6 public. */
static bool identify_openpgp(Identified *found, VigieBytes file) {
    if (file.size < 8 || !(file.data[0] & 0x80))
        return false;
    unsigned tag = file.data[0] & 0x40 ? file.data[0] & 0x3f : (file.data[0] >> 2) & 0x0f;
    size_t body = file.data[0] & 0x40 ? (file.data[1] < 192 ? 2 : 3) : 1 + (1u << (file.data[0] & 3));
    if ((tag != 5 && tag != 6) || body >= file.size || file.data[body] < 3 || file.data[body] > 6)
        return false;
    const Where where = {.encoding = "raw"};
    json_t *object = identified_add(found, &where, "openpgp");
    if (object && tag == 5)
        json_object_set_new(object, "private", json_string("possible"));
    return true;
}

static bool identify_html(Identified *found, const char *text, size_t size) {
    g_autofree char *start = g_ascii_strdown(text, (gssize)MIN(size, 1024));
    g_strstrip(start);
    if (!g_str_has_prefix(start, "<!doctype html") && !g_str_has_prefix(start, "<html") &&
        !g_str_has_prefix(start, "<head"))
        return false;
    const Where where = {.encoding = "raw"};
    identified_add(found, &where, "html");
    return true;
}

/* Base64 without its boundaries. */
static bool identify_base64(Identified *found, const char *text, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (!g_ascii_isalnum(text[i]) && !strchr("+/=\r\n\t ", text[i]))
            return false;
    gsize octet_count = 0;
    g_autofree guchar *octets = g_base64_decode(text, &octet_count);
    const Where where = {.encoding = "base64"};
    bool known = octet_count > 0 && identify_sequence(found, &where, vigie_bytes(octets, octet_count));
    OPENSSL_cleanse(octets, octet_count);
    if (known)
        identified_damage(found, "boundaries-missing");
    return known;
}

/* ---- Texts, and what was done to them ------------------------------------------------------------------- */

/* The file as UTF-8 text with a NUL behind it. Free with g_free, after OPENSSL_cleanse. */
static char *as_text(Identified *found, VigieBytes file, size_t *ret_size) {
    bool little = file.size >= 2 && file.data[0] == 0xff && file.data[1] == 0xfe;
    bool big = file.size >= 2 && file.data[0] == 0xfe && file.data[1] == 0xff;
    gsize size = 0;
    if (little || big) {
        char *text = g_convert((const char *)file.data + 2, (gssize)file.size - 2, "UTF-8",
                               little ? "UTF-16LE" : "UTF-16BE", NULL, &size, NULL);
        if (text) {
            identified_damage(found, "utf-16");
            *ret_size = size;
            return text;
        }
    }
    bool mark = file.size >= 3 && memcmp(file.data, "\xef\xbb\xbf", 3) == 0;
    if (mark)
        identified_damage(found, "byte-order-mark");
    *ret_size = file.size - (mark ? 3 : 0);
    char *text = g_malloc(*ret_size + 1);
    memcpy(text, file.data + (mark ? 3 : 0), *ret_size);
    text[*ret_size] = '\0';
    return text;
}

static bool identify_text(Identified *found, VigieBytes file) {
    size_t size = 0;
    char *text = as_text(found, file, &size);
    bool known = identify_pem(found, text, size) || identify_html(found, text, size) ||
                 identify_base64(found, text, size);
    if (known && memmem(text, size, "\r\n", 2))
        identified_damage(found, "crlf");
    OPENSSL_cleanse(text, size);
    g_free(text);
    return known;
}

/* ---- The answer ----------------------------------------------------------------------------------------- */

/* The worst of all objects: "clear", "encrypted", "possible", "unknown" or "none". */
static const char *private_verdict(const json_t *objects) {
    static const char *const worst_first[] = {"clear", "encrypted", "possible", "unknown"};
    for (size_t v = 0; v < G_N_ELEMENTS(worst_first); v++)
        for (size_t i = 0; i < json_array_size(objects); i++) {
            const char *private = json_string_value(json_object_get(json_array_get(objects, i), "private"));
            if (private && strcmp(private, worst_first[v]) == 0)
                return worst_first[v];
        }
    return "none";
}

/* A PKCS#12 that could not be opened, and in which no key was seen, may hold one all the same. */
static void judge_sealed_containers(const json_t *objects) {
    for (size_t i = 0; i < json_array_size(objects); i++) {
        json_t *object = json_array_get(objects, i);
        if (strcmp(json_string_value(json_object_get(object, "kind")), "pkcs12") == 0 &&
            json_is_false(json_object_get(object, "opened")))
            json_object_set_new(object, "private", json_string("possible"));
    }
}

/* What stands behind the first object of a file hides nothing: DER behind DER, PEM behind anything. */
static bool identify_binary(Identified *found, VigieBytes file) {
    const Where der = {.encoding = "der"};
    bool known =
        identify_magic(found, file) || (file.data[0] == 0x30 && identify_sequence(found, &der, file));
    if (known && contains(file, "-----BEGIN "))
        identify_pem(found, (const char *)file.data, file.size);
    return known;
}

void identify_file(Identified *found, VigieBytes file) {
    const Where raw = {.encoding = "raw"};
    if (file.size == 0)
        identified_add(found, &raw, "empty");
    else if (!identify_binary(found, file) && !identify_text(found, file) && !identify_openpgp(found, file))
        identified_unreadable(found, &raw, "unknown");
    judge_sealed_containers(found->objects);
}

json_t *x509_identify(VigieBytes file, const char *password) {
    Identified found = {.objects = json_array(), .damage = json_array(), .password = password};
    identify_file(&found, file);
    json_t *answer = json_pack("{s:s,s:o,s:o,s:b}", "private_key", private_verdict(found.objects), "objects",
                               found.objects, "damage", found.damage, "cut", found.too_many);
    identify_relate(answer);
    return answer;
}

GPtrArray *x509_file_objects(VigieBytes file, const char *password) {
    Identified found = {.objects = json_array(), .damage = json_array(), .password = password};
    found.kept = g_ptr_array_new_with_free_func(file_object_free);
    identify_file(&found, file);
    json_decref(found.objects);
    json_decref(found.damage);
    return found.kept;
}
