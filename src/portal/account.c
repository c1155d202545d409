#include "portal/account.h"
#include "pki/pki.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <string.h>

enum { PASSWORD_MIN = 12, NAME_MAX_CHARACTERS = 64 };

#define BIT(may) (1U << (may))

/* What each role may do. Everyone reads what they are confined to, subscribes to its calendar, and takes part in the
 * registration of certificates as far as the roles of that go. An admin keeps the
 * accounts and does not read the CSIRT's cases: who declares something to it need not trust the administrators. */
static const struct {
    const char *name;
    unsigned may;
} roles[VIGIE_ROLES] = {
    [VIGIE_ROLE_READER] = {"reader", BIT(MAY_READ) | BIT(MAY_CALENDAR) | BIT(MAY_REGISTER)},
    [VIGIE_ROLE_BIOMED] = {"biomed", BIT(MAY_READ) | BIT(MAY_CALENDAR) | BIT(MAY_REGISTER) | BIT(MAY_ACT) |
                                         BIT(MAY_KEEP)},
    [VIGIE_ROLE_ANALYST] = {"analyst", BIT(MAY_READ) | BIT(MAY_CALENDAR) | BIT(MAY_REGISTER) | BIT(MAY_ACT) |
                                           BIT(MAY_METRICS) | BIT(MAY_CASE)},
    [VIGIE_ROLE_HEAD] = {"head", BIT(MAY_READ) | BIT(MAY_CALENDAR) | BIT(MAY_REGISTER) | BIT(MAY_ACT) |
                                     BIT(MAY_METRICS) | BIT(MAY_CASE) | BIT(MAY_HEAD)},
    [VIGIE_ROLE_ADMIN] = {"admin", BIT(MAY_READ) | BIT(MAY_CALENDAR) | BIT(MAY_REGISTER) | BIT(MAY_ACT) |
                                       BIT(MAY_METRICS) | BIT(MAY_AUDIT) | BIT(MAY_KEEP) | BIT(MAY_ACCOUNTS)},
};

static const struct {
    const char *name;
    unsigned may;
} scopes[] = {
    {"read", BIT(MAY_READ)},         {"act", BIT(MAY_READ) | BIT(MAY_ACT) | BIT(MAY_REGISTER)},
    {"case", BIT(MAY_CASE)},         {"metrics", BIT(MAY_METRICS)},
    {"calendar", BIT(MAY_CALENDAR)}, {"fleet", BIT(MAY_READ) | BIT(MAY_KEEP)},
};

unsigned account_role_may(VigieRole role) {
    return roles[role].may;
}

bool account_scope_may(const char *scope, unsigned *ret_may) {
    for (size_t i = 0; i < G_N_ELEMENTS(scopes); i++)
        if (strcmp(scopes[i].name, scope) == 0) {
            *ret_may = scopes[i].may;
            return true;
        }
    return false;
}

const char *portal_role_name(VigieRole role) {
    return roles[role].name;
}

bool portal_role_parse(const char *name, VigieRole *ret_role) {
    for (int role = 0; role < VIGIE_ROLES; role++)
        if (strcmp(roles[role].name, name) == 0) {
            *ret_role = (VigieRole)role;
            return true;
        }
    return false;
}

/* ---- Secrets ------------------------------------------------------------------------------------------------ */
char *account_secret_new(void) {
    uint8_t bytes[32];
    if (RAND_bytes(bytes, sizeof bytes) != 1)
        g_error("the system gives no random numbers");
    char *text = g_base64_encode(bytes, sizeof bytes);
    g_strdelimit(text, "+", '-');
    g_strdelimit(text, "/", '_');
    *strchr(text, '=') = '\0';
    return text;
}

char *account_secret_hash(const char *secret) {
    return g_compute_checksum_for_string(G_CHECKSUM_SHA256, secret, -1);
}

char *account_secret_csrf(const char *secret) {
    return g_compute_hmac_for_string(G_CHECKSUM_SHA256, (const guchar *)secret, strlen(secret), "csrf", -1);
}

bool account_secret_equal(const char *a, const char *b) {
    gsize size = strlen(a);
    return size == strlen(b) && CRYPTO_memcmp(a, b, size) == 0;
}

char *portal_password_generate(void) {
    static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789"; /* 32, without l o 0 1 */
    uint8_t bytes[24];
    if (RAND_bytes(bytes, sizeof bytes) != 1)
        g_error("the system gives no random numbers");
    GString *password = g_string_new(NULL);
    for (size_t i = 0; i < sizeof bytes; i++)
        g_string_append_printf(password, "%s%c", i > 0 && i % 6 == 0 ? "-" : "", letters[bytes[i] % 32]);
    return g_string_free(password, FALSE);
}

/* ---- Passwords ---------------------------------------------------------------------------------------------- */
static char *crypt_with(const char *password, const char *setting, GError **error) {
    g_autofree struct crypt_data *data = g_new0(struct crypt_data, 1);
    const char *hash = crypt_r(password, setting, data);
    if (!hash || hash[0] == '*') {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL, "libcrypt does not hash with yescrypt");
        return NULL;
    }
    char *copy = g_strdup(hash);
    OPENSSL_cleanse(data, sizeof *data);
    return copy;
}

char *account_hash_password(const char *password, GError **error) {
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    if (!crypt_gensalt_rn("$y$", 0, NULL, 0, setting, sizeof setting)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL, "libcrypt does not know yescrypt");
        return NULL;
    }
    return crypt_with(password, setting, error);
}

bool account_password_matches(const char *password, const char *hash) {
    g_autofree char *computed = crypt_with(password, hash, NULL);
    return computed && account_secret_equal(computed, hash);
}

bool account_password_check(const char *password, GError **error) {
    gsize size = strlen(password);
    if (size >= PASSWORD_MIN && size <= ACCOUNT_PASSWORD_MAX && g_utf8_validate(password, -1, NULL))
        return true;
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "a password has %d to %d characters", PASSWORD_MIN,
                ACCOUNT_PASSWORD_MAX);
    return false;
}

/* ---- Accounts ----------------------------------------------------------------------------------------------- */
static bool check_name(const char *name, GError **error) {
    bool well = *name && g_utf8_validate(name, -1, NULL) && g_utf8_strlen(name, -1) <= NAME_MAX_CHARACTERS;
    for (const char *p = name; well && *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        well = g_unichar_isalnum(c) || (c < 128 && strchr("._-@", (int)c) != NULL);
    }
    if (!well)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "the name \"%s\": 1 to 64 letters, digits, . _ - @ are wanted, as in c.martin", name);
    return well;
}

bool account_check_organisation(VigieStore *store, int64_t organisation, VigieTime now, GError **error) {
    const VigieFleetFilter all = {0};
    g_autoptr(json_t) known =
        organisation ? fleet_organisation_get(store, &all, organisation, now, error) : NULL;
    return organisation == 0 || known;
}

bool portal_user_add(VigieStore *store, const char *name, VigieRole role, int64_t organisation,
                     const char *password, const char *by, VigieTime now, GError **error) {
    if (!check_name(name, error) || !account_password_check(password, error) ||
        !account_check_organisation(store, organisation, now, error))
        return false;
    g_autofree char *hash = account_hash_password(password, error);
    g_autofree char *folded = vigie_text_fold(name);
    g_autoptr(VigieTransaction) tx = hash ? store_begin(store, error) : NULL;
    if (!tx)
        return false;
    int64_t same = 0;
    if (!store_get_int(store, &same, error, "SELECT count(*) FROM account WHERE folded = $1", "t", folded))
        return false;
    if (same > 0) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT, "there is a user %s already", name);
        return false;
    }
    return store_exec(store, error,
                      "INSERT INTO account (name, folded, role, organisation, password, created) "
                      "VALUES ($1, $2, $3, nullif($4, 0), $5, $6)",
                      "tttiti", name, folded, portal_role_name(role), organisation, hash, now) &&
           audit_add(store, now, by, NULL, "user-added", name, portal_role_name(role), error) &&
           store_commit(&tx, error);
}

bool account_id(VigieStore *store, const char *name, int64_t *ret_id, GError **error) {
    g_autofree char *folded = vigie_text_fold(name);
    if (store_get_int(store, ret_id, error, "SELECT id FROM account WHERE folded = $1", "t", folded))
        return true;
    if (error && g_error_matches(*error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND)) {
        g_clear_error(error);
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND,
                    "there is no user %s: vigie user list shows them", name);
    }
    return false;
}

bool portal_user_password(VigieStore *store, const char *name, const char *password, const char *by,
                          VigieTime now, GError **error) {
    int64_t id = 0;
    g_autofree char *hash =
        account_password_check(password, error) ? account_hash_password(password, error) : NULL;
    g_autoptr(VigieTransaction) tx = hash ? store_begin(store, error) : NULL;
    return tx && account_id(store, name, &id, error) &&
           store_exec(store, error, "UPDATE account SET password = $2 WHERE id = $1", "it", id, hash) &&
           store_exec(store, error, "DELETE FROM session WHERE account = $1", "i", id) &&
           store_exec(store, error, "DELETE FROM known_browser WHERE account = $1", "i", id) &&
           store_exec(
               store, error,
               "DELETE FROM api_token WHERE account = $1 AND scope IN ('read', 'act', 'fleet', 'case')", "i",
               id) &&
           audit_add(store, now, by, NULL, "password-changed", name, NULL, error) && store_commit(&tx, error);
}

/* Else the enrolments whose secrets it knows would go on, and what it validated a moment ago would be signed. */
static bool withdraw_roles(VigieStore *store, const char *name, const char *by, VigieTime now,
                           GError **error) {
    g_autoptr(GError) failure = NULL;
    if (pki_grant_remove(store, name, NULL, by ? by : g_get_user_name(), now, &failure) ||
        g_error_matches(failure, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND))
        return true;
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

static bool set_disabled(VigieStore *store, const char *name, bool disabled, const char *by, VigieTime now,
                         GError **error) {
    int64_t id = 0;
    bool admin = false;
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    return tx && account_id(store, name, &id, error) && account_admins_hold(store, id, &admin, error) &&
           store_exec(store, error, "UPDATE account SET disabled = $2 WHERE id = $1", "ii", id,
                      (int64_t)disabled) &&
           store_exec(store, error, "DELETE FROM session WHERE account = $1", "i", id) &&
           (!by || !admin || !disabled || account_admin_remains(store, error)) &&
           audit_add(store, now, by, NULL, disabled ? "user-disabled" : "user-enabled", name, NULL, error) &&
           store_commit(&tx, error);
}

/* Shut first: a log of the authorities that cannot be written (the clock) does not keep the door open. */
bool portal_user_disable(VigieStore *store, const char *name, bool disabled, const char *by, VigieTime now,
                         GError **error) {
    return set_disabled(store, name, disabled, by, now, error) &&
           (!disabled || withdraw_roles(store, name, by, now, error));
}

bool account_set_language(VigieStore *store, int64_t account, VigieLang lang, GError **error) {
    return store_exec(store, error, "UPDATE account SET language = $2 WHERE id = $1", "it", account,
                      vigie_lang_code(lang));
}

json_t *portal_user_list(VigieStore *store, GError **error) {
    g_autoptr(VigieRows) rows =
        store_query(store, error,
                    "SELECT name, role, organisation, language, disabled, created, last_login, "
                    "(SELECT count(*) FROM api_token WHERE api_token.account = account.id), id FROM account "
                    "ORDER BY folded",
                    "");
    g_autoptr(json_t) users = json_array();
    g_autoptr(GError) failure = NULL;
    while (rows && rows_next(rows, &failure))
        json_array_append_new(users,
                              json_pack("{s:I, s:s, s:s, s:o, s:s?, s:b, s:o, s:o, s:I}", "id",
                                        (json_int_t)rows_int(rows, 8), "name", rows_text(rows, 0), "role",
                                        rows_text(rows, 1), "organisation",
                                        rows_null(rows, 2) ? json_null() : json_integer(rows_int(rows, 2)),
                                        "language", rows_text(rows, 3), "disabled", (int)rows_int(rows, 4),
                                        "created", portal_rows_time(rows, 5), "last_login",
                                        portal_rows_time(rows, 6), "tokens", (json_int_t)rows_int(rows, 7)));
    return rows_ended(rows, &failure, error) ? g_steal_pointer(&users) : NULL;
}
