/* pages: what the rows of the router's table call. */
#pragma once

#include "portal/router.h"

#define RESOURCE(name) json_t *name(Request *request, GError **error)
#define DRESS(name) bool name(Request *request, json_t *view, GError **error)
#define RAW(name) bool name(Request *request, GError **error)

/* page-fleet.c */
RESOURCE(page_overview);
RESOURCE(page_devices);
RESOURCE(page_device);
RESOURCE(page_endpoints);
RESOURCE(page_endpoint);
RESOURCE(page_findings);
RESOURCE(page_finding);
RESOURCE(page_acknowledge);
RESOURCE(page_certificates);
RESOURCE(page_certificate);
RESOURCE(page_organisations);
RESOURCE(page_organisation);
RESOURCE(page_search);
RESOURCE(page_alarms);
RESOURCE(page_events);
/* Fills a filter from the query, confined to the reader's organisation. */
bool page_filter(const Request *request, VigieFleetFilter *ret_filter, GError **error);

/* page-list.c: the columns that sort, the form that filters, the pager. */
DRESS(dress_devices);
DRESS(dress_endpoints);
DRESS(dress_findings);
DRESS(dress_certificates);
DRESS(dress_plain_list);
/* What the form that filters needs. `filters` (owned by the view from here on): [ { "name", "label", "options" } ]. */
void page_narrow(const Request *request, json_t *view, json_t *filters);

/* page-dashboard.c, page-device.c */
DRESS(dress_overview);
DRESS(dress_device);
DRESS(dress_endpoint);
DRESS(dress_finding);
DRESS(dress_certificate);
DRESS(dress_organisation);

/* page-survey.c */
RESOURCE(page_surveys);
RESOURCE(page_survey);
RESOURCE(page_survey_request);
DRESS(dress_surveys);
DRESS(dress_survey);

/* page-keep.c */
RESOURCE(page_device_new);
RESOURCE(page_device_form);
RESOURCE(page_device_add);
RESOURCE(page_device_change);
RESOURCE(page_device_retire);
RESOURCE(page_device_return);
RESOURCE(page_endpoints_add);
RESOURCE(page_endpoint_form);
RESOURCE(page_endpoint_change);
RESOURCE(page_endpoint_remove);
DRESS(dress_device_form);
DRESS(dress_endpoint_form);

/* page-people.c */
RESOURCE(page_organisation_new);
RESOURCE(page_organisation_form);
RESOURCE(page_organisation_add);
RESOURCE(page_organisation_change);
RESOURCE(page_contact_new);
RESOURCE(page_contact_form);
RESOURCE(page_contact_add);
RESOURCE(page_contact_change);
RESOURCE(page_contact_remove);
DRESS(dress_organisation_form);
DRESS(dress_contact_form);

/* page-accounts.c */
RESOURCE(page_accounts);
RESOURCE(page_account_one);
RESOURCE(page_account_new);
RESOURCE(page_account_add);
RESOURCE(page_account_role);
RESOURCE(page_account_disable);
RESOURCE(page_account_enable);
RESOURCE(page_account_password);
RESOURCE(page_account_sessions_end);
RESOURCE(page_account_token_remove);
RESOURCE(page_account_grant);
RESOURCE(page_account_withdraw);
DRESS(dress_accounts);
DRESS(dress_account_one);
DRESS(dress_account_new);
DRESS(dress_account_made);

/* page-import.c */
RESOURCE(page_imports);
RESOURCE(page_import);
RESOURCE(page_import_send);
RESOURCE(page_import_columns);
RESOURCE(page_import_confirm);
RAW(file_import_refused);
RAW(file_devices);
DRESS(dress_imports);
DRESS(dress_import);

/* page-account.c */
RESOURCE(page_login);
RESOURCE(page_login_form);
RESOURCE(page_login_certificate);
RESOURCE(page_logout);
RESOURCE(page_account);
RESOURCE(page_language);
RESOURCE(page_password);
RESOURCE(page_sessions_end);
RESOURCE(page_token_add);
RESOURCE(page_token_remove);
RESOURCE(page_audit);
DRESS(dress_account);

/* page-declare.c, page-receipt.c, page-notice.c: for anyone, without an account */
RESOURCE(page_declare);
RESOURCE(page_declare_form);
RESOURCE(page_declaration);
RESOURCE(page_draft_form);
RESOURCE(page_draft);
RESOURCE(page_receipt_form);
RESOURCE(page_receipt);
RESOURCE(page_verify_form);
RESOURCE(page_verify);
RESOURCE(page_notice_form);
RESOURCE(page_notice);
DRESS(dress_declare);
DRESS(dress_declaration);
DRESS(dress_receipt);
DRESS(dress_verify);
DRESS(dress_notice);

/* page-case*.c: the CSIRT's desk */
RESOURCE(page_cases);
RESOURCE(page_case);
RESOURCE(page_case_changes);
RESOURCE(page_case_load);
RESOURCE(page_case_report);
RESOURCE(page_case_tasks);
RESOURCE(page_case_handover);
RESOURCE(page_case_new);
RESOURCE(page_case_open);
RESOURCE(page_case_take);
RESOURCE(page_case_change);
RESOURCE(page_case_move);
RESOURCE(page_case_override);
RESOURCE(page_case_note);
RESOURCE(page_case_party);
RESOURCE(page_case_artefact_add);
RESOURCE(page_case_merge);
RESOURCE(page_case_split);
RESOURCE(page_case_link);
RESOURCE(page_case_unlink);
RESOURCE(page_case_access);
RESOURCE(page_case_consent);
RESOURCE(page_case_withdraw);
RESOURCE(page_case_task);
RESOURCE(page_case_task_done);
RESOURCE(page_case_handover_add);
RESOURCE(page_case_handover_read);
RESOURCE(page_case_qualify);
RESOURCE(page_case_judge);
RESOURCE(page_case_event);
RESOURCE(page_case_escalation);
RESOURCE(page_case_escalate);
RESOURCE(page_case_write);
RESOURCE(page_case_call);
RESOURCE(page_case_verify);
RESOURCE(page_case_contacts_search);
RESOURCE(page_case_contact);
RESOURCE(page_case_contact_decide);
RESOURCE(page_case_notice);
RESOURCE(page_case_part);
RESOURCE(page_case_notice_change);
RESOURCE(page_case_notice_confirm);
RESOURCE(page_case_notice_withdraw);
RESOURCE(page_case_notice_outcome);
RESOURCE(page_case_notice_code);
RESOURCE(page_case_follow);
RESOURCE(page_case_notify);
DRESS(dress_case_notify);
DRESS(dress_cases);
DRESS(dress_case);
DRESS(dress_case_qualify);
DRESS(dress_case_ssvc);
DRESS(dress_case_cvss);
DRESS(dress_case_new);
DRESS(dress_case_escalation);
DRESS(dress_case_write);
DRESS(dress_case_call);
DRESS(dress_case_handover);
DRESS(dress_case_load);
DRESS(dress_case_report);
RAW(page_case_report_pdf);
RAW(page_case_report_csv);
RAW(page_case_review);
DRESS(dress_case_tasks);
RAW(page_case_artefact);
RAW(page_case_source);

/* feeds.c */
RESOURCE(page_glossary);
RAW(feed_calendar);
RAW(feed_metrics);
RAW(feed_health);
RAW(feed_openapi);
RAW(feed_asset);

/* page-request.c */
RESOURCE(page_requests);
RESOURCE(page_requests_queue);
RESOURCE(page_requests_decide);
RESOURCE(page_request);
RESOURCE(page_request_form);
RESOURCE(page_request_add);
RESOURCE(page_request_validate);
RESOURCE(page_request_refuse);
RESOURCE(page_request_evidence_add);
RESOURCE(page_request_key);
RAW(file_request_evidence);
RAW(file_request_certificate);
DRESS(dress_requests);
DRESS(dress_requests_queue);
DRESS(dress_request);
DRESS(dress_request_form);

/* page-enrolment.c */
RESOURCE(page_enrolments);
RESOURCE(page_enrolment_form);
RESOURCE(page_enrolment_add);
RESOURCE(page_enrolment_end);
DRESS(dress_enrolments);
DRESS(dress_enrolment_form);

/* page-issued.c */
RESOURCE(page_issued);
RESOURCE(page_issued_one);
RESOURCE(page_issued_revoke);
RESOURCE(page_issued_renew);
RESOURCE(page_device_certificate);
RESOURCE(page_device_certificate_ask);
DRESS(dress_issued);
DRESS(dress_issued_one);
DRESS(dress_device_certificate);

/* published.c */
Published *published_new(void);
void published_free(Published *published);
RAW(feed_published);
RAW(feed_policy); /* policy.c */
RAW(feed_ocsp_post);
RAW(feed_ocsp_get);

/* enrol-est.c */
RAW(feed_est_get);
RAW(feed_est_post);

/* enrol-message.c */
RAW(feed_cmp);
RAW(feed_scep_get);
RAW(feed_scep_post);

/* enrol-acme.c */
RAW(feed_acme_get);
RAW(feed_acme_post);

/* What of a record changed: [ { "label", "before", "after" } ] of { "location": { "before", "after" } }. */
json_t *page_changes(const Request *request, const json_t *changes);
/* "3 équipements": the word KEY.one or KEY.many with {n}. Free with g_free. */
char *page_count_text(const Request *request, const char *key, int64_t count);
