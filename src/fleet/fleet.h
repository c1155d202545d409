/* fleet: who and what is watched. Organisations and their contacts, devices, endpoints, what was observed at
 * them, the certificates and findings that follow from it, and the alarms that tell of them.
 *
 * Reading functions return a resource as JSON: the API's answer and what page templates render. Raw facts
 * alone: ids, RFC 3339 times, enums, numbers; the words for the enums are in knowledge/words/fleet.json
 * ("fleet.state.broken", "fleet.class.imaging" …). Members that are not known are null, never missing.
 * Every function is one thread's, the store's; those that write are each one transaction (a savepoint in the
 * caller's). NOT_FOUND where an id does not exist, or lies outside the filter's organisation.
 *
 * Enums, as JSON and filters write them:
 *   class        imaging monitoring laboratory anaesthesia cardiology sterilisation-endoscopy infusion bed-iomt
 *                server, null: not known (knowledge/fleet-classes.json)
 *   owner        biomed dsi vendor
 *   criticality  minor moderate major vital, null: not known
 *   state        of a device or endpoint: well, unknown (never seen, or silent), soon, broken;
 *                of a finding: open, acknowledged, mended, reopened; as a filter also active: all but mended
 *   severity     info low medium high critical */
#pragma once

#include "base/base.h"
#include "record/record.h"
#include "store/store.h"

/* ---- Policy ---------------------------------------------------------------------------------------------
 * What of the configuration this room goes by. */
enum { FLEET_DAYS_MAX = 16 };

typedef struct {
    int days[FLEET_DAYS_MAX]; /* alarms.days: before the end, descending, 0 at the end: it has ended */
    size_t day_count;
    int soon_days;        /* fleet.soon_days: a certificate that ends within them makes its endpoint `soon` */
    int silent_after;     /* alarms.silent_after: failures in a row after which an endpoint is silent */
    int hour;             /* alarms.hour, local: when what is not urgent is told, all in one mail */
    const char *fallback; /* alarms.fallback: told where an organisation has no contact; NULL: nobody */
    VigieLang fallback_lang;
    GTimeZone *zone; /* borrowed from the configuration */
} VigieFleetPolicy;

/* Borrows from `config`, which must outlive it. */
bool fleet_policy_load(const VigieConfig *config, VigieFleetPolicy *ret_policy, GError **error);
VigieFleetPolicy fleet_policy_default(void);

/* ---- Reading --------------------------------------------------------------------------------------------
 * A filter: what is zero or NULL does not restrict. An unknown enum or sort key is INVALID, and the message
 * names the member. Retired devices are left out unless `retired`. */
enum { FLEET_PAGE_SIZE = 50, FLEET_PAGE_SIZE_MAX = 500 };

typedef struct {
    int64_t organisation; /* also the reader's confinement: nothing outside it is ever returned */
    int64_t device, endpoint, certificate;
    const char *class_, *owner, *criticality;
    const char *state, *severity;
    const char *kind; /* findings: their id, "clock-skew"; events: "certificate-changed" … */
    const char *q; /* words; each must begin a word of the thing: name, number, serial, address, place … */
    int64_t ends_before; /* certificates, endpoints, devices: certificate ends before this time; 0: any */
    bool retired;
    const char *sort; /* see each list; NULL: its first */
    bool descending;
    int64_t page;      /* from 1; 0 is 1 */
    int64_t page_size; /* 0: FLEET_PAGE_SIZE; FLEET_PAGE_SIZE_MAX at most */
} VigieFleetFilter;

/* Sets one member from its text, as in a query string: "organisation" "device" "endpoint" "certificate"
 * "class" "owner" "criticality" "state" "severity" "kind" "q" "ends_before" (RFC 3339) "retired" "sort"
 * ("-name": descending) "page" "page_size". Borrows `value`. NOT_FOUND for another name, INVALID for a value
 * that cannot be. */
bool fleet_filter_set(VigieFleetFilter *filter, const char *name, const char *value, GError **error);

/* The dashboard:
 *   { "time",
 *     "devices": { "total", "by_state": { "well", "unknown", "soon", "broken" } }, "endpoints": the same,
 *     "expiry": { "ended", "days_1", "days_7", "days_30", "days_90", "later", "none" }: endpoints, each counted once,
 *     "next": [ 10 endpoints, the next to end ],
 *     "findings": { "total", "by_severity": { "critical" … "info" } }: active ones,
 *     "worst": [ 10 findings, active, worst and newest first ],
 *     "silent": [ 10 endpoints, longest silent first ], "silent_total",
 *     "organisations": [ { "id", "name", "devices", "by_state", "not_after" } ]: 50 at most, worst first,
 *     "classes": [ { "class", "devices", "by_state", "not_after" } ],
 *     "timeline": { "unit": "week", "weeks": [ { "start" (day, Monday), "count" } ] }: 53 weeks from this one,
 *     "last_survey": a run or null,
 *     "events": [ 10 events of note, newest first ] } */
json_t *fleet_overview(VigieStore *store, const VigieFleetFilter *filter, VigieTime now, GError **error);

/* Lists: { "total", "page", "page_size", "pages", "sort", "descending", "items": [ … ] }.
 *
 * Device, by state (worst first) name gmao class manufacturer model location owner criticality not_after checked
 * organisation:
 *   { "id", "name", "organisation": { "id", "name" }, "gmao", "class", "manufacturer", "model", "serial",
 *     "firmware", "location", "fqdn", "ip", "owner", "criticality", "note", "retired": time or null,
 *     "state", "severity": the worst of its active findings, "active_findings": n, "endpoint_count": n,
 *     "not_after": the first end among its certificates, "days_left": whole days, negative when past,
 *     "checked": last observation, "created", "updated" } */
json_t *fleet_device_list(VigieStore *store, const VigieFleetFilter *filter, VigieTime now, GError **error);
/* A device with "endpoints", "findings" (active first; 200), "certificates" (as fleet_endpoint_get has them,
 * each with "endpoint": { "id", "target" }), "history" (100 events), "contacts" (those who would be told). */
json_t *fleet_device_get(VigieStore *store, const VigieFleetFilter *filter, int64_t id, VigieTime now,
                         GError **error);

/* Endpoint, by state not_after checked target outcome silent_since device:
 *   { "id", "target": "host:port/protocol", "host", "port", "protocol", "connect", "name", "gentle": bool,
 *     "device": { "id", "name", "gmao", "class", "owner", "criticality", "location" },
 *     "organisation": { "id", "name" }, "state",
 *     "outcome": "ok" "refused" "alert:handshake_failure" … or null: never examined,
 *     "checked", "seen": last answer, "failures": in a row, "silent_since", "versions": [ "TLSv1.2" … ],
 *     "severity", "active_findings",
 *     "certificate": { "id", "sha256", "subject", "common_name", "issuer", "not_before", "not_after" } or null,
 *     "not_after", "days_left" } */
json_t *fleet_endpoint_list(VigieStore *store, const VigieFleetFilter *filter, VigieTime now, GError **error);
/* An endpoint with "record" (the last one as doc/record.md, or null), "findings" (200),
 *   "certificates": [ { "id", "sha256", "subject", "common_name", "issuer", "serial", "not_before", "not_after",
 *                       "position": 0 the leaf, "first_seen", "last_seen", "current": bool } ],
 *   "history": [ { "from", "to", "observations": n, "outcome",
 *                  "changes": [ { "member": "versions", "before", "after" } ] } ]: newest first, 50 stretches of same
 *                  observations,
 *   "events": (50). */
json_t *fleet_endpoint_get(VigieStore *store, const VigieFleetFilter *filter, int64_t id, VigieTime now,
                           GError **error);

/* Finding, by severity (worst first) last_seen first_seen kind state device:
 * { "id", "kind": "clock-skew", "severity", "state", "evidence": { … }, "first_seen", "last_seen", "mended":
 * time or null, "reopened": time or null, "reopenings": n, "acknowledged": { "by", "time", "note" } or null,
 *   "endpoint": { "id", "target" }, "device": as an endpoint's, "organisation": { "id", "name" } } */
json_t *fleet_finding_list(VigieStore *store, const VigieFleetFilter *filter, VigieTime now, GError **error);
json_t *fleet_finding_get(VigieStore *store, const VigieFleetFilter *filter, int64_t id, VigieTime now,
                          GError **error);

/* Certificate, of those now served, by not_after subject issuer first_seen endpoints:
 * { "id", "sha256", "subject", "common_name", "issuer", "serial", "not_before", "not_after", "days_left",
 *   "key": { "type", "bits", "curve" }, "signature_algorithm", "signature_weak": bool, "is_ca",
 * "self_issued", "first_seen", "last_seen", "endpoints": n that serve it now } */
json_t *fleet_certificate_list(VigieStore *store, const VigieFleetFilter *filter, VigieTime now,
                               GError **error);
/* A certificate with "names": [ "DNS:…" ], "pem", "spki_sha256", "malformed", "served_by": [ { "endpoint":
 * { "id", "target" }, "device", "organisation", "position", "first_seen", "last_seen", "current" } ] (200). */
json_t *fleet_certificate_get(VigieStore *store, const VigieFleetFilter *filter, int64_t id, VigieTime now,
                              GError **error);

/* Organisation, by name devices: { "id", "name", "finess", "note", "devices": n, "by_state", "not_after",
 * "created" } */
json_t *fleet_organisation_list(VigieStore *store, const VigieFleetFilter *filter, VigieTime now,
                                GError **error);
/* The same with "contacts": [ { "id", "role": biomed dsi vendor, "name", "mail", "language": fr en, "device":
 * id or null, "manufacturer": a vendor's, or null } ]. */
json_t *fleet_organisation_get(VigieStore *store, const VigieFleetFilter *filter, int64_t id, VigieTime now,
                               GError **error);
/* One contact, as above, with "organisation": { "id", "name" }. */
json_t *fleet_contact_get(VigieStore *store, const VigieFleetFilter *filter, int64_t id, GError **error);

/* Event, newest first: { "id", "time", "kind", "organisation": id, "device": { "id", "name" }, "endpoint": {
 * "id", "target" } or null, "certificate": id or null, "finding": id or null, "by": who, or null: the
 * program, "details": { … } }. Kinds: device-created device-changed device-moved device-retired
 * device-returned endpoint-added endpoint-moved endpoint-removed certificate-first-seen certificate-renewed
 * certificate-changed endpoint-silent endpoint-back finding-opened finding-acknowledged finding-mended
 * finding-reopened finding-worsened. */
json_t *fleet_event_list(VigieStore *store, const VigieFleetFilter *filter, VigieTime now, GError **error);

/* { "q", "devices": [ … ], "endpoints": [ … ], "certificates": [ … ], "total_devices", "total_endpoints",
 *   "total_certificates" }, 20 of each; totals are counted up to 1000. */
json_t *fleet_search(VigieStore *store, const VigieFleetFilter *filter, VigieTime now, GError **error);

/* { "classes": [ { "id", "fr", "en", "medical": bool, "hints": [ { "port", "protocol" } ] } ], "owners": [ …
 * ], "criticalities": [ { "id", "fr", "en", "definition": { "fr", "en" } } ] }: for forms and filters.
 * Borrowed. */
const json_t *fleet_classes(GError **error);

/* ---- Writing --------------------------------------------------------------------------------------------
 * `fields` is an object of what is to change; the rest stays (or has its default in a new one). `id` 0
 * creates. Errors: INVALID, its message begins with the field's name; CONFLICT where it exists already. Then
 * *ret_problem (may be NULL) is { "field", "problem": "too-long" …, "limit" or "value" }, for a form. `by` is
 * the user's name, kept in the history. */

/* name finess note */
bool fleet_organisation_save(VigieStore *store, int64_t id, const json_t *fields, const char *by,
                             VigieTime now, int64_t *ret_id, json_t **ret_problem, GError **error);
/* organisation role name mail language device manufacturer */
bool fleet_contact_save(VigieStore *store, int64_t id, const json_t *fields, const char *by, VigieTime now,
                        int64_t *ret_id, json_t **ret_problem, GError **error);
bool fleet_contact_remove(VigieStore *store, int64_t id, GError **error);
/* organisation name gmao class manufacturer model serial firmware location fqdn ip owner criticality note
 * retired (bool). A new address moves the endpoints that were at the old one; a new organisation takes all
 * along. */
bool fleet_device_save(VigieStore *store, int64_t id, const json_t *fields, const char *by, VigieTime now,
                       int64_t *ret_id, json_t **ret_problem, GError **error);
/* device host port protocol connect name gentle; protocol is that of the port, gentle that of the device's
 * class where not given. */
bool fleet_endpoint_save(VigieStore *store, int64_t id, const json_t *fields, const char *by, VigieTime now,
                         int64_t *ret_id, json_t **ret_problem, GError **error);
bool fleet_endpoint_remove(VigieStore *store, int64_t id, const char *by, VigieTime now, GError **error);
/* Endpoints of a device as a GMAO's column has them, "443/https 2762 host:8443": added, each; all or none. */
bool fleet_device_endpoints_add(VigieStore *store, int64_t device, const char *text, const char *by,
                                VigieTime now, json_t **ret_problem, GError **error);
/* Devices that have the gmao, serial, fqdn or ip of `fields`, too, retired ones among them, within the filter's
 * organisation; `id` is left out: [ { "field", "device": { "id", "name", "gmao", "retired": bool } } ], three a field at
 * most. */
json_t *fleet_device_alike(VigieStore *store, const VigieFleetFilter *filter, int64_t id,
                           const json_t *fields, GError **error);
/* What of a thing is not as `was` says, a form's values as they were when it was opened: { "location": { "before": as it is
 * now, "after": as it was } }. In a transaction: until its end nobody else changes the thing. */
typedef enum { FLEET_ORGANISATION, FLEET_CONTACT, FLEET_DEVICE, FLEET_ENDPOINT } VigieFleetThing;
json_t *fleet_meanwhile(VigieStore *store, VigieFleetThing thing, int64_t id, const json_t *was,
                        GError **error);
/* A problem in words ("Numéro de série : 200 caractères au plus"). Free with g_free. */
char *fleet_problem_text(VigieLang lang, const json_t *problem);

/* CONFLICT where it is mended already. `note` up to 2,000 characters, may be NULL. */
bool fleet_finding_acknowledge(VigieStore *store, int64_t id, const char *by, const char *note, VigieTime now,
                               GError **error);

/* ---- Surveys --------------------------------------------------------------------------------------------
 * A run is a survey of the endpoints that a scope selects, at the time it is asked for. It is requested
 * (here), worked on by whoever takes its job (kind "survey", payload { "run": id }, unique key "survey:ID"),
 * and can be left and resumed at any point: its targets are the endpoints that it has not observed yet. */
#define FLEET_JOB_SURVEY "survey"

/* `scope` restricts as a filter's members organisation, device, endpoint, class_, owner, criticality, state,
 * q do. A run of the same scope and depth that is not finished is returned instead of a second. ret_run may be
 * NULL. */
bool fleet_survey_request(VigieStore *store, const VigieFleetFilter *scope, VigieDepth depth,
                          const char *requested_by, VigieTime now, int64_t *ret_run, GError **error);

/* The targets not yet observed in this run, gentle ones where they have to be, `tag` the endpoint's id.
 * Writing observations while reading targets is well. The run counts as started. */
typedef struct VigieFleetTargets VigieFleetTargets;
VigieFleetTargets *fleet_survey_targets(VigieStore *store, int64_t run, VigieTime now, VigieDepth *ret_depth,
                                        GError **error);
/* False at the end, or on an error: then *error is set. The target is the caller's to clear. */
bool fleet_targets_next(VigieFleetTargets *targets, VigieTarget *ret_target, GError **error);
void fleet_targets_free(VigieFleetTargets *targets);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VigieFleetTargets, fleet_targets_free)

/* { "id", "state": "waiting" "running" "finished" "failed", "scope": { … }, "depth", "requested_by",
 * "requested", "started", "finished", "targets": n, "done": n, "outcomes": { "ok": n … }, "findings_opened":
 * n, "findings_mended": n, "certificates_new": n, "seconds_left": estimate or null, "reason": why it failed,
 * or null } */
json_t *fleet_survey_progress(VigieStore *store, const VigieFleetFilter *filter, int64_t run, VigieTime now,
                              GError **error);
/* The runs, newest first, as a list. */
json_t *fleet_survey_list(VigieStore *store, const VigieFleetFilter *filter, VigieTime now, GError **error);
/* `reason` NULL: it came to its end. Finishing twice is finishing once. */
bool fleet_survey_finish(VigieStore *store, int64_t run, const char *reason, VigieTime now, GError **error);

/* Keeps what was seen: the observation, its certificates, what it means for the findings and the endpoint.
 * Observing the same endpoint twice in one run keeps the first. `run` 0: outside any (a diagnosis). Many in
 * one transaction are many times faster: begin one around a hundred or so. An interrupted record is not kept.
 */
bool fleet_observe(VigieStore *store, const VigieFleetPolicy *policy, int64_t endpoint, int64_t run,
                   const VigieRecord *record, VigieTime now, GError **error);
/* Removes observations made before `before` that changed nothing, all but the last of each stretch: history and the last
 * record stay as they are. A run of that time no longer counts all that it saw. In several transactions. */
bool fleet_forget(VigieStore *store, VigieTime before, GError **error);

/* ---- Alarms ---------------------------------------------------------------------------------------------
 * An alarm is one thing to be told: a certificate passed a threshold, changed unexpectedly, an endpoint fell
 * silent. Each exists once. A notice is one mail to one person, carrying all that is to be told to them: what
 * is urgent (a day or less left, ended, changed; silence of a device of criticality major or vital) at once
 * and with it all that waits; the rest together at policy->hour of the reader's morning. */

/* Creates the alarms that `now` brings, makes notices of those that are due, and returns every notice not
 * sent yet: [ { "id", "created", "recipient": { "name", "mail", "language", "role" }, "organisations": [ {
 * "id", "name" } ], "alarms": [ { "id", "kind": "expiry" "certificate-changed" "endpoint-silent",
 * "threshold": days or null, "urgent": bool, "created", "endpoint": as fleet_endpoint_list has it,
 * "certificate": as a list has it or null, "details": { … of the event } } ],
 *     "alarm_count": of which the first 1,000 are there } ], urgent and soonest first.
 * A job per notice with the unique key "notice:ID" sends each once. Also refreshes what the passing of time
 * alone makes of an endpoint (well → soon → broken): call it every few minutes. */
json_t *fleet_alarms_due(VigieStore *store, const VigieFleetPolicy *policy, VigieTime now, GError **error);
/* One notice by id, as above, with "sent": time or null: for the job that mails it. */
json_t *fleet_notice_get(VigieStore *store, int64_t notice, VigieTime now, GError **error);
bool fleet_notice_sent(VigieStore *store, int64_t notice, VigieTime now, GError **error);
/* Alarms as the dashboard shows them, newest first, as a list of the above with "told": [ { "name", "mail",
 * "time" or null: waits } ]; empty: nobody to tell. */
json_t *fleet_alarm_list(VigieStore *store, const VigieFleetFilter *filter, VigieTime now, GError **error);

/* ---- Feeds ------------------------------------------------------------------------------------------- */
/* An iCalendar object (RFC 5545): one all-day event for each certificate's end at an endpoint, on the day it
 * has in `zone`, from 90 days past to two years ahead, 5,000 at most. The bytes change only when the facts
 * do. */
bool fleet_calendar_append(VigieStore *store, const VigieFleetFilter *filter, VigieLang lang, GTimeZone *zone,
                           VigieTime now, GString *out, GError **error);
/* Prometheus text format 0.0.4: vigie_certificate_not_after_timestamp_seconds per endpoint (the 10,000 first
 * to end), vigie_endpoints{state}, vigie_endpoint_outcomes{outcome}, vigie_findings{severity},
 * vigie_jobs{kind,state}, vigie_survey_last_finished_timestamp_seconds …: doc/metrics.md. */
bool fleet_metrics_append(VigieStore *store, const VigieFleetFilter *filter, VigieTime now, GString *out,
                          GError **error);

/* ---- The GMAO ---------------------------------------------------------------------------------------- */
typedef struct VigieFleetMapping VigieFleetMapping;
/* A key file as knowledge/fleet-mapping.conf, which is meant where `path` is NULL. */
VigieFleetMapping *fleet_mapping_load(const char *path, GError **error);
void fleet_mapping_free(VigieFleetMapping *mapping);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VigieFleetMapping, fleet_mapping_free)

enum { FLEET_IMPORT_BYTES_MAX = 256 * 1024 * 1024 };

typedef struct {
    const VigieFleetMapping *mapping;
    const json_t
        *columns; /* { field: number of the column, from 1 }: these alone are read; NULL: by the mapping */
    const char
        *organisation; /* a name, created where it is new, for the rows that name none; NULL: they must */
    int64_t
        only; /* every row is of this organisation, or refused; 0: of any. `organisation` is not looked at */
    bool dry_run; /* nothing is written, nor locked: it is done to a copy in memory */
    const char *by;
    GString *refused; /* gets the refused lines as CSV, each with the reason in `lang`; NULL: not wanted */
    VigieLang lang;
} VigieFleetImport;

/* Imports a file's bytes. Rows that cannot be are refused, the rest kept. { "encoding",
 * "delimiter", "rows", "created", "updated", "unchanged", "refused", "organisations_created",
 *   "endpoints_created", "columns": { field: header }, "ignored": [ headers ], "dry_run": bool,
 * "changes": [ { "line", "change": "created" "updated", "device": id, or null: made in a dry run, "name", "gmao",
 *   "fields": { "location": { "before", "after" } }, "endpoints": n added } ] the first 1,000,
 * "problem_count", "problems": [ { "line", "column": from 1, or null, "field", "value", "problem":
 * "unknown-class" …, "refused": bool } ] } the first 1,000 problems. */
json_t *fleet_import(VigieStore *store, VigieBytes file, const VigieFleetImport *how, VigieTime now,
                     GError **error);
/* How a file would be read, `columns` as above: { "encoding", "delimiter", "columns", "ignored", "enough": bool, there is what an
 * import cannot do without, "headers": [ { "column": from 1, "header", "field" or null, "ours": bool, of an export, "sample":
 * the column's first value } ] }. */
json_t *fleet_import_columns(VigieBytes file, const VigieFleetMapping *mapping, const json_t *columns,
                             GError **error);
/* The fields that a column may be: [ "gmao" … ], words `fleet.field.…`. */
json_t *fleet_import_fields(void);
/* UTF-8 with a byte order mark, `;`, CRLF, headers and values as the mapping has them, so that importing it
 * again changes nothing; with the certificate's end, TLS versions, last check and state at the end. */
bool fleet_export(VigieStore *store, const VigieFleetFilter *filter, const VigieFleetMapping *mapping,
                  VigieLang lang, GTimeZone *zone, VigieTime now, GString *out, GError **error);
