/* vigie-lab: starts the simulated hospital, and writes what Vigie is to be given of it.
 *
 * In the folder: gmao.csv (the export of its GMAO, ISO-8859-1 as the real ones), roots.pem (the hospital's
 * root certificate), expected.json (what a survey must find at each endpoint), and the certificates with
 * their keys, kept for the next start. Status 2 where it could not do its work. */
#include "lab/lab.h"

#include "base/base.h"

#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static size_t listening;

static void say_ready(void) {
    printf("ready: %zu endpoints\n", listening);
    fflush(stdout);
}

/* ---- What is written --------------------------------------------------------------------------------- */
static const char *class_name(LabClass class_) {
    static const char *const names[] = {
        [LAB_IMAGING] = "Imagerie",       [LAB_MONITORING] = "Monitoring",
        [LAB_LABORATORY] = "Laboratoire", [LAB_ANAESTHESIA] = "Anesthésie",
        [LAB_CARDIOLOGY] = "Cardiologie", [LAB_STERILISATION] = "Stérilisation",
        [LAB_INFUSION] = "Perfusion",     [LAB_BEDS] = "Lits et objets connectés",
    };
    return names[class_];
}

static bool write_gmao(const char *folder, const char *network, GError **error) {
    g_autoptr(GString) text = g_string_new(
        "N° inventaire;Établissement;Désignation;Famille;Marque;Modèle;N° de série;Version du logiciel;"
        "Localisation;Nom réseau;Adresse IP;Port/protocole;Responsable;Criticité;État;Contrat\r\n");
    for (size_t i = 0; i < lab_device_count; i++) {
        const LabDevice *d = &lab_devices[i];
        g_autofree char *address = lab_device_address(d, network), *fqdn = lab_device_fqdn(d);
        g_string_append_printf(
            text,
            "BM%d%03d;CHU de Kermarec;%s;%s;%s;%s;%s;%s;\"%s\";%s;%s;%d/%s;%s;%s;En service;"
            "Maintenance préventive\r\n",
            (int)d->class_, d->number, d->name, class_name(d->class_), d->maker, d->model, d->serial,
            d->firmware, d->place, fqdn, address, d->port, d->protocol, d->owner, d->criticality);
    }
    gsize size = 0;
    g_autofree char *latin =
        g_convert(text->str, (gssize)text->len, "ISO-8859-1", "UTF-8", NULL, &size, error);
    g_autofree char *path = g_build_filename(folder, "gmao.csv", NULL);
    return latin && g_file_set_contents(path, latin, (gssize)size, error);
}

static void add_findings(const LabFault *fault, void *data) {
    for (size_t i = 0; i < G_N_ELEMENTS(fault->findings) && fault->findings[i]; i++)
        json_array_append_new(data, json_string(fault->findings[i]));
}

static bool write_expected(const char *folder, const char *network, GError **error) {
    g_autoptr(json_t) all = json_array();
    for (size_t i = 0; i < lab_device_count; i++) {
        const LabDevice *device = &lab_devices[i];
        g_autofree char *address = lab_device_address(device, network), *fqdn = lab_device_fqdn(device);
        json_t *findings = json_array();
        lab_fault_each(device, add_findings, findings);
        json_array_append_new(all, json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:o}", "name", fqdn, "address",
                                             address, "port", (int)device->port, "protocol", device->protocol,
                                             "faults", device->faults ? device->faults : "", "outcome",
                                             lab_fault_of(device).outcome, "findings", findings));
    }
    g_autofree char *text = json_dumps(all, JSON_INDENT(1)),
                    *path = g_build_filename(folder, "expected.json", NULL);
    return g_file_set_contents(path, text, -1, error);
}

static bool write_roots(const char *folder, const LabAuthority *authority, GError **error) {
    g_autofree char *path = g_build_filename(folder, "roots.pem", NULL);
    BIO *memory = BIO_new(BIO_s_mem());
    char *pem = NULL;
    bool good = memory && PEM_write_bio_X509(memory, lab_authority_root(authority));
    long size = good ? BIO_get_mem_data(memory, &pem) : 0;
    good = good && g_file_set_contents(path, pem, size, error);
    BIO_free(memory);
    return good;
}

/* ---- What listens ------------------------------------------------------------------------------------ */
static SSL_CTX *session_context(const LabFault *fault, const LabIdentity *identity) {
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    bool good = tls && SSL_CTX_set_min_proto_version(tls, fault->version_min) &&
                SSL_CTX_set_max_proto_version(tls, fault->version_max) &&
                SSL_CTX_set_cipher_list(tls, fault->suites) && SSL_CTX_use_certificate(tls, identity->leaf) &&
                SSL_CTX_use_PrivateKey(tls, identity->key) && SSL_CTX_set1_chain(tls, identity->rest);
    if (!good) {
        SSL_CTX_free(tls);
        return NULL;
    }
    SSL_CTX_set_options(tls, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(tls, SSL_MODE_SEND_SERVERHELLO_TIME | SSL_MODE_AUTO_RETRY);
    if (fault->wants_client)
        SSL_CTX_set_verify(tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return tls;
}

static bool open_endpoint(LabEndpoint *endpoint, const LabDevice *device, LabAuthority *authority,
                          const char *network, GError **error) {
    const LabFault fault = lab_fault_of(device);
    *endpoint =
        (LabEndpoint){.device = device, .fault = fault, .speech = lab_speech(device->protocol), .fd = -1};
    if (fault.canned)
        endpoint->speech = lab_speak_canned;
    if (fault.instead)
        endpoint->speech = fault.instead;
    if (fault.instead || fault.closed)
        return true;
    g_autofree char *address = lab_device_address(device, network);
    endpoint->identity = lab_authority_identity(authority, device, &fault, address, error);
    if (!endpoint->identity)
        return false;
    endpoint->tls = fault.canned ? NULL : session_context(&fault, endpoint->identity);
    if (endpoint->tls || fault.canned)
        return true;
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL, "%s: libssl refuses these settings", device->host);
    return false;
}

static bool run(const char *folder, const char *network, GError **error) {
    if (g_mkdir_with_parents(folder, 0700) != 0) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE, "cannot make the folder %s", folder);
        return false;
    }
    g_autofree char *mail = g_build_filename(folder, "mail", NULL);
    g_mkdir_with_parents(mail, 0700);
    g_autoptr(LabAuthority) authority = lab_authority_open(folder, error);
    if (!authority)
        return false;
    bool good = write_gmao(folder, network, error) && write_expected(folder, network, error) &&
                write_roots(folder, authority, error);
    g_autofree LabEndpoint *endpoints = g_new0(LabEndpoint, lab_device_count);
    for (size_t i = 0; good && i < lab_device_count; i++) {
        good = open_endpoint(&endpoints[i], &lab_devices[i], authority, network, error);
        endpoints[i].mail_folder = mail;
    }
    listening = lab_device_count;
    good = good && lab_serve(endpoints, lab_device_count, network, say_ready, error);
    for (size_t i = 0; i < lab_device_count; i++) {
        SSL_CTX_free(endpoints[i].tls);
        lab_identity_free(endpoints[i].identity);
    }
    return good;
}

static void list(const char *network) {
    for (size_t i = 0; i < lab_device_count; i++) {
        const LabDevice *device = &lab_devices[i];
        g_autofree char *address = lab_device_address(device, network);
        printf("%-18s %12s:%-5d %-8s %s\n", device->host, address, device->port, device->protocol,
               device->faults ? device->faults : "");
    }
}

int main(int argc, char **argv) {
    g_autofree char *folder = NULL, *chosen = NULL;
    gboolean only_list = FALSE;
    const GOptionEntry entries[] = {
        {"folder", 0, 0, G_OPTION_ARG_FILENAME, &folder, "where certificates and lists are kept", "FOLDER"},
        {"network", 0, 0, G_OPTION_ARG_STRING, &chosen, "first two octets of the addresses (127.10)", "A.B"},
        {"list", 0, 0, G_OPTION_ARG_NONE, &only_list, "print the devices and leave", NULL},
        {0},
    };
    g_autoptr(GError) error = NULL;
    g_autoptr(GOptionContext) context = g_option_context_new("- a simulated hospital on loopback");
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        fprintf(stderr, "vigie-lab: %s\n", error->message);
        return 2;
    }
    const char *network = chosen ? chosen : "127.10";
    if (only_list) {
        list(network);
        return 0;
    }
    if (!folder) {
        fprintf(stderr, "vigie-lab: --folder is wanted, as in: vigie-lab --folder var/lab\n");
        return 2;
    }
    if (!run(folder, network, &error)) {
        fprintf(stderr, "vigie-lab: %s\n", error->message);
        return 2;
    }
    return 0;
}
