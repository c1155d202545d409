/* keep: what the pages of those who keep the fleet share. */
#pragma once

#include "portal/pages.h"
#include "portal/sheet.h"

/* Choices: the organisations that the reader sees; who is in charge. */
json_t *keep_organisations(Request *request, const char *selected, GError **error);
json_t *keep_owners(Request *request, const char *selected, GError **error);
/* A refusal as a sentence of the reader's language. Free with g_free. */
char *keep_sentence(const Request *request, const char *message);
/* A line of the log, by the reader. */
bool keep_audit(Request *request, const char *action, const char *object, const char *details,
                GError **error);
