/* What strangers publish of how they want to be told: read as far as it can be, and judged in words. */
#include "csirt/lookup.h"
#include "csirt/notify.h"

#include <glib/gstdio.h>
#include <string.h>

#define PLACE "https://chu.test/.well-known/security.txt"

static VigieTime now_is(void) {
    VigieTime now = 0;
    g_assert_true(vigie_time_parse_rfc3339("2026-11-21T12:00:00Z", &now, NULL));
    return now;
}

static VigieBytes bytes_of(const char *text) {
    return vigie_bytes(text, strlen(text));
}

static json_t *read_at(const char *text, const char *url) {
    VigieTextSource source = {.url = url, .type = "text/plain; charset=utf-8"};
    return csirt_security_txt_parse(bytes_of(text), &source, now_is());
}

/* The member of the answer's `list` whose `name` is `value`. */
static const json_t *member(const json_t *answer, const char *list, const char *name, const char *value) {
    const json_t *items = json_object_get(answer, list);
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *item = json_array_get(items, i);
        if (strcmp(json_string_value(json_object_get(item, name)), value) == 0)
            return item;
    }
    return NULL;
}

static const json_t *problem(const json_t *answer, const char *id) {
    return member(answer, "problems", "id", id);
}

static bool usable(const json_t *answer) {
    return json_is_true(json_object_get(answer, "usable"));
}

static const char *value_at(const json_t *answer, const char *list, size_t i) {
    const json_t *item = json_array_get(json_object_get(answer, list), i);
    const char *text = json_string_value(json_is_object(item) ? json_object_get(item, "value") : item);
    return text ? text : "";
}

/* All fields, in any case, in the site's order, with CR LF and a mark of UTF-8: nothing to say against it. */
static void test_whole(void) {
    g_autoptr(json_t) answer =
        read_at("\xEF\xBB\xBF# Security\r\n"
                "CONTACT: mailto:security@chu.test?subject=Vulnerability\r\n"
                "contact: tel:+33-2-98-00-00-00\r\n"
                "Contact: https://chu.test/vulnerability\r\n\r\n"
                "expires: 2027-03-31T23:59:00+01:00\r\n"
                "Encryption: openpgp4fpr:5f2de5521c63a801ab59ccb603d49de44b29100f\r\n"
                "Encryption: https://chu.test/key.asc\r\n"
                "Encryption: dns:5d2d37ab76d47d36._openpgpkey.chu.test?type=OPENPGPKEY\r\n"
                "Preferred-Languages: fr, en-GB\r\n"
                "Canonical: https://www.chu.test/.well-known/security.txt\r\n"
                "Canonical: https://CHU.test:443/.well-known/security.txt\r\n"
                "Policy: https://chu.test/policy\r\nAcknowledgments: https://chu.test/thanks\r\n"
                "Hiring: https://chu.test/jobs\r\nBug-Bounty: https://chu.test/bounty\r\n"
                "CSAF: https://chu.test/.well-known/csaf/provider-metadata.json\r\n"
                "X-Ours: whatever\r\n",
                PLACE);
    g_autofree char *problems = vigie_json_text(json_object_get(answer, "problems"));
    g_assert_cmpstr(problems, ==, "[]");
    g_assert_true(usable(answer));
    g_assert_cmpstr(value_at(answer, "contacts", 0), ==, "security@chu.test");
    g_assert_cmpstr(value_at(answer, "contacts", 1), ==, "+33298000000");
    g_assert_cmpstr(value_at(answer, "contacts", 2), ==, "https://chu.test/vulnerability");
    g_assert_cmpstr(json_string_value(json_object_get(answer, "expires")), ==, "2027-03-31T22:59:00Z");
    g_assert_cmpuint(json_array_size(json_object_get(answer, "encryption")), ==, 3);
    g_assert_cmpstr(value_at(answer, "languages", 1), ==, "en-GB");
    g_assert_cmpuint(json_array_size(json_object_get(answer, "csaf")), ==, 1);
    g_assert_cmpuint(json_array_size(json_object_get(answer, "unknown")), ==, 1);
    g_assert_false(json_is_true(json_object_get(answer, "signed")));
}

#define GOOD "Contact: mailto:a@chu.test\nExpires: 2027-03-31T23:59:00Z\n"

/* Each thing that can be wrong with a file is told by its name, in both languages, and says whether it can still be relied on. */
static void test_problems(void) {
    static const struct {
        const char *text, *id;
        bool usable;
    } cases[] = {
        {"Contact: mailto:a@chu.test\nExpires: 2026-11-21T11:59:59Z\n", "expired", false},
        {"Contact: mailto:a@chu.test\nExpires: 2026-12-01T00:00:00Z\n", "expires-soon", true},
        {"Contact: mailto:a@chu.test\nExpires: 2036-01-01T00:00:00Z\n", "expires-far", true},
        {"Contact: mailto:a@chu.test\nExpires: 31/03/2027\n", "bad-expires", false},
        {GOOD "Expires: 2027-06-30T23:59:00Z\n", "expires-twice", false},
        {"Contact: mailto:a@chu.test\n", "no-expires", true},
        {"Expires: 2027-03-31T23:59:00Z\n", "no-contact", false},
        {GOOD "Contact: security@chu.test\n", "no-scheme", true},
        {GOOD "Contact: mailto:nobody\n", "bad-mail", true},
        {GOOD "Contact: tel:12\n", "bad-phone", true},
        {GOOD "Contact: http://chu.test/form\n", "http", true},
        {GOOD "Contact: the guard at the gate\n", "no-uri", true},
        {GOOD "Encryption: -----BEGIN PGP PUBLIC KEY BLOCK-----\n", "key-inline", true},
        {GOOD "Encryption: openpgp4fpr:5f2d\n", "bad-fingerprint", true},
        {GOOD "Preferred-Languages: fr\nPreferred-Languages: en\n", "languages-twice", true},
        {GOOD "Preferred-Languages: français\n", "bad-language", true},
        {GOOD "Acknowledgements: https://chu.test/\n", "misspelt", true},
        {GOOD "<html><body>Not found</body></html>\n", "no-field", true},
        {GOOD "Policy:https://chu.test/policy\n", "no-space", true},
        {GOOD "Policy:\n", "empty", true},
        {GOOD "Policy: https://chu.test/\xff\n", "not-utf8", true},
        {GOOD "Canonical: https://other.test/.well-known/security.txt\n", "not-canonical", false},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(json_t) answer = read_at(cases[i].text, PLACE);
        const json_t *found = problem(answer, cases[i].id);
        if (!found || usable(answer) != cases[i].usable) {
            g_autofree char *shown = json_dumps(answer, JSON_INDENT(2));
            g_error("%s: %s", cases[i].id, shown);
        }
        const json_t *text = json_object_get(found, "text");
        g_assert_cmpstr(json_string_value(json_object_get(text, "fr")), !=,
                        json_string_value(json_object_get(text, "en")));
    }
}

/* Where it was found counts: its place, its protocol, its type, the way that led there. */
static void test_place(void) {
    g_autoptr(json_t) old = read_at(GOOD, "http://chu.test/security.txt");
    g_assert_nonnull(problem(old, "not-https"));
    g_assert_nonnull(problem(old, "wrong-place"));
    VigieTextSource moved = {
        .asked = PLACE, .url = "https://www.chu.test/.well-known/security.txt", .type = "text/html"};
    g_autoptr(json_t) answer = csirt_security_txt_parse(bytes_of(GOOD), &moved, now_is());
    g_assert_nonnull(problem(answer, "redirected"));
    g_assert_nonnull(problem(answer, "wrong-type"));
    g_assert_null(problem(answer, "wrong-place"));
    g_autoptr(json_t) nowhere = csirt_security_txt_parse(bytes_of(GOOD), NULL, now_is());
    g_assert_cmpuint(json_array_size(json_object_get(nowhere, "problems")), ==, 0);
}

/* What stands outside the signature was not signed, and is not read; dashes are unescaped; a cut signature is an error. */
static void test_signed(void) {
#define SIGNED "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n" GOOD "- Contact: mailto:dash@chu.test\n"
    g_autoptr(json_t) answer =
        read_at("Contact: mailto:before@evil.test\n" SIGNED "-----BEGIN PGP SIGNATURE-----\n\niQ==\n"
                "-----END PGP SIGNATURE-----\nContact: mailto:after@evil.test\n",
                PLACE);
    g_assert_true(json_is_true(json_object_get(answer, "signed")));
    g_assert_cmpuint(json_array_size(json_object_get(answer, "contacts")), ==, 2);
    g_assert_cmpstr(value_at(answer, "contacts", 1), ==, "dash@chu.test");
    g_assert_nonnull(problem(answer, "outside"));
    g_assert_true(usable(answer));
    g_autoptr(json_t) cut = read_at(SIGNED, PLACE);
    g_assert_nonnull(problem(cut, "signature-cut"));
    g_assert_false(usable(cut));
}

/* A file that is too large, or has too many or too long fields, costs bounded work and says so. */
static void test_huge(void) {
    g_autoptr(GString) text = g_string_new(GOOD);
    for (int i = 0; i < 100000; i++)
        g_string_append(text, "Contact: mailto:a@chu.test\n");
    g_autoptr(json_t) many = read_at(text->str, PLACE);
    g_assert_nonnull(problem(many, "too-large"));
    g_assert_nonnull(problem(many, "too-many"));
    g_assert_cmpuint(json_array_size(json_object_get(many, "contacts")), <=, 100);
    g_string_assign(text, GOOD "Policy: https://chu.test/");
    for (int i = 0; i < 3000; i++)
        g_string_append_c(text, 'a');
    g_autoptr(json_t) wide = read_at(text->str, PLACE);
    g_assert_nonnull(problem(wide, "too-long"));
    g_autoptr(json_t) empty = read_at("", PLACE);
    g_assert_false(usable(empty));
}

/* ---- RDAP ---- */
#define CARD(mail)                                                                                           \
    "\"vcardArray\":[\"vcard\",[[\"fn\",{},\"text\",\"N\"],[\"email\",{},\"text\",\"" mail "\"]]]"

static const json_t *contact(const json_t *answer, const char *value) {
    return member(answer, "contacts", "value", value);
}

/* Text of a member of the contact with that value; "none" where there is no such contact. */
static char *said(const json_t *answer, const char *value, const char *member) {
    const json_t *found = contact(answer, value);
    return found ? vigie_json_text(json_object_get(found, member)) : g_strdup("none");
}

/* With single quotes, for the reader's sake. */
static const char domain[] =
    "{'objectClassName':'domain','ldhName':'chu.test','handle':'D1',"
    "'links':[{'rel':'related','type':'application/rdap+json','href':'https://rdap.registrar.test/domain/"
    "chu.test'}],"
    "'entities':["
    "{'roles':['registrar'],'vcardArray':['vcard',[['email',{},'text','noc@registrar.test']]],"
    "'entities':[{'roles':['abuse'],'vcardArray':['vcard',[['email',{},'text','abuse@registrar.test']]]}]},"
    "{'roles':['Technical','administrative'],'vcardArray':['vcard',[['fn',{},'text','DSI'],"
    "['tel',{'type':['voice']},'uri','tel:+33.298000000;ext=1'],['tel',{'type':'fax'},'uri','tel:+33."
    "298000001'],"
    "['email',{},'text',['dsi@chu.test']],['email',{},'text','REDACTED'],"
    "['contact-uri',{},'uri','https://chu.test/contact']]]}]}";

static char *quoted(const char *text) {
    return g_strdelimit(g_strdup(text), "'", '"');
}

/* The abuse desk within the registrar's entity is the registrar's, not the domain's. */
static void test_rdap_roles(void) {
    g_autoptr(GError) error = NULL;
    g_autofree char *text = quoted(domain);
    g_autoptr(json_t) answer = csirt_rdap_parse(bytes_of(text), &error);
    g_assert_no_error(error);
    g_autofree char *inner = said(answer, "abuse@registrar.test", "of");
    g_autofree char *roles = said(answer, "dsi@chu.test", "roles");
    g_assert_cmpstr(inner, ==, "[\"registrar\"]");
    g_assert_cmpstr(roles, ==, "[\"technical\",\"administrative\"]");
    g_assert_nonnull(contact(answer, "+33298000000"));
    g_assert_null(contact(answer, "+33298000001"));
    g_assert_nonnull(contact(answer, "https://chu.test/contact"));
    g_assert_cmpuint(json_array_size(json_object_get(answer, "contacts")), ==, 5);
    g_assert_cmpstr(json_string_value(json_object_get(answer, "related")), ==,
                    "https://rdap.registrar.test/domain/chu.test");
}

static void test_rdap_hostile(void) {
    static const char *const refused[] = {
        "", "[]", "null", "{", "{}", "{\"objectClassName\":3}", "{\"objectClassName\":\"nameserver\"}"};
    for (size_t i = 0; i < G_N_ELEMENTS(refused); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(csirt_rdap_parse(bytes_of(refused[i]), &error));
        g_assert_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID);
    }
    /* Entities in entities, and a card of every wrong shape: what is well formed near the top is read. */
    g_autoptr(GString) text = g_string_new("{\"objectClassName\":\"ip network\"," CARD("top@isp.test"));
    for (int i = 0; i < 500; i++)
        g_string_append(
            text,
            ",\"entities\":[{\"roles\":[1,{},\"x\"],\"vcardArray\":[0,[[],[[]],{},[\"email\",3,null,{}]]]");
    for (int i = 0; i < 500; i++)
        g_string_append(text, "}]");
    g_string_append(text, "}");
    g_autoptr(json_t) answer = csirt_rdap_parse(bytes_of(text->str), NULL);
    g_assert_nonnull(contact(answer, "top@isp.test"));
}

static void server_is(const char *configured, const char *name, bool address, const char *wanted) {
    g_autofree char *base = lookup_rdap_base(configured, lookup_rules(NULL), name, address);
    g_assert_cmpstr(base, ==, wanted);
}

/* The server is the most specific of RFC 9224's bootstrap files that speaks HTTPS, the one configured, or one that knowledge names. */
static void test_rdap_server(void) {
    g_autoptr(GError) error = NULL;
    g_autofree char *folder = g_dir_make_tmp("vigie-rdap-XXXXXX", &error);
    g_autofree char *dns = g_build_filename(folder, "dns.json", NULL),
                    *v4 = g_build_filename(folder, "ipv4.json", NULL);
    g_autofree char *names = quoted("{'services':[[['test','fr'],['http://no.test/','https://a.test/']],"
                                    "[['gouv.fr'],['https://b.test/']],[['broken'],[3]],3]}");
    g_autofree char *nets = quoted("{'services':[[['192.0.0.0/8'],['https://a.test/']],[['192.0.2.0/"
                                   "25','x','1.2.3.4/99'],['https://b.test/']]]}");
    g_assert_true(g_file_set_contents(dns, names, -1, &error) && g_file_set_contents(v4, nets, -1, &error));
    server_is(folder, "chu.fr", false, "https://a.test/");
    server_is(folder, "x.gouv.fr", false, "https://b.test/");
    server_is(folder, "xgouv.fr", false, "https://a.test/");
    server_is(folder, "chu.broken", false, NULL);
    server_is(folder, "192.0.2.7", true, "https://b.test/");
    server_is(folder, "192.0.2.200", true, "https://a.test/");
    server_is(folder, "10.0.0.1", true, NULL);
    server_is(folder, "2001:db8::1", true, NULL);
    server_is("https://own.test/", "chu.fr", false, "https://own.test/");
    server_is("", "chu.fr", false, "https://rdap.nic.fr/");
    server_is("", "chu.unknown", false, NULL);
    g_unlink(dns);
    g_unlink(v4);
    g_rmdir(folder);
}

/* ---- whois ---- */
static void test_whois(void) {
    g_autoptr(json_t) ripe = csirt_whois_parse(
        bytes_of("% Abuse contact for '192.0.2.0 - 192.0.2.255' is 'abuse@isp.test'\r\n\r\n"
                 "inetnum:  192.0.2.0 - 192.0.2.255\r\nadmin-c: AB1-RIPE\r\ntech-c: CD2-RIPE\r\n\r\n"
                 "role: DSI du CHU\r\nphone: +33 2 98 00 00 00\r\nnic-hdl: CD2-RIPE\r\n"
                 "e-mail: dsi@chu.test\r\n\r\nperson: Somebody\r\ne-mail: else@isp.test\r\n"));
    g_autofree char *abuse = said(ripe, "abuse@isp.test", "roles"),
                    *tech = said(ripe, "dsi@chu.test", "roles");
    g_autofree char *name = said(ripe, "dsi@chu.test", "name"), *other = said(ripe, "else@isp.test", "roles");
    g_assert_cmpstr(abuse, ==, "[\"abuse\"]");
    g_assert_cmpstr(tech, ==, "[\"technical\"]");
    g_assert_cmpstr(name, ==, "\"DSI du CHU\"");
    g_assert_cmpstr(other, ==, "[]");
    g_assert_nonnull(contact(ripe, "+33298000000"));
    g_autoptr(json_t) generic = csirt_whois_parse(bytes_of(
        "   Registrar WHOIS Server: whois.registrar.test\n   Registrar Abuse Contact Email: "
        "abuse@registrar.test\n"
        "Tech Email: dsi@chu.test\nAdmin Email: https://redacted.test/form\nTech Phone: +33.298000000\n"));
    g_autofree char *of = said(generic, "abuse@registrar.test", "of");
    g_assert_cmpstr(of, ==, "[\"registrar\"]");
    g_assert_cmpstr(json_string_value(json_object_get(generic, "refer")), ==, "whois.registrar.test");
    g_assert_cmpuint(json_array_size(json_object_get(generic, "contacts")), ==, 3);
    g_autoptr(json_t) hostile = csirt_whois_parse(bytes_of("whois: $(reboot)\nwhois: a b\n\xff\xfe:\n:::\n"));
    g_assert_true(json_is_null(json_object_get(hostile, "refer")));
}

/* ---- Pages ---- */
static bool flag(const json_t *answer, const char *value, const char *member) {
    const json_t *found = contact(answer, value);
    if (!found)
        g_error("%s is not found", value);
    return json_is_true(json_object_get(found, member));
}

static void test_page(void) {
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) answer = csirt_page_parse(
        bytes_of(
            "<html><script>var a='x@script.test'</script><!-- y@comment.test --><style>z@style.test{}</style>"
            "<p>Standard : 02&nbsp;98 00 00 00, <a href=\"mailto:accueil%40chu.test?subject=a\">nous "
            "écrire</a>"
            "<p>Pour signaler une <b>vulné</b>rabilité : rssi (at) chu (point) test"
            "<p>Délégué : dpo&#64;chu&period;test <p>Press: press at chu dot test, meet us at chu.test"
            "<a href='/mentions-l%C3%A9gales'>Mentions l&eacute;gales</a><a "
            "href=\"javascript:alert(1)\">x</a>"
            "<a class=\"c\" data-cfemail=\"543731262014373c217a20312720\">[email]</a><img alt=\"a > b\">"
            "<a href=\"tel:+33 (0)2 98 00 00 01\">appeler</a><a href=\"http://evil.test/\">"),
        "https://chu.test/contact/", &error);
    g_assert_no_error(error);
    g_assert_false(flag(answer, "accueil@chu.test", "hidden"));
    g_assert_true(flag(answer, "rssi@chu.test", "hidden"));
    g_assert_true(flag(answer, "rssi@chu.test", "security"));
    g_assert_true(flag(answer, "dpo@chu.test", "security"));
    g_assert_true(flag(answer, "press@chu.test", "hidden"));
    g_assert_true(flag(answer, "cert@chu.test", "hidden"));
    g_assert_nonnull(contact(answer, "0298000000"));
    g_assert_nonnull(contact(answer, "+33298000001"));
    static const char *const absent[] = {"x@script.test", "y@comment.test", "z@style.test", "us@chu.test"};
    for (size_t i = 0; i < G_N_ELEMENTS(absent); i++)
        g_assert_null(contact(answer, absent[i]));
    const json_t *links = json_object_get(answer, "links");
    g_assert_cmpuint(json_array_size(links), ==, 2);
    g_assert_cmpstr(json_string_value(json_object_get(json_array_get(links, 0), "url")), ==,
                    "https://chu.test/mentions-l%C3%A9gales");
    g_assert_cmpstr(json_string_value(json_object_get(json_array_get(links, 0), "text")), ==,
                    "Mentions légales");
}

/* A page of a million signs of every hostile kind is read in bounded time, one in Windows-1252 as it was meant. */
static void test_page_hostile(void) {
    static const char *const pieces[] = {"<",    "<a href=", "a@", "a (at) ",  "&#",
                                         "<!--", "a.",       "0",  "<script>", "\xff"};
    for (size_t i = 0; i < G_N_ELEMENTS(pieces); i++) {
        g_autoptr(GString) text = g_string_new(NULL);
        while (text->len < 1024 * 1024)
            g_string_append(text, pieces[i]);
        int64_t start = g_get_monotonic_time();
        g_autoptr(json_t) answer =
            csirt_page_parse(vigie_bytes(text->str, text->len), "https://chu.test/", NULL);
        g_assert_nonnull(answer);
        int64_t took = g_get_monotonic_time() - start;
        g_test_message("piece %zu: %" G_GINT64_FORMAT " ms", i, took / 1000);
        g_assert_cmpint(took, <, 20 * G_USEC_PER_SEC);
    }
    g_autoptr(json_t) latin = csirt_page_parse(bytes_of("S\xE9"
                                                        "curit\xE9 : a@chu.test"),
                                               "https://chu.test/", NULL);
    g_assert_true(flag(latin, "a@chu.test", "security"));
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_autoptr(GError) error = NULL;
    vigie_words_load(&error);
    g_assert_no_error(error);
    g_test_add_func("/security-txt/whole", test_whole);
    g_test_add_func("/security-txt/problems", test_problems);
    g_test_add_func("/security-txt/place", test_place);
    g_test_add_func("/security-txt/signed", test_signed);
    g_test_add_func("/security-txt/huge", test_huge);
    g_test_add_func("/rdap/roles", test_rdap_roles);
    g_test_add_func("/rdap/hostile", test_rdap_hostile);
    g_test_add_func("/rdap/server", test_rdap_server);
    g_test_add_func("/whois/forms", test_whois);
    g_test_add_func("/page/contacts", test_page);
    g_test_add_func("/page/hostile", test_page_hostile);
    return g_test_run();
}
