/* ocsp.c: who answers, and what. */
#include "pki/build.h"
#include "pki/journal.h"
#include "pki/ocsp-socket.h"
#include "pki/record.h"
#include "pki/revoke.h"
#include "pki/row.h"
#include "x509/der-write.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <string.h>

enum { HOUR = 3600, BATCH = 1000, REFRESH = 60, MALFORMED = 1, TRY_LATER = 3, UNAUTHORIZED = 6 };

/* One authority, and its responder where the key was given. */
typedef struct {
    int64_t id, hours;
    char *name;
    uint8_t name_sha1[20], key_sha1[20], name_sha256[32], key_sha256[32];
    Signer *signer;
    GByteArray *certificate; /* the responder's */
    int64_t certificate_id;
    uint8_t responder[20]; /* SHA-1 of its key: how it is called in answers */
    int64_t seen;          /* certificates up to this id had an answer once */
} Responder;

struct VigieOcsp {
    GPtrArray *responders;
    VigieTime read;          /* when the authorities were last read from the store */
    VigieOcspClient *client; /* whom to ask for what wants a signature; or NULL */
    int64_t paced;           /* see question_paced */
};

typedef struct {
    bool known;
    int64_t reason; /* -1: not revoked */
    VigieTime at;
} Status;

static void responder_free(Responder *responder) {
    g_free(responder->name);
    signer_free(responder->signer);
    if (responder->certificate)
        g_byte_array_unref(responder->certificate);
    g_free(responder);
}

VigieOcsp *pki_ocsp_new(void) {
    VigieOcsp *ocsp = g_new0(VigieOcsp, 1);
    ocsp->responders = g_ptr_array_new_with_free_func((GDestroyNotify)responder_free);
    return ocsp;
}

void pki_ocsp_free(VigieOcsp *ocsp) {
    if (!ocsp)
        return;
    g_ptr_array_unref(ocsp->responders);
    g_free(ocsp);
}

/* ---- Authorities -------------------------------------------------------------------------------------------- */
/* The bits of a SubjectPublicKeyInfo's key. */
static VigieBytes key_bits(VigieBytes spki) {
    const char *clause = NULL;
    DerElement whole, algorithm, bits;
    VigieReader in = vigie_reader(spki);
    if (!der_expect(&in, DER_SEQUENCE, &whole, &clause))
        return (VigieBytes){0};
    in = vigie_reader(whole.value);
    if (!der_expect(&in, DER_SEQUENCE, &algorithm, &clause) ||
        !der_expect(&in, DER_BIT_STRING, &bits, &clause) || bits.value.size < 2)
        return (VigieBytes){0};
    return vigie_bytes(bits.value.data + 1, bits.value.size - 1);
}

static Responder *by_id(const VigieOcsp *ocsp, int64_t id) {
    for (guint i = 0; i < ocsp->responders->len; i++)
        if (((Responder *)ocsp->responders->pdata[i])->id == id)
            return ocsp->responders->pdata[i];
    return NULL;
}

static void add_authority(VigieOcsp *ocsp, int64_t id, const char *name, VigieBytes der,
                          const char *settings_text) {
    CertificateView view;
    g_autoptr(json_t) settings = json_loads(settings_text, 0, NULL);
    if (!certificate_view(der, &view))
        return;
    Responder *responder = by_id(ocsp, id);
    if (!responder) {
        responder = g_new0(Responder, 1);
        g_ptr_array_add(ocsp->responders, responder);
    }
    VigieBytes key = key_bits(view.spki);
    responder->id = id;
    responder->hours = json_integer_value(json_object_get(settings, "answer_hours"));
    g_free(responder->name);
    responder->name = g_strdup(name);
    SHA1(view.subject.data, view.subject.size, responder->name_sha1);
    SHA1(key.data, key.size, responder->key_sha1);
    SHA256(view.subject.data, view.subject.size, responder->name_sha256);
    SHA256(key.data, key.size, responder->key_sha256);
}

static bool read_authorities(VigieOcsp *ocsp, VigieStore *store, VigieTime now, GError **error) {
    if (ocsp->read != 0 && now >= ocsp->read && now - ocsp->read < REFRESH)
        return true;
    g_autoptr(VigieRows) rows = store_query(
        store, error, "SELECT id, name, certificate, settings FROM pki_authority ORDER BY id", "");
    g_autoptr(GError) why = NULL;
    if (!rows)
        return false;
    while (rows_next(rows, &why))
        add_authority(ocsp, rows_int(rows, 0), rows_text(rows, 1), rows_blob(rows, 2), rows_text(rows, 3));
    if (why) {
        g_propagate_error(error, g_steal_pointer(&why));
        return false;
    }
    ocsp->read = now;
    return true;
}

static Responder *find_responder(const VigieOcsp *ocsp, const OcspAsked *asked) {
    for (guint i = 0; i < ocsp->responders->len; i++) {
        Responder *one = ocsp->responders->pdata[i];
        VigieBytes name = asked->sha256 ? vigie_bytes(one->name_sha256, 32) : vigie_bytes(one->name_sha1, 20);
        VigieBytes key = asked->sha256 ? vigie_bytes(one->key_sha256, 32) : vigie_bytes(one->key_sha1, 20);
        if (vigie_bytes_equal(asked->name_hash, name) && vigie_bytes_equal(asked->key_hash, key))
            return one;
    }
    return NULL;
}

bool pki_ocsp_add_key(VigieOcsp *ocsp, VigieStore *store, const char *authority, const char *passphrase,
                      GError **error) {
    Responder *responder = NULL;
    if (!read_authorities(ocsp, store, vigie_time_now(), error))
        return false;
    for (guint i = 0; i < ocsp->responders->len; i++)
        if (strcmp(((Responder *)ocsp->responders->pdata[i])->name, authority) == 0)
            responder = ocsp->responders->pdata[i];
    g_autoptr(VigieRows) rows =
        store_query(store, error,
                    "SELECT r.key_file, c.der, c.id FROM pki_responder r JOIN pki_certificate c ON c.id = "
                    "r.certificate JOIN pki_authority a ON a.id = r.authority WHERE a.name = $1",
                    "t", authority);
    if (!rows)
        return false;
    if (!responder || !rows_next(rows, error)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "%s has no responder: see vigie ca responder",
                    authority);
        return false;
    }
    g_autoptr(Signer) signer = signer_open(rows_text(rows, 0), passphrase, error);
    VigieBytes der = rows_blob(rows, 1);
    if (!signer)
        return false;
    VigieBytes key = key_bits(der_bytes(signer->spki));
    SHA1(key.data, key.size, responder->responder);
    signer_free(responder->signer);
    if (responder->certificate)
        g_byte_array_unref(responder->certificate);
    responder->signer = g_steal_pointer(&signer);
    responder->certificate = g_byte_array_append(g_byte_array_new(), der.data, (guint)der.size);
    responder->certificate_id = rows_int(rows, 2);
    return true;
}

bool ocsp_has_key(const VigieOcsp *ocsp, const char *authority) {
    for (guint i = 0; i < ocsp->responders->len; i++) {
        const Responder *responder = ocsp->responders->pdata[i];
        if (strcmp(responder->name, authority) == 0)
            return responder->signer != NULL;
    }
    return false;
}

/* ---- Answers ------------------------------------------------------------------------------------------------ */
static void put_failure(GByteArray *out, uint8_t status) {
    const uint8_t answer[] = {0x30, 0x03, 0x0A, 0x01, status};
    g_byte_array_append(out, answer, sizeof answer);
}

/* A CertID by our own hashes; a request by either finds its own in the answer, which has both. */
static void put_id(GByteArray *out, const Responder *responder, VigieBytes serial, bool sha256) {
    size_t id = der_open(out, DER_SEQUENCE), algorithm = der_open(out, DER_SEQUENCE);
    der_put_oid(out, sha256 ? "2.16.840.1.101.3.4.2.1" : "1.3.14.3.2.26");
    der_put(out, 0x05, "", 0);
    der_close(out, algorithm);
    if (sha256) {
        der_put(out, DER_OCTET_STRING, responder->name_sha256, 32);
        der_put(out, DER_OCTET_STRING, responder->key_sha256, 32);
    } else {
        der_put(out, DER_OCTET_STRING, responder->name_sha1, 20);
        der_put(out, DER_OCTET_STRING, responder->key_sha1, 20);
    }
    der_put(out, DER_INTEGER, serial.data, serial.size);
    der_close(out, id);
}

static void put_status(GByteArray *out, const Status *status) {
    if (!status->known) {
        der_put(out, DER_CONTEXT(2), "", 0);
    } else if (status->reason < 0 || status->reason == REASON_RELEASE) {
        der_put(out, DER_CONTEXT(0), "", 0);
    } else {
        size_t revoked = der_open(out, DER_CONTEXT_CONSTRUCTED(1));
        der_put_generalized_time(out, DER_GENERALIZED_TIME, status->at);
        if (status->reason != 0) {
            size_t reason = der_open(out, DER_CONTEXT_CONSTRUCTED(0));
            der_put_unsigned(out, 0x0A, (uint64_t)status->reason);
            der_close(out, reason);
        }
        der_close(out, revoked);
    }
}

static void put_single(GByteArray *out, VigieBytes id, const Status *status, VigieTime from, VigieTime to) {
    size_t single = der_open(out, DER_SEQUENCE);
    der_put_whole(out, id);
    put_status(out, status);
    der_put_generalized_time(out, DER_GENERALIZED_TIME, from);
    size_t next = der_open(out, DER_CONTEXT_CONSTRUCTED(0));
    der_put_generalized_time(out, DER_GENERALIZED_TIME, to);
    der_close(out, next);
    der_close(out, single);
}

/* `singles` are SingleResponses; the whole OCSPResponse onto `out`. */
static bool put_answer(GByteArray *out, const Responder *responder, const GByteArray *singles,
                       VigieBytes nonce, VigieTime now, GError **error) {
    g_autoptr(GByteArray) data = g_byte_array_sized_new(512), signature = g_byte_array_sized_new(512);
    size_t whole = der_open(data, DER_SEQUENCE), id = der_open(data, DER_CONTEXT_CONSTRUCTED(2));
    der_put(data, DER_OCTET_STRING, responder->responder, sizeof responder->responder);
    der_close(data, id);
    der_put_generalized_time(data, DER_GENERALIZED_TIME, now);
    der_put(data, DER_SEQUENCE, singles->data, singles->len);
    if (nonce.size > 0) {
        size_t tagged = der_open(data, DER_CONTEXT_CONSTRUCTED(1)), list = der_open(data, DER_SEQUENCE);
        g_autoptr(GByteArray) value = g_byte_array_new();
        der_put(value, DER_OCTET_STRING, nonce.data, nonce.size);
        extension_put(data, "1.3.6.1.5.5.7.48.1.2", false, der_bytes(value));
        der_close(data, list);
        der_close(data, tagged);
    }
    der_close(data, whole);
    if (!signer_sign(responder->signer, der_bytes(data), signature, error))
        return false;
    size_t response = der_open(out, DER_SEQUENCE);
    der_put(out, 0x0A, "\x00", 1);
    size_t bytes = der_open(out, DER_CONTEXT_CONSTRUCTED(0)), typed = der_open(out, DER_SEQUENCE);
    der_put_oid(out, "1.3.6.1.5.5.7.48.1.1");
    size_t octets = der_open(out, DER_OCTET_STRING), basic = der_open(out, DER_SEQUENCE);
    der_put_whole(out, der_bytes(data));
    der_put_whole(out, responder->signer->algorithm);
    der_put_bits(out, der_bytes(signature));
    size_t certificates = der_open(out, DER_CONTEXT_CONSTRUCTED(0));
    der_put(out, DER_SEQUENCE, responder->certificate->data, responder->certificate->len);
    der_close(out, certificates);
    der_close(out, basic);
    der_close(out, octets);
    der_close(out, typed);
    der_close(out, bytes);
    der_close(out, response);
    return true;
}

/* Of an authority that was revoked nothing is good (RFC 6960 2.7). */
static void read_status(const VigieRows *rows, int column, Status *status) {
    int64_t reason = rows_int(rows, column), ended = rows_int(rows, column + 2);
    bool good = reason < 0 || reason == REASON_RELEASE || reason == REASON_HOLD;
    status->reason = good && ended ? REASON_CA_COMPROMISE : reason;
    status->at = good && ended ? ended : rows_int(rows, column + 1);
}

static bool find_status(VigieStore *store, int64_t authority, VigieBytes serial, Status *ret_status,
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
    Status status = {.known = rows_next(rows, &why)};
    if (why) {
        g_propagate_error(error, g_steal_pointer(&why));
        return false;
    }
    if (status.known)
        read_status(rows, 0, &status);
    *ret_status = status;
    return true;
}

/* Signed now: all that is asked of this one responder. */
static bool answer_fresh(VigieStore *store, const Responder *responder, const OcspRequest *request,
                         VigieTime now, VigieOcspAnswer *answer, GError **error) {
    g_autoptr(GByteArray) singles = g_byte_array_sized_new(256);
    VigieTime next = now + responder->hours * HOUR;
    bool keep = request->nonce.size == 0;
    for (size_t i = 0; i < request->count; i++) {
        Status status;
        if (!find_status(store, responder->id, request->asked[i].serial, &status, error))
            return false;
        put_single(singles, request->asked[i].id, &status, now, next);
        keep = keep && status.known; /* what is unknown now may be issued */
    }
    if (!put_answer(answer->der, responder, singles, request->nonce, now, error))
        return false;
    answer->this_update = now;
    answer->next_update = keep ? next : 0;
    return true;
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

static bool answer_known(VigieOcsp *ocsp, VigieStore *store, const OcspRequest *request, VigieTime now,
                         VigieOcspAnswer *answer, GError **error) {
    const Responder *responder = find_responder(ocsp, &request->asked[0]);
    for (size_t i = 1; responder && i < request->count; i++)
        if (find_responder(ocsp, &request->asked[i]) != responder)
            responder = NULL;
    if (!responder || (!responder->signer && request->count > 1)) {
        put_failure(answer->der, UNAUTHORIZED);
        return true;
    }
    const OcspAsked *asked = &request->asked[0];
    bool single = request->count == 1, nonce = request->nonce.size > 0, found = false;
    if (single && !nonce && !answer_kept(store, responder, asked, now, answer, &found, error))
        return false;
    if (found)
        return true;
    if (responder->signer)
        return answer_fresh(store, responder, request, now, answer, error);
    if (ocsp->client && ocsp_client_ask(ocsp->client, responder->id, asked, request->nonce, answer))
        return true;
    if (nonce && !answer_kept(store, responder, asked, now, answer, &found, error))
        return false;
    if (found)
        return true;
    Status status;
    if (!find_status(store, responder->id, request->asked[0].serial, &status, error))
        return false;
    put_failure(answer->der, status.known ? TRY_LATER : UNAUTHORIZED);
    return true;
}

bool pki_ocsp_answer(VigieOcsp *ocsp, VigieStore *store, VigieBytes der, VigieTime now,
                     VigieOcspAnswer *ret_answer, GError **error) {
    OcspRequest request;
    VigieOcspAnswer answer = {.der = g_byte_array_sized_new(1024)};
    bool well = true;
    if (!ocsp_request_parse(der, &request))
        put_failure(answer.der, MALFORMED);
    else
        well = read_authorities(ocsp, store, now, error) &&
               answer_known(ocsp, store, &request, now, &answer, error);
    if (!well)
        g_byte_array_unref(answer.der);
    else
        *ret_answer = answer;
    return well;
}

/* ---- For a process without keys ------------------------------------------------------------------------------- */
void pki_ocsp_set_client(VigieOcsp *ocsp, VigieOcspClient *client) {
    ocsp->client = client;
}

bool pki_ocsp_follow(VigieOcsp *ocsp, VigieStore *store, const char *authority, VigiePassphrase passphrase,
                     void *data, GError **error) {
    int64_t certificate = 0;
    if (!store_get_int(store, &certificate, error,
                       "SELECT COALESCE(MAX(r.certificate), 0) FROM pki_responder r JOIN pki_authority a ON "
                       "a.id = r.authority WHERE a.name = $1",
                       "t", authority))
        return false;
    for (guint i = 0; i < ocsp->responders->len; i++) {
        const Responder *one = ocsp->responders->pdata[i];
        if (one->signer && one->certificate_id == certificate && strcmp(one->name, authority) == 0)
            return true;
    }
    char *secret = passphrase(authority, false, data, error);
    bool added = secret && pki_ocsp_add_key(ocsp, store, authority, secret, error);
    if (secret)
        OPENSSL_cleanse(secret, strlen(secret));
    g_free(secret);
    return added;
}

bool ocsp_answer_serial(VigieOcsp *ocsp, VigieStore *store, int64_t authority, bool sha256, VigieBytes serial,
                        VigieBytes nonce, VigieTime now, VigieOcspAnswer *answer, GError **error) {
    g_autoptr(GByteArray) id = g_byte_array_sized_new(128);
    if (!read_authorities(ocsp, store, now, error))
        return false;
    const Responder *responder = by_id(ocsp, authority);
    if (!responder || !responder->signer)
        return true;
    put_id(id, responder, serial, sha256);
    OcspRequest request = {.asked = {{.id = der_bytes(id), .serial = serial}}, .count = 1, .nonce = nonce};
    return answer_fresh(store, responder, &request, now, answer, error);
}

int64_t *ocsp_paced(VigieOcsp *ocsp) {
    return &ocsp->paced;
}

/* ---- Beforehand --------------------------------------------------------------------------------------------- */
static bool sign_one(VigieStore *store, const Responder *responder, VigieRows *rows, VigieTime now,
                     GError **error) {
    g_autoptr(GByteArray) singles = g_byte_array_sized_new(512), out = g_byte_array_sized_new(1536);
    Status status = {.known = true};
    read_status(rows, 2, &status);
    VigieTime next = now + responder->hours * HOUR;
    for (int sha256 = 0; sha256 < 2; sha256++) {
        g_autoptr(GByteArray) id = g_byte_array_sized_new(128);
        put_id(id, responder, rows_blob(rows, 1), sha256 != 0);
        put_single(singles, der_bytes(id), &status, now, next);
    }
    if (!put_answer(out, responder, singles, (VigieBytes){0}, now, error))
        return false;
    VigieBytes der = der_bytes(out);
    return store_exec(
        store, error,
        "INSERT INTO pki_answer (certificate, this_update, next_update, der) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (certificate) DO UPDATE SET this_update = $2, next_update = $3, der = $4",
        "iiib", rows_int(rows, 0), now, next, &der);
}

/* Certificates that never had an answer, and answers one half of whose life is over: each is found by an index, so that
 * nothing is read of the many for which nothing is due. $1 the last id or the time, $2 the authority, $3 now, $4 how many. */
static const char *const due_queries[] = {
    "SELECT c.id, c.serial, COALESCE(r.reason, -1), COALESCE(r.at, 0), (SELECT revoked FROM pki_authority "
    "WHERE id = $2) FROM pki_certificate c LEFT JOIN "
    "pki_revocation r ON r.certificate = c.id WHERE c.id > $1 AND c.authority = $2 AND c.not_after >= $3 AND "
    "NOT EXISTS "
    "(SELECT 1 FROM pki_answer a WHERE a.certificate = c.id) ORDER BY c.id LIMIT $4",
    "SELECT c.id, c.serial, COALESCE(r.reason, -1), COALESCE(r.at, 0), (SELECT revoked FROM pki_authority "
    "WHERE id = $2) FROM pki_answer a JOIN pki_certificate "
    "c ON c.id = "
    "a.certificate LEFT JOIN pki_revocation r ON r.certificate = c.id WHERE a.next_update <= $1 AND "
    "c.authority = $2 AND "
    "c.not_after >= $3 ORDER BY a.next_update LIMIT $4"};

static bool sign_rows(VigieStore *store, const Responder *responder, const char *query, int64_t from,
                      VigieTime now, int64_t *ret_last, int64_t *ret_count, GError **error) {
    g_autoptr(VigieRows) rows =
        store_query(store, error, query, "iiii", from, responder->id, now, (int64_t)BATCH);
    g_autoptr(GError) why = NULL;
    int64_t count = 0;
    if (!rows)
        return false;
    for (; rows_next(rows, &why); count++) {
        *ret_last = MAX(*ret_last, rows_int(rows, 0));
        if (!sign_one(store, responder, rows, now, error))
            return false;
    }
    *ret_count = count;
    return rows_ended(rows, &why, error);
}

/* In the log's lock: no revocation comes between the status that is read and the answer that is kept. */
static bool sign_batch(VigieStore *store, Responder *responder, const char *query, int64_t from,
                       const char *who, VigieTime now, int64_t *ret_count, GError **error) {
    Journal journal;
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    int64_t last = responder->seen;
    if (!tx || !journal_begin(&journal, store, who, now, error) ||
        !sign_rows(store, responder, query, from, now, &last, ret_count, error) || !store_commit(&tx, error))
        return false;
    responder->seen = last;
    return true;
}

static bool is_due(VigieStore *store, const Responder *responder, const char *query, int64_t from,
                   VigieTime now, bool *ret_due, GError **error) {
    g_autoptr(VigieRows) rows =
        store_query(store, error, query, "iiii", from, responder->id, now, (int64_t)1);
    GError *why = NULL;
    *ret_due = rows && rows_next(rows, &why);
    return rows && rows_ended(rows, &why, error);
}

static bool sign_due(VigieStore *store, Responder *responder, size_t which, const char *who, VigieTime now,
                     int64_t *count, GError **error) {
    const char *query = due_queries[which];
    for (int64_t batch = BATCH; batch == BATCH; *count += batch) {
        int64_t from = which == 0 ? responder->seen : now + responder->hours * HOUR / 2;
        bool due = false;
        if (!is_due(store, responder, query, from, now, &due, error))
            return false;
        if (!due)
            return true;
        if (!sign_batch(store, responder, query, from, who, now, &batch, error))
            return false;
    }
    return true;
}

/* Of certificates that ended, nobody asks any more. */
static bool forget_ended(VigieStore *store, VigieTime now, GError **error) {
    int64_t ended = 0;
    return store_get_int(store, &ended, error, "SELECT COUNT(*) FROM pki_answer WHERE next_update <= $1", "i",
                         now) &&
           (ended == 0 ||
            store_exec(store, error,
                       "DELETE FROM pki_answer WHERE next_update <= $1 AND certificate IN (SELECT id FROM "
                       "pki_certificate WHERE not_after < $1)",
                       "i", now));
}

bool pki_ocsp_sign_all(VigieOcsp *ocsp, VigieStore *store, const char *authority, const char *who,
                       VigieTime now, int64_t *ret_signed, GError **error) {
    Responder *responder = NULL;
    int64_t count = 0;
    for (guint i = 0; i < ocsp->responders->len; i++)
        if (strcmp(((Responder *)ocsp->responders->pdata[i])->name, authority) == 0)
            responder = ocsp->responders->pdata[i];
    if (!responder || !responder->signer) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED, "%s: the key of its responder was not given",
                    authority);
        return false;
    }
    for (size_t which = 0; which < G_N_ELEMENTS(due_queries); which++)
        if (!sign_due(store, responder, which, who, now, &count, error))
            return false;
    if (!forget_ended(store, now, error))
        return false;
    *ret_signed = count;
    return true;
}
