#include "portal/head.h"

#include <strings.h>

#define REFUSE(code, text) ((HeadCheck){HEAD_REFUSED, (code), (text)})
static const HeadCheck well = {HEAD_WELL, 0, NULL};

typedef struct {
    unsigned fields, hosts, lengths, codings;
    unsigned once; /* a bit per entry of the table of singletons */
    bool version_1_1;
    bool content_forbidden; /* GET, HEAD */
    Head head;
} Reading;

static bool is_token(uint8_t c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool equals(VigieBytes bytes, const char *text) {
    return bytes.size == strlen(text) && strncasecmp((const char *)bytes.data, text, bytes.size) == 0;
}

/* Up to the next `c`; the rest moves past it. False where there is none. */
static bool cut(VigieBytes *rest, uint8_t c, VigieBytes *ret_before) {
    const uint8_t *at = rest->size ? memchr(rest->data, c, rest->size) : NULL;
    if (!at)
        return false;
    size_t size = (size_t)(at - rest->data);
    *ret_before = vigie_bytes(rest->data, size);
    *rest = vigie_bytes(at + 1, rest->size - size - 1);
    return true;
}

static HeadCheck check_request_line(VigieBytes line, Reading *reading) {
    VigieBytes method = {0}, target = {0}, version = line;
    if (!cut(&version, ' ', &method) || !cut(&version, ' ', &target))
        return REFUSE(400, "RFC 9112 3: a request line is METHOD TARGET VERSION, one space between each");
    if (method.size == 0 || method.size > 16)
        return REFUSE(400, "RFC 9112 3.1: the method has 1 to 16 characters");
    for (size_t i = 0; i < method.size; i++)
        if (!is_token(method.data[i]))
            return REFUSE(400, "RFC 9112 3.1: the method is a token");
    if (target.size == 0)
        return REFUSE(400, "RFC 9112 3: a request line is METHOD TARGET VERSION, one space between each");
    if (equals(version, "HTTP/1.1"))
        reading->version_1_1 = true;
    else if (!equals(version, "HTTP/1.0"))
        return REFUSE(505, "RFC 9112 2.3: HTTP/1.0 and HTTP/1.1 are spoken here");
    if (memcmp(version.data, "HTTP", 4) != 0)
        return REFUSE(400, "RFC 9112 2.3: HTTP is written in capitals");
    if (target.data[0] != '/')
        return REFUSE(400, "RFC 9112 3.2.1: the target is a path, from /");
    for (size_t i = 0; i < target.size; i++)
        if (target.data[i] <= ' ' || target.data[i] >= 0x7f || target.data[i] == '#')
            return REFUSE(400, "RFC 3986 2: the target has a character that must be written as %XX");
    reading->content_forbidden = equals(method, "GET") || equals(method, "HEAD");
    reading->head.last = !reading->version_1_1;
    reading->head.method = method;
    reading->head.target = target;
    return well;
}

static HeadCheck check_host(VigieBytes value, Reading *reading) {
    if (reading->hosts++ > 0)
        return REFUSE(400, "RFC 9112 3.2: Host twice");
    if (value.size == 0 || value.size > 255)
        return REFUSE(400, "RFC 9112 3.2: Host has 1 to 255 characters");
    for (size_t i = 0; i < value.size; i++)
        if (!is_token(value.data[i]) && !strchr("[]:", value.data[i]))
            return REFUSE(400, "RFC 9110 7.2: Host is a name or an address, and a port");
    return well;
}

static HeadCheck check_length(VigieBytes value, Reading *reading) {
    if (reading->lengths++ > 0)
        return REFUSE(400, "RFC 9112 6.3: Content-Length twice");
    if (value.size == 0 || value.size > 18)
        return REFUSE(400, "RFC 9110 8.6: Content-Length has 1 to 18 digits");
    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] < '0' || value.data[i] > '9')
            return REFUSE(400, "RFC 9110 8.6: Content-Length is digits, nothing else");
        reading->head.length = reading->head.length * 10 + (value.data[i] - '0');
    }
    return well;
}

/* What would be acted on twice, or whose second copy a proxy may have judged. */
static HeadCheck check_once(VigieBytes name, Reading *reading) {
    static const char *const singletons[] = {
        "authorization",   "cookie",       "content-type",        "expect",           "origin",
        "x-forwarded-for", "x-csrf-token", "x-ssl-client-verify", "x-ssl-client-cert"};
    for (unsigned i = 0; i < sizeof singletons / sizeof *singletons; i++) {
        if (!equals(name, singletons[i]))
            continue;
        if (reading->once & (1U << i))
            return REFUSE(400, "RFC 9110 5.3: a field that may come once came twice");
        reading->once |= 1U << i;
    }
    return well;
}

static VigieBytes trim(VigieBytes value) {
    for (; value.size > 0 && (value.data[0] == ' ' || value.data[0] == '\t'); value.data++)
        value.size--;
    while (value.size > 0 && (value.data[value.size - 1] == ' ' || value.data[value.size - 1] == '\t'))
        value.size--;
    return value;
}

/* RFC 9112 9.6: one of the options that stand between commas. */
static bool has_option(VigieBytes list, const char *option) {
    VigieBytes one = {0};
    while (cut(&list, ',', &one))
        if (equals(trim(one), option))
            return true;
    return equals(trim(list), option);
}

static HeadCheck check_value(VigieBytes name, VigieBytes value, Reading *reading) {
    Head *head = &reading->head;
    if (equals(name, "host"))
        return check_host(value, reading);
    if (equals(name, "content-length"))
        return check_length(value, reading);
    if (equals(name, "expect") && !equals(value, "100-continue"))
        return REFUSE(417, "RFC 9110 10.1.1: 100-continue alone may be expected");
    reading->codings += equals(name, "transfer-encoding");
    head->expects = head->expects || (equals(name, "expect") && reading->version_1_1);
    head->last = head->last || (equals(name, "connection") && has_option(value, "close"));
    if (equals(name, "content-type"))
        head->content_type = value;
    if (equals(name, "if-none-match"))
        head->none_match = value;
    if (equals(name, "if-modified-since"))
        head->modified_since = value;
    return check_once(name, reading);
}

static HeadCheck check_field(VigieBytes line, Reading *reading) {
    VigieBytes name = {0}, value = line;
    if (line.data[0] == ' ' || line.data[0] == '\t')
        return REFUSE(400, "RFC 9112 5.2: a field is continued on a second line");
    if (++reading->fields > HEAD_FIELDS_MAX)
        return REFUSE(431, "RFC 6585 5: more than 100 fields");
    if (!cut(&value, ':', &name) || name.size == 0)
        return REFUSE(400, "RFC 9112 5: a field is NAME: VALUE");
    for (size_t i = 0; i < name.size; i++)
        if (!is_token(name.data[i]))
            return REFUSE(400, "RFC 9112 5.1: a field's name is a token, the colon right behind it");
    value = trim(value);
    for (size_t i = 0; i < value.size; i++)
        if ((value.data[i] < ' ' && value.data[i] != '\t') || value.data[i] == 0x7f)
            return REFUSE(400, "RFC 9110 5.5: a control character in a field");
    return check_value(name, value, reading);
}

static HeadCheck check_whole(const Reading *reading) {
    if (reading->version_1_1 && reading->hosts == 0)
        return REFUSE(400, "RFC 9112 3.2: Host is missing");
    if (reading->codings > 0 && reading->lengths > 0)
        return REFUSE(400, "RFC 9112 6.1: Transfer-Encoding and Content-Length together");
    if (reading->codings > 0)
        return REFUSE(411, "RFC 9112 6.3: Transfer-Encoding is not taken here: send a Content-Length");
    if (reading->content_forbidden && reading->head.length > 0)
        return REFUSE(400, "RFC 9110 9.3.1: GET and HEAD carry no content");
    return well;
}

HeadCheck portal_head_check(VigieBytes bytes, Head *ret_head) {
    Reading reading = {0};
    VigieBytes rest = bytes.size > HEAD_SIZE_MAX ? vigie_bytes(bytes.data, HEAD_SIZE_MAX) : bytes;
    VigieBytes line = {0};
    for (bool first = true; cut(&rest, '\n', &line); first = false) {
        if (line.size == 0 || line.data[line.size - 1] != '\r')
            return REFUSE(400, "RFC 9112 2.2: a line ends in CR LF");
        line.size--;
        if (memchr(line.data, '\r', line.size) || memchr(line.data, 0, line.size))
            return REFUSE(400, "RFC 9112 2.2: CR or NUL within a line");
        if (!first && line.size == 0) {
            HeadCheck check = check_whole(&reading);
            reading.head.size = (size_t)(rest.data - bytes.data);
            if (check.verdict == HEAD_WELL)
                *ret_head = reading.head;
            return check;
        }
        HeadCheck check = first ? check_request_line(line, &reading) : check_field(line, &reading);
        if (check.verdict == HEAD_REFUSED)
            return check;
    }
    if (bytes.size >= HEAD_SIZE_MAX)
        return REFUSE(431, "RFC 6585 5: request line and fields are more than 16 KiB");
    return (HeadCheck){HEAD_INCOMPLETE, 0, NULL};
}

bool portal_head_field(VigieBytes *rest, VigieBytes *ret_name, VigieBytes *ret_value) {
    VigieBytes line = {0}, name = {0};
    while (cut(rest, '\n', &line)) {
        line.size--; /* the CR */
        /* The request line's target has no colon before its first space: no field is taken out of it. */
        VigieBytes value = line;
        if (cut(&value, ':', &name) && !memchr(name.data, ' ', name.size)) {
            *ret_name = name;
            *ret_value = trim(value);
            return true;
        }
    }
    return false;
}
