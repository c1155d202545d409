/* Filing: each message in one transaction with the mark that it is filed. */
#include "csirt/duty.h"
#include "csirt/inbound-parts.h"

#include <inttypes.h>
#include <string.h>

enum { ARTEFACTS_MAX = 100, LOOK_WITHIN = 4 * 3600 };

/* ---- What it says of itself ----------------------------------------------------------------------------------- */
static const char *automatic_kind(const Filing *filing) {
    return vigie_member(json_object_get(filing->about, "automatic"), "kind");
}

static bool is_true(const json_t *object, const char *member) {
    return json_is_true(json_object_get(object, member));
}

/* Whether a person has to look at the raw message. */
static bool needs_look(const Filing *filing) {
    const json_t *encryption = json_object_get(filing->about, "encryption");
    return !is_true(filing->about, "readable") ||
           (json_is_object(encryption) && !is_true(encryption, "decrypted")) ||
           json_array_size(json_object_get(filing->about, "problems")) > 0 ||
           filing->mail->size > (int64_t)g_bytes_get_size(filing->mail->raw);
}

/* How well it was protected on its way, as the message's row keeps it; who wrote, where that may be kept. */
static json_t *protection(const Filing *filing, bool sender) {
    json_t *kept = json_pack("{s:O, s:O, s:O}", "encryption", json_object_get(filing->about, "encryption"),
                             "signatures", json_object_get(filing->about, "signatures"), "problems",
                             json_object_get(filing->about, "problems"));
    const json_t *outer = json_object_get(filing->about, "outer_subject");
    json_object_set(kept, "outer_subject", (json_t *)outer);
    if (sender)
        json_object_set(kept, "from", json_object_get(filing->about, "from"));
    return kept;
}

static bool is_urgent(const Filing *filing) {
    g_autofree char *upper = g_ascii_strup(vigie_member(filing->about, "subject"), -1);
    return strstr(upper, "[URGENT]") != NULL;
}

/* ---- What goes into the case ------------------------------------------------------------------------------------ */
/* Without a key to seal them artefacts cannot be kept: the raw message still is, and somebody is told. */
static bool add_artefact(const Filing *filing, int64_t id, int64_t message, const char *name, GBytes *content,
                         bool *look, GError **error) {
    gsize size = 0;
    const void *data = g_bytes_get_data(content, &size);
    if (!team_artefact_keys(filing->notifier->team)) {
        *look = true;
        return true;
    }
    return size == 0 || csirt_artefact_add(filing->store, filing->notifier->team, "", id, message, name,
                                           vigie_bytes(data, size), filing->now, NULL, error);
}

static bool add_attachments(const Filing *filing, int64_t id, int64_t message, bool *look, GError **error) {
    const json_t *attachments = json_object_get(filing->about, "attachments");
    size_t count = json_array_size(attachments);
    *look = *look || count > ARTEFACTS_MAX;
    for (size_t i = 0; i < MIN(count, (size_t)ARTEFACTS_MAX); i++) {
        const json_t *attachment = json_array_get(attachments, i);
        g_autoptr(GBytes) content = mail_read_attachment(filing->read, attachment);
        if (content &&
            !add_artefact(filing, id, message, vigie_member(attachment, "name"), content, look, error))
            return false;
    }
    return true;
}

/* The message as it came, beside its case: where it may not be known who wrote, sealed to the head of the CSIRT alone. *ret_advice:
 * the key of the words that say how to read it. What can be sealed to nobody is not kept. */
static bool keep_raw(const Filing *filing, int64_t id, int64_t message, bool open, const char **ret_advice,
                     GError **error) {
    gsize size = 0;
    const void *data = g_bytes_get_data(filing->mail->raw, &size);
    bool ignored = false;
    g_autoptr(GBytes) sealed = open || !team_artefact_keys(filing->notifier->team)
                                   ? NULL
                                   : team_seal(filing->notifier->team, vigie_bytes(data, size), NULL);
    *ret_advice = open     ? "csirt.inbound.look.text"
                  : sealed ? "csirt.inbound.look.sealed"
                           : "csirt.inbound.look.erased";
    if (open)
        return add_artefact(filing, id, message, "message.eml", filing->mail->raw, &ignored, error);
    return !sealed || add_artefact(filing, id, message, "message.eml.p7m", sealed, &ignored, error);
}

static bool ask_look(const Filing *filing, int64_t id, int64_t message, bool open, GError **error) {
    const char *advice = NULL;
    if (!keep_raw(filing, id, message, open, &advice, error))
        return false;
    json_t *details = json_pack("{s:I, s:O, s:O, s:{}, s:s}", "inbound", (json_int_t)filing->mail->id,
                                "problems", json_object_get(filing->about, "problems"), "encryption",
                                json_object_get(filing->about, "encryption"), "values", "advice", advice);
    return csirt_task_add(filing->store, "", id, "read-mail", "csirt.inbound.look", details, NULL,
                          filing->now + LOOK_WITHIN, filing->now, NULL, error);
}

/* `open`: of who wrote may be kept what the message says. */
static bool add_message(const Filing *filing, int64_t id, const char *reference, int64_t party, bool open,
                        GError **error) {
    g_autoptr(json_t) kept = protection(filing, open);
    g_autofree char *key = g_strdup_printf("inbound:%" PRId64, filing->mail->id);
    g_autofree char *subject = inbound_line(vigie_member(filing->about, "subject"), INBOUND_LINE * 5);
    const VigieCaseMessage message = {.party = party,
                                      .direction = "in",
                                      .channel = "mail",
                                      .subject = subject,
                                      .body = vigie_member(filing->about, "text"),
                                      .protection = kept,
                                      .mail = filing->mail->id,
                                      .message_id = vigie_member(filing->about, "message_id"),
                                      .unique_key = key};
    int64_t added = 0;
    bool look = needs_look(filing);
    return csirt_message_add(filing->store, filing->notifier->team, id, &message, filing->now, &added,
                             error) &&
           add_attachments(filing, id, added, &look, error) &&
           (!look || ask_look(filing, id, added, open, error)) &&
           (open || mail_inbound_erase(filing->store, filing->mail->id, error)) &&
           (!is_urgent(filing) ||
            duty_raise(filing->store, filing->notifier, id, reference, filing->now, error));
}

/* ---- A case that is there ----------------------------------------------------------------------------------------- */
/* What the ladder of a notice waited for. */
static bool tell_notices(const Filing *filing, GError **error) {
    static const char *const members[] = {"in_reply_to", "references"};
    for (size_t m = 0; m < G_N_ELEMENTS(members); m++) {
        const json_t *ids = json_object_get(filing->about, members[m]);
        for (size_t i = 0; i < json_array_size(ids); i++) {
            g_autoptr(GError) failure = NULL;
            csirt_notice_replied(filing->store, json_string_value(json_array_get(ids, i)), filing->now,
                                 &failure);
            if (failure) {
                g_propagate_error(error, g_steal_pointer(&failure));
                return false;
            }
        }
    }
    return true;
}

/* More from outside takes up again what was over. */
static bool reopen(const Filing *filing, const Case *of, GError **error) {
    const char *next = strcmp(of->state, "rejected") == 0 ? "acknowledged" : "in-progress";
    return of->active || csirt_case_move(filing->store, filing->notifier->team, NULL, of->id, next,
                                         "csirt.inbound.again", filing->now, error);
}

/* It comes first until a person says otherwise: the line tells why, and the box of the case takes it back. */
static bool press(const Filing *filing, const Case *of, GError **error) {
    if (of->urgent || !is_urgent(filing))
        return true;
    g_autoptr(json_t) fields = json_pack("{s:b, s:s}", "urgent", 1, "reason", "csirt.inbound.pressed");
    return csirt_case_change(filing->store, filing->notifier->team, NULL, of->id, fields, filing->now, error);
}

static bool join(const Filing *filing, int64_t id, char **ret_outcome, GError **error) {
    g_auto(Case) of = {0};
    int64_t party = 0;
    if (!case_load(filing->store, NULL, id, &of, error))
        return false;
    bool open = strcmp(of.source, "open") == 0;
    if ((open && !inbound_party(filing, id, &party, error)) ||
        !add_message(filing, id, of.reference, party, open, error) || !tell_notices(filing, error) ||
        !reopen(filing, &of, error) || !press(filing, &of, error))
        return false;
    *ret_outcome = g_strdup(of.reference);
    return true;
}

/* ---- A new one ------------------------------------------------------------------------------------------------------- */
static json_t *declarant(const Filing *filing) {
    const json_t *sender = inbound_sender(filing);
    g_autofree char *name = inbound_line(vigie_member(sender, "name"), INBOUND_LINE);
    g_autofree char *mail = inbound_line(vigie_member(sender, "address"), INBOUND_LINE);
    return *mail ? json_pack("{s:s, s:s}", "name", *name ? name : mail, "mail", mail) : NULL;
}

static bool open_case(const Filing *filing, VigieOpened *ret_opened, GError **error) {
    g_autoptr(json_t) who = declarant(filing);
    g_autofree char *subject = inbound_line(vigie_member(filing->about, "subject"), INBOUND_LINE);
    g_autofree char *key = g_strdup_printf("inbound:%" PRId64, filing->mail->id);
    const VigieOpening opening = {
        .kind = strcmp(filing->mail->mailbox, "incident") == 0 ? "incident" : "request",
        .channel = "mail",
        .source = "open",
        .title = *subject ? subject : vigie_word(VIGIE_FR, "csirt.inbound.no-subject"),
        .urgent = is_urgent(filing),
        .declarant = who,
        .unique_key = key};
    return csirt_case_open(filing->store, filing->notifier->team, &opening, filing->now, ret_opened, error);
}

static bool open_new(const Filing *filing, char **ret_outcome, GError **error) {
    g_auto(VigieOpened) opened = {0};
    int64_t party = 0;
    if (!open_case(filing, &opened, error) || !inbound_party(filing, opened.id, &party, error) ||
        !add_message(filing, opened.id, opened.reference, party, true, error) ||
        !inbound_acknowledge(filing, opened.id, opened.reference, error))
        return false;
    *ret_outcome = g_strdup(opened.reference);
    return true;
}

/* ---- What answers by itself ------------------------------------------------------------------------------------------- */
/* A line where a case is known by it; nothing else comes of it. */
static bool note(const Filing *filing, int64_t id, const char *kind, json_t *details, char **ret_outcome,
                 GError **error) {
    *ret_outcome = g_strdup_printf("%s, case %" PRId64, kind, id);
    if (id)
        return csirt_entry_add(filing->store, id, "", kind, details, filing->now, error);
    json_decref(details);
    return true;
}

static bool file_bounce(const Filing *filing, char **ret_outcome, GError **error) {
    const json_t *bounce = json_object_get(filing->about, "bounce");
    const json_t *first = json_array_get(json_object_get(bounce, "recipients"), 0);
    const char *ours = vigie_member(bounce, "message_id");
    g_autofree char *why =
        g_strjoin(" ", vigie_member(first, "status") ? vigie_member(first, "status") : "",
                  vigie_member(first, "diagnostic") ? vigie_member(first, "diagnostic") : "", NULL);
    g_autofree char *reason = inbound_line(g_strstrip(why), INBOUND_LINE * 5);
    const char *action = vigie_member(first, "action");
    bool failed = !action || !*action || strcmp(action, "failed") == 0;
    g_autoptr(GError) failure = NULL;
    if (ours && failed)
        csirt_notice_bounced(filing->store, ours, reason, filing->now, &failure);
    if (failure) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    Filing about_ours = *filing;
    g_autoptr(json_t) known =
        json_pack("{s:[s*], s:[], s:s}", "in_reply_to", ours, "references", "subject", "");
    about_ours.about = known;
    int64_t id = 0;
    return inbound_case(&about_ours, &id, error) &&
           note(filing, id, "bounced",
                json_pack("{s:O?, s:s, s:b}", "recipients", json_object_get(bounce, "recipients"), "why",
                          reason, "failed", failed),
                ret_outcome, error);
}

static bool file_automatic(const Filing *filing, char **ret_outcome, GError **error) {
    int64_t id = 0;
    return inbound_case(filing, &id, error) &&
           note(filing, id, "autoreply",
                json_pack("{s:O, s:O}", "subject", json_object_get(filing->about, "subject"), "why",
                          json_object_get(json_object_get(filing->about, "automatic"), "why")),
                ret_outcome, error);
}

static bool file_by_kind(const Filing *filing, char **ret_outcome, GError **error) {
    const char *kind = automatic_kind(filing);
    int64_t id = 0;
    if (is_true(filing->about, "loop")) {
        *ret_outcome = g_strdup("loop");
        return true;
    }
    if (g_strcmp0(kind, "bounce") == 0)
        return file_bounce(filing, ret_outcome, error);
    if (g_strcmp0(kind, "reply") == 0 || g_strcmp0(kind, "receipt") == 0)
        return file_automatic(filing, ret_outcome, error);
    if (!inbound_case(filing, &id, error))
        return false;
    return id ? join(filing, id, ret_outcome, error) : open_new(filing, ret_outcome, error);
}

/* ---- The work ------------------------------------------------------------------------------------------------------------ */
static bool file_one(VigieStore *store, const VigieNotifier *notifier, const VigieMailInbound *mail,
                     VigieTime now, GError **error) {
    g_autoptr(VigieMailRead) read = mail_read(notifier->cell, mail->raw, error);
    g_autoptr(VigieTransaction) tx = read ? store_begin(store, error) : NULL;
    if (!tx)
        return false;
    const Filing filing = {store, notifier, mail, read, read->about, now};
    g_autofree char *outcome = NULL;
    return file_by_kind(&filing, &outcome, error) &&
           mail_inbound_done(store, mail->id, outcome, now, error) && store_commit(&tx, error);
}

/* Whether the next one can be tried after this failure; the failure is kept with the message. */
static bool go_on(VigieStore *store, const VigieNotifier *notifier, int64_t id, const GError *failure,
                  VigieTime now, GError **error) {
    if (g_error_matches(failure, VIGIE_ERROR, VIGIE_ERROR_CONFLICT))
        return true; /* filed by another meanwhile */
    if (!mail_cell_alive(notifier->cell)) {
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE, failure->message);
        return false;
    }
    return mail_inbound_failed(store, id, failure->message, now, error);
}

bool csirt_inbound_work(VigieStore *store, const VigieNotifier *notifier, const volatile int *stop,
                        VigieTime (*clock)(void), GError **error) {
    for (int64_t after = 0; !*stop;) {
        g_autoptr(GError) failure = NULL;
        g_autoptr(VigieMailInbound) mail = mail_inbound_next(store, after, clock(), &failure);
        if (failure) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return false;
        }
        if (!mail)
            return true;
        after = mail->id;
        if (!file_one(store, notifier, mail, clock(), &failure) &&
            !go_on(store, notifier, mail->id, failure, clock(), error))
            return false;
    }
    return true;
}
