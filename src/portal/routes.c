/* routes: every address of the portal, one row each. */
#include "portal/pages.h"

#define LIST "sort", "page", "page_size"
#define DEVICE "organisation", "class", "owner", "criticality", "state", "q"

static const char *const overview_query[] = {"organisation", NULL};
static const char *const device_query[] = {DEVICE, "ends_before", "retired", LIST, NULL};
static const char *const endpoint_query[] = {DEVICE, "device", "certificate", "ends_before", LIST, NULL};
static const char *const finding_query[] = {"organisation", "device",      "endpoint", "class",
                                            "owner",        "criticality", "state",    "severity",
                                            "kind",         "q",           LIST,       NULL};
static const char *const certificate_query[] = {"organisation", "ends_before", "q", LIST, NULL};
static const char *const plain_query[] = {"q", LIST, NULL};
static const char *const event_query[] = {"organisation", "device",    "endpoint", "kind",
                                          "page",         "page_size", NULL};
static const char *const search_query[] = {"q", NULL};
static const char *const survey_form[] = {"depth", "organisation", "device", "endpoint", "class", NULL};
static const char *const note_form[] = {"note", NULL};
/* A schema of knowledge/openapi.json instead of names. */
static const char *const declaration_form[] = {"$DeclarationForm", NULL};
static const char *const receipt_form[] = {"text", "nonce", NULL};
static const char *const page_query[] = {"page", NULL};

const Route routes[] = {
    /* method, path, page, may, also, resource, dress, raw, parameters, schema, summary */
    {"GET", "/", "dashboard", MAY_READ, true, page_overview, dress_overview, NULL, overview_query, "Overview",
     "What is wrong now, and what will be next"},
    {"GET", "/devices", "devices", MAY_READ, true, page_devices, dress_devices, NULL, device_query,
     "DeviceList", "Devices, worst first"},
    {"GET", "/devices/{id}", "device", MAY_READ, true, page_device, dress_device, NULL, NULL, "DeviceDetail",
     "A device, with its endpoints, findings and history"},
    {"GET", "/endpoints", "endpoints", MAY_READ, true, page_endpoints, dress_endpoints, NULL, endpoint_query,
     "EndpointList", "Endpoints, worst first"},
    {"GET", "/endpoints/{id}", "endpoint", MAY_READ, true, page_endpoint, dress_endpoint, NULL, NULL,
     "EndpointDetail", "An endpoint, with its last record, certificates and history"},
    {"GET", "/findings", "findings", MAY_READ, true, page_findings, dress_findings, NULL, finding_query,
     "FindingList", "Findings, worst first"},
    {"GET", "/findings/{id}", "finding", MAY_READ, true, page_finding, dress_finding, NULL, NULL, "Finding",
     "A finding"},
    {"POST", "/findings/{id}/acknowledge", NULL, MAY_ACT, true, page_acknowledge, NULL, NULL, note_form,
     "Finding", "Acknowledge a finding, with a note"},
    {"GET", "/certificates", "certificates", MAY_READ, true, page_certificates, dress_certificates, NULL,
     certificate_query, "CertificateList", "Certificates now served, the first to end first"},
    {"GET", "/certificates/{id}", "certificate", MAY_READ, true, page_certificate, dress_certificate, NULL,
     NULL, "CertificateDetail", "A certificate, with its PEM and who serves it"},
    {"GET", "/organisations", "organisations", MAY_READ, true, page_organisations, dress_plain_list, NULL,
     plain_query, "OrganisationList", "Organisations"},
    {"GET", "/organisations/{id}", "organisation", MAY_READ, true, page_organisation, dress_organisation,
     NULL, NULL, "OrganisationDetail", "An organisation, with its contacts"},
    {"GET", "/events", NULL, MAY_READ, true, page_events, NULL, NULL, event_query, "EventList",
     "What happened, newest first"},
    {"GET", "/alarms", "alarms", MAY_READ, true, page_alarms, dress_plain_list, NULL, page_query, "AlarmList",
     "Alarms and who was told, newest first"},
    {"GET", "/search", "search", MAY_READ, true, page_search, NULL, NULL, search_query, "Search",
     "Devices, endpoints and certificates by words"},
    {"GET", "/surveys", "surveys", MAY_READ, true, page_surveys, dress_surveys, NULL, page_query,
     "SurveyList", "Surveys, newest first"},
    {"POST", "/surveys", NULL, MAY_ACT, true, page_survey_request, NULL, NULL, survey_form, "Survey",
     "Ask for a survey now; one of the same scope that is under way is returned instead"},
    {"GET", "/surveys/{id}", "survey", MAY_READ, true, page_survey, dress_survey, NULL, NULL, "Survey",
     "A survey and how far it is"},
    {"GET", "/glossary", "glossary", MAY_READ, true, page_glossary, NULL, NULL, NULL, "Glossary",
     "The glossary"},
    {"GET", "/audit", "audit", MAY_AUDIT, true, page_audit, dress_plain_list, NULL, page_query, "AuditList",
     "Who did what, newest first"},
    {"GET", "/account", "account", MAY_READ, true, page_account, dress_account, NULL, NULL, "Account",
     "One's own account and tokens"},

    {"GET", "/declare", "declare", MAY_PUBLIC, false, page_declare, dress_declare, NULL, NULL, NULL, NULL},
    {"GET", "/declarer", "declare", MAY_PUBLIC, false, page_declare, dress_declare, NULL, NULL, NULL, NULL},
    {"GET", "/declare/draft", "declaration", MAY_PUBLIC, false, page_draft_form, dress_declaration, NULL,
     NULL, NULL, NULL},
    {"POST", "/declare/draft", "declaration", MAY_PUBLIC, false, page_draft, dress_declaration, NULL, NULL,
     NULL, NULL},
    {"GET", "/declare/{rest}", "declaration", MAY_PUBLIC, false, page_declare_form, dress_declaration, NULL,
     NULL, NULL, NULL},
    {"POST", "/declarations", "declaration", MAY_PUBLIC, true, page_declaration, dress_declaration, NULL,
     declaration_form, "Acknowledgement",
     "Declare an incident, report, or ask: durable before it is answered"},
    {"GET", "/receipt", "receipt", MAY_PUBLIC, true, page_receipt_form, dress_receipt, NULL, NULL, "Receipt",
     "What the receipt's holder may see; ticket number and code as Basic credentials"},
    {"POST", "/receipt", "receipt", MAY_PUBLIC, true, page_receipt, dress_receipt, NULL, receipt_form,
     "Receipt", "Add a message; ticket number and code as Basic credentials"},
    {"GET", "/verify", "verify", MAY_PUBLIC, false, page_verify_form, dress_verify, NULL, NULL, NULL, NULL},
    {"POST", "/verify", "verify", MAY_PUBLIC, false, page_verify, dress_verify, NULL, NULL, NULL, NULL},

    {"GET", "/login", "login", MAY_NOTHING, false, page_login_form, NULL, NULL, NULL, NULL, NULL},
    {"POST", "/login", "login", MAY_NOTHING, false, page_login, NULL, NULL, NULL, NULL, NULL},
    {"POST", "/logout", NULL, MAY_READ, false, page_logout, NULL, NULL, NULL, NULL, NULL},
    {"POST", "/account/language", NULL, MAY_READ, false, page_language, NULL, NULL, NULL, NULL, NULL},
    {"POST", "/account/password", "account", MAY_READ, false, page_password, dress_account, NULL, NULL, NULL,
     NULL},
    {"POST", "/account/tokens", "account", MAY_READ, false, page_token_add, dress_account, NULL, NULL, NULL,
     NULL},
    {"POST", "/account/tokens/{id}/remove", NULL, MAY_READ, false, page_token_remove, NULL, NULL, NULL, NULL,
     NULL},

    {"GET", "/calendar.ics", NULL, MAY_CALENDAR, false, NULL, NULL, feed_calendar, NULL, NULL, NULL},
    {"GET", "/metrics", NULL, MAY_METRICS, false, NULL, NULL, feed_metrics, NULL, NULL, NULL},
    {"GET", "/pki/ocsp/{rest}", NULL, MAY_NOTHING, false, NULL, NULL, feed_ocsp_get, NULL, NULL, NULL},
    {"POST", "/pki/ocsp", NULL, MAY_NOTHING, false, NULL, NULL, feed_ocsp_post, NULL, NULL, NULL},
    {"GET", "/pki/{rest}", NULL, MAY_NOTHING, false, NULL, NULL, feed_published, NULL, NULL, NULL},
    {"GET", "/healthz", NULL, MAY_NOTHING, false, NULL, NULL, feed_health, NULL, NULL, NULL},
    {"GET", "/api/openapi.json", NULL, MAY_NOTHING, false, NULL, NULL, feed_openapi, NULL, NULL, NULL},
    {"GET", "/style.css", NULL, MAY_NOTHING, false, NULL, NULL, feed_asset, NULL, NULL, NULL},
    {"GET", "/script.js", NULL, MAY_NOTHING, false, NULL, NULL, feed_asset, NULL, NULL, NULL},
    {"GET", "/icon.svg", NULL, MAY_NOTHING, false, NULL, NULL, feed_asset, NULL, NULL, NULL},
    {NULL, NULL, NULL, MAY_NOTHING, false, NULL, NULL, NULL, NULL, NULL, NULL},
};
