/* page-device: one thing and all that is known of it. */
#include "portal/pages.h"
#include "portal/present.h"
#include "tls/tls.h"

#include <string.h>

static void set_title(json_t *view, const char *member) {
    json_t *name = json_object_get(view, member);
    if (json_is_string(name) && json_string_length(name) > 0)
        json_object_set(view, "title", name);
}

/* ---- Findings ----------------------------------------------------------------------------------------------- */
static int compare_findings(const void *a, const void *b) {
    const json_t *const findings[] = {*(json_t *const *)a, *(json_t *const *)b};
    json_int_t keys[2][2];
    for (size_t i = 0; i < 2; i++) {
        keys[i][0] = !json_is_true(json_object_get(findings[i], "active"));
        keys[i][1] = json_integer_value(json_object_get(json_object_get(findings[i], "explained"), "order"));
    }
    for (size_t k = 0; k < 2; k++)
        if (keys[0][k] != keys[1][k])
            return keys[0][k] < keys[1][k] ? -1 : 1;
    return 0;
}

/* In the order in which to act, the clock before all else, as vigie diagnose has it; what is mended stands last. */
static void order_findings(json_t *view) {
    json_t *findings = json_object_get(view, "findings");
    g_autoptr(GPtrArray) items = g_ptr_array_new_with_free_func((GDestroyNotify)json_decref);
    size_t index;
    json_t *finding;
    json_array_foreach(findings, index, finding) {
        g_ptr_array_add(items, json_incref(finding));
    }
    g_ptr_array_sort(items, compare_findings);
    json_array_clear(findings);
    for (guint i = 0; i < items->len; i++)
        json_array_append(findings, items->pdata[i]);
}

/* What a change of a record was, field by field, in words. */
json_t *page_changes(const Request *request, const json_t *changes) {
    json_t *changed = json_array(), *change;
    const char *name;
    json_object_foreach((json_t *)changes, name, change) {
        const json_t *values[] = {json_object_get(change, "before"), json_object_get(change, "after")};
        char *texts[2] = {0};
        bool plain = json_is_object(change) && values[0] && values[1];
        g_autofree char *key = g_strconcat("fleet.field.", name, NULL);
        for (size_t i = 0; plain && i < 2; i++) {
            json_t *one = json_pack("{s:O}", name, values[i]);
            present(request, one);
            g_autofree char *said = g_strconcat(name, "_text", NULL);
            const char *text = json_string_value(json_object_get(one, said));
            plain = json_is_string(values[i]) || json_is_null(values[i]);
            texts[i] = g_strdup(text                      ? text
                                : json_is_null(values[i]) ? vigie_word(request->lang, "portal.nothing")
                                                          : json_string_value(values[i]));
            json_decref(one);
        }
        if (plain)
            json_array_append_new(changed,
                                  json_pack("{s:s, s:s, s:s}", "label", vigie_word(request->lang, key),
                                            "before", texts[0], "after", texts[1]));
        g_free(texts[0]);
        g_free(texts[1]);
    }
    return changed;
}

DRESS(dress_device) {
    (void)error;
    json_t *event;
    size_t index;
    set_title(view, "name");
    order_findings(view);
    json_array_foreach(json_object_get(view, "history"), index, event) {
        json_object_set_new(event, "changed", page_changes(request, json_object_get(event, "details")));
    }
    return true;
}

/* ---- What an endpoint speaks -------------------------------------------------------------------------------- */
static const char *version_verdict(const char *version) {
    static const char *const verdicts[][2] = {
        {"TLSv1.3", "recommended"}, {"TLSv1.2", "secure"}, {"TLSv1.1", "insecure"},
        {"TLSv1.0", "insecure"},    {"SSLv3", "insecure"}, {"SSLv2", "insecure"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(verdicts); i++)
        if (strcmp(verdicts[i][0], version) == 0)
            return verdicts[i][1];
    return "unknown";
}

static const char *suite_verdict(const char *name) {
    for (VigieVersion version = VIGIE_SSL3; version < VIGIE_VERSIONS; version++) {
        const uint16_t *ids = NULL;
        size_t count = tls_suites_of(version, &ids);
        for (size_t i = 0; i < count; i++)
            if (strcmp(tls_suite_name(ids[i]), name) == 0)
                return tls_suite_verdict_name(tls_suite(ids[i])->verdict);
    }
    return g_str_has_prefix(name, "SSL_CK_") ? "insecure" : "unknown"; /* SSLv2's own */
}

static json_t *judged(const Request *request, const char *name, const char *verdict) {
    g_autofree char *key = g_strconcat("portal.verdict.", verdict, NULL);
    return json_pack("{s:s, s:s, s:s}", "name", name, "verdict", verdict, "verdict_text",
                     vigie_word(request->lang, key));
}

static bool offers(const json_t *versions, const char *name) {
    size_t index;
    json_t *version;
    json_array_foreach(versions, index, version) {
        if (strcmp(json_string_value(version), name) == 0)
            return true;
    }
    return false;
}

/* Every version that was tried, offered or not: that SSLv3 is refused is worth knowing, too. */
static json_t *versions(const Request *request, const json_t *record) {
    json_t *array = json_array(), *version;
    const json_t *offered = json_object_get(record, "versions");
    size_t index;
    json_array_foreach(json_object_get(record, "versions_tested"), index, version) {
        const char *name = json_string_value(version);
        json_t *item = judged(request, name, version_verdict(name));
        json_object_set_new(item, "offered", json_boolean(offers(offered, name)));
        json_array_append_new(array, item);
    }
    return array;
}

static json_t *suites(const Request *request, const json_t *record) {
    json_t *array = json_array(), *names, *name;
    const char *version;
    size_t index;
    json_object_foreach(json_object_get(record, "suites"), version, names) {
        json_t *items = json_array();
        json_array_foreach(names, index, name) {
            const char *text = json_string_value(name);
            json_array_append_new(items, judged(request, text, suite_verdict(text)));
        }
        json_array_append_new(array, json_pack("{s:s, s:o}", "version", version, "items", items));
    }
    return array;
}

/* "oui", "non", "inconnu" for a member that is true, false or null. */
static void say_yes_or_no(const Request *request, json_t *record, const char *member) {
    const json_t *value = json_object_get(record, member);
    g_autofree char *name = g_strconcat(member, "_text", NULL);
    const char *key =
        json_is_boolean(value) ? json_is_true(value) ? "portal.yes" : "portal.no" : "portal.not-known";
    json_object_set_new(record, name, json_string(vigie_word(request->lang, key)));
}

static void say_clock(const Request *request, json_t *record) {
    const json_t *offset = json_object_get(record, "clock_offset");
    if (!json_is_integer(offset)) {
        json_object_set_new(record, "clock_text", json_string(vigie_word(request->lang, "portal.not-known")));
        return;
    }
    json_int_t seconds = json_integer_value(offset);
    const char *span = json_string_value(json_object_get(record, "clock_offset_text"));
    const char *key = seconds == 0  ? "portal.clock.right"
                      : seconds > 0 ? "portal.clock.ahead"
                                    : "portal.clock.behind";
    g_autofree char *text = vigie_words(request->lang, key, "span", span ? span : "", NULL);
    json_object_set_new(record, "clock_text", json_string(text));
}

enum { FINGERPRINT = 64, FINGERPRINT_SHOWN = 12 };

static char *say_text(const Request *request, const char *member, const char *text) {
    static const char *const words[][2] = {{"outcome", "portal.outcome."}, {"trust", "portal.verdict."}};
    if (strcmp(member, "findings") == 0)
        return g_strdup(record_finding_title(request->portal->rules, text, request->lang));
    if (strlen(text) == FINGERPRINT)
        return g_strdup_printf("%.*s…", FINGERPRINT_SHOWN, text);
    for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
        gsize first = strcspn(text, ":"); /* "alert:handshake_failure" */
        g_autofree char *key = g_strdup_printf("%s%.*s", words[i][1], (int)first, text);
        const char *word = vigie_word(request->lang, key);
        if (strcmp(member, words[i][0]) == 0 && strcmp(word, key) != 0)
            return text[first] ? g_strdup_printf("%s (%s)", word, text + first + 1) : g_strdup(word);
    }
    return g_strdup(text);
}

/* A fact of a record in a few words: "TLSv1.0, TLSv1.2" of a list, an object by its members, "rien" where there was
 * nothing. */
static char *say_value(const Request *request, const char *member, const json_t *value) {
    g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
    size_t index;
    json_t *element;
    const char *name;
    json_array_foreach(value, index, element) {
        if (json_is_string(element))
            g_ptr_array_add(texts, say_text(request, member, json_string_value(element)));
    }
    json_object_foreach((json_t *)value, name, element) {
        g_ptr_array_add(texts, g_strdup(name));
    }
    if (json_is_string(value))
        g_ptr_array_add(texts, say_text(request, member, json_string_value(value)));
    else if (json_is_integer(value))
        g_ptr_array_add(texts, g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(value)));
    else if (json_is_boolean(value))
        g_ptr_array_add(
            texts, g_strdup(vigie_word(request->lang, json_is_true(value) ? "portal.yes" : "portal.no")));
    if (texts->len == 0)
        g_ptr_array_add(texts, g_strdup(vigie_word(request->lang, "portal.nothing")));
    g_ptr_array_add(texts, NULL);
    return g_strjoinv(", ", (char **)texts->pdata);
}

static void say_changes(const Request *request, json_t *history) {
    size_t i, j;
    json_t *stretch, *change;
    json_array_foreach(history, i, stretch) {
        g_autofree char *count =
            page_count_text(request, "portal.endpoint.observations",
                            json_integer_value(json_object_get(stretch, "observations")));
        json_object_set_new(stretch, "observations_text", json_string(count));
        json_array_foreach(json_object_get(stretch, "changes"), j, change) {
            const char *member = json_string_value(json_object_get(change, "member"));
            g_autofree char *before = say_value(request, member, json_object_get(change, "before"));
            g_autofree char *after = say_value(request, member, json_object_get(change, "after"));
            json_object_set_new(change, "before_text", json_string(before));
            json_object_set_new(change, "after_text", json_string(after));
        }
    }
}

DRESS(dress_endpoint) {
    (void)error;
    set_title(view, "target");
    order_findings(view);
    say_changes(request, json_object_get(view, "history"));
    json_t *record = json_object_get(view, "record");
    if (!json_is_object(record))
        return true;
    json_object_set_new(record, "spoken",
                        json_boolean(json_array_size(json_object_get(record, "versions")) > 0));
    json_object_set_new(record, "judged_versions", versions(request, record));
    json_object_set_new(record, "judged_suites", suites(request, record));
    say_yes_or_no(request, record, "name_match");
    say_yes_or_no(request, record, "client_certificate");
    say_yes_or_no(request, record, "server_preference");
    say_clock(request, record);
    return true;
}

DRESS(dress_finding) {
    (void)error, (void)request;
    json_t *title = json_object_get(json_object_get(view, "explained"), "title");
    if (title)
        json_object_set(view, "title", title);
    const char *state = json_string_value(json_object_get(view, "state"));
    json_object_set_new(
        view, "open", json_boolean(state && (strcmp(state, "open") == 0 || strcmp(state, "reopened") == 0)));
    return true;
}

DRESS(dress_certificate) {
    (void)error, (void)request;
    set_title(view, "common_name");
    return true;
}
