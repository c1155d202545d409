/* Opening, verifying, signing and encrypting with gpg. */
#include "mail/pgp.h"

#include <errno.h>
#include <string.h>

/* ---- The library ---- */
void pgp_prepare(const Means *means) {
    gpgme_check_version(NULL);
    gpgme_set_engine_info(GPGME_PROTOCOL_OpenPGP, "/usr/bin/gpg", means->gnupg_home);
}

bool pgp_fail(gpgme_error_t code, const char *what, GError **error) {
    char reason[200] = "";
    gpgme_strerror_r(code, reason, sizeof reason);
    if (gpgme_err_code(code) == GPG_ERR_INV_ENGINE)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE,
                    "mail: there is no gpg: apt install gpg gpg-agent");
    else
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "mail: GnuPG failed, %s (%s)", what, reason);
    return false;
}

gpgme_ctx_t pgp_context(GError **error) {
    gpgme_ctx_t context = NULL;
    gpgme_error_t code = gpgme_new(&context);
    if (code) {
        pgp_fail(code, "starting", error);
        return NULL;
    }
    gpgme_set_offline(context, 1);
    gpgme_set_pinentry_mode(context, GPGME_PINENTRY_MODE_CANCEL);
    gpgme_set_ctx_flag(context, "no-auto-check-trustdb", "1");
    return context;
}

gpgme_key_t pgp_key(gpgme_ctx_t context, const char *fingerprint, bool secret, GError **error) {
    gpgme_key_t key = NULL;
    if (mail_fingerprint_valid(fingerprint) && gpgme_get_key(context, fingerprint, &key, secret) == 0 &&
        key->fpr && g_ascii_strcasecmp(key->fpr, fingerprint) == 0)
        return key;
    if (key)
        gpgme_key_unref(key);
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND,
                secret ? "mail: the keyring holds no secret key of fingerprint %s; import it, or correct the "
                         "fingerprint"
                       : "mail: the keyring holds no public key of fingerprint %s; import it, or correct the "
                         "fingerprint",
                fingerprint);
    return NULL;
}

/* ---- Bytes ---- */
gpgme_data_t pgp_source(const void *data, size_t size) {
    gpgme_data_t source = NULL;
    return gpgme_data_new_from_mem(&source, data ? data : "", size, 0) == 0 ? source : NULL;
}

static ssize_t pour(void *handle, const void *buffer, size_t size) {
    PgpSink *sink = handle;
    if (size > sink->most - sink->bytes->len) {
        sink->full = true;
        errno = EFBIG;
        return -1;
    }
    g_byte_array_append(sink->bytes, buffer, (guint)size);
    return (ssize_t)size;
}

gpgme_data_t pgp_sink(PgpSink *sink) {
    static struct gpgme_data_cbs calls = {.write = pour};
    gpgme_data_t data = NULL;
    return gpgme_data_new_from_cbs(&data, &calls, sink) == 0 ? data : NULL;
}

static GBytes *take_sink(PgpSink *sink) {
    return g_byte_array_free_to_bytes(g_steal_pointer(&sink->bytes));
}

/* ---- Signatures ---- */
static const struct {
    gpg_err_code_t code;
    const char *state;
} states[] = {
    {GPG_ERR_NO_ERROR, "good"},        {GPG_ERR_SIG_EXPIRED, "expired"}, {GPG_ERR_KEY_EXPIRED, "expired"},
    {GPG_ERR_CERT_REVOKED, "revoked"}, {GPG_ERR_BAD_SIGNATURE, "bad"},   {GPG_ERR_NO_PUBKEY, "unknown-key"},
};

static const char *state_of(gpgme_signature_t signature) {
    bool weak = signature->hash_algo == GPGME_MD_SHA1 || signature->hash_algo == GPGME_MD_MD5;
    for (size_t i = 0; i < G_N_ELEMENTS(states); i++)
        if (gpgme_err_code(signature->status) == states[i].code)
            return states[i].code == GPG_ERR_NO_ERROR && weak ? "error" : states[i].state;
    return "error";
}

/* What gpg says of signatures and GPGME does not pass on: asking for the keys would start gpg again for each. */
typedef struct {
    GHashTable *primaries; /* of the fingerprint that signed: the key's own */
    GHashTable *users;     /* of the long key id */
} Heard;

static gpgme_error_t hear(void *opaque, const char *keyword, const char *arguments) {
    Heard *heard = opaque;
    static const char *const named[] = {"GOODSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG", "BADSIG"};
    g_auto(GStrv) words = g_strsplit(arguments, " ", 10);
    guint count = g_strv_length(words);
    if (strcmp(keyword, "VALIDSIG") == 0 && count == 10)
        g_hash_table_insert(heard->primaries, g_strdup(words[0]), g_strdup(words[9]));
    for (size_t i = 0; i < G_N_ELEMENTS(named); i++)
        if (strcmp(keyword, named[i]) == 0 && count > 1) {
            char *user = g_uri_unescape_string(strchr(arguments, ' ') + 1, NULL);
            g_hash_table_insert(heard->users, g_strdup(words[0]), user ? user : g_strdup(""));
        }
    return 0;
}

static void listen_to(gpgme_ctx_t context, Heard *heard) {
    heard->primaries = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    heard->users = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    gpgme_set_ctx_flag(context, "full-status", "1");
    gpgme_set_status_cb(context, hear, heard);
}

static json_t *signature_json(const Heard *heard, gpgme_signature_t signature) {
    const char *made_by = signature->fpr ? signature->fpr : "";
    const char *primary = g_hash_table_lookup(heard->primaries, made_by);
    const char *id = strlen(made_by) > 16 ? made_by + strlen(made_by) - 16 : made_by;
    const char *user = g_hash_table_lookup(heard->users, id);
    g_autofree char *clean = g_utf8_make_valid(user ? user : "", -1);
    json_t *time = signature->timestamp ? json_integer((json_int_t)signature->timestamp) : json_null();
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:b}", "kind", "openpgp", "state", state_of(signature),
                     "fingerprint", primary ? primary : made_by, "signer", clean, "time", time, "whole", 1);
}

/* Takes `heard`. */
static json_t *signatures_json(gpgme_ctx_t context, Heard *heard) {
    json_t *list = json_array();
    gpgme_verify_result_t result = gpgme_op_verify_result(context);
    for (gpgme_signature_t one = result ? result->signatures : NULL; one && json_array_size(list) < 20;
         one = one->next)
        json_array_append_new(list, signature_json(heard, one));
    gpgme_set_status_cb(context, NULL, NULL);
    g_hash_table_unref(heard->primaries);
    g_hash_table_unref(heard->users);
    return list;
}

/* ---- Opening ---- */
static json_t *recipient_keys(gpgme_ctx_t context) {
    json_t *keys = json_array();
    gpgme_decrypt_result_t result = gpgme_op_decrypt_result(context);
    for (gpgme_recipient_t one = result ? result->recipients : NULL; one && json_array_size(keys) < 100;
         one = one->next)
        if (one->keyid)
            json_array_append_new(keys, json_string(one->keyid));
    return keys;
}

static char *why_not(gpgme_error_t code, const PgpSink *sink) {
    char reason[200] = "";
    if (sink->full)
        return g_strdup_printf("it holds more than %d MiB", MAIL_READ_MAX >> 20);
    gpgme_strerror_r(code, reason, sizeof reason);
    return g_strdup(gpgme_err_code(code) == GPG_ERR_NO_SECKEY ? "it is encrypted to none of our keys"
                                                              : reason);
}

/* Answer: { "opened", "encrypted", "keys", "error", "signatures" } and what was inside. */
bool work_open_pgp(const Means *means, const Parcel *request, Parcel *answer, GError **error) {
    (void)means;
    const char *kind = json_string_value(json_object_get(request->about, "kind"));
    bool clear = g_strcmp0(kind, "pgp-clear") == 0;
    g_auto(gpgme_ctx_t) context = pgp_context(error);
    if (!context)
        return false;
    gsize size = 0;
    const void *data = g_bytes_get_data(request->bytes, &size);
    PgpSink inside = {g_byte_array_new(), MAIL_READ_MAX, false};
    g_auto(gpgme_data_t) source = pgp_source(data, size), sink = pgp_sink(&inside);
    Heard heard;
    listen_to(context, &heard);
    gpgme_error_t code =
        clear ? gpgme_op_verify(context, source, NULL, sink) : gpgme_op_decrypt_verify(context, source, sink);
    g_autofree char *reason = code ? why_not(code, &inside) : NULL;
    json_t *keys = clear ? json_array() : recipient_keys(context);
    json_object_update_new(answer->about, json_pack("{s:b, s:b, s:o, s:s?, s:o}", "opened", code == 0,
                                                    "encrypted", !clear, "keys", keys, "error", reason,
                                                    "signatures", signatures_json(context, &heard)));
    if (code)
        g_byte_array_set_size(inside.bytes, 0);
    answer->bytes = take_sink(&inside);
    return true;
}

/* Request: data and signature, "split" between them; or "split" negative: signed in itself, and the content is wanted. */
bool work_verify_pgp(const Means *means, const Parcel *request, Parcel *answer, GError **error) {
    (void)means;
    gsize size = 0;
    const char *data = g_bytes_get_data(request->bytes, &size);
    json_int_t split = json_integer_value(json_object_get(request->about, "split"));
    g_auto(gpgme_ctx_t) context = pgp_context(error);
    if (!context)
        return false;
    bool beside = split >= 0 && (gsize)split <= size;
    PgpSink inside = {g_byte_array_new(), MAIL_READ_MAX, false};
    g_auto(gpgme_data_t) signature =
        pgp_source(beside ? data + split : data, beside ? size - (gsize)split : size);
    g_auto(gpgme_data_t) covered = beside ? pgp_source(data, (gsize)split) : pgp_sink(&inside);
    Heard heard;
    listen_to(context, &heard);
    gpgme_op_verify(context, signature, beside ? covered : NULL, beside ? NULL : covered);
    json_t *signatures = signatures_json(context, &heard);
    if (json_array_size(signatures) == 0)
        json_array_append_new(signatures,
                              json_pack("{s:s, s:s, s:s, s:s, s:n, s:b}", "kind", "openpgp", "state", "error",
                                        "fingerprint", "", "signer", "", "time", "whole", 1));
    json_object_set_new(answer->about, "signatures", signatures);
    answer->bytes = take_sink(&inside);
    return true;
}

/* ---- Making ---- */
static bool add_signer(gpgme_ctx_t context, const char *fingerprint, GError **error) {
    g_auto(gpgme_key_t) key = pgp_key(context, fingerprint, true, error);
    if (!key)
        return false;
    gpgme_error_t code = gpgme_signers_add(context, key);
    return code == 0 || pgp_fail(code, fingerprint, error);
}

/* "pgp-sha512", as RFC 3156 5 wants it. */
static char *micalg(gpgme_ctx_t context) {
    gpgme_sign_result_t result = gpgme_op_sign_result(context);
    const char *name =
        result && result->signatures ? gpgme_hash_algo_name(result->signatures->hash_algo) : NULL;
    g_autofree char *lower = g_ascii_strdown(name ? name : "sha512", -1);
    return g_strconcat("pgp-", lower, NULL);
}

/* Request: "sign": our fingerprint. Answer: the armored signature, "micalg". */
bool work_sign(const Means *means, const Parcel *request, Parcel *answer, GError **error) {
    (void)means;
    gsize size = 0;
    const void *data = g_bytes_get_data(request->bytes, &size);
    const char *fingerprint = json_string_value(json_object_get(request->about, "sign"));
    g_auto(gpgme_ctx_t) context = pgp_context(error);
    if (!context || !add_signer(context, fingerprint, error))
        return false;
    gpgme_set_armor(context, 1);
    PgpSink made = {g_byte_array_new(), 1 << 20, false};
    g_auto(gpgme_data_t) source = pgp_source(data, size), sink = pgp_sink(&made);
    gpgme_error_t code = gpgme_op_sign(context, source, sink, GPGME_SIG_MODE_DETACH);
    g_autofree char *name = code ? NULL : micalg(context);
    answer->bytes = take_sink(&made);
    if (code)
        return pgp_fail(code, "signing", error);
    json_object_set_new(answer->about, "micalg", json_string(name));
    return true;
}

static bool can_encrypt_to(gpgme_key_t key, GError **error) {
    const char *why = key->revoked                        ? "is revoked"
                      : key->expired                      ? "has expired"
                      : key->disabled                     ? "is disabled"
                      : key->invalid || !key->can_encrypt ? "has no usable encryption subkey"
                                                          : NULL;
    if (why)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "mail: the key %s %s; ask its owner for a new one", key->fpr, why);
    return !why;
}

static void free_key(void *key) {
    gpgme_key_unref(key);
}

/* All of them, NULL at the end, or none. */
static GPtrArray *recipients(gpgme_ctx_t context, const json_t *fingerprints, GError **error) {
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(free_key);
    size_t i = 0;
    json_t *fingerprint = NULL;
    json_array_foreach(fingerprints, i, fingerprint) {
        g_auto(gpgme_key_t) key = pgp_key(context, json_string_value(fingerprint), false, error);
        if (!key || !can_encrypt_to(key, error))
            return NULL;
        g_ptr_array_add(keys, g_steal_pointer(&key));
    }
    g_ptr_array_set_free_func(keys, NULL);
    g_ptr_array_add(keys, NULL);
    g_ptr_array_set_free_func(keys, free_key);
    if (keys->len > 1)
        return g_steal_pointer(&keys);
    g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "mail: nobody is named to encrypt to");
    return NULL;
}

/* Request: "to": fingerprints, "sign": ours or null. Answer: the armored message. */
bool work_encrypt(const Means *means, const Parcel *request, Parcel *answer, GError **error) {
    (void)means;
    gsize size = 0;
    const void *data = g_bytes_get_data(request->bytes, &size);
    const char *signer = json_string_value(json_object_get(request->about, "sign"));
    g_auto(gpgme_ctx_t) context = pgp_context(error);
    if (!context || (signer && !add_signer(context, signer, error)))
        return false;
    GPtrArray *keys = recipients(context, json_object_get(request->about, "to"), error);
    if (!keys)
        return false;
    gpgme_set_armor(context, 1);
    PgpSink made = {g_byte_array_new(), (size_t)2 * MAIL_FILE_MAX, false};
    g_auto(gpgme_data_t) source = pgp_source(data, size), sink = pgp_sink(&made);
    const gpgme_encrypt_flags_t flags = GPGME_ENCRYPT_ALWAYS_TRUST | GPGME_ENCRYPT_NO_ENCRYPT_TO;
    gpgme_key_t *to = (gpgme_key_t *)keys->pdata;
    gpgme_error_t code = signer ? gpgme_op_encrypt_sign(context, to, flags, source, sink)
                                : gpgme_op_encrypt(context, to, flags, source, sink);
    g_ptr_array_remove_index(keys, keys->len - 1);
    g_ptr_array_unref(keys);
    answer->bytes = take_sink(&made);
    return code == 0 || pgp_fail(code, "encrypting", error);
}
