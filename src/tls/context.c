/* context.c: what the connections of a thread share. */
#include "tls/internal.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <sys/random.h>

enum {
    BUFFER_FIRST = 4096,    /* a usual flight fits */
    BUFFER_KEPT = 16 << 10, /* larger ones are not kept */
    BUFFERS_KEPT = 256,
};

static const struct {
    uint16_t group;
    const char *type; /* libcrypto's key type */
    const char *curve;
    uint8_t public_size;
} share_kinds[SHARES] = {
    {VIGIE_GROUP_X25519, "X25519", NULL, 32},
    {0x0017, "EC", "P-256", 65},
    {0x0018, "EC", "P-384", 97},
    {0x0019, "EC", "P-521", 133},
    {0x001E, "X448", NULL, 56},
};

VigieTlsContext *tls_context_new(void) {
    VigieTlsContext *tls = calloc(1, sizeof *tls);
    if (tls && !tls_keys_setup(tls)) {
        tls_context_free(tls);
        return NULL;
    }
    return tls;
}

static void buffer_free(VigieTlsBuffer *buffer) {
    free(buffer->data);
    free(buffer);
}

void tls_context_free(VigieTlsContext *tls) {
    if (!tls)
        return;
    tls_keys_clear(tls);
    for (size_t i = 0; i < SHARES; i++) {
        EVP_PKEY_CTX_free(tls->shares[i].derivation);
        EVP_PKEY_free(tls->shares[i].key);
    }
    while (tls->free_buffers) {
        VigieTlsBuffer *next = tls->free_buffers->next;
        buffer_free(tls->free_buffers);
        tls->free_buffers = next;
    }
    free(tls);
}

/* The kernel is asked once for many hellos: the call costs as much as writing one. */
bool tls_context_random(VigieTlsContext *tls, uint8_t *random, size_t size) {
    if (tls->random_left < size) {
        if (getrandom(tls->random, sizeof tls->random, 0) != (ssize_t)sizeof tls->random)
            return false;
        tls->random_left = sizeof tls->random;
    }
    tls->random_left -= size;
    memcpy(random, tls->random + tls->random_left, size);
    return true;
}

static size_t share_index(uint16_t group) {
    size_t i = 0;
    while (i < SHARES && share_kinds[i].group != group)
        i++;
    return i;
}

static bool share_make(VigieTlsContext *tls, size_t i) {
    EVP_PKEY *key = share_kinds[i].curve ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", share_kinds[i].curve)
                                         : EVP_PKEY_Q_keygen(NULL, NULL, share_kinds[i].type);
    size_t size = 0;
    EVP_PKEY_CTX *derivation = key ? EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL) : NULL;
    if (!derivation || EVP_PKEY_derive_init(derivation) != 1 ||
        !EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, tls->shares[i].public_key,
                                         sizeof tls->shares[i].public_key, &size) ||
        size != share_kinds[i].public_size) {
        EVP_PKEY_CTX_free(derivation);
        EVP_PKEY_free(key);
        return false;
    }
    tls->shares[i].key = key;
    tls->shares[i].derivation = derivation;
    tls->shares[i].public_size = size;
    return true;
}

VigieBytes tls_context_share(VigieTlsContext *tls, uint16_t group) {
    size_t i = share_index(group);
    if (i == SHARES || (!tls->shares[i].key && !share_make(tls, i)))
        return (VigieBytes){0};
    return vigie_bytes(tls->shares[i].public_key, tls->shares[i].public_size);
}

/* The peer's key: libcrypto checks that a point is on its curve as it decodes it. */
static EVP_PKEY *peer_key(const VigieTlsContext *tls, size_t i, VigieBytes peer) {
    if (!share_kinds[i].curve)
        return EVP_PKEY_new_raw_public_key_ex(NULL, share_kinds[i].type, NULL, peer.data, peer.size);
    EVP_PKEY *key = EVP_PKEY_new();
    if (key && EVP_PKEY_copy_parameters(key, tls->shares[i].key) == 1 &&
        EVP_PKEY_set1_encoded_public_key(key, peer.data, peer.size) == 1)
        return key;
    EVP_PKEY_free(key);
    return NULL;
}

bool tls_context_derive(VigieTlsContext *tls, uint16_t group, VigieBytes peer, uint8_t secret[72],
                        size_t *ret_size) {
    size_t i = share_index(group), size = 72;
    if (i == SHARES || !tls->shares[i].key || peer.size != share_kinds[i].public_size)
        return false;
    EVP_PKEY *key = peer_key(tls, i, peer);
    bool well = key && EVP_PKEY_derive_set_peer_ex(tls->shares[i].derivation, key, 0) == 1 &&
                EVP_PKEY_derive(tls->shares[i].derivation, secret, &size) == 1;
    EVP_PKEY_free(key);
    if (well)
        *ret_size = size;
    else
        ERR_clear_error(); /* the peer's fault is ours to tell, not what libcrypto made of it */
    return well;
}

VigieTlsBuffer *tls_buffer_take(VigieTlsContext *tls) {
    VigieTlsBuffer *buffer = tls->free_buffers;
    if (buffer) {
        tls->free_buffers = buffer->next;
        tls->free_count--;
    } else {
        buffer = malloc(sizeof *buffer);
        uint8_t *data = malloc(BUFFER_FIRST);
        if (!buffer || !data) {
            free(buffer);
            free(data);
            return NULL;
        }
        buffer->data = data;
        buffer->capacity = BUFFER_FIRST;
    }
    buffer->parsed = buffer->size = buffer->tail = buffer->retry_size = 0;
    buffer->cookie = (VigieBytes){0};
    buffer->keys.cipher = 0;
    return buffer;
}

void tls_buffer_give(VigieTlsContext *tls, VigieTlsBuffer *buffer) {
    if (buffer->capacity > BUFFER_KEPT || tls->free_count >= BUFFERS_KEPT) {
        buffer_free(buffer);
        return;
    }
    buffer->next = tls->free_buffers;
    tls->free_buffers = buffer;
    tls->free_count++;
}
