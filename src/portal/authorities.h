/* authorities: which there are and what people call them, also when a ceremony makes one while the portal runs. */
#pragma once

#include "portal/request.h"

/* Looked up at most once in each second of request->now, for all lanes; what was known stays where the store fails. */
Authorities *authorities_new(void);
void authorities_free(Authorities *authorities);
/* Without any, no page speaks of requests. */
bool authorities_any(const Request *request);
/* The title of the one of this name; the name itself where there is none. Free with g_free. */
char *authorities_title(const Request *request, const char *name);
/* [ { "value": name, "label": title, "selected": bool } ] for a <select>. */
json_t *authorities_options(const Request *request, const char *selected);
