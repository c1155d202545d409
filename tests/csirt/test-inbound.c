/* Mail that came in, filed: who answers joins, who writes anew opens a case, who answers by itself opens nothing. */
#include "csirt-test.h"
#include "csirt/inbound.h"

#include <glib/gstdio.h>
#include <string.h>

static VigieConfig *config;
static VigieMailCell *cell;
static VigieTime now = TEST_NOW;
static volatile int stop;

static VigieTime clock_now(void) {
    return now;
}

static int64_t count(VigieStore *store, const char *sql) {
    int64_t value = 0;
    g_autoptr(GError) error = NULL;
    store_get_int(store, &value, &error, sql, "");
    g_assert_no_error(error);
    return value;
}

static char *text(VigieStore *store, const char *sql) {
    g_autoptr(GError) error = NULL;
    g_autoptr(VigieRows) rows = store_query(store, &error, sql, "");
    g_assert_true(rows_next(rows, &error));
    return g_strdup(rows_text(rows, 0));
}

/* One message comes in and is filed. */
static void receive(VigieStore *store, const VigieTeam *team, const char *mailbox, const char *raw) {
    const VigieNotifier notifier = {config, team, cell};
    g_autoptr(GBytes) bytes = g_bytes_new(raw, strlen(raw));
    g_autoptr(GError) error = NULL;
    mail_inbound_add(store, mailbox, bytes, now, NULL, &error);
    g_assert_no_error(error);
    csirt_inbound_work(store, &notifier, &stop, clock_now, &error);
    g_assert_no_error(error);
    g_autoptr(VigieMailInbound) left = mail_inbound_next(store, 0, now + 86400, &error);
    g_assert_null(left);
}

#define HEAD "From: Anne <anne@hop.test>\r\nTo: csirt@chu.test\r\nMessage-ID: <m1@hop.test>\r\nSubject: "

/* Proves that a first message opens a case of its mailbox's kind, with its text, attachment and sender, acknowledged once. */
static void test_opens(void) {
    g_autoptr(VigieStore) store = test_store_new();
    g_autoptr(VigieTeam) team = test_team();
    receive(store, team, "incident",
            HEAD "Postes chiffrés\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nDepuis ce "
                 "matin\r\n--b\r\n"
                 "Content-Type: image/png; name=ecran.png\r\n\r\nPNG\r\n--b--\r\n");
    receive(store, team, "contact", "From: b@hop.test\r\nSubject:\r\n\r\nUne question\r\n");
    g_assert_cmpint(
        count(store, "SELECT COUNT(*) FROM csirt_case WHERE kind = 'incident' AND channel = 'mail'"), ==, 1);
    g_assert_cmpint(count(store, "SELECT COUNT(*) FROM csirt_case WHERE kind = 'request'"), ==, 1);
    g_autofree char *body = text(store, "SELECT body FROM csirt_message WHERE message_id = 'm1@hop.test'");
    g_assert_nonnull(strstr(body, "Depuis ce matin"));
    g_assert_cmpint(
        count(store, "SELECT COUNT(*) FROM csirt_party WHERE role = 'declarant' AND mail = 'anne@hop.test'"),
        ==, 1);
    g_assert_cmpint(count(store, "SELECT COUNT(*) FROM csirt_artefact WHERE size = 3"), ==, 1);
    g_assert_cmpint(count(store, "SELECT COUNT(*) FROM mail"), ==, 2);
    g_autofree char *reference = text(store, "SELECT reference FROM csirt_case WHERE kind = 'incident'");
    g_autofree char *subject = text(store, "SELECT subject FROM mail ORDER BY id LIMIT 1");
    g_assert_nonnull(strstr(subject, reference));
}

/* Proves the two ways into a case that is there, and that somebody else who writes becomes a party of their own. */
static void test_joins(void) {
    g_autoptr(VigieStore) store = test_store_new();
    g_autoptr(VigieTeam) team = test_team();
    receive(store, team, "incident", HEAD "Premier\r\n\r\nun\r\n");
    receive(store, team, "incident",
            "From: Anne <ANNE@hop.test>\r\nReferences: <x@y> <m1@hop.test>\r\nSubject: Re: "
            "Premier\r\n\r\ndeux\r\n");
    g_autofree char *reference = text(store, "SELECT reference FROM csirt_case");
    g_autofree char *raw =
        g_strdup_printf("From: rssi@hop.test\r\nSubject: TR: [%s] suite\r\n\r\ntrois\r\n", reference);
    receive(store, team, "contact", raw);
    g_assert_cmpint(count(store, "SELECT COUNT(*) FROM csirt_case"), ==, 1);
    g_assert_cmpint(count(store, "SELECT COUNT(*) FROM csirt_message WHERE direction = 'in'"), ==, 3);
    g_assert_cmpint(count(store, "SELECT COUNT(*) FROM csirt_party"), ==, 2);
    g_assert_cmpint(
        count(store, "SELECT COUNT(*) FROM csirt_party WHERE role = 'other' AND mail = 'rssi@hop.test'"), ==,
        1);
    g_assert_cmpint(count(store, "SELECT COUNT(*) FROM mail"), ==, 1);
}

/* Proves that what answers by itself opens nothing and is answered by nothing, and is told where its case is known. */
static void test_automatic(void) {
    g_autoptr(VigieStore) store = test_store_new();
    g_autoptr(VigieTeam) team = test_team();
    receive(store, team, "incident", HEAD "Premier\r\n\r\nun\r\n");
    g_autoptr(GError) error = NULL;
    int64_t id = count(store, "SELECT id FROM csirt_case");
    const VigieCaseMessage out = {.direction = "out",
                                  .channel = "mail",
                                  .author = "anne",
                                  .subject = "s",
                                  .body = "b",
                                  .message_id = "our-1@chu.test"};
    g_assert_true(csirt_message_add(store, team, id, &out, now, NULL, &error));
    receive(store, team, "incident",
            "From: anne@hop.test\r\nAuto-Submitted: auto-replied\r\nIn-Reply-To: "
            "<our-1@chu.test>\r\nSubject: Absente\r\n\r\nx\r\n");
    receive(store, team, "incident",
            "From: x@y.test\r\nAuto-Submitted: auto-replied\r\nSubject: Absent\r\n\r\nx\r\n");
    receive(store, team, "incident",
            "From: csirt@chu.test\r\nX-Loop: csirt@chu.test\r\nSubject: Boucle\r\n\r\nx\r\n");
    receive(store, team, "incident",
            "Return-Path: <>\r\nFrom: MAILER-DAEMON@r.test\r\nSubject: Undelivered\r\nContent-Type: "
            "multipart/report; "
            "report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\nsorry\r\n--b\r\nContent-Type: "
            "message/delivery-status\r\n\r\n"
            "Reporting-MTA: dns; r\r\n\r\nFinal-Recipient: rfc822; dsi@hop.test\r\nAction: failed\r\nStatus: "
            "5.1.1\r\n\r\n--b\r\n"
            "Content-Type: text/rfc822-headers\r\n\r\nMessage-ID: <our-1@chu.test>\r\n\r\n--b--\r\n");
    g_assert_cmpint(count(store, "SELECT COUNT(*) FROM csirt_case"), ==, 1);
    g_assert_cmpint(count(store, "SELECT COUNT(*) FROM csirt_message WHERE direction = 'in'"), ==, 1);
    g_assert_cmpint(count(store, "SELECT COUNT(*) FROM mail"), ==, 1);
    g_autofree char *lines = test_lines(store, id);
    g_assert_nonnull(strstr(lines, "autoreply"));
    g_assert_nonnull(strstr(lines, "bounced"));
    g_assert_cmpint(count(store, "SELECT COUNT(*) FROM mail_inbound WHERE handled IS NULL"), ==, 0);
}

/* Proves that what cannot be opened is a case to look at, with the message as it came, and that urgency calls somebody. */
static void test_looked_at(void) {
    g_autoptr(VigieStore) store = test_store_new();
    g_autoptr(VigieTeam) team = test_team();
    receive(store, team, "incident",
            HEAD "[urgent] ...\r\nContent-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; "
                 "boundary=b\r\n\r\n--b\r\n"
                 "Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n\r\n--b\r\nContent-Type: "
                 "application/octet-stream\r\n\r\n"
                 "-----BEGIN PGP MESSAGE-----\r\n\r\nAAAA\r\n-----END PGP MESSAGE-----\r\n--b--\r\n");
    g_assert_cmpint(count(store, "SELECT COUNT(*) FROM csirt_case WHERE urgent = 1"), ==, 1);
    g_assert_cmpint(count(store, "SELECT COUNT(*) FROM csirt_task WHERE kind = 'read-mail'"), ==, 1);
    g_assert_cmpint(count(store, "SELECT COUNT(*) FROM csirt_task WHERE kind = 'call'"), ==, 1);
    g_assert_cmpint(count(store, "SELECT COUNT(*) FROM csirt_artefact WHERE name LIKE 'message.eml%'"), ==,
                    1);
}

/* Proves that an urgent reply makes its case urgent, with the reason in both languages, that a person can take it back, that the desk
 * has one call to make however many such mails come, and that who is on duty is told by a mail that says nothing of the case. */
static void test_pressed(void) {
    g_autoptr(VigieStore) store = test_store_new();
    g_autoptr(VigieTeam) team = test_team();
    g_autoptr(GError) error = NULL;
    json_object_set_new((json_t *)csirt_team_json(team), "roster",
                        test_json("[{'name': 'C. Martin', 'phone': '+33612345678', 'mail': "
                                  "'astreinte@chu.test', 'from': '2026-11-01T00:00:00Z', 'until': "
                                  "'2026-12-01T00:00:00Z'}]"));
    receive(store, team, "incident", HEAD "Premier\r\n\r\nun\r\n");
    int64_t id = count(store, "SELECT id FROM csirt_case WHERE urgent = 0");
    for (int i = 0; i < 3; i++)
        receive(store, team, "incident",
                "From: anne@hop.test\r\nIn-Reply-To: <m1@hop.test>\r\nSubject: [URGENT] la chirurgie "
                "s'arrête\r\n\r\ndeux\r\n");
    g_assert_cmpint(count(store, "SELECT urgent FROM csirt_case"), ==, 1);
    g_assert_cmpint(count(store, "SELECT COUNT(*) FROM csirt_task WHERE kind = 'call'"), ==, 1);
    g_assert_cmpint(count(store, "SELECT COUNT(*) FROM mail WHERE recipient = 'astreinte@chu.test'"), ==, 1);
    g_assert_cmpint(count(store, "SELECT COUNT(*) FROM mail WHERE recipient = 'astreinte@chu.test' AND "
                                 "subject LIKE '%chirurgie%'"),
                    ==, 0);
    g_autoptr(json_t) a_case = csirt_case_get(store, team, &test_analyst, id, now, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(csirt_task_title(VIGIE_FR, test_at(a_case, "tasks.0")), ==,
                    "Urgent\u00a0: prévenir l’astreinte, C. Martin +33612345678");
    g_assert_cmpstr(csirt_task_title(VIGIE_EN, test_at(a_case, "tasks.0")), ==,
                    "Urgent: call who is on duty, C. Martin +33612345678");
    g_autofree char *lines = test_lines(store, id);
    g_assert_nonnull(strstr(lines, "duty"));
    g_autofree char *reason =
        text(store, "SELECT details FROM csirt_entry WHERE kind = 'changed' ORDER BY seq DESC LIMIT 1");
    g_assert_cmpstr(reason, ==,
                    "{\"changes\":{\"urgent\":true},\"reason\":\"csirt.inbound.pressed\",\"values\":{}}");
    g_autoptr(json_t) back = test_json("{'urgent': false}");
    g_assert_true(csirt_case_change(store, team, &test_analyst, id, back, now, &error));
    g_assert_cmpint(count(store, "SELECT urgent FROM csirt_case"), ==, 0);
}

/* Proves that a task of before, whose title is French alone, is said in the reader's language where it kept both. */
static void test_old_task(void) {
    g_autoptr(VigieStore) store = test_store_new();
    g_autoptr(VigieTeam) team = test_team();
    g_autoptr(GError) error = NULL;
    int64_t id = test_open(store, team, "Ancien");
    g_assert_true(
        csirt_task_add(store, "", id, "call", "Appeler l'hôpital",
                       test_json("{'text': {'fr': 'Appeler l’hôpital', 'en': 'Call the hospital'}}"), NULL,
                       now, now, NULL, &error));
    g_autoptr(json_t) tasks = csirt_task_list(store, &test_analyst, id, &error);
    g_assert_cmpstr(csirt_task_title(VIGIE_EN, test_at(tasks, "0")), ==, "Call the hospital");
    g_assert_cmpstr(csirt_task_title(VIGIE_FR, test_at(tasks, "0")), ==, "Appeler l’hôpital");
}

/* Proves that to a case whose source is protected nothing of who writes is added. */
static void test_protected(void) {
    g_autoptr(VigieStore) store = test_store_new();
    g_autoptr(VigieTeam) team = test_team();
    g_autoptr(GError) error = NULL;
    g_auto(VigieOpened) opened = {0};
    const VigieOpening opening = {
        .kind = "vulnerability", .channel = "form", .source = "anonymous", .title = "Faille"};
    g_assert_true(csirt_case_open(store, team, &opening, now, &opened, &error));
    g_autofree char *raw = g_strdup_printf(
        "From: Source <lanceur@alerte.test>\r\nSubject: %s\r\n\r\nencore\r\n", opened.reference);
    receive(store, team, "contact", raw);
    g_assert_cmpint(count(store, "SELECT COUNT(*) FROM csirt_message WHERE direction = 'in'"), ==, 1);
    g_assert_cmpint(count(store, "SELECT COUNT(*) FROM csirt_party WHERE mail LIKE '%alerte%'"), ==, 0);
    g_assert_cmpint(
        count(
            store,
            "SELECT COUNT(*) FROM csirt_message WHERE protection LIKE '%alerte%' OR subject LIKE '%alerte%'"),
        ==, 0);
    g_assert_cmpint(count(store, "SELECT COUNT(*) FROM csirt_entry WHERE details LIKE '%alerte%'"), ==, 0);
    g_assert_cmpint(count(store, "SELECT COUNT(*) FROM mail_inbound WHERE raw IS NOT NULL"), ==, 0);
    g_assert_cmpint(count(store, "SELECT COUNT(*) FROM mail"), ==, 0);
}

/* Proves that what cannot be read of a case whose source is protected stays nowhere in clear: sealed to the head, who opens it, and
 * gone from what came in. */
static void test_protected_unreadable(void) {
    g_autoptr(VigieStore) store = test_store_new();
    g_autoptr(VigieTeam) team = test_team();
    g_autoptr(GError) error = NULL;
    g_auto(VigieOpened) opened = {0};
    const VigieOpening opening = {
        .kind = "vulnerability", .channel = "form", .source = "anonymous", .title = "Faille"};
    g_assert_true(csirt_case_open(store, team, &opening, now, &opened, &error));
    g_autofree char *raw = g_strdup_printf(
        "From: Source <lanceur@alerte.test>\r\nSubject: %s\r\nContent-Type: multipart/encrypted; "
        "protocol=\"application/pgp-encrypted\"; boundary=b\r\n\r\n--b\r\nContent-Type: "
        "application/pgp-encrypted\r\n\r\nVersion: 1\r\n\r\n--b\r\nContent-Type: "
        "application/octet-stream\r\n\r\n-----BEGIN PGP MESSAGE-----\r\n\r\nAAAA\r\n-----END PGP "
        "MESSAGE-----\r\n--b--\r\n",
        opened.reference);
    receive(store, team, "contact", raw);
    g_assert_cmpint(count(store, "SELECT COUNT(*) FROM mail_inbound WHERE raw IS NOT NULL"), ==, 0);
    g_autofree char *advice = text(store, "SELECT details FROM csirt_task WHERE kind = 'read-mail'");
    g_assert_nonnull(strstr(advice, "csirt.inbound.look.sealed"));
    int64_t artefact = count(store, "SELECT id FROM csirt_artefact WHERE name LIKE 'message.eml.p7m%'");
    g_autofree char *name = NULL;
    g_autoptr(GBytes) kept = csirt_artefact_open(store, team, &test_analyst, artefact, now, &name, &error);
    g_assert_no_error(error);
    gsize size = 0;
    const void *data = g_bytes_get_data(kept, &size);
    g_assert_null(memmem(data, size, "alerte", 6));
    g_autofree char *seen = test_head_opens(vigie_bytes(data, size));
    g_assert_nonnull(strstr(seen, "lanceur@alerte.test"));
}

/* Proves that one address is answered ten times a day, not more. */
static void test_not_flooded(void) {
    g_autoptr(VigieStore) store = test_store_new();
    g_autoptr(VigieTeam) team = test_team();
    for (int i = 0; i < 13; i++)
        receive(store, team, "contact", "From: victim@hop.test\r\nSubject: x\r\n\r\nx\r\n");
    g_assert_cmpint(count(store, "SELECT COUNT(*) FROM csirt_case"), ==, 13);
    g_assert_cmpint(count(store, "SELECT COUNT(*) FROM mail"), ==, 10);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp("vigie-inbound-XXXXXX.conf", &path, NULL);
    g_close(fd, NULL);
    g_file_set_contents(path, "[mail]\nserver = smtp://127.0.0.1:9\nfrom = CSIRT <csirt@chu.test>\n", -1,
                        NULL);
    config = vigie_config_load(path, NULL);
    cell = mail_cell_start(config, NULL); /* before any thread */
    g_test_add_func("/csirt/inbound/opens", test_opens);
    g_test_add_func("/csirt/inbound/joins", test_joins);
    g_test_add_func("/csirt/inbound/automatic", test_automatic);
    g_test_add_func("/csirt/inbound/looked-at", test_looked_at);
    g_test_add_func("/csirt/inbound/pressed", test_pressed);
    g_test_add_func("/csirt/inbound/old-task", test_old_task);
    g_test_add_func("/csirt/inbound/protected", test_protected);
    g_test_add_func("/csirt/inbound/protected-unreadable", test_protected_unreadable);
    g_test_add_func("/csirt/inbound/not-flooded", test_not_flooded);
    int status = test_csirt_run(argc, argv);
    mail_cell_free(cell);
    vigie_config_free(config);
    remove(path);
    return status;
}
