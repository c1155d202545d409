/* signer.c: what all signers share, and keys in files. */
#include "pki/signer.h"
#include "token/token.h"
#include "x509/der.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <string.h>
#include <unistd.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_PKEY, EVP_PKEY_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BIO, BIO_free_all)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509_SIG, X509_SIG_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free)

enum {
    PASSPHRASE_MIN = 12, /* as of a password of the portal */
    SCRYPT_N = 1 << 14,
    SCRYPT_R = 8,
    SCRYPT_P = 1,
    SALT = 16,
    KEY_FILE_MAX = 1 << 16,
    SIGNATURE_MAX = 1024
};

static const VigieNewKey kinds[] = {X509_KEY_P256, X509_KEY_P384, X509_KEY_RSA_3072, X509_KEY_RSA_4096};
const char signer_key_types[] = "P-256, P-384, RSA-3072 or RSA-4096";

const VigieKeyKind *signer_kind(const char *name) {
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (strcmp(x509_key_kind(kinds[i])->name, name) == 0)
            return x509_key_kind(kinds[i]);
    return NULL;
}

static bool fail(GError **error, VigieErrorCode code, const char *what, const char *path) {
    ERR_clear_error();
    g_set_error(error, VIGIE_ERROR, (gint)code, "key %s: %s", path, what);
    return false;
}

/* ---- Signing ------------------------------------------------------------------------------------------------ */
typedef struct {
    EVP_PKEY *key;
    EVP_PKEY_CTX *context; /* made once: fetching the algorithm costs as much as half a signature */
    const VigieKeyKind *type;
} FileKey;

static void file_free(void *data) {
    FileKey *file = data;
    EVP_PKEY_CTX_free(file->context);
    EVP_PKEY_free(file->key);
    g_free(file);
}

static bool file_sign(void *data, VigieBytes octets, GByteArray *out, GError **error) {
    FileKey *file = data;
    uint8_t digest[SHA512_DIGEST_LENGTH], signature[SIGNATURE_MAX];
    size_t size = sizeof signature;
    file->type->digest(octets.data, octets.size, digest);
    if (EVP_PKEY_sign(file->context, signature, &size, digest, file->type->digest_size) <= 0)
        return fail(error, VIGIE_ERROR_INTERNAL, "libcrypto does not sign", file->type->name);
    g_byte_array_append(out, signature, (guint)size);
    return true;
}

static const SignerKind file_kind = {file_sign, file_free};

bool signer_sign(Signer *signer, VigieBytes data, GByteArray *out, GError **error) {
    return signer->kind->sign(signer->key, data, out, error);
}

void signer_free(Signer *signer) {
    if (!signer)
        return;
    signer->kind->free(signer->key);
    g_byte_array_unref(signer->spki);
    g_free(signer);
}

bool signer_key_id(VigieBytes spki, uint8_t ret_id[20]) {
    const char *clause = NULL;
    VigieReader in = vigie_reader(spki);
    DerElement whole, algorithm, bits;
    uint8_t digest[SHA256_DIGEST_LENGTH];
    if (!der_expect(&in, DER_SEQUENCE, &whole, &clause))
        return false;
    in = vigie_reader(whole.value);
    if (!der_expect(&in, DER_SEQUENCE, &algorithm, &clause) ||
        !der_expect(&in, DER_BIT_STRING, &bits, &clause) || bits.value.size < 2)
        return false;
    SHA256(bits.value.data + 1, bits.value.size - 1, digest);
    memcpy(ret_id, digest, 20);
    return true;
}

static const VigieKeyKind *type_of(const EVP_PKEY *key) {
    const char *family = EVP_PKEY_is_a(key, "EC") ? "EC" : EVP_PKEY_is_a(key, "RSA") ? "RSA" : "";
    const VigieKeyKind *kind = x509_key_kind_of(family, EVP_PKEY_get_bits(key));
    return kind ? signer_kind(kind->name) : NULL;
}

/* Takes the key. */
static Signer *new_signer(EVP_PKEY *key, const char *path, GError **error) {
    FileKey *file = g_new0(FileKey, 1);
    g_autoptr(Signer) signer = g_new0(Signer, 1);
    *signer = (Signer){.kind = &file_kind, .key = file, .spki = g_byte_array_new()};
    *file = (FileKey){.key = key, .type = type_of(key)};
    if (!file->type) {
        fail(error, VIGIE_ERROR_INVALID, signer_key_types, path);
        return NULL;
    }
    signer->algorithm = file->type->algorithm;
    file->context = EVP_PKEY_CTX_new(key, NULL);
    const EVP_MD *md = file->type->digest_size == 48 ? EVP_sha384() : EVP_sha256();
    unsigned char *spki = NULL;
    int size = i2d_PUBKEY(key, &spki);
    if (size > 0)
        g_byte_array_append(signer->spki, spki, (guint)size);
    OPENSSL_free(spki);
    if (size <= 0 || !file->context || EVP_PKEY_sign_init(file->context) <= 0 ||
        EVP_PKEY_CTX_set_signature_md(file->context, md) <= 0 ||
        !signer_key_id(vigie_bytes(signer->spki->data, signer->spki->len), signer->key_id)) {
        fail(error, VIGIE_ERROR_INTERNAL, "libcrypto does not prepare to sign", path);
        return NULL;
    }
    return g_steal_pointer(&signer);
}

/* ---- Files -------------------------------------------------------------------------------------------------- */
/* scrypt, with as much memory as libcrypto grants whoever opens it; what PKCS8_encrypt does alone, 2,048 rounds of a hash,
 * is too cheap to guess. */
static BIO *seal(EVP_PKEY *key, const char *passphrase) {
    uint8_t salt[SALT];
    g_autoptr(PKCS8_PRIV_KEY_INFO) plain = EVP_PKEY2PKCS8(key);
    g_autoptr(BIO) out = BIO_new(BIO_s_mem());
    if (!plain || !out || RAND_bytes(salt, sizeof salt) != 1)
        return NULL;
    X509_ALGOR *method =
        PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), salt, sizeof salt, NULL, SCRYPT_N, SCRYPT_R, SCRYPT_P);
    g_autoptr(X509_SIG) sealed =
        method ? PKCS8_set0_pbe(passphrase, (int)strlen(passphrase), plain, method) : NULL;
    if (!sealed) {
        X509_ALGOR_free(method);
        return NULL;
    }
    return PEM_write_bio_PKCS8(out, sealed) ? g_steal_pointer(&out) : NULL;
}

static bool sync_folder(const char *path) {
    g_autofree char *folder = g_path_get_dirname(path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return synced;
}

static bool write_key(const char *path, BIO *sealed, GError **error) {
    char *text = NULL;
    long size = BIO_get_mem_data(sealed, &text);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return fail(
            error, errno == EEXIST ? VIGIE_ERROR_CONFLICT : VIGIE_ERROR_UNAVAILABLE,
            errno == EEXIST
                ? "a file of that name is there already, and is left as it is: move it, or change key_file"
                : g_strerror(errno),
            path);
    bool written = write(fd, text, (size_t)size) == size && fsync(fd) == 0;
    written = close(fd) == 0 && written && sync_folder(path);
    if (written)
        return true;
    fail(error, VIGIE_ERROR_UNAVAILABLE, g_strerror(errno), path);
    unlink(path);
    return false;
}

Signer *signer_file_make(const char *path, const char *type, const char *passphrase, GError **error) {
    const VigieKeyKind *wanted = signer_kind(type);
    if (g_utf8_strlen(passphrase, -1) < PASSPHRASE_MIN) {
        fail(error, VIGIE_ERROR_INVALID,
             "its passphrase has fewer than 12 characters: whoever finds the file would guess it", path);
        return NULL;
    }
    if (!wanted) {
        fail(error, VIGIE_ERROR_INVALID, signer_key_types, path);
        return NULL;
    }
    g_autoptr(EVP_PKEY) key = wanted->curve ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", wanted->curve)
                                            : EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)wanted->bits);
    g_autoptr(BIO) sealed = key ? seal(key, passphrase) : NULL;
    if (!sealed) {
        fail(error, VIGIE_ERROR_INTERNAL, "libcrypto does not make or seal it", path);
        return NULL;
    }
    return write_key(path, sealed, error) ? new_signer(g_steal_pointer(&key), path, error) : NULL;
}

Signer *signer_file_open(const char *path, const char *passphrase, GError **error) {
    g_autofree char *text = NULL;
    gsize size = 0;
    g_autoptr(GError) why = NULL;
    if (!g_file_get_contents(path, &text, &size, &why)) {
        fail(error, VIGIE_ERROR_NOT_FOUND, why->message, path);
        return NULL;
    }
    if (size > KEY_FILE_MAX) {
        fail(error, VIGIE_ERROR_LIMIT, "larger than a key can be: is it the right file?", path);
        return NULL;
    }
    g_autoptr(BIO) in = BIO_new_mem_buf(text, (int)size);
    g_autoptr(X509_SIG) sealed = in ? PEM_read_bio_PKCS8(in, NULL, NULL, NULL) : NULL;
    if (!sealed) {
        fail(error, VIGIE_ERROR_INVALID, "no encrypted PKCS#8 key in PEM (BEGIN ENCRYPTED PRIVATE KEY)",
             path);
        return NULL;
    }
    g_autoptr(PKCS8_PRIV_KEY_INFO) plain = PKCS8_decrypt(sealed, passphrase, (int)strlen(passphrase));
    g_autoptr(EVP_PKEY) key = plain ? EVP_PKCS82PKEY(plain) : NULL;
    if (!key) {
        fail(error, VIGIE_ERROR_DENIED, "the passphrase does not open it", path);
        return NULL;
    }
    return new_signer(g_steal_pointer(&key), path, error);
}

/* ---- Files or tokens ---------------------------------------------------------------------------------------- */
bool signer_in_token(const char *where) {
    return token_uri_is(where);
}

Signer *signer_make(const char *where, const char *type, const char *passphrase, GError **error) {
    return (signer_in_token(where) ? signer_token_make : signer_file_make)(where, type, passphrase, error);
}

Signer *signer_open(const char *where, const char *passphrase, GError **error) {
    return (signer_in_token(where) ? signer_token_open : signer_file_open)(where, passphrase, error);
}

char *signer_new_path(const char *where) {
    return signer_in_token(where) ? g_strdup(where) : g_strconcat(where, ".new", NULL);
}

bool signer_settle(const char *where, GError **error) {
    g_autofree char *from = signer_new_path(where);
    if (signer_in_token(where) || !g_file_test(from, G_FILE_TEST_EXISTS))
        return true;
    /* A second name first: what stands at the place is never replaced. */
    if ((link(from, where) == 0 || errno == EEXIST) && sync_folder(where) && unlink(from) == 0)
        return true;
    return fail(error, VIGIE_ERROR_UNAVAILABLE, g_strerror(errno), where);
}

bool signer_clear(const char *where, GError **error) {
    g_autofree char *left = signer_new_path(where);
    if (signer_in_token(where))
        return true;
    if (g_file_test(where, G_FILE_TEST_EXISTS))
        return fail(error, VIGIE_ERROR_CONFLICT,
                    "a file of that name is there already, and is left as it is: move it, or change key_file",
                    where);
    return unlink(left) == 0 || errno == ENOENT ||
           fail(error, VIGIE_ERROR_UNAVAILABLE, g_strerror(errno), left);
}

char *signer_beside(const char *where, const char *name) {
    if (signer_in_token(where))
        return token_uri_beside(where, name);
    g_autofree char *folder = g_path_get_dirname(where), *file = g_strconcat(name, ".key", NULL);
    return g_build_filename(folder, file, NULL);
}
