/* Does a certificate name a host? RFC 9525's cases, and what people do all the same. */
#include "issue.h"

static const struct {
    const char *what, *names, *common, *asked; /* names: as in openssl.cnf; NULL: no subjectAltName */
    bool match, by_common_name;
} cases[] = {
    {"exact", "DNS:automate-02.chu.test", "x", "automate-02.chu.test", true, false},
    {"case", "DNS:Automate-02.CHU.test", "x", "AUTOMATE-02.chu.TEST", true, false},
    {"root's dot", "DNS:automate-02.chu.test", "x", "automate-02.chu.test.", true, false},
    {"second", "DNS:a.test,DNS:b.test", "x", "b.test", true, false},
    {"other", "DNS:automate-02.chu.test", "x", "automate-03.chu.test", false, false},
    {"prefix", "DNS:automate-02.chu.test", "x", "automate-02.chu.test.evil.test", false, false},
    {"short name", "DNS:automate-02.chu.test", "x", "automate-02", false, false},
    {"one label", "DNS:automate", "x", "automate", true, false},
    {"underscore", "DNS:lab_2.chu.test", "x", "lab_2.chu.test", true, false},
    {"wildcard", "DNS:*.chu.test", "x", "automate.chu.test", true, false},
    {"wildcard, case", "DNS:*.chu.test", "x", "automate.CHU.TEST", true, false},
    {"wildcard, two labels", "DNS:*.chu.test", "x", "a.b.chu.test", false, false},
    {"wildcard, none", "DNS:*.chu.test", "x", "chu.test", false, false},
    {"wildcard, empty label", "DNS:*.chu.test", "x", ".chu.test", false, false},
    {"wildcard, part of a label", "DNS:auto*.chu.test", "x", "automate.chu.test", false, false},
    {"wildcard, not left-most", "DNS:automate.*.test", "x", "automate.chu.test", false, false},
    {"wildcard, two", "DNS:*.*.test", "x", "automate.chu.test", false, false},
    {"wildcard, one label's rest", "DNS:*.test", "x", "automate.test", false, false},
    {"wildcard alone", "DNS:*", "x", "automate", false, false},
    {"wildcard asked for", "DNS:*.chu.test", "x", "*.chu.test", false, false},
    {"U-label asked", "DNS:xn--hpital-ixa.test", "x", "hôpital.test", true, false},
    {"U-label, capitals", "DNS:xn--hpital-ixa.test", "x", "HÔPITAL.test", true, false},
    {"U-label, decomposed", "DNS:xn--hpital-ixa.test", "x", "ho\u0302pital.test", true, false},
    {"U-label, other", "DNS:xn--hpital-ixa.test", "x", "hopital.test", false, false},
    {"not UTF-8", "DNS:a.test", "x", "h\xf4pital.test", false, false},
    {"empty", "DNS:a.test", "x", "", false, false},
    {"dot", "DNS:a.test", "x", ".", false, false},
    {"IPv4", "IP:10.1.2.3", "x", "10.1.2.3", true, false},
    {"IPv4, other", "IP:10.1.2.3", "x", "10.1.2.4", false, false},
    {"IPv6", "IP:2001:db8::1", "x", "2001:DB8:0:0:0:0:0:1", true, false},
    {"IPv6, other", "IP:2001:db8::1", "x", "2001:db8::2", false, false},
    {"IPv4 is not its IPv6 form", "IP:10.1.2.3", "x", "::ffff:10.1.2.3", false, false},
    {"IP as DNS name", "DNS:10.1.2.3", "x", "10.1.2.3", false, false},
    {"IP as DNS wildcard", "DNS:*.1.2.3", "x", "10.1.2.3", false, false},
    {"IP in CN only", NULL, "10.1.2.3", "10.1.2.3", false, false},
    {"CN", NULL, "automate-02.chu.test", "automate-02.chu.test", true, true},
    {"CN, wildcard", NULL, "*.chu.test", "automate-02.chu.test", true, true},
    {"CN, other", NULL, "automate-02.chu.test", "automate-03.chu.test", false, false},
    {"CN with a SAN", "DNS:other.test", "automate-02.chu.test", "automate-02.chu.test", false, false},
    {"CN with an IP SAN", "IP:10.1.2.3", "automate-02.chu.test", "automate-02.chu.test", false, false},
    {"CN of words", NULL, "Automate 2", "automate", false, false},
};

static VigieCertificate *decoded(const Issued *issued) {
    unsigned char *der = NULL;
    int size = i2d_X509(issued->certificate, &der);
    g_autoptr(GError) error = NULL;
    VigieCertificate *certificate = x509_certificate_new(vigie_bytes(der, (size_t)size), &error);
    g_assert_no_error(error);
    OPENSSL_free(der);
    return certificate;
}

static void test_cases(void) {
    g_auto(Issued) key = issue((Wish){.name = "key"});
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        Wish wish = {.name = cases[i].common, .same_key = &key};
        if (cases[i].names) {
            wish.extensions[0] = "subjectAltName";
            wish.extensions[1] = cases[i].names;
        }
        g_auto(Issued) issued = issue(wish);
        g_autoptr(VigieCertificate) certificate = decoded(&issued);
        bool by_common_name = true;
        bool match = x509_certificate_names(certificate, cases[i].asked, &by_common_name);
        if (match != cases[i].match || by_common_name != cases[i].by_common_name)
            g_error("%s: match %d, by common name %d", cases[i].what, match, by_common_name);
        g_assert_cmpint(x509_certificate_names(certificate, cases[i].asked, NULL), ==, match);
    }
}

/* "automate.chu.test\0.evil.test" is not automate.chu.test (the null prefix attack), in a SAN or in a CN. */
static Issued with_nul(bool in_san) {
    static const char nul[] = "automate.chu.test\0.evil.test";
    Issued issued = issue((Wish){.name = "x"});
    if (in_san) {
        GENERAL_NAMES *names = GENERAL_NAMES_new();
        GENERAL_NAME *name = GENERAL_NAME_new();
        ASN1_IA5STRING *text = ASN1_IA5STRING_new();
        ASN1_STRING_set(text, nul, sizeof nul - 1);
        GENERAL_NAME_set0_value(name, GEN_DNS, text);
        sk_GENERAL_NAME_push(names, name);
        X509_add1_ext_i2d(issued.certificate, NID_subject_alt_name, names, 0, 0);
        GENERAL_NAMES_free(names);
    } else {
        X509_NAME *subject = X509_NAME_new();
        X509_NAME_add_entry_by_txt(subject, "CN", V_ASN1_UTF8STRING, (const unsigned char *)nul,
                                   sizeof nul - 1, -1, 0);
        X509_set_subject_name(issued.certificate, subject);
        X509_NAME_free(subject);
    }
    X509_sign(issued.certificate, issued.key, EVP_sha256());
    return issued;
}

static void test_nul(void) {
    for (int in_san = 0; in_san < 2; in_san++) {
        g_auto(Issued) issued = with_nul(in_san);
        g_autoptr(VigieCertificate) certificate = decoded(&issued);
        g_assert_false(x509_certificate_names(certificate, "automate.chu.test", NULL));
        g_assert_false(x509_certificate_names(certificate, "automate.chu.test\\x00.evil.test", NULL));
        g_assert_false(x509_certificate_names(certificate, "evil.test", NULL));
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/x509/name/cases", test_cases);
    g_test_add_func("/x509/name/nul", test_nul);
    return g_test_run();
}
