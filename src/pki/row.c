/* row.c: rows that several of the room's files read. */
#include "pki/row.h"
#include "pki/revoke.h"

/* By (authority, serial), which is indexed: there are few authorities. */
VigieRows *row_of_serial(VigieStore *store, const char *serial, GError **error) {
    uint8_t octets[32];
    VigieBytes wanted;
    if (!revoke_serial(serial, octets, &wanted, error))
        return NULL;
    g_autoptr(VigieRows) rows = store_query(
        store, error,
        "SELECT c.id, c.authority, c.shard, c.device, c.not_before, c.not_after, c.profile, c.serial, c.der, "
        "COALESCE(r.reason, -1) FROM pki_certificate c LEFT JOIN pki_revocation r ON r.certificate = c.id "
        "WHERE c.authority IN (SELECT id FROM pki_authority) AND c.serial = $1",
        "b", &wanted);
    return rows_first(rows, error, "serial %.80s: no authority here issued such a certificate", serial)
               ? g_steal_pointer(&rows)
               : NULL;
}
