/* Parties and messages: each party in a thread of its own. */
#include "csirt/internal.h"

#include <inttypes.h>
#include <string.h>

static const char *const roles[] = {"declarant", "organisation", "isp",   "csirt",
                                    "authority", "supplier",     "other", NULL};

/* ---- Parties ------------------------------------------------------------------------------------------------ */
static const char *const party_members[] = {"role",        "name",    "mail", "phone", "language",
                                            "fingerprint", "partner", "sees", NULL};

static bool check_sees(const json_t *sees, GError **error) {
    if (!sees)
        return true;
    for (size_t i = 0; i < json_array_size(sees); i++) {
        const char *member = json_string_value(json_array_get(sees, i));
        if (!member || !json_object_get(csirt_members(), member))
            return csirt_invalid(error, "sees: %s is no member of a case",
                                 member ? member : "what is no text");
    }
    return json_is_array(sees) || csirt_invalid(error, "sees: a list of members is wanted");
}

static bool check_party(const json_t *fields, bool new, GError **error) {
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)fields, name, value) {
        if (!csirt_one_of("party", name, party_members, error) ||
            !csirt_line_check(name, json_string_value(value), CSIRT_LINE_MAX, error))
            return false;
    }
    const char *role = vigie_member(fields, "role");
    if (new && (!role || !vigie_member(fields, "name")))
        return csirt_invalid(error, "a party has a role and a name");
    return (!role || csirt_one_of("role", role, roles, error)) &&
           check_sees(json_object_get(fields, "sees"), error);
}

static bool insert_party(VigieStore *store, int64_t id, const json_t *fields, VigieTime now, int64_t *ret_id,
                         GError **error) {
    return store_get_int(
        store, ret_id, error,
        "INSERT INTO csirt_party (case_id, role, name, created) VALUES ($1, $2, $3, $4) RETURNING id", "itti",
        id, vigie_member(fields, "role"), vigie_member(fields, "name"), now);
}

static bool write_party(VigieStore *store, int64_t id, int64_t party, const json_t *fields, GError **error) {
    for (size_t i = 0; party_members[i]; i++) {
        const json_t *value = json_object_get(fields, party_members[i]);
        if (!value)
            continue;
        int64_t changed = 0;
        g_autofree char *list = json_is_array(value) ? vigie_json_text(value) : NULL;
        const char *text = list ? list : json_string_value(value);
        g_autofree char *sql = g_strdup_printf(
            "UPDATE csirt_party SET %s = $3 WHERE id = $1 AND case_id = $2", party_members[i]);
        if (!store_exec_count(store, &changed, error, sql, "iit", party, id, text ? text : ""))
            return false;
        if (changed == 0) {
            g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "party %" PRId64 ": this case has none",
                        party);
            return false;
        }
    }
    return true;
}

/* A code by which the party checks that a message is ours. */
static bool give_code(VigieStore *store, int64_t party, char **ret_code, GError **error) {
    if (!ret_code)
        return true;
    g_autofree char *code = csirt_code_new(CSIRT_CODE_NOTICE);
    g_autofree char *hash = csirt_code_hash(code);
    if (!store_exec(store, error, "UPDATE csirt_party SET code = $2 WHERE id = $1", "it", party, hash))
        return false;
    *ret_code = g_steal_pointer(&code);
    return true;
}

bool csirt_party_save(VigieStore *store, const char *author, int64_t id, int64_t party, const json_t *fields,
                      VigieTime now, int64_t *ret_id, char **ret_code, GError **error) {
    g_auto(Case) of = {0};
    g_autofree char *code = NULL;
    int64_t saved = party;
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !check_party(fields, party == 0, error) || !case_load(store, NULL, id, &of, error) ||
        (party == 0 && !insert_party(store, id, fields, now, &saved, error)) ||
        !write_party(store, id, saved, fields, error) ||
        !give_code(store, saved, ret_code ? &code : NULL, error))
        return false;
    json_t *details = json_pack("{s:I, s:s?, s:O?}", "party", (json_int_t)saved, "role",
                                vigie_member(fields, "role"), "sees", json_object_get(fields, "sees"));
    if (!entry_add(store, id, author, "party", details, now, error) || !store_commit(&tx, error))
        return false;
    if (ret_id)
        *ret_id = saved;
    if (ret_code)
        *ret_code = g_steal_pointer(&code);
    return true;
}

/* ---- Messages ----------------------------------------------------------------------------------------------- */
static const char *const directions[] = {"in", "out", NULL};
static const char *const channels[] = {"form", "mail", "phone", "private", NULL};

static bool check_message(const VigieCaseMessage *message, GError **error) {
    return csirt_one_of("direction", message->direction, directions, error) &&
           csirt_one_of("channel", message->channel, channels, error) &&
           csirt_size_check("subject", message->subject, CSIRT_NOTE_BYTES, error) &&
           csirt_size_check("body", message->body, CSIRT_BODY_BYTES, error) &&
           csirt_line_check("message_id", message->message_id, CSIRT_LINE_MAX * 5, error);
}

/* *ret_id stays 0 where the key was there already. */
static bool insert_message(VigieStore *store, int64_t id, const VigieCaseMessage *message, VigieTime now,
                           int64_t *ret_id, GError **error) {
    g_autofree char *subject = csirt_line_clean(message->subject), *body = csirt_text_clean(message->body);
    g_autofree char *protection = message->protection ? vigie_json_text(message->protection) : g_strdup("{}");
    g_autoptr(VigieRows) rows = store_query(
        store, error,
        "INSERT INTO csirt_message (case_id, party_id, direction, channel, time, author, subject, body, "
        "protection, "
        "mail_id, message_id, unique_key) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) "
        "ON CONFLICT (unique_key) DO NOTHING RETURNING id",
        "iittittttitt", id, message->party, message->direction, message->channel, now,
        message->author ? message->author : "", subject, body, protection, message->mail,
        message->message_id ? message->message_id : "", message->unique_key);
    GError *failure = NULL;
    if (rows && rows_next(rows, &failure))
        *ret_id = rows_int(rows, 0);
    return rows_ended(rows, &failure, error);
}

static bool note_answer(VigieStore *store, const VigieTeam *team, int64_t id, const VigieCaseMessage *message,
                        VigieTime now, GError **error) {
    if (strcmp(message->direction, "out") != 0 || !message->author || !*message->author)
        return true;
    return store_exec(store, error, "UPDATE csirt_case SET answered = $2 WHERE id = $1 AND answered = 0",
                      "ii", id, now) &&
           case_judge(store, team, id, now, error);
}

static bool add_message(VigieStore *store, const VigieTeam *team, int64_t id, const VigieCaseMessage *message,
                        VigieTime now, int64_t message_id, GError **error) {
    json_t *details =
        json_pack("{s:I, s:s, s:s, s:I}", "message", (json_int_t)message_id, "direction", message->direction,
                  "channel", message->channel, "party", (json_int_t)message->party);
    return entry_add(store, id, message->author, "message", details, now, error) &&
           note_answer(store, team, id, message, now, error) && case_words_changed(store, id, error);
}

bool csirt_message_add(VigieStore *store, const VigieTeam *team, int64_t id, const VigieCaseMessage *message,
                       VigieTime now, int64_t *ret_id, GError **error) {
    int64_t found = 0;
    g_auto(Case) of = {0};
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !check_message(message, error) || !case_load(store, NULL, id, &of, error) ||
        !insert_message(store, id, message, now, &found, error))
        return false;
    bool known = found == 0;
    if (known ? !store_get_int(store, &found, error, "SELECT id FROM csirt_message WHERE unique_key = $1",
                               "t", message->unique_key)
              : !add_message(store, team, id, message, now, found, error))
        return false;
    if (!store_commit(&tx, error))
        return false;
    if (ret_id)
        *ret_id = found;
    return true;
}
