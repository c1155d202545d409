/* base: what every room stands on. Bytes from strangers, errors, time, languages, configuration, knowledge.
 *
 * The only room without a room below it. Nothing here opens a socket or a database. The byte cursors at the
 * top use no GLib: the parsers of tls/, x509/ and net/ include "base/bytes.h" alone. */
#pragma once

#include "base/bytes.h"

#include <glib.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(json_t, json_decref)

/* ---- Errors ---------------------------------------------------------------------------------------------
 * A function that can fail returns bool or a pointer and sets a GError of this domain. The message says what,
 * where and what to do, in English; what a user reads in French is worded by the face that shows it. */
#define VIGIE_ERROR (vigie_error_quark())
GQuark vigie_error_quark(void);

typedef enum {
    VIGIE_ERROR_INVALID,     /* the input is wrong: the message says where and how it should look */
    VIGIE_ERROR_NOT_FOUND,   /* what was named does not exist */
    VIGIE_ERROR_CONFLICT,    /* it exists already, or was changed meanwhile */
    VIGIE_ERROR_DENIED,      /* the caller may not */
    VIGIE_ERROR_LIMIT,       /* larger or more than the stated limit */
    VIGIE_ERROR_BUSY,        /* try again later: locked, throttled */
    VIGIE_ERROR_UNAVAILABLE, /* a peer or a resource does not answer: network, disk full, server down */
    VIGIE_ERROR_INTERNAL,    /* a bug of ours, or a library that broke its promise */
} VigieErrorCode;

/* ---- Time -----------------------------------------------------------------------------------------------
 * Inside, time is seconds since 1970-01-01T00:00:00Z. Clocks are passed in as a `now`, so that tests can set
 * it. */
typedef int64_t VigieTime;

VigieTime vigie_time_now(void);
/* "2026-11-21T20:15:10Z"; free with g_free. */
char *vigie_time_rfc3339(VigieTime time);
/* Accepts any offset ("Z", "+01:00"); false and an error that quotes the text otherwise. */
bool vigie_time_parse_rfc3339(const char *text, VigieTime *ret_time, GError **error);
/* Parses "90 d", "15 min", "30s", "2 h", "1 w" into seconds; a bare number is seconds. */
bool vigie_duration_parse(const char *text, int64_t *ret_seconds, GError **error);

/* ---- Languages ------------------------------------------------------------------------------------------
 * The language belongs to the reader (a request, a mail, --lang), not to the process; so words are looked up
 * in catalogues, knowledge/words/NAME.json, each an object
 *     { "fleet.devices": { "fr": "{n} équipements", "en": "{n} devices" }, ... }
 * in which both languages are required. A loader refuses a key without both, or whose placeholders differ. */
typedef enum { VIGIE_FR, VIGIE_EN, VIGIE_LANGS } VigieLang;

/* "fr", "fr_FR.UTF-8", "en-GB" …; false where it is neither French nor English. */
bool vigie_lang_parse(const char *text, VigieLang *ret_lang);
/* The language of the user's environment (LC_ALL, LC_MESSAGES, LANG), French when nothing is said. */
VigieLang vigie_lang_default(void);
const char *vigie_lang_code(VigieLang lang); /* "fr", "en" */

/* Loads every catalogue below the knowledge folder once; idempotent, not thread-safe: call it at start. */
bool vigie_words_load(GError **error);
/* The words of a key, never NULL: an unknown key answers itself (and a test fails on it). Borrowed. */
const char *vigie_word(VigieLang lang, const char *key);
/* The same with placeholders filled from name, value pairs, NULL at the end:
 * vigie_words(VIGIE_FR, "fleet.devices", "n", "12", NULL). Free with g_free. */
char *vigie_words(VigieLang lang, const char *key, ...) G_GNUC_NULL_TERMINATED;
/* The placeholders {name} of `text` filled from an object's members (strings and integers). Free with g_free.
 */
char *vigie_text_fill(const char *text, const json_t *values);
/* The member "fr" or "en" of an object that holds one text per language. Borrowed; "" where it is missing. */
const char *vigie_text_in(VigieLang lang, const json_t *texts);

/* What a GError says, in the reader's language: the entry "refusal.…" of the catalogues whose English is the message, its
 * placeholders what the message has in their places; of several that fit, the one that says most itself. {member} is said by
 * the word `names`MEMBER where there is one, {why} is a refusal of its own. {member} and {cause}, which is another program's or
 * the system's word, are said where there is an entry for them, else left as they are.
 * NULL where there is no entry: then only the English is known. Free with g_free. */
char *vigie_refusal(VigieLang lang, const char *message, const char *names);
/* The same, or the message as it is: what a page, a report or a command shows of an error that was kept. Free with g_free. */
char *vigie_said(VigieLang lang, const char *message);

/* "3 déc. 2026", "3 Dec 2026": the day in the given time zone. Free with g_free. */
char *vigie_date_text(VigieLang lang, GTimeZone *zone, VigieTime time);
/* "3 déc. 2026 14:05:09 CET". */
char *vigie_date_time_text(VigieLang lang, GTimeZone *zone, VigieTime time);
/* As people say it, exact day beside: "dans 12 jours (3 déc. 2026)", "il y a 3 jours (…)", "in 2 hours (…)".
 */
char *vigie_when_text(VigieLang lang, GTimeZone *zone, VigieTime time, VigieTime now);
/* "11 min 4 s", "3 jours", "2 h 5 min": two units at most; the sign is dropped. */
char *vigie_duration_text(VigieLang lang, int64_t seconds);

/* ---- Knowledge ------------------------------------------------------------------------------------------
 * What an expert corrects without a compiler. The folder is $VIGIE_KNOWLEDGE, else ../knowledge beside the
 * program, else the installed data folder. */
const char *vigie_knowledge_folder(void);
/* A file below it, read and parsed; the error names file, line and column. 16 MiB at most. */
json_t *vigie_knowledge_json(const char *name, GError **error);
/* A file below it as text, NUL-terminated (templates). Free with g_free. */
char *vigie_knowledge_text(const char *name, gsize *ret_size, GError **error);

/* ---- Configuration --------------------------------------------------------------------------------------
 * One key file (GKeyFile syntax), /etc/vigie/vigie.conf or --config FILE; a missing default file means
 * defaults. Every key is declared in config.c with its type, default and example, the words config.KEY say what it means: an unknown key, or
 * a value that does not parse, stops the start with one line that says which key, why, and an example. */
typedef struct VigieConfig VigieConfig;

VigieConfig *vigie_config_load(const char *path, GError **error); /* path NULL: the default place */
void vigie_config_free(VigieConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VigieConfig, vigie_config_free)
const char *vigie_config_path(const VigieConfig *config); /* the file read, or NULL: defaults alone */
/* The same, or the default place: what is wrong is mended there. */
const char *vigie_config_place(const VigieConfig *config);

/* `key` is "group.name" ("store.url"). An undeclared key aborts: it is a bug of the caller. Borrowed. */
const char *vigie_config_text(const VigieConfig *config, const char *key);
int64_t vigie_config_int(const VigieConfig *config, const char *key);
bool vigie_config_bool(const VigieConfig *config, const char *key);
int64_t vigie_config_seconds(const VigieConfig *config, const char *key);
/* A list, separated by ';', NULL-terminated. */
const char *const *vigie_config_list(const VigieConfig *config, const char *key);
/* The reader's time zone ("site.time_zone", Europe/Paris by default). Borrowed. */
GTimeZone *vigie_config_zone(const VigieConfig *config);
/* Every declared key with its default, type, example and meaning, as a commented file. Free with g_free. */
char *vigie_config_example(VigieLang lang);

/* ---- Log ----------------------------------------------------------------------------------------------------
 * For the faces alone: libraries return errors. One line on stderr, with the levels that the journal knows.
 * No secret goes in. Safe from any thread once the name is set. */
typedef enum {
    VIGIE_LOG_ERROR = 3,   /* something that was asked for is not done */
    VIGIE_LOG_WARNING = 4, /* it works, with less than it should */
    VIGIE_LOG_NOTICE = 5,  /* starts, stops */
    VIGIE_LOG_INFO = 6,
} VigieLogLevel;

/* Who speaks: "vigie worker". Borrowed, for good. */
void vigie_log_name(const char *name);
void vigie_log(VigieLogLevel level, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* ---- Text -------------------------------------------------------------------------------------------- */
/* Appends a JSON string literal, quotes included. Bytes that are not UTF-8 become U+FFFD, so that what a
 * stranger sent can always be printed. For hot paths that cannot afford a json_t. */
void vigie_json_append_string(GString *out, const char *text, size_t size);
/* A view of what it holds, its data never NULL; empty for NULL. */
VigieBytes vigie_bytes_view(GBytes *bytes);
/* "9f1c…": lower-case hexadecimal. Free with g_free. */
char *vigie_hex_text(VigieBytes bytes);
/* Compact JSON of a value, keys in the order they were added. Free with g_free. */
char *vigie_json_text(const json_t *value);
/* The text of an object's member, borrowed. Where it is missing or no text: NULL, or "". */
const char *vigie_member(const json_t *object, const char *name);
const char *vigie_member_text(const json_t *object, const char *name);
/* Names compare as people sort them: case and accents aside. Free with g_free. */
char *vigie_text_fold(const char *text);
