/* What analysts change of a case: a table of its columns, each with its check; then what the rules make of it. */
#include "csirt/judge.h"

#include <string.h>

typedef enum { LINE, NAME, NUMBER, FLAG, TIME, MERGED } FieldType;

static const char *const expectations[] = {"feedback", "acknowledgement", NULL};

static const struct Field {
    const char *name;
    const char *column;
    FieldType type;
    const char *const *names; /* of NAME; NULL beside a category */
    bool empty;               /* may be taken away: null */
    bool head;
} fields_of_case[] = {
    {"title", "title", LINE, NULL, false, false},
    {"organisation", "organisation_id", NUMBER, NULL, true, false},
    {"organisation_name", "organisation_name", LINE, NULL, true, false},
    {"kind", "kind", NAME, csirt_kinds, false, false},
    {"category", "category", LINE, NULL, true, false},
    {"likelihood", "likelihood", NAME, csirt_likelihoods, true, false},
    {"verified", "verified", TIME, NULL, true, false},
    {"tlp", "tlp", NAME, csirt_tlps, false, false},
    {"pap", "pap", NAME, csirt_paps, false, false},
    {"urgent", "urgent", FLAG, NULL, false, false},
    {"assignee", "assignee", LINE, NULL, true, false},
    {"expected", "expected", NAME, expectations, false, false},
    {"restricted", "restricted", FLAG, NULL, false, true},
    {"facts", "facts", MERGED, NULL, false, false},
    {"events", "events", MERGED, NULL, false, false},
};
typedef struct Field Field;

static const Field *find_field(const char *name) {
    for (size_t i = 0; i < G_N_ELEMENTS(fields_of_case); i++)
        if (strcmp(fields_of_case[i].name, name) == 0)
            return &fields_of_case[i];
    return NULL;
}

/* ---- One value ---------------------------------------------------------------------------------------------- */
static bool check_text(const Field *field, const json_t *value, GError **error) {
    if (!json_is_string(value))
        return csirt_invalid(error, "%s: a text is wanted", field->name);
    if (field->names)
        return csirt_one_of(field->name, json_string_value(value), field->names, error);
    if (strcmp(field->name, "category") == 0 && !csirt_category(json_string_value(value)))
        return csirt_invalid(error, "category: none of the taxonomy, as in malicious-code/c2-server");
    return csirt_line_check(field->name, json_string_value(value), CSIRT_LINE_MAX, error);
}

static bool check_time(const Field *field, const json_t *value, int64_t *ret_time, GError **error) {
    GError *failure = NULL;
    if (json_is_string(value) && vigie_time_parse_rfc3339(json_string_value(value), ret_time, &failure))
        return true;
    g_clear_error(&failure);
    return csirt_invalid(error, "%s: a time is wanted, as in 2026-11-21T20:15:10Z", field->name);
}

static bool check_events(const json_t *events, GError **error) {
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)events, name, value) {
        VigieTime time = 0;
        if (!json_object_get(csirt_clock_events(), name))
            return csirt_invalid(error, "events: %s is no event of the clocks", name);
        if (!json_is_string(value) || !vigie_time_parse_rfc3339(json_string_value(value), &time, NULL))
            return csirt_invalid(error, "events.%s: a time is wanted, as in 2026-11-21T20:15:10Z", name);
    }
    return true;
}

/* `value` over what the case has; null takes a member away. */
static json_t *merge(const Field *field, const json_t *before, const json_t *value, GError **error) {
    if (!json_is_object(value)) {
        csirt_invalid(error, "%s: an object is wanted", field->name);
        return NULL;
    }
    g_autoptr(json_t) merged = json_is_object(before) ? json_copy((json_t *)before) : json_object();
    const char *name;
    json_t *member;
    json_object_foreach((json_t *)value, name, member) {
        if (json_is_null(member))
            json_object_del(merged, name);
        else
            json_object_set(merged, name, member);
    }
    bool facts = strcmp(field->name, "facts") == 0;
    return (facts ? csirt_facts_check(merged, error) : check_events(merged, error)) ? g_steal_pointer(&merged)
                                                                                    : NULL;
}

/* ---- The change --------------------------------------------------------------------------------------------- */
typedef struct {
    VigieStore *store;
    const VigieAnalyst *who;
    const Case *of;
    const CaseFacts *facts;
    const json_t *fields;
    VigieTime now;
    json_t *changes; /* { name: the new value }, for the timeline */
} Change;

static bool write_text(const Change *change, const Field *field, const char *text, GError **error) {
    g_autofree char *sql = g_strdup_printf("UPDATE csirt_case SET %s = $2 WHERE id = $1", field->column);
    return store_exec(change->store, error, sql, "it", change->of->id, text);
}

static bool write_number(const Change *change, const Field *field, int64_t number, GError **error) {
    g_autofree char *sql = g_strdup_printf("UPDATE csirt_case SET %s = $2 WHERE id = $1", field->column);
    return store_exec(change->store, error, sql, "ii", change->of->id, number);
}

static bool write_merged(const Change *change, const Field *field, const json_t *value, GError **error) {
    bool facts = strcmp(field->name, "facts") == 0;
    g_autoptr(json_t) merged =
        merge(field, facts ? change->facts->facts : change->facts->events, value, error);
    g_autofree char *text = merged ? vigie_json_text(merged) : NULL;
    return text && csirt_text_check(field->name, text, CSIRT_FACTS_BYTES, error) &&
           write_text(change, field, text, error);
}

static bool write_field(const Change *change, const Field *field, const json_t *value, GError **error) {
    VigieTime time = 0;
    if (field->head && !csirt_head_only(change->who, field->name, error))
        return false;
    if (json_is_null(value)) {
        if (!field->empty)
            return csirt_invalid(error, "%s: it cannot be taken away", field->name);
        return field->type == NUMBER || field->type == TIME ? write_number(change, field, 0, error)
                                                            : write_text(change, field, "", error);
    }
    switch (field->type) {
    case LINE:
    case NAME:
        return check_text(field, value, error) && write_text(change, field, json_string_value(value), error);
    case NUMBER:
        return (json_is_integer(value) || csirt_invalid(error, "%s: a number is wanted", field->name)) &&
               write_number(change, field, json_integer_value(value), error);
    case FLAG:
        return (json_is_boolean(value) || csirt_invalid(error, "%s: true or false is wanted", field->name)) &&
               write_number(change, field, json_is_true(value), error);
    case TIME:
        return check_time(field, value, &time, error) && write_number(change, field, time, error);
    case MERGED:
        return write_merged(change, field, value, error);
    }
    return false;
}

/* A label that becomes less strict opens what was confided: the head's decision, or the owner's, with the reason. */
static bool check_label(const Change *change, const char *reason, GError **error) {
    VigieTlp before = VIGIE_TLP_RED, after = VIGIE_TLP_RED;
    const char *wanted = vigie_member(change->fields, "tlp");
    int64_t consents = 0;
    if (!wanted)
        return true;
    if (!csirt_tlp_parse(change->of->tlp, &before, error) || !csirt_tlp_parse(wanted, &after, error)) {
        g_prefix_error(error, "tlp: ");
        return false;
    }
    if (after >= before)
        return true;
    if (!reason || !*reason)
        return csirt_invalid(error, "reason: from TLP:%s to TLP:%s needs one", change->of->tlp, wanted);
    if (!store_get_int(
            change->store, &consents, error,
            "SELECT count(*) FROM csirt_consent WHERE case_id = $1 AND withdrawn = 0 AND ends > $2", "ii",
            change->of->id, change->now))
        return false;
    return consents > 0 ||
           csirt_head_only(change->who, "a less strict label without the owner's consent", error);
}

static bool write_fields(const Change *change, GError **error) {
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)change->fields, name, value) {
        const Field *field = find_field(name);
        if (strcmp(name, "reason") == 0)
            continue;
        if (!field)
            return csirt_invalid(error, "%s: there is no such member to change", name);
        if (!write_field(change, field, value, error))
            return false;
        json_object_set(change->changes, name, value);
    }
    return json_object_size(change->changes) > 0 || csirt_invalid(error, "nothing is to be changed");
}

/* The new texts are found, too. */
static bool note_words(const Change *change, GError **error) {
    bool texts = vigie_member(change->fields, "title") || vigie_member(change->fields, "organisation_name");
    return !texts || case_words_changed(change->store, change->of->id, error);
}

bool csirt_case_change(VigieStore *store, const VigieTeam *team, const VigieAnalyst *who, int64_t id,
                       const json_t *fields, VigieTime now, GError **error) {
    g_auto(Case) of = {0};
    g_auto(CaseFacts) facts = {0};
    g_autoptr(json_t) changes = json_object();
    const char *reason = vigie_member(fields, "reason");
    Change change = {store, who, &of, &facts, fields, now, changes};
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !case_load(store, who, id, &of, error) || !case_facts_load(store, id, &facts, error) ||
        !csirt_text_check("reason", reason, CSIRT_NOTE_BYTES, error) ||
        !check_label(&change, reason, error) || !write_fields(&change, error) || !note_words(&change, error))
        return false;
    json_t *details = json_pack("{s:O, s:s?, s:o*}", "changes", changes, "reason", reason, "values",
                                who || !reason ? NULL : json_object());
    return entry_add(store, id, analyst_name(who), "changed", details, now, error) &&
           case_judge(store, team, id, now, error) && store_commit(&tx, error);
}

bool csirt_case_override(VigieStore *store, const VigieTeam *team, const VigieAnalyst *who, int64_t id,
                         int64_t band, const char *reason, VigieTime now, GError **error) {
    g_auto(Case) of = {0};
    if (band < 0 || band > 4)
        return csirt_invalid(error, "band: 1 to 4, or 0 for the rules' own");
    if (!reason || !*reason)
        return csirt_invalid(error, "reason: another order than the rules' needs one");
    g_autoptr(json_t) time = csirt_json_time(now);
    g_autoptr(json_t) override = json_pack("{s:I, s:s, s:s, s:O}", "band", (json_int_t)band, "reason", reason,
                                           "by", analyst_name(who), "time", time);
    if (!override)
        return csirt_invalid(error, "reason: this is not UTF-8");
    g_autofree char *text = band ? vigie_json_text(override) : g_strdup("");
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    return tx && csirt_text_check("reason", reason, CSIRT_NOTE_BYTES, error) &&
           case_load(store, who, id, &of, error) &&
           store_exec(store, error, "UPDATE csirt_case SET override = $2 WHERE id = $1", "it", id, text) &&
           entry_add(
               store, id, analyst_name(who), "override",
               json_pack("{s:o, s:s}", "band", band ? json_integer(band) : json_null(), "reason", reason),
               now, error) &&
           case_judge(store, team, id, now, error) && store_commit(&tx, error);
}
