/* Whoever is on duty, raised: a call is a task for the desk, and a mail goes to the address that the roster has. */
#include "csirt/duty.h"
#include "csirt/telling.h"

#include <inttypes.h>

typedef struct {
    const VigieNotifier *notifier;
    int64_t id;
    const char *reference;
} Raised;

static json_t *view_of(VigieLang lang, void *data) {
    (void)lang;
    const Raised *raised = data;
    return json_pack("{s:s, s:I, s:s, s:O}", "reference", raised->reference, "id", (json_int_t)raised->id,
                     "url", vigie_config_text(raised->notifier->config, "site.url"), "team",
                     json_object_get(csirt_team_json(raised->notifier->team), "name"));
}

/* In clear, to a phone that lies on a table: nothing of the case but its reference. */
static bool send(VigieStore *store, const Raised *raised, const char *address, int64_t task, VigieTime now,
                 GError **error) {
    const VigieConfig *config = raised->notifier->config;
    const char *language = vigie_member(csirt_team_json(raised->notifier->team), "language");
    g_autofree char *subject = NULL, *text = NULL, *key = g_strdup_printf("csirt-duty:%" PRId64, task);
    if (!notice_render("duty", language, view_of, (void *)raised, &subject, &text, error))
        return false;
    VigieMail mail = {.from = vigie_config_text(config, "mail.from"),
                      .to = address,
                      .subject = subject,
                      .text = text,
                      .lang = language,
                      .auto_submitted = "auto-generated",
                      .zone = vigie_config_zone(config)};
    int64_t queued = 0;
    return mail_queue_add(store, &mail, key, now, &queued, error) &&
           entry_add(store, raised->id, "", "duty", json_pack("{s:I}", "mail", (json_int_t)queued), now,
                     error);
}

/* A call that waits already is enough, however many mails say that it is urgent. */
static bool waits(VigieStore *store, int64_t id, bool *ret_waits, GError **error) {
    int64_t open = 0;
    if (!store_get_int(
            store, &open, error,
            "SELECT COUNT(*) FROM csirt_task WHERE case_id = $1 AND done = 0 AND kind = 'call' AND "
            "title LIKE 'csirt.duty.%'",
            "i", id))
        return false;
    *ret_waits = open > 0;
    return true;
}

bool duty_raise(VigieStore *store, const VigieNotifier *notifier, int64_t id, const char *reference,
                VigieTime now, GError **error) {
    const json_t *roster = json_object_get(csirt_team_json(notifier->team), "roster");
    g_autoptr(json_t) person = csirt_roster_at(roster, team_zone(notifier->team), now);
    const char *name = vigie_member(person, "name"), *address = vigie_member(person, "mail");
    g_autofree char *who = g_strjoin(" ", name ? name : "", vigie_member_text(person, "phone"), NULL);
    Raised raised = {notifier, id, reference};
    bool waiting = false, mails = address && *vigie_config_text(notifier->config, "mail.server") &&
                                  *vigie_config_text(notifier->config, "mail.from");
    int64_t task = 0;
    if (!waits(store, id, &waiting, error) || waiting)
        return waiting;
    return csirt_task_add(store, "", id, "call", name ? "csirt.duty.call" : "csirt.duty.nobody",
                          json_pack("{s:{s:s}}", "values", "who", g_strstrip(who)),
                          vigie_member(person, "account"), now, now, &task, error) &&
           (!mails || send(store, &raised, address, task, now, error));
}
