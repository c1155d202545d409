/* report: statistics and cases as documents. What they say is in knowledge/documents/. */
#include "csirt/report.h"
#include "csirt/internal.h"
#include "document/document.h"

#include <string.h>

/* ---- The year ----------------------------------------------------------------------------------------------- */
/* "s", as statisticians mark what is secret, and the sums' row and column. */
static json_t *cell(const json_t *count) {
    return json_is_integer(count) ? json_incref((json_t *)count) : json_string("s");
}

static json_t *cells(json_t *first, const json_t *counts, const json_t *total) {
    json_t *row = json_array(), *count;
    size_t index;
    json_array_append_new(row, first);
    json_array_foreach(counts, index, count) json_array_append_new(row, cell(count));
    json_array_append_new(row, cell(total));
    return row;
}

/* As the document sets it: the columns' titles, and rows of cells; rows without any case are left out, but for months. */
static json_t *table_data(const json_t *table, VigieLang lang) {
    const json_t *texts = json_object_get(table, "columns");
    bool whole = strcmp(vigie_member(table, "id"), "month") == 0;
    json_t *columns = json_array(), *rows = json_array(), *bars = json_array(), *row, *column;
    size_t index;
    json_array_foreach(texts, index, column)
        json_array_append_new(columns, json_string(vigie_text_in(lang, json_object_get(column, "text"))));
    json_array_foreach(json_object_get(table, "rows"), index, row) {
        const char *text = vigie_text_in(lang, json_object_get(row, "text"));
        const json_t *total = json_object_get(row, "total");
        if (!whole && json_is_integer(total) && json_integer_value(total) == 0)
            continue;
        json_array_append_new(rows, cells(json_string(text), json_object_get(row, "counts"), total));
        json_array_append_new(bars, json_pack("[s, o]", text, cell(total)));
    }
    if (json_array_size(rows) > 0)
        json_array_append_new(rows, cells(json_string(vigie_word(lang, "report.total")),
                                          json_object_get(table, "totals"), json_object_get(table, "total")));
    return json_pack("{s:O, s:O, s:o, s:o, s:o}", "title", json_object_get(table, "title"), "head",
                     json_object_get(table, "head"), "columns", columns, "rows", rows, "bars", bars);
}

json_t *csirt_report(const json_t *statistics, const VigieTeam *team, VigieLang lang, GError **error) {
    g_autoptr(json_t) data = json_copy((json_t *)statistics);
    size_t index;
    json_t *table;
    json_object_set(data, "team", json_object_get(csirt_team_json(team), "name"));
    json_object_set_new(data, "cases", cell(json_object_get(statistics, "cases")));
    json_array_foreach(json_object_get(statistics, "tables"), index, table)
        json_object_set_new(data, vigie_member(table, "id"), table_data(table, lang));
    VigieTime as_of = 0;
    if (vigie_time_parse_rfc3339(vigie_member(statistics, "as_of"), &as_of, NULL)) {
        g_autofree char *day = vigie_date_text(lang, team_zone(team), as_of);
        json_object_set_new(data, "as_of", json_string(day));
    }
    return document_fill("yearly-report", data, lang, error);
}

/* ---- One case ----------------------------------------------------------------------------------------------- */
static char *time_text(const VigieTeam *team, VigieLang lang, const char *time) {
    VigieTime at = 0;
    return time && vigie_time_parse_rfc3339(time, &at, NULL) ? vigie_date_time_text(lang, team_zone(team), at)
                                                             : g_strdup("—");
}

/* Of a choice, what its value is called. */
static const char *value_text(const json_t *fact, const char *name, VigieLang lang) {
    size_t index;
    json_t *value;
    json_array_foreach(json_object_get(fact, "values"), index,
                       value) if (g_strcmp0(vigie_member(value, "name"), name) ==
                                  0) return vigie_text_in(lang, json_object_get(value, "text"));
    return name;
}

static char *fact_text(const VigieTeam *team, const json_t *fact, const json_t *value, VigieLang lang) {
    if (json_is_boolean(value))
        return g_strdup(vigie_word(lang, json_is_true(value) ? "report.yes" : "report.no"));
    if (json_is_integer(value))
        return g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
    if (json_is_string(value) && g_strcmp0(vigie_member(fact, "type"), "time") == 0)
        return time_text(team, lang, json_string_value(value));
    if (json_is_string(value))
        return g_strdup(value_text(fact, json_string_value(value), lang));
    GString *all = g_string_new(NULL);
    size_t index;
    json_t *one;
    json_array_foreach(value, index, one) {
        g_string_append(all, index > 0 ? ", " : "");
        g_string_append(all, value_text(fact, json_string_value(one), lang));
    }
    return g_string_free(all, FALSE);
}

static json_t *facts_data(const VigieTeam *team, const json_t *facts, VigieLang lang) {
    json_t *rows = json_array(), *fact;
    const char *name;
    json_object_foreach((json_t *)csirt_facts(), name, fact) {
        const json_t *value = json_object_get(facts, name);
        if (!value || json_is_null(value))
            continue;
        g_autofree char *text = fact_text(team, fact, value, lang);
        json_array_append_new(rows,
                              json_pack("{s:s, s:s}", "label",
                                        vigie_text_in(lang, json_object_get(fact, "text")), "value", text));
    }
    return rows;
}

/* What was done, not what was said to whom: messages are named, their words stay in the case. */
static json_t *timeline_data(const VigieTeam *team, const json_t *timeline, VigieLang lang) {
    json_t *rows = json_array(), *entry;
    size_t index;
    json_array_foreach(timeline, index, entry) {
        const char *kind = vigie_member(entry, "kind"), *author = vigie_member(entry, "author");
        const json_t *details = json_object_get(entry, "details");
        g_autofree char *time = time_text(team, lang, vigie_member(entry, "time"));
        g_autofree char *key = g_strconcat("csirt.entry.", kind, NULL);
        const char *to = strcmp(kind, "state") == 0 ? vigie_member(details, "to") : NULL;
        g_autofree char *state = to ? g_strconcat("csirt.state.", to, NULL) : NULL;
        bool said = strcmp(kind, "note") == 0 || strcmp(kind, "decision") == 0;
        const char *more = state ? vigie_word(lang, state) : said ? vigie_member(details, "text") : NULL;
        g_autofree char *what = g_strjoin(more ? " — " : "", vigie_word(lang, key), more, NULL);
        json_array_append_new(rows, json_pack("{s:s, s:s, s:s}", "time", time, "what", what, "author",
                                              author && *author ? author : "Vigie"));
    }
    return rows;
}

static json_t *clocks_data(const VigieTeam *team, const json_t *clocks, VigieLang lang) {
    json_t *rows = json_array(), *clock;
    size_t index;
    json_array_foreach(clocks, index, clock) {
        const json_t *on_time = json_object_get(clock, "on_time");
        bool late = json_is_false(on_time) || g_strcmp0(vigie_member(clock, "state"), "late") == 0;
        const char *key = late                    ? "report.delay.late"
                          : json_is_true(on_time) ? "report.delay.kept"
                                                  : "report.delay.running";
        g_autofree char *due = time_text(team, lang, vigie_member(clock, "due"));
        g_autofree char *end = time_text(team, lang, vigie_member(clock, "end"));
        if (g_strcmp0(vigie_member(clock, "state"), "not-started") != 0)
            json_array_append_new(rows, json_pack("{s:s, s:s, s:s, s:s}", "what",
                                                  vigie_text_in(lang, json_object_get(clock, "text")), "due",
                                                  due, "end", end, "state", vigie_word(lang, key)));
    }
    return rows;
}

static void set_time(json_t *data, const char *member, const json_t *item, const VigieTeam *team,
                     VigieLang lang) {
    g_autofree char *text = time_text(team, lang, vigie_member(item, member));
    json_object_set_new(data, member, json_string(text));
}

static void set_word(json_t *data, const char *member, const char *prefix, const char *name, VigieLang lang) {
    g_autofree char *key = name ? g_strconcat(prefix, name, NULL) : NULL;
    json_object_set_new(data, member, json_string(key ? vigie_word(lang, key) : "—"));
}

json_t *csirt_review(VigieStore *store, const VigieTeam *team, const VigieAnalyst *who, int64_t id,
                     VigieLang lang, VigieTime now, GError **error) {
    static const char *const times[] = {"received", "answered", "closed"};
    g_autoptr(json_t) item = csirt_case_get(store, team, who, id, now, error);
    if (!item)
        return NULL;
    const json_t *organisation = json_object_get(item, "organisation");
    const char *name = vigie_member(organisation, "name"), *category = vigie_member(item, "category");
    const json_t *class_ = category ? csirt_category(category) : NULL;
    g_autofree char *today = vigie_date_text(lang, team_zone(team), now);
    g_autoptr(json_t) data = json_pack(
        "{s:O, s:O, s:O, s:O, s:s, s:s, s:s, s:o, s:o, s:o}", "team",
        json_object_get(csirt_team_json(team), "name"), "reference", json_object_get(item, "reference"),
        "title", json_object_get(item, "title"), "tlp", json_object_get(item, "tlp"), "organisation",
        name ? name : "—", "category", class_ ? vigie_text_in(lang, class_) : "—", "today", today, "facts",
        facts_data(team, json_object_get(item, "facts"), lang), "timeline",
        timeline_data(team, json_object_get(item, "timeline"), lang), "clocks",
        clocks_data(team, json_object_get(item, "clocks"), lang));
    for (size_t i = 0; i < G_N_ELEMENTS(times); i++)
        set_time(data, times[i], item, team, lang);
    set_word(data, "kind", "csirt.kind.", vigie_member(item, "kind"), lang);
    set_word(data, "state", "csirt.state.", vigie_member(item, "state"), lang);
    return document_fill("review", data, lang, error);
}
