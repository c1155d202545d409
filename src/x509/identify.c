/* identify: what a file is, by its content. The damage that mail and editors do is undone first and told. */
#include "x509/identify.h"

#include <openssl/crypto.h>

#include <string.h>

enum { TRACES_MAX = 64 };

json_t *identified_add(Identified *found, const Where *where, const char *kind) {
    if (json_array_size(found->objects) >= IDENTIFY_OBJECTS_MAX + (found->tracing ? TRACES_MAX : 0)) {
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
    size_t size;
    const char *magic;
    const char *kind;
    const char *private; /* or NULL: none */
} magics[] = {
    {8, "\0\0\0\1\0\0\0\x14", "bks", "possible"}, /* Bouncy Castle: version, then a salt of 20 octets */
    {8, "\0\0\0\2\0\0\0\x14", "bks", "possible"},
    {4, "PK\3\4", "zip", "possible"},
    {2, "\x1f\x8b", "gzip", "possible"},
    {6, "7z\xbc\xaf\x27\x1c", "7z", "possible"},
    {5, "%PDF-", "pdf", "possible"}, /* what is compressed in it nobody has read */
    {20, "PuTTY-User-Key-File-", "putty-private-key", "encrypted"},
    {31, "SSH PRIVATE KEY FILE FORMAT 1.1", "ssh-private-key", "possible"},
    {36, "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY", "ssh-private-key", "possible"},
    {31, "---- BEGIN SSH2 PUBLIC KEY ----", "openssh-public-key", NULL},
    {8, "ssh-rsa ", "openssh-public-key", NULL},
    {12, "ssh-ed25519 ", "openssh-public-key", NULL},
    {11, "ecdsa-sha2-", "openssh-public-key", NULL},
};

/* Of Windows: a PVK file tells whether it is sealed, a PRIVATEKEYBLOB of the CryptoAPI never is. */
static bool identify_windows_key(Identified *found, const Where *where, VigieBytes file) {
    enum { HEADER = 24, SEALED_AT = 12, KIND_AT = 8 };
    if (file.size < HEADER)
        return false;
    bool pvk = memcmp(file.data, "\x1e\xf1\xb5\xb0", 4) == 0;
    if (!pvk && (memcmp(file.data, "\7\2\0\0", 4) != 0 || memcmp(file.data + KIND_AT, "RSA2", 4) != 0))
        return false;
    json_t *object = identified_add(found, where, "windows-private-key");
    if (object)
        json_object_set_new(object, "private",
                            json_string(pvk && file.data[SEALED_AT] ? "encrypted" : "clear"));
    return true;
}

static bool contains(VigieBytes file, const char *text) {
    return memmem(file.data, file.size, text, strlen(text)) != NULL;
}

bool identify_magic(Identified *found, const Where *where, VigieBytes file) {
    for (size_t i = 0; i < G_N_ELEMENTS(magics); i++) {
        if (file.size < magics[i].size || memcmp(file.data, magics[i].magic, magics[i].size) != 0)
            continue;
        json_t *object = identified_add(found, where, magics[i].kind);
        const char *private = magics[i].private;
        if (g_str_has_prefix(magics[i].kind, "putty") && contains(file, "\nEncryption: none"))
        private = "clear";
        if (object && private)
            json_object_set_new(object, "private", json_string(private));
        return true;
    }
    return identify_windows_key(found, where, file) || identify_keystore(found, where, file);
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
static bool identify_base64(Identified *found, char *text, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (!g_ascii_isalnum(text[i]) && !strchr("+/=\r\n\t ", text[i]))
            return false;
    gsize octet_count = 0;
    g_autofree guchar *octets = g_base64_decode(text, &octet_count);
    const Where where = {.encoding = "base64"};
    bool known = octet_count > 0 && identify_sequence(found, &where, vigie_bytes(octets, octet_count));
    OPENSSL_cleanse(octets, octet_count);
    if (known) {
        identified_damage(found, "boundaries-missing");
        memset(text, '\n', size);
    }
    return known;
}

/* ---- Texts, and what was done to them ------------------------------------------------------------------- */

/* "UTF-16LE", "UTF-16BE" or NULL, by its mark, or by every other octet of the beginning being zero. */
static const char *utf16_of(VigieBytes file, size_t *ret_mark) {
    enum { PAIRS = 16 };
    unsigned zeros[2] = {0};
    *ret_mark = 2;
    if (file.size >= 2 && file.data[0] == 0xff && file.data[1] == 0xfe)
        return "UTF-16LE";
    if (file.size >= 2 && file.data[0] == 0xfe && file.data[1] == 0xff)
        return "UTF-16BE";
    *ret_mark = 0;
    for (size_t i = 0; i < 2 * PAIRS && i < file.size; i++)
        zeros[i % 2] += file.data[i] == 0;
    if (file.size < 2 * PAIRS || zeros[0] + zeros[1] != PAIRS)
        return NULL;
    return zeros[1] == PAIRS ? "UTF-16LE" : zeros[0] == PAIRS ? "UTF-16BE" : NULL;
}

/* The file as UTF-8 text with a NUL behind it. Free with g_free, after OPENSSL_cleanse. */
static char *as_text(Identified *found, VigieBytes file, size_t *ret_size) {
    size_t mark = 0;
    const char *utf16 = utf16_of(file, &mark);
    gsize size = 0;
    char *text = utf16 ? g_convert((const char *)file.data + mark, (gssize)((file.size - mark) & ~(size_t)1),
                                   "UTF-8", utf16, NULL, &size, NULL)
                       : NULL;
    if (text) {
        identified_damage(found, "utf-16");
        *ret_size = size;
        return text;
    }
    mark = file.size >= 3 && memcmp(file.data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    if (mark)
        identified_damage(found, "byte-order-mark");
    *ret_size = file.size - mark;
    text = g_malloc(*ret_size + 1);
    memcpy(text, file.data + mark, *ret_size);
    text[*ret_size] = '\0';
    return text;
}

static bool printable(const char *text, size_t size) {
    return size > 0 && !memchr(text, '\0', size) && g_utf8_validate(text, (gssize)size, NULL);
}

/* Text in which nothing of the trade was seen: a note, a password, a key in figures. */
static bool identify_prose(Identified *found, const char *text, size_t size) {
    const Where raw = {.encoding = "raw"};
    if (!printable(text, size))
        return false;
    identified_unreadable(found, &raw, "text");
    return true;
}

static bool identify_text(Identified *found, VigieBytes file) {
    size_t size = 0;
    char *text = as_text(found, file, &size);
    const Where raw = {.encoding = "raw"};
    VigieBytes octets = vigie_bytes(text, size);
    bool crlf = memmem(text, size, "\r\n", 2);
    bool known = identify_pem(found, text, size) || identify_magic(found, &raw, octets) ||
                 identify_html(found, text, size) || identify_base64(found, text, size) ||
                 identify_openpgp(found, &raw, octets);
    if (known && crlf)
        identified_damage(found, "crlf");
    identify_traces(found, octets, TRACES_IN_TEXT);
    known = known || json_array_size(found->objects) > 0 || identify_prose(found, text, size);
    OPENSSL_cleanse(text, size);
    g_free(text);
    return known;
}

/* ---- The answer ----------------------------------------------------------------------------------------- */

/* The worst of all objects: "clear", "encrypted", "possible", "unknown" or "none". */
static const char *const worst_first[] = {"clear", "encrypted", "possible", "unknown", "none"};

static size_t rank_of(const char *private) {
    size_t rank = 0;
    while (rank < G_N_ELEMENTS(worst_first) - 1 && (!private || strcmp(private, worst_first[rank]) != 0))
        rank++;
    return rank;
}

static size_t worst_rank(const json_t *objects, size_t from) {
    size_t worst = G_N_ELEMENTS(worst_first) - 1;
    for (size_t i = from; i < json_array_size(objects); i++)
        worst =
            MIN(worst, rank_of(json_string_value(json_object_get(json_array_get(objects, i), "private"))));
    return worst;
}

/* Asked often, so what was found is ranked again only where there is more of it; the last may have changed meanwhile. */
bool identified_worse(Identified *found, const char *private) {
    size_t count = json_array_size(found->objects);
    if (count != found->ranked) {
        size_t worst = worst_rank(found->objects, found->ranked ? found->ranked - 1 : 0);
        found->rank = found->ranked ? MIN(worst, found->rank) : worst;
        found->ranked = count;
    }
    return count == 0 ? strcmp(private, "none") != 0 : rank_of(private) < found->rank;
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
    const Where raw = {.encoding = "raw"}, der = {.encoding = "der"};
    bool known =
        identify_magic(found, &raw, file) || (file.data[0] == 0x30 && identify_sequence(found, &der, file));
    if (!known)
        return false;
    char *rest = g_memdup2(file.data, file.size);
    identify_pem(found, rest, file.size);
    identify_traces(found, vigie_bytes(rest, file.size), TRACES_WITHIN);
    OPENSSL_cleanse(rest, file.size);
    g_free(rest);
    return true;
}

void identify_file(Identified *found, VigieBytes file) {
    const Where raw = {.encoding = "raw"};
    if (file.size == 0)
        identified_add(found, &raw, "empty");
    else if (!identify_binary(found, file) && !identify_text(found, file))
        identified_unreadable(found, &raw, "unknown");
    judge_sealed_containers(found->objects);
}

json_t *x509_identify(VigieBytes file, const char *password) {
    Identified found = {.objects = json_array(), .damage = json_array(), .password = password};
    identify_file(&found, file);
    /* Of what was not read nothing is known. */
    size_t worst = MIN(worst_rank(found.objects, 0), found.too_many ? rank_of("unknown") : rank_of("none"));
    json_t *answer = json_pack("{s:s,s:o,s:o,s:b}", "private_key", worst_first[worst], "objects",
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
