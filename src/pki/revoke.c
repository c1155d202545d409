/* revoke.c: the end of a certificate, and its rest. */
#include "pki/revoke.h"
#include "pki/journal.h"
#include "pki/profile.h"
#include "pki/record.h"
#include "pki/row.h"

#include <openssl/sha.h>
#include <string.h>

enum { KEY_COMPROMISE = 1, CA_COMPROMISE = 2, HOLD = REASON_HOLD, RELEASE = REASON_RELEASE };

const char *revoke_reason_name(int64_t reason) {
    const char *name = x509_reason_name(reason);
    return name ? name : x509_reason_name(0);
}

const char *revoke_reason_given(int64_t number) {
    static const int64_t given[] = {0, KEY_COMPROMISE, 3, 4, 5};
    for (size_t i = 0; i < G_N_ELEMENTS(given); i++)
        if (given[i] == number)
            return x509_reason_name(number);
    return NULL;
}

bool revoke_reason_parse(const char *text, int *ret_reason, GError **error) {
    for (int i = 0; i < X509_REASONS_MAX; i++) {
        const char *name = x509_reason_name(i);
        if (name && g_ascii_strcasecmp(name, text) == 0) {
            *ret_reason = i;
            return true;
        }
    }
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                "reason %s: one of unspecified, keyCompromise, cACompromise, affiliationChanged, superseded, "
                "cessationOfOperation, "
                "certificateHold, removeFromCRL, privilegeWithdrawn, aACompromise is wanted",
                text);
    return false;
}

typedef struct {
    int64_t id, authority, shard, not_after, state; /* state: the reason, -1: not revoked */
    char *profile;
    GByteArray *serial, *der;
} Found;

static void found_clear(Found *found) {
    g_free(found->profile);
    if (found->serial)
        g_byte_array_unref(found->serial);
    if (found->der)
        g_byte_array_unref(found->der);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Found, found_clear)

static GByteArray *copy(VigieBytes bytes) {
    return g_byte_array_append(g_byte_array_new(), bytes.data, (guint)bytes.size);
}

/* Hexadecimal, with or without colons and zeros before it. */
static bool parse_serial(const char *text, uint8_t serial[32], size_t *ret_size) {
    g_autofree char *digits = g_strdup(text);
    char *out = digits;
    for (const char *at = text; *at; at++)
        if (*at != ':')
            *out++ = *at;
    *out = '\0';
    size_t length = strlen(digits);
    if (length == 0 || length > 64 || length % 2)
        return false;
    for (size_t i = 0; i < length; i += 2) {
        int high = g_ascii_xdigit_value(digits[i]), low = g_ascii_xdigit_value(digits[i + 1]);
        if (high < 0 || low < 0)
            return false;
        serial[i / 2] = (uint8_t)(high << 4 | low);
    }
    *ret_size = length / 2;
    return true;
}

bool revoke_serial(const char *text, uint8_t serial[32], VigieBytes *ret_serial, GError **error) {
    size_t size = 0;
    if (parse_serial(text, serial, &size)) {
        *ret_serial = vigie_bytes(serial, size);
        return true;
    }
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                "serial %.80s: hexadecimal is wanted, as vigie ca certificates prints it", text);
    return false;
}

static bool find(VigieStore *store, const char *serial, Found *ret_found, GError **error) {
    g_autoptr(VigieRows) rows = row_of_serial(store, serial, error);
    if (!rows)
        return false;
    *ret_found = (Found){.id = rows_int(rows, ROW_ID),
                         .authority = rows_int(rows, ROW_AUTHORITY),
                         .shard = rows_int(rows, ROW_SHARD),
                         .not_after = rows_int(rows, ROW_NOT_AFTER),
                         .state = rows_int(rows, ROW_REASON),
                         .profile = g_strdup(rows_text(rows, ROW_PROFILE)),
                         .serial = copy(rows_blob(rows, ROW_SERIAL)),
                         .der = copy(rows_blob(rows, ROW_DER))};
    return true;
}

/* What may follow what: a hold may end or become final; what is final stays so. */
static bool allowed(const Found *found, const VigieProfiles *profiles, int reason, GError **error) {
    const Profile *profile = profile_find(profiles, found->profile);
    const char *why = NULL;
    VigieErrorCode code = VIGIE_ERROR_CONFLICT;
    bool held = found->state == HOLD, revoked = found->state >= 0 && found->state != RELEASE && !held;
    if (revoked)
        why = "it is revoked already, for good";
    else if (reason == RELEASE && !held)
        why = "it is not held: there is nothing to release";
    else if (reason == HOLD && held)
        why = "it is held already";
    if (!why && reason == HOLD && !(profile && profile->hold)) {
        why = "its profile knows no hold: revocation is for good";
        code = VIGIE_ERROR_DENIED;
    }
    if (why)
        g_set_error(error, VIGIE_ERROR, (gint)code, "revocation: %s", why);
    return why == NULL;
}

static bool note_bad_key(VigieStore *store, const Found *found, GError **error) {
    uint8_t digest[SHA256_DIGEST_LENGTH];
    CertificateView view;
    if (!certificate_view(vigie_bytes(found->der->data, found->der->len), &view))
        return true;
    x509_key_secret(view.spki, digest);
    VigieBytes hash = vigie_bytes(digest, sizeof digest);
    return store_exec(store, error,
                      "INSERT INTO pki_bad_key (hash) VALUES ($1) ON CONFLICT (hash) DO NOTHING", "b", &hash);
}

/* Where it is an authority's own. */
static bool note_authority(VigieStore *store, const Found *found, VigieTime now, GError **error) {
    VigieBytes der = vigie_bytes(found->der->data, found->der->len);
    return strcmp(found->profile, "authority") != 0 ||
           store_exec(store, error,
                      "UPDATE pki_authority SET revoked = $2 WHERE certificate = $1 AND parent IS NOT NULL",
                      "bi", &der, now);
}

bool pki_revoke(VigieStore *store, const VigieProfiles *profiles, const char *serial, const char *reason_text,
                const char *who, VigieTime now, GError **error) {
    int reason = 0;
    if (!revoke_reason_parse(reason_text, &reason, error))
        return false;
    Journal journal;
    g_auto(Found) found = {0};
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !journal_begin(&journal, store, who, now, error) || !find(store, serial, &found, error) ||
        !allowed(&found, profiles, reason, error))
        return false;
    g_autofree char *details = g_strdup_printf("{\"reason\":\"%s\"}", x509_reason_name(reason));
    VigieBytes octets = vigie_bytes(found.serial->data, found.serial->len);
    g_autofree char *object = vigie_hex_text(octets);
    return journal_add(&journal, "revoked", object, details, error) &&
           store_exec(store, error,
                      "INSERT INTO pki_revocation (certificate, authority, shard, serial, entry, at, reason, "
                      "not_after) "
                      "VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (certificate) DO UPDATE SET entry "
                      "= $5, at = $6, reason = $7",
                      "iiibiiii", found.id, found.authority, found.shard, &octets, journal.seq, now,
                      (int64_t)reason, found.not_after) &&
           store_exec(store, error, "UPDATE pki_answer SET next_update = 0 WHERE certificate = $1", "i",
                      found.id) &&
           ((reason != KEY_COMPROMISE && reason != CA_COMPROMISE) || note_bad_key(store, &found, error)) &&
           note_authority(store, &found, now, error) && journal_end(&journal, NULL, 0, error) &&
           store_commit(&tx, error);
}
