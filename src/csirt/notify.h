/* Telling who is concerned, in confidence, and following it up until it is mended.
 *
 * Part of the public header csirt/csirt.h. First what strangers publish of how they want to be told: security.txt, pages,
 * RDAP, whois; parsers of hostile bytes, pure, which read what can be read and say what is wrong with the rest. */
#pragma once

#include "csirt/csirt.h"
#include "mail/mail.h"

/* ---- What strangers publish --------------------------------------------------------------------------------
 * A contact found, wherever it was: { "kind": mail phone page, "value", … }; an address as SMTP carries it, a number as digits
 * with its "+", where one is given. A problem: { "id", "severity": info warning error, "line": or null, "value": or null, "text": { "fr", "en" } }. */

typedef struct {
    const char *asked; /* the address that was asked for; NULL: as `url` */
    const char *url;   /* the address that answered, after redirections; NULL: not known, and not judged */
    const char *type;  /* its Content-Type; NULL: not known */
} VigieTextSource;

/* security.txt, RFC 9116; 32 KiB are read (5.4):
 *   { "contacts": [ { "kind", "value", "uri" } ] the site's order of preference, "encryption": [ uri ], "expires": time or null,
 *     "canonical", "policy", "acknowledgments", "hiring", "csaf", "bug_bounty": [ uri ], "languages": [ tag ],
 *     "unknown": [ { "name", "value" } ], "signed": an OpenPGP cleartext signature is around it (csirt_contacts_get's has "signatures": as mail/read.h, once verified),
 *     "problems", "usable": it names a contact and nothing is an error } */
json_t *csirt_security_txt_parse(VigieBytes text, const VigieTextSource *source, VigieTime now);

/* An answer of an RDAP server (RFC 9083; entities with their jCard, RFC 7095), 512 KiB at most:
 *   { "class": domain ip-network autnum entity, "handle", "name",
 *     "contacts": [ { "kind", "value", "name": or null, "roles": [ abuse technical … ], "of": [ roles of the entities around it ] } ],
 *     "related": the address of the registrar's own answer, or null }
 * INVALID where it is not one. */
json_t *csirt_rdap_parse(VigieBytes json, GError **error);

/* A whois server's answer (RFC 3912), of the forms that AFNIC, the RIPE NCC, ARIN and the generic domains' registries write; 256
 * KiB are read: { "contacts": as above, "refer": the server that knows more, or null } */
json_t *csirt_whois_parse(VigieBytes text);

/* A page that people read, 1 MiB at most of HTML in UTF-8 or Windows-1252:
 *   { "contacts": [ { "kind", "value", "context": the words around it, "hidden": written so that programs do not see it,
 *                     "security": it or its context speaks of security } ],
 *     "links": [ { "url": absolute, "text" } ] } 200 of each at most. `url`: where the page is. */
json_t *csirt_page_parse(VigieBytes html, const char *url, GError **error);

/* ---- Asking --------------------------------------------------------------------------------------------------
 * What is fetched is fetched over HTTPS first, from public addresses alone (csirt.lookup_private: from private ones, too), without
 * cookies, in bounded time and size; redirections are followed three times, to the same registrable domain and never from
 * HTTPS to HTTP. Nobody is told on whose behalf or why. From the configuration: csirt.lookup_private, csirt.lookup_timeout,
 * csirt.rdap, csirt.whois, trust.roots, trust.system. Blocks: for a worker. */
typedef struct VigieLookup VigieLookup;
VigieLookup *csirt_lookup_new(const VigieConfig *config, GError **error);
void csirt_lookup_free(VigieLookup *lookup);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VigieLookup, csirt_lookup_free)

/* "chu.test", "chu.test:8443", "192.0.2.1": asks, in this order, security.txt, contact and legal pages, RDAP, whois. `stop` (may be
 * NULL): not 0 ends it early. INVALID for a name that cannot be one; what does not answer is a step's outcome.
 *   { "domain", "steps": [ { "source", "url", "outcome": found nothing refused unreachable, "why": in English or null, "found": n } ],
 *     "security_txt": as above or null, "contacts": [ { "kind", "value", "name", "source": security-txt contact-page legal-page rdap whois,
 *     "place": url, "confidence": 0 to 100, "details": { roles, of, context, hidden, security … } } ], best first,
 *     "keys": [ { "uri", "data": what is there, in base64, or null } ] } */
json_t *csirt_lookup_domain(VigieLookup *lookup, const char *domain, VigieTime now, const volatile int *stop,
                            GError **error);

/* ---- The worker's part --------------------------------------------------------------------------------------
 * Jobs; each function does one and leaves its end to the caller. */
#define CSIRT_JOB_CONTACTS                                                                                   \
    "csirt-contacts" /* { "case", "domain" }: asks strangers, keeps what they say; blocks */
#define CSIRT_JOB_NOTICE "csirt-notice" /* { "notice" }: sends what is to be sent of a notice now */
#define CSIRT_JOB_FOLLOW                                                                                     \
    "csirt-follow" /* no payload, every few minutes: what is due of ladders and re-checks */

/* What the worker has to write with. */
typedef struct {
    const VigieConfig *config;
    const VigieTeam *team;
    VigieMailCell *cell; /* NULL: nothing is signed, and nothing that must be encrypted is sent */
} VigieNotifier;

bool csirt_contacts_work(VigieStore *store, const VigieNotifier *notifier, VigieLookup *lookup,
                         const json_t *payload, const volatile int *stop, VigieTime (*clock)(void),
                         GError **error);
bool csirt_notice_work(VigieStore *store, const VigieNotifier *notifier, const json_t *payload, VigieTime now,
                       GError **error);
/* Makes the anchor of the day, and sends it to csirt.anchor_mail, signed where the team signs. */
#define CSIRT_JOB_ANCHOR "case-anchor" /* no payload */
bool csirt_anchor_work(VigieStore *store, const VigieNotifier *notifier, VigieTime now, GError **error);
bool csirt_follow_work(VigieStore *store, const VigieNotifier *notifier, VigieTime now, GError **error);

/* ---- Contacts ------------------------------------------------------------------------------------------------
 * Held for an organisation or a domain, for all its cases. Best first: what a person confirmed, the fleet's, security.txt, pages,
 * RDAP, whois; those that bounced go down, those rejected come last.
 *   { "case", "domain": or null, "lookup": { "state": none waiting done, "domain", "requested", "finished", "steps", "security_txt" },
 *     "contacts": [ { "id", "kind": mail phone page private, "value", "name", "language", "source": person fleet security-txt …, "place",
 *       "confidence", "details", "found", "seen": last found again, "confirmed", "confirmed_by", "rejected": time or null, "bounces",
 *       "bounced", "fingerprint": of the key that it is written to with, or null } ],
 *     "keys": [ { "fingerprint": or null, "uri", "domain", "state": as mail/keys.h's health, or missing, "problems", "expires",
 *       "checked" } ] that the domain's security.txt names */
json_t *csirt_contacts_get(VigieStore *store, const VigieAnalyst *who, int64_t case_id, VigieTime now,
                           GError **error);
/* Asks for a search. `domain` NULL: that of the endpoint or device linked to the case; NOT_FOUND where there is none. */
bool csirt_contacts_request(VigieStore *store, const VigieAnalyst *who, int64_t case_id, const char *domain,
                            VigieTime now, GError **error);
/* { "kind", "value", "name", "language", "fingerprint" }; `contact` 0: a new one, which counts as confirmed. */
bool csirt_contact_save(VigieStore *store, const VigieAnalyst *who, int64_t case_id, int64_t contact,
                        const json_t *fields, VigieTime now, int64_t *ret_id, GError **error);
/* A person's word: it is theirs, or it is not to be used. */
bool csirt_contact_decide(VigieStore *store, const VigieAnalyst *who, int64_t case_id, int64_t contact,
                          bool good, VigieTime now, GError **error);

/* ---- Verification --------------------------------------------------------------------------------------------
 * Nobody is told of a vulnerability that nobody has seen. { "kind": finding (of the fleet: "ref" its id) or check (named in "method":
 * what was done, and what it showed), "ref", "outcome": present absent undecided, "method" }. The outcome of a finding is its state. */
bool csirt_verification_add(VigieStore *store, const VigieTeam *team, const VigieAnalyst *who,
                            int64_t case_id, const json_t *fields, VigieTime now, int64_t *ret_id,
                            GError **error);
/* [ { "id", "kind", "ref", "outcome", "method", "evidence", "target", "author", "time" } ], newest first. */
json_t *csirt_verification_list(VigieStore *store, const VigieAnalyst *who, int64_t case_id, GError **error);

/* ---- Notices -------------------------------------------------------------------------------------------------
 * One thing told to one recipient, on a ladder: mail, then a call, then a private message, each as often as
 * knowledge/csirt/ladder.json says. It is drafted, confirmed by a person, sent by the worker; every step is in the timeline.
 *   { "id", "case": { "id", "reference" }, "kind": notice escalation feedback, "party", "recipient": { "name", "language", "partner" },
 *     "state": draft ready (confirmed, to be sent) waiting (told; an answer is awaited) answered silent (the ladder is at its end)
 *              blocked ("why": { "fr", "en" }) withdrawn,
 *     "subject", "body": without code and link, which are made when it is sent, "tlp", "expected": feedback acknowledgement, "answer_by",
 *     "ladder": [ { "rung": mail call private, "contact": id, "value", "state": done now next skipped, "tries" } ],
 *     "protection": { "signed", "encrypted_to": [ fingerprint ], "content_free" } or null, "sent", "next": when the ladder goes on,
 *     "answered", "created", "author", "confirmed", "confirmed_by" } */
/* What still stands in the way: [ { "id", "text": { "fr", "en" }, "override": the head may go on with a reason } ], empty: nothing. */
json_t *csirt_notice_obstacles(VigieStore *store, const VigieAnalyst *who, int64_t case_id, GError **error);
/* { "contacts": [ ids ] in the order to be tried (NULL: as found), "name", "language": fr en both (NULL: as known), "expected",
 *   "working_days": until an answer is expected } */
bool csirt_notice_draft(VigieStore *store, const VigieConfig *config, const VigieTeam *team,
                        const VigieAnalyst *who, int64_t case_id, const json_t *fields, VigieTime now,
                        int64_t *ret_id, GError **error);
/* A partner (csirt_escalation_settle made it a party), a third party, or the declarant is told its part alone: { "observed": what to say besides, "expected" }. */
bool csirt_part_draft(VigieStore *store, const VigieConfig *config, const VigieTeam *team,
                      const VigieAnalyst *who, int64_t case_id, int64_t party, const json_t *fields,
                      VigieTime now, int64_t *ret_id, GError **error);
json_t *csirt_notice_list(VigieStore *store, const VigieAnalyst *who, int64_t case_id, VigieTime now,
                          GError **error);
json_t *csirt_notice_get(VigieStore *store, const VigieAnalyst *who, int64_t notice, VigieTime now,
                         GError **error);
/* "subject", "body", "contacts", "expected", "answer_by" of a draft. */
bool csirt_notice_change(VigieStore *store, const VigieAnalyst *who, int64_t notice, const json_t *fields,
                         VigieTime now, GError **error);
/* CONFLICT with the obstacles in words; `reason`: the head's, to go on all the same. */
bool csirt_notice_confirm(VigieStore *store, const VigieAnalyst *who, int64_t notice, const char *reason,
                          VigieTime now, GError **error);
bool csirt_notice_withdraw(VigieStore *store, const VigieAnalyst *who, int64_t notice, const char *reason,
                           VigieTime now, GError **error);
/* What came of a call or a private message, or that an answer came: outcome reached (they know), answered, no-answer, wrong-number. */
bool csirt_notice_outcome(VigieStore *store, const VigieAnalyst *who, int64_t notice, const char *outcome,
                          const char *note, VigieTime now, GError **error);
/* What inbound mail tells, by the Message-ID that we gave: an answer came; it could not be delivered (the ladder goes on). False without an error:
 * it is none of ours. */
bool csirt_notice_replied(VigieStore *store, const char *message_id, VigieTime now, GError **error);
bool csirt_notice_bounced(VigieStore *store, const char *message_id, const char *why, VigieTime now,
                          GError **error);
/* The script of a call: who we are, how they can call back, what to say and what not. In the language. Free with g_free. */
char *csirt_notice_script(VigieStore *store, const VigieConfig *config, const VigieTeam *team,
                          const VigieAnalyst *who, int64_t notice, VigieLang lang, GError **error);
/* The code that opens a content-free notice's link: told by phone alone; each call makes a new one. Free with g_free. */
char *csirt_notice_code(VigieStore *store, const VigieAnalyst *who, int64_t notice, VigieTime now,
                        GError **error);
/* The page behind that link, for anyone who has both; DENIED, the same for whatever is wrong; after five wrong codes it stays closed
 * until a new one is made. { "reference", "tlp", "text", "team" }. */
json_t *csirt_notice_open(VigieStore *store, const VigieTeam *team, const char *link, const char *code,
                          VigieTime now, GError **error);

/* ---- Follow-up -----------------------------------------------------------------------------------------------
 * What was proven by a finding of the fleet is examined again until it is gone, and after.
 *   { "watching": bool, "every": days, "next", "checked", "findings": [ { "id", "kind", "target", "state", "last_seen", "mended",
 *     "reopenings" } ], "state": present gone returned unknown, "silent_days": since the last answer of who was told, or null,
 *     "text": { "fr", "en" } what can be said honestly } */
json_t *csirt_follow_get(VigieStore *store, const VigieAnalyst *who, int64_t case_id, VigieTime now,
                         GError **error);
/* `days` 0: no more. */
bool csirt_follow_set(VigieStore *store, const VigieAnalyst *who, int64_t case_id, int64_t days,
                      VigieTime now, GError **error);
