/* page-case: what the pages of the CSIRT's desk share. */
#pragma once

#include "csirt/csirt.h"
#include "csirt/desk.h"
#include "portal/pages.h"

/* The reader as the room of cases sees them. Who is confined to one organisation does not work at the desk. */
VigieAnalyst case_analyst(const Request *request);
/* Whether `words` are the reference of a case that the reader may see: then the page goes on there. */
bool case_go(Request *request, const char *words);
/* Sets an error where there is no desk (csirt.team is empty). */
bool case_desk(const Request *request, GError **error);

/* The words that every page about one case shows; its API answer has become `view`. */
bool case_present_page(Request *request, json_t *view, GError **error);
/* After a change: the case as it is now, and its page to go on with. */
json_t *case_done(Request *request, const char *anchor, GError **error);
/* A page shows the case again with what was wrong (`failure`, taken); a program is answered the problem. */
json_t *case_refused(Request *request, GError *failure, GError **error);
void case_present_label(json_t *item);
/* The head of a page about something of the case: its title, reference and label. */
bool case_present_head(Request *request, json_t *view, GError **error);
/* A value in words, and what its member is called: of an enumeration, a fact, a time. case_say_value's is freed with g_free. */
char *case_say_value(const Request *request, const char *member, const json_t *value);
char *case_say_fact(const Request *request, const json_t *fact, const json_t *value);
/* Adds { "label", "text", "labelled" } to `rows` for each thing that the details of a line say. */
void case_say_details(const Request *request, const json_t *details, json_t *rows);
const char *case_label_of(const Request *request, const char *member);
/* The title of a task as the reader says it, its kind, its script and what else there is to say of it. */
void case_present_task(const Request *request, json_t *task);
void case_present_escalation(const Request *request, json_t *row);
/* A field of the form, a text of an object; "" where it is not there. */
const char *case_form(const Request *request, const char *name);
/* A box of a form, or true of a program. */
bool case_ticked(const char *text);
/* The facts that a form asked for ("facts.NAME"); null: not known any more. NULL without an error: none. */
json_t *case_read_facts(const Request *request, GError **error);
/* "2026-11-24T09:30" as a browser gives it, of the site's wall clock, or RFC 3339. */
bool case_read_time(const Request *request, const char *text, VigieTime *ret_time, GError **error);
/* Who is on call, whether the team is open, from csirt_load's answer. */
void case_present_duty(const Request *request, json_t *view, json_t *load);
/* Words beside a case's facts, for a row of the queue as for its page. */
void case_present(const Request *request, json_t *item);
/* NAME_text of an enumeration: the word desk's catalogue or the room's has for it. */
void case_present_word(const Request *request, json_t *object, const char *member, const char *prefix);
