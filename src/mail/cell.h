/* The isolated processes that read strangers' mail and hold the keys.
 *
 * A cell is a process forked before its owner sandboxes itself. For each request it forks a child that lives for that
 * one request, with a minute of time and a gibibyte of memory, confined before it sees a byte: one that parses can open
 * no file, connect nowhere and start nothing; one that holds keys starts gpg, sees GNUPGHOME and connects nowhere.
 * What parses never holds a key, what holds a key never parses MIME. A child that dies takes nothing with it.
 *
 * From the configuration: mail.gnupg_home, mail.smime_file, trust.roots and trust.system. */
#pragma once

#include "base/base.h"

typedef struct VigieMailCell VigieMailCell;

/* Forks: call it before any thread is started, before sandbox_enter, and after rights were dropped. */
VigieMailCell *mail_cell_start(const VigieConfig *config, GError **error);
/* Ends the process, and the gpg-agent that it started. */
void mail_cell_free(VigieMailCell *cell);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VigieMailCell, mail_cell_free)
/* False once the process is gone: nothing more can be asked; start the owner anew. Cells are safe from any thread. */
bool mail_cell_alive(const VigieMailCell *cell);
