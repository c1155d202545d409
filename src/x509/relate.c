/* relate: what the objects of one file have to do with each other. */
#include "x509/identify.h"

#include <string.h>

static bool kind_is(const json_t *object, const char *kind) {
    return strcmp(vigie_member_text(object, "kind"), kind) == 0;
}

/* "key": for a certificate or a request, the index of the private key that it belongs to. */
static void pair_keys(json_t *objects) {
    g_autoptr(GHashTable) keys = g_hash_table_new(g_str_hash, g_str_equal);
    size_t i = 0;
    json_t *object = NULL;
    json_array_foreach(objects, i, object) if (kind_is(object, "private-key") &&
                                               *vigie_member_text(object, "spki_sha256"))
        g_hash_table_insert(keys, (void *)vigie_member_text(object, "spki_sha256"), GSIZE_TO_POINTER(i + 1));
    json_array_foreach(objects, i, object) {
        if (!kind_is(object, "certificate") && !kind_is(object, "certificate-request"))
            continue;
        size_t key = GPOINTER_TO_SIZE(g_hash_table_lookup(keys, vigie_member_text(object, "spki_sha256")));
        json_object_set_new(object, "private_key_index",
                            key ? json_integer((json_int_t)key - 1) : json_null());
    }
}

/* A certificate that issued none of the others is a leaf; one that issues itself, a root. */
static const char *role_of(const json_t *certificate, GHashTable *issuers) {
    if (json_is_true(json_object_get(certificate, "self_issued")))
        return json_is_true(json_object_get(certificate, "is_ca")) ? "root" : "self-signed";
    if (json_is_true(json_object_get(certificate, "is_ca")) ||
        g_hash_table_contains(issuers, vigie_member_text(certificate, "subject")))
        return "intermediate";
    return "leaf";
}

/* { "count", "ordered": each is issued by the next, "missing": [ issuers that are not in the file ] } */
static json_t *chain_of(GPtrArray *certificates) {
    g_autoptr(GHashTable) subjects = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GHashTable) missing = g_hash_table_new(g_str_hash, g_str_equal);
    bool ordered = true;
    for (guint i = 0; i < certificates->len; i++)
        g_hash_table_add(subjects, (void *)vigie_member_text(certificates->pdata[i], "subject"));
    json_t *names = json_array();
    for (guint i = 0; i < certificates->len; i++) {
        const json_t *certificate = certificates->pdata[i];
        const char *issuer = vigie_member_text(certificate, "issuer");
        if (i + 1 < certificates->len &&
            strcmp(issuer, vigie_member_text(certificates->pdata[i + 1], "subject")) != 0)
            ordered = false;
        if (!g_hash_table_contains(subjects, issuer) && g_hash_table_add(missing, (void *)issuer))
            json_array_append_new(names, json_string(issuer));
    }
    return json_pack("{s:i,s:b,s:o}", "count", (int)certificates->len, "ordered", ordered, "missing", names);
}

void identify_relate(json_t *answer) {
    json_t *objects = json_object_get(answer, "objects");
    g_autoptr(GPtrArray) certificates = g_ptr_array_new();
    g_autoptr(GHashTable) issuers = g_hash_table_new(g_str_hash, g_str_equal);
    size_t i = 0;
    json_t *object = NULL;
    json_array_foreach(objects, i, object) {
        if (!kind_is(object, "certificate"))
            continue;
        g_ptr_array_add(certificates, object);
        if (!json_is_true(json_object_get(object, "self_issued")))
            g_hash_table_add(issuers, (void *)vigie_member_text(object, "issuer"));
    }
    for (guint c = 0; c < certificates->len; c++)
        json_object_set_new(certificates->pdata[c], "role",
                            json_string(role_of(certificates->pdata[c], issuers)));
    pair_keys(objects);
    json_object_set_new(answer, "chain", certificates->len ? chain_of(certificates) : json_null());
}
