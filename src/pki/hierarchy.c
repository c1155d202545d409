/* hierarchy.c: a key file with a table of its keys. An unknown one is refused: a typing error must not make a root that
 * lives for twenty years. */
#include "pki/hierarchy.h"
#include "pki/build.h"
#include "pki/name.h"
#include "pki/signer.h"

#include <string.h>

enum { AUTHORITIES_MAX = 64, YEARS_MAX = 40, SHARDS_MAX = 64, SHARES_MAX = 16 };

typedef enum { KEY_TEXT, KEY_INT, KEY_LIST } KeyType;

typedef struct {
    const char *name;
    KeyType type;
    const char *fallback; /* with {publication}, where there is one */
    int min, max;
    bool setting; /* kept with the authority */
    bool cross;   /* [cross NAME] has it, too */
} Key;

/* clang-format off */
static const Key keys[] = {
    {"issuer", KEY_TEXT, NULL, 0, 0, false, true},
    {"succeeds", KEY_TEXT, NULL, 0, 0, false, false},
    {"title", KEY_TEXT, NULL, 0, 0, false, false},
    {"subject", KEY_LIST, NULL, 0, 0, false, false},
    {"key", KEY_TEXT, "P-384", 0, 0, false, false},
    {"key_file", KEY_TEXT, NULL, 0, 0, false, false},
    {"shares", KEY_TEXT, NULL, 0, 0, false, false},
    {"years", KEY_INT, "10", 1, YEARS_MAX, false, true},
    {"path_length", KEY_INT, "-1", -1, 8, false, true},
    {"policies", KEY_LIST, "2.5.29.32.0", 0, 0, false, true},
    {"permitted", KEY_LIST, "", 0, 0, true, true},
    {"profiles", KEY_LIST, "", 0, 0, true, false},
    {"crl_urls", KEY_LIST, "{publication}/{file}.crl", 0, 0, true, false},
    {"delta_urls", KEY_LIST, "", 0, 0, true, false},
    {"issuer_urls", KEY_LIST, "{publication}/{name}.cer", 0, 0, true, false},
    {"ocsp_urls", KEY_LIST, "{publication}/ocsp", 0, 0, true, false},
    {"crl_hours", KEY_INT, "168", 1, 24 * 400, true, false},
    {"delta_hours", KEY_INT, "0", 0, 24 * 30, true, false},
    {"crl_shards", KEY_INT, "1", 1, SHARDS_MAX, true, false},
    {"answer_hours", KEY_INT, "24", 1, 24 * 14, true, false},
};
/* Of [cross NAME] alone. */
static const Key cross_keys[] = {
    {"certificate", KEY_TEXT, NULL, 0, 0, false, true},
    {"excluded", KEY_LIST, "", 0, 0, false, true},
    {"mappings", KEY_LIST, "", 0, 0, false, true},
};
/* clang-format on */

static void authority_free(HierarchyAuthority *authority) {
    g_free(authority->name);
    g_free(authority->issuer);
    g_free(authority->title);
    g_free(authority->key);
    g_free(authority->key_file);
    g_strfreev(authority->subject);
    g_strfreev(authority->policies);
    g_strfreev(authority->permitted);
    g_strfreev(authority->excluded);
    g_strfreev(authority->mappings);
    g_free(authority->succeeds);
    g_free(authority->of);
    json_decref(authority->settings);
    g_free(authority);
}

typedef struct {
    GKeyFile *file;
    const char *path, *group;
    const char *publication;
    GError **error;
} Reading;

static bool refuse(const Reading *reading, const char *key, const char *why) {
    g_set_error(reading->error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "%s, [%s] %s: %s", reading->path,
                reading->group, key, why);
    return false;
}

static char *with_publication(const Reading *reading, const char *text) {
    if (!strstr(text, "{publication}"))
        return g_strdup(text);
    g_auto(GStrv) parts = g_strsplit(text, "{publication}", -1);
    return reading->publication ? g_strjoinv(reading->publication, parts) : g_strdup("");
}

static char *read_text(const Reading *reading, const Key *key) {
    char *text = g_key_file_get_string(reading->file, reading->group, key->name, NULL);
    return text || !key->fallback ? text : with_publication(reading, key->fallback);
}

static char **read_list(const Reading *reading, const Key *key) {
    char **list = g_key_file_get_string_list(reading->file, reading->group, key->name, NULL, NULL);
    if (!list) {
        g_autofree char *fallback = key->fallback ? with_publication(reading, key->fallback) : g_strdup("");
        list = *fallback ? g_strsplit(fallback, ";", -1) : g_new0(char *, 1);
    }
    for (char **item = list; *item; item++)
        g_strstrip(*item);
    return list;
}

static bool read_int(const Reading *reading, const Key *key, int64_t *ret_value) {
    g_autofree char *text = read_text(reading, key);
    if (g_ascii_string_to_signed(text, 10, key->min, key->max, ret_value, NULL))
        return true;
    g_autofree char *why = g_strdup_printf("\"%s\": a whole number from %d to %d is wanted, as in %s = %s",
                                           text, key->min, key->max, key->name, key->fallback);
    return refuse(reading, key->name, why);
}

static const Key *find_key(const char *name) {
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
        if (strcmp(keys[i].name, name) == 0)
            return &keys[i];
    return NULL;
}

/* The keys given are all known; "policy.PROFILE" is the policy of the certificates of a profile. */
static bool check_keys(const Reading *reading, bool cross) {
    g_auto(GStrv) given = g_key_file_get_keys(reading->file, reading->group, NULL, NULL);
    for (char **name = given; name && *name; name++) {
        const Key *key = find_key(*name);
        bool own = false;
        for (size_t i = 0; cross && i < G_N_ELEMENTS(cross_keys); i++)
            own = own || strcmp(*name, cross_keys[i].name) == 0;
        if (!own && !(key && (key->cross || !cross)) && !(g_str_has_prefix(*name, "policy.") && !cross))
            return refuse(reading, *name, "there is no such key");
    }
    return true;
}

static bool read_settings(const Reading *reading, json_t *settings) {
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        const Key *key = &keys[i];
        int64_t number = 0;
        if (!key->setting)
            continue;
        if (key->type == KEY_INT) {
            if (!read_int(reading, key, &number))
                return false;
            json_object_set_new(settings, key->name, json_integer(number));
            continue;
        }
        g_auto(GStrv) list = read_list(reading, key);
        json_t *array = json_array();
        for (char **item = list; *item; item++)
            json_array_append_new(array, json_string(*item));
        json_object_set_new(settings, key->name, array);
    }
    json_t *policies = json_object();
    json_object_set_new(settings, "policies", policies);
    g_auto(GStrv) given = g_key_file_get_keys(reading->file, reading->group, NULL, NULL);
    for (char **name = given; name && *name; name++) {
        g_autofree char *oid = g_key_file_get_string(reading->file, reading->group, *name, NULL);
        if (g_str_has_prefix(*name, "policy."))
            json_object_set_new(policies, *name + strlen("policy."), json_string(oid ? oid : ""));
    }
    return true;
}

static bool is_oid(const char *text) {
    return g_regex_match_simple("^[0-2](\\.(0|[1-9][0-9]{0,17})){1,30}$", text, 0, 0);
}

static bool check_names(const Reading *reading, const char *key, char **names) {
    for (; names && *names; names++) {
        const char *fault = general_name_fault(*names, true);
        g_autofree char *why = fault ? g_strdup_printf("%s: %s", *names, fault) : NULL;
        if (why)
            return refuse(reading, key, why);
    }
    return true;
}

static bool check_lists(const Reading *reading, const HierarchyAuthority *authority) {
    static const char *const urls[] = {"crl_urls", "delta_urls", "issuer_urls", "ocsp_urls"};
    if (!check_names(reading, "permitted", authority->permitted) ||
        !check_names(reading, "excluded", authority->excluded))
        return false;
    for (char **oid = authority->policies; *oid; oid++)
        if (!is_oid(*oid))
            return refuse(reading, "policies", "a policy is an OID, as in 1.2.250.1.71.3.7");
    const char *profile;
    json_t *item;
    json_object_foreach(json_object_get(authority->settings, "policies"), profile, item) {
        if (!is_oid(json_string_value(item)))
            return refuse(reading, profile, "a policy is an OID, as in policy.device = 1.2.250.1.71.3.7");
    }
    for (size_t i = 0; i < G_N_ELEMENTS(urls); i++) {
        size_t index;
        json_array_foreach(json_object_get(authority->settings, urls[i]), index, item) {
            const char *text = json_string_value(item);
            for (const char *at = text; *at; at++)
                if (*at <= ' ' || (unsigned char)*at >= 0x7F)
                    return refuse(reading, urls[i], "an address holds plain letters alone; a space is %20");
            if (!strstr(text, "://"))
                return refuse(reading, urls[i],
                              "an address is wanted, as in http://pki.chu.example/{file}.crl");
        }
    }
    return true;
}

static const HierarchyAuthority *find_above(const GPtrArray *above, const char *name) {
    for (guint i = 0; name && i < above->len; i++) {
        const HierarchyAuthority *one = above->pdata[i];
        if (!one->of && strcmp(one->name, name) == 0)
            return one;
    }
    return NULL;
}

/* What holds of ours and of others'. */
static bool check_place(const Reading *reading, const HierarchyAuthority *authority, const GPtrArray *above) {
    if (!g_regex_match_simple("^[a-z0-9][a-z0-9-]{0,39}$", authority->name, 0, 0) ||
        strstr(authority->name, "-by-"))
        return refuse(
            reading, "name",
            "small letters, digits and hyphens are wanted, without \"-by-\", as in [authority racine]");
    for (guint i = 0; i < above->len; i++)
        if (strcmp(((const HierarchyAuthority *)above->pdata[i])->name, authority->name) == 0)
            return refuse(reading, "name", "declared twice");
    if (authority->issuer && !find_above(above, authority->issuer))
        return refuse(reading, "issuer", "no authority of that name is declared above");
    return true;
}

static bool has_all(const json_t *profiles, const json_t *wanted) {
    for (size_t i = 0; i < json_array_size(wanted); i++) {
        bool found = false;
        for (size_t j = 0; !found && j < json_array_size(profiles); j++)
            found = json_equal(json_array_get(wanted, i), json_array_get(profiles, j));
        if (!found)
            return false;
    }
    return true;
}

/* A generation stands where the one before it stood: a root after a root, one successor each, nothing that it issues lost. */
static bool check_succession(const Reading *reading, const HierarchyAuthority *authority,
                             const GPtrArray *above) {
    const HierarchyAuthority *before = find_above(above, authority->succeeds);
    if (!authority->succeeds)
        return true;
    if (!before)
        return refuse(reading, "succeeds", "no authority of that name is declared above");
    if ((before->issuer == NULL) != (authority->issuer == NULL))
        return refuse(reading, "succeeds", "a root succeeds a root, and what has an issuer what has one");
    for (guint i = 0; i < above->len; i++)
        if (g_strcmp0(((const HierarchyAuthority *)above->pdata[i])->succeeds, authority->succeeds) == 0)
            return refuse(reading, "succeeds", "another succeeds it already: succeed that one");
    if (!has_all(json_object_get(authority->settings, "profiles"),
                 json_object_get(before->settings, "profiles")))
        return refuse(reading, "profiles",
                      "all that the generation before it issues is wanted, or that could not be renewed");
    if (!authority->issuer && before->path_length >= 0 &&
        !g_strv_equal((const char *const *)authority->subject, (const char *const *)before->subject))
        return refuse(
            reading, "subject",
            "that of the root which it succeeds is wanted: with another name it would count in that "
            "one's path_length");
    return true;
}

static bool check(const Reading *reading, const HierarchyAuthority *authority, const GPtrArray *above) {
    g_autoptr(GByteArray) name = g_byte_array_new();
    g_autoptr(GError) why = NULL;
    if (!check_place(reading, authority, above))
        return false;
    if (!signer_kind(authority->key))
        return refuse(reading, "key", signer_key_types);
    if (!authority->title || name_text_fault(authority->title, 80))
        return refuse(reading, "title", "a short text is wanted, as in title = AC Racine");
    if (!authority->subject[0] || !name_put_list(name, (const char *const *)authority->subject, &why))
        return refuse(reading, "subject",
                      why ? why->message : "it is missing, as in subject = C=FR;O=CHU;CN=AC Racine");
    if (!json_array_size(json_object_get(authority->settings, "crl_urls")) &&
        json_array_size(json_object_get(authority->settings, "delta_urls")))
        return refuse(reading, "delta_urls", "a delta list needs a full one: crl_urls is missing");
    return check_lists(reading, authority) && check_succession(reading, authority, above);
}

/* "3/5" */
static bool read_shares(const Reading *reading, HierarchyAuthority *authority) {
    g_autofree char *text = read_text(reading, find_key("shares"));
    if (!text)
        return true;
    g_auto(GStrv) parts = g_strsplit(text, "/", 3);
    gint64 threshold = 0, shares = 0;
    if (g_strv_length(parts) != 2 || !g_ascii_string_to_signed(parts[1], 10, 2, SHARES_MAX, &shares, NULL) ||
        !g_ascii_string_to_signed(parts[0], 10, 2, shares, &threshold, NULL))
        return refuse(reading, "shares",
                      "how many of how many people open the key, 16 at most, as in shares = 3/5");
    authority->threshold = (int)threshold;
    authority->shares = (int)shares;
    return !signer_in_token(authority->key_file) ||
           refuse(reading, "shares", "a key in a token has a PIN, which the token's own means share");
}

static bool read_numbers(const Reading *reading, HierarchyAuthority *authority) {
    int64_t years = 0, path_length = 0;
    if (!read_int(reading, find_key("years"), &years) ||
        !read_int(reading, find_key("path_length"), &path_length))
        return false;
    authority->years = (int)years;
    authority->path_length = (int)path_length;
    return true;
}

/* RFC 5280 4.2.1.5: a policy that is mapped is asserted, too, and anyPolicy is no side of it. */
static bool check_mappings(const Reading *reading, const HierarchyAuthority *authority) {
    static const char any_policy[] = "2.5.29.32.0";
    for (char **mapping = authority->mappings; *mapping; mapping++) {
        g_auto(GStrv) pair = g_strsplit(*mapping, ":", 3);
        if (g_strv_length(pair) != 2 || !is_oid(pair[0]) || !is_oid(pair[1]))
            return refuse(reading, "mappings",
                          "ours and theirs are wanted, OIDs, as in 1.2.250.1.71.3.7:1.3.6.1.4.1.99.1");
        if (strcmp(pair[0], any_policy) == 0 || strcmp(pair[1], any_policy) == 0)
            return refuse(reading, "mappings", "RFC 5280 4.2.1.5: anyPolicy is mapped to nothing");
        if (!g_strv_contains((const char *const *)authority->policies, pair[0]))
            return refuse(reading, "mappings",
                          "RFC 5280 4.2.1.5: the policy of ours that is mapped is wanted among policies");
    }
    return true;
}

/* One that is not ours. */
static bool read_cross(const Reading *reading, HierarchyAuthority *authority, const GPtrArray *above) {
    authority->name = g_strdup(reading->group + strlen("cross "));
    authority->settings = json_object();
    if (!check_keys(reading, true) || !read_numbers(reading, authority))
        return false;
    authority->issuer = read_text(reading, find_key("issuer"));
    authority->policies = read_list(reading, find_key("policies"));
    authority->permitted = read_list(reading, find_key("permitted"));
    authority->excluded = read_list(reading, &cross_keys[1]);
    authority->mappings = read_list(reading, &cross_keys[2]);
    g_autofree char *file = read_text(reading, &cross_keys[0]);
    g_autofree char *beside = g_path_get_dirname(reading->path),
                    *absolute = g_canonicalize_filename(beside, NULL);
    authority->of = g_canonicalize_filename(file ? file : "", absolute);
    if (!file)
        return refuse(reading, "certificate", "the other's certificate or request is wanted, a file");
    if (!authority->issuer)
        return refuse(reading, "issuer", "which of ours vouches for it is wanted");
    if (authority->path_length < 0)
        return refuse(reading, "path_length",
                      "how many authorities may stand below the other one is wanted, as in path_length = 0");
    return check_place(reading, authority, above) && check_lists(reading, authority) &&
           check_mappings(reading, authority);
}

static bool read_own(const Reading *reading, HierarchyAuthority *authority, const char *folder,
                     const GPtrArray *above) {
    authority->name = g_strdup(reading->group + strlen("authority "));
    authority->settings = json_object();
    if (!check_keys(reading, false) || !read_numbers(reading, authority) ||
        !read_settings(reading, authority->settings))
        return false;
    authority->issuer = read_text(reading, find_key("issuer"));
    authority->succeeds = read_text(reading, find_key("succeeds"));
    authority->title = read_text(reading, find_key("title"));
    authority->key = read_text(reading, find_key("key"));
    authority->subject = read_list(reading, find_key("subject"));
    authority->policies = read_list(reading, find_key("policies"));
    authority->permitted = read_list(reading, find_key("permitted"));
    g_autofree char *file = read_text(reading, find_key("key_file"));
    g_autofree char *usual = g_strconcat(authority->name, ".key", NULL);
    authority->key_file =
        file && signer_in_token(file) ? g_strdup(file) : g_canonicalize_filename(file ? file : usual, folder);
    return read_shares(reading, authority) && check(reading, authority, above);
}

static bool read_authority(const Reading *reading, const char *folder, GPtrArray *authorities) {
    HierarchyAuthority *authority = g_new0(HierarchyAuthority, 1);
    /* Those above, without itself. */
    g_autoptr(GPtrArray) above = g_ptr_array_copy(authorities, NULL, NULL);
    g_ptr_array_set_free_func(above, NULL);
    g_ptr_array_add(authorities, authority);
    return g_str_has_prefix(reading->group, "cross ") ? read_cross(reading, authority, above)
                                                      : read_own(reading, authority, folder, above);
}

GPtrArray *hierarchy_load(const char *path, GError **error) {
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autoptr(GError) why = NULL;
    if (!g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, &why)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "hierarchy %s: %s", path, why->message);
        return NULL;
    }
    g_autofree char *publication = g_key_file_get_string(file, "hierarchy", "publication", NULL);
    g_autofree char *keys_in = g_key_file_get_string(file, "hierarchy", "key_folder", NULL);
    g_autofree char *beside = g_path_get_dirname(path);
    g_autofree char *absolute = g_canonicalize_filename(beside, NULL);
    g_autofree char *folder = g_canonicalize_filename(keys_in ? keys_in : "keys", absolute);
    g_autoptr(GPtrArray) authorities = g_ptr_array_new_with_free_func((GDestroyNotify)authority_free);
    Reading reading = {.file = file, .path = path, .publication = publication, .error = error};
    g_auto(GStrv) groups = g_key_file_get_groups(file, NULL);
    for (char **group = groups; *group; group++) {
        reading.group = *group;
        if (strcmp(*group, "hierarchy") == 0)
            continue;
        if (!g_str_has_prefix(*group, "authority ") && !g_str_has_prefix(*group, "cross ")) {
            refuse(&reading, "", "groups are [hierarchy], [authority NAME] and [cross NAME]");
            return NULL;
        }
        if (authorities->len == AUTHORITIES_MAX || !read_authority(&reading, folder, authorities)) {
            if (error && !*error)
                refuse(&reading, "", "64 authorities at most");
            return NULL;
        }
    }
    return g_steal_pointer(&authorities);
}
