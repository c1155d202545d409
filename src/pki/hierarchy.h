/* hierarchy: the file that declares authorities, one group each, issuers before those they issue to, generations before those
 * that succeed them; and authorities that are not ours, for which one of ours vouches. */
#pragma once

#include "base/base.h"

typedef struct {
    char *name, *issuer; /* issuer NULL: a root */
    char *title, *key, *key_file;
    char **subject;
    int years, path_length; /* path_length < 0: none */
    char **policies, **permitted;
    json_t *settings;      /* what authority.h says */
    char *succeeds;        /* the generation before it; or NULL */
    int threshold, shares; /* its passphrase is shared: so many of so many open it; 0: it is not */
    char *of;              /* [cross NAME]: the file with the other's certificate or request; NULL: ours */
    char **excluded;       /* what the other may not name */
    char **mappings;       /* which of our policies is which of its own: "1.2.3:1.2.4" */
} HierarchyAuthority;

/* An array of HierarchyAuthority, 64 at most. INVALID names group and key. */
GPtrArray *hierarchy_load(const char *path, GError **error);
