/* The ladder: mail, then a call, then a private message; how often, and how long is waited between. */
#include "csirt/telling.h"

#include <string.h>

enum { MAILS_MAX = 2, CONFIDENCE_MIN = 30 };

static const char *const rungs[] = {"mail", "call", "private"};

const json_t *ladder_rules(GError **error) {
    static GMutex lock;
    static json_t *rules;
    g_mutex_lock(&lock);
    if (!rules)
        rules = vigie_knowledge_json("csirt/ladder.json", error);
    g_mutex_unlock(&lock);
    return rules;
}

static const json_t *by_band(const json_t *object, int64_t band) {
    const char name[] = {(char)('0' + CLAMP(band, 1, 4)), '\0'};
    return json_object_get(object, name);
}

int ladder_wait(const char *rung, int64_t band, int64_t tried) {
    const json_t *all = json_object_get(ladder_rules(NULL), "rungs");
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *one = json_array_get(all, i);
        if (g_strcmp0(vigie_member(one, "rung"), rung) == 0 && tried > 0)
            return (int)json_integer_value(
                json_array_get(by_band(json_object_get(one, "wait"), band), (size_t)tried - 1));
    }
    return 0;
}

int ladder_days(const char *member, int64_t band) {
    return (int)json_integer_value(by_band(json_object_get(ladder_rules(NULL), member), band));
}

static const char *rung_of(const json_t *contact) {
    const char *kind = vigie_member(contact, "kind");
    return strcmp(kind, "mail") == 0 ? "mail" : strcmp(kind, "phone") == 0 ? "call" : "private";
}

static json_t *step_new(const char *rung, const json_t *contact) {
    json_t *id = contact ? json_incref(json_object_get(contact, "id")) : json_null();
    json_t *value = contact ? json_incref(json_object_get(contact, "value")) : json_null();
    return json_pack("{s:s, s:o, s:o, s:i}", "rung", rung, "contact", id, "value", value, "tries", 0);
}

/* A call and a private message are there even where nobody is known yet to call: a person finds one. */
json_t *ladder_new(const json_t *contacts) {
    json_t *ladder = json_array();
    for (size_t r = 0; r < G_N_ELEMENTS(rungs); r++) {
        size_t taken = 0, most = r == 0 ? MAILS_MAX : 1;
        for (size_t i = 0; i < json_array_size(contacts) && taken < most; i++) {
            const json_t *contact = json_array_get(contacts, i);
            bool bounced = json_integer_value(json_object_get(contact, "bounces")) > 0;
            bool weak = json_integer_value(json_object_get(contact, "confidence")) < CONFIDENCE_MIN;
            if (strcmp(rung_of(contact), rungs[r]) != 0 || bounced || weak)
                continue;
            json_array_append_new(ladder, step_new(rungs[r], contact));
            taken++;
        }
        if (taken == 0 && r > 0)
            json_array_append_new(ladder, step_new(rungs[r], NULL));
    }
    return ladder;
}
