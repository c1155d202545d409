/* A case from its declaration to its end, on both databases. */
#include "csirt-test.h"
#include "csirt/internal.h"
#include "csirt/notify.h"

#include <glib/gstdio.h>
#include <string.h>

typedef struct {
    VigieStore *store;
    VigieTeam *team;
} Desk;

static void desk_open(Desk *desk, gconstpointer data) {
    (void)data;
    desk->store = test_store_new();
    desk->team = test_team();
}

static void desk_close(Desk *desk, gconstpointer data) {
    (void)data;
    csirt_team_free(desk->team);
    store_close(desk->store);
}

/* ---- Opening ------------------------------------------------------------------------------------------------ */
/* A declaration becomes a case with its reference, its receipt, its first line, its party and its message. */
static void test_opening(Desk *desk, gconstpointer data) {
    (void)data;
    g_autoptr(GError) error = NULL;
    g_auto(VigieOpened) opened = {0};
    g_autoptr(json_t) declarant = test_json("{'name': 'Anne Le Goff', 'mail': 'a.legoff@chu.test'}");
    const VigieOpening opening = {.kind = "incident",
                                  .channel = "form",
                                  .source = "open",
                                  .title = "Rançongiciel\nau bloc",
                                  .organisation_name = "CHU de Kermarec",
                                  .text = "Les postes du bloc sont chiffrés.",
                                  .declarant = declarant};
    g_assert_true(csirt_case_open(desk->store, desk->team, &opening, TEST_NOW, &opened, &error));
    g_assert_no_error(error);
    g_assert_true(g_str_has_prefix(opened.reference, "CERTSANTE-2026-000001-"));
    g_autoptr(json_t) found =
        csirt_case_get(desk->store, desk->team, &test_analyst, opened.id, TEST_NOW, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(test_text(found, "title"), ==, "Rançongiciel au bloc");
    g_assert_cmpstr(test_text(found, "state"), ==, "received");
    g_assert_cmpstr(test_text(found, "tlp"), ==, "AMBER");
    g_assert_cmpstr(test_text(found, "parties.0.mail"), ==, "a.legoff@chu.test");
    g_assert_cmpstr(test_text(found, "messages.0.body"), ==, "Les postes du bloc sont chiffrés.");
    g_assert_cmpstr(test_text(found, "timeline.0.kind"), ==, "opened");
    int64_t id = 0;
    g_autofree char *spelt = g_ascii_strdown(opened.reference, -1);
    g_assert_true(
        csirt_case_find(desk->store, desk->team, &test_analyst, g_strdelimit(spelt, "-", ' '), &id, &error));
    g_assert_cmpint(id, ==, opened.id);
}

/* Numbers begin with 1 each year, and go on where a case was not kept. */
static void test_numbers(Desk *desk, gconstpointer data) {
    (void)data;
    g_autoptr(GError) error = NULL;
    static const struct {
        VigieTime time;
        const char *begins;
    } openings[] = {{TEST_NOW, "CERTSANTE-2026-000001-"},
                    {TEST_NOW, "CERTSANTE-2026-000002-"},
                    {TEST_NOW + 60 * 86400, "CERTSANTE-2027-000001-"},
                    {TEST_NOW + 60 * 86400, "CERTSANTE-2027-000002-"}};
    for (size_t i = 0; i < G_N_ELEMENTS(openings); i++) {
        g_auto(VigieOpened) opened = {0};
        const VigieOpening opening = {.kind = "request", .channel = "api", .source = "open", .title = "T"};
        g_assert_true(csirt_case_open(desk->store, desk->team, &opening, openings[i].time, &opened, &error));
        g_assert_no_error(error);
        g_assert_true(g_str_has_prefix(opened.reference, openings[i].begins));
    }
}

/* The same key opens one case; the receipt is told once. */
static void test_opening_twice(Desk *desk, gconstpointer data) {
    (void)data;
    g_autoptr(GError) error = NULL;
    g_auto(VigieOpened) first = {0}, second = {0};
    const VigieOpening opening = {
        .kind = "request", .channel = "api", .source = "open", .title = "Question", .unique_key = "form:42"};
    g_assert_true(csirt_case_open(desk->store, desk->team, &opening, TEST_NOW, &first, &error));
    g_assert_true(csirt_case_open(desk->store, desk->team, &opening, TEST_NOW + 5, &second, &error));
    g_assert_no_error(error);
    g_assert_cmpint(first.id, ==, second.id);
    g_assert_cmpstr(first.reference, ==, second.reference);
    g_assert_nonnull(first.receipt);
    g_assert_null(second.receipt);
}

/* What is too long is refused by member; control characters, bad UTF-8 and reversed writing are put right. */
static void test_opening_hostile(Desk *desk, gconstpointer data) {
    (void)data;
    g_autoptr(GError) error = NULL;
    g_auto(VigieOpened) opened = {0};
    g_autofree char *longer = g_strnfill(201, 'x');
    VigieOpening opening = {.kind = "incident", .channel = "form", .source = "open", .title = longer};
    g_assert_false(csirt_case_open(desk->store, desk->team, &opening, TEST_NOW, &opened, &error));
    test_error_says(&error, VIGIE_ERROR_LIMIT, "title", "200", NULL);
    g_autofree char *huge = g_strnfill((1 << 20) + 1, 'x');
    opening.title = "t";
    opening.text = huge;
    g_assert_false(csirt_case_open(desk->store, desk->team, &opening, TEST_NOW, &opened, &error));
    test_error_says(&error, VIGIE_ERROR_LIMIT, "text", NULL);
    opening.text = "a\x01z\xff\xfe";
    opening.title = "gpj.\xe2\x80\xae"
                    "exe\x7f";
    g_assert_true(csirt_case_open(desk->store, desk->team, &opening, TEST_NOW, &opened, &error));
    g_assert_no_error(error);
    g_autoptr(json_t) found =
        csirt_case_get(desk->store, desk->team, &test_head, opened.id, TEST_NOW, &error);
    g_assert_cmpstr(test_text(found, "title"), ==, "gpj. exe");
    g_assert_cmpstr(test_text(found, "messages.0.body"), ==, "az\xef\xbf\xbd\xef\xbf\xbd");
    opening.kind = "nonsense";
    g_assert_false(csirt_case_open(desk->store, desk->team, &opening, TEST_NOW, &opened, &error));
    test_error_says(&error, VIGIE_ERROR_INVALID, "kind", "incident", NULL);
}

/* ---- The source --------------------------------------------------------------------------------------------- */
/* A protected source is nowhere in the store but sealed, and the head's key alone opens it. */
static void test_protected(Desk *desk, gconstpointer data) {
    (void)data;
    g_autoptr(GError) error = NULL;
    g_auto(VigieOpened) opened = {0};
    g_autoptr(json_t) declarant = test_json("{'name': 'Zébulon Lanceur', 'mail': 'zebulon@alerte.test'}");
    const VigieOpening opening = {.kind = "vulnerability",
                                  .channel = "form",
                                  .source = "protected",
                                  .title = "Portail ouvert",
                                  .declarant = declarant};
    g_assert_true(csirt_case_open(desk->store, desk->team, &opening, TEST_NOW, &opened, &error));
    g_assert_no_error(error);
    g_autoptr(VigieRows) rows = store_query(
        desk->store, &error, "SELECT sealed FROM csirt_source WHERE case_id = $1", "i", opened.id);
    g_assert_true(rows_next(rows, &error));
    g_autofree char *clear = test_head_opens(rows_blob(rows, 0));
    g_assert_nonnull(strstr(clear, "zebulon@alerte.test"));
    g_autoptr(json_t) found =
        csirt_case_get(desk->store, desk->team, &test_head, opened.id, TEST_NOW, &error);
    g_autofree char *text = vigie_json_text(found);
    g_assert_null(strstr(text, "zebulon"));
    g_assert_null(strstr(text, "Zébulon"));
    VigieCaseFilter filter = {.q = "zebulon"};
    g_autoptr(json_t) page = csirt_case_list(desk->store, &test_head, &filter, TEST_NOW, &error);
    g_assert_cmpint(test_int(page, "total"), ==, 0);
}

/* Of an anonymous report, nothing of who reports is taken. */
static void test_anonymous(Desk *desk, gconstpointer data) {
    (void)data;
    g_autoptr(GError) error = NULL;
    g_auto(VigieOpened) opened = {0};
    g_autoptr(json_t) declarant = test_json("{'name': 'X'}");
    VigieOpening opening = {
        .kind = "vulnerability", .channel = "form", .source = "anonymous", .declarant = declarant};
    g_assert_false(csirt_case_open(desk->store, desk->team, &opening, TEST_NOW, &opened, &error));
    test_error_says(&error, VIGIE_ERROR_INVALID, "declarant", "anonymous", NULL);
}

/* ---- The receipt -------------------------------------------------------------------------------------------- */
static void test_receipt(Desk *desk, gconstpointer data) {
    (void)data;
    g_autoptr(GError) error = NULL;
    g_auto(VigieOpened) opened = {0};
    int64_t id = 0;
    const VigieOpening opening = {.kind = "incident",
                                  .channel = "form",
                                  .source = "anonymous",
                                  .title = "Panne",
                                  .text = "Tout est lent"};
    g_assert_true(csirt_case_open(desk->store, desk->team, &opening, TEST_NOW, &opened, &error));
    g_assert_false(
        csirt_receipt_open(desk->store, desk->team, opened.reference, "AAAA-AAAA-AAAA-AAAA", &id, &error));
    g_autofree char *wrong = g_strdup(error->message);
    test_error_says(&error, VIGIE_ERROR_DENIED, "together", NULL);
    g_assert_false(
        csirt_receipt_open(desk->store, desk->team, "CERTSANTE-2026-999999-A", opened.receipt, &id, &error));
    g_assert_cmpstr(error->message, ==, wrong); /* whether the reference exists is not told */
    g_clear_error(&error);
    g_autofree char *lower = g_ascii_strdown(opened.receipt, -1);
    g_assert_true(csirt_receipt_open(desk->store, desk->team, opened.reference, lower, &id, &error));
    g_assert_cmpint(id, ==, opened.id);
    const VigieCaseMessage internal = {
        .direction = "in", .channel = "mail", .subject = "Tiers", .body = "secret"};
    g_assert_true(csirt_message_add(desk->store, desk->team, id, &internal, TEST_NOW + 1, NULL, &error));
    g_assert_true(csirt_case_move(desk->store, desk->team, &test_analyst, id, "rejected", "doublon",
                                  TEST_NOW + 2, &error));
    g_assert_true(csirt_receipt_add(desk->store, desk->team, id, "Cela empire", NULL, NULL, TEST_NOW + 3,
                                    NULL, &error));
    g_assert_no_error(error);
    g_autoptr(json_t) receipt = csirt_receipt_get(desk->store, id, TEST_NOW + 4, &error);
    g_assert_cmpstr(test_text(receipt, "state"), ==, "acknowledged"); /* taken up again */
    g_assert_cmpuint(json_array_size(test_at(receipt, "messages")), ==, 2);
    g_autofree char *lines = test_lines(desk->store, id);
    g_assert_cmpstr(lines, ==, "opened message state message state");
}

/* ---- Working ------------------------------------------------------------------------------------------------ */
static void test_states(Desk *desk, gconstpointer data) {
    (void)data;
    g_autoptr(GError) error = NULL;
    static const char *const states[] = {"received", "acknowledged", "qualified", "in-progress",
                                         "resolved", "closed",       "rejected",  "merged"};
    static const char *const allowed = " received>acknowledged received>qualified received>rejected "
                                       "acknowledged>qualified acknowledged>rejected qualified>in-progress "
                                       "qualified>resolved qualified>rejected in-progress>qualified "
                                       "in-progress>resolved resolved>closed resolved>in-progress "
                                       "closed>in-progress rejected>acknowledged ";
    for (size_t from = 0; from < G_N_ELEMENTS(states); from++)
        for (size_t to = 0; to < G_N_ELEMENTS(states); to++) {
            int64_t id = test_open(desk->store, desk->team, "États");
            store_exec(desk->store, &error, "UPDATE csirt_case SET state = $2 WHERE id = $1", "it", id,
                       states[from]);
            g_autofree char *pair = g_strdup_printf(" %s>%s ", states[from], states[to]);
            bool moved = csirt_case_move(desk->store, desk->team, &test_analyst, id, states[to], "raison",
                                         TEST_NOW, &error);
            g_test_message("%s: %s", pair, moved ? "moved" : error->message);
            g_assert_cmpint(moved, ==, strstr(allowed, pair) != NULL);
            if (!moved)
                g_assert_error(error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT);
            g_clear_error(&error);
        }
    int64_t id = test_open(desk->store, desk->team, "Sans raison");
    g_assert_false(
        csirt_case_move(desk->store, desk->team, &test_analyst, id, "rejected", "", TEST_NOW, &error));
    test_error_says(&error, VIGIE_ERROR_INVALID, "reason", NULL);
}

static void test_change(Desk *desk, gconstpointer data) {
    (void)data;
    g_autoptr(GError) error = NULL;
    int64_t id = test_open(desk->store, desk->team, "Avant");
    g_autoptr(json_t) fields =
        test_json("{'title': 'Après', 'urgent': true, 'likelihood': 'likely', 'assignee': 'a.martin'}");
    g_assert_true(csirt_case_change(desk->store, desk->team, &test_analyst, id, fields, TEST_NOW, &error));
    g_assert_no_error(error);
    g_autoptr(json_t) found = csirt_case_get(desk->store, desk->team, &test_analyst, id, TEST_NOW, &error);
    g_assert_cmpstr(test_text(found, "title"), ==, "Après");
    g_assert_true(json_is_true(test_at(found, "urgent")));
    g_assert_cmpstr(test_text(found, "timeline.1.details.changes.title"), ==, "Après");
    static const struct {
        const char *fields;
        VigieErrorCode code;
        const char *says;
    } refused[] = {
        {"{}", VIGIE_ERROR_INVALID, "nothing"},
        {"{'kind': 'x'}", VIGIE_ERROR_INVALID, "kind"},
        {"{'state': 'closed'}", VIGIE_ERROR_INVALID, "state"},
        {"{'urgent': 'yes'}", VIGIE_ERROR_INVALID, "urgent"},
        {"{'title': null}", VIGIE_ERROR_INVALID, "title"},
        {"{'title': 'deux\\nlignes'}", VIGIE_ERROR_INVALID, "title"},
        {"{'restricted': true}", VIGIE_ERROR_DENIED, "head"},
        {"{'tlp': 'GREEN'}", VIGIE_ERROR_INVALID, "reason"},
        {"{'tlp': 'GREEN', 'reason': 'publié'}", VIGIE_ERROR_DENIED, "head"},
        {"{'tlp': 'WHITE'}", VIGIE_ERROR_INVALID, "tlp"},
        {"{'verified': 'hier'}", VIGIE_ERROR_INVALID, "verified"},
        {"{'facts': {'nonsense': 1}}", VIGIE_ERROR_INVALID, "nonsense"},
        {"{'facts': [1]}", VIGIE_ERROR_INVALID, "facts"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(refused); i++) {
        g_autoptr(json_t) wrong = test_json(refused[i].fields);
        g_test_message("%s", refused[i].fields);
        g_assert_false(
            csirt_case_change(desk->store, desk->team, &test_analyst, id, wrong, TEST_NOW, &error));
        test_error_says(&error, refused[i].code, refused[i].says, NULL);
    }
    g_autoptr(json_t) stricter = test_json("{'tlp': 'RED'}"),
                      less = test_json("{'tlp': 'GREEN', 'reason': 'publié'}");
    g_assert_true(csirt_case_change(desk->store, desk->team, &test_analyst, id, stricter, TEST_NOW, &error));
    g_assert_true(csirt_case_change(desk->store, desk->team, &test_head, id, less, TEST_NOW, &error));
    g_assert_no_error(error);
}

/* ---- The timeline ------------------------------------------------------------------------------------------- */
/* Whatever is done to the lines, the verification says where. */
static void test_tampering(Desk *desk, gconstpointer data) {
    (void)data;
    static const struct {
        const char *sql, *fault;
        int64_t seq;
    } tampers[] = {
        {"UPDATE csirt_entry SET details = '{\"text\":\"autre\"}' WHERE case_id = $1 AND seq = 2", "changed",
         2},
        {"UPDATE csirt_entry SET author = 'x' WHERE case_id = $1 AND seq = 1", "changed", 1},
        {"UPDATE csirt_entry SET time = time + 1 WHERE case_id = $1 AND seq = 3", "changed", 3},
        {"DELETE FROM csirt_entry WHERE case_id = $1 AND seq = 2", "missing", 2},
        {"DELETE FROM csirt_entry WHERE case_id = $1 AND seq = 3", "cut", 3},
        {"DELETE FROM csirt_entry WHERE case_id = $1", "cut", 1},
        {"INSERT INTO csirt_entry (case_id, seq, time, author, kind, details, hash) VALUES ($1, 4, 1, '', "
         "'note', '{}', "
         "'00')",
         "changed", 4},
        {"UPDATE csirt_case SET head = 'x' WHERE id = $1", "head", 3},
    };
    g_autoptr(GError) error = NULL;
    for (size_t i = 0; i < G_N_ELEMENTS(tampers); i++) {
        int64_t id = test_open(desk->store, desk->team, "Preuve");
        g_assert_true(csirt_note_add(desk->store, &test_analyst, id, "note", "un", TEST_NOW, &error));
        g_assert_true(csirt_note_add(desk->store, &test_analyst, id, "call", "deux", TEST_NOW, &error));
        g_autoptr(json_t) before = csirt_timeline_verify(desk->store, id, &error);
        g_assert_no_error(error);
        g_assert_cmpint(test_int(before, "entries"), ==, 3);
        g_assert_cmpuint(json_array_size(test_at(before, "faults")), ==, 0);
        store_exec(desk->store, &error, tampers[i].sql, "i", id);
        g_assert_no_error(error);
        g_autoptr(json_t) after = csirt_timeline_verify(desk->store, id, &error);
        g_autofree char *text = vigie_json_text(after);
        g_test_message("%s: %s", tampers[i].sql, text);
        g_assert_cmpstr(test_text(after, "faults.0.fault"), ==, tampers[i].fault);
        g_assert_cmpint(test_int(after, "faults.0.seq"), ==, tampers[i].seq);
    }
    g_autoptr(json_t) all = csirt_timeline_verify(desk->store, 0, &error);
    g_assert_cmpint(test_int(all, "cases"), ==, G_N_ELEMENTS(tampers));
}

/* Somebody who knows the chain writes a case's first line anew, and all that follows from it. */
static void forge(Desk *desk, int64_t id) {
    g_autoptr(GError) error = NULL;
    g_autoptr(VigieTransaction) tx = store_begin(desk->store, &error);
    store_exec(desk->store, &error, "UPDATE csirt_entry SET author = 'autre' WHERE case_id = $1 AND seq = 1",
               "i", id);
    g_autoptr(VigieRows) rows = store_query(
        desk->store, &error,
        "SELECT e.seq, e.time, e.author, e.kind, e.details, c.reference FROM csirt_entry e JOIN csirt_case c "
        "ON c.id = e.case_id WHERE e.case_id = $1 ORDER BY e.seq",
        "i", id);
    g_autofree char *hash = g_strdup("");
    while (rows_next(rows, &error)) {
        char *next = entry_hash(hash, rows_text(rows, 5), rows_int(rows, 0), rows_int(rows, 1),
                                rows_text(rows, 2), rows_text(rows, 3), rows_text(rows, 4));
        g_free(hash);
        hash = next;
        store_exec(desk->store, &error, "UPDATE csirt_entry SET hash = $3 WHERE case_id = $1 AND seq = $2",
                   "iit", id, rows_int(rows, 0), hash);
    }
    g_clear_pointer(&rows, rows_free);
    store_exec(desk->store, &error, "UPDATE csirt_case SET head = $2 WHERE id = $1", "it", id, hash);
    store_commit(&tx, &error);
    g_assert_no_error(error);
    g_autoptr(json_t) chain = csirt_timeline_verify(desk->store, 0, &error);
    g_assert_cmpuint(json_array_size(test_at(chain, "faults")), ==, 0); /* the chain alone does not show it */
}

/* The faults that an anchor shows, spaces between. Free with g_free. */
static char *held(Desk *desk, const char *anchor) {
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) faults = json_array();
    g_assert_true(csirt_anchor_verify(desk->store, anchor, faults, &error));
    g_assert_no_error(error);
    g_autoptr(GString) text = g_string_new(NULL);
    for (size_t i = 0; i < json_array_size(faults); i++)
        g_string_append_printf(text, "%s%s", i ? " " : "", test_text(json_array_get(faults, i), "fault"));
    return g_strdup(text->str);
}

static void assert_held(Desk *desk, const char *anchor, const char *faults) {
    g_autofree char *found = held(desk, anchor);
    g_assert_cmpstr(found, ==, faults);
}

/* Proves that an anchor kept elsewhere shows a database that was rewritten with all its hashes, whatever of it was; that it goes on
 * holding while the cases do; that it is read from a mail; and that nothing new is no new anchor. */
static void test_anchor(Desk *desk, gconstpointer data) {
    (void)data;
    g_autoptr(GError) error = NULL;
    g_assert_null(csirt_anchor(desk->store, TEST_NOW, &error));
    g_assert_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND);
    g_clear_error(&error);
    int64_t first = test_open(desk->store, desk->team, "Un"),
            second = test_open(desk->store, desk->team, "Deux");
    g_autofree char *one = csirt_anchor(desk->store, TEST_NOW, &error);
    g_autofree char *same = csirt_anchor(desk->store, TEST_NOW + 1, &error);
    g_assert_cmpstr(one, ==, same);
    csirt_note_add(desk->store, &test_analyst, second, "note", "plus", TEST_NOW, &error);
    g_autofree char *two = csirt_anchor(desk->store, TEST_NOW + 2, &error);
    csirt_note_add(desk->store, &test_analyst, first, "note", "après", TEST_NOW, &error);
    g_assert_no_error(error);
    assert_held(desk, one, "");
    assert_held(desk, two, "");
    g_autofree char *quoted = g_strdup_printf("Bonjour,\r\n\r\n> %s", two);
    assert_held(desk, quoted, "");
    forge(desk, first);
    assert_held(desk, one, "anchor");
    store_exec(desk->store, &error,
               "UPDATE csirt_anchor_head SET hash = (SELECT e.hash FROM csirt_entry e WHERE e.case_id = "
               "csirt_anchor_head.case_id AND e.seq = csirt_anchor_head.seq)",
               "");
    assert_held(desk, one, "anchor-digest");
    assert_held(desk, two, "anchor-digest");
    store_exec(desk->store, &error, "DELETE FROM csirt_anchor_head", "");
    store_exec(desk->store, &error, "DELETE FROM csirt_anchor", "");
    g_assert_no_error(error);
    assert_held(desk, one, "anchor-missing");
    g_autoptr(json_t) faults = json_array();
    g_assert_false(csirt_anchor_verify(desk->store, "number x", faults, &error));
    test_error_says(&error, VIGIE_ERROR_INVALID, "anchor", NULL);
}

/* Proves that who keeps the anchor gets one a day where something happened, and none where nothing did. */
static void test_anchor_mail(Desk *desk, gconstpointer data) {
    (void)data;
    g_autoptr(GError) error = NULL;
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp("vigie-anchor-XXXXXX.conf", &path, NULL);
    g_close(fd, NULL);
    g_file_set_contents(path,
                        "[mail]\nserver=smtp://"
                        "127.0.0.1:9\nfrom=csirt@chu.test\n[csirt]\nanchor_mail=rssi@gouvernance.test\n",
                        -1, NULL);
    g_autoptr(VigieConfig) config = vigie_config_load(path, &error);
    g_unlink(path);
    g_assert_no_error(error);
    const VigieNotifier notifier = {config, desk->team, NULL};
    int64_t mails = 0;
    g_assert_true(csirt_anchor_work(desk->store, &notifier, TEST_NOW, &error)); /* no case, no mail */
    test_open(desk->store, desk->team, "Un");
    for (int day = 0; day < 3; day++)
        g_assert_true(csirt_anchor_work(desk->store, &notifier, TEST_NOW + day, &error));
    g_assert_no_error(error);
    g_assert_true(store_get_int(desk->store, &mails, &error,
                                "SELECT COUNT(*) FROM mail WHERE recipient = 'rssi@gouvernance.test'", ""));
    g_assert_cmpint(mails, ==, 1);
    g_autoptr(VigieRows) rows = store_query(desk->store, &error, "SELECT message FROM mail", "");
    g_assert_true(rows_next(rows, &error));
    VigieBytes message = rows_blob(rows, 0); /* as it travels: what a mail program saves */
    g_autofree char *body = g_strndup((const char *)message.data, message.size);
    g_clear_pointer(&rows, rows_free);
    assert_held(desk, body, "");
}

/* ---- The queue ---------------------------------------------------------------------------------------------- */
static int64_t found(Desk *desk, const VigieAnalyst *who, const char *name, const char *value) {
    g_autoptr(GError) error = NULL;
    VigieCaseFilter filter = {0};
    g_assert_true(csirt_filter_set(&filter, name, value, &error));
    g_autoptr(json_t) page = csirt_case_list(desk->store, who, &filter, TEST_NOW, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(json_array_size(test_at(page, "items")), ==, (size_t)test_int(page, "total"));
    return test_int(page, "total");
}

static void test_queue(Desk *desk, gconstpointer data) {
    (void)data;
    g_autoptr(GError) error = NULL;
    int64_t first = test_open(desk->store, desk->team, "Hameçonnage de la paie"),
            second = test_open(desk->store, desk->team, "CVE-2026-12345 sur le pare-feu 10.1.2.3");
    test_open(desk->store, desk->team, "Panne du laboratoire");
    g_autoptr(json_t) mine = test_json("{'assignee': 'a.martin', 'tlp': 'RED'}");
    g_assert_true(csirt_case_change(desk->store, desk->team, &test_analyst, second, mine, TEST_NOW, &error));
    g_assert_true(
        csirt_case_override(desk->store, desk->team, &test_analyst, first, 1, "presse", TEST_NOW, &error));
    g_assert_true(
        csirt_case_move(desk->store, desk->team, &test_analyst, second, "qualified", NULL, TEST_NOW, &error));
    g_assert_cmpint(found(desk, &test_analyst, "state", "active"), ==, 3);
    g_assert_cmpint(found(desk, &test_analyst, "state", "qualified"), ==, 1);
    g_assert_cmpint(found(desk, &test_analyst, "assignee", "a.martin"), ==, 1);
    g_assert_cmpint(found(desk, &test_analyst, "assignee", "-"), ==, 2);
    g_assert_cmpint(found(desk, &test_analyst, "tlp", "RED"), ==, 1);
    g_assert_cmpint(found(desk, &test_analyst, "band", "1"), ==, 1);
    g_assert_cmpint(found(desk, &test_analyst, "q", "hamec"), ==, 1);
    g_assert_cmpint(found(desk, &test_analyst, "q", "cve-2026-123"), ==, 1);
    g_assert_cmpint(found(desk, &test_analyst, "q", "12345 10.1.2.3"), ==, 1);
    g_assert_cmpint(found(desk, &test_analyst, "q", "kermarec"), ==, 3);
    g_assert_cmpint(found(desk, &test_analyst, "q", "kermarec nulle"), ==, 0);
    g_assert_cmpint(found(desk, &test_analyst, "kind", "request"), ==, 0);
    VigieCaseFilter filter = {0};
    g_autoptr(json_t) page = csirt_case_list(desk->store, &test_analyst, &filter, TEST_NOW, &error);
    g_assert_cmpint(test_int(page, "items.0.id"), ==, first);
    g_assert_cmpstr(test_text(page, "items.0.override.reason"), ==, "presse");
    g_assert_null(csirt_case_list(desk->store, &test_stranger, &filter, TEST_NOW, &error));
    test_error_says(&error, VIGIE_ERROR_DENIED, "analysts", NULL);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
#define TEST(path, function) g_test_add(path, Desk, NULL, desk_open, function, desk_close)
    TEST("/case/opening", test_opening);
    TEST("/case/numbers", test_numbers);
    TEST("/case/opening-twice", test_opening_twice);
    TEST("/case/opening-hostile", test_opening_hostile);
    TEST("/case/protected", test_protected);
    TEST("/case/anonymous", test_anonymous);
    TEST("/case/receipt", test_receipt);
    TEST("/case/states", test_states);
    TEST("/case/change", test_change);
    TEST("/case/tampering", test_tampering);
    TEST("/case/anchor", test_anchor);
    TEST("/case/anchor-mail", test_anchor_mail);
    TEST("/case/queue", test_queue);
    return test_csirt_run(argc, argv);
}
