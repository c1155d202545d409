/* whois: text without a standard. Two families: blocks of attributes with handles (RIPE NCC, AFNIC), and lines whose key says
 * whose address it is (generic domains, ARIN). */
#include "csirt/lookup.h"

#include <string.h>

enum { TEXT_MAX = 256 * 1024, LINES_MAX = 4000, HANDLES_MAX = 64, VALUE_MAX_BYTES = 320 };

/* Keys that say it all, in lower case. */
static const struct {
    const char *key, *kind, *role;
    bool registrar;
} keys[] = {
    {"abuse-mailbox", "mail", "abuse", false},
    {"tech email", "mail", "technical", false},
    {"tech phone", "phone", "technical", false},
    {"admin email", "mail", "administrative", false},
    {"admin phone", "phone", "administrative", false},
    {"registrant email", "mail", "registrant", false},
    {"registrant phone", "phone", "registrant", false},
    {"registrar abuse contact email", "mail", "abuse", true},
    {"registrar abuse contact phone", "phone", "abuse", true},
    {"orgabuseemail", "mail", "abuse", false},
    {"orgabusephone", "phone", "abuse", false},
    {"rabuseemail", "mail", "abuse", false},
    {"orgtechemail", "mail", "technical", false},
    {"orgtechphone", "phone", "technical", false},
    {"orgnocemail", "mail", "noc", false},
    {"orgnocphone", "phone", "noc", false},
};

/* Which attribute of the object names the handle of whom. */
static const struct {
    const char *key, *role;
} references[] = {
    {"abuse-c", "abuse"},          {"tech-c", "technical"},    {"zone-c", "technical"},
    {"admin-c", "administrative"}, {"holder-c", "registrant"}, {"registrar-c", "registrar"},
};

typedef struct {
    char *handle, *name;
    GPtrArray *mails, *phones;
} Block;

typedef struct {
    json_t *contacts, *references; /* handle → [ roles ] */
    GPtrArray *blocks;
    Block *block;
    char *refer;
} Parser;

static void block_free(void *data) {
    Block *block = data;
    g_free(block->handle);
    g_free(block->name);
    g_ptr_array_unref(block->mails);
    g_ptr_array_unref(block->phones);
    g_free(block);
}

static Block *block_of(Parser *parser) {
    if (!parser->block) {
        parser->block = g_new0(Block, 1);
        parser->block->mails = g_ptr_array_new_with_free_func(g_free);
        parser->block->phones = g_ptr_array_new_with_free_func(g_free);
        g_ptr_array_add(parser->blocks, parser->block);
    }
    return parser->block;
}

/* `name`, may be NULL; `registrar`: it is that of the registrar, not of whom we look for. */
static void add(Parser *parser, const char *kind, const char *text, const char *name, json_t *roles,
                bool registrar) {
    bool mail = strcmp(kind, "mail") == 0;
    g_autofree char *value = mail ? mail_address(text, NULL) : lookup_phone(text);
    if (!value) {
        json_decref(roles);
        return;
    }
    json_t *of = registrar ? json_pack("[s]", "registrar") : json_array();
    lookup_add(parser->contacts, json_pack("{s:s, s:s, s:s?, s:o, s:o}", "kind", kind, "value", value, "name",
                                           name, "roles", roles, "of", of));
}

static void add_reference(Parser *parser, const char *handle, const char *role) {
    json_t *roles = json_object_get(parser->references, handle);
    if (!roles && json_object_size(parser->references) < HANDLES_MAX) {
        roles = json_array();
        json_object_set_new(parser->references, handle, roles);
    }
    if (roles && json_array_size(roles) < HANDLES_MAX)
        json_array_append_new(roles, json_string(role));
}

/* ---- Lines ---- */
static void keep_refer(Parser *parser, const char *value) {
    if (g_str_has_prefix(value, "whois://"))
        value += 8;
    size_t size = strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-");
    if (size > 0 && size < 254 && !value[size] && !parser->refer)
        parser->refer = g_ascii_strdown(value, -1);
}

static bool read_direct(Parser *parser, const char *key, const char *value) {
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
        if (strcmp(key, keys[i].key) == 0) {
            add(parser, keys[i].kind, value, NULL, json_pack("[s]", keys[i].role), keys[i].registrar);
            return true;
        }
    for (size_t i = 0; i < G_N_ELEMENTS(references); i++)
        if (strcmp(key, references[i].key) == 0) {
            add_reference(parser, value, references[i].role);
            return true;
        }
    return false;
}

static void read_attribute(Parser *parser, const char *key, const char *value) {
    static const char *const refers[] = {"whois", "refer", "registrar whois server", "referralserver"};
    static const char *const names[] = {"person", "role", "contact"};
    for (size_t i = 0; i < G_N_ELEMENTS(refers); i++)
        if (strcmp(key, refers[i]) == 0)
            keep_refer(parser, value);
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        if (strcmp(key, names[i]) == 0 && !block_of(parser)->name)
            block_of(parser)->name = g_strdup(value);
    if (strcmp(key, "nic-hdl") == 0 && !block_of(parser)->handle)
        block_of(parser)->handle = g_strdup(value);
    else if (strcmp(key, "e-mail") == 0)
        g_ptr_array_add(block_of(parser)->mails, g_strdup(value));
    else if (strcmp(key, "phone") == 0)
        g_ptr_array_add(block_of(parser)->phones, g_strdup(value));
}

/* "% Abuse contact for '192.0.2.0 - 192.0.2.255' is 'abuse@example.net'" */
static void read_remark(Parser *parser, const char *line) {
    const char *is = strstr(line, "Abuse contact for") ? strstr(line, "' is '") : NULL;
    if (!is)
        return;
    g_autofree char *value = g_strndup(is + 6, strcspn(is + 6, "'"));
    add(parser, "mail", value, NULL, json_pack("[s]", "abuse"), false);
}

static void read_line(Parser *parser, char *line) {
    g_strstrip(line);
    if (!*line) {
        parser->block = NULL;
        return;
    }
    if (*line == '%' || *line == '#') {
        read_remark(parser, line);
        return;
    }
    char *colon = strchr(line, ':');
    if (!colon || strlen(colon) > VALUE_MAX_BYTES)
        return;
    *colon = '\0';
    g_autofree char *key = g_ascii_strdown(g_strstrip(line), -1);
    const char *value = g_strstrip(colon + 1);
    if (*value && !read_direct(parser, key, value))
        read_attribute(parser, key, value);
}

/* A block speaks for the roles in which its handle was named; unnamed, it is somebody's. */
static void take_block(Parser *parser, const Block *block) {
    const json_t *roles = block->handle ? json_object_get(parser->references, block->handle) : NULL;
    for (guint i = 0; i < block->mails->len + block->phones->len; i++) {
        bool mail = i < block->mails->len;
        const char *value = mail ? block->mails->pdata[i] : block->phones->pdata[i - block->mails->len];
        add(parser, mail ? "mail" : "phone", value, block->name,
            roles ? json_copy((json_t *)roles) : json_array(), false);
    }
}

json_t *csirt_whois_parse(VigieBytes bytes) {
    size_t size = MIN(bytes.size, TEXT_MAX);
    g_autofree char *text = size ? g_utf8_make_valid((const char *)bytes.data, (gssize)size) : g_strdup("");
    g_autoptr(json_t) named = json_object();
    g_autoptr(GPtrArray) blocks = g_ptr_array_new_with_free_func(block_free);
    Parser parser = {.contacts = json_array(), .references = named, .blocks = blocks};
    char *line = text;
    for (int i = 0; line && i < LINES_MAX; i++) {
        char *end = strchr(line, '\n');
        if (end)
            *end = '\0';
        read_line(&parser, line);
        line = end ? end + 1 : NULL;
    }
    for (guint i = 0; i < blocks->len; i++)
        take_block(&parser, blocks->pdata[i]);
    g_autofree char *refer = parser.refer;
    return json_pack("{s:o, s:s?}", "contacts", parser.contacts, "refer", refer);
}
