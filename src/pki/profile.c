/* profile.c: the strict reading of a profile. Every member is known, of its type and within bounds, or the file is refused. */
#include "pki/profile.h"
#include "pki/name.h"
#include "x509/x509.h"

#include <string.h>

enum { DAYS_MAX = 365 * 10, FIELDS_MAX = 24, LIST_MAX = 16 };

typedef struct {
    const char *name, *oid;
} Purpose;

/* clang-format off */
static const Purpose purposes[] = {
    {"serverAuth", "1.3.6.1.5.5.7.3.1"},
    {"clientAuth", "1.3.6.1.5.5.7.3.2"},
    {"cmcRA", "1.3.6.1.5.5.7.3.28"},
    {"codeSigning", "1.3.6.1.5.5.7.3.3"},
    {"emailProtection", "1.3.6.1.5.5.7.3.4"},
    {"timeStamping", "1.3.6.1.5.5.7.3.8"},
    {"OCSPSigning", "1.3.6.1.5.5.7.3.9"},
    {"smartcardLogon", "1.3.6.1.4.1.311.20.2.2"},
};

/* By bit of KeyUsage; those of an authority are not for profiles. */
static const char *const usages[] = {"digitalSignature", "contentCommitment", "keyEncipherment", "dataEncipherment", "keyAgreement"};
static const char *const value_types[VALUE_TYPES] = {"integer", "octets", "printable", "utf8-list"};
static const char *const name_kinds[] = {"dns", "ip", "email", NULL};
static const char *const curve_names[] = {"P-256", "P-384", "P-521", NULL};
/* clang-format on */

typedef struct {
    Profile *profile;
    const char *name;
    GError **error;
} Reading;

static bool refuse(const Reading *reading, const char *member, const char *why) {
    if (reading->error && !*reading->error)
        g_set_error(reading->error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "profile %s, %s: %s", reading->name,
                    member, why);
    return false;
}

/* ---- Values ------------------------------------------------------------------------------------------------- */
/* Each takes a member's value `into` where its row of the table says; of the type that its name tells. */
static bool read_list(const Reading *reading, const char *member, const json_t *value, void *into) {
    char ***ret_list = into;
    if (!json_is_array(value) || json_array_size(value) > LIST_MAX)
        return refuse(reading, member, "a list of texts is wanted, of 16 at most");
    char **list = g_new0(char *, json_array_size(value) + 1);
    for (size_t i = 0; i < json_array_size(value); i++) {
        const char *text = json_string_value(json_array_get(value, i));
        if (!text) {
            g_strfreev(list);
            return refuse(reading, member, "a list of texts is wanted");
        }
        list[i] = g_strdup(text);
    }
    g_strfreev(*ret_list);
    *ret_list = list;
    return true;
}

static bool read_words(const Reading *reading, const char *member, const json_t *value,
                       const char *const *known, void *into) {
    if (!read_list(reading, member, value, into))
        return false;
    for (char **word = *(char ***)into; *word; word++)
        if (!g_strv_contains(known, *word))
            return refuse(reading, member, *word);
    return true;
}

static bool read_usage(const Reading *reading, const char *member, const json_t *value, void *into) {
    g_auto(GStrv) list = NULL;
    uint16_t bits = 0;
    if (!read_list(reading, member, value, &list))
        return false;
    for (char **word = list; *word; word++) {
        size_t bit = 0;
        while (bit < G_N_ELEMENTS(usages) && strcmp(usages[bit], *word) != 0)
            bit++;
        if (bit == G_N_ELEMENTS(usages))
            return refuse(reading, member, *word);
        bits |= (uint16_t)(0x8000 >> bit);
    }
    *(uint16_t *)into = bits;
    return true;
}

static bool read_days(const Reading *reading, const char *member, const json_t *value, void *into) {
    json_int_t days = json_integer_value(value);
    if (!json_is_integer(value) || days < 1 || days > DAYS_MAX)
        return refuse(reading, member, "a number of days is wanted, 3650 at most");
    *(int *)into = (int)days;
    return true;
}

static bool read_bool(const Reading *reading, const char *member, const json_t *value, void *into) {
    if (!json_is_boolean(value))
        return refuse(reading, member, "true or false is wanted");
    *(bool *)into = json_is_true(value);
    return true;
}

/* ---- Fields, subject, extensions ---------------------------------------------------------------------------- */
static void field_free(ProfileField *field) {
    g_free(field->name);
    g_free(field->check);
    g_clear_pointer(&field->pattern, g_regex_unref);
    g_free(field);
}

/* NULL where it is none. */
static GRegex *whole_pattern(const char *text) {
    g_autofree char *whole = g_strdup_printf("\\A(?:%s)\\z", text);
    return g_regex_new(whole, G_REGEX_NO_AUTO_CAPTURE, 0, NULL);
}

static bool read_field(const Reading *reading, const char *name, const json_t *value) {
    ProfileField *field = g_new0(ProfileField, 1);
    g_ptr_array_add(reading->profile->fields, field);
    field->name = g_strdup(name);
    const char *key;
    json_t *member;
    if (!json_is_object(value))
        return refuse(reading, name, "an object is wanted");
    json_object_foreach((json_t *)value, key, member) {
        if (strcmp(key, "optional") == 0) {
            if (!read_bool(reading, name, member, &field->optional))
                return false;
        } else if (strcmp(key, "from_names") == 0) {
            if (!read_bool(reading, name, member, &field->from_names))
                return false;
        } else if (strcmp(key, "pattern") == 0 && json_is_string(member)) {
            field->pattern = whole_pattern(json_string_value(member));
            if (!field->pattern)
                return refuse(reading, name, "the pattern is no regular expression");
        } else if (strcmp(key, "check") == 0 && json_is_string(member) &&
                   identifier_known(json_string_value(member))) {
            field->check = g_strdup(json_string_value(member));
        } else {
            return refuse(reading, name, key);
        }
    }
    return true;
}

static bool read_fields(const Reading *reading, const char *name, const json_t *value, void *into) {
    (void)into; /* several members of the profile */
    const char *key;
    json_t *member;
    if (!json_is_object(value) || json_object_size(value) > FIELDS_MAX)
        return refuse(reading, name, "an object of fields is wanted");
    json_object_foreach((json_t *)value, key, member) {
        if (!g_regex_match_simple("^[a-z][a-z_]{0,39}$", key, 0, 0))
            return refuse(reading, key, "a field is called in small letters and _");
        if (!read_field(reading, key, member))
            return false;
    }
    return true;
}

/* Every {field} of a value is declared. */
static bool check_template(const Reading *reading, const char *member, const char *text) {
    for (const char *open = strchr(text, '{'); open; open = strchr(open + 1, '{')) {
        const char *close = strchr(open, '}');
        bool known = false;
        for (guint i = 0; close && i < reading->profile->fields->len; i++) {
            const ProfileField *field = reading->profile->fields->pdata[i];
            known = known || (strlen(field->name) == (size_t)(close - open - 1) &&
                              strncmp(field->name, open + 1, (size_t)(close - open - 1)) == 0);
        }
        if (!known)
            return refuse(reading, member, "a field in braces is not declared in fields");
    }
    return true;
}

static bool read_part(const Reading *reading, json_t *row) {
    Profile *profile = reading->profile;
    const char *attribute = NULL, *value = NULL;
    int joined = 0;
    if (profile->part_count == PROFILE_PARTS_MAX ||
        json_unpack(row, "{s:s, s:s, s?b !}", "attribute", &attribute, "value", &value, "joined", &joined) !=
            0)
        return refuse(reading, "subject", "rows of attribute, value, joined are wanted, 16 at most");
    if (!name_attribute_known(attribute))
        return refuse(reading, "subject", attribute);
    profile->parts[profile->part_count++] =
        (ProfilePart){g_strdup(attribute), g_strdup(value), joined && profile->part_count > 0};
    return true;
}

static bool read_extension(const Reading *reading, json_t *row) {
    Profile *profile = reading->profile;
    const char *oid = NULL, *type = NULL, *value = NULL;
    int critical = 0;
    size_t kind = 0;
    if (profile->extension_count == PROFILE_EXTENSIONS_MAX ||
        json_unpack(row, "{s:s, s:s, s:s, s?b !}", "oid", &oid, "type", &type, "value", &value, "critical",
                    &critical) != 0)
        return refuse(reading, "extensions", "rows of oid, type, value, critical are wanted, 16 at most");
    while (kind < VALUE_TYPES && strcmp(value_types[kind], type) != 0)
        kind++;
    if (kind == VALUE_TYPES)
        return refuse(reading, "extensions", "a type is integer, octets, printable or utf8-list");
    if (!g_regex_match_simple("^[0-2](\\.(0|[1-9][0-9]{0,17})){1,30}$", oid, 0, 0) ||
        g_str_has_prefix(oid, "2.5.29."))
        return refuse(reading, "extensions", "an OID is wanted, and not one of X.509's own");
    profile->extensions[profile->extension_count++] =
        (ProfileExtension){g_strdup(oid), critical != 0, (ValueType)kind, g_strdup(value)};
    return true;
}

static bool read_rows(const Reading *reading, const char *name, const json_t *value,
                      bool (*read)(const Reading *, json_t *)) {
    if (!json_is_array(value))
        return refuse(reading, name, "a list of rows is wanted");
    for (size_t i = 0; i < json_array_size(value); i++)
        if (!read(reading, json_array_get(value, i)))
            return false;
    return true;
}

/* ---- Members ------------------------------------------------------------------------------------------------ */
static bool read_title(const Reading *reading, const char *name, const json_t *value, void *into) {
    if (!*vigie_text_in(VIGIE_FR, value) || !*vigie_text_in(VIGIE_EN, value))
        return refuse(reading, name, "it is wanted in fr and en");
    *(json_t **)into = json_incref((json_t *)value);
    return true;
}

static bool read_subject(const Reading *reading, const char *name, const json_t *value, void *into) {
    (void)into; /* several members of the profile */
    return read_rows(reading, name, value, read_part);
}

static bool read_extensions(const Reading *reading, const char *name, const json_t *value, void *into) {
    (void)into; /* several members of the profile */
    return read_rows(reading, name, value, read_extension);
}

static bool read_purposes(const Reading *reading, const char *name, const json_t *value, void *into) {
    if (!read_list(reading, name, value, into))
        return false;
    for (char **word = *(char ***)into; *word; word++) {
        size_t i = 0;
        while (i < G_N_ELEMENTS(purposes) && strcmp(purposes[i].name, *word) != 0)
            i++;
        if (i == G_N_ELEMENTS(purposes))
            return refuse(reading, name, *word);
        g_free(*word);
        *word = g_strdup(purposes[i].oid);
    }
    return true;
}

static bool read_names(const Reading *reading, const char *name, const json_t *value, void *into) {
    return read_words(reading, name, value, name_kinds, into);
}

static bool read_curves(const Reading *reading, const char *name, const json_t *value, void *into) {
    return read_words(reading, name, value, curve_names, into);
}

static bool read_rsa(const Reading *reading, const char *name, const json_t *value, void *into) {
    (void)into; /* several members of the profile */
    json_int_t least = json_integer_value(json_array_get(value, 0)),
               most = json_integer_value(json_array_get(value, 1));
    if (json_array_size(value) != 2 || least < 2048 || most > 8192 || least > most)
        return refuse(reading, name, "two sizes are wanted, from 2048 to 8192, as in [2048, 4096]");
    reading->profile->rsa_min = (unsigned)least;
    reading->profile->rsa_max = (unsigned)most;
    return true;
}

static void validator_free(ProfileValidator *validator) {
    g_free(validator->role);
    g_hash_table_unref(validator->when);
    g_free(validator);
}

static bool read_when(const Reading *reading, const char *name, ProfileValidator *validator,
                      const json_t *when) {
    const char *field;
    json_t *pattern;
    json_object_foreach((json_t *)when, field, pattern) {
        GRegex *regex = json_is_string(pattern) ? whole_pattern(json_string_value(pattern)) : NULL;
        if (!regex)
            return refuse(reading, name, "\"when\" gives fields regular expressions");
        g_hash_table_insert(validator->when, g_strdup(field), regex);
    }
    return true;
}

/* "director", or { "role": "ordre", "when": { "profession": "10|21" } }. */
static bool read_validators(const Reading *reading, const char *name, const json_t *value, void *into) {
    (void)into; /* several members of the profile */
    if (!json_is_array(value) || json_array_size(value) > LIST_MAX)
        return refuse(reading, name, "a list of roles is wanted, of 16 at most");
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *one = json_array_get(value, i), *when = json_object_get(one, "when");
        const json_t *role = json_is_string(one) ? one : json_object_get(one, "role");
        if (!json_is_string(role) ||
            (json_is_object(one) && (!json_is_object(when) || json_object_size(one) != 2)))
            return refuse(reading, name, "a role, or \"role\" and \"when\", are wanted");
        ProfileValidator *validator = g_new0(ProfileValidator, 1);
        g_ptr_array_add(reading->profile->validators, validator);
        validator->role = g_strdup(json_string_value(role));
        validator->when =
            g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_regex_unref);
        if (!read_when(reading, name, validator, when))
            return false;
    }
    return true;
}

static bool read_waivers(const Reading *reading, const char *name, const json_t *value, void *into) {
    if (!read_list(reading, name, value, into))
        return false;
    for (char **id = *(char ***)into; *id; id++)
        if (!x509_lint_known(*id))
            return refuse(reading, name, *id);
    return true;
}

static const struct {
    const char *name;
    bool required;
    bool (*read)(const Reading *reading, const char *name, const json_t *value, void *into);
    size_t into;
} members[] = {
    {"title", true, read_title, offsetof(Profile, title)},
    {"fields", true, read_fields, offsetof(Profile, fields)},
    {"subject", true, read_subject, offsetof(Profile, parts)},
    {"key_usage", true, read_usage, offsetof(Profile, key_usage)},
    {"key_usage_rsa", false, read_usage, offsetof(Profile, key_usage_rsa)},
    {"key_usage_ec", false, read_usage, offsetof(Profile, key_usage_ec)},
    {"purposes", false, read_purposes, offsetof(Profile, purposes)},
    {"names", false, read_names, offsetof(Profile, names)},
    {"names_required", false, read_bool, offsetof(Profile, names_required)},
    {"curves", false, read_curves, offsetof(Profile, curves)},
    {"rsa", false, read_rsa, offsetof(Profile, rsa_min)},
    {"days", true, read_days, offsetof(Profile, days)},
    {"private_key_days", false, read_days, offsetof(Profile, private_key_days)},
    {"hold", true, read_bool, offsetof(Profile, hold)},
    {"no_check", false, read_bool, offsetof(Profile, no_check)},
    {"directory", false, read_bool, offsetof(Profile, directory)},
    {"server_key", false, read_bool, offsetof(Profile, server_key)},
    {"dual_control", true, read_bool, offsetof(Profile, dual)},
    {"validators", true, read_validators, offsetof(Profile, validators)},
    {"one_of", false, read_list, offsetof(Profile, one_of)},
    {"extensions", false, read_extensions, offsetof(Profile, extensions)},
    {"waivers", false, read_waivers, offsetof(Profile, waivers)},
};

static bool read_members(const Reading *reading, json_t *file) {
    const char *key;
    json_t *value;
    json_object_foreach(file, key, value) {
        bool known = strcmp(key, "comment") == 0 && json_is_string(value);
        for (size_t i = 0; i < G_N_ELEMENTS(members); i++)
            known = known || strcmp(members[i].name, key) == 0;
        if (!known)
            return refuse(reading, key, "there is no such member");
    }
    for (size_t i = 0; i < G_N_ELEMENTS(members); i++) {
        value = json_object_get(file, members[i].name);
        void *into = (char *)reading->profile + members[i].into;
        if (value ? !members[i].read(reading, members[i].name, value, into) : members[i].required)
            return refuse(reading, members[i].name, "it is missing or wrong");
    }
    return true;
}

static const ProfileField *find_field(const Profile *profile, const char *name) {
    for (guint i = 0; i < profile->fields->len; i++)
        if (strcmp(((const ProfileField *)profile->fields->pdata[i])->name, name) == 0)
            return profile->fields->pdata[i];
    return NULL;
}

/* What validators look at, and of what one is given, are fields. */
static bool check_references(const Reading *reading) {
    const Profile *profile = reading->profile;
    for (guint i = 0; i < profile->validators->len; i++) {
        GHashTableIter iter;
        gpointer field;
        g_hash_table_iter_init(&iter, ((ProfileValidator *)profile->validators->pdata[i])->when);
        while (g_hash_table_iter_next(&iter, &field, NULL))
            if (!find_field(profile, field))
                return refuse(reading, "validators", field);
    }
    for (char **name = profile->one_of; name && *name; name++) {
        const ProfileField *field = find_field(profile, *name);
        if (!field || !field->optional)
            return refuse(reading, "one_of", "fields that are optional are wanted");
    }
    return true;
}

static bool check(const Reading *reading) {
    const Profile *profile = reading->profile;
    if (!check_references(reading))
        return false;
    if (!profile->rsa_min && !(profile->curves && profile->curves[0]))
        return refuse(reading, "curves", "no key at all is allowed: rsa or curves is wanted");
    if (profile->server_key && (profile->dual || (profile->key_usage & 0x4000)))
        return refuse(reading, "server_key",
                      "a key that signs for somebody, or waits for a person, is its owner's to make");
    if (profile->private_key_days > profile->days)
        return refuse(reading, "private_key_days", "longer than the certificate lives");
    for (size_t i = 0; i < profile->part_count; i++)
        if (!check_template(reading, "subject", profile->parts[i].value))
            return false;
    for (size_t i = 0; i < profile->extension_count; i++)
        if (!check_template(reading, "extensions", profile->extensions[i].value))
            return false;
    return true;
}

void profile_free(Profile *profile) {
    if (!profile)
        return;
    for (size_t i = 0; i < profile->part_count; i++) {
        g_free(profile->parts[i].attribute);
        g_free(profile->parts[i].value);
    }
    for (size_t i = 0; i < profile->extension_count; i++) {
        g_free(profile->extensions[i].oid);
        g_free(profile->extensions[i].value);
    }
    char **const lists[] = {profile->purposes, profile->names, profile->curves, profile->one_of,
                            profile->waivers};
    for (size_t i = 0; i < G_N_ELEMENTS(lists); i++)
        g_strfreev(lists[i]);
    g_ptr_array_unref(profile->fields);
    g_ptr_array_unref(profile->validators);
    json_decref(profile->title);
    g_free(profile->name);
    g_free(profile);
}

Profile *profile_parse(const char *text, size_t size, const char *name, GError **error) {
    g_autoptr(Profile) profile = g_new0(Profile, 1);
    profile->name = g_strdup(name);
    profile->fields = g_ptr_array_new_with_free_func((GDestroyNotify)field_free);
    profile->validators = g_ptr_array_new_with_free_func((GDestroyNotify)validator_free);
    Reading reading = {.profile = profile, .name = name, .error = error};
    json_error_t where;
    if (size > PROFILE_BYTES_MAX) {
        refuse(&reading, "the file", "larger than 64 KiB");
        return NULL;
    }
    g_autoptr(json_t) file = json_loadb(text, size, JSON_REJECT_DUPLICATES, &where);
    if (!json_is_object(file)) {
        refuse(&reading, "the file", file ? "an object is wanted" : where.text);
        return NULL;
    }
    return read_members(&reading, file) && check(&reading) ? g_steal_pointer(&profile) : NULL;
}
