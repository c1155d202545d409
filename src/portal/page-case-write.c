/* page-case-write: a letter to one party, looked at exactly as it would leave before it does; a call noted. */
#include "csirt/letter.h"
#include "portal/page-case.h"
#include "portal/present.h"

#include <string.h>

/* Of the form, else of the address. */
static const char *given(const Request *request, const char *name) {
    const char *typed = request_form(request, name), *asked = request_query(request, name);
    return typed ? typed : asked ? asked : "";
}

/* ---- To whom ------------------------------------------------------------------------------------------------ */
/* Whom the address names; else the declarant; else whoever has the receipt. */
static json_t *chosen_party(const Request *request, const json_t *item) {
    const char *asked = given(request, "party");
    int64_t id = g_ascii_strtoll(asked, NULL, 10);
    size_t index;
    json_t *party, *declarant = NULL;
    json_array_foreach(json_object_get(item, "parties"), index, party) {
        if (*asked && json_integer_value(json_object_get(party, "id")) == id)
            return party;
        if (strcmp(vigie_member_text(party, "role"), "declarant") == 0 && !declarant)
            declarant = party;
    }
    return *asked ? NULL : declarant;
}

static json_t *party_options(const Request *request, const json_t *item, const json_t *chosen) {
    json_t *options = json_array(), *party;
    size_t index;
    json_array_foreach(json_object_get(item, "parties"), index, party) {
        g_autofree char *key = g_strconcat("csirt.role.", vigie_member_text(party, "role"), NULL);
        g_autofree char *label =
            g_strdup_printf("%s (%s)", vigie_member_text(party, "name"), vigie_word(request->lang, key));
        json_array_append_new(options, json_pack("{s:O, s:s, s:b}", "value", json_object_get(party, "id"),
                                                 "label", label, "selected", party == chosen));
    }
    json_array_append_new(options, json_pack("{s:i, s:s, s:b}", "value", 0, "label",
                                             vigie_word(request->lang, "desk.write.receipt"), "selected",
                                             chosen == NULL));
    return options;
}

/* ---- With what ---------------------------------------------------------------------------------------------- */
static const json_t *chosen_text(const Request *request) {
    const char *asked = given(request, "canned");
    size_t index;
    json_t *text;
    json_array_foreach(csirt_canned(NULL), index, text) {
        if (strcmp(vigie_member_text(text, "id"), *asked ? asked : "blank") == 0)
            return text;
    }
    return NULL;
}

static json_t *text_options(const Request *request, const json_t *chosen) {
    json_t *options = json_array(), *text;
    size_t index;
    json_array_foreach(csirt_canned(NULL), index, text) {
        json_array_append_new(options,
                              json_pack("{s:s, s:s, s:b}", "value", vigie_member_text(text, "id"), "label",
                                        vigie_text_in(request->lang, json_object_get(text, "title")),
                                        "selected", text == chosen));
    }
    return options;
}

static VigieLang language(const Request *request, const json_t *party) {
    VigieLang lang = request->lang;
    if (!vigie_lang_parse(given(request, "in"), &lang) &&
        !vigie_lang_parse(vigie_member_text(party, "language"), &lang))
        vigie_lang_parse(vigie_member_text(csirt_team_json(request->portal->team), "language"), &lang);
    return lang;
}

/* What was typed, or what the chosen text says of this case. */
static void add_text(const Request *request, json_t *view, const json_t *party, const json_t *canned,
                     const char *member, const char *part, VigieLang lang) {
    g_autofree char *filled =
        request_form(request, member)
            ? g_strdup(case_form(request, member))
            : csirt_canned_fill(vigie_text_in(lang, json_object_get(canned, part)), view, party,
                                request->portal->team, request->reader.name, lang, request->portal->zone);
    g_autofree char *name = g_strconcat("letter_", part, NULL);
    json_object_set_new(view, name, json_string(filled));
}

static void add_ways(const Request *request, json_t *preview) {
    const char *how = vigie_member_text(preview, "how"), *why = vigie_member_text(preview, "why");
    g_autofree char *key = g_strconcat("desk.how.", how, NULL);
    json_object_set_new(preview, "how_text", json_string(vigie_word(request->lang, key)));
    json_object_set_new(preview, "why_text", json_string(*why ? vigie_word(request->lang, why) : ""));
    json_object_set_new(preview, "leaves", json_boolean(strcmp(how, "none") != 0));
    json_object_set_new(preview, "mark",
                        json_string(strcmp(how, "none") == 0    ? "broken"
                                    : strcmp(how, "clear") == 0 ? "soon"
                                                                : "well"));
}

DRESS(dress_case_write) {
    static const char *const languages[] = {"fr", "en", NULL};
    if (!case_present_page(request, view, error) || !csirt_canned(error))
        return false;
    json_t *party = chosen_party(request, view), *preview = json_object_get(view, "preview");
    const json_t *canned = chosen_text(request);
    VigieLang lang = language(request, party);
    json_object_set_new(view, "party_options", party_options(request, view, party));
    json_object_set_new(view, "text_options", text_options(request, canned));
    json_object_set_new(view, "languages",
                        present_options(request, "portal.language.", languages, vigie_lang_code(lang)));
    json_object_set_new(view, "party_id", json_integer(json_integer_value(json_object_get(party, "id"))));
    json_object_set_new(view, "canned_id", json_string(vigie_member_text(canned, "id")));
    add_text(request, view, party, canned, "subject", "subject", lang);
    add_text(request, view, party, canned, "text", "body", lang);
    if (json_is_object(preview))
        add_ways(request, preview);
    return true;
}

/* ---- Looking at it, and sending it --------------------------------------------------------------------------- */
static VigieLetter letter_of(const Request *request) {
    const json_t *canned = chosen_text(request);
    const char *state = json_string_value(json_object_get(canned, "state"));
    return (VigieLetter){.party = g_ascii_strtoll(case_form(request, "party"), NULL, 10),
                         .subject = case_form(request, "subject"),
                         .text = case_form(request, "text"),
                         .state = request->api ? NULL : state};
}

static json_t *look(Request *request, const VigieAnalyst *who, const VigieLetter *letter, GError **error) {
    g_autoptr(GError) failure = NULL;
    g_autoptr(json_t) preview =
        csirt_letter_preview(request->store, request->portal->config, request->portal->team, who, request->id,
                             letter, request->now, &failure);
    if (!preview)
        return case_refused(request, g_steal_pointer(&failure), error);
    json_t *item = page_case(request, error);
    if (item)
        json_object_set(item, "preview", preview);
    g_free(request->here);
    request->here = g_strdup_printf("/cases/%" G_GINT64_FORMAT "/write", request->id);
    return item;
}

/* `do` "look": what would leave, and nothing does. */
RESOURCE(page_case_write) {
    VigieAnalyst who = case_analyst(request);
    VigieLetter letter = letter_of(request);
    if (!case_desk(request, error))
        return NULL;
    if (strcmp(case_form(request, "do"), "send") != 0)
        return look(request, &who, &letter, error);
    g_autoptr(GError) failure = NULL;
    if (!csirt_letter_send(request->store, request->portal->config, request->portal->team, &who, request->id,
                           &letter, request->now, NULL, &failure))
        return case_refused(request, g_steal_pointer(&failure), error);
    return case_done(request, "#threads", error);
}

DRESS(dress_case_call) {
    if (!case_present_page(request, view, error))
        return false;
    json_t *party = chosen_party(request, view);
    json_object_set_new(view, "party_options", party_options(request, view, party));
    if (party)
        json_object_set(view, "party", party);
    const json_t *self = json_object_get(csirt_team_json(request->portal->team), "call_back");
    g_autoptr(json_t) values = json_pack(
        "{s:s, s:s, s:s, s:s}", "team", vigie_member_text(csirt_team_json(request->portal->team), "name"),
        "reference", vigie_member_text(view, "reference"), "number", vigie_member_text(self, "number"),
        "site", vigie_config_text(request->portal->config, "site.url"));
    g_autofree char *script =
        vigie_text_fill(vigie_text_in(language(request, party), json_object_get(self, "script")), values);
    json_object_set_new(view, "script", json_string(script));
    json_object_set_new(view, "typed", json_string(case_form(request, "text")));
    return true;
}

RESOURCE(page_case_call) {
    VigieAnalyst who = case_analyst(request);
    g_autoptr(GError) failure = NULL;
    if (!case_desk(request, error))
        return NULL;
    return csirt_call_add(request->store, request->portal->team, &who, request->id,
                          g_ascii_strtoll(case_form(request, "party"), NULL, 10),
                          case_form(request, "direction"), case_form(request, "text"), request->now, &failure)
               ? case_done(request, "#threads", error)
               : case_refused(request, g_steal_pointer(&failure), error);
}
