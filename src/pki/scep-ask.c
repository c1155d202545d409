/* scep-ask.c: what SCEP's messages ask (RFC 8894 3.3): PKCSReq, RenewalReq, CertPoll, GetCert, GetCRL.
 *
 * A device proves itself by the challenge password "NAME:SECRET" of an enrolment in its request, or signs with the
 * certificate of ours that it renews. A transaction belongs to the key that signed its first message. */
#include "pki/authority.h"
#include "pki/csr.h"
#include "pki/enrol.h"
#include "pki/row.h"
#include "pki/scep.h"
#include "x509/der.h"

#include <openssl/evp.h>
#include <string.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509_REQ, X509_REQ_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509, X509_free)

enum { CHALLENGE_MAX = 255, PRINT_OCTETS = 8, LIST_MAX = 4 * 1024 * 1024 };

static bool deny(GError **error, const char *why) {
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED, "%s", why);
    return false;
}

/* ---- Enrolling ------------------------------------------------------------------------------------------------------ */
/* RFC 2985 5.4.1. Wipe and free. */
static char *challenge_of(VigieBytes csr) {
    const unsigned char *at = csr.data;
    g_autoptr(X509_REQ) request = d2i_X509_REQ(NULL, &at, (long)csr.size);
    int place = request ? X509_REQ_get_attr_by_NID(request, NID_pkcs9_challengePassword, -1) : -1;
    X509_ATTRIBUTE *found = place >= 0 ? X509_REQ_get_attr(request, place) : NULL;
    const ASN1_TYPE *value = found ? X509_ATTRIBUTE_get0_type(found, 0) : NULL;
    bool text = value && (value->type == V_ASN1_PRINTABLESTRING || value->type == V_ASN1_UTF8STRING ||
                          value->type == V_ASN1_IA5STRING || value->type == V_ASN1_T61STRING);
    int size = text ? ASN1_STRING_length(value->value.asn1_string) : 0;
    if (size < 1 || size > CHALLENGE_MAX)
        return NULL;
    return g_strndup((const char *)ASN1_STRING_get0_data(value->value.asn1_string), (gsize)size);
}

static bool know_by_challenge(VigieStore *store, const ScepMessage *message, VigieTime now,
                              int64_t *ret_enrolment, GError **error) {
    g_autofree char *challenge = challenge_of(vigie_bytes(message->content->data, message->content->len));
    char *colon = challenge && g_utf8_validate(challenge, -1, NULL) ? strchr(challenge, ':') : NULL;
    if (!colon) {
        g_set_error(
            error, VIGIE_ERROR, VIGIE_ERROR_DENIED,
            "RFC 8894 2.4: the challenge password NAME:SECRET of an enrolment is wanted in the request");
        return false;
    }
    *colon = '\0';
    g_autoptr(json_t) enrolment = pki_enrolment_login(store, challenge, colon + 1, now, error);
    explicit_bzero(colon + 1, strlen(colon + 1));
    *ret_enrolment = json_integer_value(json_object_get(enrolment, "id"));
    return enrolment != NULL;
}

/* Who signs for itself has the key that it wants certified (RFC 8894 2.3): else an envelope that was caught on its way
 * would be accepted again, in another transaction. By our own walk and octet for octet: libcrypto takes so long over a request that the
 * time alone would tell whether a changed envelope decrypted. */
static bool signed_by_its_key(const ScepMessage *message) {
    g_autoptr(Csr) request = csr_parse(vigie_bytes(message->content->data, message->content->len), NULL);
    unsigned char *own = NULL;
    int size = request ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(message->signer), &own) : 0;
    bool same = size > 0 && vigie_bytes_equal(request->spki, vigie_bytes(own, (size_t)size));
    OPENSSL_free(own);
    return same;
}

/* "scep:TRANSACTION/9f1c…", the latter of the key that signed. */
static char *requester_of(const ScepMessage *message) {
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (X509_pubkey_digest(message->signer, EVP_sha256(), digest, &size) != 1 || size < PRINT_OCTETS)
        return NULL;
    g_autofree char *print = vigie_hex_text(vigie_bytes(digest, PRINT_OCTETS));
    return g_strconcat("scep:", message->transaction, "/", print, NULL);
}

/* RenewalReq, and PKCSReq signed with a certificate of ours as older clients do (RFC 8894 2.5 and its appendix A). A device that
 * heard nothing sends the same again, and is answered the same (2.3). */
static bool enrol(VigieStore *store, const VigieProfiles *profiles, const ScepMessage *message,
                  const char *requester, const char *address, VigieTime now, ScepOutcome *ret_outcome,
                  GError **error) {
    GError *failure = NULL;
    g_autoptr(json_t) shown = enrol_shown(store, message->signer, now, &failure);
    VigiePkiRequest request = {.kind = shown ? VIGIE_REQUEST_RENEW : VIGIE_REQUEST_ISSUE,
                               .csr = vigie_bytes(message->content->data, message->content->len),
                               .serial = json_string_value(json_object_get(shown, "serial")),
                               .requester = requester,
                               .protocol = "scep",
                               .address = address,
                               .proof = shown ? VIGIE_PROOF_CERTIFICATE : VIGIE_PROOF_ENROLMENT,
                               .again = VIGIE_AGAIN_TRANSACTION};
    if (!shown && message->type == SCEP_RENEWAL) {
        g_propagate_error(error, failure);
        return false;
    }
    g_clear_error(&failure);
    if (!shown && !signed_by_its_key(message))
        return deny(error,
                    "RFC 8894 2.3: a request is signed with its own key, or with a certificate of ours");
    if (!shown && !know_by_challenge(store, message, now, &request.enrolment, error))
        return false;
    ret_outcome->certificate = pki_request_ask(store, NULL, profiles, &request, now, &failure);
    if (failure)
        g_propagate_error(error, failure);
    return failure == NULL;
}

/* RFC 8894 3.3.3: by the key that asked. */
static bool poll(VigieStore *store, const char *requester, ScepOutcome *ret_outcome, GError **error) {
    int64_t id = 0;
    VigiePkiState state = VIGIE_REQUEST_WAITING;
    if (!enrol_find(store, "scep", requester, &id, error))
        return false;
    if (id == 0) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "there is no such transaction of this key");
        return false;
    }
    if (!pki_request_wait(store, id, 0, &state, error))
        return false;
    if (state == VIGIE_REQUEST_WAITING || state == VIGIE_REQUEST_VALIDATED)
        return true;
    ret_outcome->certificate = pki_request_certificate(store, id, error);
    return ret_outcome->certificate != NULL;
}

/* ---- Certificates and lists ------------------------------------------------------------------------------------------- */
bool scep_read_subject(VigieBytes der, VigieBytes *ret_issuer, VigieBytes *ret_serial) {
    const char *clause = NULL;
    DerElement whole, issuer, serial;
    VigieReader in = vigie_reader(der);
    if (!der_expect(&in, DER_SEQUENCE, &whole, &clause) || in.rest.size > 0)
        return false;
    in = vigie_reader(whole.value);
    if (!der_expect(&in, DER_SEQUENCE, &issuer, &clause) || !der_expect(&in, DER_INTEGER, &serial, &clause) ||
        in.rest.size > 0 || serial.value.size == 0)
        return false;
    *ret_issuer = issuer.whole;
    *ret_serial = der_magnitude(serial.value);
    return true;
}

static bool not_found(GError **error, const char *why) {
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "%s", why);
    return false;
}

/* What cannot be read is about nobody's certificate: looked for all the same, so that it takes as long to be told. */
static bool read_content(VigieStore *store, const ScepMessage *message, int64_t *ret_authority,
                         VigieBytes *ret_serial, GError **error) {
    VigieBytes issuer = vigie_bytes("", 0);
    *ret_serial = vigie_bytes("", 0);
    scep_read_subject(vigie_bytes(message->content->data, message->content->len), &issuer, ret_serial);
    if (!enrol_authority(store, issuer, ret_authority, error))
        return false;
    return *ret_authority != 0 || not_found(error, "RFC 8894 3.3.4: issuer and serial of ours are wanted");
}

/* A certificate is shown to who has one of ours, or its key. */
static bool may_see(VigieStore *store, const ScepMessage *message, const GByteArray *certificate,
                    VigieTime now) {
    g_autoptr(json_t) shown = enrol_shown(store, message->signer, now, NULL);
    g_autoptr(X509) wanted = enrol_x509(certificate);
    return shown || (wanted && EVP_PKEY_eq(X509_get0_pubkey(wanted), X509_get0_pubkey(message->signer)) == 1);
}

static GByteArray *read_blob(VigieStore *store, const char *sql, int64_t authority, VigieBytes serial,
                             GError **error) {
    g_autoptr(VigieRows) rows = store_query(store, error, sql, "ib", authority, &serial);
    if (!rows_first(rows, error, "there is none"))
        return NULL;
    VigieBytes bytes = rows_blob(rows, 0);
    return g_byte_array_append(g_byte_array_new(), bytes.data, (guint)bytes.size);
}

static bool get_certificate(VigieStore *store, const ScepMessage *message, VigieTime now,
                            ScepOutcome *ret_outcome, GError **error) {
    int64_t authority = 0;
    VigieBytes serial;
    if (!read_content(store, message, &authority, &serial, error))
        return false;
    g_autoptr(GByteArray) found =
        read_blob(store, "SELECT der FROM pki_certificate WHERE authority = $1 AND serial = $2", authority,
                  serial, error);
    if (!found)
        return false;
    if (!may_see(store, message, found, now))
        return not_found(error, "there is none that this key may see");
    ret_outcome->certificate = g_steal_pointer(&found);
    return true;
}

/* The list on which the certificate of this number would stand; for a number of nobody's, the first. */
static bool get_list(VigieStore *store, const ScepMessage *message, ScepOutcome *ret_outcome,
                     GError **error) {
    int64_t authority = 0;
    VigieBytes serial;
    if (!read_content(store, message, &authority, &serial, error))
        return false;
    g_autoptr(GByteArray) list =
        read_blob(store,
                  "SELECT der FROM pki_crl WHERE authority = $1 AND delta = 0 AND shard = COALESCE((SELECT "
                  "shard FROM pki_certificate WHERE authority = $1 AND serial = $2), 0)",
                  authority, serial, error);
    if (!list)
        return false;
    if (list->len > LIST_MAX)
        return deny(error, "RFC 8894 4.6: the list is too long for a message: get it by HTTP");
    ret_outcome->list = g_steal_pointer(&list);
    return true;
}

bool scep_ask(VigieStore *store, const VigieProfiles *profiles, const ScepMessage *message,
              const char *address, VigieTime now, ScepOutcome *ret_outcome, GError **error) {
    g_autofree char *requester = requester_of(message);
    *ret_outcome = (ScepOutcome){0};
    switch (requester ? message->type : 0) {
    case SCEP_REQUEST:
    case SCEP_RENEWAL:
        return enrol(store, profiles, message, requester, address, now, ret_outcome, error);
    case SCEP_POLL:
        return poll(store, requester, ret_outcome, error);
    case SCEP_GET_CERTIFICATE:
        return get_certificate(store, message, now, ret_outcome, error);
    case SCEP_GET_LIST:
        return get_list(store, message, ret_outcome, error);
    default:
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "RFC 8894 3.2.1.2: a message of the type %d is not answered here", message->type);
        return false;
    }
}
