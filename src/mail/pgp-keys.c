/* Keys: listed, judged, imported. */
#include "mail/pgp.h"

#include <string.h>

enum { KEYS_MAX = 1000, USERS_MAX = 20, DAY = 86400, RSA_LEAST = 2048 };

/* What a judgement needs. */
typedef struct {
    VigieTime now;
    int64_t soon;
    GHashTable *weak; /* fingerprints whose self-signature rests on a broken digest */
    json_t *problems;
    bool broken, warned;
} Judge;

/* ---- Judging ---- */
static void tell(Judge *judge, const char *id, bool broken) {
    json_array_append_new(judge->problems, json_pack("{s:s, s:n}", "id", id, "days"));
    judge->broken = judge->broken || broken;
    judge->warned = judge->warned || !broken;
}

static bool subkey_usable(gpgme_subkey_t subkey, VigieTime now) {
    return !subkey->revoked && !subkey->expired && !subkey->disabled && !subkey->invalid &&
           (subkey->expires == 0 || subkey->expires > now);
}

/* Until when mail can be encrypted to it: 0 for ever, -1 not at all. */
static int64_t encrypts_until(gpgme_key_t key, VigieTime now) {
    int64_t until = -1;
    for (gpgme_subkey_t subkey = key->subkeys; subkey; subkey = subkey->next)
        if (subkey->can_encrypt && subkey_usable(subkey, now) && until != 0)
            until = subkey->expires == 0 ? 0 : MAX(until, (int64_t)subkey->expires);
    return until;
}

/* The key's own end, or that of its encryption, whichever comes first; 0: none. */
static int64_t ends(gpgme_key_t key, int64_t until) {
    int64_t own = key->subkeys ? key->subkeys->expires : 0;
    if (own == 0 || (until > 0 && until < own))
        return MAX(until, 0);
    return own;
}

static void judge_algorithms(Judge *judge, gpgme_key_t key) {
    bool rsa = false, dsa = false, elgamal = false;
    for (gpgme_subkey_t subkey = key->subkeys; subkey; subkey = subkey->next) {
        if (!subkey_usable(subkey, judge->now))
            continue;
        gpgme_pubkey_algo_t algorithm = subkey->pubkey_algo;
        rsa = rsa ||
              ((algorithm == GPGME_PK_RSA || algorithm == GPGME_PK_RSA_E || algorithm == GPGME_PK_RSA_S) &&
               subkey->length < RSA_LEAST);
        dsa = dsa || algorithm == GPGME_PK_DSA;
        elgamal = elgamal || algorithm == GPGME_PK_ELG || algorithm == GPGME_PK_ELG_E;
    }
    if (rsa)
        tell(judge, "weak-rsa", false);
    if (dsa)
        tell(judge, "dsa", false);
    if (elgamal)
        tell(judge, "elgamal", false);
}

static void judge_key(Judge *judge, gpgme_key_t key, int64_t until) {
    int64_t end = ends(key, until);
    int64_t own = key->subkeys ? key->subkeys->expires : 0;
    bool expired = key->expired || (own > 0 && own <= judge->now);
    if (key->revoked)
        tell(judge, "revoked", true);
    if (expired)
        tell(judge, "expired", true);
    if (key->disabled)
        tell(judge, "disabled", true);
    if (key->invalid)
        tell(judge, "invalid", true);
    if (until < 0 && !expired && !key->revoked)
        tell(judge, "no-encryption", true);
    if (!judge->broken && end > 0 && end - judge->now < judge->soon) {
        json_int_t days = (end - judge->now) / DAY;
        json_array_append_new(judge->problems, json_pack("{s:s, s:I}", "id", "expires-soon", "days", days));
        judge->warned = true;
    }
    judge_algorithms(judge, key);
    if (g_hash_table_contains(judge->weak, key->fpr))
        tell(judge, "sha1", false);
}

/* ---- As JSON ---- */
static json_t *users(gpgme_key_t key) {
    json_t *list = json_array();
    for (gpgme_user_id_t user = key->uids; user && json_array_size(list) < USERS_MAX; user = user->next) {
        g_autofree char *clean = g_utf8_make_valid(user->uid ? user->uid : "", -1);
        if (!user->revoked && !user->invalid)
            json_array_append_new(list, json_string(clean));
    }
    return list;
}

static bool signs(gpgme_key_t key, VigieTime now) {
    for (gpgme_subkey_t subkey = key->subkeys; subkey; subkey = subkey->next)
        if (subkey->can_sign && subkey->secret && subkey_usable(subkey, now))
            return !key->revoked && !key->expired && !key->disabled;
    return false;
}

static json_t *key_json(Judge *judge, gpgme_key_t key) {
    int64_t until = encrypts_until(key, judge->now);
    judge->problems = json_array();
    judge->broken = judge->warned = false;
    judge_key(judge, key, until);
    char *algorithm = key->subkeys ? gpgme_pubkey_algo_string(key->subkeys) : NULL;
    int64_t end = ends(key, until);
    json_t *json =
        json_pack("{s:s, s:s, s:I, s:o, s:o, s:b, s:b, s:b, s:s, s:o}", "fingerprint", key->fpr, "algorithm",
                  algorithm ? algorithm : "unknown", "created",
                  (json_int_t)(key->subkeys ? key->subkeys->timestamp : 0), "expires",
                  end > 0 ? json_integer(end) : json_null(), "users", users(key), "secret", key->secret,
                  "encrypts", until >= 0 && !judge->broken, "signs", signs(key, judge->now), "health",
                  judge->broken   ? "broken"
                  : judge->warned ? "soon"
                                  : "well",
                  "problems", judge->problems);
    gpgme_free(algorithm);
    return json;
}

static Judge judge_of(const Parcel *request) {
    return (Judge){.now = json_integer_value(json_object_get(request->about, "now")),
                   .soon = json_integer_value(json_object_get(request->about, "soon")),
                   .weak = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL)};
}

/* The keys of a listing that was begun. */
static bool collect(gpgme_ctx_t context, Judge *judge, json_t *list, GError **error) {
    gpgme_error_t code = 0;
    for (;;) {
        g_auto(gpgme_key_t) key = NULL;
        code = gpgme_op_keylist_next(context, &key);
        if (code)
            break;
        if (key->fpr && json_array_size(list) < KEYS_MAX)
            json_array_append_new(list, key_json(judge, key));
    }
    gpgme_op_keylist_end(context);
    return gpgme_err_code(code) == GPG_ERR_EOF || pgp_fail(code, "reading", error);
}

/* ---- From bytes ---- */
static bool inspect(const Parcel *request, Judge *judge, GError **error) {
    gsize size = 0;
    const void *data = g_bytes_get_data(request->bytes, &size);
    g_autoptr(GByteArray) packets = pgp_dearmor(vigie_bytes(data, size));
    bool secret = false;
    if (packets)
        pgp_inspect(vigie_bytes(packets->data, packets->len), judge->weak, &secret);
    if (!secret && packets)
        return true;
    g_set_error_literal(
        error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
        secret ? "mail: that is a secret key: whoever sent it must make a new one, and send its public part"
               : "mail: the armor of the key is broken");
    return false;
}

static json_t *examine(const Parcel *request, GError **error) {
    Judge judge = judge_of(request);
    g_autoptr(GHashTable) weak = judge.weak;
    gsize size = 0;
    const void *data = g_bytes_get_data(request->bytes, &size);
    g_auto(gpgme_ctx_t) context = pgp_context(error);
    g_autoptr(json_t) list = json_array();
    if (!context || !inspect(request, &judge, error))
        return NULL;
    g_auto(gpgme_data_t) source = pgp_source(data, size);
    gpgme_error_t code = gpgme_op_keylist_from_data_start(context, source, 0);
    if (code) {
        pgp_fail(code, "reading", error);
        return NULL;
    }
    if (!collect(context, &judge, list, error))
        return NULL;
    if (json_array_size(list) > 0)
        return g_steal_pointer(&list);
    g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "mail: there is no OpenPGP key in it");
    return NULL;
}

bool work_keys_examine(const Means *means, const Parcel *request, Parcel *answer, GError **error) {
    (void)means;
    json_t *list = examine(request, error);
    return list && json_object_set_new(answer->about, "keys", list) == 0;
}

/* ---- From the keyring ---- */
/* The digests of self-signatures stand in the exported key alone. */
static void inspect_held(gpgme_ctx_t context, const char *pattern, Judge *judge) {
    PgpSink exported = {g_byte_array_new(), (size_t)64 << 20, false};
    g_auto(gpgme_data_t) sink = pgp_sink(&exported);
    bool secret = false;
    if (gpgme_op_export(context, pattern, 0, sink) == 0)
        pgp_inspect(vigie_bytes(exported.bytes->data, exported.bytes->len), judge->weak, &secret);
    g_byte_array_unref(exported.bytes);
}

static bool list_one(gpgme_ctx_t context, const char *fingerprint, Judge *judge, json_t *list,
                     GError **error) {
    gpgme_error_t code = gpgme_op_keylist_start(context, fingerprint, 0);
    return code == 0 ? collect(context, judge, list, error) : pgp_fail(code, "reading", error);
}

static json_t *list_held(const Parcel *request, const json_t *fingerprints, GError **error) {
    Judge judge = judge_of(request);
    g_autoptr(GHashTable) weak = judge.weak;
    g_auto(gpgme_ctx_t) context = pgp_context(error);
    g_autoptr(json_t) list = json_array();
    if (!context)
        return NULL;
    gpgme_set_keylist_mode(context, GPGME_KEYLIST_MODE_LOCAL | GPGME_KEYLIST_MODE_WITH_SECRET);
    size_t i = 0;
    json_t *one = NULL;
    if (json_is_null(fingerprints)) {
        inspect_held(context, NULL, &judge);
        return list_one(context, NULL, &judge, list, error) ? g_steal_pointer(&list) : NULL;
    }
    json_array_foreach(fingerprints, i, one) {
        const char *fingerprint = json_string_value(one);
        if (!mail_fingerprint_valid(fingerprint))
            continue;
        inspect_held(context, fingerprint, &judge);
        if (!list_one(context, fingerprint, &judge, list, error))
            return NULL;
    }
    return g_steal_pointer(&list);
}

/* Request: "fingerprints": or null for all. */
bool work_keys_list(const Means *means, const Parcel *request, Parcel *answer, GError **error) {
    (void)means;
    json_t *list = list_held(request, json_object_get(request->about, "fingerprints"), error);
    return list && json_object_set_new(answer->about, "keys", list) == 0;
}

static bool import(const Parcel *request, GError **error) {
    gsize size = 0;
    const void *data = g_bytes_get_data(request->bytes, &size);
    g_auto(gpgme_ctx_t) context = pgp_context(error);
    g_auto(gpgme_data_t) source = pgp_source(data, size);
    if (!context)
        return false;
    gpgme_error_t code = gpgme_op_import(context, source);
    return code == 0 || pgp_fail(code, "importing", error);
}

/* Judged as the keyring then holds them: what it knew before counts too, a revocation above all. */
bool work_keys_import(const Means *means, const Parcel *request, Parcel *answer, GError **error) {
    (void)means;
    g_autoptr(json_t) found = examine(request, error);
    if (!found || !import(request, error))
        return false;
    g_autoptr(json_t) fingerprints = json_array();
    size_t i = 0;
    json_t *key = NULL;
    json_array_foreach(found, i, key) json_array_append(fingerprints, json_object_get(key, "fingerprint"));
    json_t *list = list_held(request, fingerprints, error);
    return list && json_object_set_new(answer->about, "keys", list) == 0;
}

bool work_key_export(const Means *means, const Parcel *request, Parcel *answer, GError **error) {
    (void)means;
    const char *fingerprint = json_string_value(json_object_get(request->about, "fingerprint"));
    g_auto(gpgme_ctx_t) context = pgp_context(error);
    g_auto(gpgme_key_t) key = context ? pgp_key(context, fingerprint, false, error) : NULL;
    if (!key)
        return false;
    gpgme_set_armor(context, 1);
    PgpSink exported = {g_byte_array_new(), MAIL_KEYS_MAX, false};
    g_auto(gpgme_data_t) sink = pgp_sink(&exported);
    gpgme_error_t code = gpgme_op_export(context, fingerprint, GPGME_EXPORT_MODE_MINIMAL, sink);
    answer->bytes = g_byte_array_free_to_bytes(exported.bytes);
    return code == 0 || pgp_fail(code, "exporting", error);
}
