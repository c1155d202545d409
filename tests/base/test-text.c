#include "base/base.h"

static void test_json_string(void) {
    static const char hostile[] = "a\"b\\\n\0\x1b\xff\xc3(é\xed\xa0\x80";
    g_autoptr(GString) out = g_string_new(NULL);
    vigie_json_append_string(out, hostile, sizeof hostile - 1);
    g_autoptr(json_t) value = json_loadb(out->str, out->len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    g_assert_nonnull(value);
    static const char harmless[] = "a\"b\\\n\0\x1b\uFFFD\uFFFD(é\uFFFD\uFFFD\uFFFD";
    g_assert_cmpmem(json_string_value(value), json_string_length(value), harmless, sizeof harmless - 1);
}

static void test_hex(void) {
    g_autofree char *text = vigie_hex_text(vigie_bytes("\x00\x9f\xff", 3));
    g_autofree char *none = vigie_hex_text((VigieBytes){0});
    g_assert_cmpstr(text, ==, "009fff");
    g_assert_cmpstr(none, ==, "");
}

static void test_fold(void) {
    g_autofree char *folded = vigie_text_fold("ÉCHOGRAPHE n°4 Œdème");
    g_autofree char *same = vigie_text_fold("échographe N°4 œdeme");
    g_assert_cmpstr(folded, ==, same);
    g_autofree char *broken = vigie_text_fold("A\xff");
    g_assert_cmpstr(broken, ==, "a\xff");
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/text/json-string", test_json_string);
    g_test_add_func("/text/hex", test_hex);
    g_test_add_func("/text/fold", test_fold);
    return g_test_run();
}
