/* page-case-notify: telling who is concerned: verified first, the contact found, the message read again, sent, followed. */
#include "csirt/notify.h"
#include "portal/page-case.h"
#include "portal/present.h"

#include <string.h>

static int64_t number(const Request *request, const char *name) {
    return g_ascii_strtoll(case_form(request, name), NULL, 10);
}

/* ---- The resource ------------------------------------------------------------------------------------------- */
RESOURCE(page_case_notify) {
    VigieAnalyst who = case_analyst(request);
    VigieStore *store = request->store;
    int64_t id = request->id;
    if (!case_desk(request, error))
        return NULL;
    g_autoptr(json_t) verifications = csirt_verification_list(store, &who, id, error);
    g_autoptr(json_t) contacts =
        verifications ? csirt_contacts_get(store, &who, id, request->now, error) : NULL;
    g_autoptr(json_t) notices = contacts ? csirt_notice_list(store, &who, id, request->now, error) : NULL;
    g_autoptr(json_t) obstacles = notices ? csirt_notice_obstacles(store, &who, id, error) : NULL;
    g_autoptr(json_t) follow = obstacles ? csirt_follow_get(store, &who, id, request->now, error) : NULL;
    return follow ? json_pack("{s:O, s:O, s:O, s:O, s:O}", "verifications", verifications, "contacts",
                              contacts, "notices", notices, "obstacles", obstacles, "follow", follow)
                  : NULL;
}

/* ---- Around every change ------------------------------------------------------------------------------------ */
typedef bool (*Work)(Request *request, const VigieAnalyst *who, GError **error);

static json_t *refused(Request *request, GError *failure, GError **error) {
    if (request->api || g_error_matches(failure, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND) ||
        g_error_matches(failure, VIGIE_ERROR, VIGIE_ERROR_INTERNAL)) {
        g_propagate_error(error, failure);
        return NULL;
    }
    json_t *item = page_case_notify(request, error);
    request->status = failure->code == VIGIE_ERROR_CONFLICT ? 409 : 400;
    request->here = g_strdup_printf("/cases/%" G_GINT64_FORMAT "/notify", request->id);
    g_autofree char *said = present_refusal(request->lang, failure->message);
    if (item)
        json_object_set_new(item, "problem",
                            json_pack("{s:s, s:s}", "text", vigie_word(request->lang, "desk.problem.invalid"),
                                      "detail", said));
    g_error_free(failure);
    return item;
}

static json_t *work(Request *request, Work function, const char *anchor, GError **error) {
    VigieAnalyst who = case_analyst(request);
    GError *failure = NULL;
    if (!case_desk(request, error))
        return NULL;
    if (!function(request, &who, &failure))
        return refused(request, failure, error);
    if (!request->go)
        request->go = g_strdup_printf("/cases/%" G_GINT64_FORMAT "/notify%s", request->id, anchor);
    return page_case_notify(request, error);
}

/* ---- Verification and contacts ------------------------------------------------------------------------------- */
static bool do_verify(Request *request, const VigieAnalyst *who, GError **error) {
    int64_t id = 0;
    bool finding = strcmp(case_form(request, "kind"), "finding") == 0;
    g_autoptr(json_t) fields =
        finding ? json_pack("{s:s, s:I}", "kind", "finding", "ref", (json_int_t)number(request, "ref"))
                : json_pack("{s:s, s:s, s:s}", "kind", "check", "outcome", case_form(request, "outcome"),
                            "method", case_form(request, "method"));
    return csirt_verification_add(request->store, request->portal->team, who, request->id, fields,
                                  request->now, &id, error);
}

RESOURCE(page_case_verify) {
    return work(request, do_verify, "#verification", error);
}

static bool do_search(Request *request, const VigieAnalyst *who, GError **error) {
    const char *domain = case_form(request, "domain");
    return csirt_contacts_request(request->store, who, request->id, *domain ? domain : NULL, request->now,
                                  error);
}

RESOURCE(page_case_contacts_search) {
    return work(request, do_search, "#contacts", error);
}

static json_t *fields_of(const Request *request, const char *const *names) {
    json_t *fields = json_object();
    for (; *names; names++)
        if (*case_form(request, *names))
            json_object_set_new(fields, *names, json_string(case_form(request, *names)));
    return fields;
}

static bool do_contact(Request *request, const VigieAnalyst *who, GError **error) {
    static const char *const names[] = {"kind", "value", "name", "language", "fingerprint", NULL};
    g_autoptr(json_t) fields = fields_of(request, names);
    int64_t id = 0;
    return csirt_contact_save(request->store, who, request->id, number(request, "contact"), fields,
                              request->now, &id, error);
}

RESOURCE(page_case_contact) {
    return work(request, do_contact, "#contacts", error);
}

static bool do_contact_decide(Request *request, const VigieAnalyst *who, GError **error) {
    return csirt_contact_decide(request->store, who, request->id, number(request, "contact"),
                                case_ticked(case_form(request, "good")), request->now, error);
}

RESOURCE(page_case_contact_decide) {
    return work(request, do_contact_decide, "#contacts", error);
}

/* ---- Notices ------------------------------------------------------------------------------------------------ */
/* Boxes "contacts.ID" in the order of the page, which is the order in which they are to be tried. */
static json_t *chosen_contacts(const Request *request, const VigieAnalyst *who) {
    g_autoptr(json_t) known = csirt_contacts_get(request->store, who, request->id, request->now, NULL);
    json_t *chosen = json_array(), *contact;
    size_t index;
    json_array_foreach(json_object_get(known, "contacts"), index, contact) {
        json_t *id = json_object_get(contact, "id");
        g_autofree char *field = g_strdup_printf("contacts.%" JSON_INTEGER_FORMAT, json_integer_value(id));
        if (request_form(request, field))
            json_array_append(chosen, id);
    }
    return chosen;
}

static bool do_draft(Request *request, const VigieAnalyst *who, GError **error) {
    static const char *const names[] = {"name", "language", "expected", NULL};
    g_autoptr(json_t) fields = fields_of(request, names), contacts = chosen_contacts(request, who);
    int64_t id = 0;
    if (json_array_size(contacts) > 0)
        json_object_set(fields, "contacts", contacts);
    if (number(request, "working_days") > 0)
        json_object_set_new(fields, "working_days", json_integer(number(request, "working_days")));
    return csirt_notice_draft(request->store, request->portal->config, request->portal->team, who,
                              request->id, fields, request->now, &id, error);
}

RESOURCE(page_case_notice) {
    return work(request, do_draft, "#notices", error);
}

/* A party of the case is told its part. */
static bool do_part(Request *request, const VigieAnalyst *who, GError **error) {
    static const char *const names[] = {"observed", "expected", NULL};
    g_autoptr(json_t) fields = fields_of(request, names);
    int64_t id = 0;
    return csirt_part_draft(request->store, request->portal->config, request->portal->team, who, request->id,
                            number(request, "party"), fields, request->now, &id, error);
}

RESOURCE(page_case_part) {
    return work(request, do_part, "#notices", error);
}

static bool do_notice_change(Request *request, const VigieAnalyst *who, GError **error) {
    static const char *const names[] = {"subject", "body", "expected", NULL};
    g_autoptr(json_t) fields = fields_of(request, names);
    return csirt_notice_change(request->store, who, number(request, "notice"), fields, request->now, error);
}

RESOURCE(page_case_notice_change) {
    return work(request, do_notice_change, "#notices", error);
}

static bool do_notice_confirm(Request *request, const VigieAnalyst *who, GError **error) {
    const char *reason = case_form(request, "reason");
    return csirt_notice_confirm(request->store, who, number(request, "notice"), *reason ? reason : NULL,
                                request->now, error);
}

RESOURCE(page_case_notice_confirm) {
    return work(request, do_notice_confirm, "#notices", error);
}

static bool do_notice_withdraw(Request *request, const VigieAnalyst *who, GError **error) {
    return csirt_notice_withdraw(request->store, who, number(request, "notice"), case_form(request, "reason"),
                                 request->now, error);
}

RESOURCE(page_case_notice_withdraw) {
    return work(request, do_notice_withdraw, "#notices", error);
}

static bool do_notice_outcome(Request *request, const VigieAnalyst *who, GError **error) {
    return csirt_notice_outcome(request->store, who, number(request, "notice"), case_form(request, "outcome"),
                                case_form(request, "note"), request->now, error);
}

RESOURCE(page_case_notice_outcome) {
    return work(request, do_notice_outcome, "#notices", error);
}

/* The code is shown once, to be said on the phone; the page is not kept. */
RESOURCE(page_case_notice_code) {
    VigieAnalyst who = case_analyst(request);
    g_autoptr(GError) failure = NULL;
    if (!case_desk(request, error))
        return NULL;
    g_autofree char *code =
        csirt_notice_code(request->store, &who, number(request, "notice"), request->now, &failure);
    if (!code)
        return refused(request, g_steal_pointer(&failure), error);
    g_autofree char *spelt = csirt_code_spell(request->lang, code);
    json_t *item = page_case_notify(request, error);
    request->here = g_strdup_printf("/cases/%" G_GINT64_FORMAT "/notify", request->id);
    if (item)
        json_object_set_new(item, "code", json_pack("{s:s, s:s}", "text", code, "spelt", spelt));
    return item;
}

static bool do_follow(Request *request, const VigieAnalyst *who, GError **error) {
    return csirt_follow_set(request->store, who, request->id, number(request, "days"), request->now, error);
}

RESOURCE(page_case_follow) {
    return work(request, do_follow, "#follow", error);
}

/* ---- The page ----------------------------------------------------------------------------------------------- */
static void present_key(const Request *request, json_t *contact) {
    json_t *key = json_object_get(contact, "key");
    if (json_is_object(key))
        case_present_word(request, key, "state", "desk.key.");
    const char *state = vigie_member_text(key, "state");
    json_object_set_new(contact, "key_mark", json_string(strcmp(state, "missing") == 0 ? "unknown" : state));
}

static void present_contacts(const Request *request, json_t *contacts) {
    size_t index;
    json_t *contact;
    json_array_foreach(json_object_get(contacts, "contacts"), index, contact) {
        case_present_word(request, contact, "kind", "csirt.contact.kind.");
        case_present_word(request, contact, "source", "csirt.contact.source.");
        json_object_set_new(contact, "undecided",
                            json_boolean(!json_is_string(json_object_get(contact, "confirmed")) &&
                                         !json_is_string(json_object_get(contact, "rejected"))));
        json_object_set_new(contact, "usable",
                            json_boolean(!json_is_string(json_object_get(contact, "rejected"))));
        json_object_set_new(contact, "web",
                            json_boolean(g_str_has_prefix(vigie_member_text(contact, "place"), "https://")));
        present_key(request, contact);
    }
    json_t *lookup = json_object_get(contacts, "lookup");
    case_present_word(request, lookup, "state", "desk.lookup.");
}

static const char *notice_mark(const char *state) {
    static const char *const marks[][2] = {{"draft", "soon"},    {"ready", "soon"},    {"waiting", "soon"},
                                           {"answered", "well"}, {"silent", "broken"}, {"blocked", "broken"}};
    for (size_t i = 0; i < G_N_ELEMENTS(marks); i++)
        if (strcmp(marks[i][0], state) == 0)
            return marks[i][1];
    return "unknown";
}

static void present_notice(Request *request, json_t *notice) {
    const char *state = vigie_member_text(notice, "state");
    VigieAnalyst who = case_analyst(request);
    VigieLang lang = request->lang;
    vigie_lang_parse(vigie_member_text(json_object_get(notice, "recipient"), "language"), &lang);
    g_autofree char *script =
        csirt_notice_script(request->store, request->portal->config, request->portal->team, &who,
                            json_integer_value(json_object_get(notice, "id")), lang, NULL);
    size_t index;
    json_t *rung;
    case_present_word(request, notice, "state", "csirt.notice.state.");
    case_present_word(request, notice, "kind", "csirt.notice.kind.");
    json_object_set_new(notice, "mark", json_string(notice_mark(state)));
    json_object_set_new(notice, "draft", json_boolean(strcmp(state, "draft") == 0));
    json_object_set_new(notice, "told",
                        json_boolean(strcmp(state, "waiting") == 0 || strcmp(state, "silent") == 0));
    json_object_set_new(notice, "over",
                        json_boolean(strcmp(state, "answered") == 0 || strcmp(state, "withdrawn") == 0));
    json_object_set_new(notice, "why_text",
                        json_string(vigie_text_in(request->lang, json_object_get(notice, "why"))));
    json_object_set_new(notice, "script", json_string(script ? script : ""));
    json_array_foreach(json_object_get(notice, "ladder"), index, rung) {
        case_present_word(request, rung, "rung", "csirt.rung.");
        case_present_word(request, rung, "state", "desk.rung.");
    }
}

static void present_texts(const Request *request, json_t *list) {
    size_t index;
    json_t *item;
    json_array_foreach(list, index, item) {
        json_object_set_new(item, "text_text",
                            json_string(vigie_text_in(request->lang, json_object_get(item, "text"))));
    }
}

/* What the case is linked to, and who takes part: for the forms. */
static bool add_case(Request *request, json_t *view, GError **error) {
    g_autoptr(json_t) item = page_case(request, error);
    json_t *findings = json_array(), *link, *parties = json_object_get(item, "parties"), *party;
    size_t index;
    json_array_foreach(json_object_get(item, "links"), index, link) {
        if (strcmp(vigie_member_text(link, "kind"), "finding") == 0)
            json_array_append(findings, link);
    }
    json_array_foreach(parties, index, party) {
        case_present_word(request, party, "role", "csirt.role.");
    }
    json_object_set_new(view, "linked_findings", findings);
    json_object_set(view, "parties", parties);
    json_object_set_new(view, "about_vulnerability",
                        json_boolean(strcmp(vigie_member_text(item, "kind"), "vulnerability") == 0));
    return item != NULL;
}

DRESS(dress_case_notify) {
    static const char *const outcomes[] = {"present", "absent", "undecided", NULL};
    static const char *const called[] = {"reached", "answered", "no-answer", "wrong-number", NULL};
    static const char *const expected[] = {"feedback", "acknowledgement", NULL};
    static const char *const languages[] = {"fr", "en", "both", NULL};
    static const char *const kinds[] = {"mail", "phone", "page", "private", NULL};
    VigieAnalyst who = case_analyst(request);
    size_t index;
    json_t *item;
    if (!case_present_head(request, view, error) || !add_case(request, view, error))
        return false;
    present_contacts(request, json_object_get(view, "contacts"));
    json_array_foreach(json_object_get(view, "notices"), index, item) {
        present_notice(request, item);
    }
    json_array_foreach(json_object_get(view, "verifications"), index, item) {
        case_present_word(request, item, "outcome", "csirt.verification.");
    }
    present_texts(request, json_object_get(view, "obstacles"));
    json_t *follow = json_object_get(view, "follow");
    json_object_set_new(follow, "said",
                        json_string(vigie_text_in(request->lang, json_object_get(follow, "text"))));
    json_object_set_new(view, "blocked",
                        json_boolean(json_array_size(json_object_get(view, "obstacles")) > 0));
    json_object_set_new(
        view, "any_contact",
        json_boolean(json_array_size(json_object_get(json_object_get(view, "contacts"), "contacts")) > 0));
    json_object_set_new(view, "head", json_boolean(who.head));
    json_object_set_new(view, "outcomes", present_options(request, "csirt.verification.", outcomes, NULL));
    json_object_set_new(view, "called", present_options(request, "desk.called.", called, NULL));
    json_object_set_new(view, "expecteds", present_options(request, "desk.expected.", expected, NULL));
    json_object_set_new(view, "languages", present_options(request, "desk.language.", languages, NULL));
    json_object_set_new(view, "contact_kinds", present_options(request, "csirt.contact.kind.", kinds, NULL));
    return true;
}
