/* key.c: the kinds of keys that we make, one row each. */
#include "x509/x509.h"

#include <openssl/sha.h>
#include <string.h>

/* ecdsa-with-SHA256, ecdsa-with-SHA384 (RFC 5758 3.2), sha256WithRSAEncryption (RFC 4055 5). */
static const uint8_t ecdsa_sha256[] = {0x30, 0x0A, 0x06, 0x08, 0x2A, 0x86,
                                       0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02};
static const uint8_t ecdsa_sha384[] = {0x30, 0x0A, 0x06, 0x08, 0x2A, 0x86,
                                       0x48, 0xCE, 0x3D, 0x04, 0x03, 0x03};
static const uint8_t rsa_sha256[] = {0x30, 0x0D, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86,
                                     0xF7, 0x0D, 0x01, 0x01, 0x0B, 0x05, 0x00};

/* clang-format off */
static const VigieKeyKind kinds[X509_NEW_KEYS] = {
    [X509_KEY_P256] = {"P-256", "p256", "EC", "P-256", 256, {ecdsa_sha256, sizeof ecdsa_sha256}, SHA256, 32},
    [X509_KEY_P384] = {"P-384", "p384", "EC", "P-384", 384, {ecdsa_sha384, sizeof ecdsa_sha384}, SHA384, 48},
    [X509_KEY_RSA_2048] = {"RSA-2048", "rsa2048", "RSA", NULL, 2048, {rsa_sha256, sizeof rsa_sha256}, SHA256, 32},
    [X509_KEY_RSA_3072] = {"RSA-3072", "rsa3072", "RSA", NULL, 3072, {rsa_sha256, sizeof rsa_sha256}, SHA256, 32},
    [X509_KEY_RSA_4096] = {"RSA-4096", "rsa4096", "RSA", NULL, 4096, {rsa_sha256, sizeof rsa_sha256}, SHA256, 32},
};
/* clang-format on */

const VigieKeyKind *x509_key_kind(VigieNewKey key) {
    return &kinds[key];
}

const VigieKeyKind *x509_key_kind_of(const char *family, int bits) {
    for (size_t i = 0; i < X509_NEW_KEYS; i++)
        if (strcmp(kinds[i].family, family) == 0 && kinds[i].bits == bits)
            return &kinds[i];
    return NULL;
}

bool x509_new_key_parse(const char *option, VigieNewKey *ret_key) {
    for (size_t i = 0; i < X509_NEW_KEYS; i++)
        if (strcmp(kinds[i].option, option) == 0) {
            *ret_key = (VigieNewKey)i;
            return true;
        }
    return false;
}
