/* The enumerations of a case, by name. */
#include "csirt/internal.h"

#include <string.h>

const char *const csirt_kinds[] = {"incident", "vulnerability", "incident-report", "request", NULL};
const char *const csirt_channels[] = {"form", "mail", "phone", "api", "survey", "partner", NULL};
const char *const csirt_sources[] = {"open", "protected", "anonymous", NULL};
const char *const csirt_likelihoods[] = {"certain", "likely", "uncertain", NULL};
const char *const csirt_tlps[] = {"RED", "AMBER+STRICT", "AMBER", "GREEN", "CLEAR", NULL};
const char *const csirt_paps[] = {"RED", "AMBER", "GREEN", "CLEAR", NULL};

bool csirt_one_of(const char *member, const char *name, const char *const *list, GError **error) {
    if (name && g_strv_contains(list, name))
        return true;
    g_autofree char *names = g_strjoinv(" ", (char **)list);
    g_autofree char *shown = g_utf8_make_valid(name ? name : "", (gssize)strnlen(name ? name : "", 40));
    return csirt_invalid(error, "%s: \"%s\" is not one of: %s", member, shown, names);
}
