/* What the files of csirt/ that keep cases share. */
#pragma once

#include "csirt/csirt.h"

/* ---- Enumerations (enums.c) ---------------------------------------------------------------------------------
 * NULL-terminated lists of names. */
/* INVALID, the message beginning with `member`, where `name` is not of `list` (NULL-terminated). */
bool csirt_one_of(const char *member, const char *name, const char *const *list, GError **error);
extern const char *const csirt_kinds[],
    *const csirt_channels[], *const csirt_sources[], *const csirt_likelihoods[], *const csirt_tlps[],
                                                                                     *const csirt_paps[];

/* ---- Texts (text.c) ----------------------------------------------------------------------------------------- */
enum {
    CSIRT_LINE_MAX = 200, /* characters: titles, names */
    CSIRT_NOTE_BYTES = 16 << 10,
    CSIRT_BODY_BYTES = 1 << 20,
    CSIRT_FACTS_BYTES = 256 << 10,
};
/* What analysts and programs give: INVALID or LIMIT names the member; NULL is "". One line, `most` characters; or several,
 * `most` octets. */
bool csirt_line_check(const char *member, const char *text, size_t most, GError **error);
bool csirt_text_check(const char *member, const char *text, size_t most, GError **error);
/* What strangers give: refused for its size alone, the rest put right. Free with g_free; NULL becomes "". */
bool csirt_length_check(const char *member, const char *text, size_t most, GError **error);
bool csirt_size_check(const char *member, const char *text, size_t most, GError **error);
char *csirt_line_clean(const char *text);
char *csirt_text_clean(const char *text);
bool csirt_invalid(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* `text` filled; values that are in both languages in that one. Free with g_free. */
char *csirt_filled(VigieLang lang, const char *text, const json_t *values);
/* SHA-256 in lower-case hexadecimal; free with g_free. */
char *csirt_sha256(VigieBytes bytes);

/* ---- Rows as JSON (rows.c) ---------------------------------------------------------------------------------- */
typedef enum {
    CELL_INT,
    CELL_ID,   /* 0 is null */
    CELL_TIME, /* 0 is null */
    CELL_BOOL,
    CELL_TEXT,   /* "" is null; from here on texts */
    CELL_STRING, /* stays "" */
    CELL_JSON,   /* "" is null */
} CellType;

typedef struct {
    const char *member; /* the last of a table is NULL */
    const char *sql;
    CellType type;
} Cell;

json_t *cells_object(const VigieRows *rows, const Cell *cells);
/* "a, b, c". */
void cells_select(VigieQuery *query, const Cell *cells);
/* All rows of "SELECT cells …rest" as an array; `rest` takes one id. */
json_t *cells_array(VigieStore *store, const Cell *cells, const char *rest, int64_t id, GError **error);
json_t *cells_run(VigieStore *store, const VigieQuery *query, const Cell *cells, GError **error);
json_t *csirt_json_time(VigieTime time);    /* null for 0 */
json_t *csirt_json_parse(const char *text); /* null where it is none */

/* ---- The team (team.c) -------------------------------------------------------------------------------------- */
const char *team_prefix(const VigieTeam *team);
GTimeZone *team_zone(const VigieTeam *team);
const VigieCalendar *team_calendar(const VigieTeam *team);
/* NULL where csirt.artefact_key is empty. */
const VigieSeal *team_artefact_keys(const VigieTeam *team);
/* Seals to the head of the CSIRT: CMS EnvelopedData, DER. UNAVAILABLE where no certificate is named. Free with g_bytes_unref. */
GBytes *team_seal(const VigieTeam *team, VigieBytes clear, GError **error);

/* ---- A case (load.c) ---------------------------------------------------------------------------------------- */
typedef struct {
    int64_t id;
    char *reference, *kind, *state, *tlp, *pap, *source, *assignee;
    bool active, restricted, urgent;
    int64_t merged_into;
    VigieTime received;
} Case;

void case_clear(Case *a_case);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Case, case_clear)
/* NOT_FOUND where there is none, or `who` may not see it; DENIED where `who` does not work at the desk. `who` NULL: the program. */
bool case_load(VigieStore *store, const VigieAnalyst *who, int64_t id, Case *ret_case, GError **error);
bool csirt_may(const VigieAnalyst *who, GError **error);
bool csirt_head_only(const VigieAnalyst *who, const char *what, GError **error);
/* " AND (…)": restricts rows of csirt_case `c` to what `who` may see. */
void case_visible(VigieQuery *query, const VigieAnalyst *who);
/* " AND …": of restricted rows, those that it hides. */
void case_hidden(VigieQuery *query, const VigieAnalyst *who);
const char *analyst_name(const VigieAnalyst *who); /* "" for the program */
/* Keeps a look at a case marked RED. */
bool reading_add(VigieStore *store, const VigieAnalyst *who, const Case *a_case, const char *what,
                 VigieTime now, GError **error);

/* Its columns as csirt_case_list shows them, of csirt_case `c`; the second makes the nested members of what the first gives. */
extern const Cell case_cells[];
void case_shape(json_t *a_case);
/* As csirt_case_get begins: the columns. */
json_t *case_object(VigieStore *store, int64_t id, GError **error);
/* Judges the case again (judge.c): band, score, reasons, what is due. `team` NULL: without promises. */
bool case_judge(VigieStore *store, const VigieTeam *team, int64_t id, VigieTime now, GError **error);

/* ---- Timeline (timeline.c) ---------------------------------------------------------------------------------- */
/* The hash of a line after the one with hash `before` ("" for the first). Free with g_free. */
char *entry_hash(const char *before, const char *reference, int64_t seq, VigieTime time, const char *author,
                 const char *kind, const char *details);
/* The line, and the case's `updated`. Steals details (NULL: none). */
bool entry_add(VigieStore *store, int64_t id, const char *author, const char *kind, json_t *details,
               VigieTime now, GError **error);

/* ---- Search words (words.c) --------------------------------------------------------------------------------- */
/* Its words changed: they are indexed again. */
bool case_words_changed(VigieStore *store, int64_t id, GError **error);
enum { QUERY_WORDS = 8 };
/* The folded words of q: at most QUERY_WORDS, each a copy; NULL-terminated. INVALID where it is too long. */
char **case_words_asked(const char *q, GError **error);

/* ---- Opening (open.c) --------------------------------------------------------------------------------------- */
/* The next reference of the team in the year of `now`. Free with g_free. */
char *reference_next(VigieStore *store, const VigieTeam *team, VigieTime now, GError **error);

/* ---- Tasks (work.c) ----------------------------------------------------------------------------------------- */
/* "text" beside the row's "title" and "details". */
void task_shape(json_t *task);

/* ---- The fleet's organisations (organisation.c) ------------------------------------------------------------- */
/* Adds what csirt_case_get shows as "proposed". */
bool case_organisations(VigieStore *store, const json_t *item, json_t *proposals, GError **error);

/* ---- State (state.c) ---------------------------------------------------------------------------------------- */
/* Whether `to` may follow `from`; *ret_reason: a reason is needed. */
bool state_may_follow(const char *from, const char *to, bool *ret_reason);
bool state_known(const char *state);
bool state_active(const char *state);
json_t *state_next(const char *from); /* [ states ] */
