/* Messages: their headers, their text, and what is refused. */
#include "mail/mail.h"

#include <string.h>

static const VigieTime when = 1795292110; /* 2026-11-21T20:15:10Z */

static VigieMail sample(void) {
    return (VigieMail){.from = "Vigie – CHU <vigie@chu.test>",
                       .to = "Atelier biomédical <biomed@chu.test>",
                       .subject = "Certificat de l'échographe : expire dans 29 jours",
                       .text = "À faire : équipement.\n",
                       .lang = "fr"};
}

static char *build(const VigieMail *mail, GError **error) {
    g_autoptr(GTimeZone) paris = g_time_zone_new_identifier("Europe/Paris");
    g_autoptr(GBytes) bytes = mail_build(mail, "a1b2@chu.test", when, paris, error);
    return bytes ? g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes)) : NULL;
}

static void assert_holds(const char *text, const char *part) {
    if (!strstr(text, part))
        g_error("“%s” is not in:\n%s", part, text);
}

/* Proves that a French message travels as 7-bit ASCII with the headers that RFC 5322 and 2047 want. */
static void test_headers(void) {
    VigieMail mail = sample();
    g_autofree char *text = build(&mail, NULL);
    assert_holds(text, "Date: Sat, 21 Nov 2026 21:15:10 +0100\r\n");
    assert_holds(text, "Message-Id: <a1b2@chu.test>\r\n");
    assert_holds(text, "Auto-Submitted: auto-generated\r\n");
    assert_holds(text, "Content-Language: fr\r\n");
    assert_holds(text, "MIME-Version: 1.0\r\n");
    assert_holds(text, "Content-Type: text/plain; charset=utf-8; format=flowed\r\n");
    assert_holds(text, "Content-Transfer-Encoding: quoted-printable\r\n");
    assert_holds(text, "<vigie@chu.test>\r\n");
    assert_holds(text, "=?UTF-8?");
    for (const char *p = text; *p; p++) {
        g_assert_cmpint((signed char)*p, >, 0);
        g_assert_true(*p != '\n' || p[-1] == '\r');
    }
}

/* Proves that a domain in UTF-8 travels as A-labels. */
static void test_idn(void) {
    VigieMail mail = sample();
    mail.to = "Ingénierie <bio@hôpital.test>";
    g_autofree char *text = build(&mail, NULL);
    assert_holds(text, "<bio@xn--hpital-ixa.test>\r\n");
}

/* Proves that no header value can carry a line break or another control character. */
static void test_injection(void) {
    static const char *const attacks[] = {"a\r\nBcc: all@chu.test",
                                          "a\nBcc: all@chu.test",
                                          "a\rb",
                                          "a\x1b[2Jb",
                                          "a\xc2\x85"
                                          "b",
                                          "a\xe2\x80\xa8"
                                          "b",
                                          "not \xff UTF-8"};
    for (size_t i = 0; i < G_N_ELEMENTS(attacks); i++) {
        VigieMail mails[] = {sample(), sample(), sample(), sample()};
        g_autofree char *address = g_strdup_printf("%s <x@chu.test>", attacks[i]);
        mails[0].subject = attacks[i];
        mails[1].from = address;
        mails[2].to = address;
        mails[3].lang = attacks[i];
        for (size_t m = 0; m < G_N_ELEMENTS(mails); m++) {
            g_autoptr(GError) error = NULL;
            g_autofree char *text = build(&mails[m], &error);
            g_assert_null(text);
            g_assert_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID);
        }
    }
}

/* Proves which addresses are taken, and in what form they travel. */
static void test_addresses(void) {
    static const struct {
        const char *text, *address;
    } cases[] = {
        {"a@b.test", "a@b.test"},
        {"  Biomédical <biomed@chu.test> ", "biomed@chu.test"},
        {"\"Dupont, Anne\" <anne.dupont+x@chu.test>", "anne.dupont+x@chu.test"},
        {"x@hôpital.test", "x@xn--hpital-ixa.test"},
        {"root@localhost", "root@localhost"},
        {"", NULL},
        {"nobody", NULL},
        {"@chu.test", NULL},
        {"a@", NULL},
        {"a@b@c.test", NULL},
        {"a..b@chu.test", NULL},
        {".a@chu.test", NULL},
        {"a@b.test, c@d.test", NULL},
        {"Dupont, Anne <anne@chu.test>", "anne@chu.test"},
        {"group: a@b.test;", NULL},
        {"é@chu.test", NULL},
        {"a@chu..test", NULL},
        {"a@chu.test> SIZE=1 <b@chu.test", NULL},
        {"a b@chu.test", NULL},
        {"a@ch u.test", NULL},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *address = mail_address(cases[i].text, &error);
        if (g_strcmp0(address, cases[i].address) != 0)
            g_error("%s: %s", cases[i].text, address ? address : error->message);
        g_assert_true(!error == !!address);
    }
}

/* Proves that paragraphs are wrapped so that RFC 3676 readers can join them again, and evidence is left as it
 * is. */
static void test_flow(void) {
    static const struct {
        const char *text, *flowed;
    } cases[] = {
        {"", ""},
        {"Bonjour,\n\nFin", "Bonjour,\n\nFin\n"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb c",
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb \nc\n"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa b",
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa \nb\n"},
        {"  SHA-256  9f:1c\n", "   SHA-256  9f:1c\n"},
        {"From here", " From here\n"},
        {">quoted", " >quoted\n"},
        {"-- \nVigie", "-- \nVigie\n"},
        {"ends with spaces   \nnext", "ends with spaces\nnext\n"},
        {"esc \x1b here", "esc \xef\xbf\xbd here\n"},
        {"dans 12\xc2\xa0jours", "dans 12\xc2\xa0jours\n"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *flowed = mail_text_flow(cases[i].text);
        g_assert_cmpstr(flowed, ==, cases[i].flowed);
    }
}

/* Proves the limits on subject and text. */
static void test_limits(void) {
    g_autofree char *long_subject = g_strnfill(501, 's');
    g_autofree char *long_text = g_strnfill((1 << 20) + 1, 't');
    VigieMail mails[] = {sample(), sample()};
    mails[0].subject = long_subject;
    mails[1].text = long_text;
    for (size_t m = 0; m < G_N_ELEMENTS(mails); m++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(build(&mails[m], &error));
        g_assert_error(error, VIGIE_ERROR, VIGIE_ERROR_LIMIT);
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/mail/headers", test_headers);
    g_test_add_func("/mail/idn", test_idn);
    g_test_add_func("/mail/injection", test_injection);
    g_test_add_func("/mail/addresses", test_addresses);
    g_test_add_func("/mail/flow", test_flow);
    g_test_add_func("/mail/limits", test_limits);
    return g_test_run();
}
