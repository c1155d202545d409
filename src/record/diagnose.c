/* A whole record in words: its causes, what was found in order, and what to look at on the other side. */
#include "record/rules.h"

#include <string.h>

enum { OBSOLETE = 1 << VIGIE_SSL2 | 1 << VIGIE_SSL3 | 1 << VIGIE_TLS10 | 1 << VIGIE_TLS11, CLOCK_FINE = 30 };

typedef struct {
    const VigieRecord *record;
    const VigieCertificate *leaf;
    VigieLang lang;
    GTimeZone *zone;
    VigieTime now;
    json_t *checks, *advice;
} Report;

static const char *wanted_name(const VigieRecord *record) {
    return record->target.name ? record->target.name : record->target.host;
}

static void check(Report *report, const char *id, bool known, char *text) {
    json_array_append_new(report->checks,
                          json_pack("{s:s, s:b, s:s}", "id", id, "known", known, "text", text));
    g_free(text);
}

static void check_clock(Report *report) {
    const VigieRecord *record = report->record;
    if (!record->clock_known) {
        check(report, "clock", false, vigie_words(report->lang, "diagnosis.check.clock.unknown", NULL));
        return;
    }
    int64_t drift = ABS(record->clock_offset);
    if (drift >= CLOCK_FINE)
        return;
    g_autofree char *text = vigie_duration_text(report->lang, MAX(drift, 1));
    g_autofree char *key = g_strdup_printf("value.source.%s", record->clock_source);
    check(report, "clock", true,
          vigie_words(report->lang, "diagnosis.check.clock", "drift", text, "source",
                      vigie_word(report->lang, key), NULL));
}

static void check_certificate(Report *report) {
    const VigieCertificate *leaf = report->leaf;
    if (leaf == NULL || leaf->not_after < report->now || leaf->not_before > report->now)
        return;
    g_autofree char *when = vigie_when_text(report->lang, report->zone, leaf->not_after, report->now);
    g_autofree char *subject = rules_short_name(leaf->subject), *issuer = rules_short_name(leaf->issuer);
    check(report, "certificate", true,
          vigie_words(report->lang, "diagnosis.check.certificate", "subject", subject, "issuer", issuer,
                      "not_after", when, NULL));
}

static void check_chain(Report *report) {
    const VigieTrust *trust = &report->record->trust;
    if (report->leaf == NULL)
        return;
    if (trust->verdict == VIGIE_TRUST_UNJUDGED)
        check(report, "chain", false, vigie_words(report->lang, "diagnosis.check.chain.unknown", NULL));
    if (trust->verdict == VIGIE_TRUST_TRUSTED && !trust->order_wrong)
        check(report, "chain", true,
              vigie_words(report->lang, "diagnosis.check.chain", "anchor",
                          trust->anchor ? trust->anchor : "?", NULL));
}

static void check_versions(Report *report) {
    unsigned offered = report->record->versions_offered;
    if (offered == 0 || offered & OBSOLETE)
        return;
    g_autofree char *versions = rules_versions_text(report->lang, offered);
    check(report, "versions", true,
          vigie_words(report->lang, "diagnosis.check.versions", "versions", versions, NULL));
}

static void add_checks(Report *report) {
    check_clock(report);
    check_certificate(report);
    check_chain(report);
    if (report->record->name_match == VIGIE_YES)
        check(report, "name", true,
              vigie_words(report->lang, "diagnosis.check.name", "wanted", wanted_name(report->record), NULL));
    check_versions(report);
}

/* ---- The other side ---------------------------------------------------------------------------------- */
static void advise(Report *report, char *text) {
    json_array_append_new(report->advice, json_string(text));
    g_free(text);
}

static char *some_names(const VigieCertificate *leaf) {
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    for (size_t i = 0; i < MIN(leaf->name_count, (size_t)4); i++)
        g_ptr_array_add(names, leaf->names[i].text);
    if (leaf->name_count > 4)
        g_ptr_array_add(names, (char *)"…");
    if (leaf->name_count == 0 && leaf->common_name)
        g_ptr_array_add(names, leaf->common_name);
    g_ptr_array_add(names, NULL);
    return g_strjoinv(", ", (char **)names->pdata);
}

static void add_advice(Report *report) {
    const VigieTrust *trust = &report->record->trust;
    advise(report, vigie_words(report->lang, "diagnosis.advice.clock", NULL));
    if (trust->verdict == VIGIE_TRUST_TRUSTED && trust->anchor)
        advise(report, vigie_words(report->lang, "diagnosis.advice.root", "anchor", trust->anchor, NULL));
    if (report->leaf) {
        g_autofree char *names = some_names(report->leaf);
        advise(report, vigie_words(report->lang, "diagnosis.advice.name", "names", names, NULL));
    }
    if (report->record->versions_offered) {
        g_autofree char *versions = rules_versions_text(report->lang, report->record->versions_offered);
        advise(report, vigie_words(report->lang, "diagnosis.advice.versions", "versions", versions, NULL));
    }
}

/* ---- The whole --------------------------------------------------------------------------------------- */
static json_t *glossary_of(const VigieRules *rules, const json_t *causes, VigieLang lang) {
    static const char *const members[] = {"term", "definition", "remember"};
    g_autoptr(json_t) seen = json_object();
    json_t *glossary = json_array(), *cause, *term;
    size_t i, k;
    json_array_foreach((json_t *)causes, i, cause) {
        json_array_foreach(json_object_get(cause, "terms"), k, term) {
            const char *id = json_string_value(term);
            const json_t *entry = json_object_get(rules->glossary, id);
            if (json_object_get(seen, id))
                continue;
            json_object_set_new(seen, id, json_true());
            json_t *item = json_pack("{s:s}", "id", id);
            for (size_t m = 0; m < G_N_ELEMENTS(members); m++)
                json_object_set_new(item, members[m],
                                    json_string(vigie_text_in(lang, json_object_get(entry, members[m]))));
            json_array_append_new(glossary, item);
        }
    }
    return glossary;
}

static bool is_healthy(const VigieRecord *record, size_t *ret_causes, size_t *ret_remarks) {
    *ret_causes = *ret_remarks = 0;
    for (size_t i = 0; i < record->finding_count; i++)
        ++*(record->findings[i].severity > VIGIE_SEVERITY_INFO ? ret_causes : ret_remarks);
    return *ret_causes == 0 && (record->outcome == VIGIE_OUTCOME_OK || *ret_remarks > 0);
}

static char *headline(VigieLang lang, bool healthy, size_t causes, size_t remarks) {
    const char *key = causes == 1    ? "diagnosis.headline.one"
                      : causes > 1   ? "diagnosis.headline.many"
                      : !healthy     ? "diagnosis.headline.interrupted"
                      : remarks == 0 ? "diagnosis.headline.healthy"
                      : remarks == 1 ? "diagnosis.headline.remark"
                                     : "diagnosis.headline.remarks";
    g_autofree char *n = g_strdup_printf("%zu", causes ? causes : remarks);
    return vigie_words(lang, key, "n", n, NULL);
}

static json_t *outcome_json(const VigieRecord *record) {
    const char *name = vigie_outcome_name(record->outcome);
    g_autofree char *whole =
        record->detail[0] ? g_strdup_printf("%s:%s", name, record->detail) : g_strdup(name);
    return json_string(whole);
}

/* How people name it: without the protocol. */
static char *target_name(const VigieTarget *target) {
    char *text = vigie_target_text(target);
    *strrchr(text, '/') = '\0';
    return text;
}

/* In a message to IT: with its name where it was called by its address, and the other way round. */
static char *target_in_full(const VigieRecord *record, const char *name) {
    const VigieTarget *target = &record->target;
    if (target->name && strcmp(target->name, target->host) != 0)
        return g_strdup_printf("%s (%s)", target->name, name);
    if (record->address[0] && strcmp(record->address, target->host) != 0)
        return g_strdup_printf("%s (%s)", name, record->address);
    return g_strdup(name);
}

json_t *record_diagnose(const VigieRules *rules, const VigieRecord *record, VigieLang lang, GTimeZone *zone,
                        VigieTime now) {
    Report report = {.record = record,
                     .lang = lang,
                     .zone = zone,
                     .now = now,
                     .checks = json_array(),
                     .advice = json_array()};
    if (record->chain && record->chain->count > 0)
        report.leaf = record->chain->certificates[0];
    size_t cause_count, remarks;
    bool healthy = is_healthy(record, &cause_count, &remarks);
    g_autofree char *head = headline(lang, healthy, cause_count, remarks),
                    *target = target_name(&record->target);
    g_autofree char *in_full = target_in_full(record, target);
    if (record->outcome == VIGIE_OUTCOME_OK)
        add_checks(&report);
    if (healthy)
        add_advice(&report);
    json_t *result = json_object(), *causes = rules_causes(rules, record, in_full, lang, zone, now);
    json_object_set_new(result, "target", json_string(target));
    json_object_set_new(result, "address", record->address[0] ? json_string(record->address) : json_null());
    json_object_set_new(result, "protocol", json_string(vigie_protocol_name(record->target.protocol)));
    json_object_set_new(result, "outcome", outcome_json(record));
    json_object_set_new(result, "healthy", json_boolean(healthy));
    json_object_set_new(result, "headline", json_string(head));
    json_object_set_new(result, "causes", causes);
    json_object_set_new(result, "checks", report.checks);
    json_object_set_new(result, "advice", report.advice);
    json_object_set_new(result, "glossary", glossary_of(rules, causes, lang));
    return result;
}
