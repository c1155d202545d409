/* vigie case contacts, contact, decide, verify, verify-finding, notify, tell, notices, notice, confirm, withdraw, outcome, script,
 * code, follow: who is told, and what came of it. */
#include "cli/case.h"
#include "csirt/notify.h"

#include <stdio.h>
#include <string.h>

static const char *word(const CaseCall *call, const char *group, const char *name) {
    g_autofree char *key = g_strdup_printf("csirt.%s.%s", group, name);
    const char *text = vigie_word(call->lang, key);
    return strcmp(text, key) == 0 ? name : text;
}

static json_t *fields_new(const CaseCall *call) {
    json_t *fields = json_pack("{s:s*, s:s*, s:s*, s:s*, s:s*, s:s*, s:s*}", "observed", call->observed,
                               "advice", call->advice, "expected", call->expected, "language", call->language,
                               "target", call->target, "name", call->name, "fingerprint", call->fingerprint);
    if (call->days > 0)
        json_object_set_new(fields, "working_days", json_integer(call->days));
    return fields;
}

/* ---- Contacts --------------------------------------------------------------------------------------------------- */
static void print_contacts(const CaseCall *call, const json_t *value) {
    const json_t *contacts = json_object_get(value, "contacts"), *keys = json_object_get(value, "keys");
    for (size_t i = 0; i < json_array_size(contacts); i++) {
        const json_t *one = json_array_get(contacts, i);
        const char *mark = json_is_string(json_object_get(one, "rejected"))    ? "-"
                           : json_is_string(json_object_get(one, "confirmed")) ? "+"
                                                                               : " ";
        printf("%s %5" JSON_INTEGER_FORMAT " %3" JSON_INTEGER_FORMAT "  %s  %s  (%s, %s)\n", mark,
               json_integer_value(json_object_get(one, "id")),
               json_integer_value(json_object_get(one, "confidence")), case_text(one, "value"),
               case_text(one, "name"), word(call, "contact.source", case_text(one, "source")),
               case_text(one, "place"));
    }
    for (size_t i = 0; i < json_array_size(keys); i++) {
        const json_t *one = json_array_get(keys, i);
        printf("  %s  %s  %s\n", case_text(one, "fingerprint"), case_text(one, "state"),
               case_text(one, "uri"));
    }
}

static bool contacts(CaseCall *call, GError **error) {
    int64_t id = 0;
    if (!case_of(call, &id, error) ||
        (call->ask && !csirt_contacts_request(call->store, &call->who, id, call->domain, call->now, error)))
        return false;
    return case_show(call, csirt_contacts_get(call->store, &call->who, id, call->now, error), print_contacts);
}

static bool contact(CaseCall *call, GError **error) {
    int64_t id = 0;
    g_autoptr(json_t) fields = fields_new(call);
    json_object_set_new(fields, "kind", json_string(call->rest[1]));
    json_object_set_new(fields, "value", json_string(call->rest[2]));
    return case_of(call, &id, error) &&
           csirt_contact_save(call->store, &call->who, id, 0, fields, call->now, NULL, error) &&
           case_show(call, csirt_contacts_get(call->store, &call->who, id, call->now, error), print_contacts);
}

static bool decide(CaseCall *call, GError **error) {
    int64_t id = 0, which = 0;
    return case_of(call, &id, error) && case_number(call->rest[1], &which, error) &&
           csirt_contact_decide(call->store, &call->who, id, which, !call->reject, call->now, error) &&
           case_show(call, csirt_contacts_get(call->store, &call->who, id, call->now, error), print_contacts);
}

/* ---- Verification ------------------------------------------------------------------------------------------------ */
static void print_verifications(const CaseCall *call, const json_t *value) {
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *one = json_array_get(value, i);
        printf("%s  %s  %s  %s  %s\n", case_text(one, "time"),
               word(call, "verification", case_text(one, "outcome")), case_text(one, "target"),
               case_text(one, "method"), case_text(one, "author"));
    }
}

static bool add_verification(CaseCall *call, const json_t *fields, GError **error) {
    int64_t id = 0;
    return case_of(call, &id, error) &&
           csirt_verification_add(call->store, call->team, &call->who, id, fields, call->now, NULL, error) &&
           case_show(call, csirt_verification_list(call->store, &call->who, id, error), print_verifications);
}

static bool verify(CaseCall *call, GError **error) {
    g_autoptr(json_t) fields = fields_new(call);
    json_object_set_new(fields, "kind", json_string("check"));
    json_object_set_new(fields, "outcome", json_string(call->rest[1]));
    json_object_set_new(fields, "method", json_string(call->rest[2]));
    return add_verification(call, fields, error);
}

static bool verify_finding(CaseCall *call, GError **error) {
    int64_t finding = 0;
    if (!case_number(call->rest[1], &finding, error))
        return false;
    g_autoptr(json_t) fields = json_pack("{s:s, s:I}", "kind", "finding", "ref", (json_int_t)finding);
    return add_verification(call, fields, error);
}

/* ---- Notices ------------------------------------------------------------------------------------------------------- */
static void print_ladder(const CaseCall *call, const json_t *value) {
    const json_t *ladder = json_object_get(value, "ladder");
    for (size_t i = 0; i < json_array_size(ladder); i++) {
        const json_t *rung = json_array_get(ladder, i);
        printf("  %s %s, %s, %" JSON_INTEGER_FORMAT "\n", word(call, "rung", case_text(rung, "rung")),
               case_text(rung, "value"), word(call, "rung", case_text(rung, "state")),
               json_integer_value(json_object_get(rung, "tries")));
    }
}

static void print_notice(const CaseCall *call, const json_t *value) {
    const json_t *obstacles = json_object_get(value, "obstacles");
    printf("%" JSON_INTEGER_FORMAT "  %s  %s  %s\n", json_integer_value(json_object_get(value, "id")),
           word(call, "notice.kind", case_text(value, "kind")),
           word(call, "notice.state", case_text(value, "state")), case_text(value, "subject"));
    print_ladder(call, value);
    for (size_t i = 0; i < json_array_size(obstacles); i++)
        printf("! %s\n", vigie_text_in(call->lang, json_object_get(json_array_get(obstacles, i), "text")));
    if (json_is_object(json_object_get(value, "why")))
        printf("! %s\n", vigie_text_in(call->lang, json_object_get(value, "why")));
    if (obstacles)
        printf("\n%s\n", case_text(value, "body"));
}

static void print_notices(const CaseCall *call, const json_t *value) {
    for (size_t i = 0; i < json_array_size(value); i++)
        print_notice(call, json_array_get(value, i));
}

static bool show_notice(CaseCall *call, int64_t id, GError **error) {
    return case_show(call, csirt_notice_get(call->store, &call->who, id, call->now, error), print_notice);
}

static bool notify(CaseCall *call, GError **error) {
    int64_t id = 0, notice_id = 0;
    g_autoptr(json_t) fields = fields_new(call);
    return case_of(call, &id, error) &&
           csirt_notice_draft(call->store, call->settings, call->team, &call->who, id, fields, call->now,
                              &notice_id, error) &&
           show_notice(call, notice_id, error);
}

static bool tell(CaseCall *call, GError **error) {
    int64_t id = 0, party = 0, notice_id = 0;
    g_autoptr(json_t) fields = fields_new(call);
    return case_of(call, &id, error) && case_number(call->rest[1], &party, error) &&
           csirt_part_draft(call->store, call->settings, call->team, &call->who, id, party, fields, call->now,
                            &notice_id, error) &&
           show_notice(call, notice_id, error);
}

static bool notices(CaseCall *call, GError **error) {
    int64_t id = 0;
    return case_of(call, &id, error) &&
           case_show(call, csirt_notice_list(call->store, &call->who, id, call->now, error), print_notices);
}

static bool notice(CaseCall *call, GError **error) {
    int64_t id = 0;
    return case_number(call->rest[0], &id, error) && show_notice(call, id, error);
}

static bool confirm(CaseCall *call, GError **error) {
    int64_t id = 0;
    return case_number(call->rest[0], &id, error) &&
           csirt_notice_confirm(call->store, &call->who, id, call->reason, call->now, error) &&
           show_notice(call, id, error);
}

static bool withdraw(CaseCall *call, GError **error) {
    int64_t id = 0;
    return case_number(call->rest[0], &id, error) &&
           csirt_notice_withdraw(call->store, &call->who, id, call->reason, call->now, error) &&
           show_notice(call, id, error);
}

static bool outcome(CaseCall *call, GError **error) {
    int64_t id = 0;
    return case_number(call->rest[0], &id, error) &&
           csirt_notice_outcome(call->store, &call->who, id, call->rest[1], call->note, call->now, error) &&
           show_notice(call, id, error);
}

static bool script(CaseCall *call, GError **error) {
    int64_t id = 0;
    g_autofree char *text =
        case_number(call->rest[0], &id, error)
            ? csirt_notice_script(call->store, call->settings, call->team, &call->who, id, call->lang, error)
            : NULL;
    if (text)
        printf("%s\n", text);
    return text != NULL;
}

static bool code(CaseCall *call, GError **error) {
    int64_t id = 0;
    g_autofree char *text = case_number(call->rest[0], &id, error)
                                ? csirt_notice_code(call->store, &call->who, id, call->now, error)
                                : NULL;
    g_autofree char *spelt = text ? csirt_code_spell(call->lang, text) : NULL;
    if (text)
        printf("%s\n%s\n", text, spelt);
    return text != NULL;
}

/* ---- Follow-up ------------------------------------------------------------------------------------------------------- */
static void print_follow(const CaseCall *call, const json_t *value) {
    const json_t *findings = json_object_get(value, "findings");
    printf("%s\n", vigie_text_in(call->lang, json_object_get(value, "text")));
    for (size_t i = 0; i < json_array_size(findings); i++) {
        const json_t *one = json_array_get(findings, i);
        printf("  %s  %s  %s  %s\n", case_text(one, "kind"), case_text(one, "target"),
               case_text(one, "state"), case_text(one, "last_seen"));
    }
}

static bool follow(CaseCall *call, GError **error) {
    int64_t id = 0;
    return case_of(call, &id, error) &&
           (call->every == 0 ||
            csirt_follow_set(call->store, &call->who, id, call->every, call->now, error)) &&
           case_show(call, csirt_follow_get(call->store, &call->who, id, call->now, error), print_follow);
}

const CaseCommand case_notify_commands[] = {
    {"contacts", contacts, "REF [--ask] [--domain DOMAIN]"},
    {"contact", contact,
     "REF mail|phone|page|private VALUE [--name NAME] [--fingerprint HEX] [--language LANG]"},
    {"decide", decide, "REF CONTACT [--reject]"},
    {"verify", verify, "REF present|absent|undecided METHOD [--target TEXT]"},
    {"verify-finding", verify_finding, "REF FINDING"},
    {"notify", notify,
     "REF [--observed TEXT] [--advice TEXT] [--expected WHAT] [--language LANG] [--days N]"},
    {"tell", tell, "REF PARTY [--observed TEXT] [--expected WHAT] [--language LANG]"},
    {"notices", notices, "REF"},
    {"notice", notice, "NOTICE"},
    {"confirm", confirm, "NOTICE [--reason TEXT]"},
    {"withdraw", withdraw, "NOTICE [--reason TEXT]"},
    {"outcome", outcome, "NOTICE reached|answered|no-answer|wrong-number [--note TEXT]"},
    {"script", script, "NOTICE"},
    {"code", code, "NOTICE"},
    {"follow", follow, "REF [--every N]"},
    {0},
};
