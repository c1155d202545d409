#include "cli/fleet-print.h"

#include <stdio.h>
#include <string.h>

enum { CELL_WIDTH_MAX = 44, COLUMNS_MAX = 12 };

/* ---- Cells -------------------------------------------------------------------------------------------------- */
typedef enum { CELL_TEXT, CELL_NUMBER, CELL_DAY, CELL_TIME, CELL_LIST, CELL_WORD, CELL_FINDING } CellType;

typedef struct {
    const char *header; /* key of the words */
    const char *path;   /* "device.name" */
    CellType type;
    const char *words; /* of a CELL_WORD: what its key begins with */
} Column;

static const json_t *value_at(const json_t *object, const char *path) {
    g_auto(GStrv) members = g_strsplit(path, ".", -1);
    for (char **member = members; object && *member; member++)
        object = json_object_get(object, *member);
    return object;
}

static const char *text_at(const json_t *object, const char *path) {
    const char *text = json_string_value(value_at(object, path));
    return text ? text : "";
}

static char *list_text(const json_t *list) {
    GString *out = g_string_new(NULL);
    size_t index;
    json_t *item;
    json_array_foreach(list, index, item)
        g_string_append_printf(out, "%s%s", index ? " " : "", json_string_value(item));
    return g_string_free(out, FALSE);
}

static char *time_cell(const FleetPrinter *printer, const char *text, bool relative) {
    VigieTime time = 0;
    if (!vigie_time_parse_rfc3339(text, &time, NULL))
        return g_strdup("–");
    return relative ? vigie_when_text(printer->lang, printer->zone, time, printer->now)
                    : vigie_date_time_text(printer->lang, printer->zone, time);
}

static char *cell_text(const FleetPrinter *printer, const Column *column, const json_t *row) {
    const json_t *value = value_at(row, column->path);
    const char *text = json_string_value(value);
    if (column->type == CELL_LIST)
        return list_text(value);
    if (json_is_integer(value))
        return g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
    if (!text)
        return g_strdup("–");
    if (column->type == CELL_DAY || column->type == CELL_TIME)
        return time_cell(printer, text, column->type == CELL_DAY);
    if (column->type == CELL_FINDING)
        return g_strdup(record_finding_title(printer->rules, text, printer->lang));
    if (column->type != CELL_WORD)
        return g_strdup(text);
    g_autofree char *key = g_strconcat(column->words, text, NULL);
    return g_strdup(vigie_word(printer->lang, key));
}

/* ---- Tables ------------------------------------------------------------------------------------------------- */
static glong width_of(const char *text) {
    glong width = 0;
    for (; *text; text = g_utf8_next_char(text)) {
        gunichar c = g_utf8_get_char(text);
        width += g_unichar_iszerowidth(c) ? 0 : g_unichar_iswide(c) ? 2 : 1;
    }
    return width;
}

/* A line without controls, cut where it is too wide: names come from files. */
static char *tidy(char *text) {
    g_autofree char *owned = text;
    GString *out = g_string_new(NULL);
    glong width = 0;
    for (const char *at = owned; *at; at = g_utf8_next_char(at)) {
        gunichar c = g_utf8_get_char(at);
        glong size = g_unichar_iszerowidth(c) ? 0 : g_unichar_iswide(c) ? 2 : 1;
        if (width + size > CELL_WIDTH_MAX - 1 && *g_utf8_next_char(at)) {
            g_string_append(out, "…");
            break;
        }
        g_string_append_unichar(out, g_unichar_iscntrl(c) ? ' ' : c == 0xA0 || c == 0x202F ? ' ' : c);
        width += size;
    }
    return g_string_free(out, FALSE);
}

static void put_cell(const char *text, glong width, bool right, bool last) {
    int padding = (int)MAX(width - width_of(text), 0);
    if (right)
        printf("%*s%s%s", padding, "", text, last ? "\n" : "  ");
    else
        printf("%s%*s%s", text, last ? 0 : padding, "", last ? "\n" : "  ");
}

static const char *colour_of(const FleetPrinter *printer, const json_t *row) {
    const char *state = text_at(row, "state"), *severity = text_at(row, "severity");
    if (!printer->colour)
        return "";
    if (strcmp(state, "broken") == 0 || strcmp(severity, "critical") == 0 || strcmp(severity, "high") == 0)
        return "\033[31m";
    if (strcmp(state, "soon") == 0 || strcmp(severity, "medium") == 0)
        return "\033[33m";
    return "";
}

static void print_row(const FleetPrinter *printer, const Column *columns, size_t count, char *const *cells,
                      const glong *widths, const json_t *row) {
    const char *colour = row ? colour_of(printer, row) : "";
    for (size_t i = 0; i < count; i++) {
        if (i == 0)
            fputs(colour, stdout);
        put_cell(cells[i], widths[i], columns[i].type == CELL_NUMBER, i + 1 == count);
        if (i == 0 && *colour)
            fputs("\033[0m", stdout);
    }
}

static void print_table(const FleetPrinter *printer, const Column *columns, const json_t *items) {
    size_t count = 0;
    while (columns[count].header)
        count++;
    glong widths[COLUMNS_MAX] = {0};
    g_autoptr(GPtrArray) cells = g_ptr_array_new_with_free_func(g_free);
    for (size_t i = 0; i < count; i++)
        g_ptr_array_add(cells, g_strdup(vigie_word(printer->lang, columns[i].header)));
    size_t index;
    json_t *item;
    json_array_foreach(items, index, item) {
        for (size_t i = 0; i < count; i++)
            g_ptr_array_add(cells, tidy(cell_text(printer, &columns[i], item)));
    }
    for (guint i = 0; i < cells->len; i++)
        widths[i % count] = MAX(widths[i % count], width_of(cells->pdata[i]));
    print_row(printer, columns, count, (char **)cells->pdata, widths, NULL);
    json_array_foreach(items, index, item)
        print_row(printer, columns, count, (char **)cells->pdata + (index + 1) * count, widths, item);
}

static void print_page(const FleetPrinter *printer, const Column *columns, const json_t *page,
                       const char *none) {
    const json_t *items = json_object_get(page, "items");
    if (json_array_size(items) == 0) {
        printf("%s\n", vigie_word(printer->lang, none));
        return;
    }
    print_table(printer, columns, items);
    if (json_integer_value(json_object_get(page, "pages")) > 1) {
        g_autofree char *more = vigie_text_fill(vigie_word(printer->lang, "fleet.cli.page"), page);
        printf("\n%s\n", more);
    }
}

/* ---- Resources ---------------------------------------------------------------------------------------------- */
void fleet_print_json(const json_t *value) {
    g_autofree char *text = vigie_json_text(value);
    printf("%s\n", text);
}

void fleet_print_devices(const FleetPrinter *printer, const json_t *page) {
    static const Column columns[] = {
        {"fleet.cli.state", "state", CELL_WORD, "fleet.state."},
        {"fleet.field.name", "name", CELL_TEXT, NULL},
        {"fleet.cli.gmao", "gmao", CELL_TEXT, NULL},
        {"fleet.field.class", "class", CELL_WORD, "fleet.class."},
        {"fleet.field.location", "location", CELL_TEXT, NULL},
        {"fleet.export.end", "not_after", CELL_DAY, NULL},
        {"fleet.cli.findings", "active_findings", CELL_NUMBER, NULL},
        {0},
    };
    print_page(printer, columns, page, "fleet.cli.no-devices");
}

static const Column finding_columns[] = {
    {"fleet.cli.number", "id", CELL_NUMBER, NULL},
    {"fleet.cli.severity", "severity", CELL_WORD, "fleet.severity."},
    {"fleet.cli.finding", "kind", CELL_FINDING, NULL},
    {"fleet.cli.state", "state", CELL_WORD, "fleet.life."},
    {"fleet.field.device", "device.name", CELL_TEXT, NULL},
    {"fleet.cli.endpoint", "endpoint.target", CELL_TEXT, NULL},
    {"fleet.cli.since", "first_seen", CELL_DAY, NULL},
    {0},
};

void fleet_print_findings(const FleetPrinter *printer, const json_t *page) {
    print_page(printer, finding_columns, page, "fleet.cli.no-findings");
}

void fleet_print_certificates(const FleetPrinter *printer, const json_t *page) {
    static const Column columns[] = {
        {"fleet.export.end", "not_after", CELL_DAY, NULL},
        {"fleet.cli.subject", "subject", CELL_TEXT, NULL},
        {"fleet.cli.issuer", "issuer", CELL_TEXT, NULL},
        {"fleet.cli.endpoints", "endpoints", CELL_NUMBER, NULL},
        {"fleet.cli.fingerprint", "sha256", CELL_TEXT, NULL},
        {0},
    };
    print_page(printer, columns, page, "fleet.cli.no-certificates");
}

void fleet_print_alarms(const FleetPrinter *printer, const json_t *page) {
    static const Column columns[] = {
        {"fleet.cli.alarm", "kind", CELL_WORD, "fleet.alarm."},
        {"fleet.field.device", "endpoint.device.name", CELL_TEXT, NULL},
        {"fleet.cli.endpoint", "endpoint.target", CELL_TEXT, NULL},
        {"fleet.export.end", "endpoint.not_after", CELL_DAY, NULL},
        {"fleet.cli.raised", "created", CELL_TIME, NULL},
        {0},
    };
    print_page(printer, columns, page, "fleet.cli.no-alarms");
}

void fleet_print_organisations(const FleetPrinter *printer, const json_t *page) {
    static const Column columns[] = {
        {"fleet.cli.number", "id", CELL_NUMBER, NULL},
        {"fleet.field.name", "name", CELL_TEXT, NULL},
        {"fleet.cli.devices", "devices", CELL_NUMBER, NULL},
        {"fleet.state.broken", "by_state.broken", CELL_NUMBER, NULL},
        {"fleet.state.soon", "by_state.soon", CELL_NUMBER, NULL},
        {"fleet.state.unknown", "by_state.unknown", CELL_NUMBER, NULL},
        {"fleet.state.well", "by_state.well", CELL_NUMBER, NULL},
        {0},
    };
    print_page(printer, columns, page, "fleet.cli.no-organisations");
}

/* ---- One device --------------------------------------------------------------------------------------------- */
static void print_facts(const FleetPrinter *printer, const json_t *device) {
    static const Column facts[] = {
        {"fleet.cli.state", "state", CELL_WORD, "fleet.state."},
        {"fleet.field.organisation", "organisation.name", CELL_TEXT, NULL},
        {"fleet.field.gmao", "gmao", CELL_TEXT, NULL},
        {"fleet.field.class", "class", CELL_WORD, "fleet.class."},
        {"fleet.field.manufacturer", "manufacturer", CELL_TEXT, NULL},
        {"fleet.field.model", "model", CELL_TEXT, NULL},
        {"fleet.field.serial", "serial", CELL_TEXT, NULL},
        {"fleet.field.firmware", "firmware", CELL_TEXT, NULL},
        {"fleet.field.location", "location", CELL_TEXT, NULL},
        {"fleet.field.owner", "owner", CELL_WORD, "fleet.owner."},
        {"fleet.field.criticality", "criticality", CELL_WORD, "fleet.criticality."},
        {"fleet.export.end", "not_after", CELL_DAY, NULL},
        {"fleet.export.checked", "checked", CELL_TIME, NULL},
    };
    glong width = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(facts); i++)
        width = MAX(width, width_of(vigie_word(printer->lang, facts[i].header)));
    for (size_t i = 0; i < G_N_ELEMENTS(facts); i++) {
        g_autofree char *text = tidy(cell_text(printer, &facts[i], device));
        put_cell(vigie_word(printer->lang, facts[i].header), width, false, false);
        printf("%s\n", text);
    }
}

static void print_part(const FleetPrinter *printer, const char *title, const Column *columns,
                       const json_t *items) {
    if (json_array_size(items) == 0)
        return;
    printf("\n%s\n", vigie_word(printer->lang, title));
    print_table(printer, columns, items);
}

void fleet_print_device(const FleetPrinter *printer, const json_t *device) {
    static const Column endpoints[] = {
        {"fleet.cli.state", "state", CELL_WORD, "fleet.state."},
        {"fleet.cli.endpoint", "target", CELL_TEXT, NULL},
        {"fleet.cli.outcome", "outcome", CELL_TEXT, NULL},
        {"fleet.export.versions", "versions", CELL_LIST, NULL},
        {"fleet.export.end", "not_after", CELL_DAY, NULL},
        {0},
    };
    static const Column told[] = {
        {"fleet.field.role", "role", CELL_WORD, "fleet.owner."},
        {"fleet.field.name", "name", CELL_TEXT, NULL},
        {"fleet.field.mail", "mail", CELL_TEXT, NULL},
        {0},
    };
    g_autofree char *name = tidy(g_strdup(text_at(device, "name")));
    printf("%s\n\n", name);
    print_facts(printer, device);
    print_part(printer, "fleet.cli.title-endpoints", endpoints, json_object_get(device, "endpoints"));
    print_part(printer, "fleet.cli.title-findings", finding_columns, json_object_get(device, "findings"));
    print_part(printer, "fleet.cli.title-contacts", told, json_object_get(device, "contacts"));
}

/* ---- Reports ------------------------------------------------------------------------------------------------ */
void fleet_print_report(const FleetPrinter *printer, const json_t *report) {
    size_t index;
    json_t *problem;
    json_array_foreach(json_object_get(report, "problems"), index, problem) {
        g_autofree char *text = fleet_problem_text(printer->lang, problem);
        g_autoptr(json_t) where = json_copy(problem);
        json_object_set_new(where, "text", json_string(text));
        const char *key = json_is_null(json_object_get(problem, "column"))    ? "fleet.cli.problem-line"
                          : json_is_true(json_object_get(problem, "refused")) ? "fleet.cli.problem-refused"
                                                                              : "fleet.cli.problem-kept";
        g_autofree char *line = vigie_text_fill(vigie_word(printer->lang, key), where);
        fprintf(stderr, "%s\n", line);
    }
    const json_t *ignored = json_object_get(report, "ignored");
    if (json_array_size(ignored) > 0) {
        g_autoptr(GString) names = g_string_new(NULL);
        json_array_foreach(ignored, index, problem) {
            g_string_append_printf(names, "%s%s", index ? ", " : "", json_string_value(problem));
        }
        g_autofree char *line = vigie_words(printer->lang, "fleet.cli.ignored", "columns", names->str, NULL);
        fprintf(stderr, "%s\n", line);
    }
    const char *key =
        json_is_true(json_object_get(report, "dry_run")) ? "fleet.cli.would-import" : "fleet.cli.imported";
    g_autofree char *line = vigie_text_fill(vigie_word(printer->lang, key), report);
    printf("%s\n", line);
}

void fleet_print_progress(const FleetPrinter *printer, const json_t *run, bool rewritten) {
    g_autofree char *line = vigie_text_fill(vigie_word(printer->lang, "fleet.cli.progress"), run);
    fprintf(stderr, rewritten ? "\r\033[K%s" : "%s\n", line);
}
