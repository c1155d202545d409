/* declaration: what anyone may do without an account. Declare, report, ask; put a draft aside; come back with a receipt; check
 * that a notice is ours.
 *
 * The forms are data, knowledge/csirt/declaration.json: blocks of fields, each a fact of the case (csirt_facts says its type and its
 * words) or what else an opening is made of; words/declare.json says the rest. What comes in is a table of names and texts, however it was carried: of a field that takes
 * several values one entry for each, NAME.VALUE; of a time NAME (the day) and NAME.hour.
 *
 * Nothing here knows the sender's address. Of a report declared anonymous whatever says who sent it is thrown away before anything
 * is written; of a protected one it is sealed (csirt.h), and no mail goes out for either. */
#pragma once

#include "csirt/csirt.h"

/* The forms, the words of acknowledgement; immutable, for all threads. */
typedef struct VigieDeclarations VigieDeclarations;
/* `team` is borrowed. Needs csirt_rules_load and vigie_words_load before. */
VigieDeclarations *csirt_declarations_new(const VigieConfig *config, const VigieTeam *team, GError **error);
void csirt_declarations_free(VigieDeclarations *declarations);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VigieDeclarations, csirt_declarations_free)

/* Borrowed; NULL where there is no such form. { "id", "kind", "source", "blocks": [ { "id", "text", "essential", "fields": [ { "id", "type",
 *   "text", "hint" or null, "required", "max", "values": [ { "name", "text" } ] … } ] } ] }, texts in both languages. Types: line text mail
 *   phone number choice choices flag check time; a flag is "yes", "no" or "unknown", a choice one of its values or "unknown". */
const json_t *csirt_declaration_form(const VigieDeclarations *declarations, const char *id);

/* What is wrong with `values` (name → text, UTF-8 or not): [ { "field", "problem", "max" } ] in the form's order, empty where nothing is;
 * problem: required long choice time future number mail phone pattern text reachable. ret_opening, may be NULL: { "kind", "source", "title",
 * "organisation_name", "text", "urgent", "facts", "declarant" or null }. Pure. */
json_t *csirt_declaration_check(const VigieDeclarations *declarations, const char *form, GHashTable *values,
                                VigieTime now, json_t **ret_opening);

typedef struct {
    const char *name;
    VigieBytes content;
} VigieDeclarationFile;
enum { CSIRT_FILES_MAX = 20 }; /* with one declaration or message */

typedef struct {
    const char *channel; /* form api */
    const char *
        nonce; /* the form's secret: the same one twice is one declaration, and gives the same code; CSIRT_NONCE_MIN
                            characters at least */
    VigieLang lang; /* the declarant's */
    bool
        unproven; /* came during an attack without the proof of work: waits behind the others, and is not acknowledged by mail */
    const json_t *opening; /* of csirt_declaration_check */
    const json_t *clocks;  /* csirt_declaration_clocks of it */
    const VigieDeclarationFile *files;
    size_t file_count;
} VigieDeclaration;
enum { CSIRT_NONCE_MIN = 22, CSIRT_NONCE_MAX = 64 };

/* Opens the case and queues the acknowledgement, within the caller's transaction, which does not go on where this failed. { "reference", "code", "received",
 * "again": declared before with this nonce, "mail": whether an acknowledgement goes to an address, "source", "kind", "clocks":
 * csirt_declaration_clocks }. */
json_t *csirt_declaration_accept(const VigieDeclarations *declarations, VigieStore *store,
                                 const VigieDeclaration *declaration, VigieTime now, GError **error);

/* csirt_clocks of what is declared now: our promises, and the declarant's legal deadlines; those that hold only if something is so that
 * was not said are marked "assumed": true. */
json_t *csirt_declaration_clocks(const VigieDeclarations *declarations, const json_t *opening, VigieTime now,
                                 GError **error);
/* When the team opens next: `now` while it is open. */
VigieTime csirt_declarations_opening(const VigieDeclarations *declarations, VigieTime now);

/* More, by receipt: csirt_receipt_add, with files. */
bool csirt_declaration_add(VigieStore *store, const VigieTeam *team, int64_t id, const char *text,
                           const VigieDeclarationFile *files, size_t file_count, const char *unique_key,
                           VigieTime now, GError **error);

/* ---- Proof of work ------------------------------------------------------------------------------------------
 * SHA-256 of "NONCE:WORK" begins with `bits` zeroes. A nonce serves one declaration, so a proof does, too. */
enum { CSIRT_PROOF_BITS = 18 };
bool csirt_proof_holds(const char *nonce, const char *proof, int bits);

/* ---- Drafts -------------------------------------------------------------------------------------------------
 * Values put aside for CSIRT_DRAFT_DAYS, sealed (AES-256-GCM) with a key made from a code that only its owner holds: the store has
 * neither the code nor anything to read. */
enum {
    CSIRT_DRAFT_DAYS = 14,
    CSIRT_DRAFT_HOURS = 24, /* of one that nobody asked for: a form that came back, and its files */
    CSIRT_DRAFTS_MAX = 5000,
    CSIRT_DRAFT_SIZE_MAX = 128 * 1024,
    CSIRT_DRAFT_FILES_BYTES = 1 << 30, /* of all drafts */
};
typedef struct {
    const json_t *values;
    const VigieDeclarationFile *files; /* CSIRT_FILES_MAX at most; they replace those that were there */
    size_t file_count;
    VigieTime ends;   /* not sooner than it would have ended anyway */
    bool files_alone; /* the values of one that is there already stay as they are */
} VigieDraft;
/* `code`: of the draft that this replaces; NULL: a new one. Free ret_code with g_free. BUSY where there are too many. */
bool csirt_draft_save(VigieStore *store, const char *code, const VigieDraft *draft, VigieTime now,
                      char **ret_code, GError **error);
/* The files of a draft, VigieDraftFile; none where it is not there any more. */
typedef struct {
    char *name;
    GBytes *content;
} VigieDraftFile;
GPtrArray *csirt_draft_files(VigieStore *store, const char *code, VigieTime now, GError **error);
/* NOT_FOUND where there is none, or not any more. */
json_t *csirt_draft_open(VigieStore *store, const char *code, VigieTime now, GError **error);
bool csirt_draft_remove(VigieStore *store, const char *code, GError **error);

/* ---- Is it really you? --------------------------------------------------------------------------------------
 * Whether the team of this installation sent a notice with this reference and this code. The same work whatever is wrong. */
bool csirt_notice_genuine(VigieStore *store, const VigieTeam *team, const char *reference, const char *code,
                          bool *ret_genuine, GError **error);
