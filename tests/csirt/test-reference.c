/* References: every single slip of a digit and every exchange of two is caught, and every honest writing is read. */
#include "csirt/triage.h"

#include <string.h>

static bool reads(const char *text, int year, int64_t number) {
    VigieReference reference = {0};
    g_autoptr(GError) error = NULL;
    bool read = csirt_reference_parse("VIG", text, &reference, &error);
    g_assert_true(read == !error);
    return read && reference.year == year && reference.number == number;
}

static void test_round_trip(void) {
    for (int64_t number = 1; number < 1000000000; number = number * 7 + 3) {
        g_autofree char *text = csirt_reference_text("VIG", (VigieReference){2026, number});
        g_assert_true(reads(text, 2026, number));
    }
    g_autofree char *text = csirt_reference_text("VIG", (VigieReference){2026, 123});
    g_assert_cmpuint(strlen(text), ==, strlen("VIG-2026-000123-K"));
    g_assert_true(g_str_has_prefix(text, "VIG-2026-000123-"));
}

static void test_slips(void) {
    int tried = 0;
    for (int64_t number = 1; number < 1000000; number += 3001) {
        g_autofree char *right = csirt_reference_text("VIG", (VigieReference){2026, number});
        size_t size = strlen(right);
        for (size_t i = 0; i < size; i++) {
            for (const char *other = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"; *other; other++) {
                g_autofree char *wrong = g_strdup(right);
                wrong[i] = *other;
                if (right[i] == '-' || *other == right[i])
                    continue;
                g_assert_false(reads(wrong, 2026, number));
                VigieReference reference;
                g_assert_false(csirt_reference_parse("VIG", wrong, &reference, NULL));
                tried++;
            }
            for (size_t j = i + 1; j < size; j++) {
                g_autofree char *wrong = g_strdup(right);
                wrong[i] = right[j];
                wrong[j] = right[i];
                VigieReference reference;
                if (right[i] == right[j] || right[i] == '-' || right[j] == '-')
                    continue;
                g_assert_false(csirt_reference_parse("VIG", wrong, &reference, NULL));
                tried++;
            }
        }
    }
    g_test_message("%d wrong references refused", tried);
    g_assert_cmpint(tried, >, 150000);
}

static void test_writings(void) {
    g_autofree char *text = csirt_reference_text("VIG", (VigieReference){2026, 123});
    char letter = text[strlen(text) - 1], low = g_ascii_tolower(letter);
    static const char *const forms[] = {"vig-2026-000123-%c",           "VIG2026000123%c",
                                        " VIG 2026 000 123 %c ",        "Vig–2026–000123–%c",
                                        "VIG\u00a02026\u2011000123 %c", "V I G 2026.000123_%c"};
    for (size_t i = 0; i < G_N_ELEMENTS(forms); i++) {
        const char *hole = strchr(forms[i], '%');
        g_autofree char *upper =
            g_strdup_printf("%.*s%c%s", (int)(hole - forms[i]), forms[i], letter, hole + 2);
        g_autofree char *lower = g_strdup_printf("%.*s%c%s", (int)(hole - forms[i]), forms[i], low, hole + 2);
        g_assert_true(reads(upper, 2026, 123));
        g_assert_true(reads(lower, 2026, 123));
    }
}

static void refused(const char *text, const char *why) {
    VigieReference reference;
    g_autoptr(GError) error = NULL;
    g_assert_false(csirt_reference_parse("VIG", text, &reference, &error));
    g_assert_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID);
    if (!strstr(error->message, why))
        g_error("%s: %s, without: %s", text, error->message, why);
}

static void test_refusals(void) {
    refused("", "prefix");
    refused("CST-2026-000123-K", "prefix");
    refused("VIG-2026", "missing");
    refused("VIG-2026-O00123-K", "something else");
    refused("VIG-2026-000123", "check letter at the end");
    refused("VIG-2026-00000000000000000000123-K", "too many");
    refused("\xff\xfe", "prefix");
    g_autofree char *zero = csirt_reference_text("VIG", (VigieReference){2026, 0});
    refused(zero, "no such");
    g_autofree char *right = csirt_reference_text("VIG", (VigieReference){2026, 123});
    g_autofree char *more = g_strconcat(right, " and more", NULL);
    refused(more, "follows");
}

static void test_find(void) {
    g_autofree char *a = csirt_reference_text("VIG", (VigieReference){2026, 123});
    g_autofree char *b = csirt_reference_text("VIG", (VigieReference){2025, 1234567});
    g_autofree char *low = g_ascii_strdown(b, -1);
    g_autofree char *wrong = g_strdup(a);
    wrong[5] = '9';
    g_autofree char *subject = g_strdup_printf("Re: [%s] tr: x%s %s (%s), %s.", a, a, low, wrong, a);
    g_autoptr(GArray) found = csirt_references_find("VIG", subject);
    g_assert_cmpuint(found->len, ==, 2);
    g_assert_cmpint(g_array_index(found, VigieReference, 0).number, ==, 123);
    g_assert_cmpint(g_array_index(found, VigieReference, 1).number, ==, 1234567);
    g_autoptr(GArray) none = csirt_references_find("VIG", "VIG VIG VIG-2026 \xc3\xff VIG-");
    g_assert_cmpuint(none->len, ==, 0);
    g_autoptr(GArray) empty = csirt_references_find("VIG", "");
    g_assert_cmpuint(empty->len, ==, 0);
}

static void test_prefix(void) {
    g_assert_true(csirt_prefix_valid("VIG"));
    g_assert_true(csirt_prefix_valid("CERT1"));
    g_assert_false(csirt_prefix_valid("V"));
    g_assert_false(csirt_prefix_valid("1VIG"));
    g_assert_false(csirt_prefix_valid("vig"));
    g_assert_false(csirt_prefix_valid("VIG-"));
    g_assert_false(csirt_prefix_valid("ABCDEFGHIJKLM"));
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/reference/round-trip", test_round_trip);
    g_test_add_func("/reference/slips", test_slips);
    g_test_add_func("/reference/writings", test_writings);
    g_test_add_func("/reference/refusals", test_refusals);
    g_test_add_func("/reference/find", test_find);
    g_test_add_func("/reference/prefix", test_prefix);
    return g_test_run();
}
