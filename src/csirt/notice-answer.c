/* What comes back of a notice: an answer, a bounce, the outcome of a call; and the page behind a content-free message. */
#include "csirt/telling.h"

#include <inttypes.h>
#include <string.h>

enum { LINK_TRIES = 5, LINK_DAYS = 30, DAY = 86400 };

/* ---- Outcomes ----------------------------------------------------------------------------------------------------- */
static bool set_state(VigieStore *store, Notice *notice, const char *state, VigieTime next, GError **error) {
    g_free(notice->state);
    notice->state = g_strdup(state);
    notice->next = next;
    return notice_write(store, notice, error);
}

static bool answered(VigieStore *store, Notice *notice, VigieTime now, GError **error) {
    return set_state(store, notice, "answered", 0, error) &&
           store_exec(store, error, "UPDATE csirt_notice SET answered = $2 WHERE id = $1", "ii", notice->id,
                      now);
}

static json_t *rung_now(const Notice *notice) {
    return json_array_get(notice->ladder, (size_t)notice->step);
}

static int64_t wait_now(const Notice *notice) {
    const json_t *rung = rung_now(notice);
    int days = rung ? ladder_wait(vigie_member(rung, "rung"), notice->band,
                                  json_integer_value(json_object_get(rung, "tries")))
                    : 0;
    return (int64_t)MAX(days, 1) * DAY;
}

/* The recipient knows. Where an acknowledgement was all that was wanted, that is it. */
static bool reached(VigieStore *store, Notice *notice, VigieTime now, GError **error) {
    if (strcmp(notice->expected, "acknowledgement") == 0)
        return answered(store, notice, now, error);
    notice->sent = notice->sent ? notice->sent : now;
    return set_state(store, notice, "waiting", MAX(notice->answer_by, now + wait_now(notice)), error);
}

static bool no_answer(VigieStore *store, Notice *notice, VigieTime now, GError **error) {
    return set_state(store, notice, "waiting", now + wait_now(notice), error);
}

static bool wrong_number(VigieStore *store, Notice *notice, VigieTime now, GError **error) {
    int64_t contact = json_integer_value(json_object_get(rung_now(notice), "contact"));
    notice->step++;
    return contact_bounced(store, contact, now, error) && set_state(store, notice, "waiting", now, error);
}

static const struct {
    const char *outcome;
    bool (*act)(VigieStore *store, Notice *notice, VigieTime now, GError **error);
} outcomes[] = {
    {"reached", reached}, {"answered", answered}, {"no-answer", no_answer}, {"wrong-number", wrong_number}};

bool csirt_notice_outcome(VigieStore *store, const VigieAnalyst *who, int64_t notice, const char *outcome,
                          const char *note, VigieTime now, GError **error) {
    g_auto(Notice) loaded = {0};
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !notice_load(store, who, notice, &loaded, error) ||
        !csirt_text_check("note", note, CSIRT_NOTE_BYTES, error))
        return false;
    if (strcmp(loaded.state, "waiting") != 0 && strcmp(loaded.state, "silent") != 0) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT,
                    "notice %" PRId64 " is %s: nothing is waited for", notice, loaded.state);
        return false;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(outcomes); i++)
        if (strcmp(outcomes[i].outcome, outcome) == 0)
            return outcomes[i].act(store, &loaded, now, error) &&
                   entry_add(store, loaded.case_id, analyst_name(who), "notice-outcome",
                             json_pack("{s:I, s:s, s:s}", "notice", (json_int_t)notice, "outcome", outcome,
                                       "note", note ? note : ""),
                             now, error) &&
                   store_commit(&tx, error);
    return csirt_invalid(error, "outcome: reached, answered, no-answer or wrong-number is wanted");
}

/* ---- Mail that came back -------------------------------------------------------------------------------------------- */
/* The notice, contact and step of a message of ours; *ret_notice 0: it is none. */
static bool find_mail(VigieStore *store, const char *message_id, int64_t *ret_notice, int64_t *ret_contact,
                      int64_t *ret_step, GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        store, error, "SELECT notice_id, contact_id, step FROM csirt_notice_mail WHERE message_id = $1", "t",
        message_id);
    GError *failure = NULL;
    *ret_notice = 0;
    if (rows && rows_next(rows, &failure)) {
        *ret_notice = rows_int(rows, 0);
        *ret_contact = rows_int(rows, 1);
        *ret_step = rows_int(rows, 2);
    }
    return rows_ended(rows, &failure, error);
}

bool csirt_notice_replied(VigieStore *store, const char *message_id, VigieTime now, GError **error) {
    int64_t id = 0, contact = 0, step = 0;
    g_auto(Notice) notice = {0};
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !find_mail(store, message_id, &id, &contact, &step, error) || id == 0 ||
        !notice_load(store, NULL, id, &notice, error))
        return false;
    bool waited = strcmp(notice.state, "waiting") == 0 || strcmp(notice.state, "silent") == 0;
    return (!waited || (answered(store, &notice, now, error) &&
                        entry_add(store, notice.case_id, "", "notice-answered",
                                  json_pack("{s:I}", "notice", (json_int_t)id), now, error))) &&
           store_commit(&tx, error);
}

/* The contact goes down, and the ladder on at once; a bounce of an earlier step, or heard of twice, changes nothing more. */
bool csirt_notice_bounced(VigieStore *store, const char *message_id, const char *why, VigieTime now,
                          GError **error) {
    int64_t id = 0, contact = 0, step = 0, first = 0;
    g_auto(Notice) notice = {0};
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !find_mail(store, message_id, &id, &contact, &step, error) || id == 0 ||
        !notice_load(store, NULL, id, &notice, error) ||
        !store_exec_count(store, &first, error,
                          "UPDATE csirt_notice_mail SET bounced = $2 WHERE message_id = $1 AND bounced = 0",
                          "ti", message_id, now))
        return false;
    if (first == 0)
        return store_commit(&tx, error);
    bool now_on = notice.step == step && strcmp(notice.state, "waiting") == 0;
    if (now_on)
        notice.step++;
    return contact_bounced(store, contact, now, error) &&
           (!now_on ||
            (set_state(store, &notice, "waiting", now, error) && notice_job(store, id, now, error))) &&
           entry_add(store, notice.case_id, "", "notice-bounced",
                     json_pack("{s:I, s:I, s:s}", "notice", (json_int_t)id, "contact", (json_int_t)contact,
                               "why", why),
                     now, error) &&
           store_commit(&tx, error);
}

/* ---- The page behind a link -------------------------------------------------------------------------------------------- */
char *csirt_notice_code(VigieStore *store, const VigieAnalyst *who, int64_t notice, VigieTime now,
                        GError **error) {
    g_auto(Notice) loaded = {0};
    int64_t changed = 0;
    g_autofree char *code = csirt_code_new(CSIRT_CODE_NOTICE), *hash = csirt_code_hash(code);
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !notice_load(store, who, notice, &loaded, error) ||
        !store_exec_count(
            store, &changed, error,
            "UPDATE csirt_notice SET link_code = $2, link_tries = 0 WHERE id = $1 AND link <> ''", "it",
            notice, hash))
        return NULL;
    if (changed == 0) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT,
                    "notice %" PRId64 " went with its content: there is no link to open", notice);
        return NULL;
    }
    bool well = entry_add(store, loaded.case_id, analyst_name(who), "notice-code",
                          json_pack("{s:I}", "notice", (json_int_t)notice), now, error) &&
                store_commit(&tx, error);
    return well ? g_steal_pointer(&code) : NULL;
}

static bool denied(GError **error) {
    g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_DENIED,
                        "this link and this code do not go together, or no longer");
    return false;
}

/* Counts the try before it looks at the code, so that many at once are many tries. */
static bool take_try(VigieStore *store, const char *link_hash, const char *code, VigieTime now,
                     int64_t *ret_notice, GError **error) {
    g_autoptr(VigieRows) rows =
        store_query(store, error,
                    "UPDATE csirt_notice SET link_tries = link_tries + 1 WHERE link = $1 AND link <> '' AND "
                    "link_tries < $2 AND "
                    "link_code <> '' AND sent > $3 AND state <> 'withdrawn' RETURNING id, link_code",
                    "tii", link_hash, (int64_t)LINK_TRIES, now - (int64_t)LINK_DAYS * DAY);
    GError *failure = NULL;
    *ret_notice = 0;
    if (rows && rows_next(rows, &failure) && csirt_code_matches(code, rows_text(rows, 1)))
        *ret_notice = rows_int(rows, 0);
    return rows_ended(rows, &failure, error);
}

static json_t *page_of(VigieStore *store, const VigieTeam *team, int64_t id, VigieTime now, GError **error) {
    g_auto(Notice) notice = {0};
    VigieTlp tlp = VIGIE_TLP_RED;
    bool may = false;
    if (!notice_load(store, NULL, id, &notice, error) || !csirt_tlp_parse(notice.tlp, &tlp, error) ||
        !notice_may_leave(store, &notice, "page", false, now, &may, NULL, error) ||
        (!may && !denied(error)) ||
        !store_exec(store, error, "UPDATE csirt_notice SET link_tries = 0 WHERE id = $1", "i", id) ||
        (strcmp(notice.state, "waiting") == 0 && !reached(store, &notice, now, error)) ||
        !entry_add(store, notice.case_id, "", "notice-read", json_pack("{s:I}", "notice", (json_int_t)id),
                   now, error))
        return NULL;
    g_autoptr(GString) text = g_string_new(notice.body);
    g_string_replace(text, "{code}", notice.code, 0);
    return json_pack("{s:s, s:s, s:s, s:s, s:O}", "reference", notice.reference, "tlp", csirt_tlp_label(tlp),
                     "subject", notice.subject, "text", text->str, "team",
                     json_object_get(csirt_team_json(team), "name"));
}

json_t *csirt_notice_open(VigieStore *store, const VigieTeam *team, const char *link, const char *code,
                          VigieTime now, GError **error) {
    g_autofree char *hash = csirt_sha256(vigie_bytes(link, strlen(link)));
    int64_t id = 0;
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !take_try(store, hash, code, now, &id, error))
        return NULL;
    g_autoptr(json_t) page = id ? page_of(store, team, id, now, error) : NULL;
    if (id && !page)
        return NULL;
    if (!store_commit(&tx, error)) /* the try is counted in any case */
        return NULL;
    if (!page)
        denied(error);
    return g_steal_pointer(&page);
}

/* ---- The call ------------------------------------------------------------------------------------------------------------ */
typedef struct {
    const VigieConfig *config;
    const VigieTeam *team;
    const Notice *notice;
} Call;

static json_t *call_view(VigieLang lang, void *data) {
    const Call *call = data;
    json_t *view = notice_view(call->config, call->team, call->notice, lang);
    g_autofree char *spelt = *call->notice->code ? csirt_code_spell(lang, call->notice->code) : NULL;
    json_object_set_new(view, "code", json_string(call->notice->code));
    json_object_set_new(view, "spelt", spelt ? json_string(spelt) : json_null());
    const json_t *own = json_object_get(json_object_get(csirt_team_json(call->team), "call_back"), "script");
    const json_t *team = json_object_get(view, "team");
    g_autoptr(json_t) values = json_pack(
        "{s:O, s:s, s:O, s:O}", "team", json_object_get(team, "name"), "reference", call->notice->reference,
        "number", json_object_get(team, "phone"), "site", json_object_get(view, "site"));
    g_autofree char *filled = vigie_text_fill(vigie_text_in(lang, own), values);
    json_object_set_new(view, "own", json_string(filled));
    return view;
}

char *csirt_notice_script(VigieStore *store, const VigieConfig *config, const VigieTeam *team,
                          const VigieAnalyst *who, int64_t notice, VigieLang lang, GError **error) {
    g_auto(Notice) loaded = {0};
    if (!notice_load(store, who, notice, &loaded, error))
        return NULL;
    Call call = {config, team, &loaded};
    char *text = NULL;
    return notice_render("notice-call", vigie_lang_code(lang), call_view, &call, NULL, &text, error) ? text
                                                                                                     : NULL;
}
