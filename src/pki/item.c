/* item.c: what is asked for, held against its profile and its authority. Renewals are held against the certificate that
 * they renew. */
#include "pki/item.h"
#include "pki/build.h"
#include "pki/compose.h"
#include "pki/link.h"
#include "pki/name.h"
#include "pki/revoke.h"
#include "pki/row.h"

#include <openssl/sha.h>
#include <string.h>

enum { VALUE_MAX = 256 };

static bool deny(GError **error, const char *kind, const char *name, const char *why) {
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED, "%s %s: %s", kind, name, why);
    return false;
}

/* ---- What the profile asks ---------------------------------------------------------------------------------- */
/* Three people: who asks, who validates, who issues. */
bool item_check_people(const Issuance *issuance, const Item *item, GError **error) {
    const VigieIssueRequest *wanted = item->wanted;
    if (!item->profile->dual)
        return true;
    if (!wanted->requester || !wanted->validator)
        return deny(error, "profile", item->profile->name,
                    "it wants both who asked and who validated: --requester and --validator");
    if (strcmp(wanted->requester, wanted->validator) == 0)
        return deny(error, "profile", item->profile->name,
                    "who asks does not validate: another person is wanted");
    if (strcmp(wanted->requester, issuance->who) == 0 || strcmp(wanted->validator, issuance->who) == 0)
        return deny(error, "profile", item->profile->name,
                    "who issues neither asks nor validates: another person is wanted");
    return true;
}

bool item_check_key(const Profile *profile, const Csr *request, GError **error) {
    if (request->curve ? g_strv_contains((const char *const *)profile->curves, request->curve)
                       : request->rsa_bits >= profile->rsa_min && request->rsa_bits <= profile->rsa_max &&
                             profile->rsa_min)
        return true;
    return deny(error, "profile", profile->name,
                "it allows no key of this type or size: see vigie ca profiles");
}

/* Said to who asks, not when it was validated. */
static bool check_weakness(const Item *item, GError **error) {
    const char *weakness = x509_key_weakness(item->request->spki);
    g_autofree char *why =
        weakness ? g_strdup_printf("the private half of this key can be found by others (CA/B BR 6.1.1.3: "
                                   "%s): make a new one, with another program or chip",
                                   weakness)
                 : NULL;
    return !why || deny(error, "profile", item->profile->name, why);
}

/* A key that was told to be compromised does not come back under another name, nor with another exponent. What was noted before
 * keys were told by their secret is the digest of all of it. */
static bool check_compromised(const Issuance *issuance, const Item *item, GError **error) {
    uint8_t secret[SHA256_DIGEST_LENGTH], whole[SHA256_DIGEST_LENGTH];
    x509_key_secret(item->request->spki, secret);
    SHA256(item->request->spki.data, item->request->spki.size, whole);
    VigieBytes now = vigie_bytes(secret, sizeof secret), before = vigie_bytes(whole, sizeof whole);
    int64_t known = 0;
    if (!store_get_int(issuance->store, &known, error,
                       "SELECT COUNT(*) FROM pki_bad_key WHERE hash IN ($1, $2)", "bb", &now, &before))
        return false;
    return known == 0 || deny(error, "profile", item->profile->name,
                              "a certificate with this key was revoked for keyCompromise: make a new key");
}

static bool check_fields(const Item *item, GError **error) {
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)item->wanted->fields, name, value) {
        bool known = false;
        for (guint i = 0; i < item->profile->fields->len; i++)
            known = known || strcmp(((ProfileField *)item->profile->fields->pdata[i])->name, name) == 0;
        if (!known || !json_is_string(value)) {
            g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "%s: the profile has no field %s",
                        item->profile->name, name);
            return false;
        }
    }
    return true;
}

/* The first that fits into a common name (RFC 5280 A.1, ub-common-name); a longer one stands in subjectAltName alone. */
static const char *first_dns(const Item *item) {
    enum { COMMON_NAME_MAX = 64 };
    for (guint i = 0; item->names->pdata[i]; i++)
        if (g_str_has_prefix(item->names->pdata[i], "dns:") &&
            strlen((const char *)item->names->pdata[i] + strlen("dns:")) <= COMMON_NAME_MAX)
            return (const char *)item->names->pdata[i] + strlen("dns:");
    return NULL;
}

const char *item_field_value(const Item *item, const ProfileField *field, GError **error) {
    const char *value = json_string_value(json_object_get(item->wanted->fields, field->name)), *fault = NULL;
    if (!value && field->from_names)
        value = first_dns(item);
    if (!value && field->optional)
        return NULL;
    fault = value ? name_text_fault(value, VALUE_MAX) : "it is missing";
    if (!fault && field->pattern && !g_regex_match(field->pattern, value, 0, NULL))
        fault = "it has not the form that the profile asks for";
    if (!fault && field->check)
        fault = identifier_fault(field->check, value);
    if (fault)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "%s, field %s: %s", item->profile->name,
                    field->name, fault);
    return fault ? NULL : value;
}

static bool check_one_of(const Item *item, GHashTable *values, GError **error) {
    size_t given = 0;
    for (char **name = item->profile->one_of; name && *name; name++)
        given += g_hash_table_contains(values, *name) ? 1 : 0;
    if (given == 1 || !item->profile->one_of)
        return true;
    g_autofree char *names = g_strjoinv(", ", item->profile->one_of);
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "%s: exactly one of the fields %s is wanted",
                item->profile->name, names);
    return false;
}

GHashTable *item_values(const Item *item, GError **error) {
    g_autoptr(GHashTable) values = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GError) why = NULL;
    for (guint i = 0; i < item->profile->fields->len; i++) {
        const ProfileField *field = item->profile->fields->pdata[i];
        const char *value = item_field_value(item, field, &why);
        if (why) {
            g_propagate_error(error, g_steal_pointer(&why));
            return NULL;
        }
        if (value)
            g_hash_table_insert(values, field->name, (void *)value);
    }
    return check_one_of(item, values, error) ? g_steal_pointer(&values) : NULL;
}

bool item_check_fields(const Profile *profile, const json_t *fields, GError **error) {
    g_autoptr(GPtrArray) none = g_ptr_array_new();
    g_ptr_array_add(none, NULL);
    const VigieIssueRequest wanted = {.fields = fields};
    const Item item = {.wanted = &wanted, .profile = profile, .names = none};
    g_autoptr(GHashTable) values = check_fields(&item, error) ? item_values(&item, error) : NULL;
    return values != NULL;
}

char *item_fill(const Item *item, const char *template) {
    GString *text = g_string_sized_new(64);
    while (*template) {
        const char *close = *template == '{' ? strchr(template, '}') : NULL;
        if (!close) {
            g_string_append_c(text, *template ++);
            continue;
        }
        g_autofree char *name = g_strndup(template + 1, (gsize)(close - template - 1));
        const char *value = g_hash_table_lookup(item->values, name);
        if (!value)
            return g_string_free(text, TRUE);
        g_string_append(text, value);
        template = close + 1;
    }
    return g_string_free(text, FALSE);
}

/* ---- Names -------------------------------------------------------------------------------------------------- */
static bool has(const char *const *list, const char *text) {
    for (; list && *list; list++)
        if (g_ascii_strcasecmp(*list, text) == 0)
            return true;
    return false;
}

static bool refuse_name(const Profile *profile, const char *name, const char *why, GError **error) {
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED, "profile %s: %s: %s", profile->name, name, why);
    return false;
}

/* Those registered; a request that asks for one more is refused, not cut down in silence. */
static bool choose_names(Item *item, GError **error) {
    const VigieIssueRequest *wanted = item->wanted;
    item->names = g_ptr_array_new();
    for (const char *const *name = wanted->names; name && *name; name++) {
        if (item->names->len == CSR_NAMES_MAX)
            return refuse_name(item->profile, *name, "100 names at most", error);
        g_ptr_array_add(item->names, (char *)*name);
    }
    for (guint i = 0; i < item->request->names->len; i++) {
        char *name = item->request->names->pdata[i];
        if (has(wanted->names, name))
            continue;
        if (!wanted->accept_names)
            return refuse_name(item->profile, name, "the request asks for this name, which was not validated",
                               error);
        g_ptr_array_add(item->names, name);
    }
    g_ptr_array_add(item->names, NULL);
    return true;
}

/* RFC 5280 4.2.1.10, as those who verify will read the authority's own constraints. */
static bool is_below(const char *name, const char *permitted) {
    const char *base = strchr(permitted, ':') + 1;
    if (g_str_has_prefix(name, "dns:") && g_str_has_prefix(permitted, "dns:")) {
        size_t size = strlen(name + 4), of = strlen(base);
        return size >= of && g_ascii_strcasecmp(name + 4 + size - of, base) == 0 &&
               (size == of || name[4 + size - of - 1] == '.');
    }
    if (g_str_has_prefix(name, "email:") && g_str_has_prefix(permitted, "email:")) {
        const char *host = strrchr(name, '@');
        return strchr(base, '@') ? strcmp(name + 6, base) == 0
                                 : host && g_ascii_strcasecmp(host + 1, base) == 0;
    }
    if (!g_str_has_prefix(name, "ip:") || !g_str_has_prefix(permitted, "ip:"))
        return false;
    return build_ip_below(name + 3, base);
}

bool item_name_permitted(const json_t *permitted, const char *name, bool otherwise) {
    size_t kind = (size_t)(strchr(name, ':') - name) + 1;
    bool limited = false;
    for (size_t i = 0; i < json_array_size(permitted); i++) {
        const char *one = json_string_value(json_array_get(permitted, i));
        if (strncmp(one, name, kind) != 0)
            continue;
        limited = true;
        if (is_below(name, one))
            return true;
    }
    return !limited && otherwise;
}

bool item_check_name(const Profile *profile, const char *name, GError **error) {
    const char *fault = general_name_fault(name, false);
    g_autofree char *kind = fault ? NULL : g_strndup(name, (gsize)(strchr(name, ':') - name));
    if (fault)
        return refuse_name(profile, name, fault, error);
    return (profile->names && g_strv_contains((const char *const *)profile->names, kind)) ||
           refuse_name(profile, name, "it carries no name of this kind", error);
}

static bool check_names(const Issuance *issuance, const Item *item, GError **error) {
    const Profile *profile = item->profile;
    const json_t *permitted = json_object_get(issuance->authority->settings, "permitted");
    for (char **name = (char **)item->names->pdata; *name; name++) {
        if (!item_check_name(profile, *name, error))
            return false;
        if (!item_name_permitted(permitted, *name, true))
            return refuse_name(profile, *name,
                               "this authority may not name it: it is not among what is permitted", error);
    }
    if (profile->names_required && !item->names->pdata[0])
        return deny(error, "profile", profile->name,
                    "a name is wanted, as in --name dns:automate.chu.example");
    return true;
}

/* ---- Renewal ------------------------------------------------------------------------------------------------ */
char *item_name_of(const VigieAlternativeName *name) {
    static const char *const kinds[] = {
        [VIGIE_NAME_DNS] = "dns:", [VIGIE_NAME_IP] = "ip:", [VIGIE_NAME_EMAIL] = "email:"};
    bool known = name->type < (VigieNameType)G_N_ELEMENTS(kinds);
    return known ? g_strconcat(kinds[name->type], name->text, NULL) : NULL;
}

static bool keep_names(Item *item, GError **error) {
    VigieBytes der = vigie_bytes(item->renewed->data, item->renewed->len);
    g_autoptr(VigieCertificate) certificate = x509_certificate_new(der, error);
    if (!certificate)
        return false;
    item->kept = g_ptr_array_new_with_free_func(g_free);
    for (size_t i = 0; i < certificate->name_count; i++) {
        char *name = item_name_of(&certificate->names[i]);
        if (name)
            g_ptr_array_add(item->kept, name);
    }
    g_ptr_array_add(item->kept, NULL);
    return true;
}

/* By the authority that issued it, or the generation that issues in its place. */
static bool check_generation(const Issuance *issuance, const Item *item, int64_t issuer, GError **error) {
    int64_t current = 0;
    return generation_current(issuance->store, issuer, &current, error) &&
           (current == issuance->authority->id ||
            deny(error, "serial", item->wanted->renews, "another authority issued it: that one renews it"));
}

/* The certificate that is renewed is one of ours, of this profile, and was not revoked. */
static bool read_renewed(const Issuance *issuance, Item *item, GError **error) {
    g_autoptr(VigieRows) rows = row_of_serial(issuance->store, item->wanted->renews, error);
    if (!rows)
        return false;
    if (strcmp(rows_text(rows, ROW_PROFILE), item->profile->name) != 0)
        return deny(error, "serial", item->wanted->renews, "it is of another profile");
    if (rows_int(rows, ROW_REASON) >= 0 && rows_int(rows, ROW_REASON) != REASON_RELEASE)
        return deny(error, "serial", item->wanted->renews, "it is revoked or held: it is not renewed");
    if (!check_generation(issuance, item, rows_int(rows, ROW_AUTHORITY), error))
        return false;
    VigieBytes der = rows_blob(rows, ROW_DER);
    item->renewed = g_byte_array_append(g_byte_array_new(), der.data, (guint)der.size);
    return keep_names(item, error);
}

/* Its names, or fewer. */
static bool choose_kept(Item *item, GError **error) {
    item->names = g_ptr_array_new();
    const GPtrArray *asked = item->request->names;
    for (guint i = 0; i < asked->len; i++) {
        if (!has((const char *const *)item->kept->pdata, asked->pdata[i]))
            return refuse_name(item->profile, asked->pdata[i],
                               "the certificate that is renewed does not have this name", error);
        g_ptr_array_add(item->names, asked->pdata[i]);
    }
    for (guint i = 0; asked->len == 0 && i + 1 < item->kept->len; i++)
        g_ptr_array_add(item->names, item->kept->pdata[i]);
    g_ptr_array_add(item->names, NULL);
    return true;
}

/* ---- All of it ---------------------------------------------------------------------------------------------- */
static bool check_profile(const Issuance *issuance, Item *item, GError **error) {
    const char *name = item->wanted->profile;
    item->profile = profile_find(issuance->profiles, name);
    bool served = false;
    const json_t *list = json_object_get(issuance->authority->settings, "profiles");
    for (size_t i = 0; i < json_array_size(list); i++)
        served = served || strcmp(json_string_value(json_array_get(list, i)), name) == 0;
    if (item->profile && served)
        return true;
    g_set_error(error, VIGIE_ERROR, item->profile ? VIGIE_ERROR_DENIED : VIGIE_ERROR_NOT_FOUND,
                "profile %s: %s", name,
                item->profile ? "this authority does not issue it: see vigie ca show"
                              : "there is none of that name; vigie ca profiles lists them");
    return false;
}

bool item_check(const Issuance *issuance, const VigieIssueRequest *wanted, Item *item, GError **error) {
    item->wanted = wanted;
    if (!check_profile(issuance, item, error))
        return false;
    item->request = wanted->spki.size > 0 ? csr_of_key(wanted->spki, error) : csr_read(wanted->csr, error);
    if (!item->request || !item_check_key(item->profile, item->request, error) ||
        !check_weakness(item, error) || !check_compromised(issuance, item, error))
        return false;
    if (wanted->renews)
        return read_renewed(issuance, item, error) && choose_kept(item, error) &&
               check_names(issuance, item, error);
    if (!check_fields(item, error) || !choose_names(item, error) || !check_names(issuance, item, error))
        return false;
    item->values = item_values(item, error);
    /* What does not fit into a name is to be said now, not when it was validated. */
    g_autoptr(GByteArray) subject = g_byte_array_new();
    return item->values && compose_subject(item, subject, error);
}

void item_clear(Item *item) {
    csr_free(item->request);
    if (item->names)
        g_ptr_array_unref(item->names);
    if (item->values)
        g_hash_table_unref(item->values);
    if (item->renewed)
        g_byte_array_unref(item->renewed);
    if (item->kept)
        g_ptr_array_unref(item->kept);
    x509_certificate_unref(item->certificate);
    *item = (Item){0};
}
