/* chain.c: chains as served, each decoded and rendered once however many endpoints serve it.
 *
 * A survey meets the same chains over and over, so the hit must be cheap. The table's hash is a polynomial over
 * GF(2^61 - 1) at a point drawn at random when the cache is made: two different chains of n octets collide with a chance
 * of n / 2^63 whatever they are, because who chooses them does not know the point. Equality is decided by comparing
 * all octets; so a collision could cost time, never give a wrong answer. */
#include "x509/x509.h"

#include <openssl/rand.h>

enum {
    JSON_PER_CERTIFICATE = 512,
    BYTES_MAX = 16 << 20,
    EVICTION_LOOK = 8,
    COUNT_MAX = 64,
    CHAIN_MAX = 1 << 20
};

typedef struct {
    VigieChain public; /* first: it is what is handed out */
    gint references;
} Chain;

typedef struct Entry {
    struct Entry *next;          /* of the bucket */
    struct Entry *older, *newer; /* by last use */
    uint64_t hash;
    size_t cost;
    Chain *chain;
} Entry;

struct VigieChainCache {
    uint64_t powers[5]; /* of the point */
    size_t capacity, count, bytes;
    size_t mask;
    Entry **buckets;
    Entry *oldest, *newest;
};

/* ---- The rendering, doc/record.md ---------------------------------------------------------------------------- */
static void append_hex(GString *out, const uint8_t *octets, size_t size) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        g_string_append_c(out, digits[octets[i] >> 4]);
        g_string_append_c(out, digits[octets[i] & 15]);
    }
}

static void append_member(GString *out, const char *name, const char *text) {
    g_string_append_printf(out, ",\"%s\":", name);
    if (text)
        vigie_json_append_string(out, text, strlen(text));
    else
        g_string_append(out, "null");
}

static void append_names(GString *out, const VigieCertificate *certificate) {
    static const char *const prefixes[] = {[VIGIE_NAME_DNS] = "DNS:",
                                           [VIGIE_NAME_IP] = "IP:",
                                           [VIGIE_NAME_EMAIL] = "email:",
                                           [VIGIE_NAME_URI] = "URI:",
                                           [VIGIE_NAME_OTHER] = ""};
    g_autoptr(GString) text = g_string_new(NULL);
    g_string_append(out, ",\"san\":[");
    for (size_t i = 0; i < certificate->name_count; i++) {
        g_string_assign(text, prefixes[certificate->names[i].type]);
        g_string_append(text, certificate->names[i].text);
        if (i > 0)
            g_string_append_c(out, ',');
        vigie_json_append_string(out, text->str, text->len);
    }
    g_string_append_c(out, ']');
}

static void append_time(GString *out, const char *name, VigieTime time) {
    g_autofree char *text = vigie_time_rfc3339(time);
    append_member(out, name, text);
}

static void append_certificate(GString *out, const VigieCertificate *certificate) {
    g_string_append(out, "{\"sha256\":\"");
    append_hex(out, certificate->sha256, sizeof certificate->sha256);
    g_string_append_c(out, '"');
    append_member(out, "subject", certificate->subject);
    append_member(out, "issuer", certificate->issuer);
    append_member(out, "serial", certificate->serial);
    append_time(out, "not_before", certificate->not_before);
    append_time(out, "not_after", certificate->not_after);
    append_names(out, certificate);
    g_string_append_printf(out, ",\"key\":{\"type\":\"%s\",\"bits\":%u", x509_key_name(certificate->key),
                           certificate->key_bits);
    append_member(out, "curve", certificate->curve);
    g_string_append_c(out, '}');
    append_member(out, "signature_algorithm", certificate->signature_algorithm);
    append_member(out, "malformed", certificate->malformed);
    g_string_append_c(out, '}');
}

/* ---- A chain ------------------------------------------------------------------------------------------------ */
VigieChain *x509_chain_ref(VigieChain *chain) {
    g_atomic_int_inc(&((Chain *)(void *)chain)->references);
    return chain;
}

void x509_chain_unref(VigieChain *chain) {
    if (!chain || !g_atomic_int_dec_and_test(&((Chain *)(void *)chain)->references))
        return;
    for (size_t i = 0; i < chain->count; i++)
        x509_certificate_unref(chain->certificates[i]);
    g_free(chain->certificates);
    g_free(chain->json);
    g_free(chain);
}

static VigieChain *chain_new(const VigieBytes *der, size_t count, GError **error) {
    Chain *chain = g_new0(Chain, 1);
    GString *json = g_string_sized_new(count * JSON_PER_CERTIFICATE);
    chain->references = 1;
    chain->public.certificates = g_new0(VigieCertificate *, count);
    g_string_append_c(json, '[');
    for (size_t i = 0; i < count; i++) {
        VigieCertificate *certificate = x509_certificate_new(der[i], error);
        if (!certificate) {
            g_prefix_error(error, "certificate %zu of the chain: ", i + 1);
            g_string_free(json, TRUE);
            x509_chain_unref(&chain->public);
            return NULL;
        }
        chain->public.certificates[chain->public.count++] = certificate;
        if (i > 0)
            g_string_append_c(json, ',');
        append_certificate(json, certificate);
    }
    g_string_append_c(json, ']');
    chain->public.json = g_string_free(json, FALSE);
    return &chain->public;
}

/* ---- The cache ---------------------------------------------------------------------------------------------- */
static const uint64_t prime = (UINT64_C(1) << 61) - 1;

__extension__ typedef unsigned __int128 Wide;

/* Below the prime, or so near above that a term can be added and the product still fits. */
static uint64_t multiply(uint64_t a, uint64_t b) {
    Wide product = (Wide)a * b;
    uint64_t sum = (uint64_t)(product & prime) + (uint64_t)(product >> 61);
    return (sum & prime) + (sum >> 61);
}

static uint64_t term_at(const uint8_t *octets) {
    uint64_t term;
    memcpy(&term, octets, sizeof term);
    return term & 0x00FFFFFFFFFFFFFF; /* 7 octets, so that it is below the prime */
}

/* Four polynomials of every fourth term, which the processor works on at once; then they are one again. Lengths are
 * terms too, so that no two lists read the same. */
static uint64_t hash_list(const uint64_t powers[5], const VigieBytes *der, size_t count) {
    uint64_t hash = count;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *at = der[i].data, *end = at + der[i].size;
        uint64_t lanes[4] = {der[i].size, 0, 0, 0}, last = 0;
        for (; end - at > 28; at += 28)
            for (size_t lane = 0; lane < 4; lane++)
                lanes[lane] = multiply(lanes[lane], powers[4]) + term_at(at + 7 * lane);
        for (size_t lane = 0; lane < 4; lane++)
            hash = multiply(hash, powers[1]) + lanes[lane];
        for (; end - at >= 8; at += 7)
            hash = multiply(hash, powers[1]) + term_at(at);
        memcpy(&last, at, (size_t)(end - at));
        hash = multiply(hash, powers[1]) + last;
    }
    return multiply(hash, powers[1]);
}

VigieChainCache *x509_chain_cache_new(size_t capacity) {
    VigieChainCache *cache = g_new0(VigieChainCache, 1);
    size_t buckets = 64;
    while (buckets < capacity && buckets < 1 << 20)
        buckets *= 2;
    cache->capacity = MAX(capacity, 1);
    cache->mask = buckets - 1;
    cache->buckets = g_new0(Entry *, buckets);
    uint64_t point;
    if (RAND_bytes((unsigned char *)&point, sizeof point) != 1)
        point = (uint64_t)g_random_int() << 32 | g_random_int();
    cache->powers[0] = 1;
    for (size_t i = 1; i < G_N_ELEMENTS(cache->powers); i++)
        cache->powers[i] = multiply(cache->powers[i - 1], point % prime);
    return cache;
}

static void detach(VigieChainCache *cache, Entry *entry) {
    *(entry->newer ? &entry->newer->older : &cache->newest) = entry->older;
    *(entry->older ? &entry->older->newer : &cache->oldest) = entry->newer;
}

static void attach(VigieChainCache *cache, Entry *entry) {
    entry->older = cache->newest;
    entry->newer = NULL;
    *(cache->newest ? &cache->newest->newer : &cache->oldest) = entry;
    cache->newest = entry;
}

static void entry_remove(VigieChainCache *cache, Entry *entry) {
    Entry **link = &cache->buckets[entry->hash & cache->mask];
    while (*link != entry)
        link = &(*link)->next;
    *link = entry->next;
    detach(cache, entry);
    cache->count--;
    cache->bytes -= entry->cost;
    x509_chain_unref(&entry->chain->public);
    g_free(entry);
}

void x509_chain_cache_free(VigieChainCache *cache) {
    if (!cache)
        return;
    while (cache->oldest)
        entry_remove(cache, cache->oldest);
    g_free(cache->buckets);
    g_free(cache);
}

/* Makes room: the oldest that nobody holds, looked for among a few; else the oldest. */
static void evict(VigieChainCache *cache) {
    while (cache->count > cache->capacity || (cache->bytes > BYTES_MAX && cache->count > 1)) {
        Entry *entry = cache->oldest;
        for (int i = 0; entry && i < EVICTION_LOOK; i++, entry = entry->newer)
            if (g_atomic_int_get(&entry->chain->references) == 1)
                break;
        entry_remove(cache, entry && entry != cache->newest ? entry : cache->oldest);
    }
}

static bool same(const VigieChain *chain, const VigieBytes *der, size_t count) {
    if (chain->count != count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!vigie_bytes_equal(chain->certificates[i]->der, der[i]))
            return false;
    return true;
}

static void insert(VigieChainCache *cache, VigieChain *chain, uint64_t hash) {
    Entry *entry = g_new0(Entry, 1);
    entry->hash = hash;
    entry->chain = (Chain *)(void *)x509_chain_ref(chain);
    entry->cost = sizeof *entry + strlen(chain->json);
    for (size_t i = 0; i < chain->count; i++)
        entry->cost += sizeof(VigieCertificate) + 2 * chain->certificates[i]->der.size;
    Entry **bucket = &cache->buckets[hash & cache->mask];
    entry->next = *bucket;
    *bucket = entry;
    attach(cache, entry);
    cache->count++;
    cache->bytes += entry->cost;
    evict(cache);
}

static bool sane(const VigieBytes *der, size_t count, GError **error) {
    size_t size = 0;
    for (size_t i = 0; i < count && i < COUNT_MAX; i++)
        size += der[i].size;
    if (count > 0 && count <= COUNT_MAX && size <= CHAIN_MAX)
        return true;
    g_set_error(error, VIGIE_ERROR, count ? VIGIE_ERROR_LIMIT : VIGIE_ERROR_INVALID,
                "chain of %zu certificates, %zu octets: 1 to %d certificates and 1 MiB are read", count, size,
                COUNT_MAX);
    return false;
}

VigieChain *x509_chain_cache_get(VigieChainCache *cache, const VigieBytes *der, size_t count,
                                 GError **error) {
    if (!sane(der, count, error))
        return NULL;
    uint64_t hash = hash_list(cache->powers, der, count);
    for (Entry *entry = cache->buckets[hash & cache->mask]; entry; entry = entry->next) {
        if (entry->hash != hash || !same(&entry->chain->public, der, count))
            continue;
        if (entry != cache->newest) {
            detach(cache, entry);
            attach(cache, entry);
        }
        return x509_chain_ref(&entry->chain->public);
    }
    VigieChain *chain = chain_new(der, count, error);
    if (chain)
        insert(cache, chain, hash);
    return chain;
}
