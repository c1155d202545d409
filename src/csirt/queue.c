/* The queue: fifty cases of a million, whatever the filter.
 *
 * One condition leads: the one that leaves the fewest. Where it is a column with an index in the order of the queue, that index is
 * walked until the page is full, the other conditions asked of each case. Where it is a word, or what is overdue, its cases are
 * found and sorted as long as they are few; of many, the queue itself is walked. */
#include "csirt/internal.h"

#include <string.h>

enum {
    INDEXED_FIRST = 50,
    RARE = 4000,     /* cases that are sorted for a page */
    WALK_MAX = 2000, /* cases that are looked at for a count, or for a page of words that many have */
    PAGES_MAX = CSIRT_COUNT_MAX / CSIRT_PAGE_SIZE
};

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

typedef enum { BY_STATE, BY_KIND, BY_TLP, BY_ASSIGNEE, BY_ORGANISATION, BY_BAND, BY_OVERDUE, BY_WORD } By;

/* `alone`: where it leads; `among`: where another does, in a form that no index answers. */
static const struct {
    bool ordered; /* has an index in the order of the queue */
    const char *alone, *among;
} asks[] = {
    [BY_STATE] = {true, " AND c.state = ?t", " AND c.state || '' = ?t"},
    [BY_KIND] = {true, " AND c.kind = ?t", " AND c.kind || '' = ?t"},
    [BY_TLP] = {true, " AND c.tlp = ?t", " AND c.tlp || '' = ?t"},
    [BY_ASSIGNEE] = {true, " AND c.assignee = ?t", " AND c.assignee || '' = ?t"},
    [BY_ORGANISATION] = {true, " AND c.organisation_id = ?i", " AND c.organisation_id + 0 = ?i"},
    [BY_BAND] = {false, " AND c.band = ?i", " AND c.band = ?i"},
    [BY_OVERDUE] = {false, " AND c.due > 0 AND c.due < ?i", " AND c.due + 0 > 0 AND c.due + 0 < ?i"},
    [BY_WORD] = {false, NULL, NULL}, /* where_id says it */
};

typedef struct {
    By by;
    const char *text;
    int64_t number;
    int64_t matches; /* counted up to RARE */
} Condition;

typedef struct {
    VigieStore *store;
    const VigieAnalyst *who;
    bool active; /* of those cases alone that are active */
    VigieTime now;
    int64_t page;
    Condition conditions[CONDITIONS_MAX];
    size_t count;
    const Condition *lead; /* NULL: the queue itself */
    char **words;
} Search;

static void search_clear(Search *search) {
    g_strfreev(search->words);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Search, search_clear)

static void add(Search *search, By by, const char *text, int64_t number) {
    search->conditions[search->count++] = (Condition){.by = by, .text = text, .number = number};
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

/* ---- Their SQL ---------------------------------------------------------------------------------------------- */
/* What begins with a word lies between it and the same with its last octet raised; UTF-8 has no octet 0xFF. */
static void where_word(VigieQuery *query, const char *word) {
    size_t size = strlen(word);
    g_autofree char *end = g_strdup(word);
    end[size - 1]++;
    query_add(query, "w.word >= ?b AND w.word < ?b", vigie_bytes(word, size), vigie_bytes(end, size));
}

/* `id` is the case's, as it is found first: before the case itself is read. */
static void where_id(VigieQuery *query, const Condition *condition, bool lead, const char *id) {
    const char *sql = lead ? asks[condition->by].alone : asks[condition->by].among;
    if (condition->by == BY_WORD) {
        query_add(query, " AND EXISTS (SELECT 1 FROM csirt_word w WHERE w.case_id = ");
        query_add(query, id);
        query_add(query, " AND ");
        where_word(query, condition->text);
        query_add(query,
                  " LIMIT 1 OFFSET 0)"); /* the offset keeps PostgreSQL from reading all that the word has */
    } else if (condition->text) {
        query_add(query, sql, condition->text);
    } else {
        query_add(query, sql, condition->number);
    }
}

static void where(VigieQuery *query, const Condition *condition, bool lead) {
    where_id(query, condition, lead, "c.id");
}

/* Of active cases alone, or of all. What is due is active, and has an index that begins with neither. */
static void where_active(VigieQuery *query, const Search *search, const Condition *lead) {
    query_add(query, !search->active                  ? " WHERE 1 = 1"
                     : lead && lead->by == BY_OVERDUE ? " WHERE c.active + 0 = 1"
                                                      : " WHERE c.active = 1");
}

/* The ids that one condition leaves, by its index, at most so many; of a word, one may come twice. */
static void candidates(VigieQuery *query, const Search *search, const Condition *condition, int64_t most) {
    if (condition->by == BY_WORD) {
        query_add(query, "SELECT w.case_id AS id FROM csirt_word w WHERE ");
        where_word(query, condition->text);
    } else {
        query_add(query, "SELECT c.id FROM csirt_case c");
        where_active(query, search, condition);
        where(query, condition, true);
    }
    query_add(query, " LIMIT ?i", most);
}

static const char order[] = " ORDER BY c.active DESC, c.band, c.urgent DESC, c.score DESC, c.received, c.id";

static bool sorted(const Condition *lead) {
    return lead && !asks[lead->by].ordered;
}

/* " FROM csirt_case c … WHERE …": the cases of the condition that leads, in whose order they can be walked. */
static void from_lead(VigieQuery *query, const Search *search, int64_t most) {
    query_add(query, " FROM ");
    if (sorted(search->lead)) {
        query_add(query, "(SELECT DISTINCT id FROM (");
        candidates(query, search, search->lead, most);
        query_add(query, ") d) r CROSS JOIN csirt_case c");
    } else {
        query_add(query, "csirt_case c");
    }
    where_active(query, search, NULL);
    query_add(query, sorted(search->lead) ? " AND c.id = r.id" : "");
    if (search->lead && !sorted(search->lead))
        where(query, search->lead, true);
}

/* The other conditions, and what `who` may see. */
static void where_others(VigieQuery *query, const Search *search, const char *id) {
    for (size_t i = 0; i < search->count; i++)
        if (&search->conditions[i] != search->lead)
            where_id(query, &search->conditions[i], false, id);
    case_visible(query, search->who);
}

/* ---- Which leads -------------------------------------------------------------------------------------------- */
static bool count_matches(const Search *search, Condition *condition, GError **error) {
    g_autoptr(VigieQuery) query = query_new();
    query_add(query, "SELECT count(*) FROM (");
    candidates(query, search, condition, RARE);
    query_add(query, ") x");
    return query_int(search->store, query, &condition->matches, error);
}

static bool find_lead(Search *search, GError **error) {
    for (size_t i = 0; i < search->count; i++) {
        Condition *condition = &search->conditions[i];
        if (condition->by == BY_BAND) /* the queue begins with it */
            continue;
        if (!count_matches(search, condition, error))
            return false;
        bool may = condition->matches < RARE || asks[condition->by].ordered;
        if (may && (!search->lead || condition->matches < search->lead->matches))
            search->lead = condition;
    }
    return true;
}

/* ---- Counting ----------------------------------------------------------------------------------------------- */
/* One condition: its index alone answers. What `who` may not see is little, and taken off. */
static bool count_one(const Search *search, int64_t *ret_total, GError **error) {
    int64_t total = 0, hidden = 0;
    g_autoptr(VigieQuery) all = query_new(), restricted = query_new();
    query_add(all, "SELECT count(*) FROM (SELECT 1 FROM csirt_case c");
    where_active(all, search, search->count > 0 ? search->conditions : NULL);
    for (size_t i = 0; i < search->count; i++)
        where(all, &search->conditions[i], true);
    query_add(all, " LIMIT ?i) x", (int64_t)CSIRT_COUNT_MAX);
    if (!query_int(search->store, all, &total, error))
        return false;
    query_add(restricted, "SELECT count(*) FROM csirt_case c WHERE c.restricted = 1");
    query_add(restricted, search->active ? " AND c.active + 0 = 1" : "");
    for (size_t i = 0; i < search->count; i++)
        where(restricted, &search->conditions[i], false);
    case_hidden(restricted, search->who);
    if (total < CSIRT_COUNT_MAX && search->who && !search->who->head &&
        !query_int(search->store, restricted, &hidden, error))
        return false;
    *ret_total = total - hidden;
    return true;
}

/* Several: those among the first WALK_MAX that the lead gives, all of them where they are fewer. */
static bool count_walk(const Search *search, int64_t *ret_total, bool *ret_counted, GError **error) {
    int64_t walked = 0;
    int64_t most = sorted(search->lead) ? RARE : WALK_MAX;
    g_autoptr(VigieQuery) all = query_new(), query = query_new();
    query_add(all, "SELECT count(*) FROM (SELECT c.id");
    from_lead(all, search, most);
    query_add(all, " LIMIT ?i) x", most);
    query_add(query, "SELECT count(*) FROM (SELECT c.id");
    from_lead(query, search, most);
    query_add(query, sorted(search->lead) ? "" : order);
    query_add(query, " LIMIT ?i) l CROSS JOIN csirt_case c WHERE c.id = l.id", most);
    where_others(query, search, "l.id");
    if (!query_int(search->store, all, &walked, error) || !query_int(search->store, query, ret_total, error))
        return false;
    *ret_counted = walked < most;
    return true;
}

static bool count(const Search *search, int64_t *ret_total, bool *ret_counted, GError **error) {
    size_t indexed = 0, others = 0;
    for (size_t i = 0; i < search->count; i++) {
        By by = search->conditions[i].by;
        indexed += asks[by].ordered || by == BY_OVERDUE;
        others += by == BY_WORD || (by == BY_BAND && search->count > 2);
    }
    if (others > 0 || indexed > 1 ||
        (indexed == 1 && search->conditions[0].by == BY_OVERDUE && search->count > 1))
        return count_walk(search, ret_total, ret_counted, error);
    return count_one(search, ret_total, error);
}

/* ---- The page ----------------------------------------------------------------------------------------------- */
/* The page's ids first; only they are read whole. `walk` 0: however many are to be looked at. */
static json_t *page_items(const Search *search, int64_t walk, GError **error) {
    g_autoptr(VigieQuery) query = query_new();
    cells_select(query, case_cells);
    query_add(query, "FROM (SELECT c.id");
    if (walk) {
        query_add(query, " FROM (SELECT c.id");
        from_lead(query, search, walk);
        query_add(query, order);
        query_add(query, " LIMIT ?i) l CROSS JOIN csirt_case c WHERE c.id = l.id", walk);
    } else {
        from_lead(query, search, sorted(search->lead) && search->lead->matches < RARE ? RARE : G_MAXINT32);
    }
    where_others(query, search, walk ? "l.id" : sorted(search->lead) ? "r.id" : "c.id");
    query_add(query, order);
    query_add(query, " LIMIT ?i OFFSET ?i) p CROSS JOIN csirt_case c WHERE c.id = p.id",
              (int64_t)CSIRT_PAGE_SIZE, (search->page - 1) * CSIRT_PAGE_SIZE);
    query_add(query, order);
    return cells_run(search->store, query, case_cells, error);
}

/* Where nothing is rare but words are asked for: a page from the head of the queue or, where it is not full, from all cases of the
 * first word. */
static json_t *find_items(Search *search, GError **error) {
    const Condition *last = search->count > 0 ? &search->conditions[search->count - 1] : NULL;
    if (!last || last->by != BY_WORD || sorted(search->lead))
        return page_items(search, 0, error);
    g_autoptr(json_t) items = page_items(search, WALK_MAX, error);
    if (!items || json_array_size(items) == CSIRT_PAGE_SIZE)
        return g_steal_pointer(&items);
    if (!search->lead || search->lead->matches == RARE)
        search->lead = last;
    return page_items(search, 0, error);
}

/* What the walk found is the least; a page that is full has one more after it. */
static json_t *page_object(json_t *items, int64_t total, bool counted, int64_t page) {
    int64_t least = (page - 1) * CSIRT_PAGE_SIZE + (int64_t)json_array_size(items);
    total = MAX(total, least);
    bool full = json_array_size(items) == CSIRT_PAGE_SIZE;
    int64_t pages = MAX((total + CSIRT_PAGE_SIZE - 1) / CSIRT_PAGE_SIZE, !counted && full ? page + 1 : 1);
    return json_pack("{s:I, s:b, s:I, s:I, s:o}", "total", (json_int_t)total, "counted",
                     counted && total < CSIRT_COUNT_MAX, "page", (json_int_t)page, "pages",
                     (json_int_t)MIN(pages, PAGES_MAX), "items", items);
}

json_t *csirt_case_list(VigieStore *store, const VigieAnalyst *who, const VigieCaseFilter *filter,
                        VigieTime now, GError **error) {
    g_auto(Search)
        search = {.store = store, .who = who, .now = now, .page = CLAMP(filter->page, 1, PAGES_MAX)};
    bool counted = true;
    int64_t total = 0, indexed = 0;
    if (!csirt_may(who, error) || !check_filter(filter, error) ||
        (filter->q && !csirt_words_index(store, INDEXED_FIRST, &indexed, error)) ||
        !read_filter(&search, filter, error) || !find_lead(&search, error) ||
        !count(&search, &total, &counted, error))
        return NULL;
    json_t *items = find_items(&search, error);
    for (size_t i = 0; i < json_array_size(items); i++)
        case_shape(json_array_get(items, i));
    return items ? page_object(items, total, counted, search.page) : NULL;
}
