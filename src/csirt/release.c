/* What may leave: the audience's word on the label, the channel's ceiling, and confidentiality on the way. Whatever the table does not
 * say may not. */
#include "csirt/rules.h"

#include <string.h>

typedef enum { CELL_YES, CELL_MANDATE, CELL_CONSENT, CELL_NEVER, CELLS } Cell;

static const char *const cell_names[CELLS] = {"yes", "mandate", "consent", "never"};

/* Members of csirt_case_get that a part may be made of; "facts.X" beside them. Never the source. */
static const char case_members[] =
    "reference kind state received urgent title category likelihood verified organisation band "
    "score reasons parties expected artefacts messages tlp pap";

/* CELLS where it is no word for a cell. */
static Cell cell_of(const json_t *value) {
    const char *name = json_string_value(value);
    int cell = 0;
    while (cell < CELLS && (!name || strcmp(cell_names[cell], name) != 0))
        cell++;
    return (Cell)cell;
}

/* ---- The file --------------------------------------------------------------------------------------------- */
static bool load_cells(const json_t *row, const char *where, GError **error) {
    Cell before = CELL_YES;
    for (int tlp = 0; tlp < VIGIE_TLPS; tlp++) {
        Cell cell = cell_of(json_object_get(row, csirt_tlp_name((VigieTlp)tlp)));
        if (cell == CELLS)
            return rules_refuse(error, where, "each label is yes, mandate, consent or never");
        if (cell < before)
            return rules_refuse(error, where, "a stricter label lets more out than a less strict one");
        before = cell;
    }
    return true;
}

static bool load_audiences(const json_t *audiences, GError **error) {
    const char *name = NULL;
    json_t *row = NULL;
    json_object_foreach(
        (json_t *)audiences, name,
        row) if (!rules_members(row, "text!t RED!s AMBER+STRICT!s AMBER!s GREEN!s CLEAR!s", name, error) ||
                 !load_cells(row, name, error)) return false;
    return true;
}

static bool load_channels(const json_t *channels, GError **error) {
    const char *name = NULL;
    json_t *channel = NULL;
    json_object_foreach((json_t *)channels, name, channel) {
        const char *ceiling = json_string_value(json_object_get(channel, "ceiling"));
        const json_t *instead = json_object_get(channel, "instead");
        VigieTlp tlp;
        if (!rules_members(channel, "text!t confidential!b ceiling?s instead?o", name, error) ||
            (instead && !load_cells(instead, name, error)) ||
            (ceiling && !csirt_tlp_parse(ceiling, &tlp, error)))
            return false;
        if (!json_is_boolean(json_object_get(channel, "confidential")))
            return rules_refuse(error, name, "\"confidential\" is true or false");
    }
    return true;
}

static bool load_members(const json_t *members, GError **error) {
    g_auto(GStrv) known = g_strsplit(case_members, " ", -1);
    const char *name = NULL;
    json_t *member = NULL;
    json_object_foreach((json_t *)members, name, member) {
        const json_t *from = json_object_get(member, "from");
        if (!rules_members(member, "text!t from!a", name, error))
            return false;
        for (size_t i = 0; i < json_array_size(from); i++) {
            const char *path = json_string_value(json_array_get(from, i));
            bool fact = path && g_str_has_prefix(path, "facts.") &&
                        json_object_get(csirt_facts(), path + strlen("facts."));
            if (!path || (!fact && !g_strv_contains((const char *const *)known, path)))
                return rules_refuse(error, name, "\"from\" names members of a case, or facts");
        }
    }
    return true;
}

static bool load_pap(const json_t *actions, GError **error) {
    const char *name = NULL;
    json_t *most = NULL;
    json_object_foreach((json_t *)actions, name, most) {
        VigiePap pap;
        if (!json_is_string(most) || !csirt_pap_parse(json_string_value(most), &pap, NULL))
            return rules_refuse(error, name, "the strictest PAP label that allows it is wanted");
    }
    return true;
}

bool release_load(const json_t *data, GError **error) {
    return rules_members(data, "members!o channels!o audiences!o pap!o", "release", error) &&
           load_members(json_object_get(data, "members"), error) &&
           load_channels(json_object_get(data, "channels"), error) &&
           load_audiences(json_object_get(data, "audiences"), error) &&
           load_pap(json_object_get(data, "pap"), error);
}

const json_t *csirt_members(void) {
    return json_object_get(rules(RULES_RELEASE), "members");
}

/* ---- Decisions -------------------------------------------------------------------------------------------- */
static bool above_ceiling(const json_t *channel, VigieTlp tlp) {
    const char *ceiling = json_string_value(json_object_get(channel, "ceiling"));
    VigieTlp most;
    return ceiling && (!csirt_tlp_parse(ceiling, &most, NULL) || tlp > most);
}

/* The key of the reason; *ret_may whether it may leave. */
static const char *decide(const VigieRelease *release, bool *ret_may) {
    const json_t *data = rules(RULES_RELEASE);
    const json_t *audience = json_object_get(json_object_get(data, "audiences"), release->audience);
    const json_t *channel = json_object_get(json_object_get(data, "channels"), release->channel);
    *ret_may = false;
    if (!audience || !channel || release->tlp >= VIGIE_TLPS)
        return "csirt.release.unknown";
    const json_t *instead = json_object_get(channel, "instead");
    Cell cell = cell_of(json_object_get(instead ? instead : audience, csirt_tlp_name(release->tlp)));
    if (cell == CELL_NEVER)
        return "csirt.release.never-audience";
    if (above_ceiling(channel, release->tlp))
        return "csirt.release.never-channel";
    if (cell == CELL_CONSENT && !release->consent)
        return "csirt.release.needs-consent";
    if (cell == CELL_MANDATE && !release->mandated && !release->consent)
        return "csirt.release.needs-mandate";
    if (release->tlp >= VIGIE_TLP_AMBER && !json_is_true(json_object_get(channel, "confidential")) &&
        !release->encrypted)
        return "csirt.release.needs-encryption";
    *ret_may = true;
    return cell == CELL_YES   ? "csirt.release.label"
           : release->consent ? "csirt.release.consent"
                              : "csirt.release.mandate";
}

bool csirt_may_leave(const VigieRelease *release, const char **ret_reason) {
    bool may = false;
    const char *reason = decide(release, &may);
    if (ret_reason)
        *ret_reason = reason;
    return may;
}

bool csirt_pap_may(VigiePap pap, const char *action) {
    const char *most =
        json_string_value(json_object_get(json_object_get(rules(RULES_RELEASE), "pap"), action));
    VigiePap strictest;
    return most && csirt_pap_parse(most, &strictest, NULL) && pap <= strictest;
}
