/* issue.c: from a request to a certificate. All that costs time is done before the transaction, so that several processes
 * sign at once; in it, the log has one writer. */
#include "pki/build.h"
#include "pki/compose.h"
#include "pki/item.h"
#include "pki/link.h"
#include "pki/record.h"
#include "pki/request.h"
#include "pki/row.h"
#include "x509/der-write.h"

#include <string.h>

enum { HOUR = 3600, DAY = 86400 };

static bool deny(GError **error, const char *name, const char *why) {
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED, "authority %s: %s", name, why);
    return false;
}

/* ---- Building ---------------------------------------------------------------------------------------------- */
/* What the authority adds to what the profile decides. */
static void put_extensions(const Issuance *issuance, const Item *item, GByteArray *out) {
    const VigieAuthority *authority = issuance->authority;
    const AuthorityPoints *points = &authority->points[item->shard];
    const char *const policies[] = {authority_policy(authority, item->profile->name), NULL};
    extension_put_authority_key(out, authority->key_id);
    extension_put_policies(out, policies);
    if (item->profile->no_check)
        return;
    extension_put_points(out, "2.5.29.31", (const char *const *)points->crl);
    extension_put_points(out, "2.5.29.46", (const char *const *)points->delta);
    extension_put_access(out, (const char *const *)authority->ocsp_urls,
                         (const char *const *)authority->issuer_urls);
}

static bool sign(const Issuance *issuance, Item *item, GError **error) {
    const VigieAuthority *authority = issuance->authority;
    const Profile *profile = item->profile;
    g_autoptr(GByteArray) subject = g_byte_array_sized_new(256), extensions = g_byte_array_sized_new(1024),
                          tbs = g_byte_array_sized_new(2048), der = g_byte_array_sized_new(2048);
    uint8_t serial[SERIAL_OCTETS];
    int days =
        item->wanted->days > 0 && item->wanted->days < profile->days ? item->wanted->days : profile->days;
    if (!build_serial(serial, issuance->now, error) || !compose_subject(item, subject, error))
        return false;
    /* From an hour ago, for clocks that are late; the last second is the 86,400th of the last day. */
    CertificateParts parts = {.serial = serial,
                              .issuer = authority->subject,
                              .subject = der_bytes(subject),
                              .spki = item->request->spki,
                              .not_before = MAX(issuance->now - HOUR, authority->not_before),
                              .extensions = extensions};
    parts.not_after = MIN(parts.not_before + (VigieTime)days * DAY - 1, authority->not_after);
    item->shard = serial[SERIAL_OCTETS - 1] % authority->shards;
    if (!compose_extensions(item, &parts, extensions, error))
        return false;
    put_extensions(issuance, item, extensions);
    build_tbs(tbs, &parts, authority->signer->algorithm);
    if (!build_check(der_bytes(tbs), authority->signer->algorithm, (const char *const *)profile->waivers,
                     profile->name, error) ||
        !build_sign(der, der_bytes(tbs), authority->signer, error))
        return false;
    item->certificate = x509_certificate_new(der_bytes(der), error);
    return item->certificate != NULL;
}

/* What another generation succeeded signs lists and answers, and certificates for those who sign answers. */
static bool check_generation(const Issuance *issuance, const Profile *profile, int64_t current,
                             GError **error) {
    if (current == issuance->authority->id || strcmp(profile->name, "ocsp-responder") == 0)
        return true;
    g_autofree char *name = authority_name(issuance->store, current, error);
    g_autofree char *why = name ? g_strconcat("it issues no more: ", name, " does", NULL) : NULL;
    return why && deny(error, issuance->authority->name, why);
}

static bool prepare(const Issuance *issuance, const VigieIssueRequest *wanted, int64_t current, Item *item,
                    GError **error) {
    return item_check(issuance, wanted, item, error) && item_check_people(issuance, item, error) &&
           check_generation(issuance, item->profile, current, error) && sign(issuance, item, error);
}

/* ---- The commit --------------------------------------------------------------------------------------------- */
/* An authority that ended, or was revoked, issues nothing. The generation that issues in its place, itself maybe. */
static bool check_authority(const Issuance *issuance, int64_t *ret_current, GError **error) {
    const VigieAuthority *authority = issuance->authority;
    int64_t revoked = 0;
    CertificateView view;
    if (!authority_must_sign(authority, error))
        return false;
    if (issuance->now < authority->not_before || issuance->now > authority->not_after)
        return deny(error, authority->name,
                    "its certificate is not valid now: look at the clock, or renew it");
    if (!certificate_view(der_bytes(authority->der), &view) ||
        !store_get_int(
            issuance->store, &revoked, error,
            "SELECT COUNT(*) FROM pki_authority a JOIN pki_certificate c ON c.authority = COALESCE(a.parent, "
            "a.id) AND "
            "c.serial = $2 JOIN pki_revocation r ON r.certificate = c.id WHERE a.id = $1 AND r.reason <> 8",
            "ib", authority->id, &view.serial))
        return false;
    if (revoked == 0 && !store_get_int(issuance->store, &revoked, error,
                                       "SELECT revoked FROM pki_authority WHERE id = $1", "i", authority->id))
        return false;
    if (revoked > 0)
        return deny(error, authority->name, "its certificate is revoked");
    return generation_current(issuance->store, authority->id, ret_current, error);
}

static bool note_renewal(const Issuance *issuance, const char *serial, int64_t certificate, GError **error) {
    g_autoptr(VigieRows) rows = row_of_serial(issuance->store, serial, error);
    int64_t old = rows ? rows_int(rows, ROW_ID) : 0;
    g_clear_pointer(&rows, rows_free);
    return old &&
           store_exec(issuance->store, error,
                      "INSERT INTO pki_renewal (old, certificate) VALUES ($1, $2) ON CONFLICT (old) DO "
                      "UPDATE SET certificate = excluded.certificate",
                      "ii", old, certificate);
}

/* What answers a request does so once, while it is validated. */
static bool add(const Issuance *issuance, Journal *journal, Item *item, VigieIssued *issued, GError **error) {
    IssuedRecord record = {.authority = issuance->authority,
                           .certificate = item->certificate,
                           .profile = item->profile->name,
                           .shard = item->shard,
                           .device = item->wanted->device,
                           .requester = item->wanted->requester,
                           .validator = item->wanted->validator};
    int64_t certificate = 0, request = item->wanted->request;
    bool claimed = request == 0;
    if (request && !request_claim(issuance->store, request, issuance->now, &claimed, error))
        return false;
    if (!claimed) {
        g_clear_pointer(&item->certificate, x509_certificate_unref);
        g_set_error_literal(&issued->error, VIGIE_ERROR, VIGIE_ERROR_DENIED,
                            "request: it is not validated any more, or its enrolment is used up");
        return true;
    }
    return record_issued(journal, &record, &certificate, error) &&
           (!item->wanted->renews || note_renewal(issuance, item->wanted->renews, certificate, error)) &&
           (request == 0 || request_fulfil(issuance->store, request, certificate, error));
}

static bool commit(const Issuance *issuance, Item *items, size_t count, VigieIssued *ret, GError **error) {
    Journal journal;
    int64_t current = 0;
    g_autoptr(VigieTransaction) tx = store_begin(issuance->store, error);
    if (!tx || !journal_begin(&journal, issuance->store, issuance->who, issuance->now, error) ||
        !check_authority(issuance, &current, error))
        return false;
    for (size_t i = 0; i < count; i++)
        if (items[i].certificate && (!check_generation(issuance, items[i].profile, current, error) ||
                                     !add(issuance, &journal, &items[i], &ret[i], error)))
            return false;
    return journal_end(&journal, issuance->authority->signer, issuance->authority->id, error) &&
           store_commit(&tx, error);
}

bool pki_issue(VigieStore *store, VigieAuthority *authority, const VigieProfiles *profiles,
               const VigieIssueRequest *requests, size_t count, VigieIssued *ret, const char *who,
               VigieTime now, GError **error) {
    Issuance issuance = {store, authority, profiles, who, now};
    int64_t current = 0;
    if (!check_authority(&issuance, &current, error))
        return false;
    Item *items = g_new0(Item, count);
    bool any = false;
    for (size_t i = 0; i < count; i++)
        any = prepare(&issuance, &requests[i], current, &items[i], &ret[i].error) || any;
    bool well = !any || commit(&issuance, items, count, ret, error);
    for (size_t i = 0; i < count; i++) {
        if (well && items[i].certificate) {
            ret[i].serial = g_strdup(items[i].certificate->serial);
            ret[i].der = g_byte_array_append(g_byte_array_new(), items[i].certificate->der.data,
                                             (guint)items[i].certificate->der.size);
        }
        item_clear(&items[i]);
    }
    g_free(items);
    return well;
}

void pki_issued_clear(VigieIssued *issued) {
    g_free(issued->serial);
    if (issued->der)
        g_byte_array_unref(issued->der);
    g_clear_error(&issued->error);
    *issued = (VigieIssued){0};
}
