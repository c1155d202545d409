/* directory: certificates and revocation lists in an LDAP directory (RFC 4523): of each authority cACertificate;binary,
 * certificateRevocationList;binary and deltaRevocationList;binary, of each subscriber whose profile says so
 * userCertificate;binary.
 *
 * What stands there is compared with what should, and the difference is sent: a directory that was down is brought up to
 * date when it is back, and one that was emptied is filled again after pki_directory has forgotten it. */
#include "pki/pki.h"
#include "pki/profile.h"
#include "x509/der-write.h"

#define LDAP_DEPRECATED 0
#include <ldap.h>
#include <string.h>

enum { TIMEOUT_SECONDS = 10, PAGE = 500, PASSWORD_MAX = 512 };

typedef struct {
    LDAP *ldap;
    const VigieDirectory *directory;
    VigieStore *store;
    VigieTime now;
    GHashTable *titles; /* of authorities, as compared() has them: no subscriber's entry is named so */
    int64_t done;
} Sync;

static bool fail(const Sync *sync, const char *what, int code, GError **error) {
    char *more = NULL;
    ldap_get_option(sync->ldap, LDAP_OPT_DIAGNOSTIC_MESSAGE, &more);
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE, "pki.directory: %s: %s: %s%s%s",
                sync->directory->url, what, ldap_err2string(code), more && *more ? ": " : "",
                more && *more ? more : "");
    ldap_memfree(more);
    return false;
}

/* ---- The connection ------------------------------------------------------------------------------------------------- */
static bool set_options(LDAP *ldap, const VigieDirectory *directory) {
    const struct timeval limit = {.tv_sec = TIMEOUT_SECONDS};
    int version = LDAP_VERSION3, demand = LDAP_OPT_X_TLS_DEMAND, fresh = 0;
    bool well = ldap_set_option(ldap, LDAP_OPT_PROTOCOL_VERSION, &version) == LDAP_SUCCESS &&
                ldap_set_option(ldap, LDAP_OPT_NETWORK_TIMEOUT, &limit) == LDAP_SUCCESS &&
                ldap_set_option(ldap, LDAP_OPT_TIMEOUT, &limit) == LDAP_SUCCESS &&
                ldap_set_option(ldap, LDAP_OPT_REFERRALS, LDAP_OPT_OFF) == LDAP_SUCCESS &&
                ldap_set_option(ldap, LDAP_OPT_X_TLS_REQUIRE_CERT, &demand) == LDAP_SUCCESS;
    if (well && directory->ca_file && *directory->ca_file)
        well = ldap_set_option(ldap, LDAP_OPT_X_TLS_CACERTFILE, directory->ca_file) == LDAP_SUCCESS;
    return well && ldap_set_option(ldap, LDAP_OPT_X_TLS_NEWCTX, &fresh) == LDAP_SUCCESS;
}

static bool bind_to(Sync *sync, GError **error) {
    const VigieDirectory *directory = sync->directory;
    g_autofree char *password = NULL;
    gsize size = 0;
    g_autoptr(GError) why = NULL;
    if (*directory->password_file && !g_file_get_contents(directory->password_file, &password, &size, &why)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "pki.directory_password_file: %s", why->message);
        return false;
    }
    size = password ? strcspn(password, "\r\n") : 0;
    struct berval credentials = {.bv_len = MIN(size, PASSWORD_MAX), .bv_val = password};
    int code =
        ldap_sasl_bind_s(sync->ldap, directory->user, LDAP_SASL_SIMPLE, &credentials, NULL, NULL, NULL);
    if (password)
        explicit_bzero(password, size);
    return code == LDAP_SUCCESS || fail(sync, "login", code, error);
}

static bool open_directory(Sync *sync, GError **error) {
    int code = ldap_initialize(&sync->ldap, sync->directory->url);
    if (code != LDAP_SUCCESS || !set_options(sync->ldap, sync->directory)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "pki.directory: \"%s\": an LDAP address is wanted, as in ldaps://annuaire.chu.example",
                    sync->directory->url);
        return false;
    }
    bool clear = g_str_has_prefix(sync->directory->url, "ldap://");
    if (clear && sync->directory->start_tls &&
        (code = ldap_start_tls_s(sync->ldap, NULL, NULL)) != LDAP_SUCCESS)
        return fail(sync, "StartTLS", code, error);
    return bind_to(sync, error);
}

/* ---- Entries ----------------------------------------------------------------------------------------------------------- */
/* "cn=…,BASE": the name escaped (RFC 4514). Free with g_free. */
static char *entry_name(const char *name, const char *base) {
    LDAPAVA ava = {.la_attr = {2, (char *)(uintptr_t) "cn"},
                   .la_value = {strlen(name), (char *)(uintptr_t)name},
                   .la_flags = LDAP_AVA_STRING};
    LDAPAVA *parts[] = {&ava, NULL};
    LDAPRDN rdns[] = {parts, NULL};
    char *text = NULL;
    if (ldap_dn2str(rdns, &text, LDAP_DN_FORMAT_LDAPV3) != LDAP_SUCCESS)
        return NULL;
    char *whole = g_strconcat(text, ",", base, NULL);
    ldap_memfree(text);
    return whole;
}

/* One value, added, replaced or taken away. A value that is there already, or gone already, is what was wanted. */
static bool change(Sync *sync, const char *dn, int operation, const char *attribute, VigieBytes value,
                   GError **error) {
    struct berval octets = {value.size, (char *)(uintptr_t)value.data}, *values[] = {&octets, NULL};
    LDAPMod mod = {.mod_op = operation | LDAP_MOD_BVALUES,
                   .mod_type = (char *)(uintptr_t)attribute,
                   .mod_bvalues = values};
    LDAPMod *mods[] = {&mod, NULL};
    int code = ldap_modify_ext_s(sync->ldap, dn, mods, NULL, NULL);
    bool gone =
        operation == LDAP_MOD_DELETE && (code == LDAP_NO_SUCH_ATTRIBUTE || code == LDAP_NO_SUCH_OBJECT);
    return code == LDAP_SUCCESS || code == LDAP_TYPE_OR_VALUE_EXISTS || gone || fail(sync, dn, code, error);
}

/* Makes the entry where it is missing. `classes` has the auxiliary ones. */
static bool make_entry(Sync *sync, const char *dn, const char *name, const char *const *classes,
                       GError **error) {
    char *cn[] = {(char *)(uintptr_t)name, NULL};
    LDAPMod class_mod = {.mod_op = LDAP_MOD_ADD,
                         .mod_type = (char *)(uintptr_t) "objectClass",
                         .mod_values = (char **)(uintptr_t)classes};
    LDAPMod cn_mod = {.mod_op = LDAP_MOD_ADD, .mod_type = (char *)(uintptr_t) "cn", .mod_values = cn};
    LDAPMod *mods[] = {&class_mod, &cn_mod, NULL};
    int code = ldap_add_ext_s(sync->ldap, dn, mods, NULL, NULL);
    return code == LDAP_SUCCESS || code == LDAP_ALREADY_EXISTS || fail(sync, dn, code, error);
}

static bool remember(Sync *sync, const char *kind, int64_t ref, int64_t version, GError **error) {
    sync->done++;
    return store_exec(sync->store, error,
                      "INSERT INTO pki_directory (kind, ref, version, at) VALUES ($1, $2, $3, $4) "
                      "ON CONFLICT (kind, ref) DO UPDATE SET version = excluded.version, at = excluded.at",
                      "tiii", kind, ref, version, sync->now);
}

/* ---- Whose entry ------------------------------------------------------------------------------------------------------- */
/* The CN of a subject (RFC 4514), or all of it where it has none. Free with g_free. */
static char *name_of(const char *subject) {
    LDAPDN dn = NULL;
    char *name = NULL;
    if (ldap_str2dn(subject, &dn, LDAP_DN_FORMAT_LDAPV3) == LDAP_SUCCESS)
        for (size_t i = 0; dn && dn[i]; i++)
            for (size_t j = 0; dn[i][j]; j++)
                if (!name && dn[i][j]->la_attr.bv_len == strlen("cn") &&
                    g_ascii_strncasecmp(dn[i][j]->la_attr.bv_val, "cn", strlen("cn")) == 0)
                    name = g_strndup(dn[i][j]->la_value.bv_val, dn[i][j]->la_value.bv_len);
    ldap_dnfree(dn);
    return name ? name : g_strdup(subject);
}

/* As a directory compares names (RFC 4518 2): neither case nor the number of spaces nor how letters are composed. */
static char *compared(const char *name) {
    g_autofree char *composed = g_utf8_normalize(name, -1, G_NORMALIZE_ALL);
    g_autofree char *folded = g_utf8_casefold(composed ? composed : name, -1);
    g_autoptr(GString) out = g_string_new(NULL);
    for (const char *at = folded; *at; at = g_utf8_next_char(at)) {
        gunichar one = g_utf8_get_char(at);
        if (!g_unichar_isspace(one))
            g_string_append_unichar(out, one);
        else if (out->len && out->str[out->len - 1] != ' ')
            g_string_append_c(out, ' ');
    }
    g_strchomp(out->str);
    return g_strdup(out->str);
}

/* A subscriber who is called as an authority is has an entry by all of its subject: what stands at an authority's is the authority's. */
static char *subscriber_name(const Sync *sync, const char *subject) {
    char *name = name_of(subject);
    g_autofree char *same = compared(name);
    if (!g_hash_table_contains(sync->titles, same))
        return name;
    g_free(name);
    return g_strdup(subject);
}

static bool read_titles(Sync *sync, GError **error) {
    g_autoptr(VigieRows) rows = store_query(sync->store, error, "SELECT title FROM pki_authority", "");
    g_autoptr(GError) failure = NULL;
    while (rows && rows_next(rows, &failure))
        g_hash_table_add(sync->titles, compared(rows_text(rows, 0)));
    if (failure)
        g_propagate_error(error, g_steal_pointer(&failure));
    return rows && !failure;
}

/* ---- Authorities and their lists ------------------------------------------------------------------------------------------ */
typedef struct {
    int64_t id, version;
    char *kind, *title;
    GByteArray *value;
} Item;

static void item_free(void *data) {
    Item *item = data;
    g_free(item->kind);
    g_free(item->title);
    g_byte_array_unref(item->value);
    g_free(item);
}

static Item *item_read(const VigieRows *rows) {
    Item *item = g_new0(Item, 1);
    VigieBytes value = rows_blob(rows, 4);
    item->kind = g_strdup(rows_text(rows, 0));
    item->id = rows_int(rows, 1);
    item->version = rows_int(rows, 2);
    item->title = g_strdup(rows_text(rows, 3));
    item->value = g_byte_array_append(g_byte_array_new(), value.data, (guint)value.size);
    return item;
}

/* All rows first: writing while reading is not for every database. */
static GPtrArray *read_items(VigieRows *rows, GError **error) {
    g_autoptr(GPtrArray) items = g_ptr_array_new_with_free_func(item_free);
    g_autoptr(GError) failure = NULL;
    while (rows && rows_next(rows, &failure))
        g_ptr_array_add(items, item_read(rows));
    if (failure)
        g_propagate_error(error, g_steal_pointer(&failure));
    else if (rows)
        return g_steal_pointer(&items);
    return NULL;
}

static const char *attribute_of(const char *kind) {
    static const char *const attributes[][2] = {{"authority", "cACertificate;binary"},
                                                {"pair", "crossCertificatePair;binary"},
                                                {"crl", "certificateRevocationList;binary"},
                                                {"delta", "deltaRevocationList;binary"}};
    for (size_t i = 0; i < G_N_ELEMENTS(attributes); i++)
        if (strcmp(attributes[i][0], kind) == 0)
            return attributes[i][1];
    g_return_val_if_reached(NULL);
}

/* Certificates beside the tree that were not revoked, with the titles of whom they are of, s, which may be none here, and by, i. */
#define LINKS                                                                                                \
    "FROM pki_link k JOIN pki_certificate c ON c.id = k.certificate JOIN pki_authority i ON i.id = "         \
    "k.issuer "                                                                                              \
    "LEFT JOIN pki_authority s ON s.id = k.subject LEFT JOIN pki_revocation r ON r.certificate = c.id "      \
    "WHERE "                                                                                                 \
    "(r.reason IS NULL OR r.reason = 8) AND "

/* What stands at the entry of this title: of several generations several. */
static const char *values_sql(const char *kind) {
    static const char *const queries[][2] = {
        {"authority",
         "SELECT 'authority', 0, 0, title, certificate FROM pki_authority WHERE title = $1 UNION ALL "
         "SELECT 'authority', 0, 0, i.title, c.der " LINKS "i.title = $1 AND s.title = $1"},
        {"crl",
         "SELECT 'crl', 0, 0, a.title, l.der FROM pki_crl l JOIN pki_authority a ON a.id = l.authority WHERE "
         "a.title = $1 AND l.shard = 0 AND l.delta = 0"},
        {"delta",
         "SELECT 'delta', 0, 0, a.title, l.der FROM pki_crl l JOIN pki_authority a ON a.id = l.authority "
         "WHERE a.title = $1 AND l.shard = 0 AND l.delta = 1"},
        {"pair",
         "SELECT 'to', 0, 0, s.title, c.der " LINKS "s.title = $1 AND i.title <> $1 UNION ALL "
         "SELECT 'by', 0, 0, i.title, c.der " LINKS "i.title = $1 AND (s.title IS NULL OR s.title <> $1)"}};
    for (size_t i = 0; i < G_N_ELEMENTS(queries); i++)
        if (strcmp(queries[i][0], kind) == 0)
            return queries[i][1];
    g_return_val_if_reached(NULL);
}

/* RFC 4523 2.3, X.509 11.2.3: what was issued to this authority stands at [0], what it issued at [1]. */
static void pair_up(Item *item) {
    g_autoptr(GByteArray) certificate = item->value;
    item->value = g_byte_array_new();
    size_t pair = der_open(item->value, DER_SEQUENCE);
    size_t side = der_open(item->value, DER_CONTEXT_CONSTRUCTED(strcmp(item->kind, "to") == 0 ? 0 : 1));
    der_put_whole(item->value, der_bytes(certificate));
    der_close(item->value, side);
    der_close(item->value, pair);
}

/* All values of an attribute at once; none: it is taken away. */
static bool replace(Sync *sync, const char *dn, const char *title, const char *kind, GError **error) {
    g_autoptr(VigieRows) rows = store_query(sync->store, error, values_sql(kind), "t", title);
    g_autoptr(GPtrArray) items = read_items(rows, error);
    if (!items)
        return false;
    g_autofree struct berval *octets = g_new0(struct berval, items->len + 1);
    g_autofree struct berval **values = g_new0(struct berval *, items->len + 1);
    for (guint i = 0; i < items->len; i++) {
        Item *item = items->pdata[i];
        if (strcmp(kind, "pair") == 0)
            pair_up(item);
        octets[i] = (struct berval){item->value->len, (char *)item->value->data};
        values[i] = &octets[i];
    }
    LDAPMod mod = {.mod_op = LDAP_MOD_REPLACE | LDAP_MOD_BVALUES,
                   .mod_type = (char *)(uintptr_t)attribute_of(kind),
                   .mod_bvalues = values};
    LDAPMod *mods[] = {&mod, NULL};
    int code = ldap_modify_ext_s(sync->ldap, dn, mods, NULL, NULL);
    return code == LDAP_SUCCESS || fail(sync, dn, code, error);
}

#define CERTIFICATE "SELECT 'certificate', c.id, CAST(0 AS BIGINT), c.subject, c.der FROM pki_certificate c "

static bool withdraw_from(Sync *sync, const char *name, const Item *item, GError **error) {
    g_autofree char *dn = entry_name(name, sync->directory->base);
    VigieBytes value = vigie_bytes(item->value->data, item->value->len);
    sync->done++;
    return dn && change(sync, dn, LDAP_MOD_DELETE, "userCertificate;binary", value, error) &&
           store_exec(sync->store, error, "DELETE FROM pki_directory WHERE kind = 'certificate' AND ref = $1",
                      "i", item->id);
}

/* Subscribers whose entry had this name before the authority had it are published again, by their other name. */
static bool move_subscribers(Sync *sync, const char *title, GError **error) {
    g_autofree char *wanted = compared(title);
    g_autoptr(VigieRows) rows =
        store_query(sync->store, error,
                    CERTIFICATE "JOIN pki_directory d ON d.kind = 'certificate' AND d.ref = c.id", "");
    g_autoptr(GPtrArray) items = g_ptr_array_new_with_free_func(item_free);
    g_autoptr(GError) failure = NULL;
    while (rows && rows_next(rows, &failure)) {
        g_autofree char *name = name_of(rows_text(rows, 3)), *same = compared(name);
        if (strcmp(same, wanted) == 0)
            g_ptr_array_add(items, item_read(rows));
    }
    if (failure)
        g_propagate_error(error, g_steal_pointer(&failure));
    bool well = rows && !failure;
    for (guint i = 0; well && i < items->len; i++)
        well = withdraw_from(sync, title, items->pdata[i], error);
    return well;
}

/* An entry that was a subscriber's becomes the authority's, and it alone: where certificates of others stand there, too, the
 * directory does not allow it. */
static bool take_over(Sync *sync, const char *dn, const char *title, const char *const *classes,
                      GError **error) {
    struct berval subscriber = {strlen("pkiUser"), (char *)(uintptr_t) "pkiUser"};
    if (ldap_compare_ext_s(sync->ldap, dn, "objectClass", &subscriber, NULL, NULL) != LDAP_COMPARE_TRUE)
        return true;
    LDAPMod mod = {.mod_op = LDAP_MOD_REPLACE,
                   .mod_type = (char *)(uintptr_t) "objectClass",
                   .mod_values = (char **)(uintptr_t)classes};
    LDAPMod *mods[] = {&mod, NULL};
    if (!move_subscribers(sync, title, error))
        return false;
    int code = ldap_modify_ext_s(sync->ldap, dn, mods, NULL, NULL);
    return code == LDAP_SUCCESS || fail(sync, dn, code, error);
}

static bool publish_authority(Sync *sync, const Item *item, GError **error) {
    static const char *const classes[] = {"applicationProcess", "pkiCA", "deltaCRL", NULL};
    g_autofree char *dn = entry_name(item->title, sync->directory->base);
    return dn && make_entry(sync, dn, item->title, classes, error) &&
           take_over(sync, dn, item->title, classes, error) &&
           replace(sync, dn, item->title, item->kind, error) &&
           (strcmp(item->kind, "authority") != 0 || replace(sync, dn, item->title, "pair", error)) &&
           remember(sync, item->kind, item->id, item->version, error);
}

/* A divided list's parts have no place in one attribute: those are found by their distribution points. */
static bool publish_authorities(Sync *sync, GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        sync->store, error,
        "SELECT x.kind, x.id, x.version, x.title, x.der FROM ("
        "SELECT 'authority' AS kind, a.id, 1 + (SELECT COUNT(*) FROM pki_link k WHERE "
        "k.issuer = a.id OR k.subject = a.id) + (SELECT COUNT(*) FROM pki_link k JOIN pki_revocation r ON "
        "r.certificate = k.certificate AND r.reason <> 8 WHERE k.issuer = a.id OR k.subject = a.id) "
        "AS version, a.title, a.certificate AS der FROM pki_authority a UNION ALL "
        "SELECT CASE l.delta WHEN 0 THEN 'crl' ELSE 'delta' END, a.id, l.number, a.title, l.der "
        "FROM pki_crl l "
        "JOIN pki_authority a ON a.id = l.authority WHERE l.shard = 0) x "
        "LEFT JOIN pki_directory d ON d.kind = x.kind AND d.ref = x.id "
        "WHERE d.version IS NULL OR d.version <> x.version ORDER BY x.id, x.kind",
        "");
    g_autoptr(GPtrArray) items = read_items(rows, error);
    for (guint i = 0; items && i < items->len; i++)
        if (!publish_authority(sync, items->pdata[i], error))
            return false;
    return items != NULL;
}

/* ---- Subscribers ------------------------------------------------------------------------------------------------------------- */
static bool publish_certificate(Sync *sync, const Item *item, GError **error) {
    static const char *const classes[] = {"applicationProcess", "pkiUser", NULL};
    g_autofree char *name = subscriber_name(sync, item->title), *dn = entry_name(name, sync->directory->base);
    VigieBytes value = vigie_bytes(item->value->data, item->value->len);
    return dn && make_entry(sync, dn, name, classes, error) &&
           change(sync, dn, LDAP_MOD_ADD, "userCertificate;binary", value, error) &&
           remember(sync, "certificate", item->id, 0, error);
}

static bool withdraw_certificate(Sync *sync, const Item *item, GError **error) {
    g_autofree char *name = subscriber_name(sync, item->title);
    return withdraw_from(sync, name, item, error);
}

static bool each_page(Sync *sync, const char *sql, bool (*act)(Sync *, const Item *, GError **),
                      const char *profile, GError **error) {
    for (guint count = PAGE; count == PAGE;) {
        g_autoptr(VigieRows) rows =
            store_query(sync->store, error, sql, "iti", sync->now, profile, (int64_t)PAGE);
        g_autoptr(GPtrArray) items = read_items(rows, error);
        if (!items)
            return false;
        for (guint i = 0; i < items->len; i++)
            if (!act(sync, items->pdata[i], error))
                return false;
        count = items->len;
    }
    return true;
}

static bool publish_profile(Sync *sync, const char *profile, GError **error) {
    return each_page(sync,
                     CERTIFICATE "LEFT JOIN pki_directory d ON d.kind = 'certificate' AND d.ref = c.id "
                                 "LEFT JOIN pki_revocation r ON r.certificate = c.id "
                                 "WHERE d.ref IS NULL AND c.not_after > $1 AND c.profile = $2 "
                                 "AND (r.reason IS NULL OR r.reason = 8) ORDER BY c.id LIMIT $3",
                     publish_certificate, profile, error);
}

/* What was revoked, is held or has ended is no one's to use. */
static bool withdraw_ended(Sync *sync, const char *profile, GError **error) {
    return each_page(
        sync,
        CERTIFICATE
        "JOIN pki_directory d ON d.kind = 'certificate' AND d.ref = c.id "
        "LEFT JOIN pki_revocation r ON r.certificate = c.id "
        "WHERE (c.not_after <= $1 OR (r.reason IS NOT NULL AND r.reason <> 8)) AND c.profile = $2 "
        "ORDER BY c.id LIMIT $3",
        withdraw_certificate, profile, error);
}

bool pki_directory_publish(VigieStore *store, const VigieProfiles *profiles, const VigieDirectory *directory,
                           VigieTime now, int64_t *ret_changed, GError **error) {
    g_autoptr(GHashTable) titles = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    Sync sync = {.directory = directory, .store = store, .now = now, .titles = titles};
    g_auto(GStrv) names = profile_in_directory(profiles);
    bool well =
        read_titles(&sync, error) && open_directory(&sync, error) && publish_authorities(&sync, error);
    for (char **name = names; well && *name; name++)
        well = publish_profile(&sync, *name, error) && withdraw_ended(&sync, *name, error);
    if (sync.ldap)
        ldap_unbind_ext_s(sync.ldap, NULL, NULL);
    if (ret_changed)
        *ret_changed = sync.done;
    return well;
}

bool pki_directory_settings(const VigieConfig *config, VigieDirectory *ret_directory) {
    *ret_directory =
        (VigieDirectory){.url = vigie_config_text(config, "pki.directory"),
                         .base = vigie_config_text(config, "pki.directory_base"),
                         .user = vigie_config_text(config, "pki.directory_user"),
                         .password_file = vigie_config_text(config, "pki.directory_password_file"),
                         .ca_file = vigie_config_text(config, "pki.directory_ca_file"),
                         .start_tls = vigie_config_bool(config, "pki.directory_start_tls")};
    return *ret_directory->url != '\0';
}
