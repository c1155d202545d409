/* profile: what a certificate of a kind is, as data: knowledge/profiles/NAME.json. */
#pragma once

#include "pki/pki.h"

enum { PROFILE_PARTS_MAX = 16, PROFILE_EXTENSIONS_MAX = 16, PROFILE_BYTES_MAX = 1 << 16 };

typedef enum { VALUE_INTEGER, VALUE_OCTETS, VALUE_PRINTABLE, VALUE_UTF8_LIST, VALUE_TYPES } ValueType;

typedef struct {
    char *name;
    bool optional, from_names; /* from_names: the first DNS name, where it is not given */
    GRegex *pattern;           /* or NULL */
    char *check;               /* "rpps" "adeli" "finess" "siret", or NULL */
} ProfileField;

/* One who validates, where each field of `when` has a value of its pattern. */
typedef struct {
    char *role;
    GHashTable *when; /* of fields, GRegex */
} ProfileValidator;

typedef struct {
    char *attribute, *value; /* value with {field} */
    bool joined;
} ProfilePart;

typedef struct {
    char *oid;
    bool critical;
    ValueType type;
    char *value; /* with {field}; octets in hexadecimal; a list's members between ',' */
} ProfileExtension;

typedef struct {
    char *name;
    json_t *title;
    GPtrArray *fields; /* ProfileField */
    ProfilePart parts[PROFILE_PARTS_MAX];
    size_t part_count;
    ProfileExtension extensions[PROFILE_EXTENSIONS_MAX];
    size_t extension_count;
    uint16_t key_usage, key_usage_rsa,
        key_usage_ec; /* bit 0 is 0x8000; the last two in addition, by type of key */
    char **purposes;  /* OIDs */
    char **names;     /* of "dns" "ip" "email": the kinds it may carry */
    bool names_required;
    char **curves;              /* "P-256" "P-384" "P-521" */
    unsigned rsa_min, rsa_max;  /* 0: no RSA */
    int days, private_key_days; /* private_key_days 0: no privateKeyUsagePeriod */
    bool hold, no_check;
    bool directory;        /* its certificates stand in the directory */
    bool server_key;       /* its keys may be made by us, for clients that cannot (EST's serverkeygen) */
    bool dual;             /* who asks does not validate */
    GPtrArray *validators; /* ProfileValidator */
    char **one_of;         /* fields of which exactly one is given; or NULL */
    char **waivers;
} Profile;

void profile_free(Profile *profile);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Profile, profile_free)
/* `text` is the file, `name` what it is called. INVALID says which member. */
Profile *profile_parse(const char *text, size_t size, const char *name, GError **error);
/* Names of those whose certificates stand in the directory. Free with g_strfreev. */
char **profile_in_directory(const VigieProfiles *profiles);
/* The roles that validate what is asked for with these fields; NULL: all. NULL-terminated, owned. */
GPtrArray *profile_validators(const Profile *profile, const json_t *fields);
const Profile *profile_find(const VigieProfiles *profiles, const char *name);

/* RPPS (11 digits), FINESS (9), SIRET (14), by their check digits; ADELI (9) by its form. NULL where well. */
const char *identifier_fault(const char *check, const char *text);
bool identifier_known(const char *check);
