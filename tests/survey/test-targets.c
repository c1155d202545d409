/* Targets: what is read from a line, how a network is spread, which lines are refused and for which reason,
 * and that a bad line does not stop the others. The journal: what it remembers across runs and torn writes. */
#include "survey/survey.h"

#include <glib/gstdio.h>
#include <unistd.h>

static GString *complaints;

static void note(const VigieTargetComplaint *complaint, void *data) {
    g_assert_true(data == &complaints);
    g_string_append_printf(complaints, "%s:%u %s;", complaint->file ? complaint->file : "-", complaint->line,
                           complaint->problem + strlen("refusal.target."));
    /* Every reason has its words. */
    g_assert_cmpstr(vigie_word(VIGIE_FR, complaint->problem), !=, complaint->problem);
}

static char *all_of(VigieTargets *targets) {
    GString *out = g_string_new(NULL);
    VigieTarget target = {0};
    while (survey_targets_next(&target, targets)) {
        g_string_append_printf(out, "%s|%u|%s;", target.host, target.port,
                               vigie_protocol_name(target.protocol));
        vigie_target_clear(&target);
    }
    return g_string_free(out, FALSE);
}

static void check(const char *text, const char *targets_wanted, const char *complaints_wanted) {
    complaints = g_string_new(NULL);
    VigieTargets *targets = survey_targets_new(note, &complaints);
    survey_targets_add(targets, text);
    g_autofree char *found = all_of(targets);
    g_assert_cmpstr(found, ==, targets_wanted);
    g_assert_cmpstr(complaints->str, ==, complaints_wanted);
    survey_targets_free(targets);
    g_string_free(complaints, TRUE);
}

static void test_expressions(void) {
    check("automate-02.chu.test:2762", "automate-02.chu.test|2762|dicom;", "");
    check("10.1.2.3:443", "10.1.2.3|443|https;", "");
    check("[2001:db8::1]:636", "2001:db8::1|636|ldaps;", "");
    check("échographe.hôpital.test:8000/fhir", "échographe.hôpital.test|8000|fhir;", "");
    check("10.1.2.3:443,9000/mllp,25", "10.1.2.3|443|https;10.1.2.3|9000|mllp;10.1.2.3|25|smtp;", "");
    check("10.1.2.255/31:443,2762/dicom",
          "10.1.2.254|443|https;10.1.2.255|443|https;10.1.2.254|2762|dicom;10.1.2.255|2762|dicom;", "");
    check("[2001:db8::ff/127]:443", "2001:db8::fe|443|https;2001:db8::ff|443|https;", "");
    check("  10.1.2.3/32:1  # a comment", "10.1.2.3|1|tls;", "");
}

static void test_refusals(void) {
    const struct {
        const char *text, *reason;
    } bad[] = {
        {"host", "no-port"},
        {"", "no-port"},
        {"host:", "no-port"},
        {"host:0", "bad-port"},
        {"host:65536", "bad-port"},
        {"host:+443", "bad-port"},
        {"host:443,", "bad-port"},
        {"host:443/gopher", "bad-protocol"},
        {":443", "bad-name"},
        {"ho st:443", "bad-name"},
        {"-\x01:443", "bad-name"},
        {"10.0.0.256:443", "bad-address"},
        {"10.0.0:443", "bad-address"},
        {"[10.0.0.1]:443", "bad-address"},
        {"[::1:443", "no-bracket"},
        {"2001:db8::1:443", "bare-ipv6"},
        {"https://host/", "url"},
        {"https://host:443/", "url"},
        {"10.0.0.0/33:443", "bad-network"},
        {"10.0.0.0/:443", "bad-network"},
        {"host/24:443", "bad-network"},
        {"10.0.0.0/4:443", "large-network"},
        {"[2001:db8::/64]:443", "large-network"},
        {"h\xff:443", "not-utf8"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autofree char *wanted = g_strdup_printf("-:1 %s;", bad[i].reason);
        check(bad[i].text, "", wanted);
    }
    g_autoptr(GString) ports = g_string_new("host:1");
    for (int i = 2; i <= 65; i++)
        g_string_append_printf(ports, ",%d", i);
    check(ports->str, "", "-:1 many-ports;");
    g_autofree char *long_line = g_strnfill(5000, 'a');
    check(long_line, "", "-:1 long-line;");
}

static char *write_file(const char *content, size_t size) {
    char *path = g_build_filename(g_get_tmp_dir(), "vigie-test-XXXXXX", NULL);
    int fd = g_mkstemp(path);
    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(write(fd, content, size), ==, (gssize)size);
    close(fd);
    return path;
}

static void test_file(void) {
    g_autoptr(GString) text = g_string_new("\xef\xbb\xbf# devices\r\n\r\na.test:443\r\nbad line\n");
    g_autofree char *long_line = g_strnfill(100000, 'x');
    g_string_append_printf(text, "%s\n", long_line);
    g_string_append_len(text, "nul\0.test:1\n  b.test:25 # the last, without a line end", 52);
    g_autofree char *path = write_file(text->str, text->len);
    complaints = g_string_new(NULL);
    VigieTargets *targets = survey_targets_new(note, &complaints);
    GError *error = NULL;
    g_assert_false(survey_targets_add_file(targets, "/no/such/file", &error));
    g_assert_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND);
    g_clear_error(&error);
    g_assert_false(survey_targets_add_file(targets, "/tmp", &error));
    g_clear_error(&error);
    g_assert_true(survey_targets_add_file(targets, path, &error));
    survey_targets_add(targets, "c.test:1");
    g_autofree char *found = all_of(targets);
    g_assert_cmpstr(found, ==, "a.test|443|https;b.test|25|smtp;c.test|1|tls;");
    g_autofree char *wanted = g_strdup_printf("%s:4 no-port;%s:5 long-line;%s:6 not-utf8;", path, path, path);
    g_assert_cmpstr(complaints->str, ==, wanted);
    g_assert_cmpuint(survey_targets_bad(targets), ==, 3);
    g_assert_cmpfloat(survey_targets_share(targets), ==, 1);
    survey_targets_free(targets);
    g_string_free(complaints, TRUE);
    g_unlink(path);
}

static void test_single(void) {
    VigieTarget target = {0};
    GError *error = NULL;
    g_assert_true(survey_target_parse(" pacs.chu.test:11112 ", &target, &error));
    g_assert_cmpstr(target.host, ==, "pacs.chu.test");
    vigie_target_clear(&target);
    for (const char **bad = (const char *[]){"10.0.0.0/24:443", "host:443,444", "host", NULL}; *bad; bad++) {
        g_assert_false(survey_target_parse(*bad, &target, &error));
        g_assert_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID);
        g_clear_error(&error);
    }
}

static void test_journal(void) {
    g_autofree char *path = write_file("", 0);
    GError *error = NULL;
    VigieTarget first = {.host = (char *)"a.test", .port = 443},
                second = {.host = (char *)"::1", .port = 443};
    VigieJournal *journal = survey_journal_open(path, VIGIE_DEPTH_FULL, &error);
    g_assert_no_error(error);
    g_assert_false(survey_journal_has(journal, &first));
    g_assert_null(survey_journal_open(path, VIGIE_DEPTH_FULL, &error));
    g_assert_error(error, VIGIE_ERROR, VIGIE_ERROR_BUSY);
    g_clear_error(&error);
    survey_journal_add(journal, &first);
    g_assert_true(survey_journal_sync(journal, &error));
    survey_journal_add(journal, &second); /* a kill here: never written */
    survey_journal_close(journal);
    FILE *file = fopen(path, "a");
    fputs("torn.test:44", file); /* a kill in the middle of a write */
    fclose(file);
    journal = survey_journal_open(path, VIGIE_DEPTH_FULL, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(survey_journal_count(journal), ==, 1);
    g_assert_true(survey_journal_has(journal, &first));
    g_assert_false(survey_journal_has(journal, &second));
    survey_journal_add(journal, &second);
    g_assert_true(survey_journal_sync(journal, &error));
    survey_journal_close(journal);
    journal = survey_journal_open(path, VIGIE_DEPTH_FULL, &error);
    g_assert_cmpuint(survey_journal_count(journal), ==, 2);
    g_assert_true(survey_journal_has(journal, &second));
    survey_journal_close(journal);
    g_assert_null(survey_journal_open(path, VIGIE_DEPTH_CERTIFICATE, &error));
    g_assert_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID);
    g_clear_error(&error);
    g_unlink(path);
    g_autofree char *other = write_file("something else\n", 15);
    g_assert_null(survey_journal_open(other, VIGIE_DEPTH_FULL, &error));
    g_assert_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID);
    g_clear_error(&error);
    g_unlink(other);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    GError *error = NULL;
    vigie_words_load(&error);
    g_assert_no_error(error);
    g_test_add_func("/targets/expressions", test_expressions);
    g_test_add_func("/targets/refusals", test_refusals);
    g_test_add_func("/targets/file", test_file);
    g_test_add_func("/targets/single", test_single);
    g_test_add_func("/targets/journal", test_journal);
    return g_test_run();
}
