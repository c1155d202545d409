/* What may be written to a table, field by field: read from JSON (the API's, or a page's form, where all is text),
 * checked, compared with what is there, written. Shared by save.c, place.c and import.c. */
#pragma once

#include "fleet/internal.h"

typedef enum {
    FIELD_LINE, /* text without control characters */
    FIELD_NOTE, /* text of several lines */
    FIELD_HOST, /* a name or an address */
    FIELD_ADDRESS,
    FIELD_MAIL,
    FIELD_CLASS,
    FIELD_OWNER,
    FIELD_LANGUAGE,
    FIELD_PROTOCOL,
    FIELD_CRITICALITY, /* from here on numbers */
    FIELD_PORT,
    FIELD_REFERENCE, /* an id; 0: none */
    FIELD_FLAG,
} FieldType;

typedef struct {
    const char *name;
    const char *column;
    FieldType type;
    bool required;
    int most;            /* characters of text */
    const char *initial; /* of a text in a new row */
    const char *table;   /* of a reference */
} Field;

enum { FIELDS_MAX = 16 };

typedef struct {
    const char *table;
    bool folded; /* has a column `fold` of its name */
    const Field *fields;
    size_t count;
} Form;

typedef struct {
    bool given;
    char *text;
    int64_t number;
} FieldValue;

typedef struct {
    FieldValue at[FIELDS_MAX];
} FormValues;

void form_clear(FormValues *values);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(FormValues, form_clear)

bool field_is_number(const Field *field);
/* The index of a field that the form surely has. */
size_t form_index(const Form *form, const char *name);
const char *form_text(const Form *form, const FormValues *values, const char *name);
int64_t form_number(const Form *form, const FormValues *values, const char *name);

/* Reports a problem: sets *error (INVALID, or CONFLICT for "exists") and *ret_problem, both where not NULL. `limit`
 * -1 and `value` NULL: none to tell. */
bool form_problem(const char *field, const char *problem, int64_t limit, const char *value,
                  json_t **ret_problem, GError **error);
/* The members of `fields`, checked. */
bool form_read(VigieStore *store, const Form *form, const json_t *fields, FormValues *ret_values,
               json_t **ret_problem, GError **error);
/* What is there. */
bool form_load(VigieStore *store, const Form *form, int64_t id, FormValues *ret_values, GError **error);
/* For a new row: what was not given gets its initial value; what is required must be there. */
bool form_complete(const Form *form, FormValues *values, json_t **ret_problem, GError **error);
/* What of `values` is given and differs from `before`, an object { "name": { "before", "after" } }. */
json_t *form_changes(const Form *form, const FormValues *before, const FormValues *values);
/* Writes all of `values` to a new row. */
bool form_insert(VigieStore *store, const Form *form, const FormValues *values, VigieTime now,
                 int64_t *ret_id, GError **error);
/* Writes what is given. */
bool form_update(VigieStore *store, const Form *form, int64_t id, const FormValues *values, VigieTime now,
                 GError **error);
/* After an update: `before` with what was given in its place, for what is worked out from the whole. */
void form_merge(const Form *form, const FormValues *before, FormValues *values);

/* ---- Devices and endpoints, for the import too (save.c, place.c) -------------------------------------------- */
typedef enum { WRITE_CREATED, WRITE_UPDATED, WRITE_UNCHANGED } Written;

enum { FLEET_ENDPOINTS_MAX = 64 }; /* of a device, given at once */
extern const Form organisation_form, contact_form, device_form, endpoint_form;

/* `ret_changes` may be NULL; as form_changes has them. */
bool device_write(VigieStore *store, int64_t id, const json_t *fields, const char *by, VigieTime now,
                  int64_t *ret_id, Written *ret_written, json_t **ret_changes, json_t **ret_problem,
                  GError **error);
bool endpoint_write(VigieStore *store, int64_t id, const json_t *fields, const char *by, VigieTime now,
                    int64_t *ret_id, Written *ret_written, json_t **ret_problem, GError **error);
/* The endpoints of a device follow it: to a new address, a new name, a new organisation, out of service. */
bool endpoints_follow(VigieStore *store, int64_t device, const FormValues *before, const FormValues *after,
                      const char *by, VigieTime now, GError **error);
/* "443", "443/https", "host:443/https", "[::1]:443": false where it is none of them. No host or protocol: NULL. */
bool place_parse(const char *text, char **ret_host, int64_t *ret_port, char **ret_protocol);
/* The fields of an endpoint there; `connect` "": resolve the host; `protocol` NULL: that of the port. */
json_t *place_fields(const char *host, int64_t port, const char *protocol, const char *connect);
/* "host:port/protocol", an IPv6 address in brackets. */
char *target_text(const char *host, int64_t port, const char *protocol);
