/* What becomes of a declaration: a case, and the word to its declarant that it has come. */
#include "csirt/declaration.h"
#include "csirt/declaration-form.h"
#include "csirt/internal.h"
#include "document/document.h"

#include <string.h>

struct VigieDeclarations {
    const VigieConfig *config;
    const VigieTeam *team;
    json_t *forms;
    VigieCalendar *calendar;
    VigieTemplate *mails[VIGIE_LANGS];
    char *from; /* NULL: no mail is sent */
};

/* ---- Loading ------------------------------------------------------------------------------------------------ */
static VigieTemplate *load_mail(VigieLang lang, GError **error) {
    g_autofree char *name = g_strdup_printf("mail/declaration.%s.mustache", vigie_lang_code(lang));
    gsize size = 0;
    g_autofree char *text = vigie_knowledge_text(name, &size, error);
    VigieTemplate *template = text ? document_template_compile(text, size, error) : NULL;
    if (!template)
        g_prefix_error(error, "%s: ", name);
    return template;
}

/* From the mailbox that incidents are written to: an answer to it finds the team. */
static char *sender(const VigieConfig *config, const json_t *team) {
    const char *server = vigie_config_text(config, "mail.server"),
               *ours = vigie_config_text(config, "mail.from");
    const char *mailbox = json_string_value(json_object_get(json_object_get(team, "mailboxes"), "incident"));
    if (!*server)
        return NULL;
    if (!mailbox)
        return *ours ? g_strdup(ours) : NULL;
    g_autofree char *name = g_strdup(json_string_value(json_object_get(team, "name")));
    return g_strdup_printf("%s <%s>", g_strdelimit(name, "<>\"(),;:", ' '), mailbox);
}

/* Where nobody's certificate is there to seal it for, who reports is not asked. */
static void drop_sealed(json_t *forms) {
    const char *name;
    json_t *form;
    json_object_foreach(forms, name, form) {
        json_t *blocks = json_object_get(form, "blocks");
        for (size_t i = json_array_size(blocks); i-- > 0;)
            if (json_is_true(json_object_get(json_array_get(blocks, i), "sealed")))
                json_array_remove(blocks, i);
    }
}

VigieDeclarations *csirt_declarations_new(const VigieConfig *config, const VigieTeam *team, GError **error) {
    g_autoptr(VigieDeclarations) declarations = g_new0(VigieDeclarations, 1);
    declarations->config = config;
    declarations->team = team;
    declarations->from = sender(config, csirt_team_json(team));
    declarations->forms = declaration_forms_load(error);
    declarations->calendar = declarations->forms
                                 ? csirt_calendar_new(csirt_team_json(team), vigie_config_zone(config), error)
                                 : NULL;
    if (!declarations->calendar)
        return NULL;
    if (!*vigie_config_text(config, "csirt.head_certificate"))
        drop_sealed(declarations->forms);
    for (int lang = 0; lang < VIGIE_LANGS; lang++)
        if (!(declarations->mails[lang] = load_mail((VigieLang)lang, error)))
            return NULL;
    return g_steal_pointer(&declarations);
}

void csirt_declarations_free(VigieDeclarations *declarations) {
    if (!declarations)
        return;
    for (int lang = 0; lang < VIGIE_LANGS; lang++)
        document_template_free(declarations->mails[lang]);
    csirt_calendar_free(declarations->calendar);
    json_decref(declarations->forms);
    g_free(declarations->from);
    g_free(declarations);
}

const json_t *csirt_declaration_form(const VigieDeclarations *declarations, const char *id) {
    return json_object_get(declarations->forms, id);
}

json_t *csirt_declaration_check(const VigieDeclarations *declarations, const char *form, GHashTable *values,
                                VigieTime now, json_t **ret_opening) {
    return declaration_form_read(json_object_get(declarations->forms, form), values,
                                 vigie_config_zone(declarations->config), now, ret_opening);
}

/* ---- Deadlines ---------------------------------------------------------------------------------------------- */
VigieTime csirt_declarations_opening(const VigieDeclarations *declarations, VigieTime now) {
    return csirt_calendar_opening(declarations->calendar, now);
}

static json_t *clocks_of(const VigieDeclarations *declarations, const json_t *opening, json_t *facts,
                         VigieTime now, GError **error) {
    g_autofree char *time = vigie_time_rfc3339(now);
    const json_t *found = json_object_get(json_object_get(opening, "facts"), "found");
    g_autoptr(json_t) events = json_pack("{s:s, s:O?}", "received", time, "found", found);
    json_object_set(facts, "kind", json_object_get(opening, "kind"));
    return csirt_clocks(facts, events, declarations->calendar, now, error);
}

static bool has_clock(const json_t *clocks, const json_t *clock) {
    for (size_t i = 0; i < json_array_size(clocks); i++)
        if (json_equal(json_object_get(json_array_get(clocks, i), "id"), json_object_get(clock, "id")))
            return true;
    return false;
}

/* What was declared, with the worst that was not said: a law may hold of what the declarant did not tell us. */
static json_t *assumed_facts(const json_t *opening) {
    json_t *facts = json_copy(json_object_get(opening, "facts"));
    g_autoptr(json_t) worst = json_pack("{s:b, s:b, s:s, s:[s]}", "personal_data", 1, "significant", 1,
                                        "status", "important", "reportable", "care-safety-potential");
    json_object_update_missing(facts, worst);
    return facts;
}

json_t *csirt_declaration_clocks(const VigieDeclarations *declarations, const json_t *opening, VigieTime now,
                                 GError **error) {
    g_autoptr(json_t) facts = json_copy(json_object_get(opening, "facts")), more = assumed_facts(opening);
    json_t *clocks = clocks_of(declarations, opening, facts, now, error);
    bool incident = g_strcmp0(json_string_value(json_object_get(opening, "kind")), "incident") == 0;
    g_autoptr(json_t) all = clocks && incident ? clocks_of(declarations, opening, more, now, error) : NULL;
    if (!clocks || (incident && !all))
        return NULL;
    for (size_t i = 0; i < json_array_size(all); i++) {
        json_t *clock = json_array_get(all, i);
        if (has_clock(clocks, clock))
            continue;
        json_object_set_new(clock, "assumed", json_true());
        json_array_append(clocks, clock);
    }
    return clocks;
}

/* ---- The mail of acknowledgement ---------------------------------------------------------------------------- */
static VigieTime answer_due(const json_t *clocks) {
    VigieTime due = 0, time;
    for (size_t i = 0; i < json_array_size(clocks); i++) {
        const json_t *clock = json_array_get(clocks, i);
        const char *text = json_string_value(json_object_get(clock, "due"));
        bool answer = g_strcmp0(json_string_value(json_object_get(clock, "owner")), "csirt") == 0 &&
                      g_strcmp0(json_string_value(json_object_get(clock, "stops_by")), "answered") == 0;
        if (answer && text && vigie_time_parse_rfc3339(text, &time, NULL) && (!due || time < due))
            due = time;
    }
    return due;
}

/* Nothing that the sender typed is in it: whoever fills in the form with somebody else's address writes nothing to them. */
static json_t *mail_view(const VigieDeclarations *declarations, const VigieDeclaration *declaration,
                         const char *reference, VigieTime now) {
    const json_t *team = csirt_team_json(declarations->team), *opening = declaration->opening;
    GTimeZone *zone = vigie_config_zone(declarations->config);
    VigieTime due = answer_due(declaration->clocks);
    g_autofree char *received = vigie_date_time_text(declaration->lang, zone, now);
    g_autofree char *by = due ? vigie_date_time_text(declaration->lang, zone, due) : NULL;
    bool incident = strcmp(json_string_value(json_object_get(opening, "kind")), "incident") == 0;
    return json_pack("{s:O?, s:s, s:s, s:s?, s:s, s:b, s:O?}", "team", json_object_get(team, "name"),
                     "reference", reference, "received", received, "by", by, "url",
                     vigie_config_text(declarations->config, "site.url"), "incident", incident, "phones",
                     json_object_get(team, "phones"));
}

static bool queue_mail(const VigieDeclarations *declarations, VigieStore *store,
                       const VigieDeclaration *declaration, const char *to, const char *reference,
                       VigieTime now, GError **error) {
    g_autoptr(json_t) view = mail_view(declarations, declaration, reference, now);
    g_autoptr(GString) out = g_string_new(NULL);
    if (!document_template_render(declarations->mails[declaration->lang], view, NULL, NULL, out, error))
        return false;
    char *end = strchr(out->str, '\n');
    if (!end || end[1] != '\n') {
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                            "mail/declaration: the first line is the subject, the second is empty");
        return false;
    }
    *end = '\0';
    VigieMail mail = {.from = declarations->from,
                      .to = to,
                      .subject = out->str,
                      .text = end + 2,
                      .lang = vigie_lang_code(declaration->lang)};
    g_autofree char *key = g_strconcat("acknowledged:", reference, NULL);
    return mail_queue_add(store, &mail, key, now, NULL, error);
}

/* ---- Accepting ---------------------------------------------------------------------------------------------- */
/* The code that goes with the receipt, made from the form's secret: whoever sends the same form again, because the answer was
 * lost on its way, gets the same code again, and nobody had to keep it. */
static char *receipt_of(const char *nonce) {
    static const char letters[33] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    uint8_t digest[32];
    gsize size = sizeof digest;
    g_autoptr(GHmac) hmac = g_hmac_new(G_CHECKSUM_SHA256, (const guchar *)nonce, strlen(nonce));
    g_hmac_update(hmac, (const guchar *)"receipt", -1);
    g_hmac_get_digest(hmac, digest, &size);
    GString *code = g_string_new(NULL);
    for (int i = 0; i < 4 * CSIRT_CODE_RECEIPT; i++)
        g_string_append_printf(code, "%s%c", i > 0 && i % 4 == 0 ? "-" : "", letters[digest[i] % 32]);
    return g_string_free(code, FALSE);
}

static bool check_nonce(const char *nonce, GError **error) {
    size_t size = strlen(nonce);
    bool well = size >= CSIRT_NONCE_MIN && size <= CSIRT_NONCE_MAX && g_str_is_ascii(nonce);
    if (!well)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "nonce: %d to %d random letters and digits of the sender's own", CSIRT_NONCE_MIN,
                    CSIRT_NONCE_MAX);
    return well;
}

static bool open_case(const VigieDeclarations *declarations, VigieStore *store,
                      const VigieDeclaration *declaration, const char *receipt, VigieTime now,
                      VigieOpened *ret_opened, GError **error) {
    const json_t *opening = declaration->opening, *declarant = json_object_get(opening, "declarant");
    g_autoptr(json_t) person = json_is_object(declarant) ? json_copy((json_t *)declarant) : NULL;
    g_autofree char *hash = g_compute_checksum_for_string(G_CHECKSUM_SHA256, declaration->nonce, -1);
    g_autofree char *key = g_strconcat("form:", hash, NULL);
    if (person)
        json_object_set_new(person, "language", json_string(vigie_lang_code(declaration->lang)));
    VigieOpening open = {.kind = vigie_member(opening, "kind"),
                         .channel = declaration->channel,
                         .source = vigie_member(opening, "source"),
                         .title = vigie_member(opening, "title"),
                         .organisation_name = vigie_member(opening, "organisation_name"),
                         .urgent = json_is_true(json_object_get(opening, "urgent")) && !declaration->unproven,
                         .facts = json_object_get(opening, "facts"),
                         .text = vigie_member(opening, "text"),
                         .declarant = person,
                         .receipt = receipt,
                         .unique_key = key};
    return csirt_case_open(store, declarations->team, &open, now, ret_opened, error);
}

/* What came without proof during an attack is not lost, and does not stand in the way of the others until a person has looked. */
static bool put_last(const VigieDeclarations *declarations, VigieStore *store,
                     const VigieDeclaration *declaration, const VigieOpened *opened, VigieTime now,
                     GError **error) {
    return !declaration->unproven || !opened->receipt ||
           csirt_case_override(store, declarations->team, NULL, opened->id, 4,
                               "received during an attack on the form, without proof of work", now, error);
}

/* ---- Files -------------------------------------------------------------------------------------------------- */
static bool has_file(VigieStore *store, int64_t id, int64_t message, VigieBytes content, bool *ret_has,
                     GError **error) {
    g_autofree char *sha256 = csirt_sha256(content);
    int64_t count = 0;
    if (!store_get_int(
            store, &count, error,
            "SELECT count(*) FROM csirt_artefact WHERE case_id = $1 AND message_id = $2 AND sha256 = $3",
            "iit", id, message, sha256))
        return false;
    *ret_has = count > 0;
    return true;
}

/* Each once, however often the form comes. */
static bool add_files(VigieStore *store, const VigieTeam *team, int64_t id, int64_t message,
                      const VigieDeclarationFile *files, size_t count, VigieTime now, GError **error) {
    for (size_t i = 0; i < MIN(count, (size_t)CSIRT_FILES_MAX); i++) {
        bool has = false;
        if (!has_file(store, id, message, files[i].content, &has, error) ||
            (!has && !csirt_artefact_add(store, team, NULL, id, message, files[i].name, files[i].content, now,
                                         NULL, error)))
            return false;
    }
    return true;
}

bool csirt_declaration_add(VigieStore *store, const VigieTeam *team, int64_t id, const char *text,
                           const VigieDeclarationFile *files, size_t file_count, const char *unique_key,
                           VigieTime now, GError **error) {
    int64_t message = 0;
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    return tx && csirt_receipt_add(store, team, id, text, NULL, unique_key, now, &message, error) &&
           add_files(store, team, id, message, files, file_count, now, error) && store_commit(&tx, error);
}

json_t *csirt_declaration_accept(const VigieDeclarations *declarations, VigieStore *store,
                                 const VigieDeclaration *declaration, VigieTime now, GError **error) {
    if (!check_nonce(declaration->nonce, error))
        return NULL;
    const json_t *opening = declaration->opening;
    g_autofree char *receipt = receipt_of(declaration->nonce), *received = vigie_time_rfc3339(now);
    g_auto(VigieOpened) opened = {0};
    if (!open_case(declarations, store, declaration, receipt, now, &opened, error) ||
        !put_last(declarations, store, declaration, &opened, now, error) ||
        !add_files(store, declarations->team, opened.id, 0, declaration->files, declaration->file_count, now,
                   error))
        return NULL;
    bool again = !opened.receipt;
    bool open = strcmp(vigie_member(opening, "source"), "open") == 0;
    const char *to = open && declarations->from && !declaration->unproven
                         ? vigie_member(json_object_get(opening, "declarant"), "mail")
                         : NULL;
    if (to && !again && !queue_mail(declarations, store, declaration, to, opened.reference, now, error))
        return NULL;
    return json_pack("{s:s, s:s, s:s, s:b, s:b, s:O, s:O, s:O}", "reference", opened.reference, "code",
                     receipt, "received", received, "again", again, "mail", to != NULL, "source",
                     json_object_get(opening, "source"), "kind", json_object_get(opening, "kind"), "clocks",
                     declaration->clocks);
}

/* ---- Proof of work ------------------------------------------------------------------------------------------ */
bool csirt_proof_holds(const char *nonce, const char *proof, int bits) {
    uint8_t digest[32];
    gsize size = sizeof digest;
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_checksum_update(sum, (const guchar *)nonce, -1);
    g_checksum_update(sum, (const guchar *)":", 1);
    g_checksum_update(sum, (const guchar *)proof, -1);
    g_checksum_get_digest(sum, digest, &size);
    for (int i = 0; i < bits; i++)
        if (digest[i / 8] & (0x80 >> i % 8))
            return false;
    return true;
}

/* ---- Is it really you? -------------------------------------------------------------------------------------- */
bool csirt_notice_genuine(VigieStore *store, const VigieTeam *team, const char *reference, const char *code,
                          bool *ret_genuine, GError **error) {
    const char *prefix = vigie_member(csirt_team_json(team), "prefix");
    VigieReference parsed = {2000, 1}; /* what is no reference is looked up like one that does not exist */
    bool well = csirt_reference_parse(prefix, reference, &parsed, NULL);
    g_autofree char *name = csirt_reference_text(prefix, parsed), *hash = csirt_code_hash(code);
    int64_t count = 0;
    if (!store_get_int(
            store, &count, error,
            "SELECT count(*) FROM csirt_case c JOIN csirt_party p ON p.case_id = c.id OR p.origin = c.id "
            "WHERE c.reference = $1 AND p.code = $2",
            "tt", name, hash ? hash : "-"))
        return false;
    *ret_genuine = well && hash && count > 0;
    return true;
}
