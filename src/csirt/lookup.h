/* What the parsers of published contacts share. */
#pragma once

#include "csirt/notify.h"
#include "mail/mail.h"

/* A telephone number as people write it, as "+33972439125" or "0972439125"; NULL where it is none. */
char *lookup_phone(const char *text);
/* Adds a contact once: the first of its kind and value stays, and takes what roles the second has. `contact` is taken. */
void lookup_add(json_t *contacts, json_t *contact);
/* knowledge/csirt/contacts.json, loaded once. Borrowed. */
const json_t *lookup_rules(GError **error);
/* A member of rules' "confidence". */
int64_t lookup_confidence(const char *source);
/* True where folded `text` has one of the words of rules' "security". */
bool lookup_speaks_of_security(const json_t *rules, const char *text);
/* The base address of the RDAP server for a domain or an address, NULL where none is known. `configured` is csirt.rdap. Free with g_free. */
char *lookup_rdap_base(const char *configured, const json_t *rules, const char *name, bool address);
/* The name as it is kept, "chu.test" or "chu.test:8443"; INVALID where it cannot be one. Free with g_free. */
char *csirt_domain_check(const char *text, GError **error);
enum { LOOKUP_CONTACTS_MAX = 200 };
