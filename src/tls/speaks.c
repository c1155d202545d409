/* speaks.c: what a server that does not speak TLS speaks instead, by its first octets. */
#include "tls/internal.h"

#include <ctype.h>

/* Answers of servers that were sent a ClientHello, or that speak first. Longest beginnings first where one
 * begins another. */
static const struct {
    const char *start;
    uint8_t size;
    const char *name;
} starts[] = {
    {"HTTP/", 5, "http"},
    {"SSH-", 4, "ssh"},
    {"+OK", 3, "pop3"},
    {"-ERR", 4, "pop3"},
    {"* OK", 4, "imap"},
    {"* BAD", 5, "imap"},
    {"* BYE", 5, "imap"},
    {"* PREAUTH", 9, "imap"},
    {"<?xml", 5, "xmpp"},
    {"<stream", 7, "xmpp"},
    {"<html", 5, "http"},
    {"<HTML", 5, "http"},
    {"<!DOCTYPE", 9, "http"},
    {"RFB 0", 5, "vnc"},
    {"E\0\0\0", 4, "postgresql"},
    {"\x0B", 1, "mllp"},              /* <VT>, HL7 minimal lower layer protocol */
    {"\x02\0\0\0", 4, "dicom"},       /* A-ASSOCIATE-AC of less than 64 KiB, PS3.8 9.3.3 */
    {"\x03\0\0\0\0\x04", 6, "dicom"}, /* A-ASSOCIATE-RJ, PS3.8 9.3.4 */
    {"\x07\0\0\0\0\x04", 6, "dicom"}, /* A-ABORT, PS3.8 9.3.8 */
    {"\x03\0\0", 3, "rdp"},           /* TPKT, RFC 1006 */
    {"\xFF\xFB", 2, "telnet"},        /* IAC WILL, WONT, DO, DONT: RFC 854 */
    {"\xFF\xFC", 2, "telnet"},
    {"\xFF\xFD", 2, "telnet"},
    {"\xFF\xFE", 2, "telnet"},
};

static bool begins(VigieBytes text, const char *start, size_t size) {
    return text.size >= size && memcmp(text.data, start, size) == 0;
}

static bool contains(VigieBytes text, const char *word) {
    size_t size = strlen(word);
    for (size_t i = 0; i + size <= text.size; i++) {
        size_t n = 0;
        while (n < size && tolower(text.data[i + n]) == word[n])
            n++;
        if (n == size)
            return true;
    }
    return false;
}

/* A reply code of three digits: FTP and SMTP look the same but for what they say of themselves. */
static const char *reply(VigieBytes text) {
    if (text.size < 4 || !isdigit(text.data[0]) || !isdigit(text.data[1]) || !isdigit(text.data[2]) ||
        (text.data[3] != ' ' && text.data[3] != '-'))
        return NULL;
    if (contains(text, "smtp") || contains(text, "mail") || contains(text, "postfix") ||
        contains(text, "5.5."))
        return "smtp";
    if (contains(text, "ftp") || text.data[0] == '2' || begins(text, "530", 3) || begins(text, "421", 3))
        return "ftp";
    return "smtp";
}

/* RFC 4511: an LDAPMessage that is an extended response, mostly the notice of disconnection. */
static bool is_ldap(VigieBytes text) {
    if (text.size < 7 || text.data[0] != 0x30)
        return false;
    size_t at = text.data[1] & 0x80 ? 2U + (text.data[1] & 0x7F) : 2;
    return at + 3 < text.size && text.data[at] == 2 && text.data[at + 1] == 1 &&
           (text.data[at + 3] & 0xE0) == 0x60;
}

/* The greeting: length, sequence 0, then protocol 10 and a version in text; or an error packet. */
static bool is_mysql(VigieBytes text) {
    return text.size >= 6 && text.data[2] == 0 && text.data[3] == 0 &&
           ((text.data[4] == 10 && isdigit(text.data[5])) || text.data[4] == 0xFF);
}

/* A line of text is there; consoles begin with an empty one. */
static bool ends_line(VigieBytes text) {
    while (text.size > 0 && (text.data[0] == '\r' || text.data[0] == '\n'))
        text = vigie_bytes(text.data + 1, text.size - 1);
    return text.size > 0 && memchr(text.data, '\n', text.size) != NULL;
}

/* A telnet or serial console begins with a prompt in words. */
static const char *prompt(VigieBytes text) {
    return contains(text, "login:") || contains(text, "username:") ? "telnet" : NULL;
}

const char *tls_speaks(VigieBytes first, bool whole) {
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        if (begins(first, starts[i].start, starts[i].size))
            return starts[i].name;
        if (!whole && first.size < starts[i].size && memcmp(first.data, starts[i].start, first.size) == 0)
            return NULL;
    }
    if (is_mysql(first))
        return "mysql";
    if (is_ldap(first))
        return "ldap";
    if (!whole &&
        (first.size < 8 || ((isprint(first.data[0]) || isspace(first.data[0])) && !ends_line(first))))
        return NULL;
    const char *name = reply(first);
    name = name ? name : prompt(first);
    return name ? name : "unknown";
}
