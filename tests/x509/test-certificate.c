/* A certificate that is well formed, then each of its parts replaced by something that is not: what is refused, by which
 * clause, and what is read all the same. */
#include "der-text.h"
#include "x509/x509.h"

#define RSA_SHA256 "30{ 06{2A864886F70D01010B} 0500 }"
#define CN(tag, text) "30{ 31{ 30{ 06{550403} " tag "{" text "} } } }"
#define SPKI                                                                                                 \
    "30{ 30{ 06{2A864886F70D010101} 0500 } 03{ 00 30{ 02{ 00 "                                               \
    "C000000000000000000000000000000000000000000000000000000000000001 }"                                     \
    " 0203010001 } } }"
#define EXTENSION(oid, value) "30{ 06{" oid "} 04{" value "} }"
#define SAN(names) EXTENSION("551D11", "30{" names "}")

enum { VERSION, SERIAL, INNER, ISSUER, VALIDITY, SUBJECT, KEY, EXTENSIONS, OUTER, SIGNATURE, AFTER, PARTS };

static const char *const well[PARTS] = {
    [VERSION] = "A0{ 020102 }",
    [SERIAL] = "02{ 01AB }",
    [INNER] = RSA_SHA256,
    [ISSUER] = CN("0C", "'AC'"),
    [VALIDITY] = "30{ 17{'260101000000Z'} 18{'20501118235959Z'} }",
    [SUBJECT] = CN("0C", "'automate.test'"),
    [KEY] = SPKI,
    [EXTENSIONS] = "A3{ 30{ " SAN("82{'automate.test'} 87{0A010203}") " } }",
    [OUTER] = RSA_SHA256,
    [SIGNATURE] = "03{ 00 DEADBEEF }",
    [AFTER] = "",
};

static VigieCertificate *made_with(size_t part, const char *text, GError **error) {
    const char *parts[PARTS];
    memcpy(parts, well, sizeof parts);
    if (part < PARTS)
        parts[part] = text;
    GString *all = g_string_new("30{ 30{ ");
    for (size_t i = 0; i < OUTER; i++)
        g_string_append_printf(all, "%s ", parts[i]);
    g_string_append_printf(all, "} %s %s } %s", parts[OUTER], parts[SIGNATURE], parts[AFTER]);
    g_autoptr(GByteArray) der = der_text(all->str);
    g_string_free(all, TRUE);
    return x509_certificate_new(vigie_bytes(der->data, der->len), error);
}

static void test_well(void) {
    g_autoptr(VigieCertificate) one = made_with(PARTS, NULL, NULL);
    g_assert_nonnull(one);
    g_assert_cmpstr(one->malformed, ==, NULL);
    g_assert_cmpstr(one->subject, ==, "CN=automate.test");
    g_assert_cmpstr(one->issuer, ==, "CN=AC");
    g_assert_cmpstr(one->common_name, ==, "automate.test");
    g_assert_cmpstr(one->serial, ==, "01ab");
    g_assert_cmpint(one->not_before, ==, 1767225600);
    g_assert_cmpint(one->not_after, ==, 2552428799);
    g_assert_cmpuint(one->name_count, ==, 2);
    g_assert_cmpstr(one->names[0].text, ==, "automate.test");
    g_assert_cmpstr(one->names[1].text, ==, "10.1.2.3");
    g_assert_cmpint(one->key, ==, VIGIE_KEY_RSA);
    g_assert_cmpuint(one->key_bits, ==, 256);
    g_assert_cmpstr(one->signature_algorithm, ==, "sha256WithRSAEncryption");
    g_assert_true(!one->signature_weak && !one->self_issued && !one->is_ca && one->for_servers &&
                  !one->names_cut);
}

typedef struct {
    size_t part;
    const char *text, *clause; /* what the clause must contain; NULL: none */
} Case;

static const Case malformed[] = {
    {VERSION, "A0{ 020103 }", "4.1.2.1"},
    {VERSION, "", "4.1.2.9"},
    {VERSION, "A0{ 020101 }", "4.1.2.9"},
    {SERIAL, "02{ 00 }", "4.1.2.2: serial number is zero"},
    {SERIAL, "02{ FF }", "negative"},
    {SERIAL, "02{ 000001 }", "X.690 8.3.2"},
    {SERIAL, "02{ 010203040506070809101112131415161718192021 }", "longer than 20"},
    {SERIAL, "02{ 00F203040506070809101112131415161718192021 }", NULL},
    {SERIAL, "02 81 01 05", "X.690 10.1"},
    {INNER, "30{ 06{2A864886F70D01010C} 0500 }", "4.1.1.2"},
    {ISSUER, "30{ }", "4.1.2.4"},
    {ISSUER, "30{ 30{ } }", "X.690"},
    {VALIDITY, "30{ 17{'260101000000Z'} }", "validity is not two times"},
    {VALIDITY, "30{ 17{'2601010000Z'} 17{'270101000000Z'} }", "without seconds"},
    {VALIDITY, "30{ 17{'260101000000+0100'} 17{'270101000000Z'} }", "not in UTC"},
    {VALIDITY, "30{ 17{'261301000000Z'} 17{'270101000000Z'} }", "cannot be read"},
    {VALIDITY, "30{ 17{'260229000000Z'} 17{'270101000000Z'} }", "cannot be read"},
    {VALIDITY, "30{ 17{'280229000000Z'} 17{'290101000000Z'} }", NULL},
    {VALIDITY, "30{ 17{'26010100000aZ'} 17{'270101000000Z'} }", "cannot be read"},
    {VALIDITY, "30{ 17{''} 17{'270101000000Z'} }", "4.1.2.5"},
    {VALIDITY, "30{ 18{'20260101000000.5Z'} 17{'270101000000Z'} }", "fraction"},
    {VALIDITY, "30{ 17{'270101000000Z'} 17{'260101000000Z'} }", "before notBefore"},
    {VALIDITY, "30{ 02{01} 02{02} }", "neither UTCTime"},
    {SUBJECT, "30{ }", NULL},
    {SUBJECT, "30{ 31{ 30{ 06{550403} } } }", NULL}, /* a name without its value: shown as far as it goes */
    {KEY, "30{ 30{ 06{2A864886F70D010101} 0500 } 03{ 03 00 } }", "4.1.2.7"},
    {KEY, "30{ 30{ 06{2A864886F70D010101} 0500 } 03{ 00 02{01} } }", "X.690"},
    {KEY, "30{ 30{ 06{2A8648CE3D0201} } 03{ 00 04 } }", "RFC 5480"},
    {KEY, "30{ 30{ 06{2A8648CE3D0201} 30{ 020101 30{ 06{2A8648CE3D0101} 02{ 00FF } } } } 03{ 00 04 } }",
     "RFC 5480"},
    {EXTENSIONS, "A3{ 30{ " SAN("") " } }", "4.2.1.6"},
    {EXTENSIONS, "A3{ 30{ " SAN("87{010203}") " } }", "4.2.1.6"},
    {EXTENSIONS, "A3{ 30{ " SAN("82{'a'}") SAN("82{'b'}") " } }", "an extension twice"},
    {EXTENSIONS, "A3{ 30{ 30{ 06{551D11} } } }", "X.690"},
    {EXTENSIONS, "A3{ 30{ " EXTENSION("551D13", "30{ 0101 01 }") " } }", "X.690 11.1"},
    {EXTENSIONS, "A3{ 02{01} }", "X.690"},
    {EXTENSIONS, "A3{ 30{ } } 0500", "after the last"},
    {EXTENSIONS, "", NULL},
    {SIGNATURE, "03{ }", "4.1.1.3"},
    {SIGNATURE, "", "X.690"},
    {AFTER, "00", "octets after"},
};

static void test_malformed(void) {
    for (size_t i = 0; i < G_N_ELEMENTS(malformed); i++) {
        const Case *one = &malformed[i];
        g_autoptr(VigieCertificate) made = made_with(one->part, one->text, NULL);
        g_assert_nonnull(made);
        const char *clause = made->malformed;
        if (one->clause ? !clause || !strstr(clause, one->clause) : clause != NULL && one->part != SUBJECT)
            g_error("%s: expected %s, found %s", one->text, one->clause ? one->clause : "none",
                    clause ? clause : "none");
        g_assert_true(g_utf8_validate(made->subject, -1, NULL) && made->issuer && made->serial);
    }
}

static void test_refused(void) {
    static const char *const texts[] = {
        "",
        "30",
        "30{ }",
        "30{ 30{ } }",
        "30{ 30{ 02{01} } }",
        "30 80 30 80 0000 0000",
        "30 84 7FFFFFFF 30",
        "3F 81 01 00",
        "30 85 0100000000",
        "02{ 01 }",
        "'-----BEGIN CERTIFICATE-----'",
        "30{ 30{ A0{ 04{} } 02{01} 30{} 30{} 30{} 30{} } }",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GByteArray) der = der_text(texts[i]);
        g_autoptr(GError) error = NULL;
        g_assert_null(x509_certificate_new(vigie_bytes(der->data, der->len), &error));
        g_assert_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID);
        g_assert_nonnull(strstr(error->message, "not a certificate"));
    }
    g_autofree guint8 *huge = g_malloc0((1 << 20) + 1);
    g_autoptr(GError) error = NULL;
    g_assert_null(x509_certificate_new(vigie_bytes(huge, (1 << 20) + 1), &error));
    g_assert_error(error, VIGIE_ERROR, VIGIE_ERROR_LIMIT);
}

/* RFC 4514, and what strangers put into names. */
static void test_names(void) {
    static const struct {
        const char *name, *text;
    } names[] = {
        {"30{ 31{ 30{ 06{550406} 13{'FR'} } } 31{ 30{ 06{55040A} 0C{'CHU'} } } 31{ 30{ 06{550403} 0C{'a'} } "
         "} }",
         "CN=a,O=CHU,C=FR"},
        {"30{ 31{ 30{ 06{550403} 0C{'a'} } 30{ 06{55040B} 0C{'b'} } } }", "CN=a+OU=b"},
        {CN("0C", "' a, b+c;d<e>f\"g\\#=h '"), "CN=\\ a\\, b\\+c\\;d\\<e\\>f\\\"g\\\\#=h\\ "},
        {CN("0C", "'#1'"), "CN=\\#1"},
        {CN("0C", "'a' 00 'b' 0A 1B '[31m'"), "CN=a\\00b\\0A\\1B[31m"},
        {CN("0C", "C3A9 'quipement'"), "CN=équipement"},
        {CN("0C", "FF C3 28"), "CN=\\FF\\C3("},
        {CN("0C", "'a' E280AE 'fdp'"), "CN=a\\E2\\80\\AEfdp"}, /* right-to-left override */
        {CN("0C", "'a' E2808B 'b'"), "CN=a\\E2\\80\\8Bb"},     /* zero width */
        {CN("14", "E9 'quipement'"), "CN=équipement"},         /* T61, in truth Latin-1 */
        {CN("1E", "00E90071"), "CN=éq"},                       /* BMP */
        {CN("1E", "D83D DE00"), "CN=😀"},                       /* UTF-16 in it */
        {CN("1E", "D800 0041"), "CN=\\ED\\A0\\80A"},
        {CN("1E", "0041 00"), "CN=A\\00"},
        {CN("1C", "0001F600"), "CN=😀"}, /* Universal */
        {CN("1C", "7FFFFFFF"), "CN=\xEF\xBF\xBD"},
        {CN("02", "05"), "CN=#020105"}, /* no string */
        {"30{ 31{ 30{ 06{2A0304} 0C{'x'} } } }", "1.2.3.4=#0c0178"},
        {"30{ 31{ 30{ 06{2A8648} 0C{'x'} } } }", "1.2.840=#0c0178"},
        {"30{ 31{ 30{ 06{80} 0C{'x'} } } }", "?=#0c0178"},
        {"30{ 31{ 30{ 06{2A864886F70D010901} 16{'a@b'} } } }", "emailAddress=a@b"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autoptr(VigieCertificate) made = made_with(SUBJECT, names[i].name, NULL);
        g_assert_cmpstr(made->subject, ==, names[i].text);
        g_assert_true(g_utf8_validate(made->subject, -1, NULL));
    }
    g_autoptr(VigieCertificate) nul = made_with(SUBJECT, CN("0C", "'bank.test' 00 '.evil.test'"), NULL);
    g_assert_cmpstr(nul->common_name, ==, "bank.test\\x00.evil.test");
    g_autoptr(VigieCertificate) two = made_with(
        SUBJECT, "30{ 31{ 30{ 06{550403} 0C{'first'} } } 31{ 30{ 06{550403} 0C{'last'} } } }", NULL);
    g_assert_cmpstr(two->common_name, ==, "last");
}

static void test_alternative_names(void) {
    static const struct {
        const char *name;
        VigieNameType type;
        const char *text;
    } names[] = {
        {"82{'*.chu.test'}", VIGIE_NAME_DNS, "*.chu.test"},
        {"82{'a' 00 'b'}", VIGIE_NAME_DNS, "a\\x00b"},
        {"81{'a@b.test'}", VIGIE_NAME_EMAIL, "a@b.test"},
        {"86{'http://a/'}", VIGIE_NAME_URI, "http://a/"},
        {"87{20010DB8000000000000000000000001}", VIGIE_NAME_IP, "2001:db8::1"},
        {"87{0102}", VIGIE_NAME_IP, "\\x01\\x02"},
        {"A4{ " CN("0C", "'x'") " }", VIGIE_NAME_OTHER, "dirName:CN=x"},
        {"A0{ 06{2B060104018237140203} A0{ 0C{'u'} } }", VIGIE_NAME_OTHER,
         "otherName:1.3.6.1.4.1.311.20.2.3"},
        {"88{2A0304}", VIGIE_NAME_OTHER, "RID:1.2.3.4"},
        {"89{00}", VIGIE_NAME_OTHER, "unknown"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *text = g_strdup_printf("A3{ 30{ 30{ 06{551D11} 04{ 30{ %s } } } } }", names[i].name);
        g_autoptr(VigieCertificate) made = made_with(EXTENSIONS, text, NULL);
        g_assert_cmpuint(made->name_count, ==, 1);
        g_assert_cmpint(made->names[0].type, ==, names[i].type);
        g_assert_cmpstr(made->names[0].text, ==, names[i].text);
    }
    GString *many = g_string_new("A3{ 30{ 30{ 06{551D11} 04{ 30{ ");
    for (int i = 0; i < 10000; i++)
        g_string_append_printf(many, "82{'n%d.test'} ", i);
    g_string_append(many, "} } } } }");
    g_autoptr(VigieCertificate) made = made_with(EXTENSIONS, many->str, NULL);
    g_assert_cmpuint(made->name_count, ==, 4096);
    g_assert_true(made->names_cut);
    g_assert_cmpstr(made->malformed, ==, NULL);
    g_string_free(many, TRUE);
}

static void test_flags(void) {
    static const struct {
        const char *extensions;
        bool is_ca, for_servers;
    } cases[] = {
        {EXTENSION("551D13", "30{ }"), false, true},
        {EXTENSION("551D13", "30{ 0101FF }"), true, true},
        {"30{ 06{551D13} 0101FF 04{ 30{ 0101FF 020100 } } }", true, true},
        {EXTENSION("551D25", "30{ 06{2B06010505070302} }"), false, false},
        {EXTENSION("551D25", "30{ 06{2B06010505070302} 06{2B06010505070301} }"), false, true},
        {EXTENSION("551D25", "30{ 06{551D2500} }"), false, true},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = g_strdup_printf("A3{ 30{ %s } }", cases[i].extensions);
        g_autoptr(VigieCertificate) made = made_with(EXTENSIONS, text, NULL);
        g_assert_cmpstr(made->malformed, ==, NULL);
        g_assert_true(made->is_ca == cases[i].is_ca && made->for_servers == cases[i].for_servers);
    }
    g_autoptr(VigieCertificate) same = made_with(SUBJECT, well[ISSUER], NULL);
    g_assert_true(same->self_issued);
}

static void test_algorithms(void) {
    static const struct {
        const char *oid, *name;
        bool weak;
    } cases[] = {
        {"30{ 06{2A864886F70D010105} 0500 }", "sha1WithRSAEncryption", true},
        {"30{ 06{2A864886F70D010104} 0500 }", "md5WithRSAEncryption", true},
        {"30{ 06{2A8648CE3D040302} }", "ecdsa-with-SHA256", false},
        {"30{ 06{2B6570} }", "ED25519", false},
        {"30{ 06{2A864886F70D01010A} 30{ } }", "rsassaPss", true}, /* RFC 4055: SHA-1 by default */
        {"30{ 06{2A864886F70D01010A} 30{ A0{ 30{ 06{608648016503040201} } } } }", "rsassaPss", false},
        {"30{ 06{2A0304} }", "1.2.3.4", false},
        {"30{ 06{80} }", "unknown", false},
        {"30{ }", "unknown", false},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(VigieCertificate) made = made_with(OUTER, cases[i].oid, NULL);
        g_assert_cmpstr(made->signature_algorithm, ==, cases[i].name);
        g_assert_true(made->signature_weak == cases[i].weak);
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/x509/certificate/well-formed", test_well);
    g_test_add_func("/x509/certificate/malformed-names-its-clause", test_malformed);
    g_test_add_func("/x509/certificate/refused", test_refused);
    g_test_add_func("/x509/certificate/names", test_names);
    g_test_add_func("/x509/certificate/alternative-names", test_alternative_names);
    g_test_add_func("/x509/certificate/flags", test_flags);
    g_test_add_func("/x509/certificate/algorithms", test_algorithms);
    return g_test_run();
}
