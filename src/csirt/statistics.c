/* statistics: cases of a year, counted by two things at a time. */
#include "csirt/judge.h"
#include "csirt/report.h"

#include <string.h>

enum { PAGE = 500, HOUR = 3600, VALUES_MAX = CSIRT_TABLE_MAX };

/* ---- Dimensions --------------------------------------------------------------------------------------------- */
typedef struct {
    size_t count;
    char *ids[VALUES_MAX];
    json_t *texts[VALUES_MAX]; /* { "fr", "en" } */
} Dimension;

static void dimension_clear(Dimension *dimension) {
    for (size_t i = 0; i < dimension->count; i++) {
        g_free(dimension->ids[i]);
        json_decref(dimension->texts[i]);
    }
}

static void add_value(Dimension *dimension, const char *id, json_t *text) {
    g_assert(dimension->count < VALUES_MAX);
    dimension->ids[dimension->count] = g_strdup(id);
    dimension->texts[dimension->count++] = text;
}

static json_t *words_of(const char *key) {
    return json_pack("{s:s, s:s}", "fr", vigie_word(VIGIE_FR, key), "en", vigie_word(VIGIE_EN, key));
}

static void add_words(Dimension *dimension, const char *prefix, const char *const *names) {
    for (; *names; names++) {
        g_autofree char *key = g_strconcat(prefix, *names, NULL);
        add_value(dimension, *names, words_of(key));
    }
}

/* The values that facts.json declares, and "not said". */
static void add_fact(Dimension *dimension, const char *fact) {
    size_t index;
    json_t *value;
    json_array_foreach(json_object_get(json_object_get(csirt_facts(), fact), "values"), index, value)
        add_value(dimension, vigie_member(value, "name"), json_incref(json_object_get(value, "text")));
    add_value(dimension, "unknown", words_of("report.unknown"));
}

/* -1: none of them. */
static int index_of(const Dimension *dimension, const char *id) {
    for (size_t i = 0; id && i < dimension->count; i++)
        if (strcmp(dimension->ids[i], id) == 0)
            return (int)i;
    return -1;
}

static int index_or_unknown(const Dimension *dimension, const char *id) {
    int index = index_of(dimension, id);
    return index < 0 ? (int)dimension->count - 1 : index;
}

/* ---- Tables ------------------------------------------------------------------------------------------------- */
typedef enum { BY_MONTH, BY_TYPE, BY_STRUCTURE, BY_DELAY, TABLES } TableId;

static const char *const table_ids[TABLES] = {"month", "type", "structure", "delay"};

typedef struct {
    Dimension rows, columns;
    int64_t counts[VALUES_MAX * VALUES_MAX]; /* rows × columns */
} Counts;

typedef struct {
    Counts tables[TABLES];
    GArray *answers, *degraded; /* hours */
    bool left_out;
} Year;

static void set_dimensions(Year *year) {
    static const char *const months[] = {"01", "02", "03", "04", "05", "06", "07",
                                         "08", "09", "10", "11", "12", NULL};
    static const char *const kinds[] = {"incident", "vulnerability", "request", NULL};
    static const char *const yes_no[] = {"yes", "no", "unknown", NULL}, *const kept[] = {"kept", "late",
                                                                                         "running", NULL};
    size_t index;
    json_t *class_;
    add_words(&year->tables[BY_MONTH].rows, "report.month.", months);
    add_words(&year->tables[BY_MONTH].columns, "report.kind.", kinds);
    json_array_foreach(csirt_taxonomy(), index, class_)
        add_value(&year->tables[BY_TYPE].rows, vigie_member(class_, "id"),
                  json_incref(json_object_get(class_, "name")));
    add_value(&year->tables[BY_TYPE].rows, "unknown", words_of("report.unclassified"));
    add_fact(&year->tables[BY_TYPE].columns, "patients");
    add_fact(&year->tables[BY_STRUCTURE].rows, "structure");
    add_words(&year->tables[BY_STRUCTURE].columns, "report.degraded.", yes_no);
    add_words(&year->tables[BY_DELAY].columns, "report.delay.", kept);
}

static void count_one(Counts *table, int row, int column) {
    if (row >= 0 && column >= 0)
        table->counts[(size_t)row * table->columns.count + (size_t)column]++;
}

static void count_clocks(Counts *table, const json_t *clocks) {
    size_t index;
    json_t *clock;
    json_array_foreach(clocks, index, clock) {
        const char *id = vigie_member(clock, "id"), *state = vigie_member(clock, "state");
        const json_t *on_time = json_object_get(clock, "on_time");
        if (index_of(&table->rows, id) < 0 && table->rows.count < VALUES_MAX)
            add_value(&table->rows, id, json_incref(json_object_get(clock, "text")));
        bool late = json_is_false(on_time) || g_strcmp0(state, "late") == 0;
        const char *column = late                               ? "late"
                             : json_is_true(on_time)            ? "kept"
                             : g_strcmp0(state, "running") == 0 ? "running"
                                                                : NULL;
        count_one(table, index_of(&table->rows, id), index_of(&table->columns, column));
    }
}

static void count_incident(Year *year, const CaseFacts *of, const char *category) {
    Counts *type = &year->tables[BY_TYPE], *structure = &year->tables[BY_STRUCTURE];
    g_autofree char *class_ = g_strndup(category, strcspn(category, "/"));
    const json_t *degraded = json_object_get(of->facts, "degraded"),
                 *hours = json_object_get(of->facts, "degraded_hours");
    bool lasted = json_number_value(hours) > 0;
    count_one(type, index_or_unknown(&type->rows, class_),
              index_or_unknown(&type->columns, vigie_member(of->facts, "patients")));
    count_one(structure, index_or_unknown(&structure->rows, vigie_member(of->facts, "structure")),
              index_of(&structure->columns, json_is_true(degraded) || lasted ? "yes"
                                            : json_is_false(degraded)        ? "no"
                                                                             : "unknown"));
    double value = json_number_value(hours);
    if (lasted)
        g_array_append_val(year->degraded, value);
}

static bool count_case(Year *year, const VigieTeam *team, const CaseFacts *of, const char *category,
                       VigieTime now, GError **error) {
    g_autoptr(json_t) clocks = case_clocks(team, of, now, error);
    g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(of->received);
    g_autoptr(GDateTime) local = g_date_time_to_timezone(utc, team_zone(team));
    if (!clocks)
        return false;
    Counts *month = &year->tables[BY_MONTH];
    bool incident = strcmp(of->kind, "incident") == 0 || strcmp(of->kind, "incident-report") == 0;
    count_one(month, g_date_time_get_month(local) - 1,
              index_of(&month->columns, incident ? "incident" : of->kind));
    if (incident) { /* alone: a promise kept to every case would tell how many there were of the other kinds */
        count_clocks(&year->tables[BY_DELAY], clocks);
        count_incident(year, of, category);
    }
    double hours = (double)(of->answered - of->received) / HOUR;
    if (of->answered)
        g_array_append_val(year->answers, hours);
    return true;
}

/* ---- Reading ------------------------------------------------------------------------------------------------ */
/* By the one function that says what may leave: of RED, with its owner's consent. */
static bool may_count(VigieStore *store, int64_t id, const char *tlp, VigieTime now, bool *ret_may,
                      GError **error) {
    *ret_may = strcmp(tlp, "RED") != 0;
    if (*ret_may)
        return true;
    VigieRecipient to = {.audience = "public", .channel = "statistics"};
    g_autoptr(json_t) released = csirt_release(store, id, &to, now, error);
    *ret_may = json_object_size(json_object_get(released, "members")) > 0;
    return released != NULL;
}

static bool count_row(Year *year, VigieStore *store, const VigieTeam *team, const VigieRows *rows,
                      VigieTime now, GError **error) {
    g_auto(CaseFacts) of = {.kind = g_strdup(rows_text(rows, 1)),
                            .likelihood = g_strdup(rows_text(rows, 2)),
                            .state = g_strdup(rows_text(rows, 3)),
                            .urgent = rows_int(rows, 4) != 0,
                            .verified = rows_int(rows, 5) != 0,
                            .facts = csirt_json_parse(rows_text(rows, 6)),
                            .events = csirt_json_parse(rows_text(rows, 7)),
                            .received = rows_int(rows, 8),
                            .answered = rows_int(rows, 9),
                            .closed = rows_int(rows, 10)};
    bool may = false;
    if (!may_count(store, rows_int(rows, 0), rows_text(rows, 12), now, &may, error))
        return false;
    year->left_out = year->left_out || !may;
    return !may || count_case(year, team, &of, rows_text(rows, 11), now, error);
}

static bool read_cases(Year *year, VigieStore *store, const VigieTeam *team, VigieTime from, VigieTime until,
                       VigieTime now, GError **error) {
    VigieTime received = from;
    int64_t last = 0;
    for (int64_t read = PAGE; read == PAGE;) {
        g_autoptr(VigieRows) rows = store_query(store, error,
                                                "SELECT id, kind, likelihood, state, urgent, verified, "
                                                "facts, events, received, answered, closed, "
                                                "category, tlp FROM csirt_case WHERE (received > $1 OR "
                                                "(received = $1 AND id > $2)) AND received < "
                                                "$3 AND state <> 'merged' ORDER BY received, id LIMIT $4",
                                                "iiii", received, last, until, (int64_t)PAGE);
        GError *failure = NULL;
        for (read = 0; rows && rows_next(rows, &failure); read++) {
            last = rows_int(rows, 0);
            received = rows_int(rows, 8);
            if (!count_row(year, store, team, rows, now, error))
                return false;
        }
        if (!rows_ended(rows, &failure, error))
            return false;
    }
    return true;
}

/* ---- Telling ------------------------------------------------------------------------------------------------ */
static json_t *count_or_null(int64_t count, bool hidden) {
    return hidden ? json_null() : json_integer(count);
}

static int64_t sum(const Counts *table, int row, int column) {
    int64_t total = 0;
    for (size_t r = 0; r < table->rows.count; r++)
        for (size_t c = 0; c < table->columns.count; c++)
            if ((row < 0 || (size_t)row == r) && (column < 0 || (size_t)column == c))
                total += table->counts[r * table->columns.count + c];
    return total;
}

/* The incidents of all months are those of all types and of all structures, and each was promised an answer: what one of these tables
 * shows, the others cannot hide. */
static void mark_known(VigieTable *cells, TableId id, const Counts *table, bool *row_known,
                       bool *column_known) {
    int incidents = id == BY_MONTH ? index_of(&table->columns, "incident") : -1;
    int promised = id == BY_DELAY ? index_of(&table->rows, "first-answer") : -1;
    if (incidents >= 0)
        column_known[incidents] = true;
    if (promised >= 0)
        row_known[promised] = true;
    cells->total_known = id == BY_TYPE || id == BY_STRUCTURE;
    cells->row_known = row_known;
    cells->column_known = column_known;
}

static json_t *tell_table(TableId id, const Counts *table, int64_t threshold, GError **error) {
    bool row_known[VALUES_MAX] = {false}, column_known[VALUES_MAX] = {false};
    size_t rows = table->rows.count, columns = table->columns.count;
    g_autofree bool *hidden = g_new0(bool, rows *columns + 1), *row_hidden = g_new0(bool, rows + 1),
                    *column_hidden = g_new0(bool, columns + 1);
    VigieTable cells = {rows,          columns, table->counts, hidden, row_hidden,
                        column_hidden, false,   NULL,          NULL,   false};
    mark_known(&cells, id, table, row_known, column_known);
    if (rows > 0 && threshold > 1 && !csirt_suppress(&cells, threshold, error))
        return NULL;
    g_autofree char *title = g_strconcat("report.table.", table_ids[id], NULL),
                    *head = g_strconcat("report.head.", table_ids[id], NULL);
    json_t *told = json_pack("{s:s, s:o, s:o, s:[], s:[], s:[], s:o}", "id", table_ids[id], "title",
                             words_of(title), "head", words_of(head), "columns", "rows", "totals", "total",
                             count_or_null(sum(table, -1, -1), cells.total_hidden));
    for (size_t c = 0; c < columns; c++) {
        json_array_append_new(
            json_object_get(told, "columns"),
            json_pack("{s:s, s:O}", "id", table->columns.ids[c], "text", table->columns.texts[c]));
        json_array_append_new(json_object_get(told, "totals"),
                              count_or_null(sum(table, -1, (int)c), column_hidden[c]));
    }
    for (size_t r = 0; r < rows; r++) {
        json_t *counts = json_array();
        for (size_t c = 0; c < columns; c++)
            json_array_append_new(counts,
                                  count_or_null(table->counts[r * columns + c], hidden[r * columns + c]));
        json_array_append_new(json_object_get(told, "rows"),
                              json_pack("{s:s, s:O, s:o, s:o}", "id", table->rows.ids[r], "text",
                                        table->rows.texts[r], "counts", counts, "total",
                                        count_or_null(sum(table, (int)r, -1), row_hidden[r])));
    }
    return told;
}

static int compare(gconstpointer a, gconstpointer b) {
    double one = *(const double *)a, other = *(const double *)b;
    return one < other ? -1 : one > other;
}

/* To the hour: a median of few would be one of theirs. */
static json_t *median(GArray *values, int64_t threshold) {
    if (values->len == 0 || (int64_t)values->len < threshold)
        return json_null();
    g_array_sort(values, compare);
    return json_integer((json_int_t)(g_array_index(values, double, values->len / 2) + 0.5));
}

static json_t *tell(Year *year, int number, int64_t threshold, VigieTime now, GError **error) {
    g_autoptr(json_t) told =
        json_pack("{s:i, s:I, s:o, s:n, s:b, s:o, s:o, s:[]}", "year", number, "threshold",
                  (json_int_t)threshold, "as_of", csirt_json_time(now), "cases", "left_out",
                  (int)year->left_out, "median_answer_hours", median(year->answers, threshold),
                  "median_degraded_hours", median(year->degraded, threshold), "tables");
    for (size_t i = 0; i < TABLES; i++) {
        json_t *table = tell_table((TableId)i, &year->tables[i], threshold, error);
        if (!table)
            return NULL;
        if (i == BY_MONTH)
            json_object_set(told, "cases", json_object_get(table, "total"));
        json_array_append_new(json_object_get(told, "tables"), table);
    }
    return g_steal_pointer(&told);
}

static VigieTime begin_of(const VigieTeam *team, int year) {
    g_autoptr(GDateTime) day = g_date_time_new(team_zone(team), year, 1, 1, 0, 0, 0);
    return g_date_time_to_unix(day);
}

json_t *csirt_statistics(VigieStore *store, const VigieTeam *team, int number, int64_t threshold,
                         VigieTime now, GError **error) {
    if (number < 2000 || number > 9998) {
        csirt_invalid(error, "year: 2000 to 9998 is wanted");
        return NULL;
    }
    Year *year = g_new0(Year, 1);
    year->answers = g_array_new(FALSE, FALSE, sizeof(double));
    year->degraded = g_array_new(FALSE, FALSE, sizeof(double));
    set_dimensions(year);
    json_t *told =
        read_cases(year, store, team, begin_of(team, number), begin_of(team, number + 1), now, error)
            ? tell(year, number, threshold, now, error)
            : NULL;
    for (size_t i = 0; i < TABLES; i++) {
        dimension_clear(&year->tables[i].rows);
        dimension_clear(&year->tables[i].columns);
    }
    g_array_unref(year->answers);
    g_array_unref(year->degraded);
    g_free(year);
    return told;
}

/* ---- CSV ---------------------------------------------------------------------------------------------------- */
static void append_line(GString *csv, const char *table, const char *row, const char *column,
                        const json_t *count) {
    g_string_append_printf(csv, "%s,%s,%s,", table, row, column);
    if (json_is_integer(count))
        g_string_append_printf(csv, "%" JSON_INTEGER_FORMAT, json_integer_value(count));
    g_string_append(csv, "\r\n");
}

static void append_table(GString *csv, const json_t *table) {
    const char *id = vigie_member(table, "id");
    const json_t *columns = json_object_get(table, "columns");
    size_t index, at;
    json_t *row, *column;
    json_array_foreach(json_object_get(table, "rows"), index, row) {
        json_array_foreach(columns, at, column)
            append_line(csv, id, vigie_member(row, "id"), vigie_member(column, "id"),
                        json_array_get(json_object_get(row, "counts"), at));
        append_line(csv, id, vigie_member(row, "id"), "total", json_object_get(row, "total"));
    }
    json_array_foreach(columns, at, column) append_line(csv, id, "total", vigie_member(column, "id"),
                                                        json_array_get(json_object_get(table, "totals"), at));
    append_line(csv, id, "total", "total", json_object_get(table, "total"));
}

char *csirt_statistics_csv(const json_t *statistics) {
    GString *csv = g_string_new("table,row,column,count\r\n");
    size_t index;
    json_t *table;
    json_array_foreach(json_object_get(statistics, "tables"), index, table) append_table(csv, table);
    return g_string_free(csv, FALSE);
}
