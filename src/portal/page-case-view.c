/* page-case-view: one case and all that is known of it, in the order in which it is worked on. */
#include "portal/page-case.h"
#include "portal/present.h"

#include <string.h>

static void set_word(const Request *request, json_t *object, const char *member, const char *prefix,
                     const char *value) {
    g_autofree char *key = g_strconcat(prefix, value, NULL);
    const char *word = vigie_word(request->lang, key);
    json_object_set_new(object, member, json_string(strcmp(word, key) == 0 ? value : word));
}

/* ---- What to do now ----------------------------------------------------------------------------------------- */
static void add_step(const Request *request, json_t *view) {
    json_t *next = csirt_step_next(view);
    const char *step = vigie_member_text(next, "step");
    set_word(request, next, "title", "desk.step.", step);
    set_word(request, next, "what", "desk.step-what.", step);
    json_object_set_new(next, step, json_true()); /* the template's section for it */
    const char *state = json_string_value(json_object_get(next, "state"));
    if (state)
        set_word(request, next, "move", "desk.move.", state);
    json_object_set_new(view, "step", next);
}

/* Going back, and turning a case away, want a reason. */
static bool wants_reason(const char *from, const char *to) {
    static const char *const course[] = {"received", "acknowledged", "qualified", "in-progress",
                                         "resolved", "closed",       "rejected"};
    size_t at[2] = {0, 0};
    for (size_t i = 0; i < G_N_ELEMENTS(course); i++) {
        at[0] = strcmp(course[i], from) == 0 ? i : at[0];
        at[1] = strcmp(course[i], to) == 0 ? i : at[1];
    }
    return at[1] < at[0] || strcmp(to, "rejected") == 0;
}

static void add_moves(const Request *request, json_t *view) {
    const char *from = vigie_member_text(view, "state");
    json_t *moves = json_array(), *state;
    size_t index;
    json_array_foreach(json_object_get(view, "next"), index, state) {
        const char *to = json_string_value(state);
        bool again = strcmp(to, "in-progress") == 0 && wants_reason(from, to);
        json_t *move = json_pack("{s:s, s:b}", "to", to, "reasoned", wants_reason(from, to));
        set_word(request, move, "label", "desk.move.", again ? "reopened" : to);
        json_array_append_new(moves, move);
    }
    json_object_set_new(view, "moves", moves);
}

/* ---- Deadlines ---------------------------------------------------------------------------------------------- */
static const char *clock_state(const char *state) {
    static const char *const states[][2] = {
        {"late", "broken"}, {"running", "soon"}, {"met", "well"}, {"met-late", "broken"}};
    for (size_t i = 0; i < G_N_ELEMENTS(states); i++)
        if (strcmp(states[i][0], state) == 0)
            return states[i][1];
    return "unknown";
}

/* The CSIRT's promises and the declarant's obligations, each with what starts and what stops it. */
static void add_clocks(const Request *request, json_t *view) {
    static const char *const members[] = {"text", "delay", "law"};
    static const char *const events[] = {"starts_by", "stops_by"};
    json_t *sides[] = {json_array(), json_array()}, *clock;
    size_t index;
    json_array_foreach(json_object_get(view, "clocks"), index, clock) {
        for (size_t i = 0; i < G_N_ELEMENTS(members); i++) {
            json_t *texts = json_object_get(clock, members[i]);
            g_autofree char *name = g_strconcat(members[i], "_text", NULL);
            if (json_is_object(texts))
                json_object_set_new(clock, name, json_string(vigie_text_in(request->lang, texts)));
            else if (json_is_string(texts))
                json_object_set(clock, name, texts);
        }
        for (size_t i = 0; i < G_N_ELEMENTS(events); i++) {
            const json_t *event = json_object_get(csirt_clock_events(), vigie_member_text(clock, events[i]));
            g_autofree char *name = g_strconcat(events[i], "_text", NULL);
            json_object_set_new(clock, name, json_string(vigie_text_in(request->lang, event)));
        }
        const char *state = vigie_member_text(clock, "state");
        bool broken_word = strcmp(state, "met") == 0 && json_is_false(json_object_get(clock, "on_time"));
        json_object_set_new(clock, "mark", json_string(clock_state(broken_word ? "met-late" : state)));
        set_word(request, clock, "state_text", "desk.clock.", broken_word ? "met-late" : state);
        json_array_append(sides[strcmp(vigie_member_text(clock, "owner"), "csirt") != 0], clock);
    }
    json_object_set_new(view, "promises", sides[0]);
    json_object_set_new(view, "obligations", sides[1]);
}

/* ---- Facts ------------------------------------------------------------------------------------------------- */
/* What could still make it more pressing, and is not known: worth a question. */
static void add_missing(const Request *request, json_t *view) {
    json_t *names = json_array(), *name;
    size_t index;
    json_array_foreach(json_object_get(view, "missing"), index, name) {
        const json_t *fact = json_object_get(csirt_facts(), json_string_value(name));
        if (fact)
            json_array_append_new(names,
                                  json_string(vigie_text_in(request->lang, json_object_get(fact, "text"))));
    }
    json_object_set_new(view, "missing_any", json_boolean(json_array_size(names) > 0));
    json_object_set_new(view, "missing_names", names);
}

/* Without what present() put beside them: the rules know none of that. */
static void bare_facts(json_t *view) {
    json_t *facts = json_object_get(view, "facts"), *value;
    const char *name;
    void *next;
    json_object_foreach_safe(facts, next, name, value) {
        if (!json_object_get(csirt_facts(), name))
            json_object_del(facts, name);
    }
}

static void add_facts(const Request *request, json_t *view) {
    json_t *rows = json_array(), *value;
    const char *name;
    json_object_foreach(json_object_get(view, "facts"), name, value) {
        const json_t *fact = json_object_get(csirt_facts(), name);
        if (!fact || json_is_null(value))
            continue;
        g_autofree char *text = case_say_fact(request, fact, value);
        json_array_append_new(rows, json_pack("{s:s, s:s, s:b}", "label",
                                              vigie_text_in(request->lang, json_object_get(fact, "text")),
                                              "text", text, "long", strlen(text) > 60));
    }
    json_object_set_new(view, "fact_rows", rows);
    add_missing(request, view);
    const json_t *category = csirt_category(vigie_member_text(view, "category"));
    json_object_set_new(view, "category_text", json_string(vigie_text_in(request->lang, category)));
}

/* ---- Threads ------------------------------------------------------------------------------------------------ */
static void present_message(const Request *request, json_t *message) {
    case_present_word(request, message, "channel", "csirt.channel.");
    bool out = strcmp(vigie_member_text(message, "direction"), "out") == 0;
    json_object_set_new(message, "out", json_boolean(out));
    const json_t *protection = json_object_get(message, "protection");
    if (out && *vigie_member_text(protection, "how"))
        set_word(request, message, "channel_text", "desk.how.", vigie_member_text(protection, "how"));
    json_object_set_new(message, "encrypted",
                        json_boolean(json_is_true(json_object_get(protection, "encrypted"))));
    json_object_set_new(message, "signed", json_boolean(json_is_true(json_object_get(protection, "signed"))));
}

/* One thread for each party: nobody is told by accident what another was. */
static json_t *thread_of(const Request *request, const json_t *view, json_t *party, json_int_t id) {
    json_t *messages = json_array(), *message;
    size_t index;
    json_array_foreach(json_object_get(view, "messages"), index, message) {
        if (json_integer_value(json_object_get(message, "party")) != id)
            continue;
        present_message(request, message);
        json_array_append(messages, message);
    }
    json_object_set_new(party, "messages", messages);
    return party;
}

static void add_threads(const Request *request, json_t *view) {
    json_t *threads = json_array(), *party;
    size_t index;
    json_array_foreach(json_object_get(view, "parties"), index, party) {
        set_word(request, party, "role_text", "csirt.role.", vigie_member_text(party, "role"));
        json_array_append(threads,
                          thread_of(request, view, party, json_integer_value(json_object_get(party, "id"))));
    }
    json_t *nobody = thread_of(request, view, json_pack("{s:n, s:b}", "id", "nobody", 1), 0);
    if (json_array_size(json_object_get(nobody, "messages")) > 0)
        json_array_insert(threads, 0, nobody);
    json_decref(nobody);
    json_object_set_new(view, "threads", threads);
}

/* ---- The timeline ------------------------------------------------------------------------------------------- */
static void add_timeline(const Request *request, json_t *view) {
    json_t *entries = json_array(), *entry;
    size_t count = json_array_size(json_object_get(view, "timeline"));
    for (size_t i = count; i-- > 0;) { /* newest first */
        entry = json_array_get(json_object_get(view, "timeline"), i);
        set_word(request, entry, "kind_text", "csirt.entry.", vigie_member_text(entry, "kind"));
        json_t *said = json_array();
        case_say_details(request, json_object_get(entry, "details"), said);
        json_object_set_new(entry, "said", said);
        json_array_append(entries, entry);
    }
    const json_t *last = json_array_get(json_object_get(view, "timeline"), count ? count - 1 : 0);
    json_object_set_new(view, "seen", json_integer(json_integer_value(json_object_get(last, "seq"))));
    json_object_set_new(view, "entries", entries);
}

static bool add_chain(Request *request, json_t *view, GError **error) {
    json_t *verified = csirt_timeline_verify(request->store, request->id, error);
    if (!verified)
        return false;
    json_object_set_new(verified, "whole",
                        json_boolean(json_array_size(json_object_get(verified, "faults")) == 0));
    json_object_set_new(view, "chain", verified);
    return true;
}

/* ---- What happened meanwhile: a change that was refused because another came first --------------------------- */
static void add_since(const Request *request, json_t *view) {
    const char *seen = request_form(request, "seen");
    if (request->status != 409 || !seen)
        return;
    json_t *since = json_array(), *entry;
    size_t index;
    json_array_foreach(json_object_get(view, "entries"), index, entry) {
        if (json_integer_value(json_object_get(entry, "seq")) > g_ascii_strtoll(seen, NULL, 10))
            json_array_append(since, entry);
    }
    json_object_set_new(view, "since", since);
}

/* What was typed into a form that was refused: shown again, so that it need not be typed twice. */
static void add_kept(const Request *request, json_t *view) {
    GHashTableIter iter;
    gpointer name, value;
    g_hash_table_iter_init(&iter, request->form);
    while (request->status >= 400 && g_hash_table_iter_next(&iter, &name, &value)) {
        g_autofree char *kept = g_strconcat("kept_", name, NULL);
        json_object_set_new(view, kept, json_string(value));
    }
}

/* ---- Escalations -------------------------------------------------------------------------------------------- */
void case_present_escalation(const Request *request, json_t *row) {
    const char *state = vigie_member_text(row, "state");
    bool proposed = strcmp(state, "proposed") == 0;
    set_word(request, row, "state_text", "csirt.escalation.", state);
    json_object_set_new(row, "proposed", json_boolean(proposed));
    json_object_set_new(row, "mark",
                        json_string(proposed                          ? "soon"
                                    : strcmp(state, "confirmed") == 0 ? "well"
                                                                      : "unknown"));
    json_object_set_new(row, "reason_text",
                        json_string(vigie_text_in(request->lang, json_object_get(row, "reason"))));
}

/* Instead of the rows alone: what the rules propose, too. */
static bool add_escalations(const Request *request, json_t *view, GError **error) {
    json_t *list = csirt_escalation_offers(request->portal->team, view, error), *row;
    size_t index;
    if (!list)
        return false;
    present(request, list);
    json_array_foreach(list, index, row) {
        case_present_escalation(request, row);
    }
    json_object_set_new(view, "escalations", list);
    return true;
}

/* ---- The rest ----------------------------------------------------------------------------------------------- */
static json_t *join(const json_t *words) {
    g_autoptr(GString) text = g_string_new(NULL);
    size_t index;
    json_t *word;
    json_array_foreach(words, index, word) {
        g_string_append_printf(text, "%s%s", index ? ", " : "", json_string_value(word));
    }
    return json_string(text->str);
}

static char *size_text(const Request *request, json_int_t size) {
    static const char *const keys[] = {"desk.size.bytes", "desk.size.kilo", "desk.size.mega"};
    size_t unit = size < 10000 ? 0 : size < 10000000 ? 1 : 2;
    static const json_int_t units[] = {1, 1000, 1000000};
    g_autofree char *number =
        g_strdup_printf("%" JSON_INTEGER_FORMAT, (size + units[unit] / 2) / units[unit]);
    return vigie_words(request->lang, keys[unit], "n", number, NULL);
}

static void present_rows(const Request *request, json_t *view) {
    size_t index;
    json_t *row;
    json_array_foreach(json_object_get(view, "consents"), index, row) {
        const json_t *scope = json_object_get(row, "scope");
        json_object_set_new(row, "audiences_text", join(json_object_get(scope, "audiences")));
        json_object_set_new(row, "members_text", join(json_object_get(scope, "members")));
    }
    json_array_foreach(json_object_get(view, "artefacts"), index, row) {
        g_autofree char *size = size_text(request, json_integer_value(json_object_get(row, "size")));
        json_object_set_new(row, "size_text", json_string(size));
    }
    json_array_foreach(json_object_get(view, "tasks"), index, row) {
        case_present_task(request, row);
        json_object_set_new(row, "open", json_boolean(!json_is_string(json_object_get(row, "done"))));
    }
    json_array_foreach(json_object_get(view, "links"), index, row) {
        case_present_word(request, row, "kind", "csirt.link.");
        g_autofree char *path = g_strdup_printf("/%ss/%" JSON_INTEGER_FORMAT, vigie_member_text(row, "kind"),
                                                json_integer_value(json_object_get(row, "ref")));
        json_object_set_new(row, "path", json_string(path));
    }
}

/* Of a page about something of the case: whose it is. */
bool case_present_head(Request *request, json_t *view, GError **error) {
    static const char *const members[] = {"title", "reference"};
    g_autoptr(json_t) item = page_case(request, error);
    for (size_t i = 0; item && i < G_N_ELEMENTS(members); i++)
        json_object_set(view, members[i], json_object_get(item, members[i]));
    if (item && !json_object_get(view, "tlp"))
        json_object_set(view, "tlp", json_object_get(item, "tlp"));
    case_present_label(view);
    json_object_set_new(view, "case_id", json_integer((json_int_t)request->id));
    return item != NULL;
}

bool case_present_page(Request *request, json_t *view, GError **error) {
    VigieAnalyst who = case_analyst(request);
    case_present(request, view);
    add_timeline(request, view);
    add_since(request, view);
    add_kept(request, view);
    json_object_set_new(view, "case_id", json_integer((json_int_t)request->id));
    json_object_set_new(view, "head", json_boolean(who.head));
    json_object_set_new(view, "sealed",
                        json_boolean(strcmp(vigie_member_text(view, "source"), "protected") == 0));
    json_object_set_new(view, "nameless",
                        json_boolean(strcmp(vigie_member_text(view, "source"), "anonymous") == 0));
    if (who.head) {
        json_t *readings = csirt_reading_list(request->store, &who, request->id, error);
        if (!readings)
            return false;
        present(request, readings);
        json_object_set_new(view, "readings", readings);
    }
    return true;
}

/* What a person can say was done: the rest the program sees itself. */
static json_t *event_options(const Request *request) {
    static const char *const ours[] = {"received", "answered", "qualified", "closed", "rejected", NULL};
    json_t *options = json_array(), *text;
    const char *name;
    json_object_foreach((json_t *)csirt_clock_events(), name, text) {
        if (!g_strv_contains(ours, name))
            json_array_append_new(
                options, json_pack("{s:s, s:s}", "value", name, "label", vigie_text_in(request->lang, text)));
    }
    return options;
}

static json_t *member_options(const Request *request) {
    json_t *options = json_array(), *member;
    const char *name;
    json_object_foreach((json_t *)csirt_members(), name, member) {
        json_array_append_new(options,
                              json_pack("{s:s, s:s}", "value", name, "label",
                                        vigie_text_in(request->lang, json_object_get(member, "text"))));
    }
    return options;
}

static void add_forms(const Request *request, json_t *view) {
    static const char *const bands[] = {"0", "1", "2", "3", "4", NULL};
    static const char *const roles[] = {"isp",       "csirt",        "authority", "supplier",
                                        "declarant", "organisation", "other",     NULL};
    static const char *const audiences[] = {"declarant", "organisation", "authority", "partner",
                                            "supplier",  "community",    "public",    NULL};
    static const char *const links[] = {"device", "endpoint", "finding", "case", NULL};
    const json_t *override = json_object_get(view, "override");
    g_autofree char *band = g_strdup_printf(
        "%" JSON_INTEGER_FORMAT,
        json_integer_value(json_object_get(json_is_object(override) ? override : view, "band")));
    json_object_set_new(view, "band_options", present_options(request, "desk.band-long.", bands, band));
    json_object_set_new(view, "link_kinds", present_options(request, "csirt.link.", links, NULL));
    json_object_set_new(view, "party_roles", present_options(request, "csirt.role.", roles, NULL));
    json_object_set_new(view, "consent_members", member_options(request));
    json_object_set_new(view, "consent_audiences",
                        present_options(request, "desk.audience.", audiences, NULL));
    json_object_set_new(view, "event_options", event_options(request));
    json_object_set_new(view, "splittable",
                        json_boolean(json_array_size(json_object_get(view, "messages")) > 1));
    json_object_set_new(view, "has_obligations",
                        json_boolean(json_array_size(json_object_get(view, "obligations")) > 0));
}

/* Which organisation of the fleet it may be, and why. */
static void add_proposed(const Request *request, json_t *view) {
    size_t index;
    json_t *one;
    json_array_foreach(json_object_get(view, "proposed"), index, one) {
        g_autofree char *key = g_strconcat("desk.proposed.", vigie_member_text(one, "by"), NULL);
        g_autofree char *why =
            vigie_words(request->lang, key, "value", vigie_member_text(one, "value"), NULL);
        g_autofree char *devices =
            g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(one, "devices")));
        g_autofree char *known = vigie_words(request->lang, "desk.proposed.devices", "n", devices, NULL);
        json_object_set_new(one, "why", json_string(why));
        json_object_set_new(one, "known", json_string(known));
        json_object_set_new(one, "reachable",
                            json_boolean(json_array_size(json_object_get(one, "contacts")) > 0));
    }
}

DRESS(dress_case) {
    bare_facts(view);
    if (!case_present_page(request, view, error) || !add_chain(request, view, error) ||
        !add_escalations(request, view, error))
        return false;
    add_proposed(request, view);
    add_step(request, view);
    add_moves(request, view);
    add_clocks(request, view);
    add_facts(request, view);
    add_threads(request, view);
    present_rows(request, view);
    add_forms(request, view);
    return true;
}
