/* router: one row for each address. A page, its API and its line in the OpenAPI document come from the same row. */
#pragma once

#include "portal/request.h"

/* The resource, or NULL and an error. For a POST it may set request->go: where a page goes on. */
typedef json_t *(*RouteResource)(Request *request, GError **error);
/* Adds what only the page needs. The view is the resource, presented. */
typedef bool (*RouteDress)(Request *request, json_t *view, GError **error);
/* Writes status, type and answer itself: feeds, files. */
typedef bool (*RouteRaw)(Request *request, GError **error);

/* Where else, and how. */
enum {
    ROUTE_API = 1,   /* also below /api */
    ROUTE_FILES = 2, /* a POST that takes a form with files: request->uploads */
};

struct Route {
    const char *method, *path; /* {id} stands for a whole number, {rest} at the end for all that follows */
    const char *page;          /* its template; NULL: no page */
    May may;
    unsigned also; /* of the above; true is ROUTE_API */
    RouteResource resource;
    RouteDress dress;
    RouteRaw raw;
    const char *const *parameters; /* of the query, or of the form; NULL: none */
    const char *schema;            /* of the answer, in knowledge/openapi.json; NULL: none */
    const char *summary;
};

extern const Route routes[]; /* ends in a row of NULL */

/* The OpenAPI document: the rows above, with the schemas of knowledge/openapi.json. */
json_t *router_openapi(const VigieConfig *config, GError **error);
