/* cli: one file per subcommand. It reads arguments, calls a room and prints; no logic.
 * Exit status: 0 all well; 1 something is wrong with what was examined; 2 the command could not do its work.
 */
#pragma once

#include "base/base.h"

enum { CLI_WELL = 0, CLI_WRONG = 1, CLI_FAILED = 2 };

int cli_audit_log(int argc, char **argv);
int cli_ca(int argc, char **argv);
int cli_case(int argc, char **argv);
int cli_lint(int argc, char **argv);
int cli_survey(int argc, char **argv);
int cli_diagnose(int argc, char **argv);
int cli_convert(int argc, char **argv);
int cli_csr(int argc, char **argv);
int cli_identify(int argc, char **argv);
int cli_fleet(int argc, char **argv);
int cli_request(int argc, char **argv);
int cli_reseal(int argc, char **argv);
int cli_serve(int argc, char **argv);
int cli_verify(int argc, char **argv);
int cli_user(int argc, char **argv);
int cli_doctor(int argc, char **argv);

/* Parses argv with these entries and those of all commands, --lang and --help; what remains is left in argv. False: the
 * error is printed, or the help; leave with *ret_status.
 *
 * A form is what may follow the command, "issue --profile PROFILE --csr FILE … [--json]": small letters at its beginning are
 * its name, an option in it goes with it, and with no form that does not name it; one that stands in none goes with all.
 * The help of a form shows those that go with it. What is said of them are words:
 *
 *   help.ca                   what the command does              help.ca.--csr        an option of it
 *   help.ca.issue             what the form does                 help.ca.renew.--csr  where it means another thing there
 *   help.ca.notes             what else is to be known           help.--config        an option of several commands
 *   help.arg.FILE             a word in capitals
 *
 * `examples` are lines; the help of a form has those that begin with it. Both end with NULL. */
bool cli_parse(int *argc, char ***argv, const GOptionEntry *entries, const char *const *forms,
               const char *const *examples, VigieLang *ret_lang, int *ret_status);
/* The language of the reader, also before the options are parsed. */
VigieLang cli_reader(void);
/* What a refusal or an error says, in that language; in English where the words know it in no other. "" where there is none.
 * Free with g_free. */
char *cli_said(const char *message);
char *cli_words(const GError *error);
/* What stands between a thing and what is said of it, in the same language. */
const char *cli_colon(void);
#define CLI_OUTPUT_FULL "the standard output takes no more: is the disk full, or who reads it gone?"
/* "vigie COMMAND: message" on stderr; returns CLI_FAILED. */
int cli_fail(const char *command, const GError *error);
/* True where stdout is a terminal and NO_COLOR is not set. */
bool cli_colour(void);

/* A password, wiped when it is freed: g_auto(CliSecret) password = … */
typedef char *CliSecret;
void cli_secret_free(CliSecret secret);
G_DEFINE_AUTO_CLEANUP_FREE_FUNC(CliSecret, cli_secret_free, NULL)
/* The first line of a file, or of descriptor 3 where `source` is "fd:3"; not empty, 1,024 octets at most. */
CliSecret cli_secret_read(const char *source, GError **error);
/* Asked at the terminal, unseen; where `again` is not NULL, a second time, and both must be the same: where they are not, it is
 * said, and both are asked for again, five times at most. */
CliSecret cli_secret_ask(const char *question, const char *again, GError **error);
/* The PIN of the token that `uri` names: from `source` as above, asked where it is NULL. */
CliSecret cli_pin_get(const char *uri, const char *source, VigieLang lang, GError **error);
/* A line asked at the terminal, seen; free with g_free. */
char *cli_line_ask(const char *question, GError **error);
/* What is for the eyes of who sits there, and never for a file: a line; and all of it taken away. */
bool cli_terminal_write(const char *text, GError **error);
void cli_terminal_clear(void);
/* Writes a file that must not exist yet; mode 0600 where it is secret. */
bool cli_write_new(const char *path, const void *data, size_t size, bool secret, GError **error);
/* A file that a command reads, mapped; a folder is refused. Free with g_mapped_file_unref. */
GMappedFile *cli_file_map(const char *path, GError **error);
