/* acme-renewal.c: when to renew, and what an order replaces (RFC 9773). */
#include "pki/acme.h"
#include "pki/authority.h"
#include "pki/revoke.h"
#include "pki/row.h"
#include "x509/x509.h"

#include <jose/jose.h>
#include <string.h>

enum { POLL_SECONDS = 6 * 3600, KEY_ID = 20, SERIAL_MAX = 32 };

/* One of ours, as an identifier names it. */
typedef struct {
    int64_t id, reason; /* reason -1: not revoked */
    VigieTime from, to, revoked;
} Named;

/* ---- Identifiers ---------------------------------------------------------------------------------------------------- */
static bool decode(const char *text, size_t length, uint8_t *octets, size_t capacity, size_t *ret_size) {
    g_autoptr(json_t) part = json_stringn(text, length);
    size_t size = part ? jose_b64_dec(part, NULL, 0) : 0;
    *ret_size = size;
    return size > 0 && size <= capacity && jose_b64_dec(part, octets, size) == size;
}

/* RFC 9773 4.1: base64url of the authority's key identifier, a dot, base64url of the serial number as DER has it. */
static bool read_identifier(const char *text, uint8_t key[KEY_ID], uint8_t serial[SERIAL_MAX],
                            VigieBytes *ret_serial) {
    const char *dot = strchr(text, '.');
    size_t size = 0, key_size = 0;
    if (!dot || !decode(text, (size_t)(dot - text), key, KEY_ID, &key_size) || key_size != KEY_ID ||
        !decode(dot + 1, strlen(dot + 1), serial, SERIAL_MAX, &size))
        return false;
    size_t zeros = serial[0] == 0 && size > 1 ? 1 : 0; /* DER's sign */
    *ret_serial = vigie_bytes(serial + zeros, size - zeros);
    return true;
}

/* The authority of this key identifier; 0: none. */
static bool find_authority(const Acme *acme, const uint8_t key[KEY_ID], int64_t *ret_id, GError **error) {
    g_autoptr(json_t) list = pki_authority_list(acme->store, NULL, error);
    size_t i;
    json_t *one;
    *ret_id = 0;
    json_array_foreach(list, i, one) {
        const char *name = json_string_value(json_object_get(one, "name"));
        g_autoptr(VigieAuthority) authority = pki_authority_open(acme->store, name, NULL, error);
        if (!authority)
            return false;
        if (memcmp(authority->key_id, key, KEY_ID) == 0)
            *ret_id = authority->id;
    }
    return list != NULL;
}

/* Its id is 0 where it is none of ours. */
static bool find_named(const Acme *acme, const char *identifier, Named *ret_named, GError **error) {
    uint8_t key[KEY_ID], octets[SERIAL_MAX];
    VigieBytes serial;
    int64_t authority = 0;
    bool found = false;
    *ret_named = (Named){0};
    if (!read_identifier(identifier, key, octets, &serial))
        return true;
    if (!find_authority(acme, key, &authority, error))
        return false;
    g_autoptr(VigieRows) rows = store_query(
        acme->store, error,
        "SELECT c.id, c.not_before, c.not_after, COALESCE(r.at, a.revoked), COALESCE(r.reason, CASE WHEN "
        "a.revoked > 0 THEN 2 ELSE -1 END) FROM pki_certificate c JOIN pki_authority a ON a.id = "
        "c.authority LEFT JOIN pki_revocation r ON r.certificate = c.id WHERE c.authority = $1 AND "
        "c.serial = $2",
        "ib", authority, &serial);
    if (!acme_row(rows, &found, error))
        return false;
    if (found)
        *ret_named = (Named){.id = rows_int(rows, 0),
                             .from = rows_int(rows, 1),
                             .to = rows_int(rows, 2),
                             .revoked = rows_int(rows, 3),
                             .reason = rows_int(rows, 4)};
    if (ret_named->reason == REASON_RELEASE)
        ret_named->reason = -1;
    return true;
}

/* ---- When ------------------------------------------------------------------------------------------------------------ */
static bool answer_window(Acme *acme, const Named *named, const char *identifier) {
    VigieTime life = named->to - named->from;
    bool revoked = named->reason >= 0;
    /* Within the last third, before its last sixth; at once where it was revoked, which is explained. */
    VigieTime start = revoked ? named->revoked - 1 : named->to - life / 3,
              end = revoked ? named->revoked : named->to - life / 6;
    json_t *told =
        json_pack("{s:{s:o, s:o}}", "suggestedWindow", "start", acme_time(start), "end", acme_time(end));
    if (revoked) {
        g_autofree char *url = g_strdup_printf("%s/renewal-info/%s/why", acme->server->base, identifier);
        json_object_set_new(told, "explanationURL", json_string(url));
    }
    acme->answer->retry_after = POLL_SECONDS;
    return acme_answer(acme, 200, told);
}

/* For the person before the machine, in both languages. */
static bool answer_why(Acme *acme, const Named *named) {
    g_autofree char *at = vigie_time_rfc3339(named->revoked);
    GString *text = g_string_new(NULL);
    for (int lang = 0; lang < VIGIE_LANGS; lang++) {
        g_autofree char *key = g_strconcat("request.reason.", revoke_reason_name(named->reason), NULL);
        g_autofree char *line = vigie_words((VigieLang)lang, "acme.revoked", "at", at, "reason",
                                            vigie_word((VigieLang)lang, key), NULL);
        g_string_append_printf(text, "%s\n", line);
    }
    acme->answer->status = 200;
    acme->answer->type = "text/plain; charset=utf-8";
    acme->answer->body = g_string_free(text, FALSE);
    return true;
}

bool acme_renewal(Acme *acme, const char *path, GError **error) {
    Named named;
    const char *slash = strchr(path, '/');
    g_autofree char *identifier = slash ? g_strndup(path, (gsize)(slash - path)) : g_strdup(path);
    uint8_t key[KEY_ID], serial[SERIAL_MAX];
    VigieBytes bytes;
    if (!read_identifier(identifier, key, serial, &bytes))
        return acme_problem(acme, 400, "malformed", "RFC 9773 4.1: the certificate's identifier is wanted");
    if (!find_named(acme, identifier, &named, error))
        return false;
    if (named.id == 0 || (slash && (strcmp(slash, "/why") != 0 || named.reason < 0)))
        return acme_problem(acme, 404, "malformed", "none of our certificates, or nothing to explain");
    return slash ? answer_why(acme, &named) : answer_window(acme, &named, identifier);
}

/* ---- What an order replaces ------------------------------------------------------------------------------------------- */
static bool is_ordered_by(const Acme *acme, int64_t certificate, bool *ret_ordered, GError **error) {
    int64_t count = 0;
    bool well =
        store_get_int(acme->store, &count, error,
                      "SELECT COUNT(*) FROM acme_order o JOIN pki_request r ON r.id = o.request WHERE "
                      "o.account = $1 AND r.issued = $2",
                      "ii", acme->account, certificate);
    *ret_ordered = count > 0;
    return well;
}

/* An order that came to nothing replaced nothing. */
static bool is_replaced(const Acme *acme, const char *identifier, bool *ret_replaced, GError **error) {
    int64_t count = 0;
    bool well = store_get_int(acme->store, &count, error,
                              "SELECT COUNT(*) FROM acme_order o LEFT JOIN pki_request r ON r.id = o.request "
                              "WHERE o.replaces = $1 AND "
                              "(r.state <> 'refused' OR (r.id IS NULL AND o.ends > $2 AND NOT EXISTS (SELECT "
                              "1 FROM acme_authorization z "
                              "WHERE z.order_id = o.id AND z.state IN ('invalid', 'deactivated'))))",
                              "ti", identifier, acme->server->now);
    *ret_replaced = count > 0;
    return well;
}

/* At least one name of the order is one of the certificate's. */
static bool shares_name(const Acme *acme, int64_t id, const json_t *names, bool *ret_shares, GError **error) {
    bool found = false;
    *ret_shares = false;
    g_autoptr(VigieRows) rows =
        store_query(acme->store, error, "SELECT der FROM pki_certificate WHERE id = $1", "i", id);
    if (!acme_row(rows, &found, error) || !found)
        return rows && !found;
    g_autoptr(VigieCertificate) certificate = x509_certificate_new(rows_blob(rows, 0), error);
    if (!certificate)
        return false;
    for (size_t i = 0; i < certificate->name_count; i++)
        for (size_t j = 0; j < json_array_size(names); j++) {
            const char *name = json_string_value(json_array_get(names, j));
            *ret_shares =
                *ret_shares || g_ascii_strcasecmp(strchr(name, ':') + 1, certificate->names[i].text) == 0;
        }
    return true;
}

/* RFC 9773 5 */
bool acme_may_replace(Acme *acme, const json_t *replaces, const json_t *names, bool *ret_may,
                      GError **error) {
    const char *identifier = json_string_value(replaces);
    Named named = {0};
    bool ordered = false, shares = false, replaced = false;
    *ret_may = false;
    if (identifier && !find_named(acme, identifier, &named, error))
        return false;
    if (named.id != 0 && (!is_ordered_by(acme, named.id, &ordered, error) ||
                          !shares_name(acme, named.id, names, &shares, error) ||
                          !is_replaced(acme, identifier, &replaced, error)))
        return false;
    *ret_may = ordered && shares && !replaced;
    if (replaced && ordered)
        return acme_problem(acme, 409, "alreadyReplaced", "another order replaces this certificate");
    return *ret_may ||
           acme_problem(acme, 400, "malformed",
                        "RFC 9773 5: a certificate of this account is wanted that has one of these names");
}
