/* feeds: what programs fetch, and the files of the pages. */
#include "mail/mail.h"
#include "portal/pages.h"

#include <string.h>

/* In the reader's language, as the catalogue orders it. */
RESOURCE(page_glossary) {
    g_autoptr(json_t) glossary = vigie_knowledge_json("glossary.json", error);
    if (!glossary)
        return NULL;
    json_t *terms = json_array(), *entry;
    const char *id;
    json_object_foreach(glossary, id, entry) {
        json_array_append_new(
            terms, json_pack("{s:s, s:s, s:s, s:s}", "id", id, "term",
                             vigie_text_in(request->lang, json_object_get(entry, "term")), "definition",
                             vigie_text_in(request->lang, json_object_get(entry, "definition")), "remember",
                             vigie_text_in(request->lang, json_object_get(entry, "remember"))));
    }
    return json_pack("{s:o}", "terms", terms);
}

static VigieFleetFilter confined(const Request *request) {
    return (VigieFleetFilter){.organisation = request->reader.organisation};
}

RAW(feed_calendar) {
    VigieFleetFilter filter = confined(request);
    request->type = "text/calendar; charset=utf-8";
    return fleet_calendar_append(request->store, &filter, request->lang, request->portal->zone, request->now,
                                 request->answer, error);
}

RAW(feed_metrics) {
    VigieFleetFilter filter = confined(request);
    request->type = "text/plain; version=0.0.4; charset=utf-8";
    return fleet_metrics_append(request->store, &filter, request->now, request->answer, error) &&
           (filter.organisation || mail_metrics_append(request->store, request->answer, error));
}

/* For a supervisor or a balancer: the portal answers and the store does. */
RAW(feed_health) {
    int64_t one = 0;
    request->type = "text/plain; charset=utf-8";
    if (!store_get_int(request->store, &one, error, "SELECT 1", ""))
        return false;
    g_string_append(request->answer, "ok\n");
    return true;
}

RAW(feed_openapi) {
    (void)error;
    g_autofree char *text = vigie_json_text(request->portal->openapi);
    request->type = "application/json";
    g_string_append(request->answer, text);
    return true;
}

RAW(feed_asset) {
    (void)error;
    const Asset *asset = g_hash_table_lookup(request->portal->assets, request->path + 1);
    const char *tag = request_query(request, "v");
    request_file(request, asset->bytes, asset->type, asset->tag, 0);
    bool current = tag && strcmp(tag, asset->tag) == 0;
    request_header(request, "Cache-Control", current ? "public, max-age=31536000, immutable" : "no-cache");
    if (current || g_hash_table_size(request->query) == 0)
        request_keep(request, 60000);
    return true;
}
