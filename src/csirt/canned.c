/* Canned texts: data, checked once, so that a misspelt variable is found at start and not by a declarant. */
#include "csirt/letter.h"

#include <string.h>

static const char *const variables[] = {"reference", "title", "received", "organisation", "name", "team",
                                        "analyst",   "phone", NULL};

static bool refuse(GError **error, const char *id, const char *what) {
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "csirt/canned.json: %s: %s", id, what);
    return false;
}

static bool check_variables(const char *id, const char *text, GError **error) {
    for (const char *open = strchr(text, '{'); open; open = strchr(open + 1, '{')) {
        const char *close = strchr(open, '}');
        g_autofree char *name = close ? g_strndup(open + 1, (gsize)(close - open - 1)) : g_strdup("");
        if (!g_strv_contains(variables, name))
            return refuse(error, id, "a variable in it is none of the known");
    }
    return true;
}

static bool check_texts(const char *id, const json_t *texts, GError **error) {
    for (VigieLang lang = 0; lang < VIGIE_LANGS; lang++) {
        const char *text = vigie_text_in(lang, texts);
        if (!*text)
            return refuse(error, id, "title, subject and body are wanted in French and in English");
        if (!check_variables(id, text, error))
            return false;
    }
    return true;
}

static bool check(const json_t *canned, GError **error) {
    size_t index;
    json_t *text;
    json_array_foreach(canned, index, text) {
        const char *id = json_string_value(json_object_get(text, "id"));
        if (!id || !check_texts(id, json_object_get(text, "title"), error) ||
            !check_texts(id, json_object_get(text, "subject"), error) ||
            !check_texts(id, json_object_get(text, "body"), error))
            return id || refuse(error, "?", "an id is wanted");
    }
    return json_array_size(canned) > 0 || refuse(error, "?", "an array of texts is wanted");
}

const json_t *csirt_canned(GError **error) {
    static json_t *known;
    if (known)
        return known;
    g_autoptr(json_t) canned = vigie_knowledge_json("csirt/canned.json", error);
    if (canned && check(canned, error))
        known = g_steal_pointer(&canned);
    return known;
}

static json_t *day_of(const json_t *item, VigieLang lang, GTimeZone *zone) {
    VigieTime received = 0;
    vigie_time_parse_rfc3339(vigie_member_text(item, "received"), &received, NULL);
    g_autofree char *day = vigie_date_text(lang, zone, received);
    return json_string(day);
}

char *csirt_canned_fill(const char *text, const json_t *item, const json_t *party, const VigieTeam *team,
                        const char *analyst, VigieLang lang, GTimeZone *zone) {
    const json_t *self = csirt_team_json(team);
    const json_t *phone = json_array_get(json_object_get(self, "phones"), 0);
    g_autoptr(json_t) values = json_pack(
        "{s:s, s:s, s:o, s:s, s:s, s:s, s:s, s:s}", "reference", vigie_member_text(item, "reference"),
        "title", vigie_member_text(item, "title"), "received", day_of(item, lang, zone), "organisation",
        vigie_member_text(json_object_get(item, "organisation"), "name"), "name",
        vigie_member_text(party, "name"), "team", vigie_member_text(self, "name"), "analyst", analyst,
        "phone", vigie_member_text(phone, "number"));
    return vigie_text_fill(text, values);
}
