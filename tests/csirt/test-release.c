/* What may leave: every audience by every label by every channel, against a table written here a second time, by hand. */
#include "csirt/triage.h"

#include <string.h>

/* What each needs, from RED to CLEAR: y nothing, m a confirmed escalation or consent, c consent, - cannot. Capitals: and
 * encryption beside it (Y M C). */
static const struct {
    const char *audience, *channels, *needs;
} table[] = {
    {"declarant", "mail export", "Y Y Y y y"},
    {"declarant", "phone page portal api", "y y y y y"},
    {"declarant", "feed", "- - - y y"},
    {"organisation", "mail export", "C Y Y y y"},
    {"organisation", "phone page portal api", "c y y y y"},
    {"organisation", "feed", "- - - y y"},
    {"authority", "mail export", "M M M y y"},
    {"authority", "phone page portal api", "m m m y y"},
    {"authority", "feed", "- - - y y"},
    {"partner", "mail export", "C C C y y"},
    {"partner", "phone page portal api", "c c c y y"},
    {"partner", "feed", "- - - y y"},
    {"supplier", "mail export", "- C C y y"},
    {"supplier", "phone page portal api", "- c c y y"},
    {"supplier", "feed", "- - - y y"},
    {"community", "mail export", "- - C y y"},
    {"community", "phone page portal api", "- - c y y"},
    {"community", "feed", "- - - y y"},
    {"public", "mail export", "- - - c y"},
    {"public", "phone page portal api", "- - - c y"},
    {"public", "feed", "- - - c y"},
    {"declarant", "statistics", "c y y y y"},
    {"organisation", "statistics", "c y y y y"},
    {"authority", "statistics", "c y y y y"},
    {"partner", "statistics", "c y y y y"},
    {"supplier", "statistics", "c y y y y"},
    {"community", "statistics", "c y y y y"},
    {"public", "statistics", "c y y y y"},
};

static bool expected(char need, bool encrypted, bool consent, bool mandated) {
    switch (g_ascii_tolower(need)) {
    case 'y':
        return !g_ascii_isupper(need) || encrypted;
    case 'm':
        return (consent || mandated) && (!g_ascii_isupper(need) || encrypted);
    case 'c':
        return consent && (!g_ascii_isupper(need) || encrypted);
    default:
        return false;
    }
}

static void check_cell(const char *audience, const char *channel, VigieTlp tlp, char need) {
    for (int bits = 0; bits < 8; bits++) {
        VigieRelease release = {.tlp = tlp,
                                .audience = audience,
                                .channel = channel,
                                .encrypted = bits & 1,
                                .consent = bits & 2,
                                .mandated = bits & 4};
        const char *reason = NULL;
        bool may = csirt_may_leave(&release, &reason);
        if (may != expected(need, bits & 1, bits & 2, bits & 4))
            g_error("%s to %s by %s, encrypted %d consent %d mandated %d: %s", csirt_tlp_label(tlp), audience,
                    channel, bits & 1, !!(bits & 2), !!(bits & 4), reason);
        g_assert_cmpstr(vigie_word(VIGIE_FR, reason), !=, reason);
        g_assert_true(may == (!strstr(reason, "needs") && !strstr(reason, "never")));
    }
}

static void test_table(void) {
    int cells = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
        g_auto(GStrv) channels = g_strsplit(table[i].channels, " ", -1);
        for (char **channel = channels; *channel; channel++)
            for (int tlp = 0; tlp < VIGIE_TLPS; tlp++, cells++)
                check_cell(table[i].audience, *channel, (VigieTlp)tlp,
                           table[i].needs[(VIGIE_TLP_RED - tlp) * 2]);
    }
    g_assert_cmpint(cells, ==, 7 * 8 * 5);
}

static void test_unknown(void) {
    const char *reason = NULL;
    VigieRelease release = {VIGIE_TLP_CLEAR, "neighbour", "mail", true, true, true};
    g_assert_false(csirt_may_leave(&release, &reason));
    g_assert_cmpstr(reason, ==, "csirt.release.unknown");
    release = (VigieRelease){VIGIE_TLP_CLEAR, "public", "pigeon", true, true, true};
    g_assert_false(csirt_may_leave(&release, NULL));
    release = (VigieRelease){VIGIE_TLPS, "public", "mail", true, true, true};
    g_assert_false(csirt_may_leave(&release, NULL));
}

static void test_pap(void) {
    static const struct {
        const char *action;
        bool may[VIGIE_PAPS]; /* CLEAR GREEN AMBER RED */
    } actions[] = {
        {"offline", {true, true, true, true}},        {"lookup", {true, true, true, false}},
        {"block", {true, true, false, false}},        {"active", {true, true, false, false}},
        {"unheard-of", {false, false, false, false}},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(actions); i++)
        for (int pap = 0; pap < VIGIE_PAPS; pap++)
            g_assert_true(csirt_pap_may((VigiePap)pap, actions[i].action) == actions[i].may[pap]);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_autoptr(GError) error = NULL;
    if (!csirt_rules_load(&error) || !vigie_words_load(&error))
        g_error("%s", error->message);
    g_test_add_func("/release/table", test_table);
    g_test_add_func("/release/unknown", test_unknown);
    g_test_add_func("/release/pap", test_pap);
    return g_test_run();
}
