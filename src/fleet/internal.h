/* What the files of fleet/ share. */
#pragma once

#include "fleet/fleet.h"

/* "Has no end": the year 10000, so that it sorts after every date in both databases. */
#define FLEET_NEVER INT64_C(253402300800)

enum { FLEET_DAY = 86400 };

/* ---- Enums (enums.c) --------------------------------------------------------------------------------- */
typedef enum { STATE_WELL, STATE_UNKNOWN, STATE_SOON, STATE_BROKEN, STATES } State;
typedef enum { LIFE_OPEN, LIFE_ACKNOWLEDGED, LIFE_REOPENED, LIFE_MENDED, LIVES } Life;
enum { SEVERITY_NONE = -1, CRITICALITY_MAJOR = 3, CRITICALITIES = 5 };

const char *fleet_state_name(int64_t state);
const char *fleet_life_name(int64_t life);
const char *fleet_criticality_name(int64_t rank); /* NULL: not known */
const char *fleet_depth_name(int64_t depth);
bool fleet_state_parse(const char *name, int64_t *ret_state);
bool fleet_life_parse(const char *name, int64_t *ret_life);
bool fleet_severity_parse(const char *name, int64_t *ret_severity);
bool fleet_criticality_parse(const char *name, int64_t *ret_rank);
bool fleet_owner_known(const char *owner);
/* From knowledge/fleet-classes.json; false where it has no such class. `ret_medical` may be NULL. */
bool fleet_class_known(const char *class_, bool *ret_medical);

/* ---- Rows as JSON (rows.c) --------------------------------------------------------------------------- */
typedef enum {
    COLUMN_INT,
    COLUMN_NATURAL, /* negative is null */
    COLUMN_ID,      /* 0 or NULL is null */
    COLUMN_TEXT,    /* "" is null */
    COLUMN_STRING,
    COLUMN_TIME, /* 0 is null */
    COLUMN_END,  /* FLEET_NEVER is null */
    COLUMN_DAYS, /* days left to an end */
    COLUMN_BOOL,
    COLUMN_STATE,
    COLUMN_LIFE,
    COLUMN_SEVERITY,
    COLUMN_CRITICALITY,
    COLUMN_DEPTH,
    COLUMN_VERSIONS, /* a bit mask; -1 is an empty list */
    COLUMN_HEX,
    COLUMN_JSON,
} ColumnType;

/* `member` may be "object.member"; an object whose first member is null is null as a whole. The last column
 * of a table has a NULL member. */
typedef struct {
    const char *member;
    const char *sql;
    ColumnType type;
} Column;

json_t *row_object(const VigieRows *rows, const Column *columns, VigieTime now);
/* Sets a member to a part that was made, steals it; false where it could not be made. */
bool set_part(json_t *object, const char *name, json_t *part);
/* All rows of a query whose columns are `columns`, as an array. */
json_t *query_array(VigieStore *store, const VigieQuery *query, const Column *columns, VigieTime now,
                    GError **error);
/* "a, b, c": the columns' SQL. */
void query_columns(VigieQuery *query, const Column *columns);
json_t *json_time(VigieTime time); /* null for 0 */
int64_t days_left(VigieTime not_after,
                  VigieTime now); /* rounded down: -1 within the first day after the end */

/* ---- Lists (list.c) ---------------------------------------------------------------------------------- */
typedef struct {
    const char *name;
    const char *join; /* what the order needs besides x, or NULL */
    const char *order, *reverse;
    /* The same as `join`, read before x so that the rows come in the order of its index, and what ties x to it: where
     * nothing narrower finds the rows. */
    const char *first, *tie;
} Sort;

/* Which members of a filter a table can be restricted by. */
enum {
    BY_ORGANISATION = 1 << 0,
    BY_DEVICE_FACTS = 1 << 1, /* class, owner, criticality */
    BY_DEVICE = 1 << 2,
    BY_ENDPOINT = 1 << 3,
    BY_STATE = 1 << 4,
    BY_LIFE = 1 << 5,
    BY_SEVERITY = 1 << 6,
    BY_KIND = 1 << 7,
    BY_END = 1 << 8,
    BY_CERTIFICATE = 1 << 9,
    BY_ID_DEVICE = 1 << 10, /* the filter's device, endpoint … is the row itself */
    BY_ID_ENDPOINT = 1 << 11,
    BY_ID_CERTIFICATE = 1 << 12,
    BY_SERVED = 1 << 13, /* organisation, device, endpoint: those that serve the certificate now */
};

enum { WORDS_NONE, WORDS_DEVICE, WORDS_ENDPOINT, WORDS_CERTIFICATE };

typedef struct {
    const char *table; /* read as x */
    const char *joins; /* for the columns */
    const Column *columns;
    const Sort *sorts;      /* the first is the default; ends with a NULL name */
    const char *live;       /* what is listed unless the filter says `retired` */
    const char *severity;   /* the column of BY_SEVERITY */
    const char *words_also; /* a column that refers to a device whose words are this row's too, or NULL */
    unsigned by;
    int words;
} List;

extern const List device_list, endpoint_list, finding_list, certificate_list, event_list, run_list,
    alarm_list, organisation_list;

/* " WHERE …" for the filter. */
bool list_where(VigieQuery *query, const List *list, const VigieFleetFilter *filter, GError **error);
json_t *list_page(VigieStore *store, const List *list, const VigieFleetFilter *filter, VigieTime now,
                  GError **error);
/* One row by id, retired or not, within the filter's organisation. */
json_t *list_one(VigieStore *store, const List *list, const VigieFleetFilter *filter, int64_t id,
                 VigieTime now, GError **error);
/* The items alone: at most `count` in the default order, of the filter and what `also` adds (" AND …", or
 * NULL). */
json_t *list_items(VigieStore *store, const List *list, const VigieFleetFilter *filter, const char *also,
                   int count, VigieTime now, GError **error);
/* Appends the query of a page, so that a test can ask for its plan. */
bool list_query(VigieQuery *query, const List *list, const VigieFleetFilter *filter, const char *also,
                GError **error);

/* Column groups that several resources share: the row is x, its device d, its organisation o, its endpoint e.
 */
#define ORGANISATION_COLUMNS                                                                                 \
    {"organisation.id", "o.id", COLUMN_INT}, {                                                               \
        "organisation.name", "o.name", COLUMN_STRING                                                         \
    }
#define DEVICE_COLUMNS                                                                                       \
    {"device.id", "d.id", COLUMN_INT}, {"device.name", "d.name", COLUMN_STRING},                             \
        {"device.gmao", "d.gmao", COLUMN_TEXT}, {"device.class", "d.class", COLUMN_TEXT},                    \
        {"device.owner", "d.owner", COLUMN_STRING},                                                          \
        {"device.criticality", "d.criticality", COLUMN_CRITICALITY}, {                                       \
        "device.location", "d.location", COLUMN_TEXT                                                         \
    }
#define ENDPOINT_COLUMNS                                                                                     \
    {"endpoint.id", "e.id", COLUMN_INT}, {                                                                   \
        "endpoint.target", "e.target", COLUMN_STRING                                                         \
    }

/* The parts of a resource that its page shows besides: filtered lists, without their paging. */
json_t *device_endpoints(VigieStore *store, int64_t device, VigieTime now, GError **error);
/* Certificates seen at the endpoints of a device (or at one endpoint), those served now first. */
json_t *certificates_seen(VigieStore *store, int64_t device, int64_t endpoint, VigieTime now, GError **error);
/* Who is told of a device: an array of { "id", "role", "name", "mail", "language", "device", "manufacturer"
 * }. */
json_t *contacts_told(VigieStore *store, int64_t device, GError **error);
/* The active findings of a filter, then mended ones, 200 in all. */
json_t *findings_of(VigieStore *store, const VigieFleetFilter *filter, VigieTime now, GError **error);
/* { "well": 0, "unknown": 0, "soon": 0, "broken": 0 } */
json_t *by_state_new(void);
/* Devices by organisation, class and state in one pass: rows of organisation_id, class, state, count, first
 * end. */
VigieRows *device_groups(VigieStore *store, const VigieFleetFilter *filter, GError **error);
/* Adds a group's row to an object of { "devices", "by_state", "not_after" }. */
void group_add(json_t *object, int64_t state, int64_t count, VigieTime not_after);

/* ---- Search words (words.c) -------------------------------------------------------------------------- */
/* Makes `text`, a NULL-terminated list of texts, the words of a thing; `before` are those it has (NULL:
 * none). */
bool words_set(VigieStore *store, int kind, int64_t ref, const char *const *before, const char *const *text,
               GError **error);
/* Adds " AND …" for every word of q. */
bool words_where(VigieQuery *query, const List *list, const char *q, GError **error);

/* ---- Events (event.c) -------------------------------------------------------------------------------- */
typedef struct {
    const char *kind;
    bool notable;
    int64_t organisation, device, endpoint, certificate, finding, run;
    const char *by;  /* NULL: the program */
    json_t *details; /* stolen; NULL: none */
} Event;

bool event_add(VigieStore *store, Event event, VigieTime now, int64_t *ret_id, GError **error);

/* ---- Alarms (alarm.c) --------------------------------------------------------------------------------------- */
/* An alarm that an observation brings; there already is well. */
bool alarm_raise(VigieStore *store, const VigieFleetPolicy *policy, const char *kind, int64_t endpoint,
                 int64_t organisation, int64_t certificate, int64_t occasion, int64_t event, bool urgent,
                 VigieTime now, GError **error);

/* ---- Texts ---------------------------------------------------------------------------------------------------- */
/* A day of the reader's, as a text of g_date_time_format. Free with g_free. */
char *local_text(VigieTime time, GTimeZone *zone, const char *format);

/* ---- Status (status.c) ------------------------------------------------------------------------------- */
/* What an endpoint is in, given the facts; `severity` is the worst of its active findings. */
State status_of(bool seen, bool silent, int64_t severity, VigieTime not_after, int soon_days, VigieTime now);
/* Works out a device's state, severity, counts and first end from its endpoints. */
bool status_device(VigieStore *store, int64_t device, GError **error);
/* What the passing of time alone makes of the endpoints, and of their devices. */
bool status_refresh(VigieStore *store, int soon_days, VigieTime now, GError **error);
