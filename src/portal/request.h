/* request: one request from its first byte to its answer, and the face's own structures around it.
 *
 * A route's function sees a Request that is parsed, whose reader is known and allowed, and returns the resource as
 * JSON. The same JSON is the API's answer, or is dressed (present.h) and put through the page's template. */
#pragma once

#include "csirt/csirt.h"
#include "document/document.h"
#include "fleet/fleet.h"
#include "pki/pki.h"
#include "portal/multipart.h"
#include "portal/portal.h"
#include "record/record.h"

typedef struct Route Route;
typedef struct Published Published; /* published.c: files that many readers share */
typedef struct EnrolServer EnrolServer;
typedef struct Authorities Authorities; /* authorities.c */

/* What all lanes share; read only once the portal serves. */
typedef struct {
    const VigieConfig *config;
    const char *site; /* its name */
    GTimeZone *zone;
    VigieLang lang; /* where the reader's is not known */
    bool https, proxy, client_certificates;
    int64_t session_idle, session_max;
    uint64_t upload_file, upload_total; /* octets: of one file, of one request */
    VigieStoreGroup *group;             /* of the lanes: writes that are acknowledged share commits */
    Published *published;
    VigieTemplates *templates;
    VigieRules *rules;
    VigieTeam *team;                        /* of the CSIRT; NULL: there is no desk */
    struct VigieDeclarations *declarations; /* NULL alike */
    struct Limits *limits;
    VigieFleetMapping *mapping; /* of the GMAO's file */
    VigieProfiles *profiles;    /* of certificates */
    VigieSeal *evidence;        /* keys of what comes beside requests; NULL: none is taken */
    VigieSeal *enrolments;      /* keys of their secrets; NULL: the file is gone, or could not be made */
    Authorities *authorities;
    VigieOcspClient *ocsp; /* who signs answers on the spot; NULL: nobody */
    EnrolServer *enrol;    /* CMP and SCEP; NULL: there is no registrar */
    GHashTable *assets;    /* "style.css" → Asset */
    json_t *openapi;
    char
        *dummy_hash; /* of no password: verified where the account does not exist, so that it takes as long */
} Portal;

typedef struct {
    const char *type;
    GBytes *bytes;
    char *tag; /* in its URL, so that a browser may keep it for ever */
} Asset;

/* ---- Who ---------------------------------------------------------------------------------------------------- */
/* MAY_NOTHING: no right is wanted; MAY_PUBLIC: nor is who asks looked at, and no cookie but the language's is set. */
typedef enum {
    MAY_NOTHING,
    MAY_PUBLIC,
    MAY_READ,
    MAY_ACT,
    MAY_AUDIT,
    MAY_METRICS,
    MAY_CALENDAR,
    MAY_CASE,
    MAY_HEAD,
    MAY_REGISTER,
    MAY_KEEP,     /* the fleet: devices, endpoints, organisations, contacts */
    MAY_ACCOUNTS, /* who may come in */
    MAYS
} May;

typedef struct {
    int64_t account; /* 0: nobody */
    char *name;
    VigieRole role;
    int64_t organisation; /* confined to it; 0: all */
    unsigned may;         /* bits of 1 << May */
    bool by_token;
    char *csrf;         /* of the session; NULL by token */
    char *session_hash; /* NULL by token */
} Reader;

/* ---- Requests ----------------------------------------------------------------------------------------------- */
typedef struct {
    const Portal *portal;
    VigieStore *store;
    VigieTime now;
    VigieLang lang;

    char *method, *path;      /* the path decoded, without query */
    GHashTable *query, *form; /* name → value, the first of each; decoded, UTF-8 */
    GHashTable *fields;       /* header fields, lower case → value: the few that are looked at */
    GHashTable *cookies;
    GString *body;
    GPtrArray *uploads; /* Upload: the files of a form with files; NULL: it was none */
    char *address;      /* the reader's, by the proxy's word where there is one; "" on a Unix socket */

    Reader reader;
    const Route *route;
    bool api;   /* answers in JSON */
    int64_t id; /* of the path, 0: none */

    unsigned status; /* of the answer */
    const char *type;
    GString *answer;
    GBytes *file;       /* the answer instead, shared with whoever holds it; or NULL */
    int64_t kept_ms;    /* see request_keep */
    GPtrArray *headers; /* name, value, name, value … owned */
    char *go;           /* after a form: the page to show next */
    char *here; /* a form's answer: the page that a GET shows in its place; NULL: the one of its template */
} Request;

Request *request_new(const char *raw_target);
void request_free(Request *request);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Request, request_free)
/* Adds a header field to the answer. */
void request_header(Request *request, const char *name, const char *value);
/* The answer hangs on nothing but method, target and body (no reader, no language): for so many milliseconds it may be
 * given, without asking the route, to whoever asks the same. */
void request_keep(Request *request, int64_t milliseconds);
/* Answers with a file: its type, its tag (without quotes) and when it was changed; 0: not known. */
void request_file(Request *request, GBytes *file, const char *type, const char *tag, VigieTime changed);
const char *request_query(const Request *request, const char *name); /* NULL: not given */
const char *request_form(const Request *request, const char *name);
const char *request_field(const Request *request, const char *name);
/* A number from 1 on, as ids are; 0: not given, or none. */
int64_t request_number(const char *text);
/* Fills `form` from a body that is application/x-www-form-urlencoded, or a JSON object of
 * texts, numbers, true and false ("yes", "no"), and lists of texts (NAME.TEXT: "yes"). */
bool request_read_form(Request *request, GError **error);
/* "/devices?state=broken&page=2": the path with the present query, in which the named values are replaced, or left out
 * where NULL. Name, value pairs, NULL at the end. Free with g_free. */
char *request_link(const Request *request, const char *path, ...) G_GNUC_NULL_TERMINATED;
void request_cookie(Request *request, const char *name, const char *value, int64_t seconds);

/* "Sat, 21 Nov 2026 23:26:36 GMT" (RFC 9110 5.6.7). Free with g_free. */
char *portal_date(VigieTime time);
/* Decodes %XX and + in a form's text; NULL where it is not UTF-8, has a NUL, or a broken escape. */
char *portal_url_decode(const char *text, gsize size, bool plus);
/* name=value&… into a table; false where it cannot be decoded or has more than 256 pairs. */
bool portal_form_parse(GHashTable *table, const char *text, gsize size);
