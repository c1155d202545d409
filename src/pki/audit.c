/* audit.c: the log read back, and all that must agree with it. */
#include "pki/authority.h"
#include "pki/journal.h"
#include "pki/revoke.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_PKEY, EVP_PKEY_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_MD_CTX, EVP_MD_CTX_free)

enum { PAGE = 5000, FAULTS_MAX = 1000 };

typedef struct {
    VigieStore *store;
    json_t *faults;
    int64_t seq, certificates, checkpoints;
    int64_t to_be_signed,
        signed_to; /* lines: the last by which an authority's key was at hand, the last that is signed */
    VigieTime time;
    uint8_t hash[JOURNAL_HASH];
    GHashTable *revoked; /* serial: its last line's number */
    GHashTable *keys;    /* authority's id: EVP_PKEY */
} Audit;

static void fault(Audit *audit, int64_t seq, const char *what) {
    if (json_array_size(audit->faults) < FAULTS_MAX)
        json_array_append_new(audit->faults, json_pack("{s:I, s:s}", "seq", (json_int_t)seq, "fault", what));
}

static char *sha256_text(VigieBytes octets) {
    return g_compute_checksum_for_data(G_CHECKSUM_SHA256, octets.data, octets.size);
}

/* ---- The chain ---------------------------------------------------------------------------------------------- */
/* What stands beside it decides who may renew and revoke it, and how long a list names it. */
static bool row_holds(const json_t *details, VigieRows *rows, VigieBytes der) {
    static const struct {
        const char *member;
        int column;
    } told[] = {{"authority", 9}, {"profile", 10}, {"subject", 11}};
    g_autoptr(VigieCertificate) certificate = x509_certificate_new(der, NULL);
    bool holds = certificate && rows_int(rows, 12) == certificate->not_before &&
                 rows_int(rows, 13) == certificate->not_after;
    for (size_t i = 0; i < G_N_ELEMENTS(told); i++)
        holds =
            holds && g_strcmp0(vigie_member(details, told[i].member), rows_text(rows, told[i].column)) == 0;
    return holds;
}

static void check_issued(Audit *audit, int64_t seq, const char *object, const char *text, VigieRows *rows) {
    VigieBytes serial = rows_blob(rows, 7), der = rows_blob(rows, 8);
    g_autoptr(json_t) details = json_loads(text, 0, NULL);
    const char *told = json_string_value(json_object_get(details, "sha256"));
    audit->certificates++;
    if (der.size == 0) {
        fault(audit, seq, "a certificate of the log is not in the store");
        return;
    }
    g_autofree char *of_store = sha256_text(der), *of_serial = vigie_hex_text(serial);
    if (g_strcmp0(told, of_store) != 0 || strcmp(object, of_serial) != 0)
        fault(audit, seq, "the certificate in the store is not the one that was issued");
    else if (!row_holds(details, rows, der))
        fault(audit, seq, "what the store says of a certificate is other than the log and itself tell");
}

/* Of some no more than the number is known. */
static void check_adopted(Audit *audit, int64_t seq, const char *text, VigieBytes der) {
    g_autoptr(json_t) details = json_loads(text, 0, NULL);
    const char *told = json_string_value(json_object_get(details, "sha256"));
    g_autofree char *of_store = der.size > 0 ? sha256_text(der) : g_strdup("");
    if (strcmp(told ? told : "", of_store) != 0)
        fault(audit, seq, "the certificate in the store is not the one that was adopted");
}

static void check_line(Audit *audit, VigieRows *rows) {
    int64_t seq = rows_int(rows, 0);
    const char *const fields[4] = {rows_text(rows, 2), rows_text(rows, 3), rows_text(rows, 4),
                                   rows_text(rows, 5)};
    VigieBytes hash = rows_blob(rows, 6);
    if (seq != audit->seq + 1)
        fault(audit, seq, "lines before it are missing");
    audit->seq = seq;
    audit->time = rows_int(rows, 1);
    journal_hash(audit->hash, seq, audit->time, fields);
    if (!vigie_bytes_equal(hash, vigie_bytes(audit->hash, JOURNAL_HASH))) {
        fault(audit, seq, "the line was changed, or one before it");
        /* From here on by what it says, so that each change is told once. */
        if (hash.size == JOURNAL_HASH)
            memcpy(audit->hash, hash.data, JOURNAL_HASH);
    }
    if (strcmp(fields[0], "issued") == 0)
        check_issued(audit, seq, fields[2], fields[3], rows);
    else if (strcmp(fields[0], "adopted") == 0)
        check_adopted(audit, seq, fields[3], rows_blob(rows, 8));
    if (strcmp(fields[0], "issued") == 0 || strcmp(fields[0], "crl") == 0)
        audit->to_be_signed = seq;
    if (strcmp(fields[0], "revoked") == 0)
        g_hash_table_insert(audit->revoked, g_strdup(fields[2]), g_memdup2(&seq, sizeof seq));
}

static bool read_lines(Audit *audit, GError **error) {
    for (int64_t before = -1; before != audit->seq;) {
        before = audit->seq;
        g_autoptr(VigieRows) rows = store_query(
            audit->store, error,
            "SELECT l.seq, l.time, l.kind, l.who, l.object, l.details, l.hash, c.serial, c.der, a.name, "
            "c.profile, c.subject, c.not_before, c.not_after FROM pki_log l "
            "LEFT JOIN pki_certificate c ON c.entry = l.seq LEFT JOIN pki_authority a ON a.id = c.authority "
            "WHERE l.seq > $1 ORDER BY l.seq LIMIT $2",
            "ii", audit->seq, (int64_t)PAGE);
        g_autoptr(GError) why = NULL;
        if (!rows)
            return false;
        while (rows_next(rows, &why))
            check_line(audit, rows);
        if (why) {
            g_propagate_error(error, g_steal_pointer(&why));
            return false;
        }
    }
    return true;
}

static bool check_head(Audit *audit, GError **error) {
    int64_t head = 0, strays = 0;
    if (!store_get_int(audit->store, &head, error, "SELECT seq FROM pki_log_head WHERE id = 1", "") ||
        !store_get_int(audit->store, &strays, error,
                       "SELECT COUNT(*) FROM pki_certificate c LEFT JOIN pki_log l ON l.seq = c.entry AND "
                       "l.kind IN ('issued', 'adopted') "
                       "WHERE l.seq IS NULL",
                       ""))
        return false;
    if (head != audit->seq)
        fault(audit, audit->seq, "the log ends before the line that was its last");
    if (strays > 0)
        fault(audit, audit->seq, "the store holds certificates that no line of the log tells of");
    return true;
}

/* ---- Revocations -------------------------------------------------------------------------------------------- */
static void check_revocation(Audit *audit, VigieRows *rows) {
    int64_t entry = rows_int(rows, 1);
    g_autofree char *serial = vigie_hex_text(rows_blob(rows, 0));
    const int64_t *last = g_hash_table_lookup(audit->revoked, serial);
    g_autofree char *told = g_strdup_printf("{\"reason\":\"%s\"}", revoke_reason_name(rows_int(rows, 2)));
    if (!last || *last != entry || g_strcmp0(told, rows_text(rows, 3)) != 0 || rows_int(rows, 5) != 1)
        fault(audit, entry, "a revocation in the store is other than the log tells");
    g_hash_table_remove(audit->revoked, serial);
}

static bool check_revocations(Audit *audit, GError **error) {
    int64_t after = -1;
    for (int64_t before = -2; before != after;) {
        before = after;
        g_autoptr(VigieRows) rows =
            store_query(audit->store, error,
                        "SELECT r.serial, r.entry, r.reason, l.details, r.certificate, CASE WHEN r.authority "
                        "= c.authority AND r.serial = c.serial AND r.shard = c.shard AND r.not_after = "
                        "c.not_after THEN 1 ELSE 0 END FROM pki_revocation r "
                        "LEFT JOIN pki_log l ON l.seq = r.entry AND l.kind = 'revoked' "
                        "LEFT JOIN pki_certificate c ON c.id = r.certificate "
                        "WHERE r.certificate > $1 ORDER BY r.certificate LIMIT $2",
                        "ii", after, (int64_t)PAGE);
        g_autoptr(GError) why = NULL;
        if (!rows)
            return false;
        while (rows_next(rows, &why)) {
            check_revocation(audit, rows);
            after = rows_int(rows, 4);
        }
        if (why) {
            g_propagate_error(error, g_steal_pointer(&why));
            return false;
        }
    }
    GHashTableIter iter;
    gpointer seq;
    g_hash_table_iter_init(&iter, audit->revoked);
    while (g_hash_table_iter_next(&iter, NULL, &seq))
        fault(audit, *(int64_t *)seq, "a revocation of the log is not in the store");
    return true;
}

/* ---- Signatures --------------------------------------------------------------------------------------------- */
static EVP_PKEY *key_of(Audit *audit, int64_t authority) {
    EVP_PKEY *key = g_hash_table_lookup(audit->keys, &authority);
    if (key)
        return key;
    g_autoptr(VigieRows) rows = store_query(
        audit->store, NULL, "SELECT certificate FROM pki_authority WHERE id = $1", "i", authority);
    CertificateView view;
    if (!rows || !rows_next(rows, NULL) || !certificate_view(rows_blob(rows, 0), &view))
        return NULL;
    const uint8_t *at = view.spki.data;
    key = d2i_PUBKEY(NULL, &at, (long)view.spki.size);
    if (key)
        g_hash_table_insert(audit->keys, g_memdup2(&authority, sizeof authority), key);
    return key;
}

static bool signature_holds(EVP_PKEY *key, const char *statement, VigieBytes signature) {
    g_autoptr(EVP_MD_CTX) context = EVP_MD_CTX_new();
    bool wide = key && EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_bits(key) == 384;
    bool holds = key && context &&
                 EVP_DigestVerifyInit(context, NULL, wide ? EVP_sha384() : EVP_sha256(), NULL, key) == 1 &&
                 EVP_DigestVerify(context, signature.data, signature.size, (const unsigned char *)statement,
                                  strlen(statement)) == 1;
    ERR_clear_error();
    return holds;
}

static void check_checkpoint(Audit *audit, VigieRows *rows) {
    int64_t seq = rows_int(rows, 0);
    VigieBytes hash = rows_blob(rows, 2), of_log = rows_blob(rows, 5);
    audit->checkpoints++;
    if (hash.size != JOURNAL_HASH || !vigie_bytes_equal(hash, of_log)) {
        fault(audit, seq, "the log is other than the authority signed");
        return;
    }
    g_autofree char *statement = journal_statement(seq, rows_int(rows, 1), hash.data);
    if (signature_holds(key_of(audit, rows_int(rows, 3)), statement, rows_blob(rows, 4)))
        audit->signed_to = seq;
    else
        fault(audit, seq, "the signature of this checkpoint does not hold");
}

static bool check_checkpoints(Audit *audit, GError **error) {
    int64_t after = 0;
    for (int64_t before = -1; before != after;) {
        before = after;
        g_autoptr(VigieRows) rows = store_query(
            audit->store, error,
            "SELECT k.seq, k.time, k.hash, k.authority, k.signature, l.hash FROM pki_checkpoint k "
            "LEFT JOIN pki_log l ON l.seq = k.seq WHERE k.seq > $1 ORDER BY k.seq LIMIT $2",
            "ii", after, (int64_t)PAGE);
        g_autoptr(GError) why = NULL;
        if (!rows)
            return false;
        while (rows_next(rows, &why)) {
            check_checkpoint(audit, rows);
            after = rows_int(rows, 0);
        }
        if (why) {
            g_propagate_error(error, g_steal_pointer(&why));
            return false;
        }
    }
    /* Whoever issues signs the end in the same transaction. */
    if (audit->signed_to < audit->to_be_signed)
        fault(audit, audit->to_be_signed,
              "no authority signed the log up to this act of one: signatures were taken out");
    return true;
}

/* A checkpoint that was kept elsewhere: the same line must be there, with the same hash, as was signed then. */
static bool check_known(Audit *audit, const char *known, GError **error) {
    g_auto(GStrv) lines = g_strsplit(known, "\n", 8);
    int64_t seq = 0, authority = 0;
    if (g_strv_length(lines) < 6 || strcmp(lines[0], "Vigie log checkpoint 1") != 0 ||
        !g_ascii_string_to_signed(lines[1], 10, 1, INT64_MAX, &seq, NULL)) {
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                            "this is no checkpoint: vigie audit-log checkpoint prints one");
        return false;
    }
    g_autofree char *statement = g_strdup_printf("%s\n%s\n%s\n%s\n", lines[0], lines[1], lines[2], lines[3]);
    gsize size = 0;
    g_autofree guchar *signature = g_base64_decode(lines[5], &size);
    g_autoptr(GError) none = NULL;
    if (!store_get_int(audit->store, &authority, &none, "SELECT id FROM pki_authority WHERE name = $1", "t",
                       lines[4]) ||
        !signature_holds(key_of(audit, authority), statement, vigie_bytes(signature, size))) {
        fault(audit, seq, "the checkpoint that was kept is not signed by an authority of this store");
        return true;
    }
    g_autoptr(VigieRows) rows =
        store_query(audit->store, error, "SELECT hash FROM pki_log WHERE seq = $1", "i", seq);
    if (!rows)
        return false;
    g_autofree char *hash = rows_next(rows, NULL) ? vigie_hex_text(rows_blob(rows, 0)) : NULL;
    if (g_strcmp0(hash, lines[3]) != 0)
        fault(audit, seq,
              "the log does not hold the checkpoint that was kept: it was cut or rewritten, or the store is "
              "an older "
              "one (then: vigie ca adopt)");
    return true;
}

/* ---- Asked for ---------------------------------------------------------------------------------------------- */
static void key_free(gpointer key) {
    EVP_PKEY_free(key);
}

json_t *pki_log_verify(VigieStore *store, const char *known, GError **error) {
    Audit audit = {.store = store, .faults = json_array()};
    audit.revoked = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    audit.keys = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, key_free);
    g_autoptr(VigieTransaction) tx = store_begin(store, error); /* one state, while others write */
    bool read = tx && read_lines(&audit, error) && check_head(&audit, error) &&
                check_revocations(&audit, error) && check_checkpoints(&audit, error) &&
                (!known || check_known(&audit, known, error));
    g_hash_table_unref(audit.revoked);
    g_hash_table_unref(audit.keys);
    if (!read) {
        json_decref(audit.faults);
        return NULL;
    }
    g_autofree char *hash = vigie_hex_text(vigie_bytes(audit.hash, JOURNAL_HASH)),
                    *when = vigie_time_rfc3339(audit.time);
    return json_pack("{s:I, s:I, s:I, s:I, s:b, s:{s:I, s:s, s:s}, s:o}", "entries", (json_int_t)audit.seq,
                     "certificates", (json_int_t)audit.certificates, "checkpoints",
                     (json_int_t)audit.checkpoints, "signed_to", (json_int_t)audit.signed_to, "compared",
                     known != NULL, "last", "seq", (json_int_t)audit.seq, "time", when, "hash", hash,
                     "faults", audit.faults);
}

char *pki_log_checkpoint(VigieStore *store, GError **error) {
    g_autoptr(VigieRows) rows =
        store_query(store, error,
                    "SELECT k.seq, k.time, k.hash, k.signature, a.name FROM pki_checkpoint k "
                    "JOIN pki_authority a ON a.id = k.authority ORDER BY k.seq DESC LIMIT 1",
                    "");
    g_autoptr(GError) why = NULL;
    if (!rows)
        return NULL;
    if (!rows_next(rows, &why) || rows_blob(rows, 2).size != JOURNAL_HASH) {
        if (why)
            g_propagate_error(error, g_steal_pointer(&why));
        else
            g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND,
                                "the log has no signed end yet: see vigie ca init");
        return NULL;
    }
    g_autofree char *statement =
        journal_statement(rows_int(rows, 0), rows_int(rows, 1), rows_blob(rows, 2).data);
    VigieBytes signature = rows_blob(rows, 3);
    g_autofree char *base64 = g_base64_encode(signature.data, signature.size);
    return g_strdup_printf("%s%s\n%s\n", statement, rows_text(rows, 4), base64);
}
