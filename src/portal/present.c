#include "portal/present.h"
#include "portal/authorities.h"
#include "portal/router.h"

#include <string.h>

/* Members whose values are words of a catalogue: prefix + value is the key. */
static const struct {
    const char *member, *prefix;
} enums[] = {
    {"state", "fleet.state."},       {"state", "fleet.life."},         {"state", "request.state."},
    {"severity", "fleet.severity."}, {"role", "portal.role."},         {"scope", "portal.scope."},
    {"action", "portal.action."},    {"depth", "portal.depth."},       {"protocol", "protocol."},
    {"verdict", "portal.verdict."},  {"language", "portal.language."}, {"member", "portal.member."},
};

/* Members whose values the fleet's own knowledge names. */
static const struct {
    const char *member, *list;
} kinds[] = {{"class", "classes"}, {"owner", "owners"}, {"criticality", "criticalities"}};

/* Members that are seconds. */
static const char *const durations[] = {"clock_offset", "seconds_left"};

static void set_text(json_t *object, const char *member, const char *end, const char *text) {
    g_autofree char *name = g_strconcat(member, "_", end, NULL);
    json_object_set_new(object, name, json_string(text));
}

static const char *word_of(VigieLang lang, const char *prefix, const char *value) {
    g_autofree char *key = g_strconcat(prefix, value, NULL);
    const char *word = vigie_word(lang, key);
    return strcmp(word, key) == 0 ? NULL : word;
}

static const char *kind_name(VigieLang lang, const char *list, const char *id) {
    size_t index;
    json_t *entry;
    json_array_foreach(json_object_get(fleet_classes(NULL), list), index, entry) {
        if (strcmp(json_string_value(json_object_get(entry, "id")), id) == 0)
            return vigie_text_in(lang, entry);
    }
    return id;
}

static void present_enum(const Request *request, json_t *object, const char *member, const char *prefix,
                         const json_t *value) {
    const char *text = json_string_value(value);
    if (!text && !json_is_null(value))
        return;
    const char *word =
        text ? word_of(request->lang, prefix, text) : vigie_word(request->lang, "portal.not-said");
    g_autofree char *name = g_strconcat(member, "_text", NULL);
    if (word || !json_object_get(object, name)) /* an enum may have its words in several places */
        json_object_set_new(object, name, json_string(word ? word : text));
}

static bool is_time(const char *text) {
    return strlen(text) == 20 && text[4] == '-' && text[10] == 'T' && text[19] == 'Z';
}

static void present_time(const Request *request, json_t *object, const char *member, const char *text) {
    VigieTime time;
    if (!is_time(text) || !vigie_time_parse_rfc3339(text, &time, NULL))
        return;
    GTimeZone *zone = request->portal->zone;
    g_autofree char *when = vigie_when_text(request->lang, zone, time, request->now);
    g_autofree char *day = vigie_date_text(request->lang, zone, time);
    g_autofree char *full = vigie_date_time_text(request->lang, zone, time);
    g_autofree char *in = g_strndup(when, strcspn(when, "("));
    set_text(object, member, "when", when);
    set_text(object, member, "in", g_strchomp(in));
    set_text(object, member, "day", day);
    set_text(object, member, "full", full);
    g_autofree char *past = g_strconcat(member, "_past", NULL);
    json_object_set_new(object, past, json_boolean(time <= request->now));
}

/* "alert:handshake_failure": the sentence of its first part, and the detail, which may be a clause of a norm. */
static void present_outcome(const Request *request, json_t *object, const char *outcome) {
    const char *colon = strchr(outcome, ':');
    g_autofree char *name = colon ? g_strndup(outcome, (gsize)(colon - outcome)) : g_strdup(outcome);
    const char *word = word_of(request->lang, "portal.outcome.", name);
    set_text(object, "outcome", "text", word ? word : name);
    g_autofree char *detail = vigie_said(request->lang, colon ? colon + 1 : "");
    set_text(object, "outcome", "detail", detail);
    json_object_set_new(object, "outcome_well", json_boolean(strcmp(name, "ok") == 0));
}

/* "CN=AC Équipements CHU,O=CHU,C=FR" is known by its first name; a comma within it is written "\\,". */
static void present_issuer(json_t *object, const char *issuer) {
    const char *start = g_str_has_prefix(issuer, "CN=") ? issuer + 3 : issuer, *end = start;
    while (*end && (*end != ',' || (end > start && end[-1] == '\\')))
        end++;
    json_object_set_new(object, "issuer_name",
                        json_stringn(start, start == issuer ? strlen(issuer) : (size_t)(end - start)));
}

static void present_finding(const Request *request, json_t *object) {
    const char *kind = json_string_value(json_object_get(object, "kind"));
    const char *severity_name = json_string_value(json_object_get(object, "severity"));
    VigieSeverity severity;
    if (!kind || !severity_name || !vigie_severity_parse(severity_name, &severity))
        return;
    json_t *explained =
        record_explain(request->portal->rules, kind, severity, json_object_get(object, "evidence"),
                       request->lang, request->portal->zone, request->now);
    if (!explained)
        return;
    json_object_set_new(object, "first_action",
                        json_incref(json_array_get(json_object_get(explained, "action"), 0)));
    json_object_set_new(object, "explained", explained);
    json_object_set_new(
        object, "active",
        json_boolean(g_strcmp0(json_string_value(json_object_get(object, "state")), "mended") != 0));
}

static void present_kind(const Request *request, json_t *object, const char *kind) {
    const char *event = word_of(request->lang, "fleet.event.", kind);
    const char *word = event ? event : word_of(request->lang, "fleet.alarm.", kind);
    const json_t *details = json_object_get(object, "details");
    const char *finding = json_string_value(json_object_get(details, "finding"));
    set_text(object, "kind", "text",
             word ? word : record_finding_title(request->portal->rules, kind, request->lang));
    if (finding)
        set_text(object, "finding", "text",
                 record_finding_title(request->portal->rules, finding, request->lang));
}

static void present_member(const Request *request, json_t *object, const char *member, const json_t *value) {
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (strcmp(member, kinds[i].member) == 0 && (json_is_string(value) || json_is_null(value)))
            set_text(object, member, "text",
                     json_is_null(value) ? vigie_word(request->lang, "portal.not-said")
                                         : kind_name(request->lang, kinds[i].list, json_string_value(value)));
    for (size_t i = 0; i < G_N_ELEMENTS(enums); i++)
        if (strcmp(member, enums[i].member) == 0)
            present_enum(request, object, member, enums[i].prefix, value);
    for (size_t i = 0; i < G_N_ELEMENTS(durations); i++)
        if (strcmp(member, durations[i]) == 0 && json_is_integer(value)) {
            g_autofree char *text = vigie_duration_text(request->lang, json_integer_value(value));
            set_text(object, member, "text", text);
        }
    if (json_is_string(value))
        present_time(request, object, member, json_string_value(value));
    if (strcmp(member, "outcome") == 0 && json_is_string(value))
        present_outcome(request, object, json_string_value(value));
    if (strcmp(member, "issuer") == 0 && json_is_string(value))
        present_issuer(object, json_string_value(value));
    if (strcmp(member, "kind") == 0 && json_is_string(value))
        present_kind(request, object, json_string_value(value));
    if (strcmp(member, "authority") == 0 && json_is_string(value)) {
        g_autofree char *title = authorities_title(request, json_string_value(value));
        set_text(object, member, "title", title);
    }
}

static void present_object(const Request *request, json_t *object) {
    g_autoptr(json_t) facts = json_copy(object); /* members are added while we walk */
    const char *member;
    json_t *value;
    json_object_foreach(facts, member, value) {
        present_member(request, object, member, value);
        present(request, value);
    }
    present_finding(request, object);
}

void present(const Request *request, json_t *value) {
    size_t index;
    json_t *element;
    if (json_is_object(value))
        present_object(request, value);
    json_array_foreach(value, index, element) {
        present(request, element);
    }
}

/* ---- The frame ---------------------------------------------------------------------------------------------- */
static const struct {
    const char *path, *word;
    May may;
} places[] = {
    {"/", "portal.nav.dashboard", MAY_READ},
    {"/devices", "portal.nav.devices", MAY_READ},
    {"/endpoints", "portal.nav.endpoints", MAY_READ},
    {"/findings?state=active", "portal.nav.findings", MAY_READ},
    {"/alarms", "portal.nav.alarms", MAY_READ},
    {"/certificates", "portal.nav.certificates", MAY_READ},
    {"/surveys", "portal.nav.surveys", MAY_READ},
    {"/cases", "desk.nav", MAY_CASE},
    {"/requests", "portal.nav.requests", MAY_READ},
    {"/organisations", "portal.nav.organisations", MAY_READ},
    {"/accounts", "keep.accounts", MAY_ACCOUNTS},
    {"/audit", "portal.nav.audit", MAY_AUDIT},
};

/* Enrolments and what was issued are reached from the requests, imports from the devices, a contact from its
 * organisation. */
static const char *reached_from(const char *path) {
    if (g_str_has_prefix(path, "/imports"))
        return "/devices";
    if (g_str_has_prefix(path, "/contacts"))
        return "/organisations";
    return g_str_has_prefix(path, "/enrolments") || g_str_has_prefix(path, "/issued") ? "/requests" : path;
}

static json_t *navigation(const Request *request) {
    json_t *items = json_array();
    for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
        bool desk = places[i].may == MAY_CASE; /* its cases are nobody's organisation's */
        bool registers = strcmp(places[i].path, "/requests") == 0;
        if (!(request->reader.may & (1U << places[i].may)) ||
            (desk && (!request->portal->team || request->reader.organisation)) ||
            (registers && !authorities_any(request)))
            continue;
        gsize size = strcspn(places[i].path, "?");
        const char *path = reached_from(request->path);
        bool here =
            size == 1 ? strcmp(path, "/") == 0
                      : strncmp(path, places[i].path, size) == 0 && (path[size] == '\0' || path[size] == '/');
        json_array_append_new(items, json_pack("{s:s, s:s, s:b}", "path", places[i].path, "label",
                                               vigie_word(request->lang, places[i].word), "here", here));
    }
    return items;
}

static const char *asset_tag(const Request *request, const char *name) {
    const Asset *asset = g_hash_table_lookup(request->portal->assets, name);
    return asset->tag;
}

char *present_refusal(VigieLang lang, const char *message) {
    g_autofree char *said = lang == VIGIE_EN ? NULL : vigie_refusal(lang, message, "desk.member.");
    if (!said || !*said)
        return g_utf8_make_valid(message, -1);
    g_autofree char *first = g_utf8_strup(said, g_utf8_next_char(said) - said); /* a sentence on a page */
    return g_strconcat(first, g_utf8_next_char(said), NULL);
}

/* On each page, until what they issued has ended: nothing of it is accepted any more. */
static json_t *revoked_authorities(const Request *request) {
    g_autoptr(json_t) list = pki_authority_revoked(request->store, request->now, NULL);
    json_t *texts = json_array(), *one;
    size_t index;
    json_array_foreach(list, index, one) {
        const char *next = json_string_value(json_object_get(one, "successor"));
        g_autofree char *successor = next ? authorities_title(request, next) : NULL;
        VigieTime at = 0;
        vigie_time_parse_rfc3339(json_string_value(json_object_get(one, "revoked")), &at, NULL);
        g_autofree char *when = vigie_date_time_text(request->lang, request->portal->zone, at);
        g_autofree char *text = vigie_words(
            request->lang, successor ? "portal.revoked.succeeded" : "portal.revoked", "title",
            json_string_value(json_object_get(one, "title")), "when", when, "successor", successor, NULL);
        json_array_append_new(texts, json_string(text));
    }
    return texts;
}

json_t *present_frame(const Request *request, const char *title) {
    bool authorities = authorities_any(request);
    VigieLang other = request->lang == VIGIE_FR ? VIGIE_EN : VIGIE_FR;
    bool post = strcmp(request->method, "POST") == 0; /* whose address cannot be asked for again */
    g_autofree char *page =
        request->here ? g_strdup(request->here)
        : post ? g_strconcat("/", request->route && request->route->page ? request->route->page : "", NULL)
               : g_strdup(request->path);
    g_autofree char *switch_link = request_link(request, page, "lang", vigie_lang_code(other), NULL);
    g_autofree char *now = vigie_date_time_text(request->lang, request->portal->zone, request->now);
    json_t *frame =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:b, s:b, s:b, s:b}", "title",
                  title, "site", request->portal->site, "lang", vigie_lang_code(request->lang), "other_lang",
                  vigie_lang_code(other), "other_link", switch_link, "now", now, "style",
                  asset_tag(request, "style.css"), "script", asset_tag(request, "script.js"), "icon",
                  asset_tag(request, "icon.svg"), "may_act", (request->reader.may & (1U << MAY_ACT)) != 0,
                  "may_register", (request->reader.may & (1U << MAY_REGISTER)) != 0, "may_keep",
                  (request->reader.may & (1U << MAY_KEEP)) != 0, "certificates",
                  (request->reader.may & (1U << MAY_REGISTER)) != 0 && authorities, "confined",
                  request->reader.organisation != 0, "authorities", authorities);
    if (request->reader.account) {
        g_autofree char *role = g_strconcat("portal.role.", portal_role_name(request->reader.role), NULL);
        json_object_set_new(
            frame, "user",
            json_pack("{s:s, s:s}", "name", request->reader.name, "role", vigie_word(request->lang, role)));
        json_object_set_new(frame, "nav", navigation(request));
        bool case_worker = request->portal->team && !request->reader.organisation &&
                           (request->reader.may & (1U << MAY_CASE)) != 0;
        json_object_set_new(frame, "may_case", json_boolean(case_worker));
        json_object_set_new(frame, "desk", json_boolean(g_str_has_prefix(request->path, "/cases")));
        const char *q = strcmp(request->path, "/search") == 0 ? request_query(request, "q") : NULL;
        json_object_set_new(frame, "q", json_string(q ? q : ""));
    }
    if (request->reader.account && authorities)
        json_object_set_new(frame, "revoked", revoked_authorities(request));
    if (request->reader.csrf)
        json_object_set_new(frame, "csrf", json_string(request->reader.csrf));
    return frame;
}

static char *page_title(const Request *request, const char *name, const json_t *view) {
    const char *own = json_string_value(json_object_get(view, "title"));
    g_autofree char *key = g_strconcat("portal.title.", name, NULL);
    return own ? g_strdup(own) : g_strdup(vigie_word(request->lang, key));
}

bool present_page(Request *request, const char *name, json_t *data, GError **error) {
    if (!json_is_object(data)) { /* a text that is not UTF-8 was packed into it */
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL, "page %s: there is nothing to show", name);
        return false;
    }
    g_autofree char *title = page_title(request, name, data);
    json_t *frame = present_frame(request, title);
    json_object_set_new(data, "v", frame);
    g_autoptr(GString) main = g_string_new(NULL);
    const VigieTemplates *templates = request->portal->templates;
    if (!document_templates_render(templates, name, request->lang, data, main, error))
        return false;
    json_object_set_new(frame, "main", json_stringn(main->str, main->len));
    json_object_set(frame, "refresh", json_object_get(data, "refresh"));
    g_string_truncate(request->answer, 0);
    request->type = "text/html; charset=utf-8";
    return document_templates_render(templates, "layout", request->lang, data, request->answer, error);
}

static void add_option(json_t *options, const char *value, const char *label, const char *selected) {
    json_array_append_new(options, json_pack("{s:s, s:s, s:b}", "value", value, "label", label, "selected",
                                             g_strcmp0(value, selected) == 0));
}

json_t *present_options(const Request *request, const char *prefix, const char *const *values,
                        const char *selected) {
    json_t *options = json_array();
    for (; *values; values++) {
        const char *word = word_of(request->lang, prefix, *values);
        add_option(options, *values, word ? word : *values, selected);
    }
    return options;
}

json_t *present_kinds(const Request *request, const char *list, const char *selected) {
    json_t *options = json_array(), *entry;
    size_t index;
    json_array_foreach(json_object_get(fleet_classes(NULL), list), index, entry) {
        add_option(options, json_string_value(json_object_get(entry, "id")),
                   vigie_text_in(request->lang, entry), selected);
    }
    return options;
}

json_t *present_organisations(const Request *request, const char *selected, GError **error) {
    const VigieFleetFilter filter = {.organisation = request->reader.organisation,
                                     .page_size = FLEET_PAGE_SIZE_MAX};
    g_autoptr(json_t) found = fleet_organisation_list(request->store, &filter, request->now, error);
    json_t *options = found ? json_array() : NULL, *item;
    size_t index;
    json_array_foreach(json_object_get(found, "items"), index, item) {
        g_autofree char *id =
            g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(item, "id")));
        add_option(options, id, json_string_value(json_object_get(item, "name")), selected);
    }
    return options;
}
