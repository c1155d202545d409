/* item: one request for a certificate on its way, checked against all that its profile and its authority ask. */
#pragma once

#include "pki/authority.h"
#include "pki/csr.h"
#include "pki/profile.h"
#include "x509/x509.h"

typedef struct {
    VigieStore *store;
    VigieAuthority *authority;
    const VigieProfiles *profiles;
    const char *who;
    VigieTime now;
} Issuance;

typedef struct {
    const VigieIssueRequest *wanted;
    const Profile *profile;
    Csr *request;
    GPtrArray *names;    /* that go into it; NULL-terminated, borrowed */
    GHashTable *values;  /* of the profile's fields */
    GByteArray *renewed; /* the certificate whose names it takes over, or NULL */
    GPtrArray *kept;     /* the names of that one */
    size_t shard;
    VigieCertificate *certificate; /* once it is signed */
} Item;

/* All but who the people are. False with the reason; `item` begins zeroed and wants item_clear in any case. */
bool item_check(const Issuance *issuance, const VigieIssueRequest *wanted, Item *item, GError **error);
/* Who asks, who validates and who issues are three, where the profile wants it. */
bool item_check_people(const Issuance *issuance, const Item *item, GError **error);
void item_clear(Item *item);
/* The fields alone, before there is a request. */
bool item_check_fields(const Profile *profile, const json_t *fields, GError **error);
/* The key, and one name, as the profile wants them; DENIED. */
bool item_check_key(const Profile *profile, const Csr *request, GError **error);
bool item_check_name(const Profile *profile, const char *name, GError **error);
/* A field's value, checked; NULL without an error: it is not given and need not be. */
const char *item_field_value(const Item *item, const ProfileField *field, GError **error);
/* All of them by field; NULL where one is at fault. Free with g_hash_table_unref. */
GHashTable *item_values(const Item *item, GError **error);
/* "dns:…", "ip:…" or "email:…"; NULL for a name of another kind. Free with g_free. */
char *item_name_of(const VigieAlternativeName *name);
/* A template of the profile filled; NULL where a field of it is not given. Free with g_free. */
char *item_fill(const Item *item, const char *template);
/* Is it, or is it below, one of `permitted` of its kind (RFC 5280 4.2.1.10)? Where none is of its kind: `otherwise`. */
bool item_name_permitted(const json_t *permitted, const char *name, bool otherwise);
