/* row: how the room's files read the store. */
#pragma once

#include "store/store.h"

/* The certificate of a serial number, hexadecimal with or without colons; the row is stepped onto. INVALID, NOT_FOUND. */
enum {
    ROW_ID,
    ROW_AUTHORITY,
    ROW_SHARD,
    ROW_DEVICE,
    ROW_NOT_BEFORE,
    ROW_NOT_AFTER,
    ROW_PROFILE,
    ROW_SERIAL,
    ROW_DER,
    ROW_REASON /* -1: never revoked */
};
VigieRows *row_of_serial(VigieStore *store, const char *serial, GError **error);
