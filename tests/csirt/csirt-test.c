#include "csirt-test.h"

#include <glib/gstdio.h>
#include <openssl/cms.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>

const VigieAnalyst test_analyst = {.name = "a.martin", .may = true},
                   test_other = {.name = "b.durand", .may = true},
                   test_head = {.name = "h.bernard", .may = true, .head = true},
                   test_stranger = {.name = "x.admin"};

static EVP_PKEY *head_key;
static X509 *head_certificate;
static char *folder;

static void make_head(const char *path) {
    head_key = EVP_RSA_gen(2048);
    head_certificate = X509_new();
    X509_set_version(head_certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(head_certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(head_certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(head_certificate), 86400);
    X509_set_pubkey(head_certificate, head_key);
    X509_NAME *name = X509_get_subject_name(head_certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)"Head of the CSIRT", -1, -1,
                               0);
    X509_set_issuer_name(head_certificate, name);
    g_assert_cmpint(X509_sign(head_certificate, head_key, EVP_sha256()), >, 0);
    FILE *file = fopen(path, "w");
    g_assert_nonnull(file);
    PEM_write_X509(file, head_certificate);
    fclose(file);
}

VigieTeam *test_team(void) {
    g_autoptr(GError) error = NULL;
    g_autofree char *head = g_build_filename(folder, "head.pem", NULL);
    g_autofree char *key = g_build_filename(folder, "key", NULL);
    g_autofree char *path = g_build_filename(folder, "vigie.conf", NULL);
    g_autofree char *team_path =
        g_build_filename(vigie_knowledge_folder(), "csirt", "teams", "cert-sante.json", NULL);
    if (!head_key)
        make_head(head);
    g_file_set_contents_full(key, "0123456789abcdef0123456789abcdef", 32, G_FILE_SET_CONTENTS_NONE, 0600,
                             &error);
    g_assert_no_error(error);
    g_autofree char *text =
        g_strdup_printf("[csirt]\nteam=%s\nartefact_key=%s\nhead_certificate=%s\n", team_path, key, head);
    g_file_set_contents(path, text, -1, &error);
    g_assert_no_error(error);
    g_autoptr(VigieConfig) config = vigie_config_load(path, &error);
    g_assert_no_error(error);
    VigieTeam *team = csirt_team_load(config, &error);
    g_assert_no_error(error);
    g_assert_nonnull(team);
    return team;
}

char *test_head_opens(VigieBytes sealed) {
    const unsigned char *der = sealed.data;
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &der, (long)sealed.size);
    BIO *out = BIO_new(BIO_s_mem());
    g_assert_nonnull(cms);
    g_assert_cmpint(CMS_decrypt(cms, head_key, head_certificate, NULL, out, 0), ==, 1);
    char *data = NULL;
    long size = BIO_get_mem_data(out, &data);
    char *clear = g_strndup(data, (gsize)size);
    BIO_free(out);
    CMS_ContentInfo_free(cms);
    return clear;
}

int64_t test_open(VigieStore *store, const VigieTeam *team, const char *title) {
    g_autoptr(GError) error = NULL;
    g_auto(VigieOpened) opened = {0};
    const VigieOpening opening = {.kind = "incident",
                                  .channel = "form",
                                  .source = "open",
                                  .title = title,
                                  .organisation_name = "CHU de Kermarec"};
    csirt_case_open(store, team, &opening, TEST_NOW, &opened, &error);
    g_assert_no_error(error);
    return opened.id;
}

json_t *test_json(const char *text) {
    g_autofree char *copy = g_strdelimit(g_strdup(text), "'", '"');
    json_error_t where;
    json_t *value = json_loads(copy, JSON_DECODE_ANY, &where);
    if (!value)
        g_error("%s: %s", text, where.text);
    return value;
}

json_t *test_at(const json_t *value, const char *path) {
    g_auto(GStrv) members = g_strsplit(path, ".", -1);
    const json_t *at = value;
    for (char **member = members; *member; member++) {
        at = json_is_array(at) ? json_array_get(at, (size_t)atoi(*member)) : json_object_get(at, *member);
        if (!at) {
            g_autofree char *text = value ? vigie_json_text(value) : g_strdup("nothing");
            g_error("no \"%s\" of \"%s\" in %s", *member, path, text);
        }
    }
    return (json_t *)at;
}

const char *test_text(const json_t *value, const char *path) {
    return json_string_value(test_at(value, path));
}

int64_t test_int(const json_t *value, const char *path) {
    g_assert_true(json_is_integer(test_at(value, path)));
    return json_integer_value(test_at(value, path));
}

char *test_lines(VigieStore *store, int64_t id) {
    g_autoptr(GError) error = NULL;
    g_autoptr(VigieRows) rows =
        store_query(store, &error, "SELECT kind FROM csirt_entry WHERE case_id = $1 ORDER BY seq", "i", id);
    g_assert_no_error(error);
    GString *kinds = g_string_new(NULL);
    while (rows_next(rows, &error))
        g_string_append_printf(kinds, "%s%s", kinds->len ? " " : "", rows_text(rows, 0));
    g_assert_no_error(error);
    return g_string_free(kinds, FALSE);
}

int test_csirt_run(int argc, char **argv) {
    g_autoptr(GError) error = NULL;
    folder = g_dir_make_tmp("vigie-csirt-XXXXXX", &error);
    g_assert_no_error(error);
    g_assert_true(vigie_words_load(&error));
    g_assert_true(csirt_rules_load(&error));
    g_assert_no_error(error);
    int status = test_store_run(argc, argv);
    static const char *const files[] = {"head.pem", "key", "vigie.conf"};
    for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *path = g_build_filename(folder, files[i], NULL);
        g_unlink(path);
    }
    g_rmdir(folder);
    g_free(folder);
    X509_free(head_certificate);
    EVP_PKEY_free(head_key);
    return status;
}
