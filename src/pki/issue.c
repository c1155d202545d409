/* issue.c: from a request to a certificate. All that costs time is done before the transaction, so that several processes
 * sign at once; in it, the log has one writer. */
#include "pki/build.h"
#include "pki/csr.h"
#include "pki/name.h"
#include "pki/profile.h"
#include "pki/record.h"
#include "x509/der-write.h"

#include <openssl/sha.h>
#include <string.h>

enum { HOUR = 3600, DAY = 86400, VALUE_MAX = 256 };

typedef struct {
    VigieStore *store;
    VigieAuthority *authority;
    const VigieProfiles *profiles;
    const char *who;
    VigieTime now;
} Issuance;

/* One request on its way. */
typedef struct {
    const VigieIssueRequest *wanted;
    const Profile *profile;
    Csr *request;
    GPtrArray *names; /* that go into it; NULL-terminated */
    size_t shard;
    VigieCertificate *certificate;
} Item;

static bool deny(GError **error, const char *what, const char *why) {
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED, "%s: %s", what, why);
    return false;
}

/* ---- What the profile asks ---------------------------------------------------------------------------------- */
/* Three people: who asks, who validates, who issues. */
static bool check_people(const Issuance *issuance, const Item *item, GError **error) {
    const VigieIssueRequest *wanted = item->wanted;
    if (!item->profile->dual)
        return true;
    if (!wanted->requester || !wanted->validator)
        return deny(error, item->profile->name, "this profile wants both who asked and who validated");
    if (strcmp(wanted->requester, wanted->validator) == 0)
        return deny(error, item->profile->name, "who asks does not validate: another person is wanted");
    if (strcmp(wanted->requester, issuance->who) == 0 || strcmp(wanted->validator, issuance->who) == 0)
        return deny(error, item->profile->name,
                    "who issues neither asks nor validates: another person is wanted");
    return true;
}

static bool check_key(const Item *item, GError **error) {
    const Csr *request = item->request;
    const Profile *profile = item->profile;
    if (request->curve ? g_strv_contains((const char *const *)profile->curves, request->curve)
                       : request->rsa_bits >= profile->rsa_min && request->rsa_bits <= profile->rsa_max &&
                             profile->rsa_min)
        return true;
    return deny(error, profile->name, "this profile does not allow a key of this type or size");
}

/* A key that was told to be compromised does not come back under another name. */
static bool check_compromised(const Issuance *issuance, const Item *item, GError **error) {
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256(item->request->spki.data, item->request->spki.size, digest);
    VigieBytes hash = vigie_bytes(digest, sizeof digest);
    int64_t known = 0;
    if (!store_get_int(issuance->store, &known, error, "SELECT COUNT(*) FROM pki_bad_key WHERE hash = $1",
                       "b", &hash))
        return false;
    return known == 0 || deny(error, item->profile->name,
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

static const char *first_dns(const Item *item) {
    for (guint i = 0; item->names->pdata[i]; i++)
        if (g_str_has_prefix(item->names->pdata[i], "dns:"))
            return (const char *)item->names->pdata[i] + strlen("dns:");
    return NULL;
}

/* NULL without an error: it is not given and need not be. */
static const char *field_value(const Item *item, const ProfileField *field, GError **error) {
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

/* The values by field, checked once. */
static GHashTable *field_values(const Item *item, GError **error) {
    g_autoptr(GHashTable) values = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GError) why = NULL;
    for (guint i = 0; i < item->profile->fields->len; i++) {
        const ProfileField *field = item->profile->fields->pdata[i];
        const char *value = field_value(item, field, &why);
        if (why) {
            g_propagate_error(error, g_steal_pointer(&why));
            return NULL;
        }
        if (value)
            g_hash_table_insert(values, field->name, (void *)value);
    }
    return g_steal_pointer(&values);
}

/* A template filled; NULL where a field of it is not given. */
static char *fill(const char *template, GHashTable *values) {
    GString *text = g_string_sized_new(64);
    while (*template) {
        const char *close = *template == '{' ? strchr(template, '}') : NULL;
        if (!close) {
            g_string_append_c(text, *template ++);
            continue;
        }
        g_autofree char *name = g_strndup(template + 1, (gsize)(close - template - 1));
        const char *value = g_hash_table_lookup(values, name);
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

static bool refuse_name(const Item *item, const char *name, const char *why, GError **error) {
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED, "%s: %s: %s", item->profile->name, name, why);
    return false;
}

/* Those registered; a request that asks for one more is refused, not cut down in silence. */
static bool choose_names(Item *item, GError **error) {
    const VigieIssueRequest *wanted = item->wanted;
    item->names = g_ptr_array_new();
    for (const char *const *name = wanted->names; name && *name; name++)
        if (item->names->len < CSR_NAMES_MAX)
            g_ptr_array_add(item->names, (char *)*name);
    for (guint i = 0; i < item->request->names->len; i++) {
        char *name = item->request->names->pdata[i];
        if (has(wanted->names, name))
            continue;
        if (!wanted->accept_names)
            return refuse_name(item, name, "the request asks for this name, which was not validated", error);
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

static bool is_permitted(const VigieAuthority *authority, const char *name) {
    const json_t *list = json_object_get(authority->settings, "permitted");
    size_t kind = (size_t)(strchr(name, ':') - name) + 1;
    bool limited = false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *permitted = json_string_value(json_array_get(list, i));
        if (strncmp(permitted, name, kind) != 0)
            continue;
        limited = true;
        if (is_below(name, permitted))
            return true;
    }
    return !limited;
}

static bool check_names(const Issuance *issuance, const Item *item, GError **error) {
    const Profile *profile = item->profile;
    for (char **name = (char **)item->names->pdata; *name; name++) {
        const char *fault = general_name_fault(*name, false);
        g_autofree char *kind = fault ? NULL : g_strndup(*name, (gsize)(strchr(*name, ':') - *name));
        if (fault)
            return refuse_name(item, *name, fault, error);
        if (!profile->names || !g_strv_contains((const char *const *)profile->names, kind))
            return refuse_name(item, *name, "this profile carries no name of this kind", error);
        if (!is_permitted(issuance->authority, *name))
            return refuse_name(item, *name,
                               "this authority may not name it: it is not among what is permitted", error);
    }
    if (profile->names_required && !item->names->pdata[0])
        return deny(error, profile->name, "a name is wanted, as in --name dns:automate.chu.example");
    return true;
}

/* ---- Building ----------------------------------------------------------------------------------------------- */
static bool put_subject(const Item *item, GHashTable *values, GByteArray *out, GError **error) {
    NamePart parts[PROFILE_PARTS_MAX];
    char *texts[PROFILE_PARTS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < item->profile->part_count; i++) {
        const ProfilePart *part = &item->profile->parts[i];
        char *text = fill(part->value, values);
        if (!text)
            continue;
        texts[count] = text;
        parts[count] = (NamePart){part->attribute, text, part->joined && count > 0};
        count++;
    }
    bool well = name_put(out, parts, count, error);
    for (size_t i = 0; i < count; i++)
        g_free(texts[i]);
    return well;
}

static bool put_octets(GByteArray *value, const char *text) {
    size_t mark = der_open(value, DER_OCTET_STRING), size = strlen(text);
    for (size_t i = 0; i + 1 < size; i += 2) {
        int high = g_ascii_xdigit_value(text[i]), low = g_ascii_xdigit_value(text[i + 1]);
        if (high < 0 || low < 0)
            return false;
        g_byte_array_append(value, (const uint8_t[1]){(uint8_t)(high << 4 | low)}, 1);
    }
    der_close(value, mark);
    return size > 0 && size % 2 == 0;
}

static bool put_value(GByteArray *value, ValueType type, const char *text) {
    if (type == VALUE_OCTETS)
        return put_octets(value, text);
    if (type == VALUE_INTEGER) {
        guint64 number = 0;
        if (!g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT32, &number, NULL))
            return false;
        der_put_unsigned(value, DER_INTEGER, number);
        return true;
    }
    if (type == VALUE_PRINTABLE) {
        for (const char *at = text; *at; at++)
            if (!g_ascii_isalnum(*at) && !strchr(" '()+,-./:=?", *at))
                return false;
        der_put(value, DER_PRINTABLE, text, strlen(text));
        return *text != '\0';
    }
    g_auto(GStrv) members = g_strsplit(text, ",", 32);
    size_t sequence = der_open(value, DER_SEQUENCE);
    for (char **member = members; *member; member++)
        der_put(value, DER_UTF8, *member, strlen(*member));
    der_close(value, sequence);
    return members[0] != NULL;
}

static bool put_own_extensions(const Item *item, GHashTable *values, GByteArray *out, GError **error) {
    for (size_t i = 0; i < item->profile->extension_count; i++) {
        const ProfileExtension *extension = &item->profile->extensions[i];
        g_autofree char *text = fill(extension->value, values);
        g_autoptr(GByteArray) value = g_byte_array_new();
        if (!text)
            continue;
        if (!put_value(value, extension->type, text)) {
            g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                        "%s, extension %s: \"%.60s\" is not of its type", item->profile->name, extension->oid,
                        text);
            return false;
        }
        extension_put(out, extension->oid, extension->critical, der_bytes(value));
    }
    return true;
}

/* privateKeyUsagePeriod (RFC 3280 4.2.1.4), in certificates for signing of IGC-Santé. */
static void put_key_period(const CertificateParts *parts, int days, GByteArray *out) {
    g_autoptr(GByteArray) value = g_byte_array_new();
    size_t sequence = der_open(value, DER_SEQUENCE);
    der_put_generalized_time(value, DER_CONTEXT(0), parts->not_before);
    der_put_generalized_time(value, DER_CONTEXT(1),
                             MIN(parts->not_before + (VigieTime)days * DAY, parts->not_after));
    der_close(value, sequence);
    extension_put(out, "2.5.29.16", false, der_bytes(value));
}

static bool put_extensions(const Issuance *issuance, const Item *item, const CertificateParts *parts,
                           GHashTable *values, GByteArray *out, GError **error) {
    const Profile *profile = item->profile;
    const VigieAuthority *authority = issuance->authority;
    const AuthorityPoints *points = &authority->points[item->shard];
    const char *const policies[] = {authority_policy(authority, profile->name), NULL};
    uint8_t key_id[20];
    if (!signer_key_id(item->request->spki, key_id))
        return false;
    extension_put_basic_constraints(out, false, -1);
    extension_put_key_usage(out, profile->key_usage |
                                     (item->request->curve ? profile->key_usage_ec : profile->key_usage_rsa));
    if (profile->purposes && profile->purposes[0])
        extension_put_purposes(out, (const char *const *)profile->purposes);
    extension_put_subject_key(out, key_id);
    extension_put_authority_key(out, authority->key_id);
    extension_put_policies(out, policies);
    extension_put_names(out, (const char *const *)item->names->pdata, parts->subject.size <= 2);
    if (profile->no_check) {
        extension_put(out, "1.3.6.1.5.5.7.48.1.5", false, vigie_bytes("\x05\x00", 2));
    } else {
        extension_put_points(out, "2.5.29.31", (const char *const *)points->crl);
        extension_put_points(out, "2.5.29.46", (const char *const *)points->delta);
        extension_put_access(out, (const char *const *)authority->ocsp_urls,
                             (const char *const *)authority->issuer_urls);
    }
    if (profile->private_key_days)
        put_key_period(parts, profile->private_key_days, out);
    return put_own_extensions(item, values, out, error);
}

static bool sign(const Issuance *issuance, Item *item, GHashTable *values, GError **error) {
    const VigieAuthority *authority = issuance->authority;
    const Profile *profile = item->profile;
    g_autoptr(GByteArray) subject = g_byte_array_sized_new(256), extensions = g_byte_array_sized_new(1024),
                          tbs = g_byte_array_sized_new(2048), der = g_byte_array_sized_new(2048);
    uint8_t serial[SERIAL_OCTETS];
    int days =
        item->wanted->days > 0 && item->wanted->days < profile->days ? item->wanted->days : profile->days;
    if (!build_serial(serial, error) || !put_subject(item, values, subject, error))
        return false;
    /* From an hour ago, for clocks that are late; the last second is the 86,400th of the last day. */
    CertificateParts parts = {.serial = serial,
                              .issuer = authority->subject,
                              .subject = der_bytes(subject),
                              .spki = item->request->spki,
                              .not_before = MAX(issuance->now - HOUR, authority->not_before),
                              .extensions = extensions};
    parts.not_after = MIN(parts.not_before + (VigieTime)days * DAY - 1, authority->not_after);
    item->shard = serial[SERIAL_OCTETS - 1] % authority->shards;
    if (!put_extensions(issuance, item, &parts, values, extensions, error))
        return false;
    build_tbs(tbs, &parts, authority->signer->algorithm);
    if (!build_check(der_bytes(tbs), authority->signer->algorithm, (const char *const *)profile->waivers,
                     profile->name, error) ||
        !build_sign(der, der_bytes(tbs), authority->signer, error))
        return false;
    item->certificate = x509_certificate_new(der_bytes(der), error);
    return item->certificate != NULL;
}

static bool prepare(const Issuance *issuance, const VigieIssueRequest *wanted, Item *item, GError **error) {
    item->wanted = wanted;
    item->profile = profile_find(issuance->profiles, wanted->profile);
    bool served = false;
    const json_t *list = json_object_get(issuance->authority->settings, "profiles");
    for (size_t i = 0; i < json_array_size(list); i++)
        served = served || strcmp(json_string_value(json_array_get(list, i)), wanted->profile) == 0;
    if (!item->profile || !served) {
        g_set_error(error, VIGIE_ERROR, item->profile ? VIGIE_ERROR_DENIED : VIGIE_ERROR_NOT_FOUND,
                    "profile %s: %s", wanted->profile,
                    item->profile ? "this authority does not issue it"
                                  : "there is none of that name in knowledge/profiles");
        return false;
    }
    item->request = csr_read(wanted->csr, error);
    if (!item->request || !check_people(issuance, item, error) || !check_key(item, error) ||
        !check_compromised(issuance, item, error) || !check_fields(item, error) ||
        !choose_names(item, error) || !check_names(issuance, item, error))
        return false;
    g_autoptr(GHashTable) values = field_values(item, error);
    return values && sign(issuance, item, values, error);
}

static void item_clear(Item *item) {
    csr_free(item->request);
    if (item->names)
        g_ptr_array_unref(item->names);
    x509_certificate_unref(item->certificate);
}

/* ---- The commit --------------------------------------------------------------------------------------------- */
/* An authority that ended, or was revoked, issues nothing. */
static bool check_authority(const Issuance *issuance, GError **error) {
    const VigieAuthority *authority = issuance->authority;
    int64_t revoked = 0;
    CertificateView view;
    if (!authority_must_sign(authority, error))
        return false;
    if (issuance->now < authority->not_before || issuance->now > authority->not_after)
        return deny(error, authority->name,
                    "its certificate is not valid now: look at the clock, or renew it");
    if (!certificate_view(der_bytes(authority->der), &view) ||
        !store_get_int(
            issuance->store, &revoked, error,
            "SELECT COUNT(*) FROM pki_authority a JOIN pki_certificate c ON c.authority = COALESCE(a.parent, "
            "a.id) AND "
            "c.serial = $2 JOIN pki_revocation r ON r.certificate = c.id WHERE a.id = $1 AND r.reason <> 8",
            "ib", authority->id, &view.serial))
        return false;
    return revoked == 0 || deny(error, authority->name, "its certificate is revoked");
}

static bool commit(const Issuance *issuance, const Item *items, size_t count, GError **error) {
    Journal journal;
    g_autoptr(VigieTransaction) tx = store_begin(issuance->store, error);
    if (!tx || !journal_begin(&journal, issuance->store, issuance->who, issuance->now, error) ||
        !check_authority(issuance, error))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!items[i].certificate)
            continue;
        IssuedRecord record = {.authority = issuance->authority,
                               .certificate = items[i].certificate,
                               .profile = items[i].profile->name,
                               .shard = items[i].shard,
                               .device = items[i].wanted->device,
                               .requester = items[i].wanted->requester,
                               .validator = items[i].wanted->validator};
        if (!record_issued(&journal, &record, NULL, error))
            return false;
    }
    return journal_end(&journal, issuance->authority->signer, issuance->authority->id, error) &&
           store_commit(&tx, error);
}

bool pki_issue(VigieStore *store, VigieAuthority *authority, const VigieProfiles *profiles,
               const VigieIssueRequest *requests, size_t count, VigieIssued *ret, const char *who,
               VigieTime now, GError **error) {
    Issuance issuance = {store, authority, profiles, who, now};
    if (!check_authority(&issuance, error))
        return false;
    Item *items = g_new0(Item, count);
    bool any = false;
    for (size_t i = 0; i < count; i++)
        any = prepare(&issuance, &requests[i], &items[i], &ret[i].error) || any;
    bool well = !any || commit(&issuance, items, count, error);
    for (size_t i = 0; i < count; i++) {
        if (well && items[i].certificate) {
            ret[i].serial = g_strdup(items[i].certificate->serial);
            ret[i].der = g_byte_array_append(g_byte_array_new(), items[i].certificate->der.data,
                                             (guint)items[i].certificate->der.size);
        }
        item_clear(&items[i]);
    }
    g_free(items);
    return well;
}

void pki_issued_clear(VigieIssued *issued) {
    g_free(issued->serial);
    if (issued->der)
        g_byte_array_unref(issued->der);
    g_clear_error(&issued->error);
    *issued = (VigieIssued){0};
}
