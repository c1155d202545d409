/* Keys from strangers: armor and packets, as far as we read them ourselves. */
#include "mail/pgp.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    g_autoptr(GByteArray) packets = pgp_dearmor(vigie_bytes(data, size));
    g_autoptr(GHashTable) weak = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    bool secret = false;
    if (!packets)
        return 0;
    pgp_inspect(vigie_bytes(packets->data, packets->len), weak, &secret);
    GHashTableIter iterator;
    gpointer fingerprint = NULL;
    g_hash_table_iter_init(&iterator, weak);
    while (g_hash_table_iter_next(&iterator, &fingerprint, NULL))
        if (!mail_fingerprint_valid(fingerprint))
            abort();
    return 0;
}
