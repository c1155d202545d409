/* The keeper of the signer's account. The supervisor gives up the right to become others before it does anything else; so
 * that the signer can run as an account of its own, and be started again, a process is forked before that which takes this
 * account, and then starts, signals and reaps the signer on the supervisor's word. It reads nothing else from anyone, and
 * ends, the signer before it, when the supervisor is no more. */
#pragma once

#include "base/base.h"

typedef struct Keeper Keeper;

/* Do process.user and process.signer_user name two accounts that share the store and nothing else? */
bool keeper_check(const VigieConfig *config, GError **error);

/* Forks: call it before any thread is started, while the process may become others. `ocsp` is the signer's descriptor of that
 * name (child.h). The error names process.signer_user. */
Keeper *keeper_start(const VigieConfig *config, const char *config_path, int ocsp, GError **error);
void keeper_free(Keeper *keeper); /* the process ends by itself */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Keeper, keeper_free)

/* Starts the signer, whose life is `life`; false: the keeper is gone. */
bool keeper_spawn(Keeper *keeper, int life);
void keeper_signal(Keeper *keeper, int number);
/* Readable when keeper_hear has something to tell. */
int keeper_fd(const Keeper *keeper);
/* The signer ended: its wait status. False: the keeper is gone. */
bool keeper_hear(Keeper *keeper, int *ret_status);
