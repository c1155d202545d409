/* page-case-judge: qualifying a case: its facts, a decision by SSVC question by question, a score by CVSS explained. */
#include "portal/page-case.h"
#include "portal/present.h"

#include <string.h>

/* ---- A fact as a field of a form ----------------------------------------------------------------------------
 * "facts.NAME" holds its value; of choices, "facts.NAME.VALUE" each one that is ticked, and "facts.NAME" that they were asked. A
 * program's member "facts" is read as such fields. */
static char *field_name(const char *fact) {
    return g_strconcat("facts.", fact, NULL);
}

static json_t *read_choices(const Request *request, const char *name, const json_t *fact) {
    json_t *chosen = json_array(), *value;
    size_t index;
    json_array_foreach(json_object_get(fact, "values"), index, value) {
        g_autofree char *field = g_strdup_printf("facts.%s.%s", name, vigie_member_text(value, "name"));
        if (request_form(request, field))
            json_array_append(chosen, json_object_get(value, "name"));
    }
    if (json_array_size(chosen) > 0)
        return chosen;
    json_decref(chosen);
    return json_null();
}

bool case_read_time(const Request *request, const char *text, VigieTime *ret_time, GError **error) {
    if (strlen(text) == strlen("2026-11-24T09:30")) { /* as a browser gives it: the team's wall clock */
        g_autofree char *full = g_strconcat(text, ":00", NULL);
        g_autoptr(GDateTime) time = g_date_time_new_from_iso8601(full, request->portal->zone);
        if (time) {
            *ret_time = g_date_time_to_unix(time);
            return true;
        }
    }
    return vigie_time_parse_rfc3339(text, ret_time, error);
}

static json_t *read_time(const Request *request, const char *text, GError **error) {
    VigieTime time = 0;
    if (!case_read_time(request, text, &time, error))
        return NULL;
    g_autofree char *rfc3339 = vigie_time_rfc3339(time);
    return json_string(rfc3339);
}

static json_t *read_number(const char *name, const char *text, GError **error) {
    gint64 number = 0;
    if (g_ascii_string_to_signed(text, 10, 0, G_MAXINT32, &number, NULL))
        return json_integer(number);
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "%s: a whole number is wanted, as in 12", name);
    return NULL;
}

/* NULL: with an error. What is left empty is not known: null. */
static json_t *read_fact(const Request *request, const char *name, const json_t *fact, GError **error) {
    g_autofree char *field = field_name(name);
    const char *text = case_form(request, field), *type = vigie_member_text(fact, "type");
    if (strcmp(type, "choices") == 0)
        return read_choices(request, name, fact);
    if (!*text)
        return json_null();
    if (strcmp(type, "flag") == 0)
        return json_boolean(case_ticked(text));
    if (strcmp(type, "number") == 0)
        return read_number(name, text, error);
    return strcmp(type, "time") == 0 ? read_time(request, text, error) : json_string(text);
}

/* The facts that the form asked for. NULL without an error: none. */
json_t *case_read_facts(const Request *request, GError **error) {
    g_autoptr(json_t) facts = json_object();
    const char *name;
    json_t *fact;
    json_object_foreach((json_t *)csirt_facts(), name, fact) {
        g_autofree char *field = field_name(name);
        if (json_object_get(fact, "of") || !request_form(request, field))
            continue;
        json_t *value = read_fact(request, name, fact, error);
        if (!value)
            return NULL;
        json_object_set_new(facts, name, value);
    }
    return json_object_size(facts) > 0 ? g_steal_pointer(&facts) : NULL;
}

/* ---- The form ----------------------------------------------------------------------------------------------- */
static bool has_text(const json_t *value, const char *text) {
    size_t index;
    json_t *item;
    if (!json_is_array(value))
        return g_strcmp0(json_string_value(value), text) == 0;
    json_array_foreach(value, index, item) {
        if (g_strcmp0(json_string_value(item), text) == 0)
            return true;
    }
    return false;
}

static json_t *fact_options(const Request *request, const json_t *fact, const json_t *value) {
    json_t *options = json_array(), *known;
    size_t index;
    json_array_foreach(json_object_get(fact, "values"), index, known) {
        json_array_append_new(options,
                              json_pack("{s:s, s:s, s:b}", "value", vigie_member_text(known, "name"), "label",
                                        vigie_text_in(request->lang, json_object_get(known, "text")),
                                        "selected", has_text(value, vigie_member_text(known, "name"))));
    }
    return options;
}

static json_t *flag_options(const Request *request, const json_t *value) {
    return json_pack("[{s:s, s:s, s:b}, {s:s, s:s, s:b}]", "value", "1", "label",
                     vigie_word(request->lang, "portal.yes"), "selected", json_is_true(value), "value", "0",
                     "label", vigie_word(request->lang, "portal.no"), "selected", json_is_false(value));
}

/* A time as the browser's own field takes it; all else as it is written. */
static char *field_value(const Request *request, const json_t *fact, const json_t *value) {
    VigieTime time;
    const char *text = json_string_value(value);
    if (text && strcmp(vigie_member_text(fact, "type"), "time") == 0 &&
        vigie_time_parse_rfc3339(text, &time, NULL)) {
        g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(time);
        g_autoptr(GDateTime) local = g_date_time_to_timezone(utc, request->portal->zone);
        return g_date_time_format(local, "%Y-%m-%dT%H:%M");
    }
    return text ? g_strdup(text) : json_is_integer(value) ? vigie_json_text(value) : g_strdup("");
}

static json_t *fact_field(const Request *request, const char *name, const json_t *fact, const json_t *value) {
    const char *type = vigie_member_text(fact, "type");
    bool flag = strcmp(type, "flag") == 0, choice = strcmp(type, "choice") == 0;
    json_int_t most = json_integer_value(json_object_get(fact, "max"));
    g_autofree char *text = field_value(request, fact, value);
    json_t *field = json_pack("{s:s, s:s, s:s, s:b, s:b, s:b}", "name", name, "label",
                              vigie_text_in(request->lang, json_object_get(fact, "text")), "value", text,
                              "select", flag || choice, "choices", strcmp(type, "choices") == 0, "long",
                              strcmp(type, "text") == 0 && most > 300);
    json_object_set_new(field, "options",
                        flag ? flag_options(request, value) : fact_options(request, fact, value));
    json_object_set_new(field, "kind",
                        json_string(strcmp(type, "number") == 0 ? "number"
                                    : strcmp(type, "time") == 0 ? "datetime-local"
                                                                : "text"));
    json_object_set_new(field, "computed", json_boolean(strcmp(name, "load") == 0)); /* from the queue */
    json_object_set_new(field, "most", json_integer(most > 0 ? most : 400));
    return field;
}

/* The declaration's blocks first, as they were filled in, then the analyst's own. */
static json_t *fact_blocks(const Request *request, const json_t *facts) {
    static const char *const blocks[] = {"triage", "impact", "structure", "event", "cause", NULL};
    json_t *array = json_array(), *fact;
    for (const char *const *block = blocks; *block; block++) {
        json_t *fields = json_array();
        const char *name;
        json_object_foreach((json_t *)csirt_facts(), name, fact) {
            if (!json_object_get(fact, "of") && strcmp(vigie_member_text(fact, "block"), *block) == 0)
                json_array_append_new(fields, fact_field(request, name, fact, json_object_get(facts, name)));
        }
        g_autofree char *key = g_strconcat("desk.block.", *block, NULL);
        json_array_append_new(
            array, json_pack("{s:s, s:o}", "title", vigie_word(request->lang, key), "fields", fields));
    }
    return array;
}

static json_t *categories(const Request *request, const char *selected) {
    json_t *groups = json_array(), *class, *type;
    size_t i, j;
    json_array_foreach(csirt_taxonomy(), i, class) {
        json_t *types = json_array();
        json_array_append_new(types,
                              json_pack("{s:s, s:s, s:b}", "value", vigie_member_text(class, "id"), "label",
                                        vigie_word(request->lang, "desk.qualify.whole-class"), "selected",
                                        strcmp(vigie_member_text(class, "id"), selected) == 0));
        json_array_foreach(json_object_get(class, "types"), j, type) {
            json_array_append_new(
                types, json_pack("{s:s, s:s, s:b}", "value", vigie_member_text(type, "id"), "label",
                                 vigie_text_in(request->lang, json_object_get(type, "name")), "selected",
                                 strcmp(vigie_member_text(type, "id"), selected) == 0));
        }
        json_array_append_new(groups, json_pack("{s:s, s:o}", "label",
                                                vigie_text_in(request->lang, json_object_get(class, "name")),
                                                "types", types));
    }
    return groups;
}

/* Those of the fleet: with one, the contacts that are held for it are found. */
static json_t *organisations(Request *request, const json_t *view, GError **error) {
    VigieFleetFilter filter = {.page_size = FLEET_PAGE_SIZE_MAX};
    g_autoptr(json_t) found = fleet_organisation_list(request->store, &filter, request->now, error);
    json_int_t chosen = json_integer_value(json_object_get(json_object_get(view, "organisation"), "id"));
    json_t *options = found ? json_array() : NULL, *item;
    size_t index;
    json_array_foreach(json_object_get(found, "items"), index, item) {
        json_t *id = json_object_get(item, "id");
        json_array_append_new(options, json_pack("{s:O, s:O, s:b}", "value", id, "label",
                                                 json_object_get(item, "name"), "selected",
                                                 json_integer_value(id) == chosen));
    }
    return options;
}

/* What was typed stands before what is stored, where the form was refused. */
static const char *now_or(const Request *request, const json_t *view, const char *member) {
    const char *typed = request_form(request, member);
    return typed ? typed : vigie_member_text(view, member);
}

DRESS(dress_case_qualify) {
    static const char *const kinds[] = {"incident", "vulnerability", "incident-report", "request", NULL};
    static const char *const likelihoods[] = {"certain", "likely", "uncertain", NULL};
    static const char *const tlps[] = {"RED", "AMBER+STRICT", "AMBER", "GREEN", "CLEAR", NULL};
    static const char *const paps[] = {"RED", "AMBER", "GREEN", "CLEAR", NULL};
    static const char *const expected[] = {"feedback", "acknowledgement", NULL};
    if (!case_present_page(request, view, error))
        return false;
    g_autoptr(json_t) typed = case_read_facts(request, NULL);
    json_t *facts = json_object_get(view, "facts");
    if (typed)
        json_object_update(facts, typed);
    json_object_set_new(view, "kinds",
                        present_options(request, "csirt.kind.", kinds, now_or(request, view, "kind")));
    json_object_set_new(
        view, "likelihoods",
        present_options(request, "csirt.likelihood.", likelihoods, now_or(request, view, "likelihood")));
    json_object_set_new(view, "tlps", present_options(request, "", tlps, now_or(request, view, "tlp")));
    json_object_set_new(view, "paps", present_options(request, "", paps, now_or(request, view, "pap")));
    json_object_set_new(
        view, "expecteds",
        present_options(request, "desk.expected.", expected, now_or(request, view, "expected")));
    json_object_set_new(view, "categories", categories(request, now_or(request, view, "category")));
    json_object_set_new(view, "form_title", json_string(now_or(request, view, "title")));
    json_object_set_new(view, "organisation_name",
                        json_string(*case_form(request, "organisation_name")
                                        ? case_form(request, "organisation_name")
                                        : vigie_member_text(json_object_get(view, "organisation"), "name")));
    json_object_set_new(view, "blocks", fact_blocks(request, facts));
    json_t *known = organisations(request, view, error);
    if (known)
        json_object_set_new(view, "organisations", known);
    return known != NULL;
}

/* ---- SSVC --------------------------------------------------------------------------------------------------- */
/* Answers so far are in the address ("p.exploitation=active"), so that a step back is the browser's own. */
static json_t *answers_of(const Request *request) {
    json_t *answers = json_object();
    GHashTableIter iter;
    gpointer name, value;
    g_hash_table_iter_init(&iter, request->query);
    while (g_hash_table_iter_next(&iter, &name, &value))
        if (g_str_has_prefix(name, "p.") && *(const char *)value)
            json_object_set_new(answers, (const char *)name + 2, json_string(value));
    return answers;
}

static json_t *hidden_answers(const json_t *answers) {
    json_t *array = json_array(), *value;
    const char *name;
    json_object_foreach((json_t *)answers, name, value) {
        json_array_append_new(array, json_pack("{s:s, s:O}", "name", name, "value", value));
    }
    return array;
}

static const json_t *point_of(const char *name) {
    const json_t *points = json_object_get(csirt_ssvc_trees(), "points");
    return json_object_get(points, name);
}

static json_t *question(const Request *request, const char *name) {
    const json_t *point = point_of(name);
    json_t *values = json_array(), *value;
    size_t index;
    json_array_foreach(json_object_get(point, "values"), index, value) {
        json_array_append_new(values,
                              json_pack("{s:s, s:s, s:s}", "value", vigie_member_text(value, "name"), "label",
                                        vigie_text_in(request->lang, json_object_get(value, "text")), "what",
                                        vigie_text_in(request->lang, json_object_get(value, "description"))));
    }
    return json_pack("{s:s, s:s, s:s, s:o}", "name", name, "text",
                     vigie_text_in(request->lang, json_object_get(point, "text")), "what",
                     vigie_text_in(request->lang, json_object_get(point, "description")), "values", values);
}

/* What was answered, each with the address that takes it back. */
static json_t *path(const Request *request, const json_t *decision) {
    json_t *steps = json_array(), *step;
    size_t index;
    json_array_foreach(json_object_get(decision, "path"), index, step) {
        const char *name = vigie_member_text(step, "point");
        g_autofree char *field = g_strconcat("p.", name, NULL);
        g_autofree char *back = request_link(request, request->path, field, NULL, NULL);
        const char *value = vigie_member_text(step, "value"), *label = value;
        size_t at;
        json_t *known;
        json_array_foreach(json_object_get(point_of(name), "values"), at, known) {
            if (strcmp(vigie_member_text(known, "name"), value) == 0)
                label = vigie_text_in(request->lang, json_object_get(known, "text"));
        }
        json_array_append_new(
            steps, json_pack("{s:s, s:s, s:s, s:b}", "label",
                             vigie_text_in(request->lang, json_object_get(point_of(name), "text")), "value",
                             label, "back", back, "own", request_query(request, field) != NULL));
    }
    return steps;
}

DRESS(dress_case_ssvc) {
    g_autoptr(json_t) answers = answers_of(request);
    g_autoptr(json_t) decision = csirt_ssvc_decide("deployer", answers, error);
    if (!decision || !case_present_page(request, view, error))
        return false;
    const char *next = json_string_value(json_object_get(decision, "next"));
    const char *outcome = json_string_value(json_object_get(decision, "outcome"));
    json_object_set_new(view, "hidden_answers", hidden_answers(answers));
    json_object_set_new(view, "path_steps", path(request, decision));
    if (outcome)
        json_object_set_new(view, "outcome_of",
                            json_pack("{s:s, s:s}", "name", outcome, "text",
                                      vigie_text_in(request->lang, json_object_get(decision, "text"))));
    else if (next)
        json_object_set_new(view, "question", question(request, next));
    return true;
}

/* ---- CVSS --------------------------------------------------------------------------------------------------- */
/* "M" before a base metric is the same, as it is here. */
static json_t *metric_row(const Request *request, const char *metric) {
    g_auto(GStrv) parts = g_strsplit(metric, ":", 2);
    if (g_strv_length(parts) != 2)
        return NULL;
    bool modified = parts[0][0] == 'M' && parts[0][1];
    g_autofree char *name_key = g_strconcat("desk.cvss.", parts[0] + modified, NULL);
    g_autofree char *value_key = g_strdup_printf("desk.cvss.%s.%s", parts[0] + modified, parts[1]);
    const char *name = vigie_word(request->lang, name_key), *value = vigie_word(request->lang, value_key);
    return json_pack("{s:s, s:s, s:s, s:b}", "code", metric, "name",
                     strcmp(name, name_key) == 0 ? parts[0] : name, "value",
                     strcmp(value, value_key) == 0 ? parts[1] : value, "modified", modified);
}

static json_t *metric_rows(const Request *request, const char *vector) {
    json_t *rows = json_array();
    g_auto(GStrv) metrics = g_strsplit(vector, "/", 60);
    for (char **metric = *metrics ? metrics + 1 : metrics; *metric; metric++) {
        json_t *row = metric_row(request, *metric);
        if (row)
            json_array_append_new(rows, row);
    }
    return rows;
}

static char *tenths(int score) {
    return g_strdup_printf("%d.%d", score / 10, score % 10);
}

DRESS(dress_case_cvss) {
    const char *asked = request_query(request, "vector");
    const char *vector = asked ? asked : vigie_member_text(json_object_get(view, "facts"), "cvss");
    g_autoptr(GError) failure = NULL;
    VigieCvss cvss;
    if (!case_present_page(request, view, error))
        return false;
    json_object_set_new(view, "vector", json_string(vector));
    if (!*vector)
        return true;
    if (!csirt_cvss_score(vector, &cvss, &failure)) {
        g_autofree char *said = present_refusal(request->lang, failure->message);
        json_object_set_new(view, "vector_problem", json_string(said));
        return true;
    }
    g_autofree char *score = tenths(cvss.score), *base = tenths(cvss.base);
    g_autofree char *key = g_strconcat("desk.cvss-severity.", csirt_cvss_severity_name(cvss.severity), NULL);
    json_object_set_new(view, "cvss",
                        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "version", cvss.version,
                                  "groups", cvss.groups, "score", score, "base", base, "severity",
                                  csirt_cvss_severity_name(cvss.severity), "severity_word",
                                  vigie_word(request->lang, key), "vector", cvss.vector, "metrics",
                                  metric_rows(request, cvss.vector)));
    return true;
}
