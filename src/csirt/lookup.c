#include "csirt/lookup.h"

#include <string.h>

enum { PHONE_DIGITS_MIN = 6, PHONE_DIGITS_MAX = 15 }; /* E.164 */

/* "+33 (0)9 72 43 91 25", "tel:+33.972439125;ext=2": RFC 3966 with what people add. */
char *lookup_phone(const char *text) {
    g_autoptr(GString) digits = g_string_new(NULL);
    text += strspn(text, " ");
    if (*text == '+')
        g_string_append_c(digits, *text++);
    size_t plus = digits->len;
    for (; *text && *text != ';'; text++) {
        if (plus && g_str_has_prefix(text, "(0)")) {
            text += 2;
        } else if (g_ascii_isdigit(*text)) {
            g_string_append_c(digits, *text);
        } else if (strncmp(text, "\xC2\xA0", 2) == 0) {
            text++;
        } else if (!strchr(" .-/()", *text)) {
            return NULL;
        }
        if (digits->len > PHONE_DIGITS_MAX + plus)
            return NULL;
    }
    return digits->len >= PHONE_DIGITS_MIN + plus ? g_strdup(digits->str) : NULL;
}

static bool has_text(const json_t *list, const char *text) {
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(json_string_value(json_array_get(list, i)), text) == 0)
            return true;
    return false;
}

void lookup_add(json_t *contacts, json_t *contact) {
    g_autoptr(json_t) owned = contact;
    size_t i = 0;
    json_t *other = NULL;
    json_array_foreach(contacts, i, other) {
        if (strcmp(vigie_member_text(other, "kind"), vigie_member_text(contact, "kind")) != 0 ||
            g_ascii_strcasecmp(vigie_member_text(other, "value"), vigie_member_text(contact, "value")) != 0)
            continue;
        json_t *roles = json_object_get(other, "roles"), *more = json_object_get(contact, "roles");
        for (size_t r = 0; r < json_array_size(more); r++)
            if (!has_text(roles, json_string_value(json_array_get(more, r))))
                json_array_append(roles, json_array_get(more, r));
        return;
    }
    if (json_array_size(contacts) < LOOKUP_CONTACTS_MAX)
        json_array_append(contacts, owned);
}

const json_t *lookup_rules(GError **error) {
    static GMutex lock;
    static json_t *rules;
    g_mutex_lock(&lock);
    if (!rules)
        rules = vigie_knowledge_json("csirt/contacts.json", error);
    g_mutex_unlock(&lock);
    return rules;
}

int64_t lookup_confidence(const char *source) {
    const json_t *rules = lookup_rules(NULL);
    return json_integer_value(json_object_get(json_object_get(rules, "confidence"), source));
}

bool lookup_speaks_of_security(const json_t *rules, const char *text) {
    g_autofree char *folded = vigie_text_fold(text);
    size_t i = 0;
    json_t *word = NULL;
    json_array_foreach(json_object_get(rules, "security"), i, word) {
        const char *found = folded;
        size_t size = json_string_length(word);
        for (; (found = strstr(found, json_string_value(word))); found++)
            if ((found == folded || !g_ascii_isalnum(found[-1])) && !g_ascii_isalnum(found[size]))
                return true;
    }
    return false;
}
