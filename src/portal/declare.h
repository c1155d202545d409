/* declare: what the public pages of the CSIRT share. */
#pragma once

#include "csirt/declaration.h"
#include "portal/limit.h"
#include "portal/pages.h"

/* NOT_FOUND where no CSIRT works here. */
bool declare_ready(const Request *request, GError **error);
/* Counts one by the sender's address; false: too many, *ret_wait seconds to wait. */
bool declare_allowed(const Request *request, const Limit *limit, int64_t *ret_wait);
extern const Limit declare_limit_receipt, declare_limit_check, declare_limit_draft;

/* Adds what every public page says of the team: "team": { "name", "phones": [ { "number", "text", "note" } ], "mail", "always", "opens" … }. */
void declare_add_team(const Request *request, json_t *view);
/* "+33 9 72 43 91 25" as it is dialled here. Free with g_free. */
char *declare_phone_text(VigieLang lang, const char *number);

/* The files that came, for as long as the request lives; *ret_count of them. NULL where none did. Free with g_free. */
VigieDeclarationFile *declare_files(const Request *request, size_t *ret_count);
/* "files_kept", "any_kept": what the draft of the form keeps. */
void declare_add_files(const Request *request, json_t *view);
/* `text` and, below it, the names of the files. Free with g_free. */
char *declare_text_with_files(const Request *request, const char *text);
/* Whether files may be sent at all. */
bool declare_takes_files(const Request *request);

/* The blocks of a form with what was typed and what is wrong: [ { "text", "hint", "essential", "open", "fields": [ … ] } ]. `problems`:
 * csirt_declaration_check's. */
json_t *declare_blocks(const Request *request, const json_t *form, const json_t *problems);
/* [ { "at": id of the field, "label", "text" } ], for the summary on top. */
json_t *declare_problems(const Request *request, const json_t *form, const json_t *problems);
/* Those of the request's form that belong to this form: { name: text }. */
json_t *declare_typed(const Request *request, const json_t *form);
