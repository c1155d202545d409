/* page-case-work: what an analyst does to a case. Each row reads its form, calls the room, and goes back to the case; where the
 * room refuses, a page shows the case again with what was typed and what happened meanwhile. */
#include "portal/account.h"
#include "portal/page-case.h"
#include "portal/present.h"

#include <string.h>

static int64_t number(const Request *request, const char *name) {
    return g_ascii_strtoll(case_form(request, name), NULL, 10);
}

/* ---- Around every change ------------------------------------------------------------------------------------ */
json_t *case_done(Request *request, const char *anchor, GError **error) {
    request->go = g_strdup_printf("/cases/%" G_GINT64_FORMAT "%s", request->id, anchor ? anchor : "");
    return page_case(request, error);
}

/* A page says what was wrong within itself; a program is answered the problem. */
static bool is_the_readers(const GError *failure) {
    static const int codes[] = {VIGIE_ERROR_INVALID, VIGIE_ERROR_CONFLICT, VIGIE_ERROR_DENIED,
                                VIGIE_ERROR_LIMIT};
    for (size_t i = 0; i < G_N_ELEMENTS(codes); i++)
        if (g_error_matches(failure, VIGIE_ERROR, codes[i]))
            return true;
    return false;
}

json_t *case_refused(Request *request, GError *failure, GError **error) {
    if (request->api || !is_the_readers(failure)) {
        g_propagate_error(error, failure);
        return NULL;
    }
    bool conflict = failure->code == VIGIE_ERROR_CONFLICT;
    json_t *item = page_case(request, error);
    if (item) {
        g_autofree char *said = present_refusal(request->lang, failure->message);
        request->status = conflict ? 409 : 400;
        request->here = g_strdup_printf("/cases/%" G_GINT64_FORMAT, request->id);
        json_object_set_new(
            item, "problem",
            json_pack("{s:s, s:s, s:b}", "text",
                      vigie_word(request->lang, conflict ? "desk.problem.conflict" : "desk.problem.invalid"),
                      "detail", said, "conflict", conflict));
    }
    g_error_free(failure);
    return item;
}

typedef bool (*Work)(Request *request, const VigieAnalyst *who, GError **error);

/* One transaction, in which nobody else has changed the case since the page was made. */
static json_t *work(Request *request, Work function, const char *anchor, GError **error) {
    VigieAnalyst who = case_analyst(request);
    if (!case_desk(request, error))
        return NULL;
    g_autoptr(GError) failure = NULL;
    {
        g_autoptr(VigieTransaction) tx = store_begin(request->store, &failure);
        if (tx && *case_form(request, "seen"))
            csirt_case_unchanged(request->store, &who, request->id, number(request, "seen"), &failure);
        if (!failure && function(request, &who, &failure))
            store_commit(&tx, &failure);
    }
    return failure ? case_refused(request, g_steal_pointer(&failure), error)
                   : case_done(request, anchor, error);
}

/* ---- The case itself ---------------------------------------------------------------------------------------- */
static bool change(Request *request, const VigieAnalyst *who, json_t *fields, GError **error) {
    g_autoptr(json_t) owned = fields;
    return csirt_case_change(request->store, request->portal->team, who, request->id, owned, request->now,
                             error);
}

static bool do_take(Request *request, const VigieAnalyst *who, GError **error) {
    return change(request, who, json_pack("{s:s}", "assignee", who->name), error);
}

RESOURCE(page_case_take) {
    json_t *item = work(request, do_take, NULL, error);
    if (item && request->go && strcmp(case_form(request, "from"), "queue") == 0) {
        g_free(request->go);
        request->go = g_strdup("/cases");
    }
    return item;
}

/* What a program changes, or a small form of the page: the members that it names. */
static bool do_change(Request *request, const VigieAnalyst *who, GError **error) {
    static const char *const texts[] = {"title", "kind", "tlp", "pap", "expected", "reason"};
    static const char *const clearable[] = {"organisation_name", "category", "likelihood", "assignee"};
    static const char *const flags[] = {"urgent", "restricted"};
    json_t *fields = json_object();
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
        if (request_form(request, texts[i]) && *case_form(request, texts[i]))
            json_object_set_new(fields, texts[i], json_string(case_form(request, texts[i])));
    for (size_t i = 0; i < G_N_ELEMENTS(flags); i++)
        if (request_form(request, flags[i]))
            json_object_set_new(fields, flags[i], json_boolean(case_ticked(case_form(request, flags[i]))));
    for (size_t i = 0; i < G_N_ELEMENTS(clearable); i++)
        if (request_form(request, clearable[i]))
            json_object_set_new(fields, clearable[i],
                                *case_form(request, clearable[i])
                                    ? json_string(case_form(request, clearable[i]))
                                    : json_null());
    if (request_form(request, "organisation"))
        json_object_set_new(fields, "organisation",
                            number(request, "organisation") > 0
                                ? json_integer(number(request, "organisation"))
                                : json_null());
    g_autoptr(GError) failure = NULL;
    json_t *facts = case_read_facts(request, &failure);
    if (facts)
        json_object_set_new(fields, "facts", facts);
    if (!failure)
        return change(request, who, fields, error);
    json_decref(fields);
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

RESOURCE(page_case_change) {
    return work(request, do_change, "#handling", error);
}

/* The same from the form that qualifies, which may also lead on. */
static bool do_qualify(Request *request, const VigieAnalyst *who, GError **error) {
    const char *state = case_form(request, "then");
    g_autoptr(json_t) item =
        do_change(request, who, error)
            ? csirt_case_get(request->store, request->portal->team, who, request->id, request->now, error)
            : NULL;
    size_t index;
    json_t *next;
    json_array_foreach(json_object_get(item, "next"), index, next) {
        if (strcmp(json_string_value(next), state) == 0 && strcmp(state, "qualified") == 0)
            return csirt_case_move(request->store, request->portal->team, who, request->id, state, NULL,
                                   request->now, error);
    }
    return item != NULL;
}

RESOURCE(page_case_qualify) {
    return work(request, do_qualify, NULL, error);
}

RESOURCE(page_case_judge) {
    return work(request, do_change, "#facts", error);
}

/* What stops a clock of the law: declared to the ANS, notified to the CNIL … and when. */
static bool do_event(Request *request, const VigieAnalyst *who, GError **error) {
    VigieTime time = request->now;
    if (*case_form(request, "time") && !case_read_time(request, case_form(request, "time"), &time, error))
        return false;
    g_autofree char *text = vigie_time_rfc3339(time);
    return change(request, who, json_pack("{s:{s:s}}", "events", case_form(request, "event"), text), error);
}

RESOURCE(page_case_event) {
    return work(request, do_event, "#clocks", error);
}

static bool do_move(Request *request, const VigieAnalyst *who, GError **error) {
    const char *reason = case_form(request, "reason");
    return csirt_case_move(request->store, request->portal->team, who, request->id,
                           case_form(request, "state"), *reason ? reason : NULL, request->now, error);
}

RESOURCE(page_case_move) {
    return work(request, do_move, NULL, error);
}

static bool do_override(Request *request, const VigieAnalyst *who, GError **error) {
    const char *reason = case_form(request, "reason");
    return csirt_case_override(request->store, request->portal->team, who, request->id,
                               number(request, "band"), *reason ? reason : NULL, request->now, error);
}

RESOURCE(page_case_override) {
    return work(request, do_override, "#priority", error);
}

static bool do_note(Request *request, const VigieAnalyst *who, GError **error) {
    const char *text = case_form(request, "text");
    return csirt_note_add(request->store, who, request->id, "note", text, request->now, error);
}

RESOURCE(page_case_note) {
    return work(request, do_note, "#timeline", error);
}

/* ---- Merging and splitting ---------------------------------------------------------------------------------- */
static bool do_merge(Request *request, const VigieAnalyst *who, GError **error) {
    int64_t other = 0;
    return csirt_case_find(request->store, request->portal->team, who, case_form(request, "reference"),
                           &other, error) &&
           csirt_case_merge(request->store, request->portal->team, who, request->id, other,
                            case_form(request, "reason"), request->now, error);
}

RESOURCE(page_case_merge) {
    return work(request, do_merge, NULL, error);
}

/* Fields "messages.ID" are the ones that go. */
static GArray *chosen_messages(const Request *request) {
    GArray *chosen = g_array_new(FALSE, FALSE, sizeof(int64_t));
    GHashTableIter iter;
    gpointer name;
    g_hash_table_iter_init(&iter, request->form);
    while (g_hash_table_iter_next(&iter, &name, NULL))
        if (g_str_has_prefix(name, "messages.")) {
            int64_t id = g_ascii_strtoll((const char *)name + strlen("messages."), NULL, 10);
            g_array_append_val(chosen, id);
        }
    return chosen;
}

static bool do_split(Request *request, const VigieAnalyst *who, GError **error) {
    g_autoptr(GArray) messages = chosen_messages(request);
    g_auto(VigieOpened) opened = {0};
    if (!csirt_case_split(request->store, request->portal->team, who, request->id,
                          case_form(request, "title"), (const int64_t *)(const void *)messages->data,
                          messages->len, request->now, &opened, error))
        return false;
    request->id = opened.id; /* goes on there */
    return true;
}

RESOURCE(page_case_split) {
    return work(request, do_split, NULL, error);
}

/* ---- Links, access, consents -------------------------------------------------------------------------------- */
/* A case is linked by its reference, all else by its number. */
static bool linked(Request *request, const VigieAnalyst *who, int64_t *ret_ref, GError **error) {
    if (strcmp(case_form(request, "kind"), "case") == 0 && !g_ascii_isdigit(*case_form(request, "ref")))
        return csirt_case_find(request->store, request->portal->team, who, case_form(request, "ref"), ret_ref,
                               error);
    *ret_ref = number(request, "ref");
    return true;
}

static bool do_link(Request *request, const VigieAnalyst *who, GError **error) {
    int64_t ref = 0;
    return linked(request, who, &ref, error) &&
           csirt_link_add(request->store, who, request->id, case_form(request, "kind"), ref,
                          case_form(request, "note"), request->now, error);
}

RESOURCE(page_case_link) {
    return work(request, do_link, "#links", error);
}

static bool do_unlink(Request *request, const VigieAnalyst *who, GError **error) {
    return csirt_link_remove(request->store, who, request->id, case_form(request, "kind"),
                             number(request, "ref"), request->now, error);
}

RESOURCE(page_case_unlink) {
    return work(request, do_unlink, "#links", error);
}

static bool do_access(Request *request, const VigieAnalyst *who, GError **error) {
    return csirt_access_set(request->store, who, request->id, case_form(request, "account"),
                            case_ticked(case_form(request, "may")), request->now, error);
}

RESOURCE(page_case_access) {
    return work(request, do_access, "#access", error);
}

/* "AAAA-MM-JJ" as the end of that day, or RFC 3339 of a program. */
static char *end_of_day(const Request *request, const char *text) {
    int year = 0, month = 0, day = 0;
    char rest;
    if (sscanf(text, "%4d-%2d-%2d%c", &year, &month, &day, &rest) != 3)
        return g_strdup(text);
    g_autoptr(GDateTime) end = g_date_time_new(request->portal->zone, year, month, day, 23, 59, 59);
    return end ? vigie_time_rfc3339(g_date_time_to_unix(end)) : g_strdup(text);
}

/* The boxes "LIST.NAME" that are ticked, as a program's list is read, too. */
static json_t *words_of(const Request *request, const char *list) {
    g_autofree char *prefix = g_strconcat(list, ".", NULL);
    json_t *array = json_array();
    GHashTableIter iter;
    gpointer name;
    g_hash_table_iter_init(&iter, request->form);
    while (g_hash_table_iter_next(&iter, &name, NULL))
        if (g_str_has_prefix(name, prefix))
            json_array_append_new(array, json_string((const char *)name + strlen(prefix)));
    return array;
}

static bool do_consent(Request *request, const VigieAnalyst *who, GError **error) {
    int64_t id = 0;
    g_autofree char *ends = end_of_day(request, case_form(request, "ends"));
    g_autoptr(json_t) consent =
        json_pack("{s:s, s:o, s:o, s:s, s:s}", "owner", case_form(request, "owner"), "audiences",
                  words_of(request, "audiences"), "members", words_of(request, "members"), "evidence",
                  case_form(request, "evidence"), "ends", ends);
    return csirt_consent_add(request->store, who, request->id, consent, request->now, &id, error);
}

RESOURCE(page_case_consent) {
    return work(request, do_consent, "#consents", error);
}

static bool do_withdraw(Request *request, const VigieAnalyst *who, GError **error) {
    return csirt_consent_withdraw(request->store, who, request->id, number(request, "consent"), request->now,
                                  error);
}

RESOURCE(page_case_withdraw) {
    return work(request, do_withdraw, "#consents", error);
}

/* ---- Parties and artefacts ---------------------------------------------------------------------------------- */
/* "members": the part that the party sees. */
static bool do_party(Request *request, const VigieAnalyst *who, GError **error) {
    static const char *const names[] = {"role", "name", "mail", "phone", "language", "fingerprint"};
    g_autoptr(json_t) fields = json_object();
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        if (*case_form(request, names[i]))
            json_object_set_new(fields, names[i], json_string(case_form(request, names[i])));
    json_object_set_new(fields, "sees", words_of(request, "members"));
    return csirt_case_check(request->store, who, request->id, error) &&
           csirt_party_save(request->store, who->name, request->id, number(request, "party"), fields,
                            request->now, NULL, NULL, error);
}

RESOURCE(page_case_party) {
    return work(request, do_party, "#threads", error);
}

static bool do_artefact(Request *request, const VigieAnalyst *who, GError **error) {
    guint count = request->uploads ? request->uploads->len : 0;
    if (!csirt_case_check(request->store, who, request->id, error))
        return false;
    if (count == 0) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "file: none came; choose one");
        return false;
    }
    for (guint i = 0; i < count; i++) {
        const Upload *upload = g_ptr_array_index(request->uploads, i);
        int64_t id = 0;
        if (!csirt_artefact_add(request->store, request->portal->team, who->name, request->id, 0,
                                upload->name, vigie_bytes_view(upload->bytes), request->now, &id, error))
            return false;
    }
    return true;
}

RESOURCE(page_case_artefact_add) {
    return work(request, do_artefact, "#artefacts", error);
}

/* ---- Tasks -------------------------------------------------------------------------------------------------- */
/* Nothing: no deadline. */
static bool read_due(const Request *request, VigieTime *ret_due, GError **error) {
    *ret_due = 0;
    return !*case_form(request, "due") || case_read_time(request, case_form(request, "due"), ret_due, error);
}

static bool do_task(Request *request, const VigieAnalyst *who, GError **error) {
    const char *kind = case_form(request, "kind"), *assignee = case_form(request, "assignee");
    VigieTime due = 0;
    int64_t id = 0;
    if (!read_due(request, &due, error))
        return false;
    if (!*case_form(request, "title")) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "title: what is to be done is wanted");
        return false;
    }
    return csirt_case_check(request->store, who, request->id, error) &&
           csirt_task_add(request->store, who->name, request->id, *kind ? kind : "todo",
                          case_form(request, "title"), NULL, *assignee ? assignee : NULL, due, request->now,
                          &id, error);
}

RESOURCE(page_case_task) {
    return work(request, do_task, "#tasks", error);
}

static bool do_task_done(Request *request, const VigieAnalyst *who, GError **error) {
    return csirt_task_done(request->store, who, number(request, "task"), case_form(request, "outcome"),
                           request->now, error);
}

RESOURCE(page_case_task_done) {
    json_t *item = work(request, do_task_done, "#tasks", error);
    if (item && request->go && strcmp(case_form(request, "from"), "tasks") == 0) {
        g_free(request->go);
        request->go = g_strdup("/cases/tasks");
    }
    return item;
}
