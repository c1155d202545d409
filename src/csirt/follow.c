/* Follow-up: what was proven is examined again until it is gone, and for a while after; what is due of the ladders goes on. Silence is
 * told as silence. */
#include "csirt/telling.h"
#include "fleet/fleet.h"

#include <inttypes.h>
#include <string.h>

enum { DAY = 86400, AT_ONCE = 200, PROPOSE_SINCE = 900, FINDINGS_MAX = 100 };

/* ---- What is watched -------------------------------------------------------------------------------------------------- */
typedef struct {
    int64_t days;
    VigieTime next, checked;
    char *state;
} Watch;

static void watch_clear(Watch *watch) {
    g_clear_pointer(&watch->state, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Watch, watch_clear)

static bool load_watch(VigieStore *store, int64_t case_id, Watch *watch, GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        store, error, "SELECT days, next, checked, state FROM csirt_follow WHERE case_id = $1", "i", case_id);
    GError *failure = NULL;
    *watch = (Watch){.state = NULL};
    if (rows && rows_next(rows, &failure))
        *watch =
            (Watch){rows_int(rows, 0), rows_int(rows, 1), rows_int(rows, 2), g_strdup(rows_text(rows, 3))};
    if (!watch->state)
        watch->state = g_strdup("unknown");
    return rows_ended(rows, &failure, error);
}

/* The findings of the fleet that the case is linked to, as they are now. One that is not there any more is left out. */
static json_t *findings_of(VigieStore *store, int64_t case_id, VigieTime now, GError **error) {
    static const Cell cells[] = {{"ref", "ref", CELL_INT}, {0}};
    g_autoptr(VigieQuery) query = query_new();
    cells_select(query, cells);
    query_add(query, "FROM csirt_link WHERE case_id = ?i AND kind = 'finding' ORDER BY ref LIMIT ?i", case_id,
              (int64_t)FINDINGS_MAX);
    g_autoptr(json_t) links = cells_run(store, query, cells, error);
    json_t *findings = links ? json_array() : NULL;
    for (size_t i = 0; i < json_array_size(links); i++) {
        VigieFleetFilter all = {0};
        json_t *finding = fleet_finding_get(
            store, &all, json_integer_value(json_object_get(json_array_get(links, i), "ref")), now, NULL);
        if (finding)
            json_array_append_new(findings, finding);
    }
    return findings;
}

/* "present" while one of them is there; "returned" where it had been gone. */
static const char *state_of(const json_t *findings, const char *before) {
    size_t mended = 0, count = json_array_size(findings);
    bool was_gone = strcmp(before, "gone") == 0 || strcmp(before, "returned") == 0;
    for (size_t i = 0; i < count; i++)
        mended += g_strcmp0(vigie_member(json_array_get(findings, i), "state"), "mended") == 0;
    if (count == 0)
        return "unknown";
    return mended == count ? "gone" : was_gone ? "returned" : "present";
}

/* ---- What may be said honestly ------------------------------------------------------------------------------------------ */
/* Days since somebody was told without an answer; -1: nobody waits for one. */
static bool silent_days(VigieStore *store, int64_t case_id, VigieTime now, int64_t *ret_days,
                        GError **error) {
    int64_t since = 0;
    if (!store_get_int(store, &since, error,
                       "SELECT COALESCE(MIN(sent), 0) FROM csirt_notice WHERE case_id = $1 AND sent > 0 AND "
                       "kind = 'notice' AND "
                       "state IN ('waiting', 'silent', 'blocked')",
                       "i", case_id))
        return false;
    *ret_days = since ? (now - since) / DAY : -1;
    return true;
}

static json_t *summary(const char *state, int64_t days, VigieTime checked) {
    g_autofree char *key = g_strconcat("csirt.follow.", state, days >= 0 ? "-silent" : "", NULL);
    g_autofree char *at = checked ? vigie_time_rfc3339(checked) : g_strdup("–");
    g_autoptr(json_t) values = json_pack("{s:I, s:s}", "n", (json_int_t)MAX(days, 0), "checked", at);
    return csirt_sentences(key, values);
}

static json_t *findings_view(const json_t *findings) {
    json_t *views = json_array();
    for (size_t i = 0; i < json_array_size(findings); i++) {
        const json_t *one = json_array_get(findings, i);
        json_array_append_new(
            views,
            json_pack("{s:O, s:O, s:O, s:O, s:O, s:O, s:O}", "id", json_object_get(one, "id"), "kind",
                      json_object_get(one, "kind"), "target",
                      json_object_get(json_object_get(one, "endpoint"), "target"), "state",
                      json_object_get(one, "state"), "last_seen", json_object_get(one, "last_seen"), "mended",
                      json_object_get(one, "mended"), "reopenings", json_object_get(one, "reopenings")));
    }
    return views;
}

json_t *csirt_follow_get(VigieStore *store, const VigieAnalyst *who, int64_t case_id, VigieTime now,
                         GError **error) {
    g_auto(Case) of = {0};
    g_auto(Watch) watch = {0};
    int64_t days = -1;
    if (!case_load(store, who, case_id, &of, error) || !load_watch(store, case_id, &watch, error) ||
        !silent_days(store, case_id, now, &days, error))
        return NULL;
    g_autoptr(json_t) findings = findings_of(store, case_id, now, error);
    if (!findings)
        return NULL;
    const char *state = state_of(findings, watch.state);
    return json_pack("{s:b, s:I, s:o, s:o, s:o, s:s, s:o, s:o}", "watching", watch.days > 0, "every",
                     (json_int_t)watch.days, "next", csirt_json_time(watch.days ? watch.next : 0), "checked",
                     csirt_json_time(watch.checked), "findings", findings_view(findings), "state", state,
                     "silent_days", days >= 0 ? json_integer(days) : json_null(), "text",
                     summary(state, days, watch.checked));
}

bool csirt_follow_set(VigieStore *store, const VigieAnalyst *who, int64_t case_id, int64_t days,
                      VigieTime now, GError **error) {
    g_auto(Case) of = {0};
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !case_load(store, who, case_id, &of, error))
        return false;
    if (days < 0 || days > 366)
        return csirt_invalid(error, "days: 1 to 366, or 0: no more");
    return store_exec(store, error,
                      "INSERT INTO csirt_follow (case_id, days, next) VALUES ($1, $2, $3) ON CONFLICT "
                      "(case_id) DO UPDATE SET "
                      "days = excluded.days, next = excluded.next",
                      "iii", case_id, days, now) &&
           entry_add(store, case_id, analyst_name(who), "follow",
                     json_pack("{s:I}", "days", (json_int_t)days), now, error) &&
           store_commit(&tx, error);
}

/* ---- What changed ---------------------------------------------------------------------------------------------------------- */
static bool add_task(VigieStore *store, int64_t case_id, const char *state, VigieTime now, GError **error) {
    g_autofree char *key = g_strconcat("csirt.follow.task.", state, NULL);
    return csirt_task_add(store, "", case_id, "review", key, json_pack("{s:{}}", "values"), NULL, now + DAY,
                          now, NULL, error);
}

/* A case that was over is taken up again. */
static bool reopen(VigieStore *store, const VigieTeam *team, int64_t case_id, VigieTime now, GError **error) {
    g_auto(Case) of = {0};
    bool reason = false;
    if (!case_load(store, NULL, case_id, &of, error))
        return false;
    return (strcmp(of.state, "in-progress") == 0 || !state_may_follow(of.state, "in-progress", &reason) ||
            csirt_case_move(store, team, NULL, case_id, "in-progress", "csirt.follow.again", now, error)) &&
           store_exec(store, error,
                      "UPDATE csirt_notice SET next = $2 WHERE case_id = $1 AND state = 'waiting' AND kind = "
                      "'notice' AND next = 0",
                      "ii", case_id, now);
}

/* Nobody is reminded of what is gone; that they did not answer stays as it is. */
static bool hush(VigieStore *store, int64_t case_id, GError **error) {
    return store_exec(
        store, error,
        "UPDATE csirt_notice SET next = 0 WHERE case_id = $1 AND state = 'waiting' AND kind = 'notice'", "i",
        case_id);
}

/* The evidence of the change is the observation that showed it: the findings as they stand. */
static bool changed(VigieStore *store, const VigieTeam *team, int64_t case_id, const char *before,
                    const char *state, const json_t *findings, VigieTime now, GError **error) {
    bool gone = strcmp(state, "gone") == 0, returned = strcmp(state, "returned") == 0;
    VigieTime verified = gone ? 0 : now;
    return store_exec(store, error, "UPDATE csirt_case SET verified = $2 WHERE id = $1", "ii", case_id,
                      verified) &&
           entry_add(store, case_id, "", "follow",
                     json_pack("{s:s, s:s, s:o}", "before", before, "state", state, "findings",
                               findings_view(findings)),
                     now, error) &&
           (!gone || hush(store, case_id, error)) &&
           (!returned || reopen(store, team, case_id, now, error)) &&
           ((!gone && !returned) || add_task(store, case_id, state, now, error)) &&
           case_judge(store, team, case_id, now, error);
}

static bool look(VigieStore *store, const VigieNotifier *notifier, int64_t case_id, VigieTime now,
                 GError **error) {
    g_auto(Watch) watch = {0};
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !load_watch(store, case_id, &watch, error))
        return false;
    g_autoptr(json_t) findings = findings_of(store, case_id, now, error);
    if (!findings)
        return false;
    const char *state = state_of(findings, watch.state);
    /* Once seen to be back, it is simply there. */
    const char *kept = strcmp(state, "returned") == 0 ? "present" : state;
    bool same = strcmp(state, watch.state) == 0;
    bool first = strcmp(watch.state, "unknown") == 0 && strcmp(state, "present") == 0;
    return store_exec(store, error, "UPDATE csirt_follow SET state = $2, looked = $3 WHERE case_id = $1",
                      "iti", case_id, kept, now) &&
           (same || first ||
            changed(store, notifier->team, case_id, watch.state, state, findings, now, error)) &&
           store_commit(&tx, error);
}

/* ---- Examining again ---------------------------------------------------------------------------------------------------------- */
static bool ask_surveys(VigieStore *store, const json_t *findings, VigieTime now, GError **error) {
    json_int_t asked = 0;
    for (size_t i = 0; i < json_array_size(findings); i++) {
        json_int_t endpoint = json_integer_value(
            json_object_get(json_object_get(json_array_get(findings, i), "endpoint"), "id"));
        VigieFleetFilter scope = {.endpoint = endpoint};
        int64_t run = 0;
        if (endpoint == asked)
            continue;
        asked = endpoint;
        if (!fleet_survey_request(store, &scope, VIGIE_DEPTH_FULL, "csirt", now, &run, error))
            return false;
    }
    return true;
}

static bool examine(VigieStore *store, int64_t case_id, int64_t days, const char *state, VigieTime now,
                    GError **error) {
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    g_autoptr(json_t) findings = tx ? findings_of(store, case_id, now, error) : NULL;
    int64_t gone = json_integer_value(json_object_get(ladder_rules(NULL), "recheck_gone"));
    int64_t every = strcmp(state, "gone") == 0 ? MAX(days, gone) : days;
    return findings && ask_surveys(store, findings, now, error) &&
           store_exec(store, error, "UPDATE csirt_follow SET next = $2, checked = $3 WHERE case_id = $1",
                      "iii", case_id, now + every * DAY, now) &&
           store_commit(&tx, error);
}

/* ---- The clockwork -------------------------------------------------------------------------------------------------------------- */
static json_t *ids(VigieStore *store, const char *sql, VigieTime time, GError **error) {
    g_autoptr(VigieRows) rows = store_query(store, error, sql, "ii", time, (int64_t)AT_ONCE);
    g_autoptr(json_t) found = json_array();
    GError *failure = NULL;
    while (rows && rows_next(rows, &failure))
        json_array_append_new(found, json_pack("{s:I, s:I, s:s}", "id", (json_int_t)rows_int(rows, 0), "days",
                                               (json_int_t)rows_int(rows, 1), "state", rows_text(rows, 2)));
    return rows_ended(rows, &failure, error) ? g_steal_pointer(&found) : NULL;
}

static int64_t id_at(const json_t *list, size_t i) {
    return json_integer_value(json_object_get(json_array_get(list, i), "id"));
}

static bool watch_all(VigieStore *store, const VigieNotifier *notifier, VigieTime now, GError **error) {
    g_autoptr(json_t) watched =
        ids(store,
            "SELECT f.case_id, f.days, f.state FROM csirt_follow f WHERE f.days > 0 AND "
            "f.looked < $1 ORDER BY f.looked, f.case_id LIMIT $2",
            now, error);
    for (size_t i = 0; i < json_array_size(watched); i++)
        if (!look(store, notifier, id_at(watched, i), now, error))
            return false;
    g_autoptr(json_t) due =
        watched ? ids(store,
                      "SELECT f.case_id, f.days, f.state FROM csirt_follow f WHERE f.days > 0 AND "
                      "f.next <= $1 ORDER BY f.next, f.case_id LIMIT $2",
                      now, error)
                : NULL;
    for (size_t i = 0; i < json_array_size(due); i++) {
        const json_t *one = json_array_get(due, i);
        if (!examine(store, id_at(due, i), json_integer_value(json_object_get(one, "days")),
                     vigie_member(one, "state"), now, error))
            return false;
    }
    return due != NULL;
}

/* Of a case that is over nobody is reminded. */
static bool go_on(VigieStore *store, VigieTime now, GError **error) {
    g_autoptr(json_t) due =
        ids(store,
            "SELECT n.id, 0, n.state FROM csirt_notice n JOIN csirt_case c ON c.id = n.case_id "
            "WHERE n.state = 'waiting' AND n.next > 0 AND n.next <= $1 AND c.active = 1 "
            "ORDER BY n.next, n.id LIMIT $2",
            now, error);
    for (size_t i = 0; i < json_array_size(due); i++)
        if (!notice_job(store, id_at(due, i), now, error))
            return false;
    return due != NULL;
}

/* What the server refused at once came back as surely as a bounce. */
static bool take_refused(VigieStore *store, VigieTime now, GError **error) {
    static const Cell cells[] = {
        {"message", "x.message_id", CELL_STRING}, {"why", "m.answer", CELL_TEXT}, {0}};
    g_autoptr(VigieQuery) query = query_new();
    cells_select(query, cells);
    query_add(query,
              "FROM csirt_notice_mail x JOIN csirt_message c ON c.message_id = x.message_id JOIN mail m ON "
              "m.id = c.mail_id "
              "WHERE x.bounced = 0 AND m.state = 'failed' AND x.sent > ?i ORDER BY x.message_id LIMIT ?i",
              now - 30 * DAY, (int64_t)AT_ONCE);
    g_autoptr(json_t) refused = cells_run(store, query, cells, error);
    for (size_t i = 0; i < json_array_size(refused); i++) {
        const json_t *one = json_array_get(refused, i);
        const char *why = vigie_member(one, "why");
        if (!csirt_notice_bounced(store, vigie_member(one, "message"), why ? why : "refused", now, error))
            return false;
    }
    return refused != NULL;
}

static bool propose_all(VigieStore *store, VigieTime now, GError **error) {
    g_autoptr(json_t) cases = ids(store,
                                  "SELECT id, 0, state FROM csirt_case WHERE active = 1 AND updated >= $1 "
                                  "ORDER BY updated DESC, id LIMIT $2",
                                  now - PROPOSE_SINCE, error);
    for (size_t i = 0; i < json_array_size(cases); i++)
        if (!escalations_watch(store, id_at(cases, i), now, error))
            return false;
    return cases != NULL;
}

bool csirt_follow_work(VigieStore *store, const VigieNotifier *notifier, VigieTime now, GError **error) {
    return take_refused(store, now, error) && go_on(store, now, error) &&
           watch_all(store, notifier, now, error) && propose_all(store, now, error) &&
           keys_check(store, notifier, now, error);
}
