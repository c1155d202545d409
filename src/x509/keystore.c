/* keystore: Java's JKS and JCEKS. Their certificates stand in clear, their keys are sealed; which is which is in clear, too, so
 * that a store of roots alone can be told from one that holds a device's key. */
#include "x509/identify.h"

#include <string.h>

enum { PRIVATE_ENTRY = 1, CERTIFICATE_ENTRY = 2, ENTRIES_MAX = 4096, CHAIN_MAX = 100 };

static void read_text(VigieReader *in) {
    vigie_read(in, vigie_read_u16(in));
}

static void read_certificate(Identified *found, VigieReader *in) {
    const Where inside = {.encoding = "jks"};
    read_text(in); /* "X.509" */
    VigieBytes der = vigie_read(in, vigie_read_u32(in));
    if (!in->failed)
        identify_der(found, &inside, der);
}

static void add_key(Identified *found) {
    const Where inside = {.encoding = "jks"};
    json_t *object = identified_add(found, &inside, "private-key");
    if (object)
        json_object_update_new(object, json_pack("{s:s,s:s}", "format", "JKS", "private", "encrypted"));
}

/* One entry; false where it is of a kind whose end nobody knows. */
static bool read_entry(Identified *found, VigieReader *in) {
    uint32_t kind = vigie_read_u32(in);
    read_text(in); /* its alias */
    vigie_read(in, 8);
    if (in->failed || (kind != PRIVATE_ENTRY && kind != CERTIFICATE_ENTRY))
        return false;
    if (kind == CERTIFICATE_ENTRY) {
        read_certificate(found, in);
        return !in->failed;
    }
    add_key(found);
    vigie_read(in, vigie_read_u32(in));
    uint32_t count = vigie_read_u32(in);
    for (uint32_t i = 0; i < count && i < CHAIN_MAX && !in->failed; i++)
        read_certificate(found, in);
    return !in->failed && count <= CHAIN_MAX;
}

bool identify_keystore(Identified *found, const Where *where, VigieBytes octets) {
    VigieReader in = vigie_reader(octets);
    VigieBytes magic = vigie_read(&in, 4);
    bool jks = vigie_bytes_equal(magic, vigie_bytes("\xfe\xed\xfe\xed", 4));
    if (in.failed || (!jks && !vigie_bytes_equal(magic, vigie_bytes("\xce\xce\xce\xce", 4))))
        return false;
    json_t *store = identified_add(found, where, jks ? "jks" : "jceks");
    uint32_t version = vigie_read_u32(&in), count = vigie_read_u32(&in), read = 0;
    while (version == 2 && !in.failed && read < count && read < ENTRIES_MAX && read_entry(found, &in))
        read++;
    /* Behind the last stands a digest of 20 octets. */
    bool whole = version == 2 && !in.failed && read == count && in.rest.size == 20;
    if (store && !whole)
        json_object_set_new(store, "private", json_string("possible"));
    return true;
}
