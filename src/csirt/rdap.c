/* RDAP: what a registry says of a domain, a network or an entity (RFC 9083), and who answers for it (jCard, RFC 7095). */
#include "csirt/lookup.h"

#include <string.h>

enum { ANSWER_MAX = 512 * 1024, DEPTH_MAX = 6, ENTITIES_MAX = 100, ROLES_MAX = 12, NAME_MAX_BYTES = 200 };

typedef struct {
    json_t *contacts;
    size_t entities;
} Walk;

/* The strings of an array that may hold anything, in lower case. */
static json_t *roles_of(const json_t *entity) {
    json_t *roles = json_array();
    size_t i = 0;
    json_t *role = NULL;
    json_array_foreach(json_object_get(entity, "roles"), i, role) {
        if (!json_is_string(role) || json_array_size(roles) == ROLES_MAX)
            continue;
        g_autofree char *low = g_ascii_strdown(json_string_value(role), -1);
        json_array_append_new(roles, json_string(low));
    }
    return roles;
}

/* ---- jCard: [ "vcard", [ [ name, parameters, type, value … ] … ] ] ---- */
static const char *property_value(const json_t *property) {
    const json_t *value = json_array_get(property, 3);
    if (json_is_array(value))
        value = json_array_get(value, 0);
    return json_string_value(value);
}

static bool is_property(const json_t *property, const char *name) {
    const char *own = json_string_value(json_array_get(property, 0));
    return own && g_ascii_strcasecmp(own, name) == 0;
}

static bool of_type(const json_t *property, const char *type) {
    const json_t *types = json_object_get(json_array_get(property, 1), "type");
    if (json_is_string(types))
        return g_ascii_strcasecmp(json_string_value(types), type) == 0;
    for (size_t i = 0; i < json_array_size(types); i++) {
        const char *item = json_string_value(json_array_get(types, i));
        if (item && g_ascii_strcasecmp(item, type) == 0)
            return true;
    }
    return false;
}

/* A property's value as a contact, or NULL. */
static json_t *contact_of(const json_t *property) {
    const char *text = property_value(property);
    g_autofree char *value = NULL;
    const char *kind = NULL;
    if (!text) {
        return NULL;
    } else if (is_property(property, "email")) {
        kind = "mail";
        value = mail_address(g_str_has_prefix(text, "mailto:") ? text + 7 : text, NULL);
    } else if (is_property(property, "tel") && !of_type(property, "fax")) {
        kind = "phone";
        value = lookup_phone(g_str_has_prefix(text, "tel:") ? text + 4 : text);
    } else if (is_property(property, "contact-uri") && g_str_has_prefix(text, "https://")) {
        kind = "page";
        value = g_strdup(text);
    }
    return value ? json_pack("{s:s, s:s}", "kind", kind, "value", value) : NULL;
}

static json_t *name_of(const json_t *properties) {
    static const char *const names[] = {"fn", "org"};
    for (size_t n = 0; n < G_N_ELEMENTS(names); n++) {
        size_t i = 0;
        json_t *property = NULL;
        json_array_foreach(properties, i, property) {
            const char *value = is_property(property, names[n]) ? property_value(property) : NULL;
            if (!value || !*value)
                continue;
            g_autofree char *cut = g_strndup(value, NAME_MAX_BYTES);
            g_autofree char *valid = g_utf8_make_valid(cut, -1);
            return json_string(valid);
        }
    }
    return json_null();
}

static void take_card(Walk *walk, const json_t *entity, json_t *roles, json_t *around) {
    const json_t *properties = json_array_get(json_object_get(entity, "vcardArray"), 1);
    g_autoptr(json_t) name = name_of(properties);
    size_t i = 0;
    json_t *property = NULL;
    json_array_foreach(properties, i, property) {
        json_t *contact = contact_of(property);
        if (!contact)
            continue;
        json_object_set(contact, "name", name);
        json_object_set_new(contact, "roles", json_copy(roles));
        json_object_set(contact, "of", around);
        lookup_add(walk->contacts, contact);
    }
}

/* An entity within another is a part of it: the abuse desk of the registrar is not that of the domain. */
static void take_entities(Walk *walk, const json_t *object, json_t *around, int depth) {
    size_t i = 0;
    json_t *entity = NULL;
    json_array_foreach(json_object_get(object, "entities"), i, entity) {
        if (!json_is_object(entity) || depth > DEPTH_MAX || ++walk->entities > ENTITIES_MAX)
            continue;
        g_autoptr(json_t) roles = roles_of(entity);
        take_card(walk, entity, roles, around);
        g_autoptr(json_t) inner = json_copy(around);
        json_array_extend(inner, roles);
        take_entities(walk, entity, inner, depth + 1);
    }
}

/* ---- The answer ---- */
static const char *related_of(const json_t *object) {
    size_t i = 0;
    json_t *link = NULL;
    json_array_foreach(json_object_get(object, "links"), i, link) {
        const char *href = vigie_member(link, "href");
        if (href && g_strcmp0(vigie_member(link, "rel"), "related") == 0 &&
            g_strcmp0(vigie_member(link, "type"), "application/rdap+json") == 0)
            return href;
    }
    return NULL;
}

static const char *class_of(const json_t *object) {
    static const char *const classes[][2] = {
        {"domain", "domain"}, {"ip network", "ip-network"}, {"autnum", "autnum"}, {"entity", "entity"}};
    const char *name = vigie_member(object, "objectClassName");
    for (size_t i = 0; name && i < G_N_ELEMENTS(classes); i++)
        if (g_ascii_strcasecmp(name, classes[i][0]) == 0)
            return classes[i][1];
    return NULL;
}

json_t *csirt_rdap_parse(VigieBytes bytes, GError **error) {
    if (bytes.size > ANSWER_MAX) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_LIMIT,
                    "RDAP: the answer has %zu bytes, more than the %d that are read", bytes.size, ANSWER_MAX);
        return NULL;
    }
    json_error_t fault;
    g_autoptr(json_t) object = json_loadb((const char *)bytes.data, bytes.size, 0, &fault);
    const char *class = json_is_object(object) ? class_of(object) : NULL;
    if (!class) {
        g_set_error(
            error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "RDAP: %s",
            object ? "RFC 9083 4.9: the answer is no object of class domain, ip network, autnum or entity"
                   : fault.text);
        return NULL;
    }
    Walk walk = {.contacts = json_array()};
    g_autoptr(json_t) around = json_array();
    g_autoptr(json_t) roles = roles_of(object);
    take_card(&walk, object, roles, around);
    take_entities(&walk, object, around, 1);
    const char *name =
        vigie_member(object, "ldhName") ? vigie_member(object, "ldhName") : vigie_member(object, "name");
    return json_pack("{s:s, s:s?, s:s?, s:o, s:s?}", "class", class, "handle", vigie_member(object, "handle"),
                     "name", name, "contacts", walk.contacts, "related", related_of(object));
}
