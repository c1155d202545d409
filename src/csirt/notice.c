/* A notice as a row, and what may be done with it by a person. */
#include "csirt/telling.h"

#include <inttypes.h>
#include <string.h>

void notice_clear(Notice *notice) {
    char **const texts[] = {&notice->reference, &notice->kind,         &notice->state,  &notice->audience,
                            &notice->language,  &notice->subject,      &notice->body,   &notice->expected,
                            &notice->code,      &notice->case_kind,    &notice->source, &notice->tlp,
                            &notice->pap,       &notice->organisation, &notice->partner};
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
        g_clear_pointer(texts[i], g_free);
    g_clear_pointer(&notice->ladder, json_decref);
    g_clear_pointer(&notice->sees, json_decref);
}

static void read_notice(const VigieRows *rows, Notice *notice) {
    *notice = (Notice){
        .id = rows_int(rows, 0),
        .case_id = rows_int(rows, 1),
        .party = rows_int(rows, 2),
        .kind = g_strdup(rows_text(rows, 3)),
        .state = g_strdup(rows_text(rows, 4)),
        .audience = g_strdup(rows_text(rows, 5)),
        .language = g_strdup(rows_text(rows, 6)),
        .subject = g_strdup(rows_text(rows, 7)),
        .body = g_strdup(rows_text(rows, 8)),
        .expected = g_strdup(rows_text(rows, 9)),
        .answer_by = rows_int(rows, 10),
        .ladder = csirt_json_parse(rows_text(rows, 11)),
        .step = rows_int(rows, 12),
        .next = rows_int(rows, 13),
        .code = g_strdup(rows_text(rows, 14)),
        .sent = rows_int(rows, 15),
        .created = rows_int(rows, 16),
        .reference = g_strdup(rows_text(rows, 17)),
        .case_kind = g_strdup(rows_text(rows, 18)),
        .source = g_strdup(rows_text(rows, 19)),
        .tlp = g_strdup(rows_text(rows, 20)),
        .pap = g_strdup(rows_text(rows, 21)),
        .band = rows_int(rows, 22),
        .organisation = g_strdup(rows_text(rows, 23)),
        .case_active = rows_int(rows, 24) != 0,
        .partner = g_strdup(rows_text(rows, 25)),
        .sees = csirt_json_parse(rows_text(rows, 26)),
    };
}

bool notice_load(VigieStore *store, const VigieAnalyst *who, int64_t id, Notice *ret_notice, GError **error) {
    if (!csirt_may(who, error))
        return false;
    g_autoptr(VigieQuery) query = query_new();
    query_add(
        query,
        "SELECT n.id, n.case_id, n.party_id, n.kind, n.state, n.audience, n.language, n.subject, "
        "n.body, n.expected, "
        "n.answer_by, n.ladder, n.step, n.next, n.code, n.sent, n.created, c.reference, c.kind, "
        "c.source, c.tlp, c.pap, "
        "c.band, c.organisation_name, c.active, n.partner, n.sees FROM csirt_notice n JOIN csirt_case c ON "
        "c.id = n.case_id "
        "WHERE n.id = ?i",
        id);
    case_visible(query, who);
    g_autoptr(VigieRows) rows = query_run(store, query, error);
    if (!rows_first(rows, error, "notice %" PRId64 ": there is none", id))
        return false;
    read_notice(rows, ret_notice);
    return true;
}

bool notice_write(VigieStore *store, const Notice *notice, GError **error) {
    g_autofree char *ladder = vigie_json_text(notice->ladder);
    return store_exec(
        store, error,
        "UPDATE csirt_notice SET state = $2, step = $3, ladder = $4, next = $5, sent = $6 WHERE id = $1",
        "ititii", notice->id, notice->state, notice->step, ladder, notice->next, notice->sent);
}

bool notice_job(VigieStore *store, int64_t id, VigieTime at, GError **error) {
    g_autoptr(json_t) payload = json_pack("{s:I}", "notice", (json_int_t)id);
    g_autofree char *key = g_strdup_printf(CSIRT_JOB_NOTICE ":%" PRId64, id);
    return store_job_add(store, CSIRT_JOB_NOTICE, payload, at, key, NULL, error);
}

static bool add_block_task(VigieStore *store, const Notice *notice, const json_t *why, VigieTime now,
                           GError **error) {
    json_t *details = json_pack("{s:I, s:O, s:{s:s}}", "notice", (json_int_t)notice->id, "why", why, "values",
                                "reference", notice->reference);
    return csirt_task_add(store, "", notice->case_id, "todo", "csirt.notice.task.blocked", details, NULL, now,
                          now, NULL, error);
}

bool notice_block(VigieStore *store, Notice *notice, const char *key, json_t *values, VigieTime now,
                  GError **error) {
    g_autoptr(json_t) why = csirt_sentences(key, values);
    json_decref(values);
    g_autofree char *text = vigie_json_text(why);
    g_free(notice->state);
    notice->state = g_strdup("blocked");
    notice->next = 0;
    return notice_write(store, notice, error) &&
           store_exec(store, error, "UPDATE csirt_notice SET why = $2 WHERE id = $1", "it", notice->id,
                      text) &&
           add_block_task(store, notice, why, now, error) &&
           entry_add(store, notice->case_id, "", "notice-blocked",
                     json_pack("{s:I, s:O}", "notice", (json_int_t)notice->id, "why", why), now, error);
}

/* ---- What may leave -------------------------------------------------------------------------------------------- */
/* Of a signalement, the declarant told us of somebody else, who is not to learn who it was. What is searched for is what we
 * have: of protected and anonymous reports there is nothing. */
bool notice_names_source(VigieStore *store, const Notice *notice, const char *text, bool *ret_names,
                         GError **error) {
    static const Cell cells[] = {
        {"name", "name", CELL_TEXT}, {"mail", "mail", CELL_TEXT}, {"phone", "phone", CELL_TEXT}, {0}};
    *ret_names = false;
    if (strcmp(notice->case_kind, "incident") == 0 || strcmp(notice->audience, "declarant") == 0)
        return true;
    g_autoptr(json_t) parties = cells_array(
        store, cells, "FROM csirt_party WHERE case_id = ?i AND role = 'declarant'", notice->case_id, error);
    g_autofree char *folded = vigie_text_fold(text);
    for (size_t i = 0; i < json_array_size(parties); i++)
        for (size_t c = 0; cells[c].member; c++) {
            const char *value = vigie_member(json_array_get(parties, i), cells[c].member);
            g_autofree char *wanted = value ? vigie_text_fold(value) : NULL;
            if (wanted && strlen(wanted) > 3 && strstr(folded, wanted))
                *ret_names = true;
        }
    return parties != NULL;
}

bool notice_may_leave(VigieStore *store, const Notice *notice, const char *channel, bool encrypted,
                      VigieTime now, bool *ret_may, char **ret_reason, GError **error) {
    VigieRecipient to = {.audience = notice->audience,
                         .channel = channel,
                         .party = notice->party,
                         .partner = *notice->partner ? notice->partner : NULL,
                         .members = notice->sees,
                         .encrypted = encrypted};
    g_autoptr(json_t) release = csirt_release(store, notice->case_id, &to, now, error);
    if (!release)
        return false;
    const json_t *allowed = json_object_get(release, "members"),
                 *withheld = json_object_get(release, "withheld");
    *ret_may = true;
    for (size_t i = 0; i < json_array_size(notice->sees); i++)
        *ret_may = *ret_may && json_object_get(allowed, json_string_value(json_array_get(notice->sees, i)));
    for (size_t i = 0; i < json_array_size(withheld) && ret_reason && !*ret_may && !*ret_reason; i++) {
        const char *reason = vigie_member(json_array_get(withheld, i), "reason");
        if (strcmp(reason, "csirt.release.part") != 0)
            *ret_reason = g_strdup(reason);
    }
    if (ret_reason && !*ret_may && !*ret_reason)
        *ret_reason = g_strdup("csirt.release.part");
    return true;
}

/* ---- What stands in the way ------------------------------------------------------------------------------------- */
static void obstacle(json_t *obstacles, const char *id, bool override) {
    g_autofree char *key = g_strconcat("csirt.obstacle.", id, NULL);
    json_array_append_new(obstacles, json_pack("{s:s, s:o, s:b}", "id", id, "text",
                                               csirt_sentences(key, NULL), "override", override));
}

json_t *csirt_notice_obstacles(VigieStore *store, const VigieAnalyst *who, int64_t case_id, GError **error) {
    g_auto(Case) of = {0};
    int64_t proven = 0;
    if (!case_load(store, who, case_id, &of, error) ||
        !store_get_int(
            store, &proven, error,
            "SELECT COUNT(*) FROM csirt_case WHERE id = $1 AND (verified > 0 OR (kind <> 'vulnerability' AND "
            "likelihood <> ''))",
            "i", case_id))
        return NULL;
    json_t *obstacles = json_array();
    if (!of.active)
        obstacle(obstacles, "closed", false);
    if (proven == 0)
        obstacle(obstacles, strcmp(of.kind, "vulnerability") == 0 ? "unverified" : "no-likelihood", true);
    return obstacles;
}

/* Those of the case, and those of this text and its label. An escalation waits for no proof: its rule called for it. */
static json_t *obstacles_of(VigieStore *store, const VigieAnalyst *who, const Notice *notice, VigieTime now,
                            GError **error) {
    bool names = false, may = false;
    g_autofree char *reason = NULL;
    g_autofree char *text = g_strconcat(notice->subject, "\n", notice->body, NULL);
    bool notice_of_ours = strcmp(notice->kind, "notice") == 0;
    g_autoptr(json_t) obstacles =
        notice_of_ours ? csirt_notice_obstacles(store, who, notice->case_id, error) : json_array();
    if (!obstacles || !notice_names_source(store, notice, text, &names, error) ||
        !notice_may_leave(store, notice, "phone", false, now, &may, &reason, error))
        return NULL;
    if (names)
        obstacle(obstacles, "source", false);
    if (!strstr(notice->body, "{code}"))
        obstacle(obstacles, "code", false);
    if (!may)
        json_array_append_new(obstacles, json_pack("{s:s, s:o, s:b}", "id", "label", "text",
                                                   csirt_sentences(reason, NULL), "override", 0));
    return g_steal_pointer(&obstacles);
}

/* ---- Reading ---------------------------------------------------------------------------------------------------- */
static const Cell notice_cells[] = {
    {"id", "n.id", CELL_INT},
    {"kind", "n.kind", CELL_STRING},
    {"party", "n.party_id", CELL_ID},
    {"partner", "n.partner", CELL_TEXT},
    {"state", "n.state", CELL_STRING},
    {"audience", "n.audience", CELL_STRING},
    {"language", "n.language", CELL_STRING},
    {"subject", "n.subject", CELL_STRING},
    {"body", "n.body", CELL_STRING},
    {"tlp", "c.tlp", CELL_STRING},
    {"reference", "c.reference", CELL_STRING},
    {"case", "n.case_id", CELL_INT},
    {"organisation", "c.organisation_name", CELL_TEXT},
    {"expected", "n.expected", CELL_STRING},
    {"answer_by", "n.answer_by", CELL_TIME},
    {"ladder", "n.ladder", CELL_JSON},
    {"step", "n.step", CELL_INT},
    {"next", "n.next", CELL_TIME},
    {"protection", "n.protection", CELL_JSON},
    {"why", "n.why", CELL_JSON},
    {"content_free", "CASE WHEN n.link <> '' THEN 1 ELSE 0 END", CELL_BOOL},
    {"created", "n.created", CELL_TIME},
    {"author", "n.author", CELL_TEXT},
    {"confirmed", "n.confirmed", CELL_TIME},
    {"confirmed_by", "n.confirmed_by", CELL_TEXT},
    {"overridden", "n.overridden", CELL_TEXT},
    {"sent", "n.sent", CELL_TIME},
    {"answered", "n.answered", CELL_TIME},
    {0},
};

/* Where on the ladder it stands, and for whom. */
static void shape(json_t *notice) {
    json_t *ladder = json_object_get(notice, "ladder");
    size_t step = (size_t)json_integer_value(json_object_get(notice, "step"));
    const char *state = vigie_member(notice, "state");
    bool over = strcmp(state, "answered") == 0 || strcmp(state, "withdrawn") == 0;
    for (size_t i = 0; i < json_array_size(ladder); i++) {
        json_t *rung = json_array_get(ladder, i);
        bool tried = json_integer_value(json_object_get(rung, "tries")) > 0;
        const char *at = i > step || (i == step && !tried && over) ? (over ? "skipped" : "next")
                         : i < step || over                        ? (tried ? "done" : "skipped")
                         : strcmp(state, "draft") == 0             ? "next"
                                                                   : "now";
        json_object_set_new(rung, "state", json_string(at));
    }
    json_object_set_new(notice, "recipient",
                        json_pack("{s:O, s:O, s:O}", "name", json_object_get(notice, "organisation"),
                                  "language", json_object_get(notice, "language"), "partner",
                                  json_object_get(notice, "partner")));
    json_object_set_new(notice, "case",
                        json_pack("{s:O, s:O}", "id", json_object_get(notice, "case"), "reference",
                                  json_object_get(notice, "reference")));
    json_object_del(notice, "organisation");
    json_object_del(notice, "reference");
    json_object_del(notice, "step");
}

json_t *csirt_notice_list(VigieStore *store, const VigieAnalyst *who, int64_t case_id, VigieTime now,
                          GError **error) {
    g_auto(Case) of = {0};
    if (!case_load(store, who, case_id, &of, error) || !reading_add(store, who, &of, "notices", now, error))
        return NULL;
    json_t *list = cells_array(store, notice_cells,
                               "FROM csirt_notice n JOIN csirt_case c ON c.id = n.case_id WHERE n.case_id = "
                               "?i ORDER BY n.id DESC LIMIT 200",
                               case_id, error);
    for (size_t i = 0; i < json_array_size(list); i++)
        shape(json_array_get(list, i));
    return list;
}

json_t *csirt_notice_get(VigieStore *store, const VigieAnalyst *who, int64_t notice, VigieTime now,
                         GError **error) {
    g_auto(Notice) loaded = {0};
    g_auto(Case) of = {0};
    if (!notice_load(store, who, notice, &loaded, error) ||
        !case_load(store, who, loaded.case_id, &of, error) ||
        !reading_add(store, who, &of, "notice", now, error))
        return NULL;
    g_autoptr(json_t) list = cells_array(
        store, notice_cells, "FROM csirt_notice n JOIN csirt_case c ON c.id = n.case_id WHERE n.id = ?i",
        notice, error);
    json_t *found = json_array_get(list, 0);
    g_autoptr(json_t) obstacles = found && strcmp(loaded.state, "draft") == 0
                                      ? obstacles_of(store, who, &loaded, now, error)
                                      : json_array();
    if (!found || !obstacles)
        return NULL;
    shape(found);
    json_object_set(found, "obstacles", obstacles);
    return json_incref(found);
}

/* ---- A person's word --------------------------------------------------------------------------------------------- */
static bool wrong_state(const Notice *notice, const char *wanted, GError **error) {
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT,
                "notice %" PRId64 " is %s: only %s can be changed so", notice->id, notice->state, wanted);
    return false;
}

static bool load_draft(VigieStore *store, const VigieAnalyst *who, int64_t id, Notice *ret_notice,
                       GError **error) {
    return notice_load(store, who, id, ret_notice, error) &&
           (strcmp(ret_notice->state, "draft") == 0 || strcmp(ret_notice->state, "blocked") == 0 ||
            wrong_state(ret_notice, "a draft", error));
}

static bool change_answer_by(VigieStore *store, int64_t id, const char *text, GError **error) {
    VigieTime time = 0;
    return !text ||
           (vigie_time_parse_rfc3339(text, &time, error) &&
            store_exec(store, error, "UPDATE csirt_notice SET answer_by = $2 WHERE id = $1", "ii", id, time));
}

static bool change_texts(VigieStore *store, int64_t id, const json_t *fields, GError **error) {
    static const char *const all_expected[] = {"feedback", "acknowledgement", NULL};
    const char *subject = vigie_member(fields, "subject"), *body = vigie_member(fields, "body");
    const char *expected = vigie_member(fields, "expected");
    if (!csirt_line_check("subject", subject, CSIRT_LINE_MAX, error) ||
        !csirt_text_check("body", body, CSIRT_NOTE_BYTES * 4, error) ||
        (expected && !csirt_one_of("expected", expected, all_expected, error)))
        return false;
    return store_exec(store, error,
                      "UPDATE csirt_notice SET subject = COALESCE($2, subject), body = COALESCE($3, body), "
                      "expected = COALESCE($4, expected) WHERE id = $1",
                      "ittt", id, subject, body, expected);
}

bool csirt_notice_change(VigieStore *store, const VigieAnalyst *who, int64_t notice, const json_t *fields,
                         VigieTime now, GError **error) {
    g_auto(Notice) loaded = {0};
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !load_draft(store, who, notice, &loaded, error) ||
        !change_texts(store, notice, fields, error) ||
        !change_answer_by(store, notice, vigie_member(fields, "answer_by"), error))
        return false;
    const json_t *ids = json_object_get(fields, "contacts");
    if (json_is_array(ids)) {
        json_decref(loaded.ladder);
        loaded.ladder = contacts_ladder(store, loaded.case_id, ids, now, error);
        if (!loaded.ladder || !notice_write(store, &loaded, error))
            return false;
    }
    return entry_add(store, loaded.case_id, analyst_name(who), "notice-changed",
                     json_pack("{s:I}", "notice", (json_int_t)notice), now, error) &&
           store_commit(&tx, error);
}

/* Whether what stands in the way may be stepped over: nothing there, or the head's reason for what allows it. */
static bool may_confirm(const json_t *obstacles, const VigieAnalyst *who, const char *reason,
                        GError **error) {
    g_autoptr(GString) texts = g_string_new(NULL);
    bool firm = false;
    for (size_t i = 0; i < json_array_size(obstacles); i++) {
        const json_t *one = json_array_get(obstacles, i);
        firm = firm || !json_is_true(json_object_get(one, "override"));
        g_string_append_printf(texts, "%s%s", i ? " " : "",
                               vigie_text_in(VIGIE_EN, json_object_get(one, "text")));
    }
    if (json_array_size(obstacles) == 0)
        return true;
    if (!firm && reason && *reason)
        return csirt_head_only(who, "telling somebody of what is not proven", error);
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT, "%s%s", texts->str,
                firm ? "" : " The head of the CSIRT may go on with a reason.");
    return false;
}

static const char *role_of(const Notice *notice) {
    static const char *const roles[][2] = {{"organisation", "organisation"},
                                           {"authority", "authority"},
                                           {"partner", "csirt"},
                                           {"supplier", "supplier"},
                                           {"declarant", "declarant"}};
    for (size_t i = 0; i < G_N_ELEMENTS(roles); i++)
        if (strcmp(notice->audience, roles[i][0]) == 0)
            return roles[i][1];
    return "other";
}

static json_t *party_fields(const Notice *notice) {
    const json_t *first = json_array_get(notice->ladder, 0);
    const char *value = vigie_member(first, "value");
    bool mail = g_strcmp0(vigie_member(first, "rung"), "mail") == 0;
    const char *name = *notice->partner        ? notice->partner
                       : *notice->organisation ? notice->organisation
                       : value                 ? value
                                               : notice->reference;
    return json_pack("{s:s, s:s, s:s, s:s, s:O}", "role", role_of(notice), "name", name, "mail",
                     mail && value ? value : "", "partner", notice->partner, "sees", notice->sees);
}

/* The code that earlier messages to this party bear, so that those stay right. */
static char *code_of_party(VigieStore *store, int64_t party) {
    g_autoptr(VigieRows) rows = store_query(
        store, NULL, "SELECT code FROM csirt_notice WHERE party_id = $1 AND code <> '' ORDER BY id LIMIT 1",
        "i", party);
    return party && rows && rows_next(rows, NULL) ? g_strdup(rows_text(rows, 0)) : NULL;
}

/* The recipient becomes a party: a thread of its own, and a code by which its messages are checked. */
static bool make_party(VigieStore *store, const VigieAnalyst *who, const Notice *notice, VigieTime now,
                       GError **error) {
    g_autoptr(json_t) fields = notice->party ? json_object() : party_fields(notice);
    g_autofree char *code = code_of_party(store, notice->party);
    int64_t party = notice->party;
    return (code || csirt_party_save(store, analyst_name(who), notice->case_id, party, fields, now, &party,
                                     &code, error)) &&
           store_exec(store, error, "UPDATE csirt_notice SET party_id = $2, code = $3 WHERE id = $1", "iit",
                      notice->id, party, code);
}

/* Whoever is told of something is looked after until it is gone. */
static bool watch(VigieStore *store, const Notice *notice, VigieTime now, GError **error) {
    return strcmp(notice->kind, "notice") != 0 ||
           store_exec(store, error,
                      "INSERT INTO csirt_follow (case_id, days, next) VALUES ($1, $2, $3) ON CONFLICT "
                      "(case_id) DO NOTHING",
                      "iii", notice->case_id, (int64_t)ladder_days("recheck", notice->band), now);
}

bool csirt_notice_confirm(VigieStore *store, const VigieAnalyst *who, int64_t notice, const char *reason,
                          VigieTime now, GError **error) {
    g_auto(Notice) loaded = {0};
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !load_draft(store, who, notice, &loaded, error))
        return false;
    g_autoptr(json_t) obstacles = obstacles_of(store, who, &loaded, now, error);
    if (!obstacles || !may_confirm(obstacles, who, reason, error) ||
        !make_party(store, who, &loaded, now, error))
        return false;
    const char *overridden = json_array_size(obstacles) ? reason : "";
    return store_exec(store, error,
                      "UPDATE csirt_notice SET state = 'ready', next = $2, why = '', confirmed = $2, "
                      "confirmed_by = $3, "
                      "overridden = $4 WHERE id = $1",
                      "iitt", notice, now, analyst_name(who), overridden) &&
           notice_job(store, notice, now, error) && watch(store, &loaded, now, error) &&
           entry_add(store, loaded.case_id, analyst_name(who), "notice-confirmed",
                     json_pack("{s:I, s:s}", "notice", (json_int_t)notice, "overridden", overridden), now,
                     error) &&
           store_commit(&tx, error);
}

bool csirt_notice_withdraw(VigieStore *store, const VigieAnalyst *who, int64_t notice, const char *reason,
                           VigieTime now, GError **error) {
    g_auto(Notice) loaded = {0};
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !notice_load(store, who, notice, &loaded, error))
        return false;
    if (loaded.sent > 0 && (!reason || !*reason))
        return csirt_invalid(error, "reason: what was told already is withdrawn with one");
    g_free(loaded.state);
    loaded.state = g_strdup("withdrawn");
    loaded.next = 0;
    return notice_write(store, &loaded, error) &&
           entry_add(store, loaded.case_id, analyst_name(who), "notice-withdrawn",
                     json_pack("{s:I, s:s}", "notice", (json_int_t)notice, "reason", reason ? reason : ""),
                     now, error) &&
           store_commit(&tx, error);
}
