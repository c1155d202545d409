/* Telling who is concerned, in confidence, and following it up until it is mended.
 *
 * Part of the public header csirt/csirt.h. First what strangers publish of how they want to be told: security.txt, pages,
 * RDAP, whois; parsers of hostile bytes, pure, which read what can be read and say what is wrong with the rest. */
#pragma once

#include "base/base.h"

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
 *     "unknown": [ { "name", "value" } ], "signed": an OpenPGP cleartext signature is around it, not verified here,
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
