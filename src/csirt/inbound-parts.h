/* What the files of inbound mail share. */
#pragma once

#include "csirt/inbound.h"
#include "csirt/internal.h"

enum { INBOUND_LINE = 200 }; /* characters of titles, names and subjects */

/* One message on its way into a case. Borrowed but for the read. */
typedef struct {
    VigieStore *store;
    const VigieNotifier *notifier;
    const VigieMailInbound *mail;
    const VigieMailRead *read;
    const json_t *about; /* of `read` */
    VigieTime now;
} Filing;

/* The case that it belongs to, merged ones followed; 0: none yet. */
bool inbound_case(const Filing *filing, int64_t *ret_case, GError **error);
/* { "name", "address" } of who wrote, or NULL. */
const json_t *inbound_sender(const Filing *filing);
/* The party of the case with the sender's address, a new one of role "other" where there is none; 0: without address. */
bool inbound_party(const Filing *filing, int64_t id, int64_t *ret_party, GError **error);
/* On one line, cut. Free with g_free. */
char *inbound_line(const char *text, long most);
/* Tells who wrote that it was received, where that may be. */
bool inbound_acknowledge(const Filing *filing, int64_t id, const char *reference, GError **error);
