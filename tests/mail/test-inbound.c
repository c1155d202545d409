/* What came in, in the store: kept once, filed once, tried again, forgotten; and our own messages known again. */
#include "mail/mail.h"
#include "mail/mailbox.h"
#include "store-test.h"

#include <string.h>

static const VigieTime NOW = 1795287600;

static GBytes *message(const char *text) {
    return g_bytes_new(text, strlen(text));
}

static bool keep(VigieStore *store, int64_t uidvalidity, int64_t uid, const char *text) {
    g_autoptr(GBytes) raw = message(text);
    InboundOrigin origin = {"incident", uidvalidity, uid, (int64_t)strlen(text)};
    g_autoptr(GError) error = NULL;
    g_autoptr(VigieTransaction) tx = store_begin(store, &error);
    bool new = false;
    g_assert_true(inbound_keep(store, &origin, raw, NOW, &new, &error));
    g_assert_true(store_commit(&tx, &error));
    return new;
}

static int64_t next(VigieStore *store, int64_t after, VigieTime now) {
    g_autoptr(GError) error = NULL;
    g_autoptr(VigieMailInbound) inbound = mail_inbound_next(store, after, now, &error);
    g_assert_no_error(error);
    return inbound ? inbound->id : 0;
}

static int64_t jobs(VigieStore *store, VigieTime by) {
    int64_t count = 0;
    g_assert_true(store_get_int(store, &count, NULL,
                                "SELECT COUNT(*) FROM job WHERE kind = $1 AND due_at <= $2", "ti",
                                MAIL_JOB_INBOUND, by));
    return count;
}

/* Proves that a UID is kept once, and that what had another number before is known by its bytes. */
static void test_once(void) {
    g_autoptr(VigieStore) store = test_store_new();
    g_assert_true(keep(store, 7, 1, "a"));
    g_assert_false(keep(store, 7, 1, "a"));
    g_assert_true(keep(store, 7, 2, "a")); /* the same bytes twice in one mailbox are two messages */
    g_assert_true(keep(store, 8, 1, "b"));
    g_assert_false(keep(store, 8, 2, "a"));
}

/* Proves the order, the second filing's refusal, and what stays readable afterwards. */
static void test_filing(void) {
    g_autoptr(VigieStore) store = test_store_new();
    g_autoptr(GBytes) raw = message("From: a@b\r\n\r\nbytes \xff\xfe");
    g_autoptr(GError) error = NULL;
    int64_t one = 0, two = 0;
    g_assert_true(mail_inbound_add(store, "contact", raw, NOW, &one, &error));
    g_assert_true(mail_inbound_add(store, "contact", raw, NOW, &two, &error));
    g_assert_cmpint(jobs(store, NOW), ==, 2);
    g_assert_cmpint(next(store, 0, NOW), ==, one);
    g_assert_cmpint(next(store, one, NOW), ==, two);
    g_assert_true(mail_inbound_done(store, one, "case 1", NOW, &error));
    g_assert_cmpint(next(store, 0, NOW), ==, two);
    g_assert_false(mail_inbound_done(store, one, "case 2", NOW, &error));
    g_assert_error(error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT);
    g_clear_error(&error);
    g_autoptr(VigieMailInbound) filed = mail_inbound_get(store, one, &error);
    g_assert_true(g_bytes_equal(filed->raw, raw));
    g_assert_cmpint(filed->size, ==, (int64_t)g_bytes_get_size(raw));
    g_assert_true(mail_inbound_forget(store, NOW + 1, &error));
    g_autoptr(VigieMailInbound) forgotten = mail_inbound_get(store, one, &error);
    g_assert_cmpuint(g_bytes_get_size(forgotten->raw), ==, 0);
    g_assert_null(mail_inbound_get(store, 999, &error));
    g_assert_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND);
}

/* Proves that one that cannot be filed waits longer each time and does not hold up the next. */
static void test_failing(void) {
    g_autoptr(VigieStore) store = test_store_new();
    g_autoptr(GBytes) raw = message("x");
    g_autoptr(GError) error = NULL;
    int64_t one = 0, two = 0;
    g_assert_true(mail_inbound_add(store, "contact", raw, NOW, &one, &error));
    g_assert_true(mail_inbound_add(store, "contact", raw, NOW, &two, &error));
    const int64_t waits[] = {60, 120, 240, 480};
    VigieTime now = NOW;
    for (size_t i = 0; i < G_N_ELEMENTS(waits); i++) {
        g_assert_cmpint(next(store, 0, now), ==, one);
        g_assert_true(mail_inbound_failed(store, one, "no room", now, &error));
        g_assert_cmpint(next(store, 0, now + waits[i] - 1), ==, two);
        now += waits[i];
    }
    g_assert_cmpint(jobs(store, now), ==, 2 + G_N_ELEMENTS(waits));
    for (int i = 0; i < 20; i++)
        g_assert_true(mail_inbound_failed(store, one, "no room", now, &error));
    g_assert_cmpint(next(store, 0, now + 6 * 3600), ==, one);
}

/* Proves that an identifier of ours is known again, and that other fields are stored as they will travel. */
static void test_own(void) {
    g_autoptr(VigieStore) store = test_store_new();
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) content = message("contenu");
    const VigieMailFile file = {"rapport.txt", "text/plain", content};
    VigieMail mail = {.from = "csirt@chu.test",
                      .to = "dsi@chu.test",
                      .subject = "[VIG] Échange",
                      .text = "Bonjour",
                      .message_id = "abc@chu.test",
                      .in_reply_to = "before@hop.test",
                      .files = &file,
                      .file_count = 1};
    int64_t id = 0, found = 0;
    g_autofree char *recipient = NULL, *nobody = NULL;
    g_assert_true(mail_queue_add(store, &mail, NULL, NOW, &id, &error));
    g_assert_true(mail_queue_find(store, "abc@chu.test", &found, &recipient, &error));
    g_assert_cmpint(found, ==, id);
    g_assert_cmpstr(recipient, ==, "dsi@chu.test");
    g_assert_true(mail_queue_find(store, "other@chu.test", &found, &nobody, &error));
    g_assert_cmpint(found, ==, 0);
    g_autoptr(VigieRows) rows = store_query(store, &error, "SELECT message, body, subject FROM mail", "");
    g_assert_true(rows_next(rows, &error));
    VigieBytes stored = rows_blob(rows, 0);
    g_autoptr(GBytes) bytes = g_bytes_new(stored.data, stored.size);
    g_autoptr(VigieMailRead) read = mail_read(NULL, bytes, &error);
    g_assert_cmpstr(json_string_value(json_object_get(read->about, "message_id")), ==, "abc@chu.test");
    g_assert_cmpstr(json_string_value(json_object_get(read->about, "subject")), ==, "[VIG] Échange");
    g_assert_cmpuint(json_array_size(json_object_get(read->about, "attachments")), ==, 1);
    g_assert_cmpstr(rows_text(rows, 1), ==, "");
    for (size_t i = 0; i < 3; i++) {
        const char *const wrong[] = {"no-at", "a b@c", "<a@b>"};
        mail.message_id = wrong[i];
        g_assert_false(mail_queue_add(store, &mail, NULL, NOW, &id, NULL));
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/mail/inbound/once", test_once);
    g_test_add_func("/mail/inbound/filing", test_filing);
    g_test_add_func("/mail/inbound/failing", test_failing);
    g_test_add_func("/mail/inbound/own", test_own);
    return test_store_run(argc, argv);
}
