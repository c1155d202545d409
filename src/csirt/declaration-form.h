/* The forms of declaration, apart from what becomes of them: pure. */
#pragma once

#include "csirt/declaration.h"
#include "mail/mail.h"

/* The forms by id, each field with its type, words and values; the error names the field. */
json_t *declaration_forms_load(GError **error);
/* csirt_declaration_check. */
json_t *declaration_form_read(const json_t *form, GHashTable *values, GTimeZone *zone, VigieTime now,
                              json_t **ret_opening);
