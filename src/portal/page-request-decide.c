/* page-request-decide: many requests in one action. The page shows what the reader may decide; each box is one of them, and the answer
 * says of each what came of it. */
#include "portal/account.h"
#include "portal/present.h"
#include "portal/registration.h"

#include <string.h>

enum { SHOWN = 200 }; /* a form holds as many boxes */

static const char *chosen(const Request *request, const char *name) {
    const char *text = request_query(request, name);
    return text && *text ? text : NULL;
}

RESOURCE(page_requests_queue) {
    const VigiePkiFilter filter = {.account = request->reader.name,
                                   .requester = chosen(request, "requester"),
                                   .profile = chosen(request, "profile"),
                                   .limit = SHOWN + 1};
    json_t *items = pki_request_queue(request->store, request->portal->profiles, &filter, error);
    if (!items)
        return NULL;
    bool more = json_array_size(items) > SHOWN;
    if (more)
        json_array_remove(items, SHOWN);
    return json_pack("{s:o, s:b}", "items", items, "more", more);
}

/* ---- Deciding ------------------------------------------------------------------------------------------------- */
static int compare(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* requests.N of the form, the first number first. Free with g_array_unref. */
static GArray *picked(const Request *request) {
    GArray *ids = g_array_new(FALSE, FALSE, sizeof(int64_t));
    GHashTableIter iter;
    gpointer name, value;
    g_hash_table_iter_init(&iter, request->form);
    while (g_hash_table_iter_next(&iter, &name, &value)) {
        int64_t id = g_str_has_prefix(name, "requests.")
                         ? request_number((const char *)name + strlen("requests."))
                         : 0;
        if (id)
            g_array_append_val(ids, id);
    }
    g_array_sort(ids, compare);
    return ids;
}

/* Nothing is decided by an Enter key in the wrong place: what is to be done is said, and a reason is for a refusal. */
static bool read_decision(const Request *request, const char **ret_reason, GError **error) {
    const char *what = request_form(request, "decision"), *reason = request_form(request, "reason");
    bool refuses = g_strcmp0(what, "refuse") == 0, validates = g_strcmp0(what, "validate") == 0;
    if (!refuses && !validates)
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                            "decision: validate or refuse is wanted");
    else if (validates && reason && *reason)
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                            "a reason is for a refusal: to validate, leave it empty");
    else
        *ret_reason = refuses ? (reason ? reason : "") : NULL;
    return refuses || (validates && !(reason && *reason));
}

static json_t *decide(Request *request, GError **error) {
    const char *reason = NULL;
    g_autoptr(GArray) ids = picked(request);
    if (!read_decision(request, &reason, error))
        return NULL;
    if (ids->len == 0) {
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "no request was picked");
        return NULL;
    }
    const VigiePkiDecision decision = {(const int64_t *)(void *)ids->data, ids->len, request->reader.name,
                                       reason};
    return pki_request_decide(request->store, request->portal->profiles, &decision, request->now, error);
}

/* What they are called is asked before, for those that are refused or issued meanwhile, too. */
static void name_results(Request *request, json_t *results) {
    size_t index;
    json_t *result;
    json_array_foreach(results, index, result) {
        bool sees = false, decides = false;
        int64_t id = json_integer_value(json_object_get(result, "id"));
        if (!pki_request_may(request->store, request->portal->profiles, id, request->reader.name, &sees,
                             &decides, NULL) ||
            !sees)
            continue;
        json_object_set_new(result, "request",
                            pki_request_get(request->store, request->portal->profiles, id, NULL));
    }
}

RESOURCE(page_requests_decide) {
    g_autoptr(GError) why = NULL;
    g_autoptr(json_t) results = decide(request, &why);
    g_autofree char *problem = why ? registration_problem(request, why) : NULL;
    if (why && !problem) {
        g_propagate_error(error, g_steal_pointer(&why));
        return NULL;
    }
    json_t *resource = page_requests_queue(request, error);
    if (results)
        name_results(request, results);
    if (resource && results)
        json_object_set(resource, "results", results);
    if (resource && problem)
        json_object_set_new(resource, "problem", json_string(problem));
    return resource;
}

/* ---- The page ------------------------------------------------------------------------------------------------- */
/* What the certificate will say beside names, in one line. */
static char *fields_text(const json_t *fields) {
    GString *text = g_string_new(NULL);
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)fields, name, value) {
        if (json_is_string(value) && *json_string_value(value))
            g_string_append_printf(text, "%s%s", text->len ? " · " : "", json_string_value(value));
    }
    return g_string_free(text, FALSE);
}

/* All names but the first, by which it is called. */
static json_t *other_names(const json_t *names) {
    json_t *others = json_array();
    for (size_t i = 1; i < json_array_size(names); i++)
        json_array_append(others, json_array_get(names, i));
    return others;
}

static void dress_row(const Request *request, json_t *one, bool all) {
    const char *reason = json_string_value(json_object_get(one, "reason"));
    g_autofree char *box =
        g_strdup_printf("requests.%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(one, "id")));
    g_autofree char *fields = fields_text(json_object_get(one, "fields"));
    g_autofree char *key = reason ? g_strconcat("request.reason.", reason, NULL) : NULL;
    registration_name_request(request, one);
    json_object_set_new(one, "others", other_names(json_object_get(one, "names")));
    json_object_set_new(one, "box", json_string(box));
    json_object_set_new(one, "picked", json_boolean(all || request_form(request, box)));
    json_object_set_new(one, "says", json_string(reason ? vigie_word(request->lang, key) : fields));
    json_object_set_new(one, "renews",
                        json_boolean(strcmp(json_string_value(json_object_get(one, "kind")), "issue") != 0));
}

/* Those that stand in the rows shown, and what is chosen. */
static json_t *options_of(const Request *request, const json_t *items, const char *member,
                          const char *text_member) {
    const char *selected = chosen(request, member);
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    json_t *options = json_array(), *one;
    size_t index;
    json_array_foreach(items, index, one) {
        const char *value = json_string_value(json_object_get(one, member));
        if (value && g_hash_table_add(seen, (gpointer)value))
            json_array_append_new(options, json_pack("{s:s, s:O, s:b}", "value", value, "label",
                                                     json_object_get(one, text_member), "selected",
                                                     g_strcmp0(value, selected) == 0));
    }
    if (selected && !g_hash_table_contains(seen, selected))
        json_array_append_new(
            options, json_pack("{s:s, s:s, s:b}", "value", selected, "label", selected, "selected", true));
    return options;
}

static void dress_results(Request *request, json_t *view) {
    json_t *results = json_object_get(view, "results"), *failed = json_array(), *result;
    size_t index, done = 0;
    json_array_foreach(results, index, result) {
        json_t *one = json_object_get(result, "request");
        if (json_is_true(json_object_get(result, "done"))) {
            done++;
            continue;
        }
        g_autofree char *why =
            present_refusal(request->lang, json_string_value(json_object_get(result, "why")));
        if (one)
            registration_name_request(request, one);
        json_object_set_new(result, "why_text", json_string(why));
        json_array_append(failed, result);
    }
    bool refused = g_strcmp0(request_form(request, "decision"), "refuse") == 0;
    g_autofree char *n = g_strdup_printf("%zu", done),
                    *not_n = g_strdup_printf("%zu", json_array_size(failed));
    g_autofree char *text = vigie_words(
        request->lang, refused ? "request.decided.refused" : "request.decided.validated", "n", n, NULL);
    g_autofree char *not_text = vigie_words(request->lang, "request.decided.not", "n", not_n, NULL);
    json_object_set_new(view, "done_text", done ? json_string(text) : json_null());
    json_object_set_new(view, "failed_text", json_array_size(failed) ? json_string(not_text) : json_null());
    json_object_set_new(view, "failed", failed);
}

DRESS(dress_requests_queue) {
    (void)error;
    json_t *items = json_object_get(view, "items"), *one;
    /* What is typed is kept where something was wrong with it; what was done is not offered again. */
    bool wrong = json_is_string(json_object_get(view, "problem"));
    bool all = g_strcmp0(request_query(request, "all"), "yes") == 0 && !request_form(request, "decision");
    size_t index;
    json_array_foreach(items, index, one) {
        dress_row(request, one, all);
    }
    g_autofree char *n = g_strdup_printf("%zu", json_array_size(items));
    g_autofree char *count = vigie_words(request->lang, "request.queue.count", "n", n, NULL);
    g_autofree char *pick = request_link(request, "/requests/decide", "all", all ? NULL : "yes", NULL);
    g_autofree char *here = request_link(request, "/requests/decide", "all", NULL, NULL);
    const char *decision = wrong ? request_form(request, "decision") : NULL,
               *reason = wrong ? request_form(request, "reason") : NULL;
    json_object_set_new(view, "empty", json_boolean(json_array_size(items) == 0));
    json_object_set_new(view, "count_text", json_string(count));
    json_object_set_new(view, "all", json_boolean(all));
    json_object_set_new(view, "pick_link", json_string(pick));
    json_object_set_new(view, "here", json_string(here));
    json_object_set_new(view, "validates", json_boolean(g_strcmp0(decision, "validate") == 0));
    json_object_set_new(view, "refuses", json_boolean(g_strcmp0(decision, "refuse") == 0));
    json_object_set_new(view, "reason", json_string(reason ? reason : ""));
    json_object_set_new(view, "requesters", options_of(request, items, "requester", "requester"));
    json_object_set_new(view, "profiles", options_of(request, items, "profile", "profile_text"));
    json_object_set_new(view, "narrowed",
                        json_boolean(chosen(request, "requester") || chosen(request, "profile")));
    dress_results(request, view);
    return true;
}
