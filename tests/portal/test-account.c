/* Accounts, sessions, tokens and the guard, with the clock in the test's hand. */
#include "portal/account.h"
#include "store-test.h"

#include <string.h>

#define PASSWORD "correct horse battery"
#define NOW ((VigieTime)1795248000)
enum { HOUR = 3600, DAY = 86400 };

static Portal portal = {.session_idle = 2 * HOUR, .session_max = 12 * HOUR};

static VigieStore *store_with_user(void) {
    g_autoptr(GError) error = NULL;
    VigieStore *store = test_store_new();
    portal_user_add(store, "c.martin", VIGIE_ROLE_BIOMED, 0, PASSWORD, NULL, NOW, &error);
    g_assert_no_error(error);
    if (!portal.dummy_hash)
        portal.dummy_hash = account_hash_password("nobody's password", &error);
    return store;
}

static void clear(Reader *reader) {
    g_free(reader->name);
    g_free(reader->csrf);
    g_free(reader->session_hash);
}

/* The error code of a try; -1: it went in. *ret_wait as account_login has it. */
static int try_login(VigieStore *store, const char *name, const char *password, const char *address,
                     VigieTime now, int64_t *ret_wait) {
    g_autoptr(GError) error = NULL;
    int64_t account = 0, wait = 0;
    g_autofree char *browser = NULL;
    const Login login = {.name = name, .password = password, .address = address};
    bool in = account_login(&portal, store, &login, now, &account, &browser, &wait, &error);
    if (ret_wait)
        *ret_wait = wait;
    return in ? -1 : error->code;
}

/* As try_login, from a browser with the cookie *browser, which it keeps. */
static int try_from(VigieStore *store, const char *name, const char *password, char **browser,
                    VigieTime now) {
    g_autoptr(GError) error = NULL;
    int64_t account = 0, wait = 0;
    const Login login = {.name = name, .password = password, .address = "10.0.0.7", .browser = *browser};
    char *given = NULL;
    if (!account_login(&portal, store, &login, now, &account, &given, &wait, &error))
        return error->code;
    g_free(*browser);
    *browser = given;
    return -1;
}

/* Names are told apart without case and accents; a password's hash is yescrypt; what is wrong is refused. */
static void test_accounts(void) {
    g_autoptr(VigieStore) store = store_with_user();
    g_autoptr(GError) error = NULL;
    g_assert_false(portal_user_add(store, "C.Martin", VIGIE_ROLE_ADMIN, 0, PASSWORD, NULL, NOW, &error));
    test_error_says(&error, VIGIE_ERROR_CONFLICT, "C.Martin", NULL);
    g_assert_false(portal_user_add(store, "x", VIGIE_ROLE_ADMIN, 0, "short", NULL, NOW, &error));
    test_error_says(&error, VIGIE_ERROR_INVALID, "12", NULL);
    g_assert_false(portal_user_add(store, "a b", VIGIE_ROLE_ADMIN, 0, PASSWORD, NULL, NOW, &error));
    test_error_says(&error, VIGIE_ERROR_INVALID, "a b", NULL);
    g_assert_false(portal_user_password(store, "nobody", PASSWORD, NULL, NOW, &error));
    test_error_says(&error, VIGIE_ERROR_NOT_FOUND, "nobody", NULL);
    g_autofree char *hash = account_hash_password(PASSWORD, &error);
    g_assert_true(g_str_has_prefix(hash, "$y$"));
    g_autoptr(json_t) users = portal_user_list(store, &error);
    g_assert_cmpint(json_array_size(users), ==, 1);
    g_assert_null(json_object_get(json_array_get(users, 0), "password"));
}

/* Five tries are free; then each waits twice as long; the right password does not help while one waits; a day forgets. */
static void test_lockout(void) {
    g_autoptr(VigieStore) store = store_with_user();
    int64_t wait = 0;
    for (int i = 0; i < 5; i++)
        g_assert_cmpint(try_login(store, "c.martin", "wrong", "10.0.0.1", NOW, NULL), ==, VIGIE_ERROR_DENIED);
    g_assert_cmpint(try_login(store, "C.MARTIN", PASSWORD, "10.0.0.9", NOW, &wait), ==, VIGIE_ERROR_BUSY);
    g_assert_cmpint(wait, ==, 30);
    VigieTime now = NOW + 30;
    for (int64_t expected = 60; expected < 3600; expected *= 2) {
        g_assert_cmpint(try_login(store, "c.martin", "wrong", "10.0.0.1", now, NULL), ==, VIGIE_ERROR_DENIED);
        g_assert_cmpint(try_login(store, "c.martin", PASSWORD, "10.0.0.1", now, &wait), ==, VIGIE_ERROR_BUSY);
        g_assert_cmpint(wait, ==, expected);
        now += expected;
    }
    for (int i = 0; i < 3; i++) { /* and never more than an hour */
        g_assert_cmpint(try_login(store, "c.martin", "wrong", "10.0.0.1", now, NULL), ==, VIGIE_ERROR_DENIED);
        g_assert_cmpint(try_login(store, "c.martin", PASSWORD, "10.0.0.1", now, &wait), ==, VIGIE_ERROR_BUSY);
        g_assert_cmpint(wait, ==, 3600);
        now += 3600;
    }
    g_assert_cmpint(try_login(store, "c.martin", PASSWORD, "10.0.0.1", now, NULL), ==, -1);
    g_assert_cmpint(try_login(store, "c.martin", "wrong", "10.0.0.1", now, NULL), ==, VIGIE_ERROR_DENIED);
    g_assert_cmpint(try_login(store, "c.martin", PASSWORD, "10.0.0.1", now, NULL), ==, -1);
}

/* A name that does not exist is locked just like one that does: the answers tell nothing. */
static void test_no_enumeration(void) {
    g_autoptr(VigieStore) store = store_with_user();
    static const char *const names[] = {"c.martin", "nobody"};
    for (int i = 0; i < 7; i++) {
        int codes[2];
        int64_t waits[2];
        for (int j = 0; j < 2; j++)
            codes[j] = try_login(store, names[j], "wrong", j ? "10.0.0.1" : "10.0.0.2", NOW, &waits[j]);
        g_assert_cmpint(codes[0], ==, codes[1]);
        g_assert_cmpint(waits[0], ==, waits[1]);
    }
}

/* Twenty tries from one address, whatever the names; an IPv6 network counts as one; others are not held up. */
static void test_address(void) {
    g_autoptr(VigieStore) store = store_with_user();
    for (int i = 0; i < 20; i++) {
        g_autofree char *name = g_strdup_printf("guess%d", i);
        g_autofree char *address = g_strdup_printf("2001:db8:1:2::%x", i + 1);
        g_assert_cmpint(try_login(store, name, "wrong", address, NOW, NULL), ==, VIGIE_ERROR_DENIED);
    }
    g_assert_cmpint(try_login(store, "c.martin", PASSWORD, "2001:db8:1:2::ffff", NOW, NULL), ==,
                    VIGIE_ERROR_BUSY);
    g_assert_cmpint(try_login(store, "c.martin", PASSWORD, "2001:db8:1:3::1", NOW, NULL), ==, -1);
}

/* A session ends when it was idle, when it is old, when it is closed, and with the account; a stranger's is nobody's. */
static void test_sessions(void) {
    g_autoptr(VigieStore) store = store_with_user();
    g_autoptr(GError) error = NULL;
    VigieLang lang = VIGIE_FR;
    g_autofree char *secret = session_open(&portal, store, 1, "10.0.0.1", NOW, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(strlen(secret), ==, 43);
    Reader reader = {0};
    VigieTime now = NOW;
    for (; now < NOW + 12 * HOUR; now += HOUR) { /* used each hour: never idle for two */
        reader = (Reader){0};
        g_assert_true(session_reader(&portal, store, secret, now, &reader, &lang, &error));
        g_assert_cmpstr(reader.name, ==, "c.martin");
        g_assert_cmpint(reader.role, ==, VIGIE_ROLE_BIOMED);
        clear(&reader);
    }
    g_assert_false(session_reader(&portal, store, secret, now, &reader, &lang, &error));
    test_error_says(&error, VIGIE_ERROR_NOT_FOUND, NULL);

    g_autofree char *idle = session_open(&portal, store, 1, "10.0.0.1", NOW, &error);
    g_assert_false(session_reader(&portal, store, idle, NOW + 2 * HOUR, &reader, &lang, &error));
    test_error_says(&error, VIGIE_ERROR_NOT_FOUND, NULL);

    g_autofree char *closed = session_open(&portal, store, 1, "10.0.0.1", NOW, &error);
    g_autofree char *hash = account_secret_hash(closed);
    g_assert_true(session_close(store, hash, &error));
    g_assert_false(session_reader(&portal, store, closed, NOW, &reader, &lang, &error));
    test_error_says(&error, VIGIE_ERROR_NOT_FOUND, NULL);

    g_autofree char *shut = session_open(&portal, store, 1, "10.0.0.1", NOW, &error);
    g_assert_true(portal_user_disable(store, "c.martin", true, "admin", NOW, &error));
    g_assert_false(session_reader(&portal, store, shut, NOW, &reader, &lang, &error));
    test_error_says(&error, VIGIE_ERROR_NOT_FOUND, NULL);
    g_assert_cmpint(try_login(store, "c.martin", PASSWORD, "10.0.0.1", NOW, NULL), ==, VIGIE_ERROR_DENIED);

    g_assert_false(
        session_reader(&portal, store, hash, NOW, &reader, &lang, &error)); /* the hash is not the secret */
    test_error_says(&error, VIGIE_ERROR_NOT_FOUND, NULL);
}

/* A CSRF token is bound to its session's secret, and told apart in constant time. */
static void test_csrf(void) {
    g_autofree char *one = account_secret_new(), *two = account_secret_new();
    g_autofree char *of_one = account_secret_csrf(one), *of_two = account_secret_csrf(two);
    g_autofree char *again = account_secret_csrf(one);
    g_assert_cmpstr(one, !=, two);
    g_assert_true(account_secret_equal(of_one, again));
    g_assert_false(account_secret_equal(of_one, of_two));
    g_assert_false(account_secret_equal(of_one, ""));
    g_assert_null(strstr(of_one, one));
}

/* A token may what its scope and its account's role both allow, until it ends. */
static void test_tokens(void) {
    g_autoptr(VigieStore) store = store_with_user();
    g_autoptr(GError) error = NULL;
    VigieLang lang = VIGIE_FR;
    Reader reader = {0};
    g_autofree char *secret = portal_token_add(store, "C.Martin", "nagios", "read", 30 * DAY, NOW, &error);
    g_assert_no_error(error);
    g_assert_true(g_str_has_prefix(secret, "vigie_"));
    g_assert_true(token_reader(store, secret, NOW + 30 * DAY - 1, &reader, &lang, &error));
    g_assert_cmpuint(reader.may, ==, 1U << MAY_READ);
    g_assert_true(reader.by_token);
    clear(&reader);
    g_assert_false(token_reader(store, secret, NOW + 30 * DAY, &reader, &lang, &error));
    test_error_says(&error, VIGIE_ERROR_NOT_FOUND, NULL);
    g_assert_null(
        portal_token_add(store, "c.martin", "prometheus", "metrics", DAY, NOW, &error)); /* biomed may not */
    test_error_says(&error, VIGIE_ERROR_INVALID, "role", NULL);
    g_assert_null(portal_token_add(store, "c.martin", "", "read", DAY, NOW, &error));
    test_error_says(&error, VIGIE_ERROR_INVALID, "name", NULL);
    g_assert_null(portal_token_add(store, "c.martin", "x", "everything", DAY, NOW, &error));
    test_error_says(&error, VIGIE_ERROR_INVALID, "scope", NULL);
    g_assert_false(token_remove(store, 99, 1, &error)); /* another's */
    test_error_says(&error, VIGIE_ERROR_NOT_FOUND, NULL);
    g_assert_true(token_remove(store, 1, 1, &error));
    g_assert_false(token_reader(store, secret, NOW, &reader, &lang, &error));
    test_error_says(&error, VIGIE_ERROR_NOT_FOUND, NULL);
}

/* A new password ends the tokens that whoever stole the old one may have made; the calendar's goes on. */
static void test_password_ends_tokens(void) {
    g_autoptr(VigieStore) store = store_with_user();
    g_autoptr(GError) error = NULL;
    VigieLang lang = VIGIE_FR;
    Reader reader = {0};
    g_autofree char *stolen = portal_token_add(store, "c.martin", "script", "act", DAY, NOW, &error);
    g_autofree char *feed = portal_token_add(store, "c.martin", "agenda", "calendar", DAY, NOW, &error);
    g_assert_no_error(error);
    g_assert_true(portal_user_password(store, "c.martin", "another long password", "admin", NOW, &error));
    g_assert_false(token_reader(store, stolen, NOW, &reader, &lang, &error));
    test_error_says(&error, VIGIE_ERROR_NOT_FOUND, NULL);
    g_assert_true(token_reader(store, feed, NOW, &reader, &lang, &error));
    clear(&reader);
}

/* The log is of all organisations: who is confined to one does not read it, whatever the role. */
static void test_confined_audit(void) {
    g_autoptr(VigieStore) store = store_with_user();
    g_autoptr(GError) error = NULL;
    VigieLang lang = VIGIE_FR;
    for (int64_t organisation = 0; organisation < 2; organisation++) {
        Reader reader = {0};
        g_autofree char *secret = session_open(&portal, store, 1, "10.0.0.1", NOW, &error);
        g_autoptr(json_t) fields = json_pack("{s:s}", "name", "CHU");
        int64_t id = 0;
        if (organisation)
            g_assert_true(fleet_organisation_save(store, 0, fields, "test", NOW, &id, NULL, &error));
        g_assert_true(store_exec(
            store, &error, "UPDATE account SET role = 'admin', organisation = nullif($1, 0) WHERE id = 1",
            "i", id));
        g_assert_true(session_reader(&portal, store, secret, NOW, &reader, &lang, &error));
        g_assert_cmpint((reader.may >> MAY_AUDIT) & 1, ==, !organisation);
        clear(&reader);
    }
}

/* What happened is in the log, newest first, and holds no secret. */
static void test_audit(void) {
    g_autoptr(VigieStore) store = store_with_user();
    g_autoptr(GError) error = NULL;
    try_login(store, "c.martin", "wrong password", "10.0.0.1", NOW, NULL);
    try_login(store, "c.martin", PASSWORD, "10.0.0.1", NOW, NULL);
    g_autoptr(json_t) audit = audit_list(store, 1, &error);
    g_assert_no_error(error);
    static const char *const actions[] = {"login", "login-failed", "user-added"};
    for (size_t i = 0; i < G_N_ELEMENTS(actions); i++)
        g_assert_cmpstr(
            json_string_value(json_object_get(json_array_get(json_object_get(audit, "items"), i), "action")),
            ==, actions[i]);
    g_autofree char *text = vigie_json_text(audit);
    g_assert_null(strstr(text, "wrong password"));
    g_assert_null(strstr(text, PASSWORD));
}

/* Who guesses from elsewhere keeps nobody waiting at the browser that they came in from before; a browser's own failures count,
 * it is known to its account alone, not for ever, and not after a new password. */
static void test_known_browser(void) {
    g_autoptr(VigieStore) store = store_with_user();
    g_autoptr(GError) error = NULL;
    g_autofree char *own = NULL, *stranger = NULL;
    portal_user_add(store, "a.blanc", VIGIE_ROLE_READER, 0, PASSWORD, NULL, NOW, &error);
    g_assert_cmpint(try_from(store, "c.martin", PASSWORD, &own, NOW), ==, -1);
    for (int i = 0; i < 30; i++) { /* of the name, and of the address that the browser shares */
        g_autofree char *other = g_strdup_printf("name%d", i);
        try_login(store, i < 6 ? "c.martin" : other, "wrong", "10.0.0.7", NOW, NULL);
    }
    g_assert_cmpint(try_from(store, "c.martin", PASSWORD, &stranger, NOW), ==, VIGIE_ERROR_BUSY);
    g_autofree char *kept = g_strdup(own);
    g_assert_cmpint(try_from(store, "c.martin", PASSWORD, &own, NOW), ==, -1);
    g_assert_cmpstr(own, ==, kept);
    g_assert_cmpint(try_from(store, "a.blanc", PASSWORD, &own, NOW), ==, VIGIE_ERROR_BUSY);
    for (int i = 0; i < 5; i++)
        g_assert_cmpint(try_from(store, "c.martin", "wrong", &own, NOW), ==, VIGIE_ERROR_DENIED);
    g_assert_cmpint(try_from(store, "c.martin", PASSWORD, &own, NOW), ==, VIGIE_ERROR_BUSY);
    g_assert_cmpint(try_from(store, "c.martin", PASSWORD, &own, NOW + DAY), ==, -1);
    g_assert_true(
        portal_user_password(store, "c.martin", "another long password", "admin", NOW + DAY, &error));
    g_assert_cmpint(try_from(store, "c.martin", "another long password", &own, NOW + 2 * DAY), ==, -1);
    g_assert_cmpstr(own, !=, kept); /* the old one was forgotten */
    g_assert_no_error(error);
}

/* No more of them are kept than one person has. */
static void test_browsers_are_few(void) {
    g_autoptr(VigieStore) store = store_with_user();
    g_autoptr(GError) error = NULL;
    int64_t count = 0;
    for (int i = 0; i < 25; i++) {
        g_autofree char *browser = NULL;
        g_assert_cmpint(try_from(store, "c.martin", PASSWORD, &browser, NOW + i), ==, -1);
    }
    g_assert_true(store_get_int(store, &count, &error, "SELECT COUNT(*) FROM known_browser", ""));
    g_assert_cmpint(count, ==, 20);
    g_autofree char *late = NULL;
    g_assert_cmpint(try_from(store, "c.martin", PASSWORD, &late, NOW + 25 + BROWSER_SECONDS), ==, -1);
    g_assert_true(store_get_int(store, &count, &error, "SELECT COUNT(*) FROM known_browser", ""));
    g_assert_cmpint(count, ==, 1);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/portal/accounts", test_accounts);
    g_test_add_func("/portal/guard/lockout", test_lockout);
    g_test_add_func("/portal/guard/enumeration", test_no_enumeration);
    g_test_add_func("/portal/guard/address", test_address);
    g_test_add_func("/portal/guard/known-browser", test_known_browser);
    g_test_add_func("/portal/guard/browsers-are-few", test_browsers_are_few);
    g_test_add_func("/portal/sessions", test_sessions);
    g_test_add_func("/portal/csrf", test_csrf);
    g_test_add_func("/portal/tokens", test_tokens);
    g_test_add_func("/portal/password-ends-tokens", test_password_ends_tokens);
    g_test_add_func("/portal/audit/confined", test_confined_audit);
    g_test_add_func("/portal/audit", test_audit);
    int status = test_store_run(argc, argv);
    g_free(portal.dummy_hash);
    return status;
}
