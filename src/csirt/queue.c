/* The queue: fifty cases of a million, whatever the filter.
 *
 * Two ways lead to a page. Where a filter leaves few cases, they are found by its index and then sorted; where it leaves
 * many, the queue is walked in its order until the page is full. Which it is, a count that stops early tells. */
#include "csirt/internal.h"

#include <string.h>

enum { RARE = 3000, WALK_MAX = 30000, PAGES_MAX = CSIRT_COUNT_MAX / CSIRT_PAGE_SIZE };

bool csirt_filter_set(VigieCaseFilter *filter, const char *name, const char *value, GError **error) {
    const struct {
        const char *name;
        const char **text;
        int64_t *number;
    } members[] = {{"state", &filter->state, NULL}, {"kind", &filter->kind, NULL},
                   {"tlp", &filter->tlp, NULL},     {"assignee", &filter->assignee, NULL},
                   {"q", &filter->q, NULL},         {"organisation", NULL, &filter->organisation},
                   {"band", NULL, &filter->band},   {"page", NULL, &filter->page}};
    if (strcmp(name, "overdue") == 0) {
        filter->overdue = strcmp(value, "1") == 0 || strcmp(value, "true") == 0;
        return filter->overdue || strcmp(value, "") == 0 || strcmp(value, "0") == 0 ||
               strcmp(value, "false") == 0 || csirt_invalid(error, "overdue: 1 or 0");
    }
    for (size_t i = 0; i < G_N_ELEMENTS(members); i++) {
        if (strcmp(members[i].name, name) != 0)
            continue;
        guint64 number = 0;
        if (members[i].text)
            *members[i].text = *value ? value : NULL;
        else if (*value && !g_ascii_string_to_unsigned(value, 10, 0, G_MAXINT32, &number, NULL))
            return csirt_invalid(error, "%s: a whole number is wanted", name);
        else
            *members[i].number = (int64_t)number;
        return true;
    }
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "%s: there is no such filter", name);
    return false;
}

static bool check_filter(const VigieCaseFilter *filter, GError **error) {
    if (filter->state && strcmp(filter->state, "active") != 0 && strcmp(filter->state, "all") != 0 &&
        !state_known(filter->state))
        return csirt_invalid(error, "state: active, all or a state, as in received");
    if (filter->band < 0 || filter->band > 4)
        return csirt_invalid(error, "band: 1 to 4");
    return (!filter->kind || csirt_one_of("kind", filter->kind, csirt_kinds, error)) &&
           (!filter->tlp || csirt_one_of("tlp", filter->tlp, csirt_tlps, error)) &&
           csirt_line_check("assignee", filter->assignee, CSIRT_LINE_MAX, error);
}

/* ---- Conditions --------------------------------------------------------------------------------------------- */
enum { CONDITIONS_MAX = 8 + QUERY_WORDS };

/* One of them: what it asks of a case, and which index alone answers it. */
typedef enum { BY_STATE, BY_KIND, BY_TLP, BY_ASSIGNEE, BY_ORGANISATION, BY_BAND, BY_OVERDUE, BY_WORD } By;

typedef struct {
    By by;
    const char *text;
    int64_t number;
    int64_t matches; /* counted up to RARE; -1: not counted, for it is common by nature */
} Condition;

typedef struct {
    VigieStore *store;
    const VigieAnalyst *who;
    bool active; /* of those cases alone that are active */
    VigieTime now;
    Condition conditions[CONDITIONS_MAX];
    size_t count;
    char **words;
} Search;

static void search_clear(Search *search) {
    g_strfreev(search->words);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Search, search_clear)

static void add(Search *search, By by, const char *text, int64_t number) {
    search->conditions[search->count++] =
        (Condition){.by = by, .text = text, .number = number, .matches = -1};
}

static bool read_filter(Search *search, const VigieCaseFilter *filter, GError **error) {
    const char *state = filter->state ? filter->state : "active";
    search->active = strcmp(state, "active") == 0;
    if (!search->active && strcmp(state, "all") != 0)
        add(search, BY_STATE, state, 0);
    if (filter->kind)
        add(search, BY_KIND, filter->kind, 0);
    if (filter->tlp)
        add(search, BY_TLP, filter->tlp, 0);
    if (filter->assignee)
        add(search, BY_ASSIGNEE, strcmp(filter->assignee, "-") == 0 ? "" : filter->assignee, 0);
    if (filter->organisation)
        add(search, BY_ORGANISATION, NULL, filter->organisation);
    if (filter->band)
        add(search, BY_BAND, NULL, filter->band);
    if (filter->overdue)
        add(search, BY_OVERDUE, NULL, search->now);
    if (!filter->q)
        return true;
    search->words = case_words_asked(filter->q, error);
    for (char **word = search->words; word && *word; word++)
        add(search, BY_WORD, *word, 0);
    return search->words != NULL;
}

/* What begins with a word lies between it and the same with its last octet raised; UTF-8 has no octet 0xFF. */
static void where_word(VigieQuery *query, const char *word) {
    size_t size = strlen(word);
    g_autofree char *end = g_strdup(word);
    end[size - 1]++;
    query_add(query, "w.word >= ?b AND w.word < ?b", vigie_bytes(word, size), vigie_bytes(end, size));
}

/* As it is asked of a case c. */
static void where(VigieQuery *query, const Condition *condition) {
    switch (condition->by) {
    case BY_STATE:
        query_add(query, " AND c.state = ?t", condition->text);
        break;
    case BY_KIND:
        query_add(query, " AND c.kind = ?t", condition->text);
        break;
    case BY_TLP:
        query_add(query, " AND c.tlp = ?t", condition->text);
        break;
    case BY_ASSIGNEE:
        query_add(query, " AND c.assignee = ?t", condition->text);
        break;
    case BY_ORGANISATION:
        query_add(query, " AND c.organisation_id = ?i", condition->number);
        break;
    case BY_BAND:
        query_add(query, " AND c.band = ?i", condition->number);
        break;
    case BY_OVERDUE:
        /* The plus keeps the index of due from being chosen: in the order of due, the queue would have to be sorted. */
        query_add(query, " AND +c.due > 0 AND +c.due < ?i", condition->number);
        break;
    case BY_WORD:
        query_add(query, " AND EXISTS (SELECT 1 FROM csirt_word w WHERE w.case_id = c.id AND ");
        where_word(query, condition->text);
        query_add(query, ")");
        break;
    }
}

/* The ids that one condition leaves, from its index. */
static void candidates(VigieQuery *query, const Search *search, const Condition *condition, int64_t most) {
    if (condition->by == BY_WORD) {
        query_add(query, "SELECT DISTINCT w.case_id AS id FROM csirt_word w WHERE ");
        where_word(query, condition->text);
    } else {
        query_add(query, "SELECT c.id FROM csirt_case c WHERE ");
        query_add(query, search->active ? "c.active = 1" : "1 = 1");
        if (condition->by == BY_OVERDUE)
            query_add(query, " AND c.active = 1 AND c.due > 0 AND c.due < ?i", condition->number);
        else
            where(query, condition);
    }
    query_add(query, " LIMIT ?i", most);
}

/* Counts what each condition leaves, up to RARE; the rarest, or NULL where all are common. */
static bool find_rarest(Search *search, const Condition **ret_rarest, GError **error) {
    for (size_t i = 0; i < search->count; i++) {
        Condition *condition = &search->conditions[i];
        if (condition->by == BY_BAND) /* the queue begins with it */
            continue;
        g_autoptr(VigieQuery) query = query_new();
        query_add(query, "SELECT count(*) FROM (");
        candidates(query, search, condition, RARE);
        query_add(query, ") x");
        if (!query_int(search->store, query, &condition->matches, error))
            return false;
        if (condition->matches < RARE && (!*ret_rarest || condition->matches < (*ret_rarest)->matches))
            *ret_rarest = condition;
    }
    return true;
}

static const char order[] = " ORDER BY c.band, c.urgent DESC, c.score DESC, c.received, c.id";

/* " FROM … WHERE …": the cases of this search. */
static void from_where(VigieQuery *query, const Search *search, const Condition *rarest) {
    query_add(query, " FROM ");
    if (rarest) {
        query_add(query, "(");
        candidates(query, search, rarest, RARE);
        query_add(query, ") r JOIN csirt_case c ON c.id = r.id");
    } else {
        query_add(query, "csirt_case c");
    }
    query_add(query, search->active ? " WHERE c.active = 1" : " WHERE 1 = 1");
    for (size_t i = 0; i < search->count; i++)
        if (&search->conditions[i] != rarest)
            where(query, &search->conditions[i]);
    case_visible(query, search->who);
}

/* How many there are, up to CSIRT_COUNT_MAX. Words that many cases have are not counted to the end. */
static bool count(const Search *search, const Condition *rarest, int64_t *ret_total, GError **error) {
    bool words = false;
    for (size_t i = 0; i < search->count; i++)
        words = words || search->conditions[i].by == BY_WORD;
    g_autoptr(VigieQuery) query = query_new();
    query_add(query, "SELECT count(*) FROM (SELECT 1");
    if (words && !rarest) {
        query_add(query, " FROM (SELECT c.id FROM csirt_case c WHERE ");
        query_add(query, search->active ? "c.active = 1" : "1 = 1");
        query_add(query, order);
        query_add(query, " LIMIT ?i) l JOIN csirt_case c ON c.id = l.id WHERE 1 = 1", (int64_t)WALK_MAX);
        for (size_t i = 0; i < search->count; i++)
            where(query, &search->conditions[i]);
        case_visible(query, search->who);
    } else {
        from_where(query, search, rarest);
    }
    query_add(query, " LIMIT ?i) x", (int64_t)CSIRT_COUNT_MAX);
    return query_int(search->store, query, ret_total, error);
}

/* The page's ids first; only they are read whole. */
static json_t *page_items(const Search *search, const Condition *rarest, int64_t page, GError **error) {
    g_autoptr(VigieQuery) query = query_new();
    cells_select(query, case_cells);
    query_add(query, "FROM (SELECT c.id");
    from_where(query, search, rarest);
    query_add(query, order);
    query_add(query, " LIMIT ?i OFFSET ?i) p JOIN csirt_case c ON c.id = p.id", (int64_t)CSIRT_PAGE_SIZE,
              (page - 1) * CSIRT_PAGE_SIZE);
    query_add(query, order);
    return cells_run(search->store, query, case_cells, error);
}

json_t *csirt_case_list(VigieStore *store, const VigieAnalyst *who, const VigieCaseFilter *filter,
                        VigieTime now, GError **error) {
    g_auto(Search) search = {.store = store, .who = who, .now = now};
    const Condition *rarest = NULL;
    int64_t total = 0, page = CLAMP(filter->page, 1, PAGES_MAX);
    if (!csirt_may(who, error) || !check_filter(filter, error) || !read_filter(&search, filter, error) ||
        !find_rarest(&search, &rarest, error) || !count(&search, rarest, &total, error))
        return NULL;
    json_t *items = page_items(&search, rarest, page, error);
    for (size_t i = 0; i < json_array_size(items); i++)
        case_shape(json_array_get(items, i));
    return items ? json_pack("{s:I, s:I, s:I, s:o}", "total", (json_int_t)total, "page", (json_int_t)page,
                             "pages", (json_int_t)MAX((total + CSIRT_PAGE_SIZE - 1) / CSIRT_PAGE_SIZE, 1),
                             "items", items)
                 : NULL;
}
