/* cli: one file per subcommand. It reads arguments, calls a room and prints; no logic.
 * Exit status: 0 all well; 1 something is wrong with what was examined; 2 the command could not do its work.
 */
#pragma once

#include "base/base.h"

enum { CLI_WELL = 0, CLI_WRONG = 1, CLI_FAILED = 2 };

int cli_survey(int argc, char **argv);
int cli_diagnose(int argc, char **argv);
int cli_identify(int argc, char **argv);
int cli_fleet(int argc, char **argv);
int cli_serve(int argc, char **argv);
int cli_user(int argc, char **argv);
int cli_doctor(int argc, char **argv);

/* Parses argv with these entries, `--help` with `example` at its end, and `--lang`; what remains is left in
 * argv. False: the error is printed, or the help; leave with *ret_status. */
bool cli_parse(int *argc, char ***argv, const GOptionEntry *entries, const char *usage, const char *example,
               VigieLang *ret_lang, int *ret_status);
/* What --lang says, before the options are parsed: their help is worded in it. */
VigieLang cli_help_language(int argc, char **argv);
/* "vigie COMMAND: message" on stderr; returns CLI_FAILED. */
int cli_fail(const char *command, const GError *error);
/* True where stdout is a terminal and NO_COLOR is not set. */
bool cli_colour(void);
