/* The owner's side of keys, signatures and encryption: everything is asked of a cell. */
#include "mail/work.h"

#include <string.h>

bool mail_fingerprint_valid(const char *text) {
    size_t size = text ? strlen(text) : 0;
    if (size != 40 && size != 64)
        return false;
    for (size_t i = 0; i < size; i++)
        if (!g_ascii_isxdigit(text[i]))
            return false;
    return true;
}

static bool within(GBytes *bytes, size_t most, GError **error) {
    if (g_bytes_get_size(bytes) <= most)
        return true;
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_LIMIT, "mail: %zu bytes are more than the %zu that are taken",
                g_bytes_get_size(bytes), most);
    return false;
}

/* ---- Keys ---- */
static json_t *ask_list(VigieMailCell *cell, json_t *about, GBytes *bytes, GError **error) {
    g_auto(Parcel) answer = {0};
    if (!cell_ask(cell, ROOM_KEYS, about, bytes, &answer, error))
        return NULL;
    return json_incref(json_object_get(answer.about, "keys"));
}

static json_t *ask_keys_of(VigieMailCell *cell, const char *operation, GBytes *bytes, int64_t soon,
                           VigieTime now, GError **error) {
    if (!within(bytes, MAIL_KEYS_MAX, error))
        return NULL;
    return ask_list(
        cell, json_pack("{s:s, s:I, s:I}", "op", operation, "soon", (json_int_t)soon, "now", (json_int_t)now),
        bytes, error);
}

json_t *mail_keys_examine(VigieMailCell *cell, GBytes *bytes, int64_t soon, VigieTime now, GError **error) {
    return ask_keys_of(cell, "keys-examine", bytes, soon, now, error);
}

json_t *mail_keys_import(VigieMailCell *cell, GBytes *bytes, int64_t soon, VigieTime now, GError **error) {
    return ask_keys_of(cell, "keys-import", bytes, soon, now, error);
}

static json_t *string_list(const char *const *texts) {
    if (!texts)
        return json_null();
    json_t *list = json_array();
    for (; *texts; texts++)
        json_array_append_new(list, json_string(*texts));
    return list;
}

json_t *mail_keys_list(VigieMailCell *cell, const char *const *fingerprints, int64_t soon, VigieTime now,
                       GError **error) {
    return ask_list(cell,
                    json_pack("{s:s, s:o, s:I, s:I}", "op", "keys-list", "fingerprints",
                              string_list(fingerprints), "soon", (json_int_t)soon, "now", (json_int_t)now),
                    NULL, error);
}

static GBytes *ask_bytes(VigieMailCell *cell, json_t *about, GBytes *bytes, GError **error) {
    g_auto(Parcel) answer = {0};
    return cell_ask(cell, ROOM_KEYS, about, bytes, &answer, error) ? g_steal_pointer(&answer.bytes) : NULL;
}

GBytes *mail_key_export(VigieMailCell *cell, const char *fingerprint, GError **error) {
    return ask_bytes(cell, json_pack("{s:s, s:s}", "op", "key-export", "fingerprint", fingerprint), NULL,
                     error);
}

/* ---- Signatures and encryption ---- */
GBytes *mail_sign(VigieMailCell *cell, GBytes *data, const char *fingerprint, GError **error) {
    return within(data, MAIL_FILE_MAX, error)
               ? ask_bytes(cell, json_pack("{s:s, s:s}", "op", "sign", "sign", fingerprint), data, error)
               : NULL;
}

json_t *mail_verify(VigieMailCell *cell, GBytes *data, GBytes *signature, GBytes **ret_content,
                    GError **error) {
    if (!within(data, MAIL_FILE_MAX, error) || (signature && !within(signature, MAIL_KEYS_MAX, error)))
        return NULL;
    g_autoptr(GByteArray) both = g_byte_array_new();
    gsize size = 0, signature_size = 0;
    const void *bytes = g_bytes_get_data(data, &size);
    g_byte_array_append(both, bytes, (guint)size);
    if (signature) {
        bytes = g_bytes_get_data(signature, &signature_size);
        g_byte_array_append(both, bytes, (guint)signature_size);
    }
    g_autoptr(GBytes) sent = g_byte_array_free_to_bytes(g_steal_pointer(&both));
    json_t *about = json_pack("{s:s, s:s, s:I}", "op", "verify", "kind", "pgp-mime", "split",
                              signature ? (json_int_t)size : (json_int_t)-1);
    g_auto(Parcel) answer = {0};
    if (!cell_ask(cell, ROOM_KEYS, about, sent, &answer, error))
        return NULL;
    if (ret_content)
        *ret_content = !signature && g_bytes_get_size(answer.bytes) > 0 ? g_bytes_ref(answer.bytes) : NULL;
    return json_incref(json_object_get(answer.about, "signatures"));
}

GBytes *mail_encrypt(VigieMailCell *cell, GBytes *data, const char *sign_with, const char *const *to,
                     GError **error) {
    if (!within(data, MAIL_FILE_MAX, error))
        return NULL;
    json_t *about = json_pack("{s:s, s:s?, s:o}", "op", "encrypt", "sign", sign_with, "to",
                              to ? string_list(to) : json_array());
    return ask_bytes(cell, about, data, error);
}
