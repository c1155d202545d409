/* Files as people have them, chains as servers send them, and the cache that shares them. */
#include "der-text.h"
#include "x509/x509.h"

#include <jansson.h>

/* A small certificate whose subject is a number. */
static GByteArray *numbered(unsigned number) {
    g_autofree char *text = g_strdup_printf("30{ 30{ 02{ 05 } 30{ 06{2B6570} } 30{ 31{ 30{ 06{550403} "
                                            "0C{'AC'} } } } 30{ 17{'260101000000Z'} 17{'270101000000Z'} }"
                                            " 30{ 31{ 30{ 06{550403} 0C{'%u'} } } } 30{ 30{ 06{2B6570} } 03{ "
                                            "00 01 } } } 30{ 06{2B6570} } 03{ 00 02 } }",
                                            number);
    return der_text(text);
}

static char *pem_of(const GByteArray *der, const char *label, const char *end_of_line) {
    g_autofree char *encoded = g_base64_encode(der->data, der->len);
    GString *text = g_string_new(NULL);
    g_string_append_printf(text, "-----BEGIN %s-----%s", label, end_of_line);
    for (size_t at = 0; at < strlen(encoded); at += 64)
        g_string_append_printf(text, "%.64s%s", encoded + at, end_of_line);
    g_string_append_printf(text, "-----END %s-----%s", label, end_of_line);
    return g_string_free(text, FALSE);
}

static GPtrArray *read_text(const char *text, GError **error) {
    return x509_certificates_read(vigie_bytes(text, strlen(text)), error);
}

static void test_files(void) {
    g_autoptr(GByteArray) der = numbered(1), other = numbered(2);
    g_autofree char *unix_pem = pem_of(der, "CERTIFICATE", "\n"),
                    *windows_pem = pem_of(other, "X509 CERTIFICATE", "\r\n");
    g_autofree char *key = pem_of(der, "PRIVATE KEY", "\n");
    g_autofree char *one_line = pem_of(der, "CERTIFICATE", "");
    g_autofree char *texts[] = {
        g_strdup(unix_pem),
        g_strconcat("\xEF\xBB\xBF", unix_pem, NULL),
        g_strconcat("subject=CN = 1\r\nsome words\r\n", unix_pem, "\r\nmore words\n", NULL),
        g_strconcat(key, unix_pem, NULL),
        g_strdup(one_line),
    };
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GPtrArray) found = read_text(texts[i], NULL);
        g_assert_nonnull(found);
        g_assert_cmpuint(found->len, ==, 1);
        g_assert_cmpstr(((VigieCertificate *)found->pdata[0])->subject, ==, "CN=1");
        if (i > 0)
            g_free(texts[i]);
    }
    g_autofree char *both = g_strconcat(unix_pem, windows_pem, key, NULL);
    g_autoptr(GPtrArray) two = read_text(both, NULL);
    g_assert_cmpuint(two->len, ==, 2);
    g_assert_cmpstr(((VigieCertificate *)two->pdata[1])->subject, ==, "CN=2");
    g_autoptr(GPtrArray) binary = x509_certificates_read(vigie_bytes(der->data, der->len), NULL);
    g_assert_cmpuint(binary->len, ==, 1);
    /* OpenSSL's own settings after the certificate are not part of it */
    g_byte_array_append(der, (const guint8 *)"\x30\x03\x02\x01\x01", 5);
    g_autofree char *trusted = pem_of(der, "TRUSTED CERTIFICATE", "\n");
    g_autoptr(GPtrArray) cut = read_text(trusted, NULL);
    g_assert_cmpstr(((VigieCertificate *)cut->pdata[0])->malformed, ==, NULL);
}

static void test_refused_files(void) {
    g_autoptr(GByteArray) der = numbered(1);
    g_autofree char *key = pem_of(der, "PRIVATE KEY", "\n"), *well = pem_of(der, "CERTIFICATE", "\n");
    g_autofree char *then_broken =
        g_strconcat(well, "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", NULL);
    const struct {
        const char *text, *words;
    } cases[] = {
        {"", "neither PEM"},
        {"hello", "neither PEM"},
        {key, "it holds a PRIVATE KEY"},
        {"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", "certificate 1 of the file"},
        {"-----BEGIN CERTIFICATE-----\n", "certificate 1 of the file"},
        {"-----BEGIN CERTIFICATE", "neither PEM"},
        {then_broken, "certificate 2 of the file"},
        {"0\x82", "not a certificate in DER"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(read_text(cases[i].text, &error));
        g_assert_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID);
        if (!strstr(error->message, cases[i].words))
            g_error("%s: %s", cases[i].text, error->message);
    }
}

static VigieChain *get(VigieChainCache *cache, unsigned first, unsigned second) {
    g_autoptr(GByteArray) a = numbered(first), b = numbered(second);
    VigieBytes der[] = {vigie_bytes(a->data, a->len), vigie_bytes(b->data, b->len)};
    return x509_chain_cache_get(cache, der, 2, NULL);
}

static void test_cache(void) {
    g_autoptr(VigieChainCache) cache = x509_chain_cache_new(100);
    g_autoptr(VigieChain) first = get(cache, 1, 2);
    g_autoptr(VigieChain) again = get(cache, 1, 2);
    g_autoptr(VigieChain) turned = get(cache, 2, 1);
    g_assert_true(first == again && first != turned);
    g_assert_cmpuint(first->count, ==, 2);
    g_assert_cmpstr(first->certificates[0]->subject, ==, "CN=1");
    /* an element of the chain that is in use stays, though a thousand others came */
    for (unsigned i = 10; i < 1010; i++)
        x509_chain_unref(get(cache, i, 2));
    g_autoptr(VigieChain) later = get(cache, 1, 2);
    g_assert_true(later == first);
    /* a chain outlives its cache */
    g_autoptr(VigieChainCache) other = x509_chain_cache_new(1);
    g_autoptr(VigieChain) kept = get(other, 7, 8);
    g_autoptr(VigieChain) next = get(other, 8, 9);
    g_clear_pointer(&other, x509_chain_cache_free);
    g_assert_cmpstr(kept->certificates[0]->subject, ==, "CN=7");
    g_assert_cmpstr(next->certificates[1]->subject, ==, "CN=9");
}

static void test_lists_do_not_merge(void) {
    /* the same octets cut otherwise are another chain: here they are none at all */
    g_autoptr(VigieChainCache) cache = x509_chain_cache_new(10);
    g_autoptr(GByteArray) a = numbered(1), b = numbered(2), joined = g_byte_array_new();
    g_byte_array_append(joined, a->data, a->len);
    g_byte_array_append(joined, b->data, b->len);
    VigieBytes apart[] = {vigie_bytes(a->data, a->len), vigie_bytes(b->data, b->len)};
    VigieBytes together[] = {vigie_bytes(joined->data, joined->len)};
    g_autoptr(VigieChain) two = x509_chain_cache_get(cache, apart, 2, NULL);
    g_autoptr(VigieChain) one = x509_chain_cache_get(cache, together, 1, NULL);
    g_assert_true(one != two);
    g_assert_nonnull(strstr(one->certificates[0]->malformed, "octets after"));
    g_autoptr(GError) error = NULL;
    g_assert_null(x509_chain_cache_get(cache, apart, 0, &error));
    g_clear_error(&error);
    VigieBytes broken[] = {apart[0], vigie_bytes("0\x00", 2)};
    g_assert_null(x509_chain_cache_get(cache, broken, 2, &error));
    g_assert_nonnull(strstr(error->message, "certificate 2 of the chain"));
}

static void test_json(void) {
    g_autoptr(VigieChainCache) cache = x509_chain_cache_new(10);
    g_autoptr(GByteArray) der =
        der_text("30{ 30{ A0{020102} 02{ 05 } 30{ 06{2B6570} } 30{ 31{ 30{ 06{550403} 0C{'\"AC\\'} } } } 30{ "
                 "17{'260101000000Z'} 17{'270101000000Z'} }"
                 " 30{ } 30{ 30{ 06{2A8648CE3D0201} 06{2A8648CE3D030107} } 03{ 00 04 } } A3{ 30{ 30{ "
                 "06{551D11} 04{ 30{ 82{'a' 22 0A FF} 87{7F000001} } } } } } }"
                 " 30{ 06{2B6570} } 03{ 00 02 } }");
    VigieBytes list[] = {vigie_bytes(der->data, der->len)};
    g_autoptr(VigieChain) chain = x509_chain_cache_get(cache, list, 1, NULL);
    json_error_t error;
    g_autoptr(json_t) array = json_loads(chain->json, 0, &error);
    g_assert_nonnull(array);
    const json_t *one = json_array_get(array, 0);
    g_assert_cmpstr(json_string_value(json_object_get(one, "issuer")), ==, "CN=\\\"AC\\\\");
    g_assert_cmpstr(json_string_value(json_object_get(one, "subject")), ==, "");
    g_assert_cmpstr(json_string_value(json_object_get(one, "not_before")), ==, "2026-01-01T00:00:00Z");
    g_assert_cmpuint(strlen(json_string_value(json_object_get(one, "sha256"))), ==, 64);
    const json_t *names = json_object_get(one, "san"), *key = json_object_get(one, "key");
    g_assert_cmpstr(json_string_value(json_array_get(names, 0)), ==, "DNS:a\"\\x0A\\xFF");
    g_assert_cmpstr(json_string_value(json_array_get(names, 1)), ==, "IP:127.0.0.1");
    g_assert_cmpstr(json_string_value(json_object_get(key, "type")), ==, "EC");
    g_assert_cmpstr(json_string_value(json_object_get(key, "curve")), ==, "secp256r1");
    g_assert_cmpint(json_integer_value(json_object_get(key, "bits")), ==, 256);
    g_assert_true(json_is_null(json_object_get(one, "malformed")));
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/x509/files", test_files);
    g_test_add_func("/x509/files/refused", test_refused_files);
    g_test_add_func("/x509/cache", test_cache);
    g_test_add_func("/x509/cache/lists-do-not-merge", test_lists_do_not_merge);
    g_test_add_func("/x509/chain/json", test_json);
    return g_test_run();
}
