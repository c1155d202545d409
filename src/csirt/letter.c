#include "csirt/letter.h"

#include <openssl/rand.h>
#include <string.h>

static const json_t *party_of(const json_t *item, int64_t id) {
    size_t index;
    json_t *party;
    json_array_foreach(json_object_get(item, "parties"), index, party) {
        if (json_integer_value(json_object_get(party, "id")) == id)
            return party;
    }
    return NULL;
}

/* ---- How it may go ------------------------------------------------------------------------------------------ */
const char *csirt_audience_of(const char *role) {
    static const char *const audiences[][2] = {{"declarant", "declarant"}, {"organisation", "organisation"},
                                               {"authority", "authority"}, {"supplier", "supplier"},
                                               {"csirt", "partner"},       {"isp", "supplier"}};
    for (size_t i = 0; i < G_N_ELEMENTS(audiences); i++)
        if (strcmp(audiences[i][0], role) == 0)
            return audiences[i][1];
    return NULL;
}

static bool names(const json_t *list, const char *name) {
    size_t index;
    json_t *item;
    json_array_foreach(list, index, item) {
        if (strcmp(json_string_value(item), name) == 0)
            return true;
    }
    return false;
}

/* Whether anything of the case may go to them this way: csirt_release decides, label, consent, mandate and part. */
static bool may_go(VigieStore *store, int64_t id, const json_t *party, const char *channel, bool encrypted,
                   VigieTime now, bool *ret_may, const char **ret_why, GError **error) {
    const char *known = csirt_audience_of(party ? vigie_member_text(party, "role") : "declarant");
    VigieRecipient to = {.audience = known ? known : "supplier", /* the narrowest of those outside */
                         .channel = channel,
                         .party = json_integer_value(json_object_get(party, "id")),
                         .encrypted = encrypted};
    g_autoptr(json_t) release = csirt_release(store, id, &to, now, error);
    const json_t *withheld = json_object_get(release, "withheld");
    size_t index;
    json_t *item;
    if (!release)
        return false;
    *ret_may = json_object_size(json_object_get(release, "members")) > 0;
    json_array_foreach(withheld, index, item) {
        const char *reason =
            vigie_member_text(item, "reason"); /* of the knowledge: the word itself outlives the row */
        if (!*ret_why || strcmp(reason, "csirt.release.part") != 0)
            *ret_why = g_intern_string(reason);
    }
    return true;
}

/* Encrypted before all else; in clear where the label lets it; else behind the receipt, for who has one. NULL: an error. */
static const char *how(VigieStore *store, const json_t *item, const json_t *party, VigieTime now,
                       const char **ret_why, GError **error) {
    int64_t id = json_integer_value(json_object_get(item, "id"));
    bool declarant = !party || strcmp(vigie_member_text(party, "role"), "declarant") == 0;
    bool mail = *vigie_member_text(party, "mail") != '\0',
         key = *vigie_member_text(party, "fingerprint") != '\0', may = false;
    *ret_why = NULL;
    if (mail && !may_go(store, id, party, "mail", key, now, &may, ret_why, error))
        return NULL;
    if (may)
        return key ? "encrypted" : "clear";
    if (declarant && !may_go(store, id, party, "page", false, now, &may, ret_why, error))
        return NULL;
    if (!may && !*ret_why)
        *ret_why = "csirt.letter.no-address";
    return may ? "page" : "none";
}

/* ---- What leaves -------------------------------------------------------------------------------------------- */
static VigieLang language_of(const json_t *party, const VigieTeam *team) {
    VigieLang lang = VIGIE_FR;
    if (!vigie_lang_parse(vigie_member_text(party, "language"), &lang))
        vigie_lang_parse(vigie_member_text(csirt_team_json(team), "language"), &lang);
    return lang;
}

static char *marked_subject(const json_t *item, VigieTlp tlp, const char *subject) {
    const char *reference = vigie_member_text(item, "reference");
    g_autofree char *whole =
        strstr(subject, reference) ? g_strdup(subject) : g_strdup_printf("%s: %s", reference, subject);
    return csirt_tlp_subject(tlp, whole);
}

static char *marked_body(const json_t *item, const VigieTeam *team, VigieTlp tlp, VigieLang lang,
                         const char *text) {
    const char *signature = vigie_text_in(lang, json_object_get(csirt_team_json(team), "signature"));
    g_autofree char *signed_text = g_strdup_printf("%s\n\n-- \n%s\n", text, signature);
    VigiePap pap = VIGIE_PAP_CLEAR;
    csirt_pap_parse(vigie_member_text(item, "pap"), &pap, NULL);
    return csirt_tlp_body(tlp, pap, signed_text);
}

/* What the mail says when the letter itself waits behind the receipt: nothing. */
static json_t *empty_notice(const json_t *item, const VigieConfig *config, const VigieTeam *team,
                            VigieLang lang) {
    const char *reference = vigie_member_text(item, "reference"),
               *name = vigie_member_text(csirt_team_json(team), "name");
    g_autofree char *subject =
        vigie_words(lang, "csirt.letter.waiting-subject", "reference", reference, NULL);
    g_autofree char *body = vigie_words(lang, "csirt.letter.waiting", "team", name, "reference", reference,
                                        "site", vigie_config_text(config, "site.url"), NULL);
    return json_pack("{s:s, s:s}", "subject", subject, "body", body);
}

static json_t *compose(VigieStore *store, const json_t *item, const VigieConfig *config,
                       const VigieTeam *team, const VigieLetter *letter, VigieTime now, GError **error) {
    const json_t *party = party_of(item, letter->party);
    VigieLang lang = language_of(party, team);
    VigieTlp tlp = VIGIE_TLP_RED;
    csirt_tlp_parse(vigie_member_text(item, "tlp"), &tlp, NULL);
    const char *why = NULL, *way = how(store, item, party, now, &why, error),
               *mail = vigie_member_text(party, "mail");
    if (!way)
        return NULL;
    g_autofree char *subject = marked_subject(item, tlp, letter->subject);
    g_autofree char *body = marked_body(item, team, tlp, lang, letter->text);
    bool waits = strcmp(way, "page") == 0 && *mail;
    return json_pack(
        "{s:I, s:s, s:s*, s:s, s:s*, s:s*, s:s, s:s, s:s, s:o, s:s}", "party", (json_int_t)letter->party,
        "name", vigie_member_text(party, "name"), "to", *mail ? mail : NULL, "how", way, "why",
        strcmp(way, "none") == 0 ? why : NULL, "fingerprint",
        strcmp(way, "encrypted") == 0 ? vigie_member_text(party, "fingerprint") : NULL, "tlp",
        vigie_member_text(item, "tlp"), "subject", subject, "body", body, "notice",
        waits ? empty_notice(item, config, team, lang) : json_null(), "language", vigie_lang_code(lang));
}

static bool check(const json_t *item, const VigieLetter *letter, GError **error) {
    enum { SUBJECT_MAX = 200, TEXT_MAX = 60000 };
    const char *problem = NULL;
    if (letter->party && !party_of(item, letter->party))
        problem = "party: this case has none of that number";
    else if (!letter->subject || !*letter->subject || strlen(letter->subject) > SUBJECT_MAX ||
             strpbrk(letter->subject, "\r\n"))
        problem = "subject: one line of 1 to 200 octets is wanted";
    else if (!letter->text || !*letter->text || strlen(letter->text) > TEXT_MAX)
        problem = "text: 1 to 60,000 octets are wanted";
    if (problem)
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, problem);
    return !problem;
}

json_t *csirt_letter_preview(VigieStore *store, const VigieConfig *config, const VigieTeam *team,
                             const VigieAnalyst *who, int64_t id, const VigieLetter *letter, VigieTime now,
                             GError **error) {
    g_autoptr(json_t) item = csirt_case_get(store, team, who, id, now, error);
    return item && check(item, letter, error) ? compose(store, item, config, team, letter, now, error) : NULL;
}

/* ---- Sending ------------------------------------------------------------------------------------------------ */
/* Chosen beforehand, so that an answer finds its thread whenever the letter leaves. Free with g_free. */
static char *new_message_id(const VigieTeam *team) {
    const char *mailbox = vigie_member_text(json_object_get(csirt_team_json(team), "mailboxes"), "incident");
    const char *at = strrchr(mailbox, '@');
    uint8_t random[16];
    if (RAND_bytes(random, sizeof random) != 1)
        g_error("the system gives no random numbers");
    g_autofree char *left = vigie_hex_text(vigie_bytes(random, sizeof random));
    return g_strdup_printf("%s@%s", left, at ? at + 1 : "localhost");
}

static bool keep(VigieStore *store, const VigieTeam *team, const VigieAnalyst *who, int64_t id,
                 const json_t *preview, VigieTime now, int64_t *ret_message, GError **error) {
    const char *way = vigie_member_text(preview, "how");
    bool page = strcmp(way, "page") == 0;
    g_autofree char *message_id = new_message_id(team);
    g_autoptr(json_t) protection =
        json_pack("{s:s, s:b, s:b}", "how", way, "encrypted", strcmp(way, "encrypted") == 0, "signed", 0);
    VigieCaseMessage message = {.party = json_integer_value(json_object_get(preview, "party")),
                                .direction = "out",
                                .channel = page ? "form" : "mail",
                                .author = who->name,
                                .subject = vigie_member_text(preview, "subject"),
                                .body = vigie_member_text(preview, "body"),
                                .protection = protection,
                                .message_id = message_id};
    if (!csirt_message_add(store, team, id, &message, now, ret_message, error))
        return false;
    if (page && !json_is_object(json_object_get(preview, "notice")))
        return true; /* nobody to be told: it is there when they look */
    g_autofree char *key = g_strdup_printf("letter:%" G_GINT64_FORMAT, *ret_message);
    g_autoptr(json_t) payload =
        json_pack("{s:I, s:O}", "message", (json_int_t)*ret_message, "letter", preview);
    return store_job_add(store, CSIRT_JOB_LETTER, payload, now, key, NULL, error);
}

static bool lead_on(VigieStore *store, const VigieTeam *team, const VigieAnalyst *who, const json_t *item,
                    const char *state, VigieTime now, GError **error) {
    if (!state || !*state || !names(json_object_get(item, "next"), state))
        return true;
    return csirt_case_move(store, team, who, json_integer_value(json_object_get(item, "id")), state, NULL,
                           now, error);
}

bool csirt_letter_send(VigieStore *store, const VigieConfig *config, const VigieTeam *team,
                       const VigieAnalyst *who, int64_t id, const VigieLetter *letter, VigieTime now,
                       int64_t *ret_message, GError **error) {
    int64_t message = 0;
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    g_autoptr(json_t) item = tx ? csirt_case_get(store, team, who, id, now, error) : NULL;
    if (!item || !check(item, letter, error))
        return false;
    g_autoptr(json_t) preview = compose(store, item, config, team, letter, now, error);
    if (!preview)
        return false;
    if (strcmp(vigie_member_text(preview, "how"), "none") == 0) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED, "%s",
                    vigie_word(VIGIE_EN, vigie_member_text(preview, "why")));
        return false;
    }
    if (!keep(store, team, who, id, preview, now, &message, error) ||
        !lead_on(store, team, who, item, letter->state, now, error) || !store_commit(&tx, error))
        return false;
    if (ret_message)
        *ret_message = message;
    return true;
}

bool csirt_call_add(VigieStore *store, const VigieTeam *team, const VigieAnalyst *who, int64_t id,
                    int64_t party, const char *direction, const char *text, VigieTime now, GError **error) {
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    g_autoptr(json_t) item = tx ? csirt_case_get(store, team, who, id, now, error) : NULL;
    VigieLetter letter = {.party = party, .subject = "-", .text = text};
    if (!item || !check(item, &letter, error))
        return false;
    g_autoptr(json_t) protection = json_object();
    VigieCaseMessage message = {.party = party,
                                .direction = strcmp(direction, "in") == 0 ? "in" : "out",
                                .channel = "phone",
                                .author = who->name,
                                .subject = "",
                                .body = text,
                                .protection = protection};
    return csirt_message_add(store, team, id, &message, now, NULL, error) && store_commit(&tx, error);
}

/* ---- The worker's part -------------------------------------------------------------------------------------- */
typedef struct {
    int64_t id, case_id, mail_id;
    char *message_id;
} Stored;

static void stored_clear(Stored *stored) {
    g_free(stored->message_id);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Stored, stored_clear)

static bool load(VigieStore *store, int64_t id, Stored *ret_stored, GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        store, error, "SELECT case_id, mail_id, message_id FROM csirt_message WHERE id = $1", "i", id);
    GError *failure = NULL;
    if (rows && rows_next(rows, &failure)) {
        *ret_stored = (Stored){id, rows_int(rows, 0), rows_int(rows, 1), g_strdup(rows_text(rows, 2))};
        return true;
    }
    if (failure)
        g_propagate_error(error, failure);
    else if (rows)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "there is no message %" G_GINT64_FORMAT, id);
    return false;
}

static bool queue(VigieStore *store, const VigieNotifier *notifier, const Stored *stored,
                  const json_t *letter, VigieTime now, GError **error) {
    const json_t *self = csirt_team_json(notifier->team), *notice = json_object_get(letter, "notice");
    const char *own = vigie_member_text(json_object_get(self, "openpgp"), "fingerprint");
    const char *to[] = {vigie_member_text(letter, "fingerprint"), *own ? own : NULL, NULL};
    bool waits = json_is_object(notice),
         encrypted = strcmp(vigie_member_text(letter, "how"), "encrypted") == 0;
    const json_t *source = waits ? notice : letter;
    g_autofree char *key = g_strdup_printf("letter:%" G_GINT64_FORMAT, stored->id);
    g_autofree char *from =
        g_strdup_printf("%s <%s>", vigie_member_text(self, "name"),
                        vigie_member_text(json_object_get(self, "mailboxes"), "incident"));
    VigieMail mail = {.from = from,
                      .to = vigie_member_text(letter, "to"),
                      .subject = vigie_member_text(source, "subject"),
                      .text = vigie_member_text(source, "body"),
                      .lang = vigie_member_text(letter, "language"),
                      .auto_submitted = "no",
                      .message_id = stored->message_id,
                      .cell = notifier->cell,
                      .sign_with = notifier->cell && *own ? own : NULL,
                      .encrypt_to = encrypted ? to : NULL,
                      .zone = vigie_config_zone(notifier->config)};
    int64_t mail_id = 0;
    g_autoptr(json_t) protection = json_pack("{s:s, s:b, s:b}", "how", vigie_member_text(letter, "how"),
                                             "encrypted", encrypted, "signed", mail.sign_with != NULL);
    g_autofree char *protected_text = vigie_json_text(protection);
    return mail_queue_add(store, &mail, key, now, &mail_id, error) &&
           store_exec(store, error, "UPDATE csirt_message SET mail_id = $2, protection = $3 WHERE id = $1",
                      "iit", stored->id, mail_id, protected_text);
}

/* It did not leave, and will not by itself: a person has to know, and to choose another way. */
static bool tell_analyst(VigieStore *store, const Stored *stored, const GError *failure, VigieTime now,
                         GError **error) {
    int64_t task = 0;
    g_autofree char *fr = vigie_said(VIGIE_FR, failure->message);
    return csirt_task_add(store, "", stored->case_id, "key", "csirt.letter.not-sent",
                          json_pack("{s:{s:{s:s, s:s}}}", "values", "why", "fr", fr, "en", failure->message),
                          NULL, now, now, &task, error);
}

bool csirt_letter_work(VigieStore *store, const VigieNotifier *notifier, const json_t *payload, VigieTime now,
                       GError **error) {
    const json_t *letter = json_object_get(payload, "letter");
    g_auto(Stored) stored = {0};
    g_autoptr(GError) failure = NULL;
    bool encrypted = strcmp(vigie_member_text(letter, "how"), "encrypted") == 0;
    if (!load(store, json_integer_value(json_object_get(payload, "message")), &stored, error))
        return false;
    if (stored.mail_id)
        return true;
    if (encrypted && !notifier->cell) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE,
                    "a letter waits to be encrypted: mail.gnupg_home names no keyring");
        return false;
    }
    {
        g_autoptr(VigieTransaction) tx = store_begin(store, error);
        if (!tx)
            return false;
        if (queue(store, notifier, &stored, letter, now, &failure))
            return store_commit(&tx, error);
    }
    if (g_error_matches(failure, VIGIE_ERROR, VIGIE_ERROR_INVALID) ||
        g_error_matches(failure, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND))
        return tell_analyst(store, &stored, failure, now, error);
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}
