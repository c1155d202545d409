/* row: how the room's files read the store. */
#pragma once

#include "store/store.h"

/* Steps onto the first row. False where the query failed (`rows` NULL), or with NOT_FOUND and this message where there is none. */
bool row_first(VigieRows *rows, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);

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
