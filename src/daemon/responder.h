/* The signer's second thread: answers, by the keys of OCSP responders, what the portal asks at CHILD_OCSP_FD. It has a store and
 * keys of its own, so that neither waits for the other's work. */
#pragma once

#include "pki/pki.h"

typedef struct Responder Responder;
/* Starts it; `passphrase` is called from that thread. */
Responder *responder_start(const VigieConfig *config, VigiePassphrase passphrase, void *data);
/* Waits for its end: when child_stop is set. */
void responder_join(Responder *responder);
