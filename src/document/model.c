#include "document/model.h"

#include <string.h>

enum { TEXT_MAX = 64 * 1024, TEXTS_MAX = 200000, COLUMNS_MAX = 20 };

typedef struct {
    size_t texts;
    char where[64];
    GError **error;
} Check;

static bool refuse(const Check *check, const char *why) {
    g_set_error(check->error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "document: %s: %s", check->where, why);
    return false;
}

/* ---- Checking ----------------------------------------------------------------------------------------------- */
static bool is_text(Check *check, const json_t *value, bool numbers) {
    if (numbers && json_is_number(value))
        return ++check->texts <= TEXTS_MAX || refuse(check, "more than 200,000 texts");
    if (!json_is_string(value))
        return refuse(check, numbers ? "a text or a number is wanted" : "a text is wanted");
    if (json_string_length(value) > TEXT_MAX || strlen(json_string_value(value)) != json_string_length(value))
        return refuse(check, "a text is longer than 64 KiB, or has a NUL");
    return ++check->texts <= TEXTS_MAX || refuse(check, "more than 200,000 texts");
}

static bool optional(Check *check, const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);
    return !value || json_is_null(value) || is_text(check, value, false);
}

static bool check_heading(Check *check, const json_t *content, const json_t *block) {
    const json_t *level = json_object_get(block, "level");
    bool well = !level ||
                (json_is_integer(level) && json_integer_value(level) >= 1 && json_integer_value(level) <= 3);
    return is_text(check, content, false) && (well || refuse(check, "a heading's level is 1, 2 or 3"));
}

static bool check_text(Check *check, const json_t *content, const json_t *block) {
    (void)block;
    return is_text(check, content, false);
}

static bool check_list(Check *check, const json_t *content, const json_t *block) {
    (void)block;
    size_t index;
    json_t *item;
    if (!json_is_array(content))
        return refuse(check, "a list is an array of texts");
    json_array_foreach(content, index, item) if (!is_text(check, item, true)) return false;
    return true;
}

static bool check_rows(Check *check, const json_t *rows, size_t columns) {
    size_t index, at;
    json_t *row, *cell;
    if (!json_is_array(rows))
        return refuse(check, "rows are an array");
    json_array_foreach(rows, index, row) {
        if (json_array_size(row) != columns)
            return refuse(check, "a row has as many cells as there are columns");
        json_array_foreach(row, at, cell) if (!is_text(check, cell, true)) return false;
    }
    return true;
}

static bool check_facts(Check *check, const json_t *content, const json_t *block) {
    (void)block;
    return check_rows(check, content, 2);
}

static bool check_column(Check *check, const json_t *column) {
    const char *align = json_string_value(json_object_get(column, "align"));
    if (align && strcmp(align, "left") != 0 && strcmp(align, "right") != 0)
        return refuse(check, "a column's align is left or right");
    const json_t *width = json_object_get(column, "width");
    if (width &&
        !(json_is_integer(width) && json_integer_value(width) > 0 && json_integer_value(width) <= 100))
        return refuse(check, "a column's width is its part of the table, in percent");
    return is_text(check, json_is_object(column) ? json_object_get(column, "title") : column, false);
}

static bool check_table(Check *check, const json_t *content, const json_t *block) {
    const json_t *columns = json_object_get(content, "columns");
    size_t count = json_array_size(columns), index;
    json_t *column;
    if (count < 1 || count > COLUMNS_MAX || (json_object_get(block, "bars") && count != 2))
        return refuse(check, "a table has 1 to 20 columns, bars have 2");
    json_array_foreach(columns, index, column) if (!check_column(check, column)) return false;
    return optional(check, content, "caption") && optional(check, content, "empty") &&
           check_rows(check, json_object_get(content, "rows"), count);
}

static bool check_break(Check *check, const json_t *content, const json_t *block) {
    (void)block;
    return json_is_true(content) || refuse(check, "\"break\" is true");
}

static const struct {
    const char *name;
    bool (*check)(Check *check, const json_t *content, const json_t *block);
} kinds[BLOCKS] = {
    [BLOCK_HEADING] = {"heading", check_heading}, [BLOCK_TEXT] = {"text", check_text},
    [BLOCK_NOTE] = {"note", check_text},          [BLOCK_LIST] = {"list", check_list},
    [BLOCK_FACTS] = {"facts", check_facts},       [BLOCK_TABLE] = {"table", check_table},
    [BLOCK_BARS] = {"bars", check_table},         [BLOCK_BREAK] = {"break", check_break},
};

static bool check_block(Check *check, const json_t *block) {
    const json_t *content = NULL;
    BlockKind kind = model_block(block, &content);
    return kind == BLOCKS ? refuse(check, "no block: heading, text, note, list, facts, table, bars or break")
                          : kinds[kind].check(check, content, block);
}

bool document_model_check(const json_t *model, GError **error) {
    static const char *const texts[] = {"subtitle", "author", "date", "tlp"};
    Check check = {.where = "the model", .error = error};
    const json_t *blocks = json_object_get(model, "blocks");
    VigieLang lang;
    unsigned colour;
    if (!json_is_object(model) || !json_is_array(blocks))
        return refuse(&check, "an object with language, title and blocks is wanted");
    if (!vigie_lang_parse(vigie_member_text(model, "language"), &lang))
        return refuse(&check, "\"language\" is fr or en");
    if (!is_text(&check, json_object_get(model, "title"), false))
        return false;
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
        if (!optional(&check, model, texts[i]))
            return false;
    if (*vigie_member_text(model, "tlp") && !model_tlp(model, &colour))
        return refuse(&check, "\"tlp\" is RED, AMBER+STRICT, AMBER, GREEN or CLEAR");
    size_t index;
    json_t *block;
    json_array_foreach(blocks, index, block) {
        g_snprintf(check.where, sizeof check.where, "block %zu", index + 1);
        if (!check_block(&check, block))
            return false;
    }
    return true;
}

/* ---- Reading ------------------------------------------------------------------------------------------------ */
BlockKind model_block(const json_t *block, const json_t **ret_content) {
    for (int kind = 0; kind < BLOCKS; kind++)
        if ((*ret_content = json_object_get(block, kinds[kind].name)))
            return (BlockKind)kind;
    return BLOCKS;
}

char *model_text(const json_t *cell) {
    if (json_is_integer(cell))
        return g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(cell));
    if (json_is_real(cell)) {
        char text[G_ASCII_DTOSTR_BUF_SIZE];
        return g_strdup(g_ascii_formatd(text, sizeof text, "%.6g", json_real_value(cell)));
    }
    return g_strdup(json_string_value(cell));
}

const char *model_column_title(const json_t *column) {
    return json_is_string(column) ? json_string_value(column) : vigie_member_text(column, "title");
}

bool model_column_right(const json_t *column) {
    return strcmp(vigie_member_text(column, "align"), "right") == 0;
}

double model_bars_max(const json_t *bars) {
    double max = 1;
    size_t index;
    json_t *row;
    json_array_foreach(json_object_get(bars, "rows"), index, row) max =
        MAX(max, json_number_value(json_array_get(row, 1)));
    return max;
}

const char *model_tlp(const json_t *model, unsigned *ret_colour) {
    static const struct {
        const char *label;
        unsigned colour;
    } labels[] = {{"RED", 0xFF2B2B},
                  {"AMBER+STRICT", 0xFFC000},
                  {"AMBER", 0xFFC000},
                  {"GREEN", 0x33FF00},
                  {"CLEAR", 0xFFFFFF}};
    for (size_t i = 0; i < G_N_ELEMENTS(labels); i++)
        if (strcmp(labels[i].label, vigie_member_text(model, "tlp")) == 0) {
            *ret_colour = labels[i].colour;
            return labels[i].label;
        }
    return NULL;
}
