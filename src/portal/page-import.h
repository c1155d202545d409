/* page-import: a GMAO's file between its coming and somebody's word. Shared by page-import.c and page-import-columns.c. */
#pragma once

#include "portal/keep.h"

/* The file as the API shows it. NOT_FOUND where there is none that the reader may see. */
json_t *import_get(Request *request, int64_t id, GError **error);
/* Its content, while it is kept, with what its sender said of it. Free all. */
GBytes *import_content(Request *request, int64_t id, char **ret_organisation, json_t **ret_columns,
                       GError **error);
VigieFleetImport import_how(const Request *request, const char *organisation, const json_t *columns,
                            bool dry_run, GString *refused);

/* page-import-columns.c: what would change, and how the columns are read; of a page that must be told first which they are, the
 * latter alone. */
json_t *import_preview(Request *request, VigieBytes file, const char *organisation, const json_t *columns,
                       GString *refused, GError **error);
/* The digest of the headers in a report. Free with g_free. */
char *import_shape(const json_t *report);
/* What was said of the columns of a file of this shape when the last one was imported; NULL: nothing, or the store failed. */
json_t *import_remembered(Request *request, const char *shape);
/* For the page: "choices", "unknown": the file waits for them. */
void import_say_columns(const Request *request, json_t *report);
