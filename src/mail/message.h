/* Building messages. The room's own business. */
#pragma once

#include "mail/read-parts.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(InternetAddress, g_object_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GMimeMessage, g_object_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GMimeObject, g_object_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GMimePart, g_object_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GMimeDataWrapper, g_object_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GMimeStream, g_object_unref)

/* INVALID where the value of a field could end it. */
bool message_refuse_controls(const char *what, const char *value, GError **error);
/* One address that SMTP can carry, its domain in A-labels; owned. */
InternetAddress *message_mailbox(const char *text, GError **error);
/* With CRLF line ends. */
GBytes *message_serialise(GMimeObject *object);
/* Whether it asks for a signature or encryption. */
bool message_sealed(const VigieMail *mail);
/* What mail_build would refuse, without building it. */
bool message_check(const VigieMail *mail, const char *id, GError **error);
/* `outer` has the header and no body; `payload` is the body, in clear. */
GBytes *message_seal(const VigieMail *mail, GMimeMessage *outer, GMimeObject *payload, GError **error);
