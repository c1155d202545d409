/* For the tests in Python: a fleet by hand.
 *     fleet-tool CONFIG fill PORT COUNT    a hospital, its biomedical contact (French) and COUNT endpoints, from
 *                                          127.0.1.1:PORT on
 *     fleet-tool CONFIG survey             asks for a survey; prints the run's number
 *     fleet-tool CONFIG run NUMBER         prints the run, as JSON
 *     fleet-tool CONFIG endpoints          prints the endpoints, as JSON */
#include "fleet/fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool fill(VigieStore *store, int port, int count, GError **error) {
    VigieTime now = vigie_time_now();
    int64_t organisation = 0;
    g_autoptr(json_t) hospital = json_pack("{s:s}", "name", "CHU de Kermarec");
    if (!fleet_organisation_save(store, 0, hospital, "test", now, &organisation, NULL, error))
        return false;
    g_autoptr(json_t) contact =
        json_pack("{s:I, s:s, s:s, s:s, s:s}", "organisation", (json_int_t)organisation, "role", "biomed",
                  "name", "Atelier biomédical", "mail", "biomed@chu.test", "language", "fr");
    if (!fleet_contact_save(store, 0, contact, "test", now, NULL, NULL, error))
        return false;
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    for (int i = 1; tx && i <= count; i++) {
        g_autofree char *name = g_strdup_printf("Automate %02d", i);
        g_autofree char *host = g_strdup_printf("127.0.%d.%d", 1 + i / 250, 1 + i % 250);
        int64_t device = 0;
        g_autoptr(json_t) fields =
            json_pack("{s:I, s:s, s:s, s:s, s:s}", "organisation", (json_int_t)organisation, "name", name,
                      "class", "server", "location", "Laboratoire", "owner", "biomed");
        if (!fleet_device_save(store, 0, fields, "test", now, &device, NULL, error))
            return false;
        g_autoptr(json_t) endpoint = json_pack("{s:I, s:s, s:i, s:s, s:b}", "device", (json_int_t)device,
                                               "host", host, "port", port, "protocol", "tls", "gentle", 0);
        if (!fleet_endpoint_save(store, 0, endpoint, "test", now, NULL, NULL, error))
            return false;
    }
    return tx && store_commit(&tx, error);
}

static bool print(json_t *value) {
    if (!value)
        return false;
    g_autofree char *text = vigie_json_text(value);
    printf("%s\n", text);
    json_decref(value);
    return true;
}

static bool act(int argc, char **argv, VigieStore *store, GError **error) {
    VigieFleetFilter all = {.page_size = FLEET_PAGE_SIZE_MAX};
    VigieTime now = vigie_time_now();
    if (argc == 5 && strcmp(argv[2], "fill") == 0)
        return fill(store, atoi(argv[3]), atoi(argv[4]), error);
    if (argc == 4 && strcmp(argv[2], "run") == 0)
        return print(fleet_survey_progress(store, &(VigieFleetFilter){0}, atoll(argv[3]), now, error));
    if (strcmp(argv[2], "endpoints") == 0)
        return print(fleet_endpoint_list(store, &all, now, error));
    int64_t run = 0;
    if (!fleet_survey_request(store, &(VigieFleetFilter){0}, VIGIE_DEPTH_CERTIFICATE, "test", now, &run,
                              error))
        return false;
    printf("%" G_GINT64_FORMAT "\n", run);
    return true;
}

int main(int argc, char **argv) {
    if (argc < 3)
        return 2;
    g_autoptr(GError) error = NULL;
    g_autoptr(VigieConfig) config = vigie_words_load(&error) ? vigie_config_load(argv[1], &error) : NULL;
    g_autoptr(VigieStore) store = config ? store_open(vigie_config_text(config, "store.url"), &error) : NULL;
    if (store && store_migrate(store, &error) && act(argc, argv, store, &error))
        return 0;
    fprintf(stderr, "%s\n", error->message);
    return 1;
}
