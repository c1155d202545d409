/* Secret codes that people copy, type and read aloud. 32 letters and digits, five bits each. */
#include "csirt/triage.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <string.h>

enum { GROUP = 4, CODE_GROUPS_MAX = 8 };

static const char letters[33] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

char *csirt_code_new(int groups) {
    uint8_t bytes[GROUP * CODE_GROUPS_MAX];
    int size = GROUP * CLAMP(groups, 1, CODE_GROUPS_MAX);
    if (RAND_bytes(bytes, size) != 1)
        g_error("the system gives no random numbers");
    GString *code = g_string_new(NULL);
    for (int i = 0; i < size; i++)
        g_string_append_printf(code, "%s%c", i > 0 && i % GROUP == 0 ? "-" : "", letters[bytes[i] % 32]);
    OPENSSL_cleanse(bytes, sizeof bytes);
    return g_string_free(code, FALSE);
}

/* The code as it is meant: capitals, no separators, what is misread put right. NULL where it cannot be one. */
static char *meant(const char *code) {
    static const char misread[] = "OILU", right[] = "011V";
    char text[GROUP * CODE_GROUPS_MAX + 1];
    size_t size = 0;
    for (; *code; code++) {
        char c = g_ascii_toupper(*code);
        if (c == '-' || c == ' ' || c == '.')
            continue;
        const char *wrong = strchr(misread, c);
        if (wrong)
            c = right[wrong - misread];
        if (!strchr(letters, c) || size == sizeof text - 1)
            return NULL;
        text[size++] = c;
    }
    if (size == 0 || size % GROUP != 0)
        return NULL;
    return g_strndup(text, size);
}

char *csirt_code_hash(const char *code) {
    g_autofree char *text = meant(code);
    return text ? g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1) : NULL;
}

bool csirt_code_matches(const char *code, const char *hash) {
    g_autofree char *computed = csirt_code_hash(code);
    size_t size = computed ? strlen(computed) : 0;
    return size > 0 && size == strlen(hash) && CRYPTO_memcmp(computed, hash, size) == 0;
}

char *csirt_code_spell(VigieLang lang, const char *code) {
    g_autofree char *text = meant(code);
    GString *spelt = g_string_new(NULL);
    for (const char *c = text; c && *c; c++) {
        char key[] = "csirt.spell.?";
        key[sizeof key - 2] = g_ascii_tolower(*c);
        size_t at = (size_t)(c - text);
        g_string_append_printf(spelt, "%s%s",
                               at == 0           ? ""
                               : at % GROUP == 0 ? " — "
                                                 : ", ",
                               vigie_word(lang, key));
    }
    return g_string_free(spelt, FALSE);
}
