/* What strangers send as a form: decoded and judged without harm; what is accepted is what a case takes. */
#include "csirt/declaration-form.h"
#include "portal/request.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static json_t *forms(void) {
    static json_t *loaded;
    g_autoptr(GError) error = NULL;
    if (!loaded && (!vigie_words_load(&error) || !csirt_rules_load(&error) ||
                    !(loaded = declaration_forms_load(&error))))
        g_error("%s", error->message);
    return loaded;
}

static void judge(const char *form, GHashTable *values, GTimeZone *zone) {
    g_autoptr(json_t) opening = NULL;
    g_autoptr(json_t) problems =
        declaration_form_read(json_object_get(forms(), form), values, zone, 1795248000, &opening);
    if (!problems || !opening)
        abort();
    /* Whatever is left of an answer that has no problem is a fact; and nothing of a sender who wants to be nobody. */
    if (json_array_size(problems) == 0 && !csirt_facts_check(json_object_get(opening, "facts"), NULL))
        abort();
    const char *source = json_string_value(json_object_get(opening, "source"));
    if (g_strcmp0(source, "anonymous") == 0 && !json_is_null(json_object_get(opening, "declarant")))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const names[] = {"incident", "report", "question"};
    g_autoptr(GTimeZone) zone = g_time_zone_new_utc();
    Request *request = request_new("/declarations");
    bool json = size > 0 && data[0] == '{';
    g_string_append_len(request->body, (const char *)data, (gssize)size);
    g_hash_table_insert(request->fields, g_strdup("content-type"),
                        g_strdup(json ? "application/json" : "application/x-www-form-urlencoded"));
    if (request_read_form(request, NULL))
        for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
            judge(names[i], request->form, zone);
    request_free(request);
    return 0;
}
