/* The cases in words: a table for the queue, a page for one. */
#include "cli/case.h"

#include <stdio.h>
#include <string.h>

static int64_t int_at(const json_t *object, const char *member) {
    return json_integer_value(json_object_get(object, member));
}

static const char *word_of(const CaseCall *call, const char *prefix, const char *name) {
    g_autofree char *key = g_strconcat(prefix, name, NULL);
    return vigie_word(call->lang, key);
}

void case_say(const CaseCall *call, const char *key, const char *name, const char *value) {
    g_autofree char *text = vigie_words(call->lang, key, name, value, NULL);
    printf("%s\n", text);
}

static char *when(const CaseCall *call, const json_t *time) {
    VigieTime at = 0;
    const char *text = json_string_value(time);
    if (!text || !vigie_time_parse_rfc3339(text, &at, NULL))
        return g_strdup("–");
    return vigie_when_text(call->lang, vigie_config_zone(call->settings), at, call->now);
}

static char *stamp(const CaseCall *call, const json_t *time) {
    VigieTime at = 0;
    const char *text = json_string_value(time);
    if (!text || !vigie_time_parse_rfc3339(text, &at, NULL))
        return g_strdup("–");
    return vigie_date_time_text(call->lang, vigie_config_zone(call->settings), at);
}

/* A column: printf counts octets, people characters. */
static void cell(const char *text, int width) {
    glong size = g_utf8_strlen(text, -1);
    g_autofree char *cut = size > width ? g_utf8_substring(text, 0, width - 1) : g_strdup(text);
    printf("%s%s%*s  ", cut, size > width ? "…" : "", size >= width ? 0 : (int)(width - size), "");
}

static void head(const CaseCall *call, const char *key, int width) {
    cell(vigie_word(call->lang, key), width);
}

/* ---- The queue ---------------------------------------------------------------------------------------------- */
static void print_row(const CaseCall *call, const json_t *one) {
    g_autofree char *band = g_strdup_printf("%" G_GINT64_FORMAT "%s", int_at(one, "band"),
                                            json_is_true(json_object_get(one, "urgent")) ? "!" : "");
    g_autofree char *due = when(call, json_object_get(one, "due"));
    const json_t *organisation = json_object_get(one, "organisation");
    cell(vigie_member_text(one, "reference"), 24);
    cell(band, 4);
    cell(word_of(call, "csirt.state.", vigie_member_text(one, "state")), 16);
    cell(vigie_member_text(one, "tlp"), 12);
    cell(due, 28);
    cell(vigie_member_text(one, "assignee"), 12);
    cell(vigie_member_text(organisation, "name"), 24);
    printf("%s\n", vigie_member_text(one, "title"));
}

void case_print_list(const CaseCall *call, const json_t *page) {
    const json_t *items = json_object_get(page, "items");
    if (json_array_size(items) == 0) {
        printf("%s\n", vigie_word(call->lang, "case.none"));
        return;
    }
    head(call, "case.reference", 24);
    head(call, "case.band", 4);
    head(call, "case.state", 16);
    cell("TLP", 12);
    head(call, "case.due", 28);
    head(call, "case.assignee", 12);
    head(call, "case.organisation", 24);
    printf("%s\n", vigie_word(call->lang, "case.title"));
    for (size_t i = 0; i < json_array_size(items); i++)
        print_row(call, json_array_get(items, i));
    g_autofree char *total = g_strdup_printf("%" G_GINT64_FORMAT "%s", int_at(page, "total"),
                                             json_is_true(json_object_get(page, "counted")) ? "" : "+");
    case_say(call, "case.total", "n", total);
}

/* ---- One case ----------------------------------------------------------------------------------------------- */
static void line(const CaseCall *call, const char *key, const char *value) {
    if (!value || !*value)
        return;
    head(call, key, 16);
    printf("%s\n", value);
}

static void section(const CaseCall *call, const char *key, const json_t *list) {
    if (json_array_size(list) > 0)
        printf("\n%s\n", vigie_word(call->lang, key));
}

/* A fact's value in words: its choices have some. */
static void append_value(const CaseCall *call, GString *out, const json_t *declared, const json_t *value) {
    const json_t *values = json_object_get(declared, "values");
    for (size_t i = 0; i < json_array_size(value); i++)
        append_value(call, out, declared, json_array_get(value, i));
    const char *text = json_string_value(value);
    for (size_t i = 0; text && i < json_array_size(values); i++)
        if (strcmp(vigie_member_text(json_array_get(values, i), "name"), text) == 0)
            text = vigie_text_in(call->lang, json_object_get(json_array_get(values, i), "text"));
    if (json_is_boolean(value))
        text = vigie_word(call->lang, json_is_true(value) ? "case.yes" : "case.no");
    if (json_is_array(value))
        return;
    g_string_append(out, out->len > 0 ? ", " : "");
    if (json_is_integer(value))
        g_string_append_printf(out, "%" G_GINT64_FORMAT, (gint64)json_integer_value(value));
    else
        g_string_append(out, text ? text : "");
}

static void print_facts(const CaseCall *call, const json_t *facts) {
    const char *name;
    json_t *value;
    if (json_object_size(facts) > 0)
        printf("\n%s\n", vigie_word(call->lang, "case.facts"));
    json_object_foreach((json_t *)facts, name, value) {
        const json_t *declared = json_object_get(csirt_facts(), name);
        g_autoptr(GString) text = g_string_new(NULL);
        append_value(call, text, declared, value);
        printf("  ");
        cell(vigie_text_in(call->lang, json_object_get(declared, "text")), 44);
        printf("%s\n", text->str);
    }
}

static void print_reasons(const CaseCall *call, const json_t *a_case) {
    const json_t *reasons = json_object_get(a_case, "reasons"),
                 *override = json_object_get(a_case, "override");
    section(call, "case.reasons", reasons);
    for (size_t i = 0; i < json_array_size(reasons); i++) {
        const json_t *reason = json_array_get(reasons, i);
        printf("  %+4" G_GINT64_FORMAT "  %s\n", int_at(reason, "points"),
               vigie_text_in(call->lang, json_object_get(reason, "text")));
    }
    if (json_is_object(override))
        line(call, "case.override", vigie_member_text(override, "reason"));
}

static void print_messages(const CaseCall *call, const json_t *messages) {
    section(call, "case.messages", messages);
    for (size_t i = 0; i < json_array_size(messages); i++) {
        const json_t *message = json_array_get(messages, i);
        g_autofree char *time = stamp(call, json_object_get(message, "time"));
        printf("  %" G_GINT64_FORMAT "  %s  %s  %s\n", int_at(message, "id"),
               strcmp(vigie_member_text(message, "direction"), "in") == 0 ? "←" : "→", time,
               vigie_member_text(message, "subject"));
        g_auto(GStrv) lines = g_strsplit(vigie_member_text(message, "body"), "\n", -1);
        for (char **one = lines; *one; one++)
            printf("      %s\n", *one);
    }
}

/* What stands in a line's details: a sentence of ours, a text, or all of it. Free with g_free. */
static char *said(const CaseCall *call, const json_t *details) {
    const json_t *values = json_object_get(details, "values");
    const char *title = vigie_member(details, "title"), *text = vigie_member(details, "text");
    if (json_is_object(values))
        return csirt_sentence(call->lang, title ? title : vigie_member_text(details, "reason"), values);
    return text ? g_strdup(text) : json_object_size(details) == 0 ? g_strdup("") : vigie_json_text(details);
}

/* Lists of which a line says all. */
static void print_lists(const CaseCall *call, const json_t *a_case) {
    static const struct {
        const char *member, *key, *first, *second, *third;
    } lists[] = {{"parties", "case.parties", "role", "name", "mail"},
                 {"artefacts", "case.artefacts", "name", "sha256", "author"},
                 {"tasks", "case.tasks", "title", "assignee", "outcome"},
                 {"links", "case.links", "kind", "name", "note"},
                 {"consents", "case.consents", "owner", "evidence", "ends"},
                 {"escalations", "case.escalations", "partner", "state", "rule"}};
    for (size_t i = 0; i < G_N_ELEMENTS(lists); i++) {
        const json_t *list = json_object_get(a_case, lists[i].member);
        section(call, lists[i].key, list);
        for (size_t j = 0; j < json_array_size(list); j++) {
            const json_t *one = json_array_get(list, j);
            bool task = strcmp(lists[i].member, "tasks") == 0;
            printf("  %4" G_GINT64_FORMAT "  %s  %s  %s\n",
                   int_at(one, json_object_get(one, "id") ? "id" : "ref"),
                   task ? csirt_task_title(call->lang, one) : vigie_member_text(one, lists[i].first),
                   vigie_member_text(one, lists[i].second), vigie_member_text(one, lists[i].third));
        }
    }
}

static void print_clocks(const CaseCall *call, const json_t *clocks) {
    section(call, "case.clocks", clocks);
    for (size_t i = 0; i < json_array_size(clocks); i++) {
        const json_t *clock = json_array_get(clocks, i);
        g_autofree char *due = when(call, json_object_get(clock, "due"));
        printf("  ");
        cell(vigie_text_in(call->lang, json_object_get(clock, "text")), 52);
        cell(word_of(call, "desk.clock.", vigie_member_text(clock, "state")), 14);
        printf("%s\n", due);
    }
}

static void print_timeline(const CaseCall *call, const json_t *timeline) {
    section(call, "case.timeline", timeline);
    for (size_t i = 0; i < json_array_size(timeline); i++) {
        const json_t *entry = json_array_get(timeline, i);
        g_autofree char *time = stamp(call, json_object_get(entry, "time"));
        const json_t *details = json_object_get(entry, "details");
        g_autofree char *text = said(call, details);
        printf("  %3" G_GINT64_FORMAT "  %s  ", int_at(entry, "seq"), time);
        cell(vigie_member_text(entry, "author"), 12);
        printf("%s  %s\n", word_of(call, "csirt.entry.", vigie_member_text(entry, "kind")), text);
    }
}

void case_print_case(const CaseCall *call, const json_t *a_case) {
    g_autofree char *received = stamp(call, json_object_get(a_case, "received"));
    g_autofree char *due = when(call, json_object_get(a_case, "due"));
    g_autofree char *band = g_strdup_printf("%" G_GINT64_FORMAT " (%" G_GINT64_FORMAT "/100)",
                                            int_at(a_case, "band"), int_at(a_case, "score"));
    g_autofree char *label =
        g_strdup_printf("TLP:%s  PAP:%s", vigie_member_text(a_case, "tlp"), vigie_member_text(a_case, "pap"));
    printf("%s  %s\n%s\n\n", vigie_member_text(a_case, "reference"), label,
           vigie_member_text(a_case, "title"));
    line(call, "case.kind", word_of(call, "csirt.kind.", vigie_member_text(a_case, "kind")));
    line(call, "case.state", word_of(call, "csirt.state.", vigie_member_text(a_case, "state")));
    line(call, "case.organisation", vigie_member_text(json_object_get(a_case, "organisation"), "name"));
    line(call, "case.received", received);
    line(call, "case.due", due);
    line(call, "case.band", band);
    line(call, "case.assignee", vigie_member_text(a_case, "assignee"));
    line(call, "case.category",
         vigie_text_in(call->lang, csirt_category(vigie_member_text(a_case, "category"))));
    line(call, "case.source", word_of(call, "csirt.source.", vigie_member_text(a_case, "source")));
    print_reasons(call, a_case);
    print_facts(call, json_object_get(a_case, "facts"));
    print_clocks(call, json_object_get(a_case, "clocks"));
    print_messages(call, json_object_get(a_case, "messages"));
    print_lists(call, a_case);
    print_timeline(call, json_object_get(a_case, "timeline"));
}

/* ---- The rest ----------------------------------------------------------------------------------------------- */
void case_print_load(const CaseCall *call, const json_t *load) {
    static const struct {
        const char *key, *member;
    } counts[] = {{"case.load.active", "active"},
                  {"case.load.urgent", "urgent"},
                  {"case.load.overdue", "overdue"},
                  {"case.load.unassigned", "unassigned"},
                  {"case.load.tasks", "tasks_due"}};
    for (size_t i = 0; i < G_N_ELEMENTS(counts); i++) {
        head(call, counts[i].key, 24);
        printf("%6" G_GINT64_FORMAT "\n", int_at(load, counts[i].member));
    }
    const json_t *assignees = json_object_get(load, "by_assignee");
    for (size_t i = 0; i < json_array_size(assignees); i++) {
        const json_t *one = json_array_get(assignees, i);
        cell(vigie_member_text(one, "name"), 24);
        printf("%6" G_GINT64_FORMAT "\n", int_at(one, "cases"));
    }
    const char *on_call = vigie_member_text(json_object_get(load, "on_call"), "name");
    if (*on_call)
        line(call, "case.load.on-call", on_call);
}

void case_print_tasks(const CaseCall *call, const json_t *tasks) {
    for (size_t i = 0; i < json_array_size(tasks); i++) {
        const json_t *task = json_array_get(tasks, i);
        g_autofree char *due = when(call, json_object_get(task, "due"));
        printf("%5" G_GINT64_FORMAT "  ", int_at(task, "id"));
        cell(vigie_member_text(json_object_get(task, "case"), "reference"), 24);
        cell(word_of(call, "csirt.task.", vigie_member_text(task, "kind")), 20);
        cell(due, 28);
        cell(vigie_member_text(task, "assignee"), 12);
        printf("%s\n", csirt_task_title(call->lang, task));
    }
    if (json_array_size(tasks) == 0)
        printf("%s\n", vigie_word(call->lang, "case.no-tasks"));
}

void case_print_check(const CaseCall *call, const json_t *report) {
    const json_t *faults = json_object_get(report, "faults");
    g_autofree char *entries = g_strdup_printf("%" G_GINT64_FORMAT, int_at(report, "entries"));
    g_autofree char *cases = g_strdup_printf("%" G_GINT64_FORMAT, int_at(report, "cases"));
    g_autofree char *text =
        vigie_words(call->lang, json_array_size(faults) ? "case.check.wrong" : "case.check.well", "entries",
                    entries, "cases", cases, NULL);
    printf("%s\n", text);
    for (size_t i = 0; i < json_array_size(faults); i++) {
        const json_t *one = json_array_get(faults, i);
        printf("  %s  %" G_GINT64_FORMAT "  %s\n", vigie_member_text(one, "reference"), int_at(one, "seq"),
               word_of(call, "case.fault.", vigie_member_text(one, "fault")));
    }
}

void case_print_release(const CaseCall *call, const json_t *release) {
    const char *member;
    json_t *one;
    json_object_foreach(json_object_get(release, "members"), member, one)
        printf("+ %s\n", vigie_text_in(call->lang, json_object_get(one, "text")));
    const json_t *withheld = json_object_get(release, "withheld");
    for (size_t i = 0; i < json_array_size(withheld); i++) {
        const json_t *kept = json_array_get(withheld, i);
        const json_t *declared = json_object_get(csirt_members(), vigie_member_text(kept, "member"));
        printf("- ");
        cell(vigie_text_in(call->lang, json_object_get(declared, "text")), 52);
        printf("%s\n", vigie_word(call->lang, vigie_member_text(kept, "reason")));
    }
}
