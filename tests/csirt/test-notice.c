/* Contacts, verification, the ladder with a set clock, bounces, the page behind a link, follow-up, escalation, third parties;
 * and that nothing of the source leaves by any of it. Both databases; no keys, no network. */
#include "csirt-test.h"
#include "csirt/desk.h"
#include "csirt/notify.h"
#include "fleet/fleet.h"

#include <glib/gstdio.h>
#include <string.h>

enum { DAY = 86400 };

#define CANARY_NAME "Zénobie Lanceuse"
#define CANARY_MAIL "zenobie@canari.test"
#define CANARY_PHONE "+33655443322"
#define CANARY_PLACE "impasse du Canari"

typedef struct {
    VigieStore *store;
    VigieConfig *config;
    VigieTeam *team;
    VigieNotifier notifier;
    int64_t organisation, endpoint, finding, id;
} Desk;

static void fine(const GError *error) {
    g_assert_no_error(error);
}

/* The CERT-FR's team, which has no OpenPGP key in its file: nothing is signed. */
static VigieConfig *config_new(void) {
    g_autoptr(GError) error = NULL;
    g_autofree char *folder = g_dir_make_tmp("vigie-notice-XXXXXX", &error),
                    *path = g_build_filename(folder, "c", NULL);
    g_autofree char *team =
        g_build_filename(vigie_knowledge_folder(), "csirt", "teams", "cert-fr.json", NULL);
    g_autofree char *text =
        g_strdup_printf("[site]\nurl=https://vigie.test\n[mail]\nfrom=Vigie <vigie@vigie.test>\n"
                        "[csirt]\nteam=%s\n",
                        team);
    g_file_set_contents(path, text, -1, &error);
    fine(error);
    VigieConfig *config = vigie_config_load(path, &error);
    fine(error);
    g_unlink(path);
    g_rmdir(folder);
    return config;
}

static int64_t fleet_new(Desk *desk, const char *kind, const char *json,
                         bool (*save)(VigieStore *, int64_t, const json_t *, const char *, VigieTime,
                                      int64_t *, json_t **, GError **)) {
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) fields = test_json(json);
    int64_t id = 0;
    if (*kind)
        json_object_set_new(fields, kind,
                            json_integer(strcmp(kind, "device") == 0 ? desk->endpoint : desk->organisation));
    save(desk->store, 0, fields, "test", TEST_NOW, &id, NULL, &error);
    fine(error);
    return id;
}

/* A survey sees the weakness at the endpoint, or sees that it is gone. */
static void observe(Desk *desk, bool there, VigieTime now) {
    g_autoptr(GError) error = NULL;
    VigieFleetPolicy policy = fleet_policy_default();
    VigieRecord record = {.depth = VIGIE_DEPTH_FULL,
                          .time = now,
                          .outcome = VIGIE_OUTCOME_OK,
                          .version = VIGIE_TLS12,
                          .server_preference = VIGIE_UNKNOWN,
                          .name_match = VIGIE_UNKNOWN,
                          .client_certificate = VIGIE_UNKNOWN,
                          .versions_tested = 0x3f,
                          .versions_offered = 1 << VIGIE_TLS12,
                          .timings = {.resolve_ms = -1, .connect_ms = 1, .handshake_ms = 1, .total_ms = 2}};
    record.target.host = g_strdup("pacs.chu.test");
    record.target.port = 443;
    record.target.protocol = VIGIE_PROTOCOL_HTTPS;
    if (there) {
        record.findings = g_new0(VigieFinding, 1);
        record.findings[0] = (VigieFinding){"protocol-obsolete", VIGIE_SEVERITY_HIGH, json_object()};
        record.finding_count = 1;
    }
    fleet_observe(desk->store, &policy, desk->endpoint, 0, &record, now, &error);
    fine(error);
    vigie_record_clear(&record);
}

static int64_t number(Desk *desk, const char *sql, int64_t id) {
    g_autoptr(GError) error = NULL;
    int64_t value = 0;
    store_get_int(desk->store, &value, &error, sql, "i", id);
    fine(error);
    return value;
}

static int64_t open_case(Desk *desk, const char *kind, const char *tlp) {
    g_autoptr(GError) error = NULL;
    g_auto(VigieOpened) opened = {0};
    g_autoptr(json_t) declarant =
        json_pack("{s:s, s:s, s:s}", "name", CANARY_NAME, "mail", CANARY_MAIL, "phone", CANARY_PHONE);
    const VigieOpening opening = {.kind = kind,
                                  .channel = "form",
                                  .source = "open",
                                  .title = "Signalé par " CANARY_NAME,
                                  .organisation = desk->organisation,
                                  .organisation_name = "CHU de Kermarec",
                                  .tlp = tlp,
                                  .text = "J’habite " CANARY_PLACE ", " CANARY_MAIL,
                                  .declarant = declarant};
    csirt_case_open(desk->store, desk->team, &opening, TEST_NOW, &opened, &error);
    fine(error);
    return opened.id;
}

static void desk_open(Desk *desk, gconstpointer tlp) {
    desk->store = test_store_new();
    g_autoptr(GError) error = NULL;
    desk->config = config_new();
    desk->team = csirt_team_load(desk->config, &error);
    fine(error);
    desk->notifier = (VigieNotifier){.config = desk->config, .team = desk->team};
    desk->organisation = fleet_new(desk, "", "{'name': 'CHU de Kermarec'}", fleet_organisation_save);
    fleet_new(desk, "organisation",
              "{'role': 'dsi', 'name': 'DSI', 'mail': 'dsi@chu.test', 'language': 'fr'}", fleet_contact_save);
    desk->endpoint = fleet_new(desk, "organisation", "{'name': 'PACS', 'gmao': 'P1', 'class': 'imaging'}",
                               fleet_device_save);
    desk->endpoint = fleet_new(desk, "device", "{'host': 'pacs.chu.test', 'port': 443, 'protocol': 'https'}",
                               fleet_endpoint_save);
    observe(desk, true, TEST_NOW - DAY);
    desk->finding = number(desk, "SELECT MAX(id) FROM finding WHERE endpoint_id = $1", desk->endpoint);
    desk->id = open_case(desk, "vulnerability", tlp ? tlp : "GREEN");
}

static void desk_close(Desk *desk, gconstpointer data) {
    (void)data;
    csirt_team_free(desk->team);
    vigie_config_free(desk->config);
    store_close(desk->store);
}

/* ---- What tests do ---------------------------------------------------------------------------------------------------- */
static int64_t verify(Desk *desk) {
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) fields = json_pack("{s:s, s:I}", "kind", "finding", "ref", (json_int_t)desk->finding);
    int64_t id = 0;
    csirt_verification_add(desk->store, desk->team, &test_analyst, desk->id, fields, TEST_NOW, &id, &error);
    fine(error);
    return id;
}

static int64_t draft(Desk *desk, const char *json) {
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) fields = test_json(json);
    int64_t id = 0;
    csirt_notice_draft(desk->store, desk->config, desk->team, &test_analyst, desk->id, fields, TEST_NOW, &id,
                       &error);
    fine(error);
    return id;
}

static json_t *get(Desk *desk, int64_t notice, VigieTime now) {
    g_autoptr(GError) error = NULL;
    json_t *found = csirt_notice_get(desk->store, &test_analyst, notice, now, &error);
    fine(error);
    return found;
}

/* The worker: what is due at `now`, each job once. */
static void work(Desk *desk, VigieTime now) {
    static const char *const kinds[] = {CSIRT_JOB_NOTICE, NULL};
    g_autoptr(GError) error = NULL;
    csirt_follow_work(desk->store, &desk->notifier, now, &error);
    fine(error);
    for (;;) {
        g_autoptr(VigieJob) job = store_job_take(desk->store, kinds, "test", 60, now, &error);
        fine(error);
        if (!job)
            return;
        csirt_notice_work(desk->store, &desk->notifier, job->payload, now, &error);
        fine(error);
        store_job_done(desk->store, job, "test", &error);
        fine(error);
    }
}

static void confirm(Desk *desk, int64_t notice, VigieTime now) {
    g_autoptr(GError) error = NULL;
    csirt_notice_confirm(desk->store, &test_analyst, notice, NULL, now, &error);
    fine(error);
    work(desk, now);
}

static int64_t mails(Desk *desk) {
    return number(desk, "SELECT COUNT(*) FROM mail WHERE id > $1", 0);
}

static int64_t tasks(Desk *desk, const char *kind) {
    g_autoptr(GError) error = NULL;
    int64_t count = 0;
    store_get_int(desk->store, &count, &error,
                  "SELECT COUNT(*) FROM csirt_task WHERE case_id = $1 AND kind = $2", "it", desk->id, kind);
    fine(error);
    return count;
}

/* Recipient, subject and text of the last mail, as they stand in the queue. */
static char *last_mail(Desk *desk) {
    g_autoptr(GError) error = NULL;
    g_autoptr(VigieRows) rows =
        store_query(desk->store, &error,
                    "SELECT recipient, subject, body, message FROM mail ORDER BY id DESC LIMIT 1", "");
    fine(error);
    g_assert_true(rows_next(rows, &error));
    VigieBytes raw = rows_blob(rows, 3);
    g_autofree char *message = g_strndup(raw.size ? (const char *)raw.data : "", raw.size);
    return g_strdup_printf("%s\n%s\n%s\n%s", rows_text(rows, 0), rows_text(rows, 1), rows_text(rows, 2),
                           message);
}

static char *last_message_id(Desk *desk) {
    g_autoptr(GError) error = NULL;
    g_autoptr(VigieRows) rows =
        store_query(desk->store, &error,
                    "SELECT message_id FROM csirt_message WHERE case_id = $1 AND direction = 'out' "
                    "ORDER BY id DESC LIMIT 1",
                    "i", desk->id);
    fine(error);
    g_assert_true(rows_next(rows, &error));
    return g_strdup(rows_text(rows, 0));
}

/* ---- Before anyone is told ------------------------------------------------------------------------------------------------ */
static void test_unproven(Desk *desk, gconstpointer data) {
    (void)data;
    g_autoptr(GError) error = NULL;
    int64_t notice = draft(desk, "{'observed': 'SSLv3 est accepté.'}");
    g_assert_false(csirt_notice_confirm(desk->store, &test_analyst, notice, NULL, TEST_NOW, &error));
    test_error_says(&error, VIGIE_ERROR_CONFLICT, "not proven", "head of the CSIRT", NULL);
    g_assert_false(csirt_notice_confirm(desk->store, &test_analyst, notice, "pressé", TEST_NOW, &error));
    test_error_says(&error, VIGIE_ERROR_DENIED, "head", NULL);
    g_assert_true(
        csirt_notice_confirm(desk->store, &test_head, notice, "Exploitation en cours", TEST_NOW, &error));
    fine(error);
    g_autoptr(json_t) found = get(desk, notice, TEST_NOW);
    g_assert_cmpstr(test_text(found, "overridden"), ==, "Exploitation en cours");
    verify(desk);
    g_autoptr(json_t) obstacles = csirt_notice_obstacles(desk->store, &test_analyst, desk->id, &error);
    g_assert_cmpuint(json_array_size(obstacles), ==, 0);
    g_assert_cmpint(number(desk, "SELECT verified FROM csirt_case WHERE id = $1", desk->id), >, 0);
    /* A finding that a survey no longer sees proves the contrary. */
    observe(desk, false, TEST_NOW);
    verify(desk);
    g_assert_cmpint(number(desk, "SELECT verified FROM csirt_case WHERE id = $1", desk->id), ==, 0);
}

static void test_checks(Desk *desk, gconstpointer data) {
    (void)data;
    static const struct {
        const char *fields, *why;
    } refused[] = {{"{'kind': 'rumour'}", "kind"},
                   {"{'kind': 'check', 'outcome': 'sure', 'method': 'GET / sans compte'}", "outcome"},
                   {"{'kind': 'check', 'outcome': 'present', 'method': 'vu'}", "method"}};
    for (size_t i = 0; i < G_N_ELEMENTS(refused); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(json_t) fields = test_json(refused[i].fields);
        g_assert_false(csirt_verification_add(desk->store, desk->team, &test_analyst, desk->id, fields,
                                              TEST_NOW, NULL, &error));
        test_error_says(&error, VIGIE_ERROR_INVALID, refused[i].why, NULL);
    }
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) fields =
        test_json("{'kind': 'check', 'outcome': 'present', 'target': 'https://chu.test/status', "
                  "'method': 'GET /status sans compte rend la liste des patients'}");
    g_assert_true(csirt_verification_add(desk->store, desk->team, &test_analyst, desk->id, fields, TEST_NOW,
                                         NULL, &error));
    g_autoptr(json_t) list = csirt_verification_list(desk->store, &test_analyst, desk->id, &error);
    g_assert_cmpstr(test_text(list, "0.author"), ==, "a.martin");
    int64_t notice = draft(desk, "{'language': 'both'}");
    g_autoptr(json_t) found = get(desk, notice, TEST_NOW);
    g_assert_nonnull(strstr(test_text(found, "body"), "rend la liste des patients"));
    g_assert_nonnull(strstr(test_text(found, "body"), "We verified it"));
    g_assert_nonnull(strstr(test_text(found, "body"), "Nous l’avons vérifié"));
}

/* ---- The ladder --------------------------------------------------------------------------------------------------------------- */
/* Mail, two reminders without a word of the matter, a call, a private message, silence: each when it is due and not before, each once. */
static void test_ladder(Desk *desk, gconstpointer data) {
    (void)data;
    g_autoptr(GError) error = NULL;
    verify(desk);
    store_exec(desk->store, &error, "UPDATE csirt_case SET band = 2 WHERE id = $1", "i", desk->id);
    int64_t notice = draft(desk, "{'observed': 'Secret-de-fabrique'}");
    confirm(desk, notice, TEST_NOW);
    g_assert_cmpint(mails(desk), ==, 1);
    g_autofree char *first = last_mail(desk);
    g_assert_nonnull(strstr(first, "dsi@chu.test"));
    work(desk, TEST_NOW + DAY);
    g_assert_cmpint(mails(desk), ==, 1); /* two working days */
    work(desk, TEST_NOW + 2 * DAY);
    g_assert_cmpint(mails(desk), ==, 2);
    g_autofree char *reminder = last_mail(desk);
    g_assert_null(strstr(reminder, "Secret-de-fabrique"));
    g_assert_null(strstr(reminder, "pacs.chu.test"));
    work(desk, TEST_NOW + 3 * DAY);
    g_assert_cmpint(mails(desk), ==, 2);
    work(desk, TEST_NOW + 14 * DAY);
    g_assert_cmpint(mails(desk), ==, 2);
    g_assert_cmpint(tasks(desk, "call"), ==, 1);
    work(desk, TEST_NOW + 30 * DAY); /* who has not called has not been refused an answer */
    g_assert_cmpint(tasks(desk, "call"), ==, 1);
    for (int i = 0; i < 2; i++) {
        g_assert_true(csirt_notice_outcome(desk->store, &test_analyst, notice, "no-answer", "répondeur",
                                           TEST_NOW + (30 + 5 * i) * DAY, &error));
        work(desk, TEST_NOW + (34 + 5 * i) * DAY);
    }
    g_assert_cmpint(tasks(desk, "call"), ==, 2);
    g_assert_cmpint(tasks(desk, "private-message"), ==, 1);
    g_assert_true(csirt_notice_outcome(desk->store, &test_analyst, notice, "no-answer", NULL,
                                       TEST_NOW + 45 * DAY, &error));
    work(desk, TEST_NOW + 60 * DAY);
    g_autoptr(json_t) silent = get(desk, notice, TEST_NOW + 60 * DAY);
    g_assert_cmpstr(test_text(silent, "state"), ==, "silent");
    g_assert_cmpint(tasks(desk, "review"), ==, 1);
    g_autoptr(json_t) follow =
        csirt_follow_get(desk->store, &test_analyst, desk->id, TEST_NOW + 60 * DAY, &error);
    g_assert_cmpint(test_int(follow, "silent_days"), ==, 60);
    g_assert_nonnull(strstr(test_text(follow, "text.en"), "no answer for 60 days"));
    g_assert_null(strstr(test_text(follow, "text.en"), "mended"));
}

/* A bounce moves on at once, the contact goes down for all that follow, and heard of twice it counts once. */
static void test_bounce(Desk *desk, gconstpointer data) {
    (void)data;
    g_autoptr(GError) error = NULL;
    verify(desk);
    g_autoptr(json_t) other =
        test_json("{'kind': 'mail', 'value': 'rssi@chu.test', 'name': 'RSSI', 'language': 'fr'}");
    int64_t rssi = 0;
    g_assert_true(
        csirt_contact_save(desk->store, &test_analyst, desk->id, 0, other, TEST_NOW, &rssi, &error));
    int64_t notice = draft(desk, "{}");
    confirm(desk, notice, TEST_NOW);
    g_autofree char *first = last_mail(desk);
    g_assert_nonnull(strstr(first, "rssi@chu.test")); /* confirmed by a person: before the fleet's */
    g_autofree char *id = last_message_id(desk);
    for (int i = 0; i < 2; i++) {
        g_assert_true(csirt_notice_bounced(desk->store, id, "550 5.1.1 unknown", TEST_NOW + 60, &error));
        work(desk, TEST_NOW + 60);
    }
    g_assert_cmpint(mails(desk), ==, 2);
    g_autofree char *second = last_mail(desk);
    g_assert_nonnull(strstr(second, "dsi@chu.test"));
    g_assert_null(strstr(second, "rssi@chu.test")); /* recipients never see each other */
    g_autoptr(json_t) contacts = csirt_contacts_get(desk->store, &test_analyst, desk->id, TEST_NOW, &error);
    g_assert_cmpstr(test_text(contacts, "contacts.1.value"), ==, "rssi@chu.test");
    g_assert_cmpint(test_int(contacts, "contacts.1.bounces"), ==, 1);
    g_assert_false(csirt_notice_bounced(desk->store, "nobody@nowhere", "x", TEST_NOW, &error));
    fine(error);
    g_autofree char *last = last_message_id(desk);
    g_assert_true(csirt_notice_replied(desk->store, last, TEST_NOW + 120, &error));
    work(desk, TEST_NOW + 90 * DAY);
    g_assert_cmpint(mails(desk), ==, 2);
    g_autoptr(json_t) answered = get(desk, notice, TEST_NOW);
    g_assert_cmpstr(test_text(answered, "state"), ==, "answered");
}

/* What SMTP refused for good counts as a bounce. */
static void test_refused(Desk *desk, gconstpointer data) {
    (void)data;
    g_autoptr(GError) error = NULL;
    verify(desk);
    confirm(desk, draft(desk, "{}"), TEST_NOW);
    store_exec(desk->store, &error, "UPDATE mail SET state = 'failed', answer = '550 no such user'", "");
    fine(error);
    work(desk, TEST_NOW + 60);
    work(desk, TEST_NOW + 120);
    g_assert_cmpint(tasks(desk, "call"), ==, 1);
}

/* ---- Without a key -------------------------------------------------------------------------------------------------------------- */
/* What is sensitive and cannot be encrypted stays here: the mail says where it can be read, the code is told by phone; five wrong
 * codes close it until there is a new one. */
static void test_link(Desk *desk, gconstpointer data) {
    (void)data;
    g_autoptr(GError) error = NULL;
    verify(desk);
    int64_t notice = draft(desk, "{'observed': 'Secret-de-fabrique', 'language': 'fr'}");
    confirm(desk, notice, TEST_NOW);
    g_autofree char *mail = last_mail(desk);
    g_assert_null(strstr(mail, "Secret-de-fabrique"));
    g_assert_null(strstr(mail, "pacs.chu.test"));
    g_assert_null(strstr(mail, "Kermarec"));
    g_assert_null(strstr(mail, "AMBER"));
    g_assert_cmpint(tasks(desk, "call"), ==, 1);
    g_autoptr(json_t) found = get(desk, notice, TEST_NOW);
    g_assert_true(json_is_true(test_at(found, "protection.content_free")));
    g_autoptr(GString) joined = g_string_new(mail); /* quoted-printable breaks and escapes */
    g_string_replace(joined, "=\r\n", "", 0);
    g_string_replace(joined, "=3D", "=", 0);
    const char *link = strstr(joined->str, "https://vigie.test/notice?link=");
    g_assert_nonnull(link);
    g_autofree char *secret = g_strndup(strchr(link, '=') + 1, 32);
    g_autofree char *code = csirt_notice_code(desk->store, &test_analyst, notice, TEST_NOW, &error);
    g_autoptr(json_t) page = csirt_notice_open(desk->store, desk->team, secret, code, TEST_NOW + 60, &error);
    fine(error);
    g_assert_nonnull(strstr(test_text(page, "text"), "Secret-de-fabrique"));
    g_assert_null(csirt_notice_open(desk->store, desk->team, "0123456789abcdef0123456789abcdef", code,
                                    TEST_NOW, &error));
    test_error_says(&error, VIGIE_ERROR_DENIED, "do not go together", NULL);
    for (int i = 0; i < 5; i++) {
        g_assert_null(csirt_notice_open(desk->store, desk->team, secret, "AAAA-BBBB-CCCC", TEST_NOW, &error));
        g_clear_error(&error);
    }
    g_assert_null(csirt_notice_open(desk->store, desk->team, secret, code, TEST_NOW, &error));
    test_error_says(&error, VIGIE_ERROR_DENIED, "do not go together", NULL);
    g_autofree char *again = csirt_notice_code(desk->store, &test_analyst, notice, TEST_NOW, &error);
    g_autoptr(json_t) open = csirt_notice_open(desk->store, desk->team, secret, again, TEST_NOW, &error);
    g_assert_nonnull(open);
    g_assert_null(csirt_notice_open(desk->store, desk->team, secret, again, TEST_NOW + 31 * DAY, &error));
    g_clear_error(&error);
}

/* The label is asked again when it is sent: what became RED between the person's word and the worker's turn stays here. */
static void test_label(Desk *desk, gconstpointer data) {
    (void)data;
    g_autoptr(GError) error = NULL;
    verify(desk);
    int64_t notice = draft(desk, "{}");
    csirt_notice_confirm(desk->store, &test_analyst, notice, NULL, TEST_NOW, &error);
    fine(error);
    store_exec(desk->store, &error, "UPDATE csirt_case SET tlp = 'RED' WHERE id = $1", "i", desk->id);
    work(desk, TEST_NOW);
    g_assert_cmpint(mails(desk), ==, 0);
    g_autoptr(json_t) blocked = get(desk, notice, TEST_NOW);
    g_assert_cmpstr(test_text(blocked, "state"), ==, "blocked");
    g_assert_cmpuint(strlen(test_text(blocked, "why.fr")), >, 10);
    g_assert_cmpint(tasks(desk, "todo"), ==, 1);
    g_assert_false(csirt_notice_confirm(desk->store, &test_analyst, notice, NULL, TEST_NOW, &error));
    g_assert_error(error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT);
}

/* ---- Follow-up ---------------------------------------------------------------------------------------------------------------------- */
/* Asked for again on its schedule; gone: nobody is reminded any more; back: the case that was over is taken up again. */
static void test_follow(Desk *desk, gconstpointer data) {
    (void)data;
    g_autoptr(GError) error = NULL;
    verify(desk);
    confirm(desk, draft(desk, "{}"), TEST_NOW);
    int64_t runs = number(desk, "SELECT COUNT(*) FROM survey_run WHERE id > $1", 0);
    g_assert_cmpint(runs, ==, 1);
    work(desk, TEST_NOW + 60);
    g_autoptr(json_t) there = csirt_follow_get(desk->store, &test_analyst, desk->id, TEST_NOW + 60, &error);
    g_assert_cmpstr(test_text(there, "state"), ==, "present");
    store_exec(desk->store, &error, "UPDATE survey_run SET state = 'finished'", "");
    observe(desk, false, TEST_NOW + 3600);
    work(desk, TEST_NOW + 7200);
    g_autoptr(json_t) gone = csirt_follow_get(desk->store, &test_analyst, desk->id, TEST_NOW + 7200, &error);
    g_assert_cmpstr(test_text(gone, "state"), ==, "gone");
    g_assert_nonnull(strstr(test_text(gone, "text.en"), "has not answered"));
    g_assert_cmpint(tasks(desk, "review"), ==, 1);
    int64_t before = mails(desk);
    work(desk, TEST_NOW + 100 * DAY);
    g_assert_cmpint(mails(desk), ==, before);
    static const char *const way[] = {"acknowledged", "qualified", "resolved", "closed"};
    for (size_t i = 0; i < G_N_ELEMENTS(way); i++) {
        csirt_case_move(desk->store, desk->team, &test_analyst, desk->id, way[i], "ok", TEST_NOW + 101 * DAY,
                        &error);
        fine(error);
    }
    observe(desk, true, TEST_NOW + 102 * DAY);
    work(desk, TEST_NOW + 102 * DAY + 60);
    g_autoptr(json_t) back =
        csirt_case_get(desk->store, desk->team, &test_analyst, desk->id, TEST_NOW + 103 * DAY, &error);
    g_assert_cmpstr(test_text(back, "state"), ==, "in-progress");
    g_assert_cmpint(number(desk, "SELECT verified FROM csirt_case WHERE id = $1", desk->id), >, 0);
    g_assert_cmpint(tasks(desk, "review"), ==, 2);
    g_autoptr(json_t) chain = csirt_timeline_verify(desk->store, desk->id, &error);
    g_assert_cmpuint(json_array_size(test_at(chain, "faults")), ==, 0);
}

/* A notice goes along with its case into the one that it is merged into, and is followed there; nobody is reminded of what is closed. */
static void test_merged(Desk *desk, gconstpointer data) {
    (void)data;
    g_autoptr(GError) error = NULL;
    verify(desk);
    int64_t notice = draft(desk, "{}"), old = desk->id;
    confirm(desk, notice, TEST_NOW);
    desk->id = open_case(desk, "vulnerability", "GREEN");
    g_assert_true(csirt_case_merge(desk->store, desk->team, &test_analyst, desk->id, old, "le même",
                                   TEST_NOW + 60, &error));
    fine(error);
    work(desk, TEST_NOW + 30 * DAY);
    g_assert_cmpint(mails(desk), ==, 2);
    g_autoptr(json_t) list = csirt_notice_list(desk->store, &test_analyst, desk->id, TEST_NOW, &error);
    g_assert_cmpuint(json_array_size(list), ==, 1);
    store_exec(desk->store, &error, "UPDATE csirt_case SET active = 0, state = 'closed' WHERE id = $1", "i",
               desk->id);
    fine(error);
    for (int i = 31; i < 90; i++)
        work(desk, TEST_NOW + i * DAY);
    g_assert_cmpint(mails(desk), ==, 2);
}

/* ---- Partners and third parties ---------------------------------------------------------------------------------------------------- */
static void change(Desk *desk, const char *json) {
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) fields = test_json(json);
    csirt_case_change(desk->store, desk->team, &test_analyst, desk->id, fields, TEST_NOW, &error);
    fine(error);
}

static int64_t party_of(Desk *desk, const char *partner) {
    g_autoptr(GError) error = NULL;
    int64_t party = 0;
    store_get_int(desk->store, &party, &error,
                  "SELECT MAX(id) FROM csirt_party WHERE case_id = $1 AND partner = $2", "it", desk->id,
                  partner);
    fine(error);
    return party;
}

static int64_t part(Desk *desk, int64_t party, const char *json) {
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) fields = test_json(json);
    int64_t notice = 0;
    csirt_part_draft(desk->store, desk->config, desk->team, &test_analyst, desk->id, party, fields, TEST_NOW,
                     &notice, &error);
    fine(error);
    return notice;
}

/* Confirms each escalation that the rules propose, and drafts its message; how many. */
static size_t escalate(Desk *desk, void (*each)(Desk *desk, const char *partner, int64_t notice)) {
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) item =
        csirt_case_get(desk->store, desk->team, &test_analyst, desk->id, TEST_NOW, &error);
    g_autoptr(json_t) offers = csirt_escalation_offers(desk->team, item, &error);
    fine(error);
    for (size_t i = 0; i < json_array_size(offers); i++) {
        g_autofree char *path = g_strdup_printf("%zu.partner", i);
        const char *partner = test_text(offers, path);
        csirt_escalation_settle(desk->store, desk->team, &test_analyst, desk->id, partner, true, NULL,
                                TEST_NOW, &error);
        fine(error);
        each(desk, partner, part(desk, party_of(desk, partner), "{}"));
    }
    return json_array_size(offers);
}

static void check_escalation(Desk *desk, const char *partner, int64_t notice) {
    g_autoptr(json_t) made = get(desk, notice, TEST_NOW);
    g_assert_cmpstr(test_text(made, "kind"), ==, "escalation");
    g_assert_cmpstr(test_text(made, "partner"), ==, partner);
    g_assert_nonnull(strstr(test_text(made, "body"), "CHU de Kermarec"));
    confirm(desk, notice, TEST_NOW);
    g_autoptr(json_t) sent = get(desk, notice, TEST_NOW);
    g_assert_cmpstr(test_text(sent, "state"), ==, "waiting");
}

/* What a rule proposes is a task, once; once confirmed, the partner's part is drafted, confirmed and sent; a second look asks no more. */
static void test_escalation(Desk *desk, gconstpointer data) {
    (void)data;
    desk->id = open_case(desk, "incident", "AMBER");
    change(desk, "{'facts': {'status': 'oiv', 'patients': 'potential'}}");
    for (int i = 0; i < 3; i++)
        work(desk, TEST_NOW + i);
    int64_t asked = tasks(desk, "escalate");
    g_assert_cmpint(asked, >=, 2);
    g_assert_cmpint((int64_t)escalate(desk, check_escalation), ==, asked);
    work(desk, TEST_NOW + 10);
    g_assert_cmpint(tasks(desk, "escalate"), ==, asked);
}

/* An ISP is told its part alone, in a thread of its own. */
static void test_third_party(Desk *desk, gconstpointer data) {
    (void)data;
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) fields =
        test_json("{'role': 'isp', 'name': 'Opérateur', 'mail': 'abuse@isp.test', 'language': 'fr', "
                  "'sees': ['case', 'vulnerability']}");
    int64_t party = 0;
    verify(desk);
    change(desk, "{'category': 'vulnerable'}");
    csirt_party_save(desk->store, "a.martin", desk->id, 0, fields, TEST_NOW, &party, NULL, &error);
    fine(error);
    int64_t notice = part(desk, party, "{'observed': 'Adresse 192.0.2.7, port 443.'}");
    g_autoptr(json_t) made = get(desk, notice, TEST_NOW);
    g_assert_null(strstr(test_text(made, "body"), "Kermarec"));
    g_assert_nonnull(strstr(test_text(made, "body"), "192.0.2.7"));
    confirm(desk, notice, TEST_NOW);
    g_autofree char *mail = last_mail(desk);
    g_assert_nonnull(strstr(mail, "abuse@isp.test"));
}

/* ---- The source ------------------------------------------------------------------------------------------------------------------------ */
static void clean(const char *where, const char *text) {
    static const char *const canaries[] = {"Lanceuse", "zenobie", "canari", "655443322",
                                           "55443322", "Canari",  "nobie"};
    for (size_t i = 0; i < G_N_ELEMENTS(canaries); i++)
        if (strstr(text, canaries[i]))
            g_error("%s names the source (%s):\n%s", where, canaries[i], text);
}

static void clean_json(const char *where, json_t *value) {
    g_autoptr(json_t) owned = value;
    g_autofree char *text = vigie_json_text(owned);
    clean(where, text);
}

static void clean_escalation(Desk *desk, const char *partner, int64_t notice) {
    clean_json(partner, get(desk, notice, TEST_NOW));
    confirm(desk, notice, TEST_NOW);
}

/* Every message, task and page that this part of the program makes, for an organisation, a partner, a third party, by mail, link and
 * phone: none holds the name, address, number or words of who reported it. */
static void test_canary(Desk *desk, gconstpointer data) {
    (void)data;
    g_autoptr(GError) error = NULL;
    verify(desk);
    int64_t notice = draft(desk, "{'language': 'both'}");
    /* An analyst who copies the name into the text is stopped, head or not. */
    g_autoptr(json_t) slip = test_json("{'body': 'Signalé par zénobie LANCEUSE. {code}'}");
    g_autoptr(json_t) before = get(desk, notice, TEST_NOW);
    g_assert_true(csirt_notice_change(desk->store, &test_analyst, notice, slip, TEST_NOW, &error));
    g_assert_false(csirt_notice_confirm(desk->store, &test_head, notice, "pressé", TEST_NOW, &error));
    test_error_says(&error, VIGIE_ERROR_CONFLICT, "who reported", NULL);
    g_autoptr(json_t) mended = json_pack("{s:O}", "body", json_object_get(before, "body"));
    g_assert_true(csirt_notice_change(desk->store, &test_analyst, notice, mended, TEST_NOW, &error));
    clean_json("notice", get(desk, notice, TEST_NOW));
    confirm(desk, notice, TEST_NOW);
    for (int i = 0; i < 40; i++)
        work(desk, TEST_NOW + i * DAY);
    for (int lang = 0; lang < VIGIE_LANGS; lang++) {
        g_autofree char *script = csirt_notice_script(desk->store, desk->config, desk->team, &test_analyst,
                                                      notice, (VigieLang)lang, &error);
        clean("script", script);
    }
    change(desk, "{'kind': 'incident-report', 'likelihood': 'likely', 'facts': {'status': 'oiv', "
                 "'patients': 'proven'}}");
    work(desk, TEST_NOW + 41 * DAY);
    g_assert_cmpuint(escalate(desk, clean_escalation), >=, 2);
    g_autoptr(VigieRows) rows =
        store_query(desk->store, &error, "SELECT recipient, subject, body, message FROM mail", "");
    int64_t count = 0;
    while (rows_next(rows, &error)) {
        VigieBytes raw = rows_blob(rows, 3);
        g_autofree char *message = g_strndup(raw.size ? (const char *)raw.data : "", raw.size);
        for (int i = 0; i < 3; i++)
            clean("mail", rows_text(rows, i));
        g_autoptr(GString) joined = g_string_new(message); /* soft line breaks of quoted-printable */
        g_string_replace(joined, "=\r\n", "", 0);
        clean("mail", joined->str);
        count++;
    }
    g_assert_cmpint(count, >=, 2);
    g_autoptr(VigieRows) made = store_query(desk->store, &error, "SELECT title, details FROM csirt_task", "");
    while (rows_next(made, &error))
        for (int i = 0; i < 2; i++)
            clean("task", rows_text(made, i));
}

/* Asking strangers for a contact of a case marked PAP:RED would tell them of it. */
static void test_pap(Desk *desk, gconstpointer data) {
    (void)data;
    g_autoptr(GError) error = NULL;
    g_assert_false(csirt_contacts_request(desk->store, &test_analyst, desk->id, NULL, TEST_NOW, &error));
    g_assert_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND);
    g_clear_error(&error);
    verify(desk); /* links the finding, whose endpoint has a name */
    g_assert_true(csirt_contacts_request(desk->store, &test_analyst, desk->id, NULL, TEST_NOW, &error));
    g_autoptr(json_t) contacts = csirt_contacts_get(desk->store, &test_analyst, desk->id, TEST_NOW, &error);
    g_assert_cmpstr(test_text(contacts, "domain"), ==, "pacs.chu.test");
    change(desk, "{'pap': 'RED'}");
    g_assert_false(
        csirt_contacts_request(desk->store, &test_analyst, desk->id, "chu.test", TEST_NOW, &error));
    test_error_says(&error, VIGIE_ERROR_DENIED, "PAP:RED", NULL);
    g_assert_null(csirt_contacts_get(desk->store, &test_stranger, desk->id, TEST_NOW, &error));
    g_assert_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED);
}

#define ADD(path, tlp, function) g_test_add("/notice/" path, Desk, tlp, desk_open, function, desk_close)

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    ADD("unproven", NULL, test_unproven);
    ADD("checks", NULL, test_checks);
    ADD("ladder", NULL, test_ladder);
    ADD("bounce", NULL, test_bounce);
    ADD("refused", NULL, test_refused);
    ADD("link", "AMBER", test_link);
    ADD("label", NULL, test_label);
    ADD("follow", NULL, test_follow);
    ADD("merged", NULL, test_merged);
    ADD("escalation", NULL, test_escalation);
    ADD("third-party", NULL, test_third_party);
    ADD("canary", NULL, test_canary);
    ADD("pap", NULL, test_pap);
    return test_csirt_run(argc, argv);
}
