/* Findings in words: knowledge/diagnosis.json, one member per id,
 *     "id": { "name", "title", "symptom", "cause", "evidence": { "fr", "en" }, "action": { "fr": […], "en":
 * […] }, "ask_dsi", "next": { "fr", "en" } (either may be missing), "terms": [ GLOSSARY ID … ], "variants": [
 * { "when": { MEMBER: VALUE or [ VALUE … ] }, texts that replace the above } … ] } Every variant that fits
 * the evidence applies, in order. A placeholder names a member of the evidence, or that and how to put it:
 * {not_after} a moment, {not_after_date} its day, {not_after_when} "3 days ago (…)",
 * {sha256_short}, {issuer_name} the common name of "CN=AC,O=CHU"; {target}
 * is always there. A member whose name ends in "seconds" reads as a duration. */
#include "record/rules.h"

#include <string.h>

#define FILE_NAME "diagnosis.json"

static const char *const texts[] = {"name", "title", "symptom", "cause", "evidence", "ask_dsi", "next", NULL};
static const char *const forms[] = {"", "_when", "_date", "_short", "_name", NULL};

/* ---- Placeholders ------------------------------------------------------------------------------------ */
typedef bool (*OnPlaceholder)(const char *name, void *data, GError **error);

static bool each_placeholder(const char *text, OnPlaceholder on, void *data, GError **error) {
    for (const char *open = text; (open = strchr(open, '{')) != NULL;) {
        size_t size = strspn(++open, "abcdefghijklmnopqrstuvwxyz0123456789_");
        g_autofree char *name = g_strndup(open, size);
        if (size > 0 && open[size] == '}' && !on(name, data, error))
            return false;
    }
    return true;
}

/* The form that ends `name`, as an index of forms[], if what stands before it is a member by `is_member`. */
static bool split(const char *name, bool (*is_member)(const char *member, const void *data), const void *data,
                  char **ret_member, size_t *ret_form) {
    for (size_t form = 0; forms[form]; form++) {
        if (!g_str_has_suffix(name, forms[form]))
            continue;
        g_autofree char *member = g_strndup(name, strlen(name) - strlen(forms[form]));
        if (is_member(member, data)) {
            *ret_member = g_steal_pointer(&member);
            *ret_form = form;
            return true;
        }
    }
    return false;
}

/* ---- Loading ----------------------------------------------------------------------------------------- */
typedef struct {
    const VigieRules *rules;
    const char *id, *path;
    const char *other; /* the same text in the other language */
} Check;

static bool is_given(const char *member, const void *data) {
    const Check *check = data;
    return rules_give(check->rules, check->id, member);
}

static bool check_placeholder(const char *name, void *data, GError **error) {
    const Check *check = data;
    g_autofree char *member = NULL, *braced = g_strdup_printf("{%s}", name);
    size_t form;
    if (strcmp(name, "target") != 0 && !split(name, is_given, check, &member, &form))
        return knowledge_error(
            error, FILE_NAME, check->path,
            "placeholder %s is not in the evidence of every rule of that id in findings.json", braced);
    if (check->other && strstr(check->other, braced) == NULL)
        return knowledge_error(error, FILE_NAME, check->path, "placeholder %s stands in one language only",
                               braced);
    return true;
}

/* One text in both languages, of the same placeholders. */
static bool check_pair(const Check *where, const json_t *fr, const json_t *en, GError **error) {
    if (json_string_length(fr) == 0 || json_string_length(en) == 0)
        return knowledge_error(error, FILE_NAME, where->path, "\"fr\" and \"en\" are both wanted, as texts");
    Check french = *where, english = *where;
    french.other = json_string_value(en);
    english.other = json_string_value(fr);
    return each_placeholder(json_string_value(fr), check_placeholder, &french, error) &&
           each_placeholder(json_string_value(en), check_placeholder, &english, error);
}

static bool check_text(const Check *where, const json_t *text, GError **error) {
    static const char *const both[] = {"fr", "en", NULL};
    return knowledge_members(text, both, FILE_NAME, where->path, error) &&
           check_pair(where, json_object_get(text, "fr"), json_object_get(text, "en"), error);
}

static bool check_action(const Check *where, const json_t *action, GError **error) {
    const json_t *fr = json_object_get(action, "fr"), *en = json_object_get(action, "en");
    if (json_object_size(action) != 2 || json_array_size(fr) == 0 ||
        json_array_size(fr) != json_array_size(en))
        return knowledge_error(error, FILE_NAME, where->path,
                               "\"fr\" and \"en\" are to be lists of as many steps");
    for (size_t i = 0; i < json_array_size(fr); i++)
        if (!check_pair(where, json_array_get(fr, i), json_array_get(en, i), error))
            return false;
    return true;
}

/* The texts of an entry or of a variant, those that are there. */
static bool check_texts(const Check *check, const json_t *entry, GError **error) {
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)entry, name, value) {
        g_autofree char *path = g_strdup_printf("%s, \"%s\"", check->path, name);
        Check where = {.rules = check->rules, .id = check->id, .path = path};
        if (g_strv_contains(texts, name) && !check_text(&where, value, error))
            return false;
        if (strcmp(name, "action") == 0 && !check_action(&where, value, error))
            return false;
    }
    return true;
}

static bool some_rule_gives(const VigieRules *rules, const char *id, const char *member) {
    for (guint i = 0; i < rules->rules->len; i++) {
        const Rule *rule = &g_array_index(rules->rules, Rule, i);
        for (guint k = 0; strcmp(rule->id, id) == 0 && k < rule->evidence->len; k++)
            if (strcmp(g_array_index(rule->evidence, Evidence, k).member, member) == 0)
                return true;
    }
    return false;
}

static bool check_variant(const Check *check, const json_t *variant, GError **error) {
    static const char *const allowed[] = {"when",    "?title",   "?symptom", "?cause", "?evidence",
                                          "?action", "?ask_dsi", "?next",    NULL};
    if (!knowledge_members(variant, allowed, FILE_NAME, check->path, error))
        return false;
    const char *member;
    json_t *value;
    json_object_foreach(
        json_object_get(variant, "when"), member,
        value) if (!some_rule_gives(check->rules, check->id,
                                    member)) return knowledge_error(error, FILE_NAME, check->path,
                                                                    "no rule of that id gives \"%s\"",
                                                                    member);
    return check_texts(check, variant, error);
}

static bool check_terms(const Check *check, const json_t *terms, GError **error) {
    if (!json_is_array(terms))
        return knowledge_error(error, FILE_NAME, check->path,
                               "\"terms\" is to be a list of ids of glossary.json");
    size_t i;
    json_t *term;
    json_array_foreach((json_t *)terms, i, term) {
        const char *id = json_is_string(term) ? json_string_value(term) : "?";
        if (json_object_get(check->rules->glossary, id) == NULL)
            return knowledge_error(error, FILE_NAME, check->path, "term \"%s\" is not in glossary.json", id);
    }
    return true;
}

static bool check_entry(const VigieRules *rules, const char *id, const json_t *entry, GError **error) {
    static const char *const allowed[] = {"name",     "title", "symptom", "cause",     "evidence", "action",
                                          "?ask_dsi", "?next", "terms",   "?variants", NULL};
    Check check = {.rules = rules, .id = id, .path = id};
    if (rules_order(rules, id) == 0)
        return knowledge_error(error, FILE_NAME, id, "no rule of findings.json has this id");
    if (!knowledge_members(entry, allowed, FILE_NAME, id, error) || !check_texts(&check, entry, error) ||
        !check_terms(&check, json_object_get(entry, "terms"), error))
        return false;
    size_t i;
    json_t *variant;
    json_array_foreach(json_object_get(entry, "variants"), i, variant) {
        g_autofree char *path = g_strdup_printf("%s, variant %zu", id, i + 1);
        check.path = path;
        if (!check_variant(&check, variant, error))
            return false;
    }
    return true;
}

static bool check_glossary(const json_t *glossary, GError **error) {
    static const char *const allowed[] = {"term", "definition", "remember", NULL};
    static const char *const both[] = {"fr", "en", NULL};
    const char *id;
    json_t *entry;
    json_object_foreach((json_t *)glossary, id, entry) {
        if (!knowledge_members(entry, allowed, "glossary.json", id, error))
            return false;
        for (size_t i = 0; allowed[i]; i++)
            if (!knowledge_members(json_object_get(entry, allowed[i]), both, "glossary.json", id, error))
                return false;
    }
    return true;
}

bool diagnosis_load(VigieRules *rules, GError **error) {
    rules->diagnosis = vigie_knowledge_json(FILE_NAME, error);
    if (rules->diagnosis == NULL)
        return false;
    rules->glossary = vigie_knowledge_json("glossary.json", error);
    if (rules->glossary == NULL || !check_glossary(rules->glossary, error))
        return false;
    const char *id;
    json_t *entry;
    json_object_foreach(rules->diagnosis, id, entry) if (!check_entry(rules, id, entry, error)) return false;
    for (guint i = 0; i < rules->rules->len; i++) {
        id = g_array_index(rules->rules, Rule, i).id;
        if (json_object_get(rules->diagnosis, id) == NULL)
            return knowledge_error(error, FILE_NAME, id,
                                   "findings.json has this id, here its words are missing");
    }
    return true;
}

/* ---- Values as people read them ---------------------------------------------------------------------- */
typedef struct {
    VigieLang lang;
    GTimeZone *zone;
    VigieTime now;
    const char *target;
    const json_t *evidence;
    json_t *values;
} Fill;

static char *text_value(const Fill *fill, const char *member, const char *text) {
    g_autofree char *key = g_strdup_printf("value.%s.%s", member, text);
    const char *word = vigie_word(fill->lang, key);
    if (word != key)
        return g_strdup(word);
    if (g_str_has_prefix(text, "TLSv"))
        return g_strdup_printf("TLS\u00a0%s", text + 4);
    if (g_str_has_prefix(text, "SSLv") && strlen(text) == 5)
        return g_strdup_printf("SSL\u00a0%s.0", text + 4);
    /* What the rooms below hold against a certificate, a chain or an answer is a refusal. */
    static const char *const refusals[] = {"clause", "detail", "limit", "answer", NULL};
    return g_strv_contains(refusals, member) ? vigie_said(fill->lang, text) : g_strdup(text);
}

static char *time_value(const Fill *fill, VigieTime time, const char *form) {
    if (strcmp(form, "_when") == 0)
        return vigie_when_text(fill->lang, fill->zone, time, fill->now);
    return strcmp(form, "_date") == 0 ? vigie_date_text(fill->lang, fill->zone, time)
                                      : vigie_date_time_text(fill->lang, fill->zone, time);
}

/* "9f:1c:07:e2:…": enough to compare by eye. */
static char *short_digest(const char *hex) {
    return strlen(hex) < 8 ? g_strdup(hex)
                           : g_strdup_printf("%.2s:%.2s:%.2s:%.2s:…", hex, hex + 2, hex + 4, hex + 6);
}

/* RFC 4514: what stands after "CN=", up to a comma or plus sign that is not escaped; the whole where there is none. */
char *rules_short_name(const char *name) {
    const char *at = name;
    while (!g_str_has_prefix(at, "CN=")) {
        for (; *at && *at != ',' && *at != '+'; at++)
            at += at[0] == '\\' && at[1];
        if (*at++ == '\0')
            return g_strdup(name);
    }
    GString *out = g_string_new(NULL);
    for (at += 3; *at && *at != ',' && *at != '+'; at++) {
        if (*at == '\\' && at[1])
            at++;
        g_string_append_c(out, *at);
    }
    return g_string_free(out, FALSE);
}

static char *list_value(const Fill *fill, const char *member, const json_t *list, bool short_names) {
    GString *out = g_string_new(NULL);
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)list, i, item) {
        const char *value = json_is_string(item) ? json_string_value(item) : "?";
        g_autofree char *text = short_names ? rules_short_name(value) : text_value(fill, member, value);
        g_string_append_printf(out, "%s%s", i ? ", " : "", text);
    }
    if (out->len == 0)
        g_string_append(out, "—");
    return g_string_free(out, FALSE);
}

static char *render(const Fill *fill, const char *member, const char *form) {
    const json_t *value = json_object_get(fill->evidence, member);
    const char *text = json_string_value(value);
    VigieTime time;
    if (json_is_array(value))
        return list_value(fill, member, value, strcmp(form, "_name") == 0);
    if (json_is_integer(value))
        return g_str_has_suffix(member, "seconds")
                   ? vigie_duration_text(fill->lang, json_integer_value(value))
                   : g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
    if (text == NULL)
        return g_strdup("—");
    if (strlen(text) == 20 && text[10] == 'T' && vigie_time_parse_rfc3339(text, &time, NULL))
        return time_value(fill, time, form);
    if (strcmp(form, "_short") == 0)
        return short_digest(text);
    return strcmp(form, "_name") == 0 ? rules_short_name(text) : text_value(fill, member, text);
}

static bool is_anything(const char *member, const void *data) {
    return json_object_get(((const Fill *)data)->evidence, member) != NULL;
}

static bool add_value(const char *name, void *data, GError **error) {
    (void)error;
    Fill *fill = data;
    g_autofree char *member = NULL, *text = NULL;
    size_t form;
    if (strcmp(name, "target") == 0)
        text = g_strdup(fill->target ? fill->target : vigie_word(fill->lang, "diagnosis.the_device"));
    else if (split(name, is_anything, fill, &member, &form))
        text = render(fill, member, forms[form]);
    json_object_set_new(fill->values, name, json_string(text ? text : "—"));
    return true;
}

static json_t *filled(Fill *fill, const char *text) {
    fill->values = json_object();
    (void)each_placeholder(text, add_value, fill, NULL);
    g_autofree char *whole = vigie_text_fill(text, fill->values);
    json_decref(fill->values);
    return json_string(whole);
}

/* ---- Explaining -------------------------------------------------------------------------------------- */
static bool value_fits(const json_t *wanted, const json_t *value) {
    if (!json_is_array(wanted))
        return json_equal(wanted, value);
    for (size_t i = 0; i < json_array_size(wanted); i++)
        if (json_equal(json_array_get(wanted, i), value))
            return true;
    return false;
}

static bool variant_fits(const json_t *variant, const json_t *evidence) {
    const char *member;
    json_t *wanted;
    json_object_foreach(json_object_get(variant, "when"), member,
                        wanted) if (!value_fits(wanted, json_object_get(evidence, member))) return false;
    return true;
}

/* The text `name` of an entry: its own, or that of the last variant that fits and has one. */
static const json_t *choose(const json_t *entry, const char *name, const json_t *evidence) {
    const json_t *chosen = json_object_get(entry, name);
    size_t i;
    json_t *variant;
    json_array_foreach(json_object_get(entry, "variants"), i,
                       variant) if (json_object_get(variant, name) && variant_fits(variant, evidence))
        chosen = json_object_get(variant, name);
    return chosen;
}

static json_t *explain(const VigieRules *rules, Fill *fill, const char *id, VigieSeverity severity) {
    const json_t *entry = json_object_get(rules->diagnosis, id);
    json_t *cause = json_object();
    json_object_set_new(cause, "id", json_string(id));
    json_object_set_new(cause, "severity", json_string(vigie_severity_name(severity)));
    json_object_set_new(cause, "order", json_integer((json_int_t)rules_order(rules, id)));
    for (size_t i = 0; texts[i]; i++) {
        const json_t *text = choose(entry, texts[i], fill->evidence);
        json_object_set_new(cause, texts[i],
                            text ? filled(fill, vigie_text_in(fill->lang, text)) : json_null());
    }
    json_t *action = json_array();
    const json_t *steps =
        json_object_get(choose(entry, "action", fill->evidence), vigie_lang_code(fill->lang));
    for (size_t i = 0; i < json_array_size(steps); i++)
        json_array_append_new(action, filled(fill, json_string_value(json_array_get(steps, i))));
    json_object_set_new(cause, "action", action);
    json_t *terms = json_object_get(entry, "terms");
    json_object_set_new(cause, "terms", terms ? json_incref(terms) : json_array());
    json_object_set_new(cause, "measured", json_deep_copy(fill->evidence));
    return cause;
}

json_t *record_explain(const VigieRules *rules, const char *id, VigieSeverity severity,
                       const json_t *evidence, VigieLang lang, GTimeZone *zone, VigieTime now) {
    g_autoptr(json_t) none = json_object();
    Fill fill = {.lang = lang, .zone = zone, .now = now, .evidence = evidence ? evidence : none};
    return explain(rules, &fill, id, severity);
}

const char *record_finding_title(const VigieRules *rules, const char *id, VigieLang lang) {
    const json_t *entry = json_object_get(rules->diagnosis, id);
    return entry ? vigie_text_in(lang, json_object_get(entry, "name")) : id;
}

json_t *rules_causes(const VigieRules *rules, const VigieRecord *record, const char *target, VigieLang lang,
                     GTimeZone *zone, VigieTime now) {
    json_t *causes = json_array();
    for (size_t i = 0; i < record->finding_count; i++) {
        const VigieFinding *finding = &record->findings[i];
        Fill fill = {.lang = lang, .zone = zone, .now = now, .target = target, .evidence = finding->evidence};
        json_array_append_new(causes, explain(rules, &fill, finding->id, finding->severity));
    }
    return causes;
}

char *rules_versions_text(VigieLang lang, unsigned mask) {
    Fill fill = {.lang = lang};
    g_autoptr(json_t) names = json_array();
    for (unsigned version = 0; version < VIGIE_VERSIONS; version++)
        if (mask & 1u << version)
            json_array_append_new(names, json_string(tls_version_name((VigieVersion)version)));
    return list_value(&fill, "versions", names, false);
}
