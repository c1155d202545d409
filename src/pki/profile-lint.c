/* profile-lint.c: a certificate held against a profile. What its subject and extensions say is read back as the profile's
 * fields; of these the signer's own functions make the subject and the extensions that it would sign, and the two are
 * compared. A request is held against what the profile asks of one. */
#include "pki/compose.h"
#include "pki/name.h"
#include "x509/der-write.h"

#include <string.h>

enum { DAY = 86400, PARTS_MAX = 64, EXTENSIONS_MAX = 64, OID_TEXT = 64, TEXT_MAX = 4096 };

typedef enum {
    KEY,
    NAMES,
    FIELD,
    SUBJECT,
    LIFETIME,
    KEY_USAGE,
    PURPOSES,
    EXTENSION,
    FOREIGN,
    POLICY,
    PROOF,
    RULES
} Rule;

static const struct {
    const char *id, *member; /* of the profile */
} rules[RULES] = {
    [KEY] = {"profile.key", "curves, rsa"},
    [NAMES] = {"profile.names", "names"},
    [FIELD] = {"profile.field", "fields"},
    [SUBJECT] = {"profile.subject", "subject"},
    [LIFETIME] = {"profile.lifetime", "days"},
    [KEY_USAGE] = {"profile.key-usage", "key_usage"},
    [PURPOSES] = {"profile.purposes", "purposes"},
    [EXTENSION] = {"profile.extension", "extensions"},
    [FOREIGN] = {"profile.extension-foreign", "extensions"},
    [POLICY] = {"profile.policy", "policy"},
    [PROOF] = {"profile.request", "RFC 2986 4.2"},
};

typedef struct {
    const Profile *profile;
    const char *const *passed; /* ids that are passed over, or NULL */
    json_t *found;
} Check;

static void tell(const Check *check, Rule rule, const char *detail) {
    if (check->passed && g_strv_contains(check->passed, rules[rule].id))
        return;
    g_autofree char *clause = g_strdup_printf("%s.json, %s", check->profile->name, rules[rule].member);
    g_autofree char *text = g_utf8_make_valid(detail, MIN((gssize)strlen(detail), 200));
    json_array_append_new(check->found, json_pack("{s:s, s:s, s:s, s:s}", "id", rules[rule].id, "severity",
                                                  "error", "clause", clause, "detail", text));
}

bool pki_profile_lint_known(const char *id) {
    for (size_t i = 0; i < RULES; i++)
        if (strcmp(rules[i].id, id) == 0)
            return true;
    return false;
}

/* ---- Key and names --------------------------------------------------------------------------------------- */
static void check_key(const Check *check, const Csr *key) {
    if (item_check_key(check->profile, key, NULL))
        return;
    g_autofree char *rsa = g_strdup_printf("RSA %u", key->rsa_bits);
    tell(check, KEY, key->curve ? key->curve : rsa);
}

static void check_names(const Check *check, const GPtrArray *names) {
    for (guint i = 0; names->pdata[i]; i++)
        if (!item_check_name(check->profile, names->pdata[i], NULL))
            tell(check, NAMES, names->pdata[i]);
    if (check->profile->names_required && !names->pdata[0])
        tell(check, NAMES, "");
}

/* Those of a kind that no profile carries are told at once. */
static GPtrArray *names_of(const Check *check, const VigieCertificate *certificate) {
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    for (size_t i = 0; i < certificate->name_count; i++) {
        char *name = item_name_of(&certificate->names[i]);
        if (name)
            g_ptr_array_add(names, name);
        else
            tell(check, NAMES, certificate->names[i].text);
    }
    g_ptr_array_add(names, NULL);
    return names;
}

/* ---- Fields, read back ----------------------------------------------------------------------------------- */
/* What stands for each {field} where `template` makes `text`; nothing where it does not. */
static void read_back(json_t *fields, const char *template, const char *text) {
    g_autoptr(GString) pattern = g_string_new("\\A");
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GMatchInfo) match = NULL;
    while (*template) {
        const char *close = *template == '{' ? strchr(template, '}') : NULL;
        if (close) {
            g_ptr_array_add(names, g_strndup(template + 1, (gsize)(close - template - 1)));
            g_string_append(pattern, "(.+?)");
            template = close + 1;
            continue;
        }
        g_autofree char *literal = g_regex_escape_string(template ++, 1);
        g_string_append(pattern, literal);
    }
    g_string_append(pattern, "\\z");
    g_autoptr(GRegex) regex = g_regex_new(pattern->str, G_REGEX_DOTALL, 0, NULL);
    if (!regex || strlen(text) > TEXT_MAX || !g_utf8_validate(text, -1, NULL) ||
        !g_regex_match(regex, text, 0, &match))
        return;
    for (guint i = 0; i < names->len; i++) {
        g_autofree char *value = g_match_info_fetch(match, (gint)i + 1);
        json_object_set_new(fields, names->pdata[i], json_string(value));
    }
}

/* ---- Subject --------------------------------------------------------------------------------------------- */
typedef struct {
    char attribute[OID_TEXT]; /* "CN", or a dotted OID */
    char *text;
    size_t rdn;
} Part;

typedef struct {
    Part parts[PARTS_MAX];
    size_t count;
} Parts;

static void parts_clear(Parts *parts) {
    for (size_t i = 0; i < parts->count; i++)
        g_free(parts->parts[i].text);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Parts, parts_clear)

static bool read_part(Parts *parts, VigieBytes pair, size_t rdn) {
    const char *clause = NULL;
    DerElement type, value;
    VigieReader in = vigie_reader(pair);
    Part *part = &parts->parts[parts->count];
    if (parts->count == PARTS_MAX || !der_expect(&in, DER_OID, &type, &clause) ||
        !der_next(&in, &value, &clause) || !der_oid_text(type.value, part->attribute, sizeof part->attribute))
        return false;
    const char *name = name_attribute_of(part->attribute);
    if (name)
        g_strlcpy(part->attribute, name, sizeof part->attribute);
    part->text = g_utf8_make_valid((const char *)value.value.data, (gssize)value.value.size);
    part->rdn = rdn;
    parts->count++;
    return true;
}

/* A Name's parts, in their order; as far as it can be read. */
static void read_parts(VigieBytes name, Parts *parts) {
    const char *clause = NULL;
    DerElement sequence, rdn, pair;
    VigieReader in = vigie_reader(name);
    if (!der_expect(&in, DER_SEQUENCE, &sequence, &clause))
        return;
    in = vigie_reader(sequence.value);
    for (size_t number = 0; der_next(&in, &rdn, &clause); number++) {
        VigieReader members = vigie_reader(rdn.value);
        while (der_next(&members, &pair, &clause))
            if (!read_part(parts, pair.value, number))
                return;
    }
}

static const Part *part_of(const Parts *parts, size_t rdn, const char *attribute) {
    for (size_t i = 0; i < parts->count; i++)
        if (parts->parts[i].rdn == rdn && strcmp(parts->parts[i].attribute, attribute) == 0)
            return &parts->parts[i];
    return NULL;
}

/* The profile's parts that stand together are looked for in the next of the subject's that has one of them. */
static void read_subject_back(const Profile *profile, const Parts *subject, json_t *fields) {
    size_t rdn = 0;
    for (size_t i = 0, next; i < profile->part_count; i = next) {
        bool any = false;
        for (next = i; next < profile->part_count && (next == i || profile->parts[next].joined); next++) {
            const Part *part = part_of(subject, rdn, profile->parts[next].attribute);
            if (part)
                read_back(fields, profile->parts[next].value, part->text);
            any = any || part;
        }
        rdn += any;
    }
}

static char *parts_text(const Parts *parts) {
    GString *text = g_string_new(NULL);
    for (size_t i = 0; i < parts->count; i++)
        g_string_append_printf(text, "%s%s=%s",
                               i == 0                                           ? ""
                               : parts->parts[i].rdn == parts->parts[i - 1].rdn ? "+"
                                                                                : ", ",
                               parts->parts[i].attribute, parts->parts[i].text);
    return g_string_free(text, FALSE);
}

/* As text: which type of string carries it is x509_lint's business. */
static void compare_subject(const Check *check, const Item *item, const Parts *subject, GByteArray *made) {
    g_autoptr(GError) why = NULL;
    g_auto(Parts) wanted = {0};
    if (compose_subject(item, made, &why))
        read_parts(der_bytes(made), &wanted);
    g_autofree char *is = parts_text(subject), *should = parts_text(&wanted);
    bool same = subject->count == wanted.count;
    for (size_t i = 0; same && i < wanted.count; i++) {
        const Part *part = part_of(subject, wanted.parts[i].rdn, wanted.parts[i].attribute);
        same = part && strcmp(part->text, wanted.parts[i].text) == 0;
    }
    if (!same)
        tell(check, SUBJECT, why ? why->message : should);
}

/* ---- Extensions ------------------------------------------------------------------------------------------ */
typedef struct {
    char oid[OID_TEXT];
    bool critical;
    VigieBytes value;
} Extension;

static size_t read_extensions(VigieBytes list, Extension extensions[EXTENSIONS_MAX]) {
    size_t count = 0;
    const char *clause = NULL;
    DerElement element, oid, critical, value;
    VigieReader in = vigie_reader(list);
    while (count < EXTENSIONS_MAX && der_next(&in, &element, &clause)) {
        VigieReader parts = vigie_reader(element.value);
        Extension *one = &extensions[count];
        if (!der_expect(&parts, DER_OID, &oid, &clause) ||
            !der_oid_text(oid.value, one->oid, sizeof one->oid))
            continue;
        one->critical = der_optional(&parts, DER_BOOLEAN, &critical, &clause) && critical.value.size == 1 &&
                        critical.value.data[0];
        if (!der_expect(&parts, DER_OCTET_STRING, &value, &clause))
            continue;
        one->value = value.value;
        count++;
    }
    return count;
}

static const Extension *find(const Extension *extensions, size_t count, const char *oid) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(extensions[i].oid, oid) == 0)
            return &extensions[i];
    return NULL;
}

/* An own extension's value as the profile writes it; NULL where it is not of its type. Free with g_free. */
static char *value_text(ValueType type, VigieBytes der) {
    static const uint8_t tags[VALUE_TYPES] = {DER_INTEGER, DER_OCTET_STRING, DER_PRINTABLE, DER_SEQUENCE};
    const char *clause = NULL;
    DerElement value, member;
    VigieReader in = vigie_reader(der);
    if (!der_expect(&in, tags[type], &value, &clause) || in.rest.size > 0)
        return NULL;
    if (type == VALUE_OCTETS)
        return vigie_hex_text(value.value);
    if (type == VALUE_PRINTABLE)
        return g_utf8_make_valid((const char *)value.value.data, (gssize)value.value.size);
    if (type == VALUE_INTEGER) {
        VigieReader number = vigie_reader(der_magnitude(value.value));
        return number.rest.size > 4 ? NULL
                                    : g_strdup_printf("%u", vigie_read_uint(&number, number.rest.size));
    }
    GString *list = g_string_new(NULL);
    in = vigie_reader(value.value);
    while (der_expect(&in, DER_UTF8, &member, &clause)) {
        g_autofree char *text = g_utf8_make_valid((const char *)member.value.data, (gssize)member.value.size);
        g_string_append_printf(list, "%s%s", list->len ? "," : "", text);
        if (in.rest.size == 0)
            break;
    }
    return g_string_free(list, FALSE);
}

static void read_extensions_back(const Profile *profile, const Extension *extensions, size_t count,
                                 json_t *fields) {
    for (size_t i = 0; i < profile->extension_count; i++) {
        const ProfileExtension *own = &profile->extensions[i];
        const Extension *one = find(extensions, count, own->oid);
        g_autofree char *text = one ? value_text(own->type, one->value) : NULL;
        if (text)
            read_back(fields, own->value, text);
    }
}

static bool has_element(VigieBytes list, VigieBytes wanted) {
    const char *clause = NULL;
    DerElement sequence, element;
    VigieReader in = vigie_reader(list);
    if (!der_expect(&in, DER_SEQUENCE, &sequence, &clause))
        return false;
    in = vigie_reader(sequence.value);
    while (der_next(&in, &element, &clause))
        if (vigie_bytes_equal(element.whole, wanted))
            return true;
    return false;
}

/* The same members in any order. */
static bool same_members(VigieBytes one, VigieBytes other) {
    const char *clause = NULL;
    DerElement sequence, element;
    VigieReader in = vigie_reader(one);
    bool same = one.size == other.size && der_expect(&in, DER_SEQUENCE, &sequence, &clause);
    in = vigie_reader(same ? sequence.value : (VigieBytes){0});
    while (same && der_next(&in, &element, &clause))
        same = has_element(other, element.whole);
    return same;
}

/* How an extension is compared, where it is not octet by octet. */
typedef enum { WHOLE, PRESENT, MEMBERS } Comparison;
static const struct {
    const char *oid;
    Comparison comparison;
    Rule rule;
} compared[] = {
    {"2.5.29.14", PRESENT, EXTENSION}, /* the key's identifier has several methods */
    {"2.5.29.15", WHOLE, KEY_USAGE},
    {"2.5.29.17", PRESENT, NAMES}, /* check_names has looked at them */
    {"2.5.29.37", MEMBERS, PURPOSES},
};

static void compare_extension(const Check *check, const Extension *wanted, const Extension *is) {
    Comparison comparison = WHOLE;
    Rule rule = EXTENSION;
    for (size_t i = 0; i < G_N_ELEMENTS(compared); i++)
        if (strcmp(compared[i].oid, wanted->oid) == 0) {
            comparison = compared[i].comparison;
            rule = compared[i].rule;
        }
    bool same =
        is && is->critical == wanted->critical &&
        (comparison == PRESENT || (comparison == MEMBERS ? same_members(is->value, wanted->value)
                                                         : vigie_bytes_equal(is->value, wanted->value)));
    if (!same)
        tell(check, rule, wanted->oid);
}

/* What the authority adds, whatever the profile: its key, policies, where revocation is told. */
static bool is_authoritys(const char *oid) {
    static const char *const oids[] = {"2.5.29.35", "2.5.29.32",         "2.5.29.31",
                                       "2.5.29.46", "1.3.6.1.5.5.7.1.1", NULL};
    return g_strv_contains(oids, oid);
}

static void compare_extensions(const Check *check, const GByteArray *made, const Extension *extensions,
                               size_t count) {
    Extension wanted[EXTENSIONS_MAX];
    size_t wanted_count = read_extensions(der_bytes(made), wanted);
    for (size_t i = 0; i < wanted_count; i++)
        compare_extension(check, &wanted[i], find(extensions, count, wanted[i].oid));
    for (size_t i = 0; i < count; i++)
        if (!find(wanted, wanted_count, extensions[i].oid) && !is_authoritys(extensions[i].oid))
            tell(check, FOREIGN, extensions[i].oid);
}

static void check_policy(const Check *check, const char *policy, const Extension *policies) {
    g_autoptr(GByteArray) made = g_byte_array_new();
    Extension wanted[EXTENSIONS_MAX];
    extension_put_policies(made, (const char *const[]){policy, NULL});
    bool same = policies && read_extensions(der_bytes(made), wanted) == 1 &&
                vigie_bytes_equal(wanted[0].value, policies->value);
    if (!same)
        tell(check, POLICY, policy);
}

/* ---- All of it ------------------------------------------------------------------------------------------- */
/* False where a field is at fault: then there is nothing to compare with. */
static bool check_fields(const Check *check, Item *item) {
    bool well = true;
    for (guint i = 0; i < check->profile->fields->len; i++) {
        const ProfileField *field = check->profile->fields->pdata[i];
        g_autoptr(GError) why = NULL;
        item_field_value(item, field, &why);
        if (!why)
            continue;
        const char *value = json_string_value(json_object_get(item->wanted->fields, field->name));
        g_autofree char *text =
            value ? g_strdup_printf("%s = %s", field->name, value) : g_strdup(field->name);
        tell(check, FIELD, text);
        well = false;
    }
    g_autoptr(GError) together = NULL;
    item->values = well ? item_values(item, &together) : NULL;
    if (together) { /* each is well, and yet not exactly one of those of which one is wanted */
        g_autofree char *names = check->profile->one_of ? g_strjoinv(", ", check->profile->one_of) : NULL;
        tell(check, FIELD, names ? names : together->message);
    }
    return item->values != NULL;
}

static void compare_made(const Check *check, Item *item, const CertificateView *view, const Parts *subject,
                         const Extension *extensions, size_t count) {
    g_autoptr(GByteArray) name = g_byte_array_new(), made = g_byte_array_new();
    if (!check_fields(check, item))
        return;
    compare_subject(check, item, subject, name);
    const CertificateParts parts = {.subject = view->subject,
                                    .spki = view->spki,
                                    .not_before = view->not_before,
                                    .not_after = view->not_after};
    g_autoptr(GError) why = NULL;
    if (compose_extensions(item, &parts, made, &why))
        compare_extensions(check, made, extensions, count);
    else
        tell(check, EXTENSION, why ? why->message : "");
}

static void check_certificate(const Check *check, const VigieCertificate *certificate,
                              const CertificateView *view, const char *policy) {
    Extension extensions[EXTENSIONS_MAX];
    g_auto(Parts) subject = {0};
    g_autoptr(json_t) fields = json_object();
    size_t count = read_extensions(view->extensions, extensions);
    VigieTime life = view->not_after - view->not_before + 1;
    read_parts(view->subject, &subject);
    read_subject_back(check->profile, &subject, fields);
    read_extensions_back(check->profile, extensions, count, fields);
    const VigieIssueRequest wanted = {.fields = fields};
    Item item = {.wanted = &wanted, .profile = check->profile, .request = csr_of_key(view->spki, NULL)};
    item.names = names_of(check, certificate);
    check_names(check, item.names);
    if (item.request)
        check_key(check, item.request);
    else
        tell(check, KEY, x509_key_name(certificate->key));
    if (life > (VigieTime)check->profile->days * DAY) {
        g_autofree char *days =
            g_strdup_printf("%" G_GINT64_FORMAT " > %d", (life + DAY - 1) / DAY, check->profile->days);
        tell(check, LIFETIME, days);
    }
    if (item.request)
        compare_made(check, &item, view, &subject, extensions, count);
    if (policy)
        check_policy(check, policy, find(extensions, count, "2.5.29.32"));
    item_clear(&item);
}

static void check_request(const Check *check, VigieBytes der) {
    g_autoptr(GError) why = NULL;
    g_autoptr(Csr) request = csr_read(der, &why);
    if (!request) {
        tell(check, PROOF, why->message);
        return;
    }
    g_ptr_array_add(request->names, NULL);
    check_key(check, request);
    check_names(check, request->names);
}

/* What breaks a rule that the profile waives goes from `found` to `waived`. */
static void waive(const Profile *profile, json_t *found, json_t *waived) {
    for (size_t i = json_array_size(found); i-- > 0;) {
        json_t *one = json_array_get(found, i);
        const char *id = json_string_value(json_object_get(one, "id"));
        if (!profile->waivers || !g_strv_contains((const char *const *)profile->waivers, id))
            continue;
        json_array_insert(waived, 0, one);
        json_array_remove(found, i);
    }
}

json_t *pki_profile_lint(const VigieProfiles *profiles, const VigieProfileLint *lint, VigieBytes der,
                         GError **error) {
    const Profile *profile = profile_find(profiles, lint->profile);
    if (!profile) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND,
                    "profile %s: there is none of that name; vigie ca profiles lists them", lint->profile);
        return NULL;
    }
    g_autoptr(json_t) found = json_array(), waived = json_array();
    const Check check = {.profile = profile, .passed = lint->waived, .found = found};
    if (lint->request) {
        check_request(&check, der);
        return json_pack("{s:O, s:O}", "findings", found, "waived", waived);
    }
    CertificateView view;
    g_autoptr(VigieCertificate) certificate = x509_certificate_new(der, error);
    g_autoptr(json_t) general = certificate ? x509_lint(der, lint->waived, error) : NULL;
    if (!general)
        return NULL;
    waive(profile, general, waived);
    json_array_extend(found, general);
    if (certificate_view(der, &view))
        check_certificate(&check, certificate, &view, lint->policy);
    return json_pack("{s:O, s:O}", "findings", found, "waived", waived);
}
