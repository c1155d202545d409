#include "record/record.h"

#include <string.h>

typedef struct {
    const char *name;
    bool starttls;
} Protocol;

static const Protocol protocols[VIGIE_PROTOCOLS] = {
    [VIGIE_PROTOCOL_TLS] = {"tls", false},
    [VIGIE_PROTOCOL_HTTPS] = {"https", false},
    [VIGIE_PROTOCOL_DICOM] = {"dicom", false},
    [VIGIE_PROTOCOL_MLLP] = {"mllp", false},
    [VIGIE_PROTOCOL_FHIR] = {"fhir", false},
    [VIGIE_PROTOCOL_DICOMWEB] = {"dicomweb", false},
    [VIGIE_PROTOCOL_LDAPS] = {"ldaps", false},
    [VIGIE_PROTOCOL_SMTPS] = {"smtps", false},
    [VIGIE_PROTOCOL_IMAPS] = {"imaps", false},
    [VIGIE_PROTOCOL_POP3S] = {"pop3s", false},
    [VIGIE_PROTOCOL_FTPS] = {"ftps", false},
    [VIGIE_PROTOCOL_SMTP] = {"smtp", true},
    [VIGIE_PROTOCOL_IMAP] = {"imap", true},
    [VIGIE_PROTOCOL_POP3] = {"pop3", true},
    [VIGIE_PROTOCOL_FTP] = {"ftp", true},
    [VIGIE_PROTOCOL_LDAP] = {"ldap", true},
    [VIGIE_PROTOCOL_POSTGRESQL] = {"postgresql", true},
    [VIGIE_PROTOCOL_MYSQL] = {"mysql", true},
    [VIGIE_PROTOCOL_XMPP] = {"xmpp", true},
};

/* IANA's service names, and the ports that hospitals use for the same (8443, 11112 …). A DICOM or HL7 port is
 * asked for TLS too: that it does not speak it is then a finding. */
static const struct {
    uint16_t port;
    VigieProtocol protocol;
} ports[] = {
    {21, VIGIE_PROTOCOL_FTP},     {25, VIGIE_PROTOCOL_SMTP},     {104, VIGIE_PROTOCOL_DICOM},
    {110, VIGIE_PROTOCOL_POP3},   {143, VIGIE_PROTOCOL_IMAP},    {389, VIGIE_PROTOCOL_LDAP},
    {443, VIGIE_PROTOCOL_HTTPS},  {465, VIGIE_PROTOCOL_SMTPS},   {587, VIGIE_PROTOCOL_SMTP},
    {636, VIGIE_PROTOCOL_LDAPS},  {990, VIGIE_PROTOCOL_FTPS},    {993, VIGIE_PROTOCOL_IMAPS},
    {995, VIGIE_PROTOCOL_POP3S},  {2575, VIGIE_PROTOCOL_MLLP},   {2762, VIGIE_PROTOCOL_DICOM},
    {3268, VIGIE_PROTOCOL_LDAP},  {3269, VIGIE_PROTOCOL_LDAPS},  {3306, VIGIE_PROTOCOL_MYSQL},
    {5222, VIGIE_PROTOCOL_XMPP},  {5269, VIGIE_PROTOCOL_XMPP},   {5432, VIGIE_PROTOCOL_POSTGRESQL},
    {8443, VIGIE_PROTOCOL_HTTPS}, {11112, VIGIE_PROTOCOL_DICOM},
};

static const char *const outcomes[VIGIE_OUTCOMES] = {
    [VIGIE_OUTCOME_OK] = "ok",
    [VIGIE_OUTCOME_NAME_NOT_FOUND] = "name-not-found",
    [VIGIE_OUTCOME_NAME_FAILED] = "name-failed",
    [VIGIE_OUTCOME_REFUSED] = "refused",
    [VIGIE_OUTCOME_UNREACHABLE] = "unreachable",
    [VIGIE_OUTCOME_TIMEOUT_CONNECT] = "timeout-connect",
    [VIGIE_OUTCOME_TIMEOUT_HANDSHAKE] = "timeout-handshake",
    [VIGIE_OUTCOME_RESET_AFTER_HELLO] = "reset-after-hello",
    [VIGIE_OUTCOME_CLOSED_AFTER_HELLO] = "closed-after-hello",
    [VIGIE_OUTCOME_NOT_TLS] = "not-tls",
    [VIGIE_OUTCOME_ALERT] = "alert",
    [VIGIE_OUTCOME_MALFORMED] = "malformed",
    [VIGIE_OUTCOME_STARTTLS_REFUSED] = "starttls-refused",
    [VIGIE_OUTCOME_LIMIT] = "limit",
    [VIGIE_OUTCOME_INTERRUPTED] = "interrupted",
};

static const char *const severities[] = {
    [VIGIE_SEVERITY_INFO] = "info",         [VIGIE_SEVERITY_LOW] = "low",
    [VIGIE_SEVERITY_MEDIUM] = "medium",     [VIGIE_SEVERITY_HIGH] = "high",
    [VIGIE_SEVERITY_CRITICAL] = "critical",
};

const char *vigie_protocol_name(VigieProtocol protocol) {
    return (unsigned)protocol < VIGIE_PROTOCOLS ? protocols[protocol].name : "tls";
}

bool vigie_protocol_parse(const char *name, VigieProtocol *ret_protocol) {
    for (unsigned i = 0; i < VIGIE_PROTOCOLS; i++) {
        if (g_ascii_strcasecmp(name, protocols[i].name) == 0) {
            *ret_protocol = (VigieProtocol)i;
            return true;
        }
    }
    return false;
}

VigieProtocol vigie_protocol_of_port(uint16_t port) {
    for (size_t i = 0; i < G_N_ELEMENTS(ports); i++)
        if (ports[i].port == port)
            return ports[i].protocol;
    return VIGIE_PROTOCOL_TLS;
}

bool vigie_protocol_starttls(VigieProtocol protocol) {
    return (unsigned)protocol < VIGIE_PROTOCOLS && protocols[protocol].starttls;
}

const char *vigie_outcome_name(VigieOutcome outcome) {
    return (unsigned)outcome < VIGIE_OUTCOMES ? outcomes[outcome] : "interrupted";
}

const char *vigie_severity_name(VigieSeverity severity) {
    return (unsigned)severity < G_N_ELEMENTS(severities) ? severities[severity] : "info";
}

bool vigie_severity_parse(const char *name, VigieSeverity *ret_severity) {
    for (unsigned i = 0; i < G_N_ELEMENTS(severities); i++) {
        if (strcmp(name, severities[i]) == 0) {
            *ret_severity = (VigieSeverity)i;
            return true;
        }
    }
    return false;
}
