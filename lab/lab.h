/* lab: a simulated hospital on loopback, to try Vigie on and to test it with.
 *
 * Each device of devices.c listens on an address of its own, NETWORK.CLASS.NUMBER, on the port that its kind
 * uses in the field, with a certificate of the hospital's authority, and speaks a little of its real
 * protocol. Most are healthy; the others have one or two of the faults of faults.c. What a survey must find
 * at each follows from the two tables. Every manufacturer, person and place is invented.
 *
 * To add a device: a row in devices.c. To add a fault: a row in faults.c, and its behaviour where it is a new
 * one. */
#pragma once

#include "base/bytes.h"

#include <glib.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

/* ---- The tables -------------------------------------------------------------------------------------- */
/* The white paper's eight classes; the third octet of the address. */
typedef enum {
    LAB_IMAGING = 1,
    LAB_MONITORING,
    LAB_LABORATORY,
    LAB_ANAESTHESIA,
    LAB_CARDIOLOGY,
    LAB_STERILISATION,
    LAB_INFUSION,
    LAB_BEDS,
} LabClass;

typedef struct {
    LabClass class_;
    int number; /* the address's last octet; with the class, the GMAO number */
    const char *name, *host, *maker, *model, *serial, *firmware, *place;
    const char *owner, *criticality; /* in the words of the GMAO's export */
    uint16_t port;
    const char *protocol;
    const char *faults; /* ids of faults.c, separated by spaces; NULL: healthy */
} LabDevice;

extern const LabDevice lab_devices[];
extern const size_t lab_device_count;

typedef enum { LAB_KEY_EC, LAB_KEY_RSA, LAB_KEY_RSA_SHORT } LabKey;
typedef enum { LAB_ISSUER_HOSPITAL, LAB_ISSUER_ROOT, LAB_ISSUER_STRANGER, LAB_ISSUER_ITSELF } LabIssuer;
typedef enum { LAB_SENT_RIGHT, LAB_SENT_LEAF_ALONE, LAB_SENT_WRONG_ORDER } LabSent;

typedef struct LabSession LabSession;
typedef void (*LabSpeech)(LabSession *session);

/* What a canned server answers: it replays a flight of a version or suite that libssl no longer speaks, and
 * cannot go on from there. */
typedef struct {
    uint16_t version;   /* 0x0002, 0x0300 … */
    uint16_t suites[4]; /* in its order of preference, 0 at the end; unused for SSLv2 */
} LabCanned;

/* A fault, or what several make together: each member that is not zero overrides the healthy device's. */
typedef struct {
    const char *id;
    const char *findings[2]; /* what a survey must find */
    const char *outcome;     /* NULL: "ok" */

    int starts, ends; /* days from the lab's birth; 0: the healthy device's */
    LabKey key;
    LabIssuer issuer;
    LabSent sent;
    const char *named; /* the host that the certificate names */
    bool sha1;

    int version_min, version_max; /* TLS1_VERSION … */
    const char *suites;           /* libssl's list for TLS 1.2 and below */
    bool wants_client;
    int clock; /* seconds that the device's clock is ahead */
    const LabCanned *canned;
    LabSpeech instead; /* of TLS: what it does with a connection */
    bool closed;       /* nothing listens */
} LabFault;

/* The faults of a device as one; aborts on an id that is not in the table. */
LabFault lab_fault_of(const LabDevice *device);
/* Calls `visit` with each fault of the device. */
void lab_fault_each(const LabDevice *device, void (*visit)(const LabFault *fault, void *data), void *data);

/* "scanner-01.chu-kermarec.test"; free with g_free. */
char *lab_device_fqdn(const LabDevice *device);
/* "127.10.1.1"; free with g_free. */
char *lab_device_address(const LabDevice *device, const char *network);

/* ---- The authorities --------------------------------------------------------------------------------- */
/* The hospital's root and intermediate, and a stranger's root. Made once in the folder, kept on restart. */
typedef struct LabAuthority LabAuthority;
LabAuthority *lab_authority_open(const char *folder, GError **error);
void lab_authority_free(LabAuthority *authority);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LabAuthority, lab_authority_free)
X509 *lab_authority_root(const LabAuthority *authority); /* the hospital's; borrowed */

/* A certificate with its key and what is served after it. */
typedef struct {
    EVP_PKEY *key;
    X509 *leaf;
    STACK_OF(X509) * rest;
} LabIdentity;
/* A device's, kept under its address; made where it is not there. */
LabIdentity *lab_authority_identity(LabAuthority *authority, const LabDevice *device, const LabFault *fault,
                                    const char *address, GError **error);
void lab_identity_free(LabIdentity *identity);

/* ---- Sessions ---------------------------------------------------------------------------------------- */
typedef struct {
    const LabDevice *device;
    LabFault fault;
    LabIdentity *identity; /* NULL where it shows none */
    SSL_CTX *tls;          /* NULL where it speaks none that libssl does */
    LabSpeech speech;
    const char *mail_folder; /* where mail to the hospital's people is kept */
    int fd;                  /* listening */
} LabEndpoint;

struct LabSession {
    const LabEndpoint *endpoint;
    int fd;
    SSL *ssl; /* NULL in the clear */
};

enum { LAB_SECONDS = 15 }; /* the longest that one read may wait */

/* Up to `size` bytes, 0 or less at the end or when nothing came in time. */
int lab_read(LabSession *session, void *data, size_t size);
bool lab_read_all(LabSession *session, void *data, size_t size);
/* One line without its end, at most `size` - 1 bytes; false at the end. */
bool lab_read_line(LabSession *session, char *line, size_t size);
bool lab_write(LabSession *session, const void *data, size_t size);
bool lab_print(LabSession *session, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* Goes on in TLS; false where the handshake failed. */
bool lab_secure(LabSession *session);
/* The time by the device's own clock. */
time_t lab_session_time(const LabSession *session);

/* Serves until a signal says stop, which ends the process, with 0: it returns only where it failed. `ready` is called once everything
 * listens. */
bool lab_serve(LabEndpoint *endpoints, size_t count, const char *network, void (*ready)(void),
               GError **error);

/* ---- What devices speak ------------------------------------------------------------------------------ */
/* By the protocol's name; NULL where it is unknown. */
LabSpeech lab_speech(const char *protocol);
void lab_speak_http(LabSession *session);
void lab_speak_dicom(LabSession *session);
void lab_speak_mllp(LabSession *session);
void lab_speak_telnet(LabSession *session);
void lab_speak_ftp(LabSession *session);

void lab_misbehave_reset(LabSession *session);
void lab_misbehave_close(LabSession *session);
void lab_misbehave_silence(LabSession *session);
void lab_speak_canned(LabSession *session);
