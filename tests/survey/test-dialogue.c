/* STARTTLS dialogues: each as its RFC has it, in one piece and octet by octet; refusals with the server's words; what
 * is not of the protocol; injection after the go-ahead; bounds. And dates as servers write them. */
#include "survey/engine.h"

typedef struct {
    const char *name;
    VigieProtocol protocol;
    const char *server; /* all it says, "|" between what it says after the client has spoken */
    size_t size;        /* 0: a string */
    DialogueState state;
    const char *client; /* all the client says before TLS; NULL: not compared */
    const char *answer;
} Case;

#define PG_REQUEST "\0\0\0\x08\x04\xd2\x16\x2f"
#define LDAP_OK "0\x0c\x02\x01\x01x\x07\n\x01\0\x04\0\x04\0"
#define MYSQL(capabilities)                                                                                  \
    "\x31\0\0\0\n5.5\0abcdSALTSALT\0" capabilities "\x21\2\0\0\0\x15\0\0\0\0\0\0\0\0\0\0SALTSALTSALT\0"

static const Case cases[] = {
    {"smtp", VIGIE_PROTOCOL_SMTP,
     "220-one\r\n220 mail.test ESMTP\r\n|250-mail.test\r\n250-SIZE 1\r\n250-starttls\r\n250 HELP\r\n|220 "
     "go\r\n",
     0, DIALOGUE_READY, "EHLO vigie.invalid\r\nSTARTTLS\r\n", NULL},
    {"smtp without", VIGIE_PROTOCOL_SMTP, "220 mail.test\r\n|250 mail.test\r\n", 0, DIALOGUE_REFUSED,
     "EHLO vigie.invalid\r\n", "STARTTLS is not announced"},
    {"smtp busy", VIGIE_PROTOCOL_SMTP, "421 too many\x07 connections\r\n", 0, DIALOGUE_REFUSED, "",
     "421 too many? connections"},
    {"smtp refused", VIGIE_PROTOCOL_SMTP, "220 a\r\n|250-a\r\n250 STARTTLS\r\n|454 not now\r\n", 0,
     DIALOGUE_REFUSED, NULL, "454 not now"},
    {"smtp injection", VIGIE_PROTOCOL_SMTP, "220 a\r\n|250-a\r\n250 STARTTLS\r\n|220 go\r\n250 injected\r\n",
     0, DIALOGUE_MALFORMED, NULL, NULL},
    {"ssh on smtp", VIGIE_PROTOCOL_SMTP, "SSH-2.0-OpenSSH_9.2\r\n", 0, DIALOGUE_STRANGE, "", NULL},
    {"http on imap", VIGIE_PROTOCOL_IMAP, "HTTP/1.0 400 Bad Request\r\n", 0, DIALOGUE_STRANGE, "", NULL},
    {"tls on smtp", VIGIE_PROTOCOL_SMTP, "\x15\3\1\0\2\2\x50", 7, DIALOGUE_STRANGE, "", NULL},
    {"imap", VIGIE_PROTOCOL_IMAP, "* OK ready\r\n|* CAPABILITY IMAP4rev1\r\nv1 OK begin\r\n", 0,
     DIALOGUE_READY, "v1 STARTTLS\r\n", NULL},
    {"imap refused", VIGIE_PROTOCOL_IMAP, "* OK ready\r\n|v1 BAD no TLS\r\n", 0, DIALOGUE_REFUSED, NULL,
     "v1 BAD no TLS"},
    {"imap bye", VIGIE_PROTOCOL_IMAP, "* BYE overloaded\r\n", 0, DIALOGUE_REFUSED, "", "* BYE overloaded"},
    {"pop3", VIGIE_PROTOCOL_POP3, "+OK hello\r\n|+OK begin\r\n", 0, DIALOGUE_READY, "STLS\r\n", NULL},
    {"pop3 refused", VIGIE_PROTOCOL_POP3, "+OK hello\r\n|-ERR unknown\r\n", 0, DIALOGUE_REFUSED, NULL,
     "-ERR unknown"},
    {"ftp", VIGIE_PROTOCOL_FTP, "220-a\r\n anything\r\n220 b\r\n|234 proceed\r\n", 0, DIALOGUE_READY,
     "AUTH TLS\r\n", NULL},
    {"ftp refused", VIGIE_PROTOCOL_FTP, "220 b\r\n|502 no\r\n", 0, DIALOGUE_REFUSED, NULL, "502 no"},
    {"xmpp", VIGIE_PROTOCOL_XMPP,
     "<?xml version='1.0'?><stream:stream id='1'><stream:features><starttls "
     "xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>|<proceed "
     "xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
     0, DIALOGUE_READY, NULL, NULL},
    {"xmpp without", VIGIE_PROTOCOL_XMPP, "<stream:stream><stream:features><mechanisms/></stream:features>",
     0, DIALOGUE_REFUSED, NULL, "starttls is not among the stream's features"},
    {"ldap", VIGIE_PROTOCOL_LDAP, LDAP_OK, 14, DIALOGUE_READY, NULL, NULL},
    {"ldap refused", VIGIE_PROTOCOL_LDAP, "0\x0c\x02\x01\x01x\x07\n\x01\x02\x04\0\x04\0", 14,
     DIALOGUE_REFUSED, NULL, "resultCode 2"},
    {"ldap injection", VIGIE_PROTOCOL_LDAP, LDAP_OK "x", 15, DIALOGUE_MALFORMED, NULL, NULL},
    {"ldap cut", VIGIE_PROTOCOL_LDAP, "0\x0c\x02\x01\x01x\x7f\n\x01\x02\x04\0\x04\0", 14, DIALOGUE_MALFORMED,
     NULL, NULL},
    {"http on ldap", VIGIE_PROTOCOL_LDAP, "HTTP/1.0 400\r\n", 0, DIALOGUE_STRANGE, NULL, NULL},
    {"postgresql", VIGIE_PROTOCOL_POSTGRESQL, "S", 0, DIALOGUE_READY, NULL, NULL},
    {"postgresql refused", VIGIE_PROTOCOL_POSTGRESQL, "N", 0, DIALOGUE_REFUSED, NULL, "N"},
    {"postgresql injection", VIGIE_PROTOCOL_POSTGRESQL, "Sx", 0, DIALOGUE_MALFORMED, NULL, NULL},
    {"ssh on postgresql", VIGIE_PROTOCOL_POSTGRESQL, "SSH-2.0-x\r\n", 0, DIALOGUE_STRANGE, NULL, NULL},
    {"mysql", VIGIE_PROTOCOL_MYSQL, MYSQL("\xff\xff"), 53, DIALOGUE_READY, NULL, NULL},
    {"mysql without", VIGIE_PROTOCOL_MYSQL, MYSQL("\xff\xf7"), 53, DIALOGUE_REFUSED, NULL,
     "CLIENT_SSL is not announced"},
    {"mysql refused", VIGIE_PROTOCOL_MYSQL, "\x10\0\0\0\xff\x15\x04#08004not you", 20, DIALOGUE_REFUSED, NULL,
     "not you"},
    {"http on mysql", VIGIE_PROTOCOL_MYSQL, "HTTP/1.0 400\r\n", 0, DIALOGUE_STRANGE, NULL, NULL},
};

static bool injects(const Case *item) {
    return strstr(item->name, "injection") || strncmp(item->name, "ssh on p", 8) == 0;
}

/* Plays the server's part in pieces; a pause where it waits for the client. */
static void play(const Case *item, size_t piece) {
    uint8_t buffer[2048];
    VigieWriter out = vigie_writer(buffer, sizeof buffer);
    Dialogue dialogue;
    dialogue_start(&dialogue, item->protocol, "mail.test", &out);
    size_t size = item->size ? item->size : strlen(item->server);
    size_t spoken = out.size;
    DialogueState state = DIALOGUE_MORE;
    for (size_t at = 0; at < size && state == DIALOGUE_MORE;) {
        if (item->server[at] == '|' && item->size == 0) {
            g_assert_cmpuint(out.size, >, spoken); /* the client has spoken */
            spoken = out.size;
            at++;
            continue;
        }
        size_t next = MIN(piece, item->size ? size - at : strcspn(item->server + at, "|"));
        state = dialogue_feed(&dialogue, vigie_bytes(item->server + at, next), &out);
        at += next;
    }
    g_assert_false(out.failed);
    if (state != item->state)
        g_error("%s, pieces of %zu: state %d, expected %d (%s)", item->name, piece, state, item->state,
                dialogue.answer);
    if (item->client)
        g_assert_cmpmem(out.data, out.size, item->client, strlen(item->client));
    if (item->answer)
        g_assert_cmpstr(dialogue.answer, ==, item->answer);
    g_assert_true((state == DIALOGUE_MALFORMED || state == DIALOGUE_LIMIT) == (dialogue.clause != NULL));
}

static void test_cases(void) {
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        play(&cases[i], SIZE_MAX);
        for (size_t piece = 1; piece < 8 && !injects(&cases[i]); piece++)
            play(&cases[i], piece);
    }
}

/* No name, however odd, breaks out of the attribute it is written to. */
static void test_name_is_escaped(void) {
    uint8_t buffer[DIALOGUE_OUT_MAX];
    VigieWriter out = vigie_writer(buffer, sizeof buffer);
    Dialogue dialogue;
    dialogue_start(&dialogue, VIGIE_PROTOCOL_XMPP, "a'/><evil x='\r\n", &out);
    g_assert_null(memmem(out.data, out.size, "<evil", 5));
    g_assert_null(memmem(out.data, out.size, "\n", 1));
}

static void test_bounds(void) {
    static uint8_t endless[DIALOGUE_MAX + DIALOGUE_LINE_MAX];
    const VigieProtocol all[] = {VIGIE_PROTOCOL_SMTP, VIGIE_PROTOCOL_IMAP, VIGIE_PROTOCOL_XMPP,
                                 VIGIE_PROTOCOL_FTP};
    for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
        for (int lines = 0; lines < 2; lines++) {
            memset(endless, 'x', sizeof endless);
            memcpy(endless,
                   all[i] == VIGIE_PROTOCOL_IMAP   ? "* a"
                   : all[i] == VIGIE_PROTOCOL_XMPP ? "<?xml"
                                                   : "220-a",
                   all[i] == VIGIE_PROTOCOL_IMAP ? 3 : 5);
            for (size_t at = 64; lines && all[i] == VIGIE_PROTOCOL_SMTP && at + 8 < sizeof endless; at += 64)
                memcpy(endless + at, "\r\n220-", 6);
            uint8_t buffer[DIALOGUE_OUT_MAX];
            VigieWriter out = vigie_writer(buffer, sizeof buffer);
            Dialogue dialogue;
            dialogue_start(&dialogue, all[i], "a.test", &out);
            g_assert_cmpint(dialogue_feed(&dialogue, vigie_bytes(endless, sizeof endless), &out), ==,
                            DIALOGUE_LIMIT);
            g_assert_cmpuint(dialogue.received, <=, DIALOGUE_MAX + DIALOGUE_LINE_MAX);
        }
    }
}

static void test_dates(void) {
    const struct {
        const char *text;
        VigieTime time; /* 0: none */
    } dates[] = {
        {"220 a ESMTP Sendmail; Sat, 21 Nov 2026 21:15:10 +0100\r\n", 1795292110},
        {"date: Sat, 21 Nov 2026 20:15:10 GMT", 1795292110},
        {"* OK x at Sat, 21 Nov 2026 15:15:10 -0500 (EST)", 1795292110},
        {"21-Nov-2026 20:15:10 +0000", 1795292110},
        {"x 1 Jan 1970 00:00:10 UTC", 10},
        {"Sat, 21 Nov 2026 21:15:10", 0},
        {"Sat, 21 Nov 2026 24:15:10 GMT", 0},
        {"Sat, 21 Nov 2026 21:60:10 GMT", 0},
        {"Sat, 0 Nov 2026 21:15:10 GMT", 0},
        {"Nov 2026 21:15:10 GMT", 0},
        {"Nov", 0},
        {"21 Nov 2026 21:15:10 +9900", 0},
        {"", 0},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(dates); i++) {
        VigieTime found = -1;
        g_autofree char *exact = g_memdup2(dates[i].text, MAX(1, strlen(dates[i].text)));
        bool is_date = date_find(exact, strlen(dates[i].text), &found);
        if (is_date != (dates[i].time != 0))
            g_error("%s: %d", dates[i].text, is_date);
        if (is_date)
            g_assert_cmpint(found, ==, dates[i].time);
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/dialogue/cases", test_cases);
    g_test_add_func("/dialogue/name-is-escaped", test_name_is_escaped);
    g_test_add_func("/dialogue/bounds", test_bounds);
    g_test_add_func("/dialogue/dates", test_dates);
    return g_test_run();
}
