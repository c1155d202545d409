/* present: from a resource's facts to what a person reads. */
#pragma once

#include "portal/request.h"

/* Adds to every object within `value`, beside each member that has words, its text in the reader's language:
 *   a time           NAME_when "dans 12 jours (3 déc. 2026)", NAME_in the first half, NAME_day "3 déc. 2026", NAME_full with the hour,
 *                    NAME_past
 *   state, class, owner, criticality, severity, role, scope, action, depth …   NAME_text; null: "non renseigné"
 *   outcome          outcome_text, a sentence; outcome_detail; outcome_well
 *   issuer           issuer_name, its CN
 *   authority        authority_title; its name where it is none of ours
 *   a finding        explained: record_explain's object; first_action; active: not mended
 *   an event         kind_text
 *   clock_offset, seconds_left …   NAME_text, a duration */
void present(const Request *request, json_t *value);

/* What every page shows around its content: the member "v" of the view. `title` is plain text. */
json_t *present_frame(const Request *request, const char *title);
/* The page `name` over `data`, within the layout, into request->answer. */
bool present_page(Request *request, const char *name, json_t *data, GError **error);

/* What a refusal says, in the reader's language; in English where the words know it in no other. Free with g_free. */
char *present_refusal(VigieLang lang, const char *message);
/* [ { "value", "label", "selected": bool } ] for a <select>: words of `prefix` + value. */
json_t *present_options(const Request *request, const char *prefix, const char *const *values,
                        const char *selected);
/* The same of the organisations that the reader may see, by their numbers; NULL where the store refuses. */
json_t *present_organisations(const Request *request, const char *selected, GError **error);
/* The same of a list of knowledge/fleet-classes.json: "classes", "owners", "criticalities". */
json_t *present_kinds(const Request *request, const char *list, const char *selected);
