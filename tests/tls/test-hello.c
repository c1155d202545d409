/* What is sent: its size in each form, that it is the same message after its extensions were read again, and how the
 * plan shows in it. */
#include "tls/tls.h"

#include <glib.h>

static VigieTlsContext *tls;

/* The extension's contents in a hello; an empty view with `data` NULL where it is not there. */
static VigieBytes extension_of(VigieBytes hello, uint16_t wanted) {
    VigieReader in = vigie_reader(hello);
    vigie_read(&in, 5 + 4 + 2 + 32);
    vigie_read_vector(&in, 1);
    vigie_read_vector(&in, 2);
    vigie_read_vector(&in, 1);
    VigieReader list = vigie_read_vector(&in, 2), last = {0};
    VigieBytes found = {0};
    while (!vigie_reader_empty(&list)) {
        uint16_t type = vigie_read_u16(&list);
        last = vigie_read_vector(&list, 2);
        if (type == wanted)
            found = last.rest;
    }
    g_assert_false(list.failed);
    g_assert_cmpuint(in.rest.size, ==, 0);
    g_assert_true(list.rest.size > 0 || last.rest.size > 0); /* no empty extension at the end */
    return found;
}

static void test_sizes(void) {
    uint8_t buffer[VIGIE_HELLO_MAX];
    const uint16_t *all;
    size_t count = tls_suites_of(VIGIE_TLS12, &all);
    char name[256];
    for (unsigned versions = 4; versions < 64; versions += 4)
        for (size_t suites = 1; suites <= count; suites += 3)
            for (size_t length = 0; length < 250; length += 31) {
                VigieHello plan = tls_hello_plan((uint8_t)versions);
                memset(name, 'a', length);
                name[length] = '\0';
                plan.suites = all;
                plan.suite_count = suites;
                plan.server_name = name;
                size_t size = tls_hello_write(tls, &plan, buffer, sizeof buffer);
                g_assert_cmpuint(size, >, 0);
                g_assert_cmpuint(size, ==, 5U + (buffer[3] << 8 | buffer[4]));
                g_assert_true(size - 5 < 256 || size - 5 > 511);
                VigieBytes found = extension_of(vigie_bytes(buffer, size), 0);
                g_assert_cmpuint(found.size, ==, length ? length + 5 : 0);
            }
}

static void test_forms(void) {
    uint8_t buffer[VIGIE_HELLO_MAX];
    for (unsigned versions = 4; versions < 64; versions += 4) {
        VigieHello plan = tls_hello_plan((uint8_t)versions);
        plan.server_name = "automate-02.laboratoire.chu-exemple.test";
        plan.form = VIGIE_HELLO_SMALL;
        size_t room = tls_hello_room(tls, &plan);
        g_assert_cmpuint(room, >=, 15);
        plan.suite_count = MIN(room, plan.suite_count);
        size_t size = tls_hello_write(tls, &plan, buffer, sizeof buffer);
        g_assert_cmpuint(size, >, 0);
        g_assert_cmpuint(size, <=, 255);
        if (plan.suite_count == room) {
            plan.suite_count++;
            g_assert_cmpuint(tls_hello_write(tls, &plan, buffer, sizeof buffer), ==, 0);
        }
        plan = tls_hello_plan((uint8_t)versions);
        plan.form = VIGIE_HELLO_BARE;
        size = tls_hello_write(tls, &plan, buffer, sizeof buffer);
        if (versions == 1 << VIGIE_TLS13) {
            g_assert_cmpuint(size, ==, 0);
            continue;
        }
        g_assert_cmphex(buffer[9] << 8 | buffer[10], <=, 0x0303);
        g_assert_cmpuint(size, ==, 5 + 4 + 2 + 32 + 1 + 2 + 2 * (plan.suite_count + 1) + 2);
    }
    VigieHello old = tls_hello_plan(1 << VIGIE_SSL3);
    g_assert_cmpuint(tls_hello_write(tls, &old, buffer, sizeof buffer), >, 0);
    g_assert_cmphex(buffer[1] << 8 | buffer[2], ==, 0x0300);
    g_assert_cmphex(buffer[9] << 8 | buffer[10], ==, 0x0300);
}

static void test_names(void) {
    static const char *const without[] = {NULL, "", ".", "10.1.2.3", "::1", "fe80::1%eth0"};
    uint8_t buffer[VIGIE_HELLO_MAX];
    VigieHello plan = tls_hello_plan(1 << VIGIE_TLS12);
    for (size_t i = 0; i < G_N_ELEMENTS(without); i++) {
        plan.server_name = without[i];
        size_t size = tls_hello_write(tls, &plan, buffer, sizeof buffer);
        g_assert_null(extension_of(vigie_bytes(buffer, size), 0).data);
    }
    plan.server_name = "a.test.";
    plan.alpn = "h2,http/1.1";
    size_t size = tls_hello_write(tls, &plan, buffer, sizeof buffer);
    VigieBytes found = extension_of(vigie_bytes(buffer, size), 0);
    g_assert_cmpmem(found.data, found.size, "\0\x09\0\0\6a.test", 11);
    found = extension_of(vigie_bytes(buffer, size), 16);
    g_assert_cmpmem(found.data, found.size, "\0\x0C\2h2\x8http/1.1", 14);
    char *long_name = g_strnfill(300, 'a');
    plan.server_name = long_name;
    g_assert_cmpuint(tls_hello_write(tls, &plan, buffer, sizeof buffer), ==, 0);
    g_free(long_name);
}

static void test_plans(void) {
    uint8_t buffer[VIGIE_HELLO_MAX], again[VIGIE_HELLO_MAX];
    VigieHello plan = tls_hello_plan(1 << VIGIE_TLS12 | 1 << VIGIE_TLS13);
    size_t size = tls_hello_write(tls, &plan, buffer, sizeof buffer);
    g_assert_cmpuint(tls_hello_write(tls, &plan, again, sizeof again), ==, size);
    g_assert_true(memcmp(buffer + 11, again + 11, 32) != 0); /* a fresh random each time … */
    VigieBytes share = extension_of(vigie_bytes(buffer, size), 51);
    VigieBytes other = extension_of(vigie_bytes(again, size), 51);
    g_assert_true(vigie_bytes_equal(share, other)); /* … and one key share for all */
    VigieBytes versions = extension_of(vigie_bytes(buffer, size), 43);
    g_assert_cmpmem(versions.data, versions.size, "\4\3\4\3\3", 5);
    plan.share_count = 0;
    size = tls_hello_write(tls, &plan, buffer, sizeof buffer);
    share = extension_of(vigie_bytes(buffer, size), 51);
    g_assert_cmpmem(share.data, share.size, "\0\0", 2);
    static const uint16_t impossible[] = {0x0100};
    plan.shares = impossible;
    plan.share_count = 1;
    g_assert_cmpuint(tls_hello_write(tls, &plan, buffer, sizeof buffer), ==, 0);
    plan = tls_hello_plan(0);
    g_assert_cmpuint(tls_hello_write(tls, &plan, buffer, sizeof buffer), ==, 0);
    plan = tls_hello_plan(1 << VIGIE_TLS12);
    g_assert_cmpuint(tls_hello_write(tls, &plan, buffer, 100), ==, 0);
    plan.deflate = true;
    size = tls_hello_write(tls, &plan, buffer, sizeof buffer);
    VigieReader in = vigie_reader(vigie_bytes(buffer, size));
    vigie_read(&in, 5 + 4 + 2 + 32 + 1);
    vigie_read_vector(&in, 2);
    g_assert_cmphex(vigie_read_u24(&in), ==, 0x020100);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    tls = tls_context_new();
    g_test_add_func("/tls/hello/never-256-to-511", test_sizes);
    g_test_add_func("/tls/hello/small-and-bare", test_forms);
    g_test_add_func("/tls/hello/names", test_names);
    g_test_add_func("/tls/hello/plans", test_plans);
    int status = g_test_run();
    tls_context_free(tls);
    return status;
}
