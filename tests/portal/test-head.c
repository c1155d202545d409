/* The gate's judgement: what has one reading passes, everything else is refused by its clause. */
#include "portal/head.h"

#include <glib.h>

typedef struct {
    const char *name, *head;
    HeadVerdict verdict;
    unsigned status;
    const char *clause;
} Case;

#define GET "GET / HTTP/1.1\r\nHost: a\r\n"
#define POST "POST /login HTTP/1.1\r\nHost: a\r\n"

static const Case cases[] = {
    {"get", GET "\r\n", HEAD_WELL, 0, NULL},
    {"get-1.0-without-host", "GET / HTTP/1.0\r\n\r\n", HEAD_WELL, 0, NULL},
    {"post", POST "Content-Length: 5\r\n\r\nx=y&z", HEAD_WELL, 0, NULL},
    {"empty-value", GET "X-Empty:\r\n\r\n", HEAD_WELL, 0, NULL},
    {"latin-1-value", GET "X-Name: \xe9\r\n\r\n", HEAD_WELL, 0, NULL},
    {"what-follows-is-not-judged", GET "\r\n\n\n\rnonsense", HEAD_WELL, 0, NULL},
    {"nothing", "", HEAD_INCOMPLETE, 0, NULL},
    {"half-a-line", "GET / HT", HEAD_INCOMPLETE, 0, NULL},
    {"no-empty-line", GET, HEAD_INCOMPLETE, 0, NULL},

    {"length-twice", POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", HEAD_REFUSED, 400,
     "RFC 9112 6.3"},
    {"same-length-twice", POST "Content-Length: 5\r\ncontent-length: 5\r\n\r\n", HEAD_REFUSED, 400,
     "RFC 9112 6.3"},
    {"length-list", POST "Content-Length: 5, 5\r\n\r\n", HEAD_REFUSED, 400, "RFC 9110 8.6"},
    {"length-sign", POST "Content-Length: +5\r\n\r\n", HEAD_REFUSED, 400, "RFC 9110 8.6"},
    {"length-hex", POST "Content-Length: 0x5\r\n\r\n", HEAD_REFUSED, 400, "RFC 9110 8.6"},
    {"length-empty", POST "Content-Length:\r\n\r\n", HEAD_REFUSED, 400, "RFC 9110 8.6"},
    {"length-overflow", POST "Content-Length: 18446744073709551621\r\n\r\n", HEAD_REFUSED, 400,
     "RFC 9110 8.6"},
    {"coding-and-length", POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", HEAD_REFUSED, 400,
     "RFC 9112 6.1"},
    {"coding", POST "Transfer-Encoding: chunked\r\n\r\n", HEAD_REFUSED, 411, "RFC 9112 6.3"},
    {"coding-odd", POST "Transfer-Encoding: xchunked\r\n\r\n", HEAD_REFUSED, 411, "RFC 9112 6.3"},
    {"coding-with-space", POST "Transfer-Encoding : chunked\r\n\r\n", HEAD_REFUSED, 400, "RFC 9112 5.1"},
    {"coding-with-tab", POST "Transfer-Encoding\t: chunked\r\n\r\n", HEAD_REFUSED, 400, "RFC 9112 5.1"},
    {"coding-folded", POST "X: y\r\n Transfer-Encoding: chunked\r\n\r\n", HEAD_REFUSED, 400, "RFC 9112 5.2"},
    {"coding-behind-cr", POST "X: y\rTransfer-Encoding: chunked\r\n\r\n", HEAD_REFUSED, 400, "RFC 9112 2.2"},
    {"bare-lf", "GET / HTTP/1.1\nHost: a\n\n", HEAD_REFUSED, 400, "RFC 9112 2.2"},
    {"bare-lf-in-fields", GET "X: y\nContent-Length: 5\r\n\r\n", HEAD_REFUSED, 400, "RFC 9112 2.2"},
    {"content-in-get", GET "Content-Length: 5\r\n\r\n", HEAD_REFUSED, 400, "RFC 9110 9.3.1"},
    {"host-missing", "GET / HTTP/1.1\r\n\r\n", HEAD_REFUSED, 400, "RFC 9112 3.2"},
    {"host-twice", GET "Host: b\r\n\r\n", HEAD_REFUSED, 400, "RFC 9112 3.2"},
    {"host-with-path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", HEAD_REFUSED, 400, "RFC 9110 7.2"},
    {"host-with-user", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", HEAD_REFUSED, 400, "RFC 9110 7.2"},
    {"cookie-twice", GET "Cookie: a=b\r\nCookie: a=c\r\n\r\n", HEAD_REFUSED, 400, "RFC 9110 5.3"},
    {"authorization-twice", GET "Authorization: a\r\nAuthorization: b\r\n\r\n", HEAD_REFUSED, 400,
     "RFC 9110 5.3"},
    {"name-empty", GET ": y\r\n\r\n", HEAD_REFUSED, 400, "RFC 9112 5:"},
    {"name-missing", GET "nonsense\r\n\r\n", HEAD_REFUSED, 400, "RFC 9112 5:"},
    {"name-utf-8", GET "X-\xc3\xa9: y\r\n\r\n", HEAD_REFUSED, 400, "RFC 9112 5.1"},
    {"value-control", GET "X: \x01\r\n\r\n", HEAD_REFUSED, 400, "RFC 9110 5.5"},
    {"expectation", POST "Expect: 200-maybe\r\n\r\n", HEAD_REFUSED, 417, "RFC 9110 10.1.1"},
    {"first-line-empty", "\r\nGET / HTTP/1.1\r\n", HEAD_REFUSED, 400, "RFC 9112 3:"},
    {"two-spaces", "GET  / HTTP/1.1\r\n", HEAD_REFUSED, 400, "RFC 9112 3:"},
    {"no-version", "GET /\r\n", HEAD_REFUSED, 400, "RFC 9112 3:"},
    {"version-0.9", "GET / HTTP/0.9\r\n", HEAD_REFUSED, 505, "RFC 9112 2.3"},
    {"version-2", "PRI * HTTP/2.0\r\n", HEAD_REFUSED, 505, "RFC 9112 2.3"},
    {"version-in-small", "GET / http/1.1\r\n", HEAD_REFUSED, 400, "RFC 9112 2.3"},
    {"target-absolute", "GET http://a/ HTTP/1.1\r\n", HEAD_REFUSED, 400, "RFC 9112 3.2.1"},
    {"target-utf-8", "GET /\xc3\xa9 HTTP/1.1\r\n", HEAD_REFUSED, 400, "RFC 3986 2"},
    {"target-fragment", "GET /#a HTTP/1.1\r\n", HEAD_REFUSED, 400, "RFC 3986 2"},
    {"method-odd", "G(T / HTTP/1.1\r\n", HEAD_REFUSED, 400, "RFC 9112 3.1"},
    {"method-long", "GETGETGETGETGETGET / HTTP/1.1\r\n", HEAD_REFUSED, 400, "RFC 9112 3.1"},
    {0},
};

static void test_case(gconstpointer data) {
    const Case *c = data;
    Head head;
    HeadCheck check = portal_head_check(vigie_bytes(c->head, strlen(c->head)), &head);
    g_assert_cmpint(check.verdict, ==, c->verdict);
    g_assert_cmpuint(check.status, ==, c->status);
    if (c->clause)
        g_assert_true(g_str_has_prefix(check.why, c->clause));
}

static void test_nul(void) {
    static const char head[] = "GET / HTTP/1.1\r\nHost: a\r\nX: y\0z\r\n\r\n";
    Head read;
    HeadCheck check = portal_head_check(vigie_bytes(head, sizeof head - 1), &read);
    g_assert_cmpint(check.verdict, ==, HEAD_REFUSED);
}

/* Too many fields, and a head without end, are refused and not waited for. */
static void test_size(void) {
    Head head;
    g_autoptr(GString) many = g_string_new(GET);
    for (int i = 0; i < 100; i++)
        g_string_append(many, "X: y\r\n");
    g_assert_cmpuint(portal_head_check(vigie_bytes(many->str, many->len), &head).status, ==, 431);
    g_autofree char *filler = g_strnfill(HEAD_SIZE_MAX, 'x');
    g_autofree char *endless = g_strconcat(GET "X: ", filler, NULL);
    g_assert_cmpuint(portal_head_check(vigie_bytes(endless, strlen(endless)), &head).status, ==, 431);
}

/* However slowly a head comes, the verdict is the same. */
static void test_byte_by_byte(void) {
    for (const Case *c = cases; c->name; c++)
        for (size_t size = 0; size < strlen(c->head); size++) {
            Head head;
            HeadCheck check = portal_head_check(vigie_bytes(c->head, size), &head);
            if (check.verdict != HEAD_INCOMPLETE)
                g_assert_cmpint(check.verdict, ==, c->verdict);
        }
}

static void assert_view(VigieBytes view, const char *text) {
    g_assert_cmpmem(view.data, view.size, text, strlen(text));
}

/* What the gate acts on is read out of the head, and what follows it is the body or the next request. */
static void test_read(void) {
    static const char text[] =
        "POST /a?b=c:d HTTP/1.1\r\nHost: a\r\nContent-Type:  text/plain \r\nConnection: x, Close\r\n"
        "Expect: 100-continue\r\nIf-None-Match: \"x\"\r\nContent-Length: 7\r\n\r\nbody: 7GET /";
    Head head = {0};
    HeadCheck check = portal_head_check(vigie_bytes(text, sizeof text - 1), &head);
    g_assert_cmpint(check.verdict, ==, HEAD_WELL);
    g_assert_cmpuint(head.size, ==, strstr(text, "body") - text);
    g_assert_cmpuint(head.length, ==, 7);
    g_assert_true(head.last && head.expects);
    assert_view(head.method, "POST");
    assert_view(head.target, "/a?b=c:d");
    assert_view(head.content_type, "text/plain");
    assert_view(head.none_match, "\"x\"");
    static const char *const fields[][2] = {{"Host", "a"},
                                            {"Content-Type", "text/plain"},
                                            {"Connection", "x, Close"},
                                            {"Expect", "100-continue"},
                                            {"If-None-Match", "\"x\""},
                                            {"Content-Length", "7"}};
    VigieBytes rest = vigie_bytes(text, head.size), name, value;
    for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
        g_assert_true(portal_head_field(&rest, &name, &value));
        assert_view(name, fields[i][0]);
        assert_view(value, fields[i][1]);
    }
    g_assert_false(portal_head_field(&rest, &name, &value));
}

/* RFC 9112 9.3: a connection goes on unless one says otherwise; HTTP/1.0 ends. */
static void test_last(void) {
    static const struct {
        const char *head;
        bool last;
    } heads[] = {{GET "\r\n", false},
                 {GET "Connection: keep-alive\r\n\r\n", false},
                 {GET "Connection: closed\r\n\r\n", false},
                 {GET "Connection: keep-alive\r\nConnection: CLOSE\r\n\r\n", true},
                 {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true}};
    for (size_t i = 0; i < G_N_ELEMENTS(heads); i++) {
        Head head = {0};
        portal_head_check(vigie_bytes(heads[i].head, strlen(heads[i].head)), &head);
        g_assert_true(head.last == heads[i].last);
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    for (const Case *c = cases; c->name; c++) {
        g_autofree char *path = g_strconcat("/portal/head/", c->name, NULL);
        g_test_add_data_func(path, c, test_case);
    }
    g_test_add_func("/portal/head/nul", test_nul);
    g_test_add_func("/portal/head/size", test_size);
    g_test_add_func("/portal/head/byte-by-byte", test_byte_by_byte);
    g_test_add_func("/portal/head/read", test_read);
    g_test_add_func("/portal/head/last", test_last);
    return g_test_run();
}
