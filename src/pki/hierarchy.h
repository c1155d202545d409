/* hierarchy: the file that declares authorities, one group each, issuers before those they issue to. */
#pragma once

#include "base/base.h"

typedef struct {
    char *name, *issuer; /* issuer NULL: a root */
    char *title, *key, *key_file;
    char **subject;
    int years, path_length; /* path_length < 0: none */
    char **policies, **permitted;
    json_t *settings; /* what authority.h says */
} HierarchyAuthority;

/* An array of HierarchyAuthority, 64 at most. INVALID names group and key. */
GPtrArray *hierarchy_load(const char *path, GError **error);
