/* page-case-say: what is stored of a case, in the reader's words. */
#include "portal/page-case.h"

#include <string.h>

/* ---- Facts -------------------------------------------------------------------------------------------------- */
static const char *value_text(const Request *request, const json_t *fact, const char *value) {
    size_t index;
    json_t *known;
    json_array_foreach(json_object_get(fact, "values"), index, known) {
        if (strcmp(vigie_member_text(known, "name"), value) == 0)
            return vigie_text_in(request->lang, json_object_get(known, "text"));
    }
    return value;
}

static char *say_list(const Request *request, const json_t *fact, const json_t *values) {
    GString *text = g_string_new(NULL);
    size_t index;
    json_t *value;
    json_array_foreach(values, index, value) {
        const char *name = json_string_value(value);
        g_string_append_printf(text, "%s%s", index ? ", " : "", value_text(request, fact, name ? name : ""));
    }
    return g_string_free(text, FALSE);
}

char *case_say_fact(const Request *request, const json_t *fact, const json_t *value) {
    const char *text = json_string_value(value);
    VigieTime time;
    if (json_is_array(value))
        return say_list(request, fact, value);
    if (json_is_boolean(value))
        return g_strdup(vigie_word(request->lang, json_is_true(value) ? "portal.yes" : "portal.no"));
    if (text && strcmp(vigie_member_text(fact, "type"), "time") == 0 &&
        vigie_time_parse_rfc3339(text, &time, NULL))
        return vigie_when_text(request->lang, request->portal->zone, time, request->now);
    return text ? g_strdup(value_text(request, fact, text)) : vigie_json_text(value);
}

/* What present() put beside the facts of a line is not one of them. */
static bool is_fact(const json_t *details, const char *member) {
    static const char *const ends[] = {"_text", "_when", "_in", "_day", "_full", "_past"};
    static const char *const numbers[] = {"message", "party",    "notice",       "artefact", "task",
                                          "contact", "contacts", "verification", "audience", NULL};
    if (g_strv_contains(numbers, member) || json_is_null(json_object_get(details, member)))
        return false; /* a row's number tells nobody anything */
    for (size_t i = 0; i < G_N_ELEMENTS(ends); i++)
        if (g_str_has_suffix(member, ends[i])) {
            g_autofree char *stem = g_strndup(member, strlen(member) - strlen(ends[i]));
            return !json_object_get(details, stem);
        }
    return true;
}

/* Parts of a case by their names; other texts as they are. */
static char *say_members(const Request *request, const json_t *list) {
    GString *text = g_string_new(NULL);
    size_t index;
    json_t *item;
    json_array_foreach(list, index, item) {
        const char *name = json_string_value(item);
        const json_t *member = name ? json_object_get(csirt_members(), name) : NULL;
        const char *word = member ? vigie_text_in(request->lang, json_object_get(member, "text")) : name;
        g_string_append_printf(text, "%s%s", text->len ? ", " : "", word ? word : "");
    }
    return g_string_free(text, FALSE);
}

/* A value in words: of an enumeration its word, of a fact what the form calls it. */
char *case_say_value(const Request *request, const char *member, const json_t *value) {
    static const struct {
        const char *member, *prefix;
    } enums[] = {{"state", "csirt.state."},
                 {"from", "csirt.state."},
                 {"to", "csirt.state."},
                 {"kind", "csirt.kind."},
                 {"channel", "csirt.channel."},
                 {"source", "csirt.source."},
                 {"likelihood", "csirt.likelihood."},
                 {"role", "csirt.role."},
                 {"decision", "csirt.escalation."},
                 {"direction", "desk.direction."},
                 {"outcome", "csirt.verification."},
                 {"outcome", "desk.called."},
                 {"kind", "csirt.notice.kind."},
                 {"kind", "csirt.contact.kind."},
                 {"kind", "csirt.link."},
                 {"expected", "csirt.expected."}};
    const char *text = json_string_value(value);
    const json_t *fact = json_object_get(csirt_facts(), member);
    VigieTime time;
    for (size_t i = 0; text && i < G_N_ELEMENTS(enums); i++) {
        g_autofree char *key = g_strconcat(enums[i].prefix, text, NULL);
        const char *word = vigie_word(request->lang, key);
        if (strcmp(enums[i].member, member) == 0 && strcmp(word, key) != 0)
            return g_strdup(word);
    }
    if (fact && !json_is_null(value))
        return case_say_fact(request, fact, value);
    if (json_is_array(value))
        return say_members(request, value);
    if (text && vigie_time_parse_rfc3339(text, &time, NULL))
        return vigie_date_time_text(request->lang, request->portal->zone, time);
    if (json_is_boolean(value))
        return g_strdup(vigie_word(request->lang, json_is_true(value) ? "portal.yes" : "portal.no"));
    if (json_is_null(value))
        return g_strdup(vigie_word(request->lang, "portal.none"));
    if (text &&
        (strcmp(member, "why") == 0 || strcmp(member, "reason") == 0)) /* it may be an error that was kept */
        return vigie_said(request->lang, text);
    return text ? g_strdup(text) : vigie_json_text(value);
}

const char *case_label_of(const Request *request, const char *member) {
    const json_t *fact = json_object_get(csirt_facts(), member);
    g_autofree char *key = g_strconcat("desk.member.", member, NULL);
    const char *word = vigie_word(request->lang, key);
    return strcmp(word, key) != 0 ? word
           : fact                 ? vigie_text_in(request->lang, json_object_get(fact, "text"))
                                  : member;
}

void case_present_task(const Request *request, json_t *task) {
    const json_t *details = json_object_get(task, "details"), *script = json_object_get(details, "script");
    const char *advice = vigie_member(details, "advice");
    g_autofree char *title = g_strdup(csirt_task_title(request->lang, task));
    json_object_set_new(task, "title", json_string(title));
    case_present_word(request, task, "kind", "csirt.task.");
    json_object_set_new(task, "script",
                        json_string(json_is_object(script) ? vigie_text_in(request->lang, script)
                                                           : vigie_member_text(details, "script")));
    json_object_set_new(task, "advice", json_string(advice ? vigie_word(request->lang, advice) : ""));
}

/* A line whose "values" fill the words that its title, or the reason that it gives, is the key of. */
static char *say_sentence(const Request *request, const json_t *details, const char *member) {
    const json_t *values = json_object_get(details, "values");
    bool said = json_is_object(values) && (strcmp(member, "title") == 0 || strcmp(member, "reason") == 0);
    return said ? csirt_sentence(request->lang, vigie_member_text(details, member), values) : NULL;
}

/* Member by member; an object within (the facts that changed) lays out its own. */
void case_say_details(const Request *request, const json_t *details, json_t *rows) {
    json_t *value;
    const char *member;
    json_object_foreach((json_t *)details, member, value) {
        if (!is_fact(details, member) || strcmp(member, "values") == 0)
            continue;
        if (json_is_object(value)) {
            case_say_details(request, value, rows);
            continue;
        }
        g_autofree char *sentence = say_sentence(request, details, member);
        g_autofree char *text = sentence ? g_strdup(sentence) : case_say_value(request, member, value);
        if (*text)
            json_array_append_new(rows, json_pack("{s:s, s:s, s:b}", "label", case_label_of(request, member),
                                                  "text", text, "labelled", strcmp(member, "text") != 0));
    }
}
