/* openapi: the API's description, from the router's rows and the schemas in knowledge/openapi.json. */
#include "portal/router.h"

#include <string.h>

static json_t *parameter(const char *name) {
    static const char *const numbers[] = {"organisation", "device",    "endpoint", "certificate",
                                          "page",         "page_size", NULL};
    bool number = g_strv_contains(numbers, name);
    json_t *schema = number                         ? json_pack("{s:s, s:i}", "type", "integer", "minimum", 1)
                     : strcmp(name, "retired") == 0 ? json_pack("{s:s}", "type", "boolean")
                     : strcmp(name, "ends_before") == 0
                         ? json_pack("{s:s, s:s}", "type", "string", "format", "date-time")
                         : json_pack("{s:s}", "type", "string");
    return json_pack("{s:s, s:s, s:o}", "name", name, "in", "query", "schema", schema);
}

static json_t *parameters(const Route *route) {
    json_t *array = json_array();
    if (strstr(route->path, "{id}"))
        json_array_append_new(array, json_pack("{s:s, s:s, s:b, s:{s:s, s:i}}", "name", "id", "in", "path",
                                               "required", 1, "schema", "type", "integer", "minimum", 1));
    bool query = strcmp(route->method, "GET") == 0;
    for (const char *const *name = route->parameters; query && name && *name; name++)
        json_array_append_new(array, parameter(*name));
    return array;
}

static json_t *form_schema(const Route *route) {
    const char *first = route->parameters ? route->parameters[0] : NULL;
    if (first && *first == '$') {
        g_autofree char *schema = g_strconcat("#/components/schemas/", first + 1, NULL);
        return json_pack("{s:s}", "$ref", schema);
    }
    json_t *properties = json_object();
    for (const char *const *name = route->parameters; name && *name; name++)
        json_object_set_new(properties, *name, json_pack("{s:s}", "type", "string"));
    return json_pack("{s:s, s:o}", "type", "object", "properties", properties);
}

static json_t *answers(const Route *route) {
    g_autofree char *schema = g_strconcat("#/components/schemas/", route->schema, NULL);
    static const char *const made[][2] = {{"/surveys", "202"},
                                          {"/declarations", "201"},
                                          {"/devices", "201"},
                                          {"/imports", "201"},
                                          {"/accounts", "201"},
                                          {"/organisations", "201"},
                                          {"/organisations/{id}/contacts", "201"}};
    const char *status = "200";
    for (size_t i = 0; i < G_N_ELEMENTS(made); i++)
        if (strcmp(route->path, made[i][0]) == 0 && strcmp(route->method, "POST") == 0)
            status = made[i][1];
    return json_pack("{s:{s:s, s:{s:{s:{s:s}}}}, s:{s:s}}", status, "description", route->summary, "content",
                     "application/json", "schema", "$ref", schema, "default", "$ref",
                     "#/components/responses/Problem");
}

static json_t *operation(const Route *route) {
    bool post = strcmp(route->method, "POST") == 0;
    json_t *value = json_pack("{s:s, s:o, s:o}", "summary", route->summary, "parameters", parameters(route),
                              "responses", answers(route));
    if (post)
        json_object_set_new(
            value, "requestBody",
            json_pack("{s:{s:{s:o}}}", "content", "application/json", "schema", form_schema(route)));
    if (route->may == MAY_PUBLIC)
        json_object_set_new(value, "security",
                            strcmp(route->path, "/receipt") == 0 ? json_pack("[{s:[]}]", "receipt")
                                                                 : json_array());
    return value;
}

json_t *router_openapi(const VigieConfig *config, GError **error) {
    json_t *document = vigie_knowledge_json("openapi.json", error);
    if (!document)
        return NULL;
    json_t *paths = json_object();
    for (const Route *route = routes; route->path; route++) {
        if (!(route->also & ROUTE_API))
            continue;
        g_autofree char *path = g_strconcat("/api", route->path, NULL);
        g_autofree char *method = g_ascii_strdown(route->method, -1);
        if (!json_object_get(paths, path))
            json_object_set_new(paths, path, json_object());
        json_object_set_new(json_object_get(paths, path), method, operation(route));
    }
    json_object_set_new(document, "paths", paths);
    json_object_set_new(json_object_get(document, "info"), "version", json_string(VIGIE_VERSION));
    json_object_set_new(document, "servers",
                        json_pack("[{s:s}]", "url", vigie_config_text(config, "site.url")));
    return document;
}
