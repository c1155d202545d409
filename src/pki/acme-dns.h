/* acme-dns: questions to name servers of our choosing, one at a time, within seconds. */
#pragma once

#include "base/base.h"

/* `resolvers` as "ADDRESS[:PORT],…"; NULL or "": the system's. */

/* The TXT records of a name, each one's pieces joined; NOT_FOUND, with the reason, where there is no answer. Free with g_strfreev. */
char **acme_dns_txt(const char *resolvers, const char *name, GError **error);
/* A name's first address as text. Free with g_free. NOT_FOUND, as above. */
char *acme_dns_address(const char *resolvers, const char *name, GError **error);
