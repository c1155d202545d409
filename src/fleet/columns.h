/* Which column of a GMAO's file is which field. Shared by columns.c and import.c. */
#pragma once

#include "fleet/csv.h"
#include "fleet/mapping.h"

typedef struct {
    int at[MAP_FIELDS]; /* from 0; -1: none */
} Columns;

/* The field of this name ("gmao"); MAP_FIELDS: none. */
MapField columns_field(const char *name);
/* By the header's words, or as `chosen` says (VigieFleetImport has it). Into `report` "columns" and "ignored". INVALID where
 * `chosen` cannot be. */
bool columns_read(const CsvRow *header, const VigieFleetMapping *mapping, const json_t *chosen,
                  Columns *ret_columns, json_t *report, GError **error);
/* Without a name and a number there is no device: INVALID says what is missing. */
bool columns_enough(const Columns *columns, const VigieFleetMapping *mapping, const json_t *report,
                    GError **error);
