/* The desk beside the cases: what changed, the next step, escalations, letters, the note at the change of shift. Both databases. */
#include "csirt-test.h"
#include "csirt/desk.h"
#include "csirt/letter.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#define HOUR 3600

typedef struct {
    VigieStore *store;
    VigieTeam *team;
    VigieConfig *config;
    int64_t id;
} Desk;

static void desk_open(Desk *desk, gconstpointer data) {
    (void)data;
    g_autoptr(GError) error = NULL;
    desk->store = test_store_new();
    desk->team = test_team();
    desk->id = test_open(desk->store, desk->team, "Rançongiciel");
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp("vigie-desk-XXXXXX.conf", &path, &error); /* all as by default */
    g_assert_no_error(error);
    desk->config = vigie_config_load(path, &error);
    g_assert_no_error(error);
    close(fd);
    g_unlink(path);
}

static void desk_close(Desk *desk, gconstpointer data) {
    (void)data;
    vigie_config_free(desk->config);
    csirt_team_free(desk->team);
    store_close(desk->store);
}

static int64_t changes(Desk *desk, int64_t id) {
    g_autoptr(GError) error = NULL;
    int64_t number = 0;
    csirt_changes(desk->store, &test_analyst, id, &number, &error);
    g_assert_no_error(error);
    return number;
}

static json_t *get(Desk *desk) {
    g_autoptr(GError) error = NULL;
    json_t *item = csirt_case_get(desk->store, desk->team, &test_analyst, desk->id, TEST_NOW, &error);
    g_assert_no_error(error);
    return item;
}

static void change(Desk *desk, const char *fields) {
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) object = test_json(fields);
    csirt_case_change(desk->store, desk->team, &test_head, desk->id, object, TEST_NOW, &error);
    g_assert_no_error(error);
}

/* ---- What changed ------------------------------------------------------------------------------------------- */
/* A change counts once; who saw less is told that it changed, and who may not see the case is told nothing. */
static void check_changes(Desk *desk, gconstpointer data) {
    (void)data;
    g_autoptr(GError) error = NULL;
    int64_t before = changes(desk, desk->id), all = changes(desk, 0), number = 0;
    csirt_note_add(desk->store, &test_other, desk->id, "note", "vu", TEST_NOW, &error);
    g_assert_no_error(error);
    g_assert_cmpint(changes(desk, desk->id), ==, before + 1);
    g_assert_cmpint(changes(desk, 0), >, all);
    g_assert_true(csirt_case_unchanged(desk->store, &test_analyst, desk->id, before + 1, &error));
    g_assert_false(csirt_case_unchanged(desk->store, &test_analyst, desk->id, before, &error));
    g_assert_error(error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT);
    g_assert_nonnull(strstr(error->message, test_other.name));
    g_clear_error(&error);
    change(desk, "{'restricted': true}");
    g_assert_false(csirt_changes(desk->store, &test_analyst, desk->id, &number, &error));
    g_assert_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND);
    g_clear_error(&error);
    g_assert_true(csirt_changes(desk->store, &test_head, desk->id, &number, &error));
    g_assert_false(csirt_changes(desk->store, &test_stranger, 0, &number, &error));
    g_assert_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED);
}

/* ---- What to do next ---------------------------------------------------------------------------------------- */
/* From the state and what is known: a vulnerability is verified before anyone is told, what the rules propose is decided first. */
static void check_steps(void) {
    static const struct {
        const char *item, *step;
    } rows[] = {
        {"{'state': 'received', 'kind': 'incident'}", "acknowledge"},
        {"{'state': 'acknowledged', 'kind': 'incident'}", "qualify"},
        {"{'state': 'qualified', 'kind': 'vulnerability', 'verified': null}", "verify"},
        {"{'state': 'qualified', 'kind': 'vulnerability', 'verified': '2026-11-23T09:00:00Z', 'messages': "
         "[]}",
         "notify"},
        {"{'state': 'qualified', 'kind': 'incident-report', 'verified': null, 'messages': []}", "notify"},
        {"{'state': 'qualified', 'kind': 'incident', 'messages': [ { 'direction': 'in' } ]}", "answer"},
        {"{'state': 'in-progress', 'kind': 'incident', 'messages': [ { 'direction': 'out' } ]}", "follow"},
        {"{'state': 'qualified', 'kind': 'incident', 'escalations': [ { 'state': 'proposed' } ]}",
         "escalate"},
        {"{'state': 'resolved', 'kind': 'incident'}", "close"},
        {"{'state': 'closed', 'kind': 'incident'}", "done"},
        {"{'state': 'merged', 'kind': 'incident'}", "done"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(json_t) item = test_json(rows[i].item), step = csirt_step_next(item);
        g_assert_cmpstr(test_text(step, "step"), ==, rows[i].step);
    }
}

/* ---- Escalations -------------------------------------------------------------------------------------------- */
static void check_escalation(Desk *desk, gconstpointer data) {
    (void)data;
    g_autoptr(GError) error = NULL;
    change(desk, "{'facts': {'patients': 'proven', 'care': ['emergency']}}");
    g_autoptr(json_t) item = get(desk), offers = csirt_escalation_offers(desk->team, item, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(test_text(offers, "0.partner"), ==, "corruss");
    g_assert_cmpstr(test_text(offers, "0.state"), ==, "proposed");
    /* Looking decides nothing. */
    g_autoptr(json_t) preview = csirt_escalation_preview(desk->store, desk->team, &test_analyst, desk->id,
                                                         "corruss", TEST_NOW, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(json_object_size(test_at(preview, "leaves.members")), >, 0);
    g_assert_null(json_object_get(test_at(preview, "leaves.members"), "proof"));
    g_autoptr(json_t) untouched = get(desk);
    g_assert_cmpuint(json_array_size(json_object_get(untouched, "escalations")), ==, 0);
    g_assert_cmpuint(json_array_size(json_object_get(untouched, "parties")), ==, 0);
    /* Declining wants a reason; deciding is done once; what was decided stays, whatever the facts become. */
    g_assert_false(csirt_escalation_settle(desk->store, desk->team, &test_analyst, desk->id, "fssi", false,
                                           "", TEST_NOW, &error));
    g_assert_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID);
    g_clear_error(&error);
    g_assert_true(csirt_escalation_settle(desk->store, desk->team, &test_analyst, desk->id, "corruss", true,
                                          NULL, TEST_NOW, &error));
    g_assert_no_error(error);
    g_assert_false(csirt_escalation_settle(desk->store, desk->team, &test_analyst, desk->id, "corruss", true,
                                           NULL, TEST_NOW, &error));
    g_assert_error(error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT);
    g_clear_error(&error);
    change(desk, "{'facts': {'patients': 'none', 'care': null}}");
    g_autoptr(json_t) after = get(desk), left = csirt_escalation_offers(desk->team, after, &error);
    g_assert_cmpuint(json_array_size(left), ==, 1);
    g_assert_cmpstr(test_text(left, "0.state"), ==, "confirmed");
    g_assert_cmpstr(test_text(after, "parties.0.partner"), ==, "corruss");
}

/* ---- Letters ------------------------------------------------------------------------------------------------ */
static int64_t party(Desk *desk, const char *fields) {
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) object = test_json(fields);
    int64_t id = 0;
    csirt_party_save(desk->store, "a.martin", desk->id, 0, object, TEST_NOW, &id, NULL, &error);
    g_assert_no_error(error);
    return id;
}

static json_t *preview(Desk *desk, int64_t to) {
    g_autoptr(GError) error = NULL;
    const VigieLetter letter = {.party = to, .subject = "Bonjour", .text = "Un mot."};
    json_t *shown = csirt_letter_preview(desk->store, desk->config, desk->team, &test_analyst, desk->id,
                                         &letter, TEST_NOW, &error);
    g_assert_no_error(error);
    return shown;
}

/* Who × label × key: the way that a letter goes is a table. */
static void check_ways(Desk *desk, gconstpointer data) {
    (void)data;
    static const char key[] = "749AA6282411F695524974D39F06A1628E92D7E3";
    static const char *const roles[] = {"declarant", "organisation", "supplier", "authority"};
    static const struct {
        const char *tlp;
        const char *with_key[4], *without[4];
    } table[] = {
        {"CLEAR", {"encrypted", "encrypted", "encrypted", "encrypted"}, {"clear", "clear", "clear", "clear"}},
        {"AMBER", {"encrypted", "encrypted", "none", "none"}, {"page", "none", "none", "none"}},
        {"RED", {"encrypted", "none", "none", "none"}, {"page", "none", "none", "none"}},
    };
    int64_t keyed[4], bare[4];
    for (size_t i = 0; i < G_N_ELEMENTS(roles); i++) {
        g_autofree char *with =
            g_strdup_printf("{'role': '%s', 'name': 'X', 'mail': 'x@test.test', 'fingerprint': '%s', 'sees': "
                            "['case']}",
                            roles[i], key);
        g_autofree char *without =
            g_strdup_printf("{'role': '%s', 'name': 'Y', 'mail': 'y@test.test', 'sees': ['case']}", roles[i]);
        keyed[i] = party(desk, with);
        bare[i] = party(desk, without);
    }
    for (size_t t = 0; t < G_N_ELEMENTS(table); t++) {
        g_autofree char *label = g_strdup_printf("{'tlp': '%s', 'reason': 'essai'}", table[t].tlp);
        change(desk, label);
        for (size_t i = 0; i < G_N_ELEMENTS(roles); i++) {
            g_autoptr(json_t) with = preview(desk, keyed[i]), without = preview(desk, bare[i]);
            g_assert_cmpstr(test_text(with, "how"), ==, table[t].with_key[i]);
            g_assert_cmpstr(test_text(without, "how"), ==, table[t].without[i]);
            bool says_why = json_is_string(json_object_get(without, "why"));
            g_assert_true(says_why == (strcmp(table[t].without[i], "none") == 0));
        }
        g_autoptr(json_t) receipt = preview(desk, 0);
        g_assert_cmpstr(test_text(receipt, "how"), ==, "page");
    }
}

static int64_t send(Desk *desk, int64_t to, const char *state, GError **error) {
    const VigieLetter letter = {.party = to, .subject = "Bonjour", .text = "Un secret.", .state = state};
    int64_t message = 0;
    csirt_letter_send(desk->store, desk->config, desk->team, &test_analyst, desk->id, &letter, TEST_NOW,
                      &message, error);
    return message;
}

static void work(Desk *desk, int64_t expected_mails) {
    g_autoptr(GError) error = NULL;
    const VigieNotifier notifier = {.config = desk->config, .team = desk->team};
    static const char *const kinds[] = {CSIRT_JOB_LETTER, NULL};
    g_autoptr(VigieJob) job = store_job_take(desk->store, kinds, "w", 60, TEST_NOW, &error);
    g_assert_no_error(error);
    g_assert_nonnull(job);
    for (int twice = 0; twice < 2; twice++) { /* a worker that died before it ended the job does it again */
        g_assert_true(csirt_letter_work(desk->store, &notifier, job->payload, TEST_NOW, &error));
        g_assert_no_error(error);
    }
    store_job_done(desk->store, job, "w", &error);
    int64_t mails = 0;
    store_get_int(desk->store, &mails, &error, "SELECT count(*) FROM mail", "");
    g_assert_no_error(error);
    g_assert_cmpint(mails, ==, expected_mails);
}

/* What is behind the receipt is not in the mail; a letter is sent once, however often the job runs; the case moves on. */
static void check_sending(Desk *desk, gconstpointer data) {
    (void)data;
    g_autoptr(GError) error = NULL;
    int64_t to = party(desk, "{'role': 'declarant', 'name': 'Dr Y', 'mail': 'y@test.test'}");
    int64_t message = send(desk, to, "acknowledged", &error);
    g_assert_no_error(error);
    g_assert_cmpint(message, >, 0);
    g_autoptr(json_t) item = get(desk);
    g_assert_cmpstr(test_text(item, "state"), ==, "acknowledged");
    g_assert_nonnull(strstr(test_text(item, "messages.0.body"), "TLP:AMBER"));
    g_assert_nonnull(strstr(test_text(item, "messages.0.body"), "Un secret."));
    work(desk, 1);
    g_autoptr(VigieRows) rows = store_query(desk->store, &error, "SELECT recipient, message FROM mail", "");
    g_assert_no_error(error);
    g_assert_true(rows_next(rows, &error));
    g_assert_cmpstr(rows_text(rows, 0), ==, "y@test.test");
    VigieBytes sent = rows_blob(rows, 1);
    g_autofree char *text = g_strndup((const char *)sent.data, sent.size);
    g_assert_null(strstr(text, "Un secret"));
    g_assert_nonnull(strstr(text, "/receipt"));
}

/* Without a keyring, what must be encrypted waits; it never goes in clear. */
static void check_no_key(Desk *desk, gconstpointer data) {
    (void)data;
    g_autoptr(GError) error = NULL;
    const VigieNotifier notifier = {.config = desk->config, .team = desk->team};
    static const char *const kinds[] = {CSIRT_JOB_LETTER, NULL};
    int64_t to = party(desk, "{'role': 'organisation', 'name': 'X', 'mail': 'x@test.test', 'sees': ['case'], "
                             "'fingerprint': '749AA6282411F695524974D39F06A1628E92D7E3'}");
    send(desk, to, NULL, &error);
    g_assert_no_error(error);
    g_autoptr(VigieJob) job = store_job_take(desk->store, kinds, "w", 60, TEST_NOW, &error);
    g_assert_false(csirt_letter_work(desk->store, &notifier, job->payload, TEST_NOW, &error));
    g_assert_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE);
    g_clear_error(&error);
    int64_t mails = 0;
    store_get_int(desk->store, &mails, &error, "SELECT count(*) FROM mail", "");
    g_assert_cmpint(mails, ==, 0);
    int64_t supplier =
        party(desk, "{'role': 'supplier', 'name': 'Z', 'mail': 'z@test.test', 'sees': ['case']}");
    g_assert_cmpint(send(desk, supplier, NULL, &error), ==, 0);
    g_assert_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED);
}

/* Every canned text is in both languages and all of its variables are filled. */
static void check_canned(Desk *desk, gconstpointer data) {
    (void)data;
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) item = get(desk);
    g_autoptr(GTimeZone) zone = g_time_zone_new_utc();
    const json_t *canned = csirt_canned(&error);
    size_t index;
    json_t *text;
    g_assert_no_error(error);
    json_array_foreach(canned, index, text) {
        for (VigieLang lang = 0; lang < VIGIE_LANGS; lang++) {
            g_autofree char *body = csirt_canned_fill(vigie_text_in(lang, json_object_get(text, "body")),
                                                      item, NULL, desk->team, "a.martin", lang, zone);
            g_assert_null(strchr(body, '{'));
            g_assert_cmpuint(strlen(body), >, 5);
        }
    }
}

/* ---- The change of shift ------------------------------------------------------------------------------------ */
static void check_handover(Desk *desk, gconstpointer data) {
    (void)data;
    g_autoptr(GError) error = NULL;
    int64_t task = 0, note = 0;
    change(desk, "{'facts': {'patients': 'proven', 'threat': 'critical', 'urgency': 'now', 'care': "
                 "['emergency']}, 'urgent': true}");
    csirt_task_add(desk->store, "a.martin", desk->id, "call", "Rappeler", NULL, NULL, TEST_NOW + HOUR,
                   TEST_NOW, &task, &error);
    csirt_task_add(desk->store, "a.martin", desk->id, "call", "Plus tard", NULL, NULL, TEST_NOW + 20 * HOUR,
                   TEST_NOW, &task, &error);
    int64_t hidden = test_open(desk->store, desk->team, "Secret");
    g_autoptr(json_t) restrict_it = test_json("{'restricted': true, 'urgent': true}");
    csirt_case_change(desk->store, desk->team, &test_head, hidden, restrict_it, TEST_NOW, &error);
    g_assert_no_error(error);
    g_autoptr(json_t) draft = csirt_handover_draft(desk->store, &test_head, TEST_NOW, &error);
    g_assert_no_error(error);
    g_assert_cmpint(test_int(draft, "active"), ==, 2);
    g_assert_cmpint(test_int(draft, "restricted"), ==, 1);
    g_assert_cmpuint(json_array_size(json_object_get(draft, "urgent")), ==, 1);
    g_assert_cmpuint(json_array_size(json_object_get(draft, "tasks")), ==, 1);
    g_autofree char *all = vigie_json_text(draft);
    g_assert_null(strstr(all, "Secret"));
    g_assert_false(csirt_handover_add(desk->store, &test_analyst, " \n ", TEST_NOW, &note, &error));
    g_assert_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID);
    g_clear_error(&error);
    g_assert_true(csirt_handover_add(desk->store, &test_analyst, "RAS", TEST_NOW, &note, &error));
    for (int i = 0; i < 2; i++)
        g_assert_true(csirt_handover_read(desk->store, &test_other, note, TEST_NOW + HOUR + i, &error));
    g_autoptr(json_t) list = csirt_handover_list(desk->store, &test_other, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(test_text(list, "items.0.read.0.account"), ==, test_other.name);
    g_assert_cmpstr(test_text(list, "items.0.read.0.time"), ==, "2026-11-23T10:00:00Z");
    g_assert_false(csirt_handover_add(desk->store, &test_stranger, "x", TEST_NOW, &note, &error));
    g_assert_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED);
}

#define ADD(path, function) g_test_add(path, Desk, NULL, desk_open, function, desk_close)

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_autoptr(GError) error = NULL;
    vigie_words_load(&error);
    g_assert_no_error(error);
    g_test_add_func("/desk/steps", check_steps);
    ADD("/desk/changes", check_changes);
    ADD("/desk/escalation", check_escalation);
    ADD("/desk/ways", check_ways);
    ADD("/desk/sending", check_sending);
    ADD("/desk/no-key", check_no_key);
    ADD("/desk/canned", check_canned);
    ADD("/desk/handover", check_handover);
    return test_csirt_run(argc, argv);
}
