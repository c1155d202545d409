/* What a partner or a third party is told: its own part of the case, as csirt_release gives it, in words. */
#include "csirt/judge.h"
#include "csirt/telling.h"

#include <inttypes.h>
#include <string.h>

enum { VALUE_MAX = 2000, HOUR = 3600, DAY = 24 * HOUR };

typedef struct {
    const VigieConfig *config;
    const VigieTeam *team;
    const Notice *notice;
    const json_t *release, *proposal, *fields;
} Part;

/* ---- Values in words ---------------------------------------------------------------------------------------------- */
static const json_t *choice_text(const json_t *fact, const char *name) {
    const json_t *values = json_object_get(fact, "values");
    for (size_t i = 0; i < json_array_size(values); i++)
        if (g_strcmp0(vigie_member(json_array_get(values, i), "name"), name) == 0)
            return json_object_get(json_array_get(values, i), "text");
    return NULL;
}

/* A word of the room for a name of an enumeration ("csirt.state.closed"), or the text itself. */
static char *text_value(const char *path, const json_t *fact, const char *text, const Part *part,
                        VigieLang lang) {
    VigieTime time = 0;
    const json_t *choice = choice_text(fact, text);
    g_autofree char *key = g_strdup_printf("csirt.%s.%s", path, text);
    const char *word = vigie_word(lang, key);
    const json_t *category = strcmp(path, "category") == 0 ? csirt_category(text) : NULL;
    if (choice || category)
        return g_strdup(vigie_text_in(lang, choice ? choice : category));
    if (strcmp(word, key) != 0)
        return g_strdup(word);
    if (strlen(text) == 20 && vigie_time_parse_rfc3339(text, &time, NULL))
        return vigie_date_time_text(lang, vigie_config_zone(part->config), time);
    return g_strndup(text, VALUE_MAX);
}

static void append_value(GString *out, const char *path, const json_t *fact, const json_t *value,
                         const Part *part, VigieLang lang) {
    if (json_is_array(value)) {
        for (size_t i = 0; i < json_array_size(value); i++) {
            g_string_append(out, i ? ", " : "");
            append_value(out, path, fact, json_array_get(value, i), part, lang);
        }
    } else if (json_is_object(value)) {
        const char *texts[] = {vigie_text_in(lang, json_object_get(value, "text")),
                               vigie_member(value, "name"), vigie_member(value, "mail"),
                               vigie_member(value, "phone")};
        bool any = false;
        for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
            if (texts[i] && *texts[i]) {
                g_string_append_printf(out, "%s%s", any ? " " : "", texts[i]);
                any = true;
            }
    } else if (json_is_boolean(value)) {
        g_string_append(out, vigie_word(lang, json_is_true(value) ? "csirt.part.yes" : "csirt.part.no"));
    } else if (json_is_integer(value)) {
        g_string_append_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    } else if (json_is_string(value)) {
        g_autofree char *text = text_value(path, fact, json_string_value(value), part, lang);
        g_string_append(out, text);
    }
}

/* What the reporter wrote in the title may say who they are: a title goes out only where it is the victim's own declaration. */
static bool is_silent(const Part *part, const char *path) {
    return strcmp(path, "title") == 0 && strcmp(part->notice->case_kind, "incident") != 0;
}

static json_t *lines_of(const json_t *values, const Part *part, VigieLang lang) {
    json_t *lines = json_array();
    const char *path = NULL;
    json_t *value = NULL;
    json_object_foreach((json_t *)values, path, value) {
        bool fact = g_str_has_prefix(path, "facts.");
        const json_t *declared = fact ? json_object_get(csirt_facts(), path + strlen("facts.")) : NULL;
        g_autofree char *key = g_strconcat("csirt.part.", path, NULL);
        const char *label =
            declared ? vigie_text_in(lang, json_object_get(declared, "text")) : vigie_word(lang, key);
        g_autoptr(GString) text = g_string_new(NULL);
        if (!is_silent(part, path))
            append_value(text, path, declared, value, part, lang);
        if (text->len > 0)
            json_array_append_new(lines, json_pack("{s:s, s:s}", "label", label, "value", text->str));
    }
    return lines;
}

static json_t *part_view(VigieLang lang, void *data) {
    const Part *part = data;
    json_t *view = notice_view(part->config, part->team, part->notice, lang);
    json_t *members = json_array();
    const char *name = NULL;
    json_t *member = NULL;
    json_object_foreach(json_object_get(part->release, "members"), name, member) {
        json_t *lines = lines_of(json_object_get(member, "values"), part, lang);
        const char *title = vigie_text_in(lang, json_object_get(member, "text"));
        if (json_array_size(lines) > 0)
            json_array_append_new(members, json_pack("{s:s, s:O}", "title", title, "lines", lines));
        json_decref(lines);
    }
    json_object_set_new(view, "members", members);
    json_object_set_new(view, "escalation", json_boolean(part->proposal != NULL));
    json_object_set_new(view, "urgent",
                        json_boolean(json_is_true(json_object_get(part->proposal, "urgent"))));
    json_object_set_new(view, "reason",
                        json_string(vigie_text_in(lang, json_object_get(part->proposal, "reason"))));
    json_object_set(view, "rule", json_object_get(part->proposal, "reference"));
    json_object_set(view, "observed", json_object_get(part->fields, "observed"));
    return view;
}

/* ---- The draft ------------------------------------------------------------------------------------------------------ */
static json_t *rung(const char *name, const char *value, const char *fingerprint) {
    return json_pack("{s:s, s:n, s:s?, s:s?, s:i}", "rung", name, "contact", "value",
                     value && *value ? value : NULL, "fingerprint",
                     fingerprint && *fingerprint ? fingerprint : NULL, "tries", 0);
}

/* `whom`: { "name", "mail", "phone", "language", "fingerprint" }. */
static json_t *ladder_of(const json_t *whom) {
    json_t *ladder = json_array();
    if (vigie_member(whom, "mail"))
        json_array_append_new(ladder,
                              rung("mail", vigie_member(whom, "mail"), vigie_member(whom, "fingerprint")));
    json_array_append_new(ladder, rung("call", vigie_member(whom, "phone"), NULL));
    return ladder;
}

static bool load_case(VigieStore *store, int64_t case_id, Notice *notice, GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        store, error,
        "SELECT reference, kind, source, tlp, pap, band, organisation_name FROM csirt_case WHERE id = $1",
        "i", case_id);
    GError *failure = NULL;
    if (rows && rows_next(rows, &failure)) {
        notice->reference = g_strdup(rows_text(rows, 0));
        notice->case_kind = g_strdup(rows_text(rows, 1));
        notice->source = g_strdup(rows_text(rows, 2));
        notice->tlp = g_strdup(rows_text(rows, 3));
        notice->pap = g_strdup(rows_text(rows, 4));
        notice->band = rows_int(rows, 5);
        notice->organisation = g_strdup(rows_text(rows, 6));
    }
    return rows_ended(rows, &failure, error);
}

static json_t *names_of(const json_t *members) {
    json_t *names = json_array();
    const char *name = NULL;
    json_t *member = NULL;
    json_object_foreach((json_t *)members, name, member) json_array_append_new(names, json_string(name));
    return names;
}

/* What may leave by an encrypted mail, or a call; sending asks again. */
static bool draft_part(VigieStore *store, Part *part, Notice *notice, const char *author, const json_t *whom,
                       const json_t *members, VigieTime now, int64_t *ret_id, GError **error) {
    VigieRecipient to = {.audience = notice->audience,
                         .channel = "mail",
                         .party = notice->party,
                         .partner = *notice->partner ? notice->partner : NULL,
                         .members = members,
                         .encrypted = true};
    g_autoptr(json_t) release = csirt_release(store, notice->case_id, &to, now, error);
    if (!release)
        return false;
    VigieLang lang = VIGIE_FR;
    const char *language = vigie_member(whom, "language");
    part->release = release;
    part->notice = notice;
    notice->sees = names_of(json_object_get(release, "members"));
    notice->ladder = ladder_of(whom);
    notice->language =
        g_strdup(language && vigie_lang_parse(language, &lang) ? vigie_lang_code(lang) : "both");
    if (json_array_size(notice->sees) == 0) {
        const char *reason = vigie_member(json_array_get(json_object_get(release, "withheld"), 0), "reason");
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED, "nothing of this case may leave to them: %s",
                    vigie_word(VIGIE_EN, reason ? reason : "csirt.release.unknown"));
        return false;
    }
    return notice_render("notice-part", notice->language, part_view, part, &notice->subject, &notice->body,
                         error) &&
           notice_insert(store, author, notice, now, ret_id, error);
}

/* ---- Escalations ------------------------------------------------------------------------------------------------------ */
static json_t *proposals_of(VigieStore *store, int64_t case_id, GError **error) {
    g_auto(CaseFacts) of = {0};
    if (!case_facts_load(store, case_id, &of, error))
        return NULL;
    g_autoptr(json_t) facts = case_all_facts(&of);
    return csirt_escalations(facts, error);
}

static const json_t *proposal_for(const json_t *proposals, const char *partner) {
    for (size_t i = 0; i < json_array_size(proposals); i++)
        if (strcmp(vigie_member(json_array_get(proposals, i), "partner"), partner) == 0)
            return json_array_get(proposals, i);
    return NULL;
}

/* A task once a case and partner, so that what a rule calls for does not wait for somebody to open the case. */
static bool add_task(VigieStore *store, int64_t case_id, const json_t *proposal, VigieTime now,
                     GError **error) {
    int64_t known = 0;
    const char *partner = vigie_member(proposal, "partner");
    g_autofree char *begin = g_strdup_printf("{\"partner\":\"%s\",%%", partner);
    if (!store_get_int(store, &known, error,
                       "SELECT (SELECT COUNT(*) FROM csirt_task WHERE case_id = $1 AND kind = 'escalate' AND "
                       "details LIKE $2) + "
                       "(SELECT COUNT(*) FROM csirt_escalation WHERE case_id = $1 AND partner = $3)",
                       "itt", case_id, begin, partner))
        return false;
    if (known)
        return true;
    json_t *details =
        json_pack("{s:s, s:O, s:{s:O}}", "partner", partner, "reasons", json_object_get(proposal, "reasons"),
                  "values", "partner", json_object_get(proposal, "name"));
    bool urgent = json_is_true(json_object_get(proposal, "urgent"));
    return csirt_task_add(store, "", case_id, "escalate", "csirt.escalation.task", details, NULL,
                          now + (urgent ? HOUR : DAY), now, NULL, error);
}

bool escalations_watch(VigieStore *store, int64_t case_id, VigieTime now, GError **error) {
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    g_autoptr(json_t) proposals = tx ? proposals_of(store, case_id, error) : NULL;
    for (size_t i = 0; i < json_array_size(proposals); i++)
        if (!add_task(store, case_id, json_array_get(proposals, i), now, error))
            return false;
    return proposals && store_commit(&tx, error);
}

/* ---- Third parties ------------------------------------------------------------------------------------------------------- */
static json_t *party_get(VigieStore *store, int64_t case_id, int64_t party, GError **error) {
    static const Cell cells[] = {{"role", "role", CELL_STRING},
                                 {"name", "name", CELL_STRING},
                                 {"mail", "mail", CELL_TEXT},
                                 {"phone", "phone", CELL_TEXT},
                                 {"language", "language", CELL_TEXT},
                                 {"fingerprint", "fingerprint", CELL_TEXT},
                                 {"sees", "sees", CELL_JSON},
                                 {"partner", "partner", CELL_TEXT},
                                 {0}};
    g_autoptr(VigieQuery) query = query_new();
    cells_select(query, cells);
    query_add(query, "FROM csirt_party WHERE id = ?i AND case_id = ?i", party, case_id);
    g_autoptr(json_t) rows = cells_run(store, query, cells, error);
    if (rows && json_array_size(rows) == 0)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "party %" PRId64 ": this case has none",
                    party);
    return json_array_size(rows) ? json_incref(json_array_get(rows, 0)) : NULL;
}

/* To whom it is, by the part they take; a partner's audience is what its rule says. */
static const char *audience_of(const json_t *whom, const json_t *proposal) {
    if (vigie_member(proposal, "audience"))
        return vigie_member(proposal, "audience");
    return csirt_audience_of(vigie_member(whom, "role"));
}

bool csirt_part_draft(VigieStore *store, const VigieConfig *config, const VigieTeam *team,
                      const VigieAnalyst *who, int64_t case_id, int64_t party, const json_t *fields,
                      VigieTime now, int64_t *ret_id, GError **error) {
    g_auto(Case) of = {0};
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !case_load(store, who, case_id, &of, error) ||
        !csirt_text_check("observed", vigie_member(fields, "observed"), CSIRT_NOTE_BYTES, error))
        return false;
    g_autoptr(json_t) whom = party_get(store, case_id, party, error);
    g_autoptr(json_t) proposals = whom ? proposals_of(store, case_id, error) : NULL;
    if (!proposals)
        return false;
    const char *partner = vigie_member(whom, "partner"), *expected = vigie_member(fields, "expected");
    const json_t *proposal = partner ? proposal_for(proposals, partner) : NULL;
    const char *audience = audience_of(whom, proposal);
    if (!audience)
        return csirt_invalid(error, "party: one of role “other” is told by hand");
    const char *kind = partner ? "escalation" : strcmp(audience, "declarant") == 0 ? "feedback" : "notice";
    g_auto(Notice) notice = {.case_id = case_id,
                             .party = party,
                             .kind = g_strdup(kind),
                             .audience = g_strdup(audience),
                             .partner = g_strdup(partner ? partner : ""),
                             .expected = g_strdup(expected ? expected : "acknowledgement")};
    Part part = {config, team, .proposal = proposal, .fields = fields};
    return load_case(store, case_id, &notice, error) &&
           draft_part(store, &part, &notice, analyst_name(who), whom, NULL, now, ret_id, error) &&
           store_commit(&tx, error);
}
