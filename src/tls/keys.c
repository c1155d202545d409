/* keys.c: as much of TLS 1.3's key schedule (RFC 8446 7.1) as reading the server's handshake takes.
 *
 * libcrypto's own KDF costs a fetch and a dozen allocations each time. Here every context is made once: four
 * HMACs a connection, then one initialisation a record. */
#include "tls/internal.h"

#include <openssl/err.h>

enum { SHA256_BLOCK = 64, SHA384_BLOCK = 128, TAG_MAX = 16 };

static const struct {
    uint16_t suite;
    uint8_t hash; /* 0 SHA-256, 1 SHA-384 */
    uint8_t key_size, tag_size;
    bool ccm;
    const char *name;
} ciphers[CIPHERS] = {
    {0x1301, 0, 16, 16, false, "AES-128-GCM"},       {0x1302, 1, 32, 16, false, "AES-256-GCM"},
    {0x1303, 0, 32, 16, false, "ChaCha20-Poly1305"}, {0x1304, 0, 16, 16, true, "AES-128-CCM"},
    {0x1305, 0, 16, 8, true, "AES-128-CCM"},
};

static const size_t hash_sizes[] = {32, 48};
static const size_t block_sizes[] = {SHA256_BLOCK, SHA384_BLOCK};

static bool digest(VigieTlsContext *tls, size_t hash, const VigieBytes *parts, size_t count, uint8_t *out) {
    bool well = EVP_DigestInit_ex2(tls->digest, tls->hashes[hash], NULL) == 1;
    for (size_t i = 0; well && i < count; i++)
        well = EVP_DigestUpdate(tls->digest, parts[i].data, parts[i].size) == 1;
    return well && EVP_DigestFinal_ex(tls->digest, out, NULL) == 1;
}

/* The key is never longer than a block here. */
static bool hmac(VigieTlsContext *tls, size_t hash, VigieBytes key, VigieBytes data, uint8_t *out) {
    uint8_t inner[SHA384_BLOCK], outer[SHA384_BLOCK];
    size_t block = block_sizes[hash];
    for (size_t i = 0; i < block; i++) {
        uint8_t octet = i < key.size ? key.data[i] : 0;
        inner[i] = octet ^ 0x36;
        outer[i] = octet ^ 0x5C;
    }
    VigieBytes first[] = {vigie_bytes(inner, block), data};
    VigieBytes second[] = {vigie_bytes(outer, block), vigie_bytes(out, hash_sizes[hash])};
    return digest(tls, hash, first, 2, out) && digest(tls, hash, second, 2, out);
}

/* HKDF-Expand-Label, for outputs of at most one hash: `size` octets of `out`, which holds a whole hash. */
static bool expand_label(VigieTlsContext *tls, size_t hash, const uint8_t *secret, const char *label,
                         VigieBytes context, size_t size, uint8_t *out) {
    uint8_t octets[80];
    VigieWriter info = vigie_writer(octets, sizeof octets);
    vigie_write_u16(&info, (uint16_t)size);
    size_t mark = vigie_write_open(&info, 1);
    vigie_write(&info, "tls13 ", 6);
    vigie_write(&info, label, strlen(label));
    vigie_write_close(&info, mark, 1);
    mark = vigie_write_open(&info, 1);
    vigie_write(&info, context.data, context.size);
    vigie_write_close(&info, mark, 1);
    vigie_write_u8(&info, 1);
    return !info.failed &&
           hmac(tls, hash, vigie_bytes(secret, hash_sizes[hash]), vigie_bytes(octets, info.size), out);
}

/* What does not depend on the connection: the early secret without PSK, and what is derived of it. */
static bool derive_constant(VigieTlsContext *tls, size_t hash) {
    static const uint8_t zeros[48];
    uint8_t early[EVP_MAX_MD_SIZE], empty[EVP_MAX_MD_SIZE], derived[EVP_MAX_MD_SIZE];
    VigieBytes nothing = {0}, zero = vigie_bytes(zeros, hash_sizes[hash]);
    bool well = hmac(tls, hash, nothing, zero, early) && digest(tls, hash, &nothing, 1, empty) &&
                expand_label(tls, hash, early, "derived", vigie_bytes(empty, hash_sizes[hash]),
                             hash_sizes[hash], derived);
    if (well)
        memcpy(tls->derived[hash], derived, hash_sizes[hash]);
    return well;
}

bool tls_keys_setup(VigieTlsContext *tls) {
    tls->digest = EVP_MD_CTX_new();
    tls->hashes[0] = EVP_MD_fetch(NULL, "SHA2-256", NULL);
    tls->hashes[1] = EVP_MD_fetch(NULL, "SHA2-384", NULL);
    bool well = tls->digest && tls->hashes[0] && tls->hashes[1];
    for (size_t i = 0; well && i < CIPHERS; i++) {
        tls->ciphers[i] = EVP_CIPHER_fetch(NULL, ciphers[i].name, NULL);
        tls->cipher_contexts[i] = EVP_CIPHER_CTX_new();
        well = tls->ciphers[i] && tls->cipher_contexts[i];
    }
    return well && derive_constant(tls, 0) && derive_constant(tls, 1);
}

void tls_keys_clear(VigieTlsContext *tls) {
    for (size_t i = 0; i < CIPHERS; i++) {
        EVP_CIPHER_CTX_free(tls->cipher_contexts[i]);
        EVP_CIPHER_free(tls->ciphers[i]);
    }
    EVP_MD_free(tls->hashes[0]);
    EVP_MD_free(tls->hashes[1]);
    EVP_MD_CTX_free(tls->digest);
}

static size_t cipher_of(uint32_t suite) {
    size_t i = 0;
    while (i < CIPHERS && ciphers[i].suite != suite)
        i++;
    return i;
}

size_t tls_keys_hash(VigieTlsContext *tls, uint32_t suite, const VigieBytes *parts, size_t count,
                     uint8_t *hash) {
    size_t i = cipher_of(suite);
    if (i == CIPHERS || !digest(tls, ciphers[i].hash, parts, count, hash))
        return 0;
    return hash_sizes[ciphers[i].hash];
}

bool tls_keys_derive(VigieTlsContext *tls, uint32_t suite, VigieBytes shared, VigieBytes transcript_hash,
                     TlsReadKeys *ret_keys) {
    uint8_t secret[EVP_MAX_MD_SIZE], traffic[EVP_MAX_MD_SIZE], iv[EVP_MAX_MD_SIZE];
    size_t i = cipher_of(suite);
    if (i == CIPHERS)
        return false;
    size_t hash = ciphers[i].hash;
    VigieBytes derived = vigie_bytes(tls->derived[hash], hash_sizes[hash]), nothing = {0};
    if (!hmac(tls, hash, derived, shared, secret) ||
        !expand_label(tls, hash, secret, "s hs traffic", transcript_hash, hash_sizes[hash], traffic) ||
        !expand_label(tls, hash, traffic, "key", nothing, ciphers[i].key_size, ret_keys->secret) ||
        !expand_label(tls, hash, traffic, "iv", nothing, sizeof ret_keys->iv, iv))
        return false;
    memcpy(ret_keys->iv, iv, sizeof ret_keys->iv);
    ret_keys->sequence = 0;
    ret_keys->cipher = (uint8_t)(i + 1);
    return true;
}

static bool start(EVP_CIPHER_CTX *context, const EVP_CIPHER *cipher, size_t i, const uint8_t *key,
                  const uint8_t *nonce, uint8_t *tag, int size) {
    int ignored;
    if (!ciphers[i].ccm)
        return EVP_DecryptInit_ex2(context, cipher, key, nonce, NULL) == 1 &&
               EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, ciphers[i].tag_size, tag) == 1;
    return EVP_DecryptInit_ex2(context, cipher, NULL, NULL, NULL) == 1 &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_IVLEN, 12, NULL) == 1 &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, ciphers[i].tag_size, tag) == 1 &&
           EVP_DecryptInit_ex2(context, NULL, key, nonce, NULL) == 1 &&
           EVP_DecryptUpdate(context, NULL, &ignored, NULL, size) == 1;
}

uint8_t tls_keys_open(VigieTlsContext *tls, TlsReadKeys *keys, const uint8_t header[5], uint8_t *record,
                      size_t size, size_t *ret_size) {
    size_t i = keys->cipher - 1U, tag_size = ciphers[i].tag_size;
    if (size <= tag_size)
        return 0;
    uint8_t nonce[12];
    for (size_t n = 0; n < sizeof nonce; n++)
        nonce[n] = (uint8_t)(keys->iv[n] ^ (n < 4 ? 0 : keys->sequence >> (8 * (11 - n))));
    int length = (int)(size - tag_size), done, last;
    EVP_CIPHER_CTX *context = tls->cipher_contexts[i];
    if (!start(context, tls->ciphers[i], i, keys->secret, nonce, record + length, length) ||
        EVP_DecryptUpdate(context, NULL, &done, header, 5) != 1 ||
        EVP_DecryptUpdate(context, record, &done, record, length) != 1 ||
        (!ciphers[i].ccm && EVP_DecryptFinal_ex(context, record + length, &last) != 1)) {
        ERR_clear_error();
        return 0;
    }
    keys->sequence++;
    size_t content = (size_t)length;
    while (content > 0 && record[content - 1] == 0)
        content--;
    if (content == 0)
        return 0;
    *ret_size = content - 1;
    return record[content - 1];
}
