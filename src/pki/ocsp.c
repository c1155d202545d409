/* ocsp.c: what is answered, and by whom: signed on the spot with a key, asked of the process that has it, or signed beforehand. */
#include "pki/ocsp.h"
#include "pki/ocsp-response.h"
#include "pki/ocsp-socket.h"
#include "pki/revoke.h"

enum { HOUR = 3600 };

/* ---- What is known of a certificate ------------------------------------------------------------------------- */
/* Of an authority that was revoked nothing is good (RFC 6960 2.7). */
void ocsp_read_status(const VigieRows *rows, int column, OcspStatus *status) {
    int64_t reason = rows_int(rows, column), ended = rows_int(rows, column + 2);
    bool good = reason < 0 || reason == REASON_RELEASE || reason == REASON_HOLD;
    status->reason = good && ended ? REASON_CA_COMPROMISE : reason;
    status->at = good && ended ? ended : rows_int(rows, column + 1);
}

static bool find_status(VigieStore *store, int64_t authority, VigieBytes serial, OcspStatus *ret_status,
                        GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        store, error,
        "SELECT COALESCE(r.reason, -1), COALESCE(r.at, 0), a.revoked FROM pki_certificate c JOIN "
        "pki_authority a ON a.id = c.authority LEFT JOIN pki_revocation r ON r.certificate = c.id WHERE "
        "c.authority = $1 AND c.serial = $2",
        "ib", authority, &serial);
    g_autoptr(GError) why = NULL;
    if (!rows)
        return false;
    OcspStatus status = {.known = rows_next(rows, &why)};
    if (why) {
        g_propagate_error(error, g_steal_pointer(&why));
        return false;
    }
    if (status.known)
        ocsp_read_status(rows, 0, &status);
    *ret_status = status;
    return true;
}

/* ---- Answers ------------------------------------------------------------------------------------------------ */
/* Signed now: all that is asked of this one responder. */
static bool answer_fresh(VigieStore *store, const Responder *responder, const OcspRequest *request,
                         VigieTime now, VigieOcspAnswer *answer, GError **error) {
    g_autoptr(GByteArray) singles = g_byte_array_sized_new(256);
    VigieTime next = now + responder->hours * HOUR;
    bool keep = request->nonce.size == 0;
    for (size_t i = 0; i < request->count; i++) {
        OcspStatus status;
        if (!find_status(store, responder->id, request->asked[i].serial, &status, error))
            return false;
        response_put_single(singles, responder, &request->asked[i], &status, now, next);
        keep = keep && status.known; /* what is unknown now may be issued */
    }
    if (!response_put(answer->der, responder, singles, request->nonce, now, error))
        return false;
    answer->this_update = now;
    answer->next_update = keep ? next : 0;
    return true;
}

bool ocsp_answer_serials(VigieOcsp *ocsp, VigieStore *store, int64_t authority, const OcspRequest *request,
                         VigieTime now, VigieOcspAnswer *answer, GError **error) {
    if (!responders_read(ocsp, store, RESPONDERS_KEPT, now, error))
        return false;
    const Responder *responder = responder_by_id(ocsp, authority);
    return !responder || !responder->signer || answer_fresh(store, responder, request, now, answer, error);
}

/* Signed beforehand, and still good. */
static bool answer_kept(VigieStore *store, const Responder *responder, const OcspAsked *asked, VigieTime now,
                        VigieOcspAnswer *answer, bool *ret_found, GError **error) {
    g_autoptr(VigieRows) rows =
        store_query(store, error,
                    "SELECT a.this_update, a.next_update, a.der FROM pki_certificate c JOIN pki_answer a ON "
                    "a.certificate = c.id WHERE c.authority = $1 AND c.serial = $2 AND a.next_update > $3",
                    "ibi", responder->id, &asked->serial, now);
    g_autoptr(GError) why = NULL;
    if (!rows)
        return false;
    *ret_found = rows_next(rows, &why);
    if (*ret_found) {
        VigieBytes der = rows_blob(rows, 2);
        answer->this_update = rows_int(rows, 0);
        answer->next_update = rows_int(rows, 1);
        g_byte_array_append(answer->der, der.data, (guint)der.size);
    }
    if (why)
        g_propagate_error(error, g_steal_pointer(&why));
    return *ret_found || !why;
}

/* The one that all of it is asked of, or NULL. */
static const Responder *find_responder(const VigieOcsp *ocsp, const OcspRequest *request) {
    const Responder *responder = responder_by_hashes(ocsp, &request->asked[0]);
    for (size_t i = 1; responder && i < request->count; i++)
        if (responder_by_hashes(ocsp, &request->asked[i]) != responder)
            responder = NULL;
    return responder;
}

/* Nobody signs at the moment: what is known will have an answer, of all else we have no word to give. */
static bool refuse(VigieStore *store, const Responder *responder, const OcspRequest *request,
                   VigieOcspAnswer *answer, GError **error) {
    OcspStatus status = {.known = true};
    for (size_t i = 0; status.known && i < request->count; i++)
        if (!find_status(store, responder->id, request->asked[i].serial, &status, error))
            return false;
    response_put_failure(answer->der, status.known ? OCSP_TRY_LATER : OCSP_UNAUTHORIZED);
    return true;
}

static bool answer_known(VigieOcsp *ocsp, VigieStore *store, const OcspRequest *request, VigieTime now,
                         VigieOcspAnswer *answer, GError **error) {
    const Responder *responder = find_responder(ocsp, request);
    const OcspAsked *asked = &request->asked[0];
    bool single = request->count == 1, nonce = request->nonce.size > 0, found = false;
    if (!responder) {
        if (!responders_read(ocsp, store, RESPONDERS_MISSED, now, error))
            return false;
        responder = find_responder(ocsp, request);
    }
    if (!responder || (!single && !responder->signer && !ocsp->client)) {
        response_put_failure(answer->der, OCSP_UNAUTHORIZED);
        return true;
    }
    if (single && !nonce && !answer_kept(store, responder, asked, now, answer, &found, error))
        return false;
    if (found)
        return true;
    if (responder->signer)
        return answer_fresh(store, responder, request, now, answer, error);
    if (ocsp->client && ocsp_client_ask(ocsp->client, responder->id, request, answer))
        return true;
    if (single && nonce && !answer_kept(store, responder, asked, now, answer, &found, error))
        return false;
    return found || refuse(store, responder, request, answer, error);
}

bool pki_ocsp_answer(VigieOcsp *ocsp, VigieStore *store, VigieBytes der, VigieTime now,
                     VigieOcspAnswer *ret_answer, GError **error) {
    OcspRequest request;
    VigieOcspAnswer answer = {.der = g_byte_array_sized_new(1024)};
    bool well = true;
    if (!ocsp_request_parse(der, &request))
        response_put_failure(answer.der, OCSP_MALFORMED);
    else
        well = responders_read(ocsp, store, RESPONDERS_KEPT, now, error) &&
               answer_known(ocsp, store, &request, now, &answer, error);
    if (!well)
        g_byte_array_unref(answer.der);
    else
        *ret_answer = answer;
    return well;
}
