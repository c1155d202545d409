/* The worker's part of a notice: the next step of its ladder, done once. The label is asked again at this moment. */
#include "csirt/telling.h"

#include <inttypes.h>
#include <openssl/rand.h>
#include <string.h>

enum { LINK_OCTETS = 16, CALL_DAYS = 1 };

typedef struct {
    VigieStore *store;
    const VigieNotifier *notifier;
    Notice *notice;
    VigieTime now;
    const char *template; /* NULL: the notice's own text */
    char *link;           /* of a content-free message; "" */
    char **keys;
    bool content_free;
} Sending;

/* ---- Words ------------------------------------------------------------------------------------------------------- */
static json_t *sending_view(VigieLang lang, void *data) {
    const Sending *sending = data;
    json_t *view = notice_view(sending->notifier->config, sending->notifier->team, sending->notice, lang);
    json_object_set_new(view, "link", json_string(sending->link ? sending->link : ""));
    return view;
}

static char *with_code(const char *text, const char *code) {
    g_autoptr(GString) out = g_string_new(text);
    g_string_replace(out, "{code}", code, 0);
    return g_strdup(out->str);
}

/* Subject and text as they go, marked. What says nothing of the matter is marked CLEAR: whoever passes it on passes on nothing. */
static bool compose(Sending *sending, char **ret_subject, char **ret_text, GError **error) {
    const Notice *notice = sending->notice;
    VigieTlp tlp = VIGIE_TLP_RED;
    VigiePap pap = VIGIE_PAP_CLEAR;
    g_autofree char *subject = g_strdup(notice->subject), *body = g_strdup(notice->body);
    if (sending->template) {
        g_clear_pointer(&subject, g_free);
        g_clear_pointer(&body, g_free);
        if (!notice_render(sending->template, notice->language, sending_view, sending, &subject, &body,
                           error))
            return false;
    }
    if (!csirt_tlp_parse(notice->tlp, &tlp, error) || !csirt_pap_parse(notice->pap, &pap, error))
        return false;
    tlp = sending->content_free ? VIGIE_TLP_CLEAR : tlp;
    pap = sending->content_free ? VIGIE_PAP_CLEAR : pap;
    g_autofree char *filled = with_code(body, notice->code);
    *ret_subject = csirt_tlp_subject(tlp, subject);
    *ret_text = csirt_tlp_body(tlp, pap, filled);
    return true;
}

static char *sender_of(const Sending *sending) {
    const json_t *team = csirt_team_json(sending->notifier->team);
    const char *own = vigie_member(json_object_get(team, "mailboxes"), "incident");
    return own ? g_strdup_printf("\"%s\" <%s>", vigie_member(team, "name"), own)
               : g_strdup(vigie_config_text(sending->notifier->config, "mail.from"));
}

/* ---- A mail ------------------------------------------------------------------------------------------------------- */
/* 128 random bits in hexadecimal. */
static char *secret_new(GError **error) {
    uint8_t octets[LINK_OCTETS];
    if (RAND_bytes(octets, sizeof octets) == 1)
        return vigie_hex_text(vigie_bytes(octets, sizeof octets));
    g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL, "there is no randomness to be had");
    return NULL;
}

/* A link whose secret only the recipient has, and a code that comes by phone alone. Both kept as hashes. */
static bool make_link(Sending *sending, GError **error) {
    g_autofree char *secret = secret_new(error);
    if (!secret)
        return false;
    g_autofree char *hash = csirt_sha256(vigie_bytes(secret, strlen(secret)));
    sending->link = g_strdup_printf("%s/notice?link=%s",
                                    vigie_config_text(sending->notifier->config, "site.url"), secret);
    return store_exec(sending->store, error, "UPDATE csirt_notice SET link = $2 WHERE id = $1", "it",
                      sending->notice->id, hash);
}

/* Whom we sign as; false where the team has a key and nobody here can sign with it. */
static bool signer_of(const Sending *sending, const char **ret_fingerprint, GError **error) {
    const json_t *openpgp = json_object_get(csirt_team_json(sending->notifier->team), "openpgp");
    *ret_fingerprint = vigie_member(openpgp, "fingerprint");
    return !*ret_fingerprint || sending->notifier->cell ||
           csirt_invalid(error, "the team signs with %s, and mail.gnupg_home names no keyring",
                         *ret_fingerprint);
}

static json_t *protection_of(const Sending *sending, const char *sign_with) {
    json_t *keys = json_array();
    for (size_t i = 0; sending->keys[i]; i++)
        json_array_append_new(keys, json_string(sending->keys[i]));
    return json_pack("{s:b, s:o, s:b}", "signed", sign_with != NULL, "encrypted_to", keys, "content_free",
                     sending->content_free);
}

static char *first_message(VigieStore *store, int64_t notice) {
    g_autoptr(VigieRows) rows = store_query(
        store, NULL,
        "SELECT message_id FROM csirt_notice_mail WHERE notice_id = $1 ORDER BY sent, message_id LIMIT 1",
        "i", notice);
    return rows && rows_next(rows, NULL) ? g_strdup(rows_text(rows, 0)) : NULL;
}

static bool keep_sent(Sending *sending, const char *subject, const char *message_id, int64_t mail,
                      int64_t contact, json_t *protection, GError **error) {
    g_autoptr(json_t) owned = protection;
    const Notice *notice = sending->notice;
    g_autofree char *text = vigie_json_text(protection);
    VigieCaseMessage message = {.party = notice->party,
                                .direction = "out",
                                .channel = "mail",
                                .author = "",
                                .subject = subject,
                                .body = sending->template ? "" : notice->body,
                                .protection = protection,
                                .mail = mail,
                                .message_id = message_id};
    return csirt_message_add(sending->store, sending->notifier->team, notice->case_id, &message, sending->now,
                             NULL, error) &&
           store_exec(sending->store, error,
                      "INSERT INTO csirt_notice_mail (message_id, notice_id, contact_id, step, sent) VALUES "
                      "($1, $2, $3, $4, $5)",
                      "tiiii", message_id, notice->id, contact, notice->step, sending->now) &&
           store_exec(sending->store, error, "UPDATE csirt_notice SET protection = $2 WHERE id = $1", "it",
                      notice->id, text);
}

static bool queue_mail(Sending *sending, json_t *rung, GError **error) {
    Notice *notice = sending->notice;
    g_autofree char *subject = NULL, *text = NULL;
    if (!compose(sending, &subject, &text, error))
        return false;
    g_autofree char *from = sender_of(sending), *bare = mail_address(from, error);
    g_autofree char *earlier = first_message(sending->store, notice->id);
    g_autofree char *left = secret_new(error);
    const char *sign_with = NULL;
    if (!bare || !left || !signer_of(sending, &sign_with, error))
        return false;
    g_autofree char *message_id = g_strconcat(left, strchr(bare, '@'), NULL);
    int64_t tries = json_integer_value(json_object_get(rung, "tries"));
    g_autofree char *key =
        g_strdup_printf("csirt-notice:%" PRId64 ":%" PRId64 ":%" PRId64, notice->id, notice->step, tries);
    bool both = strcmp(notice->language, "both") == 0;
    VigieMail mail = {.from = from,
                      .to = vigie_member(rung, "value"),
                      .subject = subject,
                      .text = text,
                      .lang = both ? "fr, en" : notice->language,
                      .auto_submitted = "no",
                      .message_id = message_id,
                      .in_reply_to = earlier,
                      .zone = vigie_config_zone(sending->notifier->config),
                      .cell = sending->notifier->cell,
                      .sign_with = sign_with,
                      .encrypt_to = sending->keys[0] ? (const char *const *)sending->keys : NULL};
    int64_t id = 0, contact = json_integer_value(json_object_get(rung, "contact"));
    return mail_queue_add(sending->store, &mail, key, sending->now, &id, error) &&
           keep_sent(sending, subject, message_id, id, contact, protection_of(sending, sign_with), error);
}

static bool add_call(Sending *sending, json_t *rung, const char *kind, const char *reason, GError **error) {
    Notice *notice = sending->notice;
    g_autofree char *key = g_strconcat("csirt.notice.task.", reason, NULL);
    json_t *details =
        json_pack("{s:I, s:O?, s:O?, s:{s:s, s:s}}", "notice", (json_int_t)notice->id, "contact",
                  json_object_get(rung, "contact"), "value", json_object_get(rung, "value"), "values",
                  "reference", notice->reference, "organisation", notice->organisation);
    VigieTime due = csirt_calendar_add_days(team_calendar(sending->notifier->team), sending->now, CALL_DAYS);
    return csirt_task_add(sending->store, "", notice->case_id, kind, key, details, NULL, due, sending->now,
                          NULL, error);
}

/* What may go to that contact by mail: the text, encrypted where it can be; or a message that says nothing but where to look. */
static bool send_mail(Sending *sending, json_t *rung, bool *ret_done, GError **error) {
    Notice *notice = sending->notice;
    g_auto(Scope) scope = {0};
    g_autofree char *reason = NULL;
    bool may = false, page = false;
    if (!scope_load(sending->store, notice->case_id, &scope, error))
        return false;
    sending->keys = keys_for(sending->store, sending->notifier, &scope, rung, sending->now);
    if (!notice_may_leave(sending->store, notice, "mail", sending->keys[0] != NULL, sending->now, &may,
                          &reason, error) ||
        !notice_may_leave(sending->store, notice, "page", false, sending->now, &page, NULL, error))
        return false;
    *ret_done = may || page;
    if (!may && !page)
        return notice_block(sending->store, notice, reason, NULL, sending->now, error);
    bool reminder = json_integer_value(json_object_get(rung, "tries")) > 0;
    sending->content_free = !may || reminder;
    sending->template = reminder ? "notice-reminder" : may ? NULL : "notice-link";
    if (!may && !reminder && (!make_link(sending, error) || !add_call(sending, rung, "call", "code", error)))
        return false;
    return queue_mail(sending, rung, error);
}

/* ---- The ladder ----------------------------------------------------------------------------------------------------- */
static json_t *now_on(const Notice *notice) {
    return json_array_get(notice->ladder, (size_t)notice->step);
}

static bool end_of_ladder(Sending *sending, GError **error) {
    Notice *notice = sending->notice;
    g_free(notice->state);
    notice->state = g_strdup("silent");
    notice->next = 0;
    return add_call(sending, NULL, "review", "silent", error) &&
           notice_write(sending->store, notice, error) &&
           entry_add(sending->store, notice->case_id, "", "notice-silent",
                     json_pack("{s:I}", "notice", (json_int_t)notice->id), sending->now, error);
}

/* A call waits for who makes it: the ladder goes on with its outcome. */
static bool perform(Sending *sending, json_t *rung, GError **error) {
    Notice *notice = sending->notice;
    const char *name = vigie_member(rung, "rung");
    bool mail = strcmp(name, "mail") == 0, done = true;
    int64_t tries = json_integer_value(json_object_get(rung, "tries"));
    if (mail ? !send_mail(sending, rung, &done, error)
             : !add_call(sending, rung, strcmp(name, "call") == 0 ? "call" : "private-message", name, error))
        return false;
    if (!done)
        return true;
    json_object_set_new(rung, "tries", json_integer(tries + 1));
    int days = ladder_wait(name, notice->band, tries + 1);
    notice->next =
        mail ? csirt_calendar_add_days(team_calendar(sending->notifier->team), sending->now, MAX(days, 1))
             : 0;
    notice->sent = notice->sent ? notice->sent : mail ? sending->now : 0;
    g_free(notice->state);
    notice->state = g_strdup("waiting");
    return notice_write(sending->store, notice, error) &&
           entry_add(sending->store, notice->case_id, "", tries > 0 ? "notice-reminded" : "notice-step",
                     json_pack("{s:I, s:s, s:I, s:b}", "notice", (json_int_t)notice->id, "rung", name,
                               "tries", (json_int_t)(tries + 1), "content_free", sending->content_free),
                     sending->now, error);
}

static bool step_on(Sending *sending, GError **error) {
    Notice *notice = sending->notice;
    for (json_t *rung; (rung = now_on(notice)); notice->step++) {
        int64_t tries = json_integer_value(json_object_get(rung, "tries"));
        if (tries == 0 || ladder_wait(vigie_member(rung, "rung"), notice->band, tries + 1) > 0)
            return perform(sending, rung, error);
    }
    return end_of_ladder(sending, error);
}

/* Where two workers hold the same job (a lease was lost), the second finds nothing to do. */
static bool claim(const Sending *sending, bool *ret_ours, GError **error) {
    const Notice *notice = sending->notice;
    int64_t rows = 0;
    if (!store_exec_count(
            sending->store, &rows, error,
            "UPDATE csirt_notice SET next = 0 WHERE id = $1 AND state = $2 AND step = $3 AND next = $4",
            "itii", notice->id, notice->state, notice->step, notice->next))
        return false;
    *ret_ours = rows == 1;
    return true;
}

/* Whatever a message cannot be made for (an address that SMTP cannot carry, no signing key) is for a person to see. */
static bool send_or_block(Sending *sending, GError **error) {
    GError *failure = NULL;
    g_autoptr(VigieTransaction) tx = store_begin(sending->store, error);
    bool ours = false;
    if (!tx || !claim(sending, &ours, error) || !ours)
        return tx && !(error && *error);
    if (step_on(sending, &failure))
        return store_commit(&tx, error);
    bool for_a_person = g_error_matches(failure, VIGIE_ERROR, VIGIE_ERROR_INVALID) ||
                        g_error_matches(failure, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND);
    if (!for_a_person) {
        g_propagate_error(error, failure);
        return false;
    }
    g_clear_pointer(&tx, store_rollback);
    g_autoptr(GError) why = failure;
    g_autoptr(VigieTransaction) again = store_begin(sending->store, error);
    g_auto(Notice) fresh = {0};
    return again && notice_load(sending->store, NULL, sending->notice->id, &fresh, error) &&
           notice_block(sending->store, &fresh, "csirt.notice.why.mail",
                        json_pack("{s:s}", "reason", why->message), sending->now, error) &&
           store_commit(&again, error);
}

bool csirt_notice_work(VigieStore *store, const VigieNotifier *notifier, const json_t *payload, VigieTime now,
                       GError **error) {
    g_auto(Notice) notice = {0};
    GError *failure = NULL;
    int64_t id = json_integer_value(json_object_get(payload, "notice"));
    if (!notice_load(store, NULL, id, &notice, &failure)) {
        bool gone = g_error_matches(failure, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND);
        if (gone)
            g_error_free(failure);
        else
            g_propagate_error(error, failure);
        return gone;
    }
    bool due = strcmp(notice.state, "ready") == 0 ||
               (strcmp(notice.state, "waiting") == 0 && notice.next > 0 && notice.next <= now);
    if (!due || !notice.case_active)
        return true;
    Sending sending = {.store = store, .notifier = notifier, .notice = &notice, .now = now};
    bool well = send_or_block(&sending, error);
    g_free(sending.link);
    g_strfreev(sending.keys);
    return well;
}
