/* The clear dialogue that comes before TLS on a port with STARTTLS, without sockets: octets in, octets out.
 *
 * Only what the dialogue needs is understood; everything else from the server is bounded and passed over. Octets that
 * come after the server's go-ahead, before TLS, are an injection (CVE-2011-0411) and refused. */
#pragma once

#include "record/record.h"

typedef enum {
    DIALOGUE_MORE,      /* send what is in `out`, feed what comes */
    DIALOGUE_READY,     /* the server waits for a ClientHello */
    DIALOGUE_REFUSED,   /* `answer` says how */
    DIALOGUE_STRANGE,   /* what came is not of this protocol: look who speaks instead */
    DIALOGUE_MALFORMED, /* `clause` is broken */
    DIALOGUE_LIMIT,     /* more than a dialogue may say: `clause` names the bound */
} DialogueState;

enum { DIALOGUE_LINE_MAX = 4096, DIALOGUE_MAX = 16384, DIALOGUE_OUT_MAX = 640 };

typedef struct {
    VigieProtocol protocol;
    DialogueState state;
    uint8_t step;
    bool capable;       /* the server said that it can */
    uint32_t received;  /* octets, all together */
    const char *name;   /* the server's, for protocols that address it; borrowed */
    char answer[64];    /* the last answer's beginning, printable ASCII */
    char banner[160];   /* the greeting's beginning, printable ASCII: it may hold a date */
    const char *clause; /* static */
    uint16_t held;      /* octets in `line` */
    uint8_t line[DIALOGUE_LINE_MAX];
} Dialogue;

/* `name`: A-labels or an address. Writes what the client says first, if it does, to `out`. */
void dialogue_start(Dialogue *dialogue, VigieProtocol protocol, const char *name, VigieWriter *out);
/* The next octets received; what is to be sent is written to `out`, of DIALOGUE_OUT_MAX octets at least. Once it has
 * said other than MORE it says the same again. */
DialogueState dialogue_feed(Dialogue *dialogue, VigieBytes received, VigieWriter *out);
