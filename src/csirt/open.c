/* Opening a case: checked, judged, written in a few statements, so that many a second are accepted durably. */
#include "csirt/judge.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

void csirt_opened_clear(VigieOpened *opened) {
    g_clear_pointer(&opened->reference, g_free);
    g_clear_pointer(&opened->receipt, g_free);
}

static bool take_number(VigieStore *store, int64_t year, int64_t *ret_number, GError **error) {
    return store_get_int(store, ret_number, error, "INSERT INTO csirt_number (year) VALUES ($1) RETURNING id",
                         "i", year);
}

/* What the numbers of this year begin after: the first case of a year settles it. */
static bool year_base(VigieStore *store, int64_t year, int64_t taken, int64_t *ret_base, GError **error) {
    static const char sql[] = "SELECT coalesce(max(base), -1) FROM csirt_year WHERE year = $1";
    if (!store_get_int(store, ret_base, error, sql, "i", year))
        return false;
    return *ret_base >= 0 ||
           (store_exec(store, error,
                       "INSERT INTO csirt_year (year, base) VALUES ($1, $2) ON CONFLICT DO NOTHING", "ii",
                       year, taken - 1) &&
            store_get_int(store, ret_base, error, sql, "i", year));
}

char *reference_next(VigieStore *store, const VigieTeam *team, VigieTime now, GError **error) {
    time_t at = (time_t)now;
    struct tm utc;
    int64_t number = 0, base = 0;
    if (!gmtime_r(&at, &utc))
        return NULL;
    int64_t year = utc.tm_year + 1900;
    if (!take_number(store, year, &number, error) || !year_base(store, year, number, &base, error))
        return NULL;
    /* Who took a number just before the year's first takes another, which lies behind. */
    if (number <= base && !take_number(store, year, &number, error))
        return NULL;
    return csirt_reference_text(team_prefix(team), (VigieReference){(int)year, number - base});
}

/* ---- What is given ------------------------------------------------------------------------------------------ */
static bool check_declarant(const VigieOpening *opening, GError **error) {
    static const char *const known[] = {"name", "mail", "phone", "role", "language", NULL};
    const char *name;
    json_t *value;
    if (!opening->declarant)
        return true;
    if (strcmp(opening->source, "anonymous") == 0)
        return csirt_invalid(error, "declarant: of an anonymous report nothing is kept");
    json_object_foreach((json_t *)opening->declarant, name, value) {
        g_autofree char *member = g_strconcat("declarant.", name, NULL);
        if (!csirt_one_of("declarant", name, known, error) ||
            (!json_is_null(value) && !json_is_string(value) &&
             !csirt_invalid(error, "%s: a text is wanted", member)) ||
            !csirt_length_check(member, json_string_value(value), CSIRT_LINE_MAX, error))
            return false;
    }
    return true;
}

static bool check_opening(const VigieOpening *opening, GError **error) {
    return csirt_one_of("kind", opening->kind, csirt_kinds, error) &&
           csirt_one_of("channel", opening->channel, csirt_channels, error) &&
           csirt_one_of("source", opening->source, csirt_sources, error) &&
           (!opening->tlp || csirt_one_of("tlp", opening->tlp, csirt_tlps, error)) &&
           (!opening->pap || csirt_one_of("pap", opening->pap, csirt_paps, error)) &&
           csirt_length_check("title", opening->title, CSIRT_LINE_MAX, error) &&
           csirt_length_check("organisation_name", opening->organisation_name, CSIRT_LINE_MAX, error) &&
           csirt_line_check("unique_key", opening->unique_key, CSIRT_LINE_MAX, error) &&
           csirt_size_check("text", opening->text, CSIRT_BODY_BYTES, error) &&
           (!opening->facts || csirt_facts_check(opening->facts, error)) && check_declarant(opening, error);
}

/* ---- What is written ---------------------------------------------------------------------------------------- */
typedef struct {
    VigieStore *store;
    const VigieTeam *team;
    const VigieOpening *opening;
    VigieTime now;
    int64_t id;
    char *reference, *receipt;
    char *title, *organisation, *text; /* as they are kept: never NULL */
} Opening;

static void opening_clear(Opening *open) {
    g_free(open->reference);
    g_free(open->receipt);
    g_free(open->title);
    g_free(open->organisation);
    g_free(open->text);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Opening, opening_clear)

static json_t *first_details(const Opening *open) {
    return json_pack("{s:s, s:s, s:s, s:s}", "kind", open->opening->kind, "channel", open->opening->channel,
                     "source", open->opening->source, "organisation", open->organisation);
}

/* False with `error` unset: another opening of the same key came first. */
static bool insert_case(Opening *open, const Judgement *judgement, const char *head, GError **error) {
    const VigieOpening *of = open->opening;
    g_autofree char *facts = of->facts ? vigie_json_text(of->facts) : g_strdup("{}");
    g_autofree char *receipt = csirt_code_hash(open->receipt);
    if (strlen(facts) > CSIRT_FACTS_BYTES) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_LIMIT, "facts: %d octets at most", CSIRT_FACTS_BYTES);
        return false;
    }
    g_autoptr(VigieRows) rows = store_query(
        open->store, error,
        "INSERT INTO csirt_case (reference, kind, state, channel, title, organisation_id, organisation_name, "
        "tlp, pap, "
        "source, urgent, band, score, reasons, facts, due, received, updated, receipt, entries, head, "
        "unique_key) "
        "VALUES ($1, $2, 'received', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $16, "
        "$17, 1, $18, "
        "$19) ON CONFLICT (unique_key) DO NOTHING RETURNING id",
        "ttttittttiiittiittt", open->reference, of->kind, of->channel, open->title, of->organisation,
        open->organisation, of->tlp ? of->tlp : "AMBER", of->pap ? of->pap : "AMBER", of->source,
        (int64_t)of->urgent, judgement->band, judgement->score, judgement->reasons, facts, judgement->due,
        open->now, receipt, head, of->unique_key);
    GError *failure = NULL;
    bool inserted = rows && rows_next(rows, &failure);
    if (inserted)
        open->id = rows_int(rows, 0);
    return rows_ended(rows, &failure, error) && inserted;
}

static bool insert_entry(const Opening *open, const char *details, const char *hash, GError **error) {
    const char *author = open->opening->author ? open->opening->author : "";
    return store_exec(open->store, error,
                      "INSERT INTO csirt_entry (case_id, seq, time, author, kind, details, hash) "
                      "VALUES ($1, 1, $2, $3, 'opened', $4, $5)",
                      "iittt", open->id, open->now, author, details, hash);
}

static bool insert_source(const Opening *open, GError **error) {
    g_autofree char *clear = vigie_json_text(open->opening->declarant);
    g_autoptr(GBytes) sealed = team_seal(open->team, vigie_bytes(clear, strlen(clear)), error);
    memset(clear, 0, strlen(clear));
    if (!sealed)
        return false;
    VigieBytes bytes = vigie_bytes_view(sealed);
    return store_exec(open->store, error, "INSERT INTO csirt_source (case_id, sealed) VALUES ($1, $2)", "ib",
                      open->id, &bytes);
}

/* Who declares: a party, or sealed. */
static bool insert_declarant(const Opening *open, int64_t *ret_party, GError **error) {
    const json_t *declarant = open->opening->declarant;
    if (!declarant)
        return true;
    if (strcmp(open->opening->source, "protected") == 0)
        return insert_source(open, error);
    g_autofree char *name = csirt_line_clean(vigie_member(declarant, "name"));
    g_autofree char *mail = csirt_line_clean(vigie_member(declarant, "mail"));
    g_autofree char *phone = csirt_line_clean(vigie_member(declarant, "phone"));
    g_autofree char *language = csirt_line_clean(vigie_member(declarant, "language"));
    return store_get_int(open->store, ret_party, error,
                         "INSERT INTO csirt_party (case_id, role, name, mail, phone, language, created) "
                         "VALUES ($1, 'declarant', $2, $3, $4, $5, $6) RETURNING id",
                         "itttti", open->id, name, mail, phone, language, open->now);
}

static const char *message_channel(const char *channel) {
    return strcmp(channel, "mail") == 0 || strcmp(channel, "phone") == 0 ? channel : "form";
}

static bool insert_message(const Opening *open, int64_t party, GError **error) {
    return !*open->text || store_exec(open->store, error,
                                      "INSERT INTO csirt_message (case_id, party_id, direction, channel, "
                                      "time, author, subject, body) "
                                      "VALUES ($1, $2, 'in', $3, $4, '', $5, $6)",
                                      "iititt", open->id, party, message_channel(open->opening->channel),
                                      open->now, open->title, open->text);
}

/* The case's row and its first line, whose hash the row has from the start. */
static bool insert_first(Opening *open, GError **error) {
    const VigieOpening *of = open->opening;
    g_auto(Judgement) judgement = {0};
    const CaseFacts facts = {.kind = (char *)of->kind,
                             .state = (char *)"received",
                             .urgent = of->urgent,
                             .facts = (json_t *)of->facts,
                             .received = open->now};
    if (!case_judged(open->team, &facts, open->now, &judgement, error))
        return false;
    g_autoptr(json_t) details = first_details(open);
    g_autofree char *text = vigie_json_text(details);
    g_autofree char *hash =
        entry_hash("", open->reference, 1, open->now, of->author ? of->author : "", "opened", text);
    return insert_case(open, &judgement, hash, error) && insert_entry(open, text, hash, error);
}

/* The case that this key opened before: *ret_opened without a receipt. */
static bool find_opened(VigieStore *store, const char *unique_key, VigieOpened *ret_opened, GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        store, error, "SELECT id, reference FROM csirt_case WHERE unique_key = $1", "t", unique_key);
    GError *failure = NULL;
    if (rows && rows_next(rows, &failure))
        *ret_opened = (VigieOpened){.id = rows_int(rows, 0), .reference = g_strdup(rows_text(rows, 1))};
    return rows_ended(rows, &failure, error);
}

static bool open_new(Opening *open, VigieOpened *ret_opened, GError **error) {
    int64_t party = 0;
    GError *failure = NULL;
    open->reference = reference_next(open->store, open->team, open->now, error);
    const char *receipt = open->opening->receipt;
    open->receipt = receipt ? g_strdup(receipt) : csirt_code_new(CSIRT_CODE_RECEIPT);
    if (!open->reference)
        return false;
    if (!insert_first(open, &failure)) {
        if (!failure)
            return find_opened(open->store, open->opening->unique_key, ret_opened, error);
        g_propagate_error(error, failure);
        return false;
    }
    if (!insert_declarant(open, &party, error) || !insert_message(open, party, error))
        return false;
    *ret_opened = (VigieOpened){.id = open->id,
                                .reference = g_steal_pointer(&open->reference),
                                .receipt = g_steal_pointer(&open->receipt)};
    return true;
}

bool csirt_case_open(VigieStore *store, const VigieTeam *team, const VigieOpening *opening, VigieTime now,
                     VigieOpened *ret, GError **error) {
    g_auto(VigieOpened) opened = {0};
    if (!check_opening(opening, error))
        return false;
    g_auto(Opening) open = {.store = store,
                            .team = team,
                            .opening = opening,
                            .now = now,
                            .title = csirt_line_clean(opening->title),
                            .organisation = csirt_line_clean(opening->organisation_name),
                            .text = csirt_text_clean(opening->text)};
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || (opening->unique_key && !find_opened(store, opening->unique_key, &opened, error)))
        return false;
    if ((opened.id == 0 && !open_new(&open, &opened, error)) || !store_commit(&tx, error))
        return false;
    *ret = opened;
    opened = (VigieOpened){0};
    return true;
}
