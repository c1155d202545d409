/* Labels, codes: how they are written, read back, and compared. */
#include "csirt/triage.h"

#include <string.h>

static void test_tlp_names(void) {
    for (int i = 0; i < VIGIE_TLPS; i++) {
        VigieTlp tlp;
        g_assert_true(csirt_tlp_parse(csirt_tlp_name((VigieTlp)i), &tlp, NULL) && (int)tlp == i);
        g_autofree char *low = g_ascii_strdown(csirt_tlp_label((VigieTlp)i), -1);
        g_assert_true(csirt_tlp_parse(low, &tlp, NULL) && (int)tlp == i);
    }
    for (int i = 0; i < VIGIE_PAPS; i++) {
        VigiePap pap;
        g_assert_true(csirt_pap_parse(csirt_pap_label((VigiePap)i), &pap, NULL) && (int)pap == i);
    }
    g_assert_cmpstr(csirt_tlp_label(VIGIE_TLP_AMBER_STRICT), ==, "TLP:AMBER+STRICT");
    g_assert_cmpstr(csirt_tlp_colour(VIGIE_TLP_RED), ==, "#FF2B2B");
    static const char *const wrong[] = {"",       "WHITE",    "TLP:WHITE", "AMBER STRICT",
                                        "ORANGE", "TLP: RED", "RED "};
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        VigieTlp tlp = VIGIE_TLP_GREEN;
        g_autoptr(GError) error = NULL;
        g_assert_false(csirt_tlp_parse(wrong[i], &tlp, &error));
        g_assert_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID);
        g_assert_cmpint(tlp, ==, VIGIE_TLP_GREEN);
        g_assert_true(!strstr(wrong[i], "WHITE") == !strstr(error->message, "CLEAR since"));
    }
}

static void test_combine(void) {
    for (int a = 0; a < VIGIE_TLPS; a++)
        for (int b = 0; b < VIGIE_TLPS; b++) {
            g_assert_cmpint(csirt_tlp_combine((VigieTlp)a, (VigieTlp)b), >=, a);
            g_assert_cmpint(csirt_tlp_combine((VigieTlp)a, (VigieTlp)b), >=, b);
        }
    g_assert_cmpint(csirt_tlp_combine(VIGIE_TLP_AMBER, VIGIE_TLP_AMBER_STRICT), ==, VIGIE_TLP_AMBER_STRICT);
    g_assert_cmpint(csirt_pap_combine(VIGIE_PAP_CLEAR, VIGIE_PAP_RED), ==, VIGIE_PAP_RED);
}

static void subject(VigieTlp tlp, const char *before, const char *after) {
    g_autofree char *marked = csirt_tlp_subject(tlp, before);
    g_assert_cmpstr(marked, ==, after);
    g_autofree char *again = csirt_tlp_subject(tlp, marked);
    g_assert_cmpstr(again, ==, after);
}

static void test_subject(void) {
    subject(VIGIE_TLP_AMBER_STRICT, "Incident", "[TLP:AMBER+STRICT] Incident");
    subject(VIGIE_TLP_GREEN, "[TLP:RED] Incident", "[TLP:GREEN] Incident");
    subject(VIGIE_TLP_GREEN, " tlp:amber+strict [TLP:WHITE]  Incident", "[TLP:GREEN] Incident");
    subject(VIGIE_TLP_RED, "Re: [TLP:GREEN] x", "[TLP:RED] Re: [TLP:GREEN] x");
    subject(VIGIE_TLP_RED, "TLP:GREENHOUSE", "[TLP:RED] TLP:GREENHOUSE");
    subject(VIGIE_TLP_CLEAR, "", "[TLP:CLEAR] ");
}

static void test_body(void) {
    g_autofree char *body = csirt_tlp_body(VIGIE_TLP_GREEN, VIGIE_PAP_CLEAR, "Text");
    g_assert_cmpstr(body, ==, "TLP:GREEN\n\nText\n\nTLP:GREEN\n");
    g_autofree char *both = csirt_tlp_body(VIGIE_TLP_RED, VIGIE_PAP_AMBER, "Text\n");
    g_assert_cmpstr(both, ==, "TLP:RED PAP:AMBER\n\nText\n\nTLP:RED PAP:AMBER\n");
}

static void test_find(void) {
    VigieTlp tlp;
    g_assert_true(csirt_tlp_find("Re: [TLP:GREEN] fwd [tlp:amber+strict] x", &tlp) &&
                  tlp == VIGIE_TLP_AMBER_STRICT);
    g_assert_true(csirt_tlp_find("TLP:WHITE", &tlp) && tlp == VIGIE_TLP_CLEAR);
    g_assert_false(csirt_tlp_find("TLP: red, TLP:REDDISH", &tlp));
}

/* ---- Codes ------------------------------------------------------------------------------------------------ */
static void test_codes(void) {
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    int counts[128] = {0};
    for (int i = 0; i < 2000; i++) {
        char *code = csirt_code_new(CSIRT_CODE_RECEIPT);
        g_assert_cmpuint(strlen(code), ==, 19);
        for (const char *c = code; *c; c++)
            counts[(int)*c]++;
        g_autofree char *hash = csirt_code_hash(code);
        g_assert_cmpuint(strlen(hash), ==, 64);
        g_assert_true(csirt_code_matches(code, hash));
        g_assert_true(g_hash_table_add(seen, code));
    }
    /* 32,000 letters of 32 kinds: each is expected 1,000 times, with a deviation of 31. */
    for (const char *c = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"; *c; c++)
        g_assert_true(counts[(int)*c] > 800 && counts[(int)*c] < 1200);
    g_assert_cmpint(counts['I'] + counts['L'] + counts['O'] + counts['U'], ==, 0);
}

static void test_code_writings(void) {
    g_autofree char *hash = csirt_code_hash("K70M-1VAB");
    static const char *const same[] = {"k70m1vab", "K7OM-LUAB", "k7 om.iu ab", " K70M - 1VAB "};
    for (size_t i = 0; i < G_N_ELEMENTS(same); i++)
        g_assert_true(csirt_code_matches(same[i], hash));
    static const char *const others[] = {"",          "K70M-1VAC",   "K70M-1VA", "K70M-1VAB-0000",
                                         "K70M_1VAB", "K70M-1VAB\n", "é"};
    for (size_t i = 0; i < G_N_ELEMENTS(others); i++)
        g_assert_false(csirt_code_matches(others[i], hash));
    g_assert_false(csirt_code_matches("K70M-1VAB", ""));
    g_autofree char *long_code = g_strnfill(100000, 'A');
    g_assert_null(csirt_code_hash(long_code));
}

static void test_spell(void) {
    g_autofree char *fr = csirt_code_spell(VIGIE_FR, "k7qm-4z00"),
                    *en = csirt_code_spell(VIGIE_EN, "K7QM-4Z00");
    g_assert_cmpstr(fr, ==, "Kléber, sept, Quintal, Marcel — quatre, Zoé, zéro, zéro");
    g_assert_cmpstr(en, ==, "Kilo, seven, Quebec, Mike — four, Zulu, zero, zero");
    g_autofree char *none = csirt_code_spell(VIGIE_EN, "!");
    g_assert_cmpstr(none, ==, "");
    for (const char *c = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"; *c; c++) {
        g_autofree char *key = g_strdup_printf("csirt.spell.%c", g_ascii_tolower(*c));
        g_assert_cmpstr(vigie_word(VIGIE_FR, key), !=, key);
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_assert_true(vigie_words_load(NULL));
    g_test_add_func("/label/names", test_tlp_names);
    g_test_add_func("/label/combine", test_combine);
    g_test_add_func("/label/subject", test_subject);
    g_test_add_func("/label/body", test_body);
    g_test_add_func("/label/find", test_find);
    g_test_add_func("/code/new", test_codes);
    g_test_add_func("/code/writings", test_code_writings);
    g_test_add_func("/code/spell", test_spell);
    return g_test_run();
}
