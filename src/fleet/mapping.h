/* Which column of a GMAO's file is which field, and what its words mean. Shared by mapping.c, import.c, export.c. */
#pragma once

#include "fleet/internal.h"

/* The fields a file may have, in the order in which an export writes them. */
typedef enum {
    MAP_GMAO,
    MAP_ORGANISATION,
    MAP_NAME,
    MAP_CLASS,
    MAP_MANUFACTURER,
    MAP_MODEL,
    MAP_SERIAL,
    MAP_FIRMWARE,
    MAP_LOCATION,
    MAP_FQDN,
    MAP_IP,
    MAP_ENDPOINTS,
    MAP_OWNER,
    MAP_CRITICALITY,
    MAP_RETIRED,
    MAP_NOTE,
    MAP_FIELDS
} MapField;

extern const char *const map_names[MAP_FIELDS];

/* The field of a header; MAP_FIELDS: none. */
MapField mapping_field(const VigieFleetMapping *mapping, const char *header);
/* The header that an export writes. */
const char *mapping_header(const VigieFleetMapping *mapping, MapField field);
/* Whether a field's values are words to be understood: class, owner, criticality, retired. */
bool mapping_has_words(MapField field);
/* What a word means ("imaging", "yes"); NULL: not known. */
const char *mapping_meaning(const VigieFleetMapping *mapping, MapField field, const char *word);
/* The word for a meaning; the meaning itself where the file has none. */
const char *mapping_word(const VigieFleetMapping *mapping, MapField field, const char *meaning);

/* What an export adds at the end; an import knows them as ours in either language and leaves them alone. */
enum { EXTRA_END, EXTRA_VERSIONS, EXTRA_CHECKED, EXTRA_STATE, EXTRAS };
extern const char *const extra_words[EXTRAS];
bool mapping_is_extra(const char *header);
