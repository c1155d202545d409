#include "portal/limit.h"

#include <arpa/inet.h>
#include <math.h>
#include <netinet/in.h>
#include <openssl/rand.h>
#include <string.h>

enum { PLACES = 8192, WAYS = 8, SWEEP = 16, KEY_SIZE = 32 };

/* A leaking bucket: `level` at the time `last`. */
typedef struct {
    uint64_t key; /* 0: free */
    double level;
    VigieTime last, ends; /* empty from `ends` on */
} Place;

struct Limits {
    GMutex mutex;
    uint8_t key[KEY_SIZE];
    size_t swept;
    Place places[PLACES];
};

Limits *limits_new(void) {
    Limits *limits = g_new0(Limits, 1);
    g_mutex_init(&limits->mutex);
    if (RAND_bytes(limits->key, KEY_SIZE) != 1)
        g_error("the system gives no random numbers");
    return limits;
}

void limits_free(Limits *limits) {
    if (!limits)
        return;
    g_mutex_clear(&limits->mutex);
    g_free(limits);
}

/* By its octets: as a text one network has as many beginnings as zeros can be left out of it. */
char *limits_subject(const char *address) {
    struct in6_addr octets;
    char text[INET6_ADDRSTRLEN];
    if (inet_pton(AF_INET6, address, &octets) != 1)
        return g_strdup(address);
    if (IN6_IS_ADDR_V4MAPPED(&octets))
        return g_strdup(inet_ntop(AF_INET, octets.s6_addr + 12, text, sizeof text));
    memset(octets.s6_addr + 8, 0, 8);
    return g_strdup(inet_ntop(AF_INET6, &octets, text, sizeof text));
}

static uint64_t key_of(const Limits *limits, const Limit *limit, const char *who) {
    g_autofree char *subject = limits_subject(who);
    g_autofree char *text = g_strconcat(limit->what, " ", subject, NULL);
    g_autoptr(GHmac) hmac = g_hmac_new(G_CHECKSUM_SHA256, limits->key, KEY_SIZE);
    uint8_t digest[32];
    gsize size = sizeof digest;
    uint64_t key = 0;
    g_hmac_update(hmac, (const guchar *)text, -1);
    g_hmac_get_digest(hmac, digest, &size);
    memcpy(&key, digest, sizeof key);
    return key ? key : 1;
}

/* Nothing of who asked stays longer than its count lasts. */
static void sweep(Limits *limits, VigieTime now) {
    for (size_t i = 0; i < SWEEP; i++) {
        Place *place = &limits->places[limits->swept++ % PLACES];
        if (place->key && place->ends <= now)
            *place = (Place){0};
    }
}

/* Its place, or else a free one, or else the one that was silent longest. */
static Place *place_of(Limits *limits, uint64_t key) {
    Place *ways = &limits->places[key % (PLACES / WAYS) * WAYS], *oldest = ways;
    for (size_t i = 0; i < WAYS; i++)
        if (ways[i].key == key)
            return &ways[i];
    for (size_t i = 0; i < WAYS; i++)
        if (ways[i].last < oldest->last)
            oldest = &ways[i];
    *oldest = (Place){.key = key};
    return oldest;
}

static double level_at(const Place *place, const Limit *limit, VigieTime now) {
    double gone = (double)MAX(0, now - place->last) * limit->most / limit->seconds;
    return MAX(0.0, place->level - gone);
}

bool limits_take(Limits *limits, const Limit *limit, const char *who, VigieTime now, int64_t *ret_wait) {
    uint64_t key = key_of(limits, limit, who);
    g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&limits->mutex);
    sweep(limits, now);
    Place *place = place_of(limits, key);
    double level = level_at(place, limit, now), over = level + 1 - limit->most;
    if (over > 0) {
        if (ret_wait)
            *ret_wait = MAX(1, (int64_t)ceil(over * limit->seconds / limit->most));
        return false;
    }
    place->level = level + 1;
    place->last = now;
    place->ends = now + (VigieTime)ceil((level + 1) * limit->seconds / limit->most);
    return true;
}

bool limits_full(Limits *limits, const Limit *limit, const char *who, VigieTime now) {
    uint64_t key = key_of(limits, limit, who);
    g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&limits->mutex);
    const Place *place = &limits->places[key % (PLACES / WAYS) * WAYS];
    for (size_t i = 0; i < WAYS; i++)
        if (place[i].key == key)
            return level_at(&place[i], limit, now) + 1 > limit->most;
    return false;
}
