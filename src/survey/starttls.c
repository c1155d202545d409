#include "survey/starttls.h"

#include <string.h>

/* ---- What all share ----------------------------------------------------------------------------------------- */
static void say(VigieWriter *out, const char *text) {
    vigie_write(out, text, strlen(text));
}

static void keep_printable(char *kept, size_t capacity, const uint8_t *data, size_t size) {
    size_t i = 0;
    for (; i < size && i + 1 < capacity && data[i] != '\r' && data[i] != '\n'; i++)
        kept[i] = data[i] >= 0x20 && data[i] < 0x7f ? (char)data[i] : '?';
    kept[i] = '\0';
}

static DialogueState malformed(Dialogue *dialogue, const char *clause) {
    dialogue->clause = clause;
    return DIALOGUE_MALFORMED;
}

static bool begins(const uint8_t *line, size_t size, const char *prefix) {
    size_t length = strlen(prefix);
    return size >= length && g_ascii_strncasecmp((const char *)line, prefix, length) == 0;
}

/* ---- Dialogues of lines -------------------------------------------------------------------------------------
 * Each is a list of steps: what the client says, and how the server's answer must begin. */
typedef enum {
    REPLY_CODES,  /* "250-…" goes on, "250 …" ends: RFC 5321 4.2.1, RFC 959 4.2 */
    REPLY_TAGGED, /* lines with "* " are asides, but for the greeting: RFC 3501 2.2.2 */
    REPLY_LINE,   /* every line is an answer: RFC 1939 3 */
} ReplyStyle;

typedef struct {
    const char *said;     /* NULL: the server speaks first */
    const char *wanted;   /* how the last line of the answer begins */
    const char *declares; /* a line of the answer must have this capability; NULL: none needed */
} Step;

typedef struct {
    ReplyStyle style;
    const char
        *greeting; /* without it, it is another protocol; besides `wanted` of the first step, a refusal */
    const char *clause; /* that octets after the go-ahead break */
    Step steps[4];      /* the last is zeroed */
} LineDialogue;

static const LineDialogue line_dialogues[VIGIE_PROTOCOLS] = {
    [VIGIE_PROTOCOL_SMTP] = {REPLY_CODES,
                             "",
                             "RFC 3207 4: data after the answer to STARTTLS",
                             {{NULL, "220", NULL},
                              {"EHLO vigie.invalid\r\n", "250", "STARTTLS"},
                              {"STARTTLS\r\n", "220", NULL}}},
    [VIGIE_PROTOCOL_FTP] = {REPLY_CODES,
                            "",
                            "RFC 4217 4: data after the answer to AUTH TLS",
                            {{NULL, "220", NULL}, {"AUTH TLS\r\n", "234", NULL}}},
    [VIGIE_PROTOCOL_IMAP] = {REPLY_TAGGED,
                             "* ",
                             "RFC 3501 6.2.1: data after the answer to STARTTLS",
                             {{NULL, "* OK", NULL}, {"v1 STARTTLS\r\n", "v1 OK", NULL}}},
    [VIGIE_PROTOCOL_POP3] = {REPLY_LINE,
                             "",
                             "RFC 2595 4: data after the answer to STLS",
                             {{NULL, "+OK", NULL}, {"STLS\r\n", "+OK", NULL}}},
};

static bool looks_like_code(const uint8_t *line, size_t size) {
    return size >= 3 && line[0] >= '1' && line[0] <= '5' && g_ascii_isdigit(line[1]) &&
           g_ascii_isdigit(line[2]) && (size == 3 || line[3] == ' ' || line[3] == '-' || line[3] == '\r');
}

/* Is this first line of the greeting one of this protocol at all? */
static bool is_own_greeting(const LineDialogue *plan, const uint8_t *line, size_t size) {
    switch (plan->style) {
    case REPLY_CODES:
        return looks_like_code(line, size);
    case REPLY_TAGGED:
        return begins(line, size, "* ");
    case REPLY_LINE:
    default:
        return begins(line, size, "+OK") || begins(line, size, "-ERR");
    }
}

/* Does more of the same answer follow this line? */
static bool is_aside(const LineDialogue *plan, uint8_t step, const uint8_t *line, size_t size) {
    switch (plan->style) {
    case REPLY_CODES:
        return !looks_like_code(line, size) || (size > 3 && line[3] == '-');
    case REPLY_TAGGED:
        return step > 0 && begins(line, size, "* ");
    case REPLY_LINE:
    default:
        return false;
    }
}

static DialogueState take_line(Dialogue *dialogue, const uint8_t *line, size_t size, VigieWriter *out) {
    const LineDialogue *plan = &line_dialogues[dialogue->protocol];
    const Step *step = &plan->steps[dialogue->step];
    if (dialogue->step == 0 && !dialogue->banner[0]) {
        if (!is_own_greeting(plan, line, size))
            return DIALOGUE_STRANGE;
        keep_printable(dialogue->banner, sizeof dialogue->banner, line, size);
    }
    if (step->declares && size > 4 && begins(line + 4, size - 4, step->declares))
        dialogue->capable = true;
    if (is_aside(plan, dialogue->step, line, size))
        return DIALOGUE_MORE;
    keep_printable(dialogue->answer, sizeof dialogue->answer, line, size);
    if (!begins(line, size, step->wanted))
        return DIALOGUE_REFUSED;
    if (step->declares && !dialogue->capable) {
        g_strlcpy(dialogue->answer, "STARTTLS is not announced", sizeof dialogue->answer);
        return DIALOGUE_REFUSED;
    }
    step++;
    dialogue->step++;
    if (!step->wanted)
        return DIALOGUE_READY;
    say(out, step->said);
    return DIALOGUE_MORE;
}

static DialogueState feed_lines(Dialogue *dialogue, VigieWriter *out) {
    size_t at = 0;
    DialogueState state = DIALOGUE_MORE;
    while (state == DIALOGUE_MORE) {
        const uint8_t *line = dialogue->line + at;
        const uint8_t *end = memchr(line, '\n', dialogue->held - at);
        if (!end)
            break;
        at += (size_t)(end + 1 - line);
        state = take_line(dialogue, line, (size_t)(end - line), out);
    }
    dialogue->held = (uint16_t)(dialogue->held - at);
    memmove(dialogue->line, dialogue->line + at, dialogue->held);
    /* A greeting without a line end: its first octets may already tell that it is another protocol. */
    if (state == DIALOGUE_MORE && dialogue->step == 0 && !dialogue->banner[0] && dialogue->held >= 4 &&
        !is_own_greeting(&line_dialogues[dialogue->protocol], dialogue->line, dialogue->held))
        return DIALOGUE_STRANGE;
    if (state == DIALOGUE_READY && dialogue->held > 0)
        return malformed(dialogue, line_dialogues[dialogue->protocol].clause);
    return state;
}

/* ---- XMPP, RFC 6120 5 --------------------------------------------------------------------------------------- */
static void xmpp_start(const Dialogue *dialogue, VigieWriter *out) {
    say(out, "<?xml version='1.0'?><stream:stream xmlns='jabber:client' "
             "xmlns:stream='http://etherx.jabber.org/streams' version='1.0' to='");
    for (const char *c = dialogue->name; *c; c++)
        if (g_ascii_isalnum(*c) || strchr(".-_:", *c))
            vigie_write_u8(out, (uint8_t)*c);
    say(out, "'>");
}

static bool holds(const Dialogue *dialogue, const char *text) {
    return memmem(dialogue->line, dialogue->held, text, strlen(text)) != NULL;
}

static DialogueState feed_xmpp(Dialogue *dialogue, VigieWriter *out) {
    if (dialogue->step == 0 && dialogue->held >= 5 && !begins(dialogue->line, dialogue->held, "<?xml") &&
        !begins(dialogue->line, dialogue->held, "<stre"))
        return DIALOGUE_STRANGE;
    if (dialogue->step == 0) {
        bool offered = holds(dialogue, "urn:ietf:params:xml:ns:xmpp-tls");
        if (holds(dialogue, "</stream:features>") || holds(dialogue, "<stream:features/>") ||
            holds(dialogue, "<stream:error")) {
            if (!offered) {
                g_strlcpy(dialogue->answer, "starttls is not among the stream's features",
                          sizeof dialogue->answer);
                return DIALOGUE_REFUSED;
            }
            say(out, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
            dialogue->step = 1;
            dialogue->held = 0;
        }
        return DIALOGUE_MORE;
    }
    if (holds(dialogue, "<failure")) {
        g_strlcpy(dialogue->answer, "failure", sizeof dialogue->answer);
        return DIALOGUE_REFUSED;
    }
    const uint8_t *proceed = memmem(dialogue->line, dialogue->held, "<proceed", 8);
    const uint8_t *end =
        proceed ? memchr(proceed, '>', (size_t)(dialogue->line + dialogue->held - proceed)) : NULL;
    if (!end)
        return DIALOGUE_MORE;
    size_t after = (size_t)(dialogue->line + dialogue->held - (end + 1));
    if (end[-1] != '/') { /* <proceed …></proceed> */
        static const char closing[] = "</proceed>";
        if (after < sizeof closing - 1)
            return DIALOGUE_MORE;
        if (memcmp(end + 1, closing, sizeof closing - 1) == 0)
            after -= sizeof closing - 1;
    }
    return after ? malformed(dialogue, "RFC 6120 5.4.3.3: data after <proceed/>") : DIALOGUE_READY;
}

/* ---- LDAP, RFC 4511 4.14 ------------------------------------------------------------------------------------ */
static void ldap_start(const Dialogue *dialogue, VigieWriter *out) {
    (void)dialogue;
    static const uint8_t request[] = {0x30, 0x1d, 0x02, 0x01, 0x01, 0x77, 0x18, 0x80, 0x16, '1', '.',
                                      '3',  '.',  '6',  '.',  '1',  '.',  '4',  '.',  '1',  '.', '1',
                                      '4',  '6',  '6',  '.',  '2',  '0',  '0',  '3',  '7'};
    vigie_write(out, request, sizeof request);
}

/* One BER element of the tag wanted. False with `failed` unset: not all there yet. */
static bool read_ber(VigieReader *reader, uint8_t tag, VigieReader *ret_inner, bool *ret_wrong) {
    VigieReader probe = *reader;
    uint8_t found = vigie_read_u8(&probe);
    if (!probe.failed && found != tag)
        *ret_wrong = true;
    uint32_t length = vigie_read_u8(&probe);
    if (length > 0x84 || length == 0x80)
        *ret_wrong = true;
    else if (length > 0x80)
        length = vigie_read_uint(&probe, length - 0x80);
    if (length > DIALOGUE_LINE_MAX)
        *ret_wrong = true;
    VigieBytes body = vigie_read(&probe, length);
    if (*ret_wrong || probe.failed)
        return false;
    *ret_inner = vigie_reader(body);
    *reader = probe;
    return true;
}

static DialogueState feed_ldap(Dialogue *dialogue, VigieWriter *out) {
    (void)out;
    static const char *const clause = "RFC 4511 4.14.2: not an answer to StartTLS";
    VigieReader all = vigie_reader(vigie_bytes(dialogue->line, dialogue->held));
    VigieReader message, id, response, code;
    bool wrong = false;
    if (!read_ber(&all, 0x30, &message, &wrong))
        return wrong ? DIALOGUE_STRANGE : DIALOGUE_MORE;
    if (!read_ber(&message, 0x02, &id, &wrong) || !read_ber(&message, 0x78, &response, &wrong) ||
        !read_ber(&response, 0x0a, &code, &wrong) || code.rest.size != 1)
        return malformed(dialogue, clause);
    uint8_t result = vigie_read_u8(&code);
    if (result != 0) {
        g_snprintf(dialogue->answer, sizeof dialogue->answer, "resultCode %u", result);
        return DIALOGUE_REFUSED;
    }
    return all.rest.size ? malformed(dialogue, "RFC 4511 4.14.2: data after the answer to StartTLS")
                         : DIALOGUE_READY;
}

/* ---- PostgreSQL, "SSL Session Encryption" of its protocol --------------------------------------------------- */
static void postgresql_start(const Dialogue *dialogue, VigieWriter *out) {
    (void)dialogue;
    static const uint8_t request[] = {0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f};
    vigie_write(out, request, sizeof request);
}

static DialogueState feed_postgresql(Dialogue *dialogue, VigieWriter *out) {
    (void)out;
    if (dialogue->line[0] == 'N' && dialogue->held == 1) {
        g_strlcpy(dialogue->answer, "N", sizeof dialogue->answer);
        return DIALOGUE_REFUSED;
    }
    if (dialogue->line[0] == 'E') {
        g_strlcpy(dialogue->answer, "E", sizeof dialogue->answer);
        return DIALOGUE_REFUSED;
    }
    if (dialogue->line[0] != 'S')
        return DIALOGUE_STRANGE;
    if (dialogue->held == 1)
        return DIALOGUE_READY;
    /* "SSH-2.0-…" begins so too. */
    return dialogue->line[1] == 'S'
               ? DIALOGUE_STRANGE
               : malformed(dialogue, "PostgreSQL 55.2.10: data after the answer to SSLRequest");
}

/* ---- MySQL, protocol version 10 ----------------------------------------------------------------------------- */
enum { MYSQL_PROTOCOL_41 = 0x0200, MYSQL_SSL = 0x0800, MYSQL_SECURE = 0x8000, MYSQL_ERROR = 0xff };

static void mysql_ssl_request(uint8_t sequence, VigieWriter *out) {
    uint8_t packet[36] = {32, 0, 0, sequence};
    uint32_t capabilities = MYSQL_PROTOCOL_41 | MYSQL_SSL | MYSQL_SECURE;
    for (size_t i = 0; i < 4; i++)
        packet[4 + i] = (uint8_t)(capabilities >> (8 * i));
    packet[8 + 3] = 1; /* 16 MiB packets at most */
    packet[12] = 33;   /* utf8 */
    vigie_write(out, packet, sizeof packet);
}

static DialogueState feed_mysql(Dialogue *dialogue, VigieWriter *out) {
    VigieReader all = vigie_reader(vigie_bytes(dialogue->line, dialogue->held));
    VigieBytes size = vigie_read(&all, 3);
    uint8_t sequence = vigie_read_u8(&all), version = vigie_read_u8(&all);
    if (all.failed)
        return DIALOGUE_MORE;
    size_t length = size.data[0] | (size_t)size.data[1] << 8 | (size_t)size.data[2] << 16;
    if (length < 5 || length > DIALOGUE_LINE_MAX - 4 || sequence > 1 ||
        (version != 10 && version != MYSQL_ERROR))
        return DIALOGUE_STRANGE;
    VigieBytes rest = vigie_read(&all, length - 1);
    if (all.failed)
        return DIALOGUE_MORE;
    if (version == MYSQL_ERROR) {
        size_t skipped = rest.size > 8 && rest.data[2] == '#' ? 8 : 2;
        keep_printable(dialogue->answer, sizeof dialogue->answer, rest.data + skipped, rest.size - skipped);
        return DIALOGUE_REFUSED;
    }
    const uint8_t *nul = memchr(rest.data, 0, rest.size);
    VigieReader fields = vigie_reader(rest);
    vigie_read(&fields, nul ? (size_t)(nul + 1 - rest.data) : rest.size + 1); /* the server's version */
    vigie_read(&fields, 4 + 8 + 1);                                           /* thread, salt, filler */
    VigieBytes capabilities = vigie_read(&fields, 2);
    if (fields.failed)
        return malformed(dialogue, "MySQL HandshakeV10: cut short");
    if (!((capabilities.data[0] | capabilities.data[1] << 8) & MYSQL_SSL)) {
        g_strlcpy(dialogue->answer, "CLIENT_SSL is not announced", sizeof dialogue->answer);
        return DIALOGUE_REFUSED;
    }
    if (all.rest.size)
        return malformed(dialogue, "MySQL HandshakeV10: data after the greeting");
    mysql_ssl_request((uint8_t)(sequence + 1), out);
    return DIALOGUE_READY;
}

/* ---- The table ---------------------------------------------------------------------------------------------- */
typedef struct {
    void (*start)(const Dialogue *dialogue, VigieWriter *out); /* NULL: the server speaks first */
    DialogueState (*feed)(Dialogue *dialogue, VigieWriter *out);
} Kind;

static const Kind kinds[VIGIE_PROTOCOLS] = {
    [VIGIE_PROTOCOL_SMTP] = {NULL, feed_lines},
    [VIGIE_PROTOCOL_IMAP] = {NULL, feed_lines},
    [VIGIE_PROTOCOL_POP3] = {NULL, feed_lines},
    [VIGIE_PROTOCOL_FTP] = {NULL, feed_lines},
    [VIGIE_PROTOCOL_XMPP] = {xmpp_start, feed_xmpp},
    [VIGIE_PROTOCOL_LDAP] = {ldap_start, feed_ldap},
    [VIGIE_PROTOCOL_POSTGRESQL] = {postgresql_start, feed_postgresql},
    [VIGIE_PROTOCOL_MYSQL] = {NULL, feed_mysql},
};

void dialogue_start(Dialogue *dialogue, VigieProtocol protocol, const char *name, VigieWriter *out) {
    *dialogue = (Dialogue){.protocol = protocol, .name = name};
    if (kinds[protocol].start)
        kinds[protocol].start(dialogue, out);
}

/* `line` is filled as far as it goes and the dialogue's own function takes what it can from it. */
DialogueState dialogue_feed(Dialogue *dialogue, VigieBytes received, VigieWriter *out) {
    while (dialogue->state == DIALOGUE_MORE && received.size > 0) {
        size_t size = MIN(received.size, DIALOGUE_LINE_MAX - (size_t)dialogue->held);
        dialogue->received += (uint32_t)size;
        if (size == 0 || dialogue->received > DIALOGUE_MAX) {
            dialogue->clause = size == 0 ? "a line or packet over 4096 octets before TLS"
                                         : "more than 16384 octets before TLS";
            return dialogue->state = DIALOGUE_LIMIT;
        }
        memcpy(dialogue->line + dialogue->held, received.data, size);
        dialogue->held = (uint16_t)(dialogue->held + size);
        received.data += size;
        received.size -= size;
        dialogue->state = kinds[dialogue->protocol].feed(dialogue, out);
        if (dialogue->state == DIALOGUE_REFUSED && !dialogue->answer[0])
            g_strlcpy(dialogue->answer, "an answer without words", sizeof dialogue->answer);
        if (dialogue->state == DIALOGUE_READY && received.size > 0)
            dialogue->state = malformed(dialogue, "data after the go-ahead, before TLS");
    }
    return dialogue->state;
}
