/* Texts that people and strangers give: checked before they are kept. */
#include "csirt/internal.h"

#include <openssl/evp.h>
#include <string.h>

bool csirt_invalid(GError **error, const char *format, ...) {
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, text);
    return false;
}

static bool limit(const char *member, size_t most, bool octets, GError **error) {
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_LIMIT,
                octets ? "%s: %zu octets at most" : "%s: %zu characters at most", member, most);
    return false;
}

bool csirt_size_check(const char *member, const char *text, size_t most, GError **error) {
    return !text || strnlen(text, most + 1) <= most || limit(member, most, true, error);
}

bool csirt_length_check(const char *member, const char *text, size_t most, GError **error) {
    enum { UTF8_MAX = 4 };
    size_t size = text ? strnlen(text, most * UTF8_MAX + 1) : 0, characters = 0;
    for (size_t i = 0; i < size; i++)
        characters += (text[i] & 0xC0) != 0x80;
    return (size <= most * UTF8_MAX && characters <= most) || limit(member, most, false, error);
}

bool csirt_line_check(const char *member, const char *text, size_t most, GError **error) {
    if (!csirt_length_check(member, text, most, error))
        return false;
    if (text && !g_utf8_validate(text, -1, NULL))
        return csirt_invalid(error, "%s: this is not UTF-8", member);
    for (const char *at = text; at && *at; at = g_utf8_next_char(at))
        if (g_unichar_iscntrl(g_utf8_get_char(at)))
            return csirt_invalid(error, "%s: one line is wanted, without control characters", member);
    return true;
}

bool csirt_text_check(const char *member, const char *text, size_t most, GError **error) {
    return csirt_size_check(member, text, most, error) &&
           (!text || g_utf8_validate(text, -1, NULL) ||
            csirt_invalid(error, "%s: this is not UTF-8", member));
}

/* Control characters, line ends but in a text, and what changes the direction of writing, which lets a name show as another. */
static char *clean(const char *text, bool lines) {
    g_autofree char *valid = g_utf8_make_valid(text ? text : "", -1);
    GString *out = g_string_sized_new(strlen(valid));
    for (const char *at = valid; *at; at = g_utf8_next_char(at)) {
        gunichar c = g_utf8_get_char(at);
        bool kept = lines && (c == '\n' || c == '\t');
        bool turns =
            c == 0x200E || c == 0x200F || (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
        if (kept || (!g_unichar_iscntrl(c) && !turns))
            g_string_append_unichar(out, c);
        else if (!lines)
            g_string_append_c(out, ' ');
    }
    return g_string_free(out, FALSE);
}

char *csirt_line_clean(const char *text) {
    return g_strstrip(clean(text, false));
}

char *csirt_text_clean(const char *text) {
    return clean(text, true);
}

char *csirt_sha256(VigieBytes bytes) {
    uint8_t digest[32];
    if (EVP_Digest(bytes.data, bytes.size, digest, NULL, EVP_sha256(), NULL) != 1)
        g_error("libcrypto has no SHA-256");
    return vigie_hex_text(vigie_bytes(digest, sizeof digest));
}

/* ---- Sentences ---------------------------------------------------------------------------------------------- */
char *csirt_filled(VigieLang lang, const char *text, const json_t *values) {
    g_autoptr(json_t) filled = json_object();
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)values, name, value) {
        if (json_is_object(value))
            json_object_set_new(filled, name, json_string(vigie_text_in(lang, value)));
        else
            json_object_set(filled, name, value);
    }
    return vigie_text_fill(text, filled);
}

char *csirt_sentence(VigieLang lang, const char *key, const json_t *values) {
    return csirt_filled(lang, vigie_word(lang, key), values);
}

json_t *csirt_sentences(const char *key, const json_t *values) {
    json_t *texts = json_object();
    for (int lang = 0; lang < VIGIE_LANGS; lang++) {
        g_autofree char *text = csirt_sentence((VigieLang)lang, key, values);
        json_object_set_new(texts, vigie_lang_code((VigieLang)lang), json_string(text));
    }
    return texts;
}
