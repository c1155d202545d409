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
static const char *const case_query[] = {"state", "kind",    "tlp", "assignee", "organisation",
                                         "band",  "overdue", "q",   "page",     NULL};
static const char *const case_form[] = {
    "kind",   "channel", "source", "title", "organisation", "organisation_name", "tlp",
    "urgent", "text",    "name",   "mail",  "phone",        "finding",           NULL};
static const char *const text_form[] = {"text", NULL};
static const char *const case_change_form[] = {"$CaseChange", NULL};
static const char *const case_move_form[] = {"seen", "state", "reason", NULL};
static const char *const case_event_form[] = {"seen", "event", "time", NULL};
static const char *const case_override_form[] = {"seen", "band", "reason", NULL};
static const char *const case_merge_form[] = {"seen", "reference", "reason", NULL};
static const char *const case_split_form[] = {"$CaseSplit", NULL};
static const char *const case_link_form[] = {"kind", "ref", "note", NULL};
static const char *const case_access_form[] = {"account", "may", NULL};
static const char *const case_consent_form[] = {"$CaseConsent", NULL};
static const char *const case_withdraw_form[] = {"consent", NULL};
static const char *const case_party_form[] = {"$CaseParty", NULL};
static const char *const case_task_form[] = {"kind", "title", "due", "assignee", NULL};
static const char *const case_write_form[] = {"do", "party", "subject", "text", NULL};
static const char *const case_call_form[] = {"party", "direction", "text", NULL};
static const char *const case_partner_query[] = {"partner", NULL};
static const char *const case_escalate_form[] = {"partner", "decision", "reason", NULL};
static const char *const case_verify_form[] = {"kind", "ref", "outcome", "method", NULL};
static const char *const case_search_form[] = {"domain", NULL};
static const char *const case_contact_form[] = {"contact",  "kind",        "value", "name",
                                                "language", "fingerprint", NULL};
static const char *const case_decide_form[] = {"contact", "good", NULL};
static const char *const case_notice_form[] = {"$CaseNotice", NULL};
static const char *const case_part_form[] = {"party", "observed", "expected", NULL};
static const char *const case_notice_change_form[] = {"notice", "subject", "body", "expected", NULL};
static const char *const case_notice_reason_form[] = {"notice", "reason", NULL};
static const char *const case_notice_outcome_form[] = {"notice", "outcome", "note", NULL};
static const char *const case_notice_code_form[] = {"notice", NULL};
static const char *const case_follow_form[] = {"days", NULL};
static const char *const case_done_form[] = {"task", "outcome", NULL};
static const char *const year_query[] = {"year", NULL};
static const char *const page_query[] = {"page", NULL};
static const char *const request_query_names[] = {"state", "device", "before", NULL};
static const char *const queue_query[] = {"requester", "profile", NULL};
static const char *const decide_form[] = {"requests", "decision", "reason", NULL};
static const char *const request_form_names[] = {"profile", "csr",        "names", "organisation",
                                                 "mail",    "field.NAME", NULL};
static const char *const enrolment_form_names[] = {"profile", "label",     "names", "organisation", "uses",
                                                   "days",    "challenge", "open",  "field.NAME",   NULL};
static const char *const issued_query[] = {"q", "authority", "device", "before", NULL};
static const char *const reason_form[] = {"reason", NULL};
static const char *const device_form_names[] = {"$DeviceForm", NULL};
static const char *const endpoint_form_names[] = {"$EndpointForm", NULL};
static const char *const endpoints_form[] = {"endpoints", NULL};
static const char *const import_form[] = {"file", "organisation", NULL};
static const char *const columns_form[] = {"columns.FIELD", NULL};
static const char *const organisation_form[] = {"$OrganisationForm", NULL};
static const char *const contact_form[] = {"$ContactForm", NULL};
static const char *const account_form[] = {"name", "role", "organisation", NULL};
static const char *const role_form[] = {"role", "organisation", NULL};
static const char *const session_form[] = {"session", NULL};
static const char *const token_form[] = {"token", NULL};
static const char *const grant_form[] = {"grant", "organisation", "profession", "department", NULL};
static const char *const csr_form[] = {"csr", NULL};
static const char *const device_certificate_form[] = {"mode", "csr", "key", "password", NULL};
static const char *const key_form[] = {"password", "format", NULL};

const Route routes[] = {
    /* method, path, page, may, also, resource, dress, raw, parameters, schema, summary */
    {"GET", "/", "dashboard", MAY_READ, true, page_overview, dress_overview, NULL, overview_query, "Overview",
     "What is wrong now, and what will be next"},
    {"GET", "/devices", "devices", MAY_READ, true, page_devices, dress_devices, NULL, device_query,
     "DeviceList", "Devices, worst first"},
    {"GET", "/devices/{id}", "device", MAY_READ, true, page_device, dress_device, NULL, NULL, "DeviceDetail",
     "A device, with its endpoints, findings and history"},
    {"GET", "/devices/new", "device-form", MAY_KEEP, false, page_device_new, dress_device_form, NULL, NULL,
     NULL, NULL},
    {"POST", "/devices", "device-form", MAY_KEEP, true, page_device_add, dress_device_form, NULL,
     device_form_names, "DeviceDetail", "Add a device, with its endpoints"},
    {"GET", "/devices/export.csv", NULL, MAY_READ, false, NULL, NULL, file_devices, device_query, NULL, NULL},
    {"GET", "/imports", "imports", MAY_KEEP, true, page_imports, dress_imports, NULL, NULL, "ImportList",
     "Files of the GMAO that were sent, newest first"},
    {"POST", "/imports", "imports", MAY_KEEP, ROUTE_API | ROUTE_FILES, page_import_send, dress_imports, NULL,
     import_form, "Import", "Send a GMAO's file (multipart/form-data) and learn what it would change"},
    {"GET", "/imports/{id}", "import", MAY_KEEP, true, page_import, dress_import, NULL, NULL, "Import",
     "What a file would change, or changed"},
    {"POST", "/imports/{id}/columns", NULL, MAY_KEEP, true, page_import_columns, NULL, NULL, columns_form,
     "Import",
     "Say which columns a file's fields are in (columns.gmao: 3), and learn what it would change then"},
    {"POST", "/imports/{id}/confirm", NULL, MAY_KEEP, true, page_import_confirm, NULL, NULL, NULL, "Import",
     "Import a file that was sent"},
    {"GET", "/imports/{id}/refused.csv", NULL, MAY_KEEP, false, NULL, NULL, file_import_refused, NULL, NULL,
     NULL},
    {"GET", "/devices/{id}/change", "device-form", MAY_KEEP, false, page_device_form, dress_device_form, NULL,
     NULL, NULL, NULL},
    {"POST", "/devices/{id}/change", "device-form", MAY_KEEP, true, page_device_change, dress_device_form,
     NULL, device_form_names, "DeviceDetail", "Change what is given of a device"},
    {"POST", "/devices/{id}/retire", NULL, MAY_KEEP, true, page_device_retire, NULL, NULL, NULL,
     "DeviceDetail", "Retire a device: it is not watched any more, its history stays"},
    {"POST", "/devices/{id}/return", NULL, MAY_KEEP, true, page_device_return, NULL, NULL, NULL,
     "DeviceDetail", "Put a retired device back into service"},
    {"POST", "/devices/{id}/endpoints", "device", MAY_KEEP, true, page_endpoints_add, dress_device, NULL,
     endpoints_form, "DeviceDetail", "Add endpoints to a device, as in 443/https 2762/dicom"},
    {"GET", "/endpoints", "endpoints", MAY_READ, true, page_endpoints, dress_endpoints, NULL, endpoint_query,
     "EndpointList", "Endpoints, worst first"},
    {"GET", "/endpoints/{id}", "endpoint", MAY_READ, true, page_endpoint, dress_endpoint, NULL, NULL,
     "EndpointDetail", "An endpoint, with its last record, certificates and history"},
    {"GET", "/endpoints/{id}/change", "endpoint-form", MAY_KEEP, false, page_endpoint_form,
     dress_endpoint_form, NULL, NULL, NULL, NULL},
    {"POST", "/endpoints/{id}/change", "endpoint-form", MAY_KEEP, true, page_endpoint_change,
     dress_endpoint_form, NULL, endpoint_form_names, "EndpointDetail", "Change what is given of an endpoint"},
    {"POST", "/endpoints/{id}/remove", NULL, MAY_KEEP, true, page_endpoint_remove, NULL, NULL, NULL,
     "DeviceDetail", "Watch an endpoint no longer; what was seen there stays"},
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
    {"GET", "/organisations/new", "organisation-form", MAY_KEEP, false, page_organisation_new,
     dress_organisation_form, NULL, NULL, NULL, NULL},
    {"POST", "/organisations", "organisation-form", MAY_KEEP, true, page_organisation_add,
     dress_organisation_form, NULL, organisation_form, "OrganisationDetail", "Add an organisation"},
    {"GET", "/organisations/{id}/change", "organisation-form", MAY_KEEP, false, page_organisation_form,
     dress_organisation_form, NULL, NULL, NULL, NULL},
    {"POST", "/organisations/{id}/change", "organisation-form", MAY_KEEP, true, page_organisation_change,
     dress_organisation_form, NULL, organisation_form, "OrganisationDetail",
     "Change what is given of an organisation"},
    {"GET", "/organisations/{id}/contacts/new", "contact-form", MAY_KEEP, false, page_contact_new,
     dress_contact_form, NULL, NULL, NULL, NULL},
    {"POST", "/organisations/{id}/contacts", "contact-form", MAY_KEEP, true, page_contact_add,
     dress_contact_form, NULL, contact_form, "OrganisationDetail", "Add a contact, whom alarms reach"},
    {"GET", "/contacts/{id}/change", "contact-form", MAY_KEEP, false, page_contact_form, dress_contact_form,
     NULL, NULL, NULL, NULL},
    {"POST", "/contacts/{id}/change", "contact-form", MAY_KEEP, true, page_contact_change, dress_contact_form,
     NULL, contact_form, "OrganisationDetail", "Change what is given of a contact"},
    {"POST", "/contacts/{id}/remove", NULL, MAY_KEEP, true, page_contact_remove, NULL, NULL, NULL,
     "OrganisationDetail", "Remove a contact"},
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
    {"GET", "/requests", "requests", MAY_READ, true, page_requests, dress_requests, NULL, request_query_names,
     "RequestList", "Requests for certificates that one asked for or decides, newest first"},
    {"GET", "/requests/new", "request-new", MAY_REGISTER, false, page_request_form, dress_request_form, NULL,
     NULL, NULL, NULL},
    {"POST", "/requests", "request-new", MAY_REGISTER, ROUTE_API | ROUTE_FILES, page_request_add,
     dress_request_form, NULL, request_form_names, "Request", "Ask for a certificate"},
    {"GET", "/requests/decide", "requests-decide", MAY_REGISTER, true, page_requests_queue,
     dress_requests_queue, NULL, queue_query, "RequestQueue", "Requests that one may decide, newest first"},
    {"POST", "/requests/decide", "requests-decide", MAY_REGISTER, true, page_requests_decide,
     dress_requests_queue, NULL, decide_form, "RequestQueue",
     "Validate many requests, or refuse them with one reason, each for its own: what came of each, and what "
     "is left"},
    {"GET", "/requests/{id}", "request", MAY_READ, true, page_request, dress_request, NULL, NULL, "Request",
     "A request, with its evidence"},
    {"POST", "/requests/{id}/validate", NULL, MAY_REGISTER, true, page_request_validate, NULL, NULL, NULL,
     "Request", "Validate a request: the signer signs what was asked"},
    {"POST", "/requests/{id}/refuse", NULL, MAY_REGISTER, true, page_request_refuse, NULL, NULL, reason_form,
     "Request", "Refuse a request, or take one's own back, with the reason"},
    {"POST", "/requests/{id}/evidence", NULL, MAY_REGISTER, ROUTE_FILES, page_request_evidence_add, NULL,
     NULL, NULL, NULL, NULL},
    {"POST", "/requests/{id}/key", NULL, MAY_REGISTER, false, page_request_key, NULL, NULL, key_form, NULL,
     NULL},
    {"GET", "/requests/{id}/evidence", NULL, MAY_READ, false, NULL, NULL, file_request_evidence, NULL, NULL,
     NULL},
    {"GET", "/requests/{id}/certificate", NULL, MAY_READ, false, NULL, NULL, file_request_certificate, NULL,
     NULL, NULL},
    {"GET", "/enrolments", "enrolments", MAY_READ, true, page_enrolments, dress_enrolments, NULL, NULL,
     "EnrolmentList", "Validations given in advance to machines, newest first"},
    {"GET", "/enrolments/new", "enrolment-new", MAY_REGISTER, false, page_enrolment_form,
     dress_enrolment_form, NULL, NULL, NULL, NULL},
    {"POST", "/enrolments", "enrolment-new", MAY_REGISTER, true, page_enrolment_add, dress_enrolment_form,
     NULL, enrolment_form_names, "EnrolmentMade",
     "Validate in advance; name and secret for the machine, told once"},
    {"POST", "/enrolments/{id}/end", NULL, MAY_REGISTER, true, page_enrolment_end, NULL, NULL, NULL,
     "EnrolmentList", "End an enrolment"},
    {"GET", "/issued", "issued", MAY_READ, true, page_issued, dress_issued, NULL, issued_query, "IssuedList",
     "Certificates issued by our authorities, newest first"},
    {"GET", "/issued/{id}", "issued-one", MAY_READ, true, page_issued_one, dress_issued_one, NULL, NULL,
     "Issued", "An issued certificate, with its PEM"},
    {"POST", "/issued/{id}/revoke", "issued-one", MAY_REGISTER, true, page_issued_revoke, dress_issued_one,
     NULL, reason_form, "Request", "Ask for a certificate to be revoked, held or released"},
    {"POST", "/issued/{id}/renew", "issued-one", MAY_REGISTER, ROUTE_API | ROUTE_FILES, page_issued_renew,
     dress_issued_one, NULL, csr_form, "Request", "Ask for the successor of a certificate"},
    {"GET", "/devices/{id}/certificate", "device-certificate", MAY_REGISTER, false, page_device_certificate,
     dress_device_certificate, NULL, NULL, NULL, NULL},
    {"POST", "/devices/{id}/certificate", "device-certificate", MAY_REGISTER, ROUTE_API | ROUTE_FILES,
     page_device_certificate_ask, dress_device_certificate, NULL, device_certificate_form, "Request",
     "Ask for a device's next certificate, for all the names that the fleet knows of it"},
    {"GET", "/cases", "cases", MAY_CASE, true, page_cases, dress_cases, NULL, case_query, "CaseList",
     "The CSIRT's queue, in the order in which to work"},
    {"POST", "/cases", "case-new", MAY_CASE, true, page_case_open, dress_case_new, NULL, case_form,
     "CaseDetail", "Open a case: after a call, from a partner's word, from a finding"},
    {"GET", "/cases/changes", NULL, MAY_CASE, true, page_case_changes, NULL, NULL, NULL, "Changes",
     "A number that grows with each change of any case"},
    {"GET", "/cases/{id}", "case", MAY_CASE, true, page_case, dress_case, NULL, NULL, "CaseDetail",
     "A case and all that is known of it"},
    {"GET", "/cases/{id}/changes", NULL, MAY_CASE, true, page_case_changes, NULL, NULL, NULL, "Changes",
     "A number that grows with each change of the case"},
    {"GET", "/cases/new", "case-new", MAY_CASE, false, page_case_new, dress_case_new, NULL, NULL, NULL, NULL},
    {"GET", "/cases/tasks", "case-tasks", MAY_CASE, true, page_case_tasks, dress_case_tasks, NULL, NULL,
     "CaseTasks", "What is to be done in all cases, the first due first"},
    {"GET", "/cases/load", "case-load", MAY_CASE, true, page_case_load, dress_case_load, NULL, NULL,
     "CaseLoad", "How much there is to do, and who does it"},
    {"GET", "/cases/report", "case-report", MAY_CASE, true, page_case_report, dress_case_report, NULL,
     year_query, "CaseReport", "A year in counts from which nobody is recognised"},
    {"GET", "/cases/report.pdf", NULL, MAY_CASE, false, NULL, NULL, page_case_report_pdf, NULL, NULL, NULL},
    {"GET", "/cases/report.csv", NULL, MAY_CASE, false, NULL, NULL, page_case_report_csv, NULL, NULL, NULL},
    {"GET", "/cases/{id}/review.pdf", NULL, MAY_CASE, false, NULL, NULL, page_case_review, NULL, NULL, NULL},
    {"GET", "/cases/handover", "case-handover", MAY_CASE, true, page_case_handover, dress_case_handover, NULL,
     NULL, "Handover", "The notes of the last shifts, and the moment as it is"},
    {"POST", "/cases/handover", "case-handover", MAY_CASE, true, page_case_handover_add, dress_case_handover,
     NULL, text_form, "Handover", "Hand over to the next shift"},
    {"POST", "/cases/handover/{id}/read", NULL, MAY_CASE, true, page_case_handover_read, NULL, NULL, NULL,
     "Handover", "Say that a note was read"},
#define WORK(path, function, form, summary)                                                                  \
    {"POST", "/cases/{id}/" path, "case", MAY_CASE, true, function, dress_case, NULL,                        \
     form,   "CaseDetail",        summary},
    WORK("take", page_case_take, NULL, "Become the analyst of a case")
        WORK("change", page_case_change, case_change_form, "Change what is known of a case")
            WORK("move", page_case_move, case_move_form, "Lead a case to its next state")
                WORK("override", page_case_override, case_override_form,
                     "Set a case's priority by hand; band 0 gives it back to the rules")
                    WORK("event", page_case_event, case_event_form,
                         "Say when something was done that stops a clock of the law")
                        WORK("note", page_case_note, text_form, "Add a note to the timeline") WORK(
                            "merge", page_case_merge, case_merge_form, "Take another case into this one")
                            WORK("split", page_case_split, case_split_form,
                                 "Make a case of its own from some messages ")
                                WORK("link", page_case_link, case_link_form,
                                     "Link a device, an endpoint, a finding or another case")
                                    WORK("unlink", page_case_unlink, case_link_form, "Remove a link") WORK(
                                        "access", page_case_access, case_access_form,
                                        "Let an account read a restricted case, or not any more")
                                        WORK("consent", page_case_consent, case_consent_form,
                                             "Record the owner's consent that something is shared")
                                            WORK("consent/withdraw", page_case_withdraw, case_withdraw_form,
                                                 "Record that a consent was withdrawn")
                                                WORK("party", page_case_party, case_party_form,
                                                     "Add a party, or change one, and the part of the case "
                                                     "that it sees")
                                                    WORK("task", page_case_task, case_task_form, "Add a task")
                                                        WORK("task/done", page_case_task_done, case_done_form,
                                                             "Say that a task is done, and what came of it")
#undef WORK
                                                            {"GET", "/cases/{id}/write", "case-write",
                                                             MAY_CASE, false, page_case, dress_case_write,
                                                             NULL, NULL, NULL, NULL},
    {"POST", "/cases/{id}/write", "case-write", MAY_CASE, true, page_case_write, dress_case_write, NULL,
     case_write_form, "CaseDetail", "Write to a party; do: look (what would leave, in \"preview\") or send"},
    {"GET", "/cases/{id}/escalate", "case-escalate", MAY_CASE, true, page_case_escalation,
     dress_case_escalation, NULL, case_partner_query, "CaseEscalation", "What a partner would see if told"},
    {"POST", "/cases/{id}/escalate", "case", MAY_CASE, true, page_case_escalate, dress_case, NULL,
     case_escalate_form, "CaseDetail", "Confirm (decision: confirm) or decline to tell a partner"},
    {"GET", "/cases/{id}/notify", "case-notify", MAY_CASE, true, page_case_notify, dress_case_notify, NULL,
     NULL, "CaseNotify", "Verification, contacts, notices and follow-up of a case"},
#define NOTIFY(path, function, form, summary)                                                                \
    {"POST", "/cases/{id}/" path, "case-notify", MAY_CASE, true, function, dress_case_notify, NULL,          \
     form,   "CaseNotify",        summary},
    NOTIFY("verify", page_case_verify, case_verify_form,
           "Record a verification: by a finding, or by a check that is described")
        NOTIFY("contacts/search", page_case_contacts_search, case_search_form,
               "Ask for a search for contacts") NOTIFY("contacts", page_case_contact, case_contact_form,
                                                       "Add a contact, or change one")
            NOTIFY("contacts/decide", page_case_contact_decide, case_decide_form,
                   "Say that a contact is theirs, or not to be used")
                NOTIFY("notices", page_case_notice, case_notice_form, "Draft a notice ")
                    NOTIFY("parts", page_case_part, case_part_form, "Draft what a party is told of its part")
                        NOTIFY("notices/change", page_case_notice_change, case_notice_change_form,
                               "Change a draft")
                            NOTIFY("notices/confirm", page_case_notice_confirm, case_notice_reason_form,
                                   "Confirm a draft: it is sent")
                                NOTIFY("notices/withdraw", page_case_notice_withdraw, case_notice_reason_form,
                                       "Withdraw a notice")
                                    NOTIFY("notices/outcome", page_case_notice_outcome,
                                           case_notice_outcome_form, "Say what came of a call")
                                        NOTIFY("notices/code", page_case_notice_code, case_notice_code_form,
                                               "Make a new code, to be said on the phone")
                                            NOTIFY("follow", page_case_follow, case_follow_form,
                                                   "Examine again every so many days; 0: no more")
#undef NOTIFY
                                                {"GET", "/cases/{id}/call", "case-call", MAY_CASE, false,
                                                 page_case, dress_case_call, NULL, NULL, NULL, NULL},
    {"POST", "/cases/{id}/call", "case-call", MAY_CASE, true, page_case_call, dress_case_call, NULL,
     case_call_form, "CaseDetail", "Record what was said on the phone"},
    {"POST", "/cases/{id}/artefact", "case", MAY_CASE, ROUTE_FILES, page_case_artefact_add, dress_case, NULL,
     NULL, NULL, NULL},
    {"GET", "/cases/{id}/source", NULL, MAY_HEAD, false, NULL, NULL, page_case_source, NULL, NULL, NULL},
    {"GET", "/cases/artefacts/{id}", NULL, MAY_CASE, false, NULL, NULL, page_case_artefact, NULL, NULL, NULL},
    {"GET", "/cases/{id}/qualify", "case-qualify", MAY_CASE, false, page_case, dress_case_qualify, NULL, NULL,
     NULL, NULL},
    {"POST", "/cases/{id}/qualify", "case-qualify", MAY_CASE, false, page_case_qualify, dress_case_qualify,
     NULL, NULL, NULL, NULL},
    {"GET", "/cases/{id}/ssvc", "case-ssvc", MAY_CASE, false, page_case, dress_case_ssvc, NULL, NULL, NULL,
     NULL},
    {"GET", "/cases/{id}/cvss", "case-cvss", MAY_CASE, false, page_case, dress_case_cvss, NULL, NULL, NULL,
     NULL},
    {"POST", "/cases/{id}/judge", "case", MAY_CASE, false, page_case_judge, dress_case, NULL, NULL, NULL,
     NULL},
    {"GET", "/glossary", "glossary", MAY_READ, true, page_glossary, NULL, NULL, NULL, "Glossary",
     "The glossary"},
    {"GET", "/audit", "audit", MAY_AUDIT, true, page_audit, dress_plain_list, NULL, page_query, "AuditList",
     "Who did what, newest first"},
    {"GET", "/accounts", "accounts", MAY_ACCOUNTS, true, page_accounts, dress_accounts, NULL, NULL,
     "UserList", "Who may come in"},
    {"POST", "/accounts", "account-made", MAY_ACCOUNTS, true, page_account_add, dress_account_made, NULL,
     account_form, "User", "Make an account; its password is in this answer alone"},
    {"GET", "/accounts/new", "account-new", MAY_ACCOUNTS, false, page_account_new, dress_account_new, NULL,
     NULL, NULL, NULL},
    {"GET", "/accounts/{id}", "account-one", MAY_ACCOUNTS, true, page_account_one, dress_account_one, NULL,
     NULL, "User", "An account, with its sessions, tokens and roles"},
#define ACCOUNT(path, function, form, summary)                                                               \
    {                                                                                                        \
        "POST", "/accounts/{id}/" path, "account-one", MAY_ACCOUNTS, true, function, dress_account_one,      \
            NULL, form, "User", summary                                                                      \
    }
    ACCOUNT("role", page_account_role, role_form,
            "Change role and organisation; the last administrator stays"),
    ACCOUNT("disable", page_account_disable, NULL, "Disable an account: its sessions end, its tokens sleep"),
    ACCOUNT("enable", page_account_enable, NULL, "Let a disabled account in again"),
    ACCOUNT("password", page_account_password, NULL, "Make a new password; it is in this answer alone"),
    ACCOUNT("sessions/end", page_account_sessions_end, session_form, "End a session, or all"),
    ACCOUNT("tokens/remove", page_account_token_remove, token_form, "Remove a token"),
    ACCOUNT("grant", page_account_grant, grant_form, "Give a role in the registration of certificates"),
    ACCOUNT("withdraw", page_account_withdraw, grant_form, "Take such a role back"),
#undef ACCOUNT
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
    {"POST", "/declarations", "declaration", MAY_PUBLIC, ROUTE_API | ROUTE_FILES, page_declaration,
     dress_declaration, NULL, declaration_form, "Acknowledgement",
     "Declare an incident, report, or ask: durable before it is answered"},
    {"GET", "/receipt", "receipt", MAY_PUBLIC, true, page_receipt_form, dress_receipt, NULL, NULL, "Receipt",
     "What the receipt's holder may see; ticket number and code as Basic credentials"},
    {"POST", "/receipt", "receipt", MAY_PUBLIC, ROUTE_API | ROUTE_FILES, page_receipt, dress_receipt, NULL,
     receipt_form, "Receipt", "Add a message; ticket number and code as Basic credentials"},
    {"GET", "/verify", "verify", MAY_PUBLIC, false, page_verify_form, dress_verify, NULL, NULL, NULL, NULL},
    {"POST", "/verify", "verify", MAY_PUBLIC, false, page_verify, dress_verify, NULL, NULL, NULL, NULL},
    {"GET", "/notice", "notice", MAY_PUBLIC, false, page_notice_form, dress_notice, NULL, NULL, NULL, NULL},
    {"POST", "/notice", "notice", MAY_PUBLIC, false, page_notice, dress_notice, NULL, NULL, NULL, NULL},

    {"GET", "/login", "login", MAY_NOTHING, false, page_login_form, NULL, NULL, NULL, NULL, NULL},
    {"POST", "/login", "login", MAY_NOTHING, false, page_login, NULL, NULL, NULL, NULL, NULL},
    {"POST", "/login/certificate", "login", MAY_NOTHING, false, page_login_certificate, NULL, NULL, NULL,
     NULL, NULL},
    {"POST", "/logout", NULL, MAY_READ, false, page_logout, NULL, NULL, NULL, NULL, NULL},
    {"POST", "/account/language", NULL, MAY_READ, false, page_language, NULL, NULL, NULL, NULL, NULL},
    {"POST", "/account/password", "account", MAY_READ, false, page_password, dress_account, NULL, NULL, NULL,
     NULL},
    {"POST", "/account/sessions/end", NULL, MAY_READ, false, page_sessions_end, NULL, NULL, NULL, NULL, NULL},
    {"POST", "/account/tokens", "account", MAY_READ, false, page_token_add, dress_account, NULL, NULL, NULL,
     NULL},
    {"POST", "/account/tokens/{id}/remove", NULL, MAY_READ, false, page_token_remove, NULL, NULL, NULL, NULL,
     NULL},

    {"GET", "/calendar.ics", NULL, MAY_CALENDAR, false, NULL, NULL, feed_calendar, NULL, NULL, NULL},
    {"GET", "/metrics", NULL, MAY_METRICS, false, NULL, NULL, feed_metrics, NULL, NULL, NULL},
    {"GET", "/pki/ocsp/{rest}", NULL, MAY_NOTHING, false, NULL, NULL, feed_ocsp_get, NULL, NULL, NULL},
    {"POST", "/pki/ocsp", NULL, MAY_NOTHING, false, NULL, NULL, feed_ocsp_post, NULL, NULL, NULL},
    {"GET", "/pki/policy/{rest}", NULL, MAY_PUBLIC, false, NULL, NULL, feed_policy, NULL, NULL, NULL},
    {"GET", "/pki/{rest}", NULL, MAY_NOTHING, false, NULL, NULL, feed_published, NULL, NULL, NULL},
    {"GET", "/.well-known/est/{rest}", NULL, MAY_PUBLIC, false, NULL, NULL, feed_est_get, NULL, NULL, NULL},
    {"POST", "/.well-known/est/{rest}", NULL, MAY_PUBLIC, false, NULL, NULL, feed_est_post, NULL, NULL, NULL},
    {"POST", "/.well-known/cmp", NULL, MAY_PUBLIC, false, NULL, NULL, feed_cmp, NULL, NULL, NULL},
    {"POST", "/.well-known/cmp/{rest}", NULL, MAY_PUBLIC, false, NULL, NULL, feed_cmp, NULL, NULL, NULL},
    {"GET", "/scep", NULL, MAY_PUBLIC, false, NULL, NULL, feed_scep_get, NULL, NULL, NULL},
    {"POST", "/scep", NULL, MAY_PUBLIC, false, NULL, NULL, feed_scep_post, NULL, NULL, NULL},
    {"GET", "/acme/{rest}", NULL, MAY_PUBLIC, false, NULL, NULL, feed_acme_get, NULL, NULL, NULL},
    {"POST", "/acme/{rest}", NULL, MAY_PUBLIC, false, NULL, NULL, feed_acme_post, NULL, NULL, NULL},
    {"GET", "/healthz", NULL, MAY_NOTHING, false, NULL, NULL, feed_health, NULL, NULL, NULL},
    {"GET", "/api/openapi.json", NULL, MAY_NOTHING, false, NULL, NULL, feed_openapi, NULL, NULL, NULL},
    {"GET", "/style.css", NULL, MAY_NOTHING, false, NULL, NULL, feed_asset, NULL, NULL, NULL},
    {"GET", "/script.js", NULL, MAY_NOTHING, false, NULL, NULL, feed_asset, NULL, NULL, NULL},
    {"GET", "/icon.svg", NULL, MAY_NOTHING, false, NULL, NULL, feed_asset, NULL, NULL, NULL},
    {NULL, NULL, NULL, MAY_NOTHING, false, NULL, NULL, NULL, NULL, NULL, NULL},
};
