/* ceremony.c: keys are made, certificates signed, the log begun. All of it or nothing: what fails takes its key files away. */
#include "pki/build.h"
#include "pki/hierarchy.h"
#include "pki/name.h"
#include "pki/record.h"
#include "x509/der-write.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HOUR = 3600, DAYS_OF_4_YEARS = 1461, DAY = 86400, USE_CERTIFICATES_AND_LISTS = 0x0600 };

typedef struct {
    VigieStore *store;
    const VigieCeremony *plan;
    Journal journal;
    GHashTable *open;   /* name: VigieAuthority with its key, which signs here */
    GPtrArray *written; /* key files to take away where it fails */
    json_t *made, *kept;
    const VigieAuthority *last; /* that signed */
} Ceremony;

/* A passphrase is asked for once for each authority and wiped at once. */
static char *ask(const Ceremony *ceremony, const char *name, bool new_key, GError **error) {
    return ceremony->plan->passphrase(name, new_key, ceremony->plan->data, error);
}

static void forget(char *passphrase) {
    if (passphrase)
        explicit_bzero(passphrase, strlen(passphrase));
    g_free(passphrase);
}

/* The one that signs for `name`: made in this ceremony, or opened now. */
static VigieAuthority *issuer_of(Ceremony *ceremony, const char *name, GError **error) {
    VigieAuthority *known = g_hash_table_lookup(ceremony->open, name);
    if (known)
        return known;
    char *passphrase = ask(ceremony, name, false, error);
    known = passphrase ? pki_authority_open(ceremony->store, name, passphrase, error) : NULL;
    forget(passphrase);
    if (known)
        g_hash_table_insert(ceremony->open, known->name, known);
    return known;
}

static void put_extensions(GByteArray *out, const HierarchyAuthority *declared, const Signer *signer,
                           const VigieAuthority *issuer) {
    extension_put_basic_constraints(out, true, declared->path_length);
    extension_put_key_usage(out, USE_CERTIFICATES_AND_LISTS);
    extension_put_subject_key(out, signer->key_id);
    extension_put_permitted(out, (const char *const *)declared->permitted);
    if (!issuer)
        return;
    extension_put_authority_key(out, issuer->key_id);
    extension_put_policies(out, (const char *const *)declared->policies);
    extension_put_points(out, "2.5.29.31", (const char *const *)issuer->points[0].crl);
    extension_put_points(out, "2.5.29.46", (const char *const *)issuer->points[0].delta);
    extension_put_access(out, (const char *const *)issuer->ocsp_urls,
                         (const char *const *)issuer->issuer_urls);
}

/* Valid from an hour ago, for clocks that are late; never longer than its issuer. */
static void put_validity(CertificateParts *parts, const HierarchyAuthority *declared,
                         const VigieAuthority *issuer, VigieTime now) {
    parts->not_before = now - HOUR;
    parts->not_after = now + (VigieTime)declared->years * DAYS_OF_4_YEARS * DAY / 4;
    if (issuer && parts->not_after > issuer->not_after)
        parts->not_after = issuer->not_after;
    if (issuer && parts->not_before < issuer->not_before)
        parts->not_before = issuer->not_before;
}

static VigieCertificate *sign_authority(const HierarchyAuthority *declared, Signer *signer,
                                        const VigieAuthority *issuer, VigieTime now, GError **error) {
    static const char *const waived[] = {"rfc5280.unknown-critical", NULL};
    g_autoptr(GByteArray) subject = g_byte_array_new(), extensions = g_byte_array_new(),
                          tbs = g_byte_array_new(), der = g_byte_array_new();
    uint8_t serial[SERIAL_OCTETS];
    Signer *by = issuer ? issuer->signer : signer;
    if (!build_serial(serial, now, error) ||
        !name_put_list(subject, (const char *const *)declared->subject, error))
        return NULL;
    CertificateParts parts = {.serial = serial,
                              .issuer = issuer ? issuer->subject : der_bytes(subject),
                              .subject = der_bytes(subject),
                              .spki = der_bytes(signer->spki),
                              .extensions = extensions};
    put_validity(&parts, declared, issuer, now);
    put_extensions(extensions, declared, signer, issuer);
    build_tbs(tbs, &parts, by->algorithm);
    if (!build_check(der_bytes(tbs), by->algorithm, waived, declared->name, error) ||
        !build_sign(der, der_bytes(tbs), by, error))
        return NULL;
    return x509_certificate_new(der_bytes(der), error);
}

static bool insert_authority(Ceremony *ceremony, const HierarchyAuthority *declared,
                             const VigieCertificate *certificate, const VigieAuthority *issuer,
                             int64_t *ret_id, GError **error) {
    g_autofree char *settings = vigie_json_text(declared->settings);
    static const char sql[] =
        "INSERT INTO pki_authority (name, title, certificate, key_file, settings, made, parent) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id";
    VigieValue values[] = {{.t = declared->name},         {.t = declared->title}, {.b = &certificate->der},
                           {.t = declared->key_file},     {.t = settings},        {.i = ceremony->plan->now},
                           {.i = issuer ? issuer->id : 0}};
    g_autoptr(VigieRows) rows =
        store_query_values(ceremony->store, error, sql, issuer ? "ttbttii" : "ttbttin", values);
    if (!rows || !rows_next(rows, error))
        return false;
    *ret_id = rows_int(rows, 0);
    return true;
}

static Signer *make_key(Ceremony *ceremony, const HierarchyAuthority *declared, GError **error) {
    bool token = signer_in_token(declared->key_file);
    g_autofree char *folder = g_path_get_dirname(declared->key_file);
    if (!token && g_mkdir_with_parents(folder, 0700) != 0) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE, "folder %s: %s", folder, g_strerror(errno));
        return NULL;
    }
    char *passphrase = ask(ceremony, declared->name, true, error);
    Signer *signer = passphrase ? signer_make(declared->key_file, declared->key, passphrase, error) : NULL;
    forget(passphrase);
    if (signer && !token)
        g_ptr_array_add(ceremony->written, g_strdup(declared->key_file));
    return signer;
}

/* The line of the log by which those who were there recognise what they made. */
static bool note_made(Ceremony *ceremony, const HierarchyAuthority *declared, GError **error) {
    g_autofree char *subject = g_strjoinv(", ", declared->subject);
    g_autoptr(json_t) details = json_pack("{s:s, s:s, s:s?, s:s}", "key", declared->key, "key_file",
                                          declared->key_file, "issuer", declared->issuer, "subject", subject);
    g_autofree char *text = vigie_json_text(details);
    return journal_add(&ceremony->journal, "authority", declared->name, text, error);
}

static bool make(Ceremony *ceremony, const HierarchyAuthority *declared, GError **error) {
    VigieAuthority *issuer = declared->issuer ? issuer_of(ceremony, declared->issuer, error) : NULL;
    if (declared->issuer && !issuer)
        return false;
    g_autoptr(Signer) signer = make_key(ceremony, declared, error);
    g_autoptr(VigieCertificate) certificate =
        signer ? sign_authority(declared, signer, issuer, ceremony->plan->now, error) : NULL;
    int64_t id = 0;
    if (!certificate || !insert_authority(ceremony, declared, certificate, issuer, &id, error))
        return false;
    g_autofree char *settings = vigie_json_text(declared->settings);
    VigieAuthority *authority =
        authority_new(id, declared->name, declared->key_file, certificate->der, settings, error);
    if (!authority)
        return false;
    authority->signer = g_steal_pointer(&signer);
    g_hash_table_insert(ceremony->open, authority->name, authority);
    ceremony->last = authority;
    json_array_append_new(ceremony->made, json_string(declared->name));
    IssuedRecord record = {
        .authority = issuer ? issuer : authority, .certificate = certificate, .profile = "authority"};
    return note_made(ceremony, declared, error) && record_issued(&ceremony->journal, &record, NULL, error);
}

/* It is there: its settings may have changed, itself it does not. What its certificate says cannot change either. */
static bool keep(Ceremony *ceremony, const HierarchyAuthority *declared, GError **error) {
    g_autofree char *settings = vigie_json_text(declared->settings);
    g_autoptr(VigieAuthority) known = pki_authority_open(ceremony->store, declared->name, NULL, error);
    int64_t changed = 0;
    if (!known)
        return false;
    if (!json_equal(json_object_get(known->settings, "permitted"),
                    json_object_get(declared->settings, "permitted")) ||
        authority_setting(known, "crl_shards") >
            json_integer_value(json_object_get(declared->settings, "crl_shards"))) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT,
                    "authority %s exists: permitted cannot change, for it is in its certificate, nor can "
                    "crl_shards shrink",
                    declared->name);
        return false;
    }
    json_array_append_new(ceremony->kept, json_string(declared->name));
    if (!store_exec_count(ceremony->store, &changed, error,
                          "UPDATE pki_authority SET settings = $1, title = $2, key_file = $3 WHERE name = $4 "
                          "AND (settings <> $1 "
                          "OR title <> $2 OR key_file <> $3)",
                          "tttt", settings, declared->title, declared->key_file, declared->name))
        return false;
    return changed == 0 || journal_add(&ceremony->journal, "settings", declared->name, settings, error);
}

static bool perform(Ceremony *ceremony, const GPtrArray *authorities, GError **error) {
    g_autoptr(VigieTransaction) tx = store_begin(ceremony->store, error);
    if (!tx ||
        !journal_begin(&ceremony->journal, ceremony->store, ceremony->plan->who, ceremony->plan->now, error))
        return false;
    for (guint i = 0; i < authorities->len; i++) {
        const HierarchyAuthority *declared = authorities->pdata[i];
        int64_t known = 0;
        if (!store_get_int(ceremony->store, &known, error,
                           "SELECT COUNT(*) FROM pki_authority WHERE name = $1", "t", declared->name))
            return false;
        if (!(known ? keep(ceremony, declared, error) : make(ceremony, declared, error)))
            return false;
    }
    const VigieAuthority *last = ceremony->last;
    return journal_end(&ceremony->journal, last ? last->signer : NULL, last ? last->id : 0, error) &&
           store_commit(&tx, error);
}

json_t *pki_ceremony(VigieStore *store, const VigieCeremony *plan, GError **error) {
    g_autoptr(GPtrArray) authorities = hierarchy_load(plan->file, error);
    if (!authorities)
        return NULL;
    Ceremony ceremony = {.store = store, .plan = plan, .made = json_array(), .kept = json_array()};
    ceremony.open = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)pki_authority_close);
    ceremony.written = g_ptr_array_new_with_free_func(g_free);
    bool well = perform(&ceremony, authorities, error);
    for (guint i = 0; !well && i < ceremony.written->len; i++)
        unlink(ceremony.written->pdata[i]);
    g_ptr_array_unref(ceremony.written);
    g_hash_table_unref(ceremony.open);
    json_t *report = json_pack("{s:o, s:o}", "made", ceremony.made, "kept", ceremony.kept);
    if (!well)
        g_clear_pointer(&report, json_decref);
    return report;
}
