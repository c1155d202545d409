/* A hospital in a fresh store, records as a survey makes them, and a clock that tests set. */
#pragma once

#include "fleet/fleet.h"
#include "store-test.h"

/* 2026-11-21T08:00:00Z, a Saturday. */
#define TEST_NOW ((VigieTime)1795248000)
enum { DAY = 86400 };

/* "2026-11-21T08:00:00Z" as a time. */
VigieTime test_time(const char *text);

/* Organisations, devices and endpoints by what matters to a test; fails the test where they cannot be made. */
int64_t test_organisation(VigieStore *store, const char *name);
/* `fields` is JSON text without the organisation: "{\"name\": …}". */
int64_t test_device(VigieStore *store, int64_t organisation, const char *fields);
int64_t test_endpoint(VigieStore *store, int64_t device, const char *host, int port);
int64_t test_contact(VigieStore *store, int64_t organisation, const char *role, const char *mail);

/* A certificate made for the test (EC P-256, self-signed or under `issuer`'s name), and the same key again. */
typedef struct {
    const char *name, *issuer; /* CN; issuer NULL: itself */
    VigieTime not_before, not_after;
    int key; /* certificates of one number have one key */
} TestCertificate;
VigieChain *test_chain(const TestCertificate *certificates, size_t count);

/* A record of the endpoint; findings is "kind:severity …" ("clock-skew:high weak-key:low"), each with the evidence
 * {"n": 1}. Clear with vigie_record_clear. */
VigieRecord test_record(const char *outcome, VigieTime time, VigieDepth depth, VigieChain *chain,
                        const char *findings);
void test_observe(VigieStore *store, int64_t endpoint, int64_t run, VigieRecord *record, VigieTime now);

/* The value at a path of members and indexes, "items.0.device.name"; fails the test where there is none. */
json_t *test_at(const json_t *value, const char *path);
const char *test_text(const json_t *value, const char *path); /* NULL for null */
int64_t test_int(const json_t *value, const char *path);
/* The event kinds of an endpoint, oldest first, spaces between, without "endpoint-added" and what `but` begins with. */
char *test_events(VigieStore *store, int64_t endpoint, const char *but);
