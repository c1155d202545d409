/* resident.c: the work of the process that holds the keys: what is validated is signed, what lapses is made anew. */
#include "pki/authority.h"
#include "pki/journal.h"
#include "pki/link.h"
#include "pki/ocsp.h"
#include "pki/request.h"
#include "pki/row.h"

#include <openssl/crypto.h>
#include <string.h>

enum { BATCH = 64, TRY_AGAIN = 60 };

struct VigieSigner {
    GPtrArray *authorities; /* VigieAuthority, with their keys */
    VigieProfiles *profiles;
    VigieOcsp *ocsp;
    VigiePassphrase passphrase;
    void *data;
    char *who;
    GHashTable *tried; /* VigieAuthority → when its responder was tried in vain: that costs a key each time */
};

static void wipe(char *secret) {
    if (secret)
        OPENSSL_cleanse(secret, strlen(secret));
    g_free(secret);
}

/* ---- Keys --------------------------------------------------------------------------------------------------- */
static bool open_authority(VigieSigner *signer, VigieStore *store, const char *name, GError **error) {
    char *passphrase = signer->passphrase(name, false, signer->data, error);
    VigieAuthority *authority = passphrase ? pki_authority_open(store, name, passphrase, error) : NULL;
    wipe(passphrase);
    if (!authority)
        g_prefix_error(error, "signer, authority %s: ", name);
    else
        g_ptr_array_add(signer->authorities, authority);
    return authority != NULL;
}

VigieSigner *pki_signer_new(VigieStore *store, const char *const *authorities, VigiePassphrase passphrase,
                            void *data, const char *who, GError **error) {
    g_autoptr(VigieSigner) signer = g_new0(VigieSigner, 1);
    signer->authorities = g_ptr_array_new_with_free_func((GDestroyNotify)pki_authority_close);
    signer->passphrase = passphrase;
    signer->data = data;
    signer->who = g_strdup(who);
    signer->ocsp = pki_ocsp_new();
    signer->tried = g_hash_table_new(NULL, NULL);
    signer->profiles = pki_profiles_load(error);
    if (!signer->profiles)
        return NULL;
    for (; *authorities; authorities++)
        if (!open_authority(signer, store, *authorities, error))
            return NULL;
    return g_steal_pointer(&signer);
}

void pki_signer_free(VigieSigner *signer) {
    if (!signer)
        return;
    g_ptr_array_unref(signer->authorities);
    pki_profiles_free(signer->profiles);
    pki_ocsp_free(signer->ocsp);
    g_clear_pointer(&signer->tried, g_hash_table_unref);
    g_free(signer->who);
    g_free(signer);
}

/* ---- Answering ---------------------------------------------------------------------------------------------- */
/* Requests of one authority that are to be issued together, and what keeps their texts alive. */
typedef struct {
    VigieIssueRequest asked[BATCH];
    VigieIssued answers[BATCH];
    GPtrArray *rows, *bytes; /* json_t, GByteArray */
    size_t count;
} Batch;

static void batch_clear(Batch *batch) {
    for (size_t i = 0; i < batch->count; i++) {
        pki_issued_clear(&batch->answers[i]);
        g_free((void *)batch->asked[i].names);
    }
    g_ptr_array_unref(batch->rows);
    g_ptr_array_unref(batch->bytes);
}

static int64_t number(const json_t *row, const char *name) {
    return json_integer_value(json_object_get(row, name));
}

static const char **name_vector(const json_t *list) {
    const char **names = g_new0(const char *, json_array_size(list) + 1);
    for (size_t i = 0; i < json_array_size(list); i++)
        names[i] = json_string_value(json_array_get(list, i));
    return names;
}

/* Another try would not help. */
static bool is_final(const GError *error) {
    return !g_error_matches(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE) &&
           !g_error_matches(error, VIGIE_ERROR, VIGIE_ERROR_BUSY);
}

static bool refuse(VigieSigner *signer, VigieStore *store, int64_t id, const char *reason, VigieTime now,
                   GError **error) {
    Journal journal;
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    return tx && journal_begin(&journal, store, signer->who, now, error) &&
           request_refuse(&journal, id, reason, error) && journal_end(&journal, NULL, 0, error) &&
           store_commit(&tx, error);
}

/* Takes `why`: what is final is told to who asked, what is not is left for another time. */
static bool refuse_or_wait(VigieSigner *signer, VigieStore *store, int64_t id, GError *why, VigieTime now,
                           GError **error) {
    if (!is_final(why)) {
        g_propagate_error(error, why);
        return false;
    }
    bool refused = refuse(signer, store, id, why->message, now, error);
    g_error_free(why);
    return refused;
}

/* Takes `row`. */
static bool put(Batch *batch, VigieStore *store, json_t *row, GError **error) {
    GByteArray *csr = request_csr(store, number(row, "id"), error);
    g_ptr_array_add(batch->rows, row);
    if (!csr)
        return false;
    g_ptr_array_add(batch->bytes, csr);
    bool bare = number(row, "bare") != 0, renewal = strcmp(vigie_member(row, "kind"), "renew") == 0;
    VigieBytes octets = vigie_bytes(csr->data, csr->len);
    const char *validator = vigie_member(row, "validator");
    batch->asked[batch->count++] =
        (VigieIssueRequest){.profile = vigie_member(row, "profile"),
                            .csr = bare ? (VigieBytes){0} : octets,
                            .spki = bare ? octets : (VigieBytes){0},
                            .fields = renewal ? NULL : json_object_get(row, "fields"),
                            .names = renewal ? NULL : name_vector(json_object_get(row, "names")),
                            .days = (int)number(row, "days"),
                            .device = number(row, "device"),
                            .requester = vigie_member(row, "requester"),
                            .validator = validator ? validator : vigie_member(row, "proof"),
                            .renews = renewal ? vigie_member(row, "replaces") : NULL,
                            .request = number(row, "id")};
    return true;
}

/* With the line in the log that says so, or the request is as it was. */
static bool carry_out(VigieSigner *signer, VigieStore *store, const json_t *row, VigieTime now,
                      GError **error) {
    bool claimed = false;
    const char *validator = vigie_member(row, "validator"), *reason = vigie_member(row, "reason");
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    return tx &&
           pki_revoke(store, signer->profiles, vigie_member(row, "replaces"), reason ? reason : "unspecified",
                      validator ? validator : vigie_member(row, "requester"), now, error) &&
           request_claim(store, number(row, "id"), now, &claimed, error) && claimed &&
           store_wake(store, error) && store_commit(&tx, error);
}

/* Checked anew, whoever wrote it: then revoked at once, or put with the others that are to be issued. Takes `row`. */
static bool take(VigieSigner *signer, VigieStore *store, Batch *batch, json_t *row, VigieTime now,
                 GError **error) {
    g_autoptr(json_t) held = row;
    GError *why = NULL;
    int64_t id = number(row, "id");
    if (!request_proof_check(store, signer->profiles, row, now, &why))
        return refuse_or_wait(signer, store, id, why, now, error);
    if (strcmp(vigie_member(row, "kind"), "revoke") != 0)
        return put(batch, store, g_steal_pointer(&held), error);
    if (carry_out(signer, store, row, now, &why))
        return true;
    return !why ||
           refuse_or_wait(signer, store, id, why, now, error); /* without a reason: decided meanwhile */
}

static bool waiting(VigieStore *store, const VigieAuthority *authority, int64_t *after, GArray *ids,
                    GError **error) {
    g_autoptr(VigieRows) rows = store_query(store, error,
                                            "SELECT id FROM pki_request WHERE state = 'validated' AND "
                                            "authority = $1 AND id > $2 ORDER BY id LIMIT $3",
                                            "iii", authority->id, *after, (int64_t)BATCH);
    GError *why = NULL;
    g_array_set_size(ids, 0);
    if (!rows)
        return false;
    while (rows_next(rows, &why)) {
        *after = rows_int(rows, 0);
        g_array_append_val(ids, *after);
    }
    return rows_ended(rows, &why, error);
}

static bool issue(VigieSigner *signer, VigieStore *store, VigieAuthority *authority, Batch *batch,
                  VigieTime now, GError **error) {
    if (batch->count > 0 && !pki_issue(store, authority, signer->profiles, batch->asked, batch->count,
                                       batch->answers, signer->who, now, error))
        return false;
    for (size_t i = 0; i < batch->count; i++)
        if (batch->answers[i].error && !refuse_or_wait(signer, store, batch->asked[i].request,
                                                       g_steal_pointer(&batch->answers[i].error), now, error))
            return false;
    return true;
}

static bool answer_batch(VigieSigner *signer, VigieStore *store, VigieAuthority *authority, const GArray *ids,
                         VigieTime now, GError **error) {
    g_autofree Batch *batch = g_new0(Batch, 1);
    batch->rows = g_ptr_array_new_with_free_func((GDestroyNotify)json_decref);
    batch->bytes = g_ptr_array_new_with_free_func((GDestroyNotify)g_byte_array_unref);
    bool well = true;
    for (guint i = 0; well && i < ids->len; i++) {
        json_t *row = request_read(store, signer->profiles, g_array_index(ids, int64_t, i), error);
        well = row && take(signer, store, batch, row, now, error);
    }
    well = well && issue(signer, store, authority, batch, now, error);
    batch_clear(batch);
    return well;
}

bool pki_signer_answer(VigieSigner *signer, VigieStore *store, VigieTime now, bool *ret_stirred,
                       GError **error) {
    g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(int64_t));
    bool answered = false, ended = false;
    for (guint i = 0; i < signer->authorities->len; i++) {
        int64_t after = 0;
        do {
            if (!waiting(store, signer->authorities->pdata[i], &after, ids, error) ||
                !answer_batch(signer, store, signer->authorities->pdata[i], ids, now, error))
                return false;
            answered = answered || ids->len > 0;
        } while (ids->len == BATCH);
    }
    if (!journal_is_signed(store, &ended, error))
        return false;
    *ret_stirred = answered || !ended;
    return true;
}

/* ---- Keeping ------------------------------------------------------------------------------------------------ */
/* The responder's certificate is made, or made anew when a quarter of its life is left. */
static bool keep_responder(VigieSigner *signer, VigieStore *store, VigieAuthority *authority, VigieTime now,
                           GError **error) {
    int64_t good = 0;
    if (!store_get_int(store, &good, error,
                       "SELECT COUNT(*) FROM pki_responder p JOIN pki_certificate c ON c.id = p.certificate "
                       "LEFT JOIN pki_revocation r ON r.certificate = c.id WHERE p.authority = $1 AND "
                       "(c.not_after - $2) * 4 > c.not_after - c.not_before AND r.certificate IS NULL",
                       "ii", authority->id, now))
        return false;
    if (good > 0 && ocsp_has_key(signer->ocsp, authority->name))
        return true;
    char *passphrase = signer->passphrase(authority->name, false, signer->data, error);
    g_autoptr(GError) why = NULL;
    bool well =
        passphrase && good > 0 && pki_ocsp_add_key(signer->ocsp, store, authority->name, passphrase, &why);
    /* One whose key is gone, or sealed with a passphrase that is not the authority's, is replaced by ours. */
    bool replace = good == 0 || g_error_matches(why, VIGIE_ERROR, VIGIE_ERROR_DENIED) ||
                   g_error_matches(why, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND);
    if (passphrase && !well && replace)
        well = pki_responder_make(store, authority, signer->profiles, passphrase, signer->who, now, error) &&
               pki_ocsp_add_key(signer->ocsp, store, authority->name, passphrase, error);
    else if (why)
        g_propagate_error(error, g_steal_pointer(&why));
    wipe(passphrase);
    if (well)
        g_hash_table_remove(signer->tried, authority);
    else
        g_hash_table_insert(signer->tried, authority, GINT_TO_POINTER((gint)(now & G_MAXINT)));
    return well;
}

static bool serves(const VigieAuthority *authority, const char *profile) {
    const json_t *list = json_object_get(authority->settings, "profiles");
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(json_string_value(json_array_get(list, i)), profile) == 0)
            return true;
    return false;
}

static bool keep_lists(VigieSigner *signer, VigieStore *store, VigieAuthority *authority, VigieTime now,
                       GError **error) {
    g_autoptr(json_t) lists = pki_crl_publish(store, authority, false, signer->who, now, error);
    return lists != NULL;
}

static bool tried_lately(const VigieSigner *signer, const VigieAuthority *authority, VigieTime now) {
    gpointer tried = NULL;
    return g_hash_table_lookup_extended(signer->tried, authority, NULL, &tried) &&
           ABS((gint)(now & G_MAXINT) - GPOINTER_TO_INT(tried)) < TRY_AGAIN;
}

static bool keep_answers(VigieSigner *signer, VigieStore *store, VigieAuthority *authority, VigieTime now,
                         GError **error) {
    int64_t made = 0;
    return !serves(authority, "ocsp-responder") || tried_lately(signer, authority, now) ||
           (keep_responder(signer, store, authority, now, error) &&
            pki_ocsp_sign_all(signer->ocsp, store, authority->name, signer->who, now, &made, error));
}

/* What fails for one (a folder that cannot be written) holds up nothing else: lists before answers, the log at the end, which
 * tells of all of it. The first failure is told. */
bool pki_signer_keep(VigieSigner *signer, VigieStore *store, VigieTime now, GError **error) {
    static bool (*const duties[])(VigieSigner *, VigieStore *, VigieAuthority *, VigieTime,
                                  GError **) = {keep_lists, keep_answers};
    GError *first = NULL;
    for (size_t duty = 0; duty < G_N_ELEMENTS(duties); duty++)
        for (guint i = 0; i < signer->authorities->len; i++) {
            g_autoptr(GError) why = NULL;
            bool done = false;
            if ((!generation_done(store, signer->authorities->pdata[i], now, &done, &why) ||
                 (!done && !duties[duty](signer, store, signer->authorities->pdata[i], now, &why))) &&
                !first)
                first = g_steal_pointer(&why);
        }
    VigieAuthority *any = signer->authorities->len ? signer->authorities->pdata[0] : NULL;
    bool well = !any || journal_sign(store, any->signer, any->id, signer->who, now, first ? NULL : &first);
    if (!first)
        return well;
    g_propagate_error(error, first);
    return false;
}
