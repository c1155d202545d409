/* vigie ca renew DEVICE: a device's next certificate in one action, and, when it is in the device, the proof that it is served. */
#include "cli/ca.h"
#include "fleet/fleet.h"
#include "x509/x509.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { WAIT_SECONDS = 180 };

/* By its number in the GMAO or its name, else by its number here. */
static bool find_device(const Ca *ca, int64_t *ret_id, GError **error) {
    const char *wanted = ca->rest[0];
    VigieFleetFilter filter = {.q = wanted, .page_size = FLEET_PAGE_SIZE_MAX};
    g_autoptr(json_t) list = fleet_device_list(ca->store, &filter, ca->now, error);
    int64_t found = 0;
    size_t index;
    json_t *one;
    if (!list)
        return false;
    json_array_foreach(json_object_get(list, "items"), index, one) {
        if (g_strcmp0(vigie_member(one, "gmao"), wanted) != 0 &&
            g_strcmp0(vigie_member(one, "name"), wanted) != 0)
            continue;
        if (found)
            return ca_refuse(
                error,
                "several devices are called so: give the number of one, as vigie fleet list prints it");
        found = json_integer_value(json_object_get(one, "id"));
    }
    if (!found && !g_ascii_string_to_signed(wanted, 10, 1, INT64_MAX, &found, NULL)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND,
                    "device %s: there is none of this number or name in the fleet", wanted);
        return false;
    }
    *ret_id = found;
    return true;
}

/* A new key and its request, or the device's own request. */
static GPtrArray *get_request(const Ca *ca, const GPtrArray *names, GError **error) {
    if (!ca->csrs) {
        g_autoptr(GPtrArray) bare = g_ptr_array_new();
        for (guint i = 0; names->pdata[i]; i++)
            g_ptr_array_add(bare, strchr(names->pdata[i], ':') + 1);
        g_ptr_array_add(bare, NULL);
        VigieRequest request = {.key = X509_KEY_P256, .names = (const char *const *)bare->pdata};
        return x509_request_new(&request, NULL, error);
    }
    g_autofree char *text = NULL;
    gsize size = 0;
    g_autoptr(GError) why = NULL;
    if (!g_file_get_contents(ca->csrs[0], &text, &size, &why)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "%s", why->message);
        return NULL;
    }
    return x509_file_objects(vigie_bytes(text, size), NULL);
}

static const VigieFileObject *object_of(const GPtrArray *objects, const char *kind) {
    for (guint i = 0; i < objects->len; i++)
        if (strcmp(((VigieFileObject *)objects->pdata[i])->kind, kind) == 0)
            return objects->pdata[i];
    return NULL;
}

/* The certificate, its issuers and, where it was made here, the key, as the device wants them. */
static bool write_file(Ca *ca, const GPtrArray *made, const char *serial, GError **error) {
    VigieFileFormat format = X509_TO_PEM;
    g_auto(CliSecret) password = NULL;
    if (ca->to && !x509_format_parse(ca->to, &format))
        return ca_refuse(error, "--to is pem, der, pkcs7, pkcs12 or pkcs12-old");
    if (ca->out_password_file && !(password = cli_secret_read(ca->out_password_file, error)))
        return false;
    const VigieFileObject *key = object_of(made, "private-key");
    g_autofree char *pem = pki_certificate_pem(ca->store, serial, ca->now, error);
    if (!pem)
        return false;
    g_autoptr(GPtrArray) chain = x509_file_objects(vigie_bytes(pem, strlen(pem)), NULL);
    g_autoptr(GPtrArray) all = g_ptr_array_new();
    for (guint i = 0; i < chain->len; i++)
        g_ptr_array_add(all, chain->pdata[i]);
    if (key)
        g_ptr_array_add(all, (gpointer)key);
    size_t size = 0;
    uint8_t *file = x509_file_write(all, format, key != NULL, password, &size, error);
    bool written = file && cli_write_new(ca->out, file, size, key != NULL, error);
    if (file)
        OPENSSL_cleanse(file, size);
    g_free(file);
    return written;
}

static bool issue(Ca *ca, const json_t *device, int64_t id, const GPtrArray *names, const GPtrArray *made,
                  char **ret_serial, GError **error) {
    const VigieFileObject *csr = object_of(made, "certificate-request");
    const char *organisation = vigie_member(json_object_get(device, "organisation"), "name");
    g_autoptr(json_t) fields = json_pack("{s:s}", "organisation", organisation ? organisation : "");
    g_autoptr(VigieProfiles) profiles = pki_profiles_load(error);
    g_autofree char *name = profiles ? ca_choose_authority(ca, error) : NULL;
    g_autoptr(VigieAuthority) authority = name ? ca_open(ca, name, error) : NULL;
    if (!authority)
        return false;
    if (!csr)
        return ca_refuse(error,
                         "--csr: the file holds no certificate request; vigie identify tells what it is");
    VigieIssueRequest request = {.profile = ca->profile,
                                 .csr = vigie_bytes(csr->der, csr->size),
                                 .fields = fields,
                                 .names = (const char *const *)names->pdata,
                                 .device = id};
    VigieIssued issued = {0};
    bool well = pki_issue(ca->store, authority, profiles, &request, 1, &issued, ca->who, ca->now, error);
    if (well && issued.error)
        g_propagate_error(error, g_steal_pointer(&issued.error));
    else if (well)
        *ret_serial = g_strdup(issued.serial);
    pki_issued_clear(&issued);
    return well && *ret_serial;
}

static bool renew(Ca *ca, const json_t *device, int64_t id, GError **error) {
    g_autofree char *serial = NULL;
    g_autoptr(GPtrArray) names = pki_device_names(device);
    if (!ca->out || g_file_test(ca->out, G_FILE_TEST_EXISTS))
        return ca_refuse(
            error, "--out is wanted, a file that does not exist yet, as in --out automate.p12 --to pkcs12");
    g_autoptr(GPtrArray) made = get_request(ca, names, error);
    if (!made || !issue(ca, device, id, names, made, &serial, error) || !write_file(ca, made, serial, error))
        return false;
    g_autofree char *line = vigie_words(ca->lang, "ca.renewed", "device", vigie_member(device, "name"),
                                        "serial", serial, "file", ca->out, "argument", ca->rest[0], NULL);
    printf("%s\n", line);
    return true;
}

/* ---- Afterwards --------------------------------------------------------------------------------------------- */
static bool survey(Ca *ca, int64_t id, GError **error) {
    VigieFleetFilter scope = {.device = id};
    int64_t run = 0;
    if (!fleet_survey_request(ca->store, &scope, VIGIE_DEPTH_PROTOCOLS, ca->who, ca->now, &run, error))
        return false;
    for (int second = 0; second < WAIT_SECONDS; second++) {
        g_autoptr(json_t) progress = fleet_survey_progress(ca->store, &scope, run, vigie_time_now(), error);
        const char *state = progress ? vigie_member(progress, "state") : NULL;
        if (!state)
            return false;
        if (strcmp(state, "finished") == 0)
            return true;
        if (strcmp(state, "failed") == 0)
            break;
        sleep(1);
    }
    return ca_refuse(error, "the survey of the device did not end: does vigie serve run on this store?");
}

/* Every endpoint that answers with a certificate serves the newest that was issued for the device. */
static bool check(Ca *ca, int64_t id, GError **error) {
    g_autofree char *wanted = pki_device_certificate(ca->store, id, error);
    if (!wanted || !survey(ca, id, error))
        return false;
    VigieFleetFilter all = {0};
    g_autoptr(json_t) device = fleet_device_get(ca->store, &all, id, vigie_time_now(), error);
    size_t index;
    json_t *endpoint;
    if (!device)
        return false;
    json_array_foreach(json_object_get(device, "endpoints"), index, endpoint) {
        const char *served = vigie_member(json_object_get(endpoint, "certificate"), "sha256");
        bool well = g_strcmp0(served, wanted) == 0;
        ca->wrong = ca->wrong || !well;
        g_autofree char *line = vigie_words(ca->lang,
                                            well     ? "ca.served"
                                            : served ? "ca.served.other"
                                                     : "ca.served.none",
                                            "target", vigie_member(endpoint, "target"), NULL);
        printf("%s\n", line);
    }
    ca->wrong = ca->wrong || json_array_size(json_object_get(device, "endpoints")) == 0;
    return true;
}

bool ca_renew(Ca *ca, GError **error) {
    int64_t id = 0;
    VigieFleetFilter all = {0};
    if (!ca->profile)
        ca->profile = g_strdup("device");
    if (!find_device(ca, &id, error))
        return false;
    if (ca->check)
        return check(ca, id, error);
    g_autoptr(json_t) device = fleet_device_get(ca->store, &all, id, ca->now, error);
    return device && renew(ca, device, id, error);
}
