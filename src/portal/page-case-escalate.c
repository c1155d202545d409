/* page-case-escalate: what a partner would see, before a person says that they are told. */
#include "csirt/notify.h"
#include "portal/page-case.h"
#include "portal/present.h"

#include <string.h>

RESOURCE(page_case_escalation) {
    VigieAnalyst who = case_analyst(request);
    const char *partner = request_query(request, "partner");
    return case_desk(request, error)
               ? csirt_escalation_preview(request->store, request->portal->team, &who, request->id,
                                          partner ? partner : "", request->now, error)
               : NULL;
}

/* Part by part: its name, and each thing in it as it would be said. */
static json_t *parts(const Request *request, const json_t *leaves) {
    json_t *array = json_array(), *member, *value;
    const char *name, *key;
    json_object_foreach(json_object_get(leaves, "members"), name, member) {
        json_t *rows = json_array();
        json_object_foreach(json_object_get(member, "values"), key, value) {
            const char *bare = g_str_has_prefix(key, "facts.") ? key + strlen("facts.") : key;
            g_autofree char *text = case_say_value(request, bare, value);
            if (text && *text)
                json_array_append_new(
                    rows, json_pack("{s:s, s:s}", "label", case_label_of(request, bare), "text", text));
        }
        json_array_append_new(array, json_pack("{s:s, s:o}", "title",
                                               vigie_text_in(request->lang, json_object_get(member, "text")),
                                               "rows", rows));
    }
    return array;
}

/* Withheld for a reason that may be mended; what the rule does not give this partner is named apart. */
static json_t *withheld(const Request *request, const json_t *leaves, GString *outside) {
    json_t *array = json_array(), *item;
    size_t index;
    json_array_foreach(json_object_get(leaves, "withheld"), index, item) {
        const json_t *member = json_object_get(csirt_members(), vigie_member_text(item, "member"));
        const char *title = vigie_text_in(request->lang, json_object_get(member, "text"));
        if (strcmp(vigie_member_text(item, "reason"), "csirt.release.part") == 0)
            g_string_append_printf(outside, "%s%s", outside->len ? ", " : "", title);
        else
            json_array_append_new(array,
                                  json_pack("{s:s, s:s}", "title", title, "why",
                                            vigie_word(request->lang, vigie_member_text(item, "reason"))));
    }
    return array;
}

DRESS(dress_case_escalation) {
    const json_t *leaves = json_object_get(view, "leaves");
    json_object_set_new(view, "parts", parts(request, leaves));
    g_autoptr(GString) outside = g_string_new(NULL);
    json_t *kept = withheld(request, leaves, outside);
    json_object_set_new(view, "outside", json_string(outside->str));
    json_object_set_new(view, "by_phone",
                        json_boolean(strcmp(vigie_member_text(view, "channel"), "phone") == 0));
    json_object_set_new(view, "withheld_any", json_boolean(json_array_size(kept) > 0));
    json_object_set_new(view, "withheld", kept);
    json_object_set(view, "tlp", json_object_get(leaves, "tlp"));
    case_present_escalation(request, json_object_get(view, "escalation"));
    return case_present_head(request, view, error);
}

/* The message that tells them is made, to be read again and sent. */
static bool draft(Request *request, const VigieAnalyst *who, const char *partner, GError **error) {
    g_autoptr(json_t) item = page_case(request, error), fields = json_object();
    size_t index;
    json_t *party;
    int64_t notice = 0;
    json_array_foreach(json_object_get(item, "parties"), index, party) {
        if (strcmp(vigie_member_text(party, "partner"), partner) == 0)
            return csirt_part_draft(request->store, request->portal->config, request->portal->team, who,
                                    request->id, json_integer_value(json_object_get(party, "id")), fields,
                                    request->now, &notice, error);
    }
    return item != NULL;
}

static bool decide(Request *request, const VigieAnalyst *who, bool confirm, GError **error) {
    const char *partner = case_form(request, "partner");
    g_autoptr(VigieTransaction) tx = store_begin(request->store, error);
    return tx &&
           csirt_escalation_settle(request->store, request->portal->team, who, request->id, partner, confirm,
                                   case_form(request, "reason"), request->now, error) &&
           (!confirm || draft(request, who, partner, error)) && store_commit(&tx, error);
}

RESOURCE(page_case_escalate) {
    VigieAnalyst who = case_analyst(request);
    g_autoptr(GError) failure = NULL;
    bool confirm = strcmp(case_form(request, "decision"), "confirm") == 0;
    if (!case_desk(request, error))
        return NULL;
    if (!decide(request, &who, confirm, &failure))
        return case_refused(request, g_steal_pointer(&failure), error);
    json_t *item = case_done(request, "#escalations", error);
    if (item && confirm) { /* the draft is there, to be sent */
        g_free(request->go);
        request->go = g_strdup_printf("/cases/%" G_GINT64_FORMAT "/notify#notices", request->id);
    }
    return item;
}
