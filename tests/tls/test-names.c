/* The tables: that none is missing, that ids and names go together, that verdicts follow what the suite is made of. */
#include "tls/tls.h"

#include <glib.h>

static void test_counts(void) {
    const uint16_t *ids;
    g_assert_cmpuint(tls_suites_of(VIGIE_TLS12, &ids), ==, 347);
    g_assert_cmpuint(tls_suites_of(VIGIE_TLS13, &ids), ==, 13);
    g_assert_cmphex(ids[0], ==, 0x1301);
    g_assert_cmpuint(tls_suites_of(VIGIE_SSL3, &ids), ==, 134);
    g_assert_cmpuint(tls_suites_of(VIGIE_SSL2, &ids), ==, 0);
    g_assert_cmpuint(tls_groups_of(VIGIE_TLS13, &ids), ==, 28);
    g_assert_cmphex(ids[0], ==, 0x001D);
    size_t known = 0;
    for (uint32_t id = 0; id < 0x90000; id++)
        known += tls_suite(id) != NULL;
    g_assert_cmpuint(known, ==, 371);
}

static void test_values(void) {
    static const struct {
        uint32_t id;
        const char *name, *key_exchange, *authentication, *cipher, *mac;
        uint8_t verdict;
    } suites[] = {
        {0x0004, "TLS_RSA_WITH_RC4_128_MD5", "RSA", "RSA", "RC4_128", "MD5", VIGIE_SUITE_INSECURE},
        {0x000A, "TLS_RSA_WITH_3DES_EDE_CBC_SHA", "RSA", "RSA", "3DES_EDE_CBC", "SHA", VIGIE_SUITE_WEAK},
        {0x0018, "TLS_DH_anon_WITH_RC4_128_MD5", "DH", "anon", "RC4_128", "MD5", VIGIE_SUITE_INSECURE},
        {0x002F, "TLS_RSA_WITH_AES_128_CBC_SHA", "RSA", "RSA", "AES_128_CBC", "SHA", VIGIE_SUITE_WEAK},
        {0x003B, "TLS_RSA_WITH_NULL_SHA256", "RSA", "RSA", "NULL", "SHA256", VIGIE_SUITE_INSECURE},
        {0x009E, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256", "DHE", "RSA", "AES_128_GCM", "AEAD",
         VIGIE_SUITE_SECURE},
        {0x1301, "TLS_AES_128_GCM_SHA256", "any", "any", "AES_128_GCM", "AEAD", VIGIE_SUITE_RECOMMENDED},
        {0xC014, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "ECDHE", "RSA", "AES_256_CBC", "SHA",
         VIGIE_SUITE_WEAK},
        {0xC030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE", "RSA", "AES_256_GCM", "AEAD",
         VIGIE_SUITE_RECOMMENDED},
        {0xCCA9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE", "ECDSA", "CHACHA20_POLY1305",
         "AEAD", VIGIE_SUITE_RECOMMENDED},
        {0x0700C0, "SSL_CK_DES_192_EDE3_CBC_WITH_MD5", "RSA", "RSA", "DES_192_EDE3_CBC", "MD5",
         VIGIE_SUITE_INSECURE},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(suites); i++) {
        const VigieSuite *suite = tls_suite(suites[i].id);
        g_assert_nonnull(suite);
        g_assert_cmpstr(suite->name, ==, suites[i].name);
        g_assert_cmpstr(suite->key_exchange, ==, suites[i].key_exchange);
        g_assert_cmpstr(suite->authentication, ==, suites[i].authentication);
        g_assert_cmpstr(suite->cipher, ==, suites[i].cipher);
        g_assert_cmpstr(suite->mac, ==, suites[i].mac);
        g_assert_cmpuint(suite->verdict, ==, suites[i].verdict);
    }
    g_assert_null(tls_suite_name(0xFFFE));
    g_assert_cmpstr(tls_group_name(23), ==, "secp256r1");
    g_assert_cmpstr(tls_group_name(29), ==, "x25519");
    g_assert_cmpstr(tls_group_name(0x11EC), ==, "X25519MLKEM768");
    g_assert_cmpstr(tls_signature_name(0x0804), ==, "rsa_pss_rsae_sha256");
    g_assert_cmpstr(tls_alert_name(70), ==, "protocol_version");
    g_assert_null(tls_alert_name(200));
    g_assert_cmpstr(tls_version_name(VIGIE_TLS10), ==, "TLSv1.0");
    g_assert_cmphex(tls_version_wire(VIGIE_SSL2), ==, 0x0002);
    g_assert_true(tls_is_grease(0x3A3A) && !tls_is_grease(0x3A4A) && !tls_is_grease(0x1301));
}

/* Rules that hold for all: a slip in one line of the file shows here. */
static void test_verdicts(void) {
    for (uint32_t id = 0; id < 0x90000; id++) {
        const VigieSuite *suite = tls_suite(id);
        if (!suite || !suite->versions)
            continue;
        bool broken = strstr(suite->cipher, "NULL") || strstr(suite->cipher, "RC4") ||
                      strstr(suite->cipher, "RC2") || g_str_has_prefix(suite->cipher, "DES") ||
                      strcmp(suite->mac, "MD5") == 0 || strcmp(suite->authentication, "anon") == 0 ||
                      strstr(suite->name, "EXPORT");
        g_assert_true(broken == (suite->verdict == VIGIE_SUITE_INSECURE));
        bool aead = strcmp(suite->mac, "AEAD") == 0;
        g_assert_true(suite->verdict != VIGIE_SUITE_RECOMMENDED || aead);
        g_assert_true(!aead || !(suite->versions & (1 << VIGIE_SSL3 | 1 << VIGIE_TLS10 | 1 << VIGIE_TLS11)));
    }
}

static void test_clock(void) {
    static const struct {
        VigieClockSample samples[3];
        size_t count;
        VigieClock verdict;
        int64_t offset;
    } cases[] = {
        {{{1000000, 1000000}}, 1, VIGIE_CLOCK_SURE, 0},
        {{{1000030, 1000000}}, 1, VIGIE_CLOCK_SURE, 30},
        {{{1000664, 1000000}}, 1, VIGIE_CLOCK_LIKELY, 664},
        {{{1000664, 1000000}, {1000666, 1000002}}, 2, VIGIE_CLOCK_SURE, 664},
        {{{3500000000, 1000000}}, 1, VIGIE_CLOCK_RANDOM, 0},
        {{{3500000000, 1000000}, {3500000005, 1000005}}, 2, VIGIE_CLOCK_SURE, 3499000000},
        {{{3500000000, 1000000}, {3500000000, 1000002}}, 2, VIGIE_CLOCK_LIKELY, 3499000000}, /* a constant? */
        {{{3500000000, 1000000}, {3500000000, 1000010}}, 2, VIGIE_CLOCK_RANDOM, 0},          /* a constant */
        {{{1000664, 1000000}, {777, 1000002}}, 2, VIGIE_CLOCK_RANDOM, 0},
        {{{0, 1000000}, {0, 1000001}}, 2, VIGIE_CLOCK_RANDOM, 0},
        {{{1000664, 1000000}, {1000665, 1000001}, {42, 1000002}}, 3, VIGIE_CLOCK_RANDOM, 0},
        {{{0, 0}}, 0, VIGIE_CLOCK_RANDOM, 0},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        int64_t offset = 0;
        g_assert_cmpint(tls_clock_judge(cases[i].samples, cases[i].count, &offset), ==, cases[i].verdict);
        g_assert_cmpint(offset, ==, cases[i].offset);
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tls/names/counts", test_counts);
    g_test_add_func("/tls/names/values", test_values);
    g_test_add_func("/tls/names/verdicts", test_verdicts);
    g_test_add_func("/tls/clock", test_clock);
    return g_test_run();
}
