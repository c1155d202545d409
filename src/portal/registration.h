/* registration: what the pages of requests, issued certificates and devices share. */
#pragma once

#include "pki/pki.h"
#include "portal/pages.h"

/* A file of the form by its field, or its text field: the bytes of a request (PKCS#10). Empty where neither was given. */
VigieBytes registration_csr(const Request *request);
/* "field.NAME" of the form as an object of those that were filled in. */
json_t *registration_fields(const Request *request);
/* Adds it for the reader; where the reader may decide it, it is validated too, and the signer waited for a little while.
 * ret_id is its number. */
bool registration_add(Request *request, VigiePkiRequest *asked, int64_t *ret_id, GError **error);
/* A refusal that whoever filled in the form can mend: said above the form, which is shown again. Else NULL. */
char *registration_problem(Request *request, const GError *error);
/* The profile of pki_profile_list, or NULL. */
json_t *registration_profile(const Request *request, const char *name);
/* The title of a profile, "authority" among them; its name where there is none. Free with g_free. */
char *registration_profile_title(const Request *request, const char *name);

/* What people call a request: its first name, who it is for, or which certificate: "subject_text"; and "mark", "kind_text",
 * "profile_text". */
void registration_name_request(const Request *request, json_t *one);
/* How many requests wait for the reader's decision, of the newest 50, and the next of them after this one: into the view,
 * "waiting_text", "waiting_next" and "waiting_many", or nothing where none does. */
void registration_say_waiting(Request *request, json_t *view);

/* Of a list, { "items", "next": the number to go on before, or null }: "older", the link to the next page or null, and "empty". */
void registration_say_older(const Request *request, json_t *view);

/* registration-form.c */
/* { "profiles": those that some authority issues to others, "profile": the chosen one or null, "values": what was typed,
 * "problem": text }, for dress_request_form. `why`, of which `problem` is the text, may be NULL: { "wrong_input": the field of the
 * profile that it is of, or "csr" }. */
json_t *registration_form(Request *request, const char *profile, const char *problem, const GError *why,
                          GError **error);
/* Who validates it, in words: "validators_text" beside "validators". */
void registration_say_validators(const Request *request, json_t *profile);
/* The form's names, one a line, as people type them: "dns:…", "ip:…", "email:…". Free with g_strfreev. */
char **registration_names(const Request *request);
