/* inbound: mail that came into the team's mailboxes (mail/inbound.h) becomes part of a case.
 *
 * A reply joins the case of the message that it answers; else the case whose reference stands in its subject, the protected one
 * where it was encrypted; else a case is opened: an incident from the incident mailbox, a request from the other. [URGENT] in the
 * subject makes it urgent, an old case as a new one, and raises who is on duty: a task to call, and a mail where the roster has an address. What was attached becomes artefacts. A bounce, an autoresponder's or
 * our own mail coming back opens nothing and is answered by nothing: a line of the timeline where a case is known by it. What could not be read or
 * opened is a case like others, with the raw message as an artefact and a task to look at it.
 *
 * A person who writes for the first time is told the reference at once, ten times a day at most for one address. To a protected or
 * anonymous case nothing is added of who wrote: what came is erased once it is filed, and where it could not be read it is kept sealed
 * to the head of the CSIRT, or not at all. */
#pragma once

#include "csirt/notify.h"

/* Files all that waits, each in one transaction with the mark that it is filed; one that cannot be filed is tried again later. Ends
 * early once *stop is not 0. */
bool csirt_inbound_work(VigieStore *store, const VigieNotifier *notifier, const volatile int *stop,
                        VigieTime (*clock)(void), GError **error);
