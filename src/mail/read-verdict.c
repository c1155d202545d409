/* Who speaks: a person, a program that answers by itself, a server that could not deliver, or we ourselves. */
#include "mail/read-parts.h"

#include <string.h>

enum { RECIPIENTS_MAX = 100, REPORT_MAX = 256 << 10 };

/* ---- Automatic ---- */
typedef enum { ANYTHING, IS, BEGINS, CONTAINS } How;

/* The first row that fits decides; RFC 3834 first, then what programs write instead, or beside it. */
static const struct {
    const char *field;
    How how;
    const char *value, *kind; /* kind NULL: certainly a person */
} signs[] = {
    {"Auto-Submitted", BEGINS, "auto-replied", "reply"},
    {"X-Autoreply", BEGINS, "yes", "reply"},
    {"X-Autorespond", ANYTHING, "", "reply"},
    {"X-Autoresponder", ANYTHING, "", "reply"},
    {"X-AutoReply-From", ANYTHING, "", "reply"},
    {"X-Mail-Autoreply", ANYTHING, "", "reply"},
    {"Precedence", IS, "auto_reply", "reply"},
    {"Subject", BEGINS, "Automatic reply:", "reply"},
    {"Subject", BEGINS, "Réponse automatique :", "reply"},
    {"Subject", BEGINS, "Réponse automatique:", "reply"},
    {"Subject", BEGINS, "Absence du bureau", "reply"},
    {"Subject", BEGINS, "Out of Office:", "reply"},
    {"Auto-Submitted", BEGINS, "auto-", "generated"},
    {"List-Id", ANYTHING, "", "bulk"},
    {"List-Unsubscribe", ANYTHING, "", "bulk"},
    {"Precedence", IS, "list", "bulk"},
    {"Precedence", IS, "bulk", "bulk"},
    {"Precedence", IS, "junk", "bulk"},
    {"Auto-Submitted", IS, "no", NULL},
    {"X-Auto-Response-Suppress", CONTAINS, "all", "generated"},
    {"Return-Path", IS, "<>", "generated"},
};

static bool fits(How how, const char *text, const char *value) {
    g_autofree char *lower = g_utf8_strdown(text, -1);
    g_autofree char *wanted = g_utf8_strdown(value, -1);
    switch (how) {
    case ANYTHING:
        return true;
    case IS:
        return strcmp(lower, wanted) == 0;
    case BEGINS:
        return g_str_has_prefix(lower, wanted);
    case CONTAINS:
        return strstr(lower, wanted) != NULL;
    }
    return false;
}

static void set_automatic(Reading *reading, const char *kind, const char *field, const char *value) {
    g_autofree char *why = g_strdup_printf("%s: %.200s", field, value);
    g_autofree char *valid = g_utf8_make_valid(why, -1);
    json_object_set_new(reading->about, "automatic", json_pack("{s:s, s:s}", "kind", kind, "why", valid));
}

static void look_for_signs(Reading *reading, VigieBytes header) {
    for (size_t i = 0; i < G_N_ELEMENTS(signs); i++) {
        g_autofree char *raw = field_find(header, signs[i].field);
        g_autofree char *text = field_text(reading, raw);
        if (!text || !fits(signs[i].how, text, signs[i].value))
            continue;
        if (signs[i].kind)
            set_automatic(reading, signs[i].kind, signs[i].field, text);
        return;
    }
}

/* ---- Delivery reports, RFC 3464 ---- */
/* "rfc822; biomed@chu.test" without its type. */
static char *after_type(const Reading *reading, VigieBytes group, const char *name) {
    g_autofree char *raw = field_find(group, name);
    g_autofree char *text = field_text(reading, raw);
    const char *semicolon = text ? strchr(text, ';') : NULL;
    char *rest = g_strdup(semicolon ? semicolon + 1 : text ? text : "");
    return g_strstrip(rest);
}

/* "5.1.1 (unknown)" as "5.1.1"; what is none, as "". */
static char *status_code(const Reading *reading, VigieBytes group) {
    g_autofree char *raw = field_find(group, "Status");
    g_autofree char *text = field_text(reading, raw);
    size_t size = text ? strspn(text, "0123456789.") : 0;
    return g_strndup(size >= 5 && size <= 9 ? text : "", size >= 5 && size <= 9 ? size : 0);
}

static void add_recipient(const Reading *reading, json_t *recipients, VigieBytes group) {
    g_autofree char *original = after_type(reading, group, "Original-Recipient");
    g_autofree char *final = after_type(reading, group, "Final-Recipient");
    g_autofree char *diagnostic = after_type(reading, group, "Diagnostic-Code");
    g_autofree char *raw_action = field_find(group, "Action");
    g_autofree char *action_text = field_text(reading, raw_action);
    g_autofree char *action = g_ascii_strdown(action_text ? action_text : "", -1);
    g_autofree char *status = status_code(reading, group);
    const char *address = *original ? original : final;
    if (*address && json_array_size(recipients) < RECIPIENTS_MAX)
        json_array_append_new(recipients, json_pack("{s:s, s:s, s:s, s:s}", "address", address, "action",
                                                    action, "status", status, "diagnostic", diagnostic));
}

/* Groups of fields with empty lines between; the first is about the message. */
static void read_report(Reading *reading, const Part *part, json_t *recipients) {
    g_autoptr(GByteArray) body = body_decode(reading, part, REPORT_MAX);
    size_t start = 0;
    for (size_t at = 0; at < body->len;) {
        const uint8_t *newline = memchr(body->data + at, '\n', body->len - at);
        size_t next = newline ? (size_t)(newline - body->data) + 1 : body->len;
        bool empty = next - at <= 2 && (body->data[at] == '\n' || body->data[at] == '\r');
        if (empty || next == body->len) {
            add_recipient(reading, recipients, vigie_bytes(body->data + start, next - start));
            start = next;
        }
        at = next;
    }
}

/* The message, or its header, that a report brings back. */
static json_t *returned_identifier(Reading *reading, const Part *part) {
    g_autoptr(GByteArray) body = body_decode(reading, part, REPORT_MAX);
    g_autofree char *raw = field_find(vigie_bytes(body->data, body->len), "Message-ID");
    g_autoptr(json_t) ids = header_identifiers(raw, 1);
    json_t *id = json_array_get(ids, 0);
    return id ? json_incref(id) : NULL;
}

static void set_bounce(Reading *reading, json_t *recipients, json_t *identifier) {
    json_object_set_new(reading->about, "bounce",
                        json_pack("{s:o, s:o}", "message_id", identifier ? identifier : json_null(),
                                  "recipients", recipients));
}

static void read_multipart_report(Reading *reading, const Part *root) {
    json_t *recipients = json_array(), *identifier = NULL;
    for (guint i = 0; i < root->children->len; i++) {
        const Part *part = root->children->pdata[i];
        if (part_is(part, "message/delivery-status") || part_is(part, "message/global-delivery-status"))
            read_report(reading, part, recipients);
        else if (!identifier && (part_is(part, "message/rfc822") || part_is(part, "text/rfc822-headers") ||
                                 part_is(part, "message/global") || part_is(part, "message/global-headers")))
            identifier = returned_identifier(reading, part);
    }
    set_automatic(reading, "bounce", "Content-Type", "multipart/report");
    set_bounce(reading, recipients, identifier);
}

/* Servers that do not know RFC 3464: who they are, or what they add, tells them. */
static void look_for_old_bounce(Reading *reading, VigieBytes header) {
    static const char *const senders[] = {"mailer-daemon@", "postmaster@", "double-bounce@"};
    g_autofree char *failed = field_find(header, "X-Failed-Recipients");
    g_autofree char *path = field_find(header, "Return-Path");
    const char *address = json_string_value(
        json_object_get(json_array_get(json_object_get(reading->about, "from"), 0), "address"));
    bool server = false;
    for (size_t i = 0; address && i < G_N_ELEMENTS(senders); i++)
        server = server || g_ascii_strncasecmp(address, senders[i], strlen(senders[i])) == 0;
    if (!failed && !(server && path && strcmp(path, "<>") == 0))
        return;
    json_t *recipients = json_array();
    g_auto(GStrv) addresses = g_strsplit(failed ? failed : "", ",", RECIPIENTS_MAX);
    for (size_t i = 0; addresses[i]; i++) {
        g_autofree char *clean = clean_text(addresses[i], strlen(addresses[i]), false);
        if (*g_strstrip(clean))
            json_array_append_new(recipients, json_pack("{s:s, s:s, s:s, s:s}", "address", clean, "action",
                                                        "failed", "status", "", "diagnostic", ""));
    }
    set_automatic(reading, "bounce", failed ? "X-Failed-Recipients" : "From", failed ? failed : address);
    set_bounce(reading, recipients, NULL);
}

/* ---- All of it ---- */
static bool is_loop(const Reading *reading, VigieBytes header) {
    Field field;
    while (field_next(&header, &field)) {
        if (!field_is(&field, "X-Loop"))
            continue;
        g_autofree char *value = g_strndup((const char *)field.value.data, field.value.size);
        g_strstrip(value);
        for (size_t i = 0; reading->means->own && reading->means->own[i]; i++)
            if (g_ascii_strcasecmp(value, reading->means->own[i]) == 0)
                return true;
    }
    return false;
}

void verdict_describe(Reading *reading, const Part *root) {
    json_object_set_new(reading->about, "automatic", json_null());
    json_object_set_new(reading->about, "bounce", json_null());
    json_object_set_new(reading->about, "loop", json_boolean(is_loop(reading, root->header)));
    const char *report = part_is(root, "multipart/report") ? part_parameter(root, "report-type") : "";
    if (g_ascii_strcasecmp(report, "delivery-status") == 0)
        read_multipart_report(reading, root);
    else if (g_ascii_strcasecmp(report, "disposition-notification") == 0)
        set_automatic(reading, "receipt", "Content-Type", "multipart/report");
    else if (*report)
        set_automatic(reading, "generated", "Content-Type", "multipart/report");
    else
        look_for_old_bounce(reading, root->header);
    if (json_is_null(json_object_get(reading->about, "automatic")))
        look_for_signs(reading, root->header);
}
