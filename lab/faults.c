/* The faults: one row each, what differs from a healthy device and what a survey must find. */
#include "lab/lab.h"

#include <string.h>

static const LabCanned ssl2_only = {.version = 0x0002};
static const LabCanned ssl3_only = {.version = 0x0300, .suites = {0x000A, 0x0005}};
/* TLS_RSA_WITH_3DES_EDE_CBC_SHA, TLS_RSA_WITH_RC4_128_SHA, TLS_RSA_WITH_RC4_128_MD5 */
static const LabCanned weak_suites = {.version = 0x0303, .suites = {0x000A, 0x0005, 0x0004}};

static const LabFault faults[] = {
    /* The clock, which is to be looked at first. */
    {.id = "clock-ahead", .findings = {"clock-skew"}, .clock = 11 * 60 + 4},
    {.id = "clock-behind", .findings = {"clock-skew"}, .clock = -3600, .version_max = TLS1_2_VERSION},

    /* The certificate. */
    {.id = "expired", .findings = {"certificate-expired"}, .starts = -733, .ends = -3},
    {.id = "expires-in-3", .findings = {"certificate-expiring"}, .starts = -727, .ends = 3},
    {.id = "expires-in-20", .findings = {"certificate-expiring"}, .starts = -710, .ends = 20},
    {.id = "expires-in-60", .findings = {"certificate-expiring"}, .starts = -670, .ends = 60},
    {.id = "not-yet-valid", .findings = {"certificate-not-yet-valid"}, .starts = 2, .ends = 732},
    {.id = "unknown-authority", .findings = {"unknown-authority"}, .issuer = LAB_ISSUER_STRANGER},
    {.id = "self-signed",
     .findings = {"self-signed"},
     .issuer = LAB_ISSUER_ITSELF,
     .sent = LAB_SENT_LEAF_ALONE},
    {.id = "missing-intermediate", .findings = {"incomplete-chain"}, .sent = LAB_SENT_LEAF_ALONE},
    {.id = "wrong-order", .findings = {"chain-order"}, .sent = LAB_SENT_WRONG_ORDER},
    {.id = "other-name", .findings = {"name-mismatch"}, .named = "ecm-01.local"},
    {.id = "sha1", .findings = {"weak-signature"}, .key = LAB_KEY_RSA, .sha1 = true},
    {.id = "rsa-1024", .findings = {"weak-key"}, .key = LAB_KEY_RSA_SHORT},

    /* The session. */
    {.id = "tls10-only",
     .findings = {"protocol-version"},
     .key = LAB_KEY_RSA,
     .version_min = TLS1_VERSION,
     .version_max = TLS1_VERSION,
     .suites = "ECDHE+AES:@SECLEVEL=0"},
    {.id = "tls10-too",
     .findings = {"protocol-obsolete"},
     .key = LAB_KEY_RSA,
     .version_min = TLS1_VERSION,
     .version_max = TLS1_2_VERSION,
     .suites = "ECDHE+AES:@SECLEVEL=0"},
    {.id = "tls13-only", .findings = {"protocol-recent-only"}, .version_min = TLS1_3_VERSION},
    {.id = "tls12-only", .version_max = TLS1_2_VERSION},
    {.id = "weak-suites", .findings = {"weak-suite"}, .key = LAB_KEY_RSA, .canned = &weak_suites},
    {.id = "ssl3-only",
     .findings = {"protocol-version", "weak-suite"},
     .key = LAB_KEY_RSA,
     .canned = &ssl3_only},
    /* SSL 2.0 has room for one certificate: such devices had theirs from the root itself. */
    {.id = "ssl2-only",
     .findings = {"protocol-version", "weak-suite"},
     .key = LAB_KEY_RSA,
     .issuer = LAB_ISSUER_ROOT,
     .sent = LAB_SENT_LEAF_ALONE,
     .canned = &ssl2_only},
    {.id = "client-certificate", .findings = {"client-certificate-required"}, .wants_client = true},

    /* The connection. */
    {.id = "reset",
     .findings = {"connection-reset"},
     .outcome = "reset-after-hello",
     .instead = lab_misbehave_reset},
    {.id = "closes",
     .findings = {"connection-closed"},
     .outcome = "closed-after-hello",
     .instead = lab_misbehave_close},
    {.id = "silent",
     .findings = {"handshake-timeout"},
     .outcome = "timeout-handshake",
     .instead = lab_misbehave_silence},
    {.id = "refused", .findings = {"refused"}, .outcome = "refused", .closed = true},
    {.id = "plain-http",
     .findings = {"plain-protocol"},
     .outcome = "not-tls:http",
     .instead = lab_speak_http},
    {.id = "plain-dicom",
     .findings = {"plain-protocol"},
     .outcome = "not-tls:dicom",
     .instead = lab_speak_dicom},
    {.id = "plain-mllp",
     .findings = {"plain-protocol"},
     .outcome = "not-tls:mllp",
     .instead = lab_speak_mllp},
    {.id = "telnet",
     .findings = {"plain-protocol"},
     .outcome = "not-tls:telnet",
     .instead = lab_speak_telnet},
    {.id = "ftp", .findings = {"plain-protocol"}, .outcome = "not-tls:ftp", .instead = lab_speak_ftp},
};

static const LabFault *find(const char *id) {
    for (size_t i = 0; i < G_N_ELEMENTS(faults); i++)
        if (strcmp(faults[i].id, id) == 0)
            return &faults[i];
    g_error("lab/devices.c: no fault \"%s\" in lab/faults.c", id);
}

void lab_fault_each(const LabDevice *device, void (*visit)(const LabFault *fault, void *data), void *data) {
    if (!device->faults)
        return;
    g_auto(GStrv) ids = g_strsplit(device->faults, " ", -1);
    for (char **id = ids; *id; id++)
        visit(find(*id), data);
}

#define TAKE(member)                                                                                         \
    if (fault->member)                                                                                       \
    all->member = fault->member

static void take(const LabFault *fault, void *data) {
    LabFault *all = data;
    TAKE(outcome);
    TAKE(starts);
    TAKE(ends);
    TAKE(key);
    TAKE(issuer);
    TAKE(sent);
    TAKE(named);
    TAKE(sha1);
    TAKE(version_min);
    TAKE(version_max);
    TAKE(suites);
    TAKE(wants_client);
    TAKE(clock);
    TAKE(canned);
    TAKE(instead);
    TAKE(closed);
}

LabFault lab_fault_of(const LabDevice *device) {
    /* Ends far enough apart to make a believable calendar, none within the 90 days that raise an alarm. */
    int spread = (int)device->class_ * 53 + device->number * 37;
    LabFault all = {
        .outcome = "ok",
        .starts = 120 + spread % 500 - 730,
        .ends = 120 + spread % 500,
        .key = device->number % 2 ? LAB_KEY_EC : LAB_KEY_RSA,
        .version_min = TLS1_2_VERSION,
        .version_max = TLS1_3_VERSION,
        .suites = "ECDHE+AESGCM:ECDHE+CHACHA20:@SECLEVEL=0",
    };
    lab_fault_each(device, take, &all);
    return all;
}
