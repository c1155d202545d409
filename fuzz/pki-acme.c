/* A message of ACME from a stranger, as the portal takes it: before and at its signature, and to each address. An answer is made,
 * with a status of its own and a fresh nonce; nothing is added that nobody proved. */
#include "pki/acme.h"

#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const paths[] = {"new-account", "new-order", "revoke-cert",      "key-change",
                                    "account/1",   "order/1",   "order/1/finalize", "challenge/1/http-01",
                                    "authz/1",     "cert/1",    "orders/1",         ""};

/* An empty store, in a folder of its own, whose file is gone as soon as it is open. */
static VigieStore *empty(void) {
    static VigieStore *store;
    if (store)
        return store;
    g_autofree char *folder = g_dir_make_tmp("vigie-fuzz-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "store.db", NULL),
                    *url = g_strconcat("sqlite:", path, NULL);
    store = store_open(url, NULL);
    if (!store || !store_migrate(store, NULL))
        abort();
    g_autofree char *log = g_strconcat(path, "-wal", NULL), *index = g_strconcat(path, "-shm", NULL);
    g_unlink(path);
    g_unlink(log);
    g_unlink(index);
    g_rmdir(folder);
    return store;
}

static void look_at_parts(const uint8_t *data, size_t size) {
    static const char *const algorithms[] = {"ES256", "ES384", "RS256", "PS256", NULL};
    g_autoptr(json_t) jws = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
    g_autoptr(json_t) header = acme_decode(json_object_get(jws, "protected"));
    g_autoptr(json_t) payload = acme_decode(json_object_get(jws, "payload"));
    json_t *key = json_object_get(header, "jwk");
    g_autofree char *thumbprint = key ? acme_thumbprint(key) : NULL;
    if (key && acme_key_serves(key))
        acme_verify(jws, key, algorithms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const VigieAcme server = {.base = "https://a/acme", .now = 1800000000};
    g_auto(VigieAcmeAnswer) answer = {0}, shown = {0};
    int64_t accounts = 0;
    look_at_parts(data, size);
    const char *path = paths[size % G_N_ELEMENTS(paths)];
    if (!pki_acme_post(empty(), &server, path, vigie_bytes(data, size), &answer, NULL) ||
        answer.status < 200 || answer.status > 499 || !answer.nonce)
        abort();
    g_autofree char *text = g_strndup((const char *)data, MIN(size, 200));
    g_autofree char *info = g_strconcat("renewal-info/", text, NULL);
    if (!pki_acme_get(empty(), &server, info, &shown, NULL) || shown.status < 400)
        abort();
    if (!store_get_int(empty(), &accounts, NULL, "SELECT COUNT(*) FROM acme_account", "") || accounts != 0)
        abort();
    return 0;
}
