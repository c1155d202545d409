/* ceremony.c: keys are made, certificates signed, the log begun. First all that people are asked, while the store is free for
 * others; then one transaction, which decides; then the keys come to their place. What fails or is killed before the commit
 * leaves nothing that counts, what is killed after it is finished by whoever opens the key next. */
#include "pki/build.h"
#include "pki/hierarchy.h"
#include "pki/link.h"
#include "pki/name.h"
#include "pki/row.h"
#include "pki/share.h"
#include "pki/vouch.h"
#include "x509/der-write.h"

#include <errno.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HOUR = 3600, DAYS_OF_4_YEARS = 1461, DAY = 86400 };

typedef struct {
    VigieStore *store;
    const VigieCeremony *plan;
    const GPtrArray *declared;
    Journal journal;
    GHashTable *open;    /* name: VigieAuthority with its key, which signs here */
    GHashTable *keys;    /* name: Signer, of those that are made here and not signed yet */
    GHashTable *holders; /* name: GPtrArray of who has which share */
    GPtrArray *made_at;  /* key files that are not at their place yet */
    json_t *made, *kept, *links;
    const VigieAuthority *last; /* that signed */
} Ceremony;

static bool refuse(GError **error, VigieErrorCode code, const char *name, const char *why) {
    g_set_error(error, VIGIE_ERROR, (gint)code, "authority %s: %s", name, why);
    return false;
}

static void forget(char *passphrase) {
    if (passphrase)
        explicit_bzero(passphrase, strlen(passphrase));
    g_free(passphrase);
}

static bool in_store(const Ceremony *ceremony, const char *name, bool *ret_known, GError **error) {
    int64_t known = 0;
    if (!store_get_int(ceremony->store, &known, error, "SELECT COUNT(*) FROM pki_authority WHERE name = $1",
                       "t", name))
        return false;
    *ret_known = known > 0;
    return true;
}

/* ---- Before: what people are asked -------------------------------------------------------------------------- */
/* The key that signs for others, of one that the store has; a passphrase is asked for once and wiped at once. */
static bool open_signing(Ceremony *ceremony, const char *name, GError **error) {
    if (!name || g_hash_table_contains(ceremony->open, name) || g_hash_table_contains(ceremony->keys, name))
        return true;
    char *passphrase = ceremony->plan->passphrase(name, false, ceremony->plan->data, error);
    VigieAuthority *known = passphrase ? pki_authority_open(ceremony->store, name, passphrase, error) : NULL;
    forget(passphrase);
    if (known)
        g_hash_table_insert(ceremony->open, known->name, known);
    return known != NULL;
}

static void free_codes(GPtrArray *codes) {
    for (guint i = 0; i < codes->len; i++)
        forget(codes->pdata[i]);
    g_ptr_array_unref(codes);
}

/* Nobody sees the passphrase; each of `shares` people is given a code. */
static char *share_out(Ceremony *ceremony, const HierarchyAuthority *declared, GError **error) {
    GPtrArray *codes = g_ptr_array_new();
    g_autoptr(GPtrArray) holders = g_ptr_array_new_with_free_func(g_free);
    char *passphrase = NULL;
    bool well =
        ceremony->plan->share
            ? share_make(declared->name, declared->threshold, declared->shares, &passphrase, codes, error)
            : refuse(error, VIGIE_ERROR_INVALID, declared->name,
                     "there is nobody to give shares to: run vigie ca init at a terminal");
    for (guint i = 0; well && i < codes->len; i++) {
        char *holder = ceremony->plan->share(declared->name, (int)i + 1, declared->shares, codes->pdata[i],
                                             ceremony->plan->data, error);
        well = holder != NULL;
        if (well)
            g_ptr_array_add(holders, holder);
    }
    free_codes(codes);
    if (well)
        g_hash_table_insert(ceremony->holders, declared->name, g_steal_pointer(&holders));
    else
        forget(g_steal_pointer(&passphrase));
    return passphrase;
}

static bool make_key(Ceremony *ceremony, const HierarchyAuthority *declared, GError **error) {
    bool token = signer_in_token(declared->key_file);
    g_autofree char *folder = g_path_get_dirname(declared->key_file),
                    *at = signer_new_path(declared->key_file);
    if (!token && g_mkdir_with_parents(folder, 0700) != 0) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE, "folder %s: %s", folder, g_strerror(errno));
        return false;
    }
    if (!signer_clear(declared->key_file, error))
        return false;
    char *passphrase = declared->shares
                           ? share_out(ceremony, declared, error)
                           : ceremony->plan->passphrase(declared->name, true, ceremony->plan->data, error);
    Signer *signer = passphrase ? signer_make(at, declared->key, passphrase, error) : NULL;
    forget(passphrase);
    if (!signer)
        return false;
    if (!token)
        g_ptr_array_add(ceremony->made_at, g_strdup(at));
    g_hash_table_insert(ceremony->keys, declared->name, signer);
    return true;
}

/* Is a certificate of this name missing, or has it ended or been revoked? */
static bool cross_wanted(const Ceremony *ceremony, const HierarchyAuthority *declared, bool *ret_wanted,
                         GError **error) {
    g_autofree char *name = link_name(declared->name, declared->issuer);
    g_autoptr(GError) why = NULL;
    g_autoptr(GByteArray) known = link_find(ceremony->store, name, ceremony->plan->now, &why);
    *ret_wanted = !known;
    if (!why)
        return true;
    g_propagate_error(error, g_steal_pointer(&why));
    return false;
}

static bool prepare(Ceremony *ceremony, const HierarchyAuthority *declared, GError **error) {
    bool known = false, wanted = true;
    if (declared->of)
        return cross_wanted(ceremony, declared, &wanted, error) &&
               (!wanted || open_signing(ceremony, declared->issuer, error));
    if (!in_store(ceremony, declared->name, &known, error))
        return false;
    if (known)
        return true;
    /* A root and the one it succeeds sign for each other; the others are signed for by their issuers alone. */
    return open_signing(ceremony, declared->issuer, error) &&
           (declared->issuer || open_signing(ceremony, declared->succeeds, error)) &&
           make_key(ceremony, declared, error);
}

/* ---- In the transaction: certificates ----------------------------------------------------------------------- */
static const HierarchyAuthority *declaration(const Ceremony *ceremony, const char *name) {
    for (guint i = 0; i < ceremony->declared->len; i++)
        if (strcmp(((const HierarchyAuthority *)ceremony->declared->pdata[i])->name, name) == 0)
            return ceremony->declared->pdata[i];
    return NULL;
}

/* Valid from an hour ago, for clocks that are late; never longer than its issuer. */
static void put_validity(const Ceremony *ceremony, const HierarchyAuthority *declared,
                         const VigieAuthority *issuer, Vouched *vouched) {
    VigieTime now = ceremony->plan->now;
    vouched->not_before = now - HOUR;
    vouched->not_after = now + (VigieTime)declared->years * DAYS_OF_4_YEARS * DAY / 4;
    if (issuer) {
        vouched->not_before = MAX(vouched->not_before, issuer->not_before);
        vouched->not_after = MIN(vouched->not_after, issuer->not_after);
    }
}

static VigieCertificate *sign_authority(const Ceremony *ceremony, const HierarchyAuthority *declared,
                                        Signer *signer, const VigieAuthority *issuer, GError **error) {
    g_autoptr(GByteArray) subject = g_byte_array_new();
    if (!name_put_list(subject, (const char *const *)declared->subject, error))
        return NULL;
    Vouched vouched = {.what = declared->name,
                       .subject = der_bytes(subject),
                       .spki = der_bytes(signer->spki),
                       .key_id = vigie_bytes(signer->key_id, sizeof signer->key_id),
                       .path_length = declared->path_length,
                       .permitted = (const char *const *)declared->permitted,
                       .policies = (const char *const *)declared->policies,
                       .now = ceremony->plan->now};
    put_validity(ceremony, declared, issuer, &vouched);
    return vouch_sign(&vouched, signer, issuer, error);
}

static bool insert_authority(Ceremony *ceremony, const HierarchyAuthority *declared,
                             const VigieCertificate *certificate, const VigieAuthority *issuer,
                             int64_t *ret_id, GError **error) {
    g_autofree char *settings = vigie_json_text(declared->settings);
    int64_t before = 0;
    if (declared->succeeds &&
        !store_get_int(ceremony->store, &before, error, "SELECT id FROM pki_authority WHERE name = $1", "t",
                       declared->succeeds))
        return false;
    return store_get_int(ceremony->store, ret_id, error,
                         "INSERT INTO pki_authority (name, title, certificate, key_file, settings, made, "
                         "parent, succeeds) VALUES ($1, "
                         "$2, $3, $4, $5, $6, NULLIF($7, 0), NULLIF($8, 0)) RETURNING id",
                         "ttbttiii", declared->name, declared->title, &certificate->der, declared->key_file,
                         settings, ceremony->plan->now, issuer ? issuer->id : (int64_t)0, before);
}

/* The line of the log by which those who were there recognise what they made. */
static bool note_made(Ceremony *ceremony, const HierarchyAuthority *declared, GError **error) {
    g_autofree char *subject = g_strjoinv(", ", declared->subject);
    g_autoptr(json_t) details =
        json_pack("{s:s, s:s, s:s?, s:s?, s:s}", "key", declared->key, "key_file", declared->key_file,
                  "issuer", declared->issuer, "succeeds", declared->succeeds, "subject", subject);
    g_autofree char *text = vigie_json_text(details);
    return journal_add(&ceremony->journal, "authority", declared->name, text, error);
}

/* ---- In the transaction: generations ------------------------------------------------------------------------ */
static bool add_link(Ceremony *ceremony, const Vouched *vouched, const char *of, int64_t subject,
                     const VigieAuthority *issuer, GError **error) {
    g_autofree char *name = link_name(of, issuer->name);
    g_autoptr(VigieCertificate) certificate = vouch_sign(vouched, NULL, issuer, error);
    if (!certificate || !link_record(&ceremony->journal, issuer, name, subject, certificate, error))
        return false;
    ceremony->last = issuer;
    json_array_append_new(ceremony->links, json_string(name));
    return true;
}

/* RFC 9810 4.4: the new key under the old one, from now; the old under the new, since ever. */
static bool link_roots(Ceremony *ceremony, VigieAuthority *subject, VigieAuthority *issuer, bool newer,
                       GError **error) {
    const HierarchyAuthority *declared = declaration(ceremony, subject->name);
    const Vouched vouched = {.what = subject->name,
                             .subject = subject->subject,
                             .spki = subject->spki,
                             .key_id = vigie_bytes(subject->key_id, sizeof subject->key_id),
                             .path_length = declared->path_length,
                             .permitted = (const char *const *)declared->permitted,
                             .policies = (const char *const *)declared->policies,
                             .now = ceremony->plan->now,
                             .not_before =
                                 newer ? MAX(subject->not_before, issuer->not_before) : subject->not_before,
                             .not_after = MIN(subject->not_after, issuer->not_after)};
    return add_link(ceremony, &vouched, subject->name, subject->id, issuer, error);
}

/* What waits for the one before, or was allowed to ask it, is this one's from now on. */
static bool take_over(Ceremony *ceremony, const HierarchyAuthority *declared, int64_t id, GError **error) {
    int64_t requests = 0, enrolments = 0;
    if (!store_exec_count(
            ceremony->store, &requests, error,
            "UPDATE pki_request SET authority = $1 WHERE authority = (SELECT succeeds FROM pki_authority "
            "WHERE id = $1) AND state IN ('requested', 'validated') AND kind <> 'revoke'",
            "i", id) ||
        !store_exec_count(ceremony->store, &enrolments, error,
                          "UPDATE pki_enrolment SET authority = $1 WHERE authority = (SELECT succeeds FROM "
                          "pki_authority WHERE id = $1)",
                          "i", id))
        return false;
    g_autofree char *details = g_strdup_printf("{\"by\":\"%s\",\"requests\":%" G_GINT64_FORMAT
                                               ",\"enrolments\":%" G_GINT64_FORMAT "}",
                                               declared->name, requests, enrolments);
    return journal_add(&ceremony->journal, "succeeded", declared->succeeds, details, error) &&
           store_wake(ceremony->store, error);
}

static bool succeed(Ceremony *ceremony, const HierarchyAuthority *declared, VigieAuthority *authority,
                    GError **error) {
    VigieAuthority *before =
        declared->succeeds ? g_hash_table_lookup(ceremony->open, declared->succeeds) : NULL;
    if (!declared->succeeds)
        return true;
    if (!declared->issuer && (!link_roots(ceremony, authority, before, true, error) ||
                              !link_roots(ceremony, before, authority, false, error)))
        return false;
    return take_over(ceremony, declared, authority->id, error);
}

/* ---- In the transaction: one by one ------------------------------------------------------------------------- */
/* An authority that another succeeded signs for no one below it. */
static bool check_issuer(const Ceremony *ceremony, const VigieAuthority *issuer, GError **error) {
    g_autofree char *current = pki_authority_current(ceremony->store, issuer->name, error);
    if (!current || strcmp(current, issuer->name) == 0)
        return current != NULL;
    g_autofree char *why = g_strdup_printf("it issues no more, %s does: issuer = %s", current, current);
    return refuse(error, VIGIE_ERROR_DENIED, issuer->name, why);
}

static VigieAuthority *add_authority(Ceremony *ceremony, const HierarchyAuthority *declared, Signer *signer,
                                     const VigieAuthority *issuer, GError **error) {
    g_autoptr(VigieCertificate) certificate = sign_authority(ceremony, declared, signer, issuer, error);
    int64_t id = 0;
    if (!certificate || !insert_authority(ceremony, declared, certificate, issuer, &id, error))
        return NULL;
    g_autofree char *settings = vigie_json_text(declared->settings);
    VigieAuthority *authority =
        authority_new(id, declared->name, declared->key_file, certificate->der, settings, error);
    if (!authority)
        return NULL;
    authority->signer = signer;
    g_hash_table_steal(ceremony->keys, declared->name);
    g_hash_table_insert(ceremony->open, authority->name, authority);
    ceremony->last = authority;
    IssuedRecord record = {
        .authority = issuer ? issuer : authority, .certificate = certificate, .profile = "authority"};
    return record_issued(&ceremony->journal, &record, NULL, error) ? authority : NULL;
}

static bool make(Ceremony *ceremony, const HierarchyAuthority *declared, GError **error) {
    Signer *signer = g_hash_table_lookup(ceremony->keys, declared->name);
    const VigieAuthority *issuer =
        declared->issuer ? g_hash_table_lookup(ceremony->open, declared->issuer) : NULL;
    const GPtrArray *holders = g_hash_table_lookup(ceremony->holders, declared->name);
    if (!signer)
        return refuse(error, VIGIE_ERROR_CONFLICT, declared->name,
                      "another ceremony is going on: begin again when it is over");
    if ((issuer && !check_issuer(ceremony, issuer, error)) || !note_made(ceremony, declared, error))
        return false;
    VigieAuthority *authority = add_authority(ceremony, declared, signer, issuer, error);
    json_array_append_new(ceremony->made, json_string(declared->name));
    return authority &&
           (!holders || share_record(&ceremony->journal, authority->id, declared->name, declared->threshold,
                                     holders, error)) &&
           succeed(ceremony, declared, authority, error);
}

/* What is in its certificate, and where it stands, cannot change. */
static const char *changed(const HierarchyAuthority *declared, const VigieAuthority *known,
                           const char *succeeds) {
    if (!json_equal(json_object_get(known->settings, "permitted"),
                    json_object_get(declared->settings, "permitted")))
        return "it exists: permitted cannot change, for it is in its certificate";
    if (authority_setting(known, "crl_shards") >
        json_integer_value(json_object_get(declared->settings, "crl_shards")))
        return "it exists: crl_shards cannot shrink";
    return g_strcmp0(succeeds, declared->succeeds) != 0 ? "it exists: what it succeeds cannot change" : NULL;
}

/* It is there: its settings may have changed, itself it does not. */
static bool keep(Ceremony *ceremony, const HierarchyAuthority *declared, GError **error) {
    g_autofree char *settings = vigie_json_text(declared->settings);
    g_autoptr(VigieAuthority) known = pki_authority_open(ceremony->store, declared->name, NULL, error);
    g_autoptr(json_t) told = known ? pki_authority_list(ceremony->store, declared->name, error) : NULL;
    int64_t rows = 0;
    if (!told)
        return false;
    const char *fault =
        changed(declared, known, json_string_value(json_object_get(json_array_get(told, 0), "succeeds")));
    if (fault)
        return refuse(error, VIGIE_ERROR_CONFLICT, declared->name, fault);
    json_array_append_new(ceremony->kept, json_string(declared->name));
    if (!store_exec_count(ceremony->store, &rows, error,
                          "UPDATE pki_authority SET settings = $1, title = $2, key_file = $3 WHERE name = $4 "
                          "AND (settings <> $1 "
                          "OR title <> $2 OR key_file <> $3)",
                          "tttt", settings, declared->title, declared->key_file, declared->name))
        return false;
    return rows == 0 || journal_add(&ceremony->journal, "settings", declared->name, settings, error);
}

/* A certificate that bears the name or the key of one of ours would speak for it. */
static bool check_stranger(const Ceremony *ceremony, const char *name, const Stranger *stranger,
                           GError **error) {
    g_autoptr(VigieRows) rows =
        store_query(ceremony->store, error, "SELECT certificate FROM pki_authority", "");
    GError *why = NULL;
    CertificateView view;
    while (rows && rows_next(rows, &why))
        if (certificate_view(rows_blob(rows, 0), &view) &&
            (vigie_bytes_equal(view.subject, der_bytes(stranger->subject)) ||
             vigie_bytes_equal(view.spki, der_bytes(stranger->spki))))
            return refuse(error, VIGIE_ERROR_DENIED, name, "it has the name or the key of an authority here");
    return rows_ended(rows, &why, error);
}

static bool make_cross(Ceremony *ceremony, const HierarchyAuthority *declared, GError **error) {
    bool wanted = false;
    g_auto(Stranger) stranger = {0};
    const VigieAuthority *issuer = g_hash_table_lookup(ceremony->open, declared->issuer);
    if (!cross_wanted(ceremony, declared, &wanted, error))
        return false;
    if (!wanted) {
        json_array_append_new(ceremony->kept, json_string(declared->name));
        return true;
    }
    if (!issuer || !check_issuer(ceremony, issuer, error) || !stranger_read(declared->of, &stranger, error) ||
        !check_stranger(ceremony, declared->name, &stranger, error))
        return false;
    Vouched vouched = {.what = declared->name,
                       .subject = der_bytes(stranger.subject),
                       .spki = der_bytes(stranger.spki),
                       .key_id = der_bytes(stranger.key_id),
                       .path_length = declared->path_length,
                       .permitted = (const char *const *)declared->permitted,
                       .excluded = (const char *const *)declared->excluded,
                       .mappings = (const char *const *)declared->mappings,
                       .policies = (const char *const *)declared->policies,
                       .now = ceremony->plan->now};
    put_validity(ceremony, declared, issuer, &vouched);
    json_array_append_new(ceremony->made, json_string(declared->name));
    return add_link(ceremony, &vouched, declared->name, 0, issuer, error);
}

/* ---- All of it ---------------------------------------------------------------------------------------------- */
static bool perform_one(Ceremony *ceremony, const HierarchyAuthority *declared, GError **error) {
    bool known = false;
    if (declared->of)
        return make_cross(ceremony, declared, error);
    return in_store(ceremony, declared->name, &known, error) &&
           (known ? keep : make)(ceremony, declared, error);
}

static bool note_present(Ceremony *ceremony, GError **error) {
    const GPtrArray *present = ceremony->plan->present;
    if (!present || present->len == 0 || !ceremony->last)
        return true;
    g_autoptr(json_t) told = json_pack("{s:o}", "present", share_names(present));
    g_autofree char *details = vigie_json_text(told);
    return journal_add(&ceremony->journal, "ceremony", "", details, error);
}

static bool perform(Ceremony *ceremony, GError **error) {
    g_autoptr(VigieTransaction) tx = store_begin(ceremony->store, error);
    if (!tx ||
        !journal_begin(&ceremony->journal, ceremony->store, ceremony->plan->who, ceremony->plan->now, error))
        return false;
    for (guint i = 0; i < ceremony->declared->len; i++)
        if (!perform_one(ceremony, ceremony->declared->pdata[i], error))
            return false;
    const VigieAuthority *last = ceremony->last;
    return note_present(ceremony, error) &&
           journal_end(&ceremony->journal, last ? last->signer : NULL, last ? last->id : 0, error) &&
           store_commit(&tx, error);
}

/* Also of those that an earlier ceremony, killed at its very end, left there. */
static bool settle(const Ceremony *ceremony, GError **error) {
    for (guint i = 0; i < ceremony->declared->len; i++) {
        const HierarchyAuthority *declared = ceremony->declared->pdata[i];
        if (!declared->of && !signer_settle(declared->key_file, error))
            return false;
    }
    return true;
}

static bool run(Ceremony *ceremony, GError **error) {
    bool well = true;
    for (guint i = 0; well && i < ceremony->declared->len; i++)
        well = prepare(ceremony, ceremony->declared->pdata[i], error);
    if (well && perform(ceremony, error))
        return settle(ceremony, error);
    for (guint i = 0; i < ceremony->made_at->len; i++)
        unlink(ceremony->made_at->pdata[i]);
    return false;
}

json_t *pki_ceremony(VigieStore *store, const VigieCeremony *plan, GError **error) {
    g_autoptr(GPtrArray) declared = hierarchy_load(plan->file, error);
    if (!declared)
        return NULL;
    Ceremony ceremony = {.store = store,
                         .plan = plan,
                         .declared = declared,
                         .made = json_array(),
                         .kept = json_array(),
                         .links = json_array()};
    ceremony.open = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)pki_authority_close);
    ceremony.keys = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)signer_free);
    ceremony.holders =
        g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)g_ptr_array_unref);
    ceremony.made_at = g_ptr_array_new_with_free_func(g_free);
    bool well = run(&ceremony, error);
    g_ptr_array_unref(ceremony.made_at);
    g_hash_table_unref(ceremony.holders);
    g_hash_table_unref(ceremony.keys);
    g_hash_table_unref(ceremony.open);
    json_t *report =
        json_pack("{s:o, s:o, s:o}", "made", ceremony.made, "kept", ceremony.kept, "links", ceremony.links);
    if (!well)
        g_clear_pointer(&report, json_decref);
    return report;
}
