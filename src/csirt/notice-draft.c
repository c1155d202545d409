/* Drafts: what is proven, said to who can mend it. From the case come its reference, its organisation, what was verified and how likely it
 * is; never its title nor its messages, which are the words of whoever reported it. */
#include "csirt/telling.h"
#include "fleet/fleet.h"

#include <inttypes.h>
#include <string.h>

enum { OBSERVED_MAX = 8192, PROOFS_MAX = 20 };

typedef struct {
    VigieStore *store;
    const VigieConfig *config;
    const VigieTeam *team;
    const Notice *notice;
    const json_t *fields;
    json_t *verifications;
    VigieRules *rules;
    char *likelihood, *category;
    VigieTime now;
} Draft;

static void draft_clear(Draft *draft) {
    json_decref(draft->verifications);
    g_clear_pointer(&draft->rules, record_rules_free);
    g_free(draft->likelihood);
    g_free(draft->category);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Draft, draft_clear)

/* ---- What is said ------------------------------------------------------------------------------------------------ */
static char *date_of(const Draft *draft, VigieLang lang, const char *text) {
    VigieTime time = 0;
    return text && vigie_time_parse_rfc3339(text, &time, NULL)
               ? vigie_date_time_text(lang, vigie_config_zone(draft->config), time)
               : NULL;
}

/* A verification that showed it is there: of a finding its title, its evidence and what to do; of a check the words of who made it. */
static json_t *proof_view(const Draft *draft, const json_t *proof, VigieLang lang) {
    const char *method = vigie_member(proof, "method");
    g_autofree char *seen = date_of(draft, lang, vigie_member(proof, "time"));
    if (strcmp(vigie_member(proof, "kind"), "finding") != 0)
        return json_pack("{s:s, s:s?, s:s?}", "title", method, "target", vigie_member(proof, "target"),
                         "seen", seen);
    const json_t *evidence = json_object_get(json_object_get(proof, "evidence"), "finding");
    g_autoptr(json_t) told = record_explain(draft->rules, method, VIGIE_SEVERITY_MEDIUM, evidence, lang,
                                            vigie_config_zone(draft->config), draft->now);
    return json_pack("{s:O?, s:s?, s:s?, s:O?, s:O?}", "title", json_object_get(told, "title"), "target",
                     vigie_member(proof, "target"), "seen", seen, "cause", json_object_get(told, "cause"),
                     "action", json_object_get(told, "action"));
}

static json_t *proofs_view(const Draft *draft, VigieLang lang) {
    json_t *views = json_array();
    for (size_t i = 0; i < json_array_size(draft->verifications) && json_array_size(views) < PROOFS_MAX;
         i++) {
        const json_t *proof = json_array_get(draft->verifications, i);
        if (strcmp(vigie_member(proof, "outcome"), "present") == 0)
            json_array_append_new(views, proof_view(draft, proof, lang));
    }
    return views;
}

static json_t *draft_view(VigieLang lang, void *data) {
    const Draft *draft = data;
    json_t *view = notice_view(draft->config, draft->team, draft->notice, lang);
    json_object_set_new(view, "proofs", proofs_view(draft, lang));
    json_object_set(view, "observed", json_object_get(draft->fields, "observed"));
    json_object_set(view, "advice", json_object_get(draft->fields, "advice"));
    g_autofree char *key = g_strconcat("csirt.notice.likelihood.", draft->likelihood, NULL);
    if (*draft->likelihood)
        json_object_set_new(view, "likelihood", json_string(vigie_word(lang, key)));
    const json_t *category = csirt_category(draft->category);
    if (category)
        json_object_set_new(view, "category", json_string(vigie_text_in(lang, category)));
    return view;
}

/* ---- Whom ----------------------------------------------------------------------------------------------------------- */
static const json_t *by_id(const json_t *contacts, json_int_t id) {
    for (size_t i = 0; i < json_array_size(contacts); i++)
        if (json_integer_value(json_object_get(json_array_get(contacts, i), "id")) == id)
            return json_array_get(contacts, i);
    return NULL;
}

json_t *contacts_ladder(VigieStore *store, int64_t case_id, const json_t *ids, VigieTime now,
                        GError **error) {
    g_auto(Scope) scope = {0};
    if (!scope_load(store, case_id, &scope, error) || !contacts_take_fleet(store, &scope, now, error))
        return NULL;
    g_autoptr(json_t) usable = contacts_usable(store, &scope, error);
    if (!usable || !json_is_array(ids))
        return usable ? ladder_new(usable) : NULL;
    g_autoptr(json_t) chosen = json_array();
    for (size_t i = 0; i < json_array_size(ids); i++) {
        const json_t *contact = by_id(usable, json_integer_value(json_array_get(ids, i)));
        if (!contact) {
            csirt_invalid(error, "contacts: this case has no such contact that may be used");
            return NULL;
        }
        json_array_append(chosen, (json_t *)contact);
    }
    return ladder_new(chosen);
}

/* The language of the first contact, of security.txt, or both. */
static char *language_of(VigieStore *store, const Notice *notice, const json_t *fields) {
    const char *asked = vigie_member(fields, "language");
    if (asked)
        return g_strdup(asked);
    g_autofree char *known = NULL;
    const json_t *first = json_array_get(notice->ladder, 0);
    g_autoptr(VigieRows) rows =
        store_query(store, NULL, "SELECT language FROM csirt_contact WHERE id = $1", "i",
                    (int64_t)json_integer_value(json_object_get(first, "contact")));
    if (rows && rows_next(rows, NULL))
        known = g_strdup(rows_text(rows, 0));
    g_clear_pointer(&rows, rows_free);
    g_autoptr(VigieRows) files = store_query(
        store, NULL, "SELECT security_txt FROM csirt_lookup WHERE case_id = $1 ORDER BY id DESC LIMIT 1", "i",
        notice->case_id);
    g_autoptr(json_t) file =
        files && rows_next(files, NULL) ? csirt_json_parse(rows_text(files, 0)) : json_null();
    const char *tag = json_string_value(json_array_get(json_object_get(file, "languages"), 0));
    VigieLang lang = VIGIE_FR;
    if ((known && *known && vigie_lang_parse(known, &lang)) || (tag && vigie_lang_parse(tag, &lang)))
        return g_strdup(vigie_lang_code(lang));
    return g_strdup("both");
}

/* ---- The row ---------------------------------------------------------------------------------------------------------- */
static bool load_case(VigieStore *store, int64_t case_id, Draft *draft, Notice *notice, GError **error) {
    g_autoptr(VigieRows) rows =
        store_query(store, error,
                    "SELECT reference, kind, source, tlp, pap, band, organisation_name, expected, "
                    "likelihood, category FROM csirt_case "
                    "WHERE id = $1",
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
        notice->expected = g_strdup(rows_text(rows, 7));
        draft->likelihood = g_strdup(rows_text(rows, 8));
        draft->category = g_strdup(rows_text(rows, 9));
    }
    return rows_ended(rows, &failure, error);
}

bool notice_insert(VigieStore *store, const char *author, Notice *notice, VigieTime now, int64_t *ret_id,
                   GError **error) {
    g_autofree char *ladder = vigie_json_text(notice->ladder), *sees = vigie_json_text(notice->sees);
    int64_t id = 0;
    if (!store_get_int(
            store, &id, error,
            "INSERT INTO csirt_notice (case_id, party_id, kind, state, audience, partner, "
            "language, subject, body, "
            "expected, answer_by, ladder, created, author, sees) VALUES ($1, $2, $3, 'draft', $4, $5, "
            "$6, $7, $8, $9, $10, "
            "$11, $12, $13, $14) RETURNING id",
            "iitttttttititt", notice->case_id, notice->party, notice->kind, notice->audience, notice->partner,
            notice->language, notice->subject, notice->body, notice->expected, notice->answer_by, ladder, now,
            author, sees) ||
        !entry_add(store, notice->case_id, author, "notice-drafted",
                   json_pack("{s:I, s:s, s:s}", "notice", (json_int_t)id, "kind", notice->kind, "audience",
                             notice->audience),
                   now, error))
        return false;
    if (ret_id)
        *ret_id = id;
    return true;
}

static bool check_fields(const json_t *fields, GError **error) {
    static const char *const languages[] = {"fr", "en", "both", NULL};
    static const char *const all_expected[] = {"feedback", "acknowledgement", NULL};
    const char *language = vigie_member(fields, "language"), *expected = vigie_member(fields, "expected");
    return (!language || csirt_one_of("language", language, languages, error)) &&
           (!expected || csirt_one_of("expected", expected, all_expected, error)) &&
           csirt_text_check("observed", vigie_member(fields, "observed"), OBSERVED_MAX, error) &&
           csirt_text_check("advice", vigie_member(fields, "advice"), OBSERVED_MAX, error);
}

bool csirt_notice_draft(VigieStore *store, const VigieConfig *config, const VigieTeam *team,
                        const VigieAnalyst *who, int64_t case_id, const json_t *fields, VigieTime now,
                        int64_t *ret_id, GError **error) {
    g_auto(Case) of = {0};
    g_auto(Notice)
        notice = {.case_id = case_id,
                  .kind = g_strdup("notice"),
                  .audience = g_strdup("organisation"),
                  .partner = g_strdup(""),
                  .sees = json_pack("[s, s, s, s]", "case", "organisation", "vulnerability", "expected")};
    g_auto(Draft) draft = {store, config, team, &notice, fields, .now = now};
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !case_load(store, who, case_id, &of, error) || !check_fields(fields, error) ||
        !load_case(store, case_id, &draft, &notice, error))
        return false;
    draft.verifications = verifications_of(store, case_id, error);
    draft.rules = draft.verifications ? record_rules_load(error) : NULL;
    notice.ladder =
        draft.rules ? contacts_ladder(store, case_id, json_object_get(fields, "contacts"), now, error) : NULL;
    if (!notice.ladder)
        return false;
    if (vigie_member(fields, "expected")) {
        g_free(notice.expected);
        notice.expected = g_strdup(vigie_member(fields, "expected"));
    }
    int days = (int)json_integer_value(json_object_get(fields, "working_days"));
    notice.answer_by = csirt_calendar_add_days(
        team_calendar(team), now, days > 0 && days < 260 ? days : ladder_days("answer", notice.band));
    notice.language = language_of(store, &notice, fields);
    const char *name =
        strcmp(notice.case_kind, "vulnerability") == 0 ? "notice-vulnerability" : "notice-incident";
    return notice_render(name, notice.language, draft_view, &draft, &notice.subject, &notice.body, error) &&
           notice_insert(store, analyst_name(who), &notice, now, ret_id, error) && store_commit(&tx, error);
}
