/* The lab's authorities and the certificates they issue: made once, kept in a folder as PEM files. */
#include "lab/lab.h"

#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DAY = 24 * 3600 };

struct LabAuthority {
    char *folder;
    LabIdentity *root, *intermediate, *stranger;
};

static bool fail(GError **error, const char *what, const char *path) {
    unsigned long code = ERR_get_error();
    const char *why = code ? ERR_reason_error_string(code) : g_strerror(errno);
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE, "%s %s: %s", what, path, why ? why : "unknown");
    ERR_clear_error();
    return false;
}

void lab_identity_free(LabIdentity *identity) {
    if (!identity)
        return;
    EVP_PKEY_free(identity->key);
    X509_free(identity->leaf);
    sk_X509_pop_free(identity->rest, X509_free);
    g_free(identity);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LabIdentity, lab_identity_free)

/* ---- Kept on disk ------------------------------------------------------------------------------------ */
static LabIdentity *load(const char *path) {
    FILE *file = fopen(path, "re");
    if (!file)
        return NULL;
    g_autoptr(LabIdentity) identity = g_new0(LabIdentity, 1);
    identity->rest = sk_X509_new_null();
    identity->key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    identity->leaf = PEM_read_X509(file, NULL, NULL, NULL);
    X509 *next = NULL;
    while ((next = PEM_read_X509(file, NULL, NULL, NULL)) != NULL)
        sk_X509_push(identity->rest, next);
    ERR_clear_error();
    fclose(file);
    return identity->key && identity->leaf ? g_steal_pointer(&identity) : NULL;
}

static bool keep(const LabIdentity *identity, const char *path, GError **error) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!file)
        return fail(error, "cannot write", path);
    bool good = PEM_write_PrivateKey(file, identity->key, NULL, NULL, 0, NULL, NULL) &&
                PEM_write_X509(file, identity->leaf);
    for (int i = 0; i < sk_X509_num(identity->rest); i++)
        good = good && PEM_write_X509(file, sk_X509_value(identity->rest, i));
    return fclose(file) == 0 && good ? true : fail(error, "cannot write", path);
}

/* ---- Issuing ----------------------------------------------------------------------------------------- */
typedef struct {
    const char *common_name, *unit;
    const char *names; /* subjectAltName, NULL for an authority */
    int starts, ends;  /* days from now */
    LabKey key;
    bool sha1;
    const LabIdentity *issuer; /* NULL: itself */
} Order;

static EVP_PKEY *make_key(LabKey kind) {
    switch (kind) {
    case LAB_KEY_RSA:
        return EVP_RSA_gen(2048);
    case LAB_KEY_RSA_SHORT:
        return EVP_RSA_gen(1024);
    case LAB_KEY_EC:
        break;
    }
    return EVP_EC_gen("P-256");
}

static bool set_name(X509_NAME *name, const Order *order) {
    const char *const parts[][2] = {
        {"C", "FR"}, {"O", "CHU de Kermarec"}, {"OU", order->unit}, {"CN", order->common_name}};
    for (size_t i = 0; i < G_N_ELEMENTS(parts); i++)
        if (!X509_NAME_add_entry_by_txt(name, parts[i][0], MBSTRING_UTF8, (const unsigned char *)parts[i][1],
                                        -1, -1, 0))
            return false;
    return true;
}

static bool add_extension(X509 *certificate, X509 *issuer, int nid, const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool good = extension && X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    return good;
}

static bool add_extensions(X509 *certificate, X509 *issuer, const Order *order) {
    bool good = add_extension(certificate, issuer, NID_subject_key_identifier, "hash");
    if (issuer != certificate)
        good = good && add_extension(certificate, issuer, NID_authority_key_identifier, "keyid:always");
    if (!order->names)
        return good && add_extension(certificate, issuer, NID_basic_constraints, "critical,CA:TRUE") &&
               add_extension(certificate, issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
    const char *usage =
        order->key == LAB_KEY_EC ? "critical,digitalSignature" : "critical,digitalSignature,keyEncipherment";
    return good && add_extension(certificate, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(certificate, issuer, NID_key_usage, usage) &&
           add_extension(certificate, issuer, NID_ext_key_usage, "serverAuth,clientAuth") &&
           add_extension(certificate, issuer, NID_subject_alt_name, order->names);
}

static bool set_serial(X509 *certificate) {
    unsigned char octets[16];
    if (RAND_bytes(octets, sizeof octets) != 1)
        return false;
    octets[0] &= 0x7f;
    octets[0] |= 0x40;
    BIGNUM *number = BN_bin2bn(octets, sizeof octets, NULL);
    bool good = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
    BN_free(number);
    return good;
}

/* A quarter of a day further from now than said: "in 3 days" is then still true some hours later. */
static long seconds_of(int days) {
    return (long)days * DAY + (days > 0 ? DAY / 4 : -DAY / 4);
}

static LabIdentity *issue(const Order *order, GError **error) {
    g_autoptr(LabIdentity) made = g_new0(LabIdentity, 1);
    made->key = make_key(order->key);
    made->leaf = X509_new();
    made->rest = sk_X509_new_null();
    X509 *issuer = order->issuer ? order->issuer->leaf : made->leaf;
    EVP_PKEY *signer = order->issuer ? order->issuer->key : made->key;
    bool good =
        made->key && made->leaf && X509_set_version(made->leaf, X509_VERSION_3) && set_serial(made->leaf) &&
        X509_gmtime_adj(X509_getm_notBefore(made->leaf), seconds_of(order->starts)) &&
        X509_gmtime_adj(X509_getm_notAfter(made->leaf), seconds_of(order->ends)) &&
        X509_set_pubkey(made->leaf, made->key) && set_name(X509_get_subject_name(made->leaf), order) &&
        X509_set_issuer_name(made->leaf, X509_get_subject_name(issuer)) &&
        add_extensions(made->leaf, issuer, order) &&
        X509_sign(made->leaf, signer, order->sha1 ? EVP_sha1() : EVP_sha256()) > 0;
    if (!good) {
        fail(error, "cannot issue", order->common_name);
        return NULL;
    }
    return g_steal_pointer(&made);
}

/* ---- Authorities ------------------------------------------------------------------------------------- */
static LabIdentity *open_authority(const char *folder, const char *file, const Order *order, GError **error) {
    g_autofree char *path = g_build_filename(folder, file, NULL);
    LabIdentity *kept = load(path);
    if (kept)
        return kept;
    g_autoptr(LabIdentity) made = issue(order, error);
    return made && keep(made, path, error) ? g_steal_pointer(&made) : NULL;
}

LabAuthority *lab_authority_open(const char *folder, GError **error) {
    g_autoptr(LabAuthority) authority = g_new0(LabAuthority, 1);
    authority->folder = g_build_filename(folder, "certificates", NULL);
    if (g_mkdir_with_parents(authority->folder, 0700) != 0) {
        fail(error, "cannot make the folder", authority->folder);
        return NULL;
    }
    const Order root = {.common_name = "AC Racine CHU de Kermarec",
                        .unit = "DSI",
                        .starts = -1500,
                        .ends = 5800,
                        .key = LAB_KEY_RSA};
    authority->root = open_authority(authority->folder, "root.pem", &root, error);
    if (!authority->root)
        return NULL;
    const Order intermediate = {.common_name = "AC Équipements CHU de Kermarec",
                                .unit = "DSI",
                                .starts = -1400,
                                .ends = 2200,
                                .key = LAB_KEY_RSA,
                                .issuer = authority->root};
    authority->intermediate = open_authority(authority->folder, "intermediate.pem", &intermediate, error);
    if (!authority->intermediate)
        return NULL;
    const Order stranger = {.common_name = "Pneumalys Device Root CA",
                            .unit = "Service Engineering",
                            .starts = -3000,
                            .ends = 4000,
                            .key = LAB_KEY_RSA};
    authority->stranger = open_authority(authority->folder, "stranger.pem", &stranger, error);
    return authority->stranger ? g_steal_pointer(&authority) : NULL;
}

void lab_authority_free(LabAuthority *authority) {
    if (!authority)
        return;
    lab_identity_free(authority->root);
    lab_identity_free(authority->intermediate);
    lab_identity_free(authority->stranger);
    g_free(authority->folder);
    g_free(authority);
}

X509 *lab_authority_root(const LabAuthority *authority) {
    return authority->root->leaf;
}

/* What the device sends after its own certificate. */
static void add_rest(const LabAuthority *authority, const LabFault *fault, LabIdentity *identity) {
    const LabIdentity *sent[2] = {authority->intermediate, NULL};
    if (fault->issuer == LAB_ISSUER_STRANGER)
        sent[0] = authority->stranger;
    if (fault->sent == LAB_SENT_WRONG_ORDER) {
        sent[0] = authority->root;
        sent[1] = authority->intermediate;
    }
    if (fault->sent == LAB_SENT_LEAF_ALONE)
        return;
    for (size_t i = 0; i < G_N_ELEMENTS(sent) && sent[i]; i++) {
        X509_up_ref(sent[i]->leaf);
        sk_X509_push(identity->rest, sent[i]->leaf);
    }
}

LabIdentity *lab_authority_identity(LabAuthority *authority, const LabDevice *device, const LabFault *fault,
                                    const char *address, GError **error) {
    /* The faults are in the file's name: a device that is given another gets another certificate. */
    g_autofree char *file =
        g_strdup_printf("%s %s.pem", address, device->faults ? device->faults : "healthy");
    g_autofree char *path = g_build_filename(authority->folder, file, NULL);
    LabIdentity *kept = load(path);
    if (kept)
        return kept;

    const LabIdentity *const issuers[] = {
        [LAB_ISSUER_HOSPITAL] = authority->intermediate,
        [LAB_ISSUER_ROOT] = authority->root,
        [LAB_ISSUER_STRANGER] = authority->stranger,
        [LAB_ISSUER_ITSELF] = NULL,
    };
    g_autofree char *fqdn = lab_device_fqdn(device);
    g_autofree char *names = fault->named ? g_strdup_printf("DNS:%s", fault->named)
                                          : g_strdup_printf("DNS:%s,IP:%s", fqdn, address);
    const Order order = {
        .common_name = fault->named ? fault->named : fqdn,
        .unit = "Biomédical",
        .names = names,
        .starts = fault->starts,
        .ends = fault->ends,
        .key = fault->key,
        .sha1 = fault->sha1,
        .issuer = issuers[fault->issuer],
    };
    g_autoptr(LabIdentity) made = issue(&order, error);
    if (!made)
        return NULL;
    add_rest(authority, fault, made);
    return keep(made, path, error) ? g_steal_pointer(&made) : NULL;
}
