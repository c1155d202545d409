#include "portal/authorities.h"

struct Authorities {
    GMutex lock;
    VigieTime read;
    json_t *titles; /* by their names; NULL: never read */
};

Authorities *authorities_new(void) {
    Authorities *authorities = g_new0(Authorities, 1);
    g_mutex_init(&authorities->lock);
    return authorities;
}

void authorities_free(Authorities *authorities) {
    if (!authorities)
        return;
    json_decref(authorities->titles);
    g_mutex_clear(&authorities->lock);
    g_free(authorities);
}

/* With the lock: others who ask in this second find what the first one read. */
static const json_t *titles_now(Authorities *authorities, const Request *request) {
    if (authorities->titles && authorities->read == request->now)
        return authorities->titles;
    json_t *titles = pki_authority_titles(request->store, NULL);
    if (titles) {
        json_decref(authorities->titles);
        authorities->titles = titles;
    }
    authorities->read = request->now;
    return authorities->titles;
}

bool authorities_any(const Request *request) {
    Authorities *authorities = request->portal->authorities;
    g_mutex_lock(&authorities->lock);
    bool any = json_object_size(titles_now(authorities, request)) > 0;
    g_mutex_unlock(&authorities->lock);
    return any;
}

json_t *authorities_options(const Request *request, const char *selected) {
    Authorities *authorities = request->portal->authorities;
    json_t *options = json_array(), *title;
    const char *name;
    g_mutex_lock(&authorities->lock);
    json_object_foreach((json_t *)titles_now(authorities, request), name, title) {
        json_array_append_new(options,
                              json_pack("{s:s, s:s, s:b}", "value", name, "label", json_string_value(title),
                                        "selected", g_strcmp0(name, selected) == 0));
    }
    g_mutex_unlock(&authorities->lock);
    return options;
}

char *authorities_title(const Request *request, const char *name) {
    Authorities *authorities = request->portal->authorities;
    g_mutex_lock(&authorities->lock);
    const char *title = json_string_value(json_object_get(titles_now(authorities, request), name));
    char *own = g_strdup(title ? title : name);
    g_mutex_unlock(&authorities->lock);
    return own;
}
