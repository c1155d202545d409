/* Which case a message belongs to, and which party of it wrote. */
#include "csirt/inbound-parts.h"

#include <string.h>

enum { MERGES_MAX = 10 };

/* The first integer of a query that may have no row; 0 then. */
static bool first_id(VigieRows *rows, int64_t *ret_id, GError **error) {
    GError *failure = NULL;
    *ret_id = 0;
    if (rows && rows_next(rows, &failure))
        *ret_id = rows_int(rows, 0);
    return rows_ended(rows, &failure, error);
}

static bool case_of_message(VigieStore *store, const char *message_id, int64_t *ret_case, GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        store, error, "SELECT case_id FROM csirt_message WHERE message_id = $1 ORDER BY id LIMIT 1", "t",
        message_id);
    if (!first_id(rows, ret_case, error) || *ret_case)
        return *ret_case != 0;
    g_autoptr(VigieRows) notices =
        store_query(store, error,
                    "SELECT n.case_id FROM csirt_notice_mail m JOIN csirt_notice n ON n.id = "
                    "m.notice_id WHERE m.message_id = $1",
                    "t", message_id);
    return first_id(notices, ret_case, error);
}

static bool case_of_reference(VigieStore *store, const VigieTeam *team, const char *subject,
                              int64_t *ret_case, GError **error) {
    g_autoptr(GArray) found = csirt_references_find(team_prefix(team), subject);
    for (guint i = 0; i < found->len && *ret_case == 0; i++) {
        g_autofree char *reference =
            csirt_reference_text(team_prefix(team), g_array_index(found, VigieReference, i));
        g_autoptr(VigieRows) rows =
            store_query(store, error, "SELECT id FROM csirt_case WHERE reference = $1", "t", reference);
        if (!first_id(rows, ret_case, error))
            return false;
    }
    return true;
}

/* Where a case was merged into another, the other. */
static bool follow_merges(VigieStore *store, int64_t *id, GError **error) {
    for (int i = 0; i < MERGES_MAX && *id; i++) {
        int64_t into = 0;
        if (!store_get_int(store, &into, error, "SELECT merged_into FROM csirt_case WHERE id = $1", "i", *id))
            return false;
        if (into == 0)
            return true;
        *id = into;
    }
    return true;
}

static bool case_of_list(const Filing *filing, const char *member, int64_t *ret_case, GError **error) {
    const json_t *ids = json_object_get(filing->about, member);
    for (size_t i = json_array_size(ids); i-- > 0 && *ret_case == 0;) {
        GError *failure = NULL;
        if (!case_of_message(filing->store, json_string_value(json_array_get(ids, i)), ret_case, &failure) &&
            failure) {
            g_propagate_error(error, failure);
            return false;
        }
    }
    return true;
}

/* The subject that decides by itself: one that joined a case would be acknowledged otherwise, and tell a stranger that what he
 * caught and changed still decrypts (mail/read.h, "malleable"). */
static const char *subject_of(const Filing *filing) {
    const char *outer = vigie_member(filing->about, "outer_subject");
    bool malleable = json_is_true(json_object_get(filing->about, "malleable"));
    return malleable && outer ? outer : vigie_member(filing->about, "subject");
}

bool inbound_case(const Filing *filing, int64_t *ret_case, GError **error) {
    *ret_case = 0;
    if (!case_of_list(filing, "in_reply_to", ret_case, error) ||
        !case_of_list(filing, "references", ret_case, error))
        return false;
    if (*ret_case == 0 &&
        !case_of_reference(filing->store, filing->notifier->team, subject_of(filing), ret_case, error))
        return false;
    return follow_merges(filing->store, ret_case, error);
}

const json_t *inbound_sender(const Filing *filing) {
    return json_array_get(json_object_get(filing->about, "from"), 0);
}

bool inbound_party(const Filing *filing, int64_t id, int64_t *ret_party, GError **error) {
    const json_t *sender = inbound_sender(filing);
    const char *address = vigie_member(sender, "address");
    *ret_party = 0;
    if (!address || !*address)
        return true;
    g_autofree char *lower = g_utf8_strdown(address, -1);
    g_autoptr(VigieRows) rows =
        store_query(filing->store, error,
                    "SELECT id FROM csirt_party WHERE case_id = $1 AND lower(mail) = $2 ORDER BY id LIMIT 1",
                    "it", id, lower);
    if (!first_id(rows, ret_party, error) || *ret_party)
        return *ret_party != 0;
    const char *name = vigie_member(sender, "name");
    g_autofree char *short_name = inbound_line(name && *name ? name : address, INBOUND_LINE);
    g_autofree char *mail = inbound_line(address, INBOUND_LINE);
    g_autoptr(json_t) fields =
        json_pack("{s:s, s:s, s:s}", "role", "other", "name", short_name, "mail", mail);
    return csirt_party_save(filing->store, "", id, 0, fields, filing->now, ret_party, NULL, error);
}

char *inbound_line(const char *text, long most) {
    g_autofree char *clean = csirt_line_clean(text ? text : "");
    return g_utf8_strlen(clean, -1) > most ? g_utf8_substring(clean, 0, most) : g_steal_pointer(&clean);
}
