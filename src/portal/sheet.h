/* sheet: things that are kept, shown as a form and written by one table of inputs. Nothing that was typed is lost: what is
 * wrong is said beside each field, and where somebody else changed the same field meanwhile, both values stand there.
 *
 * A form carries beside NAME what it had when it was opened, was.NAME: what differs is what its reader changed, and no
 * other field is written. Programs may leave was.NAME out. */
#pragma once

#include "portal/request.h"

typedef enum { INPUT_LINE, INPUT_NOTE, INPUT_CHOICE, INPUT_FLAG } InputKind;

typedef struct {
    const char *
        name; /* of the field; its label's word is fleet.field.NAME, its hint's keep.hint.NAME where there is one */
    InputKind kind;
    int most; /* characters */
    bool must;
    bool first;       /* in a new thing alone */
    const char *type; /* of a line: NULL is "text" */
    /* Of a choice: [ { "value", "label", "selected" } ]. */
    json_t *(*options)(Request *request, const char *selected, GError **error);
    bool blank; /* of a choice: it may be none of them */
} Input;

typedef bool (*SheetSave)(VigieStore *store, int64_t id, const json_t *fields, const char *by, VigieTime now,
                          int64_t *ret_id, json_t **ret_problem, GError **error);

typedef struct {
    VigieFleetThing thing;
    SheetSave save;
    const Input *inputs; /* ends in a NULL name */
} Sheet;

/* { "id": 0 for a new one, "values", "was": { name: text }, "problems": { name: { "problem", "text" } }, "others": { name:
 * [ device ] }, "meanwhile": { name: text } }: what the page of a form shows. `thing` is the fleet's resource, or NULL. */
json_t *sheet_new(const Sheet *sheet, int64_t id, const json_t *thing);

/* What was sent. */
typedef struct {
    json_t *shown;   /* as sheet_new has it, to be shown again */
    json_t *changed; /* the fields to be written: { name: text } */
} Sent;
void sheet_sent_clear(Sent *sent);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Sent, sheet_sent_clear)

Sent sheet_read(const Request *request, const Sheet *sheet, int64_t id);
/* A problem of a field; a second one of the same field is left out. */
void sheet_complain(const Request *request, Sent *sent, const json_t *problem);
/* Writes, in a transaction of the caller's, what was changed and stands well, unless there are problems: then ret_written
 * is false, and all of them are in sent->shown. False on an error of the store. */
bool sheet_write(Request *request, const Sheet *sheet, Sent *sent, int64_t id, int64_t *ret_id,
                 bool *ret_written, GError **error);
/* The answer to what was refused: the form again, or to a program the first problem as an error, and NULL. */
json_t *sheet_refused(Request *request, Sent *sent, GError **error);
/* "inputs" and what else the template form-inputs shows. */
bool sheet_dress(Request *request, const Sheet *sheet, json_t *view, GError **error);
/* The labels of what was changed: "Localisation, Version logicielle". Free with g_free. */
char *sheet_changed_text(VigieLang lang, const json_t *changed);
