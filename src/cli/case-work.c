/* vigie case: what changes something. */
#include "cli/case.h"
#include "cli/fleet-print.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_MAX = 1 << 20, MESSAGES_MAX = 64 };

/* What was done, by the reference that it was done to. */
static bool tell(const CaseCall *call, bool done, const char *key, json_t *result) {
    g_autoptr(json_t) owned = result;
    if (!done)
        return false;
    if (call->json)
        fleet_print_json(owned);
    else
        case_say(call, key, "reference", call->rest[0] ? call->rest[0] : "");
    return true;
}

static json_t *named(const CaseCall *call) {
    return json_pack("{s:s}", "reference", call->rest[0]);
}

/* ---- Values ------------------------------------------------------------------------------------------------- */
/* "true", "3", "[…]" as JSON; nothing as null; the rest as text. */
static json_t *value_of(const char *text) {
    json_t *value = *text ? json_loads(text, JSON_DECODE_ANY, NULL) : json_null();
    return value && !json_is_object(value) ? value : json_string(text);
}

/* A fact as its type wants it: one of several choices may be named without brackets. */
static json_t *fact_of(const char *name, const char *text) {
    const char *type = json_string_value(json_object_get(json_object_get(csirt_facts(), name), "type"));
    if (type && strcmp(type, "choices") == 0 && *text && *text != '[')
        return case_list_of(text);
    if (type && (strcmp(type, "text") == 0 || strcmp(type, "choice") == 0) && *text)
        return json_string(text);
    return value_of(text);
}

/* "facts.patients=proven" into { "facts": { "patients": "proven" } }. */
static bool set_assignment(json_t *fields, const char *text, GError **error) {
    const char *equals = strchr(text, '=');
    if (!equals)
        return case_refuse(error, "NAME=VALUE is wanted, as in likelihood=certain");
    g_autofree char *name = g_strndup(text, (gsize)(equals - text));
    const char *dot = strchr(name, '.');
    if (!dot) {
        bool flag = strcmp(name, "urgent") == 0 || strcmp(name, "restricted") == 0 ||
                    strcmp(name, "organisation") == 0;
        json_object_set_new(fields, name,
                            flag || !equals[1] ? value_of(equals + 1) : json_string(equals + 1));
        return true;
    }
    g_autofree char *group = g_strndup(name, (gsize)(dot - name));
    json_t *inner = json_object_get(fields, group);
    if (!inner) {
        inner = json_object();
        json_object_set_new(fields, group, inner);
    }
    bool fact = strcmp(group, "facts") == 0;
    json_object_set_new(inner, dot + 1, fact ? fact_of(dot + 1, equals + 1) : value_of(equals + 1));
    return true;
}

static json_t *text_value(const char *text) {
    return text ? json_string(text) : json_null();
}

/* ---- Opening ------------------------------------------------------------------------------------------------ */
static json_t *read_facts(const CaseCall *call, GError **error) {
    g_autoptr(json_t) fields = json_object();
    for (char **fact = call->facts; fact && *fact; fact++) {
        g_autofree char *assignment = g_strconcat("facts.", *fact, NULL);
        if (!set_assignment(fields, assignment, error))
            return NULL;
    }
    json_t *facts = json_object_get(fields, "facts");
    return facts ? json_incref(facts) : json_object();
}

static json_t *declarant_of(const CaseCall *call) {
    if (!call->name && !call->mail && !call->phone)
        return NULL;
    return json_pack("{s:o, s:o, s:o}", "name", text_value(call->name), "mail", text_value(call->mail),
                     "phone", text_value(call->phone));
}

/* The whole of a file, "-" the standard input; `most` octets. */
static GBytes *read_file(const char *path, size_t most, GError **error) {
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    if (!file) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "%s: it cannot be read (%s)", path,
                    g_strerror(errno));
        return NULL;
    }
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    uint8_t part[16384];
    for (size_t size; bytes->len <= most && (size = fread(part, 1, sizeof part, file)) > 0;)
        g_byte_array_append(bytes, part, (guint)size);
    bool well = !ferror(file);
    int reason = errno;
    if (file != stdin)
        fclose(file);
    if (well && bytes->len <= most)
        return g_byte_array_free_to_bytes(g_steal_pointer(&bytes));
    if (well)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_LIMIT, "%s: more than %zu octets is not taken", path,
                    most);
    else
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE, "%s: it cannot be read (%s)", path,
                    g_strerror(reason));
    return NULL;
}

static char *read_text(const CaseCall *call, GError **error) {
    if (!call->text)
        return g_strdup("");
    g_autoptr(GBytes) bytes = read_file(call->text, TEXT_MAX, error);
    gsize size = 0;
    const char *data = bytes ? g_bytes_get_data(bytes, &size) : NULL;
    return bytes ? g_strndup(data ? data : "", size) : NULL;
}

static bool run_open(CaseCall *call, GError **error) {
    g_auto(VigieOpened) opened = {0};
    g_autoptr(json_t) declarant = declarant_of(call);
    g_autofree char *text = read_text(call, error);
    g_autoptr(json_t) facts = text ? read_facts(call, error) : NULL;
    if (!facts || !call->title)
        return facts ? case_refuse(error, "--title is wanted: what the case is about") : false;
    const VigieOpening opening = {.kind = call->kind ? call->kind : "incident",
                                  .channel = call->channel ? call->channel : "phone",
                                  .source = call->source ? call->source : "open",
                                  .title = call->title,
                                  .organisation = call->organisation_id,
                                  .organisation_name = call->organisation,
                                  .tlp = call->tlp,
                                  .pap = call->pap,
                                  .urgent = call->urgent,
                                  .facts = facts,
                                  .text = text,
                                  .declarant = declarant,
                                  .author = call->who.name};
    if (!call->who.may)
        return case_denied(error);
    if (!csirt_case_open(call->store, call->team, &opening, call->now, &opened, error))
        return false;
    if (call->json) {
        g_autoptr(json_t) told =
            json_pack("{s:s, s:s}", "reference", opened.reference, "receipt", opened.receipt);
        fleet_print_json(told);
        return true;
    }
    case_say(call, "case.opened", "reference", opened.reference);
    case_say(call, "case.receipt", "code", opened.receipt);
    return true;
}

/* ---- Changing ----------------------------------------------------------------------------------------------- */
static bool run_change(CaseCall *call, GError **error) {
    int64_t id = 0;
    g_autoptr(json_t) fields = json_object();
    for (char **assignment = call->rest + 1; *assignment; assignment++)
        if (!set_assignment(fields, *assignment, error))
            return false;
    if (call->reason)
        json_object_set_new(fields, "reason", json_string(call->reason));
    return tell(call,
                case_of(call, &id, error) &&
                    csirt_case_change(call->store, call->team, &call->who, id, fields, call->now, error),
                "case.changed", named(call));
}

static bool run_assign(CaseCall *call, GError **error) {
    int64_t id = 0;
    bool nobody = strcmp(call->rest[1], "-") == 0;
    g_autoptr(json_t) fields =
        json_pack("{s:o}", "assignee", nobody ? json_null() : json_string(call->rest[1]));
    return tell(call,
                case_of(call, &id, error) &&
                    csirt_case_change(call->store, call->team, &call->who, id, fields, call->now, error),
                "case.changed", named(call));
}

static bool run_move(CaseCall *call, GError **error) {
    int64_t id = 0;
    return tell(call,
                case_of(call, &id, error) && csirt_case_move(call->store, call->team, &call->who, id,
                                                             call->rest[1], call->reason, call->now, error),
                "case.moved", named(call));
}

static bool run_override(CaseCall *call, GError **error) {
    int64_t id = 0;
    guint64 band = 0;
    if (!g_ascii_string_to_unsigned(call->rest[1], 10, 0, 4, &band, NULL))
        return case_refuse(error, "a band is 1 to 4; 0 gives the order back to the rules");
    return tell(call,
                case_of(call, &id, error) &&
                    csirt_case_override(call->store, call->team, &call->who, id, (int64_t)band, call->reason,
                                        call->now, error),
                "case.changed", named(call));
}

static bool run_note(CaseCall *call, GError **error) {
    int64_t id = 0;
    return tell(call,
                case_of(call, &id, error) &&
                    csirt_note_add(call->store, &call->who, id, call->kind ? call->kind : "note",
                                   call->rest[1], call->now, error),
                "case.noted", named(call));
}

/* ---- Tasks -------------------------------------------------------------------------------------------------- */
static bool run_task(CaseCall *call, GError **error) {
    int64_t id = 0, task = 0;
    VigieTime due = 0;
    bool added = (!call->due || vigie_time_parse_rfc3339(call->due, &due, error)) &&
                 case_of(call, &id, error) &&
                 csirt_task_add(call->store, call->who.name, id, call->kind ? call->kind : "todo",
                                call->rest[1], NULL, call->assignee, due, call->now, &task, error);
    return tell(call, added, "case.noted",
                json_pack("{s:s, s:I}", "reference", call->rest[0], "task", (json_int_t)task));
}

static bool run_done(CaseCall *call, GError **error) {
    guint64 task = 0;
    if (!g_ascii_string_to_unsigned(call->rest[0], 10, 1, G_MAXINT64, &task, NULL))
        return case_refuse(error, "a task's number is wanted, as in: vigie case done 12 'rappelé, corrigé'");
    return tell(call,
                csirt_task_done(call->store, &call->who, (int64_t)task, call->rest[1] ? call->rest[1] : "",
                                call->now, error),
                "case.done", json_pack("{s:I}", "task", (json_int_t)task));
}

/* ---- Links, parties, access, consent ------------------------------------------------------------------------ */
/* A case by its reference, anything else by its number. */
static bool find_ref(const CaseCall *call, int64_t *ret_ref, GError **error) {
    guint64 ref = 0;
    if (strcmp(call->rest[1], "case") == 0)
        return csirt_case_find(call->store, call->team, &call->who, call->rest[2], ret_ref, error);
    if (!g_ascii_string_to_unsigned(call->rest[2], 10, 1, G_MAXINT64, &ref, NULL))
        return case_refuse(error, "its number is wanted, as in: vigie case link REF device 12");
    *ret_ref = (int64_t)ref;
    return true;
}

static bool run_link(CaseCall *call, GError **error) {
    int64_t id = 0, ref = 0;
    return tell(
        call,
        case_of(call, &id, error) && find_ref(call, &ref, error) &&
            csirt_link_add(call->store, &call->who, id, call->rest[1], ref, call->note, call->now, error),
        "case.changed", named(call));
}

static bool run_unlink(CaseCall *call, GError **error) {
    int64_t id = 0, ref = 0;
    return tell(call,
                case_of(call, &id, error) && find_ref(call, &ref, error) &&
                    csirt_link_remove(call->store, &call->who, id, call->rest[1], ref, call->now, error),
                "case.changed", named(call));
}

static bool run_party(CaseCall *call, GError **error) {
    int64_t id = 0, party = 0;
    g_autoptr(json_t) fields = json_object();
    const struct {
        const char *member, *text;
    } texts[] = {{"role", call->role}, {"name", call->name}, {"mail", call->mail}, {"phone", call->phone}};
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
        if (texts[i].text)
            json_object_set_new(fields, texts[i].member, json_string(texts[i].text));
    if (call->sees)
        json_object_set_new(fields, "sees", case_list_of(call->sees));
    bool added = case_of(call, &id, error) &&
                 csirt_party_save(call->store, call->who.name, id, 0, fields, call->now, &party, NULL, error);
    return tell(call, added, "case.changed",
                json_pack("{s:s, s:I}", "reference", call->rest[0], "party", (json_int_t)party));
}

static bool run_access(CaseCall *call, GError **error) {
    int64_t id = 0;
    return tell(call,
                case_of(call, &id, error) && csirt_access_set(call->store, &call->who, id, call->rest[1],
                                                              !call->remove, call->now, error),
                "case.changed", named(call));
}

static bool run_consent(CaseCall *call, GError **error) {
    int64_t id = 0, consent = call->withdraw;
    g_autoptr(json_t) audiences = case_list_of(call->audiences), members = case_list_of(call->members);
    g_autoptr(json_t) given = json_pack("{s:o, s:o, s:o, s:O?, s:O?}", "owner", text_value(call->owner),
                                        "evidence", text_value(call->evidence), "ends",
                                        text_value(call->ends), "audiences", audiences, "members", members);
    bool well = case_of(call, &id, error) &&
                (consent ? csirt_consent_withdraw(call->store, &call->who, id, consent, call->now, error)
                         : csirt_consent_add(call->store, &call->who, id, given, call->now, &consent, error));
    return tell(call, well, "case.changed",
                json_pack("{s:s, s:I}", "reference", call->rest[0], "consent", (json_int_t)consent));
}

/* ---- Artefacts, merge, split -------------------------------------------------------------------------------- */
static bool run_artefact(CaseCall *call, GError **error) {
    int64_t id = 0, artefact = 0;
    g_autofree char *name = g_path_get_basename(call->rest[1]);
    g_autoptr(GBytes) content =
        case_of(call, &id, error) ? read_file(call->rest[1], CSIRT_ARTEFACT_MAX, error) : NULL;
    gsize size = 0;
    const void *data = content ? g_bytes_get_data(content, &size) : NULL;
    bool added = content && csirt_artefact_add(call->store, call->team, call->who.name, id, 0, name,
                                               vigie_bytes(data, size), call->now, &artefact, error);
    return tell(call, added, "case.noted",
                json_pack("{s:s, s:I}", "reference", call->rest[0], "artefact", (json_int_t)artefact));
}

static bool run_merge(CaseCall *call, GError **error) {
    int64_t id = 0, other = 0;
    return tell(
        call,
        case_of(call, &id, error) &&
            csirt_case_find(call->store, call->team, &call->who, call->rest[1], &other, error) &&
            csirt_case_merge(call->store, call->team, &call->who, id, other, call->reason, call->now, error),
        "case.changed", named(call));
}

static bool run_split(CaseCall *call, GError **error) {
    g_auto(VigieOpened) part = {0};
    int64_t id = 0, messages[MESSAGES_MAX];
    size_t count = 0;
    for (char **text = call->rest + 2; *text; text++) {
        guint64 message = 0;
        if (count == MESSAGES_MAX || !g_ascii_string_to_unsigned(*text, 10, 1, G_MAXINT64, &message, NULL))
            return case_refuse(error,
                               "numbers of messages are wanted, 64 at most, as vigie case show has them");
        messages[count++] = (int64_t)message;
    }
    if (!case_of(call, &id, error) ||
        !csirt_case_split(call->store, call->team, &call->who, id, call->rest[1], messages, count, call->now,
                          &part, error))
        return false;
    if (call->json) {
        g_autoptr(json_t) told = json_pack("{s:s}", "reference", part.reference);
        fleet_print_json(told);
    } else {
        case_say(call, "case.opened", "reference", part.reference);
    }
    return true;
}

const CaseCommand case_work_commands[] = {
    {"open", run_open,
     "--title TEXT [--kind KIND] [--organisation NAME] [--organisation-id ID] [--text FILE] "
     "[--source SOURCE] [--channel CHANNEL] [--tlp LABEL] [--pap LABEL] [--urgent] [--fact NAME=VALUE …] "
     "[--name NAME] [--mail ADDRESS] [--phone NUMBER]"},
    {"change", run_change, "REF NAME=VALUE … [--reason TEXT]"},
    {"assign", run_assign, "REF NAME|-"},
    {"move", run_move, "REF STATE [--reason TEXT]"},
    {"override", run_override, "REF BAND --reason TEXT"},
    {"note", run_note, "REF TEXT [--kind note|call|decision|handover]"},
    {"task", run_task, "REF TITLE [--kind KIND] [--assignee NAME] [--due TIME]"},
    {"done", run_done, "TASK [OUTCOME]"},
    {"link", run_link, "REF device|endpoint|finding|case NUMBER|REF [--note TEXT]"},
    {"unlink", run_unlink, "REF device|endpoint|finding|case NUMBER|REF"},
    {"party", run_party, "REF --role ROLE --name NAME [--mail ADDRESS] [--phone NUMBER] [--sees MEMBERS]"},
    {"access", run_access, "REF NAME [--remove]"},
    {"consent", run_consent,
     "REF --owner NAME --evidence TEXT --audiences LIST --members LIST --ends TIME | REF --withdraw ID"},
    {"artefact", run_artefact, "REF FILE"},
    {"merge", run_merge, "REF OTHER --reason TEXT"},
    {"split", run_split, "REF TITLE MESSAGE …"},
    {0},
};
