/* What an authority costs: pki-measure STORE FOLDER ALREADY. Makes a P-256 authority in FOLDER, and prints for each figure a
 * line "name TAB unit TAB number". ALREADY certificates are put into the store before the second half. */
#include "pki/build.h"
#include "pki/pki.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { GROUP = 64, ROUNDS = 64, ENTRIES = 1000000, ANSWERS = 20000, FILLED = 4096, FAR = 10000000 };

static void must(bool well, GError *error) {
    if (well)
        return;
    fprintf(stderr, "pki-measure: %s\n", error ? error->message : "?");
    exit(1);
}

static double seconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void say(const char *name, const char *unit, double value) {
    printf("%s\t%s\t%.1f\n", name, unit, value);
    fflush(stdout);
}

static double peak_mib(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024;
}

static char *passphrase(const char *authority, bool new_key, void *data, GError **error) {
    (void)authority, (void)new_key, (void)data, (void)error;
    return g_strdup("measured, not kept");
}

/* The peer signs the same requests: they are written for it. */
static GByteArray *make_csr(const char *folder, int number) {
    X509_REQ *request = X509_REQ_new();
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509_NAME *name = X509_REQ_get_subject_name(request);
    g_autofree char *text = g_strdup_printf("automate-%d.chu.test", number),
                    *path = g_strdup_printf("%s/%d.csr", folder, number);
    unsigned char *der = NULL;
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)text, -1, -1, 0);
    X509_REQ_set_pubkey(request, key);
    X509_REQ_sign(request, key, EVP_sha256());
    int size = i2d_X509_REQ(request, &der);
    GByteArray *csr = g_byte_array_append(g_byte_array_new(), der, (guint)size);
    BIO *file = BIO_new_file(path, "w");
    must(file && PEM_write_bio_X509_REQ(file, request), NULL);
    BIO_free(file);
    OPENSSL_free(der);
    X509_REQ_free(request);
    EVP_PKEY_free(key);
    return csr;
}

static void issue(const char *what, VigieStore *store, VigieAuthority *authority,
                  const VigieProfiles *profiles, GByteArray *const *csrs) {
    GError *error = NULL;
    const char *names[] = {"dns:automate.chu.test", "ip:10.1.2.3", NULL};
    g_autoptr(json_t) fields = json_pack("{s:s}", "organisation", "CHU de Test");
    double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (int round = 0; round < ROUNDS; round++) {
        VigieIssueRequest requests[GROUP];
        VigieIssued issued[GROUP] = {0};
        for (int i = 0; i < GROUP; i++)
            requests[i] = (VigieIssueRequest){.profile = "device",
                                              .csr = vigie_bytes(csrs[i]->data, csrs[i]->len),
                                              .fields = fields,
                                              .names = names};
        must(
            pki_issue(store, authority, profiles, requests, GROUP, issued, "bench", vigie_time_now(), &error),
            error);
        for (int i = 0; i < GROUP; i++) {
            must(issued[i].der != NULL, issued[i].error);
            pki_issued_clear(&issued[i]);
        }
    }
    g_autofree char *core = g_strconcat(what, ", by CPU time", NULL);
    say(what, "certificates/s", ROUNDS * GROUP / (seconds(CLOCK_MONOTONIC) - wall));
    say(core, "certificates/s", ROUNDS * GROUP / (seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu));
}

/* Rows as they are, without signatures: only their number counts here. */
static void fill(VigieStore *store, int64_t already, int revoked) {
    GError *error = NULL;
    uint8_t serial[16], der[900];
    memset(der, 7, sizeof der);
    VigieBytes octets = vigie_bytes(serial, sizeof serial), body = vigie_bytes(der, sizeof der);
    VigieTime later = vigie_time_now() + 86400 * 300;
    g_autoptr(VigieTransaction) tx = store_begin(store, &error);
    must(tx != NULL, error);
    for (int64_t i = 1; i <= already; i++) {
        int64_t id = 0;
        must(build_serial(serial, vigie_time_now() - already + i, &error), error);
        must(store_get_int(store, &id, &error,
                           "INSERT INTO pki_certificate (authority, serial, entry, profile, subject, "
                           "not_before, not_after, shard, der) "
                           "VALUES (2, $1, $2, 'device', 'CN=filled', 0, $3, 0, $4) RETURNING id",
                           "biib", &octets, -i, later, &body),
             error);
        if (i <= revoked)
            must(store_exec(store, &error,
                            "INSERT INTO pki_revocation (certificate, authority, shard, serial, entry, at, "
                            "reason, not_after) VALUES "
                            "($1, 2, 0, $2, $3, $4, $5, $6)",
                            "ibiiii", id, &octets, i - FAR, later - 86400 * 400 + i,
                            i % 2 ? (int64_t)4 : (int64_t)0, later),
                 error);
        if (i % FILLED ==
            0) { /* the journal of a million rows at once would be written back while others are measured */
            must(store_commit(&tx, &error), error);
            tx = store_begin(store, &error);
            must(tx != NULL, error);
        }
    }
    must(store_commit(&tx, &error), error);
}

static void lists(VigieStore *store, VigieAuthority *authority) {
    GError *error = NULL;
    double before = peak_mib(), wall = seconds(CLOCK_MONOTONIC);
    g_autoptr(json_t) full = pki_crl_publish(store, authority, true, "bench", vigie_time_now(), &error);
    must(full != NULL, error);
    say("full list and empty delta", "s", seconds(CLOCK_MONOTONIC) - wall);
    say("entries in it", "", (double)json_integer_value(json_object_get(json_array_get(full, 0), "entries")));
    say("peak memory, all of the process", "MiB", peak_mib());
    say("of which before the list", "MiB", before);
    must(store_exec(store, &error,
                    "UPDATE pki_revocation SET entry = entry + 2000000000 WHERE entry <= -9999900", ""),
         error);
    wall = seconds(CLOCK_MONOTONIC);
    g_autoptr(json_t) delta = pki_crl_publish(store, authority, false, "bench", vigie_time_now(), &error);
    must(delta != NULL && json_array_size(delta) == 1, error);
    say("delta list of 100", "ms", 1000 * (seconds(CLOCK_MONOTONIC) - wall));
}

/* A request as `openssl ocsp` writes it, with or without a nonce. */
static GByteArray *make_request(const char *issuer_pem, const char *serial_hex, bool nonce) {
    g_autofree char *command =
        g_strdup_printf("openssl ocsp -issuer %s -serial 0x%s %s -reqout %s.req >/dev/null 2>&1", issuer_pem,
                        serial_hex, nonce ? "-nonce" : "-no_nonce", issuer_pem);
    g_autofree char *path = g_strconcat(issuer_pem, ".req", NULL), *text = NULL;
    gsize size = 0;
    must(system(command) == 0 && g_file_get_contents(path, &text, &size, NULL), NULL);
    return g_byte_array_append(g_byte_array_new(), (const guint8 *)text, (guint)size);
}

static void ask(const char *what, VigieStore *store, VigieOcsp *ocsp, const GByteArray *request) {
    GError *error = NULL;
    g_autofree char *used = g_strconcat(what, ", by CPU time", NULL);
    double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (int i = 0; i < ANSWERS; i++) {
        VigieOcspAnswer answer;
        must(pki_ocsp_answer(ocsp, store, vigie_bytes(request->data, request->len), vigie_time_now(), &answer,
                             &error),
             error);
        must(answer.der->len > 100, NULL);
        g_byte_array_unref(answer.der);
    }
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    say(what, "answers/s", ANSWERS / (seconds(CLOCK_MONOTONIC) - wall));
    say(used, "answers/s", ANSWERS / cpu);
}

static void answers(VigieStore *store, VigieAuthority *authority, const VigieProfiles *profiles,
                    const char *folder) {
    GError *error = NULL;
    int64_t count = 0;
    g_autoptr(VigieOcsp) with_key = pki_ocsp_new(), without = pki_ocsp_new();
    g_autofree char *pem = pki_authority_pem(store, "equipements", &error),
                    *path = g_build_filename(folder, "issuer.pem", NULL);
    must(pem && g_file_set_contents(path, pem, -1, &error), error);
    const VigieIssuedFilter filter = {.authority = "equipements"};
    g_autoptr(json_t) list = pki_certificate_list(store, &filter, vigie_time_now(), &error);
    must(list != NULL, error);
    g_autofree char *serial = g_strdup(json_string_value(json_object_get(json_array_get(list, 0), "serial")));
    must(pki_responder_make(store, authority, profiles, "measured, not kept", "bench", vigie_time_now(),
                            &error),
         error);
    must(pki_ocsp_add_key(with_key, store, "equipements", "measured, not kept", &error), error);
    double wall = seconds(CLOCK_MONOTONIC);
    must(pki_ocsp_sign_all(with_key, store, "equipements", "bench", vigie_time_now(), &count, &error), error);
    say("answers signed beforehand and kept", "answers/s", (double)count / (seconds(CLOCK_MONOTONIC) - wall));
    g_autoptr(GByteArray) plain = make_request(path, serial, false), fresh = make_request(path, serial, true);
    ask("answers given out, no key", store, without, plain);
    ask("answers signed on the spot, with a nonce", store, with_key, fresh);
}

/* The peer: the same list by OpenSSL's own functions. */
static void peer_list(int64_t count) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509_CRL *list = X509_CRL_new();
    ASN1_TIME *now = X509_gmtime_adj(NULL, 0);
    double wall = seconds(CLOCK_MONOTONIC);
    bool well = key && list && X509_CRL_set_version(list, X509_CRL_VERSION_2) &&
                X509_CRL_set1_lastUpdate(list, now) && X509_CRL_set1_nextUpdate(list, now);
    for (int64_t i = 0; well && i < count; i++) {
        X509_REVOKED *entry = X509_REVOKED_new();
        ASN1_INTEGER *serial = ASN1_INTEGER_new();
        well = ASN1_INTEGER_set_uint64(serial, (uint64_t)(FAR + i) << 24) &&
               X509_REVOKED_set_serialNumber(entry, serial) && X509_REVOKED_set_revocationDate(entry, now) &&
               X509_CRL_add0_revoked(list, entry);
        ASN1_INTEGER_free(serial);
    }
    must(well && X509_CRL_sort(list) && X509_CRL_sign(list, key, EVP_sha256()) > 0, NULL);
    unsigned char *der = NULL;
    must(i2d_X509_CRL(list, &der) > 0, NULL);
    say("peer: a list by OpenSSL's functions", "s", seconds(CLOCK_MONOTONIC) - wall);
    OPENSSL_free(der);
    ASN1_TIME_free(now);
    X509_CRL_free(list);
    EVP_PKEY_free(key);
}

int main(int argc, char **argv) {
    must(argc == 4, NULL);
    GError *error = NULL;
    GByteArray *csrs[GROUP];
    int64_t already = g_ascii_strtoll(argv[3], NULL, 10);
    g_autofree char *hierarchy = g_build_filename(argv[2], "hierarchy.conf", NULL);
    g_autoptr(VigieStore) store = store_open(argv[1], &error);
    must(store && store_migrate(store, &error), error);
    g_autoptr(VigieProfiles) profiles = pki_profiles_load(&error);
    must(profiles != NULL, error);
    VigieCeremony ceremony = {
        .file = hierarchy, .passphrase = passphrase, .who = "bench", .now = vigie_time_now()};
    g_autoptr(json_t) made = pki_ceremony(store, &ceremony, &error);
    must(made != NULL, error);
    g_autoptr(VigieAuthority) authority =
        pki_authority_open(store, "equipements", "measured, not kept", &error);
    must(authority != NULL, error);
    for (int i = 0; i < GROUP; i++)
        csrs[i] = make_csr(argv[2], i);
    issue("issued", store, authority, profiles, csrs);
    answers(store, authority, profiles, argv[2]);
    if (already > 0) {
        fill(store, already, (int)MIN(already, ENTRIES));
        g_autofree char *what = g_strdup_printf("issued, after %" G_GINT64_FORMAT " others", already);
        issue(what, store, authority, profiles, csrs);
        lists(store, authority);
        peer_list(MIN(already, ENTRIES));
    }
    for (int i = 0; i < GROUP; i++)
        g_byte_array_unref(csrs[i]);
    return 0;
}
